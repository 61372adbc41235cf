"""VACASK: the model and decks ready to run, ``vacask NAME_sweep.sim``; VACASK compiles the model on the way."""

from __future__ import annotations

import csv
from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.circuits.decks import vacask_deck
from ionsim.compact.exports.array import Array
from ionsim.compact.exports.circuits import SEED, all_decks, cell_instances, titled
from ionsim.compact.exports.verilog import write_models


def export(card: Card, folder: Path, array: Array | None = None) -> list[Path]:
    """Write the models, one deck a circuit, and the list of the drawn cells; results go to ``NAME_<deck>.raw``."""
    every = all_decks(card, array)
    files = write_models(card, folder, every)
    for deck in every:
        stem = f"{card.name}_{deck.name}"
        files.append(folder / f"{stem}.sim")
        files[-1].write_text(vacask_deck(titled(card, deck), deck.analysis, raw=stem, ending="va"), encoding="utf-8")
    return files + write_cells(card, folder)


def write_cells(card: Card, folder: Path) -> list[Path]:
    """The parameters of the Monte Carlo deck's cells as ``NAME_cells.csv``; nothing without statistics."""
    cells = cell_instances(card)
    if not cells:
        return []
    path = folder / f"{card.name}_cells.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("cell", "seed", *cells[0]))
        writer.writerows([(f"c{i}", SEED, *map(repr, cell.values())) for i, cell in enumerate(cells)])
    return [path]
