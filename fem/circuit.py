"""The circuit around a device: a source behind a series resistor, with a current limit."""

import math
from dataclasses import dataclass

from fem.errors import FemError

_SLACK = 1e-9  # relative: keeps the two conditions from alternating on rounding


@dataclass
class Circuit:
    """Condition of the terminal: V_app = V_cell + I R, or |I| = compliance while that would be exceeded (``limited``).

    ``applied_V``, ``series_ohm`` >= 0, ``compliance_A`` > 0 or None. Raises FemError for other numbers.
    """

    applied_V: float
    series_ohm: float = 0.0
    compliance_A: float | None = None
    limited: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.applied_V):
            raise FemError(f"applied_V must be finite, got {self.applied_V!r}")
        if not (math.isfinite(self.series_ohm) and self.series_ohm >= 0.0):
            raise FemError(f"series_ohm must be finite and not negative, got {self.series_ohm!r}")
        if self.compliance_A is not None and not self.compliance_A > 0.0:
            raise FemError(f"compliance_A must be above 0 A, or None, got {self.compliance_A!r}")
        self.limited = self.limited and self.compliance_A is not None and self.applied_V != 0.0

    @property
    def held(self) -> bool:
        """True when the terminal voltage is given, so that its equation holds no current."""
        return self.series_ohm == 0.0 and not self.limited

    @property
    def limit_A(self) -> float:
        """The limited current, with the sign of the applied voltage."""
        return math.copysign(self.compliance_A or 0.0, self.applied_V)

    def residual(self, cell_V: float, current_A: float) -> float:
        """What must vanish: in V if ``held``, else in A (the device's current minus what the circuit gives)."""
        if self.limited:
            return current_A - self.limit_A
        if self.held:
            return cell_V - self.applied_V
        return current_A - (self.applied_V - cell_V) / self.series_ohm

    def slope(self) -> float:
        """Derivative of ``residual`` by the cell voltage at constant current."""
        if self.limited:
            return 0.0
        return 1.0 if self.held else 1.0 / self.series_ohm

    def wrong(self, cell_V: float, current_A: float) -> bool:
        """True when the other condition must hold: the current exceeds the limit, or the limit exceeds the source."""
        if self.compliance_A is None or self.applied_V == 0.0:
            return False
        if self.limited:
            needed = cell_V + self.limit_A * self.series_ohm
            return math.copysign(1.0, self.applied_V) * (needed - self.applied_V) > _SLACK * abs(self.applied_V)
        return abs(current_A) > self.compliance_A * (1.0 + _SLACK)
