"""Cycles read off series, and parameters found again from what cycles show."""

from pathlib import Path

import numpy as np
import pytest

from ionsim.compact.description import CompactError
from ionsim.compact.extraction.spread import (
    OBSERVED,
    CycleModel,
    cycles,
    ensemble_of,
    moved,
    parameters_of,
    read_rows,
    spread_of,
    switching_pairs,
    write_rows,
)
from ionsim.compact.families import VCM
from ionsim.config import load

SCALES = {"rth": 0.3, "i_off": 0.3, "ea": 0.01, "g_on": 0.1}


def test_an_ensemble_repeats_reset_and_set() -> None:
    experiment = ensemble_of(load("hfo2_continuum"), (1, 2), 3)
    assert [stage.name for stage in experiment.device.drive.stages] == [
        "forming", "reset", "set", "reset_2", "set_2", "reset_3", "set_3",
    ]  # fmt: skip
    assert experiment.role == "spread"
    with pytest.raises(CompactError, match="cycles are those of a sweep"):
        ensemble_of(load("gst_mushroom"), (1,), 2)


def test_cycles_are_read_off_a_series() -> None:
    """Two cycles with RESET at -0.6 and -0.7 V, SET at the compliance at 0.8 V and not at all."""
    out, back = np.arange(0.1, 1.01, 0.1), np.arange(0.9, -0.01, -0.1)
    volts = np.concatenate([out, back])
    parts = []
    for stage, (sign, opens) in enumerate([(-1, 0.6), (1, 0.8), (-1, 0.7), (1, 9.0)]):
        going = np.arange(len(volts)) < len(out)
        after = (volts > opens + 1e-9) | ~going
        low, high = 1e-6, 1e-4
        g = np.where(after, low, high) if sign < 0 else np.where(after & (opens < 2), high, low)
        limited = (going & (volts > opens - 1e-9) & (sign > 0)).astype(float)
        time_s, numbers = np.arange(len(volts)) + 100.0 * stage, np.full(len(volts), stage)
        parts.append({"voltage_V": sign * volts, "conductance_S": g, "current_A": g * sign * volts, "limited": limited,
                      "time_s": time_s, "stage": numbers})  # fmt: skip
    series = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    found = cycles(series, ("reset", "set", "reset_2", "set_2"), 0.1)
    np.testing.assert_allclose(found[0], [-0.6, 1e-6, 0.8, 1e-4])
    np.testing.assert_allclose(found[1], [-0.7, 1e-6, np.nan, 1e-6])


def test_rows_are_written_and_moved(tmp_path: Path) -> None:
    rows = np.array([[-0.6, 1e-6, 0.8, 1e-4], [-0.7, 2e-6, np.nan, 2e-4], [-0.5, 3e-6, 0.9, 3e-4]])
    again, seeds = read_rows(write_rows(tmp_path / "rows.csv", rows, np.array([1, 1, 2])))
    np.testing.assert_allclose(again, rows)
    assert seeds.tolist() == [1, 1, 2]
    found = moved(rows, np.array([-0.4, 1e-5, 1.0, 1e-3]))
    np.testing.assert_allclose(np.nanmedian(found, axis=0), [-0.4, 1e-5, 1.0, 1e-3])
    np.testing.assert_allclose(np.diff(found[:, 0]), np.diff(rows[:, 0]))
    np.testing.assert_allclose(found[1:, 3] / found[:-1, 3], rows[1:, 3] / rows[:-1, 3])


def test_switching_times_give_pairs() -> None:
    times = [
        ("set_1.60V_300K", False, 2e-2, 3e-2), ("set_1.30V_300K", False, 10.0, 9.0),
        ("set_1.60V_400K", True, 3e-3, 3e-3), ("reset_1.00V_300K", False, 0.1, 0.2), ("sweep", False, 1.0, 1.0),
    ]  # fmt: skip
    assert switching_pairs(times) == [(1.3, 10.0), (1.6, 2e-2)]


def test_too_few_cycles_give_no_statistics() -> None:
    model = CycleModel(VCM, load("hfo2_continuum"), VCM.values())
    assert spread_of(np.full((4, 4), np.nan), np.arange(4), model, SCALES) == (
        None, None, ("spread: 0 cycles that switched",),
    )  # fmt: skip


@pytest.mark.slow
def test_parameters_are_found_from_what_cycles_show() -> None:
    """Twelve cells with known parameters: found within 2 % (rth) and 0.2 % (ea), what 2 mV of the sweep hide."""
    model = CycleModel(VCM, load("hfo2_continuum"), VCM.values())
    nominal = np.log([VCM.values()[name] for name in SCALES])
    known = np.exp(nominal + np.array([0.1, 0.3, 0.01, 0.1]) * np.random.default_rng(1).standard_normal((12, 4)))
    rows = np.array([model(dict(zip(SCALES, row.tolist(), strict=True))) for row in known])
    found = parameters_of(model, SCALES, list(OBSERVED), rows)
    error = np.abs(np.log(found / known)).max(axis=0)
    assert np.all(error < [0.03, 0.002, 0.004, 0.01]), error
    with pytest.raises(CompactError, match=r"do not tell|too far from"):
        parameters_of(model, {"x_start": 0.3, "i_off": 0.3, "cth": 0.3, "g_on": 0.1}, list(OBSERVED), rows)
