"""The engine mpi: rank 0 hands out runs, the other ranks carry them out in groups.

``mpiexec -n 9`` with four ranks per run makes two groups of four. The farm is that of ``mpi4py.futures``; the first
rank of each group takes part in it and tells its group what comes next.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from mpi4py import MPI
from mpi4py.futures import MPICommExecutor, MPIPoolExecutor

from ionsim.errors import StudyError
from ionsim.simulation import Stop
from ionsim.study.folder import StudyFolder
from ionsim.study.plan import Task
from ionsim.study.points import Outcome, run_point

#: How long rank 0 waits for news before it looks at the clock again, and for a run that another process has, s.
_LOOK_S, _TAKEN_S = 0.5, 2.0


@dataclass(frozen=True)
class _Group:
    """The ranks that share a run, and what they need for it."""

    comm: MPI.Comm
    folder: StudyFolder
    stop: Stop
    retry_failed: bool

    def run(self, task: Task) -> Outcome:
        """Carry out a run; on all ranks of the group."""
        outcome = run_point(self.folder, task, comm=self.comm, stop=self.stop, retry_failed=self.retry_failed)
        if self.comm.size > 1:
            from petsc4py import PETSc

            # Objects of several ranks wait until all of them are asked to let go (Python's collectors do not agree).
            gc.collect()
            PETSc.garbage_cleanup(self.comm)  # type: ignore[arg-type]
        return outcome


#: The group of this rank while it is in the farm; a task of ``mpi4py.futures`` gets its arguments only.
_group: _Group | None = None


def run_on_ranks(
    folder: StudyFolder, tasks: Iterable[Task], comm: MPI.Comm, ranks_per_run: int, *, stop: Stop,
    report: Callable[[Outcome], None], retry_failed: bool = False,
) -> None:  # fmt: skip
    """Carry out runs on the ranks of a communicator; collective. ``report`` is called on rank 0 with each outcome.

    A signal for ``stop`` must reach all ranks, as launchers see to. With one rank it does all the work itself.

    Raises:
        StudyError: for fewer than 1 + ``ranks_per_run`` ranks, or when the disk refuses; on all ranks.
    """
    if comm.size == 1 and ranks_per_run == 1:
        for task in tasks:
            if stop.asked:
                return
            report(run_point(folder, task, comm=comm, stop=stop, retry_failed=retry_failed))
        return
    n_groups = (comm.size - 1) // ranks_per_run
    if n_groups < 1:
        raise StudyError(
            f"{comm.size} ranks: the engine mpi needs one that hands out runs and {ranks_per_run} for each run under "
            f"way, so {1 + ranks_per_run} or more"
        )
    number, place = divmod(comm.rank - 1, ranks_per_run)
    works = comm.rank > 0 and number < n_groups
    mine: Any = comm.Split(number if works else MPI.UNDEFINED, comm.rank)
    leads = works and place == 0
    farm: Any = comm.Split(0 if comm.rank == 0 or leads else MPI.UNDEFINED, comm.rank)
    trouble: StudyError | None = None
    try:
        if comm.rank == 0:
            with MPICommExecutor(farm, root=0) as executor:
                assert isinstance(executor, MPIPoolExecutor)
                trouble = _hand_out(executor, list(tasks), n_groups, stop, report)
        elif leads:
            _lead(_Group(mine, folder, stop, retry_failed), farm)
        elif works:
            _follow(_Group(mine, folder, stop, retry_failed))
    finally:
        for part in (mine, farm):
            if part != MPI.COMM_NULL:
                part.Free()
    trouble = comm.bcast(trouble)
    if trouble is not None:
        raise trouble


def _hand_out(
    executor: MPIPoolExecutor, tasks: list[Task], n_groups: int, stop: Stop, report: Callable[[Outcome], None]
) -> StudyError | None:
    """Rank 0: a run to each group that has none, until all are over or it is time to stop."""
    waiting, later = deque(tasks), deque[tuple[float, Task]]()
    pending: dict[Future[Outcome | StudyError], Task] = {}
    trouble: StudyError | None = None
    halted = False
    while True:
        halted = halted or stop.asked or trouble is not None
        while not halted and len(pending) < n_groups:
            if later and later[0][0] <= time.monotonic():
                task = later.popleft()[1]
            elif waiting:
                task = waiting.popleft()
            else:
                break
            pending[executor.submit(_on_leader, task)] = task
        if not pending:
            if halted or not (waiting or later):
                return trouble
            time.sleep(_LOOK_S)
            continue
        done, _ = wait(pending, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        for future in done:
            task, answer = pending.pop(future), future.result()
            if isinstance(answer, StudyError):
                trouble = trouble or answer
            elif answer.status == "taken":
                later.append((time.monotonic() + _TAKEN_S, task))
            else:
                halted = halted or answer.status == "stopped"  # a signal that reached that group alone
                report(answer)


def _lead(group: _Group, farm: MPI.Intracomm) -> None:
    """The first rank of a group: take runs from the farm until it closes."""
    global _group
    _group = group
    try:
        with MPICommExecutor(farm, root=0):
            pass
    finally:
        _group = None
        group.comm.bcast(None)


def _on_leader(task: Task) -> Outcome | StudyError:
    """A task of the farm: tell the group, and take part."""
    group = _group
    assert group is not None
    group.comm.bcast(task)
    try:
        return group.run(task)
    except StudyError as error:
        return error


def _follow(group: _Group) -> None:
    """The other ranks of a group: carry out what the first one says."""
    while (task := group.comm.bcast(None)) is not None:
        try:
            group.run(task)
        except StudyError:
            continue  # the first rank reports it
