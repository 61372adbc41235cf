"""Which nodes of fem.Transport share one potential: those of one metal, and pairs without a layer between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem.chargetransfer import Junction, Terminal
from fem.scharfetter import Network
from fem.shared import Reach

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class Potentials:
    """Numbering of the potentials: nodes outside of metals first, then those of conductors, then terminals.

    ``number`` (nodes,): the potential of each node. ``root`` (numbers,): the node that an unknown belongs to, in the
    order of the numbers, without terminals. ``conductor`` of each number from ``first_conductor`` to
    ``first_terminal``. ``owner`` (nodes,) and ``layers``: see fem.transportlayout.Layout.
    """

    number: Nodes
    root: Nodes
    conductor: Nodes
    first_conductor: int
    first_terminal: int
    owner: Nodes
    layers: list[tuple[Nodes, Nodes, Array]]


def number_potentials(
    reach: Reach,
    metal: Nodes,
    terminals: Mapping[str, Terminal],
    junctions: Mapping[str, Junction],
    networks: Mapping[str, Network],
    faces: Mapping[str, Sequence[tuple[Nodes, Array]]],
    pairs: Mapping[str, tuple[Nodes, Array]],
) -> Potentials:
    """Number the potentials; ``pairs`` by interface as global dofs, the rest as of Layout. Collective.

    Raises FemError where two terminals touch.
    """
    halo, count, metals = reach.halo, reach.count, len(terminals)
    mark = np.where(metal < metals, metal, -1)[: halo.local]
    clash: tuple[int, int] | None = None
    layers: list[tuple[Nodes, Nodes, Array]] = []
    for k, (name, terminal) in enumerate(terminals.items()):
        body = [np.empty(0, dtype=np.int64), *(networks[region].nodes for region in terminal.regions)]
        for nodes, area in faces[name]:
            outside = ~np.isin(nodes, np.concatenate(body))
            nodes, area = nodes[outside], area[outside]
            if terminal.capacitance_F_per_m2 is None:
                other = mark[nodes][(mark[nodes] >= 0) & (mark[nodes] != k)]
                clash = clash or ((int(other[0]), k) if other.size else None)
                mark[nodes] = k
            else:
                own = nodes < halo.owned
                layers.append((nodes[own], np.full(np.count_nonzero(own), count + k),
                               terminal.capacitance_F_per_m2 * area[own]))  # fmt: skip
    owner: Nodes = np.arange(count)
    ties = [np.empty((0, 2), dtype=np.int64)]
    for name, (dofs, whole) in pairs.items():
        here, area = reach.here(dofs, whole)
        capacitance = junctions.get(name, Junction()).capacitance_F_per_m2
        if capacitance is None:
            ties.append(dofs)
            for one, other in (here.T, here.T[::-1]):
                bare = (metal[one] < 0) & (metal[other] >= 0)
                owner[one[bare]] = other[bare]
        else:
            own = here[:, 0] < halo.owned
            layers.append((here[own, 0], here[own, 1], capacitance * area[own]))
    root = reach.roots(np.concatenate(ties))
    wire = reach.extend(mark.astype(np.float64)).astype(np.int64)
    marked = np.flatnonzero(wire >= 0)
    terminal_of = np.full(count, -1, dtype=np.int64)
    terminal_of[root[marked]] = wire[marked]
    differs = marked[terminal_of[root[marked]] != wire[marked]]
    if differs.size and clash is None:
        clash = int(terminal_of[root[differs[0]]]), int(wire[differs[0]])
    names = list(terminals)
    halo.agree(None if clash is None else
               f"terminals {names[min(clash)]!r} and {names[max(clash)]!r} touch each other")  # fmt: skip
    conducts = np.flatnonzero(metal >= metals)
    conducts = conducts[np.argsort(-reach.index[conducts])]
    conductor_of = np.full(count, -1, dtype=np.int64)
    conductor_of[root[conducts]] = metal[conducts] - metals  # of the node with the lowest dof, which comes last
    free = np.unique(root[terminal_of[root] < 0])
    inside = conductor_of[free] >= 0
    ordered = np.concatenate([free[~inside], free[inside]])
    first_terminal = free.size
    number = np.full(count, -1, dtype=np.int64)
    number[ordered] = np.arange(first_terminal)
    number = np.where(terminal_of[root] >= 0, first_terminal + terminal_of[root], number[root])
    return Potentials(
        number, ordered, conductor_of[free[inside]], int(np.count_nonzero(~inside)), first_terminal, owner, layers
    )  # fmt: skip

