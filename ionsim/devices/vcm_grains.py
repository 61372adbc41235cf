"""Grain boundaries of a VCM lattice: where they run, and what they add to energies and barriers.

The interior of grains is the crystal of ``[vacancy]`` and ``[exchange]``; sites within half a width of a boundary get
the offsets of its class. Where something is drawn, it is drawn from streams of its own: a film with other numbers has
the same boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

import kmc
import meshes
from ionsim.config.grains import CLASSES, AnyGrains, ImageGrains, NeperGrains, SingleBoundary
from ionsim.config.vcm import VcmDevice
from ionsim.errors import DeviceFileError
from ionsim.structure import OxygenSublattice, SiteGrains, oxygen_sublattice, site_grains

Floats = NDArray[np.float64]

#: Boundaries are this far apart in the field that varies along them, nm: each has its own.
_APART_NM = 1e4
#: Waves of a random field: the spread of its variance from seed to seed is then below that of a few patches.
_WAVES = 400


@dataclass(frozen=True, eq=False)
class Boundaries:
    """A polycrystalline lattice of N sites and what its boundaries add.

    ``film``: the microstructure, in the lattice's coordinates; ``labels``: regions and distances of the sites;
    ``site_energy_eV``, ``exchange_shift_eV`` (N,); ``hop_shift_eV`` (N,), of which an edge takes the mean of its ends,
    and ``hop_spread_eV`` (N,), the standard deviation for :meth:`edge_shifts_eV`.
    """

    film: meshes.Polycrystal
    labels: SiteGrains
    site_energy_eV: Floats
    hop_shift_eV: Floats
    hop_spread_eV: Floats
    exchange_shift_eV: Floats
    edges: np.random.SeedSequence

    def edge_shifts_eV(self, sites: kmc.SiteGraph) -> Floats:
        """(E,) shift of the hop barrier of every edge: the mean of its ends, and a draw that both directions share.

        The variance of the draw is the mean of those of its ends.
        """
        ends = sites.origin, sites.target
        draw = np.random.default_rng(self.edges).normal(0.0, 1.0, len(sites.pair_edges()))
        spread = np.sqrt(0.5 * sum(self.hop_spread_eV[end] ** 2 for end in ends))
        return np.asarray(0.5 * sum(self.hop_shift_eV[end] for end in ends) + spread * sites.symmetric(draw))


def boundaries(
    grains: AnyGrains, lattice: OxygenSublattice, crystal: str, seed: np.random.SeedSequence
) -> Boundaries:
    """The boundaries of a lattice of this ``crystal``; ``seed`` draws what the device file leaves to chance."""
    film = polycrystal(grains, lattice, crystal, seed)
    labels = site_grains(film, lattice.positions_nm)
    along, by_site, edges = seed.spawn(3)
    site_draw, exchange_draw = np.random.default_rng(by_site).normal(0.0, 1.0, (2, len(lattice.positions_nm)))

    def by_region(key: str) -> Floats:
        numbers = np.array([0.0, *(grains.value(name, key) for name in CLASSES)])
        return numbers[labels.region]

    patches = np.zeros(len(labels.region))
    for number, name in enumerate(CLASSES, start=1):
        if grains.value(name, "patch_spread_eV") > 0.0:
            here = labels.region == number
            places = np.column_stack([lattice.positions_nm[here, :2], labels.boundary[here] * _APART_NM])
            field = smooth_field(places, grains.value(name, "patch_nm"), np.random.default_rng(along))
            patches[here] = grains.value(name, "patch_spread_eV") * field
    triple = grains.triple_lines
    return Boundaries(
        film=film,
        labels=labels,
        site_energy_eV=by_region("site_energy_eV") + patches + by_region("site_spread_eV") * site_draw
        + triple.site_energy_eV * labels.triple,
        hop_shift_eV=by_region("hop_shift_eV") + triple.hop_shift_eV * labels.triple,
        hop_spread_eV=by_region("hop_spread_eV"),
        exchange_shift_eV=by_region("exchange_shift_eV") + by_region("exchange_spread_eV") * exchange_draw
        + triple.exchange_shift_eV * labels.triple,
        edges=edges,
    )  # fmt: skip


def smooth_field(places_nm: Floats, length_nm: float, generator: np.random.Generator) -> Floats:
    """A Gaussian random field at ``places_nm`` (N, d): mean 0, variance 1, covariance exp(-r^2 / (2 length^2)).

    A sum of plane waves, whose wave vectors are drawn from the covariance's spectrum: the same seed gives the same
    field, wherever it is looked at.
    """
    waves = generator.normal(0.0, 1.0 / length_nm, (_WAVES, places_nm.shape[1]))
    phases = generator.uniform(0.0, 2.0 * np.pi, _WAVES)
    total = np.zeros(len(places_nm))
    for wave, phase in zip(waves, phases, strict=True):
        total += np.cos(places_nm @ wave + phase)
    return np.asarray(np.sqrt(2.0 / _WAVES) * total)


def film_of(device: VcmDevice, seed: int) -> meshes.Polycrystal | None:
    """The film that a run of this seed had; None for a single crystal."""
    if device.grains is None:
        return None
    sizes = device.lattice.width_nm, device.lattice.depth_nm, device.layers.oxide.thickness_nm
    lattice = oxygen_sublattice(device.lattice.crystal, *sizes)
    return polycrystal(device.grains, lattice, device.lattice.crystal, np.random.SeedSequence(seed).spawn(3)[2])


def polycrystal(
    grains: AnyGrains, lattice: OxygenSublattice, crystal: str, seed: np.random.SeedSequence
) -> meshes.Polycrystal:
    """The microstructure of a film as large as the lattice; files may hold a larger one, whose corner is taken.

    Raises DeviceFileError for a file that cannot be read or holds too little.
    """
    size = (*lattice.cell_nm, lattice.thickness_nm)
    if isinstance(grains, SingleBoundary):
        return meshes.Polycrystal.boundary(
            size, grains.position_nm, grains.tilt_deg, grains.width_nm, grains.boundary_class, periodic=False
        )
    drawn = int(seed.generate_state(1, np.uint64)[0]) if grains.seed is None else grains.seed
    common: dict[str, Any] = {
        "width_nm": grains.width_nm, "high_fraction": grains.high_fraction, "crystal": crystal, "seed": drawn
    }  # fmt: skip
    if isinstance(grains, ImageGrains | NeperGrains):
        return _from_file(grains, size, common)
    texture: Any = "random" if grains.texture == "random" else tuple(float(digit) for digit in grains.texture)
    least = grains.film_nm or 0.0  # the lattice itself may be half a cell larger than the file says
    size = max(least, size[0]), max(least, size[1]), size[2]
    try:
        return meshes.Polycrystal.voronoi(
            size, grains.grains, grains.grain_nm, columnar=grains.shape == "columnar", spread=grains.size_spread,
            texture=texture, texture_spread_deg=grains.texture_spread_deg, **common,
        )  # fmt: skip
    except meshes.MeshError as error:
        raise DeviceFileError(f"grains: {error}; or a larger film_nm") from error


def _from_file(
    grains: ImageGrains | NeperGrains, size: tuple[float, float, float], common: dict[str, Any]
) -> meshes.Polycrystal:
    try:
        if isinstance(grains, ImageGrains):
            film = meshes.Polycrystal.from_image(grains.path, grains.spacing_nm, size[2], **common)
        else:
            film = meshes.Polycrystal.from_neper(grains.path, grains.unit_nm, size[2], **common)
    except meshes.MeshError as error:
        raise DeviceFileError(f"grains.path: {error}") from error
    for axis, (have, need) in enumerate(zip(film.size_nm, size, strict=True)):
        if have < need - 1e-6:
            raise DeviceFileError(
                f"grains.path: {grains.path}: {have:.4g} nm along {'xyz'[axis]}, and the lattice is {need:.4g} nm long"
            )
    return film


def annealed(
    number: int, energy_eV: Floats, temperature_K: float | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Sites of ``number`` vacancies in equilibrium at this temperature (None: anywhere alike), at most one a site.

    Independent vacancies of energies (N,): the sites of the canonical ensemble of a lattice gas without other
    interactions, drawn by rejection from the grand canonical one with the same mean number.
    """
    count = len(energy_eV)
    if temperature_K is None or number in (0, count) or not np.ptp(energy_eV):
        return generator.choice(count, number, replace=False)
    scaled = energy_eV / (kmc.KB_EV * temperature_K)

    def occupied(potential: float) -> Floats:
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (potential - scaled))))

    ends = scaled.min() - 50.0, scaled.max() + 50.0
    share = occupied(brentq(lambda potential: float(occupied(potential).sum()) - number, *ends, xtol=1e-12))
    while True:
        found = np.flatnonzero(generator.random(count) < share)
        if len(found) == number:
            return found
