"""What an event is made of: random numbers, log and exp, reads from memory. Small loops, in nanoseconds each.

An estimate of the least that an event can cost follows from how often the event loop does each of these
(:func:`floor_ns`); the numbers below were counted in :func:`kmc.kernels.run_lists`. Arithmetic between them and
mispredicted branches are not in it, and reads are taken to overlap as in a loop that does nothing else.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc.jit import kernel
from kmc.xoshiro import new_state, next_uniform

_TIMES = 2_000_000

#: Random numbers of a draw: clock, member of a list, acceptance.
DRAWS = 3
#: Cache lines, anywhere in memory, that a draw reads: list member, species, its neighbour's number and species.
LINES_OF_TRIAL = 4
#: And those that an event changes beside them: places of the two sites in their lists, two members that move.
LINES_OF_EVENT = 4
#: Bytes per site that these lines are spread over: species, neighbours and their kinds (12), list, place, member.
BYTES_PER_SITE = 80


@kernel
def _uniforms(state: NDArray[np.uint64], times: int) -> float:
    total = 0.0
    for _ in range(times):
        total += next_uniform(state)
    return total


@kernel
def _logarithms(times: int) -> float:
    total = 0.0
    for k in range(times):
        total += np.log(0.1 + 1e-7 * k)
    return total


@kernel
def _exponentials(times: int) -> float:
    total = 0.0
    for k in range(times):
        total += np.exp(-1e-6 * k)
    return total


@kernel
def _reads(memory: NDArray[np.int32], times: int, mask: int) -> int:
    """From places that are known beforehand: several are under way at a time."""
    total, place = 0, 1
    for _ in range(times):
        place = (place * 1664525 + 1013904223) & mask
        total += memory[place]
    return total


@kernel
def _chained_reads(memory: NDArray[np.int32], times: int, mask: int) -> int:
    """Each place depends on what was read before (zeros): one at a time."""
    place = 1
    for _ in range(times):
        place = (place * 1664525 + 1013904223 + memory[place]) & mask
    return place


def _nanoseconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Per turn of a loop, the least of five: what disturbs it can only make it slower."""
    function(*arguments)
    taken = []
    for _ in range(5):
        begun = time.process_time()
        function(*arguments)
        taken.append(time.process_time() - begun)
    return 1e9 * min(taken) / _TIMES


def measure(sites: int) -> dict[str, float]:
    """Costs in ns; reads from as much memory as a lattice of so many sites takes."""
    words = 1 << int(np.ceil(np.log2(sites * BYTES_PER_SITE / 4)))
    memory = np.zeros(words, dtype=np.int32)
    memory += 0  # so that every page is there
    return {
        "random_ns": _nanoseconds(_uniforms, new_state(np.random.SeedSequence(1)), _TIMES),
        "log_ns": _nanoseconds(_logarithms, _TIMES),
        "exp_ns": _nanoseconds(_exponentials, _TIMES),
        "read_ns": _nanoseconds(_reads, memory, _TIMES, words - 1),
        "chained_read_ns": _nanoseconds(_chained_reads, memory, _TIMES, words - 1),
        "memory_MB": words * 4e-6,
    }


def floor_ns(parts: dict[str, float], trials_per_event: float, exponentials_per_trial: float) -> float:
    """The least that an event can cost with these parts, reads overlapping."""
    trial = DRAWS * parts["random_ns"] + exponentials_per_trial * parts["exp_ns"] + LINES_OF_TRIAL * parts["read_ns"]
    return trials_per_event * trial + parts["log_ns"] + LINES_OF_EVENT * parts["read_ns"]
