"""How far counts are from what they should be, in standard deviations: for the cases of the lattice engine.

Their seeds are fixed, so a case gives the same figures on every run; its limit says how rarely a correct engine would
fail: 3 sigma with 0.3 %, 4 sigma with 0.006 % of all seeds.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

#: Fewer expected counts than this do not make a class of their own in a chi-square.
_LEAST_EXPECTED = 10.0


def of_mean(samples: ArrayLike, mean: float, variance: float) -> float:
    """Deviation of the mean of independent samples with a known variance."""
    values = np.asarray(samples, dtype=float)
    return float((values.mean() - mean) / np.sqrt(variance / values.size))


def of_binomial(count: float, trials: float, probability: float) -> float:
    """Deviation of a number of successes."""
    return float((count - trials * probability) / np.sqrt(trials * probability * (1.0 - probability)))


def of_multinomial(counts: ArrayLike, probabilities: ArrayLike) -> float:
    """Pearson's chi-square of counts, its probability written as that of a normal deviate; rare classes are joined."""
    observed, chance = np.asarray(counts, dtype=float).ravel(), np.asarray(probabilities, dtype=float).ravel()
    expected = observed.sum() * chance / chance.sum()
    rare = expected < _LEAST_EXPECTED
    if expected[rare].sum() >= _LEAST_EXPECTED or not rare.any():
        observed = np.append(observed[~rare], observed[rare].sum() if rare.any() else [])
        expected = np.append(expected[~rare], expected[rare].sum() if rare.any() else [])
    else:  # too rare even together: part of the smallest class that is not
        smallest = np.flatnonzero(~rare)[np.argmin(expected[~rare])]
        joined = rare.copy()
        joined[smallest] = True
        observed = np.append(observed[~joined], observed[joined].sum())
        expected = np.append(expected[~joined], expected[joined].sum())
    chi_square = np.sum((observed - expected) ** 2 / expected)
    return float(stats.norm.isf(stats.chi2.sf(chi_square, len(observed) - 1)))


def of_profile(samples: ArrayLike, mean: ArrayLike) -> float:
    """Hotelling's T^2 of independent samples (s, p) with unknown covariances, written as a normal deviate; s > p.

    It allows for what the p numbers of a sample have to do with each other; none may follow from the others.
    """
    values = np.asarray(samples, dtype=float)
    count, size = values.shape
    off = values.mean(axis=0) - np.asarray(mean, dtype=float)
    square = count * float(off @ np.linalg.solve(np.cov(values, rowvar=False).reshape(size, size), off))
    return float(stats.norm.isf(stats.f.sf(square * (count - size) / (size * (count - 1)), size, count - size)))
