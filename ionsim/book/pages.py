"""Pages of the book: Jinja2 templates, formulas as SVG within the page, one PNG a case."""

from __future__ import annotations

import base64
import html
import re
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from ionsim.book.chapter import Chapter
from ionsim.plots import save
from ionsim.plots.verification import case_figure, formula_svg
from ionsim.results.atomic import write_text
from ionsim.verification import Record


def write_page(chapter: Chapter, folder: Path) -> None:
    """``<case>.html`` and, if the case drew anything, ``<case>.png``."""
    if chapter.panels:
        save(case_figure(chapter.panels), folder / f"{chapter.name}.png")
    page = _template("case.html.j2").render(
        chapter=chapter, exact=with_formulas(chapter.exact), rows=[_row(record) for record in chapter.records],
        file=chapter.module.replace(".", "/") + ".py",
    )  # fmt: skip
    write_text(folder / f"{chapter.name}.html", page)


def write_index(chapters: list[Chapter], folder: Path) -> None:
    """``index.html``: all cases by family."""
    families = [(name, list(group)) for name, group in groupby(chapters, key=lambda chapter: chapter.family)]
    page = _template("index.html.j2").render(
        families=families, cases=len(chapters), passed=sum(chapter.passed for chapter in chapters),
        checks=sum(chapter.checks for chapter in chapters), failures=sum(chapter.failures for chapter in chapters),
        minutes=sum(chapter.wall_s for chapter in chapters) / 60.0,
        versions=sorted({tuple(chapter.versions.items()) for chapter in chapters}),
        dates=sorted(chapter.when for chapter in chapters),
    )  # fmt: skip
    write_text(folder / "index.html", page)


def with_formulas(text: str) -> str:
    """HTML of a text whose formulas, between dollar signs, become pictures that say in words what they show."""
    return "".join(
        _formula(part) if number % 2 else html.escape(part) for number, part in enumerate(re.split(r"\$", text))
    )


@cache
def _formula(tex: str) -> str:
    svg, depth = formula_svg(f"${tex}$")
    picture = base64.b64encode(svg).decode()
    found = re.search(rb'<svg [^>]*?height="([\d.]+)pt"', svg)
    height = float(found[1]) if found else 12.0
    return (
        f'<img class="formula" alt="{html.escape(tex)}" style="height:{height:.1f}pt;vertical-align:{-depth:.1f}pt"'
        f' src="data:image/svg+xml;base64,{picture}">'
    )


def _row(record: Record) -> dict[str, str | float | None]:
    """A record as its table has it; ``share``: of the limit that is used up, for an error held below one."""
    below = record.limit is not None and record.passed is not None and abs(record.value) <= record.limit
    share = abs(record.value) / record.limit if below and record.limit else None
    return {
        "name": record.name, "value": f"{record.value:.4g}", "unit": record.unit,
        "limit": "" if record.limit is None else f"{record.limit:.4g}",
        "mark": {True: "pass", False: "FAIL", None: ""}[record.passed],
        "share": None if share is None else 100.0 * share,
    }  # fmt: skip


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("ionsim.book"), undefined=StrictUndefined, autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)
