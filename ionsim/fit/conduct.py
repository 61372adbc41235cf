"""A whole fit: check everything, search, say how well the parameters are known, and write the folder.

::

    task = ionsim.fit.prepare("device.toml", "iv.csv", ["continuum.barrier_eV=0.8:1.2"])
    result = ionsim.fit.run(task, "fitted", workers=2)

A fit has no state of its own: every outcome of a run is kept in the folder, and the search is the same each time. So a
fit that was stopped or killed goes on when it is called again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ionsim.config import Device, load
from ionsim.errors import FitError
from ionsim.fit.comparisons import SweepRows, SwitchingRows
from ionsim.fit.crew import Asked, Crew
from ionsim.fit.evaluation import Job, Outcome, Stopped, Store, simulate
from ionsim.fit.intervals import intervals
from ionsim.fit.measured import Measured, parse, read
from ionsim.fit.objective import Objective, Point, is_random
from ionsim.fit.parameters import Parameter, parameters
from ionsim.fit.plan import Options, Part, plan
from ionsim.fit.report import (
    FIT_FILE,
    FITTED_FILE,
    HISTORY_FILE,
    Result,
    as_json,
    calibrated,
    describe,
    history_text,
    write,
)
from ionsim.fit.search import Search, search

TASK_FILE, DEVICE_FILE, DATA_FILE, PICTURE_FILE = "task.json", "device.toml", "data.csv", "fit.png"
EVALUATIONS = "evaluations"

#: A profile that meets a better point sends the search there so many times at most.
_AGAIN = 3

#: The history of a fit under way is written so often at most, s.
_HISTORY_S = 2.0


@dataclass(frozen=True)
class Task:
    """A fit with everything checked; :func:`prepare` makes one.

    ``vary`` are the texts that ``items`` were read from; ``seeds`` of each point, one for what is not random.
    """

    device: Device
    data: Measured
    vary: tuple[str, ...]
    items: tuple[Parameter, ...]
    parts: tuple[Part, ...]
    seeds: tuple[int, ...]
    options: Options = field(default_factory=Options)
    how: Search = field(default_factory=Search)
    profile: bool = True

    @property
    def columns(self) -> list[str]:
        """Columns of the table that are used."""
        return [*(["stage"] if self.data.stages else []), *self.data.columns]

    @property
    def rows(self) -> int:
        """Number of measured numbers that are compared."""
        return int(sum(np.count_nonzero(part.weights) for part in self.parts))


def prepare(
    device: Device | str | Path, data: Measured | str | Path, vary: Iterable[str], *,
    seeds: Sequence[int] | None = None, options: Options | None = None, how: Search | None = None, profile: bool = True,
    overrides: Iterable[str] = (), columns: Sequence[str] = (),
) -> Task:  # fmt: skip
    """Read and check everything that a fit needs; nothing is run.

    Args:
        device: what to fit: a description, an example's name, or a path.
        data: a table, or the path of its CSV file.
        vary: texts ``key=lo:hi`` or ``key=lo:hi:log``.
        seeds: of the runs at each point, whose transformed values are averaged; else that of the device.
        options, how, profile: how numbers are compared, how to search, whether intervals come from profiles.
        overrides: ``key=value`` texts for the device, as ``--set`` takes them.
        columns: of the table that are used; else all.

    Raises:
        FitError, DeviceFileError: with one message that names key, value and what is allowed.
    """
    if not isinstance(device, Device):
        device = load(device, overrides)
    texts = tuple(vary)
    items = parameters(device, texts)
    table = data if isinstance(data, Measured) else read(data, columns)
    asked = options or Options()
    parts = tuple(plan(device, table, asked))
    for item in items:
        if any(item.key in part.changes or _sets(part.changes, item.key) for part in parts):
            raise FitError(f"--vary {item.key}: the table's own column or drive sets it; it cannot be varied as well")
    wanted = tuple(seeds) if seeds else (device.seed,)
    if len(set(wanted)) != len(wanted):
        raise FitError(f"--seeds: {wanted}: each may come once")
    if len(wanted) > 1 and not is_random(device):
        raise FitError(f"--seeds: nothing is random in this device ({device.family}); leave the option out")
    task = Task(device, table, texts, items, parts, wanted, asked, how or Search(), profile)
    if task.rows <= len(items):
        raise FitError(
            f"--data {table.origin}: {task.rows} rows that say something for {len(items)} parameters; needs more rows "
            "than parameters"
        )
    return task


def _sets(changes: Mapping[str, Any], key: str) -> bool:
    """Whether conditions replace the drive that a key is in."""
    return "drive" in changes and key.startswith("drive.")


def run(
    task: Task, out: str | Path, *, workers: int = 1, stop: Asked | None = None,
    report: Callable[[int, Point], None] | None = None, on_run: Callable[[int, Outcome], None] | None = None,
    cache: str | Path | None = None,
    simulate: Callable[[Job, Callable[[], bool]], Outcome] = simulate,
) -> Result | None:  # fmt: skip
    """Carry out a fit, or what is left of it, and write its folder.

    Args:
        task: from :func:`prepare`.
        out: folder, made where it is missing.
        workers: processes; 1 runs everything in this one.
        stop: says by its attribute ``asked`` that the fit is to stop (:class:`ionsim.simulation.Stop`).
        report: called as ``report(number, point)`` of each point.
        on_run: called as ``on_run(number, outcome)`` of each run that was carried out.
        cache: folder of the outcomes of runs, which several fits of the same device may share; else in ``out``.
        simulate: what runs a job, in place of a simulation (with one worker).

    Returns:
        The result, or None when the fit was stopped; calling it again goes on.

    Raises:
        FitError: for a folder that holds another fit, a disk that refuses, or runs that fail where they must not.
    """
    from ionsim.results import versions

    folder, made_with = Path(out), versions()
    _claim(folder, task)
    store = Store(Path(cache) if cache is not None else folder / EVALUATIONS, made_with)
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FitError(f"{store.folder}: cannot be written ({error})") from error

    written_s, told = -_HISTORY_S, 0

    def on_points() -> None:
        nonlocal written_s, told
        if time.monotonic() - written_s > _HISTORY_S:
            write(folder / HISTORY_FILE, history_text(task.items, objective.history))
            written_s = time.monotonic()
        for _, point in objective.history[told:]:
            told += 1
            if report is not None:
                report(told, point)

    crew = Crew(store, workers, stop, simulate, on_run)
    objective = Objective(task.device, task.items, task.parts, task.seeds, crew, on_points)
    try:
        with crew:
            return _carry_out(task, folder, objective, made_with)
    except Stopped:
        write(folder / HISTORY_FILE, history_text(task.items, objective.history))
        return None


def _carry_out(task: Task, folder: Path, objective: Objective, made_with: dict[str, str]) -> Result:
    start = np.array([item.share(item.start) for item in task.items])
    before = objective([start])[0]
    objective.purpose = "search"
    found = search(objective, start, task.how)
    for again in range(_AGAIN):
        objective.purpose = "interval"
        known = intervals(objective, found.point, found.steps, task.profile)
        if known.better is None or again == _AGAIN - 1:
            break
        objective.purpose = "search"
        found = search(objective, known.better.u, replace(task.how, method="local"))
    edges = np.cumsum([0, *(len(part.weights) for part in task.parts)])
    points = [point for _, point in objective.history]
    result = describe(
        task.items, before, found, known, task.data, seeds=task.seeds if is_random(task.device) else (),
        runs=objective.crew.n_runs + objective.crew.n_found, points=len(points),
        run_wall_s=float(sum(point.wall_s for point in points)), versions=made_with,
        parts=[np.arange(low, high) for low, high in pairwise(edges.tolist())],
    )  # fmt: skip
    device = calibrated(task.device, result)
    fitted = ", ".join(result.values)
    head = f"# Calibrated by ionsim fit against {Path(task.data.origin).name} (sha256 {task.data.digest}): {fitted}.\n"
    write(folder / FITTED_FILE, head + "# Intervals stand in [sources]; fit.json has the rest.\n\n" + device.to_toml())
    write(folder / HISTORY_FILE, history_text(task.items, objective.history))
    draw(task, objective, before.u, found.point.u, folder / PICTURE_FILE)
    write(folder / FIT_FILE, as_json(result))
    return result


def draw(task: Task, objective: Objective, before: np.ndarray, after: np.ndarray, path: Path) -> Path:
    """The picture of a fit: what was measured, and what the device gives before and after."""
    from ionsim.plots import save
    from ionsim.plots.fits import FitCurve, fit_figure

    curves = []
    old, new = objective.models(before), objective.models(after)
    for number, part in enumerate(task.parts):
        one = part.comparison
        pieces = [np.arange(len(one.x))]
        if isinstance(one, SweepRows):
            pieces = [rows for *_, rows in one.branches]
        label = "" if isinstance(one, SwitchingRows) else part.label
        curves.append(FitCurve(
            one.quantity, one.x_name, one.x, one.scale.back(one.measured), None if old is None else old[number],
            None if new is None else new[number], pieces, one.scale.kind == "log", label,
        ))  # fmt: skip
    return save(fit_figure(curves, task.device.name), path)


def _claim(folder: Path, task: Task) -> None:
    """Take a folder for a fit; what it is of is written down, so that the same fit can go on and no other does."""
    mine = _as_data(task)
    path = folder / TASK_FILE
    if path.exists():
        there = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key in mine if there.get(key) != mine[key]]
        if changed:
            raise FitError(f"{folder}: holds another fit ({', '.join(changed)} differ); take another folder")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FitError(f"{folder}: holds other files and no fit; take another folder")
    except OSError as error:
        raise FitError(f"{folder}: cannot be written ({error})") from error
    write(folder / DEVICE_FILE, task.device.to_toml())
    write(folder / DATA_FILE, task.data.text)
    write(path, json.dumps(mine, indent=2) + "\n")  # last: with it the folder is a fit


def _as_data(task: Task) -> dict[str, Any]:
    return {
        "device": task.device.to_toml(), "data": task.data.digest, "columns": task.columns,
        "data_name": task.data.origin,
        "vary": list(task.vary), "seeds": list(task.seeds), "options": asdict(task.options),
        "search": asdict(task.how), "profile": task.profile,
    }  # fmt: skip


def is_fit(folder: str | Path) -> bool:
    """Whether a folder is that of a fit."""
    return (Path(folder) / TASK_FILE).is_file()


def open_task(folder: str | Path) -> Task:
    """The fit in a folder. FitError where there is none."""
    path = Path(folder) / TASK_FILE
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        text = (Path(folder) / DATA_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FitError(f"{folder}: holds no fit that can be gone on with ({error})") from error
    device = Device.from_toml(there["device"], origin=str(path))
    return prepare(
        device, parse(text, there["data_name"], there["columns"]), there["vary"], seeds=there["seeds"],
        options=Options(**there["options"]), how=Search(**there["search"]), profile=there["profile"],
    )  # fmt: skip
