"""Run by test_pcm_parallel on one and on two ranks: argv[1] is where to put the results, argv[2] the method."""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import fem
from ionsim.config import PcmDevice
from ionsim.devices.pcm import Pcm
from ionsim.drive import Circuit

DEVICE = {
    "name": "quarter", "family": "pcm",
    "geometry": {
        "kind": "mushroom_3d", "quarter": True, "size_nm": 6.0, "fine_radius_nm": 25.0, "outer_radius_nm": 100.0,
        "largest_nm": 40.0,
    },
    "phase_change": {"material": "GST-225"},
    "numerics": {"field_rtol": 1e-12},
    # equal steps: their choice counts iterations, whose number depends on rounding and so on the partition
    "steps": {"first_s": 2e-10, "temperature_K": 1000.0, "crystalline": 1.0},
    "drive": {"kind": "constant", "voltage_V": 0.1, "duration_s": 1e-9},
}  # fmt: skip


def nodal(cell: Pcm) -> dict[str, np.ndarray]:
    """Fields of all owned nodes of all ranks, in the order of the mesh's input."""
    mesh, halo, dofs = cell.cell.mesh.mesh, cell.halo, np.asarray(cell.problem.space.dofmap.list)
    number = np.empty(halo.local, dtype=np.int64)
    number[dofs.ravel()] = np.asarray(mesh.geometry.input_global_indices)[np.asarray(mesh.geometry.dofmaps[0]).ravel()]
    order = np.argsort(np.concatenate(mesh.comm.allgather(number[: halo.owned])))
    fields = cell.mesh_fields().items()
    return {name: np.concatenate(mesh.comm.allgather(values[: halo.owned]))[order] for name, values in fields}


def main(path: Path, method: str) -> None:
    """Heat a quarter of a mushroom cell until some of it melts; store what does not depend on the partition."""
    chosen = fem.TransientSettings.choose
    fem.TransientSettings.choose = lambda self, dim, nodes: method  # type: ignore[method-assign]
    cell = Pcm(PcmDevice.model_validate(DEVICE), np.random.SeedSequence(1))
    fem.TransientSettings.choose = chosen  # type: ignore[method-assign]
    cell.initialise()
    rows = []
    for count in range(1, 31):
        cell.advance(2e-10 * count, 0.016 * count, Circuit(100.0, None))
        rows.append([cell.observe()[name] for name in ("current_A", "device_V", "temperature_peak_K", "n_steps")])
    results = nodal(cell)
    results |= {"rows": np.array(rows), "crystalline_share": np.array(cell.crystalline_share)}
    totals = cell.summary()
    results["energies_J"] = np.array([totals[f"E_{name}_J"] for name in ("electrical", "out", "latent")])
    results["ranks"] = np.array(MPI.COMM_WORLD.size)
    assert cell.problem.method == method
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
