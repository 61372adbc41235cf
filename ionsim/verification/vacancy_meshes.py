"""Meshes on grid lines for the cases of oxygen vacancies: boxes of right-angled simplices, named by their place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import meshes
from meshes.grids import mesh_grid
from meshes.shapes import plane

Array = NDArray[np.float64]
Box = Sequence[tuple[float, float]]


def grid(
    lines_nm: Sequence[Array], regions: Mapping[str, Box] | Sequence[tuple[str, Box]], axisymmetric: bool = False,
    comm: MPI.Comm | None = None,
) -> meshes.LabelledMesh:  # fmt: skip
    """Boxes of ``regions`` on grid lines along each axis; surfaces "bottom" and "top" (last axis), "left" (first).

    Distributed over ``comm`` (default: this rank alone).
    """
    boxes = list(regions.items()) if isinstance(regions, Mapping) else list(regions)
    last = len(lines_nm) - 1
    surfaces = {"bottom": plane(last, lines_nm[-1][0]), "top": plane(last, lines_nm[-1][-1])}
    if last:
        surfaces["left"] = plane(0, lines_nm[0][0])
    named = mesh_grid(lines_nm, boxes, surfaces, comm=MPI.COMM_SELF if comm is None else comm)
    return replace(named, axisymmetric=axisymmetric)
