"""The ECM model without any simulator, and in the real tools where they are."""

import math

import numpy as np
import pytest
from circuit_tools import needs_compiler, needs_simulator, passed
from scipy import constants

from ionsim.compact import CompactError, verify
from ionsim.compact.card import find_card, load_card
from ionsim.compact.circuits import Waveform, single, triangle
from ionsim.compact.extraction.ecm import EXTRACTION
from ionsim.compact.families import ECM
from ionsim.compact.frozen import frozen
from ionsim.compact.functions import expand_helpers
from ionsim.compact.numeric import equations, residual
from ionsim.compact.reference import Network
from ionsim.compact.verify.cards import held_out_records
from ionsim.config import load

TRIAL = verify.TRIALS["ecm"]
KT_V = constants.k * 300.15 / constants.e
G0 = constants.physical_constants["conductance quantum"][0]


#: Everything but the step that is asked for is fast, and what curves, thins or nucleates is off.
PLAIN = {"gamma": 0.0, "surface": 0.0, "ea_nucleus": 0.0, "g_film": 1e-15, "rho": 0.0, "rth": 1e-3}
TRANSFER = {**PLAIN, "ea_active": 0.0, "ea_hop": 0.0, "len_active": 1e-15, "len_tip": 1.0}


def quantities(volts, x, w=0.5, **changes):
    """Named quantities with the cell at ``volts``, heat off, states at x and w."""
    values = ECM.values({"x_start": 0.0, "w_start": 0.0, "rs": 1e-6, **changes})
    code = equations(ECM)
    found = code.quantities(volts, 0.0, 0.0, volts, x, w, *code.arguments(values, 300.15))
    return dict(zip([item.name for item in ECM.quantities], found, strict=False))


def test_text_and_derivatives():
    passed(verify.text_records(ECM))
    passed(verify.derivative_records(ECM, n=20))
    assert all(parameter.source and parameter.meaning and parameter.unit for parameter in ECM.parameters)


def test_pinched_and_passive():
    passed(verify.passivity_records(TRIAL, n=500))


def test_transfer_is_that_of_butler_and_volmer():
    """With a fast supply all fluxes go with 2 k sinh(u/2), each with its own k: planes grow, dissolve, and spread."""
    k = {name: 2e3 * math.exp(-barrier / KT_V) for name, barrier in (("grow", 1.0), ("dissolve", 0.9), ("edge", 0.8))}
    barriers = {"ea_grow": 1.0, "ea_dissolve": 0.9, "ea_edge": 0.8}
    sites = (0.5 / 0.144) ** 2
    for volts in (-0.8, -0.5, 0.5, 0.9):
        found = quantities(volts, 0.5, **TRANSFER, **barriers)
        drive = 2 * math.sinh(volts / KT_V / 2)
        front = k["grow"] * sites if volts > 0 else k["dissolve"]
        assert found["tip_speed"] == pytest.approx(front * drive, rel=1e-5)
        assert found["edge_speed"] == pytest.approx(k["edge"] * drive, rel=1e-5)


def test_fluxes_vanish_at_balance():
    """Nothing moves without a voltage and without curvature; beside it each barrier holds on its own side."""
    assert quantities(0.0, 0.5, **TRANSFER)["tip_speed"] == 0.0
    up, down = (quantities(volts, 0.5, **TRANSFER)["tip_speed"] for volts in (1e-6, -1e-6))
    both = (0.5 / 0.144) ** 2 * math.exp(-(1.06 - 0.9) / KT_V)
    assert up / -down == pytest.approx(both, rel=1e-3)


def test_supply_limits_at_high_voltages():
    """Where all voltage is overpotential at the tip, ions come as they leave the active electrode: no slope."""
    slow = {**TRANSFER, "ea_active": 0.4, "ea_grow": 0.6}
    fast, faster = (quantities(volts, 0.5, **slow)["tip_speed"] for volts in (1.2, 1.5))
    assert faster / fast == pytest.approx(1.0, abs=0.01)
    assert fast == pytest.approx(2e3 * math.exp(-0.4 / KT_V), rel=0.01)


def test_migration_drifts_in_the_field():
    """Fast interfaces and a thick film: 2 n sinh(u/2)/(sinh(u/2)/(u/2)), n k/(hops) = the linear law of drift."""
    film = {**TRANSFER, "ea_hop": 0.5, "ea_grow": 0.0, "ea_dissolve": 0.0, "len_tip": 1e-15}
    speeds = [quantities(volts, 0.0, **film)["tip_speed"] for volts in (0.1, 0.2, 0.4)]
    assert speeds[1] / speeds[0] == pytest.approx(2.0, rel=1e-5)
    assert speeds[2] / speeds[0] == pytest.approx(4.0, rel=1e-5)
    hops = 1 + 2e-9 / 0.2e-9
    assert speeds[0] == pytest.approx(2e3 * math.exp(-0.5 / KT_V) / hops * 0.1 / KT_V, rel=1e-5)


def test_a_nucleus_makes_the_slope_steeper():
    """Two atoms that must come together beside the last: (2 + 1/2) e/kT where no metal is, e/2kT where there is."""
    nucleus = {**TRANSFER, "ea_nucleus": 1.6, "n_nucleus": 2.0}
    for x, slope in ((0.0, 2.5), (0.9, 0.5)):
        low, high = (quantities(volts, x, **nucleus)["tip_speed"] for volts in (0.20, 0.21))
        assert math.log(high / low) * KT_V / 0.01 == pytest.approx(slope, rel=0.01)


def test_a_thin_tip_dissolves_at_rest():
    """Gibbs and Thomson: it stands still at 2 gamma Omega/(r e), and without a voltage a thin tip goes sooner."""
    at = {**TRANSFER, "gamma": 1e-11}
    radius = quantities(0.0, 0.9, 0.5, **at)["radius"]
    still_V = 2e-11 / radius
    assert quantities(still_V, 0.9, 0.5, **at)["tip_speed"] == pytest.approx(0.0, abs=1e-15)
    thin, thick = (quantities(0.0, 0.9, w, **at)["tip_speed"] for w in (0.1, 0.9))
    assert thin < thick < 0


def test_a_contact_has_channels():
    for w, channels in ((0.0, 1.0), (1.0, (0.5 / 0.144) ** 2)):
        assert quantities(0.01, 1.0, w)["g_tip"] == pytest.approx(channels * G0, rel=1e-12)
    near, far = (quantities(0.01, x, 0.0)["g_tip"] for x in (1.0, 0.9))
    assert near / far == pytest.approx(math.exp(2 * 0.2 / 0.39), rel=1e-9)


def test_noise_is_nyquists_at_rest():
    for x, w in ((0.0, 0.0), (0.5, 0.2), (1.0, 1.0)):
        changes = {"x_start": 0.0, "w_start": 0.0}
        slope = residual(ECM, np.array([0.0, 0.0, 0.0, 0.0, x, w]), ECM.values(changes)).resistive_slope
        known = {**quantities(0.0, x, w, rs=1000.0), **ECM.values(changes), "ambient": 300.15, "x": x, "w": w}
        for noise, conductance in zip(ECM.noises[:2], (-slope[0, 3], -slope[3, 1]), strict=True):
            power = expand_helpers(noise.power).subs({name: known[str(name)] for name in noise.power.free_symbols})
            assert float(power) == pytest.approx(4 * constants.k * 300.15 * conductance, rel=1e-9)


@pytest.mark.slow
def test_bounds_are_reached_and_kept():
    """A fast loop: the filament bridges, thickens, and is gone again."""
    wave = triangle((1.8, -1.8, 0.0), 1e5)
    stop = wave.times_s[-1]
    found = Network(single(ECM, wave)).solve(np.linspace(0, stop, 200), 1e-7, 1e-10, stop / 600)
    x, w = found.states["cell.x"], found.states["cell.w"]
    assert x.max() == pytest.approx(1.0, abs=1e-6)
    assert w.max() == pytest.approx(1.0, abs=1e-3)
    assert x[-1] == pytest.approx(0.0, abs=1e-6)


def test_rates_of_held_states():
    """At rest the gap opens, sooner with a thin tip, and the tip thins."""
    values = {"x_start": 0.9, "w_start": 0.0}
    thin = frozen(ECM, 1e-9, 0.0, values).rates[0]
    thick = frozen(ECM, 1e-9, [0.0, 0.5], values).rates[0]
    assert thin[0] < thick[0] < 0
    assert thick[1] < 0
    assert thin[1] == 0.0


def test_tunnelling_may_end():
    """Beyond ``reach`` only the film is left, before it all of the tip's conductance."""
    for reach, share in ((0.4e-9, 0.0), (0.8e-9, 1.0)):
        found = quantities(0.01, 0.7, 0.0, reach=reach)["g_tip"]
        assert found == pytest.approx(share * G0 * math.exp(-2 * 0.6 / 0.39), rel=0.02, abs=1e-9)


def test_a_new_plane_narrows_the_tip():
    """A growing front renews the tip: at rest nothing does."""
    values = {"x_start": 0.5, "w_start": 0.9, "ea_edge": 3.0, "surface": 0.0, "gamma": 0.0}
    rates = frozen(ECM, 0.9, 0.0, values).rates[0]
    assert rates[1] == pytest.approx(-10 * 0.9 * rates[0], rel=1e-6)


@needs_compiler
def test_the_compiled_model_is_the_reference():
    passed(verify.compiled_records(ECM, n=50))


@pytest.mark.slow
@needs_simulator
@pytest.mark.parametrize(
    "check",
    ["operating_point_records", "sweep_records", "pulse_records", "retention_records", "crossbar_records",
     "transistor_records"],
)  # fmt: skip
def test_circuits_in_the_simulators(check):
    passed(getattr(verify, check)(TRIAL))


@pytest.mark.slow
@pytest.mark.parametrize("check", ["bounds_records", "frequency_records", "fading_memory_records"])
def test_behaviour(check):
    passed(getattr(verify, check)(TRIAL))


def test_a_drift_in_the_reference():
    """The relaxation at 0 V of a long tip, over a hundredth of its time, against its rate."""
    rate = frozen(ECM, 1e-9, 0.0, {"x_start": 0.9}).rates[0, 0]
    stop = 1e-6 / abs(rate)
    found = Network(single(ECM, Waveform((0.0, 1.0), (0.0, 0.0)), {"x_start": 0.9})).solve([stop])
    assert found.states["cell.x"][-1] - 0.9 == pytest.approx(rate * stop, rel=1e-3)




def test_the_plan_holds_conditions_out():
    device = load("ag_gese_kinetics")
    plan = EXTRACTION.plan(device)
    assert len({experiment.name for experiment in plan}) == len(plan)
    held = {experiment.name for experiment in plan if experiment.role == "held_out"}
    assert held
    assert len(EXTRACTION.plan(device, quick=True)) < len(plan)
    volts = [e.device.drive.voltage_V for e in plan if e.kind == "stress" and e.name in held]
    assert (min(volts), max(volts)) == (0.6, 1.6)
    with pytest.raises(CompactError, match="needs 'ecm'"):
        EXTRACTION.plan(load("hfo2_continuum"))


def test_what_the_device_says():
    """Geometry, and the WKB decay of 3 eV and 0.5 m0: sqrt(hbar^2/2 m phi)."""
    values = {name: value for name, (value, _) in EXTRACTION.fixed(load("ag_gese_kinetics")).items()}
    decay = constants.hbar / math.sqrt(constants.m_e * 3.0 * constants.e)
    assert values["decay"] == pytest.approx(decay, rel=1e-6)
    assert values["film"] == pytest.approx(2e-9)
    assert (values["r_max"] / values["r_atom"]) ** 2 == pytest.approx(4.0 / (0.5 * 0.40862**2), rel=1e-9)
    assert ECM.values(values)


@pytest.mark.slow
def test_the_card_that_ships_predicts_set_times_and_voltages():
    """Conditions that were not fitted: six decades of SET times, and voltages of loops (one is known to miss)."""
    folder = find_card("ecm").parent
    rows = held_out_records(load_card(folder / "card.json"), folder / "heldout")
    times = [row for row in rows if row.name.startswith("SET time")]
    assert len(times) >= 7
    passed(times)
    passed([row for row in rows if row.name.startswith("SET voltage")])
    assert sum(row.passed is False for row in rows if row.name.startswith("RESET voltage")) <= 1
