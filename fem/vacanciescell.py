"""Potential, heat, circuit and oxygen vacancies together: one step of a resistive memory cell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem.errors import FemError
from fem.halo import Halo
from fem.timecontrol import Attempt
from fem.transient import Saved, Transient, TransientState
from fem.vacancies import SavedVacancies, VacancyState, VacancyTransport

Array = NDArray[np.float64]
_DEPTH = 6  # results that are mixed, chosen


@dataclass(frozen=True)
class VacancyCellState:
    """The result of a step: that of potential and heat, that of the vacancies, and the rounds between the two."""

    electrical: TransientState
    vacancies: VacancyState
    rounds: int


@dataclass(frozen=True)
class SavedVacancyCell:
    """All that a VacancyCell needs to go on from a moment."""

    electrical: Saved
    vacancies: SavedVacancies
    rate_per_m3s: Array


class VacancyCell:
    """A fem.Transient whose coefficients take the density of vacancies, and the fem.VacancyTransport that moves them.

    Both on the same mesh. In a step, potential, temperature and circuit are solved at the densities of its end, and
    vacancies in the potential and temperature of its end, in turn (by Anderson's mixing) until the densities change by
    less than ``rtol`` of themselves and ``floor_per_m3`` (what tells on the conductivity) together: nothing lags.
    The first round starts from densities extrapolated with the rate of the last step. ``state``: name of the nodal
    state of the Transient that is the density in 1/m^3, 0 where none live. Where regions of different energy meet it is
    that of the one with the highest (fem.VacancyTransport); ``sides`` names the states that are the density within one
    region, by their region, for the coefficients of that region.

    ``limits`` of fem.TimeControl may name "temperature_K", "potential_V" (largest change at a node in the oxide) and
    "density" (largest change, relative to density and floor together).
    """

    def __init__(
        self,
        electrical: Transient,
        vacancies: VacancyTransport,
        floor_per_m3: float,
        state: str = "vacancies_per_m3",
        rtol: float = 1e-3,
        max_rounds: int = 12,
        sides: Mapping[str, str] | None = None,
    ) -> None:
        if electrical.cell is not vacancies.cell:
            raise FemError("the equations of potential and of vacancies must be on the same mesh")
        if not (math.isfinite(floor_per_m3) and floor_per_m3 > 0.0) or not 0.0 < rtol < 1.0 or max_rounds < 1:
            raise FemError(f"floor_per_m3 must be positive, rtol between 0 and 1 and max_rounds >= 1, got "
                           f"{floor_per_m3!r}, {rtol!r} and {max_rounds!r}")  # fmt: skip
        self.electrical, self.vacancies = electrical, vacancies
        self.floor_per_m3, self.state, self.rtol, self.max_rounds = floor_per_m3, state, rtol, max_rounds
        self.sides = dict(sides or {})
        self._rate = np.zeros(vacancies.halo.local)
        within = {name: np.flatnonzero(~np.isnan(vacancies.density_in(part))) for name, part in self.sides.items()}
        self._nodes = {state: vacancies.nodes} | within
        self._own = np.concatenate([at < vacancies.halo.owned for at in self._nodes.values()])
        self._set(self._densities())

    def restart(self) -> None:
        """Make the next step backward Euler: after a corner of the drive."""
        self.electrical.restart()
        self.vacancies.restart()
        self._rate[:] = 0.0

    def take_densities(self) -> None:
        """Vacancies were set from outside: conduct by them, and make the next step backward Euler."""
        self._set(self._densities())
        self.restart()

    def save(self) -> SavedVacancyCell:
        """Everything that changes from step to step, as it is now."""
        return SavedVacancyCell(self.electrical.save(), self.vacancies.save(), self._rate.copy())

    def restore(self, saved: SavedVacancyCell) -> None:
        """Go back to what ``save`` returned."""
        self.electrical.restore(saved.electrical)
        self.vacancies.restore(saved.vacancies)
        self._rate = saved.rate_per_m3s.copy()

    def attempt(
        self, dt_s: float, applied_V: float, series_ohm: float = 0.0, compliance_A: float | None = None
    ) -> Attempt:
        """One step of ``dt_s`` seconds for fem.TimeControl, at the applied voltage of its end.

        ``result``: VacancyCellState. A step that fails leaves everything as it was.
        """
        saved = self.save()
        try:
            state, changes = self._step(dt_s, applied_V, series_ohm, compliance_A, saved)
        except FemError as error:
            self.restore(saved)
            return Attempt(False, reason=str(error))
        return Attempt(True, 0, changes, lambda: self.restore(saved), result=state)

    def _step(
        self, dt_s: float, applied_V: float, series_ohm: float, compliance_A: float | None, saved: SavedVacancyCell
    ) -> tuple[VacancyCellState, dict[str, float]]:
        begin, begin_K = self.vacancies.density_per_m3, self.electrical.temperature_K
        begin_V = self.electrical.potential_V
        expected = np.clip(begin + dt_s * self._rate, 0.5 * begin, 2.0 * begin)
        growth = np.divide(expected, begin, out=np.ones_like(begin), where=begin > 0.0)
        guess = self._logarithm({name: old * growth for name, old in self._densities().items()})
        mixing = _Anderson(guess, self._own, self.vacancies.halo)
        for _ in range(self.max_rounds):
            self._set(self._of_logarithm(mixing.guess))
            electrical = self.electrical.step(dt_s, applied_V, series_ohm, compliance_A)
            kelvin, volt = self.electrical.temperature_K, self.electrical.potential_V
            moved = self.vacancies.step(dt_s, volt, kelvin)
            found = self._densities()
            off = mixing.add(self._logarithm(found))
            if off <= self.rtol:
                break
            self.electrical.restore(saved.electrical)
            self.vacancies.restore(saved.vacancies)
        else:
            raise FemError(f"vacancies and potential do not agree after {self.max_rounds} rounds: a density is off by "
                           f"{off:.3g} of itself")  # fmt: skip
        self._set(found)
        density = found[self.state]
        self._rate = (density - begin) / dt_s
        inside = self.vacancies.nodes
        changes = {
            "temperature_K": self._largest(kelvin - begin_K),
            "potential_V": self._largest((volt - begin_V)[inside]),
            "density": self._largest((density - begin) / (density + self.floor_per_m3)),
        }
        return VacancyCellState(electrical, moved, mixing.rounds), changes

    def _densities(self) -> dict[str, Array]:
        """Densities (local dofs,) by state, 0 where none live."""
        sides = {name: np.nan_to_num(self.vacancies.density_in(part)) for name, part in self.sides.items()}
        return {self.state: self.vacancies.density_per_m3} | sides

    def _set(self, densities: Mapping[str, Array]) -> None:
        for name, density in densities.items():
            self.electrical.set_state(name, density)

    def _logarithm(self, densities: Mapping[str, Array]) -> Array:
        """ln(1 + n / floor) of all states: its changes are relative where there are many vacancies, else little."""
        return np.concatenate([np.log1p(densities[name][at] / self.floor_per_m3) for name, at in self._nodes.items()])

    def _of_logarithm(self, logarithm: Array) -> dict[str, Array]:
        result, begin = {}, 0
        for name, at in self._nodes.items():
            result[name] = np.zeros(self.vacancies.halo.local)
            result[name][at] = self.floor_per_m3 * np.expm1(np.maximum(logarithm[begin : begin + at.size], 0.0))
            begin += at.size
        return result

    def _largest(self, values: Array) -> float:
        """Largest size of nodal values (n,) of all ranks."""
        return self.vacancies.halo.maximum(float(np.abs(values).max(initial=0.0)))


class _Anderson:
    """Fixed point of x -> g(x) by Anderson's mixing of the last results (D. G. Anderson, J. ACM 12, 547 (1965)).

    ``guess`` (n,) is where to evaluate next, ``rounds`` the number of results, ``own`` (n,) which entries belong to
    this rank. Where things settle faster than a step lasts, the plain iteration does not converge: each round
    overshoots.
    """

    def __init__(self, guess: Array, own: NDArray[np.bool_], halo: Halo) -> None:
        self.guess, self.rounds, self._own, self._halo = guess, 0, own, halo
        self._results: list[Array] = []
        self._errors: list[Array] = []

    def add(self, result: Array) -> float:
        """Take g(guess); the largest difference from the guess."""
        self.rounds += 1
        error = result - self.guess
        self._results = [*self._results, result][-_DEPTH:]
        self._errors = [*self._errors, error][-_DEPTH:]
        if len(self._errors) == 1:
            self.guess = result
        else:
            steps = np.diff(np.stack(self._errors, axis=1), axis=1)
            share, *_ = np.linalg.lstsq(*self._condensed(steps, error), rcond=1e-8)
            self.guess = result - np.diff(np.stack(self._results, axis=1), axis=1) @ share
        return self._halo.maximum(float(np.abs(error).max(initial=0.0)))

    def _condensed(self, steps: Array, error: Array) -> tuple[Array, Array]:
        """Matrix and right-hand side of a least-squares problem with the same solution, the same on all ranks.

        Those of all ranks one below the other, each replaced by the triangle of its QR factors.
        """
        comm = self._halo.comm
        if comm.size == 1:
            return steps, error
        both = np.column_stack([steps, error])[self._own]
        whole = np.concatenate(comm.allgather(np.linalg.qr(both, mode="r")))
        return whole[:, :-1], whole[:, -1]
