"""Vacancies as a density around a filament, and how hot it is: cuts through the axis at several moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ionsim.plots.style import INK, new_figure, styled

#: What a cut must hold; states at rest first, then the moments of largest power.
FIELDS = ("r_nm", "z_nm", "vacancies_per_m3", "temperature_K")
_ORDER = ("virgin", "formed", "reset", "set")
_PEAK = "_peak"
#: Height and width of a panel in inches, at most.
_ROOM_IN = 2.1
#: Densities are drawn in units of this (1/m^3): 1e21 per cm^3.
UNIT_PER_M3 = 1e27


def chosen(snapshots: Mapping[str, Any], most: int = 8) -> dict[str, Any]:
    """Snapshots with a cut of vacancies by title, in the order of time: states, then moments of largest power."""
    cuts = {label: one for label, one in snapshots.items() if all(f"cut/{name}" in one.extra for name in FIELDS)}
    labels = [label for label in _ORDER if label in cuts]
    labels += [label for label in cuts if label.endswith(_PEAK)]
    labels += [label for label in cuts if label not in labels]
    labels = sorted(labels[:most], key=lambda label: cuts[label].time_s)
    return {label.replace(_PEAK, ", largest power"): cuts[label] for label in labels}


def vacancy_figure(moments: Mapping[str, Any], *, edges_nm: tuple[float, ...] = (), title: str = "") -> Figure:
    """Density (upper row) and temperature (lower row) of each moment, mirrored at the axis.

    ``edges_nm``: heights at which a line is drawn (interfaces). Density is in 1e27 m^-3, on one scale for all.
    """
    with styled():
        cuts = {label: mirrored(one) for label, one in moments.items()}
        first = next(iter(cuts.values()))
        ratio = float(np.ptp(first["r_nm"]) / np.ptp(first["z_nm"]))
        width, height = (_ROOM_IN, _ROOM_IN / ratio) if ratio > 1 else (_ROOM_IN * ratio, _ROOM_IN)
        figure = new_figure((width + 0.3) * len(cuts) + 1.2, 2.0 * height + 1.1, "compressed")
        panels = figure.subplots(2, len(cuts), squeeze=False, sharex=True, sharey=True)
        rows = (
            ("vacancies_per_m3", UNIT_PER_M3, "viridis", "vacancies (10$^{27}$ m$^{-3}$)"),
            ("temperature_K", 1.0, "inferno", "temperature (K)"),
        )
        for row, (name, unit, colours, meaning) in enumerate(rows):
            values = [cut[name] / unit for cut in cuts.values()]
            low = min(float(one.min()) for one in values) if row else 0.0
            high = max(max(float(one.max()) for one in values), low + 1e-3)
            for axes, cut, one in zip(panels[row], cuts.values(), values, strict=True):
                image = axes.pcolormesh(
                    cut["r_nm"], cut["z_nm"], one, cmap=colours, vmin=low, vmax=high, shading="gouraud", rasterized=True
                )
                for edge in edges_nm:
                    axes.axhline(edge, color="white", linewidth=0.6, linestyle=":")
                axes.set_aspect("equal")
            figure.colorbar(image, ax=panels[row, :], pad=0.01, fraction=0.03).set_label(meaning)
        for axes, (label, one) in zip(panels[0], moments.items(), strict=True):
            hottest = float(np.max(one.extra["cut/temperature_K"]))
            axes.set_title(f"{label}\n{one.voltage_V:.2f} V, {hottest:.0f} K", fontsize=8)
        for axes in panels[1]:
            axes.set_xlabel("r (nm)")
        for axes in panels[:, 0]:
            axes.set_ylabel("z (nm)")
        figure.suptitle(title, color=INK)
        return figure


def mirrored(snapshot: Any) -> dict[str, Any]:
    """A cut with the other side of its axis."""
    cut = {name: np.asarray(snapshot.extra[f"cut/{name}"], dtype=float) for name in FIELDS}
    cut["r_nm"] = np.concatenate([-cut["r_nm"][::-1], cut["r_nm"]])
    for name in ("vacancies_per_m3", "temperature_K"):
        cut[name] = np.concatenate([cut[name][:, ::-1], cut[name]], axis=1)
    return cut
