"""The finite elements on two ranks give what one gives."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.errors import IonsimError
from ionsim.verification import figure
from ionsim.verification.filament_network import box_sites, set_filament
from ionsim.verification.record import Record, case

_CORE_NM = (3.0, 3.0)
_OXIDE_NM = 3.0
_LAUNCHER = ("PMI_", "PMIX_", "MPI_", "MPIR_", "HYDRA_", "HYDI_", "OMPI_")


class LaunchError(IonsimError):
    """The two ranks did not run."""


@case(
    "serial-parallel", "finite elements",
    problem="Steady state and a time step of a small filament with bonds, on one and on two MPI ranks.",
    exact="The solution does not depend on how the mesh is divided: all results agree to 1e-9 of the largest.",
)  # fmt: skip
def serial_parallel() -> list[Record]:
    """Potential, current, temperature and deposit of two MPI ranks equal those of one to 1e-9."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "two.npz"
        launch(2, ["-m", "ionsim.verification.serial_parallel", str(path)])
        with np.load(path) as stored:
            two = dict(stored)
    one = solve(MPI.COMM_SELF)
    records = [Record.below("ranks", float(two.pop("ranks")) - 2.0, 0.0)]
    for name, value in one.items():
        if name != "ranks":
            error = float(np.abs(two[name] - value).max() / np.abs(value).max())
            records.append(Record.below(f"{name}, relative", error, 1e-9))
    figure.draw(
        figure.parity("temperature of sites", "temperature (K)", [
            ("steady, two ranks", one["temperature"], two["temperature"]),
            ("after a step, two ranks", one["temperature after a step"], two["temperature after a step"]),
        ], names=("one rank", "two ranks")),
        figure.errors("two ranks against one", [r.name.partition(",")[0] for r in records[1:]],
                      [r.value for r in records[1:]], 1e-9),
    )  # fmt: skip
    return records


def solve(comm: MPI.Comm) -> dict[str, NDArray[np.float64]]:
    """Steady state and a time step of a small filament on ``comm``: results that do not depend on the partition."""
    cell = meshes.filament_cell(
        _OXIDE_NM, width_nm=10.0, size_nm=0.5, core_nm=_CORE_NM, bottom_nm=5.0, cap_nm=2.0, top_nm=5.0, comm=comm
    )
    problem = fem.ElectroThermal(
        cell,
        {"bottom": 1e6, "oxide": 1e-2, "top": 1e6},
        {"bottom": 20.0, "oxide": lambda temperature: 0.5 * (300.0 / temperature) ** 0.5, "top": 20.0},
        capacity_J_per_m3K={"bottom": 2e6, "oxide": 2.5e6, "top": 2e6},
        settings=fem.SolverSettings(method="icc", rtol=1e-13),
    )
    set_filament(problem.conduction, _CORE_NM, _OXIDE_NM, gap_nm=0.0)
    sites = box_sites(_CORE_NM, _OXIDE_NM)
    linear = fem.SiteOperator(problem, sites, kind="linear")
    steady = problem.solve({"top": 0.4, "bottom": 0.0})
    stepped = problem.step(1e-12, {"top": 0.1, "bottom": 0.0})
    return {
        "ranks": np.array(float(comm.size)),
        "current": np.array([steady.current_A, steady.power_W]),
        "potential": linear.sample(steady.potential_V),
        "field": linear.gradient(steady.potential_V),
        "bond power": steady.bond_power_W,
        "temperature": linear.sample(steady.temperature_K),
        "temperature after a step": linear.sample(stepped.temperature_K),
        "deposit": linear.sample(linear.deposit(np.cos(np.arange(len(sites))))),
    }


def launch(ranks: int, arguments: list[str], timeout_s: float = 100.0) -> None:
    """Run ``python ARGUMENTS`` on MPI ranks, by the mpiexec beside this interpreter or from PATH.

    A rank that raises ends them all (``-m mpi4py`` sees to that). Raises LaunchError with the end of their output.
    """
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise LaunchError("no mpiexec beside the Python interpreter nor on PATH; install MPICH or Open MPI")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_LAUNCHER)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    environment["OMP_NUM_THREADS"] = "1"
    command = [mpiexec, "-n", str(ranks), sys.executable, "-m", "mpi4py", *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"{ranks} ranks did not finish within {timeout_s:g} s: {' '.join(command)}") from error
    if done.returncode != 0:
        raise LaunchError(f"{ranks} ranks ended with code {done.returncode}: {done.stderr.strip()[-800:]}")


if __name__ == "__main__":
    results = solve(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(sys.argv[1], allow_pickle=False, **results)
