"""A model's equations as a list of assignments, quantity by quantity, with exact derivatives by the chain rule.

Quantities build on each other, so that expressions in the unknowns alone grow beyond what sympy differentiates in a
reasonable time; each one by what stands in it is short.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from ionsim.compact.description import Model, symbol
from ionsim.compact.functions import expand_helpers


@dataclass(frozen=True)
class Staged:
    """``unknowns``: potentials of the nodes, then deviations of the states. ``assignments`` come first, in order, of
    which the leading ``plain`` need no derivatives; then ``values`` (flows, rates of scaled states) and ``slopes``,
    theirs by each unknown, row by row. ``shown``: every quantity, then every state.
    """

    unknowns: tuple[Symbol, ...]
    plain: list[tuple[Symbol, Expr]]
    assignments: list[tuple[Symbol, Expr]]
    values: list[Expr]
    slopes: list[Expr]
    shown: list[Expr]


def staged(model: Model) -> Staged:
    """The equations of a model; capital letters begin every name that is not the model's own."""
    names = [*(node.name for node in model.nodes), *(state.name for state in model.states)]
    unknowns = {name: Symbol(f"U_{name}", real=True) for name in names}
    plain: list[tuple[Symbol, Expr]] = []
    partial: dict[Symbol, dict[str, Expr]] = {}
    for probe in model.probes:
        at = symbol(probe.name)
        plain.append((at, unknowns[probe.plus] - (unknowns[probe.minus] if probe.minus else 0)))
        partial[at] = {probe.plus: sympy.Integer(1)} | ({probe.minus: sympy.Integer(-1)} if probe.minus else {})
    for state in model.states:
        at = symbol(state.name)
        plain.append((at, expand_helpers(sympy.sympify(state.start + state.scale * unknowns[state.name]))))
        partial[at] = {state.name: expand_helpers(sympy.sympify(state.scale))}
    temporary = (Symbol(f"T_{k}", real=True) for k in _count())
    assignments = list(plain)

    def by_unknowns(expression: Expr) -> tuple[Expr, dict[str, Expr]]:
        """The value, and its derivatives; adds what they need to ``assignments``."""
        inner = sorted((item for item in expression.free_symbols if item in partial), key=lambda item: item.name)
        local = [expand_helpers(sympy.sympify(item)) for item in (expression, *(expression.diff(s) for s in inner))]
        parts, reduced = sympy.cse(local, symbols=temporary, order="none")
        assignments.extend(parts)
        total: dict[str, Expr] = {}
        for item, slope in zip(inner, reduced[1:], strict=True):
            if slope == 0:
                continue
            factor = next(temporary)
            assignments.append((factor, slope))
            for name, inward in partial[item].items():
                total[name] = total.get(name, sympy.Integer(0)) + factor * inward
        return reduced[0], total

    for quantity in model.quantities:
        at = symbol(quantity.name)
        value, total = by_unknowns(sympy.sympify(quantity.value))
        assignments.append((at, value))
        plain.append((at, expand_helpers(sympy.sympify(quantity.value))))
        partial[at] = {}
        for name, slope in total.items():
            partial[at][name] = Symbol(f"D_{quantity.name}_{name}", real=True)
            assignments.append((partial[at][name], slope))  # type: ignore[arg-type]
    values, slopes = [], []
    rows = [flow.value for flow in model.flows] + [state.rate / state.scale for state in model.states]
    for row in rows:
        value, total = by_unknowns(sympy.sympify(row))
        values.append(value)
        slopes += [total.get(name, sympy.Integer(0)) for name in names]
    shown: list[Expr] = [symbol(item.name) for group in (model.quantities, model.states) for item in group]
    return Staged(tuple(unknowns.values()), plain, assignments, values, slopes, shown)


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
