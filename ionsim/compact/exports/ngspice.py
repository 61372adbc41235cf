"""ngspice: decks with B-source subcircuits for any ngspice, and with compiled models for 44 and later.

``ngspice -b NAME_sweep.cir`` runs as it is. ``NAME_sweep_osdi.cir`` needs ``openvaf-r NAME.va`` once before.
"""

from __future__ import annotations

from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.circuits.decks import ngspice_deck
from ionsim.compact.exports.circuits import card_model, cycles, decks, note, titled
from ionsim.compact.exports.vacask import write_cells
from ionsim.compact.exports.verilog import write_models
from ionsim.compact.families import EKV
from ionsim.compact.render import ngspice_subcircuit


def export(card: Card, folder: Path, crossbar_size: int = 4) -> list[Path]:
    """Write the models in both forms, two decks a circuit, and the list of the drawn cells."""
    files = write_models(card, folder, transistor=True)
    every = decks(card, crossbar_size)
    models = [(card_model(card), note(card)), (EKV, "Test transistor, defaults. Written by ionsim.")]
    if found := cycles(card):
        every.append(found[1])
        models.append((found[0].model, note(card)))
    for model, words in models:
        files.append(folder / f"{model.name}.sub")
        files[-1].write_text(ngspice_subcircuit(model, words), encoding="utf-8")
    for deck in every:
        for osdi in (False, True):
            stem = f"{card.name}_{deck.name}{'_osdi' if osdi else ''}"
            files.append(folder / f"{stem}.cir")
            text = ngspice_deck(titled(card, deck), deck.analysis, raw=f"{stem}.raw", osdi=osdi)
            files[-1].write_text(text, encoding="utf-8")
    return files + write_cells(card, folder)
