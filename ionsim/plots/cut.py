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
    """Fields in a plane of constant y: ``x_nm`` (nx,), ``z_nm`` (nz,), potential (V) and temperature (K) (nz, nx)."""

    x_nm: Floats
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
    title: str = "",
) -> Figure:
    """Potential (upper row) and temperature (lower row) of each state, with contours; axes in nm.

    ``oxide_nm`` is the z range of the oxide, drawn as lines; ``lattice_nm`` is the x range of the lattice box, drawn
    dashed, around which the picture shows ``margin_nm`` (without it, the whole cut is shown).
    """
    with styled():
        columns = max(len(cuts), 1)
        figure = new_figure(2.75 * columns + 0.4, 5.0, "compressed")
        panels = figure.subplots(2, columns, squeeze=False, sharex=True, sharey=True)
        for column, (label, cut) in enumerate(cuts.items()):
            view = _view(cut, oxide_nm, lattice_nm, margin_nm)
            rows = (
                (cut.potential_V, "potential (V)", "cividis"),
                (cut.temperature_K, "temperature (K)", "inferno"),
            )
            for axes, (field, name, colours) in zip(panels[:, column], rows, strict=True):
                _panel(figure, axes, cut, np.asarray(field), view, name, colours)
                _frame(axes, oxide_nm, lattice_nm)
            panels[0, column].set_title(f"{label}, $V = {cut.voltage_V:.2f}$ V")
            panels[1, column].set_xlabel("x (nm)")
            if column == 0:
                _names(panels[0, 0], oxide_nm, view, (electrodes[0], oxide, electrodes[1]))
        panels[0, 0].xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        panels[0, 0].yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        for axes in panels[:, 0]:
            axes.set_ylabel("z (nm)")
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


View = tuple[float, float, float, float]


def _view(cut: Cut, oxide_nm: tuple[float, float], lattice_nm: tuple[float, float] | None, margin_nm: float) -> View:
    """(left, right, low, high) in nm of what is shown, never more than the cut holds."""
    left, right = (cut.x_nm[0], cut.x_nm[-1]) if lattice_nm is None else lattice_nm
    room = 0.0 if lattice_nm is None else margin_nm
    return (
        float(max(cut.x_nm[0], left - room)), float(min(cut.x_nm[-1], right + room)),
        float(max(cut.z_nm[0], oxide_nm[0] - margin_nm)), float(min(cut.z_nm[-1], oxide_nm[1] + margin_nm)),
    )  # fmt: skip


def _panel(figure: Figure, axes: Axes, cut: Cut, field: Floats, view: View, name: str, colours: str) -> None:
    inside_x = (cut.x_nm >= view[0]) & (cut.x_nm <= view[1])
    inside_z = (cut.z_nm >= view[2]) & (cut.z_nm <= view[3])
    shown = field[np.ix_(inside_z, inside_x)]
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    flat = high - low < 1e-6 * max(abs(low), abs(high), 1e-3)
    if flat:
        low, high = low - 0.5, high + 0.5
    image = axes.pcolormesh(
        cut.x_nm, cut.z_nm, field, cmap=colours, vmin=low, vmax=high, shading="gouraud", rasterized=True
    )
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06, shrink=0.94)
    bar.set_label(name)
    if not flat:
        levels = np.linspace(low, high, 11)[1:-1]
        axes.contour(cut.x_nm, cut.z_nm, field, levels=levels, colors="white", linewidths=0.5, linestyles="solid")
        bar.ax.hlines(levels, *bar.ax.get_xlim(), colors="white", linewidth=0.5)
    axes.set_xlim(view[0], view[1])
    axes.set_ylim(view[2], view[3])
    axes.set_aspect("equal")


def _frame(axes: Axes, oxide_nm: tuple[float, float], lattice_nm: tuple[float, float] | None) -> None:
    for height in oxide_nm:
        axes.axhline(height, color="white", linewidth=1.6)
        axes.axhline(height, color=MUTED, linewidth=0.7)
    if lattice_nm is not None:
        axes.add_patch(
            Rectangle(
                (lattice_nm[0], oxide_nm[0]), lattice_nm[1] - lattice_nm[0], oxide_nm[1] - oxide_nm[0],
                fill=False, edgecolor="white", linewidth=0.9, linestyle=(0, (4, 3)),
            )
        )  # fmt: skip


def _names(axes: Axes, oxide_nm: tuple[float, float], view: View, names: Sequence[str]) -> None:
    heights = (
        0.5 * (view[2] + oxide_nm[0]), 0.5 * (oxide_nm[0] + oxide_nm[1]), 0.5 * (oxide_nm[1] + view[3]),
    )  # fmt: skip
    for name, height in zip(names, heights, strict=True):
        axes.annotate(
            formula(name), (view[0], height), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.2},
        )  # fmt: skip
