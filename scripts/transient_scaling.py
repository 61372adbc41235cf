"""Time of a step of fem.Transient in 3D on the ranks it is started on; compare one rank with two on a quiet machine.

python scripts/transient_scaling.py
mpiexec -n 2 python scripts/transient_scaling.py
"""

import sys
import time
from typing import Any

import numpy as np
import typer
from mpi4py import MPI

import fem
from ionsim.verification.split_blocks import blocks


def activated(T_K: Any) -> Any:
    """Thermally activated conductivity, 1e4 S/m at 300 K."""
    return 1e4 * fem.exp(1000.0 / 300.0 - 1000.0 / T_K)


def main(cells: int = 46, steps: int = 4) -> None:
    """A cube of 40 nm with boundary resistance in the middle: 46 cells a side are 212,000 unknowns."""
    across = np.linspace(0.0, 40.0, cells + 1)
    cell = blocks(20.0, 20.0, (cells // 2, cells // 2), [across, across], comm=MPI.COMM_WORLD)
    problem = fem.Transient(
        cell,
        {"lower": 1e5, "upper": activated},
        {"lower": 10.0, "upper": lambda T_K: 1.0 + T_K / 1000.0},
        {"lower": 2e6, "upper": 1.5e6},
        {"bottom": 300.0, "top": 300.0},
        interfaces={"lower/upper": fem.Contact(thermal_W_per_m2K=1e8)},
        settings=fem.TransientSettings(method="staggered"),
    )
    problem.step(2e-12, 0.1, series_ohm=200.0)  # compiles and sets up
    taken = []
    for step in range(steps):
        MPI.COMM_WORLD.Barrier()
        start = time.perf_counter()
        state = problem.step(2e-12, 0.1 * (step + 2), series_ohm=200.0)
        taken.append(time.perf_counter() - start)
    if MPI.COMM_WORLD.rank == 0:
        sys.stdout.write(
            f"{MPI.COMM_WORLD.size} ranks, {2 * problem.halo.size} unknowns: median {np.median(taken):.2f} s a step, "
            f"fastest {min(taken):.2f} s; last current {state.current_A:.12g} A\n"
        )


if __name__ == "__main__":
    typer.run(main)
