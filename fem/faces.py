"""Faces of regions and surfaces of a mesh of simplices, and the area of each of their nodes.

On several ranks each has those of its own cells; that a face belongs to two regions, or to none but one, is seen
across ranks.
"""

from typing import Any

import dolfinx.mesh
import numpy as np
from numpy.typing import NDArray

from fem.cell import Cell
from fem.errors import unknown_name
from fem.halo import Halo
from fem.simplices import Simplices

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


def outer_faces(part: Simplices) -> Nodes:
    """Dofs (n, dim), ascending, of the faces that only one cell of the region has, and one of this rank's; collective.
    """
    found, counts = np.unique(_corners(part), axis=0, return_counts=True)
    outer = np.asarray(found[counts == 1], dtype=np.int64)
    return outer if part.halo.comm.size == 1 else outer[_times(outer, outer, part.halo) == 1]


def all_faces(part: Simplices) -> Nodes:
    """Dofs (n, dim), ascending, of all faces of a region's cells on this rank."""
    return np.unique(_corners(part), axis=0).astype(np.int64)


def _corners(part: Simplices) -> Nodes:
    faces = np.concatenate([np.delete(part.dofs, corner, axis=1) for corner in range(part.dim + 1)])
    return np.sort(faces, axis=1).astype(np.int64)


def common_faces(faces: Nodes, others: Nodes, halo: Halo) -> Nodes:
    """Those (m, dim) of ``faces`` (n, dim) that are among ``others`` of any rank; collective.

    Both ascending, each without repetition on a rank.
    """
    if halo.comm.size > 1:
        return faces[_times(faces, others, halo) > 0]
    both, counts = np.unique(np.concatenate([faces, others]), axis=0, return_counts=True)
    return np.asarray(both[counts == 2], dtype=np.int64)


def own_faces(faces: Nodes, halo: Halo) -> Nodes:
    """Those of ``faces`` (n, dim) that no lower rank has as well; collective."""
    if halo.comm.size == 1:
        return faces
    parts = halo.comm.allgather(_global(faces, halo))
    before = np.concatenate([np.empty((0, faces.shape[1]), dtype=np.int64), *parts[: halo.comm.rank]])
    return faces[_count(_global(faces, halo), before) == 0]


def _times(faces: Nodes, others: Nodes, halo: Halo) -> Nodes:
    """How often (n,) each of ``faces`` (n, dim) is among ``others`` of all ranks.

    What other ranks may have is known by their corners, of which two ranks or more hold all.
    """
    common = halo.holders() > 1.5
    parts = halo.comm.allgather(_global(others[np.all(common[others], axis=1)], halo))
    away = [part for rank, part in enumerate(parts) if rank != halo.comm.rank]
    return _count(_global(faces, halo), np.concatenate([_global(others, halo), *away]))


def _global(faces: Nodes, halo: Halo) -> Nodes:
    return np.sort(halo.global_dofs[faces], axis=1)


def _count(rows: Nodes, among: Nodes) -> Nodes:
    """How often (n,) each of the rows (n, dim) is one of ``among`` (m, dim)."""
    _, index = np.unique(np.concatenate([rows, among]), axis=0, return_inverse=True)
    index = index.ravel()
    return np.bincount(index[len(rows) :], minlength=index.max(initial=0) + 1)[index[: len(rows)]]


def surface_faces(cell: Cell, name: str, space: Any) -> Nodes:
    """Dofs (n, dim), ascending, of the faces of a surface, each on one rank. Raises FemError for an unknown one."""
    if name not in cell.surfaces:
        raise unknown_name("surface", name, cell.surfaces)
    mesh, dim = cell.mesh, cell.mesh.topology.dim
    mesh.topology.create_connectivity(dim - 1, dim)
    facets = cell.facets.find(cell.surfaces[name])
    facets = facets[facets < mesh.topology.index_map(dim - 1).size_local]
    at = np.asarray(dolfinx.mesh.entities_to_geometry(mesh, dim - 1, facets)).reshape(facets.size, dim)
    dof = np.empty(mesh.geometry.x.shape[0], dtype=np.int64)
    dof[np.asarray(mesh.geometry.dofmaps[0]).ravel()] = np.asarray(space.dofmap.list).ravel()
    return np.sort(dof[at], axis=1)


def surface_areas(cell: Cell, name: str, space: Any) -> tuple[Nodes, Array]:
    """The local dofs (n,) of a surface and the area (n,) in m^2 of each: the integral of its linear shape function.

    In metres in a plane and 1 in 1D; whole on every rank. Collective. Raises FemError for an unknown surface.
    """
    x_nm = np.asarray(space.tabulate_dof_coordinates())
    axisymmetric = bool(getattr(cell, "axisymmetric", False))
    return _areas(x_nm, surface_faces(cell, name, space), axisymmetric, Halo(space))


def face_areas(part: Simplices, faces: Nodes) -> tuple[Nodes, Array]:
    """Nodes (n,) of faces (m, dim), and the integral (n,) of each one's linear shape function: m^2, m in a plane.

    The faces each on one rank, the areas whole on every rank; collective.
    """
    return _areas(part.x_nm, faces, part.axisymmetric, part.halo)


def _areas(x_nm: Array, faces: Nodes, axisymmetric: bool, halo: Halo) -> tuple[Nodes, Array]:
    dim = faces.shape[1]
    points = x_nm[faces] * 1e-9
    edges = points[:, 1:] - points[:, :1]
    gram = np.linalg.det(edges @ np.swapaxes(edges, 1, 2)) if dim > 1 else np.ones(len(faces))
    share = np.repeat((np.sqrt(gram) / (1.0, 1.0, 2.0)[dim - 1])[:, None] / dim, dim, axis=1)
    if axisymmetric:
        r = points[:, :, 0]
        share *= 2.0 * np.pi * (r.sum(axis=1, keepdims=True) + r) / 3.0
    nodes, index = np.unique(faces, return_inverse=True)
    area = np.bincount(index.ravel(), share.ravel(), nodes.size).astype(np.float64)
    if halo.comm.size == 1:
        return nodes, area
    on, total = np.zeros(halo.local), np.zeros(halo.local)
    on[nodes], total[nodes] = 1.0, area
    nodes = np.flatnonzero(halo.accumulate(on) > 0.5)
    return nodes, halo.accumulate(total)[nodes]
