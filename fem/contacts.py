"""Interfaces of a split mesh: thermal boundary resistance and contact resistance between pairs of nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

from fem.cell import Cell
from fem.errors import FemError, unknown_name
from fem.halo import Halo

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class Contact:
    """What lets heat and current through an interface; each a number or one value a pair, None for a perfect contact.

    ``thermal_W_per_m2K``: boundary conductance h, q = h [T]. ``electrical_S_per_m2``: contact conductance g, j = g [V]
    (0 insulates); half of its Joule heat g [V]^2 goes to either side. A perfect contact is exact: both nodes of a pair
    share one unknown.
    """

    thermal_W_per_m2K: float | ArrayLike | None = None
    electrical_S_per_m2: float | ArrayLike | None = None


@dataclass
class Exchange:
    """Conductors between pairs of nodes, and ties; every rank holds the same arrays of global dofs.

    ``first``, ``second`` (pairs,): ends of the conductors of ``conductance`` (pairs,) in S or W/K; ``ties`` (n, 2).
    """

    first: Nodes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    second: Nodes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    conductance: Array = field(default_factory=lambda: np.empty(0))
    ties: Nodes = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))

    def add(self, pairs: Nodes, area: Array, value: float | ArrayLike | None, what: str) -> None:
        """Add the pairs (n, 2) with ``value`` per area, or tie them."""
        if value is None:
            self.ties = np.concatenate([self.ties, pairs])
            return
        density = np.asarray(value, dtype=np.float64)
        if density.ndim and density.shape != area.shape:
            raise FemError(f"{what} needs a number or one value for each of {area.size} pairs, got {density.shape}")
        if not np.all(np.isfinite(density)) or np.any(density < 0.0):
            raise FemError(f"{what} must be finite and not negative, or None for a perfect contact, got {value!r}")
        conductance = np.broadcast_to(density * area, area.shape)
        used = conductance > 0.0
        self.first = np.concatenate([self.first, pairs[used, 0]])
        self.second = np.concatenate([self.second, pairs[used, 1]])
        self.conductance = np.concatenate([self.conductance, conductance[used]])


def exchanges(
    cell: Cell, halo: Halo, space: Any, contacts: Mapping[str, Contact], metres: float
) -> tuple[Exchange, Exchange]:
    """The electrical and thermal exchange of all interfaces; those not named in ``contacts`` are perfect. Collective.

    ``metres`` turns an area of the mesh (nm^2, or nm in a plane) into m^2 (m). Raises FemError for an unknown name.
    """
    known: Mapping[str, Any] = getattr(cell, "interfaces", {})
    for name in contacts:
        if name not in known:
            raise unknown_name("interface", name, known)
    electrical, thermal = Exchange(), Exchange()
    for name, interface in known.items():
        contact = contacts.get(name, Contact())
        pairs = pair_dofs(space, halo, np.asarray(interface.nodes, dtype=np.int64), name)
        area = np.asarray(interface.area_nm2, dtype=np.float64) * metres
        electrical.add(pairs, area, contact.electrical_S_per_m2, f"interface {name!r}: electrical_S_per_m2")
        thermal.add(pairs, area, contact.thermal_W_per_m2K, f"interface {name!r}: thermal_W_per_m2K")
    return electrical, thermal


def input_nodes(space: Any) -> Nodes:
    """Number (local dofs,) that each node had when the mesh was made."""
    mesh = space.mesh
    numbers = np.empty(mesh.geometry.x.shape[0], dtype=np.int64)
    dofs = np.asarray(space.dofmap.list).ravel()
    numbers[dofs] = np.asarray(mesh.geometry.input_global_indices)[np.asarray(mesh.geometry.dofmaps[0]).ravel()]
    return numbers


def pair_dofs(space: Any, halo: Halo, nodes: Nodes, name: str) -> Nodes:
    """Global dofs (n, 2) of input nodes (n, 2), on every rank."""
    inputs = input_nodes(space)[: halo.owned]
    order = np.argsort(inputs)
    sorted_inputs, dofs = inputs[order], halo.global_dofs[: halo.owned][order]
    flat = nodes.ravel()
    found = np.full(flat.size, -1, dtype=np.int64)
    if sorted_inputs.size:
        at = np.minimum(np.searchsorted(sorted_inputs, flat), sorted_inputs.size - 1)
        here = sorted_inputs[at] == flat
        found[here] = dofs[at[here]]
    if halo.comm.size > 1:
        halo.comm.Allreduce(MPI.IN_PLACE, found, op=MPI.MAX)
    if np.any(found < 0):
        raise FemError(f"interface {name!r}: node {flat[found < 0][0]} is not a node of the mesh")
    return found.reshape(nodes.shape)
