"""Forming, RESET and SET of metallisation cells over several seeds: a table, a CSV file and a picture of the cycles.

python scripts/ecm_cycles.py --device ag_sio2_memory --seeds 5
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import ionsim
from ionsim.errors import expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

_COLUMNS = ("V_form_V", "V_reset_V", "V_set_V", "R_LRS_ohm", "R_HRS_ohm", "on_off_ratio", "T_peak_K", "E_action_J")


def main(
    device: Annotated[list[str] | None, typer.Option(help="A device file or an example's name; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 5,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs, the CSV file and the picture.")] = Path("ecm_cycles"),
) -> None:
    """Run each device with each seed."""
    out.mkdir(parents=True, exist_ok=True)
    table = Table("device", "seed", *_COLUMNS, "events", "field solutions", "wall (s)")
    lines = [",".join(["device", "seed", *_COLUMNS])]
    with styled():
        names = device or ["ag_sio2_memory"]
        figure = new_figure(3.4 * len(names), 3.0)
        panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for axes, name in zip(panels, names, strict=True):
            base = ionsim.load(name, changes or ())
            for seed in range(1, seeds + 1):
                run = ionsim.Simulation(base, seed=seed).run(out / f"{base.name}-{seed}", force=True)
                summary = run.summary
                row = [summary.get(key) for key in _COLUMNS]
                table.add_row(
                    base.name, str(seed), *("-" if v is None else f"{v:.3g}" for v in row),
                    str(summary["n_events"]), str(summary["n_field_refreshes"]), f"{summary['wall_time_s']:.0f}",
                )  # fmt: skip
                lines.append(",".join([base.name, str(seed), *("" if v is None else f"{v:.6g}" for v in row)]))
                axes.semilogy(
                    run.series["voltage_V"], np.maximum(np.abs(run.series["current_A"]), 1e-13), lw=0.8,
                    label=f"seed {seed}",
                )  # fmt: skip
            axes.set(xlabel="applied voltage (V)", title=base.name)
        panels[0].set_ylabel("current (A)")
        panels[0].legend(fontsize=6)
        (out / "cycles.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        console.print(table)
        console.print(f"wrote {out / 'cycles.csv'} and {save(figure, out / 'cycles.png')}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_cycles: error: {error}", style="red")
        raise SystemExit(2) from None
