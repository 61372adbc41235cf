"""Run by test_fem_parallel on one and on two ranks: argv[1] is where to put the results, argv[2] the kind of mesh."""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import fem
import meshes

METHODS = ("ssor", "icc", "gamg", "lu")


def main(path: Path, kind: str) -> None:
    """Solve with every method and store what does not depend on the partition."""
    results = {}
    cell = meshes.filament_cell(3.0, 8.0, 0.75, (3.0, 3.0), 4.0, 2.0, 4.0, kind=kind)
    axis = np.arange(5) * 0.75
    sites = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    for method in METHODS:
        settings = fem.SolverSettings(method=method, rtol=1e-12)
        problem = fem.ElectroThermal(
            cell, {"bottom": 1e6, "oxide": 1.0, "top": 1e6}, {"bottom": 9.0, "oxide": 0.5, "top": 9.0},
            capacity_J_per_m3K={"bottom": 2e6, "oxide": 2e6, "top": 2e6}, settings=settings,
        )  # fmt: skip
        nearest = fem.SiteOperator(problem, sites, kind="nearest")
        linear = fem.SiteOperator(problem, sites + 0.1 * (sites < 2.9), kind="linear")
        problem.set_bonds(nearest.dofs[:60:2], nearest.dofs[1:61:2], np.logspace(-9, -5, 30))
        steady = problem.solve({"top": 0.5, "bottom": 0.0})
        stepped = problem.step(2e-12, {"top": 0.3, "bottom": 0.0})
        charge = linear.deposit(np.arange(len(sites), dtype=float))
        results |= {
            f"{method} current": np.array(steady.current_A),
            f"{method} potential": nearest.sample(steady.potential_V),
            f"{method} field": linear.gradient(steady.potential_V),
            f"{method} temperature": linear.sample(stepped.temperature_K),
            f"{method} bonds": steady.bond_power_W,
            f"{method} charge": np.array(problem.heat.operator.halo.sum(charge)),
        }
    fem.write_vtx(path.with_suffix(".bp"), fem.as_function(problem.space, steady.potential_V, "potential_V"))
    try:
        fem.SiteOperator(problem, [[0.0, 0.0, 0.0], [0.0, 50.0, 0.0]])
    except fem.FemError as error:
        results["message"] = np.array(str(error))
    results["ranks"] = np.array(MPI.COMM_WORLD.size)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
