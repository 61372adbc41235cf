"""Kernels of :mod:`kmc.superbasin`: find the configurations, build the chain on them, draw how it is left.

Nothing here subtracts large numbers from each other. Rates that leave the set are summed event by event, the chain is
solved by elimination without subtraction (Grassmann, Taksar, Heyman, 10.1287/opre.33.5.1107), and powers of its
transition matrix keep the probability of having left as a column of its own, with every row scaled to the sum 1. So
rates may lie any number of decades apart.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
from kmc.kernels import EVENTS, FROZEN, TIME, WATCH, Watch, advance_clock, execute
from kmc.rates import Floats, Ints, State, Table, kind_of
from kmc.xoshiro import next_uniform

#: No set of configurations was found that is worth a visit.
_NONE = -1

#: Columns of Basin.size.
_STATES, _SITES, _MOVES, _CANDIDATES = range(4)

#: An event belongs to the chain, or could, when the set is left by it with at least this probability over the most
#: configurations that there may be.
_SHARE = 0.5

#: A larger set has to multiply the expected number of events by this, else the search is over.
_BETTER = 4.0

#: Costs in events (measured): of a visit, of a state, and of one multiplication in the powers of the chain.
_VISIT_COST, _STATE_COST, _PRODUCT_COST = 30.0, 12.0, 2e-3

#: Events until the next search after a failed one: at first, doubled after every further one, at most.
FIRST_WAIT, _LONGEST_WAIT = 256, 65_536

#: First step of the powers, in units of the mean time of the fastest state, and terms of its series (error 1e-19).
_STEP, _TERMS = 1.0 / 64.0, 8

#: Powers of two of the first step: the last is 2^90 mean times of the fastest state.
_POWERS = 97

#: Candidates and moves of the chain by configuration; what is beyond stays an exit.
_CANDIDATES_PER_STATE, _MOVES_PER_STATE = 8, 32

_NO_RATE = 1e-290


class Basin(NamedTuple):
    """A set of up to M configurations and the chain on them; the first three arrays belong in a checkpoint."""

    due: Ints  # (2,) number of events before which to search next; events to wait after a failed search
    visits: Ints  # (3,) visits, of them those that the end of the time ended, searches
    events: Floats  # (P,) expected number of events inside the visits, by process
    gain: float  # a visit has to save so many times its cost
    size: Ints  # (4,) configurations, sites, moves, candidates
    site: Ints  # (2 M + 2,) the sites in which configurations differ
    species: NDArray[np.int8]  # (M, 2 M + 2) what stands there
    held: Ints  # (M, R) what the reservoirs hold
    code: NDArray[np.uint64]  # (M,) Zobrist's hash of the difference to the first configuration
    moved: Ints  # (M,) the watched sum
    least: Floats  # (M,) slowest rate that counts, 1/s; negative: not yet known
    best_least: Floats  # (M,)
    first: Ints  # (M + 1,) where the moves of a configuration begin
    move_to: Ints  # (32 M,)
    move_site: Ints
    move_edge: Ints
    move_process: Ints
    move_rate: Floats
    leave: Floats  # (M,) sum of the rates of everything that is not a move of the chain, 1/s
    candidate: Ints  # (C, 4) from which configuration, site, edge, process
    candidate_code: NDArray[np.uint64]  # (C,)
    candidate_rate: Floats  # (C,)
    stack: Ints  # (128,)
    rate: Floats  # (M, M) between configurations, 1/s
    work: Floats  # (M, M)
    share: Floats  # (M,) expected time in each configuration, s
    power: Floats  # (97, M, M + 1) transition probabilities over 2^k steps; the last column: left by then
    expected: Floats  # (97, M, P) expected events by process meanwhile
    now: Floats  # (M,) probabilities
    later: Floats  # (M,)
    series: Floats  # (9, M)
    left: Floats  # (9,)


def new_basin(states: int, gain: float, processes: int, reservoirs: int) -> Basin:
    """Work space for up to ``states`` configurations."""
    sites, moves = 2 * states + 2, _MOVES_PER_STATE * states
    whole = [np.zeros(moves, dtype=np.int64) for _ in range(4)]
    return Basin(
        due=np.array([0, FIRST_WAIT]), visits=np.zeros(3, dtype=np.int64), events=np.zeros(processes), gain=gain,
        size=np.zeros(4, dtype=np.int64), site=np.zeros(sites, dtype=np.int64),
        species=np.zeros((states, sites), dtype=np.int8), held=np.zeros((states, reservoirs), dtype=np.int64),
        code=np.zeros(states, dtype=np.uint64), moved=np.zeros(states, dtype=np.int64), least=np.zeros(states),
        best_least=np.zeros(states), first=np.zeros(states + 1, dtype=np.int64), move_to=whole[0], move_site=whole[1],
        move_edge=whole[2], move_process=whole[3], move_rate=np.zeros(moves), leave=np.zeros(states),
        candidate=np.zeros((_CANDIDATES_PER_STATE * states, 4), dtype=np.int64),
        candidate_code=np.zeros(_CANDIDATES_PER_STATE * states, dtype=np.uint64),
        candidate_rate=np.zeros(_CANDIDATES_PER_STATE * states), stack=np.zeros(128, dtype=np.int64),
        rate=np.zeros((states, states)), work=np.zeros((states, states)), share=np.zeros(states),
        power=np.zeros((_POWERS, states, states + 1)), expected=np.zeros((_POWERS, states, processes)),
        now=np.zeros(states), later=np.zeros(states), series=np.zeros((_TERMS + 1, states)), left=np.zeros(_TERMS + 1),
    )  # fmt: skip


# -- configurations --------------------------------------------------------------------------------------------------


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
def _moved_after(table: Table, watch: Watch, basin: Basin, i: int, site: int, partner: int, process: int) -> int:
    """The watched sum after a process on configuration i."""
    moved = basin.moved[i]
    if len(watch.reference):
        for which in range(2):
            x = site if which == 0 else partner
            if x >= 0:
                if table.before[process, which] != watch.reference[x]:
                    moved -= watch.weight[x]
                if table.after[process, which] != watch.reference[x]:
                    moved += watch.weight[x]
    return moved


@part
def _note(
    table: Table, state: State, watch: Watch, basin: Basin, i: int, states: int, site: int, edge: int, process: int,
    rate: float,
) -> None:  # fmt: skip
    """A fast event of configuration i: a move of the chain if it leads to one of the others, else a candidate."""
    partner = np.int64(table.target[edge]) if edge >= 0 else -1
    code = _code_after(table, state, basin, i, site, partner, process)
    if code == basin.code[i] or _moved_after(table, watch, basin, i, site, partner, process) > watch.limit:
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
        basin.moved[new] = _moved_after(table, watch, basin, i, site, partner, process)
        basin.least[new] = -1.0
        basin.size[_STATES] = new + 1
        grown += 1
    return grown


# -- the chain -------------------------------------------------------------------------------------------------------


@kernel
def solve(basin: Basin, states: int) -> tuple[float, float, bool]:
    """Expected time until the set is left from configuration 0 (s) and rate of events in it (1/s); False: cannot be.

    With every exit bent back to configuration 0 the chain has a stationary distribution; times between exits follow
    from it. Leaves the expected time in each configuration in ``share``.
    """
    work = basin.work
    for i in range(states):
        for j in range(states):
            work[i, j] = basin.rate[i, j]
        work[i, 0] += basin.leave[i]
    for n in range(states - 1, 0, -1):
        total = 0.0
        for j in range(n):
            total += work[n, j]
        if not total > 0.0:
            return np.inf, 0.0, False
        for i in range(n):
            part = work[i, n] / total
            work[i, n] = part
            for j in range(n):
                work[i, j] += part * work[n, j]
    share = basin.share
    whole, leaving, inside = 0.0, 0.0, 0.0
    for n in range(states):
        share[n] = 1.0 if n == 0 else 0.0
        for i in range(n):
            share[n] += share[i] * work[i, n]
        whole += share[n]
        leaving += share[n] * basin.leave[n]
        for j in range(states):
            inside += share[n] * basin.rate[n, j]
    for n in range(states):
        share[n] = share[n] / leaving if leaving > 0.0 else share[n] / whole * 1e300
    return whole / leaving if leaving > 0.0 else np.inf, inside / whole, True


@inner
def _scale_row(basin: Basin, k: int, i: int, states: int) -> None:
    """A row of probabilities has the sum 1."""
    total = basin.power[k, i, states]
    for j in range(states):
        total += basin.power[k, i, j]
    for j in range(states + 1):
        basin.power[k, i, j] /= total


@part
def first_power(basin: Basin, states: int) -> float:
    """Transition probabilities over one step by uniformisation (sums of positive terms only); returns the step in s."""
    fastest = 0.0
    for i in range(states):
        total = basin.leave[i]
        for j in range(states):
            total += basin.rate[i, j]
        basin.share[i] = total  # of no use as an expected time any more
        fastest = max(fastest, total)
    power, count, work = basin.power, basin.expected, basin.work
    for i in range(states):  # one jump of the chain whose configurations all jump at the fastest rate
        for j in range(states):
            work[i, j] = basin.rate[i, j] / fastest
        work[i, i] += 1.0 - basin.share[i] / fastest
    # Horner: 1 + q/1 U (1 + q/2 U (...)), the column of those that left included; powers 0 and 1 take turns
    rest = 1.0  # of the scalar series for those that have left
    for i in range(states):
        for j in range(states + 1):
            power[0, i, j] = 1.0 if i == j else 0.0
    for k in range(_TERMS, 0, -1):
        here, there = (0, 1) if (_TERMS - k) % 2 == 0 else (1, 0)
        factor = _STEP / k
        for i in range(states):
            for j in range(states + 1):
                total = basin.leave[i] / fastest * rest if j == states else 0.0
                for n in range(states):
                    total += work[i, n] * power[here, n, j]
                power[there, i, j] = factor * total + (1.0 if i == j else 0.0)
        rest = 1.0 + factor * rest
    for i in range(states):  # an even number of terms: the result stands in power 0
        _scale_row(basin, 0, i, states)
    # expected events: the chance of more than k jumps, k jumps on, over the fastest rate
    processes = count.shape[2]
    for i in range(states):
        for p in range(processes):
            count[1, i, p] = 0.0
        for m in range(basin.first[i], basin.first[i + 1]):
            count[1, i, basin.move_process[m]] += basin.move_rate[m] / fastest
        for p in range(processes):
            count[0, i, p] = 0.0
    for k in range(_TERMS + 1):
        term = np.exp(-_STEP)
        for n in range(1, k + 2):
            term *= _STEP / n
        more, n = term, k + 1
        for _ in range(_TERMS):
            n += 1
            term *= _STEP / n
            more += term
        here, there = (1, 2) if k % 2 == 0 else (2, 1)
        for i in range(states):
            for p in range(processes):
                count[0, i, p] += more * count[here, i, p]
        for i in range(states):
            for p in range(processes):
                total = 0.0
                for j in range(states):
                    total += work[i, j] * count[here, j, p]
                count[there, i, p] = total
    return _STEP / fastest


@part
def next_power(basin: Basin, k: int, states: int) -> None:
    """From 2^k steps to 2^(k + 1) steps."""
    power, count = basin.power, basin.expected
    for i in range(states):
        for j in range(states + 1):
            power[k + 1, i, j] = 0.0
        power[k + 1, i, states] = power[k, i, states]
        for n in range(states):
            weight = power[k, i, n]
            if weight > 0.0:
                for j in range(states + 1):
                    power[k + 1, i, j] += weight * power[k, n, j]
        _scale_row(basin, k + 1, i, states)
        for p in range(count.shape[2]):
            total = count[k, i, p]
            for n in range(states):
                total += power[k, i, n] * count[k, n, p]
            count[k + 1, i, p] = total


@inner
def _start(basin: Basin, k: int, states: int) -> float:
    """Probabilities after 2^k steps from configuration 0 (k = -1: at the start) in ``now``; returns what has left."""
    for i in range(states):
        basin.now[i] = basin.power[k, 0, i] if k >= 0 else (1.0 if i == 0 else 0.0)
    return basin.power[k, 0, states] if k >= 0 else 0.0


@inner
def _leaves(basin: Basin, k: int, states: int) -> float:
    """How much of ``now`` leaves within 2^k steps."""
    total = 0.0
    for i in range(states):
        total += basin.now[i] * basin.power[k, i, states]
    return total


@inner
def _advance(basin: Basin, k: int, states: int) -> None:
    """Take ``now`` 2^k steps on."""
    for j in range(states):
        basin.later[j] = 0.0
    for i in range(states):
        if basin.now[i] > 0.0:
            for j in range(states):
                basin.later[j] += basin.now[i] * basin.power[k, i, j]
    for j in range(states):
        basin.now[j] = basin.later[j]


@inner
def _expand(basin: Basin, states: int, fastest: float) -> None:
    """The terms of ``now`` for times within one step: after 0, 1, ... jumps, and what has left by then."""
    basin.left[0] = 0.0
    for i in range(states):
        basin.series[0, i] = basin.now[i]
    for k in range(_TERMS):
        basin.left[k + 1] = basin.left[k]
        for j in range(states):
            basin.series[k + 1, j] = 0.0
        for i in range(states):
            basin.left[k + 1] += basin.series[k, i] * (basin.leave[i] / fastest)
            for j in range(states):
                basin.series[k + 1, j] += basin.series[k, i] * basin.work[i, j]


@inner
def _left_within(basin: Basin, jumps: float) -> float:
    """How much of the expanded ``now`` leaves within a part of a step, given as the expected number of jumps in it."""
    term, total = np.exp(-jumps), 0.0
    for k in range(1, _TERMS + 1):
        term *= jumps / k
        total += term * basin.left[k]
    return total


@inner
def _within(basin: Basin, states: int, jumps: float) -> None:
    """Take ``now`` on by a part of a step."""
    for i in range(states):
        term = np.exp(-jumps)
        basin.now[i] = term * basin.series[0, i]
        for k in range(1, _TERMS + 1):
            term *= jumps / k
            basin.now[i] += term * basin.series[k, i]


@kernel
def draw(basin: Basin, states: int, level: float, span: float) -> tuple[float, bool]:
    """The time at which the probability of having left reaches ``level``, or ``span`` (s) if that comes first.

    Leaves the probabilities of the configurations at that time (not scaled) in ``now``; True: the set is left then.
    The expected numbers of events are booked interval by interval, from one power of two to the next, each given that
    the set was not left before: so their mean over many visits is the mean number of events.
    """
    step = first_power(basin, states)
    fastest = _STEP / step
    k = 0
    while True:
        width = step * 2.0**k
        if basin.power[k, 0, states] > level or width >= span or k == _POWERS - 1:
            break
        _book(basin, k - 1, states)
        next_power(basin, k, states)
        k += 1
    if width < span and basin.power[k, 0, states] <= level:  # beyond all powers: as far as they reach
        _book(basin, k - 1, states)
        _start(basin, k, states)
        return width, False
    if width < span:
        _book(basin, k - 1, states)
    else:
        left = _start(basin, k - 1, states)
        alive = 1.0 - left
        time = step * 2.0 ** (k - 1) if k > 0 else 0.0
        for j in range(k - 2, -1, -1):
            if time + step * 2.0**j <= span:
                _book_now(basin, j, states, 1.0 / alive)
                left += _leaves(basin, j, states)
                _advance(basin, j, states)
                time += step * 2.0**j
        part = min(max(span - time, 0.0) / step, 1.0)
        _book_now(basin, 0, states, part / alive)
        _expand(basin, states, fastest)
        left += _left_within(basin, part * _STEP)
        if left <= level:
            _within(basin, states, part * _STEP)
            return span, False
    left = _start(basin, k - 1, states)
    time = step * 2.0 ** (k - 1) if k > 0 else 0.0
    for j in range(k - 2, -1, -1):
        more = _leaves(basin, j, states)
        if left + more <= level:
            left += more
            _advance(basin, j, states)
            time += step * 2.0**j
    _expand(basin, states, fastest)
    low, high = 0.0, _STEP
    for _ in range(60):
        middle = 0.5 * (low + high)
        if left + _left_within(basin, middle) <= level:
            low = middle
        else:
            high = middle
    _within(basin, states, low)
    return min(time + low / fastest, span), True


@part
def _book_now(basin: Basin, k: int, states: int, scale: float) -> None:
    """Book the events of ``now`` over 2^k steps."""
    for p in range(len(basin.events)):
        total = 0.0
        for i in range(states):
            total += basin.now[i] * basin.expected[k, i, p]
        basin.events[p] += scale * total


@part
def _book(basin: Basin, k: int, states: int) -> None:
    """Book the expected events from 2^k to 2^(k + 1) steps, given that the set is not left before."""
    left = _start(basin, k, states)
    _book_now(basin, max(k, 0), states, 1.0 / (1.0 - left))


# -- visits ----------------------------------------------------------------------------------------------------------


@inner
def _cost(states: int, events: float) -> float:
    """What a visit costs, in events."""
    products = states**3 * (2.0 * _TERMS + np.log2(2.0 + events))
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
    basin.moved[0] = watch.moved[0]
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
    watch.moved[0] = _moved_after(table, watch, basin, i, site, partner, process)
    execute(table, state, site, partner, process, edge)
    _refresh(table, state, select, scratch, site, partner, was, was_partner)
    if table.reservoir[process] >= 0:
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
        watch.moved[0] = basin.moved[chosen]
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
            if watch.moved[0] > watch.limit:
                return WATCH
    return EVENTS
