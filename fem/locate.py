"""Which owned cells contain given points, and the reference coordinates of the points in them."""

import dolfinx.fem
import dolfinx.geometry
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_PADDING_NM = 1e-6
_TOLERANCE = 1e-6
_NEWTON = 25


def containing_cells(
    space: dolfinx.fem.FunctionSpace, points_nm: Array
) -> tuple[NDArray[np.int64], NDArray[np.int32], Array]:
    """All (point, owned cell) pairs where the point (n, dim) lies in the cell, its boundary included to 1e-6.

    Returns point numbers (pairs,), rising; local cells (pairs,); reference coordinates (pairs, dim).
    """
    mesh = space.mesh
    tdim = mesh.topology.dim
    owned = np.arange(mesh.topology.index_map(tdim).size_local, dtype=np.int32)
    if owned.size == 0 or points_nm.shape[0] == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty((0, tdim))
    padded = np.zeros((points_nm.shape[0], 3))
    padded[:, :tdim] = points_nm
    tree = dolfinx.geometry.bb_tree(mesh, tdim, padding=_PADDING_NM, entities=owned)
    hits = dolfinx.geometry.compute_collisions_points(tree, padded)
    cell = np.asarray(hits.array, dtype=np.int32)
    point = np.repeat(np.arange(points_nm.shape[0], dtype=np.int64), np.diff(hits.offsets))
    nodes = np.asarray(mesh.geometry.dofmaps[0])[cell]
    reference = _pull_back(space, mesh.geometry.x[nodes][:, :, :tdim], points_nm[point])
    inside = reference.min(axis=1) >= -_TOLERANCE
    if mesh.topology.cell_type.name in ("interval", "quadrilateral", "hexahedron"):
        inside &= reference.max(axis=1) <= 1.0 + _TOLERANCE
    else:
        inside &= reference.sum(axis=1) <= 1.0 + _TOLERANCE
    return point[inside], cell[inside], reference[inside]


def _pull_back(space: dolfinx.fem.FunctionSpace, corners: Array, points: Array) -> Array:
    """Reference coordinates (n, dim) of points (n, dim) in cells with corners (n, nodes, dim), by Newton's method."""
    element = space.element.basix_element
    reference = np.full(points.shape, 1.0 / 3.0)
    for _ in range(_NEWTON):
        table = element.tabulate(1, reference)[..., 0]
        error = points - np.einsum("na,nai->ni", table[0], corners)
        jacobian = np.einsum("nai,jna->nij", corners, table[1:])
        step = np.linalg.solve(jacobian, error[..., None])[..., 0]
        reference = np.clip(reference + step, -2.0, 3.0)
        if np.abs(step).max(initial=0.0) < 1e-13:
            break
    return reference
