"""Residual and exact Jacobian of the Nernst-Planck-Poisson equations of fem.Transport."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from fem.constants import E_C
from fem.shared import Factors
from fem.transportconductor import Conductors
from fem.transportflux import EdgeFlux, Filling, filling
from fem.transportlayout import Layout, Population
from fem.transportpoisson import Poisson
from fem.transportreaction import Reaction
from fem.transporttemperature import Temperature

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class Rates:
    """D_t u = leading * moved + history, of the change of the unknowns in this step and of what came before."""

    leading: float
    history: Array


@dataclass(frozen=True)
class Conditions:
    """For each terminal: is its current given (else its voltage), the value in A or V, and ohms in series with it."""

    current: NDArray[np.bool_]
    value: Array
    resistance_ohm: Array

    @property
    def weight(self) -> Array:
        """Every wire is weight * current + held * potential = value."""
        return np.where(self.current, 1.0, self.resistance_ohm)

    @property
    def held(self) -> Array:
        return np.where(self.current, 0.0, 1.0)


@dataclass
class Balance:
    """Residual of all equations, and the currents (terminals + conductors,) in A that enter the device.

    ``finite``: so is all of the residual. ``moved_C`` (potentials,): what is left over of Gauss's law has grown by
    this, on terminals their charge; this rank's part of it.
    ``displacement_A``: rate of the charge on electrodes and metals, without what pays for their ions. ``faradaic_A``:
    ions that leave electrodes, minus ions that enter metals by reactions. ``conduction_A`` (terminals,): what goes on
    into conductors. ``total_A``: rate of all charge that the wire has brought, plus the ions that leave electrodes and
    what goes on into conductors; the reaction of the equations, computed without the ions that enter metals of
    terminals. Of a conductor it is what it takes from terminals. ``rate`` (size,) of the unknowns in 1/s;
    ``electrodes``: (dofs, A) of ions that leave electrodes, and of electrons that follow ions into conductors.
    """

    residual: Array
    finite: bool
    moved_C: Array
    total_A: Array
    displacement_A: Array
    faradaic_A: Array
    conduction_A: Array
    rate: Array
    electrodes: list[tuple[Nodes, Array]]


class System:
    """Unknowns u (size,): potentials in V, then filled fractions. Rows: charge in C, then ions per s.

    At a node of a conductor: the charge that conduction has to bring to its surface and to the ions that reactions
    bring, over ``leading``, which makes it a charge. Ions and electrons inside move as neutral pairs, which is no
    current, so that ions feel no field there.

    Every edge, layer, reaction and volume is added up by one rank; sums of several ranks come together at the end of
    ``evaluate``, in which all is linear in them.

    The matrix is assembled edge by edge into a pattern that is made once, and factored by MUMPS, which analyses it
    once: 25 ms against the 57 ms of SciPy's SuperLU for 10,800 unknowns on a square, 1.2 against 2.5 ms for 1,200 on a
    line (measured on one core; PETSc's own LU is no faster for 2,400 unknowns on a square and slower beyond).
    """

    def __init__(self, layout: Layout, permittivity: Mapping[str, float], temperature: Temperature) -> None:
        self.layout, self.shared = layout, layout.shared
        self.poisson = Poisson(layout, permittivity)
        self.terminals = self.poisson.terminals
        self.populations = layout.populations
        self.sites = [layout.phases[one.phase].sites_per_m3 for one in self.populations]
        ones = self.populations
        mates = [[k for k, other in enumerate(ones) if other.phase == one.phase] for one in ones]
        self.fluxes = [
            EdgeFlux(one, sites, [ones[k] for k in near], layout.potential)
            for one, sites, near in zip(ones, self.sites, mates, strict=True)
        ]
        self.conductors = Conductors(layout)
        self.reactions = [
            Reaction(reactor, ones, mates, layout.potential, layout.first_terminal + reactor.terminal, self._conducts)
            for reactor in layout.reactors
        ]
        self.storage = np.zeros(layout.size)
        self.bath = np.full(layout.size, -1, dtype=np.int64)
        self.charge = np.zeros(layout.size)
        self.dof = np.full(layout.size, -1, dtype=np.int64)
        for one, sites in zip(self.populations, self.sites, strict=True):
            at = one.unknown[one.nodes]
            self.storage[at[: one.owned]] = one.volume[: one.owned] * sites
            self.bath[at] = one.fixed
            self.charge[at] = one.charge
            self.dof[at] = one.nodes
        self.held = self.bath >= 0
        self._pattern_made = False
        self.set_temperature(temperature)

    def _conducts(self, one: Population) -> bool:
        """Whether a population lives in a conductor."""
        return one.metal >= len(self.layout.terminals)

    def set_temperature(self, temperature: Temperature) -> None:
        """From now on ``temperature`` holds."""
        self.temperature = temperature
        for flux in self.fluxes:
            flux.set_temperature(temperature)
        for reaction in self.reactions:
            reaction.set_temperature(temperature)

    def fractions(self, u: Array) -> dict[str, Array]:
        """Filled fraction (nodes,) of each phase."""
        filled = {name: np.zeros(self.layout.count) for name in self.layout.phases}
        for one in self.populations:
            filled[one.phase][one.nodes] += u[one.unknown[one.nodes]]
        return filled

    def fillings(self, u: Array, free: Mapping[str, Array]) -> dict[str, Filling]:
        """How each phase is filled, with its free fraction (nodes,) kept apart."""
        filled, phases = self.fractions(u), self.layout.phases
        return {name: filling(phases[name], x, free[name], self.temperature) for name, x in filled.items()}

    def affinities_eV(self, u: Array, free: Mapping[str, Array]) -> Array:
        """Affinities (n,) of all reactions on this rank."""
        phases = self.fillings(u, free)
        return np.concatenate([np.empty(0), *(reaction.affinity_eV(u, phases) for reaction in self.reactions)])

    def dissipation_W(self, u: Array, free: Mapping[str, Array]) -> Array:
        """Heat (local dofs,) in W of ions and electrons along edges and of reactions, halves at both ends."""
        phases, count = self.fillings(u, free), self.layout.count
        heat = self.conductors.dissipation_W(u)
        for flux in self.fluxes:
            one = flux.one
            ends, power = (one.tail, one.head), E_C * flux.power_eV(u, phases[one.phase])
            heat += sum(np.bincount(nodes, 0.5 * power, count) for nodes in ends)
        for reaction in self.reactions:
            ends = reaction.reactor.first, reaction.reactor.second
            power = E_C * reaction.rate(u, phases, None) * reaction.affinity_eV(u, phases)
            heat += sum(np.bincount(nodes, 0.5 * power, count) for nodes in ends)
        return self.layout.reach.fold(heat)

    @np.errstate(divide="ignore", over="ignore", invalid="ignore")  # the residual of a wild iterate is not finite
    def evaluate(
        self,
        u: Array,
        free: Mapping[str, Array],
        moved: Array,
        rates: Rates,
        conditions: Conditions,
        owed: Array,
        jacobian: bool,
    ) -> Balance:
        """Residual and currents at ``u``, reached by ``moved`` from where Gauss's law lacked ``owed`` (potentials,).

        ``free``: free fraction (nodes,) of each phase.
        Charges are added up by what moved: the rounding of all ions in the device would drown the current of a short
        step. With ``jacobian`` the entries of the matrix are kept for ``direction``.
        """
        layout = self.layout
        self._values: list[Array] = []
        self._blocks: list[tuple[Nodes, Nodes]] = []
        rate = rates.leading * moved + rates.history
        phases = self.fillings(u, free)
        row = self.storage * rate  # ions per s that a node's population lacks
        enter = self._enter if jacobian else None
        if jacobian:
            stored = np.flatnonzero(self.storage)
            self._enter(stored, stored, rates.leading * self.storage[stored])
        for flux in self.fluxes:
            flow = flux.flow(u, phases[flux.one.phase], enter)
            row += np.bincount(flux.rows, flow, row.size)
            row -= np.bincount(flux.heads, flow, row.size)
        gained = np.zeros(layout.size)  # ions per s from reactions
        injected = np.zeros(self.terminals.size)  # A by reactions and baths at electrodes
        electrodes: list[tuple[Nodes, Array]] = []
        for reaction in self.reactions:
            lost = reaction.rate(u, phases, enter)
            gained -= np.bincount(reaction.first, lost, gained.size)
            if reaction.second is not None:
                gained += np.bincount(reaction.second, lost, gained.size)
                continue
            charge = -E_C * reaction.charge * lost
            injected[reaction.reactor.terminal] += float(charge.sum())
            electrodes.append((reaction.reactor.first, charge))
        row -= gained
        bath = self.held
        into = (E_C * self.charge * row)[bath]
        injected += np.bincount(self.bath[bath], into, self.terminals.size)
        electrodes.append((self.dof[bath], into))
        gained[bath] += row[bath]
        nodes, wires = slice(0, layout.first_terminal - layout.first_conductor), slice(-self.terminals.size, None)
        followed = np.zeros(layout.potentials)  # by electrons, A: ions that reactions bring into conductors
        for one in self.populations:
            if self._conducts(one):
                electrons = -E_C * one.charge * gained[one.unknown[one.nodes]]
                followed += np.bincount(layout.potential[one.nodes], electrons, followed.size)
                electrodes.append((one.nodes, electrons))
        follow = followed[layout.first_conductor :]
        leaves = self.conductors.leaving(u)[layout.first_conductor :]
        surface, bound = self.poisson.wires(rate)
        needed = surface + bound + follow  # A, of electrons at each node, and terminal
        row[layout.first_conductor : layout.first_terminal] = (needed + leaves)[nodes] / rates.leading
        row[bath] = 0.0  # a bath's node does not move
        moved_C = self.poisson.moved(moved)
        row[: layout.first_conductor] = moved_C[: layout.first_conductor]
        total, displacement, faradaic, conduction, wild = self._summed([
            np.concatenate([needed[wires] + injected + leaves[wires], self._by_conductor(-leaves[nodes])]),
            np.concatenate([surface[wires], self._by_conductor(surface[nodes])]),
            np.concatenate([injected + follow[wires] - self._into_metal(gained), self._by_conductor(follow[nodes])]),
            leaves[wires], np.array([np.count_nonzero(~np.isfinite(row))]),
        ])  # fmt: skip
        residual = self.shared.accumulate(row)
        residual[: layout.first_conductor] += owed[: layout.first_conductor]
        held = conditions.held * u[self.terminals]
        residual[self.terminals] = conditions.weight * total[: self.terminals.size] + held - conditions.value
        finite = wild[0] == 0.0 and bool(np.all(np.isfinite(residual[self.terminals])))
        balance = Balance(residual, finite, moved_C, total, displacement, faradaic, conduction, rate, electrodes)
        if jacobian:
            self._rates, self._conditions = rates, conditions
        return balance

    def _summed(self, parts: list[Array]) -> list[Array]:
        """Sums over the ranks of some short arrays."""
        if self.shared.alone:
            return parts
        total = np.concatenate(parts)
        self.shared.comm.Allreduce(MPI.IN_PLACE, total)
        return np.split(total, np.cumsum([part.size for part in parts[:-1]]))

    def _into_metal(self, gained: Array) -> Array:
        """Current (terminals,) in A that reactions bring into each terminal's metal."""
        total = np.zeros(self.terminals.size)
        for one in self.populations:
            if one.metal >= 0 and not self._conducts(one):
                total[one.metal] += E_C * one.charge * float(gained[one.unknown[one.nodes]].sum())
        return total

    def _by_conductor(self, values: Array) -> Array:
        """Sums (conductors,) of values at the potentials of conductors."""
        return np.bincount(self.layout.conductor, values, len(self.layout.conductors))

    def _enter(self, rows: Nodes, columns: Nodes, values: Array) -> None:
        if not self._pattern_made:
            self._blocks.append((rows, columns))
        self._values.append(values)

    def direction(self, residual: Array) -> Array:
        """Newton's step (size,) for the matrix of the last ``evaluate`` with ``jacobian``."""
        if not self._pattern_made:
            self._make_pattern()
        size = np.concatenate([*self._values])
        leading, by_wire = self._rates.leading, self._conditions.weight
        row, _, value = self.poisson.linear
        wire = row - self.terminals[0] if self.terminals.size else row
        linear = np.where(wire >= 0, value * leading * by_wire[np.maximum(wire, 0)], value)
        raw = self._raw_held
        extra = size[raw] * self._held_charge * by_wire[self._held_wire]
        size[self._at_wire] *= by_wire[self._wire_of]
        size[self._at_node] /= leading
        conduction = self.conductors.entries(by_wire, 1.0 / leading)
        held = self._conditions.held[: self._wires]
        self._factors.set(np.concatenate([size, linear, extra, np.ones(self._ones), held, conduction]))
        return self.correction(residual)

    def correction(self, residual: Array) -> Array:
        """Newton's step (size,) with the matrix of the last ``direction``."""
        return self._factors.solve(-residual, "Newton's method")

    def _make_pattern(self) -> None:
        row = np.concatenate([block[0] for block in self._blocks])
        column = np.concatenate([block[1] for block in self._blocks])
        first = int(self.terminals[0]) if self.terminals.size else self.layout.size
        self._at_wire = np.flatnonzero((row >= first) & (row < self.layout.potentials))
        self._wire_of = row[self._at_wire] - first
        self._at_node = np.flatnonzero((row >= self.layout.first_conductor) & (row < first))
        self._raw_held = np.flatnonzero(self.held[row] & (row >= 0))
        rows_held = row[self._raw_held]
        self._held_charge, self._held_wire = E_C * self.charge[rows_held], self.bath[rows_held]
        used = np.where(self.held[row], -1, row)
        held = np.flatnonzero(self.held & (self.storage > 0.0))  # this rank's own
        self._ones, self._wires = held.size, self.terminals.size if self.shared.comm.rank == 0 else 0
        along, wires = self.conductors, self.terminals[: self._wires]
        rows = [used, self.poisson.linear[0], first + self._held_wire, held, wires, along.rows]
        columns = [column, self.poisson.linear[1], column[self._raw_held], held, wires, along.columns]
        self._factors = Factors(self.shared, rows, columns)
        self._factors.without_scaling()
        self._pattern_made = True
