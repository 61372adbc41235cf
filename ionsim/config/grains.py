"""The table ``[grains]`` of a VCM device file: where grain boundaries run and what they do to vacancies."""

from typing import Literal

from ionsim import materials as database
from ionsim.config.base import FilePath, Problem, Problems, Section, number, setting

#: The classes of boundaries, in the order of the regions that meshes.Polycrystal tells apart.
CLASSES: tuple[Literal["low_symmetry", "high_symmetry"], ...] = ("low_symmetry", "high_symmetry")

_SET = "else that of the set"

BoundaryKind = Literal["low_symmetry", "high_symmetry"]


class Boundary(Section):
    """Boundaries of one class against the interior of grains; what is left out comes from the class's set."""

    hop_shift_eV: float | None = number(None, "eV", f"added to the hop barrier of vacancies, {_SET}", ge=-5, le=5)
    hop_spread_eV: float | None = number(
        None, "eV", f"standard deviation of that, drawn once per edge, {_SET}", ge=0, le=2
    )
    site_energy_eV: float | None = number(
        None, "eV", f"added to the energy of a vacancy: negative where vacancies segregate, {_SET}", ge=-5, le=5
    )
    site_spread_eV: float | None = number(
        None, "eV", f"standard deviation of that, drawn once per site, {_SET}", ge=0, le=2
    )
    patch_spread_eV: float | None = number(
        None, "eV", f"the same, of a part that varies along the boundary and not through the film, {_SET}", ge=0, le=2
    )
    patch_nm: float | None = number(None, "nm", f"distance over which that part is alike, {_SET}", gt=0.1, le=1000)
    exchange_shift_eV: float | None = number(
        None, "eV", f"added to the barrier of the oxygen exchange, {_SET}", ge=-5, le=5
    )
    exchange_spread_eV: float | None = number(
        None, "eV", f"standard deviation of that, drawn once per site, {_SET}", ge=0, le=2
    )
    background_S_per_m: float | None = number(
        None, "S/m", "conductivity without vacancies, else conduction.background_S_per_m", gt=0, le=1e8
    )


class TripleLines(Section):
    """What is added where three grains meet, on top of the boundaries there."""

    hop_shift_eV: float = number(0.0, "eV", "added to the hop barrier of vacancies", ge=-5, le=5)
    site_energy_eV: float = number(0.0, "eV", "added to the energy of a vacancy", ge=-5, le=5)
    exchange_shift_eV: float = number(0.0, "eV", "added to the barrier of the oxygen exchange", ge=-5, le=5)


class Grains(Section):
    """What all kinds of microstructures share."""

    width_nm: float = number(1.0, "nm", "width of a boundary", gt=0.1, le=20)
    anneal_K: float | None = number(
        None, "K", "the vacancies at the start are in equilibrium with the boundaries at this temperature; else "
        "spread evenly", gt=100, le=3000,
    )  # fmt: skip
    low_symmetry: Boundary = setting(Boundary(), "boundaries of low symmetry")
    high_symmetry: Boundary = setting(Boundary(), "boundaries of high symmetry")
    triple_lines: TripleLines = setting(TripleLines(), "lines where three grains meet")

    def given(self, name: str) -> Boundary:
        """The table of a class of boundaries."""
        table: Boundary = getattr(self, name)
        return table

    def value(self, name: str, key: str) -> float:
        """The number of a class (``low_symmetry``, ``high_symmetry``): the file's own, else that of the set."""
        own = getattr(self.given(name), key)
        return float(database.boundary_set(name)[key].value if own is None else own)

    def taken_from_sets(self) -> dict[str, database.Quantity]:
        """Numbers of the classes of boundaries that the file leaves to their sets, by key below ``grains``."""
        return {
            f"{name}.{key}": item
            for name in CLASSES
            for key, item in database.boundary_set(name).items()
            if getattr(self.given(name), key) is None
        }

    def cross_checks(self, width_nm: float, depth_nm: float) -> Problems:
        """What does not fit into a box of this size (nm)."""
        yield from ()


class SingleBoundary(Grains):
    """Two grains with one boundary between them, across x."""

    kind: Literal["boundary"] = setting(..., "kind of microstructure")
    position_nm: float | None = number(None, "nm", "x of the boundary at half height, else the middle", ge=0, le=1000)
    tilt_deg: float = number(0.0, "degree", "lean of the boundary from the film normal towards x", ge=-80, le=80)
    boundary_class: BoundaryKind = setting("low_symmetry", "its class")

    def cross_checks(self, width_nm: float, depth_nm: float) -> Problems:
        """The boundary runs through the box."""
        if self.position_nm is not None and self.position_nm > width_nm:
            yield Problem("position_nm", f"must be at most lattice.width_nm = {width_nm:g} nm", self.position_nm)


class DrawnGrains(Grains):
    """Microstructures in which the kind of boundaries is drawn, or follows from how grains are turned."""

    high_fraction: float | None = number(
        None, "", "share of boundaries that are of high symmetry, drawn; else by misorientation", ge=0, le=1
    )
    seed: int | None = number(None, "", "seed of what is drawn, else that of the run", ge=0, le=2**63 - 1)


class VoronoiGrains(DrawnGrains):
    """Grains around random seeds, periodic in the plane."""

    kind: Literal["voronoi"] = setting(..., "kind of microstructure")
    grains: int | None = number(None, "", "number of grains, instead of grain_nm", ge=1, le=100_000)
    grain_nm: float | None = number(None, "nm", "expected mean diameter of grains, instead of grains", gt=0.5, le=1000)
    film_nm: float | None = number(
        None, "nm", "lateral size of the film, which repeats; the lattice is its corner; else as large as that", gt=0,
        le=10_000,
    )  # fmt: skip
    shape: Literal["columnar", "equiaxed"] = setting("columnar", "columns through the film, or grains on each other")
    size_spread: float | None = number(
        None, "", "standard deviation of ln(diameter), a lognormal law; else that of random seeds", ge=0, le=1
    )
    texture: Literal["random", "001", "011", "111"] = setting("random", "direction of the crystal along the normal")
    texture_spread_deg: float = number(0.0, "degree", "spread of grains around the texture", ge=0, le=90)

    def cross_checks(self, width_nm: float, depth_nm: float) -> Problems:
        """One of the two ways to say how many grains there are, and a film that holds the lattice."""
        if (self.grains is None) == (self.grain_nm is None):
            yield Problem("grains", "give either grains, their number, or grain_nm, their mean diameter", self.grains)
        if self.film_nm is not None and self.film_nm < max(width_nm, depth_nm):
            yield Problem("film_nm", f"must be at least the lattice box, {max(width_nm, depth_nm):g} nm", self.film_nm)


class ImageGrains(DrawnGrains):
    """Grains from an image of labels: columns (a plan view), or a block of voxels; at least as large as the lattice."""

    kind: Literal["image"] = setting(..., "kind of microstructure")
    path: FilePath = setting(..., "PNG, a colour a grain, or .npz with an array labels, (nx, ny) or (nx, ny, nz)")
    spacing_nm: float = number(..., "nm", "size of a pixel", gt=0.01, le=100)


class NeperGrains(DrawnGrains):
    """Grains from a tessellation file of Neper (.tess); at least as large as the lattice."""

    kind: Literal["neper"] = setting(..., "kind of microstructure")
    path: FilePath = setting(..., "tessellation file")
    unit_nm: float = number(..., "nm", "length of a unit of the file", gt=0, le=1000)


AnyGrains = SingleBoundary | VoronoiGrains | ImageGrains | NeperGrains
