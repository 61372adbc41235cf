"""What a programmed conductance does afterwards, from a card: scatter of programming, drift, read noise, by level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionsim.compact.card import Card
from ionsim.compact.statistics import sample
from ionsim.compact.updates import UpdateLaw

#: Cells that are drawn where a spread has to be turned into conductances.
_CELLS = 4000


@dataclass(frozen=True)
class Levels:
    """By rising conductance ``g_S`` (n,): spread of programming, exponent of the drift G ~ t^-nu and its spread.

    ``first_s``: the time since programming at which the conductance is the programmed one. ``read_noise``: of a read
    over its conductance. ``notes`` say where each comes from.
    """

    g_S: tuple[float, ...]
    programming_S: tuple[float, ...]
    nu: tuple[float, ...]
    nu_sd: tuple[float, ...]
    first_s: float
    read_noise: float
    notes: tuple[str, ...]


def levels(card: Card, law: UpdateLaw) -> Levels:
    """Levels between the ends of the pulse trains.

    Programming: the spread between cycles of ``g_off_S`` and ``g_on_S`` in ``observed``, else that of one pulse in
    the trains. Drift: slopes of ln G against ln t of the retention traces, those whose temperature is nearest to 300 K.
    """
    g, nu, nu_sd, first, drift_note = _drift(card, law)
    programming, programming_note = _programming(card, law, np.array(g))
    read, read_note = 0.0, "read noise: none seen"
    if card.observed is not None and card.observed.telegraph is not None:
        noise = card.observed.telegraph
        middle = (noise.low * noise.dwell_low_s + noise.high * noise.dwell_high_s) / (
            noise.dwell_low_s + noise.dwell_high_s
        )
        share = noise.dwell_low_s / (noise.dwell_low_s + noise.dwell_high_s)
        variance = noise.noise_sd**2 + share * (1 - share) * (noise.high - noise.low) ** 2
        read = float(np.sqrt(variance) / abs(middle))
        read_note = f"read noise: telegraph noise of {noise.quantity}"
    return Levels(g, programming, nu, nu_sd, first, read, (programming_note, drift_note, read_note))


def _drift(card: Card, law: UpdateLaw) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float, str]:
    ends = (law.low_S, law.high_S)
    if not card.retention:
        return ends, (0.0, 0.0), (0.0, 0.0), 1.0, "drift: none, the card has no retention traces"
    nearest = min((trace.temperature_K for trace in card.retention), key=lambda kelvin: abs(kelvin - 300))
    traces = sorted((t for t in card.retention if t.temperature_K == nearest), key=lambda t: t.conductances_S[0])
    slopes = [-np.polyfit(np.log(t.times_s), np.log(t.conductances_S), 1)[0] for t in traces]
    starts = np.array([t.conductances_S[0] for t in traces])
    # traces of one level (within 2 % of the range) make its mean and its spread
    level = np.concatenate([[0], np.cumsum(np.diff(starts) > 0.02 * (law.high_S - law.low_S))])
    groups = [np.flatnonzero(level == k) for k in range(int(level[-1]) + 1)]
    g = [float(starts[group].mean()) for group in groups]
    nu = [float(np.mean([slopes[i] for i in group])) for group in groups]
    sd = [float(np.std([slopes[i] for i in group], ddof=1)) if len(group) > 1 else 0.0 for group in groups]
    if len(g) == 1:
        g, nu, sd = [*ends], nu * 2, sd * 2
    note = f"drift: {len(traces)} retention traces at {nearest:g} K"
    return tuple(g), tuple(nu), tuple(sd), min(t.times_s[0] for t in traces), note


def _programming(card: Card, law: UpdateLaw, g: np.ndarray) -> tuple[tuple[float, ...], str]:
    observed = card.observed
    if observed is not None and {"g_off_S", "g_on_S"} <= set(observed.names) and max(observed.cycles) > 1:
        drawn = sample(observed, 1 + _CELLS // 40, 40, seed=0)
        ends = []
        for name in ("g_off_S", "g_on_S"):
            values = drawn[..., observed.names.index(name)]
            ends.append((float(values.mean()), float(np.sqrt(values.var(axis=1, ddof=1).mean()))))
        ends.sort()
        sd = np.interp(g, [end[0] for end in ends], [end[1] for end in ends])
        return tuple(sd.tolist()), "programming: spread of g_off_S and g_on_S between cycles, straight between"
    weight = law.weight(g)
    step = (law.step(weight, "up") - law.step(weight, "down")) / 2 * law.noise
    sd = np.abs(step) / 2 * (law.high_S - law.low_S)
    return tuple(sd.tolist()), "programming: spread of one pulse"
