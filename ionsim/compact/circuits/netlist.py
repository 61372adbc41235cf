"""What a circuit is: instances of models, resistors, and voltage sources to ground; and what came out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ionsim.compact.description import CompactError, Model

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Waveform:
    """A piecewise linear voltage: ``times_s`` (n,) rising, ``volts`` (n,); constant before and after."""

    times_s: tuple[float, ...]
    volts: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.volts) or np.any(np.diff(self.times_s) <= 0):
            raise CompactError("a waveform has as many volts as times, and its times rise")

    def __call__(self, time_s: ArrayLike) -> Floats:
        """The voltage at one or many times."""
        return np.asarray(np.interp(np.asarray(time_s, dtype=float), self.times_s, self.volts))

    def slope(self, time_s: float, span_s: tuple[float, float]) -> float:
        """dV/dt in V/s between two times that no corner lies between."""
        begin, end = span_s
        first, last = self((begin, end))
        return float((last - first) / (end - begin))


@dataclass(frozen=True)
class Sine:
    """``offset_V`` + ``amplitude_V`` sin(2 pi ``frequency_Hz`` t)."""

    amplitude_V: float
    frequency_Hz: float
    offset_V: float = 0.0

    @property
    def times_s(self) -> tuple[float, ...]:
        """Corners: none."""
        return ()

    def __call__(self, time_s: ArrayLike) -> Floats:
        """The voltage at one or many times."""
        phase = 2 * np.pi * self.frequency_Hz * np.asarray(time_s, dtype=float)
        return np.asarray(self.offset_V + self.amplitude_V * np.sin(phase))

    def slope(self, time_s: float, span_s: tuple[float, float]) -> float:
        """dV/dt in V/s at a time; a sine has no corners."""
        omega = 2 * np.pi * self.frequency_Hz
        return float(self.amplitude_V * omega * np.cos(omega * time_s))


@dataclass(frozen=True)
class Instance:
    """A model in a circuit: nodes of its terminals in order; a missing optional one becomes ``name_terminal``."""

    name: str
    model: Model
    nodes: tuple[str, ...]
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def terminals(self) -> tuple[str, ...]:
        """The node of every terminal; raises CompactError for too few or too many nodes."""
        ports = self.model.ports
        needed = sum(not port.optional for port in ports)
        if not needed <= len(self.nodes) <= len(ports):
            raise CompactError(f"{self.name}: {len(self.nodes)} nodes for the {len(ports)} of {self.model.name}")
        missing = tuple(f"{self.name}_{port.name}" for port in ports[len(self.nodes) :])
        return (*self.nodes, *missing)


@dataclass(frozen=True)
class Circuit:
    """Instances, ``sources`` (node -> waveform over ground "0") and ``resistors`` (node, node, Ohm) at one ambient."""

    title: str
    instances: tuple[Instance, ...]
    sources: Mapping[str, Waveform | Sine]
    resistors: tuple[tuple[str, str, float], ...] = ()
    ambient_K: float = 300.15

    def __post_init__(self) -> None:
        names = [instance.name for instance in self.instances]
        nodes = {node for instance in self.instances for node in instance.terminals}
        nodes |= {node for first, second, _ in self.resistors for node in (first, second)} | set(self.sources)
        for name in (*names, *nodes - {"0"}):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise CompactError(f"{self.title}: {name!r} is no name for all simulators (lower case, digits, _)")
        if len(set(names)) < len(names):
            raise CompactError(f"{self.title}: two instances of one name")
        for instance in self.instances:
            instance.model.values(instance.values)

    @property
    def models(self) -> tuple[Model, ...]:
        """Each model once."""
        return tuple({instance.model.name: instance.model for instance in self.instances}.values())


@dataclass(frozen=True)
class Transient:
    """A transient analysis from 0: its end, the largest step, the first one, and the relative tolerance.

    ``corner_share`` bounds a step of VACASK to this share of the distance between corners of the sources, so that edges
    and short pulses are resolved whatever the largest step; ngspice resolves corners by itself.
    ``record``: names of nodes and of ``instance.state`` to keep; None keeps all. Currents of sources are always kept.
    """

    stop_s: float
    largest_step_s: float
    first_step_s: float | None = None
    relative_tolerance: float = 1e-4
    corner_share: float = 0.02
    record: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Steady:
    """Operating points while the source at ``node`` is swept: states stay at their start, heat is in equilibrium.

    ``record`` as in a transient analysis.
    """

    node: str
    from_V: float
    to_V: float
    step_V: float
    relative_tolerance: float = 1e-6
    record: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Spectrum:
    """A noise analysis about the operating point: power density of the voltage at ``node``, at ``per_decade``
    frequencies a decade from ``low_Hz`` to ``high_Hz``. Sources have their voltage at t = 0; gains are from ``source``.
    """

    node: str
    source: str
    low_Hz: float
    high_Hz: float
    per_decade: int = 10
    relative_tolerance: float = 1e-6
    record: tuple[str, ...] | None = None


#: What can be asked of a circuit.
Analysis = Transient | Steady | Spectrum


@dataclass(frozen=True)
class Solution:
    """What a circuit did at ``points`` (n,): times of a transient in s, or voltages of a steady sweep in V.

    Potentials by node and states by ``instance.state``, each (n,); thermal nodes have the rise of the temperature in K.
    ``currents_A`` are those out of each source into the circuit, by node. The reference has inner nodes as well, as
    ``instance.node``.
    """

    points: Floats
    potentials: Mapping[str, Floats]
    states: Mapping[str, Floats]
    currents_A: Mapping[str, Floats]

    def at(self, points: ArrayLike) -> Solution:
        """The same at other points, between the known ones by straight lines."""
        wanted = np.asarray(points, dtype=float)

        def moved(series: Mapping[str, Floats]) -> dict[str, Floats]:
            return {name: np.interp(wanted, self.points, values) for name, values in series.items()}

        return Solution(wanted, moved(self.potentials), moved(self.states), moved(self.currents_A))
