"""Universal metrics against devices whose metrics are known."""

import numpy as np
import pytest
from scipy import constants

from ionsim.compact.benchmark import train_ends, universal_metrics
from ionsim.compact.cardparts import PulseTrain, Retention
from ionsim.compact.description import CompactError


def train(direction: str, g: np.ndarray, device: int = 0, cycle: int = 0) -> PulseTrain:
    return PulseTrain(direction=direction, amplitude=1.0, width_s=1e-7, read_V=0.1, conductances_S=tuple(g.tolist()),
                      device=device, cycle=cycle)  # type: ignore[arg-type]  # fmt: skip


def test_energies_and_stochasticity() -> None:
    """ln R_LRS and ln R_HRS of standard deviation 0.1 and 0.4, ln 100 apart: S = 2 x 0.5/ln 100 = 0.217."""
    rng = np.random.default_rng(1)
    devices = np.repeat(np.arange(50), 20)
    on = 1e-4 * np.exp(0.1 * rng.standard_normal(1000))
    off = 1e-6 * np.exp(0.4 * rng.standard_normal(1000))
    found = universal_metrics(on, off, devices, write_V=2.0, width_s=1e-7, resamples=200)
    assert found["E_action_J"].value == pytest.approx(4 * 5.05e-5 * 1e-7, rel=0.01)
    assert found["E_fire_J"].value == pytest.approx(4e-11, rel=0.01)
    assert found["E_spike_J"].value == pytest.approx(4e-13, rel=0.05)
    assert found["P_standby_W"].value == pytest.approx(4e-6, rel=0.05)
    truth = 2 * 0.5 / np.log(100)
    assert found["stochasticity"].value == pytest.approx(truth, rel=0.04)
    interval = found["stochasticity"].interval
    assert interval is not None
    assert interval[0] < truth < interval[1]
    assert interval[1] - interval[0] < 0.15 * truth
    assert found["cycle_sd_ln_g_off"].value == pytest.approx(0.4, rel=0.06)
    assert found["device_sd_ln_g_off"].value == pytest.approx(0.0, abs=0.06)


def test_nonlinearity_asymmetry_and_states() -> None:
    p = np.linspace(0, 1, 51)
    curve = (1 - np.exp(-2 * p)) / (1 - np.exp(-2))
    largest = float((curve - p).max())
    up, down = 1e-6 + 1e-5 * curve, 1.1e-5 - 1e-5 * curve
    found = universal_metrics(*train_ends([train("up", up)]), 1.0, 1e-7, [train("up", up), train("down", down)])
    assert found["nonlinearity_up"].value == pytest.approx(largest)
    assert found["nonlinearity_down"].value == pytest.approx(largest)
    assert found["asymmetry"].value == pytest.approx(np.abs(up - down[::-1]).max() / 1e-5)
    assert found["nonlinearity_up"].interval is None  # one train


def test_states_by_the_scatter_of_trains() -> None:
    """11 levels 1 uS apart, with 0.25 uS of scatter (4 standard deviations) and with 0.5 uS (every second one)."""
    rng = np.random.default_rng(3)
    steps = 1e-6 * np.arange(5, 16)
    for scatter, states in ((2.5e-7, 11), (5e-7, 6)):
        trains = [
            train(way, g + scatter * rng.standard_normal(11), device)
            for device in range(200)
            for way, g in (("up", steps), ("down", steps[::-1]))
        ]
        assert universal_metrics(*train_ends(trains), 1.0, 1e-7, trains, resamples=20)["n_states"].value == states


def test_retention_activation_and_switching_slope() -> None:
    times = np.geomspace(1, 1e9, 400)
    traces = []
    for kelvin in (350.0, 375.0, 400.0):
        rate = 1e9 * np.exp(-1.1 * constants.e / (constants.k * kelvin))
        g = 1e-4 * np.exp(-np.log(100) * (1 - np.exp(-rate * times)))
        traces.append(Retention(temperature_K=kelvin, times_s=tuple(times.tolist()), conductances_S=tuple(g.tolist())))
    pairs = [(v, 10 ** (-1 - 8 * v)) for v in (0.5, 0.7, 0.9, 1.1)]
    found = universal_metrics([1e-4], [1e-6], [0], None, None, retention=traces, switching=pairs)
    assert found["retention_ea_eV"].value == pytest.approx(1.1, rel=2e-3)
    assert found["switching_decades_per_V"].value == pytest.approx(-8.0)
    assert found["E_action_J"].value is None
    assert found["E_action_J"].note == "no write voltage"
    assert found["stochasticity"].note == "1 cycles: no spread"


def test_conductances_must_fit() -> None:
    with pytest.raises(CompactError, match="must be as many, and positive"):
        universal_metrics([1e-4], [-1e-6], [0], 1.0, 1.0)
