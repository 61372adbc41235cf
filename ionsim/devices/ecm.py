"""Silver and copper filaments (ECM): ions of an active electrode, a filament that they grow, and its fields.

One potential for all charges: the film conducts ions (``electrolyte_S_per_m``), every interface with metal has the
conductance of charge transfer by area (so that part of the voltage is the overpotential at the electrodes and at the
filament's surface), and metal is :class:`ionsim.coupling.MetalNetwork`. Space charge of ions is left out.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from ionsim.config.ecm import EcmDevice
from ionsim.coupling import HeatPath, LatticeFields, MetalNetwork, lattice_mesh, tunnelling_decay_nm
from ionsim.coupling.lattice_mesh import INTERFACE_NM
from ionsim.devices.ecm_lattice import ecm_lattice
from ionsim.devices.filament import FilamentDevice
from ionsim.devices.filament_lattice import FilamentLattice

#: A conductor with this share of a bond of bulk metal, or more, is metal (thin cells of electrodes): the bonds of the
#: metal's atoms, not the electrolyte, which is worse by ten decades.
_SHORT = 1e-3


class Ecm(FilamentDevice):
    """An ECM cell; its rows also hold the atoms of the narrowest cross-section of a bridge (``channels``)."""

    def __init__(self, device: EcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm | None = None) -> None:
        comm = MPI.COMM_WORLD if comm is None else comm
        lattice = ecm_lattice(device, seed, comm)
        self.network = metal_network(device, lattice)
        super().__init__(device, lattice, ecm_fields(device, lattice, self.network, comm))

    def observe(self) -> dict[str, float]:
        """One row of the time series."""
        metal = self.lattice.conducting(self.engine.occupation)
        return {**super().observe(), "channels": float(self.network.channels(metal))}


def metal_network(device: EcmDevice, lattice: FilamentLattice) -> MetalNetwork:
    """Bonds of the active metal on the lattice: those of bulk metal have conductivity times spacing."""
    conduction, step = device.conduction, lattice.mesh_size_nm
    sigma = device.material(device.layers.active.material).value("electrical_S_per_m")
    return MetalNetwork.build(
        lattice.sites, lattice.box_nm[2], bulk_S=sigma * step * 1e-9, spacing_nm=step,
        decay_nm=tunnelling_decay_nm(conduction.tunnel_barrier_eV, conduction.effective_mass),
        cutoff_nm=conduction.cutoff_nm,
    )  # fmt: skip


def ecm_fields(device: EcmDevice, lattice: FilamentLattice, network: MetalNetwork, comm: MPI.Comm) -> LatticeFields:
    """Potential and temperature on the sites of a lattice between the layers of the device; collective."""
    layers, conduction, heat = device.layers, device.conduction, device.heat
    stack = {"bottom": layers.bottom, "cap": layers.active, "top": layers.top}
    cell = lattice_mesh(
        lattice.positions_nm, lattice.box_nm, electrodes_nm={name: layer.thickness_nm for name, layer in stack.items()},
        domain_width_nm=device.mesh.domain_width_nm, size_nm=device.mesh.size_nm or lattice.mesh_size_nm,
        growth=device.mesh.growth, comm=comm, on_sites=device.mesh.size_nm is None,
    )  # fmt: skip
    regions = {
        **stack, "oxide": layers.electrolyte, "bottom_interface": layers.bottom, "top_interface": layers.active
    }  # fmt: skip

    def of_regions(key: str) -> dict[str, float]:
        return {name: device.material(layer.material).value(key) for name, layer in regions.items()}

    electrical = of_regions("electrical_S_per_m")
    electrical["oxide"] = conduction.electrolyte_S_per_m
    electrical["bottom_interface"] = electrical["top_interface"] = conduction.transfer_S_per_m2 * INTERFACE_NM * 1e-9
    path = HeatPath(
        relaxation_nm=heat.relaxation_length_nm,
        thermal_W_per_mK=of_regions("thermal_W_per_mK"),
        capacity_J_per_m3K=of_regions("capacity_J_per_m3K"),
        filament_W_per_mK=device.material(layers.active.material).value("thermal_W_per_mK"),
        boundary_W_per_m2K={"bottom": heat.boundary_bottom_W_per_m2K, "top": heat.boundary_top_W_per_m2K},
        ambient_K=device.ambient_K,
        spread_nm=heat.spread_nm,
    )
    # A cell of the film at metal holds the interface and its own electrolyte in series.
    series = 1.0 / (conduction.transfer_S_per_m2 * lattice.mesh_size_nm * 1e-9) + 1.0 / conduction.electrolyte_S_per_m
    return LatticeFields(
        cell, lattice.positions_nm, lattice.box_nm[2], network, electrical_S_per_m=electrical, heat=path,
        rtol=device.numerics.field_rtol, skin_S_per_m=1.0 / series, short_S=_SHORT * network.bulk_S,
    )  # fmt: skip
