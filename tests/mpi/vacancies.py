"""Run by test_fem_parallel on one and two ranks: argv[1] is where to put the results."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

from ionsim.verification.vacancy_meshes import grid

SIZES_NM = (5.0, 4.0, 6.0)
LAW = fem.VacancyRegion(1e-9, 0.3, soret_eV=0.4)
DEEP = fem.VacancyRegion(3e-9, 0.35, energy_eV=-0.1)


def body(dim: int, axisymmetric: bool = False, **arguments: object) -> tuple[fem.VacancyTransport, np.ndarray]:
    """Two regions of different energy, a layer between them, an electrode that makes vacancies, one that holds them."""
    sizes = SIZES_NM[3 - dim :]
    lines = [np.linspace(0.0, size, 4 + 2 * k) for k, size in enumerate(sizes)]
    whole = [(0.0, size) for size in sizes[:-1]]
    boxes = {"low": [*whole, (0.0, lines[-1][3])], "high": [*whole, (lines[-1][3], sizes[-1])]}
    cell = grid(lines, boxes, axisymmetric, comm=MPI.COMM_WORLD)
    layers = {"between": fem.FastLayer("low/high", 0.4, fem.VacancyRegion(1e-7, 0.3, energy_eV=-0.2))}
    electrodes = {
        "bottom": fem.VacancyElectrode(1e24, 0.2, 1e-2, 0.1, field_nm=0.5),
        "top": fem.VacancyElectrode(density_per_m3=4e26),
    }
    one = fem.VacancyTransport(
        cell, {"low": LAW, "high": DEEP}, 1e26, 2.0, 1.2e27, 0.3, layers=layers if dim > 1 else None,
        electrodes=electrodes, temperature_K=500.0, polarisation_nm=0.05, **arguments,
    )  # fmt: skip
    return one, np.asarray(one.space.tabulate_dof_coordinates())


def run(dim: int, axisymmetric: bool = False) -> dict[str, np.ndarray]:
    """Steps in a field and a gradient of temperature, then a steady state: what does not depend on the partition."""
    one, x = body(dim, axisymmetric)
    height = x[:, dim - 1]
    volts = 0.4 * height / SIZES_NM[-1] + 0.01 * x[:, 0]
    kelvin = 500.0 + 40.0 * height / SIZES_NM[-1]
    states = [one.step(dt_s, volts, kelvin) for dt_s in (1e-9, 2e-9, 4e-9, 1e-7)]
    inner = [np.linspace(0.3, size - 0.3, 4) for size in SIZES_NM[3 - dim :]]
    points = np.stack(np.meshgrid(*inner, indexing="ij"), axis=-1)
    probe = fem.SiteOperator(one.space, points.reshape(-1, dim))
    found = {
        "entering": np.array([list(state.entering_per_s.values()) for state in states]),
        "change": np.array([state.largest_change for state in states]),
        "entered": np.array(list(one.entered.values())),
        "total": np.array(one.total),
        "volume": np.array(one.halo.sum(one.volume_m3())),
        "density": probe.sample(one.density_per_m3),
    }
    steady = one.steady(volts, kelvin)
    found |= {"steady": np.array(list(steady.entering_per_s.values())), "at rest": probe.sample(one.density_per_m3)}
    name = f"{dim}D{' axisymmetric' if axisymmetric else ''}"
    return {f"{name} {key}": value for key, value in found.items()}


def refusals() -> list[str]:
    """Messages of what only one rank can see: all ranks have to raise."""
    one, x = body(2)
    found = []
    density, volts = np.where(x[:, 1] < 0.1, -1.0, 1e26), np.where(x[:, 1] < 0.1, np.nan, 0.0)
    for wrong in (lambda: one.set_density(density), lambda: one.step(1e-9, volts, 300.0)):
        try:
            wrong()
        except fem.FemError as error:
            found.append(str(error)[:30])
    return found


def main(path: Path) -> None:
    results = run(1) | run(2) | run(2, axisymmetric=True) | run(3)
    results["refused"] = np.array(MPI.COMM_WORLD.allreduce(len(refusals())) / MPI.COMM_WORLD.size)
    results["ranks"] = np.array(float(MPI.COMM_WORLD.size))
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, allow_pickle=False, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
