"""The event loop: select, execute, refresh only what the event touched."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import lists as composition
from kmc import tree as sumtree
from kmc.intrinsics import fetch_soon
from kmc.jit import inner, kernel
from kmc.lists import Lists
from kmc.rates import (
    Floats,
    Indices,
    Ints,
    State,
    Table,
    bounds_known,
    first_edge,
    kind_of,
    pair_change,
    pair_rate,
    single_change,
    single_rate,
    weight_bound,
)
from kmc.xoshiro import next_uniform

#: Why a run came back: the last two are for the engine, which has to look at its null events or at its lists.
TIME, EVENTS, FROZEN, WATCH, WINDOW, SCALE = range(6)

#: Below this total rate (1/s) a waiting time no longer fits a double.
_NO_RATE = 1e-290

#: Draws whose random numbers are known beforehand, a power of two.
AHEAD = 16

#: With more sites than this memory is asked for ahead of its use (measured: the arrays outgrow the fast caches).
_NEAR = 16_384

_BELOW_ONE = 1.0 - 2.0**-53

#: Shares below this are drawn more finely.
_FINE = 2.0**-16

#: Products of uniform numbers are turned into a time before they get this small.
_SMALL = 1e-200


class Watch(NamedTuple):
    """How far the configuration has moved from a reference: whole numbers, so that there and back is exactly zero."""

    reference: NDArray[np.int8]  # (N,) species; (0,) when nothing is watched
    weight: Ints  # (N,) what a site counts where its species differs from the reference
    moved: Ints  # (1,) the sum over such sites
    limit: int  # a run stops when it is passed


class Selection(NamedTuple):
    """What events are drawn with: a sum tree (of length 0 when not in use) or lists."""

    tree: Floats
    lists: Lists


class Scratch(NamedTuple):
    """Work space of :func:`refresh_around`."""

    tick: Ints  # (1,) number of the last refresh
    lengths: Ints  # (2,) of the two lists
    touched: Indices  # (N,) tick at which a site was last touched
    touched_list: Indices  # (N,)
    changed: Indices  # (N,) tick at which a rate of it last changed
    changed_list: Indices  # (N,)


def new_scratch(count: int) -> Scratch:
    """Work space for ``count`` sites."""
    arrays = [np.zeros(count, dtype=np.int32) for _ in range(4)]
    return Scratch(np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64), *arrays)


# -- rates that are kept ---------------------------------------------------------------------------------------------


@inner
def refresh_edge(table: Table, state: State, i: int, edge: int) -> bool:
    """All pair rates on one directed edge; True when one of them changed (or may have: they are not stored)."""
    if not len(state.pair_rate):
        return True
    j = np.int64(table.target[edge])
    a, b, kind = state.occupation[i], state.occupation[j], kind_of(table, edge)
    changed = False
    for slot in range(state.pair_rate.shape[1]):
        process, old = table.pair_match[kind, a, b, slot], state.pair_rate[edge, slot]
        rate = pair_rate(table, state, process, i, j, edge) if process >= 0 and table.exact[a] else 0.0
        if rate != old:
            state.pair_rate[edge, slot] = rate
            changed = True
    return changed


@inner
def refresh_singles(table: Table, state: State, i: int) -> bool:
    """All one-site rates of one site; True when one of them changed (or may have: they are not stored)."""
    if not len(state.single_rate):
        return True
    a = state.occupation[i]
    changed = False
    for slot in range(state.single_rate.shape[1]):
        process, old = table.single_match[a, slot], state.single_rate[i, slot]
        rate = single_rate(table, state, process, i) if process >= 0 and table.exact[a] else 0.0
        if rate != old:
            state.single_rate[i, slot] = rate
            changed = True
    return changed


@inner
def kept_pair_rate(table: Table, state: State, i: int, edge: int, slot: int) -> float:
    """A pair rate of an exact species: as stored, or looked up where rates are quickly had."""
    if len(state.pair_rate):
        return state.pair_rate[edge, slot]
    j = np.int64(table.target[edge])
    process = table.pair_match[kind_of(table, edge), state.occupation[i], state.occupation[j], slot]
    return pair_rate(table, state, process, i, j, edge) if process >= 0 else 0.0


@inner
def kept_single_rate(table: Table, state: State, i: int, slot: int) -> float:
    """A one-site rate of an exact species."""
    if len(state.single_rate):
        return state.single_rate[i, slot]
    process = table.single_match[state.occupation[i], slot]
    return single_rate(table, state, process, i) if process >= 0 else 0.0


@inner
def weight_of(table: Table, state: State, i: int) -> float:
    """The sum of all rates that start at one site, or a bound of it where rates are not kept."""
    a = state.occupation[i]
    if len(state.closed) and state.closed[i]:
        return 0.0
    if not table.exact[a]:
        return weight_bound(table, state, i, a) if table.pair_slots[a] or table.single_slots[a] else 0.0
    total = 0.0
    if table.exact_from[a]:
        for edge in range(table.start[i], table.start[i + 1]):
            for slot in range(table.pair_match.shape[3]):
                total += kept_pair_rate(table, state, i, edge, slot)
    if table.exact_single[a]:
        for slot in range(table.single_match.shape[1]):
            total += kept_single_rate(table, state, i, slot)
    return total


@inner
def weigh(table: Table, state: State, select: Selection, i: int) -> bool:
    """Give the selection a site's weight; False when its lists need another scale."""
    weight = weight_of(table, state, i)
    if len(select.tree):
        sumtree.update(select.tree, i, weight)
        return True
    return composition.put(select.lists, i, weight)


@kernel
def count_neighbours(table: Table, state: State) -> None:
    """Every site's neighbours of the species that have pair energies."""
    state.neighbour_count[:] = 0
    for i in range(len(state.occupation)):
        for edge in range(table.start[i], table.start[i + 1]):
            shell, column = table.shell[kind_of(table, edge)], table.column[state.occupation[table.target[edge]]]
            if shell >= 0 and column >= 0:
                state.neighbour_count[i, shell * table.columns + column] += 1


@kernel
def refresh_all(table: Table, state: State, select: Selection) -> bool:
    """All that follows from occupation, neighbour counts, reservoirs and fields: rates, weights and their selection.

    Kept rates of sites whose species has no such process are taken to be 0 already. False when the lists need
    another scale.
    """
    state.bound[:] = -1.0
    width = len(select.tree) // 2
    fits = True
    for i in range(len(state.occupation)):
        a = state.occupation[i]
        if table.exact_from[a]:
            for edge in range(table.start[i], table.start[i + 1]):
                refresh_edge(table, state, i, edge)
        if table.exact_single[a]:
            refresh_singles(table, state, i)
        if width:
            select.tree[width + i] = weight_of(table, state, i)
        else:
            fits &= composition.put(select.lists, i, weight_of(table, state, i))
    if width:
        sumtree.rebuild(select.tree)
    else:
        composition.retotal(select.lists)
    return fits


@kernel
def largest_weight(table: Table, state: State) -> float:
    """The largest weight of a site; rates that are kept must be up to date."""
    largest = 0.0
    for i in range(len(state.occupation)):
        largest = max(largest, weight_of(table, state, i))
    return largest


@kernel
def total_rate(table: Table, state: State) -> float:
    """The sum of all rates, site by site, bounds replaced by what is possible now."""
    total = 0.0
    for i in range(len(state.occupation)):
        a = state.occupation[i]
        if len(state.closed) and state.closed[i]:
            continue
        if table.exact[a]:
            total += weight_of(table, state, i)
            continue
        for edge in range(table.start[i], table.start[i + 1]):
            j = np.int64(table.target[edge])
            for slot in range(table.pair_match.shape[3]):
                process = table.pair_match[kind_of(table, edge), a, state.occupation[j], slot]
                if process >= 0:
                    total += pair_rate(table, state, process, i, j, edge)
        for slot in range(table.single_match.shape[1]):
            process = table.single_match[a, slot]
            if process >= 0:
                total += single_rate(table, state, process, i)
    return total


@inner
def place(table: Table, state: State, site: int, species: int) -> None:
    """Put a species on a site and tell the neighbours' counts; rates are refreshed by the caller."""
    old = state.occupation[site]
    state.occupation[site] = species
    if table.has_pair_energy and old != species:
        lost, gained = table.column[old], table.column[species]
        if lost < 0 and gained < 0:
            return
        for edge in range(table.start[site], table.start[site + 1]):
            shell = table.shell[kind_of(table, edge)]
            if shell >= 0:
                neighbour = np.int64(table.target[edge])
                if lost >= 0:
                    state.neighbour_count[neighbour, shell * table.columns + lost] -= 1
                if gained >= 0:
                    state.neighbour_count[neighbour, shell * table.columns + gained] += 1


@inner
def mark_changed(scratch: Scratch, site: int) -> None:
    """Put a site on the list of those whose rates changed, once a refresh."""
    if scratch.changed[site] != scratch.tick[0]:
        scratch.changed[site] = scratch.tick[0]
        scratch.changed_list[scratch.lengths[1]] = site
        scratch.lengths[1] += 1


@inner
def mark_touched(scratch: Scratch, site: int) -> None:
    """Put a site on the list of those whose species or pair energy the event changed, once a refresh."""
    if scratch.touched[site] != scratch.tick[0]:
        scratch.touched[site] = scratch.tick[0]
        scratch.touched_list[scratch.lengths[0]] = site
        scratch.lengths[0] += 1


@inner
def next_tick(scratch: Scratch) -> None:
    """Begin a refresh: both lists are empty."""
    scratch.tick[0] += 1
    if scratch.tick[0] == 2**31 - 1:
        scratch.touched[:] = 0
        scratch.changed[:] = 0
        scratch.tick[0] = 1
    scratch.lengths[:] = 0


@inner
def refresh_around(
    table: Table, state: State, select: Selection, i: int, j: int, was_i: int, was_j: int, scratch: Scratch
) -> bool:
    """Kept rates that an event at i (and j, or -1) can have changed: all that involve a site whose energies it touched.

    Edges whose two species have no kept process, and had none before the event, are passed over unread. False when
    the lists need another scale.
    """
    next_tick(scratch)
    tick = scratch.tick[0]
    mark_touched(scratch, i)
    if j >= 0:
        mark_touched(scratch, j)
    placed = scratch.lengths[0]
    if table.has_pair_energy:
        for k in range(placed):
            site = np.int64(scratch.touched_list[k])
            for edge in range(table.start[site], table.start[site + 1]):
                if table.shell[kind_of(table, edge)] >= 0:
                    mark_touched(scratch, np.int64(table.target[edge]))
    for k in range(scratch.lengths[0]):
        site = np.int64(scratch.touched_list[k])
        a = np.int64(state.occupation[site])
        was = (was_i if site == i else was_j) if k < placed else a
        starts = table.exact_from[a] or table.exact_from[was]
        ends = table.exact_to[a] or table.exact_to[was]
        new = k < placed
        if table.exact_single[a] or table.exact_single[was]:
            new |= refresh_singles(table, state, site)
        if starts or ends:
            for edge in range(table.start[site], table.start[site + 1]):
                neighbour = np.int64(table.target[edge])
                kind = kind_of(table, edge)
                b = np.int64(state.occupation[neighbour])
                was_b = was_i if neighbour == i else (was_j if neighbour == j else b)
                if starts and (table.pair_match[kind, a, b, 0] >= 0 or table.pair_match[kind, was, was_b, 0] >= 0):
                    new |= refresh_edge(table, state, site, edge)
                if (
                    ends
                    and scratch.touched[neighbour] != tick  # otherwise its own turn comes
                    and (table.pair_match[kind, b, a, 0] >= 0 or table.pair_match[kind, b, was, 0] >= 0)
                    and refresh_edge(table, state, neighbour, np.int64(table.reverse[edge]))
                ):
                    mark_changed(scratch, neighbour)
        if new:
            mark_changed(scratch, site)
    fits = True
    for k in range(scratch.lengths[1]):
        fits &= weigh(table, state, select, np.int64(scratch.changed_list[k]))
    return fits


@inner
def refresh_beside(
    table: Table, state: State, select: Selection, site: int, was: int, partner: int, was_partner: int
) -> bool:
    """Kept rates that involve one site of an event, where no pair energies reach farther; see :func:`refresh_around`.

    The rates from the site itself are renewed; its weight is left to the caller.
    """
    a = np.int64(state.occupation[site])
    fits = True
    if table.exact_single[a] or table.exact_single[was]:
        refresh_singles(table, state, site)
    starts = len(state.pair_rate) and (table.exact_from[a] or table.exact_from[was])
    if starts or table.exact_to[a] or table.exact_to[was]:
        for edge in range(first_edge(table, site), table.start[site + 1]):
            neighbour = np.int64(table.target[edge])
            if starts:
                refresh_edge(table, state, site, edge)
            if neighbour != partner:  # else its own turn comes
                b = np.int64(state.occupation[neighbour])
                if (table.kept_pair[b, a] or table.kept_pair[b, was]) and refresh_edge(
                    table, state, neighbour, np.int64(table.reverse[edge])
                ):
                    fits &= weigh(table, state, select, neighbour)
    return fits


@inner
def refresh_contacts(table: Table, state: State, select: Selection, reservoir: int) -> bool:
    """One-site rates of all sites that touch a reservoir whose filling changed."""
    fits = True
    for k in range(table.contact_start[reservoir], table.contact_start[reservoir + 1]):
        site = np.int64(table.contact_site[k])
        if refresh_singles(table, state, site):
            fits &= weigh(table, state, select, site)
    return fits


@kernel
def assign(
    table: Table, state: State, select: Selection, scratch: Scratch, sites: Indices, species: NDArray[np.int8]
) -> bool:
    """Put species on sites from outside; False when the lists need another scale."""
    fits = True
    for k in range(len(sites)):
        site = np.int64(sites[k])
        was = np.int64(state.occupation[site])
        if species[k] == was:
            continue
        place(table, state, site, species[k])
        if table.any_exact:
            fits &= refresh_around(table, state, select, site, -1, was, -1, scratch)
        else:
            fits &= weigh(table, state, select, site)
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits


@kernel
def reweigh(table: Table, state: State, select: Selection, sites: Indices) -> bool:
    """Renew the weights of sites that were opened or closed; False when the lists need another scale."""
    fits = True
    for k in range(len(sites)):
        fits &= weigh(table, state, select, np.int64(sites[k]))
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits


# -- events ----------------------------------------------------------------------------------------------------------


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
        if process >= 0 and rest < pair_rate(table, state, process, site, partner, edge):
            return edge, process
        return -1, -1
    process = table.single_match[species, slot - table.degree * across]
    if process >= 0 and rest < single_rate(table, state, process, site):
        return -1, process
    return -1, -1


@inner
def book(table: Table, state: State, site: int, partner: int, process: int) -> None:
    """Flicker: an event that restores what stood on its site(s) before their last event, which was a common one."""
    number = state.events[0]
    if partner >= 0:
        undone = state.last_event[site] > 0 and state.last_event[site] == state.last_event[partner]
        undone = undone and state.previous[partner] == table.after[process, 1]
    else:
        undone = state.last_event[site] < 0
    undone = undone and state.previous[site] == table.after[process, 0]
    if undone:
        state.flicker[process] += 1
    state.previous[site] = state.occupation[site]
    state.last_event[site] = number if partner >= 0 else -number
    if partner >= 0:
        state.previous[partner] = state.occupation[partner]
        state.last_event[partner] = number


@inner
def follow(table: Table, state: State, site: int, partner: int, process: int, edge: int) -> None:
    """Tracers: they hop with their site's species, change species with it, and are gone when something else comes."""
    if partner >= 0 and table.swaps[process]:
        first, second = np.int64(state.particle[site]), np.int64(state.particle[partner])
        state.particle[site], state.particle[partner] = second, first
        vector = table.vector[edge]
        for tracer, sign, to in ((first, 1.0, partner), (second, -1.0, site)):
            if tracer >= 0:
                for axis in range(3):
                    state.displacement_nm[tracer, axis] += sign * table.vectors_nm[vector, axis]
                state.hops[tracer] += 1
                state.tracer_site[tracer] = to
        return
    for which in range(2):
        x = site if which == 0 else partner
        if x >= 0 and state.particle[x] >= 0 and not table.tracked[table.after[process, which]]:
            state.tracer_site[state.particle[x]] = -1
            state.particle[x] = -1


@inner
def execute(table: Table, state: State, site: int, partner: int, process: int, edge: int) -> None:
    """Carry out an event on a site and its partner (or -1) and keep the books."""
    state.events[0] += 1
    state.counts[process] += 1
    if len(state.last_event):
        book(table, state, site, partner, process)
    if len(state.particle):
        follow(table, state, site, partner, process, edge)
    place(table, state, site, table.after[process, 0])
    if partner >= 0:
        place(table, state, partner, table.after[process, 1])
    if table.reservoir[process] >= 0:
        state.reservoir_count[table.reservoir[process]] += table.step[process]


@inner
def happen(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, site: int, edge: int, process: int
) -> bool:
    """An event with all that follows from it; False when the lists need another scale."""
    partner = np.int64(table.target[edge]) if edge >= 0 else -1
    was, was_partner = np.int64(state.occupation[site]), np.int64(-1)
    if partner >= 0:
        was_partner = np.int64(state.occupation[partner])
    if len(watch.reference):
        if was != watch.reference[site]:
            watch.moved[0] -= watch.weight[site]
        if partner >= 0 and was_partner != watch.reference[partner]:
            watch.moved[0] -= watch.weight[partner]
    execute(table, state, site, partner, process, edge)
    if len(watch.reference):
        if state.occupation[site] != watch.reference[site]:
            watch.moved[0] += watch.weight[site]
        if partner >= 0 and state.occupation[partner] != watch.reference[partner]:
            watch.moved[0] += watch.weight[partner]
    if table.any_exact:
        if table.has_pair_energy:
            fits = refresh_around(table, state, select, site, partner, was, was_partner, scratch)
        else:
            fits = refresh_beside(table, state, select, site, was, partner, was_partner)
            if partner >= 0:
                fits &= refresh_beside(table, state, select, partner, was_partner, site, was)
                fits &= weigh(table, state, select, partner)
            fits &= weigh(table, state, select, site)
        if table.reservoir[process] >= 0:
            fits &= refresh_contacts(table, state, select, table.reservoir[process])
    else:
        fits = weigh(table, state, select, site)
        if partner >= 0:
            fits &= weigh(table, state, select, partner)
    return fits


@inner
def advance_clock(clock: Floats, wait: float) -> None:
    """Add a waiting time by compensated summation (Kahan, 10.1145/363707.363723).

    Waits far below the clock's last digit count as well, where a plain sum would stand still.
    """
    wait -= clock[1]
    later = clock[0] + wait
    clock[1] = (later - clock[0]) - wait
    clock[0] = later


@kernel
def run_tree(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, until: float, max_events: int
) -> int:
    """Advance to a time, a number of events, or until the watched sum passes its limit; returns why it stopped."""
    for _ in range(max_events):
        total = select.tree[1]
        if total < _NO_RATE:
            return FROZEN
        advance_clock(state.clock, -np.log(next_uniform(state.random)) / total)
        if state.clock[0] >= until:
            return TIME
        site, edge, process = choose(table, state, select.tree)
        happen(table, state, select, watch, scratch, site, edge, process)
        if watch.moved[0] > watch.limit:
            return WATCH
    return EVENTS


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
    state.guess[new, 0], state.guess[new, 1] = site, -1
    fetch_soon(state.occupation, site)
    fetch_soon(lists.where, site)
    if not table.regular:
        fetch_soon(table.start, site)
    if len(state.fields) > 1:
        fetch_soon(state.fields, site)
    if table.has_pair_energy:
        fetch_soon(state.neighbour_count, site)
    if table.any_exact:
        return
    state.guess_share[new] = share
    step = (turn + 10) & (AHEAD - 1)
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


@kernel
def run_lists(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, until: float, max_events: int
) -> int:
    """Like :func:`run_tree` with lists: draws that come to nothing take their time and change nothing.

    The waiting times of the draws up to an event add up to the logarithm of a product of uniform numbers. Comes back
    with WINDOW when the window of draws is over, and with SCALE when a weight fits no list.
    """
    lists = select.lists
    far = len(state.occupation) > _NEAR
    last = state.events[0] + max_events
    waited = 1.0
    while state.events[0] < last:
        total = lists.total[0]
        if lists.used[0] == 0 or total < _NO_RATE:
            return FROZEN
        if state.window[0] <= 0 or waited < _SMALL:
            advance_clock(state.clock, -np.log(waited) / total)
            waited = 1.0
            if state.clock[0] >= until:
                return TIME
            if state.window[0] <= 0:
                return WINDOW
        state.window[0] -= 1
        turn = state.turn[0]
        state.turn[0] = turn + 1
        here = turn & (AHEAD - 1)
        number, site, share = composition.locate(lists, state.ahead[here, 0], state.random, True)
        waited *= state.ahead[here, 1]
        state.ahead[here, 0], state.ahead[here, 1] = next_uniform(state.random), next_uniform(state.random)
        if far:
            look_ahead(table, state, lists, turn)
        species = np.int64(state.occupation[site])
        if table.exact[species]:
            edge, process, left = choose_kept(table, state, site, share * lists.limit[number])
            if left >= 0.0:
                process = -1
        else:
            edge, process = choose_slot(table, state, site, species, lists.limit[number], share)
        if process < 0:
            state.nulls[species] += 1
            continue
        advance_clock(state.clock, -np.log(waited) / total)
        waited = 1.0
        if state.clock[0] >= until:
            return TIME
        fits = happen(table, state, select, watch, scratch, site, edge, process)
        composition.retotal(lists)
        if not fits:
            return SCALE
        if watch.moved[0] > watch.limit:
            return WATCH
    return EVENTS


@kernel
def list_events(table: Table, state: State, process: int, partners: Ints, rates: Floats, changes: Floats) -> None:
    """Rate and energy change of one process wherever it is possible: by edge, or by site for one-site processes.

    A pair process whose two orders are one event stands once, with its whole rate.
    """
    for i in range(len(state.occupation)):
        if state.occupation[i] != table.before[process, 0]:
            continue
        if table.before[process, 1] < 0:
            rates[i] = single_rate(table, state, process, i)
            changes[i] = single_change(table, state, process, i)
            continue
        for edge in range(table.start[i], table.start[i + 1]):
            j = np.int64(table.target[edge])
            if state.occupation[j] != table.before[process, 1] or (table.mirrored[process] and i > j):
                continue
            kind, allowed = kind_of(table, edge), False
            for slot in range(table.pair_match.shape[3]):
                allowed |= table.pair_match[kind, state.occupation[i], state.occupation[j], slot] == process
            if allowed:
                partners[edge] = j
                rates[edge] = pair_rate(table, state, process, i, j, edge) * (2.0 if table.mirrored[process] else 1.0)
                changes[edge] = pair_change(table, state, process, i, j, edge)
