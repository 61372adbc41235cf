"""How a measured and a simulated number are compared: by logarithms above a floor, or by differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Quantities that span decades, by the unit at the end of their names.
_LOG_UNITS = ("_A", "_S", "_ohm", "_s", "_J", "_W", "_C", "_A_per_m2", "_per_m3")

#: The floor is this part of the least magnitude measured: there the transformation is within 2 % of a logarithm.
_BELOW = 0.1


@dataclass(frozen=True)
class Scale:
    """log: asinh(x / 2 floor), which is ln(x / floor) far above the floor and x / 2 floor far below; linear: x / size.

    asinh has a value at zero and for either sign. It is the transformation that gives an error of the form
    sqrt(x^2 + 4 floor^2) times a constant (relative far above the floor, absolute below) the same size everywhere.
    """

    kind: Literal["log", "linear"]
    size: float

    def of(self, values: Any) -> Floats:
        """The transformed values, of the same shape."""
        x = np.asarray(values, dtype=np.float64)
        return np.asarray(np.arcsinh(x / (2.0 * self.size)) if self.kind == "log" else x / self.size)

    def back(self, values: Any) -> Floats:
        """The values that :meth:`of` has transformed."""
        y = np.asarray(values, dtype=np.float64)
        return np.asarray(2.0 * self.size * np.sinh(y) if self.kind == "log" else y * self.size)


def scale_of(name: str, values: Floats, floor: float | None = None, kind: str | None = None) -> Scale:
    """The scale of a measured quantity: its kind by its unit, its floor a tenth of the least magnitude but zero.

    Args:
        name: name with its unit, such as ``current_A``.
        values: what was measured, (N,).
        floor: in the unit of the quantity, instead of that.
        kind: "log" or "linear" instead of what the unit says.
    """
    magnitudes = np.abs(values[values != 0.0])
    is_log = name.endswith(_LOG_UNITS) if kind is None else kind == "log"
    if not is_log:
        return Scale("linear", float(magnitudes.max()) if len(magnitudes) else 1.0)
    least = float(magnitudes.min()) if len(magnitudes) else 1.0
    return Scale("log", _BELOW * least if floor is None else floor)
