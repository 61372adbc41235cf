"""Which vacancies hang together, and which of those touch an electrode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

#: What a cluster touches: nothing, the bottom electrode, the top electrode, both (a bridge).
ISOLATED, BOTTOM, TOP, BRIDGE = 0, 1, 2, 3
#: Neighbour distance (nm): nearest neighbours of the oxygen sublattice (0.254 nm) and not the second (0.359 nm).
NEIGHBOUR_NM = 0.30


def connectivity(
    positions_nm: NDArray[np.float64],
    bottom_nm: float,
    top_nm: float,
    *,
    cell_nm: Sequence[float] = (),
    periodic: Sequence[bool] = (False, False, False),
    neighbour_nm: float = NEIGHBOUR_NM,
) -> NDArray[np.int64]:
    """What each of the sites is connected to: (N,) of ``ISOLATED``, ``BOTTOM``, ``TOP``, ``BRIDGE``.

    Sites (N, 3) in nm closer than ``neighbour_nm`` belong to one cluster, across the box edges of the directions that
    are ``periodic`` (edge lengths ``cell_nm``). A cluster touches an electrode when one of its sites is closer than
    ``neighbour_nm`` to the plane z = ``bottom_nm`` or z = ``top_nm``.
    """
    count = len(positions_nm)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    labels = _labels(np.asarray(positions_nm, dtype=np.float64), cell_nm, periodic, neighbour_nm)
    height = positions_nm[:, 2]
    touches = np.zeros((labels.max() + 1, 2), dtype=bool)
    touches[labels[height < bottom_nm + neighbour_nm], 0] = True
    touches[labels[height > top_nm - neighbour_nm], 1] = True
    return np.asarray((touches * [BOTTOM, TOP]).sum(axis=1)[labels], dtype=np.int64)


def _labels(
    positions: NDArray[np.float64], cell_nm: Sequence[float], periodic: Sequence[bool], neighbour_nm: float
) -> NDArray[np.int32]:
    boxsize = np.zeros(3)
    for axis, wrapped in enumerate(periodic):
        if wrapped:
            boxsize[axis] = cell_nm[axis]
    wraps = boxsize > 0
    if wraps.any():
        positions = positions.copy()
        positions[:, wraps] %= boxsize[wraps]
        positions[:, wraps] = np.where(positions[:, wraps] >= boxsize[wraps], 0.0, positions[:, wraps])
    pairs = cKDTree(positions, boxsize=boxsize if wraps.any() else None).query_pairs(
        neighbour_nm, output_type="ndarray"
    )
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(positions),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1])
