"""The command ``verify``: cases with exact answers, their errors and limits."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionsim.cli.console import say, show

if TYPE_CHECKING:
    from ionsim.book import Chapter
    from ionsim.verification import Record


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)


def verify(
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="NAME", help="Only this case; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list of records.")] = False,
    book: Annotated[
        Path | None,
        typer.Option("--book", metavar="DIR", help="Write a page with a figure for each case, and an index, to DIR."),
    ] = None,
) -> None:
    """Run the cases with exact answers; the exit code is 1 when one fails."""
    from ionsim import verification

    if book is None:
        results = verification.run(case)
    else:
        from ionsim.book import build

        chapters = build(book, case, tell=None if as_json else _tell)
        results = {chapter.name: chapter.records for chapter in chapters}
    if as_json:
        say(json.dumps([_json(name, record) for name, records in results.items() for record in records], indent=2))
    else:
        _table(results)
        if book is not None:
            say(f"{book / 'index.html'}")
    if any(record.passed is False for records in results.values() for record in records):
        raise typer.Exit(1)


def _tell(chapter: "Chapter") -> None:
    """A line as soon as a case has its page."""
    say(f"{chapter.name:<30} {'pass' if chapter.passed else 'FAIL'} {chapter.wall_s:8.1f} s")


def _json(case: str, record: "Record") -> dict[str, Any]:
    """A record under the name ``case: record``; JSON has no nan, so such a value is null."""
    return {
        **record.as_dict(),
        "name": f"{case}: {record.name}",
        "value": record.value if math.isfinite(record.value) else None,
    }


def _table(results: Mapping[str, list["Record"]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("case", "record", "value", "limit", "passed")
    verdicts = {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("-")}
    for name, records in results.items():
        for record in records:
            limit = "-" if record.limit is None else f"{record.limit:.4g}"
            value = f"{record.value:.4g} {record.unit}".rstrip()
            table.add_row(Text(name), Text(record.name), value, limit, verdicts[record.passed])
    show(table)
