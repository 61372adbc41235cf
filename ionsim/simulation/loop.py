"""The run loop: the drive sets the voltage, the family advances, the recorder keeps what is asked for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from ionsim.config import Device
from ionsim.devices import Family, build
from ionsim.drive import Drive
from ionsim.errors import ResultsError
from ionsim.results import Recorder, Run, Sites, Snapshot, claim, export
from ionsim.results.exports import PULSES_FILE, write_pulses
from ionsim.results.model import FIELDS_FOLDER

_T = TypeVar("_T")

#: Names of the states that the stages of a forming / RESET / SET sweep leave behind.
STATES = {"forming": "formed"}
VIRGIN = "virgin"

#: A snapshot of a stage's hottest moment is replaced when the power has grown by this factor.
_NEW_PEAK = 1.05


@dataclass(frozen=True)
class Frame:
    """One recorded point: ``frame.current_A``, ``frame.row`` holds every column of the series."""

    stage: str
    row: dict[str, float]

    @property
    def time_s(self) -> float:
        """Simulated time, s."""
        return self.row["time_s"]

    @property
    def voltage_V(self) -> float:
        """Applied voltage, V."""
        return self.row["voltage_V"]

    @property
    def current_A(self) -> float:
        """Terminal current, A."""
        return self.row["current_A"]


class Simulation:
    """A device with a seed, ready to run: :meth:`run` writes a folder, iterating gives one frame after the other.

    The applied voltage is a staircase, as a parameter analyser makes it: it steps to the value at the end of each
    recording interval, and the device dwells there. Everything is collective over ``comm``: finite elements are
    distributed, the lattice is advanced identically on every rank.
    """

    def __init__(self, device: Device, seed: int | None = None, comm: MPI.Comm | None = None) -> None:
        self.device = device
        self.seed = device.seed if seed is None else int(seed)
        self.comm: MPI.Comm = MPI.COMM_WORLD if comm is None else comm
        self.drive = Drive(device.drive)
        self.family: Family = build(device, np.random.SeedSequence(self.seed), self.comm)
        self.recorder = Recorder(
            name=device.name,
            family=device.family,
            seed=self.seed,
            input_toml=device.to_toml(),
            stages=self.drive.stages,
        )
        sites = self.family.sites()
        self.recorder.sites = None if sites is None else Sites(**sites)
        self._mesh_fields: dict[str, tuple[float, dict[str, NDArray[np.float64]]]] = {}
        self._written = -np.inf

    def __iter__(self) -> Iterator[Frame]:
        """Run from the start, one :class:`Frame` per recorded point."""
        self.family.initialise()
        self._snapshot(VIRGIN)
        drive, now, peak_W = self.drive, 0.0, 0.0
        pulse_ends = drive.pulse_ends_s
        while now < drive.duration_s:
            until = drive.next_sample_s(now)
            middle = 0.5 * (now + until)
            stage = drive.stage(middle)
            self.family.advance(until, drive.voltage_V(until), drive.circuit(middle, (now, until)))
            row = {**self.family.observe(), "stage": float(stage)}
            self.recorder.sample(**row)
            if row["limited"]:
                drive.on_compliance(until)
            now, name = until, drive.stages[stage]
            if row["power_W"] > _NEW_PEAK * peak_W:
                peak_W = row["power_W"]
                self._snapshot(f"{name}_peak")
            if now in pulse_ends:
                self._snapshot(f"{name}_pulse")
            if now in drive.stage_ends_s:
                peak_W = 0.0
                self._snapshot(STATES.get(name, name))
            yield Frame(name, row)

    def run(self, out: str | Path, *, force: bool = False, progress: bool = False) -> Run:
        """Run the whole drive and write the folder ``out``; returns the run as it reads back.

        Every rank gets it. Raises ResultsError when ``out`` holds a finished run and ``force`` is not set. The file is
        there from the first recorded point on, and is replaced by a newer whole one every ``numerics.checkpoint_s``
        seconds; it reads "failed" after an error, wherever that occurs.
        """
        from ionsim.analysis import summarise
        from ionsim.simulation.progress import Progress

        path = self._on_chief(lambda: claim(Path(out), force=force))
        begin = time.monotonic()
        self._written = -np.inf
        try:
            with Progress(self.device.name, self.drive, shown=progress and self.comm.rank == 0) as bar:
                for frame in self:
                    bar.update(frame)
                    self._on_chief(lambda: self._write_if_due(path))
            wall_s = time.monotonic() - begin
            self.recorder.summary = {
                **summarise(self.device, self.recorder.series(), self.drive.stages),
                **self.family.summary(),
                "seed": self.seed,
                "wall_time_s": wall_s,
                "field_share": self.family.field_time_s / wall_s,
            }
            self.family.write_fields(path.parent / FIELDS_FOLDER, list(self._mesh_fields.values()))
            self.recorder.status = "complete"
            return self._on_chief(lambda: self._finish(path))
        except BaseException:
            self.recorder.status = "failed"
            if self.comm.rank == 0:
                with contextlib.suppress(ResultsError):  # the first error is the one to report
                    self.recorder.write(path)
            raise

    def _write_if_due(self, path: Path) -> None:
        """Replace the file by a newer one when the last is old enough; after the first frame at once."""
        if time.monotonic() - self._written > self.device.numerics.checkpoint_s:
            self.recorder.write(path)
            self._written = time.monotonic()

    def _finish(self, path: Path) -> Run:
        from ionsim.analysis import pulse_table

        self.recorder.write(path)
        run = Run.open(path.parent)
        export(run)
        levels = pulse_table(self.device, run.series)
        if levels:
            write_pulses(run.folder / PULSES_FILE, levels)
        return run

    def _on_chief(self, task: Callable[[], _T]) -> _T:
        """Do something with files on rank 0; its result, or its error, reaches every rank.

        An error that stayed on rank 0 would leave the other ranks waiting for it in their next collective call.
        """
        if self.comm.size == 1:
            return task()
        result: Any = None
        error: Exception | None = None
        if self.comm.rank == 0:
            try:
                result = task()
            except Exception as raised:
                error = raised
        result, error = self.comm.bcast((result, error))
        if error is not None:
            raise error
        return cast(_T, result)

    def _snapshot(self, label: str) -> None:
        state = self.family.state()
        rows = self.family.observe()
        self._mesh_fields[label] = (rows["time_s"], self.family.mesh_fields())
        named = {name: state.pop(name, np.empty(0)) for name in ("occupation", "potential_V", "temperature_K")}
        self.recorder.snapshot(Snapshot(label, rows["time_s"], rows["voltage_V"], extra=state, **named))
