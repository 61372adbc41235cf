"""How hot a source can make a stack at most, without solving for it.

The steady rise at a node is the sum of the sources, each times the rise that 1 W there makes at the node: the rise that
1 W at the node makes there (Green's function, symmetric). Whatever the arrangement, the sum is no larger than with the
strongest source where it counts most, the next where it counts next most, and so on (rearrangement inequality). This
is taken at the places that are cooled worst: in the middle of a film and of its surfaces, where the mesh is fine, and
at its insulated edge, with the film at its poorest conductivity (metal in it only cools).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import fem

Floats = NDArray[np.float64]

#: Power of the probing source, W: a rise of some hundred kelvin.
_PROBE_W = 1e-7


class RiseBound:
    """Bounds the steady rise (K) of the hottest node for any arrangement of a source; collective.

    Args:
        heat: the thermal problem, with its poorest conductivity; its temperature stays as it is.
        points_nm: (n, 3) the places that are cooled worst.
    """

    def __init__(self, heat: fem.Heat, points_nm: Floats) -> None:
        self._halo = heat.operator.halo
        ambient_K = float(np.mean(list(heat.fixed_K.values())))
        flat = np.full(self._halo.local, ambient_K)
        nodes = fem.SiteOperator(heat.space, points_nm, kind="nearest")
        rises = (heat.linear_solve(flat, nodes.deposit(probe)) - ambient_K for probe in _PROBE_W * np.eye(nodes.count))
        self._rise_K_per_W: Floats = np.stack([self._in_order(rise[: self._halo.owned]) / _PROBE_W for rise in rises])
        self._mean_K_per_W = float(self._rise_K_per_W.mean(axis=1).max())

    def rise_K(self, source_W: Floats) -> float:
        """The bound for a nodal source (local dofs,) in W, nowhere below 0."""
        owned = source_W[: self._halo.owned]
        heated = self._in_order(owned[owned > 0.0])
        strongest = self._rise_K_per_W[:, self._rise_K_per_W.shape[1] - heated.size :]
        return float((strongest * heated).sum(axis=1).max())

    def least_K(self, source_W: Floats) -> float:
        """The bound is no less than this, found without sorting (Chebyshev's sum inequality)."""
        return self._mean_K_per_W * self._halo.sum(source_W)

    def _in_order(self, owned: Floats) -> Floats:
        """The values of all ranks' ``owned`` ones, rising; the same on every rank."""
        return np.sort(np.concatenate(self._halo.comm.allgather(owned)) if self._halo.comm.size > 1 else owned)
