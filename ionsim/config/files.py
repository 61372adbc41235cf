"""Finding device files: a path, or the name of an example that comes with ionsim."""

import csv
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from ionsim.config.device import Device
from ionsim.errors import DeviceFileError, nearest

_FOLDER = Path(str(files("ionsim") / "examples"))
TIMES_FILE = _FOLDER / "times.csv"


def example_files() -> dict[str, Path]:
    """Path of every example device file by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}


class ExampleTime(NamedTuple):
    """Time in s of a run on one core; where not ``whole``, that of a part: the run takes longer."""

    time_s: float
    whole: bool


def example_times() -> dict[str, ExampleTime]:
    """About how long a run of each example takes on one core, by name: a table of scripts/example_times.py."""
    try:
        with open(TIMES_FILE, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return {}
    return {row["example"]: ExampleTime(float(row["time_s"]), row["whole"] == "1") for row in rows}


def find(name_or_path: str | Path) -> Path:
    """The device file that a name or path means; DeviceFileError when there is none."""
    path = Path(name_or_path).expanduser() if str(name_or_path).startswith("~/") else Path(name_or_path)
    if path.is_file():
        return path
    examples = example_files()
    if str(name_or_path) in examples:
        return examples[str(name_or_path)]
    if path.is_dir():
        raise DeviceFileError(f"{path}: is a folder; needs a device file (TOML)")
    hint = nearest(str(name_or_path), examples)
    raise DeviceFileError(f"{name_or_path}: no such file, and no example of that name{hint}; see `ionsim examples`")


def load(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Device:
    """Load a device by an example's name or a path, with ``key=value`` overrides applied before it is checked.

    Raises :class:`~ionsim.errors.DeviceFileError` with one line for each problem: key, value, what is allowed.
    """
    path = find(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceFileError(f"{path}: cannot be read as text ({error})") from error
    return Device.from_toml(text, path.parent.absolute(), overrides, origin=str(path))
