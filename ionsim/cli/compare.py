"""The command that lays two models of a device side by side: ``compare``."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import say
from ionsim.cli.devices import FileArgument, SetOption
from ionsim.cli.runs import seeds_of


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(compare)


def compare(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the runs and the report.")],
    seeds: Annotated[str, typer.Option(metavar="LIST", help="Seeds of the lattice such as 1-5 or 1,4,7-9.")] = "1-5",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one per usable core.")] = None,
    changes: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run again what is finished in DIR.")] = False,
) -> None:
    """Lay the lattice of a VCM device beside its continuum: currents, vacancies and temperatures passed across."""
    from ionsim.config import load

    device, numbers = load(file, changes or ()), seeds_of(seeds)
    from ionsim.analysis.vcm_compare import checked
    from ionsim.analysis.vcm_compare import compare as run_comparison
    from ionsim.analysis.vcm_report import as_text, write_report

    report = run_comparison(checked(device), numbers, out, workers=workers, force=force, say=say)
    paths = write_report(report, out)
    say(as_text(report).split("![")[0])
    say(f"wrote {out} ({', '.join(path.name for path in paths)})")
