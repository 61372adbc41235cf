"""``ionsim compact plot``: what a circuit simulator wrote, as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import say


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(plot)


def plot(
    raw: Annotated[Path, typer.Argument(metavar="FILE.raw", help="Binary raw file of VACASK or ngspice.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PNG", help="The picture; by default beside the raw file.")
    ] = None,
) -> None:
    """Draw voltages, currents, temperatures and states of a raw file, and the loop of its source."""
    from ionsim.plots.circuits import raw_figure
    from ionsim.plots.style import save

    target = out or raw.with_suffix(".png")
    save(raw_figure(raw), target)
    say(f"wrote {target}")
