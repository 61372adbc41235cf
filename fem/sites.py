"""Points (lattice sites) on a mesh: sampling of nodal fields and conservative deposit of charge or heat."""

from typing import Protocol

import dolfinx.fem
import numpy as np
import scipy.sparse
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from fem.errors import FemError, unknown_name
from fem.halo import Halo
from fem.locate import containing_cells

Array = NDArray[np.float64]
KINDS = ("nearest", "linear")


class HasSpace(Protocol):
    """Any problem of this package: it knows its space."""

    @property
    def space(self) -> dolfinx.fem.FunctionSpace: ...


def inside_mesh(space: dolfinx.fem.FunctionSpace, points_nm: ArrayLike) -> NDArray[np.bool_]:
    """Which of the points (n, dim) in nm lie in the mesh; the same on every rank, collective."""
    points = np.asarray(points_nm, dtype=np.float64)
    hits = np.bincount(containing_cells(space, points)[0], minlength=points.shape[0])
    if space.mesh.comm.size > 1:
        space.mesh.comm.Allreduce(MPI.IN_PLACE, hits)
    return np.asarray(hits > 0)

class SiteOperator:
    """A fixed sparse operator P (sites, dofs) between nodal arrays and points (sites, dim) in nm.

    ``kind`` "nearest": a site is its nearest node; "linear": the site's cell interpolates. Every site counts once
    in all, whatever the number of ranks; results for sites are the same on every rank. All points must lie in the
    mesh: FemError gives the number outside and the first. Construction and all methods are collective.
    """

    def __init__(self, space: dolfinx.fem.FunctionSpace | HasSpace, points_nm: ArrayLike, kind: str = "linear") -> None:
        if kind not in KINDS:
            raise unknown_name("kind of site operator", kind, KINDS)
        self.space = space if isinstance(space, dolfinx.fem.FunctionSpace) else space.space
        dim = self.space.mesh.topology.dim
        points = np.asarray(points_nm, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != dim or not np.all(np.isfinite(points)):
            raise FemError(f"points_nm must be finite and have shape (sites, {dim}), got shape {points.shape}")
        self.kind = kind
        self.count = points.shape[0]
        self._halo = Halo(self.space)
        point, cell, reference = containing_cells(self.space, points)
        hits = self._sum(np.bincount(point, minlength=self.count).astype(np.float64))
        if np.any(hits == 0.0):
            outside = np.flatnonzero(hits == 0.0)
            raise FemError(f"{outside.size} of {self.count} points lie outside the mesh, the first is number "
                           f"{outside[0]} at {points[outside[0]].tolist()} nm")  # fmt: skip
        self._found = point, cell, reference, hits
        self._gradient: scipy.sparse.csr_array | None = None
        if kind == "linear":
            self._dofs: NDArray[np.int64] | None = None
            self._rows = self._linear_rows(point, cell, reference)
        else:
            self._dofs = self._nearest(points)
            local = self._dofs - self._halo.start
            mine = np.flatnonzero((local >= 0) & (local < self._halo.owned))
            self._rows = self._sparse(np.ones(mine.size), mine, local[mine])

    @property
    def dofs(self) -> NDArray[np.int64]:
        """Global dof of each site (sites,), the same on every rank; for kind "nearest" only."""
        if self._dofs is None:
            raise FemError("a site operator of kind 'linear' has no single dof per site; use kind='nearest'")
        return self._dofs

    def sample(self, u: ArrayLike | dolfinx.fem.Function) -> Array:
        """Values (sites,) of a nodal array (local dofs,) or Function at the sites, on every rank."""
        return self._sum(self._rows @ self._nodal(u))

    def gradient(self, u: ArrayLike | dolfinx.fem.Function) -> Array:
        """Gradient (sites, dim), per nm, at the sites; the mean over the cells where a site lies on their boundary."""
        if self._gradient is None:  # few ask for it
            self._gradient = self._gradient_rows(*self._found)
        flat = self._sum(self._gradient @ self._nodal(u))
        return flat.reshape(self.space.mesh.topology.dim, self.count).T.copy()

    def deposit(self, q: ArrayLike) -> Array:
        """Nodal array (local dofs,) of amounts q (sites,) given on every rank; the total is kept: P^T q."""
        values = np.asarray(q, dtype=np.float64)
        if values.shape != (self.count,):
            raise FemError(f"deposit needs one value per site, shape ({self.count},), got {values.shape}")
        return self._halo.accumulate(deposit_rows(self._rows, values))

    def _nodal(self, u: ArrayLike | dolfinx.fem.Function) -> Array:
        array = np.asarray(u.x.array if isinstance(u, dolfinx.fem.Function) else u, dtype=np.float64)
        if array.shape != (self._halo.local,):
            raise FemError(f"a nodal array of this space has shape ({self._halo.local},), got {array.shape}")
        return array

    def _sum(self, values: Array) -> Array:
        if self._halo.comm.size > 1:
            self._halo.comm.Allreduce(MPI.IN_PLACE, values)
        return values

    def _sparse(
        self, values: Array, rows: NDArray[np.int64], columns: NDArray[np.int64], blocks: int = 1
    ) -> scipy.sparse.csr_array:
        return scipy.sparse.csr_array((values, (rows, columns)), shape=(blocks * self.count, self._halo.local))

    def _table(self, reference: Array) -> Array:
        return np.asarray(self.space.element.basix_element.tabulate(1, reference)[..., 0])

    def _linear_rows(
        self, point: NDArray[np.int64], cell: NDArray[np.int32], reference: Array
    ) -> scipy.sparse.csr_array:
        """One cell of one rank for each site: the lowest rank's first."""
        comm = self._halo.comm
        owner = np.full(self.count, comm.size, dtype=np.int64)
        owner[point] = comm.rank
        if comm.size > 1:
            comm.Allreduce(MPI.IN_PLACE, owner, op=MPI.MIN)
        sites, first = np.unique(point, return_index=True)
        first = first[owner[sites] == comm.rank]
        values = self._table(reference[first])[0]
        dofs = np.asarray(self.space.dofmap.list)[cell[first]]
        rows = np.repeat(point[first], dofs.shape[1])
        return self._sparse(values.ravel(), rows, dofs.ravel())

    def _gradient_rows(
        self, point: NDArray[np.int64], cell: NDArray[np.int32], reference: Array, hits: Array
    ) -> scipy.sparse.csr_array:
        mesh = self.space.mesh
        dim = mesh.topology.dim
        corners = mesh.geometry.x[np.asarray(mesh.geometry.dofmaps[0])[cell]][:, :, :dim]
        table = self._table(reference)[1:]
        inverse = np.linalg.inv(np.einsum("nai,jna->nij", corners, table))
        gradient = np.einsum("jna,nji->ina", table, inverse) / hits[point][None, :, None]
        dofs = np.asarray(self.space.dofmap.list)[cell]
        rows = np.repeat(point, dofs.shape[1])
        rows = np.concatenate([rows + k * self.count for k in range(dim)])
        return self._sparse(gradient.ravel(), rows, np.tile(dofs.ravel(), dim), dim)

    def _nearest(self, points: Array) -> NDArray[np.int64]:
        """Global dof of the node nearest to each point; of equally near ones the first in order of position."""
        halo = self._halo
        dim = points.shape[1]
        nodes = self.space.tabulate_dof_coordinates()[: halo.owned, :dim]
        gathered = halo.comm.allgather((nodes, halo.global_dofs[: halo.owned]))
        every = np.concatenate([part[0] for part in gathered])
        numbers = np.concatenate([part[1] for part in gathered])
        order = np.lexsort(np.round(every, 9).T)
        distance, candidates = cKDTree(every[order]).query(points, k=min(2**dim, every.shape[0]))
        if candidates.ndim == 1:
            candidates, distance = candidates[:, None], distance[:, None]
        tied = distance <= distance[:, :1] + 1e-9
        best = np.where(tied, candidates, every.shape[0]).min(axis=1)
        return np.asarray(numbers[order[best]], dtype=np.int64)


def deposit_rows(rows: scipy.sparse.csr_array, values: Array) -> Array:
    """rows^T values (n,) of ``rows`` (sites, n) and ``values`` (sites,), by those that are not 0: mostly few."""
    there = np.flatnonzero(values)
    chosen = rows[there]
    amounts = chosen.data * np.repeat(values[there], np.diff(chosen.indptr))
    return np.bincount(chosen.indices, amounts, rows.shape[1])
