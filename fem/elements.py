"""Linear elements as a network: conductance between the nodes of a cell, and its volume shared among them.

The stiffness matrix of -div(c grad u) has zero row sums, so on each cell it is exactly a network of conductances
w_ab = -K_ab between its nodes. On quadrilaterals and hexahedra the integrals use the vertex rule (Gauss-Lobatto of
degree 1), which is second-order accurate like the exact integral, leaves only the edges of a rectangular cell, and
makes the matrix an M-matrix whatever the aspect ratio and contrast: no temperature below the coldest boundary, no
negative power. On simplices the integrals are exact.
"""

from dataclasses import dataclass
from typing import Any

import basix
import dolfinx.fem
import dolfinx.mesh
import numpy as np
from numpy.typing import NDArray

from fem.errors import FemError

_CHUNK = 20_000
_DROP = 1e-13


@dataclass(frozen=True)
class CellNetwork:
    """The network of the owned cells of a mesh for unit coefficients, in nm^(dim-2) and nm^dim.

    ``tail``, ``head``: local dofs (entries,) of every cell-wise conductance; ``cell``: its cell; ``weight``: its value.
    ``volumes``: (cells, nodes a cell) share of the cell's volume of each of its nodes; ``dofs``: their local dofs.
    """

    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    cell: NDArray[np.int32]
    weight: NDArray[np.float64]
    volumes: NDArray[np.float64]
    dofs: NDArray[np.int32]


def cell_network(space: dolfinx.fem.FunctionSpace) -> CellNetwork:
    """The network of a first-order Lagrange ``space`` over its owned cells. Raises FemError for a flat cell."""
    mesh = space.mesh
    tdim = mesh.topology.dim
    count = mesh.topology.index_map(tdim).size_local
    dofs = np.asarray(space.dofmap.list)[:count]
    nodes = np.asarray(mesh.geometry.dofmaps[0])[:count]
    first, second = np.triu_indices(dofs.shape[1], 1)
    parts: list[tuple[NDArray[Any], ...]] = []
    volumes = np.empty(dofs.shape)
    for start in range(0, count, _CHUNK):
        block = slice(start, min(start + _CHUNK, count))
        stiffness, volumes[block] = _integrals(space, mesh.geometry.x[nodes[block], :tdim], start)
        weight = -stiffness[:, first, second]
        scale = np.abs(stiffness).max(axis=(1, 2))
        cell, pair = np.nonzero(np.abs(weight) > _DROP * scale[:, None])
        parts.append(
            (dofs[cell + start, first[pair]], dofs[cell + start, second[pair]], cell + start, weight[cell, pair])
        )
    parts = parts or [(np.empty(0, dtype=np.int32),) * 3 + (np.empty(0),)]  # a rank may own no cell
    tail, head, cells, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return CellNetwork(
        tail.astype(np.int32), head.astype(np.int32), cells.astype(np.int32), weights.astype(np.float64), volumes, dofs
    )


def _integrals(
    space: dolfinx.fem.FunctionSpace, corners: NDArray[np.float64], first_cell: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Element stiffness (cells, n, n) and nodal volumes (cells, n) of cells with the given corners (cells, n, dim)."""
    mesh = space.mesh
    element = space.element.basix_element
    points, weights = _rule(mesh.topology.cell_type)
    table = element.tabulate(1, points)[..., 0]
    jacobian = np.einsum("cai,jqa->cqij", corners, table[1:])
    determinant = np.abs(np.linalg.det(jacobian))
    if not np.all(determinant > 0.0):
        flat = int(np.argmin(determinant.min(axis=1)))
        raise FemError(f"cell {first_cell + flat} of the mesh is flat: its volume is zero")
    gradient = np.einsum("jqa,cqji->cqai", table[1:], np.linalg.inv(jacobian), optimize=True)
    measure = determinant * weights
    stiffness = np.einsum("cq,cqai,cqbi->cab", measure, gradient, gradient, optimize=True)
    return stiffness, measure @ table[0]


def _rule(cell_type: dolfinx.mesh.CellType) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quadrature points and weights: the vertices of a tensor cell, the exact degree of a simplex."""
    name = cell_type.name
    reference = getattr(basix.CellType, name)
    if name in ("quadrilateral", "hexahedron"):
        vertices = basix.geometry(reference)
        return vertices, np.full(len(vertices), 1.0 / len(vertices))
    if name in ("interval", "triangle", "tetrahedron"):
        points, weights = basix.make_quadrature(reference, 1)
        return points, weights
    raise FemError(f"cells of type {name!r} are not supported; allowed: interval, triangle, quadrilateral, "
                   "tetrahedron, hexahedron")  # fmt: skip
