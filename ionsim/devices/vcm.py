"""Oxygen-vacancy filaments (VCM): vacancies on a crystal's oxygen sublattice, or among explicit atoms."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from ionsim.config.vcm import VcmDevice
from ionsim.devices.filament import FilamentDevice
from ionsim.devices.vcm_atoms import atoms_lattice
from ionsim.devices.vcm_crystal import crystal_lattice
from ionsim.devices.vcm_fields import vcm_fields


class Vcm(FilamentDevice):
    """A VCM device (:mod:`ionsim.devices.vcm_crystal`, :mod:`ionsim.devices.vcm_atoms`)."""

    def __init__(self, device: VcmDevice, seed: np.random.SeedSequence, comm: MPI.Comm | None = None) -> None:
        comm = MPI.COMM_WORLD if comm is None else comm
        lattice = (crystal_lattice if device.structure is None else atoms_lattice)(device, seed, comm)
        super().__init__(device, lattice, vcm_fields(device, lattice, comm))
