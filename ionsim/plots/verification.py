"""Pictures of verification cases: exact answers as lines, computed ones as markers; and formulas as small pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from matplotlib.ticker import LogLocator

from ionsim.plots.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILLION, new_figure, styled
from ionsim.verification.figure import Curve, Panel

_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY)
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ((0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))
#: From this number of points on markers are small, and from the next on they are dots.
_MANY, _CROWD = 60, 400
#: Names of categories with more letters than this in all are slanted.
_LETTERS = 36
#: More entries than this make a legend that hides the curves: it goes below the axes, without the repeated ones.
_ENTRIES = 5


def case_figure(panels: Sequence[Panel]) -> Figure:
    """All panels of a case, two in a row."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with styled():
        figure = new_figure(4.3 * columns, 3.4 * rows)
        for number, panel in enumerate(panels):
            _draw(figure.add_subplot(rows, columns, number + 1), panel)
    return figure


def formula_svg(formula: str) -> tuple[bytes, float]:
    """A formula of matplotlib's mathtext ("$...$") as SVG, and how far it reaches below the line, in points."""
    buffer = io.BytesIO()
    with styled():
        properties = FontProperties(size=11.0, math_fontfamily="stix")
        depth = math_to_image(formula, buffer, prop=properties, dpi=72, format="svg", color=INK)
    return buffer.getvalue(), float(depth)


def _draw(axes: Axes, panel: Panel) -> None:
    if panel.x_log:
        axes.set_xscale("log")
    if panel.y_log:
        axes.set_yscale("log")
    lines = markers = others = 0
    for curve in panel.curves:
        label = curve.label or "_nolegend_"
        y = np.where(curve.y > 0.0, curve.y, np.nan) if panel.y_log else curve.y
        if curve.kind == "exact":
            colour = INK if lines == 0 or not curve.label else _COLOURS[(lines - 1) % len(_COLOURS)]
            axes.plot(curve.x, y, color=colour, linewidth=1.2, label=label, zorder=2)
            lines += curve.label != "" or lines == 0
        elif curve.kind == "other":
            kind = others if curve.label else max(others - 1, 0)
            axes.plot(curve.x, y, color=MUTED, linewidth=1.1, linestyle=_DASHES[kind % 3], label=label, zorder=1)
            others += curve.label != ""
        elif curve.kind == "limit":
            axes.plot(curve.x, y, color=VERMILLION, linewidth=0.9, linestyle=(0, (2, 2)), label=label, zorder=1)
        else:
            _points(axes, curve, y, markers, label, over_line=lines > 0)
            markers += 1
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    if panel.categories:
        slanted = sum(map(len, panel.categories)) > _LETTERS
        axes.set_xticks(
            range(len(panel.categories)), panel.categories, fontsize=7.5, rotation=30 if slanted else 0,
            ha="right" if slanted else "center", rotation_mode="anchor",
        )  # fmt: skip
        axes.set_xlim(-0.5, len(panel.categories) - 0.5)
        axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    for axis, log in ((axes.xaxis, panel.x_log and not panel.categories), (axes.yaxis, panel.y_log)):
        if log:
            _ticks(axis)
    _, labels = axes.get_legend_handles_labels()
    if len(labels) > _ENTRIES:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=7.0)
    elif labels:
        axes.legend(loc="best", fontsize=7.5)


def _ticks(axis: Axis) -> None:
    """Of a logarithmic axis: 1, 2, 5 where it has less than two decades, else decades; no labels between them."""
    low, high = sorted(axis.get_view_interval())
    if high < 100.0 * low:
        few, many = (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        axis.set_major_locator(LogLocator(subs=few if high > 4.0 * low else many))
        axis.set_major_formatter(lambda value, _: f"{value:.3g}")
    else:
        axis.set_major_locator(LogLocator(numticks=8))
    axis.set_minor_formatter("")


def _points(axes: Axes, curve: Curve, y: np.ndarray, number: int, label: str, over_line: bool) -> None:
    """Markers, open where they lie on a line of the exact answer, so that it can be seen through them."""
    colour = _COLOURS[number % len(_COLOURS)]
    marker = "." if len(y) > _CROWD else _MARKERS[number % len(_MARKERS)]
    size = 2.0 if len(y) > _CROWD else 3.0 if len(y) > _MANY else 4.5
    axes.errorbar(
        curve.x, y, yerr=curve.error, color=colour, marker=marker, markersize=size, linestyle="none", elinewidth=0.8,
        markerfacecolor="none" if over_line and marker != "." else colour, markeredgewidth=0.9, label=label, zorder=3,
    )  # fmt: skip
