"""Resistance drift after a RESET: read at times evenly spaced in their logarithm, with the exponent of R ~ t^nu.

A mushroom cell is melted and quenched by one pulse, then read at 0.1 V from 1 us to 10^4 s after it. Each read is a
solution of potential and heat. Between reads the phase goes on and the glass ages.

python scripts/pcm_drift.py --ambient 300 --ambient 350
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ionsim.config import load
from ionsim.config.pcm import PcmDevice
from ionsim.devices.pcm import Pcm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()
Array = NDArray[np.float64]
_READ_V = 0.1


def reset(cell: Pcm, amplitude_V: float, series_ohm: float, width_s: float = 40e-9, edge_s: float = 5e-9) -> None:
    """One RESET pulse."""
    circuit = Circuit(series_ohm, None)
    for length_s, end_V in ((edge_s, amplitude_V), (width_s, amplitude_V), (edge_s, 0.0)):
        cell.advance(cell.time_s + length_s, end_V, circuit)


def reads(cell: Pcm, times_s: Array) -> tuple[Array, Array]:
    """Resistances (n,) in Ohm at times (n,) after now, at 0.1 V all the while, and the steps each took."""
    start_s, values, steps = cell.time_s, [], []
    cell.advance(start_s + 1e-9, _READ_V, Circuit(0.0, None))
    for time_s in times_s:
        begun = cell.n_steps
        cell.advance(start_s + time_s, _READ_V, Circuit(0.0, None))
        values.append(1.0 / cell.conductance_S)
        steps.append(cell.n_steps - begun)
    return np.array(values), np.array(steps)


def exponent(times_s: Array, ohm: Array) -> tuple[float, float]:
    """nu of R ~ t^nu by least squares, and the largest deviation of ln R from that line."""
    slope, start = np.polyfit(np.log(times_s), np.log(ohm), 1)
    return float(slope), float(np.abs(np.log(ohm) - slope * np.log(times_s) - start).max())


def main(
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "gst_mushroom",
    ambient: Annotated[list[float] | None, typer.Option(help="Ambient temperature, K; repeatable.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    amplitude_V: Annotated[float, typer.Option(help="Voltage of the RESET pulse of 50 ns.")] = 1.9,
    last_s: Annotated[float, typer.Option(min=1e-5, help="Time of the last read after the pulse.")] = 1e4,
    per_decade: Annotated[int, typer.Option(min=1, help="Reads a decade.")] = 3,
    out: Annotated[Path, typer.Option(help="CSV file; the picture has its name.")] = Path("pcm_drift.csv"),
) -> None:
    """Follow the resistance at each ambient temperature."""
    decades = np.log10(last_s / 1e-6)
    times_s = np.logspace(-6.0, np.log10(last_s), round(decades * per_decade) + 1)
    kelvins = ambient or [300.0, 350.0]
    table = Table("ambient (K)", "R at 1 us (MOhm)", "R at the end (MOhm)", "nu", "off the line", "crystal grown",
                  "steps", "s", title=f"{device}: 1 us to {last_s:g} s")  # fmt: skip
    columns = []
    for kelvin in kelvins:
        begun = time.monotonic()
        base = load(device, [*(changes or ()), f"ambient_K={kelvin:g}"])
        if not isinstance(base, PcmDevice):
            raise DeviceFileError(f"family: {base.family!r}; drift needs a device of the family 'pcm'")
        cell = Pcm(base, np.random.SeedSequence(1))
        cell.initialise()
        reset(cell, amplitude_V, base.drive.series_resistance_ohm)
        share = cell.crystalline_share
        ohm, steps = reads(cell, times_s)
        nu, off = exponent(times_s, ohm)
        table.add_row(f"{kelvin:g}", f"{1e-6 * ohm[0]:.3g}", f"{1e-6 * ohm[-1]:.3g}", f"{nu:.4f}", f"{100 * off:.1f} %",
                      f"{cell.crystalline_share - share:.1e}", str(steps.sum()),
                      f"{time.monotonic() - begun:.0f}")  # fmt: skip
        columns.append(ohm)
    console.print(table)
    np.savetxt(out, np.column_stack([times_s, *columns]), delimiter=",", comments="",
               header=",".join(["time_s", *(f"ohm_at_{kelvin:g}_K" for kelvin in kelvins)]))  # fmt: skip
    with styled():
        figure = new_figure(4.0, 3.2)
        axes = figure.add_subplot()
        for kelvin, ohm in zip(kelvins, columns, strict=True):
            axes.loglog(times_s, 1e-6 * ohm, "o-", markersize=3, label=f"{kelvin:g} K")
        axes.set(xlabel="time after the RESET pulse (s)", ylabel="resistance (MOhm)", title=device)
        axes.legend(frameon=False)
        console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"pcm_drift: error: {error}", style="red")
        raise SystemExit(2) from None
