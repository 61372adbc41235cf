"""Random telegraph noise: a trace as two levels with exponential dwell times, and whether it is one at all.

A hidden Markov model with two states and white noise of one variance, fitted by expectation and maximisation (Rabiner,
Proc. IEEE 77, 257 (1989)); rates follow from its transition matrix as exp(Q dt), so that flips between two samples
count. A trace counts as telegraph noise where the model beats white noise and a Gaussian process with exponential
correlation (an AR(1) series: slow noise without levels) by BIC, both levels are visited ``LEAST_VISITS`` times, and
they lie ``LEAST_CONTRAST`` standard deviations of the white noise apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ionsim.compact.cardparts import Telegraph
from ionsim.compact.description import CompactError

Floats = NDArray[np.float64]

LEAST_VISITS = 5
LEAST_CONTRAST = 2.0
#: BIC by which the two levels must win; 10 is very strong (Kass and Raftery, J. Am. Stat. Assoc. 90, 773 (1995)).
LEAST_EVIDENCE = 10.0

_ROUNDS = 200
_ENOUGH = 1e-6


@dataclass(frozen=True)
class Chain:
    """A fitted hidden Markov model: levels (2,), rising; probability to leave each in a step; noise; log likelihood."""

    levels: tuple[float, float]
    leave: tuple[float, float]
    noise_sd: float
    log_likelihood: float
    path: NDArray[np.int8]


def find_telegraph(values: ArrayLike, step_s: float, quantity: str) -> Telegraph | None:
    """Telegraph noise of an evenly sampled trace (n,), ``step_s`` apart; None where the module's criterion fails.

    Raises CompactError for fewer than 20 samples, or samples that are not finite.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or len(x) < 20 or not np.isfinite(x).all():
        raise CompactError(f"a trace of {x.shape} samples: 20 or more finite ones in a row are needed")
    if np.ptp(x) == 0:
        return None
    chain = fit_chain(x)
    flips = np.diff(chain.path)
    up, down = int((flips > 0).sum()), int((flips < 0).sum())
    evidence = min(_bic_white(x), _bic_slow(x)) - (5 * math.log(len(x)) - 2 * chain.log_likelihood)
    contrast = (chain.levels[1] - chain.levels[0]) / max(chain.noise_sd, 1e-300)
    if min(up, down) < LEAST_VISITS or evidence < LEAST_EVIDENCE or contrast < LEAST_CONTRAST:
        return None
    low, high = _rates(chain.leave, step_s)
    return Telegraph(
        quantity=quantity, low=chain.levels[0], high=chain.levels[1], noise_sd=chain.noise_sd,
        dwell_low_s=1 / low, dwell_high_s=1 / high, transitions=up + down,
    )  # fmt: skip


def fit_chain(x: Floats) -> Chain:
    """The most likely two-level chain of a trace (n,), from a start at its lower and upper quartile."""
    low, high = (float(q) for q in np.quantile(x, [0.25, 0.75]))
    cut = (low + high) / 2 if low < high else float(x.mean())
    low, high = float(x[x <= cut].mean()), float(x[x > cut].mean())
    spread = float(np.sqrt(np.mean(np.where(x > cut, x - high, x - low) ** 2))) or 1e-3 * (high - low)
    smallest = 1e-6 * float(np.ptp(x))  # a trace without noise has levels without a width
    leave, first, before = (0.05, 0.05), 0.5, -math.inf
    likelihood, weights = -math.inf, np.zeros(len(x))
    for _ in range(_ROUNDS):
        density = _densities(x, low, high, spread)
        likelihood, weights, jumps = _smooth(density, leave, first)
        in_high = float(weights.sum())
        in_low = len(x) - in_high
        low, high = float(((1 - weights) * x).sum() / in_low), float((weights * x).sum() / in_high)
        spread = max(float(np.sqrt(np.mean((1 - weights) * (x - low) ** 2 + weights * (x - high) ** 2))), smallest)
        start_high = in_high - float(weights[-1])
        start_low = in_low - float(1 - weights[-1])
        leave = (_share(jumps[0], start_low), _share(jumps[1], start_high))
        first = float(weights[0])
        if likelihood - before < _ENOUGH * abs(likelihood):
            break
        before = likelihood
    path = (weights > 0.5).astype(np.int8)
    if low > high:
        return Chain((high, low), (leave[1], leave[0]), spread, likelihood, (1 - path).astype(np.int8))
    return Chain((low, high), leave, spread, likelihood, path)


def simulate(telegraph: Telegraph, n: int, step_s: float, seed: int) -> Floats:
    """A trace (n,) of a card's telegraph noise, started in equilibrium; the same seed gives the same numbers."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    mean = (telegraph.dwell_low_s, telegraph.dwell_high_s)
    state = int(rng.random() < mean[1] / (mean[0] + mean[1]))
    out, done, until = np.empty(n), 0, 0.0
    while done < n:
        until += rng.exponential(mean[state])
        stop = min(n, math.ceil(until / step_s))
        out[done:stop] = (telegraph.low, telegraph.high)[state]
        done, state = max(done, stop), 1 - state
    return out + telegraph.noise_sd * rng.standard_normal(n)


def _share(part: float, whole: float) -> float:
    return min(max(part / max(whole, 1e-12), 1e-12), 1 - 1e-12)


def _densities(x: Floats, low: float, high: float, spread: float) -> Floats:
    """Densities (n, 2) over their larger one's scale, with the logarithm of that scale (n,) in the last column."""
    logs = -0.5 * ((x[:, None] - np.array([low, high])) / spread) ** 2 - math.log(spread * math.sqrt(2 * math.pi))
    top = logs.max(axis=1)
    return np.column_stack([np.exp(logs - top[:, None]), top])


def _smooth(density: Floats, leave: Sequence[float], first: float) -> tuple[float, Floats, tuple[float, float]]:
    """Forward and backward: log likelihood, probability (n,) of the upper level, expected jumps up and down."""
    n = len(density)
    p, q, both = density[:, 0].tolist(), density[:, 1].tolist(), leave
    up, down = both
    ahead, scale = [0.0] * n, [0.0] * n
    upper = first
    total = float(density[:, 2].sum())
    for i in range(n):
        if i:
            upper = upper * (1 - down) + (1 - upper) * up
        a, b = (1 - upper) * p[i], upper * q[i]
        scale[i] = a + b
        upper = b / (a + b)
        ahead[i] = upper
        total += math.log(a + b)
    back_low, back_high = 1.0, 1.0
    weights = [0.0] * n
    weights[-1] = ahead[-1]
    jumps_up = jumps_down = 0.0
    for i in range(n - 2, -1, -1):
        c, d = p[i + 1] * back_low / scale[i + 1], q[i + 1] * back_high / scale[i + 1]
        jumps_up += (1 - ahead[i]) * up * d
        jumps_down += ahead[i] * down * c
        back_low, back_high = (1 - up) * c + up * d, down * c + (1 - down) * d
        weights[i] = ahead[i] * back_high
    return total, np.clip(np.array(weights), 0.0, 1.0), (jumps_up, jumps_down)


def _rates(leave: Sequence[float], step_s: float) -> tuple[float, float]:
    """Rates out of the lower and the upper level, in 1/s, from probabilities to be in the other one a step later."""
    both = min(leave[0] + leave[1], 1 - 1e-9)
    total = -math.log1p(-both) / step_s
    return total * leave[0] / (leave[0] + leave[1]), total * leave[1] / (leave[0] + leave[1])


def _bic_white(x: Floats) -> float:
    return float(len(x) * (math.log(2 * math.pi * x.var()) + 1) + 2 * math.log(len(x)))


def _bic_slow(x: Floats) -> float:
    y = x - x.mean()
    rho = float(np.clip((y[1:] @ y[:-1]) / (y @ y), -0.999999, 0.999999))
    rest = y[1:] - rho * y[:-1]
    n = len(x)
    variance = max(float((rest @ rest + (1 - rho**2) * y[0] ** 2) / n), 1e-300)
    log_likelihood = -0.5 * n * (math.log(2 * math.pi * variance) + 1) + 0.5 * math.log(1 - rho**2)
    return 3 * math.log(n) - 2 * log_likelihood
