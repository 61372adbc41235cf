"""From a VCM device file to the continuum: mesh in (r, z), (x, z) or (x, y, z), laws of the oxide, equations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.config.continuum import Continuum
from ionsim.config.vcm import VcmDevice
from ionsim.materials.constants import INSULATOR_S_PER_M, K_EV_PER_K
from meshes.grids import graded_lines, mesh_grid
from meshes.shapes import plane

Floats = NDArray[np.float64]

#: Names of the density among the states of the equations, and of that within the boundary; where vacancies live.
DENSITY, BOUNDARY_DENSITY = "vacancies_per_m3", "boundary_per_m3"
OXIDE = ("oxide", "reservoir", "boundary")

#: Largest element in nm, and the ratio of neighbouring ones; chosen: currents within 1 % of twice as fine meshes.
_LARGEST_NM, _GROWTH = 12.0, 1.3


#: Vacancies that tell on the conductivity: they raise its prefactor by this much of what it is without any (chosen).
_FLOOR = 1.88

#: Thickness of the layers that stand for thermal boundary resistance, nm (conductivity = h x thickness), chosen.
INTERFACE_NM = 0.1

#: ln(n/(N - n)) between which a density is sought that makes a node hold an amount, and halvings of that interval.
_LEAST, _MOST, _HALVINGS = -80.0, 30.0, 90


@dataclass(frozen=True)
class ContinuumCell:
    """A cell ready to be stepped: mesh, potential and heat, vacancies, and the three together.

    ``share``: what multiplies a current, power or amount of the mesh to give that of the cell.
    """

    share: float
    mesh: meshes.LabelledMesh
    electrical: fem.Transient
    vacancies: fem.VacancyTransport
    coupled: fem.VacancyCell
    sites_per_m3: float


def build_cell(device: VcmDevice, comm: MPI.Comm | None = None) -> ContinuumCell:
    """Mesh a device and set up its equations, distributed over ``comm`` (default: this rank alone)."""
    keys, mesh = device.continuum, mesh_of(device, comm)
    living = [name for name in OXIDE if name in mesh.regions]
    materials = {name: device.material(material) for name, material in _surroundings(device).items()}
    interfaces = {name: h * INTERFACE_NM * 1e-9 for name, h in _interfaces(keys).items()}
    materials |= {name: materials[{"bottom_interface": "bottom"}.get(name, "cap")] for name in interfaces}

    def by_region(quantity: str, oxide: Any) -> dict[str, Any]:
        values: dict[str, Any] = {name: material.value(quantity) for name, material in materials.items()}
        if quantity == "electrical_S_per_m":
            values = {name: value if value > INSULATOR_S_PER_M else 0.0 for name, value in values.items()}
            return values | dict.fromkeys(living, oxide)
        if quantity == "thermal_W_per_mK":
            values |= interfaces
        # The share of the heat that stays heats the cell as all of it would heat one that conducts so much better.
        values = {name: value / keys.heat_share for name, value in values.items()}
        return values | dict.fromkeys(living, oxide)

    sigma = by_region("electrical_S_per_m", conductivity(keys))
    kappa = by_region("thermal_W_per_mK", thermal_conductivity(keys))
    # With a table as steep as a network has it, the density at the edge and the potential do not settle.
    own = "boundary" in mesh.regions and not keys.table_per_m3
    sides = {BOUNDARY_DENSITY: "boundary"} if own else {}
    if sides:
        sigma["boundary"], kappa["boundary"] = _of_boundary(keys)
    capacity = device.material(device.layers.oxide.material).value("capacity_J_per_m3K") / keys.heat_share
    electrical = fem.Transient(
        mesh, sigma, kappa, by_region("capacity_J_per_m3K", capacity),
        {"bottom": device.ambient_K, "top": device.ambient_K},
        states=dict.fromkeys((DENSITY, *sides), 0.0),
        settings=fem.TransientSettings(rtol=device.numerics.field_rtol),
    )  # fmt: skip
    prefactor = keys.attempt_Hz * (keys.hop_nm * 1e-9) ** 2
    law = fem.VacancyRegion(prefactor, keys.barrier_eV, soret_eV=keys.soret_eV)
    fast = fem.VacancyRegion(prefactor, keys.boundary_barrier_eV, keys.boundary_energy_eV, keys.soret_eV)
    barrier_eV = keys.barrier_eV if keys.reservoir_barrier_eV is None else keys.reservoir_barrier_eV
    sink = fem.VacancyRegion(prefactor, barrier_eV, keys.reservoir_energy_eV, keys.soret_eV)
    laws = {name: {"boundary": fast, "reservoir": sink}.get(name, law) for name in living}
    electrode = fem.VacancyElectrode(
        keys.generation_per_m2s, keys.generation_eV, keys.removal_m_per_s, keys.removal_eV, keys.electrode_nm
    )
    below, above = ((f"{side}_interface" if f"{side}_interface" in interfaces else metal)
                    for side, metal in (("bottom", "bottom"), ("top", "cap")))  # fmt: skip
    electrodes = {f"{name}/{below}": electrode for name in living if name != "reservoir"}
    if not keys.reservoir_nm:
        electrodes |= {f"{name}/{above}": _cap(keys, name == "boundary") for name in living}
    elif keys.cap_per_m3 is not None:
        electrodes[f"reservoir/{above}"] = fem.VacancyElectrode(density_per_m3=keys.cap_per_m3)
    vacancies = fem.VacancyTransport(
        mesh, laws, keys.sites_per_m3 * device.vacancy.initial_fraction, keys.charge_e,
        sites_per_m3=keys.sites_per_m3, hop_nm=keys.hop_nm, electrodes=electrodes,
        temperature_K=device.ambient_K, polarisation_nm=0.1 * keys.polarisation_eA,
    )  # fmt: skip
    vacancies.set_density(initial_density(device, vacancies.space.tabulate_dof_coordinates()))
    electrical.temperature_K = np.full(electrical.halo.local, device.ambient_K)
    floor = _FLOOR * keys.full_per_m3 * keys.insulating_S_per_m / keys.conducting_S_per_m
    coupled = fem.VacancyCell(electrical, vacancies, floor, DENSITY, sides=sides)
    share = {"axisymmetric": 1.0, "plane": 2.0 * keys.depth_nm * 1e-9, "box": 4.0}[keys.geometry]
    return ContinuumCell(share, mesh, electrical, vacancies, coupled, keys.sites_per_m3)


def _interfaces(keys: Continuum) -> dict[str, float]:
    """Layers that stand for thermal boundary resistance, and their conductance, W/(m^2 K)."""
    pairs = {"bottom_interface": keys.interface_bottom_W_per_m2K, "top_interface": keys.interface_top_W_per_m2K}
    return {name: value for name, value in pairs.items() if value is not None}


def _cap(keys: Continuum, boundary: bool) -> fem.VacancyElectrode:
    """How the cap makes and takes up vacancies, in a grain or in the boundary."""
    shift = 0.5 * keys.boundary_exchange_eV if boundary else 0.0
    most = None if keys.cap_max_rate_Hz is None else keys.cap_max_rate_Hz / keys.attempt_Hz
    return fem.VacancyElectrode(
        keys.cap_generation_per_m2s, keys.cap_generation_eV + shift, keys.cap_removal_m_per_s,
        keys.cap_removal_eV - shift, keys.cap_nm, most=most,
    )  # fmt: skip


def _surroundings(device: VcmDevice) -> Mapping[str, str]:
    """Material of each region that has no vacancies."""
    layers = device.layers
    return {"bottom": layers.bottom.material, "cap": layers.cap.material, "top": layers.top.material,
            "dielectric": device.continuum.dielectric}  # fmt: skip


def mesh_of(device: VcmDevice, comm: MPI.Comm | None = None) -> meshes.LabelledMesh:
    """Right-angled simplices in (r, z), in (x, z) of one half, or in (x, y, z) of one quarter of a box.

    z = 0 is the top of the bottom electrode. A box is as deep as its oxide: a row of them, mirrored at their ends.

    Regions "bottom", "oxide", "reservoir", "dielectric", "cap", "top", and "boundary" in the oxide at the axis where
    there is one; surfaces "bottom", "top".
    """
    keys, layers = device.continuum, device.layers
    oxide = layers.oxide.thickness_nm
    film = oxide + keys.reservoir_nm
    cap = film + layers.cap.thickness_nm
    top, base = cap + layers.top.thickness_nm, -layers.bottom.thickness_nm
    inner, outer, fine = keys.radius_nm, keys.outer_radius_nm, keys.size_nm
    half = 0.5 * (keys.boundary_nm or 0.0)
    sizes_r = {0.0: fine, half: min(fine, half or fine), keys.filament_radius_nm: fine, inner: 4.0 * fine,
              outer: _LARGEST_NM}  # fmt: skip
    wide, rim = keys.filament_radius_nm, 0.5 * keys.edge_nm
    if wide:
        sizes_r |= dict.fromkeys(_inside((wide - rim, wide + rim), 0.0, inner), fine)
    r = _cut(graded_lines(sizes_r, _GROWTH, _LARGEST_NM), keys.divide)
    low = keys.height_nm
    sizes = {base: 20.0 * low, 0.0: low, keys.gap_nm: low, oxide: 4.0 / 3.0 * low}
    if keys.reservoir_nm:
        sizes |= dict.fromkeys(_inside((oxide - rim, oxide + rim), keys.gap_nm + rim, film), 4.0 / 3.0 * low)
        sizes[film] = 5.0 * low
    if wide:
        sizes |= dict.fromkeys(_inside((keys.gap_nm - rim, keys.gap_nm + rim), 0.0, oxide), low)
    sizes |= {cap: 10.0 * low, top: 20.0 * low}
    layers_nm = {"bottom_interface": (-INTERFACE_NM, 0.0), "top_interface": (film, film + INTERFACE_NM)}
    layers_nm = {name: bounds for name, bounds in layers_nm.items() if name in _interfaces(keys)}
    sizes |= {next(edge for edge in bounds if edge not in sizes): low for bounds in layers_nm.values()}
    z = _cut(graded_lines(sizes, _GROWTH, _LARGEST_NM), keys.divide)
    painted = [
        ("bottom", [(0.0, outer), (base, 0.0)]), ("dielectric", [(inner, outer), (0.0, film)]),
        ("oxide", [(0.0, inner), (0.0, oxide)]), ("reservoir", [(0.0, inner), (oxide, film)]),
        ("cap", [(0.0, outer), (film, cap)]), ("top", [(0.0, outer), (cap, top)]),
    ]  # fmt: skip
    if not keys.reservoir_nm:
        painted = [one for one in painted if one[0] != "reservoir"]
    painted += [(name, [(0.0, outer), bounds]) for name, bounds in layers_nm.items()]
    if half:
        painted.append(("boundary", [(0.0, half), (0.0, oxide)]))
    lines = [r, z]
    if keys.geometry == "box":
        deep = 0.5 * keys.depth_nm
        y = graded_lines({0.0: fine, keys.filament_radius_nm: fine, deep: 4.0 * fine}, _GROWTH, _LARGEST_NM)
        lines = [r, _cut(y, keys.divide), z]
        painted = [(name, [across, (0.0, deep), along]) for name, (across, along) in painted]
    height = len(lines) - 1
    surfaces = {"bottom": plane(height, base), "top": plane(height, top)}
    cell = mesh_grid(lines, painted, surfaces, comm=MPI.COMM_SELF if comm is None else comm)
    return replace(cell, axisymmetric=keys.geometry == "axisymmetric")


def _inside(edges_nm: Iterable[float], low_nm: float, high_nm: float) -> list[float]:
    """Where the density at the start has a corner: on lines of the mesh, or what it conducts depends on the mesh."""
    return [at for at in edges_nm if low_nm < at < high_nm]


def _cut(lines_nm: Floats, parts: int) -> Floats:
    """Grid lines with every interval cut into equal ``parts``."""
    at = np.arange(parts * (len(lines_nm) - 1) + 1) / parts
    return np.asarray(np.interp(at, np.arange(len(lines_nm)), lines_nm))


def height_axis(keys: Continuum) -> int:
    """Which of a mesh's coordinates is the height."""
    return 2 if keys.geometry == "box" else 1


def initial_density(device: VcmDevice, points_nm: Floats) -> Floats:
    """Density (n,) in 1/m^3 at points (n, 3) in nm: background, filament above the gap, reservoir, boundary.

    Points are (r or x, z, 0), in a box (x, y, z). Edges of filament and reservoir are linear over
    ``edge_nm``, so that what they conduct does not depend on the mesh.
    """
    keys = device.continuum
    x, z = points_nm[:, 0], points_nm[:, height_axis(keys)]
    r = np.hypot(x, points_nm[:, 1]) if keys.geometry == "box" else x
    background = keys.sites_per_m3 * device.vacancy.initial_fraction

    def share(inside_nm: Floats) -> Floats:
        return np.clip(0.5 + inside_nm / keys.edge_nm, 0.0, 1.0)

    wide = keys.filament_radius_nm
    filament = share(np.minimum(wide - r, z - keys.gap_nm)) if wide else np.zeros_like(r)
    reservoir = share(z - device.layers.oxide.thickness_nm) if keys.reservoir_nm else np.zeros_like(z)
    found = background + (keys.filament_per_m3 - background) * filament
    if keys.boundary_nm is not None:
        _fill_boundary(device, points_nm, background, found)
    return np.asarray(found + (keys.reservoir_per_m3 - found) * reservoir)


def _fill_boundary(device: VcmDevice, points_nm: Floats, oxide_per_m3: float, found: Floats) -> None:
    """The boundary's own density where there is no filament; at its edges what the oxide has in equilibrium with it."""
    keys, tiny = device.continuum, 1e-6
    r, z = points_nm[:, 0], points_nm[:, height_axis(keys)]
    half, oxide_nm = 0.5 * (keys.boundary_nm or 0.0), device.layers.oxide.thickness_nm
    gain = math.exp(-keys.boundary_energy_eV / (K_EV_PER_K * device.ambient_K))
    odds = gain * oxide_per_m3 / (keys.sites_per_m3 - oxide_per_m3)
    if keys.boundary_per_m3 is not None:
        odds = keys.boundary_per_m3 / (keys.sites_per_m3 - keys.boundary_per_m3)
    outer = odds / max(gain, 1.0)  # a node holds the density of the region with the highest energy
    edge = (r > half - tiny) | (z > oxide_nm - tiny)
    held = keys.sites_per_m3 * np.where(edge, outer / (1.0 + outer), odds / (1.0 + odds))
    inside = (r < half + tiny) & (z < oxide_nm + tiny)
    found[inside] = np.where(found > oxide_per_m3, np.maximum(found, held), held)[inside]


def conductivity(keys: Continuum) -> Any:
    """sigma(T, n) of the oxide: sigma0(n) exp(-Ea(n)/kT), prefactor and activation energy linear up to their ends."""
    if keys.table_per_m3:
        return _tabulated(keys)
    low, rise, full = keys.insulating_S_per_m, keys.conducting_S_per_m - keys.insulating_S_per_m, keys.full_per_m3
    activation, metallic = keys.insulating_activation_eV, keys.metallic_per_m3
    fall = activation - keys.conducting_activation_eV

    def sigma(T_K: Any, vacancies_per_m3: Any) -> Any:
        barrier = activation - fall * fem.minimum(vacancies_per_m3 / metallic, 1.0)
        return (low + rise * fem.minimum(vacancies_per_m3 / full, 1.0)) * fem.exp(-barrier / (K_EV_PER_K * T_K))

    return sigma


def _of_boundary(keys: Continuum) -> tuple[Any, Any]:
    """sigma and kappa of the boundary, of the density within it: at its edge that differs from the oxide's.

    For a conductivity that is no table.
    """
    low = keys.insulating_S_per_m if keys.boundary_S_per_m is None else keys.boundary_S_per_m
    sigma, kappa = conductivity(keys.model_copy(update={"insulating_S_per_m": low})), thermal_conductivity(keys)

    return (
        lambda T_K, boundary_per_m3: sigma(T_K, boundary_per_m3),
        lambda T_K, boundary_per_m3: kappa(T_K, boundary_per_m3),
    )


def _tabulated(keys: Continuum) -> Any:
    """sigma(n) of the table: its logarithm is linear between the densities and constant beyond them."""
    densities, logarithms = np.array(keys.table_per_m3), np.log(keys.table_S_per_m)
    slopes = np.diff(logarithms) / np.diff(densities)

    def sigma(vacancies_per_m3: Any) -> Any:
        total: Any = float(logarithms[0])
        for low, high, slope in zip(densities[:-1], densities[1:], slopes, strict=True):
            within = fem.minimum(fem.maximum(vacancies_per_m3 - float(low), 0.0), float(high - low))
            total = total + float(slope) * within
        return fem.exp(total)

    return sigma


def thermal_conductivity(keys: Continuum) -> Any:
    """kappa(T, n) of the oxide: from kappa0 (1 + c (T - 300 K)) without vacancies to that of full_per_m3, linear.

    Over heat_share, as everywhere in the cell.
    """
    low, slope, high, full = (
        keys.insulating_W_per_mK, keys.insulating_per_K, keys.conducting_W_per_mK, keys.full_per_m3
    )  # fmt: skip

    def kappa(T_K: Any, vacancies_per_m3: Any) -> Any:
        bare = low * (1.0 + slope * fem.maximum(T_K - 300.0, -5.0))
        return (bare + (high - bare) * fem.minimum(vacancies_per_m3 / full, 1.0)) / keys.heat_share

    return kappa


def set_amounts(cell: ContinuumCell, amounts: Floats) -> None:
    """Set the densities of a continuum so that its nodes hold these amounts (local dofs,).

    At a node where regions of different energy meet the densities of its parts stay in equilibrium.
    """
    vacancies, nodes = cell.vacancies, cell.vacancies.nodes
    sites_per_m3 = cell.sites_per_m3
    low, high = np.full(nodes.size, _LEAST), np.full(nodes.size, _MOST)
    density = np.zeros(vacancies.halo.local)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        density[nodes] = sites_per_m3 / (1.0 + np.exp(-middle))
        vacancies.set_density(density)
        above = vacancies.amounts[nodes] > amounts[nodes]
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    cell.coupled.take_densities()
