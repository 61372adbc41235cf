"""A transistor in series with an ohmic device: exact operating points, both polarities, and a device behind it."""

import itertools

import numpy as np
import pytest
from small_device import FROZEN, small_device

from ionsim.drive import Circuit, Transistor
from ionsim.simulation import Simulation

K = 4e-4
VOLTAGES = (1e-6, 0.03, 0.5, 1.0, 1.7, 5.0, 60.0)
CONDUCTANCES = (1e-15, 1e-9, 1e-6, 1e-4, 7.7e-5, 1e-2, 1e3, 1e12)
GATES = (-1.0, 0.5, 0.5001, 1.0, 3.0)
MODULATIONS = (0.0, 1e-12, 0.1, 2.0)
GRID = list(itertools.product(GATES, MODULATIONS))


def transistor(gate_V=1.5, modulation=0.0):
    return Transistor(gate_V, 0.5, K, modulation)


def textbook_A(gate_V, drain_V, source_V, modulation):
    """The square law between two terminals over ground, whichever of them is lower."""
    low_V, high_V = sorted((drain_V, source_V))
    over_V, across_V = gate_V - low_V - 0.5, high_V - low_V
    if over_V <= 0:
        return 0.0
    ideal_A = K * (over_V * across_V - across_V**2 / 2) if across_V < over_V else K / 2 * over_V**2
    return np.sign(drain_V - source_V) * ideal_A * (1 + modulation * across_V)


@pytest.mark.parametrize(("gate_V", "modulation"), GRID)
def test_the_current_is_that_of_the_square_law_and_continuous(gate_V, modulation):
    model = transistor(gate_V, modulation)
    for node_V in np.linspace(-4, 4, 161):
        assert model.current_A(node_V) == pytest.approx(textbook_A(gate_V, node_V, 0.0, modulation), rel=1e-11, abs=0)
    onset_V = max(model.overdrive_V, 0.1)
    steps = np.diff([model.current_A(onset_V + shift) for shift in (-2e-6, -1e-6, 0.0, 1e-6, 2e-6)])
    assert np.ptp(steps) < 5e-6 * K * 1e-6 * (1 + modulation)  # no kink: slopes differ by the curvature alone


@pytest.mark.parametrize(("gate_V", "modulation"), GRID)
@pytest.mark.parametrize("sign", [1, -1])
def test_kirchhoff_holds_for_every_load(gate_V, modulation, sign):
    model = transistor(gate_V, modulation)
    for size_V, conductance_S in itertools.product(VOLTAGES, CONDUCTANCES):
        applied_V = sign * size_V
        point = Circuit(transistor=model).operating_point(applied_V, conductance_S)
        node_V = applied_V - point.device_V
        assert 0 <= sign * point.device_V <= size_V * (1 + 1e-15)
        assert point.current_A == conductance_S * point.device_V
        channel_A = model.current_A(node_V)
        stiffness_S = max(conductance_S, K * (abs(model.overdrive_V) + size_V) * (1 + modulation * size_V))
        assert abs(channel_A - point.current_A) <= 1e-12 * stiffness_S * size_V
        # Where the device takes little of the voltage, its own current is as exact.
        if abs(point.device_V) < 0.5 * size_V and channel_A:
            assert point.current_A == pytest.approx(channel_A, rel=1e-10)


@pytest.mark.parametrize(("gate_V", "modulation"), GRID)
def test_limits_of_the_load(gate_V, modulation):
    model = transistor(gate_V, modulation)
    for applied_V in (-2.0, 2.0):
        short = Circuit(transistor=model).operating_point(applied_V, 1e15)
        assert short.current_A == pytest.approx(model.current_A(applied_V), rel=1e-12)
        assert abs(short.device_V) < 1e-15
        none = Circuit(transistor=model).operating_point(applied_V, 0.0)
        tiny = Circuit(transistor=model).operating_point(applied_V, 1e-30)
        assert none.current_A == 0.0
        assert none.device_V == pytest.approx(tiny.device_V, rel=1e-9)
        if gate_V > 0.5:
            assert none.device_V == applied_V


@pytest.mark.parametrize(("gate_V", "modulation"), GRID)
@pytest.mark.parametrize("conductance_S", [1e-9, 1e-4, 1e-2])
def test_device_and_transistor_both_take_more_at_a_higher_voltage(gate_V, modulation, conductance_S):
    circuit = Circuit(transistor=transistor(gate_V, modulation))
    applied_V = np.linspace(-4, 4, 401)
    device_V = np.array([circuit.operating_point(float(volt), conductance_S).device_V for volt in applied_V])
    assert np.diff(device_V).min() >= -1e-14
    assert np.diff(applied_V - device_V).min() >= -1e-14


def test_closed_forms():
    circuit = Circuit(transistor=transistor(1.5))
    saturated = circuit.operating_point(2.0, 1e-2)
    assert saturated.current_A == pytest.approx(K / 2)
    assert saturated.limited
    # Triode: k/2 x^2 - (k + G) x + G V = 0 with an overdrive of 1 V.
    triode = circuit.operating_point(0.5, 1e-4)
    assert triode.device_V == pytest.approx(0.5 - (5e-4 - np.sqrt(5e-4**2 - 2 * K * 1e-4 * 0.5)) / K, rel=1e-13)
    assert not triode.limited
    # Saturated with modulation: k/2 (1 + lambda x) = G (V - x).
    node_V = (1e-3 * 4 - K / 2) / (1e-3 + 0.1 * K / 2)
    modulated = Circuit(transistor=transistor(1.5, 0.1)).operating_point(4.0, 1e-3)
    assert modulated.device_V == pytest.approx(4 - node_V, rel=1e-13)
    # Negative voltage, gate off over ground: a diode from its threshold on, k/2 y^2 = G (V - y - 0.5).
    diode = Circuit(transistor=transistor(0.0)).operating_point(-2.0, 1e-4)
    channel_V = (-1e-4 + np.sqrt(1e-4**2 + 2 * K * 1e-4 * 1.5)) / K
    assert diode.device_V == pytest.approx(-(1.5 - channel_V), rel=1e-13)
    assert diode.limited
    # Negative voltage, gate on: never saturated, and more current than forward.
    reverse = circuit.operating_point(-2.0, 1e-2)
    assert not reverse.limited
    assert -reverse.current_A > 1.5 * saturated.current_A


def test_off_means_no_current_and_no_voltage_on_the_device():
    circuit = Circuit(transistor=transistor(0.2))
    assert circuit.operating_point(3.0, 1e-4) == (0.0, 0.0, True)
    assert circuit.operating_point(0.0, 1e-4) == (0.0, 0.0, False)
    assert circuit.operating_point(-0.3, 1e-4).current_A == 0.0


def test_resistor_compliance_and_transistor_together():
    circuit = Circuit(1e3, 1.5e-4, transistor(1.5))
    free = circuit.operating_point(0.2, 1e-3)
    node_V = 0.2 - free.device_V - 1e3 * free.current_A
    assert transistor(1.5).current_A(node_V) == pytest.approx(free.current_A, rel=1e-12)
    assert circuit.operating_point(3.0, 1e-3) == (pytest.approx(0.15), 1.5e-4, True)


def test_a_device_saturates_its_transistor_turns_there_and_counts_its_own_power():
    keys = {"gate_V": 0.7, "threshold_V": 0.5, "transconductance_A_per_V2": 1e-6}
    drive = {
        "kind": "sweep", "ramp_rate_V_per_s": 8.0, "step_V": 0.5, "transistor": keys,
        "stages": [{"name": "forming", "stop_V": 3.0, "turn_at_compliance": True}],
    }  # fmt: skip
    rows = [frame.row for frame in Simulation(small_device({"drive": drive, **FROZEN}), seed=1)]
    limited = [row for row in rows if row["limited"]]  # 15 nS in series: saturated from 0.2 V + 20 nA / 15 nS on
    assert max(row["voltage_V"] for row in rows) == limited[0]["voltage_V"] == 2.0
    for row in limited:
        assert row["current_A"] == pytest.approx(0.5 * 1e-6 * 0.2**2, rel=1e-9)
    for row in rows:
        assert row["current_A"] == pytest.approx(row["conductance_S"] * row["device_V"], rel=1e-12)
        assert row["power_W"] == row["current_A"] * row["device_V"]
