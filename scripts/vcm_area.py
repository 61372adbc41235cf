"""Forming voltage against area and thickness: the weakest-link law of areas, and means by thickness.

A boundary in boxes of growing length along it, the area with it; all other numbers stay. Its disorder is drawn site by
site and edge by edge, without patches, so that any length is made of independent parts, as the law asks. Short boxes,
which are quick, are run more often. A run that is in the CSV file is not repeated.

python scripts/vcm_area.py --seeds 10               # half an hour of one core
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ionsim.analysis.forming import QUICK, forming_runs
from ionsim.analysis.weibull import (
    AreaScaling,
    ThresholdScaling,
    area_scaling,
    median_ranks,
    threshold_scaling,
)
from ionsim.config import VcmDevice, load
from ionsim.errors import expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

_FIXED = (
    "lattice.width_nm=2.5", "grains.boundary_class=low_symmetry", "drive.stages.0.compliance_A=3e-7", *QUICK,
    "grains.low_symmetry={site_energy_eV=-0.1, site_spread_eV=0.15, hop_spread_eV=0.2, patch_spread_eV=0.0}",
)  # fmt: skip


def devices(lengths_nm: list[float], thicknesses_nm: list[float], changes: list[str]) -> dict[str, VcmDevice]:
    """Devices by name: "LENGTH nm" along the boundary, "THICKNESS nm thick" for a boundary of high symmetry."""
    found = {}
    for length in lengths_nm:
        domain = f"mesh.domain_width_nm={length + 6.0}"
        keys = [*_FIXED, f"lattice.depth_nm={length}", domain, *changes]
        found[f"{length:g} nm"] = load("hfo2_single_boundary", keys)
    for thickness in thicknesses_nm:
        keys = ["grains.boundary_class=high_symmetry", f"layers.oxide.thickness_nm={thickness}", *QUICK, *changes]
        found[f"{thickness:g} nm thick"] = load("hfo2_single_boundary", keys)
    return found


def main(
    seeds: Annotated[int, typer.Option(min=3, help="Seeds of the longest box; shorter ones have more.")] = 10,
    lengths: Annotated[list[float] | None, typer.Option(help="Lengths along the boundary, nm; repeatable.")] = None,
    thicknesses: Annotated[list[float] | None, typer.Option(help="Thicknesses, nm; repeatable.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the runs.")] = 2,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture is put beside it.")] = Path("area.csv"),
) -> None:
    """Run what is not there yet, and compare it with the law."""
    along, high = lengths or [2.5, 5.0, 10.0, 20.0, 40.0], thicknesses or [3.0, 5.0, 7.0]
    parts = devices(along, high, changes or [])
    numbers = {f"{length:g} nm": round(seeds * (max(along) / length) ** 0.5) for length in along}
    numbers |= {f"{thickness:g} nm thick": seeds for thickness in high}
    with Progress(console=console, transient=True) as bar:
        total = sum(numbers.values())
        task = bar.add_task("forming", total=total)
        runs = forming_runs(
            parts, numbers, out, workers, lambda _, missing: bar.update(task, completed=total - missing)
        )
    volts = {name: [run.V_form_V for run in runs if run.structure == name and run.formed] for name in parts}
    bounds = {name: [run.V_form_V for run in runs if run.structure == name and not run.formed] for name in parts}
    names = {length: f"{length:g} nm" for length in along}
    law = area_scaling({length * 2.5: (volts[name], bounds[name]) for length, name in names.items()})
    _areas(law, volts, names)
    _threshold(threshold_scaling({length * 2.5: volts[name] for length, name in names.items()}))
    _thicknesses(volts, {value: f"{value:g} nm thick" for value in high})
    save(_figure(law, {length * 2.5: volts[name] for length, name in names.items()}), out.with_suffix(".png"))
    console.print(f"wrote {out} and {out.with_suffix('.png').name}")


def _areas(law: AreaScaling, volts: Mapping[str, list[float]], names: Mapping[float, str]) -> None:
    table = Table("length nm", "area nm2", "formed", "mean V", "scale V", "95 %", "slope", "95 %", "law's scale V")
    for length, name in names.items():
        fit = law.single[length * 2.5]
        table.add_row(
            f"{length:g}", f"{length * 2.5:g}", f"{len(volts[name])}/{fit.n}", f"{np.mean(volts[name]):.3f}",
            f"{fit.scale:.3f}", "{:.3f} - {:.3f}".format(*fit.scale_interval), f"{fit.slope:.1f}",
            "{:.1f} - {:.1f}".format(*fit.slope_interval), f"{law.scale_at(length * 2.5):.3f}",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"weakest link: slope {law.slope:.1f} ({law.slope_interval[0]:.1f} - {law.slope_interval[1]:.1f}); "
        f"scale ~ area^-{law.exponent:.4f} ({law.exponent_interval[0]:.4f} - {law.exponent_interval[1]:.4f}), "
        f"the law asks for 1/slope = {1.0 / law.slope:.4f}; p = {law.p_value:.3f}"
    )


def _threshold(law: ThresholdScaling) -> None:
    hazards = ", ".join(f"{area:g} nm2: {mean:.2f} +- {error:.2f}" for area, (mean, error) in law.hazards.items())
    console.print(
        f"with a threshold: {law.threshold:.3f} V, scale {law.scale:.3f} V at {law.area:.3g} nm2, slope "
        f"{law.slope:.2f}; p = {law.p_value:.3f}; mean hazards (1 by the law) {hazards}"
    )


def _thicknesses(volts: Mapping[str, list[float]], names: Mapping[float, str]) -> None:
    table = Table("thickness nm", "formed", "mean V", "s.d. V", "V/nm")
    for thickness, name in names.items():
        mean = float(np.mean(volts[name]))
        table.add_row(
            f"{thickness:g}", f"{len(volts[name])}", f"{mean:.3f}", f"{np.std(volts[name], ddof=1):.3f}",
            f"{mean / thickness:.3f}",
        )  # fmt: skip
    console.print(table)


def _figure(law: AreaScaling, volts: Mapping[float, list[float]]) -> Figure:
    """Weibull plots of all areas, and moved onto each other by the law."""
    with styled():
        figure = new_figure(8.6, 3.6)
        panels = figure.subplots(1, 2, sharey=True)
        for index, (area, values) in enumerate(sorted(volts.items())):
            ordered, rank = median_ranks(values, law.single[area].n)
            reduced = np.log(-np.log1p(-rank))
            colour = f"C{index}"
            panels[0].plot(ordered, reduced, ".", color=colour, label=f"{area:g} nm²")
            line = np.array([-4.0, 1.6])
            panels[0].plot(law.scale_at(area) * np.exp(line / law.slope), line, color=colour, lw=0.8)
            panels[1].plot(ordered, reduced + np.log(law.area / area), ".", color=colour)
        panels[1].plot(law.scale * np.exp(np.array([-6.0, 3.0]) / law.slope), [-6.0, 3.0], color="k", lw=0.8)
        for axes in panels:
            axes.set(xscale="log", xlabel="forming voltage (V)")
            low, high = axes.get_xlim()
            ticks = [value for value in (1.5, 2, 2.5, 3, 3.5, 4, 5, 6) if low <= value <= high]
            axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
            axes.minorticks_off()
        panels[0].set(ylabel="ln(-ln(1 - F))", title="lines: one slope, scales by the weakest link")
        panels[1].set(title=f"moved by ln(area) to {law.area:.3g} nm²")
        panels[0].legend()
    return figure


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"vcm_area: error: {error}", style="red")
        raise SystemExit(2) from None
