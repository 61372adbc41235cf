"""Splitting a mesh along the surface between two regions, so that a quantity may jump there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from meshes.errors import MeshError, nearest
from meshes.labelled import Interface, LabelledMesh
from meshes.root import on_root
from meshes.simplices import Floats, Integers, Simplices, distribute, gather, join_facets, without_corner


def split(labelled: LabelledMesh, interfaces: Sequence[str]) -> LabelledMesh:
    """The mesh with its nodes doubled along the surfaces named, each "first region/second region". Collective.

    Names may be patterns ("heater_*/cell_*"); every pair of regions that touch and match is an interface of its own.
    A node where more than two regions meet gets one copy for every group of cells around it that still hang together.
    Where a split surface ends inside the body, its last node is not doubled: nothing jumps there, there is no pair, and
    the areas of the pairs leave that node's share out. Split the surfaces next to it as well to have all of it.
    The cells must be simplices, the mesh not split yet. Raises MeshError for a name that matches no touching pair.
    """
    if labelled.interfaces:
        raise MeshError(f"the mesh is split already (at {', '.join(labelled.interfaces)}): name all surfaces at once")
    comm = labelled.mesh.comm
    whole = gather(labelled)

    def cut() -> tuple[Simplices, dict[str, Interface]]:
        return split_simplices(whole, labelled.regions, interfaces, labelled.axisymmetric)  # type: ignore[arg-type]

    whole, found = on_root(comm, cut) or (None, {})
    found = comm.bcast(found, root=0)
    made = distribute(comm, whole, labelled.regions, labelled.surfaces, found, labelled.axisymmetric)
    return replace(made, within=labelled.within)


def split_simplices(
    whole: Simplices, regions: Mapping[str, int], interfaces: Sequence[str], axisymmetric: bool = False
) -> tuple[Simplices, dict[str, Interface]]:
    """Double the nodes of ``whole`` along the named surfaces, as :func:`split` does for a distributed mesh."""
    inner, _ = join_facets(whole.cells)
    sides = whole.tags[inner[:, :, 0]].astype(np.int64)
    chosen = _choose(interfaces, regions, sides)
    inner, sides = inner[sides[:, 0] != sides[:, 1]], sides[sides[:, 0] != sides[:, 1]]
    cuts = {}
    for name, (first, second) in chosen.items():
        forward = np.all(sides == (first, second), axis=1)
        backward = np.all(sides == (second, first), axis=1)
        cuts[name] = np.concatenate([inner[forward], inner[backward][:, ::-1]])
    cells, origin = _copies(whole.cells, len(whole.points_nm), cuts)
    result = replace(whole, points_nm=whole.points_nm[origin], cells=cells)
    names = {number: name for name, number in regions.items()}
    return result, {
        name: Interface(names[chosen[name][0]], names[chosen[name][1]], *_pairs(whole, result, cut, axisymmetric))
        for name, cut in cuts.items()
    }


def _choose(interfaces: Sequence[str], regions: Mapping[str, int], sides: Integers) -> dict[str, tuple[int, int]]:
    """Name -> numbers of the two regions of every surface asked for, in the order asked for."""
    touching = {frozenset(pair) for pair in np.unique(sides, axis=0).tolist() if pair[0] != pair[1]}
    known = [f"{a}/{b}" for a, i in regions.items() for b, j in regions.items() if i < j and {i, j} in touching]
    chosen: dict[str, tuple[int, int]] = {}
    for asked in interfaces:
        first, _, second = asked.partition("/")
        matches = {
            f"{a}/{b}": (i, j)
            for a, i in regions.items() for b, j in regions.items()
            if {i, j} in touching and fnmatchcase(a, first) and fnmatchcase(b, second)
        }  # fmt: skip
        if not matches:
            hint = f" (nearest: {nearest(asked, known)!r})" if known else ""
            raise MeshError(f"split: {asked!r} is no surface between two regions; allowed: {', '.join(known)}{hint}")
        for name, pair in matches.items():
            if any(set(pair) == set(other) for other in chosen.values()):
                raise MeshError(f"split: the surface {name!r} is named twice, in {', '.join(map(repr, interfaces))}")
            chosen[name] = pair
    return chosen


def _copies(cells: Integers, count: int, cuts: Mapping[str, Integers]) -> tuple[Integers, Integers]:
    """Cells with new node numbers, and the old number of every new node (n,).

    Around each node on a cut, corners of cells are joined across the facets that are not cut; each group that hangs
    together is one node.
    """
    on_cut = np.zeros(count, dtype=bool)
    keys = []
    for cut in cuts.values():
        on_cut[without_corner(cells[cut[:, 0, 0]], cut[:, 0, 1])] = True
        keys.append(np.sort(cut[:, :, 0], axis=1))
    near = np.flatnonzero(np.any(on_cut[cells], axis=1))  # only cells that touch a cut can come apart
    inner, _ = join_facets(cells[near])
    pairs = np.sort(near[inner[:, :, 0]], axis=1)
    severed = _rows_in(pairs, np.concatenate([*keys, np.empty((0, 2), dtype=np.int64)]))
    inner = inner[~severed]
    corners = cells.shape[1]
    rows, columns = [], []
    for corner in range(corners):  # the corner of the first cell that is joined to the same node of the second
        used = inner[:, 0, 1] != corner
        node = cells[near[inner[used, 0, 0]], corner]
        other = np.argmax(cells[near[inner[used, 1, 0]]] == node[:, None], axis=1)
        rows.append(inner[used, 0, 0] * corners + corner)
        columns.append(inner[used, 1, 0] * corners + other)
    row, column = np.concatenate(rows), np.concatenate(columns)
    size = near.size * corners
    joined = coo_array((np.ones(row.size, dtype=np.int8), (row, column)), shape=(size, size))
    _, group = connected_components(joined, directed=False)
    node = cells[near].ravel()
    group[~on_cut[node]] = 0
    # Nodes keep their order; copies of one follow each other.
    labels = np.zeros(cells.shape, dtype=np.int64)
    labels[near] = group.reshape(-1, corners)
    both, new = np.unique(np.stack([cells.ravel(), labels.ravel()], axis=1), axis=0, return_inverse=True)
    return new.reshape(cells.shape).astype(np.int64), both[:, 0]


def _rows_in(rows: Integers, among: Integers) -> NDArray[np.bool_]:
    """Whether each of the rows (n, 2) of natural numbers is one of ``among`` (m, 2)."""
    width = int(max(rows.max(initial=0), among.max(initial=0))) + 1
    return np.isin(rows[:, 0] * width + rows[:, 1], among[:, 0] * width + among[:, 1])


def _pairs(before: Simplices, after: Simplices, cut: Integers, axisymmetric: bool) -> tuple[Integers, Floats]:
    """Pairs of nodes (n, 2) across the cut facets and the area (n,) that belongs to each."""
    old = before.facet_nodes(cut[:, 0])
    share = _shares(before.points_nm[old], axisymmetric)
    first, second = after.facet_nodes(cut[:, 0]), after.facet_nodes(cut[:, 1])
    # Both sides in the order of the old node numbers, which they have in common.
    order = np.argsort(old, axis=1)
    back = np.argsort(before.facet_nodes(cut[:, 1]), axis=1)
    pairs = np.stack([np.take_along_axis(first, order, 1), np.take_along_axis(second, back, 1)], axis=-1).reshape(-1, 2)
    area = np.take_along_axis(share, order, 1).ravel()
    nodes, index = np.unique(pairs, axis=0, return_inverse=True)
    total = np.bincount(index.ravel(), weights=area, minlength=len(nodes))
    apart = nodes[:, 0] != nodes[:, 1]
    return nodes[apart], total[apart]


def _shares(points: Floats, axisymmetric: bool) -> Floats:
    """Integrals (n, dim) of the linear shape functions over facets with corners (n, dim, dim)."""
    corners = points.shape[1]
    edges = points[:, 1:] - points[:, :1]
    if corners == 1:
        area = np.ones(len(points))
    elif corners == 2:
        area = np.linalg.norm(edges[:, 0], axis=1)
    else:
        area = 0.5 * np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    weight = np.full(points.shape[:2], 1.0 / corners)
    if axisymmetric:
        r = points[:, :, 0]
        weight = 2.0 * math.pi * (r + r.sum(axis=1, keepdims=True)) / (corners * (corners + 1))
    return np.asarray(area[:, None] * weight)
