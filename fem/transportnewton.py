"""Newton's method for one step of fem.Transport: limits of its steps, and reuse of its matrix."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem.errors import FemError
from fem.scarcesites import KEPT, SCARCE, logarithmic_step
from fem.shared import Shared
from fem.transportsystem import Balance, Conditions, Rates, System

Array = NDArray[np.float64]
_NEGLIGIBLE = 1e-10  # of the largest fraction of a species: what is below need not be resolved by Newton's method
_TRUSTED = 0.3  # the matrix is kept while what moved since is less (as ``size`` measures it) ...
_CONTRACTION = 0.25  # ... and each step is at most this of the last; a new matrix costs as much as four or five steps
_EXACT = 1e-14  # what may be left over where it costs no new matrix: conservation is as good as this
_MUCH = 0.05  # relative change of a step that makes the next one start with a new matrix


@dataclass(frozen=True)
class Found:
    """The solution of a step: unknowns, free fractions, what moved, the flows, and the work."""

    u: Array
    free: dict[str, Array]
    moved: Array
    balance: Balance
    iterations: int
    matrices: int


class Newton:
    """Solves the equations of ``system`` to ``rtol`` in ``max_iterations``.

    The matrix is kept, with its factorisation, while the steps contract well: near the solution several cheap steps do
    what one with a new matrix would, at a third of its cost each (measured with 2,400 unknowns). What Newton's method
    starts from is the state before the step: an extrapolation from the last steps took half as many iterations more.
    """

    def __init__(self, system: System, rtol: float, max_iterations: int) -> None:
        self.system, self.rtol, self.max_iterations = system, rtol, max_iterations

    def solve(
        self, start: Array, free: dict[str, Array], rates: Rates, conditions: Conditions, owed: Array
    ) -> Found:
        """Solve from the unknowns ``start``. Raises FemError if that does not converge.

        What moves is added up by itself: as a difference of unknowns it would lose the digits of a short step.
        """
        system = self.system
        u, moved = start.copy(), np.zeros_like(start)
        iterations, matrices = 0, 0
        size, since, fresh = math.inf, 0.0, True
        while True:
            balance = system.evaluate(u, free, moved, rates, conditions, owed, jacobian=fresh)
            if not balance.finite:
                raise FemError("Newton's method did not converge: a residual is not finite")
            largest = self._largest(u)
            if fresh:
                change = system.direction(balance.residual)
                taken: list[Array] = []
                scale = self._scale(u, largest)
            else:
                change = _broyden(system.correction(balance.residual), taken, scale, system.shared)
            iterations += 1
            matrices += fresh
            last = size
            size, free, limited = self._taken(change, u, free, largest)
            since = size if fresh else since + size
            moved += change
            u = start + moved
            taken.append(change)
            contraction = size / last if math.isfinite(last) else size
            if size <= self.rtol:
                stuck = contraction > 0.5  # on rounding, unless it is the matrix that is too old
                if size * contraction <= _EXACT or (stuck and (fresh or size < 1e-3 * self.rtol)):
                    break
                fresh = stuck
                continue
            if iterations >= self.max_iterations:
                raise FemError(f"Newton's method did not converge: its last step was {size:.3g} after {iterations} "
                               "iterations")  # fmt: skip
            fresh = limited or since > _TRUSTED or contraction > _CONTRACTION
        free = self._synchronised(u, free)
        balance = system.evaluate(u, free, moved, rates, conditions, owed, jacobian=False)
        return Found(u, free, moved, balance, iterations, matrices)

    def _taken(
        self, change: Array, u: Array, free: dict[str, Array], largest: Array
    ) -> tuple[float, dict[str, Array], bool]:
        """``size`` of a step, and its ``_limit``; all ranks agree on them. Raises FemError if it is not finite."""
        good = bool(np.all(np.isfinite(change)))
        own = self._size(change, u, free, largest) if good else 0.0
        found, limited = self._limit(change, u, free) if good else (free, False)
        size, wild, much = self.system.layout.halo.maxima([own, not good, limited])
        if wild:
            raise FemError("Newton's method did not converge: its step is not finite")
        return float(size), found, bool(much)

    def _scale(self, u: Array, largest: Array) -> Array:
        """What a change of each unknown is measured by (size,), squared, as in ``size``."""
        layout = self.system.layout
        scale = np.empty_like(u)
        scale[: layout.potentials] = self.system.temperature.mean_kT_eV + np.abs(u[: layout.potentials])
        for one, most in zip(layout.populations, largest, strict=True):
            scale[one.unknown[one.nodes]] = u[one.unknown[one.nodes]] + _NEGLIGIBLE * most
        return np.asarray(scale**-2)

    def _largest(self, u: Array) -> Array:
        """Largest fraction (species,) of each species."""
        layout = self.system.layout
        return layout.halo.maxima([u[one.unknown[one.nodes]].max(initial=0.0) for one in layout.populations])

    def _synchronised(self, u: Array, free: Mapping[str, Array]) -> dict[str, Array]:
        """Free fractions (dofs,): one minus the filled ones where that has enough digits."""
        filled = self.system.fractions(u)
        return {name: np.where(filled[name] < 1.0 - SCARCE, 1.0 - filled[name], old) for name, old in free.items()}

    def size(self, change: Array, u: Array, free: Mapping[str, Array]) -> float:
        """Largest change of a potential, in kT/e, and of a density or of what is free, relative; of all ranks."""
        return self.system.layout.halo.maximum(self._size(change, u, free, self._largest(u)))

    def _size(self, change: Array, u: Array, free: Mapping[str, Array], largest: Array) -> float:
        """``size`` of this rank's unknowns, with the largest fraction (species,) of each species."""
        layout = self.system.layout
        count = layout.potentials
        reach = self.system.temperature.mean_kT_eV + np.abs(u[:count])
        size = float((np.abs(change[:count]) / reach).max(initial=0.0))
        for one, most in zip(layout.populations, largest, strict=True):
            at = one.unknown[one.nodes]
            size = max(size, float((np.abs(change[at]) / (u[at] + _NEGLIGIBLE * most)).max(initial=0.0)))
        for name, growth in self.system.fractions(change).items():
            if layout.phases[name].excess is not None:
                size = max(size, float((np.abs(growth) / free[name]).max(initial=0.0)))
        return size

    def _limit(self, change: Array, u: Array, free: Mapping[str, Array]) -> tuple[dict[str, Array], bool]:
        """Change ``change`` so that every fraction stays positive; free fractions (dofs,) after it, and was it much.

        Where little is free, Newton's step is taken as one of the logarithm of that.
        """
        growth, result, limited = self.system.fractions(change), {}, False
        for name, phase in self.system.layout.phases.items():
            ones = [one for one in self.system.layout.populations if one.phase == name]
            taken = growth[name].copy()
            left = free[name] - taken
            roomy = phase.excess is None or bool(
                np.all((free[name] >= SCARCE) & (taken <= (1.0 - KEPT) * free[name]))
            )
            ats = [one.unknown[one.nodes] for one in ones]
            if roomy and all(np.all(change[at] >= (KEPT - 1.0) * u[at]) for at in ats):
                result[name] = left
                continue
            if phase.excess is not None:
                before = free[name]
                over = taken > (1.0 - KEPT) * before
                taken[over], left[over] = (1.0 - KEPT) * before[over], KEPT * before[over]
                scarce = before < SCARCE
                power = logarithmic_step(before[scarce], growth[name][scarce])
                taken[scarce], left[scarce] = -before[scarce] * np.expm1(power), before[scarce] * np.exp(power)
            share = np.divide(taken, growth[name], out=np.ones_like(taken), where=growth[name] != 0.0)
            cut = np.ones_like(share)
            for one, at in zip(ones, ats, strict=True):
                fall, most = -change[at] * share[one.nodes], (1.0 - KEPT) * u[at]
                part = np.divide(most, fall, out=np.ones_like(fall), where=fall > most)
                cut[one.nodes] = np.minimum(cut[one.nodes], part)
            for one, at in zip(ones, ats, strict=True):
                change[at] *= (share * cut)[one.nodes]
            result[name] = np.where(cut < 1.0, free[name] - cut * (free[name] - left), left)
            limited = limited or bool(np.any(cut < 1.0) or np.any(np.abs(share - 1.0) > _MUCH))
        return result, limited


def _broyden(step: Array, taken: Sequence[Array], scale: Array, shared: Shared) -> Array:
    """The step (size,) of an old matrix, improved by what the steps ``taken`` with it have shown (Broyden's method).

    C. T. Kelley, Solving Nonlinear Equations with Newton's Method, SIAM (2003), chapter 4.
    """
    for before, after in itertools.pairwise(taken):
        along, itself = shared.dots(before, scale * step, scale * before)
        step = step + after * (along / itself)
    last = taken[-1]
    along, itself = shared.dots(last, scale * step, scale * last)
    share = along / itself
    return step / (1.0 - share) if share < 0.5 else step
