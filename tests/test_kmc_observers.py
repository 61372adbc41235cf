"""Cadences, ``observe``, and time series: every point is met exactly, and event cadences change nothing."""

import csv
import itertools
import math

import numpy as np
import pytest

import kmc
from kmc import observers as ob

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

GAS = kmc.Model(
    species=("empty", "ion"),
    processes=[kmc.hop("ion", into="empty", barrier_eV=0.3, charge_e=1.0)],
    pair_energies=[kmc.PairEnergy("ion", "ion", -0.04)],
)


def cube(edge):
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return kmc.SiteGraph.from_positions(0.3 * grid, cutoff_nm=0.35, cell_nm=[0.3 * edge] * 3, periodic=(True,) * 3)


def gas(**options):
    return kmc.Engine(cube(5), GAS, kmc.random(ion=0.2), seed=1, **options)


class Script:
    """A stand-in for the engine whose events come at given times."""

    def __init__(self, times):
        self.times, self.time_s, self.n_events, self.stop_at = list(times), 0.0, 0, None

    def run(self, *, until_s, max_events=None):
        left = math.inf if max_events is None else max_events
        while left > 0:
            if self.n_events == len(self.times):
                self.time_s = until_s if math.isfinite(until_s) else self.time_s
                return "frozen"
            if self.times[self.n_events] >= until_s:
                self.time_s = until_s
                return "time"
            self.time_s = self.times[self.n_events]
            self.n_events += 1
            left -= 1
            if self.n_events == self.stop_at:
                return "watch"
        return "events"


def noting(cadence):
    """An observer that notes time and events, and its notes."""
    notes = []
    return ob.Call(cadence, lambda engine: notes.append((engine.time_s, engine.n_events))), notes


# -- cadences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cadence", "points"),
    [
        (ob.EveryTime(0.1), [0.1 * k for k in range(200)]),
        (ob.EveryTime(1e-9, since_s=1.0), [1.0 + 1e-9 * k for k in range(200)]),
        (ob.EveryEvents(7), [7 * k for k in range(200)]),
        (ob.LogTime(1e-12, per_decade=1), [1e-12 * 10.0**k for k in range(30)]),
        (ob.LogTime(3e-9, per_decade=7), [3e-9 * 10.0 ** (k / 7) for k in range(200)]),
        (ob.LogTime(1e-6, per_decade=5, since_s=2.0), [2.0 + 1e-6 * 10.0 ** (k / 5) for k in range(60)]),
    ],
    ids=str,
)
def test_points_are_met_exactly_and_in_order(cadence, points):
    position = -1.0
    for point in points:
        assert cadence.next_after(position) == point
        assert cadence.due(point)
        position = point
    for low, high in itertools.pairwise(points):
        middle = 0.5 * (low + high)
        assert not cadence.due(middle)
        assert cadence.next_after(middle) == high


def test_log_time_has_whole_decades_exactly():
    cadence = ob.LogTime(1.0, per_decade=10)
    assert [cadence.point(10 * k) for k in range(20)] == [float(10**k) for k in range(20)]
    assert cadence.point(10 * 400) == math.inf


def test_points_too_close_for_the_clock_are_refused():
    with pytest.raises(kmc.KmcError, match="closer than the last digit"):
        ob.EveryTime(1e-20).next_after(1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ob.EveryTime(0.0), "interval_s is 0.0"),
        (lambda: ob.EveryTime(math.inf), "interval_s is inf"),
        (lambda: ob.EveryTime(1.0, since_s=math.nan), "since_s is nan"),
        (lambda: ob.EveryEvents(0), "events is 0"),
        (lambda: ob.EveryEvents(1.5), "events is 1.5"),
        (lambda: ob.LogTime(-1.0), "first_s is -1.0"),
        (lambda: ob.LogTime(1.0, per_decade=0), "per_decade is 0"),
        (lambda: ob.Counts(5), "cadence is 5; EveryTime, EveryEvents or LogTime"),
        (lambda: ob.observe(Script([])), "at least one of them must be a limit"),
        (lambda: ob.observe(Script([]), until_s=-1.0), "until_s is -1.0, before the clock"),
        (lambda: ob.observe(Script([]), max_events=-1), "max_events is -1"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(kmc.KmcError, match=message):
        make()


# -- observe --------------------------------------------------------------------------------------------------------


def test_every_observer_sees_each_of_its_points():
    engine = Script([0.15, 0.16, 0.17, 0.55, 0.56, 0.95])
    by_time, times = noting(ob.EveryTime(0.25))
    by_events, events = noting(ob.EveryEvents(2))
    by_log, logs = noting(ob.LogTime(0.01, per_decade=1))
    assert ob.observe(engine, until_s=1.0, observers=[by_time, by_events, by_log]) == "frozen"
    assert times == [(0.0, 0), (0.25, 3), (0.5, 3), (0.75, 5), (1.0, 6)]
    assert events == [(0.0, 0), (0.16, 2), (0.55, 4), (0.95, 6)]
    assert logs == [(0.01, 0), (0.1, 0), (1.0, 6)]


def test_pieces_give_the_points_of_one_run():
    times = np.sort(np.random.default_rng(3).uniform(0.0, 1.0, 50))
    whole = [noting(ob.EveryTime(0.1)), noting(ob.EveryEvents(3))]
    ob.observe(Script(times), until_s=1.0, observers=[one for one, _ in whole])
    pieces, engine = [noting(ob.EveryTime(0.1)), noting(ob.EveryEvents(3))], Script(times)
    for until in (0.05, 0.1, 0.1 + 1e-12, 3 * 0.1, 0.7, 1.0):
        ob.observe(engine, until_s=until, observers=[one for one, _ in pieces])
        if until == 3 * 0.1:
            ob.observe(engine, max_events=4, observers=[one for one, _ in pieces])
    assert [notes for _, notes in pieces] == [notes for _, notes in whole]


def test_stop_reasons():
    note, notes = noting(ob.EveryTime(1.0))
    assert ob.observe(Script([0.5, 9.5]), until_s=9.0, observers=[note]) == "time"
    assert [time for time, _ in notes] == [float(k) for k in range(10)]
    engine = Script([0.5, 0.6, 0.7])
    assert ob.observe(engine, max_events=2, observers=[note]) == "events"
    assert (engine.time_s, engine.n_events) == (0.6, 2)
    assert ob.observe(engine, max_events=0) == "events"
    note, notes = noting(ob.EveryTime(1.0))
    engine = Script([0.5])
    assert ob.observe(engine, until_s=3.5, observers=[note]) == "frozen"
    assert engine.time_s == 3.5
    assert [time for time, _ in notes] == [0.0, 1.0, 2.0, 3.0]
    assert ob.observe(engine, max_events=5, observers=[note]) == "frozen"
    assert engine.time_s == 4.0
    assert ob.observe(Script([0.5]), max_events=5, observers=[noting(ob.EveryEvents(1))[0]]) == "frozen"


def test_a_watch_gives_control_back_and_the_rest_goes_on():
    engine = Script([0.1, 0.2, 0.3, 0.4])
    engine.stop_at = 2
    note, notes = noting(ob.EveryEvents(1))
    assert ob.observe(engine, until_s=1.0, observers=[note]) == "watch"
    assert notes == [(0.0, 0), (0.1, 1), (0.2, 2)]
    assert ob.observe(engine, until_s=1.0, observers=[note]) == "frozen"
    assert notes[3:] == [(0.3, 3), (0.4, 4)]


@pytest.mark.parametrize(
    "options",
    [
        {"selector": "tree"},
        {"selector": "composition"},
        pytest.param({"selector": "composition", "null_events": True}, marks=pytest.mark.slow),
    ],
    ids=["tree", "composition", "null-events"],
)
def test_event_cadences_leave_the_trajectory_as_it_is(options):
    plain, observed = gas(**options), gas(**options)
    plain.run(until_s=np.inf, max_events=5000)
    note, notes = noting(ob.EveryEvents(7))
    assert ob.observe(observed, max_events=5000, observers=[note, ob.Counts(ob.EveryEvents(50))]) == "events"
    assert observed.time_s == plain.time_s
    np.testing.assert_array_equal(observed.occupation, plain.occupation)
    np.testing.assert_array_equal(observed.state.random, plain.state.random)
    assert [events for _, events in notes] == list(range(0, 5001, 7))


def test_time_cadences_keep_the_law_of_the_clock():
    """Events of a lone ion are a Poisson process however often the clock is stopped."""
    engine = kmc.Engine(cube(3), GAS, np.eye(1, 27, dtype=int)[0], seed=5)
    rate = engine.total_rate_Hz
    counts = ob.Counts(ob.EveryTime(0.5 / rate))
    assert ob.observe(engine, until_s=2000.0 / rate, observers=[counts]) == "time"
    assert len(counts.time_s) == 4001
    steps = np.diff(counts.n_events)
    assert abs(steps.sum() - 2000) < 4.0 * np.sqrt(2000)
    assert abs(steps.var() - 0.5) < 4.0 * np.sqrt((0.5 + 2 * 0.25) / 4000)  # variance of a Poisson variance


# -- series ---------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_the_engine(tmp_path):
    engine = gas()
    counts = ob.Counts(ob.EveryEvents(100), tmp_path / "counts.csv")
    ob.observe(engine, max_events=300, observers=[counts])
    assert counts.n_events.tolist() == [0, 100, 200, 300]
    assert counts.count("hop").tolist() == [0, 100, 200, 300]
    assert counts.number("ion").tolist() == [engine.number("ion")] * 4
    assert counts.time_s[-1] == engine.time_s
    with pytest.raises(kmc.KmcError, match=r"no process is called 'hopp'.*did you mean 'hop'"):
        counts.count("hopp")
    more = ob.Counts(ob.EveryEvents(100), tmp_path / "counts.csv", existing="append")
    ob.observe(engine, max_events=100, observers=[more])
    with open(tmp_path / "counts.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time_s", "n_events", "number:empty", "number:ion", "count:hop"]
    assert [int(row["n_events"]) for row in rows] == [0, 100, 200, 300, 300, 400]
    assert float(rows[3]["time_s"]) == counts.time_s[3]
    assert int(rows[0]["number:empty"]) == 100


def test_a_table_of_other_columns_is_not_gone_on_with(tmp_path):
    (tmp_path / "counts.csv").write_text("time_s,n_events\n0.0,0\n")
    counts = ob.Counts(ob.EveryEvents(1), tmp_path / "counts.csv", existing="append")
    with pytest.raises(kmc.KmcError, match="its columns are"):
        ob.observe(gas(), max_events=1, observers=[counts])
