"""Fixed-point iteration for coefficients that depend on the solution."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fem.errors import FemError
from fem.halo import Halo

Array = NDArray[np.float64]
_TOLERANCE = 1e-6
_MAX_ITERATIONS = 200
_MIN_DAMPING = 1e-3


def fixed_point(update: Callable[[Array], Array], start: Array, halo: Halo, quantity: str, unit: str) -> Array:
    """The array x with update(x) = x, to 1e-6 of its largest entry; collective.

    The step towards update(x) is halved whenever the change grows, and slowly lengthened again while it falls. Raises
    FemError naming ``quantity`` and the last change in ``unit`` after 200 iterations (a thermal runaway has no steady
    state).
    """
    x = start
    damping, last = 1.0, np.inf
    for _ in range(_MAX_ITERATIONS):
        new = update(x)
        change = halo.maximum(float(np.abs(new - x).max(initial=0.0)))
        scale = halo.maximum(float(np.abs(new).max(initial=0.0)))
        if not np.isfinite(change):
            break
        if change <= _TOLERANCE * scale:
            return new
        damping = min(1.0, 1.2 * damping) if change <= last else max(_MIN_DAMPING, 0.5 * damping)
        last = change
        x = x + damping * (new - x)
    raise FemError(f"{quantity} did not settle in {_MAX_ITERATIONS} fixed-point iterations: it still changes by "
                   f"{change:.3g} {unit}")  # fmt: skip
