"""Errors of the finite-element solvers."""

import difflib
from collections.abc import Iterable


class FemError(Exception):
    """Root of all errors that the solvers raise on purpose."""


def unknown_name(kind: str, name: object, allowed: Iterable[str]) -> FemError:
    """The error for a ``kind`` (region, surface, ...) that is not among ``allowed``, with the nearest valid name."""
    names = sorted(allowed)
    if not names:
        return FemError(f"{kind} {name!r} is not known: there is none to choose from")
    nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)[0]
    return FemError(f"{kind} {name!r} is not known; allowed: {', '.join(names)} (nearest: {nearest!r})")
