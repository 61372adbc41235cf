"""One row a run: inputs, observables, status, versions, wall time; as CSV and, with pyarrow, as Parquet."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ionsim.config.toml import value_text
from ionsim.errors import ResultsError, StudyError
from ionsim.results.atomic import replacing, write_text
from ionsim.study.folder import StudyFolder
from ionsim.study.locks import locked
from ionsim.study.record import Record

CSV_FILE = "table.csv"
PARQUET_FILE = "table.parquet"
WALL_TIME = "wall_time_s"
_LOCK = ".table.lock"

#: A table under way is written again after so many seconds, and after so many times the time that writing took:
#: with thousands of runs it would otherwise be written all the time.
_INTERVAL_S = 5.0
_SHARE = 50.0

Columns = dict[str, list[Any]]


def columns(records: Sequence[Record], parameters: Sequence[str], observables: Sequence[str]) -> Columns:
    """The table as lists by name: point, seed, model, a column for each parameter, observables, status, error,
    versions, wall time.

    Without ``observables`` it has all that any of the runs found. Numbers of a column are of one type.
    """
    keys = list(observables) or list(dict.fromkeys(key for record in records for key in record.observables))
    found: Columns = {
        "point": [record.point for record in records],
        "seed": [record.seed for record in records],
        "model": [record.model for record in records],
    }
    found |= {key: _alike([record.inputs.get(key) for record in records]) for key in parameters}
    found |= {key: _alike([record.observables.get(key) for record in records]) for key in keys}
    found |= {
        "status": [record.status for record in records],
        "error": [record.error for record in records],
        "versions": ["; ".join(f"{name} {number}" for name, number in record.versions.items()) for record in records],
        WALL_TIME: [record.wall_time_s for record in records],
    }
    return found


def _alike(values: list[Any]) -> list[Any]:
    """A column in one type: whole numbers among others as such with a point, anything else that is mixed as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool} or kinds <= {int} or kinds <= {str}:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else value if isinstance(value, str) else value_text(value) for value in values]


def csv_text(table: Columns) -> str:
    """The table as CSV; blank where there is nothing. Numbers read back to the same bits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow(["" if value is None else _cell(value) for value in row])
    return out.getvalue()


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else value_text(value)


def write_parquet(path: Path, table: Columns) -> bool:
    """Write the table as Parquet; False where pyarrow is not installed.

    Raises:
        ResultsError: where the disk refuses.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return False
    kinds = {"point": pyarrow.int64(), "seed": pyarrow.int64(), "model": pyarrow.string(), "error": pyarrow.string(),
             WALL_TIME: pyarrow.float64()}  # fmt: skip
    arrays = {name: pyarrow.array(values, type=kinds.get(name)) for name, values in table.items()}
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(arrays), temporary)
    return True


def write_table(folder: StudyFolder, *, at_once: bool = True) -> bool:
    """Write both tables from the records in a study's folder, each in one step; whether Parquet is among them.

    One process at a time writes. Unless ``at_once``, nothing is done when another is at it or a table was written a
    moment ago.

    Raises:
        StudyError: where the disk refuses; the tables that were there stay.
    """
    path = folder.path / CSV_FILE
    if not at_once and _age_s(path) < _INTERVAL_S:
        return False
    with locked(folder.path / _LOCK, wait=at_once) as mine:
        if not mine:
            return False
        study = folder.plan.study
        begin = time.monotonic()
        table = columns(folder.records(), study.columns, study.observables)
        if not at_once and _age_s(path) < _SHARE * (time.monotonic() - begin):
            return False
        try:
            write_text(path, csv_text(table))
            return write_parquet(folder.path / PARQUET_FILE, table)
        except ResultsError as error:
            raise StudyError(str(error)) from error


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
