"""Runs of every family that are stopped and gone on with, on one rank and on two; killed ones; signals; full disks."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from resume_checks import After, broken, differences
from resume_devices import DEVICES
from small_device import FROZEN, small_device

import fem
import ionsim
from ionsim.devices.pcm import Pcm
from ionsim.drive import Circuit
from ionsim.results import Run
from ionsim.study.observables import observables, of_summary
from ionsim.verification.serial_parallel import launch

SCRIPT = Path(__file__).parent / "mpi" / "resume_ranks.py"
#: What runs on two ranks too; the continuum of vacancies runs on one.
PARALLEL = ("vcm_crystal", "vcm_divided", "vcm_atoms", "ecm_sweep", "pcm_line", "pcm_3d", "ecram_plane")
#: A fine staircase: some seconds of run, so that it is still under way when it is stopped.
LONG = {"drive.step_V": 0.002, "numerics.checkpoint_s": 0.2}
STOPPED = 75


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DEVICES if name != "vcm_divided"])
def test_a_run_in_pieces_is_the_run_in_one(name, tmp_path):
    make, every = DEVICES[name]
    one = ionsim.Simulation(make(), seed=1).run(tmp_path / "one")
    two, stops = broken(make(), 1, tmp_path / "two", every)
    assert stops >= 3
    assert differences(one, two) == []
    assert set(of_summary(make(), one.summary, ())) <= set(observables(make())), "a study would refuse this observable"
    assert one.summary.get("n_visits", 1) > 0, "no flickering set was visited: choose the device anew"


@pytest.mark.slow
@pytest.mark.parametrize("name", PARALLEL)
def test_so_it_is_on_two_ranks(name, tmp_path):
    launch(2, [str(SCRIPT), str(tmp_path), "1", name], timeout_s=900.0)
    wrong, stops, _ = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))[name]
    assert stops >= 3
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ssor", "icc", "gamg"])
def test_potential_and_heat_in_turn_go_on_bit_by_bit(method):
    """What large cells in 3D are solved by."""
    device, circuit = DEVICES["pcm_3d"][0](), Circuit(100.0, None)

    def build() -> Pcm:
        with (
            mock.patch.object(fem.TransientSettings, "choose", return_value="staggered"),
            mock.patch.object(fem.SolverSettings, "choose", return_value=method),
        ):
            return Pcm(device, np.random.SeedSequence(1))

    one, two = build(), build()
    for count in range(1, 5):
        one.advance(4e-10 * count, 0.1 * count, circuit)
    two.restore(one.checkpoint())
    for count in range(5, 9):
        for cell in (one, two):
            cell.advance(4e-10 * count, 0.1 * count, circuit)
        assert one.observe() == two.observe()
        np.testing.assert_array_equal(one.problem.temperature_K, two.problem.temperature_K)


#: The command line in a process that may write no large file, once the libraries have made theirs.
FULL_DISK = """
import resource, signal
import ionsim.simulation
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from ionsim.cli import main
main()
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ionsim.cli", *map(str, arguments)]


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    """``ionsim run`` of the small device into ``folder``."""
    file = folder.with_suffix(".toml")
    file.write_text(small_device(LONG).to_toml(), encoding="utf-8")
    return subprocess.Popen(
        command("run", file, "--seed", 1, "--out", folder, *options), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background job ignores it
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300.0
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def points(folder: Path) -> int:
    return len(Run.open(folder).series["time_s"]) if (folder / "run.h5").exists() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The long run without an interruption."""
    return ionsim.Simulation(small_device(LONG), seed=1).run(tmp_path_factory.mktemp("whole") / "out")


@pytest.mark.slow
def test_a_killed_run_goes_on_in_another_process(whole, tmp_path):
    """Killed three times, each time after some new points and wherever it is."""
    out, seen = tmp_path / "out", 0
    process = started(out)
    for _ in range(3):
        wait_for(lambda least=seen + 50: points(out) > least, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        left = Run.open(out)
        assert (left.status, left.checkpoint_ranks) == ("running", 1)
        seen = len(left.series["time_s"])
        process = subprocess.Popen(command("resume", out), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.communicate()
    assert process.returncode == 0
    assert differences(whole, Run.open(out)) == []
    assert (out / "iv.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_stops_a_run_with_its_code(whole, tmp_path, number):
    out = tmp_path / "out"
    process = started(out)
    wait_for(lambda: points(out) > 20, process)
    process.send_signal(number)
    said, _ = process.communicate()
    assert (process.returncode, Run.open(out).status) == (STOPPED, "stopped")
    assert f"ionsim resume {out} goes on" in said
    done = subprocess.run(command("resume", out), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert differences(whole, Run.open(out)) == []


@pytest.mark.slow
def test_a_limit_of_time_stops_a_run_again_and_again(whole, tmp_path):
    out = tmp_path / "out"
    process = started(out, "--stop-after", "1s")
    process.communicate()
    codes = [process.returncode]
    while codes[-1] == STOPPED and len(codes) < 100:
        before = points(out)
        codes.append(subprocess.run(command("resume", out, "--stop-after", "1.5s"), check=False).returncode)
        assert points(out) > before
    assert codes[-1] == 0
    assert codes.count(STOPPED) == len(codes) - 1 >= 1
    assert differences(whole, Run.open(out)) == []


@pytest.mark.slow
def test_a_disk_that_is_full_costs_nothing_that_was_there(tmp_path):
    """A limit on the size of files stands for it; a finished run was there, and is to be replaced."""
    out = tmp_path / "out"
    short = small_device({**FROZEN, "drive.stages": [{"name": "forming", "stop_V": 0.5}]})
    old = ionsim.Simulation(short, seed=1).run(out)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}

    file = tmp_path / "small.toml"
    file.write_text(small_device(LONG).to_toml(), encoding="utf-8")
    arguments = [sys.executable, "-c", FULL_DISK, "run", str(file), "--out", str(out), "--force"]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("ionsim: error:") == 1
    assert "run.h5: cannot be written ([Errno 27] File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert Run.open(out).summary == old.summary
    assert (out / "fields.bp").is_dir()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, monkeypatch):
    """As on a read-only disk, which the superuser of a test cannot have otherwise."""

    def refusing(*arguments, **keywords) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("ionsim.results.atomic.open", refusing, raising=False)
    with pytest.raises(ionsim.IonsimError, match=r"cannot hold a run .*Read-only file system"):
        ionsim.results.claim(tmp_path, force=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_ensemble_goes_on_with_its_unfinished_runs(tmp_path):
    device = small_device({"drive.stages": [{"name": "forming", "stop_V": 1.5}]})
    ionsim.Simulation(device, seed=1).run(tmp_path / "two" / "seed_1", stop=After(3))
    began = Run.open(tmp_path / "two" / "seed_1")
    one = ionsim.ensemble(device, [1, 2], tmp_path / "one", workers=1)
    two = ionsim.ensemble(device, [1, 2], tmp_path / "two", workers=1)
    assert began.status == "stopped"
    for seed in (1, 2):
        runs = [Run.open(tmp_path / name / f"seed_{seed}") for name in ("one", "two")]
        assert differences(*runs) == []
        assert one[seed]["n_events"] == two[seed]["n_events"]
