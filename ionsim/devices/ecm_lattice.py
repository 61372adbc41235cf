"""The lattice of an electrochemical metallisation cell: empty sites, metal ions and metal atoms between two electrodes.

Sites are those of the metal's face-centred cubic lattice. An atom costs ``strain + 6 bond`` less one ``bond`` for each
neighbouring atom and each neighbour in the active electrode, and ``inert_bond`` for each in the inert one: 0, but for
the strain (and ``atom_shift`` in a barrier layer), at a kink. An ion costs ``ion.energy`` and ``ion.repulsion`` for
each ion beside it (nothing with ``ion.space_charge``: the potential holds it). Every process has its reverse, at rates
in detailed balance with these energies and with the work of the field:

====================  ================================  ==========================================
process               from -> to                        electrons
====================  ================================  ==========================================
ion_hop               ion, empty -> empty, ion          none
injection             empty -> ion (active electrode)   left in the active electrode
injection_joined      empty -> ion (metal joined to     left in the active electrode (with
                      the active electrode)             ``transfer.joined_metal``)
reduction             ion, atom -> atom, atom           from the atom beside it, at its potential
plating_active        ion -> atom (active electrode)    from the active electrode
plating_inert         ion -> atom (inert electrode)     from the inert electrode
film_reduction        ion -> atom (any site but those   from the inert electrode, through traps of the electrolyte
                      at the active electrode)
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
from ionsim.devices.ecm_film import Film
from ionsim.devices.filament_lattice import FilamentLattice, lattice_engine

EMPTY, ION, ATOM = SPECIES = ("empty", "ion", "atom")
ACTIVE, INERT, FILM, JOINED = "active", "inert", "film", "joined"

#: Neighbours of a site of a (100) plane in the next plane, and of a kink in all.
_ACROSS, _KINK = 4, 6


def ecm_lattice(device: EcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm = MPI.COMM_SELF) -> FilamentLattice:
    """Build the lattice of a virgin cell; ``seed`` draws barriers of edges, and where dopants and clusters stand."""
    step = 0.5 * device.lattice_constant_nm
    engine_seed, film_seed = seed.spawn(2)
    positions, box_nm = fcc_film(device, step)
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=1.6 * step)
    height = positions[:, 2]
    contacts = {ACTIVE: np.flatnonzero(height > box_nm[2] - step), INERT: np.flatnonzero(height < step)}
    energy = np.zeros(len(positions))
    active_eV = device.kinetic("atom.bond_eV") if device.dissolves else device.atom.inert_bond_eV
    energy[contacts[ACTIVE]] -= _ACROSS * active_eV
    energy[contacts[INERT]] -= _ACROSS * device.atom.inert_bond_eV
    touching = {name: (members, np.full(len(members), 0.5 * step)) for name, members in contacts.items()}
    factors = {}
    if device.film_reduction is not None:
        # An electron that comes as far as the active electrode goes into it, not into an ion on its surface.
        members = np.setdiff1d(np.arange(len(positions)), contacts[ACTIVE])
        touching[FILM] = (members, height[members])
        factors["film_reduction"] = film_electrons(device, height)
    if device.transfer.joined_metal and device.dissolves:
        members = np.setdiff1d(np.arange(len(positions)), contacts[ACTIVE])
        touching[JOINED] = (members, np.full(len(members), 0.5 * step))
        factors["injection_joined"] = np.zeros(len(positions))  # no metal has joined yet
    film = Film.build(device, positions, film_seed)
    engine = lattice_engine(
        device, comm, sites, _model(device), np.where(film.metal, SPECIES.index(ATOM), 0).astype(np.int8), engine_seed,
        site_energies_eV={ATOM: energy + film.atom_energy_eV, ION: film.ion_energy_eV},
        barrier_shifts_eV={"ion_hop": film.hop_shift_eV},
        contacts=touching, rate_factors=factors,
    )  # fmt: skip
    return FilamentLattice(
        sites=sites,
        engine=engine,
        box_nm=box_nm,
        mesh_size_nm=step,
        conductors=(ATOM,),
        elements=("X", device.metal, device.metal),
        sublattices=("electrolyte",),
        regions=("electrolyte",),
        carriers=np.ones(len(positions), dtype=bool),
        counted={"n_ions": (ION,), "n_atoms": (ATOM,)},
        electrodes={name: "bottom" if name in (INERT, FILM) else "top" for name in touching},
        feelers=(ION,),
    )


def film_electrons(device: EcmDevice, height_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) share of the electrons of the inert electrode that come as far as these heights through traps."""
    if device.film_reduction is None:
        return np.zeros_like(height_nm)
    return np.asarray(np.exp(-height_nm / device.film_reduction.decay_nm))


def fcc_film(device: EcmDevice, step_nm: float) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Sites (N, 3) of a (100) film on planes ``step_nm`` apart, the outer ones half of that inside; and the box, nm."""
    planes = [max(3, round(size / step_nm) + 1) for size in (device.lattice.width_nm, device.lattice.depth_nm)]
    layers = max(2, round(device.film_nm / step_nm))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in (*planes, layers)), indexing="ij"), axis=-1).reshape(-1, 3)
    index = index[index.sum(axis=1) % 2 == 0]
    positions = step_nm * index.astype(float)
    positions[:, 2] += 0.5 * step_nm
    return positions, (step_nm * (planes[0] - 1), step_nm * (planes[1] - 1), step_nm * layers)


def _model(device: EcmDevice) -> kmc.Model:
    ion, atom, transfer = device.ion, device.atom, device.transfer
    barrier_eV = device.kinetic("transfer.barrier_eV")
    active_eV = barrier_eV if transfer.active_barrier_eV is None else transfer.active_barrier_eV
    repulsion_eV = 0.0 if ion.space_charge else ion.repulsion_eV
    redox: dict[str, Any] = {
        "prefactor_Hz": ion.attempt_Hz, "spread_eV": transfer.spread_eV, "max_rate_Hz": transfer.max_rate_Hz or np.inf
    }  # fmt: skip
    processes = [
        kmc.hop(
            ION, EMPTY, device.kinetic("ion.hop_barrier_eV"), name="ion_hop", prefactor_Hz=ion.attempt_Hz,
            charge_e=ion.charge_e, spread_eV=ion.hop_spread_eV, max_rate_Hz=ion.max_hop_rate_Hz or np.inf,
        ),
        kmc.electrode("injection", EMPTY, ION, ACTIVE, active_eV, reverse_name="absorption", **redox),
        kmc.reaction(
            "reduction", (ION, ATOM), (ATOM, ATOM), barrier_eV, reverse_name="oxidation", electrons="partner",
            **{**redox, "max_rate_Hz": transfer.max_metal_rate_Hz or np.inf},
        ),
        kmc.electrode("plating_active", ION, ATOM, ACTIVE, active_eV, reverse_name="stripping_active", **redox),
        kmc.electrode(
            "plating_inert", ION, ATOM, INERT, barrier_eV + transfer.nucleation_barrier_eV,
            reverse_name="stripping_inert", **redox,
        ),
        kmc.hop(
            ATOM, EMPTY, device.kinetic("atom.surface_barrier_eV"), name="surface_hop", prefactor_Hz=ion.attempt_Hz,
            max_rate_Hz=atom.max_surface_rate_Hz or np.inf,
        ),
        kmc.electrode(
            "attachment", ATOM, EMPTY, ACTIVE, atom.electrode_barrier_eV, reverse_name="detachment",
            prefactor_Hz=ion.attempt_Hz,
        ),
    ]  # fmt: skip
    if not device.dissolves:
        processes = [process for process in processes if process.name not in ("injection", "attachment")]
    reservoirs = [ACTIVE, INERT]
    if device.film_reduction is not None:
        processes.append(
            kmc.electrode(
                "film_reduction", ION, ATOM, FILM, device.film_reduction.barrier_eV, reverse_name="film_oxidation",
                prefactor_Hz=ion.attempt_Hz,
            )
        )  # fmt: skip
        reservoirs.append(FILM)
    if transfer.joined_metal and device.dissolves:
        processes.append(
            kmc.electrode("injection_joined", EMPTY, ION, JOINED, barrier_eV, reverse_name="absorption_joined", **redox)
        )
        reservoirs.append(JOINED)
    bond_eV = device.kinetic("atom.bond_eV")
    return kmc.Model(
        species=SPECIES,
        processes=processes,
        site_energies_eV={
            ION: device.kinetic("ion.energy_eV"), ATOM: device.kinetic("atom.strain_eV") + _KINK * bond_eV
        },
        pair_energies=[kmc.PairEnergy(ATOM, ATOM, -bond_eV), kmc.PairEnergy(ION, ION, repulsion_eV)],
        reservoirs=[kmc.Reservoir(name, 1) for name in reservoirs],
    )  # fmt: skip


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
