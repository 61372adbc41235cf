"""Neighbours in a crystal, by arithmetic: which unit cells and sites lie within a cutoff, and the edges that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.jit import inner, kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Unsigned = NDArray[np.unsignedinteger]

#: Distances closer to the cutoff than this (relative) are taken as equal to it.
ROUNDING = 1e-12
#: Sites nearer than this (nm) are at one place.
COINCIDENT_NM = 1e-6


def on_the_cutoff(cutoff_nm: float, i: int, j: int) -> KmcError:
    return KmcError(
        f"cutoff_nm is {cutoff_nm}, the distance of sites {i} and {j}: whether they are neighbours would hang on "
        "rounding; choose a cutoff between two shells"
    )


def unit_cell(a_nm: ArrayLike, basis: ArrayLike, repeat: Sequence[int]) -> tuple[Floats, Floats, Ints]:
    """Edges (3,), sites (B, 3) and numbers of unit cells (3,), checked."""
    edges, sites, cells = np.array(a_nm, dtype=float), np.array(basis, dtype=float), np.asarray(repeat)
    if edges.shape != (3,) or not np.all(np.isfinite(edges)) or np.any(edges <= 0):
        raise KmcError(f"a_nm is {edges.tolist()}; three finite lengths above 0 are needed")
    if sites.ndim != 2 or sites.shape[1] != 3 or not len(sites):
        raise KmcError(f"basis has shape {sites.shape}; (B, 3) with B > 0 is needed")
    outside = ~((sites >= 0.0) & (sites < 1.0))
    if np.any(outside):
        raise KmcError(f"basis holds {sites[outside][0]}; fractions from 0 to below 1 are needed")
    if cells.shape != (3,) or cells.dtype.kind not in "iu" or np.any(cells < 1):
        raise KmcError(f"repeat is {repeat}; three whole numbers above 0 are needed")
    return edges, sites, cells.astype(np.int64)


class Steps(NamedTuple):
    """The edges that start in one unit cell, sorted by the site they start at, then by the number of the other."""

    row: Ints  # (B + 1,) where the edges of each site of the cell start
    cell: Ints  # (S, 3) how many cells away the other site is
    site: Ints  # (S,) which site it is there
    back: Ints  # (S,) the opposite edge
    vectors_nm: Floats  # (S, 3)


def steps_to_neighbours(
    edges: Floats, sites: Floats, cells: Ints, periodic: tuple[bool, bool, bool], cutoff_nm: float
) -> Steps:
    """The edges from a unit cell, without those that no open lattice of so few cells has."""
    reach = np.floor(cutoff_nm * (1.0 + ROUNDING) / edges).astype(np.int64) + 1
    reach = np.where(periodic, reach, np.minimum(reach, cells - 1))
    away = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    per_site = []
    for own in range(len(sites)):
        vectors = (away + (sites - sites[own])) * edges
        length = np.linalg.norm(vectors, axis=2)
        length[len(away) // 2, own] = np.inf
        edge = np.argwhere(np.abs(length - cutoff_nm) <= ROUNDING * cutoff_nm)
        if len(edge):
            raise on_the_cutoff(cutoff_nm, *_example(away[edge[0, 0], 0], own, edge[0, 1], len(sites), cells))
        if length.min() < COINCIDENT_NM:
            step, other = divmod(int(np.argmin(length)), len(sites))
            i, j = _example(away[step, 0], own, other, len(sites), cells)
            raise KmcError(f"sites {i} and {j} coincide; basis holds two sites at one place")
        step, site = np.nonzero(length < cutoff_nm)
        per_site.append((away[step, 0], site, vectors[step, site]))
    cell, site = np.concatenate([part[0] for part in per_site]), np.concatenate([part[1] for part in per_site])
    origin = np.repeat(np.arange(len(sites)), [len(part[1]) for part in per_site])
    number = {key: k for k, key in enumerate(zip(origin.tolist(), site.tolist(), *cell.T.tolist(), strict=True))}
    back = [number[j, i, -x, -y, -z] for i, j, x, y, z in number]
    row = np.concatenate(([0], np.cumsum(np.bincount(origin, minlength=len(sites)))))
    vectors = np.concatenate([part[2] for part in per_site])
    return Steps(row, cell, site, np.array(back, dtype=np.int64), vectors)


def _example(away: Ints, own: int, other: int, in_cell: int, cells: Ints) -> tuple[int, int]:
    """The numbers of two sites that an edge of the unit cell joins."""
    first = np.where(away < 0, cells - 1, 0)
    here, there = (np.ravel_multi_index(tuple(cell), tuple(cells)) for cell in (first, (first + away) % cells))
    return int(here) * in_cell + own, int(there) * in_cell + other


@inner
def _exists(cells: Ints, open_ends: NDArray[np.bool_], away: Ints, step: int, x: int, y: int, z: int) -> bool:
    """Whether a step from this cell stays in the lattice."""
    return not (
        (open_ends[0] and (x + away[step, 0] < 0 or x + away[step, 0] >= cells[0]))
        or (open_ends[1] and (y + away[step, 1] < 0 or y + away[step, 1] >= cells[1]))
        or (open_ends[2] and (z + away[step, 2] < 0 or z + away[step, 2] >= cells[2]))
    )


@inner
def _wrapped(place: int, cells: int) -> int:
    """A place no more than one period outside, inside."""
    return place + cells if place < 0 else place - cells if place >= cells else place


@kernel
def count_edges(cells: Ints, open_ends: NDArray[np.bool_], row: Ints, away: Ints, start: Ints) -> None:
    """Write where the edges of each site start."""
    site = 0
    for x in range(cells[0]):
        for y in range(cells[1]):
            for z in range(cells[2]):
                for own in range(len(row) - 1):
                    count = 0
                    for step in range(row[own], row[own + 1]):
                        if _exists(cells, open_ends, away, step, x, y, z):
                            count += 1
                    start[site + 1] = start[site] + count
                    site += 1


@kernel
def fill_edges(
    cells: Ints,
    open_ends: NDArray[np.bool_],
    row: Ints,
    away: Ints,
    to: Ints,
    back: Ints,
    vector_of: Unsigned,
    start: Ints,
    target: Ints32,
    reverse: Ints32,
    vector: Unsigned,
) -> None:
    """Write the edges of every site."""
    in_cell = len(row) - 1
    edge = 0
    for x in range(cells[0]):
        for y in range(cells[1]):
            for z in range(cells[2]):
                for step in range(row[in_cell]):
                    if not _exists(cells, open_ends, away, step, x, y, z):
                        continue
                    tx = _wrapped(x + away[step, 0], cells[0])
                    ty = _wrapped(y + away[step, 1], cells[1])
                    tz = _wrapped(z + away[step, 2], cells[2])
                    there = to[step]
                    site = ((tx * cells[1] + ty) * cells[2] + tz) * in_cell + there
                    before = back[step] - row[there]  # edges of the other site before the opposite one
                    if start[site + 1] - start[site] < row[there + 1] - row[there]:
                        before = 0
                        for other in range(row[there], back[step]):
                            if _exists(cells, open_ends, away, other, tx, ty, tz):
                                before += 1
                    target[edge] = site
                    reverse[edge] = start[site] + before
                    vector[edge] = vector_of[step]
                    edge += 1
