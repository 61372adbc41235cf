"""The 3D picture of a lattice: its filament by state, in the box between the electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ionsim.config import Device
from ionsim.plots.clusters import BOTTOM, BRIDGE, ISOLATED, NEIGHBOUR_NM, TOP, cluster_labels, connectivity, size_ranks
from ionsim.plots.style import BLUE, GREEN, INK, PURPLE, SKY, VERMILLION, YELLOW
from ionsim.report.figures import Figure, Floats, look
from ionsim.report.moments import MOST_STATES, Moment, moments
from ionsim.report.parts import Drawing
from ionsim.report.shapes import Box
from ionsim.report.texts import number
from ionsim.results import Run

_NAMES = {
    BRIDGE: ("bridges the electrodes", VERMILLION), TOP: ("connected to the top", GREEN),
    BOTTOM: ("connected to the bottom", BLUE), ISOLATED: ("isolated", "#aeb4bd"),
}  # fmt: skip
_FLOATING = (PURPLE, YELLOW, SKY, "#8B5E3C", "#6A3D9A")
#: Radius of a vacancy's sphere, nm: as in the printed pictures, where neighbours nearly touch.
_VACANCY_NM = 0.12
#: Share of an atom's radius at which an ion is drawn.
_ION_SHARE = 0.42
#: Members of a state; of more every n-th is drawn.
_MOST_MEMBERS = 6000
#: Thickness of the slices of electrode that are drawn, as a share of the gap.
_SLAB = 0.12
#: Share of the gap that stays free above the lower slice: planes that touch flicker.
_GAP = 0.02


def lattice_figure(run: Run, device: Device | None, drawing: Drawing | None) -> Figure | str:
    """The filament of every state of a run with a lattice, or why there is none to see."""
    sites = run.sites
    assert sites is not None
    found = moments(run.snapshots, MOST_STATES, series=run.series)
    if not found:
        return "The run has no snapshot of its lattice: it ended before the first one was taken."
    positions = np.asarray(sites.positions_nm)
    box = np.asarray(sites.cell_nm, dtype=np.float64)
    lateral = drawing is not None and drawing.across == "z"
    metal = "atom" in sites.filament
    spacing_nm = float(cKDTree(positions).query(positions, k=2)[0][:, 1].min())
    states = []
    for moment in found:
        traces = _metal(run, moment, box, spacing_nm) if metal else _vacancies(run, moment, box)
        hottest = moment.snapshot.temperature_K.max(initial=0.0)
        members = sum(len(trace["centres"]) for trace in traces if trace["name"] != "ion")
        text = f"{moment.title}; {number(members)} {'atoms' if metal else 'vacancies'}, hottest site {hottest:.0f} K"
        states.append({"label": moment.label, "text": text, "traces": traces})
    content = {
        "base": [*_frame(box, float(positions[:, 2].max()), drawing, lateral), *_grains(run, device, box)],
        "states": states, "initial": _shown(found, states),
        "layout": scene_layout(box, lateral),
    }  # fmt: skip
    what = (
        "Silver or copper atoms as touching spheres, ions as small dark ones; colours say what a cluster touches."
        if metal else "Vacancies of the filament; colours say which electrode their cluster of neighbours touches."
    )  # fmt: skip
    caption = (
        f"{what} Box: the lattice, {box[0]:.3g} × {box[1]:.3g} × {box[2]:.3g} nm, to scale; of the electrodes a slice "
        "is drawn. Drag to turn, wheel to zoom, click a name to hide it."
    )
    return Figure("states", content, caption, 580)


def scene_layout(box: Floats, lateral: bool) -> dict[str, Any]:
    eye = {"x": 1.0, "y": -1.05, "z": 0.38}
    up = {"x": 0, "y": 0, "z": 1}
    if lateral:
        eye, up = {"x": 1.3, "y": 0.75, "z": 0.75}, {"x": 0, "y": 1, "z": 0}
    sides = dict(zip("xyz", box, strict=True))
    axes = {
        f"{name}axis": {"title": {"text": f"{name} (nm)"}, "backgroundcolor": "#fbfbfc", "gridcolor": "#e4e7eb",
                        "showbackground": False, "zeroline": False, "showspikes": False, "nticks": 7}
        for name in sides
    }  # fmt: skip
    return look({
        "scene": {**axes, "aspectmode": "data",
                  "camera": {"eye": eye, "up": up, "projection": {"type": "orthographic"}}},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "uirevision": "turn",
        "legend": {"orientation": "v", "x": 0.01, "y": 0.99, "yanchor": "top", "bgcolor": "rgba(255,255,255,0.8)"},
    })  # fmt: skip


def box_lines(box: Box, name: str, colour: str = "#6B7078", width: float = 2.0) -> dict[str, Any]:
    """The twelve edges of a box as one line."""
    (x0, x1), (y0, y1), (z0, z1) = box.x, box.y, box.z
    below = [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0), (x0, y0, z0)]
    path: list[tuple[float, float, float] | None] = [*below, *((x, y, z1) for x, y, _ in below)]
    for x, y in ((x1, y0), (x1, y1), (x0, y1)):
        path += [None, (x, y, z0), (x, y, z1)]
    places = [list(column) for column in zip(*(point or (None, None, None) for point in path), strict=True)]
    return {"type": "scatter3d", "mode": "lines", **dict(zip("xyz", places, strict=True)), "name": name,
            "hoverinfo": "skip", "line": {"color": colour, "width": width}, "showlegend": False}  # fmt: skip


def slab(box: Box, name: str, colour: str, opacity: float) -> dict[str, Any]:
    """A solid box."""
    corners = [(x, y, z) for x in box.x for y in box.y for z in box.z]
    x, y, z = (list(column) for column in zip(*corners, strict=True))
    faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    triangles = [each for a, b, c, d in faces for each in ((a, b, c), (a, c, d))]
    i, j, k = (list(column) for column in zip(*triangles, strict=True))
    return {"type": "mesh3d", "x": x, "y": y, "z": z, "i": i, "j": j, "k": k, "color": colour, "opacity": opacity,
            "flatshading": True, "name": name, "hoverinfo": "name", "showlegend": False,
            "lighting": {"ambient": 0.75, "diffuse": 0.4, "specular": 0.05}}  # fmt: skip


def _frame(box: Floats, highest_nm: float, drawing: Drawing | None, lateral: bool) -> list[dict[str, Any]]:
    """Edges of the lattice, slices of both electrodes and, where there is one, the barrier layer and the substrate.

    Sites may lie in the upper electrode, up to ``highest_nm``: interstitial oxygen of the cap.
    """
    x, y, z = ((0.0, float(length)) for length in box)
    thick = _SLAB * z[1]
    names = {"bottom": "bottom", "top": "top"}
    if drawing is not None:
        found = {part.name: part.material for part in drawing.parts}
        names["bottom"] = found.get("bottom", "bottom")
        names["top"] = found.get("active") or found.get("cap") or found.get("top") or "top"
    traces = [
        box_lines(Box(x, y, z), "lattice"),
        slab(Box(x, y, (-thick, -_GAP * z[1])), names["bottom"], "#8E949C", 1.0),
        slab(Box(x, y, (z[1], max(z[1] + thick, highest_nm + 0.2 * thick))), names["top"], "#A9A69D", 0.35),
    ]
    if drawing is not None:
        for part in drawing.parts:
            if part.name == "barrier":
                low, high = part.box.z
                traces.append(slab(Box(x, y, (low, min(high, z[1]))), f"barrier: {part.material}", "#C9A66B", 0.18))
    if lateral:
        base = (-0.12 * float(box[0]), 0.0)
        traces.append(slab(Box(x, base, (z[0] - thick, z[1] + thick)), "substrate", "#D9DDE3", 1.0))
    texts = [
        {"type": "scatter3d", "mode": "text", "x": [0.5 * x[1]], "y": [-0.12 * y[1]], "z": [height], "text": [name],
         "textfont": {"size": 13, "color": INK}, "hoverinfo": "skip", "showlegend": False}
        for name, height in ((names["bottom"], -0.5 * thick), (names["top"], z[1] + 0.5 * thick))
    ]  # fmt: skip
    return [*traces, *texts]


def _chosen(run: Run, moment: Moment, names: Sequence[str]) -> Floats:
    sites = run.sites
    assert sites is not None
    codes = [index for index, name in enumerate(sites.species) if name in names]
    return np.asarray(sites.positions_nm)[np.isin(moment.snapshot.occupation, codes)]


def _spheres(positions: Floats, name: str, colour: str, radius_nm: float, step: int) -> dict[str, Any]:
    shown = f"{name} ({len(positions):,})" + (f", every {step}th drawn" if step > 1 else "")
    return {"type": "spheres", "centres": positions[::step].astype(np.float32), "name": shown, "color": colour,
            "radius": radius_nm}  # fmt: skip


def _vacancies(run: Run, moment: Moment, box: Floats) -> list[dict[str, Any]]:
    sites = run.sites
    assert sites is not None
    members = _chosen(run, moment, sites.filament)
    kinds = connectivity(members, 0.0, float(box[2]), cell_nm=box.tolist(), periodic=sites.periodic,
                         neighbour_nm=NEIGHBOUR_NM)  # fmt: skip
    step = -(-len(members) // _MOST_MEMBERS) or 1
    traces = [
        _spheres(members[kinds == kind], name, colour, _VACANCY_NM, step) for kind, (name, colour) in _NAMES.items()
    ]
    others = [name for name in sites.species if name == "ion"]
    if others:
        traces.append(_spheres(_chosen(run, moment, others), "interstitial ion", INK, 0.5 * _VACANCY_NM, step))
    return [trace for trace in traces if len(trace["centres"])]


def _metal(run: Run, moment: Moment, box: Floats, spacing_nm: float) -> list[dict[str, Any]]:
    sites = run.sites
    assert sites is not None
    atoms, ions = _chosen(run, moment, ("atom",)), _chosen(run, moment, ("ion",))
    z = np.asarray(sites.positions_nm)[:, 2]
    touch_nm = max(float(z.min()), float(box[2]) - float(z.max())) + 0.25 * spacing_nm
    near: dict[str, Any] = {"cell_nm": box.tolist(), "periodic": sites.periodic, "neighbour_nm": 1.2 * spacing_nm}
    kinds = connectivity(atoms, 0.0, float(box[2]), touch_nm=touch_nm, **near)
    step = -(-len(atoms) // _MOST_MEMBERS) or 1
    radius = 0.5 * spacing_nm
    traces = [_spheres(atoms[kinds == kind], *_NAMES[kind], radius, step) for kind in (BRIDGE, TOP, BOTTOM)]
    free = kinds == ISOLATED
    if free.any():
        ranks = size_ranks(cluster_labels(atoms, **near), free)
        lone = free & (ranks < 0)
        traces.append(_spheres(atoms[lone], "lone atom", "#c3c8cf", radius, step))
        for rank in range(min(int(ranks.max(initial=-1)) + 1, len(_FLOATING) - 1)):
            traces.append(_spheres(atoms[ranks == rank], f"floating cluster {rank + 1}", _FLOATING[rank], radius, step))
        rest = ranks >= len(_FLOATING) - 1
        traces.append(_spheres(atoms[rest], "smaller floating clusters", _FLOATING[-1], radius, step))
    traces.append(_spheres(ions, "ion", INK, _ION_SHARE * radius, -(-len(ions) // _MOST_MEMBERS) or 1))
    return [trace for trace in traces if len(trace["centres"])]


def _grains(run: Run, device: Device | None, box: Floats) -> list[dict[str, Any]]:
    """Grain boundaries painted on the bottom and on the two far sides of the box."""
    if device is None or getattr(device, "grains", None) is None:
        return []
    from ionsim.config import VcmDevice
    from ionsim.devices.vcm_grains import film_of

    assert isinstance(device, VcmDevice)
    film = film_of(device, run.seed)
    if film is None:
        return []
    found = []
    high = np.any(film.high)
    for fixed, place in ((2, 0.0), (1, box[1]), (0, 0.0)):
        first, second = (axis for axis in range(3) if axis != fixed)
        s = np.linspace(0.0, box[first], 140)
        t = np.linspace(0.0, box[second], 140)
        points = np.zeros((len(t), len(s), 3))
        points[..., first], points[..., second], points[..., fixed] = s[None, :], t[:, None], place
        region = film.region(film.locate(points.reshape(-1, 3))).reshape(len(t), len(s))
        x, y, z = (np.ascontiguousarray(points[..., axis]).astype(np.float32) for axis in range(3))
        found.append({
            "type": "surface", "x": x, "y": y, "z": z, "surfacecolor": region.astype(np.float32), "cmin": 0, "cmax": 2,
            "colorscale": [[0, "#f7f8fa"], [0.5, "#9ec5e6"], [1, "#f2b59b"]], "showscale": False,
            "opacity": 0.999, "name": "grain boundaries (blue: low, orange: high symmetry)" if high else
            "grain boundaries (blue)", "showlegend": fixed == 2, "hoverinfo": "skip", "legendgroup": "grains",
            "lighting": {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0}, "contours": {},
        })  # fmt: skip
    return found


def _shown(found: Sequence[Moment], states: Sequence[dict[str, Any]]) -> int:
    """The first state: the formed one, else that with most members."""
    for index, moment in enumerate(found):
        if moment.label == "formed":
            return index
    counts = [sum(len(trace["centres"]) for trace in state["traces"]) for state in states]
    return int(np.argmax(counts))
