"""Resistances that a phase-change cell's drive has read: in the summary, the report and studies by one definition."""

import numpy as np
import pytest
from resume_devices import DEVICES

import ionsim
from ionsim.analysis.pcm_reads import read_figures, read_resistances
from ionsim.analysis.switching import SWEEP_KEYS, cannot_occur, summarise
from ionsim.config import load
from ionsim.config.waveforms import Table
from ionsim.drive import Drive
from ionsim.report.metrics import metrics_of
from ionsim.report.texts import quantity
from ionsim.results import Run
from ionsim.study.observables import SOLVER, observables, of_summary

PULSES = 'drive={kind="pulses", amplitude_V=1.5, second_amplitude_V=0.9, width_s=3e-8, rise_s=5e-9, period_s=2e-7, '
READS = 'drive={kind="read", voltage_V=0.1, repeats=3, interval_s=1.0}'
SWEEP = (
    'drive={kind="sweep", ramp_rate_V_per_s=1e6, read_V=0.1, step_V=0.05, '
    'stages=[{name="reset", stop_V=2.0}, {name="set", stop_V=-1.2}, {name="out", stop_V=0.5, return_to_zero=false}]}'
)


def series_of(device):
    """What the drive's recorded points would be: the resistance in kOhm is the number of the point."""
    drive = Drive(device.drive)
    times, now = [], 0.0
    while now < drive.duration_s:
        now = drive.next_sample_s(now)
        times.append(now)
    count = len(times)
    stage = [drive.stage(0.5 * (one + two)) for one, two in zip([0.0, *times[:-1]], times, strict=True)]
    ones = np.ones(count)
    return {
        "time_s": np.array(times), "voltage_V": np.array([drive.voltage_V(time_s) for time_s in times]),
        "stage": np.array(stage, dtype=float),
        "conductance_S": 1e-3 / np.arange(1, count + 1), "current_A": 1e-6 * ones, "power_W": 1e-6 * ones,
        "temperature_peak_K": 300.0 * ones, "limited": 0.0 * ones,
    }, drive.stages  # fmt: skip


def test_a_pulse_is_read_at_the_end_of_its_rest():
    device = load("gst_mushroom")
    series, stages = series_of(device)
    found = read_figures(device.drive, series, stages)
    # 4 legs of 20 points each
    assert found == pytest.approx(
        {"R_reset_ohm": 80e3, "R_set_ohm": 160e3, "R_LRS_ohm": 80e3, "R_HRS_ohm": 160e3, "on_off_ratio": 2.0}
    )


def test_reads_of_the_other_drives():
    trains = load("gst_mushroom", [PULSES + "count=3}"])
    series, stages = series_of(trains)
    at, ohm = read_resistances(trains.drive, series)
    assert at.tolist() == [0, 1, 0, 1, 0, 1]
    ends = [series["time_s"][round(value / 1e3) - 1] for value in ohm]
    assert ends == pytest.approx(2e-7 * np.arange(1, 7))
    assert read_figures(trains.drive, series, stages)["R_second_ohm"] == ohm[-1] == ohm.max()

    reads = load("gst_mushroom", [READS])
    series, _ = series_of(reads)
    _, ohm = read_resistances(reads.drive, series)
    # a read takes a tenth of the interval, its edges a tenth of that
    assert [series["time_s"][round(value / 1e3) - 1] for value in ohm] == pytest.approx([0.99, 1.99, 2.99])

    sweep = load("gst_mushroom", [SWEEP])
    series, stages = series_of(sweep)
    found = read_figures(sweep.drive, series, stages)
    rows = [round(found[key] / 1e3) - 1 for key in ("R_reset_ohm", "R_set_ohm")]
    assert series["voltage_V"][rows] == pytest.approx([0.1, -0.1])
    assert np.all(np.diff(np.abs(series["voltage_V"]))[np.array(rows) - 1] < 0.0), "the way out was read"
    assert found["R_out_ohm"] is None, "a stage that does not come back was read"


def test_what_is_not_read_has_no_resistance():
    one = load("pcm_array_3x3")
    series, stages = series_of(one)
    found = read_figures(one.drive, series, stages)
    assert found["R_reset_ohm"] == pytest.approx(24e3)
    assert [found[key] for key in ("R_LRS_ohm", "R_HRS_ohm", "on_off_ratio")] == [None] * 3, "one read is neither"

    unread = load("gst_mushroom", ["drive.read_V=0.0"])
    series, stages = series_of(unread)
    assert set(read_figures(unread.drive, series, stages).values()) == {None}, "the falling edge's value was taken"
    assert read_figures(unread.drive, {}, stages)["R_set_ohm"] is None


def test_without_a_read_voltage_the_smallest_recorded_one_counts():
    series = {"voltage_V": np.array([0.0, 0.2, 0.2, 1.0, 0.2]), "stage": np.zeros(5),
              "conductance_S": np.array([0.0, 1e-3, 2e-3, 3e-3, 4e-3])}  # fmt: skip
    for drive in (None, Table(kind="csv", path="x.csv")):
        assert read_resistances(drive, series)[1] == pytest.approx([500.0, 250.0])


def test_summary_and_report_say_the_same():
    device = load("gst_mushroom")
    series, stages = series_of(device)
    summary = summarise(device, series, stages)
    rows = {row.name: row.value for row in metrics_of(device, "pcm", summary, series, stages)}
    for key, name in (("R_LRS_ohm", "R<sub>LRS</sub>"), ("R_HRS_ohm", "R<sub>HRS</sub>"),
                      ("R_reset_ohm", "R after reset"), ("R_set_ohm", "R after set")):  # fmt: skip
        assert summary[key] is not None
        assert rows[name] == quantity(summary[key], "Ω")
    assert rows["on/off ratio"] == "2"
    assert set(summary) <= set(observables(device)), "a study would refuse this observable"
    assert summary["E_reset_J"] == pytest.approx(1e-6 * 1.5e-7)


def test_a_sweep_of_a_cell_has_its_voltages_too():
    device = load("gst_mushroom", [SWEEP])
    series, stages = series_of(device)
    summary = summarise(device, series, stages)
    assert summary["on_off_ratio"] == summary["R_HRS_ohm"] / summary["R_LRS_ohm"]
    assert summary["R_virgin_ohm"] == pytest.approx(1e3)
    assert set(summary) <= set(observables(device))


def test_keys_that_cannot_occur():
    sweep = set(SWEEP_KEYS)
    resistances = {"R_LRS_ohm", "R_HRS_ohm", "on_off_ratio"}
    assert cannot_occur(load("gst_mushroom")) == sweep - resistances
    assert cannot_occur(load("gst_mushroom", [SWEEP])) == {"V_form_V"}
    assert cannot_occur(load("psg_wo3_pulse_train")) == set()
    up = {"nonlinearity_up", "curvature_up"}
    down = {"nonlinearity_down", "curvature_down", "asymmetry"}
    train = 'drive={kind="gate_pulses", amplitude_V=11.0, width_s=1e-9, rise_s=1e-9, period_s=1.0, rest_V=-0.2, '
    both = 'second_amplitude_V=-11.5, order="alternate", '
    assert cannot_occur(load("psg_wo3_pulse_train", [train + "count=5}"])) == down
    assert cannot_occur(load("psg_wo3_pulse_train", [train + "count=2}"])) == up | down
    assert cannot_occur(load("psg_wo3_pulse_train", [train + both + "count=5}"])) == up | down
    blocks = train + both.replace("alternate", "blocks") + "count=5}"
    assert cannot_occur(load("psg_wo3_pulse_train", [blocks])) == set()
    assert cannot_occur(load("hfo2_ti_bipolar")) == set()
    assert cannot_occur(load("hfo2_ti_bipolar", ['drive={kind="constant", voltage_V=1.0, duration_s=1.0}'])) == sweep
    forming = 'drive={kind="sweep", ramp_rate_V_per_s=1.0, stages=[{name="forming", stop_V=3.0}]}'
    assert cannot_occur(load("hfo2_ti_bipolar", [forming])) == sweep - {"V_form_V", "R_virgin_ohm", "R_LRS_ohm"}


def test_a_study_keeps_what_the_device_did(tmp_path):
    device = load("gst_mushroom")
    summary = {"T_peak_K": 900.0, "V_form_V": None, "R_LRS_ohm": None, "n_steps": 5, "E_residual_J": 1e-20, "seed": 1}
    assert of_summary(device, summary, ()) == {"T_peak_K": 900.0, "R_LRS_ohm": None}
    assert of_summary(device, summary, ("n_steps", "V_form_V")) == {"n_steps": 5, "V_form_V": None}
    for name in ("gst_mushroom", "hfo2_ti_bipolar", "hfo2_continuum", "psg_wo3_pulse_train"):
        assert set(SOLVER) & set(observables(load(name))), "they can still be asked for"


def test_the_summary_of_a_run_is_printed_without_dashes(tmp_path, command):
    run = ionsim.Simulation(DEVICES["pcm_3d"][0](), seed=1).run(tmp_path / "run")
    assert run.summary["R_first_ohm"] == pytest.approx(1.0 / run.series["conductance_S"][-1])
    said = command("info", tmp_path / "run").out.partition("\nsummary\n")[2]
    dashes = {line.split()[0] for line in said.splitlines() if line.split()[-1] == "-"}
    assert dashes == {"R_LRS_ohm", "R_HRS_ohm", "on_off_ratio"}, "one read only"
    assert "R_first_ohm" in said
    assert Run.open(tmp_path / "run").summary["V_form_V"] is None, "the file keeps its keys"
