"""The page of a study: its points, main effects, distributions, convergence, Sobol indices, and what failed."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from ionsim.errors import StudyError
from ionsim.plots.studies import Runs
from ionsim.report.drawing import device_figure
from ionsim.report.figures import Figure
from ionsim.report.page import write_page
from ionsim.report.parts import drawing_of
from ionsim.report.spread import spreads
from ionsim.report.studyfigures import (
    convergence_figure,
    distributions_figure,
    effects_figure,
    explore_figure,
    sensitivity_figure,
)
from ionsim.report.texts import DASH, by_key, number, seconds
from ionsim.study import StudyFolder
from ionsim.study.convergence import Row, mesh_rows
from ionsim.study.pictures import drawn, runs_of, split_by, table_of
from ionsim.study.sensitivity import Sensitivity, sensitivity
from ionsim.study.table import Columns

#: Rows of the table of points that are shown; table.csv has all.
_MOST_ROWS = 400


def study_page(folder: StudyFolder, path: Path) -> Path:
    """Write the page of a study and return its path; a study without a complete run gives a page that says so."""
    plan, table = folder.plan, table_of(folder)
    status = Counter(table["status"])
    missing = plan.n_runs - len(table["status"])
    notes = []
    if missing:
        notes.append(f"{missing} of {plan.n_runs} runs have not been carried out yet; ionsim resume goes on.")
    if status["failed"]:
        notes.append(f"{status['failed']} of {plan.n_runs} runs failed; what they said is in the table of failed runs.")
    if status["stopped"]:
        notes.append(f"{status['stopped']} of {plan.n_runs} runs were stopped before their end.")
    runs, names = _complete(folder, table, notes)
    convergence = mesh_rows(plan, table, names) if plan.study.mesh and names else []
    indices = _indices(folder, table, names, notes)
    figures = _figures(folder, table, runs, convergence, indices)
    study = plan.study
    return write_page(
        "study.html.j2",
        path,
        figures,
        title=_name(plan.text) or folder.path.resolve().name,
        base=plan.base,
        notes=notes,
        plan=plan,
        study=study,
        facts=_facts(folder, status, missing),
        inputs=_inputs(table, study.columns),
        names=names,
        spread=spreads(runs) if runs is not None else [],
        rows=_rows(table, study.columns, names),
        left_out=max(0, len(table["status"]) - _MOST_ROWS),
        columns=study.columns,
        failed=_failed(table, study.columns),
        convergence=[_convergence_row(row) for row in convergence],
        indices=indices,
        number=number,
        versions=_versions(table),
        command="ionsim study study.toml --out DIR",
    )


def _complete(folder: StudyFolder, table: Columns, notes: list[str]) -> tuple[Runs | None, list[str]]:
    """The complete runs and the observables that the page shows; None where there is none."""
    try:
        names = drawn(folder.plan, table, ())
        return runs_of(folder.plan, table, names), names
    except StudyError as error:
        notes.append(f"There is nothing to draw: {error}.")
        return None, []


def _indices(folder: StudyFolder, table: Columns, names: list[str], notes: list[str]) -> list[Sensitivity]:
    """Sobol indices of the observables that have them; reasons why others have none go to the notes."""
    if folder.plan.study.design != "saltelli":
        return []
    found: list[Sensitivity] = []
    for name in names:
        try:
            found += sensitivity(folder.plan, table, name)
        except StudyError as error:
            notes.append(f"No Sobol indices: {error}.")
    return found


def _figures(
    folder: StudyFolder, table: Columns, runs: Runs | None, convergence: list[Row], indices: list[Sensitivity]
) -> dict[str, Figure | str | None]:
    figures: dict[str, Figure | str | None] = {"device": device_figure(drawing_of(folder.plan.base))}
    if runs is None:
        return figures | dict.fromkeys(("effects", "distributions", "explore", "convergence", "sobol"))
    line = split_by(folder.plan, runs, None)
    return figures | {
        "effects": effects_figure(runs) if runs.inputs else None,
        "distributions": distributions_figure(runs, line),
        "explore": explore_figure(table, folder.plan.study.columns, runs),
        "convergence": convergence_figure(convergence, folder.plan.study.mesh[0]) if convergence else None,
        "sobol": sensitivity_figure(indices) if indices else None,
    }


def _facts(folder: StudyFolder, status: Counter[str], missing: int) -> list[tuple[str, str]]:
    plan, study = folder.plan, folder.plan.study
    facts = [("design", study.design), ("runs", number(plan.n_runs)), ("complete", number(status["complete"]))]
    facts += [(name, number(status[name])) for name in ("failed", "stopped") if status[name]]
    if missing:
        facts.append(("not run", number(missing)))
    facts.append(("device", plan.base.name))
    facts.append(("parameters", number(len(study.columns))))
    return facts


def _name(text: str) -> str:
    name = tomllib.loads(text).get("name", "")
    return name if isinstance(name, str) else ""


def _inputs(table: Columns, keys: tuple[str, ...] | list[str]) -> list[tuple[str, str]]:
    """Each parameter and the values that it takes: all, or range and number."""
    rows = []
    for key in keys:
        values = list(dict.fromkeys(map(_cell, table[key])))
        numbers = [value for value in table[key] if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(values) > 12 and len(numbers) == len(table[key]):
            rows.append((key, f"{len(values)} values from {number(min(numbers))} to {number(max(numbers))}"))
        else:
            rows.append((key, ", ".join(values)))
    return rows


def _cell(value: Any) -> str:
    return DASH if value is None else number(value, 5)


def _rows(table: Columns, keys: Any, names: list[str]) -> list[dict[str, Any]]:
    """Rows of the table of points."""
    found = []
    for row in range(min(len(table["status"]), _MOST_ROWS)):
        wall = table["wall_time_s"][row]
        found.append(
            {
                "point": number(table["point"][row]),
                "seed": _cell(table["seed"][row]),
                "model": table["model"][row] or "",
                "status": table["status"][row],
                "inputs": [_cell(table[key][row]) for key in keys],
                "observables": [by_key(name, table[name][row]) for name in names],
                "wall": DASH if wall is None else seconds(float(wall)),
            }
        )
    return found


def _failed(table: Columns, keys: Any) -> list[dict[str, str]]:
    """Runs that failed or were stopped, with what they said."""
    return [
        {
            "point": number(table["point"][row]),
            "seed": _cell(table["seed"][row]),
            "status": str(status),
            "inputs": ", ".join(f"{key} = {_cell(table[key][row])}" for key in keys),
            "error": table["error"][row] or DASH,
        }
        for row, status in enumerate(table["status"])
        if status != "complete"
    ]


def _convergence_row(row: Row) -> dict[str, str]:
    where = ", ".join(filter(None, (row.model, *(f"{key} = {value}" for key, value in row.inputs.items()))))
    found = row.found
    name = f"{row.observable} ({where})" if where else row.observable
    if found is None:
        return {
            "name": name,
            "meshes": DASH,
            "value": DASH,
            "verdict": row.verdict,
            "order": DASH,
            "limit": DASH,
            "index": DASH,
            "note": row.note,
        }
    index = DASH if found.uncertainty is None else number(found.uncertainty, 2)
    index += "" if found.gci is None else f" ({100.0 * found.gci:.2g} %)"
    return {
        "name": name,
        "meshes": ", ".join(f"{size:g}" for size in found.sizes[::-1]),
        "value": number(found.values[0], 6),
        "verdict": row.verdict,
        "order": number(found.order, 3),
        "limit": number(found.extrapolated, 6),
        "index": index,
        "note": row.note,
    }


def _versions(table: Columns) -> list[tuple[str, int]]:
    return Counter(text for text in table["versions"] if text).most_common()
