"""The circuit between source and device: a series resistor and a current limit."""

import math
from dataclasses import dataclass
from typing import NamedTuple


class OperatingPoint(NamedTuple):
    """Voltage across the device in V, its current in A, and whether the compliance limits it."""

    device_V: float
    current_A: float
    limited: bool


@dataclass(frozen=True)
class Circuit:
    """A series resistance in ohm and a compliance in A (None: no limit)."""

    series_resistance_ohm: float = 0.0
    compliance_A: float | None = None

    def operating_point(self, applied_V: float, conductance_S: float) -> OperatingPoint:
        """The exact operating point of an ohmic device: |V_dev| = min(|V_app| / (1 + G R_s), I_c / G).

        ``applied_V`` may have either sign; ``conductance_S`` must be finite and not negative (ValueError).
        """
        if not (math.isfinite(conductance_S) and conductance_S >= 0):
            raise ValueError(f"conductance_S = {conductance_S}: must be finite and >= 0 S")
        device_V = applied_V / (1 + conductance_S * self.series_resistance_ohm)
        current_A = conductance_S * device_V
        if self.compliance_A is None or abs(current_A) <= self.compliance_A:
            return OperatingPoint(device_V, current_A, False)
        limit_A = math.copysign(self.compliance_A, applied_V)
        return OperatingPoint(limit_A / conductance_S, limit_A, True)
