"""Model against measurement: currents, switching voltages and times, energies, by one definition for both.

Currents of a sweep are compared at equal voltage on the same leg (out or back) of the same stage, so that a stage that
turned elsewhere is compared as well; what lies between two switching voltages counts in full. Left out: |V| below
20 mV.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import reset_voltage, switching_voltage

Floats = NDArray[np.float64]
Series = Mapping[str, Floats]

#: Source voltages below this are left out of comparisons of currents, V.
LEAST_V = 0.02

#: Currents below this count as this, A: below what any of the instruments and models resolve.
LEAST_A = 1e-15


def part(series: Series, stage: int) -> dict[str, Floats]:
    """The rows of one stage."""
    rows = np.asarray(series["stage"]).astype(int) == stage
    return {name: np.asarray(values)[rows] for name, values in series.items()}


def legs(series: Series) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """A stage's rows on the way out (its turning point included) and on the way back."""
    turn = int(np.argmax(np.abs(series["voltage_V"]))) if len(series["voltage_V"]) else 0
    out = {name: values[: turn + 1] for name, values in series.items()}
    back = {name: values[turn:] for name, values in series.items()}
    return out, back


def log_current(current_A: Floats) -> Floats:
    """log10 |I|, from ``LEAST_A`` up."""
    return np.log10(np.maximum(np.abs(current_A), LEAST_A))


def at_voltages(series: Series, volts: Floats, least_V: float = LEAST_V) -> Floats:
    """log10|I| of one leg at source voltages (n,); nan outside the leg and below ``least_V``."""
    x, y = np.abs(series["voltage_V"]), log_current(series["current_A"])
    if len(x) < 2:
        return np.full(len(volts), np.nan)
    if x[0] > x[-1]:
        x, y = x[::-1], y[::-1]
    wanted = np.abs(volts)
    found = np.interp(wanted, x, y)
    inside = (wanted >= max(least_V, x[0] - 1e-9)) & (wanted <= x[-1] + 1e-9)
    return np.where(inside, found, np.nan)


def current_errors(measured: Series, model: Series, stage: int) -> Floats:
    """log10 of model over measured current on both legs of a stage, at the measured voltages that both have."""
    found = []
    for true, own in zip(legs(part(measured, stage)), legs(part(model, stage)), strict=True):
        volts = true["voltage_V"]
        difference = at_voltages(own, volts) - at_voltages(true, volts)
        found.append(difference[np.isfinite(difference)])
    return np.concatenate(found)


def voltages(series: Series, stages: tuple[str, ...]) -> dict[str, float | None]:
    """Switching voltage of each stage (V): of the largest current where it opens the device, else of its closing."""
    found: dict[str, float | None] = {}
    for index, name in enumerate(stages):
        rows = part(series, index)
        found[name] = reset_voltage(rows) if "reset" in name else switching_voltage(rows)
    return found


def crossing_s(series: Series, level_A: float, rising: bool = True) -> float | None:
    """First time (s) at which |I| crosses a level, between samples by a line in log t and log I; None if never."""
    current = np.abs(series["current_A"])
    time_s = series["time_s"]
    beyond = current >= level_A if rising else current <= level_A
    if not beyond.any():
        return None
    k = int(np.argmax(beyond))
    if k == 0:
        return float(time_s[0])
    low, high = np.log(np.maximum(current[k - 1 : k + 1], LEAST_A))
    share = (np.log(level_A) - low) / (high - low) if high != low else 1.0
    return float(np.exp(np.log(time_s[k - 1]) + share * (np.log(time_s[k]) - np.log(time_s[k - 1]))))
