"""Measurements as files: a CSV of the series with the device file beside it, for cards and for measured data."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.description import CompactError
from ionsim.compact.extraction.compare import log_current
from ionsim.compact.extraction.protocol import Measurement, Role
from ionsim.config import Device
from ionsim.drive import Drive
from ionsim.errors import nearest
from ionsim.results.atomic import write_text

Floats = NDArray[np.float64]

#: Columns that a trace keeps; the first three are needed.
COLUMNS = ("time_s", "voltage_V", "current_A", "device_V", "power_W", "limited", "stage")
_NEEDED = COLUMNS[:3]

#: Share of its drive's duration that a trace must have: less is another experiment, or a part of one.
LEAST_SHARE = 0.5

#: Columns of devices with a gate, with more digits, since what they are compared by are differences.
GATED = ("conductance_S", "state_S", "gate_charge_C")

#: A change of log10 |I| from row to row that is kept, and how many of these at most.
_JUMP, _JUMPS = 0.15, 40

#: Rows that a thinned trace has at most.
ROWS = 400


def write_trace(measured: Measurement, folder: Path, rows: int = ROWS) -> list[Path]:
    """Write NAME.csv, thinned to ``rows``, and NAME.toml, the device with its drive; returns both paths.

    Corners of the drive, ends of stages, turning points, jumps of the current, and where it begins or ceases to be
    limited are always kept.
    """
    gated = GATED if GATED[-1] in measured.series else ()
    series = {name: measured.series[name] for name in (*COLUMNS, *gated) if name in measured.series}
    kept = _thinned(series, Drive(measured.device.drive).corners_s, rows)
    lines = [f"# role = {measured.role}, kind = {measured.kind}, seed = {measured.seed}", ",".join(series)]
    # pulses of nanoseconds after seconds of sweep: times need all their digits
    digits = {"time_s": 17, **dict.fromkeys(gated, 12)}
    lines += [",".join(f"{series[name][k]:.{digits.get(name, 6)}g}" for name in series) for k in kept]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{measured.name}.csv", folder / f"{measured.name}.toml"]
    write_text(paths[0], "\n".join(lines) + "\n")
    write_text(paths[1], measured.device.to_toml())
    return paths


def _thinned(series: dict[str, Floats], corners_s: Floats, rows: int) -> list[int]:
    count = len(series["time_s"])
    always = {0, count - 1}
    stage, limited = series["stage"], series.get("limited", np.zeros(count))
    for changed in (stage, limited):
        edges = np.flatnonzero(np.diff(changed))
        always |= set(edges.tolist()) | set((edges + 1).tolist())
    jumps = np.flatnonzero(np.abs(np.diff(log_current(series["current_A"]))) > _JUMP)
    always |= set(jumps[:_JUMPS].tolist()) | set((jumps[:_JUMPS] + 1).tolist())
    nearest_rows = np.searchsorted(series["time_s"], corners_s[corners_s <= series["time_s"][-1]] * (1.0 - 1e-12))
    if len(nearest_rows) < rows // 2:
        always |= set(np.minimum(nearest_rows, count - 1).tolist())
    for index in np.unique(stage):
        inside = np.flatnonzero(stage == index)
        always.add(int(inside[np.argmax(np.abs(series["voltage_V"][inside]))]))
        always.add(int(inside[np.argmax(np.abs(series["current_A"][inside]))]))
    free = max(rows - len(always), 2)
    even = np.unique(np.linspace(0, count - 1, free).astype(int)).tolist()
    return sorted(always | set(even))


def read_trace(path: Path, device: Device | None = None) -> Measurement:
    """A measurement from a CSV with a device file of the same name beside it, or with the device given.

    Columns: time_s, voltage_V (of the source), current_A, and any of ``COLUMNS``; a missing device_V is the source's
    voltage less the drop at the series resistance, a missing stage follows from the device's drive.
    Raises CompactError.
    """
    from ionsim.config import load

    if device is None:
        beside = path.with_suffix(".toml")
        if not beside.is_file():
            raise CompactError(f"{path}: its device file {beside.name} is missing; it holds the drive and the circuit")
        device = load(beside)
    role, kind, seed = _heading(path)
    series = _columns(path)
    count = len(series["time_s"])
    if count < 2 or np.any(np.diff(series["time_s"]) <= 0):
        raise CompactError(f"{path}: time_s must rise, over two rows or more")
    drive = Drive(device.drive)
    if series["time_s"][-1] < LEAST_SHARE * drive.duration_s:
        end_s = float(series["time_s"][-1])
        raise CompactError(f"{path}: time_s ends at {end_s:g} s: the drive of device {device.name!r} lasts "
                           f"{drive.duration_s:g} s, and the trace is to be that of the drive")  # fmt: skip
    drop = device.drive.series_resistance_ohm * series["current_A"]
    series.setdefault("device_V", series["voltage_V"] - drop)
    series.setdefault("power_W", series["device_V"] * series["current_A"])
    series.setdefault("limited", np.zeros(count))
    middles = series["time_s"] - 0.5 * np.diff(series["time_s"], prepend=0.0)
    series.setdefault("stage", np.array([float(drive.stage(float(time_s))) for time_s in middles]))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = series["current_A"] / series["device_V"]
    # at 0 V the conductance is that of the row before, as in a run
    known = np.maximum.accumulate(np.where(np.abs(series["device_V"]) > 1e-9, np.arange(count), 0))
    series.setdefault("conductance_S", found[known])
    return Measurement(path.stem, role, kind, seed, device, series, drive.stages)


def read_traces(folder: Path) -> list[Measurement]:
    """All traces of a folder by name; an empty list where it does not exist."""
    return [read_trace(path) for path in sorted(folder.glob("*.csv"))]


def _heading(path: Path) -> tuple[Role, str, int]:
    """Role, kind and seed of the first line, where it is a comment."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise CompactError(f"{path}: cannot be read ({error})") from error
    if not first.startswith("#"):
        return "fit", "sweep", 0
    items = dict(part.split("=", 1) for part in first[1:].replace(" ", "").strip().split(",") if "=" in part)
    role = items.get("role", "fit")
    if role not in get_args(Role):
        raise CompactError(f"{path}: role = {role!r}: one of {', '.join(get_args(Role))}")
    seed = items.get("seed", "0")
    if not seed.isdecimal():
        raise CompactError(f"{path}: seed = {seed!r}: a whole number from 0 on")
    return cast(Role, role), items.get("kind", "sweep"), int(seed)


def _columns(path: Path) -> dict[str, Floats]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#") and line.strip()))
    names: Sequence[str] = [name.strip() for name in rows[0]] if rows else []
    for name in names:
        if name not in (*COLUMNS, *GATED):
            known = (*COLUMNS, *GATED)
            raise CompactError(f"{path}: column {name!r} is not known{nearest(name, known)}; {', '.join(known)}")
    if missing := [name for name in _NEEDED if name not in names]:
        raise CompactError(f"{path}: no column {', '.join(missing)}; {', '.join(_NEEDED)} are needed")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise CompactError(f"{path}: row {number} has {len(row)} entries for {len(names)} columns")
    table = np.zeros((len(rows) - 1, len(names)))
    for number, row in enumerate(rows[1:]):
        for column, item in enumerate(row):
            try:
                table[number, column] = float(item)
            except ValueError as error:
                raise CompactError(f"{path}: {names[column]} = {item!r} in row {number + 2}: no number") from error
            if names[column] in _NEEDED and not np.isfinite(table[number, column]):
                raise CompactError(f"{path}: {names[column]} = {item!r} in row {number + 2}: a finite number is needed")
    return {name: table[:, column].copy() for column, name in enumerate(names)}
