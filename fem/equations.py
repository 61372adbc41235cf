"""The discrete problem that a solver is given: residual, flows, exchange at interfaces, unknowns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem.contacts import Exchange
from fem.numbering import Nodes, Numbering
from fem.weakform import WeakForm

Array = NDArray[np.float64]
_DOMINANCE = 50.0
_SURE = 0.02  # of the bound on rounding: below the rounding of a single term of each sum


@dataclass
class Flows:
    """Residuals and flows of a state; currents in A, powers in W. Arrays (local dofs, 2) are not summed over ranks.

    ``raw``: residual with all exchange and sources, before values are fixed. ``current_A``: enters at the driven
    surface; what is left of the residual at free nodes is shared out by their potential, which makes the current
    stationary with respect to errors of the potential, and I V the Joule heat. ``error_A``, ``error_W``: sums of the
    free residuals' magnitudes; ``scale_A``, ``scale_W``: of the flows that they are small against: the current, and the
    largest of the heat flows (at most 50 times the electrical power).
    """

    raw: Array
    current_A: float
    error_A: float
    error_W: float
    scale_A: float
    scale_W: float


def settled(error: float, last: float, limit: float, rounding: float) -> bool:
    """True when an error is below its limit, or rounding: far below its bound, or no longer falling from ``last``."""
    return error <= max(limit, _SURE * rounding) or (error <= rounding and error > 0.3 * last)


@dataclass
class Sources:
    """Nodal sources (local dofs,): current in A and heat in W, or None."""

    current_A: Array | None = None
    heat_W: Array | None = None


@dataclass
class Equations:
    """The discrete problem: weak form, exchange at interfaces, and what every node's value is (see fem.numbering)."""

    form: WeakForm
    electrical: Exchange
    thermal: Exchange
    potential_root: Nodes
    temperature_root: Nodes
    driven: tuple[int, ...]
    cell_V: float = 0.0
    sources: Sources = field(default_factory=Sources)

    def __post_init__(self) -> None:
        halo = self.form.halo
        codes = [-1 - k for k in self.driven]
        self._numbering = Numbering(halo, [self.potential_root, self.temperature_root], codes)
        self.is_driven = np.isin(self.potential_root, codes)
        self._fixed = self.temperature_root < 0
        self._ends = {
            name: (_owned(exchange.first, halo), _owned(exchange.second, halo))
            for name, exchange in (("electrical", self.electrical), ("thermal", self.thermal))
        }

    @property
    def numbering(self) -> Numbering:
        """Potential and temperature interleaved, terminal last."""
        return self._numbering

    def raw(self) -> Array:
        """Unconstrained residual (local dofs, 2), not summed over ranks; collective."""
        form = self.form
        halo = form.halo
        raw = form.residual()
        jump = self.jump(self.electrical, 0)
        flow = self.electrical.conductance * jump
        _deposit(raw[:, 0], self._ends["electrical"], flow, -flow)
        _deposit(raw[:, 1], self._ends["electrical"], -0.5 * flow * jump, -0.5 * flow * jump)
        flow = self.thermal.conductance * self.jump(self.thermal, 1)
        _deposit(raw[:, 1], self._ends["thermal"], flow, -flow)
        for column, source in ((0, self.sources.current_A), (1, self.sources.heat_W)):
            if source is not None:
                raw[: halo.owned, column] -= source[: halo.owned]
        return raw

    def jump(self, exchange: Exchange, column: int) -> Array:
        """Difference (pairs,) of a field across the conductors, on every rank; collective."""
        if not exchange.first.size:
            return np.empty(0)
        values = np.ascontiguousarray(self.form.values[:, column])
        both = self.form.halo.gather(values, np.concatenate([exchange.first, exchange.second]))
        return both[: exchange.first.size] - both[exchange.first.size :]

    def flows(self, raw: Array, collected: Any) -> Flows:
        """Sums of the residual and of the flows; ``collected`` gets the residual by unknown. Collective."""
        form, numbering = self.form, self._numbering
        halo = form.halo
        numbering.collect(raw, collected)
        free = collected.array[: 2 * halo.owned].reshape(-1, 2)
        given = (self.sources.current_A, self.sources.heat_W)
        sums = np.array([
            raw[self.is_driven, 0].sum(), np.abs(free[:, 0]).sum(), np.abs(free[:, 1]).sum(),
            np.abs(raw[self._fixed, 1]).sum(), np.abs(form.stored_W()[: halo.owned]).sum(),
            *(0.0 if s is None else np.abs(s[: halo.owned]).sum() for s in given),
            (free[:, 0] * form.values[: halo.owned, 0]).sum(),
        ])  # fmt: skip
        if halo.comm.size > 1:
            sums = np.asarray(halo.comm.allreduce(sums))
        current, error_A, error_W, out, stored, source_A, source_W, left_W = (float(value) for value in sums)
        if self.cell_V:
            current += left_W / self.cell_V
        scale_A = max(abs(current), source_A)
        electrical = abs(self.cell_V * current)
        scale_W = max(electrical, out, stored, source_W)
        if electrical > 0.0:  # a device that cools under a small voltage still balances its electrical power
            scale_W = min(scale_W, _DOMINANCE * electrical)
        return Flows(raw, current, error_A, error_W, scale_A, scale_W)


def _owned(dofs: Nodes, halo: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the global dofs this rank owns, and their local numbers."""
    local = dofs - halo.start
    mine = np.flatnonzero((local >= 0) & (local < halo.owned))
    return mine, local[mine]


def _deposit(target: Array, ends: tuple[tuple[Any, Any], tuple[Any, Any]], first: Array, second: Array) -> None:
    """Add amounts (pairs,) at the first and second ends that this rank owns."""
    for (mine, local), amount in zip(ends, (first, second), strict=True):
        np.add.at(target, local, amount[mine])
