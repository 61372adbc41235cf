"""Films cut from crystals: whole half cells along the normal, whole cells along the periodic directions."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ionsim.errors import StructureError
from ionsim.structure.crystals import OXIDES, UnitCell, film_cell
from ionsim.structure.stack import Pair, wrap


class Film(NamedTuple):
    """A film cut from a crystal: ``positions_nm`` (N, 3), ``symbol`` (N,), ``cell_nm`` (Lx, Ly), ``height_nm``."""

    positions_nm: NDArray[np.float64]
    symbol: NDArray[np.str_]
    cell_nm: Pair
    height_nm: float


class OxygenSublattice(NamedTuple):
    """Oxygen sites of a crystalline oxide film: what a lattice of vacancies needs when cations are only a scaffold.

    ``positions_nm`` (N, 3) in nm, 0 <= x < Lx, 0 <= y < Ly, 0 < z < ``thickness_nm``, sorted by z, y, x; ``cell_nm``
    (Lx, Ly), periodic; ``spacing_nm``: cube root of the volume of one site (the lattice constant of a simple cubic
    sublattice); ``thickness_nm``: height of the box.
    """

    positions_nm: NDArray[np.float64]
    cell_nm: Pair
    spacing_nm: float
    thickness_nm: float


def oxygen_sublattice(crystal: str, width_nm: float, depth_nm: float, thickness_nm: float) -> OxygenSublattice:
    """Oxygen sublattice of ``cubic``, ``tetragonal`` or ``monoclinic`` HfO2 in a box of about these lengths (nm).

    The box is rounded to whole cells. Cubic: the oxygen sublattice of fluorite is simple cubic with spacing
    a/2 = 0.254 nm, so the box is rounded to whole spacings in all directions and sites stand at the middle of their
    cubes, ((i + 1/2), (j + 1/2), (k + 1/2)) spacings. Tetragonal and monoclinic: lateral whole cells, height
    in half cells (0.26 nm), which are stoichiometric. Crystal data and sources: ``ionsim.structure.crystals``.
    Raises ``StructureError`` for an unknown crystal or for lengths below half a cell.
    """
    cell = oxide_cell(crystal)
    for name, length in (("width_nm", width_nm), ("depth_nm", depth_nm), ("thickness_nm", thickness_nm)):
        check_length(name, length)
    oxygen = cell.only("O")
    if crystal == "cubic":
        # Half the fluorite cell is the cell of its oxygen sublattice: it lets the box be rounded to whole spacings.
        oxygen = UnitCell(np.array(["O"]), np.full((1, 3), 0.5), cell.vectors_nm / 2)
        steps = 1
    else:
        steps = 2
    count_x, count_y, layers = whole_cells(oxygen, width_nm, depth_nm, thickness_nm, steps)
    film = cut_film(oxygen, count_x, count_y, layers, steps)
    order = np.lexsort(np.round(film.positions_nm.T, 6))
    spacing = (film.cell_nm[0] * film.cell_nm[1] * film.height_nm / len(order)) ** (1 / 3)
    return OxygenSublattice(film.positions_nm[order], film.cell_nm, spacing, film.height_nm)


def oxide_cell(crystal: str) -> UnitCell:
    """Film cell of an HfO2 polymorph; raises ``StructureError`` naming the polymorphs for anything else."""
    if crystal not in OXIDES:
        raise StructureError(f"oxide crystal: got {crystal!r}, allowed: {', '.join(OXIDES)}")
    return film_cell(crystal)


def check_length(name: str, length: float, lowest: float = 0.0) -> None:
    """Raise ``StructureError`` unless a length (nm) is finite and above ``lowest``."""
    if not (math.isfinite(length) and length > lowest):
        raise StructureError(f"{name}: got {length}, it must be a finite length above {lowest} nm")


def whole_cells(
    cell: UnitCell, width_nm: float, depth_nm: float, thickness_nm: float, steps: int = 2
) -> tuple[int, int, int]:
    """Cells along x and y, and layers of 1/``steps`` cell along z, nearest to the lengths asked (nm), at least one."""
    edges = np.array(cell.edges_nm) / [1, 1, steps]
    asked = np.array([width_nm, depth_nm, thickness_nm])
    counts = np.floor(asked / edges + 0.5).astype(int)
    for name, length, edge, count in zip(("width_nm", "depth_nm", "thickness_nm"), asked, edges, counts, strict=True):
        if count < 1:
            raise StructureError(f"{name}: got {length}, less than half of one cell of the crystal ({edge:.4f} nm)")
    return int(counts[0]), int(counts[1]), int(counts[2])


def cut_film(cell: UnitCell, count_x: int, count_y: int, layers: int, steps: int = 2) -> Film:
    """Film of ``count_x`` x ``count_y`` cells and ``layers`` layers of 1/``steps`` cell, its bottom face at z = 0."""
    shifts = np.indices((count_x, count_y, -(-layers // steps))).reshape(3, -1).T
    fractional = (shifts[:, None, :] + cell.fractional[None]).reshape(-1, 3)
    symbol = np.tile(cell.symbol, len(shifts))
    # Planes of some crystals lie exactly on the cut: the tolerance gives them to the layer above, at both ends.
    kept = fractional[:, 2] * steps < layers - 1e-6
    x, y, z = cell.edges_nm
    cell_nm = (count_x * x, count_y * y)
    return Film(wrap(fractional[kept] @ cell.vectors_nm, cell_nm), symbol[kept], cell_nm, layers / steps * z)
