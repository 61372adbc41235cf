"""What a picture of a phase-change cell shows: a cut on a regular grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.config.pcm import PcmDevice
from ionsim.config.pcm_geometry import CellArray
from ionsim.devices.pcm_cell import PcmCell

#: Points of the grid along its longer side; margin around the phase-change material; widest view, nm.
_POINTS, _MARGIN_NM, _WIDEST_NM = 241, 20.0, 80.0


class View:
    """A cut in (x, z), or (r, z) with r >= 0, around the phase-change material; in 3D through the driven cell.

    ``cut`` gives ``cut/x_nm`` (n,), ``cut/z_nm`` (nz,) and every field on that grid as ``cut/NAME`` (nz, n), and
    ``cut/inside``: 1 in the phase-change material, 0 outside.
    """

    def __init__(self, device: PcmDevice, cell: PcmCell, inside: NDArray[np.bool_]) -> None:
        x = fem.scalar_space(cell.mesh).tabulate_dof_coordinates()
        comm = cell.mesh.mesh.comm
        gathered = np.concatenate(comm.allgather(x[inside]))
        everything = np.concatenate(comm.allgather(x))
        dim = cell.mesh.mesh.geometry.dim
        up = dim - 1
        low, high = gathered.min(axis=0), gathered.max(axis=0)
        # every shape but the array lies around x = y = 0, of which a quarter or half is one side
        middle_nm = 0.0
        if isinstance(device.geometry, CellArray):
            middle_nm = device.selected[0] * device.geometry.pitch_nm
        ends = []
        for axis in (0, up):
            margin = _MARGIN_NM
            first, last = low[axis] - margin, high[axis] + margin
            if axis == 0 and last - first > 2.0 * _WIDEST_NM and not isinstance(device.geometry, CellArray):
                first, last = -_WIDEST_NM, _WIDEST_NM
            ends.append((max(first, everything[:, axis].min()), min(last, everything[:, axis].max())))
        spacing = max(end - begin for begin, end in ends) / (_POINTS - 1)
        self.x_nm, self.z_nm = (_middles(begin, end, round((end - begin) / spacing)) for begin, end in ends)
        grid = np.empty((len(self.z_nm), len(self.x_nm), dim))
        grid[..., 0], grid[..., up] = np.meshgrid(self.x_nm, self.z_nm)
        if dim == 3:
            grid[..., 1] = middle_nm
        self._operator = fem.SiteOperator(cell.problem.space, grid.reshape(-1, dim))
        self._inside = self._on_grid(inside.astype(np.float64))

    def cut(self, fields: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
        """Fields (local dofs,) on the grid; collective."""
        found = {f"cut/{name}": self._on_grid(values) for name, values in fields.items()}
        return {"cut/x_nm": self.x_nm, "cut/z_nm": self.z_nm, "cut/inside": self._inside, **found}

    def _on_grid(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._operator.sample(values).reshape(len(self.z_nm), len(self.x_nm))


def _middles(begin: float, end: float, count: int) -> NDArray[np.float64]:
    """Middles of equal intervals: seldom on a border between two materials, where a value would be of either."""
    return begin + (np.arange(count) + 0.5) * (end - begin) / count
