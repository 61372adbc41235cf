"""Heat conduction, steady and in time, with heat sources at the nodes."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, CellCoefficient, Coefficient, scalar_space, surface_dofs
from fem.conductance import Conductance
from fem.errors import FemError
from fem.fixedpoint import fixed_point
from fem.halo import nodal_array
from fem.krylov import SolverSettings
from fem.system import System

Array = NDArray[np.float64]


class Heat:
    """C dT/dt = div(kappa grad T) + source, with surfaces at fixed temperature, insulated elsewhere.

    ``thermal_W_per_mK`` and ``capacity_J_per_m3K`` (needed by ``step`` only) give every region a number, a function of
    temperature, or an array per cell; with functions, a solve or step iterates until all are taken at its result.
    ``fixed_K`` gives at least one surface its temperature. ``temperature_K`` (local dofs,) is the latest solution, the
    initial state of a step and the starting guess; it starts at the mean of the fixed temperatures; assign to it to
    set an initial state. Sources are nodal arrays (local dofs,) in W (in 2D per metre of depth).
    """

    def __init__(
        self,
        cell: Cell,
        thermal_W_per_mK: Mapping[str, Coefficient],
        fixed_K: Mapping[str, float],
        capacity_J_per_m3K: Mapping[str, Coefficient] | None = None,
        settings: SolverSettings | None = None,
    ) -> None:
        if not fixed_K:
            raise FemError("fixed_K is empty; give at least one surface and its temperature in K")
        self.cell = cell
        self.space = scalar_space(cell)
        self.operator = Conductance(self.space)
        self.conductivity = CellCoefficient(cell, thermal_W_per_mK, "thermal_W_per_mK")
        self.capacity = None
        if capacity_J_per_m3K is not None:
            self.capacity = CellCoefficient(cell, capacity_J_per_m3K, "capacity_J_per_m3K")
        self._surfaces = {name: surface_dofs(self.space, cell, name) for name in fixed_K}
        self.fixed_K: dict[str, float] = {}
        fixed = np.zeros(self.operator.halo.local, dtype=bool)
        for dofs in self._surfaces.values():
            fixed[dofs] = True
        self._system = System(self.operator, fixed, settings or SolverSettings())
        self.set_fixed(fixed_K)
        self.temperature_K: Array = np.full(self.operator.halo.local, float(np.mean(list(fixed_K.values()))))
        self._capacity: Array | None = None
        self._dirty = True

    def set_fixed(self, fixed_K: Mapping[str, float]) -> None:
        """Change the temperatures (K) of surfaces that were fixed from the start."""
        for name, value in fixed_K.items():
            if name not in self._surfaces:
                raise FemError(f"surface {name!r} was not fixed at the start; fixed: {', '.join(self._surfaces)}")
            if not (np.isfinite(value) and value > 0.0):
                raise FemError(f"fixed_K: surface {name!r} must have a positive temperature in K, got {value!r}")
            self.fixed_K[name] = float(value)

    def set_thermal(
        self,
        thermal_W_per_mK: Mapping[str, Coefficient] | None = None,
        capacity_J_per_m3K: Mapping[str, Coefficient] | None = None,
    ) -> None:
        """Replace the conductivity (W/(m K)) or heat capacity (J/(m3 K)) of the regions named."""
        if thermal_W_per_mK:
            self.conductivity.set(thermal_W_per_mK)
        if capacity_J_per_m3K:
            if self.capacity is None:
                self.capacity = CellCoefficient(self.cell, capacity_J_per_m3K, "capacity_J_per_m3K")
            self.capacity.set(capacity_J_per_m3K)
            self._capacity = None
        self._dirty = True

    def solve(self, source_W: ArrayLike | None = None) -> Array:
        """The steady temperature (local dofs,) in K; collective. Iterates where kappa depends on temperature."""
        source = self._source(source_W)
        return self._iterate(lambda guess: self.linear_solve(guess, source))

    def step(
        self,
        dt_s: float,
        source_W: ArrayLike | None = None,
        slope_W_per_K: ArrayLike | None = None,
        about_K: ArrayLike | None = None,
    ) -> Array:
        """The temperature (local dofs,) in K one backward Euler step of dt_s seconds later; collective.

        With a slope the source is source_W + slope_W_per_K (T - about_K) at the nodes, the slope not positive.
        """
        halo, source, old = self.operator.halo, self._source(source_W), self.temperature_K
        slope, about = nodal_array(slope_W_per_K, halo, "slope_W_per_K"), nodal_array(about_K, halo, "about_K")
        if (slope is None) != (about is None):
            raise FemError("slope_W_per_K and about_K are given together or not at all")
        if slope is not None and halo.maximum(float(slope.max(initial=-np.inf))) > 0.0:
            raise FemError("slope_W_per_K must not be positive")
        return self._iterate(lambda guess: self.linear_solve(guess, source, dt_s, old, slope, about))

    def linear_solve(
        self,
        guess: Array,
        source: Array | None = None,
        dt_s: float | None = None,
        old: Array | None = None,
        slope: Array | None = None,
        about: Array | None = None,
    ) -> Array:
        """One linear solve (local dofs,) in K with all coefficients taken at ``guess``; collective.

        Steady, or with ``dt_s`` and ``old`` one backward Euler step from the temperature ``old``, in which ``slope``
        (local dofs,) in W/K adds the source slope (T - about). Leaves ``temperature_K`` as it is.
        """
        if dt_s is not None and not (np.isfinite(dt_s) and dt_s > 0.0):
            raise FemError(f"dt_s must be a positive time in s, got {dt_s!r}")
        mean = self.operator.cell_mean(guess) if self.depends_on_temperature else None
        if self._dirty or self.conductivity.depends_on_temperature:
            self.operator.set_coefficient(self.conductivity.values(mean))
        self._dirty = False
        u = np.array(guess, dtype=np.float64)
        for name in reversed(tuple(self.fixed_K)):
            u[self._surfaces[name]] = self.fixed_K[name]
        shift = None if dt_s is None else self._lumped(mean) / dt_s
        if shift is not None and slope is not None and old is not None and about is not None:
            both = shift - slope
            shift, old = both, (shift * old - slope * about) / both
        self._system.solve(u, source, shift, old)
        return u

    def reaction(self, surface: str, source_W: ArrayLike | None = None) -> float:
        """Heat (W) that enters through a surface in the present temperature field (steady); collective."""
        if surface not in self._surfaces:
            self._surfaces[surface] = surface_dofs(self.space, self.cell, surface)
        halo = self.operator.halo
        leaving = self.operator.apply(self.temperature_K)
        source = self._source(source_W)
        if source is not None:
            leaving = leaving - source
        dofs = self._surfaces[surface]
        return halo.total(float(leaving[dofs[dofs < halo.owned]].sum()))

    def stored_J(self) -> float:
        """Heat content relative to 0 K, sum of C T, in J, with C at the present temperature; collective."""
        return self.operator.halo.sum(self._lumped(self.operator.cell_mean(self.temperature_K)) * self.temperature_K)

    @property
    def depends_on_temperature(self) -> bool:
        """True when any coefficient is a function of temperature."""
        return self.conductivity.depends_on_temperature or bool(self.capacity and self.capacity.depends_on_temperature)

    @property
    def iterations(self) -> int:
        """Iterations of the latest linear solve."""
        return self._system.iterations

    def _iterate(self, update: Callable[[Array], Array]) -> Array:
        if self.depends_on_temperature:
            self.temperature_K = fixed_point(update, self.temperature_K, self.operator.halo, "temperature", "K")
        else:
            self.temperature_K = update(self.temperature_K)
        return self.temperature_K.copy()

    def _lumped(self, mean_K: Array | None) -> Array:
        if self.capacity is None:
            raise FemError("capacity_J_per_m3K was not given; a step in time and the heat content need it")
        if self._capacity is None or self.capacity.depends_on_temperature:
            self._capacity = self.operator.capacity(self.capacity.values(mean_K))
        return self._capacity

    def _source(self, source_W: ArrayLike | None) -> Array | None:
        return nodal_array(source_W, self.operator.halo, "source_W")
