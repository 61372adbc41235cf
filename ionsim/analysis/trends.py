"""Trends over small ensembles: how forming depends on the device and the drive, as mean and spread over seeds.

Each trend changes one key of a device file and runs the forming stage alone, for several seeds, in a pool of
processes. What is expected of a filament device: the forming voltage rises with thickness and ramp rate, and falls with
temperature and initial vacancy content; the resistance of the formed device falls with the compliance.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import kmc
from ionsim.analysis.forming import forming_only, forming_sweep, simulated
from ionsim.analysis.switching import summarise
from ionsim.config import Device, VcmDevice
from ionsim.errors import ResultsError

COLUMNS = ("trend", "variable", "value", "quantity", "n", "mean", "std", "results")

#: How far beyond the stage's own voltage a ramp may go that turns at the compliance: thick and fast devices form late.
_ROOM = 2.0


@dataclass(frozen=True)
class Trend:
    """How ``quantity`` of the forming stage (a key of the summary) depends on ``variable`` (a name with its unit).

    ``values`` gives the variable's values for a device, ``changes`` the keys of the device file that set one;
    ``direction`` is +1 where the quantity is expected to rise, -1 where to fall. ``returns`` asks for the ramp back to
    0 V, on which the resistance is read.
    """

    name: str
    quantity: str
    variable: str
    direction: int
    values: Callable[[VcmDevice], Sequence[float]]
    changes: Callable[[VcmDevice, float], Mapping[str, Any]]
    returns: bool = False


@dataclass(frozen=True)
class Point:
    """The ensemble at one value of the variable: one result by seed, None where the quantity did not occur."""

    value: float
    results: tuple[float | None, ...]

    @property
    def found(self) -> list[float]:
        """The results that occurred."""
        return [result for result in self.results if result is not None]

    @property
    def n(self) -> int:
        """How many they are."""
        return len(self.found)

    @property
    def mean(self) -> float:
        """Their mean, nan without any."""
        return float(np.mean(self.found)) if self.n else math.nan

    @property
    def std(self) -> float:
        """Their sample standard deviation, nan for fewer than two."""
        return float(np.std(self.found, ddof=1)) if self.n > 1 else math.nan


def _ramp_rate(device: VcmDevice, rate_V_per_s: float) -> dict[str, Any]:
    """A throttled hop is one that is fast against the ramp: the throttle goes with the rate, so that it stays so."""
    changes: dict[str, Any] = {"drive.ramp_rate_V_per_s": rate_V_per_s}
    throttle_Hz = device.vacancy.max_hop_rate_Hz
    if throttle_Hz is not None:
        changes["vacancy.max_hop_rate_Hz"] = throttle_Hz * rate_V_per_s / forming_sweep(device)[0].ramp_rate_V_per_s
    return changes


TRENDS = {
    trend.name: trend
    for trend in (
        Trend(
            "thickness", "V_form_V", "oxide thickness, nm", 1,
            lambda device: (3.0, 5.0, 7.0),
            lambda device, value: {"layers.oxide.thickness_nm": value},
        ),
        Trend("ramp-rate", "V_form_V", "ramp rate, V/s", 1, lambda device: (0.1, 1.0, 10.0), _ramp_rate),
        Trend(
            "temperature", "V_form_V", "ambient temperature, K", -1,
            lambda device: (300.0, 400.0),
            lambda device, value: {"ambient_K": value},
        ),
        Trend(
            "vacancies", "V_form_V", "initial vacancy fraction", -1,
            lambda device: tuple(factor * device.vacancy.initial_fraction for factor in (1.0, 3.0)),
            lambda device, value: {"vacancy.initial_fraction": value},
        ),
        Trend(
            "compliance", "R_LRS_ohm", "compliance, A", -1,
            lambda device: tuple(factor * forming_sweep(device)[1] for factor in (0.5, 1.0, 2.0)),
            lambda device, value: {"drive.stages.0.compliance_A": value},
            returns=True,
        ),
    )
}  # fmt: skip


def values(trend: Trend, device: Device) -> list[float]:
    """The values of a trend for a device; DeviceFileError for one that is no VCM device with a sweep and compliance."""
    forming_sweep(device)
    assert isinstance(device, VcmDevice)
    return [float(value) for value in trend.values(device)]


def forming_device(trend: Trend, device: Device, value: float) -> VcmDevice:
    """The device that a trend runs at one value: only the first stage, which turns at its compliance."""
    alone = forming_only(device, _ROOM, trend.returns)
    return alone.replace(trend.changes(alone, value))


def measure(
    trend: Trend,
    device: Device,
    seeds: Sequence[int],
    workers: int = 2,
    on_done: Callable[[float, int, float | None], None] = lambda value, seed, result: None,
) -> list[Point]:
    """Run a trend of a device for all ``seeds``; ``on_done(value, seed, result)`` is called as runs finish.

    ``workers`` processes share the runs, with one thread each (1: in this process). Raises DeviceFileError as
    :func:`values` does, and kmc.SeedError, which names value and seed, when a run fails.
    """
    points = values(trend, device)
    texts = {value: forming_device(trend, device, value).to_toml() for value in points}
    tasks = [(value, seed) for value in points for seed in seeds]
    run = functools.partial(_form, texts, trend.quantity)
    found = kmc.ensemble(run, tasks, workers=workers, on_done=lambda task, result: on_done(*task, result))
    results = dict(zip(tasks, found, strict=True))
    return [Point(value, tuple(results[value, seed] for seed in seeds)) for value in points]


def _form(texts: Mapping[float, str], quantity: str, task: tuple[float, int]) -> float | None:
    value, seed = task
    return form(texts[value], seed, quantity)


def form(device_toml: str, seed: int, quantity: str) -> float | None:
    """Run the device of a TOML text in this process; returns one quantity of its summary, None if it did not occur."""
    simulation = simulated(device_toml, seed)
    summary = summarise(simulation.device, simulation.recorder.series(), simulation.drive.stages)
    result = summary[quantity]
    return None if result is None else float(result)


def follows(trend: Trend, points: Sequence[Point]) -> bool:
    """Whether the ensemble means go in the expected direction from each value to the next; False where one is nan."""
    means = [point.mean for point in sorted(points, key=lambda point: point.value)]
    return all(trend.direction * (after - before) > 0.0 for before, after in pairwise(means))


def write_csv(path: Path, tables: Iterable[tuple[Trend, Sequence[Point]]]) -> None:
    """Write trends as CSV: one line a point, with the results of all seeds, blank where the quantity did not occur."""
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for trend, points in tables:
                for point in points:
                    results = " ".join("-" if result is None else f"{result:.6g}" for result in point.results)
                    statistics = (point.n, f"{point.mean:.6g}", f"{point.std:.6g}")
                    writer.writerow(
                        [trend.name, trend.variable, f"{point.value:.6g}", trend.quantity, *statistics, results]
                    )
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error})") from error
