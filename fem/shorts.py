"""Very good conductors taken as short circuits: a starting guess where conductances differ by many decades.

A conductor that is 1e6 times better than what surrounds it is an equipotential to six digits, but in the energy norm
the smallest difference along it outweighs all the rest, and an iteration spends its steps on that. With its nodes made
one unknown the equations of the rest are left, which are harmless.

What is lost is known: the current that each node of a short takes up has to get to the others. Of all ways the true one
dissipates least (Thomson's principle), so the power on any way, here along a tree, is a bound of the error's energy.
Where it is too large, the iteration on all unknowns has to follow.
"""

import math
from typing import Any, Literal

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order, connected_components

from fem.conductance import Conductance
from fem.errors import FemError
from fem.krylov import Krylov, SolverSettings, reason_name
from fem.petsc import PETSc

Array = NDArray[np.float64]

#: The estimate of the error by incomplete Cholesky is too low by up to this factor (measured: 0.3 to 0.6).
_CAUTION = 0.3
_RUNS = 3


class Shorts:
    """Solves K u = source with the conductors above ``settings.short_S`` (S) as short circuits; on one rank.

    ``fixed`` (local dofs,): nodes whose values are given.
    """

    def __init__(
        self, operator: Conductance, fixed: NDArray[np.bool_], settings: SolverSettings, short_S: float
    ) -> None:
        self.operator, self.fixed, self.settings, self.short_S = operator, fixed, settings, short_S
        self._krylov = Krylov(operator.halo.comm, "icc")
        self.iterations = 0

    def improve(self, u: Array, source: Array | None = None) -> Literal["none", "guess", "solution"]:
        """Replace the guess ``u`` (local dofs,), which holds the fixed values, and say what it is now.

        "none": as it was, since a short circuit joins two different fixed values. "solution": its error is below rtol
        of the solution in the energy norm. "guess": so it is in the energy norm of the cells alone, but the shorts
        carry too much. Raises FemError when the iteration does not converge.
        """
        table = self._table()
        leader = self._leaders(table)
        held = np.full(u.size, np.nan)
        held[leader[self.fixed]] = u[self.fixed]
        if np.any(held[leader[self.fixed]] != u[self.fixed]):
            return "none"
        members = np.bincount(leader, minlength=u.size)
        mean = np.bincount(leader, u, u.size) / np.maximum(members, 1)
        value = np.where(np.isnan(held), mean, held)
        free = (members > 0) & np.isnan(held)
        value = self._relax(leader, value, free, source)
        u[:] = value[leader]
        lost = tree_power(table, self.fixed | (free & (members > 1)), self._entering(u, source))
        return "solution" if lost <= self.settings.rtol**2 * self.operator.energy(u) else "guess"

    def settle(self, u: Array, source: Array | None = None) -> None:
        """Correct ``u`` (local dofs,) at the nodes that no short touches, the others as they are.

        Where shorts carry the current, a tolerance for the energy of all says nothing about the rest, and here it has
        its own. Raises FemError when the iteration does not converge.
        """
        free = (np.diff(self._table().indptr) == 0) & ~self.fixed
        u[:] = self._relax(np.arange(u.size), u, free, source)

    def _relax(self, leader: NDArray[np.int64], value: Array, free: NDArray[np.bool_], source: Array | None) -> Array:
        """Values (local dofs,) of the leaders, corrected where ``free``, each node having that of its leader."""
        matrix = self._matrix(leader, free)
        self._krylov.set_matrix(matrix, reuse=False)
        residual, correction = matrix.createVecLeft(), matrix.createVecRight()
        self.iterations = 0
        for _ in range(_RUNS):
            entering = np.bincount(leader, self._entering(value[leader], source), leader.size)
            residual.array[:] = np.where(free, entering, 0.0)
            target = self._target(value[leader])
            norm, count, reason = self._krylov.solve(residual, correction, target.__ge__, self.settings.max_iterations)
            self.iterations += count
            if reason < 0:
                raise FemError(f"linear solve with short circuits did not converge: {reason_name(reason)} after "
                               f"{self.iterations} iterations, error {norm:.3g}, wanted {target:.3g}")  # fmt: skip
            value = value + correction.array
            if norm <= self._target(value[leader]):
                break
        return value

    def _entering(self, u: Array, source: Array | None) -> Array:
        """Current (local dofs,) that the conductors leave over at each node, A."""
        current = -self.operator.apply(u)
        return current if source is None else current + source

    def _target(self, u: Array) -> float:
        """The error to reach: a share of the energy in the cells that are no shorts."""
        edges = self.operator.edges
        cells = float((np.where(edges > self.short_S, 0.0, edges) * self.operator.difference(u) ** 2).sum())
        return _CAUTION * self.settings.rtol * math.sqrt(cells)

    def _table(self) -> scipy.sparse.csr_array:
        """Conductances (local dofs, local dofs) of the shorts, S."""
        operator = self.operator
        edges, bonds = operator.edges > self.short_S, operator.bond_g > self.short_S
        first = np.concatenate([operator.tail[edges], operator.bond_i[bonds]]).astype(np.int32)
        second = np.concatenate([operator.head[edges], operator.bond_j[bonds]]).astype(np.int32)
        values = np.concatenate([operator.edges[edges], operator.bond_g[bonds]])
        ends = (np.concatenate([first, second]), np.concatenate([second, first]))
        shape = (self.fixed.size, self.fixed.size)
        return scipy.sparse.coo_array((np.concatenate([values, values]), ends), shape=shape).tocsr()

    def _leaders(self, table: scipy.sparse.csr_array) -> NDArray[np.int64]:
        """(local dofs,) of each node the first one that it is shorted with: itself for most."""
        nodes = np.arange(self.fixed.size)
        count, label = connected_components(table, directed=False)
        leader = np.empty(count, dtype=np.int64)
        leader[label[::-1]] = nodes[::-1]
        return leader[label]

    def _matrix(self, leader: NDArray[np.int64], free: NDArray[np.bool_]) -> Any:
        """K between the free leaders; an identity, in the mean of its diagonal, for all other nodes."""
        operator, count = self.operator, leader.size
        first = leader[np.concatenate([operator.tail, operator.bond_i])]
        second = leader[np.concatenate([operator.head, operator.bond_j])]
        conductance = np.concatenate([operator.edges, operator.bond_g])
        apart = (first != second) & (free[first] | free[second])
        first, second, conductance = first[apart], second[apart], conductance[apart]
        diagonal = np.bincount(first, conductance, count) + np.bincount(second, conductance, count)
        diagonal[~free] = float(diagonal[free].mean()) if np.any(free) else 1.0
        inner = free[first] & free[second]
        first, second, conductance = first[inner], second[inner], conductance[inner]
        nodes = np.arange(count)
        rows = np.concatenate([first, second, nodes]).astype(np.int32)
        columns = np.concatenate([second, first, nodes]).astype(np.int32)
        values = np.concatenate([-conductance, -conductance, diagonal])
        whole = scipy.sparse.coo_array((values, (rows, columns)), shape=(count, count)).tocsr()
        matrix = PETSc.Mat().createAIJWithArrays(
            (count, count), (whole.indptr, whole.indices, whole.data), comm=operator.halo.comm
        )
        matrix.setOption(PETSc.Mat.Option.SPD, True)
        return matrix


def tree_power(table: scipy.sparse.csr_array, roots: NDArray[np.bool_], current: Array) -> float:
    """Power (W) of the currents (n,) in A that enter at the nodes and leave at the roots, along a tree to the nearest.

    ``table`` (n, n): conductances in S, symmetric; ``roots`` (n,): at least one node of every piece. Nodes without a
    conductor are left out.
    """
    count = roots.size
    starts = np.flatnonzero(roots & (np.diff(table.indptr) > 0))
    # One more node, beside all roots, from which the search begins.
    indptr = np.append(table.indptr, table.indptr[-1] + starts.size)
    indices, data = np.concatenate([table.indices, starts]), np.concatenate([table.data, np.ones(starts.size)])
    whole = scipy.sparse.csr_array((data, indices, indptr), shape=(count + 1, count + 1))
    order, before = breadth_first_order(whole, count, directed=True, return_predecessors=True)
    place = np.empty(count + 1, dtype=np.int64)
    place[order] = np.arange(order.size)
    parent = np.concatenate([[-1], place[before[order[1:]]]])  # rising, as the search goes level by level
    ends = [0, 1]
    while ends[-1] < order.size:
        ends.append(int(np.searchsorted(parent, ends[-1])))
    flow = np.append(current, 0.0)[order]
    for level in range(len(ends) - 2, 1, -1):
        inside = slice(ends[level], ends[level + 1])
        low, high = ends[level - 1], ends[level]
        flow[low:high] += np.bincount(parent[inside] - low, flow[inside], high - low)
    beyond = slice(ends[2], None) if len(ends) > 2 else slice(order.size, None)
    keys = np.repeat(np.arange(count), np.diff(table.indptr)) * count + table.indices
    wanted = order[beyond].astype(np.int64) * count + before[order[beyond]]
    return float((flow[beyond] ** 2 / table.data[np.searchsorted(keys, wanted)]).sum())
