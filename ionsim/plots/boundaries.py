"""Grain boundaries and what they do: vacancies on them, forming voltages, where filaments stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ionsim.plots.grains import CLASS_COLOURS, painted, pale
from ionsim.plots.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from ionsim.analysis.forming import Formed
    from ionsim.config import VcmDevice
    from meshes import Polycrystal

Floats = NDArray[np.float64]

_STRUCTURES = {"single crystal": MUTED, "low symmetry": BLUE, "high symmetry": VERMILLION, "polycrystal": GREEN}
_SPARE = (ORANGE, PURPLE, INK)


def boundary_figure(
    film: Polycrystal, box_nm: tuple[float, float, float], vacancies: Mapping[str, Floats], title: str = ""
) -> Figure:
    """Vacancies (M, 3) in nm of some states over the boundaries in the box of a lattice: from above and from the side.

    Boundaries are painted as wide as they are, from above at half of the film's height, from the side in the middle
    of y. Dots are vacancies of the whole film, dark in a boundary, light in a grain.
    """
    x, y, z = box_nm
    with styled():
        count = len(vacancies)
        figure = new_figure(2.7 * count + 0.6, 2.6 * (1.0 + z / y) + 0.9)
        panels = figure.subplots(2, count, squeeze=False, height_ratios=(1.0, z / y), sharex=True)
        plan = painted(film, np.array([0.0, 0.0, 0.5 * z]), np.diag([x, y, 0.0])[:2])
        side = painted(film, np.array([0.0, 0.5 * y, 0.0]), np.diag([x, 0.0, z])[[0, 2]])
        for column, (name, points) in enumerate(vacancies.items()):
            inside = film.region(film.locate(points)) > 0
            views = ((plan, (x, y), 1), (side, (x, z), 2))
            for axes, (picture, (width, height), axis) in zip(panels[:, column], views, strict=True):
                axes.imshow(picture.swapaxes(0, 1), origin="lower", extent=(0.0, width, 0.0, height), aspect="equal")
                for mask, colour in ((~inside, "white"), (inside, INK)):
                    axes.scatter(
                        points[mask, 0], points[mask, axis], s=9, color=colour, edgecolors=INK, linewidths=0.5,
                        alpha=0.8, clip_on=False,
                    )  # fmt: skip
            panels[0, column].set_title(f"{name}: {inside.sum()} of {len(points)} in boundaries")
            panels[1, column].set_xlabel("x (nm)")
        panels[0, 0].set_ylabel("y (nm)")
        panels[1, 0].set_ylabel("z (nm)")
        handles: list[Any] = [
            Patch(facecolor=pale(CLASS_COLOURS[name]), edgecolor=MUTED, label=f"{name.replace('_', '-')} boundary")
            for number, name in enumerate(film.regions()[1:])
            if np.any(film.high == bool(number))
        ]
        handles += [
            Line2D([], [], marker="o", ls="", ms=4, mfc=colour, mec=INK, label=f"vacancy in a {where}")
            for where, colour in (("boundary", INK), ("grain", "white"))
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        figure.suptitle(title, fontsize=9)
    return figure


def forming_figure(runs: Sequence[Formed]) -> Figure:
    """Forming voltages of all structures: their distribution, and the same on Weibull's scales with the fits."""
    from ionsim.analysis.forming import statistics
    from ionsim.analysis.weibull import median_ranks

    with styled():
        figure = new_figure(8.6, 3.7)
        plain, scaled = figure.subplots(1, 2)
        for name, colour in _colours(runs).items():
            own = [run for run in runs if run.structure == name]
            volts, rank = median_ranks([run.V_form_V for run in own if run.formed], len(own))
            fit = statistics(own).fit
            plain.plot(volts, rank, ".", ms=4, color=colour)
            scaled.plot(volts, np.log(-np.log1p(-rank)), ".", ms=4, color=colour)
            label = f"{name} ({len(volts)} of {len(own)})"
            if fit is not None:
                line = np.geomspace(0.97 * volts[0], 1.03 * volts[-1], 200)
                share = fit.distribution(line)
                plain.plot(line, share, color=colour, lw=1.0)
                seen = (share > 1e-3) & (share < 1.0 - 1e-9)
                scaled.plot(line[seen], np.log(-np.log1p(-share[seen])), color=colour, lw=1.0)
                label += f": {fit.scale:.2f} V, slope {fit.slope:.0f}"
            plain.plot([], [], ".-", color=colour, label=label)
        plain.set(xlabel="forming voltage (V)", ylabel="share of devices", ylim=(0, 1))
        scaled.set(xscale="log", xlabel="forming voltage (V)", ylabel="ln(-ln(1 - F))", ylim=(-5.5, 2.5))
        low, high = scaled.get_xlim()
        ticks = [value for value in (1, 1.5, 2, 3, 4, 5, 6, 8) if low <= value <= high]
        scaled.set_xticks(ticks, [f"{value:g}" for value in ticks])
        scaled.minorticks_off()
        figure.legend(*plain.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def positions_figure(runs: Sequence[Formed], devices: Mapping[str, VcmDevice]) -> Figure:
    """Where the current of formed films runs: axes from above, and the share of it inside boundaries."""
    names = {name: colour for name, colour in _colours(runs).items() if name in devices}
    with styled():
        figure = new_figure(2.5 * (len(names) + 1), 3.2)
        *plans, shares = figure.subplots(1, len(names) + 1)
        for axes, (name, colour) in zip(plans, names.items(), strict=True):
            own = [run for run in runs if run.structure == name and run.formed]
            lattice, grains = devices[name].lattice, devices[name].grains
            x, y = np.array([[run.x_nm, run.y_nm] for run in own]).T if own else np.empty((2, 0))
            if grains is not None and grains.kind == "boundary":
                centre = 0.5 * lattice.width_nm if grains.position_nm is None else grains.position_nm
                axes.axvspan(centre - 0.5 * grains.width_nm, centre + 0.5 * grains.width_nm, color=pale(colour), lw=0)
                axes.scatter(x, y, s=8, color=colour)
                axes.set_title(name)
            elif grains is None:
                axes.scatter(x, y, s=8, color=colour)
                axes.set_title(name)
            else:  # films differ from run to run
                axes.scatter(x, y, s=8, c=["k" if run.boundary_share > 0.5 else "none" for run in own], edgecolors="k",
                             linewidths=0.6)  # fmt: skip
                axes.set_title(f"{name} (filled: boundary)")
            axes.set(xlim=(0, lattice.width_nm), ylim=(0, lattice.depth_nm), aspect="equal", xlabel="x (nm)")
        plans[0].set_ylabel("y (nm)")
        for name, colour in names.items():
            own = [run for run in runs if run.structure == name and run.formed and run.sites_share > 0.0]
            if own:
                share = np.sort([run.boundary_share for run in own])
                shares.plot(share, (np.arange(len(share)) + 0.5) / len(share), color=colour, label=name)
                shares.axvline(float(np.mean([run.sites_share for run in own])), color=colour, ls=":", lw=1.0)
        shares.set(xlabel="share of the current in boundaries\n(dotted: of the sites)", ylabel="share of devices")
        shares.set(xlim=(0, 1), ylim=(0, 1))
        shares.legend(loc="center", fontsize=7)
    return figure


def _colours(runs: Sequence[Formed]) -> dict[str, str]:
    spare = iter(_SPARE * len(runs))
    return {name: _STRUCTURES.get(name) or next(spare) for name in dict.fromkeys(run.structure for run in runs)}
