"""The command ``report``: one page for a run or a study."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import is_root, say
from ionsim.cli.folders import need_run


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run, or of a study.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the page goes; else report.html in DIR.")
    ] = None,
) -> None:
    """Write one page (report.html) that shows all of a run or a study and needs no network."""
    from ionsim.report import report as write

    if is_root():
        need_run(folder, "report", study=True)
        path = write(folder, out)
        say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
