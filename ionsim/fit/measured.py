"""Tables of measurements: a CSV file whose header names each quantity with its unit."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionsim.errors import FitError, nearest

Floats = NDArray[np.float64]

#: The only column that holds names instead of numbers.
STAGE = "stage"


@dataclass(frozen=True)
class Measured:
    """A table: ``columns`` maps names to (N,) arrays; ``stages`` are (N,) names, or empty; ``text`` is the file."""

    origin: str
    text: str
    columns: dict[str, Floats]
    stages: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def read(path: str | Path, columns: Sequence[str] = ()) -> Measured:
    """Read a table, or some columns of it; lines that begin with ``#`` and blank lines are left out.

    Raises:
        FitError: for a file that cannot be read, is empty, or has a row that is not numbers; the message has the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FitError(f"--data {path}: cannot be read as text ({error})") from error
    return parse(text, str(path), columns)


def parse(text: str, origin: str, columns: Sequence[str] = ()) -> Measured:
    """A table from its text; see :func:`read`."""
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip() and line.strip()[0] != "#"]
    if not lines:
        raise FitError(f"--data {origin}: is empty; needs a header such as voltage_V,current_A and rows of numbers")
    names = [name.strip() for name in next(csv.reader([lines[0][1]]))]
    numbers = [name for name in names if _is_number(name)]
    if numbers:
        raise FitError(
            f"--data {origin}: line {lines[0][0]} has the number {numbers[0]} where the header is expected; the first "
            "line names the columns with their units, such as voltage_V,current_A"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice or "" in names:
        raise FitError(f"--data {origin}: the header has {twice[0]!r} twice" if twice else
                       f"--data {origin}: the header has a column without a name")  # fmt: skip
    for name in columns:
        if name not in names:
            raise FitError(
                f"--columns {name}: {origin} has no such column{nearest(name, names)}; there are: {', '.join(names)}"
            )
    if len(lines) == 1:
        raise FitError(f"--data {origin}: has a header and no rows")
    used = [name for name in names if not columns or name in columns]
    rows: dict[str, list[float]] = {name: [] for name in used if name != STAGE}
    stages: list[str] = []
    for line, cells in zip(lines[1:], csv.reader([line for _, line in lines[1:]]), strict=True):
        if len(cells) != len(names):
            raise FitError(f"--data {origin}: line {line[0]} has {len(cells)} cells; the header has {len(names)}")
        for name, cell in zip(names, cells, strict=True):
            if columns and name not in columns:
                continue
            if name == STAGE:
                stages.append(cell.strip())
            elif not _is_number(cell) or not math.isfinite(float(cell)):
                raise FitError(f"--data {origin}: line {line[0]}, {name} = {cell.strip()!r}: must be a finite number")
            else:
                rows[name].append(float(cell))
    if not rows:
        raise FitError(f"--data {origin}: has no column of numbers")
    return Measured(origin, text, {name: np.array(values) for name, values in rows.items()}, tuple(stages))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
