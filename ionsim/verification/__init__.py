"""Cases with exact answers: one small module each, run by ``ionsim verify`` and by the tests.

A case is a function under :func:`ionsim.verification.record.case`; every module of this folder is imported when the
cases are asked for, so a new file is enough to add one. ``ionsim.book`` makes pages of them.
"""

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ionsim.errors import IonsimError, nearest
from ionsim.verification.figure import Panel, collecting
from ionsim.verification.record import CASES, FAMILIES, Case, Record, case

__all__ = ["FAMILIES", "Case", "Outcome", "Panel", "Record", "case", "cases", "chosen", "examine", "run"]


class UnknownCaseError(IonsimError):
    """A verification case that does not exist."""


@dataclass(frozen=True)
class Outcome:
    """What a case gave: records, what is drawn of it, and how long it took (wall time, s)."""

    records: list[Record]
    panels: list[Panel]
    wall_s: float


def cases() -> dict[str, Case]:
    """All cases by name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(CASES.items()))


def chosen(names: Iterable[str] | None = None) -> dict[str, Case]:
    """The named cases (all by default); raises UnknownCaseError for a name that none has."""
    known = cases()
    wanted = list(known) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise UnknownCaseError(f"no case {name!r}{nearest(name, known)}; there are: {', '.join(known) or 'none'}")
    return {name: known[name] for name in wanted}


def run(names: Iterable[str] | None = None) -> dict[str, list[Record]]:
    """Run the named cases (all by default) and return their records by case.

    A case that raises counts as failed, with a record that says what it raised; the others still run.
    """
    return {name: _records(function) for name, function in chosen(names).items()}


def examine(function: Callable[[], list[Record]]) -> Outcome:
    """Run one case and collect what it draws; one that raises has a record that says what, as in :func:`run`."""
    begin_s = time.perf_counter()
    with collecting() as panels:
        records = _records(function)
    return Outcome(records, panels, time.perf_counter() - begin_s)


def _records(function: Callable[[], list[Record]]) -> list[Record]:
    try:
        return function()
    except Exception as error:
        return [Record(f"raised {type(error).__name__}: {error}", float("nan"), passed=False)]
