"""The verification book: a page for each case, with figure, errors and orders, and a table of all of them.

A folder of HTML that needs no network: ``index.html``, and for each case ``<case>.html``, ``<case>.png`` (the figure)
and ``<case>.json`` (text, records, curves, versions). Pages are written from the JSON files as cases are finished, so a
book that was interrupted is a shorter book, and one case can be run anew.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from ionsim import verification
from ionsim.book.chapter import Chapter, read, store
from ionsim.book.pages import write_index, write_page
from ionsim.results.model import versions

__all__ = ["Chapter", "build", "render"]


def build(
    folder: Path | str, names: Iterable[str] | None = None, tell: Callable[[Chapter], None] | None = None
) -> list[Chapter]:
    """Run the named cases (all by default) and write their pages and the index; returns what they gave, in order.

    Pages of other cases that the folder holds stay in the index. ``tell`` is called after each case. Raises
    :class:`ionsim.errors.IonsimError` for an unknown case and where the folder cannot be written.
    """
    where = Path(folder)
    chosen = verification.chosen(names)
    where.mkdir(parents=True, exist_ok=True)
    found = []
    for name, function in chosen.items():
        outcome = verification.examine(function)
        chapter = Chapter.of(
            name, function, outcome, {**versions(), "machine": f"{platform.system()} {platform.machine()}"},
            datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        store(chapter, where)
        write_page(chapter, where)
        found.append(chapter)
        if tell is not None:
            tell(chapter)
    write_index(read(where), where)
    return found


def render(folder: Path | str) -> list[Chapter]:
    """Draw and write all pages of a book anew from its JSON files, without running anything."""
    where = Path(folder)
    chapters = read(where)
    for chapter in chapters:
        write_page(chapter, where)
    write_index(chapters, where)
    return chapters
