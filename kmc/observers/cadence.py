"""When to look: at equal times, at equal numbers of events, or at logarithmically spaced times.

Points are absolute (multiples on the engine's clock or event counter, computed as one product and never summed up), so
that a run cut into any pieces looks at the same points.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from kmc.errors import KmcError

#: Above this many points before the clock, neighbouring points are no longer different doubles.
_MOST_POINTS = 2.0**52


class Cadence(ABC):
    """An increasing sequence of points, numbered from 0, on the clock (s) or on the event counter."""

    #: Whether the points are numbers of events; otherwise they are times (s).
    by_events: bool = False

    @abstractmethod
    def point(self, number: int) -> float:
        """The point with this number (0, 1, ...)."""

    @abstractmethod
    def _guess(self, position: float) -> float:
        """About the number of the point nearest to a position; any error costs steps, not correctness."""

    def next_after(self, position: float) -> float:
        """The first point above a position (infinite when no double lies there).

        Raises:
            KmcError: when the points lie closer than the digits of the position.
        """
        guess = self._guess(position)
        if guess > _MOST_POINTS:
            raise KmcError(f"{self}: its points lie closer than the last digit of {position}; choose wider ones")
        number = max(int(guess), 0)
        while number > 0 and self.point(number - 1) > position:
            number -= 1
        while self.point(number) <= position:
            number += 1
        return self.point(number)

    def due(self, position: float) -> bool:
        """Whether a position is one of the points."""
        return self.next_after(math.nextafter(position, -math.inf)) == position


@dataclass(frozen=True)
class EveryTime(Cadence):
    """At ``since_s``, ``since_s + interval_s``, ... (s)."""

    interval_s: float
    since_s: float = 0.0

    def __post_init__(self) -> None:
        _positive("EveryTime", "interval_s", self.interval_s)
        _finite("EveryTime", "since_s", self.since_s)

    def point(self, number: int) -> float:
        """``since_s + number x interval_s``."""
        return self.since_s + number * self.interval_s

    def _guess(self, position: float) -> float:
        return (position - self.since_s) / self.interval_s


@dataclass(frozen=True)
class EveryEvents(Cadence):
    """After 0, ``events``, 2 ``events``, ... events."""

    events: int
    by_events = True

    def __post_init__(self) -> None:
        _whole("EveryEvents", "events", self.events)

    def point(self, number: int) -> float:
        """``number x events``."""
        return number * self.events

    def _guess(self, position: float) -> float:
        return position / self.events


@dataclass(frozen=True)
class LogTime(Cadence):
    """At ``since_s + first_s x 10^(k / per_decade)``, k = 0, 1, ... (s)."""

    first_s: float
    per_decade: int = 10
    since_s: float = 0.0

    def __post_init__(self) -> None:
        _positive("LogTime", "first_s", self.first_s)
        _whole("LogTime", "per_decade", self.per_decade)
        _finite("LogTime", "since_s", self.since_s)

    def point(self, number: int) -> float:
        """``since_s + first_s x 10^(number / per_decade)``."""
        try:
            return self.since_s + self.first_s * 10.0 ** (number / self.per_decade)
        except OverflowError:
            return math.inf

    def _guess(self, position: float) -> float:
        passed = (position - self.since_s) / self.first_s
        return math.log10(passed) * self.per_decade if passed > 1.0 else 0.0


def _positive(owner: str, key: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise KmcError(f"{owner}: {key} is {value}; a finite time above 0 s is needed")


def _finite(owner: str, key: str, value: float) -> None:
    if not math.isfinite(value):
        raise KmcError(f"{owner}: {key} is {value}; a finite time is needed")


def _whole(owner: str, key: str, value: int) -> None:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise KmcError(f"{owner}: {key} is {value}; a whole number >= 1 is needed")
