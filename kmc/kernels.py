"""The event loop: draw, execute, refresh only what the event touched."""

import numpy as np

from kmc import lists as composition
from kmc.drawing import AHEAD, NEAR, choose, choose_kept, choose_slot, look_ahead
from kmc.jit import inner, kernel
from kmc.keeping import Scratch, Selection, place, refresh_around, refresh_beside, refresh_contacts, weigh
from kmc.rates import (
    Floats,
    Ints,
    State,
    Table,
    kind_of,
    pair_change,
    pair_rate,
    single_change,
    single_rate,
)
from kmc.watching import Watch, passed
from kmc.xoshiro import next_uniform

#: Why a run came back: the last two are for the engine, which has to look at its null events or at its lists.
TIME, EVENTS, FROZEN, WATCH, WINDOW, SCALE = range(6)

#: Below this total rate (1/s) a waiting time no longer fits a double.
_NO_RATE = 1e-290

#: Products of uniform numbers are turned into a time before they get this small.
_SMALL = 1e-200


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
        if watch.group[was] != watch.reference[site]:
            watch.moved[0] -= watch.weight[site]
            watch.moved[1] -= watch.change[site]
        if partner >= 0 and watch.group[was_partner] != watch.reference[partner]:
            watch.moved[0] -= watch.weight[partner]
            watch.moved[1] -= watch.change[partner]
    execute(table, state, site, partner, process, edge)
    if len(watch.reference):
        if watch.group[state.occupation[site]] != watch.reference[site]:
            watch.moved[0] += watch.weight[site]
            watch.moved[1] += watch.change[site]
        if partner >= 0 and watch.group[state.occupation[partner]] != watch.reference[partner]:
            watch.moved[0] += watch.weight[partner]
            watch.moved[1] += watch.change[partner]
    halts = state.halts[was] != state.halts[state.occupation[site]]
    if partner >= 0:
        halts |= state.halts[was_partner] != state.halts[state.occupation[partner]]
    if halts:
        watch.moved[0] = watch.limit + 1
    if table.any_exact:
        if table.has_pair_energy:
            fits = refresh_around(table, state, select, site, partner, was, was_partner, scratch)
        else:
            fits = refresh_beside(table, state, select, site, was, partner, was_partner)
            if partner >= 0:
                fits &= refresh_beside(table, state, select, partner, was_partner, site, was)
                fits &= weigh(table, state, select, partner)
            fits &= weigh(table, state, select, site)
        if table.step[process] != 0:
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
    """Advance to a time, a number of events, or until a watched sum passes its limit; returns why it stopped."""
    for _ in range(max_events):
        total = select.tree[1]
        if total < _NO_RATE:
            return FROZEN
        advance_clock(state.clock, -np.log(next_uniform(state.random)) / total)
        if state.clock[0] >= until:
            return TIME
        site, edge, process = choose(table, state, select.tree)
        happen(table, state, select, watch, scratch, site, edge, process)
        if passed(watch, watch.moved[0], watch.moved[1]):
            return WATCH
    return EVENTS


@kernel
def run_lists(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, until: float, max_events: int
) -> int:
    """Like :func:`run_tree` with lists: draws that come to nothing take their time and change nothing.

    The waiting times of the draws up to an event add up to the logarithm of a product of uniform numbers. Comes back
    with WINDOW when the window of draws is over, and with SCALE when a weight fits no list.
    """
    lists = select.lists
    far = len(state.occupation) > NEAR
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
        if site < 0:
            lists.missed[0] += 1
            continue
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
        if passed(watch, watch.moved[0], watch.moved[1]):
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
