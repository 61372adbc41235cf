"""The whole command on one and on two MPI ranks, really launched."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_device import FROZEN, small_device

from ionsim.results import Run

FILES = {"run.h5", "iv.csv", "summary.json", "sites.extxyz", "fields.bp"}
SHORT = {"drive.stages": [{"name": "forming", "stop_V": 1.0}]}
#: Wide enough to be cut in two.
WIDE_LATTICE = {"lattice.width_nm": 4.1, "weak_spots.0.centre_nm": [2.05, 1.0]}
TIMEOUT_S = 240

beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(beside) if beside.exists() else shutil.which("mpiexec")
pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec beside this Python nor on PATH")


def start(folder: Path, ranks: int, changes: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Launch ``ionsim run`` of the small device with ``changes`` into ``folder/out``."""
    file = folder / "device.toml"
    file.write_text(small_device(changes).to_toml())
    command = [MPIEXEC, "-n", str(ranks), sys.executable, "-m", "ionsim.cli", "run", str(file), "--seed", "3"]
    return subprocess.Popen(
        [*command, "--out", str(folder / "out")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; a run that hangs is ended and fails the test."""
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()  # nothing to kill where it has ended
    return process.returncode, out, err


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """The same device without events on one and two ranks."""
    runs = {}
    for ranks in (1, 2):
        folder = tmp_path_factory.mktemp(f"ranks{ranks}")
        code, _, err = finish(start(folder, ranks, {**FROZEN, **SHORT}))
        assert code == 0, err
        runs[ranks] = Run.open(folder / "out")
    return runs


def test_two_ranks_give_the_curve_of_one(frozen):
    one, two = frozen[1], frozen[2]
    assert one.series["n_events"][-1] == two.series["n_events"][-1] == 0
    assert len(one.series["time_s"]) == len(two.series["time_s"]) == 8
    assert one.series["conductance_S"].min() > 0.0
    for name, column in one.series.items():
        np.testing.assert_allclose(two.series[name], column, rtol=1e-6, err_msg=name)


def test_two_ranks_give_the_fields_of_one(frozen):
    peak = "forming_peak"
    one, two = (frozen[ranks].snapshot(peak) for ranks in (1, 2))
    np.testing.assert_array_equal(two.occupation, one.occupation)
    assert np.ptp(one.potential_V) > 0.5
    np.testing.assert_allclose(two.potential_V, one.potential_V, atol=1e-6)
    np.testing.assert_allclose(two.temperature_K, one.temperature_K, atol=1e-4)
    for name, values in one.extra.items():
        np.testing.assert_allclose(two.extra[name], values, rtol=1e-6, atol=1e-6, err_msg=name)


def test_a_run_with_events_is_whole_on_two_ranks_and_speaks_once(tmp_path):
    code, out, err = finish(start(tmp_path, 2, SHORT))
    assert code == 0, err
    run = Run.open(tmp_path / "out")
    assert {path.name for path in run.folder.iterdir()} >= FILES
    assert not [path for path in run.folder.iterdir() if path.name.endswith(".tmp")]
    assert run.status == "complete"
    assert run.summary["n_events"] == run.series["n_events"][-1] > 0
    assert run.series["voltage_V"][-1] == 0.0
    assert (out.count("wrote "), out.count("n_field_refreshes"), err) == (1, 1, "")


def test_a_finished_run_is_refused_once_and_on_every_rank(frozen):
    folder = frozen[2].folder.parent
    before = (folder / "out" / "run.h5").stat().st_mtime_ns
    code, out, err = finish(start(folder, 2, {**FROZEN, **SHORT}))
    assert code == 2
    assert (out, err.count("holds a finished run")) == ("", 1)
    assert (folder / "out" / "run.h5").stat().st_mtime_ns == before


def test_a_disk_that_fails_in_the_middle_ends_all_ranks(tmp_path):
    out = tmp_path / "out"
    process = start(tmp_path, 2, {**FROZEN, "drive.step_V": 1e-4, "numerics.checkpoint_s": 1e-6})
    end = time.monotonic() + TIMEOUT_S
    while not (out / "run.h5").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    os.rename(out, tmp_path / "gone")  # from now on rank 0 cannot write
    code, _, err = finish(process)
    assert code == 2
    assert err.count("cannot be written") == 1
    assert Run.open(tmp_path / "gone").status == "running"


DIVIDED = {"numerics.distributed_lattice": True}


@pytest.mark.slow
def test_a_divided_lattice_makes_a_whole_run_and_loses_no_oxygen(tmp_path):
    code, out, err = finish(start(tmp_path, 2, {**SHORT, **WIDE_LATTICE, **DIVIDED}))
    assert code == 0, err
    run = Run.open(tmp_path / "out")
    series = run.series
    assert (run.status, run.summary["flicker_share"]) == ("complete", None)
    assert series["n_events"][-1] == run.summary["n_events"] > 0
    released = series["events_oxygen_release"] - series["events_oxygen_return"]
    np.testing.assert_array_equal(series["n_vacancies"] - series["n_vacancies"][0], released - released[0])
    np.testing.assert_array_equal(series["n_reservoir"] - series["n_vacancies"], 0)
    assert out.count("wrote ") == 1


def test_a_lattice_that_is_too_small_to_be_divided_is_refused(tmp_path):
    code, _, err = finish(start(tmp_path, 2, {**SHORT, **DIVIDED}))
    assert code == 2
    assert "the domains of 2 ranks are too small" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_divided_lattice_forms_like_a_whole_one():
    """Means over 16 seeds, each with fields on two ranks, agree within 3 standard errors."""
    compare("divided_lattice.py", 16, least=(0.5, 5.0))


@pytest.mark.slow
def test_a_divided_cell_of_silver_is_set_like_a_whole_one():
    """As above: ions that come in at one electrode and metal that grows from the other, across the ranks' border."""
    compare("divided_metal.py", 12, least=(1.0, 100.0))


def compare(script: str, seeds: int, least: tuple[float, float]) -> None:
    """Two figures of each seed, of divided and whole lattices: means agree, and are above what would be nothing."""
    done = subprocess.run(
        [MPIEXEC, "-n", "2", sys.executable, str(Path(__file__).with_name(script)), str(seeds)],
        capture_output=True, text=True, check=False, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {mode: np.array(values, dtype=float) for mode, values in json.loads(done.stdout).items()}
    for column, low in enumerate(least):
        divided, whole = found["divided"][:, column], found["whole"][:, column]
        error = np.sqrt((divided.var(ddof=1) + whole.var(ddof=1)) / len(whole))
        assert whole.mean() > low
        assert abs(divided.mean() - whole.mean()) < 3.0 * error
