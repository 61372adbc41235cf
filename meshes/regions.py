"""Names for the parts of a mesh: boxes of cells, and the faces of the whole."""

from collections.abc import Mapping, Sequence

import dolfinx.mesh
import numpy as np
from mpi4py import MPI

from meshes.errors import MeshError
from meshes.labelled import LabelledMesh

#: Lower and upper end (nm) of a box along one axis; None: the whole axis.
Interval = tuple[float, float] | None

#: A box: an interval for each axis.
Box = Sequence[Interval]
Boxes = Mapping[str, Sequence[Box]]
Layers = Mapping[str, tuple[float, float]]
#: Axis (negative: counted from the last) and end (0 low, 1 high) of a face of the whole mesh.
Faces = Mapping[str, tuple[int, int]]

#: The faces "bottom" and "top" of the last axis.
ENDS: Faces = {"bottom": (-1, 0), "top": (-1, 1)}
TOLERANCE_NM = 1e-6


def label_boxes(mesh: dolfinx.mesh.Mesh, boxes: Boxes, faces: Faces = ENDS) -> LabelledMesh:
    """Name the parts of any DOLFINx mesh in nm: cells by the box of their midpoint, exterior facets by the face.

    ``boxes`` maps a region's name to the boxes that it is made of, each one interval per axis; every cell must lie in
    exactly one. ``faces`` maps a surface's name to an axis and an end; other exterior facets are "side". Collective.
    Raises MeshError where a cell lies in no box, or in two.
    """
    tdim = mesh.topology.dim
    regions = {name: number for number, name in enumerate(boxes, start=1)}
    cell_map = mesh.topology.index_map(tdim)
    local = np.arange(cell_map.size_local + cell_map.num_ghosts, dtype=np.int32)
    middle = dolfinx.mesh.compute_midpoints(mesh, tdim, local)
    tags = np.zeros(local.size, dtype=np.int32)
    for name, parts in boxes.items():
        for box in parts:
            inside = np.ones(local.size, dtype=bool)
            for axis, interval in enumerate(box):
                if interval is not None:
                    inside &= (middle[:, axis] > interval[0]) & (middle[:, axis] < interval[1])
            taken = int(mesh.comm.allreduce(int(tags[inside].max(initial=0)), op=MPI.MAX))
            if taken:
                raise MeshError(f"region {name!r} overlaps region {list(regions)[taken - 1]!r}")
            tags[inside] = regions[name]
    if mesh.comm.allreduce(bool(np.any(tags == 0)), op=MPI.LOR):
        raise MeshError(f"some cells lie in none of the regions {', '.join(boxes)}: these must fill the mesh")
    cells = dolfinx.mesh.meshtags(mesh, tdim, local, tags)

    low, high = (np.empty(3) for _ in range(2))
    mesh.comm.Allreduce(mesh.geometry.x.min(axis=0, initial=np.inf), low, op=MPI.MIN)
    mesh.comm.Allreduce(mesh.geometry.x.max(axis=0, initial=-np.inf), high, op=MPI.MAX)
    surfaces = {name: number for number, name in enumerate((*faces, "side"), start=1)}
    mesh.topology.create_connectivity(tdim - 1, tdim)
    outside = dolfinx.mesh.exterior_facet_indices(mesh.topology)
    middle = dolfinx.mesh.compute_midpoints(mesh, tdim - 1, outside)
    surface = np.full(outside.size, surfaces["side"], dtype=np.int32)
    for name, (axis, end) in faces.items():
        along = axis % mesh.geometry.dim
        surface[np.abs(middle[:, along] - (low, high)[end][along]) < TOLERANCE_NM] = surfaces[name]
    facets = dolfinx.mesh.meshtags(mesh, tdim - 1, outside, surface)
    return LabelledMesh(mesh, cells, facets, regions, surfaces)


def label_layers(mesh: dolfinx.mesh.Mesh, layers: Layers) -> LabelledMesh:
    """Name the parts of any DOLFINx mesh in nm by layers along its last coordinate z.

    ``layers`` maps a region's name to its (z0, z1); facets at the lowest z are "bottom", at the highest "top", the
    others "side". Collective. Raises MeshError where a cell lies in no layer, or in two.
    """
    across: list[Interval] = [None] * (mesh.geometry.dim - 1)
    return label_boxes(mesh, {name: [[*across, bounds]] for name, bounds in layers.items()})
