"""Two blocks one above the other whose meshes are split between them: simplices in 1D, 2D, (r, z) and 3D."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import basix.ufl
import dolfinx.mesh
import numpy as np
import ufl
from mpi4py import MPI
from numpy.typing import NDArray

import meshes

_SHAPES = ("interval", "triangle", "tetrahedron")


@dataclass(frozen=True)
class Interface:
    """Pairs of input nodes (n, 2), one on either side, and the area (n,) of each: what fem asks of an interface."""

    nodes: NDArray[np.int64]
    area_nm2: NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """A fem.Cell with regions "lower" and "upper" and, if split, the interface "lower/upper"."""

    mesh: Any
    cells: Any
    facets: Any
    regions: dict[str, int]
    surfaces: dict[str, int]
    axisymmetric: bool = False
    interfaces: dict[str, Interface] = field(default_factory=dict)


def blocks(
    lower_nm: float,
    upper_nm: float,
    counts: tuple[int, int],
    across: list[NDArray[np.float64]] | None = None,
    axisymmetric: bool = False,
    split: bool = True,
    comm: MPI.Comm = MPI.COMM_SELF,
) -> Blocks:
    """Blocks of the two heights with ``counts`` cells along z, on the nodes ``across`` (nm) of the axes before z."""
    axes = list(across or [])
    z = np.concatenate([
        np.linspace(0.0, lower_nm, counts[0] + 1), np.linspace(lower_nm, lower_nm + upper_nm, counts[1] + 1)[not split:]
    ])  # fmt: skip
    grid = [*axes, z]
    points = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, len(grid))
    number = np.arange(len(points)).reshape([len(axis) for axis in grid])
    cells = simplices(number)
    if split:
        height = np.ptp(points[cells, -1], axis=1)
        cells = cells[height > 1e-9]
    shape = _SHAPES[len(grid) - 1]
    element = ufl.Mesh(basix.ufl.element("Lagrange", shape, 1, shape=(len(grid),)))
    if comm.rank > 0:
        cells, given = cells[:0], points[:0]
    else:
        given = points
    partitioner = dolfinx.mesh.create_cell_partitioner(dolfinx.mesh.GhostMode.shared_facet, 2)
    mesh = dolfinx.mesh.create_mesh(comm, cells, element, given, partitioner=partitioner)
    layers = {"lower": (0.0, lower_nm), "upper": (lower_nm, lower_nm + upper_nm)}
    named = meshes.label_layers(mesh, layers)
    interfaces = {}
    if split:
        pairs = np.stack([number[..., counts[0]].ravel(), number[..., counts[0] + 1].ravel()], axis=1)
        interfaces["lower/upper"] = Interface(pairs.astype(np.int64), _areas(axes, axisymmetric))
    return Blocks(mesh, named.cells, named.facets, named.regions, named.surfaces, axisymmetric, interfaces)


def simplices(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Corners (cells, dim + 1) of the simplices of a grid of node numbers: one for each path along a box's edges."""
    dim = number.ndim
    found = []
    for order in itertools.permutations(range(dim)):
        at = np.zeros(dim, dtype=int)
        corners = []
        for axis in (None, *order):
            if axis is not None:
                at[axis] = 1
            block = tuple(slice(a, size - 1 + a) for a, size in zip(at, number.shape, strict=True))
            corners.append(number[block].ravel())
        found.append(np.stack(corners, axis=1))
    return np.concatenate(found).astype(np.int64)


def _areas(axes: list[NDArray[np.float64]], axisymmetric: bool) -> NDArray[np.float64]:
    """The integral over the interface of each node's hat function, with 2 pi r where it applies."""
    if not axes:
        return np.ones(1)
    number = np.arange(int(np.prod([len(axis) for axis in axes]))).reshape([len(axis) for axis in axes])
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    cells = simplices(number)
    corners = points[cells]
    edges = corners[:, 1:] - corners[:, :1]
    share = np.repeat(np.abs(np.linalg.det(edges))[:, None], cells.shape[1], axis=1)
    share /= float(np.prod(np.arange(1, cells.shape[1] + 1)))
    if axisymmetric:
        radius = corners[..., 0]
        share *= 2.0 * np.pi * (radius.sum(axis=1, keepdims=True) + radius) / 3.0
    return np.bincount(cells.ravel(), share.ravel(), len(points))
