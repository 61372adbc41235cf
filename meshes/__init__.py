"""Parametric geometries: builders that return a mesh (in nm) with named regions and surfaces."""

import contextlib

with contextlib.suppress(ImportError):  # the PyPI build of DOLFINx; conda, Spack and Debian builds do without
    import dolfinx_solver  # noqa: F401

from meshes.errors import MeshError
from meshes.filament import KINDS, filament_cell
from meshes.grading import graded
from meshes.labelled import LabelledMesh
from meshes.tensor import label_layers, tensor_box, tensor_rectangle

__all__ = [
    "KINDS",
    "LabelledMesh",
    "MeshError",
    "filament_cell",
    "graded",
    "label_layers",
    "tensor_box",
    "tensor_rectangle",
]
