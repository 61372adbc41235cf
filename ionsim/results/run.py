"""Reading a run back."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from ionsim.errors import ResultsError, nearest
from ionsim.results.model import FORMAT, RUN_FILE, SCHEMA_VERSION, Sites, Snapshot

#: Within the group ``checkpoint``: which samples and snapshots belong to it.
RECORD = "record"


@dataclass(frozen=True)
class Filament:
    """The sites that carry the filament in one snapshot: (M, 3) positions in nm, (M,) potentials in V, (M,) K."""

    label: str
    positions_nm: np.ndarray
    potential_V: np.ndarray
    temperature_K: np.ndarray


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

    def iv(self) -> dict[str, np.ndarray]:
        """The I-V curve: ``stage`` (names), ``time_s``, ``voltage_V`` (applied), ``device_V``, ``current_A``."""
        columns = ("time_s", "voltage_V", "device_V", "current_A")
        missing = [name for name in (*columns, "stage") if name not in self.series]
        if missing:
            raise ResultsError(f"{self.path}: the run recorded no {', '.join(missing)}; status is {self.status!r}")
        names = np.asarray(self.stages)[self.series["stage"].astype(int)]
        return {"stage": names, **{name: self.series[name] for name in columns}}

    def snapshot(self, label: str) -> Snapshot:
        """The snapshot of that label; ResultsError names the ones there are."""
        if label not in self.snapshots:
            known = ", ".join(self.snapshots) or "none"
            hint = nearest(label, self.snapshots)
            raise ResultsError(f"{self.path}: no snapshot {label!r}{hint}; there are: {known}")
        return self.snapshots[label]

    def filament(self, state: str = "set") -> Filament:
        """The filament in the snapshot labelled ``state``."""
        snapshot = self.snapshot(state)
        if self.sites is None:
            raise ResultsError(f"{self.path}: the run has no lattice, so no filament")
        codes = [list(self.sites.species).index(name) for name in self.sites.filament]
        chosen = np.isin(snapshot.occupation, codes)
        return Filament(
            state, self.sites.positions_nm[chosen], snapshot.potential_V[chosen], snapshot.temperature_K[chosen]
        )

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
