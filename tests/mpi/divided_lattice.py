"""Launched on several ranks: forming of a small device with the lattice divided, and with all of it on every rank.

Prints one JSON object on rank 0: mode -> what each seed gave, (forming voltage in V, events).
"""

import json
import sys
from pathlib import Path

from mpi4py import MPI

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_device import small_device

from ionsim.analysis import summarise
from ionsim.simulation import Simulation

#: Wide enough to be cut in two.
WIDE = {
    "lattice.width_nm": 4.1,
    "weak_spots.0.centre_nm": [2.05, 1.0],
    "drive.stages": [{"name": "forming", "stop_V": 3.0, "turn_at_compliance": True}],
}


def main(seeds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {}
    for mode in ("divided", "whole"):
        device = small_device({**WIDE, "numerics.distributed_lattice": mode == "divided"})
        found[mode] = []
        for seed in range(1, seeds + 1):
            simulation = Simulation(device, seed=seed, comm=MPI.COMM_WORLD)
            for _ in simulation:
                pass
            series = simulation.recorder.series()
            forming_V = summarise(device, series, simulation.drive.stages)["V_form_V"]
            found[mode].append((forming_V, float(series["n_events"][-1])))
    if MPI.COMM_WORLD.rank == 0:
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
