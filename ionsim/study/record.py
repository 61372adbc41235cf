"""What a study keeps of one run: ``point.json`` in the run's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from ionsim.errors import ResultsError, StudyError
from ionsim.results.atomic import write_text

POINT_FILE = "point.json"
_FORMAT = "ionsim-study-point"

Status = Literal["complete", "failed", "stopped"]


@dataclass(frozen=True)
class Record:
    """One run as the table has it.

    ``inputs``: key path -> value; ``observables``: key of the summary -> value, None where a quantity did not occur;
    ``error``: why it failed; ``wall_time_s``: of all its parts, None where the run did not get to its end.
    """

    index: int
    point: int
    seed: int | None
    model: str | None
    status: Status
    inputs: Mapping[str, Any]
    observables: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    traceback: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    wall_time_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing left to run."""
        return self.status != "stopped"

    def write(self, folder: Path) -> None:
        """Write it into a run's folder, whole or not at all. StudyError where the disk refuses."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, allow_nan=False) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / POINT_FILE, text)
        except (OSError, ResultsError) as error:
            raise StudyError(f"{folder}: cannot be written ({error})") from error

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The record in a run's folder, or None. StudyError for a file that is none."""
        path = folder / POINT_FILE
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StudyError(f"{path}: cannot be read ({error})") from error
        try:
            data = json.loads(text)
            if data.pop("format") != _FORMAT:
                raise ValueError(f"no format {_FORMAT!r}")
            return cls(**data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StudyError(f"{path}: is no record of a run ({error}); remove it to run the point again") from None
