"""Reading a voltage waveform from a CSV file."""

import csv
from pathlib import Path

import numpy as np

from ionsim.errors import DeviceFileError

COLUMNS = ["time_s", "voltage_V"]


def read_waveform(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return times in s (increasing, from 0) and voltages in V of a CSV file with the header ``time_s,voltage_V``.

    Raises :class:`~ionsim.errors.DeviceFileError`, naming the line, for anything else.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DeviceFileError(f"drive.path = {path}: cannot be read as a CSV file ({error})") from error
    if not rows or [cell.strip() for cell in rows[0][1]] != COLUMNS:
        raise DeviceFileError(f"drive.path = {path}: the first line must be {','.join(COLUMNS)}")
    points: list[tuple[float, float]] = []
    for number, row in rows[1:]:
        points.append(_point(path, number, row))
        if len(points) == 1 and points[0][0] != 0.0:
            raise DeviceFileError(f"drive.path = {path}, line {number}: time_s = {row[0]}; must start at 0")
        if len(points) > 1 and points[-1][0] <= points[-2][0]:
            raise DeviceFileError(
                f"drive.path = {path}, line {number}: time_s = {row[0]}; must increase from line to line"
            )
    if len(points) < 2:
        raise DeviceFileError(f"drive.path = {path}: needs at least two points")
    times, voltages = np.array(points).T
    return times, voltages


def _point(path: Path, number: int, row: list[str]) -> tuple[float, float]:
    try:
        time_s, voltage_V = (float(cell) for cell in row)
    except ValueError as error:
        raise DeviceFileError(f"drive.path = {path}, line {number}: {row} is not two numbers") from error
    if not np.isfinite([time_s, voltage_V]).all():
        raise DeviceFileError(f"drive.path = {path}, line {number}: {row} must be finite")
    return time_s, voltage_V
