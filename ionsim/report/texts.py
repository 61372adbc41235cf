"""Numbers as a page shows them: SI prefixes, a few digits, and a dash where a quantity did not occur."""

from __future__ import annotations

import math
from typing import Any

_PREFIX = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}

#: Unit by the ending of a key.
_UNITS = {
    "V": "V", "A": "A", "S": "S", "J": "J", "W": "W", "K": "K", "s": "s", "ohm": "Ω", "nm": "nm", "C": "C", "Hz": "Hz",
}  # fmt: skip
#: Units that are written without a prefix.
_BARE = ("K", "nm", "")

DASH = "–"


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """A number with unit and SI prefix, such as 101 µA; a dash for None and nan."""
    if value is None or not math.isfinite(value):
        return DASH
    if unit in _BARE or value == 0.0:
        return f"{number(value, digits + (unit == 'K'))} {unit}".strip()
    value = float(f"{value:.{digits}g}")  # 999.99 m is 1, not 1000 m
    power = 3 * math.floor(math.log10(abs(value) * (1.0 + 1e-9)) / 3)
    power = min(max(power, min(_PREFIX)), max(_PREFIX))
    return f"{number(value / 10.0**power, digits)} {_PREFIX[power]}{unit}"


def number(value: Any, digits: int = 4) -> str:
    """A number with so many digits, 3.2 × 10⁴ instead of 3.2e+04; pairs and texts as they are."""
    if value is None:
        return DASH
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "[" + ", ".join(number(each, digits) for each in value) + "]" if isinstance(value, tuple) else str(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10_000_000 else number(float(value), digits)
    if not math.isfinite(value):
        return DASH
    text = f"{value:.{digits}g}"
    mantissa, _, power = text.partition("e")
    if not power:
        return text.replace("-", "−")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return (f"10{raised}" if mantissa == "1" else f"{mantissa} × 10{raised}").replace("-", "−")


def unit_of(key: str) -> str:
    """The unit that a summary's key carries, or an empty text."""
    return _UNITS.get(key.rpartition("_")[2], "")


def by_key(key: str, value: Any) -> str:
    """A value of the summary with the unit of its key."""
    if isinstance(value, float):
        return quantity(value, unit_of(key))
    return number(value)


def words(label: str) -> str:
    """A snapshot's label as a reader says it: forming_peak is the moment of largest power in forming."""
    for ending, meaning in (("_peak", "largest power"), ("_pulse", "end of pulse")):
        if label.endswith(ending):
            return f"{label.removesuffix(ending).replace('_', ' ')}, {meaning}"
    return label.replace("_", " ")


def seconds(value: float) -> str:
    """A moment or duration."""
    return quantity(value, "s", 4)
