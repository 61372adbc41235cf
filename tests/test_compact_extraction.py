"""Extraction of compact models: plans, replays, comparisons, least squares, traces, and the command line."""

from dataclasses import replace

import numpy as np
import pytest

from ionsim import load
from ionsim.compact import CompactError
from ionsim.compact.circuits import single, triangle
from ionsim.compact.extraction.compare import crossing_s, current_errors
from ionsim.compact.extraction.extract import extraction_of, gather
from ionsim.compact.extraction.fitting import Free, fit
from ionsim.compact.extraction.protocol import ErrorRow, Measurement
from ionsim.compact.extraction.traces import read_trace, write_trace
from ionsim.compact.families import VCM
from ionsim.drive import Drive

#: A cell in the numbers of hfo2_continuum, rounded: recovered below.
TRUE = {
    "x_start": 0.05, "rs": 150.0, "g_on": 2.6e-3, "i_off": 3e-4, "phi_off": 0.045, "disc": 1e-9, "ea": 1.2, "pw": 1.5,
    "rth": 4.2e5, "nu": 1e13,
}  # fmt: skip
KNOWN = {"mix": 1.0, "jump": 0.15e-9, "charge": 1.0, "v_off": 5.0, "alpha": 0.0, "t_ref": 300.0, "cth": 1e-17,
         "ea_rest": 1.4, "x_rest": 0.05}  # fmt: skip


def sweep(**changes):
    """hfo2_continuum with another drive or ambient."""
    return load("hfo2_continuum").replace(changes)


def series_of(device, current_of):
    """A made-up measurement: the current is a function of voltage and stage."""
    drive = Drive(device.drive)
    times = drive.samples_s[1:]
    volts = np.array([drive.voltage_V(t) for t in times])
    stage = np.array([float(drive.stage(t - 1e-9)) for t in times])
    current = current_of(volts, stage)
    return Measurement(
        "made_up", "held_out", "sweep", 3, device,
        {"time_s": times, "voltage_V": volts, "device_V": volts - 100 * current, "current_A": current,
         "power_W": volts * current, "limited": np.zeros(len(times)), "stage": stage},
        drive.stages,
    )  # fmt: skip


def test_plan_holds_out_other_rates_temperatures_and_amplitudes():
    plan = extraction_of("vcm").plan(load("hfo2_continuum"))
    assert len({item.name for item in plan}) == len(plan)
    sweeps = [item for item in plan if item.kind == "sweep"]

    def conditions(role):
        return {(s.device.drive.ramp_rate_V_per_s, s.device.ambient_K, s.device.drive.stages[1].stop_V)
                for s in sweeps if s.role == role}  # fmt: skip

    assert not conditions("fit") & conditions("held_out")
    assert len({rate for rate, _, _ in conditions("fit")}) >= 3
    assert len({kelvin for _, kelvin, _ in conditions("fit")}) >= 2


def test_plan_refuses_a_drive_without_cycles():
    device = sweep(drive={"kind": "constant", "voltage_V": 1.0, "duration_s": 1.0})
    with pytest.raises(CompactError, match="forming, reset, set"):
        extraction_of("vcm").plan(device)


def test_a_pulse_has_a_compliance_of_its_own():
    pulse = {"amplitude_V": 1.0, "rise_s": 1e-6, "width_s": 1e-6, "fall_s": 1e-6, "rest_s": 1e-6}
    drive = {"kind": "sequence", "compliance_A": 2e-3,
             "pulses": [{"name": "a", "compliance_A": 1e-3, **pulse}, {"name": "b", **pulse}]}  # fmt: skip
    plan = Drive(sweep(drive=drive).drive)
    assert plan.circuit(1.5e-6).compliance_A == 1e-3
    assert plan.circuit(5.5e-6).compliance_A == 2e-3


def test_currents_are_compared_at_equal_voltage_on_the_same_leg():
    true = series_of(sweep(), lambda v, stage: 1e-4 * v * np.where(stage == 1, 2.0, 1.0))
    own = {**true.series, "current_A": true.series["current_A"] * np.where(true.series["stage"] == 1, 10**0.2, 1.0)}
    assert np.allclose(current_errors(true.series, own, 1), 0.2)
    assert np.allclose(current_errors(true.series, own, 2), 0.0)


def test_a_crossing_lies_between_samples():
    # I = t^2: on logarithmic axes a straight line, so the crossing is exact
    time_s = np.array([1.0, 2.0, 4.0, 8.0])
    assert crossing_s({"time_s": time_s, "current_A": time_s**2}, 9.0) == pytest.approx(3.0)
    assert crossing_s({"time_s": time_s, "current_A": time_s**2}, 100.0) is None


def test_least_squares_gives_parameters_and_their_covariance():
    rng = np.random.default_rng(2)
    x, noise = np.linspace(1, 5, 400), 0.05
    data = np.log(3.0) - 0.7 * x + noise * rng.standard_normal(len(x))
    found = fit(
        lambda p: np.log(p["a"]) + p["b"] * x - data,
        [Free("a", 1.0, 1e-3, 1e3), Free("b", 0.0, -5.0, 5.0, scale="linear")],
        loss="linear",
    )
    design = np.column_stack([np.ones_like(x), x])
    exact = noise**2 * np.linalg.inv(design.T @ design)
    assert found.covariance == pytest.approx(exact, rel=0.15)
    assert abs(np.log(found.values["a"] / 3.0)) < 3 * np.sqrt(exact[0, 0])
    assert abs(found.values["b"] + 0.7) < 3 * np.sqrt(exact[1, 1])


def test_an_error_that_is_not_a_number_fails():
    assert ErrorRow("V_set", "1 V/s", True, float("nan"), 0.05, "relative").passed is False
    assert ErrorRow("V_set", "1 V/s", True, -0.04, 0.05, "relative").passed is True


def test_a_trace_keeps_what_decides(tmp_path):
    true = series_of(sweep(), lambda v, stage: np.where((stage == 2) & (v > 1.5), 1e-3, 1e-4) * v)
    path, _ = write_trace(true, tmp_path)
    back = read_trace(path)
    assert len(back.series["time_s"]) <= 400
    assert (back.role, back.kind, back.seed, back.stages) == ("held_out", "sweep", 3, true.stages)
    assert back.device == true.device
    jump = np.flatnonzero(np.diff(back.series["current_A"]) > 5e-4)
    assert len(jump) == 1
    assert back.series["voltage_V"][jump[0] + 1] == pytest.approx(1.51, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s,voltage_V\n0,1\n", "no column current_A"),
        ("time_s,volts,current_A\n0,1,1\n", "column 'volts' is not known"),
        ("time_s,voltage_V,current_A\n1,1,1\n0,1,1\n", "time_s must rise"),
        ("time_s,voltage_V,current_A\n1,1\n", "row 2 has 2 entries for 3"),
        ("# role = best\ntime_s,voltage_V,current_A\n", "role = 'best'"),
        ("# seed = x\ntime_s,voltage_V,current_A\n", "seed = 'x': a whole number"),
        ("time_s,voltage_V,current_A\n0,1,1\n1,a,1\n", "voltage_V = 'a' in row 3: no number"),
        ("time_s,voltage_V,current_A\n0,1,nan\n1,1,1\n", "current_A = 'nan' in row 2: a finite number"),
        ("time_s,voltage_V,current_A\n0,1,1\n1e-9,1,1\n", "time_s ends at 1e-09 s: the drive"),
    ],
)
def test_a_bad_trace_is_refused(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(CompactError, match=message):
        read_trace(path, sweep())


def test_what_cannot_be_gathered_is_named(tmp_path):
    with pytest.raises(CompactError, match="holds no run"):
        gather([tmp_path])
    with pytest.raises(CompactError, match=r"its device file .* is missing"):
        gather([tmp_path / "measured.csv"])
    with pytest.raises(CompactError, match="family = 'neuron'"):
        extraction_of("neuron")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("extract", "hfo2_continuum", "--out", "x", "--set", "drive.stages.reset.name=opening"),
         "forming, reset, set"),
        (("fit", "nothing", "--out", "x"), "nothing"),
        (("verify", "."), "holds no card.json"),
        (("verify", "--check", "nothing"), "check 'nothing': no such check"),
    ],
)  # fmt: skip
def test_bad_input_is_one_message_and_exit_code_2(command, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    outcome = command("compact", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 3


@pytest.mark.slow
def test_the_shipped_card_meets_other_rates_temperatures_and_amplitudes():
    # Sweeps; what of them the card fails is on the page of compact models.
    from ionsim.compact.card import find_card, load_card
    from ionsim.compact.verify.cards import held_out_records

    path = find_card("vcm")
    records = held_out_records(load_card(path), path.parent / "heldout")
    sweeps = [record for record in records if "RESET to" in record.name]
    assert len(sweeps) >= 8
    assert [record.name for record in sweeps if not record.passed] == ["V_reset, 1 V/s, 300 K, RESET to -1.5 V"]


@pytest.mark.slow
def test_a_replay_is_the_reference():
    from ionsim.compact.extraction.replay import Replay
    from ionsim.compact.reference import Network

    stages = ({"name": "set", "stop_V": 1.5}, {"name": "reset", "stop_V": -1.5})
    drive = {"kind": "sweep", "ramp_rate_V_per_s": 1.0, "stages": stages, "series_resistance_ohm": 0.0}
    found = Replay(VCM, sweep(drive=drive).drive, 300.15)()
    exact = Network(single(VCM, triangle((1.5, 0.0, -1.5, 0.0), 1.0))).solve(found["time_s"], rtol=1e-8, atol=1e-11)
    shown = np.abs(found["voltage_V"]) > 0.02
    errors = np.log10(np.abs(found["current_A"][shown] / exact.currents_A["te"][shown]))
    assert np.sqrt(np.mean(errors**2)) < 1e-4


@pytest.mark.slow
def test_parameters_come_back_from_three_rates_and_three_temperatures():
    from ionsim.compact.extraction.replay import Replay
    from ionsim.compact.extraction.targets import SweepTarget, Targets

    def made(rate, kelvin):
        device = sweep(**{"drive.ramp_rate_V_per_s": rate, "ambient_K": kelvin})
        series = Replay(VCM, device.drive, kelvin)(KNOWN | TRUE)
        name = f"{rate:g} V/s, {kelvin:g} K"
        return Measurement(name, "fit", "sweep", 1, device, series, ("forming", "reset", "set"))

    def recovered(conditions):
        targets = Targets([SweepTarget(made(*condition), VCM) for condition in conditions])
        rng = np.random.default_rng(1)
        free = [Free(name, value * np.exp(rng.uniform(-0.1, 0.1)), value / 20, value * 20)
                for name, value in TRUE.items()]  # fmt: skip
        free = [replace(item, start=1.04 * TRUE["ea"]) if item.name == "ea" else item for item in free]
        return fit(targets, free, KNOWN, loss="linear", rounds=40)

    nine = recovered([(rate, kelvin) for rate in (1.0, 1e3, 1e6) for kelvin in (300.0, 350.0, 400.0)])
    one = recovered([(1e3, 300.0)])
    assert nine.values["ea"] == pytest.approx(TRUE["ea"], rel=5e-3)
    for name, value in TRUE.items():
        assert nine.values[name] == pytest.approx(value, rel=0.08), name
    assert nine.condition < 0.2 * one.condition
