"""Lists by powers of two: where a weight belongs, and that members come and go without getting lost."""

import numpy as np
import pytest

from kmc import lists
from kmc.jit import kernel
from kmc.xoshiro import new_state


@kernel
def put_all(table, sites, weights):
    """Give many sites their weights, one after the other."""
    fits = True
    for k in range(len(sites)):
        fits &= lists.put(table, sites[k], weights[k])
    lists.retotal(table)
    return fits


@kernel
def draw_many(table, random, counts):
    """Count how often each member is drawn."""
    for _ in range(1_000_000):
        _, site, _ = lists.locate(table, lists.next_uniform(random), random, True)
        counts[site] += 1


def filled(weights, scale=1.0):
    table = lists.new_lists(len(weights), scale)
    assert put_all(table, np.arange(len(weights)), np.asarray(weights, dtype=float))
    return table


@pytest.mark.parametrize("scale", [1.0, 3e-7, 0.1])
def test_the_list_of_a_weight_is_the_least_whose_limit_is_not_below_it(scale):
    factors = [1.0, 0.75, 0.5, 0.5 * (1 + 1e-15), 0.25, 1e-20, 2.0, 2.0000001, 1e15]
    table = filled([scale * factor for factor in factors], scale)
    for site, factor in enumerate(factors):
        number = table.where[site, 0]
        limit = table.limit[number] / scale
        assert factor <= limit * (1 + 4e-16)
        assert factor > 0.5 * limit * (1 - 4e-16)


def test_no_weight_is_in_no_list_and_too_large_a_weight_is_told():
    table = lists.new_lists(2, 1.0)
    assert put_all(table, np.array([0, 1]), np.array([1.0, 0.0]))
    assert table.where[:, 0].tolist()[1] == -1
    assert not put_all(table, np.array([1]), np.array([1e60]))


def test_members_come_and_go_without_getting_lost():
    """Two thousand sites and weights over thirty decades, moved a hundred thousand times."""
    generator = np.random.default_rng(1)
    count = 2000
    table, weights = lists.new_lists(count, 1.0), np.zeros(count)
    for _ in range(50):
        sites = generator.integers(0, count, 2000)
        new = np.where(generator.random(2000) < 0.3, 0.0, 10.0 ** generator.uniform(-20, 10, 2000))
        assert put_all(table, sites, new)
        for site, weight in zip(sites, new, strict=True):
            weights[site] = weight
        assert sorted(lists.members(table).tolist()) == np.flatnonzero(weights > 0.0).tolist()
        used = table.used[1 : 1 + table.used[0]]
        assert np.all(np.diff(used) < 0)
        assert sorted(used) == sorted(set(table.where[weights > 0.0, 0]))
        assert table.total[0] == pytest.approx(np.sum(table.limit * table.room), rel=1e-12)
        spare = table.room - table.length
        assert np.all((spare >= 0) & (spare <= 2 * (table.length >> 6) + 1))
        np.testing.assert_array_equal(table.length, np.bincount(table.where[weights > 0.0, 0], minlength=lists.LISTS))
    in_blocks = sum(-(-int(length) // lists.BLOCK) for length in table.length)
    assert table.free_count[0] == len(table.free) - in_blocks
    put_all(table, np.arange(count), np.zeros(count))
    assert table.used[0] == 0
    assert table.free_count[0] == len(table.free)


def test_refilled_lists_are_the_same_in_every_order():
    generator = np.random.default_rng(2)
    table = filled(10.0 ** generator.uniform(-5, 5, 700))
    put_all(table, generator.permutation(700)[:400], 10.0 ** generator.uniform(-5, 5, 400))
    again = lists.new_lists(700, 1.0)
    lists.refill(again, table.where[:, 0].copy(), lists.members(table), table.room)
    for name in ("where", "length", "used", "total"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name), err_msg=name)
    np.testing.assert_array_equal(lists.members(again), lists.members(table))


def test_members_are_drawn_by_the_limits_of_their_lists():
    """A million draws over five decades of limits; the rarest member is expected thirty times."""
    weights = np.array([1.0] * 20 + [0.125] * 20 + [1e-3] * 20 + [3e-5])
    table = filled(weights)
    counts = np.zeros(len(weights), dtype=np.int64)
    draw_many(table, new_state(np.random.SeedSequence(4)), counts)
    limits = table.limit[table.where[:, 0]]
    expected = 1e6 * limits / limits.sum()
    chi = np.sum((counts - expected) ** 2 / expected)
    assert chi < len(weights) + 4.0 * np.sqrt(2.0 * len(weights))
