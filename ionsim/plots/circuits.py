"""What a circuit simulator wrote: voltages, currents, temperatures and states in time, and the loop of one source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.compact.circuits.rawfile import read_raw
from ionsim.plots.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, new_figure, styled, time_unit

Floats = NDArray[np.float64]

#: A panel shows this many signals, those that vary most; crossbars have thousands.
MOST = 6

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
_LABELS = {"voltage": "voltage (V)", "current": "current (A)", "rise": "rise (K)", "state": "state - start (scaled)"}


def raw_figure(path: str | Path) -> Figure:
    """The first plot of a binary raw file of VACASK or ngspice; raises CompactError where it cannot be read.

    Panels against time (or the swept voltage): voltages, currents out of the sources, temperatures of thermal
    terminals, deviations of states; beside them the current of the source that swings most against its voltage.
    """
    raw = read_raw(Path(path))
    over = next(iter(raw))
    kinds = classify({name: values for name, values in raw.items() if name != over})
    rows = [kind for kind in _LABELS if kinds[kind]]
    with styled():
        figure = new_figure(8.2, 1.0 + 1.5 * len(rows))
        grid = figure.add_gridspec(len(rows), 2, width_ratios=(1.6, 1.0))
        panels = [figure.add_subplot(grid[k, 0]) for k in range(len(rows))]
        factor, unit = time_unit(float(raw[over][-1])) if over == "time" else (1.0, "V")
        for axes, kind in zip(panels, rows, strict=True):
            axes.sharex(panels[0])
            _signals(axes, raw[over] * factor, kinds[kind])
            axes.set_ylabel(_LABELS[kind])
            axes.tick_params(labelbottom=axes is panels[-1])
        panels[-1].set_xlabel(f"time ({unit})" if over == "time" else "swept voltage (V)")
        panels[0].set_xlim(float(raw[over][0]) * factor, float(raw[over][-1]) * factor)
        figure.align_ylabels(panels)
        _loop(figure.add_subplot(grid[:, 1]), kinds)
        figure.suptitle(Path(path).stem)
    return figure


def classify(signals: Mapping[str, Floats]) -> dict[str, dict[str, Floats]]:
    """Signals by kind (``voltage``, ``current``, ``rise``, ``state``) under plain names; currents are those out of the
    sources, by the node that they drive."""
    kinds: dict[str, dict[str, Floats]] = {kind: {} for kind in _LABELS}
    for name, values in signals.items():
        plain = re.sub(r"^v\((.*)\)$", r"\1", name)
        if source := re.fullmatch(r"(?:v_(.+):flow\(br\)|i\(v_(.+)\))", name):
            kinds["current"][source.group(1) or source.group(2)] = -values
        elif state := re.fullmatch(r"(?:[xn](?=.*[#.]n_))?(.+)[:#.]n_(.+)", plain):
            kinds["state"][f"{state.group(1)}.{state.group(2)}"] = values
        else:
            kinds["rise" if plain.endswith("_t") else "voltage"][plain] = values
    return kinds


def _signals(axes: Axes, along: Floats, signals: Mapping[str, Floats]) -> None:
    chosen = sorted(signals, key=lambda name: -float(np.ptp(signals[name])))[:MOST]
    for name, colour in zip([name for name in signals if name in chosen], _COLOURS, strict=False):
        axes.plot(along, signals[name], color=colour, label=name)
    axes.legend(loc="best", ncols=2 if len(chosen) > 3 else 1)
    if len(signals) > MOST:
        axes.set_title(f"{MOST} of {len(signals)} that vary most", loc="left")


def _loop(axes: Axes, kinds: Mapping[str, Mapping[str, Floats]]) -> None:
    """|I| against V of the source whose voltage swings most."""
    volts, amperes = kinds["voltage"], kinds["current"]
    driven = [name for name in amperes if name in volts]
    if not driven:
        axes.set_axis_off()
        return
    name = max(driven, key=lambda item: (float(np.ptp(volts[item])), float(np.ptp(amperes[item]))))
    size = np.abs(amperes[name])
    axes.plot(volts[name], np.where(size > 0, size, np.nan), color=BLUE)
    low, high = float(np.nanmin(size[size > 0], initial=np.inf)), float(size.max(initial=0.0))
    if high > 0:
        axes.set(yscale="log", ylim=(max(low, 1e-5 * high), 2.0 * high))
    axes.set(xlabel=f"voltage of {name} (V)", ylabel=f"|current| of {name} (A)")
