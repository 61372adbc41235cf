"""How good a mesh is: sizes, volumes and shapes by region, and the worst cell."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from meshes.errors import MeshError
from meshes.labelled import LabelledMesh

Floats = NDArray[np.float64]
#: Shares of the cells below which the reported shape measures lie.
QUANTILES = (0.0, 0.01, 0.5)


@dataclass(frozen=True)
class RegionQuality:
    """One region: number of cells, volume, edges, and the :data:`QUANTILES` (smallest, 1 %, median) of their shapes.

    ``volume_nm3`` is nm^3 (with 2 pi r where axisymmetric), in the plane nm^3 per nm of depth. ``radius_ratio`` is
    dim times the radius of the inscribed sphere over that of the circumscribed one: 1 for the regular cell, 0 for a
    flat one. ``angle_deg`` is the smallest angle of a triangle, the smallest dihedral angle of a tetrahedron. An
    interval has a radius ratio of 1 and no angle (nan).
    """

    cells: int
    volume_nm3: float
    shortest_edge_nm: float
    longest_edge_nm: float
    radius_ratio: tuple[float, ...]
    angle_deg: tuple[float, ...]


@dataclass(frozen=True)
class Quality:
    """A mesh: numbers of cells and nodes, its regions, and where the cell with the least radius ratio is."""

    cells: int
    nodes: int
    regions: dict[str, RegionQuality]
    worst_region: str
    worst_radius_ratio: float
    worst_midpoint_nm: tuple[float, ...]


def quality(labelled: LabelledMesh) -> Quality:
    """Look at all cells of a mesh of intervals, triangles or tetrahedra. Collective; every rank gets the same report.

    Raises MeshError where the cells are something else.
    """
    mesh = labelled.mesh
    dim = mesh.topology.dim
    kinds = ("interval", "triangle", "tetrahedron")
    if mesh.topology.cell_name() not in kinds or mesh.geometry.dofmaps[0].shape[1] != dim + 1:
        raise MeshError(f"quality: the cells must be intervals, triangles or tetrahedra, got "
                        f"{mesh.topology.cell_name()}s")  # fmt: skip
    owned = mesh.topology.index_map(dim).size_local
    points = mesh.geometry.x[mesh.geometry.dofmaps[0][:owned], : mesh.geometry.dim]
    tags = np.zeros(mesh.geometry.dofmaps[0].shape[0], dtype=np.int32)
    tags[labelled.cells.indices] = labelled.cells.values
    volume, ratio, angle = (_intervals, _triangles, _tetrahedra)[dim - 1](points)
    edges = np.stack([np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in combinations(range(dim + 1), 2)])
    middle = points.mean(axis=1)
    if labelled.axisymmetric:
        volume = volume * 2.0 * math.pi * middle[:, 0]  # exact: r is linear in the cell
    local = (tags[:owned], volume, ratio, angle, edges.min(axis=0), edges.max(axis=0), middle)
    parts = mesh.comm.allgather(local)
    tags, volume, ratio, angle, shortest, longest, middle = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )  # fmt: skip
    regions = {}
    for name, number in labelled.regions.items():
        own = tags == number
        if not np.any(own):
            continue
        regions[name] = RegionQuality(
            int(np.sum(own)), math.fsum(volume[own]), float(shortest[own].min()), float(longest[own].max()),
            tuple(np.quantile(ratio[own], QUANTILES).tolist()), tuple(np.quantile(angle[own], QUANTILES).tolist()),
        )  # fmt: skip
    worst = int(np.argmin(ratio))
    name = next(name for name, number in labelled.regions.items() if number == tags[worst])
    return Quality(
        len(tags), int(mesh.geometry.index_map().size_global), regions, name, float(ratio[worst]),
        tuple(middle[worst].tolist()),
    )  # fmt: skip


def _intervals(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Length (n,) in nm of intervals (n, 2, 1), a radius ratio of 1 and no angle."""
    length = np.abs(points[:, 1, 0] - points[:, 0, 0])
    return length, np.ones_like(length), np.full_like(length, np.nan)


def _triangles(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Area (n,) in nm^2, radius ratio (n,) and smallest angle (n,) in degrees of triangles (n, 3, 2)."""
    a, b, c = (np.linalg.norm(points[:, (k + 1) % 3] - points[:, (k + 2) % 3], axis=1) for k in range(3))
    u, v = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    area = 0.5 * np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    inscribed, circumscribed = 2.0 * area / (a + b + c), a * b * c / (4.0 * area)
    # The smallest angle is opposite to the shortest side: area = product of the other two sides times sine / 2.
    short = np.minimum(np.minimum(a, b), c)
    sine = np.clip(2.0 * area * short / (a * b * c), 0.0, 1.0)
    return area, 2.0 * inscribed / circumscribed, np.degrees(np.arcsin(sine))


def _tetrahedra(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Volume (n,) in nm^3, radius ratio (n,) and smallest dihedral angle (n,) in degrees of tetrahedra (n, 4, 3)."""
    u, v, w = (points[:, k] - points[:, 0] for k in (1, 2, 3))
    volume = np.abs(np.einsum("ij,ij->i", u, np.cross(v, w))) / 6.0
    normals, areas = [], []
    for corner in range(4):  # outward normals of the faces
        p, q, r = (points[:, k] for k in range(4) if k != corner)
        normal = np.cross(q - p, r - p)
        double = np.linalg.norm(normal, axis=1)
        normal *= (np.sign(np.einsum("ij,ij->i", normal, p - points[:, corner])) / double)[:, None]
        normals.append(normal)
        areas.append(0.5 * double)
    inscribed = 3.0 * volume / sum(areas)
    # Circumscribed sphere: centre c with 2 c . u = u . u for the three edges from one corner.
    squares = [np.einsum("ij,ij->i", x, x)[:, None] for x in (u, v, w)]
    centre = squares[0] * np.cross(v, w) + squares[1] * np.cross(w, u) + squares[2] * np.cross(u, v)
    circumscribed = np.linalg.norm(centre, axis=1) / (12.0 * volume)
    cosines = [np.einsum("ij,ij->i", normals[a], normals[b]) for a, b in combinations(range(4), 2)]
    angles = 180.0 - np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return volume, 3.0 * inscribed / circumscribed, np.asarray(angles.min(axis=0))
