"""The folder of a study: its files, and who may write into it."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ionsim.config import Device, html
from ionsim.errors import DeviceFileError, ResultsError, StudyError
from ionsim.results import RUN_FILE
from ionsim.results.atomic import write_text
from ionsim.study.description import parse
from ionsim.study.locks import locked
from ionsim.study.plan import Plan, Task, same_study
from ionsim.study.record import Record

STUDY_FILE = "study.toml"
BASE_FILE = "base.toml"
POINTS = "points"
LOG_FILE = "log.jsonl"
_LOCK = ".lock"
_CLAIM = ".claim"


def is_study(folder: str | Path) -> bool:
    """Whether a folder is that of a study."""
    return (Path(folder) / STUDY_FILE).is_file()


@dataclass(frozen=True)
class StudyFolder:
    """A study on disk: ``study.toml`` as it was written, ``base.toml`` with the base device, a folder for each run."""

    path: Path
    plan: Plan

    @classmethod
    def create(cls, plan: Plan, path: str | Path) -> StudyFolder:
        """Make the folder of a study, or take one that holds the same study already.

        Raises:
            StudyError: when it holds another study, or a run, or cannot be written; nothing is changed then.
        """
        folder = Path(path)
        if (folder / RUN_FILE).exists():
            raise StudyError(f"{folder}: holds a run; a study needs a folder of its own")
        if is_study(folder):
            _refuse_another(plan, cls.open(folder).plan, folder)
        try:
            (folder / POINTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"{folder}: cannot hold a study ({error})") from error
        with locked(folder / _LOCK):
            if is_study(folder):
                return cls.open(folder)
            try:
                write_text(folder / BASE_FILE, plan.base.to_toml())
                write_text(folder / STUDY_FILE, plan.text)  # last: with it the folder is a study
            except ResultsError as error:
                raise StudyError(str(error)) from error
        return cls(folder, plan)

    @classmethod
    def open(cls, path: str | Path) -> StudyFolder:
        """The study in a folder. StudyError when there is none."""
        folder = Path(path)
        if not is_study(folder):
            raise StudyError(f"{folder}: holds no study ({STUDY_FILE} is missing)")
        try:
            text = (folder / STUDY_FILE).read_text(encoding="utf-8")
            base = (folder / BASE_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"{folder}: cannot be read as a study ({error})") from error
        origin = str(folder / STUDY_FILE)
        try:
            device = Device.from_toml(base, origin=str(folder / BASE_FILE))
        except DeviceFileError as error:
            raise StudyError(f"{folder}: the base device is not valid any more: {error}") from error
        return cls(folder, Plan(parse(text, origin), device, text, origin))

    def of(self, task: Task) -> Path:
        """The folder of a run."""
        return self.path / POINTS / task.label

    def record(self, task: Task) -> Record | None:
        """What is known of a run that is over or was stopped, else None."""
        return Record.read(self.of(task))

    def records(self) -> list[Record]:
        """All records, in the order of the runs."""
        return [record for task in self.plan.tasks if (record := self.record(task)) is not None]

    def _repr_html_(self) -> str:
        """How far the study is, for a notebook."""
        records = self.records()
        keys = tuple(dict.fromkeys(key for record in records for key in record.observables))
        rows = [
            (record.point, record.seed, record.status, *(record.observables.get(key) for key in keys))
            for record in records
        ]
        title = html.heading(str(self.path), f"{len(records)} of {len(self.plan.tasks)} runs")
        return title + html.table(rows, ("point", "seed", "status", *keys))

    def claim(self, task: Task) -> Path:
        """The file whose lock says that somebody works on a run."""
        folder = self.of(task)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"{folder}: cannot be written ({error})") from error
        return folder / _CLAIM

    def log(self, event: str, task: Task, **details: object) -> None:
        """Add a line to the log: what happened to which run, when, and in which process.

        Raises:
            StudyError: where the disk refuses.
        """
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, "run": task.label,
            "host": socket.gethostname(), "pid": os.getpid(), **details,
        }  # fmt: skip
        path = self.path / LOG_FILE
        with locked(path):
            try:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
            except OSError as error:
                raise StudyError(f"{path}: cannot be written ({error})") from error


def _refuse_another(plan: Plan, there: Plan, folder: Path) -> None:
    """A folder holds one study: numbers of points would mean something else in another."""
    changed = same_study(there.study.model_dump(), plan.study.model_dump())
    if there.base != plan.base and "base" not in changed:
        changed.append("base")
    if changed:
        raise StudyError(
            f"{folder}: holds another study ({', '.join(changed)} differ); take another folder, or ionsim resume "
            "for the study in it"
        )
