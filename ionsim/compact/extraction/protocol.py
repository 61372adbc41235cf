"""What an extraction is: virtual experiments, what they measured, and what a family makes of it.

A family has an :class:`Extraction`: it plans experiments on a device, fits its model to the measurements of role "fit",
and lays model and measurements side by side. Measurements of role "held_out" are never fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.description import Model
from ionsim.config import Device
from ionsim.results import Run

Floats = NDArray[np.float64]

#: What an experiment is for.
Role = Literal["fit", "held_out", "spread", "pulses", "retention"]


@dataclass(frozen=True)
class Experiment:
    """A device with the drive of one experiment, run with each of ``seeds`` in a folder ``name``.

    ``kind`` is the family's own word for what is read off it ("sweep", "stress", ...); ``what`` says it in words.
    """

    name: str
    role: Role
    device: Device
    what: str
    kind: str = "sweep"
    seeds: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Measurement:
    """One run of an experiment: its device, the columns of its series (n,) each, and the names of its stages.

    A measured CSV is one as well; its ``device`` holds the drive and the circuit, ``run`` is None.
    """

    name: str
    role: Role
    kind: str
    seed: int
    device: Device
    series: Mapping[str, Floats]
    stages: tuple[str, ...]
    run: Run | None = None

    @property
    def ambient_K(self) -> float:
        """Temperature of the surroundings, K."""
        return self.device.ambient_K

    def stage(self, name: str) -> dict[str, Floats]:
        """The series of one stage; empty arrays where there is none of that name."""
        index = self.stages.index(name) if name in self.stages else -1
        rows = self.series["stage"].astype(int) == index
        return {key: values[rows] for key, values in self.series.items()}


@dataclass(frozen=True)
class Fitted:
    """Parameters found, with their covariance in the fitted scale: ``scale`` says "log" or "linear" by name.

    ``names`` (k,) go with ``covariance`` (k, k). ``condition``: condition number of the Jacobian by these parameters,
    each column at its scale (log-parameters: relative changes). ``residual_rms`` of the last stage; ``notes`` for the
    reader of a card, ``starts``: values that belong to one measurement (its state at t = 0), by measurement's name.
    """

    values: Mapping[str, float]
    names: tuple[str, ...]
    covariance: Floats
    scale: Mapping[str, Literal["log", "linear"]]
    condition: float
    residual_rms: float
    starts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def correlation(self) -> Floats:
        """Correlations (k, k) of the fitted parameters."""
        sd = np.sqrt(np.diag(self.covariance))
        safe = np.where(sd > 0, sd, 1.0)
        return np.asarray(self.covariance / np.outer(safe, safe))

    def standard_error(self, name: str) -> float:
        """Standard error in the parameter's own unit (of a log-parameter: value times that of its logarithm)."""
        index = self.names.index(name)
        sd = float(np.sqrt(self.covariance[index, index]))
        return sd * abs(self.values[name]) if self.scale[name] == "log" else sd


@dataclass(frozen=True)
class ErrorRow:
    """One line of the error table: a figure of model against physics under one condition, with its limit.

    ``value`` is compared with ``limit`` by its absolute size; ``limit`` None: stated only. ``measured`` and ``model``:
    the two figures that it compares, where there are two.
    """

    check: str
    condition: str
    held_out: bool
    value: float
    limit: float | None
    unit: str
    measured: float | None = None
    model: float | None = None

    @property
    def passed(self) -> bool | None:
        """Whether it holds; nan does not."""
        return None if self.limit is None else bool(abs(self.value) <= self.limit)


class Extraction(Protocol):
    """How a family's model is identified."""

    @property
    def model(self) -> Model:
        """The equations with their defaults."""
        ...

    def plan(self, device: Device, quick: bool = False) -> list[Experiment]:
        """The experiments that make the parameters identifiable; ``quick``: fewer of them, for tests."""
        ...

    def fixed(self, device: Device) -> dict[str, tuple[float, str]]:
        """Parameters that are not fitted: value and why."""
        ...

    def targets(self, measured: Sequence[Measurement], roles: Sequence[str] = ("fit", "held_out")) -> Sequence[Any]:
        """What can be compared, of the given roles: each has ``measurement`` and ``replayed(values)``, a series."""
        ...

    def fit(self, measured: Sequence[Measurement], fixed: Mapping[str, float]) -> Fitted:
        """Fit those of role "fit" (and what the family fits of "retention"); raises CompactError where it cannot."""
        ...

    def errors(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[ErrorRow]:
        """Model against each measurement, fitted and held out."""
        ...
