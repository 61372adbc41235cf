"""Who runs the jobs of a fit: this process, or worker processes that live as long as the fit."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Protocol

from ionsim.errors import FitError
from ionsim.fit.evaluation import Job, Outcome, Stopped, Store, simulate
from ionsim.study.workers import settle

#: How long to wait for an outcome before looking whether the fit is to stop, s.
_LOOK_S = 0.5


class Asked(Protocol):
    """Says whether it is time to stop; :class:`ionsim.simulation.Stop` is one."""

    @property
    def asked(self) -> bool:
        """Whether it is time."""


class Crew:
    """Runs jobs and keeps their outcomes; a context, at whose end the workers end."""

    def __init__(self, store: Store, workers: int, stop: Asked | None = None,
                 simulate: Callable[[Job, Callable[[], bool]], Outcome] = simulate,
                 on_run: Callable[[int, Outcome], None] | None = None) -> None:  # fmt: skip
        self.store, self.workers, self.stop, self.on_run = store, workers, stop, on_run
        self.n_runs = self.n_found = 0
        self._simulate = simulate
        self._pool: ProcessPoolExecutor | None = None
        self._seen: dict[Job, Outcome] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()) if kind is not None else ():
                process.terminate()  # what it is at is lost; what was finished is kept
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The outcomes of jobs, in order; what was run before is read, not run again.

        Raises:
            Stopped: when the fit is to stop; outcomes until then are kept.
            FitError: when a worker dies or the disk refuses.
        """
        missing = []
        for job in dict.fromkeys(jobs):
            if job in self._seen:
                continue
            if (found := self.store.find(job)) is not None:
                self._seen[job] = found
                self.n_found += 1
            else:
                missing.append(job)
        if missing and self.workers == 1:
            for job in missing:
                self._check()
                self._take(job, self._simulate(job, lambda: self.stop is not None and self.stop.asked))
        elif missing:
            self._share(missing)
        return [self._seen[job] for job in jobs]

    def _share(self, jobs: Sequence[Job]) -> None:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # forking a process in which MPI runs is undefined
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=settle)
        waiting: dict[Future[Outcome], Job] = {self._pool.submit(simulate, job): job for job in jobs}
        while waiting:
            done, _ = wait(waiting, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    self._take(waiting.pop(future), future.result())
                except BrokenProcessPool as error:
                    raise FitError(
                        "a worker process of the fit died (out of memory?), or a script does not run the fit below "
                        f'if __name__ == "__main__": {error}'
                    ) from error
            self._check()

    def _take(self, job: Job, outcome: Outcome) -> None:
        self.store.keep(job, outcome)
        self._seen[job] = outcome
        self.n_runs += 1
        if self.on_run is not None:
            self.on_run(self.n_runs, outcome)

    def _check(self) -> None:
        if self.stop is not None and self.stop.asked:
            raise Stopped
