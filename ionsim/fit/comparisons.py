"""From the outcome of a run to numbers beside the measured ones, one class for each kind of table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.fit.evaluation import Outcome
from ionsim.fit.legs import Branch, cut, interpolate
from ionsim.fit.quantities import PLATEAU, RESISTANCE
from ionsim.fit.scale import Scale

Floats = NDArray[np.float64]

#: A measured current from this share of the compliance on is at the compliance.
AT_LIMIT = 0.9
#: What stands in for a quantity that did not occur in a run, in transformed units off the measured one.
MISSING = 5.0


@dataclass(frozen=True, eq=False)
class Comparison(ABC):
    """Measured numbers of one quantity, and how a run gives the same ones.

    ``measured``: transformed, (n,); ``x``: (n,) where each was measured, in ``x_name``.
    """

    quantity: str
    scale: Scale
    measured: Floats
    x: Floats
    x_name: str

    @abstractmethod
    def model(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """Transformed values (n,) beside ``measured``, and which rows say nothing: both at a limit."""

    def beside(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """What the residual is the difference of ``measured`` to, and which rows say nothing."""
        return self.model(outcome)

    @property
    def columns(self) -> tuple[str, ...]:
        """What it needs of a series."""
        name = self.quantity.removeprefix(PLATEAU)
        return ("conductance_S" if name == RESISTANCE else name,)

    def _values(self, outcome: Outcome) -> Floats:
        """The quantity in all rows of the series."""
        values = outcome.series[self.columns[0]]
        if self.quantity.removeprefix(PLATEAU) == RESISTANCE:
            with np.errstate(divide="ignore"):
                return np.asarray(1.0 / values)
        return values

    def _none(self) -> NDArray[np.bool_]:
        return np.zeros(len(self.measured), dtype=bool)


@dataclass(frozen=True, eq=False)
class SweepRows(Comparison):
    """A quantity along a sweep: ``branches`` are (stage, branch, rows of ``x``); ``limits_A`` by stage, or None.

    ``magnitudes``: the table holds no negative currents where voltages are negative, so magnitudes are compared.
    ``errors`` (n,): standard errors of the transformed values; ``voltage_error_V``: that of the voltages. Where it is
    above zero a residual is the distance to the simulated branch with both errors as units.
    """

    branches: Sequence[tuple[int, Branch, NDArray[np.intp]]]
    limits_A: Sequence[float | None]
    magnitudes: bool
    at_limit: NDArray[np.bool_]
    errors: Floats
    voltage_error_V: float = 0.0

    def model(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """At the same places of the sweep."""
        return self._laid(outcome, 0.0)

    def beside(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """Off the measured values by the distance to the branch, in units of a value's error."""
        return self._laid(outcome, self.voltage_error_V)

    def _laid(self, outcome: Outcome, error_V: float) -> tuple[Floats, NDArray[np.bool_]]:
        voltage, limited = outcome.series["voltage_V"], outcome.series["limited"]
        values = np.abs(self._values(outcome)) if self.magnitudes else self._values(outcome)
        found, inert = np.zeros(len(self.measured)), self._none()
        largest = float(np.max(np.abs(voltage)))
        for stage, branch, rows in self.branches:
            mine = rows_of(outcome, stage, branch, largest)
            curve = voltage[mine], values[mine]
            found[rows] = interpolate(*curve, self.x[rows], self.scale, self.quantity.endswith("_A"))
            if error_V > 0.0:
                found[rows] = self._near(*curve, rows, found[rows], error_V)
            order = mine[np.argsort(np.abs(voltage[mine]), kind="stable")]
            nearest = np.clip(np.searchsorted(np.abs(voltage[order]), np.abs(self.x[rows])), 0, len(order) - 1)
            inert[rows] = self.at_limit[rows] & (limited[order][nearest] > 0.0)
        return found, inert

    def _near(self, voltage: Floats, values: Floats, rows: NDArray[np.intp], found: Floats, error_V: float) -> Floats:
        """Measured values plus the distances to a curve (n,), with the sign of the vertical ones, which are ``found``.

        Errors in both coordinates: Boggs and Rogers, Contemp. Math. 112, 183 (1990).
        """
        at, measured, error = np.abs(self.x[rows]), self.measured[rows], self.errors[rows]
        off = (found - measured) / error
        order = np.argsort(np.abs(voltage), kind="stable")
        x, y = np.abs(voltage)[order], self.scale.of(values[order])
        if at.max() > x[-1]:  # the last value is held
            x, y = np.append(x, at.max()), np.append(y, y[-1])
        if len(x) < 2:
            return found
        # from each point (n, 1) to each segment (1, p), in units of the errors
        dx, dy = (x[:-1] - at[:, None]) / error_V, (y[:-1] - measured[:, None]) / error[:, None]
        wide, high = np.diff(x) / error_V, np.diff(y) / error[:, None]
        length = wide**2 + high**2
        share = np.divide(-(dx * wide + dy * high), length, out=np.zeros_like(dx), where=length > 0.0)
        share = np.clip(share, 0.0, 1.0)
        distance = np.hypot(dx + share * wide, dy + share * high).min(axis=1)
        return np.asarray(measured + np.sign(off) * np.minimum(distance, np.abs(off)) * error)


def rows_of(outcome: Outcome, stage: int, branch: Branch, largest_V: float) -> NDArray[np.intp]:
    """Rows of a branch of a stage in a simulated series; the way back begins at the turning point.

    A stage that turned at its first point has no such branch: its first row then stands for all of it.
    """
    in_stage = np.flatnonzero(outcome.series["stage"].astype(int) == stage)
    voltage = outcome.series["voltage_V"][in_stage]
    for found, rows in cut(voltage, largest_V):
        if found == branch:
            first = rows[0] - 1 if not branch.outward and rows[0] > 0 else rows[0]
            return np.asarray(in_stage[first : rows[-1] + 1])
    return np.asarray(in_stage[:1])


@dataclass(frozen=True, eq=False)
class TimeRows(Comparison):
    """A quantity at times ``x``: linear between the recorded points, in the transformed value."""

    def model(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """At the same times."""
        time_s = outcome.series["time_s"]
        return np.interp(self.x, time_s, self.scale.of(self._values(outcome))), self._none()


@dataclass(frozen=True, eq=False)
class PulseRows(Comparison):
    """A quantity after pulses, or at the end of their plateaus; ``at_s``: those times, (n,)."""

    at_s: Floats

    def model(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """In the recorded points nearest to them: all corners of a pulse are recorded."""
        time_s = outcome.series["time_s"]
        after = np.clip(np.searchsorted(time_s, self.at_s), 1, max(len(time_s) - 1, 1))
        rows = np.where(self.at_s - time_s[after - 1] < time_s[after] - self.at_s, after - 1, after)
        return self.scale.of(self._values(outcome)[rows]), self._none()


@dataclass(frozen=True, eq=False)
class SummaryRows(Comparison):
    """A key of the summary, measured once or several times."""

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def model(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """The one value of the run beside each of them; where it did not occur, one far off."""
        value = outcome.summary.get(self.quantity)
        if not isinstance(value, int | float):
            return self.measured + MISSING, self._none()
        return np.full(len(self.measured), float(self.scale.of(value))), self._none()


@dataclass(frozen=True, eq=False)
class SwitchingRows(Comparison):
    """Times of switching at one voltage; ``until_A``: the current that tells it, 0 for the compliance.

    ``unswitched`` (n,): the measurement ended at that time without switching. ``longest_s``: duration of the run.
    """

    until_A: float
    unswitched: NDArray[np.bool_]
    longest_s: float

    @property
    def columns(self) -> tuple[str, ...]:
        return ("current_A",)

    def model(self, outcome: Outcome) -> tuple[Floats, NDArray[np.bool_]]:
        """The one time of the run beside each; the run's duration where it has not switched, marked as a limit.

        A run that has not switched by the end of a measurement that has not either agrees with it.
        """
        time_s = switching_time_s(outcome, self.until_A)
        value = float(self.scale.of(self.longest_s if time_s is None else time_s))
        late = self.unswitched & (value >= self.measured)
        return np.where(late, self.measured, value), late


def switching_time_s(outcome: Outcome, until_A: float) -> float | None:
    """Time (s) at which the current's magnitude reaches ``until_A`` (0: at which the compliance limits it), or None.

    Between the two points around it, which stand in a ratio of times, ln t is linear in ln I.
    """
    series = outcome.series
    current, time_s = np.abs(series["current_A"]), series["time_s"]
    there = series["limited"] > 0.0 if until_A == 0.0 else current >= until_A
    if not there.any():
        return None
    row = int(np.argmax(there))
    if row == 0:
        return float(time_s[0])
    low, high, level = current[row - 1], current[row], until_A or current[row]
    share = 1.0
    if 0.0 < low < high:
        share = float(np.clip(np.log(level / low) / np.log(high / low), 0.0, 1.0))
    return float(time_s[row - 1] ** (1.0 - share) * time_s[row] ** share)
