"""Bodies made of boxes and cylinders, meshed with simplices by gmsh; fine where asked, growing outwards."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mpi4py import MPI

from meshes.errors import MeshError
from meshes.grading import check_lengths
from meshes.interfaces import split_simplices
from meshes.labelled import Interface, LabelledMesh
from meshes.root import gmsh_model, on_root
from meshes.simplices import Chooser, Simplices, distribute, name_surfaces

#: Edges around a full circle, at least; the area of the polygon is then 0.5 % below that of the circle.
AROUND = 36


@dataclass(frozen=True)
class Block:
    """A box, or a rectangle in 2D, from corner to corner (nm)."""

    low: Sequence[float]
    high: Sequence[float]

    def draw(self, occ: Any) -> tuple[int, int]:
        """Add it to the model; returns its dimension and tag."""
        size = [b - a for a, b in zip(self.low, self.high, strict=True)]
        if len(size) == 2:
            return 2, occ.addRectangle(*self.low, 0.0, *size)
        return 3, occ.addBox(*self.low, *size)


@dataclass(frozen=True)
class Cylinder:
    """A cylinder around the z axis (nm); with ``quarter`` the part of it at x > 0, y > 0."""

    radius: float
    z0: float
    z1: float
    quarter: bool = False

    def draw(self, occ: Any) -> tuple[int, int]:
        """Add it to the model; returns its dimension and tag."""
        angle = 0.5 * math.pi if self.quarter else 2.0 * math.pi
        return 3, occ.addCylinder(0.0, 0.0, self.z0, 0.0, 0.0, self.z1 - self.z0, self.radius, angle=angle)


#: A region's name and a shape that belongs to it.
Painted = tuple[str, Block | Cylinder]


@dataclass(frozen=True)
class FineBlock:
    """Where the mesh is fine: a box (nm), one interval an axis; with a size of its own if that is given."""

    low: Sequence[float]
    high: Sequence[float]
    size_nm: float | None = None

    def field(self, fields: Any) -> int:
        """Add the gmsh field; returns its number."""
        number = int(fields.add("Box"))
        for axis, low, high in zip("XYZ", self.low, self.high, strict=False):
            fields.setNumber(number, f"{axis}Min", low)
            fields.setNumber(number, f"{axis}Max", high)
        return number


@dataclass(frozen=True)
class FineBall:
    """Where the mesh is fine: a ball, or a disc in 2D (nm)."""

    centre: Sequence[float]
    radius: float
    size_nm: float | None = None

    def field(self, fields: Any) -> int:
        """Add the gmsh field; returns its number."""
        number = int(fields.add("Ball"))
        for axis, place in zip("XYZ", self.centre, strict=False):
            fields.setNumber(number, f"{axis}Center", place)
        fields.setNumber(number, "Radius", self.radius)
        return number


@dataclass(frozen=True)
class Size:
    """Edge lengths: ``size_nm`` in the ``fine`` parts, from one cell to the next ``growth`` times larger outside them.

    ``largest_nm`` is the largest size; single edges of tetrahedra come out up to twice as long as the size there.
    """

    size_nm: float
    growth: float
    largest_nm: float
    fine: Sequence[FineBlock | FineBall]

    def check(self) -> None:
        """Raise MeshError for sizes that make no mesh."""
        check_lengths({"size_nm": self.size_nm, "largest_nm": self.largest_nm})
        if not (math.isfinite(self.growth) and 1.0 < self.growth <= 3.0):
            raise MeshError(f"growth must be a number above 1, at most 3, got {self.growth!r}")
        if not self.size_nm <= self.largest_nm:
            raise MeshError(f"largest_nm must be at least size_nm = {self.size_nm!r}, got {self.largest_nm!r}")

    def apply(self, gmsh: Any) -> None:
        """Make it the size of the model's mesh."""
        fields = gmsh.model.mesh.field
        numbers = [part.field(fields) for part in self.fine]
        for number, part in zip(numbers, self.fine, strict=True):
            size = min(max(part.size_nm or 0.0, self.size_nm), self.largest_nm)
            fields.setNumber(number, "VIn", size)
            fields.setNumber(number, "VOut", self.largest_nm)
            # Edges that grow by a factor g from one to the next grow with distance at the slope g - 1.
            fields.setNumber(number, "Thickness", (self.largest_nm - size) / (self.growth - 1.0))
        least = fields.add("Min")
        fields.setNumbers(least, "FieldsList", numbers)
        fields.setAsBackgroundMesh(least)
        for option, value in {"SizeExtendFromBoundary": 0, "SizeFromPoints": 0, "SizeFromCurvature": AROUND}.items():
            gmsh.option.setNumber(f"Mesh.Mesh{option}", value)


def mesh_shapes(
    name: str,
    shapes: Sequence[Painted],
    size: Size,
    surfaces: Mapping[str, Chooser],
    split: Sequence[str] = (),
    axisymmetric: bool = False,
    within: Mapping[str, str] | None = None,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Mesh a body painted from ``shapes``, (region, shape): where shapes overlap, the later one counts.

    ``surfaces`` says which exterior facets have which name (of several, the first counts), the rest is "side"; the mesh
    is split along the surfaces of ``split`` as by :func:`meshes.split`. Made on rank 0 and distributed over ``comm``
    (default COMM_WORLD).
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    size.check()
    regions = {region: number for number, region in enumerate(dict.fromkeys(name for name, _ in shapes), start=1)}

    def make() -> tuple[Simplices, dict[str, Interface]]:
        with gmsh_model(name) as gmsh:
            bare = _mesh(gmsh, shapes, size, regions)
        whole = name_surfaces(bare.points_nm, bare.cells, bare.tags, regions, surfaces)
        return split_simplices(whole, regions, split, axisymmetric)

    whole, interfaces = on_root(comm, make) or (None, {})
    interfaces = comm.bcast(interfaces, root=0)
    numbers = {surface: number for number, surface in enumerate((*surfaces, "side"), start=1)}
    labelled = distribute(comm, whole, regions, numbers, interfaces, axisymmetric)
    return replace(labelled, within=dict(within or {}))


def _mesh(gmsh: Any, shapes: Sequence[Painted], size: Size, regions: Mapping[str, int]) -> Simplices:
    occ = gmsh.model.occ
    drawn = [shape.draw(occ) for _, shape in shapes]
    dim = drawn[0][0]
    parts = [drawn]
    if len(drawn) > 1:
        _, parts = occ.fragment(drawn[:1], drawn[1:])
    occ.synchronize()
    region_of = {tag: regions[name] for (name, _), made in zip(shapes, parts, strict=True) for _, tag in made}
    size.apply(gmsh)
    gmsh.option.setNumber("Mesh.Algorithm", 6)  # Frontal-Delaunay: the best triangles
    gmsh.option.setNumber("Mesh.Algorithm3D", 10)  # HXT: twice as fast as Delaunay, and reproducible
    gmsh.option.setNumber("Mesh.Optimize", 1)
    gmsh.model.mesh.generate(dim)

    return collect(gmsh, dim, region_of)


def collect(gmsh: Any, dim: int, region_of: Mapping[int, int]) -> Simplices:
    """The simplices of the model's mesh in the entities whose tags are keys of ``region_of``, tagged by its values."""
    numbers, points, _ = gmsh.model.mesh.getNodes()
    index = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    index[numbers.astype(np.int64)] = np.arange(numbers.size)
    cells, tags = [], []
    for tag, region in sorted(region_of.items()):
        _, _, (nodes,) = gmsh.model.mesh.getElements(dim, tag)
        cells.append(index[nodes.astype(np.int64)].reshape(-1, dim + 1))
        tags.append(np.full(len(cells[-1]), region, dtype=np.int32))
    used, dense = np.unique(np.concatenate(cells), return_inverse=True)
    xyz = points.reshape(-1, 3)[used, :dim]
    none = np.empty((0, 2), dtype=np.int64)
    return Simplices(xyz, dense.reshape(-1, dim + 1), np.concatenate(tags), none, np.empty(0, dtype=np.int32))


def plane(axis: int, place: float, *regions: str, tolerance_nm: float = 1e-6) -> Chooser:
    """The exterior facets in the plane where coordinate ``axis`` is ``place`` (nm), of these regions only if given."""
    def choose(middle: Any, region: Any) -> Any:
        there = np.abs(middle[:, axis] - place) < tolerance_nm
        return there & np.isin(region, regions) if regions else there

    return choose
