"""The parts of a run's record: sites and snapshots of the lattice, and what the run was made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

import numpy as np

FORMAT = "ionsim-run"
SCHEMA_VERSION = 1
RUN_FILE = "run.h5"

#: Mesh fields (a folder), and what the pictures of a run are called.
FIELDS_FOLDER = "fields.bp"
#: What ``ionsim view`` and ``ionsim animate`` leave in a run's folder.
VIEW_FOLDER, FILMS = "paraview", ("film.mp4", "film.gif")
PICTURES = ("iv.png", "transient.png", "conductance.png", "filament.png", "cut.png", "phases.png",
            "resistance.png", "train.png", "currents.png", "ions.png", "retention.png",
            "current.png", "vacancies.png", "boundaries.png")  # fmt: skip
#: The page of a run or a study.
REPORT_FILE = "report.html"
#: A stopped run has a checkpoint of its last point, and :func:`ionsim.resume` goes on with it; a running one that was
#: killed, and a failed one, have one of their last write.
STATUSES = ("running", "stopped", "complete", "failed")

_PACKAGES = ("ionsim", "numpy", "scipy", "numba", "fenics-basix", "dolfinx-solver-real", "h5py", "ase", "gmsh")


@dataclass(frozen=True)
class Sites:
    """The lattice of a run: one entry per site, in the order of every snapshot.

    ``positions_nm`` (N, 3); ``sublattice`` and ``region`` (N,) integer codes into ``sublattices`` and ``regions``;
    ``cell_nm`` (3,) edge lengths; ``periodic`` per axis. An occupation code is an index into ``species`` (their names)
    and ``elements`` (chemical symbols for other programs, ``X`` for a vacancy); ``filament`` names the species whose
    sites make up the filament.
    """

    positions_nm: np.ndarray
    sublattice: np.ndarray
    region: np.ndarray
    cell_nm: np.ndarray
    species: Sequence[str]
    elements: Sequence[str]
    filament: Sequence[str]
    sublattices: Sequence[str] = ()
    regions: Sequence[str] = ()
    periodic: Sequence[bool] = (True, True, False)

    def __repr__(self) -> str:
        size = " x ".join(f"{edge:.3g}" for edge in self.cell_nm)
        return f"<Sites: {len(self.positions_nm)} in a box of {size} nm; species {', '.join(self.species)}>"

    def __post_init__(self) -> None:
        count = len(self.positions_nm)
        if np.shape(self.positions_nm) != (count, 3):
            raise ValueError(f"positions_nm has shape {np.shape(self.positions_nm)}; must be (N, 3)")
        for name in ("sublattice", "region"):
            if np.shape(getattr(self, name)) != (count,):
                raise ValueError(f"{name} has shape {np.shape(getattr(self, name))}; must be ({count},)")
        if len(self.elements) != len(self.species):
            raise ValueError(f"{len(self.elements)} elements for {len(self.species)} species; must be one each")
        unknown = set(self.filament) - set(self.species)
        if unknown:
            raise ValueError(f"filament species {sorted(unknown)} are not among {list(self.species)}")


@dataclass(frozen=True)
class Snapshot:
    """The lattice and its fields at one moment; arrays are (N,), in the order of the sites, empty without a lattice.

    ``extra`` holds further arrays by name, such as a cut through the fields: ``cut/x_nm`` (of a lateral cell
    ``cut/y_nm``), ``cut/z_nm``, ``cut/potential_V`` (nz, nx), ``cut/temperature_K`` (nz, nx).
    """

    label: str
    time_s: float
    voltage_V: float
    occupation: np.ndarray
    potential_V: np.ndarray
    temperature_K: np.ndarray
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        extra = "".join(f"; {name} {np.shape(values)}" for name, values in self.extra.items())
        sites = f"{len(self.occupation)} sites" if len(self.occupation) else "no lattice"
        return f"<Snapshot {self.label!r} at {self.time_s:.6g} s, {self.voltage_V:.4g} V: {sites}{extra}>"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result may depend on; those that are absent are left out."""
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
