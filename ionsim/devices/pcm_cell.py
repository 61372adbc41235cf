"""From the description of a phase-change cell to its mesh, its equations and the fronts in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

import fem
import meshes
from ionsim.config.pcm import PcmDevice
from ionsim.config.pcm_geometry import CellArray, Line, Line3d
from ionsim.devices.pcm_electrical import PhaseChangeConductor
from ionsim.materials.constants import INSULATOR_S_PER_M
from ionsim.materials.crystallisation import Crystallisation

#: Boundary conductance of an interface without resistance (None in fem.Contact).
_PERFECT = None


@dataclass(frozen=True)
class PcmCell:
    """A cell ready to be stepped.

    ``regions``: the parts of the mesh whose phase changes; ``depth_m``: depth of a plane mesh, 1 where currents are
    those of the whole cell; ``symmetry``: how often the mesh makes up the cell (2 of a half, 4 of a quarter).
    """

    mesh: meshes.LabelledMesh
    problem: fem.Transient
    conductor: PhaseChangeConductor
    kinetics: Crystallisation
    regions: tuple[str, ...]
    depth_m: float
    symmetry: int

    @property
    def share(self) -> float:
        """What multiplies a current, power or volume of the mesh to give that of the cell."""
        return self.depth_m * self.symmetry


def build_cell(device: PcmDevice, comm: MPI.Comm | None = None) -> PcmCell:
    """Mesh a device and set up its equations. Raises MeshError for a geometry that cannot be meshed."""
    geometry = device.geometry
    array = isinstance(geometry, CellArray)
    active = "cell_*" if array else "phase_change"
    mesh = meshes.build(geometry.kind, {**geometry.arguments(), "split": _split(device, active)}, comm)
    regions = tuple(name for name in mesh.regions if name == active or (array and name.startswith("cell_")))
    conductor = PhaseChangeConductor(**{name: device.phase(name) for name in PhaseChangeConductor.__annotations__})
    problem = fem.Transient(
        mesh,
        electrical_S_per_m=_electrical(device, mesh, conductor, regions),
        thermal_W_per_mK=_by_region(device, mesh, regions, "thermal_W_per_mK", conductor.thermal),
        capacity_J_per_m3K=_by_region(
            device, mesh, regions, "capacity_J_per_m3K", device.phase("capacity_J_per_m3K")
        ),
        fixed_K=dict.fromkeys(_sinks(mesh), device.ambient_K),
        driven=_driven(device),
        grounded=_grounded(device, mesh),
        interfaces=_contacts(device, mesh, regions),
        states={"crystalline": 1.0, "age_eV": 0.0},
        settings=fem.TransientSettings(rtol=device.numerics.field_rtol),
    )
    plane = isinstance(geometry, Line) and not isinstance(geometry, Line3d)
    symmetry = 4 if getattr(geometry, "quarter", False) else 2 if getattr(geometry, "half", False) else 1
    depth_m = geometry.width_nm * 1e-9 if plane and isinstance(geometry, Line) else 1.0
    return PcmCell(mesh, problem, conductor, Crystallisation.of(device.phase), regions, depth_m, symmetry)


def _split(device: PcmDevice, active: str) -> tuple[str, ...]:
    """Surfaces of the phase-change material at which temperature or potential may jump."""
    return tuple(f"{part}/{active}" for part in _neighbours(device))


def _neighbours(device: PcmDevice) -> tuple[str, ...]:
    names = {
        "mushroom": ("heater", "dielectric", "top"), "mushroom_3d": ("heater", "dielectric", "top"),
        "pillar": ("bottom", "dielectric", "top"), "line_cell": ("substrate", "left", "right", "capping"),
        "line_cell_3d": ("substrate", "left", "right", "capping"), "pcm_array": ("heater_*", "dielectric", "bit_*"),
    }[device.geometry.kind]  # fmt: skip
    if device.geometry.kind == "pillar" and device.geometry.arguments()["heater_nm"] > 0.0:
        return ("heater", *names[1:])
    return names


def _part(region: str) -> str:
    """The part of ``[surroundings]`` that a region of the mesh belongs to: word_2 is a word line."""
    return region.split("_")[0]


def _by_region(
    device: PcmDevice, mesh: meshes.LabelledMesh, regions: tuple[str, ...], quantity: str, active: fem.Property
) -> dict[str, fem.Property]:
    return {
        name: active if name in regions else device.material(getattr(device.surroundings, _part(name))).value(quantity)
        for name in mesh.regions
    }


def _electrical(
    device: PcmDevice, mesh: meshes.LabelledMesh, conductor: PhaseChangeConductor, regions: tuple[str, ...]
) -> dict[str, fem.Property]:
    """Conductivities; insulators have none, nor have the heaters of an array's cells that are not selected."""
    values = _by_region(device, mesh, regions, "electrical_S_per_m", conductor.electrical)
    chosen = f"heater_{device.selected[0]}_{device.selected[1]}"
    for name, value in values.items():
        off = isinstance(device.geometry, CellArray) and name.startswith("heater_") and name != chosen
        if off or (isinstance(value, float) and value < INSULATOR_S_PER_M):
            values[name] = 0.0
    return values


def _driven(device: PcmDevice) -> str:
    if isinstance(device.geometry, CellArray):
        return f"bit_{device.selected[1]}"
    return "right" if isinstance(device.geometry, Line) else "top"


def _grounded(device: PcmDevice, mesh: meshes.LabelledMesh) -> list[str]:
    """The other contact; in an array all lines but the driven one, so that the potential of none is left open."""
    if isinstance(device.geometry, CellArray):
        return [name for name in mesh.surfaces if _part(name) in ("word", "bit") and name != _driven(device)]
    return ["left" if isinstance(device.geometry, Line) else "bottom"]


def _sinks(mesh: meshes.LabelledMesh) -> list[str]:
    """Outer surfaces at ambient temperature: contacts, substrates, ends of lines; not mirror planes, axes and sides."""
    return [name for name in mesh.surfaces if name not in ("axis", "side", "symmetry")]


def _contacts(
    device: PcmDevice, mesh: meshes.LabelledMesh, regions: tuple[str, ...]
) -> dict[str, fem.Contact]:
    """Boundary resistances of every split interface between the phase-change material and what touches it."""
    boundaries, found = device.boundaries, {}
    for name, interface in mesh.interfaces.items():
        other = interface.second if interface.first in regions else interface.first
        conducts = device.material(getattr(device.surroundings, _part(other))).value("electrical_S_per_m")
        metal = conducts > INSULATOR_S_PER_M
        resistance = boundaries.heater_m2K_per_GW if metal else boundaries.dielectric_m2K_per_GW
        contact = boundaries.contact_ohm_m2
        found[name] = fem.Contact(
            thermal_W_per_m2K=1e9 / resistance if resistance else _PERFECT,
            electrical_S_per_m2=(1.0 / contact if contact else _PERFECT) if metal else 0.0,
        )
    return found


Velocity = Callable[[np.ndarray], np.ndarray]


def fronts(device: PcmDevice, cell: PcmCell, seed: np.random.SeedSequence) -> list[fem.PhaseFront | fem.Nucleation]:
    """One front for each region whose phase changes, with nuclei where they are asked for."""
    keys = device.crystallisation
    begin = 1.0 if device.phase_change.initial == "crystalline" else 0.0
    found: list[fem.PhaseFront | fem.Nucleation] = []
    for region, stream in zip(cell.regions, seed.spawn(len(cell.regions)), strict=True):
        front = fem.PhaseFront(
            cell.mesh, region, cell.kinetics.velocity_m_per_s, keys.front_width_nm,
            grain_boundaries_per_nm=2.0 / device.phase("grain_nm"),
        )  # fmt: skip
        front.set_value(begin)
        if not keys.nucleation or keys.rate_factor == 0.0:
            found.append(front)
            continue
        depth_nm = 1e9 * cell.depth_m if cell.mesh.mesh.topology.dim == 2 and not cell.mesh.axisymmetric else None
        rate, own = _scaled(cell.kinetics.nucleation_per_m3s, keys.rate_factor), int(stream.generate_state(1)[0])
        found.append(fem.Nucleation(front, rate, own, keys.nucleus_radius_nm, depth_nm))
    return found


def _scaled(rate: Velocity, factor: float) -> Velocity:
    return lambda temperature_K: factor * rate(temperature_K)
