"""A long-channel n-MOSFET between device and ground (1T1R), and what it leaves to the device.

Square law (Shichman and Hodges, IEEE J. Solid-State Circuits 3, 285, 1968; level 1 of circuit simulators) without body
effect and without current below threshold: with the voltages of gate and drain over the source,

    I = k ((Vgs - Vt) Vds - Vds^2 / 2) (1 + lambda Vds)    for Vds < Vgs - Vt,
    I = k / 2 (Vgs - Vt)^2 (1 + lambda Vds)                beyond, where it is saturated; 0 for Vgs <= Vt.

The source is whichever terminal is lower: ground at positive applied voltage, the node of the device at negative. There
Vgs grows with the voltage on the transistor, so that it saturates only if its gate is not above threshold over ground.
"""

import math
import sys
from dataclasses import dataclass

from scipy.optimize import brentq

#: brentq goes on to the last digits of a root of any size.
_SMALLEST_V, _RELATIVE = sys.float_info.min, 4 * sys.float_info.epsilon


@dataclass(frozen=True)
class Transistor:
    """Gate voltage over ground (V), threshold (V), k (A/V^2) and channel-length modulation lambda (1/V)."""

    gate_V: float
    threshold_V: float
    transconductance_A_per_V2: float
    channel_length_modulation_per_V: float = 0.0

    @property
    def overdrive_V(self) -> float:
        """Gate voltage over ground less the threshold, V."""
        return self.gate_V - self.threshold_V

    @property
    def saturation_A(self) -> float:
        """Current at the onset of saturation without channel-length modulation, k/2 (Vg - Vt)^2, A; 0 when off."""
        return 0.5 * self.transconductance_A_per_V2 * max(self.overdrive_V, 0.0) ** 2

    def current_A(self, node_V: float) -> float:
        """Current (A) into the node of the device, which is ``node_V`` above ground; both have the same sign."""
        if node_V >= 0:
            return self._forward_A(node_V) if self.overdrive_V > 0 else 0.0
        return -self._reverse_A(max(-node_V - self._off_V, 0.0))

    def behind(self, applied_V: float, load_S: float) -> tuple[float, bool]:
        """Voltage (V) across an ohmic load of conductance ``load_S`` (S, >= 0) in series; whether it is saturated.

        Exact to rounding, whichever of load and transistor takes the voltage.
        """
        forward = applied_V >= 0
        # At negative voltage a gate that is not above threshold over ground takes off_V before anything flows.
        shared_V = abs(applied_V) - (0.0 if forward else self._off_V)
        if shared_V <= 0 or (forward and self.overdrive_V <= 0):
            return 0.0, applied_V != 0
        channel_V, saturated = self._balance(shared_V, load_S, forward)
        if channel_V <= 0.5 * shared_V:
            load_V = shared_V - channel_V
        else:  # the difference of two near numbers would lose digits
            load_V = (self._forward_A if forward else self._reverse_A)(channel_V) / load_S
        return math.copysign(load_V, applied_V), saturated

    @property
    def _off_V(self) -> float:
        return max(-self.overdrive_V, 0.0)

    def _forward_A(self, channel_V: float) -> float:
        """Current (A) at a voltage Vds (V) over a grounded source, gate above threshold."""
        effective_V = min(channel_V, self.overdrive_V)
        ideal_A = self.transconductance_A_per_V2 * (self.overdrive_V - 0.5 * effective_V) * effective_V
        return ideal_A * (1 + self.channel_length_modulation_per_V * channel_V)

    def _reverse_A(self, channel_V: float) -> float:
        """Current (A) with the source ``channel_V + off_V`` (V) below ground."""
        ideal_A = self.transconductance_A_per_V2 * (max(self.overdrive_V, 0.0) + 0.5 * channel_V) * channel_V
        return ideal_A * (1 + self.channel_length_modulation_per_V * (channel_V + self._off_V))

    def _balance(self, shared_V: float, load_S: float, forward: bool) -> tuple[float, bool]:
        """Share (V) of a voltage that falls on the transistor (beyond off_V), and whether it is saturated."""
        onset_V, modulation = self.overdrive_V, self.channel_length_modulation_per_V
        if forward and load_S * (shared_V - onset_V) >= self._forward_A(onset_V):
            slope_S = modulation * self.saturation_A
            return (load_S * shared_V - self.saturation_A) / (load_S + slope_S), True
        saturated = not forward and onset_V <= 0
        upper_V = self._ideal_balance(shared_V, load_S, 1.0, forward)
        if modulation == 0 or load_S == 0:
            return upper_V, saturated
        # The factor lies between 1 and its value at the full voltage, so the root lies between two ideal ones.
        strongest = 1 + modulation * (shared_V + (0.0 if forward else self._off_V))
        lower_V = self._ideal_balance(shared_V, load_S, strongest, forward)
        channel_A = self._forward_A if forward else self._reverse_A

        def excess_A(channel_V: float) -> float:
            return channel_A(channel_V) - load_S * (shared_V - channel_V)

        if excess_A(lower_V) >= 0 or excess_A(upper_V) <= 0:  # to rounding, the bracket is the root
            return (lower_V if excess_A(lower_V) >= 0 else upper_V), saturated
        return float(brentq(excess_A, lower_V, upper_V, xtol=_SMALLEST_V, rtol=_RELATIVE)), saturated

    def _ideal_balance(self, shared_V: float, load_S: float, factor: float, forward: bool) -> float:
        """Share (V) of a transistor with ``factor`` times k, without modulation, that is not saturated forward.

        The root of a quadratic, in the form that does not cancel; no more than the onset of saturation forward.
        """
        k = factor * self.transconductance_A_per_V2
        onset_V = max(self.overdrive_V, 0.0)
        linear_S = k * onset_V + load_S
        if load_S == 0:
            return 0.0
        curved_S2 = 2 * k * load_S * shared_V
        root_S = math.sqrt(max(linear_S**2 + (-curved_S2 if forward else curved_S2), 0.0))
        channel_V = 2 * load_S * shared_V / (linear_S + root_S)
        return min(channel_V, onset_V) if forward else channel_V
