"""The right side of a film: the curve of a run, the part of it that has passed, and where it is now."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ionsim.plots.curves import fit_axes, positive
from ionsim.plots.style import INK, MUTED, PALE, decades, stage_colours, time_unit

Floats = NDArray[np.float64]

#: Times that span more decades than this are drawn on a logarithmic axis.
_DECADES = 4.0


class MomentLike(Protocol):
    """What a film reads of a moment; :class:`ionsim.simulation.replay.Moment` has it."""

    @property
    def stage(self) -> str: ...
    @property
    def row(self) -> dict[str, float]: ...
    @property
    def snapshot(self) -> Any: ...


@dataclass(frozen=True)
class _Trail:
    """A curve of the whole film, the part of it that has passed, and where it is now."""

    x: Floats
    y: Floats
    time_s: Floats
    passed: Line2D
    point: Line2D

    def show(self, time_s: float, x: float, y: float) -> None:
        count = int(np.searchsorted(self.time_s, time_s, side="right"))
        self.passed.set_data(np.append(self.x[:count], x), np.append(self.y[:count], y))
        self.point.set_data([x], [y])


def curve(
    figure: Figure, place: SubplotSpec, run: Any, moments: Sequence[MomentLike]
) -> Callable[[MomentLike], None]:
    """The I-V curve of a sweep; of anything else voltage and response against time."""
    series = run.series
    first_s, last_s = moments[0].row["time_s"], moments[-1].row["time_s"]
    time_s = np.asarray(series["time_s"])
    # From the point before the first moment to the one after the last: all may lie between two points.
    begin, end = int(np.searchsorted(time_s, first_s)) - 1, int(np.searchsorted(time_s, last_s)) + 1
    inside = slice(max(begin, 0), max(end, 2))
    part = {name: np.asarray(values)[inside] for name, values in series.items()}
    if tomllib.loads(run.input_toml)["drive"]["kind"] == "sweep":
        return _iv(figure, place, run, part)
    return _transient(figure, place, run, part)


def _iv(figure: Figure, place: SubplotSpec, run: Any, part: dict[str, Floats]) -> Callable[[MomentLike], None]:
    axes = figure.add_subplot(place)
    axes.set_yscale("log")
    whole = positive(run.series["current_A"])
    fit_axes(axes, np.asarray(run.series["voltage_V"]), whole, ())
    axes.plot(run.series["voltage_V"], whole, color=PALE, linewidth=1.0)
    axes.axvline(0.0, color=MUTED, linewidth=0.6, zorder=0)
    axes.set(xlabel="applied voltage (V)", ylabel="|current| (A)")
    decades(axes)
    trail = _trail(axes, part["voltage_V"], positive(part["current_A"]), part["time_s"])
    colours = stage_colours(run.stages)

    def show(moment: MomentLike) -> None:
        row = moment.row
        trail.passed.set_color(colours[moment.stage])
        trail.point.set_color(colours[moment.stage])
        trail.show(row["time_s"], row["voltage_V"], abs(row["current_A"]) or np.nan)

    return show


def _transient(figure: Figure, place: SubplotSpec, run: Any, part: dict[str, Floats]) -> Callable[[MomentLike], None]:
    above, below = two_rows(figure, place)
    factor, unit = time_unit(float(part["time_s"][-1]))
    time = part["time_s"] * factor
    name, scale, label = "conductance_S", 1e6, "conductance (µS)"
    if "state_S" in part:
        name, label = "state_S", "channel (µS)"
    levels = np.abs(part[name]) * scale
    found = levels[levels > 0.0]
    if found.size and float(found.max()) > 20.0 * float(found.min()):
        below.set_yscale("log")
        fit_axes(below, None, positive(levels), ())
        decades(below)
    for axes in (above, below):
        if time[0] <= 0.0 or np.log10(time[-1] / time[0]) <= _DECADES:
            axes.set_xlim(float(time[0]), float(time[-1]))
        else:
            axes.set_xscale("log")
    above.plot(time, part["voltage_V"], color=PALE)
    below.plot(time, np.where(levels > 0.0, levels, np.nan), color=PALE)
    above.set_ylabel("gate (V)" if "state_S" in part else "applied voltage (V)")
    below.set(ylabel=label, xlabel=f"time ({unit})")
    above.tick_params(labelbottom=False)
    upper = _trail(above, time, part["voltage_V"], part["time_s"])
    lower = _trail(below, time, np.where(levels > 0.0, levels, np.nan), part["time_s"])
    colours = stage_colours(run.stages)

    def show(moment: MomentLike) -> None:
        row, now = moment.row, moment.row["time_s"] * factor
        for trail, value in ((upper, row["voltage_V"]), (lower, abs(row[name]) * scale or np.nan)):
            trail.passed.set_color(INK)
            trail.point.set_color(colours[moment.stage])
            trail.show(row["time_s"], now, value)

    return show


def _trail(axes: Axes, x: Floats, y: Floats, time_s: Floats) -> _Trail:
    (passed,) = axes.plot([], [], linewidth=1.8)
    (point,) = axes.plot([], [], marker="o", markersize=8, markeredgecolor="white", linestyle="none", zorder=6)
    return _Trail(x, y, time_s, passed, point)


def two_rows(figure: Figure, place: SubplotSpec) -> tuple[Axes, Axes]:
    grid = place.subgridspec(2, 1)
    return figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
