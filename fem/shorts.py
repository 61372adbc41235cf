"""Very good conductors taken as short circuits: a starting guess where conductances differ by many decades.

A conductor that is 1e6 times better than what surrounds it is an equipotential to six digits, but in the energy norm
the smallest difference along it outweighs all the rest, and an iteration spends its steps on that. With its nodes made
one unknown the equations of the rest are left, which are harmless. Where current through the good conductors matters,
the iteration on all unknowns that follows finds it.
"""

import math
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from fem.conductance import Conductance
from fem.errors import FemError
from fem.krylov import Krylov, SolverSettings, reason_name
from fem.petsc import PETSc

Array = NDArray[np.float64]

#: The estimate of the error by incomplete Cholesky is too low by up to this factor where the error is smooth.
_CAUTION = 0.1
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

    def improve(self, u: Array, source: Array | None = None) -> bool:
        """Replace the guess ``u`` (local dofs,), which holds the fixed values; False, and as it is, for a short circuit
        between two different fixed values.

        The error is below rtol of the solution in the energy norm of the cells alone, since bonds that are no shorts
        may carry many times as much. Raises FemError when the iteration does not converge.
        """
        leader = self._leaders()
        held = np.full(u.size, np.nan)
        held[leader[self.fixed]] = u[self.fixed]
        if np.any(held[leader[self.fixed]] != u[self.fixed]):
            return False
        members = np.bincount(leader, minlength=u.size)
        mean = np.bincount(leader, u, u.size) / np.maximum(members, 1)
        value = np.where(np.isnan(held), mean, held)
        free = (members > 0) & np.isnan(held)
        matrix = self._matrix(leader, free)
        self._krylov.set_matrix(matrix, reuse=False)
        residual, correction = matrix.createVecLeft(), matrix.createVecRight()
        self.iterations = 0
        for _ in range(_RUNS):
            current = -self.operator.apply(value[leader])
            if source is not None:
                current += source
            residual.array[:] = np.where(free, np.bincount(leader, current, u.size), 0.0)
            target = self._target(value[leader])
            norm, count, reason = self._krylov.solve(residual, correction, target.__ge__, self.settings.max_iterations)
            self.iterations += count
            if reason < 0:
                raise FemError(f"linear solve with short circuits did not converge: {reason_name(reason)} after "
                               f"{self.iterations} iterations, error {norm:.3g}, wanted {target:.3g}")  # fmt: skip
            value = value + correction.array
            if norm <= self._target(value[leader]):
                break
        u[:] = value[leader]
        return True

    def _target(self, u: Array) -> float:
        cells = float((self.operator.edges * self.operator.difference(u) ** 2).sum())
        return _CAUTION * self.settings.rtol * math.sqrt(cells)

    def _leaders(self) -> NDArray[np.int64]:
        """(local dofs,) of each node the first one that it is shorted with: itself for most."""
        operator = self.operator
        edges, bonds = operator.edges > self.short_S, operator.bond_g > self.short_S
        first = np.concatenate([operator.tail[edges], operator.bond_i[bonds]])
        second = np.concatenate([operator.head[edges], operator.bond_j[bonds]])
        nodes = np.arange(self.fixed.size)
        shape = (nodes.size, nodes.size)
        graph = scipy.sparse.coo_array((np.ones(first.size, dtype=np.int8), (first, second)), shape=shape)
        count, label = connected_components(graph, directed=False)
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
