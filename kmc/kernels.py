"""The event loop: select, execute, refresh only what the event touched."""

import numpy as np

from kmc import tree as sumtree
from kmc.jit import kernel
from kmc.random import next_uniform
from kmc.rates import Floats, Ints, State, Table, pair_rate, single_rate

#: Why :func:`run` came back.
TIME, EVENTS, FROZEN, WATCH = 0, 1, 2, 3


@kernel
def fill_neighbour_energy(table: Table, state: State) -> None:
    """Pair energy of every species on every site, from scratch."""
    state.neighbour_energy[:] = 0.0
    if not table.has_pair_energy:
        return
    for i in range(len(state.occupation)):
        for edge in range(table.start[i], table.start[i + 1]):
            if table.shell[edge]:
                neighbour = state.occupation[table.target[edge]]
                for s in range(len(table.charge)):
                    state.neighbour_energy[i, s] += table.pair_energy[s, neighbour]


@kernel
def refresh_edge(table: Table, state: State, i: int, edge: int) -> None:
    """All pair rates on one directed edge."""
    j = table.target[edge]
    a, b = state.occupation[i], state.occupation[j]
    for slot in range(state.pair_rate.shape[1]):
        process = table.pair_match[a, b, slot]
        state.pair_rate[edge, slot] = pair_rate(table, state, process, i, j, edge) if process >= 0 else 0.0


@kernel
def refresh_singles(table: Table, state: State, i: int) -> None:
    """All one-site rates of one site."""
    a = state.occupation[i]
    for slot in range(state.single_rate.shape[1]):
        process = table.single_match[a, slot]
        state.single_rate[i, slot] = single_rate(table, state, process, i) if process >= 0 else 0.0


@kernel
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
    """Every rate and the whole tree, as after new fields."""
    width = len(state.tree) // 2
    for i in range(len(state.occupation)):
        for edge in range(table.start[i], table.start[i + 1]):
            refresh_edge(table, state, i, edge)
        refresh_singles(table, state, i)
        state.tree[width + i] = site_total(table, state, i)
    for node in range(width - 1, 0, -1):
        state.tree[node] = state.tree[2 * node] + state.tree[2 * node + 1]


@kernel
def place(table: Table, state: State, site: int, species: int) -> None:
    """Put a species on a site and tell the neighbours' pair energies; rates are refreshed by the caller."""
    old = state.occupation[site]
    state.occupation[site] = species
    if table.has_pair_energy and old != species:
        for edge in range(table.start[site], table.start[site + 1]):
            if table.shell[edge]:
                neighbour = table.target[edge]
                for s in range(len(table.charge)):
                    state.neighbour_energy[neighbour, s] += table.pair_energy[s, species] - table.pair_energy[s, old]


@kernel
def refresh_around(table: Table, state: State, i: int, j: int, stamp: Ints, tick: int, work: Ints) -> None:
    """Rates that an event at i (and j, or -1) can have changed: edges of the sites whose energies it touched."""
    touched = 0
    for site in (i, j):
        if site >= 0 and stamp[site] != tick:
            stamp[site] = tick
            work[touched] = site
            touched += 1
    if table.has_pair_energy:
        for centre in range(touched):
            site = work[centre]
            for edge in range(table.start[site], table.start[site + 1]):
                neighbour = table.target[edge]
                if table.shell[edge] and stamp[neighbour] != tick:
                    stamp[neighbour] = tick
                    work[touched] = neighbour
                    touched += 1
    resum = touched
    for k in range(touched):
        site = work[k]
        for edge in range(table.start[site], table.start[site + 1]):
            refresh_edge(table, state, site, edge)
            neighbour = table.target[edge]
            if stamp[neighbour] < tick:
                stamp[neighbour] = tick + 1
                work[resum] = neighbour
                resum += 1
            if stamp[neighbour] == tick + 1:
                refresh_edge(table, state, neighbour, table.reverse[edge])
        refresh_singles(table, state, site)
    for k in range(resum):
        sumtree.update(state.tree, work[k], site_total(table, state, work[k]))


@kernel
def refresh_contacts(table: Table, state: State, reservoir: int, contacts: Ints) -> None:
    """One-site rates of all sites that touch a reservoir whose filling changed."""
    for k in range(len(contacts)):
        site = contacts[k]
        if table.contact[site] == reservoir:
            refresh_singles(table, state, site)
            sumtree.update(state.tree, site, site_total(table, state, site))


@kernel
def choose(table: Table, state: State) -> tuple[int, int, int]:
    """Draw an event: its site, its edge (or -1) and its process."""
    while True:
        total = state.tree[1]
        site, rest = sumtree.find(state.tree, next_uniform(state.random) * total)
        last_edge, last_process = -2, -1
        for edge in range(table.start[site], table.start[site + 1]):
            for slot in range(state.pair_rate.shape[1]):
                rate = state.pair_rate[edge, slot]
                if rate > 0.0:
                    a, b = state.occupation[site], state.occupation[table.target[edge]]
                    last_edge, last_process = edge, table.pair_match[a, b, slot]
                    if rest < rate:
                        return site, last_edge, last_process
                    rest -= rate
        for slot in range(state.single_rate.shape[1]):
            rate = state.single_rate[site, slot]
            if rate > 0.0:
                last_edge, last_process = -1, table.single_match[state.occupation[site], slot]
                if rest < rate:
                    return site, last_edge, last_process
                rest -= rate
        if last_process >= 0:  # rounding left a rest behind the last possible event
            return site, last_edge, last_process


@kernel
def execute(table: Table, state: State, site: int, edge: int, process: int) -> int:
    """Carry out an event and keep the books; returns the partner site or -1.

    An event is a flicker when it restores what stood on its site(s) before their last event, which was a common one.
    """
    state.events[0] += 1
    number = state.events[0]
    state.counts[process] += 1
    partner = table.target[edge] if edge >= 0 else -1
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
    return partner


@kernel
def run(
    table: Table,
    state: State,
    until: float,
    max_events: int,
    contacts: Ints,
    reference: Ints,
    weight: Floats,
    indicator: Floats,
    bound: float,
    stamp: Ints,
    work: Ints,
) -> int:
    """Advance to a time, a number of events, or until the watched sum of squared weights passes its bound.

    ``indicator[0]`` is the sum of ``weight**2`` over sites whose species differs from ``reference``: what moved since
    the fields were solved, each site weighted by how much its change could move the potential. ``stamp`` (N, zeros)
    and ``work`` (N) are scratch.
    """
    tick = 1
    done = 0
    while done < max_events:
        total = state.tree[1]
        if total <= 0.0:
            state.clock[0] = until
            return FROZEN
        state.clock[0] -= np.log(next_uniform(state.random)) / total
        if state.clock[0] >= until:
            state.clock[0] = until
            return TIME
        site, edge, process = choose(table, state)
        partner = table.target[edge] if edge >= 0 else -1
        for x in (site, partner):
            if x >= 0 and state.occupation[x] != reference[x]:
                indicator[0] -= weight[x] * weight[x]
        execute(table, state, site, edge, process)
        for x in (site, partner):
            if x >= 0 and state.occupation[x] != reference[x]:
                indicator[0] += weight[x] * weight[x]
        tick += 2
        refresh_around(table, state, site, partner, stamp, tick, work)
        if table.reservoir[process] >= 0:
            refresh_contacts(table, state, table.reservoir[process], contacts)
        done += 1
        if indicator[0] > bound:
            return WATCH
    return EVENTS
