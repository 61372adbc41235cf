"""What a pulse does to a conductance, from pulse trains: mean step against conductance, its noise, its spread.

Weights are conductances mapped linearly: w = -1 at the smallest conductance of a cycle (trains up and down), w = 1 at
the largest, means over all cycles.
The mean step is linear between nodes on an even grid of weights, as aihwkit's piecewise device and CrossSim's tables
have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, lsq_linear

from ionsim.compact.benchmark import train_ends
from ionsim.compact.card import Card, MissingDataError
from ionsim.compact.cardparts import PulseTrain

Floats = NDArray[np.float64]

#: Numbers of nodes that are tried; aihwkit's kernels for graphics processors take fewer than 64.
NODES = (8, 12, 16, 24, 32, 48, 63)

#: A replay of the trains that is this good needs no more nodes (rms of the weight).
GOOD = 0.002

#: Weight of slope and bend of the nodes against the steps: it fills nodes without data.
_SMOOTH = 1e-5

#: Weight of the bend of ln(nodes) against a whole train, and the smallest step that is told from none: simulators hold
#: weights in single precision, 6e-8 apart near -1, where a train that grows from such steps would grow from rounding.
_STIFF, _LEAST = 1e-5, 3e-6


@dataclass(frozen=True)
class UpdateLaw:
    """Steps by direction at ``nodes`` (n,), both >= 0 and in weights; see the functions for the rest.

    ``noise``: standard deviation of a step over its mean. ``gains``: factor of the step by device. ``replay_rms``: rms
    difference of weights between the mean train of a direction and its replay without noise, pulse after pulse from the
    first read on; ``step_rms``: that of single steps.
    """

    low_S: float
    high_S: float
    nodes: Floats
    up: Floats
    down: Floats
    noise: float
    gains: tuple[float, ...]
    low_spread: float
    high_spread: float
    replay_rms: float
    step_rms: float

    def weight(self, conductance_S: Floats) -> Floats:
        """Weights of conductances."""
        return 2 * (np.asarray(conductance_S) - self.low_S) / (self.high_S - self.low_S) - 1

    def conductance_S(self, weight: Floats) -> Floats:
        """Conductances of weights."""
        return self.low_S + (np.asarray(weight) + 1) / 2 * (self.high_S - self.low_S)

    def step(self, weight: Floats, direction: str) -> Floats:
        """Mean change of a weight by one pulse, with its sign."""
        sign, values = (1.0, self.up) if direction == "up" else (-1.0, self.down)
        return sign * np.interp(np.clip(weight, -1, 1), self.nodes, values)

    def replay(self, start: float, n_pulses: int, direction: str) -> Floats:
        """Weights (n_pulses + 1,) under equal pulses, without noise, held within -1 and 1."""
        out = [float(start)]
        for _ in range(n_pulses):
            out.append(float(np.clip(out[-1] + self.step(np.array(out[-1]), direction), -1, 1)))
        return np.array(out)


def update_law(card: Card, nodes: Sequence[int] = NODES) -> UpdateLaw:
    """The law of a card's pulse trains with the fewest nodes that replay them well, or the best of those tried.

    Raises MissingDataError for a card without trains in both directions, or whose trains change nothing.
    """
    up, down = card.trains("up"), card.trains("down")
    if not up or not down:
        raise MissingDataError(
            f"card {card.name}: pulse trains up and down are needed, there are {len(up)} and {len(down)}"
        )
    best = None
    for n in nodes:
        law = _law(up, down, n)
        if best is None or law.replay_rms < best.replay_rms:
            best = law
        if best.replay_rms < GOOD:
            break
    assert best is not None
    return best


def _law(up: Sequence[PulseTrain], down: Sequence[PulseTrain], n: int) -> UpdateLaw:
    highs, lows, devices = train_ends([*up, *down])
    low, high = float(lows.mean()), float(highs.mean())
    if not high > low:
        raise MissingDataError("pulse trains that change nothing")
    grid = np.linspace(-1, 1, n)

    def weights(train: PulseTrain) -> Floats:
        return 2 * (np.array(train.conductances_S) - low) / (high - low) - 1

    steps = {}
    for name, trains, sign in (("up", up, 1.0), ("down", down, -1.0)):
        length = min(len(train.conductances_S) for train in trains)
        middle = np.mean([weights(train)[:length] for train in trains], axis=0)
        steps[name] = _polished(_nodes([weights(train) for train in trains], sign, grid), sign * middle, sign, grid)
    law = UpdateLaw(low, high, grid, steps["up"], steps["down"], 0.0, (1.0,), 0.0, 0.0, 0.0, 0.0)
    gains: dict[int, list[tuple[float, float]]] = {}
    parts = []
    for train in (*up, *down):
        w = weights(train)
        mean = law.step(w[:-1], train.direction)
        gains.setdefault(train.device, []).append((float(mean @ np.diff(w)), float(mean @ mean)))
        parts.append((train.device, mean, np.diff(w)))
    gain = {device: sum(a for a, _ in pairs) / max(sum(b for _, b in pairs), 1e-300) for device, pairs in gains.items()}
    rest = np.concatenate([step - gain[device] * mean for device, mean, step in parts])
    means = np.concatenate([mean for _, mean, _ in parts])
    apart = []
    for trains in (up, down):
        length = min(len(train.conductances_S) for train in trains)
        middle = np.mean([weights(train)[:length] for train in trains], axis=0)
        apart.append(middle - law.replay(float(middle[0]), length - 1, trains[0].direction))
    several = len(up) + len(down) > 2
    return UpdateLaw(
        low, high, grid, steps["up"], steps["down"],
        # one train each way has no repetition: what the nodes leave is no noise
        noise=float(np.sqrt(rest @ rest / max(means @ means, 1e-300))) if several else 0.0,
        gains=tuple(gain[device] for device in sorted(gain)),
        low_spread=_spread(lows, devices) * 2 / (high - low),
        high_spread=_spread(highs, devices) * 2 / (high - low),
        replay_rms=float(np.sqrt(np.mean(np.concatenate(apart) ** 2))),
        step_rms=float(np.sqrt(np.mean(rest**2))),
    )  # fmt: skip


def _nodes(trains: Sequence[Floats], sign: float, grid: Floats) -> Floats:
    """Node values from 0 to the whole range by least squares over all steps; smoothing fills those without steps."""
    w = np.concatenate([train[:-1] for train in trains])
    step = sign * np.concatenate([np.diff(train) for train in trains])
    place = np.clip((w + 1) / 2 * (len(grid) - 1), 0, len(grid) - 1)
    left = np.minimum(place.astype(int), len(grid) - 2)
    matrix = np.zeros((len(w), len(grid)))
    rows = np.arange(len(w))
    matrix[rows, left] = 1 - (place - left)
    matrix[rows, left + 1] = place - left
    rough = np.vstack([np.diff(np.eye(len(grid)), order, axis=0) for order in (1, 2)]) * _SMOOTH * np.sqrt(len(w))
    found = lsq_linear(np.vstack([matrix, rough]), np.concatenate([step, np.zeros(len(rough))]), bounds=(0, 2))
    return np.asarray(found.x)


def _polished(nodes: Floats, middle: Floats, sign: float, grid: Floats) -> Floats:
    """Node values that follow a mean train (n,) as a whole: errors of single steps add up along a long one.

    ``middle`` is the train times ``sign``, so that it rises; the nodes of a falling one are taken in reverse.
    """
    start = np.clip(nodes[:: int(sign)], _LEAST, 2.0)
    rough = np.diff(np.eye(len(grid)), 2, axis=0) * _STIFF * np.sqrt(len(middle))

    def errors(log_values: Floats) -> Floats:
        return np.concatenate([_followed(np.exp(log_values), middle)[0] - middle, rough @ log_values])

    def slopes(log_values: Floats) -> Floats:
        return np.vstack([_followed(np.exp(log_values), middle)[1], rough])

    begin = np.log(start)
    found = least_squares(errors, begin, jac=slopes, bounds=(np.log(_LEAST) - 1, np.log(2.0) + 1e-9), max_nfev=60)
    better = np.sum(errors(found.x)[: len(middle)] ** 2) < np.sum(errors(begin)[: len(middle)] ** 2)
    return np.asarray(np.exp(found.x)[:: int(sign)] if better else nodes)


def _followed(values: Floats, middle: Floats) -> tuple[Floats, Floats]:
    """A rising replay (m,) from the train's first weight, and its derivatives (m, n) by the logarithms of the nodes."""
    n = len(values)
    w, slope = float(middle[0]), np.zeros(n)
    out, slopes = np.empty(len(middle)), np.zeros((len(middle), n))
    out[0] = w
    for k in range(1, len(middle)):
        place = min(max((w + 1) / 2 * (n - 1), 0.0), float(n - 1))
        left = min(int(place), n - 2)
        q = place - left
        step = (1 - q) * values[left] + q * values[left + 1]
        slope = slope * (1 + (values[left + 1] - values[left]) * (n - 1) / 2)
        slope[left] += (1 - q) * values[left]
        slope[left + 1] += q * values[left + 1]
        w += step
        if not -1 <= w <= 1:
            w, slope = min(max(w, -1.0), 1.0), np.zeros(n)
        out[k], slopes[k] = w, slope
    return out, slopes


def _spread(values: Floats, devices: NDArray[np.int64]) -> float:
    """Standard deviation between devices of their mean; 0 with one device."""
    means = [float(values[devices == device].mean()) for device in np.unique(devices)]
    return float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
