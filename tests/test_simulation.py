"""The run loop, end to end on a device that runs in seconds: what it writes, repeats, refuses and leaves behind."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from mpi4py import MPI
from small_device import FROZEN, small_device

import fem
from ionsim.config import Device
from ionsim.devices.vcm import Vcm
from ionsim.drive import Circuit, Drive
from ionsim.errors import ResultsError
from ionsim.results import Run, claim
from ionsim.simulation import Simulation

FILES = ("run.h5", "iv.csv", "voltage_steps.csv", "summary.json", "sites.extxyz", "fields.bp")

#: What the summary of every sweep has, null where it did not occur.
SUMMARY = (
    "V_form_V", "V_reset_V", "V_set_V", "R_virgin_ohm", "R_LRS_ohm", "R_HRS_ohm", "on_off_ratio", "E_total_J",
    "E_action_J", "P_standby_W", "T_peak_K", "I_max_A", "tau_set_s", "n_events", "n_vacancy_hop", "n_oxygen_release",
    "n_oxygen_return", "flicker_share", "n_field_refreshes", "potential_error_rms_kT", "potential_error_median_kT",
    "potential_error_p95_kT", "potential_error_max_kT", "duration_s", "seed", "wall_time_s",
    "field_share",
)  # fmt: skip

FORMING_ONLY = {"drive.stages": [{"name": "forming", "stop_V": 1.0, "return_to_zero": False}]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forming, RESET and SET of the small device with seed 1; tests read it and leave it as it is."""
    return Simulation(small_device(), seed=1).run(tmp_path_factory.mktemp("small") / "out")


def test_the_folder_holds_all_files_and_they_read_back(run):
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(FILES)
    assert (run.status, run.seed, run.family) == ("complete", 1, "vcm")
    assert run.stages == ("forming", "reset", "set")
    assert {"virgin", "formed", "reset", "set"} <= set(run.snapshots)
    assert Device.from_toml(run.input_toml) == small_device()
    with open(run.folder / "iv.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stage"] for row in rows] == run.iv()["stage"].tolist()
    np.testing.assert_allclose([float(row["current_A"]) for row in rows], run.series["current_A"], rtol=1e-9)


def test_ase_reads_the_sites(run):
    frames = ase.io.read(run.folder / "sites.extxyz", index=":")
    assert [frame.info["label"] for frame in frames] == list(run.snapshots)
    for frame in frames:
        snapshot = run.snapshot(frame.info["label"])
        np.testing.assert_allclose(frame.positions, 10.0 * run.sites.positions_nm, atol=1e-6)
        np.testing.assert_array_equal(np.array(frame.get_chemical_symbols()) == "X", snapshot.occupation == 1)
        np.testing.assert_allclose(frame.arrays["temperature_K"], snapshot.temperature_K, rtol=1e-6)


def test_the_fields_are_a_vtx_file(run):
    names = {path.name for path in (run.folder / "fields.bp").iterdir()}
    assert {"md.idx", "data.0"} <= names
    assert b"potential_V" in (run.folder / "fields.bp" / "md.0").read_bytes()


def test_the_summary_has_its_keys_and_its_file(run):
    assert set(SUMMARY) <= set(run.summary)
    assert json.loads((run.folder / "summary.json").read_text()) == run.summary
    assert run.summary["seed"] == 1
    assert run.summary["wall_time_s"] > 0.0
    assert 0.0 < run.summary["field_share"] < 1.0


def test_what_did_not_occur_is_null(tmp_path):
    result = Simulation(small_device({**FORMING_ONLY, **FROZEN}), seed=1).run(tmp_path)
    assert set(SUMMARY) <= set(result.summary)
    absent = ("V_form_V", "V_reset_V", "V_set_V", "R_HRS_ohm", "on_off_ratio", "E_action_J", "P_standby_W")
    assert [result.summary[key] for key in absent] == [None] * len(absent)
    assert result.summary["flicker_share"] is None  # a share of no events
    assert result.summary["n_events"] == 0
    assert "null" in (tmp_path / "summary.json").read_text()


def test_switching_voltages_are_those_of_the_series(run):
    forming = run.series["stage"] == 0
    limited = np.flatnonzero(forming & (run.series["limited"] > 0))
    assert len(limited) > 0, "the small device no longer forms: choose its numbers anew"
    assert run.summary["V_form_V"] == run.series["voltage_V"][limited[0]]


def test_counts_agree_with_the_series(run):
    series, summary = run.series, run.summary
    counts = {name: summary[f"n_{name}"] for name in ("vacancy_hop", "oxygen_release", "oxygen_return")}
    assert min(counts["vacancy_hop"], counts["oxygen_release"]) > 0, "choose the small device's numbers anew"
    assert sum(counts.values()) == summary["n_events"] == series["n_events"][-1]
    assert summary["n_field_refreshes"] == series["n_refreshes"][-1]
    assert 0.0 <= summary["flicker_share"] < 1.0
    undone = summary["flicker_share"] * summary["n_events"]
    assert undone == pytest.approx(round(undone), abs=1e-6)
    for name in ("n_events", "n_refreshes", "time_s"):
        assert np.all(np.diff(series[name]) >= 0)
    virgin, last = (int(np.count_nonzero(run.snapshot(label).occupation)) for label in ("virgin", "set"))
    made = counts["oxygen_release"] - counts["oxygen_return"]
    assert (series["n_vacancies"][-1], series["n_vacancies"][-1] - virgin) == (last, made)
    np.testing.assert_array_equal(series["n_reservoir"], series["n_vacancies"])  # equal at the start


def test_the_series_obeys_the_circuit(run):
    series = run.series
    limit_A = small_device().drive.compliance_A
    np.testing.assert_allclose(series["current_A"], series["conductance_S"] * series["device_V"], rtol=1e-12)
    np.testing.assert_allclose(series["power_W"], series["current_A"] * series["device_V"], rtol=1e-12)
    assert np.abs(series["current_A"]).max() <= limit_A * (1.0 + 1e-12)
    assert run.summary["I_max_A"] == np.abs(series["current_A"]).max()
    free = series["limited"] == 0
    np.testing.assert_array_equal(series["device_V"][free], series["voltage_V"][free])
    np.testing.assert_allclose(np.abs(series["current_A"][~free]), limit_A, rtol=1e-12)


def test_heat_raises_the_temperature_and_the_summary_has_the_peak(run):
    peak = run.series["temperature_peak_K"]
    assert peak.min() >= 300.0 - 1e-6
    assert peak.max() > 301.0
    assert run.summary["T_peak_K"] >= peak.max()
    hottest = max(snapshot.temperature_K.max() for snapshot in run.snapshots.values())
    assert 301.0 < hottest <= run.summary["T_peak_K"] + 1e-6


def test_without_voltage_the_device_is_at_ambient_temperature(run):
    resting = run.series["voltage_V"] == 0.0  # after 30 ms; heat is gone within nanoseconds
    assert np.count_nonzero(resting) == 3
    np.testing.assert_allclose(run.series["temperature_peak_K"][resting], 300.0, atol=1e-3)


def test_frames_come_one_by_one():
    simulation = Simulation(small_device(FROZEN), seed=1)
    times = []
    for frame in simulation:
        assert frame.current_A == frame.row["current_A"] == simulation.family.current_A
        assert frame.stage == simulation.drive.stages[int(frame.row["stage"])]
        assert frame.voltage_V == pytest.approx(simulation.drive.voltage_V(frame.time_s))
        times.append(frame.time_s)
    assert times == sorted(times)
    np.testing.assert_array_equal(simulation.recorder.series()["time_s"], times)


def test_the_drive_is_carried_out_to_its_end():
    simulation = Simulation(small_device(FROZEN), seed=1)
    frames = list(simulation)
    assert frames[-1].time_s == simulation.drive.duration_s == Drive(small_device().drive).duration_s
    stages = simulation.drive.stages
    reached = {stage: [frame.voltage_V for frame in frames if frame.stage == stage] for stage in stages}
    assert max(reached["forming"]) == 3.0  # nothing forms, so nothing turns early
    assert min(reached["reset"]) == -0.8
    assert max(reached["set"]) == 1.2
    assert [voltages[-1] for voltages in reached.values()] == [0.0, 0.0, 0.0]


def test_a_stage_that_turned_early_ends_early_and_the_run_goes_on(run):
    assert run.summary["V_form_V"] < 3.0
    assert run.series["time_s"][-1] < Drive(small_device().drive).duration_s
    assert run.series["voltage_V"][run.series["stage"] == 0].max() == run.summary["V_form_V"]
    assert run.summary["duration_s"] == run.series["time_s"][-1]
    assert run.series["stage"][-1] == 2
    assert run.series["voltage_V"][-1] == 0.0


PULSES = {"kind": "pulses", "amplitude_V": 1.0, "width_s": 1e-7, "rise_s": 1e-8, "period_s": 1e-6, "count": 2}
OTHER_DRIVES = {
    "constant": {"kind": "constant", "voltage_V": -0.5, "duration_s": 1e-3},
    "pulses": {**PULSES, "second_amplitude_V": -0.7},
    "read": {"kind": "read", "voltage_V": 0.2, "repeats": 2, "interval_s": 1.0},
}


@pytest.mark.parametrize("kind", OTHER_DRIVES)
def test_other_drives_run_to_their_end(kind):
    device = small_device({"drive": {**OTHER_DRIVES[kind], "series_resistance_ohm": 1e6}, **FROZEN})
    simulation = Simulation(device, seed=1)
    rows = [frame.row for frame in simulation]
    assert rows[-1]["time_s"] == simulation.drive.duration_s
    extremes = {"constant": (-0.5, -0.5), "pulses": (-0.7, 1.0), "read": (0.0, 0.2)}[kind]
    applied = [row["voltage_V"] for row in rows]
    assert (min(applied), max(applied)) == pytest.approx(extremes)
    for row in rows:
        assert row["device_V"] + 1e6 * row["current_A"] == pytest.approx(row["voltage_V"], rel=1e-12, abs=1e-15)


def test_a_device_without_exchange_keeps_its_vacancies():
    frames = list(Simulation(small_device({"exchange": None, **FORMING_ONLY}), seed=1))
    assert "n_reservoir" not in frames[-1].row
    assert {frame.row["n_vacancies"] for frame in frames} == {10.0}


def test_a_finished_run_is_not_overwritten(run):
    before = {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    with pytest.raises(ResultsError, match="holds a finished run of 'small'"):
        Simulation(small_device(FROZEN), seed=2).run(run.folder)
    assert {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(run, tmp_path):
    curve = (run.folder / "iv.csv").read_bytes()
    again = Simulation(small_device(), seed=1).run(tmp_path / "again")
    assert (again.folder / "iv.csv").read_bytes() == curve
    for label, snapshot in run.snapshots.items():
        np.testing.assert_array_equal(again.snapshot(label).occupation, snapshot.occupation)
    other = Simulation(small_device(), seed=2).run(tmp_path / "other")
    assert (other.folder / "iv.csv").read_bytes() != curve


def test_a_frozen_temperature_stays_ambient_and_changes_the_result(run, tmp_path):
    device = small_device({"numerics.freeze_temperature": True, "ambient_K": 300.0})
    cold = Simulation(device, seed=1).run(tmp_path)
    assert cold.summary["T_peak_K"] == 300.0
    assert set(cold.series["temperature_peak_K"]) == {300.0}
    assert (cold.folder / "iv.csv").read_bytes() != (run.folder / "iv.csv").read_bytes()
    assert not np.array_equal(cold.snapshot("set").occupation, run.snapshot("set").occupation)


class BrokenError(Exception):
    """What the tests below raise in the middle of a run."""


def test_an_error_in_the_middle_leaves_a_readable_failed_run(tmp_path, monkeypatch):
    advance = Vcm.advance

    def breaking(self, until_s, applied_V, circuit):
        if until_s > 0.07:
            raise BrokenError("in the middle")
        advance(self, until_s, applied_V, circuit)

    monkeypatch.setattr(Vcm, "advance", breaking)
    with pytest.raises(BrokenError, match="in the middle"):
        Simulation(small_device(FROZEN), seed=1).run(tmp_path)
    left = Run.open(tmp_path)
    assert left.status == "failed"
    np.testing.assert_allclose(left.series["time_s"], [0.03125, 0.0625])
    assert "virgin" in left.snapshots
    assert not (tmp_path / "iv.csv").exists()
    assert claim(tmp_path) == left.path  # a failed run may be replaced without force


def test_an_error_at_the_very_end_leaves_a_failed_run_too(tmp_path, monkeypatch):
    def breaking(self, path, frames):
        raise fem.FemError("no fields")

    monkeypatch.setattr(Vcm, "write_fields", breaking)
    with pytest.raises(fem.FemError, match="no fields"):
        Simulation(small_device({**FROZEN, **FORMING_ONLY}), seed=1).run(tmp_path)
    left = Run.open(tmp_path)
    assert left.status == "failed"
    assert left.series["voltage_V"][-1] == 1.0


def wait_for(condition, process: subprocess.Popen, log: Path, timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, f"the run ended by itself: {log.read_text()}"
        assert time.monotonic() < end, "the run wrote nothing"
        time.sleep(0.01)


def test_a_killed_run_leaves_a_readable_file(tmp_path):
    # A fine staircase, so that the run is still under way when it is killed, and a write after every point.
    device = small_device({**FROZEN, "drive.step_V": 1e-4, "numerics.checkpoint_s": 1e-6})
    file, out = tmp_path / "device.toml", tmp_path / "out"
    file.write_text(device.to_toml())
    command = [sys.executable, "-m", "ionsim.cli", "run", str(file), "--out", str(out)]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        wait_for((out / "run.h5").exists, process, tmp_path / "log")
        before = Run.open(out)
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    with h5py.File(out / "run.h5", "r") as raw:
        assert raw.attrs["status"] == "running"
    left = Run.open(out)
    assert len(left.series["time_s"]) >= len(before.series["time_s"]) > 0
    assert set(left.snapshots) >= {"virgin"}
    assert not (out / "summary.json").exists()
    assert claim(out) == out / "run.h5"


def test_a_restored_device_goes_on_bit_by_bit():
    steps = [(0.03 * number, 0.25 * number) for number in range(1, 9)]
    circuit = Circuit(0.0, 1e-6)

    def build() -> Vcm:
        return Vcm(small_device(), np.random.SeedSequence(1), MPI.COMM_SELF)

    straight, restored = build(), build()
    straight.initialise()
    for until_s, applied_V in steps[:4]:
        straight.advance(until_s, applied_V, circuit)
    restored.restore(straight.checkpoint())
    events = straight.engine.n_events
    for until_s, applied_V in steps[4:]:
        for family in (straight, restored):
            family.advance(until_s, applied_V, circuit)
        assert restored.observe() == straight.observe()
        np.testing.assert_array_equal(restored.engine.occupation, straight.engine.occupation)
        np.testing.assert_array_equal(restored.state()["temperature_K"], straight.state()["temperature_K"])
    assert straight.engine.n_events > events
