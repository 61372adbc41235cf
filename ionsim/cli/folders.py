"""What a folder holds that is no single run: a study, an ensemble, a fit."""

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ionsim.cli.console import number_text, say
from ionsim.errors import FitError, ResultsError

_SEED = re.compile(r"seed_(\d+)")


def ensemble_seeds(folder: Path) -> list[int]:
    """Seeds of the runs in the folder of an ensemble, sorted; none where there are no such runs."""
    from ionsim.results import RUN_FILE

    matches = [_SEED.fullmatch(path.name) for path in folder.iterdir() if (path / RUN_FILE).is_file()]
    return sorted(int(match[1]) for match in matches if match)


def need_run(folder: Path, command: str, *, study: bool = False) -> None:
    """Refuse what is no run (nor, for commands that show studies, a study), and say what would do instead.

    Raises:
        ResultsError: for the folder of an ensemble, a fit or a study.
    """
    from ionsim.results import RUN_FILE

    if not folder.is_dir() or (folder / RUN_FILE).is_file():
        return
    from ionsim.fit.conduct import PICTURE_FILE, is_fit
    from ionsim.study import is_study

    seeds = ensemble_seeds(folder)
    if seeds:
        first = folder / f"seed_{seeds[0]}"
        raise ResultsError(f"{folder}: an ensemble of {len(seeds)} seeds; try ionsim {command} {first}")
    if is_fit(folder):
        raise ResultsError(f"{folder}: a fit, not a run; its picture is {PICTURE_FILE}; try ionsim info {folder}")
    if is_study(folder) and not study:
        raise ResultsError(f"{folder}: a study, not a run; try ionsim study-plot {folder} or ionsim report {folder}")


def describe(folder: Path) -> bool:
    """Say what the folder of a study, an ensemble or a fit holds; False where it is none of them."""
    from ionsim.fit import is_fit
    from ionsim.results import RUN_FILE
    from ionsim.study import is_study

    if not folder.is_dir() or (folder / RUN_FILE).is_file():
        return False
    if is_study(folder):
        _study(folder)
    elif is_fit(folder):
        _fit(folder)
    elif seeds := ensemble_seeds(folder):
        _ensemble(folder, seeds)
    else:
        return False
    return True


def _study(folder: Path) -> None:
    from ionsim.study import StudyFolder

    there = StudyFolder.open(folder)
    study, records = there.plan.study, there.records()
    status = Counter(record.status for record in records)
    waiting = there.plan.n_runs - len(records)
    states = [f"{count} {name}" for name, count in sorted(status.items())] + ([f"{waiting} to do"] if waiting else [])
    say(f"{folder}: study of {there.plan.base.name!r} ({there.plan.base.family}), design {study.design}")
    say(f"  runs         {there.plan.n_runs}: {', '.join(states)}")
    say(f"  points       {len(there.plan.points)}")
    say(f"  parameters   {', '.join(study.columns)}")
    kept = dict.fromkeys(key for record in records for key in record.observables)
    say(f"  observables  {', '.join(kept) or ', '.join(study.observables) or 'all about the device'}")
    if waiting or status["stopped"]:
        say(f"ionsim resume {folder} goes on")


def _ensemble(folder: Path, seeds: list[int]) -> None:
    from ionsim.results import Run

    runs = [Run.open(folder / f"seed_{seed}") for seed in seeds]
    status = Counter(run.status for run in runs)
    names = list(dict.fromkeys(f"{run.name!r} ({run.family})" for run in runs))
    say(f"{folder}: ensemble of {', '.join(names)}, {len(seeds)} seeds")
    say(f"  seeds      {', '.join(map(str, seeds))}")
    say(f"  status     {', '.join(f'{count} {name}' for name, count in sorted(status.items()))}")
    tables = [path.name for path in sorted(folder.glob("*.csv"))]
    say(f"  tables     {', '.join(tables) or 'none yet'}")
    say(f"a run: ionsim info {folder / f'seed_{seeds[0]}'}")


def _fit(folder: Path) -> None:
    from ionsim.fit.conduct import TASK_FILE
    from ionsim.fit.report import FIT_FILE, HISTORY_FILE

    task = _json(folder / TASK_FILE)
    say(f"{folder}: fit of {len(task['vary'])} parameters to {task['data_name']}")
    if (folder / FIT_FILE).is_file():
        found = _json(folder / FIT_FILE)
        width = max(len(item["key"]) for item in found["parameters"])
        for item in found["parameters"]:
            low, high = item["interval_95"]
            notes = f"  ({'; '.join(item['notes'])})" if item["notes"] else ""
            interval = f"95 % interval {number_text(low)} to {number_text(high)}"
            say(f"  {item['key']:<{width}}  {number_text(item['value'])}, {interval}{notes}")
        rms = f"{number_text(found['rms_before'])} -> {number_text(found['rms_after'])}"
        say(f"rms of residuals {rms} over {found['rows']} rows; {found['points']} points, {found['runs']} runs")
        for note in found["notes"]:
            say(f"note: {note}")
        return
    for text in task["vary"]:
        say(f"  {text}")
    rows = _rows(folder / HISTORY_FILE)
    best = min((float(row["rms"]) for row in rows if not row["failed"]), default=None)
    told = "" if best is None else f", the best with an rms of {best:.4g}"
    say(f"not finished; points so far: {len(rows)}{told}")
    say(f"ionsim resume {folder} goes on")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FitError(f"{path}: cannot be read ({error})") from error


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of the table of points; none where there is no table yet."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
