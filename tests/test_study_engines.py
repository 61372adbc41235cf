"""Studies for real: the same table from every engine, whatever is killed on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_device import small_device

from ionsim.study import StudyFolder
from ionsim.study.observables import observables

ROOT = Path(__file__).parents[1]
IONSIM = [sys.executable, "-m", "ionsim.cli"]
TIMEOUT_S = 600

beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(beside) if beside.exists() else shutil.which("mpiexec")

pytestmark = pytest.mark.slow

#: Forming alone, in steps small enough to be interrupted, written often.
FORMING = {
    "drive.stages": [{"name": "forming", "stop_V": 5.0, "turn_at_compliance": True, "return_to_zero": False}],
    "drive.step_V": 0.02,
    "numerics.checkpoint_s": 0.2,
}


def study_file(folder, seeds="1-2", thicknesses=(2.0, 2.5), changes=None, more=""):
    """A study of the small device."""
    (folder / "small.toml").write_text(small_device({**FORMING, **(changes or {})}).to_toml(), encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(
        f'name = "s"\nbase = "small.toml"\nseeds = "{seeds}"\n'
        f'observables = ["V_form_V", "T_peak_K", "n_events"]\n{more}\n'
        f'[[parameters]]\nkey = "layers.oxide.thickness_nm"\nvalues = {list(thicknesses)}\n',
        encoding="utf-8",
    )
    return path


def call(*command, timeout=TIMEOUT_S):
    """A command to its end."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=timeout, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def table(out):
    """The table without its last column, the wall times."""
    return [line.rpartition(",")[0] for line in (out / "table.csv").read_text().splitlines()]


def log(out):
    path = out / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition):
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Four runs on two processes."""
    folder = tmp_path_factory.mktemp("reference")
    done = call(*IONSIM, "study", study_file(folder), "--out", folder / "out", "--workers", "2")
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_ranks_and_processes_give_one_table(reference, tmp_path):
    out = tmp_path / "out"
    done = call(MPIEXEC, "-n", "3", *IONSIM, "study", study_file(tmp_path), "--out", out, "--engine", "mpi")
    assert done.returncode == 0, done.stderr
    assert table(out) == table(reference)


def test_two_ranks_share_a_run(reference, tmp_path):
    path, out = study_file(tmp_path, thicknesses=(2.0,)), tmp_path / "out"
    done = call(MPIEXEC, "-n", "3", *IONSIM, "study", path, "--out", out, "--ranks-per-run", "2")
    assert done.returncode == 0, done.stderr
    alone = StudyFolder.open(reference).records()
    for one, other in zip(StudyFolder.open(out).records(), alone[:2], strict=True):
        assert one.observables["n_events"] == other.observables["n_events"]
        # fields are solved to a relative 1e-4 (numerics.field_rtol), and not in the same order of sums
        assert one.observables["T_peak_K"] == pytest.approx(other.observables["T_peak_K"], rel=1e-4)


@pytest.mark.skipif(shutil.which("sbatch") is None, reason="no Slurm; hpc/slurm-on-one-machine.sh starts one")
def test_a_job_array_gives_the_same_table(reference, tmp_path):
    if subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("Slurm does not answer; hpc/slurm-on-one-machine.sh starts one")
    out = tmp_path / "out"
    done = call(*IONSIM, "study", study_file(tmp_path), "--out", out, "--engine", "slurm", "--wait")
    assert done.returncode == 0, done.stderr
    assert table(out) == table(reference)


def test_a_limit_of_time_stops_and_resume_goes_on(reference, tmp_path):
    out = tmp_path / "out"
    command = [*IONSIM, "study", study_file(tmp_path), "--out", out, "--workers", "1"]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    wait_for(lambda: len(log(out)) >= 1)
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(TIMEOUT_S) == 75
    assert log(out)[-1]["event"] == "stopped"
    assert call(*IONSIM, "resume", out, "--workers", "1", "--stop-after", "0.01s").returncode == 75
    done = call(*IONSIM, "resume", out, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert table(out) == table(reference)
    assert any(event["event"] == "resume" for event in log(out))


def test_a_signal_stops_ranks_and_resume_goes_on(reference, tmp_path):
    out = tmp_path / "out"
    command = [MPIEXEC, "-n", "3", *IONSIM, "study", study_file(tmp_path), "--out", out, "--engine", "mpi"]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    wait_for(lambda: len(log(out)) >= 2)
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(TIMEOUT_S) == 75
    done = call(MPIEXEC, "-n", "3", *IONSIM, "resume", out)
    assert done.returncode == 0, done.stderr
    assert table(out) == table(reference)


def test_whatever_is_killed_nothing_is_run_twice(tmp_path):
    whole = tmp_path / "whole"
    path = study_file(tmp_path, seeds="1-6")
    assert call(*IONSIM, "study", path, "--out", whole, "--workers", "2").returncode == 0
    script = ROOT / "scripts" / "study_kills.py"
    done = call(sys.executable, script, path, tmp_path / "out", "--runs", "12", "--reference", whole / "table.csv")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_whose_process_always_dies_is_recorded(tmp_path):
    out = tmp_path / "out"
    command = [*IONSIM, "study", study_file(tmp_path, seeds="1-1"), "--out", out, "--workers", "1"]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for times in (1, 2, 3):
        begun = lambda: [e for e in log(out) if e["run"] == "0001_seed_1" and e["event"] in ("start", "resume")]  # noqa: E731
        wait_for(lambda times=times, begun=begun: len(begun()) >= times)
        os.kill(begun()[-1]["pid"], signal.SIGKILL)
    assert process.wait(TIMEOUT_S) == 1
    first, second = StudyFolder.open(out).records()
    assert first.status == "failed"
    assert first.error is not None
    assert "ended 3 times, the last time with signal 9" in first.error
    assert second.status == "complete"


def test_a_pair_has_a_lattice_and_its_continuum(tmp_path):
    changes = {"drive.stages": [{"name": "forming", "stop_V": 0.5, "return_to_zero": False}], "drive.step_V": 0.25}
    more = 'models = ["lattice", "continuum"]'
    path, out = study_file(tmp_path, "1-1", (2.0,), changes, more), tmp_path / "out"
    done = call(*IONSIM, "study", path, "--out", out, "--workers", "1")
    assert done.returncode == 0, done.stderr
    lattice, continuum = StudyFolder.open(out).records()
    assert (lattice.model, continuum.model, continuum.seed) == ("lattice", "continuum", None)
    assert continuum.observables["T_peak_K"] > 299.0


def test_observables_are_those_of_summaries(reference):
    folder = StudyFolder.open(reference)
    summary = json.loads((folder.of(folder.plan.tasks[0]) / "summary.json").read_text())
    known = observables(folder.plan.device(folder.plan.points[0]))
    assert set(summary) - {"seed", "wall_time_s", "field_share"} == set(known)
