"""Extraction of valence-change cells: sweeps at rates and temperatures, SET and RESET under constant voltage, reads.

What identifies what:

- reads at frozen states (the legs of sweeps below the voltages that move anything, at two ambients): conductances of
  the full and the empty disc, the activation of the latter, and, by Joule heat, thermal resistances;
- SET at rates and temperatures over six decades and more: barrier, attempt frequency, field, thermodiffusion;
- RESET: window, thickness that grows as the disc empties, series resistance;
- trains of pulses, through all states between: that window, and how far the series resistance heats the disc;
- retention: what fills the disc again, its barrier, and where it ends.

All of it is fitted together; the start comes from the device file where it has the number. Forming, from a filament
that a geometry describes and no cycle made, has a start of its own and a small weight: what follows must find the
device closed, and forming is no part of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import energy_J
from ionsim.compact.benchmark import universal_metrics
from ionsim.compact.card import Card
from ionsim.compact.cardparts import Metric, PulseTrain, Retention
from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction import compare
from ionsim.compact.extraction.fitting import Free, fit
from ionsim.compact.extraction.protocol import ErrorRow, Experiment, Fitted, Measurement
from ionsim.compact.extraction.targets import (
    CURRENT,
    ENERGY,
    TIME,
    VOLTAGE,
    PulseTarget,
    ReadTarget,
    SweepTarget,
    Target,
    Targets,
    TrainTarget,
    reads,
    rests,
)
from ionsim.compact.families import VCM
from ionsim.compact.verify.trial import Trial
from ionsim.config import Device, VcmDevice
from ionsim.config.waveforms import Sweep

Floats = NDArray[np.float64]

#: Weight of forming, and of everything else 1: see above.
WEIGHTS = {"forming": 0.05}

#: Roles of what is compared.
EVERY = ("fit", "held_out", "pulses", "retention")

#: Name of the first pulse of a stress.
STRESS = "t0"

#: Share of the compliance that counts as closed.
_CLOSED = 0.9

#: Pulses of a stress: each this much longer than the one before, from and to these shares of the expected time.
_GROWTH, _SHORTEST, _LONGEST = 3.0, 1 / 200, 15.0


#: Parameters that are fitted, with starts and bounds; starts are where fits of hfo2_continuum from many others ended.
FREE = (
    Free("x_start", 0.309, 1e-4, 0.9),
    Free("rs", 443.0, 1.0, 600.0),
    Free("g_on", 0.00659, 2e-4, 0.5),
    Free("mix", 4.1, 0.5, 8.0),
    Free("i_off", 0.000401, 5e-5, 2e-3),
    Free("phi_off", 0.0376, 0.005, 0.2),
    Free("phi_plug", 0.0602, 1e-3, 0.2),
    Free("nu", 6.85e16, 1e9, 1e19),
    Free("disc", 1.75e-09, 1e-10, 1e-8),
    Free("stretch", 24.2, 1e-3, 100.0),
    Free("ea", 1.41, 0.8, 2.5),
    Free("ea_rest", 1.9, 0.8, 3.0),
    Free("rth", 438000.0, 5e4, 3e6),
    Free("rth_gap", 3480000.0, 1e4, 1e8),
    Free("nu_fill", 671000000000.0, 1e5, 1e18),
    Free("ea_fill", 1.23, 0.5, 2.5),
    Free("x_full", 0.705, 0.1, 0.99),
    Free("rs_heat", 0.161, 0.005, 1.0),
    Free("slowing", 4.76, 1.0, 30.0),
)

#: Parameters that only measurements of a kind show; without any to fit they stay at what is fixed or the default.
ASKED_BY = {"retention": ("nu_fill", "ea_fill", "x_full"), "trains": ("rs_heat", "slowing")}


@dataclass(frozen=True)
class Stress:
    """A constant voltage after RESET (positive) or after forming (negative), and when it is expected to tell, s."""

    voltage_V: float
    ambient_K: float
    expected_s: float
    held_out: bool = False


#: Where a cell of the continuum switches, found with its sweeps alone fitted; a cell that is far from it needs others.
STRESSES = (
    Stress(1.2, 300.0, 40.0),
    Stress(1.3, 300.0, 10.0, held_out=True),
    Stress(1.6, 300.0, 0.02),
    Stress(1.8, 300.0, 2.3e-4, held_out=True),
    Stress(2.0, 300.0, 5e-6),
    Stress(2.4, 300.0, 1e-6, held_out=True),
    Stress(2.6, 300.0, 4e-8),
    Stress(1.6, 400.0, 3e-3),
    Stress(-1.0, 300.0, 0.1),
    Stress(-1.3, 300.0, 1e-3, held_out=True),
    Stress(-1.6, 300.0, 1e-5),
)


#: Temperatures (K) and times between reads (s) of the retention of the high-resistance state that the device file
#: describes, and their role ("fit", or one that is not fitted): half of its gain in conductance falls within.
RETENTION: tuple[tuple[float, float, Any], ...] = (
    (650.0, 1e-3, "fit"),
    (600.0, 6e-3, "retention"),
    (550.0, 0.05, "fit"),
    (500.0, 0.6, "retention"),
    (450.0, 12.0, "held_out"),
)

#: Reads of a retention, and their voltage.
_READS, _READ_V = 40, 0.1


def retention(device: Device, ambient_K: float, interval_s: float, role: Any) -> Experiment:
    """The state of the device file, kept at a temperature and read from time to time."""
    drive = {"kind": "read", "voltage_V": _READ_V, "repeats": _READS, "interval_s": interval_s}
    return Experiment(
        f"retention_{ambient_K:.0f}K", role,
        device.replace({"drive": drive, "ambient_K": ambient_K}), f"kept at {ambient_K:g} K", "retention",
    )  # fmt: skip


@dataclass(frozen=True)
class Trains:
    """Equal pulses up, then down, from a state that a shallow RESET leaves; read in between at ``_READ_V``.

    Chosen with a first fit so that steps are small in both directions: the SET of a whole gap is abrupt.
    """

    reset_V: float = -1.0
    up_V: float = 1.1
    down_V: float = -1.2
    width_s: float = 1e-4
    count: int = 20


#: Trains that are fitted, beside those of :class:`Trains`, which are not.
FITTED_TRAINS = Trains(reset_V=-1.1, up_V=1.15, down_V=-1.1)


def trains(device: Device, shape: Trains, name: str = "pulses", role: Any = "pulses") -> Experiment:
    """Potentiation and depression."""
    drive = _cycle(device)
    edge_s = shape.width_s / 20
    pulses = [_ramp("forming", FORMING_V, drive.ramp_rate_V_per_s, drive.stages[0].compliance_A or drive.compliance_A),
              _ramp("reset", shape.reset_V, drive.ramp_rate_V_per_s, None)]  # fmt: skip
    for way, volts in (("up", shape.up_V), ("down", shape.down_V)):
        pulses += [{"name": f"{way}{k}", "amplitude_V": volts, "rise_s": edge_s, "width_s": shape.width_s,
                    "fall_s": edge_s, "rest_s": 2 * shape.width_s} for k in range(shape.count)]  # fmt: skip
    changes = {"drive": {"kind": "sequence", "pulses": pulses, "read_V": _READ_V, "points": 3,
                         "series_resistance_ohm": drive.series_resistance_ohm}}  # fmt: skip
    what = f"{shape.count} pulses of {shape.up_V:g} V up, of {shape.down_V:g} V down, {shape.width_s:g} s each"
    return Experiment(name, role, device.replace(changes), what, "trains")


@dataclass(frozen=True)
class VcmExtraction:
    """How a cell of the family ``vcm`` is identified; the plan's numbers are chosen for cells of about 1 to 2 V.

    ``rates``: factors upon the drive's rate; ``ambients_K``: above the device's own. ``held_rate``, ``held_ambient_K``:
    the sweep that is held out, with RESET driven less far.
    """

    model: Model = VCM
    rates: tuple[float, ...] = (1.0, 1e3, 1e6)
    ambients_K: tuple[float, ...] = (0.0, 100.0)
    held_rate: float = 30.0
    held_ambient_K: float = 50.0
    held_reset_share: float = 5 / 6
    stresses: tuple[Stress, ...] = STRESSES
    seeds: tuple[int, ...] = (1,)
    spread_seeds: tuple[int, ...] = ()
    free: tuple[Free, ...] = FREE

    def plan(self, device: Device, quick: bool = False) -> list[Experiment]:
        """Sweeps, stresses, and what is held out; raises CompactError for a drive that is no sweep of cycles."""
        drive = _cycle(device)
        rate, ambient_K = drive.ramp_rate_V_per_s, device.ambient_K
        found = []
        for rise_K in self.ambients_K[:1] if quick else self.ambients_K:
            for factor in self.rates:
                changes = {"drive.ramp_rate_V_per_s": rate * factor, "ambient_K": ambient_K + rise_K}
                found.append(self._sweep(device, changes, "fit"))
        changes = {"drive.ramp_rate_V_per_s": rate * self.held_rate, "ambient_K": ambient_K + self.held_ambient_K}
        found.append(self._sweep(device, changes, "held_out"))
        if quick:
            return found
        stop_V = next(stage.stop_V for stage in drive.stages if stage.name == "reset")
        shallow = round(stop_V * self.held_reset_share, 3)
        found.append(self._sweep(device, {"drive.stages.reset.stop_V": shallow}, "held_out", f"_{-shallow:g}V"))
        found += [self._stress(device, drive, stress) for stress in self.stresses]
        if isinstance(device, VcmDevice) and device.model == "continuum":
            found += [retention(device, *each) for each in RETENTION]
            found.append(trains(device, FITTED_TRAINS, "pulses_fit", "fit"))
            found.append(trains(device, Trains()))
        return found

    def _sweep(self, device: Device, changes: Mapping[str, Any], role: Any, ending: str = "") -> Experiment:
        changed = device.replace(changes)
        rate = changed.drive.ramp_rate_V_per_s  # type: ignore[union-attr]
        name = f"sweep_{rate:.0e}_{changed.ambient_K:.0f}K{ending}".replace("+", "")
        return Experiment(name, role, changed, f"sweep at {rate:g} V/s, {changed.ambient_K:g} K", "sweep", self.seeds)

    def _stress(self, device: Device, drive: Sweep, stress: Stress) -> Experiment:
        stages = {stage.name: stage for stage in drive.stages}
        limit = stages["set"].compliance_A or drive.compliance_A
        forming = stages["forming"]
        # as far as a sweep would go beyond forming would only dwell at the compliance: 1.6 V in 1.6 s at 1 V/s
        pulses = [_ramp("forming", FORMING_V, drive.ramp_rate_V_per_s, forming.compliance_A or drive.compliance_A)]
        if stress.voltage_V > 0:
            pulses.append(_ramp("reset", stages["reset"].stop_V, drive.ramp_rate_V_per_s, None))
        width_s, index = stress.expected_s * _SHORTEST, 0
        while width_s < _LONGEST * stress.expected_s:
            edge_s = width_s / 20
            pulse = {"name": f"t{index}", "amplitude_V": stress.voltage_V, "rise_s": edge_s, "width_s": width_s,
                     "fall_s": edge_s, "rest_s": edge_s}  # fmt: skip
            if stress.voltage_V > 0 and limit is not None:
                pulse["compliance_A"] = limit
            pulses.append(pulse)
            width_s, index = _GROWTH * width_s, index + 1
        changes = {
            "drive": {"kind": "sequence", "pulses": pulses, "read_V": 0.0, "points": 8,
                      "series_resistance_ohm": drive.series_resistance_ohm},
            "ambient_K": stress.ambient_K,
        }  # fmt: skip
        kind = "set" if stress.voltage_V > 0 else "reset"
        name = f"{kind}_{abs(stress.voltage_V):.2f}V_{stress.ambient_K:.0f}K"
        what = f"{stress.voltage_V:g} V held, {stress.ambient_K:g} K"
        return Experiment(name, "held_out" if stress.held_out else "fit", device.replace(changes), what, kind,
                          self.seeds)  # fmt: skip

    def fixed(self, device: Device) -> dict[str, tuple[float, str]]:
        """What is not fitted: hops as the device file has them, and what no measurement of this plan shows."""
        found = {
            "v_off": (5.0, "the conduction of the physics is ohmic at a given temperature"),
            "pw": (1.0, "freed, it goes to its lower end, where RESET is a law of the first order"),
            "slowing": (5.0, "chosen: without trains of pulses a fit is as good with 4 to 20"),
            "x_rest": (0.0, "freed, it is not distinguished from 0: heat empties the disc of these cells"),
            "kappa_rise": (
                0.1,
                "Kim, Choi and Lu: of the oxide without vacancies; with rth_gap alone it is not identified",
            ),
            "alpha": (0.0, "the plug's conduction does not depend on temperature within what the fit sees"),
            "t_ref": (300.0, "temperature at which conductances are given"),
        }
        if isinstance(device, VcmDevice) and device.model == "continuum":
            keys = device.continuum
            found |= {
                "kappa_rise": (keys.insulating_per_K, "continuum.insulating_per_K of the device file"),
                "jump": (keys.hop_nm * 1e-9, "continuum.hop_nm of the device file"),
                "charge": (keys.charge_e, "continuum.charge_e of the device file"),
                "soret": (keys.soret_eV, "continuum.soret_eV of the device file"),
            }
        elif isinstance(device, VcmDevice):
            found |= {"charge": (device.vacancy.charge_e, "vacancy.charge_e of the device file")}
        return found

    def targets(self, measured: Iterable[Measurement], roles: Sequence[str] = EVERY) -> list[Target]:
        """What can be compared, of the given roles."""
        found: list[Target] = []
        for one in measured:
            if one.role not in roles:
                continue
            staircase = isinstance(one.device, VcmDevice) and one.device.model != "continuum"
            if one.kind == "sweep":
                found.append(SweepTarget(one, self.model, WEIGHTS, staircase=staircase, energy_weight=3.0))
            elif one.kind in ("set", "reset"):
                found.append(PulseTarget(one, self.model, STRESS, closing_A=_closing_A(one), staircase=staircase))
            elif one.kind == "trains":
                found.append(TrainTarget(one, self.model, staircase=staircase))
            elif one.kind == "retention":
                found.append(ReadTarget(one, self.model, staircase=staircase))
        return found

    def fit(self, measured: Sequence[Measurement], fixed: Mapping[str, float]) -> Fitted:
        """Fit all of role "fit" together; raises CompactError without any."""
        targets = self.targets(measured, ("fit",))
        if not targets:
            raise CompactError("fit: no sweep and no stress among the measurements; at least one sweep is needed")
        kinds = {target.measurement.kind for target in targets}
        asked = {name for kind in kinds for name in ASKED_BY.get(kind, ())}
        known = {name: value for name, value in fixed.items() if name not in asked}
        hidden = {name for names in ASKED_BY.values() for name in names} - asked | set(known)
        free = [item for item in self.free if item.name not in hidden]
        return fit(Targets(targets), free, known, rounds=60).fitted()

    def errors(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[ErrorRow]:
        """Item by item: currents, voltages, energies of sweeps; times and currents of stresses; decades covered."""
        rows: list[ErrorRow] = []
        times = []
        for target in self.targets(measured):
            one, series = target.measurement, target.replayed(fitted.values)
            if isinstance(target, SweepTarget):
                rows += _sweep_rows(one, series)
            elif isinstance(target, TrainTarget):
                rms = float(np.sqrt(np.mean(target.errors(series) ** 2)))
                drive: Any = one.device.drive
                up_V, down_V = drive.pulses[2].amplitude_V, drive.pulses[-1].amplitude_V
                condition = f"{up_V:g} V up, {down_V:g} V down"
                held = one.role != "fit"
                rows.append(ErrorRow("rms log10 G of pulse trains", condition, held, rms, CURRENT, "decades"))
            elif isinstance(target, ReadTarget):
                rms = float(np.sqrt(np.mean(target.errors(series) ** 2)))
                held = one.role != "fit"
                rows.append(ErrorRow("rms log10 G kept", f"{one.ambient_K:g} K", held, rms, CURRENT, "decades"))
            elif isinstance(target, PulseTarget):
                rows += _stress_rows(target, series)
                if target.closing_s is not None:
                    times.append(target.closing_s)
        if len(times) > 1:
            decades = float(np.log10(max(times) / min(times)))
            rows.append(ErrorRow("decades of switching time compared", "all stresses", False, decades, None, "decades"))
        return rows

    def switching_times(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[tuple[str, bool, float, float]]:
        """Name, held out, time of the physics and of the model (s) of each stress that closes the device."""
        found = []
        for target in self.targets(measured):
            if isinstance(target, PulseTarget) and target.closing_s is not None:
                own = target.switched_s(target.replayed(fitted.values))
                if own is not None:
                    one = target.measurement
                    found.append((one.name, one.role == "held_out", target.closing_s, own))
        return found

    def pulses(self, measured: Sequence[Measurement]) -> list[dict[str, Any]]:
        """Conductances before the first pulse and after each, up and down, as far as both go, for the card."""
        found = []
        for one in measured:
            if one.kind != "trains" or one.role == "fit":
                continue
            drive: Any = one.device.drive
            read = rests(one.series, len(one.stages))
            ways = {way: [k for k, name in enumerate(one.stages) if name.startswith(way)] for way in ("up", "down")}
            parts = {way: read[of[0] - 1 : of[-1] + 1] for way, of in ways.items()}
            lowest = max(float(part.min()) for part in parts.values())
            for way, part in parts.items():
                pulse = drive.pulses[ways[way][0]]
                # up from the last read at or below what both reach, down to the first one there
                low = np.flatnonzero(part <= lowest)
                kept = part[low[-1] :] if way == "up" else part[: low[0] + 1]
                found.append({"direction": way, "amplitude": pulse.amplitude_V, "width_s": pulse.width_s,
                              "read_V": drive.read_V, "conductances_S": kept})  # fmt: skip
        return found

    def retention(self, measured: Sequence[Measurement]) -> list[dict[str, Any]]:
        """Conductance against time of what was kept at a temperature, for the card."""
        found = []
        for one in measured:
            if one.kind == "retention":
                times_s, conductances_S = reads(one.series)
                found.append({"temperature_K": one.ambient_K, "times_s": times_s, "conductances_S": conductances_S})
        return found

    def benchmark(self, fitted: Fitted, measured: Sequence[Measurement]) -> dict[str, Metric]:
        """The universal metrics: states of the slowest and coldest cycle, written by the shortest stress.

        Empty without a run of such a cycle.
        """
        cycles = [one for one in measured if one.kind == "sweep" and one.role == "fit" and one.run is not None]
        if not cycles:
            return {}
        cycle = min(cycles, key=lambda one: (one.ambient_K, float(one.series["time_s"][-1]) * -1.0))
        summary = cycle.run.summary if cycle.run is not None else {}
        on, off = summary.get("R_LRS_ohm"), summary.get("R_HRS_ohm")
        if not on or not off:
            return {}
        switching = []
        for target in self.targets(measured):
            if isinstance(target, PulseTarget) and target.closing_s is not None and target.measurement.kind == "set":
                drive: Any = target.measurement.device.drive
                if target.measurement.ambient_K == cycle.ambient_K:
                    switching.append((float(drive.pulses[-1].amplitude_V), target.closing_s))
        write_V, width_s = min(switching, key=lambda pair: pair[1]) if switching else (None, None)
        return universal_metrics(
            [1 / on], [1 / off], [0], write_V, width_s,
            trains=[PulseTrain.model_validate(_plain(train)) for train in self.pulses(measured)],
            retention=[Retention.model_validate(_plain(row)) for row in self.retention(measured)],
            switching=sorted(switching), ambient_K=cycle.ambient_K,
        )  # fmt: skip

    def trial(self, card: Card, trial: Trial) -> Trial:
        """How a card's cell is verified: voltages at which such a cell moves, chosen for that of hfo2_continuum."""
        return replace(
            trial, model=card.compact_model(), sweep_V=(1.8, -1.8, 0.0), pulses_V=(1.1, -1.2), width_s=1e-4,
            edge_s=5e-6, pulse_start=0.55, wave_V=1.0, slow_Hz=1e3, fast_Hz=2e8, write_V=1.6, array_start=(0.2, 0.5),
            array_s=0.05, array_edge_s=5e-4, wave_starts=(0.4, 0.5, 0.6, 0.8, 0.98),
        )  # fmt: skip

    def validity(self, measured: Sequence[Measurement]) -> dict[str, tuple[float, float]]:
        """What the fitted measurements cover: quantity with its unit -> [low, high]."""
        measured = [one for one in measured if one.role == "fit"] or measured
        volts = [float(v) for one in measured for v in (one.series["voltage_V"].min(), one.series["voltage_V"].max())]
        rates = [one.device.drive.ramp_rate_V_per_s for one in measured if isinstance(one.device.drive, Sweep)]
        ambients = [one.ambient_K for one in measured]
        found = {"voltage_V": (min(volts), max(volts)), "ambient_K": (min(ambients), max(ambients))}
        if rates:
            found["rate_V_per_s"] = (min(rates), max(rates))
        return found


#: Voltage that closes the device from the geometry of its file, chosen: beyond what 1 V/s needs at 300 K.
FORMING_V = 1.6

EXTRACTION = VcmExtraction()


def _cycle(device: Device) -> Sweep:
    drive = device.drive
    names = [stage.name for stage in drive.stages] if isinstance(drive, Sweep) else []
    if not isinstance(drive, Sweep) or names[:2] != ["forming", "reset"] or "set" not in names:
        raise CompactError(
            f"{device.name}: drive: the extraction needs a sweep with the stages forming, reset, set; "
            f"this is {drive.kind!r} with {', '.join(names) or 'no such stages'}"
        )
    return drive


def _ramp(name: str, volts: float, rate_V_per_s: float, compliance_A: float | None) -> dict[str, Any]:
    """A pulse that is a slow sweep there and back."""
    time_s = abs(volts) / rate_V_per_s
    pulse: dict[str, Any] = {"name": name, "amplitude_V": volts, "rise_s": time_s, "width_s": 1e-3 * time_s,
                             "fall_s": time_s, "rest_s": 1e-3}  # fmt: skip
    return pulse if compliance_A is None else pulse | {"compliance_A": compliance_A}


def _closing_A(measured: Measurement) -> float:
    drive: Any = measured.device.drive
    limits = [pulse.compliance_A for pulse in drive.pulses if pulse.compliance_A is not None]
    limit = min(limits) if limits else drive.compliance_A
    return _CLOSED * float(limit if limit is not None else np.abs(measured.series["current_A"]).max())


def _sweep_rows(one: Measurement, series: Mapping[str, Floats]) -> list[ErrorRow]:
    drive: Any = one.device.drive
    held = one.role == "held_out"
    depth = next((f", RESET to {stage.stop_V:g} V" for stage in drive.stages if stage.name == "reset"), "")
    condition = f"{drive.ramp_rate_V_per_s:g} V/s, {one.ambient_K:g} K{depth}"
    kept = [index for index, name in enumerate(one.stages) if name != "forming"]
    errors = np.concatenate([compare.current_errors(one.series, series, index) for index in kept])
    rows = [ErrorRow("rms log10 I of a cycle", condition, held, float(np.sqrt(np.mean(errors**2))), CURRENT, "decades")]
    true, own = (compare.voltages(each, one.stages) for each in (one.series, series))
    for index in kept:
        name = one.stages[index]
        a, b = true[name], own[name]
        if a is not None:
            error = float("nan") if b is None else b / a - 1
            rows.append(ErrorRow(f"V_{name}", condition, held, error, VOLTAGE, "relative", a, b))
        spent = [energy_J(compare.part(each, index)) for each in (one.series, series)]
        rows.append(ErrorRow(f"energy of {name}", condition, held, spent[1] / spent[0] - 1, ENERGY, "relative", *spent))
    return rows


def _stress_rows(target: PulseTarget, series: Mapping[str, Floats]) -> list[ErrorRow]:
    one = target.measurement
    drive: Any = one.device.drive
    held = one.role == "held_out"
    condition = f"{drive.pulses[-1].amplitude_V:g} V held, {one.ambient_K:g} K"
    rows = []
    if target.closing_s is not None:
        own = target.switched_s(series)
        error = float("nan") if own is None else float(np.log10(own / target.closing_s))
        rows.append(ErrorRow("switching time", condition, held, error, TIME, "decades", target.closing_s, own))
    errors = target.plateaus(series) - target.plateaus(one.series)
    if len(errors):
        rows.append(
            ErrorRow(
                "rms log10 I under stress", condition, held, float(np.sqrt(np.mean(errors**2))), CURRENT, "decades"
            )
        )
    return rows


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as tuples, as the tables of a card take them."""
    return {key: tuple(value.tolist()) if isinstance(value, np.ndarray) else value for key, value in row.items()}
