"""SET time of a metallisation cell against a constant voltage: a table on the screen, a CSV file and a picture.

python scripts/ecm_kinetics.py --voltage 2.0 --voltage 1.6 --voltage 1.4 --seeds 3
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import kmc
from ionsim.config import EcmDevice, load
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

#: A cell has set when this current flows, A, or what the compliance lets through: a gap of a plane or two is left then.
_SET_A = 1e-6

#: The clock is looked at after intervals that grow by this factor, so a SET time is known within 5 %.
_GROWTH = 1.1


def set_time_s(device: EcmDevice, voltage_V: float, compliance_A: float, seed: int, longest_s: float) -> float:
    """Time in which the current at a constant voltage rises to 1 uA; nan where that takes longer than ``longest_s``."""
    cell = Ecm(device, np.random.SeedSequence(seed))
    cell.initialise()
    until_s = 1e-9
    while until_s < longest_s:
        cell.advance(until_s, voltage_V, Circuit(0.0, compliance_A))
        if cell.observe()["current_A"] >= min(_SET_A, compliance_A):
            return until_s / _GROWTH**0.5
        until_s *= _GROWTH
    return float("nan")


def slope_per_V(voltages_V: np.ndarray, times_s: np.ndarray) -> float:
    """d ln t/dV by least squares over the times that are known, 1/V."""
    known = np.isfinite(times_s)
    return float(np.polyfit(voltages_V[known], np.log(times_s[known]), 1)[0]) if known.sum() > 1 else float("nan")


def main(
    voltage: Annotated[list[float] | None, typer.Option(help="Applied voltage in V; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 2,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    compliance_A: Annotated[float, typer.Option(min=0.0, help="Current limit, A.")] = 1e-6,
    longest_s: Annotated[float, typer.Option(min=0.0, help="Give up after this simulated time, s.")] = 1.0,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path("ecm_kinetics.csv"),
) -> None:
    """Measure the SET times one after the other."""
    base = load(device, changes or ())
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(
            f"family: {base.family!r}; SET times of metal filaments need a device of the family 'ecm'"
        )
    voltages_V = np.sort(voltage or [2.0, 1.8, 1.6, 1.4])
    kt_eV = kmc.KB_EV * base.ambient_K
    times_s = np.empty((len(voltages_V), seeds))
    for row in range(len(voltages_V) - 1, -1, -1):  # the quick ones first
        for column in range(seeds):
            times_s[row, column] = set_time_s(base, float(voltages_V[row]), compliance_A, column + 1, longest_s)
            console.print(f"  {voltages_V[row]:g} V, seed {column + 1}: {times_s[row, column]:.3g} s", style="dim")
    middle_s = np.exp(np.nanmean(np.log(times_s), axis=1))
    table = Table(
        "V", "SET time, geometric mean (s)", "least (s)", "most (s)", "d ln t/dV to the next (1/V)", "times kT/e"
    )
    for row, value_V in enumerate(voltages_V):
        slope = slope_per_V(voltages_V[row : row + 2], middle_s[row : row + 2])
        table.add_row(f"{value_V:g}", f"{middle_s[row]:.3g}", f"{np.nanmin(times_s[row]):.3g}",
                      f"{np.nanmax(times_s[row]):.3g}", f"{slope:.2f}", f"{slope * kt_eV:.3f}")  # fmt: skip
    console.print(table)
    np.savetxt(out, np.column_stack([voltages_V, times_s]), delimiter=",", comments="",
               header=",".join(["voltage_V", *(f"seed_{k + 1}_s" for k in range(seeds))]))  # fmt: skip
    with styled():
        figure = new_figure(4.0, 3.2)
        axes = figure.add_subplot()
        axes.semilogy(voltages_V, times_s, "o", color="tab:blue", alpha=0.5)
        axes.semilogy(voltages_V, middle_s, "-", color="tab:blue")
        axes.set(xlabel="applied voltage (V)", ylabel="SET time (s)", title=base.name)
        console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_kinetics: error: {error}", style="red")
        raise SystemExit(2) from None
