"""Bonds between vacancies, and between vacancies and electrodes: the conductors that a filament is made of.

Two vacancies nearer than the metallic distance share a full bond; farther apart electrons tunnel, with the WKB decay
g = g0 exp(-2 (d - d0)/xi), xi = hbar/sqrt(2 m* E_t). A vacancy reaches an electrode the same way, and a missing layer
costs the same factor at an electrode as between vacancies. Nothing here solves anything: the bonds go into the
finite-element matrix (one potential, one current).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.constants import electron_mass, elementary_charge, hbar
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def tunnelling_decay_nm(trap_depth_eV: float, effective_mass: float) -> float:
    """Decay length xi of the amplitude under a barrier of this depth, nm (WKB; mass in electron masses)."""
    momentum = np.sqrt(2.0 * effective_mass * electron_mass * trap_depth_eV * elementary_charge)
    return float(1e9 * hbar / momentum)


class Bonds(NamedTuple):
    """Conductors of a configuration.

    Attributes:
        first, second: (B,) the sites that each bond joins.
        strength_S: (B,) their conductances.
        shares: electrode -> (N,) which share of its full conductance to the electrode each site has.
    """

    first: Ints
    second: Ints
    strength_S: Floats
    shares: Mapping[str, Floats]


@dataclass(frozen=True)
class Network:
    """All bonds that could exist, as rows per site (like a site graph, but up to the tunnelling cutoff).

    Attributes:
        start: (N + 1,), target: (M,), conductance_S: (M,) bonds between two sites, each stored from both ends.
        metallic: (M,) the two sites are neighbours (no tunnelling gap between them).
        bottom_S, top_S: (N,) conductance from a vacancy on this site to each electrode, 0 beyond the cutoff.
        electrodes: (N,) number of electrodes that a site touches.
        carriers: (N,) sites that can hold a vacancy; the others have no bonds.
        isolated_share, metallic_neighbours: how conduction depends on the neighbourhood; see :func:`metallicity`.
    """

    start: Ints
    target: Ints
    conductance_S: Floats
    metallic: NDArray[np.bool_]
    bottom_S: Floats
    top_S: Floats
    electrodes: Ints
    carriers: NDArray[np.bool_]
    isolated_share: float
    metallic_neighbours: int

    @classmethod
    def build(
        cls,
        positions_nm: Floats,
        thickness_nm: float,
        *,
        contact_conductance_S: float,
        metallic_nm: float,
        decay_nm: float,
        cutoff_nm: float,
        isolated_share: float = 1.0,
        metallic_neighbours: int = 1,
        carriers: NDArray[np.bool_] | None = None,
    ) -> Network:
        """List all bonds up to ``cutoff_nm`` between sites (N, 3) in an oxide from z = 0 to ``thickness_nm``.

        ``carriers`` (N,) are the sites that can hold a vacancy; all by default. Distances are not periodic: the lattice
        box lies in the middle of a wider finite-element domain.
        """
        able = np.ones(len(positions_nm), dtype=bool) if carriers is None else np.asarray(carriers, dtype=bool)
        here = np.flatnonzero(able)
        tree = cKDTree(positions_nm[here])
        pairs = here[tree.query_pairs(cutoff_nm, output_type="ndarray")]
        origin = np.concatenate([pairs[:, 0], pairs[:, 1]])
        target = np.concatenate([pairs[:, 1], pairs[:, 0]])
        order = np.lexsort((target, origin))
        origin, target = origin[order], target[order]
        length = np.linalg.norm(positions_nm[origin] - positions_nm[target], axis=1)
        start = np.concatenate(([0], np.cumsum(np.bincount(origin, minlength=len(positions_nm)))))

        def conductance(distance: Floats) -> Floats:
            beyond = np.maximum(distance - metallic_nm, 0.0)
            return np.where(distance <= cutoff_nm, contact_conductance_S * np.exp(-2.0 * beyond / decay_nm), 0.0)

        # An electrode's surface lies half a spacing beyond the layer that touches it.
        to_bottom = positions_nm[:, 2] + 0.5 * metallic_nm
        to_top = thickness_nm - positions_nm[:, 2] + 0.5 * metallic_nm
        return cls(
            start, target, conductance(length), length <= metallic_nm,
            np.where(able, conductance(to_bottom), 0.0), np.where(able, conductance(to_top), 0.0),
            (to_bottom <= metallic_nm).astype(np.int64) + (to_top <= metallic_nm),
            able, isolated_share, metallic_neighbours,
        )  # fmt: skip

    def shares(self, vacant: NDArray[np.bool_]) -> Floats:
        """(N,) how well each vacancy conducts; see :func:`metallicity`."""
        share = np.empty(len(vacant))
        metallicity(
            self.start, self.target, self.metallic, self.electrodes, vacant, self.isolated_share,
            self.metallic_neighbours, share,
        )  # fmt: skip
        return share

    def bonds(self, vacant: NDArray[np.bool_]) -> Bonds:
        """The bonds that conduct, and the share of its contacts that each vacancy has."""
        share = self.shares(vacant)
        first, second, strength = active_bonds(self.start, self.target, self.conductance_S, vacant, share)
        return Bonds(first, second, strength, {"bottom": share, "top": share})

    def site_currents(self, vacant: NDArray[np.bool_], potential: Floats, top: float) -> Floats:
        """(N,) current through each vacancy: half of what flows in and out of it along all its bonds.

        ``potential`` (N,) of the sites and ``top`` of the driven electrode in V (then A), or both for 1 V (then S); the
        bottom electrode is at 0.
        """
        first, second, strength, shares = self.bonds(vacant)
        flow = 0.5 * strength * np.abs(potential[first] - potential[second])
        total = np.bincount(first, flow, len(vacant)) + np.bincount(second, flow, len(vacant))
        total += 0.5 * shares["bottom"] * self.bottom_S * np.abs(potential)
        return np.asarray(total + 0.5 * shares["top"] * self.top_S * np.abs(top - potential))


@njit(cache=True)
def metallicity(
    start: Ints,
    target: Ints,
    metallic: NDArray[np.bool_],
    electrodes: Ints,
    vacant: NDArray[np.bool_],
    isolated: float,
    full: int,
    share: Floats,
) -> None:
    """Fill ``share`` (N,): how well a vacancy conducts for the number n of its vacant neighbours and electrodes.

    A lone vacancy is a trap (share ``isolated``), one with ``full`` neighbours or more part of a metallic suboxide
    (share 1); in between the logarithm is linear in n, as the conductivity of suboxides is in their composition.
    """
    for i in range(len(vacant)):
        if vacant[i]:
            n = electrodes[i]
            for k in range(start[i], start[i + 1]):
                if metallic[k] and vacant[target[k]]:
                    n += 1
            share[i] = isolated ** (1.0 - min(n, full) / full)
        else:
            share[i] = 0.0


@njit(cache=True)
def active_bonds(
    start: Ints, target: Ints, conductance: Floats, vacant: NDArray[np.bool_], share: Floats
) -> tuple[Ints, Ints, Floats]:
    """The bonds whose two ends are both vacant, once each: (first, second, conductance with the lesser share)."""
    count = 0
    for i in range(len(vacant)):
        if vacant[i]:
            for k in range(start[i], start[i + 1]):
                if target[k] > i and vacant[target[k]]:
                    count += 1
    first, second, strength = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
    count = 0
    for i in range(len(vacant)):
        if vacant[i]:
            for k in range(start[i], start[i + 1]):
                if target[k] > i and vacant[target[k]]:
                    lesser = min(share[i], share[target[k]])
                    first[count], second[count], strength[count] = i, target[k], conductance[k] * lesser
                    count += 1
    return first, second, strength


@njit(cache=True)
def change_weights(
    start: Ints,
    target: Ints,
    conductance: Floats,
    bottom: Floats,
    top: Floats,
    vacant: NDArray[np.bool_],
    potential: Floats,
    top_V: float,
    full: float,
    weight: Floats,
) -> None:
    """How far the potential could move if a site's species changed, V: an estimate (docs/vcm-model.md).

    A conductor put between (or taken from) two points at potential difference D moves no potential by more than D; a
    weak one moves it by its share, at most g/g0. The weight of a site is the largest of these over the bonds that the
    change would make or break.
    """
    for i in range(len(vacant)):
        weight[i] = max(bottom[i] / full * abs(potential[i]), top[i] / full * abs(top_V - potential[i]))
    # Bonds are stored from both ends, and few sites are vacant: each of those tells its neighbours.
    for j in range(len(vacant)):
        if vacant[j]:
            for k in range(start[j], start[j + 1]):
                change = min(1.0, conductance[k] / full) * abs(potential[target[k]] - potential[j])
                weight[target[k]] = max(weight[target[k]], change)
