"""Plain and extended xyz files as arrays; lengths in Angstrom, as in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from ionsim.errors import StructureError, nearest
from ionsim.structure.stack import EMPTY, ION, VACANCY

#: Names a row may start with: chemical elements and the site names of DeviceKMC files.
_NAMES = frozenset(chemical_symbols[1:]) | {EMPTY, ION, VACANCY}
_LATTICE = re.compile(r'Lattice\s*=\s*"([^"]*)"', re.IGNORECASE)
_PROPERTIES = re.compile(r"Properties\s*=\s*(\S+)", re.IGNORECASE)
_CELL = re.compile(r"^\s*(?:cell\s*:)?((?:\s*[-+0-9.eE]+){3})\s*$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class XyzFile:
    """Contents of an xyz file: ``symbol`` (N,), ``positions_A`` (N, 3), ``cell_A`` (3,) or None where not given."""

    path: Path
    symbol: NDArray[np.str_]
    positions_A: NDArray[np.float64]
    cell_A: tuple[float, float, float] | None


def read_xyz(path: str | Path) -> XyzFile:
    """Read an xyz file: a count, a comment, then ``symbol x y z ...`` rows (more columns are ignored).

    The comment may be blank, ``Cell: a b c`` (Angstrom), three bare numbers, or extended xyz with ``Lattice`` and
    ``Properties``. Raises ``StructureError`` naming file, line and value for anything else.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StructureError(f"{path}: cannot be read as an xyz text file ({error})") from error
    count = _count(path, lines)
    comment = lines[1] if len(lines) > 1 else ""
    body = [line for line in lines[2 : 2 + count] if line.strip()]
    beyond = sum(1 for line in lines[2 + count :] if line.strip())
    if len(body) != count or beyond:
        raise StructureError(f"{path}: line 1 announces {count} sites, but {len(body) + beyond} rows follow")
    name_column, first = _columns(path, comment)
    symbol, positions = _table(path, body, name_column, first)
    return XyzFile(path, symbol, positions, _cell(path, comment))


def _count(path: Path, lines: list[str]) -> int:
    first = lines[0].strip() if lines else ""
    if not first.isdigit() or int(first) == 0:
        raise StructureError(f"{path}: line 1 must be the number of sites (a positive integer), got {first!r}")
    return int(first)


def _columns(path: Path, comment: str) -> tuple[int, int]:
    """Column of the symbol and of x, from ``Properties`` of extended xyz (default: 0 and 1)."""
    match = _PROPERTIES.search(comment)
    if match is None:
        return 0, 1
    fields = match.group(1).strip('"').split(":")
    start: dict[str, int] = {}
    column = 0
    try:
        for name, _, width in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            start[name] = column
            column += int(width)
        return start["species"], start["pos"]
    except (ValueError, KeyError) as error:
        raise StructureError(
            f"{path}: line 2 has Properties={match.group(1)!r}; it must list species:S:1 and pos:R:3"
        ) from error


def _cell(path: Path, comment: str) -> tuple[float, float, float] | None:
    """Edge lengths (Angstrom) from the comment line, or None."""
    lattice = _LATTICE.search(comment)
    plain = _CELL.match(comment)
    if lattice is None and plain is None:
        return None
    text = lattice.group(1) if lattice is not None else plain.group(1) if plain is not None else ""
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise StructureError(f"{path}: line 2 has a cell that is not made of numbers: {text!r}") from error
    if lattice is not None:
        if values.size != 9:
            raise StructureError(f"{path}: line 2 has a Lattice with {values.size} numbers, 9 are needed")
        matrix = values.reshape(3, 3)
        if np.abs(matrix - np.diag(np.diag(matrix))).max() > 1e-6:
            raise StructureError(f"{path}: line 2 has a tilted Lattice {text!r}; only rectangular cells are supported")
        values = np.diag(matrix)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise StructureError(f"{path}: line 2 has cell lengths {text.strip()!r}; they must be positive")
    return float(values[0]), float(values[1]), float(values[2])


def _table(path: Path, body: list[str], name_column: int, first: int) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    width = max(name_column + 1, first + 3)
    rows = [line.split(None, width)[:width] for line in body]
    try:
        table = np.array(rows)
        symbol = table[:, name_column]
        positions = table[:, first : first + 3].astype(np.float64)
    except (ValueError, IndexError) as error:
        raise _first_bad_row(path, rows, width, first) from error
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if bad.size:
        line, row = int(bad[0]) + 3, " ".join(rows[bad[0]])
        raise StructureError(f"{path}: line {line} has a coordinate that is not finite: {row!r}")
    unknown = sorted(set(symbol.tolist()) - _NAMES)
    if unknown:
        line = int(np.flatnonzero(symbol == unknown[0])[0]) + 3
        raise StructureError(
            f"{path}: line {line} has the unknown site {unknown[0]!r}{nearest(unknown[0], _NAMES)}; allowed: chemical "
            f"elements, {EMPTY} (empty interstitial), {ION} (interstitial oxygen), {VACANCY} (oxygen vacancy)"
        )
    return symbol, positions


def _first_bad_row(path: Path, rows: list[list[str]], width: int, first: int) -> StructureError:
    for line, row in enumerate(rows, start=3):
        if len(row) < width:
            return StructureError(f"{path}: line {line} has {len(row)} columns, {width} are needed: {' '.join(row)!r}")
        for word in row[first : first + 3]:
            try:
                float(word)
            except ValueError:
                return StructureError(f"{path}: line {line} has the coordinate {word!r}, which is not a number")
    return StructureError(f"{path}: rows cannot be read as symbol x y z")


def write_xyz(path: str | Path, symbol: NDArray[np.str_], positions_A: NDArray[np.float64], comment: str) -> None:
    """Write symbols (N,) and positions (N, 3) in Angstrom with the given second line."""
    atoms = zip(symbol.tolist(), positions_A.tolist(), strict=True)
    rows = [f"{name} {x:.6f} {y:.6f} {z:.6f}" for name, (x, y, z) in atoms]
    Path(path).write_text("\n".join([str(len(rows)), comment, *rows, ""]), encoding="utf-8")
