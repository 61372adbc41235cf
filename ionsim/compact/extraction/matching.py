"""Spread of parameters that makes a model show a given spread: means and deviations matched, cycle within device.

Parameters move by their logarithms, each in a scale of its own. What a shift y of what is shown says about them is
x = B y, B = J^T (J J^T + (``BLUR`` sizes)^2)^-1: the most probable change, with sensitivities J at the middle, if
parameters vary by one scale each and y is known to that part of its deviation. A model may tie quantities together that
vary apart in the ensemble; to show that exactly would take absurd parameters, and B leaves it out.

So x = m + B (d + c), with shifts d of a device and c of a cycle that have the ensemble's covariances. Cells are drawn
with that spread and shown by the whole nonlinear model, and m and the deviations of d and c corrected by what is
missing, until means and deviations are met.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.description import CompactError
from ionsim.compact.statistics import Effects, estimate, root

Floats = NDArray[np.float64]

#: Parameters (n,), in their scales, to what is shown (k,); raises CompactError where nothing is.
Shown = Callable[[Floats], Floats]

#: Devices and cycles of each that are drawn in a round, the most rounds, and the seed.
N_DEVICES, N_CYCLES, ROUNDS, SEED = 60, 3, 12, 20

#: Part of the way from a figure to the end of its interval at which rounds end.
ENOUGH = 0.25

#: Part of a deviation to which a mean counts as known where it is corrected.
_MEAN_BLUR = 0.1

#: Change of a parameter, in its scale, that a sensitivity is taken with.
_DIFFERENCE = 0.5

#: Part of a deviation to which a shift counts as known; 0.25 lets no parameter vary by more than two of its scales.
BLUR = 0.25

#: Share of a deviation that a parameter must have of its own scale to be kept.
_LEAST_PART = 0.05

#: Share of drawn cells that must be shown.
_SHOWN = 0.93

#: Power of a ratio of deviations that a correction takes: heavy tails answer more than in proportion.
_STRETCH = 0.6

#: Largest stretch of a deviation over that of the ensemble.
_MOST_STRETCH = 2.0

#: Largest correction of a mean in a round, in scales.
_SHIFT = 0.5

#: How often in a row a correction with which too few cells switch is halved.
_HALVINGS = 3

#: Steps to the middle, their largest size in scales, and what is left of the way there in the end, in deviations.
_STEPS, _MOST, _THERE = 12, 2.0, 0.3


@dataclass(frozen=True)
class Matched:
    """Means (n,), covariances (n, n) of parameters in their scales, and which of all parameters they are (n,).

    ``back`` (n, k): change of parameters for one of what is shown. ``errors``: by round, the largest error of a mean
    and of a deviation, over the way to the end of its interval; ``best``: the round that is returned; ``shown``: means
    and covariances of what is shown in that round.
    """

    kept: NDArray[np.int64]
    effects: Effects
    back: Floats
    errors: tuple[tuple[float, float], ...]
    best: int
    shown: Effects

    @property
    def score(self) -> float:
        """Its errors over those at which rounds end."""
        return max(self.errors[self.best])


class _Lost(CompactError):
    """Too many drawn cells show nothing; ``x`` (devices * cycles, n) of all, ``lost`` flags."""

    def __init__(self, x: Floats, lost: NDArray[np.bool_]) -> None:
        super().__init__(f"{lost.sum()} of {len(lost)} drawn cells do not switch")
        self.x, self.lost = x, lost

    def culprit(self, kept: NDArray[np.int64]) -> int:
        """Place in ``kept`` of the parameter by which lost cells differ most from the rest."""
        x = self.x[:, kept]
        sd = x.std(axis=0)
        return int(np.argmax(np.abs(x[self.lost].mean(axis=0) - x.mean(axis=0)) / np.where(sd > 0, sd, np.inf)))


@dataclass(frozen=True)
class Wanted:
    """Means and covariances of what is to be shown, and the intervals (k, 2) of means and of deviations."""

    effects: Effects
    mean: Floats
    device_sd: Floats
    cycle_sd: Floats


def matched(shown: Shown, n: int, goal: Wanted) -> Matched:
    """Spread of ``n`` parameters with which what is shown has the means (k,) and deviations of ``goal``.

    A parameter whose spread keeps cells from switching is held, one after the other. Raises CompactError where the
    parameters cannot tell the quantities apart, the middle is not reached, or too few drawn cells show anything
    whichever parameters vary.
    """
    wanted = goal.effects
    sizes = np.sqrt(np.diag(wanted.device) + np.diag(wanted.cycle))
    if n < len(sizes):
        raise CompactError(f"{n} parameters cannot show {len(sizes)} quantities")
    middle, slopes = _middle(shown, n, wanted.mean, sizes)
    kept, found = np.arange(n), []
    while True:
        lost: _Lost | None = None
        try:
            match, lost = _matched(shown, middle, slopes, kept, goal, sizes)
            found.append(match)
            kept = match.kept
        except _Lost as error:
            lost = error
        if lost is None or len(kept) <= len(sizes):
            break
        kept = np.delete(kept, lost.culprit(kept))
    if not found:
        raise lost or CompactError("no match")
    return min(found, key=lambda match: match.score)


def _matched(
    shown: Shown, middle: Floats, slopes: Floats, kept: NDArray[np.int64], goal: Wanted, sizes: Floats
) -> tuple[Matched, _Lost | None]:
    """The match with ``kept`` parameters alone, and what ended its rounds too early."""
    wanted = goal.effects
    back = _back(slopes[:, kept], BLUR * sizes)
    large = np.sqrt(np.diag(back @ (wanted.device + wanted.cycle) @ back.T)) > _LEAST_PART
    large |= middle[kept] != 0  # moved on the way to the middle
    if len(sizes) <= large.sum() < len(kept):
        kept = kept[large]
        back = _back(slopes[:, kept], BLUR * sizes)
    device_scores, cycle_scores = scores(N_DEVICES, N_CYCLES, len(sizes), SEED)
    meant = _back(slopes[:, kept], _MEAN_BLUR * sizes)
    stretch = np.ones((2, len(sizes)))
    place = middle.copy()
    place[kept] += meant @ (wanted.mean - shown(middle))
    rounds: list[tuple[float, tuple[float, float], Effects, Effects]] = []
    lost: _Lost | None = None
    good: tuple[Floats, Floats] | None = None  # place and stretch of the last round
    halved = 0
    for _ in range(ROUNDS):
        device, cycle = (part * np.outer(f, f) for part, f in zip((wanted.device, wanted.cycle), stretch, strict=True))
        drawn = (device_scores @ root(device))[:, None, :] + cycle_scores @ root(cycle)
        try:
            found = _estimated(shown, place, kept, back, drawn)
        except _Lost as error:
            if good is None:
                raise
            lost, halved = error, halved + 1  # a correction led where the model does not switch: half of it
            if halved > _HALVINGS:
                break
            place, stretch = 0.5 * (place + good[0]), np.sqrt(stretch * good[1])
            continue
        good, lost, halved = (place, stretch), None, 0
        errors = _errors(found, goal)
        spread = Effects(place[kept], back @ device @ back.T, back @ cycle @ back.T)
        rounds.append((max(errors), errors, spread, found))
        if rounds[-1][0] <= ENOUGH:
            break
        step = meant @ (wanted.mean - found.mean)
        place = place.copy()
        place[kept] += step * min(1.0, _SHIFT / max(float(np.abs(step).max()), 1e-30))
        stretch = np.clip(stretch * _missing(found, wanted), 1 / _MOST_STRETCH, _MOST_STRETCH)
    best = min(range(len(rounds)), key=lambda k: rounds[k][0])
    return Matched(kept, rounds[best][2], back, tuple(item[1] for item in rounds), best, rounds[best][3]), lost


def scores(n_devices: int, n_cycles: int, k: int, seed: int) -> tuple[Floats, Floats]:
    """Normal scores of devices (n_devices, k) and cycles (n_devices, n_cycles, k), whose means and covariances are
    estimated as 0 and 1 exactly: what is left of a match is the model's doing, not chance."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    device, cycle = rng.standard_normal((n_devices, k)), rng.standard_normal((n_devices, n_cycles, k))
    means = cycle.mean(axis=1)
    inside = cycle - means[:, None, :]
    flat = inside.reshape(-1, k)
    inside = inside @ _inverse_root(flat.T @ flat / (n_devices * (n_cycles - 1)))
    both = np.column_stack([device, means])
    both -= both.mean(axis=0)
    both = both @ _inverse_root(both.T @ both / (n_devices - 1))
    return both[:, :k], inside + both[:, None, k:] / np.sqrt(n_cycles)


def _back(slopes: Floats, blur: Floats) -> Floats:
    """Most probable change of parameters (n, k) for one of what is shown that is known to ``blur`` (k,)."""
    return np.asarray(slopes.T @ np.linalg.inv(slopes @ slopes.T + np.diag(blur**2)))


def correlation(covariance: Floats) -> Floats:
    """Correlations; what does not vary is not correlated."""
    sd = np.sqrt(np.diag(covariance))
    safe = np.where(sd > 0, sd, 1.0)
    out = covariance / np.outer(safe, safe)
    np.fill_diagonal(out, 1.0)
    return np.asarray(out)


def _missing(found: Effects, wanted: Effects) -> Floats:
    """Factors (2, k) by which deviations of devices and cycles are too small, in part."""
    factors = []
    for now, goal in ((found.device, wanted.device), (found.cycle, wanted.cycle)):
        sd, asked = np.sqrt(np.diag(now)), np.sqrt(np.diag(goal))
        ratio = np.where((sd > 0) & (asked > 0), asked / np.where(sd > 0, sd, 1.0), 1.0)
        factors.append(np.clip(ratio**_STRETCH, 0.5, 1.5))
    return np.array(factors)


def _estimated(shown: Shown, place: Floats, kept: NDArray[np.int64], back: Floats, drawn: Floats) -> Effects:
    """Means and covariances of what cells with shifts ``drawn`` (devices, cycles, k) show."""
    rows: list[Floats] = []
    every: list[Floats] = []
    lost: list[bool] = []
    counts: list[int] = []
    for cells in drawn:
        before = len(rows)
        for shift in cells:
            x = place.copy()
            x[kept] += back @ shift
            every.append(x)
            with suppress(CompactError):
                rows.append(shown(x))
            lost.append(len(rows) + sum(lost) < len(every))
        counts.append(len(rows) - before)
    if len(rows) < _SHOWN * len(every):
        raise _Lost(np.array(every), np.array(lost))
    return estimate(np.array(rows), np.array([count for count in counts if count]))


def _errors(found: Effects, goal: Wanted) -> tuple[float, float]:
    """Largest error of a mean, and of a deviation, over the way to the end of its interval."""
    deviations = []
    for now, asked, interval in ((found.device, goal.effects.device, goal.device_sd),
                                 (found.cycle, goal.effects.cycle, goal.cycle_sd)):  # fmt: skip
        deviations.append(_way(np.sqrt(np.diag(now)), np.sqrt(np.diag(asked)), interval))
    return _way(found.mean, goal.effects.mean, goal.mean), max(deviations)


def _way(now: Floats, asked: Floats, interval: Floats) -> float:
    ends = np.where(now > asked, interval[:, 1], interval[:, 0])
    way = np.maximum(np.abs(ends - asked), 0.1 * np.ptp(interval, axis=1))  # an estimate may be its interval's end
    return float(np.max(np.abs(now - asked) / np.where(way > 0, way, np.inf), initial=0.0))


def _middle(shown: Shown, n: int, wanted: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Where the means are shown about, from the fitted values in Newton's steps of least length, and the sensitivities
    there."""
    x = np.zeros(n)
    now = shown(x)
    slopes = _slopes(shown, x)
    for _ in range(_STEPS):
        left = wanted - now
        if np.abs(left / sizes).max() <= _THERE:
            return x, slopes
        step = np.linalg.pinv(slopes) @ left
        step *= min(1.0, _MOST / max(float(np.abs(step).max()), 1e-30))
        for _ in range(4):
            try:
                now = shown(x + step)
            except CompactError:
                step = step / 2
                continue
            break
        else:
            break
        x = x + step
        slopes = _slopes(shown, x)
    raise CompactError("the fitted parameters are too far from the middle of the ensemble")


def _slopes(shown: Shown, x: Floats) -> Floats:
    """Sensitivities (k, n) at x (n,)."""
    steps = np.eye(len(x)) * _DIFFERENCE
    return np.column_stack([(shown(x + step) - shown(x - step)) / (2 * _DIFFERENCE) for step in steps])


def _inverse_root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)
