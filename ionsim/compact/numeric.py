"""A model's equations as Python functions: values and exact derivatives at given potentials and states.

The unknowns of a model are the potentials of its nodes, in order, and the deviations of its states. The residual of a
node is the sum of flows out of it; that of a state is the same in units of charge per time, as a circuit simulator sees
it: ``resistive`` + d/dt(``reactive``) = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr

from ionsim.compact.description import HOLD_PER_S, STATE_CHARGE_C, Model, symbol
from ionsim.compact.functions import expand_helpers
from ionsim.compact.staged import staged

Floats = NDArray[np.float64]

_SCALAR = {
    "minimum": min,
    "maximum": max,
    "select": lambda test, yes, no: yes if test >= 0 else no,
    "power": math.pow,
    "magnitude": abs,
}
_ARRAY = {
    "minimum": np.minimum,
    "maximum": np.maximum,
    "select": lambda test, yes, no: np.where(np.asarray(test) >= 0, yes, no),
    "power": np.power,
    "magnitude": np.abs,
}


@dataclass(frozen=True)
class Equations:
    """Functions of (unknowns..., parameters..., ambient), all as separate arguments.

    ``flows`` gives the value of each flow and then the rate of each scaled state, ``slopes`` the same and their
    derivatives by every unknown, row by row. ``quantities`` gives the named quantities and then the states; it takes
    arrays.
    """

    model: Model
    unknowns: tuple[str, ...]
    parameters: tuple[str, ...]
    flows: Callable[..., list[float]]
    slopes: Callable[..., list[float]]
    capacitances: Callable[..., list[float]]
    quantities: Callable[..., list[Any]]

    def arguments(self, values: Mapping[str, float], ambient_K: float) -> tuple[float, ...]:
        """What comes after the unknowns."""
        return (*(values[name] for name in self.parameters), ambient_K)


@lru_cache(maxsize=32)
def equations(model: Model) -> Equations:
    """Compile a model; some tenths of a second, kept for the next call."""
    stages = staged(model)
    constants = [symbol(parameter.name) for parameter in model.parameters]
    arguments = [*stages.unknowns, *constants, model.ambient]

    def compiled(assignments: list[Any], expressions: list[Expr], functions: dict[str, Any], library: str) -> Any:
        def given(_: Any) -> tuple[list[Any], list[Expr]]:
            return assignments, expressions

        return sympy.lambdify(arguments, expressions, modules=[functions, library], cse=given)

    capacitances = [expand_helpers(sympy.sympify(flow.capacitance)) for flow in model.flows]
    rates = [expand_helpers(sympy.sympify(state.rate / state.scale)) for state in model.states]
    flows = [expand_helpers(sympy.sympify(flow.value)) for flow in model.flows]
    return Equations(
        model=model,
        unknowns=(*(node.name for node in model.nodes), *(state.name for state in model.states)),
        parameters=tuple(parameter.name for parameter in model.parameters),
        flows=compiled(stages.plain, [*flows, *rates], _SCALAR, "math"),
        slopes=compiled(stages.assignments, [*stages.values, *stages.slopes], _SCALAR, "math"),
        capacitances=compiled([], capacitances, _SCALAR, "math"),
        quantities=compiled(stages.plain, stages.shown, _ARRAY, "numpy"),
    )


@dataclass(frozen=True)
class Residual:
    """A residual in two parts, each of shape (n,), and their derivatives, each (n, n); A, W and C, or W s/K."""

    resistive: Floats
    reactive: Floats
    resistive_slope: Floats
    reactive_slope: Floats


def residual(
    model: Model, unknowns: Floats, values: Mapping[str, float], ambient_K: float = 300.15, held: bool = False
) -> Residual:
    """The residual of a model alone at ``unknowns`` (n,): nodes in order, then deviations of states.

    ``held``: the states are pulled to their start, as in an operating point.
    """
    code = equations(model)
    arguments = (*np.asarray(unknowns, dtype=float).tolist(), *code.arguments(values, ambient_K))
    n, n_flows = len(code.unknowns), len(model.flows)
    both = np.array(code.slopes(*arguments))
    value, slope = both[: n_flows + len(model.states)], both[n_flows + len(model.states) :].reshape(-1, n)
    capacitance = np.array(code.capacitances(*arguments))
    where = {name: index for index, name in enumerate(code.unknowns)}
    out = Residual(np.zeros(n), np.zeros(n), np.zeros((n, n)), np.zeros((n, n)))
    for index, flow in enumerate(model.flows):
        ends = [(where[flow.plus], 1.0)] + ([(where[flow.minus], -1.0)] if flow.minus else [])
        for row, sign in ends:
            out.resistive[row] += sign * value[index]
            out.resistive_slope[row] += sign * slope[index]
            for column, other in ends:
                out.reactive_slope[row, column] += sign * other * capacitance[index]
    for index in range(len(model.states)):
        row = len(model.nodes) + index
        out.reactive_slope[row, row] = STATE_CHARGE_C
        if held:
            out.resistive[row] = STATE_CHARGE_C * HOLD_PER_S * unknowns[row]
            out.resistive_slope[row, row] = STATE_CHARGE_C * HOLD_PER_S
        else:
            out.resistive[row] = -STATE_CHARGE_C * value[n_flows + index]
            out.resistive_slope[row] = -STATE_CHARGE_C * slope[n_flows + index]
    out.reactive[:] = out.reactive_slope @ unknowns
    return out
