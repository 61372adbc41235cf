"""Pictures of a fit: currents of model and physics against voltage or time, switching times, correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.compact.extraction.compare import LEAST_A
from ionsim.compact.extraction.protocol import Fitted, Measurement
from ionsim.config.waveforms import Sweep
from ionsim.plots.style import BLUE, INK, MUTED, VERMILLION, decades, new_figure, save, stage_colours, styled

Floats = NDArray[np.float64]


def comparison_figure(measured: Measurement, model: Mapping[str, Floats]) -> Figure:
    """|I| of a run (dots) and of the model (lines): against the applied voltage of a sweep, else against time."""
    sweep = isinstance(measured.device.drive, Sweep)
    with styled():
        figure = new_figure(5.4, 4.0)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        colours = stage_colours(measured.stages) if sweep else dict.fromkeys(measured.stages, BLUE)
        key = "voltage_V" if sweep else "time_s"
        for index, name in enumerate(measured.stages):
            labels = ("physics", "model") if not index else (None, None)
            for series, style, label in ((measured.series, ".", labels[0]), (model, "-", labels[1])):
                rows = series["stage"].astype(int) == index
                current = np.abs(series["current_A"][rows])
                axes.plot(series[key][rows], np.where(current > LEAST_A, current, np.nan), style, color=colours[name],
                          markersize=3.0, alpha=0.45 if style == "." else 1.0, label=label)  # fmt: skip
        axes.set_xlabel("applied voltage (V)" if sweep else "time (s)")
        axes.set_ylabel("|current| (A)")
        decades(axes)
        held = "held out" if measured.role == "held_out" else measured.role
        figure.legend(loc="outside upper center", ncols=2, title=f"{measured.name} ({held})", title_fontsize=9)
    return figure


def times_figure(rows: Sequence[tuple[str, bool, float, float]]) -> Figure:
    """Switching times of the model against those of the physics: (label, held out, physics s, model s) each."""
    with styled():
        figure = new_figure(4.2, 4.0)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        both = np.array([[physics, model] for _, _, physics, model in rows])
        ends = np.array([both.min() / 3, both.max() * 3])
        axes.plot(ends, ends, color=INK, linewidth=0.8)
        for factor in (2.0, 0.5):  # 0.3 decades
            axes.plot(ends, factor * ends, color=MUTED, linewidth=0.8, linestyle=(0, (5, 3)))
        for held, colour, label in ((False, BLUE, "fitted"), (True, VERMILLION, "held out")):
            chosen = both[[row[1] == held for row in rows]]
            if len(chosen):
                axes.plot(chosen[:, 0], chosen[:, 1], "o", color=colour, label=label, markersize=5)
        axes.set_xlabel("switching time of the physics (s)")
        axes.set_ylabel("of the model (s)")
        figure.legend(loc="outside upper center", ncols=2, title="dashed: 0.3 decades", title_fontsize=9)
    return figure


def correlation_figure(fitted: Fitted) -> Figure:
    """Correlations of the fitted parameters."""
    names = fitted.names
    with styled():
        figure = new_figure(1.8 + 0.32 * len(names), 1.2 + 0.32 * len(names))
        axes = figure.add_subplot()
        image = axes.imshow(fitted.correlation, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(top=False, right=False)
        figure.colorbar(image, label=f"correlation (condition number {fitted.condition:.2g})", shrink=0.8)
    return figure


def draw(
    folder: Path,
    fitted: Fitted,
    replays: Sequence[tuple[Measurement, Mapping[str, Floats]]],
    times: Sequence[tuple[str, bool, float, float]] = (),
) -> list[Path]:
    """Write all pictures of a fit into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [save(comparison_figure(measured, model), folder / f"{measured.name}.png") for measured, model in replays]
    if times:
        found.append(save(times_figure(times), folder / "switching_times.png"))
    found.append(save(correlation_figure(fitted), folder / "correlations.png"))
    return found
