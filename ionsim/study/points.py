"""One run of a study: taken by one process, carried out or gone on with, and recorded."""

from __future__ import annotations

import errno
import gc
import re
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mpi4py import MPI

from ionsim.config import Device
from ionsim.config.vcm import VcmDevice
from ionsim.errors import ResultsError, StudyError
from ionsim.results import Run, export, plain, versions
from ionsim.results.exports import SUMMARY_FILE
from ionsim.simulation import Simulation, Stop, resume
from ionsim.simulation.chief import on_chief
from ionsim.simulation.resuming import can_resume
from ionsim.study.folder import StudyFolder
from ionsim.study.locks import locked
from ionsim.study.observables import of_summary
from ionsim.study.plan import Task
from ionsim.study.record import Record

#: What the operating system says when a disk is full, read-only, gone or over its quota: no fault of the point.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)


@dataclass(frozen=True)
class Outcome:
    """What became of a run now: its record's status, or "taken" when another process works on it.

    ``ran`` is False for one that was over before. ``wall_time_s`` is that of all its parts.
    """

    index: int
    label: str
    status: Literal["complete", "failed", "stopped", "taken"]
    error: str | None = None
    wall_time_s: float | None = None
    ran: bool = True


def run_point(
    folder: StudyFolder, task: Task, *, comm: MPI.Comm = MPI.COMM_SELF, stop: Stop | None = None,
    retry_failed: bool = False,
) -> Outcome:  # fmt: skip
    """Carry out one run of a study, or what is left of it, and record it in its folder; collective over ``comm``.

    A run that is over is not run again, and one that another process works on is left alone. An error of the run
    becomes its record, whatever it is.

    Raises:
        StudyError: where the disk refuses: that is no fault of the run, which can go on later.
    """
    with ExitStack() as held:
        before = on_chief(comm, lambda: _begin(folder, task, held, comm.size, retry_failed))
        if isinstance(before, Outcome):
            return before
        run: Run | None = None
        error: Exception | None = None
        try:
            run = _carry_out(folder, task, before, comm, stop)
        except Exception as raised:
            error = raised
        gc.collect()
        return on_chief(comm, lambda: _end(folder, task, run, error))


def record_failure(folder: StudyFolder, task: Task, problem: str) -> Outcome:
    """Record that a run cannot be carried out, unless another process works on it or it is over."""
    with ExitStack() as held:
        before = _begin(folder, task, held, 1, retry_failed=False, announce=False)
        if isinstance(before, Outcome):
            return before
        return _keep(folder, task, replace(_blank(folder, task), error=problem))


def _begin(
    folder: StudyFolder, task: Task, held: ExitStack, ranks: int, retry_failed: bool, announce: bool = True
) -> Outcome | str:
    """Take a run: "start" or "resume"; else what there is to say of it. The claim is held until ``held`` ends."""
    if not held.enter_context(locked(folder.claim(task), wait=False)):
        return Outcome(task.index, task.label, "taken", ran=False)
    there = folder.record(task)
    if there is not None and there.over and not (retry_failed and there.status == "failed"):
        return Outcome(task.index, task.label, there.status, there.error, there.wall_time_s, ran=False)
    failed = there is not None and there.status == "failed"
    begun = "resume" if not failed and _can_go_on(folder.of(task), ranks) else "start"
    if announce:
        folder.log(begun, task)
    return begun


def _can_go_on(folder: Path, ranks: int) -> bool:
    """Whether a run's folder holds something to go on from: a checkpoint, or a finished run that was not recorded.

    The rest of a run can only be what it would have been with the same versions and the same number of ranks;
    otherwise the run begins anew.
    """
    try:
        run = Run.open(folder)
    except ResultsError:
        return False
    return run.status == "complete" or can_resume(run, ranks)


def _carry_out(folder: StudyFolder, task: Task, begun: str, comm: MPI.Comm, stop: Stop | None) -> Run:
    if begun == "resume":
        return resume(folder.of(task), comm=comm, stop=stop)
    device = device_of(folder, task)
    simulation = Simulation(device, seed=device.seed if task.seed is None else task.seed, comm=comm)
    return simulation.run(folder.of(task), force=True, stop=stop)


def device_of(folder: StudyFolder, task: Task) -> Device:
    """The device of a run. The continuum of a pair has the numbers of its lattice; finding them takes seconds."""
    device = folder.plan.device(task.values)
    if task.model != "continuum":
        return device
    from ionsim.analysis.vcm_mapping import conductivity_table, matched

    assert isinstance(device, VcmDevice)
    return matched(device, conductivity_table(device))


def _end(folder: StudyFolder, task: Task, run: Run | None, error: Exception | None) -> Outcome:
    if error is not None:
        if (problem := _disk_problem(error)) is not None:
            raise StudyError(f"{folder.of(task)}: {problem}") from error
        text = "".join(traceback.format_exception(error))
        return _keep(folder, task, replace(_blank(folder, task), error=_one_line(folder, error), traceback=text))
    assert run is not None
    if run.status == "stopped":
        return _keep(folder, task, replace(_blank(folder, task), status="stopped", versions=run.versions))
    if not (run.folder / SUMMARY_FILE).exists():  # killed between the run file and the tables
        export(run)
    device = folder.plan.device(task.values)
    kept = plain(of_summary(device, run.summary, folder.plan.study.observables))
    record = replace(_blank(folder, task), status="complete", observables=kept, versions=run.versions)
    return _keep(folder, task, replace(record, wall_time_s=run.summary.get("wall_time_s")))


def _blank(folder: StudyFolder, task: Task) -> Record:
    inputs = folder.plan.inputs(task.values)
    return Record(task.index, task.point, task.seed, task.model, "failed", inputs, versions=versions())


def _keep(folder: StudyFolder, task: Task, record: Record) -> Outcome:
    record.write(folder.of(task))
    folder.log(record.status, task, **({} if record.error is None else {"error": record.error}))
    return Outcome(task.index, task.label, record.status, record.error, record.wall_time_s)


def _disk_problem(error: BaseException | None) -> str | None:
    """What the disk had against it, if that is what went wrong."""
    while error is not None:
        if isinstance(error, StudyError) or (isinstance(error, OSError) and error.errno in _DISK):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def _one_line(folder: StudyFolder, error: Exception) -> str:
    """An error as a cell of the table: the same text wherever the study's folder is."""
    text = f"{type(error).__name__}: {error}".replace(str(folder.path.absolute()), ".").replace(str(folder.path), ".")
    return re.sub(r"\s+", " ", text).strip()
