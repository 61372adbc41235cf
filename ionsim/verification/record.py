"""What a verification case returns, and the register of cases."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Record:
    """One measured figure of a case: ``passed`` compares ``value`` with ``limit`` (both None where there is none)."""

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    passed: bool | None = None

    @classmethod
    def below(cls, name: str, value: float, limit: float, unit: str = "") -> "Record":
        """A figure that passes when |value| <= limit (an error against an exact answer); NaN fails."""
        return cls(name, float(value), unit, limit, bool(abs(value) <= limit))

    @classmethod
    def above(cls, name: str, value: float, limit: float, unit: str = "") -> "Record":
        """A figure that passes when value >= limit (an observed order, say); NaN fails."""
        return cls(name, float(value), unit, limit, bool(value >= limit))

    def as_dict(self) -> dict[str, Any]:
        """The record as the JSON object that ``ionsim verify --json`` prints."""
        return asdict(self)


Case = Callable[[], list[Record]]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Register a verification case under ``name`` (kebab-case); its docstring's first line is its title.

    A case takes no arguments, runs in a few seconds, and returns its records.
    """

    def register(function: Case) -> Case:
        if name in CASES:
            raise ValueError(f"verification case {name!r} is registered twice")
        CASES[name] = function
        return function

    return register
