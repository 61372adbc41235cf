"""The watch of an engine: two sums over the sites that differ from a reference, and where they stop a run.

One is a distance (weights count by their squares, whatever the direction), the other has signs, so that what leaves one
site for another that counts the same leaves the sum as it is.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.jit import inner
from kmc.rates import Floats, Ints

#: Fixed-point one of the watched sums.
_ONE = 2**40

#: More than this in either direction is counted as this: one site alone passes the limits, and no sum overflows.
_MOST = 4 * _ONE

#: No limit of a sum in fixed point.
_NEVER = 2**62


class Watched(NamedTuple):
    """What a user asks for; see :meth:`kmc.Engine.watch`."""

    weight: Floats  # (N,)
    bound: float
    change: Floats  # (N,), or (0,) where no signed sum is asked for
    low: float
    high: float


#: Nothing is asked for.
NOTHING = Watched(np.zeros(0), np.inf, np.zeros(0), -np.inf, np.inf)


class Watch(NamedTuple):
    """How far the configuration has moved from a reference: whole numbers, so that there and back is exactly zero."""

    reference: NDArray[np.int8]  # (N,) what stood there, as numbers of ``group``; (0,) when nothing is watched
    group: NDArray[np.int8]  # (S,) a number for each species; those with the same number count as alike
    weight: Ints  # (N,) what a site counts where it differs from the reference
    change: Ints  # (N,) the same with signs, for the second sum
    moved: Ints  # (2,) the two sums over such sites
    limit: int  # a run stops when the first passes it
    low: int  # or when the second is below this
    high: int  # or above this


@inner
def passed(watch: Watch, moved: int, shift: int) -> bool:
    """Whether these two sums are past their limits."""
    return moved > watch.limit or shift < watch.low or shift > watch.high


class Sums(Protocol):
    """What has the two sums: an engine."""

    @property
    def drift(self) -> float:
        """Of squares."""
        ...

    @property
    def shift(self) -> float:
        """With signs."""
        ...


def watched(
    shape: tuple[int, ...], weight: ArrayLike, bound: float, change: ArrayLike | None, within: Sequence[float]
) -> Watched:
    """The arguments of :meth:`kmc.Engine.watch`, checked for arrays of this shape; KmcError names what is wrong."""
    weights, changes = np.array(weight, dtype=float), np.array([] if change is None else change, dtype=float)
    if weights.shape != shape or not np.all(np.isfinite(weights) & (weights >= 0.0)):
        raise KmcError(f"watch: weight has shape {weights.shape}; {shape} finite numbers >= 0 are needed")
    if not bound >= 0.0:
        raise KmcError(f"watch: bound is {bound}; a number >= 0 is needed")
    if change is not None and (changes.shape != shape or not np.all(np.isfinite(changes))):
        raise KmcError(f"watch: change has shape {changes.shape}; {shape} finite numbers are needed")
    low, high = (float(value) for value in within)
    if not low <= 0.0 <= high:
        raise KmcError(f"watch: within is {low}, {high}; a range around 0 is needed")
    return Watched(weights, float(bound), changes, low, high)


def shifted(asked: Watched, differs: NDArray[np.bool_]) -> float:
    """The signed sum over sites that differ (N,) from the reference; more numbers than sites may be there (ghosts)."""
    return float(np.sum(asked.change[: len(differs)][differs])) if len(asked.change) else 0.0


def beyond(asked: Watched, sums: Sums) -> bool:
    """Whether what was asked for is passed; the sum with signs is only looked at where it is asked for."""
    if sums.drift > asked.bound:
        return True
    return len(asked.change) > 0 and not asked.low <= sums.shift <= asked.high


def new_watch(
    occupation: NDArray[np.int8], reference: NDArray[np.int8], group: NDArray[np.int8], asked: Watched
) -> Watch:
    """A watch in fixed point; nothing is watched without a reference.

    The first sum is of (weight/bound)^2 in units of 2^-40, rounded up; the second of change over the larger of its
    finite limits, in the same units.

    Args:
        occupation: (N,) species now.
        reference: (N,) or (0,), numbers of groups.
        group: (S,) the group of each species.
        asked: weights and limits.
    """
    empty = np.zeros(0, dtype=np.int64)
    if not len(reference):
        return Watch(reference, group, empty, empty, np.zeros(2, dtype=np.int64), _ONE, -_NEVER, _NEVER)
    weight, bound = asked.weight, asked.bound
    share = np.minimum(weight / bound, 2.0) ** 2 if bound > 0.0 else np.where(weight > 0.0, 2.0, 0.0)
    fixed = np.ceil(share * _ONE).astype(np.int64)
    change, low, high = np.zeros(len(reference), dtype=np.int64), -_NEVER, _NEVER
    ends = [abs(end) for end in (asked.low, asked.high) if np.isfinite(end)]
    if len(asked.change) and ends:
        unit = max(*ends, np.finfo(float).tiny)
        change = np.clip(np.round(asked.change / unit * _ONE), -_MOST, _MOST).astype(np.int64)
        low = -int(-asked.low / unit * _ONE) if np.isfinite(asked.low) else -_NEVER
        high = int(asked.high / unit * _ONE) if np.isfinite(asked.high) else _NEVER
    differs = group[occupation] != reference
    return Watch(
        reference, group, fixed, change, np.array([fixed[differs].sum(), change[differs].sum()]), _ONE, low, high
    )  # fmt: skip
