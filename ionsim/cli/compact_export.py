"""``ionsim compact export``: a card as files for other simulators."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import complain, say


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
    size: Annotated[
        int | None, typer.Option("--size", metavar="N", help="Rows and columns of the array's deck; 4 by default.")
    ] = None,
    wire_ohm: Annotated[
        float | None,
        typer.Option("--wire-ohm", metavar="R", help="Ohm of wire between neighbours there; 2 by default."),
    ] = None,
    selector: Annotated[
        str | None,
        typer.Option("--selector", metavar="NAME", help="A selector at every cell there: varistor or threshold."),
    ] = None,
) -> None:
    """Write a card for circuit simulators, aihwkit, CrossSim, NeuroSim, or as tables.

    Formats that the card has no data for are left out; exit code 2 where one of them was asked for.
    """
    from ionsim.compact.card import find_card, load_card
    from ionsim.compact.exports import FORMATS, Array, export_all

    loaded = load_card(find_card(card))
    asked = {"size": size, "wire_ohm": wire_ohm, "selector": selector}
    given = {name: value for name, value in asked.items() if value is not None}
    array = Array(**given) if given else None  # type: ignore[arg-type]  # each value has its own type
    folder = out or Path(loaded.name)
    written, left_out = export_all(loaded, folder, formats or tuple(FORMATS), array)
    for name, files in written.items():
        say(f"{folder / name}: {', '.join(path.name for path in files)}")
    if not left_out:
        return
    why = "; ".join(dict.fromkeys(left_out.values()))
    text = f"{', '.join(left_out)}: left out: {why}"
    if formats:
        complain(text)
        raise typer.Exit(2)
    say(text)
