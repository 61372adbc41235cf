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


@dataclass(frozen=True)
class SiteGraph:
    """Sites and their neighbour lists in compressed-row form; build it with a class method.

    Neighbours of site ``i`` are ``target[start[i]:start[i + 1]]``; ``hop_nm`` holds the vector of each directed edge
    (minimum image through the periodic cell, or the image found where the cell is small), ``reverse`` the index of the
    opposite edge, so that anything drawn per edge can be made equal in both directions.

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
            KmcError: for wrong shapes, a missing cell, a cutoff that is not positive, or two sites at one place.
        """
        positions = np.array(positions_nm, dtype=float)
        if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
            raise KmcError(f"positions_nm has shape {positions.shape}; (N, 3) with N > 0 is needed")
        if not np.isfinite(cutoff_nm) or cutoff_nm <= 0:
            raise KmcError(f"cutoff_nm is {cutoff_nm}; a length above 0 is needed")
        wraps = (bool(periodic[0]), bool(periodic[1]), bool(periodic[2]))
        if any(wraps) and cell_nm is None:
            raise KmcError("cell_nm is needed along periodic directions")
        cell = np.asarray(cell_nm if cell_nm is not None else np.ptp(positions, axis=0) + cutoff_nm, dtype=float)
        for axis in range(3):
            if wraps[axis]:
                positions[:, axis] %= cell[axis]
        images, parents = _with_images(positions, cell, wraps, cutoff_nm)
        tree = cKDTree(images)
        pairs = cKDTree(positions).query_ball_tree(tree, cutoff_nm) if len(positions) < 64 else None
        if pairs is None:
            lists = tree.query_ball_point(positions, cutoff_nm, workers=1, return_sorted=True)
        else:
            lists = [sorted(found) for found in pairs]
        counts = np.fromiter((len(found) for found in lists), dtype=np.int64, count=len(positions))
        flat = np.fromiter((image for found in lists for image in found), dtype=np.int64, count=int(counts.sum()))
        origin = np.repeat(np.arange(len(positions)), counts)
        hop = images[flat] - positions[origin]
        length = np.linalg.norm(hop, axis=1)
        itself = (flat == origin) & (length < 1e-12)
        keep = ~itself
        if np.any(length[keep] < 1e-6):
            first = int(origin[keep][length[keep] < 1e-6][0])
            raise KmcError(f"site {first} at {positions[first]} nm coincides with another site")
        origin, hop, length, target = origin[keep], hop[keep], length[keep], parents[flat[keep]]
        start = np.concatenate(([0], np.cumsum(np.bincount(origin, minlength=len(positions)))))
        return cls(
            positions_nm=positions,
            cell_nm=cell,
            periodic=wraps,
            sublattice=_labels(sublattice, len(positions), "sublattice"),
            region=_labels(region, len(positions), "region"),
            start=start,
            target=target,
            hop_nm=hop,
            length_nm=length,
            reverse=_reverse_edges(origin, target, hop),
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
        """Read any file that ASE reads (xyz, extxyz, cif, ...) and build the graph of its atoms."""
        from ase.io import read

        atoms = read(path)
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
        """The neighbours of one site, nearest image each, in the order of the edge list."""
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


def _with_images(
    positions: Floats, cell: Floats, periodic: tuple[bool, bool, bool], reach: float
) -> tuple[Floats, Ints]:
    """Append the periodic images that lie within ``reach`` of the cell, with the index of their parent site."""
    images, parents = positions, np.arange(len(positions))
    for axis in range(3):
        if not periodic[axis]:
            continue
        if cell[axis] <= 0:
            raise KmcError(f"cell_nm[{axis}] is {cell[axis]}; a periodic direction needs a length above 0")
        copies = int(np.ceil(reach / cell[axis]))
        layers, owners = [images], [parents]
        for shift in [s for s in range(-copies, copies + 1) if s]:
            moved = images.copy()
            moved[:, axis] += shift * cell[axis]
            near = (moved[:, axis] >= -reach - 1e-9) & (moved[:, axis] <= cell[axis] + reach + 1e-9)
            layers.append(moved[near])
            owners.append(parents[near])
        images, parents = np.concatenate(layers), np.concatenate(owners)
    return images, parents


def _reverse_edges(origin: Ints, target: Ints, hop: Floats) -> Ints:
    """Index of the opposite edge: sort both directions by (from, to, vector) and match them."""
    key = np.round(hop, 6) + 0.0
    forward = np.lexsort((key[:, 2], key[:, 1], key[:, 0], target, origin))
    back = -np.round(hop, 6) + 0.0
    backward = np.lexsort((back[:, 2], back[:, 1], back[:, 0], origin, target))
    reverse = np.empty(len(origin), dtype=np.int64)
    reverse[backward] = forward
    if np.any(origin[reverse] != target) or np.any(target[reverse] != origin):
        raise KmcError("the neighbour list is not symmetric; choose a cutoff that no pair distance equals")
    return reverse
