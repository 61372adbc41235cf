"""The reference: circuits of compact models as ordinary differential equations in Python, apart from any simulator.

Potentials without a capacitance follow from Kirchhoff's law at each moment (Newton's method); states and thermal nodes
with a capacitance are integrated by SciPy's Radau with exact derivatives, from one corner of the sources to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from ionsim.compact.circuits.netlist import Circuit, Instance, Solution
from ionsim.compact.description import CompactError
from ionsim.compact.numeric import equations

Floats = NDArray[np.float64]

#: Absolute tolerance of temperatures over that of states, in K: 1e-6 K where a state is held to 1e-12.
THERMAL_TOLERANCE_K = 1e6

#: Step of Newton's method, over 1 + |unknown|, at which Kirchhoff's law counts as solved.
NEWTON_TOLERANCE = 1e-12


class Network:
    """A circuit as differential equations; raises CompactError for a source on a node with a capacitance."""

    def __init__(self, circuit: Circuit) -> None:
        self.instances = circuit.instances
        self.sources = dict(circuit.sources)
        self.resistors = circuit.resistors
        self._index: dict[str, int] = {}
        self._parts: list[_Part] = []
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
        rows += [self._node(f"{instance.name}.{state.name}") for state in model.states]
        values = model.values(instance.values)
        code = equations(model)
        constants = code.arguments(values, ambient_K)
        capacitances = code.capacitances(*([0.0] * len(rows)), *constants)
        where = {name: index for index, name in enumerate(code.unknowns)}
        signs = np.zeros((len(rows), len(model.flows) + len(model.states)))
        at_node = np.zeros(len(rows))
        for column, (flow, capacitance) in enumerate(zip(model.flows, capacitances, strict=True)):
            signs[where[flow.plus], column] = 1.0
            at_node[where[flow.plus]] += capacitance
            if flow.minus is not None:
                signs[where[flow.minus], column] = -1.0
                if capacitance:
                    raise CompactError(f"{model.name}: the reference has no capacitance between two nodes")
        for index, state in enumerate(model.states):
            signs[where[state.name], len(model.flows) + index] = -1.0
        return _Part(code.slopes, constants, np.array(rows), signs, at_node, len(model.nodes))

    def _arrange(self) -> None:
        """Which unknowns are given, which follow at once, which are integrated."""
        n = len(self._index)
        self._capacitance = np.zeros(n)
        self._is_state = np.zeros(n, dtype=bool)
        for part in self._parts:
            inside = part.rows >= 0
            np.add.at(self._capacitance, part.rows[inside], part.capacitances[inside])
            self._is_state[part.rows[part.n_nodes :]] = True
        driven = np.zeros(n, dtype=bool)
        driven[[self._index[name] for name in self.sources]] = True
        moving = (self._capacitance > 0) | self._is_state
        if (moving & driven).any():
            raise CompactError("a source sits on a node with a capacitance")
        self._driven, self._moving = np.flatnonzero(driven), np.flatnonzero(moving)
        self._following = np.flatnonzero(~driven & ~moving)
        self._source_list = [next(s for k, s in self.sources.items() if self._index[k] == i) for i in self._driven]
        self._weights = np.where(self._is_state, 1.0, self._capacitance)[self._moving]
        self._guess = np.zeros(n)
        self._wires = np.zeros((n + 1, n + 1)) if self.resistors else np.zeros((0, 0))
        for first, second, ohm in self.resistors:
            ends = [self._node(first), self._node(second)]
            self._wires[np.ix_(ends, ends)] += np.array([[1.0, -1.0], [-1.0, 1.0]]) / ohm

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

    def _algebraic(self, time_s: float, moving: Floats) -> tuple[Floats, Floats, Floats]:
        """All unknowns at a time for given integrated ones, with the sums and slopes there."""
        unknowns, free = self._guess.copy(), self._following
        unknowns[self._moving] = moving
        unknowns[self._driven] = [source(time_s) for source in self._source_list]
        out, slope = self._sums(unknowns)
        for _ in range(200):
            if not len(free):
                break
            step = np.linalg.solve(slope[np.ix_(free, free)], -out[free])
            unknowns[free] += np.clip(step, -0.5, 0.5) if np.abs(step).max() > 0.5 else step
            out, slope = self._sums(unknowns)
            if np.all(np.abs(step) <= NEWTON_TOLERANCE * (1 + np.abs(unknowns[free]))):
                break
        else:
            raise CompactError(f"Kirchhoff's law found no solution at {time_s:.6g} s")
        self._guess = unknowns
        return unknowns, out, slope

    def _rates(self, time_s: float, moving: Floats) -> Floats:
        _, out, _ = self._algebraic(time_s, moving)
        return -out[self._moving] / self._weights

    def _rate_slopes(self, time_s: float, moving: Floats) -> Floats:
        _, _, slope = self._algebraic(time_s, moving)
        y, z = self._moving, self._following
        reduced = slope[np.ix_(y, y)]
        if len(z):
            reduced = reduced - slope[np.ix_(y, z)] @ np.linalg.solve(slope[np.ix_(z, z)], slope[np.ix_(z, y)])
        return -reduced / self._weights[:, None]

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
        tolerance = np.where(self._is_state, atol, atol * THERMAL_TOLERANCE_K)[self._moving]
        state = np.zeros(len(self._moving))
        self._guess = np.zeros(len(self._index))
        rows = []
        for begin, end in pairwise(edges):
            asked = times[(times >= begin) & ((times < end) | (end == edges[-1]))]
            done = solve_ivp(
                self._rates, (begin, end), state, method="Radau", jac=self._rate_slopes, rtol=rtol, atol=tolerance,
                t_eval=np.union1d(asked, [end]), max_step=largest_step_s,
            )  # fmt: skip
            if not done.success:
                raise CompactError(
                    f"the reference stopped at {done.t[-1] if len(done.t) else begin:.6g} s: {done.message}"
                )
            state = done.y[:, -1]
            rows += [(t, done.y[:, k]) for k, t in enumerate(done.t) if t in asked]
        return self._solution(times, np.array([y for _, y in rows]))

    def _solution(self, times: Floats, moving: Floats) -> Solution:
        solved = [self._algebraic(t, y)[:2] for t, y in zip(times, moving, strict=True)]
        unknowns, out = np.array([item[0] for item in solved]), np.array([item[1] for item in solved])
        states = {}
        for instance in self.instances:
            values = instance.model.values(instance.values)
            for state in instance.model.states:
                start, scale = instance.model.start_and_scale(state.name, values)
                name = f"{instance.name}.{state.name}"
                states[name] = start + scale * unknowns[:, self._index[name]]
        potentials = {name: unknowns[:, i] for name, i in self._index.items() if not self._is_state[i]}
        currents = {name: out[:, self._index[name]] for name in self.sources}
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
