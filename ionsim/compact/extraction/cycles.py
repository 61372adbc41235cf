"""Cycles of an ensemble: what a RESET and a SET show, read alike off runs and off replays.

Definitions are those of ``ionsim.analysis.switching``; of a sequence of pulses the conductance at the end of the rest
after each is read, and there is no switching voltage. A run records a voltage to a step of its ramp; a replay tells
the moment within the step (:class:`CycleModel`), so that small changes of a parameter are seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import reset_voltage, switching_voltage
from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.kernel import LIMITER
from ionsim.compact.extraction.protocol import Experiment, Measurement
from ionsim.compact.extraction.replay import Replay
from ionsim.config import Device
from ionsim.results.atomic import write_text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: What a cycle shows, and the unit.
OBSERVED = {"v_reset_V": "V", "g_off_S": "S", "v_set_V": "V", "g_on_S": "S"}

#: Scale on which means and deviations of it are compared: voltages as they are, conductances by their logarithm.
KINDS: dict[str, Literal["normal", "lognormal"]] = {
    name: "lognormal" if unit == "S" else "normal" for name, unit in OBSERVED.items()
}

#: Series resistance of a replay, at least, in Ohm: the corner of a compliance without any cannot be integrated where
#: a model runs away. 4 mV at 80 uA, less than the voltage step of a run.
_LEAST_OHM = 50.0

#: Current at which a replay's demand reaches the compliance, over the compliance: there a run counts as limited.
_AT_LIMIT = 2.0 ** (-1.0 / LIMITER)

#: Stages, or pulses, of an ensemble that a model is driven through.
_DRIVEN = ("forming", "reset", "set", "reset_2", "set_2")

#: Voltage below which a replay's conductance says nothing, V.
_PINCHED_V = 1e-4

_HEAD = ("device", "seed", "cycle", *OBSERVED)


@dataclass(frozen=True)
class Ensemble:
    """Cycles of devices: what was shown (n, 4), nan where a stage did not switch, seed and number of the cycle (n,).

    ``device``: name of the device that was simulated; ``toml``: its text, with the drive of the ensemble, or nothing.
    """

    device: str
    rows: Floats
    seeds: Ints
    cycles: Ints
    toml: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What is shown at all, of ``OBSERVED``."""
        return tuple(name for name, column in zip(OBSERVED, self.rows.T, strict=True) if np.isfinite(column).any())

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Cycles that a spread is taken of (n,): all was shown, by a device that has been through a cycle.

        The first cycle of a run, which opens what forming made or closes a virgin cell, counts where there is no other.
        """
        later = self.cycles > 1 if np.any(self.cycles > 1) else np.ones(len(self.cycles), dtype=bool)
        return np.isfinite(self.rows[:, columns(self.names)]).all(axis=1) & later & bool(self.names)

    @property
    def used(self) -> Floats:
        """What ``whole`` cycles show (n, k), in the order of ``names``."""
        return self.rows[self.whole][:, columns(self.names)]

    def joined(self, other: Ensemble) -> Ensemble:
        """Both; raises CompactError for another device, or seeds that both have."""
        if other.device != self.device or set(self.seeds) & set(other.seeds):
            raise CompactError(f"ensembles of {self.device} and {other.device}: another device, or the same seeds")
        return Ensemble(
            self.device,
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.seeds, other.seeds]),
            np.concatenate([self.cycles, other.cycles]),
            self.toml or other.toml,
        )


def columns(names: Sequence[str]) -> list[int]:
    """Their places in ``OBSERVED``."""
    return [list(OBSERVED).index(name) for name in names]


def ensemble_of(device: Device, seeds: Sequence[int], n_cycles: int) -> Experiment:
    """The device's stages, or pulses, with RESET and SET repeated, one run a seed; raises CompactError for another
    drive."""
    if device.drive.kind not in ("sweep", "sequence"):
        raise CompactError(f"{device.name}: driven by {device.drive.kind!r}; cycles are those of a sweep or a sequence")
    key = "stages" if device.drive.kind == "sweep" else "pulses"
    stages = [stage.model_dump(exclude_none=True) for stage in getattr(device.drive, key)]
    named = {stage["name"]: stage for stage in stages if stage["name"] in ("reset", "set")}
    if len(named) < 2:
        raise CompactError(f"{device.name}: {key} {', '.join(stage['name'] for stage in stages)}; a cycle needs "
                           "'reset' and 'set'")  # fmt: skip
    for number in range(2, n_cycles + 1):
        stages += [{**stage, "name": f"{name}_{number}"} for name, stage in named.items()]
    drive = device.drive.model_dump(exclude_none=True) | {key: stages}
    what = f"{len(seeds)} devices, {n_cycles} cycles each"
    return Experiment("spread", "spread", device.replace({"drive": drive}), what, device.drive.kind, tuple(seeds))


def cycles(series: Mapping[str, Floats], stages: Sequence[str], read_V: float, pulsed: bool = False) -> Floats:
    """What each cycle shows (n, 4), in the order of ``OBSERVED``: a RESET and a SET, whichever comes first.

    nan where a stage did not switch; ``pulsed``: the stages are pulses of a sequence.
    """
    rows: list[list[float]] = []
    pending: dict[str, tuple[float, float]] = {}
    for index, name in enumerate(stages):
        part = {key: np.asarray(values)[series["stage"] == index] for key, values in series.items()}
        way = name.partition("_")[0]
        if len(part["voltage_V"]) < 2 or way not in ("reset", "set"):
            continue
        conductance = part["conductance_S"]
        known = np.isfinite(conductance)
        if "crossing_s" in part:  # a replay's is none at 0 V, or a quotient of rounding
            known &= np.abs(part["voltage_V"]) > _PINCHED_V
        part["conductance_S"] = np.interp(part["time_s"], part["time_s"][known], conductance[known])
        if pulsed:
            pending[way] = np.nan, float(part["conductance_S"][-1])
        elif way == "reset":
            volts = reset_voltage(_until_open(part))
            pending[way] = np.nan if volts is None else _at_top(part, volts), _read(part, read_V)
        else:
            volts = switching_voltage(part)
            pending[way] = np.nan if volts is None else _at_crossing(part, volts), _read(part, read_V)
        if len(pending) == 2:
            rows.append([*pending["reset"], *pending["set"]])
            pending = {}
    return np.array(rows, dtype=float).reshape(-1, len(OBSERVED))


def observe(measured: Sequence[Measurement], role: str = "spread") -> Ensemble:
    """Cycles of all sweeps and sequences of a role; those that did not switch are nan."""
    rows: list[Floats] = [np.zeros((0, len(OBSERVED)))]
    seeds: list[int] = []
    numbers: list[int] = []
    devices: list[Device] = []
    for one in measured:
        drive = one.device.drive
        if one.role == role and drive.kind in ("sweep", "sequence"):
            found = cycles(one.series, one.stages, drive.read_V, drive.kind == "sequence")
            rows.append(found)
            seeds += [one.seed] * len(found)
            numbers += range(1, len(found) + 1)
            devices.append(one.device)
    return Ensemble(
        devices[0].name if devices else "",
        np.concatenate(rows),
        np.array(seeds, dtype=np.int64),
        np.array(numbers, dtype=np.int64),
        devices[0].to_toml() if devices else "",
    )


def latent(rows: Floats, names: Sequence[str] = tuple(OBSERVED)) -> Floats:
    """What cycles show (..., k) on the scales of ``KINDS``."""
    logs = np.array([KINDS[name] == "lognormal" for name in names])
    with np.errstate(invalid="ignore"):
        return np.where(logs, np.log(np.where(logs, rows, 1.0)), rows)


def moved(ensemble: Ensemble, middle: Floats) -> Ensemble:
    """The ensemble with means of ``used`` at ``middle`` (k,): voltages by a difference, conductances by a factor."""
    names = ensemble.names
    shift = latent(middle, names) - latent(ensemble.used, names).mean(axis=0)
    rows = ensemble.rows.copy()
    for name, change in zip(names, shift.tolist(), strict=True):
        column = rows[:, list(OBSERVED).index(name)]
        column[:] = column * np.exp(change) if KINDS[name] == "lognormal" else column + change
    return replace(ensemble, rows=rows)


class CycleModel:
    """A model driven through one cycle as an ensemble was; called with parameters, it shows what a cycle shows (k,).

    Args:
        model: the equations.
        device: whose drive it is; of more than two cycles two are driven, and the last one is read.
        values: parameters of the model.
        names: what is read, of ``OBSERVED``.
    """

    def __init__(
        self, model: Model, device: Device, values: Mapping[str, float], names: Sequence[str] = tuple(OBSERVED)
    ) -> None:
        self.model, self.values, self.names = model, dict(values), tuple(names)
        drive = device.drive
        if drive.kind not in ("sweep", "sequence"):
            raise CompactError(f"{device.name}: driven by {drive.kind!r}; cycles are those of a sweep or a sequence")
        self._pulsed = drive.kind == "sequence"
        key = "pulses" if self._pulsed else "stages"
        kept = [stage for stage in getattr(drive, key) if stage.name in _DRIVEN]
        self.stages = tuple(stage.name for stage in kept)
        self.read_V = drive.read_V
        last = next((stage for stage in reversed(kept) if stage.name.startswith("set")), None)
        self._last = self.stages.index(last.name) if last is not None else -1
        self._limited = not self._pulsed and bool(last is not None and last.compliance_A)
        self._level_A = _AT_LIMIT * last.compliance_A if self._limited and last is not None else np.inf
        changes: dict[str, object] = {key: tuple(kept)}
        if self._limited:
            changes["series_resistance_ohm"] = max(drive.series_resistance_ohm, _LEAST_OHM)
        self.replay = Replay(model, drive.model_copy(update=changes), device.ambient_K)

    def __call__(self, changes: Mapping[str, float]) -> Floats:
        """Raises CompactError where the replay stops, or nothing switches."""
        series = self.replay({**self.values, **changes}, self._level_A)
        found = cycles(series, self.stages, self.read_V, self._pulsed)
        if not len(found) or not np.isfinite(found[-1, columns(self.names)]).all():
            raise CompactError("no switching")
        if self._limited:
            part = series["stage"] == self._last
            out = int(np.argmax(np.abs(series["voltage_V"][part]))) + 1
            if not np.any(series["limited"][part][:out] > 0):
                raise CompactError("SET stopped below the compliance")
        return np.asarray(found[-1, columns(self.names)])


def write_ensemble(path: Path, ensemble: Ensemble) -> list[Path]:
    """An ensemble as CSV, one line a cycle, and beside it the text of its device as .toml."""
    lines = [",".join(_HEAD)]
    for seed, cycle, row in zip(ensemble.seeds, ensemble.cycles, ensemble.rows, strict=True):
        lines.append(",".join((ensemble.device, str(seed), str(cycle), *(f"{value:.6g}" for value in row))))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(lines) + "\n")
    if not ensemble.toml:
        return [path]
    write_text(path.with_suffix(".toml"), ensemble.toml)
    return [path, path.with_suffix(".toml")]


def read_ensemble(path: Path) -> Ensemble:
    """The cycles of such a file; raises CompactError for other columns, and for more than one device."""
    head, *lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    if tuple(head) != _HEAD or any(len(line) != len(_HEAD) for line in lines):
        raise CompactError(f"{path}: columns {', '.join(head)}; needs {', '.join(_HEAD)}")
    names = {line[0] for line in lines}
    if len(names) != 1:
        raise CompactError(f"{path}: {len(names)} devices; a spread is one of seeds of one device")
    numbers = np.array([[int(cell) for cell in line[1:3]] for line in lines], dtype=np.int64)
    rows = np.array([[float(cell) for cell in line[3:]] for line in lines])
    text = path.with_suffix(".toml")
    toml = text.read_text(encoding="utf-8") if text.is_file() else ""
    return Ensemble(names.pop(), rows, numbers[:, 0], numbers[:, 1], toml)


def _until_open(part: Mapping[str, Floats]) -> dict[str, Floats]:
    """A RESET with the current left out where the cell is open on the way out, below the middle of ln G: there the
    current grows with the voltage again, and may pass the one at which the cell opened."""
    out = int(np.argmax(np.abs(part["voltage_V"]))) + 1
    conductance = np.abs(part["conductance_S"])
    middle = np.sqrt(conductance[:out].max() * max(conductance[-1], 1e-30))
    opened = np.flatnonzero(conductance[:out] < middle)
    current = np.array(part["current_A"], dtype=float)
    if len(opened):
        current[opened[0] : out] = 0.0
    return {**part, "current_A": current}


def _at_crossing(part: Mapping[str, Floats], recorded_V: float) -> float:
    """Voltage of the ramp when the current reached the limit: between recorded points of a replay, else as recorded."""
    out = int(np.argmax(np.abs(part["voltage_V"]))) + 1
    crossed = part.get("crossing_s", np.full(len(part["time_s"]), np.nan))[:out]
    first = np.flatnonzero(np.isfinite(crossed))
    if not len(first) or first[0] == 0 or not np.any(part["limited"][:out] > 0):
        return recorded_V
    here = slice(first[0] - 1, first[0] + 1)
    return float(np.interp(crossed[first[0]], part["time_s"][here], part["voltage_V"][here]))


def _at_top(part: Mapping[str, Floats], recorded_V: float) -> float:
    """Voltage at the top of the parabola through the largest current and its neighbours, in a replay."""
    top = int(np.argmin(np.abs(part["voltage_V"] - recorded_V)))
    if "crossing_s" not in part or not 0 < top < len(part["voltage_V"]) - 1:
        return recorded_V
    volts, amperes = part["voltage_V"][top - 1 : top + 2], np.abs(part["current_A"][top - 1 : top + 2])
    bend = amperes[0] - 2 * amperes[1] + amperes[2]
    step = volts[2] - volts[1]
    if not bend < 0 or not np.isclose(step, volts[1] - volts[0]):
        return recorded_V
    return float(volts[1] + 0.5 * step * np.clip((amperes[0] - amperes[2]) / bend, -1, 1))


def _read(part: Mapping[str, Floats], read_V: float) -> float:
    """Conductance at the read voltage on the way back to zero; nan for a stage that does not go back."""
    turn = int(np.argmax(np.abs(part["voltage_V"])))
    if turn + 1 == len(part["voltage_V"]):
        return float("nan")
    back = slice(turn, None)
    volts = np.abs(part["voltage_V"][back])
    near = int(np.argmin(np.abs(volts - read_V)))
    return float(part["conductance_S"][back][near])
