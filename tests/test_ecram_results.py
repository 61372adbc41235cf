"""What docs/ecram-results.md says of ECRAM devices: threshold, retention, scaling."""

import numpy as np
import pytest
from scipy import constants

from ionsim.analysis.ecram_gate import hold, least_amplitude_V, pulse, started
from ionsim.analysis.ecram_pulses import noise_S
from ionsim.analysis.ecram_retention import activation_eV, balance, decay_rate, expected, expected_half_s, half_time
from ionsim.config import load

KT_EV = constants.k * 300.0 / constants.e
FAST = ("interfaces.channel.exchange_A_per_m2=1e5", "interfaces.gate.exchange_A_per_m2=1e5")
#: Changes that make a step the slowest on the way to balance, its barrier, and how well the theory holds.
LIMITS = {
    "channel": ((), 0.30, 2e-5),
    "diffusion": ((*FAST, "geometry.channel_nm=200"), 0.35, 3e-4),
    "electrolyte": ((*FAST, "electrolyte.conductivity_S_per_m=1e-7"), 0.45, 1e-3),
}


def stack(*changes):
    return load("ecram_retention", ["channel.initial=0.15", "geometry.channel_length_nm=150", *changes])


def plane(*changes):
    return load("psg_wo3_pulse_train", ["channel.initial=0.15", *sized(150, 50), *changes])


def sized(length_nm, width_nm):
    return (
        f"geometry.channel_length_nm={length_nm}", f"geometry.gate_length_nm={length_nm}",
        f"geometry.width_nm={width_nm}",
    )  # fmt: skip


# -- threshold ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_threshold_moves_by_what_the_layer_needs():
    device = stack()
    rest = started(device).read()
    limit_S = 3.0 * float(noise_S(device, np.array(rest.conductance_S)))
    layers, amplitudes = [], []
    for width_s, span in ((5e-9, (7.0, 9.0)), (50e-9, (3.5, 5.5))):
        amplitude_V, one = least_amplitude_V(device, width_s, lambda one: one.lasting_S / limit_S, span)
        amplitudes.append(amplitude_V)
        layers.append((rest.sheet_C_per_m2 - one.sheet_C_per_m2) / 0.04)
    assert amplitudes == pytest.approx([7.96, 4.57], abs=0.1)
    # ten times the time asks for a tenth of the rate, exp(e V/2kT) of the layer's voltage
    assert layers[0] - layers[1] == pytest.approx(2.0 * KT_EV * np.log(10.0), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_below_the_threshold_all_is_gone_after_the_pulse(sign):
    below, above = (pulse(started(stack()), sign * volts) for volts in (6.0, 9.0))
    assert sign * below.volatile_S > 3e-10
    assert abs(below.lasting_S) < 2e-6 * abs(below.volatile_S)
    assert abs(below.inserted_C) < 0.01 * constants.e
    assert sign * above.lasting_S > 0.2 * abs(above.volatile_S)


# -- retention ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", LIMITS)
def test_the_step_that_is_made_slow_limits(limit):
    changes, _, _ = LIMITS[limit]
    theory = expected(stack(*changes))
    assert theory.limit == limit
    assert theory.x == pytest.approx(balance(stack()), abs=1e-12)
    at_balance = started(stack(f"channel.initial={theory.x}"))
    assert at_balance.device_V == pytest.approx(0.0, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
def test_a_shorted_gate_loses_its_state_over_the_barrier_that_limits(limit):
    changes, barrier_eV, error = LIMITS[limit]
    kelvins = np.array([300.0, 330.0, 360.0])
    rates, theories = [], []
    for kelvin in kelvins:
        device = stack(*changes, f"ambient_K={kelvin:g}")
        rates.append(decay_rate(device))
        theories.append(expected(device))
    assert rates == pytest.approx([theory.rate_per_s for theory in theories], rel=error)
    # what drives, |dU/dx| / kT, changes with the temperature as well
    drives = np.array([theory.slope_V for theory in theories]) / (constants.k * kelvins / constants.e)
    assert activation_eV(kelvins, np.array(rates) / drives) == pytest.approx(barrier_eV, rel=3e-3)
    raw = activation_eV(kelvins, np.array(rates))
    assert barrier_eV - raw == pytest.approx(activation_eV(kelvins, 1.0 / drives), abs=1e-3)


@pytest.mark.slow
def test_overpotential_lowers_the_barrier_of_the_way_to_the_half():
    kelvins = np.array([300.0, 360.0])
    cold, hot = (stack("channel.initial=0.05", f"ambient_K={kelvin:g}") for kelvin in kelvins)
    found = np.array([half_time(cold), half_time(hot)])
    assert found == pytest.approx([expected_half_s(cold), expected_half_s(hot)], rel=1e-4)
    # far from balance alpha times the affinity's enthalpy, 0.21 eV at first, is saved
    assert activation_eV(kelvins, 1.0 / found) == pytest.approx(0.23, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("kelvin", [300.0, 360.0])
def test_an_open_gate_keeps_its_state_for_a_day(kelvin):
    cell = started(stack("channel.initial=0.05", f"ambient_K={kelvin:g}"))
    written = pulse(cell, 9.0)
    assert written.lasting_S > 2e-3 * written.before_S
    begin_S = cell.read().conductance_S
    hold(cell, 1e5, None)
    assert cell.read().conductance_S == pytest.approx(begin_S, rel=1e-8)


# -- scaling --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_amplitude_of_an_update_is_layers_and_a_field():
    wanted_C = 600.0 * constants.e
    thick_nm = np.array([5.0, 10.0, 20.0, 40.0])
    volts = [
        least_amplitude_V(
            stack(f"geometry.electrolyte_nm={one:g}"), 5e-9, lambda one: one.inserted_C / wanted_C, (2.0, 2.0 + one)
        )[0]
        for one in thick_nm
    ]
    field, layers_V = np.polyfit(thick_nm, volts, 1)
    np.testing.assert_allclose(volts, layers_V + field * thick_nm, atol=0.05)
    assert field == pytest.approx(0.70, abs=0.02)
    assert layers_V == pytest.approx(1.45, abs=0.1)


@pytest.mark.slow
def test_a_thinner_channel_takes_up_as_much_and_changes_more():
    thin, thick = (pulse(started(stack(f"geometry.channel_nm={d}")), 8.45) for d in (5, 80))
    assert thin.lasting_S == pytest.approx(thick.lasting_S, rel=0.01)
    assert thin.lasting_S / thin.before_S == pytest.approx(16.0 * thick.lasting_S / thick.before_S, rel=0.01)


@pytest.mark.slow
def test_updates_go_with_the_area_down_to_30_nm_but_for_fringes():
    sizes = {}
    for length, width in ((150, 50), (30, 30)):
        one = pulse(started(stack(f"geometry.channel_length_nm={length}", f"geometry.width_nm={width}")), 8.45)
        keys = sized(length, width)
        flush, over = (
            pulse(started(plane(*keys, "channel.equipotential=true", f"geometry.overlap_nm={reach}")), 8.45)
            for reach in (0, 10)
        )
        assert flush.inserted_C == pytest.approx(one.inserted_C, rel=1e-4)
        sizes[length] = (one.inserted_C / (length * width), one.energy_J / (length * width), over, one)
    assert sizes[150][0] == pytest.approx(sizes[30][0], rel=1e-6)
    assert sizes[150][1] == pytest.approx(sizes[30][1], rel=1e-6)
    # where the electrolyte reaches over the contacts the field of the gate's ends spreads: each costs a constant length
    losses = {length: 1.0 - over.inserted_C / one.inserted_C for length, (_, _, over, one) in sizes.items()}
    assert losses[30] == pytest.approx(0.11, abs=0.02)
    assert losses[150] == pytest.approx(losses[30] / 5.0, rel=0.1)


@pytest.mark.slow
def test_the_current_along_the_channel_costs_a_long_device_more():
    losses = {}
    for length, width in ((150, 50), (30, 30)):
        free, real = (
            pulse(started(plane(*sized(length, width), f"channel.equipotential={word}")), 8.45).inserted_C
            for word in ("true", "false")
        )
        losses[length] = 1.0 - real / free
    assert losses[150] == pytest.approx(0.09, abs=0.02)
    assert 0.0 < losses[30] < 0.015
    # where few protons conduct it costs half of an extraction
    free, real = (
        pulse(started(plane("channel.initial=0.025", f"channel.equipotential={word}")), -8.95).inserted_C
        for word in ("true", "false")
    )
    assert real / free == pytest.approx(0.49, abs=0.05)
