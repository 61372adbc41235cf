"""The continuum that stands for a lattice of vacancies: the same device, with the lattice's own numbers.

::

    lattice = load("hfo2_ti_bipolar")
    continuum = matched(lattice, conductivity_table(lattice))

What goes over and what is left out is listed in docs/vcm-lattice-continuum.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from ionsim.config import VcmDevice
from ionsim.coupling import Network, tunnelling_decay_nm
from ionsim.errors import DeviceFileError
from ionsim.structure import oxygen_sublattice

Floats = NDArray[np.float64]

#: Shares of occupied sites at which the network's conductivity is measured, chosen: closer where it rises steeply.
FRACTIONS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)

#: Sites along an edge of the periodic block on which it is measured, chosen: 3 nm, as wide as a filament with its rim.
_BLOCK = 12

#: Directions in which the distance to the edge of the box is looked at.
_DIRECTIONS = 7200


@dataclass(frozen=True)
class Around:
    """A box of sites seen from an axis through it, as (r, z).

    Up to the nearest edge of the box r is the distance from the axis. Beyond, corners are folded in so that area is
    kept: pi r^2 is the area of the box within the distance. The box is then a disc of ``radius_nm``.
    """

    axis_nm: tuple[float, float]
    box_nm: tuple[float, float, float]

    @property
    def radius_nm(self) -> float:
        """Radius of the disc with the area of the box, nm."""
        return float(np.sqrt(self.box_nm[0] * self.box_nm[1] / np.pi))

    def __call__(self, points_nm: ArrayLike) -> Floats:
        """(N, 2) r and z in nm of points (N, 3) in the box."""
        points = np.asarray(points_nm, dtype=float)
        distance = np.hypot(*(points[:, :2] - self.axis_nm).T)
        edge = self._edges()
        grid = np.linspace(0.0, float(edge.max()), 2001)
        # half of the mean of min(r, d)^2 over all directions, times 2 pi: the area within r
        within = np.array([np.mean(np.minimum(r, edge) ** 2) for r in grid])
        folded = np.sqrt(np.interp(distance**2, grid**2, within))
        near = distance <= edge.min()
        return np.stack([np.where(near, distance, np.minimum(folded, self.radius_nm)), points[:, 2]], axis=1)

    def _edges(self) -> Floats:
        """Distance from the axis to the edge of the box in each direction, nm."""
        angle = (np.arange(_DIRECTIONS) + 0.5) * (2.0 * np.pi / _DIRECTIONS)
        reach = []
        for slope, here, length in zip((np.cos(angle), np.sin(angle)), self.axis_nm, self.box_nm[:2], strict=True):
            reach.append(np.where(slope > 0.0, length - here, here) / np.maximum(np.abs(slope), 1e-300))
        return np.minimum(*reach)


def around(device: VcmDevice) -> Around:
    """The box of a device's lattice around its weak spot, else around its middle.

    Raises:
        DeviceFileError: for explicit atoms, grains, a crystal that is not cubic, or several weak spots.
    """
    if device.structure is not None:
        raise DeviceFileError("structure: explicit atoms have no continuum to compare with")
    if getattr(device, "grains", None) is not None:
        raise DeviceFileError("grains: a polycrystal has no axis; compare the device without them")
    if device.lattice.crystal != "cubic":
        raise DeviceFileError(f"lattice.crystal: {device.lattice.crystal!r}; the comparison needs 'cubic' sites")
    if len(device.weak_spots) > 1:
        raise DeviceFileError(f"weak_spots: {len(device.weak_spots)}; the comparison needs one axis, so at most one")
    film = _film(device)
    middle = (0.5 * film.cell_nm[0], 0.5 * film.cell_nm[1])
    axis = device.weak_spots[0].centre_nm if device.weak_spots else middle
    return Around((float(axis[0]), float(axis[1])), (*film.cell_nm, film.thickness_nm))


def positions_nm(device: VcmDevice) -> Floats:
    """(N, 3) the sites of a device's lattice."""
    return np.asarray(_film(device).positions_nm, dtype=float)


def spacing_nm(device: VcmDevice) -> float:
    """Edge of the cube of a site, nm."""
    return float(_film(device).spacing_nm)


def _film(device: VcmDevice) -> Any:
    size = device.lattice
    return oxygen_sublattice(size.crystal, size.width_nm, size.depth_nm, device.layers.oxide.thickness_nm)


def sites_per_m3(device: VcmDevice) -> float:
    """Density of a full lattice, 1/m^3."""
    return float(1e27 / _film(device).spacing_nm ** 3)


# -- conduction ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConductivityTable:
    """Conductivity of the bond network by the share of occupied sites: geometric mean and spread over seeds.

    ``fraction``, ``S_per_m``, ``decades`` (standard deviation of log10) all (n,).
    """

    fraction: Floats
    S_per_m: Floats
    decades: Floats


def conductivity_table(
    device: VcmDevice, fractions: Sequence[float] = FRACTIONS, seeds: int = 3, block: int = _BLOCK
) -> ConductivityTable:
    """Measure the network of a device on random occupations of a periodic block of ``block``^3 sites."""
    found = []
    for k, fraction in enumerate(fractions):
        draws = 1 if fraction in (0.0, 1.0) else seeds
        values = [block_conductivity(device, fraction, np.random.SeedSequence((k, n)), block) for n in range(draws)]
        logs = np.log10(values)
        found.append((fraction, 10.0 ** logs.mean(), logs.std(ddof=1) if draws > 1 else 0.0))
    columns = np.array(found).T
    return ConductivityTable(columns[0], columns[1], columns[2])


def block_conductivity(
    device: VcmDevice, fraction: float, seed: np.random.SeedSequence, block: int = _BLOCK
) -> float:
    """Effective conductivity (S/m) of a periodic block of sites of which this share, drawn at random, is vacant.

    The bonds are those of the device; between neighbouring sites besides the oxide's background. A mean field is
    applied along z and the potentials follow from Kirchhoff's law.
    """
    spacing_nm = _film(device).spacing_nm
    network, rise_nm = _periodic(device, block, spacing_nm)
    count = block**3
    vacant = np.zeros(count, dtype=bool)
    vacant[np.random.default_rng(seed).permutation(count)[: round(fraction * count)]] = True
    first, second, strength, _ = network.bonds(vacant)
    listed = np.repeat(np.arange(count), np.diff(network.start)) * count + network.target
    order = np.argsort(listed)
    along = rise_nm[order[np.searchsorted(listed[order], first * count + second)]]
    near = np.flatnonzero(network.metallic & (network.target > np.repeat(np.arange(count), np.diff(network.start))))
    background = device.conduction.background_S_per_m * spacing_nm * 1e-9
    first = np.concatenate([first, np.repeat(np.arange(count), np.diff(network.start))[near]])
    second = np.concatenate([second, network.target[near]])
    strength = np.concatenate([strength, np.full(near.size, background)])
    along = 1e-9 * np.concatenate([along, rise_nm[near]])
    rows = np.arange(first.size)
    ends = (np.concatenate([rows, rows]), np.concatenate([second, first]))
    signs = np.concatenate([np.ones(rows.size), -np.ones(rows.size)])
    difference = scipy.sparse.coo_array((signs, ends), shape=(rows.size, count)).tocsr()[:, 1:]  # one site is ground
    weighted = scipy.sparse.diags_array(strength) @ difference
    potential = scipy.sparse.linalg.spsolve((difference.T @ weighted).tocsc(), -(weighted.T @ along))
    volume = count * (spacing_nm * 1e-9) ** 3
    return float((strength * (difference @ potential + along) ** 2).sum() / volume)


def _periodic(device: VcmDevice, block: int, spacing_nm: float) -> tuple[Network, Floats]:
    """The bonds of a periodic block, and how far (M,) each one rises along z, nm."""
    conduction = device.conduction
    index = np.stack(np.meshgrid(*[np.arange(block)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    length = block * spacing_nm
    if conduction.cutoff_nm > 0.5 * length - 1e-6:
        raise DeviceFileError(f"conduction.cutoff_nm: {conduction.cutoff_nm:g}; must be below {0.5 * length:g} nm here")
    tree = cKDTree(index * spacing_nm, boxsize=np.full(3, length))
    pairs = tree.query_pairs(conduction.cutoff_nm, output_type="ndarray")
    origin = np.concatenate([pairs[:, 0], pairs[:, 1]])
    target = np.concatenate([pairs[:, 1], pairs[:, 0]])
    order = np.lexsort((target, origin))
    origin, target = origin[order], target[order]
    step = index[target] - index[origin]
    step = (step - block * np.round(step / block)) * spacing_nm
    distance = np.linalg.norm(step, axis=1)
    decay_nm = tunnelling_decay_nm(conduction.trap_depth_eV, conduction.effective_mass)
    beyond = np.maximum(distance - conduction.metallic_nm, 0.0)
    none = np.zeros(block**3)
    network = Network(
        np.concatenate(([0], np.cumsum(np.bincount(origin, minlength=block**3)))), target,
        conduction.contact_conductance_S * np.exp(-2.0 * beyond / decay_nm), distance <= conduction.metallic_nm,
        none, none, none.astype(np.int64), np.ones(block**3, dtype=bool), conduction.isolated_share,
        conduction.metallic_neighbours,
    )  # fmt: skip
    return network, step[:, 2]


# -- the device ---------------------------------------------------------------------------------------------------


def heat_share(device: VcmDevice) -> float:
    """Share of heat made evenly over the thickness that electrons leave in the oxide: 1 - (L/d)(1 - exp(-d/L))."""
    reach = device.heat.relaxation_length_nm
    thickness = device.layers.oxide.thickness_nm
    return 1.0 if reach == 0.0 else float(1.0 + reach / thickness * np.expm1(-thickness / reach))


def spot_neighbours(device: VcmDevice) -> float:
    """Mean number of neighbours that a site of the weak spot has in it; 0 without one."""
    if not device.weak_spots:
        return 0.0
    film, spot = _film(device), device.weak_spots[0]
    inside = film.positions_nm[np.hypot(*(film.positions_nm[:, :2] - spot.centre_nm).T) <= spot.radius_nm]
    pairs = cKDTree(inside).query_pairs(device.vacancy.hop_distance_nm)
    return 2.0 * len(pairs) / len(inside)


def matched(
    device: VcmDevice,
    table: ConductivityTable,
    *,
    held: float | None = None,
    share: float | None = None,
    size_nm: float = 0.16,
    height_nm: float = 0.2,
) -> VcmDevice:
    """The continuum of a lattice device, with its numbers; the drive stays.

    Args:
        device: a cubic crystal with at most one weak spot.
        table: of its network.
        held: oxygen ions in the cap, whose share of the places is the rate of return; those of the start by default.
        share: of the Joule heat that stays, :func:`heat_share` by default.
        size_nm, height_nm: elements of the filament along r and z.

    Raises:
        DeviceFileError: for a device that has no such continuum.
    """
    place, vacancy, heat = around(device), device.vacancy, device.heat
    sites, oxide = sites_per_m3(device), device.layers.oxide
    width = device.mesh.domain_width_nm
    keys: dict[str, Any] = {
        "geometry": "axisymmetric", "radius_nm": place.radius_nm, "outer_radius_nm": width / np.sqrt(np.pi),
        "dielectric": oxide.material, "reservoir_nm": 0.0, "filament_radius_nm": 0.0, "gap_nm": 0.5 * place.box_nm[2],
        "sites_per_m3": sites, "charge_e": vacancy.charge_e, "attempt_Hz": vacancy.attempt_Hz,
        "hop_nm": _film(device).spacing_nm, "barrier_eV": vacancy.hop_barrier_eV,
        "polarisation_eA": vacancy.polarisation_eA, "soret_eV": 0.0,
        "table_per_m3": tuple((sites * table.fraction).tolist()), "table_S_per_m": tuple(table.S_per_m.tolist()),
        "full_per_m3": sites, "metallic_per_m3": sites,
        "insulating_W_per_mK": device.material(oxide.material).value("thermal_W_per_mK"), "insulating_per_K": 0.0,
        "conducting_W_per_mK": heat.vacancy_rich_W_per_mK,
        "interface_bottom_W_per_m2K": heat.boundary_bottom_W_per_m2K,
        "interface_top_W_per_m2K": heat.boundary_top_W_per_m2K,
        "heat_share": heat_share(device) if share is None else share, "size_nm": size_nm, "height_nm": height_nm,
    }  # fmt: skip
    keys |= _spot_keys(device) | _cap_keys(device, held)
    sources = {
        "continuum": "chosen: the numbers of the lattice (docs/vcm-lattice-continuum.md)",
        "continuum.table_S_per_m": "calibrated: network of this file on random occupations",
    }
    background = {f"materials.{oxide.material}.electrical_S_per_m": device.conduction.background_S_per_m}
    changes = {f"continuum.{key}": value for key, value in keys.items()}
    found = device.replace({
        "model": "continuum", "layers.oxide.thickness_nm": place.box_nm[2], "numerics.field_rtol": 1e-8,
        **background, **changes, "sources": sources,
    })  # fmt: skip
    assert isinstance(found, VcmDevice)
    return found


def _spot_keys(device: VcmDevice) -> dict[str, Any]:
    """The weak spot as a pipe; attraction of its vacancies as the mean field of a filled one."""
    if not device.weak_spots:
        return {}
    spot, pairs = device.weak_spots[0], device.vacancy.pair_energy_eV
    return {
        "boundary_nm": 2.0 * spot.radius_nm, "boundary_barrier_eV": device.vacancy.hop_barrier_eV + spot.hop_shift_eV,
        "boundary_energy_eV": spot.site_energy_eV + pairs * spot_neighbours(device),
        "boundary_exchange_eV": spot.site_energy_eV + pairs * max(spot_neighbours(device), 0.0),
    }  # fmt: skip


def _cap_keys(device: VcmDevice, held: float | None) -> dict[str, Any]:
    """Exchange with the cap, at one filling of it."""
    exchange, vacancy, spacing = device.exchange, device.vacancy, _film(device).spacing_nm
    if exchange is None:
        return {}
    if held is None:
        first, size = exchange.initial_reservoir, _film(device).positions_nm.shape[0]
        held = round(vacancy.initial_fraction * size) if first == "vacancies" else int(first)
    filled, half = held / exchange.reservoir_sites, 0.5 * exchange.energy_eV
    keys: dict[str, Any] = {
        "cap_generation_per_m2s": vacancy.attempt_Hz * (1.0 - filled) / (spacing * 1e-9) ** 2,
        "cap_generation_eV": exchange.barrier_eV + half,
        "cap_removal_m_per_s": vacancy.attempt_Hz * filled * spacing * 1e-9,
        "cap_removal_eV": max(exchange.barrier_eV - half, 0.0), "cap_max_rate_Hz": exchange.max_rate_Hz,
    }  # fmt: skip
    if vacancy.charge_e > 0.0:
        # w = z e F d/2 is the bond polarisation, p F, and half of what the charge gains over half a spacing
        keys["cap_nm"] = 0.2 * exchange.polarisation_eA / vacancy.charge_e + 0.5 * spacing
    return keys
