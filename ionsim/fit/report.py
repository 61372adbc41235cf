"""What a fit leaves in its folder: ``fit.json``, ``fit.csv``, ``fitted.toml``; and the same as lines of text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ionsim.config import Device
from ionsim.errors import FitError, ResultsError
from ionsim.fit.intervals import LEVEL, Intervals
from ionsim.fit.measured import Measured
from ionsim.fit.objective import Point
from ionsim.fit.parameters import Parameter, changes
from ionsim.fit.search import Found
from ionsim.results.atomic import write_text

FIT_FILE, HISTORY_FILE, FITTED_FILE = "fit.json", "fit.csv", "fitted.toml"

#: Residuals that resemble their neighbours by more than this are no noise: the model misses something.
SYSTEMATIC = 0.5
#: Pairs of parameters that are named as hard to tell apart.
_ALIKE = 0.95
#: A profile that differs from the Jacobian by this factor is called nonlinear.
_BENT = 1.2


@dataclass(frozen=True)
class Fitted:
    """One parameter: its value, where the search began, and the 95 % interval ``low`` to ``high``.

    ``notes`` say in words what limits it: at the end of its range, not identifiable, and so on.
    """

    key: str
    start: float
    value: float
    low: float
    high: float
    range: tuple[float, float]
    scale: str
    identified: bool
    at_bound: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """A fit that has come to its end; ``rms`` are those of the residuals, in the mean over rows that say something."""

    parameters: tuple[Fitted, ...]
    correlation: tuple[tuple[float | None, ...], ...]
    rms_before: float
    rms_after: float
    noise_rms: float
    rows: int
    silent_rows: int
    autocorrelation: float | None
    message: str
    notes: tuple[str, ...]
    runs: int
    points: int
    run_wall_s: float
    seeds: tuple[int, ...]
    data: str
    data_sha256: str
    steps: tuple[float, ...]
    versions: dict[str, str]

    @property
    def values(self) -> dict[str, float]:
        """Key path -> fitted value."""
        return {item.key: item.value for item in self.parameters}


def describe(
    items: Sequence[Parameter], before: Point, found: Found, known: Intervals, data: Measured, *,
    seeds: Sequence[int], runs: int, points: int, run_wall_s: float, versions: dict[str, str],
    parts: Sequence[np.ndarray],
) -> Result:  # fmt: skip
    """The result of a fit from its parts; ``parts``: rows of the residuals by comparison, in order."""
    best = found.point
    values = changes(items, best.u)
    fitted = []
    for k, item in enumerate(items):
        low, high = item.value(known.low[k]), item.value(known.high[k])
        fitted.append(Fitted(
            item.key, item.start, values[item.key], low, high, (item.low, item.high), item.scale,
            bool(known.identified[k]), bool(known.at_bound[k]), tuple(_notes(k, found, known)),
        ))  # fmt: skip
    correlation = known.correlation
    likeness = autocorrelation(best, parts)
    return Result(
        tuple(fitted), tuple(tuple(None if np.isnan(c) else float(c) for c in row) for row in correlation),
        before.rms, best.rms, found.steps.rms, int(best.counted.sum()), int((~best.counted).sum()), likeness,
        found.message, tuple(_remarks(items, found, known, likeness)), runs, points, run_wall_s, tuple(seeds),
        data.origin, data.digest, tuple(known.sizes.tolist()), versions,
    )  # fmt: skip


def autocorrelation(best: Point, parts: Sequence[np.ndarray]) -> float | None:
    """Mean product of neighbouring residuals over the mean square; about 0 for noise, towards 1 for a misfit."""
    products, squares = 0.0, 0.0
    for rows in parts:
        r = best.residuals[rows][best.counted[rows]]
        if len(r) > 2:
            products += float(np.mean(r[1:] * r[:-1])) * len(r)
            squares += float(np.mean(r * r)) * len(r)
    return products / squares if squares > 0.0 else None


def _notes(k: int, found: Found, known: Intervals) -> list[str]:
    notes = []
    if found.steps.clear[k] == 0.0 and not np.any(known.jacobian[:, k]):
        return ["not identifiable: nothing that was measured depends on it"]
    if known.at_bound[k]:
        notes.append("at the end of its range")
    if not known.identified[k]:
        notes.append("not identifiable: the interval is as wide as its range")
    elif known.open_low[k] or known.open_high[k]:
        notes.append("the interval reaches the end of its range")
    if known.asymmetry[k] > _BENT:
        notes.append(f"nonlinear: its profile and the Jacobian differ by a factor of {known.asymmetry[k]:.2g}")
    if found.steps.bend[k] > 1.0:
        notes.append("its effect is rough or abrupt at any step: the interval is a guess")
    if found.steps.clear[k] < 3.0:
        notes.append("its effect hardly stands out of the noise of the simulation")
    return notes


def _remarks(items: Sequence[Parameter], found: Found, known: Intervals, likeness: float | None) -> list[str]:
    remarks = []
    for i, one in enumerate(items):
        for j, other in enumerate(items[:i]):
            value = known.correlation[i, j]
            if np.isfinite(value) and abs(value) > _ALIKE:
                remarks.append(f"{other.key} and {one.key} are hard to tell apart: correlation {value:.3f}")
    if likeness is not None and likeness > SYSTEMATIC:
        remarks.append(
            f"neighbouring residuals are alike (autocorrelation {likeness:.2f}): the model misses the data "
            "systematically, and the intervals, which take residuals for noise, are too narrow"
        )
    if known.better is not None:
        remarks.append(
            f"while its intervals were sought a better point was met (rms {known.better.rms:.4g} against "
            f"{found.point.rms:.4g}): the search had not come to its end, or the landscape is rough; start again there"
        )
    return remarks


def as_json(result: Result) -> str:
    """The text of ``fit.json``: no numbers but finite ones."""
    data: dict[str, Any] = {
        "format": "ionsim-fit",
        "parameters": [
            {
                "key": item.key, "value": item.value, "interval_95": [item.low, item.high], "start": item.start,
                "range": list(item.range), "scale": item.scale, "identified": item.identified,
                "at_bound": item.at_bound, "notes": list(item.notes),
            }
            for item in result.parameters
        ],
        "correlation": [list(row) for row in result.correlation],
        "interval_level": LEVEL,
        **{
            key: getattr(result, key)
            for key in ("rms_before", "rms_after", "noise_rms", "rows", "silent_rows", "autocorrelation", "message",
                        "runs", "points", "run_wall_s", "data", "data_sha256", "versions")
        },
        "notes": list(result.notes),
        "seeds": list(result.seeds),
        "steps": list(result.steps),
    }  # fmt: skip
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def as_lines(result: Result) -> list[str]:
    """A table of the parameters, correlations and remarks, for a terminal."""
    head = ("parameter", "start", "fitted", "95 % interval", "")
    body = [head]
    for item in result.parameters:
        interval = f"{item.low:.5g} to {item.high:.5g}"
        body.append((item.key, f"{item.start:.5g}", f"{item.value:.6g}", interval, "; ".join(item.notes)))
    widths = [max(len(row[column]) for row in body) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in body]
    if len(result.parameters) > 1:
        lines.append("correlation")
        for item, row in zip(result.parameters, result.correlation, strict=True):
            cells = ("      -" if c is None else f"{c:7.3f}" for c in row)
            lines.append(f"  {item.key:<{widths[0]}} {' '.join(cells)}")
    silent = f" ({result.silent_rows} more say nothing: at zero volts, or at the limit)" if result.silent_rows else ""
    lines.append(
        f"rms of residuals {result.rms_before:.4g} -> {result.rms_after:.4g} over {result.rows} rows{silent}; noise of "
        f"the simulation {result.noise_rms:.2g}"
    )
    return [*lines, *(f"note: {note}" for note in result.notes)]


def calibrated(device: Device, result: Result) -> Device:
    """The device with the fitted values, each marked in ``[sources]`` as calibrated against the data."""
    sources = {
        item.key: f"calibrated: against {Path(result.data).name} (sha256 {result.data_sha256[:12]}), 95 % interval "
        f"{item.low:.6g} to {item.high:.6g}" + (f"; {'; '.join(item.notes)}" if item.notes else "")
        for item in result.parameters
    }
    return device.replace({**result.values, "sources": {**device.sources, **sources}})


def history_text(items: Sequence[Parameter], points: Sequence[tuple[str, Point]]) -> str:
    """The text of ``fit.csv``: every point in the order in which it was run, with what it was run for."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["point", "purpose", *(item.key for item in items), "rms", "run_wall_s", "failed"])
    for number, (purpose, point) in enumerate(points, start=1):
        values = changes(items, point.u).values()
        writer.writerow([number, purpose, *(repr(v) for v in values), f"{point.rms:.9g}", f"{point.wall_s:.3f}",
                         point.failed or ""])  # fmt: skip
    return buffer.getvalue()


def write(path: Path, text: str) -> Path:
    """Write a text whole or not at all. FitError where the disk refuses."""
    try:
        write_text(path, text)
    except ResultsError as error:
        raise FitError(str(error)) from error
    return path
