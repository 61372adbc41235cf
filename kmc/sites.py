"""Lattice sites: where particles can be, which sites are neighbours, and how a hop moves charge in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from kmc.errors import KmcError

if TYPE_CHECKING:
    from ase import Atoms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Distances closer to the cutoff than this (relative) are taken as equal to it.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class SiteGraph:
    """Sites and their neighbour lists in compressed-row form; build it with a class method.

    Neighbours of site ``i`` are ``target[start[i]:start[i + 1]]``; ``hop_nm`` holds the vector of each directed edge
    (to the image that is near: where the cell is shorter than two cutoffs, two edges can join the same two sites),
    ``reverse`` the index of the opposite edge, so that anything drawn per edge can be made equal in both directions.

    Attributes:
        positions_nm: (N, 3) site positions.
        cell_nm: (3,) edge lengths of the orthorhombic cell.
        periodic: (3,) which directions wrap.
        sublattice: (N,) small integer labels; ``region``: (N,) small integer labels.
        start: (N + 1,), target: (E,), hop_nm: (E, 3), length_nm: (E,), reverse: (E,).
    """

    positions_nm: Floats
    cell_nm: Floats
    periodic: tuple[bool, bool, bool]
    sublattice: NDArray[np.int16]
    region: NDArray[np.int16]
    start: Ints
    target: Ints
    hop_nm: Floats
    length_nm: Floats
    reverse: Ints
    origin: Ints = field(repr=False)

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
                two sites at one place, or a periodic cell so small that a site would be its own neighbour.
        """
        positions = np.array(positions_nm, dtype=float)
        if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
            raise KmcError(f"positions_nm has shape {positions.shape}; (N, 3) with N > 0 is needed")
        if not np.all(np.isfinite(positions)):
            raise KmcError("positions_nm holds a value that is not finite")
        if not np.isfinite(cutoff_nm) or cutoff_nm <= 0:
            raise KmcError(f"cutoff_nm is {cutoff_nm}; a length above 0 is needed")
        cell, wraps = _box(positions, cell_nm, periodic, cutoff_nm)
        for axis in np.flatnonzero(wraps):
            positions[:, axis] %= cell[axis]
            positions[positions[:, axis] == cell[axis], axis] = 0.0  # what a tiny negative number is rounded to
        images, parents, shifts = _with_images(positions, cell, wraps, cutoff_nm)
        near = cKDTree(positions).sparse_distance_matrix(
            cKDTree(images), cutoff_nm * (1.0 + _ROUNDING), output_type="ndarray"
        )
        near = near[near["i"] != near["j"]]
        near = near[np.lexsort((near["j"], near["i"]))]
        origin, image = near["i"].astype(np.int64), near["j"].astype(np.int64)
        edge = np.flatnonzero(near["v"] > cutoff_nm * (1.0 - _ROUNDING))
        if len(edge):
            i, j = origin[edge[0]], parents[image[edge[0]]]
            raise KmcError(
                f"cutoff_nm is {cutoff_nm}, the distance of sites {i} and {j}: whether they are neighbours would hang "
                "on rounding; choose a cutoff between two shells"
            )
        if len(near) and near["v"].min() < 1e-6:
            i = int(origin[np.argmin(near["v"])])
            raise KmcError(f"site {i} at {positions[i]} nm coincides with another site")
        target, shift = parents[image], shifts[image]
        reverse = _reverse_edges(origin, target, shift, len(positions))
        hop = images[image] - positions[origin]
        back = np.flatnonzero(reverse < np.arange(len(reverse)))  # equal to the last bit in both directions
        hop[back] = -hop[reverse[back]]
        return cls(
            positions_nm=positions,
            cell_nm=cell,
            periodic=wraps,
            sublattice=_labels(sublattice, len(positions), "sublattice"),
            region=_labels(region, len(positions), "region"),
            start=np.concatenate(([0], np.cumsum(np.bincount(origin, minlength=len(positions))))),
            target=target,
            hop_nm=hop,
            length_nm=np.linalg.norm(hop, axis=1),
            reverse=reverse,
            origin=origin,
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

    def neighbours(self, site: int) -> Ints:
        """The neighbours of one site in the order of the edge list; a site that is near in two images comes twice."""
        return self.target[self.start[site] : self.start[site + 1]]

    def pair_edges(self) -> Ints:
        """One directed edge for every undirected pair (E / 2 indices)."""
        index = np.arange(self.n_edges)
        return index[index < self.reverse]

    def symmetric(self, per_pair: ArrayLike) -> Floats:
        """Spread one value per undirected pair (order of :meth:`pair_edges`) over both directed edges."""
        values = np.empty(self.n_edges)
        pair = self.pair_edges()
        values[pair] = np.asarray(per_pair, dtype=float)
        values[self.reverse[pair]] = values[pair]
        return values


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
        if cell[axis] <= cutoff_nm * (1.0 + _ROUNDING):
            raise KmcError(
                f"cell_nm[{axis}] is {cell[axis]}, within the cutoff of {cutoff_nm} nm: every site would be its own "
                "neighbour; repeat the cell, or do not wrap that direction"
            )
    return cell, wraps


def _with_images(
    positions: Floats, cell: Floats, periodic: tuple[bool, bool, bool], reach: float
) -> tuple[Floats, Ints, Ints]:
    """The sites and their periodic images within ``reach`` of the cell: positions, parent sites, cells (M, 3) away."""
    images, parents, shifts = positions, np.arange(len(positions)), np.zeros((len(positions), 3), dtype=np.int64)
    for axis in np.flatnonzero(periodic):
        all_images, all_parents, all_shifts = [images], [parents], [shifts]
        for step in (-1, 1):  # the cell is longer than the reach
            moved, moved_shifts = images.copy(), shifts.copy()
            moved[:, axis] += step * cell[axis]
            moved_shifts[:, axis] += step
            near = (moved[:, axis] >= -1.001 * reach) & (moved[:, axis] <= cell[axis] + 1.001 * reach)
            all_images.append(moved[near])
            all_parents.append(parents[near])
            all_shifts.append(moved_shifts[near])
        images, parents = np.concatenate(all_images), np.concatenate(all_parents)
        shifts = np.concatenate(all_shifts)
    return images, parents, shifts


def _reverse_edges(origin: Ints, target: Ints, shift: Ints, count: int) -> Ints:
    """Index of the opposite edge: from the other site, through as many cells the other way."""
    one_way = _cells_key(shift) + 27 * (origin * count + target)
    other_way = _cells_key(-shift) + 27 * (target * count + origin)
    first, second = np.argsort(one_way), np.argsort(other_way)
    if np.any(one_way[first] != other_way[second]):
        raise KmcError("the neighbour list is not symmetric; choose a cutoff that no pair distance equals")
    reverse = np.empty(len(origin), dtype=np.int64)
    reverse[second] = first
    return reverse


def _cells_key(shift: Ints) -> Ints:
    return np.asarray((shift[:, 0] + 1) * 9 + (shift[:, 1] + 1) * 3 + shift[:, 2] + 1)
