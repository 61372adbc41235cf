"""What is fitted: sweeps and pulse sequences, each with its replay, as residuals in units of what is allowed.

A residual of 1 is an error as large as the limits of the error table (a tenth of a decade of current, 5 % of a voltage,
0.3 decades of a switching time), shared among the points of one leg, so that a sweep weighs as much as a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import energy_J
from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.compare import at_voltages, crossing_s, legs, log_current, part
from ionsim.compact.extraction.protocol import Measurement
from ionsim.compact.extraction.replay import Replay
from ionsim.config.waveforms import Sequence as Pulses
from ionsim.config.waveforms import Sweep
from ionsim.drive import Drive

Floats = NDArray[np.float64]

#: The limits of the error table: log10 I, relative voltage, log10 of a time, relative energy.
CURRENT, VOLTAGE, TIME, ENERGY = 0.1, 0.05, 0.3, 0.1

#: Residuals are held below this, and a replay that fails has a third of it: a fit must be able to come back.
LARGEST = 30.0


class Target(Protocol):
    """One measurement to be met."""

    measurement: Measurement

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under the measurement's drive."""
        ...

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """An array of one length for any values; raises CompactError where the replay fails."""
        ...


class SweepTarget:
    """A sweep: log currents on both legs of each stage, its energy, and the voltages at which stages close the device.

    Points within the gap between measured and modelled switching voltage say nothing beyond that voltage, which has a
    residual of its own from the integrator's own steps. ``weights`` by stage's name (default 1): 0 leaves it out.
    ``step_V``: distance of the points; ``closing_A``: current that counts as closed, by default 0.6 of the compliance.
    ``energy_weight``: of the energy's residual, 3 for as much as a switching voltage has.
    """

    def __init__(
        self,
        measurement: Measurement,
        model: Model,
        weights: Mapping[str, float] | None = None,
        *,
        step_V: float = 0.1,
        closing_A: float | None = None,
        staircase: bool = False,
        energy_weight: float = 1.0,
    ) -> None:
        drive = measurement.device.drive
        if not isinstance(drive, Sweep):
            raise CompactError(f"{measurement.name}: drive.kind = {drive.kind!r}: a sweep is needed")
        self.measurement, self.rate = measurement, drive.ramp_rate_V_per_s
        self._energy_weight = energy_weight / ENERGY
        self.replay = Replay(model, drive, measurement.ambient_K, staircase=staircase)
        limits = [stage.compliance_A or drive.compliance_A for stage in drive.stages]
        known = [limit for limit in limits if limit is not None]
        largest = float(np.abs(measurement.series["current_A"]).max())
        self.closing_A = closing_A or 0.6 * (min(known) if known else largest)
        self._stages = []
        for index, name in enumerate(measurement.stages):
            weight = (weights or {}).get(name, 1.0)
            rows = part(measurement.series, index)
            if not weight or not len(rows["voltage_V"]):
                continue
            points = np.arange(step_V, np.abs(rows["voltage_V"]).max(), step_V)
            true = np.concatenate([at_voltages(leg, points) for leg in legs(rows)])
            closes = None if limits[index] is None else self._closing(rows, 0.5 * drive.step_V)
            self._stages.append((index, weight, points, true, closes, energy_J(rows)))

    def _closing(self, rows: Mapping[str, Floats], half_step_V: float) -> float | None:
        """|V| of the first sample at or above the closing current, half a step back; None if none is."""
        beyond = np.abs(rows["current_A"]) >= self.closing_A
        return float(np.abs(rows["voltage_V"][np.argmax(beyond)]) - half_step_V) if beyond.any() else None

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under this sweep."""
        return self.replay(values, self.closing_A)

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """Per stage: the switching voltage where it closes, the energy, then log currents on the way out and back."""
        series, found = self.replayed(values), []
        for index, weight, points, true, closes, energy in self._stages:
            rows = part(series, index)
            own = np.concatenate([at_voltages(leg, points) for leg in legs(rows)])
            difference = own - true
            if closes is not None:
                volts = self._crossing_V(rows)
                found.append(np.array([3.0 * weight * (volts - closes) / (VOLTAGE * closes)]))
                low, high = min(volts, closes), max(volts, closes)
                difference[: len(points)][(points >= low - 0.1) & (points <= high + 0.01)] = 0.0
            found.append(np.array([self._energy_weight * weight * np.log(max(energy_J(rows), 1e-30) / energy)]))
            share = weight / (CURRENT * np.sqrt(0.2 * len(points)))
            found.append(share * np.where(np.isfinite(difference), difference, 0.0))
        return np.concatenate(found)

    def _crossing_V(self, rows: Mapping[str, Floats]) -> float:
        """|V| at which the model's current first reached the closing current; the stage's largest if it did not."""
        crossed = np.flatnonzero(np.isfinite(rows["crossing_s"]))
        if not len(crossed):
            return float(np.abs(rows["voltage_V"]).max())
        k = crossed[0]
        return float(abs(rows["voltage_V"][k]) - self.rate * (rows["time_s"][k] - rows["crossing_s"][k]))


class PulseTarget:
    """A sequence of pulses: the current at the end of each plateau from stage ``first`` on, and when it closed.

    Times count from the beginning of that stage. Where the measured current crosses ``closing_A`` upwards in it, the
    crossing time is a residual, and plateaus later than half of it are left out.
    """

    def __init__(
        self, measurement: Measurement, model: Model, first: str, *, closing_A: float, staircase: bool = False
    ) -> None:
        if not isinstance(measurement.device.drive, Pulses):
            raise CompactError(
                f"{measurement.name}: drive.kind = {measurement.device.drive.kind!r}: a sequence is needed"
            )
        if first not in measurement.stages:
            raise CompactError(f"{measurement.name}: no stage {first!r}; there are {', '.join(measurement.stages)}")
        self.measurement, self.closing_A = measurement, closing_A
        self.replay = Replay(model, measurement.device.drive, measurement.ambient_K, staircase=staircase)
        series, index = measurement.series, measurement.stages.index(first)
        stage = series["stage"].astype(int)
        self._first = index
        begin = int(np.argmax(stage >= index))
        self.start_s = float(series["time_s"][begin - 1]) if begin else 0.0
        # each pulse has four legs: rise, plateau, fall, rest
        corners = Drive(measurement.device.drive).corners_s
        ends = corners[4 * np.arange(index, len(measurement.stages)) + 2]
        opened = bool(abs(series["current_A"][self._row(series, ends[0])]) < closing_A)
        self.closing_s = self.switched_s(series) if opened else None
        if self.closing_s is not None:
            ends = ends[ends - self.start_s < 0.5 * self.closing_s]
        self.ends_s: Floats = ends
        self._true = self.plateaus(series)

    @staticmethod
    def _row(series: Mapping[str, Floats], time_s: float) -> int:
        return int(np.argmin(np.abs(series["time_s"] - time_s)))

    def plateaus(self, series: Mapping[str, Floats]) -> Floats:
        """log10 |I| at the ends of the plateaus (n,)."""
        rows = [self._row(series, float(end)) for end in self.ends_s]
        return log_current(series["current_A"][rows])

    def switched_s(self, series: Mapping[str, Floats]) -> float | None:
        """When |current| first crossed the closing current, s after the stage began; None if it did not.

        By the integrator's own steps where the series has them, else between samples.
        """
        rows = series["stage"].astype(int) >= self._first
        if "crossing_s" in series:
            crossed = series["crossing_s"][rows]
            crossed = crossed[np.isfinite(crossed)]
            return float(crossed[0]) - self.start_s if len(crossed) else None
        own = {"time_s": series["time_s"][rows] - self.start_s, "current_A": series["current_A"][rows]}
        return crossing_s(own, self.closing_A)

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under these pulses."""
        return self.replay(values, self.closing_A)

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """The time of closing where there is one, then log currents at the plateaus' ends."""
        series, found = self.replayed(values), []
        if self.closing_s is not None:
            time_s = self.switched_s(series)
            late_s = 3.0 * float(series["time_s"][-1] - self.start_s)
            error = np.log10(max(late_s if time_s is None else time_s, 1e-15) / self.closing_s)
            found.append(np.array([3.0 * error / TIME]))
        share = 1.0 / (CURRENT * np.sqrt(0.2 * max(len(self.ends_s), 1)))
        found.append(share * (self.plateaus(series) - self._true))
        return np.concatenate(found)


class TrainTarget:
    """Trains of pulses with reads in between: conductance at the end of each rest, from the last before the trains."""

    def __init__(self, measurement: Measurement, model: Model, first: str = "up0", *, staircase: bool = False) -> None:
        self.measurement, self._count = measurement, len(measurement.stages)
        self.replay = Replay(model, measurement.device.drive, measurement.ambient_K, staircase=staircase)
        self._first = measurement.stages.index(first) - 1

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under these pulses."""
        return self.replay(values)

    def errors(self, series: Mapping[str, Floats]) -> Floats:
        """log10 of model over measured conductance before the first pulse and after each (n,)."""
        own, true = (rests(each, self._count)[self._first :] for each in (series, self.measurement.series))
        return np.asarray(np.log10(own / true))

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """Log conductances, together as much as a switching time."""
        errors = self.errors(self.replayed(values))
        return np.asarray(3.0 * errors / (CURRENT * np.sqrt(len(errors))))


def rests(series: Mapping[str, Floats], stages: int) -> Floats:
    """Conductance (n,) at the end of each of ``stages`` stages."""
    ends = [int(np.flatnonzero(series["stage"] == k)[-1]) for k in range(stages)]
    return np.asarray(series["conductance_S"][ends])


class ReadTarget:
    """A state that is read from time to time: conductance at the end of each read."""

    def __init__(self, measurement: Measurement, model: Model, *, staircase: bool = False) -> None:
        self.measurement = measurement
        self.replay = Replay(model, measurement.device.drive, measurement.ambient_K, staircase=staircase)
        self.times_s, self.conductances_S = reads(measurement.series)

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under these reads."""
        return self.replay(values)

    def errors(self, series: Mapping[str, Floats]) -> Floats:
        """log10 of model over measured conductance at each read (n,)."""
        times_s, own = reads(series)
        return np.asarray(np.interp(self.times_s, times_s, np.log10(own)) - np.log10(self.conductances_S))

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """Log conductances, together as much as a switching time."""
        return np.asarray(3.0 * self.errors(self.replayed(values)) / (CURRENT * np.sqrt(len(self.times_s))))


def reads(series: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Times (n,) and conductances (n,) of reads: the last sample at the full voltage of each."""
    volts = series["voltage_V"]
    full = volts > 0.999 * volts.max()
    last = np.flatnonzero(full & ~np.append(full[1:], False))
    return series["time_s"][last], series["conductance_S"][last]


class Targets:
    """Many targets as one residual function, of one length whatever fails."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = list(targets)
        self._sizes: dict[int, int] = {}

    def __call__(self, values: Mapping[str, float]) -> Floats:
        """All residuals; raises CompactError for a target that fails before it ever succeeded."""
        found = []
        for index, target in enumerate(self.targets):
            try:
                one = np.clip(target.residuals(values), -LARGEST, LARGEST)
                self._sizes[index] = len(one)
            except CompactError:
                if index not in self._sizes:
                    raise
                one = np.full(self._sizes[index], LARGEST / 3.0)
            found.append(one)
        return np.concatenate(found)
