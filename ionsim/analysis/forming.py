"""Where and at what voltage films form: one device many times over, and its filament against grain boundaries."""

from __future__ import annotations

import csv
import functools
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

import kmc
from ionsim.analysis.weibull import WeibullFit, weibull_fit
from ionsim.config import Device, VcmDevice
from ionsim.config.waveforms import Sweep
from ionsim.coupling import Network
from ionsim.devices.vcm import Vcm
from ionsim.errors import DeviceFileError, ResultsError

if TYPE_CHECKING:
    from ionsim.simulation import Simulation

Floats = NDArray[np.float64]

#: Numerics for many forming runs (``--set``): potentials within 2 kT/q, and no heat, which up to 1 uA is worth 2 % of
#: the voltage and more than half of the time. With 1 kT one seed of high symmetry forms at the same voltage, one of
#: low symmetry 7 % higher (docs/grain-boundaries.md).
QUICK = ("numerics.potential_error_kT=2.0", "numerics.freeze_temperature=true")

#: A site that carries this share of the current is part of the filament.
CARRIES = 0.1
#: Shifts of a filament over the film from which its chances are taken.
_SHIFTS = 500


@dataclass(frozen=True)
class Formed:
    """One forming run.

    ``V_form_V`` is the voltage at which the current reached the compliance; if it did not, the highest voltage of the
    ramp, and ``formed`` is False. ``x_nm``, ``y_nm``: the filament's axis, the mean position of the current.
    ``boundary_share``: of the current through vacancies (each weighted by what it carries), the part inside boundaries;
    ``touches``: a site that carries a tenth of the current lies in a boundary. ``chance_share`` and ``chance_touches``:
    the means of both over the same filament put anywhere in the film. ``sites_share``: share of the film's sites that
    lie in boundaries; ``axis_distance_nm``: from the axis to the nearest boundary at half the film's height.
    ``input_sha256``: digest of the device file that was run, so that a run of other settings is not taken for it.
    """

    structure: str
    seed: int
    formed: bool
    V_form_V: float
    x_nm: float
    y_nm: float
    boundary_share: float
    touches: bool
    chance_share: float
    chance_touches: float
    sites_share: float
    axis_distance_nm: float
    n_vacancies: int
    T_peak_K: float
    wall_s: float
    input_sha256: str


@dataclass(frozen=True)
class FormingStatistics:
    """What the runs of one structure have in common.

    ``fit`` is None where fewer than two voltages differ. ``on_boundary``: how many filaments carry most of their
    current in boundaries; ``touching``: how many touch one. ``*_interval``: their shares' 95 % intervals (Clopper and
    Pearson). ``sites_share``, ``chance_touches``: means over the films.
    """

    structure: str
    n: int
    n_formed: int
    mean_V: float
    std_V: float
    fit: WeibullFit | None
    on_boundary: int
    on_boundary_interval: tuple[float, float]
    touching: int
    touching_interval: tuple[float, float]
    sites_share: float
    chance_share: float
    chance_touches: float


def forming_sweep(device: Device) -> tuple[Sweep, float]:
    """The sweep of a VCM device and the compliance in A of its first stage.

    Raises DeviceFileError for another family, another drive, or a first stage without a compliance.
    """
    if not isinstance(device, VcmDevice):
        raise DeviceFileError(f"family: {device.family!r}; forming needs a device of the family 'vcm'")
    drive = device.drive
    if not isinstance(drive, Sweep):
        raise DeviceFileError(f"drive.kind: {drive.kind!r}; forming needs a sweep")
    limit_A = drive.stages[0].compliance_A or drive.compliance_A
    if limit_A is None:
        raise DeviceFileError("drive.stages.0.compliance_A: missing; forming needs a compliance, at which it ends")
    return drive, limit_A


def forming_only(device: Device, room: float = 1.0, returns: bool = False) -> VcmDevice:
    """The first stage of a device's sweep alone, which turns where the current reaches the compliance.

    ``room``: how many times the stage's own voltage the ramp may reach; ``returns``: it goes back to 0 V after it has
    turned. Raises DeviceFileError as :func:`forming_sweep` does.
    """
    drive, limit_A = forming_sweep(device)
    assert isinstance(device, VcmDevice)
    stage = drive.stages[0]
    changes = {
        "stop_V": room * stage.stop_V, "compliance_A": limit_A, "turn_at_compliance": True, "return_to_zero": returns,
    }  # fmt: skip
    return device.replace({"drive.stages": [stage.model_dump(mode="json", exclude_none=True) | changes]})


def simulated(device_toml: str, seed: int) -> Simulation:
    """The device of a TOML text after its whole drive, in this process and without files."""
    from mpi4py import MPI

    from ionsim.simulation import Simulation

    simulation = Simulation(Device.from_toml(device_toml), seed=seed, comm=MPI.COMM_SELF)
    for _ in simulation:
        pass
    return simulation


def form(device_toml: str, structure: str, seed: int) -> Formed:
    """Run the forming stage of a device (:func:`forming_only`) in this process."""
    begin = time.monotonic()
    simulation = simulated(device_toml, seed)
    series = simulation.recorder.series()
    limited = np.flatnonzero(series["limited"] > 0.0)
    volts = np.abs(series["voltage_V"])
    reached = float(volts[limited[0]]) if len(limited) else float(volts.max())
    cell = simulation.family
    assert isinstance(cell, Vcm)
    return Formed(
        structure=structure, seed=seed, formed=len(limited) > 0, V_form_V=reached, **_filament(cell, seed),
        n_vacancies=int(cell.lattice.conducting(cell.engine.occupation).sum()), T_peak_K=cell.peak_K,
        wall_s=time.monotonic() - begin, input_sha256=_digest(device_toml),
    )  # fmt: skip


def _filament(cell: Vcm, seed: int) -> dict[str, Any]:
    """Where the current of a formed device runs, and where it might have run."""
    lattice, fields_ = cell.lattice, cell.fields
    conducting = lattice.conducting(cell.engine.occupation)
    fields_.solve_potential(conducting)
    assert isinstance(fields_.network, Network)
    share = fields_.network.site_currents(conducting, fields_.unit_potential, 1.0) / fields_.conductance_S
    positions = lattice.positions_nm
    axis = (share @ positions) / share.sum() if share.sum() > 0.0 else np.full(3, math.nan)
    found: dict[str, Any] = {"x_nm": float(axis[0]), "y_nm": float(axis[1])}
    film = lattice.film
    if film is None:
        nothing = dict.fromkeys(("boundary_share", "chance_share", "chance_touches", "sites_share"), 0.0)
        return found | nothing | {"touches": False, "axis_distance_nm": math.inf}

    def inside(points: Floats) -> NDArray[np.bool_]:
        return np.asarray(film.region(film.locate(points)) > 0)

    path = np.flatnonzero(share > 0.0)
    carried, carrier = share[path] / share[path].sum(), share[path] >= CARRIES
    here = inside(positions[path])
    box = np.asarray(lattice.box_nm)
    shifts = np.random.default_rng(seed).random((_SHIFTS, 2)) * box[:2]
    moved = np.repeat(positions[path][None], _SHIFTS, axis=0)
    moved[:, :, :2] = (moved[:, :, :2] + shifts[:, None, :]) % box[:2]
    elsewhere = inside(moved.reshape(-1, 3)).reshape(_SHIFTS, len(path))
    middle = np.array([[axis[0], axis[1], 0.5 * box[2]]])
    return found | {
        "boundary_share": float(carried @ here),
        "touches": bool(np.any(here & carrier)),
        "chance_share": float((elsewhere @ carried).mean()),
        "chance_touches": float((elsewhere & carrier).any(axis=1).mean()),
        "sites_share": float(np.mean(lattice.sites.region > 0)),
        "axis_distance_nm": float(film.distance_nm(middle)[0]),
    }


def forming_runs(
    devices: Mapping[str, VcmDevice],
    seeds: Mapping[str, int],
    path: Path,
    workers: int = 2,
    on_done: Callable[[Formed, int], None] = lambda run, missing: None,
) -> list[Formed]:
    """Form devices with seeds from 1 in a pool of ``workers`` processes and keep the table ``path`` (CSV) as they end.

    ``devices`` and ``seeds`` by structure: the device, and how many seeds. What the table has is not run again; it is
    returned in order of structures and seeds. ``on_done(run, missing)`` is called as runs end.

    Raises DeviceFileError for what is no lattice with a forming stage (:func:`forming_sweep`), ResultsError for a table
    that holds runs of other settings, and kmc.SeedError when a run fails.
    """
    for device in devices.values():
        if device.model != "lattice":
            raise DeviceFileError(f"model: {device.model!r}; forming statistics need a lattice")
    texts = {name: forming_only(device).to_toml() for name, device in devices.items()}
    have = {(run.structure, run.seed): run for run in (read_runs(path) if path.exists() else [])}
    for (name, seed), run in have.items():
        if name in texts and run.input_sha256 != _digest(texts[name]):
            raise ResultsError(f"{path}: {name!r}, seed {seed}, was run with other settings; name another file")
    most = max(seeds.values())
    wanted = [(name, seed) for seed in range(1, most + 1) for name in texts if seed <= seeds[name]]
    todo = [task for task in wanted if task not in have]

    def keep(task: tuple[str, int], run: Formed) -> None:
        have[task] = run
        write_runs(path, have.values())
        on_done(run, sum(task not in have for task in todo))

    kmc.ensemble(functools.partial(_form, texts), todo, workers=workers, on_done=keep)
    return [have[name, seed] for name in texts for seed in range(1, seeds[name] + 1)]


def _form(texts: Mapping[str, str], task: tuple[str, int]) -> Formed:
    return form(texts[task[0]], *task)


def _digest(device_toml: str) -> str:
    return hashlib.sha256(device_toml.encode()).hexdigest()[:16]


def statistics(runs: Sequence[Formed]) -> FormingStatistics:
    """Statistics of the runs of one structure."""
    volts = [run.V_form_V for run in runs if run.formed]
    survived = [run.V_form_V for run in runs if not run.formed]
    fit = weibull_fit(volts, survived) if len(set(volts)) > 1 else None
    filaments = [run for run in runs if run.formed]
    inside = sum(run.boundary_share > 0.5 for run in filaments)
    touching = sum(run.touches for run in filaments)

    def mean(key: str) -> float:
        return float(np.mean([getattr(run, key) for run in filaments])) if filaments else math.nan

    return FormingStatistics(
        structure=runs[0].structure, n=len(runs), n_formed=len(volts),
        mean_V=float(np.mean(volts)) if volts else math.nan,
        std_V=float(np.std(volts, ddof=1)) if len(volts) > 1 else math.nan,
        fit=fit, on_boundary=inside, on_boundary_interval=proportion(inside, len(filaments)),
        touching=touching, touching_interval=proportion(touching, len(filaments)),
        sites_share=mean("sites_share"), chance_share=mean("chance_share"), chance_touches=mean("chance_touches"),
    )  # fmt: skip


def proportion(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share after ``count`` of ``n`` (Clopper and Pearson 1934)."""
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(count, n).proportion_ci(confidence_level=level, method="exact")
    return float(interval.low), float(interval.high)


def write_runs(path: Path, runs: Iterable[Formed]) -> None:
    """Write runs as CSV, a line each."""
    names = [field.name for field in fields(Formed)]
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([_text(getattr(run, name)) for name in names] for run in runs)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error})") from error


def read_runs(path: Path) -> list[Formed]:
    """Runs that :func:`write_runs` wrote; ResultsError where the file holds something else."""
    kinds: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "bool": lambda text: text == "1"}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [Formed(**{item.name: kinds[str(item.type)](row[item.name]) for item in fields(Formed)}) for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{path}: no table of forming runs ({error})") from error


def _text(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return f"{value:.6g}" if isinstance(value, float) else value
