"""Diffusion from tracers: free walkers have D = rate a^2 / (2 d) and f = 1; paths made by hand have exact answers."""

import types

import numpy as np
import pytest

import kmc
from kmc import observers as ob

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

MODEL = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", into="empty", barrier_eV=0.3)])
A_NM, RATE_HZ = 0.3, 2.0e6


class Walkers:
    """A stand-in for the engine: walkers that do not see each other, on an endless simple cubic lattice."""

    model, counts = MODEL, {}

    def __init__(self, number, seed):
        self.draw, self.time_s, self.n_events = np.random.default_rng(seed), 0.0, 0
        self.tracers = types.SimpleNamespace(
            species=np.ones(number, dtype=np.int8),
            displacement_nm=np.zeros((number, 3)),
            hops=np.zeros(number, dtype=np.int64),
            site=np.zeros(number, dtype=np.int64),
        )

    def run(self, *, until_s, max_events=None):
        """All hops until a time at once: Poisson numbers of them in each of the six directions."""
        assert max_events is None
        number, mean = len(self.tracers.hops), RATE_HZ * (until_s - self.time_s) / 6.0
        steps = self.draw.poisson(mean, (number, 3, 2))
        self.tracers.displacement_nm += A_NM * (steps[:, :, 0] - steps[:, :, 1])
        self.tracers.hops += steps.sum(axis=(1, 2))
        self.n_events, self.time_s = self.n_events + int(steps.sum()), until_s
        return "time"


def paths(displacement, hops=None, time_s=None):
    """Paths from (T, M, 3) displacements."""
    place = np.asarray(displacement, dtype=float)
    count = np.zeros(place.shape[:2], dtype=np.int64) if hops is None else np.asarray(hops)
    return ob.Paths(np.arange(len(place), dtype=float) if time_s is None else np.asarray(time_s), place, count)


@pytest.fixture(scope="module")
def walk():
    """Free walkers, 200 samples of 20 hops each."""
    engine, recorded = Walkers(400, seed=11), ob.Displacements(ob.EveryTime(20.0 / RATE_HZ), species="ion")
    ob.observe(engine, until_s=4000.0 / RATE_HZ, observers=[recorded])
    return recorded.paths()


# -- free walkers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["xyz", "xy", "z"])
def test_free_walkers_have_the_diffusion_coefficient_of_their_rate(walk, axes):
    exact = RATE_HZ * A_NM**2 / 6.0  # the rate in d of three directions is RATE d/3, so this is D along any of them
    found = ob.tracer_diffusion(walk, axes=axes, blocks=20)
    assert abs(found.value - exact) < 4.0 * found.error
    assert found.error == pytest.approx(exact * np.sqrt(2.0 / (len(axes) * 400 * 20)), rel=0.6)
    together = ob.collective_diffusion(walk, axes=axes, blocks=100)
    assert abs(together.value - exact) < 4.0 * together.error


def test_free_walkers_have_no_correlation(walk):
    for found in (
        ob.tracer_correlation(walk, A_NM, blocks=20),
        ob.collective_correlation(walk, A_NM, blocks=100),
        ob.haven_ratio(walk, blocks=200),
    ):
        assert abs(found.value - 1.0) < 4.0 * found.error
        assert found.error < 0.3


@pytest.mark.parametrize("origins", ["all", "first"])
def test_the_displacement_of_free_walkers_grows_with_time(walk, origins):
    found = ob.mean_square_displacement(walk, origins=origins)
    np.testing.assert_array_less(np.abs(found.msd_nm2 - RATE_HZ * A_NM**2 * found.lag_s), 5.0 * found.error_nm2)
    assert found.lag_s[0] == pytest.approx(20.0 / RATE_HZ)


def test_errors_are_those_of_repetition():
    """The standard error of D by blocks is the spread of D over independent runs."""
    values, errors = [], []
    for seed in range(40):
        engine, recorded = Walkers(20, seed), ob.Displacements(ob.EveryTime(20.0 / RATE_HZ))
        ob.observe(engine, until_s=400.0 / RATE_HZ, observers=[recorded])
        found = ob.tracer_diffusion(recorded.paths(), blocks=20)
        values.append(found.value)
        errors.append(found.error)
    assert np.std(values, ddof=1) == pytest.approx(np.mean(errors), rel=0.35)


# -- exact paths ----------------------------------------------------------------------------------------------------


def test_straight_flight():
    """r = v t: MSD = v^2 t^2 for any time origin, exactly."""
    place = np.zeros((9, 2, 3))
    place[:, 0, 0], place[:, 1, 2] = np.arange(9), 3.0 * np.arange(9)
    for origins in ("all", "first"):
        found = ob.mean_square_displacement(paths(place), origins=origins, lags=[1, 2, 8])
        np.testing.assert_array_equal(found.msd_nm2, [5.0, 20.0, 320.0])
        np.testing.assert_array_equal(found.lag_s, [1.0, 2.0, 8.0])
        np.testing.assert_array_equal(found.error_nm2, [4.0, 16.0, 256.0])  # of 1 and 9, times lag squared
    assert ob.mean_square_displacement(paths(place), axes="x", lags=[2]).msd_nm2[0] == 2.0


def test_by_hand():
    """Two particles, two blocks: sums that fit on a line."""
    place = [[[0, 0, 0], [0, 0, 0]], [[1, 0, 0], [1, 0, 0]], [[1, 2, 0], [1, 0, 0]]]
    walk = paths(place, hops=[[0, 0], [1, 1], [3, 3]])
    # blocks: squares 2 and 4, together 4 and 4, hops 2 and 4, particle time 2 and 2
    assert ob.tracer_diffusion(walk, blocks=2).value == (2 + 4) / (6 * 4)
    assert ob.tracer_diffusion(walk, blocks=2).error == pytest.approx(np.sqrt(2.0 * (1 + 1)) / 24)
    assert ob.tracer_diffusion(walk, axes="xy", blocks=1).value == 6 / (4 * 4)
    assert np.isnan(ob.tracer_diffusion(walk, blocks=1).error)
    assert ob.collective_diffusion(walk, blocks=2).value == (4 + 4) / (6 * 4)
    assert ob.tracer_correlation(walk, 1.0, blocks=2) == (1.0, 0.0)
    assert ob.collective_correlation(walk, 2.0, blocks=2).value == 8 / (4 * 6)
    assert ob.haven_ratio(walk, blocks=2).value == 6 / 8


def test_there_and_back_does_not_diffuse():
    place = np.zeros((5, 1, 3))
    place[1::2, 0, 0] = 1.0
    walk = paths(place, hops=np.arange(5)[:, None])
    assert ob.tracer_correlation(walk, 1.0, blocks=2) == (0.0, 0.0)
    assert ob.tracer_diffusion(walk, blocks=2).value == 0.0


def test_particles_that_come_and_go_count_while_they_are_there():
    place = np.full((5, 2, 3), np.nan)
    place[:, 0] = 0.0
    place[:, 0, 0] = np.arange(5)
    place[2:, 1] = 7.0  # comes at t = 2 and stays where it is
    walk = paths(place, hops=np.arange(5)[:, None] * [1, 0])
    # lags of 1: four of the first with 1, two of the second with 0
    assert ob.mean_square_displacement(walk, lags=[1, 4]).msd_nm2.tolist() == [4 / 6, 16.0]
    assert ob.tracer_diffusion(walk, blocks=4).value == 4 / (6 * 6)
    gone = paths(np.full((3, 1, 3), np.nan))
    assert np.isnan(ob.mean_square_displacement(gone, lags=[1]).msd_nm2).all()
    with pytest.raises(kmc.KmcError, match="no particle lasts"):
        ob.tracer_diffusion(gone, blocks=2)


def test_blocks_of_uneven_samples_are_weighted_by_their_time():
    place = np.zeros((4, 1, 3))
    place[:, 0, 0] = [0.0, 1.0, 3.0, 3.0]
    walk = paths(place, time_s=[0.0, 1.0, 2.5, 4.0])
    assert ob.tracer_diffusion(walk, blocks=2).value == pytest.approx((9.0 + 0.0) / (6 * 4))
    with pytest.raises(kmc.KmcError, match="origins is 'all', but the samples are not at equal times"):
        ob.mean_square_displacement(walk)
    assert ob.mean_square_displacement(walk, origins="first").msd_nm2.tolist() == [1.0, 9.0, 9.0]


def test_the_observer_follows_species_and_departures():
    engine = Walkers(3, seed=0)
    recorded = ob.Displacements(ob.EveryTime(1.0), species="ion")
    engine.tracers.species[2] = 0
    recorded.look(engine)
    engine.time_s = 1.0
    engine.tracers.displacement_nm[:] = 1.0
    engine.tracers.site[1] = -1
    recorded.look(engine)
    recorded.look(engine)  # the same moment again
    engine.time_s, engine.tracers = 2.0, Walkers(4, seed=0).tracers  # one more came
    recorded.look(engine)
    walk = recorded.paths()
    assert walk.displacement_nm.shape == (3, 4, 3)
    np.testing.assert_array_equal(
        np.isnan(walk.displacement_nm[:, :, 0]),
        [[False, False, True, True], [False, True, True, True], [False, False, False, False]],
    )
    engine.time_s = 0.5
    with pytest.raises(kmc.KmcError, match="the clock went back"):
        recorded.look(engine)


def test_hop_lengths_come_from_the_graph():
    line = np.zeros((4, 3))
    line[:, 0] = [0.0, 0.3, 0.6, 0.9]
    assert ob.hop_length_nm(kmc.SiteGraph.from_positions(line, cutoff_nm=0.35)) == pytest.approx(0.3)
    with pytest.raises(kmc.KmcError, match="root of the mean square"):
        ob.hop_length_nm(kmc.SiteGraph.from_positions(line, cutoff_nm=0.65))


WALK = paths(np.zeros((4, 2, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ob.Paths(np.arange(2.0), np.zeros((2, 3)), np.zeros((2, 3))), "displacement_nm has shape"),
        (lambda: ob.Paths(np.arange(3.0), np.zeros((2, 1, 3)), np.zeros((2, 1))), "time_s has shape"),
        (lambda: ob.Paths(np.arange(2.0), np.zeros((2, 1, 3)), np.zeros((1, 2))), "hops has shape"),
        (lambda: ob.Paths(np.zeros(2), np.zeros((2, 1, 3)), np.zeros((2, 1))), "time_s must rise"),
        (lambda: ob.mean_square_displacement(WALK, origins="some"), "origins is 'some'; allowed are"),
        (lambda: ob.mean_square_displacement(WALK, lags=[0]), r"lags is \[0\]; a list of whole numbers in 1..3"),
        (lambda: ob.mean_square_displacement(WALK, axes="xx"), "axes is 'xx'"),
        (lambda: ob.mean_square_displacement(paths(np.zeros((1, 1, 3)))), "at least 2 samples"),
        (lambda: ob.tracer_diffusion(WALK, axes=""), "axes is ''"),
        (lambda: ob.tracer_diffusion(WALK, blocks=4), "blocks is 4; a whole number in 1..3"),
        (lambda: ob.tracer_diffusion(paths(np.zeros((4, 1, 3)), time_s=[0, 0.1, 0.2, 9]), blocks=3), "too uneven"),
        (lambda: ob.tracer_correlation(WALK, 0.0, blocks=2), "hop_nm is 0.0"),
        (lambda: ob.haven_ratio(WALK, blocks=2), "nothing moved"),
        (lambda: ob.Displacements(ob.EveryTime(1.0)).paths(), "nothing was recorded"),
        (lambda: ob.Displacements(ob.EveryTime(1.0)).look(types.SimpleNamespace()), "give it track=<species>"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(kmc.KmcError, match=message):
        call()


# -- the engine's own tracers ---------------------------------------------------------------------------------------


def test_a_lone_ion_of_the_engine_diffuses_as_its_rate_says():
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites = kmc.SiteGraph.from_positions(0.3 * grid, cutoff_nm=0.35, cell_nm=[1.2] * 3, periodic=(True,) * 3)
    engine = kmc.Engine(sites, MODEL, np.eye(1, 64, dtype=int)[0], seed=2, track="ion")
    rate = engine.total_rate_Hz
    recorded = ob.Displacements(ob.EveryTime(20.0 / rate), species="ion")
    ob.observe(engine, until_s=40000.0 / rate, observers=[recorded])
    walk = recorded.paths()
    assert walk.hops[-1, 0] == engine.n_events
    found = ob.tracer_diffusion(walk, blocks=1000)
    assert abs(found.value - rate * 0.3**2 / 6.0) < 4.0 * found.error
    found = ob.tracer_correlation(walk, sites, blocks=1000)
    assert abs(found.value - 1.0) < 4.0 * found.error
    assert ob.haven_ratio(walk, blocks=1000) == (1.0, 0.0)
