"""Spread of cells from an ensemble: many seeds, many cycles each, and what it means for a model's parameters.

A run is a device, a RESET with the SET after it is a cycle. What is read of both follows the definitions of
``ionsim.analysis.switching``, for runs and for replays alike. Parameters of a cycle are those with which the model,
swept as the runs were, shows what that cycle showed. Where more parameters vary than quantities are shown, the smallest
change from the middle of the ensemble is taken, in scales that are chosen by parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import reset_voltage, switching_voltage
from ionsim.compact.benchmark import train_ends, universal_metrics
from ionsim.compact.card import Card, make_card
from ionsim.compact.cardparts import Metric, PulseTrain, Retention, Statistics
from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.protocol import Experiment, Measurement
from ionsim.compact.extraction.replay import Replay
from ionsim.compact.statistics import fit_statistics
from ionsim.compact.verify.trial import TRIALS
from ionsim.config import Device
from ionsim.results.atomic import write_text

Floats = NDArray[np.float64]
Shown = Callable[[Floats], Floats]

#: What a cycle shows, and the unit.
OBSERVED = {"v_reset_V": "V", "g_off_S": "S", "v_set_V": "V", "g_on_S": "S"}

#: Steps of Broyden's method, the error of a voltage (V) and of ln G that ends them, and the largest step, in scales of
#: the parameters.
_ROUNDS, _VOLT, _LOG, _MOST = 15, 2.5e-3, 5e-3, 2.0

#: How often a step is halved.
_SHORTER = 4

#: Smallest part of the way to the middle of an ensemble that is tried.
_LEAST_PART = 0.05

#: Voltage step of the runs over that of the replays, which follow the ramp: a lattice's staircase is half a step ahead.
_FINER = 5

#: Series resistance of a replay, at least, in Ohm: the corner of a compliance without any cannot be integrated. 4 mV at
#: 80 uA, less than the voltage step of a run.
_LEAST_OHM = 50.0

#: Change of a parameter, in its scale, that a derivative is taken with: above what a step of voltage hides.
_DIFFERENCE = 0.5

#: Condition number beyond which parameters do not tell quantities apart.
_TOLD_APART = 1e3

#: Parameters that vary from cycle to cycle by family, and the relative change of each that counts as one; chosen: what
#: would not astonish between two cells of one wafer.
SCALES = {
    "vcm": {
        "rth": 0.3, "rth_gap": 0.3, "i_off": 0.3, "ea": 0.01, "g_on": 0.1, "rs": 0.1, "disc": 0.05, "mix": 0.1,
        "stretch": 0.1,
    }
}  # fmt: skip

#: Cycles that must have been found for statistics.
_ENOUGH = 3


def ensemble_of(device: Device, seeds: Sequence[int], n_cycles: int) -> Experiment:
    """The device's sweep with RESET and SET repeated, one run a seed; raises CompactError for another drive."""
    if device.drive.kind != "sweep":
        raise CompactError(f"{device.name}: driven by {device.drive.kind!r}; cycles are those of a sweep")
    stages = [stage.model_dump(exclude_none=True) for stage in device.drive.stages]
    named = {stage["name"]: stage for stage in stages}
    if not {"reset", "set"} <= named.keys():
        raise CompactError(f"{device.name}: stages {', '.join(named)}; a cycle needs 'reset' and 'set'")
    for number in range(2, n_cycles + 1):
        stages += [{**named[name], "name": f"{name}_{number}"} for name in ("reset", "set")]
    drive = device.drive.model_dump(exclude_none=True) | {"stages": stages}
    what = f"{len(seeds)} devices, {n_cycles} cycles each"
    return Experiment("spread", "spread", device.replace({"drive": drive}), what, "sweep", tuple(seeds))


def cycles(series: Mapping[str, Floats], stages: Sequence[str], read_V: float) -> Floats:
    """What each cycle shows (n, 4), in the order of ``OBSERVED``; nan where a stage did not switch."""
    rows, pending = [], None
    for index, name in enumerate(stages):
        part = {key: np.asarray(values)[series["stage"] == index] for key, values in series.items()}
        if len(part["voltage_V"]) < 2:
            continue
        conductance = part["conductance_S"]
        known = np.isfinite(conductance)  # a replay has none at 0 V
        part["conductance_S"] = np.interp(part["time_s"], part["time_s"][known], conductance[known])
        if name.startswith("reset"):
            volts = reset_voltage(part)
            pending = (np.nan if volts is None else volts, _read(part, read_V))
        elif name.startswith("set") and pending is not None:
            volts = switching_voltage(part)
            rows.append((*pending, np.nan if volts is None else volts, _read(part, read_V)))
            pending = None
    return np.array(rows, dtype=float).reshape(-1, len(OBSERVED))


def observe(measured: Sequence[Measurement], role: str = "spread") -> tuple[Floats, NDArray[np.int64]]:
    """Cycles (n, 4) of all sweeps of a role and the seed of each; cycles that did not switch are nan."""
    rows, seeds = [], []
    for one in measured:
        if one.role == role and one.device.drive.kind == "sweep":
            found = cycles(one.series, one.stages, one.device.drive.read_V)
            rows.append(found)
            seeds += [one.seed] * len(found)
    return np.concatenate(rows) if rows else np.zeros((0, len(OBSERVED))), np.array(seeds, dtype=np.int64)


def moved(rows: Floats, medians: Floats) -> Floats:
    """Cycles (n, 4) with other medians (4,): voltages by a difference, conductances by a factor."""
    out = rows.copy()
    for k, name in enumerate(OBSERVED):
        middle = float(np.nanmedian(rows[:, k]))
        out[:, k] = rows[:, k] * (medians[k] / middle) if name.endswith("_S") else rows[:, k] + (medians[k] - middle)
    return out


class CycleModel:
    """A model swept through one cycle as an ensemble was; called with parameters, it shows what a cycle shows (4,)."""

    def __init__(self, model: Model, device: Device, values: Mapping[str, float]) -> None:
        self.model, self.values = model, dict(values)
        drive = device.drive
        assert drive.kind == "sweep"
        names = [stage.name for stage in drive.stages]
        wanted = {"forming", "reset", "set"}
        kept = [stage for stage in drive.stages if stage.name in wanted]
        self.stages = tuple(name for name in names if name in wanted)
        self.read_V = drive.read_V
        changes = {
            "stages": tuple(kept),
            # finer than the runs were recorded: a step of voltage would hide small changes of a parameter
            "step_V": drive.step_V / _FINER,
            "series_resistance_ohm": max(drive.series_resistance_ohm, _LEAST_OHM),
        }
        self.replay = Replay(model, drive.model_copy(update=changes), device.ambient_K)

    def __call__(self, changes: Mapping[str, float]) -> Floats:
        """Raises CompactError where the replay stops, or nothing switches."""
        found = cycles(self.replay({**self.values, **changes}), self.stages, self.read_V)
        if len(found) != 1 or not np.isfinite(found).all():
            raise CompactError("no switching")
        return np.asarray(found[0])


def parameters_of(model: CycleModel, scales: Mapping[str, float], shown: Sequence[str], rows: Floats) -> Floats:
    """Parameters (n, k) of cycles ``rows`` (n, 4) that show ``shown``; nan where the method does not arrive.

    ``scales`` (k of them, no fewer than ``shown``): relative change of a parameter that counts as one. Voltages are
    compared as they are, conductances by their logarithm; parameters move by their logarithm. Raises CompactError
    where the parameters cannot tell the quantities apart, or the middle of all cycles is not reached.
    """
    columns = [list(OBSERVED).index(name) for name in shown]
    names, units = list(scales), np.array(list(scales.values()))
    if len(names) < len(shown):
        raise CompactError(f"{len(names)} parameters cannot show {len(shown)} quantities")
    nominal = np.log([model.values[name] for name in names])
    limits = np.array([_LOG if name.endswith("_S") else _VOLT for name in shown])

    def at(x: Floats) -> Floats:
        values = np.exp(nominal + units * x).tolist()
        return _scaled(model(dict(zip(names, values, strict=True))), columns, shown)

    wanted = np.array([_scaled(row, columns, shown) for row in rows])
    whole = np.isfinite(wanted).all(axis=1)
    middle, slopes = _middle(at, np.zeros(len(names)), np.median(wanted[whole], axis=0), limits)
    largest = np.asarray(np.abs(slopes).max(axis=1), dtype=np.float64)
    if np.linalg.cond(slopes / largest[:, None]) > _TOLD_APART:
        raise CompactError(f"{', '.join(names)} do not tell {', '.join(shown)} apart")
    out = np.full((len(rows), len(names)), np.nan)
    for place in np.flatnonzero(whole):
        found = _solved(at, middle, slopes, wanted[place], limits)
        if found is not None:
            out[place] = np.exp(nominal + units * found)
    return out


def _slopes(at: Shown, x: Floats) -> Floats:
    """Derivatives (k, n) at x (n,)."""
    steps = np.eye(len(x)) * _DIFFERENCE
    return np.column_stack([(at(x + step) - at(x - step)) / (2 * _DIFFERENCE) for step in steps])


def _middle(at: Shown, x: Floats, wanted: Floats, limits: Floats) -> tuple[Floats, Floats]:
    """Where the middle of all cycles is shown, from the fitted values in steps as long as they succeed, and the
    derivatives there."""
    begin, part, step = at(x), 0.0, 1.0
    while part < 1.0:
        target = min(1.0, part + step)
        found = _solved(at, x, _slopes(at, x), begin + target * (wanted - begin), limits)
        if found is not None:
            x, part = found, target
            continue
        step /= 2
        if step < _LEAST_PART:
            raise CompactError("spread: the fitted parameters are too far from the middle of the ensemble")
    return x, _slopes(at, x)


def _solved(at: Shown, start: Floats, slopes: Floats, wanted: Floats, limits: Floats) -> Floats | None:
    """Broyden's method with steps of least length, halved where they lead away or nothing switches; None where it does
    not arrive."""
    x, slopes = start.copy(), slopes.copy()
    try:
        error = at(x) - wanted
    except CompactError:
        return None
    for _ in range(_ROUNDS):
        if np.all(np.abs(error) <= limits):
            return x
        step = np.clip(-np.linalg.pinv(slopes) @ error, -_MOST, _MOST)
        changed = None
        for _ in range(_SHORTER):
            try:
                changed = at(x + step) - wanted
            except CompactError:
                changed = None
            if changed is not None and np.linalg.norm(changed / limits) < 1.2 * np.linalg.norm(error / limits):
                break
            step = step / 2
        else:
            return None
        if changed is None:
            return None
        slopes += np.outer(changed - error - slopes @ step, step) / max(float(step @ step), 1e-30)
        x, error = x + step, changed
    return x if np.all(np.abs(error) <= limits) else None


def spread_of(
    rows: Floats,
    seeds: NDArray[np.int64],
    model: CycleModel,
    scales: Mapping[str, float],
    shown: Sequence[str] = tuple(OBSERVED),
    about_own: bool = False,
) -> tuple[Statistics | None, Statistics | None, tuple[str, ...]]:
    """Statistics of parameters and of what was observed, and notes, from cycles (n, 4) of devices (n,).

    None for what there are too few cycles for. ``scales``: the parameters that vary, as in :func:`parameters_of`.
    ``about_own``: the ensemble is moved so that its medians are what the model shows; its spread alone is taken over
    (that of a lattice for a model of the continuum, say).
    """
    whole = np.isfinite(rows).all(axis=1)
    if whole.sum() < _ENOUGH:
        return None, None, (f"spread: {whole.sum()} cycles that switched",)
    notes = [f"spread: {whole.sum()} of {len(rows)} cycles switched, {len(np.unique(seeds))} devices"]
    if about_own:
        rows = moved(rows, model({}))
        notes.append("spread: about the medians of the model")
    observed = fit_statistics(list(OBSERVED), list(OBSERVED.values()), rows[whole], seeds[whole])
    names = list(scales)
    try:
        found = parameters_of(model, scales, shown, rows[whole])
    except CompactError as error:
        return None, observed, (*notes, str(error))
    solved = np.isfinite(found).all(axis=1)
    notes.append(f"spread: parameters found for {solved.sum()} of {whole.sum()} cycles")
    if solved.sum() < _ENOUGH:
        return None, observed, tuple(notes)
    units = [model.model.parameter(name).unit for name in names]
    return fit_statistics(names, units, found[solved], seeds[whole][solved]), observed, tuple(notes)


def with_spread(
    card: Card,
    rows: Floats,
    seeds: NDArray[np.int64],
    scales: Mapping[str, float],
    shown: Sequence[str] = tuple(OBSERVED),
    about_own: bool = True,
) -> tuple[Card, tuple[str, ...]]:
    """The card with statistics and metrics of an ensemble, and notes; raises CompactError without its device."""
    if card.device is None:
        raise CompactError(f"card {card.name}: without a device there is no sweep to compare with")
    compact = card.compact_model()
    model = CycleModel(compact, Device.from_toml(card.device.toml), compact.values())
    statistics, observed, notes = spread_of(rows, seeds, model, scales, shown, about_own)
    own = moved(rows, model({})) if about_own else rows
    found = metrics([], card.pulses, card.retention, ensemble=(own, seeds))
    kept = {name: item for name, item in card.benchmark.items() if name not in found or found[name].value is None}
    changes = {"statistics": statistics, "observed": observed, "benchmark": found | kept}
    return make_card(card.model_dump(mode="json") | changes), notes


def complete(card: Card, measured: Sequence[Measurement], times: Sequence[tuple[str, bool, float, float]] = ()) -> Card:
    """The card with what its extraction left open: universal metrics, and the spread of an ensemble among ``measured``.

    ``times``: switching times as an extraction has them: name, held out, of the physics and of the model, in s.
    """
    changes: dict[str, Any] = {}
    rows, seeds = observe(measured)
    if card.statistics is None and len(rows) and card.family in SCALES:
        known = card.values()
        scales = {name: scale for name, scale in SCALES[card.family].items() if name in known}
        model = CycleModel(card.compact_model(), next(one.device for one in measured if one.role == "spread"), known)
        changes["statistics"], changes["observed"], _ = spread_of(rows, seeds, model, scales)
    if not card.benchmark:
        trial = TRIALS.get(card.family)
        gated = trial is not None and trial.gated
        changes["benchmark"] = metrics(measured, card.pulses, card.retention, switching_pairs(times), gated)
    return make_card(card.model_dump(mode="json") | changes, f"card {card.name}")


def switching_pairs(times: Sequence[tuple[str, bool, float, float]]) -> list[tuple[float, float]]:
    """Voltage and time of the physics, of names such as ``set_1.30V_300K``: at the lowest ambient, of the sign that has
    more of them."""
    found: dict[tuple[float, bool], list[tuple[float, float]]] = {}
    for name, _, physics_s, _ in times:
        volts, kelvin = re.search(r"_(-?[\d.]+)V", name), re.search(r"_([\d.]+)K", name)
        if volts and kelvin and physics_s > 0:
            opens = name.startswith("reset")
            found.setdefault((float(kelvin.group(1)), opens or volts.group(1).startswith("-")), []).append(
                (float(volts.group(1)), physics_s)
            )
    if not found:
        return []
    coldest = min(kelvin for kelvin, _ in found)
    groups = sorted((pairs for (kelvin, _), pairs in found.items() if kelvin == coldest), key=lambda pairs: -len(pairs))
    return sorted(groups[0])


def write_rows(path: Path, rows: Floats, seeds: NDArray[np.int64]) -> Path:
    """An ensemble as CSV, one line a cycle."""
    lines = [",".join(("seed", *OBSERVED))]
    lines += [",".join((str(seed), *(f"{value:.6g}" for value in row))) for seed, row in zip(seeds, rows, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(lines) + "\n")
    return path


def read_rows(path: Path) -> tuple[Floats, NDArray[np.int64]]:
    """Cycles (n, 4) and seeds (n,) of such a file; raises CompactError for other columns."""
    head = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
    if head != ["seed", *OBSERVED]:
        raise CompactError(f"{path}: columns {', '.join(head)}; needs seed, {', '.join(OBSERVED)}")
    table = np.genfromtxt(path, delimiter=",", skip_header=1, ndmin=2)
    return table[:, 1:], table[:, 0].astype(np.int64)


def metrics(
    measured: Sequence[Measurement],
    trains: Sequence[PulseTrain] = (),
    retention: Sequence[Retention] = (),
    switching: Sequence[tuple[float, float]] = (),
    gated: bool = False,
    ensemble: tuple[Floats, NDArray[np.int64]] | None = None,
) -> dict[str, Metric]:
    """Universal metrics: states of the ensemble's cycles, else of the slowest sweep at the lowest ambient, else ends of
    trains; empty without any.

    The write voltage is the larger one of SET and RESET, medians; the pulse is that of the trains. ``gated``: the
    voltage over the channel is that of a read, and its current writes nothing.
    """
    rows, seeds = ensemble or observe(measured)
    whole = np.isfinite(rows).all(axis=1)
    if not whole.any():
        sweeps = [one for one in measured if one.role == "fit" and one.device.drive.kind == "sweep"]
        sweeps.sort(key=lambda one: (one.ambient_K, one.device.drive.ramp_rate_V_per_s))  # type: ignore[union-attr]
        rows, seeds = observe(sweeps[:1], "fit")
        whole = np.isfinite(rows).all(axis=1)
    width_s = trains[0].width_s if trains else None
    if whole.any():
        column = {name: rows[whole, k] for k, name in enumerate(OBSERVED)}
        write_V = float(max(np.median(np.abs(column["v_set_V"])), np.median(np.abs(column["v_reset_V"]))))
        on, off, devices = column["g_on_S"], column["g_off_S"], seeds[whole]
    elif trains:
        on, off, devices = train_ends(trains)
        if gated:
            found = universal_metrics(on, off, devices, abs(trains[0].read_V), width_s, trains, retention, switching)
            why = "the channel's current does not write: what counts is the energy of a pulse at the gate"
            return found | {"E_action_J": Metric(value=None, unit="J", note=why)}
        volts = [abs(train.amplitude) for train in trains if train.amplitude_unit == "V"]
        if not volts:
            return universal_metrics(on, off, devices, None, width_s, trains, retention, switching)
        write_V = max(volts)
    else:
        return {}
    return universal_metrics(on, off, devices, write_V, width_s, trains, retention, switching)


def _scaled(row: Floats, columns: Sequence[int], shown: Sequence[str]) -> Floats:
    picked = row[columns]
    return np.array(
        [np.log(value) if name.endswith("_S") else value for value, name in zip(picked, shown, strict=True)]
    )


def _read(part: Mapping[str, Floats], read_V: float) -> float:
    """Conductance at the read voltage on the way back to zero."""
    turn = int(np.argmax(np.abs(part["voltage_V"])))
    back = slice(turn, None) if turn + 1 < len(part["voltage_V"]) else slice(None)
    volts = np.abs(part["voltage_V"][back])
    near = int(np.argmin(np.abs(volts - read_V)))
    return float(part["conductance_S"][back][near])
