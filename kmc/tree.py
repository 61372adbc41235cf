"""Binary sum tree: O(log N) selection and update. Parents are always the sum of their children, so nothing drifts."""

import numpy as np
from numpy.typing import NDArray

from kmc.jit import inner

Floats = NDArray[np.float64]


def new_tree(leaves: int) -> Floats:
    """An empty tree for ``leaves`` leaves; leaf ``i`` is element ``len(tree) // 2 + i``, the total is element 1."""
    width = 1
    while width < leaves:
        width *= 2
    return np.zeros(2 * width)


@inner
def rebuild(tree: Floats) -> None:
    """Every sum from the leaves."""
    for node in range(len(tree) // 2 - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]


@inner
def update(tree: Floats, leaf: int, value: float) -> None:
    """Set one leaf and the sums above it."""
    node = (len(tree) >> 1) + leaf
    if tree[node] == value:
        return
    tree[node] = value
    while node > 1:
        node >>= 1
        tree[node] = tree[2 * node] + tree[2 * node + 1]


@inner
def find(tree: Floats, target: float) -> tuple[int, float]:
    """The leaf whose interval holds ``target`` in [0, total), and what is left of the target inside it.

    A child without rate is never entered, so rounding cannot select an impossible event.
    """
    width = len(tree) >> 1
    node = 1
    while node < width:
        node *= 2
        left = tree[node]
        if tree[node + 1] > 0.0 and (target >= left or left <= 0.0):
            target -= left
            node += 1
    return node - width, target
