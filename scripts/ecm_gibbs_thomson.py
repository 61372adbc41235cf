"""Ions in balance with a metal cluster against its radius (Gibbs and Thomson): a table, a CSV file and a picture.

python scripts/ecm_gibbs_thomson.py
python scripts/ecm_gibbs_thomson.py --kt-over-bond 0.8 --atoms 100 --atoms 400 --looks 4000
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from scipy.constants import elementary_charge

from ionsim.config import EcmDevice, load
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, INK, MUTED, VERMILLION, new_figure, save, styled
from ionsim.verification.gibbs_thomson import (
    GAMMA,
    canonical_excess,
    continuum_excess,
    measure,
    radius,
    wulff_excess,
)

console = Console()

_EV_PER_NM2 = elementary_charge * 1e18  # J/m^2
_COLUMNS = ("atoms", "radius_edges", "radius_nm", "ions", "ln_ratio", "ln_ratio_error", "balance", "balance_error",
            "alone", "alone_error", "counted_bonds", "events")  # fmt: skip


def slope(inverse_radius: np.ndarray, values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Slope of the line through the origin with its standard error: weighted least squares."""
    weight = errors**-2.0
    norm = float(np.sum(weight * inverse_radius**2))
    return float(np.sum(weight * inverse_radius * values)) / norm, norm**-0.5


def wulff_points(kt_over_bond: float, largest: float) -> np.ndarray:
    """1/r and (dE/dN - strain)/kT at rest, between one crystal in Wulff's shape and the next, below some atoms."""
    shapes = [np.array(wulff_excess(number), dtype=float) for number in range(2, 12)]
    points = [((low + high)[0] / 2, (high - low)[1] / (high - low)[0] / kt_over_bond) for low, high in pairwise(shapes)]
    return np.array([(1.0 / radius(atoms), excess) for atoms, excess in points if atoms < largest])


def draw(rows: np.ndarray, kt_over_bond: float, name: str, path: Path) -> Path:
    """ln(c/c_bulk) against 1/r: with ions, without, at rest, and the continuum's line."""
    with styled():
        figure = new_figure(4.4, 3.4)
        axes = figure.add_subplot()
        line = np.array([0.0, 1.08 / rows[:, 1].min()])
        axes.plot(line, 0.5 * GAMMA / kt_over_bond * line, "-", color=INK, linewidth=0.9,
                  label=r"$2\gamma\Omega/rkT$, counted bonds")  # fmt: skip
        rest = wulff_points(kt_over_bond, 2.0 * rows[:, 0].max())
        rest = rest[rest[:, 0] < line[1]]
        axes.plot(rest[:, 0], rest[:, 1], "x", color=MUTED, label="$dE/dN$ of Wulff shapes, at rest")
        axes.errorbar(1.0 / rows[:, 1], rows[:, 8], rows[:, 9], fmt="s", color=VERMILLION, markersize=4.5,
                      fillstyle="none", label="cluster alone, $N$ and $N+1$ atoms")  # fmt: skip
        axes.errorbar(1.0 / rows[:, 1], rows[:, 4], rows[:, 5], fmt="o", color=BLUE, markersize=3.5,
                      label="ions in the closed box")  # fmt: skip
        axes.set(xlim=(0.0, line[1]), ylim=(0.0, None), xlabel="1/radius (1/cubic edge)",
                 ylabel=r"$\ln(c/c_{\infty})$", title=f"{name}, kT = {kt_over_bond:g} bonds")  # fmt: skip
        axes.legend(loc="upper left")
        return save(figure, path)


def main(
    kt_over_bond: Annotated[float, typer.Option(min=0.2, help="kT over atom.bond_eV.")] = 0.5,
    atoms: Annotated[list[int] | None, typer.Option(help="About so many atoms in a cluster; repeatable.")] = None,
    looks: Annotated[int, typer.Option(min=10, help="Looks at each run, a multiple of 10.")] = 2000,
    events_per_look: Annotated[int, typer.Option(min=1, help="Events between two of them, about.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the runs.")] = 1,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path(
        "ecm_gibbs_thomson.csv"
    ),
) -> None:
    """Measure the balance of clusters one after the other."""
    base = load(device, changes or ())
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(f"family: {base.family!r}; clusters of metal need a device of the family 'ecm'")
    if looks % 10:
        raise typer.BadParameter(f"{looks}; a multiple of 10 is needed", param_hint="--looks")
    rows = []
    for number in sorted(atoms or [100, 160, 300, 600, 1200]):
        found = measure(base, number, kt_over_bond, seed, looks, events_per_look)
        alone, error = canonical_excess(base, round(found.atoms), kt_over_bond, seed, looks, events_per_look)
        size = float(radius(found.atoms))
        rows.append((found.atoms, size, size * base.lattice_constant_nm, found.ions, found.excess, found.error_excess,
                     found.mismatch, found.error_mismatch, alone, error,
                     float(continuum_excess(found.atoms, kt_over_bond)), found.events))  # fmt: skip
        console.print(f"  {found.atoms:.0f} atoms, {found.ions:.0f} ions", style="dim")
    data = np.array(rows)
    table = Table("atoms", "r (nm)", "ions", "ln(c/c_bulk)", "cluster alone", "difference / error",
                  "counted bonds", "come/go, ln")  # fmt: skip
    for row in data:
        off = (row[4] - row[8]) / np.hypot(row[5], row[9])
        table.add_row(f"{row[0]:.1f}", f"{row[2]:.3f}", f"{row[3]:.1f}", f"{row[4]:.3f} ± {row[5]:.3f}",
                      f"{row[8]:.3f} ± {row[9]:.3f}", f"{off:+.1f}", f"{row[10]:.3f}",
                      f"{row[6]:+.3f} ± {row[7]:.3f}")  # fmt: skip
    console.print(table)
    bond_eV, edge_nm = base.kinetic("atom.bond_eV"), base.lattice_constant_nm
    gamma = GAMMA * bond_eV / edge_nm**2 * _EV_PER_NM2
    for name, column in (("ions", 4), ("cluster alone", 8)):
        value, error = slope(1.0 / data[:, 1], data[:, column], data[:, column + 1])
        share = 2.0 * value * kt_over_bond / GAMMA
        console.print(f"slope against 1/r, {name}: {value:.3f} ± {error:.3f} edges, {share:.3f} ± "
                      f"{error * share / value:.3f} of counted bonds ({0.5 * GAMMA / kt_over_bond:.3f}), "
                      f"gamma {share * gamma:.3f} J/m2")  # fmt: skip
    np.savetxt(out, data, delimiter=",", comments="", header=",".join(_COLUMNS), fmt="%.6g")
    picture = draw(data, kt_over_bond, base.name, out.with_suffix(".png"))
    console.print(f"{data[:, -1].sum():.3g} events with ions; wrote {out} and {picture}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_gibbs_thomson: error: {error}", style="red")
        raise SystemExit(2) from None
