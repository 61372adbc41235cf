"""From which electrode metal grows, over redox rate and mobility: a table, a CSV file and a map with the boundary.

python scripts/ecm_growth_map.py
python scripts/ecm_growth_map.py --redox 0.4 --redox 0.6 --hop 0.45 --hop 0.6 --seeds 3 --voltage 2.7

The measure is the mean height of the first half of the metal, 0 at the inert electrode and 1 at the active one; see
ionsim/analysis/growth.py for it and for what else changes with the two barriers.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ionsim.analysis.growth import ACTIVE_ABOVE, INERT_BELOW, SMALL_CELL, at, grow
from ionsim.config import EcmDevice, load
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

#: Atoms below which a run says nothing: half a plane of the small cell.
_LEAST_ATOMS = 40

_COLUMNS = ("redox_eV", "hop_eV", "seed", "first_half", "last_gap", "bridged", "time_s", "n_atoms", "n_events")


def decided(rows: np.ndarray) -> np.ndarray:
    """Heights of the first half, nan for runs with too little metal to tell."""
    return np.where(rows[:, 7] < _LEAST_ATOMS, np.nan, rows[:, 3])


def mean(values: np.ndarray) -> float:
    """Mean of the numbers among the values; nan where there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def edges(values: np.ndarray) -> np.ndarray:
    """(N + 1,) borders of the cells around increasing values."""
    steps = np.diff(values) if len(values) > 1 else np.array([0.1])
    return np.concatenate([[values[0] - 0.5 * steps[0]], values[:-1] + 0.5 * np.diff(values),
                           [values[-1] + 0.5 * steps[-1]]])  # fmt: skip


def word(first_half: float) -> str:
    """The electrode that the height of the first half stands for."""
    if np.isnan(first_half):
        return "?"
    return "inert" if first_half < INERT_BELOW else "active" if first_half > ACTIVE_ABOVE else "both"


def show(rows: np.ndarray) -> None:
    """One line for each pair of barriers."""
    table = Table("redox (eV)", "hop (eV)", "grew from", "first half", "by seed", "last gap", "bridged", "end (s)")
    for redox_eV, hop_eV in dict.fromkeys(map(tuple, rows[:, :2])):
        part = rows[(rows[:, 0] == redox_eV) & (rows[:, 1] == hop_eV)]
        halves = decided(part)
        half = mean(halves)
        table.add_row(f"{redox_eV:g}", f"{hop_eV:g}", word(half), f"{half:.2f}",
                      " ".join(f"{one:.2f}" for one in halves), f"{part[:, 4].mean():.2f}",
                      f"{part[:, 5].sum():.0f} of {len(part)}",
                      f"{np.exp(np.log(part[:, 6]).mean()):.2g}")  # fmt: skip
    console.print(table)


def draw(rows: np.ndarray, name: str, path: Path) -> Path:
    """The mean first half as a map, fast processes to the upper right, with the line at the middle of the film."""
    redox_eV, hop_eV = np.unique(rows[:, 0]), np.unique(rows[:, 1])
    cells = [[rows[(rows[:, 0] == r) & (rows[:, 1] == h)] for r in redox_eV] for h in hop_eV]
    half = np.array([[mean(decided(cell)) for cell in line] for line in cells])
    bridged = np.array([[cell[:, 5].mean() for cell in line] for line in cells])
    with styled():
        figure = new_figure(4.6, 3.6)
        axes = figure.add_subplot()
        mesh = axes.pcolormesh(
            edges(redox_eV), edges(hop_eV), half, cmap="RdBu_r", vmin=0.0, vmax=1.0, edgecolors="white"
        )
        if len(redox_eV) > 1 and len(hop_eV) > 1 and np.nanmin(half) < 0.5 < np.nanmax(half):
            axes.contour(redox_eV, hop_eV, half, levels=[0.5], colors="black", linewidths=1.5)
        for (row, column), value in np.ndenumerate(half):
            mark = "?" if np.isnan(value) else f"{value:.2f}" + ("" if bridged[row, column] == 1.0 else "*")
            colour = "white" if abs(value - 0.5) > 0.3 else "black"
            axes.text(redox_eV[column], hop_eV[row], mark, ha="center", va="top", fontsize=8, color=colour)
        axes.set(xlabel="redox barrier (eV): slow to the left", ylabel="hop barrier (eV): slow at the bottom")
        axes.set_title(name)
        axes.set_xticks(redox_eV)
        axes.set_yticks(hop_eV)
        axes.invert_xaxis()
        axes.invert_yaxis()
        bar = figure.colorbar(mesh, ax=axes, ticks=[0, 0.5, 1])
        bar.ax.set_yticklabels(["inert", "0.5", "active"])
        bar.set_label("mean height of the first half of the metal")
        return save(figure, path)


def main(
    redox: Annotated[list[float] | None, typer.Option(help="transfer.barrier_eV; repeatable.")] = None,
    hop: Annotated[list[float] | None, typer.Option(help="ion.hop_barrier_eV; repeatable.")] = None,
    voltage: Annotated[float, typer.Option(help="Applied voltage in V.")] = 2.7,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 3,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")] = None,
    max_events: Annotated[float, typer.Option(min=1.0, help="Give up a run after so many events.")] = 1e6,
    longest_s: Annotated[float, typer.Option(min=0.0, help="Give up after this simulated time, s.")] = 1e5,
    out: Annotated[Path, typer.Option(help="CSV file; the picture has the same name.")] = Path("ecm_growth_map.csv"),
) -> None:
    """Grow metal at each pair of barriers and say where it came from."""
    example = load(device)
    if not isinstance(example, EcmDevice):
        raise DeviceFileError(f"family: {example.family!r}; growth of metal needs a device of the family 'ecm'")
    base = example.replace(SMALL_CELL).overrides(changes or [])
    rows: list[tuple[float, ...]] = []
    for hop_eV in sorted(hop or [0.45, 0.50, 0.55, 0.60, 0.65]):
        for redox_eV in sorted(redox or [0.40, 0.50, 0.60, 0.70]):
            for seed in range(1, seeds + 1):
                run = grow(at(base, redox_eV, hop_eV), voltage, seed, max_events, longest_s)
                rows.append((redox_eV, hop_eV, seed, run.first_half, run.last_gap, run.bridged, run.times_s[-1],
                             run.counts[-1].sum(), run.n_events))  # fmt: skip
                console.print(
                    f"  redox {redox_eV:g}, hop {hop_eV:g} eV, seed {seed}: {run.first_half:.2f}", style="dim"
                )
            np.savetxt(out, rows, delimiter=",", comments="", header=",".join(_COLUMNS), fmt="%.6g")
    table = np.array(rows)
    show(table)
    title = f"{base.layers.electrolyte.thickness_nm:g} nm at {voltage:g} V, {seeds} seeds"
    picture = draw(table, title, out.with_suffix(".png"))
    console.print(f"wrote {out} and {picture}; * not all bridged, ? too little metal")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_growth_map: error: {error}", style="red")
        raise SystemExit(2) from None
