"""Weibull fits against scipy's, their intervals against repeated draws, and the law of areas."""

import numpy as np
import pytest
from scipy.stats import CensoredData, weibull_min

from ionsim.analysis.weibull import area_scaling, median_ranks, threshold_scaling, weibull_fit
from ionsim.errors import ResultsError


def draws(n, slope=12.0, scale=3.0, seed=1):
    return scale * np.random.default_rng(seed).weibull(slope, n)


@pytest.mark.parametrize("limit", [np.inf, 3.0])
def test_fits_are_those_of_scipy(limit):
    values = draws(80)
    known, late = values[values < limit], np.full((values >= limit).sum(), 3.0)
    fit = weibull_fit(known, late)
    slope, _, scale = weibull_min.fit(CensoredData(uncensored=known, right=late), floc=0)
    assert (fit.slope, fit.scale) == pytest.approx((slope, scale), rel=1e-3)
    assert (fit.n, fit.n_censored) == (80, len(late))
    assert fit.distribution(fit.scale) == pytest.approx(1.0 - np.exp(-1.0))
    assert fit.mean == pytest.approx(weibull_min.mean(slope, scale=scale), rel=1e-3)


def test_intervals_hold_the_truth_as_often_as_they_say():
    fits = [weibull_fit(draws(25, seed=seed), level=0.8) for seed in range(120)]
    for truth, name in ((3.0, "scale_interval"), (12.0, "slope_interval")):
        held = np.mean([low < truth < high for low, high in (getattr(fit, name) for fit in fits)])
        assert 0.68 < held < 0.90  # 0.8 within 3 standard errors of 120 draws


def test_weakest_links_are_recognised_and_others_are_not():
    links = {area: (draws(40, scale=3.0 * area ** (-1 / 12), seed=int(area)), ()) for area in (1.0, 4.0, 16.0)}
    law = area_scaling(links)
    assert law.p_value > 0.05
    assert law.slope_interval[0] < 12.0 < law.slope_interval[1]
    assert law.exponent_interval[0] < 1.0 / 12.0 < law.exponent_interval[1]
    assert law.scale_at(1.0) == pytest.approx(3.0, rel=0.03)
    same = area_scaling({area: (draws(40, seed=int(area)), ()) for area in (1.0, 4.0, 16.0)})
    assert same.p_value < 1e-6
    assert same.exponent_interval[0] < 0.0 < same.exponent_interval[1]


def test_a_threshold_is_found_and_weakest_links_above_it_are_recognised():
    def links(power, seed):
        return {area: 2.0 + draws(60, 2.5, 0.4 * area**-power, seed + int(area)) for area in (1.0, 4.0, 16.0)}

    law = threshold_scaling(links(1 / 2.5, 1))
    assert law.threshold == pytest.approx(2.0, abs=0.05)
    assert law.slope == pytest.approx(2.5, rel=0.2)
    assert law.p_value > 0.05
    assert all(abs(mean - 1.0) < 4.0 * error for mean, error in law.hazards.values())
    # Scales that do not depend on the area at all.
    assert threshold_scaling(links(0.0, 1)).p_value < 1e-3


def test_ranks_leave_room_for_devices_that_did_not_form():
    values, share = median_ranks([2.0, 1.0], 4)
    np.testing.assert_array_equal(values, [1.0, 2.0])
    np.testing.assert_allclose(share, [0.7 / 4.4, 1.7 / 4.4])


@pytest.mark.parametrize(
    ("values", "message"), [([1.0], "two different"), ([1.0, -2.0], "positive"), ([2.0, 2.0], "two different")]
)
def test_what_cannot_be_fitted_is_refused(values, message):
    with pytest.raises(ResultsError, match=message):
        weibull_fit(values)
    with pytest.raises(ResultsError, match="at least two"):
        area_scaling({1.0: ([1.0, 2.0], ())})
