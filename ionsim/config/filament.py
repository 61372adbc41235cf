"""What the device files of all filament families share: layers, columns, the mesh around the lattice."""

from collections.abc import Sequence

from ionsim.config.base import Pair, Problem, Problems, Section, number, setting


class Layer(Section):
    """One film of the stack."""

    material: str = setting(..., "name of a material of the database or of [materials]")
    thickness_nm: float = number(..., "nm", "film thickness", gt=0.2, le=1000)


class Spot(Section):
    """A column through the film."""

    centre_nm: Pair = number(..., "nm", "x and y of the column's axis")
    radius_nm: float = number(..., "nm", "radius of the column", gt=0, le=100)


class Mesh(Section):
    """The finite-element mesh; the lattice box sits in the middle of a wider domain."""

    size_nm: float | None = number(None, "nm", "cell size in the oxide, else the lattice spacing", gt=0.01, le=100)
    domain_width_nm: float = number(30.0, "nm", "lateral size of the domain", gt=0, le=10_000)
    growth: float = number(1.5, "", "largest ratio of neighbouring cell sizes outside the lattice box", ge=1, le=10)


def domain_checks(mesh: Mesh, width_nm: float, depth_nm: float) -> Problems:
    """The mesh holds the lattice box."""
    if mesh.domain_width_nm < max(width_nm, depth_nm):
        message = f"must be at least the lattice box, {max(width_nm, depth_nm):g} nm"
        yield Problem("mesh.domain_width_nm", message, mesh.domain_width_nm)


def spot_checks(key: str, spots: Sequence[Spot], width_nm: float, depth_nm: float) -> Problems:
    """Columns stand in the lattice box."""
    for index, spot in enumerate(spots):
        x_nm, y_nm = spot.centre_nm
        if not (0 <= x_nm <= width_nm and 0 <= y_nm <= depth_nm):
            message = f"must lie in the lattice box, [0, {width_nm:g}] x [0, {depth_nm:g}] nm"
            yield Problem(f"{key}.{index}.centre_nm", message, list(spot.centre_nm))
