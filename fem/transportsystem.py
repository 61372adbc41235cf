"""Residual and exact Jacobian of the Nernst-Planck-Poisson equations of fem.Transport."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem.constants import E_C
from fem.errors import FemError
from fem.petsc import PETSc
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

    ``owed`` (potentials,): what is left over of Gauss's law, in C; on terminals their charge.
    ``displacement_A``: rate of the charge on electrodes and metals, without what pays for their ions. ``faradaic_A``:
    ions that leave electrodes, minus ions that enter metals by reactions. ``conduction_A`` (terminals,): what goes on
    into conductors. ``total_A``: rate of all charge that the wire has brought, plus the ions that leave electrodes and
    what goes on into conductors; the reaction of the equations, computed without the ions that enter metals of
    terminals. Of a conductor it is what it takes from terminals. ``rate`` (size,) of the unknowns in 1/s;
    ``electrodes``: (dofs, A) of ions that leave electrodes, and of electrons that follow ions into conductors.
    """

    residual: Array
    owed: Array
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

    The matrix is assembled edge by edge into a pattern that is made once, and factored by MUMPS, which analyses it
    once: 25 ms against the 57 ms of SciPy's SuperLU for 10,800 unknowns on a square, 1.2 against 2.5 ms for 1,200 on a
    line (measured on one core; PETSc's own LU is no faster for 2,400 unknowns on a square and slower beyond).
    """

    def __init__(self, layout: Layout, permittivity: Mapping[str, float], temperature: Temperature) -> None:
        self.layout = layout
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
            self.storage[at] = one.volume * sites
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
        """Filled fraction (dofs,) of each phase."""
        filled = {name: np.zeros(self.layout.halo.local) for name in self.layout.phases}
        for one in self.populations:
            filled[one.phase][one.nodes] += u[one.unknown[one.nodes]]
        return filled

    def fillings(self, u: Array, free: Mapping[str, Array]) -> dict[str, Filling]:
        """How each phase is filled, with its free fraction (dofs,) kept apart."""
        filled, phases = self.fractions(u), self.layout.phases
        return {name: filling(phases[name], x, free[name], self.temperature) for name, x in filled.items()}

    def affinities_eV(self, u: Array, free: Mapping[str, Array]) -> Array:
        """Affinities (n,) of all reactions."""
        phases = self.fillings(u, free)
        return np.concatenate([np.empty(0), *(reaction.affinity_eV(u, phases) for reaction in self.reactions)])

    def dissipation_W(self, u: Array, free: Mapping[str, Array]) -> Array:
        """Heat (dofs,) in W of ions and electrons along edges and of reactions, halves at both ends."""
        phases, count = self.fillings(u, free), self.layout.halo.local
        heat = self.conductors.dissipation_W(u)
        for flux in self.fluxes:
            one = flux.one
            ends, power = (one.tail, one.head), E_C * flux.power_eV(u, phases[one.phase])
            heat += sum(np.bincount(nodes, 0.5 * power, count) for nodes in ends)
        for reaction in self.reactions:
            ends = reaction.reactor.first, reaction.reactor.second
            power = E_C * reaction.rate(u, phases, None) * reaction.affinity_eV(u, phases)
            heat += sum(np.bincount(nodes, 0.5 * power, count) for nodes in ends)
        return heat

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

        ``free``: free fraction (dofs,) of each phase.
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
        balance = Balance(
            np.empty(layout.size), owed + self.poisson.moved(moved),
            np.concatenate([needed[wires] + injected + leaves[wires], self._by_conductor(-leaves[nodes])]),
            np.concatenate([surface[wires], self._by_conductor(surface[nodes])]),
            np.concatenate([injected + follow[wires] - self._into_metal(gained), self._by_conductor(follow[nodes])]),
            leaves[wires], rate, electrodes,
        )  # fmt: skip
        residual = balance.residual
        residual[: layout.potentials] = balance.owed
        residual[layout.first_conductor : layout.first_terminal] = (needed + leaves)[nodes] / rates.leading
        residual[layout.potentials :] = np.where(bath, 0.0, row)[layout.potentials :]  # a bath's node does not move
        current = balance.total_A[: self.terminals.size]
        residual[self.terminals] = conditions.weight * current + conditions.held * u[self.terminals] - conditions.value
        if jacobian:
            self._rates, self._conditions = rates, conditions
        return balance

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
        held = self._raw_held
        extra = size[held] * self._held_charge * by_wire[self._held_wire]
        size[self._at_wire] *= by_wire[self._wire_of]
        size[self._at_node] /= leading
        conduction = self.conductors.entries(by_wire, 1.0 / leading)
        data = np.concatenate([size, linear, extra, np.ones(self._ones), self._conditions.held, conduction])
        self._matrix.setValuesCOO(data)
        self._solver.setOperators(self._matrix)
        return self.correction(residual)

    def correction(self, residual: Array) -> Array:
        """Newton's step (size,) with the matrix of the last ``direction``."""
        self._right.array[:] = -residual
        self._solver.solve(self._right, self._result)
        if int(self._solver.getConvergedReason()) < 0:
            self._solver.getPC().reset()
            raise FemError("the matrix of Newton's method is singular or not finite")
        return self._result.array.copy()

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
        held = np.flatnonzero(self.held)
        self._ones = held.size
        along = self.conductors
        rows = [used, self.poisson.linear[0], first + self._held_wire, held, self.terminals, along.rows]
        columns = [column, self.poisson.linear[1], column[self._raw_held], held, self.terminals, along.columns]
        every = np.concatenate(rows), np.concatenate(columns)
        drop = (every[0] < 0) | (every[1] < 0)
        size = self.layout.size
        self._matrix = PETSc.Mat().create(PETSc.COMM_SELF)
        self._matrix.setSizes((size, size))
        self._matrix.setType(PETSc.Mat.Type.AIJ)
        self._matrix.setPreallocationCOO(*(np.where(drop, -1, part).astype(np.int32) for part in every))
        self._right = PETSc.Vec().createSeq(size)
        self._result = self._right.duplicate()
        self._solver = PETSc.KSP().create(PETSc.COMM_SELF)
        self._solver.setType("preonly")
        self._solver.getPC().setType("lu")
        self._solver.getPC().setFactorSolverType("mumps")
        self._solver.setOperators(self._matrix)
        self._solver.getPC().setFactorSetUpSolverType()
        self._solver.getPC().getFactorMatrix().setMumpsIcntl(8, 0)  # its scaling costs 20 % and digits
        self._pattern_made = True
