"""How every picture of the suite looks: fonts, colours that colour-blind readers can tell apart, saving."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from ionsim.results.atomic import replacing

#: Okabe and Ito, https://jfly.uni-koeln.de/color/: distinct for all common forms of colour blindness.
VERMILLION, BLUE, GREEN, ORANGE, SKY, PURPLE = "#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
YELLOW = "#F0E442"
INK, MUTED, PALE = "#222222", "#6B7078", "#C8CCD2"
#: Stages of the main job have fixed colours; others take the rest of the palette in order.
_STAGE_COLOURS = {"forming": VERMILLION, "reset": BLUE, "set": GREEN}
_SPARE = (ORANGE, PURPLE, SKY, MUTED)

_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.grid": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.3,
    "savefig.dpi": 200,
    "axes.unicode_minus": True,
}


class Picture(Figure):
    """A figure that a notebook shows, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        with styled():
            self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def styled() -> AbstractContextManager[None]:
    """Context in which figures are made; leaves the caller's matplotlib settings and pyplot state alone."""
    return mpl.rc_context(_STYLE)


def new_figure(
    width_in: float, height_in: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Figure:
    """An empty figure (inches) that needs no display; "compressed" suits panels of equal scales in x and y.

    Call inside :func:`styled`.
    """
    return Picture(figsize=(width_in, height_in), layout=layout, facecolor="white")


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; the file appears whole or not at all."""
    with styled(), replacing(path) as part:
        figure.savefig(part, format="png")
    return path


def stage_colours(stages: Sequence[str]) -> dict[str, str]:
    """A colour for each stage name."""
    spare = iter(_SPARE * (len(stages) // len(_SPARE) + 1))
    return {stage: _STAGE_COLOURS.get(stage) or next(spare) for stage in stages}


def formula(name: str) -> str:
    """A chemical formula with its numbers as subscripts; other text stays as it is."""
    return re.sub(r"(?<=[A-Za-z)])(\d+)", r"$_{\1}$", name) if re.fullmatch(r"([A-Z][a-z]?\d*)+", name) else name


def spans(stage: NDArray[np.generic]) -> list[tuple[int, int, int]]:
    """Runs of equal stage index: (index, first, last + 1) for stage (N,)."""
    index = np.asarray(stage).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(index)) + 1).tolist(), len(index)]
    return [(int(index[low]), low, high) for low, high in pairwise(edges) if high > low]


_TIME_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns"), (1e12, "ps"))


def time_unit(duration_s: float) -> tuple[float, str]:
    """Factor and name of the unit in which a linear time axis has readable numbers (s from 0.2 s on)."""
    return next(((factor, name) for factor, name in _TIME_UNITS if duration_s * factor >= 0.2), _TIME_UNITS[0])


#: Width of a character of a stage's name as a share of the panels of a time axis; longer names do not fit over a stage.
_CHARACTER = 0.019


def mark_stages(
    panels: Sequence[Axes], time_s: NDArray[np.float64], stage: NDArray[np.generic], stages: Sequence[str]
) -> None:
    """Shade the stages on linear time axes; names stand above the first panel, or in a legend where they do not fit."""
    colours, parts = stage_colours(stages), spans(stage)
    last = len(time_s) - 1
    marks = [(stages[index], float(time_s[low]), float(time_s[min(high, last)])) for index, low, high in parts]
    total = float(time_s[-1] - time_s[0])
    fits = all(end - start >= _CHARACTER * len(name) * total for name, start, end in marks)
    for name, start, end in marks:
        for axes in panels:
            axes.axvspan(start, end, color=colours[name], alpha=0.08, linewidth=0)
        if fits:
            panels[0].annotate(
                name, (0.5 * (start + end), 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="center", color=colours[name], fontweight="bold",
            )  # fmt: skip
    if not fits:
        shown, own = dict.fromkeys(name for name, _, _ in marks), panels[0].get_legend()
        panels[0].legend(
            handles=[Patch(color=colours[name], alpha=0.5, label=name) for name in shown], loc="lower center",
            bbox_to_anchor=(0.5, 1.0), ncols=min(len(shown), 6), borderaxespad=0.2, handlelength=1.2,
        )  # fmt: skip
        if own is not None:  # a second legend takes the place of the first
            panels[0].add_artist(own)


def decades(axes: Axes) -> None:
    """Ticks of a logarithmic y axis: all decades as far as they fit, no labels between them."""
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_minor_locator(LogLocator(subs="all", numticks=12))
    axes.yaxis.set_minor_formatter("")
