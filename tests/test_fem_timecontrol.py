"""Adaptive steps: milestones are met and never crossed; failures are repeated with shorter steps."""

from itertools import pairwise

import numpy as np
import pytest

import fem
from ionsim.verification.split_blocks import blocks


def run(control, attempt):
    steps = []
    while not control.finished:
        steps.append(control.advance(attempt))
    return steps


def good(dt_s):
    return fem.Attempt(True, iterations=3)


def test_no_step_crosses_a_milestone():
    corners = sorted(np.random.default_rng(0).uniform(0.0, 1.0, 40))
    control = fem.TimeControl(0.0, 1.0, 1e-4, corners, growth=2.0)
    steps = run(control, good)
    ends = [step.end_s for step in steps]
    assert set(corners) <= set(ends)
    assert [step.end_s for step in steps if step.milestone] == [*corners, 1.0]
    for step in steps:
        assert not any(step.begin_s < corner < step.end_s for corner in corners)
    after = [step for step in steps if step.begin_s in corners]
    assert all(step.dt_s <= 1e-4 * (1.0 + 1e-9) for step in after)
    assert all(b.begin_s == a.end_s for a, b in pairwise(steps))
    assert all(b.dt_s < 2.001 * a.dt_s for a, b in pairwise(steps) if not a.milestone)


def test_steps_grow_to_the_longest_and_leave_no_short_rest():
    control = fem.TimeControl(0.0, 1.0, 1e-3, dt_max_s=0.03)
    steps = run(control, good)
    lengths = np.array([step.dt_s for step in steps])
    assert lengths.max() == pytest.approx(0.03)
    assert lengths[-1] > 0.4 * 0.03
    assert lengths.sum() == pytest.approx(1.0)


def test_steps_may_grow_tenfold():
    control = fem.TimeControl(0.0, 1.0, 1e-9, growth=10.0, target_iterations=30)
    lengths = [step.dt_s for step in run(control, good)]
    np.testing.assert_allclose(lengths[:9], 10.0 ** np.arange(-9.0, 0.0))
    assert len(lengths) == 10


def test_many_iterations_shorten_the_step():
    control = fem.TimeControl(0.0, 1.0, 0.01, target_iterations=5)
    first = control.advance(lambda dt_s: fem.Attempt(True, iterations=6))
    second = control.advance(lambda dt_s: fem.Attempt(True, iterations=50))
    third = control.advance(good)
    assert second.dt_s == pytest.approx(first.dt_s * 5.0 / 6.0)
    assert third.dt_s == pytest.approx(second.dt_s * 0.7)


def test_a_large_change_is_undone_and_repeated():
    undone = []
    control = fem.TimeControl(0.0, 1.0, 0.1, limits={"temperature_K": 10.0})

    def attempt(dt_s):
        return fem.Attempt(True, 3, {"temperature_K": 400.0 * dt_s}, lambda: undone.append(dt_s))

    step = control.advance(attempt)
    assert undone == [0.1, pytest.approx(0.1 * 0.3)][: len(undone)]
    assert step.rejected == len(undone) == 1
    assert 400.0 * step.dt_s <= 15.0
    later = [control.advance(attempt) for _ in range(5)]
    assert all(400.0 * step.dt_s == pytest.approx(8.0, rel=1e-6) for step in later[1:])


def test_the_shortest_step_that_fails_names_the_time():
    control = fem.TimeControl(0.0, 1.0, 0.1, dt_min_s=0.01)
    control.advance(good)
    with pytest.raises(fem.FemError, match=r"at 0\.1 s no step succeeds.*0\.01 s, failed: too hot"):
        control.advance(lambda dt_s: fem.Attempt(False, reason="too hot"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 1.0, 0.1), "end_s"),
        ((0.0, 1.0, 0.0), "dt_min_s"),
        ((0.0, 1.0, 0.1, (), 0.2), "dt_min_s"),
        ((0.0, 1.0, 0.1, (), None, 0.05), "dt_max_s"),
        ((0.0, 1.0, 0.1, (), None, 1.0, 11.0), "growth"),
    ],
)
def test_numbers_refused(arguments, message):
    with pytest.raises(fem.FemError, match=message):
        fem.TimeControl(*arguments)


def test_a_limit_needs_its_quantity():
    control = fem.TimeControl(0.0, 1.0, 0.1, limits={"temperature_C": 1.0})
    with pytest.raises(fem.FemError, match="nearest: 'temperature_K'"):
        control.advance(lambda dt_s: fem.Attempt(True, 1, {"temperature_K": 1.0}))


def bar():
    cell = blocks(10.0, 10.0, (4, 4), split=False)
    return fem.Transient(
        cell, {"lower": 1e4, "upper": 1e4}, {"lower": 1.0, "upper": 1.0}, {"lower": 2e6, "upper": 2e6},
        {"bottom": 300.0, "top": 300.0},
    )  # fmt: skip


def test_a_pulse_is_met_at_its_corners_and_failures_are_recovered_from():
    """Two failures forced in the middle leave the state as it was; then the run goes on, and the energy adds up."""
    corners = [1e-11, 1.2e-11, 4e-11, 4.5e-11]

    def voltage(time_s):
        return float(np.interp(time_s, corners, [0.0, 0.5, 0.5, 0.0]))

    problem = bar()
    control = fem.TimeControl(0.0, 1e-10, 2e-13, corners, limits={"temperature_K": 20.0})
    failures = {7: 2}
    entered = seen = 0
    states = []
    while not control.finished:
        number = len(states)
        before = problem.save()

        def attempt(dt_s, number=number, before=before):
            nonlocal seen
            if failures.get(number, 0):
                failures[number] -= 1
                seen += 1
                with pytest.raises(fem.FemError):
                    problem.step(dt_s, np.inf)
                np.testing.assert_array_equal(problem.save().values, before.values)
                return fem.Attempt(False, reason="forced")
            return problem.attempt(dt_s, voltage(control.time_s + dt_s))

        step = control.advance(attempt)
        if step.milestone:
            problem.restart()
        states.append((step, step.attempt.result))
        entered += step.dt_s * step.attempt.result.balance.electrical_W
    assert seen == 2
    assert states[7][0].rejected >= 2
    assert [step.end_s for step, _ in states if step.milestone] == [*corners, 1e-10]
    assert states[[step.end_s for step, _ in states].index(1e-11)][1].current_A == pytest.approx(0.0, abs=1e-9)
    assert states[[step.end_s for step, _ in states].index(1.2e-11)][1].cell_V == 0.5
    exact_J = 1e4 * 0.25 / 20e-9 * (28e-12 + (2e-12 + 5e-12) / 3.0)
    assert entered == pytest.approx(exact_J, rel=0.03)


def test_a_solve_that_fails_is_repeated_with_a_shorter_step():
    """Newton's method with few iterations fails at a long step of a steep law and succeeds at a shorter one."""
    cell = blocks(10.0, 10.0, (4, 4), split=False)
    problem = fem.Transient(
        cell, {"lower": 1e3, "upper": lambda T_K: 10.0 * fem.exp(T_K / 100.0 - 3.0)},
        {"lower": 1.0, "upper": 1.0}, {"lower": 2e6, "upper": 2e6}, {"bottom": 300.0, "top": 300.0},
        settings=fem.TransientSettings(max_iterations=3),
    )  # fmt: skip
    problem.step(1e-15, 6.0)
    control = fem.TimeControl(0.0, 1e-9, 1e-9, dt_min_s=1e-15)
    step = control.advance(lambda dt_s: problem.attempt(dt_s, 6.0))
    assert step.rejected >= 1
    assert problem.temperature_K.max() > 300.0
