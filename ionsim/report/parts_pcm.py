"""Phase-change cells as boxes and tubes, as the builders of :mod:`meshes` lay them out."""

from __future__ import annotations

from typing import Literal

from ionsim.config.pcm import PcmDevice
from ionsim.config.pcm_geometry import CellArray, Line, Line3d, Mushroom, Mushroom3d, Pillar
from ionsim.report.shapes import Box, Part, Tube, conducts

#: Name, inner and outer radius, lower and upper end.
_Ring = tuple[str, float, float, float, float]


def pcm_parts(device: PcmDevice) -> tuple[list[Part], Literal["x", "r"], float, list[str]]:
    """Parts, the horizontal axis of the section, where it lies, and what it does not show."""
    geometry = device.geometry
    if isinstance(geometry, Mushroom | Pillar):
        rings = _mushroom(geometry) if isinstance(geometry, Mushroom) else _pillar(geometry)
        parts = [_part(device, name, Tube(*numbers)) for name, *numbers in rings]
        flat = isinstance(geometry, Mushroom3d)
        note = "solved in 3D" if flat else "all is turned around the axis r = 0"
        return parts, "x" if flat else "r", 0.0, [note]
    if isinstance(geometry, Line):
        return _line(device, geometry), "x", 0.0, _line_notes(geometry)
    assert isinstance(geometry, CellArray)
    row, column = device.selected
    note = f"the section is through the row of the driven cell, ({row}, {column}); the other cells carry no current"
    return _array(device, geometry), "x", row * geometry.pitch_nm, [note]


def _material(device: PcmDevice, name: str) -> str:
    if name in ("phase_change", "cell"):
        return device.phase_change.material
    return str(getattr(device.surroundings, name))


def _part(device: PcmDevice, name: str, shape: Box | Tube) -> Part:
    material = _material(device, name)
    return Part(name, material, shape, conducts=name == "phase_change" or conducts(device, material))


def _mushroom(geometry: Mushroom) -> list[_Ring]:
    outer, heater, radius = geometry.outer_radius_nm, geometry.heater_nm, geometry.heater_radius_nm
    film = geometry.phase_change_nm
    return [
        ("bottom", 0.0, outer, -heater - geometry.bottom_nm, -heater),
        ("dielectric", radius, outer, -heater, 0.0),
        ("heater", 0.0, radius, -heater, 0.0),
        ("phase_change", 0.0, outer, 0.0, film),
        ("top", 0.0, outer, film, film + geometry.top_nm),
    ]


def _pillar(geometry: Pillar) -> list[_Ring]:
    outer, heater, radius = geometry.outer_radius_nm, geometry.heater_nm, geometry.radius_nm
    film = geometry.phase_change_nm
    heaters = [("heater", 0.0, radius, -heater, 0.0)] if heater else []
    return [
        ("bottom", 0.0, outer, -heater - geometry.bottom_nm, -heater),
        ("dielectric", radius, outer, -heater, film),
        *heaters,
        ("phase_change", 0.0, radius, 0.0, film),
        ("top", 0.0, outer, film, film + geometry.top_nm),
    ]


def _line(device: PcmDevice, geometry: Line) -> list[Part]:
    half, end = 0.5 * geometry.length_nm, 0.5 * geometry.length_nm + geometry.electrode_nm
    roof = geometry.thickness_nm + geometry.capping_nm
    width = metal = outer = geometry.width_nm
    if isinstance(geometry, Line3d):
        metal, outer = geometry.electrode_width_nm, geometry.outer_width_nm
    rows = [
        ("substrate", (-end, end), outer, (-geometry.substrate_nm, 0.0)),
        ("capping", (-end, end), outer, (0.0, roof)),
        ("left", (-end, -half), metal, (0.0, geometry.electrode_thickness_nm)),
        ("right", (half, end), metal, (0.0, geometry.electrode_thickness_nm)),
        ("phase_change", (-half, half), width, (0.0, geometry.thickness_nm)),
    ]
    return [
        _part(device, name, Box(x, (-0.5 * y, 0.5 * y), z)) for name, x, y, z in rows
    ]  # fmt: skip


def _line_notes(geometry: Line) -> list[str]:
    return ["solved in 3D"] if isinstance(geometry, Line3d) else [f"all is the same along y, {geometry.width_nm:g} nm"]


def _array(device: PcmDevice, geometry: CellArray) -> list[Part]:
    pitch, line = geometry.pitch_nm, 0.5 * geometry.line_width_nm
    x = (-geometry.margin_nm, (geometry.columns - 1) * pitch + geometry.margin_nm)
    y = (-geometry.margin_nm, (geometry.rows - 1) * pitch + geometry.margin_nm)
    ground, ceiling = -geometry.heater_nm - geometry.word_nm, geometry.phase_change_nm + geometry.bit_nm
    parts = [
        _part(device, "substrate", Box(x, y, (ground - geometry.substrate_nm, ground))),
        _part(device, "dielectric", Box(x, y, (ground, ceiling + geometry.capping_nm))),
    ]
    for row in range(geometry.rows):
        along = (row * pitch - line, row * pitch + line)
        parts.append(Part(f"word {row}", device.surroundings.word, Box(x, along, (ground, -geometry.heater_nm))))
    for column in range(geometry.columns):
        along = (column * pitch - line, column * pitch + line)
        parts.append(Part(f"bit {column}", device.surroundings.bit, Box(along, y, (geometry.phase_change_nm, ceiling))))
    for row in range(geometry.rows):
        for column in range(geometry.columns):
            for name, width, z in (
                ("heater", geometry.heater_width_nm, (-geometry.heater_nm, 0.0)),
                ("cell", geometry.cell_width_nm, (0.0, geometry.phase_change_nm)),
            ):
                box = Box(_about(column * pitch, width), _about(row * pitch, width), z)
                driven = name == "cell" or (row, column) == tuple(device.selected)
                parts.append(Part(f"{name} {row},{column}", _material(device, name), box, conducts=driven))
    return parts


def _about(middle: float, width: float) -> tuple[float, float]:
    return middle - 0.5 * width, middle + 0.5 * width
