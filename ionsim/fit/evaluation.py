"""One run for a fit: simulated in memory, reduced to what is compared, and kept on the disk by what was run.

Nothing is written but a small file for each outcome, named by a hash of the device, the seed, what is wanted of the run
and the versions. A fit that is started again finds them and goes on where it stopped.
"""

from __future__ import annotations

import gc
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.config import Device
from ionsim.errors import FitError, ResultsError, expected_errors
from ionsim.results.atomic import replacing

Floats = NDArray[np.float64]

#: Columns that every comparison needs to find its way in a series.
BASE = ("time_s", "voltage_V", "stage", "limited")

#: Recorded points in a decade of time of a run that waits for switching.
_PER_DECADE = 20
#: Such a run is recorded from this part of its duration on.
_EARLIEST = 1e-5


class Stopped(Exception):
    """The fit was asked to stop while a run was under way."""


@dataclass(frozen=True)
class Job:
    """A run: ``text`` is the device file; ``columns`` and ``summary`` say what is kept of it.

    With ``until_A`` the run is recorded at times of equal ratio, and ends when the current's magnitude has reached it
    (0: when the compliance limits it).
    """

    text: str
    seed: int
    columns: tuple[str, ...]
    summary: bool = False
    until_A: float | None = None

    def key(self, versions: Mapping[str, str]) -> str:
        """Name of its file: a hash of all that its outcome depends on."""
        parts = [self.text, self.seed, self.columns, self.summary, self.until_A, dict(versions)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """What is kept of a run: columns (N,) by name, the summary, or why it failed."""

    series: dict[str, Floats] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    failed: str | None = None
    wall_s: float = 0.0


def simulate(job: Job, asked: Callable[[], bool] = lambda: False) -> Outcome:
    """Run a job in this process; an error of the run becomes part of the outcome.

    Raises:
        Stopped: when ``asked`` says so, at the next recorded point.
    """
    begun = time.monotonic()
    try:
        series, summary = _run(job, asked)
        outcome = Outcome(series, summary, None, time.monotonic() - begun)
    except expected_errors() as error:
        outcome = Outcome(failed=" ".join(f"{type(error).__name__}: {error}".split()), wall_s=time.monotonic() - begun)
    gc.collect()
    return outcome


def _run(job: Job, asked: Callable[[], bool]) -> tuple[dict[str, Floats], dict[str, Any]]:
    from mpi4py import MPI

    from ionsim.analysis import summarise
    from ionsim.results import plain
    from ionsim.simulation import Simulation

    simulation = Simulation(Device.from_toml(job.text), seed=job.seed, comm=MPI.COMM_SELF)
    drive = simulation.drive
    if job.until_A is not None:
        decades = -np.log10(_EARLIEST)
        shares = np.geomspace(_EARLIEST, 1.0, int(_PER_DECADE * decades) + 1)
        drive.samples_s = np.concatenate([[0.0], drive.duration_s * shares])
    rows: list[dict[str, float]] = []
    for frame in simulation:
        rows.append(frame.row)
        if job.until_A is not None and _switched(frame.row, job.until_A):
            break
        if asked():
            raise Stopped
    every = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    wanted = dict.fromkeys([*BASE, *job.columns])
    summary: dict[str, Any] = {}
    if job.summary:
        summary = plain({**summarise(simulation.device, every, drive.stages), **simulation.family.summary()})
    return {name: every[name] for name in wanted if name in every}, summary


def _switched(row: Mapping[str, float], until_A: float) -> bool:
    return row["limited"] > 0.0 if until_A == 0.0 else abs(row["current_A"]) >= until_A


@dataclass(frozen=True)
class Store:
    """Outcomes on the disk, a file for each."""

    folder: Path
    versions: Mapping[str, str]

    def find(self, job: Job) -> Outcome | None:
        """What was kept of a job, or None."""
        path = self._path(job)
        try:
            with np.load(path, allow_pickle=False) as file:
                head = json.loads(str(file["head"]))
                series = {name.removeprefix("series_"): file[name] for name in file.files if name != "head"}
        except (OSError, ValueError, KeyError, EOFError):
            return None  # not there, or cut short by a full disk: it is run again
        return Outcome(series, head["summary"], head["failed"], head["wall_s"])

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Write an outcome, whole or not at all. FitError where the disk refuses."""
        head = {"summary": outcome.summary, "failed": outcome.failed, "wall_s": outcome.wall_s}
        arrays = {f"series_{name}": values for name, values in outcome.series.items()}
        try:
            with replacing(self._path(job)) as temporary, open(temporary, "wb") as file:
                np.savez(file, head=np.array(json.dumps(head)), **arrays)  # type: ignore[arg-type]
        except ResultsError as error:
            raise FitError(str(error)) from error

    def _path(self, job: Job) -> Path:
        return self.folder / f"{job.key(self.versions)}.npz"
