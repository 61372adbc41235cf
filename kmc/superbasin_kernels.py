"""Kernels of :mod:`kmc.superbasin`: find the configurations, build the chain on them, draw how it is left.

Rates that leave the set are summed event by event: nothing is subtracted from a total (:mod:`kmc.superbasin_chain`).
"""

import numpy as np

from kmc import tree as sumtree
from kmc.jit import inner, kernel, part
from kmc.keeping import (
    Scratch,
    Selection,
    kept_pair_rate,
    kept_single_rate,
    place,
    refresh_around,
    refresh_contacts,
    weigh,
)
from kmc.kernels import EVENTS, FROZEN, TIME, WATCH, advance_clock, execute
from kmc.rates import State, Table, kind_of
from kmc.superbasin_chain import FIRST_WAIT, TERMS, Basin, draw, solve
from kmc.watching import Watch, passed
from kmc.xoshiro import next_uniform

#: Columns of Basin.size.
_STATES, _SITES, _MOVES, _CANDIDATES = range(4)

#: An event belongs to the chain, or could, when the set is left by it with at least this probability over the most
#: configurations that there may be.
_SHARE = 0.5

#: A larger set has to multiply the expected number of events by this, else the search is over.
_BETTER = 4.0

#: Costs in events (rough): of a visit, of a state, and of one multiplication in the powers of the chain.
_VISIT_COST, _STATE_COST, _PRODUCT_COST = 30.0, 12.0, 2e-3

#: Events until the next search after a failed one, at most; it doubles after every further one.
_LONGEST_WAIT = 65_536

_NO_RATE = 1e-290


@inner
def _key(place: int, what: int) -> np.uint64:
    """64 random-looking bits (the finaliser of splitmix64) for something in some place."""
    word = np.uint64(place) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(what) * np.uint64(0xD1B54A32D192ED03)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@part
def _refresh(
    table: Table, state: State, select: Selection, scratch: Scratch, i: int, j: int, was_i: int, was_j: int
) -> None:
    """All rates that other species at i and j (or -1) can have changed."""
    refresh_around(table, state, select, i, j, was_i, was_j, scratch)


@part
def _refresh_contacts(table: Table, state: State, select: Selection, reservoir: int) -> None:
    """All rates that another filling of a reservoir can have changed."""
    refresh_contacts(table, state, select, reservoir)


@part
def move(table: Table, state: State, select: Selection, scratch: Scratch, basin: Basin, to: int) -> None:
    """Bring the lattice into a configuration of the set, with its rates; nothing is counted."""
    none = np.int64(-1)
    waiting, was_waiting = none, none
    for b in range(basin.size[_SITES] + 1):  # one more, for the last of an odd number
        site, was = none, none
        if b < basin.size[_SITES]:
            site = basin.site[b]
            was, new = np.int64(state.occupation[site]), np.int64(basin.species[to, b])
            if was == new:
                continue
            place(table, state, site, new)
            if waiting < 0:
                waiting, was_waiting = site, was
                continue
        if waiting >= 0:
            _refresh(table, state, select, scratch, waiting, site, was_waiting, was)
            waiting = none
    for r in range(len(state.reservoir_count)):
        if state.reservoir_count[r] != basin.held[to, r]:
            state.reservoir_count[r] = basin.held[to, r]
            _refresh_contacts(table, state, select, np.int64(r))


@part
def _same(table: Table, basin: Basin, i: int, j: int, site: int, partner: int, process: int) -> bool:
    """Whether a process on configuration i gives configuration j."""
    first, second = site < 0, partner < 0
    for b in range(basin.size[_SITES]):
        here = np.int64(basin.species[i, b])
        if basin.site[b] == site:
            here, first = table.after[process, 0], True
        elif basin.site[b] == partner:
            here, second = table.after[process, 1], True
        if basin.species[j, b] != here:
            return False
    first |= table.after[process, 0] == table.before[process, 0]
    second |= partner >= 0 and table.after[process, 1] == table.before[process, 1]
    for r in range(basin.held.shape[1]):
        step = table.step[process] if table.reservoir[process] == r else 0
        if basin.held[i, r] + step != basin.held[j, r]:
            return False
    return first and second


@part
def _code_after(table: Table, state: State, basin: Basin, i: int, site: int, partner: int, process: int) -> np.uint64:
    """The hash of what a process makes of configuration i."""
    code = basin.code[i] ^ _key(site, table.before[process, 0]) ^ _key(site, table.after[process, 0])
    if partner >= 0:
        code ^= _key(partner, table.before[process, 1]) ^ _key(partner, table.after[process, 1])
    r = table.reservoir[process]
    if r >= 0:
        place = len(state.occupation) + r
        code ^= _key(place, basin.held[i, r]) ^ _key(place, basin.held[i, r] + table.step[process])
    return code


@part
def _moved_after(
    table: Table, watch: Watch, basin: Basin, i: int, site: int, partner: int, process: int
) -> tuple[int, int]:
    """The watched sums after a process on configuration i."""
    moved, shift = basin.moved[i, 0], basin.moved[i, 1]
    if len(watch.reference):
        for which in range(2):
            x = site if which == 0 else partner
            if x >= 0:
                if watch.group[table.before[process, which]] != watch.reference[x]:
                    moved -= watch.weight[x]
                    shift -= watch.change[x]
                if watch.group[table.after[process, which]] != watch.reference[x]:
                    moved += watch.weight[x]
                    shift += watch.change[x]
    return moved, shift


@part
def _note(
    table: Table, state: State, watch: Watch, basin: Basin, i: int, states: int, site: int, edge: int, process: int,
    rate: float,
) -> None:  # fmt: skip
    """A fast event of configuration i: a move of the chain if it leads to one of the others, else a candidate."""
    partner = np.int64(table.target[edge]) if edge >= 0 else -1
    code = _code_after(table, state, basin, i, site, partner, process)
    moved, shift = _moved_after(table, watch, basin, i, site, partner, process)
    if code == basin.code[i] or passed(watch, moved, shift):
        return  # changes nothing, or ends the run: an exit
    for j in range(states):
        if basin.code[j] == code and _same(table, basin, i, j, site, partner, process):
            m = basin.size[_MOVES]
            if m < len(basin.move_to):
                basin.move_to[m], basin.move_site[m], basin.move_edge[m] = j, site, edge
                basin.move_process[m], basin.move_rate[m] = process, rate
                basin.size[_MOVES] = m + 1
            return
    c = basin.size[_CANDIDATES]
    if c < len(basin.candidate):
        basin.candidate[c, 0], basin.candidate[c, 1] = i, site
        basin.candidate[c, 2], basin.candidate[c, 3] = edge, process
        basin.candidate_code[c], basin.candidate_rate[c] = code, rate
        basin.size[_CANDIDATES] = c + 1


@part
def _look(
    table: Table, state: State, select: Selection, watch: Watch, basin: Basin, i: int, states: int, least: float
) -> None:
    """Note all events of configuration i, in which the lattice is, whose rate is at least ``least``."""
    tree = select.tree
    width = len(tree) >> 1
    depth = 1
    basin.stack[0] = 1
    while depth > 0:
        depth -= 1
        node = basin.stack[depth]
        if tree[node] < least:
            continue
        if node < width:
            basin.stack[depth], basin.stack[depth + 1] = 2 * node + 1, 2 * node
            depth += 2
            continue
        site = node - width
        species = np.int64(state.occupation[site])
        if table.exact_from[species]:
            for edge in range(table.start[site], table.start[site + 1]):
                for slot in range(table.pair_match.shape[3]):
                    rate = kept_pair_rate(table, state, site, edge, slot)
                    if rate >= least:
                        partner = np.int64(state.occupation[table.target[edge]])
                        process = table.pair_match[kind_of(table, edge), species, partner, slot]
                        _note(table, state, watch, basin, i, states, site, edge, process, rate)
        if table.exact_single[species]:
            for slot in range(table.single_match.shape[1]):
                rate = kept_single_rate(table, state, site, slot)
                if rate >= least:
                    process = table.single_match[species, slot]
                    _note(table, state, watch, basin, i, states, site, np.int64(-1), process, rate)


@inner
def _inside(basin: Basin, i: int, site: int, edge: int, process: int) -> bool:
    """Whether an event is a move of the chain from configuration i."""
    for m in range(basin.first[i], basin.first[i + 1]):
        if basin.move_site[m] == site and basin.move_edge[m] == edge and basin.move_process[m] == process:
            return True
    return False


@part
def _exit_of(table: Table, state: State, basin: Basin, i: int, site: int, rest: float) -> tuple[int, int, float]:
    """The exit of configuration i at a site that ``rest`` falls on: edge, process, and the sum of rates up to it.

    Beyond their sum it is the last one, so that with an infinite ``rest`` the third result is the sum of all.
    """
    last_edge, last_process, total = -1, -1, 0.0
    species = np.int64(state.occupation[site])
    if table.exact_from[species]:
        for edge in range(table.start[site], table.start[site + 1]):
            for slot in range(table.pair_match.shape[3]):
                rate = kept_pair_rate(table, state, site, edge, slot)
                if rate > 0.0:
                    partner = np.int64(state.occupation[table.target[edge]])
                    process = table.pair_match[kind_of(table, edge), species, partner, slot]
                    if not _inside(basin, i, site, edge, process):
                        last_edge, last_process = edge, process
                        total += rate
                        if rest < total:
                            return last_edge, last_process, total
    if table.exact_single[species]:
        for slot in range(table.single_match.shape[1]):
            rate = kept_single_rate(table, state, site, slot)
            if rate > 0.0:
                process = table.single_match[species, slot]
                if not _inside(basin, i, site, -1, process):
                    last_edge, last_process = -1, process
                    total += rate
                    if rest < total:
                        return last_edge, last_process, total
    return last_edge, last_process, total


@part
def _hide(table: Table, state: State, select: Selection, basin: Basin, i: int) -> None:
    """Take the moves of configuration i, in which the lattice is, out of the tree: exits are left."""
    for m in range(basin.first[i], basin.first[i + 1]):
        if m == basin.first[i] or basin.move_site[m] != basin.move_site[m - 1]:
            site = basin.move_site[m]
            _, _, total = _exit_of(table, state, basin, i, site, np.inf)
            sumtree.update(select.tree, site, total)


@part
def _show(table: Table, state: State, select: Selection, basin: Basin, i: int) -> None:
    """Put them back."""
    for m in range(basin.first[i], basin.first[i + 1]):
        weigh(table, state, select, basin.move_site[m])


@part
def _build(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, basin: Basin, states: int
) -> None:
    """Moves and exits of the first configurations of the set, and what could be taken in as well."""
    basin.size[_MOVES] = basin.size[_CANDIDATES] = 0
    for i in range(states):
        move(table, state, select, scratch, basin, i)
        if basin.least[i] < 0.0:
            basin.least[i] = _SHARE / len(basin.code) * select.tree[1]
        basin.first[i] = basin.size[_MOVES]
        if basin.least[i] > 0.0:
            _look(table, state, select, watch, basin, i, states, basin.least[i])
        basin.first[i + 1] = basin.size[_MOVES]
        _hide(table, state, select, basin, i)
        basin.leave[i] = select.tree[1]
        _show(table, state, select, basin, i)
    for i in range(states):
        for j in range(states):
            basin.rate[i, j] = 0.0
        for m in range(basin.first[i], basin.first[i + 1]):
            basin.rate[i, basin.move_to[m]] += basin.move_rate[m]


@part
def _grow(table: Table, state: State, watch: Watch, basin: Basin, most: int) -> int:
    """Take in up to ``most`` configurations, those first to which the set is left most often; how many they are."""
    candidates = basin.size[_CANDIDATES]
    for c in range(candidates):
        basin.candidate_rate[c] *= basin.share[basin.candidate[c, 0]]  # now a probability
    for c in range(candidates):
        for d in range(c):
            if basin.candidate_code[c] == basin.candidate_code[d]:
                basin.candidate_rate[d] += basin.candidate_rate[c]
                basin.candidate_rate[c] = 0.0
                break
    grown = 0
    while grown < most:
        best = -1
        for c in range(candidates):
            if basin.candidate_rate[c] >= _SHARE / len(basin.code) and (
                best < 0 or basin.candidate_rate[c] > basin.candidate_rate[best]
            ):
                best = c
        if best < 0:
            break
        basin.candidate_rate[best] = 0.0
        i, site = basin.candidate[best, 0], basin.candidate[best, 1]
        edge, process = basin.candidate[best, 2], basin.candidate[best, 3]
        partner = np.int64(table.target[edge]) if edge >= 0 else -1
        new = basin.size[_STATES]
        for b in range(basin.size[_SITES]):
            basin.species[new, b] = basin.species[i, b]
        for which in range(2):
            x = site if which == 0 else partner
            if x < 0:
                continue
            b = 0
            while b < basin.size[_SITES] and basin.site[b] != x:
                b += 1
            if b == basin.size[_SITES]:  # so far all agree in it
                basin.size[_SITES] += 1
                basin.site[b] = x
                for j in range(new):
                    basin.species[j, b] = table.before[process, which]
            basin.species[new, b] = table.after[process, which]
        for r in range(basin.held.shape[1]):
            basin.held[new, r] = basin.held[i, r] + (table.step[process] if table.reservoir[process] == r else 0)
        basin.code[new] = basin.candidate_code[best]
        basin.moved[new, 0], basin.moved[new, 1] = _moved_after(table, watch, basin, i, site, partner, process)
        basin.least[new] = -1.0
        basin.size[_STATES] = new + 1
        grown += 1
    return grown


# -- the chain -------------------------------------------------------------------------------------------------------


@inner
def _cost(states: int, events: float) -> float:
    """What a visit costs, in events."""
    products = states**3 * (2.0 * TERMS + np.log2(2.0 + events))
    return _VISIT_COST + _STATE_COST * states + _PRODUCT_COST * products


@part
def explore(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, basin: Basin, span: float
) -> int:
    """Find the set around the present configuration and build its chain; how many configurations, or 0: not worth it.

    The set is doubled, each time by the configurations to which it is left most often, until it is worth a visit and
    grows no better, or is full. ``span`` is the time that is left, s.
    """
    basin.visits[2] += 1
    basin.size[:] = 0
    basin.size[_STATES] = 1
    basin.code[0] = 0
    basin.moved[0, 0], basin.moved[0, 1] = watch.moved[0], watch.moved[1]
    basin.least[0] = -1.0
    for r in range(len(state.reservoir_count)):
        basin.held[0, r] = state.reservoir_count[r]
    best, best_score, last = 0, 0.0, 0.0
    while True:
        states = basin.size[_STATES]
        _build(table, state, select, watch, scratch, basin, states)
        time, rate, possible = solve(basin, states)
        if not possible:
            break
        events = rate * min(time, span)
        score = events / _cost(states, events)
        if score > best_score and events < np.inf:
            best, best_score = states, score
            for i in range(states):
                basin.best_least[i] = basin.least[i]
        if states == len(basin.code) or (best_score >= basin.gain and events < _BETTER * last):
            break
        last = events
        for i in range(states):
            basin.least[i] = _SHARE / len(basin.code) / basin.share[i]
        if _grow(table, state, watch, basin, min(states, len(basin.code) - states)) == 0:
            break
    if best_score < basin.gain:
        move(table, state, select, scratch, basin, np.int64(0))
        return 0
    if best < states:
        for i in range(best):
            basin.least[i] = basin.best_least[i]
        _build(table, state, select, watch, scratch, basin, best)
    return best


@part
def _happen(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, basin: Basin, i: int, site: int,
    edge: int, process: int,
) -> None:  # fmt: skip
    """Carry out an exit of configuration i, in which the lattice is; see :func:`kmc.kernels.happen`."""
    partner = np.int64(table.target[edge]) if edge >= 0 else np.int64(-1)
    was, was_partner = np.int64(state.occupation[site]), np.int64(-1)
    if partner >= 0:
        was_partner = np.int64(state.occupation[partner])
    watch.moved[0], watch.moved[1] = _moved_after(table, watch, basin, i, site, partner, process)
    execute(table, state, site, partner, process, edge)
    _refresh(table, state, select, scratch, site, partner, was, was_partner)
    if table.step[process] != 0:
        _refresh_contacts(table, state, select, table.reservoir[process])


@part
def _settle(basin: Basin, states: int, leaves: bool, uniform: float) -> int:
    """Which configuration it is at the time drawn: by ``now``, times the exit rates where the set is left."""
    total = 0.0
    for i in range(states):
        if leaves:
            basin.now[i] *= basin.leave[i]
        total += basin.now[i]
    target = total * uniform
    chosen = 0
    for i in range(states):
        if basin.now[i] > 0.0:
            chosen = i
            if target < basin.now[i]:
                break
            target -= basin.now[i]
    return chosen


@kernel
def run_visits(
    table: Table, state: State, select: Selection, watch: Watch, scratch: Scratch, basin: Basin, until: float,
    max_events: int,
) -> int:  # fmt: skip
    """Visits as long as they pay, of at most so many exits; why it came back as :func:`kmc.kernels.run_tree` says it.

    A visit leads from the present configuration to where its set is left, or to that at ``until``.
    """
    last = state.events[0] + max_events
    while state.events[0] < last:
        if select.tree[1] < _NO_RATE:
            return FROZEN
        span = until - state.clock[0]
        states = explore(table, state, select, watch, scratch, basin, span)
        if states == 0:
            basin.due[0] = state.events[0] + basin.due[1]
            basin.due[1] = min(2 * basin.due[1], _LONGEST_WAIT)
            return EVENTS
        basin.visits[0] += 1
        time, leaves = draw(basin, states, next_uniform(state.random), span)
        chosen = _settle(basin, states, leaves, next_uniform(state.random))
        move(table, state, select, scratch, basin, chosen)
        watch.moved[0], watch.moved[1] = basin.moved[chosen, 0], basin.moved[chosen, 1]
        if len(state.last_event):
            for b in range(basin.size[_SITES]):
                state.last_event[basin.site[b]] = 0
        basin.due[0] = state.events[0] + 1 if leaves else state.events[0]
        basin.due[1] = FIRST_WAIT
        advance_clock(state.clock, time)
        if state.clock[0] >= until or (time >= span and not leaves):
            basin.visits[1] += 1
            basin.due[0] = state.events[0]
            return TIME
        if leaves:
            _hide(table, state, select, basin, chosen)
            site, rest = sumtree.find(select.tree, next_uniform(state.random) * select.tree[1])
            _show(table, state, select, basin, chosen)
            edge, process, _ = _exit_of(table, state, basin, chosen, site, rest)
            _happen(table, state, select, watch, scratch, basin, chosen, site, edge, process)
            if passed(watch, watch.moved[0], watch.moved[1]):
                return WATCH
    return EVENTS
