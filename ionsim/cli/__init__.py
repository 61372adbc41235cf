"""The command line; every command is one call that a script can make as well."""

import sys

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
from ionsim.cli.console import complain
from ionsim.errors import expected_errors

app = typer.Typer(
    name="ionsim",
    help="Physics-based simulation of memristive devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (devices, runs, fit, compare, verify, bench, structure, mesh, compact, study, study_results, prebuild,
              report, view):
    group.register(app)


def main() -> None:
    """Entry point: what ionsim and its engines raise on purpose becomes one message and exit code 2."""
    try:
        app()
    except expected_errors() as error:
        complain(str(error))
        sys.exit(2)
