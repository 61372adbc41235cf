"""Whether a checkpoint belongs to a mesh: nodes in another order, or of other ranks, would be taken for its own."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.errors import ResultsError


def mesh_mark(space: Any) -> NDArray[np.int64]:
    """(2,) number and checksum of the nodes of this rank, for a checkpoint."""
    x_nm = np.ascontiguousarray(space.tabulate_dof_coordinates())
    return np.array([len(x_nm), zlib.crc32(x_nm.tobytes())], dtype=np.int64)


def check_mesh(space: Any, mark: NDArray[np.int64]) -> None:
    """Raise ResultsError on all ranks when the mark on any of them is that of another mesh."""
    same = np.array_equal(mesh_mark(space), mark)
    if not space.mesh.comm.allreduce(int(same)) == space.mesh.comm.size:
        raise ResultsError("the mesh is not the one of the checkpoint, or otherwise shared among the ranks")
