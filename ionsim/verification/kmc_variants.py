"""The ways in which the lattice engine can draw its events: each must give the same statistics."""

from typing import Any

#: Name -> arguments of :class:`kmc.Engine`.
VARIANTS: dict[str, dict[str, Any]] = {
    "tree": {"selector": "tree", "null_events": False},
    "composition": {"selector": "composition", "null_events": False},
    "null events": {"selector": "composition", "null_events": True},
}
