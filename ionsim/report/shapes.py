"""Shapes that devices are made of; all lengths in nm."""

from __future__ import annotations

from dataclasses import dataclass

from ionsim.config import Device
from ionsim.materials.constants import INSULATOR_S_PER_M

Range = tuple[float, float]

#: Name, material and thickness of films, from below.
Stack = list[tuple[str, str, float]]


@dataclass(frozen=True)
class Box:
    """A block along the axes."""

    x: Range
    y: Range
    z: Range


@dataclass(frozen=True)
class Tube:
    """What lies between two radii around the z axis; a plug where the inner one is 0."""

    inner: float
    outer: float
    z0: float
    z1: float

    @property
    def box(self) -> Box:
        """The block around it."""
        return Box((-self.outer, self.outer), (-self.outer, self.outer), (self.z0, self.z1))


@dataclass(frozen=True)
class Part:
    """A body of one material; ``meshed`` is False for what is drawn but not solved, such as a gate.

    ``conducts`` is False where no current is solved for, so that there is no potential to show.
    """

    name: str
    material: str
    shape: Box | Tube
    meshed: bool = True
    conducts: bool = True

    @property
    def box(self) -> Box:
        """The block around it."""
        return self.shape if isinstance(self.shape, Box) else self.shape.box

    def section(self, across: str, up: str, at_nm: float) -> list[tuple[Range, Range]]:
        """The rectangles in which a plane cuts it, as ranges along both axes of the plane."""
        if isinstance(self.shape, Tube):
            inner, outer, z = self.shape.inner, self.shape.outer, (self.shape.z0, self.shape.z1)
            return [((-outer, outer), z)] if inner == 0.0 else [((-outer, -inner), z), ((inner, outer), z)]
        ranges = {"x": self.shape.x, "y": self.shape.y, "z": self.shape.z, "r": self.shape.x}
        (depth,) = {"x", "y", "z"} - {across.replace("r", "x"), up}
        low, high = ranges[depth]
        return [(ranges[across], ranges[up])] if low <= at_nm <= high else []


@dataclass(frozen=True)
class Mark:
    """A dashed rectangle in a section."""

    name: str
    across: Range
    up: Range


def conducts(device: Device, material: str) -> bool:
    """Whether a surrounding material carries current in a family of continua, by the same limit."""
    return device.material(material).value("electrical_S_per_m") > INSULATOR_S_PER_M
