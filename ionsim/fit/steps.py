"""How rough the residuals are as a function of the parameters, and steps of finite differences that are above it.

A simulation with adaptive steps jumps by a little when a step is accepted here and refused there; a lattice takes
another trajectory. The size of such jumps is measured by third differences along a line of five points close to each
other (Hamming, Numerical Methods for Scientists and Engineers, 1962, chapter 10; More and Wild, SIAM J. Sci. Comput.
33, 1292 (2011), 10.1137/100786125): what is smooth drops out of them. Derivatives are central differences over the
smallest step of a ladder whose effect stands out of that noise.
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
#: Steps that are tried, shares of the ranges.
LADDER = (0.01, 0.03, 0.1)
#: A step is good when the change that it makes is so many times that of noise alone.
_CLEAR = 10.0
#: Sum of squares of the coefficients of a third difference, 1 3 3 1.
_THIRD = 20.0


@dataclass(frozen=True)
class Steps:
    """``noise``: standard deviation of a residual, by row (m,); ``sizes`` (k,): steps as shares; ``clear`` (k,): how
    far the change by that step stands out of the noise (inf without noise); ``rows`` that say something."""

    noise: Floats
    sizes: Floats
    clear: Floats
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
    """Noise around a point, and a step for each parameter; 5 + 2 k points, then 2 for each that needs a larger step.

    Seeds add to the noise what their spread says of their mean: trajectories may follow each other along the line.
    Raises FitError where the runs at ``u`` fail.
    """
    count = len(u)
    trials = [_sides(u, k, LADDER[0]) for k in range(count)]
    found = residuals([*line(u), *(side for pair in trials for side in pair)])
    if found[0].failed is not None:
        raise FitError(f"the run at the start fails: {found[0].failed}")
    noise = noise_of(found[:5])
    sizes, clear = np.full(count, LADDER[0]), np.zeros(count)
    for k in range(count):
        pair = found[5 + 2 * k : 7 + 2 * k]
        for size in LADDER:
            if size != LADDER[0]:
                pair = residuals(_sides(u, k, size))
            sizes[k], clear[k] = size, clearness(pair, noise)
            if clear[k] >= _CLEAR:
                break
    return Steps(noise, sizes, clear, int(found[0].counted.sum()))


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


def forward(residuals: Residuals, u: Floats, sizes: Floats, here: Point) -> Floats:
    """d residual / d share (m, k) by differences towards the middle of each range: k points, for the search.

    Where such a run fails the other side is taken; FitError where that fails as well.
    """
    towards = np.where(u > 0.5, -1, 1)
    pairs = [_sides(u, k, float(size))[:: int(towards[k])] for k, size in enumerate(sizes)]
    columns = []
    for k, far in enumerate(residuals([pair[1] for pair in pairs])):
        point = residuals([pairs[k][0]])[0] if far.failed is not None else far
        if point.failed is not None or point.u[k] == u[k]:
            raise FitError(f"runs at both sides of a point fail: {far.failed}")
        columns.append((point.residuals - here.residuals) / (point.u[k] - u[k]))
    return np.array(columns).T


def _sides(u: Floats, k: int, size: float) -> list[Floats]:
    """The points below and above in one parameter, within the range."""
    low, high = u.copy(), u.copy()
    low[k], high[k] = max(u[k] - size, 0.0), min(u[k] + size, 1.0)
    return [low, high]
