"""Flow of one species along the edges of fem.Transport, and its derivatives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem.constants import K_EV_PER_K
from fem.ionphases import Phase
from fem.scharfetter import hopping, scharfetter_gummel
from fem.transportlayout import Population
from fem.transporttemperature import Temperature

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
#: (rows, columns, values) of entries of the matrix
Enter = Callable[[Nodes, Nodes, Array], None]


@dataclass(frozen=True)
class Filling:
    """A phase as it is filled: fractions ``x`` and ``free`` (dofs,), ln gamma and its slope where T is uniform."""

    phase: Phase
    x: Array
    free: Array
    log: Array | None
    slope: Array | None


def filling(phase: Phase, x: Array, free: Array, temperature: Temperature) -> Filling:
    """``Filling`` at fractions (dofs,)."""
    if not temperature.uniform:
        return Filling(phase, x, free, None, None)
    return Filling(phase, x, free, *phase.activity(x, free, temperature.mean_kT_eV))


class EdgeFlux:
    """Scharfetter-Gummel flow of a population, faster in the field where it hops; ``mates`` share its phase.

    kT of an edge is the mean of its ends, for the excess of both ends as well: a gradient of temperature by itself
    moves nothing.
    """

    def __init__(self, one: Population, sites: float, mates: Sequence[Population], potential: Nodes) -> None:
        self.one, self._sites = one, sites
        self._mates = [(mate.unknown[one.tail], mate.unknown[one.head], float(mate is one)) for mate in mates]
        self.rows, self.heads = one.unknown[one.tail], one.unknown[one.head]
        self._potential = potential[one.tail], potential[one.head]
        self._flat = one.metal >= 0 or one.charge == 0
        self._varies = any(callable(law) for _, law in one.parts)

    def set_temperature(self, temperature: Temperature) -> None:
        """What depends on temperature alone."""
        one = self.one
        kelvin = temperature.between(one.tail, one.head)
        self._kT: Any = K_EV_PER_K * kelvin
        self._per_volt: Any = one.charge / self._kT
        self._size: Any = one.weight * self._sites * temperature.arrhenius(one.activation_eV, kelvin)
        for part, law in one.parts:
            if not callable(law):
                self._size[part] *= law
        self._hop: Any = 0.5 * self._per_volt * one.hop_nm * 1e-9 / one.length

    def _diffusivity(self, x: Array) -> tuple[Any, Any, Any]:
        """D (edges,) over the constant one and its derivatives by the filling of tail and head."""
        if not self._varies:
            return 1.0, 0.0, 0.0
        tail, head = self.one.tail, self.one.head
        value, by_tail, by_head = np.ones(tail.size), np.zeros(tail.size), np.zeros(tail.size)
        for part, law in self.one.parts:
            if callable(law) and tail[part].size:
                (a, da), (b, db) = law(x[tail[part]]), law(x[head[part]])
                value[part] = 0.5 * (a + b)
                by_tail[part], by_head[part] = 0.5 * da, 0.5 * db
        return value, by_tail, by_head

    def _activity(self, filled: Filling) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """ln gamma (edges,) and its slope, of tail and head."""
        tail, head = self.one.tail, self.one.head
        if filled.log is None or filled.slope is None:
            at_tail = filled.phase.activity(filled.x[tail], filled.free[tail], self._kT)
            return at_tail, filled.phase.activity(filled.x[head], filled.free[head], self._kT)
        return (filled.log[tail], filled.slope[tail]), (filled.log[head], filled.slope[head])

    def power_eV(self, u: Array, filled: Filling) -> Array:
        """Flow times fall of the electrochemical potential (edges,), in eV/s."""
        (log_tail, _), (log_head, _) = self._activity(filled)
        fall = np.log(u[self.rows] / u[self.heads]) + log_tail - log_head
        if not self._flat:
            fall += self._per_volt * (u[self._potential[0]] - u[self._potential[1]])
        return np.asarray(self._kT * fall * self.flow(u, filled, None))

    def flow(self, u: Array, filled: Filling, enter: Enter | None) -> Array:
        """Ions per s (edges,) from tail to head; its derivatives go to ``enter``."""
        one = self.one
        (log_tail, slope_tail), (log_head, slope_head) = self._activity(filled)
        diffusivity, by_tail, by_head = self._diffusivity(filled.x)
        exponent = log_head - log_tail
        faster: Any = 1.0
        steeper: Any = 0.0
        if not self._flat:
            rise = u[self._potential[1]] - u[self._potential[0]]
            exponent += self._per_volt * rise
            if one.hop_nm:
                faster, steeper = hopping(self._hop * rise)
                steeper = steeper * self._hop
        flux = scharfetter_gummel(self._size * diffusivity * faster, u[self.rows], u[self.heads], exponent)
        if enter is None:
            return flux.flow
        at_tail, at_head = -flux.by_exponent * slope_tail, flux.by_exponent * slope_head
        if self._varies:
            per_D = flux.flow / diffusivity
            at_tail, at_head = at_tail + per_D * by_tail, at_head + per_D * by_head
        columns = []
        if not self._flat:
            by_rise = self._per_volt * flux.by_exponent + flux.flow / faster * steeper
            columns = [(self._potential[0], -by_rise), (self._potential[1], by_rise)]
        for unknown_tail, unknown_head, own in self._mates:
            columns += [(unknown_tail, at_tail + own * flux.by_tail), (unknown_head, at_head + own * flux.by_head)]
        for column, value in columns:
            enter(self.rows, column, value)
            enter(self.heads, column, -value)
        return flux.flow
