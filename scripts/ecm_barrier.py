"""Energy of a SET with and without a barrier layer at constant voltages: a table, a CSV file and a picture.

python scripts/ecm_barrier.py
python scripts/ecm_barrier.py --voltage 1.6 --seeds 1 --resistance-ohm 1e3

Five cells: 4 nm of SiO2 (the whole thickness of those below), 2 nm of SiO2 (their electrolyte), the example
ag_barrier_2nm (2 nm of SiO2 and 2 nm of HfO2), the same with hops in the barrier as fast as in SiO2, and the same with
a barrier that metal enters as easily as SiO2. What the energies are is said in ionsim/analysis/set_energy.py.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ionsim.analysis.set_energy import SetPulse, set_pulse
from ionsim.config import EcmDevice, load
from ionsim.coupling.metal import G0_S
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import new_figure, save, styled

console = Console()

_THICK, _THIN, _BARRIER = "4 nm SiO2", "2 nm SiO2", "2 nm SiO2 + barrier"

#: Name -> example and what is changed in it.
CELLS: dict[str, tuple[str, dict[str, float]]] = {
    _THICK: ("ag_sio2_memory", {}),
    _THIN: ("ag_sio2_memory", {"layers.electrolyte.thickness_nm": 2.0}),
    _BARRIER: ("ag_barrier_2nm", {}),
    "barrier with hops of SiO2": ("ag_barrier_2nm", {"layers.barrier.hop_shift_eV": 0.0}),
    "barrier that metal enters": ("ag_barrier_2nm", {"layers.barrier.atom_shift_eV": 0.0}),
}

_COLUMNS = ("cell", "voltage_V", "seed", "tau_s", "G_off_S", "G_on_S", "E_until_set_J", "E_pulse_J", "E_pulse_cell_J",
            "E_spike_J", "E_fire_J", "E_action_J", "T_peak_K", "atoms_in_barrier")  # fmt: skip


def cell(name: str) -> EcmDevice:
    """The device of a name in ``CELLS``."""
    example, changes = CELLS[name]
    device = load(example)
    if not isinstance(device, EcmDevice):
        raise DeviceFileError(f"family: {device.family!r}; a filament's barrier needs a device of the family 'ecm'")
    return device.replace(changes)


def figures(pulse: SetPulse) -> list[float]:
    """What is printed of a pulse, in the order of the columns after the seed."""
    return [pulse.tau_s, pulse.off_S, pulse.on_S, pulse.until_set_J, pulse.pulse_J, pulse.cell_J, pulse.spike_J,
            pulse.fire_J, pulse.action_J, pulse.peak_K, pulse.in_barrier]  # fmt: skip


def middle(values: np.ndarray) -> np.ndarray:
    """Geometric mean along the first axis; nan as soon as one of the seeds did not set."""
    return np.asarray(np.exp(np.mean(np.log(values), axis=0)))


def at_time(times_s: np.ndarray, values: np.ndarray, tau_s: float) -> float:
    """A figure (V,) at the voltage of this SET time, on a power law between two voltages; nan outside of the range."""
    order = np.argsort(times_s)
    times_s, values = times_s[order], values[order]
    known = np.isfinite(times_s)
    inside = known.any() and times_s[known].min() <= tau_s <= times_s[known].max()
    return float(np.exp(np.interp(np.log(tau_s), np.log(times_s[known]), np.log(values[known])))) if inside else np.nan


def show(means: dict[str, np.ndarray], voltages_V: np.ndarray, ranges: dict[str, np.ndarray]) -> None:
    """One line for each cell and voltage: geometric means, least and most of E_action, and the ratio to 4 nm."""
    table = Table("V", "cell", "tau (s)", "G_on/G0", "E until SET (J)", "E pulse (J)", "E_spike (J)", "E_fire (J)",
                  "E_action (J)", "least to most", "times less than 4 nm", "than 2 nm", "T (K)")  # fmt: skip
    for row, voltage_V in enumerate(voltages_V):
        for name, mean in means.items():
            tau, _, on, until, pulse, _, spike, fire, action, peak, _ = mean[row]
            least, most = ranges[name][row]
            table.add_row(
                f"{voltage_V:g}", name, f"{tau:.2g}", f"{on / G0_S:.2g}", f"{until:.1e}", f"{pulse:.1e}",
                f"{spike:.1e}", f"{fire:.1e}", f"{action:.1e}", f"{least:.0e}, {most:.0e}",
                f"{means[_THICK][row][8] / action:.2g}", f"{means[_THIN][row][8] / action:.2g}", f"{peak:.0f}",
            )  # fmt: skip
    console.print(table)


def show_at_time(means: dict[str, np.ndarray], voltages_V: np.ndarray, tau_s: float) -> None:
    """E_action of all cells where their SET times are the same."""
    table = Table("cell", f"V at tau = {tau_s:g} s", "G_on/G0", "E pulse (J)", "E_action (J)")
    for name, mean in means.items():
        values = [at_time(mean[:, 0], of, tau_s) for of in (voltages_V, mean[:, 2] / G0_S, mean[:, 4], mean[:, 8])]
        table.add_row(name, *("-" if np.isnan(value) else f"{value:.2g}" for value in values))
    console.print(table)


def draw(means: dict[str, np.ndarray], path: Path, title: str) -> Path:
    """E_action and the energy of the pulse against the SET time."""
    with styled():
        figure = new_figure(6.4, 3.2)
        for axes, column, label in zip(figure.subplots(1, 2, sharey=True), (8, 4), ("E_action", "pulse"), strict=True):
            for name, mean in means.items():
                axes.loglog(mean[:, 0], mean[:, column], "o-", label=name)
            axes.set(xlabel="SET time (s)", title=label)
        figure.axes[0].set_ylabel("energy (J)")
        figure.axes[1].legend(fontsize=6)
        figure.suptitle(title, fontsize=8)
        return save(figure, path)


def main(
    voltage: Annotated[list[float] | None, typer.Option(help="Voltage of the source in V; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 3,
    resistance_ohm: Annotated[float, typer.Option(min=0.0, help="Resistor in series, Ohm.")] = 1e4,
    same_s: Annotated[float, typer.Option(min=0.0, help="SET time at which cells are compared, s.")] = 2e-4,
    longest_s: Annotated[float, typer.Option(min=0.0, help="Give up after this simulated time, s.")] = 1.0,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path("ecm_barrier.csv"),
) -> None:
    """Measure all cells at all voltages."""
    voltages_V = np.sort(voltage or [1.4, 1.6, 1.8, 2.0])
    means = {name: np.full((len(voltages_V), 11), np.nan) for name in CELLS}
    ranges = {name: np.full((len(voltages_V), 2), np.nan) for name in CELLS}
    lines = [",".join(_COLUMNS)]
    for row in range(len(voltages_V) - 1, -1, -1):  # the quick ones first
        for name in CELLS:
            device, rows = cell(name), []
            for seed in range(1, seeds + 1):
                pulse = set_pulse(
                    device, float(voltages_V[row]), seed, resistance_ohm=resistance_ohm, longest_s=longest_s
                )
                rows.append(figures(pulse))
                lines.append(",".join([name, f"{voltages_V[row]:g}", str(seed),
                                       *(f"{value:.6g}" for value in rows[-1])]))  # fmt: skip
                console.print(f"  {voltages_V[row]:g} V, {name}, seed {seed}: {pulse.tau_s:.2g} s, E_action "
                              f"{pulse.action_J:.2g} J", style="dim")  # fmt: skip
            with np.errstate(divide="ignore"):  # no atoms in the barrier
                means[name][row] = middle(np.array(rows))
            ranges[name][row] = np.min(rows, axis=0)[8], np.max(rows, axis=0)[8]
            out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    show(means, voltages_V, ranges)
    show_at_time(means, voltages_V, same_s)
    picture = draw(means, out.with_suffix(".png"), f"{seeds} seeds, {resistance_ohm:g} Ohm in series")
    console.print(f"wrote {out} and {picture}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_barrier: error: {error}", style="red")
        raise SystemExit(2) from None
