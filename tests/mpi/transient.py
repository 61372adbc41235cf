"""Run by test_fem_parallel on one and two ranks: argv[1] is where to put the results, argv[2] the method."""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import fem
from ionsim.verification.split_blocks import blocks
from ionsim.verification.transient_mms import capacity, kappa, sigma


def main(path: Path, method: str) -> None:
    """Steps with boundary resistance, perfect electrical contact, resistor and compliance, then a steady state."""
    across = np.linspace(0.0, 6.0, 5)
    cell = blocks(4.0, 5.0, (3, 4), [across, across], comm=MPI.COMM_WORLD)
    problem = fem.Transient(
        cell,
        {"lower": 1e5, "upper": sigma},
        {"lower": 10.0, "upper": kappa},
        {"lower": 2e6, "upper": capacity},
        {"bottom": 300.0, "top": 300.0},
        interfaces={"lower/upper": fem.Contact(thermal_W_per_m2K=1e8)},
        states={"ordered": 0.3},
        settings=fem.TransientSettings(method=method, rtol=1e-12),
    )
    points = np.stack(np.meshgrid([0.7, 3.1, 5.2], [1.3, 4.4], [0.5, 3.3, 6.1, 8.0], indexing="ij"), axis=-1)
    probe = fem.SiteOperator(problem, points.reshape(-1, 3), kind="linear")
    drives = [(0.1, {}), (0.2, {"series_ohm": 2e4}), (0.3, {"compliance_A": 1e-6}), (0.1, {})]
    states = [problem.step(1e-12 * (k + 1), voltage, **circuit) for k, (voltage, circuit) in enumerate(drives)]
    states.append(problem.steady(0.15))
    results = {
        "current": np.array([state.current_A for state in states]),
        "cell voltage": np.array([state.cell_V for state in states]),
        "out": np.array([state.balance.out_W for state in states]),
        "limited": np.array([float(state.limited) for state in states]),
        "potential": probe.sample(problem.potential_V),
        "temperature": probe.sample(problem.temperature_K) - 300.0,
        "volume": np.array([problem.halo.sum(problem.volume_m3(name)) for name in cell.regions]),
        "ranks": np.array(float(MPI.COMM_WORLD.size)),
    }
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, allow_pickle=False, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
