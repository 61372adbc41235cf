"""The watch of an engine with signs: a sum that what leaves one site for a like one leaves as it is."""

import numpy as np
import pytest

import kmc
from kmc import textbook
from kmc.parallel import ParallelEngine

GAS = kmc.Model(
    species=("empty", "ion"),
    processes=[
        kmc.hop("ion", into="empty", barrier_eV=0.3),
        kmc.electrode("leave", "ion", "empty", "cap", 0.35, reverse_name="enter"),
    ],
    reservoirs=[kmc.Reservoir("cap", 20)],
)  # fmt: skip


#: Leaves a million times less often than it hops, at 300 K.
SLOW = kmc.electrode("leave", "ion", "empty", "cap", 0.65, reverse_name="enter")


def ring(count=12, seed=1, model=GAS, **more):
    angle = 2.0 * np.pi * np.arange(count) / count
    positions = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(count)])
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=2.2 * np.sin(np.pi / count))
    return kmc.Engine(
        sites, model, np.arange(count) % 3 == 0, seed=seed, contacts={"cap": ([0, 5], [0.2, 0.2])},
        reservoir_counts={"cap": 8}, selector="tree", **more,
    )  # fmt: skip


def test_a_run_stops_at_the_first_event_that_takes_the_sum_out_of_its_range():
    """Against the sum itself: what changes on a site that was empty counts up, on one that was full down."""
    engine = ring()
    size = np.random.default_rng(2).uniform(0.1, 1.0, len(engine.sites))
    low, high = -1.5, 0.9
    passed = set()
    for _ in range(30):
        reference = engine.occupation.copy()
        change = np.where(reference == 0, size, -size)
        engine.watch(np.zeros(len(size)), 1.0, change=change, within=(low, high))
        for _ in range(2000):
            reason = engine.run(until_s=np.inf, max_events=1)
            exact = change[engine.occupation != reference].sum()
            assert engine.shift == pytest.approx(exact, abs=1e-12)
            assert engine.drift == 0.0
            assert (reason == "watch") == (not low <= exact <= high)
            if reason == "watch":
                passed.add(exact > high)
                break
        assert reason == "watch"
    assert passed == {False, True}


def test_a_superbasin_holds_no_configuration_beyond_the_range():
    """Two ions that hop much sooner than one leaves; of the configurations some are out of the range."""
    engine = ring(count=6, model=kmc.Model(species=GAS.species, processes=[GAS.processes[0], SLOW],
                                           reservoirs=GAS.reservoirs))  # fmt: skip
    kmc.Superbasin(engine, gain=0.01)
    size = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    inside, outside = 0, 0
    for _ in range(300):
        reference = engine.occupation.copy()
        change = np.where(reference == 0, size, -size)
        engine.watch(np.zeros(6), 1.0, change=change, within=(-0.45, 0.45))
        for _ in range(20):
            reason = engine.run(until_s=engine.time_s + 3e-8)
            exact = change[engine.occupation != reference].sum()
            assert (reason == "watch") == (not -0.45 <= exact <= 0.45)
            assert engine._watch.moved[1] == engine._watched(engine._watch.reference).moved[1]
            inside, outside = inside + (reason != "watch"), outside + (reason == "watch")
            if reason == "watch":
                break
    assert engine.superbasin.n_visits > 30
    assert inside > 30
    assert outside > 30


def test_a_hop_between_like_sites_leaves_the_sum_as_it_is():
    """A million hops on a ring whose sites count alike: the distance grows, the sum with signs stays zero."""
    engine = kmc.Engine(ring().sites, kmc.Model(species=GAS.species, processes=GAS.processes[:1]),
                        np.arange(12) % 3 == 0, seed=3)  # fmt: skip
    change = np.where(engine.occupation == 0, 1.0, -1.0)
    engine.watch(np.ones(12), 100.0, change=change, within=(-0.5, 0.5))
    assert engine.run(until_s=np.inf, max_events=1_000_000) == "events"
    assert engine.drift > 1.0
    assert engine.shift == 0.0
    assert engine._watch.moved[1] == 0


def test_a_range_that_is_open_on_one_side_stops_on_the_other_alone():
    engine = ring()
    change = np.where(engine.occupation == 0, 1e-9, -1e-9)
    engine.watch(np.zeros(12), 1.0, change=change, within=(-np.inf, 2.5e-9))
    assert engine.run(until_s=np.inf, max_events=1_000_000) == "watch"
    assert engine.shift == pytest.approx(3e-9)


def test_a_checkpoint_keeps_the_sum_and_its_range():
    engine = ring()
    change = np.where(engine.occupation == 0, 1.0, -1.0)
    engine.watch(np.zeros(12), 1.0, change=change, within=(-9.0, 1.5))
    engine.run(until_s=np.inf, max_events=3)
    other = ring(seed=7)
    other.restore({name: np.array(value) for name, value in engine.checkpoint().items()})
    assert other.shift == engine.shift
    assert [one.run(until_s=np.inf) for one in (engine, other)] == ["watch", "watch"]
    assert other.time_s == engine.time_s
    assert other.shift == engine.shift == 2.0


def test_many_ranks_stop_after_the_cycle_that_passes_the_range():
    from mpi4py import MPI

    setup = textbook.free_hops(8, 0.1)
    engine = ParallelEngine(
        setup.sites, setup.model, setup.occupation, comm=MPI.COMM_SELF, split=(True, False, False)
    )  # fmt: skip
    left = setup.sites.positions_nm[:, 0] < np.median(setup.sites.positions_nm[:, 0])
    sign = np.where(engine.occupation == 0, 1.0, -1.0)
    engine.watch(np.zeros(len(left)), 1.0, change=sign * left, within=(-4.0, 4.0))
    assert engine.shift == 0.0
    assert engine.run(until_s=np.inf) == "watch"
    assert 4.0 < abs(engine.shift) < 60.0


@pytest.mark.parametrize(
    ("more", "named"),
    [({"change": [1.0]}, "change"), ({"change": np.full(12, np.nan)}, "change"), ({"within": (0.1, 1.0)}, "within"),
     ({"within": (-1.0, float("nan"))}, "within")],
)  # fmt: skip
def test_what_is_no_range_and_no_change_is_refused(more, named):
    with pytest.raises(kmc.KmcError, match=named):
        ring().watch(np.zeros(12), 1.0, **more)
