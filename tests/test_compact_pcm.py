"""The PCM model without any simulator, and in the real tools where they are."""

import numpy as np
import pytest
from circuit_tools import needs_compiler, needs_simulator, passed

from ionsim.compact import verify
from ionsim.compact.circuits import Waveform, single
from ionsim.compact.extraction import pcm
from ionsim.compact.families import PCM
from ionsim.compact.frozen import frozen
from ionsim.compact.numeric import equations
from ionsim.compact.reference import Network
from ionsim.devices.relaxation import Relaxation
from ionsim.materials.crystallisation import GST_225

TRIAL = verify.TRIALS["pcm"]


def quantities(x, kelvin=300.0, age=0.897, volts=0.0, **changes):
    """Named quantities at one temperature, with the glass at ``volts``."""
    values = PCM.values({"x_start": 0.0, "age_start": 0.0, **changes})
    code = equations(PCM)
    found = code.quantities(volts, 0.0, 0.0, volts, 0.0, x, age, *code.arguments(values, kelvin))
    return dict(zip([item.name for item in PCM.quantities], found, strict=False))


def test_text_and_derivatives():
    passed(verify.text_records(PCM))
    passed(verify.derivative_records(PCM, n=20))
    assert all(parameter.source and parameter.meaning and parameter.unit for parameter in PCM.parameters)


def test_pinched_and_passive():
    passed(verify.passivity_records(TRIAL, n=300))


@pytest.mark.parametrize("kelvin", [350.0, 450.0, 533.0, 535.0, 600.0, 800.0, 899.0, 901.0, 950.0])
def test_growth_is_that_of_the_material(kelvin):
    assert quantities(0.4, kelvin)["speed"] == pytest.approx(float(GST_225.velocity_m_per_s(kelvin)), rel=1e-9)


@pytest.mark.parametrize("kelvin", [420.0, 500.0, 600.0, 700.0])
def test_nuclei_are_those_of_the_material(kelvin):
    """Born in half a ball while a front crosses its radius."""
    radius = 0.4 * PCM.parameter("r_max").default
    born = GST_225.nucleation_per_m3s(kelvin) * 2 / 3 * np.pi * radius**4 / GST_225.velocity_m_per_s(kelvin)
    assert quantities(0.4, kelvin, nuclei=1.0)["n_nuclei"] == pytest.approx(float(born), rel=1e-3)


def test_drift_is_a_power_of_time():
    """A dome as quenched, held for 1e4 s: R goes with t^0.1, and the age is that of the physics."""
    wave = Waveform((0.0, 1e4), (0.0, 0.0))
    times = np.array([1e-2, 1.0, 1e2, 1e4])
    found = Network(single(PCM, wave, {"x_start": 0.6, "age_start": 0.361}, ambient_K=300.0)).solve(times, rtol=1e-7)
    ages = found.states["cell.age"]
    ohms = [1 / quantities(0.6, age=age)["g_glass"] for age in ages]
    assert np.log10(np.array(ohms[1:]) / ohms[:-1]) / 2 == pytest.approx(np.full(3, 0.1), rel=1e-3)
    glass = Relaxation(3.0, 0.3, 1e13)
    true = 3.0 * (1 - np.array([glass.advance(1.0, time, 300.0) for time in times]))
    assert ages == pytest.approx(true, abs=1e-3)


def test_threshold_switching_is_a_branch_of_heat():
    """Behind 1 MOhm the glass is followed around the bend: its voltage falls while the current rises, up and back."""
    wave = Waveform((0.0, 1e-4, 2e-4), (0.0, 13.0, 0.0))
    still = {"t_melt": 4000.0, "e_frozen": 40.0, "eta_hot": 1e30, "shift": 0.0}
    values = {"x_start": 0.6, "rs": 1e6, "share": 0.0, **still}
    times = np.linspace(2e-6, 1.98e-4, 99)
    found = Network(single(PCM, wave, values, ambient_K=300.0)).solve(times, rtol=1e-6, atol=1e-9)
    current = found.currents_A["te"]
    volts = wave(times) - current * 1e6
    top = int(np.argmax(volts[:49]))
    assert 0.5 < volts[top] < 1.2
    assert volts[49] < 0.9 * volts[top]
    assert current[49] > 2 * current[top]
    assert current[:49] == pytest.approx(current[:49:-1], rel=0.02)


def test_a_pulse_melts_and_a_longer_edge_crystallises():
    """RESET behind 1 kOhm with an edge of 5 ns and of 100 ns."""
    ohms = []
    for fall in (5e-9, 1e-7):
        wave = Waveform((0.0, 5e-9, 4.5e-8, 4.5e-8 + fall, 3e-7), (0.0, 1.9, 1.9, 0.1, 0.1))
        found = Network(single(PCM, wave, {"rs": PCM.parameter("rs").default + 1e3}, ambient_K=300.0)).solve(
            [4e-8, 3e-7], rtol=1e-5, atol=1e-8
        )
        assert found.states["cell.x"][0] > 0.55
        ohms.append(0.1 / found.currents_A["te"][1] - 1e3)
    assert 5e5 < ohms[0] < 3e6
    assert 900 < ohms[1] < 1200


def test_half_selected_cells_keep_their_glass():
    """At half of the write's voltage a dome does not switch, and its edge does not move."""
    out = frozen(PCM, [TRIAL.write_V / 2], 0.0, {"x_start": 0.6}, 300.0)
    assert abs(out.flows[0, 0]) < 2e-6
    assert abs(out.rates[0, 0]) < 1e-3


def test_any_iterate_has_an_answer():
    """Newton's method may pass through temperatures at and below 0 K."""
    code = equations(PCM)
    known = code.arguments(PCM.values(), 77.0)
    for rise in (-76.0, -76.9, -77.0, -77.1, -80.0, -1e5):
        assert np.isfinite(code.slopes(-0.5, -0.07, rise, -0.08, rise, -0.01, 0.0, *known)).all(), rise


def test_a_time_of_crystallisation_is_half_the_way_to_rest():
    stage = np.repeat([0.0, 1.0, 2.0, 3.0], 2)
    time_s = np.array([1e-8, 5e-8, 6e-8, 1e-6, 1.1e-6, 1e-5, 1.1e-5, 1e-4])
    level = np.array([1.7e-3, 9e-4, 1e-6, 1e-6, 1e-6, 1e-3, 1e-3, 1e-3])
    series = {"time_s": time_s, "stage": stage, "conductance_S": level}
    found = pcm.crystallised_s(series, 5e-8)
    assert found == pytest.approx(np.sqrt((1.1e-6 - 5e-8) * (1e-5 - 5e-8)), rel=1e-9)
    assert pcm.crystallised_s({**series, "conductance_S": np.where(time_s == 1e-4, 2e-3, level)}, 5e-8) is None
    assert pcm.crystallised_s({**series, "conductance_S": np.full(8, 1e-3)}, 5e-8) is None


@needs_compiler
def test_compiled_model_is_the_reference():
    passed(verify.compiled_records(PCM, n=40))


@needs_simulator
def test_a_drift_of_a_ten_millionth():
    passed(verify.retention_records(TRIAL))


@pytest.mark.slow
@needs_simulator
@pytest.mark.parametrize("check", ["sweep", "operating points", "pulses", "crossbar", "transistor"])
def test_circuits_in_the_simulators(check):
    passed(verify.CHECKS[check](TRIAL))


@pytest.mark.slow
@pytest.mark.parametrize("check", ["bounds", "frequency"])
def test_behaviour(check):
    passed(verify.CHECKS[check](TRIAL))
