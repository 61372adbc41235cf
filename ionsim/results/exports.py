"""What other programs read, next to the run file: tables as CSV, the summary as JSON and the sites as extended XYZ."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ionsim.results.atomic import replacing, write_text
from ionsim.results.model import Sites, Snapshot
from ionsim.results.run import Run
from ionsim.results.summary import write_summary

IV_FILE = "iv.csv"
STEPS_FILE = "voltage_steps.csv"
SUMMARY_FILE = "summary.json"
SITES_FILE = "sites.extxyz"
PULSES_FILE = "pulses.csv"
_ANGSTROM_PER_NM = 10.0

#: Prefix of the series' columns that count the events of a process from the start of the run.
EVENTS = "events_"


def export(run: Run) -> list[Path]:
    """Write all of them into the run's folder, each atomically, and return their paths."""
    paths = [run.folder / IV_FILE, run.folder / SUMMARY_FILE]
    write_iv(paths[0], run)
    write_summary(paths[1], run.summary)
    if any(name.startswith(EVENTS) for name in run.series):
        paths.append(run.folder / STEPS_FILE)
        write_steps(paths[-1], run)
    if run.sites is not None and run.snapshots:
        paths.append(run.folder / SITES_FILE)
        write_sites(paths[-1], run.sites, list(run.snapshots.values()))
    return paths


def write_iv(path: Path, run: Run) -> None:
    """Write the current-voltage curve as CSV; the same run gives the same bytes on every machine."""
    columns = run.iv()
    lines = [",".join(columns)]
    for stage, *numbers in zip(*(values.tolist() for values in columns.values()), strict=True):
        lines.append(",".join([stage, *(f"{number:.9e}" for number in numbers)]))
    write_text(path, "\n".join(lines) + "\n")


def write_steps(path: Path, run: Run) -> None:
    """Write a table with one row for each recorded voltage: current, peak temperature, and the events of the step.

    ``events_<process>`` counts those between the row before and this one. The same run gives the same bytes.
    """
    columns = run.iv()
    columns["temperature_peak_K"] = run.series["temperature_peak_K"]
    events = {name: np.diff(run.series[name], prepend=0.0) for name in run.series if name.startswith(EVENTS)}
    lines = [",".join([*columns, *events])]
    for row in range(len(columns["time_s"])):
        stage, *numbers = (values[row] for values in columns.values())
        counts = [str(round(float(values[row]))) for values in events.values()]
        lines.append(",".join([str(stage), *(f"{number:.9e}" for number in numbers), *counts]))
    write_text(path, "\n".join(lines) + "\n")


def write_pulses(path: Path, levels: Mapping[str, np.ndarray]) -> None:
    """Write a table with one row for each pulse of a train; the same run gives the same bytes."""
    lines = [",".join(["pulse", *levels])]
    for number, row in enumerate(zip(*(values.tolist() for values in levels.values()), strict=True), start=1):
        lines.append(",".join([str(number), *(f"{value:.9e}" for value in row)]))
    write_text(path, "\n".join(lines) + "\n")


def write_sites(path: Path, sites: Sites, snapshots: list[Snapshot]) -> None:
    """Write the snapshots as frames of extended XYZ, in Angstrom, for ASE and OVITO.

    Each atom carries ``potential_V``, ``temperature_K``, ``occupation`` and ``region``; each frame its label, time in s
    and voltage in V.
    """
    from ase import Atoms
    from ase.io import write

    symbols = np.asarray(sites.elements)
    frames = []
    for snapshot in snapshots:
        frame = Atoms(
            symbols=symbols[snapshot.occupation].tolist(),
            positions=sites.positions_nm * _ANGSTROM_PER_NM,
            cell=np.asarray(sites.cell_nm) * _ANGSTROM_PER_NM,
            pbc=list(sites.periodic),
        )
        frame.arrays["potential_V"] = np.asarray(snapshot.potential_V, dtype=float)
        frame.arrays["temperature_K"] = np.asarray(snapshot.temperature_K, dtype=float)
        frame.arrays["occupation"] = snapshot.occupation.astype(int)
        frame.arrays["region"] = np.asarray(sites.region, dtype=int)
        frame.info.update(label=snapshot.label, time_s=snapshot.time_s, voltage_V=snapshot.voltage_V)
        frames.append(frame)
    with replacing(path) as temporary:
        # Only rank 0 gets here; ASE would otherwise wait for all ranks of an MPI run.
        write(temporary, frames, format="extxyz", parallel=False)
