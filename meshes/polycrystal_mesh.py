"""Meshes of polycrystalline films: boundaries as thin regions or as facets, conforming, or on a grid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import dolfinx.mesh
import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from meshes.errors import MeshError
from meshes.grading import intervals
from meshes.grids import _cut, check_grading
from meshes.interfaces import split_simplices
from meshes.labelled import Interface, LabelledMesh
from meshes.polycrystal import Polycrystal
from meshes.polycrystal_outline import figures, triangles
from meshes.regions import label_boxes
from meshes.root import gmsh_model, on_root
from meshes.shapes import plane
from meshes.simplices import Chooser, Floats, Integers, Simplices, distribute, join_facets, name_surfaces
from meshes.tensor import _mesh

#: Ends of the axes of each view: along z as everywhere, along x left and right, along y front and back.
_ENDS = {"x": ("left", "right"), "y": ("front", "back"), "z": ("bottom", "top")}
_PLANES = ("xy", "xz", "xyz")


def label_grains(
    labelled: LabelledMesh,
    crystal: Polycrystal,
    region: str,
    by_class: bool = False,
    section_nm: float | None = None,
) -> LabelledMesh:
    """The mesh with its region ``region`` divided as the film ``crystal`` is, by the middles of its cells.

    Works on any mesh in nm. Cells in a boundary become the region "REGION_boundary", or, ``by_class``,
    "REGION_low_symmetry" and "REGION_high_symmetry", each ``within`` the region, which keeps the rest; names come even
    where no cell has them. A mesh in two dimensions is a plan view (x, y), or with ``section_nm`` the section (x, z) at
    that y. Boundaries narrower than the cells have holes. Raises MeshError where there is no such region.
    """
    if region not in labelled.regions:
        raise MeshError(f"no region {region!r}; allowed: {', '.join(labelled.regions)}")
    mesh, names = labelled.mesh, crystal.regions(by_class)[1:]
    dim = mesh.topology.dim
    cells = labelled.cells.indices[labelled.cells.values == labelled.regions[region]]
    points = dolfinx.mesh.compute_midpoints(mesh, dim, cells)
    if dim == 2 and section_nm is not None:
        points = np.column_stack([points[:, 0], np.full(len(points), section_nm), points[:, 1]])
    number = crystal.region(crystal.locate(points), by_class=by_class)
    first = max(labelled.regions.values()) + 1
    values = labelled.cells.values.copy()
    values[labelled.cells.values == labelled.regions[region]] = np.where(
        number > 0, first + number - 1, labelled.regions[region]
    )
    added = {f"{region}_{name}": first + k for k, name in enumerate(names)}
    return replace(
        labelled,
        cells=dolfinx.mesh.meshtags(mesh, dim, labelled.cells.indices, values),
        regions=labelled.regions | added,
        within=labelled.within | dict.fromkeys(added, region),
    )


def grain_mesh(
    crystal: Polycrystal,
    size_nm: float,
    growth: float = 1.3,
    largest_nm: float = 2.0,
    facets: bool = False,
    split: bool = False,
    by_class: bool = False,
    depth_nm: Sequence[float] | None = None,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Triangles that conform to the boundaries of columns (in x, y) or of a bicrystal (in x, z); lengths in nm.

    Without ``facets`` the regions are "grain", the interiors, and "boundary" (or, ``by_class``, "low_symmetry" and
    "high_symmetry"), the strips ``crystal.width_nm`` wide; a point is in the region that ``crystal.region`` says. With
    ``facets`` boundaries have no width: the regions are "grain_i", and with ``split`` the nodes between them exist
    twice, with an interface "grain_i/grain_j" for each boundary i < j (:func:`boundary_numbers`). Grains that meet at a
    fault of a bicrystal's period are then one region, the one between two boundaries.

    Edges are ``size_nm`` at boundaries and grow away from them by ``growth`` from one to the next, up to
    ``largest_nm``; where boundaries are shorter than that, edges are too. Nodes on opposite sides of a periodic film
    are the same. ``depth_nm`` (n,) are coordinates of planes, from 0 on, along the third axis (z of columns, y of a
    bicrystal): with them the triangles become prisms of three tetrahedra. Surfaces: "left", "right" (x), "front",
    "back" (y), "bottom", "top" (z). Made on rank 0, distributed over ``comm`` (default COMM_WORLD). Raises MeshError
    for a film that has no straight boundaries.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    check_grading(growth, size_nm=size_nm, largest_nm=largest_nm)
    if not size_nm <= largest_nm:
        raise MeshError(f"largest_nm must be at least size_nm = {size_nm!r}, got {largest_nm!r}")
    if split and not facets:
        raise MeshError("split needs facets: boundaries that have a width are regions")
    parts = figures(crystal, facets, by_class)
    order = crystal.regions(by_class) if not facets else sorted({part.region for part in parts}, key=_number)
    regions = {name: number for number, name in enumerate(order, start=1)}
    axes = "xy" if crystal.columnar else "xz"
    periodic = crystal.tessellation.periodic
    repeats = (periodic[0], periodic[1] if crystal.columnar else False)
    lines = None if depth_nm is None else _lines(depth_nm)

    def make() -> tuple[Simplices, dict[str, Interface]]:
        with gmsh_model("grains") as gmsh:
            bare = triangles(gmsh, parts, regions, size_nm, growth, largest_nm, repeats)
        cells, points, tags, named = bare.cells, bare.points_nm, bare.tags, axes
        if lines is not None:
            third = 2 if crystal.columnar else 1
            points, cells, tags = _extruded(bare, lines, third)
            named = "xyz"
        whole = name_surfaces(points, cells, tags, regions, _surfaces(crystal, named, lines))
        return split_simplices(whole, regions, _touching(whole, regions)) if split else (whole, {})

    whole, interfaces = on_root(comm, make) or (None, {})
    interfaces = comm.bcast(interfaces, root=0)
    surfaces = _surfaces(crystal, axes if lines is None else "xyz", lines)
    numbers = {surface: number for number, surface in enumerate((*surfaces, "side"), start=1)}
    made = distribute(comm, whole, regions, numbers, interfaces)
    return replace(made, within=_within(regions, facets))


def grain_grid(
    crystal: Polycrystal,
    size_nm: float,
    axes: str = "xyz",
    at_nm: float | None = None,
    by_class: bool = False,
    hexahedra: bool = False,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A film of any description on a grid of cells no longer than ``size_nm``, in nm.

    ``axes``: "xyz", "xy" (plan view at z = ``at_nm``) or "xz" (section at y = ``at_nm``; default half of the film).
    Every cell of the grid has the region of its middle: "grain" or "boundary" (or, ``by_class``, "low_symmetry" or
    "high_symmetry"). It is cut into triangles or tetrahedra with right angles, or stays whole with ``hexahedra``.
    Boundaries are steps as wide as ``crystal.width_nm`` to within a cell; cells longer than half of the width are
    refused, since boundaries would have holes. Surfaces as for :func:`grain_mesh`. Made on rank 0, distributed over
    ``comm`` (default COMM_WORLD).
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    if axes not in _PLANES:
        raise MeshError(f"axes must be one of {', '.join(_PLANES)}, got {axes!r}")
    check_grading(1.5, size_nm=size_nm)
    if size_nm > 0.5 * crystal.width_nm:
        raise MeshError(f"size_nm must be at most half of the boundaries' width, {crystal.width_nm!r}, got {size_nm!r}")
    used = ["xyz".index(axis) for axis in axes]
    lines = [np.linspace(0.0, crystal.size_nm[k], intervals(crystal.size_nm[k], size_nm) + 1) for k in used]
    names = crystal.regions(by_class)
    regions = {name: number for number, name in enumerate(names, start=1)}
    surfaces = _surfaces(crystal, axes, None)
    numbers = {surface: number for number, surface in enumerate((*surfaces, "side"), start=1)}

    def tags(middles: Floats) -> NDArray[np.int32]:
        """Numbers of the regions at points (n, dim) of the mesh."""
        third = ({0, 1, 2} - set(used)).pop() if len(used) == 2 else 2
        points = np.full((len(middles), 3), 0.5 * crystal.size_nm[third] if at_nm is None else at_nm)
        points[:, used] = middles[:, : len(used)]
        return (crystal.region(crystal.locate(points), by_class=by_class) + 1).astype(np.int32)

    if hexahedra:
        ends = {_ENDS[axis][end]: (k, end) for k, axis in enumerate(axes) for end in (0, 1)}
        whole = label_boxes(_mesh(lines, comm), {"grain": [[None] * len(axes)]}, ends)
        dim, cells = len(axes), whole.cells.indices
        middles = dolfinx.mesh.compute_midpoints(whole.mesh, dim, cells)
        tagged = dolfinx.mesh.meshtags(whole.mesh, dim, cells, tags(middles))
        return replace(whole, cells=tagged, regions=regions, within=_within(regions, False))

    def make() -> Simplices:
        count = [line.size for line in lines]
        middles = np.meshgrid(*(0.5 * (line[1:] + line[:-1]) for line in lines), indexing="ij")
        tag = tags(np.stack(middles, axis=-1).reshape(-1, len(lines)))
        cells = _cut(np.unravel_index(np.arange(tag.size), [n - 1 for n in count]), count)
        points = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(lines))
        return name_surfaces(points, cells, np.repeat(tag, len(cells) // tag.size), regions, surfaces)

    made = distribute(comm, on_root(comm, make), regions, numbers)
    return replace(made, within=_within(regions, False))


def boundary_numbers(labelled: LabelledMesh, crystal: Polycrystal) -> dict[str, Integers]:
    """Numbers of the boundaries that each split interface "grain_i/grain_j" of :func:`grain_mesh` is.

    That is one, but where a bicrystal has two between the same grains.
    """
    numbers = {}
    for name in labelled.interfaces:
        pair = sorted(int(part.removeprefix("grain_")) for part in name.split("/"))
        numbers[name] = np.flatnonzero(np.all(np.sort(crystal.pairs, axis=1) == pair, axis=1))
    return numbers


def _surfaces(crystal: Polycrystal, axes: str, depth: Floats | None) -> dict[str, Chooser]:
    """Names of the ends of the axes of a mesh."""
    surfaces: dict[str, Chooser] = {}
    for number, axis in enumerate(axes):
        length = crystal.size_nm["xyz".index(axis)]
        if depth is not None and axis == ("z" if crystal.columnar else "y"):
            length = float(depth[-1])
        low, high = _ENDS[axis]
        surfaces |= {low: plane(number, 0.0), high: plane(number, length)}
    return surfaces


def _lines(depth_nm: Sequence[float]) -> Floats:
    lines = np.asarray(depth_nm, dtype=float)
    if lines.ndim != 1 or lines.size < 2 or lines[0] != 0.0 or not np.all(np.diff(lines) > 0.0):
        raise MeshError(f"depth_nm must be two rising coordinates or more, the first 0, got {depth_nm!r}")
    return lines


def _extruded(flat: Simplices, lines: Floats, third: int) -> tuple[Floats, Integers, NDArray[np.int32]]:
    """Points, cells and tags of prisms over triangles, each cut into three tetrahedra.

    In every prism the nodes go up one after the other in the order of their numbers; so the diagonals of a side are
    those of its neighbour's.
    """
    count, planes = len(flat.points_nm), lines.size
    plane_points = [np.insert(flat.points_nm, third, place, axis=1) for place in lines.tolist()]
    a, b, c = np.sort(flat.cells, axis=1).T
    tets = np.stack(
        [np.stack([a, b, c, c + count], axis=1), np.stack([a, b, b + count, c + count], axis=1),
         np.stack([a, a + count, b + count, c + count], axis=1)], axis=1,
    ).reshape(-1, 4)  # fmt: skip
    cells = np.concatenate([tets + count * layer for layer in range(planes - 1)])
    return np.concatenate(plane_points), cells, np.tile(np.repeat(flat.tags, 3), planes - 1)


def _touching(whole: Simplices, regions: Mapping[str, int]) -> list[str]:
    """Names of all interfaces between regions that touch."""
    names = {number: name for name, number in regions.items()}
    inner, _ = join_facets(whole.cells)
    sides = np.sort(whole.tags[inner[:, :, 0]], axis=1)
    pairs = np.unique(sides[sides[:, 0] != sides[:, 1]], axis=0)
    return [f"{names[a]}/{names[b]}" for a, b in pairs.tolist()]


def _within(regions: Mapping[str, int], facets: bool) -> dict[str, str]:
    """The region whose coefficients another one takes: a boundary's are the grains', a grain's are the first one's."""
    first, *rest = regions
    return dict.fromkeys(rest, first) if facets else dict.fromkeys(rest, "grain")


def _number(name: str) -> int:
    return int(name.rsplit("_", 1)[1])
