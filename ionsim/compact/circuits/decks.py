"""Decks: a circuit and an analysis as text for VACASK and for ngspice (with OSDI, or with B-source subcircuits)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import sympy

from ionsim.compact.circuits.netlist import Analysis, Circuit, Instance, Sine, Spectrum, Steady, Transient, Waveform
from ionsim.compact.description import CompactError
from ionsim.compact.render import render

#: Largest change of a state in a step with which a B-source needs no other tolerance than a compiled model.
_FREE_CHANGE = 0.02

#: Largest tolerance of B-sources: at 1e-5 the loop of the VCM card is 6e-3 decades off, at 3e-6 3e-5, in the same time.
_LOOSEST = 3e-6

#: Tolerance below which that of B-sources is not made tighter.
_TIGHTEST = 1e-8

#: Numbers on a line of a long waveform: ngspice cuts lines of many thousand characters.
_PER_LINE = 8


def vacask_deck(
    circuit: Circuit, analysis: Analysis, raw: str = "tran", ending: Literal["osdi", "va"] = "osdi"
) -> str:
    """A VACASK deck that loads ``<model>.osdi`` (or ``.va``, compiled on the way) and writes ``<raw>.raw``."""
    return render(
        "deck.sim.j2",
        circuit=circuit,
        analysis=analysis,
        raw=raw,
        ending=ending,
        models=[model.name for model in circuit.models],
        instances=[
            (item.name, " ".join(item.terminals), item.model.name, _values(item.values)) for item in circuit.instances
        ],
        sources=[(node, _source(source, analysis, _vacask_source)) for node, source in circuit.sources.items()],
        resistors=[
            (f"r{i}", first, second, repr(float(ohm))) for i, (first, second, ohm) in enumerate(circuit.resistors)
        ],
        saved=_vacask_saved(circuit, analysis),
        celsius=repr(circuit.ambient_K - 273.15),
        first=_first(analysis),
        kind=type(analysis).__name__.lower(),
    )


def ngspice_deck(circuit: Circuit, analysis: Analysis, raw: str = "tran.raw", osdi: bool = True) -> str:
    """An ngspice deck that uses ``<model>.osdi``, or without OSDI ``<model>.sub``, beside it, and writes ``raw``.

    Raises CompactError for a noise analysis without OSDI: B-sources are without noise.
    """
    if isinstance(analysis, Spectrum) and not osdi:
        raise CompactError(f"{circuit.title}: B-sources are without noise; compiled models have it")
    instances = []
    for item in circuit.instances:
        letter, name = ("n", f"m_{item.model.name}") if osdi else ("x", item.model.name)
        values = _values(item.values)
        if not osdi:
            held = " hold=1" if isinstance(analysis, Steady) else ""
            values = f"{values} {item.model.ambient.name}={circuit.ambient_K!r}{held}".lstrip()
        instances.append(f"{letter}{item.name} {' '.join(item.terminals)} {name} {values}".rstrip())
    return render(
        "deck.cir.j2",
        circuit=circuit,
        analysis=analysis,
        tolerance=analysis.relative_tolerance if osdi else _tighter(circuit, analysis.relative_tolerance),
        raw=raw,
        osdi=osdi,
        models=[model.name for model in circuit.models],
        instances=instances,
        sources=[(node, _source(source, analysis, _ngspice_source)) for node, source in circuit.sources.items()],
        resistors=[
            (f"r{i}", first, second, repr(float(ohm))) for i, (first, second, ohm) in enumerate(circuit.resistors)
        ],
        saved=_ngspice_saved(circuit, analysis, osdi),
        celsius=repr(circuit.ambient_K - 273.15),
        first=_first(analysis),
        kind=type(analysis).__name__.lower(),
    )


def _tighter(circuit: Circuit, tolerance: float) -> float:
    """The tolerance of B-sources, which cannot bound a step by the change of a state in it.

    It goes with the square of that bound: chosen, for the ECM card's loop, whose error falls from 0.010 to 0.003
    decades. What is as tight as :data:`_TIGHTEST` is left as it is: below, rounding makes steps too small.
    """
    tolerance, found = min(tolerance, _LOOSEST), [_FREE_CHANGE]
    for item in circuit.instances:
        if isinstance(bound := item.model.largest_change, sympy.Symbol):
            found.append(item.model.values(item.values)[str(bound)])
    return max(tolerance * (min(found) / _FREE_CHANGE) ** 2, min(tolerance, _TIGHTEST))


def wanted(circuit: Circuit, analysis: Analysis) -> tuple[list[str], list[tuple[Instance, str]]]:
    """Nodes and (instance, state) pairs to record."""
    nodes = list(dict.fromkeys(node for item in circuit.instances for node in item.terminals if node != "0"))
    nodes += [node for node in circuit.sources if node not in nodes]
    states = [(item, state.name) for item in circuit.instances for state in item.model.states]
    if analysis.record is None:
        return nodes, states
    keep = set(analysis.record)
    return [node for node in nodes if node in keep], [(i, s) for i, s in states if f"{i.name}.{s}" in keep]


def ngspice_state(item: Instance, state: str, osdi: bool) -> str:
    """The vector that holds the deviation of a state."""
    return f"v(n{item.name}#n_{state})" if osdi else f"v(x{item.name}.n_{state})"


def _first(analysis: Analysis) -> str:
    if not isinstance(analysis, Transient):
        return ""
    return repr(float(analysis.first_step_s or analysis.largest_step_s / 100))


def _source(source: Waveform | Sine, analysis: Analysis, text: Callable[[Any], str]) -> str:
    """A source in a transient analysis; in another its voltage at t = 0, which a sweep replaces at its node."""
    if isinstance(analysis, Transient):
        return text(source)
    return f"dc {float(source(0.0))!r} ac 1" if text is _ngspice_source else f"dc={float(source(0.0))!r}"


def _values(values: Mapping[str, float]) -> str:
    return " ".join(f"{name}={float(value)!r}" for name, value in values.items())


def _pairs(source: Waveform, comma: str) -> list[str]:
    words = [f"{float(t)!r}{comma}{float(v)!r}" for t, v in zip(source.times_s, source.volts, strict=True)]
    return [comma.join(words[i : i + _PER_LINE]) for i in range(0, len(words), _PER_LINE)]


def _vacask_source(source: Waveform | Sine) -> str:
    if isinstance(source, Sine):
        return f'type="sine" sinedc={source.offset_V!r} ampl={source.amplitude_V!r} freq={source.frequency_Hz!r}'
    return 'type="pwl" wave=[' + ", ".join(_pairs(source, ", ")) + "]"


def _ngspice_source(source: Waveform | Sine) -> str:
    if isinstance(source, Sine):
        return f"sin({source.offset_V!r} {source.amplitude_V!r} {source.frequency_Hz!r})"
    return "pwl(" + "\n+ ".join(_pairs(source, " ")) + ")"


def _vacask_saved(circuit: Circuit, analysis: Analysis) -> list[str]:
    nodes, states = wanted(circuit, analysis)
    return [
        *(f"v({node})" for node in nodes),
        *(f"v('{item.name}:n_{state}')" for item, state in states),
        *(f"i(v_{node})" for node in circuit.sources),
    ]


def _ngspice_saved(circuit: Circuit, analysis: Analysis, osdi: bool) -> list[str]:
    nodes, states = wanted(circuit, analysis)
    return [
        *(f"v({node})" for node in nodes),
        *(ngspice_state(item, state, osdi) for item, state in states),
        *(f"i(v_{node})" for node in circuit.sources),
    ]
