"""The engine: a model on sites, advanced event by event with an exact clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import kernels, tree
from kmc.compile import compile_table
from kmc.errors import KmcError
from kmc.model import Model, hint
from kmc.occupation import Filler
from kmc.rates import Floats, State
from kmc.sites import SiteGraph
from kmc.xoshiro import new_state

#: What a checkpoint leaves out: it follows from the rest.
_DERIVED = ("neighbour_count", "neighbour_energy", "pair_rate", "single_rate", "tree")

#: Events between two looks at signals (Ctrl-C): about a second.
_CHUNK = 1_000_000

#: Fixed-point one of the watched sum.
_ONE = 2**40

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
        contacts: reservoir -> (sites (M,), distance to it (M,) nm): which sites exchange with it; one site may touch
            several reservoirs.
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
        events_seed, disorder_seed, filling_seed = _streams(seed)
        self.sites, self.model = sites, model
        self._names = [name for name, _, _ in model.directions()]
        self.table = compile_table(
            sites, model, site_energies=site_energies_eV or {}, barrier_shifts=barrier_shifts_eV or {},
            contacts=contacts or {}, seed=disorder_seed,
        )  # fmt: skip
        count, rows = len(sites), len(self._names)
        if callable(occupation):
            given = np.asarray(occupation(model, count, np.random.default_rng(filling_seed)))
        else:
            given = np.asarray(occupation)
        if given.shape != (count,) or given.dtype.kind not in "iub":
            raise KmcError(f"occupation must be ({count},) integers, not {given.shape} of {given.dtype}")
        if given.min() < 0 or given.max() >= len(model.species):
            raise KmcError(
                f"occupation holds {given.min()}..{given.max()}; species are numbered 0..{len(model.species) - 1}"
            )
        filled = given.astype(np.int8)
        self.state = State(
            occupation=filled,
            potential=np.zeros(count),
            temperature=np.full(count, 300.0),
            neighbour_count=np.zeros((count, len(model.species)), dtype=np.int16),
            neighbour_energy=np.zeros((count, len(model.species))),
            pair_rate=np.zeros((sites.n_edges, self.table.pair_match.shape[2])),
            single_rate=np.zeros((count, self.table.single_match.shape[1])),
            tree=tree.new_tree(count),
            reservoir_count=np.zeros(len(model.reservoirs), dtype=np.int64),
            reservoir_potential=np.zeros(len(model.reservoirs)),
            clock=np.zeros(2),
            events=np.zeros(1, dtype=np.int64),
            counts=np.zeros(rows, dtype=np.int64),
            flicker=np.zeros(rows, dtype=np.int64),
            last_event=np.zeros(count, dtype=np.int64),
            previous=filled.copy(),
            random=new_state(events_seed),
        )
        for name, number in (reservoir_counts or {}).items():
            row = self._reservoir(name)
            if not 0 <= number <= self.table.capacity[row]:
                raise KmcError(f"reservoir {name!r}: {number} particles; 0..{int(self.table.capacity[row])} fit")
            self.state.reservoir_count[row] = number
        self._scratch = kernels.new_scratch(count)
        self._weight: Floats = np.zeros(count)
        self._bound = np.inf
        self._watch = self._watched(filled.copy())
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
        given: list[tuple[Floats, Floats | float]] = []
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
            given.append((target, array))
        for name, value in (reservoir_V or {}).items():
            row = self._reservoir(name)
            if not np.isfinite(value):
                raise KmcError(f"reservoir_V of {name!r} is {value}; a finite potential is needed")
            given.append((self.state.reservoir_potential[row : row + 1], float(value)))
        for target, checked in given:
            target[:] = checked
        self.refresh()

    def refresh(self) -> None:
        """Recompute every rate from occupation, reservoirs and fields."""
        kernels.refresh_all(self.table, self.state)

    def set_occupation(self, site: int, species: str) -> None:
        """Put a species on a site from outside and renew the rates."""
        if not 0 <= site < len(self.sites):
            raise KmcError(f"site {site}: sites are numbered 0..{len(self.sites) - 1}")
        self.state.occupation[site] = self.model.index(species)
        self.state.last_event[site] = 0
        self._watch = self._watched(self._watch.reference)
        self.refresh()

    def watch(self, weight: ArrayLike, bound: float, since: ArrayLike | None = None) -> None:
        """Stop :meth:`run` when the configuration has moved too far from a reference.

        Args:
            weight: (N,) what a change at a site counts (for fields: how much it could move the potential, V).
            bound: run stops when the root of the sum of weight^2 over changed sites exceeds this.
            since: (N,) the occupation to compare with (that of the last field solution); what it is now by default.

        Raises:
            KmcError: for a wrong shape, or a weight or bound that is negative or not a number.
        """
        shape = self.state.occupation.shape
        array = np.array(weight, dtype=float)
        if array.shape != shape or not np.all(np.isfinite(array) & (array >= 0.0)):
            raise KmcError(f"watch: weight has shape {array.shape}; {shape} finite numbers >= 0 are needed")
        if not bound >= 0.0:
            raise KmcError(f"watch: bound is {bound}; a number >= 0 is needed")
        reference = np.array(self.state.occupation if since is None else since, dtype=np.int8)
        if reference.shape != shape:
            raise KmcError(f"watch: since has shape {reference.shape}; {shape} is needed")
        self._weight, self._bound = array, float(bound)
        self._watch = self._watched(reference)

    @property
    def drift(self) -> float:
        """The watched quantity now: the root of the sum of weight^2 over sites that changed (see :meth:`watch`)."""
        changed = self.state.occupation != self._watch.reference
        return float(np.sqrt(np.sum(self._weight[changed] ** 2)))

    def _watched(self, reference: NDArray[np.int8]) -> kernels.Watch:
        """The watch in fixed point: (weight/bound)^2 in units of 2^-40, rounded up; sums of it are exact."""
        if self._bound > 0.0:
            share = np.minimum(self._weight / self._bound, 2.0) ** 2
        else:
            share = np.where(self._weight > 0.0, 2.0, 0.0)
        weight = np.ceil(share * _ONE).astype(np.int64)
        moved = np.array([weight[self.state.occupation != reference].sum()])
        return kernels.Watch(reference, weight, moved, _ONE)

    # -- time -------------------------------------------------------------------------------------------------

    def run(self, *, until_s: float, max_events: int | None = None) -> str:
        """Advance the clock.

        Args:
            until_s: stop at this time (a waiting time that would pass it is dropped: rates may change there).
            max_events: stop after so many events at the latest.

        Returns:
            Why it stopped: "time", "events", "frozen" (no event is possible; the clock goes to ``until_s``, unless that
            is infinite) or "watch" (see :meth:`watch`).

        Raises:
            KmcError: when ``until_s`` lies before the clock, or ``max_events`` is negative.
        """
        if not until_s >= self.time_s:
            raise KmcError(f"until_s is {until_s}, before the clock at {self.time_s}")
        left = np.iinfo(np.int64).max if max_events is None else int(max_events)
        if left < 0:
            raise KmcError(f"max_events is {max_events}; a number >= 0 is needed")
        reason = kernels.EVENTS
        while left > 0 and reason == kernels.EVENTS:
            chunk = min(left, _CHUNK)
            reason = kernels.run(self.table, self.state, self._watch, self._scratch, float(until_s), chunk)
            left -= chunk
        if reason in (kernels.TIME, kernels.FROZEN) and np.isfinite(until_s):
            self.state.clock[:] = until_s, 0.0
        return _REASONS[reason]

    # -- single rates, for analysis and tests -----------------------------------------------------------------

    def rates(self, name: str) -> list[tuple[int, int, float, float]]:
        """All events of one direction that are possible now: (site, partner or -1, rate 1/s, energy change eV)."""
        if name not in self._names:
            raise KmcError(f"no process is called {name!r}; known are {hint(name, self._names)}")
        row, sites = self._names.index(name), self.sites
        single = self.table.before[row, 1] < 0
        origin = np.arange(len(sites)) if single else sites.origin
        partners, rates, changes = np.full(len(origin), -1), np.zeros(len(origin)), np.zeros(len(origin))
        kernels.list_events(self.table, self.state, row, partners, rates, changes)
        found = rates > 0.0
        columns = (origin[found], partners[found], rates[found], changes[found])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    # -- checkpoint -------------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """A copy of all arrays that a later :meth:`restore` needs to go on with the same trajectory."""
        saved = {name: value.copy() for name, value in self.state._asdict().items() if name not in _DERIVED}
        saved.update(reference=self._watch.reference.copy(), weight=self._weight.copy(), bound=np.array([self._bound]))
        return saved

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a :meth:`checkpoint` of an engine with the same sites, model and seed.

        Raises:
            KmcError: when an array is missing or has another shape; nothing is changed then.
        """
        targets = {name: value for name, value in self.state._asdict().items() if name not in _DERIVED}
        bound = np.zeros(1)
        targets.update(reference=np.zeros_like(self.state.occupation), weight=np.zeros(len(self.sites)), bound=bound)
        for name, value in targets.items():
            if name not in saved or np.shape(saved[name]) != value.shape:
                raise KmcError(f"checkpoint: {name!r} is missing or has another shape than {value.shape}")
        for name, value in targets.items():
            value[...] = saved[name]
        self._weight, self._bound = targets["weight"], float(bound[0])
        self._watch = self._watched(targets["reference"])
        self.refresh()

    def _reservoir(self, name: str) -> int:
        names = [r.name for r in self.model.reservoirs]
        if name not in names:
            raise KmcError(f"no reservoir is called {name!r}; known are {hint(name, names)}")
        return names.index(name)


def _streams(seed: int | np.random.SeedSequence) -> list[np.random.SeedSequence]:
    """Three streams of a seed; a sequence is left as it is, so that used twice it gives the same streams twice."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    key = (*sequence.spawn_key, 0x6B6D63)  # apart from children that the caller spawns
    return np.random.SeedSequence(sequence.entropy, spawn_key=key, pool_size=sequence.pool_size).spawn(3)
