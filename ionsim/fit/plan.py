"""The runs of a fit and what is compared in each: the kind of a table follows from its header.

| columns | what is compared |
| --- | --- |
| ``voltage_V`` and quantities, the drive a sweep | along the sweep, branch by branch |
| ``time_s`` and quantities | at those times |
| ``pulse`` and quantities | after each pulse, or at the end of its plateau |
| ``voltage_V`` and ``switching_time_s`` | when a constant voltage has switched the device |
| keys of the summary | the run's value beside each row |

A column that is a key path of the device file is a condition: its rows are compared with runs at that value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ionsim.config import Device, schema
from ionsim.config.waveforms import Constant, Sweep
from ionsim.drive import Drive
from ionsim.drive.legs import legs
from ionsim.errors import DeviceFileError, FitError, nearest
from ionsim.fit import quantities
from ionsim.fit.comparisons import (
    AT_LIMIT,
    Comparison,
    PulseRows,
    SummaryRows,
    SweepRows,
    SwitchingRows,
    TimeRows,
)
from ionsim.fit.legs import Branch, cut, pair, planned
from ionsim.fit.measured import Measured
from ionsim.fit.parameters import without_names
from ionsim.fit.scale import Scale, scale_of

Floats = NDArray[np.float64]

VOLTAGE, TIME, PULSE, UNSWITCHED, ERROR = "voltage_V", "time_s", "pulse", "unswitched", "relative_error"

#: A change of ln I by this between neighbouring rows is a transition, if no voltage to this power changes so.
_ABRUPT, _POWER = 1.0, 3.0


@dataclass(frozen=True)
class Options:
    """How numbers are compared.

    ``floor``: below it a logarithm becomes a difference, in the unit of the quantity. ``scale``: instead of what units
    say. ``threshold_A``: current that tells switching, else the compliance. ``longest``: a run that waits for switching
    ends at so many times the measured time. ``voltage_error_V``: standard error of a voltage along a sweep, else that
    of :func:`transition_error_V`. ``current_error``: relative standard error of a value, for the weights of rows.
    """

    floor: float | None = None
    scale: Literal["log", "linear"] | None = None
    threshold_A: float | None = None
    longest: float = 30.0
    voltage_error_V: float | None = None
    current_error: float = 0.05


@dataclass(frozen=True)
class Part:
    """A comparison with the run of a device at ``changes``; ``weights`` (n,) of its rows."""

    changes: Mapping[str, Any]
    comparison: Comparison
    weights: Floats
    rows: NDArray[np.intp]

    @property
    def label(self) -> str:
        """The conditions in words; empty without."""
        return ", ".join(f"{key} = {value:g}" for key, value in self.changes.items() if isinstance(value, float))


def plan(device: Device, data: Measured, options: Options) -> list[Part]:
    """Lay a table beside the runs that give its numbers.

    Raises:
        FitError: for columns that are missing, unknown, or do not go with the drive; for values that no run reaches.
    """
    names = [name for name in data.columns if name not in (ERROR, UNSWITCHED)]
    known = {*quantities.columns(device), *quantities.of_pulses(device), *quantities.of_summary(device)}
    axes = [name for name in (VOLTAGE, TIME, PULSE) if name in names]
    paths = set(schema.key_paths(type(device)))
    rest = [name for name in names if name not in axes]
    conditions = [n for n in rest if n not in known and n != quantities.SWITCHING and _is_key(n, paths)]
    wanted = [name for name in rest if name not in conditions]
    for name in wanted:
        if name not in known and name != quantities.SWITCHING:
            raise FitError(
                f"--data {data.origin}: column {name}: no quantity of such a run and no key path of the device file"
                f"{nearest(name, [*known, VOLTAGE, TIME, PULSE, quantities.SWITCHING])}; see docs/fitting.md"
            )
    if not wanted:
        raise FitError(
            f"--data {data.origin}: has the columns {', '.join(names)} and no quantity to compare; needs one such as "
            "current_A beside voltage_V"
        )
    errors = data.columns.get(ERROR)
    if errors is not None and errors.min() <= 0.0:
        raise FitError(f"--data {data.origin}: {ERROR} = {errors.min():g}: must be above 0")
    parts: list[Part] = []
    for changes, rows in _groups(data, conditions):
        try:
            here = device.replace(changes) if changes else device
            Drive(here.drive)
        except DeviceFileError as error:
            raise FitError(f"--data {data.origin}: condition {changes}: {error}") from None
        parts += _parts(here, changes, data, rows, axes, wanted, options)
    parts = [_weighted(part, data, options) for part in parts]
    every = np.concatenate([part.weights for part in parts])
    mean = float(np.sqrt(np.mean(every[every > 0.0] ** 2)))
    return [replace(part, weights=part.weights / mean) for part in parts]


def _is_key(name: str, paths: set[str]) -> bool:
    return any(path in paths for path in without_names(name))


def _groups(data: Measured, conditions: Sequence[str]) -> Iterator[tuple[dict[str, float], NDArray[np.intp]]]:
    """Rows of equal conditions, in the order of their first rows."""
    if not conditions:
        yield {}, np.arange(len(data))
        return
    table = list(zip(*(data.columns[name].tolist() for name in conditions), strict=True))
    for values in dict.fromkeys(table):
        rows = np.array([row for row, here in enumerate(table) if here == values], dtype=np.intp)
        yield dict(zip(conditions, values, strict=True)), rows


def _parts(
    device: Device, changes: Mapping[str, float], data: Measured, rows: NDArray[np.intp], axes: Sequence[str],
    wanted: Sequence[str], options: Options,
) -> Iterator[Part]:  # fmt: skip
    ones = np.ones(len(rows))
    if quantities.SWITCHING in wanted:
        if len(wanted) > 1:
            raise FitError(f"--data {data.origin}: {quantities.SWITCHING} goes with voltage_V and conditions only")
        yield from _switching(device, changes, data, rows, options)
        return
    for name in wanted:
        values = data.columns[name][rows]
        scale = scale_of(name, data.columns[name], options.floor, options.scale)
        comparison: Comparison
        if TIME in axes and not (VOLTAGE in axes and isinstance(device.drive, Sweep)):
            comparison = _timed(device, data, rows, name, scale)
        elif PULSE in axes:
            comparison = _pulsed(device, data, rows, name, scale)
        elif VOLTAGE in axes:
            comparison = _swept(device, data, rows, name, scale)
        elif name in quantities.of_summary(device):
            comparison = SummaryRows(name, scale, scale.of(values), np.arange(1.0, len(rows) + 1.0), "row")
        else:
            raise FitError(
                f"--data {data.origin}: {name} needs a column that says where it was measured: voltage_V, time_s or "
                "pulse"
            )
        yield Part(changes, comparison, ones, rows)


def _require(name: str, allowed: Sequence[str], data: Measured, where: str) -> None:
    if name not in allowed:
        there = ", ".join(allowed) or "none"
        raise FitError(f"--data {data.origin}: {name} is not known {where}{nearest(name, allowed)}; there are: {there}")


def _timed(device: Device, data: Measured, rows: NDArray[np.intp], name: str, scale: Scale) -> Comparison:
    _require(name, quantities.columns(device), data, "at a time")
    times_s, end_s = data.columns[TIME][rows], Drive(device.drive).duration_s
    if isinstance(device.drive, Sweep) and any(stage.turn_at_compliance for stage in device.drive.stages):
        raise FitError(
            f"--data {data.origin}: time_s: the sweep turns at its compliance, so its times change from run to run; "
            "give voltage_V instead"
        )
    if times_s.min() < 0.0 or times_s.max() > end_s * (1.0 + 1e-9):
        bad = times_s.min() if times_s.min() < 0.0 else times_s.max()
        raise FitError(f"--data {data.origin}: time_s = {bad:g}: the drive lasts from 0 to {end_s:g} s")
    return TimeRows(name, scale, scale.of(data.columns[name][rows]), times_s, TIME)


def _pulsed(device: Device, data: Measured, rows: NDArray[np.intp], name: str, scale: Scale) -> Comparison:
    allowed = quantities.of_pulses(device)
    if not allowed:
        raise FitError(f"--data {data.origin}: pulse: the drive {device.drive.kind!r} has no pulses")
    _require(name, allowed, data, "of a pulse")
    ends_s = np.cumsum([leg.duration_s for leg in legs(device.drive)])
    count, number = len(ends_s) // 4, data.columns[PULSE][rows]
    wrong = number[(number < 1) | (number > count) | (number != np.round(number))]
    if len(wrong):
        raise FitError(f"--data {data.origin}: pulse = {wrong[0]:g}: must be a whole number from 1 to {count}")
    column = {"level_S": "conductance_S", "plateau_S": "plateau_conductance_S"}.get(name, name)
    offset = 2 if column.startswith(quantities.PLATEAU) else 0  # edge, plateau, edge, rest
    at_s = ends_s[4 * number.astype(int) - 1 - offset]
    return PulseRows(column, scale, scale.of(data.columns[name][rows]), number, PULSE, at_s)


def _swept(device: Device, data: Measured, rows: NDArray[np.intp], name: str, scale: Scale) -> Comparison:
    _require(name, quantities.columns(device), data, "along a sweep")
    drive = device.drive
    if not isinstance(drive, Sweep):
        raise FitError(
            f"--data {data.origin}: voltage_V: the drive {drive.kind!r} is no sweep; give time_s or pulse beside "
            f"{name}, or a device file with a sweep"
        )
    voltage, values = data.columns[VOLTAGE][rows], data.columns[name][rows]
    branches = _branches(drive, data, rows, voltage)
    for stage, branch, part in branches:
        _reached(drive, data, stage, branch, float(np.max(np.abs(voltage[part]))))
    limits = [drive.compliance_A if stage.compliance_A is None else stage.compliance_A for stage in drive.stages]
    magnitudes = name.endswith("_A") and bool(values.min() >= 0.0)
    at_limit = np.zeros(len(rows), dtype=bool)
    for stage, _, part in branches:
        limit_A = limits[stage]
        if limit_A is not None and name == "current_A":
            at_limit[part] = np.abs(values[part]) >= AT_LIMIT * limit_A
    return SweepRows(
        name, scale, scale.of(values), voltage, VOLTAGE, branches, limits, magnitudes, at_limit, np.ones(len(rows))
    )


def _branches(
    drive: Sweep, data: Measured, rows: NDArray[np.intp], voltage: Floats
) -> list[tuple[int, Branch, NDArray[np.intp]]]:
    """Stage and branch of every measured row but those at zero volts."""
    there = planned(drive)
    names = [stage.name for stage in drive.stages]
    if not data.stages:
        found = cut(voltage)
        return _laid(found, there, names, data)
    stages = [data.stages[row] for row in rows]
    laid: list[tuple[int, Branch, NDArray[np.intp]]] = []
    for name in dict.fromkeys(stages):
        if name not in names:
            raise FitError(
                f"--data {data.origin}: stage = {name!r}: the drive has no such stage{nearest(name, names)}; there "
                f"are: {', '.join(names)}"
            )
        mine = np.array([index for index, stage in enumerate(stages) if stage == name], dtype=np.intp)
        found = [(branch, mine[part]) for branch, part in cut(voltage[mine])]
        own = [item for item in there if item[0] == names.index(name)]
        laid += _laid(found, own, names, data)
    return laid


def _laid(
    found: Sequence[tuple[Branch, NDArray[np.intp]]], there: Sequence[tuple[int, Branch]], names: Sequence[str],
    data: Measured,
) -> list[tuple[int, Branch, NDArray[np.intp]]]:  # fmt: skip
    if not found:
        raise FitError(f"--data {data.origin}: voltage_V: is zero in every row")
    places = pair([branch for branch, _ in found], there)
    if len(places) != 1:
        measured = ", ".join(str(branch) for branch, _ in found)
        sweep = ", ".join(f"{names[stage]} {branch}" for stage, branch in there)
        problem = "do not follow each other so in" if not places else "fit in several places of"
        raise FitError(
            f"--data {data.origin}: the branches of the measured sweep ({measured}) {problem} the drive ({sweep}); "
            "change the drive, or name each row's stage in a column stage"
        )
    first = places[0]
    return [(there[first + offset][0], branch, rows) for offset, (branch, rows) in enumerate(found)]


def _reached(drive: Sweep, data: Measured, stage: int, branch: Branch, largest_V: float) -> None:
    start_V = 0.0
    for index in range(stage):
        start_V = 0.0 if drive.stages[index].return_to_zero else drive.stages[index].stop_V
    stop_V = drive.stages[stage].stop_V
    reach_V = max(branch.sign * start_V, branch.sign * stop_V)
    if largest_V > reach_V + 0.5 * drive.step_V + 1e-9:
        name = drive.stages[stage].name
        raise FitError(
            f"--data {data.origin}: voltage_V = {branch.sign * largest_V:g}: the drive's stage {name!r} reaches "
            f"{branch.sign * reach_V:g} V; set drive.stages.{name}.stop_V"
        )


def _switching(
    device: Device, changes: Mapping[str, float], data: Measured, rows: NDArray[np.intp], options: Options
) -> Iterator[Part]:
    """A run at constant voltage for each measured voltage; the circuit is that of the device file."""
    name, limit_A = quantities.SWITCHING, device.drive.compliance_A
    times, unswitched = data.columns[name], data.columns.get(UNSWITCHED, np.zeros(len(data))) != 0.0
    if times.min() <= 0.0:
        raise FitError(f"--data {data.origin}: {name} = {times.min():g}: must be above 0")
    until_A = options.threshold_A
    if until_A is None:
        if limit_A is None and device.drive.transistor is None:
            raise FitError(
                f"--data {data.origin}: {name}: needs --threshold A, or drive.compliance_A: what is switching?"
            )
        until_A = 0.0
    elif limit_A is not None and until_A > limit_A:
        raise FitError(f"--threshold {until_A:g}: above drive.compliance_A = {limit_A:g}, so no run reaches it")
    if VOLTAGE in data.columns:
        volts: list[float | None] = list(dict.fromkeys(data.columns[VOLTAGE][rows].tolist()))
    elif isinstance(device.drive, Constant):
        volts = [None]
    else:
        raise FitError(f"--data {data.origin}: {name}: needs a column voltage_V")
    scale = scale_of(name, times)
    for volt in volts:
        mine = rows if volt is None else rows[data.columns[VOLTAGE][rows] == volt]
        longest_s = float(max(np.max(times[mine], where=unswitched[mine], initial=0.0),
                              options.longest * np.max(times[mine], where=~unswitched[mine], initial=0.0)))  # fmt: skip
        drive = {
            "kind": "constant", "voltage_V": device.drive.voltage_V if volt is None else volt,  # type: ignore[union-attr]
            "duration_s": longest_s, "series_resistance_ohm": device.drive.series_resistance_ohm,
            "compliance_A": limit_A,
            "transistor": None if device.drive.transistor is None else device.drive.transistor.model_dump(),
        }  # fmt: skip
        drive = {key: value for key, value in drive.items() if value is not None}
        x = np.full(len(mine), drive["voltage_V"])
        comparison = SwitchingRows(
            name, scale, scale.of(times[mine]), x, VOLTAGE, until_A, unswitched[mine], longest_s
        )  # fmt: skip
        try:
            device.replace({"drive": drive})
        except DeviceFileError as error:
            raise FitError(f"--data {data.origin}: voltage_V = {drive['voltage_V']:g}: {error}") from None
        yield Part({**changes, "drive": drive}, comparison, np.ones(len(mine)), mine)


def _weighted(part: Part, data: Measured, options: Options) -> Part:
    """Weights: 1 over the error of a row; 0 where a sweep passes zero volts. A sweep learns of its errors."""
    comparison, errors = part.comparison, data.columns.get(ERROR)
    error = np.full(len(part.rows), options.current_error) if errors is None else errors[part.rows]
    used = np.ones(len(part.rows), dtype=bool)
    if isinstance(comparison, SweepRows):
        used[:] = False
        for _, _, rows in comparison.branches:
            used[rows] = True
        error_V = options.voltage_error_V
        comparison = replace(
            comparison, errors=error,
            voltage_error_V=transition_error_V(comparison) if error_V is None else error_V,
        )  # fmt: skip
    return replace(part, comparison=comparison, weights=np.where(used, 1.0 / error, 0.0))


def transition_error_V(comparison: SweepRows) -> float:
    """Standard deviation of a transition that is somewhere within a step: the median step over sqrt(12).

    0 where no branch has an abrupt transition, a change by more than ``_ABRUPT`` between neighbours that is no law of
    the voltage of a low power.
    """
    steps, abrupt = [], False
    for *_, rows in comparison.branches:
        x, y = np.abs(comparison.x[rows]), comparison.measured[rows]
        change = np.abs(np.diff(y))
        steps.append(np.abs(np.diff(x)))
        abrupt |= bool(np.any(change > _ABRUPT * np.maximum(1.0, _POWER * np.abs(np.diff(np.log(x))))))
    if not abrupt or comparison.scale.kind != "log":
        return 0.0
    return float(np.median(np.concatenate(steps)) / np.sqrt(12.0))
