"""The ``[geometry]`` table of ECRAM devices: the parametric geometries of :mod:`meshes`, with their keys."""

from typing import Any, Literal

from ionsim.config.base import Problem, Problems, Section, number, setting


def _length(default: float, description: str) -> Any:
    return number(default, "nm", description, gt=0.1, le=1_000_000)


class EcramGeometry(Section):
    """What all shapes share: two layers, a width, and how finely they are meshed."""

    electrolyte_nm: float = _length(10.0, "thickness of the electrolyte")
    channel_nm: float = _length(20.0, "thickness of the channel")
    width_nm: float = _length(50.0, "width of channel and gate, across the current")
    size_nm: float = number(0.4, "nm", "mesh size at the electrolyte's interfaces", gt=1e-3, le=1e4)
    growth: float = number(1.4, "", "ratio of neighbouring mesh sizes away from them", gt=1, le=3)
    largest_nm: float = _length(2.0, "largest mesh size across a layer")

    def arguments(self) -> dict[str, Any]:
        """The arguments of the geometry's builder: without the width, which is the depth of a line or plane."""
        return {name: value for name, value in self.model_dump().items() if name not in ("kind", "width_nm")}

    def cross_checks(self) -> Problems:
        """Problems between the keys of this table; key paths are relative to it."""
        if self.largest_nm < self.size_nm:
            yield Problem("largest_nm", f"must be at least size_nm = {self.size_nm:g}", self.largest_nm)


class EcramStack(EcramGeometry):
    """Reservoir, electrolyte and channel one over the other in 1D: no ends, no fringes; for fast fits."""

    kind: Literal["ecram_stack"] = setting(..., "kind of cell")
    channel_length_nm: float = _length(100.0, "length of the channel from source to drain")

    def arguments(self) -> dict[str, Any]:
        """Without the length, which only scales."""
        return {name: value for name, value in super().arguments().items() if name != "channel_length_nm"}


class EcramPlane(EcramGeometry):
    """The plane (x, z) from source to drain."""

    channel_length_nm: float = _length(100.0, "length of the channel from source to drain")
    contact_length_nm: float = _length(20.0, "length of source and drain")
    contact_nm: float = _length(20.0, "thickness of source and drain")
    lateral_nm: float = _length(15.0, "largest mesh size along the channel")
    edge_nm: float = number(2.0, "nm", "mesh size along the channel at its ends and those of the gate",
                            gt=1e-2, le=1e4)  # fmt: skip


class EcramVertical(EcramPlane):
    """The gate above electrolyte and channel."""

    kind: Literal["ecram_vertical"] = setting(..., "kind of cell")
    gate_length_nm: float = _length(100.0, "length of the gate, centred over the channel")
    overlap_nm: float = number(0.0, "nm", "how far the electrolyte reaches over source and drain", ge=0, le=1e6)

    def cross_checks(self) -> Problems:
        """The gate is no longer than the electrolyte, and that ends on the contacts."""
        yield from super().cross_checks()
        if self.overlap_nm > self.contact_length_nm:
            message = f"must be at most contact_length_nm = {self.contact_length_nm:g}"
            yield Problem("overlap_nm", message, self.overlap_nm)
        whole_nm = self.channel_length_nm + 2 * self.overlap_nm
        if self.gate_length_nm > whole_nm:
            message = f"must be at most the electrolyte's, channel_length_nm + 2 overlap_nm = {whole_nm:g}"
            yield Problem("gate_length_nm", message, self.gate_length_nm)


class EcramLateral(EcramPlane):
    """The gate beside the drain, under the same electrolyte."""

    kind: Literal["ecram_lateral"] = setting(..., "kind of cell")
    gap_nm: float = _length(50.0, "distance from drain to gate")
    gate_length_nm: float = _length(100.0, "length of the gate")
    gate_nm: float = _length(20.0, "thickness of the gate")


class EcramVertical3d(EcramVertical):
    """The gate above electrolyte and channel, in 3D."""

    kind: Literal["ecram_vertical_3d"] = setting(..., "kind of cell")  # type: ignore[assignment]
    electrolyte_width_nm: float = _length(50.0, "width of the electrolyte, which covers the channel's sides if wider")
    gate_width_nm: float = _length(50.0, "width of the gate")
    size_nm: float = number(0.5, "nm", "mesh size at the electrolyte's interfaces", gt=1e-3, le=1e4)
    growth: float = number(1.6, "", "ratio of neighbouring mesh sizes away from them", gt=1, le=3)
    largest_nm: float = _length(2.5, "largest mesh size across a layer")
    edge_nm: float = number(3.0, "nm", "mesh size along and across the channel at its ends and those of the gate",
                            gt=1e-2, le=1e4)  # fmt: skip
    half: bool = setting(False, "half of it only, beside a mirror plane")

    def arguments(self) -> dict[str, Any]:
        """All keys but the kind."""
        return {name: value for name, value in self.model_dump().items() if name != "kind"}

    def cross_checks(self) -> Problems:
        """Channel and gate are no wider than the electrolyte."""
        yield from super().cross_checks()
        for key in ("width_nm", "gate_width_nm"):
            if getattr(self, key) > self.electrolyte_width_nm:
                message = f"must be at most electrolyte_width_nm = {self.electrolyte_width_nm:g}"
                yield Problem(key, message, getattr(self, key))


EcramGeometryConfig = EcramStack | EcramVertical | EcramLateral | EcramVertical3d
