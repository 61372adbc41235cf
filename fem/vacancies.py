"""Oxygen vacancies of an oxide in time: drift, diffusion, thermodiffusion, crowding, fast paths, electrodes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell, scalar_space
from fem.errors import FemError, unknown_name
from fem.halo import Halo, nodal_array
from fem.timecontrol import Attempt
from fem.vacanciesflux import Rates, Species, System
from fem.vacanciesparts import FastLayer, Parts, VacancyElectrode, VacancyRegion

Array = NDArray[np.float64]


@dataclass(frozen=True)
class VacancyState:
    """The result of a step: vacancies per s that enter at each electrode, the largest change of a density (relative
    to the largest density), and the Newton iterations."""

    entering_per_s: dict[str, float]
    largest_change: float
    newton_iterations: int


@dataclass(frozen=True)
class SavedVacancies:
    """All that a VacancyTransport needs to go on from a moment."""

    density: Array
    free: Array
    amounts: Array
    previous: Array | None
    previous_dt_s: float
    potential_V: Array
    temperature_K: Array
    entered: Array
    last_entered: Array


class VacancyTransport:
    """One mobile species on simplices of first order, in a given potential and temperature.

    dn/dt = div(D n (grad ln(n gamma) + z e grad phi / kT + Q / (k T^2) grad T)), all of it faster by sinh(w)/w with
    w = z e a E / (2kT) for a field E along an edge where ``hop_nm`` a is given: the drift of Mott and Gurney,
    2 nu a exp(-Ea/kT) sinh(z e a E / 2kT) for D = nu a^2 exp(-Ea/kT). With ``sites_per_m3`` N vacancies crowd:
    mu = kT ln(n / (N - n)), gamma = 1 / (1 - n/N), which enhances diffusion by 1/(1 - n/N) = 1 + c/(1-c), c = n/N, and
    leaves drift as it is, as in the model of Kim, Choi and Lu (ACS Nano 8, 2369 (2014), doi 10.1021/nn405827t).
    ``polarisation_nm`` p (e nm): a field F lowers the barrier of a hop by p F, but not below 0, for both directions.
    ``blocked_hops``: hops into filled sites do not happen, D goes with 1 - n/N (an exclusion process: Fick's law, and
    drift n (1 - n/N)). Without sites the solution is ideal.

    In 1D (per m^2), a plane (per metre of depth), (r, z) or 3D. ``regions``: fem.VacancyRegion by name; elsewhere are
    none. Where regions of different energy_eV meet, the densities of both sides are in equilibrium at every moment.
    ``layers``: fem.FastLayer by any name. ``electrodes``: fem.VacancyElectrode by the name of a surface, or of two
    regions that touch ("oxide/top", in one mesh that is not split there). All other surfaces stop vacancies.

    Fluxes along edges are those of Scharfetter and Gummel with everything but n in the exponent, so that equilibrium
    is exact: n ~ exp(-z e phi / kT) at uniform T, n ~ exp(Q / kT) without a field, at any mesh width. With backward
    Euler and no negative weight (fem.scharfetter.Network) densities stay positive. ``order`` 2: BDF2 after a first
    step of backward Euler and after ``restart``, which falls back to backward Euler where Newton's method fails.

    ``initial_per_m3``: a number or a nodal array (local dofs,), not negative. At a node where regions meet it holds in
    the one with the highest energy. Raises FemError for names and values that are not allowed.
    """

    def __init__(
        self,
        cell: Cell,
        regions: Mapping[str, VacancyRegion],
        initial_per_m3: float | ArrayLike,
        charge: float,
        sites_per_m3: float | None = None,
        hop_nm: float | None = None,
        blocked_hops: bool = False,
        layers: Mapping[str, FastLayer] | None = None,
        electrodes: Mapping[str, VacancyElectrode] | None = None,
        order: int = 2,
        rtol: float = 1e-9,
        max_iterations: int = 40,
        temperature_K: float = 300.0,
        polarisation_nm: float = 0.0,
    ) -> None:
        for name, value in (("sites_per_m3", sites_per_m3), ("hop_nm", hop_nm)):
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise FemError(f"{name} must be positive and finite, or None, got {value!r}")
        if blocked_hops and sites_per_m3 is None:
            raise FemError("blocked_hops needs sites_per_m3: without a number of sites none is filled")
        if order not in (1, 2) or not math.isfinite(charge):
            raise FemError(f"order must be 1 or 2 and charge finite, got {order!r} and {charge!r}")
        if not (math.isfinite(polarisation_nm) and polarisation_nm >= 0.0):
            raise FemError(f"polarisation_nm must be finite and not negative, got {polarisation_nm!r}")
        for name in regions:
            if name not in cell.regions:
                raise unknown_name("region", name, cell.regions)
        self.cell, self.order, self.rtol, self.max_iterations = cell, order, rtol, max_iterations
        self.space = scalar_space(cell)
        self.halo = Halo(self.space)
        self.electrodes = tuple(electrodes or {})
        self.parts = Parts(cell, self.space, self.halo, regions, layers or {}, self.electrodes)
        species = Species(float(charge), sites_per_m3 or 0.0, 1e-9 * (hop_nm or 0.0), blocked_hops,
                          1e-9 * polarisation_nm)  # fmt: skip
        self._system = System(self.parts, species, electrodes or {}, self.halo)
        self._phi, self._T = np.zeros(self._system.size), np.full(self._system.size, float(temperature_K))
        self._system.set_conditions(self._phi, self._T)
        self._entered = np.zeros(len(self.electrodes))
        self._last_entered = np.zeros_like(self._entered)
        self.set_density(initial_per_m3)

    # -- state ------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> NDArray[np.int64]:
        """Dofs (n,) that have vacancies, ascending."""
        return self.parts.nodes

    @property
    def density_per_m3(self) -> Array:
        """Density (local dofs,) in 1/m^3, where regions meet that of the one with the highest energy; 0 elsewhere."""
        result = np.zeros(self.halo.local)
        result[self.nodes] = self._n
        return result

    def density_in(self, part: str) -> Array:
        """Density (local dofs,) in one region or layer, nan outside of it. Raises FemError for an unknown name."""
        names = [one.name for one in self.parts.all]
        if part not in names:
            raise unknown_name("region or layer", part, names)
        nodes, value = self._system.density_of(names.index(part), self._n, self._free)
        result = np.full(self.halo.local, np.nan)
        result[self.nodes[nodes]] = value
        return result

    def set_density(self, per_m3: float | ArrayLike, temperature_K: ArrayLike | None = None) -> None:
        """Set the densities, as ``initial_per_m3``; electrodes that hold keep theirs. It restarts.

        ``temperature_K`` (local dofs,): that of the partition between regions, else as it was.
        """
        given = np.asarray(per_m3, dtype=np.float64)
        array = nodal_array(np.full(self.halo.local, given) if given.ndim == 0 else given, self.halo, "initial_per_m3")
        n = np.empty(0) if array is None else array[self.nodes]
        sites = self._system.species.sites_per_m3
        wrong = n[~(np.isfinite(n) & (n >= 0.0) & (n < sites if sites else True))]
        allowed = f"finite, not negative{' and below sites_per_m3' if sites else ''}"
        self.halo.agree(f"initial_per_m3 must be {allowed}, got {float(wrong[0])!r}" if wrong.size else None)
        if temperature_K is not None:
            self._T = self._nodal(temperature_K, "temperature_K")
            self._system.set_conditions(self._phi, self._T)
        self._n = np.where(self._system.held, self._system.held_value, n)
        self._free = self._system.free_of(self._n)
        self._amounts = self._system.amounts(self._n, self._free)
        self._previous_dt = 0.0
        self.restart()

    @property
    def amounts(self) -> Array:
        """Vacancies (local dofs,) that each node holds, in all its regions and layers together."""
        result = np.zeros(self.halo.local)
        result[self.nodes] = self._amounts
        return result

    @property
    def total(self) -> float:
        """All vacancies (per m^2 in 1D, per metre in a plane)."""
        return self._sum(self._amounts)

    @property
    def entered(self) -> dict[str, float]:
        """Vacancies that have come in at each electrode since the start, by the same formula as ``total``."""
        return dict(zip(self.electrodes, self._entered.tolist(), strict=True))

    def volume_m3(self) -> Array:
        """Volume (local dofs,) of each node in all regions and layers together."""
        return self.parts.volume.copy()

    def restart(self) -> None:
        """Make the next step backward Euler: after a jump of potential or temperature."""
        self._previous: Array | None = None
        self._last_entered[:] = 0.0

    def save(self) -> SavedVacancies:
        """Everything that changes from step to step, as it is now."""
        previous = None if self._previous is None else self._previous.copy()
        return SavedVacancies(
            self._n.copy(), self._free.copy(), self._amounts.copy(), previous, self._previous_dt, self._phi.copy(),
            self._T.copy(), self._entered.copy(), self._last_entered.copy(),
        )  # fmt: skip

    def restore(self, saved: SavedVacancies) -> None:
        """Go back to what ``save`` returned."""
        self._n, self._free, self._amounts = saved.density.copy(), saved.free.copy(), saved.amounts.copy()
        self._previous = None if saved.previous is None else saved.previous.copy()
        self._previous_dt = saved.previous_dt_s
        self._phi, self._T = saved.potential_V.copy(), saved.temperature_K.copy()
        self._entered, self._last_entered = saved.entered.copy(), saved.last_entered.copy()
        self._system.set_conditions(self._phi, self._T)

    # -- steps ------------------------------------------------------------------------------------------------

    def step(
        self,
        dt_s: float,
        potential_V: float | ArrayLike,
        temperature_K: float | ArrayLike,
        source_per_s: ArrayLike | None = None,
    ) -> VacancyState:
        """The state ``dt_s`` seconds later, in the potential and at the temperature (local dofs,) of that moment.

        ``source_per_s`` (local dofs,): vacancies per s that appear at each node. Raises FemError when no solution is
        found, and leaves all as it was.
        """
        if not (math.isfinite(dt_s) and dt_s > 0.0):
            raise FemError(f"dt_s must be a positive time in s, got {dt_s!r}")
        conditions = self._nodal(potential_V, "potential_V"), self._nodal(temperature_K, "temperature_K")
        source = np.zeros(self._system.size) if source_per_s is None else self._nodal(source_per_s, "source_per_s")
        saved = self.save()
        try:
            try:
                return self._step(dt_s, conditions, source)
            except FemError:
                if self._previous is None or self.order == 1:
                    raise
                self.restart()
                return self._step(dt_s, conditions, source)
        except FemError:
            self.restore(saved)
            raise

    def _step(self, dt_s: float, conditions: tuple[Array, Array], source: Array) -> VacancyState:
        system = self._system
        leading, back = 1.0 / dt_s, 0.0
        if self._previous is not None and self.order == 2:
            ratio = dt_s / self._previous_dt
            leading = (1.0 + 2.0 * ratio) / (1.0 + ratio) / dt_s
            back = ratio**2 / (1.0 + ratio) / dt_s
        before = self._amounts
        moved = np.zeros_like(before) if self._previous is None else before - self._previous
        rates = Rates(leading, before, -back * moved)
        system.set_conditions(*conditions)
        found = system.solve(self._n, self._free, rates, source, self.rtol, self.max_iterations)
        n, free, iterations, held = found
        amounts = system.amounts(n, free)
        entering, busiest = system.rates_in(n, free, held)
        change = self._largest(n - self._n) / max(self._largest(n), 1e-300)
        rate = np.array([entering[name] for name in self.electrodes])
        gained = (rate + back * self._last_entered) / leading
        if busiest:  # the rounding of flows to and fro, which adds up over a long rest
            sums = (float(part[system.owned].sum()) for part in (source, rates.history, amounts - before))
            brought, history, more = map(self.halo.total, sums)
            shift = brought - history - back * float(self._last_entered.sum())
            missing = more - shift / leading - float(gained.sum())
            gained[self.electrodes.index(busiest)] += missing
        self._entered, self._last_entered = self._entered + gained, gained
        self._previous, self._previous_dt = before, dt_s
        self._n, self._free, self._amounts = n, free, amounts
        self._phi, self._T = conditions
        return VacancyState(entering, change, iterations)

    def steady(self, potential_V: float | ArrayLike, temperature_K: float | ArrayLike) -> VacancyState:
        """The steady state between electrodes. Raises FemError if none exchanges vacancies, or none is found."""
        system = self._system
        conditions = self._nodal(potential_V, "potential_V"), self._nodal(temperature_K, "temperature_K")
        saved, old = self.save(), self._n
        system.set_conditions(*conditions)
        closed = not np.any(system.held) and not any(np.any(one > 0.0) for one in system.going.values())
        if self.halo.every(closed):
            self.restore(saved)
            raise FemError("no electrode lets vacancies out: the steady state has any number of them")
        try:
            none = np.zeros(system.size)
            found = system.solve(self._n, self._free, None, none, self.rtol, 10 * self.max_iterations)
        except FemError:
            self.restore(saved)
            raise
        n, free, iterations, held = found
        entering, _ = system.rates_in(n, free, held)
        self._n, self._free, self._amounts = n, free, system.amounts(n, free)
        self._phi, self._T = conditions
        self.restart()
        return VacancyState(entering, self._largest(n - old) / self._largest(n), iterations)

    def attempt(self, dt_s: float, potential_V: float | ArrayLike, temperature_K: float | ArrayLike) -> Attempt:
        """``step`` for fem.TimeControl; ``changes["density"]`` is the largest change over the largest density."""
        saved = self.save()
        try:
            state = self.step(dt_s, potential_V, temperature_K)
        except FemError as error:
            return Attempt(False, reason=str(error))
        changes = {"density": state.largest_change}
        return Attempt(True, state.newton_iterations, changes, lambda: self.restore(saved), result=state)

    def _largest(self, values: Array) -> float:
        """Largest size of nodal values (nodes,)."""
        return self.halo.maximum(float(np.abs(values).max(initial=0.0)))

    def _sum(self, values: Array) -> float:
        """Sum of nodal values (nodes,), every node counted once."""
        own, comm = values[self._system.owned], self.halo.comm
        return math.fsum(own if comm.size == 1 else np.concatenate(comm.allgather(own)))

    def _nodal(self, values: float | ArrayLike, name: str) -> Array:
        given = np.asarray(values, dtype=np.float64)
        array = np.full(self.halo.local, given) if given.ndim == 0 else nodal_array(given, self.halo, name)
        result = np.empty(0) if array is None else array[self.nodes]
        wrong = result[~np.isfinite(result) | ((name == "temperature_K") & (result <= 0.0))]
        above = ", and above 0 K" if name == "temperature_K" else ""
        self.halo.agree(f"{name} must be finite{above}, got {float(wrong[0])!r}" if wrong.size else None)
        return result
