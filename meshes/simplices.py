"""Triangles and tetrahedra as plain arrays on rank 0, and the way from there to a distributed mesh and back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import basix.ufl
import dolfinx.io
import dolfinx.mesh
import numpy as np
import ufl
from mpi4py import MPI
from numpy.typing import NDArray

from meshes.errors import MeshError
from meshes.labelled import Interface, LabelledMesh

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
#: Which exterior facets a surface has: a function of their midpoints (n, dim) in nm and their cells' regions (n,).
Chooser = Callable[[Floats, NDArray[np.str_]], NDArray[np.bool_]]

_SHAPES = {1: "interval", 2: "triangle", 3: "tetrahedron"}


@dataclass(frozen=True)
class Simplices:
    """A mesh of simplices whose cells and exterior facets have numbers, all on one rank.

    ``points_nm`` (n, dim), ``cells`` (m, dim + 1) node numbers, ``tags`` (m,) region of each cell; ``facets`` (k, 2)
    cell and the corner of it that the facet lacks, ``facet_tags`` (k,) surface of each facet.
    """

    points_nm: Floats
    cells: Integers
    tags: NDArray[np.int32]
    facets: Integers
    facet_tags: NDArray[np.int32]

    @property
    def dim(self) -> int:
        """Dimension of the cells: 2 for triangles, 3 for tetrahedra."""
        return self.cells.shape[1] - 1

    def facet_nodes(self, facets: Integers) -> Integers:
        """Node numbers (n, dim) of facets (n, 2) given as cell and corner that is absent."""
        return without_corner(self.cells[facets[:, 0]], facets[:, 1])


def without_corner(cells: Integers, corner: Integers) -> Integers:
    """Cells (n, k) without the given corner (n,) of each: the facets (n, k - 1) opposite to it."""
    keep = np.arange(cells.shape[1])[None, :] != corner[:, None]
    return cells[keep].reshape(len(cells), cells.shape[1] - 1)


def join_facets(cells: Integers) -> tuple[Integers, Integers]:
    """Facets between two cells (n, 2, 2) and at the outside (m, 2), each side as cell and corner that is absent."""
    corners = cells.shape[1]
    sides = np.stack(np.divmod(np.arange(cells.size, dtype=np.int64), corners), axis=1)
    nodes = np.sort(without_corner(cells[sides[:, 0]], sides[:, 1]), axis=1)
    order = np.lexsort(nodes.T)
    same = np.all(nodes[order[1:]] == nodes[order[:-1]], axis=1)
    paired = np.zeros(len(order), dtype=bool)
    paired[1:] |= same
    paired[:-1] |= same
    first = np.flatnonzero(same)
    if np.any(np.diff(first) == 1):
        raise MeshError("a facet belongs to more than two cells")
    inner = np.stack([sides[order[first]], sides[order[first + 1]]], axis=1)
    return inner, sides[np.sort(order[~paired])]


def name_surfaces(
    points_nm: Floats,
    cells: Integers,
    tags: NDArray[np.int32],
    regions: Mapping[str, int],
    surfaces: Mapping[str, Chooser],
) -> Simplices:
    """Number the exterior facets by the first of ``surfaces`` that takes them, from 1 on; the rest comes last.

    Raises MeshError for a surface that takes no facet.
    """
    bare = Simplices(points_nm, cells, tags, np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int32))
    _, outside = join_facets(cells)
    middle = points_nm[bare.facet_nodes(outside)].mean(axis=1)
    names = np.empty(max(regions.values()) + 1, dtype=f"<U{max(map(len, regions))}")
    for name, number in regions.items():
        names[number] = name
    region = names[tags[outside[:, 0]]]
    found = np.zeros(len(outside), dtype=np.int32)
    for number, (name, choose) in enumerate(surfaces.items(), start=1):
        taken = choose(middle, region) & (found == 0)
        if not np.any(taken):
            raise MeshError(f"surface {name!r} has no facets")
        found[taken] = number
    found[found == 0] = len(surfaces) + 1
    return replace(bare, facets=outside, facet_tags=found)


def distribute(
    comm: MPI.Comm,
    whole: Simplices | None,
    regions: Mapping[str, int],
    surfaces: Mapping[str, int],
    interfaces: Mapping[str, Interface] | None = None,
    axisymmetric: bool = False,
) -> LabelledMesh:
    """The mesh of ``whole`` (read on rank 0) over all ranks, cells and facets tagged on each, ghosts included."""
    dim = comm.bcast(whole.dim if whole is not None else None, root=0)
    if whole is None:
        whole = Simplices(
            np.empty((0, dim)), np.empty((0, dim + 1), dtype=np.int64), np.empty(0, dtype=np.int32),
            np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int32),
        )  # fmt: skip
    element = ufl.Mesh(basix.ufl.element("Lagrange", _SHAPES[dim], 1, shape=(dim,)))
    partitioner = dolfinx.mesh.create_cell_partitioner(dolfinx.mesh.GhostMode.shared_facet, 2)
    mesh = dolfinx.mesh.create_mesh(comm, whole.cells, element, whole.points_nm, partitioner=partitioner)

    tags = np.asarray(comm.bcast(whole.tags, root=0))
    original = np.asarray(mesh.topology.original_cell_index)
    cells = dolfinx.mesh.meshtags(mesh, dim, np.arange(original.size, dtype=np.int32), tags[original])

    mesh.topology.create_connectivity(dim - 1, 0)
    mesh.topology.create_connectivity(dim - 1, dim)
    nodes, values = dolfinx.io.distribute_entity_data(mesh, dim - 1, whole.facet_nodes(whole.facets), whole.facet_tags)
    facets = dolfinx.mesh.meshtags_from_entities(mesh, dim - 1, dolfinx.graph.adjacencylist(nodes), values)
    return LabelledMesh(
        mesh, cells, facets, dict(regions), dict(surfaces),
        axisymmetric=axisymmetric, interfaces=dict(interfaces or {}),
    )  # fmt: skip


def gather(labelled: LabelledMesh) -> Simplices | None:
    """All of a mesh of simplices on rank 0 (None on the others), numbered as the points it was made of. Collective.

    Raises MeshError where the cells are no simplices.
    """
    mesh = labelled.mesh
    dim = mesh.topology.dim
    if mesh.geometry.dofmaps[0].shape[1] != dim + 1 or mesh.topology.cell_name() not in _SHAPES.values():
        raise MeshError(f"the mesh must be made of simplices with straight edges, got {mesh.topology.cell_name()}s")
    owned = mesh.topology.index_map(dim).size_local
    number = np.asarray(mesh.geometry.input_global_indices)
    tags = np.zeros(mesh.geometry.dofmaps[0].shape[0], dtype=np.int32)
    tags[labelled.cells.indices] = labelled.cells.values
    mesh.topology.create_connectivity(dim - 1, dim)
    at = dolfinx.mesh.entities_to_geometry(mesh, dim - 1, labelled.facets.indices)
    own = np.unique(mesh.geometry.dofmaps[0][:owned])
    parts = mesh.comm.gather(
        (number[own], mesh.geometry.x[own, : mesh.geometry.dim], number[mesh.geometry.dofmaps[0][:owned]], tags[:owned],
         np.asarray(mesh.topology.original_cell_index)[:owned], number[at].reshape(-1, dim), labelled.facets.values),
        root=0,
    )  # fmt: skip
    if parts is None:
        return None
    numbers, points, cells, tags, original, nodes, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    _, where = np.unique(numbers, return_index=True)
    order = np.argsort(original)
    cells, tags = cells[order], tags[order]
    if not np.array_equal(numbers[where], np.arange(where.size)):  # some points of the input belonged to no cell
        cells, nodes = np.searchsorted(numbers[where], cells), np.searchsorted(numbers[where], nodes)
    facets, facet_tags = _find(cells, nodes, values)
    return Simplices(points[where], cells, tags, facets, facet_tags)


def _find(cells: Integers, nodes: Integers, values: NDArray[np.int32]) -> tuple[Integers, NDArray[np.int32]]:
    """The exterior facets among those with given nodes (n, dim), as (k, 2), and their values (k,); n may repeat."""
    _, outside = join_facets(cells)
    own = np.sort(without_corner(cells[outside[:, 0]], outside[:, 1]), axis=1)
    both = np.concatenate([own, np.sort(nodes, axis=1)])
    _, group = np.unique(both, axis=0, return_inverse=True)
    group = group.ravel()
    value = np.zeros(group.max(initial=0) + 1, dtype=np.int32)
    value[group[len(own) :]] = values
    found = value[group[: len(own)]]
    return outside[found > 0], found[found > 0]
