"""The potential in insulators, from that of what conducts around them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fem.cell import region_cells, surface_dofs
from fem.conductance import Conductance
from fem.conduction import Conduction
from fem.krylov import SolverSettings
from fem.system import System

_RTOL = 1e-6


class Extension:
    """Solves div(sigma grad V) = 0 inside some regions of a conduction problem, V given everywhere else.

    A solver that asks for the energy of all stops before it sees a region that conducts by twenty decades worse than
    metal: the potential there may be off by many volts, without any effect on currents and on the rest. Where that
    potential is to be looked at, it is solved for on its own. ``surfaces`` are those with given voltages.
    """

    def __init__(self, conduction: Conduction, regions: Iterable[str], surfaces: Iterable[str]) -> None:
        operator = Conductance(conduction.space)
        outside = np.ones(operator.cell_count)
        for name in regions:
            outside[region_cells(conduction.cell, name)] = 0.0
        self._fixed: NDArray[np.bool_] = operator.capacity(outside) > 0.0
        for name in surfaces:
            self._fixed[surface_dofs(conduction.space, conduction.cell, name)] = True
        operator.set_coefficient(np.where(outside > 0.0, 0.0, conduction.coefficient.values()))
        self._system = System(operator, self._fixed, SolverSettings(rtol=_RTOL))

    def fill(self, potential_V: NDArray[np.float64]) -> NDArray[np.float64]:
        """A copy of a nodal array (local dofs,), solved anew inside the regions; collective."""
        filled = np.where(self._fixed, potential_V, 0.0)
        self._system.solve(filled)
        return filled
