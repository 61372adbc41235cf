"""Drawing an event: from the rates of a site, or from a bound of them; and asking the memory for what comes next."""

import numpy as np

from kmc import lists as composition
from kmc import tree as sumtree
from kmc.intrinsics import fetch_soon
from kmc.jit import inner, kernel
from kmc.keeping import allowed, kept_pair_rate, kept_single_rate
from kmc.lists import Lists
from kmc.rates import (
    Floats,
    State,
    Table,
    bounds_known,
    first_edge,
    kind_of,
    pair_rate,
    single_rate,
)
from kmc.xoshiro import next_uniform

#: Draws whose random numbers are known beforehand, a power of two.
AHEAD = 16

#: With more sites than this memory is asked for ahead of its use (measured: the arrays outgrow the fast caches).
NEAR = 16_384

_BELOW_ONE = 1.0 - 2.0**-53

#: Shares below this are drawn more finely.
_FINE = 2.0**-16


@inner
def choose_kept(table: Table, state: State, site: int, rest: float) -> tuple[int, int, float]:
    """The event of a site that ``rest`` in [0, sum of its rates) falls on: edge (or -1), process, what is left.

    Beyond the sum it is the last possible event, with what is left at 0 or above.
    """
    last_edge, last_process = -1, -1
    species = state.occupation[site]
    if table.exact_from[species]:
        for edge in range(table.start[site], table.start[site + 1]):
            for slot in range(table.pair_match.shape[3]):
                rate = kept_pair_rate(table, state, site, edge, slot)
                if rate > 0.0:
                    last_edge = edge
                    kind = kind_of(table, edge)
                    last_process = table.pair_match[kind, species, state.occupation[table.target[edge]], slot]
                    if rest < rate:
                        return last_edge, last_process, rest - rate
                    rest -= rate
    if table.exact_single[species]:
        for slot in range(table.single_match.shape[1]):
            rate = kept_single_rate(table, state, site, slot)
            if rate > 0.0:
                last_edge, last_process = -1, table.single_match[species, slot]
                if rest < rate:
                    return last_edge, last_process, rest - rate
                rest -= rate
    return last_edge, last_process, rest


@inner
def choose(table: Table, state: State, tree: Floats) -> tuple[int, int, int]:
    """Draw an event with the tree: its site, its edge (or -1) and its process."""
    site, rest = sumtree.find(tree, next_uniform(state.random) * tree[1])
    edge, process, _ = choose_kept(table, state, site, rest)  # beyond the sum by rounding: the last event
    return site, edge, process


@inner
def slot_of(table: Table, state: State, site: int, species: int, share: float) -> tuple[int, float]:
    """Which slot of a species that is not exact a number in (0, 1) falls on, and where in the slot, in (0, 1).

    Slots are the edges of a site times its pair processes, then its own processes; their bounds are their widths.
    """
    pairs, singles = table.degree * table.pair_slots[species], table.single_slots[species]
    first = 0
    if pairs and singles:
        row = bounds_known(table, state, site, species)
        width = pairs * state.bound[row, species, 0]
        whole = width + singles * state.bound[row, species, 1]
        share *= whole
        if share < width:
            share = min(share / width, _BELOW_ONE)
        else:
            share = min((share - width) / (whole - width), _BELOW_ONE)
            first = pairs
    count = singles if first or not pairs else pairs
    share *= count
    slot = min(np.int64(share), count - 1)
    return first + slot, share - slot


@inner
def choose_slot(table: Table, state: State, site: int, species: int, limit: float, share: float) -> tuple[int, int]:
    """Where rates are not kept: one of the slots of a site, taken with its rate over its bound; else process -1.

    ``share`` is uniform in (0, 1); ``limit`` (of the list that the site stands in) is the weight it was drawn with.
    """
    slot, share = slot_of(table, state, site, species, share)
    if share < _FINE:  # few bits are left to tell a rate far below the bound from zero
        share = _FINE * next_uniform(state.random)
    across, singles = table.pair_slots[species], table.single_slots[species]
    width = limit * table.slot_share[species]
    if across and singles:
        row = bounds_known(table, state, site, species)
        pair, single = state.bound[row, species, 0], state.bound[row, species, 1]
        width = (pair if slot < table.degree * across else single) * (
            limit / (table.degree * across * pair + singles * single)
        )
    rest = share * width
    if slot < table.degree * across:
        edge = first_edge(table, site) + (slot // across if across > 1 else slot)
        if not table.regular and edge >= table.start[site + 1]:
            return -1, -1
        partner = np.int64(table.target[edge])
        which = slot % across if across > 1 else 0
        process = table.pair_match[kind_of(table, edge), species, state.occupation[partner], which]
        if (
            process >= 0
            and rest < pair_rate(table, state, process, site, partner, edge)
            and allowed(state, site, partner)
        ):
            return edge, process
        return -1, -1
    process = table.single_match[species, slot - table.degree * across]
    if process >= 0 and rest < single_rate(table, state, process, site) and allowed(state, site, -1):
        return -1, process
    return -1, -1


@kernel
def fill_ahead(state: State) -> None:
    """Draw the random numbers of the first draws."""
    for k in range(AHEAD):
        state.ahead[k, 0], state.ahead[k, 1] = next_uniform(state.random), next_uniform(state.random)


@inner
def look_ahead(table: Table, state: State, lists: Lists, turn: int) -> None:
    """Ask the memory for what coming draws will read, step by step along the way from a member to its partner.

    A guess: lists may change until then, and nothing but speed hangs on it.
    """
    new = turn & (AHEAD - 1)
    _, site, share = composition.locate(lists, state.ahead[new, 0], state.random, False)
    site = max(site, 0)
    state.guess[new, 0], state.guess[new, 1] = site, -1
    fetch_soon(state.occupation, site)
    fetch_soon(lists.where, site)
    if not table.regular:
        fetch_soon(table.start, site)
    if len(state.fields) > 1:
        fetch_soon(state.fields, site)
    if table.has_pair_energy:
        fetch_soon(state.neighbour_count, site)
    step = (turn + 10) & (AHEAD - 1)
    if table.any_exact:
        if table.has_pair_energy and not table.exact_pairs:  # the neighbours' rates will be renewed
            fetch_soon(table.target, first_edge(table, state.guess[step, 0]))
            site = state.guess[(turn + 4) & (AHEAD - 1), 0]
            for edge in range(first_edge(table, site), table.start[site + 1]):
                neighbour = np.int64(table.target[edge])
                fetch_soon(state.occupation, neighbour)
                fetch_soon(lists.where, neighbour)
                fetch_soon(state.neighbour_count, neighbour)
        return
    state.guess_share[new] = share
    site = state.guess[step, 0]
    species = np.int64(state.occupation[site])
    across = table.pair_slots[species]
    if across:
        slot, _ = slot_of(table, state, site, species, state.guess_share[step])
        edge = first_edge(table, site) + (slot // across if across > 1 else slot)
        if slot < table.degree * across and edge < len(table.target):
            fetch_soon(table.target, edge)
            state.guess[step, 1] = edge
    edge = state.guess[(turn + 4) & (AHEAD - 1), 1]
    if edge >= 0:
        partner = np.int64(table.target[edge])
        fetch_soon(state.occupation, partner)
        fetch_soon(lists.where, partner)
        if len(state.fields) > 1:
            fetch_soon(state.fields, partner)
        if len(state.bound) > 1:
            fetch_soon(state.bound, partner)
        if table.has_pair_energy:
            fetch_soon(state.neighbour_count, partner)
