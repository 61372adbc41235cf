"""Switching voltages, resistances and energies from the time series of a run.

Definitions: a device forms or sets at the first recorded voltage at which the compliance or a saturated transistor
limits the current (without either: at the largest relative rise of the conductance, if it is at least tenfold within
the stage); it resets at the voltage of the largest current of the RESET stage, where the resistance begins to rise.
Resistances are those recorded nearest the read voltage on the way back to zero. Metrics: E_action =
V^2 (G_on + G_off)/2 tau and P_standby = V^2 G_off at the SET voltage, with tau the time the SET transition takes.
Resistances of phase-change cells are those of :mod:`ionsim.analysis.pcm_reads`, with any drive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.ecram_pulses import channel_figures, without_branches
from ionsim.analysis.pcm_reads import read_figures
from ionsim.config import Device, EcramDevice, PcmDevice
from ionsim.config.waveforms import Sequence as PulseSequence
from ionsim.config.waveforms import Sweep

Series = Mapping[str, NDArray[np.float64]]

#: What only a sweep defines; null in the summary of any other drive (of phase-change cells, resistances are not).
SWEEP_KEYS = (
    "V_form_V", "V_reset_V", "V_set_V", "R_virgin_ohm", "R_LRS_ohm", "R_HRS_ohm", "on_off_ratio", "tau_set_s",
    "E_action_J", "P_standby_W",
)  # fmt: skip

#: Those that need a stage of this name, or of one of these names.
_STAGE_OF = {
    "V_form_V": ("forming",), "V_reset_V": ("reset",), "V_set_V": ("set",), "R_LRS_ohm": ("set", "forming"),
    "R_HRS_ohm": ("reset",), "tau_set_s": ("set",),
}  # fmt: skip

#: A conductance that rises by less than this has not switched.
_SWITCHED = 10.0


def summarise(device: Device, series: Series, stages: Sequence[str]) -> dict[str, Any]:
    """The flat summary (keys carry units; None where a quantity did not occur) of a run's series (columns by name)."""
    current = series["current_A"]
    summary: dict[str, Any] = {
        "I_max_A": float(np.max(np.abs(current), initial=0.0)),
        "E_total_J": energy_J(series),
        "duration_s": float(series["time_s"][-1]) if len(current) else 0.0,
    }
    if isinstance(device, EcramDevice):
        return summary | channel_figures(device, series)
    summary |= dict.fromkeys(SWEEP_KEYS)
    reads = read_figures(device.drive, series, stages) if isinstance(device, PcmDevice) else {}
    parts = {}
    if isinstance(device.drive, Sweep | PulseSequence):
        parts = {name: _part(series, series["stage"] == index) for index, name in enumerate(stages)}
    for name, part in parts.items():
        summary.setdefault(f"E_{name}_J", energy_J(part))  # a stage may be called total
        peak_K = float(np.max(part["temperature_peak_K"])) if len(part["time_s"]) else None
        summary[f"T_peak_{name}_K"] = peak_K
    if isinstance(device.drive, Sweep):
        summary |= _of_sweep(device.drive.read_V, series, parts, reads)
    return summary | reads


def _of_sweep(
    read_V: float, series: Series, parts: Mapping[str, Series], reads: Mapping[str, float | None]
) -> dict[str, Any]:
    """Voltages, resistances and energies of a sweep with these stages; ``reads`` are resistances found otherwise."""
    on = reads.get("R_LRS_ohm", _resistance(parts, ("set", "forming"), read_V))
    off = reads.get("R_HRS_ohm", _resistance(parts, ("reset",), read_V))
    summary: dict[str, Any] = {
        "V_form_V": switching_voltage(parts["forming"]) if "forming" in parts else None,
        "V_reset_V": reset_voltage(parts["reset"]) if "reset" in parts else None,
        "V_set_V": switching_voltage(parts["set"]) if "set" in parts else None,
        "R_virgin_ohm": 1.0 / float(series["conductance_S"][0]) if np.any(series["voltage_V"]) else None,
        "R_LRS_ohm": on,
        "R_HRS_ohm": off,
        "on_off_ratio": off / on if on and off else None,
    }
    tau, set_V = _transition_s(parts["set"]) if "set" in parts else None, summary["V_set_V"]
    summary["tau_set_s"] = tau
    summary["E_action_J"] = set_V**2 * (1 / on + 1 / off) / 2 * tau if set_V and on and off and tau else None
    summary["P_standby_W"] = set_V**2 / off if set_V and off else None
    return summary


def cannot_occur(device: Device) -> frozenset[str]:
    """Keys of the summary that are null whatever a run of this device does: its drive or its family has none."""
    if isinstance(device, EcramDevice):
        return without_branches(device.drive)
    absent = set(SWEEP_KEYS)
    if isinstance(device.drive, Sweep):
        names = {stage.name for stage in device.drive.stages}
        absent = {key for key, needed in _STAGE_OF.items() if not names.intersection(needed)}
        absent |= set() if names.intersection(("set", "forming")) and "reset" in names else {"on_off_ratio"}
        absent |= set() if {"set", "reset"} <= names else {"E_action_J", "P_standby_W"}
    if isinstance(device, PcmDevice):
        absent = absent - {"R_LRS_ohm", "R_HRS_ohm", "on_off_ratio"} | {"V_form_V"}
    return frozenset(absent)


#: What a stage of this name is for: the key of its voltage, and what the device did not do where that is null.
_FOR = {"forming": ("V_form_V", "form"), "reset": ("V_reset_V", "reset"), "set": ("V_set_V", "set")}


def what_failed(
    device: Device, series: Series, stages: Sequence[str], summary: Mapping[str, Any]
) -> str | None:
    """A sentence about the first stage of a sweep that did not do what its name says, up to which voltage; else None.

    Of filaments only; later stages are not spoken of, since they began from a state that they were not meant for.
    """
    if isinstance(device, EcramDevice | PcmDevice) or not isinstance(device.drive, Sweep):
        return None
    for index, name in enumerate(stages):
        key, word = _FOR.get(name, ("", ""))
        voltage = series["voltage_V"][series["stage"] == index]
        if not key or summary.get(key, 0.0) is not None or not len(voltage):
            continue
        far_V = float(voltage[int(np.argmax(np.abs(voltage)))])
        why = "the current was not limited, nor did the conductance rise tenfold"
        if name == "reset":
            why = "the conductance did not fall by half"
        return f"did not {word} up to {far_V:g} V: {why}"
    return None


def switching_voltage(part: Series) -> float | None:
    """Voltage (V) at which a stage switches on; see the module's definitions."""
    row = _switching_row(part)
    return None if row is None else float(part["voltage_V"][row])


def _switching_row(part: Series) -> int | None:
    out = _turn(part)
    limited = np.flatnonzero(part["limited"][: out + 1] > 0.0)
    if len(limited):
        return int(limited[0])
    conductance = part["conductance_S"]
    if len(conductance) < 2 or conductance.max() < _SWITCHED * conductance[0]:
        return None
    return 1 + int(np.argmax(np.diff(np.log(conductance))))


def reset_voltage(part: Series) -> float | None:
    """Voltage (V) of the largest current on the way out of a RESET stage; None if the resistance does not rise."""
    row = _reset_row(part)
    return None if row is None else float(part["voltage_V"][row])


def _reset_row(part: Series) -> int | None:
    if len(part["voltage_V"]) < 2:
        return None
    out = slice(0, _turn(part) + 1)
    if part["conductance_S"][-1] > 0.5 * part["conductance_S"][out].max():
        return None
    return int(np.argmax(np.abs(part["current_A"][out])))


def _turn(part: Series) -> int:
    """Row of the largest voltage of a stage, where its way back begins; 0 of an empty one."""
    return int(np.argmax(np.abs(part["voltage_V"]))) if len(part["voltage_V"]) else 0


@dataclass(frozen=True)
class Event:
    """Where a stage of a sweep switched: its ``row`` of the series; ``returning``: on the way back to zero."""

    stage: str
    row: int
    returning: bool


def switching_events(series: Series, stages: Sequence[str], summary: Mapping[str, Any]) -> dict[str, Event]:
    """The points whose voltages a summary reports, by its keys ``V_form_V``, ``V_reset_V``, ``V_set_V``.

    ``series`` as in :func:`summarise`. A key that the summary does not have, or whose voltage is not that of the row
    (a summary made by other definitions), has no event.
    """
    found: dict[str, Event] = {}
    for key, (name, row_of) in _EVENTS.items():
        if summary.get(key) is None or name not in stages:
            continue
        index = max(at for at, stage in enumerate(stages) if stage == name)
        rows = np.flatnonzero(np.asarray(series["stage"]) == index)
        part = {column: np.asarray(series[column])[rows] for column in _EVENT_COLUMNS}
        row = row_of(part)
        if row is not None and float(part["voltage_V"][row]) == float(summary[key]):
            found[key] = Event(name, int(rows[row]), row > _turn(part))
    return found


#: Stage and row of each switching voltage of a summary, and the columns that they are found in.
_EVENTS = {
    "V_form_V": ("forming", _switching_row), "V_reset_V": ("reset", _reset_row), "V_set_V": ("set", _switching_row),
}  # fmt: skip
_EVENT_COLUMNS = ("voltage_V", "current_A", "conductance_S", "limited")


def _part(series: Series, rows: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    return {name: values[rows] for name, values in series.items()}


def energy_J(part: Series) -> float:
    """Electrical energy (J) put into the device: the staircase's sum of power times dwell time."""
    time_s = part["time_s"]
    if len(time_s) < 2:
        return 0.0
    dwell = np.diff(time_s, prepend=2.0 * time_s[0] - time_s[1])
    return float(np.sum(part["power_W"] * dwell))


def _resistance(parts: Mapping[str, Series], names: Sequence[str], read_V: float) -> float | None:
    """Resistance (ohm) nearest the read voltage on the return of the first stage there is."""
    for name in names:
        part = parts.get(name)
        if part is None or len(part["voltage_V"]) < 2:
            continue
        voltage = np.abs(part["voltage_V"])
        back = int(np.argmax(voltage))
        nearest = back + int(np.argmin(np.abs(voltage[back:] - read_V)))
        return float(1.0 / part["conductance_S"][nearest])
    return None


def _transition_s(part: Series) -> float | None:
    """Time (s) for the conductance to go from 10 to 90 % of its logarithmic rise in a SET; resolved to a sample."""
    if len(part["time_s"]) < 3 or not len(np.flatnonzero(part["limited"] > 0.0)):
        return None
    level = np.log(part["conductance_S"])
    low, high = level[0], level.max()
    if high - low < np.log(2.0):
        return None
    late = int(np.argmax(level >= low + 0.9 * (high - low)))
    early = int(np.flatnonzero(level[: late + 1] <= low + 0.1 * (high - low))[-1])
    return float(part["time_s"][late] - part["time_s"][early])
