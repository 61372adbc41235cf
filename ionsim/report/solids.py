"""The 3D picture of a continuum: its cut turned around the axis or drawn out along y, coloured by what moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from contourpy import contour_generator
from scipy.ndimage import maximum_filter

from ionsim.plots.phases import PHASES
from ionsim.plots.style import INK
from ionsim.report.figures import Figure, Floats, colour_scale, quantised
from ionsim.report.moments import MOST_STATES, Moment, moments
from ionsim.report.parts import Drawing
from ionsim.report.scene import box_lines, scene_layout, slab
from ionsim.report.shapes import Box, Tube
from ionsim.report.slices import fields_of
from ionsim.report.texts import number
from ionsim.results import Run

#: Angles over which a body is turned: a quarter stays open for a look inside. Points along them.
_OPEN, _ANGLES = 1.5 * np.pi, 55
#: Most points of a painted face along its longer side.
_POINTS = 120
#: A device flatter than this is stretched along z.
_FLAT = 6.0

#: Parts of an array that are drawn as glass: colour and opacity.
_SOLID = {
    "word": ("#7d8794", 0.22), "bit": ("#7d8794", 0.10), "heater": ("#9a8fa8", 0.35), "cell": ("#e8b04a", 0.18),
    "phase_change": ("#e8b04a", 0.10),
}  # fmt: skip

#: Parts whose names are written into the picture.
_CONTACTS = ("source", "drain", "gate", "left", "right", "bottom", "top")

Kind = Literal["turned", "along y", "plane"]


@dataclass(frozen=True)
class _Paint:
    """How a field is coloured.

    ``surfaces``: values whose contour is a surface, with its name and colour; ``only``: no painted faces but those.
    """

    scale: Any
    low: float
    high: float
    title: str
    surfaces: Sequence[tuple[float, str, str]] = ()
    ticks: Sequence[str] = ()
    opacity: float = 1.0
    only: str = ""


def solid_figure(run: Run, drawing: Drawing | None) -> Figure | str:
    """Phase, vacancies or ions of every state of a run without a lattice, or why there is nothing to see."""
    known = [label for label, snapshot in run.snapshots.items() if "cut/potential_V" in snapshot.extra]
    if not known:
        return "The run has no snapshot of its fields: it ended before the first one was taken."
    if drawing is None:
        return "The device description cannot be read, so the cut cannot be placed in space."
    found = moments(run.snapshots, MOST_STATES, known, run.series)
    fields, _ = fields_of(run, found, drawing)
    main = fields[-1]
    if main.name not in ("phase", "vacancies", "ions per site"):
        return "The run's snapshots hold no concentration and no phase."
    kind, y = _kind(drawing, main.name)
    x, z, values = main.x_nm, main.z_nm, main.values
    if len(x) == 1:  # a stack in one dimension is as long as its channel
        box = next(part.box for part in drawing.parts if part.name == "channel")
        x = np.array(box.x)
        values = np.repeat(values, 2, axis=2)
    columns, rows = (np.unique(np.linspace(0, len(each) - 1, min(len(each), _POINTS)).astype(int)) for each in (x, z))
    x, z, values = x[columns], z[rows], values[:, rows][:, :, columns]
    stretch = _stretch(drawing)
    states = []
    for moment, grid in zip(found, values, strict=True):
        traces: list[dict[str, Any]] = []
        for part, paint in _paints(run, main.name, moment, values, grid, drawing, z):
            traces += _body(x, z, part, paint, kind, y, stretch)
        states.append({"label": moment.label, "text": f"{moment.title}; {_said(main.name, grid, moment)}",
                       "traces": traces})  # fmt: skip
    layout = scene_layout(np.ones(3), lateral=False)
    layout["scene"]["camera"]["eye"] = {"x": 0.95, "y": -1.05, "z": 0.55}
    layout["margin"] = {"l": 0, "r": 0, "t": 0, "b": 0}
    if stretch != 1.0:
        layout["scene"]["zaxis"] |= _real_heights(drawing, stretch)
    outlines = _outlines(drawing, kind, x, z, stretch)
    layout["scene"]["annotations"] = _names(outlines)
    content = {"base": outlines, "states": states, "layout": layout,
               "initial": _shown(run, found, main.name)}  # fmt: skip
    return Figure("states", content, _caption(kind, main.name, stretch), 560)


def _kind(drawing: Drawing, name: str) -> tuple[Kind, tuple[float, float]]:
    """How the third dimension comes: by turning, by drawing out along y, or not at all (solved in 3D, cut known)."""
    if drawing.across == "r":
        return "turned", (0.0, 0.0)
    if any("3D" in note or "section is through the row" in note for note in drawing.notes):
        return "plane", (drawing.at_nm, drawing.at_nm)
    active = [part for part in drawing.parts if part.name in ("phase_change", "channel", "oxide")]
    return "along y", active[0].box.y if active else (0.0, 0.0)


def _paints(
    run: Run, name: str, moment: Moment, values: Floats, grid: Floats, drawing: Drawing, z: Floats
) -> list[tuple[Floats, _Paint]]:
    """The parts of a grid with a colour scale each."""
    if name == "phase":
        scale = [[share, colour] for index, colour in enumerate(PHASES.values())
                 for share in (index / 3, (index + 1) / 3)]  # fmt: skip
        surfaces = [(0.5, "amorphous or molten", "#0072B2"), (1.5, "molten", "#D55E00")]
        crystal = np.where(grid < 0.5, grid, np.nan)
        # one cell more, since a face ends with its last whole cell
        grown = maximum_filter(np.where(np.isfinite(grid), grid, -1.0), 3)
        rest = np.where(np.isfinite(grid) & (grown > 0.5), grown, np.nan)
        return [(grid, _Paint(scale, -0.5, 2.5, "phase", surfaces, tuple(PHASES), only="surfaces")),
                (crystal, _Paint(scale, -0.5, 2.5, "phase", (), tuple(PHASES), opacity=0.25)),
                (rest, _Paint(scale, -0.5, 2.5, "", (), tuple(PHASES)))]  # fmt: skip
    if name == "vacancies":
        oxide = next((part for part in drawing.parts if part.name == "oxide"), None)
        high = float(np.nanmax(values))
        inside = values if oxide is None else values[:, (z > oxide.box.z[0]) & (z < oxide.box.z[1])]
        level = 0.5 * float(np.nanmax(inside))
        empty = np.where(grid > 0.0, grid, np.nan)
        surface = [(level, f"{number(level, 2)} × 10<sup>27</sup> m<sup>−3</sup>", "#2a9d8f")]
        return [
            (
                empty,
                _Paint(colour_scale("viridis"), 0.0, high, "vacancies<br>(10<sup>27</sup> m<sup>−3</sup>)", surface),
            )
        ]
    top = max(part.box.z[1] for part in drawing.parts if part.name == "channel")
    found = []
    for where, title in ((z < top, "channel:<br>ions per site"), (z > top, "")):
        if where.any():
            own = np.where(where[None, :, None], values, np.nan)
            low, high = float(np.nanmin(own)), float(np.nanmax(own))
            part = np.where(where[:, None], grid, np.nan)
            scale = colour_scale("viridis") if title else [[0.0, "#f6f1e2"], [1.0, "#c8a24a"]]
            found.append((part, _Paint(scale, low, max(high, low + 1e-6), title)))
    return found


def _body(
    x: Floats, z: Floats, grid: Floats, paint: _Paint, kind: Kind, y: tuple[float, float], stretch: float
) -> list[dict[str, Any]]:
    """Painted faces of a body, and surfaces inside it; the page's script makes surfaces of them."""
    rows = np.flatnonzero(np.isfinite(grid).any(axis=1))
    if not rows.size:
        return []
    columns = np.flatnonzero(np.isfinite(grid).any(axis=0))
    x, z, grid = x[columns], stretch * z[rows], grid[np.ix_(rows, columns)]
    if kind == "turned":
        x, grid = x[x >= 0.0], grid[:, x >= 0.0]
        if x[0] > 0.0:  # the grid begins half a step away from the axis
            x, grid = np.r_[0.0, x], np.c_[grid[:, :1], grid]
    traces: list[dict[str, Any]] = [{
        "type": "painted", "way": kind, "x": x.astype(np.float32), "z": z.astype(np.float32),
        "y": list(dict.fromkeys(y)),
        "open": _OPEN, "values": quantised(grid, 2 * (len(paint.ticks) - 1) if paint.ticks else 65534),
        "colorscale": paint.scale, "cmin": paint.low, "cmax": paint.high, "colorbar": None,
        "opacity": paint.opacity,
    }]  # fmt: skip
    if paint.only:
        traces = []
    if kind == "turned":
        for level, name, colour in paint.surfaces:
            traces += _turned(x, z, grid, level, name, colour)
    if paint.title and not paint.only:
        bar: dict[str, Any] = {"title": {"text": paint.title, "side": "top"}, "thickness": 12, "len": 0.5, "x": 1.0,
                               "xanchor": "right", "y": 0.5}  # fmt: skip
        if paint.ticks:
            bar |= {"tickvals": list(range(len(paint.ticks))), "ticktext": list(paint.ticks)}
        traces[0]["colorbar"] = bar
    return traces


def _turned(radius: Floats, z: Floats, grid: Floats, level: float, name: str, colour: str) -> list[dict[str, Any]]:
    """Contour lines that sweep surfaces around the axis."""
    filled = np.where(np.isfinite(grid), grid, np.nanmin(grid))
    if not filled.min() < level < filled.max():
        return []
    traces: list[dict[str, Any]] = []
    for line in map(np.asarray, contour_generator(radius, z, filled).lines(level)):
        if len(line) < 4:
            continue
        line = line[:: max(1, len(line) // 120)] if len(line) > 240 else line
        traces.append({
            "type": "turned", "r": line[:, 0].astype(np.float32), "z": line[:, 1].astype(np.float32), "open": _OPEN,
            "color": colour, "name": name, "showlegend": not traces,
        })  # fmt: skip
    return traces


def _outlines(drawing: Drawing, kind: Kind, x: Floats, z: Floats, stretch: float) -> list[dict[str, Any]]:
    """Edges of the parts around, as far as they belong to the picture, and their names."""
    traces: list[dict[str, Any]] = []
    low, high = float(z[0]), float(z[-1])
    for part in drawing.parts:
        if isinstance(part.shape, Tube):
            traces += _rings(part.shape, low, high, float(np.max(x)), stretch)
            continue
        box = part.box
        kinds = part.name.split(" ")[0]
        if kind == "plane" and kinds in _SOLID:
            own = Box(box.x, box.y, (stretch * box.z[0], stretch * box.z[1]))
            traces.append(slab(own, part.name, *_SOLID[kinds]))
        elif kind == "along y" and part.name not in ("substrate", "capping", "dielectric"):
            tall = part.name in ("bottom", "top", "cap")
            heights = (max(box.z[0], low), min(box.z[1], high)) if tall else box.z
            sides = (max(box.x[0], float(x[0])), min(box.x[1], float(x[-1]))) if tall else box.x
            if heights[1] > heights[0] and sides[1] > sides[0]:
                own = Box(sides, box.y, (stretch * heights[0], stretch * heights[1]))
                traces.append(box_lines(own, part.name, "#9aa1ab", 1.5))
    return traces


def _names(outlines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Names of the contacts on paper of their own, which can be read before dark faces too."""
    found = []
    for one in outlines:
        if one.get("name") in _CONTACTS:
            x, y, z = ([value for value in one[axis] if value is not None] for axis in "xyz")
            found.append({
                "x": 0.5 * (min(x) + max(x)), "y": min(y), "z": 0.5 * (min(z) + max(z)), "text": one["name"],
                "showarrow": False, "bgcolor": "rgba(255,255,255,0.8)", "font": {"size": 12, "color": INK},
            })  # fmt: skip
    return found


def _rings(tube: Tube, low: float, high: float, widest: float, stretch: float) -> list[dict[str, Any]]:
    """Rims of a tube over the angles that are drawn, within the picture."""
    angles = np.linspace(0.0, _OPEN, _ANGLES)
    traces: list[dict[str, Any]] = []
    for radius in {tube.inner, tube.outer} - {0.0}:
        shown = min(radius, widest)
        for height in (tube.z0, tube.z1):
            if low - 1e-9 <= height <= high + 1e-9:
                circle = np.r_[0.0, shown * np.cos(angles), 0.0], np.r_[0.0, shown * np.sin(angles), 0.0]
                traces.append({
                    "type": "scatter3d", "mode": "lines", "x": circle[0], "y": circle[1],
                    "z": np.full(len(angles) + 2, stretch * height), "line": {"color": "#9aa1ab", "width": 2},
                    "hoverinfo": "skip", "showlegend": False,
                })  # fmt: skip
    return traces


def _stretch(drawing: Drawing) -> float:
    """Factor of z where the device is much flatter than long."""
    active = [part.box for part in drawing.parts if part.name in ("channel", "electrolyte")]
    if not active:
        return 1.0
    length = max(box.x[1] - box.x[0] for box in active)
    height = max(box.z[1] for box in active) - min(box.z[0] for box in active)
    return round(length / height / 3.0, 1) if length > _FLAT * height else 1.0


def _real_heights(drawing: Drawing, stretch: float) -> dict[str, Any]:
    """Ticks of a stretched axis at real heights."""
    high = max(part.box.z[1] for part in drawing.parts if part.meshed)
    step = 10.0 ** np.floor(np.log10(high / 2.0))
    values = np.arange(0.0, high + 0.5 * step, step * max(1, round(high / step / 5)))
    return {"tickvals": (stretch * values).tolist(), "ticktext": [f"{value:g}" for value in values]}


def _said(name: str, grid: Floats, moment: Moment) -> str:
    """A figure for a state."""
    hottest = f"hottest {float(np.max(moment.snapshot.extra['cut/temperature_K'])):.0f} K" if (
        "cut/temperature_K" in moment.snapshot.extra) else ""  # fmt: skip
    if name == "phase":
        share = float(np.mean(grid[np.isfinite(grid)] > 0.5))
        return f"{hottest}, {100 * share:.3g} % of the cut amorphous or molten"
    if name == "vacancies":
        return hottest
    return f"between {np.nanmin(grid):.3g} and {np.nanmax(grid):.3g} ions per site"


def _shown(run: Run, found: Sequence[Moment], name: str) -> int:
    """The state that is shown first: the formed one, the end of a RESET, else the last."""
    for wanted in ("formed", "reset"):
        for index, moment in enumerate(found):
            if moment.label == wanted:
                return index
    return len(found) - 1


def _caption(kind: Kind, name: str, stretch: float) -> str:
    how = {
        "turned": "The cut turned around its axis, with a quarter left open",
        "along y": "The cut drawn out along y, along which the device is the same",
        "plane": "The cut that the snapshots hold, in the device that was solved in 3D (all of it is in fields.bp)",
    }[kind]
    what = {
        "phase": "crystal, glass and melt; blue and red surfaces are their borders",
        "vacancies": "density of vacancies; the surface is at half of the largest in the oxide",
        "ions per site": "ions in the channel (coloured) and, pale, in the electrolyte",
    }[name]
    text = f"{how}: {what}."
    if stretch != 1.0:
        text += f" z is stretched {stretch:g} times; its numbers are real."
    return f"{text} Drag to turn, wheel to zoom."
