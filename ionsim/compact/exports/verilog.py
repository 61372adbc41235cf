"""Verilog-A: the model of a card, and the one with score terminals where the card has spread between cycles."""

from __future__ import annotations

from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.exports.circuits import card_model, cycles, note
from ionsim.compact.families import EKV
from ionsim.compact.render import verilog_a


def export(card: Card, folder: Path) -> list[Path]:
    """Write ``NAME.va``, and ``NAME_cycles.va``."""
    return write_models(card, folder, transistor=False)


def write_models(card: Card, folder: Path, transistor: bool) -> list[Path]:
    """The Verilog-A files that decks load, with the test transistor where one is needed."""
    models = [(card_model(card), note(card))]
    if found := cycles(card):
        left = "; ".join(f"{name}: {why}" for name, why in found[0].left_out.items())
        more = f" Terminals z take standard normal scores in V, one set a cycle.{f' Left out: {left}.' if left else ''}"
        models.append((found[0].model, note(card) + more))
    if transistor:
        models.append((EKV, "Test transistor, defaults. Written by ionsim."))
    files = []
    for model, words in models:
        files.append(folder / f"{model.name}.va")
        files[-1].write_text(verilog_a(model, words), encoding="utf-8")
    return files
