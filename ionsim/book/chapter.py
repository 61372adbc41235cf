"""What a page of the book says, as one JSON file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionsim.results.atomic import write_text
from ionsim.verification import FAMILIES, Case, Outcome, Panel, Record

#: Of the JSON file; a file of another format is left out of the index.
FORMAT = "ionsim verification 1"


@dataclass(frozen=True, eq=False)
class Chapter:
    """One case as it ran.

    Attributes:
        name, family, title, problem, exact, sources, module: of the case (:class:`ionsim.verification.Case`).
        records: what it measured; an infinite or undefined value is nan.
        panels: what it drew.
        wall_s: how long it took.
        versions: of the programs that took part.
        when: date and time (UTC, ISO 8601) at its end.
    """

    name: str
    family: str
    title: str
    problem: str
    exact: str
    sources: tuple[str, ...]
    module: str
    records: list[Record]
    panels: list[Panel]
    wall_s: float
    versions: dict[str, str]
    when: str

    @classmethod
    def of(cls, name: str, case: Any, outcome: Outcome, versions: dict[str, str], when: str) -> Chapter:
        """Of a case and what it gave; a bare function, as tests register, has no text but its name."""
        if isinstance(case, Case):
            text = (case.family, case.title, case.problem, case.exact, case.sources, case.module)
        else:
            text = (FAMILIES[0], name, "", "", (), "")
        return cls(name, *text, outcome.records, outcome.panels, outcome.wall_s, versions, when)

    @property
    def passed(self) -> bool:
        """No record failed, and at least one passed."""
        return not any(record.passed is False for record in self.records) and self.checks > 0

    @property
    def checks(self) -> int:
        """Records that are held to a limit."""
        return sum(record.passed is not None for record in self.records)

    @property
    def failures(self) -> int:
        """Records that failed."""
        return sum(record.passed is False for record in self.records)

    @property
    def orders(self) -> list[tuple[str, float, float]]:
        """(label, observed order, ideal) of all panels."""
        return [order for panel in self.panels for order in panel.orders]


def store(chapter: Chapter, folder: Path) -> None:
    """Write ``<case>.json``."""
    records = [{**r.as_dict(), "value": r.value if math.isfinite(r.value) else None} for r in chapter.records]
    content = {
        "format": FORMAT, **{key: getattr(chapter, key) for key in _TEXT}, "sources": list(chapter.sources),
        "records": records, "panels": [panel.as_dict() for panel in chapter.panels],
    }  # fmt: skip
    write_text(folder / f"{chapter.name}.json", json.dumps(content, indent=1))


def read(folder: Path) -> list[Chapter]:
    """All chapters of a folder, by family and name; files of other formats are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            continue
        records = [Record(**{**r, "value": math.nan if r["value"] is None else r["value"]}) for r in content["records"]]
        panels = [Panel.from_dict(panel) for panel in content["panels"]]
        found.append(Chapter(**{key: content[key] for key in _TEXT}, sources=tuple(content["sources"]),
                             records=records, panels=panels))  # fmt: skip
    return sorted(found, key=lambda chapter: (FAMILIES.index(chapter.family), chapter.name))


_TEXT = ("name", "family", "title", "problem", "exact", "module", "wall_s", "versions", "when")
