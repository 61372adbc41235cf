"""Conductance in quanta 2e^2/h against time: whole channels of a metal filament, and how long a state is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.constants import physical_constants

from ionsim.plots.style import (
    BLUE,
    INK,
    MUTED,
    PALE,
    decades,
    mark_stages,
    new_figure,
    spans,
    stage_colours,
    styled,
    time_unit,
)

Floats = NDArray[np.float64]

G0_S: float = physical_constants["conductance quantum"][0]
#: From this conductance (G0) on quanta can be seen on a linear axis; a larger range than this needs a logarithmic one.
_QUANTA, _WIDE = 0.5, 30.0
#: Whole quanta are drawn one by one up to this number.
_MOST_LINES = 25


def conductance_figure(
    series: Mapping[str, Floats], stages: Sequence[str], *, retention: bool = False, title: str = ""
) -> Figure:
    """Conductance over 2e^2/h: on a logarithmic axis where it ranges widely, on a linear one where it reaches quanta.

    ``series`` holds (N,) arrays ``time_s``, ``conductance_S``, ``voltage_V``, ``stage`` and, where recorded,
    ``channels`` (drawn as steps). ``retention`` takes the logarithm of time and marks the reads (at the
    largest |voltage|).
    """
    level = np.asarray(series["conductance_S"], dtype=float) / G0_S
    level = np.where(level > 0, level, np.nan)
    known = level[np.isfinite(level)]
    high, low = (float(known.max()), float(known.min())) if known.size else (1.0, 1.0)
    wide = high > _WIDE * low
    linear = high >= _QUANTA or not wide
    with styled():
        figure = new_figure(5.2, 4.6 if linear and wide else 2.9)
        panels = list(np.atleast_1d(figure.subplots(int(linear) + int(wide), 1, sharex=True)))
        time = _time_axis(panels, np.asarray(series["time_s"], dtype=float), retention)
        for axes in panels:
            _curve(axes, time, series, level, stages, retention)
            axes.set_ylabel("conductance ($G_0$)")
        if wide:
            _logarithmic(panels[0], low, high)
        if linear:
            _linear(panels[-1], time, series, high)
        if not retention:
            mark_stages(panels, time, series["stage"], stages)
        elif not linear:
            panels[0].legend(loc="upper right")
        figure.align_ylabels()
        figure.suptitle(f"{title}, $G_0 = 2e^2/h$" if title else "$G_0 = 2e^2/h$", fontsize=9)
    return figure


def _time_axis(panels: Sequence[Axes], time_s: Floats, retention: bool) -> Floats:
    """Set the shared time axis: all of it, or a logarithm from the first moment after the start; time in its unit."""
    if retention and np.any(time_s > 0):
        start = float(time_s[time_s > 0].min())
        panels[-1].set_xscale("log")
        panels[-1].set_xlabel("time (s)")
        panels[-1].set_xlim(start, max(float(time_s[-1]), start * 1.01))
        return time_s
    factor, unit = time_unit(float(time_s[-1]))
    time = time_s * factor
    panels[-1].set_xlabel(f"time ({unit})")
    panels[-1].set_xlim(float(time[0]), float(time[-1]) if len(time) > 1 else float(time[0]) + 1.0)
    return time


def _curve(
    axes: Axes, time: Floats, series: Mapping[str, Floats], level: Floats, stages: Sequence[str], retention: bool
) -> None:
    """Steps: a row says what the interval that it ends has led to."""
    if not retention:
        colours = stage_colours(stages)
        for index, first, end in spans(series["stage"]):
            part = slice(max(first - 1, 0), end)
            axes.plot(time[part], level[part], color=colours[stages[index]], drawstyle="steps-pre")
        return
    axes.plot(time, level, color=MUTED, linewidth=1.0, drawstyle="steps-pre")
    reads = _reads(np.abs(np.asarray(series["voltage_V"], dtype=float)))
    if reads.size:
        axes.plot(
            time[reads], level[reads], color=BLUE, linestyle="none", marker="o", markersize=3.5,
            label=f"read at {series['voltage_V'][reads[0]]:.3g} V",
        )  # fmt: skip


def _reads(magnitude_V: Floats) -> NDArray[np.int64]:
    """The last row (index) of the plateau of each read."""
    plateau = magnitude_V > 0.999 * magnitude_V.max(initial=0.0)
    plateau &= magnitude_V > 0
    return np.flatnonzero(plateau & ~np.append(plateau[1:], False))


def _logarithmic(axes: Axes, low: float, high: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(low / 3.0, high * 3.0)
    decades(axes)
    axes.axhline(1.0, color=MUTED, linewidth=0.6, linestyle=(0, (5, 3)), zorder=0)


def _linear(axes: Axes, time: Floats, series: Mapping[str, Floats], high: float) -> None:
    """Whole quanta as lines, and whole channels as steps."""
    steps = np.asarray(series.get("channels", ()), dtype=float)
    top = max(high, float(steps.max(initial=0.0)))
    axes.set_ylim(-0.03 * top, 1.22 * top)  # room for the legend
    axes.yaxis.set_major_locator(MaxNLocator(7, integer=top >= _QUANTA))
    for whole in range(1, int(np.ceil(top - 1e-9)) + 1) if _QUANTA <= top < _MOST_LINES else ():
        axes.axhline(whole, color=PALE, linewidth=0.6, zorder=0)
    if steps.size and top >= _QUANTA:
        axes.plot(
            time, steps, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), drawstyle="steps-pre",
            label="channels: atoms of the narrowest cross-section",
        )  # fmt: skip
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", ncols=2, handlelength=1.6, columnspacing=1.0)
