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

    table(
        "parameters",
        ("name", "value", "unit", "standard_error", "source"),
        [(name, item.value, item.unit, item.standard_error, item.source) for name, item in card.parameters.items()],
    )
    error = ("check", "condition", "held_out", "value", "limit", "unit", "measured", "model", "passed")
    table("errors", error, [[getattr(row, key) for key in error] for row in card.errors])
    pulse = ("direction", "amplitude", "amplitude_unit", "width_s", "read_V", "device", "cycle")
    table(
        "pulses",
        (*pulse, "pulse", "conductance_S"),
        [
            (*(getattr(train, key) for key in pulse), number, g)
            for train in card.pulses
            for number, g in enumerate(train.conductances_S)
        ],
    )
    table(
        "retention",
        ("temperature_K", "device", "time_s", "conductance_S"),
        [
            (trace.temperature_K, trace.device, time, g)
            for trace in card.retention
            for time, g in zip(trace.times_s, trace.conductances_S, strict=True)
        ],
    )
    table(
        "benchmark",
        ("metric", "value", "unit", "low", "high", "note"),
        [
            (name, item.value, item.unit, *(item.interval or (None, None)), item.note)
            for name, item in card.benchmark.items()
        ],
    )
    for name, statistics in (("samples", card.statistics), ("observed_samples", card.observed)):
        if statistics is not None:
            drawn = sample(statistics, N_DEVICES, N_CYCLES, SEED)
            rows = [(d, c, *drawn[d, c].tolist()) for d in range(N_DEVICES) for c in range(N_CYCLES)]
            table(name, ("device", "cycle", *statistics.names), rows)
    return written
