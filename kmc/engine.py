"""The engine: a model on sites, advanced event by event with an exact clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import kernels, tree
from kmc.compile import compile_table, directions
from kmc.errors import KmcError
from kmc.model import Model
from kmc.occupation import Filler
from kmc.random import new_state
from kmc.rates import Floats, Ints, State, pair_change, pair_rate, single_change, single_rate
from kmc.sites import SiteGraph

_REASONS = {kernels.TIME: "time", kernels.EVENTS: "events", kernels.FROZEN: "frozen", kernels.WATCH: "watch"}


class Engine:
    """Rejection-free kinetic Monte Carlo (Bortz, Kalos, Lebowitz, 10.1016/0021-9991(75)90060-1) with a sum tree.

    Args:
        sites: the site graph.
        model: species and processes.
        occupation: (N,) species indices, or a filler such as ``kmc.random(ion=0.05)``.
        seed: an integer or a SeedSequence; the same seed gives the same trajectory.
        site_energies_eV: species -> (N,) energies added to those of the model.
        barrier_shifts_eV: process -> (N,) shift of its barrier at a site; an edge takes the mean of its two ends.
        contacts: reservoir -> (sites (M,), distance to it (M,) nm): which sites exchange with it.
        reservoir_counts: reservoir -> particles in it at the start.

    Potential (V) and temperature (K) are 0 and 300 until :meth:`set_fields`.
    """

    def __init__(
        self,
        sites: SiteGraph,
        model: Model,
        occupation: ArrayLike | Filler,
        *,
        seed: int | np.random.SeedSequence = 0,
        site_energies_eV: Mapping[str, ArrayLike] | None = None,
        barrier_shifts_eV: Mapping[str, ArrayLike] | None = None,
        contacts: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        reservoir_counts: Mapping[str, int] | None = None,
    ) -> None:
        sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        events_seed, disorder_seed, filling_seed = sequence.spawn(3)
        self.sites, self.model = sites, model
        self._names = [name for name, _, _ in directions(model)]
        self.table = compile_table(
            sites, model, site_energies=site_energies_eV or {}, barrier_shifts=barrier_shifts_eV or {},
            contacts=contacts or {}, seed=disorder_seed,
        )  # fmt: skip
        count, rows = len(sites), len(self._names)
        if callable(occupation):
            filled = occupation(model, count, np.random.default_rng(filling_seed))
        else:
            filled = np.array(occupation, dtype=np.int8)
        if filled.shape != (count,) or filled.min() < 0 or filled.max() >= len(model.species):
            raise KmcError(f"occupation must be ({count},) integers in 0..{len(model.species) - 1}, not {filled.shape}")
        self.state = State(
            occupation=filled,
            potential=np.zeros(count),
            temperature=np.full(count, 300.0),
            neighbour_energy=np.zeros((count, len(model.species))),
            pair_rate=np.zeros((sites.n_edges, self.table.pair_match.shape[2])),
            single_rate=np.zeros((count, self.table.single_match.shape[1])),
            tree=tree.new_tree(count),
            reservoir_count=np.zeros(len(model.reservoirs), dtype=np.int64),
            reservoir_potential=np.zeros(len(model.reservoirs)),
            clock=np.zeros(1),
            events=np.zeros(1, dtype=np.int64),
            counts=np.zeros(rows, dtype=np.int64),
            flicker=np.zeros(rows, dtype=np.int64),
            last_event=np.zeros(count, dtype=np.int64),
            previous=filled.copy(),
            random=new_state(events_seed),
        )
        self._contacts: Ints = np.flatnonzero(self.table.contact >= 0)
        for name, number in (reservoir_counts or {}).items():
            row = self._reservoir(name)
            if not 0 <= number <= self.table.capacity[row]:
                raise KmcError(f"reservoir {name!r}: {number} particles; 0..{int(self.table.capacity[row])} fit")
            self.state.reservoir_count[row] = number
        self._reference = filled.copy()
        self._weight: Floats = np.zeros(count)
        self._bound = np.inf
        self._indicator = np.zeros(1)
        kernels.fill_neighbour_energy(self.table, self.state)
        self.refresh()

    # -- what a user reads ------------------------------------------------------------------------------------

    @property
    def time_s(self) -> float:
        """The exact clock: the sum of all waiting times."""
        return float(self.state.clock[0])

    @property
    def occupation(self) -> NDArray[np.int8]:
        """(N,) species index on each site (a read-only view)."""
        view = self.state.occupation.view()
        view.flags.writeable = False
        return view

    @property
    def n_events(self) -> int:
        """Events executed so far."""
        return int(self.state.events[0])

    @property
    def counts(self) -> dict[str, int]:
        """Events by process; the reverse of a process is counted under its own name."""
        return dict(zip(self._names, self.state.counts.tolist(), strict=True))

    @property
    def flicker(self) -> dict[str, int]:
        """Of :attr:`counts`, the events that undid the last one at the same place."""
        return dict(zip(self._names, self.state.flicker.tolist(), strict=True))

    @property
    def total_rate_Hz(self) -> float:
        """The sum of all rates."""
        return float(self.state.tree[1])

    def number(self, species: str) -> int:
        """How many sites hold a species."""
        return int(np.count_nonzero(self.state.occupation == self.model.index(species)))

    def reservoir(self, name: str) -> int:
        """How many particles a reservoir holds."""
        return int(self.state.reservoir_count[self._reservoir(name)])

    # -- fields -----------------------------------------------------------------------------------------------

    def set_fields(
        self,
        potential_V: ArrayLike | None = None,
        temperature_K: ArrayLike | None = None,
        reservoir_V: Mapping[str, float] | None = None,
    ) -> None:
        """Give new fields at the sites and renew every rate.

        Args:
            potential_V: (N,) or a number, V.
            temperature_K: (N,) or a number, K.
            reservoir_V: potential of each reservoir, V.

        Raises:
            KmcError: for a wrong shape, a value that is not finite, or a temperature at or below 0 K.
        """
        for name, values, target in (
            ("potential_V", potential_V, self.state.potential),
            ("temperature_K", temperature_K, self.state.temperature),
        ):
            if values is None:
                continue
            array = np.asarray(values, dtype=float)
            if array.shape not in ((), target.shape):
                raise KmcError(f"{name} has shape {array.shape}; a number or {target.shape} is needed")
            if not np.all(np.isfinite(array)) or (name == "temperature_K" and np.any(array <= 0.0)):
                raise KmcError(f"{name} holds a value that is not {'above 0 K' if name[0] == 't' else 'finite'}")
            target[:] = array
        for name, value in (reservoir_V or {}).items():
            self.state.reservoir_potential[self._reservoir(name)] = value
        self.refresh()

    def refresh(self) -> None:
        """Recompute every rate from the state (pair energies are kept)."""
        kernels.refresh_all(self.table, self.state)

    def set_occupation(self, site: int, species: str) -> None:
        """Put a species on a site from outside and renew the rates."""
        kernels.place(self.table, self.state, site, self.model.index(species))
        self.refresh()

    def watch(self, weight: ArrayLike, bound: float, since: ArrayLike | None = None) -> None:
        """Stop :meth:`run` when the configuration has moved too far from a reference.

        Args:
            weight: (N,) what a change at a site counts (for fields: how much it could move the potential, V).
            bound: run stops when the root of the sum of weight^2 over changed sites exceeds this.
            since: (N,) the occupation to compare with (that of the last field solution); what it is now by default.
        """
        self._weight = np.array(weight, dtype=float)
        self._bound = float(bound)
        self._reference = np.array(self.state.occupation if since is None else since, dtype=np.int8)
        self._indicator[0] = float(np.sum(self._weight[self.state.occupation != self._reference] ** 2))

    @property
    def drift(self) -> float:
        """The watched quantity now: the root of the sum of weight^2 over sites that changed (see :meth:`watch`)."""
        return float(np.sqrt(max(self._indicator[0], 0.0)))

    # -- time -------------------------------------------------------------------------------------------------

    def run(self, *, until_s: float, max_events: int | None = None) -> str:
        """Advance the clock.

        Args:
            until_s: stop at this time (a waiting time that would pass it is dropped: rates may change there).
            max_events: stop after so many events at the latest.

        Returns:
            Why it stopped: "time", "events", "frozen" (no event is possible) or "watch" (see :meth:`watch`).
        """
        if until_s < self.time_s:
            raise KmcError(f"until_s is {until_s}, before the clock at {self.time_s}")
        limit = np.iinfo(np.int64).max if max_events is None else int(max_events)
        reason = kernels.run(
            self.table, self.state, float(until_s), limit, self._contacts, self._reference, self._weight,
            self._indicator, self._bound * self._bound, np.zeros(len(self.sites), dtype=np.int64),
            np.empty(len(self.sites), dtype=np.int64),
        )  # fmt: skip
        return _REASONS[reason]

    # -- single rates, for analysis and tests -----------------------------------------------------------------

    def rates(self, name: str) -> list[tuple[int, int, float, float]]:
        """All events of one direction that are possible now: (site, partner or -1, rate 1/s, energy change eV)."""
        row, found = self._names.index(name), []
        table, state = self.table, self.state
        for site in range(len(self.sites)):
            if state.occupation[site] != table.before[row, 0]:
                continue
            if table.before[row, 1] < 0:
                rate = single_rate(table, state, row, site)
                if rate > 0.0:
                    found.append((site, -1, rate, single_change(table, state, row, site)))
                continue
            for edge in range(table.start[site], table.start[site + 1]):
                partner = int(table.target[edge])
                if state.occupation[partner] == table.before[row, 1]:
                    rate = pair_rate(table, state, row, site, partner, edge)
                    found.append((site, partner, rate, pair_change(table, state, row, site, partner, edge)))
        return found

    # -- checkpoint -------------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """A copy of all arrays that a later :meth:`restore` needs to go on with the same trajectory."""
        saved: dict[str, Any] = {name: value.copy() for name, value in self.state._asdict().items()}
        saved.update(reference=self._reference.copy(), weight=self._weight.copy(), indicator=self._indicator.copy())
        saved["bound"] = np.array([self._bound])
        return saved

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a :meth:`checkpoint` of an engine with the same sites and model."""
        for name, value in self.state._asdict().items():
            if name not in saved or saved[name].shape != value.shape:
                raise KmcError(f"checkpoint: {name!r} is missing or has another shape than {value.shape}")
            value[...] = saved[name]
        self._reference = np.array(saved["reference"])
        self._weight, self._indicator[0] = np.array(saved["weight"]), saved["indicator"][0]
        self._bound = float(saved["bound"][0])

    def _reservoir(self, name: str) -> int:
        names = [r.name for r in self.model.reservoirs]
        if name not in names:
            raise KmcError(f"no reservoir is called {name!r}; known are {', '.join(names) or 'none'}")
        return names.index(name)
