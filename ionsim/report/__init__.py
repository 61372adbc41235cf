"""One page that explains a run or a study: ``report.html``, which needs neither network nor other files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ionsim.errors import ResultsError
from ionsim.results.model import REPORT_FILE

if TYPE_CHECKING:
    from ionsim.results import Run

__all__ = ["REPORT_FILE", "report", "report_run"]


def report(folder: str | Path, path: str | Path | None = None) -> Path:
    """Write the page of the run or the study in ``folder`` (default: ``report.html`` in it) and return its path.

    A run that was stopped or has failed, or lacks a part, gives a page that says so.

    Raises:
        ResultsError: where there is neither a run nor a study, plotly is not installed, or the disk refuses.
        StudyError: for a study that cannot be read.
    """
    from ionsim.study import StudyFolder, is_study

    folder = Path(folder)
    if not folder.exists():
        raise ResultsError(f"{folder}: there is no such folder; give that of a run or of a study")
    if is_study(folder):
        from ionsim.report.studypage import study_page

        return study_page(StudyFolder.open(folder), Path(path) if path else folder / REPORT_FILE)
    from ionsim.results import RUN_FILE, Run

    if folder.is_dir() and not (folder / RUN_FILE).is_file():
        raise ResultsError(f"{folder}: holds neither a run ({RUN_FILE}) nor a study (study.toml)")
    return report_run(Run.open(folder), path)


def report_run(run: Run, path: str | Path | None = None) -> Path:
    """The page of a run that is open already; see :func:`report`."""
    from ionsim.report.runpage import run_page

    return run_page(run, Path(path) if path else run.folder / REPORT_FILE)
