"""From which electrode metal grows: the measure, and (slow) both electrodes in two corners of the map."""

import numpy as np
import pytest

import ionsim
import kmc
from ionsim.analysis.growth import ACTIVE_ABOVE, INERT_BELOW, SMALL_CELL, at, first_half, grow, last_gap

PLANES = 11


def front(times=41, atoms=20):
    """Atoms (T, P) of a front that goes up a plane at a time, each plane filling as it comes."""
    reached = np.linspace(0.0, PLANES, times)[:, None]
    return np.clip(atoms * (reached - np.arange(PLANES)), 0, atoms).astype(int)


def test_the_first_half_of_a_column_stands_at_a_quarter_of_the_way_from_its_electrode():
    """Planes 0 to 4 and half of plane 5 of 0 to 10: (20 (0 + 1 + 2 + 3 + 4) + 10 * 5)/110/10."""
    assert first_half(front(times=2201)) == pytest.approx(250.0 / 1100.0)
    assert first_half(front(times=2201)[:, ::-1]) == pytest.approx(1.0 - 250.0 / 1100.0)


def test_fronts_from_both_electrodes_and_from_the_middle_are_at_one_half():
    up = front()
    assert first_half(np.minimum(up + up[:, ::-1], 20)) == pytest.approx(0.5)
    assert first_half(np.concatenate([up[:, :5][:, ::-1], up[:, :1], up[:, :5]], axis=1)) == pytest.approx(0.5)


def test_only_metal_that_is_there_counts():
    came_and_went = np.zeros((4, PLANES), dtype=int)
    came_and_went[1, -1], came_and_went[2, 0], came_and_went[3, :2] = 1, 4, 4
    assert first_half(came_and_went) == 0.0
    assert np.isnan(first_half(np.zeros((3, PLANES), dtype=int)))


def test_the_last_gap_is_where_metal_is_thinnest():
    assert last_gap([9, 5, 2, 1, 0]) == 1.0
    assert last_gap([0, 0, 1, 4, 9]) == pytest.approx(0.125)
    assert last_gap([5, 1, 0, 1, 5]) == 0.5


def test_a_slower_redox_slows_steps_without_a_barrier_as_well():
    base = ionsim.load("ag_sio2_memory").replace(SMALL_CELL)
    slow = at(base, base.kinetic("transfer.barrier_eV") + 0.1, 0.6)
    assert slow.transfer.max_metal_rate_Hz == pytest.approx(1e8 * np.exp(-0.1 / (kmc.KB_EV * base.ambient_K)))
    assert slow.transfer.max_rate_Hz == slow.transfer.max_metal_rate_Hz
    assert slow.kinetic("atom.surface_barrier_eV") == slow.kinetic("ion.hop_barrier_eV") == 0.6


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_metal_grows_from_either_electrode(seed):
    """Fast redox and mobile ions: from the inert electrode; both slow: from the active one, across the whole film."""
    base = ionsim.load("ag_sio2_memory").replace(SMALL_CELL)
    fast = grow(at(base, 0.40, 0.45), 2.7, seed, 1e6, 1e5)
    slow = grow(at(base, 0.70, 0.65), 2.7, seed, 1e6, 1e5)
    assert fast.bridged
    assert fast.first_half < INERT_BELOW
    assert fast.last_gap > 0.7
    assert slow.bridged
    assert slow.first_half > ACTIVE_ABOVE
    assert slow.last_gap < 0.3
