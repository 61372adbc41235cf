"""The control of field refreshes by itself."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_device import small_device

from ionsim.coupling import RefreshControl

SCRIPT = Path(__file__).parents[1] / "scripts" / "refresh_error.py"


def controlled(share, n=4000, seed=1):
    """A control at 0.2 V whose estimate is 1/``share`` times the error on average; errors of the second half."""
    control, random = RefreshControl(0.01), np.random.default_rng(seed)
    for draw in random.exponential(size=n):
        estimate_V = control.threshold_V(0.2)
        control.learn(share * estimate_V * draw, estimate_V, 2)
    return control, np.array(control.errors_V[n // 2 :])


@pytest.mark.parametrize("share", [0.1, 1.0, 8.0])
def test_the_root_mean_square_of_the_errors_meets_the_setting_whatever_the_estimate_is_worth(share):
    control, errors_V = controlled(share)
    assert np.sqrt(np.mean(errors_V**2)) == pytest.approx(0.01, rel=0.35)  # cut-off tails: a little above
    assert control.gain == pytest.approx(0.8 / share, rel=0.6)


def test_at_low_voltage_a_tenth_of_it_is_asked_for():
    control = RefreshControl(0.05)
    assert control.threshold_V(2.0) == control.threshold_V(-2.0) == 0.05
    assert control.threshold_V(0.3) == pytest.approx(0.03)
    assert control.threshold_V(0.0) == 0.0


def test_what_goes_beyond_the_threshold_in_step_with_the_estimate_changes_no_gain():
    control = RefreshControl(1.0)
    control.learn(10.0, 10.0, 2)
    assert control.gain == 1.0


def test_an_error_after_one_event_was_in_no_rate():
    control = RefreshControl(0.5)
    assert control.summary(0.1)["potential_error_max_kT"] is None
    control.learn(3.0, 0.5, 1)
    assert control.errors_V == []
    assert control.gain == 0.5
    control.learn(0.2, 0.5, 7)
    assert control.summary(0.1)["potential_error_max_kT"] == pytest.approx(2.0)
    assert control.summary(0.1)["potential_error_median_kT"] == pytest.approx(2.0)


def test_the_gain_stays_in_its_range_and_comes_back_from_a_checkpoint():
    control = RefreshControl(1.0)
    for _ in range(200):
        control.learn(0.0, 1.0, 2)
    assert control.gain == 50.0
    for _ in range(200):
        control.learn(1e9, 1.0, 2)
    assert control.gain == 0.05
    again = RefreshControl(1.0)
    again.restore(control.checkpoint())
    assert (again.gain, again.errors_V) == (control.gain, control.errors_V)


@pytest.mark.slow
def test_the_script_shows_what_the_setting_does(tmp_path):
    device, picture = tmp_path / "small.toml", tmp_path / "error.png"
    device.write_text(small_device().to_toml())
    arguments = ["--forming", "--setting", "4", "--seeds", "1", "--device", str(device), "--out", str(picture)]
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "V_form_V" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
