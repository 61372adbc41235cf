"""Vertical cuts through the device: potential and temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ionsim.plots.style import MUTED, formula, new_figure, styled

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """Fields in a plane along z: ``across_nm`` (n,) is x or y, ``z_nm`` (nz,); potential, temperature: V, K (nz, n)."""

    across_nm: Floats
    z_nm: Floats
    potential_V: Floats
    temperature_K: Floats
    voltage_V: float


def cut_figure(
    cuts: Mapping[str, Cut],
    oxide_nm: tuple[float, float],
    *,
    lattice_nm: tuple[float, float] | None = None,
    margin_nm: float = 5.0,
    electrodes: tuple[str, str] = ("bottom", "top"),
    oxide: str = "oxide",
    lateral: bool = False,
    title: str = "",
) -> Figure:
    """Potential (upper row) and temperature (lower row) of each state, with contours; axes in nm.

    ``oxide_nm`` is the z range of the oxide, drawn as lines; ``lattice_nm`` is the x range of the lattice box, drawn
    dashed, around which the picture shows ``margin_nm`` (without it, the whole cut is shown). Of a lateral cell the
    cut is across x: z runs to the right, y up, and ``lattice_nm`` is the y range of the film on its substrate.
    """
    with styled():
        columns = max(len(cuts), 1)
        figure = new_figure(2.75 * columns + 0.4, 5.0, "compressed")
        panels = figure.subplots(2, columns, squeeze=False, sharex=True, sharey=True)
        for column, (label, cut) in enumerate(cuts.items()):
            view = _view(cut, oxide_nm, lattice_nm, margin_nm, lateral)
            rows = (
                (cut.potential_V, "potential (V)", "cividis"),
                (cut.temperature_K, "temperature (K)", "inferno"),
            )
            for axes, (field, name, colours) in zip(panels[:, column], rows, strict=True):
                _panel(figure, axes, cut, np.asarray(field), view, name, colours, lateral)
                _frame(axes, oxide_nm, lattice_nm, lateral)
            panels[0, column].set_title(f"{label}, $V = {cut.voltage_V:.2f}$ V")
            panels[1, column].set_xlabel("z (nm)" if lateral else "x (nm)")
            if column == 0:
                _names(panels[0, 0], oxide_nm, view, (electrodes[0], oxide, electrodes[1]), lateral)
        panels[0, 0].xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        panels[0, 0].yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        for axes in panels[:, 0]:
            axes.set_ylabel("y (nm)" if lateral else "z (nm)")
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


View = tuple[float, float, float, float]


def _view(
    cut: Cut, oxide_nm: tuple[float, float], lattice_nm: tuple[float, float] | None, margin_nm: float, lateral: bool
) -> View:
    """(left, right, low, high) in nm of what is shown, never more than the cut holds."""
    begin, end = (cut.across_nm[0], cut.across_nm[-1]) if lattice_nm is None else lattice_nm
    room = 0.0 if lattice_nm is None else margin_nm
    across = float(max(cut.across_nm[0], begin - room)), float(min(cut.across_nm[-1], end + room))
    along = float(max(cut.z_nm[0], oxide_nm[0] - margin_nm)), float(min(cut.z_nm[-1], oxide_nm[1] + margin_nm))
    return (*along, *across) if lateral else (*across, *along)


def _panel(
    figure: Figure, axes: Axes, cut: Cut, field: Floats, view: View, name: str, colours: str, lateral: bool
) -> None:
    right_nm, up_nm = (cut.z_nm, cut.across_nm) if lateral else (cut.across_nm, cut.z_nm)
    field = field.T if lateral else field
    inside_right = (right_nm >= view[0]) & (right_nm <= view[1])
    inside_up = (up_nm >= view[2]) & (up_nm <= view[3])
    shown = field[np.ix_(inside_up, inside_right)]
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    flat = high - low < 1e-6 * max(abs(low), abs(high), 1e-3)
    if flat:
        low, high = low - 0.5, high + 0.5
    image = axes.pcolormesh(
        right_nm, up_nm, field, cmap=colours, vmin=low, vmax=high, shading="gouraud", rasterized=True
    )  # fmt: skip
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06, shrink=0.94)
    bar.set_label(name)
    if not flat:
        levels = np.linspace(low, high, 11)[1:-1]
        axes.contour(right_nm, up_nm, field, levels=levels, colors="white", linewidths=0.5, linestyles="solid")
        bar.ax.hlines(levels, *bar.ax.get_xlim(), colors="white", linewidth=0.5)
    axes.set_xlim(view[0], view[1])
    axes.set_ylim(view[2], view[3])
    axes.set_aspect("equal")


def _frame(axes: Axes, oxide_nm: tuple[float, float], lattice_nm: tuple[float, float] | None, lateral: bool) -> None:
    for place in oxide_nm:
        line = axes.axvline if lateral else axes.axhline
        line(place, color="white", linewidth=1.6)
        line(place, color=MUTED, linewidth=0.7)
    if lattice_nm is not None:
        (left, right), (low, high) = (oxide_nm, lattice_nm) if lateral else (lattice_nm, oxide_nm)
        axes.add_patch(
            Rectangle(
                (left, low), right - left, high - low, fill=False, edgecolor="white", linewidth=0.9,
                linestyle=(0, (4, 3)),
            )
        )  # fmt: skip


def _names(axes: Axes, oxide_nm: tuple[float, float], view: View, names: Sequence[str], lateral: bool) -> None:
    low, high = view[:2] if lateral else view[2:]
    places = 0.5 * (low + oxide_nm[0]), 0.5 * (oxide_nm[0] + oxide_nm[1]), 0.5 * (oxide_nm[1] + high)
    for name, place in zip(names, places, strict=True):
        at, offset = ((place, view[3]), (0, -8)) if lateral else ((view[0], place), (4, 0))
        axes.annotate(
            formula(name), at, xytext=offset, textcoords="offset points", va="center", fontsize=8,
            ha="center" if lateral else "left",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.2},
        )  # fmt: skip
