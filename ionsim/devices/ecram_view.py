"""What a picture of an ECRAM device shows: a cut on a regular grid; of a stack one column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.config.ecram import EcramDevice
from ionsim.devices.ecram_cell import EcramCell

Floats = NDArray[np.float64]

#: Points of the grid along and across the layers.
_ALONG, _ACROSS = 241, 161


class View:
    """A cut in (x, z) through electrolyte and channel.

    ``cut`` gives ``cut/x_nm`` (n,), ``cut/z_nm`` (nz,) and every field on that grid as ``cut/NAME`` (nz, n), and
    ``cut/inside``: 1 in the channel, 2 in the electrolyte, 0 elsewhere.
    """

    def __init__(self, device: EcramDevice, cell: EcramCell) -> None:
        transport = cell.transport
        x = np.asarray(transport.space.tabulate_dof_coordinates())
        dim = cell.mesh.mesh.geometry.dim
        parts = {name: transport.region_nodes(name) for name in ("channel", "electrolyte")}
        inside, halo = x[np.concatenate([*parts.values()])], transport.halo
        axes = [0] if dim == 1 else [0, dim - 1]
        low, high = -halo.maxima(-inside.min(axis=0, initial=np.inf)), halo.maxima(inside.max(axis=0, initial=-np.inf))
        ends = [(float(low[axis]), float(high[axis])) for axis in axes]
        self.z_nm = _middles(*ends[-1], _ACROSS)
        self.x_nm = _middles(*ends[0], _ALONG) if dim > 1 else np.zeros(1)
        grid = np.zeros((len(self.z_nm), len(self.x_nm), dim))
        grid[..., dim - 1] = self.z_nm[:, None]
        if dim > 1:
            grid[..., 0] = self.x_nm
        self._inside = np.zeros(grid.shape[:2])
        points = grid.reshape(-1, dim)
        self._meshed = fem.inside_mesh(transport.space, points)
        self._operator = fem.SiteOperator(transport.space, points[self._meshed])
        for number, nodes in enumerate(parts.values(), start=1):
            here = np.zeros(transport.potential_V.size)
            here[nodes] = 1.0
            self._inside[self._on_grid(here) > 1.0 - 1e-9] = number

    def cut(self, fields: Mapping[str, Floats]) -> dict[str, NDArray[Any]]:
        """Fields (local dofs,) on the grid."""
        found = {f"cut/{name}": self._on_grid(values) for name, values in fields.items()}
        return {"cut/x_nm": self.x_nm, "cut/z_nm": self.z_nm, "cut/inside": self._inside, **found}

    def _on_grid(self, values: Floats) -> Floats:
        """0 where nothing is meshed, as in a gate beside the channel."""
        result = np.zeros(self._meshed.size)
        result[self._meshed] = self._operator.sample(values)
        return result.reshape(self._inside.shape)


def _middles(begin: float, end: float, count: int) -> Floats:
    """Middles of equal intervals: seldom on a border between two materials, where a value would be of either."""
    return begin + (np.arange(count) + 0.5) * (end - begin) / count
