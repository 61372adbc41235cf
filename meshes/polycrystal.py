"""A polycrystalline film: which grain a point belongs to, how far the nearest boundary is, and what kind that is."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meshes.errors import MeshError, nearest
from meshes.grading import check_lengths
from meshes.polycrystal_cells import ConvexGrains, Floats, Grain, Integers, Located, Tessellation
from meshes.polycrystal_image import labelled, read_labels
from meshes.polycrystal_neper import read_tess
from meshes.polycrystal_texture import check_crystal, high_symmetry, misorientation_deg, orientations
from meshes.polycrystal_voronoi import grow

#: What a boundary may be.
CLASSES = ("low_symmetry", "high_symmetry")
#: Width (nm) of a boundary where none is given. Chosen: two to four planes of oxygen of HfO2.
WIDTH_NM = 1.0
#: Squared spread of areas (2D) and volumes (3D) of Voronoi grains around random seeds, whose sizes then follow a gamma
#: distribution closely. Source: Tanemura, Forma 18, 221 (2003); the tests find the same.
_VORONOI_VARIANCE = {2: 0.280, 3: 0.179}


@dataclass(frozen=True, eq=False)
class Polycrystal:
    """Grains of a film, 0 to ``size_nm`` along x, y and z (the film normal), and the boundaries between them.

    Made by one of its class methods, all of which are deterministic. ``columnar``: grains go through the film, and
    nothing depends on z. ``width_nm``: a point nearer than half of it to a boundary is in the boundary.
    ``orientations`` (g, 4): quaternions (x, y, z, w) that turn vectors of the crystal into the film's, None if unknown.
    ``misorientation_deg`` (b,): least angle between the grains of each boundary, NaN if unknown. ``high`` (b,): whether
    it is a boundary of high symmetry.

    Points are (n, 3) in nm; (n, 2) will do for columns. Along periodic axes they may lie anywhere.
    """

    tessellation: Tessellation
    size_nm: tuple[float, float, float]
    columnar: bool
    width_nm: float
    orientations: Floats | None
    misorientation_deg: Floats
    high: NDArray[np.bool_]

    @classmethod
    def voronoi(
        cls,
        size_nm: tuple[float, float, float],
        grains: int | None = None,
        grain_nm: float | None = None,
        seed: int = 0,
        columnar: bool = True,
        spread: float | None = None,
        lloyd: int | None = None,
        width_nm: float = WIDTH_NM,
        texture: str | tuple[float, float, float] = "random",
        texture_spread_deg: float = 0.0,
        crystal: str = "cubic",
        high_fraction: float | None = None,
    ) -> "Polycrystal":
        """Grains around random seeds, periodic in x and y: columns, or equiaxed grains that the film's surfaces cut.

        Give the number of ``grains``, or ``grain_nm``: the expected mean of their diameters, each that of the circle
        (columns) or sphere of the same area or volume. Without ``spread`` it is the Voronoi tessellation of seeds drawn
        independently. With it, diameters are drawn from a lognormal distribution with this standard deviation of ln d,
        scaled together so that they fill the film, and the tessellation is the Laguerre one whose grains have exactly
        these sizes. ``lloyd`` steps move every seed to the middle of its grain, which makes grains rounder (sizes stay
        if ``spread`` is given, else they become more alike); default 5 with ``spread``, else 0. Seeds with which a
        grain would touch its own image are drawn anew. Columns are then moved together so that the sides of the film
        stay clear of their corners, which a mesh needs.

        ``texture``, ``texture_spread_deg``: :func:`meshes.polycrystal_texture.orientations`. A boundary is of high
        symmetry by :func:`meshes.polycrystal_texture.high_symmetry` for this ``crystal`` (cubic, tetragonal,
        orthorhombic, monoclinic), or, with ``high_fraction``, if it is one of so large a share drawn at random.
        Raises MeshError naming the argument that is wrong.
        """
        dim = 2 if columnar else 3
        size = _size(size_nm)[:dim]
        if (grains is None) == (grain_nm is None):
            raise MeshError("give either grains, their number, or grain_nm, their mean diameter")
        if spread is not None and not 0.0 <= spread <= 1.0:
            raise MeshError(f"spread must be a standard deviation of ln(diameter) from 0 to 1, got {spread!r}")
        if grain_nm is not None:
            check_lengths({"grain_nm": grain_nm})
            grains = max(1, round(float(np.prod(size)) / _mean_volume(grain_nm, dim, spread)))
        if not isinstance(grains, int | np.integer) or grains < 1:
            raise MeshError(f"grains must be a number from 1 on, got {grains!r}")
        steps = (0 if spread is None else 5) if lloyd is None else lloyd
        if steps < 0:
            raise MeshError(f"lloyd must be a number of steps from 0 on, got {lloyd!r}")
        # One stream each, so that another texture leaves the grains where they are.
        places, turns = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
        periodic = (True, True, False)[:dim]
        cells = single(size, periodic) if grains == 1 else grow(size, periodic, int(grains), spread, steps, places)
        if columnar:
            cells = cells.clear_of_sides(_width(width_nm))
        return _textured(
            cls, cells, _size(size_nm), width_nm, texture, texture_spread_deg, crystal, high_fraction, turns
        )

    @classmethod
    def boundary(
        cls,
        size_nm: tuple[float, float, float],
        position_nm: float | None = None,
        tilt_deg: float = 0.0,
        width_nm: float = WIDTH_NM,
        boundary_class: str = "low_symmetry",
        boundaries: int = 1,
        periodic: bool = True,
    ) -> "Polycrystal":
        """A bicrystal: one boundary across x, in the plane x = ``position_nm`` (default: the film's middle) at half of
        the film's height, leaning over towards x by ``tilt_deg`` from the film normal as z rises.

        Two grains that alternate along a period meet twice in it. With ``boundaries`` = 1 they meet half a period away
        at a fault of the period that is no boundary: no distance is measured to it and nothing happens there, so that
        a film has the properties of one boundary. With 2 there is a second boundary like the first, parallel to it.
        Without ``periodic`` x and y do not repeat, and there is one boundary only. Raises MeshError naming the argument
        that is wrong.
        """
        size = _size(size_nm)
        position = 0.5 * float(size[0]) if position_nm is None else float(position_nm)
        if not 0.0 <= position <= size[0]:
            raise MeshError(f"position_nm must be from 0 to the film's length along x, {size[0]}, got {position_nm!r}")
        if not abs(tilt_deg) <= 80.0:
            raise MeshError(f"tilt_deg must be at most 80, got {tilt_deg!r}")
        if boundaries not in (1, 2) or (boundaries == 2 and not periodic):
            raise MeshError(f"boundaries must be 1, or 2 in a periodic film, got {boundaries!r}")
        _check_class(boundary_class)
        cells = _slabs(size, position, math.radians(tilt_deg), boundaries, periodic)
        count = len(cells.pairs)
        high = np.full(count, boundary_class == "high_symmetry")
        return cls(cells, _triple(size), False, _width(width_nm), None, np.full(count, np.nan), high)

    @classmethod
    def from_labels(
        cls,
        labels: ArrayLike,
        spacing_nm: float,
        thickness_nm: float | None = None,
        periodic: bool = True,
        width_nm: float = WIDTH_NM,
        seed: int = 0,
        texture: str | tuple[float, float, float] = "random",
        texture_spread_deg: float = 0.0,
        crystal: str = "cubic",
        high_fraction: float | None = None,
    ) -> "Polycrystal":
        """Grains from an image of labels, one integer a grain: (nx, ny), a plan view of columns of ``thickness_nm``, or
        (nx, ny, nz), with pixels of ``spacing_nm``; periodic in x and y unless told otherwise.

        Distances are right to about a quarter of a pixel (root mean square). Orientations are drawn as by
        :meth:`voronoi`. Raises MeshError for labels that are no integers, or a length that is wrong.
        """
        cells = labelled(labels, spacing_nm, (periodic, periodic, False))
        if (cells.labels.ndim == 2) != (thickness_nm is not None):
            raise MeshError("thickness_nm belongs to labels in two dimensions, and only there")
        size = np.append(cells.size_nm, thickness_nm) if thickness_nm is not None else cells.size_nm
        turns = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
        return _textured(
            cls, cells, _size(tuple(size)), width_nm, texture, texture_spread_deg, crystal, high_fraction, turns
        )

    @classmethod
    def from_image(
        cls, path: str | Path, spacing_nm: float, thickness_nm: float | None = None, **options: object
    ) -> "Polycrystal":
        """Grains from a file: a picture (PNG; every colour is a grain, y upwards) or an .npz with the array ``labels``.

        ``thickness_nm`` of the columns where the file is a plan view; other ``options`` as for :meth:`from_labels`.
        Raises MeshError for a file that cannot be read.
        """
        labels = read_labels(path)
        height_nm = thickness_nm if labels.ndim == 2 else None
        return cls.from_labels(labels, spacing_nm, height_nm, **options)  # type: ignore[arg-type]

    @classmethod
    def from_neper(
        cls,
        path: str | Path,
        unit_nm: float,
        thickness_nm: float | None = None,
        width_nm: float = WIDTH_NM,
        crystal: str = "cubic",
        high_fraction: float | None = None,
        seed: int = 0,
    ) -> "Polycrystal":
        """Grains from a tessellation file (.tess) of Neper, whose lengths are in units of ``unit_nm``.

        A file in two dimensions is a plan view of columns of ``thickness_nm``, which others do without. The film
        repeats along the axes along which the file does. The file's orientations are taken; without any, boundaries
        have no misorientation and are of low symmetry, but for a share ``high_fraction`` drawn at random by ``seed``.
        Raises MeshError where the file cannot be read.
        """
        check_lengths({"unit_nm": unit_nm})
        check_crystal(crystal)
        cells, turned = read_tess(path, unit_nm)
        size = cells.size_nm
        if size.size == 2:
            if thickness_nm is None:
                raise MeshError(f"{path}: a tessellation in two dimensions needs thickness_nm")
            size = np.append(size, thickness_nm)
        turns = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
        return _classed(cls, cells, _size(tuple(size)), width_nm, turned, crystal, high_fraction, turns)

    @property
    def n_grains(self) -> int:
        """Number of grains."""
        return len(self.tessellation.volume)

    @property
    def pairs(self) -> Integers:
        """Grains (b, 2) on both sides of each boundary."""
        return self.tessellation.pairs

    @cached_property
    def diameters_nm(self) -> Floats:
        """Diameters (g,) of the circle (columns) or sphere as large as each grain."""
        volume = self.tessellation.volume
        if self.columnar:
            return np.asarray(2.0 * np.sqrt(volume / math.pi))
        return np.asarray(np.cbrt(6.0 * volume / math.pi))

    def locate(self, points_nm: ArrayLike, width_nm: float | None = None) -> Located:
        """All about points at once: grain, distance to the nearest boundary and its number, distance to a triple line.

        Triple lines are looked for within half of ``width_nm`` (default: of the film) only.
        """
        width = self.width_nm if width_nm is None else _width(width_nm)
        return self.tessellation.locate(self._points(points_nm), 0.5 * width)

    def label(self, points_nm: ArrayLike) -> Integers:
        """Number (n,) of the grain at each point."""
        return self.tessellation.locate(self._points(points_nm)).grain

    def distance_nm(self, points_nm: ArrayLike) -> Floats:
        """Distance (n,) to the nearest boundary in nm; inf in a film without one."""
        return self.tessellation.locate(self._points(points_nm)).distance_nm

    def boundary_of(self, points_nm: ArrayLike, width_nm: float | None = None) -> Integers:
        """Number (n,) of the boundary that each point is in, -1 in the interior of a grain."""
        found, half = self.locate(points_nm, width_nm), 0.5 * (self.width_nm if width_nm is None else width_nm)
        return np.where(found.distance_nm <= half, found.boundary, -1)

    def triple(self, points_nm: ArrayLike, width_nm: float | None = None) -> NDArray[np.bool_]:
        """Whether each point (n,) is within half the width of a triple line, where three grains meet."""
        return np.isfinite(self.locate(points_nm, width_nm).triple_nm)

    def region(self, found: Located, width_nm: float | None = None, by_class: bool = True) -> NDArray[np.int16]:
        """Region (n,) of points that :meth:`locate` found, as a number into :meth:`regions`."""
        half = 0.5 * (self.width_nm if width_nm is None else width_nm)
        number = np.zeros(len(found.grain), dtype=np.int16)
        inside = found.distance_nm <= half
        number[inside] = 1 + (self.high[found.boundary[inside]] if by_class else 0)
        return number

    @staticmethod
    def regions(by_class: bool = True) -> tuple[str, ...]:
        """Names of the regions: the interior of grains, then the boundaries, by class or together."""
        return ("grain", *(CLASSES if by_class else ("boundary",)))

    def _points(self, points_nm: ArrayLike) -> Floats:
        points = np.asarray(points_nm, dtype=float)
        dim = self.tessellation.size_nm.size
        if points.ndim != 2 or points.shape[1] not in {dim, 3}:
            raise MeshError(f"points must have shape (n, 3){' or (n, 2)' if self.columnar else ''}, got {points.shape}")
        return points[:, :dim]


def single(size: Floats, periodic: tuple[bool, ...]) -> ConvexGrains:
    """One crystal, without a boundary."""
    dim = size.size
    none = np.empty(0, dtype=np.int64)
    grain = Grain(0.5 * size, np.empty((0, dim)), np.empty(0), none, (), np.empty((0, 2, dim)))
    return ConvexGrains(size, periodic, (grain,), none.reshape(0, 2), np.array([np.prod(size)]))


def _slabs(size: Floats, position: float, tilt: float, boundaries: int, periodic: bool) -> ConvexGrains:
    """Two slabs: grain 0 before the boundary, grain 1 behind it."""
    normal = np.array([math.cos(tilt), 0.0, -math.sin(tilt)])
    half = 0.5 * size[0] * normal[0]
    faces = np.array([normal, -normal])
    middle = np.array([position, 0.5 * size[1], 0.5 * size[2]])
    grains = []
    for side in (-1.0, 1.0):
        centre = middle + side * np.array([0.25 * size[0], 0.0, 0.0])
        # The boundary is on the right of the first grain and on the left of the second.
        number = np.array([0, boundaries - 2 if boundaries == 1 else 1])
        if side > 0.0:
            number = number[::-1]
        use = slice(None) if periodic else (slice(0, 1) if side < 0.0 else slice(1, 2))
        grains.append(
            Grain(centre, faces[use], np.full(2, 0.5 * half)[use], number[use], (), np.empty((0, 2, 3)))
        )
    before = position / size[0] if not periodic else 0.5
    volume = float(np.prod(size)) * np.array([before, 1.0 - before])
    pairs = np.array([[0, 1]] * boundaries, dtype=np.int64)
    return ConvexGrains(size, (periodic, periodic, False), tuple(grains), pairs, volume)


def _mean_volume(grain_nm: float, dim: int, spread: float | None) -> float:
    """Mean area or volume of grains whose diameters have this mean."""
    sphere = math.pi / 4.0 if dim == 2 else math.pi / 6.0
    if spread is not None:  # E[d^n] / E[d]^n of a lognormal distribution
        return sphere * grain_nm**dim * math.exp(0.5 * dim * (dim - 1) * spread**2)
    shape = 1.0 / _VORONOI_VARIANCE[dim]  # of the gamma distribution, whose mean of V^(1/n) this is
    mean = math.exp(math.lgamma(shape + 1.0 / dim) - math.lgamma(shape)) / shape ** (1.0 / dim)
    return sphere * (grain_nm / mean) ** dim


def _textured(
    cls: type[Polycrystal],
    cells: Tessellation,
    size: Floats,
    width_nm: float,
    texture: str | tuple[float, float, float],
    texture_spread_deg: float,
    crystal: str,
    high_fraction: float | None,
    turns: np.random.Generator,
) -> Polycrystal:
    turned = orientations(len(cells.volume), texture, texture_spread_deg, turns)
    return _classed(cls, cells, size, width_nm, turned, crystal, high_fraction, turns)


def _classed(
    cls: type[Polycrystal],
    cells: Tessellation,
    size: Floats,
    width_nm: float,
    turned: Floats | None,
    crystal: str,
    high_fraction: float | None,
    turns: np.random.Generator,
) -> Polycrystal:
    """The film, with the misorientation and the class of every boundary."""
    check_crystal(crystal)
    pairs = cells.pairs
    angle, high = np.full(len(pairs), np.nan), np.zeros(len(pairs), dtype=bool)
    if turned is not None:
        angle, high = misorientation_deg(turned, pairs, crystal), high_symmetry(turned, pairs, crystal)
    if high_fraction is not None:
        if not 0.0 <= high_fraction <= 1.0:
            raise MeshError(f"high_fraction must be a share from 0 to 1, got {high_fraction!r}")
        high = np.zeros(len(pairs), dtype=bool)
        high[turns.permutation(len(pairs))[: round(high_fraction * len(pairs))]] = True
    return cls(cells, _triple(size), cells.size_nm.size == 2, _width(width_nm), turned, angle, high)


def _size(size_nm: tuple[float, ...]) -> Floats:
    size = np.asarray(size_nm, dtype=float)
    if size.shape != (3,) or not np.all(np.isfinite(size)) or not np.all(size > 0.0):
        raise MeshError(f"size_nm must be three positive lengths in nm, got {size_nm!r}")
    return size


def _triple(size: Floats) -> tuple[float, float, float]:
    x, y, z = size.tolist()
    return x, y, z


def _width(width_nm: float) -> float:
    check_lengths({"width_nm": width_nm})
    return float(width_nm)


def _check_class(name: str) -> None:
    if name not in CLASSES:
        raise MeshError(f"boundary_class {name!r} is not known; allowed: {', '.join(CLASSES)} "
                        f"(nearest: {nearest(name, CLASSES)!r})")  # fmt: skip
