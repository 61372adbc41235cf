"""What the setting of the field refresh does to a run: a table and a picture, over settings and seeds.

python scripts/refresh_error.py --setting 1 --setting 2 --setting 4 --seeds 3
python scripts/refresh_error.py --forming --out docs/pictures/refresh_error.png      # the forming stage alone
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from mpi4py import MPI
from rich.console import Console
from rich.table import Table

from ionsim import Simulation, load
from ionsim.analysis import summarise
from ionsim.config import Device
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots import save
from ionsim.plots.style import BLUE, VERMILLION, new_figure, styled

KEY = "numerics.potential_error_kT"
#: Key of the summary -> its name on an axis.
QUANTITIES = {
    "V_form_V": "forming voltage (V)",
    "V_set_V": "SET voltage (V)",
    "T_peak_K": "peak temperature (K)",
    "n_field_refreshes": "field refreshes",
    "potential_error_rms_kT": "measured rms error (kT/q)",
    "potential_error_median_kT": "measured median error (kT/q)",
}
console = Console()


def main(
    setting: Annotated[list[float] | None, typer.Option(help="kT/q; repeatable, 1 to 8 by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 2,
    forming: Annotated[bool, typer.Option("--forming", help="Run the first stage of the sweep alone.")] = False,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "hfo2_ti_bipolar",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    out: Annotated[Path, typer.Option(help="The picture.")] = Path("refresh_error.png"),
) -> None:
    """Run the device for every setting and seed, one after the other."""
    base, settings = load(device, changes or ()), sorted(setting or (1.0, 2.0, 4.0, 8.0))
    if forming:
        base = _first_stage(base)
    results = {value: [_run(base.replace({KEY: value}), seed) for seed in range(1, seeds + 1)] for value in settings}
    table = Table("setting, kT/q", *QUANTITIES, title=f"means over {seeds} seeds")
    for value, runs in results.items():
        table.add_row(f"{value:g}", *(f"{np.mean(_found(runs, key)):.4g}" for key in QUANTITIES))
    console.print(table)
    _draw(results, out)
    console.print(f"wrote {out}")


def _first_stage(device: Device) -> Device:
    data = device.model_dump(mode="json", exclude_none=True)
    if data["drive"]["kind"] != "sweep":
        raise DeviceFileError(f"drive.kind = {data['drive']['kind']!r}: --forming needs a sweep")
    return device.replace({"drive.stages": data["drive"]["stages"][:1]})


def _run(device: Device, seed: int) -> dict[str, Any]:
    simulation = Simulation(device, seed=seed, comm=MPI.COMM_SELF)
    for _ in simulation:
        pass
    series = simulation.recorder.series()
    summary = {**summarise(device, series, simulation.drive.stages), **simulation.family.summary()}
    shown = ", ".join(f"{key} {summary[key]:.4g}" for key in QUANTITIES if summary[key] is not None)
    console.print(f"  setting {device.numerics.potential_error_kT:g}, seed {seed}: {shown}", style="dim")
    return summary


def _found(runs: list[dict[str, Any]], key: str) -> list[float]:
    """What occurred; nan alone where nothing did."""
    return [run[key] for run in runs if run[key] is not None] or [float("nan")]


def _draw(results: dict[float, list[dict[str, Any]]], out: Path) -> None:
    settings = list(results)
    shown = {
        key: name for key, name in QUANTITIES.items() if not all(np.isnan(_found(r, key)[0]) for r in results.values())
    }
    with styled():
        figure = new_figure(7.2, 4.4)
        panels = figure.subplots(2, 3).flat
        for axes in panels[len(shown) :]:
            axes.remove()
        for axes, (key, name) in zip(panels, shown.items(), strict=False):
            for value, runs in results.items():
                found = _found(runs, key)
                axes.plot([value] * len(found), found, "o", color=BLUE, markersize=3.0, alpha=0.7)
            axes.plot(settings, [np.mean(_found(runs, key)) for runs in results.values()], color=BLUE)
            axes.set(xscale="log", xlabel="setting (kT/q)", ylabel=name, xticks=settings)
            axes.set_xticklabels([f"{value:g}" for value in settings])
            axes.minorticks_off()
            if key.startswith("potential_error"):
                axes.plot(settings, settings, "--", color=VERMILLION, label="the setting")
                axes.legend()
    save(figure, out)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"refresh_error: error: {error}", style="red")
        raise SystemExit(2) from None
