"""Nodal arrays on a distributed mesh: owned entries first, then copies of the neighbours' (ghosts)."""

from typing import Any

import dolfinx.fem
import dolfinx.la
import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

from fem.errors import FemError

Array = NDArray[np.float64]


class Halo:
    """Exchange of nodal arrays (local dofs,) between the ranks of a scalar space; free of cost on one rank."""

    def __init__(self, space: dolfinx.fem.FunctionSpace) -> None:
        self.map = space.dofmap.index_map
        self.comm: MPI.Comm = space.mesh.comm
        self.owned = int(self.map.size_local)
        self.local = self.owned + int(self.map.num_ghosts)
        self.size = int(self.map.size_global)
        self.start = int(self.map.local_range[0])
        self.global_dofs = np.asarray(self.map.local_to_global(np.arange(self.local, dtype=np.int32)), dtype=np.int64)
        self._vector = dolfinx.la.vector(self.map) if self.comm.size > 1 else None

    def accumulate(self, array: Array) -> Array:
        """Add what other ranks hold for each node: the full sum everywhere. Changes and returns ``array``."""
        if self._vector is not None:
            self._vector.array[:] = array
            self._vector.scatter_reverse(dolfinx.la.InsertMode.add)
            self._vector.scatter_forward()
            array[:] = self._vector.array
        return array

    def update(self, array: Array) -> Array:
        """Overwrite the ghosts by their owners' values. Changes and returns ``array``."""
        if self._vector is not None:
            self._vector.array[:] = array
            self._vector.scatter_forward()
            array[:] = self._vector.array
        return array

    def sum(self, array: Array) -> float:
        """The sum of a nodal array over all nodes, each counted once."""
        return self.total(float(array[: self.owned].sum()))

    def total(self, value: float) -> float:
        """The sum of ``value`` over the ranks."""
        return float(self.comm.allreduce(value)) if self.comm.size > 1 else value

    def maximum(self, value: float) -> float:
        """The largest ``value`` of the ranks."""
        return float(self.comm.allreduce(value, op=MPI.MAX)) if self.comm.size > 1 else value

    def agree(self, wrong: str | None) -> None:
        """Raises FemError on all ranks if any has found something ``wrong``, with the first one's message."""
        if self.comm.size > 1:
            wrong = next(filter(None, self.comm.allgather(wrong)), None)
        if wrong:
            raise FemError(wrong)

    def every(self, flag: Any) -> bool:
        """Whether ``flag`` is true on every rank."""
        return bool(self.comm.allreduce(bool(flag), op=MPI.LAND)) if self.comm.size > 1 else bool(flag)

    def maxima(self, values: ArrayLike) -> Array:
        """The largest of the ranks of each of ``values`` (n,)."""
        result = np.array(values, dtype=np.float64)
        if self.comm.size > 1:
            self.comm.Allreduce(MPI.IN_PLACE, result, op=MPI.MAX)
        return result

    def minimum(self, value: float) -> float:
        """The smallest ``value`` of the ranks."""
        return float(self.comm.allreduce(value, op=MPI.MIN)) if self.comm.size > 1 else value

    def holders(self) -> Array:
        """How many ranks hold each node (local dofs,)."""
        return self.accumulate(np.ones(self.local))

    def gather(self, array: Array, dofs: NDArray[np.int64]) -> Array:
        """Values (n,) at the global ``dofs`` (n,), the same list on every rank; known to every rank afterwards."""
        if self.comm.size == 1:
            return array[dofs]
        local = dofs - self.start
        mine = (local >= 0) & (local < self.owned)
        values = np.zeros(dofs.size)
        values[mine] = array[local[mine]]
        self.comm.Allreduce(MPI.IN_PLACE, values)
        return values


def nodal_array(values: ArrayLike | None, halo: Halo, name: str) -> Array | None:
    """``values`` as a nodal array (local dofs,), None as it is. Raises FemError naming it if the shape is another."""
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (halo.local,):
        raise FemError(f"{name} must be a nodal array of shape ({halo.local},), got {array.shape}")
    return array
