"""The engine: a model on sites, advanced event by event with an exact clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import checkpoint, drawing, keeping, kernels, lists, nulls, start, tree, watching
from kmc.compile import compile_table, fixed_rates, memo_size, sites_alike, varies, with_exact
from kmc.errors import KmcError
from kmc.model import Model
from kmc.occupation import Filler
from kmc.process import hint
from kmc.sites import SiteGraph
from kmc.tracers import Tracers

if TYPE_CHECKING:
    from kmc.superbasin import Superbasin

Selector = Literal["auto", "tree", "composition"]

#: Events between two looks at signals (Ctrl-C): about a second.
_CHUNK = 1_000_000

#: Up to so many sites, and with all rates kept, the default is a tree: up to a quarter quicker than lists there, a
#: quarter slower on 3,600 sites (Ising model).
_SMALL = 512

#: Rates that are kept agree with recomputed ones to this.
_ROUNDING = 1e-12

_REASONS = {kernels.TIME: "time", kernels.EVENTS: "events", kernels.FROZEN: "frozen", kernels.WATCH: "watch"}


class Engine:
    """Rejection-free kinetic Monte Carlo (Bortz, Kalos, Lebowitz, 10.1016/0021-9991(75)90060-1), or with null events.

    Args:
        sites: the site graph.
        model: species and processes.
        occupation: (N,) species indices, or a filler such as ``kmc.random(ion=0.05)``.
        seed: an integer or a SeedSequence; the same seed gives the same trajectory.
        site_energies_eV: species -> (N,) energies added to those of the model.
        barrier_shifts_eV: process -> (N,) shift of its barrier at a site (an edge takes the mean of its two ends), or
            (E,) at an edge, the same for both directions.
        rate_factors: process on one site -> (N,) factor of its rate and its reverse's, 0 to 1 (how well electrons reach
            a site); see :func:`kmc.change_factors`.
        contacts: reservoir -> (sites (M,), distance to it (M,) nm): which sites exchange with it; one site may touch
            several reservoirs.
        reservoir_counts: reservoir -> particles in it at the start.
        selector: how a site is drawn: "tree" (a sum tree), "composition" (lists by powers of two, O(1)), or "auto":
            lists, unless all rates are kept (``null_events=False``) on at most 512 sites.
        null_events: with lists, species whose rates are not kept: a draw chooses one of their possible moves and
            accepts it with its rate over a bound. False: none; True: all that can be bounded; names: these; "auto":
            all at first, and no longer those of which most draws come to nothing. The clock is exact in any case.
        track: species whose particles are followed as :attr:`tracers`.
        flicker: count events that undo the one before; see :attr:`flicker`.
        check_every: for debugging, :meth:`check` after so many events.

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
        rate_factors: Mapping[str, ArrayLike] | None = None,
        contacts: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        reservoir_counts: Mapping[str, int] | None = None,
        selector: Selector = "auto",
        null_events: bool | Literal["auto"] | Sequence[str] = "auto",
        track: str | Sequence[str] = (),
        flicker: bool = False,
        check_every: int | None = None,
    ) -> None:
        events_seed, disorder_seed, filling_seed = start.streams(seed)
        self.sites, self.model = sites, model
        self._names = [name for name, _, _ in model.directions()]
        followed = (track,) if isinstance(track, str) else tuple(track)
        for name in followed:
            model.index(name, "track")
        self.table = compile_table(
            sites, model, site_energies=site_energies_eV or {}, barrier_shifts=barrier_shifts_eV or {},
            rate_factors=rate_factors or {}, contacts=contacts or {}, tracked=followed, seed=disorder_seed,
        )  # fmt: skip
        count = len(sites)
        filled = start.occupation(model, count, occupation, filling_seed)
        if selector not in ("auto", "tree", "composition"):
            raise KmcError(f"selector is {selector!r}; known are auto, composition, tree")
        if selector == "auto":
            selector = "tree" if count <= _SMALL and null_events is False else "composition"
        self.selector: str = selector
        self._retunes = null_events == "auto"
        if check_every is not None and check_every < 1:
            raise KmcError(f"check_every is {check_every}; a number of events >= 1 is needed")
        self._check_every = check_every
        self.table = with_exact(self.table, nulls.kept_at_first(model, null_events, selector == "tree"))
        self.state = start.state(self.table, model, filled, events_seed, followed=bool(followed), flicker=flicker)
        if self.selector != "tree":
            drawing.fill_ahead(self.state)
        self._tracer_species = filled[self.state.tracer_site].copy()
        for name, number in (reservoir_counts or {}).items():
            row = self._reservoir(name)
            if not 0 <= number <= self.table.capacity[row]:
                raise KmcError(f"reservoir {name!r}: {number} particles; 0..{int(self.table.capacity[row])} fit")
            self.state.reservoir_count[row] = number
        self._asked = watching.NOTHING
        self._group = start.groups(model, ())
        self._watch = self._watched(np.zeros(0, dtype=np.int8))
        self.superbasin: Superbasin | None = None  # a Superbasin puts itself here
        self._rebuild()

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
    def n_null(self) -> int:
        """Draws so far that came to nothing (they took time, as they should)."""
        return int(self.state.nulls.sum() + self.select.lists.missed[0])

    @property
    def kept(self) -> tuple[str, ...]:
        """Species whose rates are kept up to date; draws of the others may come to nothing."""
        return tuple(name for name, exact in zip(self.model.species, self.table.exact, strict=True) if exact)

    @property
    def counts(self) -> dict[str, int]:
        """Events by process; the reverse of a process is counted under its own name."""
        return dict(zip(self._names, self.state.counts.tolist(), strict=True))

    @property
    def flicker(self) -> dict[str, int]:
        """Of :attr:`counts`, the events that undid the last one at the same place.

        Raises:
            KmcError: when the engine was not built with ``flicker=True``.
        """
        if not len(self.state.last_event):
            raise KmcError("flicker is counted by an engine that is built with flicker=True")
        return dict(zip(self._names, self.state.flicker.tolist(), strict=True))

    @property
    def tracers(self) -> Tracers:
        """The particles that ``track`` asked for.

        Raises:
            KmcError: when it asked for none.
        """
        if not len(self.state.particle):
            raise KmcError("no particles are followed; build the engine with track=<species>")
        state = self.state
        return Tracers(self._tracer_species, state.displacement_nm, state.hops, state.tracer_site)

    @property
    def total_rate_Hz(self) -> float:
        """The sum of all rates that are possible now."""
        return float(keeping.total_rate(self.table, self.state))

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
        electron_V: ArrayLike | None = None,
        own_V: ArrayLike | None = None,
    ) -> None:
        """Give new fields at the sites and renew every rate.

        Args:
            potential_V: (N,) or a number, V.
            temperature_K: (N,) or a number, K.
            reservoir_V: potential of each reservoir, V.
            electron_V: (N,) potential of the electrons of metal on (or beside) a site, for processes with
                ``electrons="partner"``, V; ``potential_V`` unless it has been given.
            own_V: (E,) where potential_V holds what particles make: what the one on an edge's first site makes at the
                second, 0 without one. At a site, potential_V leaves out its own particle. Not part of a checkpoint.

        Raises:
            KmcError: for a wrong shape, a value that is not finite, or a temperature at or below 0 K.
        """
        fields = start.fields(self.state.fields, len(self.sites), potential_V, temperature_K, electron_V)
        potentials = {}
        for name, value in (reservoir_V or {}).items():
            potentials[self._reservoir(name)] = float(value)
            if not np.isfinite(value):
                raise KmcError(f"reservoir_V of {name!r} is {value}; a finite potential is needed")
        if own_V is not None:
            self.state = self.state._replace(own=start.own_potential(self.table, own_V))
        for row, value in potentials.items():
            self.state.reservoir_potential[row] = value
        self.state = self.state._replace(fields=fields)
        if self._quickly_had() == self._stored:  # whether rates are stored changes with the fields
            self._rebuild(self.select.lists)
            return
        self._prepare()
        self._select()

    def refresh(self) -> None:
        """Recompute everything that follows from occupation, reservoirs and fields."""
        self._rebuild(self.select.lists)

    def check(self) -> None:
        """Compare all that is kept up to date from event to event with what follows from the occupation alone.

        Raises:
            KmcError: when a neighbour count, a list or a rate differs (rates by more than 1e-12 of the larger value).
        """
        before = self._followed()
        self.refresh()
        for name, now in self._followed().items():
            differs = np.abs(before[name] - now) > _ROUNDING * np.maximum(np.abs(before[name]), np.abs(now))
            if np.any(differs):
                place = tuple(int(index[0]) for index in np.nonzero(differs))
                raise KmcError(
                    f"{name}{place} was {before[name][place]} after {self.n_events} events; {now[place]} is right"
                )

    def _followed(self) -> dict[str, NDArray[Any]]:
        """Copies of what follows from the occupation and is kept up to date."""
        state, select = self.state, self.select
        return {
            "neighbour_count": state.neighbour_count.astype(float), "pair_rate": state.pair_rate.copy(),
            "single_rate": state.single_rate.copy(), "tree": select.tree.copy(),
            "list": select.lists.where[:, 0].astype(float),
        }  # fmt: skip

    def set_occupation(self, site: int, species: str) -> None:
        """Put a species on a site from outside and renew the rates; a tracer there is gone."""
        if not 0 <= site < len(self.sites):
            raise KmcError(f"site {site}: sites are numbered 0..{len(self.sites) - 1}")
        self.state.occupation[site] = self.model.index(species)
        if len(self.state.last_event):
            self.state.last_event[site] = 0
        if len(self.state.particle) and self.state.particle[site] >= 0:
            self.state.tracer_site[self.state.particle[site]] = -1
            self.state.particle[site] = -1
        self._watch = self._watched(self._watch.reference)
        self.refresh()

    def assign(self, sites: ArrayLike, species: ArrayLike) -> None:
        """Put species (M,) (their numbers) on sites (M,) from outside; only rates around them are renewed.

        Tracers stay where they are, and flicker is not told: for those who keep several engines consistent.
        """
        where, what = np.asarray(sites, dtype=np.int32), np.asarray(species, dtype=np.int8)
        if where.shape != what.shape or where.ndim != 1:
            raise KmcError(f"assign: sites have shape {where.shape}, species {what.shape}; two equal lists are needed")
        if len(where) and (where.min() < 0 or where.max() >= len(self.sites)):
            raise KmcError(f"assign: sites are numbered 0..{len(self.sites) - 1}")
        if len(what) and (what.min() < 0 or what.max() >= len(self.model.species)):
            raise KmcError(f"assign: species are numbered 0..{len(self.model.species) - 1}")
        if not keeping.assign(self.table, self.state, self.select, self._scratch, where, what):
            self._rescale()
        self._watch = self._watched(self._watch.reference)

    def open(self, sites: ArrayLike) -> None:
        """Let events start on these sites (M,) only, until the next call; partners may be any sites.

        The first call closes all others; later calls cost no more than the sites that open or close.
        """
        if not len(self.state.closed):
            self.state = self.state._replace(closed=np.full(len(self.sites), keeping.SHUT, dtype=np.int8))
            self._opened = np.arange(len(self.sites), dtype=np.int32)
        wanted = np.asarray(sites, dtype=np.int32)
        self.state.closed[self._opened] = keeping.SHUT
        self.state.closed[wanted] = keeping.OPEN
        fits = keeping.reweigh(self.table, self.state, self.select, self._opened)
        fits &= keeping.reweigh(self.table, self.state, self.select, wanted)
        self._opened = wanted
        if not fits:
            self._rescale()

    # -- rates and their selection ----------------------------------------------------------------------------

    def _quickly_had(self) -> bool:
        """Whether every rate is a constant or one of a few remembered ones: then none is stored by edge or site."""
        uniform = len(self.state.fields) == 1
        quick = memo_size(self.table) > 0 if self.table.has_pair_energy else sites_alike(self.table)
        return uniform and quick and not self.model.reservoirs

    def _prepare(self) -> None:
        """What the kernels need to know of the fields before they look at sites."""
        table, state = self.table, self.state
        uniform_V, uniform_K = (bool(np.ptp(state.fields[:, column]) == 0.0) for column in range(2))
        uniform_V = uniform_V and not np.any(state.own)
        state.fixed_rate[:] = fixed_rates(table, uniform_V, float(state.fields[0, 1]) if uniform_K else None)
        rows = len(self.sites) if not table.exact.all() and varies(table, uniform_V, uniform_K) else 1
        memo = memo_size(table) if uniform_V and uniform_K else 0
        self.state = state._replace(memo=np.full(memo, -1.0))
        if len(state.bound) != rows:
            self.state = self.state._replace(bound=np.full((rows, len(self.model.species), 2), -1.0))

    def _rebuild(self, old: lists.Lists | None = None) -> None:
        """Neighbour counts and kept rates from nothing, then the selection; members of ``old`` lists stay in order."""
        table, count = self.table, len(self.sites)
        self._stored = not self._quickly_had()
        edges = self.sites.n_edges if self._stored and table.exact_from.any() else 0
        singles = count if self._stored and table.exact_single.any() else 0
        self.state = self.state._replace(
            pair_rate=np.zeros((edges, table.pair_match.shape[3])),
            single_rate=np.zeros((singles, table.single_match.shape[1])),
        )
        self._scratch = keeping.new_scratch(count if table.any_exact else 0)
        if table.has_pair_energy:
            keeping.count_neighbours(table, self.state)
        self._prepare()
        if old is None:
            planted = self.selector == "tree"
            self.select = keeping.Selection(
                tree.new_tree(count) if planted else np.zeros(0), lists.new_lists(0 if planted else count, 1.0)
            )
            if not planted:
                keeping.refresh_all(table, self.state, self.select)
                self._rescale()
                return
        self._select()

    def _select(self) -> None:
        """Renew rates and selection after a change of fields."""
        if not keeping.refresh_all(self.table, self.state, self.select):
            self._rescale()

    def _rescale(self) -> None:
        """New lists whose scale is the largest weight that there is."""
        scale = keeping.largest_weight(self.table, self.state)
        fresh = lists.new_lists(len(self.sites), scale if 0.0 < scale < np.inf else 1.0)
        fresh.missed[:] = self.select.lists.missed
        self.select = keeping.Selection(self.select.tree, fresh)
        keeping.refresh_all(self.table, self.state, self.select)

    def _look_at_nulls(self) -> None:
        """After a window of draws: keep the rates of species whose draws come to nothing too often."""
        often = nulls.close_window(self.table, self.state)
        if self._retunes and np.any(often):
            self.table = with_exact(self.table, self.table.exact | often)
            self._rebuild()

    # -- the watch --------------------------------------------------------------------------------------------

    def watch(
        self, weight: ArrayLike, bound: float, since: ArrayLike | None = None, alike: Sequence[Sequence[str]] = (),
        stop: Sequence[str] = (), change: ArrayLike | None = None, within: Sequence[float] = (-np.inf, np.inf),
    ) -> None:  # fmt: skip
        """Stop :meth:`run` when the configuration has moved too far from a reference.

        Args:
            weight: (N,) what a change at a site counts (for fields: how much it could move the potential, V).
            bound: run stops when the root of the sum of weight^2 over changed sites exceeds this.
            since: (N,) the occupation to compare with (that of the last field solution); what it is now by default.
            alike: groups of species that count as one: a change from one to another of a group is none.
            stop: species of which any particle that comes, goes or moves stops a run (in a superbasin it does not).
            change: (N,) what a change at a site adds to a sum with signs (for fields: to the conductance, S).
            within: run stops when that sum leaves this range, which holds 0.

        Raises:
            KmcError: for a wrong shape, a weight or bound that is negative or not a number, or a range without 0.
        """
        shape = self.state.occupation.shape
        asked = watching.watched(shape, weight, bound, change, within)
        reference = np.array(self.state.occupation if since is None else since, dtype=np.int8)
        if reference.shape != shape:
            raise KmcError(f"watch: since has shape {reference.shape}; {shape} is needed")
        self._asked, self._group = asked, start.groups(self.model, alike)
        self.state.halts[:] = [name in stop for name in self.model.species]
        self._watch = self._watched(self._group[reference])

    @property
    def drift(self) -> float:
        """The watched quantity now: the root of the sum of weight^2 over sites that changed (see :meth:`watch`)."""
        return float(np.sqrt(np.sum(self._asked.weight[self._differs()] ** 2)))

    @property
    def shift(self) -> float:
        """The sum with signs now: of ``change`` over sites that changed (see :meth:`watch`)."""
        return watching.shifted(self._asked, self._differs())

    def _differs(self) -> NDArray[np.bool_]:
        reference = self._watch.reference
        return self._group[self.state.occupation[: len(reference)]] != reference

    def _watched(self, reference: NDArray[np.int8]) -> watching.Watch:
        return watching.new_watch(self.state.occupation, reference, self._group, self._asked)

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
        advance = kernels.run_tree if self.selector == "tree" else kernels.run_lists
        if self.superbasin is not None:
            advance = self.superbasin.advance
        reason = kernels.EVENTS
        while left > 0 and reason in (kernels.EVENTS, kernels.WINDOW, kernels.SCALE):
            before = self.n_events
            chunk = min(left, self._check_every or _CHUNK)
            reason = advance(
                self.table, self.state, self.select, self._watch, self._scratch, float(until_s), chunk
            )  # fmt: skip
            left -= self.n_events - before
            if self._check_every:
                self.check()
            if reason == kernels.WINDOW:
                if self.n_events == before and self.total_rate_Hz == 0.0:
                    reason = kernels.FROZEN
                self._look_at_nulls()
            elif reason == kernels.SCALE:
                self._rescale()
                if watching.passed(self._watch, *self._watch.moved):
                    reason = kernels.WATCH
        if reason in (kernels.WINDOW, kernels.SCALE):
            reason = kernels.EVENTS
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
        return checkpoint.save(self)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a :meth:`checkpoint` of an engine with the same sites, model and seed.

        Raises:
            KmcError: when an array is missing or has another shape; nothing is changed then.
        """
        checkpoint.load(self, saved)

    def _reservoir(self, name: str) -> int:
        names = [r.name for r in self.model.reservoirs]
        if name not in names:
            raise KmcError(f"no reservoir is called {name!r}; known are {hint(name, names)}")
        return names.index(name)
