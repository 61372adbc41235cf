"""Weibull statistics of breakdown voltages: maximum likelihood with intervals, and the weakest-link law of areas.

F(v) = 1 - exp(-(v/scale)^slope). A film of A/A0 equal parts forms when the first of them does, so that its scale is
scale0 (A0/A)^(1/slope) with the same slope. Devices that did not form until the end of their ramp are censored there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import chi2, kstest

from ionsim.errors import ResultsError

Floats = NDArray[np.float64]

#: Range of slopes that is looked through: below is no distribution of voltages, above is a step.
_SLOPES = (0.05, 5000.0)


@dataclass(frozen=True)
class WeibullFit:
    """A fit to n values, of which ``n_censored`` are lower bounds; intervals by the likelihood ratio at ``level``."""

    scale: float
    slope: float
    scale_interval: tuple[float, float]
    slope_interval: tuple[float, float]
    n: int
    n_censored: int
    log_likelihood: float
    level: float

    @property
    def mean(self) -> float:
        """Mean of the distribution."""
        return self.scale * math.gamma(1.0 + 1.0 / self.slope)

    def distribution(self, values: ArrayLike) -> Floats:
        """F at ``values``."""
        return np.asarray(-np.expm1(-((np.asarray(values, dtype=float) / self.scale) ** self.slope)))


@dataclass(frozen=True)
class AreaScaling:
    """Ensembles of different areas against the weakest-link law.

    ``scale``, ``slope`` of the law at ``area``, with intervals; ``single``: the ensembles fitted each alone, by area.
    ``p_value``: the chance of a likelihood ratio as large as that between both descriptions if the law holds (chi^2
    with two degrees of freedom for every area but one). ``exponent``: -d ln(scale)/d ln(area) if the scales are left
    to follow any power of the area, with its interval; the law asks for 1/slope.
    """

    area: float
    scale: float
    slope: float
    slope_interval: tuple[float, float]
    exponent: float
    exponent_interval: tuple[float, float]
    p_value: float
    single: Mapping[float, WeibullFit]

    def scale_at(self, area: float) -> float:
        """The law's scale for a film of this area."""
        return self.scale * (self.area / area) ** (1.0 / self.slope)


def weibull_fit(values: ArrayLike, censored: ArrayLike = (), level: float = 0.95) -> WeibullFit:
    """Fit a Weibull distribution (from 0 on) to ``values`` > 0 and to lower bounds ``censored``, any number of each.

    Raises ResultsError for fewer than two different values, or some that are not positive and finite.
    """
    known, bounds = _checked(values, censored)
    everything = np.concatenate([known, bounds])
    logs = np.log(known)
    shift = float(np.log(everything).max())  # powers of voltages over the largest do not overflow

    def scale_of(slope: float) -> float:
        powers = np.exp(slope * (np.log(everything) - shift))
        return math.exp(shift + math.log(float(powers.sum()) / len(known)) / slope)

    def likelihood(slope: float, scale: float) -> float:
        return _log_likelihood(known, bounds, scale, slope)

    def score(slope: float) -> float:
        weight = np.exp(slope * (np.log(everything) - shift))
        return 1.0 / slope + float(logs.mean()) - float((weight * np.log(everything)).sum() / weight.sum())

    slope = float(brentq(score, *_SLOPES, xtol=1e-10))
    scale = scale_of(slope)
    best = likelihood(slope, scale)
    drop = best - 0.5 * float(chi2.ppf(level, 1))

    def best_slope(scale: float) -> float:
        """Likelihood of this scale with the slope that suits it best."""
        return -_least(lambda log_slope: -likelihood(math.exp(log_slope), scale), math.log(slope))

    return WeibullFit(
        scale=scale,
        slope=slope,
        slope_interval=_interval(lambda log: likelihood(math.exp(log), scale_of(math.exp(log))), math.log(slope), drop),
        scale_interval=_interval(lambda log: best_slope(math.exp(log)), math.log(scale), drop),
        n=len(everything),
        n_censored=len(bounds),
        log_likelihood=best,
        level=level,
    )


def area_scaling(
    ensembles: Mapping[float, tuple[Sequence[float], Sequence[float]]], level: float = 0.95
) -> AreaScaling:
    """Compare ensembles, area -> (values, lower bounds), with the weakest-link law; areas in any unit.

    Raises ResultsError for fewer than two areas, or where :func:`weibull_fit` does.
    """
    if len(ensembles) < 2:
        raise ResultsError(f"area scaling: {len(ensembles)} area; ensembles of at least two are needed")
    areas = sorted(float(area) for area in ensembles)
    if areas[0] <= 0.0:
        raise ResultsError(f"area scaling: area {areas[0]:g}; must be positive")
    data = {area: _checked(*ensembles[area]) for area in areas}
    single = {area: weibull_fit(*ensembles[area], level=level) for area in areas}
    middle = math.exp(float(np.mean(np.log(areas))))

    def joint(log_scale: float, slope: float, exponent: float) -> float:
        return sum(
            _log_likelihood(*data[area], math.exp(log_scale) * (middle / area) ** exponent, slope) for area in areas
        )

    start = float(np.mean([math.log(fit.scale) for fit in single.values()]))
    typical = math.log(float(np.median([fit.slope for fit in single.values()])))

    def law(log_slope: float) -> float:
        """Likelihood of the weakest-link law with this slope."""
        slope = math.exp(log_slope)
        return -_least(lambda log_scale: -joint(log_scale, slope, 1.0 / slope), start, width=0.5)

    log_slope = _where(lambda x: -law(x), typical)
    best, slope = law(log_slope), math.exp(log_slope)
    log_scale = _where(lambda x: -joint(x, slope, 1.0 / slope), start, width=0.5)

    def power(exponent: float) -> float:
        """Likelihood with scales that follow any power of the area."""

        def with_slope(log_slope: float) -> float:
            return _least(lambda log_scale: -joint(log_scale, math.exp(log_slope), exponent), start, width=0.5)

        return -_least(with_slope, typical)

    exponent = _where(lambda x: -power(x), 1.0 / slope, width=2.0 / slope + 0.05)
    half = 0.5 * float(chi2.ppf(level, 1))
    ratio = 2.0 * (sum(fit.log_likelihood for fit in single.values()) - best)
    return AreaScaling(
        area=middle,
        scale=math.exp(log_scale),
        slope=slope,
        slope_interval=_interval(law, log_slope, best - half),
        exponent=exponent,
        exponent_interval=_crossings(power, exponent, power(exponent) - half, 0.2 / slope),
        p_value=float(chi2.sf(ratio, 2 * len(areas) - 2)),
        single=single,
    )


@dataclass(frozen=True)
class ThresholdScaling:
    """The weakest-link law with a threshold: 1 - F = exp(-(A/area) ((v - threshold)/scale)^slope), no value below it.

    ``p_value``: Kolmogorov and Smirnov's, of all values' hazards against the exponential distribution that the law
    gives them (a little high, as the law was fitted to them). ``hazards``: area -> mean hazard of its values and that
    mean's standard error; 1 by the law, less where devices form earlier than it says.
    """

    area: float
    threshold: float
    scale: float
    slope: float
    p_value: float
    hazards: Mapping[float, tuple[float, float]]


def threshold_scaling(ensembles: Mapping[float, Sequence[float]]) -> ThresholdScaling:
    """Fit the weakest-link law with a threshold to ensembles, area -> values, all together.

    Raises ResultsError for fewer than two areas or values that :func:`weibull_fit` would not take.
    """
    if len(ensembles) < 2:
        raise ResultsError(f"area scaling: {len(ensembles)} area; ensembles of at least two are needed")
    data = {float(area): _checked(values, ())[0] for area, values in ensembles.items()}
    middle = math.exp(float(np.mean(np.log(list(data)))))
    least = min(float(values.min()) for values in data.values())

    def hazard(point: Floats, area: float, values: Floats) -> Floats:
        return np.asarray(area / middle * ((values - point[0]) / math.exp(point[1])) ** math.exp(point[2]))

    def misfit(point: Floats) -> float:
        if point[0] >= least:
            return 1e300
        slope, scale = math.exp(point[2]), math.exp(point[1])
        total = 0.0
        for area, values in data.items():
            reduced = (values - point[0]) / scale
            density = math.log(area / middle * slope / scale) + (slope - 1.0) * np.log(reduced)
            total -= float((density - hazard(point, area, values)).sum())
        return total

    spread = float(np.std(np.concatenate(list(data.values()))))
    starts = [np.array([share * least, math.log(2.0 * spread), math.log(3.0)]) for share in (0.2, 0.5, 0.8, 0.9, 0.95)]
    tries = [
        minimize(misfit, start, method="Nelder-Mead", options={"maxiter": 10_000, "xatol": 1e-7, "fatol": 1e-8})
        for start in starts
    ]
    best = min(tries, key=lambda found: float(found.fun)).x
    hazards = {area: hazard(best, area, values) for area, values in data.items()}
    return ThresholdScaling(
        area=middle, threshold=float(best[0]), scale=math.exp(best[1]), slope=math.exp(best[2]),
        p_value=float(kstest(np.concatenate(list(hazards.values())), "expon").pvalue),
        hazards={
            area: (float(found.mean()), float(found.std(ddof=1) / math.sqrt(len(found))))
            for area, found in hazards.items()
        },
    )  # fmt: skip


def median_ranks(values: ArrayLike, n: int) -> tuple[Floats, Floats]:
    """Ordered values and the share (i - 0.3)/(n + 0.4) of the n devices that each stands for (Bernard's median ranks).

    ``n`` counts devices that did not form at all as well; those must have lasted longer than all others.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    return ordered, np.asarray((np.arange(1, len(ordered) + 1) - 0.3) / (n + 0.4), dtype=float)


def _checked(values: ArrayLike, censored: ArrayLike) -> tuple[Floats, Floats]:
    known, bounds = (np.asarray(part, dtype=float).ravel() for part in (values, censored))
    everything = np.concatenate([known, bounds])
    if not np.all(np.isfinite(everything) & (everything > 0.0)):
        raise ResultsError("Weibull fit: all values must be positive and finite")
    if len(np.unique(known)) < 2:
        raise ResultsError(f"Weibull fit: {len(known)} values that were reached; two different ones are needed")
    return known, bounds


def _log_likelihood(known: Floats, bounds: Floats, scale: float, slope: float) -> float:
    with np.errstate(over="ignore"):
        reduced, survived = np.log(known / scale), (bounds / scale) ** slope
        density = math.log(slope / scale) + (slope - 1.0) * reduced - np.exp(slope * reduced)
    return float(density.sum() - survived.sum())


def _where(function: Callable[[float], float], start: float, width: float = 1.0) -> float:
    """Where a function of one variable is least, near ``start``."""
    found = minimize_scalar(function, bracket=(start - 0.05 * width, start + 0.05 * width), options={"xtol": 1e-8})
    return float(found.x)


def _least(function: Callable[[float], float], start: float, width: float = 1.0) -> float:
    return function(_where(function, start, width))


def _interval(likelihood: Callable[[float], float], log_best: float, drop: float) -> tuple[float, float]:
    low, high = _crossings(likelihood, log_best, drop, 0.02)
    return math.exp(low), math.exp(high)


def _crossings(likelihood: Callable[[float], float], best: float, drop: float, step: float) -> tuple[float, float]:
    """Where a likelihood falls to ``drop`` on both sides of its maximum."""
    ends = []
    for side in (-1.0, 1.0):
        reach = step
        while likelihood(best + side * reach) > drop:
            reach *= 1.6
        ends.append(best + side * float(brentq(lambda x, s=side: likelihood(best + s * x) - drop, 0.0, reach)))
    return ends[0], ends[1]
