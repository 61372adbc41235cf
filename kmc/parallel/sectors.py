"""The local graph of a rank, its sectors, and whether sectors of neighbouring ranks keep apart.

Every pair of neighbouring sites belongs to one sector: that of its sites with the lower number. So an event across the
border of two sectors and its reverse happen in the same sector step, and each step on its own obeys detailed balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.model import Model
from kmc.parallel import kernels
from kmc.parallel.halo import Halo
from kmc.parallel.part import Part, cuts
from kmc.process import PAIR
from kmc.sites import SiteGraph

if TYPE_CHECKING:
    from mpi4py import MPI

Ints = NDArray[np.int64]
Indices = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Local:
    """A rank's sites: first those it owns, sector by sector, then the ghosts.

    Attributes:
        sites: their graph.
        index: (n,) global numbers; owner: (n,) ranks; owned: how many are owned here.
        order: (owned,) where each owned site stands in arrays of owned sites (ascending global numbers).
        bounds: (K + 1,) where each sector begins.
        edges: which edge of the part each local edge is, -1 for those that fill up.
    """

    sites: SiteGraph
    index: Ints
    owner: Indices
    owned: int
    order: Ints
    bounds: Ints
    edges: Indices


@dataclass(frozen=True, eq=False)
class Sector:
    """Sites ``first`` to ``last``, and a rim: sites where events start that end in the sector, and the reverse.

    Events elsewhere can change the species on the sites ``again``, and rates from the sites ``again_kept``.
    """

    first: int
    last: int
    rim: Indices
    again: Indices
    again_kept: Indices


_NONE = np.zeros(0, dtype=np.int32)

#: No sites.
CLOSED = Sector(0, 0, _NONE, _NONE, _NONE)


class Reach:
    """Over which edges events go, and over which they are felt (V,), by the vector of the edge."""

    def __init__(self, sites: SiteGraph, model: Model) -> None:
        length = sites.vector_length_nm
        self.hops = np.zeros(len(length), dtype=bool)
        self.felt = np.zeros(len(length), dtype=bool)
        for process in model.processes:
            if process.kind == PAIR:
                self.hops |= length < (np.inf if process.within_nm is None else process.within_nm)
        for pair in model.pair_energies:
            self.felt |= (length > pair.beyond_nm) & (length < (np.inf if pair.within_nm is None else pair.within_nm))
        self.hops_nm = float(length[self.hops].max(initial=0.0))
        self.felt_nm = float(length[self.felt].max(initial=0.0))

    def around(self, sites: SiteGraph, inside: Flags, reaches: Flags) -> Flags:
        """The sites and their neighbours over such edges."""
        out = inside.copy()
        kernels.dilate(sites.start, sites.target, sites.vector, reaches, inside, out)
        return out


def localise(part: Part, reach: Reach, split: Sequence[bool]) -> Local:
    """Owned sites by sector, and as many ghosts as events and energies reach."""
    whole = part.sites
    owned = part.owner == part.rank
    if not owned.any():
        raise KmcError(f"rank {part.rank} owns no sites; take fewer ranks")
    keep = reach.around(whole, reach.around(whole, owned, reach.hops), reach.felt)
    mine = np.flatnonzero(owned)
    mine = mine[np.argsort(part.index[mine])]
    colour = np.zeros(len(mine), dtype=np.int64)
    for axis in np.flatnonzero(split):
        along = whole.positions_nm[mine, axis]
        colour = 2 * colour + np.digitize(along, cuts(along, 2))
    by_colour = np.argsort(colour, kind="stable")
    ghosts = np.flatnonzero(keep & ~owned)
    ghosts = ghosts[np.argsort(part.index[ghosts])]
    chosen = np.concatenate([mine[by_colour], ghosts])
    number = np.bincount(colour, minlength=2 ** int(np.sum(np.asarray(split, dtype=bool))))
    sites, edges = piece(whole, chosen, len(mine))
    return Local(
        sites, part.index[chosen], part.owner[chosen], len(mine), by_colour,
        np.concatenate([[0], np.cumsum(number)]).astype(np.int64), edges,
    )  # fmt: skip


def piece(sites: SiteGraph, chosen: Ints, owned: int) -> tuple[SiteGraph, Indices]:
    """The graph of some sites in this order, with the edges between them, and which edge each was (-1: none).

    Where the first ``owned`` sites all have the same number of neighbours, the others get edges to themselves up to
    that number, which no event ever takes: kernels are faster where all sites have as many.
    """
    number = np.full(len(sites), -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    start = np.zeros(len(chosen) + 1, dtype=np.int64)
    kernels.count_inside(sites.start, sites.target, number, chosen, start)
    degrees = np.diff(start)
    degree = int(degrees[:owned].max(initial=0))
    if degrees[:owned].min(initial=degree) == degrees.max(initial=0) == degree:
        start = degree * np.arange(len(chosen) + 1)
    edges = int(start[-1])
    target = np.repeat(np.arange(len(chosen), dtype=np.int32), np.diff(start))
    old, new = np.full(edges, -1, dtype=np.int32), np.empty(sites.n_edges, dtype=np.int32)
    kernels.fill_inside(sites.start, sites.target, number, chosen, start, old, new, target)
    there = np.flatnonzero(old >= 0)
    reverse, vector = np.arange(edges, dtype=np.int32), np.zeros(edges, dtype=sites.vector.dtype)
    reverse[there], vector[there] = new[sites.reverse[old[there]]], sites.vector[old[there]]
    graph = SiteGraph(
        sites.positions_nm[chosen], sites.cell_nm, sites.periodic, sites.sublattice[chosen], sites.region[chosen],
        start, target, reverse, vector, sites.vectors_nm, sites.vector_length_nm, sites.opposite,
    )  # fmt: skip
    return graph, old


def sectors(comm: MPI.Comm, local: Local, reach: Reach, halo: Halo) -> tuple[list[Sector], list[Flags]]:
    """The sectors of this rank, and by sector which local sites its events can change.

    Raises:
        KmcError: on all ranks, when an event of one rank could change what another reads in the same step.
    """
    colour = np.zeros(len(local.index), dtype=np.int16)
    for number, (first, last) in enumerate(zip(local.bounds.tolist(), local.bounds.tolist()[1:], strict=False)):
        colour[first:last] = number
    halo.fill(colour)
    rims: list[Indices] = []
    changeable: list[Flags] = []
    touching = 0
    spans = list(zip(local.bounds.tolist(), local.bounds.tolist()[1:], strict=False))
    for number, (first, last) in enumerate(spans):
        inside = np.zeros(len(local.index), dtype=bool)
        inside[first:last] = True
        near = reach.around(local.sites, inside, reach.hops) & ~inside
        changes = inside | (near & (colour >= number))
        read = reach.around(local.sites, changes, reach.felt)
        mark = read.astype(np.int8) + changes
        users, changers = (mark > 0).astype(np.int64), (mark > 1).astype(np.int64)
        for sites, theirs in halo.reports(mark):
            users[sites] += theirs > 0
            changers[sites] += theirs > 1
        owned = slice(0, local.owned)
        touching += int(np.count_nonzero((users[owned] > 1) & (changers[owned] > 0)))
        rims.append(np.flatnonzero(changes & ~inside).astype(np.int32))
        changeable.append(changes)
    touching = comm.allreduce(touching)
    if touching:
        width = 2.0 * (2.0 * reach.hops_nm + reach.felt_nm)
        raise KmcError(
            f"the domains of {comm.size} ranks are too small: events of sectors that run at the same time meet at "
            f"{touching} sites; along each direction that is cut, a rank needs more than 2 x (2 x {reach.hops_nm:g} nm "
            f"of hops + {reach.felt_nm:g} nm of pair energies) = {width:g} nm; take fewer ranks or another grid"
        )
    found = []
    for number, (first, last) in enumerate(spans):
        elsewhere = np.zeros(len(local.index), dtype=bool)
        elsewhere[halo.shared] = True
        for other, changes in enumerate(changeable):
            if other != number:
                elsewhere |= changes
        kept = reach.around(local.sites, reach.around(local.sites, elsewhere, reach.felt), reach.hops)
        own = changeable[number]
        again, again_kept = np.flatnonzero(own & elsewhere), np.flatnonzero(own & kept)
        found.append(Sector(first, last, rims[number], again.astype(np.int32), again_kept.astype(np.int32)))
    return found, changeable
