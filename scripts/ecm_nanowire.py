"""Lifetime of a free metal wire against its diameter, by surface diffusion alone: a table, a CSV file and a picture.

python scripts/ecm_nanowire.py
python scripts/ecm_nanowire.py --kt-over-bond 0.3 --width 3 --width 4 --width 5 --seeds 4
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import kmc
from ionsim.analysis.nanowire import exponent, herring_times, hop_time_s, lifetime
from ionsim.config import EcmDevice, load
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, GREEN, VERMILLION, new_figure, save, styled

console = Console()

_COLOURS = (BLUE, GREEN, VERMILLION)
_COLUMNS = ("kt_over_bond", "temperature_K", "diameter_neighbours", "diameter_nm", "seed", "lifetime_hops",
            "lifetime_s", "events", "loose_share")  # fmt: skip


def show(rows: np.ndarray, kt_over_bond: float, neck: float) -> None:
    """The table of one temperature, and its exponents, from rows of the CSV file."""
    diameters = np.unique(rows[:, 2])
    by_seed = [rows[rows[:, 2] == diameter] for diameter in diameters]
    title = f"kT = {kt_over_bond:g} bonds, {rows[0, 1]:.0f} K; t is the geometric mean"
    table = Table("d/neighbours", "d (nm)", "broken", "t/hop time", "t (s)", "std ln t", "hops", "loose", title=title)
    for wires in by_seed:
        logs = np.log(wires[:, 5])
        ended = np.isfinite(logs)  # a mean over some of them would be too short: nan unless all broke
        table.add_row(f"{wires[0, 2]:.2f}", f"{wires[0, 3]:.2f}", f"{ended.sum()} of {len(ended)}",
                      f"{np.exp(logs.mean()):.3g}", f"{np.exp(np.log(wires[:, 6]).mean()):.2g}",
                      f"{logs.std(ddof=1):.2f}", f"{wires[:, 7].sum():.2g}", f"{wires[:, 8].mean():.1g}")  # fmt: skip
    console.print(table)
    known = [wires for wires in by_seed if np.isfinite(wires[:, 5]).all()]
    if len(known) < 2:
        return
    for title, part in (("all", known), ("the three widest", known[-3:])):
        widths = np.array([wires[0, 2] for wires in part])
        slope, error = exponent(widths, np.array([wires[:, 5] for wires in part]), np.random.default_rng(1))
        law = np.polyfit(np.log(widths), np.log(herring_times(widths, kt_over_bond, neck)), 1)[0]
        console.print(f"  t ~ d^n, {title}: n = {slope:.2f} ± {error:.2f}; Herring 4, with noise {law:.2f}")


def draw(rows: np.ndarray, neck: float, name: str, path: Path) -> Path:
    """Lifetimes of all wires, their means, and Herring's law through the widest wire."""
    with styled():
        figure = new_figure(4.4, 3.6)
        axes = figure.add_subplot()
        for colour, ratio in zip(_COLOURS * len(rows), np.unique(rows[:, 0]), strict=False):
            part = rows[(rows[:, 0] == ratio) & np.isfinite(rows[:, 5])]
            widths = np.unique(part[:, 2])
            means = np.array([np.exp(np.log(part[part[:, 2] == width, 5]).mean()) for width in widths])
            axes.loglog(part[:, 2], part[:, 5], "o", color=colour, alpha=0.3, markersize=3)
            axes.loglog(widths, means, "o-", color=colour, markersize=5, label=f"kT = {ratio:g} bonds")
            law = herring_times(widths, ratio, neck)
            axes.loglog(widths, means[-1] * law / law[-1], ":", color=colour)
            axes.loglog(widths, means[-1] * (widths / widths[-1]) ** 4, "--", color=colour, linewidth=0.8)
        axes.plot([], [], "--", color="grey", linewidth=0.8, label="$d^4$ (Herring)")
        axes.plot([], [], ":", color="grey", label="with noise and curvature")
        ticks = [tick for tick in (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20) if tick < 1.2 * rows[:, 2].max()]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlim(0.85 * rows[:, 2].min(), 1.15 * rows[:, 2].max())
        axes.set(xlabel="diameter (nearest-neighbour distances)", ylabel="lifetime (hop times)", title=name)
        axes.legend(loc="lower right")
        return save(figure, path)


def main(
    kt_over_bond: Annotated[list[float] | None, typer.Option(help="kT over atom.bond_eV; repeatable.")] = None,
    width: Annotated[list[float] | None, typer.Option(help="Diameter in nearest neighbours; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Seeds 1 to this number.")] = 8,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    neck: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="First variation of the radius, over the radius: similar shapes.")
    ] = 0.0,
    max_events: Annotated[float, typer.Option(min=1.0, help="Give up a wire after so many hops.")] = 1e7,
    total_events: Annotated[
        float, typer.Option(min=1.0, help="No wider wires of a temperature once it took so many hops.")
    ] = 6e6,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path("ecm_nanowire.csv"),
) -> None:
    """Let wires of each diameter break at each temperature."""
    base = load(device, changes or ())
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(f"family: {base.family!r}; wires of metal need a device of the family 'ecm'")
    near_nm = base.lattice_constant_nm / np.sqrt(2.0)
    rows: list[tuple[float, ...]] = []
    for ratio in kt_over_bond or [0.3, 0.5, 0.8]:
        temperature_K = ratio * base.kinetic("atom.bond_eV") / kmc.KB_EV
        unit_s, spent, first = hop_time_s(base, temperature_K), 0, len(rows)
        for wide in sorted(width or [2.7, 3.3, 4.0, 5.0, 6.2, 8.0]):
            for seed in range(1, seeds + 1):
                life = lifetime(base, wide, temperature_K, seed, int(max_events), neck)
                spent += life.events
                rows.append((ratio, temperature_K, life.diameter, life.diameter * near_nm, seed, life.time_s / unit_s,
                             life.time_s, life.events, life.loose))  # fmt: skip
            np.savetxt(out, rows, delimiter=",", comments="", header=",".join(_COLUMNS), fmt="%.6g")
            if spent > total_events:
                break
        show(np.array(rows[first:]), ratio, neck)
    table = np.array(rows)
    name = f"{base.name}, neck {neck:g}" if neck else f"{base.name}, smooth wires"
    picture = draw(table, neck, name, out.with_suffix(".png"))
    console.print(f"{table[:, 7].sum():.3g} hops; wrote {out} and {picture}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_nanowire: error: {error}", style="red")
        raise SystemExit(2) from None
