"""Run by test_families_parallel on one and two ranks: argv[1] is where to put the results, argv[2] which device."""

import fem  # isort: skip  # noqa: F401  (before dolfinx: it makes the PyPI build's libraries known)

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import ionsim
from ionsim.config import Device, load
from ionsim.simulation import Simulation

COARSE = {
    "continuum.size_nm": 1.5, "continuum.height_nm": 0.5, "continuum.outer_radius_nm": 30.0,
    "continuum.density_step": 0.4, "continuum.temperature_step_K": 100.0, "continuum.voltage_step_V": 0.2,
    "drive.stages": [{"name": "reset", "stop_V": -0.8}], "drive.step_V": 0.1,
}  # fmt: skip
PLANE = ["geometry.lateral_nm=20", "geometry.edge_nm=10",
         'drive={kind="gate_pulses", amplitude_V=11.0, second_amplitude_V=-11.5, width_s=1e-9, rise_s=1e-9, '
         "period_s=1.0, count=1, rest_V=-0.2}"]  # fmt: skip


def device(name: str) -> Device:
    """A small device that makes steps of which each does something."""
    if name == "continuum":
        return ionsim.load("hfo2_continuum").replace(COARSE)
    return load("psg_wo3_pulse_train", PLANE + (["heat.coupled=true"] if name == "ecram_heat" else []))


def main(path: Path, name: str, frames: int) -> None:
    """Rows of the first frames, and the last cut."""
    simulation = Simulation(device(name), seed=3, comm=MPI.COMM_WORLD)
    for count, _ in enumerate(simulation, start=1):
        if count == frames:
            break
    results = {key: np.asarray(column) for key, column in simulation.recorder.series().items()}
    results.pop("balance_error", None)  # a share of rounding
    state = simulation.family.state()
    results |= {key.replace("/", " "): np.asarray(value).ravel() for key, value in state.items()}
    fields = path.with_name(f"fields_{MPI.COMM_WORLD.size}.bp")
    simulation.family.write_fields(fields, [(0.0, simulation.family.mesh_fields())])
    results["ranks"] = np.array(float(MPI.COMM_WORLD.size))
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, allow_pickle=False, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
