"""Cards as files that other simulators take. ``export_card(card, format, folder)`` returns the files written."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ionsim.compact.card import Card
from ionsim.compact.description import CompactError
from ionsim.errors import nearest

#: Module of this package by format.
FORMATS = {
    "verilog-a": "verilog",
    "ngspice": "ngspice",
    "vacask": "vacask",
    "aihwkit": "aihwkit",
    "crosssim": "crosssim",
    "neurosim": "neurosim",
    "csv": "tables",
}

#: Formats that are made of pulse trains; where a card has none, its own model makes them, and the files say so.
OF_TRAINS = ("aihwkit", "crosssim", "neurosim")

__all__ = ["FORMATS", "export_card"]


def export_card(card: Card, format: str, folder: str | Path, crossbar_size: int = 4) -> list[Path]:
    """Write a card in one format to a folder and return the files, in order of their names.

    ``crossbar_size``: rows and columns of the crossbar among the decks for ngspice and VACASK.

    Raises CompactError for an unknown format, a card without the data that the format needs (pulse trains), and a
    folder that cannot be written.
    """
    if format not in FORMATS:
        raise CompactError(f"format {format!r}: no such format{nearest(format, FORMATS)}; one of {', '.join(FORMATS)}")
    if crossbar_size < 2:
        raise CompactError(f"crossbar_size = {crossbar_size}: needs 2 or more")
    export: Callable[..., list[Path]] = import_module(f"ionsim.compact.exports.{FORMATS[format]}").export
    options = {"crossbar_size": crossbar_size} if format in ("ngspice", "vacask") else {}
    if format in OF_TRAINS:
        from ionsim.compact.extraction.trains import with_trains

        card = with_trains(card)
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        return sorted(export(card, place, **options))
    except OSError as error:
        raise CompactError(f"{place}: cannot be written ({error})") from error
