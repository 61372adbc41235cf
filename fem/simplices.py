"""Gradients, volumes and weights of the simplices of one region, for explicit steps that run over them."""

from dataclasses import dataclass

import dolfinx.fem
import numpy as np
from numpy.typing import NDArray

from fem.cell import Cell, region_cells
from fem.errors import FemError
from fem.halo import Halo

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Simplices:
    """First-order elements on the owned cells of one region of a mesh of simplices.

    ``dofs`` (cells, dim + 1) are local; ``gradient`` (cells, dim + 1, dim) of each node's basis function in 1/nm;
    ``measure`` (cells,) in nm^dim, ``share`` (cells, dim + 1) its part of each node; ``volume`` (local dofs,) the sum
    of the shares over the region. On an axisymmetric cell all are weighted by 2 pi r, hence in nm^3. ``stiffest``
    (local dofs,): diagonal of -laplacian by lumped volumes, 1/nm^2, 0 outside the region.
    """

    dim: int
    axisymmetric: bool
    dofs: NDArray[np.int32]
    gradient: Array
    measure: Array
    share: Array
    volume: Array
    stiffest: Array
    x_nm: Array
    halo: Halo

    @property
    def metres(self) -> float:
        """Cubic metres a unit of ``volume``; on a plane or a line of one metre (or square metre) across."""
        return 1e-27 if self.axisymmetric else 1e-9**self.dim


def simplices(cell: Cell, region: str, space: dolfinx.fem.FunctionSpace, halo: Halo) -> Simplices:
    """The elements of ``region`` in the first-order ``space``; collective.

    Raises FemError for an unknown region, cells that are no simplices, or a flat cell.
    """
    mesh = cell.mesh
    dim = mesh.topology.dim
    kind = mesh.topology.cell_type.name
    if kind not in ("interval", "triangle", "tetrahedron"):
        raise FemError(f"the mesh must be made of simplices, not of cells of type {kind!r}")
    cells = region_cells(cell, region)
    dofs = np.asarray(space.dofmap.list, dtype=np.int32)[cells]
    corners = mesh.geometry.x[np.asarray(mesh.geometry.dofmaps[0])[cells], :dim]
    edges = corners[:, 1:] - corners[:, :1]
    determinant = np.abs(np.linalg.det(edges)) if cells.size else np.empty(0)
    if not np.all(determinant > 0.0):
        raise FemError(f"region {region!r}: cell {int(cells[np.argmin(determinant)])} of the mesh is flat")
    inner = np.swapaxes(np.linalg.inv(edges), 1, 2)
    gradient = np.concatenate([-inner.sum(axis=1, keepdims=True), inner], axis=1)
    factorial = (1.0, 1.0, 2.0, 6.0)[dim]
    measure = determinant / factorial
    share = np.repeat(measure[:, None] / (dim + 1), dim + 1, axis=1)
    axisymmetric = bool(getattr(cell, "axisymmetric", False))
    if axisymmetric:
        if dim != 2:
            raise FemError(f"an axisymmetric mesh has two dimensions (r, z), got {dim}")
        r = corners[:, :, 0]
        share = 2.0 * np.pi * measure[:, None] * (r.sum(axis=1, keepdims=True) + r) / 12.0  # integral of r phi
        measure = share.sum(axis=1)
    volume = halo.accumulate(_total(dofs, share, halo.local))
    diagonal = halo.accumulate(_total(dofs, measure[:, None] * (gradient**2).sum(axis=2), halo.local))
    stiffest = np.divide(diagonal, volume, out=np.zeros_like(volume), where=volume > 0.0)
    x_nm = np.asarray(space.tabulate_dof_coordinates())[: halo.local]
    return Simplices(dim, axisymmetric, dofs, gradient, measure, share, volume, stiffest, x_nm, halo)


def _total(dofs: NDArray[np.int32], values: Array, count: int) -> Array:
    """Sums (count,) of the values of cells' corners at their dofs; floats also on a rank without a cell."""
    return np.bincount(dofs.ravel(), values.ravel(), count).astype(np.float64)
