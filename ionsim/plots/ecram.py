"""ECRAM: where the ions are, what pulses do to the conductance, and the three currents against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.analysis.ecram_pulses import is_train, pulse_table, update_figures
from ionsim.config import Device, EcramDevice
from ionsim.config.waveforms import Sweep
from ionsim.plots.curves import iv_figure
from ionsim.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    VERMILLION,
    new_figure,
    spans,
    stage_colours,
    styled,
    time_unit,
)

Floats = NDArray[np.float64]

#: Widest panel of a map, in; its height follows, within these limits.
_WIDE_IN, _LOW_IN, _HIGH_IN = 3.4, 0.7, 2.2

#: The currents are drawn this many times as long as the first pulse, from just before it.
_AFTER = 2.5


#: Share of the electrolyte (per cent) whose changes the colour scale covers.
_SHOWN = 97.0

#: Room above the highest level for the words.
_ROOM = 1.35

#: Parts of the currents of source and drain.
_PARTS = ("displacement", "field_effect", "faradaic")

#: A run of steps that takes longer than this is drawn against the logarithm of time.
_SHORT_S = 1e-3


@dataclass(frozen=True)
class IonMap:
    """One moment: ``x_nm`` (n,), ``z_nm`` (nz,), share of filled sites (nz, n), region 1 channel, 2 electrolyte."""

    x_nm: Floats
    z_nm: Floats
    fraction: Floats
    inside: Floats
    time_s: float
    voltage_V: float


def ecram_figures(run: Any) -> dict[str, Figure]:
    """Figures of a run by the names of their files.

    ``train.png`` of a train of pulses, ``iv.png`` (gate current against gate voltage) of a sweep, ``retention.png`` of
    any other run of more than ``_SHORT_S``, ``currents.png`` of the first pulse, or of all of a short run,
    ``ions.png`` of the snapshots.
    """
    series = run.series
    found: dict[str, Figure] = {}
    device = Device.from_toml(run.input_toml)
    time_s = np.asarray(series.get("time_s", ()), dtype=float)
    if not isinstance(device, EcramDevice) or len(time_s) < 2:
        return found
    train = is_train(device.drive)
    if train:
        levels = pulse_table(device, series)
        if levels:
            found["train.png"] = train_figure(levels, update_figures(levels, device), title=run.name)
    elif time_s[-1] > _SHORT_S:
        found["retention.png"] = keeping_figure(series, run.stages, title=run.name)
    if isinstance(device.drive, Sweep):
        gate = series["voltage_V"], series["current_A"], series["stage"]
        found["iv.png"] = iv_figure(*gate, run.stages, title=run.name)
    until_s = first_pulse_s(series) if train or time_s[-1] > _SHORT_S else None
    found["currents.png"] = current_figure(series, until_s=until_s, title=run.name)
    maps = ion_maps(run.snapshots)
    if maps:
        ion = device.word("channel", "ion").rstrip("+")
        found["ions.png"] = ion_figure(maps, ion=ion, title=run.name)
    return found


def ion_maps(snapshots: Mapping[str, Any], most: int = 4) -> dict[str, IonMap]:
    """Maps of the snapshots that hold one, by label, in the order of time; ends of pulses come after ends of stages."""
    held = [label for label, item in snapshots.items() if "cut/fraction" in item.extra and "_peak" not in label]
    ends = [label for label in held if not label.endswith("_pulse")]
    labels = sorted((ends + [label for label in held if label.endswith("_pulse")])[:most],
                    key=lambda label: snapshots[label].time_s)  # fmt: skip
    found = {}
    for label in labels:
        item = snapshots[label]
        arrays = {name: np.asarray(item.extra[f"cut/{name}"]) for name in ("x_nm", "z_nm", "fraction", "inside")}
        title = label.replace("_pulse", ", end of pulse")
        found[title] = IonMap(**arrays, time_s=float(item.time_s), voltage_V=float(item.voltage_V))
    return found


def ion_figure(maps: Mapping[str, IonMap], *, ion: str = "", title: str = "") -> Figure:
    """Share of filled sites in the channel, a panel a moment (profiles in one panel of a stack); the electrolyte as the
    change of its density against the first moment."""
    first = next(iter(maps.values()))
    with styled():
        figure = _profiles(maps, ion) if len(first.x_nm) == 1 else _panels(maps, ion)
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def _profiles(maps: Mapping[str, IonMap], ion: str) -> Figure:
    figure = new_figure(4.6, 3.0)
    axes = figure.subplots()
    colours = [INK, VERMILLION, BLUE, GREEN, ORANGE, MUTED]
    for (label, one), colour in zip(maps.items(), colours * len(maps), strict=False):
        values = np.where(one.inside[:, 0] == 1.0, one.fraction[:, 0], np.nan)
        axes.plot(one.z_nm, values, color=colour, label=f"{label}, {_when(one.time_s)}")
    axes.set_xlabel("z (nm)")
    axes.set_ylabel(f"filled share of the channel's sites{f' ({ion})' if ion else ''}")
    axes.legend()
    return figure


def _panels(maps: Mapping[str, IonMap], ion: str) -> Figure:
    first = next(iter(maps.values()))
    ratio = float(np.ptp(first.z_nm) / np.ptp(first.x_nm))
    height = float(np.clip(_WIDE_IN * ratio * 2.0, _LOW_IN, _HIGH_IN))
    figure = new_figure(2.0 * _WIDE_IN + 1.4, (height + 0.55) * len(maps) + 0.6)
    panels = figure.subplots(len(maps), 2, squeeze=False, sharex=True, sharey=True)
    channel = [np.where(one.inside == 1.0, one.fraction, np.nan) for one in maps.values()]
    before = np.where(first.inside == 2.0, first.fraction, np.nan)
    change = [np.where(one.inside == 2.0, one.fraction, np.nan) - before for one in maps.values()]
    high = max(float(np.nanmax(part)) for part in channel)
    # the double layer is one cell thin: a colour scale up to it would show nothing of the rest
    wide = float(np.nanpercentile(np.abs(np.stack(change[1:] or change)), _SHOWN)) or 1e-3
    images = [None, None]
    for row, (label, one) in enumerate(maps.items()):
        options = {"cmap": "viridis", "vmin": 0.0, "vmax": high}, {"cmap": "PuOr_r", "vmin": -wide, "vmax": wide}
        for column, (values, keys) in enumerate(zip((channel[row], change[row]), options, strict=True)):
            axes = panels[row, column]
            images[column] = axes.pcolormesh(one.x_nm, one.z_nm, values, rasterized=True, **keys)
            axes.contour(one.x_nm, one.z_nm, (one.inside == 1.0).astype(float), [0.5], colors=MUTED, linewidths=0.6)
        panels[row, 0].set_title(f"{label}: {_when(one.time_s)}, gate {one.voltage_V:.2f} V", fontsize=8, loc="left")
        panels[row, 0].set_ylabel("z (nm)")
    for axes in panels[-1]:
        axes.set_xlabel("x (nm)")
    names = (f"filled share of the channel{f' ({ion})' if ion else ''}", "electrolyte: change of the filled share")
    for image, column, name in zip(images, range(2), names, strict=True):
        assert image is not None
        figure.colorbar(image, ax=panels[:, column], location="bottom", shrink=0.8, pad=0.02).set_label(name)
    return figure


def train_figure(levels: Mapping[str, Floats], figures: Mapping[str, Any], *, title: str = "") -> Figure:
    """Conductance after every pulse against its number, both directions; below, the change by every pulse."""
    with styled():
        figure = new_figure(4.8, 4.2)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1.0))
        number = np.arange(1, len(levels["level_S"]) + 1)
        change = levels["level_S"] - levels["before_S"]
        for second, colour, name in ((0.0, VERMILLION, "first"), (1.0, BLUE, "second")):
            chosen = levels["second"] == second
            if chosen.any():
                above.plot(number[chosen], levels["level_S"][chosen] * 1e6, ".", ms=2.5, color=colour, label=name)
                below.plot(number[chosen], change[chosen] * 1e9, ".", ms=2.5, color=colour)
        above.set_ylabel("conductance (µS)")
        below.set_ylabel("change a pulse (nS)")
        below.set_xlabel("pulse")
        below.axhline(0.0, color=MUTED, linewidth=0.6)
        above.legend(title="pulses", loc="upper left")
        above.set_ylim(0.0, _ROOM * 1e6 * float(np.max(levels["level_S"])))
        lines = _figure_lines(figures)
        if lines:
            above.text(0.98, 0.96, "\n".join(lines), transform=above.transAxes, ha="right", va="top", fontsize=7.5)
        figure.align_ylabels()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def _figure_lines(figures: Mapping[str, Any]) -> list[str]:
    lines = []
    if figures.get("n_states"):
        lines.append(f"{figures['n_states']} states, range {figures['on_off_ratio']:.3g}")
    if figures.get("nonlinearity_up") is not None and figures.get("nonlinearity_down") is not None:
        lines.append(f"nonlinearity {figures['nonlinearity_up']:+.2f} up, {figures['nonlinearity_down']:+.2f} down")
    if figures.get("asymmetry") is not None:
        lines.append(f"asymmetry {figures['asymmetry']:.2f}")
    if figures.get("E_pulse_J"):
        lines.append(f"{figures['E_pulse_J'] * 1e15:.2g} fJ a pulse")
    return lines


def current_figure(series: Mapping[str, Floats], *, until_s: float | None = None, title: str = "") -> Figure:
    """Gate voltage, the parts of the gate's current, those of source and drain together, and the conductance, against
    time up to ``until_s`` (default: all)."""
    time_s = np.asarray(series["time_s"], dtype=float)
    shown = time_s <= (time_s[-1] if until_s is None else until_s * (1.0 + 1e-9))
    part = {name: np.asarray(values)[shown] for name, values in series.items()}
    factor, unit = time_unit(float(part["time_s"][-1]))
    time = part["time_s"] * factor
    both = {name: part[f"source_{name}_A"] + part[f"drain_{name}_A"] for name in _PARTS}
    with styled():
        figure = new_figure(5.2, 6.2)
        panels = figure.subplots(4, 1, sharex=True, height_ratios=(0.8, 1.2, 1.2, 1.0))
        panels[0].plot(time, part["device_V"], color=INK)
        panels[0].set_ylabel("gate (V)")
        scale, ampere = _ampere(np.concatenate([part["current_A"], *both.values()]))
        curves: list[tuple[Axes, list[tuple[str, Floats, str, str]]]] = [
            (panels[1], [
                ("total", part["current_A"], INK, "-"), ("displacement", part["gate_displacement_A"], ORANGE, "-"),
                ("Faradaic", part["gate_faradaic_A"], GREEN, "-"),
            ]),
            (panels[2], [
                ("total", sum(both.values(), np.zeros_like(time)), INK, "-"),
                ("displacement", both["displacement"], ORANGE, "-"), ("field effect", both["field_effect"], BLUE, "-"),
                ("Faradaic: intercalation", both["faradaic"], GREEN, "-"),
            ]),
        ]  # fmt: skip
        for axes, lines in curves:
            for name, values, colour, line in lines:
                width = 1.8 if name == "total" else 1.2
                axes.plot(time, values * scale, line, color=colour, label=name, linewidth=width)
            axes.axhline(0.0, color=MUTED, linewidth=0.5)
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=7, borderaxespad=0.1)
        panels[1].set_ylabel(f"gate current ({ampere})")
        panels[2].set_ylabel(f"source + drain ({ampere})")
        panels[3].plot(time, part["conductance_S"] * 1e6, color=VERMILLION, label="as read")
        panels[3].plot(time, part["state_S"] * 1e6, "--", color=INK, label="without field effect")
        panels[3].set_ylabel("channel (µS)")
        panels[3].set_xlabel(f"time ({unit})")
        panels[3].legend(fontsize=7)
        panels[0].set_xlim(float(time[0]), float(time[-1]))
        figure.align_ylabels()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def keeping_figure(series: Mapping[str, Floats], stages: Sequence[str], *, title: str = "") -> Figure:
    """Conductance and gate voltage of every stage against the logarithm of the time since it began."""
    time_s, conductance = np.asarray(series["time_s"], dtype=float), np.asarray(series["conductance_S"]) * 1e6
    colours = stage_colours(stages)
    with styled():
        figure = new_figure(4.8, 4.0)
        above, below = figure.subplots(2, 1, sharex=True)
        for index, low, high in spans(series["stage"]):
            begin_s = time_s[low - 1] if low else 0.0
            since = time_s[low:high] - begin_s
            shown = since > 0.0
            name = stages[index]
            above.plot(since[shown], conductance[low:high][shown], color=colours[name], label=name)
            below.plot(since[shown], np.asarray(series["device_V"])[low:high][shown], color=colours[name])
        above.set_ylabel("conductance (µS)")
        above.set_yscale("log")
        above.legend(fontsize=7)
        below.set_ylabel("gate (V)")
        below.set_xlabel("time since the stage began (s)")
        below.set_xscale("log")
        figure.align_ylabels()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def first_pulse_s(series: Mapping[str, Floats]) -> float:
    """A time that shows the first pulse and what follows at once: some times its length from the start."""
    time_s, gate = np.asarray(series["time_s"]), np.asarray(series["device_V"])
    apart = np.abs(gate - gate[-1]) > 0.5 * np.abs(gate - gate[-1]).max()
    ends = np.flatnonzero(apart[:-1] & ~apart[1:])
    return float(_AFTER * time_s[ends[0] + 1]) if ends.size else float(time_s[-1])


def _ampere(values: Floats) -> tuple[float, str]:
    most = float(np.abs(values).max(initial=0.0))
    for factor, name in ((1e3, "mA"), (1e6, "µA"), (1e9, "nA"), (1e12, "pA"), (1e15, "fA")):
        if most * factor >= 0.5:
            return factor, name
    return 1e18, "aA"


def _when(time_s: float) -> str:
    factor, unit = time_unit(time_s) if time_s > 0.0 else (1e9, "ns")
    return f"{time_s * factor:.4g} {unit}"
