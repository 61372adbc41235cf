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
from fem.shared import Factors, Reach, share_nodes

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
    of intervals, triangles or tetrahedra without negative weights, distributed over their ranks; all calls are
    collective. Each step factors one sparse matrix, unless dt_s is that of the step before. Raises FemError for names
    and values that are not allowed.
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
        pairs = np.stack([between.first, between.second], axis=1)
        self._reach = Reach(self._halo, [between.ties, pairs])
        here, conductance = self._reach.here(pairs, between.conductance)
        own = here[:, 0] < self._halo.owned
        edges.append((here[own, 0], here[own, 1], conductance[own]))
        self._sinks = {}
        for name, value in sinks_W_per_m2K.items():
            nodes, area = surface_areas(cell, name, self.space)
            own = nodes < self._halo.owned
            self._sinks[name] = (nodes[own], value * area[own])
        self._assemble(edges, capacity, between.ties)
        self._rise = np.zeros(self._capacity.size)
        self._dt_s = -1.0
        self._solver: Any = None

    def _assemble(self, edges: list[tuple[Nodes, Nodes, Array]], capacity: Array, ties: Nodes) -> None:
        """One unknown for each node, or for all that are tied; the conductances between them and out of them."""
        own = slice(0, self._halo.owned)
        used, at = np.unique(self._reach.roots(ties), return_inverse=True)
        size, self._shared = used.size, share_nodes(self._reach, used)
        self._unknown = at.ravel()[: self._halo.local]
        self._capacity = self._shared.accumulate(np.bincount(at[own], capacity[own], size).astype(np.float64))
        tail, head, value = (np.concatenate(part) for part in zip(*edges, strict=True))
        tail, head = at[tail], at[head]
        out = [(self._unknown[nodes], conductance) for nodes, conductance in self._sinks.values()]
        diagonal = self._shared.accumulate(sum(np.bincount(here, part, size) for here, part in out) + np.zeros(size))
        every = np.arange(size) if self._shared.alone else self._shared.mine
        row = np.concatenate([tail, head, tail, head, every])
        column = np.concatenate([tail, head, head, tail, every])
        values = np.concatenate([value, value, -value, -value, diagonal[every]])
        self._matrix = scipy.sparse.csc_array(scipy.sparse.coo_array((values, (row, column)), shape=(size, size)))
        if not self._shared.alone:
            self._factors, self._values = Factors(self._shared, row, column), values
        _, body = scipy.sparse.csgraph.connected_components(self._matrix, directed=False)
        cooled = diagonal > 0.0
        while True:  # bodies that go on on other ranks
            more = np.bincount(body, cooled)[body] > 0.0
            more = self._shared.accumulate(more.astype(np.float64)) > 0.0
            if self._halo.every(np.all(more == cooled)):
                break
            cooled = more
        if not self._halo.every(np.all(cooled)):
            raise FemError("a part of the mesh touches no sink, so that its heat cannot leave")

    @property
    def temperature_K(self) -> Array:
        """Temperature (local dofs,) in K."""
        return self.ambient_K + self._rise[self._unknown]

    @temperature_K.setter
    def temperature_K(self, value: float | ArrayLike) -> None:
        given = np.asarray(value, dtype=np.float64)
        full = nodal_array(np.full(self._halo.local, given) if given.ndim == 0 else given, self._halo, "temperature_K")
        assert full is not None
        if not self._halo.every(np.all(np.isfinite(full) & (full > 0.0))):
            raise FemError("temperature_K must be positive and finite")
        self._rise[self._unknown] = full - self.ambient_K
        self._rise = self._shared.update(self._rise)

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
        if not self._shared.alone:
            if dt_s != self._dt_s:
                values = self._values.copy()
                values[values.size - self._shared.owned :] += storage[self._shared.mine]
                self._factors.set(values)
                self._dt_s = dt_s
            self._rise = self._factors.solve(storage * self._rise + source, "heat")
            return self.temperature_K
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
        if not self._halo.every(np.all(np.isfinite(source))):
            raise FemError("source_W must be finite")
        own = slice(0, self._halo.owned)
        total = np.bincount(self._unknown[own], source[own], self._capacity.size)
        return self._shared.accumulate(total.astype(np.float64))

    def out_W(self) -> dict[str, float]:
        """Heat that leaves through each sink now, in W (W per metre of depth in a plane, W/m^2 in 1D)."""
        return {name: self._halo.total(float(conductance @ self._rise[self._unknown[nodes]]))
                for name, (nodes, conductance) in self._sinks.items()}  # fmt: skip

    def stored_J(self) -> float:
        """Heat above the ambient's, in J."""
        return self._shared.dot(self._capacity, self._rise)

    @property
    def slowest_s(self) -> float:
        """A measure of how long heat stays: all capacity over the conductance of all sinks."""
        total, mine = self._halo.total, self._shared.mine
        out = sum(total(float(conductance.sum())) for _, conductance in self._sinks.values())
        return total(float(self._capacity[mine].sum())) / out


def _check(what: str, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if math.isnan(value):
            raise FemError(f"{what} {name!r} has no value")
        if not (math.isfinite(value) and value > 0.0):
            raise FemError(f"{what} {name!r} must be positive and finite, got {value!r}")
