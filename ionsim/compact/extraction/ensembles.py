"""Runs for the spread of a card: the cycles of many seeds, and trains of equal pulses after them, by family.

VCM: the device's own sweep, RESET and SET repeated. ECM: the loop that its extraction sweeps, SET and RESET repeated.
PCM: pulses of RESET and SET, then a train up from RESET and one down from SET. ECRAM is deterministic: its charge is a
mean, and no seed changes a run, so there is no ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ionsim.compact.cardparts import PulseTrain
from ionsim.compact.description import CompactError
from ionsim.compact.extraction import pcm_plan
from ionsim.compact.extraction.cycles import ensemble_of
from ionsim.compact.extraction.protocol import Experiment, Measurement
from ionsim.config import Device
from ionsim.config.ecm import EcmDevice
from ionsim.config.pcm import PcmDevice

#: SET of a phase-change cell, V and s: it crystallises whole, with an edge that does not decide. Pulses up, V and s,
#: by which it does so in ten steps, and pulses down, V: above 1.9 V nothing is left to see after the first.
SET_V, SET_S, UP_V, UP_S, DOWN_V = 0.8, 200e-9, 0.8, 10e-9, 1.4

#: Pulses of a train, up and down.
N_UP, N_DOWN = 10, 4

#: Ramp of an ECM ensemble, V/s: the fastest of its extraction, and the cheapest.
ECM_RATE = 1e4


def spread_experiment(device: Device, seeds: Sequence[int], n_cycles: int) -> Experiment:
    """The ensemble of a device; raises CompactError for one without chance."""
    if device.family == "ecram":
        raise CompactError(f"{device.name}: the physics of this family is deterministic, seeds show no spread")
    if isinstance(device, PcmDevice):
        return _pcm(device, seeds, n_cycles)
    if isinstance(device, EcmDevice):
        return _ecm(device, seeds, n_cycles)
    return ensemble_of(device, seeds, n_cycles)


def trains_of(measured: Sequence[Measurement]) -> list[PulseTrain]:
    """Trains up and down of runs of :func:`spread_experiment`: read before the first pulse and at the end of the rest
    after each; one device a seed."""
    found = []
    seeds = sorted({one.seed for one in measured})
    for one in measured:
        drive: Any = one.device.drive
        if drive.kind != "sequence":
            continue
        stage = np.asarray(one.series["stage"]).astype(int)
        read = np.array([one.series["conductance_S"][stage == k][-1] for k in range(len(one.stages))])
        for way in ("up", "down"):
            places = [k for k, name in enumerate(one.stages) if name.startswith(f"{way}_")]
            if places:
                pulse = drive.pulses[places[0]]
                found.append(
                    PulseTrain(direction=way, amplitude=pulse.amplitude_V, width_s=pulse.width_s, read_V=drive.read_V,
                               conductances_S=tuple(read[places[0] - 1 : places[-1] + 1].tolist()),
                               device=seeds.index(one.seed))
                )  # fmt: skip
    return found


def _pcm(device: PcmDevice, seeds: Sequence[int], n_cycles: int) -> Experiment:
    pulse = pcm_plan.pulse
    reset, closed = pulse("reset", pcm_plan.RESET_V), pulse("set", SET_V, 10e-9, SET_S, 100e-9)
    pulses = [reset, closed]
    for number in range(2, n_cycles + 1):
        pulses += [{**item, "name": f"{item['name']}_{number}"} for item in (reset, closed)]
    pulses += [{**closed, "name": "read"}]
    pulses += [pulse(f"down_{k}", DOWN_V, 2e-9, 40e-9, 2e-9) for k in range(N_DOWN)]
    pulses += [{**reset, "name": "open"}, *(pulse(f"up_{k}", UP_V, 2e-9, UP_S, 2e-9) for k in range(N_UP))]
    ohm = device.drive.series_resistance_ohm or 1000.0
    drive = {"kind": "sequence", "series_resistance_ohm": ohm, "read_V": 0.1, "points": 8, "pulses": pulses}
    what = f"{len(seeds)} devices, {n_cycles} cycles each and trains of pulses"
    return Experiment("spread", "spread", device.replace({"drive": drive, "ambient_K": 300.0}), what, "sequence",
                      tuple(seeds))  # fmt: skip


def _ecm(device: EcmDevice, seeds: Sequence[int], n_cycles: int) -> Experiment:
    from ionsim.compact.extraction.ecm import _sweep

    one = _sweep(device, "spread", ECM_RATE, 300.0, tuple(seeds))
    drive: Any = one.device.drive
    stages = [{**stage.model_dump(exclude_none=True), "return_to_zero": True} for stage in drive.stages]
    looped = one.device.replace({"drive": drive.model_dump(exclude_none=True) | {"stages": stages}})
    return replace(ensemble_of(looped, seeds, n_cycles), name="spread")
