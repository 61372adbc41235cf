"""Simplices on grid lines: regions painted as boxes, each cell of the grid cut into simplices with right angles."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from meshes.errors import MeshError
from meshes.grading import check_lengths
from meshes.interfaces import split_simplices
from meshes.labelled import Interface, LabelledMesh
from meshes.root import on_root
from meshes.simplices import Chooser, Floats, Integers, Simplices, distribute, name_surfaces

#: A region's name and its box: (low, high) in nm along each axis. An empty name leaves the box out of the mesh.
Painted = tuple[str, Sequence[tuple[float, float]]]


def mesh_grid(
    lines_nm: Sequence[Floats],
    painted: Sequence[Painted],
    surfaces: Mapping[str, Chooser],
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Mesh the boxes of ``painted`` on grid lines, coordinates (n,) along each axis; of boxes that overlap the later
    one counts, and cells of the grid in none are left out.

    An interval stays one, a rectangle becomes two triangles, a brick six tetrahedra around a diagonal (Kuhn). Their
    edges along the axes meet at right angles, so that no weight of first-order elements is negative and none belongs to
    a diagonal: conduction is that of the grid. ``surfaces`` and ``split`` as for :func:`meshes.shapes.mesh_shapes`.
    Made on rank 0 and distributed over ``comm`` (default COMM_WORLD).
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    names = [name for name in dict.fromkeys(name for name, _ in painted) if name]
    regions = {name: number for number, name in enumerate(names, start=1)}

    def make() -> tuple[Simplices, dict[str, Interface]]:
        tags = _paint(lines_nm, painted, regions)
        used = np.nonzero(tags)
        cells = _cut(used, [line.size for line in lines_nm])
        nodes, dense = np.unique(cells, return_inverse=True)
        at = np.unravel_index(nodes, [line.size for line in lines_nm])
        points = np.stack([line[index] for line, index in zip(lines_nm, at, strict=True)], axis=1)
        tag = np.repeat(tags[used], math.factorial(len(lines_nm)))
        whole = name_surfaces(points, dense.reshape(cells.shape).astype(np.int64), tag, regions, surfaces)
        return split_simplices(whole, regions, split) if split else (whole, {})

    whole, interfaces = on_root(comm, make) or (None, {})
    interfaces = comm.bcast(interfaces, root=0)
    numbers = {surface: number for number, surface in enumerate((*surfaces, "side"), start=1)}
    return distribute(comm, whole, regions, numbers, interfaces)


def graded_lines(sizes_nm: Mapping[float, float], growth: float, largest_nm: float) -> Floats:
    """Grid lines (n,), nm: one at each key of ``sizes_nm``, with intervals of about its value next to it.

    From there intervals grow by the factor ``growth`` from one to the next, up to ``largest_nm``. Between two keys all
    are scaled by one factor <= 1 to fit.
    """
    bounds = sorted(sizes_nm)
    parts = [_between(a, b, sizes_nm[a], sizes_nm[b], growth, largest_nm) for a, b in itertools.pairwise(bounds)]
    return np.concatenate([[bounds[0]], *parts])


def check_grading(growth: float, **lengths_nm: float) -> None:
    """Raise MeshError naming the number that makes no grid lines."""
    check_lengths(lengths_nm)
    if not (math.isfinite(growth) and 1.0 < growth <= 3.0):
        raise MeshError(f"growth must be a number above 1, at most 3, got {growth!r}")


def _between(low: float, high: float, first: float, last: float, growth: float, largest: float) -> Floats:
    """Grid lines (n,) after ``low``, the last at ``high``: equal parts of the integral of 1 / size."""
    slope, length = math.log(growth), high - low
    # Lines at s = size (growth^k - 1) / (growth - 1) are a unit of the integral apart if the size at s = 0 is this.
    first, last = (size * slope / (growth - 1.0) if size < largest else largest for size in (first, last))

    def cells(s: Floats | float, size: float) -> Floats:
        """Intervals up to the distance s from an end with this size."""
        coarse = (largest - size) / slope  # from there on all are the largest
        return np.log1p(slope * np.minimum(s, coarse) / size) / slope + np.maximum(s - coarse, 0.0) / largest

    meet = min(max(0.5 * (length + (last - first) / slope), 0.0), length)  # where the sizes from both ends are the same
    before, after = float(cells(meet, first)), float(cells(length - meet, last))
    count = max(1, math.ceil(before + after - 1e-6))
    s = np.linspace(0.0, length, 200 * count + 1)
    passed = np.where(s < meet, cells(s, first), before + after - cells(length - s, last))
    lines = low + np.interp((before + after) * np.arange(1, count + 1) / count, passed, s)
    lines[-1] = high
    return np.asarray(lines)


def _paint(lines: Sequence[Floats], painted: Sequence[Painted], regions: Mapping[str, int]) -> NDArray[np.int32]:
    """Number of the region of each cell of the grid, 0 for none."""
    middles = [0.5 * (line[1:] + line[:-1]) for line in lines]
    tags = np.zeros([middle.size for middle in middles], dtype=np.int32)
    for name, box in painted:
        inside = [(middle > low) & (middle < high) for middle, (low, high) in zip(middles, box, strict=True)]
        tags[np.ix_(*inside)] = regions.get(name, 0)
    return tags


def _cut(used: Sequence[NDArray[np.intp]], counts: Sequence[int]) -> Integers:
    """Node numbers (n, dim + 1) of the simplices of the cells ``used``: paths along the axes in every order."""
    dim = len(counts)
    strides = [math.prod(counts[axis + 1 :]) for axis in range(dim)]
    first = sum(index * stride for index, stride in zip(used, strides, strict=True))
    steps = [np.cumsum([0, *(strides[axis] for axis in order)]) for order in itertools.permutations(range(dim))]
    return (np.asarray(first)[:, None, None] + np.stack(steps)[None]).reshape(-1, dim + 1).astype(np.int64)
