"""The fields of a VCM stack: mesh, bond network and heat path from the numbers of its device file."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.config.grains import CLASSES
from ionsim.config.vcm import VcmDevice
from ionsim.coupling import HeatPath, LatticeFields, Network, lattice_mesh, tunnelling_decay_nm
from ionsim.devices.filament_lattice import FilamentLattice


def vcm_fields(device: VcmDevice, lattice: FilamentLattice, comm: MPI.Comm) -> LatticeFields:
    """Potential and temperature on the sites of a lattice between the layers of the device; collective."""
    layers, heat, conduction = device.layers, device.heat, device.conduction
    thickness_nm = lattice.box_nm[2]
    stack = {"bottom": layers.bottom, "cap": layers.cap, "top": layers.top}
    cell = lattice_mesh(
        lattice.positions_nm[lattice.carriers], lattice.box_nm,
        electrodes_nm={name: layer.thickness_nm for name, layer in stack.items()},
        domain_width_nm=device.mesh.domain_width_nm, size_nm=device.mesh.size_nm or lattice.mesh_size_nm,
        growth=device.mesh.growth, comm=comm,
    )  # fmt: skip
    regions = {**stack, "oxide": layers.oxide, "bottom_interface": layers.bottom, "top_interface": layers.cap}

    def of_regions(key: str) -> dict[str, float]:
        return {name: device.material(layer.material).value(key) for name, layer in regions.items()}

    electrical: dict[str, Any] = dict(of_regions("electrical_S_per_m"))
    electrical["oxide"] = _background_S_per_m(device, lattice.film, cell)
    network = Network.build(
        lattice.positions_nm, thickness_nm, carriers=lattice.carriers,
        contact_conductance_S=conduction.contact_conductance_S, metallic_nm=conduction.metallic_nm,
        decay_nm=tunnelling_decay_nm(conduction.trap_depth_eV, conduction.effective_mass),
        cutoff_nm=conduction.cutoff_nm, isolated_share=conduction.isolated_share,
        metallic_neighbours=conduction.metallic_neighbours,
    )  # fmt: skip
    path = HeatPath(
        relaxation_nm=heat.relaxation_length_nm,
        thermal_W_per_mK=of_regions("thermal_W_per_mK"),
        capacity_J_per_m3K=of_regions("capacity_J_per_m3K"),
        filament_W_per_mK=heat.vacancy_rich_W_per_mK,
        boundary_W_per_m2K={"bottom": heat.boundary_bottom_W_per_m2K, "top": heat.boundary_top_W_per_m2K},
        ambient_K=device.ambient_K,
        spread_nm=heat.spread_nm,
    )
    return LatticeFields(
        cell, lattice.positions_nm, thickness_nm, network,
        electrical_S_per_m=electrical, heat=path, rtol=device.numerics.field_rtol,
    )  # fmt: skip


def _background_S_per_m(
    device: VcmDevice, film: meshes.Polycrystal | None, cell: meshes.LabelledMesh
) -> float | NDArray[np.float64]:
    """Conductivity of the oxide without vacancies: a number, or by cell where boundaries have one of their own.

    Beside the lattice a film goes on as it is described: it repeats, or its boundary goes straight on.
    """
    everywhere = device.conduction.background_S_per_m
    own = [] if device.grains is None else [device.grains.given(name).background_S_per_m for name in CLASSES]
    if film is None or all(value is None for value in own):
        return everywhere
    cells = fem.region_cells(cell, "oxide")
    region = film.region(film.locate(fem.midpoints_nm(cell)[cells]))
    return np.array([everywhere, *(everywhere if value is None else value for value in own)])[region]
