"""Waveforms, turning at compliance, and the external circuit."""

import itertools
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from ionsim.config.waveforms import AnyDrive, Constant, Sequence
from ionsim.drive import Circuit, Drive, Transistor, Turn


def drive(**keys: Any) -> Drive:
    return Drive(TypeAdapter(AnyDrive).validate_python(keys))


def sweep(*stages: dict[str, Any], **keys: Any) -> Drive:
    return drive(kind="sweep", ramp_rate_V_per_s=2.0, stages=list(stages), compliance_A=1e-4, **keys)


FORMING = {"name": "forming", "stop_V": 3.0, "turn_at_compliance": True}
RESET = {"name": "reset", "stop_V": -1.0}


def test_a_sweep_ramps_out_and_back():
    plan = sweep(FORMING, RESET)
    assert plan.stages == ("forming", "reset")
    np.testing.assert_allclose(plan.corners_s, [0.0, 1.5, 3.0, 3.5, 4.0])
    assert plan.duration_s == 4.0
    assert plan.stage_ends_s == (3.0, 4.0)
    for time_s, voltage_V in [(0, 0), (0.75, 1.5), (1.5, 3), (2.5, 1), (3, 0), (3.25, -0.5), (3.5, -1), (4, 0)]:
        assert plan.voltage_V(time_s) == pytest.approx(voltage_V, abs=1e-15)


def test_a_border_belongs_to_the_later_stage_and_the_end_to_the_last():
    plan = sweep(FORMING, RESET)
    assert [plan.stage(t) for t in (0, 2.999, 3.0, 4.0, 9.0)] == [0, 0, 1, 1, 1]
    assert plan.voltage_V(-1.0) == plan.voltage_V(0.0) == 0.0
    assert plan.voltage_V(9.0) == 0.0


def test_a_stage_may_end_where_it_stops():
    plan = sweep({"name": "up", "stop_V": 1.0, "return_to_zero": False}, {"name": "down", "stop_V": -1.0})
    np.testing.assert_allclose(plan.corners_s, [0.0, 0.5, 1.5, 2.0])
    assert plan.voltage_V(1.0) == pytest.approx(0.0)


def test_samples_follow_the_voltage_step_and_hold_every_corner():
    plan = sweep(FORMING, RESET, step_V=0.1)
    assert set(plan.corners_s) <= set(plan.samples_s)
    steps = np.diff([plan.voltage_V(t) for t in plan.samples_s])
    np.testing.assert_allclose(np.abs(steps), 0.1, rtol=1e-9)
    assert plan.next_sample_s(0.0) == pytest.approx(0.05)
    assert plan.next_sample_s(plan.duration_s) == plan.duration_s


def test_turning_at_compliance_replans_the_return_leg():
    plan = sweep(FORMING, RESET)
    assert plan.on_compliance(1.1)
    assert 1.1 in plan.corners_s
    assert plan.voltage_V(1.1) == pytest.approx(2.2)
    np.testing.assert_allclose(plan.corners_s, [0.0, 1.1, 2.2, 2.7, 3.2])
    assert not plan.on_compliance(1.1)
    assert not plan.on_compliance(1.5)
    assert plan.turns == {0: Turn(1.1, plan.voltage_V(1.1))}


@pytest.mark.parametrize("time_s", [0.1, 1 / 3, 0.7, 1.1, 1.4999999])
def test_the_corner_of_a_turn_is_exactly_where_it_was_reported(time_s):
    plan = sweep({"name": "up", "stop_V": 0.3}, FORMING)
    assert plan.on_compliance(0.3 + time_s)
    assert 0.3 + time_s in plan.corners_s


def test_only_the_outward_ramp_of_a_marked_stage_turns():
    plan = sweep(FORMING, RESET)
    assert not plan.on_compliance(0.0)  # no voltage yet, so nothing to turn from
    assert not plan.on_compliance(2.0)  # on the way back already
    assert not plan.on_compliance(3.2)  # RESET does not turn
    assert plan.turns == {}


def test_a_plan_is_restored_from_its_turns_and_start_forgets_them():
    plan = sweep(FORMING, RESET)
    fresh = plan.corners_s
    plan.on_compliance(0.9)
    other = sweep(FORMING, RESET)
    other.restore(plan.turns)
    np.testing.assert_array_equal(other.corners_s, plan.corners_s)
    plan.start()
    np.testing.assert_array_equal(plan.corners_s, fresh)


def test_a_stage_may_have_a_compliance_of_its_own():
    plan = sweep(FORMING, {**RESET, "compliance_A": 1e-2}, series_resistance_ohm=50.0)
    assert plan.circuit(0.5) == Circuit(50.0, 1e-4)
    assert plan.circuit(3.2) == Circuit(50.0, 1e-2)


TRANSISTOR = {"gate_V": 1.5, "threshold_V": 0.5, "transconductance_A_per_V2": 4e-4}


def test_a_stage_may_have_a_gate_voltage_of_its_own():
    plan = sweep(FORMING, {**RESET, "gate_V": 3.0}, transistor=TRANSISTOR)
    assert plan.circuit(0.5).transistor == Transistor(1.5, 0.5, 4e-4, 0.0)
    assert plan.circuit(3.2).transistor == Transistor(3.0, 0.5, 4e-4, 0.0)
    assert drive(**PULSE, transistor=TRANSISTOR).circuit(0.5) == Circuit(transistor=Transistor(1.5, 0.5, 4e-4))


PULSE = {
    "kind": "pulses",
    "amplitude_V": 1.0,
    "width_s": 2.0,
    "rise_s": 1.0,
    "period_s": 10.0,
    "count": 2,
    "read_V": 0.1,
}


def test_pulses_have_edges_plateaus_and_rests():
    plan = drive(**PULSE)
    np.testing.assert_allclose(plan.corners_s, [0, 1, 3, 4, 10, 11, 13, 14, 20])
    for time_s, voltage_V in [
        (0, 0.1),
        (0.5, 0.55),
        (1, 1),
        (2.9, 1),
        (3.5, 0.55),
        (4, 0.1),
        (9, 0.1),
        (12, 1),
        (20, 0.1),
    ]:
        assert plan.voltage_V(time_s) == pytest.approx(voltage_V)


def test_second_pulses_alternate_or_follow_in_a_block():
    second = {"second_amplitude_V": -2.0, "second_width_s": 1.0}
    alternating = drive(**PULSE, **second)
    assert alternating.stages == ("first", "second")
    assert [alternating.stage(t) for t in (2, 12, 22, 32)] == [0, 1, 0, 1]
    assert alternating.voltage_V(11.5) == -2.0
    assert alternating.stage_ends_s == (30.0, 40.0)
    blocks = drive(**PULSE, **second, order="blocks")
    assert [blocks.stage(t) for t in (2, 12, 22, 32)] == [0, 0, 1, 1]
    assert blocks.stage_ends_s == (20.0, 40.0)


def test_a_constant_voltage_holds_from_first_to_last():
    plan = drive(kind="constant", voltage_V=0.7, duration_s=5.0)
    assert plan.voltage_V(0.0) == plan.voltage_V(5.0) == 0.7
    assert plan.duration_s == 5.0
    assert not plan.on_compliance(1.0)


def test_reads_are_short_and_the_device_rests_between():
    plan = drive(kind="read", voltage_V=0.2, repeats=3, interval_s=10.0)
    assert plan.duration_s == pytest.approx(30.0)
    assert plan.voltage_V(5.0) == 0.0
    assert [plan.voltage_V(t) for t in (9.5, 19.5, 29.5)] == [0.2, 0.2, 0.2]


def test_a_table_is_piecewise_linear(tmp_path):
    path = tmp_path / "wave.csv"
    path.write_text("time_s,voltage_V\n0,0\n1e-6,2\n3e-6,-1\n")
    plan = drive(kind="csv", path=path)
    np.testing.assert_allclose(plan.corners_s, [0, 1e-6, 3e-6])
    assert plan.voltage_V(0.5e-6) == pytest.approx(1.0)
    assert plan.voltage_V(2e-6) == pytest.approx(0.5)


VOLTAGES = (-2.0, -0.1, 0.0, 0.3, 5.0)
CONDUCTANCES = (0.0, 1e-9, 1e-5, 1e-3, 1.0)


@pytest.mark.parametrize(("applied_V", "conductance_S"), list(itertools.product(VOLTAGES, CONDUCTANCES)))
def test_the_circuit_obeys_kirchhoff_or_its_limit(applied_V, conductance_S):
    circuit = Circuit(series_resistance_ohm=1e3, compliance_A=1e-4)
    point = circuit.operating_point(applied_V, conductance_S)
    assert point.current_A == pytest.approx(conductance_S * point.device_V, rel=1e-14)
    assert abs(point.current_A) <= 1e-4 * (1 + 1e-15)
    assert point.device_V * applied_V >= 0
    if point.limited:
        assert abs(point.current_A) == pytest.approx(1e-4)
        assert abs(point.device_V) < abs(applied_V) - 1e3 * abs(point.current_A)
    else:
        assert point.device_V + 1e3 * point.current_A == pytest.approx(applied_V, abs=1e-14)


def test_a_circuit_without_limit_or_resistance_applies_all():
    assert Circuit().operating_point(-1.5, 2.0) == (-1.5, -3.0, False)


@pytest.mark.parametrize("conductance_S", [-1e-9, float("nan"), float("inf")])
def test_an_impossible_conductance_is_refused(conductance_S):
    with pytest.raises(ValueError, match="conductance_S"):
        Circuit().operating_point(1.0, conductance_S)


def test_a_sequence_names_its_pulses_and_knows_where_they_end():
    pulse = {"amplitude_V": 2.0, "rise_s": 1e-9, "width_s": 4e-9, "fall_s": 2e-9, "rest_s": 3e-9}
    sequence = Sequence(
        kind="sequence", read_V=0.1, pulses=[{"name": "reset", **pulse}, {"name": "set", **pulse, "amplitude_V": -1.0}]
    )
    drive = Drive(sequence)
    assert drive.stages == ("reset", "set")
    np.testing.assert_allclose(drive.corners_s, [0, 1e-9, 5e-9, 7e-9, 10e-9, 11e-9, 15e-9, 17e-9, 20e-9])
    assert drive.pulse_ends_s == {drive.corners_s[2]: 0, drive.corners_s[6]: 1}
    assert [drive.voltage_V(time_s) for time_s in (3e-9, 8e-9, 13e-9)] == pytest.approx([2.0, 0.1, -1.0])
    assert Drive(Constant(kind="constant", voltage_V=1.0, duration_s=1.0)).pulse_ends_s == {}


GATE_TRAIN: dict[str, Any] = {
    "kind": "gate_pulses", "amplitude_V": 8.0, "width_s": 1e-9, "rise_s": 1e-9, "period_s": 1.0, "count": 3
}  # fmt: skip


def test_gate_pulses_have_their_corners_however_short_they_are():
    plan = drive(**GATE_TRAIN, second_amplitude_V=-9.0, second_width_s=2e-9, rest_V=-0.2)
    assert plan.stages == ("first", "second")
    assert plan.duration_s == pytest.approx(6.0)
    assert len(plan.corners_s) == 1 + 4 * 6
    assert set(plan.corners_s) <= set(plan.samples_s)
    tops = [k for k in range(len(plan.corners_s) - 1) if plan.voltage_V(plan.corners_s[k : k + 2].mean()) > 5.0]
    np.testing.assert_allclose(np.diff(plan.corners_s)[tops], 1e-9, rtol=1e-6)
    assert len(tops) == 3
    assert plan.forced_A(0.5, 0.5) is None
    assert plan.circuit(0.5).forced_A is None
    assert plan.voltage_V(0.5) == pytest.approx(-0.2)


def test_a_train_that_alternates():
    plan = drive(**GATE_TRAIN, second_amplitude_V=-9.0, order="alternate")
    assert [plan.stage(k + 0.5) for k in range(6)] == [0, 1, 0, 1, 0, 1]


def test_current_pulses_with_an_open_gate_between_them():
    keys = {**GATE_TRAIN, "amplitude_V": None, "amplitude_A": 2e-9}
    plan = drive(**keys, between="open")
    assert plan.forced_A(0.5e-9, 0.5e-9) == pytest.approx(1e-9)
    assert plan.forced_A(1.5e-9, 1.5e-9) == pytest.approx(2e-9)
    assert plan.circuit(2.5e-9, (2e-9, 3e-9)).forced_A == pytest.approx((2e-9, 0.0), abs=1e-18)
    assert plan.circuit(0.5).forced_A == (0.0, 0.0)
    held = drive(**keys)
    assert held.circuit(0.5).forced_A is None
    assert held.voltage_V(0.5) == 0.0


def test_gate_steps_from_nanoseconds_to_a_day():
    steps = [
        {"name": "write", "voltage_V": 8.0, "rise_s": 1e-9, "duration_s": 1e-8},
        {"name": "bleed", "current_A": -1e-12, "duration_s": 1e-3},
        {"name": "keep", "open": True, "duration_s": 1e5, "points": 50, "spacing": "log"},
    ]
    plan = drive(kind="gate_steps", steps=steps)
    assert plan.stages == ("write", "bleed", "keep")
    assert plan.voltage_V(5e-10) == pytest.approx(4.0)
    assert plan.voltage_V(5e-9) == 8.0
    assert plan.circuit(5e-4).forced_A == pytest.approx((-1e-12, -1e-12))
    assert plan.circuit(1.0).forced_A == (0.0, 0.0)
    late = plan.samples_s[plan.samples_s > plan.corners_s[-2]] - plan.corners_s[-2]
    assert late[0] == pytest.approx(1e-4)
    assert late[-1] == pytest.approx(1e5)
    assert np.ptp(np.diff(np.log(late))) < 0.01


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width_s": 1.0}, "width_s"),
        ({"amplitude_V": None}, "amplitude_V"),
        ({"amplitude_A": 1e-9}, "amplitude_A"),
        ({"second_width_s": 1e-9}, "second_width_s"),
    ],
)
def test_gate_pulses_name_the_key_that_is_wrong(changes, words):
    config = TypeAdapter(AnyDrive).validate_python({**GATE_TRAIN, **changes})
    assert [problem.key for problem in config.cross_checks()] == [words]


def test_a_gate_step_does_one_thing():
    steps = [{"name": "a", "voltage_V": 1.0, "open": True, "duration_s": 1.0}, {"name": "a", "duration_s": 1.0},
             {"name": "b", "voltage_V": 1.0, "rise_s": 2.0, "duration_s": 1.0}]  # fmt: skip
    config = TypeAdapter(AnyDrive).validate_python({"kind": "gate_steps", "steps": steps})
    assert [p.key for p in config.cross_checks()] == ["steps.0", "steps.1.name", "steps.1", "steps.2.rise_s"]


@pytest.mark.parametrize("conductance_S", [1e-12, 3e-8, 2e-6, 1e-3])
def test_the_range_of_conductances_ends_where_the_voltage_of_the_device_is_off_by_the_tolerance(conductance_S):
    """By hand: min(V/(1 + G R), I/G), with 1 V, 10 kOhm and 1 uA."""
    circuit = Circuit(series_resistance_ohm=1e4, compliance_A=1e-6)
    device_V = min(1.0 / (1.0 + 1e4 * conductance_S), 1e-6 / conductance_S)
    tolerance_V = 0.02 * device_V
    low_S, high_S = circuit.conductance_range(1.0, conductance_S, tolerance_V)

    def conducting_S(volts):
        return min(1e-6 / volts, (1.0 / volts - 1.0) / 1e4)

    assert high_S == pytest.approx(conducting_S(device_V - tolerance_V), rel=1e-6)
    if device_V + tolerance_V < 1.0:
        assert low_S == pytest.approx(conducting_S(device_V + tolerance_V), rel=1e-6)
    else:
        assert low_S == 0.0


def test_a_device_with_all_of_the_voltage_may_conduct_what_it_likes():
    assert Circuit().conductance_range(-1.0, 1e-6, 1e-3) == (0.0, np.inf)
    assert Circuit(1e3, 1e-6).conductance_range(1.0, 0.0, 1e-3) == (0.0, np.inf)
    assert Circuit(0.0, 1e-6).conductance_range(1.0, 1e-9, 0.01) == (0.0, pytest.approx(1e-6 / 0.99))
