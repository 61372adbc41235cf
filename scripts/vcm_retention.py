"""How long a low-resistance state lasts without a voltage, in the lattice and in the continuum.

Three bakes at each temperature: lattices that were formed (a seed each), the continuum with the lattices' numbers from
their mean vacancies, and the continuum of Kim, Choi and Lu whose reservoir attracts vacancies, after its SET. Times
until a fifth and a half of the conductance are lost, and the activation energy where they are
(ionsim/analysis/vcm_retention.py).

python scripts/vcm_retention.py --out vcm_retention
python scripts/vcm_retention.py --out returning --set exchange.energy_eV=0.8 --hops-per-exchange 1e4

The second has a cap that takes the vacancies' places back (changes hold during the bakes only; lattices are
formed as the file says), and slows hops down to 1e4 times the exchange, which limits the loss.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ionsim.analysis.vcm_compare import checked
from ionsim.analysis.vcm_mapping import conductivity_table, matched
from ionsim.analysis.vcm_retention import (
    LOSSES,
    Activation,
    Bake,
    activation,
    amounts_after,
    amounts_of,
    bake_continuum,
    bake_lattice,
    formed_state,
    median_interval,
)
from ionsim.config import VcmDevice, load
from ionsim.config.waveforms import Sweep
from ionsim.errors import DeviceFileError, ResultsError, expected_errors
from ionsim.materials.constants import K_EV_PER_K
from ionsim.plots.comparison import retention_figure
from ionsim.plots.style import save
from ionsim.results import Run
from ionsim.simulation import ensemble

console = Console()
Bakes = list[tuple[int, Bake]]

#: Temperatures of the bakes in K: those that are asked for, and hotter ones at which something happens.
KELVINS = (300.0, 360.0, 400.0, 500.0, 600.0, 700.0, 750.0, 800.0, 850.0, 900.0)

#: A fit of its own up to here: what a device is asked for.
_COOL_K = 400.0

#: First and last read in s, some decades more than any device is asked for.
_FIRST_S, _LAST_S = 1e-9, 1e12

#: What makes the continuum of Kim, Choi and Lu lose its state (docs/vcm-continuum.md).
_SINK = "continuum.reservoir_energy_eV=-0.3"


def bake_all(
    formed: VcmDevice,
    device: VcmDevice,
    seeds: list[int],
    kelvins: list[float],
    wall_s: float,
    hops: float | None,
    folder: Path,
) -> Iterator[tuple[str, int, Bake]]:
    """Form lattices of the device ``formed``, and make all bakes of ``device``: name, seed, bake."""
    assert isinstance(formed.drive, Sweep)
    short = formed.replace({"drive.stages": [formed.drive.stages[0].model_dump()]})
    ensemble(short, seeds, folder / "formed", workers=1)
    states = {seed: formed_state(Run.open(folder / "formed" / f"seed_{seed}")) for seed in seeds}
    own = load("hfo2_continuum", [_SINK])
    if not isinstance(own, VcmDevice):
        raise DeviceFileError("hfo2_continuum: is no device of the family 'vcm'")
    held = float(np.mean([state.held for state in states.values()]))
    twin = matched(device, conductivity_table(device), held=held, size_nm=0.12)
    twin = twin.replace({"continuum.cap_max_rate_Hz": None})  # as the bakes of the lattice, which slow down no exchange
    assert isinstance(twin, VcmDevice)
    starts = {"continuum": (twin, amounts_of(twin, device, list(states.values()))),
              "Kim, Choi and Lu": (own, amounts_after(own, 1))}  # fmt: skip
    barrier_eV = 0.0 if device.exchange is None else device.exchange.barrier_eV
    for kelvin in sorted(kelvins, reverse=True):
        first_s, last_s = _FIRST_S, _LAST_S
        if hops is not None:  # the exchange sets the scale of time
            unit_s = float(np.exp(barrier_eV / (K_EV_PER_K * kelvin))) / device.vacancy.attempt_Hz
            first_s, last_s = 1e-6 * unit_s, 1e4 * unit_s
        for name, (continuum, amounts) in starts.items():
            if hops is None or name == "continuum":
                yield name, 0, bake_continuum(continuum, amounts, kelvin, until_s=last_s, first_s=first_s)
        for seed, state in states.items():
            yield "lattice", seed, bake_lattice(device, state, kelvin, seed, until_s=last_s, first_s=first_s,
                                                wall_s=wall_s, hops_per_exchange=hops)  # fmt: skip


def fitted(bakes: Bakes, loss: float, up_to_K: float = np.inf) -> Activation | None:
    """The activation over temperatures up to this at which all have failed; None where they are too few.

    Where some last longer than they were followed, the others alone would make the time too short.
    """
    lasting = {bake.kelvin for _, bake in bakes if not np.isfinite(bake.failure_s(loss))}
    chosen = [bake for _, bake in bakes if bake.kelvin <= up_to_K and bake.kelvin not in lasting]
    try:
        return activation([bake.kelvin for bake in chosen], [bake.failure_s(loss) for bake in chosen])
    except ResultsError:
        return None


def table_of(name: str, bakes: Bakes) -> Table:
    """One row a temperature: medians and the range over seeds; what was reached where nothing failed."""
    titles = [f"-{100 * loss:g} % after (s)" for loss in LOSSES]
    table = Table("K", *titles, "followed (s)", "least and last G/G0", "events or steps", title=name)
    for kelvin in sorted({bake.kelvin for _, bake in bakes}):
        here = [bake for _, bake in bakes if bake.kelvin == kelvin]
        cells = []
        for loss in LOSSES:
            middle, low, high = median_interval([bake.failure_s(loss) for bake in here])
            failed = sum(np.isfinite(bake.failure_s(loss)) for bake in here)
            span = f"{middle:.2g}" if len(here) == 1 else f"{middle:.2g} [{low:.2g}, {high:.2g}]"
            cells.append(f"none of {len(here)}" if not failed else f"{span}, {failed} of {len(here)}")
        reached = min(bake.reached_s for bake in here)
        least, last = min(bake.relative.min() for bake in here), np.median([bake.relative[-1] for bake in here])
        events = np.mean([bake.events[-1] for bake in here])
        table.add_row(f"{kelvin:g}", *cells, f"{reached:.2g}", f"{least:.2f}, {last:.2f}", f"{events:.2g}")
    return table


def fit_lines(name: str, bakes: Bakes) -> Iterator[str]:
    """Activation energies and what they would give at 300 K."""
    for loss, up_to_K in [(loss, up_to_K) for loss in LOSSES for up_to_K in (_COOL_K, np.inf)]:
        fit = fitted(bakes, loss, up_to_K)
        if fit is None:
            where = f" up to {up_to_K:g} K" if np.isfinite(up_to_K) else ""
            yield f"{name}: too few lost {100 * loss:g} %{where} for an activation energy"
            continue
        low, high = min(fit.kelvin), max(fit.kelvin)
        energy = f"{fit.energy_eV:.3f} +- {fit.half_eV:.3f} eV from {low:g} to {high:g} K"
        yield (f"{name}: {100 * loss:g} % lost, {energy}; "
               f"extrapolated to 300 K: {fit.time_s(300.0):.2g} s")  # fmt: skip


def series_of(bakes: Bakes, loss: float) -> dict[str, np.ndarray]:
    """What the picture needs of one model."""
    found = {
        "kelvin": np.array([bake.kelvin for _, bake in bakes]),
        "time_s": np.array([bake.failure_s(loss) for _, bake in bakes]),
        "reached_s": np.array([bake.reached_s for _, bake in bakes]),
    }
    fit = fitted(bakes, loss)
    if fit is not None:
        found["fit_K"] = np.array(fit.kelvin)
        found["fit_s"] = np.array([fit.time_s(kelvin) for kelvin in fit.kelvin])
    return found


def show(bakes: dict[str, Bakes], folder: Path) -> None:
    """Tables, activation energies and the pictures."""
    for name, one in bakes.items():
        console.print(table_of(name, one))
        for line in fit_lines(name, one):
            console.print(line)
    for loss in LOSSES:
        path = folder / f"retention_{100 * loss:g}.png"
        console.print(f"wrote {save(retention_figure({k: series_of(v, loss) for k, v in bakes.items()}, loss), path)}")


def main(
    device: Annotated[str, typer.Option(help="A lattice device file or an example's name.")] = "hfo2_ti_bipolar",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, for the bakes alone.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of lattices.")] = 3,
    kelvin: Annotated[list[float] | None, typer.Option(help="Temperature; repeatable.")] = None,
    hops_per_exchange: Annotated[
        float | None, typer.Option(help="Slow hops down to this multiple of the exchange; else not at all.")
    ] = None,
    wall: Annotated[float, typer.Option(help="Processor time in s after which the bake of a lattice ends.")] = 60.0,
    out: Annotated[Path, typer.Option(help="Folder for lattices, bakes.csv and pictures.")] = Path("vcm_retention"),
) -> None:
    """Bake the low-resistance state of both models."""
    formed, lattice = checked(load(device)), checked(load(device, changes or ()))
    bakes: dict[str, Bakes] = {"lattice": []}
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "bakes.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "kelvin", "seed", "time_s", "conductance_S", "events"])
        for name, seed, bake in bake_all(
            formed, lattice, list(range(1, seeds + 1)), kelvin or list(KELVINS), wall, hops_per_exchange, out
        ):
            bakes.setdefault(name, []).append((seed, bake))
            for row in zip(bake.time_s, bake.conductance_S, bake.events, strict=True):
                writer.writerow([name, f"{bake.kelvin:g}", seed, *(f"{value:.6g}" for value in row)])
            file.flush()
    show(bakes, out)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"vcm_retention: error: {error}", style="red")
        raise SystemExit(2) from None
