"""Binary sum tree: O(log N) selection and update. Parents are always the sum of their children, so nothing drifts."""

import numpy as np
from numpy.typing import NDArray

from kmc.jit import kernel

Floats = NDArray[np.float64]


def new_tree(leaves: int) -> Floats:
    """An empty tree for ``leaves`` leaves; leaf ``i`` is element ``len(tree) // 2 + i``, the total is element 1."""
    width = 1
    while width < leaves:
        width *= 2
    return np.zeros(2 * width)


@kernel
def fill(tree: Floats, values: Floats) -> None:
    """Set all leaves and rebuild every sum."""
    width = len(tree) // 2
    tree[width : width + len(values)] = values
    for node in range(width - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]


@kernel
def update(tree: Floats, leaf: int, value: float) -> None:
    """Set one leaf and the sums above it."""
    node = len(tree) // 2 + leaf
    if tree[node] == value:
        return
    tree[node] = value
    node //= 2
    while node >= 1:
        tree[node] = tree[2 * node] + tree[2 * node + 1]
        node //= 2


@kernel
def find(tree: Floats, target: float) -> tuple[int, float]:
    """The leaf whose interval holds ``target`` in [0, total), and what is left of the target inside it.

    A child without rate is never entered, so rounding cannot select an impossible event.
    """
    width = len(tree) // 2
    node = 1
    while node < width:
        left = tree[2 * node]
        if (target < left and left > 0.0) or tree[2 * node + 1] <= 0.0:
            node = 2 * node
        else:
            target -= left
            node = 2 * node + 1
    return node - width, target
