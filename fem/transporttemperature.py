"""Temperature of fem.Transport: kT between two nodes, and Arrhenius factors."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.constants import K_EV_PER_K
from fem.halo import nodal_array
from fem.shared import Reach

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


class Temperature:
    """``temperature_K``: a number, or a nodal array (local dofs,); diffusivities and j0 hold at ``reference_K``.

    Raises FemError for values that are not positive and finite, or another shape.
    """

    def __init__(self, temperature_K: float | ArrayLike, reference_K: float, reach: Reach) -> None:
        given, halo = np.asarray(temperature_K, dtype=np.float64), reach.halo
        if given.ndim:
            nodal_array(given, halo, "temperature_K")
        for name, value in (("temperature_K", given), ("reference_K", np.asarray(reference_K))):
            wrong = np.ravel(value)[~np.ravel(np.isfinite(value) & (value > 0.0))]
            halo.agree(f"{name} must be positive and finite, got {float(wrong[0])!r}" if wrong.size else None)
        self.uniform = given.ndim == 0
        self.kelvin: Any = float(given) if self.uniform else given.copy()
        self._nodes: Any = self.kelvin if self.uniform else reach.extend(given.copy())
        self.reference_K = float(reference_K)
        alone = self.uniform or halo.comm.size == 1
        self.mean_kT_eV = K_EV_PER_K * (float(np.mean(given)) if alone else halo.sum(given) / halo.size)

    def between(self, first: Nodes, second: Nodes) -> Any:
        """Temperature in K between pairs of nodes (n,): the mean; one number if it is the same everywhere."""
        return self.kelvin if self.uniform else 0.5 * (self._nodes[first] + self._nodes[second])

    def arrhenius(self, activation_eV: float, kelvin: Any) -> Any:
        """exp(-Ea/k (1/T - 1/reference)) at ``kelvin``."""
        return np.exp(-activation_eV / K_EV_PER_K * (1.0 / kelvin - 1.0 / self.reference_K))
