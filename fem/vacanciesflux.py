"""Residual and exact Jacobian of fem.VacancyTransport, and Newton's method for one step."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem.constants import K_EV_PER_K
from fem.errors import FemError
from fem.halo import Halo
from fem.scarcesites import KEPT, SCARCE, logarithmic_step
from fem.scharfetter import hopping, scharfetter_gummel
from fem.shared import Factors, share_nodes
from fem.vacanciesparts import Parts, VacancyElectrode

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
_NEGLIGIBLE = 1e-12  # of the largest density: what is below need not be resolved by Newton's method


@dataclass(frozen=True)
class Species:
    """What is the same everywhere: charge in e, sites per m^3 (0: as many as wanted), jump distance in m (0: none),
    polarisation of the bond in e m."""

    charge: float
    sites_per_m3: float
    hop_m: float
    blocked: bool
    polarisation_m: float = 0.0


@dataclass(frozen=True)
class Rates:
    """The rate of what each node holds is leading * (amount - before) + history (nodes,), in 1/s."""

    leading: float
    before: Array
    history: Array


class System:
    """The equations at given potential and temperature; one unknown a node: the density in 1/m^3 of its first side.

    Where parts of different energy meet, a node has a density for each: they are in equilibrium, x / (1 - x) goes with
    exp(-energy / kT). The unknown is that of the part with the highest energy, which is the lowest density. Arrays
    (nodes,) are those of ``parts.nodes``, on several ranks owned ones and copies: flows along edges are added up across
    ranks, what belongs to a node is known to all ranks that hold it. ``free`` fractions (nodes,) go along with
    densities, since 1 - n / sites has no digits left where sites are full (1 without crowding).
    """

    def __init__(self, parts: Parts, species: Species, electrodes: Mapping[str, VacancyElectrode], halo: Halo) -> None:
        self.halo = halo
        self.parts, self.species, self.electrodes = parts, species, dict(electrodes)
        self.size = parts.nodes.size
        number = np.full(halo.local, -1, dtype=np.int64)
        number[parts.nodes] = np.arange(self.size)
        self.number = number
        self.shared = share_nodes(halo, parts.nodes)
        self.owned = slice(0, self.shared.owned)
        every = parts.all
        self.tail = np.concatenate([number[part.tail] for part in every])
        self.head = np.concatenate([number[part.head] for part in every])
        self.weight = np.concatenate([part.weight for part in every])
        self._length = np.concatenate([part.length for part in every])
        self._edges = _slices([part.tail.size for part in every])
        inside = [np.flatnonzero(part.volume) for part in every]
        self.holder = np.concatenate([number[nodes] for nodes in inside])
        self.volume = np.concatenate([part.volume[nodes] for part, nodes in zip(every, inside, strict=True)])
        self._barrier_eV = np.concatenate([np.full(part.tail.size, part.law.activation_eV) for part in every])
        self._holders = _slices([nodes.size for nodes in inside])
        top = np.full(self.size, -np.inf)
        for part, nodes in zip(every, inside, strict=True):
            np.maximum.at(top, number[nodes], part.law.energy_eV)
        self.energy_eV = top
        self._of_regions = slice(0, sum(part.tail.size for part in parts.regions))
        self.faces = {name: (number[nodes], area) for name, (nodes, area) in parts.faces.items()}
        self.held = np.zeros(self.size, dtype=bool)
        self.held_value = np.zeros(self.size)
        for name, one in self.electrodes.items():
            if one.density_per_m3 is not None:
                nodes = self.faces[name][0]
                self.held[nodes], self.held_value[nodes] = True, one.density_per_m3
        self._make_pattern()

    # -- conditions -------------------------------------------------------------------------------------------

    def set_conditions(self, potential_V: Array, temperature_K: Array) -> None:
        """Potential and temperature (nodes,): all that does not depend on the density."""
        species, tail, head = self.species, self.tail, self.head
        kelvin = _between(temperature_K[tail], temperature_K[head])
        kT_eV = K_EV_PER_K * kelvin
        rise = potential_V[head] - potential_V[tail]
        colder = (1.0 / temperature_K[tail] - 1.0 / temperature_K[head]) / K_EV_PER_K
        self.rise = species.charge * rise / kT_eV
        self.conductance = self.weight.copy()
        for part, edges in zip(self.parts.all, self._edges, strict=True):
            self.conductance[edges] *= part.law.at(kelvin[edges], kT_eV[edges])
            if part.law.soret_eV:
                self.rise[edges] += part.law.soret_eV * colder[edges]
        if species.hop_m:
            self.conductance *= hopping(0.5 * species.charge * species.hop_m * rise / (kT_eV * self._length))[0]
        if species.polarisation_m:
            lowered_eV = np.minimum(species.polarisation_m * np.abs(rise) / self._length, self._barrier_eV)
            self.conductance *= np.exp(lowered_eV / kT_eV)
        node_kT = K_EV_PER_K * temperature_K
        self.more_tail, self.more_head = np.ones(tail.size), np.ones(tail.size)
        self.more = np.ones(self.holder.size)
        for part, edges, holders in zip(self.parts.all, self._edges, self._holders, strict=True):
            below = np.exp((self.energy_eV - part.law.energy_eV) / node_kT)
            self.more_tail[edges], self.more_head[edges] = below[tail[edges]], below[head[edges]]
            self.more[holders] = below[self.holder[holders]]
        self._surfaces(potential_V, node_kT)

    def _surfaces(self, potential_V: Array, kT_eV: Array) -> None:
        """Rates (1/s) of generation and (m^3/s) of removal at the nodes of each electrode."""
        self.coming: dict[str, Array] = {}
        self.going: dict[str, Array] = {}
        inner = self._of_regions
        flow = self.weight[inner] * (potential_V[self.tail[inner]] - potential_V[self.head[inner]])
        out = np.bincount(self.tail[inner], flow, self.size) - np.bincount(self.head[inner], flow, self.size)
        out = self.shared.accumulate(out)
        for name, one in self.electrodes.items():
            nodes, area = self.faces[name]
            work = 0.5 * self.species.charge * one.field_nm * 1e-9 * out[nodes] / area
            kT = kT_eV[nodes]
            come, go = -(one.generation_eV - work) / kT, -(one.removal_eV + work) / kT
            if one.most is not None:
                excess = np.maximum(np.maximum(come, go) - np.log(one.most), 0.0)
                come, go = come - excess, go - excess
            self.coming[name] = one.generation_per_m2s * area * np.exp(come)
            self.going[name] = one.removal_m_per_s * area * np.exp(go)

    # -- densities --------------------------------------------------------------------------------------------

    def free_of(self, n: Array) -> Array:
        """Free fractions (nodes,) of densities that leave some."""
        return 1.0 - n / self.species.sites_per_m3 if self.species.sites_per_m3 else np.ones_like(n)

    def sides(self, n: Array, free: Array, more: Array) -> tuple[Array, Array, Array, Array]:
        """Density where x / (1 - x) is ``more`` times as much, its derivative, -ln(free fraction), and that one's."""
        if not self.species.sites_per_m3:
            zero = np.zeros_like(n)
            return more * n, more, zero, zero
        below = free + more * (n / self.species.sites_per_m3)
        by_x = (1.0 / free + (more - 1.0) / below) / self.species.sites_per_m3
        return more * n / below, more / below**2, np.log(below / free), by_x

    def amounts(self, n: Array, free: Array) -> Array:
        """Vacancies (nodes,) at each node."""
        density = self.sides(n[self.holder], free[self.holder], self.more)[0]
        return np.bincount(self.holder, self.volume * density, self.size)

    def density_of(self, index: int, n: Array, free: Array) -> tuple[Nodes, Array]:
        """Nodes (k,) of a part, and its density there."""
        holders = self._holders[index]
        nodes = self.holder[holders]
        return nodes, self.sides(n[nodes], free[nodes], self.more[holders])[0]

    # -- equations --------------------------------------------------------------------------------------------

    def residual(self, n: Array, free: Array, rates: Rates | None, source: Array, jacobian: bool) -> Array:
        """What each node loses (nodes,) in 1/s beyond what it may; held nodes included. None: steady."""
        tail, head, blocked = self.tail, self.head, self.species.blocked
        density, slope, log, log_slope = self.sides(
            np.concatenate([n[tail], n[head]]), np.concatenate([free[tail], free[head]]),
            np.concatenate([self.more_tail, self.more_head]),
        )  # fmt: skip
        count = tail.size
        exponent = self.rise + log[count:] - log[:count]
        conductance, open_ = self.conductance, np.ones(count)
        if blocked:
            open_ = 0.5 * (np.exp(-log[:count]) + np.exp(-log[count:]))
            conductance = conductance * open_
        flux = scharfetter_gummel(conductance, density[:count], density[count:], exponent)
        row = np.bincount(tail, flux.flow, self.size) - np.bincount(head, flux.flow, self.size)
        row = self.shared.accumulate(row) - source
        by_n = np.zeros(self.size)
        if rates is not None:
            held, held_slope, _, _ = self.sides(n[self.holder], free[self.holder], self.more)
            amount = np.bincount(self.holder, self.volume * held, self.size)
            row += rates.leading * (amount - rates.before) + rates.history
            by_n += rates.leading * np.bincount(self.holder, self.volume * held_slope, self.size)
        for name, entered, slope_in in self.entering(n, free):
            nodes = self.faces[name][0]
            row -= np.bincount(nodes, entered, self.size)
            by_n -= np.bincount(nodes, slope_in, self.size)
        if jacobian:
            by_tail = flux.by_tail * slope[:count] - flux.by_exponent * log_slope[:count]
            by_head = flux.by_head * slope[count:] + flux.by_exponent * log_slope[count:]
            if blocked:
                per = -0.5 / self.species.sites_per_m3 * flux.flow / open_
                by_tail, by_head = by_tail + per * slope[:count], by_head + per * slope[count:]
            self._values = np.concatenate([by_tail, by_head, -by_tail, -by_head, by_n[self.owned]])
        return np.asarray(row)

    def entering(self, n: Array, free: Array) -> list[tuple[str, Array, Array]]:
        """Name, vacancies per s (k,) that enter at each node, and its derivative; electrodes that hold have none."""
        found = []
        sites = self.species.sites_per_m3
        for name, one in self.electrodes.items():
            if one.density_per_m3 is None:
                nodes = self.faces[name][0]
                slope = -1.0 / sites if sites else 0.0
                coming, going = self.coming[name], self.going[name]
                found.append((name, coming * free[nodes] - going * n[nodes], coming * slope - going))
        return found

    # -- Newton -----------------------------------------------------------------------------------------------

    def solve(
        self, start: Array, free: Array, rates: Rates | None, source: Array, rtol: float, most: int
    ) -> tuple[Array, Array, int, Array]:
        """Densities and free fractions (nodes,), iterations, and vacancies per s (nodes,) that enter at held nodes."""
        n = np.where(self.held, self.held_value, start)
        free = np.where(self.held, self.free_of(n), free)
        last = np.inf
        for iteration in range(1, most + 1):
            row = self.residual(n, free, rates, source, jacobian=True)
            change = self._direction(row)
            most_n = self.halo.maximum(float(n.max(initial=1e-300)))
            size = float((np.abs(change) / (n + _NEGLIGIBLE * most_n)).max(initial=0.0))
            if self.species.sites_per_m3:
                size = max(size, float((np.abs(change) / free).max(initial=0.0)) / self.species.sites_per_m3)
            size = self.halo.maximum(size if np.all(np.isfinite(change)) else np.inf)
            if not np.isfinite(size):
                raise FemError("Newton's method for the vacancies did not converge: its step is not finite")
            n, free = self._moved(n, free, change)
            if size <= rtol or (size <= 1e3 * rtol and size > 0.5 * last):
                row = self.residual(n, free, rates, source, jacobian=False)
                return n, free, iteration, np.where(self.held, row, 0.0)
            last = size
        raise FemError(f"Newton's method for the vacancies did not converge: its last step was {size:.3g} of a density "
                       f"after {most} iterations")  # fmt: skip

    def _moved(self, n: Array, free: Array, change: Array) -> tuple[Array, Array]:
        """Densities and free fractions after a step, which leaves some of each; of the logarithm where few are free."""
        change = np.maximum(change, (KEPT - 1.0) * n)
        sites = self.species.sites_per_m3
        if not sites:
            return n + change, free
        roomy = np.minimum(n + change, n + (1.0 - KEPT) * free * sites)
        left = free * np.exp(logarithmic_step(free, change / sites))
        scarce = free < SCARCE
        moved = np.where(scarce, sites * (1.0 - left), roomy)
        return moved, np.where(scarce, left, 1.0 - moved / sites)

    def rates_in(self, n: Array, free: Array, held: Array) -> tuple[dict[str, float], str]:
        """Vacancies per s that enter at each electrode, and the one with the largest flows to and fro.

        ``held`` (nodes,): what enters at nodes that hold a density; one of two such electrodes counts for the first.
        """
        total, count = self.halo.total, self.shared.owned
        found, largest = {}, {"": 0.0}
        for name, entered, _ in self.entering(n, free):
            nodes = self.faces[name][0]
            own = nodes < count
            found[name] = total(float(entered[own].sum()))
            largest[name] = total(float((self.going[name] * n[nodes])[own].sum()))
        taken = np.zeros(self.size, dtype=bool)
        for name, one in self.electrodes.items():
            if one.density_per_m3 is not None:
                own = np.zeros(self.size, dtype=bool)
                own[self.faces[name][0]] = True
                found[name] = total(float(held[self.owned][(own & ~taken)[self.owned]].sum()))
                largest[name] = np.inf
                taken |= own
        return found, max(largest, key=lambda name: largest[name])

    def _direction(self, row: Array) -> Array:
        data = np.where(self._dropped, 0.0, self._values)
        self._factors.set(np.concatenate([data, np.ones(self._ones)]))
        return self._factors.solve(np.where(self.held, 0.0, -row), "the vacancies")

    def _make_pattern(self) -> None:
        tail, head, every = self.tail, self.head, np.arange(self.shared.owned)
        row = np.concatenate([tail, tail, head, head, every])
        column = np.concatenate([tail, head, tail, head, every])
        self._dropped = self.held[row]
        held = np.flatnonzero(self.held[self.owned])
        self._ones = held.size
        self._factors = Factors(self.shared, [row, held], [column, held])


def _between(a: Array, b: Array) -> Array:
    """Logarithmic mean: the T for which the integral of dx / T along an edge with a linear T is its length over T."""
    ratio = (b - a) / a
    near = np.abs(ratio) < 1e-4
    safe = np.where(near, 1.0, ratio)
    return np.where(near, a * (1.0 + 0.5 * ratio - ratio * ratio / 12.0), a * safe / np.log1p(safe))


def _slices(counts: list[int]) -> list[slice]:
    ends = np.cumsum([0, *counts]).tolist()
    return [slice(a, b) for a, b in itertools.pairwise(ends)]
