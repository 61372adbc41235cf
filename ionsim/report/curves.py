"""Lines of a run: the I-V curve, and everything against time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.constants import physical_constants

from ionsim.analysis.switching import Event
from ionsim.plots.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, VERMILLION, spans, stage_colours, time_unit
from ionsim.report.figures import MOST_POINTS, Figure, Floats, axis, log_axis, magnitude, note_line, plot, thinned
from ionsim.report.texts import quantity

#: Height of a panel against time, px.
_PANEL = 155
#: Shades of stages stop here: more would be a pattern.
_MOST_STAGES = 24

#: Subscripts of the switching voltages of the summary.
_SYMBOLS = {"V_form_V": "form", "V_reset_V": "reset", "V_set_V": "set"}

_RINGS = "Rings are the points whose voltages the summary gives as switching voltages. "

#: Voltages against which a current is drawn.
_VOLTAGES = {"voltage_V": "applied voltage (V)", "device_V": "voltage across the cell (V)"}
#: A voltage with fewer values than this share of the points is a row of levels, which makes no curve.
_LEVELS = 0.2

#: Pulses of a stage that make a train of it, whose long record is drawn as an envelope; its stretches in a stage; a
#: line whose stretches span less than this share of its range is no band.
_MANY_PULSES, _STRETCHES, _BAND = 50, 500, 0.01

#: Share of points that may be off a logarithmic axis: a sweep's current at zero volts is what the solver left.
_PASSING = 0.01
#: Decades of a logarithmic axis against time.
_MOST_DECADES = 12

#: Columns that count what the program does, not what is in the device.
_COUNTERS = ("n_events", "n_refreshes", "n_steps", "n_nuclei")

G0_S: float = physical_constants["conductance quantum"][0]

Series = Mapping[str, Floats]


@dataclass(frozen=True)
class Line:
    """A column of a panel; ``scale`` multiplies it (to other units), a second line of a panel is told by its colour."""

    values: Floats
    name: str
    colour: str
    dash: str = "solid"


@dataclass(frozen=True)
class Panel:
    """Lines that share an axis."""

    title: str
    lines: Sequence[Line]
    log: bool = False


def iv_figure(
    series: Series, stages: Sequence[str], *, events: Mapping[str, Event], limits_A: Mapping[float, str], gate: bool
) -> Figure | None:
    """|I| against the applied voltage on a logarithmic axis, or I on a linear one; None where no voltage is swept.

    Behind a resistor pulses sweep the voltage across the cell, which is drawn then. ``events``: where it switched,
    by the keys of the summary; ``limits_A``: currents with a name, drawn dashed; ``gate``: the current is that of the
    gate.
    """
    names = ("voltage_V", "device_V")
    swept = next((name for name in names if name in series and _is_swept(series[name])), None)
    if swept is None or not np.any(series["current_A"]):
        return None
    voltage = series[swept]
    colours = stage_colours(stages)
    data: list[dict[str, Any]] = []
    shown: set[str] = set()
    parts = spans(series["stage"])
    thin = False
    for linear in (False, True):
        for index, low, high in parts:
            current = series["current_A"][low:high]
            # the corner of a curve is in V, its switching in log I
            rows = np.union1d(thinned(voltage[low:high]), thinned(magnitude(current)))
            thin = thin or len(rows) < high - low
            name = stages[index]
            label = _label(name, events, series)
            data.append({
                "type": "scatter", "mode": "lines", "x": voltage[low:high][rows],
                "y": current[rows] if linear else magnitude(current)[rows], "name": label, "legendgroup": name,
                "showlegend": (name, linear) not in shown, "visible": not linear,
                "line": {"color": colours[name], "width": 1.8}, "text": [name],
                "hovertemplate": f"{name}<br>%{{x:.4g}} V<br>%{{y:.4g}} A<extra></extra>",
            })  # fmt: skip
            shown.add((name, linear))  # type: ignore[arg-type]
    for key, event in events.items():
        data += _rings(voltage, series["current_A"], event, colours[event.stage], key)
    size = magnitude(series["current_A"])
    shapes, labels = zip(
        *(note_line(limit, f"{name} {quantity(limit, 'A')}") for limit, name in limits_A.items()), strict=True
    ) if limits_A else ((), ())  # fmt: skip
    shown_log = [trace["visible"] is not False for trace in data]
    finite = size[np.isfinite(size)]
    low_A = max(float(np.quantile(finite, 0.004)), float(finite.max()) * 1e-14)
    top = max([float(finite.max()), *limits_A])
    ranges = [np.log10(low_A) - 0.3, np.log10(top) + 0.4]
    what = "gate current" if gate else "current"
    layout = {
        "xaxis": axis("gate voltage (V)" if gate else _VOLTAGES[swept]),
        "yaxis": log_axis(f"|{what}| (A)", [np.array([low_A, top])], range=ranges),
        "shapes": list(shapes), "annotations": list(labels),
        "updatemenus": [_menu(
            ("log |I|", [{"visible": shown_log}, {
                "yaxis.type": "log", "yaxis.title.text": f"|{what}| (A)", "yaxis.range": ranges,
                "yaxis.autorange": False, "annotations": list(labels),
            }]),
            ("linear I", [{"visible": [not each for each in shown_log]}, {
                "yaxis.type": "linear", "yaxis.title.text": f"{what} (A)", "yaxis.autorange": True,
                "annotations": [{**label, "y": 10.0 ** label["y"]} for label in labels],
            }]),
        )],
    }  # fmt: skip
    source = "voltage of the source" if swept == "voltage_V" else "voltage across the cell, as the pulses have steps"
    caption = (
        f"Current against the {source}, by stage. {_RINGS if events else ''}Drag to zoom, double click to see all; a "
        "click on a name of the legend hides its stage."
    )
    if thin:
        caption += " Of long stages the first, smallest and largest point of every stretch is drawn."
    return plot(data, layout, caption, 470)


def _is_swept(voltage: Floats) -> bool:
    """Whether a voltage takes many values, as in a ramp, and not a few levels."""
    return len(np.unique(np.round(voltage, 6))) > max(10.0, _LEVELS * len(voltage))


def _menu(*buttons: tuple[str, list[Any]], method: str = "update") -> dict[str, Any]:
    return {
        "type": "buttons", "direction": "right", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom",
        "pad": {"r": 0, "t": 0}, "font": {"size": 12}, "bgcolor": "#ffffff", "bordercolor": "#c8ccd2",
        "buttons": [{"label": label, "method": method, "args": args} for label, args in buttons],
    }  # fmt: skip


def _label(stage: str, events: Mapping[str, Event], series: Series) -> str:
    for key, event in events.items():
        if event.stage == stage:
            value = f"{series['voltage_V'][event.row]:.2f} V".replace("-", "−")
            return f"{stage}, V<sub>{_SYMBOLS[key]}</sub> = {value}{' (on the way back)' if event.returning else ''}"
    return stage.replace("_", " ")


def _rings(voltage: Floats, current: Floats, event: Event, colour: str, key: str) -> list[dict[str, Any]]:
    """A ring at the row of an event, for either axis."""
    x, y = float(voltage[event.row]), float(current[event.row])
    ring = {
        "type": "scatter", "mode": "markers", "x": [x], "showlegend": False,
        "marker": {"size": 10, "color": "white", "line": {"color": colour, "width": 2}},
        "hovertemplate": f"{key.removesuffix('_V')}: {x:.3g} V, {abs(y):.3g} A<extra></extra>",
    }  # fmt: skip
    return [{**ring, "y": [abs(y)], "visible": True}, {**ring, "y": [y], "visible": False}]


def transient_figure(series: Series, stages: Sequence[str], panels: Sequence[Panel], note: str = "") -> Figure:
    """Panels over one time axis, stages shaded; the axis may be made logarithmic."""
    time_s = series["time_s"]
    factor, unit = time_unit(float(time_s[-1]))
    count = len(panels)
    gap = 0.022
    height = (1.0 - gap * (count - 1)) / count
    data: list[dict[str, Any]] = []
    above = 1.0 + 22.0 / (_PANEL * count)
    layout: dict[str, Any] = {"shapes": [], "annotations": [], "hovermode": "x unified", "legend": {"y": above},
                              "margin": {"t": 62}}  # fmt: skip
    thin, pulse = False, rows_of_pulse(series)
    banded = False
    for number, panel in enumerate(panels):
        name = "" if number == 0 else str(number + 1)
        top = 1.0 - number * (height + gap)
        values = [line.values for line in panel.lines]
        own = log_axis(panel.title, values) if panel.log else axis(panel.title)
        if panel.log:
            own |= _decades(values)
        layout[f"yaxis{name}"] = {**own, "domain": [max(top - height, 0.0), top]}
        for line in panel.lines:
            y = magnitude(line.values) if panel.log else line.values
            whole = {"type": "scatter", "mode": "lines", "yaxis": f"y{name}", "xaxis": "x", "name": line.name,
                     "line": {"color": line.colour, "width": 1.5, "dash": line.dash},
                     "showlegend": len(panel.lines) > 1 or number == 0, "hovertemplate": "%{y:.5g}"}  # fmt: skip
            band = envelope(time_s * factor, y, pulse, series["stage"], log=panel.log) if pulse else None
            if band is not None:
                data += _band(whole, band, line.colour)
                banded = True
                continue
            rows = thinned(np.log(y) if panel.log else y)
            thin = thin or len(rows) < len(y)
            data.append({**whole, "x": (time_s * factor)[rows], "y": y[rows]})
    layout["xaxis"] = axis(f"time ({unit})", anchor=f"y{count if count > 1 else ''}", range=_span(time_s * factor))
    layout["xaxis"]["mirror"] = "all"
    _stages(layout, time_s * factor, series["stage"], stages)
    positive = time_s[time_s > 0.0] * factor
    if positive.size > 2 and positive[-1] > 1e3 * positive[0]:
        logs = [float(np.log10(positive[0])), float(np.log10(positive[-1]))]
        layout["updatemenus"] = [{**_menu(
            ("linear t", [{"xaxis.type": "linear", "xaxis.range": _span(time_s * factor)}]),
            ("log t", [{"xaxis.type": "log", "xaxis.range": logs}]), method="relayout",
        ), "y": above}]  # fmt: skip
    caption = "All columns against time; a zoom moves all panels. Shades are the stages of the drive. " + note
    if banded:
        caption += (
            " Bands are the envelope of the pulses: the smallest and the largest value of every stretch, which holds "
            "one pulse and its rest at least; what happens within a pulse is in iv.csv."
        )
    if thin:
        caption += " Of long lines the first, smallest and largest point of every stretch is drawn."
    return plot(data, layout, caption.strip(), 116 + _PANEL * count)


def rows_of_pulse(series: Series) -> int:
    """Rows between one pulse and the next of a long train, the most of all stages; 0 where there is no such train."""
    voltage, stage = series["voltage_V"], series["stage"]
    if len(voltage) <= MOST_POINTS:
        return 0
    longest = 0
    for _, low, high in spans(stage):
        own = voltage[low:high]
        above = own > 0.5 * (own.min() + own.max())
        count = int(np.sum(above[1:] & ~above[:-1]))
        if count < _MANY_PULSES:
            return 0
        longest = max(longest, math.ceil((high - low) / count))
    return longest


def envelope(
    time: Floats, values: Floats, pulse: int, stage: Floats, *, log: bool = False
) -> tuple[Floats, Floats, Floats] | None:
    """Middle, smallest and largest value of stretches of whole pulses (``pulse`` rows each), stage by stage.

    None of a line that hardly changes within a stretch, which is a curve and no band.
    """
    x, low, high = [], [], []
    for _, begin, end in spans(stage):
        edges = np.linspace(begin, end, max(1, min(_STRETCHES, (end - begin) // (pulse + 1))) + 1).astype(int)
        for first, last in pairwise(edges.tolist()):
            part = values[first:last][np.isfinite(values[first:last])]
            if part.size:
                x.append(0.5 * (time[first] + time[last - 1]))
                low.append(float(part.min()))
                high.append(float(part.max()))
    found = np.array(x), np.array(low), np.array(high)
    small, large = (np.log(each) if log else each for each in found[1:])
    if not len(x) or float(np.median(large - small)) < _BAND * float(large.max() - small.min()):
        return None
    return found


def _band(whole: dict[str, Any], band: tuple[Floats, Floats, Floats], colour: str) -> list[dict[str, Any]]:
    """Both edges of an envelope, one entry of the legend, and what lies between them filled."""
    x, low, high = band
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    edge = {**whole, "x": x, "legendgroup": whole["name"] + whole["yaxis"], "line": {"color": colour, "width": 1.0}}
    return [
        {**edge, "y": low, "showlegend": False, "hovertemplate": "%{y:.5g} (smallest)"},
        {**edge, "y": high, "fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},0.28)",
         "hovertemplate": "%{y:.5g} (largest)"},
    ]  # fmt: skip


def _decades(values: Sequence[Floats]) -> dict[str, Any]:
    """The range of a logarithmic axis where zeros of a solver would make it endless; a double click shows all.

    Points of a sweep through zero volts, one in a hundred, do not set it either.
    """
    sizes = np.abs(np.concatenate(values))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0.0)]
    if not sizes.size:
        return {}
    top, least = float(np.log10(sizes.max())), float(np.log10(sizes.min()))
    low = max(float(np.log10(np.quantile(sizes, _PASSING))) - 0.5, top - _MOST_DECADES)
    if least > low - 1.0:
        return {}
    step = max(1, int(np.ceil((top - low) / 5.0)))
    return {"range": [low, top + 0.5], "dtick": min(step, 3)}


def _span(time: Floats) -> list[float]:
    low, high = float(time[0]), float(time[-1])
    return [min(low, 0.0), high] if high > low else [low, low + 1.0]


def _stages(layout: dict[str, Any], time: Floats, stage: Floats, stages: Sequence[str]) -> None:
    """Shade the stages, and name those that have room."""
    colours, parts = stage_colours(stages), spans(stage)
    if len(parts) > _MOST_STAGES:
        return
    total = float(time[-1]) - min(float(time[0]), 0.0) or 1.0
    for index, low, high in parts:
        begin = float(time[low - 1]) if low else min(float(time[0]), 0.0)
        end = float(time[high - 1])
        layout["shapes"].append({
            "type": "rect", "xref": "x", "yref": "paper", "x0": begin, "x1": end, "y0": 0, "y1": 1, "layer": "below",
            "fillcolor": colours[stages[index]], "opacity": 0.09, "line": {"width": 0},
        })  # fmt: skip
        if (end - begin) / total > 0.0085 * len(stages[index]):
            layout["annotations"].append({
                "x": 0.5 * (begin + end), "y": 1.0, "yref": "paper", "yanchor": "bottom", "text": stages[index],
                "showarrow": False, "font": {"size": 11, "color": colours[stages[index]]},
            })  # fmt: skip


def panels_of(series: Series) -> list[Panel]:
    """The panels that a run's columns make."""

    def line(name: str, text: str, colour: str, scale: float = 1.0, dash: str = "solid") -> list[Line]:
        return [Line(np.asarray(series[name], dtype=np.float64) * scale, text, colour, dash)] if name in series else []

    ecram = "state_S" in series
    volts = line("voltage_V", "applied", MUTED) + line("device_V", "at the gate" if ecram else "across the cell", INK)
    current = Panel("|gate<br>current| (A)" if ecram else "|current| (A)", line("current_A", "current", BLUE), log=True)
    panels = [Panel("voltage (V)", volts), current]
    if ecram:
        panels[1:1] = [
            Panel("channel (µS)", line("conductance_S", "channel", VERMILLION, 1e6)
                  + line("state_S", "without field effect", ORANGE, 1e6, "dot")),
            Panel("ions per site", line("x_mean", "channel, mean", GREEN)
                  + line("x_surface", "at its surface", PURPLE, 1.0, "dot")),
        ]  # fmt: skip
    if "crystalline_share" in series:
        with np.errstate(divide="ignore"):
            ohm = np.where(series["conductance_S"] > 0.0, 1.0 / series["conductance_S"], np.nan)
        panels.append(Panel("resistance (Ω)", [Line(ohm, "resistance", VERMILLION)], log=True))
        panels.append(Panel("crystalline<br>share", line("crystalline_share", "crystalline share", GREEN)))
    if np.ptp(series.get("temperature_peak_K", np.zeros(1))) > 1e-9:
        panels.append(Panel("peak<br>temperature (K)", line("temperature_peak_K", "hottest point", VERMILLION)))
    if "channels" in series:
        panels.append(Panel("G / G<sub>0</sub>", line("conductance_S", "conductance over 2e²/h", PURPLE, 1.0 / G0_S),
                            log=True))  # fmt: skip
    counted = [name for name in series if name.startswith("n_") and name not in _COUNTERS]
    if counted:
        colours = (GREEN, ORANGE, PURPLE, BLUE, MUTED)
        lines = [
            each
            for name, colour in zip(counted, colours, strict=False)
            for each in line(
                name, name.removeprefix("n_").replace("_", " "), colour, 1.0, "solid" if colour is GREEN else "dash"
            )
        ]
        panels.append(Panel("number", lines))
    if "gap_per_m3" in series:
        panels.append(Panel("least on the axis<br>(10<sup>27</sup> m<sup>−3</sup>)",
                            line("gap_per_m3", "gap", GREEN, 1e-27)))  # fmt: skip
    return [panel for panel in panels if panel.lines and any(np.isfinite(each.values).any() for each in panel.lines)]


def update_figure(levels: Mapping[str, Floats]) -> Figure:
    """Conductance of a channel after every gate pulse, by polarity."""
    pulse = np.arange(1, len(levels["level_S"]) + 1)
    data = []
    for second, name, colour in ((0.0, "first amplitude", VERMILLION), (1.0, "second amplitude", BLUE)):
        rows = levels["second"] == second
        if rows.any():
            data.append({
                "type": "scatter", "mode": "markers", "x": pulse[rows], "y": levels["level_S"][rows] * 1e6,
                "name": name,
                "marker": {"color": colour, "size": 5 if len(pulse) < 500 else 3},
                "hovertemplate": "pulse %{x}<br>%{y:.5g} µS<extra></extra>",
            })  # fmt: skip
    layout = {"xaxis": axis("pulse"), "yaxis": axis("conductance after the pulse's rest (µS)")}
    return plot(data, layout, "Potentiation and depression: the level that each pulse leaves behind.", 380)
