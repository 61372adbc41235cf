"""Which members of a filament (vacancies, atoms) hang together, and which of those touch an electrode."""

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
    touch_nm: float | None = None,
) -> NDArray[np.int64]:
    """What each of the sites is connected to: (N,) of ``ISOLATED``, ``BOTTOM``, ``TOP``, ``BRIDGE``.

    Sites (N, 3) in nm closer than ``neighbour_nm`` belong to one cluster, across the box edges of the directions that
    are ``periodic`` (edge lengths ``cell_nm``). A cluster touches an electrode when one of its sites is closer than
    ``touch_nm`` (``neighbour_nm`` unless given) to the plane z = ``bottom_nm`` or z = ``top_nm``.
    """
    count = len(positions_nm)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    labels = cluster_labels(positions_nm, cell_nm=cell_nm, periodic=periodic, neighbour_nm=neighbour_nm)
    height, touch = positions_nm[:, 2], neighbour_nm if touch_nm is None else touch_nm
    touches = np.zeros((labels.max() + 1, 2), dtype=bool)
    touches[labels[height < bottom_nm + touch], 0] = True
    touches[labels[height > top_nm - touch], 1] = True
    return np.asarray((touches * [BOTTOM, TOP]).sum(axis=1)[labels], dtype=np.int64)


def size_ranks(labels: NDArray[np.integer], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rank by size (0: the largest) of the cluster of each ``chosen`` site, (N,); -1 for others and for lone sites.

    Each cluster is chosen as a whole or not at all; of two of one size the one with the lower label comes first.
    """
    names, sizes = np.unique(labels[chosen], return_counts=True)
    ranks = np.full(int(labels.max(initial=-1)) + 1, -1, dtype=np.int64)
    order = names[np.argsort(-sizes, kind="stable")]
    several = int(np.count_nonzero(sizes > 1))
    ranks[order[:several]] = np.arange(several)
    return ranks[labels]


def cluster_labels(
    positions_nm: NDArray[np.float64],
    *,
    cell_nm: Sequence[float] = (),
    periodic: Sequence[bool] = (False, False, False),
    neighbour_nm: float = NEIGHBOUR_NM,
) -> NDArray[np.int32]:
    """Number of the cluster to which each of the sites (N, 3) belongs; arguments as for :func:`connectivity`."""
    positions = np.asarray(positions_nm, dtype=np.float64).reshape(-1, 3)
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
