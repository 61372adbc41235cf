"""Reading a run back, and showing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np

from ionsim.config import html
from ionsim.errors import ResultsError, nearest
from ionsim.results.model import FILMS, FORMAT, RUN_FILE, SCHEMA_VERSION, Sites, Snapshot
from ionsim.results.tables import Fields, Filament, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Within the group ``checkpoint``: which samples and snapshots belong to it.
RECORD = "record"


@dataclass(frozen=True)
class Run:
    """A run as its file holds it; all of it is read at once, so that a run still under way cannot change it midway.

    ``series`` maps column names to arrays of one length (``time_s``, ``voltage_V``, ``current_A``, ...).
    """

    path: Path
    name: str
    family: str
    seed: int
    status: str
    input_toml: str
    versions: dict[str, str]
    summary: dict[str, Any]
    stages: tuple[str, ...]
    series: dict[str, np.ndarray]
    snapshots: dict[str, Snapshot]
    sites: Sites | None

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run's folder or its HDF5 file; ResultsError for anything that is not a whole run file."""
        file_path = _run_file(Path(path))
        try:
            with h5py.File(file_path, "r") as file:
                if file.attrs.get("format") != FORMAT:
                    raise ResultsError(f"{file_path}: is not a run file of ionsim (no format = {FORMAT!r})")
                if file.attrs["schema_version"] > SCHEMA_VERSION:
                    raise ResultsError(
                        f"{file_path}: schema_version = {file.attrs['schema_version']}; this ionsim reads up to "
                        f"{SCHEMA_VERSION}: a newer ionsim wrote it"
                    )
                return cls(path=file_path, **_attributes(file), **_contents(file))
        except (OSError, KeyError) as error:
            raise ResultsError(f"{file_path}: cannot be read as a run file ({error})") from error

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.path.parent

    def iv(self) -> Table:
        """The I-V curve: ``stage`` (names), ``time_s``, ``voltage_V`` (applied), ``device_V``, ``current_A``."""
        columns = ("time_s", "voltage_V", "device_V", "current_A")
        missing = [name for name in (*columns, "stage") if name not in self.series]
        if missing:
            raise ResultsError(f"{self.path}: the run recorded no {', '.join(missing)}; status is {self.status!r}")
        names = np.asarray(self.stages)[self.series["stage"].astype(int)]
        return Table({"stage": names, **{name: self.series[name] for name in columns}}, self._draw("iv_of"))

    def transient(self) -> Table:
        """All columns of the series, ``stage`` by name; its picture has voltage, current and temperature over time."""
        names = np.asarray(self.stages)[self.series["stage"].astype(int)] if "stage" in self.series else np.empty(0)
        return Table({"stage": names, **{key: self.series[key] for key in self.series if key != "stage"}},
                     self._draw("transient_of"))  # fmt: skip

    def snapshot(self, label: str) -> Snapshot:
        """The snapshot of that label; ResultsError names the ones there are."""
        if label not in self.snapshots:
            known = ", ".join(self.snapshots) or "none"
            hint = nearest(label, self.snapshots)
            raise ResultsError(f"{self.path}: no snapshot {label!r}{hint}; there are: {known}")
        return self.snapshots[label]

    def filament(self, state: str = "set") -> Filament:
        """The filament in the snapshot labelled ``state``."""
        if self.sites is None:
            raise ResultsError(f"{self.path}: the run has no lattice, so no filament; run.cut(state) shows its fields")
        snapshot = self.snapshot(state)
        codes = [list(self.sites.species).index(name) for name in self.sites.filament]
        chosen = np.isin(snapshot.occupation, codes)
        arrays = (self.sites.positions_nm[chosen], snapshot.potential_V[chosen], snapshot.temperature_K[chosen])
        return Filament(state, *arrays, draw=self._draw("filament_of", state))

    def cut(self, state: str = "set") -> Fields:
        """The cut through the mesh in the snapshot labelled ``state``.

        Its axes (``z_nm`` and one of ``x_nm``, ``r_nm``, ``y_nm``) and fields (nz, n): potential, temperature, and what
        the family has (phase, vacancies, ions).
        """
        snapshot = self.snapshot(state)
        arrays = {key.removeprefix("cut/"): values for key, values in snapshot.extra.items() if key.startswith("cut/")}
        title = f"cut, {state}: {snapshot.time_s:.5g} s, {snapshot.voltage_V:.3g} V"
        return Fields(arrays, title, self._draw("cut_of", state))

    def checkpoint(self) -> dict[str, Any]:
        """The state from which the run can go on, as the recorder was given it (read when asked for)."""
        with h5py.File(self.path, "r") as file:
            saved = _read_arrays(file["checkpoint"])
        saved.pop(RECORD, None)
        return saved

    @property
    def checkpoint_ranks(self) -> int:
        """Number of MPI ranks that the checkpoint is of; 0 when there is none."""
        with h5py.File(self.path, "r") as file:
            return len(file["checkpoint"].get("ranks", ()))

    def at_checkpoint(self) -> Self:
        """The run as it was at its checkpoint, without what was recorded later."""
        with h5py.File(self.path, "r") as file:
            group = file["checkpoint"][RECORD]
            count, older = int(group["count"][()]), group["older"]
            snapshots = {
                label: _snapshot(label, older[label]) if label in older else self.snapshots[label]
                for label in _texts(group["labels"])
            }
        series = {name: values[:count] for name, values in self.series.items()}
        return replace(self, series=series, snapshots=snapshots)

    def plot(self) -> list[Path]:
        """Draw the run's pictures into its folder and return their paths."""
        from ionsim.plots import plot_run

        return list(plot_run(self, self.folder))

    def report(self, path: str | Path | None = None) -> Path:
        """Write the page that shows all of the run (default: ``report.html`` in its folder) and return its path."""
        from ionsim.report import report_run

        return report_run(self, path)

    def figures(self) -> dict[str, Figure]:
        """The same pictures in memory: matplotlib Figures by name (``iv``, ``filament``, ...)."""
        from ionsim.plots import figures

        return {Path(name).stem: figure for name, figure in figures(self).items()}

    def animate(
        self,
        out: str | Path | None = None,
        *,
        stage: str | None = None,
        fps: float = 12.0,
        frames: int = 100,
        progress: Callable[[float], None] | None = None,
    ) -> Path:
        """Film a stage ("all" for all; by default the one that changes most) and return the file, .mp4 or .gif.

        The run is repeated up to the end of the stage (:func:`ionsim.simulation.replay.replay`), which takes as long as
        it took then. By default the film goes into the run's folder, as MP4 where there is an ffmpeg. ``progress`` is
        called with the share that is done, from 0 to 2: of repeating, then of drawing.
        """
        from ionsim.plots.animation import animate, checked_ending, ffmpeg
        from ionsim.simulation.replay import replay, stages_of

        path = self.folder / FILMS[ffmpeg() is None] if out is None else Path(out)
        checked_ending(path)
        stages = stages_of(self, stage)
        moments = replay(self, stages, frames=frames, progress=progress)
        drawn = None if progress is None else lambda share: progress(1.0 + share)
        return animate(self, moments, path, fps=fps, progress=drawn)

    def view(self) -> list[Path]:
        """Write what ParaView, meshio and pyvista read into ``paraview/`` of the folder; returns the paths."""
        from ionsim.results.paraview import write_view

        return write_view(self)

    def _draw(self, name: str, *arguments: Any) -> Callable[[], Figure]:
        """A call of ``ionsim.plots.single`` about this run."""

        def draw() -> Figure:
            from ionsim.plots import single

            figure: Figure = getattr(single, name)(self, *arguments)
            return figure

        return draw

    def __repr__(self) -> str:
        count = len(self.series.get("time_s", ()))
        sites = "" if self.sites is None else f", {len(self.sites.positions_nm)} sites"
        return (
            f"<Run {self.name!r} ({self.family}), seed {self.seed}, {self.status}: {self.folder}\n"
            f" stages {', '.join(self.stages)}; {count} points{sites}; snapshots {', '.join(self.snapshots) or 'none'}>"
        )

    def _repr_html_(self) -> str:
        seconds = self.summary.get("wall_time_s")
        detail = f"{self.family}, seed {self.seed}, {self.status}" + ("" if seconds is None else f", {seconds:.0f} s")
        count = len(self.series.get("time_s", ()))
        lines: list[list[Any]] = [
            ["folder", str(self.folder)], ["stages", ", ".join(self.stages)], ["points", count],
            ["snapshots", ", ".join(self.snapshots)],
            ["sites", None if self.sites is None else len(self.sites.sublattice)],
        ]  # fmt: skip
        parts = [html.heading(self.name, detail), html.table(lines)]
        if self.summary:
            occurred = [pair for pair in self.summary.items() if pair[1] is not None]
            parts.append(html.folded("summary", html.table(occurred), opened=True))
        if count:
            columns = [[name, len(values)] for name, values in self.series.items()]
            parts.append(html.folded(f"series: {len(columns)} columns", html.table(columns, ("column", "points"))))
        parts.append(html.folded("versions", html.table(self.versions.items())))
        return "".join(parts)


def _run_file(path: Path) -> Path:
    file_path = path / RUN_FILE if path.is_dir() else path
    if not file_path.is_file():
        raise ResultsError(f"{path}: holds no run ({RUN_FILE} is missing)" if path.is_dir() else f"{path}: not found")
    return file_path


def _attributes(file: h5py.File) -> dict[str, Any]:
    attributes: dict[str, Any] = {name: str(file.attrs[name]) for name in ("name", "family", "status", "input_toml")}
    attributes["seed"] = int(file.attrs["seed"])
    attributes |= {name: json.loads(file.attrs[name]) for name in ("versions", "summary")}
    return attributes


def _contents(file: h5py.File) -> dict[str, Any]:
    return {
        "stages": _texts(file["stages"]),
        "series": {name: data[()] for name, data in file["series"].items()},
        "snapshots": {label: _snapshot(label, group) for label, group in file["snapshots"].items()},
        "sites": _sites(file["sites"]) if "sites" in file else None,
    }


def _snapshot(label: str, group: h5py.Group) -> Snapshot:
    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    group.visititems(visit)
    fields = {name: arrays.pop(name) for name in ("occupation", "potential_V", "temperature_K")}
    return Snapshot(label, float(group.attrs["time_s"]), float(group.attrs["voltage_V"]), **fields, extra=arrays)


def _sites(group: h5py.Group) -> Sites:
    parts: dict[str, Any] = {name: group[name][()] for name in ("positions_nm", "sublattice", "region", "cell_nm")}
    parts |= {name: _texts(group[name]) for name in ("species", "elements", "filament", "sublattices", "regions")}
    return Sites(**parts, periodic=tuple(bool(flag) for flag in group["periodic"]))


def _texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    return tuple(dataset.asstr()[()].tolist())


def _read_arrays(group: h5py.Group) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            result[name] = _read_arrays(item)
        elif h5py.check_string_dtype(item.dtype):
            result[name] = item.asstr()[()]
        else:
            result[name] = item[()]
    return result
