"""Energy of a SET at a constant voltage: what a cell takes until it sets, until its pulse ends, and the usual metrics.

A virgin cell stands behind a resistor at a constant voltage. It *has set* when it conducts ``RATIO`` times as well as
at first (tau); its pulse lasts twice as long, and G_on is its conductance then. Currents and times are those of every
field solution, so that no step of a clock enters: the current is constant between two of them.

With V the voltage of the source: E_action = V^2 (G_on + G_off)/2 tau, E_spike = V^2 G_off tau, E_fire = V^2 G_on tau.
They take the whole voltage for that of the cell, and G_on for all of tau: with a jump at its end E_action overstates
what flows until then by G_on/G_off, and behind a resistor G_on takes less than V.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionsim.config import EcmDevice
from ionsim.devices.ecm import Ecm
from ionsim.drive import Circuit

Floats = NDArray[np.float64]

#: On to off, a common memory window.
RATIO = 1e3

#: Looks at the clock: the first, s, and the factor between two. They set when a run ends, not what is measured.
_FIRST_S, _GROWTH = 1e-9, 1.1


@dataclass(frozen=True, eq=False)
class SetPulse:
    """One pulse; all but ``voltage_V`` are nan where the cell did not set.

    Attributes:
        voltage_V: of the source.
        tau_s: SET time.
        off_S, on_S: conductance of the virgin cell, and at the end of the pulse after 2 tau.
        until_set_J, pulse_J: energy from the source until tau, and of the whole pulse.
        cell_J: what the cell takes of ``pulse_J``, the resistor aside.
        peak_K: highest temperature.
        in_barrier: atoms in the barrier layer at the end.
    """

    voltage_V: float
    tau_s: float
    off_S: float
    on_S: float
    until_set_J: float
    pulse_J: float
    cell_J: float
    peak_K: float
    in_barrier: float

    @property
    def spike_J(self) -> float:
        """V^2 G_off tau."""
        return self.voltage_V**2 * self.off_S * self.tau_s

    @property
    def fire_J(self) -> float:
        """V^2 G_on tau."""
        return self.voltage_V**2 * self.on_S * self.tau_s

    @property
    def action_J(self) -> float:
        """V^2 (G_on + G_off)/2 tau."""
        return 0.5 * (self.spike_J + self.fire_J)


class _Metered(Ecm):
    """A cell that keeps time, conductance, current and own voltage of every operating point."""

    def __init__(self, device: EcmDevice, seed: int) -> None:
        self.points: list[tuple[float, float, float, float]] = []
        super().__init__(device, np.random.SeedSequence(seed))

    def _operate(self, circuit: Circuit) -> None:
        super()._operate(circuit)
        self.points.append((self.time_s, self.fields.conductance_S, self.current_A, self.device_V))


def energy_J(times_s: Floats, powers_W: Floats, until_s: float) -> float:
    """Integral of powers (T,) that hold from each of the times (T,) to the next, from the first time to ``until_s``."""
    ends_s = np.minimum(np.append(times_s[1:], max(until_s, times_s[-1])), until_s)
    return float(powers_W @ np.maximum(ends_s - times_s, 0.0))


def set_pulse(device: EcmDevice, voltage_V: float, seed: int, *, resistance_ohm: float, longest_s: float) -> SetPulse:
    """Apply one pulse to a virgin cell; given up after ``longest_s`` without a SET."""
    cell, circuit = _Metered(device, seed), Circuit(resistance_ohm, None)
    cell.initialise()
    off_S, until_s, tau_s = cell.fields.conductance_S, _FIRST_S, float("nan")
    while np.isnan(tau_s) and until_s < longest_s:
        cell.advance(until_s, voltage_V, circuit)
        tau_s = next((time_s for time_s, now_S, *_ in cell.points if now_S >= RATIO * off_S), tau_s)
        until_s *= _GROWTH
    if np.isnan(tau_s):
        return SetPulse(voltage_V, *[float("nan")] * 8)
    if cell.time_s < 2.0 * tau_s:
        cell.advance(2.0 * tau_s, voltage_V, circuit)
    cell.read(circuit)
    times_s, conductances_S, currents_A, own_V = np.array(cell.points).T
    # A clock that looked past 2 tau measures the pulse at its end all the same.
    last = np.searchsorted(times_s, 2.0 * tau_s, side="right") - 1
    barrier = device.layers.barrier
    within = cell.lattice.positions_nm[:, 2] > device.layers.electrolyte.thickness_nm
    metal = cell.lattice.conducting(cell.engine.occupation)
    return SetPulse(
        voltage_V, tau_s, off_S, float(conductances_S[last]),
        energy_J(times_s, voltage_V * currents_A, tau_s), energy_J(times_s, voltage_V * currents_A, 2.0 * tau_s),
        energy_J(times_s, own_V * currents_A, 2.0 * tau_s), cell.peak_K,
        float(np.count_nonzero(metal & within)) if barrier else 0.0,
    )  # fmt: skip
