"""Telegraph noise inside a model: a terminal ``rtn`` whose voltage is the relative change of the read current.

Simulators of circuits have no two-level source with random dwell times, so the levels come as a waveform drawn from a
seed: 0.02 V at the terminal is 2 % more current. The current that changes is that of the model's flicker noise: the one
that traps modulate. Heat and motion follow the potentials, not the noise, as in a noise analysis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import sympy
from scipy.optimize import brentq

from ionsim.compact.card import Card, MissingDataError
from ionsim.compact.cardparts import Telegraph
from ionsim.compact.circuits.netlist import Waveform
from ionsim.compact.description import CompactError, Flow, Model, Node, Probe, symbol
from ionsim.compact.frozen import frozen
from ionsim.compact.functions import clip

#: Name of the terminal, and of its voltage in equations.
PORT, PROBE = "rtn", "rtn_level"

#: Edge of the waveform over the shorter mean dwell time; a dwell is never shorter than two edges.
EDGE_SHARE = 1e-3

#: Relative change beyond which the equations do not follow.
_MOST = 10


def telegraph_of(card: Card) -> Telegraph:
    """Telegraph noise as a card states it; raises MissingDataError for a card without."""
    for spread in (card.observed, card.statistics):
        if spread is not None and spread.telegraph is not None:
            return spread.telegraph
    raise MissingDataError(f"card {card.name}: no telegraph noise was found or stated")


def telegraph_model(base: Model) -> Model:
    """A model with the terminal ``rtn``; raises CompactError for one without flicker noise, which names the current."""
    found = [noise for noise in base.noises if noise.exponent is not None]
    if not found:
        raise CompactError(f"{base.name}: has no flicker noise, so that no current is known that a trap would change")
    noise = found[0]
    current, exponent = (noise.power / symbol("flicker")).as_base_exp()
    if exponent != 2:
        raise CompactError(f"{base.name}: flicker noise is not in proportion to the square of a current")
    nodes = list(base.nodes)
    first = next((i for i, node in enumerate(nodes) if node.optional or not node.port), len(nodes))
    level = clip(symbol(PROBE), -1, _MOST)
    return replace(
        base,
        nodes=(*nodes[:first], Node(PORT), *nodes[first:]),
        probes=(*base.probes, Probe(PROBE, PORT)),
        flows=(*base.flows, Flow(noise.plus, noise.minus, sympy.Mul(current, level))),
    )


def relative_levels(telegraph: Telegraph) -> tuple[float, float]:
    """The lower and the upper level over the mean in time, less one; a resistance changes the current inversely.

    Raises CompactError for a quantity that is no current, conductance or resistance, and levels of two signs.
    """
    low, high = telegraph.low, telegraph.high
    kind = telegraph.quantity.partition("_")[0].lower()
    if kind not in ("current", "conductance", "resistance", "i", "g", "r"):
        raise CompactError(f"telegraph: quantity = {telegraph.quantity!r}: a current, conductance or resistance")
    if low * high <= 0:
        raise CompactError(f"telegraph: levels {low:g} and {high:g}: both of one sign are needed")
    if kind in ("resistance", "r"):
        low, high = 1 / low, 1 / high
    in_high = telegraph.dwell_high_s / (telegraph.dwell_low_s + telegraph.dwell_high_s)
    mean = low + in_high * (high - low)
    return low / mean - 1, high / mean - 1


def terminal_levels(
    model: Model,
    applied_V: Sequence[float],
    shares: Sequence[float],
    wanted: Sequence[float],
    values: Mapping[str, float] | None = None,
) -> list[float]:
    """Voltages of ``rtn`` at which the current changes by the shares ``wanted``, states at their start.

    ``applied_V``: of the terminals before it; ``shares``: of their currents in the one that is meant. In series with
    what the noise does not reach, a current changes less than that of the noisy part. Raises CompactError where no
    voltage up to ten times the change does it.
    """
    held = [0.0] * len(model.states)

    def current(level: float) -> float:
        return float(frozen(model, [[*applied_V, level]], held, values).flows[0, : len(shares)] @ np.asarray(shares))

    middle = current(0.0)
    found = []
    for change in wanted:

        def missing(level: float, change: float = change) -> float:
            return current(level) / middle - 1 - change

        low, high = (max(10 * change, -0.99), 0.0) if change < 0 else (0.0, 10 * change)
        if missing(low) * missing(high) > 0:
            raise CompactError(f"{model.name}: telegraph noise cannot change the current by {change:.2%} at its start")
        found.append(float(brentq(missing, low, high, xtol=1e-9)))
    return found


def telegraph_wave(telegraph: Telegraph, levels: Sequence[float], n_dwells: int, seed: int) -> Waveform:
    """The voltages ``levels`` (lower, upper) through ``n_dwells`` exponential dwell times, started in equilibrium.

    The same seed gives the same wave.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    mean_s = (telegraph.dwell_low_s, telegraph.dwell_high_s)
    edge_s = EDGE_SHARE * min(mean_s)
    level = int(rng.random() < mean_s[1] / sum(mean_s))
    times, volts, now = [0.0], [levels[level]], 0.0
    for _ in range(n_dwells):
        now += max(float(rng.exponential(mean_s[level])), 2 * edge_s)
        times += [now - edge_s / 2, now + edge_s / 2]
        volts += [levels[level], levels[1 - level]]
        level = 1 - level
    return Waveform(tuple(times), tuple(volts))


def telegraph_spectrum(telegraph: Telegraph, frequencies_Hz: np.ndarray) -> np.ndarray:
    """One-sided power density (n,) in 1/Hz of the relative change (Machlup, J. Appl. Phys. 25, 341 (1954))."""
    low, high = relative_levels(telegraph)
    total = telegraph.dwell_low_s + telegraph.dwell_high_s
    rate = 1 / telegraph.dwell_low_s + 1 / telegraph.dwell_high_s
    return np.asarray(4 * (high - low) ** 2 / (total * (rate**2 + (2 * np.pi * np.asarray(frequencies_Hz)) ** 2)))
