"""The run file: what goes in comes out, and a killed run leaves a whole file."""

import json
import os
import signal
import subprocess
import sys
import time

import ase.io
import h5py
import numpy as np
import pytest

import ionsim
from ionsim.errors import ResultsError
from ionsim.results import RUN_FILE, Recorder, Run, Sites, Snapshot, claim, clear, export

# ASE 3.29 sets array shapes in a way that NumPy 2.5 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

COUNT = 50


def sites() -> Sites:
    rng = np.random.default_rng(1)
    return Sites(
        positions_nm=rng.random((COUNT, 3)),
        sublattice=np.zeros(COUNT, dtype=int),
        region=np.arange(COUNT) % 2,
        cell_nm=np.array([1.0, 1.0, 2.0]),
        species=("oxygen", "vacancy"),
        elements=("O", "X"),
        filament=("vacancy",),
        regions=("bulk", "interface"),
    )


def snapshot(label: str, vacancies: int = 5) -> Snapshot:
    occupation = np.zeros(COUNT, dtype=np.int8)
    occupation[:vacancies] = 1
    return Snapshot(
        label, 1.0, 2.0, occupation, np.linspace(0, 1, COUNT), np.full(COUNT, 400.0),
        {"cut/x_nm": np.arange(3.0), "cut/potential_V": np.ones((2, 3))},
    )  # fmt: skip


def recorder(samples: int = 10, status: str = "complete") -> Recorder:
    record = Recorder(name="test", family="vcm", seed=2**63, input_toml='name = "µ"\n', stages=("forming", "set"))
    record.sites = sites()
    for index in range(samples):
        record.sample(
            time_s=0.1 * index, voltage_V=0.3 * index, device_V=0.2 * index, current_A=1e-6 * index,
            stage=2 * index // samples, temperature_peak_K=300.0,
        )  # fmt: skip
    record.snapshot(snapshot("virgin", 0))
    record.snapshot(snapshot("set"))
    record.summary = {
        "V_form_V": np.float64(2.5),
        "V_set_V": float("nan"),
        "n_events": np.int64(7),
        "wall_time_s": None,
    }
    record.checkpoint = {"time_s": 1.5, "rng": {"state": "abc", "keys": np.arange(4, dtype=np.uint64)}}
    record.status = status
    return record


def test_what_goes_in_comes_out(tmp_path):
    path = claim(tmp_path / "out")
    recorder().write(path)
    run = ionsim.open_run(tmp_path / "out")
    assert (run.name, run.family, run.seed, run.status) == ("test", "vcm", 2**63, "complete")
    assert run.input_toml == 'name = "µ"\n'
    assert run.versions["numpy"] == np.__version__
    assert run.summary == {"V_form_V": 2.5, "V_set_V": None, "n_events": 7, "wall_time_s": None}
    assert run.stages == ("forming", "set")
    np.testing.assert_array_equal(run.series["stage"], [0] * 5 + [1] * 5)
    assert list(run.snapshots) == ["virgin", "set"]
    np.testing.assert_array_equal(run.snapshot("set").extra["cut/potential_V"], np.ones((2, 3)))
    assert run.snapshot("set").occupation.dtype == np.int8
    assert run.sites is not None
    np.testing.assert_array_equal(run.sites.positions_nm, sites().positions_nm)
    assert run.sites.regions == ("bulk", "interface")
    assert run.sites.periodic == (True, True, False)
    assert run.checkpoint()["rng"]["state"] == "abc"
    np.testing.assert_array_equal(run.checkpoint()["rng"]["keys"], np.arange(4, dtype=np.uint64))


def test_the_curve_and_the_filament(tmp_path):
    recorder().write(tmp_path / RUN_FILE)
    run = Run.open(tmp_path)
    curve = run.iv()
    assert curve["stage"].tolist() == ["forming"] * 5 + ["set"] * 5
    np.testing.assert_allclose(curve["current_A"], 1e-6 * np.arange(10))
    filament = run.filament("set")
    np.testing.assert_array_equal(filament.positions_nm, sites().positions_nm[:5])
    assert filament.temperature_K.shape == (5,)
    assert len(run.filament("virgin").positions_nm) == 0
    with pytest.raises(ResultsError, match="did you mean 'set'"):
        run.filament("sett")


def test_a_run_goes_on_from_its_series(tmp_path):
    first = recorder(samples=4, status="running")
    first.write(tmp_path / RUN_FILE)
    second = recorder(samples=0)
    second.go_on_from(Run.open(tmp_path))
    second.sample(time_s=9.0, voltage_V=0.0, device_V=0.0, current_A=0.0, stage=1, temperature_peak_K=300.0)
    assert len(second) == 5
    assert second.series()["stage"].dtype.kind == "i"


def test_exports_are_deterministic_and_readable_elsewhere(tmp_path):
    contents = []
    for name in ("one", "two"):
        recorder().write(claim(tmp_path / name))
        assert [path.name for path in export(Run.open(tmp_path / name))] == ["iv.csv", "summary.json", "sites.extxyz"]
        contents.append([(tmp_path / name / file).read_bytes() for file in ("iv.csv", "summary.json", "sites.extxyz")])
    assert contents[0] == contents[1]
    assert contents[0][0].splitlines()[:2] == [
        b"stage,time_s,voltage_V,device_V,current_A",
        b"forming,0.000000000e+00,0.000000000e+00,0.000000000e+00,0.000000000e+00",
    ]
    assert json.loads(contents[0][1])["V_set_V"] is None
    frames = ase.io.read(tmp_path / "one" / "sites.extxyz", index=":", parallel=False)
    assert [frame.info["label"] for frame in frames] == ["virgin", "set"]
    assert frames[1].get_chemical_symbols().count("X") == 5
    np.testing.assert_allclose(frames[1].positions, 10 * sites().positions_nm, atol=1e-7)
    np.testing.assert_allclose(frames[1].arrays["temperature_K"], 400.0)
    np.testing.assert_allclose(frames[1].cell.lengths(), [10, 10, 20])


def test_a_finished_run_is_not_overwritten(tmp_path):
    recorder().write(claim(tmp_path))
    export(Run.open(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ResultsError, match="holds a finished run of 'test'"):
        claim(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "fields.bp").mkdir()
    for name in ("iv.png", "cut.png", "notes.txt"):
        (tmp_path / name).write_text("old")
    before = {path.name for path in tmp_path.iterdir()}
    path = claim(tmp_path, force=True)
    # All of the old run stays until the new one writes for the first time.
    assert {path.name for path in tmp_path.iterdir()} == before
    assert Run.open(tmp_path).status == "complete"
    recorder(status="running").write(path, lambda: clear(tmp_path))
    assert sorted(left.name for left in tmp_path.iterdir()) == ["notes.txt", RUN_FILE]  # what is not of a run stays
    assert claim(tmp_path) == path


def test_a_foreign_file_is_not_overwritten(tmp_path):
    (tmp_path / RUN_FILE).write_text("not HDF5")
    with pytest.raises(ResultsError, match="no whole run"):
        claim(tmp_path)
    assert (tmp_path / RUN_FILE).read_text() == "not HDF5"


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="holds no run"):
        Run.open(tmp_path)
    with pytest.raises(ResultsError, match="not found"):
        Run.open(tmp_path / "none")
    with h5py.File(tmp_path / RUN_FILE, "w"):
        pass
    with pytest.raises(ResultsError, match="is not a run file"):
        Run.open(tmp_path)
    recorder().write(tmp_path / RUN_FILE)
    with h5py.File(tmp_path / RUN_FILE, "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(ResultsError, match="schema_version = 99"):
        Run.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot hold a run"):
        claim(tmp_path / "file" / "out")
    with pytest.raises(ResultsError, match="cannot be written"):
        recorder().write(tmp_path / "missing" / RUN_FILE)


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / RUN_FILE
    recorder().write(path)
    broken = recorder()
    broken.checkpoint = {"strange": object()}
    with pytest.raises(TypeError):
        broken.write(path)
    assert Run.open(path).status == "complete"
    assert list(tmp_path.iterdir()) == [path]


def test_mistakes_in_recording_are_refused(tmp_path):
    record = recorder()
    with pytest.raises(ValueError, match="current_A"):
        record.sample(time_s=1.0, voltage_V=0.0, device_V=0.0, stage=0, temperature_peak_K=300.0)
    with pytest.raises(ValueError, match="potential_V"):
        record.snapshot(Snapshot("x", 0.0, 0.0, np.zeros(COUNT, np.int8), np.zeros(3), np.zeros(COUNT)))
    record.summary = {"nested": {"a": 1}}
    with pytest.raises(ValueError, match="the summary is flat"):
        record.write(tmp_path / RUN_FILE)
    with pytest.raises(ValueError, match="one each"):
        Sites(np.zeros((1, 3)), np.zeros(1), np.zeros(1), np.ones(3), ("a", "b"), ("O",), ())


WRITER = """
import sys, itertools
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_results import recorder
record = recorder(samples=0, status="running")
for index in itertools.count():
    for _ in range(200):
        record.sample(time_s=index, voltage_V=0.0, device_V=0.0, current_A=0.0, stage=0, temperature_peak_K=300.0)
    record.write(Path(sys.argv[2]))
"""


def test_a_reader_sees_a_whole_file_at_any_time_and_after_a_kill(tmp_path):
    path = claim(tmp_path / "out")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, os.path.dirname(__file__), str(path)])
    try:
        wait_for(path.exists)
        seen = []
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            seen.append(check_whole(Run.open(path)))
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    assert check_whole(Run.open(path)) >= seen[-1]
    assert claim(tmp_path / "out") == path
    assert [item.name for item in path.parent.iterdir()] == [RUN_FILE]


def check_whole(run: Run) -> int:
    """The number of samples, after checking that the file holds whole writes only."""
    samples = len(run.series["time_s"])
    assert run.status == "running"
    assert samples % 200 == 0
    assert run.series["time_s"][-1] == samples // 200 - 1
    return samples


def wait_for(condition, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the writer wrote nothing"
        time.sleep(0.01)
