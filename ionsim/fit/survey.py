"""A survey of the whole range before the search: few runs, and an emulator of the residuals through all of them.

The sum of squares of a device has several valleys: a pulse that just melts and one that just does not, a loop that
switches one step earlier. A trust region ends in the one where it begins. So points of a Sobol sequence are run first.
Through the residuals of all points runs a radial basis function, row by row (cubic, with a linear part: Powell 1992;
Buhmann, Acta Numerica 9, 1 (2000)), and the next points are where the sum of squares of these emulated residuals is
least: once of all points, once of those near the best one. Emulating residuals and not their sum of squares keeps what
least squares knows (composite objectives: Wild, in SIAM, Advances and Trends in Optimization, 2017, chapter 40).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.optimize import least_squares
from scipy.stats import qmc

from ionsim.fit.objective import Point, Residuals

Floats = NDArray[np.float64]

#: Points of the Sobol sequence for each parameter, at least; rounded up to a power of two, as such sequences want it.
_POINTS = 4
#: Points near the best one that the second emulator goes through, for each parameter.
_NEAR = 6
#: The survey ends when the sum of squares has fallen by less than this share over so many rounds.
_GAIN, _PATIENCE = 0.05, 6
#: Points closer together than this share of every range are the same.
_SAME = 2e-3
#: A residual counts as no more than this quantile of its row: emulators overshoot around points that are far off.
_QUANTILE = 0.75
#: Starts of the search for the least emulated sum of squares, beside the best point.
_STARTS = 12
#: Smoothing of the emulators: rounding only, so that points that nearly coincide do no harm.
_SMOOTHING = 1e-6


def survey(residuals: Residuals, start: Floats, seed: int, rounds: int = 20) -> Point:
    """The best point (k,) found in the unit cube, from ``start`` and at most ``rounds`` rounds of one or two points."""
    count = len(start)
    rng = np.random.default_rng(seed)
    power = int(np.ceil(np.log2(_POINTS * count)))
    spread = qmc.Sobol(count, rng=seed).random_base2(power)
    points = residuals([start, *spread])
    sums = [_best(points).squares]
    for _ in range(rounds):
        new = _proposals(points, rng)
        if not new:
            break
        points = [*points, *residuals(new)]
        sums.append(_best(points).squares)
        if len(sums) > _PATIENCE and sums[-1] > (1.0 - _GAIN) * sums[-1 - _PATIENCE]:
            break
    return _best(points)


def _best(points: list[Point]) -> Point:
    return min(points, key=lambda point: point.squares)


def _proposals(points: list[Point], rng: np.random.Generator) -> list[Floats]:
    """Where the emulators of all points and of those near the best one are least, if nothing has been run there."""
    u = np.array([point.u for point in points])
    best = _best(points)
    rows = np.abs([point.residuals for point in points])
    limit = np.maximum(np.quantile(rows, _QUANTILE, axis=0), 2.0 * np.abs(best.residuals))
    values = np.clip([point.residuals for point in points], -limit, limit)
    order = np.argsort(np.linalg.norm(u - best.u, axis=1))
    near = order[: _NEAR * u.shape[1]]
    radius = 2.0 * float(np.linalg.norm(u[order[min(2 * u.shape[1], len(order) - 1)]] - best.u))
    found: list[Floats] = []
    for used, reach in ((np.arange(len(u)), 1.0), (near, max(radius, 10.0 * _SAME))):
        at = _least(u[used], values[used], best.u, reach, rng)
        if np.abs(np.array([*u, *found]) - at).max(axis=1).min() > _SAME:
            found.append(at)
    return found


def _least(u: Floats, values: Floats, best: Floats, reach: float, rng: np.random.Generator) -> Floats:
    """Minimum (k,) of the emulated sum of squares within ``reach`` of the best point."""
    emulator = RBFInterpolator(u, values, kernel="cubic", degree=1, smoothing=_SMOOTHING)
    low, high = np.clip(best - reach, 0.0, 1.0), np.clip(best + reach, 0.0, 1.0)
    inside = 1e-6 * (high - low)
    starts = [best, *(low + (high - low) * rng.random((_STARTS, len(best))))]

    def emulated(at: Floats) -> Floats:
        return np.asarray(emulator(at[None])[0])

    done = [
        least_squares(emulated, np.clip(one, low + inside, high - inside), bounds=(low, high), max_nfev=50)
        for one in starts
    ]
    return np.asarray(min(done, key=lambda one: one.cost).x, dtype=np.float64)
