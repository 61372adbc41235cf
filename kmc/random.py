"""xoshiro256++ (Blackman and Vigna, 10.1145/3460772) as a plain array of four words, so that a stream can be saved.

Numba's own generator keeps its state out of reach; a run must be able to stop and go on with the same numbers.
"""

import numpy as np
from numpy.typing import NDArray

from kmc.jit import kernel

State = NDArray[np.uint64]


def new_state(sequence: np.random.SeedSequence) -> State:
    """Four words of state from a seed sequence."""
    return sequence.generate_state(4, np.uint64).astype(np.uint64)


@kernel
def _rotate(word: np.uint64, count: np.uint64) -> np.uint64:
    return (word << count) | (word >> (np.uint64(64) - count))


@kernel
def next_uniform(state: State) -> float:
    """A uniform double in (0, 1): 53 bits, centred so that 0 never occurs and log() is safe."""
    result = _rotate(state[0] + state[3], np.uint64(23)) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = _rotate(state[3], np.uint64(45))
    return (np.float64(result >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)
