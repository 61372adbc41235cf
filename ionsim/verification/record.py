"""What a verification case returns, and the register of cases."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

#: Families of the summary table, in its order.
FAMILIES = ("kmc engine", "finite elements", "lattice and fields", "VCM", "grain boundaries", "ECM", "PCM", "ECRAM")


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


@dataclass(frozen=True)
class Case:
    """A case as it stands in the verification book; calling it runs it.

    Attributes:
        name: kebab-case.
        family: one of :data:`FAMILIES`: the part of the suite that it holds to an exact answer.
        problem: what is solved, with the numbers that matter.
        exact: the answer that it is compared with; formulas between dollar signs, as matplotlib's mathtext has them.
        sources: of the exact answer; none where it is worked out in the case's own file.
        quick: it takes well under a second, so it is part of the book that the tests build.
        function: runs the case.
    """

    name: str
    family: str
    problem: str
    exact: str
    sources: tuple[str, ...]
    quick: bool
    function: Callable[[], list[Record]]

    def __call__(self) -> list[Record]:
        """Run the case; its records."""
        return self.function()

    @property
    def title(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.function) or self.name).partition("\n")[0]

    @property
    def module(self) -> str:
        """Where the case is written down."""
        return self.function.__module__


CASES: dict[str, Case] = {}


def case[F: Callable[..., list[Record]]](
    name: str, family: str, *, problem: str, exact: str, sources: tuple[str, ...] = (), quick: bool = False
) -> Callable[[F], F]:
    """Register a verification case; the arguments are the attributes of :class:`Case`, where they are described.

    A case takes no arguments (or none that it needs), runs in a few seconds, hands what it compares to
    :func:`ionsim.verification.figure.draw`, and returns its records. The first line of its docstring is its title.
    """

    def register(function: F) -> F:
        if name in CASES:
            raise ValueError(f"verification case {name!r} is registered twice")
        if family not in FAMILIES:
            raise ValueError(f"verification case {name!r} is of family {family!r}; allowed: {', '.join(FAMILIES)}")
        CASES[name] = Case(name, family, " ".join(problem.split()), " ".join(exact.split()), sources, quick, function)
        return function

    return register
