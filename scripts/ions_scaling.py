"""Time of a step of fem.VacancyTransport and fem.Transport on the ranks it is started on; use a quiet machine.

python scripts/ions_scaling.py
mpiexec -n 2 python scripts/ions_scaling.py
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import typer
from mpi4py import MPI

import fem
import meshes
from ionsim.verification.vacancy_meshes import grid


def vacancies(cells: int) -> tuple[int, Callable[[int], object]]:
    """A cube of oxide of 40 nm: unknowns, and a step in a field that rises."""
    lines = [np.linspace(0.0, 40.0, cells + 1)] * 3
    cell = grid(lines, {"oxide": [(0.0, 40.0)] * 3}, comm=MPI.COMM_WORLD)
    law = fem.VacancyRegion(1e-9, 0.3, soret_eV=0.3)
    one = fem.VacancyTransport(cell, {"oxide": law}, 1e26, 2.0, 1.2e27, 0.3, temperature_K=500.0)
    z = np.asarray(one.space.tabulate_dof_coordinates())[:, 2]
    return one.halo.size, lambda step: one.step(1e-9, 0.1 * step * z / 40.0, 500.0 + z)


def ions(cells: int) -> tuple[int, Callable[[int], object]]:
    """An ECRAM cell in a plane with a conducting channel: nodes, and a step of its gate."""
    cell = meshes.ecram_vertical(size_nm=30.0 / cells, largest_nm=30.0 / cells, lateral_nm=150.0 / cells,
                                 edge_nm=150.0 / cells, comm=MPI.COMM_WORLD)  # fmt: skip
    phases = {
        "electrolyte": fem.Phase(["electrolyte"], 1e27, fem.lattice_gas, -2e26),
        "channel": fem.Phase(["channel"], 1.8e28, fem.regular_solution(-0.1)),
    }
    moving = {
        "ion": fem.Species("electrolyte", 1, 1e-13, 2e26, hop_nm=0.3),
        "inserted": fem.Species("channel", 1, 1e-15, 1.8e27),
    }
    into = fem.ChargeTransfer("ion", fem.insertion_exchange(1e3), "inserted")
    gate = fem.Terminal(["gate"], reactions=[fem.ChargeTransfer("ion", 5e2)], capacitance_F_per_m2=0.08)
    one = fem.Transport(
        cell, {"electrolyte": 15.0}, phases, moving,
        {"gate": gate, "source": fem.Terminal(regions=["source"]), "drain": fem.Terminal(regions=["drain"])},
        {name: fem.Junction([into] if name == "electrolyte/channel" else [], 0.05) for name in cell.interfaces},
        conductors={"channel": fem.Conductor(["channel"], 20.0, "electrolyte/channel")},
    )  # fmt: skip
    rest = {"source": 0.0, "drain": 0.0}
    one.steady(rest, {"gate": 0.0})
    return one.halo.size, lambda step: one.step(1e-8, rest | {"gate": 0.05 * step})


def main(cells_3d: int = 32, cells_plane: int = 150, steps: int = 5) -> None:
    """Both problems; the medians of ``steps`` steps after one that sets up."""
    comm = MPI.COMM_WORLD
    for name, (nodes, step) in (("vacancies", vacancies(cells_3d)), ("ions", ions(cells_plane))):
        step(1)
        taken = []
        for number in range(2, steps + 2):
            comm.Barrier()
            start = time.perf_counter()
            step(number)
            taken.append(time.perf_counter() - start)
        if comm.rank == 0:
            sys.stdout.write(
                f"{name}: {comm.size} ranks, {nodes} nodes: median {statistics.median(taken):.2f} s a step, "
                f"fastest {min(taken):.2f} s\n"
            )


if __name__ == "__main__":
    typer.run(main)
