"""Many seeds as one call, on worker processes or on MPI ranks.

::

    def build(seed):
        engine = kmc.Engine(sites, model, kmc.random(ion=0.05), seed=seed)
        engine.run(until_s=1e-6)
        return engine.counts

    if __name__ == "__main__":
        results = kmc.ensemble(build, kmc.seeds(1, 100), workers=4)

Every run is the run that ``build(seed)`` gives on its own, to the last bit: it gets its seed and nothing else, and BLAS
has one thread in it. Results come in the order of the seeds.
"""

from __future__ import annotations

import copy
import functools
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from kmc.errors import KmcError

if TYPE_CHECKING:
    from mpi4py import MPI

#: One thread for numerical libraries that a worker loads later; ``threadpool_limits`` sees to those that are there.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

#: What an MPI launcher leaves in the environment: a worker is no rank of its, whatever it does with MPI.
_LAUNCHER = ("PMI_", "PMIX_", "MPI_", "MPIR_", "HYDRA_", "HYDI_", "OMPI_")

#: How long a worker may take to end.
_PATIENCE_S = 10.0


class SeedError(KmcError):
    """One run of an ensemble failed; ``seed`` says which, ``problem`` how, ``details`` is the traceback as text."""

    def __init__(self, seed: object, problem: str, details: str = "") -> None:
        super().__init__(f"{_named(seed)}: {problem}")
        self.seed, self.problem, self.details = seed, problem, details

    @classmethod
    def elsewhere(cls, seed: object, problem: str, details: str) -> SeedError:
        """The error of a run in another process, whose traceback is shown as a note."""
        error = cls(seed, problem, details)
        if details:
            error.add_note(f"In the run of {_named(seed)}:\n{details}")
        return error

    def __reduce__(self) -> tuple[type[SeedError], tuple[object, str, str]]:
        return SeedError, (self.seed, self.problem, self.details)


def seeds(root: int | np.random.SeedSequence, n: int) -> list[np.random.SeedSequence]:
    """``n`` independent child seeds of ``root``; the first of them are the same for every ``n``, and at every call.

    Raises:
        KmcError: for a negative number.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise KmcError(f"seeds: n is {n!r}; a whole number >= 0 is needed")
    if not isinstance(root, np.random.SeedSequence):
        if isinstance(root, bool) or not isinstance(root, int | np.integer) or root < 0:
            raise KmcError(f"seeds: root is {root!r}; a whole number >= 0 or a SeedSequence is needed")
        root = np.random.SeedSequence(int(root))
    return [
        np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, child), pool_size=root.pool_size)
        for child in range(n)
    ]


def ensemble[S, R](
    build: Callable[[S], R],
    seeds: Iterable[S],
    *,
    workers: int | None = None,
    comm: MPI.Comm | None = None,
    on_done: Callable[[S, R], None] | None = None,
) -> list[R]:
    """Run ``build(seed)`` for every seed; returns what it returned, in the order of the seeds.

    Without ``comm``, worker processes (freshly started, never forked) take one seed after the other. ``build`` must be
    a function of a module, or a ``functools.partial`` of one; what it takes and returns must be picklable; a script
    that calls this needs ``if __name__ == "__main__":``. With one worker everything runs in this process, and any
    function will do.

    With ``comm``, every rank calls this with the same seeds. Rank r of n takes the seeds r, r + n, r + 2n, ... (a fixed
    share: no rank is spent on handing out work) and every rank returns all results. ``build`` must then not communicate
    over ``comm``: what needs a communicator inside takes ``MPI.COMM_SELF``.

    Args:
        build: makes a run, executes it, and returns its results.
        seeds: integers, those of :func:`seeds`, or anything else that says what one run is.
        workers: number of processes; by default one per usable core. Not together with ``comm``.
        comm: an mpi4py communicator.
        on_done: called as ``on_done(seed, result)`` when a run is over: in this process, or on the rank that ran it.

    Raises:
        SeedError: a run failed; it names the seed. Workers are ended at once; on MPI ranks the others finish their
            share, then every rank raises the error of the first seed that failed.
        KmcError: for arguments that do not fit, or a worker that cannot start. An interrupt (Ctrl-C) ends all workers.
    """
    if not callable(build):
        raise KmcError(f"ensemble: build is {build!r}; a function of a seed is needed")
    try:
        todo = list(seeds)
    except TypeError:
        raise KmcError(f"ensemble: seeds is {seeds!r}; a sequence such as range(10) or kmc.seeds(1, 10)") from None
    report = on_done or (lambda seed, result: None)
    if comm is not None:
        if workers is not None:
            raise KmcError(f"ensemble: workers is {workers} and comm is given; only one of them can be")
        return _on_ranks(build, todo, comm, report)
    if workers is None:
        workers = _usable_cores()
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or workers < 1:
        raise KmcError(f"ensemble: workers is {workers!r}; a whole number >= 1 is needed")
    if workers == 1 or len(todo) == 0:
        return [_run_here(build, seed, report) for seed in todo]
    return _on_workers(build, todo, min(workers, len(todo)), report)


def _named(seed: object) -> str:
    if isinstance(seed, np.random.SeedSequence):
        return f"seed {seed.entropy}" + (f", child {'.'.join(map(str, seed.spawn_key))}" if seed.spawn_key else "")
    return f"seed {seed!r}"


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_here[S, R](build: Callable[[S], R], seed: S, report: Callable[[S, R], None]) -> R:
    """One run in this process, with a copy of its seed as a worker has it: children spawned in it do not count."""
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            result = build(copy.deepcopy(seed))
    except Exception as error:
        raise SeedError(seed, f"{type(error).__name__}: {error}", traceback.format_exc()) from error
    report(seed, result)
    return result


# -- MPI ranks ------------------------------------------------------------------------------------------------------


def _on_ranks[S, R](
    build: Callable[[S], R], seeds: Sequence[S], comm: MPI.Comm, report: Callable[[S, R], None]
) -> list[R]:
    done: dict[int, bytes] = {}
    failed: tuple[int, str, str] | None = None
    for index in range(comm.rank, len(seeds), comm.size):
        try:
            done[index] = pickle.dumps(_run_here(build, seeds[index], report))
        except SeedError as error:
            failed = index, error.problem, error.details
        except Exception as error:  # of on_done, or of pickling the result: no rank may miss the exchange below
            failed = index, f"{type(error).__name__}: {error}", traceback.format_exc()
        if failed is not None:
            break
    failures = [failure for failure in comm.allgather(failed) if failure is not None]
    if failures:
        index, problem, details = min(failures)
        raise SeedError.elsewhere(seeds[index], problem, details)
    blobs = {index: blob for part in comm.allgather(done) for index, blob in part.items()}
    return [pickle.loads(blobs[index]) for index in range(len(seeds))]


# -- worker processes -----------------------------------------------------------------------------------------------


class _Worker:
    """A process, the pipe to it, and the index of the seed that it runs."""

    def __init__(self, context: Any, build: bytes) -> None:
        self.pipe, theirs = context.Pipe()
        self.index: int | None = None
        self.process = context.Process(target=_work, args=(theirs, build), daemon=True)
        self.process.start()
        theirs.close()

    def join(self, timeout_s: float) -> int | None:
        """Wait for the process, which ends when its pipe is closed; its exit code. It is killed if it does not end."""
        self.pipe.close()
        self.process.join(timeout_s)
        code: int | None = self.process.exitcode
        self.process.kill()  # nothing to kill where it has ended
        self.process.join()
        return code


def _on_workers[S, R](
    build: Callable[[S], R], seeds: Sequence[S], count: int, report: Callable[[S, R], None]
) -> list[R]:
    blob, tasks = _pickled(build, "build"), [_pickled(seed, _named(seed)) for seed in seeds]
    _check_importable(build)
    context = multiprocessing.get_context("spawn")  # forking a process with threads or MPI in it is undefined
    results: dict[int, R] = {}
    waiting = iter(range(len(seeds)))
    workers: list[_Worker] = []
    try:
        for _ in range(count):
            workers.append(_Worker(context, blob))
        busy = list(workers)
        while busy:
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                answer = _answer(worker, seeds)
                if worker.index is not None:
                    results[worker.index] = answer
                    report(seeds[worker.index], answer)
                worker.index = next(waiting, None)
                if worker.index is None:
                    busy.remove(worker)
                    worker.pipe.close()
                else:
                    with suppress(OSError):  # it has just died: its pipe will say so
                        worker.pipe.send_bytes(tasks[worker.index])
    except BaseException:  # Ctrl-C as well
        for worker in workers:
            worker.process.terminate()
        raise
    finally:
        for worker in workers:
            worker.join(_PATIENCE_S)
    return [results[index] for index in range(len(seeds))]


def _answer(worker: _Worker, seeds: Sequence[Any]) -> Any:
    """What a worker sent: that it is ready (None), or the result of its seed."""
    try:
        blob = worker.pipe.recv_bytes()
    except (EOFError, OSError):
        code = worker.join(_PATIENCE_S)
        if worker.index is not None:
            problem = f"its worker process ended with code {code}; was it killed, perhaps for want of memory?"
            raise SeedError(seeds[worker.index], problem) from None
        raise KmcError(
            f"ensemble: a worker process ended with code {code} before its first run; a script must call ensemble "
            'below `if __name__ == "__main__":`'
        ) from None
    try:
        problem, details, result = pickle.loads(blob)
    except Exception as error:  # whatever parts of the result raise
        problem, details, result = f"its result cannot be read: {error}", traceback.format_exc(), None
    if problem and worker.index is None:
        raise KmcError(f"ensemble: a worker process cannot import build: {problem}")
    if problem:
        raise SeedError.elsewhere(seeds[worker.index or 0], problem, details)
    return result


def _pickled(what: object, name: str) -> bytes:
    try:
        return pickle.dumps(what)
    except Exception as error:  # whatever its parts raise
        raise KmcError(
            f"ensemble: {name} cannot be sent to a worker process ({error}); build must be a function of a module, its "
            "arguments picklable; with workers=1 anything will do"
        ) from error


def _check_importable(build: Callable[..., Any]) -> None:
    """A worker imports the module of ``build`` anew; a session typed by hand has none."""
    inner: Any = build
    while isinstance(inner, functools.partial):
        inner = inner.func
    if getattr(inner, "__module__", None) == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        raise KmcError(
            f"ensemble: build is {build!r} of an interactive session, which worker processes cannot import; put it "
            "into a file, or give workers=1"
        )


def _work(pipe: Connection, build: bytes) -> None:
    """The life of a worker: say that it is ready, then one seed after the other until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends the workers
    for name in [name for name in os.environ if name.startswith(_LAUNCHER)]:
        del os.environ[name]
    os.environ.update(_ONE_THREAD)
    run: Any = None
    answer: tuple[str, str, Any] = "", "", None
    try:
        run = pickle.loads(build)
    except Exception as error:  # whatever the module raises
        answer = f"{type(error).__name__}: {error}", "", None
    threadpool_limits(limits=1, user_api="blas")
    while True:
        try:
            blob = pickle.dumps(answer)
        except Exception as error:  # whatever parts of the result raise
            blob = pickle.dumps((f"its result cannot be sent: {type(error).__name__}: {error}", "", None))
        try:
            pipe.send_bytes(blob)
            task = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            answer = "", "", run(pickle.loads(task))
        except Exception as error:  # whatever a run raises
            answer = f"{type(error).__name__}: {error}", traceback.format_exc(), None
