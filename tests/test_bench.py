"""Benchmarks: limits, peers and references come out as stated, and the jobs run."""

import json

import pytest

from ionsim import bench
from ionsim.bench import child, limits, lines
from ionsim.bench.jobs import JOBS
from ionsim.bench.timing import Effort, Speed, speed
from ionsim.errors import IonsimError
from kmc import textbook

TINY = Effort(pieces=2, piece_s=0.02)
SPEED = {"events_per_s": 2e6, "slowest": 1e6, "fastest": 3e6, "trials_per_event": 1.5, "hops_per_time": 1000.0}
NUMBERS = {
    "parts": dict.fromkeys(("random_ns", "log_ns", "exp_ns", "read_ns", "chained_read_ns", "memory_MB"), 2.0),
    "free_hops": {**SPEED, "exact_hops_per_time": 1002.0},
    "hops_in_fields": {**SPEED, "first_events_per_s": 1e6},
    "bond_counting": {
        **dict.fromkeys(("auto", "null_events", "composition", "rejection_free"), SPEED),
        "first_hops_per_time": 136e3,
    },
    "ising": SPEED,
    "co_oxidation": {**SPEED, "co2_rate": 0.1170, "empty": 0.26, "CO": 0.005, "O": 0.735},
    "device": {**SPEED, "refresh_s": 4e-3, "sites": 37_856},
    "size": {**SPEED, "build_s": 1.0},
    "ecm_forming": {
        "wall_s": 100.0,
        "field_share": 0.9,
        "refreshes": 300.0,
        "events": 2e5,
        "V_form_V": 2.3,
        "limited": 1.0,
    },
}


def fake(name, argument, effort):
    numbers = {"warm_up_s": 0.5, "peak_MB": 100.0, **NUMBERS[name]}
    if name == "size":
        numbers["sites"] = int(4 * argument**3)
        numbers["events_per_s"] = 2e6 if argument < 100 else 1e6
    return numbers


def by_name(quick=False):
    return {line.record.name: line for line in lines.kmc_lines(quick, run=fake)}


def test_speeds_are_held_against_their_limits_and_peers():
    found = by_name()
    verdicts = {name: found[name].record.passed for name in (
        "M1 in fields, 2%", "M1, 2%", "M1 in fields, 5%", "M1, 20%", "M2, 5%", "M2, 20%", "ZGB, 100 x 100",
        "Ising, 500 x 500", "device of 37,856 sites, all rates in new fields",
    )}  # fmt: skip
    assert list(verdicts.values()) == [False, False, None, True, True, True, False, False, True]
    assert found["M2, 5%"].peer == lines.Peer("SPPARKS, null events", 1.05e6)
    assert found["device of 37,856 sites, all rates in new fields"].record.value == pytest.approx(4.0)


def test_the_forming_of_a_cell_is_held_against_its_limit():
    name = "forming of a silver cell of (10 nm)^3"
    found = {line.record.name: line.record for line in lines.ecm_lines(run=fake)}
    assert (found[name].value, found[name].limit, found[name].passed) == (100.0, 180.0, True)
    assert found[f"{name}, wall time of a refresh"].value == pytest.approx(0.3)
    slow, unformed = ({**fake("ecm_forming", 10.0, None), **change} for change in ({"wall_s": 181.0}, {"limited": 0.0}))
    for numbers in (slow, unformed):
        records = {line.record.name: line.record for line in lines.ecm_lines(run=lambda *_, n=numbers: n)}
        assert records[name].passed is False
    quick = next(line.record for line in lines.ecm_lines(quick=True, run=fake) if line.record.unit == "s")
    assert quick.passed is None


def test_references_are_checked():
    found = by_name()
    hops = found["M1, 5%, hops per unit of time against 12 N (1 - c)"].record
    assert (hops.value, hops.passed) == (pytest.approx(-0.001996, abs=1e-6), True)
    assert found["M2, 5%, hops per unit of time against SPPARKS"].record.passed
    assert not found["M2, 20%, hops per unit of time against SPPARKS"].record.passed
    assert found["ZGB, 100 x 100, rate of CO2 against kmcos"].record.passed


def test_cost_and_memory_of_large_lattices_are_limited_only_where_they_are_run():
    full, quick = by_name(), by_name(quick=True)
    name = "cost of an event, largest over smallest lattice"
    assert (full[name].record.value, full[name].record.passed) == (pytest.approx(2.0), False)
    assert quick[name].record.passed is None
    assert full["M1, 5%, 4,000,000 sites, peak memory"].record.passed
    assert full["M1, 5%, 10,976 sites, peak memory"].record.passed is None


def test_floor_of_an_event_counts_draws_and_lines():
    parts = {"random_ns": 1.0, "exp_ns": 10.0, "log_ns": 3.0, "read_ns": 2.0}
    once, twice = (limits.floor_ns(parts, trials, 1.0) for trials in (1.0, 2.0))
    assert twice - once == limits.DRAWS * 1.0 + 10.0 + limits.LINES_OF_TRIAL * 2.0
    assert limits.floor_ns(parts, 1.0, 0.0) == once - 10.0


def test_records_print_as_one_json_list_with_the_peers(command, monkeypatch):
    monkeypatch.setattr(bench, "kmc_lines", lambda quick: lines.kmc_lines(quick, run=fake))
    result = command("bench", "kmc", "--json")
    records = json.loads(result.out)
    assert {frozenset(record) for record in records} == {frozenset(("name", "value", "unit", "limit", "passed"))}
    assert "M2, 5%, peer: SPPARKS, null events" in [record["name"] for record in records]
    assert result.code == 1  # limits are missed


def test_table_has_a_line_for_each_record(command, monkeypatch):
    monkeypatch.setattr(bench, "kmc_lines", lambda quick: lines.kmc_lines(quick, run=fake))
    result = command("bench", "kmc", "--quick")
    assert "M1 in fields, 2%" in result.out
    assert "2M events/s" in result.out
    assert "kmcos, local_smart: 735k" in result.out


def test_a_phase_change_cycle_has_a_limit_and_must_switch():
    numbers = {"wall_s": 20.0, "warm_up_s": 1.0, "steps": 500.0, "reset": 1e6, "set": 1e3, "peak_MB": 300.0}
    record = next(line.record for line in lines.pcm_lines(run=lambda *_: numbers) if line.record.limit is not None)
    assert (record.value, record.limit, record.passed) == (20.0, lines.CYCLE_S, True)
    stuck = {**numbers, "set": 1e6}
    record = next(line.record for line in lines.pcm_lines(run=lambda *_: stuck) if line.record.limit is not None)
    assert record.passed is False


def test_speed_is_a_median_between_the_extremes():
    measured = speed(textbook.co_oxidation(20).engine(seed=1), TINY)
    assert isinstance(measured, Speed)
    assert 0.0 < measured.slowest <= measured.events_per_s <= measured.fastest
    assert measured.trials_per_event >= 1.0


def test_a_job_runs_in_a_process_of_its_own_and_states_its_memory():
    numbers = child.run("size", 6, TINY)
    assert numbers["sites"] == 864
    assert 20.0 < numbers["peak_MB"] < 2000.0
    assert numbers["events_per_s"] > 0.0


def test_a_job_that_fails_says_so():
    with pytest.raises(IonsimError, match=r"benchmark no_such_job 1 failed with exit code 1: .*no_such_job"):
        child.run("no_such_job", 1, TINY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "argument"),
    [("free_hops", 0.05), ("hops_in_fields", 0.05), ("bond_counting", 0.2), ("ising", 30), ("co_oxidation", 30),
     ("device", 2), ("parts", 10_000)],
)  # fmt: skip
def test_every_job_gives_what_the_lines_read(name, argument):
    numbers = JOBS[name](TINY, argument)
    wanted = {*NUMBERS[name], *({"warm_up_s"} if name != "parts" else ())}
    assert wanted <= set(numbers)


def test_a_train_of_gate_pulses_has_a_limit_and_steps_over_none():
    numbers = {
        "wall_s": 150.0, "warm_up_s": 1.0, "pulses": 1000, "steps": 37000.0, "least_up_C": 1e-17, "least_down_C": 1e-17,
        "on_off_ratio": 6.0, "peak_MB": 300.0,
    }  # fmt: skip
    record = next(line.record for line in lines.ecram_lines(run=lambda *_: numbers) if line.record.limit is not None)
    assert (record.value, record.limit, record.passed) == (150.0, lines.TRAIN_S, True)
    missed = {**numbers, "least_down_C": 0.0}
    record = next(line.record for line in lines.ecram_lines(run=lambda *_: missed) if line.record.limit is not None)
    assert record.passed is False
