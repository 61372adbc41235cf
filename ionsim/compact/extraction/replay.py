"""A drive replayed on a compact model: the source, its series resistance and compliance, turns at the compliance.

What is given is what the source applied, not what reached the device, so that a model may switch at another time than
the physics did. The current limiter is smooth (:data:`ionsim.compact.extraction.kernel.LIMITER`). Where a stage turns
at the compliance, the model's own current turns it, at a recorded point, as a run does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.kernel import CURRENT, VOLTAGE, compiled
from ionsim.compact.numeric import equations
from ionsim.config.waveforms import AnyDrive
from ionsim.drive import Drive

Floats = NDArray[np.float64]

#: Absolute tolerances: potentials in V, temperatures in K, scaled states.
VOLT, KELVIN, STATE = 1e-6, 1e-2, 1e-7

#: Drop at the compliance, in V, of the limiter's own resistance where there is none in series; without a compliance it
#: is ``_WIRE_OHM``.
_DROP_V, _WIRE_OHM = 1e-3, 1e-3

#: Stands for no limit, A.
_NO_LIMIT_A = 1e30


@dataclass(frozen=True)
class _Intervals:
    """Recording intervals of a plan: times (k + 1,), and (k,) each."""

    times: Floats
    begin: Floats
    end: Floats
    mode: NDArray[np.int64]
    limit: Floats
    turn: NDArray[np.bool_]
    stage: NDArray[np.int64]


class Replay:
    """A drive on a model, called with parameters; what it needs of the drive is worked out once.

    Args:
        model: the equations.
        config: the drive of a device file.
        ambient_K: temperature of the surroundings.
        staircase: the source steps to the value at the end of each recording interval, as a lattice is driven; else
            it follows the ramp, as a continuum is, from 0 V at t = 0.
        driven: the terminal behind the source; by default the model's first.
        held: voltage of every other electrical terminal over ground; by default 0 V.
        rtol: relative error of a step; 1e-5 keeps currents within 1e-4 of those of the reference (a test).

    Raises CompactError for a drive with a transistor.
    """

    def __init__(
        self,
        model: Model,
        config: AnyDrive,
        ambient_K: float = 300.15,
        *,
        staircase: bool = False,
        driven: str | None = None,
        held: Mapping[str, float] | None = None,
        rtol: float = 1e-5,
        most_steps: int = 200_000,
    ) -> None:
        if config.transistor is not None:
            raise CompactError("drive.transistor: a replay has a source, a series resistance and a compliance alone")
        self.model, self.ambient_K, self.rtol, self.most_steps = model, ambient_K, rtol, most_steps
        self.drive, self.staircase = Drive(config), staircase
        self._ohm = config.series_resistance_ohm
        self._plans: dict[tuple[Any, ...], _Intervals] = {}
        self._code = equations(model)
        self._integrate = compiled(model)
        names = self._code.unknowns
        self.driven = driven or model.ports[0].name
        fixed = {port.name: 0.0 for port in model.ports if port.kind == "electrical" and port.name != self.driven}
        fixed |= held or {}
        self._fixed = {names.index(name): volts for name, volts in fixed.items()}
        self._free = np.array([k for k in range(len(names)) if k not in self._fixed], dtype=np.int64)
        self._te = int(np.flatnonzero(self._free == names.index(self.driven))[0])
        self._signs = np.zeros((len(names), len(model.flows) + len(model.states)))
        for column, flow in enumerate(model.flows):
            self._signs[names.index(flow.plus), column] = 1.0
            if flow.minus is not None:
                self._signs[names.index(flow.minus), column] = -1.0
        for index, state in enumerate(model.states):
            self._signs[names.index(state.name), len(model.flows) + index] = -1.0
        kinds = {node.name: VOLT if node.kind == "electrical" else KELVIN for node in model.nodes}
        self._atol = np.array([kinds.get(names[k], STATE) for k in self._free])

    def __call__(self, changes: Mapping[str, float] | None = None, level_A: float = np.inf) -> dict[str, Floats]:
        """The series of the drive for the model's defaults with ``changes``: (k,) each, at the recorded times.

        ``time_s``, ``voltage_V`` of the source (where it forces a current: of the terminal), ``device_V`` and
        ``current_A`` at the driven terminal, ``conductance_S``, ``power_W``, ``limited``, ``stage``, ``crossing_s``
        (when within the interval |current| first reached ``level_A`` from below, by the integrator's own steps; nan
        where it did not), every other free node by its name (thermal ones: rise in K) and every state by its name.
        Raises CompactError where no step is small enough.
        """
        values = self.model.values(changes)
        constants = self._code.arguments(values, self.ambient_K)
        names, free = self._code.unknowns, self._free
        mass = self._mass(constants)
        known = np.zeros(len(names))
        for index, volts in self._fixed.items():
            known[index] = volts
        y = np.zeros(len(free))
        self.drive.start()
        rows: list[tuple[_Intervals, int, int, Floats, Floats]] = []
        done = 0
        while True:
            plan = self._plan()
            count = len(plan.begin) - done
            part = slice(done, done + count)
            out, source = np.empty((count, len(free))), np.empty((count, 3))
            ohm = self._resistance(plan.limit)
            made, _, status = self._integrate(
                y, free, known, np.array(constants), self._signs, mass, self._te, plan.times[done:], plan.begin[part],
                plan.end[part], plan.mode[part], ohm, plan.limit[part], plan.turn[part], level_A, self._atol, self.rtol,
                self.most_steps, out, source,
            )  # fmt: skip
            if status:
                why = {1: "no step is small enough", 2: f"more than {self.most_steps} steps", 3: "no operating point"}
                raise CompactError(f"{self.model.name}: the replay stopped at {plan.times[done + made]:.6g} s: "
                                   f"{why[status]}")  # fmt: skip
            rows.append((plan, done, done + made, out[:made], source[:made]))
            done += made
            if done == len(plan.begin):
                break
            # The compliance turned a stage here: the source has another plan from now on.
            self.drive.on_compliance(float(plan.times[done]))
        return self._series(rows, values)

    def _resistance(self, limits: Floats) -> float:
        limit = float(limits.min(initial=_NO_LIMIT_A))
        return max(self._ohm, _WIRE_OHM if limit >= _NO_LIMIT_A else _DROP_V / limit)

    def _mass(self, constants: tuple[float, ...]) -> Floats:
        names, n_flows = self._code.unknowns, len(self.model.flows)
        capacitances = np.array(self._code.capacitances(*([0.0] * len(names)), *constants), dtype=float)
        signs = self._signs[:, :n_flows]
        mass = (signs * capacitances) @ signs.T
        for state in self.model.states:
            mass[names.index(state.name), names.index(state.name)] = 1.0
        return np.ascontiguousarray(mass[np.ix_(self._free, self._free)])

    def _plan(self) -> _Intervals:
        drive = self.drive
        key = tuple(sorted((stage, *turn) for stage, turn in drive.turns.items()))
        if key not in self._plans:
            self._plans[key] = self._intervals()
        return self._plans[key]

    def _intervals(self) -> _Intervals:
        drive, times = self.drive, np.asarray(self.drive.samples_s)
        count = len(times) - 1
        begin, end, limit = np.zeros(count), np.zeros(count), np.full(count, _NO_LIMIT_A)
        mode, stage = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        turn = np.zeros(count, dtype=np.bool_)
        before = 0.0
        for k in range(count):
            middle = 0.5 * float(times[k] + times[k + 1])
            circuit = drive.circuit(middle, (float(times[k]), float(times[k + 1])))
            stage[k] = drive.stage(middle)
            if circuit.compliance_A is not None:
                limit[k] = circuit.compliance_A
            if circuit.forced_A is not None:
                mode[k], (begin[k], end[k]) = CURRENT, circuit.forced_A
                continue
            volts = drive.voltage_V(float(times[k + 1]))
            mode[k], end[k] = VOLTAGE, volts
            begin[k] = volts if self.staircase else before
            before = volts
            turn[k] = drive.turns_at(middle)
        return _Intervals(times, begin, end, mode, limit, turn, stage)

    def _series(
        self, rows: list[tuple[_Intervals, int, int, Floats, Floats]], values: Mapping[str, float]
    ) -> dict[str, Floats]:
        out = np.concatenate([row[3] for row in rows])
        source = np.concatenate([row[4] for row in rows])

        def joined(pick: Any) -> Floats:
            return np.concatenate([np.asarray(pick(plan)[low:high], dtype=float) for plan, low, high, _, _ in rows])

        limit = joined(lambda plan: plan.limit)
        found = {
            "time_s": joined(lambda plan: plan.times[1:]),
            "voltage_V": joined(lambda plan: plan.end),
            "device_V": out[:, self._te],
            "current_A": source[:, 0],
            "crossing_s": source[:, 2],
            "limited": (np.abs(source[:, 1]) >= limit).astype(float),
            "stage": joined(lambda plan: plan.stage),
        }
        forced = joined(lambda plan: plan.mode) == CURRENT
        found["voltage_V"] = np.where(forced, found["device_V"], found["voltage_V"])
        found["power_W"] = found["device_V"] * found["current_A"]
        with np.errstate(divide="ignore", invalid="ignore"):
            found["conductance_S"] = np.where(
                np.abs(found["device_V"]) > 1e-9, found["current_A"] / found["device_V"], np.nan
            )
        for column, index in enumerate(self._free):
            name = self._code.unknowns[index]
            if column == self._te:
                continue
            series = out[:, column]
            if any(state.name == name for state in self.model.states):
                start, scale = self.model.start_and_scale(name, values)
                series = start + scale * series
            found[name] = series
        return found
