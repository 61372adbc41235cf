"""Single gate pulses on an ECRAM device, and what is left of them.

::

    device = started(load("psg_wo3_pulse_train"))
    update = pulse(device, amplitude_V=9.0)
    print(update.volatile_S, update.lasting_S)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ionsim.config.ecram import EcramDevice
from ionsim.devices.ecram import Ecram
from ionsim.drive import Circuit


@dataclass(frozen=True)
class Update:
    """What a pulse did to the channel: at the end of its plateau and after the rest, against the conductance before it.

    ``volatile_S``: what was gone after the rest, of which ``field_effect_S`` are electrons that the field drew to the
    surface at the end of the plateau. ``lasting_S``: what stayed. ``inserted_C``: charge of ions that entered the
    channel, in the pulse and the rest; ``energy_J`` at the gate; ``sheet_C_per_m2`` and ``x_surface``, the filled share
    of the sites at the channel's surface, at the end of the plateau.
    """

    amplitude_V: float
    before_S: float
    volatile_S: float
    field_effect_S: float
    lasting_S: float
    inserted_C: float
    energy_J: float
    sheet_C_per_m2: float
    x_surface: float


def started(device: EcramDevice) -> Ecram:
    """A device at open circuit."""
    cell = Ecram(device, np.random.SeedSequence(device.seed))
    cell.initialise()
    return cell


def hold(cell: Ecram, seconds: float, gate_V: float | None, rise_s: float | None = None) -> None:
    """Gate at a voltage, reached within ``rise_s`` (default: a thousandth of the time), or open (None)."""
    if gate_V is None:
        cell.advance(cell.time_s + seconds, 0.0, Circuit(forced_A=(0.0, 0.0)))
        return
    edge_s = seconds / 1000 if rise_s is None else rise_s
    cell.advance(cell.time_s + edge_s, gate_V, Circuit())
    cell.advance(cell.time_s + seconds - edge_s, gate_V, Circuit())


def pulse(
    cell: Ecram, amplitude_V: float, width_s: float = 5e-9, rise_s: float = 1e-9, rest_s: float = 1e-3,
    rest_V: float | None = None,
) -> Update:  # fmt: skip
    """One trapezoidal pulse and the rest after it, at ``rest_V`` (None: the gate's voltage before it)."""
    rest = cell.device_V if rest_V is None else rest_V
    before, charge, energy = cell.read().conductance_S, cell.inserted_C, cell.energy_J
    hold(cell, rise_s + width_s, amplitude_V, rise_s)
    top, surface = cell.read(), cell.observe()["x_surface"]
    hold(cell, rise_s + rest_s, rest, rise_s)
    after = cell.read().conductance_S
    return Update(
        amplitude_V, before, top.conductance_S - after, top.conductance_S - top.state_S, after - before,
        cell.inserted_C - charge, cell.energy_J - energy, top.sheet_C_per_m2, surface,
    )  # fmt: skip


def least_amplitude_V(
    device: EcramDevice, width_s: float, measure: Callable[[Update], float], span_V: tuple[float, float],
    rest_s: float = 1e-3, tolerance_V: float = 1e-3,
) -> tuple[float, Update]:  # fmt: skip
    """Amplitude within ``span_V`` at which ``measure`` of one pulse on a device at rest is 1, and that pulse.

    ``measure`` is looked for on a logarithmic scale, as it grows by orders of magnitude. Raises ValueError if it is not
    below 1 at one end of the span and above at the other.
    """
    found: dict[float, Update] = {}

    def excess(amplitude_V: float) -> float:
        found[amplitude_V] = pulse(started(device), amplitude_V, width_s, rest_s=rest_s)
        return float(np.log(max(measure(found[amplitude_V]), 1e-30)))

    root = float(brentq(excess, *span_V, xtol=tolerance_V))
    return root, found[min(found, key=lambda amplitude_V: abs(amplitude_V - root))]
