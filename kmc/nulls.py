"""For which species rates are kept up to date, and for which a bound and null events serve better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.model import Model
from kmc.process import EXCHANGE
from kmc.rates import Ints, State, Table

#: Draws in the first and the longest window after which null events are looked at.
_FIRST, _LONGEST = 16_384, 1_048_576

#: Costs in draws: of keeping one more rate up to date, and of an event without that (measured, rough).
_KEEPING, _EVENT = 0.4, 1.0


def kept_at_first(model: Model, null_events: bool | str | Sequence[str], planted: bool) -> NDArray[np.bool_]:
    """(S,) species whose rates are kept at first; ``planted``: sites are drawn with a tree, which needs all rates.

    Raises:
        KmcError: for a species that is unknown or exchanges with a reservoir, or null events with a tree.
    """
    bounded = np.ones(len(model.species), dtype=bool)  # an exchange's rate goes with the filling: keep it
    for process in model.processes:
        if process.kind == EXCHANGE:
            bounded[[model.index(process.before[0]), model.index(process.after[0])]] = False
    if null_events is False or (null_events == "auto" and planted):
        return np.ones_like(bounded)
    if null_events is True or null_events == "auto":
        wanted = bounded
    else:
        names = (null_events,) if isinstance(null_events, str) else tuple(null_events)
        wanted = np.zeros_like(bounded)
        for name in names:
            wanted[model.index(name, "null_events")] = True
            if not bounded[model.index(name)]:
                raise KmcError(f"null_events: {name!r} exchanges with a reservoir, so its rates have to be kept")
    if planted:
        raise KmcError(f"null_events is {null_events!r}; with selector 'tree' it can be False only")
    return ~wanted


def first_window(species: int) -> Ints:
    """State.window at the start."""
    return np.array([_FIRST, _FIRST, 0, *[0] * species])


def close_window(table: Table, state: State) -> NDArray[np.bool_]:
    """(S,) species without kept rates whose draws in the window came to nothing too often; begins the next window."""
    window = state.window
    events = max(int(state.events[0] - window[2]), 1)
    came_to_nothing = state.nulls - window[3:]
    window[1] = min(2 * window[1], _LONGEST)
    window[0], window[2], window[3:] = window[1], state.events[0], state.nulls
    share = came_to_nothing / max(int(came_to_nothing.sum()), 1)  # of what a species has to do with events: a guess
    touched = share.copy()
    if table.has_pair_energy:
        touched += table.degree * np.bincount(state.occupation, minlength=len(share)) / len(state.occupation)
    keeping = np.where(table.pair_slots > 0, 4 * table.degree * touched, touched)
    return np.asarray(~table.exact & (came_to_nothing > (_EVENT * share + _KEEPING * keeping) * events))
