"""What is read off a run of an ECRAM device, by one definition for physics and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.extraction.protocol import Measurement

Floats = NDArray[np.float64]
Series = Mapping[str, Floats]

#: Change of the conductance without field effect over itself that counts as programmed by a step, and by a pulse.
DOSE, LEVEL = 3e-3, 1e-4


@dataclass(frozen=True)
class Pulse:
    """A pulse or step: its voltage, plateau's length, and rows: before it, plateau's end, end of the rest after it."""

    voltage_V: float
    width_s: float
    before: int
    top: int
    after: int
    begin_s: float


def pulses_of(one: Measurement) -> list[Pulse]:
    """Pulses of ladders and trains, and the step of a step, by the drive."""
    drive: Any = one.device.drive
    times = one.series["time_s"]

    def row(time_s: float) -> int:
        return int(np.argmin(np.abs(times - time_s)))

    found = []
    if drive.kind == "gate_steps":
        clock = 0.0
        for index, stage in enumerate(drive.steps):
            end = clock + stage.duration_s
            rest = end + drive.steps[index + 1].duration_s if index + 1 < len(drive.steps) else end
            if stage.name == "step" or (stage.name[0] == "p" and stage.name[1:].isdigit()):
                found.append(
                    Pulse(stage.voltage_V, stage.duration_s - stage.edge_s, row(clock), row(end), row(rest), clock)
                )
            clock = end
    elif drive.kind == "gate_pulses":
        for index in range(2 * drive.count):
            begin = index * drive.period_s
            volts = drive.amplitude_V if index < drive.count else drive.second_amplitude_V
            found.append(
                Pulse(
                    volts,
                    drive.width_s,
                    row(begin) if index else 0,
                    row(begin + drive.rise_s + drive.width_s),
                    row(begin + drive.period_s),
                    begin,
                )
            )
    return found


def dose_time(series: Series, step: Pulse) -> float | None:
    """Time in s from the beginning of a step until ``state_S`` has moved by ``DOSE``; None where it does not."""
    rows = slice(step.before, step.top + 1)
    moved = np.abs(series["state_S"][rows] / series["state_S"][step.before] - 1)
    times = series["time_s"][rows] - step.begin_s
    beyond = moved >= DOSE
    if not beyond.any() or beyond[0]:
        return None
    k = int(np.argmax(beyond))
    low, high = np.log(np.maximum(moved[k - 1 : k + 1], 1e-12))
    part = (np.log(DOSE) - low) / (high - low)
    begin, end = np.log(np.maximum(times[k - 1 : k + 1], 1e-12))
    return float(np.exp(begin + part * (end - begin)))


def doses(series: Series, pulses: Sequence[Pulse]) -> Floats:
    """What each pulse left of ``state_S`` after its rest, over what it was before (n,)."""
    state = series["state_S"]
    return np.array([state[p.after] / state[p.before] - 1 for p in pulses])


def energies(series: Series, pulses: Sequence[Pulse]) -> Floats:
    """Energy at the gate of each pulse and its rest (n,), J: sum of mean voltage times charge between points."""
    volts, charge = series["voltage_V"], series["gate_charge_C"]
    spent = np.concatenate([[0.0], np.cumsum(0.5 * (volts[1:] + volts[:-1]) * np.diff(charge))])
    return np.array([spent[p.after] - spent[p.before] for p in pulses])


def threshold_V(dose: Floats, pulses: Sequence[Pulse], sign: float) -> float | None:
    """Amplitude at which a pulse of this sign leaves ``LEVEL``, between pulses by a line in log dose; or None."""
    chosen = sorted((abs(p.voltage_V), sign * d) for p, d in zip(pulses, dose, strict=True) if p.voltage_V * sign > 0)
    for (low_V, low), (high_V, high) in pairwise(chosen):
        if low < LEVEL <= high:
            if low <= 0:
                return None
            return sign * float(low_V + (high_V - low_V) * np.log(LEVEL / low) / np.log(high / low))
    return None


def gate_current(series: Series) -> Floats:
    """Mean current into the gate between recorded points (n - 1,), from its charge, A."""
    return np.asarray(np.diff(series["gate_charge_C"]) / np.diff(series["time_s"]))


def half_s(series: Series) -> float | None:
    """When ``state_S`` has gone half of the (logarithmic) way to its last value, s."""
    moved = np.log(series["state_S"] / series["state_S"][0])
    beyond = np.abs(moved) >= 0.5 * abs(moved[-1])
    k = int(np.argmax(beyond))
    if k == 0:
        return None
    part = (0.5 * moved[-1] - moved[k - 1]) / (moved[k] - moved[k - 1])
    return float(series["time_s"][k - 1] + part * (series["time_s"][k] - series["time_s"][k - 1]))
