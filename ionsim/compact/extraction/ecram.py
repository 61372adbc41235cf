"""Extraction of ECRAM devices: reads, steps of the gate, ladders of pulses, sweeps, trains and retention.

What identifies what:

- reads at rest over states and temperatures: conduction, which follows from the device file and is checked by them;
- steps from 9 V (nanoseconds) to 0.1 V (minutes): exchange current and layer at the channel at low voltages, where the
  reaction limits, electrolyte and its hops at high ones, where that does; both signs: the ends of the electrolyte;
- what is seen at the channel during steps and after pulses: surface layers and diffusion between them;
- the same at two temperatures: activation energies; states: the way along the channel.

Compared are currents of gate and channel, the time in which a step moves the conductance without field effect by
``DOSE`` of itself, the amplitude that moves it by ``LEVEL`` in one pulse, and the energy at the gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import constants

from ionsim.compact.benchmark import universal_metrics
from ionsim.compact.cardparts import Metric, PulseTrain, Retention
from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.compare import log_current
from ionsim.compact.extraction.ecram_measures import (
    LEVEL,
    dose_time,
    doses,
    energies,
    gate_current,
    half_s,
    pulses_of,
    threshold_V,
)
from ionsim.compact.extraction.ecram_plan import plan
from ionsim.compact.extraction.fitting import Free, fit
from ionsim.compact.extraction.protocol import ErrorRow, Experiment, Fitted, Measurement
from ionsim.compact.extraction.replay import Replay
from ionsim.compact.extraction.targets import CURRENT, ENERGY, TIME, VOLTAGE, Target, Targets
from ionsim.compact.families import ECRAM
from ionsim.compact.numeric import equations
from ionsim.config import Device
from ionsim.config.ecram import EcramDevice
from ionsim.config.ecram_geometry import EcramStack
from ionsim.materials.intercalation import RegularSolution

Floats = NDArray[np.float64]
Series = Mapping[str, Floats]

#: Steps that a replay may take: a train of 2,000 pulses takes 9e5.
MOST_STEPS = 5_000_000

#: Ions in an end region of the electrolyte lie within half of a W-W distance, nm (the mesh of the physics).
_END_NM = 0.2

FREE = (
    Free("c_gate", 3.5e-16, 1e-17, 1e-14),
    Free("c_layer", 2e-16, 1e-17, 1e-14),
    Free("i0_layer", 5e-20, 1e-23, 1e-15),
    Free("g_glass", 5e-10, 1e-12, 1e-6),
    Free("v_hop", 1.48, 0.1, 20.0),
    Free("q_end", 6.4e-16, 1e-17, 1e-13),
    Free("share_0", 0.01, 1e-4, 0.1),
    Free("share_1", 0.03, 1e-3, 0.2),
    Free("share_2", 0.12, 1e-2, 0.24),
    Free("d_rate", 250.0, 1.0, 1e5),
    Free("d_fall", 20.7, 1.0, 60.0),
    Free("k_line", 12.0, 1.0, 100.0),
    Free("fe", 1.0, 0.01, 10.0),
    Free("alpha", 0.5, 0.3, 0.7, "linear", 0.1),
    Free("ea_glass", 0.45, 0.1, 1.0),
    Free("ea_layer", 0.3, 0.05, 1.0),
    Free("ea_diff", 0.35, 0.05, 1.0),
)


class GateTarget:
    """One run replayed: what is compared of it depends on its ``kind``."""

    def __init__(self, measurement: Measurement, model: Model) -> None:
        device = measurement.device
        if not isinstance(device, EcramDevice):
            raise CompactError(f"{measurement.name}: family = {device.family!r}: 'ecram' is needed")
        self.measurement, self.model, self.device = measurement, model, device
        # drain and source at 0 V: a read is worked out from the conductance, as in the physics, and moves no ion
        self.replay = Replay(model, device.drive, measurement.ambient_K, driven="g", most_steps=MOST_STEPS)
        self._code = equations(model)
        series = measurement.series
        self.times: Floats = series["time_s"]
        self.pulses = pulses_of(measurement)
        self.dose_s = dose_time(series, self.pulses[0]) if measurement.kind == "step" and self.pulses else None

    def start(self, values: Mapping[str, float]) -> dict[str, float]:
        """State and gate voltage at t = 0: at rest, open."""
        x, kT = self.device.channel.initial, constants.k / constants.e * self.measurement.ambient_K
        known = self.model.values(dict(values))
        rest = known["v_half"] + kT * np.log(x / (1 - x)) + known["omega"] * (1 - 2 * x)
        return {"x_start": x, "v_start": float(rest)}

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The model's series at the measured times, with ``conductance_S`` and ``state_S`` of the channel."""
        changes = {**values, **self.start(values)}
        found = self.replay(changes)
        known = self.model.values(changes)
        columns = {"g": found["device_V"], "d": 0.0, "s": 0.0, "t": found["t"]}
        for state in self.model.states:
            start, scale = self.model.start_and_scale(state.name, known)
            columns[state.name] = (found[state.name] - start) / scale
        constants_ = self._code.arguments(known, self.measurement.ambient_K)
        shown = self._code.quantities(*(columns[name] for name in self._code.unknowns), *constants_)
        names = [item.name for item in self.model.quantities]
        found["conductance_S"] = np.asarray(shown[names.index("g_channel")])
        found["state_S"] = np.asarray(shown[names.index("g_state")])
        # what the gate has brought is in the layer at the channel and in the channel
        inserted = known["q_sites"] * (np.asarray(shown[names.index("x_mean")]) - known["x_start"])
        layer = found["u_layer"] - (known["v_start"] - known["v_half"])
        found["gate_charge_C"] = inserted + known["c_layer"] * layer
        own = found["time_s"]
        if len(own) != len(self.times) or not np.allclose(own, self.times, rtol=1e-8):
            found = {name: np.interp(self.times, own, series) for name, series in found.items()}
        return found

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """Residuals in units of the limits of the error table; the length does not depend on the values."""
        measured, model = self.measurement.series, self.replayed(values)
        found = [share(np.log10(model["conductance_S"] / measured["conductance_S"]) / CURRENT)]
        kind = self.measurement.kind
        if kind in ("step", "sweep"):
            found.append(share(self.current_errors(model) / CURRENT))
        if self.dose_s is not None:
            own = dose_time(model, self.pulses[0])
            error = 2.0 if own is None else np.log10(own / self.dose_s)
            found.append(np.array([3.0 * error / TIME]))
        if kind in ("ladder", "train") and self.pulses:
            true, own_dose = doses(measured, self.pulses), doses(model, self.pulses)
            # the dose of one pulse: a tenth of a decade of it is some 1 % of an amplitude
            big = np.abs(true) > LEVEL / 3
            ratio = np.log10(np.maximum(own_dose / np.where(big, true, 1.0), 1e-3))
            found.append(3.0 * share(np.where(big, ratio, 0.0) / (2 * CURRENT)))
            found.append(share((energies(model, self.pulses) / energies(measured, self.pulses) - 1) / ENERGY))
        if kind == "retention":
            moved = np.log10(model["state_S"] / measured["state_S"])
            found.append(share(moved / (0.3 * CURRENT)))
        return np.concatenate(found)

    def current_errors(self, model: Series) -> Floats:
        """log10 of the gate's current, model over measured: from the step on, or from the third point of a sweep.

        What is before is the way from open circuit to the drive's first voltage, which a replay begins at 0 V.
        """
        first = self.pulses[0].before if self.measurement.kind == "step" and self.pulses else 2
        return (log_current(gate_current(model)) - log_current(gate_current(self.measurement.series)))[first:]


def share(errors: Floats) -> Floats:
    """Errors of many points weighted as about five."""
    return np.asarray(errors) / np.sqrt(max(0.2 * len(errors), 1.0))


@dataclass(frozen=True)
class EcramExtraction:
    """How a device of the family ``ecram`` is identified."""

    model: Model = ECRAM
    free: tuple[Free, ...] = FREE
    rounds: int = 5

    def plan(self, device: Device, quick: bool = False) -> list[Experiment]:
        """The experiments of ``ecram_plan``; raises CompactError for another family."""
        if not isinstance(device, EcramDevice):
            raise CompactError(f"{device.name}: family = {device.family!r}: 'ecram' is needed")
        return [
            Experiment(one.name, one.role, device.replace(one.changes), one.what, one.kind, (0,))
            for one in plan(device, quick)
        ]

    def fixed(self, device: Device) -> dict[str, tuple[float, str]]:
        """Numbers of the device file that the model takes as they are, and what the physics has not."""
        assert isinstance(device, EcramDevice)
        number, geometry = device.number, device.geometry
        law = device.open_circuit()
        if not isinstance(law, RegularSolution) or law.entropy != 1.0:
            raise CompactError(
                f"{device.name}: channel.material = {device.channel.material!r}: the model's open-circuit "
                "voltage is that of a regular solution with entropy 1"
            )
        length_m, thick_m = geometry.channel_length_nm * 1e-9, geometry.channel_nm * 1e-9
        area = length_m * geometry.width_nm * 1e-9
        glass = constants.epsilon_0 * number("electrolyte.relative_permittivity") * area
        file = "device file"
        found = {
            "c_glass": (glass / (geometry.electrolyte_nm * 1e-9), f"permittivity and thickness, {file}"),
            "i0_gate": (number("interfaces.gate.exchange_A_per_m2") * area, f"interfaces.gate, {file}"),
            "ea_gate": (number("interfaces.gate.activation_eV"), f"interfaces.gate, {file}"),
            "q_sites": (constants.e * number("channel.sites_per_m3") * area * thick_m, f"channel.sites_per_m3, {file}"),
            "c_rest": (
                number("electrolyte.density_per_m3") / number("electrolyte.sites_per_m3"),
                f"electrolyte, {file}",
            ),
            "v_half": (number("reservoir.potential_V") - law.middle_V, f"reservoir and channel, {file}"),
            "omega": (law.interaction_eV, f"channel.interaction_eV, {file}"),
            "dense_at": (number("channel.dense_at"), f"channel.dense_at, {file}"),
            "m_ch": (number("channel.mobility_m2_per_Vs") / length_m**2, f"channel.mobility_m2_per_Vs, {file}"),
            "hop_ev": (number("channel.hopping_eV"), f"channel.hopping_eV, {file}"),
            "x_crit": (number("channel.critical"), f"channel.critical, {file}"),
            "x_width": (number("channel.critical_width"), f"channel.critical_width, {file}"),
            "k_depth": ((thick_m / length_m) ** 2, f"thickness and length of the channel, {file}"),
            "t_ref": (300.0, "temperature of the sets' numbers"),
            "r_gate": (1e3, "the physics has no wire"),
            "c_over": (0.0, "the electrolyte ends with the channel"),
            "g_leak": (0.0, "no electron passes the electrolyte of the physics"),
            "g_off": (1e-15, "the physics has no other conduction"),
            "rth": (1e3, "the physics is run at the temperature of its surroundings"),
            "cth": (1e-18, "no heat, see rth"),
        }
        if isinstance(geometry, EcramStack) or device.channel.equipotential:
            found["k_line"] = (1e6, "a channel with one potential")
            found["k_depth"] = (0.0, "a channel with one potential")
        return found

    def starts(self, device: EcramDevice) -> dict[str, float]:
        """Starts of the fit that follow from the device file."""
        number, geometry = device.number, device.geometry
        area = geometry.channel_length_nm * geometry.width_nm * 1e-18
        thick_nm, glass_nm = geometry.channel_nm, geometry.electrolyte_nm
        kT = constants.k / constants.e * 300.0
        dilute, dense = number("channel.diffusivity_m2_per_s"), number("channel.dense_diffusivity_m2_per_s")
        return {
            "c_gate": number("interfaces.gate.capacitance_F_per_m2") * area,
            "c_layer": number("interfaces.channel.capacitance_F_per_m2") * area,
            "i0_layer": number("interfaces.channel.exchange_A_per_m2") * area,
            "g_glass": number("electrolyte.conductivity_S_per_m") * area / (glass_nm * 1e-9),
            "v_hop": 2 * kT * glass_nm / max(number("electrolyte.hop_nm"), 0.05),
            "q_end": constants.e * number("electrolyte.sites_per_m3") * area * _END_NM * 1e-9,
            "share_0": _END_NM / thick_nm,
            "share_1": 3 * _END_NM / thick_nm,
            "share_2": 12 * _END_NM / thick_nm,
            "d_rate": dilute / (thick_nm * 1e-9) ** 2,
            "d_fall": float(np.log(dilute / dense)) / number("channel.dense_at"),
            "fe": device.channel.field_effect,
            "alpha": number("interfaces.channel.transfer"),
            "ea_glass": number("electrolyte.activation_eV"),
            "ea_layer": number("interfaces.channel.activation_eV"),
            "ea_diff": number("channel.activation_eV"),
        }

    def targets(self, measured: Iterable[Measurement], roles: Sequence[str] | None = None) -> list[Target]:
        """What can be compared, of the given roles (None: all)."""
        return [GateTarget(one, self.model) for one in measured if roles is None or one.role in roles]

    def fit(self, measured: Sequence[Measurement], fixed: Mapping[str, float]) -> Fitted:
        """Fit all of role "fit" together, from the numbers of the device file; raises CompactError without any."""
        targets = self.targets(measured, ("fit",))
        if not targets:
            raise CompactError("fit: no measurement of role 'fit'")
        device = targets[0].measurement.device
        starts = self.starts(device) if isinstance(device, EcramDevice) else {}
        free = [
            Free(
                item.name,
                min(max(starts.get(item.name, item.start), item.low), item.high),
                item.low,
                item.high,
                item.scale,
                item.step,
            )
            for item in self.free
            if item.name not in fixed
        ]
        found = fit(Targets(targets), free, fixed, rounds=self.rounds).fitted()
        own = {parameter.name for parameter in self.model.parameters}
        return replace(found, values={name: value for name, value in found.values.items() if name in own})

    def errors(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[ErrorRow]:
        """Currents of gate and channel, times and amplitudes of programming, energies; decades of time compared."""
        rows: list[ErrorRow] = []
        times = []
        for target in self.targets(measured):
            assert isinstance(target, GateTarget)
            rows += _rows(target, target.replayed(fitted.values))
            if target.dose_s is not None and target.measurement.role == "held_out":
                times.append(target.dose_s)
        if len(times) > 1:
            decades = float(np.log10(max(times) / min(times)))
            rows.append(ErrorRow("decades of programming time", "held-out steps", True, decades, None, "decades"))
        return rows

    def switching_times(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[tuple[str, bool, float, float]]:
        """Name, held out, programming time of the physics and of the model (s) of each step."""
        found = []
        for target in self.targets(measured):
            assert isinstance(target, GateTarget)
            if target.dose_s is not None:
                own = dose_time(target.replayed(fitted.values), target.pulses[0])
                if own is not None:
                    one = target.measurement
                    found.append((one.name, one.role == "held_out", target.dose_s, own))
        return found

    def validity(self, measured: Sequence[Measurement]) -> dict[str, tuple[float, float]]:
        """What the measurements cover."""
        fitted = [one for one in measured if one.role == "fit"]
        volts = np.concatenate([one.series["voltage_V"] for one in fitted])
        starts = [one.device.channel.initial for one in fitted if isinstance(one.device, EcramDevice)]
        states = np.concatenate([one.series.get("x_mean", np.array(starts[:1])) for one in fitted])
        widths = [p.width_s for one in fitted for p in pulses_of(one)]
        found = {
            "gate_V": (float(volts.min()), float(volts.max())),
            "ambient_K": (min(one.ambient_K for one in fitted), max(one.ambient_K for one in fitted)),
            "state": (float(states.min()), float(states.max())),
        }
        return found | ({"pulse_width_s": (min(widths), max(widths))} if widths else {})

    def pulses(self, measured: Sequence[Measurement]) -> list[dict[str, Any]]:
        """The trains of role "pulses": conductance without the read's noise, up and down."""
        found = []
        for one in measured:
            if one.role != "pulses" or not isinstance(one.device, EcramDevice):
                continue
            every = pulses_of(one)
            level = one.series["conductance_S"]
            for direction, sign in (("up", 1.0), ("down", -1.0)):
                chosen = [p for p in every if p.voltage_V * sign > 0]
                if len(chosen) > 2:
                    first = one.series["state_S"][0] if chosen[0].before == 0 else level[chosen[0].before]
                    found.append(
                        {
                            "direction": direction,
                            "amplitude": chosen[0].voltage_V,
                            "width_s": chosen[0].width_s,
                            "read_V": one.device.channel.read_V,
                            "conductances_S": [float(first), *(float(level[p.after]) for p in chosen)],
                        }
                    )
        return found

    def benchmark(self, fitted: Fitted, measured: Sequence[Measurement]) -> dict[str, Metric]:
        """Metrics of the train of role "pulses"; energies are those at the gate, not V^2 G of a two-terminal cell."""
        trains = [
            PulseTrain(**{**one, "conductances_S": tuple(one["conductances_S"])}) for one in self.pulses(measured)
        ]
        long = [one for one in measured if one.role == "pulses"]
        if not trains or not long:
            return {}
        levels = np.concatenate([train.conductances_S for train in trains])
        steps = [target for target in self.targets(measured) if isinstance(target, GateTarget)]
        switching = [
            (step.pulses[0].voltage_V, step.dose_s)
            for step in steps
            if step.dose_s is not None and step.pulses[0].voltage_V > 0
        ]
        device = long[0].device
        read_Hz = device.channel.read_Hz if isinstance(device, EcramDevice) else 1e3
        found = universal_metrics(
            levels.max(),
            levels.min(),
            0,
            None,
            None,
            trains,
            [
                Retention(**{**one, "times_s": tuple(one["times_s"]), "conductances_S": tuple(one["conductances_S"])})
                for one in self.retention(measured)
            ],
            switching,
            long[0].ambient_K,
            read_Hz,
        )
        spent = energies(long[0].series, pulses_of(long[0]))
        note = "energy at the gate of a pulse and its rest, mean of the train"
        return found | {"E_pulse_J": Metric(value=float(spent.mean()), unit="J", note=note)}

    def retention(self, measured: Sequence[Measurement]) -> list[dict[str, Any]]:
        """Conductance with the gate shorted or open against time."""
        return [
            {
                "temperature_K": one.ambient_K,
                "times_s": one.series["time_s"].tolist(),
                "conductances_S": one.series["conductance_S"].tolist(),
            }
            for one in measured
            if one.kind == "retention" and one.name.startswith("shorted")
        ]


def _rows(target: GateTarget, model: Series) -> list[ErrorRow]:
    one = target.measurement
    measured, held, kind = one.series, one.role != "fit", one.kind
    condition = one.name
    channel = np.log10(model["conductance_S"] / measured["conductance_S"])
    rows = [ErrorRow("rms log10 I of the channel", condition, held, _rms(channel), CURRENT, "decades")]
    if kind in ("step", "sweep"):
        gate = target.current_errors(model)
        rows.append(ErrorRow("rms log10 I of the gate", condition, held, _rms(gate), CURRENT, "decades"))
    if target.dose_s is not None:
        own = dose_time(model, target.pulses[0])
        error = float("nan") if own is None else float(np.log10(own / target.dose_s))
        rows.append(ErrorRow("programming time", condition, held, error, TIME, "decades", target.dose_s, own))
    if kind == "ladder":
        both = [doses(series, target.pulses) for series in (measured, model)]
        for sign, name in ((1.0, "up"), (-1.0, "down")):
            true_V, own_V = (threshold_V(dose, target.pulses, sign) for dose in both)
            if true_V is not None:
                error = float("nan") if own_V is None else own_V / true_V - 1
                rows.append(ErrorRow(f"amplitude {name}", condition, held, error, VOLTAGE, "relative", true_V, own_V))
    if kind in ("ladder", "train"):
        spent = [energies(series, target.pulses) for series in (measured, model)]
        worst = int(np.argmax(np.abs(spent[1] / spent[0] - 1)))
        label = f"{condition}, {target.pulses[worst].voltage_V:g} V"
        rows.append(
            ErrorRow(
                "energy of a pulse, worst",
                label,
                held,
                float(spent[1][worst] / spent[0][worst] - 1),
                ENERGY,
                "relative",
                float(spent[0][worst]),
                float(spent[1][worst]),
            )
        )
    if kind == "train":
        level = [series["state_S"][[p.after for p in target.pulses]] for series in (measured, model)]
        error = float(np.abs(level[1] - level[0]).max() / np.ptp(level[0]))
        rows.append(ErrorRow("level of a train over its range, worst", condition, held, error, None, "relative"))
    if kind == "retention" and one.name.startswith("shorted"):
        true_s, own_s = (half_s(series) for series in (measured, model))
        if true_s is not None:
            error = float("nan") if own_s is None else float(np.log10(own_s / true_s))
            rows.append(ErrorRow("time to half of the loss", condition, held, error, TIME, "decades", true_s, own_s))
    return rows


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


EXTRACTION = EcramExtraction()
