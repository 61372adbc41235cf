"""What a compliance leaves behind: conductance of the formed cell, and how long it stays without a voltage.

Cells are formed at a constant voltage behind a current limit, held as long again, and left alone; reads at 0 V are
solutions of the fields at growing times. Sets of configurations that flicker are left in exact steps (superbasins): no
rate is capped but what the device file caps. A table, a CSV file and a picture.

python scripts/ecm_compliance.py --compliance 1e-8 --compliance 1e-7 --compliance 1e-4 --seeds 2
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
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


@dataclass
class Left:
    """A cell after forming: conductance (S), channels, and its decay: times (s) at 0 V and conductances (S)."""

    compliance_A: float
    seed: int
    formed_s: float
    formed_S: float
    channels: int
    times_s: list[float]
    conductance_S: list[float]
    gone: bool

    @property
    def lifetime_s(self) -> float:
        """Between the last read at which it was there and the first at which it was gone; else the last read."""
        times = self.times_s
        return float(np.sqrt(times[-1] * times[-2])) if self.gone and len(times) > 1 else times[-1]


def leave(device: EcmDevice, compliance_A: float, seed: int, voltage_V: float, longest_s: float, wall_s: float) -> Left:
    """Form a cell, hold it as long again, and read it at 0 V until it is gone, or a limit of either clock."""
    cell = Ecm(device, np.random.SeedSequence(seed))
    cell.initialise()
    until_s, formed = 1e-9, Circuit(0.0, compliance_A)
    while not cell.limited and until_s < longest_s:
        cell.advance(until_s, voltage_V, formed)
        until_s *= 1.1
    begin_s = cell.time_s
    cell.advance(2.0 * begin_s, voltage_V, formed)
    cell.advance(cell.time_s, 0.0, formed)
    row = cell.observe()
    left = Left(compliance_A, seed, begin_s, row["conductance_S"], int(row["channels"]), [], [], False)
    begun, begin_s = time.monotonic(), cell.time_s
    for after_s in np.logspace(-6.0, np.log10(longest_s), 4 * round(6.0 + np.log10(longest_s)) + 1):
        cell.advance(begin_s + after_s, 0.0, formed)
        cell.read(formed)
        left.times_s.append(float(after_s))
        left.conductance_S.append(cell.observe()["conductance_S"])
        left.gone = left.conductance_S[-1] < _GONE * left.formed_S
        if left.gone or time.monotonic() - begun > wall_s:
            break
    return left


def power_law(found: list[Left]) -> tuple[float, float, int]:
    """Exponent of conductance over compliance with its standard error, and the number of cells, over bridged ones."""
    bridged = [cell for cell in found if cell.channels]
    if len({cell.compliance_A for cell in bridged}) < 2 or len(bridged) < 3:
        return float("nan"), float("nan"), len(bridged)
    x, y = np.log([cell.compliance_A for cell in bridged]), np.log([cell.formed_S for cell in bridged])
    fit, covariance = np.polyfit(x, y, 1, cov="unscaled")
    residual = y - np.polyval(fit, x)
    return float(fit[0]), float(np.sqrt(covariance[0, 0] * residual @ residual / (len(x) - 2))), len(bridged)


def main(
    compliance_A: Annotated[list[float] | None, typer.Option("--compliance", help="Current limit, A.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 2,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    voltage_V: Annotated[float, typer.Option(help="Applied while it forms, V.")] = 1.8,
    longest_s: Annotated[float, typer.Option(min=1e-5, help="Give up after this time at 0 V, s.")] = 1e5,
    wall_s: Annotated[float, typer.Option(min=0.0, help="... or after this wall time of a cell, s.")] = 600.0,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path(
        "ecm_compliance.csv"
    ),
) -> None:
    """Form and leave one cell after the other."""
    base = load(device, ["numerics.superbasin_states=64", *(changes or ())])
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(f"family: {base.family!r}; compliances of metal filaments need the family 'ecm'")
    found = []
    table = Table("compliance (A)", "seed", "formed in (s)", "G (G0)", "channels", "gone after (s)")
    for limit_A in sorted(compliance_A or [1e-8, 1e-7, 1e-6, 1e-5, 1e-4]):
        for seed in range(1, seeds + 1):
            cell = leave(base, limit_A, seed, voltage_V, longest_s, wall_s)
            found.append(cell)
            cells = (f"{limit_A:g}", str(seed), f"{cell.formed_s:.3g}", f"{cell.formed_S / G0_S:.3g}",
                     str(cell.channels), f"{'' if cell.gone else 'more than '}{cell.lifetime_s:.3g}")  # fmt: skip
            console.print("  ".join(cells), style="dim")
            table.add_row(*cells)
    console.print(table)
    exponent, error, count = power_law(found)
    console.print(f"conductance ~ compliance^n over {count} bridged cells: n = {exponent:.2f} ± {error:.2f}")
    lines = ["compliance_A,seed,channels,formed_S,time_s,conductance_S"]
    for cell in found:
        for time_s, value_S in zip(cell.times_s, cell.conductance_S, strict=True):
            lines.append(
                f"{cell.compliance_A:g},{cell.seed},{cell.channels},{cell.formed_S:.6g},{time_s:.6g},{value_S:.6g}"
            )
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print(f"wrote {out} and {draw(found, exponent, out.with_suffix('.png'))}")


def draw(found: list[Left], exponent: float, path: Path) -> Path:
    """Decay at 0 V by compliance, and what was formed against the compliance."""
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
        formed.loglog([cell.compliance_A for cell in found], [cell.formed_S / G0_S for cell in found], "o")
        formed.axhline(1.0, color="0.7", lw=0.6)
        note = f"bridged: exponent {exponent:.2f}" if np.isfinite(exponent) else "as formed"
        formed.set(xlabel="compliance (A)", ylabel="conductance (G0)", title=note)
        return save(figure, path)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_compliance: error: {error}", style="red")
        raise SystemExit(2) from None
