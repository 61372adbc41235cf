"""Parametric geometries: builders that return a mesh (in nm) with named regions and surfaces."""

import contextlib

with contextlib.suppress(ImportError):  # the PyPI build of DOLFINx; conda, Spack and Debian builds do without
    import dolfinx_solver  # noqa: F401

from meshes.errors import MeshError
from meshes.filament import KINDS, filament_cell
from meshes.grading import graded
from meshes.interfaces import split
from meshes.labelled import Interface, LabelledMesh
from meshes.regions import ENDS, Box, label_boxes, label_layers
from meshes.tensor import tensor_box, tensor_boxes, tensor_rectangle

__all__ = [
    "ENDS",
    "KINDS",
    "Box",
    "Interface",
    "LabelledMesh",
    "MeshError",
    "filament_cell",
    "graded",
    "label_boxes",
    "label_layers",
    "split",
    "tensor_box",
    "tensor_boxes",
    "tensor_rectangle",
]
