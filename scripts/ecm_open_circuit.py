"""Open-circuit potential of a film of ions between two metals: Nernst's and the diffusion potential, with space charge.

python scripts/ecm_open_circuit.py --out open_circuit.csv
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ionsim.errors import expected_errors
from ionsim.plots.style import new_figure, save, styled
from ionsim.verification import open_circuit as oc

console = Console()

#: Energy of an ion from the metal at 0 V, eV, and by how much more it costs from the other.
_FORMATION_EV, _METALS_EV = 0.03, (0.0, 0.05, 0.10)

#: Cells (steps along x and y, planes) for currents and for the junction, and where two ions have kT, nm.
_THIN, _THICK, _BJERRUM_NM = (4, 4, 4), (10, 10, 20), 0.1


def crossings(events: int, seed: int) -> list[tuple[float, str, oc.Crossing]]:
    """For each pair of metals, with and without space charge: its dG/e, which, and the measured crossing."""
    found = []
    for more_eV in _METALS_EV:
        for label, bjerrum_nm in (("on", 3.0 * _BJERRUM_NM), ("off", None)):
            cell = oc.cell(_THIN, (_FORMATION_EV, _FORMATION_EV + more_eV), bjerrum_nm=bjerrum_nm, seed=seed)
            found.append((more_eV, label, oc.crossing(cell, more_eV + np.array([-0.06, -0.02, 0.02, 0.06]), events)))
            console.print(f"  dG/e {1e3 * more_eV:g} mV, space charge {label}: done", style="dim")
    return found


def main(
    events: Annotated[int, typer.Option(min=400, help="Events for each voltage.")] = 8000,
    junction_events: Annotated[int, typer.Option(min=1000, help="Events for the profile of a junction.")] = 30000,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 1,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path("open_circuit.csv"),
) -> None:
    """Measure the voltages without net current, then the potential where two electrolytes meet."""
    found = crossings(events, seed)
    table = Table("dG/e (mV)", "space charge", "voltage without net current (mV)", "standard error (mV)")
    for more_eV, label, measured in found:
        row = (1e3 * more_eV, label, 1e3 * measured.open_V, 1e3 * measured.error_V)
        table.add_row(f"{row[0]:.0f}", row[1], f"{row[2]:.1f}", f"{row[3]:.1f}")
    console.print(table)

    formation_eV = oc.half_cells_eV()
    meeting = {}
    for label, bjerrum_nm in (("on", _BJERRUM_NM), ("off", None)):
        cell = oc.cell(
            _THICK, (formation_eV, formation_eV), bjerrum_nm=bjerrum_nm, step=True, everywhere=True, seed=seed
        )
        meeting[label] = oc.junction(cell, junction_events)
    ideal_V = oc.ideal_step_V()
    summary = Table("space charge", "ions a site, left and right", "diffusion potential (mV)", "(kT/e) ln(a2/a1) (mV)",
                    "Nernst, right less left (mV)", "sum: open circuit (mV)")  # fmt: skip
    for label, found_here in meeting.items():
        quarter = len(found_here.height_nm) // 4
        left, right = (float(found_here.occupation[c - 1 : c + 1].mean()) for c in (quarter, 3 * quarter))
        nernst_V = oc.KT_EV * float(np.log(right / (1.0 - right) * (1.0 - left) / left))
        step_mV, error_mV = 1e3 * found_here.step_V, 1e3 * found_here.error_V
        summary.add_row(label, f"{left:.3f}, {right:.3f}", f"{step_mV:.1f} +- {error_mV:.1f}", f"{1e3 * ideal_V:.1f}",
                        f"{1e3 * nernst_V:.1f}", f"{1e3 * nernst_V - step_mV:.1f}")  # fmt: skip
    console.print(summary)

    rows = [
        (more_eV, label == "on", *point)
        for more_eV, label, measured in found
        for point in zip(measured.voltages_V, measured.passed, strict=True)
    ]
    np.savetxt(out, np.array(rows, dtype=float), delimiter=",", comments="",
               header="dG_eV,space_charge,voltage_V,ions_per_1000_events")  # fmt: skip
    with styled():
        figure = new_figure(7.2, 3.0)
        currents, profile = figure.subplots(1, 2)
        colours = dict(zip(_METALS_EV, ("tab:blue", "tab:orange", "tab:green"), strict=True))
        for more_eV, label, measured in found:
            style = {"color": colours[more_eV], "mfc": colours[more_eV] if label == "on" else "white"}
            line = np.polyfit(measured.voltages_V, measured.passed, 2)
            along_V = np.linspace(measured.voltages_V[0], measured.voltages_V[-1], 41)
            currents.plot(1e3 * measured.voltages_V, measured.passed, "o", **style)
            line_style = "-" if label == "on" else ":"
            currents.plot(1e3 * along_V, np.polyval(line, along_V), line_style, color=colours[more_eV])
        currents.axhline(0.0, color="0.6", lw=0.8)
        for more_eV, colour in colours.items():
            currents.axvline(1e3 * more_eV, color=colour, lw=0.8, ls="--")
        currents.set(xlabel="voltage of the right metal (mV)", ylabel="ions passed a 1,000 events",
                     title="dG between the metals dashed; open: no charge")  # fmt: skip
        for label, line_style in (("on", "-"), ("off", ":")):
            height_nm, potential_mV = meeting[label].height_nm, 1e3 * meeting[label].potential_V
            profile.plot(height_nm, potential_mV, line_style, label=f"space charge {label}")
        for share, level_V in ((0.25, 0.5 * ideal_V), (0.75, -0.5 * ideal_V)):
            middle = share * float(meeting["on"].height_nm[-1])
            profile.plot([middle - 0.6, middle + 0.6], [1e3 * level_V] * 2, "--", color="0.5")
        profile.set(xlabel="height (nm)", ylabel="mean potential (mV)", title="a step of concentration, 3 : 1")
        profile.legend()
        console.print(f"wrote {out} and {save(figure, out.with_suffix('.png'))}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_open_circuit: error: {error}", style="red")
        raise SystemExit(2) from None
