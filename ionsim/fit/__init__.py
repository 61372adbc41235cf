"""Calibration: parameters of a device file fitted to what was measured, with 95 % intervals."""

from ionsim.fit.conduct import Task, is_fit, open_task, prepare, run
from ionsim.fit.measured import Measured, parse, read
from ionsim.fit.plan import Options
from ionsim.fit.report import Fitted, Result, as_lines
from ionsim.fit.search import Search

__all__ = [
    "Fitted", "Measured", "Options", "Result", "Search", "Task", "as_lines", "is_fit", "open_task", "parse", "prepare",
    "read", "run",
]  # fmt: skip
