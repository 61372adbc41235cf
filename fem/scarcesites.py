"""Steps of Newton's method for ions on sites of which few are free."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
KEPT = 0.1  # an iteration leaves this of a density at least, and of the free sites where there are many
SCARCE = 0.1  # free fraction below which Newton's method goes by its logarithm
_LARGEST_POWER = 20.0  # of e, that an iteration changes scarce free sites by


def logarithmic_step(free: Array, taken: Array) -> Array:
    """Change (n,) of ln(free) for a step that takes the fractions ``taken`` (n,) of all sites from the ``free`` (n,).

    The chemical potential goes with the logarithm of what is free: a step of the logarithm fills sites up to any
    exponent in a few iterations.
    """
    power = np.clip(-taken / free, -_LARGEST_POWER, _LARGEST_POWER)
    return np.minimum(power, np.log(5.0 * SCARCE / free))
