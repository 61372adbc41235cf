"""The ``[geometry]`` table of phase-change cells: one kind for each shape, every length a key."""

from typing import ClassVar, Literal

from ionsim.config.base import Problem, Problems, Section, number, setting


class Geometry(Section):
    """What all shapes share."""

    #: Regions of the mesh that are a conductor or an insulator around the phase-change material.
    regions: ClassVar[tuple[str, ...]] = ()

    size_nm: float = number(1.5, "nm", "mesh size where the phase changes", gt=0.05, le=100)
    coarse_nm: float = number(20.0, "nm", "largest mesh size", gt=0.05, le=1000)

    def cross_checks(self) -> Problems:
        """Problems between the keys of this table; key paths are relative to it."""
        if self.coarse_nm < self.size_nm:
            yield Problem("coarse_nm", f"must be at least size_nm = {self.size_nm:g}", self.coarse_nm)


class Mushroom(Geometry):
    """A heater below a wide film."""

    regions: ClassVar[tuple[str, ...]] = ("bottom", "heater", "dielectric", "top")

    kind: Literal["mushroom"]
    dimension: Literal[2, 3] = setting(2, "2: (r, z) around the heater's axis; 3: all of it")
    heater_radius_nm: float = number(20.0, "nm", "radius of the heater", gt=0.5, le=1000)
    heater_height_nm: float = number(50.0, "nm", "height of the heater", gt=0.5, le=2000)
    thickness_nm: float = number(60.0, "nm", "thickness of the phase-change film", gt=1, le=2000)
    bottom_nm: float = number(40.0, "nm", "thickness of the bottom contact", gt=0.5, le=2000)
    top_nm: float = number(40.0, "nm", "thickness of the top contact", gt=0.5, le=2000)
    radius_nm: float = number(150.0, "nm", "radius of all that is simulated", gt=1, le=10_000)

    def cross_checks(self) -> Problems:
        """The heater fits into the cell."""
        yield from super().cross_checks()
        if self.heater_radius_nm >= self.radius_nm:
            message = f"must be below radius_nm = {self.radius_nm:g}"
            yield Problem("heater_radius_nm", message, self.heater_radius_nm)


class Pillar(Geometry):
    """A confined cell: a plug of phase-change material in a dielectric between two contacts; (r, z)."""

    regions: ClassVar[tuple[str, ...]] = ("bottom", "dielectric", "top")

    kind: Literal["pillar"]
    plug_radius_nm: float = number(15.0, "nm", "radius of the plug", gt=0.5, le=1000)
    height_nm: float = number(50.0, "nm", "height of the plug", gt=1, le=2000)
    bottom_nm: float = number(40.0, "nm", "thickness of the bottom contact", gt=0.5, le=2000)
    top_nm: float = number(40.0, "nm", "thickness of the top contact", gt=0.5, le=2000)
    radius_nm: float = number(120.0, "nm", "radius of all that is simulated", gt=1, le=10_000)

    def cross_checks(self) -> Problems:
        """The plug fits into the cell."""
        yield from super().cross_checks()
        if self.plug_radius_nm >= self.radius_nm:
            message = f"must be below radius_nm = {self.radius_nm:g}"
            yield Problem("plug_radius_nm", message, self.plug_radius_nm)


class Line(Geometry):
    """A bridge of phase-change material between two electrodes on a substrate."""

    regions: ClassVar[tuple[str, ...]] = ("substrate", "bottom", "top", "capping")

    kind: Literal["line"]
    dimension: Literal[2, 3] = setting(2, "2: the plane along the line, all of width_nm alike; 3: all of it")
    length_nm: float = number(100.0, "nm", "length of the line between the electrodes", gt=1, le=10_000)
    width_nm: float = number(20.0, "nm", "width of the line", gt=1, le=10_000)
    thickness_nm: float = number(10.0, "nm", "thickness of the line", gt=1, le=1000)
    electrode_nm: float = number(60.0, "nm", "length of each electrode", gt=1, le=10_000)
    substrate_nm: float = number(80.0, "nm", "thickness of the substrate that is simulated", gt=1, le=10_000)
    capping_nm: float = number(40.0, "nm", "thickness of the capping", gt=1, le=10_000)


class Array(Geometry):
    """Cells at the crossings of word lines (below, along x) and bit lines (above, along y); 3D."""

    regions: ClassVar[tuple[str, ...]] = ("word_line", "heater", "dielectric", "bit_line")

    kind: Literal["array"]
    rows: int = number(3, "", "cells along y: one word line each", ge=1, le=9)
    columns: int = number(3, "", "cells along x: one bit line each", ge=1, le=9)
    pitch_nm: float = number(80.0, "nm", "distance of neighbouring cells", gt=1, le=2000)
    heater_nm: float = number(30.0, "nm", "side of the square heater", gt=0.5, le=1000)
    heater_height_nm: float = number(40.0, "nm", "height of the heater", gt=0.5, le=2000)
    cell_nm: float = number(50.0, "nm", "side of the square phase-change block", gt=0.5, le=1000)
    thickness_nm: float = number(50.0, "nm", "thickness of the phase-change block", gt=1, le=2000)
    line_nm: float = number(50.0, "nm", "width of the lines", gt=0.5, le=1000)
    line_height_nm: float = number(40.0, "nm", "height of the lines", gt=0.5, le=1000)
    margin_nm: float = number(80.0, "nm", "dielectric around the outermost cells", gt=0, le=2000)

    def cross_checks(self) -> Problems:
        """Blocks stand apart, and heaters and lines fit."""
        yield from super().cross_checks()
        for key in ("cell_nm", "line_nm"):
            if getattr(self, key) >= self.pitch_nm:
                yield Problem(key, f"must be below pitch_nm = {self.pitch_nm:g}", getattr(self, key))
        if self.heater_nm > self.cell_nm:
            yield Problem("heater_nm", f"must be at most cell_nm = {self.cell_nm:g}", self.heater_nm)


GeometryConfig = Mushroom | Pillar | Line | Array


class Surroundings(Section):
    """Materials of the parts around the phase-change material; each shape has some of them."""

    bottom: str = setting("TiN", "bottom contact, or the electrode at the grounded end of a line")
    heater: str = setting("TiN", "heater")
    dielectric: str = setting("SiO2", "dielectric around heater and cell")
    top: str = setting("TiN", "top contact, or the electrode at the driven end of a line")
    substrate: str = setting("SiO2", "substrate of a line")
    capping: str = setting("SiO2", "capping of a line")
    word_line: str = setting("W", "word lines of an array, grounded")
    bit_line: str = setting("W", "bit lines of an array, driven")
