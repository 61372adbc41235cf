"""xoshiro256++ (Blackman and Vigna, 10.1145/3460772) as a plain array of four words, so that a stream can be saved.

Numba's own generator keeps its state out of reach; a run must be able to stop and go on with the same numbers.
"""

import numpy as np
from numpy.typing import NDArray

from kmc.jit import inner

State = NDArray[np.uint64]


def new_state(sequence: np.random.SeedSequence) -> State:
    """Four words of state from a seed sequence."""
    return sequence.generate_state(4, np.uint64).astype(np.uint64)


@inner
def _rotate(word: np.uint64, count: np.uint64) -> np.uint64:
    return (word << count) | (word >> (np.uint64(64) - count))


@inner
def next_word(state: State) -> np.uint64:
    """The next 64 random bits."""
    result = _rotate(state[0] + state[3], np.uint64(23)) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = _rotate(state[3], np.uint64(45))
    return result


@inner
def next_uniform(state: State) -> float:
    """A uniform double inside (0, 1): the centres of 2^52 cells, so that neither 0 nor 1 occurs and log() is safe.

    With 53 bits the last centre would round to 1.
    """
    return (np.float64(next_word(state) >> np.uint64(12)) + 0.5) * (1.0 / 4503599627370496.0)
