"""A model's equations as Python functions: values and exact derivatives at given potentials and states.

The unknowns of a model are the potentials of its nodes, in order, and the deviations of its states. The residual of a
node is the sum of flows out of it; that of a state is the same in units of charge per time, as a circuit simulator sees
it: ``resistive`` + d/dt(``reactive``) = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from ionsim.compact.description import HOLD_PER_S, CompactError, Model, Quantity, symbol
from ionsim.compact.functions import expand_helpers

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


@dataclass(frozen=True)
class Program:
    """A model's equations as assignments in order, each from unknowns, parameters, the ambient and earlier ones.

    Derivatives go by the chain rule from quantity to quantity: writing every quantity out in unknowns first takes
    minutes where quantities build on each other. ``values``: of each flow, then the rate of each scaled state;
    ``slopes``: their derivatives by every unknown, row by row; both in primitives and assigned symbols.
    """

    unknowns: tuple[Symbol, ...]
    arguments: tuple[Symbol, ...]
    assigned: tuple[tuple[Symbol, Expr], ...]
    values: tuple[Expr, ...]
    slopes: tuple[Expr, ...]
    names: tuple[tuple[str, Symbol], ...]

    def arranged(self, outputs: Sequence[Expr]) -> tuple[list[tuple[Symbol, Expr]], list[Expr]]:
        """What ``outputs`` need, with common parts taken out, as assignments in an order that works."""
        needed = _needed(dict(self.assigned), outputs)
        wanted = [(name, value) for name, value in self.assigned if name in needed]
        parts, reduced = sympy.cse([*(value for _, value in wanted), *outputs],
                                   symbols=sympy.numbered_symbols("s_", real=True))  # fmt: skip
        every = dict(parts) | {name: reduced[k] for k, (name, _) in enumerate(wanted)}
        return _ordered(every), list(reduced[len(wanted) :])


@lru_cache(maxsize=32)
def program(model: Model) -> Program:
    """The assignments of a model."""
    potentials = {node.name: Symbol(f"node_{node.name}", real=True) for node in model.nodes}
    deviations = {state.name: Symbol(f"deviation_{state.name}", real=True) for state in model.states}
    unknowns = (*potentials.values(), *deviations.values())
    assigned: list[tuple[Symbol, Expr]] = []
    slope: dict[Symbol, dict[Symbol, Expr]] = {}

    def by_unknowns(expression: Expr) -> dict[Symbol, Expr]:
        found: dict[Symbol, Expr] = {}
        for inner in sorted(expression.free_symbols & slope.keys(), key=str):
            outer = expand_helpers(sympy.sympify(expression.diff(inner)))
            for unknown, value in slope[inner].items():
                found[unknown] = found.get(unknown, sympy.Integer(0)) + outer * value
        return found

    for probe in model.probes:
        plus, minus = potentials[probe.plus], potentials[probe.minus] if probe.minus else None
        assigned.append((symbol(probe.name), plus - minus if minus is not None else plus))
        slope[symbol(probe.name)] = {plus: sympy.Integer(1)} | ({minus: sympy.Integer(-1)} if minus is not None else {})
    for state in model.states:
        deviation = deviations[state.name]
        assigned.append((symbol(state.name), state.start + state.scale * deviation))
        slope[symbol(state.name)] = {deviation: sympy.sympify(state.scale)}
    for quantity in model.quantities:
        name, value = symbol(quantity.name), sympy.sympify(quantity.value)
        assigned.append((name, expand_helpers(value)))
        slope[name] = {}
        for unknown, by in by_unknowns(value).items():
            short = Symbol(f"by_{unknown}_of_{quantity.name}", real=True)
            assigned.append((short, by))
            slope[name][unknown] = short
    values = [sympy.sympify(flow.value) for flow in model.flows]
    values += [sympy.sympify(state.rate / state.scale) for state in model.states]
    slopes = [by_unknowns(value) for value in values]
    return Program(
        unknowns,
        (*unknowns, *(symbol(parameter.name) for parameter in model.parameters), model.ambient),
        tuple(assigned),
        tuple(expand_helpers(value) for value in values),
        tuple(row.get(unknown, sympy.Integer(0)) for row in slopes for unknown in unknowns),
        tuple((name, symbol(name)) for name in [*(q.name for q in model.quantities), *(s.name for s in model.states)]),
    )


def _needed(assigned: Mapping[Symbol, Expr], outputs: Sequence[Expr]) -> set[Symbol]:
    found: set[Symbol] = set()
    waiting = [name for value in outputs for name in value.free_symbols]
    while waiting:
        name = waiting.pop()
        if name in assigned and name not in found:
            found.add(name)
            waiting += assigned[name].free_symbols
    return found


def _ordered(assigned: Mapping[Symbol, Expr]) -> list[tuple[Symbol, Expr]]:
    """Assignments in an order in which each uses only earlier ones."""
    done: dict[Symbol, Expr] = {}
    for first in assigned:
        waiting = [first]
        while waiting:
            name = waiting[-1]
            if name in done:
                waiting.pop()
                continue
            missing = [other for other in sorted(assigned[name].free_symbols, key=str) if other in assigned and
                       other not in done]  # fmt: skip
            if missing:
                waiting += missing
            else:
                done[name] = assigned[waiting.pop()]
    return list(done.items())


@lru_cache(maxsize=32)
def equations(model: Model) -> Equations:
    """Compile a model; some 0.1 s, kept for the next call."""
    steps = program(model)

    def compiled(outputs: Sequence[Expr], functions: dict[str, Any], library: str) -> Any:
        return sympy.lambdify(list(steps.arguments), list(outputs), modules=[functions, library],
                              cse=lambda _: steps.arranged(outputs))  # fmt: skip

    return Equations(
        model=model,
        unknowns=(*(node.name for node in model.nodes), *(state.name for state in model.states)),
        parameters=tuple(parameter.name for parameter in model.parameters),
        flows=compiled(steps.values, _SCALAR, "math"),
        slopes=compiled([*steps.values, *steps.slopes], _SCALAR, "math"),
        capacitances=compiled([sympy.sympify(flow.capacitance) for flow in model.flows], _SCALAR, "math"),
        quantities=compiled([name for _, name in steps.names], _ARRAY, "numpy"),
    )


@lru_cache(maxsize=8)
def stored_slopes(model: Model) -> Callable[..., list[float]]:
    """Derivatives of ``stored`` by every unknown, as a function of (unknowns..., parameters..., ambient); J each."""
    if model.stored is None:
        raise CompactError(f"{model.name} stores no energy")
    name = "stored_energy"
    steps = program(replace(model, quantities=(*model.quantities, Quantity(name, model.stored, "J", "", shown=False))))
    found = {str(short): short for short, _ in steps.assigned}
    outputs = [found.get(f"by_{unknown}_of_{name}", sympy.Integer(0)) for unknown in steps.unknowns]
    result: Callable[..., list[float]] = sympy.lambdify(
        list(steps.arguments), outputs, modules=[_SCALAR, "math"], cse=lambda _: steps.arranged(outputs)
    )
    return result


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
    for index, state in enumerate(model.states):
        row = len(model.nodes) + index
        out.reactive_slope[row, row] = state.charge_C
        if held:
            out.resistive[row] = state.charge_C * HOLD_PER_S * unknowns[row]
            out.resistive_slope[row, row] = state.charge_C * HOLD_PER_S
        else:
            out.resistive[row] = -state.charge_C * value[n_flows + index]
            out.resistive_slope[row] = -state.charge_C * slope[n_flows + index]
    out.reactive[:] = out.reactive_slope @ unknowns
    return out
