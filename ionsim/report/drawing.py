"""The section through a device, to scale, with the material of every part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ionsim.plots.style import INK, MUTED
from ionsim.report.figures import Figure, axis, chemical, plot
from ionsim.report.parts import Drawing
from ionsim.report.shapes import Part, Range

#: Colours of materials: metals grey and blue, oxides warm, dielectrics pale. Others take the spare ones in order.
_COLOURS = {
    "TiN": "#8c97a5", "Ti": "#b4bcc8", "Pt": "#a3aab5", "W": "#7d8794", "Ag": "#c9cfd8", "Cu": "#d9915c",
    "TiSiN": "#9a8fa8", "Pd": "#aab0ba", "Au": "#d8b84e", "Ru": "#8b93a0", "C": "#6f7680",
    "HfO2": "#f3d886", "SiO2": "#e3e9f0", "Al2O3": "#d5e3ea", "GeSe": "#e9b98a", "air": "#fafbfc", "SiOx": "#dfe7c8",
    "GST-225": "#e8b04a", "AIST": "#dfa35c",
    "WO3": "#8fb7dd", "LiCoO2": "#a8a0d6", "PSG": "#f4e3b5", "Nafion": "#f0dcc2", "LiPON": "#e8efc6",
    "PdHx": "#9fa8b3", "Li": "#bcc4ce", "contact": "#878f9a",
}  # fmt: skip
_SPARE = ("#c9b1d9", "#b7d7c0", "#e6c3c0", "#bcd6e6", "#dcd3b0", "#c5cbd3")
_RICH = "#d9a441"

#: Width of the picture that labels are laid out for, and the space for those beside it, px.
_WIDTH, _BESIDE, _LINE = 1050.0, 215.0, 15.0


#: Width of a letter, px; what a name is written on; parts whose width says as much as their height.
_LETTER, _PALE, _POSTS = 6.6, "rgba(255,255,255,0.55)", ("heater", "cell", "source", "drain")


def colour_of(material: str, taken: dict[str, str]) -> str:
    """The colour of a material; ``taken`` remembers those of unknown ones."""
    if material.endswith("rich in vacancies"):
        return _RICH
    if material not in taken:
        spare = _SPARE[len([name for name in taken if name not in _COLOURS]) % len(_SPARE)]
        taken[material] = _COLOURS.get(material, spare)
    return taken[material]


def part_name(name: str) -> str:
    """A part's name as a reader says it."""
    return name.replace("_", " ")


def device_figure(drawing: Drawing) -> Figure:
    """The section: a filled outline for each part, names in it or beside it, equal scales."""
    cut = [(part, part.section(drawing.across, drawing.up, drawing.at_nm)) for part in drawing.parts]
    cut = [(part, pieces) for part, pieces in cut if pieces]
    left, right = _range(piece[0] for _, pieces in cut for piece in pieces)
    low, high = _range(piece[1] for _, pieces in cut for piece in pieces)
    width = _WIDTH - _BESIDE - 90.0
    height = min(max(width * (high - low) / (right - left), 170.0), 440.0)
    per_nm = min(width / (right - left), height / (high - low))
    taken: dict[str, str] = {}
    data = [_outline(part, pieces, colour_of(part.material, taken)) for part, pieces in cut]
    shapes = [
        {"type": "rect", "x0": mark.across[0], "x1": mark.across[1], "y0": mark.up[0], "y1": mark.up[1],
         "line": {"color": "#c0392b" if "lattice" in mark.name else "#5b3f9e", "width": 1.3, "dash": "dash"}}
        for mark in drawing.marks
    ]  # fmt: skip
    data += [
        {"type": "scatter", "mode": "lines", "x": [None], "y": [None], "name": mark.name,
         "line": {"color": "#c0392b" if "lattice" in mark.name else "#5b3f9e", "width": 1.3, "dash": "dash"}}
        for mark in {mark.name: mark for mark in drawing.marks}.values()
    ]  # fmt: skip
    labels, beside = _labels(cut, per_nm, right, (low, high), drawing)
    room = 0.02 * max(right - left, high - low)
    layout = {
        "xaxis": axis(f"{drawing.across} (nm)", range=[left - room, right + room], showgrid=False,
                      constrain="domain"),
        "yaxis": axis(f"{drawing.up} (nm)", range=[low - room, high + room], showgrid=False, scaleanchor="x",
                      constrain="domain"),
        "shapes": shapes,
        "annotations": labels,
        "showlegend": bool(drawing.marks),
        "margin": {"l": 70, "r": int(_BESIDE) if beside else 70, "t": 30, "b": 50},
    }  # fmt: skip
    section = {"r": "Section through the axis", "z": "Section along the current"}.get(
        drawing.across, f"Section at y = {drawing.at_nm:g} nm"
    )
    caption = "; ".join([f"{section}, to scale", *drawing.notes]) + "."
    return plot(data, layout, caption, round(height + 90))


def _range(pairs: Iterable[Range]) -> Range:
    ends = [value for pair in pairs for value in pair]
    return min(ends), max(ends)


def _outline(part: Part, pieces: list[tuple[Range, Range]], colour: str) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[float | None] = []
    for (x0, x1), (y0, y1) in pieces:
        x += [x0, x1, x1, x0, x0, None]
        y += [y0, y0, y1, y1, y0, None]
    (x0, x1), (y0, y1) = pieces[-1]
    text = f"<b>{part_name(part.name)}</b>: {chemical(part.material)}<br>{x1 - x0:.4g} nm × {y1 - y0:.4g} nm"
    text += "" if part.meshed else "<br>drawn, not meshed"
    line = {"color": INK, "width": 0.8, "dash": "solid" if part.meshed else "dot"}
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "fill": "toself", "fillcolor": colour, "line": line,
        "hoveron": "fills", "text": text, "hoverinfo": "text", "name": part_name(part.name), "showlegend": False,
    }  # fmt: skip


def _labels(
    cut: list[tuple[Part, list[tuple[Range, Range]]]], per_nm: float, right: float, up: Range, drawing: Drawing
) -> tuple[list[Any], bool]:
    """Names: in a part that has room beside its marks, else to the right with a line to it; whether there are such."""
    inside, beside = [], []
    seen: set[str] = set()
    for index, (part, pieces) in reversed(list(enumerate(cut))):
        kind = part.name.split(" ")[0]
        if kind in seen:  # of the lines and cells of an array the last is named, on the right
            continue
        seen.add(kind)
        (x0, x1), (y0, y1) = _visible(pieces, [piece for _, later in cut[index + 1 :] for piece in later])
        both = kind in _POSTS or drawing.across == "z"
        size = f"{x1 - x0:.4g} × {y1 - y0:.4g} nm" if both else f"{y1 - y0:.4g} nm"
        edge = x1
        (x0, x1), (y0, y1) = _visible([((x0, x1), (y0, y1))], [(mark.across, mark.up) for mark in drawing.marks])
        text = f"<b>{chemical(part.material)}</b> {part_name(kind)}, {size}"
        width, height = (x1 - x0) * per_nm / _LETTER, (y1 - y0) * per_nm
        lines = (len(part.material), len(kind) + len(size) + 2)
        if height > _LINE + 3.0 and width > sum(lines):
            inside.append(_text(0.5 * (x0 + x1), 0.5 * (y0 + y1), text, xanchor="center", bgcolor=_PALE))
        elif height > 2.0 * _LINE + 6.0 and width > max(lines):
            text = f"<b>{chemical(part.material)}</b><br>{part_name(kind)}, {size}"
            inside.append(_text(0.5 * (x0 + x1), 0.5 * (y0 + y1), text, xanchor="center", bgcolor=_PALE))
        elif height > 3.0 * _LINE + 6.0 and width > max(len(part.material), len(kind), len(size)):
            text = f"<b>{chemical(part.material)}</b><br>{part_name(kind)}<br>{size}"
            inside.append(_text(0.5 * (x0 + x1), 0.5 * (y0 + y1), text, xanchor="center", bgcolor=_PALE))
        else:
            beside.append((0.5 * (x0 + x1), 0.5 * (y0 + y1), edge, text))
    return inside + _spread(sorted(beside, key=lambda item: item[1]), per_nm, right, up), bool(beside)


def _visible(pieces: list[tuple[Range, Range]], later: list[tuple[Range, Range]]) -> tuple[Range, Range]:
    """The largest rectangle of a part that no later one covers, of those left and right of, above and below them."""
    best, area = pieces[-1], -1.0
    for (x0, x1), (y0, y1) in pieces:
        touching = [((max(a, x0), min(b, x1)), (max(c, y0), min(d, y1))) for (a, b), (c, d) in later
                    if a < x1 and b > x0 and c < y1 and d > y0]  # fmt: skip
        choices = [((x0, x1), (y0, y1))]
        if touching:
            left, right = min(piece[0][0] for piece in touching), max(piece[0][1] for piece in touching)
            low, high = min(piece[1][0] for piece in touching), max(piece[1][1] for piece in touching)
            choices = [((x0, x1), (high, y1)), ((x0, x1), (y0, low)), ((right, x1), (y0, y1)), ((x0, left), (y0, y1))]
        for x, y in choices:
            if (x[1] - x[0]) * (y[1] - y[0]) > area:
                best, area = (x, y), (x[1] - x[0]) * (y[1] - y[0])
    return best


def _spread(
    labels: list[tuple[float, float, float, str]], per_nm: float, right: float, up: Range
) -> list[dict[str, Any]]:
    """Texts to the right, moved apart so that none lies on another."""
    step = _LINE / per_nm
    heights = [y for _, y, _, _ in labels]
    for index in range(1, len(heights)):
        heights[index] = max(heights[index], heights[index - 1] + step)
    over = (heights[-1] - up[1]) if heights else 0.0
    if over > 0.0:
        heights = [height - min(over, max(heights[0] - up[0], 0.0)) for height in heights]
    return [
        _text(x1 if x1 > right - 1e-9 else x, y, text, xanchor="left", showarrow=True, arrowhead=0, arrowwidth=0.8,
              arrowcolor=MUTED, axref="pixel", ayref="y", ax=26 + (right - (x1 if x1 > right - 1e-9 else x)) * per_nm,
              ay=height, standoff=0)
        for (x, y, x1, text), height in zip(labels, heights, strict=True)
    ]  # fmt: skip


def _text(x: float, y: float, text: str, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": 12, "color": INK}, **more}
