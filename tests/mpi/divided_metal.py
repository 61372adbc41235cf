"""Launched on several ranks: a small silver cell with its lattice divided, and with all of it on every rank.

Prints one JSON object on rank 0: mode -> what each seed gave, (voltage in V at which 40 atoms stand in the film,
injections until then).
"""

import json
import sys

from mpi4py import MPI

import ionsim
from ionsim.simulation import Simulation

#: Wide enough to be cut in two. Electrons of metal that has joined the active electrode have factors of their own.
WIDE = {
    "layers.electrolyte.thickness_nm": 1.6, "lattice.width_nm": 3.6, "lattice.depth_nm": 1.6,
    "soft_spots": [{"centre_nm": [1.8, 0.8], "radius_nm": 0.6, "hop_shift_eV": -0.12}],
    "mesh.domain_width_nm": 6.0, "numerics.potential_error_kT": 4.0, "transfer.joined_metal": True,
    "drive.stages": [{"name": "set", "stop_V": 2.2}],
}  # fmt: skip
ATOMS = 40.0


def main(seeds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {}
    for mode in ("divided", "whole"):
        device = ionsim.load("ag_sio2_memory").replace({**WIDE, "numerics.distributed_lattice": mode == "divided"})
        found[mode] = []
        for seed in range(1, seeds + 1):
            for frame in Simulation(device, seed=seed, comm=MPI.COMM_WORLD):
                if frame.row["n_atoms"] >= ATOMS:
                    break
            found[mode].append((frame.voltage_V, frame.row["events_injection"]))
    if MPI.COMM_WORLD.rank == 0:
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
