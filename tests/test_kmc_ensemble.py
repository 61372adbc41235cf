"""Ensembles: the same results on worker processes, on MPI ranks and alone; what fails names its seed.

Run as a script (on MPI ranks) this file writes what its ensemble gives on each rank.
"""

import functools
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import kmc
from kmc.ensemble import SeedError, ensemble, seeds

TIMEOUT_S = 120
SITES = kmc.SiteGraph.from_positions([[0.3 * k, 0.0, 0.0] for k in range(12)], cutoff_nm=0.35)
MODEL = kmc.Model(
    species=("empty", "ion"),
    processes=[kmc.hop("ion", into="empty", barrier_eV=0.3)],
    pair_energies=[kmc.PairEnergy("ion", "ion", -0.04)],
)


def run(seed):
    """A whole run: its clock, its sites, its counts."""
    engine = kmc.Engine(SITES, MODEL, kmc.random(ion=0.5), seed=seed)
    engine.run(until_s=np.inf, max_events=500)
    return engine.time_s, engine.occupation.tolist(), engine.counts


def blas_threads(seed, delay_s=0.0):
    time.sleep(delay_s if seed == 0 else 0.0)
    return seed, max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


def child_draws(seed):
    return [np.random.default_rng(child).random() for child in seed.spawn(2)]


def fails(seed):
    if seed == 2:
        raise ValueError("no such rate")
    return seed


def killed(seed):
    os.kill(os.getpid(), signal.SIGKILL)


def not_picklable(seed):
    return threading.Lock()


def test_workers_give_what_single_runs_give_in_order():
    children = seeds(7, 4)
    assert ensemble(run, children, workers=2) == [run(child) for child in children]
    alone = ensemble(run, children, workers=1)
    assert alone == [run(child) for child in children]
    assert len({time_s for time_s, _, _ in alone}) == 4


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_the_order_of_the_seeds_and_runs_have_one_blas_thread(workers):
    build, ended = functools.partial(blas_threads, delay_s=0.5), []
    results = ensemble(build, range(4), workers=workers, on_done=lambda seed, result: ended.append(result))
    assert results == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert sorted(ended) == results
    assert (ended == results) == (workers == 1)


def test_a_run_spawns_the_same_children_each_time():
    children = seeds(3, 2)
    first = ensemble(child_draws, children, workers=1)
    assert ensemble(child_draws, children, workers=1) == first
    assert [child.n_children_spawned for child in children] == [0, 0]


def test_no_seeds_give_no_results():
    assert ensemble(run, [], workers=2) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_names_its_seed(workers):
    with pytest.raises(SeedError, match=r"^seed 2: ValueError: no such rate") as caught:
        ensemble(fails, range(5), workers=workers)
    assert caught.value.seed == 2
    assert "in fails" in caught.value.details
    assert str(caught.value) == "seed 2: ValueError: no such rate"
    assert workers == 1 or "in fails" in caught.value.__notes__[0]
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (str(copied), copied.seed, copied.details) == (str(caught.value), 2, caught.value.details)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (killed, r"^seed 5, child 0: its worker process ended with code -9"),
        (not_picklable, r"^seed 5, child [01]: its result cannot be sent: TypeError"),
    ],
)
def test_what_ends_without_a_result_names_its_seed(build, message):
    with pytest.raises(SeedError, match=message):
        ensemble(build, seeds(5, 1) if build is killed else seeds(5, 2), workers=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ensemble(lambda seed: seed, [1], workers=2), "build cannot be sent to a worker process.*workers=1"),
        (lambda: ensemble(run, [threading.Lock()], workers=2), "seed <unlocked .* cannot be sent"),
        (lambda: ensemble(run, 10), r"seeds is 10; a sequence such as range\(10\)"),
        (lambda: ensemble(3, [1]), "build is 3; a function of a seed"),
        (lambda: ensemble(run, [1], workers=0), "workers is 0; a whole number >= 1"),
        (lambda: ensemble(run, [1], workers=1.5), "workers is 1.5"),
        (lambda: ensemble(run, [1], workers=2, comm=object()), "workers is 2 and comm is given"),
        (lambda: seeds(1, -1), "n is -1; a whole number >= 0"),
        (lambda: seeds(-1, 1), "root is -1; a whole number >= 0"),
        (lambda: seeds("one", 1), "root is 'one'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(call, message):
    with pytest.raises(kmc.KmcError, match=message):
        call()


def test_child_seeds_are_those_of_numpy_and_do_not_hang_on_their_number():
    def states(sequences):
        return [sequence.generate_state(4).tolist() for sequence in sequences]

    root = np.random.SeedSequence(11)
    assert states(seeds(11, 3)) == states(seeds(root, 5))[:3] == states(seeds(root, 3))
    assert states(seeds(root, 3)) == states(root.spawn(3))
    nested = [tuple(state) for parent in seeds(11, 3) for state in states(seeds(parent, 3))]
    assert len({*nested, *map(tuple, states(seeds(11, 3)))}) == 12


# -- in a process of its own ------------------------------------------------------------------------------------------

SCRIPT = f"""
import os, sys, time
sys.path.insert(0, {str(Path(kmc.__file__).parents[1])!r})
from kmc.ensemble import ensemble

def build(seed):
    open(f"{{seed}}.tmp", "w").write(str(os.getpid()))
    os.rename(f"{{seed}}.tmp", f"{{seed}}.pid")
    time.sleep(60)

"""


def test_a_script_without_a_guard_is_told_so(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT + "ensemble(build, [1, 2], workers=2)")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 1
    assert 'below `if __name__ == "__main__":`' in done.stderr


def test_a_function_typed_by_hand_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + "ensemble(build, [1, 2], workers=2)"], cwd=tmp_path, capture_output=True,
        text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "interactive session, which worker processes cannot import" in done.stderr


def test_an_interrupt_ends_all_workers(tmp_path):
    (tmp_path / "script.py").write_text(
        SCRIPT + "if __name__ == '__main__':\n"
        "    import signal\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it\n"
        "    ensemble(build, [1, 2, 3], workers=2)"
    )
    process = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + TIMEOUT_S
    while len(list(tmp_path.glob("*.pid"))) < 2 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT
    assert err.count("KeyboardInterrupt") == 1
    pids = [int(file.read_text()) for file in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(beside) if beside.exists() else shutil.which("mpiexec")


@pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec beside this Python nor on PATH")
def test_two_ranks_give_what_single_runs_give_and_raise_the_same_error(tmp_path):
    paths = os.pathsep.join([str(Path(kmc.__file__).parents[1]), *(path for path in sys.path if path)])
    done = subprocess.run(
        [str(MPIEXEC), "-n", "2", sys.executable, "-m", "mpi4py", __file__, str(tmp_path)], capture_output=True,
        text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ranks = [pickle.loads((tmp_path / f"{rank}.pickle").read_bytes()) for rank in range(2)]
    assert [rank["ran"] for rank in ranks] == [[0, 2, 4], [1, 3]]
    for rank in ranks:
        assert rank["results"] == [run(child) for child in seeds(7, 5)]
        assert rank["error"] == "seed 2: ValueError: no such rate"
        assert rank["lock"].startswith("seed 0: TypeError")


def on_ranks(folder: Path) -> None:
    from mpi4py import MPI

    comm, children, ran = MPI.COMM_WORLD, seeds(7, 5), []
    results = ensemble(run, children, comm=comm, on_done=lambda seed, result: ran.append(seed.spawn_key[0]))
    errors = []
    for build in (fails, not_picklable):
        with pytest.raises(SeedError) as caught:
            ensemble(build, range(5), comm=comm)
        errors.append(str(caught.value))
    saved = {"results": results, "ran": ran, "error": errors[0], "lock": errors[1]}
    (folder / f"{comm.rank}.pickle").write_bytes(pickle.dumps(saved))


if __name__ == "__main__":
    on_ranks(Path(sys.argv[1]))
