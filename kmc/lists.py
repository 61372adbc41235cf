"""Composition-rejection selection: sites in lists by powers of two of their weight; O(1) whatever their number.

A draw chooses a list by (its length x its upper limit), then a member with equal chance, and takes it with probability
weight/limit; a refusal is a null event: time passes and everything is drawn again, the list as well. So a site comes
with exactly its weight, and no sum of weights is needed that could drift: the total of limits follows from the lengths
(A. Slepoy, A. P. Thompson, S. J. Plimpton, 10.1063/1.2919546, where the list is kept after a refusal, which needs the
true sums; to keep the list without them, or to redraw it with them, would be biased).

The length that counts is the list's room, which follows the number of members with some slack: a draw of an empty
place is a null event too. So most events change no total, and a random number known beforehand means the same member
until its turn comes, which lets the memory be asked in time.

Members stand in blocks from a common pool, so that lists grow and shrink without allocation.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc.intrinsics import bits_of
from kmc.jit import inner, kernel
from kmc.xoshiro import next_uniform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Lists; list ``_UNIT`` holds weights up to ``scale``, the next up to twice that. Weights below the lowest wait there.
LISTS, _UNIT = 256, 176

#: Members of one block, a power of two.
BLOCK = 256
_SHIFT, _MASK = 8, 255

#: Room for new members: this share of a list (as a shift) stands empty after it outgrew its room or shrank from it.
_SPARE = 6

#: A list with less than this share of the total takes a random number of its own to choose a member.
_SHARE = 2.0**-8

_BELOW_ONE = 1.0 - 2.0**-53


class Lists(NamedTuple):
    """Which list each site stands in, and where."""

    scale: Floats  # (2,) upper limit of list _UNIT, 1/s, and its inverse
    limit: Floats  # (LISTS,) upper limits
    where: NDArray[np.int32]  # (N, 2) the list of a site, or -1, and its place there
    length: Ints  # (LISTS,)
    room: Ints  # (LISTS,) places that a draw chooses from, at least the length
    due: NDArray[np.bool_]  # (1,) some room has changed since the last total
    missed: Ints  # (1,) draws of empty places
    blocks: NDArray[np.int32]  # (LISTS, most blocks) the blocks of each list in order
    pool: NDArray[np.int32]  # (blocks, BLOCK) members
    free: NDArray[np.int32]  # (blocks,) stack of free blocks
    free_count: Ints  # (1,)
    used: Ints  # (LISTS + 1,) number of lists with members, and these from the fastest to the slowest
    upper: Floats  # (LISTS + 1,) by place in ``used``: the sum of room x limit up to and with that list, 1/s
    total: Floats  # (1,) that of all, 1/s


def new_lists(sites: int, scale: float) -> Lists:
    """Empty lists for ``sites`` sites whose largest weight is about ``scale``."""
    most = sites // BLOCK + 1
    blocks = most + LISTS
    lists = Lists(
        scale=np.array([scale, 1.0 / scale]), limit=np.zeros(LISTS), where=np.full((sites, 2), -1, dtype=np.int32),
        length=np.zeros(LISTS, dtype=np.int64), room=np.zeros(LISTS, dtype=np.int64), due=np.zeros(1, dtype=np.bool_),
        missed=np.zeros(1, dtype=np.int64),
        blocks=np.zeros((LISTS, most), dtype=np.int32), pool=np.zeros((blocks, BLOCK), dtype=np.int32),
        free=np.arange(blocks, dtype=np.int32)[::-1].copy(), free_count=np.array([blocks]),
        used=np.zeros(LISTS + 1, dtype=np.int64), upper=np.zeros(LISTS + 1), total=np.zeros(1),
    )  # fmt: skip
    lists.limit[:] = scale * 2.0 ** (np.arange(LISTS) - _UNIT)
    return lists


def members(lists: Lists) -> NDArray[np.int32]:
    """All members, list after list from the fastest, in their order: with :func:`refill` a checkpoint."""
    parts = [np.zeros(0, dtype=np.int32)]
    for number in lists.used[1 : 1 + lists.used[0]]:
        length = int(lists.length[number])
        whole = lists.pool[lists.blocks[number, : (length + BLOCK - 1) // BLOCK]].ravel()
        parts.append(whole[:length])
    return np.concatenate(parts)


@inner
def list_for(lists: Lists, weight: float) -> int:
    """The list whose upper limit is the least that is not below ``weight``; -1 for no weight, LISTS if too large."""
    if weight <= 0.0:
        return -1
    bits = bits_of(weight * lists.scale[1])
    number = (bits >> 52) - 1023 + _UNIT
    if bits & 0xFFFFFFFFFFFFF:
        number += 1
    return max(number, 0)


@inner
def retotal(lists: Lists) -> None:
    """The total of limits, from the rooms, where one has changed."""
    if not lists.due[0]:
        return
    lists.due[0] = False
    total = 0.0
    for k in range(1, lists.used[0] + 1):
        number = lists.used[k]
        total += lists.room[number] * lists.limit[number]
        lists.upper[k] = total
    lists.total[0] = total


@inner
def _leave(lists: Lists, site: int, number: int) -> None:
    last = lists.length[number] - 1
    place = np.int64(lists.where[site, 1])
    block = lists.blocks[number, last >> _SHIFT]
    moved = lists.pool[block, last & _MASK]
    lists.pool[lists.blocks[number, place >> _SHIFT], place & _MASK] = moved
    lists.where[moved, 1] = place
    lists.length[number] = last
    spare = last >> _SPARE
    if lists.room[number] - last > 2 * spare:
        lists.room[number] = last + spare
        lists.due[0] = True
    if last & _MASK == 0:
        lists.free[lists.free_count[0]] = block
        lists.free_count[0] += 1
        if last == 0:
            k = 1
            while lists.used[k] != number:
                k += 1
            for later in range(k, lists.used[0]):
                lists.used[later] = lists.used[later + 1]
            lists.used[0] -= 1


@inner
def _enter(lists: Lists, site: int, number: int) -> None:
    place = lists.length[number]
    if place & _MASK == 0:
        lists.free_count[0] -= 1
        lists.blocks[number, place >> _SHIFT] = lists.free[lists.free_count[0]]
        if place == 0:
            k = lists.used[0]
            while k > 0 and lists.used[k] < number:
                lists.used[k + 1] = lists.used[k]
                k -= 1
            lists.used[k + 1] = number
            lists.used[0] += 1
    lists.pool[lists.blocks[number, place >> _SHIFT], place & _MASK] = site
    lists.where[site, 1] = place
    lists.length[number] = place + 1
    if place >= lists.room[number]:
        lists.room[number] = place + 1 + (place >> _SPARE)
        lists.due[0] = True


@inner
def put(lists: Lists, site: int, weight: float) -> bool:
    """Give a site its weight; :func:`retotal` is due. False when it is beyond the last list (a larger scale is due)."""
    number = list_for(lists, weight)
    old = np.int64(lists.where[site, 0])
    if number == old:
        return True
    if number >= LISTS:
        return False
    if old >= 0:
        _leave(lists, site, old)
    if number >= 0:
        _enter(lists, site, number)
    lists.where[site, 0] = number
    return True


@inner
def empty(lists: Lists) -> None:
    """Take all members out; :func:`retotal` is due."""
    for k in range(1, lists.used[0] + 1):
        number = lists.used[k]
        length = lists.length[number]
        for place in range(length):
            lists.where[lists.pool[lists.blocks[number, place >> _SHIFT], place & _MASK], 0] = -1
        for block in range((length + _MASK) >> _SHIFT):
            lists.free[lists.free_count[0]] = lists.blocks[number, block]
            lists.free_count[0] += 1
        lists.length[number] = lists.room[number] = 0
    lists.used[0] = 0
    lists.due[0] = True


@kernel
def refill(lists: Lists, numbers: NDArray[np.int32], order: NDArray[np.int32], room: Ints) -> None:
    """Fill empty lists: ``order`` holds the members in the order in which they enter, ``numbers`` (N,) their lists.

    ``room`` (LISTS,) is that of the lists from which these came.
    """
    for site in order:
        _enter(lists, np.int64(site), np.int64(numbers[site]))
        lists.where[site, 0] = numbers[site]
    for number in range(LISTS):
        lists.room[number] = room[number]
    lists.due[0] = True
    retotal(lists)


@inner
def locate(lists: Lists, uniform: float, random: NDArray[np.uint64], sure: bool) -> tuple[int, np.int64, float]:
    """A list by its share of the total, a member of it (or -1: an empty place), and a uniform number in (0, 1).

    The number is what is left over: one serves for all three as long as enough of its bits are left; else another is
    drawn (unless this is only a guess, not ``sure``).
    """
    count = lists.used[0]
    number = lists.used[1]
    target = uniform
    if count > 1:
        target *= lists.total[0]
        k = 1
        for below in range(1, count):  # to the end: cheaper than to guess where it stops
            k += target >= lists.upper[below]
        number = lists.used[k]
        share = lists.room[number] * lists.limit[number]
        if share < _SHARE * lists.total[0] and sure:
            target = next_uniform(random)
        else:
            target = min(max(target - (lists.upper[k] - share), 0.0) / share, _BELOW_ONE)
    target *= lists.room[number]
    place = np.int64(target)
    if place >= lists.length[number]:
        return number, np.int64(-1), 0.0
    site = np.int64(lists.pool[lists.blocks[number, place >> _SHIFT], place & _MASK])
    return number, site, target - place
