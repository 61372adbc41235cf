"""Spread of cells against synthetic cells with known answers: covariances, intervals, scales, telegraph noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ionsim.compact.cardparts import Telegraph
from ionsim.compact.description import CompactError
from ionsim.compact.statistics import estimate, fit_statistics, root, sample
from ionsim.compact.telegraph import find_telegraph, simulate

Floats = NDArray[np.float64]
MEAN = np.array([1.0, -2.0])
DEVICE = np.array([[0.04, 0.02], [0.02, 0.09]])
CYCLE = np.array([[0.01, -0.006], [-0.006, 0.02]])


def cells(n_devices: int, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Latent values of unbalanced synthetic cells, 3 to 12 cycles a device, and their devices."""
    counts = rng.integers(3, 13, size=n_devices)
    groups = np.repeat(np.arange(n_devices), counts)
    u = MEAN + (rng.standard_normal((n_devices, 2)) @ root(DEVICE).T)[groups]
    return u + rng.standard_normal((len(groups), 2)) @ root(CYCLE).T, groups


def test_estimators_are_unbiased_for_unbalanced_cells() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        u, groups = cells(20, rng)
        one = estimate(u, np.bincount(groups))
        found.append(np.concatenate([one.mean, one.device.ravel(), one.cycle.ravel()]))
    truth = np.concatenate([MEAN, DEVICE.ravel(), CYCLE.ravel()])
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(np.mean(found, axis=0) - truth) < 4 * error)
    assert np.all(error[2:6] < 0.06 * np.sqrt(np.outer(np.diag(DEVICE), np.diag(DEVICE))).ravel())  # the test can fail


def test_samples_have_the_moments_of_the_card_and_the_same_bytes() -> None:
    u, groups = cells(40, np.random.default_rng(3))
    statistics = fit_statistics(["a", "b"], ["Ohm", "eV"], np.exp(u), groups, resamples=20)
    assert {item.kind for item in statistics.marginals.values()} == {"lognormal"}
    drawn = sample(statistics, 4000, 6, seed=7)
    assert drawn.tobytes() == sample(statistics, 4000, 6, seed=7).tobytes()
    assert drawn.tobytes() != sample(statistics, 4000, 6, seed=8).tobytes()
    again = estimate(np.log(drawn).reshape(-1, 2), np.full(4000, 6))
    np.testing.assert_allclose(again.device, statistics.device_covariance, rtol=0.08, atol=2e-3)
    np.testing.assert_allclose(again.cycle, statistics.cycle_covariance, rtol=0.08, atol=2e-4)


def test_scale_follows_the_data() -> None:
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(30), 10)
    z = 0.5 * rng.standard_normal(30)[groups] + rng.standard_normal(300)
    columns = np.column_stack([np.exp(z), 5 + z, np.where(z > 0, 10 + z, 1 + 0.1 * z)])
    statistics = fit_statistics(["log", "plain", "two_humps"], ["1"] * 3, columns, groups, resamples=20)
    assert statistics.marginals["log"].kind == "lognormal"
    assert statistics.marginals["plain"].kind == "normal"
    assert statistics.marginals["two_humps"].kind == "empirical"
    drawn = sample(statistics, 3000, 3, seed=1)[..., 2].ravel()
    assert columns[:, 2].min() <= drawn.min()
    assert drawn.max() <= columns[:, 2].max()
    assert np.mean(drawn > 5) == pytest.approx(np.mean(columns[:, 2] > 5), abs=0.04)
    # the copula keeps what belongs together: a cell that is high in one quantity is high in the others
    assert np.corrcoef(sample(statistics, 300, 10, seed=1).reshape(-1, 3).argsort(0).argsort(0).T).min() > 0.9


def test_levels_that_were_not_seen_have_no_spread() -> None:
    rng = np.random.default_rng(2)
    one_device = fit_statistics(["v"], ["V"], rng.normal(1, 0.1, (12, 1)), np.zeros(12), resamples=20)
    assert one_device.device_covariance == ((0.0,),)
    assert one_device.intervals["v"].device_sd is None
    assert one_device.intervals["v"].cycle_sd is not None
    one_cycle = fit_statistics(["v"], ["V"], rng.normal(1, 0.1, (12, 1)), np.arange(12), resamples=20)
    assert one_cycle.cycle_covariance == ((0.0,),)
    assert one_cycle.intervals["v"].cycle_sd is None
    assert one_cycle.intervals["v"].device_sd is not None


def test_what_did_not_switch_is_refused() -> None:
    with pytest.raises(CompactError, match="not finite: v"):
        fit_statistics(["v"], ["V"], [[1.0], [np.nan]], [0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("n_devices", [6, 12, 30])
def test_intervals_hold_the_truth_as_often_as_they_say(n_devices: int) -> None:
    """95 % intervals of means and standard deviations at both levels, 150 data sets: measured 0.90 to 0.98."""
    rng = np.random.default_rng(1)
    held = np.zeros((3, 2))
    seen = np.zeros(2)
    for trial in range(150):
        u, groups = cells(n_devices, rng)
        statistics = fit_statistics(["a", "b"], ["1", "1"], u - 100, groups, resamples=300, seed=trial)
        for k, name in enumerate("ab"):
            if statistics.marginals[name].kind != "normal":
                continue
            seen[k] += 1
            item = statistics.intervals[name]
            truths = (MEAN[k] - 100, DEVICE[k, k] ** 0.5, CYCLE[k, k] ** 0.5)
            for level, (pair, truth) in enumerate(zip((item.mean, item.device_sd, item.cycle_sd), truths, strict=True)):
                assert pair is not None
                held[level, k] += pair[0] <= truth <= pair[1]
    assert np.all(held / seen > 0.88), held / seen


KNOWN = Telegraph(quantity="current_A", low=1e-6, high=1.4e-6, noise_sd=1e-7, dwell_low_s=2e-3, dwell_high_s=5e-4,
                  transitions=0)  # fmt: skip


def test_telegraph_noise_with_known_rates_is_found() -> None:
    trace = simulate(KNOWN, 20000, 1e-4, seed=4)
    found = find_telegraph(trace, 1e-4, "current_A")
    assert found is not None
    # 2 s hold 800 pairs of dwells: 3.5 % standard error of each mean; limits are four of them
    assert found.dwell_low_s == pytest.approx(KNOWN.dwell_low_s, rel=0.14)
    assert found.dwell_high_s == pytest.approx(KNOWN.dwell_high_s, rel=0.14)
    assert found.low == pytest.approx(KNOWN.low, rel=0.01)
    assert found.high == pytest.approx(KNOWN.high, rel=0.01)
    assert found.noise_sd == pytest.approx(KNOWN.noise_sd, rel=0.03)


def test_noise_without_levels_is_none() -> None:
    rng = np.random.default_rng(9)
    white = rng.standard_normal(5000)
    slow = np.zeros(5000)
    for i in range(1, 5000):
        slow[i] = 0.98 * slow[i - 1] + white[i]
    assert find_telegraph(white, 1.0, "current_A") is None
    assert find_telegraph(slow, 1.0, "current_A") is None
    assert find_telegraph(slow + 0.3 * rng.standard_normal(5000), 1.0, "current_A") is None
    assert find_telegraph(np.linspace(0, 1, 5000) + 0.05 * white, 1.0, "current_A") is None  # a drift
    assert find_telegraph(np.ones(50), 1.0, "current_A") is None


@pytest.mark.slow
def test_rates_of_telegraph_noise_have_no_bias() -> None:
    """Forty traces, dwell times of 3 to 40 samples and a contrast of 2.5: mean over truth within 4 standard errors."""
    ratios = []
    known = KNOWN.model_copy(update={"noise_sd": 1.6e-7, "dwell_low_s": 4e-3, "dwell_high_s": 3e-4})
    for seed in range(40):
        found = find_telegraph(simulate(known, 20000, 1e-4, seed=seed), 1e-4, "current_A")
        assert found is not None
        ratios.append((found.dwell_low_s / known.dwell_low_s, found.dwell_high_s / known.dwell_high_s))
    mean, error = np.mean(ratios, axis=0), np.std(ratios, axis=0) / np.sqrt(len(ratios))
    assert np.all(np.abs(mean - 1) < 4 * error + 0.01), (mean, error)
