"""Superbasins: what flickers is left in one step, with the exact time and the exact state.

Where a few fast processes undo each other (an ion that hops to and fro between two sites, an exchange that is returned
at once), nearly all events of a run lead nowhere. Here the configurations that they lead through become the transient
states of an absorbing Markov chain (M. A. Novotny, 10.1103/PhysRevLett.74.1; with several fast processes, Puchala, Falk
and Garikipati, 10.1063/1.3301673). Its rates are those of the engine in every one of these configurations, at the
potentials and temperatures of now, so a *visit* to the set is exact: everything that is no move inside the chain is an
exit, wherever on the lattice it happens.

**Entry.** Before an event that is due for it, the set around the present configuration is grown, each time by the
configurations to which it would be left most often, and each time the expected number of events until it is left is
computed. It is entered when that number is at least ``gain`` times what the visit costs. This looks at the
configuration only, not at the past, and any such rule is exact, because the process has no memory. After a visit the
next search follows at once; after a failed one 256 events later, twice as many after every further failure, up to
65,536.

**Exit.** With T the rates inside (exits on the diagonal) and p0 the first configuration, the probability of having left
by t is 1 - p0 exp(T t) 1. It is inverted for one uniform number, with exp(T h 2^k) from repeated squaring; the
configuration that is left is drawn from p0 exp(T t) times the exit rates, and the event from the exits of that one. If
the end of the run comes first, the configuration at that time is drawn, given that the set is not left by then, and the
run stops there. A configuration that would pass a limit of :meth:`kmc.Engine.watch` is an exit as well.

**Error.** Sums of positive terms only, and rows scaled to 1: in exp(T h 2^k) a rounding error of about M x 1e-16 a
doubling, relative to each probability, whatever the rates (an estimate: 2e-13 for 32 configurations and rates 12
decades apart; measured for a pair against 60 digits, 3e-14 of the exit time up to 12 decades).

**Counts.** Events inside are not carried out, and stand in neither :attr:`kmc.Engine.counts` nor ``n_events`` (of which
``max_events`` and observers make use) nor ``flicker``; an exit does. Their expected number is booked, so that the sum
over many visits has the right mean.

It does not help where many places flicker at the same time, each without the others and each about as often in one
state as in the other: their configurations are the product of all. Where one state of each is rare enough it does, with
``max_states`` above their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmc import superbasin_chain, superbasin_kernels
from kmc.errors import KmcError
from kmc.keeping import Scratch, Selection
from kmc.kernels import run_tree
from kmc.rates import State, Table
from kmc.watching import Watch

if TYPE_CHECKING:
    from kmc.engine import Engine

#: Visits between two looks at signals (Ctrl-C).
_CHUNK = 10_000


class Superbasin:
    """Visits to flickering sets in every :meth:`kmc.Engine.run` of an engine from now on.

    Args:
        engine: with selector "tree" (any number of sites) and without tracers.
        max_states: most configurations of a set; a search costs up to about 20 events for each.
        gain: events that a visit has to save, relative to what it costs.

    Raises:
        KmcError: for an engine of another kind, or a setting out of range.
    """

    def __init__(self, engine: Engine, *, max_states: int = 32, gain: float = 3.0) -> None:
        if engine.selector != "tree":
            raise KmcError(f"superbasins need an engine with selector 'tree', not {engine.selector!r}")
        if len(engine.state.particle):
            raise KmcError("superbasins cannot be combined with track: the way of a particle inside is not known")
        if not (isinstance(max_states, int) and 2 <= max_states <= 256):
            raise KmcError(f"max_states is {max_states!r}; a whole number from 2 to 256 is needed")
        if not 0.0 < gain < np.inf:
            raise KmcError(f"gain is {gain!r}; a finite number above 0 is needed")
        self.max_states, self.gain = max_states, float(gain)
        self._names = [name for name, _, _ in engine.model.directions()]
        self._basin = superbasin_chain.new_basin(max_states, self.gain, len(self._names), len(engine.model.reservoirs))
        engine.superbasin = self

    @property
    def n_visits(self) -> int:
        """Sets that were entered."""
        return int(self._basin.visits[0])

    @property
    def n_interrupted(self) -> int:
        """Of the visits, those that the end of a run ended."""
        return int(self._basin.visits[1])

    @property
    def n_searches(self) -> int:
        """How often a set was looked for."""
        return int(self._basin.visits[2])

    @property
    def events(self) -> dict[str, float]:
        """Expected events inside the visits, by process: what a run without them would have carried out."""
        return dict(zip(self._names, self._basin.events.tolist(), strict=True))

    def advance(
        self, table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, until: float, most: int
    ) -> int:
        """For the engine: like :func:`kmc.kernels.run_tree`, of at most ``most`` events."""
        due = int(self._basin.due[0] - state.events[0])
        if due > 0:
            return int(run_tree(table, state, select, watch, scratch, until, min(most, due)))
        chunk = min(most, _CHUNK)
        return int(
            superbasin_kernels.run_visits(table, state, select, watch, scratch, self._basin, until, chunk)
        )  # fmt: skip

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """For the engine: arrays of a checkpoint."""
        return {f"superbasin_{name}": getattr(self._basin, name).copy() for name in ("due", "visits", "events")}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """For the engine: go back to a checkpoint."""
        for name in ("due", "visits", "events"):
            getattr(self._basin, name)[...] = saved[f"superbasin_{name}"]
