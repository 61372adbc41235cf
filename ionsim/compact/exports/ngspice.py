"""ngspice: decks with B-source subcircuits for any ngspice, and with compiled models for 44 and later.

``ngspice -b NAME_sweep.cir`` runs as it is. ``NAME_sweep_osdi.cir`` needs ``openvaf-r NAME.va`` once before.
"""

from __future__ import annotations

from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.circuits.decks import ngspice_deck
from ionsim.compact.exports.array import Array
from ionsim.compact.exports.circuits import all_decks, models, titled
from ionsim.compact.exports.vacask import write_cells
from ionsim.compact.exports.verilog import write_models
from ionsim.compact.render import ngspice_subcircuit


def export(card: Card, folder: Path, array: Array | None = None) -> list[Path]:
    """Write the models in both forms, two decks a circuit, and the list of the drawn cells."""
    every = all_decks(card, array)
    files = write_models(card, folder, every)
    for model, words in models(card, every):
        files.append(folder / f"{model.name}.sub")
        files[-1].write_text(ngspice_subcircuit(model, words), encoding="utf-8")
    for deck in every:
        for osdi in (False, True):
            stem = f"{card.name}_{deck.name}{'_osdi' if osdi else ''}"
            files.append(folder / f"{stem}.cir")
            text = ngspice_deck(titled(card, deck), deck.analysis, raw=f"{stem}.raw", osdi=osdi)
            files[-1].write_text(text, encoding="utf-8")
    return files + write_cells(card, folder)
