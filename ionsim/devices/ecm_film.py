"""What the film of a metallisation cell is made of: soft columns, a barrier layer, dopants, clusters of metal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.config.ecm import Clusters, EcmDevice
from ionsim.devices.filament_lattice import spread_over
from ionsim.errors import DeviceFileError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Tries for places of clusters before the film counts as full.
_TRIES = 20_000

#: Least distance of two clusters' surfaces, in lattice planes: beyond nearest neighbours, so that they do not touch.
_APART = 1.5

#: Least share of the wanted metal that has to find room.
_ENOUGH = 0.9


@dataclass(frozen=True)
class Film:
    """What differs from site to site.

    Attributes:
        hop_shift_eV: (N,) added to the hop barrier of ions.
        ion_energy_eV: (N,) added to the energy of an ion.
        atom_energy_eV: (N,) added to the energy of an atom.
        metal: (N,) sites that hold an atom at the start.
    """

    hop_shift_eV: Floats
    ion_energy_eV: Floats
    atom_energy_eV: Floats
    metal: Mask

    @classmethod
    def build(cls, device: EcmDevice, positions_nm: Floats, seed: np.random.SeedSequence) -> Film:
        """Lay down the film of a device on the sites (N, 3); ``seed`` draws where dopants and clusters stand."""
        dopant_seed, cluster_seed = seed.spawn(2)
        hop_shift = spread_over(device.soft_spots, positions_nm, "hop_shift_eV")
        energy, atom_energy = np.zeros(len(positions_nm)), np.zeros(len(positions_nm))
        if device.dopants is not None:
            draw = np.random.default_rng(dopant_seed).random(len(positions_nm))
            energy[draw < device.dopants.fraction] -= device.dopants.binding_eV
        height_nm = device.layers.electrolyte.thickness_nm
        if device.layers.barrier is not None:
            within = positions_nm[:, 2] > height_nm
            hop_shift[within] += device.layers.barrier.hop_shift_eV
            energy[within] += device.layers.barrier.ion_shift_eV
            atom_energy[within] += device.layers.barrier.atom_shift_eV
        metal = np.zeros(len(positions_nm), dtype=bool)
        if device.clusters is not None:
            metal = strew(device.clusters, positions_nm, height_nm, np.random.default_rng(cluster_seed))
        return cls(hop_shift, energy, atom_energy, metal)


def strew(clusters: Clusters, positions_nm: Floats, height_nm: float, draw: np.random.Generator) -> Mask:
    """(N,) spheres at random places that touch neither each other nor the planes next to the electrodes.

    Raises DeviceFileError where the wanted share of the sites below ``height_nm`` does not find room.
    """
    metal = np.zeros(len(positions_nm), dtype=bool)
    planes = np.unique(np.round(positions_nm[:, 2], 6))
    step, radius = float(planes[1] - planes[0]), clusters.radius_nm
    low = np.array([0.0, 0.0, planes[0] + step + radius])
    high = np.append(positions_nm.max(axis=0)[:2], min(height_nm, planes[-1]) - step - radius)
    wanted = clusters.fraction * np.count_nonzero(positions_nm[:, 2] < height_nm)
    centres: list[Floats] = []
    for _ in range(_TRIES):
        if np.count_nonzero(metal) >= wanted:
            break
        centre = draw.uniform(low, np.maximum(low, high))
        if all(np.linalg.norm(centre - other) > 2.0 * radius + _APART * step for other in centres):
            centres.append(centre)
            metal |= np.linalg.norm(positions_nm - centre, axis=1) <= radius
    held = np.count_nonzero(metal)
    if held < _ENOUGH * wanted:
        share = clusters.fraction * held / wanted
        raise DeviceFileError(
            f"clusters.fraction: {clusters.fraction:g}; clusters of radius {radius:g} nm that do not touch fill up to "
            f"about {share:.2g} here"
        )
    return metal
