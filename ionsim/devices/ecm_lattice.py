"""The lattice of an electrochemical metallisation cell: empty sites, metal ions and metal atoms between two electrodes.

Sites are those of the metal's face-centred cubic lattice. An atom costs ``strain + 6 bond`` less one ``bond`` for each
neighbouring atom and each neighbour in the active electrode, and ``inert_bond`` for each in the inert one: 0, but for
the strain, at a kink. An ion costs ``ion.energy`` and ``ion.repulsion`` for each ion beside it. Every process has its
reverse, at rates in detailed balance with these energies and with the work of the field:

====================  ================================  ==========================================
process               from -> to                        electrons
====================  ================================  ==========================================
ion_hop               ion, empty -> empty, ion          none
injection             empty -> ion (active electrode)   left in the active electrode
reduction             ion, atom -> atom, atom           from the atom beside it, at its potential
plating_active        ion -> atom (active electrode)    from the active electrode
plating_inert         ion -> atom (inert electrode)     from the inert electrode
surface_hop           atom, empty -> empty, atom        none
attachment            atom -> empty (active electrode)  none: the atom joins the electrode
====================  ================================  ==========================================
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import kmc
from ionsim.config.ecm import EcmDevice
from ionsim.devices.filament_lattice import FilamentLattice, lattice_engine, spread_over

EMPTY, ION, ATOM = SPECIES = ("empty", "ion", "atom")
ACTIVE, INERT = "active", "inert"

#: Neighbours of a site of a (100) plane in the next plane, and of a kink in all.
_ACROSS, _KINK = 4, 6


def ecm_lattice(device: EcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm = MPI.COMM_SELF) -> FilamentLattice:
    """Build the lattice of a virgin cell: all sites empty; ``seed`` draws the barriers of edges."""
    step = 0.5 * device.lattice_constant_nm
    positions, box_nm = fcc_film(device, step)
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=1.6 * step)
    height = positions[:, 2]
    contacts = {ACTIVE: np.flatnonzero(height > box_nm[2] - step), INERT: np.flatnonzero(height < step)}
    energy = np.zeros(len(positions))
    energy[contacts[ACTIVE]] -= _ACROSS * device.atom.bond_eV
    energy[contacts[INERT]] -= _ACROSS * device.atom.inert_bond_eV
    engine = lattice_engine(
        device, comm, sites, _model(device), np.zeros(len(positions), dtype=np.int8), seed.spawn(1)[0],
        site_energies_eV={ATOM: energy},
        barrier_shifts_eV={"ion_hop": spread_over(device.soft_spots, positions, "hop_shift_eV")},
        contacts={name: (members, np.full(len(members), 0.5 * step)) for name, members in contacts.items()},
    )  # fmt: skip
    return FilamentLattice(
        sites=sites,
        engine=engine,
        box_nm=box_nm,
        mesh_size_nm=step,
        conductors=(ATOM,),
        elements=("X", device.layers.active.material, device.layers.active.material),
        sublattices=("electrolyte",),
        regions=("electrolyte",),
        carriers=np.ones(len(positions), dtype=bool),
        counted={"n_ions": (ION,), "n_atoms": (ATOM,)},
        electrodes={ACTIVE: "top", INERT: "bottom"},
        feelers=(ION,),
    )


def fcc_film(device: EcmDevice, step_nm: float) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Sites (N, 3) of a (100) film on planes ``step_nm`` apart, the outer ones half of that inside; and the box, nm."""
    planes = [max(3, round(size / step_nm) + 1) for size in (device.lattice.width_nm, device.lattice.depth_nm)]
    layers = max(2, round(device.layers.electrolyte.thickness_nm / step_nm))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in (*planes, layers)), indexing="ij"), axis=-1).reshape(-1, 3)
    index = index[index.sum(axis=1) % 2 == 0]
    positions = step_nm * index.astype(float)
    positions[:, 2] += 0.5 * step_nm
    return positions, (step_nm * (planes[0] - 1), step_nm * (planes[1] - 1), step_nm * layers)


def _model(device: EcmDevice) -> kmc.Model:
    ion, atom, transfer = device.ion, device.atom, device.transfer
    redox: dict[str, Any] = {
        "prefactor_Hz": ion.attempt_Hz, "spread_eV": transfer.spread_eV, "max_rate_Hz": transfer.max_rate_Hz or np.inf
    }  # fmt: skip
    processes = [
        kmc.hop(
            ION, EMPTY, ion.hop_barrier_eV, name="ion_hop", prefactor_Hz=ion.attempt_Hz, charge_e=ion.charge_e,
            spread_eV=ion.hop_spread_eV, max_rate_Hz=ion.max_hop_rate_Hz or np.inf,
        ),
        kmc.electrode("injection", EMPTY, ION, ACTIVE, transfer.barrier_eV, reverse_name="absorption", **redox),
        kmc.reaction(
            "reduction", (ION, ATOM), (ATOM, ATOM), transfer.barrier_eV, reverse_name="oxidation", electrons="partner",
            **{**redox, "max_rate_Hz": transfer.max_metal_rate_Hz or np.inf},
        ),
        kmc.electrode(
            "plating_active", ION, ATOM, ACTIVE, transfer.barrier_eV, reverse_name="stripping_active", **redox
        ),
        kmc.electrode("plating_inert", ION, ATOM, INERT, transfer.barrier_eV, reverse_name="stripping_inert", **redox),
        kmc.hop(
            ATOM, EMPTY, atom.surface_barrier_eV, name="surface_hop", prefactor_Hz=ion.attempt_Hz,
            max_rate_Hz=atom.max_surface_rate_Hz or np.inf,
        ),
        kmc.electrode(
            "attachment", ATOM, EMPTY, ACTIVE, atom.electrode_barrier_eV, reverse_name="detachment",
            prefactor_Hz=ion.attempt_Hz,
        ),
    ]  # fmt: skip
    return kmc.Model(
        species=SPECIES,
        processes=processes,
        site_energies_eV={ION: ion.energy_eV, ATOM: atom.strain_eV + _KINK * atom.bond_eV},
        pair_energies=[kmc.PairEnergy(ATOM, ATOM, -atom.bond_eV), kmc.PairEnergy(ION, ION, ion.repulsion_eV)],
        reservoirs=[kmc.Reservoir(ACTIVE, 1), kmc.Reservoir(INERT, 1)],
    )


def part_of_model(device: EcmDevice, processes: Collection[str]) -> kmc.Model:
    """The cell's model with these pair processes alone, for metal without electrodes: same energies, same rates."""
    whole = _model(device)
    chosen = [process for process in whole.processes if process.name in processes]
    named = {name for process in chosen for name in (*process.before, *process.after)}
    return kmc.Model(
        species=tuple(name for name in whole.species if name in named),
        processes=chosen,
        site_energies_eV={name: value for name, value in whole.site_energies_eV.items() if name in named},
        pair_energies=[pair for pair in whole.pair_energies if {pair.first, pair.second} <= named],
    )
