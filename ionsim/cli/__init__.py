"""The command line; every command is one call that a script can make as well."""

import sys
from typing import Annotated

import typer

from ionsim.cli import (
    bench,
    compact,
    compare,
    devices,
    fit,
    mesh,
    prebuild,
    report,
    runs,
    structure,
    study,
    study_results,
    verify,
    view,
)  # fmt: skip
from ionsim.cli.console import complain, say
from ionsim.errors import expected_errors

app = typer.Typer(
    name="ionsim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (devices, runs, fit, compare, verify, bench, structure, mesh, compact, study, study_results, prebuild,
              report, view):
    group.register(app)


def _version(asked: bool) -> None:
    if asked:
        from ionsim import __version__

        say(f"ionsim {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Physics-based simulation of memristive devices."""


def main() -> None:
    """Entry point: what ionsim and its engines raise on purpose becomes one message and exit code 2."""
    try:
        app()
    except expected_errors() as error:
        complain(str(error))
        sys.exit(2)
