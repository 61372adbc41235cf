"""Which sites a rank owns: domain decomposition of a site graph, or of a crystal that no rank ever holds as a whole.

The cell is cut into a grid of boxes, one for each rank. A rank's :class:`Part` is a piece of the graph with the sites
of its box and those that events in the box can reach or feel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.sites import SiteGraph

if TYPE_CHECKING:
    from mpi4py import MPI

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Grid = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Part:
    """A rank's piece of a site graph.

    Attributes:
        sites: the graph of the piece, with the cell and the periodic directions of the whole.
        index: (n,) number of each site in the whole graph.
        owner: (n,) rank that owns it.
        count: sites of the whole graph.
        grid: boxes along each direction; rank ``(x * gy + y) * gz + z`` has box (x, y, z).
        rank: whose piece it is.
    """

    sites: SiteGraph
    index: Ints
    owner: NDArray[np.int32]
    count: int
    grid: Grid
    rank: int

    @property
    def owned(self) -> Ints:
        """Numbers of the sites that this rank owns, in ascending order: the order of all arrays of owned sites."""
        return np.sort(self.index[self.owner == self.rank])


def grid_for(ranks: int, lengths_nm: ArrayLike, periodic: Sequence[bool]) -> Grid:
    """The grid of boxes with the least surface between them: 1-D, 2-D or 3-D, as the shape of the cell asks for."""
    length = np.asarray(lengths_nm, dtype=float)
    best: tuple[float, Grid] | None = None
    for x in range(1, ranks + 1):
        for y in range(1, ranks // x + 1):
            if ranks % (x * y):
                continue
            grid = (x, y, ranks // (x * y))
            surface = 0.0
            for axis in range(3):
                cuts = 0 if grid[axis] == 1 else grid[axis] - (0 if periodic[axis] else 1)
                surface += cuts * np.prod(np.maximum(np.delete(length, axis), 1e-9))
            if best is None or surface < best[0] * (1.0 - 1e-9):
                best = surface, grid
    assert best is not None
    return best[1]


def part_of_graph(comm: MPI.Comm, sites: SiteGraph, grid: Sequence[int] | None = None) -> Part:
    """This rank's part of a graph that every rank holds; the boxes have about as many sites each.

    Raises:
        KmcError: when the grid has another number of boxes than there are ranks, or more boxes than layers of sites.
    """
    boxes = _grid(comm.size, grid, sites.cell_nm, sites.periodic)
    place = np.zeros(len(sites), dtype=np.int32)
    for axis in range(3):
        along = np.digitize(sites.positions_nm[:, axis], cuts(sites.positions_nm[:, axis], boxes[axis]))
        place = (place * boxes[axis] + along).astype(np.int32)
    return Part(sites, np.arange(len(sites)), place, len(sites), boxes, comm.rank)


def part_of_lattice(
    comm: MPI.Comm,
    a_nm: ArrayLike,
    basis: ArrayLike,
    repeat: Sequence[int],
    *,
    cutoff_nm: float,
    periodic: Sequence[bool] = (True, True, True),
    sublattice: ArrayLike | None = None,
    grid: Sequence[int] | None = None,
) -> Part:
    """This rank's part of the crystal of :meth:`kmc.SiteGraph.from_lattice`, built without the rest.

    Arguments as there; ``repeat`` is that of the whole crystal, which may have more than 2^31 sites. Sites have the
    same numbers, positions and edges as in the whole graph.

    Raises:
        KmcError: as there, or when a box has fewer unit cells than two cutoffs need.
    """
    edges, cells = np.array(a_nm, dtype=float), np.asarray(repeat, dtype=np.int64)
    boxes = _grid(comm.size, grid, edges * cells, periodic)
    margin = np.ceil(2.0 * cutoff_nm / edges).astype(np.int64)
    place = np.unravel_index(comm.rank, boxes)
    along, ranks, wraps = [], [], []
    for axis in range(3):
        n, parts = int(cells[axis]), boxes[axis]
        limits = np.arange(parts + 1) * n // parts
        low, high = limits[place[axis]], limits[place[axis] + 1]
        if parts > 1:
            low, high = low - margin[axis], high + margin[axis]
            if not periodic[axis]:
                low, high = max(low, 0), min(high, n)
            if high - low > n or np.diff(limits).min() < margin[axis]:
                raise KmcError(
                    f"{n} unit cells along axis {axis} are too few for {parts} ranks: each needs "
                    f"{2 * margin[axis]} or more; take fewer ranks, another grid or a larger crystal"
                )
        here = np.arange(low, high) % n
        along.append(here)
        ranks.append(np.searchsorted(limits, here, side="right") - 1)
        wraps.append(bool(periodic[axis]) and parts == 1)
    piece = SiteGraph.from_lattice(
        edges, basis, [len(here) for here in along], cutoff_nm=cutoff_nm, periodic=wraps, sublattice=sublattice
    )
    inside = np.array(basis, dtype=float)
    in_cell = len(inside)
    shape = (*(len(here) for here in along), in_cell)
    x, y, z = along[0][:, None, None], along[1][None, :, None], along[2][None, None, :]
    index = ((x * cells[1] + y) * cells[2] + z)[..., None] * in_cell + np.arange(in_cell)
    owner = (ranks[0][:, None, None] * boxes[1] + ranks[1][None, :, None]) * boxes[2] + ranks[2][None, None, :]
    positions = np.empty((*shape, 3))
    for axis in range(3):
        cell = along[axis].reshape([-1 if k == axis else 1 for k in range(4)])
        positions[..., axis] = (cell + inside[:, axis]) * edges[axis]  # the rounding of the whole graph
    whole = (bool(periodic[0]), bool(periodic[1]), bool(periodic[2]))
    sites = replace(
        piece, positions_nm=positions.reshape(-1, 3), periodic=whole,
        cell_nm=np.where(whole, edges * cells, piece.cell_nm),
    )  # fmt: skip
    owners = np.broadcast_to(owner[..., None], shape).ravel().astype(np.int32)
    return Part(sites, index.ravel(), owners, in_cell * int(np.prod(cells.astype(object))), boxes, comm.rank)


def cuts(coordinate: Floats, parts: int) -> Floats:
    """Where to cut so that each of the parts has about as many coordinates; between layers, never through one.

    Raises:
        KmcError: when there are fewer layers than parts.
    """
    if parts == 1:
        return np.zeros(0)
    layers = np.sort(coordinate)
    steps = np.flatnonzero(np.diff(layers) > 1e-6)  # the last of each layer
    if len(steps) + 1 < parts:
        raise KmcError(f"{len(steps) + 1} layers of sites cannot be cut into {parts} parts; take fewer ranks")
    chosen: list[int] = []
    for part in range(1, parts):
        nearest = int(np.argmin(np.abs(steps + 1 - part * len(layers) / parts)))
        lowest, highest = chosen[-1] + 1 if chosen else 0, len(steps) - (parts - part)
        chosen.append(min(max(nearest, lowest), highest))
    last = steps[chosen]
    return 0.5 * (layers[last] + layers[last + 1])


def _grid(ranks: int, grid: Sequence[int] | None, lengths_nm: Floats, periodic: Sequence[bool]) -> Grid:
    if grid is None:
        return grid_for(ranks, lengths_nm, periodic)
    if len(grid) != 3 or any(n < 1 for n in grid) or int(np.prod(grid)) != ranks:
        raise KmcError(f"grid is {grid}; three whole numbers whose product is the number of ranks, {ranks}, are needed")
    return int(grid[0]), int(grid[1]), int(grid[2])
