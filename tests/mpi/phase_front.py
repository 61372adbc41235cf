"""Run by test_phase_front on one and on two ranks: argv[1] is where to put the results."""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import fem
import meshes
from ionsim.materials.crystallisation import GST_225

SIDE_NM = 40.0


def main(path: Path) -> None:
    """Nuclei grow in a gradient of temperature with latent heat; store what does not depend on the partition."""
    import dolfinx.mesh  # after fem, which makes the PyPI build's libraries known

    mesh = dolfinx.mesh.create_rectangle(MPI.COMM_WORLD, [np.zeros(2), np.full(2, SIDE_NM)], [24, 24])
    cell = meshes.label_layers(mesh, {"below": (0.0, 10.0), "film": (10.0, SIDE_NM)})
    front = fem.PhaseFront(cell, "film", GST_225.velocity_m_per_s, 1.5, grain_boundaries_per_nm=0.02)
    front.set_distance(lambda x: 16.0 - x[:, 1])
    nucleation = fem.Nucleation(front, lambda kelvin: 5000.0 * GST_225.nucleation_per_m3s(kelvin), 3, depth_nm=40.0)
    heat = fem.Heat(
        cell, {"below": 5.0, "film": 0.5}, {"bottom": 950.0, "top": 550.0}, {"below": 3e6, "film": 1.25e6},
        settings=fem.SolverSettings(method="lu"),
    )  # fmt: skip
    heat.temperature_K = heat.solve()
    latent = fem.LatentHeat(nucleation, 625e6)
    done = []
    for _ in range(3):
        step = latent.step(1e-9, heat.temperature_K, fem.heat_step(heat, 1e-9))
        heat.temperature_K = step.temperature_K
        done.append([step.iterations, step.front.sub_steps, step.latent_W, step.front.largest_change])
    points = np.random.default_rng(0).uniform(10.5, SIDE_NM - 0.5, (200, 2))
    sites = fem.SiteOperator(front.space, points, kind="linear")
    results = {
        "done": np.array(done),
        "value": sites.sample(front.value),
        "temperature": sites.sample(heat.temperature_K),
        "crystalline": np.array(front.crystalline_m3),
        "nuclei": np.array([(nucleus.time_s * 1e9, *nucleus.position_nm) for nucleus in nucleation.nuclei]),
        "ranks": np.array(mesh.comm.size),
    }
    if mesh.comm.rank == 0:
        np.savez(path, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
