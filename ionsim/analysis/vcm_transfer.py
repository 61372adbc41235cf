"""Vacancies and temperatures passed between a lattice of sites and a continuum in (r, z).

Sites to mesh: a site is its cube, over which its vacancy is spread before it goes to the nodes by their basis
functions; the number is kept to rounding, and a full lattice gives the density of sites. Mesh to sites: each site is
vacant with the occupation at its place, and the number is that of the continuum to within one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fem
from ionsim.analysis.vcm_mapping import Around
from ionsim.devices.vcm_continuum_cell import ContinuumCell, set_amounts

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Points of a site's cube along x, y and z, chosen: a full lattice is even within 2 % on a mesh of 0.16 nm.
_POINTS = (10, 10, 4)

#: The same for a field that is only averaged.
_FIELD_POINTS = (4, 4, 2)

#: How far what does not fit on a node goes, nm; chosen: a site.
_NEAR_NM = 0.25

#: A node that holds this share too much is full.
_ROUNDING = 1e-12

#: Rounds in which what does not fit is handed on.
_ROUNDS = 200


class Transfer:
    """The passage between the sites of a lattice and the mesh of a continuum.

    Args:
        cell: of a continuum in (r, z) whose oxide is the disc of ``place``, with ``sites_per_m3`` as
            :func:`ionsim.analysis.vcm_mapping.matched` makes it.
        place: how the box of sites becomes (r, z).
        positions_nm: (N, 3) sites.
        spacing_nm: edge of a site's cube.
    """

    def __init__(self, cell: ContinuumCell, place: Around, positions_nm: ArrayLike, spacing_nm: float) -> None:
        self.cell, self.place, self.spacing_nm = cell, place, spacing_nm
        self.positions_nm = np.asarray(positions_nm, dtype=float)
        self.space = cell.vacancies.space
        self._at_sites = fem.SiteOperator(self.space, self._inside(self.place(self.positions_nm)))

    # -- to the mesh ------------------------------------------------------------------------------------------

    def amounts(self, occupations: Sequence[ArrayLike]) -> Floats:
        """Vacancies (local dofs,) at each node: mean over lattices, each (N,) true where a site is vacant.

        Where more would meet than a node has sites, the rest goes to the nodes around it.
        """
        mean = np.mean([np.asarray(one, dtype=float) for one in occupations], axis=0)
        used = np.flatnonzero(mean)
        if not used.size:
            return np.zeros(self.cell.vacancies.halo.local)
        operator, points = self._cubes(used, _POINTS)
        return self._fitted(operator.deposit(np.repeat(mean[used] / points, points)))

    def place_amounts(self, amounts: Floats) -> Floats:
        """Set the densities of the continuum so that its nodes hold these amounts; returns the nodal densities."""
        set_amounts(self.cell, amounts)
        return self.cell.vacancies.density_per_m3

    def field_at_nodes(self, values: ArrayLike) -> Floats:
        """A field (N,) of the sites at the nodes of the oxide: mean over the cubes around a node; nan elsewhere."""
        operator, points = self._cubes(np.arange(len(self.positions_nm)), _FIELD_POINTS)
        weight = operator.deposit(np.full(len(self.positions_nm) * points, 1.0))
        total = operator.deposit(np.repeat(np.asarray(values, dtype=float), points))
        result = np.full(weight.size, np.nan)
        result[weight > 0.0] = total[weight > 0.0] / weight[weight > 0.0]
        return result

    # -- to the sites -----------------------------------------------------------------------------------------

    def field_at_sites(self, nodal: ArrayLike) -> Floats:
        """A nodal field (local dofs,) at the sites (N,)."""
        return self._at_sites.sample(np.asarray(nodal, dtype=float))

    def shares_at_sites(self, amounts: Floats) -> Floats:
        """Share (N,) of each site that is vacant; their sum is that of ``amounts`` (local dofs,)."""
        volume = self.cell.vacancies.volume_m3()
        local = np.divide(amounts, volume * self.cell.sites_per_m3, out=np.zeros_like(amounts), where=volume > 0.0)
        share, wanted = np.clip(self.field_at_sites(local), 0.0, 1.0), float(amounts.sum())
        for _ in range(_ROUNDS):
            missing = wanted - share.sum()
            room = share * (1.0 - share) if abs(missing) < 0.5 * (share * (1.0 - share)).sum() else 1.0 - share
            if missing < 0.0 and not np.any(share * (1.0 - share)):
                room = share
            if abs(missing) <= 1e-12 * wanted or not room.sum():
                break
            share = np.clip(share + missing * room / room.sum(), 0.0, 1.0)
        return share

    def occupation(self, amounts: Floats, seed: int | np.random.SeedSequence) -> Mask:
        """(N,) a lattice drawn from the amounts of the nodes; the number is theirs to within one.

        Systematic sampling in random order: every site is vacant with its own share.
        """
        return draw(self.shares_at_sites(amounts), np.random.default_rng(seed))

    # -- inside -----------------------------------------------------------------------------------------------

    def _inside(self, points: Floats) -> Floats:
        """Points (n, 2) kept off the outermost edges of the oxide, where rounding could put them out of the mesh."""
        edge, top = self.place.radius_nm, self.place.box_nm[2]
        r, z = np.minimum(points[:, 0], edge * (1.0 - 1e-9)), np.clip(points[:, 1], 1e-9, top - 1e-9)
        return np.stack([r, z], axis=1)

    def _cubes(self, sites: NDArray[np.int64], counts: tuple[int, int, int]) -> tuple[fem.SiteOperator, int]:
        """Operator of points that fill the cubes of these sites, and the number of points of each."""
        steps = [((np.arange(count) + 0.5) / count - 0.5) * self.spacing_nm for count in counts]
        cube = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        points = (self.positions_nm[sites, None, :] + cube).reshape(-1, 3)
        return fem.SiteOperator(self.space, self._inside(self.place(points))), len(cube)

    def _fitted(self, amounts: Floats) -> Floats:
        """Amounts of which none exceeds the sites of its node; what does not fit has gone to nodes around it."""
        nodes, at = self.cell.vacancies.nodes, self.space.tabulate_dof_coordinates()[:, :2]
        room = self.cell.vacancies.volume_m3()[nodes] * self.cell.sites_per_m3
        held = amounts[nodes].copy()
        for _ in range(_ROUNDS):
            excess, free = np.maximum(held - room, 0.0), np.maximum(room - held, 0.0)
            full = np.flatnonzero(excess > _ROUNDING * room)
            if not full.size:
                break
            if excess.sum() >= free.sum():  # all sites of the box are vacant
                held = room * (held.sum() / room.sum())
                break
            held[full] = room[full]
            distance = np.linalg.norm(at[nodes[full], None, :] - at[nodes[None, :]], axis=2)
            wish = (free + np.finfo(float).tiny) * np.exp(-distance / _NEAR_NM)
            held += excess[full] @ (wish / wish.sum(axis=1, keepdims=True))
        result = np.zeros_like(amounts)
        result[nodes] = held
        return result


def draw(share: Floats, random: np.random.Generator) -> Mask:
    """(N,) which of N sites are taken, each with its own ``share``; their number is the sum of shares within one."""
    order = random.permutation(len(share))
    reached = np.cumsum(share[order]) + random.random()
    taken = np.zeros(len(share), dtype=bool)
    taken[order] = np.floor(reached) > np.floor(np.concatenate([[reached[0] - share[order[0]]], reached[:-1]]))
    return taken
