"""Residual and exact Jacobian of the Nernst-Planck-Poisson equations of fem.Transport."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.constants
import scipy.sparse
from numpy.typing import NDArray

from fem.errors import FemError
from fem.petsc import PETSc
from fem.scharfetter import hopping, scharfetter_gummel
from fem.transportlayout import Layout, Population, Reactor

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
E_C = scipy.constants.elementary_charge
EPS0_F_PER_M = scipy.constants.epsilon_0
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
    """

    residual: Array
    owed: Array
    total_A: Array
    displacement_A: Array
    faradaic_A: Array


class System:
    """Unknowns u (size,): potentials in V, then filled fractions. Rows: charge in C, then ions per s.

    The matrix is assembled edge by edge into a pattern that is made once, and factored by MUMPS, which analyses it
    once: 25 ms against the 57 ms of SciPy's SuperLU for 10,800 unknowns on a square, 1.2 against 2.5 ms for 1,200 on a
    line (measured on one core).
    """

    def __init__(self, layout: Layout, permittivity: Mapping[str, float], temperature_K: float) -> None:
        self.layout = layout
        self.kT_eV = K_EV_PER_K * temperature_K
        self.terminals = np.arange(layout.first_terminal, layout.potentials)
        self._poisson(permittivity)
        self.populations = layout.populations
        self.sites = [layout.phases[one.phase].sites_per_m3 for one in self.populations]
        self.mates = [
            [k for k, other in enumerate(self.populations) if other.phase == one.phase] for one in self.populations
        ]
        self.storage = np.zeros(layout.size)
        self.bath = np.full(layout.size, -1, dtype=np.int64)
        self.charge = np.zeros(layout.size)
        for one, sites in zip(self.populations, self.sites, strict=True):
            at = one.unknown[one.nodes]
            self.storage[at] = one.volume * sites
            self.bath[at] = one.fixed
            self.charge[at] = one.charge
        self.held = self.bath >= 0
        self._pattern_made = False

    def _poisson(self, permittivity: Mapping[str, float]) -> None:
        """The linear rows of the potentials: ions out of (``free``) and in metals (``bound``), polarisation."""
        layout = self.layout
        free, bound = _Entries(), _Entries()
        ends = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)), *layout.layers]
        for name, network in layout.networks.items():
            if name in layout.metals:
                continue
            if name not in permittivity:
                raise FemError(f"permittivity: region {name!r} has no value; given: {', '.join(permittivity)}")
            value = float(permittivity[name])
            if not (np.isfinite(value) and value >= 0.0):
                raise FemError(f"permittivity: region {name!r} must be finite and not negative, got {value!r}")
            if value == 0.0:
                self._check_neutral(name)
            a, b = layout.potential[network.tail], layout.potential[network.head]
            apart = a != b
            ends.append((a[apart], b[apart], value * EPS0_F_PER_M * network.weight[apart]))
        self._plates = tuple(np.concatenate(part) for part in zip(*ends, strict=True))
        for one in layout.populations:
            sites = layout.phases[one.phase].sites_per_m3
            target = free if one.metal < 0 else bound
            target.add(layout.potential[one.nodes], one.unknown[one.nodes], -E_C * one.charge * sites * one.volume)
        shape = (layout.potentials, layout.size)
        self.free, self.bound = free.csr(shape), bound.csr(shape)
        self.background = np.zeros(layout.potentials)
        for phase in layout.phases.values():
            for region in phase.regions:
                if region not in layout.metals:
                    charge = -E_C * phase.fixed_charge_per_m3 * layout.networks[region].volume
                    np.add.at(self.background, layout.potential, charge)
        for rows, columns, values in zip(bound.rows, bound.columns, bound.values, strict=True):
            free.add(rows, columns, values)
        free.add_capacitor(*self._plates)
        self._linear = np.concatenate(free.rows), np.concatenate(free.columns), np.concatenate(free.values)

    def _check_neutral(self, region: str) -> None:
        """What an electroneutral region needs: ions everywhere, and no charge that would pile up at an electrode."""
        layout = self.layout
        nodes = layout.networks[region].nodes
        ions = [one for one in layout.populations if one.charge and one.metal < 0]
        if not np.all(np.any([one.unknown[nodes] >= 0 for one in ions], axis=0)):
            raise FemError(f"permittivity: region {region!r} is 0, electroneutral, but not all of it has ions")
        for one in ions:
            bare = one.nodes[(one.fixed < 0) & (layout.potential[one.nodes] >= layout.first_terminal)]
            if np.any(np.isin(bare, nodes)):
                name = list(layout.terminals)[layout.potential[bare[0]] - layout.first_terminal]
                raise FemError(f"permittivity: region {region!r} is 0, electroneutral: between it and terminal "
                               f"{name!r} there must be a capacitance_F_per_m2, or a bath of {one.name!r}")

    def fractions(self, u: Array) -> dict[str, Array]:
        """Filled fraction (dofs,) of each phase."""
        filled = {name: np.zeros(self.layout.halo.local) for name in self.layout.phases}
        for one in self.populations:
            filled[one.phase][one.nodes] += u[one.unknown[one.nodes]]
        return filled

    def gauss(self, u: Array) -> Array:
        """Charge (potentials,) in C that is missing from Gauss's law at ``u``; on terminals the charge they hold."""
        return np.asarray(self._apart(u) + self.bound @ u + self.background)

    def _apart(self, u: Array) -> Array:
        """Charge (potentials,) in C by Gauss's law, without the background and the ions of metals.

        From differences along edges: the sum of a row of the matrix would lose their digits.
        """
        a, b, capacitance = self._plates
        flow = capacitance * (u[a] - u[b])
        count = self.layout.potentials
        return np.asarray(np.bincount(a, flow, count) - np.bincount(b, flow, count) + self.free @ u)

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
        injected = np.zeros(self.terminals.size)  # A by reactions at electrodes
        for reactor in layout.reactors:
            self._react(reactor, u, phi, activity, gained, injected)
        row -= gained
        bath = self.held
        into = np.bincount(self.bath[bath], (E_C * self.charge * row)[bath], self.terminals.size)
        injected += into
        gained[bath] += row[bath]
        entering = self._into_metal(gained)
        displacement = self._apart(rate)[self.terminals]
        balance = Balance(
            np.empty(layout.size), owed + self._apart(moved) + self.bound @ moved,
            (displacement + (self.bound @ rate)[self.terminals]) + injected,
            displacement, injected - entering,
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
        self, reactor: Reactor, u: Array, phi: Array, activity: Mapping[str, tuple[Array, Array]], gained: Array,
        injected: Array,
    ) -> None:  # fmt: skip
        """A reaction moves ions at area j0 f(A) / (e |z|) per s; its ions carry z e each."""
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
        if reactor.into is None:
            injected[reactor.terminal] -= E_C * z * float(rate.sum())
        else:
            np.add.at(gained, rows[1], rate)
        if not self._jacobian:
            return
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

    def direction(self, residual: Array) -> Array:
        """Newton's step (size,) for the matrix of the last ``evaluate`` with ``jacobian``."""
        if not self._pattern_made:
            self._make_pattern()
        size = np.concatenate([*self._values])
        leading, current = self._rates.leading, self._conditions.current
        by_wire = np.where(current, 1.0, 0.0)
        row, _, value = self._linear
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
        rows = [used, self._linear[0], first + self._held_wire, held, self.terminals]
        columns = [column, self._linear[1], column[self._raw_held], held, self.terminals]
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


class _Entries:
    """Entries of a sparse matrix, collected."""

    def __init__(self) -> None:
        self.rows = [np.empty(0, dtype=np.int64)]
        self.columns = [np.empty(0, dtype=np.int64)]
        self.values = [np.empty(0)]

    def add(self, row: Nodes, column: Nodes, value: Array) -> None:
        self.rows.append(row)
        self.columns.append(column)
        self.values.append(value)

    def add_capacitor(self, a: Nodes, b: Nodes, value: Array) -> None:
        for row, column, sign in ((a, a, 1.0), (a, b, -1.0), (b, b, 1.0), (b, a, -1.0)):
            self.add(row, column, sign * value)

    def csr(self, shape: tuple[int, int]) -> scipy.sparse.csr_array:
        index = np.concatenate(self.rows), np.concatenate(self.columns)
        return scipy.sparse.csr_array(scipy.sparse.coo_array((np.concatenate(self.values), index), shape=shape))
