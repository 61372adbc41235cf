"""Benchmarks of the finite elements: sections add up, limits are held, and the jobs give what the lines read."""

import numpy as np
import pytest

from ionsim.bench import jobs_fem, lines_fem, lines_scale, ranks, scaling
from ionsim.bench.child import BenchError
from ionsim.bench.sections import Sections
from ionsim.bench.timing import Effort

TINY = Effort(2, 0.0)
SIZES = {40: 35_301, 80: 269_001, 126: 1_032_256}


class Work:
    def outer(self, clock):
        clock[0] += 1.0
        self.inner(clock)
        clock[0] += 2.0

    def inner(self, clock):
        clock[0] += 10.0


def fake(name, cells, effort, count):
    if name in ("conduction", "multigrid"):
        seconds = 0.012 / (1.8 if count == 2 else 1.0)
        return {
            "dofs": SIZES[cells], "ranks": count, "least_wall_s": seconds, "median_s": seconds, "cold_s": 0.02,
            "iterations": 19.0, "build_s": 0.2, "first_s": 0.03, "parts": {"matrix": 0.001}, "peak_MB": 2900.0,
        }  # fmt: skip
    if name == "linear_problem":
        seconds = {"ssor": 0.11, "icc": 0.1, "gamg": 0.12, "usual": 0.2}
        times = {key: {"median_s": value} for key, value in seconds.items()}
        return {"potential_V": [0.5, 0.25], **times}
    return {"potential_V": [0.5, 0.25 + (1e-9 if count == 2 else 0.0)], "current_A": 1e-6}


def records(**changes):
    def run(name, cells, effort, count):
        return {**fake(name, cells, effort, count), **changes.get(name, {})}

    return {line.record.name: line.record for line in lines_fem.fem_lines(run=run)}


def test_sections_count_what_is_inside_another_once():
    clock = [0.0]
    original = Work.inner
    with Sections({"a": ((Work, "outer"),), "b": ((Work, "inner"),)}, lambda: clock[0]) as sections:
        Work().outer(clock)
        Work().inner(clock)
        assert sections.seconds == {"a": 3.0, "a, b": 10.0, "b": 10.0}
    assert Work.inner is original


def test_all_limits_of_the_finite_elements_are_held_against_what_was_measured():
    limited = {name: record for name, record in records().items() if record.limit is not None}
    assert all(record.passed for record in limited.values())
    assert {
        "35,301 unknowns, 1 rank, refresh and solve", "269,001 unknowns, gain of two ranks (wall clock)",
        "35,301 unknowns, LinearProblem's time over that of refresh and solve",
        "1,032,256 unknowns, 1 rank, peak memory", "269,001 unknowns, current of two ranks against one, relative",
    } <= set(limited)  # fmt: skip
    slow = records(conduction={"median_s": 0.021, "peak_MB": 3100.0})
    assert not slow["35,301 unknowns, 1 rank, refresh and solve"].passed
    assert not slow["35,301 unknowns, LinearProblem's time over that of refresh and solve"].passed
    assert not slow["1,032,256 unknowns, 1 rank, peak memory"].passed
    apart = records(linear_problem={"potential_V": [0.5, 0.25 + 2e-8]})
    assert not apart["35,301 unknowns, potential of LinearProblem against one rank"].passed


def test_a_refresh_of_the_fields_is_held_against_its_limit():
    numbers = {
        "sites": 37_840, "dofs": 100_170, "step_s": 0.041, "least_s": 0.03, "longest_s": 0.05, "build_s": 5.0,
        "parts": {"heat": 0.01, "heat, iterations": 0.03}, "potential_iterations": 12.0, "heat_iterations": 30.0,
        "peak_MB": 900.0,
    }  # fmt: skip
    found = list(lines_fem.coupled_lines(run=lambda *_: numbers))
    assert found[0].record.passed is False
    assert [line.record.name for line in found[3:5]] == ["mean of heat, iterations", "mean of heat"]
    assert next(lines_fem.coupled_lines(quick=True, run=lambda *_: numbers)).record.passed is None


@pytest.mark.slow
def test_conduction_and_linear_problem_solve_the_same_equations():
    one, peer = jobs_fem.conduction_answer(TINY, 10), jobs_fem.linear_problem(TINY, 10)
    np.testing.assert_allclose(one["potential_V"], peer["potential_V"], atol=1e-9)
    assert np.ptp(one["potential_V"]) > 0.5
    timed = jobs_fem.conduction(TINY, 10)
    assert timed["dofs"] == 11 * 11 * 6
    assert set(timed["parts"]) == set(jobs_fem.PARTS)
    assert 0.0 < timed["parts"]["matrix"] < timed["median_s"] * 1.5


@pytest.mark.slow
def test_a_job_on_two_ranks_gives_the_memory_of_both():
    numbers = ranks.run_ranks("conduction", 6, TINY, 2)
    assert numbers["ranks"] == 2
    assert numbers["dofs"] == 7 * 7 * 4
    assert numbers["peak_MB"] > 100.0


@pytest.mark.slow
def test_a_job_that_fails_on_its_ranks_says_so():
    with pytest.raises(BenchError, match="benchmark no_such_job 1 on 1 ranks"):
        ranks.run_ranks("no_such_job", 1, TINY, 1)


MODEL = scaling.Scaling(1e-3, 4e-8, 1e-8, 1e-6, 1e-10, 2e-6)


def measured(cells, count):
    dofs = (cells + 1) ** 2 * (cells // 2 + 1)
    seconds = MODEL.time_s(dofs, count, 20.0)
    return {
        "dofs": dofs, "iterations": 20.0, "median_s": seconds, "least_wall_s": seconds,
        "parts": {"iterations": MODEL.iteration_s * 20.0 * dofs},
    }  # fmt: skip


def messages():
    sizes = (8, 4_000_000)
    return {"bytes": sizes, "seconds": [1e-6, 1e-6 + 1e-10 * sizes[1]], "sum_s": 2e-6}


def test_the_scaling_model_is_found_from_what_it_gives():
    found = scaling.fit([measured(cells, 1) for cells in (32, 64, 100)], messages())
    np.testing.assert_allclose(list(vars(found).values()), list(vars(MODEL).values()), rtol=1e-6)


def test_more_ranks_lose_to_latency_and_sums():
    strong = [MODEL.efficiency(1e6, count, 20.0) for count in (1, 2, 64, 1024)]
    assert strong[0] == 1.0
    assert all(np.diff(strong) < 0.0)
    assert MODEL.weak_efficiency(1e5, 1024, 20.0) > MODEL.efficiency(1e5, 1024, 20.0)
    part = 1e6 / 64  # by hand: 6 neighbours, 2 sums in 6 stages
    halo = 6 * (1e-6 + 8e-10 * part ** (2 / 3))
    expected = 1e-3 + (4e-8 + 20 * 1e-8) * part + 20 * (halo + 2 * 2e-6 * 6)
    assert MODEL.time_s(1e6, 64, 20.0) == pytest.approx(expected)


def test_two_ranks_are_held_against_the_model():
    def run(name, cells, effort, count):
        return messages() if name == "messages" else measured(cells, count)

    found = {line.record.name: line.record.value for line in lines_scale.scale_lines(run=run)}
    ratios = [value for name, value in found.items() if name.endswith("measured over modelled time")]
    assert ratios == pytest.approx([1.0, 1.0])
