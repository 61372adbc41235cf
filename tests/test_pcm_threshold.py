"""Threshold switching, drift and crosstalk: what the scripts of these names compute, on small cells."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ionsim.config.pcm import PcmDevice
from ionsim.devices.pcm import Pcm
from ionsim.materials.crystallisation import Crystallisation

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(name: str) -> SimpleNamespace:
    """The functions of a script; its dataclasses need the module to be known."""
    module = SimpleNamespace()
    sys.modules[f"script_{name}"] = module  # type: ignore[assignment]
    module.__dict__.update(runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name=f"script_{name}"))
    return module


threshold, drift, crosstalk = (script(name) for name in ("pcm_threshold", "pcm_drift", "pcm_crosstalk"))


def kinetics(material: str):
    return Crystallisation.of(threshold.bridge(material, 60.0, 300.0, 5.0).phase)


@pytest.fixture(scope="module")
def traced():
    """Up and back through the S of a short bridge."""
    cell = Pcm(threshold.bridge("GST-225", 40.0, 300.0, 5.0), np.random.SeedSequence(1))
    return cell, *threshold.trace(cell, 1e6, 4e-5)


def test_the_characteristic_is_an_s(traced):
    _, up, _ = traced
    at = up.threshold
    assert 0 < at < len(up.cell_V) - 1
    assert np.all(np.diff(up.applied_V) > 0.0)
    assert np.all(np.diff(up.current_A) > 0.0)
    assert np.all(np.diff(up.cell_V[: at + 1]) > 0.0)
    assert up.cell_V[-1] < 0.6 * up.cell_V[at]
    assert np.abs(np.diff(np.log10(up.current_A))).max() <= 0.16
    np.testing.assert_allclose(up.applied_V, up.cell_V + 1e6 * up.current_A, rtol=1e-8)


def test_the_field_of_the_threshold_is_that_of_the_literature(traced):
    _, up, _ = traced
    assert 45.0 < 1e3 * up.cell_V[up.threshold] / 40.0 < 65.0  # 56 V/um, 10.1063/1.3210792


def test_the_way_back_is_the_way_there(traced):
    _, up, down = traced
    np.testing.assert_array_equal(down.applied_V, up.applied_V[1:])
    np.testing.assert_allclose(down.current_A, up.current_A[1:], rtol=1e-6)


def test_without_a_resistor_the_current_jumps(traced):
    cell, up, _ = traced
    threshold_V = float(up.cell_V[up.threshold])
    below_A, above_A = threshold.jump(cell, threshold_V)
    assert below_A < up.current_A[up.threshold]
    assert above_A > 30.0 * below_A


def test_growth_of_aist_is_that_of_the_literature():
    u = kinetics("AIST").velocity_m_per_s
    kelvin = np.linspace(420.0, 550.0, 14)
    slope, start = np.polyfit(1.0 / kelvin, np.log(u(kelvin)), 1)
    assert np.abs(slope / kelvin + start - np.log(u(kelvin))).max() < 0.05  # strictly Arrhenius
    assert 0.3 < float(u(420.0)) / 1e-8 < 3.0
    assert 0.3 < float(u(550.0)) / 1.0 < 3.0


def test_aist_has_no_nuclei_where_it_grows_by_a_cell():
    found = kinetics("AIST")
    kelvin = np.linspace(400.0, 800.0, 81)
    crossing_s = 50e-9 / np.asarray(found.velocity_m_per_s(kelvin))
    assert np.max(found.nucleation_per_m3s(kelvin) * crossing_s) * (50e-9) ** 3 < 0.01
    gst = kinetics("GST-225")
    assert np.max(gst.nucleation_per_m3s(kelvin) * 50e-9 / np.asarray(gst.velocity_m_per_s(kelvin))) * 50e-9**3 > 1.0


def test_what_pulses_do_to_a_neighbour_adds_up():
    found = kinetics("GST-225")
    times_s = np.linspace(0.0, 50e-9, 11)
    kelvin = np.full(11, 500.0)
    one, many = (crosstalk.lost(found, times_s, kelvin, pulses) for pulses in (1.0, 1e4))
    assert one.front_nm == pytest.approx(1e9 * float(found.velocity_m_per_s(500.0)) * 50e-9)
    assert many.front_nm == pytest.approx(1e4 * one.front_nm)
    assert many.nuclei_per_nm3 == pytest.approx(1e-27 * 1e4 * float(found.nucleation_per_m3s(500.0)) * 50e-9)
    kept = (1.0 - many.front_nm / 20.0) ** 3
    assert one.share < 1.0 - kept < many.share < 1.0
    assert crosstalk.lost(found, times_s, np.full(11, 300.0), 1e5).share == pytest.approx(0.0, abs=1e-12)
    assert crosstalk.lost(found, times_s, kelvin, 1e9).share == 1.0


def test_the_exponent_is_that_of_a_power_law():
    times_s = np.logspace(-6, 4, 11)
    nu, off = drift.exponent(times_s, 1e6 * times_s**0.08)
    assert nu == pytest.approx(0.08)
    assert off < 1e-9


@pytest.mark.slow
def test_drift_comes_back_from_a_run():
    device = PcmDevice.model_validate({
        "name": "mushroom", "family": "pcm",
        "geometry": {"kind": "mushroom", "size_nm": 4.0, "fine_radius_nm": 30.0, "outer_radius_nm": 100.0},
        "phase_change": {"material": "GST-225"}, "crystallisation": {"front_width_nm": 3.0},
        "drive": {"kind": "constant", "voltage_V": 0.1, "duration_s": 1e-9},
    })  # fmt: skip
    cell = Pcm(device, np.random.SeedSequence(1))
    cell.initialise()
    drift.reset(cell, 2.2, 1000.0, width_s=15e-9)
    times_s = np.logspace(-6.0, 4.0, 11)
    ohm, steps = drift.reads(cell, times_s)
    assert ohm[0] > 3e5
    assert np.all(np.diff(ohm) > 0.0)
    nu, _ = drift.exponent(times_s, ohm)
    assert 0.05 < nu < 0.11
    assert nu == pytest.approx(cell.relaxation.drift_exponent, abs=0.01)
    assert steps.sum() < 200


@pytest.mark.slow
def test_open_lines_of_an_array_leave_no_potential_open():
    device = crosstalk.array(80.0, 14.0, 60.0, "GST-225")
    cell = Pcm(device, np.random.SeedSequence(1))
    state = cell.problem.steady(0.05)
    assert state.current_A > 0.0
    for line in ("word_1", "bit_1"):
        assert abs(state.currents_A[line]) < 1e-9 * state.current_A
    assert cell.problem.temperature_K.max() > 300.0
