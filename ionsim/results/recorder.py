"""Collecting a run in memory and writing it, whole, to one HDF5 file."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ionsim.results.atomic import replacing
from ionsim.results.model import FORMAT, SCHEMA_VERSION, STATUSES, Sites, Snapshot, versions
from ionsim.results.run import RECORD, Run
from ionsim.results.summary import plain

#: An array of a checkpoint, or a table of them.
Blob = Mapping[str, Any]


class Recorder:
    """Everything that one run leaves behind; :meth:`write` may be called at any time, as often as wanted."""

    def __init__(self, *, name: str, family: str, seed: int, input_toml: str, stages: Sequence[str]) -> None:
        self.name = name
        self.family = family
        self.seed = seed
        self.input_toml = input_toml
        self.stages = tuple(stages)
        self.status = "running"
        self.sites: Sites | None = None
        self.snapshots: dict[str, Snapshot] = {}
        self.summary: dict[str, Any] = {}
        self.checkpoint: dict[str, Any] = {}
        self._marked: tuple[int, dict[str, Snapshot]] = (0, {})
        self._rows: dict[str, list[float]] = {}

    def __len__(self) -> int:
        """Number of samples."""
        return len(next(iter(self._rows.values()), []))

    def sample(self, **values: float) -> None:
        """Add one point to the time series (``time_s=..., voltage_V=..., stage=...``).

        The first sample settles the columns; another set of columns later is a ValueError.
        """
        if not self._rows:
            self._rows = {name: [] for name in values}
        if self._rows.keys() != values.keys():
            changed = sorted(self._rows.keys() ^ values.keys())
            raise ValueError(f"columns {changed} are not in all samples; every sample must have the same columns")
        for name, value in values.items():
            self._rows[name].append(value)

    def series(self) -> dict[str, np.ndarray]:
        """The time series so far, one array per column."""
        return {name: np.asarray(values) for name, values in self._rows.items()}

    def mark(self, checkpoint: Blob) -> None:
        """Take the state of this moment, arrays by name; what is recorded later is told from what belongs to it."""
        self.checkpoint = dict(checkpoint)
        self._marked = len(self), dict(self.snapshots)

    def forget(self) -> None:
        """Leave out the checkpoint from now on: the run is over."""
        self.checkpoint, self._marked = {}, (0, {})

    def go_on_from(self, run: Run) -> None:
        """Take series and snapshots of an earlier part of the same run."""
        self._rows = {name: np.asarray(values).tolist() for name, values in run.series.items()}
        self.snapshots = dict(run.snapshots)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Add a snapshot; a later one of the same label takes the earlier one's place."""
        count = 0 if self.sites is None else len(self.sites.positions_nm)
        for name in ("occupation", "potential_V", "temperature_K"):
            if np.shape(getattr(snapshot, name)) != (count,):
                raise ValueError(f"{name} has shape {np.shape(getattr(snapshot, name))}; must be ({count},)")
        self.snapshots[snapshot.label] = snapshot

    def write(self, path: Path, first: Callable[[], None] | None = None) -> None:
        """Write the whole file, in one step for any reader; ``first`` is called just before that step.

        Raises ResultsError where the disk refuses: then nothing has changed, and ``first`` was not called.
        """
        if self.status not in STATUSES:
            raise ValueError(f"status = {self.status!r}; must be one of {', '.join(STATUSES)}")
        with replacing(path, first) as temporary:
            temporary.write_bytes(self._image())

    def _image(self) -> bytes:
        """The file, made in memory: on a full disk HDF5 cannot close what it has begun, and ends the process."""
        with h5py.File("run", "w", driver="core", backing_store=False) as file:
            self._write_attributes(file)
            file.create_dataset("stages", data=list(self.stages), dtype=h5py.string_dtype())
            _write_arrays(file.create_group("series"), self.series())
            snapshots = file.create_group("snapshots", track_order=True)
            for label, snapshot in self.snapshots.items():
                _write_snapshot(snapshots.create_group(label), snapshot)
            if self.sites is not None:
                _write_sites(file.create_group("sites"), self.sites)
            group = file.create_group("checkpoint")
            _write_arrays(group, self.checkpoint, packed=False)
            if self._marked[0]:
                self._write_marked(group.create_group(RECORD))
            file.flush()
            return bytes(file.id.get_file_image())

    def _write_marked(self, group: h5py.Group) -> None:
        """Which samples and snapshots there were at the checkpoint; those that others have replaced since, too."""
        count, snapshots = self._marked
        group.create_dataset("count", data=count)
        group.create_dataset("labels", data=list(snapshots), dtype=h5py.string_dtype())
        older = group.create_group("older")
        for label, snapshot in snapshots.items():
            if self.snapshots[label] is not snapshot:
                _write_snapshot(older.create_group(label), snapshot)

    def _write_attributes(self, file: h5py.File) -> None:
        file.attrs["format"] = FORMAT
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["name"] = self.name
        file.attrs["family"] = self.family
        # Seeds may exceed what HDF5's 64-bit integers hold, so they travel as text.
        file.attrs["seed"] = str(self.seed)
        file.attrs["status"] = self.status
        file.attrs["input_toml"] = self.input_toml
        file.attrs["versions"] = json.dumps(versions())
        file.attrs["summary"] = json.dumps(plain(self.summary))


def _write_arrays(group: h5py.Group, arrays: Blob, packed: bool = True) -> None:
    """Write arrays, numbers and texts by name, large ones compressed; a mapping becomes a group of its own."""
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            _write_arrays(group.create_group(name), value, packed)
        elif isinstance(value, str | bytes):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        else:
            array = np.asarray(value)
            large = packed and array.size > 1024
            group.create_dataset(name, data=array, compression="gzip" if large else None, shuffle=large)


def _write_snapshot(group: h5py.Group, snapshot: Snapshot) -> None:
    group.attrs["time_s"] = snapshot.time_s
    group.attrs["voltage_V"] = snapshot.voltage_V
    fields = {
        "occupation": np.asarray(snapshot.occupation, dtype=np.int8),
        "potential_V": snapshot.potential_V,
        "temperature_K": snapshot.temperature_K,
    }
    _write_arrays(group, {**fields, **snapshot.extra})


def _write_sites(group: h5py.Group, sites: Sites) -> None:
    arrays = {name: getattr(sites, name) for name in ("positions_nm", "sublattice", "region", "cell_nm")}
    _write_arrays(group, {**arrays, "periodic": np.asarray(sites.periodic, dtype=bool)})
    for name in ("species", "elements", "filament", "sublattices", "regions"):
        group.create_dataset(name, data=list(getattr(sites, name)), dtype=h5py.string_dtype())
