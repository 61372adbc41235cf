"""The reference: circuits of compact models as ordinary differential equations in Python, apart from any simulator.

Potentials without a capacitance follow from Kirchhoff's law at each moment (Newton's method); states and potentials on
capacitances are integrated by SciPy's Radau with exact derivatives, from one corner of the sources to the next.

Nodes that capacitances join belong together. Where such a group has a way to ground or to a source through
capacitances, all its potentials are integrated. Where it floats, the potentials over its first node are, and that of
the first node follows from Kirchhoff's law of the group, in which the currents of its capacitances cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.sparse.csgraph import connected_components

from ionsim.compact.circuits.netlist import Circuit, Instance, Solution
from ionsim.compact.description import CompactError
from ionsim.compact.numeric import equations

Floats = NDArray[np.float64]

#: Absolute tolerances over that of states: 1e-6 K and 1e-9 V where a state is held to 1e-12.
THERMAL_TOLERANCE_K = 1e6
ELECTRICAL_TOLERANCE_V = 1e3

#: Step of Newton's method, over 1 + |unknown|, at which Kirchhoff's law counts as solved.
NEWTON_TOLERANCE = 1e-12


class Network:
    """A circuit as differential equations; every deviation and every voltage of a capacitance is zero at the start."""

    def __init__(self, circuit: Circuit) -> None:
        self.instances = circuit.instances
        self.sources = dict(circuit.sources)
        self.resistors = circuit.resistors
        self._index: dict[str, int] = {}
        self._parts: list[_Part] = []
        self._thermal: set[int] = set()
        for instance in self.instances:
            self._parts.append(self._part(instance, circuit.ambient_K))
        for first, second, _ in self.resistors:
            self._node(first), self._node(second)
        for name in self.sources:
            self._node(name)
        self._arrange()

    def _node(self, name: str) -> int:
        return -1 if name == "0" else self._index.setdefault(name, len(self._index))

    def _part(self, instance: Instance, ambient_K: float) -> _Part:
        model = instance.model
        given = dict(zip((port.name for port in model.ports), instance.terminals, strict=True))
        rows = [self._node(given.get(node.name, f"{instance.name}.{node.name}")) for node in model.nodes]
        self._thermal |= {row for row, node in zip(rows, model.nodes, strict=True) if node.kind == "thermal"}
        rows += [self._node(f"{instance.name}.{state.name}") for state in model.states]
        values = model.values(instance.values)
        code = equations(model)
        constants = code.arguments(values, ambient_K)
        capacitances = code.capacitances(*([0.0] * len(rows)), *constants)
        where = {name: index for index, name in enumerate(code.unknowns)}
        signs = np.zeros((len(rows), len(model.flows) + len(model.states)))
        for column, flow in enumerate(model.flows):
            signs[where[flow.plus], column] = 1.0
            if flow.minus is not None:
                signs[where[flow.minus], column] = -1.0
        between = (signs[:, : len(model.flows)] * capacitances) @ signs[:, : len(model.flows)].T
        for index, state in enumerate(model.states):
            row = where[state.name]
            signs[row, len(model.flows) + index] = -1.0
            between[row, row] = 1.0
        return _Part(code.slopes, constants, np.array(rows), signs, between, len(model.nodes))

    def _arrange(self) -> None:
        """Which unknowns are given, which follow at once, which are integrated."""
        n = len(self._index)
        charge = np.zeros((n + 1, n + 1))
        self._is_state = np.zeros(n, dtype=bool)
        for part in self._parts:
            np.add.at(charge, np.ix_(part.rows, part.rows), part.capacitances)
            self._is_state[part.rows[part.n_nodes :]] = True
        self._charge = charge[:n, :n]
        driven = np.zeros(n, dtype=bool)
        driven[[self._index[name] for name in self.sources]] = True
        self._driven = np.flatnonzero(driven)
        self._source_list = [next(s for k, s in self.sources.items() if self._index[k] == i) for i in self._driven]
        self._guess = np.zeros(n)
        self._wires = np.zeros((n + 1, n + 1)) if self.resistors else np.zeros((0, 0))
        for first, second, ohm in self.resistors:
            ends = [self._node(first), self._node(second)]
            self._wires[np.ix_(ends, ends)] += np.array([[1.0, -1.0], [-1.0, 1.0]]) / ohm
        moving, following, self._base = self._groups(driven)
        self._moving, self._following = np.array(moving, dtype=int), np.array(following, dtype=int)
        held = self._charge[np.ix_(self._moving, self._moving)]
        self._diagonal = not np.any(held - np.diag(np.diag(held))) and not len(self._base)
        self._inverse = 1.0 / np.diag(held) if self._diagonal else np.linalg.inv(held)
        self._by_source = self._charge[np.ix_(self._moving, self._driven)]

    def _groups(self, driven: NDArray[np.bool_]) -> tuple[list[int], list[int], NDArray[np.int64]]:
        """Unknowns that are integrated, those that follow, and (base, node) of all that are counted from another."""
        n = len(self._index)
        linked = self._charge != 0
        count, group = connected_components(linked[np.ix_(~driven, ~driven)], directed=False)
        free = np.flatnonzero(~driven)
        to_ground = np.abs(self._charge.sum(axis=1)) > 1e-9 * np.abs(self._charge).max(axis=1, initial=0.0)
        to_ground |= linked[:, driven].any(axis=1) if driven.any() else np.zeros(n, dtype=bool)
        moving: list[int] = []
        following: list[int] = []
        base: list[tuple[int, int]] = []
        for index in range(count):
            members = free[group == index]
            if to_ground[members].any():
                moving += members.tolist()
                continue
            following.append(int(members[0]))
            moving += members[1:].tolist()
            base += [(int(members[0]), int(member)) for member in members[1:]]
        return sorted(moving), sorted(following), np.array(base, dtype=int).reshape(-1, 2)

    def _sums(self, unknowns: Floats) -> tuple[Floats, Floats]:
        """Flow out of each node (for states: minus their rate), and the derivatives by all unknowns."""
        n = len(unknowns)
        known, out, slope = np.append(unknowns, 0.0), np.zeros(n + 1), np.zeros((n + 1, n + 1))
        if len(self._wires):
            out += self._wires @ known
            slope += self._wires
        for part in self._parts:
            part.add(known, out, slope)
        return out[:n], slope[:n, :n]

    def _grouped(self, out: Floats, slope: Floats) -> tuple[Floats, Floats]:
        """Sums and slopes in the unknowns of the groups: Kirchhoff's law of each floating group at its first node."""
        if not len(self._base):
            return out, slope
        out, slope = out.copy(), slope.copy()
        first, other = self._base.T
        np.add.at(out, first, out[other])
        for begin, end in self._base:
            slope[begin] += slope[end]
        for begin, end in self._base:
            slope[:, begin] += slope[:, end]
        return out, slope

    def _algebraic(self, time_s: float, moving: Floats) -> tuple[Floats, Floats, Floats]:
        """All unknowns at a time for given integrated ones, with the sums and slopes there, in groups."""
        unknowns, free = self._guess.copy(), self._following
        first, other = self._base.T
        shift = np.zeros(len(unknowns))
        unknowns[self._moving] = shift[self._moving] = moving
        unknowns[self._driven] = [source(time_s) for source in self._source_list]
        unknowns[other] = unknowns[first] + shift[other]
        out, slope = self._grouped(*self._sums(unknowns))
        for _ in range(200):
            if not len(free):
                break
            step = np.linalg.solve(slope[np.ix_(free, free)], -out[free])
            unknowns[free] += np.clip(step, -0.5, 0.5) if np.abs(step).max() > 0.5 else step
            unknowns[other] = unknowns[first] + shift[other]
            out, slope = self._grouped(*self._sums(unknowns))
            if np.all(np.abs(step) <= NEWTON_TOLERANCE * (1 + np.abs(unknowns[free]))):
                break
        else:
            raise CompactError(f"Kirchhoff's law found no solution at {time_s:.6g} s")
        self._guess = unknowns
        return unknowns, out, slope

    def _source_slopes(self, time_s: float, span_s: tuple[float, float]) -> Floats:
        """dV/dt (sources,) of the sources within one stretch between corners."""
        return np.array([source.slope(time_s, span_s) for source in self._source_list])

    def _rates(self, time_s: float, moving: Floats, span_s: tuple[float, float]) -> Floats:
        _, out, _ = self._algebraic(time_s, moving)
        flow = -out[self._moving]
        if self._by_source.any():
            flow = flow - self._by_source @ self._source_slopes(time_s, span_s)
        return flow * self._inverse if self._diagonal else self._inverse @ flow

    def _rate_slopes(self, time_s: float, moving: Floats) -> Floats:
        _, _, slope = self._algebraic(time_s, moving)
        y, z = self._moving, self._following
        reduced = slope[np.ix_(y, y)]
        if len(z):
            reduced = reduced - slope[np.ix_(y, z)] @ np.linalg.solve(slope[np.ix_(z, z)], slope[np.ix_(z, y)])
        return -reduced * self._inverse[:, None] if self._diagonal else -self._inverse @ reduced

    def solve(
        self,
        times_s: ArrayLike,
        rtol: float = 1e-9,
        atol: float = 1e-12,
        largest_step_s: float = np.inf,
    ) -> Solution:
        """Integrate from t = 0, all deviations zero, and report at ``times_s`` (n,), rising from >= 0.

        Raises CompactError when the integrator gives up.
        """
        times = np.asarray(times_s, dtype=float)
        stops = {0.0, float(times[-1])}
        stops |= {float(t) for source in self._source_list for t in source.times_s if 0 < t < times[-1]}
        edges = sorted(stops)
        tolerance = np.where(self._is_state, atol, atol * ELECTRICAL_TOLERANCE_V)
        tolerance[[row for row in self._thermal if row >= 0]] = atol * THERMAL_TOLERANCE_K
        tolerance = tolerance[self._moving]
        state = np.zeros(len(self._moving))
        self._guess = np.zeros(len(self._index))
        rows = []
        for begin, end in pairwise(edges):
            asked = times[(times >= begin) & ((times < end) | (end == edges[-1]))]
            span = (begin, end)
            done = solve_ivp(
                partial(self._rates, span_s=span), span, state, method="Radau", jac=self._rate_slopes, rtol=rtol,
                atol=tolerance, t_eval=np.union1d(asked, [end]), max_step=largest_step_s,
            )  # fmt: skip
            if not done.success:
                raise CompactError(
                    f"the reference stopped at {done.t[-1] if len(done.t) else begin:.6g} s: {done.message}"
                )
            state = done.y[:, -1]
            rows += [(done.y[:, k], span) for k, t in enumerate(done.t) if t in asked]
        return self._solution(times, [y for y, _ in rows], [span for _, span in rows])

    def _solution(self, times: Floats, moving: list[Floats], spans: list[tuple[float, float]]) -> Solution:
        unknowns = np.zeros((len(times), len(self._index)))
        out = np.zeros((len(times), len(self._driven)))
        to_free = self._charge[np.ix_(self._driven, self._moving)]
        to_sources = self._charge[np.ix_(self._driven, self._driven)]
        for k, (t, y, span) in enumerate(zip(times, moving, spans, strict=True)):
            unknowns[k], sums, _ = self._algebraic(t, y)
            out[k] = sums[self._driven]
            if to_free.any() or to_sources.any():
                out[k] += to_sources @ self._source_slopes(t, span) + to_free @ self._rates(t, y, span)
        states = {}
        for instance in self.instances:
            values = instance.model.values(instance.values)
            for state in instance.model.states:
                start, scale = instance.model.start_and_scale(state.name, values)
                name = f"{instance.name}.{state.name}"
                states[name] = start + scale * unknowns[:, self._index[name]]
        potentials = {name: unknowns[:, i] for name, i in self._index.items() if not self._is_state[i]}
        at = {int(row): column for column, row in enumerate(self._driven)}
        currents = {name: out[:, at[self._index[name]]] for name in self.sources}
        return Solution(times, potentials, states, currents)


@dataclass(frozen=True)
class _Part:
    """An instance in terms of the network's unknowns: indices into theirs with one more at the end, for ground."""

    slopes: Callable[..., list[float]]
    constants: tuple[float, ...]
    rows: NDArray[np.int64]
    signs: Floats
    capacitances: Floats
    n_nodes: int

    def add(self, unknowns: Floats, out: Floats, slope: Floats) -> None:
        """Add the flows of this instance to the sums; all three arrays have a last row for ground."""
        both = np.array(self.slopes(*unknowns[self.rows].tolist(), *self.constants))
        n, count = self.signs.shape
        out[self.rows] += self.signs @ both[:count]
        slope[np.ix_(self.rows, self.rows)] += self.signs @ both[count:].reshape(count, n)
