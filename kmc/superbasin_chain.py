"""The chain of a superbasin as arrays: the mean time until it is left, and a draw of that time and of the state then.

Nothing here subtracts large numbers from each other: the chain is solved by elimination without subtraction (Grassmann,
Taksar, Heyman, 10.1287/opre.33.5.1107), and powers of its transition matrix keep the probability of having left as a
column of its own, with every row scaled to the sum 1. So rates may lie any number of decades apart.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc.jit import inner, kernel, part
from kmc.rates import Floats, Ints

#: Events until the next search after a failed one, at first.
FIRST_WAIT = 256

#: First step of the powers, in units of the mean time of the fastest state, and terms of its series (error 1e-19).
_STEP, TERMS = 1.0 / 64.0, 8

#: Powers of two of the first step: the last is 2^90 mean times of the fastest state.
_POWERS = 97

#: Candidates and moves of the chain by configuration; what is beyond stays an exit.
_CANDIDATES_PER_STATE, _MOVES_PER_STATE = 8, 32


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
    moved: Ints  # (M, 2) the watched sums
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
        code=np.zeros(states, dtype=np.uint64), moved=np.zeros((states, 2), dtype=np.int64), least=np.zeros(states),
        best_least=np.zeros(states), first=np.zeros(states + 1, dtype=np.int64), move_to=whole[0], move_site=whole[1],
        move_edge=whole[2], move_process=whole[3], move_rate=np.zeros(moves), leave=np.zeros(states),
        candidate=np.zeros((_CANDIDATES_PER_STATE * states, 4), dtype=np.int64),
        candidate_code=np.zeros(_CANDIDATES_PER_STATE * states, dtype=np.uint64),
        candidate_rate=np.zeros(_CANDIDATES_PER_STATE * states), stack=np.zeros(128, dtype=np.int64),
        rate=np.zeros((states, states)), work=np.zeros((states, states)), share=np.zeros(states),
        power=np.zeros((_POWERS, states, states + 1)), expected=np.zeros((_POWERS, states, processes)),
        now=np.zeros(states), later=np.zeros(states), series=np.zeros((TERMS + 1, states)), left=np.zeros(TERMS + 1),
    )  # fmt: skip


# -- configurations --------------------------------------------------------------------------------------------------


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
    for k in range(TERMS, 0, -1):
        here, there = (0, 1) if (TERMS - k) % 2 == 0 else (1, 0)
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
    for k in range(TERMS + 1):
        term = np.exp(-_STEP)
        for n in range(1, k + 2):
            term *= _STEP / n
        more, n = term, k + 1
        for _ in range(TERMS):
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
    for k in range(TERMS):
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
    for k in range(1, TERMS + 1):
        term *= jumps / k
        total += term * basin.left[k]
    return total


@inner
def _within(basin: Basin, states: int, jumps: float) -> None:
    """Take ``now`` on by a part of a step."""
    for i in range(states):
        term = np.exp(-jumps)
        basin.now[i] = term * basin.series[0, i]
        for k in range(1, TERMS + 1):
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
