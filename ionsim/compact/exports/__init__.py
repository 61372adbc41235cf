"""Cards as files that other simulators take. ``export_card(card, format, folder)`` returns the files written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from ionsim.compact.card import Card, MissingDataError
from ionsim.compact.description import CompactError
from ionsim.compact.exports.array import Array
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

#: Formats with decks, among them one of an array.
OF_DECKS = ("ngspice", "vacask")

__all__ = ["FORMATS", "Array", "export_all", "export_card"]


def export_card(card: Card, format: str, folder: str | Path, array: Array | None = None) -> list[Path]:
    """Write a card in one format to a folder and return the files, in order of their names.

    ``array``: of the array among the decks for ngspice and VACASK.

    Raises MissingDataError for a card without the data that the format needs (pulse trains), CompactError for an
    unknown format, a selector for cells with a gate, and a folder that cannot be written. Nothing is left behind then.
    """
    _check(card, format, array)
    export: Callable[..., list[Path]] = import_module(f"ionsim.compact.exports.{FORMATS[format]}").export
    options = {"array": array} if format in OF_DECKS else {}
    if format in OF_TRAINS:
        from ionsim.compact.extraction.trains import with_trains

        card = with_trains(card)
    place = Path(folder)
    try:
        with tempfile.TemporaryDirectory(prefix="ionsim-export-") as name:
            written = sorted(export(card, Path(name), **options))
            place.mkdir(parents=True, exist_ok=True)
            return [Path(shutil.copyfile(path, place / path.name)) for path in written]
    except OSError as error:
        raise CompactError(f"{place}: cannot be written ({error})") from error


def _check(card: Card, format: str, array: Array | None) -> None:
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise CompactError(f"format = {format!r}: no such format{nearest(format, FORMATS)}; one of {known}")
    if format in OF_DECKS and array is not None:
        from ionsim.compact.exports.circuits import check_array

        check_array(card, array)


def export_all(
    card: Card, folder: str | Path, formats: Sequence[str] = tuple(FORMATS), array: Array | None = None
) -> tuple[dict[str, list[Path]], dict[str, str]]:
    """Write each format to ``folder``/FORMAT: files by format, and of formats without data why they were left out.

    Raises CompactError as ``export_card``, and for an ``array`` where no format has one.
    """
    for format in formats:
        _check(card, format, array)
    if array is not None and not set(formats) & set(OF_DECKS):
        raise CompactError(f"size, wire_ohm, selector: {', '.join(formats)} has no array; {', '.join(OF_DECKS)} have")
    files: dict[str, list[Path]] = {}
    left_out: dict[str, str] = {}
    for format in formats:
        try:
            files[format] = export_card(card, format, Path(folder) / format, array)
        except MissingDataError as error:
            left_out[format] = str(error)
    return files, left_out
