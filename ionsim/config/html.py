"""Small pieces of HTML with which objects show themselves in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

#: Numbers in tables: digits that matter to a reader.
_DIGITS = 5


def text_of(value: Any) -> str:
    """A value as a reader wants it: numbers in few digits, a dash for None, at most so much of a long text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text_of(item) for item in value) + "]"
    return str(value)


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested tables; entries of a list of tables go by their names."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                yield from flat(item, f"{prefix}{key}.{item.get('name', number)}.")
        else:
            yield f"{prefix}{key}", value


def table(rows: Iterable[Sequence[Any]], header: Sequence[str] = ()) -> str:
    """An HTML table; everything is escaped."""
    style = "text-align:left;padding:2px 10px;max-width:48em"
    head = "".join(f"<th style='{style}'>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td style='{style}'>{escape(text_of(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table style='font-size:90%'>{top}<tbody>{body}</tbody></table>"


def heading(title: str, detail: str = "") -> str:
    """A line in bold with what it is."""
    return f"<div><b>{escape(title)}</b> {escape(detail)}</div>"


def folded(title: str, content: str, opened: bool = False) -> str:
    """Content that opens with a click on its title."""
    return f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{content}</details>"


def picture(png: bytes) -> str:
    """A picture within the page."""
    return f"<img style='max-width:640px' src='data:image/png;base64,{base64.b64encode(png).decode('ascii')}'>"
