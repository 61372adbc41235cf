"""Faces of regions and surfaces of a mesh of simplices, and the area of each of their nodes."""

from typing import Any

import dolfinx.mesh
import numpy as np
from numpy.typing import NDArray

from fem.cell import Cell
from fem.errors import unknown_name
from fem.simplices import Simplices

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


def outer_faces(part: Simplices) -> Nodes:
    """Dofs (n, dim), ascending, of the faces that only one cell of the region has."""
    faces = np.concatenate([np.delete(part.dofs, corner, axis=1) for corner in range(part.dim + 1)])
    found, counts = np.unique(np.sort(faces, axis=1), axis=0, return_counts=True)
    return np.asarray(found[counts == 1], dtype=np.int64)


def common_faces(faces: Nodes, others: Nodes) -> Nodes:
    """Those (m, dim) of ``faces`` (n, dim) that are among ``others``; both ascending, each without repetition."""
    both, counts = np.unique(np.concatenate([faces, others]), axis=0, return_counts=True)
    return np.asarray(both[counts == 2], dtype=np.int64)


def surface_faces(cell: Cell, name: str, space: Any) -> Nodes:
    """Dofs (n, dim), ascending, of the faces of a surface. Raises FemError for an unknown one."""
    if name not in cell.surfaces:
        raise unknown_name("surface", name, cell.surfaces)
    mesh, dim = cell.mesh, cell.mesh.topology.dim
    mesh.topology.create_connectivity(dim - 1, dim)
    facets = cell.facets.find(cell.surfaces[name])
    at = np.asarray(dolfinx.mesh.entities_to_geometry(mesh, dim - 1, facets)).reshape(facets.size, dim)
    dof = np.empty(mesh.geometry.x.shape[0], dtype=np.int64)
    dof[np.asarray(mesh.geometry.dofmaps[0]).ravel()] = np.asarray(space.dofmap.list).ravel()
    return np.sort(dof[at], axis=1)


def surface_areas(cell: Cell, name: str, space: Any) -> tuple[Nodes, Array]:
    """The dofs (n,) of a surface and the area (n,) in m^2 of each: the integral of its linear shape function.

    In metres in a plane and 1 in 1D. Raises FemError for an unknown surface.
    """
    x_nm = np.asarray(space.tabulate_dof_coordinates())
    return _areas(x_nm, surface_faces(cell, name, space), bool(getattr(cell, "axisymmetric", False)))


def face_areas(part: Simplices, faces: Nodes) -> tuple[Nodes, Array]:
    """Nodes (n,) of faces (m, dim), and the integral (n,) of each one's linear shape function: m^2, m in a plane."""
    return _areas(part.x_nm, faces, part.axisymmetric)


def _areas(x_nm: Array, faces: Nodes, axisymmetric: bool) -> tuple[Nodes, Array]:
    dim = faces.shape[1]
    points = x_nm[faces] * 1e-9
    edges = points[:, 1:] - points[:, :1]
    gram = np.linalg.det(edges @ np.swapaxes(edges, 1, 2)) if dim > 1 else np.ones(len(faces))
    share = np.repeat((np.sqrt(gram) / (1.0, 1.0, 2.0)[dim - 1])[:, None] / dim, dim, axis=1)
    if axisymmetric:
        r = points[:, :, 0]
        share *= 2.0 * np.pi * (r.sum(axis=1, keepdims=True) + r) / 3.0
    nodes, index = np.unique(faces, return_inverse=True)
    return nodes, np.bincount(index.ravel(), share.ravel(), nodes.size)
