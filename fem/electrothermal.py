"""Conduction and heat together: the Joule heat of the currents is the source of the temperature."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, Coefficient
from fem.conduction import Conduction, ConductionState
from fem.errors import FemError
from fem.fixedpoint import fixed_point
from fem.heat import Heat
from fem.krylov import SolverSettings

Array = NDArray[np.float64]
_AMBIENT_K = 300.0


@dataclass(frozen=True)
class ElectroThermalState(ConductionState):
    """A ConductionState with the nodal temperature (local dofs,) in K and the nodal heat source (local dofs,) in W."""

    temperature_K: Array
    source_W: Array


class ElectroThermal:
    """Fem.Conduction and fem.Heat on one mesh, iterated to a common solution.

    Coefficients are numbers, functions of temperature, or arrays per cell. ``fixed_K`` defaults to 300 K at the
    surfaces "bottom" and "top". Bonds conduct current, not heat; the power of each is released half at either end.
    Public attributes: ``conduction``, ``heat``, ``space``.
    """

    def __init__(
        self,
        cell: Cell,
        electrical_S_per_m: Mapping[str, Coefficient],
        thermal_W_per_mK: Mapping[str, Coefficient],
        fixed_K: Mapping[str, float] | None = None,
        capacity_J_per_m3K: Mapping[str, Coefficient] | None = None,
        settings: SolverSettings | None = None,
    ) -> None:
        if fixed_K is None:
            fixed_K = {name: _AMBIENT_K for name in ("bottom", "top") if name in cell.surfaces}
            if not fixed_K:
                raise FemError("fixed_K must be given: the mesh has no surface 'bottom' or 'top' to hold at 300 K")
        self.conduction = Conduction(cell, electrical_S_per_m, settings)
        self.heat = Heat(cell, thermal_W_per_mK, fixed_K, capacity_J_per_m3K, settings)
        self.space = self.conduction.space

    def set_bonds(self, i: ArrayLike, j: ArrayLike, g: ArrayLike) -> None:
        """Replace all bonds: conductances g (bonds,) in S between global dofs i and j (bonds,)."""
        self.conduction.set_bonds(i, j, g)

    def solve(self, voltage_V: Mapping[str, float], source_W: ArrayLike | None = None) -> ElectroThermalState:
        """The steady state at the given voltages, with further nodal heat ``source_W`` if any; collective.

        Raises FemError when the iteration finds no steady state (thermal runaway).
        """
        return self._advance(voltage_V, source_W, None)

    def step(
        self, dt_s: float, voltage_V: Mapping[str, float], source_W: ArrayLike | None = None
    ) -> ElectroThermalState:
        """The state dt_s seconds later, by one backward Euler step from ``heat.temperature_K``; collective."""
        return self._advance(voltage_V, source_W, dt_s)

    def _advance(
        self, voltage_V: Mapping[str, float], source_W: ArrayLike | None, dt_s: float | None
    ) -> ElectroThermalState:
        old = self.heat.temperature_K
        extra = 0.0 if source_W is None else np.asarray(source_W, dtype=np.float64)
        found: list[tuple[ConductionState, Array]] = []

        def update(temperature_K: Array) -> Array:
            self.conduction.set_temperature(temperature_K)
            electric = self.conduction.solve(voltage_V)
            source = electric.nodal_power_W + self.conduction.operator.deposit_bonds(electric.bond_power_W) + extra
            found[:] = [(electric, source)]
            return self.heat.linear_solve(temperature_K, source, dt_s, old)

        if self.conduction.coefficient.depends_on_temperature or self.heat.depends_on_temperature:
            temperature_K = fixed_point(update, old, self.conduction.operator.halo, "temperature", "K")
        else:
            temperature_K = update(old)
        self.heat.temperature_K = temperature_K
        electric, source = found[0]
        return ElectroThermalState(**vars(electric), temperature_K=temperature_K.copy(), source_W=source)
