"""Coefficients by region for the transient solver: numbers, arrays per cell, or plain functions of T, F and states."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, owned_cells, region_cells
from fem.errors import FemError, unknown_name

Array = NDArray[np.float64]
#: A number, an array with a number for each cell, or a function of the temperature, the field and states by name.
Property = float | ArrayLike | Callable[..., Any]
TEMPERATURE = "T_K"
FIELD = "F_V_per_m"


@dataclass(frozen=True)
class Law:
    """A coefficient given as a function; ``arguments`` are the names it takes, each a field or a state."""

    function: Callable[..., Any]
    arguments: tuple[str, ...]

    def __call__(self, fields: Mapping[str, Any]) -> Any:
        """The coefficient of ``fields`` (UFL expressions or arrays), which may hold more than it takes."""
        return self.function(**{name: fields[name] for name in self.arguments})


class Properties:
    """One coefficient over the regions of a cell.

    ``laws``: region -> Law, for those given as functions. ``numbers``: (owned cells,) values of all others, 1 where a
    law holds. ``allowed`` are the names of arguments that a function may have. ``zero`` allows 0 (an insulator).
    Raises FemError naming the quantity and region that is wrong.
    """

    def __init__(
        self, cell: Cell, values: Mapping[str, Property], quantity: str, allowed: Iterable[str], zero: bool = False
    ) -> None:
        self.quantity = quantity
        self.laws: dict[str, Law] = {}
        self.numbers: Array = np.ones(owned_cells(cell))
        names = tuple(allowed)
        for name in values:
            if name not in cell.regions:
                raise unknown_name(f"{quantity}: region", name, cell.regions)
        within: Mapping[str, str] = getattr(cell, "within", {})
        wrong: str | None = None
        for name in cell.regions:
            source: str | None = name
            while source is not None and source not in values:
                source = within.get(source)
            if source is None:
                raise FemError(f"{quantity}: region {name!r} has no value; given: {', '.join(values) or 'none'}")
            value = values[source]
            if callable(value):
                self.laws[name] = Law(value, _arguments(value, f"{quantity}: region {name!r}", names))
            else:
                wrong = wrong or self._set(name, region_cells(cell, name), np.asarray(value, dtype=np.float64), zero)
        comm = cell.mesh.comm
        wrong = next(filter(None, comm.allgather(wrong)), None) if comm.size > 1 else wrong
        if wrong:
            raise FemError(f"{quantity}: {wrong}")

    def _set(self, name: str, cells: NDArray[np.int32], value: Array, zero: bool) -> str | None:
        part = value[cells] if value.shape == self.numbers.shape else value
        if part.ndim and part.shape != cells.shape:
            return (f"region {name!r} needs a number or {cells.size} values (its owned cells) or {self.numbers.size} "
                    f"(all owned cells), got shape {part.shape}")  # fmt: skip
        flat = np.ravel(part)
        good = np.isfinite(flat) & ((flat >= 0.0) if zero else (flat > 0.0))
        if not np.all(good):
            kind = "zero or positive" if zero else "positive"
            return f"region {name!r} must be {kind} and finite, got {float(flat[~good][0])!r}"
        self.numbers[cells] = part
        return None


def _arguments(function: Callable[..., Any], what: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    names = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in allowed:
            names.append(name)
        elif parameter.default is parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD
        ):  # fmt: skip
            raise unknown_name(f"{what}: argument", name, allowed)
    return tuple(names)
