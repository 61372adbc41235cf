"""Extraction of the ECM model: SET times against voltage, sweeps, rates and temperatures, decay, pulses.

Metal moves atom by atom, so every condition is run with several seeds; the model follows their geometric means, and is
compared with them. What geometry and device file say by themselves is not fitted (:meth:`EcmExtraction.fixed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

import kmc
from ionsim.compact.cardparts import Statistics
from ionsim.compact.description import CompactError, Model
from ionsim.compact.extraction.ecm_targets import Condition, StressCondition, conditions
from ionsim.compact.extraction.fitting import Free, fit
from ionsim.compact.extraction.protocol import ErrorRow, Experiment, Fitted, Measurement, Role
from ionsim.compact.extraction.targets import Targets
from ionsim.compact.families import ECM
from ionsim.compact.statistics import fit_statistics
from ionsim.config import Device, EcmDevice
from ionsim.config.waveforms import Sweep

if TYPE_CHECKING:  # the trials import every family; an extraction needs them only where a card is verified
    from ionsim.compact.card import Card
    from ionsim.compact.verify.trial import Trial

#: Bonds of an atom on a flat (100) facet, and of one at a kink.
_ADATOM, _KINK = 4, 6

#: SET time of a cell in which transfer limits, times the rate at which an ion becomes an adatom and ions a site; and of
#: one in which migration limits, times hops and ions: both read off docs/ecm-results.md, for the length of runs alone.
_TRANSFER_TIME, _HOP_TIME = 0.12, 8.4

#: Ions hop and cross the active electrode at most this much faster than transfer (docs/ecm-results.md, ``--lead``).
LEAD = 2000.0

#: Recorded step of a sweep, V, chosen: a rate with a transfer coefficient of 1/2 changes by 4 % in it.
STEP_V = 0.002

#: Seeds of loops and of rests after SET: by the end of SET single cells differ by decades.
SEEDS = (1, 2, 3, 4, 5)

#: A run at a constant voltage lasts as many times the expected SET time; slow ones, dear as they are, fewer.
_LONGER, _SLOW_S, _LESS_LONG = 5.0, 0.1, 3.0


def adatom_rate_Hz(device: EcmDevice, voltage_V: float) -> float:
    """Rate at which an ion beside a flat facet becomes an adatom where the whole voltage is overpotential."""
    ion = device.ion
    change_eV = (
        device.kinetic("atom.strain_eV") + (_KINK - _ADATOM) * device.kinetic("atom.bond_eV")
        - device.kinetic("ion.energy_eV") - ion.charge_e * voltage_V
    )  # fmt: skip
    barrier_eV = max(device.kinetic("transfer.barrier_eV"), 0.5 * abs(change_eV)) + 0.5 * change_eV
    return float(ion.attempt_Hz * np.exp(-barrier_eV / (kmc.KB_EV * device.ambient_K)))


def expected_s(device: EcmDevice, voltage_V: float) -> float:
    """About how long SET takes at a constant voltage, s: for the length of runs, not for a fit."""
    thermal_eV = kmc.KB_EV * device.ambient_K
    ions = np.exp(-device.kinetic("ion.energy_eV") / thermal_eV)
    hop_Hz = device.ion.attempt_Hz * np.exp(-device.kinetic("ion.hop_barrier_eV") / thermal_eV)
    return float((_TRANSFER_TIME / adatom_rate_Hz(device, voltage_V) + _HOP_TIME / hop_Hz) / ions)


def _capped(device: EcmDevice, voltage_V: float) -> EcmDevice:
    """The device with hops and exchange at most :data:`LEAD` times as fast as transfer at ``voltage_V``."""
    rate_Hz = adatom_rate_Hz(device, voltage_V)
    hop_Hz = device.ion.attempt_Hz * np.exp(-device.kinetic("ion.hop_barrier_eV") / (kmc.KB_EV * device.ambient_K))
    changes = {"atom.max_surface_rate_Hz": min(rate_Hz, device.atom.max_surface_rate_Hz or np.inf)}
    if LEAD * rate_Hz < hop_Hz:
        changes |= {"ion.max_hop_rate_Hz": LEAD * rate_Hz, "transfer.max_rate_Hz": LEAD * rate_Hz}
    return device.replace(changes)


def _set_voltage_V(device: EcmDevice, rate_V_per_s: float) -> float:
    """About where a ramp sets: where SET takes as long as the ramp takes for 2 kT/e."""
    volts = np.arange(0.3, 3.0, 0.01)
    dwell_s = 2 * kmc.KB_EV * device.ambient_K / rate_V_per_s
    times = np.array([expected_s(device, float(v)) for v in volts])
    return float(volts[np.argmax(times < dwell_s)]) if np.any(times < dwell_s) else 2.5


def _ecm(device: Device) -> EcmDevice:
    if not isinstance(device, EcmDevice):
        raise CompactError(f"family: {device.family!r}; this extraction needs 'ecm'")
    return device


#: What is fitted, with starts near the barriers of the device's own processes.
FREE = (
    Free("ea_grow", 1.233, 0.6, 1.8, "linear", 0.026),
    Free("ea_hop", 0.408, 0.05, 1.0, "linear", 0.026),
    Free("ea_dissolve", 0.75, 0.3, 1.5, "linear", 0.026),
    Free("ea_edge", 0.93, 0.3, 1.5, "linear", 0.026),
    Free("gamma", 1.4e-11, 1e-13, 1e-10),
)


class EcmExtraction:
    """How the ECM model is identified from runs of a transfer-limited cell."""

    model: Model = ECM
    free: tuple[Free, ...] = FREE

    def fixed(self, device: Device) -> dict[str, tuple[float, str]]:
        """What geometry, material and engine say by themselves."""
        from ionsim.coupling import tunnelling_decay_nm  # with it come MPI and the solvers, which a card can do without

        cell = _ecm(device)
        film_m = cell.layers.electrolyte.thickness_nm * 1e-9
        plane_m = 0.5e-9 * cell.lattice_constant_nm
        atom_m = plane_m / np.sqrt(2.0)
        atoms = cell.lattice.width_nm * cell.lattice.depth_nm / (0.5 * cell.lattice_constant_nm**2)
        interfaces = cell.conduction
        sigma = interfaces.electrolyte_S_per_m
        at_tip = interfaces.transfer_S_per_m2 if interfaces.deposit_S_per_m2 is None else interfaces.deposit_S_per_m2
        len_active, len_tip = sigma / interfaces.transfer_S_per_m2, sigma / at_tip
        area_m2 = (cell.mesh.domain_width_nm * 1e-9) ** 2
        active_eV = cell.transfer.active_barrier_eV
        if active_eV is None:
            active_eV = cell.kinetic("transfer.barrier_eV")
        return {
            "x_start": (0.0, "virgin cell"),
            "w_start": (0.0, "virgin cell"),
            "rs": (
                1e3, "chosen: none in the device, and 1 mV at 1 uA; over 1 Ohm 1e-17 A is the last digit of a voltage"
            ),
            "rho": (0.0, "the engine's metal is a short circuit beside its contacts"),
            "film": (film_m, "device"),
            "r_atom": (atom_m, "half the distance of two atoms of the metal"),
            "r_max": (atom_m * float(np.sqrt(atoms)), "device: all atoms of a plane of the box"),
            "hop": (plane_m, "distance of two planes of the metal"),
            "decay": (
                tunnelling_decay_nm(interfaces.tunnel_barrier_eV, interfaces.effective_mass) * 1e-9,
                "device: WKB at its barrier and mass",
            ),
            "reach": (1e-9 * interfaces.cutoff_nm - 0.5 * plane_m, "device: atoms within the cutoff tunnel"),
            "v_tunnel": (1e3, "the engine tunnels with the conductance of low voltage"),
            "g_film": (sigma * area_m2 / (film_m + len_active + len_tip), "device: film and interfaces in series"),
            "v_film": (1e3, "the engine's film is ohmic"),
            "phi_film": (0.0, "the engine's film has no activation"),
            "v_attempt": (cell.ion.attempt_Hz * plane_m, "device: attempt frequency times distance of planes"),
            "ea_active": (active_eV + 0.5 * cell.kinetic("ion.energy_eV"), "device: barrier and half the ion's energy"),
            "ea_nucleus": (0.0, "no nucleus is needed: metal wets the inert electrode"),
            "len_active": (len_active, "device: conductances of film and interface"),
            "len_tip": (len_tip, "device: conductances of film and interface"),
            "surface": (0.0, "not seen in the runs"),
            "dx_max": (0.002, "chosen: currents go with exp(25 x), so that a step is 5 %"),
            "rth": (1e-3, "the device solves no heat"),
            "cth": (0.0, "the device solves no heat"),
        }

    def plan(self, device: Device, quick: bool = False) -> list[Experiment]:
        """Stresses and sweeps of several seeds; raises CompactError for a device of another family."""
        device = _ecm(device)
        seeds = (1,) if quick else (1, 2, 3)
        plan = [_stress(device, "fit", volts, 300.0, seeds) for volts in (1.0, 1.2, 1.4, 1.8)]
        if quick:
            return plan
        few = (1, 2)
        plan += [_sweep(device, "fit", rate, 300.0, SEEDS) for rate in (1e4, 1e3)]
        plan += [_stress(device, "held_out", volts, 300.0, seeds) for volts in (1.6, 1.3, 1.1)]
        plan += [_stress(device, "fit", 1.0, 340.0, seeds), _stress(device, "held_out", 0.65, 300.0, few)]
        plan += [_sweep(device, "held_out", 3e2, 300.0, SEEDS), _stress(device, "held_out", 0.6, 300.0, few)]
        plan += [_stress(device, "held_out", 0.9, 300.0, few), _stress(device, "fit", 0.7, 300.0, few)]
        plan += [_stress(device, "held_out", 1.2, 320.0, few), _sweep(device, "held_out", 3e3, 300.0, SEEDS, 2e-7)]
        plan += [_sweep(device, "held_out", 1e3, 320.0, SEEDS), _decay(device, SEEDS)]
        return plan

    def targets(self, measured: Iterable[Measurement], roles: Sequence[str] = ("fit", "held_out")) -> list[Condition]:
        """What can be compared, of the given roles, seeds together."""
        return conditions(measured, self.model, roles)

    def fit(self, measured: Sequence[Measurement], fixed: Mapping[str, float]) -> Fitted:
        """Fit all of role "fit" together; raises CompactError without any."""
        targets = self.targets(measured, ("fit",))
        if not targets:
            raise CompactError("fit: no SET under a constant voltage and no loop among the measurements")
        free = [item for item in self.free if item.name not in fixed]
        return fit(Targets(targets), free, fixed, rounds=30).fitted()

    def errors(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[ErrorRow]:
        """Times of stresses; currents, voltages and energies of loops; how many decades of time are compared."""
        rows: list[ErrorRow] = []
        times: dict[str, list[float]] = {"held_out": [], "fit": []}
        for target in self.targets(measured):
            rows += target.rows(target.replayed(fitted.values))
            if isinstance(target, StressCondition) and np.isfinite(target.mean):
                times[target.measurement.role].append(target.mean)
        for role, found in times.items():
            if len(found) > 1:
                rows.append(ErrorRow("decades of SET time compared", role, role == "held_out", float(np.ptp(found)),
                                     None, "decades"))  # fmt: skip
        return rows

    def switching_times(self, fitted: Fitted, measured: Sequence[Measurement]) -> list[tuple[str, bool, float, float]]:
        """Name, held out, time of the physics and of the model (s) of each stress."""
        found = []
        for target in self.targets(measured):
            if isinstance(target, StressCondition):
                own = target.switched_s(target.replayed(fitted.values))
                if own is not None:
                    one = target.measurement
                    found.append((one.name, one.role == "held_out", float(10.0**target.mean), own))
        return found

    def trial(self, card: Card, trial: Trial) -> Trial:
        """How a cell of a card is driven when it is verified: at the voltages and times of a transfer-limited cell.

        Sines that the state is not to follow have 0.6 V: -1.4 V dissolve a filament within nanoseconds.
        """
        return replace(
            trial, model=card.compact_model(), sweep_V=(1.5, -1.0, 0.0), rate_V_per_s=1e3, pulses_V=(1.4, -0.6),
            width_s=4e-6, edge_s=8e-8, pulse_start=0.4, wave_V=0.6, slow_Hz=1e7, fast_V=0.3, fast_Hz=1e9,
            array_s=5e-5, array_edge_s=1e-7,
        )  # fmt: skip

    def statistics(self, fitted: Fitted, measured: Sequence[Measurement]) -> tuple[Statistics | None, None]:
        """Spread of ``ea_grow`` from that of SET times where transfer limits: kT ln(t/mean t) for each run.

        A run is a virgin cell, so that devices and their first cycles are not told apart.
        """
        barriers_eV = []
        for target in self.targets(measured):
            if isinstance(target, StressCondition) and len(target.times_s) == len(target.runs) > 1:
                fast_s = 3.0 * expected_s(_ecm(target.measurement.device), 3.0)
                if 10.0**target.mean > fast_s:
                    thermal_eV = kmc.KB_EV * target.measurement.ambient_K
                    off = thermal_eV * np.log(target.times_s / 10.0**target.mean)
                    # seeds about their own mean: each mean took a degree of freedom
                    barriers_eV += list(off * np.sqrt(len(off) / (len(off) - 1)))
        if len(barriers_eV) < 4:
            return None, None
        values = np.array(barriers_eV)[:, None] + fitted.values["ea_grow"]
        return fit_statistics(["ea_grow"], ["eV"], values, np.arange(len(values))), None

    def validity(self, measured: Sequence[Measurement]) -> dict[str, tuple[float, float]]:
        """What the measurements cover: quantity with its unit -> [low, high]."""
        volts = [float(v) for one in measured for v in (one.series["voltage_V"].min(), one.series["voltage_V"].max())]
        ambients = [one.ambient_K for one in measured]
        found = {"voltage_V": (min(volts), max(volts)), "ambient_K": (min(ambients), max(ambients))}
        if rates := [one.device.drive.ramp_rate_V_per_s for one in measured if isinstance(one.device.drive, Sweep)]:
            found["rate_V_per_s"] = (min(rates), max(rates))
        return found


def _stress(device: EcmDevice, role: Role, volts: float, ambient_K: float, seeds: tuple[int, ...]) -> Experiment:
    """A constant voltage behind the compliance, some times as long as SET takes."""
    warm = device.replace({"ambient_K": ambient_K})
    limit = warm.drive.compliance_A or 1e-6
    expected = expected_s(warm, volts)
    drive = {"kind": "constant", "voltage_V": volts, "compliance_A": limit,
             "duration_s": (_LONGER if expected < _SLOW_S else _LESS_LONG) * expected}  # fmt: skip
    return Experiment(
        f"stress_{volts:g}V_{ambient_K:g}K", role, _capped(warm, volts).replace({"drive": drive}),
        f"{volts:g} V at {ambient_K:g} K", "stress", seeds,
    )  # fmt: skip


def _sweep(
    device: EcmDevice, role: Role, rate: float, ambient_K: float, seeds: tuple[int, ...], limit_A: float = 1e-6
) -> Experiment:
    """A loop from the virgin cell: SET, turned at the compliance, and RESET."""
    warm = device.replace({"ambient_K": ambient_K})
    stages = (
        {"name": "set", "stop_V": 2.0, "compliance_A": limit_A, "turn_at_compliance": True},
        {"name": "reset", "stop_V": -0.8, "return_to_zero": False},
    )
    drive = {"kind": "sweep", "ramp_rate_V_per_s": rate, "step_V": STEP_V, "read_V": 0.1, "stages": stages}
    return Experiment(
        f"loop_{rate:g}Vs_{ambient_K:g}K_{limit_A:g}A", role,
        _capped(warm, _set_voltage_V(warm, rate)).replace({"drive": drive}),
        f"sweep at {rate:g} V/s, {ambient_K:g} K, {limit_A:g} A", "sweep", seeds,
    )  # fmt: skip


def _decay(device: EcmDevice, seeds: tuple[int, ...]) -> Experiment:
    """SET at 1 V and 1 s of rest, read at 10 mV."""
    pulse = {"name": "set", "amplitude_V": 1.0, "rise_s": 1e-4, "width_s": 0.08, "fall_s": 1e-4, "rest_s": 1.0}
    drive = {"kind": "sequence", "read_V": 0.01, "points": 40, "compliance_A": 1e-6, "pulses": [pulse]}
    cell = _capped(device.replace({"ambient_K": 300.0}), 0.95).replace({"drive": drive})
    return Experiment("decay_1V_300K", "fit", cell, "rest after SET at 1 V, 300 K", "decay", seeds)


EXTRACTION = EcmExtraction()
