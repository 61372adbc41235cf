"""The filament in three dimensions: its members (vacancies, atoms) coloured by what they are connected to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ionsim.plots.clusters import BOTTOM, BRIDGE, ISOLATED, NEIGHBOUR_NM, TOP, connectivity
from ionsim.plots.scene import Camera, draw_edges, draw_slab, draw_spheres
from ionsim.plots.style import BLUE, GREEN, INK, MUTED, PALE, VERMILLION, formula, new_figure, styled

Floats = NDArray[np.float64]

_CLASSES = {
    BRIDGE: ("bridges the electrodes", VERMILLION),
    TOP: ("connected to top", GREEN),
    BOTTOM: ("connected to bottom", BLUE),
    ISOLATED: ("isolated", PALE),
}
_TOP_METAL, _BOTTOM_METAL = "#A9A69D", "#8E949C"


def filament_figure(
    states: Mapping[str, Floats],
    box_nm: Sequence[float],
    *,
    periodic: Sequence[bool] = (False, False, False),
    neighbour_nm: float = NEIGHBOUR_NM,
    radius_nm: float = 0.12,
    electrodes: tuple[str, str] = ("bottom", "top"),
    members: str = "vacancies",
    title: str = "",
) -> Figure:
    """One panel for each state, all with the same camera: the filament in the box between two electrodes.

    ``states`` maps a label to positions of its ``members`` (M, 3) in nm with 0 <= z <= Lz; ``box_nm`` is (Lx, Ly, Lz).
    Colours say whether one belongs to a cluster (neighbours within ``neighbour_nm``) that touches the bottom
    electrode, the top one, both, or none; ``electrodes`` names bottom and top.
    """
    with styled():
        columns = min(max(len(states), 1), 4)
        rows = -(-len(states) // columns) if states else 1
        figure = new_figure(1.95 * columns + 0.1, 2.6 * rows + 0.45)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for letter, (axes, (label, positions)) in enumerate(zip(panels, states.items(), strict=False)):
            classes = connectivity(
                positions, 0.0, box_nm[2], cell_nm=box_nm, periodic=periodic, neighbour_nm=neighbour_nm
            )
            _draw(axes, positions, classes, np.asarray(box_nm, dtype=float), radius_nm, electrodes, first=letter == 0)
            axes.set_title(f"({chr(97 + letter)}) {label}", fontweight="bold", pad=12)
            axes.annotate(
                f"{len(positions)} {members}", (0.5, 1.0), xycoords="axes fraction", xytext=(0, 2),
                textcoords="offset points", ha="center", va="bottom", fontsize=8, color=MUTED,
            )  # fmt: skip
        for axes in panels[len(states) :]:
            axes.set_axis_off()
        handles = [
            Line2D([], [], marker="o", linestyle="none", markersize=6, markerfacecolor=colour, markeredgecolor="none",
                   label=name)
            for name, colour in _CLASSES.values()
        ]  # fmt: skip
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=(1, 2, 2, 4)[columns - 1],
            handletextpad=0.2,
            columnspacing=1.2,
        )
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def _draw(
    axes: Axes,
    positions: Floats,
    classes: NDArray[np.int64],
    box: Floats,
    radius_nm: float,
    electrodes: tuple[str, str],
    *,
    first: bool,
) -> None:
    camera = Camera()
    low, high = np.zeros(3), box
    slab = np.array([0.0, 0.0, 0.15 * box[2]])
    draw_slab(axes, camera, low - slab, high * [1, 1, 0], _BOTTOM_METAL, zorder=1)
    draw_edges(axes, camera, low, high, hidden=True, zorder=2)
    colours = np.array([to_rgb(_CLASSES[int(index)][1]) for index in classes]).reshape(-1, 3)
    draw_spheres(axes, camera, box, positions, radius_nm, colours, zorder=3)
    draw_slab(axes, camera, low * [1, 1, 0] + [0, 0, box[2]], high + slab, _TOP_METAL, alpha=0.35, zorder=4)
    draw_edges(axes, camera, low, high, hidden=False, zorder=5)
    outline = np.array([low - slab, [*box[:2], -slab[2]], [box[0], 0, -slab[2]], [0, box[1], box[2] + slab[2]]])
    outline = np.vstack([outline, high + slab])
    screen = camera.project(outline)[0]
    room = 0.05 * box[2]
    axes.set_xlim(screen[:, 0].min() - room, screen[:, 0].max() + room)
    axes.set_ylim(screen[:, 1].min() - room, screen[:, 1].max() + room)
    axes.set_aspect("equal")
    axes.set_axis_off()
    for name, z in zip(electrodes, (-0.5 * slab[2], box[2] + 0.5 * slab[2]), strict=True):
        place = camera.project(np.array([[0.5 * box[0], 0.0, z]]))[0][0]
        axes.text(
            float(place[0]), float(place[1]), formula(name), ha="center", va="center", fontsize=8, color=INK, zorder=6
        )
    if first:
        _dimension(axes, camera, np.array([[0, 0, 0], [0, 0, box[2]]]), f"{box[2]:.1f} nm", (-4, 0), 90)


def _dimension(
    axes: Axes, camera: Camera, ends: Floats, text: str, offset: tuple[float, float], rotation: float
) -> None:
    """Length of an edge, written beside its middle."""
    middle = camera.project(ends)[0].mean(axis=0)
    axes.annotate(
        text, (float(middle[0]), float(middle[1])), xytext=offset, textcoords="offset points", ha="right", va="center",
        rotation=rotation, fontsize=8, color=INK, annotation_clip=False,
    )  # fmt: skip
