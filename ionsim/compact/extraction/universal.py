"""Universal metrics of a card (``ionsim.compact.benchmark``) from what there is of its device.

States: the cycles of an ensemble; else those of the slowest loops at the lowest ambient, or of the RESET and SET pulses
that differ most; else the ends of trains. A virgin cell that is set first has its open state on the way out.
Pulse: the highest of the trains; else the fastest SET under a constant voltage; else that of the RESET before the SET.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import switching_voltage
from ionsim.compact.benchmark import train_ends, universal_metrics
from ionsim.compact.card import Card
from ionsim.compact.cardparts import Metric, Retention
from ionsim.compact.extraction.cycles import Ensemble, columns, observe
from ionsim.compact.extraction.protocol import Measurement
from ionsim.compact.verify.trial import TRIALS

Floats = NDArray[np.float64]

#: Metrics that come from the scatter of cycles and devices.
SCATTER = ("stochasticity", "cycle_sd_ln_g_on", "cycle_sd_ln_g_off", "device_sd_ln_g_on", "device_sd_ln_g_off")

#: Why a family has none of some metrics.
WHY_NOT = {
    "ecram": dict.fromkeys(SCATTER, "the physics of this family is deterministic: seeds show no scatter")
    | {"E_action_J": "the channel's current does not write: what counts is the energy of a pulse at the gate"},
    "pcm": {"switching_decades_per_V": "SET is a matter of temperature: its times are in the error table of the bakes"},
}


@dataclass(frozen=True)
class _States:
    """Conductances (n,) of both states, the device of each, and the pulse that wrote them, where one did."""

    on_S: Floats
    off_S: Floats
    devices: NDArray[Any]
    write_V: float | None = None
    width_s: float | None = None


def universal(
    card: Card,
    measured: Sequence[Measurement] = (),
    times: Sequence[tuple[str, bool, float, float]] = (),
    ensemble: Ensemble | None = None,
) -> dict[str, Metric]:
    """All metrics of a card; empty where no state is known.

    ``times``: switching times as an extraction has them: name, held out, of the physics and of the model, in s.
    """
    trial, trains = TRIALS.get(card.family), card.pulses
    gated = trial is not None and trial.gated
    pairs = switching_pairs(times)
    states = _states(card, measured, ensemble)
    if states is None:
        return {}
    write_V, width_s = states.write_V, states.width_s
    volts = [(abs(train.amplitude), train.width_s) for train in trains if train.amplitude_unit == "V"]
    if gated and trains:  # the voltage over the channel is that of a read
        write_V, width_s = abs(trains[0].read_V), trains[0].width_s
    elif volts:
        write_V, width_s = max(volts)
    elif pairs:
        write_V, width_s = max(pairs)
    found = universal_metrics(
        states.on_S, states.off_S, states.devices, write_V, width_s, trains,
        card.retention or retention_of(measured), pairs,
    )  # fmt: skip
    for name, why in WHY_NOT.get(card.family, {}).items():
        if found[name].value is None or name == "E_action_J":
            found[name] = Metric(value=None, unit=found[name].unit, note=why)
    return found


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


def retention_of(measured: Sequence[Measurement]) -> list[Retention]:
    """Bakes of pulsed cells: conductance at the end of every stage after the first, and the time since that one."""
    found = []
    for one in measured:
        if one.kind not in ("bake", "retention") or one.device.drive.kind != "sequence" or len(one.stages) < 3:
            continue
        stage = np.asarray(one.series["stage"]).astype(int)
        last = [int(np.flatnonzero(stage == k)[-1]) for k in range(len(one.stages)) if np.any(stage == k)]
        times, g = one.series["time_s"][last], one.series["conductance_S"][last]
        found.append(Retention(temperature_K=one.ambient_K, times_s=tuple((times[1:] - times[0]).tolist()),
                               conductances_S=tuple(g[1:].tolist()), device=max(one.seed, 0)))  # fmt: skip
    return found


def _states(card: Card, measured: Sequence[Measurement], ensemble: Ensemble | None) -> _States | None:
    if ensemble is not None and ensemble.whole.any():
        on, off = ensemble.rows[ensemble.whole][:, columns(["g_on_S", "g_off_S"])].T
        volts = [np.median(np.abs(ensemble.rows[ensemble.whole, columns([name])[0]])) for name in ensemble.names
                 if name.endswith("_V")]  # fmt: skip
        return _States(on, off, ensemble.seeds[ensemble.whole], float(max(volts)) if volts else None)
    found = _of_loops(measured) or _of_pulses(measured)
    if found is None and card.pulses:
        found = _States(*train_ends(card.pulses))
    return found


def _of_loops(measured: Sequence[Measurement]) -> _States | None:
    """States of the slowest loops at the lowest ambient, all seeds."""
    loops = [(one.ambient_K, one.device.drive.ramp_rate_V_per_s, one) for one in measured
             if one.device.drive.kind == "sweep" and one.role in ("fit", "held_out")]  # fmt: skip
    if not loops:
        return None
    first = min(item[:2] for item in loops)
    on: list[float] = []
    off: list[float] = []
    seeds: list[int] = []
    volts: list[float] = []
    for one in (item[2] for item in loops if item[:2] == first):
        cycle = observe([one], one.role)
        if cycle.whole.any() and {"g_on_S", "g_off_S"} <= set(cycle.names):
            pairs = cycle.rows[cycle.whole]
            on, off = on + pairs[:, 3].tolist(), off + pairs[:, 1].tolist()
            seeds += [one.seed] * len(pairs)
            volts += np.abs(pairs[:, 2]).tolist()
            continue
        virgin = _virgin(one)
        if virgin is not None:
            off.append(virgin[0])
            on.append(virgin[1])
            volts.append(virgin[2])
            seeds.append(one.seed)
    return _States(np.array(on), np.array(off), np.array(seeds), float(np.median(volts))) if on else None


def _virgin(one: Measurement) -> tuple[float, float, float] | None:
    """Conductances before and after the SET of a virgin cell at the read voltage, and the voltage of SET; or None."""
    if not one.stages or one.stages[0] != "set":
        return None
    part, drive = one.stage("set"), one.device.drive
    assert drive.kind == "sweep"
    top = int(np.argmax(np.abs(part["voltage_V"])))
    volts = switching_voltage(part)
    if volts is None or top + 1 >= len(part["voltage_V"]):
        return None
    near = np.abs(np.abs(part["voltage_V"]) - drive.read_V)
    off, on = part["conductance_S"][int(np.argmin(near[:top]))], part["conductance_S"][top + int(np.argmin(near[top:]))]
    return float(off), float(on), abs(volts)


def _of_pulses(measured: Sequence[Measurement]) -> _States | None:
    """States of the run, of those at the lowest ambient, whose RESET and SET pulses leave them furthest apart."""
    found = []
    for one in measured:
        cycle = observe([one], one.role) if one.device.drive.kind == "sequence" else None
        if cycle is None or not cycle.whole.any():
            continue
        on, off = cycle.rows[cycle.whole][:, columns(["g_on_S", "g_off_S"])].T
        drive: Any = one.device.drive
        pulse = next(item for item in drive.pulses if item.name == "reset")
        apart = float(np.log(np.median(on) / np.median(off)))
        states = _States(on, off, np.full(len(on), one.seed), abs(pulse.amplitude_V), pulse.width_s)
        found.append(((-one.ambient_K, apart), states))
    return max(found, key=lambda item: item[0])[1] if found else None
