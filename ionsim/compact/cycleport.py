"""Cycle-to-cycle spread inside a model: terminals for standard normal scores that shift its parameters.

Verilog-A as compilers take it has no random numbers that would hold for a cycle. So the model gets terminals
``z1`` ... ``zr`` that draw no current; the voltage there, in V, is a score, and a source changes it from cycle to cycle
(``score_waves``). r principal components carry the covariance between cycles of the card's statistics, all that hold
more than ``LEAST_SHARE`` of the (standardised) variance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Float, exp

from ionsim.compact.card import Card
from ionsim.compact.circuits.netlist import Waveform
from ionsim.compact.description import CompactError, Model, Node, Parameter, Probe, Quantity, symbol
from ionsim.compact.functions import clip

Floats = NDArray[np.float64]

#: Share of the variance below which a component is left out.
LEAST_SHARE = 0.01

#: Scores beyond which the equations do not follow, so that an iterate of Newton's method cannot overflow.
_MOST = 8


@dataclass(frozen=True)
class CycleModel:
    """A model with ``n_ports`` score terminals; ``left_out``: parameters without spread between cycles, and why."""

    model: Model
    n_ports: int
    left_out: dict[str, str]


def cycle_model(card: Card) -> CycleModel:
    """The card's model with its spread between cycles; raises CompactError where the card has none that it could have.

    Starts, scales and capacitances are constants of a model, and empirical distributions are tables: parameters of
    these kinds stay where they are.
    """
    base = card.compact_model()
    statistics = card.statistics
    if statistics is None or not np.any(statistics.cycle_covariance):
        raise CompactError(f"card {card.name}: no spread between cycles of its parameters")
    fixed = _constant(base)
    left_out, kept = {}, []
    for index, name in enumerate(statistics.names):
        if statistics.marginals[name].kind == "empirical":
            left_out[name] = "its distribution is empirical"
        elif name in fixed:
            left_out[name] = "a start, a scale or a capacitance of the model"
        elif statistics.cycle_covariance[index][index] > 0:
            kept.append(index)
    if not kept:
        raise CompactError(f"card {card.name}: {'; '.join(f'{name}: {why}' for name, why in left_out.items())}")
    loads = _loadings(np.array(statistics.cycle_covariance)[np.ix_(kept, kept)])
    ports = [Node(f"z{j + 1}") for j in range(loads.shape[1])]
    scores = [clip(symbol(f"score{j + 1}"), -_MOST, _MOST) for j in range(len(ports))]
    quantities, exchanged = [], {}
    for row, index in enumerate(kept):
        name = statistics.names[index]
        shift = sympy.Add(*(Float(float(load)) * score for load, score in zip(loads[row], scores, strict=True)))
        quantities.append(_shifted(base.parameter(name), shift, statistics.marginals[name].kind == "lognormal"))
        exchanged[symbol(name)] = symbol(quantities[-1].name)
    nodes = list(base.nodes)
    first_optional = next((i for i, node in enumerate(nodes) if node.optional or not node.port), len(nodes))
    model = replace(
        base,
        nodes=tuple(nodes[:first_optional] + ports + nodes[first_optional:]),
        probes=(*base.probes, *(Probe(f"score{j + 1}", port.name) for j, port in enumerate(ports))),
        quantities=(*quantities, *(replace(q, value=q.value.xreplace(exchanged)) for q in base.quantities)),
        flows=tuple(replace(flow, value=sympy.sympify(flow.value).xreplace(exchanged)) for flow in base.flows),
        states=tuple(replace(state, rate=state.rate.xreplace(exchanged)) for state in base.states),
        noises=tuple(replace(noise, power=noise.power.xreplace(exchanged)) for noise in base.noises),
    )
    return CycleModel(model, len(ports), left_out)


def score_waves(n_ports: int, n_cycles: int, period_s: float, edge_s: float, seed: int) -> list[Waveform]:
    """Scores of ``n_cycles`` cycles of ``period_s``, constant in each; the same seed gives the same waves."""
    scores = np.random.default_rng(np.random.SeedSequence(seed)).standard_normal((n_ports, n_cycles))
    waves = []
    for row in scores:
        times, volts = [0.0], [float(row[0])]
        for cycle, (before, after) in enumerate(pairwise(row.tolist()), start=1):
            times += [cycle * period_s - edge_s, cycle * period_s]
            volts += [before, after]
        waves.append(Waveform(tuple(times), tuple(volts)))
    return waves


def _loadings(covariance: Floats) -> Floats:
    """Loadings (k, r) of principal components of the standardised covariance."""
    sd = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(sd, sd))
    kept = np.flatnonzero(values > LEAST_SHARE * len(sd))[::-1]
    vectors = vectors[:, kept] * np.where(vectors[:, kept].sum(axis=0) < 0, -1.0, 1.0)  # one sign, whatever the library
    return np.asarray(sd[:, None] * vectors * np.sqrt(values[kept]))


def _shifted(parameter: Parameter, shift: sympy.Expr, logarithmic: bool) -> Quantity:
    """A parameter times exp(shift), or plus shift, within its range."""
    name = symbol(parameter.name)
    value = name * exp(shift) if logarithmic else name + shift
    low = parameter.low
    if parameter.open_low and not logarithmic:
        low += 1e-3 * abs(parameter.default - low)
    if (np.isfinite(low) and not logarithmic) or np.isfinite(parameter.high):
        value = clip(value, Float(max(low, -1e300)), Float(min(parameter.high, 1e300)))
    return Quantity(f"now_{parameter.name}", value, parameter.unit, f"{parameter.meaning}, this cycle")


def _constant(model: Model) -> set[str]:
    """Parameters that appear where nothing may vary."""
    parts = [part for state in model.states for part in (state.start, state.scale)]
    parts += [flow.capacitance for flow in model.flows]
    return {item.name for part in parts for item in sympy.sympify(part).free_symbols}
