"""Pulse trains of the compact model itself, for cards whose physics was never pulsed.

Equal pulses of the length that the family is verified with; their heights are those with which ``COUNT`` of them cover
``COVERED`` of the most that any height reaches, so that the train shows the steps in between.
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

#: Heights over those of the family's trial between which is looked, how many of them are tried, and how often the way
#: from one to the next is halved.
_LOWEST, _HIGHEST, _TRIED, _HALVINGS = 0.3, 1.5, 13, 10


def with_trains(card: Card) -> Card:
    """The card, with trains of its own model where it has none up or none down; raises MissingDataError
    where it cannot make any."""
    if card.trains("up") and card.trains("down"):
        return card
    return card.model_copy(update={"pulses": tuple(simulated_trains(card))})


def simulated_trains(card: Card) -> list[PulseTrain]:
    """A train up from the state that the family's trial starts pulses from, and one down from its end.

    Where pulses of one sign do both (phase change) the first train is the RESET, down, and the second the SET, up.
    """
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

    first_V, second_V = trial.pulses_V
    sign = -1 if trial.unipolar else 1
    first_V = _height(lambda factor: sign * levels(factor * first_V, second_V)[: COUNT + 1], first_V)
    second_V = _height(lambda factor: -sign * levels(first_V, factor * second_V)[COUNT:], second_V)
    g = levels(first_V, second_V)

    def train(direction: Literal["up", "down"], volts: float, part: Floats) -> PulseTrain:
        return PulseTrain(direction=direction, amplitude=volts, width_s=width_s, read_V=trial.read_V,
                          conductances_S=tuple(part.tolist()), simulated=True)  # fmt: skip

    if trial.unipolar:
        return [train("up", second_V, g[COUNT:]), train("down", first_V, g[: COUNT + 1])]
    return [train("up", first_V, g[: COUNT + 1]), train("down", second_V, g[COUNT:])]


def _height(train: Callable[[float], Floats], unit_V: float) -> float:
    """The least height, in V, with which a train covers the share of the most that one height can; factors of
    ``unit_V`` are tried. ``train`` gives what is to rise."""

    def change(factor: float) -> float:
        try:
            g = train(factor)
        except CompactError:  # a runaway that no step resolves: too high
            return -np.inf
        return float(g[-1] - g[0])

    factors = np.linspace(_LOWEST, _HIGHEST, _TRIED)
    found = np.array([change(factor) for factor in factors])
    whole = float(found.max())
    if not 0 < whole < np.inf:
        raise MissingDataError(f"pulses of {_LOWEST * unit_V:.3g} to {_HIGHEST * unit_V:.3g} V: the model does not "
                               "switch, or not without a runaway")  # fmt: skip
    enough = int(np.argmax(found >= COVERED * whole))
    low, high = factors[max(enough - 1, 0)], factors[enough]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if change(middle) < COVERED * whole else (low, middle)
    return float(f"{high * unit_V:.4g}")
