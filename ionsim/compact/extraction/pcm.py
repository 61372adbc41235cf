"""Extraction of phase-change cells: RESET and SET pulses, ramps to the threshold, drift, bakes.

What identifies what:

- RESET from the crystal over amplitudes: heat and resistance around a melt (its radius follows from the power), what
  glass of that radius resists; over widths and trailing edges: the time of the heat, growth at the edge of the melt;
- ramps to the threshold at rates and temperatures: field, heat of the core;
- SET pulses: growth beside a hot filament;
- bakes at two temperatures: how much sooner nuclei crystallise the dome than its edge does, a factor of their rate (in
  (r, z) a nucleus off the axis is a ring, so that it is above 1); growth, viscosity and drift are those of the set.

Compared are currents at all recorded points, the resistance after the last pulse, the voltage of threshold switching,
the time of crystallisation in a bake, and energies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import constants

from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.fitting import Free, fit
from ionsim.compact.extraction.pcm_plan import plan
from ionsim.compact.extraction.protocol import ErrorRow, Experiment, Fitted, Measurement
from ionsim.compact.extraction.replay import Replay
from ionsim.compact.extraction.targets import CURRENT, ENERGY, TIME, VOLTAGE, Target, Targets
from ionsim.compact.families import PCM
from ionsim.config import Device
from ionsim.config.pcm import PcmDevice
from ionsim.config.pcm_geometry import Mushroom
from ionsim.devices.relaxation import Relaxation
from ionsim.materials.crystallisation import Crystallisation

Floats = NDArray[np.float64]
Series = Mapping[str, Floats]

#: Voltages below this are not compared, V.
LOWEST_V = 0.02

#: Current at which a ramp has switched, A: between 10 uA before and 300 uA after.
SWITCHED_A = 2e-5

#: Change of ln G over the last rest of a bake below which it is at its end, and the least rise over all of it.
AT_REST, LEAST_RISE = 0.02, 0.1

#: Radius that counts as an error of 1 where a melt is compared by its volume, m.
RADIUS_M = 1e-9

#: Age of the glass in s, at which conductivities of sets hold, and their temperature (ionsim.devices.relaxation).
_REFERENCE_S, _REFERENCE_K = 1.0, 300.0

#: Age of the youngest glass of the model, s: edges of pulses take that long.
_YOUNG_S = 1e-9

FREE = (
    Free("rho_g", 9.356e+14, 1e14, 5e15),
    Free("f_field", 2.442, 0.5, 5.0),
    Free("e_low", 0.1172, 0.03, 0.36),
    Free("r_core", 5.456e+06, 1e6, 3e7),
    Free("l_shell", 9.314e-09, 4e-9, 6e-8),
    Free("r_cover", 1.9e-08, 1e-8, 2.5e-8),
    Free("w_cover", 8.191e-10, 3e-10, 4e-9),
    Free("c_cover", 0.4503, 0.1, 5.0),
    Free("n_cover", 2, 2.0, 30.0),
    Free("rs", 367.2, 200.0, 600.0),
    Free("r_heater", 9.282e-09, 5e-9, 2e-8),
    Free("g_th", 2.153e-07, 1e-7, 1e-6),
    Free("b_th", 1.006e-07, 3e-8, 3e-7),
    Free("c_th", 0.0006416, 5e-5, 1e-3),
    Free("cap_t", 2.698e-16, 3e-17, 1e-15),
    Free("cap_g", 2.533e-17, 1e-17, 1e-15),
    Free("n_core", 1.684, 0.02, 3.5),
    Free("melt", 7.453, 1.0, 10.0),
    Free("mix_front", 0.5192, 0.05, 0.95),
    Free("share", 0.03827, 0.01, 0.5),
    Free("wf", 3.658, 0.1, 5.0),
    Free("nuclei", 9.842, 0.1, 100.0),
)


class PulseTrain:
    """One run replayed: what is compared of it depends on its ``kind`` (reset, set, ramp, drift, bake)."""

    def __init__(self, measurement: Measurement, model: Model) -> None:
        device = measurement.device
        if not isinstance(device, PcmDevice):
            raise CompactError(f"{measurement.name}: family = {device.family!r}: 'pcm' is needed")
        self.measurement, self.model = measurement, model
        self.replay = Replay(model, device.drive, measurement.ambient_K)
        self._start = {"x_start": 0.0 if device.phase_change.initial == "crystalline" else 1.0}
        series = measurement.series
        self._used = np.abs(series["voltage_V"]) > LOWEST_V
        self._radius = radius_m(measurement)
        self._end_s = end_of_pulse_s(device)
        self._points = np.linspace(0, len(series["time_s"]) - 1, 12).astype(int)

    def replayed(self, values: Mapping[str, float]) -> dict[str, Floats]:
        """The series of the model under this drive, by the measurement's own points."""
        found = self.replay({**values, **self._start})
        asked, have = self.measurement.series["time_s"], found["time_s"]
        at = np.minimum(np.searchsorted(have, asked * (1 - 1e-9)), len(have) - 1)  # a thinned trace has fewer
        if not np.allclose(have[at], asked, rtol=1e-8, atol=0.0):
            raise CompactError(f"{self.measurement.name}: points of the replay are not those of the run")
        found = {name: values[at] for name, values in found.items()}
        return found

    def current_errors(self, model: Series) -> Floats:
        """log10 of the current, model over measured, where a voltage is applied (n,)."""
        measured = self.measurement.series["current_A"][self._used]
        return np.asarray(np.log10(np.maximum(model["current_A"][self._used], 1e-15) / measured))

    def times_s(self, model: Series) -> tuple[float | None, float | None]:
        """Times of crystallisation of physics and model."""
        return crystallised_s(self.measurement.series, self._end_s), crystallised_s(model, self._end_s)

    def residuals(self, values: Mapping[str, float]) -> Floats:
        """Errors over the limits of the error table; points of one run weigh as five."""
        measured, model = self.measurement.series, self.replayed(values)
        if self.measurement.kind == "bake":
            true, own = self.times_s(model)
            if true is None:
                return np.zeros(1)
            error = np.log10((model["time_s"][-1] if own is None else own) / true)
            return np.array([3.0 * error / TIME])
        errors = self.current_errors(model)
        # what a RESET leaves decides about all that follows
        last = (2.0 if self.measurement.kind == "reset" else 1.0) * errors[-1] / CURRENT
        found = [errors / (CURRENT * np.sqrt(0.2 * len(errors))), [last]]
        if self.measurement.kind == "ramp":
            own = threshold_V(model)
            true = threshold_V(measured)
            if true is not None:
                found.append([3.0 * np.log((1.3 * true if own is None else own) / true) / VOLTAGE])
        if self.measurement.kind == "reset" and self._radius is not None:
            edge = self.model.values(values)["r_max"] * model["x"]
            found.append((edge - self._radius)[self._points] / (RADIUS_M * np.sqrt(len(self._points))))
        return np.concatenate(found)


def radius_m(measurement: Measurement) -> Floats | None:
    """Radius of half a ball of the volume that is not crystalline (n,), m; None where the run does not say."""
    share = measurement.series.get("crystalline_share")
    geometry = measurement.device.geometry  # type: ignore[attr-defined]
    if share is None or not isinstance(geometry, Mushroom):
        return None
    film = np.pi * (1e-9 * geometry.outer_radius_nm) ** 2 * 1e-9 * geometry.phase_change_nm
    return np.asarray(np.cbrt(1.5 / np.pi * film * np.maximum(1 - share, 0.0)))


def end_of_pulse_s(device: PcmDevice) -> float:
    """When the trailing edge of the first pulse has ended, s."""
    first = device.drive.pulses[0]  # type: ignore[union-attr]
    return float(first.rise_s + first.width_s + first.fall_s)


def threshold_V(series: Series) -> float | None:
    """Voltage at which the second pulse, a ramp, crosses ``SWITCHED_A``, by a line in log I; None where none does."""
    rows = series["stage"].astype(int) == 1
    volts, current = series["voltage_V"][rows], series["current_A"][rows]
    beyond = current > SWITCHED_A
    if not beyond.any() or beyond[0]:
        return None
    k = int(np.argmax(beyond))
    low, high = np.log(current[k - 1 : k + 1])
    return float(volts[k - 1] + (np.log(SWITCHED_A) - low) / (high - low) * (volts[k] - volts[k - 1]))


def crystallised_s(series: Series, since_s: float) -> float | None:
    """Time after ``since_s`` at which the conductance at rest is half way to the crystal's on a logarithmic scale.

    Half way between its lowest value after ``since_s`` and its last one, which must have come to rest (``AT_REST``): a
    run that ends too early has no such time (None), nor has one that begins beyond it.
    """
    rest = series["time_s"] > since_s * (1 + 1e-9)
    time_s, stage = series["time_s"][rest] - since_s, series["stage"][rest]
    level = np.log(series["conductance_S"][rest])
    lowest, last, before = level.min(), level[-1], level[stage == stage[-1]][0]
    middle = 0.5 * (lowest + last)
    if abs(last - before) > AT_REST or last - lowest < LEAST_RISE or level[0] > middle:
        return None
    k = int(np.argmax(level > middle))
    part = (middle - level[k - 1]) / (level[k] - level[k - 1])
    low, high = np.log(time_s[k - 1 : k + 1])
    return float(np.exp(low + part * (high - low)))


def energy_J(series: Series) -> float:
    """Electrical energy of the cell over the run."""
    return float(np.sum(np.diff(series["time_s"], prepend=0.0) * series["power_W"]))


@dataclass(frozen=True)
class PcmExtraction:
    """How a device of the family ``pcm`` is identified."""

    model: Model = PCM
    free: tuple[Free, ...] = FREE
    rounds: int = 12

    def plan(self, device: Device, quick: bool = False) -> list[Experiment]:
        """Pulses, ramps and bakes of ``pcm_plan``; raises CompactError for what is no mushroom cell."""
        if not isinstance(device, PcmDevice) or not isinstance(device.geometry, Mushroom):
            raise CompactError(f"{device.name}: a mushroom cell of the family 'pcm' is needed")
        return plan(device, quick)

    def fixed(self, device: Device) -> dict[str, tuple[float, str]]:
        """Kinetics and conduction of the material set, and what follows from the device file."""
        assert isinstance(device, PcmDevice)
        phase, file = device.phase, "material set or device file"
        law = Crystallisation.of(phase)
        glass = Relaxation(
            phase("relaxation_barrier_eV"), phase("relaxation_shift_eV"), phase("relaxation_attempt_Hz")
        )
        kT = constants.k / constants.e * _REFERENCE_K
        ages = {
            time: kT * float(np.log1p(glass.attempt_Hz * time * glass.barrier_eV / kT))
            for time in (_YOUNG_S, _REFERENCE_S)
        }
        return {
            "x_start": (0.01, "chosen: a crystalline cell"),
            "age_start": (ages[_REFERENCE_S], "a second at 300 K"),
            "r_max": (50e-9, "chosen: the film is 60 nm thick"),
            "k_c": (1.0 / (2 * np.pi * phase("crystalline_S_per_m")), f"spreading of the crystal, {file}"),
            "corner": (6.5, "calibrated: steady power and resistance against the radius of a melt"),
            "l_field": (1e-9, "chosen: a hop or less"),
            "e_a": (phase("amorphous_activation_eV"), file),
            "hop": (1e-9 * phase("hop_distance_nm"), file),
            "s_liquid": (phase("liquid_S_per_m") / phase("amorphous_S_per_m"), file),
            "width_m": (10.0, "ionsim.devices.pcm_electrical"),
            "t_ref": (_REFERENCE_K, "temperature of the set"),
            "age_ref": (ages[_REFERENCE_S], "a second at 300 K"),
            "nu_relax": (glass.attempt_Hz, file),
            "e_relax": (glass.barrier_eV, file),
            "shift": (glass.shift_eV, file),
            "age_0": (ages[_YOUNG_S], "a nanosecond at 300 K"),
            "t_melt": (law.melting_K, file),
            "t_glass": (law.glass_K, file),
            "frag": (law.fragility, file),
            "eta_hot": (law.hot_viscosity_Pa_s, file),
            "t_frozen": (law.frozen_K, file),
            "e_frozen": (law.activation_eV, file),
            "latent": (law.latent_J_per_m3, file),
            "v_mono": (law.monomer_m3, file),
            "jump": (law.jump_m, file),
            "gamma_i": (law.interface_J_per_m2, file),
            "wetting": (law.wetting, file),
        }

    def targets(self, measured: Iterable[Measurement], roles: Sequence[str] | None = None) -> list[Target]:
        """What can be compared, of the given roles (None: all)."""
        return [PulseTrain(one, self.model) for one in measured if roles is None or one.role in roles]

    def fit(self, measured: Sequence[Measurement], fixed: Mapping[str, float]) -> Fitted:
        """Fit all of role "fit" together; raises CompactError without any."""
        targets = self.targets(measured, ("fit",))
        if not targets:
            raise CompactError("fit: no measurement of role 'fit'")
        free = [item for item in self.free if item.name not in fixed]
        return fit(Targets(targets), free, fixed, rounds=self.rounds).fitted()

    def errors(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[ErrorRow]:
        """Currents, resistances, threshold voltages, times of crystallisation, energies."""
        rows: list[ErrorRow] = []
        bakes: dict[tuple[float, str], list[tuple[str, float | None, float | None]]] = {}
        for target in self.targets(measured, ("fit", "held_out")):
            assert isinstance(target, PulseTrain)
            one, model = target.measurement, target.replayed(fitted.values)
            if one.kind == "bake":
                bakes.setdefault((one.ambient_K, one.role), []).append((one.name, *target.times_s(model)))
            else:
                rows += _rows(target, model)
        for (_, role), times in sorted(bakes.items()):
            rows += _bake_rows(role == "held_out", times)
        return [*rows, *_decades(rows)]

    def switching_times(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[tuple[str, bool, float, float]]:
        """Name, held out, time of crystallisation of the physics and of the model (s) of each bake."""
        found = []
        for target in self.targets(measured):
            assert isinstance(target, PulseTrain)
            one = target.measurement
            if one.kind == "bake":
                true, own = target.times_s(target.replayed(fitted.values))
                if true is not None and own is not None:
                    found.append((one.name, one.role == "held_out", true, own))
        return found

    def validity(self, measured: Sequence[Measurement]) -> dict[str, tuple[float, float]]:
        """What the measurements of role "fit" cover."""
        fitted = [one for one in measured if one.role == "fit"]
        volts = np.concatenate([one.series["voltage_V"] for one in fitted])
        pulses = [pulse for one in fitted for pulse in _pulses(one) if pulse.amplitude_V > 0.3]
        return {
            "voltage_V": (0.0, float(volts.max())),
            "series_resistance_ohm": (fitted[0].device.drive.series_resistance_ohm,) * 2,
            "pulse_width_s": (min(p.width_s for p in pulses), max(p.width_s for p in pulses)),
            "edge_s": (min(p.fall_s for p in pulses), max(max(p.rise_s, p.fall_s) for p in pulses)),
            "ambient_K": (min(one.ambient_K for one in fitted), max(one.ambient_K for one in fitted)),
        }


def _pulses(one: Measurement) -> tuple[Any, ...]:
    return tuple(one.device.drive.pulses)  # type: ignore[union-attr]


def _rows(target: PulseTrain, model: Series) -> list[ErrorRow]:
    one, measured = target.measurement, target.measurement.series
    held, where = one.role == "held_out", one.name if one.seed == 1 else f"{one.name}, seed {one.seed}"
    errors = target.current_errors(model)
    rms = float(np.sqrt(np.mean(errors**2)))
    rows = [ErrorRow("rms log10 I", where, held, rms, CURRENT, "decades")]
    if one.kind in ("reset", "set"):
        ohm = [float(series["device_V"][-1] / series["current_A"][-1]) for series in (measured, model)]
        rows.append(ErrorRow("log10 R after it", where, held, float(np.log10(ohm[1] / ohm[0])), None, "decades", *ohm))
    if one.kind == "ramp":
        volts = threshold_V(measured), threshold_V(model)
        if volts[0] is not None:
            error = np.nan if volts[1] is None else volts[1] / volts[0] - 1
            rows.append(ErrorRow("threshold voltage", where, held, error, VOLTAGE, "relative", *volts))
    joule = energy_J(measured), energy_J(model)
    rows.append(ErrorRow("energy", where, held, joule[1] / joule[0] - 1, ENERGY, "relative", *joule))
    return rows


def _bake_rows(held: bool, times: Sequence[tuple[str, float | None, float | None]]) -> list[ErrorRow]:
    """The median time of all seeds of a bake, and how far they scatter.

    Currents are not compared: while a cell crystallises a shift of the time within its limit is an error of the current
    as large as any.
    """
    found = [(true, own) for _, true, own in times if true is not None]
    if not found:
        return []
    where = times[0][0].partition("_seed")[0] + (f", median of {len(found)} seeds" if len(found) > 1 else "")
    true, own = float(np.median([true for true, _ in found])), found[0][1]  # the model's are all the same
    error = np.nan if own is None else float(np.log10(own / true))
    rows = [ErrorRow("time of crystallisation", where, held, error, TIME, "decades", true, own)]
    if len(found) > 1:
        scatter = float(np.std(np.log10([true for true, _ in found]), ddof=1))
        rows.append(ErrorRow("scatter of that time between seeds", where, held, scatter, None, "decades"))
    return rows


def _decades(rows: Sequence[ErrorRow]) -> list[ErrorRow]:
    """Over how many decades times of held-out bakes go."""
    times = [row.measured for row in rows if row.check == "time of crystallisation" and row.held_out and row.measured]
    if len(times) < 2:
        return []
    decades = float(np.log10(max(times) / min(times)))
    return [ErrorRow("decades of crystallisation time", "held-out bakes", True, decades, None, "decades")]


EXTRACTION = PcmExtraction()
