"""How long a study will take, as far as it can be said: from runs of it that are over, or from a run begun for it."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ionsim.errors import StudyError
from ionsim.study.folder import StudyFolder, is_study
from ionsim.study.plan import Plan
from ionsim.study.record import Record


@dataclass(frozen=True)
class Forecast:
    """Wall time of the runs that are left, s, one after the other; ``basis`` says where it is from."""

    n_left: int
    run_s: float
    basis: str

    @property
    def total_s(self) -> float:
        """All that is left, on one worker."""
        return self.n_left * self.run_s


def from_records(plan: Plan, out: str | Path) -> Forecast | None:
    """From the runs of the study that are over; None where there are none."""
    if not is_study(out):
        return None
    records: list[Record] = StudyFolder.open(out).records()
    walls = [record.wall_time_s for record in records if record.status == "complete" and record.wall_time_s is not None]
    n_left = plan.n_runs - sum(record.over for record in records)
    if not walls:
        return None
    return Forecast(n_left, statistics.mean(walls), f"mean of {len(walls)} runs of this study")


def from_probe(plan: Plan, seconds: float) -> Forecast:
    """From the first run, begun for so many seconds in a folder that goes away again.

    What it had done of its drive by then is taken as the share of the work. That is rough: a device that forms late has
    its events at the end.
    """
    from mpi4py import MPI

    from ionsim.simulation import Simulation, Stop

    task = plan.tasks[0]
    with tempfile.TemporaryDirectory() as scratch:
        device = plan.device(task.values)
        simulation = Simulation(device, seed=device.seed if task.seed is None else task.seed, comm=MPI.COMM_SELF)
        begin = time.monotonic()
        run = simulation.run(Path(scratch) / "run", stop=Stop(seconds))
        wall_s = time.monotonic() - begin
    if run.status == "complete":
        return Forecast(plan.n_runs, wall_s, f"one run of {task.label}")
    done = float(run.series["time_s"][-1]) / simulation.drive.duration_s
    if done <= 0.0:
        raise StudyError(f"{task.label}: nothing was recorded in {seconds:g} s")
    basis = f"{seconds:.0f} s of {task.label}, {100 * done:.0f} % of its drive; rough"
    return Forecast(plan.n_runs, wall_s / done, basis)


def duration_text(seconds: float) -> str:
    """Seconds as s, min or h."""
    for unit, name in ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"
