"""The event loop: select, execute, refresh only what the event touched."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import tree as sumtree
from kmc.jit import inner, kernel
from kmc.rates import Floats, Ints, State, Table, pair_change, pair_rate, single_change, single_rate
from kmc.xoshiro import next_uniform

#: Why :func:`run` came back.
TIME, EVENTS, FROZEN, WATCH = 0, 1, 2, 3

#: Below this total rate (1/s) a waiting time no longer fits a double.
_NO_RATE = 1e-290


class Watch(NamedTuple):
    """How far the configuration has moved from a reference: whole numbers, so that there and back is exactly zero."""

    reference: NDArray[np.int8]  # (N,) species
    weight: Ints  # (N,) what a site counts where its species differs from the reference
    moved: Ints  # (1,) the sum over such sites
    limit: int  # :func:`run` stops when it is passed


class Scratch(NamedTuple):
    """Work space of :func:`refresh_around`."""

    tick: Ints  # (1,) number of the last refresh
    lengths: Ints  # (2,) of the two lists
    touched: Ints  # (N,) tick at which a site was last touched
    touched_list: Ints  # (N,)
    changed: Ints  # (N,) tick at which a rate of it last changed
    changed_list: Ints  # (N,)


def new_scratch(count: int) -> Scratch:
    """Work space for ``count`` sites."""
    sizes = (1, 2, count, count, count, count)
    return Scratch(*(np.zeros(size, dtype=np.int64) for size in sizes))


@inner
def sum_neighbour_energy(table: Table, state: State, site: int) -> None:
    """Pair energy of every species on one site, from the counts of its neighbours."""
    for s in range(len(table.charge)):
        energy = 0.0
        for t in range(len(table.charge)):
            energy += table.pair_energy[s, t] * state.neighbour_count[site, t]
        state.neighbour_energy[site, s] = energy


@inner
def refresh_edge(table: Table, state: State, i: int, edge: int) -> bool:
    """All pair rates on one directed edge; True when one of them changed."""
    j = np.int64(table.target[edge])
    a, b = state.occupation[i], state.occupation[j]
    changed = False
    for slot in range(state.pair_rate.shape[1]):
        process, old = table.pair_match[a, b, slot], state.pair_rate[edge, slot]
        rate = pair_rate(table, state, process, i, j, edge) if process >= 0 else 0.0
        if rate != old:
            state.pair_rate[edge, slot] = rate
            changed = True
    return changed


@inner
def refresh_singles(table: Table, state: State, i: int) -> bool:
    """All one-site rates of one site; True when one of them changed."""
    a = state.occupation[i]
    changed = False
    for slot in range(state.single_rate.shape[1]):
        process, old = table.single_match[a, slot], state.single_rate[i, slot]
        rate = single_rate(table, state, process, i) if process >= 0 else 0.0
        if rate != old:
            state.single_rate[i, slot] = rate
            changed = True
    return changed


@inner
def site_total(table: Table, state: State, i: int) -> float:
    """The sum of all rates that start at one site."""
    total = 0.0
    for edge in range(table.start[i], table.start[i + 1]):
        for slot in range(state.pair_rate.shape[1]):
            total += state.pair_rate[edge, slot]
    for slot in range(state.single_rate.shape[1]):
        total += state.single_rate[i, slot]
    return total


@kernel
def refresh_all(table: Table, state: State) -> None:
    """All that follows from occupation, reservoirs and fields: neighbour counts and energies, rates, the tree."""
    if table.has_pair_energy:
        state.neighbour_count[:] = 0
        for i in range(len(state.occupation)):
            for edge in range(table.start[i], table.start[i + 1]):
                if table.shell[edge]:
                    state.neighbour_count[i, state.occupation[table.target[edge]]] += 1
            sum_neighbour_energy(table, state, i)
    width = len(state.tree) // 2
    for i in range(len(state.occupation)):
        for edge in range(table.start[i], table.start[i + 1]):
            refresh_edge(table, state, i, edge)
        refresh_singles(table, state, i)
        state.tree[width + i] = site_total(table, state, i)
    sumtree.rebuild(state.tree)


@inner
def place(table: Table, state: State, site: int, species: int) -> None:
    """Put a species on a site and tell the neighbours' pair energies; rates are refreshed by the caller."""
    old = state.occupation[site]
    state.occupation[site] = species
    if table.has_pair_energy and old != species:
        for edge in range(table.start[site], table.start[site + 1]):
            if table.shell[edge]:
                neighbour = np.int64(table.target[edge])
                state.neighbour_count[neighbour, old] -= 1
                state.neighbour_count[neighbour, species] += 1
                sum_neighbour_energy(table, state, neighbour)


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
def has_process(table: Table, first: int, second: int) -> bool:
    """Whether a pair of species can have a rate above zero."""
    return table.pair_match[first, second, 0] >= 0


@inner
def refresh_around(table: Table, state: State, i: int, j: int, scratch: Scratch) -> None:
    """Rates that an event at i (and j, or -1) can have changed: all that involve a site whose energies it touched.

    Edges whose two species have no process, and had none before the event, are passed over unread.
    """
    scratch.tick[0] += 1
    scratch.lengths[:] = 0
    tick = scratch.tick[0]
    mark_touched(scratch, i)
    if j >= 0:
        mark_touched(scratch, j)
    placed = scratch.lengths[0]
    if table.has_pair_energy:
        for k in range(placed):
            for edge in range(table.start[scratch.touched_list[k]], table.start[scratch.touched_list[k] + 1]):
                if table.shell[edge]:
                    mark_touched(scratch, np.int64(table.target[edge]))
    for k in range(scratch.lengths[0]):
        site = scratch.touched_list[k]
        species = state.occupation[site]
        was = state.previous[site] if k < placed else species
        new = refresh_singles(table, state, site)
        for edge in range(table.start[site], table.start[site + 1]):
            neighbour = np.int64(table.target[edge])
            other = state.occupation[neighbour]
            other_was = state.previous[neighbour] if neighbour in (i, j) else other
            if has_process(table, species, other) or has_process(table, was, other_was):
                new |= refresh_edge(table, state, site, edge)
            if (
                scratch.touched[neighbour] != tick  # otherwise its own turn comes
                and (has_process(table, other, species) or has_process(table, other, was))
                and refresh_edge(table, state, neighbour, np.int64(table.reverse[edge]))
            ):
                mark_changed(scratch, neighbour)
        if new:
            mark_changed(scratch, site)
    for k in range(scratch.lengths[1]):
        site = scratch.changed_list[k]
        sumtree.update(state.tree, site, site_total(table, state, site))


@inner
def refresh_contacts(table: Table, state: State, reservoir: int) -> None:
    """One-site rates of all sites that touch a reservoir whose filling changed."""
    for k in range(table.contact_start[reservoir], table.contact_start[reservoir + 1]):
        site = np.int64(table.contact_site[k])
        if refresh_singles(table, state, site):
            sumtree.update(state.tree, site, site_total(table, state, site))


@inner
def choose(table: Table, state: State) -> tuple[int, int, int]:
    """Draw an event: its site, its edge (or -1) and its process."""
    site, rest = sumtree.find(state.tree, next_uniform(state.random) * state.tree[1])
    last_edge, last_process = -1, -1  # the last possible event, for a rest that rounding left behind it
    species = state.occupation[site]
    for edge in range(table.start[site], table.start[site + 1]):
        for slot in range(state.pair_rate.shape[1]):
            rate = state.pair_rate[edge, slot]
            if rate > 0.0:
                last_edge = edge
                last_process = table.pair_match[species, state.occupation[table.target[edge]], slot]
                if rest < rate:
                    return site, last_edge, last_process
                rest -= rate
    for slot in range(state.single_rate.shape[1]):
        rate = state.single_rate[site, slot]
        if rate > 0.0:
            last_edge, last_process = -1, table.single_match[species, slot]
            if rest < rate:
                break
            rest -= rate
    return site, last_edge, last_process


@inner
def execute(table: Table, state: State, site: int, partner: int, process: int) -> None:
    """Carry out an event on a site and its partner (or -1) and keep the books.

    An event is a flicker when it restores what stood on its site(s) before their last event, which was a common one.
    """
    state.events[0] += 1
    number = state.events[0]
    state.counts[process] += 1
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
    place(table, state, site, table.after[process, 0])
    if partner >= 0:
        state.previous[partner] = state.occupation[partner]
        state.last_event[partner] = number
        place(table, state, partner, table.after[process, 1])
    if table.reservoir[process] >= 0:
        state.reservoir_count[table.reservoir[process]] += table.step[process]


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
def run(table: Table, state: State, watch: Watch, scratch: Scratch, until: float, max_events: int) -> int:
    """Advance to a time, a number of events, or until the watched sum passes its limit; returns why it stopped."""
    for _ in range(max_events):
        total = state.tree[1]
        if total < _NO_RATE:
            return FROZEN
        advance_clock(state.clock, -np.log(next_uniform(state.random)) / total)
        if state.clock[0] >= until:
            return TIME
        site, edge, process = choose(table, state)
        partner = np.int64(table.target[edge]) if edge >= 0 else -1
        for x in (site, partner):
            if x >= 0 and state.occupation[x] != watch.reference[x]:
                watch.moved[0] -= watch.weight[x]
        execute(table, state, site, partner, process)
        for x in (site, partner):
            if x >= 0 and state.occupation[x] != watch.reference[x]:
                watch.moved[0] += watch.weight[x]
        refresh_around(table, state, site, partner, scratch)
        if table.reservoir[process] >= 0:
            refresh_contacts(table, state, table.reservoir[process])
        if watch.moved[0] > watch.limit:
            return WATCH
    return EVENTS


@kernel
def list_events(table: Table, state: State, process: int, partners: Ints, rates: Floats, changes: Floats) -> None:
    """Rate and energy change of one process wherever it is possible: by edge, or by site for one-site processes."""
    for i in range(len(state.occupation)):
        if state.occupation[i] != table.before[process, 0]:
            continue
        if table.before[process, 1] < 0:
            rates[i] = single_rate(table, state, process, i)
            changes[i] = single_change(table, state, process, i)
            continue
        for edge in range(table.start[i], table.start[i + 1]):
            j = np.int64(table.target[edge])
            if state.occupation[j] == table.before[process, 1]:
                partners[edge] = j
                rates[edge] = pair_rate(table, state, process, i, j, edge)
                changes[edge] = pair_change(table, state, process, i, j, edge)
