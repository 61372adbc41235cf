"""Selectors for cells of a given conductance: which there are, how large one is made, how much voltage it takes."""

from __future__ import annotations

from ionsim.compact.description import CompactError, Model
from ionsim.compact.families import THRESHOLD, VARISTOR
from ionsim.errors import nearest

#: Selectors by the name that a user gives.
SELECTORS = {"varistor": VARISTOR, "threshold": THRESHOLD}

#: By how much a selector raises the voltages of a read and of a write, in V (0.74 V at 1 uA and 1.1 V at 100 uA by the
#: varistor's defaults).
READ_MORE_V, WRITE_MORE_V = 0.8, 1.2

#: Conductance of a cell, when on, that selectors suit by their defaults, in S.
SUITED_S = 2.4e-4

#: Parameters in proportion to the area, and those against it.
_GROWING, _SHRINKING = ("i_s", "g_free", "cth"), ("rs", "rth")


def find_selector(name: str) -> Model:
    """The selector of that name; raises CompactError with those that there are."""
    if name not in SELECTORS:
        known = ", ".join(SELECTORS)
        raise CompactError(f"selector = {name!r}: no such selector{nearest(name, SELECTORS)}; one of {known}")
    return SELECTORS[name]


def sized(selector: Model, on_S: float) -> dict[str, float]:
    """Parameters of a selector whose area goes with ``on_S``, the conductance of a cell that is on, in S."""
    area, defaults = on_S / SUITED_S, selector.values()
    values = {name: defaults[name] * area for name in _GROWING if name in defaults}
    return values | {name: defaults[name] / area for name in _SHRINKING if name in defaults}
