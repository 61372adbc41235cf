"""Electronic conduction along a channel between two contacts, and where electrons that a gate asks for come from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from fem.cell import Cell, metres_of_area, scalar_space
from fem.contacts import pair_dofs
from fem.errors import FemError, unknown_name
from fem.faces import common_faces, face_areas, outer_faces, surface_faces
from fem.halo import Halo, nodal_array
from fem.scharfetter import region_network
from fem.shared import Factors, share_nodes
from fem.sheet import Sheet, edge_conductance
from fem.simplices import simplices

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class ChannelState:
    """A channel at small bias.

    ``conductance_S`` between source and drain: S, S per metre of depth in a plane, S/m^2 in 1D. ``source_share`` (local
    dofs,): of the electrons that a node asks for, the part that comes from the source; the rest comes from the drain.
    It is the potential with 1 V at the source and 0 V at the drain: 1 and 0 in metal regions of these, 0 elsewhere
    outside the channel. ``sigma_S_per_m`` (local dofs,): conductivity with the sheet, 0 outside the channel.
    """

    conductance_S: float
    source_share: Array = field(repr=False)
    sigma_S_per_m: Array = field(repr=False)


@dataclass(frozen=True)
class _Contact:
    """Nodes of the channel at a contact, the area (n,) in m^2 of each, and all nodes of its metal region if any."""

    nodes: Nodes
    area: Array
    metal: Nodes


class ChannelConduction:
    """div(sigma grad V) = 0 in the region ``channel`` between the contacts ``source`` and ``drain``.

    A contact is a metal region that shares nodes with the channel, or a surface of the channel; it has one potential.
    With ``contact_ohm_m2`` that resistance lies between it and the channel.

    sigma is constant in the control volume of each node, so that the conductance of an edge is the harmonic mean of
    both ends times its weight: on grid lines layers across the current (in series) and along it (in parallel) are exact
    however much they differ, and the conductance of layers along it is the sum of sigma times volume. Where sigma is
    smooth the error falls with the square of the mesh size.

    Needs a mesh of simplices without negative weights; any dimension; all calls are collective. Raises FemError for
    unknown names, a contact that shares no face with the channel, and one that the other touches.
    """

    def __init__(
        self,
        cell: Cell,
        channel: str = "channel",
        source: str = "source",
        drain: str = "drain",
        interface: str | None = "electrolyte/channel",
        contact_ohm_m2: float | None = None,
    ) -> None:
        if contact_ohm_m2 is not None and not (math.isfinite(contact_ohm_m2) and contact_ohm_m2 > 0.0):
            raise FemError(f"contact_ohm_m2 must be positive and finite, or None for none, got {contact_ohm_m2!r}")
        self.space: Any = scalar_space(cell)
        self._halo = Halo(self.space)
        self.network = region_network(cell, channel, self.space, self._halo)
        if not self._halo.every(np.all(self.network.weight >= 0.0)):
            raise FemError(f"region {channel!r}: an edge has a negative weight; make a Delaunay mesh")
        self.nodes = self.network.nodes
        self._elements = simplices(cell, channel, self.space, self._halo)
        self._contacts = [self._contact(cell, name, kind) for name, kind in ((source, "source"), (drain, "drain"))]
        if not self._halo.every(not np.any(np.isin(self._contacts[0].nodes, self._contacts[1].nodes))):
            raise FemError(f"the contacts {source!r} and {drain!r} touch each other")
        self._contact_S_per_m2 = None if contact_ohm_m2 is None else 1.0 / contact_ohm_m2
        self._sheet = None if interface is None else self._on(cell, interface)
        self._pattern()
        self._edge: Any = None
        self._solver: Any = None

    def _contact(self, cell: Cell, name: str, kind: str) -> _Contact:
        """A region's contact, or if there is none of that name a surface's: the faces that it shares with the channel.
        """
        metal = np.empty(0, dtype=np.int64)
        if name in cell.regions:
            body = simplices(cell, name, self.space, self._halo)
            faces, metal = outer_faces(body), np.flatnonzero(body.volume > 0.0)
        elif name in cell.surfaces:
            faces = surface_faces(cell, name, self.space)
        else:
            raise unknown_name(f"{kind}: region or surface", name, [*cell.regions, *cell.surfaces])
        both = common_faces(faces, outer_faces(self._elements), self._halo)
        if not self._halo.total(len(both)):
            raise FemError(f"{kind}: {name!r} has no face in common with the channel")
        return _Contact(*face_areas(self._elements, both), metal)

    def _on(self, cell: Cell, name: str) -> Sheet:
        """The interface that takes a sheet."""
        known: Mapping[str, Any] = getattr(cell, "interfaces", {})
        if name not in known:
            raise unknown_name("interface", name, known)
        pairs = pair_dofs(self.space, self._halo, np.asarray(known[name].nodes, dtype=np.int64), name)
        area = np.asarray(known[name].area_nm2) * metres_of_area(cell)
        return Sheet(name, self.space, self._halo, self.nodes, self.network.volume, pairs, area)

    def _pattern(self) -> None:
        """Rows of the unknowns and where each edge goes in the matrix: contacts without resistance are none."""
        free = np.zeros(self._halo.local, dtype=bool)
        free[self.nodes] = True
        if self._contact_S_per_m2 is None:
            for contact in self._contacts:
                free[contact.nodes] = False
        self._free = np.flatnonzero(free)
        self._shared = share_nodes(self._halo, self._free)
        number = np.full(self._halo.local, -1, dtype=np.int64)
        number[self._free] = np.arange(self._free.size)
        tail, head = number[self.network.tail], number[self.network.head]
        both = np.flatnonzero((tail >= 0) & (head >= 0))
        ends = [(np.flatnonzero(end >= 0), end[end >= 0]) for end in (tail, head)]
        row = np.concatenate([tail[both], head[both], *(at for _, at in ends)])
        column = np.concatenate([head[both], tail[both], *(at for _, at in ends)])
        self._entry_edge = np.concatenate([both, both, *(edge for edge, _ in ends)])
        self._entry_sign = np.concatenate([-np.ones(2 * both.size), np.ones(row.size - 2 * both.size)])
        self._at = [number[contact.nodes] for contact in self._contacts]
        if not self._shared.alone:
            self._own = [nodes.nodes < self._halo.owned for nodes in self._contacts]
            ends_at = [at[own] for at, own in zip(self._at, self._own, strict=True)]
            self._factors = Factors(self._shared, [row, *ends_at], [column, *ends_at])
            return
        keys, self._slot = np.unique(column * self._free.size + row, return_inverse=True)
        self._rows = keys % max(self._free.size, 1)
        self._starts = np.searchsorted(keys, np.arange(self._free.size + 1) * self._free.size)
        self._diagonal = np.flatnonzero(self._rows == keys // max(self._free.size, 1))

    def solve(self, sigma_S_per_m: Array, sheet_S: Array | None = None) -> ChannelState:
        """The channel at conductivities (local dofs,) in S/m, with sheet conductances (local dofs,) in S on the
        interface (as read at its nodes on the channel's side); values elsewhere do not count.

        A sheet above 0 is added to the control volume of its node. One below 0, depletion, takes as much conductivity
        away as it says, from the surface down and as deep as it must, but leaves 1e-3 of it in every node: where the
        channel has less than that to give, the rest of the sheet is lost. Raises FemError for values that are not
        finite, or a conductivity that is not positive.
        """
        given = nodal_array(sigma_S_per_m, self._halo, "sigma_S_per_m")
        assert given is not None
        inside = given[self.nodes]
        wrong = inside[~(np.isfinite(inside) & (inside > 0.0))]
        must = "sigma_S_per_m must be positive and finite in the channel"
        self._halo.agree(f"{must}, got {float(wrong[0])!r}" if wrong.size else None)
        sigma = np.zeros(self._halo.local)
        sigma[self.nodes] = inside
        bare = sigma.copy()
        sheet = nodal_array(sheet_S, self._halo, "sheet_S")
        if sheet is not None:
            if self._sheet is None:
                raise FemError("a sheet_S needs an interface to lie on")
            if not self._halo.every(np.all(np.isfinite(sheet[self._sheet.surface]))):
                raise FemError("sheet_S must be finite on the interface")
            self._sheet.add(sigma, sheet)
        return self._solve(bare, sigma)

    def _solve(self, bare: Array, sigma: Array) -> ChannelState:
        network = self.network
        ends = network.tail, network.head, network.weight
        if self._sheet is None:
            self._edge = edge_conductance(sigma, *ends)
        else:
            self._edge = self._sheet.conductance(bare, sigma, *ends)
        contact = self._contact_S_per_m2
        self._factor(self._entry_sign * self._edge[self._entry_edge])
        source = self._contacts[0]
        share = np.zeros(self._halo.local)
        share[source.metal] = 1.0
        share[source.nodes] = 1.0
        share = self._potential(share, np.zeros(self._halo.local))
        # The dissipation, which an error of the potential enters by its square.
        rise = share[network.tail] - share[network.head]
        conductance = float(self._edge @ rise**2)
        if contact is not None:
            for end, volts in zip(self._contacts, (1.0, 0.0), strict=True):
                own = end.nodes < self._halo.owned
                conductance += contact * float(end.area[own] @ (share[end.nodes[own]] - volts) ** 2)
        return ChannelState(self._halo.total(conductance), share, sigma)

    def _factor(self, entries: Array) -> None:
        """Factor the matrix: SuperLU, on several ranks MUMPS."""
        contact = self._contact_S_per_m2
        size = self._free.size
        if not self._shared.alone:
            ends = [(contact or 0.0) * end.area[own] for end, own in zip(self._contacts, self._own, strict=True)]
            self._factors.set(np.concatenate([entries, *ends]))
            self._solver = (lambda loads: self._factors.solve(loads, "the channel")) if self._shared.size else None
            return
        values = np.bincount(self._slot, entries, self._rows.size)
        if contact is not None:
            for at, end in zip(self._at, self._contacts, strict=True):
                values[self._diagonal[at]] += contact * end.area
        self._solver = None
        if size:
            matrix = scipy.sparse.csc_array((values, self._rows, self._starts), shape=(size, size))
            self._solver = scipy.sparse.linalg.splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            ).solve

    def _potential(self, held: Array, currents_A: Array) -> Array:
        """Potential (local dofs,) with contacts at the values ``held`` (local dofs,) has there, and currents added."""
        result = held.copy()
        if self._solver is None:
            return result
        contact = self._contact_S_per_m2
        loads = currents_A.copy()
        if contact is not None:
            for end in self._contacts:
                loads[end.nodes] += contact * end.area * held[end.nodes]
        else:
            loads[self._halo.owned :] = 0.0  # their owners bring them in; edges do where they are
            for here, there in ((self.network.tail, self.network.head), (self.network.head, self.network.tail)):
                loads += np.bincount(here, self._edge * held[there], self._halo.local)
            loads = self._halo.accumulate(loads)
        result[self._free] = self._solver(loads[self._free])
        return result

    def potential_V(self, currents_A: Array) -> Array:
        """Potential (local dofs,) in V where currents (local dofs,) in A enter at nodes of the channel, both contacts
        at 0 V; with the conductivities of the latest ``solve``. Raises FemError before the first."""
        if self._edge is None:
            raise FemError("call solve first: the channel has no conductivity yet")
        currents = nodal_array(currents_A, self._halo, "currents_A")
        assert currents is not None
        return self._potential(np.zeros(self._halo.local), currents)

    def drop_V(self, currents_A: Array) -> float:
        """Largest ``potential_V`` by size, which tells whether it is fair to give the channel one potential.

        Current that enters all along a uniform channel of resistance R makes I R / 8.
        """
        return self._halo.maximum(float(np.abs(self.potential_V(currents_A)[self.nodes]).max(initial=0.0)))

    def current_density(self, state: ChannelState, bias_V: float = 1.0) -> Array:
        """Current density (local dofs, dim) in A/m^2 with bias_V at the source, for pictures; 0 outside the channel.

        Mean over the cells around a node of their gradients, by volume, times its sigma with the sheet.
        """
        parts = self._elements
        gradient = np.einsum("cai,ca->ci", parts.gradient * 1e9, bias_V * state.source_share[parts.dofs])
        result = np.zeros((self._halo.local, parts.dim))
        for axis in range(parts.dim):
            total = self._halo.accumulate(np.bincount(
                parts.dofs.ravel(), (parts.share * gradient[:, axis : axis + 1]).ravel(), self._halo.local
            ).astype(np.float64))  # fmt: skip
            result[self.nodes, axis] = -(state.sigma_S_per_m * total)[self.nodes] / parts.volume[self.nodes]
        return result
