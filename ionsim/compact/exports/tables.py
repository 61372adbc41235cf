"""CSV: the tables of a card for spreadsheets: parameters, errors, pulses, retention, benchmark, samples."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.statistics import sample

#: Cells and cycles that ``samples.csv`` holds, and its seed.
N_DEVICES, N_CYCLES, SEED = 100, 10, 1


def export(card: Card, folder: Path) -> list[Path]:
    """Write ``NAME_<table>.csv`` for every table that the card has."""
    written: list[Path] = []

    def table(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        content = list(rows)
        if not content:
            return
        path = folder / f"{card.name}_{name}.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([["" if cell is None else cell for cell in row] for row in content])
        written.append(path)

    table("parameters", ("name", "value", "unit", "standard_error", "source"),
          [(name, p.value, p.unit, p.standard_error, p.source) for name, p in card.parameters.items()])  # fmt: skip
    table("errors", ("check", "condition", "held_out", "value", "limit", "unit", "passed"),
          [(e.check, e.condition, e.held_out, e.value, e.limit, e.unit, e.passed) for e in card.errors])  # fmt: skip
    table("pulses", ("direction", "amplitude", "amplitude_unit", "width_s", "device", "cycle", "pulse", "conductance_S"),
          [(t.direction, t.amplitude, t.amplitude_unit, t.width_s, t.device, t.cycle, n, g)
           for t in card.pulses for n, g in enumerate(t.conductances_S)])  # fmt: skip
    table("retention", ("temperature_K", "device", "time_s", "conductance_S"),
          [(t.temperature_K, t.device, time, g) for t in card.retention
           for time, g in zip(t.times_s, t.conductances_S, strict=True)])  # fmt: skip
    table("benchmark", ("metric", "value", "unit", "low", "high", "note"),
          [(name, m.value, m.unit, *(m.interval or (None, None)), m.note) for name, m in card.benchmark.items()])  # fmt: skip
    for name, statistics in (("samples", card.statistics), ("observed_samples", card.observed)):
        if statistics is not None:
            drawn = sample(statistics, N_DEVICES, N_CYCLES, SEED)
            table(name, ("device", "cycle", *statistics.names),
                  [(d, c, *drawn[d, c].tolist()) for d in range(N_DEVICES) for c in range(N_CYCLES)])  # fmt: skip
    return written
