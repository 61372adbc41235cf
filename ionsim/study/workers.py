"""The engine local: worker processes on this machine, each of which does one run after the other.

A worker that dies takes nothing with it: its run is given to a new one, which goes on from the last checkpoint. When
the process that hands out runs dies, its workers stop theirs in good order.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ionsim.errors import StudyError
from ionsim.study.folder import StudyFolder
from ionsim.study.plan import Task

if TYPE_CHECKING:
    from ionsim.simulation import Stop
    from ionsim.study.points import Outcome

#: A run whose worker died is given to another so many times.
RETRIES = 2

#: One thread for numerical libraries: the workers share the cores among them.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

#: What an MPI launcher leaves in the environment: a worker is no rank of its.
_LAUNCHER = ("PMI_", "PMIX_", "MPI_", "MPIR_", "HYDRA_", "HYDI_", "OMPI_")

#: How long to wait for news before looking at the clock again, for a run that another process has, and for a worker
#: to end, s.
_LOOK_S, _TAKEN_S, _PATIENCE_S = 0.5, 2.0, 10.0

#: ``prctl`` of Linux: the signal that a process gets when its parent dies.
_PR_SET_PDEATHSIG = 1

Report = Callable[["Outcome"], None]


class _Worker:
    """A worker process and the end of the pipe to it."""

    def __init__(self, context: Any, folder: str, until: float | None, retry_failed: bool) -> None:
        self.pipe, theirs = context.Pipe()
        self.task: Task | None = None
        self.ready = False
        self.process = context.Process(
            target=_work, args=(theirs, folder, os.getpid(), until, retry_failed), daemon=True
        )  # fmt: skip
        self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        """Hand out a run."""
        self.task = task
        with suppress(OSError):  # it has just died: its pipe will say so
            self.pipe.send(task)

    def end(self) -> int | None:
        """Wait for the process, which ends when its pipe is closed; its exit code. It is killed if it does not end."""
        self.pipe.close()
        self.process.join(_PATIENCE_S)
        code: int | None = self.process.exitcode
        self.process.kill()  # nothing to kill where it has ended
        self.process.join()
        return code


def run_on_workers(
    folder: StudyFolder, tasks: Iterable[Task], workers: int, *, stop: Stop, report: Report, until: float | None = None,
    retry_failed: bool = False,
) -> None:  # fmt: skip
    """Carry out runs on worker processes; ``report`` is called with the outcome of each.

    Args:
        folder: the study.
        tasks: what to run.
        workers: number of processes.
        stop: when to stop: every run under way writes its state then, and no other is begun.
        report: called in this process.
        until: the same limit of wall time for the workers, as a time of ``time.monotonic``, s.
        retry_failed: run again what failed before.

    Raises:
        StudyError: when the disk refuses, or workers cannot start; the other runs are stopped first.
    """
    context = multiprocessing.get_context("spawn")  # forking a process in which MPI runs is undefined
    waiting, later = deque(tasks), deque[tuple[float, Task]]()
    died: dict[int, int] = {}
    staff: list[_Worker] = []
    trouble: StudyError | None = None
    told = False

    def hire() -> None:
        staff.append(_Worker(context, str(folder.path.absolute()), until, retry_failed))

    def next_task() -> Task | None:
        if stop.asked or trouble is not None:
            return None
        if later and later[0][0] <= time.monotonic():
            return later.popleft()[1]
        return waiting.popleft() if waiting else None

    try:
        while True:
            halting = stop.asked or trouble is not None
            if halting and not told:
                told = True
                for worker in staff:
                    if worker.task is not None:
                        worker.process.terminate()  # SIGTERM: it writes its state and stops
            for worker in [one for one in staff if one.ready and one.task is None]:
                if (task := next_task()) is not None:
                    worker.give(task)
            busy = [worker for worker in staff if worker.task is not None]
            if not busy and (halting or not (waiting or later)):
                return
            while not halting and len(staff) < min(workers, len(busy) + len(waiting) + len(later)):
                hire()
            for pipe in wait([worker.pipe for worker in staff], timeout=_LOOK_S):
                worker = next(one for one in staff if one.pipe is pipe)
                task, worker.task = worker.task, None
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    staff.remove(worker)
                    code = worker.end()
                    if task is None:
                        trouble = trouble or _no_start(code)
                    elif not (halting or stop.asked):
                        died[task.index] = died.get(task.index, 0) + 1
                        if died[task.index] <= RETRIES:
                            waiting.appendleft(task)
                            folder.log("died", task, code=code)
                        else:
                            report(_give_up(folder, task, died[task.index], code))
                    continue
                worker.ready = True
                if task is None:
                    continue
                if isinstance(answer, StudyError):
                    trouble = trouble or answer
                elif answer.status == "taken":
                    later.append((time.monotonic() + _TAKEN_S, task))
                else:
                    report(answer)
    finally:
        for worker in staff:
            if worker.task is not None:  # an interrupt: it does not wait for the end of a run
                worker.process.terminate()
        for worker in staff:
            worker.end()
        if trouble is not None:
            raise trouble


def _no_start(code: int | None) -> StudyError:
    return StudyError(
        f"a worker process ended with code {code} before its first run; a script must run a study below "
        'if __name__ == "__main__":'
    )


def _give_up(folder: StudyFolder, task: Task, times: int, code: int | None) -> Outcome:
    from ionsim.study.points import record_failure

    how = f"signal {-code}" if code is not None and code < 0 else f"code {code}"
    return record_failure(folder, task, f"its process ended {times} times, the last time with {how}; out of memory?")


def settle() -> None:
    """Make this process a worker: no rank of MPI, one thread, and it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    with suppress(AttributeError):  # only Linux has it; elsewhere a run goes on to its end without its parent
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    for name in [name for name in os.environ if name.startswith(_LAUNCHER)]:
        del os.environ[name]
    os.environ.update(_ONE_THREAD)
    import ionsim.simulation  # noqa: F401  (starts PETSc)

    # PETSc takes these, and would end the process with a page of advice where Python ends it quietly, or goes on.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _work(pipe: Connection, path: str, parent: int, until: float | None, retry_failed: bool) -> None:
    """The life of a worker: say that it is ready, then one run after the other until the pipe is closed."""
    settle()
    from ionsim.simulation import Stop
    from ionsim.study.points import run_point

    folder = StudyFolder.open(path)
    with suppress(EOFError, OSError):  # the parent has gone
        pipe.send(None)
        while os.getppid() == parent:
            task: Task = pipe.recv()
            with Stop(None if until is None else max(until - time.monotonic(), 0.0)) as stop:
                answer: object
                try:
                    answer = run_point(folder, task, stop=stop, retry_failed=retry_failed)
                except StudyError as error:
                    answer = error
            pipe.send(answer)
