"""Commands on compact models: ``ionsim compact ...``."""

import typer

from ionsim.cli import compact_export

compact = typer.Typer(help="Compact models out of the physics: cards, and what circuit simulators take.",
                      no_args_is_help=True)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the group of this module."""
    compact_export.register(compact)
    app.add_typer(compact, name="compact")
