"""Forming of many devices with and without grain boundaries: tables, a CSV file with all runs, and two pictures.

Single crystal, one boundary of low and of high symmetry, polycrystal; voltages with Weibull fits, and whether filaments
run in boundaries more often than chance puts them there. A run that is in the CSV file is not repeated.

python scripts/vcm_boundaries.py --seeds 100        # three quarters of an hour on two idle cores
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ionsim.analysis.forming import QUICK, FormingStatistics, forming_runs, statistics
from ionsim.config import VcmDevice, load
from ionsim.errors import expected_errors
from ionsim.plots.boundaries import forming_figure, positions_figure
from ionsim.plots.style import save

console = Console()

#: Mean forming voltages of HfO2/TiN films by texture, (010) and (111): which the presets are calibrated against.
LITERATURE_V = (5.3, 1.9)


def structures(changes: list[str]) -> dict[str, VcmDevice]:
    """The four microstructures, by name."""
    one, many = (load(name, [*QUICK, *changes]) for name in ("hfo2_single_boundary", "hfo2_polycrystal"))
    assert isinstance(one, VcmDevice)
    assert isinstance(many, VcmDevice)
    return {
        "single crystal": one.replace({"grains": None}),
        "low symmetry": one.replace({"grains.boundary_class": "low_symmetry"}),
        "high symmetry": one.replace({"grains.boundary_class": "high_symmetry"}),
        "polycrystal": many,
    }


def main(
    seeds: Annotated[int, typer.Option(min=2, help="Seeds 1 to this number.")] = 100,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the runs.")] = 2,
    out: Annotated[Path, typer.Option(help="The CSV file; pictures are put beside it.")] = Path("boundaries.csv"),
) -> None:
    """Run what is not there yet, and say what all of it shows."""
    devices = structures(changes or [])
    with Progress(console=console, transient=True) as bar:
        total = len(devices) * seeds
        task = bar.add_task("forming", total=total)
        numbers = dict.fromkeys(devices, seeds)
        runs = forming_runs(
            devices, numbers, out, workers, lambda _, missing: bar.update(task, completed=total - missing)
        )
    found = [statistics([run for run in runs if run.structure == name]) for name in devices]
    _voltages(found)
    _filaments(found)
    means = {item.structure: item.mean_V for item in found}
    literature = LITERATURE_V[0] / LITERATURE_V[1]
    ratio = means["low symmetry"] / means["high symmetry"]
    console.print(f"low / high symmetry, means: {ratio:.2f}; films of two textures: 5.3/1.9 = {literature:.2f}")
    console.print(f"wall time of all runs: {sum(run.wall_s for run in runs) / 60:.0f} min of one core")
    save(forming_figure(runs), out.with_name(f"{out.stem}_cdf.png"))
    save(positions_figure(runs, devices), out.with_name(f"{out.stem}_positions.png"))
    console.print(f"wrote {out} and two pictures beside it")


def _voltages(found: list[FormingStatistics]) -> None:
    table = Table("structure", "formed", "mean V", "s.d. V", "scale V", "95 %", "slope", "95 %")
    for item in found:
        fit = item.fit
        fitted = ["-"] * 4 if fit is None else [
            f"{fit.scale:.3f}", "{:.3f} - {:.3f}".format(*fit.scale_interval), f"{fit.slope:.1f}",
            "{:.1f} - {:.1f}".format(*fit.slope_interval),
        ]  # fmt: skip
        table.add_row(
            item.structure, f"{item.n_formed}/{item.n}", f"{item.mean_V:.3f}", f"{item.std_V:.3f}", *fitted
        )
    console.print(table)


def _filaments(found: list[FormingStatistics]) -> None:
    table = Table("structure", "in boundary", "95 %", "sites there", "by chance", "touches one", "95 %", "by chance")
    for item in found:
        if item.sites_share > 0.0:
            table.add_row(
                item.structure,
                f"{item.on_boundary}/{item.n_formed}", "{:.2f} - {:.2f}".format(*item.on_boundary_interval),
                f"{item.sites_share:.3f}", f"{item.chance_share:.3f}",
                f"{item.touching}/{item.n_formed}", "{:.2f} - {:.2f}".format(*item.touching_interval),
                f"{item.chance_touches:.3f}",
            )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"vcm_boundaries: error: {error}", style="red")
        raise SystemExit(2) from None
