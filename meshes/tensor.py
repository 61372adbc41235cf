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
from meshes.regions import ENDS, TOLERANCE_NM, Boxes, Faces, Layers, label_boxes, label_layers


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


def tensor_boxes(
    x_nm: ArrayLike, y_nm: ArrayLike, z_nm: ArrayLike, boxes: Boxes, faces: Faces = ENDS, comm: MPI.Comm | None = None
) -> LabelledMesh:
    """Hexahedra on the given node coordinates (nm) whose regions are boxes, as :func:`meshes.label_boxes` names them.

    Every bound of a box must be a node of its axis. ``comm`` as in tensor_box. Raises MeshError naming the region.
    """
    axes = {"x_nm": x_nm, "y_nm": y_nm, "z_nm": z_nm}
    nodes = [_axis(name, values) for name, values in axes.items()]
    for name, parts in boxes.items():
        for box in parts:
            for axis, interval, at in zip(axes, box, nodes, strict=True):
                if interval is not None:
                    _check_bounds(f"region {name!r}", interval, axis, at)
    return label_boxes(_mesh(nodes, comm), boxes, faces)


def _tensor(axes: Mapping[str, ArrayLike], layers: Layers, comm: MPI.Comm | None) -> LabelledMesh:
    nodes = [_axis(name, values) for name, values in axes.items()]
    _check_layers(layers, nodes[-1])
    return label_layers(_mesh(nodes, comm), layers)


def _mesh(nodes: Sequence[NDArray[np.float64]], comm: MPI.Comm | None) -> dolfinx.mesh.Mesh:
    comm = MPI.COMM_WORLD if comm is None else comm
    dim = len(nodes)
    shape = "hexahedron" if dim == 3 else "quadrilateral"
    element = ufl.Mesh(basix.ufl.element("Lagrange", shape, 1, shape=(dim,)))
    if comm.rank == 0:
        points = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, dim)
        cells = _cells([len(n) for n in nodes])
    else:
        points, cells = np.empty((0, dim)), np.empty((0, 2**dim), dtype=np.int64)
    partitioner = dolfinx.mesh.create_cell_partitioner(dolfinx.mesh.GhostMode.shared_facet, 2)
    return dolfinx.mesh.create_mesh(comm, cells, element, points, partitioner=partitioner)


def _axis(name: str, values: ArrayLike) -> NDArray[np.float64]:
    nodes = np.asarray(values, dtype=np.float64)
    if nodes.ndim != 1 or nodes.size < 2 or not np.all(np.isfinite(nodes)):
        raise MeshError(f"{name} must be a list of at least two finite node coordinates, got shape {nodes.shape}")
    steps = np.diff(nodes)
    if not np.all(steps > TOLERANCE_NM):
        k = int(np.argmin(steps))
        raise MeshError(f"{name} must rise by more than {TOLERANCE_NM} nm from node to node; "
                        f"nodes {k} and {k + 1} are {nodes[k]!r} and {nodes[k + 1]!r}")  # fmt: skip
    return nodes


def _check_layers(layers: Layers, z: NDArray[np.float64]) -> None:
    if not layers:
        raise MeshError("layers is empty; give at least one region name with its (z0, z1) in nm")
    for name, bounds in layers.items():
        _check_bounds(f"layer {name!r}", bounds, "z_nm", z)
    ordered = sorted(layers.items(), key=lambda item: item[1][0])
    edge, below = float(z[0]), "the lowest node"
    for name, (z0, z1) in ordered:
        if abs(z0 - edge) > TOLERANCE_NM:
            raise MeshError(f"layer {name!r} starts at {z0!r} nm but {below} ends at {edge!r} nm: "
                            "the layers must fill the height without gap or overlap")  # fmt: skip
        edge, below = z1, f"layer {name!r}"
    if abs(edge - float(z[-1])) > TOLERANCE_NM:
        raise MeshError(f"{below} ends at {edge!r} nm but the highest node is at {float(z[-1])!r} nm")


def _check_bounds(what: str, bounds: tuple[float, float], axis: str, nodes: NDArray[np.float64]) -> None:
    if len(bounds) != 2 or not bounds[1] > bounds[0]:
        letter = axis[0]
        raise MeshError(f"{what} must have {letter}1 > {letter}0, got {bounds!r} nm")
    for bound in bounds:
        nearest = float(nodes[np.argmin(np.abs(nodes - bound))])
        if abs(nearest - bound) > TOLERANCE_NM:
            raise MeshError(f"{what}: its bound {bound!r} nm is not a node of {axis} (nearest {nearest!r})")


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
