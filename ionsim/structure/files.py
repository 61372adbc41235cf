"""Stacks from and to xyz files: explicit atoms, interstitial sites, and the layers they form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionsim.errors import StructureError
from ionsim.structure.layers import find_layers
from ionsim.structure.stack import EMPTY, ION, Pair, Stack, label_regions, periodic_tree, wrap
from ionsim.structure.xyz import XyzFile, read_xyz, write_xyz

_ANGSTROM_PER_NM = 10.0
#: For each film normal of a file: which file column becomes x, y, z here (a rotation, so handedness is kept).
_ROTATION = {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}
#: Sites closer than this (nm) are one site written twice.
_SAME_SITE_NM = 0.005


def read_stack(
    atoms_path: str | Path,
    interstitials_path: str | Path | None = None,
    *,
    axis: str = "x",
    cell_nm: Pair | None = None,
    cation: str | None = None,
    oxide_nm: Pair | None = None,
    interface_nm: tuple[Pair, Pair] | None = None,
) -> Stack:
    """Read a stack from xyz files (Angstrom) of the DeviceKMC form, of any size.

    ``axis`` is the film normal in the files; it becomes z, and the bottom of the oxide becomes z = 0. Both files may
    have any second line that ``read_xyz`` knows; interstitial sites may also stand in the first file as ``d``.
    Lengths given here are in nm and in the coordinates of the file along ``axis``:

    - ``cell_nm``: lateral cell (Lx, Ly), needed where the file does not give it, and wins where it does. Lateral
      axes follow the normal in cyclic order: (y, z) for axis x, (z, x) for axis y, (x, y) for axis z.
    - ``oxide_nm``: (low, high); default: extent of the cations and the oxygen bound to them.
    - ``interface_nm``: ((low, high), (low, high)) of the layers at the bottom and at the top electrode; default: the
      first 0.3 nm of the oxide, and its last 0.3 nm with the gap up to the first plane of the top electrode. These
      are the layers of the public DeviceKMC stack.
    - ``cation``: element of the oxide's metal; default: the element that fills the height range of the oxygen.

    Exact duplicates are dropped and counted in ``Stack.notes``. Raises ``StructureError`` naming file, line or
    argument, value and what is allowed.
    """
    if axis not in _ROTATION:
        raise StructureError(f"axis (film normal in {atoms_path}): got {axis!r}, allowed: x, y, z")
    atoms = read_xyz(atoms_path)
    files = [atoms] if interstitials_path is None else [atoms, read_xyz(interstitials_path)]
    columns = list(_ROTATION[axis])
    lateral = cell_nm if cell_nm is not None else _lateral_cell(files, columns)
    positions = np.vstack([file.positions_A for file in files])[:, columns] / _ANGSTROM_PER_NM
    _check_cell(atoms.path, positions, lateral)
    symbol = np.concatenate([atoms.symbol, *(_as_interstitials(file.symbol) for file in files[1:])])
    positions = wrap(positions, lateral)
    positions, symbol, notes = _drop_duplicates(atoms.path, positions, symbol, lateral)
    layers = find_layers(
        positions[:, 2], symbol, where=f"{atoms.path} (axis {axis})", cation=cation, oxide_nm=oxide_nm,
        interface_nm=interface_nm,
    )  # fmt: skip
    positions[:, 2] -= layers.bottom_nm
    return Stack(
        positions_nm=positions,
        symbol=symbol,
        kind=layers.kind,
        region=label_regions(positions[:, 2], layers.interface_nm),
        cell_nm=lateral,
        thickness_nm=layers.thickness_nm,
        interface_nm=layers.interface_nm,
        notes=notes,
    )


def write_stack(
    stack: Stack, atoms_path: str | Path, interstitials_path: str | Path | None = None, *, axis: str = "x"
) -> None:
    """Write a stack in the form that ``read_stack`` reads: Angstrom, ``Cell:`` comment, film normal along ``axis``.

    Interstitial sites go to their own file, with a blank second line like the public data; without a path for it they
    follow the atoms in the first file. Raises ``StructureError`` for an axis other than x, y, z.
    """
    if axis not in _ROTATION:
        raise StructureError(f"axis (film normal to write): got {axis!r}, allowed: x, y, z")
    back = np.argsort(_ROTATION[axis])
    positions = stack.positions_nm * _ANGSTROM_PER_NM
    height = float(np.ptp(positions[:, 2])) if len(stack) else 0.0
    cell = np.array([*(length * _ANGSTROM_PER_NM for length in stack.cell_nm), height])[back]
    comment = f"Cell: {cell[0]:.6f} {cell[1]:.6f} {cell[2]:.6f}"
    sites = stack.kind == "interstitial"
    atoms = ~sites if interstitials_path is not None else np.ones(len(stack), dtype=bool)
    write_xyz(atoms_path, stack.symbol[atoms], positions[atoms][:, back], comment)
    if interstitials_path is not None:
        write_xyz(interstitials_path, stack.symbol[sites], positions[sites][:, back], "")


def _lateral_cell(files: list[XyzFile], columns: list[int]) -> Pair:
    for file in files:
        if file.cell_A is not None:
            edges = [file.cell_A[column] / _ANGSTROM_PER_NM for column in columns]
            return edges[0], edges[1]
    raise StructureError(
        f"{files[0].path}: line 2 gives no cell; write 'Cell: a b c' (Angstrom) there, or give cell_nm = (Lx, Ly)"
    )


def _check_cell(path: Path, positions: NDArray[np.float64], cell_nm: Pair) -> None:
    for name, length, extent in zip(("Lx", "Ly"), cell_nm, np.ptp(positions[:, :2], axis=0), strict=True):
        if not (np.isfinite(length) and length > 0):
            raise StructureError(f"{path}: lateral cell {name} = {length} nm, it must be positive")
        if extent > length * 1.25:  # relaxed atoms may stick out of the cell (by 3 % in the public 5 nm device)
            raise StructureError(
                f"{path}: sites extend over {extent:.4f} nm, more than the lateral cell {name} = {length:.4f} nm; "
                "is the axis right, and the cell in nm?"
            )


def _as_interstitials(symbol: NDArray[np.str_]) -> NDArray[np.str_]:
    """Every row of an interstitials file is a site: empty, unless it says ``Od``."""
    return np.where(symbol == ION, ION, EMPTY)


def _drop_duplicates(
    path: Path, positions: NDArray[np.float64], symbol: NDArray[np.str_], cell_nm: Pair
) -> tuple[NDArray[np.float64], NDArray[np.str_], tuple[str, ...]]:
    pairs = periodic_tree(positions, cell_nm).query_pairs(_SAME_SITE_NM, output_type="ndarray")
    if not len(pairs):
        return positions, symbol, ()
    first, second = pairs[0]
    clash = pairs[symbol[pairs[:, 0]] != symbol[pairs[:, 1]]]
    if len(clash):
        first, second = clash[0]
        x, y, z = positions[first]
        raise StructureError(
            f"{path}: sites {first + 1} ({symbol[first]}) and {second + 1} ({symbol[second]}) lie at the same place, "
            f"({x:.4f}, {y:.4f}, {z:.4f}) nm with z along the film normal"
        )
    keep = np.ones(len(symbol), dtype=bool)
    keep[pairs.max(axis=1)] = False
    dropped = int(np.count_nonzero(~keep))
    return positions[keep], symbol[keep], (f"{path.name}: {dropped} duplicate site(s) dropped",)
