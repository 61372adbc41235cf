"""What one gate pulse inserts or takes out, against mesh, steps and dimension: the numerical error of an update.

python scripts/ecram_numerics.py --amplitude 8.45 --amplitude -8.95 --amplitude 10 --amplitude -10.5
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ionsim.analysis.ecram_gate import Update, pulse, started
from ionsim.config import load
from ionsim.config.ecram import EcramDevice
from ionsim.errors import DeviceFileError, expected_errors

console = Console()

_STACK, _PLANE = "ecram_retention", "psg_wo3_pulse_train"

#: Length of channel and gate.
_LONG, _GATE = "geometry.channel_length_nm=150", "geometry.gate_length_nm=150"

#: What is changed, by the name of its row: example and keys. The last of the steps is the reference for steps.
VARIANTS = {
    "default": (_STACK, ()),
    "cells of 0.8 nm at the interfaces": (_STACK, ("geometry.size_nm=0.8",)),
    "0.2 nm": (_STACK, ("geometry.size_nm=0.2",)),
    "0.1 nm": (_STACK, ("geometry.size_nm=0.1",)),
    "0.4 nm, elsewhere up to 0.5 nm": (_STACK, ("geometry.largest_nm=0.5", "geometry.growth=1.2")),
    "first step 0.1 ns": (_STACK, ("steps.first_s=1e-10",)),
    "first step 10 ps": (_STACK, ("steps.first_s=1e-11",)),
    "steps up to 0.3 V": (_STACK, ("steps.potential_V=0.3",)),
    "steps up to 0.02 of the sites": (_STACK, ("steps.fraction=0.02",)),
    "all steps fine": (_STACK, ("steps.first_s=1e-11", "steps.growth=1.3", "steps.potential_V=0.1",
                                "steps.fraction=0.01")),
    "plane, channel at one potential": (_PLANE, (_GATE, "channel.equipotential=true")),
    "plane": (_PLANE, (_GATE,)),
    "plane, finer along x": (_PLANE, (_GATE, "geometry.lateral_nm=5", "geometry.edge_nm=0.5")),
}  # fmt: skip


def update(name: str, changes: tuple[str, ...], initial: float, amplitude_V: float) -> tuple[Update, EcramDevice, int]:
    """A 5 ns pulse from rest, its device and its steps."""
    base = load(name, [f"channel.initial={initial:g}", _LONG, *changes])
    if not isinstance(base, EcramDevice):
        raise DeviceFileError(f"family: {base.family!r}; this needs a device of the family 'ecram'")
    cell = started(base)
    return pulse(cell, amplitude_V), base, cell.n_steps


def main(
    amplitude: Annotated[list[float] | None, typer.Option(help="In V; repeatable.")] = None,
    initial: Annotated[float, typer.Option(help="Filled share of the channel.")] = 0.15,
) -> None:
    """Print the dose of each variant, and how far it is from that of the default."""
    for amplitude_V in amplitude or [8.45, -8.95]:
        table = Table("variant", "dose (mC/m2)", "of the default", "lasting (nS)", "volatile (nS)", "fJ",
                      "x at the surface", "steps", title=f"5 ns of {amplitude_V:g} V")  # fmt: skip
        usual = None
        for label, (name, changes) in VARIANTS.items():
            one, base, steps = update(name, changes, initial, amplitude_V)
            area_m2 = base.geometry.channel_length_nm * base.geometry.width_nm * 1e-18
            dose = one.inserted_C / area_m2
            usual = dose if usual is None else usual
            table.add_row(label, f"{1e3 * dose:.3f}", f"{100 * (dose / usual - 1):+.2f} %",
                          f"{1e9 * one.lasting_S:.4f}", f"{1e9 * one.volatile_S:.4g}", f"{1e15 * one.energy_J:.3f}",
                          f"{one.x_surface:.3f}", str(steps))  # fmt: skip
        console.print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecram_numerics: error: {error}", style="red")
        raise SystemExit(2) from None
