"""From a VCM device file to the continuum: mesh in (r, z), (x, z) or (x, y, z), laws of the oxide, equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.config.continuum import Continuum
from ionsim.config.vcm import VcmDevice
from ionsim.materials.constants import K_EV_PER_K
from meshes.grids import graded_lines, mesh_grid
from meshes.shapes import plane

Floats = NDArray[np.float64]

#: Names of the density among the states of the equations, and of that within the boundary; where vacancies live.
DENSITY, BOUNDARY_DENSITY = "vacancies_per_m3", "boundary_per_m3"
OXIDE = ("oxide", "reservoir", "boundary")

#: Largest element in nm, and the ratio of neighbouring ones; chosen: currents within 1 % of twice as fine meshes.
_LARGEST_NM, _GROWTH = 12.0, 1.3

#: Conductivities below this (S/m) are those of insulators, in which no current is solved for.
_INSULATOR_S_PER_M = 1e-9

#: Vacancies that tell on the conductivity: they raise its prefactor by this much of what it is without any (chosen).
_FLOOR = 1.88


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


def build_cell(device: VcmDevice) -> ContinuumCell:
    """Mesh a device and set up its equations, on this rank alone."""
    keys, mesh = device.continuum, mesh_of(device)
    living = [name for name in OXIDE if name in mesh.regions]
    materials = {name: device.material(material) for name, material in _surroundings(device).items()}

    def by_region(quantity: str, oxide: Any) -> dict[str, Any]:
        values: dict[str, Any] = {name: material.value(quantity) for name, material in materials.items()}
        if quantity == "electrical_S_per_m":
            values = {name: value if value > _INSULATOR_S_PER_M else 0.0 for name, value in values.items()}
        return values | dict.fromkeys(living, oxide)

    sigma = by_region("electrical_S_per_m", conductivity(keys))
    kappa = by_region("thermal_W_per_mK", thermal_conductivity(keys))
    sides = {BOUNDARY_DENSITY: "boundary"} if "boundary" in mesh.regions else {}
    if sides:
        sigma["boundary"], kappa["boundary"] = _of_boundary(keys)
    electrical = fem.Transient(
        mesh, sigma, kappa,
        by_region("capacity_J_per_m3K", device.material(device.layers.oxide.material).value("capacity_J_per_m3K")),
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
    electrodes = {f"{name}/bottom": electrode for name in living if name != "reservoir"}
    if keys.cap_per_m3 is not None:
        electrodes["reservoir/cap"] = fem.VacancyElectrode(density_per_m3=keys.cap_per_m3)
    vacancies = fem.VacancyTransport(
        mesh, laws, keys.sites_per_m3 * device.vacancy.initial_fraction, keys.charge_e,
        sites_per_m3=keys.sites_per_m3, hop_nm=keys.hop_nm, electrodes=electrodes,
        temperature_K=device.ambient_K,
    )  # fmt: skip
    vacancies.set_density(initial_density(device, vacancies.space.tabulate_dof_coordinates()))
    electrical.temperature_K = np.full(electrical.halo.local, device.ambient_K)
    floor = _FLOOR * keys.full_per_m3 * keys.insulating_S_per_m / keys.conducting_S_per_m
    coupled = fem.VacancyCell(electrical, vacancies, floor, DENSITY, sides=sides)
    share = {"axisymmetric": 1.0, "plane": 2.0 * keys.depth_nm * 1e-9, "box": 4.0}[keys.geometry]
    return ContinuumCell(share, mesh, electrical, vacancies, coupled)


def _surroundings(device: VcmDevice) -> Mapping[str, str]:
    """Material of each region that has no vacancies."""
    layers = device.layers
    return {"bottom": layers.bottom.material, "cap": layers.cap.material, "top": layers.top.material,
            "dielectric": device.continuum.dielectric}  # fmt: skip


def mesh_of(device: VcmDevice) -> meshes.LabelledMesh:
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
    r = graded_lines(sizes_r, _GROWTH, _LARGEST_NM)
    low = keys.height_nm
    sizes = {base: 20.0 * low, 0.0: low, keys.gap_nm: low, oxide: 4.0 / 3.0 * low, film: 5.0 * low, cap: 10.0 * low,
             top: 20.0 * low}  # fmt: skip
    z = graded_lines(sizes, _GROWTH, _LARGEST_NM)
    painted = [
        ("bottom", [(0.0, outer), (base, 0.0)]), ("dielectric", [(inner, outer), (0.0, film)]),
        ("oxide", [(0.0, inner), (0.0, oxide)]), ("reservoir", [(0.0, inner), (oxide, film)]),
        ("cap", [(0.0, outer), (film, cap)]), ("top", [(0.0, outer), (cap, top)]),
    ]  # fmt: skip
    if half:
        painted.append(("boundary", [(0.0, half), (0.0, oxide)]))
    lines = [r, z]
    if keys.geometry == "box":
        deep = 0.5 * keys.depth_nm
        y = graded_lines({0.0: fine, keys.filament_radius_nm: fine, deep: 4.0 * fine}, _GROWTH, _LARGEST_NM)
        lines = [r, y, z]
        painted = [(name, [across, (0.0, deep), along]) for name, (across, along) in painted]
    height = len(lines) - 1
    surfaces = {"bottom": plane(height, base), "top": plane(height, top)}
    cell = mesh_grid(lines, painted, surfaces, comm=MPI.COMM_SELF)
    return replace(cell, axisymmetric=keys.geometry == "axisymmetric")


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
    reservoir = share(z - device.layers.oxide.thickness_nm)
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
    low, rise, full = keys.insulating_S_per_m, keys.conducting_S_per_m - keys.insulating_S_per_m, keys.full_per_m3
    activation, metallic = keys.insulating_activation_eV, keys.metallic_per_m3
    fall = activation - keys.conducting_activation_eV

    def sigma(T_K: Any, vacancies_per_m3: Any) -> Any:
        barrier = activation - fall * fem.minimum(vacancies_per_m3 / metallic, 1.0)
        return (low + rise * fem.minimum(vacancies_per_m3 / full, 1.0)) * fem.exp(-barrier / (K_EV_PER_K * T_K))

    return sigma


def _of_boundary(keys: Continuum) -> tuple[Any, Any]:
    """sigma and kappa of the boundary, of the density within it: at its edge that differs from the oxide's."""
    low = keys.insulating_S_per_m if keys.boundary_S_per_m is None else keys.boundary_S_per_m
    sigma, kappa = conductivity(keys.model_copy(update={"insulating_S_per_m": low})), thermal_conductivity(keys)
    return (
        lambda T_K, boundary_per_m3: sigma(T_K, boundary_per_m3),
        lambda T_K, boundary_per_m3: kappa(T_K, boundary_per_m3),
    )


def thermal_conductivity(keys: Continuum) -> Any:
    """kappa(T, n) of the oxide: from kappa0 (1 + c (T - 300 K)) without vacancies to that of full_per_m3, linear."""
    low, slope, high, full = (
        keys.insulating_W_per_mK, keys.insulating_per_K, keys.conducting_W_per_mK, keys.full_per_m3
    )  # fmt: skip

    def kappa(T_K: Any, vacancies_per_m3: Any) -> Any:
        bare = low * (1.0 + slope * fem.maximum(T_K - 300.0, -5.0))
        return bare + (high - bare) * fem.minimum(vacancies_per_m3 / full, 1.0)

    return kappa
