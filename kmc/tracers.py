"""Particles that are followed from hop to hop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tracers:
    """The M particles of the tracked species that were there at the start; views that follow the engine.

    Attributes:
        species: (M,) species index at the start.
        displacement_nm: (M, 3) sum of the vectors of all hops, across periodic faces as well.
        hops: (M,) how many they were.
        site: (M,) where each is, -1 when it is gone.
    """

    species: NDArray[np.int8]
    displacement_nm: NDArray[np.float64]
    hops: NDArray[np.int64]
    site: NDArray[np.int64]
