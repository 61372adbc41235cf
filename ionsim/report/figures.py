"""Figures as plotly.js reads them: plain dictionaries whose arrays are packed, and one look for all of them."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.plots.style import INK, MUTED

Floats = NDArray[np.float64]

#: Points that a line keeps; of more the smallest and the largest of each stretch are drawn.
MOST_POINTS = 4000

_FONT = '"Source Sans 3", "Helvetica Neue", Arial, sans-serif'
_KINDS = {"float64": "f8", "float32": "f4", "int32": "i4", "int64": "i4", "int16": "i2", "uint16": "u2", "int8": "i1",
          "uint8": "u1", "bool": "u1"}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """What one picture of the page is made of.

    ``kind``: "plot" (traces and layout), "states" (traces that belong to a state, chosen by a button), "slices" (fields
    of several moments, chosen by a slider) or "columns" (a table whose columns are drawn against each other).
    ``content`` goes to the page's script; ``caption`` is HTML; ``height`` in pixels.
    """

    kind: str
    content: Mapping[str, Any]
    caption: str = ""
    height: int = 420
    label: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def plot(data: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], caption: str = "", height: int = 420) -> Figure:
    """A plain figure; ``layout`` is added to the look of all figures."""
    return Figure("plot", {"data": list(data), "layout": look(layout)}, caption, height)


def look(layout: Mapping[str, Any]) -> dict[str, Any]:
    """A layout with the fonts, margins and colours of the page; tables within are merged."""
    base: dict[str, Any] = {
        "font": {"family": _FONT, "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 74, "r": 20, "t": 34, "b": 54},
        "hoverlabel": {"font": {"family": _FONT, "size": 12}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    }
    for key, value in layout.items():
        base[key] = {**base.get(key, {}), **value} if isinstance(value, Mapping) else value
    return base


def axis(title: str, **more: Any) -> dict[str, Any]:
    """A boxed axis with ticks inside, as papers have them; ``title`` carries the unit."""
    return {
        "title": {"text": title, "standoff": 8}, "showline": True, "mirror": "ticks", "ticks": "inside", "ticklen": 4,
        "linecolor": INK, "linewidth": 1, "gridcolor": "#eceef1", "zeroline": False, "automargin": True,
        "tickcolor": INK, **more,
    }  # fmt: skip


def log_axis(title: str, values: Sequence[Floats], **more: Any) -> dict[str, Any]:
    """A logarithmic axis; ticks at decades only where there are many."""
    found = [np.abs(each[np.isfinite(each) & (each != 0.0)]) for each in values]
    every = np.concatenate([each for each in found if each.size] or [np.ones(1)])
    decades = math.log10(every.max() / every.min())
    step = max(1, math.ceil(decades / 8.0))
    # under two decades 1, 2, 5 between the powers of ten keep an axis from having a single number
    ticks = {"dtick": step} if decades > 1.7 else {"dtick": "D2" if decades > 0.7 else "D1"}
    return axis(title, type="log", exponentformat="power", minor={"ticks": "inside", "ticklen": 2}, **ticks, **more)


def colour_scale(name: str, steps: int = 17) -> list[list[Any]]:
    """A colour map of matplotlib as plotly.js takes it."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [[float(share), to_hex(colormaps[name](share))] for share in np.linspace(0.0, 1.0, steps)]


def magnitude(values: Floats) -> Floats:
    """Absolute values with zeros as gaps: a logarithmic axis has no place for them."""
    size = np.abs(np.asarray(values, dtype=np.float64))
    return np.where(size > 0.0, size, np.nan)


def thinned(values: Floats, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Rows of values (n,) that a line needs: all, or the first, smallest and largest of each stretch, and the last."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, most // 3 + 1).astype(int)
    keep = {0, count - 1}
    for low, high in pairwise(edges.tolist()):
        part = values[low:high]
        keep.add(int(low))
        if np.isfinite(part).any():
            keep |= {int(low + np.nanargmin(part)), int(low + np.nanargmax(part))}
    return np.array(sorted(keep))


def chemical(name: str) -> str:
    """A formula with its numbers as subscripts, in HTML; other text stays as it is."""
    formula, comma, rest = name.partition(",")
    if not re.fullmatch(r"([A-Z][a-z]?\d*)+", formula):
        return name
    return re.sub(r"(?<=[A-Za-z)])(\d+)", r"<sub>\1</sub>", formula) + comma + rest


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """An array as plotly.js takes it in binary: little-endian bytes in base 64, with type and shape."""
    array = np.ascontiguousarray(values)
    kind = _KINDS[array.dtype.name]
    array = array.astype(f"<{kind}", copy=False)
    found = {"dtype": kind, "bdata": base64.b64encode(array.tobytes()).decode("ascii")}
    return found if array.ndim == 1 else {**found, "shape": ", ".join(map(str, array.shape))}


def quantised(values: Floats, steps: int = 65534) -> dict[str, Any]:
    """Values (...) in so many steps of their range, NaN as the number after them: a quarter of the size of doubles."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    step = (high - low) / steps or 1.0
    kind = np.uint8 if steps < 255 else np.uint16
    with np.errstate(invalid="ignore"):
        codes = np.where(np.isfinite(values), np.rint((values - low) / step), steps + 1).astype(kind)
    return {"codes": packed(codes), "low": low, "step": step, "missing": steps + 1}


def to_json(content: Any) -> str:
    """JSON for a script element: arrays packed, NaN as null, and nothing that ends the element."""
    return json.dumps(_plain(content), allow_nan=False, separators=(",", ":")).replace("</", "<\\/")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return packed(value) if value.dtype.kind in "fiub" else value.tolist()
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def note_line(y: float, text: str, *, yref: str = "y", xref: str = "x domain") -> tuple[dict[str, Any], dict[str, Any]]:
    """A dashed horizontal line over the whole panel and its text: a shape and an annotation."""
    shape = {"type": "line", "xref": xref, "yref": yref, "x0": 0, "x1": 1, "y0": y, "y1": y,
             "line": {"color": MUTED, "width": 1, "dash": "dash"}}  # fmt: skip
    at = math.log10(y) if yref == "y" and y > 0 else y
    label = {"xref": xref, "yref": yref, "x": 0.01, "y": at, "text": text, "showarrow": False, "xanchor": "left",
             "yanchor": "bottom", "font": {"size": 11, "color": MUTED}}  # fmt: skip
    return shape, label
