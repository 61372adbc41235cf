"""Ways to fill a lattice at the start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.model import Model

Occupation = NDArray[np.int8]
Filler = Callable[[Model, int, np.random.Generator], Occupation]


def random(**fractions: float) -> Filler:
    """Species at random on ``round(fraction x N)`` sites each; the rest is the model's first species.

    Raises:
        KmcError: when a fraction is outside 0..1 or they add to more than 1.
    """
    if any(not 0.0 <= value <= 1.0 for value in fractions.values()) or sum(fractions.values()) > 1.0 + 1e-12:
        raise KmcError(f"fractions {fractions}: each must lie in 0..1 and they must not add to more than 1")

    def fill(model: Model, count: int, generator: np.random.Generator) -> Occupation:
        occupation = np.zeros(count, dtype=np.int8)
        order = generator.permutation(count)
        used = 0
        for species, fraction in fractions.items():
            number = round(fraction * count)
            occupation[order[used : used + number]] = model.index(species, "random")
            used += number
        return occupation

    return fill
