"""Entries that ranks share: unknowns and nodes of which each belongs to one rank, others hold copies of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from mpi4py import MPI
from numpy.typing import NDArray

from fem.errors import FemError
from fem.halo import Halo
from fem.petsc import PETSc

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


class Shared:
    """Arrays (local,) of entries with the numbers ``index`` (local,) in all; free of cost on one rank.

    Each rank owns ``owned`` numbers, which follow those of the ranks before, and holds all of them. ``mine`` (owned,):
    where they are in its arrays, in the order of the numbers. Every method is collective.
    """

    def __init__(self, comm: MPI.Comm, index: Nodes, owned: int) -> None:
        self.comm, self.index, self.owned = comm, np.asarray(index, dtype=np.int64), owned
        self.alone = comm.size == 1
        counts = [owned] if self.alone else comm.allgather(owned)
        self.start, self.size = sum(counts[: comm.rank]), sum(counts)
        own = np.flatnonzero((self.index >= self.start) & (self.index < self.start + owned))
        self.mine: Nodes = own[np.argsort(self.index[own])]
        if not self.alone:
            self._vector = PETSc.Vec().createMPI((owned, self.size), comm=comm)
            self._local = PETSc.Vec().createSeq(self.index.size)
            source = PETSc.IS().createGeneral(self.index.astype(np.int32), comm=PETSc.COMM_SELF)
            self._scatter = PETSc.Scatter().create(self._vector, source, self._local, None)

    def accumulate(self, array: Array, first: int = 0) -> Array:
        """Sums over the ranks of what each has added up in its entries ``first`` and following (n,)."""
        if self.alone:
            return array
        self._local.array[:] = 0.0
        self._local.array[first : first + array.size] = array
        self._vector.zeroEntries()
        self._scatter.scatter(
            self._local, self._vector, addv=PETSc.InsertMode.ADD_VALUES, mode=PETSc.ScatterMode.REVERSE
        )
        self._forward()
        return np.array(self._local.array[first : first + array.size])

    def update(self, array: Array) -> Array:
        """The owners' values (local,) in the place of the copies."""
        return array if self.alone else self.spread(array[self.mine])

    def spread(self, owned: Array) -> Array:
        """Values (local,) from those (owned,) of the entries that each rank owns."""
        if self.alone:
            result = np.empty(self.index.size)
            result[self.mine] = owned
            return result
        self._vector.array[:] = owned
        self._forward()
        return np.array(self._local.array)

    def _forward(self) -> None:
        self._scatter.scatter(
            self._vector, self._local, addv=PETSc.InsertMode.INSERT_VALUES, mode=PETSc.ScatterMode.FORWARD
        )

    def dots(self, a: Array, *others: Array) -> list[float]:
        """Scalar products of one array (local,) with ``others``, every entry counted once."""
        if self.alone:
            return [float(a @ other) for other in others]
        total = np.array([a[self.mine] @ other[self.mine] for other in others])
        self.comm.Allreduce(MPI.IN_PLACE, total)
        return [float(value) for value in total]

    def dot(self, a: Array, b: Array) -> float:
        """Scalar product of two arrays (local,), every entry counted once."""
        return float(a @ b) if self.alone else float(self.comm.allreduce(float(a[self.mine] @ b[self.mine])))


class Reach(Shared):
    """Nodes (count,): the local dofs of ``halo``, then all that ``pairs`` join to these but that live elsewhere.

    ``pairs``: lists (n, 2) of global dofs across split interfaces, the same on every rank. Both nodes of a pair are
    here, or none. A pair belongs to the rank that owns its first node.
    """

    def __init__(self, halo: Halo, pairs: Sequence[Nodes]) -> None:
        self.halo, index = halo, halo.global_dofs
        every = np.concatenate([np.empty((0, 2), dtype=np.int64), *pairs])
        if halo.comm.size > 1 and every.size:
            ends, group = _groups(every)
            near = np.isin(group, group[np.isin(ends, index)])
            index = np.concatenate([index, np.setdiff1d(ends[near], index)])
        super().__init__(halo.comm, index, halo.owned)
        self.count = index.size
        self._order = np.argsort(index)

    def find(self, dofs: Nodes) -> Nodes:
        """Where global dofs (n,) are among the nodes, -1 for those that are not."""
        place = np.searchsorted(self.index, dofs, sorter=self._order)
        at = self._order[np.minimum(place, self.count - 1)] if self.count else np.zeros(dofs.size, dtype=np.int64)
        return np.where(self.index[at] == dofs, at, -1) if self.count else at - 1

    def here(self, pairs: Nodes, area: Array) -> tuple[Nodes, Array]:
        """Those pairs (m, 2) of global dofs that are here, as nodes, and their areas (m,)."""
        found = self.find(pairs.ravel()).reshape(-1, 2)
        used = np.all(found >= 0, axis=1)
        return found[used], area[used]

    def extend(self, array: Array) -> Array:
        """Values (count,) from a nodal array (local dofs,) whose ghosts are up to date."""
        if self.count == self.halo.local and self.alone:
            return array
        return self.spread(array[: self.halo.owned])

    def fold(self, array: Array) -> Array:
        """Nodal array (local dofs,) of the sums over the ranks of what each has added up (count,)."""
        return self.accumulate(array)[: self.halo.local]

    def roots(self, ties: Nodes) -> Nodes:
        """For each node (count,) the one with the lowest global dof of all that ``ties`` (n, 2), global, join it to."""
        root = np.arange(self.count)
        if ties.size:
            ends, group = _groups(ties)
            low = ends[np.unique(group, return_index=True)[1]]
            at = self.find(ends)
            root[at[at >= 0]] = self.find(low[group[at >= 0]])
        return root


def share_nodes(among: Halo | Reach, nodes: Nodes) -> Shared:
    """The unknowns of a problem with one at each of ``nodes`` (n,), ascending; collective."""
    comm = among.comm
    if comm.size == 1:
        return Shared(comm, np.arange(nodes.size), nodes.size)
    owned = int(np.count_nonzero(nodes < among.owned))
    start = sum(comm.allgather(owned)[: comm.rank])
    number = np.full(among.count if isinstance(among, Reach) else among.local, -1.0)
    number[nodes[:owned]] = start + np.arange(owned)
    return Shared(comm, among.update(number)[nodes].astype(np.int64), owned)


def _groups(pairs: Nodes) -> tuple[Nodes, Nodes]:
    """The numbers (n,) that occur in ``pairs`` (m, 2), ascending, and which group (n,) of joined ones each is in."""
    ends, position = np.unique(pairs, return_inverse=True)
    row, column = position.reshape(pairs.shape).T
    graph = scipy.sparse.coo_array((np.ones(row.size), (row, column)), shape=(ends.size, ends.size))
    _, group = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return ends, group.astype(np.int64)


class Factors:
    """A matrix over shared unknowns with a pattern that is given once, factored by MUMPS on all ranks together.

    ``row``, ``column`` (entries,): local numbers of the unknowns; entries with a -1 are left out, equal ones add up,
    also those of several ranks.
    """

    def __init__(self, shared: Shared, row: Sequence[Nodes] | Nodes, column: Sequence[Nodes] | Nodes) -> None:
        rows, columns = (np.concatenate(part) if isinstance(part, Sequence) else part for part in (row, column))
        used = (rows >= 0) & (columns >= 0)
        comm: Any = PETSc.COMM_SELF if shared.alone else shared.comm
        self._shared = shared
        self._matrix = PETSc.Mat().create(comm)
        self._matrix.setSizes(((shared.owned, shared.size),) * 2)
        self._matrix.setType(PETSc.Mat.Type.AIJ)
        index = (np.where(used, shared.index[part], -1).astype(np.int32) for part in (rows, columns))
        self._matrix.setPreallocationCOO(*index)
        self._right = PETSc.Vec().createMPI((shared.owned, shared.size), comm=comm)
        self._result = self._right.duplicate()
        self._solver = PETSc.KSP().create(comm)
        self._solver.setType("preonly")
        self._solver.getPC().setType("lu")
        self._solver.getPC().setFactorSolverType("mumps")

    def without_scaling(self) -> None:
        """Let MUMPS take the matrix as it is: its scaling of rows and columns costs a fifth, and digits."""
        self._solver.setOperators(self._matrix)
        self._solver.getPC().setFactorSetUpSolverType()
        self._solver.getPC().getFactorMatrix().setMumpsIcntl(8, 0)

    def set(self, values: Array) -> None:
        """Set the values (entries,) of the matrix; it is factored in the next ``solve``."""
        self._matrix.setValuesCOO(values)
        self._solver.setOperators(self._matrix)

    def solve(self, right: Array, what: str) -> Array:
        """Solution (local,) for a right-hand side (local,). Raises FemError about ``what`` if there is none."""
        self._right.array[:] = right if self._shared.alone else right[self._shared.mine]
        self._solver.solve(self._right, self._result)
        if int(self._solver.getConvergedReason()) < 0:
            self._solver.getPC().reset()
            raise FemError(f"the matrix of {what} is singular or not finite")
        if self._shared.alone:
            return np.array(self._result.array)
        return self._shared.spread(self._result.array)
