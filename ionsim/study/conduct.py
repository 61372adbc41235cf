"""A whole study: hand what is left of it to an engine, keep the table up to date, and count what became of it.

::

    plan = ionsim.study.make_plan("forming.toml")
    tally = ionsim.study.run(plan, "forming", workers=4)
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpi4py import MPI
from pydantic import ValidationError

from ionsim.config.problems import device_file_error
from ionsim.errors import IonsimError, StudyError
from ionsim.simulation import Stop
from ionsim.simulation.chief import on_chief
from ionsim.study.description import EngineKeys
from ionsim.study.farm import run_on_ranks
from ionsim.study.folder import StudyFolder
from ionsim.study.plan import Plan, Task
from ionsim.study.points import Outcome
from ionsim.study.table import write_table
from ionsim.study.workers import run_on_workers

if TYPE_CHECKING:
    from ionsim.study.slurm import Submission

#: Exit code of what was stopped and can be resumed: EX_TEMPFAIL of BSD's sysexits.h, as of ``ionsim run``.
STOPPED_CODE = 75


@dataclass(frozen=True)
class Tally:
    """How many runs of a study are complete, failed, stopped midway, or not begun."""

    complete: int
    failed: int
    stopped: int
    waiting: int
    parquet: bool = True

    @property
    def total(self) -> int:
        """Number of runs of the study."""
        return self.complete + self.failed + self.stopped + self.waiting

    @property
    def exit_code(self) -> int:
        """0 when all are complete, 75 when some are left, else 1: some failed."""
        return STOPPED_CODE if self.stopped or self.waiting else 1 if self.failed else 0


def run(
    plan: Plan | StudyFolder, out: str | Path | None = None, *, stop_after_s: float | None = None,
    report: Callable[[int, int, Outcome], None] | None = None, retry_failed: bool = False,
    comm: MPI.Comm = MPI.COMM_WORLD, **engine: Any,
) -> Tally:  # fmt: skip
    """Carry out a study, or what is left of it; what is over is not run again. Collective over ``comm``.

    Args:
        plan: the study and its base device, from :func:`ionsim.study.make_plan`; or a folder that holds it.
        out: folder of the study, made where it is missing; not for a plan that is a folder.
        stop_after_s: wall time (s) after which all runs under way write their state and stop, as they do at SIGTERM,
            SIGUSR1 and a first SIGINT.
        report: called as ``report(number over, number of all, outcome)`` after each run, on rank 0.
        retry_failed: run again what failed before, from its start.
        comm: ranks of the engine mpi; the engine local uses none but the first.
        engine: keys of the study's ``[engine]`` that take the place of those in the file: ``kind``, ``workers``,
            ``ranks_per_run``.

    Returns:
        How many runs are complete, failed, stopped and waiting; on every rank.

    Raises:
        StudyError: for a folder that holds something else, an engine that cannot do it, or a disk that refuses.
    """
    begin = time.monotonic()
    keys = engine_of(plan, engine, comm)
    if keys.kind == "slurm":
        raise StudyError("engine slurm: jobs are handed over with ionsim.study.submit, from a single process")
    folder = on_chief(comm, lambda: folder_of(plan, out))
    tasks = on_chief(comm, lambda: left(folder, retry_failed))
    over = len(folder.plan.tasks) - len(tasks)

    def note(outcome: Outcome) -> None:
        nonlocal over
        over += outcome.status != "stopped"
        if report is not None:
            report(over, len(folder.plan.tasks), outcome)
        write_table(folder, at_once=False)

    with Stop(stop_after_s) as stop:
        if keys.kind == "mpi":
            run_on_ranks(
                folder, tasks, comm, keys.ranks_per_run, stop=stop, report=note, retry_failed=retry_failed
            )  # fmt: skip
        else:
            until = None if stop_after_s is None else begin + stop_after_s
            on_chief(comm, lambda: run_on_workers(
                folder, tasks, keys.workers or usable_cores(), stop=stop, report=note, until=until,
                retry_failed=retry_failed,
            ))  # fmt: skip
    return on_chief(comm, lambda: collect(folder))


def submit(
    plan: Plan | StudyFolder, out: str | Path | None = None, *, stop_after_s: float | None = None, wait: bool = False,
    retry_failed: bool = False, **engine: Any,
) -> tuple[Submission | None, Tally]:  # fmt: skip
    """Hand a study, or what is left of it, to Slurm as a job array; None where nothing is left.

    Arguments as of :func:`run`. Returns at once, or with ``wait`` when the table is written. Raises StudyError where
    Slurm is not to be had or refuses.
    """
    from ionsim.study import slurm

    keys = engine_of(plan, {**engine, "kind": "slurm"}, MPI.COMM_SELF)
    folder = folder_of(plan, out)
    tasks = left(folder, retry_failed)
    if not tasks:
        return None, collect(folder)
    done = slurm.submit(folder, tasks, keys, stop_after_s=stop_after_s, wait=wait, retry_failed=retry_failed)
    return done, count(folder)


def folder_of(plan: Plan | StudyFolder, out: str | Path | None) -> StudyFolder:
    """The folder of a study, made where it is missing."""
    if isinstance(plan, StudyFolder):
        return plan
    if out is None:
        raise StudyError("out: missing; a study needs a folder")
    return StudyFolder.create(plan, out)


def engine_of(plan: Plan | StudyFolder, changes: dict[str, Any], comm: MPI.Comm) -> EngineKeys:
    """The engine of a study with keys changed; under a launcher with several ranks it is mpi unless asked otherwise.

    Raises StudyError for an engine that cannot do what is asked.
    """
    written = (plan.plan if isinstance(plan, StudyFolder) else plan).study.engine
    given = {key: value for key, value in changes.items() if value is not None}
    if comm.size > 1:
        given.setdefault("kind", "mpi")
    try:
        keys = EngineKeys.model_validate({**written.model_dump(), **given})
    except ValidationError as error:
        raise StudyError(str(device_file_error(error, EngineKeys, "engine"))) from None
    if keys.kind == "local" and keys.ranks_per_run > 1:
        raise StudyError(
            f"ranks_per_run = {keys.ranks_per_run}: the engine local gives each run one process; take the engine mpi, "
            f"such as mpiexec -n {1 + keys.ranks_per_run} ionsim study ... --engine mpi"
        )
    if keys.kind == "mpi" and keys.workers is not None and "workers" in given:
        raise StudyError("workers: not with the engine mpi, whose number of ranks the launcher says (mpiexec -n)")
    return keys


def left(folder: StudyFolder, retry_failed: bool = False) -> list[Task]:
    """The runs that are not over, in order."""
    found = []
    for task in folder.plan.tasks:
        record = folder.record(task)
        if record is None or not record.over or (retry_failed and record.status == "failed"):
            found.append(task)
    return found


def count(folder: StudyFolder, parquet: bool = True) -> Tally:
    """What became of the runs so far."""
    states = Counter(record.status for record in folder.records())
    waiting = len(folder.plan.tasks) - states.total()
    return Tally(states["complete"], states["failed"], states["stopped"], waiting, parquet)


def collect(folder: StudyFolder) -> Tally:
    """Write the table of all runs so far, and count them."""
    return count(folder, write_table(folder))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def single() -> bool:
    """Whether this process is the only one of its launch."""
    return bool(MPI.COMM_WORLD.size == 1)


def failures(folder: StudyFolder) -> list[str]:
    """A line for each run that failed: its folder and why."""
    return [
        f"{folder.of(folder.plan.task(record.index)).name}: {record.error}"
        for record in folder.records()
        if record.status == "failed"
    ]


def run_points(
    folder: StudyFolder, numbers: list[int], *, comm: MPI.Comm = MPI.COMM_WORLD, stop_after_s: float | None = None,
    retry_failed: bool = False, report: Callable[[Outcome], None] | None = None,
) -> int:  # fmt: skip
    """Carry out runs of a study by number, one after the other, on all ranks of ``comm``: what a job of an array does.

    Returns the exit code: 0 when all are complete or another process has them, 1 when one failed, 75 when stopped.
    """
    from ionsim.study.points import run_point

    tasks = [folder.plan.task(number) for number in numbers]
    code = 0
    with Stop(stop_after_s) as stop:
        for task in tasks:
            if _agreed(stop, comm):
                return STOPPED_CODE
            outcome = run_point(folder, task, comm=comm, stop=stop, retry_failed=retry_failed)
            if report is not None and comm.rank == 0:
                report(outcome)
            if outcome.status == "stopped":
                return STOPPED_CODE
            code = 1 if outcome.status == "failed" else code
            on_chief(comm, lambda: write_table(folder, at_once=False))
    return code


def _agreed(stop: Stop, comm: MPI.Comm) -> bool:
    """Whether any rank is to stop."""
    return bool(comm.allreduce(stop.asked, op=MPI.LOR))


def resume(path: str | Path, **options: Any) -> Tally:
    """Go on with the study in a folder; options as of :func:`run`."""
    try:
        folder = StudyFolder.open(path)
    except IonsimError as error:
        raise StudyError(str(error)) from error
    return run(folder, **options)
