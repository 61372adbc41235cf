"""What a device consists of, to scale: boxes and tubes with their materials, from its description."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionsim.config import Device
from ionsim.config.ecm import EcmDevice
from ionsim.config.ecram import EcramDevice
from ionsim.config.pcm import PcmDevice
from ionsim.config.vcm import VcmDevice
from ionsim.report.parts_ecram import ecram_parts
from ionsim.report.parts_pcm import pcm_parts
from ionsim.report.shapes import Box, Mark, Part, Stack, Tube, conducts

Floats = NDArray[np.float64]

__all__ = ["Drawing", "drawing_of"]


@dataclass(frozen=True)
class Drawing:
    """A device to scale; later parts lie over earlier ones.

    ``across`` and ``up``: axes of the section, which lies at ``at_nm`` of the third. ``marks``: lines in it that are no
    parts, such as the box of the lattice. ``notes``: what the section does not show.
    """

    parts: list[Part]
    across: Literal["x", "z", "r"] = "x"
    up: Literal["y", "z"] = "z"
    at_nm: float = 0.0
    marks: list[Mark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def holds(self, across_nm: Floats, up_nm: Floats, chosen: Callable[[Part], bool]) -> NDArray[np.bool_]:
        """Whether each point of a section (len(up_nm), len(across_nm)) lies in a chosen part."""
        found = np.zeros((len(up_nm), len(across_nm)), dtype=bool)
        for part in self.parts:
            for (left, right), (low, high) in part.section(self.across, self.up, self.at_nm):
                own = np.ix_((up_nm >= low) & (up_nm <= high), (across_nm >= left) & (across_nm <= right))
                found[own] = chosen(part)
        return found


def drawing_of(device: Device) -> Drawing:
    """The drawing of a device of any family."""
    if isinstance(device, VcmDevice):
        return _continuum(device) if device.model == "continuum" else _vcm(device)
    if isinstance(device, EcmDevice):
        return _lateral(device) if device.layout == "lateral" else _ecm(device)
    if isinstance(device, PcmDevice):
        parts, across, at_nm, notes = pcm_parts(device)
        return Drawing(parts, across=across, at_nm=at_nm, notes=notes)
    assert isinstance(device, EcramDevice)
    parts, notes = ecram_parts(device)
    return Drawing(parts, notes=notes)


def _stacked(layers: Stack, x: tuple[float, float], y: tuple[float, float]) -> list[Part]:
    """Films one on the other; the second lies on z = 0."""
    z = -layers[0][2]
    parts = []
    for name, material, thickness_nm in layers:
        parts.append(Part(name, material, Box(x, y, (z, z + thickness_nm))))
        z += thickness_nm
    return parts


def _around(width_nm: float, domain_nm: float) -> tuple[float, float]:
    """The domain is centred on the lattice, which begins at 0."""
    return 0.5 * (width_nm - domain_nm), 0.5 * (width_nm + domain_nm)


def _vcm(device: VcmDevice) -> Drawing:
    layers, lattice, domain = device.layers, device.lattice, device.mesh.domain_width_nm
    stack = [(name, getattr(layers, name).material, getattr(layers, name).thickness_nm)
             for name in ("bottom", "oxide", "cap", "top")]  # fmt: skip
    parts = _stacked(stack, _around(lattice.width_nm, domain), _around(lattice.depth_nm, domain))
    box = Mark("lattice", (0.0, lattice.width_nm), (0.0, layers.oxide.thickness_nm))
    spots = [
        Mark("weak spot", (spot.centre_nm[0] - spot.radius_nm, spot.centre_nm[0] + spot.radius_nm),
             (0.0, layers.oxide.thickness_nm)) for spot in device.weak_spots
    ]  # fmt: skip
    notes = [f"the lattice is {lattice.width_nm:g} × {lattice.depth_nm:g} nm wide, the finite elements {domain:g} nm"]
    if device.grains is not None:
        notes.append("grain boundaries are drawn in the 3D picture")
    if device.structure is not None:
        notes.append("atoms: thicknesses of the layers are those of the file, the lattice is where the atoms are")
    return Drawing(parts, at_nm=0.5 * lattice.depth_nm, marks=[box, *spots], notes=notes)


def _ecm(device: EcmDevice) -> Drawing:
    lattice, domain = device.lattice, device.mesh.domain_width_nm
    stack = [(name, layer.material, layer.thickness_nm) for name, layer in device.layers.stack().items()]
    parts = _stacked(stack, _around(lattice.width_nm, domain), _around(lattice.depth_nm, domain))
    box = Mark("lattice", (0.0, lattice.width_nm), (0.0, device.film_nm))
    spots = [
        Mark("soft spot", (spot.centre_nm[0] - spot.radius_nm, spot.centre_nm[0] + spot.radius_nm),
             (0.0, device.film_nm)) for spot in device.soft_spots
    ]  # fmt: skip
    notes = [f"the lattice is {lattice.width_nm:g} × {lattice.depth_nm:g} nm wide, the finite elements {domain:g} nm"]
    return Drawing(parts, at_nm=0.5 * lattice.depth_nm, marks=[box, *spots], notes=notes)


def _lateral(device: EcmDevice) -> Drawing:
    """Electrodes side by side: z goes from one to the other, y up from the substrate."""
    layers, lattice = device.layers, device.lattice
    x = _around(lattice.width_nm, device.mesh.domain_width_nm)
    film_nm = lattice.depth_nm
    height_nm = layers.electrode_height_nm or film_nm
    stack = list(layers.stack().items())
    begin = -stack[0][1].thickness_nm
    end = begin + sum(layer.thickness_nm for _, layer in stack)
    parts = []
    if layers.capping is not None:
        roof = max(film_nm, height_nm) + layers.capping.thickness_nm
        parts.append(Part("capping", layers.capping.material, Box(x, (0.0, roof), (begin, end))))
    if layers.substrate is not None:
        below = (-layers.substrate.thickness_nm, 0.0)
        parts.append(Part("substrate", layers.substrate.material, Box(x, below, (begin, end))))
    z = begin
    for name, layer in stack:
        up = film_nm if name in ("electrolyte", "barrier") else height_nm
        parts.append(Part(name, layer.material, Box(x, (0.0, up), (z, z + layer.thickness_nm))))
        z += layer.thickness_nm
    box = Mark("lattice", (0.0, device.film_nm), (0.0, film_nm))
    return Drawing(parts, across="z", up="y", at_nm=0.5 * lattice.width_nm, marks=[box])


def _continuum(device: VcmDevice) -> Drawing:
    """Oxide and reservoir in a dielectric, around an axis or mirrored at x = 0."""
    keys, layers = device.continuum, device.layers
    oxide_nm, filled_nm = layers.oxide.thickness_nm, layers.oxide.thickness_nm + keys.reservoir_nm
    inner, outer = keys.radius_nm, keys.outer_radius_nm
    round_ = keys.geometry == "axisymmetric"

    def block(low: float, high: float, z0: float, z1: float) -> Iterator[Tube | Box]:
        if round_:
            yield Tube(low, high, z0, z1)
            return
        y = (0.0, keys.depth_nm) if keys.geometry == "plane" else (-0.5 * keys.depth_nm, 0.5 * keys.depth_nm)
        sides = ((-high, high),) if low == 0.0 else ((-high, -low), (low, high))
        for x in sides:
            yield Box(x, y, (z0, z1))

    cap_nm = filled_nm + layers.cap.thickness_nm
    rows = [
        ("bottom", layers.bottom.material, 0.0, outer, -layers.bottom.thickness_nm, 0.0),
        ("dielectric", keys.dielectric, inner, outer, 0.0, filled_nm),
        ("oxide", layers.oxide.material, 0.0, inner, 0.0, oxide_nm),
        ("reservoir", f"{layers.oxide.material}, rich in vacancies", 0.0, inner, oxide_nm, filled_nm),
        ("cap", layers.cap.material, 0.0, outer, filled_nm, cap_nm),
        ("top", layers.top.material, 0.0, outer, cap_nm, cap_nm + layers.top.thickness_nm),
    ]
    parts = [
        Part(name, material, shape, conducts=name in ("oxide", "reservoir") or conducts(device, material))
        for name, material, low, high, z0, z1 in rows if z1 > z0
        for shape in block(low, high, z0, z1)
    ]  # fmt: skip
    radius = keys.filament_radius_nm
    marks = [Mark("filament at the start", (-radius, radius), (keys.gap_nm, oxide_nm))] if radius else []
    note = {"axisymmetric": "all is turned around the axis r = 0", "plane": "all is the same along y",
            "box": "in 3D, mirrored at x = 0 and y = 0"}[keys.geometry]  # fmt: skip
    middle = 0.0 if keys.geometry != "plane" else 0.5 * keys.depth_nm
    return Drawing(parts, across="r" if round_ else "x", at_nm=middle, marks=marks, notes=[note])
