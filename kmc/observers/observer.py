"""Advance an engine and let observers look at it exactly at their points."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.model import Model
from kmc.observers.cadence import Cadence


class Observed(Protocol):
    """What observers read of an engine: see :class:`kmc.Engine`."""

    @property
    def time_s(self) -> float: ...
    @property
    def n_events(self) -> int: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def occupation(self) -> NDArray[Any]: ...
    @property
    def sites(self) -> Any: ...
    @property
    def model(self) -> Model: ...
    def run(self, *, until_s: float, max_events: int | None = None) -> str: ...


def tracers_of(engine: Observed) -> Any:
    """The tracers of an engine (see :class:`kmc.Engine`), or None when it follows no particles."""
    try:
        return getattr(engine, "tracers", None)
    except KmcError:
        return None


class Observer:
    """Something that looks at an engine at a cadence; subclasses give :meth:`look`.

    Args:
        cadence: :class:`EveryTime`, :class:`EveryEvents`, :class:`LogTime` or another :class:`Cadence`.
    """

    def __init__(self, cadence: Cadence) -> None:
        if not isinstance(cadence, Cadence):
            raise KmcError(f"cadence is {cadence!r}; EveryTime, EveryEvents or LogTime is needed")
        self.cadence = cadence
        self._looked: tuple[Callable[[], Any], float] | None = None

    def look(self, engine: Observed) -> None:
        """Look at the engine as it is now; it must not be changed."""
        raise NotImplementedError

    def position(self, engine: Observed) -> float:
        """Where the engine stands on the axis of the cadence: its number of events, or its clock (s)."""
        return engine.n_events if self.cadence.by_events else engine.time_s

    def due(self, engine: Observed) -> bool:
        """Whether the engine stands on a point at which this observer has not looked at it yet."""
        position = self.position(engine)
        if self._looked is not None and self._looked[0]() is engine and self._looked[1] == position:
            return False
        return self.cadence.due(position)

    def visit(self, engine: Observed) -> None:
        """Look, and remember where."""
        self.look(engine)
        self._looked = weakref.ref(engine), self.position(engine)


class Call(Observer):
    """Call a function of the engine at a cadence."""

    def __init__(self, cadence: Cadence, function: Callable[[Observed], object]) -> None:
        super().__init__(cadence)
        self.function = function

    def look(self, engine: Observed) -> None:
        """Call the function."""
        self.function(engine)


def observe(
    engine: Observed,
    *,
    until_s: float = math.inf,
    max_events: int | None = None,
    observers: Sequence[Observer] = (),
) -> str:
    """Advance the engine as :meth:`kmc.Engine.run` does, and let each observer look at each of its points.

    The engine is run from point to point, so none is stepped over; points that coincide are served in the order of
    ``observers``, the points "now" at the start included, a point served by an earlier call not again.

    Event cadences leave the trajectory as it is: the same random numbers are drawn. Time cadences stop the clock at a
    point and drop the waiting time that would pass it. Waiting times are exponential and thus without memory, so
    that the new draw has the distribution of what was left: another trajectory from the same seed, with the same law.

    Args:
        engine: the engine.
        until_s: stop at this time.
        max_events: stop after so many events at the latest.
        observers: who looks on; their exceptions end the run.

    Returns:
        Why it stopped: "time", "events", "frozen" or "watch". A frozen engine goes on to ``until_s``, with every point
        of time served on the way; if that is infinite, it stops at the next of them.

    Raises:
        KmcError: when neither limit is given, or a limit is not one that the engine takes.
    """
    if math.isinf(until_s) and max_events is None:
        raise KmcError("observe: until_s is infinite and max_events is None; at least one of them must be a limit")
    if max_events is not None and not max_events >= 0:
        raise KmcError(f"observe: max_events is {max_events}; a number >= 0 is needed")
    if not until_s >= engine.time_s:
        raise KmcError(f"observe: until_s is {until_s}, before the clock at {engine.time_s}")
    for observer in observers:
        if observer.due(engine):
            observer.visit(engine)
    last_event = None if max_events is None else engine.n_events + int(max_events)
    while True:
        ahead = [(observer, observer.cadence.next_after(observer.position(engine))) for observer in observers]
        time_s = min([until_s, *(point for observer, point in ahead if not observer.cadence.by_events)])
        events = [int(point) for observer, point in ahead if observer.cadence.by_events and math.isfinite(point)]
        if last_event is not None:
            events.append(last_event)
        reason = engine.run(until_s=time_s, max_events=min(events) - engine.n_events if events else None)
        for observer, point in ahead:
            if observer.position(engine) >= point:
                observer.visit(engine)
        if reason == "watch":
            return reason
        if last_event is not None and engine.n_events >= last_event and reason == "events":
            return reason
        if reason in ("time", "frozen") and engine.time_s >= until_s:
            return reason
        if reason == "frozen" and (math.isinf(until_s) or engine.time_s < time_s):
            return reason
