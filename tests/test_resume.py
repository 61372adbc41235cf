"""Runs that are stopped or killed and go on: the same bytes as without, and what is refused."""

import os
import signal
import subprocess
import sys
import threading
import time

import h5py
import pytest
import typer
from resume_checks import After, broken, differences
from small_device import FROZEN, small_device

import ionsim
from ionsim.cli.stopping import seconds_of
from ionsim.devices.vcm import Vcm
from ionsim.errors import ResultsError
from ionsim.results import RUN_FILE, Run, claim
from ionsim.simulation import Simulation, resume

#: Turns at its compliance after some events, and goes back.
FORMING = {"drive.stages": [{"name": "forming", "stop_V": 3.0, "turn_at_compliance": True}]}
SHORT = {"drive.stages": [{"name": "forming", "stop_V": 1.0, "return_to_zero": False}]}


def test_a_run_that_was_stopped_twice_is_the_run_that_was_not(tmp_path):
    one = Simulation(small_device(FORMING), seed=1).run(tmp_path / "one")
    two, stops = broken(small_device(FORMING), 1, tmp_path / "two", every=6)
    assert (stops, two.status) == (2, "complete")
    assert differences(one, two) == []
    assert one.summary["n_events"] > 20, "choose the small device's numbers anew"
    assert sorted(path.name for path in two.folder.iterdir()) == sorted(path.name for path in one.folder.iterdir())
    assert two.checkpoint() == {}  # it is over
    mesh = [sorted(path.stat().st_size for path in run.folder.glob("fields.bp/data*")) for run in (one, two)]
    assert mesh[0] == mesh[1]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run of four points, stopped after the second. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("stopped") / "out"
    return Simulation(small_device({**FROZEN, **SHORT}), seed=1).run(folder, stop=After(2))


def test_a_stopped_run_reads_as_one(stopped):
    assert (stopped.status, stopped.checkpoint_ranks, len(stopped.series["time_s"])) == ("stopped", 1, 2)
    assert [path.name for path in stopped.folder.iterdir()] == [RUN_FILE]
    assert (stopped.at_checkpoint().series["time_s"] == stopped.series["time_s"]).all()


def test_a_stopped_run_is_not_overwritten(stopped):
    before = (stopped.folder / RUN_FILE).stat().st_mtime_ns
    with pytest.raises(ResultsError, match=r"holds a stopped run of 'small' \(seed 1\); ionsim resume"):
        claim(stopped.folder)
    assert (stopped.folder / RUN_FILE).stat().st_mtime_ns == before
    assert claim(stopped.folder, force=True) == stopped.path


def changed(stopped: Run, folder, change) -> None:
    """A copy of a run file, changed."""
    (folder / RUN_FILE).write_bytes(stopped.path.read_bytes())
    with h5py.File(folder / RUN_FILE, "a") as file:
        change(file)


def set_attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def other_corner(file):
    file["checkpoint/drive/corners_V"][1] = 7.0


def other_site(file):
    file["sites/positions_nm"][0] = 7.0


def other_mesh(file):
    file["checkpoint/ranks/0/family/mesh"][1] += 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_attribute("versions", '{"ionsim": "0.0"}'), r"other versions \(.*ionsim 0.0 -> .*--other-versions"),
        (lambda file: file["checkpoint/ranks"].create_group("1"), "on 2 ranks; resume it on as many, not on 1"),
        (lambda file: file.__delitem__("checkpoint/ranks"), r"no checkpoint to go on from \(the run is 'stopped'\)"),
        (other_corner, "the drive is not the one"),
        (other_mesh, "the mesh is not the one"),
        (other_site, "the sites are not those"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(stopped, tmp_path, change, message):
    changed(stopped, tmp_path, change)
    before = (tmp_path / RUN_FILE).read_bytes()
    with pytest.raises(ResultsError, match=message):
        resume(tmp_path)
    assert (tmp_path / RUN_FILE).read_bytes() == before


def test_a_folder_without_a_run_and_a_finished_run(tmp_path):
    with pytest.raises(ResultsError, match="holds no run"):
        resume(tmp_path)
    run = Simulation(small_device({**FROZEN, **SHORT}), seed=1).run(tmp_path)
    before = run.path.stat().st_mtime_ns
    assert resume(tmp_path).summary == run.summary
    assert run.path.stat().st_mtime_ns == before


class BrokenError(Exception):
    """What a test raises in the middle of a run."""


def test_a_failed_run_goes_on_from_its_last_checkpoint(tmp_path, monkeypatch):
    """What was recorded after the checkpoint is told from it, also where it took the place of a snapshot."""
    advance = Vcm.advance

    def breaking(self, until_s, applied_V, circuit):
        if until_s > 0.1:
            raise BrokenError
        advance(self, until_s, applied_V, circuit)

    device = small_device({**FROZEN, **SHORT})
    one = Simulation(device, seed=1).run(tmp_path / "one")
    two = Simulation(device, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(Vcm, "advance", breaking)
        with pytest.raises(BrokenError):
            two.run(tmp_path / "two")
    left = Run.open(tmp_path / "two")
    then = left.at_checkpoint()
    assert (left.status, len(left.series["time_s"]), len(then.series["time_s"])) == ("failed", 3, 1)
    assert left.snapshots["forming_peak"].voltage_V == 0.75
    assert then.snapshots["forming_peak"].voltage_V == 0.25
    assert differences(one, resume(tmp_path / "two")) == []


def test_without_room_for_the_fields_a_run_fails_and_can_be_finished_later(tmp_path, monkeypatch):
    device = small_device({**FROZEN, **SHORT})

    def refusing(descriptor, offset, size):
        assert size > 100_000
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refusing)
        with pytest.raises(ResultsError, match=r"fields.bp: cannot be written .*No space left on device; .* MB"):
            Simulation(device, seed=1).run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [RUN_FILE]
    assert Run.open(tmp_path).status == "failed"
    assert resume(tmp_path).status == "complete"


def test_a_signal_or_the_time_asks_to_stop():
    before = signal.getsignal(signal.SIGUSR1)
    with ionsim.Stop() as stop:
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.asked
    assert signal.getsignal(signal.SIGUSR1) == before
    assert not ionsim.Stop(1000.0).asked
    soon = ionsim.Stop(0.01)
    time.sleep(0.02)
    assert soon.asked


#: A process that works on for five seconds when it is to stop.
DEAF = """
import signal, time
signal.signal(signal.SIGINT, {before})
from ionsim.simulation.stopping import Stop
with Stop() as stop:
    print("ready", flush=True)
    end = time.monotonic() + 5.0
    while time.monotonic() < end and not (stop.asked and {gives_in}):
        time.sleep(0.01)
print("stopped" if stop.asked else "went on", flush=True)
"""


def interrupted(times, gap_s, gives_in, before="signal.default_int_handler"):
    """What becomes of a process that gets so many SIGINT: exit code, output, standard error, wall time (s)."""
    text = DEAF.format(gives_in=gives_in, before=before)
    process = subprocess.Popen(
        [sys.executable, "-c", text], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    begun = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(gap_s)
    out, err = process.communicate()
    return process.returncode, out.strip(), err, time.monotonic() - begun


def test_the_first_interrupt_asks_and_the_second_ends():
    code, out, err, _ = interrupted(1, 0.0, gives_in=True)
    assert (code, out) == (0, "stopped")
    assert "Ctrl-C again ends at once" in err
    code, out, err, wall_s = interrupted(2, 0.6, gives_in=False)
    assert (code, out) == (-signal.SIGINT, "")
    assert wall_s < 4.5
    assert err.count("Ctrl-C again") == 1


def test_what_a_launcher_hands_on_again_is_no_second_interrupt():
    code, out, _, wall_s = interrupted(2, 0.05, gives_in=False)
    assert (code, out) == (0, "stopped")
    assert wall_s > 4.5


def test_a_worker_goes_on_ignoring_interrupts():
    code, out, err, _ = interrupted(1, 0.0, gives_in=True, before="signal.SIG_IGN")
    assert (code, out, err) == (0, "went on", "")


def test_elsewhere_than_in_the_main_thread_only_the_time_counts():
    found = []

    def work():
        with ionsim.Stop(1000.0) as stop:
            found.append(stop.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("90s", 90.0), ("55m", 3300.0), ("1h30m", 5400.0), ("0.5h", 1800.0)]
)
def test_times_with_units(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["55", "", "m", "-5m", "5 m", "0s", "5x"])
def test_a_time_without_a_unit_is_refused(text):
    with pytest.raises(typer.BadParameter, match="with its unit"):
        seconds_of(text)
