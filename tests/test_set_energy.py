"""Energy of a SET: the sums, and what a barrier layer of 2 nm saves."""

import numpy as np
import pytest

import ionsim
from ionsim.analysis.set_energy import SetPulse, energy_J, set_pulse


def test_powers_hold_until_the_next_solution():
    times_s, powers_W = np.array([0.0, 1.0, 1.0, 3.0]), np.array([5.0, 7.0, 2.0, 10.0])
    assert energy_J(times_s, powers_W, 4.0) == pytest.approx(5.0 + 2.0 * 2.0 + 10.0)
    assert energy_J(times_s, powers_W, 2.0) == pytest.approx(5.0 + 2.0)


def test_metrics_are_those_of_the_literature():
    pulse = SetPulse(2.0, 1e-5, 1e-9, 1e-6, 0.0, 0.0, 0.0, 300.0, 0.0)
    assert pulse.spike_J == pytest.approx(4e-14)
    assert pulse.fire_J == pytest.approx(4e-11)
    assert pulse.action_J == pytest.approx(0.5 * (4e-14 + 4e-11))


def test_a_cell_that_does_not_set_has_no_energy():
    device = ionsim.load("ag_barrier_2nm").replace({
        "mesh.domain_width_nm": 5.0, "lattice.width_nm": 1.6, "lattice.depth_nm": 1.6, "soft_spots": [],
    })  # fmt: skip
    pulse = set_pulse(device, 0.2, 1, resistance_ohm=0.0, longest_s=1e-8)
    assert np.isnan([pulse.tau_s, pulse.action_J, pulse.pulse_J]).all()


@pytest.mark.slow
def test_a_barrier_of_2_nm_lowers_the_energy_of_a_film_as_thick():
    """At 1.8 V behind 10 kOhm: metal stays out of the barrier, and electrons tunnel across; the price is time."""
    plain, barrier = (
        set_pulse(ionsim.load(name), 1.8, 1, resistance_ohm=1e4, longest_s=1.0)
        for name in ("ag_sio2_memory", "ag_barrier_2nm")
    )  # fmt: skip
    assert barrier.in_barrier == 0.0
    assert barrier.tau_s > 5.0 * plain.tau_s
    assert barrier.on_S < 1e-2 * plain.on_S
    assert barrier.action_J < 0.1 * plain.action_J
    assert barrier.pulse_J < plain.pulse_J
    assert barrier.cell_J == pytest.approx(barrier.pulse_J, rel=0.02)  # the resistor plays no part in it
    assert barrier.until_set_J < barrier.pulse_J < 2.0 * barrier.fire_J
