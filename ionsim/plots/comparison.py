"""A vacancy device as a lattice and as a continuum: currents, and where vacancies are and how hot it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ionsim.plots.style import BLUE, GREEN, INK, MUTED, PURPLE, VERMILLION, decades, new_figure, styled

Floats = NDArray[np.float64]

#: Models in the pictures.
COLOURS = {"lattice": BLUE, "continuum": VERMILLION, "continuum, handed over": GREEN}


def current_figure(stages: Sequence[str], rows: Mapping[str, Floats]) -> Figure:
    """log I by voltage, a panel a stage: mean of the lattices with one standard deviation, and the continuum.

    ``rows``: ``stage``, ``branch`` (0 out, 1 back), ``voltage_V``, ``mean``, ``spread``, ``continuum``, ``handed``
    (rows,), the last four in log10 of A.
    """
    with styled():
        figure = new_figure(3.1 * len(stages) + 0.4, 3.1)
        panels = figure.subplots(1, len(stages), squeeze=False)[0]
        for number, (axes, stage) in enumerate(zip(panels, stages, strict=True)):
            for branch in (0, 1):
                part = (rows["stage"] == number) & (rows["branch"] == branch)
                volts, line = np.abs(rows["voltage_V"][part]), "-" if branch == 0 else "--"
                mean, spread = rows["mean"][part], np.nan_to_num(rows["spread"][part])
                axes.fill_between(volts, 10.0 ** (mean - spread), 10.0 ** (mean + spread), color=BLUE, alpha=0.2, lw=0)
                for name, key in zip(COLOURS, ("mean", "continuum", "handed"), strict=True):
                    label = name if branch == 0 else None
                    axes.plot(volts, 10.0 ** rows[key][part], line, color=COLOURS[name], label=label)
            axes.set_yscale("log")
            decades(axes)
            sign = "-" if np.any(rows["voltage_V"][rows["stage"] == number] < 0.0) else ""
            axes.set(xlabel=f"{sign}V (V)", title=stage)
        figure.axes[0].set_ylabel("|I| (A)")
        figure.axes[-1].legend(loc="lower right", title="dashed: back", fontsize=7, title_fontsize=7)
        return figure


def field_figure(states: Mapping[str, Mapping[str, Floats]], power_W: float) -> Figure:
    """A row a state: share of vacant sites, and the rise at ``power_W`` of lattice and continuum, on one scale.

    ``states`` by label: ``r_nm`` (n,), ``z_nm`` (nz,), ``share``, ``lattice_K``, ``continuum_K`` (nz, n), and where the
    continuum has made a state of its own ``own_share`` over ``own_r_nm`` and ``own_z_nm``.
    """
    with styled():
        figure = new_figure(9.2, 1.75 * len(states) + 0.6, "compressed")
        panels = figure.subplots(len(states), 4, squeeze=False, sharex=True, sharey=True)
        for row, (label, maps) in zip(panels, states.items(), strict=True):
            highest = float(max(np.nanmax(maps["lattice_K"]), np.nanmax(maps["continuum_K"])))
            for axes, name, top, colours in (
                (row[0], "share", 1.0, "viridis"), (row[1], "own_share", 1.0, "viridis"),
                (row[2], "lattice_K", highest, "inferno"), (row[3], "continuum_K", highest, "inferno"),
            ):  # fmt: skip
                if name not in maps:
                    axes.set_axis_off()
                    continue
                own = "own_" if name == "own_share" else ""
                r = np.concatenate([-maps[f"{own}r_nm"][::-1], maps[f"{own}r_nm"]])
                both = np.concatenate([maps[name][:, ::-1], maps[name]], axis=1)
                image = axes.pcolormesh(
                    r, maps[f"{own}z_nm"], both, cmap=colours, vmin=0.0, vmax=top, shading="gouraud", rasterized=True
                )
                axes.set_aspect("equal")
                if name in ("share", "continuum_K"):
                    meaning = "vacant share" if name == "share" else "rise (K)"
                    figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05).set_label(meaning)
            row[0].set_ylabel(f"{label}\nz (nm)")
        micro = f"{1e6 * power_W:g} µW"
        titles = ("lattices' vacancies,\nhanded over", "", f"lattice,\n{micro}", f"continuum,\n{micro}")
        for axes, title in zip(panels[0], titles, strict=True):
            axes.set_title(title, color=INK)
        made = [axes for axes in panels[:, 1] if axes.axison]
        if made:
            made[0].set_title("the continuum's own", color=INK)
        for axes in panels[-1]:
            axes.set_xlabel("r (nm)")
        return figure


def axis_figure(heights_nm: Floats, states: Mapping[str, Mapping[str, Floats]], power_W: float) -> Figure:
    """Rise along the axis, a panel a state: ``lattice`` (seeds, layers), ``continuum`` and ``back`` (layers,), K."""
    with styled():
        figure = new_figure(2.6 * len(states) + 0.4, 2.7)
        for axes, (label, one) in zip(figure.subplots(1, len(states), squeeze=False)[0], states.items(), strict=True):
            for k, line in enumerate(one["lattice"]):
                axes.plot(heights_nm, line, color=BLUE, lw=0.7, alpha=0.6, label="lattice" if k == 0 else None)
            axes.plot(heights_nm, one["continuum"], color=VERMILLION, label="continuum")
            axes.plot(heights_nm, one["back"], "--", color=PURPLE, label="lattice drawn from it")
            axes.set(xlabel="z (nm)", title=label)
            axes.set_ylim(bottom=0.0)
        figure.axes[0].set_ylabel(f"rise at {1e6 * power_W:g} µW (K)")
        figure.axes[0].legend(fontsize=7)
        return figure


def retention_figure(series: Mapping[str, Mapping[str, Floats]], loss: float) -> Figure:
    """Time to a loss against 1000/T: points, arrows up where it was not reached, and the line of a fit.

    ``series`` by name: ``kelvin``, ``time_s`` (n,), ``reached_s`` (n,) for those without a failure (time infinite), and
    where there is a fit ``fit_K``, ``fit_s``.
    """
    with styled():
        figure = new_figure(5.0, 3.6)
        axes = figure.subplots()
        for (name, one), colour in zip(series.items(), (BLUE, VERMILLION, GREEN, PURPLE), strict=False):
            failed = np.isfinite(one["time_s"])
            x = 1e3 / one["kelvin"]
            axes.semilogy(x[failed], one["time_s"][failed], "o", ms=3.5, color=colour, label=name)
            if not failed.all():
                axes.semilogy(x[~failed], one["reached_s"][~failed], "^", ms=5, mfc="none", color=colour,
                              label=f"{name}: no failure until here")  # fmt: skip
            if "fit_K" in one:
                axes.semilogy(1e3 / one["fit_K"], one["fit_s"], "-", lw=1.0, color=colour)
        axes.axhline(10.0 * 365.25 * 86400.0, color=MUTED, ls=":", lw=1.0)
        axes.annotate("10 years", (0.02, 10.0 * 365.25 * 86400.0), xycoords=("axes fraction", "data"), va="bottom",
                      color=MUTED, fontsize=8)  # fmt: skip
        axes.set(xlabel="1000 K / T", ylabel=f"time until {100 * loss:g} % of the conductance are lost (s)")
        axes.legend(fontsize=7, loc="lower right")
        return figure
