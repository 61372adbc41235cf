"""Conductances of the edges of a conductor by the conductivity of its nodes, and of a sheet on its surface."""

import dolfinx.fem
import numpy as np
import scipy.spatial
from numpy.typing import NDArray

from fem.contacts import input_nodes
from fem.errors import FemError
from fem.halo import Halo

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
_LEFT = 1e-3  # of a node's conductivity, that depletion leaves there
_SAME_NM, _NEAR = 1e-6, 8  # distances that count as one; so many points can be as near as the nearest


def edge_conductance(sigma: Array, tail: Nodes, head: Nodes, weight: Array) -> Array:
    """Conductance (edges,) in S of edges, by the conductivity (local dofs,) in S/m of their nodes' control volumes.

    The harmonic mean of both ends times the weight: layers in series along an edge are exact.
    """
    a, b = sigma[tail], sigma[head]
    return np.asarray(2.0 * a * b / (a + b) * weight)


class Sheet:
    """The interface that a sheet conductance lies on: ``surface`` (n,) are its local dofs on the conductor's side.

    Of the conductor: ``nodes`` (m,), local dofs, and ``volume`` (local dofs,) of their control volumes in m^3;
    ``pairs`` (n, 2), global dofs, and ``area`` (n,) in m^2 of the interface. On several ranks each holds all nodes of
    the conductor: depletion goes down columns, which ranks may have cut. Raises FemError if it is not one of the
    conductor's. All methods are collective.
    """

    def __init__(
        self, name: str, space: dolfinx.fem.FunctionSpace, halo: Halo, nodes: Nodes, volume: Array, pairs: Nodes,
        area: Array,
    ) -> None:  # fmt: skip
        self._halo, self._nodes = halo, nodes
        x_nm = np.asarray(space.tabulate_dof_coordinates())
        own = nodes[nodes < halo.owned]
        mine = input_nodes(space)[own], halo.global_dofs[own], x_nm[own], volume[own]
        parts = zip(*(halo.comm.allgather(mine) if halo.comm.size > 1 else [mine]), strict=True)
        number, self._dofs, x_nm, volume = (np.concatenate(part) for part in parts)
        inside = np.isin(pairs, self._dofs)
        if not np.all(np.any(inside, axis=1)):
            raise FemError(f"interface {name!r} is not one of the conductor's")
        place = _places(self._dofs, np.where(inside[:, 0], pairs[:, 0], pairs[:, 1]))
        self._surface, index = np.unique(place, return_inverse=True)
        self.area = np.bincount(index.ravel(), area, self._surface.size)
        self._here = _places(self._dofs, halo.global_dofs[nodes])
        self.surface = nodes[np.isin(self._here, self._surface)]
        # Every node belongs to the nearest one of the interface, in the order of their distance.
        distance, nearest = _nearest(x_nm[self._surface], number[self._surface], x_nm)
        self._below = np.lexsort((number, np.round(distance / _SAME_NM), nearest))
        self._column = nearest[self._below]
        self._column_of = np.full(halo.local, -1, dtype=np.int64)
        self._column_of[nodes] = nearest[self._here]
        self._thickness = volume[self._below] / self.area[self._column]
        self._first = np.searchsorted(self._column, np.arange(self._surface.size))

    def conductance(self, bare: Array, with_sheet: Array, tail: Nodes, head: Nodes, weight: Array) -> Array:
        """Conductance (edges,) in S by conductivities (local dofs,) without the sheet and with it.

        The sheet counts along the interface. Edges between nodes of one column, towards the interface, keep the bare
        value: electrons that a field draws to the surface or takes away are there by a displacement across a layer
        that the mesh does not resolve, whose voltage (about 0.1 V) is left out, and no depleted layer blocks them.
        """
        inward = self._column_of[tail] == self._column_of[head]
        return np.where(
            inward, edge_conductance(bare, tail, head, weight), edge_conductance(with_sheet, tail, head, weight)
        )

    def add(self, sigma: Array, sheet_S: Array) -> None:
        """Put sheet conductances (local dofs,) in S, as they are on the interface, into conductivities (local dofs,) in
        S/m.

        One above 0 is added to the control volume of its node. One below 0, depletion, takes as much conductivity away
        as it says, from the surface down and as deep as it must, but leaves 1e-3 of it in every node: where the
        conductor has less than that to give, the rest of the sheet is lost.
        """
        bulk = self._halo.gather(sigma, self._dofs)
        sheet = self._halo.gather(sheet_S, self._dofs[self._surface])
        has = np.maximum(bulk[self._below] * self._thickness * (1.0 - _LEFT), 0.0)
        above = np.cumsum(has) - has
        above -= above[self._first][self._column]
        taken = np.clip(np.maximum(-sheet, 0.0)[self._column] - above, 0.0, has)
        bulk[self._below] -= taken / self._thickness
        depth = self._thickness[self._first]  # of the surface's nodes themselves, which are the nearest
        bulk[self._surface] += np.maximum(sheet, 0.0) / depth
        sigma[self._nodes] = bulk[self._here]


def _nearest(points: Array, number: Nodes, of: Array) -> tuple[Array, Nodes]:
    """Distance (m,) in nm and index (m,) of the nearest of ``points`` (n, 3) to each of ``of`` (m, 3).

    Of several as near the one with the lowest ``number`` (n,): the choice must not hang on how a mesh is cut.
    """
    count = min(_NEAR, len(points))
    distance, index = scipy.spatial.KDTree(points).query(of, k=np.arange(1, count + 1))
    as_near = distance < distance[:, :1] + _SAME_NM
    first = np.argmin(np.where(as_near, number[index], np.iinfo(np.int64).max), axis=1)
    rows = np.arange(len(of))
    return distance[:, 0], np.asarray(index[rows, first], dtype=np.int64)


def _places(numbers: Nodes, wanted: Nodes) -> Nodes:
    """Where ``wanted`` (n,) are among ``numbers`` (m,), all of which occur there."""
    order = np.argsort(numbers)
    return order[np.searchsorted(numbers, wanted, sorter=order)] if wanted.size else np.empty(0, dtype=np.int64)
