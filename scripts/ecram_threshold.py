"""What one gate pulse does for a moment and what it leaves, against its amplitude; the least that leaves something.

A device at rest at its open-circuit voltage gets one pulse and is then held at that voltage again. The volatile part
is gone after the rest, the lasting part stays. The threshold is the amplitude whose lasting part a read can tell: three
standard deviations of its thermal noise; beside it that at which the lasting part is 1 % of the volatile one.

python scripts/ecram_threshold.py --out ecram_threshold.csv
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import constants

from ionsim.analysis.ecram_gate import Update, least_amplitude_V, pulse, started
from ionsim.analysis.ecram_pulses import noise_S
from ionsim.config import load
from ionsim.config.ecram import EcramDevice
from ionsim.devices.ecram_channel import Reading
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, MUTED, VERMILLION, new_figure, save, styled

console = Console()

#: Deviations of a read's noise that tell two states apart, and share of the volatile part: the two thresholds.
_APART, _SHARE = 3.0, 0.01

#: Filled share of the sites at the channel's surface at which a sweep ends: where all are full steps become tiny.
_FULL = 0.6

Sweep = list[Update]
Sweeps = dict[tuple[float, int], Sweep]  # by width in s and sign
Measure = Callable[[Update], float]
Thresholds = dict[tuple[float, int], tuple[float, float, Update]]


def sweep(device: EcramDevice, width_s: float, amplitudes_V: NDArray[np.float64]) -> Sweep:
    """A pulse from rest for each amplitude, up to that which fills the surface."""
    found: Sweep = []
    for amplitude_V in amplitudes_V:
        if found and found[-1].x_surface > _FULL:
            break
        found.append(pulse(started(device), float(amplitude_V), width_s))
    return found


def first_above(device: EcramDevice, width_s: float, updates: Sweep, measure: Measure) -> tuple[float, Update] | None:
    """Amplitude and pulse where ``measure`` is 1, between two of a sweep; None if the sweep does not reach it."""
    values = [measure(one) for one in updates]
    at = next((k for k in range(1, len(values)) if values[k - 1] < 1.0 <= values[k]), None)
    if at is None:
        return None
    return least_amplitude_V(device, width_s, measure, (updates[at - 1].amplitude_V, updates[at].amplitude_V))


def thresholds(device: EcramDevice, sweeps: Sweeps, limit_S: float) -> Thresholds:
    """By width and sign: amplitudes at which the lasting part is ``limit_S`` and 1 % of the volatile one, and the pulse
    of the first. Those beyond the sweep are left out."""
    found = {}
    for (width_s, sign), updates in sweeps.items():
        seen = first_above(device, width_s, updates, lambda one: abs(one.lasting_S) / limit_S)
        part = first_above(device, width_s, updates, lambda one: abs(one.lasting_S / one.volatile_S) / _SHARE)
        if seen and part:
            found[width_s, sign] = (seen[0], part[0], seen[1])
    return found


def sweep_table(title: str, updates: Sweep, limit_S: float, rest: Reading) -> Table:
    """One row a pulse."""
    table = Table("V", "volatile (nS)", "of it field effect", "lasting (nS)", "over a read's 3 sigma", "protons",
                  "x at the surface", "fJ", title=title)  # fmt: skip
    before_S = rest.conductance_S - rest.state_S
    for one in updates:
        effect_S = one.field_effect_S - before_S
        table.add_row(
            f"{one.amplitude_V:g}", f"{1e9 * one.volatile_S:.3g}", f"{1e9 * effect_S:.3g}",
            f"{1e9 * one.lasting_S:.2e}", f"{abs(one.lasting_S) / limit_S:.2g}", f"{one.inserted_C / constants.e:.3g}",
            f"{one.x_surface:.3f}", f"{1e15 * one.energy_J:.3g}",
        )  # fmt: skip
    return table


def threshold_table(found: Thresholds, rest_C_per_m2: float, layer_F_per_m2: float) -> Table:
    """One row a width and sign. The layer's voltage is the charge at the channel's surface over its capacitance."""
    table = Table("width", "sign", "threshold (V)", "lasting 1 % of volatile (V)", "layer at the plateau's end (V)",
                  "volatile (nS)", "protons", title="thresholds")  # fmt: skip
    for (width_s, sign), (seen_V, share_V, one) in found.items():
        layer_V = (rest_C_per_m2 - one.sheet_C_per_m2) / layer_F_per_m2
        table.add_row(f"{1e9 * width_s:g} ns", "+" if sign > 0 else "-", f"{seen_V:.3f}", f"{share_V:.3f}",
                      f"{layer_V:.3f}", f"{1e9 * one.volatile_S:.3g}",
                      f"{one.inserted_C / constants.e:.0f}")  # fmt: skip
    return table


def picture(sweeps: Sweeps, found: Thresholds, shown_s: float, limit_S: float) -> Figure:
    """Both parts against the amplitude for one width, the threshold marked; thresholds against the width."""
    with styled():
        figure = new_figure(7.6, 3.2)
        parts, widths = figure.subplots(1, 2, width_ratios=(1.4, 1.0))
        for sign, mark in ((1, "o"), (-1, "v")):
            updates = sweeps[shown_s, sign]
            volts = [abs(one.amplitude_V) for one in updates]
            name = "insertion" if sign > 0 else "extraction"
            parts.semilogy(volts, [1e9 * abs(one.volatile_S) for one in updates], mark + "-", ms=3, color=BLUE,
                           mfc=BLUE if sign > 0 else "white", label=f"volatile, {name}")  # fmt: skip
            parts.semilogy(volts, [1e9 * abs(one.lasting_S) for one in updates], mark + "-", ms=3, color=VERMILLION,
                           mfc=VERMILLION if sign > 0 else "white", label=f"lasting, {name}")  # fmt: skip
            if (shown_s, sign) in found:
                parts.axvline(abs(found[shown_s, sign][0]), color=MUTED, lw=0.8, ls="-" if sign > 0 else ":")
        parts.axhline(1e9 * limit_S, color=MUTED, lw=0.8)
        parts.text(1.0, 0.35e9 * limit_S, "least that a read tells", color=MUTED, fontsize=7)
        parts.set(xlabel="amplitude (V)", ylabel="change of the conductance (nS)", ylim=(1e-8, None),
                  title=f"one pulse of {1e9 * shown_s:g} ns")  # fmt: skip
        parts.legend(fontsize=7, loc="upper left")
        for sign, mark, name in ((1, "o-", "insertion"), (-1, "v--", "extraction")):
            chosen = [(width_s, abs(seen[0])) for (width_s, s), seen in found.items() if s == sign]
            widths.semilogx(*zip(*chosen, strict=True), mark, ms=4, color=VERMILLION, label=name)
        widths.set(xlabel="width (s)", ylabel="threshold (V)", ylim=(0.0, None))
        widths.legend(fontsize=7)
    return figure


def main(
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ecram_retention",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    initial: Annotated[float, typer.Option(help="Filled share of the channel.")] = 0.15,
    width: Annotated[list[float] | None, typer.Option(help="Plateau in s; repeatable.")] = None,
    shown: Annotated[float, typer.Option(help="Plateau in s of the pulses in the picture.")] = 5e-9,
    step_V: Annotated[float, typer.Option(min=0.01, help="Between amplitudes.")] = 1.0,
    most_V: Annotated[float, typer.Option(help="Largest amplitude.")] = 11.0,
    out: Annotated[Path, typer.Option(help="CSV file; the picture has its name.")] = Path("ecram_threshold.csv"),
) -> None:
    """Print both parts against the amplitude for each width, then the thresholds against the width."""
    base = load(device, [*(changes or ()), f"channel.initial={initial:g}"])
    if not isinstance(base, EcramDevice):
        raise DeviceFileError(f"family: {base.family!r}; this needs a device of the family 'ecram'")
    cell = started(base)
    rest = cell.read()
    limit_S = float(_APART * noise_S(base, np.array(rest.conductance_S)))
    console.print(f"at rest {cell.device_V:.4f} V, {1e9 * rest.conductance_S:.2f} nS; 3 sigma {1e9 * limit_S:.4f} nS")
    amplitudes_V = np.arange(1.0, most_V + 1e-9, step_V)
    widths_s = width or [1e-9, 5e-9, 50e-9, 1e-6]
    sweeps: Sweeps = {}
    for width_s in widths_s:
        for sign in (1, -1):
            sweeps[width_s, sign] = sweep(base, width_s, sign * amplitudes_V)
            console.print(sweep_table(f"{1e9 * width_s:g} ns", sweeps[width_s, sign], limit_S, rest))
    found = thresholds(base, sweeps, limit_S)
    layer_F_per_m2 = base.number("interfaces.channel.capacitance_F_per_m2")
    console.print(threshold_table(found, rest.sheet_C_per_m2, layer_F_per_m2))
    rows = [
        (width_s, one.amplitude_V, one.volatile_S, one.field_effect_S, one.lasting_S, one.inserted_C, one.energy_J,
         one.sheet_C_per_m2, one.x_surface)
        for (width_s, _), updates in sweeps.items() for one in updates
    ]  # fmt: skip
    np.savetxt(out, np.array(rows), delimiter=",", comments="",
               header="width_s,amplitude_V,volatile_S,field_effect_S,lasting_S,inserted_C,energy_J,sheet_C_per_m2,"
                      "x_surface")  # fmt: skip
    figure = picture(sweeps, found, shown if shown in widths_s else widths_s[0], limit_S)
    console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecram_threshold: error: {error}", style="red")
        raise SystemExit(2) from None
