"""Pulse trains of the compact model itself, for cards whose physics was never pulsed.

Equal pulses of the length that the family is verified with; their heights are those with which ``COUNT`` of them cover
``COVERED`` of what much higher ones reach, so that the train shows the steps in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.card import Card, MissingDataError
from ionsim.compact.cardparts import PulseTrain
from ionsim.compact.description import CompactError
from ionsim.compact.extraction.replay import Replay
from ionsim.compact.verify.trial import TRIALS
from ionsim.config.waveforms import Pulses

Floats = NDArray[np.float64]

COUNT, COVERED = 50, 0.9

#: Heights over those of the family's trial between which is looked, and how often the range is halved.
_LOWEST, _HIGHEST, _HALVINGS = 0.3, 1.5, 14


def with_trains(card: Card) -> Card:
    """The card, with trains of its own model where it has none up or none down; raises MissingDataError
    where it cannot make any."""
    if card.trains("up") and card.trains("down"):
        return card
    return card.model_copy(update={"pulses": tuple(simulated_trains(card))})


def simulated_trains(card: Card) -> list[PulseTrain]:
    """A train up from the state that the family's trial starts pulses from, and one down from its end."""
    trial = TRIALS.get(card.family)
    if trial is None or trial.gated:
        raise MissingDataError(f"card {card.name}: has no pulse trains up and down, which this needs")
    model = card.compact_model()
    width_s, rise_s = trial.width_s, trial.width_s / 20
    period_s = 2 * width_s + 2 * rise_s
    ends = period_s * np.arange(1, 2 * COUNT + 1) * (1 - 1e-9)

    def levels(up_V: float, down_V: float) -> Floats:
        """Conductances (2 COUNT + 1,) before the first pulse and after each."""
        drive = Pulses(kind="pulses", amplitude_V=up_V, second_amplitude_V=down_V, width_s=width_s, rise_s=rise_s,
                       period_s=period_s, count=COUNT, order="blocks", read_V=trial.read_V)  # fmt: skip
        series = Replay(model, drive)({trial.start: trial.pulse_start})
        at = np.minimum(np.searchsorted(series["time_s"], ends), len(series["time_s"]) - 1)
        start = int(np.argmax(np.isfinite(series["conductance_S"])))
        return np.concatenate([[series["conductance_S"][start]], series["conductance_S"][at]])

    high_V, low_V = trial.pulses_V
    up_V = _height(lambda factor: levels(factor * high_V, low_V)[: COUNT + 1], high_V)
    down_V = _height(lambda factor: levels(up_V, factor * low_V)[COUNT:], low_V)
    g = levels(up_V, down_V)

    def train(direction: Literal["up", "down"], volts: float, part: Floats) -> PulseTrain:
        return PulseTrain(direction=direction, amplitude=volts, width_s=width_s, read_V=trial.read_V,
                          conductances_S=tuple(part.tolist()), simulated=True)  # fmt: skip

    return [train("up", up_V, g[: COUNT + 1]), train("down", down_V, g[COUNT:])]


def _height(train: Callable[[float], Floats], unit_V: float) -> float:
    """The height, in V, with which a train covers the share of the range; factors of ``unit_V`` are tried."""

    def change(factor: float) -> float:
        try:
            g = train(factor)
        except CompactError:  # a runaway that no step resolves: too high
            return np.inf
        return float(abs(g[-1] - g[0]))

    low, high = _LOWEST, _HIGHEST
    while not np.isfinite(whole := change(high)) and high > 2 * low:
        high *= 0.9
    if not 0 < whole < np.inf:
        raise MissingDataError(f"pulses of {high * unit_V:.3g} V: the model does not switch, or not without a runaway")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if change(middle) < COVERED * whole else (low, middle)
    return float(f"{high * unit_V:.4g}")
