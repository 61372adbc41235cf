"""Branches of a sweep: a hysteretic loop is no function of the voltage, each of its branches is.

A loop is cut where the voltage turns and where it passes through zero. Measured and simulated branches are paired in
the order of the sweep, and within a pair the voltage is the coordinate: what is compared has the same place in the
sweep, not only the same voltage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ionsim.config.waveforms import Sweep
from ionsim.fit.scale import Scale

Floats = NDArray[np.float64]

#: Reversals smaller than this share of the largest voltage are jitter of the source, and voltages below it are zero.
JITTER = 5e-3


class Branch(NamedTuple):
    """Which way a branch goes: +1 or -1 for the sign of its voltages, outwards from zero or back."""

    sign: int
    outward: bool

    def __str__(self) -> str:
        return f"{'+' if self.sign > 0 else '-'}{'out' if self.outward else 'back'}"


@dataclass(frozen=True)
class Leg:
    """A branch with its rows (n,) in the order of the sweep, and the stage of the drive that it belongs to."""

    branch: Branch
    rows: NDArray[np.intp]
    stage: int | None = None


def cut(voltage_V: Floats, largest_V: float | None = None) -> list[tuple[Branch, NDArray[np.intp]]]:
    """Branches of a voltage (N,) in order, with their rows; rows at zero volts belong to none."""
    largest = float(np.max(np.abs(voltage_V), initial=0.0)) if largest_V is None else largest_V
    tolerance = JITTER * largest
    found: list[tuple[Branch, NDArray[np.intp]]] = []
    for low, high, direction in _monotonic(voltage_V, tolerance):
        rows = np.arange(low, high)
        for sign in (-1, 1) if direction > 0 else (1, -1):
            # In V / 100 the zero of a sweep is a rounding error, and below the tolerance a current is an offset.
            part = rows[sign * voltage_V[rows] > 1e-3 * tolerance]
            if len(part):
                found.append((Branch(sign, direction * sign > 0), part))
    return found


def _monotonic(voltage_V: Floats, tolerance: float) -> list[tuple[int, int, int]]:
    """Stretches (first, last + 1, direction +1 or -1) between turning points; a turning point ends its stretch."""
    stretches: list[tuple[int, int, int]] = []
    start, extreme, direction = 0, 0, 0
    for row, volts in enumerate(voltage_V.tolist()):
        if direction == 0:
            if abs(volts - voltage_V[start]) > tolerance:
                direction, extreme = (1 if volts > voltage_V[start] else -1), row
            elif abs(volts) >= abs(voltage_V[extreme]):
                extreme = row
        elif direction * (volts - voltage_V[extreme]) >= 0.0:
            extreme = row
        elif direction * (voltage_V[extreme] - volts) > tolerance:
            stretches.append((start, extreme + 1, direction))
            start, extreme, direction = extreme + 1, row, -direction
    if direction == 0:  # all at one voltage: on the way out
        direction = 1 if len(voltage_V) and voltage_V[0] >= 0.0 else -1
    stretches.append((start, len(voltage_V), direction))
    return [stretch for stretch in stretches if stretch[1] > stretch[0]]


def planned(drive: Sweep) -> list[tuple[int, Branch]]:
    """Stage and branch of everything that a sweep goes through, in order."""
    found, here_V = [], 0.0
    for index, stage in enumerate(drive.stages):
        stops = [stage.stop_V, *([0.0] if stage.return_to_zero else [])]
        for stop_V in stops:
            direction = 1 if stop_V > here_V else -1
            for sign in (-1, 1) if direction > 0 else (1, -1):
                if sign * here_V > 0.0 or sign * stop_V > 0.0:
                    found.append((index, Branch(sign, direction * sign > 0)))
            here_V = stop_V
    return found


def pair(measured: Sequence[Branch], drive: Sequence[tuple[int, Branch]]) -> list[int]:
    """Places in the drive's list to which consecutive measured branches can be laid: where the first one comes."""
    count = len(measured)
    return [
        first
        for first in range(len(drive) - count + 1)
        if all(branch == drive[first + offset][1] for offset, branch in enumerate(measured))
    ]


def interpolate(voltage_V: Floats, values: Floats, at_V: Floats, scale: Scale, vanishing: bool) -> Floats:
    """Transformed values at voltages of one branch, (n,) points in any order: linear in the transformed value.

    Beyond the outermost point the last value is held: a sweep that turned at its compliance has it there. Below the
    innermost one the value goes to zero with the voltage where it is ``vanishing`` (a current), else it is held.
    """
    magnitude = np.abs(voltage_V)
    order = np.argsort(magnitude, kind="stable")
    x, y, at = magnitude[order], values[order], np.abs(at_V)
    found = np.interp(at, x, scale.of(y))
    if vanishing:
        below = at < x[0]
        found[below] = scale.of(y[0] * at[below] / x[0])
    return np.asarray(found)
