"""Docstrings of this code have Sphinx's roles, such as :class:`~ionsim.Simulation`; in the site they become links."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`(~?)([\w.]+)`")


class Roles(griffe.Extension):
    """Rewrites roles and double backticks of every docstring; takes ``#:`` comments as those of attributes."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once for each object that has been read."""
        if obj.docstring is None and obj.is_attribute and (text := _comment_above(obj)):
            obj.docstring = griffe.Docstring(text, parent=obj)
        if obj.docstring is not None:
            obj.docstring.value = written(obj.docstring.value)


def _comment_above(obj: griffe.Object) -> str:
    """The comment that documents a constant: the lines above it that begin with ``#:``."""
    if obj.lineno is None or not isinstance(obj.filepath, Path):
        return ""
    above = obj.lines_collection[obj.filepath][: obj.lineno - 1]
    taken = list(takewhile(lambda line: line.lstrip().startswith("#:"), reversed(above)))
    return " ".join(line.strip().removeprefix("#:").strip() for line in reversed(taken))


def written(text: str) -> str:
    """A docstring as Markdown; links whose target is on no page stay plain code."""
    text = re.sub(r"::\n\n(?= {4})", ":\n\n", text)
    text = _ROLE.sub(_link, text)
    return re.sub(r"``([^`\n]+)``", r"`\1`", text)


def _link(match: re.Match[str]) -> str:
    short, path = match.groups()
    name = path.rpartition(".")[2] if short else path
    return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'
