"""Line pictures of a run: the I-V curve, and voltage, current and temperature against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.analysis.switching import Event
from ionsim.plots.style import INK, MUTED, decades, mark_stages, new_figure, spans, stage_colours, styled, time_unit

Floats = NDArray[np.float64]

#: Voltages of a summary that are marked on the curve, with their mathtext.
_MARKS = {"V_form_V": "V_\\mathrm{form}", "V_reset_V": "V_\\mathrm{reset}", "V_set_V": "V_\\mathrm{set}"}
#: A current that spans more than this factor, and times that do, have logarithmic axes at a held voltage.
_SPAN, _LONG = 20.0, 1e3
_SI = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k"}


def iv_figure(
    voltage_V: Floats,
    current_A: Floats,
    stage: NDArray[np.generic],
    stages: Sequence[str],
    *,
    compliance_A: Sequence[float] = (),
    saturation_A: Sequence[float] = (),
    events: Mapping[str, Event] | None = None,
    title: str = "",
) -> Figure:
    """|I| on a logarithmic axis against the applied voltage, one colour a stage, arrows along the sweep.

    ``voltage_V``, ``current_A`` and ``stage`` (index into ``stages``) are (N,); ``compliance_A`` and, for transistors,
    ``saturation_A`` draw dashed lines; ``events`` holds any of ``V_form_V``, ``V_reset_V``, ``V_set_V``, each with its
    row of N, which gets a ring (:func:`ionsim.analysis.switching.switching_events`).
    """
    with styled():
        figure = new_figure(5.4, 4.0)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        colours = stage_colours(stages)
        magnitude = positive(current_A)
        limits = {**dict.fromkeys(saturation_A, "transistor"), **dict.fromkeys(compliance_A, "compliance")}
        fit_axes(axes, np.asarray(voltage_V), magnitude, list(limits))
        axes.axvline(0.0, color=MUTED, linewidth=0.6, zorder=0)
        labelled: set[int] = set()
        for index, low, high in spans(stage):
            name, part = stages[index], slice(low, high)
            label = _label(name, events or {}, voltage_V) if index not in labelled else None
            labelled.add(index)
            axes.plot(voltage_V[part], magnitude[part], color=colours[name], label=label, solid_joinstyle="round")
            _arrows(axes, np.asarray(voltage_V[part]), magnitude[part], colours[name])
        for limit, name in sorted(limits.items()):
            axes.axhline(limit, color=INK, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
            axes.annotate(
                f"{name} {quantity(limit, 'A')}", (0.01, limit), xycoords=("axes fraction", "data"),
                xytext=(2, 3), textcoords="offset points", fontsize=8, color=INK, zorder=1,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
        for event in (events or {}).values():
            axes.plot(
                voltage_V[event.row], magnitude[event.row], marker="o", markersize=6, markerfacecolor="white",
                markeredgecolor=colours[event.stage], markeredgewidth=1.4, linestyle="none", zorder=5,
            )  # fmt: skip
        axes.set_xlabel("applied voltage (V)")
        axes.set_ylabel("|current| (A)")
        decades(axes)
        columns = min(max(len(labelled), 1), 3)
        figure.legend(loc="outside upper center", ncols=columns, title=title or None, title_fontsize=9)
    return figure


def held_figure(
    series: Mapping[str, Floats], stages: Sequence[str], *, compliance_A: Sequence[float] = (), title: str = ""
) -> Figure:
    """|I| against time at one held voltage; axes are logarithmic where time spans decades, and where the current does.

    ``series`` holds (N,) arrays ``time_s``, ``voltage_V``, ``current_A``, ``stage``.
    """
    time, magnitude = np.asarray(series["time_s"], dtype=float), positive(series["current_A"])
    with styled():
        figure = new_figure(5.4, 4.0)
        axes = figure.add_subplot()
        shown = magnitude[np.isfinite(magnitude)]
        if not shown.size or shown.max() > _SPAN * shown.min():
            axes.set_yscale("log")
            fit_axes(axes, None, magnitude, compliance_A)
            decades(axes)
        later = time[time > 0.0]
        long = later.size > 1 and later[-1] > _LONG * later[0]
        factor, unit = (1.0, "s") if long else time_unit(float(time[-1]))
        if long:
            axes.set_xscale("log")
            axes.set_xlim(float(later[0]), float(later[-1]))
        else:
            axes.set_xlim(float(time[0]) * factor, float(time[-1]) * factor)
        colours = stage_colours(stages)
        for index, low, high in spans(series["stage"]):
            name = stages[index]
            held_V = float(np.median(series["voltage_V"][low:high]))
            axes.plot(
                time[low:high] * factor, magnitude[low:high], color=colours[name], label=f"{name}, {held_V:.4g} V"
            )  # fmt: skip
        for limit in compliance_A:
            axes.axhline(limit, color=INK, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
            axes.annotate(
                f"compliance {quantity(limit, 'A')}", (0.01, limit), xycoords=("axes fraction", "data"),
                xytext=(2, 3), textcoords="offset points", fontsize=8, color=INK,
            )  # fmt: skip
        axes.set_xlabel(f"time ({unit})")
        axes.set_ylabel("|current| (A)")
        figure.legend(loc="outside upper center", ncols=3, title=title or None, title_fontsize=9)
    return figure


def transient_figure(series: Mapping[str, Floats], stages: Sequence[str], *, title: str = "") -> Figure:
    """Voltage, |current| (logarithmic) and peak temperature against time on one time axis, stages shaded.

    ``series`` holds (N,) arrays ``time_s``, ``voltage_V``, ``current_A``, ``temperature_peak_K``, ``stage`` and, where
    recorded, ``device_V``.
    """
    factor, unit = time_unit(float(np.max(series["time_s"], initial=0.0)))
    time = np.asarray(series["time_s"]) * factor
    with styled():
        figure = new_figure(5.2, 5.0)
        top, middle, bottom = figure.subplots(3, 1, sharex=True)
        top.plot(time, series["voltage_V"], color=MUTED, linewidth=1.0, label="applied")
        if "device_V" in series:
            top.plot(time, series["device_V"], color=INK, label="across the cell")
            top.legend(loc="best")
        top.axhline(0.0, color=MUTED, linewidth=0.6, zorder=0)
        top.set_ylabel("voltage (V)")
        middle.set_yscale("log")
        middle.set_ylabel("|current| (A)")
        magnitude = positive(series["current_A"])
        fit_axes(middle, None, magnitude, ())
        bottom.set_ylabel("peak temperature (K)")
        bottom.set_xlabel(f"time ({unit})")
        colours = stage_colours(stages)
        for index, low, high in spans(series["stage"]):
            name, part = stages[index], slice(low, min(high + 1, len(time)))
            middle.plot(time[part], magnitude[part], color=colours[name])
            bottom.plot(time[part], series["temperature_peak_K"][part], color=colours[name])
        mark_stages((top, middle, bottom), time, series["stage"], stages)
        top.set_xlim(float(time[0]), float(time[-1]) if len(time) > 1 else float(time[0]) + 1.0)
        decades(middle)
        figure.align_ylabels()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def positive(current_A: Floats) -> Floats:
    """|I| with zeros as gaps: a logarithmic axis has no place for them."""
    magnitude = np.abs(np.asarray(current_A, dtype=float))
    return np.where(magnitude > 0, magnitude, np.nan)


def fit_axes(axes: Axes, voltage: Floats | None, magnitude: Floats, limits: Sequence[float]) -> None:
    """Limits with room for labels; points at |V| below a few steps of the ramp do not stretch the current axis."""
    shown = magnitude[np.isfinite(magnitude)]
    if shown.size:
        high = max([float(shown.max()), *limits])
        low = min(float(np.quantile(shown, 0.004)), high / 10)
        axes.set_ylim(10 ** (np.log10(low) - 0.25), 10 ** (np.log10(high) + 0.45))
    if voltage is not None and voltage.size:
        room = 0.06 * max(float(np.ptp(voltage)), 1e-3)
        axes.set_xlim(float(voltage.min()) - room, float(voltage.max()) + room)


def _arrows(axes: Axes, voltage: Floats, magnitude: Floats, colour: str) -> None:
    """One arrow on the way out and one on the way back, in the middle of each."""
    turn = int(np.argmax(np.abs(voltage)))
    for low, high in ((0, turn), (turn, len(voltage) - 1)):
        good = low + np.flatnonzero(np.isfinite(magnitude[low : high + 1]))
        if len(good) < 4:
            continue
        points = axes.transData.transform(np.column_stack([voltage[good], magnitude[good]]))
        path = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        middle = int(np.searchsorted(path, 0.5 * path[-1]))
        tail = int(np.searchsorted(path, 0.5 * path[-1] - 14.0))
        if tail >= middle:
            continue
        axes.annotate(
            "", (voltage[good[middle]], magnitude[good[middle]]), (voltage[good[tail]], magnitude[good[tail]]),
            arrowprops={"arrowstyle": "-|>", "color": colour, "mutation_scale": 13, "linewidth": 1.3, "shrinkA": 0,
                        "shrinkB": 0},
        )  # fmt: skip


def _label(stage: str, events: Mapping[str, Event], voltage_V: Floats) -> str:
    """Legend entry of a stage, with the voltage of its event, and whether the ramp was on its way back."""
    for key, event in events.items():
        if event.stage == stage:
            way = "\n(on the way back)" if event.returning else ""
            return f"{stage}, ${_MARKS[key]} = {voltage_V[event.row]:.2f}$ V{way}"
    return stage


def quantity(value: float, unit: str) -> str:
    """A number with an SI prefix, such as 100 µA."""
    power = int(np.clip(3 * np.floor(np.log10(abs(value) * (1 + 1e-9)) / 3), -15, 3)) if value else 0
    return f"{value / 10.0**power:.3g} {_SI[power]}{unit}"
