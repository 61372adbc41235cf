"""Reading results: the numbers that describe a switching device."""

from ionsim.analysis.ecram_pulses import pulse_table
from ionsim.analysis.switching import summarise

__all__ = ["pulse_table", "summarise"]
