"""How every picture of the suite looks: fonts, colours that colour-blind readers can tell apart, saving."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.results.atomic import replacing

#: Okabe and Ito, https://jfly.uni-koeln.de/color/: distinct for all common forms of colour blindness.
VERMILLION, BLUE, GREEN, ORANGE, SKY, PURPLE = "#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
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


def styled() -> AbstractContextManager[None]:
    """Context in which figures are made; leaves the caller's matplotlib settings and pyplot state alone."""
    return mpl.rc_context(_STYLE)


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure (inches) that needs no display; call inside :func:`styled`."""
    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")


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
