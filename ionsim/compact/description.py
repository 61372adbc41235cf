"""What a compact model is: parameters, nodes, states and flows, with equations as sympy expressions.

A model has electrical nodes (potential in V, flow in A), thermal nodes (temperature above the ambient in K, flow in W)
and states. The node of a state holds its deviation from the start, (state - start)/scale, so that a circuit simulator
that starts with zeros everywhere starts right, and that a small drift keeps its digits.

Everything is in SI. Names are lower case, since ngspice knows no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import sympy
from sympy import Expr, Symbol

from ionsim.errors import IonsimError, nearest

#: Charge of one unit of a scaled state, in C: what makes the rows of states as large as those of currents.
STATE_CHARGE_C = 1e-6

#: Rate at which a held state returns to its start, in 1/s (operating point, and any analysis but a transient one).
HOLD_PER_S = 1e9

#: Names that mean something in one of the languages, as far as a model's author might want them.
RESERVED = frozenset(
    """
    abs acos asin atan ceil cos cosh exp floor ln log max min pow sgn sin sinh sqrt tan tanh time temper hertz
    and or not begin end if else real integer module branch analog parameter input output inout from ddt idt
    table case default for while function ground string sign unit u pi e i v m x1
    cell config design library instance primitive generate event wire reg task time initial always assign force release
    discipline nature connect driver resolve source sink large medium small strong weak supply0 supply1 tri use
    """.split()  # noqa: SIM905  as a list it would be fifty lines
)


class CompactError(IonsimError):
    """A compact model, a card or a circuit that is not valid, or a tool that is missing or failed."""


def symbol(name: str) -> Symbol:
    """The symbol of a name; all are real."""
    return Symbol(name, real=True)


@dataclass(frozen=True)
class Parameter:
    """A parameter in SI; ``low`` (excluded where ``open_low``) and ``high`` bound it."""

    name: str
    unit: str
    default: float
    meaning: str
    source: str
    low: float = float("-inf")
    high: float = float("inf")
    open_low: bool = False

    def check(self, value: float) -> float:
        """The value as a float; raises CompactError outside the allowed range."""
        if not (self.low < value if self.open_low else self.low <= value) or not value <= self.high:
            bracket = "(" if self.open_low else "["
            raise CompactError(f"{self.name} = {value!r}: allowed is {bracket}{self.low:g}, {self.high:g}] {self.unit}")
        return float(value)


@dataclass(frozen=True)
class Node:
    """A node that is no state; ``port``: it is a terminal of the model. Optional terminals come last."""

    name: str
    kind: Literal["electrical", "thermal"] = "electrical"
    port: bool = True
    optional: bool = False


@dataclass(frozen=True)
class Probe:
    """The name, in equations, of the potential of ``plus`` over ``minus`` (None: ground, or the ambient)."""

    name: str
    plus: str
    minus: str | None = None


@dataclass(frozen=True)
class State:
    """A state and its equation d(state)/dt = ``rate``; ``start`` and ``scale`` contain only parameters and numbers.

    ``low`` and ``high`` are the bounds that the equation respects by itself. ``pace``: factor of the state's row, below
    1 for a state with rates far above 1/s: simulators ask the flow into a node at rest to repeat to 1e-12 A, which
    the last digits of a fast state would miss.
    """

    name: str
    start: Expr
    rate: Expr
    meaning: str
    unit: str = "1"
    scale: Expr = sympy.S.One
    low: float = float("-inf")
    high: float = float("inf")
    pace: float = 1.0

    @property
    def charge_C(self) -> float:
        """Charge of one unit of the scaled state in its row."""
        return STATE_CHARGE_C * self.pace


@dataclass(frozen=True)
class Quantity:
    """A named part of the equations; ``shown`` makes it an operating-point variable.

    ``spread`` (least, usual and largest value): in an ngspice subcircuit it has a node, which holds its distance from
    the usual value. Other quantities are macros there, expanded as text, which grow too long in a long chain.
    """

    name: str
    value: Expr
    unit: str
    meaning: str
    shown: bool = True
    spread: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Flow:
    """A flow from ``plus`` to ``minus`` (None: ground or ambient): ``value`` + d/dt(``capacitance`` x potential)."""

    plus: str
    minus: str | None
    value: Expr = sympy.S.Zero
    capacitance: Expr = sympy.S.Zero


@dataclass(frozen=True)
class Noise:
    """Noise between two nodes of power density ``power`` (A^2/Hz), divided by f^``exponent`` where one is given."""

    plus: str
    minus: str
    power: Expr
    label: str
    exponent: Expr | None = None


@dataclass(frozen=True)
class Model:
    """A compact model. ``largest_change``: the change of a scaled state that a step may make, as an expression.

    ``stored``: free energy in J that the states hold, for a model that can give power back as a battery or a capacitor
    does. What enters by the flows is then passive together with it: power in minus the rise of ``stored`` is never
    below 0. Charges of ``capacitance`` do not belong to it.
    """

    name: str
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    nodes: tuple[Node, ...]
    probes: tuple[Probe, ...]
    quantities: tuple[Quantity, ...]
    flows: tuple[Flow, ...]
    states: tuple[State, ...] = ()
    noises: tuple[Noise, ...] = ()
    largest_change: Expr | None = None
    stored: Expr | None = None
    ambient: Symbol = field(default_factory=lambda: symbol("ambient"))

    def __post_init__(self) -> None:
        self._check_names()
        self._check_symbols()

    @property
    def ports(self) -> tuple[Node, ...]:
        """The terminals in order."""
        return tuple(node for node in self.nodes if node.port)

    @property
    def inner(self) -> tuple[Node, ...]:
        """Nodes that are neither terminals nor states."""
        return tuple(node for node in self.nodes if not node.port)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; raises CompactError with the nearest name."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = [parameter.name for parameter in self.parameters]
        raise CompactError(f"{self.name} has no parameter {name!r}{nearest(name, known)}")

    def values(self, changes: Mapping[str, float] | None = None) -> dict[str, float]:
        """All parameters by name, defaults with checked ``changes``."""
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for name, value in (changes or {}).items():
            values[name] = self.parameter(name).check(value)
        return values

    def start_and_scale(self, state: str, values: Mapping[str, float]) -> tuple[float, float]:
        """Start and scale of a state for all parameters ``values``: state = start + scale x deviation."""
        known = {symbol(name): sympy.Float(value) for name, value in values.items()}
        for item in self.states:
            if item.name == state:
                return float(item.start.xreplace(known)), float(item.scale.xreplace(known))
        raise CompactError(f"{self.name} has no state {state!r}{nearest(state, [item.name for item in self.states])}")

    def with_defaults(self, values: Mapping[str, float], source: str) -> Model:
        """The same equations with other defaults, which all come from ``source``."""
        checked = {name: self.parameter(name).check(value) for name, value in values.items()}
        return replace(
            self,
            parameters=tuple(
                replace(parameter, default=checked[parameter.name], source=source)
                if parameter.name in checked
                else parameter
                for parameter in self.parameters
            ),
        )

    def expressions(self) -> list[Expr]:
        """Every expression that the texts contain."""
        extra = [self.largest_change] if self.largest_change is not None else []
        return [
            *(quantity.value for quantity in self.quantities),
            *(part for flow in self.flows for part in (flow.value, flow.capacitance)),
            *(part for state in self.states for part in (state.start, state.rate, state.scale)),
            *(part for noise in self.noises for part in (noise.power, noise.exponent) if part is not None),
            *extra,
        ]

    def _check_names(self) -> None:
        names = [self.ambient.name, *(node.name for node in self.nodes)]
        for group in (self.parameters, self.probes, self.states, self.quantities):
            names += [item.name for item in group]
        for name in names:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED:
                raise CompactError(f"{self.name}: {name!r} is no name for all languages (lower case, not reserved)")
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise CompactError(f"{self.name}: used twice: {', '.join(twice)}")

    def _check_symbols(self) -> None:
        constant = {symbol(parameter.name) for parameter in self.parameters}
        known = constant | {self.ambient}
        known |= {symbol(item.name) for group in (self.probes, self.states) for item in group}
        for quantity in self.quantities:
            self._within(quantity.value, known, quantity.name)
            known.add(symbol(quantity.name))
        for flow in self.flows:
            self._within(flow.value, known, f"flow {flow.plus}-{flow.minus}")
            self._within(flow.capacitance, constant, f"capacitance {flow.plus}-{flow.minus}")
        if self.stored is not None:
            self._within(self.stored, known, "stored")
        for state in self.states:
            self._within(state.rate, known, f"rate of {state.name}")
            self._within(state.start, constant, f"start of {state.name}")
            self._within(state.scale, constant, f"scale of {state.name}")

    def _within(self, expression: Expr, known: Iterable[Symbol], where: str) -> None:
        unknown = {item.name for item in sympy.sympify(expression).free_symbols} - {item.name for item in known}
        if unknown:
            raise CompactError(f"{self.name}, {where}: unknown {', '.join(sorted(unknown))}")
