"""Interstitial sites as the voids between atoms: vertices of the Voronoi tessellation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

from ionsim.structure.stack import Pair, periodic_tree, wrap

#: Voids closer than this (nm) are one site. Source: calibrated: against the public DeviceKMC stack, where 1 % of the
#: interstitial sites have a neighbour within 0.111 nm.
MERGE_NM = 0.11
#: Surroundings (nm) that the tessellation needs: more than the diameter of the largest void.
_MARGIN_NM = 0.8


def voronoi_voids(
    atoms_nm: NDArray[np.float64],
    cell_nm: Pair,
    z_range_nm: Pair,
    radius_nm: float,
    merge_nm: float = MERGE_NM,
) -> NDArray[np.float64]:
    """Voids of a stack that is periodic in x and y: positions (M, 3) in nm, sorted by z.

    ``atoms_nm`` is (N, 3) with 0 <= x < Lx, 0 <= y < Ly. Kept are the Voronoi vertices with z in ``z_range_nm`` that
    are at least ``radius_nm`` from every atom; of vertices closer than ``merge_nm`` to each other (periodic images
    included) only the one in the widest void stays, so that a crystal's degenerate vertices become one site.
    """
    near = (atoms_nm[:, 2] > z_range_nm[0] - _MARGIN_NM) & (atoms_nm[:, 2] < z_range_nm[1] + _MARGIN_NM)
    vertices = Voronoi(_with_images(atoms_nm[near], cell_nm)).vertices
    inside = (vertices[:, 2] >= z_range_nm[0]) & (vertices[:, 2] <= z_range_nm[1])
    for axis, length in enumerate(cell_nm):
        inside &= (vertices[:, axis] > -merge_nm) & (vertices[:, axis] < length + merge_nm)
    candidates = wrap(vertices[inside], cell_nm)
    distance = np.asarray(periodic_tree(atoms_nm, cell_nm).query(candidates)[0])
    wide = distance >= radius_nm
    candidates, distance = candidates[wide], distance[wide]
    # Ties between equal voids are broken by place, not by rounding errors of the tessellation.
    order = np.lexsort((*np.round(candidates.T[:2], 4), np.round(candidates[:, 2], 4), -np.round(distance, 4)))
    candidates = candidates[order]
    voids = candidates[_thinned(periodic_tree(candidates, cell_nm), merge_nm)]
    return voids[np.lexsort(np.round(voids.T, 6))]


def _thinned(tree: cKDTree, apart_nm: float) -> NDArray[np.intp]:
    """Indices of points, taken in order, that have no earlier kept point within ``apart_nm``."""
    free = np.ones(tree.n, dtype=bool)
    kept = []
    for index, close in enumerate(tree.query_ball_point(tree.data, apart_nm)):
        if free[index]:
            kept.append(index)
            free[close] = False
    return np.array(kept, dtype=np.intp)


def _with_images(atoms_nm: NDArray[np.float64], cell_nm: Pair) -> NDArray[np.float64]:
    """Atoms and their periodic images within a margin around the cell, (M, 3)."""
    points = atoms_nm
    for axis, length in enumerate(cell_nm):
        copies = int(np.ceil(_MARGIN_NM / length))
        shift = np.zeros((2 * copies + 1, 1, 3))
        shift[:, 0, axis] = length * np.arange(-copies, copies + 1)
        points = (points[None] + shift).reshape(-1, 3)
        points = points[(points[:, axis] > -_MARGIN_NM) & (points[:, axis] < length + _MARGIN_NM)]
    return points
