"""Reading results: the numbers that describe a switching device."""

from ionsim.analysis.switching import summarise

__all__ = ["summarise"]
