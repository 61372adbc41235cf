"""A mesh with its regions in colours: all of it and its fine part in 1D and 2D, two cuts through it in 3D."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from ionsim.plots import style
from ionsim.plots.style import INK, new_figure, styled

if TYPE_CHECKING:
    import meshes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_COLOURS = {
    "bottom": style.SKY, "top": style.SKY, "left": style.SKY, "right": style.SKY, "word": style.BLUE,
    "bit": style.GREEN, "heater": style.VERMILLION, "phase_change": style.YELLOW, "cell": style.YELLOW,
    "source": style.SKY, "drain": style.SKY, "channel": style.ORANGE, "electrolyte": style.YELLOW,
    "oxide": style.YELLOW, "cap": style.ORANGE, "dielectric": style.PALE, "capping": style.PALE, "substrate": "#9BA1AA",
    "bottom_interface": style.PURPLE, "top_interface": style.PURPLE,
}  # fmt: skip
_SPARE = (style.ORANGE, style.PURPLE, style.GREEN, style.BLUE)


def mesh_figure(labelled: meshes.LabelledMesh, title: str = "") -> Figure | None:
    """Draw a mesh of simplices; lengths in nm. Collective; the figure is on rank 0, None elsewhere.

    1D and 2D: the whole and (in 2D framed there) its finest part. 3D: a cut across y through the middle of the smallest
    region, and one across z near its upper end; where a cut is, dashed lines show on the other. Regions whose names
    differ by a number only ("cell_0_0", "cell_0_1") share a colour.
    """
    import meshes

    whole = meshes.gather(labelled)
    if whole is None:
        return None
    kinds = {number: re.sub(r"(_\d+)+$", "", name) for name, number in labelled.regions.items()}
    spare = iter(_SPARE * (len(kinds) // len(_SPARE) + 1))
    colours = {kind: _COLOURS.get(kind) or next(spare) for kind in dict.fromkeys(kinds.values())}
    table = np.array([colours.get(kinds.get(number, ""), "white") for number in range(max(kinds) + 1)])
    with styled():
        figure = new_figure(8.6, 4.9, "constrained")
        panels = figure.subplots(1, 2)
        if whole.dim == 2:
            plan = "front" in labelled.surfaces  # an end of y: a film seen from above
            _plane(panels, whole, table, "r" if labelled.axisymmetric else "x", "y" if plan else "z")
        elif whole.dim == 1:
            _line(panels, whole, table)
        else:
            _cuts(panels, whole, table)
        handles = [Patch(facecolor=colour, edgecolor=INK, label=kind) for kind, colour in colours.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
        shape = ("intervals", "triangles", "tetrahedra")[whole.dim - 1]
        count = f"{len(whole.cells):,} {shape}, {len(whole.points_nm):,} nodes"
        figure.suptitle(f"{title}: {count}" if title else count, fontsize=9)
    return figure


def _line(panels: NDArray[np.object_], whole: meshes.Simplices, table: NDArray[np.str_]) -> None:
    """All intervals as bars on the left, those around the shortest on the right."""
    ends = np.sort(whole.points_nm[whole.cells][:, :, 0], axis=1)
    middle, height = ends.mean(axis=1), ends[:, 1] - ends[:, 0]
    centre, reach = middle[np.argmin(height)], 0.12 * (ends.max() - ends.min())
    for axes in panels:
        axes.bar(0.0, height, bottom=ends[:, 0], color=table[whole.tags], edgecolor=INK, linewidth=0.4)
        axes.set_ylabel("z (nm)")
        axes.set_xticks([])
    panels[1].set_ylim(max(centre - reach, ends.min()), min(centre + reach, ends.max()))


def _plane(panels: NDArray[np.object_], whole: meshes.Simplices, table: NDArray[np.str_], across: str, up: str) -> None:
    """The whole mesh on the left, the part with the finest cells on the right."""
    triangles = whole.points_nm[whole.cells]
    (low, left), (high, right) = np.flip(whole.points_nm.min(axis=0)), np.flip(whole.points_nm.max(axis=0))
    size = np.linalg.norm(triangles[:, 1] - triangles[:, 0], axis=1)
    fine = triangles[size < 2.0 * np.quantile(size, 0.02)].mean(axis=1)
    (x0, z0), (x1, z1) = np.quantile(fine, 0.03, axis=0), np.quantile(fine, 0.97, axis=0)
    # A square around the finest part, inside the mesh.
    half = min(max(0.5 * (x1 - x0), 0.5 * (z1 - z0)), 0.5 * (right - left), 0.5 * (high - low))
    x, z = (float(np.clip(0.5 * (a + b), u + half, v - half))
            for a, b, u, v in ((x0, x1, left, right), (z0, z1, low, high)))  # fmt: skip
    for axes, width in zip(panels, (0.15, 0.35), strict=True):
        _polygons(axes, triangles, table[whole.tags], width)
        axes.set_xlabel(f"{across} (nm)")
    panels[0].set_ylabel(f"{up} (nm)")
    panels[0].add_patch(Rectangle((x - half, z - half), 2 * half, 2 * half, fill=False, edgecolor=INK, linewidth=1.0))
    panels[1].set_xlim(x - half, x + half)
    panels[1].set_ylim(z - half, z + half)


def _cuts(panels: NDArray[np.object_], whole: meshes.Simplices, table: NDArray[np.str_]) -> None:
    """Cuts across y and across z through the smallest region."""
    corners = whole.points_nm[whole.cells]
    middle = corners.mean(axis=1)
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    total = np.bincount(whole.tags, weights=volume)
    smallest = np.flatnonzero((total > 0) & (total < 1.01 * total[total > 0].min()))
    centres = np.array([np.average(middle[whole.tags == k], axis=0, weights=volume[whole.tags == k]) for k in smallest])
    centre = 0.5 * (whole.points_nm.min(axis=0) + whole.points_nm.max(axis=0))
    nearest = int(np.argmin(np.linalg.norm(centres - centre, axis=1)))
    heights = corners[whole.tags == smallest[nearest]][:, :, 2]
    y, z = centres[nearest, 1], heights.max() - 0.1 * (heights.max() - heights.min())
    for axes, axis, place, other in ((panels[0], 1, y, z), (panels[1], 2, z, y)):
        polygons, cells = _cut(whole, axis, float(place))
        kept = [k for k in range(3) if k != axis]
        _polygons(axes, [polygon[:, kept] for polygon in polygons], table[whole.tags[cells]], 0.2)
        axes.axhline(other, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
        axes.set_title(f"{'xyz'[axis]} = {place:.1f} nm")
        axes.set_xlabel("x (nm)")
        axes.set_ylabel(f"{'xyz'[kept[1]]} (nm)")


def _cut(whole: meshes.Simplices, axis: int, place: float) -> tuple[list[Floats], Integers]:
    """The polygons in which a plane meets the tetrahedra, corners (3 or 4, 3) in turn, and their cells (n,)."""
    height = whole.points_nm[:, axis] - place
    above = height[whole.cells] > 0.0
    count = above.sum(axis=1)
    found = np.flatnonzero((count > 0) & (count < 4))
    # Corners of one side first; an edge from each to each of the others crosses the plane.
    order = np.take_along_axis(whole.cells[found], np.argsort(above[found], axis=1, kind="stable"), axis=1)
    polygons = []
    for nodes, high in zip(order, count[found], strict=True):
        low, up = nodes[: 4 - high], nodes[4 - high :]
        edges = [(a, b) for a in low for b in up]
        if len(edges) == 4:
            edges = [edges[0], edges[1], edges[3], edges[2]]
        first, second = np.array(edges).T
        share = height[first] / (height[first] - height[second])
        polygons.append(whole.points_nm[first] + share[:, None] * (whole.points_nm[second] - whole.points_nm[first]))
    return polygons, found


def _polygons(axes: Axes, polygons: Floats | list[Floats], colours: NDArray[np.str_], width: float) -> None:
    axes.add_collection(PolyCollection(list(polygons), facecolors=colours.tolist(), edgecolors=INK, linewidths=width))
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.margins(0.0)
    axes.tick_params(direction="out", top=False, right=False)
