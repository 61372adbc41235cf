"""The command ``prebuild``: compile once what every process of a cluster would compile."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import say
from ionsim.errors import IonsimError


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(prebuild)


def prebuild(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE_OR_EXAMPLE]...", help="Devices that will run; else one example of each kind."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Folder for compiled code, shared by all nodes.")
    ] = None,
) -> None:
    """Compile kernels and finite-element forms into a cache, so that runs begin at once."""
    from ionsim.config import load

    for file in files or ():
        load(file)  # a slip is refused before anything is compiled
    if cache is not None:
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IonsimError(f"{cache}: cannot be made ({error})") from error
        # Numba and DOLFINx read these when they are imported, so nothing above may have done so.
        os.environ["NUMBA_CACHE_DIR"] = str(cache.absolute() / "numba")
        os.environ["XDG_CACHE_HOME"] = str(cache.absolute())
    from ionsim.simulation import prebuild as work

    work.prebuild(files or work.EXAMPLES, on_done=lambda name, seconds: say(f"{name}: {seconds:.0f} s"))
    if cache is not None:
        there = work.cache_in(cache)
        kernels, forms = there.count()
        say(f"{cache}: {kernels} kernels, {forms} forms; in the environment of every run (job scripts, shell):")
        for name, value in there.environment.items():
            say(f"export {name}={value}")
