"""Docstrings of this code have Sphinx's roles, such as :class:`~ionsim.Simulation`; in the site they become links."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`(~?)([\w.]+)`")


class Roles(griffe.Extension):
    """Rewrites roles and double backticks of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once for each object that has been read."""
        if obj.docstring is not None:
            obj.docstring.value = written(obj.docstring.value)


def written(text: str) -> str:
    """A docstring as Markdown; links whose target is on no page stay plain code."""
    text = re.sub(r"::\n\n(?= {4})", ":\n\n", text)
    text = _ROLE.sub(_link, text)
    return re.sub(r"``([^`\n]+)``", r"`\1`", text)


def _link(match: re.Match[str]) -> str:
    short, path = match.groups()
    name = path.rpartition(".")[2] if short else path
    return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'
