"""Conduction and heat in time, coupled, with coefficients of temperature, field and state, and a circuit."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, metres_of_area, surface_dofs
from fem.circuit import Circuit
from fem.contacts import Contact, Exchange, exchanges
from fem.coupled import Coupled
from fem.equations import Equations, Flows, Sources
from fem.errors import FemError, unknown_name
from fem.halo import Halo, nodal_array
from fem.krylov import SolverSettings
from fem.numbering import Nodes, roots
from fem.properties import Property
from fem.staggered import Staggered
from fem.timecontrol import Attempt
from fem.weakform import WeakForm

Array = NDArray[np.float64]
METHODS = ("auto", "coupled", "staggered")
_INSULATED = "what touches no conductor"
_FIRST_STEP = 10.0  # s/m^2, chosen: first of the growing steps to a steady state, a millionth of L^2 / (1e-7 m^2/s)
_RELAXATIONS = 300
_NEARLY_STEADY = 1e-2  # stored over outgoing heat, chosen
_CONDITIONS = 4  # how often a solve may change between the voltage and the current as the condition


@dataclass(frozen=True)
class TransientSettings:
    """How the equations are solved.

    ``method``: "coupled" (Newton for all unknowns together, direct solver), "staggered" (potential and temperature in
    turn by conjugate gradients, iterated until both hold), or "auto": coupled in 1D, 2D and in 3D up to
    ``coupled_nodes_3d`` nodes. ``rtol``: the residuals of all nodes together, relative to the current and to the
    largest of the heat flows; the energy balance is as good. ``linear`` is for the staggered method.
    """

    method: str = "auto"
    rtol: float = 1e-10
    max_iterations: int = 25
    coupled_nodes_3d: int = 6_000
    max_rounds: int = 60
    linear: SolverSettings = field(default_factory=SolverSettings)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown_name("transient method", self.method, METHODS)
        if not 0.0 < self.rtol < 1.0:
            raise FemError(f"rtol must lie between 0 and 1, got {self.rtol!r}")
        if self.max_iterations < 1 or self.max_rounds < 1:
            raise FemError(f"max_iterations and max_rounds must be >= 1, got {self.max_iterations!r} and "
                           f"{self.max_rounds!r}")  # fmt: skip

    def choose(self, dim: int, nodes: int) -> str:
        """The method for a mesh of ``dim`` dimensions with ``nodes`` nodes in all."""
        if self.method != "auto":
            return self.method
        return "coupled" if dim < 3 or nodes <= self.coupled_nodes_3d else "staggered"


@dataclass(frozen=True)
class Balance:
    """Powers in W (per metre of depth in a plane): electrical + source = stored + out + residual.

    ``electrical_W``: terminal voltage times current (and what ``source_A`` brings); ``source_W``: given nodal heat;
    ``stored_W``: C dT/dt over the volume; ``out_W``: through the surfaces of fixed temperature.
    """

    electrical_W: float
    stored_W: float
    source_W: float
    out_W: float

    @property
    def residual_W(self) -> float:
        """What is missing: electrical + source - stored - out."""
        return self.electrical_W + self.source_W - self.stored_W - self.out_W


@dataclass(frozen=True)
class TransientState:
    """The result of a step; currents in A (per metre of depth in a plane).

    ``current_A`` enters at the driven surface, whose voltage is ``cell_V``; ``currents_A``: what enters at each driven
    or grounded surface. ``limited``: the compliance holds the current. ``newton_iterations``: of the step, those of a
    change between limited and not included (for the staggered method, its rounds).
    """

    current_A: float
    cell_V: float
    limited: bool
    balance: Balance
    newton_iterations: int
    currents_A: dict[str, float]


@dataclass(frozen=True)
class Saved:
    """All that a Transient needs to go on from a moment; arrays are copies of this rank's."""

    values: Array
    previous: Array | None
    previous_dt_s: float | None
    cell_V: float
    limited: bool
    states: dict[str, Array]


class Transient:
    """div(sigma grad V) = 0 and C dT/dt = div(kappa grad T) + sigma |grad V|^2 + source on simplices of first order.

    In 1D (per m^2), a plane (per metre of depth), (r, z) with ``cell.axisymmetric``, or 3D. Every region has its sigma
    (S/m), kappa (W/(m K)) and C (J/(m^3 K)): a number, an array (owned cells of the region or of the mesh), or a plain
    function of any of ``T_K``, ``F_V_per_m`` (the field's magnitude) and the names in ``states``, written with
    arithmetic, comparisons and fem.exp and its like; C takes no F. A sigma of 0 insulates (V is 0 where nothing
    conducts).

    ``fixed_K``: surface -> K, at least one. ``driven`` and ``grounded``: a surface or several; the driven ones form
    one terminal. Of two surfaces that share a node, the first named has it, driven before grounded. ``interfaces``:
    fem.Contact by the name of ``cell.interfaces``; those not named are perfect. ``states``: initial value (number or
    nodal array) of each state field.

    Steps are backward Euler after a start or ``restart``, else the second-order backward difference for variable steps
    (BDF2). Methods are collective. Raises FemError for names and values that are not allowed.
    """

    def __init__(
        self,
        cell: Cell,
        electrical_S_per_m: Mapping[str, Property],
        thermal_W_per_mK: Mapping[str, Property],
        capacity_J_per_m3K: Mapping[str, Property],
        fixed_K: Mapping[str, float],
        driven: str | Sequence[str] = "top",
        grounded: str | Sequence[str] = "bottom",
        interfaces: Mapping[str, Contact] | None = None,
        states: Mapping[str, float | ArrayLike] | None = None,
        settings: TransientSettings | None = None,
    ) -> None:
        self.cell = cell
        self.settings = settings or TransientSettings()
        states = states or {}
        self._form = WeakForm(cell, electrical_S_per_m, thermal_W_per_mK, capacity_J_per_m3K, states)
        self.space = self._form.space
        self.halo: Halo = self._form.halo
        for name, value in states.items():
            self.set_state(name, value)
        self._driven = _names(driven, "driven")
        self._grounded = _names(grounded, "grounded")
        if overlap := set(self._driven) & set(self._grounded):
            raise FemError(f"surface {overlap.pop()!r} is driven and grounded")
        self._equations = self._build(fixed_K, interfaces or {})
        method = self.settings.choose(cell.mesh.topology.dim, self.halo.size)
        self.method = method
        self._solver: Coupled | Staggered
        if method == "coupled":
            self._solver = Coupled(self._equations, self.settings.rtol, self.settings.max_iterations)
        else:
            self._solver = Staggered(
                self._equations, self.settings.rtol, self.settings.max_rounds, self.settings.linear
            )
        self._previous: Array | None = None
        self._previous_dt: float | None = None
        self._limited = False

    @property
    def potential_V(self) -> Array:
        """Potential (local dofs,) in V of ``space``: a copy. Assign to set the starting guess, terminal included."""
        return self._form.values[:, 0].copy()

    @potential_V.setter
    def potential_V(self, values: ArrayLike) -> None:
        self._set(0, values, "potential_V")
        driven = self._equations.is_driven
        array = np.asarray(values, dtype=np.float64)
        self._equations.cell_V = self.halo.maximum(float(array[driven].max(initial=-np.inf)))
        self._form.values[driven, 0] = self._equations.cell_V

    @property
    def temperature_K(self) -> Array:
        """Temperature (local dofs,) in K of ``space``: a copy. Assign to set an initial state; it restarts."""
        return self._form.temperature_K()

    @temperature_K.setter
    def temperature_K(self, values: ArrayLike) -> None:
        self._set(1, values, "temperature_K")
        self.restart()

    def volume_m3(self, region: str | None = None) -> Array:
        """Lumped volume (local dofs,) in m^3 (m^2 in a plane) of each node, in one region or in all of them."""
        volumes = self._form.volumes
        if region is None:
            return np.sum(list(volumes.values()), axis=0)
        if region not in volumes:
            raise unknown_name("region", region, volumes)
        return volumes[region].copy()

    def state(self, name: str) -> Array:
        """A state field (local dofs,): a copy."""
        return self._state(name).x.array.copy()

    def set_state(self, name: str, nodal: float | ArrayLike) -> None:
        """Set a state field to a number or a nodal array (local dofs,), ghosts included."""
        array = np.asarray(nodal, dtype=np.float64)
        target = self._state(name).x.array
        if array.ndim and array.shape != target.shape:
            raise FemError(
                f"state {name!r} must be a number or a nodal array of shape {target.shape}, got {array.shape}"
            )
        target[:] = array

    def restart(self) -> None:
        """Make the next step backward Euler: after a corner of the drive or a jump of a state."""
        self._previous = self._previous_dt = None

    def save(self) -> Saved:
        """Everything that changes from step to step, as it is now."""
        states = {name: state.x.array.copy() for name, state in self._form.states.items()}
        previous = None if self._previous is None else self._previous.copy()
        values = self._form.values.copy()
        return Saved(values, previous, self._previous_dt, self._equations.cell_V, self._limited, states)

    def restore(self, saved: Saved) -> None:
        """Go back to what ``save`` returned."""
        self._form.values[:] = saved.values
        self._previous = None if saved.previous is None else saved.previous.copy()
        self._previous_dt = saved.previous_dt_s
        self._equations.cell_V, self._limited = saved.cell_V, saved.limited
        for name, values in saved.states.items():
            self._form.states[name].x.array[:] = values

    def keep(self) -> dict[str, Array]:
        """The matrix that is factored and serves for further steps, as arrays of this rank.

        It changes the last digits of what follows, so a restart that is to go on bit by bit needs it besides ``save``.
        """
        return self._solver.keep() if isinstance(self._solver, Coupled) else {}

    def take_up(self, kept: Mapping[str, Array]) -> None:
        """Go on with what ``keep`` returned. Raises FemError when it is of other equations, mesh or ranks."""
        if isinstance(self._solver, Coupled):
            self._solver.take_up(kept)

    def step(
        self,
        dt_s: float,
        applied_V: float,
        series_ohm: float = 0.0,
        compliance_A: float | None = None,
        source_W: ArrayLike | None = None,
        source_A: ArrayLike | None = None,
    ) -> TransientState:
        """The state ``dt_s`` seconds later, with the circuit and the sources of that moment.

        ``source_W`` (heat) and ``source_A`` (current) are nodal (local dofs,), ghosts included. Raises FemError when
        no solution is found, and leaves everything as it was before.
        """
        if not (math.isfinite(dt_s) and dt_s > 0.0):
            raise FemError(f"dt_s must be a positive time in s, got {dt_s!r}")
        circuit = Circuit(float(applied_V), float(series_ohm), compliance_A, self._limited)
        form, old = self._form, self._form.values.copy()
        form.base[:] = old[:, 1]
        if self._previous is None or self._previous_dt is None:
            form.leading = 1.0 / dt_s
            form.history[:] = 0.0
        else:
            ratio = dt_s / self._previous_dt
            form.leading = (1.0 + 2.0 * ratio) / (1.0 + ratio) / dt_s
            moved = old - self._previous
            form.history[:] = -(ratio**2) / (1.0 + ratio) / dt_s * moved[:, 1]
        state = self._solve(circuit, source_W, source_A)
        self._previous, self._previous_dt = old, dt_s
        return state

    def steady(
        self,
        applied_V: float,
        series_ohm: float = 0.0,
        compliance_A: float | None = None,
        source_W: ArrayLike | None = None,
        source_A: ArrayLike | None = None,
    ) -> TransientState:
        """The steady state at constant drive next to the present one; arguments as in ``step``, and it restarts.

        Newton's method from the present values; where that finds none, long time steps towards it. Raises FemError when
        these fail too, and leaves everything as it was before.
        """
        circuit = Circuit(float(applied_V), float(series_ohm), compliance_A, self._limited)
        saved = self.save()
        try:
            result = self._steady(circuit, source_W, source_A)
        except FemError:
            try:
                result = self._relax(circuit, source_W, source_A)
            except FemError:
                self.restore(saved)
                raise
        self.restart()
        return result

    def attempt(self, dt_s: float, applied_V: float, **arguments: Any) -> Attempt:
        """``step`` for fem.TimeControl: reports failure instead of raising, and how far the temperature moved.

        ``changes["temperature_K"]`` is the largest change of a node; ``result`` the TransientState.
        """
        saved = self.save()
        try:
            state = self.step(dt_s, applied_V, **arguments)
        except FemError as error:
            return Attempt(False, reason=str(error))
        change = float(np.abs(self._form.values[:, 1] - saved.values[:, 1]).max(initial=0.0))
        changes = {"temperature_K": self.halo.maximum(change)}
        return Attempt(True, state.newton_iterations, changes, lambda: self.restore(saved), result=state)

    def _steady(self, circuit: Circuit, source_W: ArrayLike | None, source_A: ArrayLike | None) -> TransientState:
        self._form.leading = 0.0
        self._form.history[:] = 0.0
        return self._solve(circuit, source_W, source_A)

    def _relax(self, circuit: Circuit, source_W: ArrayLike | None, source_A: ArrayLike | None) -> TransientState:
        """Backward Euler steps that grow until Newton's method finds the steady state from there."""
        x = self.cell.mesh.geometry.x
        extent_nm = self.halo.maximum(float(np.ptp(x, axis=0).max(initial=0.0)))
        dt_s = _FIRST_STEP * (extent_nm * 1e-9) ** 2
        arguments = (circuit.applied_V, circuit.series_ohm, circuit.compliance_A, source_W, source_A)
        for _ in range(_RELAXATIONS):
            self.restart()
            try:
                state = self.step(dt_s, *arguments)
            except FemError:
                dt_s *= 0.25
                continue
            if abs(state.balance.stored_W) < _NEARLY_STEADY * abs(state.balance.out_W):
                with contextlib.suppress(FemError):
                    return self._steady(circuit, source_W, source_A)
            dt_s *= 2.0
        raise FemError(f"no steady state was found in {_RELAXATIONS} time steps")

    def _solve(self, circuit: Circuit, source_W: ArrayLike | None, source_A: ArrayLike | None) -> TransientState:
        self._equations.sources = Sources(
            nodal_array(source_A, self.halo, "source_A"), nodal_array(source_W, self.halo, "source_W")
        )
        begin, begin_V = self._form.values.copy(), self._equations.cell_V
        count = 0
        try:
            for _ in range(_CONDITIONS):
                flows, iterations = self._solver.solve(circuit)
                count += iterations
                if not circuit.wrong(self._equations.cell_V, flows.current_A):
                    break
                circuit.limited = not circuit.limited
            else:
                raise FemError("the compliance neither holds nor can be left: both conditions fail")
        except FemError:
            self._form.values[:], self._equations.cell_V = begin, begin_V
            raise
        self._limited = circuit.limited
        return self._result(flows, circuit, count)

    def _result(self, flows: Flows, circuit: Circuit, iterations: int) -> TransientState:
        form, system, halo = self._form, self._equations, self.halo
        owned = slice(0, halo.owned)
        sources = system.sources
        electrical = system.cell_V * flows.current_A
        heat = 0.0
        if sources.current_A is not None:
            electrical += halo.total(float((sources.current_A[owned] * form.values[owned, 0]).sum()))
        if sources.heat_W is not None:
            heat = halo.sum(sources.heat_W)
        out = -halo.total(float(flows.raw[system.temperature_root < 0, 1].sum()))
        balance = Balance(electrical, halo.sum(form.stored_W()), heat, out)
        currents = {
            name: halo.total(float(flows.raw[system.potential_root == -1 - k, 0].sum()))
            for k, name in enumerate((*self._driven, *self._grounded))
        }
        return TransientState(flows.current_A, system.cell_V, circuit.limited, balance, iterations, currents)

    def _build(self, fixed_K: Mapping[str, float], contacts: Mapping[str, Contact]) -> Equations:
        form, halo = self._form, self.halo
        if not fixed_K:
            raise FemError("fixed_K is empty; give at least one surface and its temperature in K")
        for name, value in fixed_K.items():
            if not (np.isfinite(value) and value > 0.0):
                raise FemError(f"fixed_K: surface {name!r} must have a positive temperature in K, got {value!r}")
        electrical, thermal = exchanges(self.cell, halo, self.space, contacts, metres_of_area(self.cell))
        insulated = form.insulated()
        _leave_out(electrical, insulated, halo)
        marks = {name: surface_dofs(self.space, self.cell, name) for name in (*self._driven, *self._grounded)}
        potential = roots(halo, marks | {_INSULATED: insulated}, electrical.ties)
        marks = {name: surface_dofs(self.space, self.cell, name) for name in fixed_K}
        temperature = roots(halo, marks, thermal.ties)
        form.reference_K = float(np.mean(list(fixed_K.values())))
        form.values[:, 1] = 0.0
        for k, value in enumerate(fixed_K.values()):
            form.values[temperature == -1 - k, 1] = value - form.reference_K
        return Equations(form, electrical, thermal, potential, temperature, tuple(range(len(self._driven))))

    def _set(self, column: int, values: ArrayLike, name: str) -> None:
        array = nodal_array(values, self.halo, name)
        if array is None or not np.all(np.isfinite(array)) or (column == 1 and array.min(initial=1.0) <= 0.0):
            raise FemError(f"{name} must be finite{', and above 0 K' if column else ''}")
        fixed = (self._equations.temperature_root if column else self._equations.potential_root) < 0
        target = self._form.values[:, column]
        target[~fixed] = array[~fixed] - (self._form.reference_K if column else 0.0)

    def _state(self, name: str) -> Any:
        if name not in self._form.states:
            raise unknown_name("state", name, self._form.states)
        return self._form.states[name]


def _names(surfaces: str | Sequence[str], what: str) -> tuple[str, ...]:
    names = (surfaces,) if isinstance(surfaces, str) else tuple(surfaces)
    if not names:
        raise FemError(f"{what} is empty; give at least one surface")
    return names


def _leave_out(exchange: Exchange, insulated: NDArray[np.int32], halo: Halo) -> None:
    """Drop conductors and ties that end at a node where nothing conducts: its potential has no meaning."""
    mask = np.zeros(halo.local)
    mask[insulated] = 1.0

    def inside(ends: Nodes) -> NDArray[np.bool_]:
        return np.asarray(halo.gather(mask, ends) == 0.0)

    good = inside(exchange.first) & inside(exchange.second)
    exchange.first, exchange.second = exchange.first[good], exchange.second[good]
    exchange.conductance = exchange.conductance[good]
    exchange.ties = exchange.ties[inside(exchange.ties[:, 0].copy()) & inside(exchange.ties[:, 1].copy())]
