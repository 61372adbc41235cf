"""Models as text: Verilog-A for OpenVAF-Reloaded, and an ngspice subcircuit of B-sources."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import jinja2
import sympy
from sympy import Expr, Symbol

from ionsim.compact.description import HOLD_PER_S, Model, Parameter, Probe, Quantity, State, symbol
from ionsim.compact.functions import used_helpers
from ionsim.compact.printers import NgSpice, VerilogA, definition

_POTENTIAL = {"electrical": "V", "thermal": "Temp"}
_FLOW = {"electrical": "I", "thermal": "Pwr"}

#: What the first lines of an exported file say when no card is behind it.
NOTE = "Defaults of the family. Written by ionsim."


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates of this package; an unknown name in one is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("ionsim.compact", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, **context: Any) -> str:
    """One template with what it needs."""
    return environment().get_template(template).render(**context)


def verilog_a(model: Model, note: str = NOTE) -> str:
    """The Verilog-A text of a model; the same model gives the same text."""
    printer = VerilogA()
    kinds = {node.name: node.kind for node in model.nodes}

    def at(access: dict[str, str], plus: str, minus: str | None) -> str:
        return f"{access[kinds[plus]]}({plus}{f', {minus}' if minus else ''})"

    flows = []
    for flow in model.flows:
        left = at(_FLOW, flow.plus, flow.minus)
        if flow.value != 0:
            flows.append({"left": left, "value": printer.text(flow.value)})
        if flow.capacitance != 0:
            charge = f"{printer.text(flow.capacitance)} * {at(_POTENTIAL, flow.plus, flow.minus)}"
            flows.append({"left": left, "value": f"ddt({charge})"})
    names = [item.name for item in model.probes] + [model.ambient.name]
    return render(
        "model.va.j2",
        model=model,
        note=note,
        ports=[node.name for node in model.ports],
        declarations=[
            f"{'inout ' + node.name + '; ' if node.port else ''}{node.kind} {node.name};" for node in model.nodes
        ],
        parameters=[_parameter(parameter) for parameter in model.parameters],
        shown=[*model.states, *(quantity for quantity in model.quantities if quantity.shown)],
        hidden=[*names, *(quantity.name for quantity in model.quantities if not quantity.shown)],
        helpers=_helpers(model, printer),
        probes=[{"name": p.name, "value": at(_POTENTIAL, p.plus, p.minus)} for p in model.probes],
        ambient=model.ambient.name,
        states=[_state(state, printer) for state in model.states],
        quantities=[{"name": item.name, "value": printer.text(item.value)} for item in model.quantities],
        flows=flows,
        step=_step(model, printer),
        noises=[_noise(noise, printer) for noise in model.noises],
    )


def ngspice_subcircuit(model: Model, note: str = NOTE) -> str:
    """The ngspice subcircuit of a model: quantities are macros of the potentials, so that no node is added."""
    arguments, calls = _macros(model)
    printer = NgSpice(calls)
    inside = {symbol(probe.name): _voltage(probe) for probe in model.probes}
    inside |= {symbol(state.name): _start(state, printer) for state in model.states}
    inside |= {symbol(item.name): _spread(item) for item in model.quantities if item.spread}
    outside = NgSpice(inside | {symbol(name): _called(name, args, inside) for name, args in arguments.items()})
    lines = [
        f"Bq_{item.name} q_{item.name} 0 V = {outside.text(item.value)} - ({item.spread[1]!r})"
        for item in model.quantities
        if item.spread
    ]
    for index, flow in enumerate(model.flows, start=1):
        ends = f"{flow.plus} {flow.minus or '0'}"
        if flow.value != 0:
            lines.append(f"Bf{index} {ends} I = {outside.text(flow.value)}")
        if flow.capacitance != 0:
            lines.append(f"Cf{index} {ends} {{{outside.text(flow.capacitance)}}} ic=0")
    return render(
        "model.sub.j2",
        model=model,
        note=note,
        thermal=any(node.kind == "thermal" for node in model.nodes),
        ports=[node.name for node in model.ports],
        parameters=[_parameter(parameter) for parameter in model.parameters],
        ambient=model.ambient.name,
        helpers=_helpers(model, printer),
        quantities=[
            {"name": item.name, "value": printer.text(item.value), "arguments": arguments[item.name]}
            for item in model.quantities
            if not item.spread
        ],
        flows=lines,
        states=[_state(state, outside) for state in model.states],
    )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    low = "-inf" if math.isinf(parameter.low) else repr(float(parameter.low))
    high = "inf" if math.isinf(parameter.high) else repr(float(parameter.high))
    left = "(" if parameter.open_low or low == "-inf" else "["
    both = f" from {left}{low}:{high}{')' if high == 'inf' else ']'}"
    return {
        "name": parameter.name,
        "default": repr(float(parameter.default)),
        "meaning": parameter.meaning,
        "unit": parameter.unit,
        "range": "" if low == "-inf" and high == "inf" else both,
    }


def _helpers(model: Model, printer: VerilogA | NgSpice) -> list[dict[str, Any]]:
    out = []
    for helper in used_helpers(model.expressions()):
        arguments, body = definition(helper, printer)
        out.append({"name": helper.__name__, "arguments": arguments, "body": body})
    return out


def _state(state: State, printer: VerilogA | NgSpice) -> dict[str, str]:
    return {
        "name": state.name,
        "start": printer.text(state.start),
        "scale": f"({printer.text(state.scale)})",
        "rate": printer.text(state.rate / state.scale),
        "charge": repr(state.charge_C),
        "hold": repr(state.charge_C * HOLD_PER_S),
    }


def _step(model: Model, printer: VerilogA) -> str:
    """The step in which no state changes by more than ``largest_change``; 1e-9 1/s keeps the quotient finite."""
    if model.largest_change is None or not model.states:
        return ""
    rates = [f"abs({printer.text(state.rate / state.scale)})" for state in model.states]
    fastest = rates[0]
    for rate in rates[1:]:
        fastest = f"max({fastest}, {rate})"
    return f"{printer.text(model.largest_change)}/({fastest} + 1e-9)"


def _noise(noise: Any, printer: VerilogA) -> dict[str, str]:
    power = printer.text(noise.power)
    kind = (
        f"white_noise({power}, "
        if noise.exponent is None
        else f"flicker_noise({power}, {printer.text(noise.exponent)}, "
    )
    return {"left": f"I({noise.plus}, {noise.minus})", "value": f'{kind}"{noise.label}")'}


def _spread(item: Quantity) -> str:
    """A quantity that has a node, within its bounds whatever an iterate says."""
    assert item.spread is not None
    least, usual, largest = item.spread
    return f"({usual!r}+min(max(V(q_{item.name}),{least - usual!r}),{largest - usual!r}))"


def _voltage(probe: Probe) -> str:
    return f"V({probe.plus},{probe.minus})" if probe.minus else f"V({probe.plus})"


def _start(state: State, printer: NgSpice) -> str:
    return f"({printer.text(state.start)}+({printer.text(state.scale)})*V(n_{state.name}))"


def _macros(model: Model) -> tuple[dict[str, list[str]], dict[Symbol, str]]:
    """What each quantity depends on among probes and states, and its call inside another macro."""
    order = [item.name for group in (model.probes, model.states) for item in group]
    order += [item.name for item in model.quantities if item.spread]
    needs: dict[str, set[str]] = {name: {name} for name in order}
    macros = [item for item in model.quantities if not item.spread]
    for quantity in macros:
        needs[quantity.name] = set[str]().union(*(needs.get(name, set()) for name in _names(quantity.value)))
    # ngspice wants an argument; a macro of parameters alone takes the first probe and does not look at it
    arguments = {
        item.name: [name for name in order if name in needs[item.name]] or order[:1] for item in macros
    }
    # an argument named like a parameter or a macro would be taken for it
    calls = {symbol(name): f"{name}({', '.join(f'a_{arg}' for arg in args)})" for name, args in arguments.items()}
    calls |= {symbol(name): f"a_{name}" for name in order}
    return {name: [f"a_{arg}" for arg in args] for name, args in arguments.items()}, calls


def _called(name: str, arguments: list[str], inside: dict[Symbol, str]) -> str:
    return f"{name}({', '.join(inside[symbol(argument.removeprefix('a_'))] for argument in arguments)})"


def _names(expression: Expr) -> list[str]:
    return [str(item) for item in sympy.sympify(expression).free_symbols]
