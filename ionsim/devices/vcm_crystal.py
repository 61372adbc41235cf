"""The oxygen sublattice of a crystal, with vacancies that hop and a cap that takes up oxygen.

Vacancies hop on the oxygen sublattice; at the scavenging cap an oxygen ion leaves its site (release, which makes a
vacancy) or comes back (return), with the cap as a finite reservoir that remembers how many ions it holds.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

import kmc
from ionsim.config.vcm import VcmDevice
from ionsim.devices.filament_lattice import IRREGULAR_MESH_NM, FilamentLattice, lattice_engine, spread_over
from ionsim.devices.vcm_grains import annealed, boundaries
from ionsim.structure import oxygen_sublattice

OXYGEN, VACANCY = SPECIES = ("oxygen", "vacancy")
CAP = "cap"
HOP, RELEASE, RETURN = "vacancy_hop", "oxygen_release", "oxygen_return"

#: eV per (V/nm) in one e Angstrom.
NM_PER_ANGSTROM = 0.1


def crystal_lattice(device: VcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm = MPI.COMM_SELF) -> FilamentLattice:
    """Build the lattice of a device without ``[structure]``; its vacancies stand at random sites drawn by ``seed``."""
    vacancy, exchange = device.vacancy, device.exchange
    film = oxygen_sublattice(
        device.lattice.crystal, device.lattice.width_nm, device.lattice.depth_nm, device.layers.oxide.thickness_nm
    )
    positions = film.positions_nm
    start, disorder, structure = seed.spawn(3)
    spots = device.weak_spots
    energies = spread_over(spots, positions, "site_energy_eV")
    shifts = {HOP: spread_over(spots, positions, "hop_shift_eV")}
    if exchange is not None:
        shifts[RELEASE] = spread_over(spots, positions, "exchange_shift_eV")
    grains = None if device.grains is None else boundaries(
        device.grains, film, device.lattice.crystal, structure
    )
    sites = kmc.SiteGraph.from_positions(
        positions, cutoff_nm=vacancy.hop_distance_nm, region=None if grains is None else grains.labels.region
    )
    if grains is not None:
        energies += grains.site_energy_eV
        shifts[HOP] = 0.5 * (shifts[HOP][sites.origin] + shifts[HOP][sites.target]) + grains.edge_shifts_eV(sites)
        if exchange is not None:
            shifts[RELEASE] += grains.exchange_shift_eV
    number = round(vacancy.initial_fraction * len(positions))
    anneal_K = None if device.grains is None else device.grains.anneal_K
    occupation = np.zeros(len(positions), dtype=np.int8)
    occupation[annealed(number, energies, anneal_K, np.random.default_rng(start))] = SPECIES.index(VACANCY)
    contacts, held = {}, {}
    if exchange is not None:
        distance = film.thickness_nm - positions[:, 2]
        near = np.flatnonzero(distance <= exchange.reach_nm)
        contacts[CAP] = (near, distance[near])
        filled = exchange.initial_reservoir
        held[CAP] = number if filled == "vacancies" else int(filled)
    engine = lattice_engine(
        device, comm, sites, _model(device), occupation, disorder,
        site_energies_eV={VACANCY: energies},
        barrier_shifts_eV=shifts, contacts=contacts, reservoir_counts=held,
    )  # fmt: skip
    return FilamentLattice(
        sites=sites,
        engine=engine,
        box_nm=(*film.cell_nm, film.thickness_nm),
        mesh_size_nm=film.spacing_nm if device.lattice.crystal == "cubic" else IRREGULAR_MESH_NM,
        conductors=(VACANCY,),
        elements=("O", "X"),
        sublattices=("oxygen",),
        regions=("oxide",) if grains is None else grains.labels.regions,
        film=None if grains is None else grains.film,
        carriers=np.ones(len(positions), dtype=bool),
        counted={"n_vacancies": (VACANCY,)},
        electrodes={} if exchange is None else {CAP: "top"},
        counted_reservoirs=() if exchange is None else (CAP,),
    )


def _model(device: VcmDevice) -> kmc.Model:
    vacancy, exchange = device.vacancy, device.exchange
    processes, reservoirs = [vacancy_hop(device, VACANCY, HOP, vacancy.charge_e)], []
    if exchange is not None:
        processes.append(
            kmc.exchange(
                RELEASE, OXYGEN, VACANCY, CAP, exchange.barrier_eV, energy_eV=exchange.energy_eV,
                prefactor_Hz=vacancy.attempt_Hz, spread_eV=exchange.spread_eV,
                polarisation_e_nm=exchange.polarisation_eA * NM_PER_ANGSTROM,
                max_rate_Hz=exchange.max_rate_Hz or np.inf, reverse_name=RETURN,
            )
        )  # fmt: skip
        reservoirs.append(kmc.Reservoir(CAP, exchange.reservoir_sites, exchange.filling_energy_eV))
    pairs = [kmc.PairEnergy(VACANCY, VACANCY, vacancy.pair_energy_eV)]
    return kmc.Model(species=SPECIES, processes=processes, pair_energies=pairs, reservoirs=reservoirs)


def vacancy_hop(device: VcmDevice, species: str, name: str, charge_e: float) -> kmc.Process:
    """The hop of a vacancy of this charge (e) onto a neighbouring oxygen site, with the numbers of ``[vacancy]``."""
    vacancy = device.vacancy
    return kmc.hop(
        species, into=OXYGEN, barrier_eV=vacancy.hop_barrier_eV, prefactor_Hz=vacancy.attempt_Hz,
        charge_e=charge_e, name=name, spread_eV=vacancy.hop_spread_eV,
        polarisation_e_nm=vacancy.polarisation_eA * NM_PER_ANGSTROM, max_rate_Hz=vacancy.max_hop_rate_Hz or np.inf,
    )  # fmt: skip
