"""Silver and copper filaments (ECM): ions of an active electrode, a filament that they grow, and its fields.

One potential for all charges: the film conducts ions (``electrolyte_S_per_m``), every interface with metal has the
conductance of charge transfer by area (so that part of the voltage is the overpotential at the electrodes and at the
filament's surface), and metal is :class:`ionsim.coupling.MetalNetwork`. With ``ion.space_charge`` ions feel each other
through :class:`ionsim.coupling.SpaceCharge` as well, which follows every event that moves, makes or takes an ion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import kmc
import meshes
from ionsim.config.ecm import EcmDevice
from ionsim.config.filament import Layer
from ionsim.coupling import (
    FilmPotential,
    HeatPath,
    LatticeFields,
    MetalNetwork,
    SpaceCharge,
    lateral_mesh,
    lattice_mesh,
    tunnelling_decay_nm,
)
from ionsim.coupling.lattice_mesh import INTERFACE_NM
from ionsim.devices.ecm_lattice import ION, ecm_lattice, film_electrons
from ionsim.devices.filament import FilamentDevice
from ionsim.devices.filament_lattice import FilamentLattice
from ionsim.drive import Circuit

#: A conductor with this share of a bond of bulk metal, or more, is metal (thin cells of electrodes): the bonds of the
#: metal's atoms, not the electrolyte, which is worse by ten decades.
_SHORT = 1e-3


class Ecm(FilamentDevice):
    """An ECM cell; its rows also hold the atoms of the narrowest cross-section of a bridge (``channels``)."""

    def __init__(self, device: EcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm | None = None) -> None:
        comm = MPI.COMM_WORLD if comm is None else comm
        lattice = ecm_lattice(device, seed, comm)
        self.network = metal_network(device, lattice)
        self._film_electrons = film_electrons(device, lattice.positions_nm[:, 2])
        self.charge = space_charge(device, lattice, self.network) if device.ion.space_charge else None
        super().__init__(device, lattice, ecm_fields(device, lattice, self.network, comm))
        self.cut_normal = 0 if device.layout == "lateral" else 1  # along the current, and down into the substrate

    def observe(self) -> dict[str, float]:
        """One row of the time series."""
        metal = self.lattice.conducting(self.engine.occupation)
        return {**super().observe(), "channels": float(self.network.channels(metal))}

    def _set_fields(self) -> None:
        """Metal that has joined the active electrode is electrode: ions leave it, electrons of the film go into it."""
        if "injection_joined" in self.engine.counts:
            beside = self.network.beside_joined(self.lattice.conducting(self._solved))
            factors = {"injection_joined": beside.astype(float)}
            if "film_reduction" in self.engine.counts:
                factors["film_reduction"] = self._film_electrons * ~beside
            if isinstance(self.engine, kmc.ParallelEngine):
                self.engine.change_factors(factors)
            else:
                kmc.change_factors(self.engine.table, self.engine.model, factors)
        super()._set_fields()

    # -- space charge: None leaves all as it is for other families --------------------------------------------

    @property
    def potential_V(self) -> NDArray[np.float64]:
        """(N,) the potential that ions feel: of conduction, and of the other ions."""
        return super().potential_V if self.charge is None else super().potential_V + self.charge.potential_V

    def _follow(self, circuit: Circuit) -> None:
        moved = self.engine.drift > self._threshold_V * (1.0 - 1e-9) or self._off_point
        if self.charge is not None and not moved:
            self._update_charge(self.charge)  # only ions came, went or moved
            self._set_fields()
            self._watch()
        else:
            self._refresh(circuit)

    def _solve(self, circuit: Circuit) -> None:
        if self.charge is not None:
            self._update_charge(self.charge)
        super()._solve(circuit)

    def _update_charge(self, charge: SpaceCharge) -> None:
        occupation = self.engine.occupation
        charge.update(occupation == self.species.index(ION), self.lattice.conducting(occupation))

    def _felt(self, potential_V: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Metal has two at its surface: that of its electrons, and that of an ion before the double layer."""
        ion, electron = self.network.two_sides(self.lattice.conducting(self._solved), potential_V)
        return ion, {"electron_V": electron} | ({} if self.charge is None else {"own_V": self.charge.own_V})

    def _watch(self) -> None:
        if self.charge is None or not isinstance(self.engine, kmc.Engine):
            super()._watch()
            return
        self.engine.watch(
            self._weight, self._threshold_V, since=self._solved, alike=self.lattice.alike, stop=(ION,),
            change=self._change_S, within=self._within_S,
        )  # fmt: skip

    def checkpoint(self) -> dict[str, Any]:
        """As of every filament, and where ions and metal were when their charge was last followed."""
        saved = super().checkpoint()
        return saved if self.charge is None else {**saved, "charge": self.charge.checkpoint()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a checkpoint of the same device."""
        super().restore(saved)
        if self.charge is not None:
            self.charge.restore(saved["charge"])
            self._set_fields()

    def summary(self) -> dict[str, Any]:
        """As of every filament, and how often the charge was followed."""
        return super().summary() if self.charge is None else {**super().summary(), "n_charge": self.charge.n_updates}


def metal_network(device: EcmDevice, lattice: FilamentLattice) -> MetalNetwork:
    """Bonds of the active metal on the lattice: those of bulk metal have conductivity times spacing."""
    conduction, step = device.conduction, lattice.mesh_size_nm
    sigma = device.material(device.metal).value("electrical_S_per_m")
    layer, barrier = device.layers.barrier, None
    if layer is not None:
        depth_eV = layer.tunnel_barrier_eV or conduction.tunnel_barrier_eV
        decay_nm = tunnelling_decay_nm(depth_eV, layer.effective_mass or conduction.effective_mass)
        barrier = (device.layers.electrolyte.thickness_nm, decay_nm)
    return MetalNetwork.build(
        lattice.sites, lattice.box_nm[2], bulk_S=sigma * step * 1e-9, spacing_nm=step,
        decay_nm=tunnelling_decay_nm(conduction.tunnel_barrier_eV, conduction.effective_mass),
        cutoff_nm=conduction.cutoff_nm, barrier=barrier,
    )  # fmt: skip


def film_S_per_m(device: EcmDevice, cell: meshes.LabelledMesh) -> NDArray[np.float64]:
    """Conductivity of the film without metal, by cell of the region "oxide" (owned ones, in their order)."""
    cells = fem.region_cells(cell, "oxide")
    values = np.full(len(cells), device.conduction.electrolyte_S_per_m)
    barrier = device.layers.barrier
    if barrier is not None:
        values[fem.midpoints_nm(cell)[cells, 2] > device.layers.electrolyte.thickness_nm] = barrier.conductivity_S_per_m
    return values


def space_charge(device: EcmDevice, lattice: FilamentLattice, network: MetalNetwork) -> SpaceCharge:
    """The charge of ions in the film between two surfaces of metal; an atom is as large as its share of the crystal."""
    permittivity = device.material(device.layers.electrolyte.material).value("relative_permittivity")
    film = FilmPotential(lattice.positions_nm, lattice.box_nm[2], lattice.mesh_size_nm, permittivity)
    return SpaceCharge(
        lattice.sites, film, charge_e=device.ion.charge_e,
        touching=network.contacts["bottom"] | network.contacts["top"],
        atom_radius_nm=device.lattice_constant_nm * (3.0 / (16.0 * np.pi)) ** (1.0 / 3.0),
    )  # fmt: skip


def ecm_fields(device: EcmDevice, lattice: FilamentLattice, network: MetalNetwork, comm: MPI.Comm) -> LatticeFields:
    """Potential and temperature on the sites of a lattice between the layers of the device; collective."""
    layers, conduction, heat = device.layers, device.conduction, device.heat
    stack = {"bottom": layers.bottom, "cap": layers.active, "top": layers.top}
    cell = _mesh(device, lattice, {name: layer.thickness_nm for name, layer in stack.items()}, comm)
    regions: dict[str, Layer] = {
        **stack, "oxide": layers.electrolyte, "bottom_interface": layers.bottom, "top_interface": layers.active,
        **layers.around(),
    }  # fmt: skip
    boundary = {"bottom": heat.boundary_bottom_W_per_m2K, "top": heat.boundary_top_W_per_m2K}
    if layers.substrate is not None:
        regions["substrate_interface"] = layers.substrate
        boundary["substrate"] = heat.boundary_substrate_W_per_m2K

    def of_regions(key: str) -> dict[str, float]:
        return {name: device.material(layer.material).value(key) for name, layer in regions.items()}

    electrical: dict[str, Any] = dict(of_regions("electrical_S_per_m"))
    deposit_S_per_m2 = conduction.deposit_S_per_m2 or conduction.transfer_S_per_m2
    electrical["oxide"] = film_S_per_m(device, cell)
    electrical["bottom_interface"] = deposit_S_per_m2 * INTERFACE_NM * 1e-9
    electrical["top_interface"] = conduction.transfer_S_per_m2 * INTERFACE_NM * 1e-9
    path = HeatPath(
        relaxation_nm=heat.relaxation_length_nm,
        thermal_W_per_mK=of_regions("thermal_W_per_mK"),
        capacity_J_per_m3K=of_regions("capacity_J_per_m3K"),
        filament_W_per_mK=device.material(device.metal).value("thermal_W_per_mK"),
        boundary_W_per_m2K=boundary,
        ambient_K=device.ambient_K,
        spread_nm=heat.spread_nm,
        sinks=tuple(boundary),
    )
    # A cell of the film at metal holds the interface and its own electrolyte in series.
    series = 1.0 / (deposit_S_per_m2 * lattice.mesh_size_nm * 1e-9) + 1.0 / electrical["oxide"]
    return LatticeFields(
        cell, lattice.positions_nm, lattice.box_nm[2], network, electrical_S_per_m=electrical, heat=path,
        rtol=device.numerics.field_rtol, skin_S_per_m=1.0 / series, short_S=_SHORT * network.bulk_S,
        insulators=[name for name in regions if name.startswith(("substrate", "capping"))],
    )  # fmt: skip


def _mesh(
    device: EcmDevice, lattice: FilamentLattice, electrodes_nm: dict[str, float], comm: MPI.Comm
) -> meshes.LabelledMesh:
    """The mesh of a vertical or of a lateral cell."""
    layers, mesh, box_nm = device.layers, device.mesh, lattice.box_nm
    shared: dict[str, Any] = {
        "electrodes_nm": electrodes_nm, "domain_width_nm": mesh.domain_width_nm, "growth": mesh.growth, "comm": comm,
        "size_nm": mesh.size_nm or lattice.mesh_size_nm, "on_sites": mesh.size_nm is None,
    }  # fmt: skip
    if layers.substrate is None:
        return lattice_mesh(lattice.positions_nm, box_nm, **shared)
    # The film's thickness is a whole number of lattice planes: electrodes that differ by less are as high as it is.
    given_nm = layers.electrode_height_nm or box_nm[1]
    height_nm = given_nm if given_nm > box_nm[1] + lattice.mesh_size_nm else box_nm[1]
    capping_nm = layers.capping.thickness_nm if layers.capping else 0.0
    return lateral_mesh(
        lattice.positions_nm, box_nm, height_nm=height_nm, substrate_nm=layers.substrate.thickness_nm,
        capping_nm=capping_nm, **shared,
    )  # fmt: skip
