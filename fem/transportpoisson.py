"""Gauss's law of fem.Transport: charge by potential, and the charge and electrons at each node of a metal."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fem.constants import E_C, EPS0_F_PER_M
from fem.errors import FemError
from fem.transportlayout import Layout

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


class Poisson:
    """Rows of the potentials, in C, which are linear in all unknowns; of several ranks each has a part of the sums.

    ``plates``: (unknown, unknown, capacitance in F) of edges and of compact layers. ``free`` and ``bound``
    (potentials, size): ions out of metals and in those of terminals; in conductors reactions ask for the electrons.
    ``background`` (potentials,). ``linear``: rows, columns, values
    of the matrix. Raises FemError for a permittivity that is missing or out of range.
    """

    def __init__(self, layout: Layout, permittivity: Mapping[str, float]) -> None:
        self.layout = layout
        self.terminals = np.arange(layout.first_terminal, layout.potentials)
        empty = np.empty(0, dtype=np.int64)
        ends = [(empty, empty, np.empty(0)), *layout.layers]
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
            ends.append((network.tail, network.head, value * EPS0_F_PER_M * network.weight))
        a, b, capacitance = (np.concatenate(part) for part in zip(*ends, strict=True))
        at = np.concatenate([layout.potential, self.terminals])  # a layer may end on a terminal itself
        apart = at[a] != at[b]
        ends_at = a[apart], b[apart]
        self.plates = at[ends_at[0]], at[ends_at[1]], capacitance[apart]
        self._entries(self.plates)
        self._surface(*ends_at)

    def _entries(self, plates: tuple[Nodes, Nodes, Array]) -> None:
        layout = self.layout
        free, bound = _Entries(), _Entries()
        for one in layout.populations:
            sites = layout.phases[one.phase].sites_per_m3
            if one.metal >= len(layout.terminals):
                continue
            target = free if one.metal < 0 else bound
            nodes = one.nodes[: one.owned]
            charge = -E_C * one.charge * sites * one.volume[: one.owned]
            target.add(layout.potential[nodes], one.unknown[nodes], charge)
        shape = (layout.potentials, layout.size)
        self.free, self.bound = free.csr(shape), bound.csr(shape)
        self._all = self.free + self.bound
        self._free_at, self._bound_at = (part[layout.first_conductor :] for part in (self.free, self.bound))
        self.nodal_background = np.zeros(layout.halo.local)
        for phase in layout.phases.values():
            for region in phase.regions:
                if region not in layout.metals:
                    self.nodal_background -= E_C * phase.fixed_charge_per_m3 * layout.networks[region].volume
        own = slice(0, layout.halo.owned)
        background = np.bincount(layout.potential[own], self.nodal_background[own], layout.potentials)
        self._background = background.astype(np.float64)
        for rows, columns, values in zip(bound.rows, bound.columns, bound.values, strict=True):
            free.add(rows, columns, values)
        free.add_capacitor(*plates)
        self.linear = np.concatenate(free.rows), np.concatenate(free.columns), np.concatenate(free.values)

    def _surface(self, a: Nodes, b: Nodes) -> None:
        """Which plates and which ions lie on which node of a terminal or conductor."""
        layout = self.layout
        self._at: list[tuple[Nodes, Nodes, float]] = []
        for dofs, unknowns, sign in ((a, self.plates[0], 1.0), (b, self.plates[1], -1.0)):
            on = np.flatnonzero(unknowns >= layout.first_conductor)
            other = (b if sign > 0.0 else a)[on]
            here = np.where(dofs[on] < layout.count, dofs[on], other)  # a layer's electrode is where the layer is
            self._at.append((on, layout.owner[here], sign))
        self._ions: list[tuple[Nodes, Nodes, Array]] = []
        self._electrons: list[tuple[Nodes, Nodes, Array]] = []
        for one in layout.populations:
            if one.metal >= len(layout.terminals):
                continue
            charge = -E_C * one.charge * layout.phases[one.phase].sites_per_m3 * one.volume
            on = np.flatnonzero(layout.potential[one.nodes[: one.owned]] >= layout.first_conductor)
            nodes = one.nodes[on]
            target = self._ions if one.metal < 0 else self._electrons
            target.append((one.unknown[nodes], layout.owner[nodes], charge[on]))

    def _check_neutral(self, region: str) -> None:
        """What an electroneutral region needs: ions everywhere, and no charge that would pile up at an electrode."""
        layout = self.layout
        nodes = layout.networks[region].nodes
        ions = [one for one in layout.populations if one.charge and one.metal < 0]
        if not layout.halo.every(np.all(np.any([one.unknown[nodes] >= 0 for one in ions], axis=0))):
            raise FemError(f"permittivity: region {region!r} is 0, electroneutral, but not all of it has ions")
        for one in ions:
            bare = one.nodes[(one.fixed < 0) & (layout.potential[one.nodes] >= layout.first_conductor)]
            wrong = None
            if np.any(np.isin(bare, nodes)):
                wire = layout.potential[bare[np.isin(bare, nodes)][0]] - layout.first_terminal
                name = f"terminal {list(layout.terminals)[wire]!r}" if wire >= 0 else "a conductor"
                wrong = (f"permittivity: region {region!r} is 0, electroneutral: between it and {name} "
                         f"there must be a capacitance_F_per_m2, or a bath of {one.name!r}")  # fmt: skip
            layout.halo.agree(wrong)

    def gauss(self, u: Array) -> Array:
        """Charge (potentials,) in C that is missing from Gauss's law at ``u``; on terminals the charge they hold.

        The whole of it, on every rank.
        """
        return self.layout.shared.accumulate(self.moved(u) + self._background)

    def moved(self, u: Array) -> Array:
        """What ``gauss`` (potentials,) changes by when the unknowns change by ``u``; this rank's part of it.

        From differences along edges: the sum of a row of the matrix would lose their digits.
        """
        a, b, capacitance = self.plates
        flow = capacitance * (u[a] - u[b])
        count = self.layout.potentials
        return np.asarray(np.bincount(a, flow, count) - np.bincount(b, flow, count) + self._all @ u)

    def wires(self, u: Array) -> tuple[Array, Array]:
        """The part of ``moved`` on nodes of conductors and on terminals (metals,): without the electrons for ions in
        metals, and these; this rank's part of both."""
        a, b, capacitance = self.plates
        first = self.layout.first_conductor
        count = self.layout.potentials - first
        charge = self._free_at @ u
        for on, _, sign in self._at:
            end = (a if sign > 0.0 else b)[on] - first
            charge += sign * np.bincount(end, capacitance[on] * (u[a[on]] - u[b[on]]), count)
        return charge, self._bound_at @ u

    def surface(self, u: Array) -> Array:
        """The first of ``wires`` by node (dofs,); nodes that two terminals share hold the sum of both."""
        a, b, capacitance = self.plates
        flow = capacitance * (u[a] - u[b])
        count = self.layout.count
        result = np.zeros(count)
        for on, dofs, sign in self._at:
            result += sign * np.bincount(dofs, flow[on], count)
        for unknowns, dofs, charge in self._ions:
            result += np.bincount(dofs, charge * u[unknowns], count)
        return self.layout.reach.fold(result)

    def surface_background(self) -> Array:
        """The part of ``background`` that lies on nodes (dofs,) of terminals and conductors."""
        layout = self.layout
        on = np.flatnonzero(layout.potential[: layout.halo.owned] >= layout.first_conductor)
        charge = np.bincount(layout.owner[on], self.nodal_background[on], layout.count)
        return layout.reach.fold(charge.astype(np.float64))

    def electrons(self, u: Array, electrodes: Sequence[tuple[Nodes, Array]]) -> Array:
        """Electrons (dofs,) in C that make up for the ions in metals, and what ``electrodes`` (dofs, C) took up."""
        count = self.layout.count
        result = np.zeros(count)
        for unknowns, dofs, charge in self._electrons:
            result += np.bincount(dofs, charge * u[unknowns], count)
        for dofs, taken in electrodes:
            result += np.bincount(self.layout.owner[dofs], taken, count)
        return self.layout.reach.fold(result)


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
