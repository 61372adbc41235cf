"""Trajectories on disk: extended XYZ for viewers, HDF5 for analysis. A run that is killed leaves a readable file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.model import Model
from kmc.observers.cadence import Cadence
from kmc.observers.observer import Observed, Observer, tracers_of

Existing = Literal["refuse", "replace", "append"]

#: ``format`` and ``version`` attributes of the HDF5 file.
FORMAT, VERSION = "kmc-trajectory", 1


def start_file(path: str | Path, existing: Existing) -> Path:
    """Check that a file can be begun (or gone on with), and remove it when it is to be replaced.

    Raises:
        KmcError: for an unknown ``existing``, a folder that is not there, or a file in the way.
    """
    path = Path(path)
    if existing not in get_args(Existing):
        raise KmcError(f"existing is {existing!r}; allowed are {', '.join(get_args(Existing))}")
    if not path.parent.is_dir():
        raise KmcError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise KmcError(f"{path} is a folder; a file name is needed")
    if path.exists() and existing == "refuse":
        raise KmcError(f"{path} exists; give existing='append' or existing='replace'")
    if existing == "replace":
        path.unlink(missing_ok=True)
    return path


def species_mask(model: Model, occupation: NDArray[Any], species: str | Sequence[str], where: str) -> NDArray[np.bool_]:
    """(N,) True where one of the species stands.

    Raises:
        KmcError: for an unknown species, naming ``where``.
    """
    names = [species] if isinstance(species, str) else list(species)
    return np.isin(occupation, [model.index(name, where) for name in names])


class ExtxyzWriter(Observer):
    """Append frames to an extended XYZ file (positions in Angstrom), which ASE, OVITO and others read.

    Each frame holds the chosen particles only, so that their number may change. Columns: ``kind`` (the species name,
    with _ for spaces) and ``site`` (its index); frame entries: ``time_s`` and ``n_events``. The file is opened and
    closed for every frame: what was written stays readable.

    Args:
        path: the file.
        cadence: when to write.
        species: names to write; every species, the empty site among them, by default.
        elements: species -> chemical symbol; by default a species that is named like an element is that element, and
            any other is X.
        existing: what to do when the file is there: "refuse", "replace" or "append".
    """

    def __init__(
        self,
        path: str | Path,
        cadence: Cadence,
        *,
        species: str | Sequence[str] | None = None,
        elements: Mapping[str, str] | None = None,
        existing: Existing = "refuse",
    ) -> None:
        from ase.data import atomic_numbers

        super().__init__(cadence)
        for name, symbol in (elements or {}).items():
            if symbol not in atomic_numbers:
                raise KmcError(f"elements: {symbol!r} of species {name!r} is no chemical symbol (X is allowed)")
        self.species, self.elements = species, dict(elements or {})
        self.path = start_file(path, existing)
        self._numbers = atomic_numbers

    def look(self, engine: Observed) -> None:
        """Append one frame."""
        from ase import Atoms
        from ase.io import write

        model, sites = engine.model, engine.sites
        for name in self.elements:
            model.index(name, "elements")
        chosen = model.species if self.species is None else self.species
        site = np.flatnonzero(species_mask(model, engine.occupation, chosen, "ExtxyzWriter"))
        kind = engine.occupation[site].astype(np.int64)
        symbol = [self.elements.get(name, name if name in self._numbers else "X") for name in model.species]
        atoms = Atoms(
            numbers=np.array([self._numbers[name] for name in symbol], dtype=np.int64)[kind],
            positions=10.0 * sites.positions_nm[site],
            cell=10.0 * np.asarray(sites.cell_nm),
            pbc=sites.periodic,
        )
        atoms.set_array("kind", np.array(["_".join(name.split()) for name in model.species])[kind])
        atoms.set_array("site", site)
        atoms.info.update(time_s=float(engine.time_s), n_events=int(engine.n_events))
        write(self.path, atoms, format="extxyz", append=True)


class Hdf5Writer(Observer):
    """Append frames to an HDF5 file.

    Contents, with F frames, N sites, P process names, M tracers: ``time_s`` (F,), ``n_events`` (F,), ``occupation``
    (F, N) int8, compressed, ``counts`` (F, P), and with tracers ``tracers/displacement_nm`` (F, M, 3),
    ``tracers/hops`` (F, M), ``tracers/site`` (F, M), ``tracers/species`` (F, M), where a tracer that is not there yet
    has NaN, 0, -1 and -1. ``sites/positions_nm`` (N, 3), ``sites/cell_nm`` (3,), ``sites/periodic`` (3,). Attributes:
    ``format``, ``version``, ``species`` and ``processes`` (names by index).

    The file is opened, extended and closed for every frame, so that it can be read while the run goes on and after it
    is killed. ``time_s`` is extended last: its length is the number of whole frames.

    Args:
        path: the file.
        cadence: when to write.
        tracers: whether to write the engine's tracers; None writes them when it has any.
        existing: what to do when the file is there: "refuse", "replace" or "append" (only to a file of the same sites,
            species and processes).
    """

    def __init__(
        self, path: str | Path, cadence: Cadence, *, tracers: bool | None = None, existing: Existing = "refuse"
    ) -> None:
        super().__init__(cadence)
        self.path, self.tracers = start_file(path, existing), tracers
        self._checked = False

    def look(self, engine: Observed) -> None:
        """Append one frame."""
        import h5py

        traced = tracers_of(engine)
        if self.tracers and traced is None:
            raise KmcError("Hdf5Writer: tracers is True, but the engine follows none; give it track=<species>")
        with h5py.File(self.path, "a") as file:
            if "time_s" not in file:
                self._begin(file, engine)
            elif not self._checked:
                self._check(file, engine)
            self._checked = True
            frame = len(file["time_s"])
            rows: dict[str, tuple[Any, float]] = {
                "n_events": (engine.n_events, 0),
                "occupation": (engine.occupation, 0),
                "counts": (list(engine.counts.values()), 0),
            }
            if traced is not None and self.tracers is not False:
                rows["tracers/displacement_nm"] = (traced.displacement_nm, np.nan)
                rows["tracers/hops"] = (traced.hops, 0)
                rows["tracers/site"] = (traced.site, -1)
                rows["tracers/species"] = (traced.species, -1)
            for name, (values, missing) in rows.items():
                _append(file, name, frame, np.asarray(values), missing)
            _append(file, "time_s", frame, np.asarray(engine.time_s), 0)

    def _begin(self, file: Any, engine: Observed) -> None:
        """Everything that does not change."""
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        for name, texts in self._names(engine).items():
            file.attrs[name] = texts
        sites = file.require_group("sites")
        for name in ("positions_nm", "cell_nm", "periodic"):
            if name not in sites:
                sites.create_dataset(name, data=np.asarray(getattr(engine.sites, name)))
        file.create_dataset("time_s", (0,), maxshape=(None,), dtype=float)

    def _check(self, file: Any, engine: Observed) -> None:
        """A file that is gone on with must be of the same engine."""
        if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
            raise KmcError(f"{self.path}: format is not {FORMAT!r}, version {VERSION}; nothing can be appended to it")
        for name, texts in self._names(engine).items():
            if list(file.attrs[name]) != texts:
                raise KmcError(f"{self.path}: its {name} are {list(file.attrs[name])}, those of the engine {texts}")
        if not np.array_equal(file["sites/positions_nm"][:], engine.sites.positions_nm):
            raise KmcError(f"{self.path}: its sites are not those of the engine")

    @staticmethod
    def _names(engine: Observed) -> dict[str, list[str]]:
        return {"species": list(engine.model.species), "processes": list(engine.counts)}


def _append(file: Any, name: str, frame: int, values: NDArray[Any], missing: float) -> None:
    """Put values into one frame of a dataset that grows along all but its last axis of three."""
    if name not in file:
        large = values.size > 1024
        file.create_dataset(
            name,
            shape=(frame, *values.shape),
            maxshape=(None, None, 3) if values.ndim == 2 else (None,) * (1 + values.ndim),
            chunks=(1 if large else 256, *(min(max(size, 1), 65536) for size in values.shape)),
            dtype=values.dtype,
            compression="gzip" if large else None,
            compression_opts=1 if large else None,
            shuffle=large,
            fillvalue=missing,
        )
    data = file[name]
    if values.ndim and len(values) < data.shape[1]:
        raise KmcError(f"{name} holds {data.shape[1]} entries a frame; now there are {len(values)}")
    data.resize((frame + 1, *values.shape))
    data[frame] = values
