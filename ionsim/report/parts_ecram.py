"""ECRAM devices as boxes, as the builders of :mod:`meshes` lay them out; the gate is drawn, but not meshed."""

from __future__ import annotations

from ionsim.config.ecram import EcramDevice
from ionsim.config.ecram_geometry import EcramLateral, EcramStack, EcramVertical, EcramVertical3d
from ionsim.report.shapes import Box, Part

#: Thickness at which a gate is drawn that has none in the description, as a share of electrolyte and channel (chosen).
_GATE_SHARE = 0.4


def ecram_parts(device: EcramDevice) -> tuple[list[Part], list[str]]:
    """Parts, and what the drawing does not show."""
    geometry = device.geometry
    half_width = 0.5 * geometry.width_nm
    y = (-half_width, half_width)
    half = 0.5 * geometry.channel_length_nm
    top = geometry.channel_nm + geometry.electrolyte_nm
    gate_nm = _GATE_SHARE * top
    gate, film, channel = (getattr(device, name).material for name in ("reservoir", "electrolyte", "channel"))
    thin = "the gate is an ideal reservoir without thickness"
    if isinstance(geometry, EcramStack):
        parts = [
            Part("channel", channel, Box((-half, half), y, (0.0, geometry.channel_nm))),
            Part("electrolyte", film, Box((-half, half), y, (geometry.channel_nm, top))),
            Part("gate", gate, Box((-half, half), y, (top, top + gate_nm)), meshed=False),
        ]
        return parts, ["solved in 1D along z: length and width only scale the currents", thin]
    end = half + geometry.contact_length_nm
    contacts = [
        Part("source", "contact", Box((-end, -half), y, (0.0, geometry.contact_nm))),
        Part("drain", "contact", Box((half, end), y, (0.0, geometry.contact_nm))),
        Part("channel", channel, Box((-half, half), y, (0.0, geometry.channel_nm))),
    ]
    width = f"all is the same along y, {geometry.width_nm:g} nm"
    if isinstance(geometry, EcramLateral):
        begin = end + geometry.gap_nm
        right = begin + geometry.gate_length_nm
        roof = max(geometry.channel_nm, geometry.contact_nm, geometry.gate_nm) + geometry.electrolyte_nm
        own = Part("gate", gate, Box((begin, right), y, (0.0, geometry.gate_nm)), meshed=False)
        return [Part("electrolyte", film, Box((-end, right), y, (0.0, roof))), *contacts, own], [width]
    assert isinstance(geometry, EcramVertical)
    reach, gate_half = half + geometry.overlap_nm, 0.5 * geometry.gate_length_nm
    film_y = gate_y = y
    notes = [width, thin]
    base = min(geometry.contact_nm, geometry.channel_nm)
    if isinstance(geometry, EcramVertical3d):
        film_y = (-0.5 * geometry.electrolyte_width_nm, 0.5 * geometry.electrolyte_width_nm)
        gate_y = (-0.5 * geometry.gate_width_nm, 0.5 * geometry.gate_width_nm)
        notes = ["solved in 3D", thin]
    parts = [
        Part("electrolyte", film, Box((-reach, reach), film_y, (base, top))),
        *contacts,
        Part("gate", gate, Box((-gate_half, gate_half), gate_y, (top, top + gate_nm)), meshed=False),
    ]
    return parts, notes
