"""Updates and speed of an ECRAM device against the thickness of its layers, and devices from 150 x 50 to 30 x 30 nm^2.

The step asked for is 0.1 % of the range, the filled share from 0.025 to 0.25. Layers are scaled in a stack, devices in
the plane, flush (the electrolyte ends with gate and channel) and with an electrolyte that reaches over the contacts,
where the field of the gate's ends spreads. In the plane the gate's current makes a voltage in the channel on its way;
beside it stands the stack, without. A train goes up and down again.

python scripts/ecram_scaling.py --part electrolyte --part channel --part devices --out ecram_scaling
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import constants
from scipy.optimize import brentq

from ionsim.analysis.ecram_gate import Update, least_amplitude_V, pulse, started
from ionsim.analysis.ecram_pulses import asymmetry, linearity
from ionsim.config import load
from ionsim.config.ecram import EcramDevice
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, INK, VERMILLION, new_figure, save, styled

console = Console()
Floats = NDArray[np.float64]

#: Examples of a stack and of a plane with the same layers.
_STACK, _PLANE = "ecram_retention", "psg_wo3_pulse_train"

#: Length of the stack whose layers are changed.
_LONG = "geometry.channel_length_nm=150"

#: The step asked for, as a change of the filled share: a thousandth of the range.
_STEP = 1e-3 * (0.25 - 0.025)

#: Edges of a pulse over its plateau; rest after it, s.
_EDGE, _REST_S = 0.2, 1.0

#: Where widths are looked for, s: from the shortest up, by this ratio.
_SHORTEST_S, _LONGEST_S, _RATIO = 1e-10, 1e3, 3.0

SIZES_NM = ((150.0, 50.0), (100.0, 50.0), (50.0, 50.0), (30.0, 30.0))


def device(name: str, *changes: str) -> EcramDevice:
    """An example with changes."""
    base = load(name, list(changes))
    if not isinstance(base, EcramDevice):
        raise DeviceFileError(f"family: {base.family!r}; this needs a device of the family 'ecram'")
    return base


def wanted_C(base: EcramDevice) -> float:
    """Charge of the ions in the step asked for."""
    geometry = base.geometry
    volume_m3 = geometry.channel_length_nm * geometry.width_nm * geometry.channel_nm * 1e-27  # type: ignore[union-attr]
    return constants.e * base.number("channel.sites_per_m3") * volume_m3 * _STEP


def one_pulse(base: EcramDevice, amplitude_V: float, width_s: float = 5e-9) -> Update:
    """A pulse on a device at rest."""
    return pulse(started(base), amplitude_V, width_s, _EDGE * width_s, _REST_S)


def width_for_step(base: EcramDevice, amplitude_V: float) -> float | None:
    """Plateau in s of the pulse that makes the step asked for; None beyond ``_LONGEST_S``."""
    wanted = wanted_C(base)

    def excess(log_s: float) -> float:
        return float(np.log(max(abs(one_pulse(base, amplitude_V, float(np.exp(log_s))).inserted_C), 1e-30) / wanted))

    width_s = _SHORTEST_S
    while excess(np.log(width_s)) < 0.0:
        width_s *= _RATIO
        if width_s > _LONGEST_S:
            return None
    return float(np.exp(brentq(excess, np.log(width_s / _RATIO), np.log(width_s), xtol=1e-3)))


def amplitude_for_step(base: EcramDevice, span_V: tuple[float, float]) -> float:
    """Amplitude of the 5 ns pulse that makes the step asked for."""
    wanted = wanted_C(base)
    return least_amplitude_V(base, 5e-9, lambda one: abs(one.inserted_C) / wanted, span_V)[0]


def row(base: EcramDevice, amplitude_V: float) -> list[str]:
    """Update of one 5 ns pulse, its energy, and the width for the step asked for."""
    one = one_pulse(base, amplitude_V)
    width_s = width_for_step(base, amplitude_V)
    return [
        f"{amplitude_V:.3g}", f"{1e9 * one.before_S:.3g}", f"{1e9 * one.lasting_S:.3g}",
        f"{100 * one.lasting_S / one.before_S:.3g} %", f"{one.inserted_C / constants.e:.3g}",
        f"{1e15 * one.energy_J:.3g}", "-" if width_s is None else f"{1e9 * width_s:.3g} ns",
    ]  # fmt: skip


HEAD = ("V", "G (nS)", "change (nS)", "of G", "protons", "fJ", "width for 0.1 %")


def electrolytes(
    initial: float, thick_nm: Sequence[float], fixed_V: float, field_V_per_nm: float
) -> tuple[Table, Floats]:
    """Against the electrolyte's thickness, at one voltage and at one field; and the amplitude for the step (n, 2)."""
    table = Table("electrolyte (nm)", *HEAD, "5 ns: V for 0.1 %", title="thickness of the electrolyte")
    needed = []
    for thickness in thick_nm:
        base = device(_STACK, f"channel.initial={initial:g}", _LONG, f"geometry.electrolyte_nm={thickness:g}")
        volts = amplitude_for_step(base, (2.0, 2.0 + 1.0 * thickness))
        needed.append((thickness, volts))
        table.add_row(f"{thickness:g}", *row(base, fixed_V), f"{volts:.2f}")
        table.add_row("", *row(base, field_V_per_nm * thickness), "")
    return table, np.array(needed)


def channels(initial: float, thick_nm: Sequence[float], fixed_V: float) -> Table:
    """Against the channel's thickness."""
    table = Table("channel (nm)", *HEAD, "5 ns: V for 0.1 %", title="thickness of the channel")
    for thickness in thick_nm:
        base = device(_STACK, f"channel.initial={initial:g}", _LONG, f"geometry.channel_nm={thickness:g}")
        table.add_row(f"{thickness:g}", *row(base, fixed_V), f"{amplitude_for_step(base, (5.0, 11.0)):.2f}")
    return table


def train(base: EcramDevice, up_V: float, down_V: float, count: int) -> tuple[Floats, float, float]:
    """Conductances (2 count + 1,) of a train up and down, mean energy of a pulse in J, largest drop in the channel, V.
    """
    cell = started(base)
    rest_V = cell.device_V
    levels = [cell.read().conductance_S]
    for amplitude_V in (up_V,) * count + (down_V,) * count:
        pulse(cell, amplitude_V, 5e-9, 1e-9, _REST_S, rest_V)
        levels.append(cell.read().conductance_S)
    return np.array(levels), cell.energy_J / (2 * count), cell.largest_drop_V


def sized(length_nm: float, width_nm: float, initial: float, overlap_nm: float | None, *more: str) -> EcramDevice:
    """A device of that size: in the plane, or, without an overlap, as a stack."""
    keys = [f"channel.initial={initial:g}", f"geometry.channel_length_nm={length_nm:g}",
            f"geometry.width_nm={width_nm:g}", *more]  # fmt: skip
    if overlap_nm is None:
        return device(_STACK, *keys)
    return device(_PLANE, *keys, f"geometry.gate_length_nm={length_nm:g}", f"geometry.overlap_nm={overlap_nm:g}")


def devices(
    initial: float, up_V: float, down_V: float, count: int, overlap_nm: float
) -> tuple[Table, dict[tuple[float, float, str], Floats]]:
    """A pulse each way, and a train, on devices of all sizes; and the levels of the trains."""
    table = Table("L x W (nm)", "kind", "G (nS)", "up (nS)", "protons/nm2", "down (nS)", "protons/nm2", "fJ", "aJ/nm2",
                  "train G (nS)", "nonlin. up", "down", "asym.", "fJ a pulse", "drop (V)", "s",
                  title=f"one pulse of {up_V:g} V, of {down_V:g} V; {count} up and {count} down")  # fmt: skip
    levels = {}
    for length_nm, width_nm in SIZES_NM:
        area = length_nm * width_nm
        for kind, overlap in (("stack", None), ("flush", 0.0), (f"over {overlap_nm:g} nm", overlap_nm)):
            begun = time.monotonic()
            base = sized(length_nm, width_nm, initial, overlap)
            up, down = (one_pulse(base, amplitude_V) for amplitude_V in (up_V, down_V))
            whole, energy_J, drop_V = train(base, up_V, down_V, count)
            levels[length_nm, width_nm, kind] = whole
            there, back = whole[: count + 1], whole[count:]
            table.add_row(
                f"{length_nm:g} x {width_nm:g}", kind, f"{1e9 * up.before_S:.1f}", f"{1e9 * up.lasting_S:.4f}",
                f"{up.inserted_C / constants.e / area:.4f}", f"{1e9 * down.lasting_S:.4f}",
                f"{down.inserted_C / constants.e / area:.4f}", f"{1e15 * up.energy_J:.3f}",
                f"{1e18 * up.energy_J / area:.3f}", f"{1e9 * whole.min():.1f}-{1e9 * whole.max():.1f}",
                f"{linearity(there)[0]:+.3f}", f"{linearity(back)[0]:+.3f}", f"{asymmetry(there, back):.3f}",
                f"{1e15 * energy_J:.3f}", f"{drop_V:.3f}", f"{time.monotonic() - begun:.0f}",
            )  # fmt: skip
    return table, levels


def layer_picture(needed: Floats) -> Figure:
    """Amplitude for the step against the electrolyte's thickness, with the straight line."""
    slope, start = np.polyfit(*needed.T, 1)
    with styled():
        figure = new_figure(3.8, 3.0)
        axes = figure.add_subplot()
        axes.plot(*needed.T, "o", color=VERMILLION)
        reach = np.array([0.0, needed[-1, 0]])
        axes.plot(reach, start + slope * reach, color=INK, lw=0.8, label=f"{start:.2f} V + {slope:.2f} V/nm")
        axes.set(xlabel="electrolyte (nm)", ylabel="5 ns: amplitude for 0.1 % (V)", xlim=(0, None), ylim=(0, None))
        axes.legend()
    return figure


def device_picture(levels: dict[tuple[float, float, str], Floats]) -> Figure:
    """Trains over the conductance at the start, stack and both planes."""
    with styled():
        figure = new_figure(7.6, 2.9)
        panels = figure.subplots(1, 2, sharey=True)
        sizes = list(dict.fromkeys(key[:2] for key in levels))
        for axes, size in zip(panels, (sizes[0], sizes[-1]), strict=True):
            mine = {key[2]: value for key, value in levels.items() if key[:2] == size}
            for (kind, value), (colour, line) in zip(
                mine.items(), ((INK, "-"), (VERMILLION, "--"), (BLUE, "-")), strict=True
            ):
                axes.plot(value / value[0], line, color=colour, label=kind)
            axes.set(xlabel="pulse", title=f"{size[0]:g} x {size[1]:g} nm")
        panels[0].set_ylabel("conductance over that at the start")
        panels[0].legend()
    return figure


def main(
    part: Annotated[list[str] | None, typer.Option(help="electrolyte, channel or devices; repeatable.")] = None,
    initial: Annotated[float, typer.Option(help="Filled share of the channel at the start.")] = 0.15,
    fixed_V: Annotated[float, typer.Option(help="Amplitude at which the channel's thickness is changed.")] = 8.45,
    low_V: Annotated[float, typer.Option(help="That at which the electrolyte's is: a thin one breaks at more.")] = 5.0,
    down_V: Annotated[float, typer.Option(help="Amplitude that takes as much out.")] = -8.95,
    count: Annotated[int, typer.Option(min=4, help="Pulses each way of a train.")] = 60,
    overlap: Annotated[float, typer.Option(help="How far the electrolyte reaches over the contacts, nm.")] = 10.0,
    out: Annotated[Path, typer.Option(help="Beginning of the pictures' names.")] = Path("ecram_scaling"),
) -> None:
    """Print the tables of the parts asked for (all)."""
    parts = part or ["electrolyte", "channel", "devices"]
    if "electrolyte" in parts:
        table, needed = electrolytes(initial, (5.0, 10.0, 20.0, 40.0), low_V, 0.1 * fixed_V)
        console.print(table)
        console.print(f"wrote {save(layer_picture(needed), out.with_name(out.name + '_electrolyte.png'))}")
    if "channel" in parts:
        console.print(channels(initial, (5.0, 10.0, 20.0, 40.0, 80.0), fixed_V))
    if "devices" in parts:
        table, levels = devices(initial, fixed_V, down_V, count, overlap)
        console.print(table)
        console.print(f"wrote {save(device_picture(levels), out.with_name(out.name + '_devices.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecram_scaling: error: {error}", style="red")
        raise SystemExit(2) from None
