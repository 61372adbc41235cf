"""Adaptive time steps: milestones that no step crosses, and a retry with a shorter step after a failure."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fem.errors import FemError, unknown_name

_MAX_GROWTH = 10.0  # BDF2 with variable steps is zero-stable for ratios below 1 + sqrt(2)

_SHORTER = 0.7  # what many iterations alone shorten the next step to, at most; chosen


@dataclass(frozen=True)
class Attempt:
    """What came of a step that was tried.

    ``accepted``: False when it failed (the state must then be as before). ``iterations``: the work that it took.
    ``changes``: how much each watched quantity moved. ``undo``: goes back to before the step; needed if a step that
    moved something too far is to be repeated. ``reason``: of a failure. ``result``: whatever the caller wants back.
    """

    accepted: bool
    iterations: int = 0
    changes: Mapping[str, float] = field(default_factory=dict)
    undo: Callable[[], None] | None = None
    reason: str = ""
    result: Any = None


@dataclass(frozen=True)
class Step:
    """A step that was taken: from ``begin_s`` to ``end_s``, after ``rejected`` tries; ``milestone``: it ends on one."""

    begin_s: float
    end_s: float
    dt_s: float
    rejected: int
    milestone: bool
    attempt: Attempt


class TimeControl:
    """Chooses the steps from ``begin_s`` to ``end_s`` (s); knows nothing of what is stepped.

    ``milestones_s``: times that a step must end on (corners of the drive); ``end_s`` is one as well. After the start
    and after each, the step is ``first_s``. A step that needs fewer iterations than ``target_iterations`` makes the
    next one longer, by at most ``growth`` (up to 2), one that needs more makes it shorter. ``limits``: largest change
    of a watched quantity a step: the next step aims at 0.8 of it, and a step that moved 1.5 times as far is undone and
    repeated if the attempt offers ``undo``. A failed step is repeated with ``cut`` of its length. Raises FemError for
    numbers out of range, and when a step of ``dt_min_s`` fails, naming the time.
    """

    def __init__(
        self,
        begin_s: float,
        end_s: float,
        first_s: float,
        milestones_s: Iterable[float] = (),
        dt_min_s: float | None = None,
        dt_max_s: float = math.inf,
        growth: float = 1.5,
        cut: float = 0.3,
        target_iterations: int = 8,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        if not end_s > begin_s:
            raise FemError(f"end_s must be after begin_s, got {begin_s!r} and {end_s!r}")
        self.dt_min_s = 1e-6 * first_s if dt_min_s is None else dt_min_s
        self.dt_max_s = dt_max_s
        if not 0.0 < self.dt_min_s <= first_s <= dt_max_s:
            raise FemError("steps must keep 0 < dt_min_s <= first_s <= dt_max_s, got "
                           f"{self.dt_min_s!r}, {first_s!r}, {dt_max_s!r}")  # fmt: skip
        if not (1.0 < growth <= _MAX_GROWTH and 0.0 < cut < 1.0 and target_iterations >= 1):
            raise FemError(f"growth must lie between 1 and {_MAX_GROWTH:g}, cut between 0 and 1 and target_iterations "
                           f"be >= 1, got {growth!r}, {cut!r}, {target_iterations!r}")  # fmt: skip
        self.limits = dict(limits or {})
        for name, limit in self.limits.items():
            if not limit > 0.0:
                raise FemError(f"limits: {name!r} must be above 0, got {limit!r}")
        self.time_s, self.end_s, self.first_s = begin_s, end_s, first_s
        self.milestones_s = sorted({float(t) for t in milestones_s if begin_s < t < end_s} | {end_s})
        self.growth, self.cut, self.target_iterations = growth, cut, target_iterations
        self.dt_s = first_s
        self.rejected = 0

    @property
    def finished(self) -> bool:
        """True at the end."""
        return self.time_s >= self.end_s

    @property
    def next_milestone_s(self) -> float:
        """The next time that a step must end on (the end, once there)."""
        return next((t for t in self.milestones_s if t > self.time_s), self.end_s)

    def proposed(self) -> tuple[float, float]:
        """End and length (s) of the next step: to the milestone if it is near, half-way if that saves a short rest."""
        target = self.next_milestone_s
        left = target - self.time_s
        if self.dt_s >= left * (1.0 - 1e-9):
            return target, left
        dt = 0.5 * left if 2.0 * self.dt_s > left else self.dt_s
        return self.time_s + dt, dt

    def advance(self, attempt: Callable[[float], Attempt]) -> Step:
        """Take one step by ``attempt(dt_s)``, tried again with a shorter one as often as needed."""
        if self.finished:
            raise FemError(f"the end, {self.end_s!r} s, has been reached")
        rejected = 0
        while True:
            end, dt = self.proposed()
            done = attempt(dt)
            for name in self.limits:
                if done.accepted and name not in done.changes:
                    raise unknown_name("limits: quantity", name, done.changes)
            excess = self._excess(done)
            if done.accepted and (excess <= 1.5 or done.undo is None or dt <= self.dt_min_s):
                break
            rejected += 1
            self.rejected += 1
            if dt <= self.dt_min_s:
                raise FemError(f"at {self.time_s!r} s no step succeeds: the shortest allowed, {self.dt_min_s!r} s, "
                               f"failed{': ' + done.reason if done.reason else ''}")  # fmt: skip
            if done.accepted and done.undo is not None:
                done.undo()
            self.dt_s = max(dt * (max(self.cut, 0.8 / excess) if done.accepted else self.cut), self.dt_min_s)
        begin, milestone = self.time_s, end == self.next_milestone_s
        self.time_s = end
        self.dt_s = self.first_s if milestone else self._next(dt, done, excess, rejected > 0)
        return Step(begin, end, dt, rejected, milestone, done)

    def _next(self, dt: float, done: Attempt, excess: float, retried: bool) -> float:
        factor = 1.0 if retried else self.growth
        if done.iterations:
            factor = min(factor, max(self.target_iterations / done.iterations, _SHORTER))
        if excess > 0.0:
            factor = min(factor, max(0.8 / excess, self.cut))
        return min(max(dt * factor, self.dt_min_s), self.dt_max_s)

    def _excess(self, done: Attempt) -> float:
        """The largest change over its limit."""
        if not done.accepted:
            return math.inf
        return max((abs(done.changes[name]) / limit for name, limit in self.limits.items()), default=0.0)
