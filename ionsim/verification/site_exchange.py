"""Lattice sites on a mesh: what they deposit is conserved, and what they sample is exact for linear fields."""

import numpy as np
from mpi4py import MPI

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case


@case(
    "site-exchange", "finite elements",
    problem="2,000 random sites with random charges in the finite elements of a cell, on hexahedra and tetrahedra.",
    exact=(
        r"What sites deposit keeps its sum and first moment; a linear field $a\cdot x$ is sampled with its gradient "
        r"exactly."
    ),
    quick=True,
)  # fmt: skip
def site_exchange() -> list[Record]:
    """Deposited charge and heat keep their sum and first moment; linear fields are sampled exactly."""
    records, sampled, off = [], [], []
    for kind in meshes.KINDS:
        cell = meshes.filament_cell(
            4.0,
            width_nm=12.0,
            size_nm=0.5,
            core_nm=(4.0, 4.0),
            bottom_nm=4.0,
            top_nm=4.0,
            kind=kind,
            comm=MPI.COMM_SELF,
        )
        problem = fem.Conduction(cell, {"bottom": 1.0, "oxide": 1.0, "top": 1.0})
        random = np.random.default_rng(3)
        sites = random.uniform(0.0, 4.0, (2000, 3))
        charge = random.normal(size=2000)
        scale = float(np.abs(charge).sum())
        slope = np.array([0.3, -0.7, 1.1])
        nodes = problem.space.tabulate_dof_coordinates()
        linear = fem.SiteOperator(problem, sites, kind="linear")
        deposited = linear.deposit(charge)
        moment = float(np.abs(deposited @ nodes - charge @ sites).max())
        nearest = fem.SiteOperator(problem, sites, kind="nearest").deposit(charge)
        error = np.abs(linear.sample(nodes @ slope) - sites @ slope).max()
        gradient = np.abs(linear.gradient(nodes @ slope) - slope).max()
        sampled.append((kind, sites @ slope, linear.sample(nodes @ slope)))
        off += [float(deposited.sum() - charge.sum()) / scale, moment / scale, float(error), float(gradient) * 1e-2]
        records += [
            Record.below(f"sum of charge, linear, {kind}", float(deposited.sum() - charge.sum()) / scale, 1e-12),
            Record.below(f"sum of charge, nearest, {kind}", float(nearest.sum() - charge.sum()) / scale, 1e-12),
            Record.below(f"dipole moment, linear, {kind}", moment / scale, 1e-12, "nm"),
            Record.below(f"sample of a linear field, {kind}", float(error), 1e-12),
            Record.below(f"gradient of a linear field, {kind}", float(gradient), 1e-10),
        ]
    names = [f"{what}, {kind}" for kind in meshes.KINDS for what in ("sum", "moment", "sample", "gradient / 100")]
    figure.draw(
        figure.parity("a linear field at the sites", "field", sampled), figure.errors("errors", names, off, 1e-12)
    )
    return records
