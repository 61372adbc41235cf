"""Structural relaxation of a glass, and the conductivities of a phase-change material."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ionsim.devices.pcm_electrical import PhaseChangeConductor
from ionsim.devices.relaxation import Relaxation
from kmc import KB_EV

GLASS = Relaxation(barrier_eV=3.0, shift_eV=0.3, attempt_Hz=1e13)
GST = PhaseChangeConductor(
    melting_K=900.0, crystalline_S_per_m=2.5e4, crystalline_activation_eV=0.0, liquid_S_per_m=3.2e5,
    amorphous_S_per_m=2.0, amorphous_activation_eV=0.36, hop_distance_nm=4.2, amorphous_W_per_mK=0.2,
    crystalline_W_per_mK=0.5,
)  # fmt: skip


def test_a_step_of_any_length_is_the_solution_of_the_equation():
    def rate(_, sigma):
        return -1e13 * np.exp(-3.0 * (1.0 - sigma) / (KB_EV * 300.0))

    start = 0.75
    solved = solve_ivp(rate, (0.0, 1e3), [start], method="LSODA", rtol=1e-10, atol=1e-12).y[0, -1]
    assert GLASS.advance([start], 1e3, 300.0)[0] == pytest.approx(solved, abs=1e-7)
    halfway = GLASS.advance(GLASS.advance([start], 400.0, 300.0), 600.0, 300.0)
    assert halfway[0] == pytest.approx(solved, abs=1e-7)


def test_the_resistance_drifts_by_a_power_of_time():
    times_s = np.logspace(-6, 4, 11)
    ages = np.array([GLASS.age_eV(GLASS.advance(1.0, time_s, 300.0)) for time_s in times_s])
    resistance = 1.0 / GST.amorphous(300.0, 0.0, ages)
    slopes = np.diff(np.log(resistance)) / np.diff(np.log(times_s))
    np.testing.assert_allclose(slopes, GLASS.drift_exponent, rtol=1e-6)
    assert GLASS.age_eV(GLASS.advance(1.0, 1.0, 300.0)) == pytest.approx(0.0, abs=1e-12)


def test_a_glass_that_has_relaxed_warm_waits_before_it_drifts_on():
    aged = GLASS.advance(1.0, 1e-9, 534.0)
    early, late = (GLASS.advance(aged, time_s, 300.0) for time_s in (1e-9, 1.0))
    assert abs(early - aged) < 1e-4
    assert aged - late > 0.05


def test_the_glass_conducts_as_measured_at_low_field_and_more_in_a_field():
    assert GST.amorphous(300.0, 0.0) == pytest.approx(2.0)
    assert GST.amorphous(300.0, 1e3) == pytest.approx(2.0, rel=1e-6)
    x = 4.2e-9 * 2e7 / (2.0 * KB_EV * 300.0)
    assert GST.amorphous(300.0, 2e7) == pytest.approx(2.0 * np.sinh(x) / x, rel=0.05)
    assert GST.amorphous(300.0, 1e12) < 2.0 * np.exp(0.36 / (KB_EV * 300.0))


def test_mixtures_lie_between_their_phases_and_melting_is_smooth():
    for temperature_K in (300.0, 600.0, 880.0, 1000.0):
        ends = GST.electrical(temperature_K, 0.0, 0.0), GST.electrical(temperature_K, 0.0, 1.0)
        assert min(ends) < GST.electrical(temperature_K, 0.0, 0.5) < max(ends)
    warm = np.linspace(860.0, 940.0, 81)
    assert np.all(np.diff(GST.disordered(warm, 0.0)) > 0.0)
    assert GST.disordered(960.0, 0.0) == pytest.approx(3.2e5, rel=1e-3)
    assert GST.thermal(300.0, 0.0) == pytest.approx(0.2, rel=1e-3)
