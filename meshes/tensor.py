"""Structured meshes on given node coordinates: rectangles in 2D, boxes of hexahedra in 3D."""

from collections.abc import Mapping, Sequence

import basix.ufl
import dolfinx.mesh
import numpy as np
import ufl
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

from meshes.errors import MeshError
from meshes.labelled import LabelledMesh

Layers = Mapping[str, tuple[float, float]]
SURFACES = {"bottom": 1, "top": 2, "side": 3}
_TOLERANCE_NM = 1e-6


def tensor_box(
    x_nm: ArrayLike, y_nm: ArrayLike, z_nm: ArrayLike, layers: Layers, comm: MPI.Comm | None = None
) -> LabelledMesh:
    """Hexahedra on the given node coordinates (nm), cut into named layers along z.

    ``layers`` maps a region's name to its (z0, z1) in nm; every bound must be one of ``z_nm`` and the layers must fill
    the height without gap or overlap. Surfaces: "bottom" (lowest z), "top" (highest z), "side". ``comm`` defaults to
    COMM_WORLD; the mesh is made on rank 0 and distributed. Raises MeshError naming the axis or layer that is wrong.
    """
    return _tensor({"x_nm": x_nm, "y_nm": y_nm, "z_nm": z_nm}, layers, comm)


def tensor_rectangle(x_nm: ArrayLike, z_nm: ArrayLike, layers: Layers, comm: MPI.Comm | None = None) -> LabelledMesh:
    """Quadrilaterals on the given node coordinates (nm) in the plane (x, z), layered along z as in tensor_box."""
    return _tensor({"x_nm": x_nm, "z_nm": z_nm}, layers, comm)


def _tensor(axes: Mapping[str, ArrayLike], layers: Layers, comm: MPI.Comm | None) -> LabelledMesh:
    comm = MPI.COMM_WORLD if comm is None else comm
    nodes = [_axis(name, values) for name, values in axes.items()]
    _check_layers(layers, nodes[-1])
    dim = len(nodes)
    shape = "hexahedron" if dim == 3 else "quadrilateral"
    element = ufl.Mesh(basix.ufl.element("Lagrange", shape, 1, shape=(dim,)))
    if comm.rank == 0:
        points = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, dim)
        cells = _cells([len(n) for n in nodes])
    else:
        points, cells = np.empty((0, dim)), np.empty((0, 2**dim), dtype=np.int64)
    partitioner = dolfinx.mesh.create_cell_partitioner(dolfinx.mesh.GhostMode.shared_facet, 2)
    mesh = dolfinx.mesh.create_mesh(comm, cells, element, points, partitioner=partitioner)
    return label_layers(mesh, layers)


def label_layers(mesh: dolfinx.mesh.Mesh, layers: Layers) -> LabelledMesh:
    """Name the parts of any DOLFINx mesh in nm: cells by the layer of their midpoint, exterior facets by height.

    ``layers`` maps a region's name to its (z0, z1), z the last coordinate; facets at the lowest bound are "bottom",
    at the highest "top", the others "side". Collective. Raises MeshError when a cell lies in no layer.
    """
    tdim = mesh.topology.dim
    up = mesh.geometry.dim - 1
    regions = {name: number for number, name in enumerate(layers, start=1)}
    cell_map = mesh.topology.index_map(tdim)
    local = np.arange(cell_map.size_local + cell_map.num_ghosts, dtype=np.int32)
    height = dolfinx.mesh.compute_midpoints(mesh, tdim, local)[:, up]
    tags = np.zeros(local.size, dtype=np.int32)
    for name, (z0, z1) in layers.items():
        tags[(height > z0) & (height < z1)] = regions[name]
    if mesh.comm.allreduce(bool(np.any(tags == 0)), op=MPI.LOR):
        raise MeshError(f"some cells lie in none of the layers {', '.join(layers)}: these must fill the mesh")
    cells = dolfinx.mesh.meshtags(mesh, tdim, local, tags)
    z_min, z_max = (pick(z for bounds in layers.values() for z in bounds) for pick in (min, max))

    mesh.topology.create_connectivity(tdim - 1, tdim)
    outside = dolfinx.mesh.exterior_facet_indices(mesh.topology)
    height = dolfinx.mesh.compute_midpoints(mesh, tdim - 1, outside)[:, up]
    surface = np.full(outside.size, SURFACES["side"], dtype=np.int32)
    surface[np.abs(height - z_min) < _TOLERANCE_NM] = SURFACES["bottom"]
    surface[np.abs(height - z_max) < _TOLERANCE_NM] = SURFACES["top"]
    facets = dolfinx.mesh.meshtags(mesh, tdim - 1, outside, surface)
    return LabelledMesh(mesh, cells, facets, regions, dict(SURFACES))


def _axis(name: str, values: ArrayLike) -> NDArray[np.float64]:
    nodes = np.asarray(values, dtype=np.float64)
    if nodes.ndim != 1 or nodes.size < 2 or not np.all(np.isfinite(nodes)):
        raise MeshError(f"{name} must be a list of at least two finite node coordinates, got shape {nodes.shape}")
    steps = np.diff(nodes)
    if not np.all(steps > _TOLERANCE_NM):
        k = int(np.argmin(steps))
        raise MeshError(f"{name} must rise by more than {_TOLERANCE_NM} nm from node to node; "
                        f"nodes {k} and {k + 1} are {nodes[k]!r} and {nodes[k + 1]!r}")  # fmt: skip
    return nodes


def _check_layers(layers: Layers, z: NDArray[np.float64]) -> None:
    if not layers:
        raise MeshError("layers is empty; give at least one region name with its (z0, z1) in nm")
    for name, bounds in layers.items():
        if len(bounds) != 2 or not bounds[1] > bounds[0]:
            raise MeshError(f"layer {name!r} must have z1 > z0, got {bounds!r} nm")
        for bound in bounds:
            nearest = float(z[np.argmin(np.abs(z - bound))])
            if abs(nearest - bound) > _TOLERANCE_NM:
                raise MeshError(f"layer {name!r}: its bound {bound!r} nm is not a node of z_nm (nearest {nearest!r})")
    ordered = sorted(layers.items(), key=lambda item: item[1][0])
    edge, below = float(z[0]), "the lowest node"
    for name, (z0, z1) in ordered:
        if abs(z0 - edge) > _TOLERANCE_NM:
            raise MeshError(f"layer {name!r} starts at {z0!r} nm but {below} ends at {edge!r} nm: "
                            "the layers must fill the height without gap or overlap")  # fmt: skip
        edge, below = z1, f"layer {name!r}"
    if abs(edge - float(z[-1])) > _TOLERANCE_NM:
        raise MeshError(f"{below} ends at {edge!r} nm but the highest node is at {float(z[-1])!r} nm")


def _cells(counts: Sequence[int]) -> NDArray[np.int64]:
    """Nodes of every cell (cells, 2**dim) in DOLFINx's tensor order (first axis fastest)."""
    dim = len(counts)
    strides = [int(np.prod(counts[k + 1 :])) for k in range(dim)]
    first = np.zeros([1] * dim, dtype=np.int64)
    for k, (count, stride) in enumerate(zip(counts, strides, strict=True)):
        shape = [1] * dim
        shape[k] = count - 1
        first = first + (np.arange(count - 1, dtype=np.int64) * stride).reshape(shape)
    corners = [sum(stride for k, stride in enumerate(strides) if corner >> k & 1) for corner in range(2**dim)]
    return first.reshape(-1, 1) + np.asarray(corners, dtype=np.int64)
