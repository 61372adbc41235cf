"""Parametric geometries: builders that return a mesh (in nm) with named regions and surfaces."""

import contextlib

with contextlib.suppress(ImportError):  # the PyPI build of DOLFINx; conda, Spack and Debian builds do without
    import dolfinx_solver  # noqa: F401

from meshes.array import pcm_array
from meshes.catalogue import GEOMETRIES, build, defaults, summary
from meshes.ecram import ecram_lateral, ecram_stack, ecram_vertical, ecram_vertical_3d
from meshes.errors import MeshError
from meshes.filament import KINDS, filament_cell
from meshes.grading import graded
from meshes.interfaces import split
from meshes.labelled import Interface, LabelledMesh
from meshes.line import line_cell, line_cell_3d
from meshes.msh import msh_path, write_msh
from meshes.mushroom import mushroom, mushroom_3d
from meshes.pillar import pillar
from meshes.polycrystal import CLASSES, Polycrystal
from meshes.polycrystal_cells import Located
from meshes.polycrystal_geometries import bicrystal, bicrystal_3d, equiaxed, polycrystal, polycrystal_3d
from meshes.polycrystal_mesh import boundary_numbers, grain_grid, grain_mesh, label_grains
from meshes.quality import Quality, RegionQuality, quality
from meshes.regions import ENDS, Box, label_boxes, label_layers
from meshes.simplices import Simplices, gather
from meshes.tensor import tensor_box, tensor_boxes, tensor_rectangle

__all__ = [
    "CLASSES",
    "ENDS",
    "GEOMETRIES",
    "KINDS",
    "Box",
    "Interface",
    "LabelledMesh",
    "Located",
    "MeshError",
    "Polycrystal",
    "Quality",
    "RegionQuality",
    "Simplices",
    "bicrystal",
    "bicrystal_3d",
    "boundary_numbers",
    "build",
    "defaults",
    "ecram_lateral",
    "ecram_stack",
    "ecram_vertical",
    "ecram_vertical_3d",
    "equiaxed",
    "filament_cell",
    "gather",
    "graded",
    "grain_grid",
    "grain_mesh",
    "label_boxes",
    "label_grains",
    "label_layers",
    "line_cell",
    "line_cell_3d",
    "msh_path",
    "mushroom",
    "mushroom_3d",
    "pcm_array",
    "pillar",
    "polycrystal",
    "polycrystal_3d",
    "quality",
    "split",
    "summary",
    "tensor_box",
    "tensor_boxes",
    "tensor_rectangle",
    "write_msh",
]
