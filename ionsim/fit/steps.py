"""How rough the residuals are as a function of the parameters, and steps of finite differences that are above it.

A simulation with adaptive steps jumps by a little when a step is accepted here and refused there; a lattice takes
another trajectory. The size of such jumps is measured by third differences along a line of five points close to each
other (Hamming, Numerical Methods for Scientists and Engineers, 1962, chapter 10; More and Wild, SIAM J. Sci. Comput.
33, 1292 (2011), 10.1137/100786125): what is smooth drops out of them. Derivatives are central differences over the
largest step of a ladder across which the residuals are still nearly straight: a large step averages over jumps that lie
further apart than the five points, a small one stays within the bend of an abrupt transition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.errors import FitError
from ionsim.fit.objective import Point, Residuals

Floats = NDArray[np.float64]

#: Distance of the points of the line, a share of the ranges.
_CLOSE = 1e-3
#: Steps that are tried, shares of the ranges, from the second one on.
LADDER = (0.1, 0.03, 0.01, 0.003, 0.001)
#: A step is good when the change that it makes is so many times that of noise alone,
_CLEAR = 10.0
#: and when the residuals in its middle are off the straight line between its ends by no more than half of this share of
#: the change.
_STRAIGHT = 0.3
#: Sum of squares of the coefficients of a third difference, 1 3 3 1.
_THIRD = 20.0


@dataclass(frozen=True)
class Steps:
    """``noise``: standard deviation of a residual, by row (m,); ``sizes`` (k,): steps as shares; ``clear`` (k,): how
    far the change by that step stands out of the noise (inf without noise); ``bend`` (k,): how far it is from straight,
    0 where it is, above 1 where both sides differ more than the ends do; ``rows`` that say something."""

    noise: Floats
    sizes: Floats
    clear: Floats
    bend: Floats
    rows: int = 0

    @property
    def rms(self) -> float:
        """Root mean square of the noise."""
        return float(np.sqrt(np.mean(self.noise**2)))


def line(u: Floats) -> list[Floats]:
    """Five points on a line through all ranges, towards the middle of each."""
    direction = np.where(u > 0.5, -1.0, 1.0)
    return [u + _CLOSE * index * direction for index in range(5)]


def measure(residuals: Residuals, u: Floats) -> Steps:
    """Noise around a point, and a step for each parameter; 5 + 2 k points, then 2 for each further step tried.

    Seeds add to the noise what their spread says of their mean: trajectories may follow each other along the line.
    Raises FitError where the runs at ``u`` fail.
    """
    count = len(u)
    trials = [_sides(u, k, LADDER[1]) for k in range(count)]
    found = residuals([*line(u), *(side for pair in trials for side in pair)])
    here = found[0]
    if here.failed is not None:
        raise FitError(f"the run at the start fails: {here.failed}")
    noise = noise_of(found[:5])
    chosen = []
    for k in range(count):
        pair = found[5 + 2 * k : 7 + 2 * k]
        tried = [(LADDER[1], clearness(pair, noise), bend(pair, here, k))]
        if tried[0][1] < _CLEAR:
            pair = residuals(_sides(u, k, LADDER[0]))
            tried.append((LADDER[0], clearness(pair, noise), bend(pair, here, k)))
        else:
            for size in LADDER[2:]:
                if tried[-1][2] < _STRAIGHT:
                    break
                pair = residuals(_sides(u, k, size))
                tried.append((size, clearness(pair, noise), bend(pair, here, k)))
        chosen.append(_choice(tried))
    sizes, clear, bends = (np.array(values) for values in zip(*chosen, strict=True))
    return Steps(noise, sizes, clear, bends, int(here.counted.sum()))


def _choice(tried: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """The straightest of the steps that are clear, else the clearest: each (size, clear, bend)."""
    clear = [trial for trial in tried if trial[1] >= _CLEAR]
    return min(clear, key=lambda trial: trial[2]) if clear else max(tried, key=lambda trial: trial[1])


def bend(pair: Sequence[Point], here: Point, k: int) -> float:
    """How far the middle of a step is off the straight line between its ends, over half of the change between them.

    Infinite where a run fails or nothing changes.
    """
    low, high = pair
    if low.failed is not None or high.failed is not None:
        return np.inf
    share = (here.u[k] - low.u[k]) / (high.u[k] - low.u[k])
    off = here.residuals - (1.0 - share) * low.residuals - share * high.residuals
    change = float(np.sqrt(np.sum((high.residuals - low.residuals) ** 2)))
    return 2.0 * float(np.sqrt(np.sum(off**2))) / change if change > 0.0 else np.inf


def noise_of(points: Sequence[Point]) -> Floats:
    """Standard deviation (m,) of the residuals of five points on a line, and of the mean over seeds."""
    good = [point.residuals for point in points if point.failed is None]
    smooth = np.zeros(len(points[0].residuals))
    if len(good) == len(points):
        smooth = np.mean(np.diff(np.array(good), n=3, axis=0) ** 2, axis=0) / _THIRD
    seeds = len(points[0].deviations)
    spread = np.zeros(len(smooth))
    if seeds > 1:
        spread = np.sum(points[0].deviations ** 2, axis=0) / (seeds - 1) / seeds
    return np.sqrt(np.maximum(smooth, spread))


def clearness(pair: Sequence[Point], noise: Floats) -> float:
    """Change between two points over what noise makes of it; inf without noise, 0 where nothing changes."""
    change = float(np.sqrt(np.sum((pair[1].residuals - pair[0].residuals) ** 2)))
    alone = float(np.sqrt(2.0 * np.sum(noise**2)))
    return 0.0 if change == 0.0 else change / alone if alone > 0.0 else np.inf


def jacobian(residuals: Residuals, u: Floats, sizes: Floats, here: Point) -> Floats:
    """d residual / d share (m, k) by central differences, one-sided at the end of a range and beside a failed run.

    Raises FitError where the runs on both sides fail.
    """
    pairs = [_sides(u, k, float(size)) for k, size in enumerate(sizes)]
    found = residuals([side for pair in pairs for side in pair])
    columns = []
    for k in range(len(u)):
        low, high = (point if point.failed is None else here for point in found[2 * k : 2 * k + 2])
        if low is high:
            raise FitError(f"runs at both sides of a point fail: {found[2 * k].failed}")
        columns.append((high.residuals - low.residuals) / (high.u[k] - low.u[k]))
    return np.array(columns).T


def _sides(u: Floats, k: int, size: float) -> list[Floats]:
    """The points below and above in one parameter, within the range."""
    low, high = u.copy(), u.copy()
    low[k], high[k] = max(u[k] - size, 0.0), min(u[k] + size, 1.0)
    return [low, high]
