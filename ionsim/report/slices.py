"""Cuts through potential, temperature and concentration at every snapshot, behind one slider."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.plots.phases import PHASES, Frame, phases
from ionsim.plots.style import INK
from ionsim.report.figures import Figure, Floats, axis, colour_scale, look, quantised
from ionsim.report.moments import MOST_MOMENTS, Moment, moments, row_of
from ionsim.report.parts import Drawing
from ionsim.report.shapes import Part, Range
from ionsim.report.texts import seconds
from ionsim.results import Run
from ionsim.results.model import Snapshot

#: Size of a bin in which members of a lattice are counted along the third axis, nm.
_BIN_NM = 0.5
#: Width that panels are laid out for and heights between which they stay, px.
_WIDTH, _LEAST, _MOST = 1060.0, 80.0, 430.0
#: Panels wider than this many times their height stand in one column, others in two.
_WIDE = 2.3
#: Room for a colour bar and its numbers, and between rows, px.
_BAR, _ROW = 96.0, 62.0
#: Of a lattice the picture begins with this much around it, nm.
_MARGIN_NM = 2.5

#: A stage is said to have been hotter between snapshots by this share of the run's rise; for how many stages at most.
_HOTTER, _STAGES = 0.05, 4
#: Colour of what is not solved, and parts that hold vacancies.
_UNSOLVED, _OXIDE = "#d5d9de", ("oxide", "reservoir")

#: Colours of a field that changes its sign between moments: where it has one sign, and where it has both.
_SIGNS = {"one": colour_scale("cividis"), "both": colour_scale("RdBu_r")}

_PHASE_SCALE = [
    [share, colour] for index, colour in enumerate(PHASES.values()) for share in (index / 3, (index + 1) / 3)
]


@dataclass(frozen=True)
class Field:
    """A quantity on a grid at every moment: ``values`` (moments, nz, nx); a text in ``names`` for each whole number."""

    name: str
    unit: str
    x_nm: Floats
    z_nm: Floats
    values: Floats
    scale: Any
    names: Sequence[str] = ()
    least: float | None = None
    symmetric: bool = False
    span: float = 1e-9

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def slice_figure(run: Run, drawing: Drawing | None) -> Figure | str:
    """The slices of a run, or why there are none."""
    known = [label for label, snapshot in run.snapshots.items() if "cut/potential_V" in snapshot.extra]
    if not known:
        return "The run has no snapshot with fields: it ended before the first one was taken."
    found = moments(run.snapshots, MOST_MOMENTS, known, run.series)
    fields, notes = fields_of(run, found, drawing)
    left_out = len({run.snapshots[label].time_s for label in known}) - len(found)
    if left_out:
        notes.append(f"{left_out} further moments are left out.")
    notes += hotter(run, [run.snapshots[label] for label in known])
    across = "z" if drawing is not None and drawing.across == "z" else "x"
    if fields and len(fields[0].x_nm) == 1:
        return _profiles(fields, found, notes)
    if run.summary.get("vacancy_share") is not None or (drawing is not None and drawing.across == "r"):
        across = "r"
    return _maps(fields, found, (across, "y" if across == "z" else "z"), drawing, notes)


def hotter(run: Run, taken: Sequence[Snapshot]) -> list[str]:
    """What is said of stages that were hotter between their snapshots than in any of them.

    The recorded temperature is the largest within an interval; a snapshot is the state at an interval's end.
    """
    series, found = run.series, []
    if "temperature_peak_K" not in series:
        return []
    hot, stage = np.asarray(series["temperature_peak_K"]), np.asarray(series["stage"])
    rows = [(row, one) for one in taken if (row := row_of(one, series)) is not None]
    for index, name in enumerate(run.stages):
        own = np.flatnonzero(stage == index)
        held = [hottest_K(one) for row, one in rows if stage[row] == index]
        shown = [value for value in held if value is not None]
        if not own.size or not shown:
            continue
        at = int(own[np.argmax(hot[own])])
        if hot[at] - max(shown) > max(1.0, _HOTTER * (hot[at] - hot.min())):
            found.append(f"{name.replace('_', ' ')} {hot[at]:.0f} K in the recorded interval that ends at "
                         f"t = {seconds(float(series['time_s'][at]))}, {max(shown):.0f} K in its hottest snapshot")
    if not found:
        return []
    more = f"; and {len(found) - _STAGES} more stages" if len(found) > _STAGES else ""
    return [f"The hottest moments lie between snapshots: {'; '.join(found[:_STAGES])}{more}. Snapshots are states at "
            "the end of an interval; the largest recorded temperature is that of any moment within one."]  # fmt: skip


def hottest_K(snapshot: Snapshot) -> float | None:
    """The largest temperature that a snapshot holds: of its cut, and of the sites of a lattice; None without any."""
    held = [np.asarray(snapshot.extra.get("cut/temperature_K", ())).ravel(), np.ravel(snapshot.temperature_K)]
    every = np.concatenate(held)
    return float(every.max()) if every.size else None


def fields_of(run: Run, found: Sequence[Moment], drawing: Drawing | None) -> tuple[list[Field], list[str]]:
    """The fields of some snapshots on their grids, NaN where nothing is solved, and what is to be said about them."""
    cuts = [{name.removeprefix("cut/"): np.asarray(values, dtype=np.float64) for name, values in
             moment.snapshot.extra.items() if name.startswith("cut/")} for moment in found]  # fmt: skip
    first, notes = cuts[0], []
    across = next(first[name] for name in ("y_nm", "r_nm", "x_nm") if name in first)
    up = first["z_nm"]
    mirrored = "r_nm" in first or ("crystalline" in first and float(across[0]) >= -1e-9)
    grid = np.concatenate([-across[::-1], across]) if mirrored else across
    lateral = "y_nm" in first
    x, z = (up, grid) if lateral else (grid, up)

    def stack(name: str) -> Floats:
        values = np.stack([cut[name] for cut in cuts])
        values = np.concatenate([values[:, :, ::-1], values], axis=2) if mirrored else values
        return values.swapaxes(1, 2) if lateral else values

    potential = stack("potential_V")
    if drawing is not None and run.sites is None:
        solved = drawing.holds(x, z, lambda part: part.meshed and part.conducts)
        if not solved.all() and solved.any():
            potential = np.where(solved, potential, np.nan)
            notes.append(_grey(drawing))
    low, high = float(np.nanmin(potential)), float(np.nanmax(potential))
    both = low < -0.02 * (high - low) and high > 0.02 * (high - low)
    colours = colour_scale("cividis")
    fields = [Field("potential", "V", x, z, potential, colours, symmetric=bool(both))]
    if "temperature_K" in first:
        temperature = stack("temperature_K")
        if np.ptp(temperature) > 0.05:
            fields.append(Field("temperature", "K", x, z, temperature, colour_scale("inferno")))
        else:
            notes.append(f"The temperature is {float(temperature.mean()):.1f} K everywhere in all of them.")
    if "crystalline" in first:
        inside = stack("inside") > 1.0 - 1e-6
        melting_K = float(np.asarray(found[0].snapshot.extra["melting_K"]))
        frames = zip(stack("crystalline"), stack("temperature_K"), inside, strict=True)
        codes = np.stack([phases(Frame(x, z, share, hot, own, 0.0, 0.0), melting_K) for share, hot, own in frames])
        fields.append(Field("phase", "", x, z, codes, _PHASE_SCALE, names=tuple(PHASES)))
        notes.append(f"Molten is what is not crystalline above {melting_K:.0f} K.")
    if "vacancies_per_m3" in first:
        density = stack("vacancies_per_m3") * 1e-27
        if drawing is not None:
            density = np.where(drawing.holds(x, z, lambda part: part.name in _OXIDE), density, np.nan)
        fields.append(
            Field("vacancies", "10<sup>27</sup> m<sup>−3</sup>", x, z, density, colour_scale("viridis"), least=0.0)
        )
    if "fraction" in first:
        fields.append(Field("ions per site", "", x, z, np.where(stack("inside") > 0.5, stack("fraction"), np.nan),
                            colour_scale("viridis")))  # fmt: skip
    if run.sites is not None:
        fields.append(_members(run, found, lateral))
    return fields, notes


def _grey(drawing: Drawing) -> str:
    """What is said of places without a potential."""

    def names(parts: Iterable[Part]) -> str:
        return ", ".join(dict.fromkeys(part.name.split(" ")[0].replace("_", " ") for part in parts))

    off = names(part for part in drawing.parts if part.meshed and not part.conducts)
    bare = names(part for part in drawing.parts if not part.meshed)
    why = [f"{found}: {reason}" for found, reason in ((off, "no current flows there"), (bare, "not meshed")) if found]
    rest = " Vacancies are in oxide and reservoir only." if any(p.name == "reservoir" for p in drawing.parts) else ""
    return f"Grey: the potential is not solved there ({'; '.join(why)}).{rest}"


def _members(run: Run, found: Sequence[Moment], lateral: bool) -> Field:
    """Members of the filament counted through the whole depth of the lattice, per nm² of the cut."""
    sites = run.sites
    assert sites is not None
    codes = [list(sites.species).index(name) for name in sites.filament]
    first, second = (2, 1) if lateral else (0, 2)
    lengths = [float(sites.cell_nm[first]), float(sites.cell_nm[second])]
    if second == 2:
        lengths[1] = max(lengths[1], float(sites.positions_nm[:, 2].max()))
    edges = [np.linspace(0.0, length, max(2, round(length / _BIN_NM)) + 1) for length in lengths]
    area = float(np.diff(edges[0])[0] * np.diff(edges[1])[0])
    counts: list[NDArray[Any]] = []
    for moment in found:
        own = sites.positions_nm[np.isin(moment.snapshot.occupation, codes)]
        counts.append(np.histogram2d(own[:, second], own[:, first], bins=(edges[1], edges[0]))[0] / area)
    x, z = (0.5 * (each[1:] + each[:-1]) for each in edges)
    name = "atoms" if "atom" in sites.filament else "vacancies"
    return Field(f"{name} along {'x' if lateral else 'y'}", "nm<sup>−2</sup>", x, z, np.stack(counts),
                 colour_scale("viridis"), least=0.0, span=1.0)  # fmt: skip


def _maps(
    fields: Sequence[Field], found: Sequence[Moment], axes: tuple[str, str], drawing: Drawing | None, notes: list[str]
) -> Figure:
    """Heat maps side by side, or one below the other where they are wide."""
    first = fields[0]
    view = _view(fields)
    (left_nm, right_nm), (low_nm, high_nm) = view
    ratio = (right_nm - left_nm) / (high_nm - low_nm)
    columns = 1 if ratio > _WIDE else min(2, len(fields))
    rows = -(-len(fields) // columns)
    whole = _WIDTH - 80.0
    share_x = (whole / columns - _BAR) / whole
    panel = min(max(share_x * whole / ratio, _LEAST), _MOST)
    tall = rows * (panel + _ROW) - _ROW
    share_y = panel / tall
    data: list[dict[str, Any]] = []
    panels: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "showlegend": False}
    for number, field in enumerate(fields):
        name = "" if number == 0 else str(number + 1)
        row, column = divmod(number, columns)
        left = column / columns
        top = 1.0 - row * (panel + _ROW) / tall
        low, high = float(np.nanmin(field.values)), float(np.nanmax(field.values))
        low = low if field.least is None else field.least
        high = max(high, low + field.span)
        bar: dict[str, Any] = {"x": left + share_x + 0.008, "y": top, "yanchor": "top", "len": share_y, "thickness": 11,
                               "outlinewidth": 0.5, "ypad": 0, "tickfont": {"size": 11}, "xanchor": "left"}  # fmt: skip
        if field.names:
            low, high = -0.5, len(field.names) - 0.5
            bar |= {"tickvals": list(range(len(field.names))), "ticktext": list(field.names)}
        text = f"{axes[0]} = %{{x:.2f}} nm<br>{axes[1]} = %{{y:.2f}} nm<br>%{{z:.5g}} {field.unit}<extra></extra>"
        data.append({
            "type": "heatmap", "x": field.x_nm, "y": field.z_nm, "xaxis": f"x{name}", "yaxis": f"y{name}",
            "colorscale": field.scale, "zmin": low, "zmax": max(high, low + 1e-9), "colorbar": bar, "zsmooth": False,
            "hoverongaps": False,
            "hovertemplate": text if not field.names else text.replace("%{z:.5g}", "%{z}"),
        })  # fmt: skip
        panels.append({
            "frames": quantised(field.values, 2 * (len(field.names) - 1) if field.names else 65534),
            "shape": list(field.values.shape), "fixed": bool(field.names), "low": low, "high": max(high, low + 1e-9),
            **({"signs": _SIGNS} if field.symmetric else {}),
        })  # fmt: skip
        begin = column == 0
        layout[f"xaxis{name}"] = axis(
            f"{axes[0]} (nm)", domain=[left, left + share_x], anchor=f"y{name}", showgrid=False,
            constrain="domain", range=[left_nm, right_nm], **({"matches": "x"} if number else {}),
        )  # fmt: skip
        layout[f"yaxis{name}"] = axis(
            f"{axes[1]} (nm)" if begin else "", domain=[max(top - share_y, 0.0), top], anchor=f"x{name}",
            showgrid=False, constrain="domain", scaleanchor=f"x{name}", showticklabels=begin,
            range=[low_nm, high_nm], **({"matches": "y"} if number else {}),
        )  # fmt: skip
        layout["annotations"].append({
            "x": left + 0.5 * share_x, "y": top, "xref": "paper", "yref": "paper", "xanchor": "center",
            "yanchor": "bottom", "text": f"<b>{field.title}</b>", "showarrow": False,
            "font": {"size": 13, "color": INK},
        })  # fmt: skip
        if not field.names and not np.isfinite(field.values).all():
            shapes.append(_paper(name))
            if number == 0:
                layout["annotations"] += _unsolved(drawing, view, panel)
        shapes += _outlines(drawing, name, field)
    layout["shapes"] = shapes
    height = round(tall + 84)
    where = "through the axis, mirrored" if axes[0] == "r" else "through the middle"
    near = (
        f" At first the lattice and {_MARGIN_NM:g} nm around it are seen; a double click shows all."
        if fields[-1].x_nm is not first.x_nm
        else ""
    )
    caption = (
        f"Cut {where}; lines are the borders of the layers. One slider moves all maps, a zoom too.{near} Values are "
        "stored in 65,534 steps of the range of all moments."
    )
    if any(field.symmetric for field in fields):
        caption += " The potential changes its sign between moments, so that each has a scale of its own."
    return _with_slider(data, panels, layout, found, caption, notes, height)


def _view(fields: Sequence[Field]) -> tuple[tuple[float, float], tuple[float, float]]:
    """What is seen at first: all of the cut, or the lattice and what is near it."""
    first, last = fields[0], fields[-1]
    whole = [(float(axis_nm[0]), float(axis_nm[-1])) for axis_nm in (first.x_nm, first.z_nm)]
    if last.x_nm is first.x_nm:
        return whole[0], whole[1]
    inner = [(float(axis_nm[0]), float(axis_nm[-1])) for axis_nm in (last.x_nm, last.z_nm)]
    near = [(max(low, a - _MARGIN_NM), min(high, b + _MARGIN_NM))
            for (low, high), (a, b) in zip(whole, inner, strict=True)]  # fmt: skip
    return near[0], near[1]


def _paper(name: str) -> dict[str, Any]:
    """What is seen where a panel has no value."""
    return {"type": "rect", "xref": f"x{name} domain", "yref": f"y{name} domain", "x0": 0, "x1": 1, "y0": 0, "y1": 1,
            "layer": "below", "fillcolor": _UNSOLVED, "line": {"width": 0}}  # fmt: skip


def _unsolved(drawing: Drawing | None, view: tuple[Range, Range], panel: float) -> list[dict[str, Any]]:
    """Words in the first panel, ``panel`` px high, where an insulator has room for them; on its side if need be."""
    (left, right), (low, high) = view
    per_nm, found = panel / (high - low), []
    for part in drawing.parts if drawing is not None else []:
        if part.conducts or not part.meshed or drawing is None:
            continue
        for (x0, x1), (y0, y1) in part.section(drawing.across, drawing.up, drawing.at_nm):
            x0, x1, y0, y1 = max(x0, left), min(x1, right), max(y0, low), min(y1, high)
            sides = sorted([(x1 - x0) * per_nm, (y1 - y0) * per_nm])
            if sides[0] > 15.0 and sides[1] > 105.0:
                found.append({
                    "x": 0.5 * (x0 + x1), "y": 0.5 * (y0 + y1), "text": "not solved here", "showarrow": False,
                    "textangle": 0 if x1 - x0 > y1 - y0 else -90, "font": {"size": 11, "color": INK},
                })  # fmt: skip
    return found


def _outlines(drawing: Drawing | None, name: str, field: Field) -> list[dict[str, Any]]:
    """Borders of the parts that a cut shows."""
    if drawing is None:
        return []
    x0, x1, y0, y1 = field.x_nm[0], field.x_nm[-1], field.z_nm[0], field.z_nm[-1]
    found = []
    for part in drawing.parts:
        for (left, right), (low, high) in part.section(drawing.across, drawing.up, drawing.at_nm):
            if part.meshed and right > x0 and left < x1 and high > y0 and low < y1:
                found.append({
                    "type": "rect", "xref": f"x{name}", "yref": f"y{name}", "x0": left, "x1": right, "y0": low,
                    "y1": high, "line": {"color": "rgba(255,255,255,0.75)", "width": 0.8},
                })  # fmt: skip
    return found


def _profiles(fields: Sequence[Field], found: Sequence[Moment], notes: list[str]) -> Figure:
    """Of a device in one dimension: lines along z, one panel below the other."""
    data: list[dict[str, Any]] = []
    panels: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"showlegend": False, "annotations": []}
    share = 1.0 / len(fields)
    for number, field in enumerate(fields):
        name = "" if number == 0 else str(number + 1)
        low, high = float(np.nanmin(field.values)), float(np.nanmax(field.values))
        room = 0.05 * (high - low or 1.0)
        data.append({
            "type": "scatter", "mode": "lines", "x": field.z_nm, "yaxis": f"y{name}", "line": {"color": "#0072B2"},
            "hovertemplate": f"z = %{{x:.2f}} nm<br>%{{y:.5g}} {field.unit}<extra></extra>",
        })  # fmt: skip
        panels.append({"frames": quantised(field.values), "shape": list(field.values.shape), "fixed": False,
                       "low": low - room, "high": high + room, "axis": f"yaxis{name}"})  # fmt: skip
        layout[f"yaxis{name}"] = axis(
            field.title,
            domain=[1.0 - (number + 1) * share + 0.04, 1.0 - number * share],
            range=[low - room, high + room],
        )
    layout["xaxis"] = axis("z (nm)", anchor=f"y{len(fields) if len(fields) > 1 else ''}")
    layout["xaxis"]["mirror"] = "all"
    caption = "Along the normal of the layers, from the channel's lower side to the gate; the device is solved in 1D."
    return _with_slider(data, panels, layout, found, caption, notes, 180 * len(fields) + 100)


def _with_slider(
    data: list[dict[str, Any]], panels: list[dict[str, Any]], layout: dict[str, Any], found: Sequence[Moment],
    caption: str, notes: list[str], height: int,
) -> Figure:  # fmt: skip
    content = {
        "data": data, "panels": panels, "layout": look({"margin": {"l": 64, "r": 14, "t": 30, "b": 50}, **layout}),
        "moments": [moment.title for moment in found], "initial": _initial(found),
    }  # fmt: skip
    return Figure("slices", content, " ".join([caption, *notes]), height)


def _initial(found: Sequence[Moment]) -> int:
    """The moment with the largest voltage shows most."""
    return int(np.argmax([abs(moment.snapshot.voltage_V) for moment in found]))
