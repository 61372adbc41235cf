"""The filament in three dimensions: its members (vacancies, atoms) coloured by what they are connected to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ionsim.plots.clusters import (
    BOTTOM,
    BRIDGE,
    ISOLATED,
    NEIGHBOUR_NM,
    TOP,
    cluster_labels,
    connectivity,
    size_ranks,
)
from ionsim.plots.scene import Camera, box_corners, draw_edges, draw_slab, draw_spheres
from ionsim.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    formula,
    new_figure,
    styled,
)

Floats = NDArray[np.float64]

_CLASSES = {
    BRIDGE: ("bridges the electrodes", VERMILLION),
    TOP: ("connected to top", GREEN),
    BOTTOM: ("connected to bottom", BLUE),
    ISOLATED: ("isolated", PALE),
}
_TOP_METAL, _BOTTOM_METAL, _FILM, _SUBSTRATE = "#A9A69D", "#8E949C", "#C9A66B", "#D9DDE3"
#: Floating clusters of metal by size, the largest first; further ones take the colours again.
_FLOATING = (PURPLE, YELLOW, SKY, "#8B5E3C", "#6A3D9A")
_ION, _ION_SHARE = INK, 0.42


@dataclass(frozen=True)
class Metal:
    """What is drawn where the filament is metal: its own lattice, the ions by state, and a film at the top electrode.

    ``spacing_nm`` is the distance of nearest neighbours: atoms are drawn as touching spheres, and belong to one cluster
    when they are neighbours. Within ``touch_nm`` of an electrode they touch it. ``ions`` holds positions (M, 3) in nm
    by the label of the state; ``film`` is name and thickness (nm) of a barrier layer under the top electrode.
    """

    spacing_nm: float
    touch_nm: float
    ions: Mapping[str, Floats] = field(default_factory=dict)
    film: tuple[str, float] | None = None

    @property
    def neighbour_nm(self) -> float:
        """A distance between the first neighbours of a face-centred cubic lattice and the second (1.41 spacings)."""
        return 1.2 * self.spacing_nm


def filament_figure(
    states: Mapping[str, Floats],
    box_nm: Sequence[float],
    *,
    periodic: Sequence[bool] = (False, False, False),
    neighbour_nm: float = NEIGHBOUR_NM,
    radius_nm: float = 0.12,
    electrodes: tuple[str, str] = ("bottom", "top"),
    members: str = "vacancies",
    metal: Metal | None = None,
    substrate: str | None = None,
    title: str = "",
) -> Figure:
    """One panel for each state, all with the same camera: the filament in the box between two electrodes.

    ``states`` maps a label to positions of its ``members`` (M, 3) in nm with 0 <= z <= Lz; ``box_nm`` is (Lx, Ly, Lz).
    Colours say whether one belongs to a cluster (neighbours within ``neighbour_nm``) that touches the bottom
    electrode, the top one, both, or none; ``electrodes`` names bottom and top. With ``metal`` the members are atoms,
    whose distances it gives, and floating clusters have colours of their own. A cell on a ``substrate`` (below y = 0)
    is drawn lying: z to the right, y up.
    """
    panel = FilamentPanel(
        box_nm, periodic=periodic, neighbour_nm=neighbour_nm, radius_nm=radius_nm, electrodes=electrodes,
        members=members, metal=metal, substrate=substrate,
    )  # fmt: skip
    with styled():
        columns = min(max(len(states), 1), 4)
        rows = -(-len(states) // columns) if states else 1
        figure = new_figure(1.95 * columns + 0.1, 2.6 * rows + 0.45)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        shown: list[tuple[str, str]] = []
        for letter, (axes, (label, positions)) in enumerate(zip(panels, states.items(), strict=False)):
            ions = None if metal is None else metal.ions.get(label)
            entries, count = panel.draw(axes, positions, ions, dimension=letter == 0)
            shown += entries
            axes.set_title(f"({chr(97 + letter)}) {label}", fontweight="bold", pad=12)
            axes.annotate(
                count, (0.5, 1.0), xycoords="axes fraction", xytext=(0, 2),
                textcoords="offset points", ha="center", va="bottom", fontsize=8, color=MUTED,
            )  # fmt: skip
        for axes in panels[len(states) :]:
            axes.set_axis_off()
        _legend(figure, list(panel.classes.values()), columns, None if metal is None else shown)
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


class FilamentPanel:
    """The box between two electrodes with the members of a filament in it; arguments as of :func:`filament_figure`."""

    def __init__(
        self,
        box_nm: Sequence[float],
        *,
        periodic: Sequence[bool] = (False, False, False),
        neighbour_nm: float = NEIGHBOUR_NM,
        radius_nm: float = 0.12,
        electrodes: tuple[str, str] = ("bottom", "top"),
        members: str = "vacancies",
        metal: Metal | None = None,
        substrate: str | None = None,
    ) -> None:
        self._touch_nm = None
        if metal is not None:
            neighbour_nm, radius_nm, members = metal.neighbour_nm, 0.5 * metal.spacing_nm, "atoms"
            self._touch_nm = metal.touch_nm
        self._metal, self._members, self._radius_nm = metal, members, radius_nm
        self._around: dict[str, Any] = {"cell_nm": box_nm, "periodic": periodic, "neighbour_nm": neighbour_nm}
        self._view = _View(
            np.asarray(box_nm, dtype=float), electrodes, None if metal is None else metal.film, substrate
        )
        #: Names and colours of the classes.
        self.classes = _classes(electrodes) if substrate else _CLASSES

    def draw(
        self, axes: Axes, positions: Floats, ions: Floats | None = None, *, dimension: bool = False
    ) -> tuple[list[tuple[str, str]], str]:
        """Draw members (M, 3) and ions (K, 3); returns names and colours that occur, and how many there are in words.

        ``dimension`` writes the height of the box beside it.
        """
        classes = connectivity(positions, 0.0, self._view.box[2], touch_nm=self._touch_nm, **self._around)
        entries = [self.classes[int(index)] for index in classes]
        radii, count = np.full(len(positions), self._radius_nm), f"{len(positions)} {self._members}"
        if self._metal is not None:
            ranks = size_ranks(cluster_labels(positions, **self._around), classes == ISOLATED)
            entries = [_metal_entry(*entry, int(rank)) for entry, rank in zip(entries, ranks, strict=True)]
            ions = np.asarray(() if ions is None else ions).reshape(-1, 3)
            positions = np.vstack([positions, ions])
            entries += [("ion", _ION)] * len(ions)
            radii = np.append(radii, np.full(len(ions), _ION_SHARE * self._radius_nm))
            count += f", {len(ions)} ion{'s' * (len(ions) != 1)}"
        colours = np.array([to_rgb(colour) for _, colour in entries]).reshape(-1, 3)
        _draw(axes, self._view, positions, radii, colours, first=dimension)
        return list(dict.fromkeys(entries)), count


def _classes(electrodes: tuple[str, str]) -> dict[int, tuple[str, str]]:
    """Names and colours of the classes where the electrodes stand side by side."""
    sides = {BOTTOM: electrodes[0], TOP: electrodes[1]}
    return {
        index: (f"connected to {formula(sides[index])}" if index in sides else name, colour)
        for index, (name, colour) in _CLASSES.items()
    }


def _metal_entry(name: str, colour: str, rank: int) -> tuple[str, str]:
    """Name and colour of an atom; those of floating clusters go by the rank of the cluster."""
    if rank >= 0:
        return "floating cluster", _FLOATING[rank % len(_FLOATING)]
    return ("lone atom", colour) if colour == PALE else (name, colour)


def _legend(
    figure: Figure, classes: Sequence[tuple[str, str]], columns: int, shown: Sequence[tuple[str, str]] | None
) -> None:
    """A legend below the panels: each name once, with all its colours; all classes, or those shown."""
    order = [*(name for name, _ in classes), "floating cluster", "lone atom", "ion"]
    colours: dict[str, list[str]] = {name: [] for name in order}
    for name, colour in dict.fromkeys(classes if shown is None else shown):
        colours[name].append(colour)
    handles = {
        name: tuple(
            Line2D([], [], marker="o", linestyle="none", markersize=4 if name == "ion" else 6, markerfacecolor=colour,
                   markeredgecolor="none")
            for colour in sorted(found, key=lambda colour: (*_FLOATING, *found).index(colour))
        )
        for name, found in colours.items() if found
    }  # fmt: skip
    if not handles:  # a cell of metal that is empty in all panels
        return
    figure.legend(
        handles=list(handles.values()),
        labels=list(handles),
        handler_map={tuple: HandlerTuple(ndivide=None)},
        loc="outside lower center",
        ncols=(1, 2, 2, max(4, len(handles)) if len(handles) < 6 else 3)[columns - 1],
        handletextpad=0.6 if colours["floating cluster"] else 0.2,
        columnspacing=1.2,
    )


@dataclass(frozen=True)
class _View:
    """What stands around the members: the box (Lx, Ly, Lz) in nm, electrodes, a film at the second, a substrate."""

    box: Floats
    electrodes: tuple[str, str]
    film: tuple[str, float] | None
    substrate: str | None

    @property
    def along(self) -> int:
        """The drawn axis from electrode to electrode."""
        return 2 if self.substrate is None else 0

    def turned(self, points: Floats) -> Floats:
        """Points (..., 3) as they are drawn: a lateral cell has z to the right, x to the back and y up."""
        return points if self.substrate is None else points[..., [2, 0, 1]]


def _draw(axes: Axes, view: _View, positions: Floats, radii: Floats, colours: Floats, *, first: bool) -> None:
    camera, box, along = Camera(), view.turned(view.box), view.along
    low, high = np.zeros(3), box
    way = np.eye(3)[along] * box[along]
    slab = (0.15 if view.substrate is None else 0.25) * way
    base = low - slab
    if view.substrate is not None:
        base = base - [0.0, 0.0, 0.25 * max(box[0], box[2])]
        draw_slab(axes, camera, base, np.array([box[0] + slab[0], box[1], 0.0]), _SUBSTRATE, zorder=0.5)
    draw_slab(axes, camera, low - slab, high - way, _BOTTOM_METAL, zorder=1)
    draw_edges(axes, camera, low, high, hidden=True, zorder=2)
    draw_spheres(axes, camera, box, view.turned(positions), radii, colours, zorder=3)
    if view.film is not None:
        _film(axes, camera, box, along, *view.film)
    draw_slab(axes, camera, way, high + slab, _TOP_METAL, alpha=0.35, zorder=4)
    draw_edges(axes, camera, low, high, hidden=False, zorder=5)
    screen = camera.project(box_corners(base, high + slab))[0]
    room = 0.05 * box[along]
    axes.set_xlim(screen[:, 0].min() - room, screen[:, 0].max() + room)
    axes.set_ylim(screen[:, 1].min() - room, screen[:, 1].max() + room)
    axes.set_aspect("equal")
    axes.set_axis_off()
    front = 0.5 * box * [1, 0, 1] - 0.5 * way
    names = dict(zip(view.electrodes, (front - 0.5 * slab, front + way + 0.5 * slab), strict=True))
    if view.substrate is not None:
        names[view.substrate] = np.array([0.5 * box[0], 0.0, 0.5 * base[2]])
    for name, place in names.items():
        right, up = camera.project(place)[0][0]
        axes.text(
            float(right), float(up), formula(name), ha="center", va="center", fontsize=8, color=INK, zorder=6
        )  # fmt: skip
    if first:
        offset, rotation = ((-4, 0), 90.0) if view.substrate is None else ((6, 9), -8.6)
        _dimension(axes, camera, np.array([low, way]), f"{box[along]:.1f} nm", offset, rotation)


def _film(axes: Axes, camera: Camera, box: Floats, along: int, name: str, thickness_nm: float) -> None:
    """A film at the second electrode, which leaves what is in it visible; its name where it begins."""
    unit = np.eye(3)[along]
    base = max(box[along] - thickness_nm, 0.0) * unit
    draw_slab(axes, camera, base, box, _FILM, alpha=0.35, zorder=3.5)
    offset = np.array([0.05 * box[0], 0.0, -0.03 * box[2]]) if along == 2 else np.array([0.0, 0.0, 0.97 * box[2]])
    place = camera.project(base + offset)[0][0]
    axes.text(float(place[0]), float(place[1]), formula(name), ha="left", va="top", fontsize=8, color=INK, zorder=6)


def _dimension(
    axes: Axes, camera: Camera, ends: Floats, text: str, offset: tuple[float, float], rotation: float
) -> None:
    """Length of an edge, written beside its middle."""
    middle = camera.project(ends)[0].mean(axis=0)
    axes.annotate(
        text, (float(middle[0]), float(middle[1])), xytext=offset, textcoords="offset points", ha="right", va="center",
        rotation=rotation, fontsize=8, color=INK, annotation_clip=False,
    )  # fmt: skip
