"""The run loop: the drive sets the voltage, the family advances, the recorder keeps what is asked for."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from ionsim.config import Device, html
from ionsim.devices import Family, build
from ionsim.drive import Drive, Turn
from ionsim.errors import ResultsError
from ionsim.results import Recorder, Run, Sites, Snapshot, claim, clear, export
from ionsim.results.atomic import try_out
from ionsim.results.exports import PULSES_FILE, write_pulses
from ionsim.results.model import FIELDS_FOLDER
from ionsim.simulation.chief import on_chief
from ionsim.simulation.stopping import Stop

#: Names of the states that the stages of a forming / RESET / SET sweep leave behind.
STATES = {"forming": "formed"}
VIRGIN = "virgin"

#: Upper estimate of what a node of a mesh takes on the disk: coordinates, and six tetrahedra with four nodes each.
_MESH_BYTES = 400

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
        self._now_s = self._peak_W = 0.0
        self._begun_s, self._earlier_s, self._earlier_field_s = time.monotonic(), 0.0, 0.0
        self._written_s: float | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Run from the start, or from where :meth:`restore` has put it, one :class:`Frame` per recorded point."""
        if not len(self.recorder):
            self.family.initialise()
            self._snapshot(VIRGIN)
        drive = self.drive
        pulse_ends = drive.pulse_ends_s
        while self._now_s < drive.duration_s:
            now, until = self._now_s, drive.next_sample_s(self._now_s)
            middle = 0.5 * (now + until)
            stage = drive.stage(middle)
            self.family.advance(until, drive.voltage_V(until), drive.circuit(middle, (now, until)))
            row = {**self.family.observe(), "stage": float(stage)}
            self.recorder.sample(**row)
            if row["limited"]:
                drive.on_compliance(until)
            self._now_s, name = until, drive.stages[stage]
            if row["power_W"] > _NEW_PEAK * self._peak_W:
                self._peak_W = row["power_W"]
                self._snapshot(f"{name}_peak")
            if until in pulse_ends:
                self._snapshot(f"{name}_pulse")
            if until in drive.stage_ends_s:
                self._peak_W = 0.0
                self._snapshot(STATES.get(name, name))
            yield Frame(name, row)

    def run(
        self, out: str | Path, *, force: bool = False, progress: bool = False, stop: Stop | None = None
    ) -> Run:  # fmt: skip
        """Run the whole drive and write the folder ``out``; returns the run as it reads back.

        Every rank gets it. Raises ResultsError when ``out`` holds a finished or a stopped run and ``force`` is not set.
        The file is there from the first recorded point on, and is replaced by a newer whole one, with a checkpoint,
        every ``numerics.checkpoint_s`` seconds; it reads "failed" after an error, wherever that occurs. When ``stop``
        asks for it the run ends before its drive does, with the status "stopped"; :func:`ionsim.resume` goes on.
        """
        path = on_chief(self.comm, lambda: claim(Path(out), force=force))
        return self.carry_out(path, progress=progress, stop=stop)

    def carry_out(self, path: Path, *, progress: bool = False, stop: Stop | None = None) -> Run:
        """Run what is left of the drive and write the run file ``path`` and what goes with it, as :meth:`run`."""
        from ionsim.simulation.progress import Progress

        self._begun_s, self._written_s = time.monotonic(), None
        self.recorder.status = "running"
        try:
            with Progress(self.device.name, self.drive, shown=progress and self.comm.rank == 0) as bar:
                for frame in self:
                    bar.update(frame)
                    if self._pause(path, stop):
                        return on_chief(self.comm, lambda: Run.open(path))
            self._summarise()
            self._write_fields(path.parent / FIELDS_FOLDER)
            self.recorder.status = "complete"
            return on_chief(self.comm, lambda: self._finish(path))
        except BaseException:
            self.recorder.status = "failed"
            if self.comm.rank == 0:
                with contextlib.suppress(ResultsError):  # the first error is the one to report
                    self._write(path)
            raise

    def _repr_html_(self) -> str:
        drive, sites = self.drive, self.recorder.sites
        rows: list[list[Any]] = [
            ["stages", ", ".join(drive.stages)], ["duration_s", drive.duration_s],
            ["sites", None if sites is None else len(sites.positions_nm)], ["ranks", self.comm.size],
            ["simulated_s", self._now_s], ["points", len(self.recorder)],
        ]  # fmt: skip
        summary = self.recorder.summary
        found = html.folded("summary", html.table(summary.items()), opened=True) if summary else ""
        return html.heading(self.device.name, f"{self.device.family}, seed {self.seed}") + html.table(rows) + found

    # -- stopping and going on --------------------------------------------------------------------------------

    def _pause(self, path: Path, stop: Stop | None) -> bool:
        """Write a checkpoint where the last is old enough, or the run is to stop: then it is True. Collective.

        After the first frame it is written at once. Where the drive is over there is nothing left to stop.
        """
        due = self._written_s is None or time.monotonic() - self._written_s > self.device.numerics.checkpoint_s
        asked = stop is not None and stop.asked and self._now_s < self.drive.duration_s
        mine = np.array([due and self.comm.rank == 0, asked], dtype=np.int8)
        agreed = np.empty_like(mine)
        self.comm.Allreduce(mine, agreed, op=MPI.MAX)  # clocks differ, and a signal may reach one rank only
        if not agreed.any():
            return False
        stopping = bool(agreed[1])
        self.recorder.mark(self._checkpoint())
        self.recorder.status = "stopped" if stopping else "running"
        on_chief(self.comm, lambda: self._write(path))
        return stopping

    def _write(self, path: Path) -> None:
        """Replace the file; what an earlier run left beside it goes with the first write that succeeds."""
        self.recorder.write(path, functools.partial(clear, path.parent) if self._written_s is None else None)
        self._written_s = time.monotonic()

    def _checkpoint(self) -> dict[str, Any]:
        """Everything that :meth:`restore` needs, by rank; on rank 0, empty on the others. Collective."""
        fields = {
            label: {"time_s": np.array(time_s), "fields": arrays}
            for label, (time_s, arrays) in self._mesh_fields.items()
        }
        parts = self.comm.gather({"family": self.family.checkpoint(), "mesh_fields": fields})
        if parts is None:
            return {}
        drive = self.drive
        turns = [(stage, turn.time_s, turn.voltage_V) for stage, turn in drive.turns.items()]
        return {
            "loop": {
                "now_s": np.array(self._now_s), "peak_W": np.array(self._peak_W), "wall_s": np.array(self._wall_s),
                "field_s": np.array(self._field_s),
            },
            "drive": {
                "turns": np.array(turns, dtype=np.float64).reshape(-1, 3), "corners_s": drive.corners_s,
                "corners_V": np.array([drive.voltage_V(corner_s) for corner_s in drive.corners_s.tolist()]),
            },
            "ranks": {str(rank): part for rank, part in enumerate(parts)},
        }  # fmt: skip

    def restore(self, run: Run, saved: Mapping[str, Any], part: Mapping[str, Any]) -> None:
        """Go to the checkpoint of a run of this device and seed, instead of starting; collective.

        Args:
            run: as it was at its checkpoint (:meth:`ionsim.results.Run.at_checkpoint`).
            saved: "loop" and "drive" of the checkpoint.
            part: what this rank saved.

        Raises:
            ResultsError: where sites or drive are no longer what they were.
        """
        sites = self.recorder.sites
        if sites is not None and (run.sites is None or not np.array_equal(sites.positions_nm, run.sites.positions_nm)):
            raise ResultsError(f"{run.path}: the sites are not those that the run began with; were its files changed?")
        turns = saved["drive"]["turns"].tolist()
        self.drive.restore({int(stage): Turn(time_s, voltage_V) for stage, time_s, voltage_V in turns})
        corners_s = self.drive.corners_s
        corners_V = [self.drive.voltage_V(corner_s) for corner_s in corners_s.tolist()]
        if not (
            np.array_equal(corners_s, saved["drive"]["corners_s"])
            and np.array_equal(corners_V, saved["drive"]["corners_V"])
        ):
            raise ResultsError(f"{run.path}: the drive is not the one that the run began with; was its table changed?")
        self.family.restore(part["family"])
        self._mesh_fields = {
            label: (float(part["mesh_fields"][label]["time_s"]), dict(part["mesh_fields"][label]["fields"]))
            for label in run.snapshots
        }
        loop = saved["loop"]
        self._now_s, self._peak_W = float(loop["now_s"]), float(loop["peak_W"])
        self._earlier_s, self._earlier_field_s = float(loop["wall_s"]), float(loop["field_s"])
        self.recorder.go_on_from(run)

    @property
    def _wall_s(self) -> float:
        """Wall time of the run, its earlier parts included, s."""
        return self._earlier_s + time.monotonic() - self._begun_s

    @property
    def _field_s(self) -> float:
        """The part of it that went into fields, s."""
        return self._earlier_field_s + self.family.field_time_s

    # -- the end ----------------------------------------------------------------------------------------------

    def _summarise(self) -> None:
        from ionsim.analysis import summarise

        wall_s = self._wall_s
        self.recorder.summary = {
            **summarise(self.device, self.recorder.series(), self.drive.stages),
            **self.family.summary(),
            "seed": self.seed,
            "wall_time_s": wall_s,
            "field_share": self._field_s / wall_s,
        }

    def _write_fields(self, folder: Path) -> None:
        """Write the mesh fields of the snapshots, if there is room: on a full disk ADIOS2 ends the process."""
        frames = list(self._mesh_fields.values())
        arrays = [array for _, fields in frames for array in fields.values()]
        here = sum(array.nbytes for array in arrays) + _MESH_BYTES * max((array.size for array in arrays), default=0)
        size = self.comm.allreduce(here)

        def try_room() -> None:
            try:
                try_out(folder, size)
            except OSError as error:
                raise ResultsError(f"{folder}: cannot be written ({error}; {size / 1e6:.1f} MB are needed)") from error

        on_chief(self.comm, try_room)
        self.family.write_fields(folder, frames)

    def _finish(self, path: Path) -> Run:
        from ionsim.analysis import pulse_table

        self.recorder.forget()
        self._write(path)
        run = Run.open(path.parent)
        export(run)
        levels = pulse_table(self.device, run.series)
        if levels:
            write_pulses(run.folder / PULSES_FILE, levels)
        return run

    def _snapshot(self, label: str) -> None:
        state = self.family.state()
        rows = self.family.observe()
        self._mesh_fields[label] = (rows["time_s"], self.family.mesh_fields())
        named = {name: state.pop(name, np.empty(0)) for name in ("occupation", "potential_V", "temperature_K")}
        self.recorder.snapshot(Snapshot(label, rows["time_s"], rows["voltage_V"], extra=state, **named))
