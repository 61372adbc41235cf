"""Tetrahedra: a triangulation of the plane (gmsh), fine in the core, extruded through the film stack."""

import importlib
from collections.abc import Mapping
from typing import Any

import dolfinx.io.gmsh
import dolfinx.mesh
import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from meshes.errors import MeshError
from meshes.labelled import LabelledMesh
from meshes.regions import label_layers


def layered_tetrahedra(
    x_nm: NDArray[np.float64],
    y_nm: NDArray[np.float64],
    z_nm: NDArray[np.float64],
    core_nm: tuple[float, float],
    layers: Mapping[str, tuple[float, float]],
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Tetrahedra between the outer ends of ``x_nm`` and ``y_nm``, as fine in the plane as these are locally.

    In the core rectangle 0..core_nm the nodes are those of the axes; every height in ``z_nm`` (nm) is a plane of faces,
    so layers, however thin, are exact. Made by gmsh on rank 0 and distributed over ``comm`` (default COMM_WORLD).
    Raises MeshError when gmsh cannot be loaded or fails.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    partitioner = dolfinx.mesh.create_cell_partitioner(dolfinx.mesh.GhostMode.shared_facet, 2)
    gmsh: Any = None
    failure = None
    if comm.rank == 0:
        try:
            gmsh = importlib.import_module("gmsh")
        except (ImportError, OSError) as error:
            failure = f"gmsh cannot be loaded ({error}); install the package gmsh and the system library libGLU"
    failure = comm.bcast(failure, root=0)
    if failure:
        raise MeshError(failure)
    try:
        if gmsh:
            try:
                gmsh.initialize(interruptible=False)
                gmsh.option.setNumber("General.Terminal", 0)
                gmsh.model.add("layered_tetrahedra")
                _build(gmsh, (x_nm, y_nm), z_nm, core_nm)
            except Exception as error:  # gmsh raises bare Exception
                failure = f"gmsh could not mesh the film stack: {error}"
        failure = comm.bcast(failure, root=0)
        if failure:
            raise MeshError(failure)
        mesh = dolfinx.io.gmsh.model_to_mesh(gmsh and gmsh.model, comm, 0, gdim=3, partitioner=partitioner).mesh
    finally:
        if gmsh:
            gmsh.finalize()
    return label_layers(mesh, layers)


def _build(
    gmsh: Any, axes: tuple[NDArray[np.float64], NDArray[np.float64]], z: NDArray[np.float64], core: tuple[float, float]
) -> None:
    """Draw the plane as up to 3 x 3 rectangles around the core, extrude it height by height, and mesh it."""
    geo = gmsh.model.geo
    x, y = (np.unique([axis[0], 0.0, length, axis[-1]]) for axis, length in zip(axes, core, strict=True))
    fine = float(min(np.diff(axis).min() for axis in axes))
    coarse = float(max(np.diff(axis).max() for axis in axes))

    def in_core(x0: float, y0: float) -> bool:
        return 0.0 <= x0 <= core[0] and 0.0 <= y0 <= core[1]

    points = [[geo.addPoint(a, b, float(z[0]), fine if in_core(a, b) else coarse) for b in y] for a in x]
    along_x = [[geo.addLine(points[i][j], points[i + 1][j]) for j in range(len(y))] for i in range(len(x) - 1)]
    along_y = [[geo.addLine(points[i][j], points[i][j + 1]) for j in range(len(y) - 1)] for i in range(len(x))]
    faces = []
    for i in range(len(x) - 1):
        for j in range(len(y) - 1):
            edges = [along_x[i][j], along_y[i + 1][j], -along_x[i][j + 1], -along_y[i][j]]
            faces.append(geo.addPlaneSurface([geo.addCurveLoop(edges)]))
            if in_core(x[i], y[j]) and in_core(x[i + 1], y[j + 1]):
                for k, edge in enumerate(edges):
                    axis, length = axes[k % 2], core[k % 2]
                    nodes = np.count_nonzero((axis >= 0.0) & (axis <= length))
                    geo.mesh.setTransfiniteCurve(abs(edge), int(nodes))
                geo.mesh.setTransfiniteSurface(faces[-1])
    fractions = ((z[1:] - z[0]) / (z[-1] - z[0])).tolist()
    solids = geo.extrude([(2, face) for face in faces], 0.0, 0.0, float(z[-1] - z[0]), [1] * len(fractions), fractions)
    geo.synchronize()
    gmsh.model.addPhysicalGroup(3, [tag for dim, tag in solids if dim == 3], 1)
    gmsh.model.mesh.generate(3)
