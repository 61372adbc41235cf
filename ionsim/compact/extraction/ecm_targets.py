"""What the ECM model is held against: conditions, each with its seeds, by their mean.

A metal filament grows atom by atom, so that one run is a draw. SET times are averaged as logarithms, voltages as they
are, and of currents, which rise by decades within millivolts, medians are taken; how far single seeds lie from that is
stated beside the model's own distance from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import energy_J
from ionsim.compact.description import Model
from ionsim.compact.extraction.compare import at_voltages, crossing_s, legs, part
from ionsim.compact.extraction.protocol import ErrorRow, Measurement
from ionsim.compact.extraction.replay import Replay
from ionsim.compact.extraction.targets import CURRENT, ENERGY, TIME, VOLTAGE
from ionsim.config.waveforms import Sweep

Floats = NDArray[np.float64]
Series = Mapping[str, Floats]

#: Share of the compliance at which a cell has set, and of a stage's largest current at which RESET has opened it.
CLOSED, OPENED = 0.3, 0.01

#: Weight of the decay, where SET times and voltages have 3: two seeds of one rest, and one law from rest to RESET.
DECAY_WEIGHT = 2.0

#: Share of the conductance at the end of SET that a filament at rest has when it is gone.
OPENED_SHARE = 0.1

#: Relative tolerance of replays: at 1e-5 steps do not find back onto the sharp edge of the limiter.
RTOL = 1e-6

#: Half the band that holds 95 % of a normal ensemble, over its standard deviation.
BAND = 1.96

#: Distance of the voltages at which currents of sweeps are compared, V.
GRID_V = 0.01


def grouped(measured: Iterable[Measurement], roles: Sequence[str]) -> list[list[Measurement]]:
    """The measurements of each condition together."""
    found: dict[str, list[Measurement]] = {}
    for one in measured:
        if one.role in roles:
            found.setdefault(re.sub(r"_seed\d+$", "", one.name), []).append(one)
    return list(found.values())


def limit_A(one: Measurement) -> float:
    """The compliance of a run; 1 uA, the usual level of a SET, without one."""
    drive = one.device.drive
    limits = [stage.compliance_A for stage in drive.stages] if isinstance(drive, Sweep) else []
    known = [limit for limit in (*limits, drive.compliance_A) if limit is not None]
    return min(known) if known else 1e-6


class Condition:
    """Runs under one drive that differ in their seeds, and their replay; ``measurement`` is the first of them."""

    def __init__(self, runs: Sequence[Measurement], model: Model) -> None:
        self.runs, self.measurement = list(runs), runs[0]
        first = runs[0]
        self.level_A = CLOSED * limit_A(first)
        self.what = f"{first.ambient_K:g} K"
        self.replay = Replay(model, first.device.drive, first.ambient_K, staircase=True, rtol=RTOL)

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under this drive."""
        return self.replay(values, self.level_A)

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """In units of the limits of the error table."""
        raise NotImplementedError

    def rows(self, series: Series) -> list[ErrorRow]:
        """The error table of this condition."""
        raise NotImplementedError

    def _row(self, check: str, value: float, limit: float | None, unit: str, both: tuple[float, float]) -> ErrorRow:
        held = self.measurement.role == "held_out"
        return ErrorRow(check, self.what, held, float(value), limit, unit, float(both[0]), float(both[1]))


class StressCondition(Condition):
    """A constant voltage until the current has come to 0.3 of the compliance."""

    def __init__(self, runs: Sequence[Measurement], model: Model) -> None:
        super().__init__(runs, model)
        drive = runs[0].device.drive
        self.what = f"{drive.voltage_V:g} V, {self.what}"  # type: ignore[union-attr]
        times = [crossing_s(one.series, self.level_A) for one in runs]
        self.times_s = np.array([time for time in times if time is not None])
        self.mean = float(np.mean(np.log10(self.times_s))) if len(self.times_s) else float("nan")

    def switched_s(self, series: Series) -> float | None:
        """When the model set, by the integrator's own steps."""
        crossed = series["crossing_s"][np.isfinite(series["crossing_s"])]
        return float(crossed[0]) if len(crossed) else None

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """The SET time; as late as three times the run where the model does not set."""
        series = self.replayed(values)
        time_s = self.switched_s(series) or 3.0 * float(series["time_s"][-1])
        return np.array([3.0 * (np.log10(time_s) - self.mean) / TIME])

    def rows(self, series: Series) -> list[ErrorRow]:
        """SET time, and the scatter of seeds."""
        time_s = self.switched_s(series)
        error = float("nan") if time_s is None else np.log10(time_s) - self.mean
        both = (10.0**self.mean, float("nan") if time_s is None else time_s)
        found = [self._row("SET time", error, TIME, "decades", both)]
        if len(self.times_s) > 1:
            scatter = float(np.std(np.log10(self.times_s), ddof=1))
            found.append(self._row("SET time, scatter of seeds", scatter, None, "decades", (both[0], float("nan"))))
        return found


class LoopCondition(Condition):
    """SET, turned at the compliance, and RESET."""

    def __init__(self, runs: Sequence[Measurement], model: Model) -> None:
        super().__init__(runs, model)
        drive = runs[0].device.drive
        assert isinstance(drive, Sweep)
        self.what = f"{drive.ramp_rate_V_per_s:g} V/s, {self.what}, {limit_A(runs[0]):g} A"
        ends = [stage.stop_V for stage in drive.stages]
        self.grid = [np.arange(2 * GRID_V, abs(end), GRID_V) for end in ends]
        self.curves = np.array([self.curve(one.series) for one in runs])
        with np.errstate(all="ignore"):
            known = np.isfinite(self.curves).any(axis=0)
            self.middle = np.where(known, np.nanmedian(np.where(known, self.curves, 0.0), axis=0), np.nan)
        each = np.array([self.voltages(one.series) for one in runs])
        self.volts = np.mean(each, axis=0)
        spread = np.std(each, axis=0, ddof=1) if len(runs) > 1 else np.zeros(2)
        self.band = BAND * spread / self.volts
        self.energy_J = float(np.exp(np.mean([np.log(energy_J(part(one.series, 0))) for one in runs])))

    def curve(self, series: Series) -> Floats:
        """log10 |I| on all legs at the grid's voltages, nan where a leg does not reach."""
        found = []
        for index, points in enumerate(self.grid):
            found += [at_voltages(leg, points) for leg in legs(part(series, index))]
        return np.concatenate(found)

    def voltages(self, series: Series) -> Floats:
        """|V| of SET (current at 0.3 of the compliance) and of RESET (below 0.01 of its largest for good)."""
        out = legs(part(series, 0))[0]
        beyond = np.abs(out["current_A"]) >= self.level_A
        closes = abs(out["voltage_V"][np.argmax(beyond)]) if beyond.any() else np.abs(out["voltage_V"]).max()
        back = legs(part(series, 1))[0]
        size = np.abs(back["current_A"])
        last = int(np.flatnonzero(size >= OPENED * size.max())[-1])
        return np.array([closes, abs(back["voltage_V"][last])])

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """Voltages of SET and RESET, the energy of SET, and currents away from both voltages."""
        series = self.replayed(values)
        own = self.voltages(series)
        volts = 3.0 * (own - self.volts) / (VOLTAGE * self.volts)
        energy = np.log(energy_J(part(series, 0)) / self.energy_J) / ENERGY
        difference = self.curve(series) - self.middle
        difference[self._switching(own)] = 0.0
        share = 1.0 / (CURRENT * np.sqrt(0.3 * len(difference)))
        return np.concatenate([volts, [energy], share * np.where(np.isfinite(difference), difference, 0.0)])

    def _switching(self, own: Floats) -> NDArray[np.bool_]:
        """Points of the grid on the way out, at most 50 mV from where the physics or the model switches."""
        grid = np.concatenate([points for points in self.grid for _ in range(2)])
        legs_of = np.repeat(np.arange(4), [len(points) for points in self.grid for _ in range(2)])
        near = np.zeros(len(grid), dtype=bool)
        for leg, k in ((0, 0), (2, 1)):
            low, high = sorted((own[k], self.volts[k]))
            near |= (legs_of == leg) & (grid >= low - 0.05) & (grid <= high + 0.05)
        return near

    def _away(self, series: Series, own: Floats) -> float:
        """Rms of log10 I where neither switches."""
        return float(np.sqrt(np.nanmean((self.curve(series) - self.middle)[~self._switching(own)] ** 2)))

    def rows(self, series: Series) -> list[ErrorRow]:
        """Currents, both voltages and the energy of SET against the ensemble's middle, and the scatter of seeds.

        A voltage is to be within 5 % of the mean, or inside the band that holds 95 % of the cells.
        """
        nan = float("nan")
        own, energy = self.voltages(series), energy_J(part(series, 0))
        rms = float(np.sqrt(np.nanmean((self.curve(series) - self.middle) ** 2)))
        found = [self._row("log10 I, rms", rms, CURRENT, "decades", (nan, nan))]
        if len(self.runs) > 1:
            share = len(self.runs) / (len(self.runs) - 1)
            scatter = float(np.sqrt(np.nanmean((self.curves - self.middle) ** 2) * share))
            found.append(self._row("log10 I, scatter of seeds", scatter, None, "decades", (nan, nan)))
        away = self._away(series, own)
        found.append(self._row("log10 I, rms away from switching", away, None, "decades", (nan, nan)))
        for name, true, mine, band in zip(("SET voltage", "RESET voltage"), self.volts, own, self.band, strict=True):
            limit = max(VOLTAGE, float(band))
            found.append(self._row(name, mine / true - 1, limit, "relative", (true, mine)))
        both = (self.energy_J, energy)
        found.append(self._row("energy of SET", energy / self.energy_J - 1, ENERGY, "relative", both))
        return found


class DecayCondition(Condition):
    """SET and then rest: the time until a tenth of the conductance that rest begins with is left."""

    def __init__(self, runs: Sequence[Measurement], model: Model) -> None:
        super().__init__(runs, model)
        self.what = f"after SET, {self.what}"
        times = [self.lost_s(one.series) for one in runs]
        known = [time for time in times if time is not None]
        self.mean = float(np.mean(np.log10(known))) if known else float("nan")

    def lost_s(self, series: Series, beyond: bool = False) -> float | None:
        """That time, s; where it is not reached None, or with ``beyond`` as the mean rate of the rest would have it.

        Rest begins with the last stretch of a constant voltage.
        """
        volts = series["voltage_V"]
        begin = int(np.flatnonzero(np.abs(volts - volts[-1]) > 1e-9)[-1]) + 1
        time_s, current = series["time_s"][begin:] - series["time_s"][begin - 1], np.abs(series["current_A"][begin:])
        start_A = abs(series["current_A"][begin - 1] / volts[begin - 1] * volts[-1])
        below = current < OPENED_SHARE * start_A
        if not below.any():
            lost = max(float(np.log(start_A / current[-1])), 1e-6)
            return float(time_s[-1] * -np.log(OPENED_SHARE) / lost) if beyond else None
        k = int(np.argmax(below))
        logs = np.log(np.array([start_A if k == 0 else current[k - 1], current[k]]))
        share = (np.log(OPENED_SHARE * start_A) - logs[0]) / (logs[1] - logs[0])
        before_s = 0.0 if k == 0 else time_s[k - 1]
        return float(before_s + share * (time_s[k] - before_s))

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """That time, extrapolated where the model keeps more."""
        time_s = self.lost_s(self.replayed(values), beyond=True)
        assert time_s is not None
        return np.array([DECAY_WEIGHT * (np.log10(time_s) - self.mean) / TIME])

    def rows(self, series: Series) -> list[ErrorRow]:
        """That time of model and physics; of the model extrapolated where the rest was too short for it."""
        time_s = self.lost_s(series, beyond=True)
        error = float("nan") if time_s is None else np.log10(time_s) - self.mean
        return [self._row("time until a tenth is left", error, TIME, "decades",
                          (10.0**self.mean, float("nan") if time_s is None else time_s))]  # fmt: skip


def conditions(measured: Iterable[Measurement], model: Model, roles: Sequence[str]) -> list[Condition]:
    """All conditions of the given roles."""
    kinds = {"stress": StressCondition, "sweep": LoopCondition, "decay": DecayCondition}
    return [kinds[runs[0].kind](runs, model) for runs in grouped(measured, roles) if runs[0].kind in kinds]
