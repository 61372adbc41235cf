"""Residuals of many points at once: the runs of all points, seeds and conditions are handed out together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ionsim.config import Device
from ionsim.config.ecram import EcramDevice
from ionsim.config.pcm import PcmDevice
from ionsim.config.vcm import VcmDevice
from ionsim.errors import DeviceFileError
from ionsim.fit.comparisons import SummaryRows, SwitchingRows
from ionsim.fit.crew import Crew
from ionsim.fit.evaluation import Job, Outcome
from ionsim.fit.parameters import Parameter, changes
from ionsim.fit.plan import Part

Floats = NDArray[np.float64]

#: Residual of every row where a run fails: e^10 off, so that the search turns back.
FAILED = 10.0


@dataclass(frozen=True)
class Point:
    """Shares ``u`` (k,) of the ranges and what the runs there say.

    ``residuals`` (m,): weighted differences, simulated less measured, of the mean over seeds. ``deviations`` (s, m): of
    each seed from that mean. ``counted`` (m,): rows that say something. ``failed``: why a run failed.
    """

    u: Floats
    residuals: Floats
    counted: NDArray[np.bool_]
    deviations: Floats = field(default_factory=lambda: np.empty((0, 0)))
    failed: str | None = None
    wall_s: float = 0.0

    @property
    def squares(self) -> float:
        """Sum of squares of the residuals."""
        return float(np.sum(self.residuals**2))

    @property
    def rms(self) -> float:
        """Root mean square of the residuals of counted rows."""
        count = int(self.counted.sum())
        return float(np.sqrt(self.squares / count)) if count else 0.0


#: Points of many shares (k,) at once.
Residuals = Callable[[Sequence[Floats]], list[Point]]


def is_random(device: Device) -> bool:
    """Whether the seed of a run matters."""
    if isinstance(device, PcmDevice):
        return device.crystallisation.nucleation and device.crystallisation.rate_factor > 0.0
    return not (isinstance(device, EcramDevice) or (isinstance(device, VcmDevice) and device.model == "continuum"))


class Objective:
    """Residuals of a device's parts; call it with shares of the ranges."""

    def __init__(self, device: Device, items: Sequence[Parameter], parts: Sequence[Part], seeds: Sequence[int],
                 crew: Crew, on_points: Callable[[], None] | None = None) -> None:  # fmt: skip
        self.device, self.items, self.parts, self.crew = device, tuple(items), tuple(parts), crew
        self.seeds, self.on_points = tuple(seeds), on_points
        self.purpose = "start"
        self.history: list[tuple[str, Point]] = []
        self._points: dict[tuple[float, ...], Point] = {}

    def __call__(self, shares: Sequence[Floats]) -> list[Point]:
        """Points at shares (k,) each."""
        keys = [tuple(changes(self.items, u).values()) for u in shares]
        new = {key: u for key, u in zip(keys, shares, strict=True) if key not in self._points}
        devices = {key: self._jobs(u) for key, u in new.items()}
        jobs = [job for found in devices.values() if not isinstance(found, str) for row in found for job in row]
        outcomes = dict(zip(jobs, self.crew.run(jobs), strict=True))
        for key, u in new.items():
            found = devices[key]
            if isinstance(found, str):
                self._points[key] = self._lost(u, found, 0.0)
            else:
                self._points[key] = self._point(u, [[outcomes[job] for job in row] for row in found])
            self.history.append((self.purpose, self._points[key]))
        if new and self.on_points is not None:
            self.on_points()
        return [self._points[key] for key in keys]

    def models(self, u: Floats) -> list[Floats] | None:
        """What the runs at shares (k,) give beside the rows of each part, not transformed; None where one fails."""
        found = self._jobs(u)
        if isinstance(found, str):
            return None
        models = []
        for part, jobs in zip(self.parts, found, strict=True):
            row = self.crew.run(jobs)
            if any(outcome.failed for outcome in row):
                return None
            mean = np.mean([part.comparison.model(outcome)[0] for outcome in row], axis=0)
            models.append(part.comparison.scale.back(mean))
        return models

    def _jobs(self, u: Floats) -> list[list[Job]] | str:
        """Jobs by part and seed; or why the device is not valid."""
        try:
            base = self.device.replace(changes(self.items, u))
            texts = [(base.replace(part.changes) if part.changes else base).to_toml() for part in self.parts]
        except DeviceFileError as error:
            return str(error)
        jobs = []
        for text, part in zip(texts, self.parts, strict=True):
            comparison = part.comparison
            until_A = comparison.until_A if isinstance(comparison, SwitchingRows) else None
            summary = isinstance(comparison, SummaryRows)
            names = comparison.columns
            if not summary and until_A is None:  # parts of one run share it
                same = [other.comparison.columns for other in self.parts if other.changes == part.changes]
                names = tuple(sorted({name for columns in same for name in columns}))
            jobs.append([Job(text, seed, names, summary, until_A) for seed in self.seeds])
        return jobs

    def _point(self, u: Floats, outcomes: Sequence[Sequence[Outcome]]) -> Point:
        wall_s = sum({id(one): one.wall_s for row in outcomes for one in row}.values())
        failed = next((one.failed for row in outcomes for one in row if one.failed is not None), None)
        if failed is not None:
            return self._lost(u, failed, wall_s)
        residuals, counted, deviations = [], [], []
        for part, row in zip(self.parts, outcomes, strict=True):
            models = [part.comparison.beside(outcome) for outcome in row]
            values = np.array([model[0] for model in models])
            inert = np.all([model[1] for model in models], axis=0)
            weights = np.where(inert, 0.0, part.weights)
            mean = values.mean(axis=0)
            residuals.append(weights * (mean - part.comparison.measured))
            deviations.append(weights * (values - mean))
            counted.append(weights > 0.0)
        return Point(
            u, np.concatenate(residuals), np.concatenate(counted), np.concatenate(deviations, axis=1), None, wall_s
        )  # fmt: skip

    def _lost(self, u: Floats, failed: str, wall_s: float) -> Point:
        weights = np.concatenate([part.weights for part in self.parts])
        return Point(u, FAILED * weights, weights > 0.0, np.zeros((len(self.seeds), len(weights))), failed, wall_s)
