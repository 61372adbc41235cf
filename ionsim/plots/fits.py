"""A fit: what was measured, and what the device gives before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.plots.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILLION, decades, new_figure, styled

Floats = NDArray[np.float64]

_COLOURS = (VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY)
#: So many panels side by side, and so many conditions in each; of more the first ones are drawn.
_PANELS, _CURVES = 3, 6
_SIGNS = {"voltage_V": "voltage (V)", "time_s": "time (s)", "pulse": "pulse", "row": "row"}


@dataclass(frozen=True)
class FitCurve:
    """Rows of one comparison: ``x``, ``measured``, ``before`` and ``after`` (n,), the last two None where runs failed.

    ``pieces``: rows that belong together, in the order of the sweep; ``label``: conditions in words.
    """

    quantity: str
    x_name: str
    x: Floats
    measured: Floats
    before: Floats | None
    after: Floats | None
    pieces: Sequence[NDArray[np.intp]]
    log: bool
    label: str = ""


def fit_figure(curves: Sequence[FitCurve], title: str = "") -> Figure:
    """A panel for each quantity: points measured, lines before and after; ratios or differences below."""
    names = list(dict.fromkeys(curve.quantity for curve in curves))[:_PANELS]
    with styled():
        figure = new_figure(1.2 + 4.2 * len(names), 5.2)
        grid = figure.subplots(2, len(names), squeeze=False, height_ratios=(3, 1), sharex="col")
        for column, name in enumerate(names):
            mine = [curve for curve in curves if curve.quantity == name]
            _panel(grid[0, column], grid[1, column], mine)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=min(len(labels), 4), title=title or None,
            title_fontsize=9,
        )  # fmt: skip
    return figure


def _panel(axes: Axes, below: Axes, curves: Sequence[FitCurve]) -> None:
    shown, first = curves[:_CURVES], curves[0]
    for number, curve in enumerate(shown):
        colour = INK if len(shown) == 1 else _COLOURS[number]
        line = VERMILLION if len(shown) == 1 else colour
        size = (lambda v: np.abs(v)) if curve.log else (lambda v: v)
        label = f"measured {curve.label}".strip() if number == 0 or curve.label else None
        axes.plot(curve.x, size(curve.measured), ".", color=colour, markersize=4, label=label, zorder=2)
        for values, style, name in ((curve.before, "before", "before"), (curve.after, "after", "after")):
            if values is None:
                continue
            shape: dict[str, Any] = {"color": line, "linewidth": 1.4}
            if style == "before":
                shape = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 2))}
            for index, rows in enumerate(curve.pieces):
                marker = "x" if len(rows) == 1 else None
                axes.plot(
                    curve.x[rows], size(values[rows]), marker=marker, markersize=5, zorder=3 if style == "after" else 1,
                    label=name if number == 0 and index == 0 else None, **shape,
                )  # fmt: skip
                off = _off(curve, values)[rows]
                colours = shape["color"]
                below.plot(curve.x[rows], off, ".", color=colours, markersize=3, zorder=3 if style == "after" else 1)
    if first.log:
        axes.set_yscale("log")
        decades(axes)
        below.set_ylabel("log$_{10}$ ratio")
    else:
        below.set_ylabel("difference")
    _zoom(below, shown)
    below.axhline(0.0, color=INK, linewidth=0.6, zorder=0)
    name, _, unit = first.quantity.rpartition("_")
    amount = f"|{name.replace('_', ' ')}|" if first.log and "A" in unit else name.replace("_", " ")
    axes.set_ylabel(f"{amount} ({unit})")
    below.set_xlabel(_SIGNS.get(first.x_name, first.x_name))
    if first.x_name == "time_s" and np.all(first.x > 0.0) and first.x.max() / first.x.min() > 1e3:
        axes.set_xscale("log")


def _zoom(below: Axes, curves: Sequence[FitCurve]) -> None:
    """Show the residuals after the fit; those before it may lie outside."""
    largest = [np.nanmax(np.abs(_off(curve, curve.after)), initial=0.0) for curve in curves if curve.after is not None]
    if largest and max(largest) > 0.0:
        below.set_ylim(-1.3 * max(largest), 1.3 * max(largest))


def _off(curve: FitCurve, values: Floats) -> Floats:
    if not curve.log:
        return values - curve.measured
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log10(np.abs(values / curve.measured))
    return np.where(np.isfinite(found), found, np.nan)
