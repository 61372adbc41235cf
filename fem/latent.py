"""Latent heat: one step in time of a phase and of the temperature that agree with each other.

The phase needs the temperature at the end of the step, the temperature the heat that the phase set free. A plain
exchange diverges as soon as a front reacts to temperature faster than heat flows away, which near melting it does
after some 0.1 ns. So the heat equation is given the heat set free at the temperature of the last guess *and* how that
changes with temperature at each node; this is Newton's iteration with the derivative taken node by node.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.errors import FemError
from fem.front import FrontStep, PhaseFront
from fem.halo import Halo, nodal_array
from fem.heat import Heat
from fem.nucleation import Nucleation

Array = NDArray[np.float64]

_KELVIN = 0.5  # for the derivative of the heat with temperature
_MEMORY = 6  # steps of the iteration that are kept
_RANK = 1e-8  # of what is kept, relative


class HeatStep(Protocol):
    """One step of a heat equation, from where it stands, with the source W = source + slope (T - about) at the nodes.

    ``slope_W_per_K`` is never positive. Called again and again from the same start, it returns T at the end of the
    step (local dofs,) in K. ``heat_step`` makes one of a Heat.
    """

    def __call__(self, source_W: Array, slope_W_per_K: Array, about_K: Array) -> Array: ...


@dataclass(frozen=True)
class LatentStep:
    """What one coupled step did.

    Attributes:
        temperature_K: at its end (local dofs,).
        latent_W: mean heat set free (positive: crystallisation), summed over the nodes.
        residual_W: heat given to the heat equation less ``latent_W``: 0 when both agree.
        iterations: solves of the heat equation.
        front: what the phase did in the last of them.
    """

    temperature_K: Array
    latent_W: float
    residual_W: float
    iterations: int
    front: FrontStep


class LatentHeat:
    """Steps of a phase (PhaseFront, or Nucleation on one) and of a heat equation, iterated until they agree.

    Args:
        phase: what moves; its ``value`` is the crystalline fraction.
        latent_J_per_m3: heat set free by crystallisation.
        tolerance_K: largest change of any temperature between the last two iterations.
        max_iterations: solves before the step is given up.
    """

    def __init__(
        self,
        phase: PhaseFront | Nucleation,
        latent_J_per_m3: float,
        tolerance_K: float = 1e-3,
        max_iterations: int = 60,
    ) -> None:
        for name, number in (("latent_J_per_m3", latent_J_per_m3), ("tolerance_K", tolerance_K)):
            if not (np.isfinite(number) and number > 0.0):
                raise FemError(f"{name} must be positive, got {number!r}")
        self.phase = phase
        self.front = phase.front if isinstance(phase, Nucleation) else phase
        self.latent_J_per_m3, self.tolerance_K, self.max_iterations = latent_J_per_m3, tolerance_K, max_iterations
        self._heat_J = latent_J_per_m3 * self.front.volume_m3  # per node

    def step(self, dt_s: float, begin_K: ArrayLike, heat: HeatStep, guess_K: ArrayLike | None = None) -> LatentStep:
        """Advance the phase by ``dt_s`` together with ``heat``, from the temperature ``begin_K`` (local dofs,).

        ``guess_K`` is the first guess of the temperature at the end. Collective. Raises FemError if the iteration does
        not settle or ``heat`` fails; the phase is then where it was before.
        """
        halo = self.front.halo
        begin = nodal_array(begin_K, halo, "begin_K")
        guess = nodal_array(begin_K if guess_K is None else guess_K, halo, "guess_K")
        if begin is None or guess is None or not dt_s > 0.0:
            raise FemError(f"a coupled step needs begin_K and a positive dt_s, got {dt_s!r}")
        saved, before = self.phase.save(), self.phase.value
        try:
            return self._iterate(dt_s, begin, guess, heat, saved, before)
        except Exception:
            self.phase.restore(saved)
            raise

    def _iterate(
        self, dt_s: float, begin: Array, guess: Array, heat: HeatStep, saved: Any, before: Array
    ) -> LatentStep:
        halo: Halo = self.front.halo
        faster = _Anderson(halo)
        for iteration in range(1, self.max_iterations + 1):
            if iteration > 1:
                self.phase.restore(saved)
            front = self.phase.advance(dt_s, begin, guess)
            source = self._heat_J * (self.phase.value - before) / dt_s
            slope = self._slope(guess)
            new = heat(source, slope, guess)
            change = halo.maximum(float(np.abs(new - guess).max(initial=0.0)))
            if not np.isfinite(change):
                break
            if change <= self.tolerance_K:
                given = slope * (new - guess)
                return LatentStep(new, halo.sum(source), halo.sum(given), iteration, front)
            guess = faster.next(guess, new)
        raise FemError(f"phase and temperature did not agree in {self.max_iterations} iterations: the temperature "
                       f"still changes by {change:.3g} K; take a shorter step than {dt_s:.3g} s")  # fmt: skip

    def _slope(self, temperature_K: Array) -> Array:
        """dW/dT at each node: of a change of T at the end of the step, half acts on average."""
        high, low = (self.front.growth(temperature_K + sign * _KELVIN) for sign in (1.0, -1.0))
        return np.minimum(0.5 * self._heat_J * (high - low) / (2.0 * _KELVIN), 0.0)


class _Anderson:
    """Anderson's acceleration of a fixed-point iteration (H. Walker, P. Ni, SIAM J. Numer. Anal. 49, 1715 (2011))."""

    def __init__(self, halo: Halo) -> None:
        self._halo = halo
        self._guesses: list[Array] = []
        self._residuals: list[Array] = []

    def next(self, guess: Array, new: Array) -> Array:
        """The next guess, from what the iteration made of the last one."""
        residual = new - guess
        self._guesses, self._residuals = [*self._guesses, guess][-_MEMORY:], [*self._residuals, residual][-_MEMORY:]
        count = len(self._guesses) - 1
        if not count:
            return new
        moved = [b - a for a, b in pairwise(self._guesses)]
        turned = [b - a for a, b in pairwise(self._residuals)]
        gram = np.array([[self._halo.sum(a * b) for a in turned] for b in turned])
        right = np.array([self._halo.sum(a * residual) for a in turned])
        weights = np.linalg.lstsq(gram, right, rcond=_RANK)[0]
        for weight, step, turn in zip(weights, moved, turned, strict=True):
            new = new - weight * (step + turn)
        return new


def heat_step(problem: Heat, dt_s: float, source_W: ArrayLike | None = None) -> HeatStep:
    """The HeatStep of a Heat with a further source: backward Euler from its ``temperature_K``, left as it is."""
    further = 0.0 if source_W is None else np.asarray(source_W, dtype=np.float64)

    def step(source_W: Array, slope_W_per_K: Array, about_K: Array) -> Array:
        start = problem.temperature_K
        try:
            return problem.step(dt_s, source_W + further, slope_W_per_K, about_K)
        finally:
            problem.temperature_K = start

    return step
