"""Heat of hot electrons along the way on which they lose their energy.

An electron that has crossed a bond gives its energy away over the energy relaxation length L: the density downstream
(toward the positive electrode) is exp(-s/L)/L at the distance s. :class:`HeatPoints` deposits it at quantiles of that
density, :class:`HeatLines` all along the way. Points are hot spots whose temperature grows as the mesh gets finer; the
integral of the density with the mesh's own basis functions is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dolfinx.fem
import numpy as np
import scipy.sparse
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import fem
from fem import FemError
from fem.halo import Halo
from fem.sites import deposit_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING_NM = 1e-6

#: Quantiles of the exponential distribution of path lengths over which an electron gives its energy away.
_PATHS = 8


@dataclass(frozen=True)
class HeatPath:
    """How Joule heat of the bonds reaches the mesh, and how the stack conducts it away.

    Attributes:
        relaxation_nm: energy relaxation length of electrons; a bond's heat is deposited downstream (toward the positive
            electrode) with density exp(-s/length)/length. 0: where it is dissipated.
        thermal_W_per_mK: conductivity by region.
        capacity_J_per_m3K: volumetric heat capacity by region.
        filament_W_per_mK: conductivity of oxide whose sites all conduct; linear in between.
        boundary_W_per_m2K: conductance of the oxide's boundaries, "bottom" and "top"; in a lateral cell "substrate" as
            well, below oxide and electrodes.
        ambient_K: temperature of the outer electrode surfaces.
        spread_nm: None: heat is deposited at eight points of each site's path; a radius: along the whole path, first
            shared among the carriers within the radius (:mod:`ionsim.coupling.heat_path`).
        sinks: surfaces of the mesh at ``ambient_K``.
    """

    relaxation_nm: float
    thermal_W_per_mK: Mapping[str, float]
    capacity_J_per_m3K: Mapping[str, float]
    filament_W_per_mK: float
    boundary_W_per_m2K: Mapping[str, float]
    ambient_K: float
    spread_nm: float | None = None
    sinks: tuple[str, ...] = ("bottom", "top")


def heat_way(space: dolfinx.fem.FunctionSpace, positions_nm: Floats, heat: HeatPath) -> HeatPoints | HeatLines:
    """How the heat of sites (N, 3) in nm reaches the nodes of a mesh; collective."""
    if heat.spread_nm is None:
        return HeatPoints(space, positions_nm, heat.relaxation_nm)
    return HeatLines(space, positions_nm, heat.relaxation_nm, heat.spread_nm)


class HeatPoints:
    """Deposits heat of sites (N, 3) in nm in equal shares at eight quantiles of the path up (sign 1) or down (-1).

    A relaxation length (nm) of 0 leaves it where it is.
    """

    def __init__(self, space: dolfinx.fem.FunctionSpace, positions_nm: Floats, relaxation_nm: float) -> None:
        share = (np.arange(_PATHS) + 0.5) / _PATHS if relaxation_nm > 0.0 else np.zeros(1)
        z, comm = space.mesh.geometry.x[:, 2], space.mesh.comm
        low, high = comm.allreduce(float(z.min()), op=MPI.MIN), comm.allreduce(float(z.max()), op=MPI.MAX)
        self._paths: dict[int, list[fem.SiteOperator]] = {1: [], -1: []}
        for sign, operators in self._paths.items():
            for path in -relaxation_nm * np.log(1.0 - share):
                points = positions_nm.copy()
                points[:, 2] = np.clip(points[:, 2] + sign * path, low + 1e-6, high - 1e-6)
                operators.append(fem.SiteOperator(space, points, kind="linear"))

    def add_to(self, source_W: Floats, heat_W: Floats, sign: int) -> None:
        """Add the heat (N,) of electrons that go up (``sign`` 1) or down (-1) to a nodal array; sums are kept."""
        for path in self._paths[sign]:
            source_W += path.deposit(heat_W / len(self._paths[sign]))


class HeatLines:
    """Deposits heat of sites (N, 3) in nm all along the path up (sign 1) or down (-1), on a tensor mesh.

    ``relaxation_nm`` is the length L, above 0. Heat is first shared in equal parts among all sites within ``spread_nm``
    (0: it starts at its own site). Raises FemError for a mesh whose nodes are not all crossings of planes.
    """

    def __init__(
        self, space: dolfinx.fem.FunctionSpace, positions_nm: Floats, relaxation_nm: float, spread_nm: float
    ) -> None:
        self._halo = Halo(space)
        nodes = space.tabulate_dof_coordinates()[: self._halo.owned]
        planes = [_planes(self._halo, nodes[:, axis]) for axis in range(3)]
        index = [np.searchsorted(planes[axis], nodes[:, axis] - _ROUNDING_NM) for axis in range(3)]
        count = [len(plane) for plane in planes]
        if count[0] * count[1] * count[2] != self._halo.size:
            raise FemError(f"heat lines need a tensor mesh; {count} planes do not make {self._halo.size} nodes")
        local = np.full(count, -1, dtype=np.int64)
        local[tuple(index)] = np.arange(self._halo.owned)
        shared = _sharing(positions_nm, spread_nm)
        self._build = lambda sign: _rows(local, planes, positions_nm, sign, relaxation_nm, self._halo.local) @ shared
        self._rows: dict[int, scipy.sparse.csr_array] = {}

    def add_to(self, source_W: Floats, heat_W: Floats, sign: int) -> None:
        """Add the heat (N,) of electrons that go up (``sign`` 1) or down (-1) to a nodal array; sums are kept."""
        if not np.any(heat_W):
            return
        if sign not in self._rows:
            self._rows[sign] = self._build(sign).T.tocsr()
        source_W += self._halo.update(deposit_rows(self._rows[sign], heat_W))


def _planes(halo: Halo, values: Floats) -> Floats:
    """Coordinates of the mesh planes along one axis, from the nodes of all ranks."""
    every = np.unique(np.concatenate(halo.comm.allgather(np.unique(values))))
    return every[np.concatenate(([True], np.diff(every) > _ROUNDING_NM))]


def _rows(
    local: Ints, planes: list[Floats], positions: Floats, sign: int, length: float, size: int
) -> scipy.sparse.csr_array:
    """(local dofs, N) operator of the sites' lines: linear weights across, the integral of the density along z."""
    cell, share = [], []
    for axis in range(2):
        left = np.clip(np.searchsorted(planes[axis], positions[:, axis], side="right") - 1, 0, len(planes[axis]) - 2)
        cell.append(left)
        share.append((positions[:, axis] - planes[axis][left]) / np.diff(planes[axis])[left])
    along = _along(planes[2], positions[:, 2], sign, length)
    site, plane = np.nonzero(along)
    rows, columns, values = [], [], []
    for x in (0, 1):
        for y in (0, 1):
            across = np.abs(1.0 - x - share[0]) * np.abs(1.0 - y - share[1])
            rows.append(local[cell[0][site] + x, cell[1][site] + y, plane])
            columns.append(site)
            values.append(across[site] * along[site, plane])
    row, column, value = (np.concatenate(parts) for parts in (rows, columns, values))
    owned = row >= 0
    return scipy.sparse.coo_array(
        (value[owned], (row[owned], column[owned])), shape=(size, len(positions))
    ).tocsr()  # fmt: skip


def _along(planes: Floats, height: Floats, sign: int, length: float) -> Floats:
    """(N, planes): the integral of exp(-s/L)/L with the hat function of every plane; the last takes what is left."""
    ends = planes if sign > 0 else -planes[::-1]
    start = (height if sign > 0 else -height)[:, None]
    near = np.maximum(ends[None, :-1] - start, 0.0)  # path lengths at which an interval begins and ends
    far = np.maximum(ends[None, 1:] - start, 0.0)
    step = np.diff(ends)[None, :]
    lost = np.exp(-near / length) - np.exp(-far / length)
    # First moment of the density about the path's start, over the interval; then the share of the far plane.
    moment = (near + length) * np.exp(-near / length) - (far + length) * np.exp(-far / length)
    offset = ends[None, :-1] - start  # negative where the path starts inside the interval
    to_far = (moment - offset * lost) / step
    weights = np.zeros((len(height), len(planes)))
    weights[:, :-1] += lost - to_far
    weights[:, 1:] += to_far
    weights[:, -1] += np.exp(-far[:, -1] / length)
    return weights if sign > 0 else weights[:, ::-1]


def _sharing(positions_nm: Floats, radius_nm: float) -> scipy.sparse.csr_array:
    """(N, N) operator that hands what each point has to all points within a radius in equal shares; sums are kept."""
    count = len(positions_nm)
    tree = cKDTree(positions_nm)
    pairs = tree.query_pairs(radius_nm, output_type="ndarray") if radius_nm > 0.0 else np.empty((0, 2), dtype=np.intp)
    rows = np.concatenate([pairs[:, 0], pairs[:, 1], np.arange(count)])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0], np.arange(count)])
    shares = 1.0 / np.bincount(columns, minlength=count)
    return scipy.sparse.coo_array((shares[columns], (rows, columns)), shape=(count, count)).tocsr()
