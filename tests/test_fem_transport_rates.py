"""Rates of reactions that transfer charge: balance, slopes, the integrals that they stand for, and what is refused."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import numpy as np
import pytest
import scipy.constants
import scipy.special

KT_EV = scipy.constants.k * 300.0 / scipy.constants.elementary_charge
LAWS = [
    fem.ChargeTransfer("H", 1.0, alpha=0.3), fem.ChargeTransfer("H", 1.0, reorganisation_eV=0.2),
    fem.ChargeTransfer("H", 1.0, reorganisation_eV=0.2, rate="marcus-hush-chidsey"),
    fem.ChargeTransfer("H", 1.0, reorganisation_eV=0.01, rate="marcus-hush-chidsey"),
]  # fmt: skip


@pytest.mark.parametrize("law", LAWS)
def test_rates_balance_and_their_slopes(law):
    a = np.array([-20.0, -1.0, 0.0, 1e-3, 2.0, 12.0])
    value, slope = law.drive(a, KT_EV)
    assert value[2] == 0.0
    h = 1e-5
    numeric = (law.drive(a + h, KT_EV)[0] - law.drive(a - h, KT_EV)[0]) / (2.0 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-8)
    assert slope[2] == pytest.approx(1.0)  # j = j0 A / kT next to equilibrium
    if law.law != "butler-volmer":
        np.testing.assert_allclose(law.drive(-a, KT_EV)[0], -value, rtol=1e-12, atol=1e-300)
    warm = np.linspace(250.0, 400.0, a.size) / 300.0 * KT_EV  # every node its own temperature
    alone = [law.drive(one, kT) for one, kT in zip(a[:, None], warm, strict=True)]
    np.testing.assert_allclose(law.drive(a, warm), np.array(alone)[:, :, 0].T, rtol=1e-8, atol=1e-14)


def test_marcus_is_the_difference_of_two_rates():
    a = np.array([-20.0, -1.0, 1e-3, 2.0, 12.0])
    rates = [np.exp(-((0.2 + sign * a * KT_EV) ** 2 - 0.04) / (0.8 * KT_EV)) for sign in (-1.0, 1.0)]
    np.testing.assert_allclose(LAWS[1].drive(a, KT_EV)[0], rates[0] - rates[1], rtol=1e-9)


def fermi(width, a):
    """Rate (n,) at affinities ``a`` (n,) in kT: Marcus' barrier for the electrons of a metal at each energy."""
    reach = 14.0 * np.sqrt(2.0 * width) + 40.0
    x = np.linspace(min(width - np.abs(a).max(), 0.0) - reach, width + np.abs(a).max() + reach, 20001)[:, None]
    return np.trapezoid(np.exp(-((x - width + a) ** 2) / (4.0 * width)) / (1.0 + np.exp(x)), x, axis=0)


@pytest.mark.parametrize("width", [0.2, 1.0, 5.0, 31.0, 100.0])
def test_marcus_hush_chidsey_is_the_integral_over_the_electrons(width):
    """And the two rates balance in detail: forth over back is exp(A/kT), nil at no affinity."""
    a = np.linspace(-2.0 * width - 10.0, 2.0 * width + 10.0, 20)
    law = fem.ChargeTransfer("H", 1.0, reorganisation_eV=width * KT_EV, rate="marcus-hush-chidsey")
    forth, back = fermi(width, a), fermi(width, -a)
    np.testing.assert_allclose(forth / back, np.exp(a), rtol=1e-9)
    rest = fermi(width, np.zeros(1))
    np.testing.assert_allclose(law.drive(a, KT_EV)[0], (forth - back) / rest, rtol=5e-9)
    value, slope = law.drive(np.array([-1e6, 1e6]), KT_EV)  # a wild iterate meets the limiting current
    np.testing.assert_allclose(value, np.array([-1.0, 1.0]) * np.sqrt(4.0 * np.pi * width) / rest, rtol=5e-9)
    assert np.abs(slope).max() < 1e-12 * value[1]


@pytest.mark.parametrize(("width", "error"), [(1.0, 0.12), (10.0, 0.04), (30.0, 0.18), (50.0, 0.35), (100.0, 0.69)])
def test_the_closed_form_is_off_by_what_the_docstring_says(width, error):
    """Zeng et al.: sqrt(pi lambda) / (1 + exp(-a)) erfc((lambda - sqrt(1 + sqrt(lambda) + a^2)) / (2 sqrt(lambda)))."""
    a = np.linspace(-3.0 * width - 10.0, 3.0 * width + 10.0, 81)
    root = np.sqrt(width)
    closed = np.sqrt(np.pi) * root / (1.0 + np.exp(-a))
    closed *= scipy.special.erfc((width - np.sqrt(1.0 + root + a**2)) / (2.0 * root))
    assert np.abs(closed / fermi(width, a) - 1.0).max() == pytest.approx(error, abs=0.01)


@pytest.mark.parametrize("exchange", [fem.insertion_exchange(2.0, 0.3), fem.coupled_exchange(2.0)])
def test_exchange_and_its_derivatives(exchange):
    x, y, h = np.array([0.2, 0.5]), np.array([0.7, 0.05]), 1e-6
    _, by_x, by_y = exchange(x, y)
    np.testing.assert_allclose(by_x, (exchange(x + h, y)[0] - exchange(x - h, y)[0]) / (2.0 * h), rtol=1e-8)
    np.testing.assert_allclose(by_y, (exchange(x, y + h)[0] - exchange(x, y - h)[0]) / (2.0 * h), rtol=1e-8)


def test_coupled_transfer_needs_a_vacant_site_both_ways():
    """x_ion (1 - x) exp(f/2) - x (1 - x) exp(-f/2) at the affinity f of standard states."""
    x, y, f = np.array([0.2, 0.5]), np.array([0.7, 0.05]), np.array([1.0, -2.0])
    law = fem.ChargeTransfer("H", fem.coupled_exchange(2.0), "inserted")
    rate = law.exchange(x, y)[0] * law.drive(f + np.log(x / y), KT_EV)[0]
    np.testing.assert_allclose(rate, 2.0 * (1.0 - y) * (x * np.exp(0.5 * f) - y * np.exp(-0.5 * f)), rtol=1e-12)


@pytest.mark.parametrize(("given", "message"), [
    ({"exchange_A_per_m2": -1.0}, "exchange_A_per_m2"),
    ({"alpha": 1.0}, "alpha must lie"),
    ({"alpha": 0.3, "reorganisation_eV": 0.4}, "alpha must be 0.5"),
    ({"reorganisation_eV": -0.4}, "reorganisation_eV must be positive"),
    ({"rate": "marcus-hush"}, "nearest: 'marcus-hush-chidsey'"),
    ({"rate": "marcus-hush-chidsey"}, "needs a reorganisation_eV"),
    ({"rate": "butler-volmer", "reorganisation_eV": 0.4}, "takes no reorganisation_eV"),
    ({"activation_eV": -0.1}, "activation_eV"),
])  # fmt: skip
def test_what_is_wrong_is_named(given, message):
    with pytest.raises(fem.FemError, match=message):
        fem.ChargeTransfer("H", **{"exchange_A_per_m2": 1.0, **given})
