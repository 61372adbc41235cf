"""Faces of a region of simplices that it does not share with itself, and the area of each of their nodes."""

import numpy as np
from numpy.typing import NDArray

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


def face_areas(part: Simplices, faces: Nodes) -> tuple[Nodes, Array]:
    """Nodes (n,) of faces (m, dim), and the integral (n,) of each one's linear shape function: m^2, m in a plane."""
    dim = part.dim
    points = part.x_nm[faces] * 1e-9
    edges = points[:, 1:] - points[:, :1]
    gram = np.linalg.det(edges @ np.swapaxes(edges, 1, 2)) if dim > 1 else np.ones(len(faces))
    share = np.repeat((np.sqrt(gram) / (1.0, 1.0, 2.0)[dim - 1])[:, None] / dim, dim, axis=1)
    if part.axisymmetric:
        r = points[:, :, 0]
        share *= 2.0 * np.pi * (r.sum(axis=1, keepdims=True) + r) / 3.0
    nodes, index = np.unique(faces, return_inverse=True)
    return nodes, np.bincount(index.ravel(), share.ravel(), nodes.size)
