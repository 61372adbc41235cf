"""Mesh studies: observed order of convergence, Richardson extrapolation, and the grid-convergence index.

Celik, Ghia, Roache, Freitas, Coleman, Raad, J. Fluids Eng. 130, 078001 (2008), 10.1115/1.2960953 (the procedure for
three meshes of any ratio); Roache, J. Fluids Eng. 116, 405 (1994), 10.1115/1.2910291 (index and factor of safety;
3 instead of 1.25 where the observed order is no reasonable one); Oberkampf and Roy, Verification and Validation in
Scientific Computing, Cambridge 2010, section 8.7 (reasonable: within 10 % of the formal order, or below it);
Stern, Wilson, Coleman, Paterson, J. Fluids Eng. 123, 793 (2001), 10.1115/1.1412235 (half the range of what oscillates).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scipy.optimize import brentq

from ionsim.errors import ResultsError, StudyError
from ionsim.results.atomic import write_text
from ionsim.study.answers import Answer, answers
from ionsim.study.plan import Plan
from ionsim.study.table import Columns, csv_text

CONVERGENCE_FILE = "convergence.csv"

#: Factor of safety of the index (Celik 2008, eq. 7), and where the observed order is too high to be true.
SAFETY, DOUBTFUL_SAFETY = 1.25, 3.0
#: Order of linear elements in integral quantities, and by how much an observed one may exceed it.
FORMAL_ORDER = 2.0
_EXCESS = 1.1
#: Differences below this share of the values are rounding.
_ROUNDING = 1e-13
#: Orders that are looked for: at the lower end nothing converges, the upper end is no order of anything.
_LOWEST, _HIGHEST = 1e-3, 60.0

Verdict = Literal[
    "monotonic", "oscillatory", "not converging", "oscillating, not converging", "no change", "fine meshes agree",
    "too few meshes",
]  # fmt: skip


@dataclass(frozen=True)
class Convergence:
    """Three meshes, finest first: sizes h and values, and what they say of the limit h -> 0.

    ``order``: p of value = limit + C h^p, monotonic, or with an error that changes its sign from mesh to mesh
    (oscillatory; Celik 2008, eq. 3 with s = -1). ``extrapolated``: Richardson's limit, of monotonic convergence only.
    ``uncertainty``: grid-convergence index of the finest mesh times its value, so a band in the unit of the observable;
    ``gci``: as a share of the value, None where that is 0. What a verdict does not support is None.
    """

    sizes: tuple[float, float, float]
    values: tuple[float, float, float]
    verdict: Verdict
    order: float | None = None
    extrapolated: float | None = None
    uncertainty: float | None = None

    @property
    def gci(self) -> float | None:
        """Grid-convergence index of the finest mesh, a share of its value."""
        finest = abs(self.values[0])
        return None if self.uncertainty is None or finest == 0.0 else self.uncertainty / finest


def converge(sizes: Sequence[float], values: Sequence[float], formal_order: float = FORMAL_ORDER) -> Convergence:
    """Judge three meshes: sizes h (any order, all different, > 0) and the value found on each.

    The order solves Celik's eq. 3, e32 / e21 = r21^p (r32^p - s) / (r21^p - s). His fixed-point iteration of it does
    not converge where r32 > r21^2, and its absolute value turns divergence into an order; here the root is bracketed,
    and a ratio of differences that no p > 0 gives is called "not converging". The index uses the observed order up to
    ``formal_order``. One that is more than a tenth above it is an accident of meshes outside of the asymptotic range;
    the factor of safety is 3 then.

    Raises:
        ValueError: unless there are three different positive sizes and three finite values.
    """
    if len(sizes) != 3 or len(values) != 3 or len(set(sizes)) != 3 or min(sizes) <= 0.0:
        raise ValueError("needs three meshes of different sizes > 0 and a value for each")
    if not all(map(math.isfinite, (*sizes, *values))):
        raise ValueError("needs finite sizes and values")
    (h1, f1), (h2, f2), (h3, f3) = sorted(zip(sizes, values, strict=True))
    three, found = (h1, h2, h3), (f1, f2, f3)
    fine, coarse = f2 - f1, f3 - f2
    rounding = _ROUNDING * max(abs(f1), abs(f2), abs(f3))
    if abs(fine) <= rounding:
        if abs(coarse) <= rounding:
            return Convergence(three, found, "no change", uncertainty=0.0)
        return Convergence(three, found, "fine meshes agree")
    r21, r32 = h2 / h1, h3 / h2
    half_range = 0.5 * (max(found) - min(found))
    monotonic = coarse / fine > 0.0
    order = _order(abs(coarse / fine), r21, r32, 1.0 if monotonic else -1.0)
    if order is None:
        if monotonic:
            return Convergence(three, found, "not converging")
        return Convergence(three, found, "oscillating, not converging")
    safety = SAFETY if order <= _EXCESS * formal_order else DOUBTFUL_SAFETY
    index = safety * abs(fine) / (r21 ** min(order, formal_order) - 1.0)
    if not monotonic:
        return Convergence(three, found, "oscillatory", order, uncertainty=max(index, half_range))
    limit = f1 - fine / (r21**order - 1.0)
    return Convergence(three, found, "monotonic", order, limit, index)


def _order(ratio: float, r21: float, r32: float, sign: float) -> float | None:
    """p > 0 with r21^p (r32^p - s) / (r21^p - s) = ratio; None where there is none. The left side grows with p."""
    target = math.log(ratio)

    def excess(p: float) -> float:  # in logarithms, where r^p cancels and nothing overflows
        return p * math.log(r32) + math.log1p(-sign * r32**-p) - math.log1p(-sign * r21**-p) - target

    if excess(_LOWEST) >= 0.0 or excess(_HIGHEST) <= 0.0:
        return None
    return float(brentq(excess, _LOWEST, _HIGHEST, xtol=1e-13, rtol=1e-14))


@dataclass(frozen=True)
class Row:
    """Three neighbouring meshes of one observable: ``inputs`` are the parameters that do not belong to the mesh."""

    observable: str
    model: str | None
    inputs: dict[str, Any]
    found: Convergence | None
    note: str

    @property
    def verdict(self) -> Verdict:
        """What the meshes say."""
        return "too few meshes" if self.found is None else self.found.verdict


def mesh_rows(plan: Plan, table: Columns, names: Sequence[str]) -> list[Row]:
    """All threes of neighbouring meshes of a mesh study, coarsest first, by observable and by all other inputs.

    Meshes that failed or are not run are left out, and the note of the row says so.

    Raises:
        StudyError: when the study does not say which parameter is the size of its meshes.
    """
    mesh = plan.study.mesh
    if not mesh:
        raise StudyError(f'{plan.origin}: no mesh study; mesh = ["KEY"] names the parameter that is the mesh size')
    rows: list[Row] = []
    for name in names:
        groups: dict[str, list[Answer]] = {}
        for answer in answers(plan, table, name):
            others = {key: value for key, value in answer.inputs.items() if key not in mesh}
            groups.setdefault(repr((answer.model, others)), []).append(answer)
        for group in groups.values():
            rows += _of_group(name, group, mesh, plan.study.mesh_counts)
    return rows


def _of_group(name: str, group: Sequence[Answer], mesh: Sequence[str], counts: bool) -> list[Row]:
    size = mesh[0]

    def size_of(answer: Answer) -> float:
        given = float(answer.inputs[size])
        return 1.0 / given if counts else given

    model = group[0].model
    inputs = {key: value for key, value in group[0].inputs.items() if key not in mesh}
    missing = [f"{size} = {answer.inputs[size]:g} {answer.problem}" for answer in group if answer.problem]
    note = f"left out: {'; '.join(missing)}" if missing else ""
    there = sorted((size_of(answer), answer.mean) for answer in group if answer.mean is not None)
    if len(there) < 3:
        return [Row(name, model, inputs, None, "; ".join(filter(None, (f"{len(there)} of 3", note))))]
    threes = [there[first : first + 3] for first in range(len(there) - 2)][::-1]
    found = [converge([h for h, _ in three], [value for _, value in three if value is not None]) for three in threes]
    return [Row(name, model, inputs, each, "; ".join(filter(None, (_remark(each), note)))) for each in found]


def _remark(found: Convergence) -> str:
    if found.order is not None and found.order > _EXCESS * FORMAL_ORDER:
        return f"order above {FORMAL_ORDER:g}: index of order {FORMAL_ORDER:g}, factor of safety {DOUBTFUL_SAFETY:g}"
    return ""


def as_columns(rows: Sequence[Row]) -> Columns:
    """The rows as a table: inputs, observable, sizes and values (finest first), verdict and numbers; None is blank."""
    keys = list(dict.fromkeys(key for row in rows for key in row.inputs))
    table: Columns = {"observable": [row.observable for row in rows], "model": [row.model for row in rows]}
    table |= {key: [row.inputs.get(key) for row in rows] for key in keys}
    for index, which in enumerate(("fine", "medium", "coarse")):
        table[f"size_{which}"] = [None if row.found is None else row.found.sizes[index] for row in rows]
        table[f"value_{which}"] = [None if row.found is None else row.found.values[index] for row in rows]
    table["verdict"] = [row.verdict for row in rows]
    for key in ("order", "extrapolated", "uncertainty", "gci"):
        table[key] = [None if row.found is None else getattr(row.found, key) for row in rows]
    return table | {"note": [row.note for row in rows]}


def write_convergence(folder: Path, rows: Sequence[Row]) -> Path:
    """Write ``convergence.csv`` into a study's folder. StudyError where the disk refuses."""
    path = folder / CONVERGENCE_FILE
    try:
        write_text(path, csv_text(as_columns(rows)))
    except ResultsError as error:
        raise StudyError(str(error)) from error
    return path


def lines(rows: Sequence[Row]) -> list[str]:
    """The rows as a table of text, the finest meshes last within an observable."""
    head = ("observable", "meshes", "finest value", "verdict", "order", "extrapolated", "index", "")
    body = [head, *(_line(row) for row in rows)]
    widths = [max(len(cells[column]) for cells in body) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in body]


def _line(row: Row) -> tuple[str, ...]:
    where = ", ".join(filter(None, (row.model, *(f"{key} = {value}" for key, value in row.inputs.items()))))
    name = f"{row.observable} ({where})" if where else row.observable
    found = row.found
    if found is None:
        return (name, "", "", row.verdict, "", "", "", row.note)
    meshes = ", ".join(f"{size:g}" for size in found.sizes[::-1])
    order, limit = (_text(value, digits) for value, digits in ((found.order, 3), (found.extrapolated, 6)))
    index = "" if found.uncertainty is None else f"{found.uncertainty:.2g}"
    index += "" if found.gci is None else f" ({100.0 * found.gci:.2g} %)"
    return (name, meshes, f"{found.values[0]:.6g}", found.verdict, order, limit, index, row.note)


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def finest(rows: Sequence[Row]) -> list[Row]:
    """Of each observable and inputs the row with the finest meshes."""
    groups = itertools.groupby(rows, key=lambda row: (row.observable, row.model, repr(row.inputs)))
    return [list(group)[-1] for _, group in groups]
