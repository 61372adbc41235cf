"""Finite-element jobs of ``ionsim bench fem``: conduction whose conductivity changes in every cell, again and again.

A film of 20 x 20 x 10 nm between two electrodes, hexahedra of equal size, with a good conductor along its axis: the
conductivity falls from 100 to 1 S/m over 3 nm and is modulated by 10 % in a pattern that moves from refresh to refresh
(chosen: the contrast of a warm filament, changes as small as those of a temperature between two steps).
"""

import time
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from fem.conductance import Conductance
from fem.krylov import Krylov, options
from fem.system import System
from ionsim.bench.sections import Sections
from ionsim.bench.timing import Effort

Numbers = dict[str, Any]
Floats = NDArray[np.float64]

#: Width and height of the film, nm.
WIDTH_NM, HEIGHT_NM = 20.0, 10.0
ELECTRODES_V = {"top": 1.0, "bottom": 0.0}
#: For comparing answers: tight enough for 1e-8 between two solutions.
TIGHT = 1e-11

#: What a refresh and solve is made of.
PARTS = {
    "matrix": ((Conductance, "set_coefficient"), (System, "_matrix")),
    "preconditioner": ((Krylov, "set_matrix"),),
    "iterations": ((Krylov, "solve"),),
}


def film(cells: int, comm: MPI.Comm) -> meshes.LabelledMesh:
    """``cells`` x ``cells`` x ``cells``/2 hexahedra."""
    across, along = np.linspace(0.0, WIDTH_NM, cells + 1), np.linspace(0.0, HEIGHT_NM, cells // 2 + 1)
    return meshes.tensor_box(across, across, along, {"film": (0.0, HEIGHT_NM)}, comm)


def conductivity_S_per_m(midpoints_nm: Floats, refresh: int) -> Floats:
    """(cells,) at the centres (cells, 3) of cells; ``refresh`` counts."""
    x, y, z = midpoints_nm.T
    square = ((x - 0.5 * WIDTH_NM) ** 2 + (y - 0.5 * WIDTH_NM) ** 2) / 9.0
    pattern = np.sin(2.1 * x + 1.3 * refresh) * np.sin(1.7 * y + 0.7 * refresh) * np.sin(1.9 * z)
    return np.asarray((1.0 + 99.0 * np.exp(-square)) * (1.0 + 0.1 * pattern))


def probes_nm() -> Floats:
    """(n, 3) points, none of them on a node, at which answers are compared."""
    return np.random.default_rng(7).uniform(0.1, 0.9, (100, 3)) * (WIDTH_NM, WIDTH_NM, HEIGHT_NM)


def _longest(comm: MPI.Comm, seconds: float) -> float:
    """The longest of the ranks."""
    return float(comm.allreduce(seconds, op=MPI.MAX))


def conduction(effort: Effort, cells: float, method: str = "auto") -> Numbers:
    """Wall time of a refresh and solve on all ranks, least and median; what it is made of; the first solve."""
    comm = MPI.COMM_WORLD
    begun = time.perf_counter()
    cell = film(int(cells), comm)
    mesh_s = time.perf_counter() - begun
    centres = fem.midpoints_nm(cell)
    begun = time.perf_counter()
    settings = fem.SolverSettings(method=method)
    problem = fem.Conduction(cell, {"film": conductivity_S_per_m(centres, 0)}, settings)
    build_s = time.perf_counter() - begun
    begun = time.perf_counter()
    problem.solve(ELECTRODES_V)
    first_s = time.perf_counter() - begun
    taken: dict[str, list[float]] = {"warm": [], "cold": []}
    walls = []
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    iterations = []
    number = 0
    # One rank never waits: its processor time leaves out what others had of the core.
    clock = time.process_time if comm.size == 1 else time.perf_counter
    with Sections(PARTS, clock) as sections:
        for guess in taken:
            for _ in range(effort.pieces):
                number += 1
                values = conductivity_S_per_m(centres, number)
                if guess == "cold":
                    problem.potential_V = np.zeros_like(problem.potential_V)
                sections.clear()
                comm.Barrier()
                begun, wall = clock(), time.perf_counter()
                problem.set_conductivity({"film": values})
                state = problem.solve(ELECTRODES_V)
                taken[guess].append(_longest(comm, clock() - begun))
                if guess == "warm":
                    walls.append(_longest(comm, time.perf_counter() - wall))
                    iterations.append(problem.iterations)
                    for name in PARTS:
                        parts[name].append(_longest(comm, sections.seconds.get(name, 0.0)))
    return {
        "dofs": problem.operator.halo.size, "ranks": comm.size, "mesh_s": mesh_s, "build_s": build_s,
        "first_s": first_s, "least_wall_s": min(walls), "median_s": float(np.median(taken["warm"])),
        "cold_s": min(taken["cold"]), "iterations": float(np.mean(iterations)), "current_A": state.current_A,
        "parts": {name: min(values) for name, values in parts.items()},
    }  # fmt: skip


def multigrid(effort: Effort, cells: float) -> Numbers:
    """The same by multigrid, whatever the size: what is compared for scaling must not change its method with it."""
    return conduction(effort, cells, "gamg")


def conduction_answer(effort: Effort, cells: float) -> Numbers:
    """Current, and potential at some points, solved to a tight tolerance on all ranks."""
    cell = film(int(cells), MPI.COMM_WORLD)
    settings = fem.SolverSettings(rtol=TIGHT)
    problem = fem.Conduction(cell, {"film": conductivity_S_per_m(fem.midpoints_nm(cell), 0)}, settings)
    state = problem.solve(ELECTRODES_V)
    probes = fem.SiteOperator(problem.space, probes_nm(), kind="linear")
    return {"current_A": state.current_A, "potential_V": probes.sample(state.potential_V).tolist()}


def linear_problem(effort: Effort, cells: float) -> Numbers:
    """The same equations by ``dolfinx.fem.petsc.LinearProblem`` as its users call it: it assembles at every solve.

    Vertex quadrature as in :mod:`fem.elements`, so that the matrices are equal; conjugate gradients with this engine's
    preconditioners (``icc``, ``gamg``); with the quadrature that it would take by itself, ``usual``; and the potential
    at the points of :func:`conduction_answer`.
    """
    import dolfinx.fem.petsc  # after fem, which finds its libraries
    import ufl

    cell = film(int(cells), MPI.COMM_WORLD)
    space = fem.scalar_space(cell)
    dofs = int(space.dofmap.index_map.size_global)
    numbers: Numbers = {"dofs": dofs, "ranks": MPI.COMM_WORLD.size}
    centres = fem.midpoints_nm(cell)
    sigma = dolfinx.fem.Function(dolfinx.fem.functionspace(cell.mesh, ("DG", 0)))
    rows = np.asarray(sigma.function_space.dofmap.list)[: len(centres), 0]
    fixed = []
    for name, voltage in ELECTRODES_V.items():
        facets = cell.facets.find(cell.surfaces[name])
        at = dolfinx.fem.locate_dofs_topological(space, 2, facets)
        fixed.append(dolfinx.fem.dirichletbc(dolfinx.default_scalar_type(voltage), at, space))
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    zero = dolfinx.fem.Constant(cell.mesh, dolfinx.default_scalar_type(0.0))
    vertices = ufl.dx(metadata={"quadrature_rule": "vertex", "quadrature_degree": 1})
    cases = [("usual", ufl.dx, "ssor"), *((method, vertices, method) for method in ("gamg", "icc", "ssor"))]
    for key, dx, method in cases:
        form, load = sigma * ufl.inner(ufl.grad(u), ufl.grad(v)) * dx, zero * v * dx
        settings = {**options(method, MPI.COMM_WORLD.size), "ksp_rtol": 1e-8}
        problem = dolfinx.fem.petsc.LinearProblem(
            form, load, bcs=fixed, petsc_options_prefix=f"bench_{key}_", petsc_options=settings
        )
        taken = []
        for number in range(effort.pieces + 1):  # the first one makes the pattern
            sigma.x.array[rows] = conductivity_S_per_m(centres, number)
            sigma.x.scatter_forward()
            begun = time.process_time()
            problem.solve()
            taken.append(time.process_time() - begun)
        count = int(problem.solver.getIterationNumber())
        numbers[key] = {"least_s": min(taken[1:]), "median_s": float(np.median(taken[1:])), "iterations": count}
    sigma.x.array[rows] = conductivity_S_per_m(centres, 0)
    sigma.x.scatter_forward()
    problem.solver.setTolerances(rtol=TIGHT)
    solution = problem.solve()
    probes = fem.SiteOperator(space, probes_nm(), kind="linear")
    numbers["potential_V"] = probes.sample(np.array(solution.x.array)).tolist()
    return numbers


JOBS = {function.__name__: function for function in (conduction, multigrid, conduction_answer, linear_problem)}
