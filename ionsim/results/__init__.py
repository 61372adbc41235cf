"""Runs on disk: one HDF5 file a run, and the tables that other programs read."""

from ionsim.results.exports import export
from ionsim.results.folder import claim, clear
from ionsim.results.model import RUN_FILE, Sites, Snapshot, versions
from ionsim.results.recorder import Recorder
from ionsim.results.run import Run
from ionsim.results.summary import TIMING, plain, write_summary
from ionsim.results.tables import Fields, Filament, Table

__all__ = [
    "RUN_FILE",
    "TIMING",
    "Fields",
    "Filament",
    "Recorder",
    "Run",
    "Sites",
    "Snapshot",
    "Table",
    "claim",
    "clear",
    "export",
    "plain",
    "versions",
    "write_summary",
]
