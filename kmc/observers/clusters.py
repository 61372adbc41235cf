"""Clusters of occupied sites: which hang together, which touch which electrode, and where a filament is narrowest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from kmc.errors import KmcError
from kmc.observers.cadence import Cadence
from kmc.observers.files import species_mask
from kmc.observers.observer import Observed, Observer
from kmc.process import hint
from kmc.sites import SiteGraph

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Connected sets of the sites of a mask, numbered from the largest (equal ones by their lowest site).

    Attributes:
        labels: (N,) number of the cluster of each site, -1 outside the mask.
        sizes: (C,) sites in each cluster, falling.
        touches: electrode -> (C,) whether a site of the cluster lies in the electrode's mask.
    """

    labels: Ints
    sizes: Ints
    touches: Mapping[str, Mask]

    def __len__(self) -> int:
        """The number of clusters."""
        return len(self.sizes)

    @property
    def percolating(self) -> Ints:
        """Numbers of the clusters that touch every electrode; none where no electrode was given."""
        if not self.touches:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(np.all(list(self.touches.values()), axis=0))

    @property
    def percolates(self) -> bool:
        """Whether one cluster touches every electrode."""
        return len(self.percolating) > 0

    def members(self, number: int) -> Ints:
        """Sites of one cluster.

        Raises:
            KmcError: when there is no such cluster.
        """
        if not 0 <= number < len(self):
            raise KmcError(f"cluster {number}: clusters are numbered 0..{len(self) - 1}")
        return np.flatnonzero(self.labels == number)


@dataclass(frozen=True, eq=False)
class Cut:
    """The narrowest cross-section between two electrodes.

    Attributes:
        size: the smallest number of sites whose removal leaves no path; 0 where there is none.
        sites: (size,) one such set (of several, the one nearest to the first electrode).
    """

    size: int
    sites: Ints


def find_clusters(
    sites: SiteGraph,
    mask: ArrayLike,
    *,
    electrodes: Mapping[str, ArrayLike] | None = None,
    cutoff_nm: float | None = None,
) -> Clusters:
    """Connected components (``scipy.sparse.csgraph``) of the graph between the sites of a mask.

    Args:
        sites: the site graph; its periodic directions wrap.
        mask: (N,) which sites are occupied, for example ``engine.occupation == 1``.
        electrodes: name -> (N,) sites next to (or in) that electrode: a cluster touches it where the two masks overlap.
        cutoff_nm: sites nearer than this are connected; by default those that the site graph joins.

    Raises:
        KmcError: for a mask of another shape, or a cutoff that the site graph would refuse.
    """
    members, graph, contacts = _graph(sites, mask, electrodes or {}, cutoff_nm)
    count, found = connected_components(graph, directed=False) if len(members) else (0, np.zeros(0, dtype=int))
    sizes = np.bincount(found, minlength=count)
    first = np.unique(found, return_index=True)[1]
    order = np.lexsort((first, -sizes))
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    labels = np.full(len(sites), -1, dtype=np.int64)
    labels[members] = rank[found]
    touches = {}
    for name, contact in contacts.items():
        touches[name] = np.zeros(count, dtype=bool)
        touches[name][rank[found[contact]]] = True
    return Clusters(labels, sizes[order].astype(np.int64), touches)


def narrowest_cut(
    sites: SiteGraph,
    mask: ArrayLike,
    electrodes: Mapping[str, ArrayLike],
    *,
    between: tuple[str, str] | None = None,
    cutoff_nm: float | None = None,
) -> Cut:
    """The smallest set of occupied sites whose removal disconnects two electrodes; exact.

    By Menger's theorem (Fund. Math. 10, 96 (1927)) it is as large as the largest set of paths without a common site:
    the maximum flow (``scipy.sparse.csgraph.maximum_flow``) where each site is split into an entry and an exit joined
    by an edge of capacity 1, and all others have no limit. Sites next to an electrode count and can be removed as well.

    Args:
        sites, mask, electrodes, cutoff_nm: as for :func:`find_clusters`.
        between: the two electrodes; by default the two that are given.

    Raises:
        KmcError: as :func:`find_clusters`, and for anything but two known electrodes.
    """
    pair = tuple(electrodes) if between is None else tuple(between)
    for name in pair:
        if name not in electrodes:
            raise KmcError(f"between: no electrode is called {name!r}; known are {hint(name, list(electrodes))}")
    if len(set(pair)) != 2 or len(pair) != 2:
        raise KmcError(f"between is {pair}; two different electrodes are needed")
    first, second = pair
    clusters = find_clusters(sites, mask, electrodes={name: electrodes[name] for name in pair}, cutoff_nm=cutoff_nm)
    joining = np.isin(clusters.labels, clusters.percolating)
    if not joining.any():
        return Cut(0, np.zeros(0, dtype=np.int64))
    members, graph, contacts = _graph(sites, joining, {name: electrodes[name] for name in pair}, cutoff_nm)
    count = len(members)
    source, sink = 2 * count, 2 * count + 1
    entry, leave = np.arange(count), np.arange(count) + count
    joined = graph.tocoo()
    starts = np.concatenate((entry, joined.row + count, np.full(len(contacts[first]), source), leave[contacts[second]]))
    ends = np.concatenate((leave, joined.col, entry[contacts[first]], np.full(len(contacts[second]), sink)))
    capacity = np.full(len(starts), count + 1, dtype=np.int32)
    capacity[:count] = 1
    network = csr_array((capacity, (starts, ends)), shape=(2 * count + 2, 2 * count + 2))
    result = maximum_flow(network, source, sink)
    rest = network - result.flow
    rest.eliminate_zeros()
    reached = np.zeros(2 * count + 2, dtype=bool)
    reached[breadth_first_order(rest, source, return_predecessors=False)] = True
    return Cut(int(result.flow_value), members[reached[entry] & ~reached[leave]])


def layer_counts(
    sites: SiteGraph, mask: ArrayLike, layer_nm: float, *, axis: int = 2
) -> tuple[NDArray[np.float64], Ints]:
    """Occupied sites in each layer across an axis.

    Args:
        sites: the site graph.
        mask: (N,) which sites are occupied.
        layer_nm: thickness of a layer; the lowest site lies in the middle of the first one, so that with the distance
            of two lattice planes every plane is one layer.
        axis: 0, 1 or 2 for x, y, z.

    Returns:
        Middles of the layers (L,) nm, and the occupied sites in each (L,), from the lowest to the highest site of the
        graph; a layer without any is counted too.

    Raises:
        KmcError: for a wrong shape, thickness or axis.
    """
    occupied = _checked(mask, len(sites), "mask")
    if not (np.isfinite(layer_nm) and layer_nm > 0.0):
        raise KmcError(f"layer_nm is {layer_nm}; a length above 0 is needed")
    if axis not in (0, 1, 2):
        raise KmcError(f"axis is {axis}; allowed are 0, 1, 2")
    height = sites.positions_nm[:, axis]
    layer = np.floor((height - height.min()) / layer_nm + 0.5).astype(np.int64)
    count = np.bincount(layer[occupied], minlength=int(layer.max()) + 1)
    return height.min() + layer_nm * np.arange(len(count)), count.astype(np.int64)


def thinnest_layer(sites: SiteGraph, mask: ArrayLike, layer_nm: float, *, axis: int = 2) -> int:
    """The smallest number of occupied sites in a layer between the lowest and the highest occupied one; 0 without any.

    The simple figure beside :func:`narrowest_cut`: it sees only cuts across the axis, and counts dead ends in.
    """
    _, count = layer_counts(sites, mask, layer_nm, axis=axis)
    filled = np.flatnonzero(count)
    return int(count[filled[0] : filled[-1] + 1].min()) if len(filled) else 0


class ClusterSeries(Observer):
    """Clusters of one or more species against time.

    Args:
        cadence: when to look.
        species: names that make up the clusters.
        electrodes: name -> (N,) masks; with exactly two, the narrowest cut between them is found too.
        cutoff_nm: as for :func:`find_clusters`.
    """

    def __init__(
        self,
        cadence: Cadence,
        species: str | Sequence[str],
        electrodes: Mapping[str, ArrayLike] | None = None,
        *,
        cutoff_nm: float | None = None,
    ) -> None:
        super().__init__(cadence)
        self.species, self.electrodes, self.cutoff_nm = species, dict(electrodes or {}), cutoff_nm
        self._rows: list[tuple[float, int, int, int, bool, int]] = []

    def look(self, engine: Observed) -> None:
        """Find the clusters now."""
        mask = species_mask(engine.model, engine.occupation, self.species, "ClusterSeries")
        found = find_clusters(engine.sites, mask, electrodes=self.electrodes, cutoff_nm=self.cutoff_nm)
        cut = -1
        if len(self.electrodes) == 2:
            cut = narrowest_cut(engine.sites, mask, self.electrodes, cutoff_nm=self.cutoff_nm).size
        largest = int(found.sizes[0]) if len(found) else 0
        self._rows.append((engine.time_s, engine.n_events, len(found), largest, found.percolates, cut))

    @property
    def time_s(self) -> NDArray[np.float64]:
        """(T,) times, s."""
        return np.array([row[0] for row in self._rows], dtype=float)

    @property
    def n_events(self) -> Ints:
        """(T,) events executed."""
        return self._whole(1)

    @property
    def number(self) -> Ints:
        """(T,) clusters."""
        return self._whole(2)

    @property
    def largest(self) -> Ints:
        """(T,) sites of the largest cluster."""
        return self._whole(3)

    @property
    def percolates(self) -> Mask:
        """(T,) whether one cluster touches all electrodes."""
        return np.array([row[4] for row in self._rows], dtype=bool)

    @property
    def narrowest(self) -> Ints:
        """(T,) sites of the narrowest cut between two electrodes, 0 without a path.

        Raises:
            KmcError: when the number of electrodes is not two.
        """
        if len(self.electrodes) != 2:
            raise KmcError(f"a cut needs two electrodes; given are {hint('', list(self.electrodes))}")
        return self._whole(5)

    def _whole(self, column: int) -> Ints:
        return np.array([row[column] for row in self._rows], dtype=np.int64)


def _checked(values: ArrayLike, count: int, what: str) -> Mask:
    array = np.asarray(values)
    if array.shape != (count,) or array.dtype != np.bool_:
        raise KmcError(f"{what} has shape {array.shape} and type {array.dtype}; ({count},) of bool is needed")
    return array


def _graph(
    sites: SiteGraph, mask: ArrayLike, electrodes: Mapping[str, ArrayLike], cutoff_nm: float | None
) -> tuple[Ints, csr_array, dict[str, Ints]]:
    """Members of the mask (M,), their adjacency (M, M) and, by electrode, which of them (indices below M) touch it."""
    occupied = _checked(mask, len(sites), "mask")
    members = np.flatnonzero(occupied)
    contacts = {
        name: np.flatnonzero(_checked(values, len(sites), f"electrode {name!r}")[members])
        for name, values in electrodes.items()
    }
    if cutoff_nm is not None and len(members):
        near = SiteGraph.from_positions(
            sites.positions_nm[members], cutoff_nm=cutoff_nm, cell_nm=sites.cell_nm, periodic=sites.periodic
        )
        origin, target = np.repeat(np.arange(len(members)), np.diff(near.start)), near.target
    else:
        degree = sites.start[members + 1] - sites.start[members]
        origin = np.repeat(np.arange(len(members)), degree)
        # edge numbers of all members, one row after the other
        edge = np.arange(degree.sum()) + np.repeat(sites.start[members] - (np.cumsum(degree) - degree), degree)
        number = np.full(len(sites), -1, dtype=np.int64)
        number[members] = np.arange(len(members))
        target = number[sites.target[edge]]
        origin, target = origin[target >= 0], target[target >= 0]
    ones = np.ones(len(origin), dtype=np.int8)
    shape = (len(members), len(members))
    graph = csr_array((ones, (origin, np.asarray(target, dtype=np.int64))), shape=shape)
    graph.data[:] = 1  # two edges to images of one site were added up
    return members, graph, contacts
