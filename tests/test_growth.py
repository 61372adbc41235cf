"""From which electrode metal grows: the measure, and (slow) both electrodes in two corners of the map."""

import numpy as np
import pytest

import ionsim
import kmc
from ionsim.analysis.growth import CLEAR, SMALL_CELL, at, grow, growth_order, last_gap

PLANES = 10
TIMES = np.linspace(0.0, 2.0, 41)


def front(speed=5.0, atoms=20):
    """Atoms (T, P) of a front that goes up at ``speed`` planes in a unit of time, each plane filling as it comes."""
    return np.clip(atoms * (speed * TIMES[:, None] - np.arange(PLANES)), 0, atoms).astype(int)


def test_the_order_tells_the_electrode_from_which_a_front_came():
    assert growth_order(TIMES, front()) == pytest.approx(1.0)
    assert growth_order(TIMES, front()[:, ::-1]) == pytest.approx(-1.0)


def test_fronts_from_both_electrodes_and_metal_at_once_have_no_order():
    up = front()
    assert growth_order(TIMES, np.maximum(up, up[:, ::-1])) == pytest.approx(0.0, abs=1e-12)
    nucleus = np.concatenate([up[:, :5][:, ::-1], up[:, :5]], axis=1)
    assert growth_order(TIMES, nucleus) == pytest.approx(0.0, abs=1e-12)


def test_a_carpet_on_the_other_electrode_does_not_turn_the_order():
    """One plane of ten that is early costs 9 of the 45 pairs: tau = 1 - 2 * 9/45."""
    atoms = front()
    atoms[:, -1] = 5
    assert growth_order(TIMES, atoms) == pytest.approx(1.0 - 2.0 * 9.0 / 45.0, abs=0.03)


def test_metal_that_came_and_went_does_not_count():
    atoms = front()
    atoms[1:4, -1] = 20
    assert growth_order(TIMES, atoms) == pytest.approx(1.0)


def test_planes_without_metal_come_last():
    atoms = front()
    atoms[:, 7:] = 0
    pairs, tied = 45.0, 3.0
    assert growth_order(TIMES, atoms) == pytest.approx((pairs - tied) / np.sqrt(pairs * (pairs - tied)))
    assert np.isnan(growth_order(TIMES, np.zeros((len(TIMES), PLANES), dtype=int)))


def test_the_last_gap_is_where_metal_is_thinnest():
    assert last_gap([9, 5, 2, 1, 0]) == 1.0
    assert last_gap([0, 0, 1, 4, 9]) == pytest.approx(0.125)
    assert last_gap([5, 1, 0, 1, 5]) == 0.5


def test_a_slower_redox_slows_steps_without_a_barrier_as_well():
    base = ionsim.load("ag_sio2_memory").replace(SMALL_CELL)
    slow = at(base, base.kinetic("transfer.barrier_eV") + 0.1, 0.6)
    assert slow.transfer.max_metal_rate_Hz == pytest.approx(1e8 * np.exp(-0.1 / (kmc.KB_EV * base.ambient_K)))
    hop, surface = "ion.hop_barrier_eV", "atom.surface_barrier_eV"
    assert slow.kinetic(hop) - base.kinetic(hop) == pytest.approx(slow.kinetic(surface) - base.kinetic(surface))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_metal_grows_from_either_electrode(seed):
    """Fast redox and mobile ions: from the inert electrode; both slow: from the active one."""
    base = ionsim.load("ag_sio2_memory").replace(SMALL_CELL)
    fast = grow(at(base, 0.40, 0.45), 2.7, seed, 4e6, 1e5)
    slow = grow(at(base, 0.70, 0.65), 2.7, seed, 4e6, 1e5)
    assert fast.bridged
    assert fast.order > CLEAR
    assert fast.last_gap > 0.7
    assert slow.order < -CLEAR
    assert slow.last_gap < 0.5
