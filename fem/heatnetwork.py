"""Heat between the nodes of a small mesh, that leaves through surfaces with a conductance to what is not meshed."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, metres_of_area, scalar_space
from fem.contacts import Contact, exchanges
from fem.errors import FemError, unknown_name
from fem.faces import surface_areas
from fem.halo import Halo, nodal_array
from fem.scharfetter import region_network

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


class HeatNetwork:
    """C dT/dt = div(kappa grad T) + source with heat sinks h (T - ambient) at surfaces; others are insulated.

    ``thermal_W_per_mK`` and ``capacity_J_per_m3K`` give every region a number. ``sinks_W_per_m2K``: conductance of each
    surface named, at least one, to ``ambient_K``: that of a boundary, and of a substrate or an electrode that is not
    meshed (kappa over thickness where heat goes straight). ``interfaces``: fem.Contact by the name of split interfaces,
    of which only the thermal part counts; those not named are perfect.

    ``temperature_K`` (local dofs,) is the state; it starts at the ambient, and may be assigned. Volumes and
    conductances are those of fem.Transport, so that its ``dissipation_W`` is a source without interpolation. For meshes
    of intervals, triangles or tetrahedra without negative weights, on one rank; each step factors one sparse matrix,
    unless dt_s is that of the step before. Raises FemError for names and values that are not allowed.
    """

    def __init__(
        self,
        cell: Cell,
        thermal_W_per_mK: Mapping[str, float],
        capacity_J_per_m3K: Mapping[str, float],
        sinks_W_per_m2K: Mapping[str, float],
        ambient_K: float = 300.0,
        interfaces: Mapping[str, Contact] | None = None,
    ) -> None:
        if cell.mesh.comm.size > 1:
            raise FemError(f"HeatNetwork runs on one rank, its mesh has {cell.mesh.comm.size}; give the mesh COMM_SELF")
        if not (math.isfinite(ambient_K) and ambient_K > 0.0):
            raise FemError(f"ambient_K must be a positive temperature in K, got {ambient_K!r}")
        if not sinks_W_per_m2K:
            raise FemError("sinks_W_per_m2K is empty: heat needs a way out")
        _check("sinks_W_per_m2K: surface", sinks_W_per_m2K)
        self.space: Any = scalar_space(cell)
        self._halo = Halo(self.space)
        self.ambient_K = float(ambient_K)
        count = self._halo.local
        edges: list[tuple[Nodes, Nodes, Array]] = []
        capacity = np.zeros(count)
        for values, what in ((thermal_W_per_mK, "thermal_W_per_mK"), (capacity_J_per_m3K, "capacity_J_per_m3K")):
            for name in values:
                if name not in cell.regions:
                    raise unknown_name(f"{what}: region", name, cell.regions)
            _check(f"{what}: region", {name: values.get(name, math.nan) for name in cell.regions})
        for name in cell.regions:
            network = region_network(cell, name, self.space, self._halo)
            edges.append((network.tail, network.head, thermal_W_per_mK[name] * network.weight))
            capacity += capacity_J_per_m3K[name] * network.volume
        _, between = exchanges(cell, self._halo, self.space, interfaces or {}, metres_of_area(cell))
        edges.append((between.first, between.second, between.conductance))
        self._sinks = {}
        for name, value in sinks_W_per_m2K.items():
            nodes, area = surface_areas(cell, name, self.space)
            self._sinks[name] = (nodes, value * area)
        self._assemble(edges, capacity, between.ties)
        self._rise = np.zeros(self._capacity.size)
        self._dt_s = -1.0
        self._solver: Any = None

    def _assemble(self, edges: list[tuple[Nodes, Nodes, Array]], capacity: Array, ties: Nodes) -> None:
        """One unknown for each node, or for all that are tied; the conductances between them and out of them."""
        count = self._halo.local
        graph = scipy.sparse.coo_array((np.ones(len(ties)), (ties[:, 0], ties[:, 1])), shape=(count, count))
        size, self._unknown = scipy.sparse.csgraph.connected_components(graph, directed=False)
        self._capacity = np.bincount(self._unknown, capacity, size)
        tail, head, value = (np.concatenate(part) for part in zip(*edges, strict=True))
        tail, head = self._unknown[tail], self._unknown[head]
        out = [(self._unknown[nodes], conductance) for nodes, conductance in self._sinks.values()]
        diagonal = sum(np.bincount(at, conductance, size) for at, conductance in out)
        row = np.concatenate([tail, head, tail, head, np.arange(size)])
        column = np.concatenate([tail, head, head, tail, np.arange(size)])
        values = np.concatenate([value, value, -value, -value, diagonal])
        self._matrix = scipy.sparse.csc_array(scipy.sparse.coo_array((values, (row, column)), shape=(size, size)))
        _, body = scipy.sparse.csgraph.connected_components(self._matrix, directed=False)
        if np.any(np.bincount(body, diagonal) == 0.0):
            raise FemError("a part of the mesh touches no sink, so that its heat cannot leave")

    @property
    def temperature_K(self) -> Array:
        """Temperature (local dofs,) in K."""
        return self.ambient_K + self._rise[self._unknown]

    @temperature_K.setter
    def temperature_K(self, value: float | ArrayLike) -> None:
        given = np.asarray(value, dtype=np.float64)
        full = nodal_array(np.full(self._halo.local, given) if given.ndim == 0 else given, self._halo, "temperature_K")
        if full is None or not np.all(np.isfinite(full) & (full > 0.0)):
            raise FemError("temperature_K must be positive and finite")
        self._rise[self._unknown] = full - self.ambient_K

    def save(self) -> Array:
        """The state, whose digits ``temperature_K`` does not all show: for ``restore``."""
        return self._rise.copy()

    def restore(self, saved: Array) -> None:
        """Go back to what ``save`` returned."""
        self._rise[:] = saved

    def step(self, dt_s: float, source_W: ArrayLike | None = None) -> Array:
        """Temperature (local dofs,) in K one backward Euler step later; ``source_W`` (local dofs,) in W."""
        if not (math.isfinite(dt_s) and dt_s > 0.0):
            raise FemError(f"dt_s must be a positive time in s, got {dt_s!r}")
        return self._solve(self._capacity / dt_s, self._source(source_W), dt_s)

    def solve(self, source_W: ArrayLike | None = None) -> Array:
        """Steady temperature (local dofs,) in K with ``source_W`` (local dofs,) in W; becomes the state."""
        return self._solve(np.zeros(self._capacity.size), self._source(source_W), math.inf)

    def _solve(self, storage: Array, source: Array, dt_s: float) -> Array:
        if self._solver is None or dt_s != self._dt_s:
            matrix = scipy.sparse.csc_array(self._matrix + scipy.sparse.diags_array(storage))
            self._solver = scipy.sparse.linalg.splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
            self._dt_s = dt_s
        self._rise = self._solver.solve(storage * self._rise + source)
        return self.temperature_K

    def _source(self, source_W: ArrayLike | None) -> Array:
        source = nodal_array(source_W, self._halo, "source_W")
        if source is None:
            return np.zeros(self._capacity.size)
        if not np.all(np.isfinite(source)):
            raise FemError("source_W must be finite")
        return np.bincount(self._unknown, source, self._capacity.size)

    def out_W(self) -> dict[str, float]:
        """Heat that leaves through each sink now, in W (W per metre of depth in a plane, W/m^2 in 1D)."""
        return {name: float(conductance @ self._rise[self._unknown[nodes]])
                for name, (nodes, conductance) in self._sinks.items()}  # fmt: skip

    def stored_J(self) -> float:
        """Heat above the ambient's, in J."""
        return float(self._capacity @ self._rise)

    @property
    def slowest_s(self) -> float:
        """A measure of how long heat stays: all capacity over the conductance of all sinks."""
        return float(self._capacity.sum() / sum(conductance.sum() for _, conductance in self._sinks.values()))


def _check(what: str, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if math.isnan(value):
            raise FemError(f"{what} {name!r} has no value")
        if not (math.isfinite(value) and value > 0.0):
            raise FemError(f"{what} {name!r} must be positive and finite, got {value!r}")
