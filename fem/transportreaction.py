"""Rate of one reaction of fem.Transport at the nodes of its interface, and its derivatives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem.constants import E_C, K_EV_PER_K
from fem.transportflux import Enter, Filling
from fem.transportlayout import Population, Reactor
from fem.transporttemperature import Temperature

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class _Side:
    """The ions on one side: their nodes, unknowns, potentials, and the unknowns of all that share their phase."""

    one: Population
    nodes: Nodes
    unknown: Nodes
    potential: Nodes
    mates: list[Nodes]


class Reaction:
    """A reaction moves ions at area j0 f(A) / (e |z|) per s from its first side to the second, or into the electrode.

    ``wire``: unknown of the potential of the electrode's terminal. ``conducts``: whether a population lives in a
    conductor, whose electrons follow the ions.
    """

    def __init__(
        self, reactor: Reactor, populations: Sequence[Population], mates: Sequence[Sequence[int]], potential: Nodes,
        wire: int, conducts: Callable[[Population], bool],
    ) -> None:  # fmt: skip
        self.reactor = reactor
        numbers = [(reactor.ion, reactor.first)]
        if reactor.into is not None:
            numbers.append((reactor.into, reactor.second))
        self._sides = [
            _Side(populations[k], nodes, populations[k].unknown[nodes], potential[nodes],
                  [populations[mate].unknown[nodes] for mate in mates[k]])
            for k, nodes in numbers
        ]  # fmt: skip
        self.first = self._sides[0].unknown
        self.second = self._sides[1].unknown if reactor.into is not None else None
        self.charge = self._sides[0].one.charge
        self._wire = np.full(reactor.first.size, wire)
        self._followed = [
            (sign, side.potential) for sign, side in zip((1.0, -1.0), self._sides, strict=False) if conducts(side.one)
        ]
        self._other = self._wire if self.second is None else self._sides[1].potential

    def set_temperature(self, temperature: Temperature) -> None:
        """What depends on temperature alone: that of an interface is the mean of its sides."""
        reactor = self.reactor
        kelvin = temperature.between(reactor.first, reactor.second)
        self._kT: Any = K_EV_PER_K * kelvin
        self._scale = reactor.area / (E_C * abs(self.charge))
        self._scale = self._scale * temperature.arrhenius(reactor.law.activation_eV, kelvin)

    def affinity(self, u: Array, filled: Mapping[str, Filling]) -> tuple[Array, list[Array], list[Array]]:
        """Affinity (n,) over kT; fractions of the ions on each side, and the slopes of their ln gamma."""
        kT, z = self._kT, self.charge
        affinity = z / kT * (u[self._sides[0].potential] - u[self._other])
        if self.second is None:
            affinity = affinity - self.reactor.law.reservoir_eV / kT
        fractions, slopes = [], []
        for sign, side in zip((1.0, -1.0), self._sides, strict=False):
            part = filled[side.one.phase]
            log, slope = part.phase.activity(part.x[side.nodes], part.free[side.nodes], kT)
            x = u[side.unknown]
            affinity = affinity + sign * (side.one.standard_eV / kT + np.log(x) + log)
            fractions.append(x)
            slopes.append(slope)
        return affinity, fractions, slopes

    def affinity_eV(self, u: Array, filled: Mapping[str, Filling]) -> Array:
        """Affinity (n,) in eV."""
        if not self.first.size:
            return np.empty(0)
        return np.asarray(self._kT * self.affinity(u, filled)[0])

    def rate(self, u: Array, filled: Mapping[str, Filling], enter: Enter | None) -> Array:
        """Ions per s (n,) that leave the first side; the derivatives go to ``enter``."""
        kT, law, z = self._kT, self.reactor.law, self.charge
        if not self.first.size:  # all of the interface is on other ranks
            return np.empty(0)
        affinity, fractions, slopes = self.affinity(u, filled)
        j0, *by_x = law.exchange(*fractions)
        drive, steepness = law.drive(affinity, kT)
        rate = self._scale * j0 * drive
        if enter is None:
            return rate
        steep = self._scale * j0 * steepness
        columns: list[tuple[Nodes, Array]] = [
            (self._sides[0].potential, z / kT * steep), (self._other, -z / kT * steep)
        ]  # fmt: skip
        for sign, side, x, slope, own in zip((1.0, -1.0), self._sides, fractions, slopes, by_x, strict=False):
            columns.append((side.unknown, sign * steep / x + self._scale * own * drive))
            columns += [(mate, sign * steep * slope) for mate in side.mates]
        for column, value in columns:
            enter(self.first, column, value)
            if self.second is None:
                enter(self._wire, column, -E_C * z * value)
            else:
                enter(self.second, column, -value)
            for sign, row in self._followed:
                enter(row, column, sign * E_C * z * value)
        return rate
