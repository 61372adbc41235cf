"""The conductance operator: equal to the weak form, a network, conservative; bonds; solver settings."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import gc
import math
import weakref

import dolfinx.fem
import numpy as np
import pytest
import scipy.sparse
import ufl

import meshes

LAYERS = {"low": (0.0, 1.0), "high": (1.0, 2.5)}


def box(n: int = 4) -> meshes.LabelledMesh:
    x = np.linspace(0.0, 2.0, n + 1) ** 1.3
    return meshes.tensor_box(x, x, [0.0, 0.4, 1.0, 1.5, 2.5], LAYERS)


def operator_matrix(operator: fem.Conductance) -> np.ndarray:
    return np.stack([operator.apply(row) for row in np.eye(operator.halo.local)], axis=1)


@pytest.mark.parametrize("kind", meshes.KINDS)
def test_operator_equals_the_weak_form(kind: str) -> None:
    cell = meshes.filament_cell(2.0, 5.0, 1.0, (2.0, 2.0), 2.0, 1.0, 2.0, kind=kind)
    problem = fem.Conduction(cell, {name: float(tag) for name, tag in cell.regions.items()})
    problem.solve({"top": 1.0, "bottom": 0.0})
    sigma = dolfinx.fem.Function(dolfinx.fem.functionspace(cell.mesh, ("DG", 0)))
    sigma.x.array[:] = cell.cells.values
    trial, test = ufl.TrialFunction(problem.space), ufl.TestFunction(problem.space)
    rule = {"quadrature_rule": "GLL", "quadrature_degree": 1} if kind == "hexahedra" else {}
    form = dolfinx.fem.form(sigma * ufl.inner(ufl.grad(trial), ufl.grad(test)) * ufl.dx(metadata=rule))
    exact = dolfinx.fem.assemble_matrix(form).to_scipy().toarray() * 1e-9
    np.testing.assert_allclose(operator_matrix(problem.operator), exact, atol=1e-13 * np.abs(exact).max())


def test_hexahedra_give_an_m_matrix_at_any_aspect_ratio() -> None:
    cell = meshes.tensor_box([0.0, 9.0, 10.0], [0.0, 0.1, 7.0], [0.0, 1.0, 2.5], LAYERS)
    operator = fem.Conductance(dolfinx.fem.functionspace(cell.mesh, ("Lagrange", 1)))
    operator.set_coefficient(np.where(cell.cells.values == 1, 1e-4, 1e6))
    matrix = operator_matrix(operator)
    assert np.all(matrix - np.diag(np.diag(matrix)) <= 0.0)


def test_energy_and_powers_agree_with_the_matrix() -> None:
    problem = fem.Conduction(box(), {"low": 3.0, "high": 50.0})
    problem.solve({"top": 1.0, "bottom": 0.0})
    operator = problem.operator
    operator.set_bonds([0, 3, 3], [40, 17, 17], [1e-8, 2e-8, 5e-9])
    u = np.random.default_rng(0).normal(size=operator.halo.local)
    bonds = scipy.sparse.coo_array(([1e-8, 2.5e-8], ([0, 3], [40, 17])), shape=(u.size, u.size)).toarray()
    total = operator_matrix(operator)
    cells = total - (np.diag((bonds + bonds.T).sum(axis=1)) - bonds - bonds.T)
    assert operator.energy(u) == pytest.approx(u @ total @ u, rel=1e-12)
    nodal = u * (cells @ u) - 0.5 * cells @ (u * u)
    np.testing.assert_allclose(operator.nodal_power(u), nodal, atol=1e-13 * np.abs(nodal).max())
    leaving, power = operator.apply_and_power(u)
    np.testing.assert_array_equal(leaving, operator.apply(u))
    np.testing.assert_allclose(power, operator.nodal_power(u), rtol=1e-14)
    np.testing.assert_allclose(operator.bond_power(u), [1e-8, 2e-8, 5e-9] * (u[[0, 3, 3]] - u[[40, 17, 17]]) ** 2)
    deposited = operator.deposit_bonds(operator.bond_power(u))
    assert deposited.sum() == pytest.approx(operator.bond_power(u).sum(), rel=1e-14)
    np.testing.assert_allclose(np.abs(total.sum(axis=0)).max(), 0.0, atol=1e-22)


def test_bonds_are_replaced_not_added() -> None:
    problem = fem.Conduction(box(), {"low": 1.0, "high": 1.0})
    voltage = {"top": 1.0, "bottom": 0.0}
    bare = problem.solve(voltage).current_A
    top, bottom = (int(np.argmin(np.abs(problem.space.tabulate_dof_coordinates()[:, 2] - z))) for z in (2.5, 0.0))
    for g in (1e-6, 3e-7):
        problem.set_bonds([top], [bottom], [g])
        state = problem.solve(voltage)
        assert state.current_A == pytest.approx(bare + g, rel=1e-9)
        assert state.power_W == pytest.approx(state.current_A, rel=1e-12)
    problem.set_bonds([], [], [])
    assert problem.solve(voltage).current_A == pytest.approx(bare, rel=1e-9)


@pytest.mark.parametrize(
    ("bonds", "message"),
    [
        (([0], [1, 2], [1.0, 1.0]), "one length"),
        (([0], [10**6], [1.0]), "bond to dof 1000000"),
        (([0], [1], [-1.0]), "bond 0"),
        (([0], [1], [np.nan]), "bond 0"),
        (([5], [5], [1.0]), "with itself"),
    ],
)
def test_bonds_refused(bonds: tuple[list[int], list[int], list[float]], message: str) -> None:
    problem = fem.Conduction(box(2), {"low": 1.0, "high": 1.0})
    with pytest.raises(fem.FemError, match=message):
        problem.set_bonds(*bonds)


@pytest.mark.parametrize("method", ["ssor", "icc", "gamg", "lu"])
def test_methods_agree(method: str) -> None:
    cell = meshes.filament_cell(3.0, 8.0, 0.5, (3.0, 3.0), 5.0, 2.0, 5.0)
    settings = fem.SolverSettings(method=method, rtol=1e-10)
    problem = fem.Conduction(cell, {"bottom": 1e6, "oxide": 1.0, "top": 1e6}, settings)
    reference = fem.Conduction(cell, {"bottom": 1e6, "oxide": 1.0, "top": 1e6}, fem.SolverSettings(method="lu"))
    for oxide in (1.0, 20.0):
        for each in (problem, reference):
            each.set_conductivity({"oxide": oxide})
        state, exact = (each.solve({"top": 0.7, "bottom": -0.2}) for each in (problem, reference))
        assert state.current_A == pytest.approx(exact.current_A, rel=1e-10)
        np.testing.assert_allclose(state.potential_V, exact.potential_V, atol=1e-8)


@pytest.mark.parametrize("method", ["ssor", "gamg"])
def test_the_error_is_below_what_was_asked_for(method: str) -> None:
    """In the energy norm, from a cold start, from a near guess, and in time."""
    cell = meshes.filament_cell(3.0, 8.0, 0.5, (3.0, 3.0), 5.0, 2.0, 5.0)
    kappa, rtol = {"bottom": 20.0, "oxide": 0.5, "top": 5.0}, 1e-4
    loose, tight = (
        fem.Heat(cell, kappa, {"bottom": 300.0}, dict.fromkeys(kappa, 2e6), fem.SolverSettings(method=each, rtol=small))
        for each, small in ((method, rtol), ("lu", 1e-12))
    )
    source = np.where(loose.space.tabulate_dof_coordinates()[:, 2] > 2.0, 1e-9, 0.0)
    for scale, dt_s in ((1.0, None), (1.001, None), (40.0, None), (2.0, 1e-10)):
        found, exact = (
            each.solve(scale * source) if dt_s is None else each.step(dt_s, scale * source) for each in (loose, tight)
        )
        share = math.sqrt(loose.operator.energy(found - exact) / loose.operator.energy(exact))
        assert share < 4.0 * rtol  # the norm that is watched is that of the preconditioned residual
        loose.temperature_K = exact.copy()


def test_a_kept_multigrid_is_made_anew_when_it_fails() -> None:
    cell = meshes.filament_cell(3.0, 8.0, 0.5, (3.0, 3.0), 5.0, 2.0, 5.0)
    problem = fem.Conduction(cell, {"bottom": 1.0, "oxide": 1.0, "top": 1.0}, fem.SolverSettings(method="gamg"))
    problem.solve({"top": 1.0, "bottom": 0.0})
    problem.set_conductivity(
        {"oxide": np.random.default_rng(0).lognormal(0.0, 8.0, fem.region_cells(cell, "oxide").size)}
    )
    state = problem.solve({"top": 1.0, "bottom": 0.0})
    assert state.power_W == pytest.approx(state.current_A, rel=1e-10)


def test_auto_method_by_dimension_and_size() -> None:
    settings = fem.SolverSettings()
    assert [settings.choose(*size) for size in ((2, 10**6), (3, 10**3), (3, 37_000), (3, 10**6))] == [
        "lu", "lu", "ssor", "gamg"
    ]  # fmt: skip


def test_settings_refused() -> None:
    with pytest.raises(fem.FemError, match="nearest: 'gamg'"):
        fem.SolverSettings(method="gmag")
    with pytest.raises(fem.FemError, match="rtol"):
        fem.SolverSettings(rtol=0.0)


def test_failure_to_converge_is_named() -> None:
    problem = fem.Conduction(box(6), {"low": 1.0, "high": 1e3}, fem.SolverSettings(method="icc", max_iterations=1))
    with pytest.raises(fem.FemError, match="DIVERGED_MAX_IT after 1 iterations"):
        problem.solve({"top": 1.0, "bottom": 0.0})


@pytest.mark.parametrize("method", ["ssor", "icc", "gamg", "lu"])
def test_a_discarded_problem_leaves_nothing_behind(method: str) -> None:
    from petsc4py import PETSc

    def solve() -> tuple[weakref.ref[fem.Conduction], weakref.ref[fem.Conductance], str]:
        problem = fem.Conduction(box(6), {"low": 1.0, "high": 10.0}, fem.SolverSettings(method=method))
        problem.solve({"top": 1.0, "bottom": 0.0})
        return weakref.ref(problem), weakref.ref(problem.operator), problem._system(("top", "bottom"))._krylov.prefix

    problem, operator, prefix = solve()
    gc.collect()
    assert problem() is None
    assert operator() is None
    assert not [name for name in PETSc.Options().getAll() if name.startswith(prefix)]
