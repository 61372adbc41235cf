"""Run by test_fem_parallel on one and two ranks: argv[1] is where to put the results."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI
from transport import SIZES

import meshes
from ionsim.verification.split_blocks import blocks


def conduction(contact_ohm_m2: float | None) -> dict[str, np.ndarray]:
    """A channel that conducts better at one end, with a sheet that adds and takes away."""
    cell = meshes.ecram_vertical(**SIZES, comm=MPI.COMM_WORLD)
    channel = fem.ChannelConduction(cell, contact_ohm_m2=contact_ohm_m2)
    x = np.asarray(channel.space.tabulate_dof_coordinates())
    found = channel.solve(20.0 + x[:, 0], np.where(x[:, 0] > 0.1, 3e-8, -6e-8))
    bare = channel.solve(20.0 + x[:, 0] ** 2)
    inside = np.zeros(len(x))
    inside[channel.nodes] = 1.0
    halo = channel._halo
    density = channel.current_density(found)
    return {
        "conductance": np.array([found.conductance_S, bare.conductance_S]),
        "share": np.array([halo.sum(inside * found.source_share * weight) for weight in (1.0, x[:, 0], x[:, 1])]),
        "density": np.array([halo.sum(density[:, axis] * (1.0 + x[:, 1])) for axis in range(2)]),
        "drop": np.array([channel.drop_V(1e-5 * inside * (1.0 + 0.01 * x[:, 0]))]),
    }


def heat() -> dict[str, np.ndarray]:
    """Two blocks with a resistance between them, and two with none; steps, then a steady state."""
    found: dict[str, np.ndarray] = {}
    across = np.linspace(0.0, 6.0, 5)
    cell = blocks(4.0, 5.0, (3, 4), [across], comm=MPI.COMM_WORLD)
    for name, contact in (("resistance", {"lower/upper": fem.Contact(thermal_W_per_m2K=1e8)}), ("none", {})):
        network = fem.HeatNetwork(cell, {"lower": 2.0, "upper": 10.0}, {"lower": 2e6, "upper": 3e6},
                                  {"bottom": 1e9, "top": 2e8}, 310.0, contact)  # fmt: skip
        x, halo = np.asarray(network.space.tabulate_dof_coordinates()), network._halo
        source = 0.1 * (1.0 + x[:, 0]) * (x[:, 1] > 3.0)
        rows = []
        for dt_s in (1e-12, 1e-12, 1e-10):
            kelvin = network.step(dt_s, source)
            rows.append([halo.sum(kelvin * x[:, 0]), halo.maximum(float(kelvin.max())), network.stored_J(),
                         *network.out_W().values()])  # fmt: skip
        network.solve(source)
        rows.append([halo.sum(network.temperature_K), network.slowest_s, 0.0, *network.out_W().values()])
        found[f"heat, {name}"] = np.array(rows)
    return found


def main(path: Path) -> None:
    results = {f"channel {key}": value for key, value in conduction(None).items()}
    results |= {f"channel behind contacts {key}": value for key, value in conduction(2e-13).items()}
    results |= heat()
    results["ranks"] = np.array(float(MPI.COMM_WORLD.size))
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, allow_pickle=False, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
