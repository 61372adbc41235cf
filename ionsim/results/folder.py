"""The folder of a run: taking it without losing what it holds."""

import shutil
from pathlib import Path

from ionsim.errors import ResultsError
from ionsim.results.atomic import remove_leftovers, try_out
from ionsim.results.exports import IV_FILE, PULSES_FILE, SITES_FILE, STEPS_FILE, SUMMARY_FILE
from ionsim.results.model import FIELDS_FOLDER, FILMS, PICTURES, REPORT_FILE, RUN_FILE, VIEW_FOLDER
from ionsim.results.run import Run


def claim(folder: str | Path, force: bool = False) -> Path:
    """Make ``folder`` ready for a new run and return the path of its run file.

    A folder that holds a finished or a stopped run, or a ``run.h5`` that cannot be read, is refused unless ``force``,
    and so is one that cannot be written into; nothing is touched then. Nor is anything else until the new run's first
    write takes the place of the old file (:func:`clear`).
    """
    folder = Path(folder)
    path = folder / RUN_FILE
    if not force:
        _refuse_if_taken(folder, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        try_out(path)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot hold a run ({error})") from error
    return path


def clear(folder: Path) -> None:
    """Remove texts, tables, pictures, films, the page and mesh fields made of an earlier run: they would not match."""
    for name in (IV_FILE, STEPS_FILE, SUMMARY_FILE, SITES_FILE, PULSES_FILE, REPORT_FILE, *PICTURES, *FILMS):
        (folder / name).unlink(missing_ok=True)
    for name in (FIELDS_FOLDER, VIEW_FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)


def _refuse_if_taken(folder: Path, path: Path) -> None:
    if not path.exists():
        return
    try:
        run = Run.open(path)
    except ResultsError as error:
        raise ResultsError(f"{folder}: holds a file {RUN_FILE} that is no whole run; --force replaces it") from error
    if run.status == "stopped":
        raise ResultsError(
            f"{folder}: holds a stopped run of {run.name!r} (seed {run.seed}); ionsim resume goes on with it, --force "
            "replaces it"
        )
    if run.status == "complete":
        raise ResultsError(f"{folder}: holds a finished run of {run.name!r} (seed {run.seed}); --force replaces it")
