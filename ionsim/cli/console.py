"""Printing for the command line: one process speaks, also under ``mpiexec``."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

#: Set by the process managers of MPICH, Slurm and Open MPI for every rank.
_RANK_VARIABLES = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")
#: Width in characters of tables that do not go to a terminal, so that a file or pipe gets unbroken lines.
_PIPE_WIDTH = 160


def is_root() -> bool:
    """Whether this process is rank 0 (or the only one).

    Reads the environment, since importing MPI to ask would cost every short command its start-up time.
    """
    return all(os.environ.get(variable, "0") == "0" for variable in _RANK_VARIABLES)


def say(text: str = "") -> None:
    """Print a line to standard output, on rank 0."""
    if is_root():
        typer.echo(text)


def complain(text: str) -> None:
    """Print an error message to standard error, on rank 0."""
    if is_root():
        typer.echo(f"ionsim: error: {text}", err=True)


def show(table: "Table") -> None:
    """Print a table to standard output, on rank 0."""
    if is_root():
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def pairs(values: Mapping[str, Any]) -> None:
    """Print keys and values in two columns; an absent value is a dash."""
    width = max(map(len, values), default=0)
    for key, value in values.items():
        say(f"  {key:<{width}}  {number_text(value)}")


def number_text(value: Any) -> str:
    """A number in six significant digits, a pair in brackets, a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(number_text(item) for item in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
