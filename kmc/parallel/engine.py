"""Kinetic Monte Carlo on many MPI ranks: the synchronous sublattice method.

Y. Shim and J. G. Amar (10.1103/PhysRevB.71.125432): each rank's domain is divided into sectors; in turn, in an order
that is random and the same on all ranks, all ranks let events happen in one sector for a time step, with the rest
frozen, and then tell their neighbours what changed. Sectors that are active at the same time are too far apart to feel
each other, so nothing is ever undone. What is added here: every pair of sites belongs to one sector, see
:mod:`kmc.parallel.sectors`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import lists, tree, watching
from kmc.compile import change_factors
from kmc.engine import Engine, Selector
from kmc.errors import KmcError
from kmc.keeping import BARRED, OPEN, Selection
from kmc.model import Model
from kmc.occupation import Filler
from kmc.parallel import checkpoint, kernels
from kmc.parallel.disorder import spread_barriers
from kmc.parallel.halo import Halo, Post, together, wait
from kmc.parallel.inputs import checked, child, localised, places, shifts_at, species_at, touching
from kmc.parallel.part import Part, part_of_graph
from kmc.parallel.reservoirs import Reservoirs
from kmc.parallel.sectors import CLOSED, Reach, localise, sectors
from kmc.sites import SiteGraph
from kmc.start import groups

if TYPE_CHECKING:
    from mpi4py import MPI

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Keys of the streams: of a rank, of what all ranks draw alike, of barriers.
_RANK, _COMMON, _BARRIERS = 1, 2, 3


class ParallelEngine:
    """A model on sites that are distributed over MPI ranks; every rank makes the same calls.

    Args:
        sites: the graph of all sites, the same on all ranks, or this rank's :class:`kmc.parallel.Part` of it.
        model: species and processes.
        occupation: (N,) species of all sites, (owned,) of this rank's, or a filler, which fills each rank's sites.
        comm: an mpi4py communicator.
        seed: an integer or a SeedSequence; the same seed on the same number of ranks gives the same trajectory.
        site_energies_eV, barrier_shifts_eV, rate_factors: as :class:`kmc.Engine` takes them; numbers, arrays of all
            sites or of this rank's. Shifts may be given by edge of the graph.
        contacts: reservoir -> (numbers of sites in the whole graph (M,), distances (M,) nm); those of other ranks may
            be left out.
        reservoir_counts: reservoir -> particles in it at the start.
        share: length of a sector step, in events: see ``step``.
        step: "fastest": ``share`` over the largest rate of a site (with bounds for rates where these are used), so no
            site expects more events than that in a step; "mean": ``share`` over the mean rate of the sites where
            anything can happen. Rates are those of the cycle before. A number is a length in s.
        order: "random": every cycle takes the sectors in another order; "cyclic": always in the same.
        split: which directions divide a rank's domain into sectors; those that the grid cuts by default.
        selector, null_events: as :class:`kmc.Engine` takes them.

    Whatever the step, each sector step leaves a model with detailed balance in equilibrium. What takes its course, such
    as a profile that decays, has an error of second order in the step with a random order, and only at borders of
    sectors; docs/kmc-parallel.md has measurements.
    """

    def __init__(
        self,
        sites: SiteGraph | Part,
        model: Model,
        occupation: ArrayLike | Filler,
        *,
        comm: MPI.Comm,
        seed: int | np.random.SeedSequence = 0,
        site_energies_eV: Mapping[str, ArrayLike] | None = None,
        barrier_shifts_eV: Mapping[str, ArrayLike] | None = None,
        rate_factors: Mapping[str, ArrayLike] | None = None,
        contacts: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        reservoir_counts: Mapping[str, int] | None = None,
        share: float = 1.0,
        step: Literal["fastest", "mean"] | float = "fastest",
        order: Literal["random", "cyclic"] = "random",
        split: Sequence[bool] | None = None,
        selector: Selector = "auto",
        null_events: bool | Literal["auto"] | Sequence[str] = "auto",
    ) -> None:
        self.comm, self.model = comm, model
        self._share, self._rule, self._random_order = checked(share, step, order)
        part = sites if isinstance(sites, Part) else together(comm, lambda: part_of_graph(comm, sites))
        self.grid = part.grid
        halves = [n > 1 for n in part.grid] if split is None else [bool(flag) for flag in split]
        if len(halves) != 3 or any(n > 1 and not half for n, half in zip(part.grid, halves, strict=True)):
            raise KmcError(f"split is {split}: three flags are needed, True where the grid {part.grid} cuts")
        self._count = part.count
        reach = Reach(part.sites, model)
        local = self._local = together(comm, lambda: localise(part, reach, halves))
        self._halo = Halo(comm, local.index, local.owner)
        self._sectors, changeable = sectors(comm, local, reach, self._halo)
        self._post = Post(comm, self._halo, changeable)
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self._key = child(root, _COMMON).generate_state(2, np.uint64)
        own = child(root, _RANK, comm.rank)
        filled = species_at(self.comm, local, self._count, self._halo, model, occupation, own)
        shifts = shifts_at(comm, local, part, self._halo, barrier_shifts_eV)
        factors = {name: self._localised(v, f"factor of {name!r}") for name, v in (rate_factors or {}).items()}
        energies = {name: self._localised(v, f"energy of {name!r}") for name, v in (site_energies_eV or {}).items()}
        near = touching(self._local, contacts or {})
        engine = self._engine = together(
            comm,
            lambda: Engine(
                local.sites, model, filled, seed=own, site_energies_eV=energies, barrier_shifts_eV=shifts,
                rate_factors=factors, contacts=near, reservoir_counts=reservoir_counts, selector=selector,
                null_events=null_events,
            ),
        )  # fmt: skip
        spread_barriers(engine, local, shifts, child(root, _BARRIERS))
        self._reservoirs = together(comm, lambda: Reservoirs(comm, engine, local.bounds))
        self._known = engine.state.occupation.copy()
        self._open = CLOSED
        engine.state = engine.state._replace(closed=np.full(len(local.sites), BARRED, dtype=np.int8))
        engine.refresh()
        self._closed = engine.select
        self._selections = [self._empty(float(engine.select.lists.scale[0])) for _ in self._sectors]
        self._valid = [False] * len(self._sectors)
        self._exact = engine.table.exact
        self._clock = np.zeros(2)
        self._cycle = 0
        self._reference: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        self._asked = watching.NOTHING
        self._group = groups(model, ())
        self._speeds = np.zeros(3)
        #: Seconds of the wall clock on this rank since the start, by what they went to.
        self.spent_s = dict.fromkeys(("events", "switch", "packing", "messages", "agree"), 0.0)
        self._measure()

    # -- what a user reads (all ranks call, all get the same) ---------------------------------------------------

    @property
    def time_s(self) -> float:
        """The clock: the sum of all sector steps, each counted once for all sectors."""
        return float(self._clock[0])

    @property
    def owned(self) -> Ints:
        """Numbers of this rank's sites in the whole graph, ascending: the order of arrays of owned sites."""
        numbers = np.empty(self._local.owned, dtype=np.int64)
        numbers[self._local.order] = self._local.index[: self._local.owned]
        return numbers

    @property
    def owned_positions_nm(self) -> Floats:
        """(owned, 3) positions of this rank's sites."""
        positions = np.empty((self._local.owned, 3))
        positions[self._local.order] = self._local.sites.positions_nm[: self._local.owned]
        return positions

    @property
    def owned_occupation(self) -> NDArray[np.int8]:
        """(owned,) species of this rank's sites."""
        species = np.empty(self._local.owned, dtype=np.int8)
        species[self._local.order] = self._engine.state.occupation[: self._local.owned]
        return species

    @property
    def occupation(self) -> NDArray[np.int8]:
        """(N,) species of all sites, gathered."""
        whole = np.empty(self._count, dtype=np.int8)
        for numbers, species in self.comm.allgather((self.owned, self.owned_occupation)):
            whole[numbers] = species
        return whole

    @property
    def n_events(self) -> int:
        """Events executed so far on all ranks."""
        return int(self.comm.allreduce(self._engine.n_events))

    @property
    def n_null(self) -> int:
        """Draws so far that came to nothing, on all ranks."""
        return int(self.comm.allreduce(self._engine.n_null))

    @property
    def n_cycles(self) -> int:
        """How often every sector has had its turn."""
        return self._cycle

    @property
    def step_s(self) -> float:
        """Length of the next sector step, s."""
        fastest, total, able = self._speeds
        if not isinstance(self._rule, str):
            return self._rule
        if self._rule == "fastest":
            return self._share / fastest if fastest > 0.0 else np.inf
        return self._share * able / total if total > 0.0 else np.inf

    @property
    def counts(self) -> dict[str, int]:
        """Events by process on all ranks."""
        counts = self.comm.allreduce(self._engine.state.counts)
        return dict(zip(self._engine.counts, counts.tolist(), strict=True))

    @property
    def traffic(self) -> tuple[int, int]:
        """Messages that this rank sent after sector steps, and bytes in them."""
        return self._post.n_messages, self._post.n_bytes

    @property
    def total_rate_Hz(self) -> float:
        """The sum of all rates that are possible now, on all ranks."""
        own = kernels.total_rate(self._engine.table, self._engine.state, self._local.owned)
        return float(self.comm.allreduce(float(own)))

    def number(self, species: str) -> int:
        """How many sites hold a species."""
        held = self._engine.state.occupation[: self._local.owned] == self.model.index(species)
        return int(self.comm.allreduce(int(np.count_nonzero(held))))

    def reservoir(self, name: str) -> int:
        """How many particles a reservoir holds."""
        return int(self._reservoirs.count[self._engine._reservoir(name)])

    # -- fields and occupation from outside ----------------------------------------------------------------------

    def set_fields(
        self,
        potential_V: ArrayLike | None = None,
        temperature_K: ArrayLike | None = None,
        reservoir_V: Mapping[str, float] | None = None,
        electron_V: ArrayLike | None = None,
    ) -> None:
        """Give new fields at the sites, as :meth:`kmc.Engine.set_fields` does.

        Args:
            potential_V, temperature_K, electron_V: a number, (N,) for all sites, or (owned,) for this rank's.
            reservoir_V: potential of each reservoir, V.
        """
        names = {"potential_V": potential_V, "temperature_K": temperature_K, "electron_V": electron_V}
        given = {name: self._localised(values, name) for name, values in names.items() if values is not None}
        together(self.comm, lambda: self._engine.set_fields(**given, reservoir_V=reservoir_V))
        self._measure()

    def change_factors(self, factors: Mapping[str, ArrayLike]) -> None:
        """Give processes other ``rate_factors``, as :func:`kmc.change_factors`; ``set_fields`` renews the rates."""
        given = {name: self._localised(values, f"factor of {name!r}") for name, values in factors.items()}
        together(self.comm, lambda: change_factors(self._engine.table, self.model, given))

    def assign(self, sites: ArrayLike, species: ArrayLike) -> None:
        """Put species (M,) (their numbers) on sites (M,) of the whole graph; every rank gives the same lists."""
        where, what = np.asarray(sites, dtype=np.int64), np.asarray(species)
        together(self.comm, lambda: self._engine.assign(*places(self._local, self._count, where, what)))
        self._known[:] = self._engine.state.occupation
        self._measure()

    def set_occupation(self, site: int, species: str) -> None:
        """Put a species on a site of the whole graph."""
        self.assign([site], [self.model.index(species)])

    def watch(
        self, weight: ArrayLike, bound: float, since: ArrayLike | None = None, alike: Sequence[Sequence[str]] = (),
        *, change: ArrayLike | None = None, within: Sequence[float] = (-np.inf, np.inf),
    ) -> None:  # fmt: skip
        """Stop :meth:`run` when the configuration has moved too far, as :meth:`kmc.Engine.watch` does.

        Looked at after every cycle only: limits are passed by what one cycle does. Arrays are (N,) or (owned,).
        """
        weights = self._localised(weight, "weight")
        changes = None if change is None else self._localised(change, "change")
        reference = self._engine.state.occupation if since is None else self._localised(since, "since").astype(np.int8)
        self._asked = watching.watched(weights.shape, weights, bound, changes, within)
        self._group = groups(self.model, alike)
        self._reference = self._group[reference[: self._local.owned]]

    @property
    def drift(self) -> float:
        """The watched quantity now: the root of the sum of weight^2 over sites that changed."""
        own = kernels.moved(self._group[self._engine.state.occupation], self._reference, self._asked.weight)
        return float(np.sqrt(self.comm.allreduce(float(own))))

    @property
    def shift(self) -> float:
        """The sum with signs now, as :attr:`kmc.Engine.shift`."""
        differs = self._group[self._engine.state.occupation[: len(self._reference)]] != self._reference
        return float(self.comm.allreduce(watching.shifted(self._asked, differs)))

    # -- time ----------------------------------------------------------------------------------------------------

    def run(self, *, until_s: float, max_events: int | None = None) -> str:
        """Advance the clock, cycle by cycle; the last one is cut to end at ``until_s``.

        Args:
            until_s: stop at this time.
            max_events: stop after the cycle in which all ranks together have had so many events.

        Returns:
            Why it stopped: "time", "events", "frozen" or "watch", as :meth:`kmc.Engine.run` does.

        Raises:
            KmcError: when ``until_s`` lies before the clock, or ``max_events`` is negative.
        """
        if not until_s >= self.time_s:
            raise KmcError(f"until_s is {until_s}, before the clock at {self.time_s}")
        if max_events is not None and max_events < 0:
            raise KmcError(f"max_events is {max_events}; a number >= 0 is needed")
        last = None if max_events is None else self.n_events + max_events
        reason = "events" if max_events == 0 else "" if until_s > self.time_s else "time"
        while not reason:
            if self._speeds[1] == 0.0 and self._reservoirs.used.any():
                self._measure()  # what a rank was dealt may have left it nothing to do
            if self._speeds[1] == 0.0:
                reason = "frozen"
                break
            left, step_s = until_s - self.time_s, self.step_s
            self._one_cycle(min(step_s, left))
            if step_s >= left:
                self._clock[:] = until_s, 0.0
                reason = "time"
            else:
                self._advance(step_s)
            if len(self._reference) and watching.beyond(self._asked, self):
                reason = "watch"
            elif last is not None and not reason and self.n_events >= last:
                reason = "events"
        if reason == "frozen" and np.isfinite(until_s):
            self._clock[:] = until_s, 0.0
        self._close()
        return reason

    def _advance(self, step_s: float) -> None:
        """Compensated summation, as in :func:`kmc.kernels.advance_clock`."""
        wait = step_s - self._clock[1]
        later = self._clock[0] + wait
        self._clock[:] = later, (later - self._clock[0]) - wait

    def _one_cycle(self, step_s: float) -> None:
        """Every sector once."""
        engine, post = self._engine, self._post
        random = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, 0, self._cycle]))
        turns = random.permutation(len(self._sectors)) if self._random_order else np.arange(len(self._sectors))
        speeds, fastest = np.zeros(3), np.zeros(3)
        for number in turns.tolist():
            shared = self._reservoirs.used[number]
            if shared:
                self._reservoirs.deal(number, random)
            begun = time.perf_counter()
            self._switch(number)
            if shared:
                self._settle(number, kernels.renew_contacts(engine.table, engine.state, engine.select))
            self._look(number, speeds)
            fastest[0] = max(fastest[0], speeds[0])
            fastest[1:] += speeds[1:]
            entered = time.perf_counter()
            if speeds[1] > 0.0:
                engine.state.clock[:] = 0.0
                engine.run(until_s=step_s)
                self._note(number)
            left, messages_s = time.perf_counter(), post.spent_s
            if len(post.sent):
                self._exchange(number)
            if shared:
                self._reservoirs.merge()
            messages_s = post.spent_s - messages_s
            self.spent_s["switch"] += entered - begun
            self.spent_s["events"] += left - entered
            self.spent_s["messages"] += messages_s
            self.spent_s["packing"] += time.perf_counter() - left - messages_s
        self._cycle += 1
        begun = time.perf_counter()
        self._agree(fastest)
        self.spent_s["agree"] += time.perf_counter() - begun

    def _exchange(self, number: int) -> None:
        """Tell the neighbours what changed in a sector, and hear of theirs."""
        engine, post, halo = self._engine, self._post, self._halo
        species = engine.state.occupation
        row, out, sent = post.row[number], post.out, post.sent
        if kernels.pack(species, self._known, post.local[number], post.spot[number], row, out, sent):
            kernels.remember(species, self._known, halo.shared, halo.row, row, out, sent)
        post.exchange(number)
        if post.received.any():
            self._settle(
                number,
                kernels.absorb(
                    engine.table, engine.state, engine.select, engine._scratch, self._known, halo.shared, halo.row,
                    post.words, post.received,
                )
            )  # fmt: skip

    def _agree(self, speeds: Floats) -> None:
        """The rates of all ranks: the largest, the sum, and where anything can happen."""
        from mpi4py import MPI

        if self.comm.size > 1:
            operation = MPI.MAX if self._rule == "fastest" else MPI.SUM
            wait([self.comm.Iallreduce(speeds, self._speeds, operation)])
        else:
            self._speeds[:] = speeds

    def _switch(self, number: int) -> None:
        """Close the open sector, and open this one."""
        engine, new, old = self._engine, self._sectors[number], self._open
        closed = engine.state.closed
        closed[old.first : old.last] = BARRED
        closed[new.first : new.last] = OPEN
        engine.select = self._selections[number]
        again = new.again_kept if engine.table.any_exact else new.again
        fits = kernels.enter(
            engine.table, engine.state, engine.select, old.rim, new.first, new.last, new.rim, again,
            not self._valid[number],
        )  # fmt: skip
        self._open, self._valid[number] = new, True
        self._settle(number, fits)

    def _note(self, number: int) -> None:
        """The engine may have made new lists in a run, or changed its mind on which rates to keep."""
        self._settle(number, True)
        if self._engine.table.exact is not self._exact:
            self._exact = self._engine.table.exact
            self._valid = [other == number for other in range(len(self._sectors))]

    def _settle(self, number: int, fits: bool) -> None:
        """After new weights in a sector: lists of another scale if they do not fit."""
        if not fits:
            self._engine._rescale()
        self._selections[number] = self._engine.select

    def _look(self, number: int, speeds: Floats) -> None:
        engine, sector = self._engine, self._sectors[number]
        kernels.speeds(engine.state, engine.select, sector.first, sector.last, sector.rim, speeds)

    def _close(self) -> None:
        """Close all sectors, and show reservoirs as a whole."""
        engine, old = self._engine, self._open
        engine.state.closed[old.first : old.last] = BARRED
        engine.state.closed[old.rim] = BARRED
        engine.select, self._open = self._closed, CLOSED
        if self._reservoirs.used.any():
            self._reservoirs.whole()
            kernels.renew_contacts(engine.table, engine.state, engine.select)

    def _empty(self, scale: float) -> Selection:
        """Nothing to draw from yet, for one sector."""
        count = len(self._local.index)
        width = count if self._engine.selector == "tree" else 0
        return Selection(tree.new_tree(width) if width else np.zeros(0), lists.new_lists(0 if width else count, scale))

    def _measure(self) -> None:
        """After a change from outside: what is drawn from is filled anew, and the first step follows from its rates."""
        self._closed = self._engine.select
        self._valid = [False] * len(self._sectors)
        speeds, fastest = np.zeros(3), np.zeros(3)
        for number in range(len(self._sectors)):
            self._switch(number)
            self._look(number, speeds)
            fastest[0] = max(fastest[0], speeds[0])
            fastest[1:] += speeds[1:]
        self._close()
        self._agree(fastest)

    # -- checkpoint ----------------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """A copy of this rank's arrays, with which :meth:`restore` goes on with the same trajectory.

        Every rank keeps its own; they belong to this number of ranks and this grid.
        """
        return checkpoint.save(self)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a :meth:`checkpoint` of an engine with the same arguments on the same number of ranks.

        Raises:
            KmcError: on all ranks, when an array of any is missing or does not fit.
        """
        checkpoint.load(self, saved)

    def _layout(self) -> Ints:
        return np.array(
            [self.comm.size, self.comm.rank, *self.grid, self._count, self._local.owned, len(self._sectors)]
        )

    # -- from what is given to local arrays ----------------------------------------------------------------------

    def _localised(self, values: ArrayLike, what: str) -> Floats:
        return localised(self.comm, self._local, self._count, self._halo, values, what)
