"""Conductances of the edges of a conductor by the conductivity of its nodes, and of a sheet on its surface."""

import numpy as np
import scipy.spatial
from numpy.typing import NDArray

from fem.errors import FemError

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]
_LEFT = 1e-3  # of a node's conductivity, that depletion leaves there


def edge_conductance(sigma: Array, tail: Nodes, head: Nodes, weight: Array) -> Array:
    """Conductance (edges,) in S of edges, by the conductivity (local dofs,) in S/m of their nodes' control volumes.

    The harmonic mean of both ends times the weight: layers in series along an edge are exact.
    """
    a, b = sigma[tail], sigma[head]
    return np.asarray(2.0 * a * b / (a + b) * weight)


class Sheet:
    """The interface that a sheet conductance lies on: ``surface`` (n,) are its nodes on the conductor's side, ``area``
    (n,) in m^2 what belongs to each.

    Of the conductor: ``nodes`` (m,), ``volume`` (local dofs,) of their control volumes in m^3, ``x_nm`` (local dofs, 3)
    their places; ``pairs`` (n, 2) and ``area`` (n,) of the interface. Raises FemError if it is not one of the
    conductor's.
    """

    def __init__(self, name: str, nodes: Nodes, volume: Array, x_nm: Array, pairs: Nodes, area: Array) -> None:
        inside = np.isin(pairs, nodes)
        if not np.all(np.any(inside, axis=1)):
            raise FemError(f"interface {name!r} is not one of the conductor's")
        self.surface, index = np.unique(np.where(inside[:, 0], pairs[:, 0], pairs[:, 1]), return_inverse=True)
        self.area = np.bincount(index.ravel(), area, self.surface.size)
        # Every node belongs to the nearest one of the interface, in the order of their distance.
        distance, nearest = map(np.asarray, scipy.spatial.KDTree(x_nm[self.surface]).query(x_nm[nodes]))
        order = np.lexsort((distance, nearest))
        self._column, self._below = nearest[order], nodes[order]
        self._column_of = np.full(len(x_nm), -1, dtype=np.int64)
        self._column_of[nodes] = nearest
        self._thickness = volume[self._below] / self.area[self._column]
        self._first = np.searchsorted(self._column, np.arange(self.surface.size))

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
        """Put sheet conductances (surface nodes,) in S into conductivities (local dofs,) in S/m.

        One above 0 is added to the control volume of its node. One below 0, depletion, takes as much conductivity away
        as it says, from the surface down and as deep as it must, but leaves 1e-3 of it in every node: where the
        conductor has less than that to give, the rest of the sheet is lost.
        """
        has = np.maximum(sigma[self._below] * self._thickness * (1.0 - _LEFT), 0.0)
        above = np.cumsum(has) - has
        above -= above[self._first][self._column]
        taken = np.clip(np.maximum(-sheet_S, 0.0)[self._column] - above, 0.0, has)
        sigma[self._below] -= taken / self._thickness
        depth = self._thickness[self._first]  # of the surface's nodes themselves, which are the nearest
        sigma[self.surface] += np.maximum(sheet_S, 0.0) / depth
