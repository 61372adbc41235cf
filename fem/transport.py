"""Ions in time: Nernst-Planck-Poisson with intercalation, interface reactions and terminal currents."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell
from fem.chargetransfer import Conductor, Junction, Terminal
from fem.errors import FemError, unknown_name
from fem.halo import nodal_array
from fem.ionphases import Phase, Species
from fem.timecontrol import Attempt
from fem.transportlayout import Layout
from fem.transportnewton import Newton
from fem.transportsystem import Conditions, Rates, System
from fem.transporttemperature import Temperature

Array = NDArray[np.float64]
_GROWTH = 4.0  # of the steps to a steady state
_RELAXATIONS = 200
_SETTLED = 1e-9


@dataclass(frozen=True)
class TransportState:
    """The result of a step, by terminal; currents in A enter the device (A/m^2 in 1D, A/m in a plane).

    ``currents_A``: what the wire brings. ``displacement_A``: the part that charges electrodes and metals against their
    surroundings. ``faradaic_A``: the part that goes on as ions: out of an electrode, or, negative, with those that are
    inserted into a metal. ``conduction_A``: the part that the terminal feeds into conductors. The sum of the three is
    the current, which is calculated without them. ``voltages_V``; ``newton_iterations`` and, of them, those with a new
    matrix: ``matrices``. ``displacement_A`` and ``faradaic_A`` also hold, by the name of each conductor, what its
    electrons are for: charge on its surface, and to follow ions (negative: they go in). Their sum is what it takes from
    all terminals.

    By node (local dofs,), 0 away from electrodes and metals, in A: ``metal_displacement_A``, and ``metal_ions_A``,
    the rate of the electrons that make up for the ions at a node of a metal (of a conductor: for those that reactions
    bring there), or the ions that leave an electrode there. Their sums over the nodes of a terminal, or of a conductor
    but for those that it shares with terminals, are its displacement_A and faradaic_A. Across a split interface the
    nodes are those of the metal's side, at an electrode those of its surface (of a corner that belongs to two
    electrodes with compact layers the sum of both).
    """

    currents_A: dict[str, float]
    displacement_A: dict[str, float]
    faradaic_A: dict[str, float]
    conduction_A: dict[str, float]
    voltages_V: dict[str, float]
    newton_iterations: int
    matrices: int
    metal_displacement_A: Array = field(repr=False, compare=False)
    metal_ions_A: Array = field(repr=False, compare=False)


@dataclass(frozen=True)
class SavedTransport:
    """All that a Transport needs to go on from a moment, but for temperature and conductivities."""

    u: Array
    free: dict[str, Array]
    owed: Array
    previous: Array | None
    previous_dt_s: float
    charges: Array
    last_charges: Array


class Transport:
    """Ions of several species on simplices: conservation, Poisson's equation, reactions at interfaces.

    - ions: dn/dt = div(D n / kT grad mu), mu = standard + kT ln(n / sites) + excess(x) + z e phi, faster in strong
      fields by sinh(w)/w along each edge for a species with ``hop_nm``
    - field: -div(eps0 eps_r grad phi) = e (sum of z n + fixed charge)
    - at a junction and at an electrode: the reactions of fem.ChargeTransfer; no ions pass where there is none

    In 1D (per m^2), a plane (per metre of depth), (r, z) with ``cell.axisymmetric``, or 3D; on all ranks of the mesh,
    every call collective. ``permittivity``: eps_r by region, of all that are no metal; 0 makes a region electroneutral,
    so that its mesh need not resolve the Debye length: double layers are then the compact ones of terminals and
    junctions. Every region of a terminal is a metal: one potential, and electrons that make up for the ions in it. A
    region of ``conductors`` (fem.Conductor by name) is one with a resistance: at every node div(sigma grad phi) is the
    rate at which its surface (Gauss's law) and the ions that reactions bring ask for electrons. Ions in metals move
    with their electrons, as neutral pairs, down the chemical potential of the pair. In a conductor that takes the pull
    of the field on the ions and that of the electrons' wind to be equal and opposite (an effective charge of 0): a
    current along it moves no ions by itself. Reactions go by the potential of their own node. Ions of a species in
    regions that share nodes are one body; those on two sides of a split interface meet only by the reactions of its
    ``junctions`` (fem.Junction by name). Surfaces without terminal, and interfaces not named, stop all ions; the
    potential is continuous across the latter.

    Along each edge of the mesh the flux is that of Scharfetter and Gummel with the whole excess in the exponent, so
    that densities stay positive at any cell Peclet number (backward Euler, a mesh without negative weights) and
    equilibrium is exact. Steps are backward Euler after a start or ``restart``, else BDF2 (keep fem.TimeControl's
    ``growth`` at 2 or less; a BDF2 step that fails falls back to backward Euler). ``order`` 1: always backward Euler,
    so that steps may grow tenfold and a long rest after a short pulse takes few of them. Newton's method has converged
    when an iteration moves no potential by more than ``rtol`` kT/e and no density by more than rtol of it.
    ``charge_C`` adds up the currents by the same difference formula as the densities, so that charge and ions agree to
    rounding. A current through an open circuit is nil to about 1e-16 of the largest flow to and fro along an edge,
    e D n / length.

    ``temperature_K``: a number or a nodal array (local dofs,), which may be set anew between steps. An edge, and an
    interface, has the mean of its two nodes; there is no thermodiffusion (Soret effect): a gradient of temperature
    moves no ions by itself. Diffusivities and j0 are those at ``reference_K``, and change with their activation_eV.

    Volumes are those of the dual that has the weights of the fluxes (fem.scharfetter.Network). A double layer thinner
    than the cells is one cell thin: resolve it, or make the region electroneutral.

    Raises FemError for names and values that are not allowed.
    """

    def __init__(
        self,
        cell: Cell,
        permittivity: Mapping[str, float],
        phases: Mapping[str, Phase],
        species: Mapping[str, Species],
        terminals: Mapping[str, Terminal],
        junctions: Mapping[str, Junction] | None = None,
        temperature_K: float | ArrayLike = 300.0,
        order: int = 2,
        rtol: float = 1e-8,
        max_iterations: int = 30,
        reference_K: float = 300.0,
        conductors: Mapping[str, Conductor] | None = None,
    ) -> None:
        if order not in (1, 2):
            raise FemError(f"order must be 1 or 2, got {order!r}")
        if not 0.0 < rtol < 1e-3 or max_iterations < 1:
            raise FemError(f"rtol must lie between 0 and 1e-3 and max_iterations be >= 1, got {rtol!r} and "
                           f"{max_iterations!r}")  # fmt: skip
        if not terminals:
            raise FemError("terminals is empty: the potential needs one")
        self.cell = cell
        self.order, self.rtol, self.max_iterations = order, rtol, max_iterations
        self._layout = Layout(cell, permittivity, phases, species, terminals, junctions or {}, conductors)
        self._system = System(
            self._layout, permittivity, Temperature(temperature_K, reference_K, self._layout.reach)
        )
        self._newton = Newton(self._system, rtol, max_iterations)
        self.space, self.halo = self._layout.space, self._layout.halo
        self.names = tuple(self._layout.names)
        self.terminals = tuple(terminals)
        self.conductors = tuple(self._layout.conductors)
        self._u = np.zeros(self._layout.size)
        for one, initial in zip(self._layout.populations, self._layout.initial, strict=True):
            self._u[one.unknown[one.nodes]] = initial
        self._free = {name: 1.0 - filled for name, filled in self._system.fractions(self._u).items()}
        self._owed = self._system.poisson.gauss(self._u)
        self._previous: Array | None = None
        self._previous_dt = 0.0
        self._charges = np.zeros((3, len(terminals) + len(self.conductors)))
        self._last_charges = np.zeros_like(self._charges)

    @property
    def thermal_voltage_V(self) -> float:
        """kT/e in V; kT is the mean of the nodes' where the temperature is an array."""
        return self._system.temperature.mean_kT_eV

    @property
    def temperature_K(self) -> float | Array:
        """Temperature in K, a number or a nodal array (local dofs,); set it between steps, ``restart`` after a jump."""
        kelvin = self._system.temperature.kelvin
        return float(kelvin) if self._system.temperature.uniform else np.array(kelvin)

    @temperature_K.setter
    def temperature_K(self, value: float | ArrayLike) -> None:
        reference_K = self._system.temperature.reference_K
        self._system.set_temperature(Temperature(value, reference_K, self._layout.reach))

    @property
    def potential_V(self) -> Array:
        """Potential (local dofs,) in V of ``space``; inside a metal, that of its terminal, in a conductor its own."""
        return self._u[self._layout.potential[: self._layout.halo.local]]

    @property
    def charge_C(self) -> dict[str, float]:
        """What each wire has brought since the start or ``steady``, in C (C/m^2 in 1D, C/m in a plane)."""
        return self._named(self._charges[0])

    @property
    def faradaic_C(self) -> dict[str, float]:
        """The part of ``charge_C`` that went on as ions, by the rates of reactions; of conductors, what followed ions.

        These round at about 1e-16 of j0 times affinity over kT, which adds up over a long rest: there ``amount`` is
        what conserves ions.
        """
        return self._by_metal(self._charges[2])

    @property
    def metal_charge_C(self) -> Array:
        """Charge (local dofs,) on electrodes and on surfaces of metals by Gauss's law, at the nodes of
        ``metal_displacement_A``, which is its rate. The sum over a terminal's nodes is what it holds; electrons that
        make up for ions in metals are not in it."""
        poisson = self._system.poisson
        return poisson.surface(self._u) + poisson.surface_background()

    def set_conductivity(self, name: str, sigma_S_per_m: ArrayLike, sheet_S: ArrayLike | None = None) -> None:
        """Conductivity (local dofs,) in S/m of a conductor, and sheet conductances (local dofs,) in S on its interface.

        Values elsewhere do not count. They hold until set anew, between steps. sigma is constant in the control volume
        of a node: an edge has the harmonic mean of both ends, as in fem.ChannelConduction, whose rules hold for sheets
        as well. Raises FemError for an unknown name and values that are not allowed.
        """
        self._system.conductors.set(name, sigma_S_per_m, sheet_S)

    def fraction(self, name: str) -> Array:
        """Density over sites (local dofs,) of a species, nan where it does not live. Raises FemError if unknown."""
        one = self._layout.populations[self._number(name)]
        result = np.full(self._layout.count, np.nan)
        result[one.nodes] = self._u[one.unknown[one.nodes]]
        return result[: self._layout.halo.local]

    def density_per_m3(self, name: str) -> Array:
        """Density (local dofs,) of a species in 1/m^3, nan where it does not live."""
        return self.fraction(name) * self._system.sites[self._number(name)]

    def set_density(self, name: str, per_m3: float | ArrayLike) -> None:
        """Set a species to a number or a nodal array (local dofs,) above 0; baths keep theirs. It restarts."""
        number = self._number(name)
        one = self._layout.populations[number]
        given = np.asarray(per_m3, dtype=np.float64)
        full = np.full(self._layout.halo.local, given) if given.ndim == 0 else given
        array = nodal_array(full, self._layout.halo, f"density of {name!r}")
        assert array is not None
        values = self._layout.reach.extend(array)[one.nodes]
        wrong = values[~(np.isfinite(values) & (values > 0.0))]
        must = f"density of {name!r} must be above 0 and finite"
        self.halo.agree(f"{must}, got {float(wrong[0])!r}" if wrong.size else None)
        moves = one.fixed < 0
        u = self._u.copy()
        u[one.unknown[one.nodes[moves]]] = values[moves] / self._system.sites[number]
        filled = self._system.fractions(u)
        most = self._layout.halo.maximum(float(filled[one.phase].max(initial=0.0)))
        if self._layout.phases[one.phase].excess is not None and most >= 1.0:
            raise FemError(f"density of {name!r}: phase {one.phase!r} would be filled by {most:.4g}, which must be "
                           "below 1")  # fmt: skip
        self._u, self._free = u, {phase: 1.0 - part for phase, part in filled.items()}
        self._owed = self._system.poisson.gauss(self._u)
        self.restart()

    def amount(self, name: str) -> float:
        """Number of ions of a species (per m^2 in 1D, per metre in a plane)."""
        number = self._number(name)
        one = self._layout.populations[number]
        own = one.unknown[one.nodes[: one.owned]]
        return self._layout.halo.total(float(one.volume[: one.owned] @ self._u[own])) * self._system.sites[number]

    def volume_m3(self, name: str) -> Array:
        """Volume (local dofs,) that belongs to each node of a species, 0 elsewhere (in m in 1D, m^2 in a plane)."""
        one = self._layout.populations[self._number(name)]
        return np.bincount(one.nodes, one.volume, self._layout.count)[: self._layout.halo.local]

    def region_nodes(self, region: str) -> NDArray[np.int64]:
        """The dofs of a region, ascending. Raises FemError if unknown."""
        networks = self._layout.networks
        if region not in networks:
            raise unknown_name("region", region, networks)
        return networks[region].nodes

    def interface(self, name: str) -> tuple[NDArray[np.int64], Array]:
        """Pairs of local dofs (n, 2) across a split interface, and the area (n,) of each. Raises FemError if unknown.

        On several ranks those of which at least one is here; the other may be -1.
        """
        if name not in self._layout.pairs:
            raise unknown_name("interface", name, self._layout.pairs)
        pairs, area = self._layout.pairs[name]
        local = np.where(pairs < self._layout.halo.local, pairs, -1)
        some = np.any(local >= 0, axis=1)
        return local[some], area[some]

    def dissipation_W(self) -> Array:
        """Heat (local dofs,) in W (W/m^2 in 1D, W/m in a plane) at the present state, that of the end of a step.

        Friction of ions along edges, flow times fall of the electrochemical potential, half at each end; reactions,
        current times affinity, half at each side; Joule heat of conductors. Its sum is the power of the wires less the
        rate of the free energy; backward Euler misses part of that sum of the order of the step.
        """
        return self._system.dissipation_W(self._u, self._free)

    def restart(self) -> None:
        """Make the next step backward Euler: after a corner of the drive."""
        self._previous = None
        self._last_charges[:] = 0.0

    def save(self) -> SavedTransport:
        """Everything that changes from step to step, as it is now."""
        previous = None if self._previous is None else self._previous.copy()
        charges, last = self._charges.copy(), self._last_charges.copy()
        now = self._u.copy(), dict(self._free), self._owed.copy()
        return SavedTransport(*now, previous, self._previous_dt, charges, last)

    def restore(self, saved: SavedTransport) -> None:
        """Go back to what ``save`` returned."""
        self._u, self._free, self._owed = saved.u.copy(), dict(saved.free), saved.owed.copy()
        self._previous = None if saved.previous is None else saved.previous.copy()
        self._previous_dt = saved.previous_dt_s
        self._charges, self._last_charges = saved.charges.copy(), saved.last_charges.copy()

    def step(
        self,
        dt_s: float,
        voltages_V: Mapping[str, float] | None = None,
        currents_A: Mapping[str, float] | None = None,
        resistances_ohm: Mapping[str, float] | None = None,
    ) -> TransportState:
        """The state ``dt_s`` seconds later; every terminal has a voltage or a current (0: it floats).

        At least one needs a voltage. ``resistances_ohm``: resistors between terminals and their voltages (ohm m^2 in
        1D, ohm m in a plane); ``voltages_V`` of the state are those of the terminals behind them. Raises FemError when
        no solution is found, and leaves everything as it was.
        """
        if not (math.isfinite(dt_s) and dt_s > 0.0):
            raise FemError(f"dt_s must be a positive time in s, got {dt_s!r}")
        conditions = self._conditions(voltages_V or {}, currents_A or {}, resistances_ohm or {})
        try:
            return self._step(dt_s, conditions)
        except FemError:
            if self.order == 1 or self._previous is None:
                raise
        saved = self.save()
        self.restart()
        try:
            return self._step(dt_s, conditions)
        except FemError:
            self.restore(saved)
            raise

    def attempt(
        self,
        dt_s: float,
        voltages_V: Mapping[str, float] | None = None,
        currents_A: Mapping[str, float] | None = None,
        resistances_ohm: Mapping[str, float] | None = None,
    ) -> Attempt:
        """``step`` for fem.TimeControl: reports failure instead of raising, and how far things moved.

        ``iterations``: those with a new matrix, which are the work.
        ``changes``: "potential_V", by the name of each species the largest change of its fraction n/sites, and, with
        reactions, "affinity_eV": their rates go with its exponential.
        """
        saved = self.save()
        try:
            state = self.step(dt_s, voltages_V, currents_A, resistances_ohm)
        except FemError as error:
            return Attempt(False, reason=str(error))
        moved = np.abs(self._u - saved.u)
        names, parts = ["potential_V", *self.names], [moved[: self._layout.potentials]]
        parts += [moved[one.unknown[one.nodes]] for one in self._layout.populations]
        if self._layout.reactors:
            now = self._system.affinities_eV(self._u, self._free)
            names.append("affinity_eV")
            parts.append(np.abs(now - self._system.affinities_eV(saved.u, saved.free)))
        most = self._layout.halo.maxima([float(part.max(initial=0.0)) for part in parts])
        changes = dict(zip(names, most.tolist(), strict=True))
        return Attempt(True, state.matrices, changes, lambda: self.restore(saved), result=state)

    def steady(
        self,
        voltages_V: Mapping[str, float] | None = None,
        currents_A: Mapping[str, float] | None = None,
        first_s: float | None = None,
        resistances_ohm: Mapping[str, float] | None = None,
    ) -> TransportState:
        """The state after a long time at constant drive, by backward Euler steps that grow; charges are zero there.

        What cannot leave is conserved: ions between blocking electrodes, the charge of a metal that floats without a
        reaction. ``first_s``: the first step (default: that in which the fastest ions cross a cell). It ends with a
        step longer than the slowest ions need through the whole mesh in which nothing moves. Raises FemError when that
        does not come about, and leaves everything as it was.
        """
        conditions = self._conditions(voltages_V or {}, currents_A or {}, resistances_ohm or {})
        saved = self.save()
        shortest, longest = self._times()
        dt_s, calm = first_s or shortest, False
        try:
            for _ in range(_RELAXATIONS):
                self.restart()
                begin = self._u
                try:
                    state = self._step(dt_s, conditions)
                except FemError:
                    if dt_s < 1e-9 * shortest:
                        raise
                    dt_s *= 0.2
                    continue
                moved = self._u - begin
                rested = self._newton.size(moved, self._u, self._free) < _SETTLED
                if rested and calm and dt_s > longest:
                    break
                calm = rested
                dt_s *= _GROWTH
            else:
                raise FemError(f"no steady state was found in {_RELAXATIONS} time steps")
        except FemError:
            self.restore(saved)
            raise
        self.restart()
        self._charges[:] = 0.0
        return state

    def _step(self, dt_s: float, conditions: Conditions) -> TransportState:
        back = np.zeros_like(self._u) if self._previous is None else self._previous
        memory = 0.0
        leading = 1.0 / dt_s
        if self.order == 2 and self._previous is not None:
            ratio = dt_s / self._previous_dt
            leading = (1.0 + 2.0 * ratio) / (1.0 + ratio) / dt_s
            memory = -(ratio**2) / (1.0 + ratio) / dt_s
        rates = Rates(leading, memory * back)
        found = self._newton.solve(self._u, self._free, rates, conditions, self._owed)
        balance, moved, self._u, self._free = found.balance, found.moved, found.u, found.free
        currents = np.stack([balance.total_A, balance.displacement_A, balance.faradaic_A])
        passed = (currents - memory * self._last_charges) / leading
        self._charges += passed
        self._last_charges = passed
        self._owed = self._owed + self._layout.shared.accumulate(balance.moved_C)
        self._previous, self._previous_dt = moved, dt_s
        total, conduction = self._named(balance.total_A), self._named(balance.conduction_A)
        displacement, faradaic = (self._by_metal(part) for part in currents[1:])
        voltages = self._named(self._u[self._system.terminals])
        poisson = self._system.poisson
        surface, electrons = poisson.surface(balance.rate), poisson.electrons(balance.rate, balance.electrodes)
        work = found.iterations, found.matrices
        return TransportState(total, displacement, faradaic, conduction, voltages, *work, surface, electrons)

    def _times(self) -> tuple[float, float]:
        """Shortest time across an edge, and longest through the whole mesh, by diffusion, in s."""
        x, halo = self.cell.mesh.geometry.x * 1e-9, self.halo
        high, low = (halo.maxima(side.max(axis=0, initial=-np.inf)) for side in (x, -x))
        extent = float((high + low).max())
        position = np.asarray(self.space.tabulate_dof_coordinates()) * 1e-9
        shortest, longest = math.inf, 0.0
        filled, warm = self._system.fractions(self._u), self._system.temperature
        for one in self._layout.populations:
            for part, law in one.parts:
                tail, head = one.tail[part], one.head[part]
                if not tail.size:
                    continue
                D = np.asarray(law(filled[one.phase][tail])[0] if callable(law) else law)
                D = D * warm.arrhenius(one.activation_eV, warm.between(tail, head))
                length = ((position[tail] - position[head]) ** 2).sum(axis=1)
                shortest = min(shortest, float((length / D).min()))
                longest = max(longest, extent**2 / float(D.min()))
        return (halo.minimum(shortest), halo.maximum(longest)) if self.names else (1.0, 1.0)

    def _conditions(
        self, voltages: Mapping[str, float], currents: Mapping[str, float], resistances: Mapping[str, float]
    ) -> Conditions:
        given = np.zeros(len(self.terminals), dtype=bool)
        value, ohms = np.zeros(len(self.terminals)), np.zeros(len(self.terminals))
        for name in (*voltages, *currents, *resistances):
            if name not in self.terminals:
                raise unknown_name("terminal", name, self.terminals)
        for k, name in enumerate(self.terminals):
            if (name in voltages) == (name in currents):
                raise FemError(f"terminal {name!r} needs either a voltage or a current")
            given[k] = name in currents
            value[k] = currents[name] if given[k] else voltages[name]
            if not math.isfinite(value[k]):
                raise FemError(f"terminal {name!r}: its voltage or current must be finite, got {value[k]!r}")
            ohms[k] = resistances.get(name, 0.0)
            if not (math.isfinite(ohms[k]) and ohms[k] >= 0.0):
                raise FemError(f"terminal {name!r}: resistances_ohm must be finite and not negative, got {ohms[k]!r}")
            if given[k] and name in resistances:
                raise FemError(f"terminal {name!r}: a resistor needs a voltage behind it, not a current")
        if np.all(given):
            raise FemError("at least one terminal needs a voltage")
        return Conditions(given, value, ohms)

    def _number(self, name: str) -> int:
        if name not in self.names:
            raise unknown_name("species", name, self.names)
        return self.names.index(name)

    def _named(self, values: Array) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.terminals, values, strict=False)}

    def _by_metal(self, values: Array) -> dict[str, float]:
        metals = (*self.terminals, *self.conductors)
        return {name: float(value) for name, value in zip(metals, values, strict=True)}
