"""Time series of species and events."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.observers.cadence import Cadence
from kmc.observers.files import Existing, start_file
from kmc.observers.observer import Observed, Observer
from kmc.process import hint


class Counts(Observer):
    """Numbers of particles by species and of events by process, against time.

    Args:
        cadence: when to look.
        path: a CSV file that gets the same rows as they come, each written out at once; none by default. Its columns:
            ``time_s``, ``n_events``, ``number:<species>``..., ``count:<process>``...
        existing: what to do when the file is there: "refuse", "replace" or "append".
    """

    def __init__(self, cadence: Cadence, path: str | Path | None = None, *, existing: Existing = "refuse") -> None:
        super().__init__(cadence)
        self.path = None if path is None else start_file(path, existing)
        self._species: tuple[str, ...] = ()
        self._processes: tuple[str, ...] = ()
        self._rows: list[list[float]] = []

    def look(self, engine: Observed) -> None:
        """Add a row."""
        counts = engine.counts
        if not self._rows:
            self._species, self._processes = engine.model.species, tuple(counts)
            self._begin()
        number = np.bincount(engine.occupation, minlength=len(self._species)).tolist()
        row = [engine.time_s, engine.n_events, *number, *(counts[name] for name in self._processes)]
        self._rows.append(row)
        if self.path is not None:
            self._write(row)

    @property
    def time_s(self) -> NDArray[np.float64]:
        """(T,) times, s."""
        return np.array([row[0] for row in self._rows], dtype=float)

    @property
    def n_events(self) -> NDArray[np.int64]:
        """(T,) events executed."""
        return np.array([row[1] for row in self._rows], dtype=np.int64)

    def number(self, species: str) -> NDArray[np.int64]:
        """(T,) sites that hold a species."""
        return self._column(2, self._species, "species", species)

    def count(self, process: str) -> NDArray[np.int64]:
        """(T,) events of a process since the start of the engine; reverses go by their own name."""
        return self._column(2 + len(self._species), self._processes, "process", process)

    def _column(self, offset: int, names: tuple[str, ...], what: str, name: str) -> NDArray[np.int64]:
        if name not in names:
            raise KmcError(f"no {what} is called {name!r}; known are {hint(name, names)}")
        return np.array([row[offset + names.index(name)] for row in self._rows], dtype=np.int64)

    def _begin(self) -> None:
        """Write the header, or compare it with that of a file that is gone on with."""
        if self.path is None:
            return
        number = [f"number:{name}" for name in self._species]
        header = ["time_s", "n_events", *number, *(f"count:{name}" for name in self._processes)]
        if not self.path.exists() or self.path.stat().st_size == 0:
            self._write(header)
            return
        with open(self.path, newline="", encoding="utf-8") as file:
            found = next(csv.reader(file))
        if found != header:
            raise KmcError(f"{self.path}: its columns are {found}, those of the engine {header}")

    def _write(self, row: list[Any]) -> None:
        assert self.path is not None
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)
