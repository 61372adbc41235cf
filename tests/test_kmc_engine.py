"""The event loop: incremental rates, conservation, determinism, checkpoints, the watch, flicker, why a run stops."""

import numpy as np
import pytest
from test_kmc_rates import MODEL, World

import kmc
from kmc import engine as engine_module
from kmc.lists import members

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")


def line(count, spacing_nm=0.3, periodic=False):
    positions = np.zeros((count, 3))
    positions[:, 0] = spacing_nm * np.arange(count)
    return kmc.SiteGraph.from_positions(
        positions, cutoff_nm=1.1 * spacing_nm, cell_nm=[count * spacing_nm, 1.0, 1.0], periodic=(periodic, False, False)
    )


def cube(edge):
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return kmc.SiteGraph.from_positions(0.3 * grid, cutoff_nm=0.35, cell_nm=[0.3 * edge] * 3, periodic=(True,) * 3)


#: So hot that no pair of events takes all the time, and every process happens.
HOT_K = 4000.0

GAS = kmc.Model(
    species=("empty", "ion"),
    processes=[kmc.hop("ion", into="empty", barrier_eV=0.3, charge_e=1.0)],
    pair_energies=[kmc.PairEnergy("ion", "ion", -0.04)],
)


def gas(edge=6, seed=1, **more):
    sites = cube(edge)
    engine = kmc.Engine(sites, GAS, kmc.random(ion=0.2), seed=seed, **more)
    engine.set_fields(
        0.1 * np.cos(2.0 * np.pi * sites.positions_nm[:, 0] / sites.cell_nm[0]),
        300.0 + 100.0 * sites.positions_nm[:, 1],
    )
    return engine


def derived(engine):
    """What the engine keeps up to date with the occupation, and what it draws events with."""
    arrays = {name: getattr(engine.state, name) for name in ("neighbour_count", "pair_rate", "single_rate")}
    lists = engine.select.lists
    return {**arrays, "tree": engine.select.tree, "list_of": lists.where[:, 0], "members": members(lists)}


# -- incremental rates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lattice", "seed"), [("fcc", 1), ("bcc", 7), ("disordered", 3)])
def test_rates_after_many_events_are_those_of_a_full_refresh(lattice, seed):
    """Everything the engine keeps between events is, bit by bit, what it computes from the occupation alone."""
    world = World(lattice, seed)
    engine = world.engine()
    engine.set_fields(temperature_K=HOT_K)
    for events in [1] * 400 + [4000] * 10:
        assert engine.run(until_s=np.inf, max_events=events) == "events"
        kept = {name: value.copy() for name, value in derived(engine).items()}
        engine.refresh()
        for name, value in derived(engine).items():
            np.testing.assert_array_equal(value, kept[name], err_msg=name)
    fresh = world.engine(engine.occupation, {name: engine.reservoir(name) for name in world.reservoir})
    fresh.set_fields(temperature_K=HOT_K)
    assert fresh.total_rate_Hz == engine.total_rate_Hz
    for name, process, _ in MODEL.directions():
        assert fresh.rates(name) == engine.rates(name)
        assert engine.counts[name] > 0 or process.max_rate_Hz < 1e7, f"{name} never happened"


WAYS = [("tree", False), ("composition", False), ("composition", "auto")]


@pytest.mark.parametrize(
    ("selector", "null_events"), [WAYS[0], pytest.param(*WAYS[1], marks=pytest.mark.slow), WAYS[2]]
)
def test_a_million_events_leave_everything_as_a_recomputation_has_it(selector, null_events):
    events = 1_000_000 if null_events is False else 250_000  # null events keep less that could go wrong
    engine = gas(10, selector=selector, null_events=null_events, check_every=events // 4)
    assert engine.run(until_s=np.inf, max_events=events) == "events"
    assert engine.n_events == events


@pytest.mark.parametrize("name", ["neighbour_count", "pair_rate", "tree"])
def test_what_has_gone_wrong_is_found(name):
    engine = gas(selector="tree")
    engine.run(until_s=np.inf, max_events=100)
    engine.check()
    array = engine.select.tree if name == "tree" else getattr(engine.state, name)
    where = tuple(int(index[0]) for index in np.nonzero(array))
    array[where] += array[where] * 1e-9 if name != "neighbour_count" else 1
    with pytest.raises(kmc.KmcError, match=rf"{name}\(.* is right"):
        engine.check()


def test_the_total_rate_is_the_sum_of_all_rates():
    engine = World("disordered", 1).engine()
    total = sum(rate for name, _, _ in MODEL.directions() for _, _, rate, _ in engine.rates(name))
    assert engine.total_rate_Hz == pytest.approx(total, rel=1e-12)


# -- conservation ---------------------------------------------------------------------------------------------------


def test_every_event_is_booked_once():
    """Species, reservoirs and event counts agree: each process changes numbers by what its definition says."""
    world = World("disordered", 2)
    engine = world.engine()
    engine.set_fields(temperature_K=HOT_K)
    species = engine.model.species
    before = {name: engine.number(name) for name in species}
    engine.run(until_s=np.inf, max_events=30_000)
    counts = engine.counts
    assert sum(counts.values()) == engine.n_events == 30_000
    expected, reservoirs = dict(before), dict(world.reservoir)
    for name, process, reverse in MODEL.directions():
        old, new = (process.after, process.before) if reverse else (process.before, process.after)
        for gone, come in zip(old, new, strict=True):
            expected[gone] -= counts[name]
            expected[come] += counts[name]
        if process.reservoir:
            reservoirs[process.reservoir] += -counts[name] if reverse else counts[name]
    assert {name: engine.number(name) for name in species} == expected
    assert {name: engine.reservoir(name) for name in reservoirs} == reservoirs


def test_a_reservoir_is_never_overfilled_or_overdrawn():
    out = kmc.exchange("out", "ion", "empty", "cap", 0.2)
    model = kmc.Model(species=("empty", "ion"), processes=[out], reservoirs=[kmc.Reservoir("cap", 3)])
    sites = line(12)
    engine = kmc.Engine(sites, model, [1] * 6 + [0] * 6, seed=3, contacts={"cap": (np.arange(12), 0.1)})
    seen = set()
    for _ in range(2000):
        engine.run(until_s=np.inf, max_events=1)
        seen.add(engine.reservoir("cap"))
        assert engine.number("ion") + engine.reservoir("cap") == 6
    assert seen == {0, 1, 2, 3}


def test_only_sites_in_contact_exchange():
    out = kmc.exchange("out", "ion", "empty", "cap", 0.2)
    model = kmc.Model(species=("empty", "ion"), processes=[out], reservoirs=[kmc.Reservoir("cap", 30)])
    engine = kmc.Engine(line(12), model, np.ones(12, dtype=int), seed=3, contacts={"cap": ([2, 5], [0.1, 0.2])})
    engine.run(until_s=np.inf, max_events=500)
    assert set(np.flatnonzero(engine.occupation == 0)) <= {2, 5}
    assert engine.number("ion") + engine.reservoir("cap") == 12


# -- determinism and checkpoints ------------------------------------------------------------------------------------


def trajectory(engine, pieces=10, events=300):
    """Time, occupation and counts after each piece."""
    steps = []
    for _ in range(pieces):
        engine.run(until_s=np.inf, max_events=events)
        steps.append((engine.time_s, engine.occupation.tobytes(), tuple(engine.counts.values())))
    return steps


def test_one_seed_gives_one_trajectory_and_another_seed_another():
    assert trajectory(gas(seed=1)) == trajectory(gas(seed=1))
    assert trajectory(gas(seed=1)) != trajectory(gas(seed=2))


def test_a_seed_sequence_can_be_used_twice():
    sequence = np.random.SeedSequence(11)
    first, second = trajectory(gas(seed=sequence)), trajectory(gas(seed=sequence))
    assert first == second
    assert sequence.n_children_spawned == 0
    children = sequence.spawn(2)
    assert trajectory(gas(seed=children[0])) != trajectory(gas(seed=children[1]))


def test_a_run_in_chunks_is_the_same_run(monkeypatch):
    whole = trajectory(gas())
    monkeypatch.setattr(engine_module, "_CHUNK", 7)
    assert trajectory(gas()) == whole


def test_stops_by_number_of_events_leave_the_trajectory_alone():
    whole, pieces = gas(), gas()
    whole.run(until_s=np.inf, max_events=3000)
    for _ in range(300):
        pieces.run(until_s=np.inf, max_events=10)
    assert pieces.time_s == whole.time_s
    np.testing.assert_array_equal(pieces.occupation, whole.occupation)


@pytest.mark.parametrize("world", [("disordered", 1), ("fcc", 2)])
def test_a_restored_run_goes_on_bit_by_bit(world):
    """Time stops, watch, flicker and random numbers included; through a plain dictionary of arrays, as a file holds."""

    def go_on(engine):
        steps = []
        for k in range(30):
            reason = engine.run(until_s=engine.time_s * 1.2, max_events=200)
            steps.append((reason, engine.time_s, engine.drift, engine.checkpoint()))
            if reason == "watch" or k % 10 == 9:
                engine.watch(np.linspace(0.0, 1.0, len(engine.sites)), 2.0)
        return steps

    engine = World(*world).engine()
    engine.watch(np.linspace(0.5, 1.0, len(engine.sites)), 1.5)
    engine.run(until_s=np.inf, max_events=1000)
    saved = {name: np.array(value) for name, value in engine.checkpoint().items()}
    uninterrupted = go_on(engine)
    other = World(*world).engine(occupation=np.zeros(len(engine.sites), dtype=int))
    other.set_fields(0.3, 700.0)
    other.run(until_s=np.inf, max_events=50)
    other.restore(saved)
    restored = go_on(other)
    assert [step[:3] for step in restored] == [step[:3] for step in uninterrupted]
    assert {step[0] for step in uninterrupted} >= {"watch", "time"}
    for (*_, one), (*_, two) in zip(uninterrupted, restored, strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            np.testing.assert_array_equal(value, two[name], err_msg=name)
    for name, value in derived(engine).items():
        np.testing.assert_array_equal(value, derived(other)[name], err_msg=name)


@pytest.mark.parametrize(("selector", "null_events"), WAYS)
def test_a_run_that_is_stopped_anywhere_goes_on_as_if_it_was_not(selector, null_events):
    """Five random stopping points, each restored into an engine that has been elsewhere; every array is the same."""
    options = {"selector": selector, "null_events": null_events, "track": "ion", "flicker": True}
    straight = gas(8, **options)
    straight.run(until_s=np.inf, max_events=60_000)
    end = straight.checkpoint()
    if null_events == "auto":
        assert straight.n_null > 30_000  # windows of draws were looked at
    stops = np.sort(np.random.default_rng(3).integers(1, 60_000, 5))
    engine = gas(8, **options)
    for stop in stops:
        engine.run(until_s=np.inf, max_events=int(stop) - engine.n_events)
        other = gas(8, **options)
        other.run(until_s=np.inf, max_events=777)
        other.restore(engine.checkpoint())
        engine = other
    engine.run(until_s=np.inf, max_events=60_000 - engine.n_events)
    for name, value in engine.checkpoint().items():
        assert value.tobytes() == end[name].tobytes(), name


def test_a_checkpoint_is_a_copy():
    engine = gas()
    saved = engine.checkpoint()
    before = {name: np.array(value) for name, value in saved.items()}
    engine.run(until_s=np.inf, max_events=100)
    engine.watch(np.ones(len(engine.sites)), 1.0)
    for name, value in before.items():
        np.testing.assert_array_equal(value, saved[name])


@pytest.mark.parametrize("broken", [{"clock": None}, {"occupation": np.zeros(3)}, {"weight": None}])
def test_a_checkpoint_of_another_system_is_refused_and_changes_nothing(broken):
    engine = gas()
    saved = {name: value for name, value in {**gas(seed=2).checkpoint(), **broken}.items() if value is not None}
    before = engine.occupation.copy()
    with pytest.raises(kmc.KmcError, match=f"checkpoint: '{next(iter(broken))}' is missing or has another shape"):
        engine.restore(saved)
    np.testing.assert_array_equal(engine.occupation, before)


def test_the_occupation_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        gas().occupation[0] = 1


# -- the watch ------------------------------------------------------------------------------------------------------


def test_the_watch_stops_at_the_first_event_beyond_its_bound():
    """Against the sum itself, after each event; weights of very different size must not be lost or left behind."""
    engine = gas()
    weight = 10.0 ** np.random.default_rng(5).uniform(-6.0, 0.0, len(engine.sites))
    for _ in range(5):
        reference = engine.occupation.copy()
        engine.watch(weight, 1.0)
        assert engine.drift == 0.0
        for _ in range(10_000):
            reason = engine.run(until_s=np.inf, max_events=1)
            exact = np.linalg.norm(weight[engine.occupation != reference])
            assert engine.drift == pytest.approx(exact, rel=1e-12)
            assert (reason == "watch") == (exact > 1.0)
            if reason == "watch":
                break
        assert reason == "watch"


def test_the_watch_counts_from_the_reference_that_is_given():
    engine = gas()
    reference = engine.occupation.copy()
    engine.run(until_s=np.inf, max_events=20)
    changed = np.count_nonzero(engine.occupation != reference)
    assert changed > 2
    engine.watch(np.ones(len(engine.sites)), np.sqrt(changed + 1.5), since=reference)
    assert engine.drift == pytest.approx(np.sqrt(changed), rel=1e-12)
    assert engine.run(until_s=np.inf, max_events=100_000) == "watch"
    assert np.count_nonzero(engine.occupation != reference) in (changed + 2, changed + 3)
    assert engine.drift == pytest.approx(np.sqrt(np.count_nonzero(engine.occupation != reference)), rel=1e-12)


def test_the_watched_sum_does_not_drift():
    """One ion to and fro, millions of times: back where it was, the sum that the loop keeps is exactly zero."""
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", into="empty", barrier_eV=0.3)])
    engine = kmc.Engine(line(2), model, [0, 1], seed=1)
    engine.watch([0.1, 1.0 / 3.0], 1.0)
    for events, moved_away in ((1_000_001, True), (1, False), (1, True), (1_000_000, True), (1_000_001, False)):
        engine.run(until_s=np.inf, max_events=events)
        exact = 0.1**2 + (1.0 / 3.0) ** 2 if moved_away else 0.0
        assert engine._watch.moved[0] / engine._watch.limit == pytest.approx(exact, abs=1e-11 if moved_away else 0.0)


def test_a_change_from_outside_counts_in_the_watch():
    """Sites changed from outside, then touched by events: neither missed nor counted twice."""
    engine = gas()
    weight, reference = np.ones(len(engine.sites)), engine.occupation.copy()
    engine.watch(weight, np.sqrt(30.5))
    for site in np.flatnonzero(reference == 1)[:20].tolist():
        engine.set_occupation(site, "empty")
    engine.set_occupation(int(np.flatnonzero(reference == 1)[0]), "ion")
    assert engine.drift == pytest.approx(np.sqrt(19.0), rel=1e-12)
    reason = "events"
    while reason == "events":
        reason = engine.run(until_s=np.inf, max_events=1)
        changed = np.count_nonzero(engine.occupation != reference)
        assert (reason == "watch") == (changed > 30)
        assert engine.n_events < 1000


def test_a_bound_of_zero_stops_at_the_first_weighed_event_and_none_never_stops():
    engine = gas()
    engine.watch(np.ones(len(engine.sites)), 0.0)
    assert engine.run(until_s=np.inf, max_events=100) == "watch"
    assert engine.n_events == 1
    engine.watch(np.zeros(len(engine.sites)), 0.0)
    assert engine.run(until_s=np.inf, max_events=100) == "events"
    engine.watch(np.ones(len(engine.sites)), np.inf)
    assert engine.run(until_s=np.inf, max_events=100) == "events"


# -- flicker --------------------------------------------------------------------------------------------------------


def test_to_and_fro_is_flicker_from_the_second_event_on():
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", into="empty", barrier_eV=0.3)])
    engine = kmc.Engine(line(2), model, [0, 1], seed=1, flicker=True)
    engine.run(until_s=np.inf, max_events=1000)
    assert engine.flicker == {"hop": 999}


def test_going_round_is_no_flicker():
    """On a line, a hop is flicker exactly when it turns back: count the turns of a single ion."""
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", into="empty", barrier_eV=0.3)])
    occupation = np.zeros(2001, dtype=int)
    occupation[1000] = 1
    engine = kmc.Engine(line(2001), model, occupation, seed=4, flicker=True)
    places = [1000]
    for _ in range(400):
        engine.run(until_s=np.inf, max_events=1)
        places.append(int(np.flatnonzero(engine.occupation)[0]))
    turns = np.count_nonzero(np.diff(places)[1:] == -np.diff(places)[:-1])
    assert 0 < turns < 399
    assert engine.flicker == {"hop": turns}


def test_flicker_of_pairs_and_single_sites():
    """O + empty -> V + Oi and back is flicker; so is an exchange undone, whatever happened elsewhere in between."""
    pair = kmc.reaction("make", ("O", "empty"), ("V", "Oi"), 0.3, reverse_name="unmake")
    model = kmc.Model(species=("O", "empty", "V", "Oi"), processes=[pair])
    engine = kmc.Engine(line(2), model, [0, 1], seed=1, flicker=True)
    engine.run(until_s=np.inf, max_events=101)
    assert engine.counts == {"make": 51, "unmake": 50}
    assert engine.flicker == {"make": 50, "unmake": 50}
    out = kmc.exchange("out", "ion", "empty", "cap", 0.2, reverse_name="in")
    model = kmc.Model(species=("empty", "ion"), processes=[out], reservoirs=[kmc.Reservoir("cap", 100)])
    engine = kmc.Engine(line(50), model, np.ones(50, dtype=int), contacts={"cap": (np.arange(50), 0.1)}, flicker=True)
    engine.run(until_s=np.inf, max_events=1000)
    assert engine.flicker["in"] == engine.counts["in"]  # every way in undoes a way out
    assert engine.flicker["out"] == engine.counts["out"] - np.count_nonzero(engine.state.last_event)


def test_half_undone_is_no_flicker():
    """A B -> C D -> A E: the first site is back where it was, the second is not."""
    model = kmc.Model(
        species=("A", "B", "C", "D", "E"),
        processes=[
            kmc.reaction("first", ("A", "B"), ("C", "D"), 0.2, energy_eV=-1.0),
            kmc.reaction("second", ("C", "D"), ("A", "E"), 0.2, energy_eV=-1.0),
        ],
    )
    engine = kmc.Engine(line(2), model, [0, 1], seed=1, flicker=True)
    engine.run(until_s=np.inf, max_events=2)
    assert engine.occupation.tolist() == [0, 4]
    assert sum(engine.flicker.values()) == 0


def test_what_a_third_party_changed_is_not_undone():
    """A hop away and an outside change at the old place: the hop back is no flicker."""
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", into="empty", barrier_eV=0.3)])
    engine = kmc.Engine(line(2), model, [0, 1], seed=1, flicker=True)
    engine.run(until_s=np.inf, max_events=1)
    engine.set_occupation(1, "empty")
    engine.run(until_s=np.inf, max_events=1)
    assert engine.flicker == {"hop": 0}
    engine.run(until_s=np.inf, max_events=1)
    assert engine.flicker == {"hop": 1}


# -- why a run stops ------------------------------------------------------------------------------------------------


def test_a_run_to_a_time_ends_exactly_there():
    engine = gas()
    engine.run(until_s=np.inf, max_events=100)
    until = 1.5 * engine.time_s
    assert engine.run(until_s=until) == "time"
    assert engine.time_s == until
    assert engine.run(until_s=until) == "time"
    assert engine.n_events > 100


def test_a_frozen_lattice_says_so():
    for occupation in (np.zeros(8, dtype=int), np.ones(8, dtype=int)):
        engine = kmc.Engine(line(8), GAS, occupation)
        assert engine.run(until_s=2.5) == "frozen"
        assert engine.time_s == 2.5
        assert engine.run(until_s=np.inf) == "frozen"
        assert engine.time_s == 2.5
        assert engine.n_events == 0
    isolated = kmc.SiteGraph.from_positions([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]], cutoff_nm=0.3)
    assert kmc.Engine(isolated, GAS, [0, 1]).run(until_s=1.0) == "frozen"


def test_a_process_too_slow_for_a_double_is_frozen():
    engine = kmc.Engine(line(8), GAS, [0] * 7 + [1], selector="tree")
    engine.set_fields(temperature_K=4.9)
    assert 0.0 < engine.total_rate_Hz < 1e-290
    assert engine.run(until_s=1e9) == "frozen"


def test_no_event_is_done_when_none_is_asked_for():
    engine = gas()
    assert engine.run(until_s=1.0, max_events=0) == "events"
    assert (engine.time_s, engine.n_events) == (0.0, 0)


def test_fields_take_effect_at_once():
    """A potential step that forbids all hops uphill leaves an ion where it is."""
    engine = kmc.Engine(line(3), GAS, [0, 1, 0], seed=1)
    engine.set_fields(potential_V=[40.0, 0.0, 40.0])
    assert engine.run(until_s=1.0) == "frozen"
    engine.set_fields(potential_V=0.0)
    assert engine.run(until_s=2.0, max_events=1) == "events"


def test_species_that_are_alike_do_not_move_the_watch():
    """Two kinds of ions turn into each other all the time; only what comes from or goes to "empty" counts."""
    turn = kmc.turn("turn", "ion", "other", 0.1, prefactor_Hz=1e3)
    leave = kmc.turn("leave", "other", "empty", 0.3, prefactor_Hz=1e3)
    model = kmc.Model(species=("empty", "ion", "other"), processes=[turn, leave])

    def watched(alike):
        engine = kmc.Engine(line(50), model, [1] * 50, seed=1)
        engine.watch(np.ones(50), 1.5, alike=alike)
        return engine

    every = watched(())
    assert every.run(until_s=np.inf) == "watch"
    assert every.n_events == 3
    grouped = watched([("ion", "other")])
    assert grouped.run(until_s=np.inf, max_events=10) == "events"
    saved = grouped.checkpoint()
    other = watched(())
    other.restore(saved)
    for engine in (grouped, other):
        assert engine.run(until_s=np.inf) == "watch"
        assert engine.number("empty") == 3
        assert engine.drift == np.sqrt(3.0)
        assert engine.n_events > 10
    with pytest.raises(kmc.KmcError, match="watch: alike"):
        watched([("ion", "nothing")])
