"""Many seeds of one device as one call: on worker processes, or on MPI ranks."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

import kmc
from ionsim.config import Device
from ionsim.errors import IonsimError, ResultsError
from ionsim.results import Run
from ionsim.results.model import RUN_FILE
from ionsim.simulation.loop import Simulation
from ionsim.simulation.resuming import can_resume, resume

Summary = dict[str, Any]


def ensemble(
    device: Device,
    seeds: Iterable[int],
    out: str | Path,
    *,
    workers: int | None = None,
    comm: MPI.Comm | None = None,
    force: bool = False,
    on_done: Callable[[int, Summary], None] | None = None,
) -> dict[int, Summary]:
    """Run a device with every seed; returns the summaries by seed.

    Each run is the one that ``Simulation(device, seed).run(out/"seed_<n>")`` makes alone, to the last bit. A folder
    that holds a finished run of this device and seed is read, not run again, and an unfinished one is gone on with from
    its checkpoint, unless ``force`` is set.

    Args:
        device: what to simulate.
        seeds: different integers >= 0.
        out: folder of the ensemble; each run gets its own in it.
        workers: processes, one per usable core by default; not together with ``comm``.
        comm: share the seeds among the ranks of a communicator; collective, every rank returns all summaries.
        force: run again what is there.
        on_done: called as ``on_done(seed, summary)`` when a run is over.

    Raises:
        IonsimError: for seeds that are not different integers >= 0, or when a run fails; the message names its seed.
    """
    todo = list(seeds)
    if not todo or len(set(todo)) != len(todo) or any(isinstance(s, bool) or not isinstance(s, int) for s in todo):
        raise IonsimError(f"seeds: {todo}; different integers >= 0 are needed")
    if min(todo) < 0:
        raise IonsimError(f"seeds: {min(todo)}; integers >= 0 are needed")
    build = functools.partial(_run, device.to_toml(), str(Path(out).absolute()), force)
    try:
        found = kmc.ensemble(build, todo, workers=workers, comm=comm, on_done=on_done)
    except kmc.SeedError as error:
        raise IonsimError(f"seed {error.seed}: {error.problem}") from error
    return dict(zip(todo, found, strict=True))


def statistics(summaries: Mapping[int, Summary]) -> dict[str, tuple[float, float, float, float, int]]:
    """Mean, sample standard deviation (nan for one), least, largest and number, by numeric key of the summaries.

    A run in which a quantity did not occur (None) is left out of its statistics.
    """
    table: dict[str, tuple[float, float, float, float, int]] = {}
    for key in next(iter(summaries.values()), {}):
        values = [s[key] for s in summaries.values() if isinstance(s.get(key), int | float) and key != "seed"]
        if values:
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
            table[key] = (float(np.mean(values)), spread, float(min(values)), float(max(values)), len(values))
    return table


def write_table(path: Path, summaries: Mapping[int, Summary]) -> None:
    """Write the summaries as CSV, a line a seed; blank where a quantity did not occur.

    Raises:
        ResultsError: when it cannot be written.
    """
    keys = ["seed", *(key for key in next(iter(summaries.values()), {}) if key != "seed")]
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(keys)
            for seed, summary in summaries.items():
                values = [seed, *(summary.get(key) for key in keys[1:])]
                writer.writerow(["" if value is None else value for value in values])
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error})") from error


def _run(device_toml: str, out: str, force: bool, seed: int) -> Summary:
    folder = Path(out) / f"seed_{seed}"
    device = Device.from_toml(device_toml)
    if not force and (folder / RUN_FILE).exists():
        run = Run.open(folder)
        same = run.seed == seed and run.input_toml == device_toml
        if run.status == "complete":
            if not same:
                raise ResultsError(f"{folder} holds a finished run of another device file or seed")
            return dict(run.summary)
        if same and can_resume(run, ranks=1):
            return dict(resume(folder, comm=MPI.COMM_SELF).summary)
    return dict(Simulation(device, seed=seed, comm=MPI.COMM_SELF).run(folder, force=True).summary)
