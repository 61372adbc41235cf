"""From the table of a study to its pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ionsim.errors import ResultsError, StudyError, nearest
from ionsim.plots import studies as draw
from ionsim.plots.style import save
from ionsim.study.answers import chosen
from ionsim.study.convergence import Row, mesh_rows
from ionsim.study.folder import StudyFolder
from ionsim.study.plan import Plan
from ionsim.study.sensitivity import Sensitivity, sensitivity
from ionsim.study.table import Columns, columns

#: Observables that are drawn unless others are asked for; more make unreadable pictures.
_DRAWN = 6
#: Most values of a parameter by which distributions are split.
_LINES = 6


def table_of(folder: StudyFolder) -> Columns:
    """The table of a study as its records have it now."""
    study = folder.plan.study
    return columns(folder.records(), study.columns, study.observables)


def drawn(plan: Plan, table: Columns, wanted: Sequence[str]) -> list[str]:
    """The observables that pictures show: the wanted ones, else those that vary, the first six of them."""
    names = chosen(plan, table, wanted)
    if wanted:
        return names
    varying = [name for name in names if len({value for value in table[name] if value is not None}) > 1]
    return (varying or names)[:_DRAWN]


def runs_of(plan: Plan, table: Columns, names: Sequence[str]) -> draw.Runs:
    """The complete runs as columns."""
    rows = [row for row, status in enumerate(table["status"]) if status == "complete"]
    if not rows:
        raise StudyError("no run of the study is complete yet")
    inputs = {key: [table[key][row] for row in rows] for key in plan.study.columns}
    varying = {key: values for key, values in inputs.items() if len(set(map(repr, values))) > 1}
    found = {
        name: np.array([np.nan if table[name][row] is None else table[name][row] for row in rows], dtype=np.float64)
        for name in names
    }
    return draw.Runs(varying, found, [table["model"][row] or "" for row in rows], plan.n_runs - len(rows))


def split_by(plan: Plan, runs: draw.Runs, wanted: str | None) -> str | None:
    """The parameter whose values are lines of a distribution: the wanted one, else the first with few values."""
    if wanted is not None and wanted not in runs.inputs:
        raise StudyError(f"--by {wanted}: no parameter that varies in the study{nearest(wanted, runs.inputs)}")
    few = (key for key, values in runs.inputs.items() if len(set(map(repr, values))) <= _LINES)
    return wanted or next(few, None)


def plot_study(folder: StudyFolder, observables: Sequence[str] = (), by: str | None = None) -> list[Path]:
    """Draw a study into its folder: main effects, pairs, distributions; meshes and Sobol indices where it has them.

    Raises:
        StudyError: when no run is complete, for an unknown observable, or where the disk refuses.
    """
    plan, table = folder.plan, table_of(folder)
    names = drawn(plan, table, observables)
    runs = runs_of(plan, table, names)
    line = split_by(plan, runs, by)
    figures = {}
    if runs.inputs:
        figures["effects.png"] = draw.effects_figure(runs)
        figures["pairs.png"] = draw.pairs_figure(runs)
    figures["distributions.png"] = draw.distributions_figure(runs, line)
    if plan.study.mesh:
        lines = mesh_lines(mesh_rows(plan, table, names))
        if lines:
            size = "1 / " * plan.study.mesh_counts + plan.study.mesh[0]
            figures["convergence.png"] = draw.convergence_figure(lines, size)
    if plan.study.design == "saltelli":
        found = [each for name in names for each in _indices(plan, table, name)]
        if found:
            figures["sobol.png"] = draw.sensitivity_figure([bars(each) for each in found])
    try:
        return [save(figure, folder.path / name) for name, figure in figures.items()]
    except ResultsError as error:
        raise StudyError(str(error)) from error


def _indices(plan: Plan, table: Columns, name: str) -> list[Sensitivity]:
    try:
        return sensitivity(plan, table, name)
    except StudyError:  # too few samples yet, or no variance: study-sensitivity says which
        return []


def mesh_lines(rows: Sequence[Row]) -> list[draw.MeshLine]:
    """A line for each observable and other inputs, over all its meshes."""
    found = []
    for _, each in itertools.groupby(rows, key=lambda row: (row.observable, row.model, repr(row.inputs))):
        group = [row for row in each if row.found is not None]
        if not group:
            continue
        threes = [row.found for row in group if row.found is not None]
        points = {size: value for three in threes for size, value in zip(three.sizes, three.values, strict=True)}
        last = group[-1]
        assert last.found is not None
        label = ", ".join(filter(None, (last.model, *(f"{key} = {value}" for key, value in last.inputs.items()))))
        size = np.array(sorted(points))
        found.append(draw.MeshLine(
            last.observable, label, size, np.array([points[h] for h in size.tolist()]), last.verdict,
            last.found.order, last.found.extrapolated, last.found.uncertainty,
        ))  # fmt: skip
    return found


def bars(found: Sensitivity) -> draw.Bars:
    """Indices as a picture has them."""
    left = f" ({found.n_samples - found.n_used} base samples left out)" if found.n_used < found.n_samples else ""
    return draw.Bars(
        " ".join(filter(None, (found.observable, found.model))) + left, [each.parameter for each in found.indices],
        np.array([each.first for each in found.indices]), np.array([each.first_interval for each in found.indices]),
        np.array([each.total for each in found.indices]), np.array([each.total_interval for each in found.indices]),
    )  # fmt: skip
