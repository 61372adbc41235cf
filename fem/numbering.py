"""Which unknown of a linear system each node's value is: fixed values and ties are condensed out.

Several nodes may share one unknown (both sides of a perfect contact), all nodes of a driven surface share the terminal
voltage, which is the last unknown, and nodes of fixed surfaces have none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray

from fem.errors import FemError
from fem.halo import Halo
from fem.petsc import PETSc

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


def roots(halo: Halo, marks: Mapping[str, NDArray[np.int32]], ties: Nodes) -> Nodes:
    """For every local dof the global dof whose value it takes, or -1-k when that is set by the k-th of ``marks``.

    ``marks`` maps a name to local dofs, ghosts included; the first that holds a dof has it. ``ties`` (n, 2) are pairs
    of global dofs, the same on every rank. Raises FemError where ties join two marks. Collective.
    """
    root = halo.global_dofs.copy()
    for k, dofs in reversed(list(enumerate(marks.values()))):
        root[dofs] = -1 - k
    if not ties.size:
        return root
    ends, position = np.unique(ties, return_inverse=True)
    pairs = position.reshape(ties.shape)
    graph = scipy.sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(ends.size,) * 2)
    count, group = scipy.sparse.csgraph.connected_components(graph, directed=False)
    codes = halo.gather(root.astype(np.float64), ends).astype(np.int64)
    low = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(low, group, np.where(codes < 0, codes, ends))
    high = np.full(count, np.iinfo(np.int64).min)
    np.maximum.at(high, group[codes < 0], codes[codes < 0])
    clash = np.flatnonzero((low < 0) & (high != low))
    if clash.size:
        names = list(marks)
        raise FemError(f"surfaces {names[-1 - low[clash[0]]]!r} and {names[-1 - high[clash[0]]]!r} are joined by a "
                       "perfect contact")  # fmt: skip
    at = np.searchsorted(ends, halo.global_dofs)
    at = np.minimum(at, ends.size - 1)
    tied = ends[at] == halo.global_dofs
    root[tied] = low[group[at[tied]]]
    return root


class Numbering:
    """Unknowns of one or two fields (interleaved), with the terminal voltage last if ``driven`` marks are given.

    ``index`` (local dofs, fields): number of the unknown, -1 for a fixed value. ``idle`` (n,): rows of the owned range
    that stand for no unknown; the matrix has a one on their diagonal.
    """

    def __init__(self, halo: Halo, root: Sequence[Nodes], driven: Sequence[int] = ()) -> None:
        fields = len(root)
        last = halo.comm.rank == halo.comm.size - 1
        self.halo, self.fields = halo, fields
        self.terminal = fields * halo.size
        self.owned = fields * halo.owned + int(last)
        self.size = fields * halo.size + 1
        self.start = fields * halo.start
        self.has_terminal = last
        columns = []
        for field, codes in enumerate(root):
            index = np.where(codes >= 0, codes * fields + field, -1)
            if field == 0:
                index[np.isin(codes, list(driven))] = self.terminal
            columns.append(index)
        self.index = np.stack(columns, axis=1)
        own = self.start + np.arange(fields * halo.owned).reshape(halo.owned, fields)
        self.idle = own[self.index[: halo.owned] != own]
        self._used = np.flatnonzero(self.index.ravel() >= 0).astype(np.int32)
        self.vector = PETSc.Vec().createMPI((self.owned, self.size), comm=halo.comm)
        self._local = PETSc.Vec().createSeq(self.index.size)
        source = PETSc.IS().createGeneral(self.index.ravel()[self._used].astype(np.int32), comm=halo.comm)
        target = PETSc.IS().createGeneral(self._used, comm=PETSc.COMM_SELF)
        self._scatter = PETSc.Scatter().create(self.vector, source, self._local, target)

    def spread(self, vector: object, values: Array) -> None:
        """Write the unknowns to every local dof's ``values`` (local dofs, fields); fixed ones stay. Collective."""
        self._local.array[:] = values.ravel()
        self._scatter.scatter(vector, self._local, addv=PETSc.InsertMode.INSERT, mode=PETSc.ScatterMode.FORWARD)
        values[:] = self._local.array.reshape(values.shape)

    def collect(self, contributions: Array, vector: object) -> None:
        """Add up ``contributions`` (local dofs, fields), not yet summed over ranks, in the unknowns. Collective."""
        self._local.array[:] = contributions.ravel()
        vector.zeroEntries()  # type: ignore[attr-defined]
        self._scatter.scatter(self._local, vector, addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)

    def start_from(self, values: Array, terminal: float, vector: object) -> None:
        """Set the unknowns from nodal ``values`` (local dofs, fields) and the terminal voltage."""
        array = np.zeros(self.owned)
        array[: self.fields * self.halo.owned] = values[: self.halo.owned].ravel()
        if self.has_terminal:
            array[-1] = terminal
        vector.array[:] = array  # type: ignore[attr-defined]


class CooMatrix:
    """A PETSc matrix over the unknowns of a Numbering, with a pattern that is given once.

    ``parts``: (rows, columns) of each group of entries, by unknown; entries with a -1 are left out, equal ones add up.
    The matrix has a one on the diagonal of idle rows, and an entry for the terminal's own equation.
    """

    def __init__(self, numbering: Numbering, parts: Sequence[tuple[Nodes, Nodes]]) -> None:
        end = np.array([numbering.terminal] if numbering.has_terminal else [], dtype=np.int64)
        every = [*parts, (numbering.idle, numbering.idle), (end, end)]
        row = np.concatenate([part[0] for part in every])
        column = np.concatenate([part[1] for part in every])
        self._ones = np.ones(numbering.idle.size)
        self._end, self._count = end.size, row.size
        inner = row.size - end.size
        self._terminal_rows = np.flatnonzero(row[:inner] == numbering.terminal)
        self._terminal_columns = np.flatnonzero(column[:inner] == numbering.terminal)
        used = (row >= 0) & (column >= 0)
        self.matrix = PETSc.Mat().create(numbering.halo.comm)
        self.matrix.setSizes(((numbering.owned, numbering.size),) * 2)
        self.matrix.setType(PETSc.Mat.Type.AIJ)
        self.matrix.setPreallocationCOO(
            np.where(used, row, -1).astype(np.int32), np.where(used, column, -1).astype(np.int32)
        )

    def pattern(self) -> tuple[Nodes, Nodes]:
        """Row pointers and columns of this rank's rows; the entries become zero. Collective."""
        self.matrix.setValuesCOO(np.zeros(self._count))
        start, columns, _ = self.matrix.getValuesCSR()
        return start, columns

    def set(self, values: Sequence[Array], terminal: float, rows: bool = True, columns: bool = True) -> Any:
        """Set the entries of all parts, and ``terminal`` on the diagonal of that unknown; returns the matrix.

        Without ``rows`` (``columns``) the other entries of the terminal's row (column) are zero.
        """
        data = np.concatenate([*values, self._ones, np.full(self._end, terminal)])
        if not rows:
            data[self._terminal_rows] = 0.0
        if not columns:
            data[self._terminal_columns] = 0.0
        self.matrix.setValuesCOO(data)
        return self.matrix
