"""Node coordinates along one axis: uniform where it matters, growing outwards."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from meshes.errors import MeshError

_ROUNDING = 1e-9


def graded(
    lo: float, hi: float, core_size: float, outer_lo: float, outer_hi: float, growth: float
) -> NDArray[np.float64]:
    """Node coordinates (n,), nm: uniform on [lo, hi], then intervals that grow by ``growth`` out to the outer ends.

    The core has ceil((hi - lo) / core_size) equal intervals, its nodes exactly at lo + k (hi - lo) / n. Outside, the
    k-th interval is core_size * growth**k, all of one side scaled by one factor <= 1 so that the last node is
    exactly at the outer end. ``growth`` = 1 is uniform throughout. Raises MeshError on an empty or reversed interval.
    """
    if not hi > lo:
        raise MeshError(f"graded: the core must have hi > lo, got lo = {lo!r}, hi = {hi!r} nm")
    if not outer_lo <= lo or not outer_hi >= hi:
        raise MeshError(
            f"graded: the outer ends [{outer_lo!r}, {outer_hi!r}] nm must enclose the core [{lo!r}, {hi!r}] nm"
        )
    check_size("core_size", core_size)
    if not growth >= 1.0 or not math.isfinite(growth):
        raise MeshError(f"graded: growth must be a finite number >= 1, got {growth!r}")
    count = intervals(hi - lo, core_size)
    core = lo + (hi - lo) * np.arange(count + 1) / count
    core[-1] = hi
    size = (hi - lo) / count
    below = outward(lo - outer_lo, size, growth)
    above = outward(outer_hi - hi, size, growth)
    left = lo - below[::-1]
    right = hi + above
    if left.size:
        left[0] = outer_lo
    if right.size:
        right[-1] = outer_hi
    return np.concatenate([left, core, right])


def check_size(name: str, value: float) -> None:
    """Raise MeshError unless ``value`` is a positive finite length in nm."""
    if not (math.isfinite(value) and value > 0.0):
        raise MeshError(f"{name} must be a positive length in nm, got {value!r}")


def check_lengths(lengths: Mapping[str, float]) -> None:
    """Raise MeshError naming the first of ``lengths`` that is not a positive finite length in nm."""
    for name, length in lengths.items():
        check_size(name, length)


def check_less(name: str, value: float, limit_name: str, limit: float, equal: bool = False) -> None:
    """Raise MeshError unless ``value`` is less than ``limit`` (or equal to it, where that is allowed)."""
    if not (value < limit or (equal and value == limit)):
        raise MeshError(f"{name} must be {'at most' if equal else 'less than'} {limit_name} = {limit!r}, got {value!r}")


def intervals(length: float, size: float) -> int:
    """The smallest number of equal intervals no longer than ``size`` (to rounding) that fill ``length``."""
    return max(1, math.ceil(length / size - _ROUNDING))


def outward(distance: float, size: float, growth: float) -> NDArray[np.float64]:
    """Distances (n,) of the nodes outside a core whose interval is ``size``; the last equals ``distance``."""
    if distance <= _ROUNDING * size:
        return np.empty(0)
    widths: list[float] = []
    total = 0.0
    while total < distance * (1.0 - _ROUNDING):
        widths.append(size * growth ** (len(widths) + 1))
        total += widths[-1]
    return np.cumsum(widths) * (distance / total)
