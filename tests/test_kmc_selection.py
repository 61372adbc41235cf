"""The clock, the random numbers, the sum tree and the choice of an event, against exact distributions.

Kernels that only other kernels call are reached through small loops compiled here. Seeds are fixed; a test of a
distribution fails below a probability of 1e-3.
"""

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

import kmc
from kmc import drawing, tree, xoshiro

MASK = 2**64 - 1
LEAST_PROBABILITY = 1e-3


@njit
def fill_words(state, out):
    for k in range(len(out)):
        out[k] = xoshiro.next_word(state)


@njit
def fill_uniforms(state, out):
    for k in range(len(out)):
        out[k] = xoshiro.next_uniform(state)


@njit
def set_leaves(nodes, leaves, values):
    for k in range(len(leaves)):
        tree.update(nodes, leaves[k], values[k])


@njit
def find_all(nodes, targets, leaves, rests):
    for k in range(len(targets)):
        leaves[k], rests[k] = tree.find(nodes, targets[k])


@njit
def choose_many(table, state, tree, edges, sites):
    """How often each (edge, process) and (site, process) is drawn."""
    for _ in range(1_000_000):
        site, edge, process = drawing.choose(table, state, tree)
        if edge >= 0:
            edges[edge, process] += 1
        else:
            sites[site, process] += 1


def plain_xoshiro(state, count):
    """xoshiro256++ with Python's whole numbers."""

    def rotate(word, by):
        return ((word << by) | (word >> (64 - by))) & MASK

    s, out = list(state), []
    for _ in range(count):
        out.append((rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK)
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 45)
    return out


# -- random numbers -------------------------------------------------------------------------------------------------


def test_the_random_words_are_those_of_xoshiro():
    words = np.empty(10, dtype=np.uint64)
    fill_words(np.array([1, 2, 3, 4], dtype=np.uint64), words)
    # The test vector of the Rust crate rand_xoshiro, made with the authors' C code.
    assert words[:4].tolist() == [41943041, 58720359, 3588806011781223, 3591011842654386]
    words = np.empty(1000, dtype=np.uint64)
    start = xoshiro.new_state(np.random.SeedSequence(8))
    expected = plain_xoshiro(start.tolist(), 1000)
    fill_words(start, words)
    assert words.tolist() == expected


def test_a_uniform_number_is_never_0_or_1():
    for word, first, last in ((0, 0, 0), (MASK, 0, MASK)):
        state = np.array([first, 1, 1, last], dtype=np.uint64)
        assert plain_xoshiro(state.tolist(), 1) == [word]
        number = np.empty(1)
        fill_uniforms(state, number)
        assert 0.0 < number[0] < 1.0
        assert number[0] == pytest.approx(word / MASK, abs=1e-15)


def test_uniform_numbers_are_uniform():
    numbers = np.empty(100_000)
    fill_uniforms(xoshiro.new_state(np.random.SeedSequence(1)), numbers)
    assert stats.kstest(numbers, "uniform").pvalue > LEAST_PROBABILITY
    pairs = np.histogram2d(numbers[:-1:2], numbers[1::2], bins=20, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > LEAST_PROBABILITY


# -- the tree -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 64, 65, 1000])
def test_sums_stay_exact_through_updates(count):
    """Rates over 30 decades come and go; afterwards every node is the sum of its children, bit by bit."""
    generator = np.random.default_rng(count)
    nodes, values = tree.new_tree(count), np.zeros(count)
    leaves = generator.integers(0, count, 20_000)
    new = 10.0 ** generator.uniform(-15.0, 15.0, 20_000) * generator.integers(0, 2, 20_000)
    set_leaves(nodes, leaves, new)
    values[leaves] = new  # the last one counts
    width = len(nodes) // 2
    np.testing.assert_array_equal(nodes[width : width + count], values)
    np.testing.assert_array_equal(nodes[width + count :], 0.0)
    np.testing.assert_array_equal(nodes[1:width], nodes[2 : 2 * width : 2] + nodes[3 : 2 * width : 2])
    assert nodes[1] == pytest.approx(math.fsum(values), rel=1e-13)


@pytest.mark.parametrize("count", [1, 2, 5, 64, 100])
def test_a_leaf_without_rate_is_never_found(count):
    """Not at the edges of intervals, not at the total and beyond, where rounding could lead."""
    generator = np.random.default_rng(count)
    values = 10.0 ** generator.uniform(-12.0, 12.0, count) * generator.integers(0, 2, count)
    values[count // 2] = 1.0
    nodes = tree.new_tree(count)
    set_leaves(nodes, np.arange(count), values)
    edges = np.cumsum(values)
    targets = np.concatenate(([0.0], edges, np.nextafter(edges, 0.0), np.nextafter(edges, np.inf), [nodes[1] * 1.1]))
    found, rests = np.empty(len(targets), dtype=np.int64), np.empty(len(targets))
    find_all(nodes, targets, found, rests)
    assert np.all(values[found] > 0.0)
    assert np.all(rests >= 0.0)


def test_the_tree_finds_the_leaf_of_each_interval():
    values = np.array([0.0, 2.0, 0.5, 0.0, 0.25, 1.0, 0.0])  # exact in binary
    nodes = tree.new_tree(len(values))
    set_leaves(nodes, np.arange(len(values)), values)
    targets = np.array([0.0, 1.99, 2.0, 2.25, 2.5, 2.74, 2.75, 3.74])
    found, rests = np.empty(len(targets), dtype=np.int64), np.empty(len(targets))
    find_all(nodes, targets, found, rests)
    assert found.tolist() == [1, 1, 2, 2, 4, 4, 5, 5]
    np.testing.assert_allclose(rests, [0.0, 1.99, 0.0, 0.25, 0.0, 0.24, 0.0, 0.99], atol=1e-12)


# -- the choice of an event -----------------------------------------------------------------------------------------


def crowd(seed=1):
    """Hops, a reaction, two one-site changes and an exchange on a disordered chain: rates over six decades."""
    generator = np.random.default_rng(seed)
    count = 40
    positions = np.zeros((count, 3))
    positions[:, 0] = 0.3 * np.arange(count) + generator.uniform(-0.05, 0.05, count)
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=0.5)
    model = kmc.Model(
        species=("empty", "A", "B"),
        processes=[
            kmc.hop("A", into="empty", barrier_eV=0.3, spread_eV=0.08),
            kmc.reaction("react", ("A", "B"), ("empty", "empty"), 0.35, spread_eV=0.05),
            kmc.reaction("turn", ("A",), ("B",), 0.3, spread_eV=0.1),
            kmc.reaction("vanish", ("A",), ("empty",), 0.33),
            kmc.exchange("out", "B", "empty", "cap", 0.3),
        ],
        reservoirs=[kmc.Reservoir("cap", 10)],
    )
    return kmc.Engine(sites, model, generator.integers(0, 3, count), seed=seed, contacts={"cap": (np.arange(20), 0.1)},
                      selector="tree")  # fmt: skip


def test_events_are_chosen_in_proportion_to_their_rates():
    engine = crowd()
    names = [name for name, _, _ in engine.model.directions()]
    edges = np.zeros((engine.sites.n_edges, len(names)), dtype=np.int64)
    sites = np.zeros((len(engine.sites), len(names)), dtype=np.int64)
    rates_of_edges, rates_of_sites = np.zeros(edges.shape), np.zeros(sites.shape)
    for row, name in enumerate(names):
        for i, j, rate, _ in engine.rates(name):
            if j < 0:
                rates_of_sites[i, row] = rate
            else:
                edge = int(np.flatnonzero((engine.sites.origin == i) & (engine.sites.target == j))[0])
                rates_of_edges[edge, row] = rate
    choose_many(engine.table, engine.state, engine.select.tree, edges, sites)
    rates = np.concatenate((rates_of_edges.ravel(), rates_of_sites.ravel()))
    drawn = np.concatenate((edges.ravel(), sites.ravel()))
    assert np.all(drawn[rates == 0.0] == 0)  # what is impossible is never chosen
    expected = drawn.sum() * rates / rates.sum()
    assert rates[rates > 0.0].max() / rates[rates > 0.0].min() > 1e6
    often = expected > 10.0
    assert np.count_nonzero(often) > 40
    observed = np.append(drawn[often], drawn[~often].sum())
    assert stats.chisquare(observed, np.append(expected[often], expected[~often].sum())).pvalue > LEAST_PROBABILITY


# -- the clock ------------------------------------------------------------------------------------------------------


def lone_site(rates, seed=1):
    """Sites far apart that turn between two states of equal energy, each at its own rate."""
    positions = np.zeros((len(rates), 3))
    positions[:, 0] = np.arange(len(rates))
    model = kmc.Model(species=("up", "down"), processes=[kmc.reaction("turn", ("up",), ("down",), 0.5)])
    shift = -kmc.KB_EV * 300.0 * np.log(np.asarray(rates) / (1e13 * np.exp(-0.5 / (kmc.KB_EV * 300.0))))
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=0.3)
    return kmc.Engine(sites, model, np.zeros(len(rates), dtype=int), seed=seed, barrier_shifts_eV={"turn": shift})


@pytest.mark.parametrize("rates", [[2.5e3], [1.0, 30.0, 1e3, 1e-3]])
def test_waiting_times_are_exponential_with_the_total_rate(rates):
    engine = lone_site(rates)
    total = sum(rates)
    assert engine.total_rate_Hz == pytest.approx(total, rel=1e-10)
    times = np.empty(10_001)
    times[0] = 0.0
    for k in range(1, len(times)):
        engine.run(until_s=np.inf, max_events=1)
        times[k] = engine.time_s
    waits = np.diff(times)
    assert stats.kstest(waits, "expon", args=(0.0, 1.0 / total)).pvalue > LEAST_PROBABILITY
    assert waits.mean() * total == pytest.approx(1.0, abs=4.0 / math.sqrt(len(waits)))
    lag = np.corrcoef(waits[:-1], waits[1:])[0, 1]
    assert abs(lag) < 4.0 / math.sqrt(len(waits))


def test_the_number_of_events_in_a_time_is_poisson_however_often_the_clock_is_stopped():
    """A waiting time that passes the stop is dropped and drawn anew: exact, because waiting has no memory."""
    engine = lone_site([1.0])
    numbers = []
    for k in range(3000):
        before = engine.n_events
        for part in (0.1, 0.7, 1.0, 2.0):
            assert engine.run(until_s=2.0 * k + part) == "time"
        numbers.append(engine.n_events - before)
    observed = np.bincount(numbers, minlength=8)
    observed = np.append(observed[:7], observed[7:].sum())
    chance = stats.poisson.pmf(np.arange(7), 2.0)
    expected = len(numbers) * np.append(chance, 1.0 - chance.sum())
    assert stats.chisquare(observed, expected).pvalue > LEAST_PROBABILITY


def test_waits_below_the_last_digit_of_the_clock_are_not_lost():
    """At 1e6 s a double moves in steps of 1e-10 s; a hundred thousand waits of 1e-13 s are 1e-8 s all the same."""
    early, late = lone_site([1e13]), lone_site([1e13])
    late.run(until_s=0.0)
    saved = late.checkpoint()
    saved["clock"][0] = 1e6
    late.restore({**saved, "random": early.checkpoint()["random"]})
    early.run(until_s=np.inf, max_events=100_000)
    late.run(until_s=np.inf, max_events=100_000)
    assert early.time_s == pytest.approx(1e-8, rel=4.0 / math.sqrt(1e5))
    assert late.time_s - 1e6 == pytest.approx(early.time_s, abs=2e-10)
