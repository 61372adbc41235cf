"""SET time of a metallisation cell against a constant voltage, and what limits it: a table, a CSV file and a picture.

python scripts/ecm_kinetics.py --voltage 2.0 --voltage 1.6 --voltage 1.4 --seeds 3
python scripts/ecm_kinetics.py --device ag_gese_kinetics --lead 3000 --slowed --seeds 6 --longest-s 1e6 --voltage ...

What limits is read off the events, and off runs in which the supply of ions (hops, and the exchange with the active
electrode) is ten times slower (``--slowed``): it makes up the share (t'/t - 1)/9 of the time. Nucleation limits where
fewer than half of the reduced ions stay atoms, transfer where 95 % stay and supply takes less than 15 % of the time,
supply ("migration") where it takes more than half. The slope where transfer limits is fitted to all runs.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import kmc
from ionsim.config import EcmDevice, load
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError, expected_errors
from ionsim.plots.style import BLUE, GREEN, MUTED, PURPLE, VERMILLION, new_figure, save, styled

console = Console()

#: A cell has set when this current flows, A, or what the compliance lets through: a gap of a plane or two is left then.
_SET_A = 1e-6

#: The clock is looked at after intervals that grow by this factor, so a SET time is known within 5 %.
_GROWTH = 1.1

#: How much slower the supply of ions is in the runs that ask what limits.
_SLOWER = 10.0

#: The transfer coefficient of the rate law (docs/ecm-model.md).
_ALPHA = 0.5

#: Bonds of an atom on a flat (100) facet, and of one at a kink.
_ADATOM, _KINK = 4, 6

#: Least share of the voltage that is overpotential at the deposit where ``--lead`` may use the whole.
_AT_DEPOSIT = 0.95

#: Of the points in the picture, by what limits.
_COLOURS = {"nucleation": PURPLE, "transfer": GREEN, "migration": VERMILLION, "mixed": MUTED, "": BLUE}


class Run(NamedTuple):
    """Time until SET (nan: longer than was waited) and the events until then."""

    time_s: float
    counts: dict[str, int]


def set_time(device: EcmDevice, voltage_V: float, compliance_A: float, seed: int, longest_s: float) -> Run:
    """Hold a voltage until 1 uA flows."""
    cell = Ecm(device, np.random.SeedSequence(seed))
    cell.initialise()
    until_s = 1e-9
    while until_s < longest_s:
        cell.advance(until_s, voltage_V, Circuit(0.0, compliance_A))
        if cell.observe()["current_A"] >= min(_SET_A, compliance_A) * (1.0 - 1e-9):
            return Run(until_s / _GROWTH**0.5, dict(cell.engine.counts))
        until_s *= _GROWTH
    return Run(float("nan"), dict(cell.engine.counts))


def adatom_rates_Hz(device: EcmDevice, voltage_V: float) -> tuple[float, float]:
    """Rate at which an ion beside a flat facet becomes an adatom with this overpotential, and that of the reverse."""
    bond_eV, ion = device.kinetic("atom.bond_eV"), device.ion
    change_eV = (
        device.kinetic("atom.strain_eV") + (_KINK - _ADATOM) * bond_eV - device.kinetic("ion.energy_eV")
        - ion.charge_e * voltage_V
    )  # fmt: skip
    symmetric_eV = max(device.kinetic("transfer.barrier_eV"), 0.5 * abs(change_eV))
    barriers_eV = np.array([symmetric_eV + 0.5 * change_eV, symmetric_eV - 0.5 * change_eV])
    forward_Hz, back_Hz = ion.attempt_Hz * np.exp(-barriers_eV / (kmc.KB_EV * device.ambient_K))
    return float(forward_Hz), float(back_Hz)


def capped(device: EcmDevice, voltage_V: float, lead: float) -> EcmDevice:
    """Ions that hop and cross the active electrode at most ``lead`` times faster than the transfer to a flat facet.

    Atoms hop on the metal at most as fast. Both leave what is in balance as it is; what they do to the time is measured
    with another lead. Raises DeviceFileError where much of the voltage drops elsewhere than at the deposit.
    """
    virgin = Ecm(device, np.random.SeedSequence(1))
    virgin.initialise()
    share = float(virgin.fields.unit_potential.min())
    if share < _AT_DEPOSIT:
        raise DeviceFileError(
            f"--lead: {share:.2f} of the voltage is overpotential at the inert electrode; at least {_AT_DEPOSIT} needed"
        )
    fastest_Hz = lead * max(adatom_rates_Hz(device, voltage_V))
    hop_Hz = device.ion.attempt_Hz * np.exp(-device.kinetic("ion.hop_barrier_eV") / (kmc.KB_EV * device.ambient_K))
    changes = {"atom.max_surface_rate_Hz": min(fastest_Hz / lead, device.atom.max_surface_rate_Hz or np.inf)}
    if fastest_Hz < hop_Hz:
        changes |= {"ion.max_hop_rate_Hz": fastest_Hz, "transfer.max_rate_Hz": fastest_Hz}
    return device.replace(changes)


def slowed(device: EcmDevice) -> EcmDevice:
    """The cell with a supply of ions slower by ``_SLOWER``: barriers of hops and at the active electrode, and caps."""
    higher_eV = kmc.KB_EV * device.ambient_K * np.log(_SLOWER)
    active_eV = device.transfer.active_barrier_eV
    changes = {
        "ion.hop_barrier_eV": device.kinetic("ion.hop_barrier_eV") + higher_eV,
        "transfer.active_barrier_eV": (device.kinetic("transfer.barrier_eV") if active_eV is None else active_eV)
        + higher_eV,
    }
    if device.ion.max_hop_rate_Hz is not None:
        changes["ion.max_hop_rate_Hz"] = device.ion.max_hop_rate_Hz / _SLOWER
    if device.transfer.max_rate_Hz is not None:
        changes["transfer.max_rate_Hz"] = device.transfer.max_rate_Hz / _SLOWER
    return device.replace(changes)


class Point(NamedTuple):
    """What was measured at one voltage: times of all seeds, and what limits them."""

    voltage_V: float
    times_s: NDArray[np.float64]
    slowed_s: NDArray[np.float64]
    counts: dict[str, int]

    @property
    def middle_s(self) -> float:
        """Geometric mean of the times that are known."""
        return middle(self.times_s)

    @property
    def stays(self) -> float:
        """Share of the reduced ions that are not oxidised again."""
        undone = self.counts["oxidation"] + self.counts["stripping_inert"] + self.counts["stripping_active"]
        return 1.0 - undone / max(self.reduced, 1)

    @property
    def reduced(self) -> int:
        """Ions that became atoms, one way."""
        return self.counts["reduction"] + self.counts["plating_inert"] + self.counts["plating_active"]

    @property
    def hops(self) -> float:
        """Hops of ions for each reduction."""
        return self.counts["ion_hop"] / max(self.reduced, 1)

    @property
    def returned(self) -> float:
        """Share of the ions of the active electrode that go back into it: 1 where it is in balance with them."""
        return self.counts["absorption"] / max(self.counts["injection"], 1)

    @property
    def supply(self) -> float:
        """Share of the time that the supply of ions takes; nan without slowed runs."""
        return (middle(self.slowed_s) / self.middle_s - 1.0) / (_SLOWER - 1.0)

    @property
    def regime(self) -> str:
        """What limits; empty where it was not asked."""
        if not np.isfinite(self.supply):
            return ""
        if self.stays < 0.5:
            return "nucleation"
        if self.supply > 0.5:
            return "migration"
        return "transfer" if self.stays > 0.95 and self.supply < 0.15 else "mixed"


def middle(times_s: NDArray[np.float64]) -> float:
    """Geometric mean of the times that are known; nan without any."""
    known = times_s[np.isfinite(times_s)]
    return float(np.exp(np.log(known).mean())) if len(known) else float("nan")


def fitted_slope_per_V(points: list[Point]) -> tuple[float, float]:
    """d ln t/dV by least squares over all runs, and its standard error, 1/V; nan where runs are too few."""
    voltages_V = np.concatenate([np.full(len(point.times_s), point.voltage_V) for point in points])
    logs = np.log(np.concatenate([point.times_s for point in points]))
    known = np.isfinite(logs)
    offset = voltages_V[known] - voltages_V[known].mean()
    spread = float(offset @ offset)
    if spread == 0.0:
        return float("nan"), float("nan")
    slope = float(offset @ logs[known]) / spread
    if known.sum() < 3:
        return slope, float("nan")
    left = logs[known] - logs[known].mean() - slope * offset
    return slope, float(np.sqrt(left @ left / (known.sum() - 2) / spread))


def main(
    voltage: Annotated[list[float] | None, typer.Option(help="Applied voltage in V; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 2,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "ag_sio2_memory",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    compliance_A: Annotated[float, typer.Option(min=0.0, help="Current limit, A.")] = 1e-6,
    longest_s: Annotated[float, typer.Option(min=0.0, help="Give up after this simulated time, s.")] = 1.0,
    lead: Annotated[float | None, typer.Option(min=1.0, help="Ions: at most this much faster than transfer.")] = None,
    slow: Annotated[bool, typer.Option("--slowed", help="Ask what limits: run with a slower supply as well.")] = False,
    more: Annotated[list[Path] | None, typer.Option(help="CSV file of an earlier run to show as well.")] = None,
    out: Annotated[Path, typer.Option(help="The CSV file; the picture has the same name.")] = Path("ecm_kinetics.csv"),
) -> None:
    """Measure the SET times one after the other."""
    base = load(device, changes or ())
    if not isinstance(base, EcmDevice):
        raise DeviceFileError(
            f"family: {base.family!r}; SET times of metal filaments need a device of the family 'ecm'"
        )
    points: list[Point] = []
    for value_V in sorted(voltage or [2.0, 1.8, 1.6, 1.4], reverse=True):  # the quick ones first
        cell = base if lead is None else capped(base, value_V, lead)
        runs = [set_time(cell, value_V, compliance_A, seed, longest_s) for seed in range(1, seeds + 1)]
        later = [
            set_time(slowed(cell), value_V, compliance_A, seed, longest_s * _SLOWER) for seed in range(1, seeds + 1)
        ] if slow else []  # fmt: skip
        counts = {name: sum(run.counts[name] for run in runs) for name in runs[0].counts}
        times_s, slowed_s = (np.array([run.time_s for run in some]) for some in (runs, later))
        points.insert(0, Point(value_V, times_s, slowed_s, counts))
        console.print(f"  {value_V:g} V: " + ", ".join(f"{run.time_s:.3g}" for run in [*runs, *later]), style="dim")
        write(out, points)
    points = sorted([*points, *(point for path in more or () for point in read(path))], key=lambda p: p.voltage_V)
    write(out, points)
    per_V = _ALPHA * base.ion.charge_e / (kmc.KB_EV * base.ambient_K)
    console.print(table(points, per_V))
    limited = [point for point in points if point.regime == "transfer"]
    if limited:
        slope, error = fitted_slope_per_V(limited)
        console.print(
            f"transfer limits from {limited[0].voltage_V:g} to {limited[-1].voltage_V:g} V: d ln t/dV = {slope:.2f} +- "
            f"{error:.2f} /V, {-slope / per_V:.3f} +- {error / per_V:.3f} of -alpha z e/kT"
        )
    console.print(f"wrote {out} and {picture(out, points, base.name, per_V, limited)}")


def table(points: list[Point], per_V: float) -> Table:
    """One row for each voltage; slopes in 1/V and in alpha z e/kT = ``per_V``."""
    shown = Table("V", "SET time, geometric mean (s)", "least (s)", "most (s)", "d ln t/dV to the next (1/V)",
                  "in alpha z e/kT", "reductions that stay", "hops a reduction", "ions that return", "supply's share",
                  "limits")  # fmt: skip
    for row, point in enumerate(points):
        slope = fitted_slope_per_V(points[row : row + 2])[0]
        shown.add_row(f"{point.voltage_V:g}", f"{point.middle_s:.3g}", f"{np.nanmin(point.times_s):.3g}",
                      f"{np.nanmax(point.times_s):.3g}", f"{slope:.2f}", f"{slope / per_V:.2f}", f"{point.stays:.3f}",
                      f"{point.hops:.3g}", f"{point.returned:.3f}", f"{point.supply:.3f}", point.regime)  # fmt: skip
    return shown


def write(out: Path, points: list[Point]) -> None:
    """The CSV file: times with each seed, and with a slower supply, then events until SET of all seeds together."""
    names = [f"seed_{k + 1}_s" for k in range(max(len(point.times_s) for point in points))]
    slow_names = [f"slowed_seed_{k + 1}_s" for k in range(max(len(point.slowed_s) for point in points))]
    events = list(points[0].counts)
    rows = [
        [point.voltage_V, *padded(point.times_s, len(names)), *padded(point.slowed_s, len(slow_names)),
         *(point.counts[name] for name in events)] for point in points
    ]  # fmt: skip
    header = ",".join(["voltage_V", *names, *slow_names, *(f"events_{name}" for name in events)])
    np.savetxt(out, rows, delimiter=",", comments="", header=header, fmt="%.10g")


def padded(times_s: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """As many times, nan behind the last."""
    return np.append(times_s, np.full(number - len(times_s), np.nan))


def read(path: Path) -> list[Point]:
    """What an earlier run has written."""
    rows = np.atleast_1d(np.genfromtxt(path, delimiter=",", names=True))
    names = rows.dtype.names or ()

    def times(row: np.void, beginning: str) -> NDArray[np.float64]:
        return np.array([row[name] for name in names if name.startswith(beginning)])

    return [
        Point(float(row["voltage_V"]), times(row, "seed_"), times(row, "slowed_"),
              {name.removeprefix("events_"): int(row[name]) for name in names if name.startswith("events_")})
        for row in rows
    ]  # fmt: skip


def picture(out: Path, points: list[Point], title: str, per_V: float, limited: list[Point]) -> Path:
    """All times and their means in the colour of what limits, and the slope of transfer where it does."""
    with styled():
        figure = new_figure(4.4, 3.4)
        axes = figure.add_subplot()
        axes.semilogy([p.voltage_V for p in points], [p.middle_s for p in points], "-", color=MUTED, linewidth=0.8)
        for name, colour in _COLOURS.items():
            for number, point in enumerate([p for p in points if p.regime == name]):
                across = np.full(len(point.times_s), point.voltage_V)
                label = (name or None) if number == 0 else None
                axes.semilogy(across, point.times_s, "o", color=colour, alpha=0.6, markersize=3.5, label=label)
        if limited:
            ends_V = np.array([limited[0].voltage_V - 0.1, limited[-1].voltage_V + 0.1])
            centre_V = float(np.mean([p.voltage_V for p in limited]))
            centre = float(np.mean([np.log(p.middle_s) for p in limited]))
            axes.semilogy(ends_V, np.exp(centre - per_V * (ends_V - centre_V)), "--", color="k", linewidth=0.9,
                          label=r"slope $-\alpha ze/kT$")  # fmt: skip
            axes.legend()
        axes.set(xlabel="applied voltage (V)", ylabel="SET time (s)", title=title)
        return save(figure, out.with_suffix(".png"))


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"ecm_kinetics: error: {error}", style="red")
        raise SystemExit(2) from None
