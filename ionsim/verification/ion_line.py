"""Meshes in 1D for the cases of ion transport: layers on given nodes, split between some of them."""

from collections.abc import Mapping, Sequence

import basix.ufl
import dolfinx.mesh
import numpy as np
import ufl
from mpi4py import MPI
from numpy.typing import ArrayLike

import meshes


def line(
    z_nm: ArrayLike, layers: Mapping[str, tuple[float, float]], split: Sequence[str] = ()
) -> meshes.LabelledMesh:
    """A line with the nodes ``z_nm`` (nm), ends "bottom" and "top", regions by (z0, z1), split at "first/second"."""
    z = np.asarray(z_nm, dtype=np.float64)[:, None]
    cells = np.stack([np.arange(len(z) - 1), np.arange(1, len(z))], axis=1)
    element = ufl.Mesh(basix.ufl.element("Lagrange", "interval", 1, shape=(1,)))
    mesh = dolfinx.mesh.create_mesh(MPI.COMM_SELF, cells, element, z)
    named = meshes.label_layers(mesh, dict(layers))
    return meshes.split(named, split) if split else named


def graded(first_nm: float, length_nm: float, growth: float = 1.1) -> np.ndarray:
    """Nodes from 0 to length_nm whose steps grow from about first_nm by the factor ``growth``."""
    count = int(np.ceil(np.log1p(length_nm / first_nm * (growth - 1.0)) / np.log(growth)))
    steps = growth ** np.arange(count)
    return np.concatenate([[0.0], np.cumsum(steps) * length_nm / steps.sum()])
