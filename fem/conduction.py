"""Electric conduction: potential, terminal currents and Joule heat for given electrode voltages."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, CellCoefficient, Coefficient, scalar_space, surface_dofs
from fem.conductance import Conductance
from fem.errors import FemError
from fem.halo import nodal_array
from fem.krylov import SolverSettings
from fem.shorts import Shorts
from fem.system import System

Array = NDArray[np.float64]
_LEVEL_V = 1e-9


@dataclass(frozen=True)
class ConductionState:
    """A solution. Nodal arrays have shape (local dofs,); in 2D currents and powers are per metre of depth.

    ``potential_V``: nodal. ``currents_A``: current that enters the device through each surface. ``nodal_power_W``:
    heat released in the cells, by node; ``bond_power_W``: (bonds,). ``power_W``: their total.
    """

    potential_V: Array
    currents_A: dict[str, float]
    nodal_power_W: Array
    bond_power_W: Array
    power_W: float

    @property
    def current_A(self) -> float:
        """The current that enters through the surface named first in ``voltage_V``."""
        return next(iter(self.currents_A.values()))


class Conduction:
    """div(sigma grad V) = 0 with conductors (bonds) between nodes, electrodes at given voltages, insulated elsewhere.

    ``electrical_S_per_m`` gives every region a number, a function of temperature, or an array per cell (see
    CellCoefficient). Public attributes: ``space``, ``operator`` (Conductance), ``potential_V`` (the last solution, also
    the next starting guess; assign to it to restart).
    """

    def __init__(
        self, cell: Cell, electrical_S_per_m: Mapping[str, Coefficient], settings: SolverSettings | None = None
    ) -> None:
        self.cell = cell
        self.space = scalar_space(cell)
        self.operator = Conductance(self.space)
        self.settings = settings or SolverSettings()
        self.coefficient = CellCoefficient(cell, electrical_S_per_m, "electrical_S_per_m")
        self.potential_V: Array = np.zeros(self.operator.halo.local)
        self._temperature_K: Array | None = None
        self._dirty = True
        self._systems: dict[tuple[str, ...], System] = {}
        self._shorts: dict[tuple[str, ...], Shorts] = {}
        self._surfaces: dict[str, NDArray[np.int32]] = {}
        self._last: System | None = None

    def set_conductivity(self, electrical_S_per_m: Mapping[str, Coefficient]) -> None:
        """Replace the conductivity of the regions named, in S/m."""
        self.coefficient.set(electrical_S_per_m)
        self._dirty = True

    def set_temperature(self, temperature_K: ArrayLike) -> None:
        """Nodal temperature (local dofs,) in K, for conductivities that are functions of temperature."""
        self._temperature_K = self.operator.cell_mean(np.asarray(temperature_K, dtype=np.float64))
        self._dirty = self._dirty or self.coefficient.depends_on_temperature

    def set_bonds(self, i: ArrayLike, j: ArrayLike, g: ArrayLike) -> None:
        """Replace all bonds: conductances g (bonds,) in S between global dofs i and j; see Conductance.set_bonds."""
        self.operator.set_bonds(i, j, g)

    def solve(self, voltage_V: Mapping[str, float], source_A: ArrayLike | None = None) -> ConductionState:
        """Solve with the given surfaces at the given voltages; collective. Raises FemError if it does not converge.

        ``source_A`` (local dofs,) is a current injected at the nodes, in A (in 2D per metre of depth). A node on two of
        the surfaces belongs to the one named first.
        """
        if not voltage_V:
            raise FemError("voltage_V is empty; give at least one surface and its voltage")
        for name, voltage in voltage_V.items():
            if not np.isfinite(voltage):
                raise FemError(f"voltage_V: surface {name!r} must have a finite voltage, got {voltage!r}")
        if self._dirty:
            self.operator.set_coefficient(self.coefficient.values(self._temperature_K))
            self._dirty = False
        u = self._guess(voltage_V)
        for name in reversed(tuple(voltage_V)):
            u[self._surface(name)] = voltage_V[name]
        source = nodal_array(source_A, self.operator.halo, "source_A")
        names = tuple(voltage_V)
        self._last = None
        shorts = self._shorts_of(names)
        found = "none" if shorts is None else shorts.improve(u, source)
        if found != "solution":
            self._last = self._system(names)
            self._last.solve(u, source)
        if shorts is not None and found == "none":
            shorts.settle(u, source)
        self.potential_V = u
        leaving, nodal = self.operator.apply_and_power(u)
        bonds = self.operator.bond_power(u)
        power = self.operator.halo.sum(nodal) + float(bonds.sum())
        currents = self._currents(voltage_V, leaving, source, self._fixed(names))
        return ConductionState(u.copy(), currents, nodal, bonds, power)

    def reaction(self, surface: str) -> float:
        """The current (A) that enters through a surface: the residual of the unconstrained equations there; collective.

        It converges with the residual of the solve, where ``currents_A`` of two electrodes converge with its square.
        """
        dofs = self._surface(surface)
        leaving = self.operator.apply(self.potential_V)
        return self.operator.halo.total(float(leaving[dofs[dofs < self.operator.halo.owned]].sum()))

    def _currents(
        self, voltage_V: Mapping[str, float], leaving: Array, source: Array | None, fixed: NDArray[np.bool_]
    ) -> dict[str, float]:
        """The residual ``leaving`` at each electrode; between two, that of the free nodes is shared out as well.

        A free node's share is its potential's place between the electrodes, which makes the current stationary with
        respect to errors of the potential: currents balance and I V is the power at any tolerance.
        """
        halo, u = self.operator.halo, self.potential_V
        free = np.where(fixed, 0.0, leaving if source is None else leaving - source)
        taken = np.zeros(halo.local, dtype=bool)
        currents = {}
        for name, voltage in voltage_V.items():
            dofs = self._surface(name)
            dofs = dofs[~taken[dofs]]
            taken[dofs] = True
            current = float(leaving[dofs[dofs < halo.owned]].sum())
            others = [other for key, other in voltage_V.items() if key != name]
            if len(others) == 1 and abs(voltage - others[0]) > _LEVEL_V:
                share = (u - others[0]) / (voltage - others[0])
                current += float((share[: halo.owned] * free[: halo.owned]).sum())
            currents[name] = halo.total(current)
        return currents

    @property
    def iterations(self) -> int:
        """Iterations of the latest solve, whichever surfaces it had; those with short circuits are not counted."""
        return self._last.iterations if self._last else 0

    def _guess(self, voltage_V: Mapping[str, float]) -> Array:
        """The last potential; between two electrodes, scaled from its own range to the new one."""
        u = np.array(self.potential_V, dtype=np.float64)
        if len(voltage_V) == 2:
            new_a, new_b = voltage_V.values()
            old_a, old_b = (self._level(name) for name in voltage_V)
            if abs(old_a - old_b) > _LEVEL_V:
                u = new_b + (u - old_b) * ((new_a - new_b) / (old_a - old_b))
        return u

    def _level(self, surface: str) -> float:
        """The last potential of an electrode (all ranks), from any of its nodes."""
        dofs = self._surface(surface)
        return self.operator.halo.maximum(float(self.potential_V[dofs[0]]) if dofs.size else -np.inf)

    def _surface(self, name: str) -> NDArray[np.int32]:
        if name not in self._surfaces:
            self._surfaces[name] = surface_dofs(self.space, self.cell, name)
        return self._surfaces[name]

    def _shorts_of(self, names: tuple[str, ...]) -> Shorts | None:
        short_S = self.settings.short_S
        if short_S is None or self.operator.halo.comm.size > 1:
            return None
        if names not in self._shorts:
            self._shorts[names] = Shorts(self.operator, self._fixed(names), self.settings, short_S)
        return self._shorts[names]

    def _fixed(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        fixed = np.zeros(self.operator.halo.local, dtype=bool)
        for name in names:
            fixed[self._surface(name)] = True
        return fixed

    def _system(self, names: tuple[str, ...]) -> System:
        if names not in self._systems:
            self._systems[names] = System(self.operator, self._fixed(names), self.settings)
        return self._systems[names]
