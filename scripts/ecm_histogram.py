"""Histogram of the conductance of many SET runs, and of what is left of them without a voltage, in quanta.

Every seed is a cell that sets at a constant voltage behind a current limit; its conductance is recorded at growing
times while the limit holds, and then at 0 V. A table, a CSV file and a picture.

python scripts/ecm_histogram.py --runs 200
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ionsim.config import EcmDevice, load
from ionsim.coupling.metal import G0_S
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

#: A thin film sets in a second of wall time; its contact is made of the same few atoms as a thick one's.
_SMALL = (
    "layers.electrolyte.thickness_nm=2.0", "lattice.width_nm=2.5", "lattice.depth_nm=2.5", "mesh.domain_width_nm=10.0",
    "soft_spots=[{centre_nm=[1.25,1.25], radius_nm=0.6, hop_shift_eV=-0.12}]",
)  # fmt: skip

#: Below this a contact is open, in quanta.
_OPEN = 0.3


def run_one(
    device: EcmDevice, seed: int, voltage_V: float, compliance_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Conductances (in G0) and channels while the limit holds, and at 0 V afterwards: arrays (reads, 2)."""
    cell = Ecm(device, np.random.SeedSequence(seed))
    cell.initialise()
    circuit, until_s = Circuit(0.0, compliance_A), 1e-8
    while not cell.limited and until_s < 1e-2:
        cell.advance(until_s, voltage_V, circuit)
        until_s *= 1.1
    begin_s, closed, decaying = cell.time_s, [], []
    for factor in np.geomspace(1.02, 3.0, 12):
        cell.advance(begin_s * factor, voltage_V, circuit)
        cell.read(circuit)
        closed.append(look(cell))
    begin_s = cell.time_s
    cell.advance(begin_s, 0.0, circuit)
    for after_s in np.geomspace(1e-6, 1e-1, 21):
        cell.advance(begin_s + after_s, 0.0, circuit)
        cell.read(circuit)
        decaying.append(look(cell))
    return np.array(closed), np.array(decaying)


def look(cell: Ecm) -> tuple[float, float]:
    """Conductance in G0 and channels."""
    row = cell.observe()
    return row["conductance_S"] / G0_S, row["channels"]


def main(
    runs: Annotated[int, typer.Option(min=2, help="Seeds 1 to this number.")] = 200,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    voltage_V: Annotated[float, typer.Option(help="Applied voltage, V.")] = 1.8,
    compliance_A: Annotated[float, typer.Option(help="Current limit, A.")] = 1e-4,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path("ecm_histogram.csv"),
) -> None:
    """Run all seeds and count."""
    base = load(device, [*_SMALL, *(changes or ())])
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(f"family: {base.family!r}; this needs a device of the family 'ecm'")
    found = [run_one(base, seed, voltage_V, compliance_A) for seed in track(range(1, runs + 1), console=console)]
    stages = {"limited": np.concatenate([f[0] for f in found]), "at 0 V": np.concatenate([f[1] for f in found])}
    table = Table("reads", "closed", *(f"{n} channels" for n in range(1, 8)), "mean G/(n G0)", "spread")
    for name, reads in stages.items():
        closed = reads[(reads[:, 0] > _OPEN) & (reads[:, 1] > 0)]
        per = closed[:, 0] / closed[:, 1]
        counts = [str(int(np.sum(closed[:, 1] == n))) for n in range(1, 8)]
        table.add_row(name, str(len(closed)), *counts, f"{per.mean():.3f}", f"{per.std():.3f}")
    console.print(table)
    rows = [np.column_stack([np.full(len(reads), stage), reads]) for stage, reads in enumerate(stages.values())]
    np.savetxt(out, np.concatenate(rows), delimiter=",", comments="", header="stage,conductance_G0,channels")
    with styled():
        figure = new_figure(7.0, 2.8)
        for axes, (name, reads) in zip(figure.subplots(1, 2, sharex=True), stages.items(), strict=True):
            axes.hist(reads[reads[:, 0] > _OPEN, 0], bins=np.arange(_OPEN, 9.0, 0.1), color="tab:blue")
            for whole in range(1, 9):
                axes.axvline(whole, color="0.7", lw=0.5, zorder=0)
            axes.set(xlabel="conductance (G0)", ylabel="reads", title=f"{name}: {runs} cells")
        console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_histogram: error: {error}", style="red")
        raise SystemExit(2) from None
