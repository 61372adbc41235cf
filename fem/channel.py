"""Electronic conduction along a channel between two contacts, and what a current into it from the side does there."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from fem.cell import Cell, scalar_space
from fem.contacts import pair_dofs
from fem.errors import FemError, unknown_name
from fem.halo import Halo
from fem.scharfetter import region_network

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
_FLOOR = 1e-3  # of the bulk conductance of an edge, that a sheet which depletes it leaves


@dataclass(frozen=True)
class ChannelState:
    """The channel at small bias: what flows from drain to source per volt, and where the potential is.

    ``conductance_S``: in S, per metre of depth in a plane. ``source_share`` (local dofs,): of the currents that enter
    at a node (at floating potential), the part that leaves at the source, which is the potential with 1 V at the source
    and 0 V at the drain; 1 and 0 in the contacts, 0 elsewhere.
    """

    conductance_S: float
    source_share: Array


class ChannelConduction:
    """div(sigma grad V) = 0 in the region ``channel`` between the regions ``source`` and ``drain``, which are metals.

    The contacts share nodes with the channel; with ``contact_ohm_m2`` a resistance lies between, by the area of the
    common surface. ``interface``: a split interface of the channel, along which ``solve`` takes a sheet conductance.
    Conductances of edges are those of first-order elements, sigma the mean of both ends: layers along the current are
    exact, and sigma that changes along it converges with the square of the mesh size.

    In a plane (per metre of depth) or 3D, on one rank. Raises FemError for unknown names, and contacts that do not
    touch the channel.
    """

    def __init__(
        self, cell: Cell, channel: str, source: str, drain: str, interface: str, contact_ohm_m2: float | None = None
    ) -> None:
        self._space = scalar_space(cell)
        halo = Halo(self._space)
        for name in (channel, source, drain):
            if name not in cell.regions:
                raise unknown_name("region", name, cell.regions)
        if interface not in cell.interfaces:  # type: ignore[attr-defined]
            raise unknown_name("interface", interface, cell.interfaces)  # type: ignore[attr-defined]
        network = region_network(cell, channel, self._space, halo)
        self.size, self.nodes = halo.local, network.nodes
        self._tail, self._head, self._weight = network.tail, network.head, network.weight
        self._ends = []
        for name in (source, drain):
            metal = region_network(cell, name, self._space, halo).nodes
            touching = np.intersect1d(metal, self.nodes)
            if not touching.size:
                raise FemError(f"region {name!r} does not touch {channel!r}")
            self._ends.append((metal, touching))
        x_m = np.asarray(self._space.tabulate_dof_coordinates()) * 1e-9
        pairs = pair_dofs(
            self._space, halo, np.asarray(cell.interfaces[interface].nodes, dtype=np.int64), interface  # type: ignore[attr-defined]
        )  # fmt: skip
        surface = np.where(np.isin(pairs[:, 0], self.nodes), pairs[:, 0], pairs[:, 1])
        self._sheet_edges(surface, x_m)
        self._contact = None
        if contact_ohm_m2:
            self._contact = [_face(touching, x_m) / contact_ohm_m2 for _, touching in self._ends]
        self._number = np.full(self.size, -1, dtype=np.int64)
        self._number[self.nodes] = np.arange(self.nodes.size)

    def _sheet_edges(self, surface: Nodes, x_m: Array) -> None:
        """Edges of the channel whose ends both lie on the interface, and their length; no diagonals across it."""
        on = np.zeros(self.size, dtype=bool)
        on[surface] = True
        self._along = np.flatnonzero(on[self._tail] & on[self._head])
        length = np.linalg.norm(x_m[self._tail[self._along]] - x_m[self._head[self._along]], axis=1)
        self._per_length = 1.0 / length

    def solve(self, sigma_S_per_m: Array, sheet_S: Array | None = None) -> ChannelState:
        """Conductance at conductivities (local dofs,) in S/m, with a sheet (local dofs,) of S on the interface.

        A sheet below 0 takes away from what lies beneath: all layers together, as far as there is something left.
        Raises FemError for values that are not positive and finite.
        """
        inside = sigma_S_per_m[self.nodes]
        if not np.all(np.isfinite(inside) & (inside > 0.0)):
            raise FemError(f"sigma_S_per_m must be positive and finite in the channel, got {np.min(inside)!r}")
        edge = 0.5 * (sigma_S_per_m[self._tail] + sigma_S_per_m[self._head]) * self._weight
        if sheet_S is not None:
            along = self._along
            added = 0.5 * (sheet_S[self._tail[along]] + sheet_S[self._head[along]]) * self._per_length
            edge = edge.copy()
            edge[along] = np.maximum(edge[along] + added, _FLOOR * edge[along])
        tail, head = self._number[self._tail], self._number[self._head]
        count = self.nodes.size
        matrix = scipy.sparse.coo_array(
            (np.concatenate([edge, edge, -edge, -edge]),
             (np.concatenate([tail, head, tail, head]), np.concatenate([tail, head, head, tail]))),
            shape=(count, count),
        ).tocsr()  # fmt: skip
        potential = np.zeros(count)
        drives = np.zeros(count)
        if self._contact is None:
            source, drain = (self._number[touching] for _, touching in self._ends)
            fixed = np.concatenate([source, drain])
            potential[source] = 1.0
            free = np.setdiff1d(np.arange(count), fixed)
            if free.size:
                inner = matrix[free][:, free].tocsc()
                potential[free] = scipy.sparse.linalg.spsolve(inner, -(matrix[free] @ potential))
            current = float((matrix @ potential)[source].sum())
        else:
            at = [self._number[touching] for _, touching in self._ends]
            diagonal = np.zeros(count)
            for nodes, value in zip(at, self._contact, strict=True):
                diagonal[nodes] += value
            drives[at[0]] = self._contact[0]
            whole = (matrix + scipy.sparse.diags_array(diagonal)).tocsc()
            potential = scipy.sparse.linalg.spsolve(whole, drives)
            current = float((self._contact[0] * (1.0 - potential[at[0]])).sum())
        share = np.zeros(self.size)
        share[self._ends[0][0]] = 1.0
        share[self.nodes] = potential
        self._matrix = matrix
        return ChannelState(current, share)


    def drop_V(self, currents_A: Array) -> float:
        """Largest voltage against the contacts, both at 0 V, where currents (local dofs,) in A enter at nodes.

        With the conductances of the latest ``solve``. It tells how far the channel is from one potential.
        """
        fixed = np.concatenate([self._number[touching] for _, touching in self._ends])
        free = np.setdiff1d(np.arange(self.nodes.size), fixed)
        if not free.size:
            return 0.0
        inner = self._matrix[free][:, free].tocsc()
        return float(np.abs(scipy.sparse.linalg.spsolve(inner, currents_A[self.nodes][free])).max())


def _face(nodes: Nodes, x_m: Array) -> Array:
    """Length (n,) of a straight line of nodes that belongs to each."""
    order = np.argsort(x_m[nodes] @ np.array([1.0, 1.7, 0.3]))
    steps = np.linalg.norm(np.diff(x_m[nodes[order]], axis=0), axis=1)
    share = np.zeros(nodes.size)
    share[order[:-1]] += 0.5 * steps
    share[order[1:]] += 0.5 * steps
    return share
