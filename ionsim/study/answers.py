"""What a study found, point by point: an observable as one number for each point and model, and why one is missing."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ionsim.errors import StudyError, nearest
from ionsim.study.observables import SOLVER
from ionsim.study.plan import Plan, Task
from ionsim.study.table import Columns

#: Problems that a message lists; of more it gives the count.
_LISTED = 5


@dataclass(frozen=True)
class Answer:
    """An observable at one point: its mean over the seeds, or None with what is missing.

    A point counts only when every seed has a value. The mean over the seeds that have one would be biased: those that
    did not form, say, are those with the highest forming voltage.
    """

    point: int
    model: str | None
    inputs: Mapping[str, Any]
    values: tuple[float, ...]
    problem: str | None = None

    @property
    def mean(self) -> float | None:
        """Mean over all seeds, None where one is missing."""
        return None if self.problem else statistics.fmean(self.values)


def observables_of(plan: Plan, table: Columns) -> list[str]:
    """Observables of a table that are numbers, in its order."""
    names = list(itertools.takewhile(lambda name: name != "status", table))[3 + len(plan.study.parameters) :]
    return [name for name in names if _numbers(table[name])]


def _numbers(column: Sequence[Any]) -> bool:
    there = [value for value in column if value is not None]
    return bool(there) and all(isinstance(value, int | float) and math.isfinite(value) for value in there)


def chosen(plan: Plan, table: Columns, wanted: Sequence[str]) -> list[str]:
    """The wanted observables, or all but what counts the solver's work (all, if there is nothing else).

    Raises StudyError for one that the table does not have as numbers.
    """
    known = observables_of(plan, table)
    if not known:
        raise StudyError("no run of the study has left an observable that is a number")
    for name in wanted:
        if name not in known:
            hint = nearest(name, known) or f"; there are: {', '.join(known)}"
            raise StudyError(f"--observable {name}: no column of numbers of the study's table{hint}")
    return list(wanted) or [name for name in known if name in plan.study.observables or name not in SOLVER] or known


def answers(plan: Plan, table: Columns, observable: str) -> list[Answer]:
    """An observable at all points of the design, sorted by point and model, also those that failed or are left."""
    places = zip(table["point"], table["seed"], table["model"], strict=True)
    rows = {place: row for row, place in enumerate(places)}
    found: list[Answer] = []
    tasks = sorted(plan.tasks, key=lambda task: (task.point, task.model or ""))
    for (point, model), group in itertools.groupby(tasks, key=lambda task: (task.point, task.model)):
        runs = list(group)
        values: list[float] = []
        problems: list[str] = []
        for task in runs:
            row = rows.get((task.point, task.seed, task.model))
            problem = _problem(table, row, observable)
            if problem is not None:
                problems.append(problem if len(runs) == 1 else f"seed {task.seed} {problem}")
            elif row is not None:
                values.append(float(table[observable][row]))
        inputs = plan_inputs(plan, runs[0])
        found.append(Answer(point, model, inputs, tuple(values), "; ".join(problems) or None))
    return found


def plan_inputs(plan: Plan, task: Task) -> dict[str, Any]:
    """Key path of each parameter -> value at a run's point."""
    return dict(zip(plan.study.columns, task.values, strict=True))


def _problem(table: Columns, row: int | None, observable: str) -> str | None:
    """Why a run gives no value, or None."""
    if row is None:
        return "has not run"
    status = table["status"][row]
    if status != "complete":
        return f"{status}: {table['error'][row]}" if table["error"][row] else str(status)
    return None if table[observable][row] is not None else f"is complete without {observable}"


def listed(problems: Sequence[str]) -> str:
    """Problems as one text; of many the first ones and the count."""
    more = len(problems) - _LISTED
    return "; ".join(problems[:_LISTED]) + (f"; and {more} more" if more > 0 else "")
