"""Spread of cells: cycles within devices, as random effects with full covariance at both levels.

Every quantity is brought to a latent scale on which it is normal: ln x, x, or, where the data are neither, the normal
score of its rank. There u = mean + device + cycle, the last two normal with covariances of their own, so the joint
distribution is a Gaussian copula.

- Scale: the Shapiro-Wilk test of the cycles' residuals and of the devices' means, joined by Bonferroni's rule, for ln x
  and for x. A scale passes at p >= 0.05; of two that pass the one of larger p is taken (ln x where the mean lies within
  3.5 standard deviations of zero and all x are positive); without any, the ranks.
- Covariances: analysis of variance for unbalanced data (Searle, Casella and McCulloch, Variance Components, 1992,
  chapter 3), which is unbiased; negative eigenvalues of the devices' covariance become zero.
- Intervals: bootstrap of devices and then of cycles, from effects rescaled to the estimated covariances (Carpenter,
  Goldstein and Rasbash, J. R. Stat. Soc. C 52, 431 (2003)): plain resampling would count the cycles' share in the
  devices' means twice. Mean squares are turned over as ratios. ``tests/test_compact_statistics.py`` measures how often
  the intervals hold the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ionsim.compact.cardparts import Intervals, Marginal, Matrix, Statistics, Telegraph
from ionsim.compact.description import CompactError

Floats = NDArray[np.float64]

#: p below which a scale is rejected.
REJECT_P = 0.05

#: Mean over standard deviation of positive values below which their logarithm is preferred.
_FROM_ZERO = 3.5

#: Quantiles kept of an empirical distribution.
N_QUANTILES = 33

#: Values beyond which scipy's Shapiro-Wilk p is not meant to be used; more are thinned evenly.
_MOST_TESTED = 5000

#: Keeps quotients finite.
_TINY = 1e-300


@dataclass(frozen=True)
class Effects:
    """Means (k,) and covariances (k, k) of a nested model in its latent scale."""

    mean: Floats
    device: Floats
    cycle: Floats


def fit_statistics(
    names: Sequence[str],
    units: Sequence[str],
    values: ArrayLike,
    devices: ArrayLike,
    resamples: int = 400,
    seed: int = 0,
    telegraph: Telegraph | None = None,
    kinds: Mapping[str, Literal["normal", "lognormal"]] | None = None,
) -> Statistics:
    """The nested model of ``values`` (n, k), one row a cycle, with the ``devices`` (n,) that they belong to.

    ``kinds``: scales that are taken whatever the tests say, by name. Raises CompactError for fewer than two rows,
    shapes that do not fit, and values that are not finite.
    """
    table, groups = np.atleast_2d(np.asarray(values, dtype=float)), np.asarray(devices)
    if table.shape != (len(groups), len(names)) or len(units) != len(names) or len(groups) < 2:
        raise CompactError(f"{table.shape} values, {len(names)} names, {len(groups)} devices: do not fit, or too few")
    if not np.isfinite(table).all():
        bad = [name for name, column in zip(names, table.T, strict=True) if not np.isfinite(column).all()]
        raise CompactError(f"not finite: {', '.join(bad)} (leave out cycles in which nothing switched, and say so)")
    order = np.argsort(np.unique(groups, return_inverse=True)[1], kind="stable")
    table, groups = table[order], np.unique(groups, return_inverse=True)[1][order]
    marginals = {
        name: choose_marginal(table[:, k], groups, units[k], (kinds or {}).get(name)) for k, name in enumerate(names)
    }
    latent = np.column_stack([to_latent(table[:, k], marginals[name]) for k, name in enumerate(names)])
    counts = np.bincount(groups)
    effects = estimate(latent, counts)
    return Statistics(
        names=tuple(names),
        marginals=marginals,
        mean=tuple(effects.mean.tolist()),
        device_covariance=_rows(effects.device),
        cycle_covariance=_rows(effects.cycle),
        cycles=tuple(counts.tolist()),
        intervals=_intervals(names, latent, counts, effects, resamples, seed),
        telegraph=telegraph,
    )


def choose_marginal(
    x: Floats, groups: NDArray[np.int64], unit: str, kind: Literal["normal", "lognormal"] | None = None
) -> Marginal:
    """The scale of one quantity: ``kind``, else by the test that the module states."""
    p_normal = _normality(x, groups)
    p_log = _normality(np.log(x), groups) if (x > 0).all() else None
    if kind is not None:
        return Marginal(kind=kind, unit=unit, p_lognormal=p_log, p_normal=p_normal)
    passing = {"normal": p_normal, "lognormal": -1.0 if p_log is None else p_log}
    best = max(passing, key=lambda kind: (passing[kind], kind == "lognormal"))
    if passing["lognormal"] >= REJECT_P and x.mean() < _FROM_ZERO * x.std(ddof=1):
        best = "lognormal"  # a normal one would reach values below zero
    if np.ptp(x) == 0:
        best = "normal"
    elif passing[best] < REJECT_P:
        grid = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
        grid = np.unique(np.concatenate([[0.5 / len(x)], grid[(grid > 0.5 / len(x)) & (grid < 1 - 0.5 / len(x))],
                                         [1 - 0.5 / len(x)]]))  # fmt: skip
        cuts = np.quantile(x, grid, method="hazen")
        return Marginal(kind="empirical", unit=unit, p_lognormal=p_log, p_normal=p_normal,
                        scores=tuple(stats.norm.ppf(grid).tolist()), values=tuple(cuts.tolist()))  # fmt: skip
    return Marginal(kind=best, unit=unit, p_lognormal=p_log, p_normal=p_normal)  # type: ignore[arg-type]


def to_latent(x: Floats, marginal: Marginal) -> Floats:
    """Values on the scale on which they are normal."""
    if marginal.kind == "lognormal":
        return np.log(x)
    if marginal.kind == "normal":
        return np.asarray(x, dtype=float)
    return np.asarray(stats.norm.ppf((stats.rankdata(x) - 0.5) / len(x)))


def from_latent(u: Floats, marginal: Marginal) -> Floats:
    """Values from the latent scale, any shape; an empirical one ends at what was seen."""
    if marginal.kind == "lognormal":
        return np.exp(u)
    if marginal.kind == "normal":
        return np.asarray(u, dtype=float)
    return np.interp(u, marginal.scores, marginal.values)


def estimate(latent: Floats, counts: NDArray[np.int64]) -> Effects:
    """Means and covariances of rows (n, k) sorted by device, ``counts`` of them each.

    Without a second device, or without a second cycle, the covariance of that level is zero.
    """
    n, k = latent.shape
    n_devices = len(counts)
    means = _means(latent, counts)
    inside = latent - np.repeat(means, counts, axis=0)
    cycle = inside.T @ inside / (n - n_devices) if n > n_devices else np.zeros((k, k))
    device = np.zeros((k, k))
    if n_devices > 1:
        apart = means - latent.mean(axis=0)
        between = (apart * counts[:, None]).T @ apart / (n_devices - 1)
        device = _positive((between - cycle) / _share(counts))
    variance = np.diag(device)[None, :] + np.diag(cycle)[None, :] / counts[:, None]
    weights = np.where(variance > 0, 1 / np.where(variance > 0, variance, 1.0), 1.0)
    return Effects((weights * means).sum(axis=0) / weights.sum(axis=0), device, cycle)


def sample(statistics: Statistics, n_devices: int, n_cycles: int, seed: int) -> Floats:
    """Cells drawn from a card's statistics: (n_devices, n_cycles, k); the same seed gives the same numbers."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    k = len(statistics.names)
    device = rng.standard_normal((n_devices, 1, k)) @ root(statistics.device_covariance).T
    cycle = rng.standard_normal((n_devices, n_cycles, k)) @ root(statistics.cycle_covariance).T
    latent = np.asarray(statistics.mean) + device + cycle
    columns = [from_latent(latent[..., i], statistics.marginals[name]) for i, name in enumerate(statistics.names)]
    return np.stack(columns, axis=-1)


def root(covariance: Matrix | Floats) -> Floats:
    """A matrix R with R R^T = covariance, symmetric, defined for covariances without full rank too."""
    values, vectors = np.linalg.eigh(np.asarray(covariance))
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _normality(x: Floats, groups: NDArray[np.int64]) -> float:
    """p of the Shapiro-Wilk tests of residuals and of means, by Bonferroni's rule; 1 where there are too few."""
    counts = np.bincount(groups)
    means = np.bincount(groups, x) / counts
    several = counts[groups] > 1
    inside = ((x - means[groups]) * np.sqrt(counts / np.maximum(counts - 1, 1))[groups])[several]
    found = []
    for part in (inside, means):
        if len(part) >= 3 and np.ptp(part) > 0:
            found.append(float(stats.shapiro(part[:: -(-len(part) // _MOST_TESTED)]).pvalue))
    return min(1.0, len(found) * min(found)) if found else 1.0


def _positive(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.clip(values, 0, None)) @ vectors.T


def _rows(matrix: Floats) -> Matrix:
    return tuple(tuple(row) for row in ((matrix + matrix.T) / 2).tolist())


def _rescaled(rows: Floats, covariance: Floats) -> Floats:
    """Rows without their mean, mapped linearly so that their covariance is the one given."""
    centred = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > 1e-12 * max(values.max(), 1e-300)
    inverse = (vectors * np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)) @ vectors.T
    return centred @ inverse @ root(covariance)


def _intervals(
    names: Sequence[str],
    latent: Floats,
    counts: NDArray[np.int64],
    effects: Effects,
    resamples: int,
    seed: int,
) -> dict[str, Intervals]:
    n_devices, n = len(counts), len(latent)
    means = _means(latent, counts)
    devices = _rescaled(means, effects.device) if n_devices > 1 else np.zeros_like(means)
    cycles = _rescaled(latent - np.repeat(means, counts, axis=0), effects.cycle) if n > n_devices else latent * 0
    between, within = _mean_squares(latent, counts)
    share = _share(counts)
    world = np.diag(effects.device) * share + within  # expected mean square between the devices drawn below
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    found = []
    for _ in range(resamples):
        again = rng.integers(n_devices, size=n_devices)
        size = counts[again]
        rows = np.repeat(devices[again], size, axis=0) + cycles[rng.integers(n, size=int(size.sum()))]
        found.append((estimate(rows, size).mean, *_mean_squares(rows, size)))
    drawn = np.array(found)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    # few devices: Student's factor, since the drawn means know the variance that was estimated, not the true one
    wider = float(stats.t.ppf(0.975, n_devices - 1) / stats.norm.ppf(0.975)) if n_devices > 1 else 1.0
    out = {}
    for k, name in enumerate(names):
        # the means may lie as far on one side of the truth as the drawn ones on the other side of theirs;
        # mean squares are ratios
        ends = [between[k] * world[k] / max(edge, _TINY) for edge in (high[1, k], low[1, k])]
        inside = [within[k] * within[k] / max(edge, _TINY) for edge in (high[2, k], low[2, k])]
        apart = [float(np.sqrt(max(end - within[k], 0) / share)) for end in ends]
        out[name] = Intervals(
            mean=(float(effects.mean[k] - wider * high[0, k]), float(effects.mean[k] - wider * low[0, k])),
            device_sd=(apart[0], apart[1]) if n_devices > 1 else None,
            cycle_sd=(float(np.sqrt(inside[0])), float(np.sqrt(inside[1]))) if n > n_devices else None,
        )
    return out


def _means(latent: Floats, counts: NDArray[np.int64]) -> Floats:
    return np.asarray(np.add.reduceat(latent, np.concatenate([[0], np.cumsum(counts)[:-1]]), axis=0) / counts[:, None])


def _share(counts: NDArray[np.int64]) -> float:
    """How often a device's variance enters the mean square between devices: the number of cycles of equal devices."""
    n = counts.sum()
    return float((n - (counts**2).sum() / n) / (len(counts) - 1)) if len(counts) > 1 else 1.0


def _mean_squares(latent: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Mean squares between devices and within them, each (k,)."""
    n, n_devices = len(latent), len(counts)
    means = _means(latent, counts)
    inside = ((latent - np.repeat(means, counts, axis=0)) ** 2).sum(axis=0) / max(n - n_devices, 1)
    apart = ((means - latent.mean(axis=0)) ** 2 * counts[:, None]).sum(axis=0) / max(n_devices - 1, 1)
    return apart, inside
