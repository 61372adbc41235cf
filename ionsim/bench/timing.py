"""Timing an engine: the median of several pieces of a run, in seconds of processor time.

An engine runs on one core and does not wait for anything, so on a quiet machine these are seconds of the wall clock; on
a busy one they leave out the time in which it did not run (though not what others do to the caches).
"""

import time
from dataclasses import dataclass

import numpy as np

import kmc


@dataclass(frozen=True)
class Effort:
    """How long a benchmark takes: number of timed pieces, and seconds of each."""

    pieces: int
    piece_s: float


FULL, QUICK = Effort(7, 0.5), Effort(3, 0.1)


@dataclass(frozen=True)
class Speed:
    """What a timed run gave.

    Attributes:
        events_per_s: median over the pieces; ``slowest``, ``fastest``: the extremes.
        trials_per_event: draws for each event, those that came to nothing included.
        hops_per_time: events per unit of the engine's clock over all pieces.
    """

    events_per_s: float
    slowest: float
    fastest: float
    trials_per_event: float
    hops_per_time: float


def speed(engine: kmc.Engine, effort: Effort) -> Speed:
    """Let the engine settle for a while (it may choose what to keep), then time it."""
    settle = time.process_time()
    number = 2000
    while time.process_time() - settle < effort.piece_s:
        number *= 2
        begun = time.process_time()
        engine.run(until_s=np.inf, max_events=number)
        rate = number / (time.process_time() - begun)
    number = max(1000, int(rate * effort.piece_s))
    first_events, first_nulls, first_s = engine.n_events, engine.n_null, engine.time_s
    rates = []
    for _ in range(effort.pieces):
        begun = time.process_time()
        engine.run(until_s=np.inf, max_events=number)
        rates.append(number / (time.process_time() - begun))
    events = engine.n_events - first_events
    return Speed(
        float(np.median(rates)), min(rates), max(rates), 1.0 + (engine.n_null - first_nulls) / events,
        events / (engine.time_s - first_s),
    )  # fmt: skip
