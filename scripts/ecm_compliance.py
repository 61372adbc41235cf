"""What a compliance leaves behind: conductance of the formed cell, and how long it stays without a voltage.

Cells are formed at a constant voltage behind a current limit, held there, and left alone; reads at 0 V are
solutions of the fields at growing times. Sets of configurations that flicker are left in exact steps (superbasins): no
rate is capped but what the device file caps. A table, a CSV file and a picture.

python scripts/ecm_compliance.py --compliance 1e-8 --compliance 1e-7 --compliance 1e-4 --seeds 2 --hold-s 1e-2
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ionsim.config import EcmDevice, load
from ionsim.coupling.metal import G0_S
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

#: A filament is gone when it conducts less than this share of what it did.
_GONE = 0.1

#: First and shortest step of a hold, s: some hops of surface atoms.
_FIRST_STEP_S = 1e-8


@dataclass
class Left:
    """A cell after forming and hold, and its decay: times (s) at 0 V, conductances (S) and atoms of metal then."""

    compliance_A: float
    seed: int
    formed_s: float
    held_s: float
    formed_S: float
    channels: int
    atoms: int
    times_s: list[float]
    conductance_S: list[float]
    n_atoms: list[int]
    gone: bool

    @property
    def lifetime_s(self) -> float:
        """Between the last read at which it was there and the first at which it was gone; else the last read."""
        times = self.times_s
        return float(np.sqrt(times[-1] * times[-2])) if self.gone and len(times) > 1 else times[-1]


def leave(
    device: EcmDevice, compliance_A: float, seed: int, voltage_V: float, hold_s: float | None, longest_s: float,
    wall_s: float,
) -> Left:  # fmt: skip
    """Form a cell, hold it (None: as long again), and read it at 0 V until it is gone, or a limit of either clock."""
    cell = Ecm(device, np.random.SeedSequence(seed))
    cell.initialise()
    until_s, formed = 1e-9, Circuit(0.0, compliance_A)
    while not cell.limited and until_s < longest_s:
        cell.advance(until_s, voltage_V, formed)
        until_s *= 1.1
    formed_s = cell.time_s
    held_s = hold(cell, voltage_V, formed, formed_s if hold_s is None else hold_s, wall_s)
    cell.advance(cell.time_s, 0.0, formed)
    cell.read(formed)
    row = cell.observe()
    left = Left(compliance_A, seed, formed_s, float(held_s), row["conductance_S"], int(row["channels"]),
                int(row["n_atoms"]), [], [], [], False)  # fmt: skip
    begun, begin_s = time.monotonic(), cell.time_s
    for after_s in _spaced(longest_s):
        cell.advance(begin_s + after_s, 0.0, formed)
        cell.read(formed)
        row = cell.observe()
        left.times_s.append(float(after_s))
        left.conductance_S.append(row["conductance_S"])
        left.n_atoms.append(int(row["n_atoms"]))
        left.gone = left.conductance_S[-1] < _GONE * left.formed_S
        if left.gone or time.monotonic() - begun > wall_s:
            break
    return left


def hold(cell: Ecm, voltage_V: float, circuit: Circuit, hold_s: float, wall_s: float) -> float:
    """Keep the voltage on behind the current limit, for ``hold_s`` or a wall time (s); how long it was, s.

    Behind a limit the cell's voltage is that current over its conductance, which atoms that hop on a bridge change
    without moving the potential by much: fields are solved at steps that shrink where the conductance changes.
    """
    begun, begin_s, held_s, step_s = time.monotonic(), cell.time_s, 0.0, _FIRST_STEP_S
    conductance_S = cell.fields.conductance_S
    while held_s < hold_s and time.monotonic() - begun < wall_s:
        held_s = min(held_s + step_s, hold_s)
        cell.advance(begin_s + held_s, voltage_V, circuit)
        cell.read(circuit)
        change = abs(np.log(cell.fields.conductance_S / conductance_S))
        conductance_S = cell.fields.conductance_S
        step_s = max(step_s * (1.3 if change < 0.1 else 1.0 if change < 0.3 else 0.3), _FIRST_STEP_S)
    return held_s


def _spaced(longest_s: float) -> NDArray[np.float64]:
    """Times from 1 us on, about four a decade."""
    return np.logspace(-6.0, np.log10(longest_s), max(1, 4 * round(6.0 + np.log10(longest_s))) + 1)


def power_law(cells: list[Left]) -> tuple[float, float]:
    """Exponent of conductance over compliance, and its standard error; nan for fewer than three cells or two limits."""
    if len({cell.compliance_A for cell in cells}) < 2 or len(cells) < 3:
        return float("nan"), float("nan")
    x, y = np.log([cell.compliance_A for cell in cells]), np.log([cell.formed_S for cell in cells])
    fit, covariance = np.polyfit(x, y, 1, cov="unscaled")
    residual = y - np.polyval(fit, x)
    return float(fit[0]), float(np.sqrt(covariance[0, 0] * residual @ residual / (len(x) - 2)))


def main(
    compliance_A: Annotated[list[float] | None, typer.Option("--compliance", help="Current limit, A.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 2,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    voltage_V: Annotated[float, typer.Option(help="Applied while it forms, V.")] = 1.8,
    hold_s: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Held behind the limit for this long, s; else as long as forming took."),
    ] = None,
    longest_s: Annotated[float, typer.Option(min=1e-5, help="Give up after this time at 0 V, s.")] = 1e5,
    wall_s: Annotated[
        float, typer.Option(min=0.0, help="... or after this wall time of a hold, and of a decay, s.")
    ] = 600.0,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path(
        "ecm_compliance.csv"
    ),
) -> None:
    """Form and leave one cell after the other."""
    base = load(device, ["numerics.superbasin_states=64", *(changes or ())])
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(f"family: {base.family!r}; compliances of metal filaments need the family 'ecm'")
    found = []
    table = Table("compliance (A)", "seed", "formed in (s)", "held (s)", "G (G0)", "channels", "atoms",
                  "gone after (s)", "atoms then")  # fmt: skip
    for limit_A in sorted(compliance_A or [1e-8, 1e-7, 1e-6, 1e-5, 1e-4]):
        for seed in range(1, seeds + 1):
            cell = leave(base, limit_A, seed, voltage_V, hold_s, longest_s, wall_s)
            found.append(cell)
            cells = (f"{limit_A:g}", str(seed), f"{cell.formed_s:.3g}", f"{cell.held_s:.3g}",
                     f"{cell.formed_S / G0_S:.3g}", str(cell.channels), str(cell.atoms),
                     f"{'' if cell.gone else 'more than '}{cell.lifetime_s:.3g}", str(cell.n_atoms[-1]))  # fmt: skip
            console.print("  ".join(cells), style="dim")
            table.add_row(*cells)
    console.print(table)
    for name, cells in (("all", found), ("bridged", [cell for cell in found if cell.channels])):
        exponent, error = power_law(cells)
        console.print(f"conductance ~ compliance^n over {name} {len(cells)} cells: n = {exponent:.2f} ± {error:.2f}")
    lines = ["compliance_A,seed,held_s,channels,formed_S,atoms_formed,time_s,conductance_S,atoms"]
    for cell in found:
        formed = f"{cell.compliance_A:g},{cell.seed},{cell.held_s:g},{cell.channels},{cell.formed_S:.6g},{cell.atoms}"
        for time_s, value_S, atoms in zip(cell.times_s, cell.conductance_S, cell.n_atoms, strict=True):
            lines.append(f"{formed},{time_s:.6g},{value_S:.6g},{atoms}")
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print(f"wrote {out} and {draw(found, out.with_suffix('.png'))}")


def draw(found: list[Left], path: Path) -> Path:
    """Decay at 0 V by compliance, and conductance after the hold against the compliance with its power law."""
    with styled():
        figure = new_figure(7.0, 3.0)
        decay, formed = figure.subplots(1, 2)
        limits = sorted({cell.compliance_A for cell in found})
        for cell in found:
            colour = f"C{limits.index(cell.compliance_A)}"
            label = f"{cell.compliance_A:g} A" if cell.seed == 1 else None
            decay.loglog(cell.times_s, np.maximum(cell.conductance_S, 1e-13) / G0_S, "-", color=colour, label=label)
        decay.axhline(1.0, color="0.7", lw=0.6)
        decay.set(xlabel="time at 0 V (s)", ylabel="conductance (G0)", title="without a voltage")
        decay.legend(title="compliance", fontsize=6, title_fontsize=6)
        x, y = np.array([cell.compliance_A for cell in found]), np.array([cell.formed_S / G0_S for cell in found])
        formed.loglog(x, y, "o")
        exponent, error = power_law(found)
        if np.isfinite(exponent):
            middle = np.exp([np.mean(np.log(x)), np.mean(np.log(y))])
            line = middle[1] * (np.array(limits) / middle[0]) ** exponent
            formed.loglog(limits, line, "-", color="0.4", lw=0.8)
        formed.axhline(1.0, color="0.7", lw=0.6)
        note = f"exponent {exponent:.2f} ± {error:.2f}" if np.isfinite(exponent) else "after the hold"
        formed.set(xlabel="compliance (A)", ylabel="conductance (G0)", title=note)
        return save(figure, path)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_compliance: error: {error}", style="red")
        raise SystemExit(2) from None
