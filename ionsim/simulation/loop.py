"""The run loop: the drive sets the voltage, the family advances, the recorder keeps what is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from ionsim.config import Device
from ionsim.devices import Family, build
from ionsim.drive import Drive
from ionsim.results import Recorder, Run, Sites, Snapshot, claim, export

#: Names of the states that the stages of a forming / RESET / SET sweep leave behind.
STATES = {"forming": "formed"}
VIRGIN = "virgin"


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
            name=device.name, family=device.family, seed=self.seed, input_toml=device.to_toml(), stages=self.drive.stages
        )
        self.recorder.sites = Sites(**self.family.sites())

    def __iter__(self) -> Iterator[Frame]:
        """Run from the start, one :class:`Frame` per recorded point."""
        self.family.initialise()
        self._snapshot(VIRGIN)
        drive, now = self.drive, 0.0
        while now < drive.duration_s:
            until = drive.next_sample_s(now)
            stage = drive.stage(0.5 * (now + until))
            self.family.advance(until, drive.voltage_V(until), drive.circuit(0.5 * (now + until)))
            row = {**self.family.observe(), "stage": float(stage)}
            self.recorder.sample(**row)
            if row["limited"]:
                drive.on_compliance(until)
            now = until
            name = drive.stages[stage]
            if now >= drive.duration_s or drive.stage(now + 1e-12 * drive.duration_s) != stage:
                self._snapshot(STATES.get(name, name))
            yield Frame(name, row)

    def run(self, out: str | Path, *, force: bool = False, progress: bool = False) -> Run | None:
        """Run the whole drive and write the folder ``out``; returns the run as it reads back (None on other ranks).

        Raises ResultsError when ``out`` holds a finished run and ``force`` is not set. While it runs the file
        is replaced by a newer whole one every ``numerics.checkpoint_s`` seconds; it reads "failed" after an error.
        """
        from ionsim.analysis import summarise
        from ionsim.simulation.progress import Progress

        chief = self.comm.rank == 0
        path = claim(Path(out), force=force) if chief else None
        path = self.comm.bcast(path)
        begin = written = time.monotonic()
        try:
            with Progress(self.device.name, self.drive, shown=progress and chief) as bar:
                for frame in self:
                    bar.update(frame)
                    if chief and time.monotonic() - written > self.device.numerics.checkpoint_s:
                        self.recorder.write(path)
                        written = time.monotonic()
            self.recorder.summary = {
                **summarise(self.device, self.recorder.series(), self.drive.stages),
                **self.family.summary(),
                "seed": self.seed,
                "wall_time_s": time.monotonic() - begin,
            }
            self.recorder.status = "complete"
        except BaseException:
            self.recorder.status = "failed"
            raise
        finally:
            if chief:
                self.recorder.write(path)
        self.family.write_fields(str(path.parent / "fields.bp"))
        if not chief:
            return None
        run = Run.open(path.parent)
        export(run)
        return run

    def _snapshot(self, label: str) -> None:
        state = self.family.state()
        rows = self.family.observe()
        named = {name: state.pop(name) for name in ("occupation", "potential_V", "temperature_K")}
        self.recorder.snapshot(Snapshot(label, rows["time_s"], rows["voltage_V"], extra=state, **named))
