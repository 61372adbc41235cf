"""Conduction, heat and both together: names, coefficients, states, time steps."""

import numpy as np
import pytest

import fem
import meshes

VOLTAGE = {"top": 1.0, "bottom": 0.0}


def film(n: int = 4) -> meshes.LabelledMesh:
    x = np.linspace(0.0, 4.0, n + 1)
    return meshes.tensor_box(x, x, np.linspace(0.0, 2.0, n + 1), {"film": (0.0, 2.0)})


def test_example_of_the_design() -> None:
    cell = meshes.filament_cell(oxide_nm=5.0, width_nm=20.0, size_nm=0.5)
    problem = fem.ElectroThermal(
        cell,
        electrical_S_per_m={"oxide": 10.0, "top": 1e6, "bottom": 1e6},
        thermal_W_per_mK={"oxide": 0.5, "top": 12.0, "bottom": 12.0},
    )
    state = problem.solve(voltage_V={"top": 1.0, "bottom": 0.0})
    film_S = 10.0 * (20e-9) ** 2 / 5e-9
    assert state.current_A == pytest.approx(film_S, rel=1e-4)
    assert state.power_W == pytest.approx(state.current_A, rel=1e-10)
    assert state.source_W.sum() == pytest.approx(state.power_W, rel=1e-12)
    rise = state.temperature_K - 300.0
    assert rise.min() >= -1e-9
    out = sum(problem.heat.reaction(name, state.source_W) for name in ("top", "bottom"))
    assert out == pytest.approx(-state.power_W, rel=1e-6)


def test_a_uniform_film_is_exact_in_2d_and_3d() -> None:
    flat = meshes.tensor_rectangle([0.0, 1.0, 5.0], [0.0, 0.5, 2.0], {"film": (0.0, 2.0)})
    assert fem.Conduction(flat, {"film": 7.0}).solve(VOLTAGE).current_A == pytest.approx(7.0 * 5.0 / 2.0)
    assert fem.Conduction(film(), {"film": 7.0}).solve(VOLTAGE).current_A == pytest.approx(7.0 * 16.0 / 2.0 * 1e-9)


def test_coefficients_as_number_function_and_array_agree() -> None:
    cell = film()
    count = fem.region_cells(cell, "film").size
    forms = [3.0, lambda temperature: 0.01 * temperature, np.full(count, 3.0)]
    currents = []
    for value in forms:
        problem = fem.Conduction(cell, {"film": value})
        problem.set_temperature(np.full(problem.operator.halo.local, 300.0))
        currents.append(problem.solve(VOLTAGE).current_A)
    np.testing.assert_allclose(currents, currents[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fim": 1.0}, "nearest: 'film'"),
        ({}, "'film' has no value"),
        ({"film": -1.0}, "positive"),
        ({"film": np.nan}, "positive"),
        ({"film": np.ones(3)}, "64 values"),
        ({"film": lambda temperature: temperature}, "give temperature_K first"),
    ],
)
def test_coefficients_refused(values: dict[str, fem.Coefficient], message: str) -> None:
    with pytest.raises(fem.FemError, match=message):
        fem.Conduction(film(), values).solve(VOLTAGE)


def test_names_and_numbers_refused() -> None:
    problem = fem.Conduction(film(), {"film": 1.0})
    with pytest.raises(fem.FemError, match="nearest: 'bottom'"):
        problem.solve({"top": 1.0, "botom": 0.0})
    with pytest.raises(fem.FemError, match="finite voltage"):
        problem.solve({"top": np.inf, "bottom": 0.0})
    with pytest.raises(fem.FemError, match="empty"):
        problem.solve({})
    with pytest.raises(fem.FemError, match="source_A"):
        problem.solve(VOLTAGE, np.ones(3))
    with pytest.raises(fem.FemError, match="fixed_K is empty"):
        fem.Heat(film(), {"film": 1.0}, {})
    with pytest.raises(fem.FemError, match="positive temperature"):
        fem.Heat(film(), {"film": 1.0}, {"top": -3.0})
    heat = fem.Heat(film(), {"film": 1.0}, {"top": 300.0})
    with pytest.raises(fem.FemError, match="capacity_J_per_m3K"):
        heat.step(1e-9)
    with pytest.raises(fem.FemError, match="dt_s"):
        heat.step(0.0)
    with pytest.raises(fem.FemError, match="not fixed at the start"):
        heat.set_fixed({"bottom": 300.0})


def test_injected_current_leaves_through_the_electrodes() -> None:
    problem = fem.Conduction(film(), {"film": 1.0})
    source = np.zeros(problem.operator.halo.local)
    source[np.argmin(np.abs(problem.space.tabulate_dof_coordinates() - [2.0, 2.0, 1.0]).sum(axis=1))] = 2e-9
    state = problem.solve({"top": 0.5, "bottom": -0.5}, source)
    assert sum(state.currents_A.values()) == pytest.approx(-2e-9, rel=1e-9)
    film_A = 1.0 * 16.0 / 2.0 * 1e-9
    assert state.currents_A["top"] == pytest.approx(film_A - 1e-9, rel=1e-9)


def test_three_electrodes_and_a_return_to_two() -> None:
    problem = fem.Conduction(film(), {"film": 1.0})
    two = problem.solve(VOLTAGE)
    three = problem.solve({"top": 1.0, "bottom": 0.0, "side": 0.2})
    assert sum(three.currents_A.values()) == pytest.approx(0.0, abs=1e-6 * abs(three.current_A))
    again = problem.solve(VOLTAGE)
    assert again.current_A == pytest.approx(two.current_A, rel=1e-12)
    assert problem.reaction("top") == pytest.approx(two.current_A, rel=1e-6)


def test_scaled_voltage_needs_no_iteration() -> None:
    settings = fem.SolverSettings(method="icc")
    problem = fem.Conduction(
        meshes.filament_cell(3.0, 8.0, 0.5, (3.0, 3.0)), {"bottom": 1e6, "oxide": 1.0, "top": 1e6}, settings
    )
    first = problem.solve(VOLTAGE)
    assert problem.iterations > 0
    second = problem.solve({"top": -0.3, "bottom": 0.1})
    assert problem.iterations == 0
    assert second.current_A == pytest.approx(-0.4 * first.current_A, rel=1e-10)
    zero = problem.solve({"top": 0.0, "bottom": 0.0})
    assert zero.current_A == pytest.approx(0.0, abs=1e-12 * first.current_A)


def test_restart_is_identical_to_the_bit() -> None:
    cell = meshes.filament_cell(3.0, 8.0, 0.5, (3.0, 3.0))
    sigma = {"bottom": 1e6, "oxide": 1.0, "top": 1e6}
    settings = fem.SolverSettings(method="icc")

    def advance(problem: fem.Conduction, step: int) -> np.ndarray:
        random = np.random.default_rng(step)
        i = random.choice(problem.operator.halo.size, 40, replace=False)
        problem.set_bonds(i[:20], i[20:], random.uniform(1e-9, 1e-5, 20))
        return problem.solve({"top": 1.0 + step, "bottom": 0.0}).potential_V

    whole = fem.Conduction(cell, sigma, settings)
    states = [advance(whole, step) for step in range(3)]
    resumed = fem.Conduction(cell, sigma, settings)
    resumed.potential_V = states[1]
    np.testing.assert_array_equal(advance(resumed, 2), states[2])


def test_heat_balance_over_steps_of_different_length() -> None:
    heat = fem.Heat(film(), {"film": 2.0}, {"bottom": 310.0}, {"film": 3e6})
    heat.temperature_K = np.full(heat.operator.halo.local, 310.0)
    source = np.full(heat.operator.halo.local, 1e-10)
    before = heat.stored_J()
    entered = 0.0
    for dt_s in (1e-13, 5e-13, 2e-12):
        old = heat.temperature_K
        heat.step(dt_s, source)
        capacity = heat.operator.capacity(np.full(heat.operator.cell_count, 3e6))
        rate = capacity * (heat.temperature_K - old) / dt_s
        assert heat.temperature_K.min() >= 310.0 - 1e-9
        entered += dt_s * (heat.reaction("bottom", source - rate) + source.sum())
    assert heat.stored_J() - before == pytest.approx(entered, rel=1e-8)


def test_long_step_reaches_the_steady_state() -> None:
    heat = fem.Heat(film(), {"film": 2.0}, {"bottom": 300.0}, {"film": 3e6})
    source = np.full(heat.operator.halo.local, 1e-10)
    late = heat.step(1.0, source)
    np.testing.assert_allclose(late, heat.solve(source), rtol=1e-9)
    heat.set_thermal({"film": 4.0})
    np.testing.assert_allclose(heat.solve(source) - 300.0, 0.5 * (late - 300.0), rtol=1e-6)


def test_conductivity_of_temperature_follows_kirchhoff() -> None:
    """kappa = a / T between T0 and T1: heat = a ln(T1 / T0) A / L."""
    x = np.linspace(0.0, 2.0, 3)
    cell = meshes.tensor_box(x, x, np.linspace(0.0, 2.0, 65), {"film": (0.0, 2.0)})
    heat = fem.Heat(cell, {"film": lambda temperature: 600.0 / temperature}, {"bottom": 300.0, "top": 450.0})
    heat.solve()
    assert heat.reaction("top") == pytest.approx(600.0 * np.log(1.5) * 4.0 / 2.0 * 1e-9, rel=1e-4)


def test_runaway_is_an_error() -> None:
    """The rise V^2 sigma / 8 kappa is 1250 K (T / 300 K)^2: above T - 300 K at every T, so there is no steady state."""
    problem = fem.ElectroThermal(film(), {"film": lambda temperature: 1e4 * (temperature / 300.0) ** 2}, {"film": 1.0})
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(fem.FemError):
        problem.solve(VOLTAGE)


def test_electrothermal_step_starts_from_the_last_temperature() -> None:
    problem = fem.ElectroThermal(film(), {"film": 1e4}, {"film": 1.0}, {"bottom": 300.0}, {"film": 2e6})
    peaks = [problem.step(1e-12, VOLTAGE).temperature_K.max() for _ in range(3)]
    steady = problem.solve(VOLTAGE).temperature_K.max()
    assert 300.0 < peaks[0] < peaks[1] < peaks[2] < steady


def test_the_potential_in_an_insulator_follows_from_that_around_it() -> None:
    """Beside a bar with a linear potential it is linear as well, whatever was left there."""
    z = np.linspace(0.0, 4.0, 9)
    boxes = {"bar": [(None, (0.0, 1.0), None)], "glass": [(None, (1.0, 3.0), None)]}
    cell = meshes.tensor_boxes([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0], z, boxes)
    conduction = fem.Conduction(cell, {"bar": 1e7, "glass": 1e-15})
    conduction.solve({"top": 1.0, "bottom": 0.0})
    nodes = conduction.space.tabulate_dof_coordinates()
    left = np.where((nodes[:, 1] > 1.5) & (np.abs(nodes[:, 2] - 2.0) < 1.9), -50.0, conduction.potential_V)
    filled = fem.Extension(conduction, ["glass"], ["bottom", "top"]).fill(left)
    assert left.min() == -50.0
    assert filled == pytest.approx(nodes[:, 2] / 4.0, abs=1e-6)
