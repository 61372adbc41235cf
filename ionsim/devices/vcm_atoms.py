"""Explicit atoms: oxygen atoms and interstitial sites of a stack, between electrodes that are a continuum.

An oxygen atom and an empty interstitial site become a vacancy (2+) and an interstitial ion (2-) or come back together;
vacancies hop among the oxygen atoms, ions among the interstitial sites. Two state functions carry what depends on the
place, so that detailed balance holds by construction:

- An ion costs the generation energy of its layer (oxide, scavenging interface, cap) less the recombination barrier.
- A vacancy without its charge costs ``1.5 x``, gains ``x`` for every neighbouring vacancy and ``2 x`` next to an
  electrode atom, with ``x = frenkel.neutral_gain_eV``: neutral next to a metal atom or to two or more vacancies, else
  2+, which is the charge rule of the DeviceKMC code as an equilibrium. Its electrons come from the local potential (see
  :mod:`kmc.rates`).

Two vacancies next to each other have ``vacancy.pair_energy_eV`` (y) beside that: together y between two charged
ones, y - x between unlike and y - 2 x between two neutral ones.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import kmc
from ionsim.config.vcm import Frenkel, VcmDevice
from ionsim.devices.filament_lattice import IRREGULAR_MESH_NM, FilamentLattice, lattice_engine
from ionsim.devices.vcm_crystal import NM_PER_ANGSTROM, vacancy_hop
from ionsim.errors import DeviceFileError
from ionsim.structure import REGIONS, Stack, build_stack, read_stack, remove_oxygen
from ionsim.structure.layers import INTERFACE_NM
from ionsim.structure.stack import ION as ION_IN_FILE
from ionsim.structure.stack import VACANCY as VACANCY_IN_FILE
from ionsim.structure.stack import periodic_tree

OXYGEN, VACANCY, NEUTRAL, EMPTY, ION = SPECIES = ("oxygen", "vacancy", "neutral_vacancy", "empty", "ion")
GENERATION, RECOMBINATION = "pair_generation", "pair_recombination"
VACANCY_HOP, NEUTRAL_HOP, ION_HOP = "vacancy_hop", "neutral_hop", "ion_hop"
NEUTRALISATION, IONISATION = "neutralisation", "ionisation"
#: Neighbouring vacancies that an electrode atom counts for in the charge rule.
METAL_COUNTS = 2.0
#: The device file's oxide may differ from that of the atoms by a layer of the crystal (half a cell of HfO2).
_THICKNESS_NM = 0.3
#: Electrode atoms deeper than this are next to no mobile site, so a built stack has none.
_ELECTRODE_NM = 2.0

Floats = NDArray[np.float64]


def atoms_lattice(device: VcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm = MPI.COMM_SELF) -> FilamentLattice:
    """Build the lattice of a device with ``[structure]``.

    Mobile sites are the oxygen atoms and the interstitial sites from the bottom of the oxide to the top of the cap. The
    lattice is not periodic: it lies in the middle of a wider finite-element domain. ``seed`` draws the oxygen atoms
    that are missing at the start. Raises DeviceFileError or StructureError where atoms and device file disagree.
    """
    frenkel = device.frenkel
    if device.structure is None or frenkel is None:
        raise DeviceFileError("structure, frenkel: explicit atoms need both tables")
    stack = _stack(device)
    oxygen, interstitial = stack.where("oxygen"), stack.where("interstitial", REGIONS[1:])
    _check(device, stack, interstitial)
    mobile = np.concatenate([oxygen, interstitial])
    positions = stack.positions_nm[mobile]
    carriers = np.arange(len(mobile)) < len(oxygen)
    layer = stack.region[mobile]
    sites = kmc.SiteGraph.from_positions(
        positions, cutoff_nm=device.vacancy.hop_distance_nm, sublattice=np.where(carriers, 0, 1),
        region=[REGIONS.index(name) for name in layer.tolist()],
    )  # fmt: skip
    metal = np.zeros(len(mobile), dtype=bool)
    metal[carriers] = _near_metal(stack, oxygen, device.vacancy.hop_distance_nm)
    start, disorder = seed.spawn(2)
    missing = remove_oxygen(stack, device.vacancy.initial_fraction, np.random.default_rng(start))
    vacant = np.isin(mobile, missing) | (stack.symbol[mobile] == VACANCY_IN_FILE)
    held = stack.symbol[mobile] == ION_IN_FILE
    generation, hop_shift = _of_layer(frenkel, layer)
    engine = lattice_engine(
        device, comm, sites, _model(device, frenkel), _occupation(sites, carriers, vacant, held, metal), disorder,
        site_energies_eV={
            NEUTRAL: frenkel.neutral_gain_eV * (1.5 - METAL_COUNTS * metal),
            ION: np.where(carriers, 0.0, generation - frenkel.recombination_barrier_eV),
        },
        # An edge takes the mean of its ends: twice the shift at the interstitial end, nothing at the oxygen atom.
        barrier_shifts_eV={
            GENERATION: np.where(carriers, 0.0, generation - frenkel.generation_oxide_eV),
            ION_HOP: np.where(carriers, 0.0, hop_shift),
        },
    )  # fmt: skip
    return FilamentLattice(
        sites=sites,
        engine=engine,
        box_nm=(*stack.cell_nm, stack.thickness_nm),
        mesh_size_nm=IRREGULAR_MESH_NM,
        conductors=(VACANCY, NEUTRAL),
        elements=("O", "X", "X", "X", "O"),
        sublattices=("oxygen", "interstitial"),
        regions=REGIONS,
        carriers=carriers,
        counted={"n_vacancies": (VACANCY, NEUTRAL), "n_neutral": (NEUTRAL,), "n_ions": (ION,)},
    )


def _model(device: VcmDevice, frenkel: Frenkel) -> kmc.Model:
    vacancy, attempt_Hz = device.vacancy, device.vacancy.attempt_Hz
    gain, pair = frenkel.neutral_gain_eV, vacancy.pair_energy_eV
    processes = [
        kmc.reaction(
            GENERATION, (OXYGEN, EMPTY), (VACANCY, ION),
            0.5 * (frenkel.generation_oxide_eV + frenkel.recombination_barrier_eV), prefactor_Hz=attempt_Hz,
            polarisation_e_nm=frenkel.polarisation_eA * NM_PER_ANGSTROM,
            max_rate_Hz=frenkel.max_generation_rate_Hz or np.inf, reverse_name=RECOMBINATION,
        ),
        vacancy_hop(device, VACANCY, VACANCY_HOP, vacancy.charge_e),
        vacancy_hop(device, NEUTRAL, NEUTRAL_HOP, 0.0),
        kmc.hop(
            ION, into=EMPTY, barrier_eV=frenkel.ion_hop_barrier_eV, prefactor_Hz=attempt_Hz,
            charge_e=-vacancy.charge_e, name=ION_HOP, max_rate_Hz=frenkel.max_ion_hop_rate_Hz or np.inf,
        ),
        kmc.reaction(
            NEUTRALISATION, (VACANCY,), (NEUTRAL,), frenkel.charge_barrier_eV, prefactor_Hz=attempt_Hz,
            max_rate_Hz=frenkel.max_charge_rate_Hz or np.inf, reverse_name=IONISATION,
        ),
    ]  # fmt: skip
    pairs = [
        kmc.PairEnergy(VACANCY, VACANCY, pair),
        kmc.PairEnergy(VACANCY, NEUTRAL, pair - gain),
        kmc.PairEnergy(NEUTRAL, NEUTRAL, pair - 2.0 * gain),
    ]
    return kmc.Model(species=SPECIES, processes=processes, pair_energies=pairs)


def _occupation(
    sites: kmc.SiteGraph, carriers: NDArray[np.bool_], vacant: NDArray[np.bool_], held: NDArray[np.bool_],
    metal: NDArray[np.bool_],
) -> NDArray[np.int8]:  # fmt: skip
    """(N,) species at the start, charges by the rule."""
    neighbours = np.bincount(sites.origin, vacant[sites.target], len(vacant))
    neutral = neighbours + METAL_COUNTS * metal > 1.5
    species = np.where(carriers, SPECIES.index(OXYGEN), np.where(held, SPECIES.index(ION), SPECIES.index(EMPTY)))
    species[vacant] = np.where(neutral[vacant], SPECIES.index(NEUTRAL), SPECIES.index(VACANCY))
    return species.astype(np.int8)


def _of_layer(frenkel: Frenkel, layer: NDArray[np.str_]) -> tuple[Floats, Floats]:
    """(N,) generation energy of a pair whose ion stands here, and shift of the ion's hop barrier, eV."""
    interface, cap = layer == "top_interface", layer == "top"
    generation = np.where(interface, frenkel.generation_interface_eV, frenkel.generation_oxide_eV)
    generation = np.where(cap, frenkel.generation_cap_eV, generation)
    return generation, np.where(cap, frenkel.ion_hop_barrier_cap_eV - frenkel.ion_hop_barrier_eV, 0.0)


def _near_metal(stack: Stack, sites: NDArray[np.intp], within_nm: float) -> NDArray[np.bool_]:
    """(len(sites),) which sites have an electrode atom within this distance, across the cell's edges as well."""
    atoms = stack.positions_nm[stack.where(("bottom_metal", "top_metal"))]
    if not len(atoms):
        return np.zeros(len(sites), dtype=bool)
    distance, _ = periodic_tree(atoms, stack.cell_nm).query(stack.positions_nm[sites])
    return np.asarray(distance <= within_nm)


def _stack(device: VcmDevice) -> Stack:
    """The atoms of the device file, or those that its crystal gives."""
    given, layers = device.structure, device.layers
    if given is None or given.atoms is None:
        return build_stack(
            device.lattice.crystal, device.lattice.width_nm, device.lattice.depth_nm, layers.oxide.thickness_nm,
            min(layers.bottom.thickness_nm, _ELECTRODE_NM), layers.cap.thickness_nm,
            min(layers.top.thickness_nm, _ELECTRODE_NM),
        )  # fmt: skip
    interface = None
    if given.interface_nm is not None and given.oxide_nm is not None:
        interface = ((given.oxide_nm[0], given.oxide_nm[0] + INTERFACE_NM), given.interface_nm)
    return read_stack(
        given.atoms, given.interstitials, axis=given.axis, oxide_nm=given.oxide_nm, interface_nm=interface
    )


def _check(device: VcmDevice, stack: Stack, interstitial: NDArray[np.intp]) -> None:
    """Raise DeviceFileError where the atoms do not fit the layers of the device file."""
    layers, size = device.layers, max(stack.cell_nm)
    if abs(stack.thickness_nm - layers.oxide.thickness_nm) > _THICKNESS_NM:
        raise DeviceFileError(
            f"layers.oxide.thickness_nm = {layers.oxide.thickness_nm:g}: the oxide of the atoms is "
            f"{stack.thickness_nm:.3f} nm thick; must agree within {_THICKNESS_NM} nm"
        )
    if device.mesh.domain_width_nm < size:
        raise DeviceFileError(
            f"mesh.domain_width_nm = {device.mesh.domain_width_nm:g}: must be at least the width of the atoms' cell, "
            f"{size:.3f} nm"
        )
    if not len(interstitial):
        raise DeviceFileError("structure.interstitials: the atoms have no interstitial site in the oxide or the cap")
    reach = float(stack.positions_nm[interstitial, 2].max()) - stack.thickness_nm
    if reach >= layers.cap.thickness_nm + layers.top.thickness_nm:
        raise DeviceFileError(
            f"layers.cap.thickness_nm = {layers.cap.thickness_nm:g}: interstitial sites reach {reach:.3f} nm above the "
            "oxide; cap and top electrode must together be thicker"
        )
