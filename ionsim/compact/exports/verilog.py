"""Verilog-A: the model of a card, and the one with score terminals where the card has spread between cycles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.exports.circuits import Deck, models
from ionsim.compact.render import verilog_a


def export(card: Card, folder: Path) -> list[Path]:
    """Write ``NAME.va``, and ``NAME_cycles.va``."""
    return write_models(card, folder)


def write_models(card: Card, folder: Path, decks: Sequence[Deck] = ()) -> list[Path]:
    """The Verilog-A files of a card, and of what else its decks load (transistor, selector)."""
    files = []
    for model, words in models(card, decks):
        files.append(folder / f"{model.name}.va")
        files[-1].write_text(verilog_a(model, words), encoding="utf-8")
    return files
