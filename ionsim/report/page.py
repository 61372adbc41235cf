"""From sections to one file of HTML with everything in it: template, style, scripts and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ionsim.errors import ResultsError
from ionsim.report.figures import Figure, to_json
from ionsim.results.atomic import write_text
from ionsim.results.model import versions

_TEMPLATES = Path(__file__).parent / "templates"


def write_page(template: str, path: Path, figures: Mapping[str, Figure | str | None], **parts: Any) -> Path:
    """Fill a template and write the page in one step.

    ``figures``: by the name under which the template asks for them; a text stands where there is nothing to draw, None
    leaves the place out. Raises ResultsError where plotly is not installed or the disk refuses.
    """
    drawn = {name: figure for name, figure in figures.items() if isinstance(figure, Figure)}
    data = {name: {"kind": figure.kind, **figure.content} for name, figure in drawn.items()}
    text = _environment().get_template(template).render(
        figures=figures, data=to_json(data), plotly=_plotly() if data else "", script=_read("report.js"),
        style=_read("report.css"), made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), now=versions(), **parts,
    )  # fmt: skip
    if not path.parent.is_dir():
        raise ResultsError(f"{path}: cannot be written (there is no folder {path.parent})")
    write_text(path, text)
    return path


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    found = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    found.tests["drawn"] = lambda value: isinstance(value, Figure)
    found.undefined = jinja2.StrictUndefined
    return found


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """The script of plotly.js as the Python package carries it."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ResultsError('a report needs plotly: pip install "ionsim[report]"') from None
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def sections(titles: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Anchors and titles of a page's table of contents."""
    return [{"anchor": anchor, "title": title} for anchor, title in titles]
