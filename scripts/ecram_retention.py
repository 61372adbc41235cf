"""How long a state lasts: with the gate open, and shorted to the channel at 300 to 360 K, against what limits the loss.

Shorted, the rate of the late exponential decay and the time to the half of the way are measured in a stack and compared
with theory (ionsim/analysis/ecram_retention.py). Three variants of the device, each with another limit: that of the
file (insertion at the channel), fast reactions and a thick channel (diffusion), fast reactions and a dry glass
(electrolyte).

python scripts/ecram_retention.py --out ecram_retention.csv
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import constants

from ionsim.analysis.ecram_gate import hold, pulse, started
from ionsim.analysis.ecram_retention import activation_eV, decay_rate, expected, expected_half_s, half_time
from ionsim.config import load
from ionsim.config.ecram import EcramDevice
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, GREEN, VERMILLION, new_figure, save, styled

console = Console()
Floats = NDArray[np.float64]

_FAST = ("interfaces.channel.exchange_A_per_m2=1e5", "interfaces.gate.exchange_A_per_m2=1e5")
#: Changes that make a step the slowest, and the key of its barrier.
LIMITS = {
    "channel": ((), "interfaces.channel.activation_eV"),
    "diffusion": ((*_FAST, "geometry.channel_nm=200"), "channel.activation_eV"),
    "electrolyte": ((*_FAST, "electrolyte.conductivity_S_per_m=1e-7"), "electrolyte.activation_eV"),
}

#: Times at which an open gate is looked at, s.
_LOOKS_S = (1e-3, 1.0, 1e3, 1e5)


def device_at(name: str, changes: list[str], kelvin: float) -> EcramDevice:
    """The device at a temperature."""
    base = load(name, [*changes, f"ambient_K={kelvin:g}"])
    if not isinstance(base, EcramDevice):
        raise DeviceFileError(f"family: {base.family!r}; this needs a device of the family 'ecram'")
    return base


def open_gate(base: EcramDevice, amplitude_V: float, width_s: float) -> tuple[float, list[float]]:
    """Conductance in S after a pulse and 1 ms at the voltage before it, and at ``_LOOKS_S`` with the gate open."""
    cell = started(base)
    pulse(cell, amplitude_V, width_s)
    begin_S, begin_s, found = cell.read().conductance_S, cell.time_s, []
    for look_s in _LOOKS_S:
        hold(cell, look_s - (cell.time_s - begin_s), None)
        found.append(cell.read().conductance_S)
    return begin_S, found


def open_table(name: str, changes: list[str], kelvins: Floats, amplitude_V: float, width_s: float) -> Table:
    """Drift with the gate open at each temperature."""
    looks = [f"after {look_s:g} s" for look_s in _LOOKS_S]
    title = f"open gate after {amplitude_V:g} V for {1e9 * width_s:g} ns: change of the conductance"
    table = Table("K", "at first (nS)", *looks, title=title)
    for kelvin in kelvins:
        begin_S, later = open_gate(device_at(name, changes, kelvin), amplitude_V, width_s)
        table.add_row(f"{kelvin:g}", f"{1e9 * begin_S:.3f}", *(f"{value / begin_S - 1.0:+.1e}" for value in later))
    return table


def shorted(name: str, changes: list[str], kelvins: Floats) -> dict[str, Floats]:
    """By temperature (n,): ``rate_per_s`` and ``half_s`` measured, ``expected_per_s``, ``expected_half_s`` (channel's
    limit), ``mobility`` = rate kT/|dU/dx|, which is without the change of the drive with temperature, ``x``."""
    rows = []
    for kelvin in kelvins:
        base = device_at(name, changes, kelvin)
        theory = expected(base)
        rate = decay_rate(base)
        drive = theory.slope_V / (constants.k * kelvin / constants.e)
        rows.append((kelvin, theory.x, rate, theory.rate_per_s, rate / drive, half_time(base), expected_half_s(base)))
    names = ("kelvin", "x", "rate_per_s", "expected_per_s", "mobility", "half_s", "expected_half_s")
    return dict(zip(names, np.array(rows).T, strict=True))


def shorted_table(limit: str, found: dict[str, Floats]) -> Table:
    """One row a temperature."""
    table = Table("K", "x at balance", "rate (1/s)", "expected", "off", "half after (s)", "0D expects (s)",
                  title=f"shorted gate, limited by: {limit}")  # fmt: skip
    for k, kelvin in enumerate(found["kelvin"]):
        rate, theory = found["rate_per_s"][k], found["expected_per_s"][k]
        off = f"{rate / theory - 1:+.1e}"
        zero = f"{found['expected_half_s'][k]:.4g}" if limit == "channel" else ""
        table.add_row(f"{kelvin:g}", f"{found['x'][k]:.4f}", f"{rate:.4e}", f"{theory:.4e}", off,
                      f"{found['half_s'][k]:.4g}", zero)  # fmt: skip
    return table


def barrier_row(limit: str, found: dict[str, Floats], barrier_eV: float) -> list[str]:
    """Activation energies in eV: barrier, of rate kT/|dU/dx|, of the rate itself, as expected, of the time to half."""
    kelvins = found["kelvin"]
    bare = activation_eV(kelvins, found["mobility"])
    half = activation_eV(kelvins, 1.0 / found["half_s"])
    zero = f"{activation_eV(kelvins, 1.0 / found['expected_half_s']):.4f}" if limit == "channel" else ""
    return [limit, f"{barrier_eV:g}", f"{bare:.4f} ({100 * (bare / barrier_eV - 1):+.2f} %)",
            f"{activation_eV(kelvins, found['rate_per_s']):.4f}",
            f"{activation_eV(kelvins, found['expected_per_s']):.4f}", f"{half:.4f}", zero]  # fmt: skip


def picture(results: dict[str, dict[str, Floats]]) -> Figure:
    """Rates and times to half against 1000/T."""
    with styled():
        figure = new_figure(7.4, 3.2)
        rates, halves = figure.subplots(1, 2)
        for (limit, found), colour in zip(results.items(), (VERMILLION, BLUE, GREEN), strict=False):
            inverse = 1e3 / found["kelvin"]
            rates.semilogy(inverse, found["rate_per_s"], "o", ms=4, color=colour, label=limit)
            rates.semilogy(inverse, found["expected_per_s"], "-", color=colour)
            halves.semilogy(inverse, found["half_s"], "o-" if limit != "channel" else "o", ms=4, color=colour)
            if limit == "channel":
                halves.semilogy(inverse, found["expected_half_s"], "-", color=colour)
        rates.set(xlabel="1000 K / T", ylabel="rate of the late decay (1/s)", title="lines: theory")
        rates.legend(title="limited by", fontsize=7)
        halves.set(xlabel="1000 K / T", ylabel="time to the half (s)", title="shorted gate")
    return figure


def main(
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ecram_retention",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    initial: Annotated[float, typer.Option(help="Filled share of the channel at the start.")] = 0.05,
    kelvin: Annotated[list[float] | None, typer.Option(help="Temperature; repeatable.")] = None,
    amplitude_V: Annotated[float, typer.Option(help="Pulse before the gate is opened.")] = 9.0,
    width: Annotated[float, typer.Option(help="Its plateau in s.")] = 5e-9,
    out: Annotated[Path, typer.Option(help="CSV file; the picture has its name.")] = Path("ecram_retention.csv"),
) -> None:
    """Follow states with the gate open and shorted."""
    kelvins = np.array(kelvin or [300.0, 315.0, 330.0, 345.0, 360.0])
    common = [*(changes or ()), f"channel.initial={initial:g}"]
    console.print(open_table(device, common, kelvins, amplitude_V, width))
    table = Table("limit", "barrier (eV)", "of rate kT/|dU/dx|", "of the rate", "expected", "of 1 / time to half",
                  "0D expects", title="activation energies (eV)")  # fmt: skip
    results = {}
    for limit, (more, key) in LIMITS.items():
        results[limit] = found = shorted(device, [*common, *more], kelvins)
        console.print(shorted_table(limit, found))
        table.add_row(*barrier_row(limit, found, device_at(device, [*common, *more], 300.0).number(key)))
    console.print(table)
    rows = np.column_stack([column for found in results.values() for column in found.values()])
    header = ",".join(f"{limit}_{name}" for limit, found in results.items() for name in found)
    np.savetxt(out, rows, delimiter=",", comments="", header=header)
    console.print(f"wrote {out} and {save(picture(results), out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecram_retention: error: {error}", style="red")
        raise SystemExit(2) from None
