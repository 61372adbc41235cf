"""Site operators and output files."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

from pathlib import Path

import dolfinx.fem
import numpy as np
import pytest

import meshes


@pytest.fixture(scope="module")
def problem() -> fem.Conduction:
    cell = meshes.filament_cell(3.0, 9.0, 0.5, (3.0, 3.0), 4.0, 2.0, 4.0)
    return fem.Conduction(cell, {"bottom": 1.0, "oxide": 1.0, "top": 1.0})


def test_sites_on_nodes_are_these_nodes(problem: fem.Conduction) -> None:
    axis = np.arange(7) * 0.5
    sites = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = fem.SiteOperator(problem, sites, kind="nearest")
    np.testing.assert_allclose(problem.space.tabulate_dof_coordinates()[nearest.dofs], sites, atol=1e-12)
    u = np.random.default_rng(0).normal(size=problem.operator.halo.local)
    linear = fem.SiteOperator(problem.space, sites, kind="linear")
    np.testing.assert_allclose(linear.sample(u), nearest.sample(u), atol=1e-12)
    np.testing.assert_allclose(linear.gradient(u), nearest.gradient(u), atol=1e-12)


def test_gradient_on_a_node_is_the_central_difference(problem: fem.Conduction) -> None:
    nodes = problem.space.tabulate_dof_coordinates()
    u = nodes[:, 0] ** 2 + nodes[:, 2] ** 2
    gradient = fem.SiteOperator(problem, [[1.0, 1.5, 2.0]]).gradient(u)
    np.testing.assert_allclose(gradient, [[2.0, 0.0, 4.0]], atol=1e-12)


def test_deposit_and_sample_are_transposes(problem: fem.Conduction) -> None:
    random = np.random.default_rng(1)
    sites = random.uniform([-3.0, -3.0, -4.0], [6.0, 6.0, 9.0], (300, 3))
    operator = fem.SiteOperator(problem, sites)
    u, q = random.normal(size=problem.operator.halo.local), random.normal(size=300)
    assert operator.deposit(q) @ u == pytest.approx(q @ operator.sample(u), rel=1e-12)
    function = fem.as_function(problem.space, u, "u")
    np.testing.assert_array_equal(operator.sample(function), operator.sample(u))
    assert operator.count == 300


def test_sites_refused(problem: fem.Conduction) -> None:
    with pytest.raises(fem.FemError, match=r"2 of 3 points lie outside the mesh, the first is number 1 at \[99"):
        fem.SiteOperator(problem, [[0.0, 0.0, 0.0], [99.0, 0.0, 0.0], [0.0, 0.0, 99.0]])
    with pytest.raises(fem.FemError, match=r"shape \(sites, 3\)"):
        fem.SiteOperator(problem, [[0.0, 0.0]])
    with pytest.raises(fem.FemError, match="nearest: 'linear'"):
        fem.SiteOperator(problem, [[0.0, 0.0, 0.0]], kind="liner")
    operator = fem.SiteOperator(problem, [[0.0, 0.0, 0.0]])
    with pytest.raises(fem.FemError, match="kind='nearest'"):
        _ = operator.dofs
    with pytest.raises(fem.FemError, match="one value per site"):
        operator.deposit([1.0, 2.0])
    with pytest.raises(fem.FemError, match="nodal array"):
        operator.sample([1.0, 2.0])


def test_vtx_files(problem: fem.Conduction, tmp_path: Path) -> None:
    values = np.arange(problem.operator.halo.local, dtype=float)
    functions = [fem.as_function(problem.space, values, name) for name in ("potential_V", "temperature_K")]
    fem.write_vtx(tmp_path / "one.bp", functions, time_s=1e-9)
    assert (tmp_path / "one.bp" / "md.idx").exists()
    with fem.VtxSeries(tmp_path / "many.bp", problem.space, ["potential_V"]) as series:
        for time_s in (0.0, 1.0):
            series.write(time_s, {"potential_V": values})
        with pytest.raises(fem.FemError, match="nearest: 'potential_V'"):
            series.write(2.0, {"potentialV": values})
        with pytest.raises(fem.FemError, match="is missing"):
            series.write(2.0, {})
    assert (tmp_path / "many.bp" / "md.idx").exists()


def test_vtx_refused(problem: fem.Conduction, tmp_path: Path) -> None:
    nodal = fem.as_function(problem.space, np.zeros(problem.operator.halo.local), "nodal")
    by_cell = dolfinx.fem.Function(dolfinx.fem.functionspace(problem.space.mesh, ("DG", 0)), name="by_cell")
    with pytest.raises(fem.FemError, match="differ in mesh or element"):
        fem.write_vtx(tmp_path / "a.bp", [nodal, by_cell])
    with pytest.raises(fem.FemError, match=r"must end in \.bp"):
        fem.write_vtx(tmp_path / "a.vtk", nodal)
    with pytest.raises(fem.FemError, match="no function"):
        fem.write_vtx(tmp_path / "a.bp", [])
    with pytest.raises(fem.FemError, match="shape"):
        fem.as_function(problem.space, [1.0], "short")
