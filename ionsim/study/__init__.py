"""Studies: one device with many settings and seeds, on one machine or a cluster, as one table."""

from typing import TYPE_CHECKING, Any

from ionsim.study.description import Study
from ionsim.study.folder import StudyFolder, is_study
from ionsim.study.plan import Plan, Task, check, make_plan
from ionsim.study.record import Record
from ionsim.study.table import write_table

if TYPE_CHECKING:
    from ionsim.study.conduct import Tally, resume, run, submit

__all__ = [
    "Plan", "Record", "Study", "StudyFolder", "Tally", "Task", "check", "is_study", "make_plan", "resume", "run",
    "submit", "write_table",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What runs something is imported when first asked for: the finite-element stack takes seconds."""
    if name in ("Tally", "resume", "run", "submit"):
        from ionsim.study import conduct

        return getattr(conduct, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
