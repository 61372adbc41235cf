"""``ionsim compact export``: a card as files for other simulators."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import say


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(export)


def export(
    card: Annotated[str, typer.Argument(metavar="CARD", help="A card.json, or the name of a card that ships.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="verilog-a, ngspice, vacask, aihwkit, crosssim, neurosim or csv; repeatable. All by default.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder; by default the card's name.")
    ] = None,
    size: Annotated[int, typer.Option("--size", metavar="N", help="Rows and columns of the crossbar's deck.")] = 4,
) -> None:
    """Write a card for circuit simulators, aihwkit, CrossSim, NeuroSim, or as tables."""
    from ionsim.compact.card import find_card, load_card
    from ionsim.compact.description import CompactError
    from ionsim.compact.exports import FORMATS, export_card

    loaded = load_card(find_card(card))
    for name in formats or FORMATS:
        folder = (out or Path(loaded.name)) / name
        try:
            written = export_card(loaded, name, folder, crossbar_size=size)
        except CompactError as error:
            if formats:
                raise
            say(f"{name}: left out: {error}")  # of all formats, those that the card has no data for
            continue
        say(f"{folder}: {', '.join(path.name for path in written)}")
