"""Wires that break by surface diffusion: shapes, the look for a break, the law, and (slow) the exponent."""

import numpy as np
import pytest

import ionsim
import kmc
from ionsim.analysis.nanowire import exponent, herring_times, hop_time_s, lifetime, loose_share, wire

DEVICE = ionsim.load("ag_sio2_memory")


def kelvin(kt_over_bond):
    return kt_over_bond * DEVICE.kinetic("atom.bond_eV") / kmc.KB_EV


def test_a_wire_is_one_cylinder_that_holds_as_much_metal_with_a_neck():
    plain, necked = (wire(DEVICE, 6.0, 300.0, 1, neck) for neck in (0.0, 0.5))
    edge = DEVICE.lattice_constant_nm
    area = np.pi * (plain.diameter * edge / np.sqrt(2.0)) ** 2 / 4.0
    assert area * plain.engine.sites.cell_nm[2] == pytest.approx(np.count_nonzero(plain.metal) * edge**3 / 4.0)
    assert plain.diameter == pytest.approx(6.0, rel=0.05)
    assert necked.diameter == pytest.approx(plain.diameter, rel=0.05)
    assert plain.engine.sites.cell_nm[2] == pytest.approx(np.sqrt(2.0) * np.pi * 6.0 * edge / np.sqrt(2.0), abs=edge)
    assert 0 < necked.narrowest() < plain.narrowest()
    assert loose_share(plain.engine.sites, plain.metal) == 0.0


@pytest.mark.parametrize("plane", [0, 1, 7, -1])
def test_a_gap_breaks_the_wire_wherever_it_is(plane):
    """The period is closed on itself, so the seam is no end: one empty plane is a break, one atom in it a bridge."""
    made = wire(DEVICE, 4.0, 300.0, 1)
    assert not made.broken()
    assert made.narrowest() > 1
    height = made.engine.sites.positions_nm[:, 2]
    gap = np.flatnonzero(made.metal & np.isclose(height, np.unique(np.round(height, 6))[plane], atol=1e-5))
    made.engine.assign(gap, np.zeros(len(gap)))
    assert made.broken()
    assert made.narrowest() == 0
    middle = made.engine.sites.positions_nm[made.metal, :2].mean(axis=0)
    inner = gap[np.argmin(np.linalg.norm(made.engine.sites.positions_nm[gap, :2] - middle, axis=1))]
    made.engine.assign([inner], [1])
    assert not made.broken()
    assert made.narrowest() == 1


def test_atoms_hop_with_the_bonds_and_the_barrier_of_the_cell():
    made = wire(DEVICE, 4.0, kelvin(0.5), 1)
    metal, sites = made.metal, made.engine.sites
    events = made.engine.rates("surface_hop")
    for site, partner, rate, change in events[:: max(1, len(events) // 50)]:
        before = metal[sites.neighbours(site)].sum()
        after = metal[sites.neighbours(partner)].sum() - 1
        assert change == pytest.approx(DEVICE.kinetic("atom.bond_eV") * (before - after), abs=1e-12)
        energy = max(DEVICE.kinetic("atom.surface_barrier_eV") + 0.5 * change, change, 0.0)
        assert rate == pytest.approx(DEVICE.ion.attempt_Hz * np.exp(-energy / (0.5 * DEVICE.kinetic("atom.bond_eV"))))
    assert hop_time_s(DEVICE, kelvin(0.5)) == pytest.approx(
        np.exp(DEVICE.kinetic("atom.surface_barrier_eV") / (0.5 * DEVICE.kinetic("atom.bond_eV")))
        / DEVICE.ion.attempt_Hz
    )


@pytest.mark.parametrize("neck", [0.0, 0.5])
def test_the_law_tends_to_the_fourth_power(neck):
    wide, small = np.array([1e6, 2e6]), np.array([4.0, 8.0])
    slopes = [np.diff(np.log(herring_times(d, 0.7, neck)))[0] / np.log(2.0) for d in (wide, small)]
    assert slopes[0] == pytest.approx(4.0, abs=0.08)  # without a neck noise leaves a logarithm
    assert 4.2 < slopes[1] < 6.0


def test_the_exponent_of_made_up_times_is_found_within_its_error():
    generator = np.random.default_rng(5)
    diameters = np.array([3.0, 4.0, 6.0, 9.0])
    found = np.array([
        exponent(diameters, diameters[:, None] ** 4.5 * np.exp(generator.normal(0.0, 0.3, (4, 8))), generator, 200)
        for _ in range(40)
    ])  # fmt: skip
    assert found[:, 0].mean() == pytest.approx(4.5, abs=4.0 * found[:, 0].std() / np.sqrt(40.0))
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.4)


def test_a_thin_wire_breaks_and_the_same_seed_breaks_alike():
    first, again, given_up = (
        lifetime(DEVICE, 3.0, kelvin(0.8), seed, most) for seed, most in ((1, 10**6), (1, 10**6), (1, 200))
    )
    assert first == again
    assert 0.0 < first.time_s < 100.0 * hop_time_s(DEVICE, kelvin(0.8))
    assert np.isnan(given_up.time_s)


@pytest.mark.slow
def test_wires_of_one_shape_follow_herrings_law():
    """Above the temperature at which a wire's facets matter: the exponent with what a small wire adds."""
    widths, ratio = (5.0, 7.0, 10.0), 0.7
    lives = [[lifetime(DEVICE, w, kelvin(ratio), seed, 10**7, 0.5) for seed in range(1, 9)] for w in widths]
    diameters = np.array([row[0].diameter for row in lives])
    times = np.array([[life.time_s for life in row] for row in lives])
    slope, error = exponent(diameters, times, np.random.default_rng(1))
    law = np.polyfit(np.log(diameters), np.log(herring_times(diameters, ratio, 0.5)), 1)[0]
    assert error < 0.4
    assert abs(slope - law) < 3.0 * error
    assert max(life.loose for row in lives for life in row) < 0.01  # matter moves on the surface
