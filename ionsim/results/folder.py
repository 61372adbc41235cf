"""The folder of a run: taking it without losing what it holds."""

import shutil
from pathlib import Path

from ionsim.errors import ResultsError
from ionsim.results.atomic import remove_leftovers
from ionsim.results.exports import IV_FILE, PULSES_FILE, SITES_FILE, STEPS_FILE, SUMMARY_FILE
from ionsim.results.model import FIELDS_FOLDER, PICTURES, RUN_FILE
from ionsim.results.run import Run


def claim(folder: str | Path, force: bool = False) -> Path:
    """Make ``folder`` ready for a new run and return the path of its run file.

    A folder that holds a finished run, or a ``run.h5`` that cannot be read, is refused unless ``force``; nothing is
    touched then. The old run file stays whole until the new run's first write takes its place; texts, tables,
    pictures and mesh fields that were made of it go at once, since they would not match.
    """
    folder = Path(folder)
    path = folder / RUN_FILE
    if not force:
        _refuse_if_taken(folder, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (IV_FILE, STEPS_FILE, SUMMARY_FILE, SITES_FILE, PULSES_FILE, *PICTURES):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / FIELDS_FOLDER, ignore_errors=True)
        remove_leftovers(path)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot hold a run ({error})") from error
    return path


def _refuse_if_taken(folder: Path, path: Path) -> None:
    if not path.exists():
        return
    try:
        run = Run.open(path)
    except ResultsError as error:
        raise ResultsError(f"{folder}: holds a file {RUN_FILE} that is no whole run; --force replaces it") from error
    if run.status == "complete":
        raise ResultsError(f"{folder}: holds a finished run of {run.name!r} (seed {run.seed}); --force replaces it")
