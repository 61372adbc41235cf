"""Twenty identical pulses after a RESET, over many seeds: how the conductance of a mushroom cell accumulates.

python scripts/pcm_accumulation.py --seeds 30 --workers 2
"""

import functools
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import kmc
from ionsim.analysis.pcm_pulses import COARSE, Shape, pulse, resistance_ohm, started
from ionsim.config import PcmDevice, load
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, MUTED, new_figure, save, styled

console = Console()

#: Columns of the table of one seed, a row for each pulse; row 0 is the RESET.
_COLUMNS = ("conductance_S", "left_nm3", "material_K", "current_A", "nuclei", "energy_J")


def train(
    name: str, changes: tuple[str, ...], reset_V: float, shape: Shape, count: int, seed: int
) -> list[list[float]]:
    """One cell: RESET from the crystalline state, then ``count`` pulses; rows (count + 1) of ``_COLUMNS``."""
    device = load(name, changes)
    if not isinstance(device, PcmDevice):
        raise DeviceFileError(f"family: {device.family!r}; accumulation needs a device of the family 'pcm'")
    cell, rows = started(device, seed), []
    resistance_ohm(cell)
    for number in range(count + 1):
        seen = pulse(cell, shape if number else Shape(reset_V))
        rows.append(
            [
                1.0 / seen.resistance_ohm,
                seen.left_nm3,
                seen.material_K,
                seen.current_A,
                float(len(cell.nuclei)),
                seen.energy_J,
            ]
        )
    return rows


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 30,
    pulses: Annotated[int, typer.Option(min=1, help="Pulses after the RESET.")] = 20,
    amplitude_V: Annotated[float, typer.Option("--amplitude", help="Of the pulses, V.")] = 1.3,
    reset_V: Annotated[float, typer.Option("--reset", help="Amplitude of the RESET, V.")] = 5.5,
    series_ohm: Annotated[float, typer.Option("--series", min=0.0, help="Resistor in series, Ohm.")] = 5000.0,
    name: Annotated[str, typer.Option("--device", help="A device file or an example's name.")] = "gst_mushroom",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    fine: Annotated[bool, typer.Option(help="The mesh of the device file, not the coarse one.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core by default.")] = None,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path(
        "pcm_accumulation.csv"
    ),
) -> None:
    """Run all seeds and print mean and spread by the number of the pulse."""
    begun = time.monotonic()
    every = (*(() if fine else COARSE), f"drive.series_resistance_ohm={series_ohm}", *(changes or ()))
    run = functools.partial(train, name, every, reset_V, Shape(amplitude_V, rest_s=50e-9), pulses)
    numbers = range(1, seeds + 1)
    found = np.array(kmc.ensemble(run, numbers, workers=workers, on_done=_report))  # (seeds, pulses + 1, columns)
    siemens = found[:, :, 0]
    table = Table(
        "pulse",
        "G: mean (uS)",
        "spread (uS)",
        "least",
        "median",
        "most",
        "glass (nm3)",
        "material (K)",
        "nuclei a cell",
    )
    for number in range(pulses + 1):
        micro = 1e6 * siemens[:, number]
        spread = np.std(micro, ddof=1) if seeds > 1 else np.nan
        glass, kelvin, nuclei = (found[:, number, k].mean() for k in (1, 2, 4))
        table.add_row(
            str(number),
            f"{micro.mean():.2f}",
            f"{spread:.2f}",
            f"{micro.min():.2f}",
            f"{np.median(micro):.2f}",
            f"{micro.max():.2f}",
            f"{glass:.0f}",
            f"{kelvin:.0f}",
            f"{nuclei:.2f}",
        )
    console.print(table)
    rising = (np.diff(siemens[:, 1:], axis=1) > 0.0).mean() if pulses > 1 else np.nan
    console.print(
        f"{rising:.0%} of the pulses after the first raise the conductance; {1e6 * found[:, 1:, 3].mean():.0f} uA, "
        f"{1e12 * found[:, 1:, 5].mean():.2f} pJ on average; {time.monotonic() - begun:.0f} s for {seeds} cells"
    )
    rows = [[seed, number, *found[index, number]] for index, seed in enumerate(numbers) for number in range(pulses + 1)]
    np.savetxt(out, rows, delimiter=",", comments="", fmt="%.6g", header=",".join(("seed", "pulse", *_COLUMNS)))
    console.print(f"wrote {out} and {picture(siemens, amplitude_V, out.with_suffix('.png'))}")


def picture(siemens: NDArray[np.float64], amplitude_V: float, path: Path) -> Path:
    """Conductance (seeds, pulses + 1) against the number of the pulse, with mean and spread."""
    with styled():
        figure = new_figure(4.2, 3.0)
        axes = figure.add_subplot()
        steps, cells = np.arange(siemens.shape[1]), len(siemens)
        axes.plot(steps, 1e6 * siemens.T, "-", color=MUTED, lw=0.5, alpha=0.6)
        error = 1e6 * siemens.std(axis=0, ddof=1) if cells > 1 else np.zeros(len(steps))
        axes.errorbar(steps, 1e6 * siemens.mean(axis=0), error, fmt="o-", ms=3, color=BLUE, capsize=2)
        axes.set(
            xlabel="pulse", ylabel="conductance (uS)", title=f"{cells} cells, pulses of {amplitude_V:g} V and 50 ns"
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return save(figure, path)


def _report(seed: int, rows: list[list[float]]) -> None:
    console.print(
        f"  seed {seed}: {1e6 * rows[0][0]:.3g} -> {1e6 * rows[-1][0]:.3g} uS, {rows[-1][4]:g} nuclei", style="dim"
    )


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"pcm_accumulation: error: {error}", style="red")
        raise SystemExit(2) from None
