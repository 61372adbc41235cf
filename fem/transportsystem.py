"""Residual and exact Jacobian of the Nernst-Planck-Poisson equations of fem.Transport."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.constants
from numpy.typing import NDArray

from fem.errors import FemError
from fem.petsc import PETSc
from fem.scharfetter import hopping, scharfetter_gummel
from fem.transportlayout import Layout, Population, Reactor
from fem.transportpoisson import E_C, Poisson

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
K_EV_PER_K = scipy.constants.k / E_C


@dataclass(frozen=True)
class Rates:
    """D_t u = leading * moved + history, of the change of the unknowns in this step and of what came before."""

    leading: float
    history: Array


@dataclass(frozen=True)
class Conditions:
    """For each terminal: is its current given (else its potential), and the value in A or V."""

    current: NDArray[np.bool_]
    value: Array


@dataclass
class Balance:
    """Residual of all equations, and the currents (terminals,) in A that enter the device.

    ``owed`` (potentials,): what is left over of Gauss's law, in C; on terminals their charge.
    ``displacement_A``: rate of the charge on electrodes and metals, without what pays for their ions. ``faradaic_A``:
    ions that leave electrodes, minus ions that enter metals by reactions. ``total_A``: rate of all charge that the wire
    has brought, plus the ions that leave electrodes; the reaction of the equations, computed without ``faradaic_A``.
    ``rate`` (size,) of the unknowns in 1/s; ``electrodes``: (dofs, A) of ions that leave electrodes.
    """

    residual: Array
    owed: Array
    total_A: Array
    displacement_A: Array
    faradaic_A: Array
    rate: Array
    electrodes: list[tuple[Nodes, Array]]


class System:
    """Unknowns u (size,): potentials in V, then filled fractions. Rows: charge in C, then ions per s.

    The matrix is assembled edge by edge into a pattern that is made once, and factored by MUMPS, which analyses it
    once: 25 ms against the 57 ms of SciPy's SuperLU for 10,800 unknowns on a square, 1.2 against 2.5 ms for 1,200 on a
    line (measured on one core).
    """

    def __init__(self, layout: Layout, permittivity: Mapping[str, float], temperature_K: float) -> None:
        self.layout = layout
        self.kT_eV = K_EV_PER_K * temperature_K
        self.poisson = Poisson(layout, permittivity)
        self.terminals = self.poisson.terminals
        self.populations = layout.populations
        self.sites = [layout.phases[one.phase].sites_per_m3 for one in self.populations]
        self.mates = [
            [k for k, other in enumerate(self.populations) if other.phase == one.phase] for one in self.populations
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

    def fractions(self, u: Array) -> dict[str, Array]:
        """Filled fraction (dofs,) of each phase."""
        filled = {name: np.zeros(self.layout.halo.local) for name in self.layout.phases}
        for one in self.populations:
            filled[one.phase][one.nodes] += u[one.unknown[one.nodes]]
        return filled

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
        self._jacobian = jacobian
        rate = rates.leading * moved + rates.history
        filled = self.fractions(u)
        activity = {name: layout.phases[name].activity(x, free[name], self.kT_eV) for name, x in filled.items()}
        row = self.storage * rate  # ions per s that a node's population lacks
        phi = u[layout.potential]
        self._entries(np.flatnonzero(self.storage), None, rates.leading * self.storage[self.storage > 0.0])
        for number, one in enumerate(self.populations):
            self._transport(number, one, u, phi, filled[one.phase], activity[one.phase], row)
        gained = np.zeros(layout.size)  # ions per s from reactions
        injected = np.zeros(self.terminals.size)  # A by reactions and baths at electrodes
        electrodes: list[tuple[Nodes, Array]] = []
        for reactor in layout.reactors:
            rate_A = self._react(reactor, u, phi, activity, gained)
            if reactor.into is None:
                injected[reactor.terminal] -= float(rate_A.sum())
                electrodes.append((reactor.first, -rate_A))
        row -= gained
        bath = self.held
        into = (E_C * self.charge * row)[bath]
        injected += np.bincount(self.bath[bath], into, self.terminals.size)
        electrodes.append((self.dof[bath], into))
        gained[bath] += row[bath]
        entering = self._into_metal(gained)
        displacement = self.poisson.apart(rate)[self.terminals]
        balance = Balance(
            np.empty(layout.size), owed + self.poisson.apart(moved) + self.poisson.bound @ moved,
            (displacement + (self.poisson.bound @ rate)[self.terminals]) + injected,
            displacement, injected - entering, rate, electrodes,
        )  # fmt: skip
        residual = balance.residual
        residual[: layout.potentials] = balance.owed
        residual[layout.potentials :] = np.where(bath, 0.0, row)[layout.potentials :]  # a bath's node does not move
        residual[self.terminals] = np.where(
            conditions.current, balance.total_A - conditions.value, u[self.terminals] - conditions.value
        )
        if jacobian:
            self._rates, self._conditions = rates, conditions
        return balance

    def _into_metal(self, gained: Array) -> Array:
        """Current (terminals,) in A that reactions bring into each terminal's metal."""
        total = np.zeros(self.terminals.size)
        for one in self.populations:
            if one.metal >= 0:
                total[one.metal] += E_C * one.charge * float(gained[one.unknown[one.nodes]].sum())
        return total

    def _entries(self, rows: Nodes, columns: Nodes | None, values: Array) -> None:
        if self._jacobian:
            if not self._pattern_made:
                self._blocks.append((rows, rows if columns is None else columns))
            self._values.append(values)

    def _transport(
        self, number: int, one: Population, u: Array, phi: Array, x: Array, activity: tuple[Array, Array], row: Array
    ) -> None:
        tail, head = one.tail, one.head
        diffusivity, slope_tail, slope_head = np.empty(tail.size), np.zeros(tail.size), np.zeros(tail.size)
        for part, law in one.parts:
            if callable(law):
                (a, da), (b, db) = law(x[tail[part]]), law(x[head[part]])
                diffusivity[part] = 0.5 * (a + b)
                slope_tail[part], slope_head[part] = 0.5 * da, 0.5 * db
            else:
                diffusivity[part] = law
        size = one.weight * self.sites[number]
        rows, heads = one.unknown[tail], one.unknown[head]
        z = one.charge / self.kT_eV
        log, slope = activity
        rise = phi[head] - phi[tail]
        faster, steeper = np.ones(tail.size), np.zeros(tail.size)
        if one.hop_nm:
            per_volt = 0.5 * z * one.hop_nm * 1e-9 / one.length
            faster, steeper = hopping(per_volt * rise)
            steeper *= per_volt
        exponent = log[head] - log[tail] + z * rise
        flux = scharfetter_gummel(size * diffusivity * faster, u[rows], u[heads], exponent)
        np.add.at(row, rows, flux.flow)
        np.subtract.at(row, heads, flux.flow)
        if not self._jacobian:
            return
        per_D = flux.flow / diffusivity
        by_rise = z * flux.by_exponent + flux.flow / faster * steeper
        at_tail = -flux.by_exponent * slope[tail] + per_D * slope_tail
        at_head = flux.by_exponent * slope[head] + per_D * slope_head
        for mate in self.mates[number]:
            own = float(mate == number)
            unknown = self.populations[mate].unknown
            for columns, value in (
                (unknown[tail], at_tail + own * flux.by_tail), (unknown[head], at_head + own * flux.by_head)
            ):  # fmt: skip
                self._entries(rows, columns, value)
                self._entries(heads, columns, -value)
        for columns, value in (
            (self.layout.potential[tail], -by_rise), (self.layout.potential[head], by_rise)
        ):  # fmt: skip
            self._entries(rows, columns, value)
            self._entries(heads, columns, -value)

    def _react(
        self, reactor: Reactor, u: Array, phi: Array, activity: Mapping[str, tuple[Array, Array]], gained: Array
    ) -> Array:
        """A reaction moves ions at area j0 f(A) / (e |z|) per s; its ions carry z e each. Their charge (n,) in A."""
        kT, law = self.kT_eV, reactor.law
        sides = [(self.populations[reactor.ion], reactor.first)]
        if reactor.into is not None:
            sides.append((self.populations[reactor.into], reactor.second))
        z = sides[0][0].charge
        fractions = [u[one.unknown[nodes]] for one, nodes in sides]
        affinity = z * phi[reactor.first] / kT
        if reactor.into is None:
            at = self.terminals[reactor.terminal]
            affinity = affinity - z * u[at] / kT - law.reservoir_eV / kT
        else:
            affinity = affinity - z * phi[reactor.second] / kT
        for sign, (one, nodes), x in zip((1.0, -1.0), sides, fractions, strict=False):
            affinity = affinity + sign * (one.standard_eV / kT + np.log(x) + activity[one.phase][0][nodes])
        j0, *by_x = law.exchange(*fractions)
        drive, slope = law.drive(affinity, kT)
        scale = reactor.area / (E_C * abs(z))
        rate = scale * j0 * drive
        rows = [one.unknown[nodes] for one, nodes in sides]
        np.subtract.at(gained, rows[0], rate)
        if reactor.into is not None:
            np.add.at(gained, rows[1], rate)
        if not self._jacobian:
            return E_C * z * rate
        steep = scale * j0 * slope
        columns: list[tuple[Nodes, Array]] = [(self.layout.potential[reactor.first], z / kT * steep)]
        if reactor.into is None:
            columns.append((np.full(rows[0].size, at), -z / kT * steep))
        else:
            columns.append((self.layout.potential[reactor.second], -z / kT * steep))
        for sign, number, (one, nodes), x, own in zip(
            (1.0, -1.0), (reactor.ion, reactor.into), sides, fractions, by_x, strict=False
        ):
            columns.append((one.unknown[nodes], sign * steep / x + scale * own * drive))
            for mate in self.mates[int(number or 0)]:
                columns.append((self.populations[mate].unknown[nodes], sign * steep * activity[one.phase][1][nodes]))
        for column, value in columns:
            self._entries(rows[0], column, value)
            if reactor.into is None:
                wire = np.full(rows[0].size, at)
                self._entries(wire, column, -E_C * z * value)
            else:
                self._entries(rows[1], column, -value)
        return E_C * z * rate

    def direction(self, residual: Array) -> Array:
        """Newton's step (size,) for the matrix of the last ``evaluate`` with ``jacobian``."""
        if not self._pattern_made:
            self._make_pattern()
        size = np.concatenate([*self._values])
        leading, current = self._rates.leading, self._conditions.current
        by_wire = np.where(current, 1.0, 0.0)
        row, _, value = self.poisson.linear
        wire = row - self.terminals[0] if self.terminals.size else row
        linear = np.where(wire >= 0, value * leading * by_wire[np.maximum(wire, 0)], value)
        held = self._raw_held
        extra = size[held] * self._held_charge * by_wire[self._held_wire]
        size[self._at_wire] *= by_wire[self._wire_of]
        data = np.concatenate([size, linear, extra, np.ones(self._ones), 1.0 - by_wire])
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
        self._raw_held = np.flatnonzero(self.held[row] & (row >= 0))
        rows_held = row[self._raw_held]
        self._held_charge, self._held_wire = E_C * self.charge[rows_held], self.bath[rows_held]
        used = np.where(self.held[row], -1, row)
        held = np.flatnonzero(self.held)
        self._ones = held.size
        rows = [used, self.poisson.linear[0], first + self._held_wire, held, self.terminals]
        columns = [column, self.poisson.linear[1], column[self._raw_held], held, self.terminals]
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
        self._pattern_made = True
