"""Cases with exact answers: one small module each, run by ``ionsim verify`` and by the tests.

A case is a function under :func:`ionsim.verification.record.case`; every module of this folder is imported when the
cases are asked for, so a new file is enough to add one.
"""

import importlib
import pkgutil
from collections.abc import Iterable

from ionsim.errors import IonsimError, nearest
from ionsim.verification.record import CASES, Case, Record, case

__all__ = ["Case", "Record", "case", "cases", "run"]


class UnknownCaseError(IonsimError):
    """A verification case that does not exist."""


def cases() -> dict[str, Case]:
    """All cases by name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(CASES.items()))


def run(names: Iterable[str] | None = None) -> dict[str, list[Record]]:
    """Run the named cases (all by default) and return their records by case.

    A case that raises counts as failed, with a record that says what it raised; the others still run.
    """
    known = cases()
    chosen = list(known) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise UnknownCaseError(f"no case {name!r}{nearest(name, known)}; there are: {', '.join(known) or 'none'}")
    return {name: _records(known[name]) for name in chosen}


def _records(function: Case) -> list[Record]:
    try:
        return function()
    except Exception as error:
        return [Record(f"raised {type(error).__name__}: {error}", float("nan"), passed=False)]
