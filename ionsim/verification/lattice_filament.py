"""A lattice of oxygen sites with a random filament in its finite elements: the set-up that several cases share."""

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from ionsim.coupling import HeatPath, LatticeFields, Network, lattice_mesh, tunnelling_decay_nm
from ionsim.structure import OxygenSublattice, oxygen_sublattice

AMBIENT_K = 300.0
_BOX_NM = (2.5, 2.5, 3.0)
_ELECTRODES_NM = {"bottom": 8.0, "cap": 4.0, "top": 8.0}
_METALS = ("bottom", "bottom_interface", "top_interface", "cap", "top")


def lattice() -> OxygenSublattice:
    """The 1,200 oxygen sites."""
    return oxygen_sublattice("cubic", *_BOX_NM)


def lattice_fields(relaxation_nm: float = 12.0, rtol: float = 1e-12) -> LatticeFields:
    """Fields on the lattice in a domain of 14 nm, with tunnelling bonds and lone traps that conduct less."""
    film = lattice()
    cell = lattice_mesh(
        film.positions_nm, (*film.cell_nm, film.thickness_nm), electrodes_nm=_ELECTRODES_NM, domain_width_nm=14.0,
        size_nm=film.spacing_nm, growth=2.0, comm=MPI.COMM_SELF,
    )  # fmt: skip
    network = Network.build(
        film.positions_nm, film.thickness_nm, contact_conductance_S=7.7e-5, metallic_nm=0.26,
        decay_nm=tunnelling_decay_nm(1.6, 0.85), cutoff_nm=0.82, isolated_share=0.01, metallic_neighbours=3,
    )  # fmt: skip
    heat = HeatPath(
        relaxation_nm=relaxation_nm,
        thermal_W_per_mK={**dict.fromkeys(_METALS, 15.0), "oxide": 0.8},
        capacity_J_per_m3K={**dict.fromkeys(_METALS, 3e6), "oxide": 2.8e6},
        filament_W_per_mK=5.0,
        boundary_W_per_m2K={"bottom": 5e8, "top": 1e9},
        ambient_K=AMBIENT_K,
    )
    electrical = {**dict.fromkeys(_METALS, 1e6), "oxide": 0.3}
    return LatticeFields(
        cell, film.positions_nm, film.thickness_nm, network, electrical_S_per_m=electrical, heat=heat, rtol=rtol
    )


def random_filament(gap_nm: float, seed: int = 1) -> NDArray[np.bool_]:
    """Which of the sites (N,) are vacant: 70 % near the axis except in a gap below the cap, 5 % elsewhere."""
    x, y, z = lattice().positions_nm.T
    radius = np.hypot(x - _BOX_NM[0] / 2, y - _BOX_NM[1] / 2)
    filament = (radius < 0.6) & (np.abs(z - 0.8 * _BOX_NM[2]) > gap_nm / 2)
    return np.asarray(np.random.default_rng(seed).random(len(z)) < np.where(filament, 0.7, 0.05))
