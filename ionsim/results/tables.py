"""What a run hands out: columns and fields by name, which show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ionsim.config import html
from ionsim.errors import ResultsError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rows that a table shows of its begin and of its end.
_ROWS = 4


class Table(dict[str, np.ndarray]):
    """Columns by name, arrays (N,) of one length; names carry the unit (``voltage_V``).

    A dictionary, with a picture: :meth:`plot`; :meth:`to_pandas` needs pandas.
    """

    def __init__(self, columns: Any = (), draw: Callable[[], Figure] | None = None) -> None:
        super().__init__(columns)
        self._draw = draw

    def plot(self) -> Figure:
        """The picture of this table, a matplotlib Figure."""
        if self._draw is None:
            raise ResultsError("this table has no picture of its own")
        return self._draw()

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame."""
        try:
            import pandas
        except ImportError as error:
            raise ResultsError("a DataFrame needs pandas: pip install pandas") from error
        return pandas.DataFrame(dict(self))

    def __repr__(self) -> str:
        return f"<Table of {len(next(iter(self.values()), ()))} rows: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        count = len(next(iter(self.values()), ()))
        shown = list(range(count)) if count <= 2 * _ROWS else [*range(_ROWS), None, *range(count - _ROWS, count)]
        rows = [["…"] * len(self) if at is None else [_plain(column[at]) for column in self.values()] for at in shown]
        return html.heading(f"{count} rows") + html.table(rows, tuple(self))


class Fields(dict[str, np.ndarray]):
    """Fields by name on the grid of a cut, (nz, n), with its axes in nm; names carry the unit."""

    def __init__(self, arrays: Any = (), title: str = "", draw: Callable[[], Figure] | None = None) -> None:
        super().__init__(arrays)
        self.title = title
        self._draw = draw

    def plot(self) -> Figure:
        """The picture of this cut, a matplotlib Figure."""
        if self._draw is None:
            raise ResultsError("this cut has no picture of its own")
        return self._draw()

    def __repr__(self) -> str:
        return f"<Fields {self.title!r}: {', '.join(f'{name} {np.shape(values)}' for name, values in self.items())}>"

    def _repr_html_(self) -> str:
        return html.heading(self.title) + html.table(_ranges(self), ("field", "shape", "least", "largest"))


@dataclass(frozen=True)
class Filament:
    """The sites that carry the filament in one snapshot: (M, 3) positions in nm, (M,) potentials in V, (M,) K."""

    label: str
    positions_nm: np.ndarray
    potential_V: np.ndarray
    temperature_K: np.ndarray
    draw: Callable[[], Figure] | None = field(default=None, repr=False, compare=False)

    def plot(self) -> Figure:
        """The filament between its electrodes, a matplotlib Figure."""
        if self.draw is None:
            raise ResultsError("this filament has no picture of its own")
        return self.draw()

    def __repr__(self) -> str:
        return f"<Filament {self.label!r}: {len(self.positions_nm)} sites>"

    def _repr_html_(self) -> str:
        arrays = {name: getattr(self, name) for name in ("positions_nm", "potential_V", "temperature_K")}
        title = html.heading(f"filament, {self.label}", f"{len(self.positions_nm)} sites")
        return title + html.table(_ranges(arrays), ("array", "shape", "least", "largest"))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _ranges(arrays: dict[str, np.ndarray] | Fields) -> list[list[Any]]:
    """A row for each array: name, shape, least and largest value."""
    rows = []
    for name, values in arrays.items():
        known = np.asarray(values, dtype=float)
        known = known[np.isfinite(known)]
        ends = [float(known.min()), float(known.max())] if known.size else [None, None]
        rows.append([name, " × ".join(map(str, np.shape(values))) or "1", *ends])
    return rows
