"""The operator -div(c grad u) with a number c per cell, plus conductors (bonds) between any two nodes.

K = sum over cells of c K_cell + B^T G B. Both parts are networks of conductances: K_cell by fem.elements, the bonds
as given. Currents and powers are sums over the conductors, so they are conservative to rounding, and no large terms
cancel where the potential is nearly constant.
"""

import dolfinx.fem
import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from fem.elements import cell_network
from fem.errors import FemError
from fem.halo import Halo

Array = NDArray[np.float64]


class Conductance:
    """A symmetric operator between nodal arrays: potential -> current (V -> A) or temperature -> heat (K -> W).

    The mesh is in nm and the coefficient in S/m or W/(m K), so a conductance is scale = (1e-9)**(dim - 2) times that:
    S or W/K in 3D; in 2D everything is per metre of depth. Nodal arrays have shape (local dofs,), owned then ghosts.
    """

    def __init__(self, space: dolfinx.fem.FunctionSpace) -> None:
        network = cell_network(space)
        self.space = space
        self.halo = Halo(space)
        dim = space.mesh.topology.dim
        low = np.minimum(network.tail, network.head).astype(np.int64)
        high = np.maximum(network.tail, network.head).astype(np.int64)
        pairs, edge = np.unique(low * self.halo.local + high, return_inverse=True)
        self.tail = (pairs // self.halo.local).astype(np.int32)
        self.head = (pairs % self.halo.local).astype(np.int32)
        # As a sparse matrix: the same differences to the last bit, in a seventh of the time of indexing twice.
        ends = np.stack([self.tail, self.head], axis=1).ravel()
        signs, rows = np.tile([1.0, -1.0], pairs.size), np.arange(0, ends.size + 1, 2, dtype=np.int32)
        self._differences = scipy.sparse.csr_array((signs, ends, rows), shape=(pairs.size, self.halo.local))
        self._net = self._differences.T.tocsr()
        self._ends_of = abs(self._net)
        self.cell_count = int(network.dofs.shape[0])
        self._weights = scipy.sparse.csr_array(
            (network.weight * 1e-9 ** (dim - 2), (edge, network.cell)), shape=(pairs.size, self.cell_count)
        )
        self._volumes_m = network.volumes * 1e-9**dim
        self._cell_dofs = network.dofs
        self.edges = np.zeros(pairs.size)
        self.version = 0  # counts changes of the operator
        self.bond_version = 0  # counts changes of the bonds
        self.cell_version = 0  # counts changes of the coefficient
        self._ends = np.empty(0, dtype=np.int64)
        self.set_bonds((), (), ())

    def set_coefficient(self, values: ArrayLike) -> None:
        """Set c, (owned cells,), in S/m or W/(m K)."""
        coefficient = np.asarray(values, dtype=np.float64)
        if coefficient.shape != (self.cell_count,):
            raise FemError(f"the coefficient must have shape ({self.cell_count},), one value per owned cell, "
                           f"got {coefficient.shape}")  # fmt: skip
        self.edges = self._weights @ coefficient
        self.version += 1
        self.cell_version += 1

    def set_bonds(self, i: ArrayLike, j: ArrayLike, g: ArrayLike) -> None:
        """Replace all bonds by conductors g (bonds,) in S (or W/K) between the global dofs i and j (bonds,).

        Collective; every rank gives the same arrays. Number and pairs may change at every call. Parallel bonds add.
        Raises FemError for arrays of different length, a dof out of range, a loop, or a conductance below zero.
        """
        first, second = (np.atleast_1d(np.asarray(end, dtype=np.int64)) for end in (i, j))
        value = np.atleast_1d(np.asarray(g, dtype=np.float64))
        if not first.shape == second.shape == value.shape or value.ndim != 1:
            raise FemError(f"bonds need three lists of one length, got {first.shape}, {second.shape} and {value.shape}")
        if value.size:
            ends = np.concatenate([first, second])
            if ends.min() < 0 or ends.max() >= self.halo.size:
                bad = ends[(ends < 0) | (ends >= self.halo.size)][0]
                raise FemError(f"bond to dof {bad}: allowed are the global dofs 0 .. {self.halo.size - 1}")
            if not np.all(np.isfinite(value)) or value.min() < 0.0:
                bad = int(np.flatnonzero(~(np.isfinite(value) & (value >= 0.0)))[0])
                raise FemError(f"bond {bad}: its conductance must be finite and not negative, got {value[bad]!r}")
            if np.any(first == second):
                bad = int(np.flatnonzero(first == second)[0])
                raise FemError(f"bond {bad} connects dof {first[bad]} with itself (two sites on one node: the mesh is "
                               "too coarse for them)")  # fmt: skip
        self.bond_i, self.bond_j, self.bond_g = first, second, value
        self._ends, position = np.unique(np.concatenate([first, second]), return_inverse=True)
        self._end_i, self._end_j = position[: value.size], position[value.size :]
        local = self._ends - self.halo.start
        self._end_owned = np.flatnonzero((local >= 0) & (local < self.halo.owned))
        self._end_local = local[self._end_owned]
        self.version += 1
        self.bond_version += 1

    def capacity(self, values: ArrayLike) -> Array:
        """Lumped capacity (local dofs,) in J/K of a heat capacity (owned cells,) in J/(m3 K); collective."""
        share = np.asarray(values, dtype=np.float64)[:, None] * self._volumes_m
        return self.halo.accumulate(np.bincount(self._cell_dofs.ravel(), share.ravel(), self.halo.local))

    def cell_mean(self, u: Array) -> Array:
        """Values (owned cells,) of a nodal array at the cells' centres: the mean of each cell's nodes."""
        return u[self._cell_dofs].mean(axis=1)

    def difference(self, u: Array) -> Array:
        """u_tail - u_head (edges,) over this rank's edges."""
        return np.asarray(self._differences @ u)

    def bond_difference(self, u: Array) -> Array:
        """u_i - u_j (bonds,) on every rank; collective."""
        ends = self.halo.gather(u, self._ends)
        return ends[self._end_i] - ends[self._end_j]

    def apply(self, u: Array) -> Array:
        """K u (local dofs,): the net current that leaves each node; collective."""
        return self._leaving(u, self.edges * self.difference(u))

    def apply_and_power(self, u: Array) -> tuple[Array, Array]:
        """:meth:`apply` and :meth:`nodal_power` of one array, for little more than one of them; collective."""
        across = self.difference(u)
        flow = self.edges * across
        power = self.halo.accumulate(np.asarray(self._ends_of @ (0.5 * flow * across)))
        return self._leaving(u, flow), power

    def _leaving(self, u: Array, flow: Array) -> Array:
        result = self.halo.accumulate(np.asarray(self._net @ flow))
        if self.bond_g.size:
            flow = self.bond_g * self.bond_difference(u)
            self._add_to_ends(result, flow, -flow)
            self.halo.update(result)
        return result

    def energy(self, u: Array) -> float:
        """u^T K u: the total power (W for a potential); collective."""
        power = self.halo.total(float((self.edges * self.difference(u) ** 2).sum()))  # not dot: BLAS threads cost more
        return power + float(self.bond_power(u).sum())

    def nodal_power(self, u: Array) -> Array:
        """Power (local dofs,) dissipated in the cells, half of each conductor's at either end; collective.

        Equals u (K u) - K (u u) / 2 for the cells' part of K. Its sum with ``bond_power`` is ``energy``.
        """
        return self.halo.accumulate(np.asarray(self._ends_of @ (0.5 * self.edges * self.difference(u) ** 2)))

    def bond_power(self, u: Array) -> Array:
        """Power g (u_i - u_j)^2 (bonds,) dissipated in each bond, on every rank; collective."""
        return self.bond_g * self.bond_difference(u) ** 2

    def deposit_bonds(self, values: ArrayLike) -> Array:
        """Nodal array (local dofs,) with half of each bond's value (bonds,) at either end; collective."""
        half = 0.5 * np.asarray(values, dtype=np.float64)
        result = np.zeros(self.halo.local)
        self._add_to_ends(result, half, half)
        return self.halo.update(result)

    def diagonal(self) -> Array:
        """This rank's part of the diagonal of the cells' operator (local dofs,), not yet summed over ranks."""
        return np.asarray(self._ends_of @ self.edges)

    def _add_to_ends(self, result: Array, at_i: Array, at_j: Array) -> None:
        count = self._ends.size
        total = np.bincount(self._end_i, at_i, count) + np.bincount(self._end_j, at_j, count)
        result[self._end_local] += total[self._end_owned]
