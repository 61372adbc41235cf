"""Superbasins: the chain alone against exact answers, visits against runs without them, and what a run keeps to."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import chisquare, ks_2samp, kstest
from small_device import small_device

import kmc
from ionsim.devices.vcm import Vcm
from ionsim.drive import Circuit
from kmc import superbasin_chain

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

# -- the chain alone ------------------------------------------------------------------------------------------------


def chain(rate, leave):
    """A basin with these rates between configurations and out of them (1/s); every move is process 0."""
    states = len(leave)
    basin = superbasin_chain.new_basin(states, 1.0, 1, 0)
    basin.rate[:], basin.leave[:] = rate, leave
    origin, target = np.nonzero(rate)
    basin.first[:] = np.searchsorted(origin, np.arange(states + 1))
    basin.move_to[: len(target)], basin.move_rate[: len(target)] = target, basin.rate[origin, target]
    return basin


def ladder(decades, states=6, seed=1):
    """Rates that differ from move to move by up to so many decades, and an exit slower than all of them."""
    rng = np.random.default_rng(seed)
    rate = np.where(rng.random((states, states)) < 0.5, 10.0 ** (decades * rng.random((states, states))), 0.0)
    rate[np.arange(1, states), np.arange(states - 1)] = 10.0 ** (decades * rng.random(states - 1))
    np.fill_diagonal(rate, 0.0)
    rate[0, -1] = 10.0**decades
    return rate, np.r_[0.0, 0.0, 0.3, np.zeros(states - 4), 1.0]


def exact_times(rate, leave):
    """Expected times from configuration 0 in each, by rational arithmetic."""
    states = len(leave)
    matrix = [[Fraction(float(-rate[j, i])) for j in range(states)] + [Fraction(int(i == 0))] for i in range(states)]
    for i in range(states):
        matrix[i][i] += sum(Fraction(float(r)) for r in rate[i]) + Fraction(float(leave[i]))
    for i in range(states):
        pivot = next(r for r in range(i, states) if matrix[r][i])
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for r in range(states):
            if r != i and matrix[r][i]:
                factor = matrix[r][i] / matrix[i][i]
                matrix[r] = [a - factor * b for a, b in zip(matrix[r], matrix[i], strict=True)]
    return [matrix[i][-1] / matrix[i][i] for i in range(states)]


@pytest.mark.parametrize("decades", [1, 10, 14])
def test_the_mean_exit_time_is_that_of_linear_algebra(decades):
    rate, leave = ladder(decades)
    basin = chain(rate, leave)
    mean_s, inside_Hz, possible = superbasin_chain.solve(basin, len(leave))
    exact = exact_times(rate, leave)
    assert possible
    np.testing.assert_allclose(basin.share, [float(time) for time in exact], rtol=1e-13)
    assert mean_s == pytest.approx(float(sum(exact)), rel=1e-13)
    events = float(sum(time * Fraction(float(r)) for time, row in zip(exact, rate, strict=True) for r in row))
    assert inside_Hz * mean_s == pytest.approx(events, rel=1e-12)


@pytest.mark.parametrize("fast_Hz", [3.0, 1e6, 1e12])
def test_exit_times_of_a_pair_are_hypoexponential(fast_Hz):
    """Two configurations, left from the second: the sum of two exponential times with the rates of the matrix."""
    there, back, leave = fast_Hz, 0.4 * fast_Hz, 0.7
    basin = chain(np.array([[0.0, there], [back, 0.0]]), np.array([0.0, leave]))
    total = there + back + leave
    quick = 0.5 * (total + np.sqrt(total**2 - 4.0 * there * leave))
    slow = there * leave / quick
    for level in (1e-6, 0.01, 0.3, 0.8, 0.999):
        time_s, left = superbasin_chain.draw(basin, 2, level, np.inf)
        stayed = -np.expm1(-slow * time_s) * quick + np.expm1(-quick * time_s) * slow
        assert left
        assert stayed / (quick - slow) == pytest.approx(level, rel=1e-10 if level > 1e-3 else 1e-6)


def test_an_end_of_time_leaves_the_distribution_of_that_time():
    rate, leave = ladder(2)
    basin = chain(rate, leave)
    mean_s, _, _ = superbasin_chain.solve(basin, len(leave))
    generator = rate - np.diag(rate.sum(axis=1) + leave)
    for share in (1e-4, 0.02, 0.3, 1.0, 2.7):
        expected = expm(share * mean_s * generator)[0]
        time_s, left = superbasin_chain.draw(basin, len(leave), 1.0 - 1e-12, share * mean_s)
        assert (time_s, left) == (share * mean_s, False)
        np.testing.assert_allclose(basin.now, expected, rtol=1e-10)
        time_s, left = superbasin_chain.draw(basin, len(leave), 0.5 * (1.0 - expected.sum()), share * mean_s)
        assert left
        assert time_s < share * mean_s
        reached = expm(time_s * generator)[0]
        np.testing.assert_allclose(basin.now, reached, rtol=1e-9)


def test_the_booked_events_have_the_mean_number_of_events():
    """Averaged over all levels, with and without an end of time."""
    rate, leave = ladder(2)
    basin = chain(rate, leave)
    mean_s, inside_Hz, _ = superbasin_chain.solve(basin, len(leave))
    levels = (np.arange(4000) + 0.5) / 4000
    for level in levels:
        superbasin_chain.draw(basin, len(leave), level, np.inf)
    assert basin.events[0] / len(levels) == pytest.approx(inside_Hz * mean_s, rel=2e-3)
    span = 0.6 * mean_s
    generator = rate - np.diag(rate.sum(axis=1) + leave)
    times = np.linalg.solve(generator.T, expm(span * generator)[0] - np.eye(len(leave))[0])
    basin.events[:] = 0.0
    for level in levels:
        superbasin_chain.draw(basin, len(leave), level, span)
    assert basin.events[0] / len(levels) == pytest.approx(times @ rate.sum(axis=1), rel=2e-3)


def test_a_set_without_exit_is_never_left():
    rate = np.array([[0.0, 2.0], [3.0, 0.0]])
    basin = chain(rate, np.zeros(2))
    assert superbasin_chain.solve(basin, 2)[0] == np.inf
    assert superbasin_chain.draw(basin, 2, 0.999, 40.0) == (40.0, False)
    np.testing.assert_allclose(basin.now, [0.6, 0.4], rtol=1e-12)


# -- visits ---------------------------------------------------------------------------------------------------------

#: Barrier shifts of the sites of the trap (1 to 3) and of those outside (0 and 4), eV.
SHIFT_EV = np.array([0.32, 0.0, 0.03, -0.02, 0.30])
POTENTIAL_V = np.array([0.0, 0.01, 0.03, 0.0, 0.02])
TEMPERATURE_K = np.array([300.0, 310.0, 290.0, 305.0, 300.0])


def trap(seed, visits, **more):
    """One ion on five sites in a row, of which the three in the middle are a trap; a run stops when it is left."""
    positions = np.zeros((5, 3))
    positions[:, 0] = 0.3 * np.arange(5)
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.35),
        kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", 0.3, charge_e=1.0)]),
        np.array([0, 0, 1, 0, 0]), seed=seed, barrier_shifts_eV={"hop": SHIFT_EV}, selector="tree", **more,
    )  # fmt: skip
    engine.set_fields(POTENTIAL_V, TEMPERATURE_K)
    engine.watch([1.0, 0.0, 0.0, 0.0, 1.0], 0.5)
    if visits:
        kmc.Superbasin(engine)
    return engine


def escapes(engine, number):
    """Exit times (s) and sites of so many escapes from the middle."""
    times, sites = np.zeros(number), np.zeros(number, dtype=int)
    for k in range(number):
        start_s = engine.time_s
        assert engine.run(until_s=np.inf) == "watch"
        times[k], sites[k] = engine.time_s - start_s, np.flatnonzero(engine.occupation)[0]
        engine.assign([sites[k], 2], [0, 1])
    return times, sites


def trap_generator():
    """Rates of the trap by the rate law, in full: from row to column."""
    generator = np.zeros((5, 5))
    for i in range(4):
        kt = 0.5 * kmc.KB_EV * (TEMPERATURE_K[i] + TEMPERATURE_K[i + 1])
        for here, there in ((i, i + 1), (i + 1, i)):
            barrier = 0.3 + 0.5 * (SHIFT_EV[i] + SHIFT_EV[i + 1]) + 0.5 * (POTENTIAL_V[there] - POTENTIAL_V[here])
            generator[here, there] = 1e13 * np.exp(-barrier / kt)
    generator[[0, 4]] = 0.0
    return generator - np.diag(generator.sum(axis=1))


def test_escapes_have_the_exact_times_and_ends():
    """Kolmogorov-Smirnov against brute force and the matrix exponential; chi-square of the ends against both."""
    number = 3000
    plain, quick = trap(1, visits=False), trap(2, visits=True)
    plain_s, plain_ends = escapes(plain, number)
    quick_s, quick_ends = escapes(quick, number)
    assert ks_2samp(plain_s, quick_s).pvalue > 1e-3
    generator = trap_generator()
    values, vectors = np.linalg.eig(generator[1:4, 1:4])
    weights = vectors[1] * np.linalg.solve(vectors, np.ones(3))
    for times in (plain_s, quick_s):
        assert kstest(times, lambda t: 1.0 - (weights * np.exp(np.outer(t, values))).sum(axis=1).real).pvalue > 1e-3
    exact = np.linalg.solve(-generator[1:4, 1:4], generator[1:4][:, [0, 4]])[1]
    for ends in (plain_ends, quick_ends):
        found = [np.count_nonzero(ends == 0), np.count_nonzero(ends == 4)]
        assert chisquare(found, number * exact).pvalue > 1e-3
    basins = quick.superbasin
    assert basins.n_visits == number == quick.n_events
    assert basins.n_interrupted == 0
    events = plain.n_events / number
    assert basins.events["hop"] / number == pytest.approx(events - 1.0, rel=5.0 * np.sqrt(2.0 / number))


def test_time_and_end_of_an_escape_belong_together():
    """Soon after the start the near side is likelier: the ends of early escapes against the exact shares."""
    engine = trap(3, visits=True)
    engine.set_fields(POTENTIAL_V, np.full(5, 3000.0))  # so hot that the trap is left after a few hops
    kmc.Superbasin(engine, gain=1e-6)
    early_s = 0.3e-12
    engine.watch([1.0, 0.0, 0.0, 0.0, 1.0], 0.5)
    times, ends = escapes(engine, 3000)
    assert engine.superbasin.n_visits == 3000
    kt = kmc.KB_EV * 3000.0
    generator = np.zeros((5, 5))
    for i in range(4):
        for here, there in ((i, i + 1), (i + 1, i)):
            barrier = 0.3 + 0.5 * (SHIFT_EV[i] + SHIFT_EV[i + 1]) + 0.5 * (POTENTIAL_V[there] - POTENTIAL_V[here])
            generator[here, there] = 1e13 * np.exp(-barrier / kt)
    generator[[0, 4]] = 0.0
    generator -= np.diag(generator.sum(axis=1))
    sooner, ever = expm(early_s * generator)[2, [0, 4]], expm(1e-8 * generator)[2, [0, 4]]
    found = [np.count_nonzero((times <= early_s) == soon) for soon in (True, False)]
    assert min(found) > 100
    counts = [np.count_nonzero((times <= early_s) & (ends == end)) for end in (0, 4)]
    counts += [np.count_nonzero((times > early_s) & (ends == end)) for end in (0, 4)]
    assert chisquare(counts, 3000 * np.r_[sooner, ever - sooner]).pvalue > 1e-3


def test_at_the_end_of_the_time_the_configuration_is_that_of_the_time():
    """Runs that end long before the trap is left: occupation of its sites against the matrix exponential."""
    engine, number = trap(4, visits=True), 3000
    generator = trap_generator()
    span_s = 0.2 / generator[2, 1]  # a fraction of the first hop: so that it matters
    kmc.Superbasin(engine, gain=1e-9)
    counts = np.zeros(5)
    for _ in range(number):
        engine.set_occupation(int(np.flatnonzero(engine.occupation)[0]), "empty")
        engine.set_occupation(2, "ion")
        end_s = engine.time_s + span_s
        assert engine.run(until_s=end_s) == "time"
        assert engine.time_s == end_s
        counts += engine.occupation
    expected = number * expm(span_s * generator)[2]
    assert engine.superbasin.n_interrupted > 0.99 * number
    assert chisquare(counts[1:4], expected[1:4] * counts[1:4].sum() / expected[1:4].sum()).pvalue > 1e-3


GAS = kmc.Model(
    species=("empty", "ion"),
    processes=[
        kmc.hop("ion", "empty", 0.25, charge_e=1.0),
        kmc.exchange("leave", "ion", "empty", "cap", 0.3, energy_eV=0.05, reverse_name="come"),
    ],
    pair_energies=[kmc.PairEnergy("ion", "ion", -0.03)],
    reservoirs=[kmc.Reservoir("cap", 6, 0.2)],
)
GAS_ENERGY_EV = np.array([0.0, 0.02, -0.03, 0.05, 0.0, 0.03])


def gas(seed, gain, **more):
    """Three ions or so on a ring of six sites that exchange with a cap: two sites lie apart behind high barriers."""
    angle = np.arange(6) * np.pi / 3.0
    positions = 0.3 * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(6)])
    engine = kmc.Engine(
        kmc.SiteGraph.from_positions(positions, cutoff_nm=0.31), GAS, np.array([1, 0, 1, 0, 1, 0]), seed=seed,
        site_energies_eV={"ion": GAS_ENERGY_EV}, contacts={"cap": ([0, 3], [0.2, 0.3])}, selector="tree",
        barrier_shifts_eV={"hop": np.array([0.1, 0.1, -0.2, -0.2, 0.1, 0.1]), "leave": np.array([-0.1, 0, 0, 0, 0, 0])},
        reservoir_counts={"cap": 3}, flicker=True, **more,
    )  # fmt: skip
    engine.set_fields(0.02 * np.arange(6), 350.0 + 5.0 * np.arange(6), {"cap": 0.03})
    kmc.Superbasin(engine, gain=gain)
    return engine


def test_a_visit_goes_on_as_the_rates_of_a_fresh_engine():
    """After many visits, rates, neighbours and the tree are to the last bit those of a full refresh."""
    engine = gas(1, gain=0.01)
    engine.watch(np.full(6, 0.1), 10.0)
    for _ in range(300):
        assert engine.run(until_s=np.inf, max_events=3) == "events"
        kept = [engine.state.pair_rate.copy(), engine.state.single_rate.copy(), engine.select.tree.copy()]
        counts, moved = engine.state.neighbour_count.copy(), engine._watch.moved[0]
        engine.refresh()
        for old, new in zip(kept, (engine.state.pair_rate, engine.state.single_rate, engine.select.tree), strict=True):
            np.testing.assert_array_equal(old, new)
        np.testing.assert_array_equal(counts, engine.state.neighbour_count)
        assert moved == engine._watched(engine._watch.reference).moved[0]
        assert engine.number("ion") + engine.reservoir("cap") == 6
    assert engine.superbasin.n_visits > 100


def test_the_occupation_in_equilibrium_is_boltzmanns():
    """A lattice gas with a fast pair and a fast exchange: every configuration has its probability by Boltzmann."""
    engine = gas(2, gain=0.5)
    engine.set_fields(0.02 * np.arange(6), 350.0, {"cap": 0.03})
    number, found = 1500, np.zeros(64)
    for _ in range(number):
        assert engine.run(until_s=engine.time_s + 2e-8) == "time"
        found[int(engine.occupation @ 2 ** np.arange(6))] += 1
    kt, energies = kmc.KB_EV * 350.0, np.full(64, np.inf)
    for code in range(64):
        ions = (code >> np.arange(6)) & 1
        held = 6 - ions.sum()
        energy = ions @ (GAS_ENERGY_EV + 0.02 * np.arange(6) - 0.03) - 0.03 * (ions @ np.roll(ions, 1))
        energy += sum(0.05 + 0.2 * (n + 0.5) / 6.0 for n in range(held))
        places = np.prod([(6.0 - n) / (n + 1.0) for n in range(held)])
        energies[code] = energy - kt * np.log(places)
    weights = np.exp(-(energies - energies.min()) / kt)
    expected = number * weights / weights.sum()
    often = expected > 20.0
    deviation = (found - expected)[often] / np.sqrt(expected[often])
    assert engine.superbasin.n_visits > number / 10
    assert np.sqrt(np.mean(deviation**2)) < 1.6, "samples are nearly, not wholly independent"


def test_stopping_anywhere_changes_nothing():
    """A run that is stopped, saved and taken up by another engine gives the same bytes as one that is not."""
    whole, parts = gas(5, gain=0.5), gas(5, gain=0.5)
    assert whole.run(until_s=np.inf, max_events=4000) == "events"
    for events in (1, 699, 3, 1297, 2000):
        assert parts.run(until_s=np.inf, max_events=events) == "events"
        saved = parts.checkpoint()
        parts = gas(17, gain=0.5)
        parts.restore(saved)
    one, other = whole.checkpoint(), parts.checkpoint()
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert whole.superbasin.n_visits > 10
    del saved["superbasin_due"]
    with pytest.raises(kmc.KmcError, match="superbasin_due"):
        parts.restore(saved)


def test_where_nothing_flickers_searches_are_rare():
    """Ions that diffuse freely: no visits, and longer and longer waits between searches."""
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites = kmc.SiteGraph.from_positions(0.3 * grid, cutoff_nm=0.35, cell_nm=[2.4] * 3, periodic=(True,) * 3)
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", 0.3)])
    engine = kmc.Engine(sites, model, kmc.random(ion=0.1), seed=1, selector="tree")
    kmc.Superbasin(engine)
    engine.run(until_s=np.inf, max_events=200_000)
    assert engine.n_events == 200_000
    assert engine.superbasin.n_visits == 0
    assert engine.superbasin.n_searches < 15


def test_other_engines_are_refused():
    with pytest.raises(kmc.KmcError, match="tree"):
        kmc.Superbasin(kmc.Engine(trap(1, False).sites, GAS, np.zeros(5, dtype=int), selector="composition"))
    with pytest.raises(kmc.KmcError, match="track"):
        trap(1, visits=True, track="ion")
    for wrong in ({"max_states": 1}, {"max_states": 2.5}, {"gain": 0.0}, {"gain": np.nan}):
        with pytest.raises(kmc.KmcError, match=next(iter(wrong))):
            kmc.Superbasin(trap(1, visits=False), **wrong)


@pytest.mark.slow
def test_a_device_forms_at_the_same_voltage():
    """A vacancy device whose cap flickers, with a visit wherever there is a move to make, and without."""
    found = [[forming_voltage_V(seed, visits) for seed in range(20 * visits, 20 * visits + 20)] for visits in (0, 1)]
    plain, quick = (np.array(voltages) for voltages in found)
    error_V = np.sqrt((plain.var(ddof=1) + quick.var(ddof=1)) / 20)
    assert 0.0 < error_V < 0.2
    assert abs(plain.mean() - quick.mean()) < 3.0 * error_V


def forming_voltage_V(seed, visits):
    """The voltage of a staircase at which the current reaches the compliance."""
    changes = {"vacancy.max_hop_rate_Hz": 3e3, "exchange.max_rate_Hz": 1e5}
    device = Vcm(small_device(changes), np.random.SeedSequence(seed))
    device.initialise()
    basins = kmc.Superbasin(device.engine, gain=1e-9) if visits else None
    for applied_V in np.arange(0.05, 4.0, 0.05).tolist():
        if basins is not None:
            basins._basin.due[:] = 0, 1
        device.advance(applied_V / 8.0, applied_V, Circuit(0.0, 1e-6))
        if device.limited:
            break
    assert basins is None or basins.n_visits > 10
    return applied_V
