"""The same vacancy device as a lattice and as a continuum, side by side.

::

    report = compare(load("hfo2_ti_bipolar"), range(1, 6), "comparison")
    print(report.states[0].continuum.conductance_S)

The lattice is an ensemble; the continuum is :func:`ionsim.analysis.vcm_mapping.matched`. At the end of each stage the
ensemble's vacancies go to the continuum, which solves potential and heat for them, and are drawn back to lattices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from ionsim.analysis.switching import summarise
from ionsim.analysis.vcm_mapping import (
    ConductivityTable,
    around,
    conductivity_table,
    matched,
    positions_nm,
    sites_per_m3,
    spacing_nm,
)
from ionsim.analysis.vcm_retention import LatticeState, state_of
from ionsim.analysis.vcm_transfer import Transfer
from ionsim.config import Device, VcmDevice
from ionsim.config.waveforms import Sweep
from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_continuum import VcmContinuum
from ionsim.devices.vcm_continuum_cell import DENSITY, build_cell
from ionsim.errors import DeviceFileError
from ionsim.results import Run
from ionsim.simulation import Simulation, ensemble
from ionsim.simulation.loop import STATES

Floats = NDArray[np.float64]

#: Power at which temperatures are compared, W; both models are linear in it. Chosen: some ten kelvin.
POWER_W = 1e-5

#: Elements of the filament along r in the report, nm; chosen: half of a lattice spacing.
_SIZE_NM = 0.12


@dataclass(frozen=True)
class Fields:
    """What a configuration conducts and how hot it gets.

    ``number`` of vacancies, ``conductance_S``, ``thermal_K_per_W`` (rise of the hottest point over the power), and the
    mean rise ``axis_K`` (layers,) over the sites of each layer around the axis at ``POWER_W``.
    """

    number: float
    conductance_S: float
    thermal_K_per_W: float
    axis_K: Floats


@dataclass(frozen=True)
class StateReport:
    """One moment in both models.

    ``lattice``: each seed; ``continuum``: the mean density of all of them; ``single``: the continuum of each seed's own
    density; ``back``: a lattice drawn from the mean density for each seed. Maps (nz, n) over ``r_nm`` and ``z_nm``:
    share of vacant sites, rise in K at ``POWER_W`` of the lattices (mean) and of the continuum; ``own_share`` over
    ``own_r_nm`` and ``own_z_nm`` is what the continuum made itself of the lattices' state after the first stage.
    ``sites_K``: largest and mean difference of the lattices' mean rise taken to the mesh and back, K.
    """

    label: str
    lattice: list[Fields]
    continuum: Fields
    single: list[Fields]
    back: list[Fields]
    maps: dict[str, Floats]
    sites_K: tuple[float, float]


@dataclass(frozen=True)
class Curves:
    """log10 of the current by stage and branch: rows of (stage, 0 out or 1 back, voltage), aligned with all else.

    ``mean``, ``spread`` (standard deviation), ``count`` of the seeds; ``continuum`` from the virgin state and
    ``handed`` from the lattices' state after the first stage; nan where there is no current.
    """

    stage: NDArray[np.int64]
    branch: NDArray[np.int64]
    voltage_V: Floats
    mean: Floats
    spread: Floats
    count: NDArray[np.int64]
    continuum: Floats
    handed: Floats


@dataclass(frozen=True)
class Comparison:
    """All that the report holds."""

    device: VcmDevice
    continuum: VcmDevice
    table: ConductivityTable
    stages: tuple[str, ...]
    curves: Curves
    states: list[StateReport]
    summaries: list[dict[str, Any]]
    virgin: dict[str, Any]
    handed: dict[str, Any]
    heights_nm: Floats
    seeds: tuple[int, ...] = field(default=())


def checked(device: Device) -> VcmDevice:
    """The device if it can be compared. Raises DeviceFileError."""
    if not isinstance(device, VcmDevice):
        raise DeviceFileError(f"family: {device.family!r}; only a device of the family 'vcm' has both models")
    if device.model != "lattice":
        raise DeviceFileError('model: "continuum"; the comparison starts from the lattice and makes its continuum')
    if not isinstance(device.drive, Sweep):
        raise DeviceFileError(f"drive.kind: {device.drive.kind!r}; the comparison needs a sweep")
    if device.drive.transistor is not None:
        raise DeviceFileError("drive.transistor: the continuum has none yet; use series_resistance_ohm or compliance_A")
    if device.exchange is None:
        raise DeviceFileError("exchange: missing; without it the lattice forms no filament to compare")
    around(device)
    return device


def compare(
    device: Device,
    seeds: Sequence[int],
    out: str | Path,
    *,
    workers: int | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Run both models and compare them; the lattices' runs are kept in ``out/lattice``.

    Raises:
        DeviceFileError: for a device that has no such continuum.
        IonsimError: when a run fails.
    """
    lattice = checked(device)
    folder = Path(out) / "lattice"
    found = ensemble(
        lattice, seeds, folder, workers=workers, force=force,
        on_done=lambda seed, summary: say(f"lattice, seed {seed}: {summary['wall_time_s']:.0f} s"),
    )  # fmt: skip
    runs = [Run.open(folder / f"seed_{seed}") for seed in seeds]
    stages = runs[0].stages
    labels = [STATES.get(name, name) for name in stages]
    first = [state_of(run, labels[0]) for run in runs]
    say("conductivity of the network")
    table = conductivity_table(lattice)
    held = float(np.mean([one.held for one in first]))
    continuum = matched(lattice, table, held=held, size_nm=_SIZE_NM)
    states = [_state(lattice, continuum, label, [state_of(run, label) for run in runs]) for label in labels]
    say("continuum from the virgin state")
    virgin, _ = _sweep(continuum, lattice, None, 0)
    say(f"continuum from the lattices' state {labels[0]!r}")
    handed, own = _sweep(continuum, lattice, first, 1)
    for state in states:
        state.maps.update(own.get(state.label, {}))
    curves = _curves(lattice, [run.series for run in runs], virgin, handed)
    later = {**handed, "stage": handed["stage"] - 1} if handed else {}
    return Comparison(
        lattice, continuum, table, stages, curves, states, list(found.values()),
        summarise(continuum, virgin, stages), summarise(_later(continuum, 1), later, stages[1:]) if handed else {},
        np.unique(np.round(positions_nm(lattice)[:, 2], 6)), tuple(seeds),
    )  # fmt: skip


# -- states -------------------------------------------------------------------------------------------------------


def _state(lattice: VcmDevice, continuum: VcmDevice, label: str, states: list[LatticeState]) -> StateReport:
    """Both models at one moment; for its fields the continuum is one oxide, without the pipe's energies."""
    plain = continuum.replace({"continuum.boundary_nm": None})
    assert isinstance(plain, VcmDevice)
    cell, sites = build_cell(plain), positions_nm(lattice)
    transfer = Transfer(cell, around(lattice), sites, spacing_nm(lattice))
    family = Vcm(lattice, np.random.SeedSequence(lattice.seed), MPI.COMM_SELF)
    near = _near_axis(lattice)
    ambient = lattice.ambient_K

    def of_lattice(occupation: NDArray[np.int8]) -> tuple[Fields, Floats]:
        family.place(occupation)
        fields = family.fields
        volts = float(np.sqrt(POWER_W / fields.conductance_S))
        fields.solve_heat(occupation == 1, volts, None)
        rise = fields.temperature_K - ambient
        result = Fields(float(occupation.sum()), fields.conductance_S, (fields.peak_K - ambient) / POWER_W,
                        _by_layer(sites, rise, near))  # fmt: skip
        return result, rise

    def of_continuum(amounts: Floats) -> tuple[Fields, Floats]:
        transfer.place_amounts(amounts)
        cell.electrical.temperature_K = np.full(cell.electrical.halo.local, ambient)
        conductance = cell.electrical.steady(0.1).current_A / 0.1
        cell.electrical.steady(float(np.sqrt(POWER_W / conductance)))
        rise = cell.electrical.temperature_K - ambient
        at_sites = _by_layer(sites, transfer.field_at_sites(rise), near)
        return Fields(cell.vacancies.total, conductance, float(rise.max()) / POWER_W, at_sites), rise

    lattices = [of_lattice(one.occupation) for one in states]
    single = [of_continuum(transfer.amounts([one.occupation == 1]))[0] for one in states]
    amounts = transfer.amounts([one.occupation == 1 for one in states])
    mean, rise = of_continuum(amounts)
    back = [of_lattice(transfer.occupation(amounts, k).astype(np.int8))[0] for k in range(len(states))]
    sites_rise = np.mean([one for _, one in lattices], axis=0)
    on_mesh = transfer.field_at_nodes(sites_rise)
    difference = np.abs(transfer.field_at_sites(np.nan_to_num(on_mesh)) - sites_rise)
    maps = _maps(transfer, amounts, on_mesh, rise, sites_per_m3(lattice))
    return StateReport(label, [one for one, _ in lattices], mean, single, back, maps,
                       (float(difference.max()), float(difference.mean())))  # fmt: skip


def _near_axis(device: VcmDevice) -> NDArray[np.bool_]:
    """(N,) sites around the axis: those of the weak spot, or within 0.5 nm."""
    place, sites = around(device), positions_nm(device)
    radius = device.weak_spots[0].radius_nm if device.weak_spots else 0.5
    return np.asarray(np.hypot(*(sites[:, :2] - place.axis_nm).T) <= radius)


def _by_layer(sites: Floats, values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """(layers,) mean of values (N,) over chosen sites of each height."""
    _, layer = np.unique(np.round(sites[:, 2], 6), return_inverse=True)
    total = np.bincount(layer[chosen], values[chosen])
    return np.asarray(total / np.bincount(layer[chosen]))


def _maps(
    transfer: Transfer, amounts: Floats, lattice_K: Floats, continuum_K: Floats, sites: float
) -> dict[str, Floats]:
    """The nodes of the oxide as a grid."""
    nodes, at = transfer.cell.vacancies.nodes, transfer.space.tabulate_dof_coordinates()
    order = nodes[np.lexsort((np.round(at[nodes, 0], 9), np.round(at[nodes, 1], 9)))]
    z, r = np.unique(np.round(at[order, 1], 9)), np.unique(np.round(at[order, 0], 9))
    volume = transfer.cell.vacancies.volume_m3()
    grid = (len(z), len(r))
    return {
        "r_nm": r, "z_nm": z, "share": (amounts[order] / (volume[order] * sites)).reshape(grid),
        "lattice_K": lattice_K[order].reshape(grid), "continuum_K": continuum_K[order].reshape(grid),
    }  # fmt: skip


# -- current and voltage ------------------------------------------------------------------------------------------


def _later(device: VcmDevice, begun: int) -> VcmDevice:
    """The device with the stages of its sweep from ``begun`` on."""
    assert isinstance(device.drive, Sweep)
    stages = [stage.model_dump() for stage in device.drive.stages[begun:]]
    later = device.replace({"drive.stages": stages})
    assert isinstance(later, VcmDevice)
    return later


def _sweep(
    continuum: VcmDevice, lattice: VcmDevice, states: Sequence[LatticeState] | None, begun: int
) -> tuple[dict[str, Floats], dict[str, dict[str, Floats]]]:
    """The continuum from a state of the lattices (else the virgin one) through the stages from ``begun``.

    Its series, and by state the share of vacant sites on a grid: ``own_r_nm`` (n,), ``own_z_nm`` (nz,), ``own_share``.
    """
    assert isinstance(continuum.drive, Sweep)
    if begun >= len(continuum.drive.stages):
        return {}, {}
    simulation = Simulation(_later(continuum, begun) if begun else continuum, comm=MPI.COMM_SELF)
    family = simulation.family
    assert isinstance(family, VcmContinuum)
    transfer = Transfer(family.cell, around(lattice), positions_nm(lattice), spacing_nm(lattice))
    if states is None:
        begin = lattice.vacancy.initial_fraction * sites_per_m3(lattice)
        family.place(family.cell.vacancies.volume_m3() * begin)
    else:
        family.place(transfer.amounts([one.occupation == 1 for one in states]))
    for _ in simulation:
        pass
    series = simulation.recorder.series()
    inside = around(lattice)
    found = {}
    for label, moment in simulation.recorder.snapshots.items():
        r, z = moment.extra["cut/r_nm"], moment.extra["cut/z_nm"]
        chosen = np.ix_((z >= 0.0) & (z <= inside.box_nm[2]), r <= inside.radius_nm)
        share = moment.extra[f"cut/{DENSITY}"][chosen] / sites_per_m3(lattice)
        found[label] = {"own_r_nm": r[chosen[1][0]], "own_z_nm": z[chosen[0][:, 0]], "own_share": share}
    return {**series, "stage": series["stage"] + begun}, found


def _curves(
    device: VcmDevice, lattices: Sequence[dict[str, Floats]], virgin: dict[str, Floats], handed: dict[str, Floats]
) -> Curves:
    assert isinstance(device.drive, Sweep)
    step = device.drive.step_V
    rows: list[tuple[float, ...]] = []
    for stage in range(len(device.drive.stages)):
        every = [one for one in (*lattices, virgin, handed) if one and np.any(one["stage"] == stage)]
        reach = max(float(np.abs(one["voltage_V"][one["stage"] == stage]).max()) for one in every)
        sign = np.sign(device.drive.stages[stage].stop_V)
        for branch in (0, 1):
            volts = np.asarray(step * np.arange(1, round(reach / step) + 1), dtype=np.float64)
            turns = branch == 0 and device.drive.stages[stage].turn_at_compliance
            logs = np.array([_branch(one, stage, branch, volts, turns) for one in lattices])
            count = np.isfinite(logs).sum(axis=0)
            total = np.nansum(logs, axis=0)
            mean = np.divide(total, count, out=np.full(len(volts), np.nan), where=count > 0)
            square = np.nansum((logs - mean) ** 2, axis=0)
            spread = np.sqrt(np.divide(square, count - 1, out=np.full(len(volts), np.nan), where=count > 1))
            others = [_branch(one, stage, branch, volts) for one in (virgin, handed)]
            for k in range(len(volts)):
                rows.append((stage, branch, sign * volts[k], mean[k], spread[k], count[k], others[0][k], others[1][k]))
    columns = np.array(rows, dtype=float).T
    stages, branches, voltage, mean, spread, count, first, second = columns
    return Curves(stages.astype(int), branches.astype(int), voltage, mean, spread, count.astype(int), first, second)


def _branch(series: dict[str, Floats], stage: int, branch: int, volts: Floats, holds: bool = False) -> Floats:
    """log10 |I| at voltages of this size (n,) on the way out (0) or back (1) of a stage; nan where it does not go.

    ``holds``: beyond the voltage at which it turned it keeps the current that it had there, so that a mean over seeds
    does not lose those that have formed.
    """
    if not series or not np.any(series["stage"] == stage):
        return np.full(len(volts), np.nan)
    inside = series["stage"] == stage
    size, current = np.abs(series["voltage_V"][inside]), np.abs(series["current_A"][inside])
    turn = int(np.argmax(size))
    chosen = slice(0, turn + 1) if branch == 0 else slice(turn, None)
    size, current = size[chosen], current[chosen]
    order = np.argsort(size, kind="stable")
    size, logs = size[order], np.log10(np.maximum(current[order], 1e-300))
    good = size > 0.0
    if not np.any(good):
        return np.full(len(volts), np.nan)
    return np.interp(volts, size[good], logs[good], left=np.nan, right=float(logs[good][-1]) if holds else np.nan)
