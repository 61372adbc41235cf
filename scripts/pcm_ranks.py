"""Speed of the 3D mushroom cell on one and on more MPI ranks: seconds a step of the field solver.

mpiexec -n 1 python scripts/pcm_ranks.py; mpiexec -n 2 python scripts/pcm_ranks.py

The mesh is built before the clock starts. A step is one of potential and temperature in turn, the phase
at rest; the first steps, which set up the solvers, are left out.
"""

import time
from typing import Annotated

import numpy as np
import typer
from mpi4py import MPI
from rich.console import Console

from ionsim.config.pcm import PcmDevice
from ionsim.devices.pcm import Pcm
from ionsim.drive import Circuit
from ionsim.errors import expected_errors

console = Console()


def mushroom(size_nm: float, largest_nm: float) -> PcmDevice:
    """A whole mushroom cell in 3D."""
    return PcmDevice.model_validate({
        "name": "mushroom", "family": "pcm",
        "geometry": {"kind": "mushroom_3d", "size_nm": size_nm, "largest_nm": largest_nm},
        "phase_change": {"material": "GST-225"}, "crystallisation": {"nucleation": False},
        "drive": {"kind": "constant", "voltage_V": 0.1, "duration_s": 1e-9},
    })  # fmt: skip


def main(
    size_nm: Annotated[float, typer.Option(min=0.5, help="Mesh size where the phase changes.")] = 2.0,
    largest_nm: Annotated[float, typer.Option(min=1.0, help="Largest mesh size.")] = 10.0,
    voltage_V: Annotated[float, typer.Option(help="Applied voltage.")] = 0.3,
    steps: Annotated[int, typer.Option(min=3, help="Steps that are timed.")] = 9,
) -> None:
    """Time steps of equal length at a constant voltage."""
    comm = MPI.COMM_WORLD
    begun = time.monotonic()
    cell = Pcm(mushroom(size_nm, largest_nm), np.random.SeedSequence(1))
    built_s = comm.allreduce(time.monotonic() - begun, op=MPI.MAX)
    cell.initialise()
    circuit = Circuit(1000.0, None)
    cell.advance(1e-11, 0.5 * voltage_V, circuit)
    cell.advance(5e-11, voltage_V, circuit)
    problem, taken, used, rounds = cell.problem, [], [], 0
    for _ in range(steps):
        comm.Barrier()
        begun, begun_cpu = time.monotonic(), time.process_time()
        state = problem.step(2e-11, voltage_V, series_ohm=1000.0)
        comm.Barrier()
        taken.append(time.monotonic() - begun)
        used.append(time.process_time() - begun_cpu)
        rounds += state.newton_iterations
    nodes = comm.allgather(cell.halo.owned)
    if comm.rank == 0:
        console.print(f"{comm.size} ranks, {2 * cell.halo.size} unknowns ({', '.join(map(str, nodes))} nodes a rank), "
                      f"{problem.method}: built in {built_s:.0f} s; a step {np.median(taken):.2f} s "
                      f"(median of {steps}, least {min(taken):.2f}, cpu {np.median(used):.2f}), "
                      f"{rounds / steps:.1f} rounds; "
                      f"I = {state.current_A:.10g} A, T = {problem.temperature_K.max():.6f} K here")  # fmt: skip


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"pcm_ranks: error: {error}", style="red")
        raise SystemExit(2) from None
