"""How well a fit knows its parameters: covariance from the Jacobian, and intervals from profiles of the sum of squares.

Near the minimum the sum of squares S is quadratic and a 95 % interval of one parameter, the others free, is
u +- t sqrt(C_kk), C = s^2 (J^T J)^-1, s^2 = S/(m - k), with t of Student (Bates and Watts, Nonlinear Regression
Analysis, Wiley 1988, sections 1.4 and 6.1). Where it is not quadratic the interval ends where the profile has risen by
t^2 s^2: S along the parameter with the others at their best. That is followed here: a step along the conditional
minimum that the Jacobian predicts, one Gauss-Newton correction of the others, and a new step until the rise is right.
In a rough landscape the others are then not at their best, and the end comes too early; any point that was run with a
smaller rise is inside, and moves it outwards.

The mean over a few seeds is itself uncertain. Each seed's residuals, taken through the linear fit, are a shift of the
parameters; the covariance of these shifts over the number of seeds is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ionsim.fit.objective import Point, Residuals
from ionsim.fit.steps import LADDER, Steps, jacobian

Floats = NDArray[np.float64]

LEVEL = 0.95
#: The steps of the Jacobian at the end are the standard errors, within these multiples of the search's steps.
_SHORTER, _LONGER = 0.3, 3.0
#: The rise of a profile is right within this share of it, and so many steps are made.
_RISE, _TRIES = 0.15, 4
#: A step of a profile is longer or shorter than the one before by this factor at most.
_STRETCH = 3.0
#: A point at which the sum of squares is lower by this many s^2 is a better one: a third of a standard error.
_LOWER = 0.1
#: Closer to the end of a range than this a value is at its bound.
AT_BOUND = 2e-3
#: Intervals of more than this share of the range say nothing that the range did not.
_WIDE = 0.9
#: Singular values of the Jacobian below this part of the largest one carry no information.
_SINGULAR = 1e-10


@dataclass(frozen=True)
class Intervals:
    """At the minimum, in shares of the ranges.

    ``covariance`` (k, k) with the seeds' part; ``low``, ``high`` (k,): 95 %, from profiles where ``profiled``;
    ``asymmetry`` (k,): largest ratio of a profile's half width to that of the Jacobian, or its inverse; 1 without
    profiles. ``identified`` (k,), ``at_bound`` (k,), ``open_low``, ``open_high`` (k,): the interval reaches the end of
    the range there.
    """

    jacobian: Floats
    sizes: Floats
    covariance: Floats
    covariance_of_seeds: Floats
    low: Floats
    high: Floats
    profiled: bool
    asymmetry: Floats
    identified: NDArray[np.bool_]
    at_bound: NDArray[np.bool_]
    open_low: NDArray[np.bool_]
    open_high: NDArray[np.bool_]
    degrees: int
    better: Point | None = None

    @property
    def correlation(self) -> Floats:
        """Correlation matrix (k, k); nan of a parameter that nothing depends on."""
        deviation = np.sqrt(np.diag(self.covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.covariance / np.outer(deviation, deviation))


def intervals(residuals: Residuals, best: Point, steps: Steps, profile: bool = True) -> Intervals:
    """95 % intervals at the best point; 2 k to 4 k points for the Jacobian, 4 k and more for profiles.

    The Jacobian's steps are near the standard errors: then it is the mean slope over the interval.
    """
    seen: list[Point] = []

    def run(shares: Sequence[Floats]) -> list[Point]:
        seen.extend(residuals(shares))
        return seen[len(seen) - len(shares) :]

    u, count = best.u, len(best.u)
    rows = int(best.counted.sum())
    degrees = max(rows - count, 1)
    first = jacobian(run, u, steps.sizes, best)
    guess = np.sqrt(np.diag(_covariance(first, best, degrees)[0]))
    sizes = np.minimum(np.clip(guess, _SHORTER * steps.sizes, _LONGER * steps.sizes), LADDER[0])
    slopes = jacobian(run, u, sizes, best)
    covariance, seeds = _covariance(slopes, best, degrees)
    t = float(stats.t.ppf(0.5 + 0.5 * LEVEL, degrees))
    half = t * np.sqrt(np.diag(covariance))
    low, high, asymmetry = u - half, u + half, np.ones(count)
    better: Point | None = None
    silent = ~np.isfinite(half) | (steps.clear == 0.0) | ~np.any(slopes, axis=0)
    if profile and not silent.all():
        low, high, asymmetry = _profiles(run, best, slopes, covariance - seeds, seeds, degrees, t, silent)
        inside = [one.u for one in seen if one.squares - best.squares < t * t * best.squares / degrees]
        lowest = min(seen, key=lambda one: one.squares)
        if lowest.squares < best.squares * (1.0 - _LOWER / degrees):
            better = lowest
        low, high = np.min([low, *inside], axis=0), np.max([high, *inside], axis=0)
    low, high = np.where(silent, 0.0, low), np.where(silent, 1.0, high)
    at_bound = (u < AT_BOUND) | (u > 1.0 - AT_BOUND)
    identified = ~silent & (np.minimum(high, 1.0) - np.maximum(low, 0.0) < _WIDE)
    return Intervals(
        slopes, sizes, covariance, seeds, np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0), profile, asymmetry,
        identified, at_bound, low <= 0.0, high >= 1.0, degrees, better,
    )  # fmt: skip


def _covariance(slopes: Floats, best: Point, degrees: int) -> tuple[Floats, Floats]:
    """Covariance (k, k) of the shares, and the part of it that is due to few seeds."""
    scale = np.linalg.norm(slopes, axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    left, values, right = np.linalg.svd(slopes / scale, full_matrices=False)
    with np.errstate(divide="ignore"):
        inverse = 1.0 / np.where(values > _SINGULAR * values.max(initial=0.0), values, 0.0)
    infinite = ~np.isfinite(inverse)
    finite = np.where(infinite, 0.0, inverse)
    variance = best.squares / degrees
    unscaled = (right.T * finite) / scale[:, None]
    covariance = variance * unscaled @ unscaled.T
    seeds = np.zeros_like(covariance)
    if len(best.deviations) > 1:
        shifts = best.deviations @ left @ unscaled.T
        seeds = np.asarray(np.atleast_2d(np.cov(shifts, rowvar=False))) / len(shifts)
    lost = np.any(np.abs(right[infinite]) > 1e-6, axis=0) if infinite.any() else np.zeros(len(scale), dtype=bool)
    lost |= ~np.any(slopes, axis=0)
    total = covariance + seeds
    total[lost, lost] = np.inf
    return total, seeds


def _profiles(
    residuals: Residuals, best: Point, slopes: Floats, covariance: Floats, seeds: Floats, degrees: int, t: float,
    silent: NDArray[np.bool_],
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Ends (k,) of the intervals below and above, and their ratio to those of the Jacobian; not at a better point."""
    u, base = best.u, best.squares
    variance = base / degrees
    ends = {}
    lower = False
    sides = [(k, sign) for k in range(len(u)) if not silent[k] for sign in (-1.0, 1.0)]
    reach = dict.fromkeys(sides, t)  # in standard errors
    known: dict[tuple[int, float], list[tuple[float, float]]] = {side: [(0.0, 0.0)] for side in sides}
    for _ in range(_TRIES):
        left = [side for side in sides if side not in ends]
        if not left or variance == 0.0 or lower:
            break
        moves = {side: _move(u, covariance, side, reach[side]) for side in left}
        found = dict(zip(left, residuals([u + move for move in moves.values()]), strict=True))
        again = {side: _corrected(found[side], slopes, side[0]) for side in left}
        second = dict(zip(left, residuals(list(again.values())), strict=True))
        for side in left:
            point = min(found[side], second[side], key=lambda one: one.squares)
            rise = (point.squares - base) / variance
            lower |= rise < -_LOWER
            k, sign = side
            went = abs(point.u[k] - u[k])
            at_end = point.u[k] <= 0.0 or point.u[k] >= 1.0
            if at_end and rise < t * t:
                ends[side] = np.inf  # the range ends before the interval does
                continue
            known[side].append((went, max(rise, 0.0)))
            goal = _reach(known[side], t * t, _STRETCH)
            if abs(rise / (t * t) - 1.0) < _RISE:
                ends[side] = goal
            reach[side] *= goal / went if went > 0.0 else _STRETCH
    low, high, ratio = u.copy(), u.copy(), np.ones(len(u))
    for k, sign in sides:
        linear = t * np.sqrt(covariance[k, k])
        own = ends.get((k, sign), _reach(known[k, sign], t * t, _STRETCH) if variance > 0.0 else linear)
        if np.isfinite(own) and min(own, linear) > 0.0:
            ratio[k] = max(ratio[k], own / linear, linear / own)
        end = u[k] + sign * np.hypot(own, t * np.sqrt(seeds[k, k]))
        if sign < 0.0:
            low[k] = end
        else:
            high[k] = end
    return low, high, ratio


def _move(u: Floats, covariance: Floats, side: tuple[int, float], reach: float) -> Floats:
    """From the minimum so many standard errors up or down in one parameter, the others as the Jacobian has it best."""
    k, sign = side
    move = sign * reach * covariance[:, k] / np.sqrt(covariance[k, k])
    room = 1.0 - u[k] if sign > 0.0 else u[k]
    move *= min(1.0, room / abs(move[k])) if move[k] else 1.0
    return np.clip(u + move, 0.0, 1.0) - u


def _corrected(point: Point, slopes: Floats, k: int) -> Floats:
    """One Gauss-Newton step of all parameters but one."""
    others = [index for index in range(len(point.u)) if index != k]
    moved = point.u.copy()
    if others and point.failed is None:
        moved[others] -= np.linalg.lstsq(slopes[:, others], point.residuals, rcond=None)[0]
    return np.clip(moved, 0.0, 1.0)


def _reach(known: list[tuple[float, float]], rise: float, most: float) -> float:
    """Distance at which the profile has risen by ``rise``: linear in the root of the rise between (distance, rise)."""
    points = sorted(known)
    distances, roots = (np.array(values) for values in zip(*points, strict=True))
    roots, goal = np.sqrt(np.maximum.accumulate(roots)), float(np.sqrt(rise))
    above = int(np.searchsorted(roots, goal))
    if above < len(roots):
        below = max(above - 1, 0)
        span = roots[above] - roots[below]
        share = (goal - roots[below]) / span if span > 0.0 else 1.0
        return float(distances[below] + share * (distances[above] - distances[below]))
    return float(distances[-1] * min(goal / roots[-1], most)) if roots[-1] > 0.0 else float(distances[-1] * most)
