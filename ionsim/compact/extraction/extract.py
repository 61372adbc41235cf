"""From a device or from measurements to a folder: card.json, exports, error table, pictures, held-out traces.

What a family may bring beyond the protocol, each as a method of its extraction: ``validity(measured)``,
``switching_times(fitted, measured)``, ``pulses(measured)`` (trains of a card), ``retention(measured)``,
``statistics(fitted, measured)`` (spread of parameters, spread of what was observed), ``benchmark(measured)``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ionsim
from ionsim.compact.card import Card, device_text, make_card
from ionsim.compact.description import CompactError
from ionsim.compact.extraction.experiments import OnRun, measurement, run_experiments
from ionsim.compact.extraction.pictures import draw
from ionsim.compact.extraction.protocol import ErrorRow, Extraction, Fitted, Measurement
from ionsim.compact.extraction.spread import complete
from ionsim.compact.extraction.traces import read_trace, write_trace
from ionsim.config import Device
from ionsim.results import Run
from ionsim.results.atomic import write_text

Floats = NDArray[np.float64]

#: Name of a card's file, and folders beside it.
CARD_FILE, HELD_OUT, EXPORTS, PICTURES = "card.json", "heldout", "exports", "pictures"


@dataclass(frozen=True)
class Result:
    """What an extraction found: the card, the fit, the error table, and the files written."""

    card: Card
    fitted: Fitted
    rows: tuple[ErrorRow, ...]
    files: tuple[Path, ...]


def families() -> list[str]:
    """The families that can be extracted."""
    known = ("vcm", "ecm", "pcm", "ecram")
    return [name for name in known if find_spec(f"ionsim.compact.extraction.{name}") is not None]


def extraction_of(family: str) -> Extraction:
    """The extraction of a family; raises CompactError where there is none."""
    if family not in families():
        raise CompactError(f"family = {family!r}: no compact model is extracted of it; {', '.join(families())}")
    found: Extraction = import_module(f"ionsim.compact.extraction.{family}").EXTRACTION
    return found


def extract(
    device: Device,
    out: str | Path,
    *,
    workers: int | None = 1,
    quick: bool = False,
    on_run: OnRun | None = None,
    extraction: Extraction | None = None,
) -> Result:
    """Plan, run what is not finished, fit, and write everything into ``out``.

    ``quick``: a smaller plan, for a first look. Raises CompactError for a device that the family cannot plan for.
    """
    way = extraction or extraction_of(device.family)
    plan = way.plan(device, quick)
    measured = run_experiments(plan, out, workers, on_run)
    return fit_measured(measured, out, device=device, extraction=way)


def fit_measured(
    measured: Sequence[Measurement],
    out: str | Path,
    *,
    device: Device | None = None,
    extraction: Extraction | None = None,
) -> Result:
    """Fit what was measured and write everything into ``out``; ``device``: what the card is named after."""
    if not measured:
        raise CompactError("fit: nothing was measured; give folders of runs or CSV files")
    subject = device or measured[0].device
    way = extraction or extraction_of(subject.family)
    fixed = way.fixed(subject)
    fitted = way.fit(measured, {name: value for name, (value, _) in fixed.items()})
    rows = way.errors(fitted, measured)
    card = assemble(way, subject, fitted, fixed, measured, rows)
    return Result(card, fitted, tuple(rows), tuple(_write(Path(out), way, card, fitted, rows, measured)))


def gather(paths: Sequence[str | Path], device: Device | None = None) -> list[Measurement]:
    """Measurements from folders of runs (or folders above them, as ``extract`` makes), run files, and CSV files."""
    found: list[Measurement] = []
    for item in map(Path, paths):
        if item.suffix == ".csv":
            found.append(read_trace(item, device))
            continue
        runs = sorted(item.rglob("run.h5")) if item.is_dir() else [item]
        if not runs:
            raise CompactError(f"{item}: holds no run and is no CSV file")
        known = _roles(runs)
        for path in runs:
            run = Run.open(path)
            role, kind, name = known.get(path, ("fit", _kind(run), run.folder.name))
            found.append(measurement(run, role, kind, name))
    return found


def _kind(run: Run) -> str:
    return "sweep" if Device.from_toml(run.input_toml).drive.kind == "sweep" else run.folder.name.partition("_")[0]


def _roles(runs: Sequence[Path]) -> dict[Path, tuple[Any, str, str]]:
    """Role, kind and name of runs in folders of an extraction, by the plan that it wrote beside them."""
    found: dict[Path, tuple[Any, str, str]] = {}
    for path in runs:
        table = path.parents[1] / "experiment.csv" if len(path.parents) > 1 else None
        if table is not None and table.is_file():
            row = next(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
            found[path] = (row["role"], row["kind"], row["name"])
    return found


def assemble(
    way: Extraction,
    device: Device,
    fitted: Fitted,
    fixed: Mapping[str, tuple[float, str]],
    measured: Sequence[Measurement],
    rows: Sequence[ErrorRow],
) -> Card:
    """The card of a fit."""
    model = way.model
    parameters: dict[str, Any] = {}
    for name, value in fitted.values.items():
        if name in fitted.names:
            more = {"standard_error": fitted.standard_error(name), "source": "fitted"}
        else:
            more = {"source": f"fixed: {fixed[name][1]}" if name in fixed else "fixed: the family's default"}
        parameters[name] = {"value": value, "unit": model.parameter(name).unit, **more}
    ours = [name for name in fitted.names if name in parameters]
    chosen = [fitted.names.index(name) for name in ours]
    statistics, observed = _of(way, "statistics", (None, None), fitted, measured)
    card = make_card({
        "name": re.sub(r"[^a-z0-9_]", "_", device.name.lower()),
        "family": model.family,
        "model": model.name,
        "summary": f"{device.description or device.name}: {model.summary}",
        "device": device_text(device.name, device.to_toml()),
        "parameters": parameters,
        "covariance": {"names": ours, "scale": {name: fitted.scale[name] for name in ours},
                       "matrix": fitted.covariance[np.ix_(chosen, chosen)]},
        "validity": _of(way, "validity", {}, measured),
        "errors": [
            {"check": row.check, "condition": row.condition, "held_out": row.held_out,
             "value": row.value if np.isfinite(row.value) else None, "limit": row.limit, "unit": row.unit,
             "passed": row.passed}
            for row in rows
        ],
        "statistics": statistics,
        "observed": observed,
        "pulses": _of(way, "pulses", [], measured),
        "retention": _of(way, "retention", [], measured),
        "benchmark": _of(way, "benchmark", {}, fitted, measured),
        "provenance": [_entry(one) for one in measured],
    }, f"card of {device.name}")  # fmt: skip
    return complete(card, measured, _of(way, "switching_times", (), fitted, measured))


def _of(way: Extraction, name: str, default: Any, *arguments: Any) -> Any:
    """What a family's optional method returns."""
    method: Callable[..., Any] | None = getattr(way, name, None)
    return default if method is None else method(*arguments)


def _entry(one: Measurement) -> dict[str, Any]:
    text = one.device.to_toml()
    run = one.run
    wall_s = None if run is None else run.summary.get("wall_time_s")
    return {"name": one.name, "role": one.role, "seed": one.seed, "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "ionsim_version": ionsim.__version__ if run is None else run.versions.get("ionsim", ionsim.__version__),
            "wall_s": wall_s}  # fmt: skip


def _write(
    out: Path,
    way: Extraction,
    card: Card,
    fitted: Fitted,
    rows: Sequence[ErrorRow],
    measured: Sequence[Measurement],
) -> list[Path]:
    from ionsim.compact.exports import export_all

    files = [card.save(out / CARD_FILE), write_errors(out / "errors.csv", rows), write_fit(out / "fit.csv", fitted)]
    for one in measured:
        if one.role in ("held_out", "pulses", "retention"):  # what was not fitted
            files += write_trace(one, out / HELD_OUT)
    files += [path for each in export_all(card, out / EXPORTS)[0].values() for path in each]
    replays = [(target.measurement, target.replayed(fitted.values)) for target in way.targets(measured)]
    return files + draw(out / PICTURES, fitted, replays, _of(way, "switching_times", (), fitted, measured))


def write_errors(path: Path, rows: Sequence[ErrorRow]) -> Path:
    """The error table as CSV."""
    lines = ["check,condition,held_out,value,limit,unit,passed,physics,model"]
    for row in rows:
        cells = (f'"{row.check}"', f'"{row.condition}"', row.held_out, row.value, row.limit, row.unit, row.passed,
                 row.measured, row.model)  # fmt: skip
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(lines) + "\n")
    return path


def write_fit(path: Path, fitted: Fitted) -> Path:
    """Fitted parameters, standard errors and correlations as CSV."""
    correlation = fitted.correlation
    lines = [",".join(("name", "value", "standard_error", "scale", *fitted.names))]
    for index, name in enumerate(fitted.names):
        cells = (name, repr(fitted.values[name]), repr(fitted.standard_error(name)), fitted.scale[name],
                 *(f"{value:.4f}" for value in correlation[index]))  # fmt: skip
        lines.append(",".join(cells))
    write_text(path, "\n".join(lines) + "\n")
    return path
