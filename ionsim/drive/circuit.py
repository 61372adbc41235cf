"""The circuit around the device: a series resistor, a current limit of the source, a transistor to ground."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from ionsim.drive.transistor import Transistor

#: Largest factor (and its inverse) between conductances that :meth:`Circuit.conductance_range` tells apart from none.
_SPAN = 1e30

#: Halvings of the logarithm of that factor: conductances are found to 1e-8.
_HALVINGS = 40


class OperatingPoint(NamedTuple):
    """Voltage across the device in V, its current in A, and whether the source or a transistor limits it."""

    device_V: float
    current_A: float
    limited: bool


@dataclass(frozen=True)
class Circuit:
    """A series resistance in ohm, a compliance in A (None: no limit), a transistor (None: the device is grounded).

    ``forced_A``: current in A that the source forces into a gate at the beginning and the end of an interval, 0 when it
    is open; None: it applies a voltage.
    """

    series_resistance_ohm: float = 0.0
    compliance_A: float | None = None
    transistor: Transistor | None = None
    forced_A: tuple[float, float] | None = None

    def operating_point(self, applied_V: float, conductance_S: float) -> OperatingPoint:
        """The exact operating point of an ohmic device; without a transistor min(|V_app| / (1 + G R_s), I_c / G).

        It is limited where the compliance holds, or else where the transistor is saturated (which includes that it is
        off). ``applied_V`` may have either sign; ``conductance_S`` must be finite and not negative (ValueError).
        """
        if not (math.isfinite(conductance_S) and conductance_S >= 0):
            raise ValueError(f"conductance_S = {conductance_S}: must be finite and >= 0 S")
        series = 1 + conductance_S * self.series_resistance_ohm
        shared_V, saturated = applied_V, False
        if self.transistor is not None:
            shared_V, saturated = self.transistor.behind(applied_V, conductance_S / series)
        device_V = shared_V / series
        current_A = conductance_S * device_V
        if self.compliance_A is None or abs(current_A) <= self.compliance_A:
            return OperatingPoint(device_V, current_A, saturated)
        limit_A = math.copysign(self.compliance_A, applied_V)
        return OperatingPoint(limit_A / conductance_S, limit_A, True)

    def conductance_range(self, applied_V: float, conductance_S: float, tolerance_V: float) -> tuple[float, float]:
        """The conductances (S) around this one with which the device's voltage is the same within ``tolerance_V``.

        (0, inf) where the device has all of the applied voltage, whatever it conducts. The device's voltage never
        rises with its conductance.
        """
        if conductance_S <= 0.0 or (
            self.compliance_A is None and self.series_resistance_ohm == 0.0 and self.transistor is None
        ):
            return 0.0, math.inf
        device_V = self.operating_point(applied_V, conductance_S).device_V

        def alike(factor: float) -> bool:
            there_V = self.operating_point(applied_V, conductance_S * factor).device_V
            return abs(there_V - device_V) <= tolerance_V

        ends = []
        for outermost, never in ((1.0 / _SPAN, 0.0), (_SPAN, math.inf)):
            if alike(outermost):
                ends.append(never)
                continue
            inside, outside = 0.0, math.log(outermost)
            for _ in range(_HALVINGS):
                middle = 0.5 * (inside + outside)
                inside, outside = (middle, outside) if alike(math.exp(middle)) else (inside, middle)
            ends.append(conductance_S * math.exp(inside))
        return ends[0], ends[1]
