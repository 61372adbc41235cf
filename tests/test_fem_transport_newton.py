"""Newton's method of fem.Transport: a kept matrix gives the same solution, and conserves as well as a new one."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import numpy as np
import pytest
import scipy.constants

import fem.transportnewton
from ionsim.verification import insertion_electrode

E_C = scipy.constants.elementary_charge


def pulse(problem):
    """A pulse of 0.8 V from rest and the open gate after it; the states of all steps."""
    rest = problem.steady({"film": 0.0}, {"gate": 0.0}).voltages_V["gate"]
    states = []
    for dt_s in (1e-11, 1e-10, 1e-9, 4e-9):
        states.append(problem.step(dt_s, {"gate": rest + 0.8, "film": 0.0}))
    problem.restart()
    for dt_s in (1e-11, 1e-9, 1e-7):
        states.append(problem.step(dt_s, {"film": 0.0}, {"gate": 0.0}))
    return states


def test_a_kept_matrix_gives_the_same_solution(monkeypatch):
    kept, fresh = insertion_electrode.stack(), insertion_electrode.stack()
    some = pulse(kept)
    monkeypatch.setattr(fem.transportnewton, "_TRUSTED", 0.0)
    every = pulse(fresh)
    assert sum(state.matrices for state in some) < 0.75 * sum(state.matrices for state in every)
    assert all(state.matrices <= state.newton_iterations for state in some)
    for one, other in zip(some, every, strict=True):
        largest = max(map(abs, (*other.displacement_A.values(), *other.faradaic_A.values())))
        for name, current in one.currents_A.items():
            assert current == pytest.approx(other.currents_A[name], rel=1e-9, abs=1e-10 * largest)
    for name in kept.names:
        np.testing.assert_allclose(kept.density_per_m3(name), fresh.density_per_m3(name), rtol=1e-11)


def test_a_kept_matrix_conserves_ions_to_rounding():
    """What went in through the gate, less what is in the electrolyte, is in the film."""
    problem = insertion_electrode.stack()
    problem.steady({"film": 0.0}, {"gate": 0.0})
    begin = {name: problem.amount(name) for name in problem.names}
    for state in pulse(problem):
        largest = max(map(abs, (*state.displacement_A.values(), *state.faradaic_A.values())))
        assert abs(sum(state.currents_A.values())) < 1e-10 * largest
        for name, current in state.currents_A.items():
            assert abs(current - state.displacement_A[name] - state.faradaic_A[name]) < 1e-10 * largest
    gained = {name: E_C * (problem.amount(name) - begin[name]) for name in problem.names}
    assert problem.faradaic_C["film"] == pytest.approx(-gained["inserted"], rel=1e-8)
    assert problem.faradaic_C["gate"] == pytest.approx(sum(gained.values()), abs=1e-8 * gained["inserted"])
    assert sum(problem.charge_C.values()) == pytest.approx(0.0, abs=1e-10 * gained["inserted"])


def test_affinity_tells_how_far_a_reaction_was_driven():
    """Before ions move the layers and the electrolyte divide a voltage as capacitances; the film's layer has most."""
    problem = insertion_electrode.stack()
    rest = problem.steady({"film": 0.0}, {"gate": 0.0}).voltages_V["gate"]
    done = problem.attempt(1e-18, {"gate": rest + 0.01, "film": 0.0})
    parts = [1.0 / 0.2, 10e-9 / (5.0 * scipy.constants.epsilon_0), 1.0 / insertion_electrode.LAYER_F_PER_M2]
    assert done.changes["affinity_eV"] == pytest.approx(0.01 * parts[2] / sum(parts), rel=1e-5)
    assert done.iterations == done.result.matrices


def test_a_long_rest_takes_few_steps_of_backward_euler():
    """From nanoseconds to 10 ms with the gate open: the device comes to rest, and ions and charge agree."""
    problem = insertion_electrode.stack()
    problem.order = 1
    rest = problem.steady({"film": 0.0}, {"gate": 0.0}).voltages_V["gate"]
    problem.step(5e-9, {"gate": rest + 0.8, "film": 0.0})
    begin, passed = problem.amount("inserted"), problem.faradaic_C["film"]
    control, volts = fem.TimeControl(0.0, 1e-2, 1e-9, growth=10.0, target_iterations=30), []
    while not control.finished:
        step = control.advance(lambda dt: problem.attempt(dt, {"film": 0.0}, {"gate": 0.0}))
        volts.append(step.attempt.result.voltages_V["gate"])
    assert len(volts) < 12
    assert control.rejected == 0
    gained = E_C * (problem.amount("inserted") - begin)
    assert problem.faradaic_C["film"] - passed == pytest.approx(-gained, rel=1e-9)
    assert np.all(np.diff(volts) <= 1e-12)  # no overshoot
    assert problem.steady({"film": 0.0}, {"gate": 0.0}).voltages_V["gate"] == pytest.approx(volts[-1], abs=1e-9)
