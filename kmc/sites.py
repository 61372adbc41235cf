"""Lattice sites: where particles can be, which sites are neighbours, and how a hop moves charge in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from kmc.errors import KmcError
from kmc.jit import kernel
from kmc.unit_cell import (
    COINCIDENT_NM,
    ROUNDING,
    count_edges,
    fill_edges,
    on_the_cutoff,
    steps_to_neighbours,
    unit_cell,
)

if TYPE_CHECKING:
    from ase import Atoms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Unsigned = NDArray[np.unsignedinteger[Any]]

#: Hop vectors that agree to this (nm) share an entry of the table of vectors.
_SAME_NM = 1e-9
#: With more different vectors than this every edge gets its own; twice as many fit in 16 bits.
_MOST_SHARED = 2**15
#: Sites whose neighbours are looked for at a time.
_CHUNK = 2**17
#: What an int32 counts.
_MOST_EDGES = 2**31 - 1


@dataclass(frozen=True, eq=False)
class SiteGraph:
    """Sites and their neighbour lists in compressed-row form; build it with a class method.

    Neighbours of site ``i`` are ``target[start[i]:start[i + 1]]``; ``reverse`` holds the index of the opposite of each
    directed edge, so that anything drawn per edge can be made equal in both directions. The vector of an edge is
    ``vectors_nm[vector]`` (to the image that is near: where the cell is shorter than two cutoffs, two edges can join
    the same two sites). The few vectors of a crystal are held once each; in a disordered structure every edge has its
    own. The vectors of opposite edges are opposite to the last bit.

    Attributes:
        positions_nm: (N, 3) site positions.
        cell_nm: (3,) edge lengths of the orthorhombic cell.
        periodic: (3,) which directions wrap.
        sublattice: (N,) small integer labels; ``region``: (N,) small integer labels.
        start: (N + 1,) int64; target, reverse: (E,) int32; vector: (E,) unsigned, of 8, 16 or 32 bits.
        vectors_nm: (V, 3); vector_length_nm: (V,); opposite: (V,) where the opposite vector stands.
    """

    positions_nm: Floats
    cell_nm: Floats
    periodic: tuple[bool, bool, bool]
    sublattice: NDArray[np.int16]
    region: NDArray[np.int16]
    start: Ints
    target: Ints32
    reverse: Ints32
    vector: Unsigned
    vectors_nm: Floats
    vector_length_nm: Floats
    opposite: Unsigned

    @classmethod
    def from_positions(
        cls,
        positions_nm: ArrayLike,
        *,
        cutoff_nm: float,
        cell_nm: ArrayLike | None = None,
        periodic: Sequence[bool] = (False, False, False),
        sublattice: ArrayLike | None = None,
        region: ArrayLike | None = None,
    ) -> SiteGraph:
        """Build the graph of all pairs closer than ``cutoff_nm`` with a k-d tree.

        Args:
            positions_nm: (N, 3) positions; periodic coordinates are wrapped into the cell.
            cutoff_nm: neighbours are nearer than this.
            cell_nm: (3,) cell edges; needed along periodic directions.
            periodic: which directions wrap.
            sublattice: (N,) integer labels, 0 by default.
            region: (N,) integer labels, 0 by default.

        Raises:
            KmcError: for wrong shapes, a missing cell, a cutoff that is not positive or that a pair distance equals,
                two sites at one place, a periodic cell so small that a site would be its own neighbour, or more than
                2^31 - 1 edges.
        """
        positions = np.array(positions_nm, dtype=float)
        if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
            raise KmcError(f"positions_nm has shape {positions.shape}; (N, 3) with N > 0 is needed")
        if not np.all(np.isfinite(positions)):
            raise KmcError("positions_nm holds a value that is not finite")
        _check_cutoff(cutoff_nm)
        cell, wraps = _box(positions, cell_nm, periodic, cutoff_nm)
        for axis in np.flatnonzero(wraps):
            positions[:, axis] %= cell[axis]
            positions[positions[:, axis] == cell[axis], axis] = 0.0  # what a tiny negative number is rounded to
        images, parents, cells = _with_images(positions, cell, wraps, cutoff_nm)
        start, image = _near(positions, images, parents, cutoff_nm)
        target = parents[image]
        reverse = np.empty(len(target), dtype=np.int32)
        if not _match(start, target, cells[image], reverse):
            raise KmcError("the neighbour list is not symmetric; choose a cutoff that no pair distance equals")
        vector, table = _hops(positions, images, start, image, reverse, max(_SAME_NM, 1e-12 * cutoff_nm))
        return cls(
            positions_nm=positions,
            cell_nm=cell,
            periodic=wraps,
            sublattice=_labels(sublattice, len(positions), "sublattice"),
            region=_labels(region, len(positions), "region"),
            start=start,
            target=target,
            reverse=reverse,
            vector=vector,
            vectors_nm=table.vectors_nm,
            vector_length_nm=np.linalg.norm(table.vectors_nm, axis=1),
            opposite=table.opposite,
        )

    @classmethod
    def from_lattice(
        cls,
        a_nm: ArrayLike,
        basis: ArrayLike,
        repeat: Sequence[int],
        *,
        cutoff_nm: float,
        periodic: Sequence[bool] = (True, True, True),
        sublattice: ArrayLike | None = None,
        region: ArrayLike | None = None,
    ) -> SiteGraph:
        """Build the graph of an orthorhombic unit cell that is repeated; for many sites, as no pair is searched for.

        The graph is that of :meth:`from_positions` at the same positions, but for the order of the edges of a site.
        Site ``b`` of the unit cell ``(x, y, z)`` has the number ``((x * ny + y) * nz + z) * B + b``.

        Args:
            a_nm: (3,) edge lengths of the unit cell.
            basis: (B, 3) sites of the unit cell, in fractions from 0 to below 1 of its edges.
            repeat: (nx, ny, nz) numbers of unit cells.
            cutoff_nm: neighbours are nearer than this.
            periodic: which directions wrap.
            sublattice: (B,) integer labels of the sites of the unit cell, 0 by default.
            region: (N,) integer labels, 0 by default.

        Raises:
            KmcError: for wrong shapes or values, a cutoff that is not positive or that a pair distance equals, two
                sites at one place, a periodic direction so short that a site would be its own neighbour, or more than
                2^31 - 1 sites or edges.
        """
        edges, sites, cells = unit_cell(a_nm, basis, repeat)
        _check_cutoff(cutoff_nm)
        cell, wraps = _box(sites, edges * cells, periodic, cutoff_nm)
        in_cell, count = len(sites), len(sites) * int(np.prod(cells.astype(object)))
        if count > _MOST_EDGES:
            raise KmcError(f"the lattice has {count} sites; at most {_MOST_EDGES} are possible")
        kinds = np.tile(_labels(sublattice, in_cell, "sublattice"), count // in_cell)
        regions = _labels(region, count, "region")
        steps = steps_to_neighbours(edges, sites, cells, wraps, cutoff_nm)
        forward = np.flatnonzero(np.arange(len(steps.back)) < steps.back)
        table = _shared(steps.vectors_nm[forward], max(_SAME_NM, 1e-12 * cutoff_nm))
        vector_of = np.zeros(len(steps.back), dtype=table.opposite.dtype)
        vector_of[forward], vector_of[steps.back[forward]] = table.number[0::2], table.number[1::2]

        start = np.zeros(count + 1, dtype=np.int64)
        open_ends = ~np.array(wraps)
        count_edges(cells, open_ends, steps.row, steps.cell, start)
        n_edges = _check_edges(int(start[-1]))
        target, reverse = np.empty(n_edges, dtype=np.int32), np.empty(n_edges, dtype=np.int32)
        vector = np.empty(n_edges, dtype=vector_of.dtype)
        fill_edges(
            cells, open_ends, steps.row, steps.cell, steps.site, steps.back, vector_of, start, target, reverse, vector
        )
        positions = np.empty((*cells, in_cell, 3))
        for axis in range(3):
            along = np.arange(cells[axis]).reshape([-1 if k == axis else 1 for k in range(4)])
            positions[..., axis] = (along + sites[:, axis]) * edges[axis]
        return cls(
            positions_nm=positions.reshape(count, 3),
            cell_nm=cell,
            periodic=wraps,
            sublattice=kinds,
            region=regions,
            start=start,
            target=target,
            reverse=reverse,
            vector=vector,
            vectors_nm=table.vectors_nm,
            vector_length_nm=np.linalg.norm(table.vectors_nm, axis=1),
            opposite=table.opposite,
        )

    @classmethod
    def from_atoms(cls, atoms: Atoms, *, cutoff_nm: float, **labels: Any) -> SiteGraph:
        """Build from ASE atoms (Angstrom there, nm here) with an orthorhombic cell; periodicity is that of the atoms.

        Raises:
            KmcError: when the cell is not orthorhombic.
        """
        matrix = np.asarray(atoms.cell.array, dtype=float)
        if np.any(np.abs(matrix - np.diag(np.diag(matrix))) > 1e-9):
            raise KmcError("the cell of the atoms is not orthorhombic; make it so (ase.build.make_supercell) first")
        lengths = np.diag(matrix) / 10.0
        pbc = [bool(flag) and length > 0 for flag, length in zip(atoms.pbc, lengths, strict=True)]
        return cls.from_positions(
            atoms.get_positions() / 10.0,
            cutoff_nm=cutoff_nm,
            cell_nm=lengths if any(pbc) else None,
            periodic=pbc,
            **labels,
        )

    @classmethod
    def from_xyz(cls, path: str, *, cutoff_nm: float, **labels: Any) -> SiteGraph:
        """Read any file that ASE reads (xyz, extxyz, cif, ...) and build the graph of its (last frame's) atoms.

        Raises:
            KmcError: when ASE cannot read it.
        """
        from ase.io import read

        try:
            atoms = read(path)
        except Exception as error:  # whatever its many readers raise
            raise KmcError(f"{path}: no atoms can be read from it ({type(error).__name__}: {error})") from error
        if isinstance(atoms, list):
            atoms = atoms[-1]
        return cls.from_atoms(atoms, cutoff_nm=cutoff_nm, **labels)

    def __len__(self) -> int:
        """The number of sites."""
        return len(self.positions_nm)

    @property
    def n_edges(self) -> int:
        """The number of directed edges."""
        return len(self.target)

    @property
    def origin(self) -> Ints:
        """(E,) the site at which each edge starts; computed at every call."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @property
    def hop_nm(self) -> Floats:
        """(E, 3) the vector of each edge; computed at every call."""
        return self.vectors_nm[self.vector]

    @property
    def length_nm(self) -> Floats:
        """(E,) the length of each edge; computed at every call."""
        return self.vector_length_nm[self.vector]

    def neighbours(self, site: int) -> Ints32:
        """The neighbours of one site in the order of the edge list; a site that is near in two images comes twice."""
        return self.target[self.start[site] : self.start[site + 1]]

    def pair_edges(self) -> Ints:
        """One directed edge for every undirected pair (E / 2 indices)."""
        return np.flatnonzero(np.arange(self.n_edges, dtype=np.int32) < self.reverse)

    def symmetric(self, per_pair: ArrayLike) -> Floats:
        """Spread one value per undirected pair (order of :meth:`pair_edges`) over both directed edges.

        Edges from a site to itself, which fill up the lists of a part of a graph, get 0.
        """
        values = np.zeros(self.n_edges)
        pair, drawn = self.pair_edges(), np.asarray(per_pair, dtype=float)
        values[pair] = drawn
        values[self.reverse[pair]] = drawn
        return values


def _check_cutoff(cutoff_nm: float) -> None:
    if not np.isfinite(cutoff_nm) or cutoff_nm <= 0:
        raise KmcError(f"cutoff_nm is {cutoff_nm}; a length above 0 is needed")


def _check_edges(count: int) -> int:
    if count > _MOST_EDGES:
        raise KmcError(
            f"there are {count} directed edges or more; at most {_MOST_EDGES} are possible, choose a shorter cutoff or "
            "fewer sites"
        )
    return count


def _labels(values: ArrayLike | None, count: int, name: str) -> NDArray[np.int16]:
    if values is None:
        return np.zeros(count, dtype=np.int16)
    labels = np.asarray(values, dtype=np.int16)
    if labels.shape != (count,):
        raise KmcError(f"{name} has shape {labels.shape}; ({count},) is needed")
    return labels


def _box(
    positions: Floats, cell_nm: ArrayLike | None, periodic: Sequence[bool], cutoff_nm: float
) -> tuple[Floats, tuple[bool, bool, bool]]:
    """The cell and the directions that wrap, checked."""
    if len(periodic) != 3:
        raise KmcError(f"periodic has {len(periodic)} entries; 3 are needed")
    wraps = (bool(periodic[0]), bool(periodic[1]), bool(periodic[2]))
    if cell_nm is None:
        if any(wraps):
            raise KmcError("cell_nm is needed along periodic directions")
        return np.ptp(positions, axis=0) + cutoff_nm, wraps
    cell = np.array(cell_nm, dtype=float)
    if cell.shape != (3,) or not np.all(np.isfinite(cell)):
        raise KmcError(f"cell_nm is {cell_nm}; three finite lengths are needed")
    for axis in np.flatnonzero(wraps):
        if cell[axis] <= 0:
            raise KmcError(f"cell_nm[{axis}] is {cell[axis]}; a periodic direction needs a length above 0")
        if cell[axis] <= cutoff_nm * (1.0 + ROUNDING):
            raise KmcError(
                f"cell_nm[{axis}] is {cell[axis]}, within the cutoff of {cutoff_nm} nm: every site would be its own "
                "neighbour; repeat the cell, or do not wrap that direction"
            )
    return cell, wraps


def _with_images(
    positions: Floats, cell: Floats, periodic: tuple[bool, bool, bool], reach: float
) -> tuple[Floats, Ints32, NDArray[np.int8]]:
    """The sites and their periodic images within ``reach`` of the cell: positions, parent sites, and the cell (M,).

    The cell of an image that is ``(x, y, z)`` cells away, each -1, 0 or 1, is ``13 + 9 x + 3 y + z``.
    """
    images, parents = positions, np.arange(len(positions), dtype=np.int32)
    cells = np.full(len(positions), 13, dtype=np.int8)
    for axis in np.flatnonzero(periodic):
        all_images, all_parents, all_cells = [images], [parents], [cells]
        for step in (-1, 1):  # the cell is longer than the reach
            along = images[:, axis] + step * cell[axis]
            near = np.flatnonzero((along >= -1.001 * reach) & (along <= cell[axis] + 1.001 * reach))
            moved = images[near]
            moved[:, axis] = along[near]
            all_images.append(moved)
            all_parents.append(parents[near])
            all_cells.append(cells[near] + np.int8(step * 3 ** (2 - axis)))
        images, parents = np.concatenate(all_images), np.concatenate(all_parents)
        cells = np.concatenate(all_cells)
    return images, parents, cells


def _near(positions: Floats, images: Floats, parents: Ints32, cutoff_nm: float) -> tuple[Ints, Ints32]:
    """The images near each site in compressed-row form: start (N + 1,), image (E,)."""
    tree, count = cKDTree(images), 0
    start, found = np.zeros(len(positions) + 1, dtype=np.int64), []
    for first in range(0, len(positions), _CHUNK):
        some = positions[first : first + _CHUNK]
        near = cKDTree(some).sparse_distance_matrix(tree, cutoff_nm * (1.0 + ROUNDING), output_type="ndarray")
        near = near[near["i"] + first != near["j"]]
        near = near[np.lexsort((near["j"], near["i"]))]
        edge = np.flatnonzero(near["v"] > cutoff_nm * (1.0 - ROUNDING))
        if len(edge):
            raise on_the_cutoff(cutoff_nm, first + near["i"][edge[0]], parents[near["j"][edge[0]]])
        if len(near) and near["v"].min() < COINCIDENT_NM:
            i = first + int(near["i"][np.argmin(near["v"])])
            raise KmcError(f"site {i} at {positions[i]} nm coincides with another site")
        count = _check_edges(count + len(near))
        start[first + 1 : first + 1 + len(some)] = np.bincount(near["i"], minlength=len(some))
        found.append(near["j"].astype(np.int32))
    return np.cumsum(start), np.concatenate(found)


@kernel
def _match(start: Ints, target: Ints32, cell: NDArray[np.int8], reverse: Ints32) -> bool:
    """Write the index of the opposite edges: from the other site, through as many cells the other way."""
    for i in range(len(start) - 1):
        for edge in range(start[i], start[i + 1]):
            found = -1
            for other in range(start[target[edge]], start[target[edge] + 1]):
                if target[other] == i and cell[other] == 26 - cell[edge]:
                    found = other
            if found < 0:
                return False
            reverse[edge] = found
    return True


class _Vectors(NamedTuple):
    """Different hop vectors, and which of them is entry ``k`` of a list (``number[2k]``), and its opposite."""

    vectors_nm: Floats  # (V, 3)
    opposite: Unsigned  # (V,)
    number: Unsigned  # (2K,)


def _shared(vectors_nm: Floats, same_nm: float) -> _Vectors:
    """The table of some vectors (K, 3) and their opposites, in which vectors that agree to ``same_nm`` are one."""
    both = np.empty((2 * len(vectors_nm), 3))
    both[0::2], both[1::2] = vectors_nm, -vectors_nm
    if not len(both):
        return _Vectors(both, np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.uint8))
    pairs = cKDTree(both).query_pairs(same_nm, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(both), len(both)))
    count, label = connected_components(links, directed=False)
    index = label.astype(np.min_scalar_type(count - 1))
    opposite = np.empty(count, dtype=index.dtype)
    opposite[index[0::2]], opposite[index[1::2]] = index[1::2], index[0::2]
    vectors = both[np.unique(label, return_index=True)[1]]
    back = np.flatnonzero(opposite < np.arange(count))
    vectors[back] = -vectors[opposite[back]]
    return _Vectors(vectors + 0.0, opposite, index)  # without negative zeros


def _hops(
    positions: Floats, images: Floats, start: Ints, image: Ints32, reverse: Ints32, same_nm: float
) -> tuple[Unsigned, _Vectors]:
    """The vector of every edge, as an index (E,), and the table of vectors."""
    vectors = np.empty((_MOST_SHARED, 3))
    keys, slot = np.empty((4 * _MOST_SHARED, 3), dtype=np.int64), np.full(4 * _MOST_SHARED, -1, dtype=np.int32)
    number = np.empty(len(image), dtype=np.uint16)
    count = _group(positions, images, start, image, reverse, same_nm, keys, slot, vectors, number)
    if count >= 0:
        table = _shared(vectors[:count], same_nm)
        return table.number[number], table
    vectors = np.empty((len(image), 3))
    _write_hops(positions, images, start, image, reverse, vectors)
    own = np.arange(len(image), dtype=np.uint32)
    return own, _Vectors(vectors, reverse.astype(np.uint32), own)


@kernel
def _group(
    positions: Floats,
    images: Floats,
    start: Ints,
    image: Ints32,
    reverse: Ints32,
    same_nm: float,
    keys: Ints,
    slot: Ints32,
    vectors: Floats,
    number: NDArray[np.uint16],
) -> int:
    """Number the different vectors of the edges, rounded to ``same_nm``; return how many, -1 when they do not fit.

    Of every pair of opposite edges, the first one gets twice the number of its vector, the other one more than that.
    """
    count, mask = 0, len(slot) - 1
    for i in range(len(start) - 1):
        for edge in range(start[i], start[i + 1]):
            if reverse[edge] < edge:
                continue
            x = images[image[edge], 0] - positions[i, 0]
            y = images[image[edge], 1] - positions[i, 1]
            z = images[image[edge], 2] - positions[i, 2]
            a, b, c = np.int64(np.rint(x / same_nm)), np.int64(np.rint(y / same_nm)), np.int64(np.rint(z / same_nm))
            mixed = a * 73856093 + b * 19349663 + c * 83492791
            place = (mixed ^ (mixed >> 17)) & mask
            while slot[place] >= 0 and (keys[place, 0] != a or keys[place, 1] != b or keys[place, 2] != c):
                place = (place + 1) & mask
            if slot[place] < 0:
                if count == len(vectors):
                    return -1
                keys[place, 0], keys[place, 1], keys[place, 2] = a, b, c
                vectors[count, 0], vectors[count, 1], vectors[count, 2] = x, y, z
                slot[place] = count
                count += 1
            number[edge] = 2 * slot[place]
            number[reverse[edge]] = 2 * slot[place] + 1
    return count


@kernel
def _write_hops(
    positions: Floats, images: Floats, start: Ints, image: Ints32, reverse: Ints32, vectors: Floats
) -> None:
    """Write the vector of every edge."""
    for i in range(len(start) - 1):
        for edge in range(start[i], start[i + 1]):
            if reverse[edge] > edge:
                for axis in range(3):
                    vectors[edge, axis] = images[image[edge], axis] - positions[i, axis]
                    vectors[reverse[edge], axis] = -vectors[edge, axis]
