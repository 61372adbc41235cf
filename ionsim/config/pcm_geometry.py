"""The ``[geometry]`` table of phase-change cells: the parametric geometries of :mod:`meshes`, with their keys."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from ionsim.config.base import Problem, Problems, Section, number, setting


def _length(default: float, description: str) -> Any:
    return number(default, "nm", description, gt=0.1, le=10_000)


class Geometry(Section):
    """What all shapes share."""

    #: Parts around the phase-change material, by their name in ``[surroundings]``.
    parts: ClassVar[tuple[str, ...]] = ()
    #: Pairs of keys of which the first must be the smaller one.
    smaller: ClassVar[tuple[tuple[str, str], ...]] = ()

    growth: float = number(1.15, "", "ratio of neighbouring mesh sizes away from where the phase changes", gt=1, le=3)
    largest_nm: float = _length(10.0, "largest mesh size")

    def arguments(self) -> dict[str, Any]:
        """The arguments of the geometry's builder."""
        return {name: value for name, value in self.model_dump().items() if name != "kind"}

    def cross_checks(self) -> Problems:
        """Problems between the keys of this table; key paths are relative to it."""
        for small, large in self.smaller:
            if getattr(self, small) >= getattr(self, large):
                yield Problem(small, f"must be below {large} = {getattr(self, large):g}", getattr(self, small))


class _Stack(Geometry):
    """Contacts below and above."""

    phase_change_nm: float = _length(60.0, "height of the phase-change material")
    heater_nm: float = _length(60.0, "height of the heater")
    bottom_nm: float = _length(50.0, "thickness of the bottom contact")
    top_nm: float = _length(50.0, "thickness of the top contact")
    outer_radius_nm: float = _length(150.0, "radius of all that is simulated")


class Mushroom(_Stack):
    """A heater below a wide film; (r, z) around the heater's axis."""

    parts: ClassVar[tuple[str, ...]] = ("bottom", "heater", "dielectric", "top")
    smaller: ClassVar[tuple[tuple[str, str], ...]] = (("heater_radius_nm", "outer_radius_nm"),)

    kind: Literal["mushroom"] = setting(..., "kind of cell")
    heater_radius_nm: float = _length(15.0, "radius of the heater")
    size_nm: float = _length(1.5, "mesh size where the phase changes")
    fine_radius_nm: float = _length(50.0, "distance from the heater up to which the mesh is fine")


class Mushroom3d(Mushroom):
    """A heater below a wide film, in 3D."""

    kind: Literal["mushroom_3d"] = setting(..., "kind of cell")  # type: ignore[assignment]
    size_nm: float = _length(3.0, "mesh size where the phase changes")
    fine_radius_nm: float = _length(35.0, "distance from the heater up to which the mesh is fine")
    growth: float = number(1.3, "", "ratio of neighbouring mesh sizes away from where the phase changes", gt=1, le=3)
    largest_nm: float = _length(25.0, "largest mesh size")
    quarter: bool = setting(False, "a quarter only, between two mirror planes")


class Pillar(_Stack):
    """A confined cell: a plug of phase-change material in a dielectric between two contacts; (r, z)."""

    parts: ClassVar[tuple[str, ...]] = ("bottom", "heater", "dielectric", "top")
    smaller: ClassVar[tuple[tuple[str, str], ...]] = (("radius_nm", "outer_radius_nm"),)

    kind: Literal["pillar"] = setting(..., "kind of cell")
    radius_nm: float = _length(20.0, "radius of the plug")
    heater_nm: float = number(0.0, "nm", "height of a heater of the same radius below it", ge=0, le=10_000)
    outer_radius_nm: float = _length(120.0, "radius of all that is simulated")
    size_nm: float = _length(1.5, "mesh size where the phase changes")


class Line(Geometry):
    """A bridge of phase-change material between two electrodes on a substrate: the plane along the line."""

    parts: ClassVar[tuple[str, ...]] = ("left", "right", "substrate", "capping")

    kind: Literal["line_cell"] = setting(..., "kind of cell")
    length_nm: float = _length(100.0, "length of the line between the electrodes")
    width_nm: float = _length(50.0, "width of the line")
    thickness_nm: float = _length(20.0, "thickness of the line")
    electrode_nm: float = _length(60.0, "length of each electrode")
    electrode_thickness_nm: float = _length(20.0, "thickness of the electrodes")
    substrate_nm: float = _length(150.0, "thickness of the substrate that is simulated")
    capping_nm: float = _length(80.0, "thickness of the capping above the line")
    size_nm: float = _length(1.5, "mesh size where the phase changes")
    largest_nm: float = _length(15.0, "largest mesh size")

    def arguments(self) -> dict[str, Any]:
        """Without the width, which is the depth of the plane."""
        return {name: value for name, value in super().arguments().items() if name != "width_nm"}


class Line3d(Line):
    """A bridge of phase-change material between two electrodes on a substrate, in 3D."""

    smaller: ClassVar[tuple[tuple[str, str], ...]] = (
        ("width_nm", "outer_width_nm"), ("electrode_width_nm", "outer_width_nm")
    )  # fmt: skip

    kind: Literal["line_cell_3d"] = setting(..., "kind of cell")  # type: ignore[assignment]
    electrode_width_nm: float = _length(120.0, "width of the electrodes")
    outer_width_nm: float = _length(300.0, "width of all that is simulated")
    size_nm: float = _length(4.0, "mesh size where the phase changes")
    growth: float = number(1.3, "", "ratio of neighbouring mesh sizes away from where the phase changes", gt=1, le=3)
    largest_nm: float = _length(30.0, "largest mesh size")
    half: bool = setting(False, "half of it only, beside a mirror plane")

    def arguments(self) -> dict[str, Any]:
        """The arguments of the geometry's builder."""
        return Geometry.arguments(self)


class CellArray(Geometry):
    """Cells at the crossings of word lines (below, along x) and bit lines (above, along y); 3D."""

    parts: ClassVar[tuple[str, ...]] = ("word", "heater", "bit", "dielectric", "substrate")
    smaller: ClassVar[tuple[tuple[str, str], ...]] = (("cell_width_nm", "pitch_nm"), ("line_width_nm", "pitch_nm"))

    kind: Literal["pcm_array"] = setting(..., "kind of cell")
    rows: int = number(3, "", "word lines", ge=1, le=9)
    columns: int = number(3, "", "bit lines", ge=1, le=9)
    selected_row: int = number(1, "", "row of the cell that is driven, from 0", ge=0, le=8)
    selected_column: int = number(1, "", "column of the cell that is driven, from 0", ge=0, le=8)
    pitch_nm: float = _length(80.0, "distance of neighbouring cells")
    heater_width_nm: float = _length(20.0, "side of the square heater")
    heater_nm: float = _length(40.0, "height of the heater")
    cell_width_nm: float = _length(40.0, "side of the square of phase-change material")
    phase_change_nm: float = _length(40.0, "height of the phase-change material")
    line_width_nm: float = _length(40.0, "width of word and bit lines")
    word_nm: float = _length(30.0, "thickness of word lines")
    bit_nm: float = _length(30.0, "thickness of bit lines")
    margin_nm: float = _length(80.0, "distance from the outermost crossings to the sides")
    substrate_nm: float = _length(100.0, "thickness of the substrate that is simulated")
    capping_nm: float = _length(60.0, "dielectric above the bit lines")
    size_nm: float = _length(5.0, "mesh size where the phase changes")
    growth: float = number(1.35, "", "ratio of neighbouring mesh sizes away from where the phase changes", gt=1, le=3)
    largest_nm: float = _length(30.0, "largest mesh size")

    def arguments(self) -> dict[str, Any]:
        """Without the selection, which is no business of the mesh."""
        return {name: value for name, value in super().arguments().items() if not name.startswith("selected")}

    def cross_checks(self) -> Problems:
        """Heaters are no wider than cells and lines, and the selected cell is one of the array."""
        yield from super().cross_checks()
        for key, count in (("selected_row", self.rows), ("selected_column", self.columns)):
            if getattr(self, key) >= count:
                yield Problem(key, f"must be below the {count} of the array", getattr(self, key))
        heater_nm = self.heater_width_nm
        for key in ("cell_width_nm", "line_width_nm"):
            if heater_nm > getattr(self, key):
                yield Problem("heater_width_nm", f"must be at most {key} = {getattr(self, key):g}", heater_nm)


GeometryConfig = Mushroom | Mushroom3d | Pillar | Line | Line3d | CellArray


class Surroundings(Section):
    """Materials of the parts around the phase-change material; each shape has some of them."""

    bottom: str = setting("TiN", "bottom contact")
    heater: str = setting("TiN", "heater")
    dielectric: str = setting("SiO2", "dielectric around heater and cell")
    top: str = setting("TiN", "top contact")
    left: str = setting("TiN", "grounded electrode of a line")
    right: str = setting("TiN", "driven electrode of a line")
    substrate: str = setting("SiO2", "substrate")
    capping: str = setting("SiO2", "capping of a line")
    word: str = setting("W", "word lines of an array, grounded")
    bit: str = setting("W", "bit lines of an array, driven")

    def of(self, parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Name and material of some parts."""
        for part in parts:
            yield part, getattr(self, part)
