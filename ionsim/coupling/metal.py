"""Metal atoms on a lattice as a conductor: equipotential clusters, quantised constrictions, tunnelling across gaps.

Neighbouring atoms share a bond of bulk metal, so a cluster is an equipotential. It takes the potential of an electrode
that it touches; one that touches none floats, with no net current into it (a bipolar electrode), because only the film
and tunnelling connect it. Electrons tunnel from an atom to an electrode that it does not touch, with the WKB decay of
:func:`ionsim.coupling.tunnelling_decay_nm`.

Where metal bridges the electrodes, the narrowest cross-section of N atoms (the smallest vertex cut, exact) carries
whole channels: each of its atoms is joined to what lies behind it with one conductance quantum in all. So there N G0
stand in series with the rest, whose spreading resistance the field solution gives (R. Landauer, 10.1147/rd.13.0223; one
channel for an atom of a monovalent metal, Scheer et al., 10.1038/28112).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.constants import physical_constants
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import kmc
from ionsim.coupling.network import Bonds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

G0_S: float = physical_constants["conductance quantum"][0]


@njit(cache=True)
def two_sides(
    start: Ints, target: NDArray[np.int32], metal: Mask, potential: Floats, ion: Floats, electron: Floats
) -> None:
    """Overwrite ``ion`` on sites of metal and ``electron`` beside metal; see :meth:`MetalNetwork.two_sides`."""
    for i in range(len(metal)):
        total, count = 0.0, 0
        for k in range(start[i], start[i + 1]):
            if metal[target[k]] != metal[i]:
                total += potential[target[k]]
                count += 1
        if count and metal[i]:
            ion[i] = total / count
        elif count:
            electron[i] = total / count


@njit(cache=True)
def surface_weights(start: Ints, target: NDArray[np.int32], metal: Mask, potential: Floats, weight: Floats) -> None:
    """Raise ``weight`` (N,) on metal by what the potential could move if the atom went, V.

    The bonds of an atom to its own cluster say nothing of it: they carry no voltage. Where the atom stood the potential
    would rise toward that of the sites beside it without metal.
    """
    for i in range(len(metal)):
        if metal[i]:
            for k in range(start[i], start[i + 1]):
                if not metal[target[k]]:
                    weight[i] = max(weight[i], abs(potential[i] - potential[target[k]]))


@njit(cache=True)
def conductance_gains(
    start: Ints,
    target: NDArray[np.int32],
    metal: Mask,
    bulk: float,
    bottom: Floats,
    top: Floats,
    potential: Floats,
    gain: Floats,
) -> None:
    """Fill ``gain`` (N,) on sites without metal with what an atom there would add to the conductance, S.

    ``potential`` (N,) is that for 1 V. With all others held at their potentials, the atom takes the one that
    dissipates least, and what its bonds dissipate then is an upper bound of the gain (the true potentials dissipate
    less still). An atom that touches nothing has grown on others that came after the potential was solved: it counts
    with all of its tunnelling to the nearer electrode, as if it hung together with the farther one.
    """
    for i in range(len(metal)):
        if metal[i]:
            continue
        count = 0
        total, first, second = bottom[i] + top[i], top[i], top[i]
        for k in range(start[i], start[i + 1]):
            j = target[k]
            if metal[j]:
                count += 1
                total += bulk
                first += bulk * potential[j]
                second += bulk * potential[j] ** 2
        if count == 0 and bottom[i] < bulk and top[i] < bulk:
            gain[i] = max(bottom[i], top[i])
        elif total > 0.0:
            gain[i] = max(second - first * first / total, 0.0)


@dataclass(frozen=True)
class MetalNetwork:
    """Bonds of metal atoms with each other and with two electrodes; the counterpart of :class:`Network`.

    Attributes:
        sites: the graph; its neighbours are the neighbours of a metal atom.
        conductance_S: (E,) of a bond between neighbours, by edge of the graph: bulk metal.
        bottom_S, top_S: (N,) conductance from an atom on this site to each electrode: bulk where it touches, else that
            of tunnelling, 0 beyond the cutoff.
        contacts: electrode -> (N,) sites that touch it.
        carriers: (N,) sites that can hold an atom: all.
    """

    sites: kmc.SiteGraph
    conductance_S: Floats
    bottom_S: Floats
    top_S: Floats
    contacts: dict[str, Mask]
    carriers: Mask

    @classmethod
    def build(
        cls,
        sites: kmc.SiteGraph,
        thickness_nm: float,
        *,
        bulk_S: float,
        spacing_nm: float,
        decay_nm: float,
        cutoff_nm: float,
        barrier: tuple[float, float] | None = None,
    ) -> MetalNetwork:
        """A film up to z = ``thickness_nm`` with planes ``spacing_nm`` apart, the outer ones half of that inside.

        Args:
            sites: the lattice.
            thickness_nm: of the film.
            bulk_S: conductance of two neighbouring atoms, and of an atom and an electrode that it touches.
            spacing_nm: distance of the lattice planes.
            decay_nm: decay length of the tunnelling amplitude.
            cutoff_nm: an atom farther than this from an electrode's surface has no bond to it.
            barrier: where the film above begins, nm, and the decay length in it; None is one film.
        """
        z_nm = sites.positions_nm[:, 2]
        begins_nm, above_nm = (np.inf, decay_nm) if barrier is None else barrier

        def to_electrode(distance: Floats, touches: Mask, beside_nm: float, decays_nm: tuple[float, float]) -> Floats:
            """Of atoms at a distance: the film ``beside_nm`` wide at the electrode, and the other one behind it."""
            gap = distance - 0.5 * spacing_nm
            times = np.minimum(gap, beside_nm) / decays_nm[0] + np.maximum(gap - beside_nm, 0.0) / decays_nm[1]
            return np.where(touches, bulk_S, np.where(distance <= cutoff_nm, G0_S * np.exp(-2.0 * times), 0.0))

        contacts = {"bottom": z_nm < spacing_nm, "top": z_nm > thickness_nm - spacing_nm}
        beside_top_nm = np.inf if barrier is None else thickness_nm - begins_nm
        return cls(
            sites, np.full(sites.n_edges, bulk_S),
            to_electrode(z_nm, contacts["bottom"], begins_nm, (decay_nm, above_nm)),
            to_electrode(thickness_nm - z_nm, contacts["top"], beside_top_nm, (above_nm, decay_nm)),
            contacts, np.ones(len(sites), dtype=bool),
        )  # fmt: skip

    @property
    def bulk_S(self) -> float:
        """Conductance of a bond between two neighbours, S."""
        return float(self.conductance_S.max(initial=0.0))

    @property
    def start(self) -> Ints:
        """(N + 1,) where a site's bonds begin."""
        return self.sites.start

    @property
    def target(self) -> NDArray[np.int32]:
        """(E,) the other site of each bond."""
        return self.sites.target

    def bonds(self, metal: Mask) -> Bonds:
        """The conductors of a configuration; see this module's text."""
        first, second = self._pairs(metal)
        strength = np.full(len(first), self.conductance_S[0] if len(self.conductance_S) else 0.0)
        shares = {"bottom": np.ones(len(metal)), "top": np.ones(len(metal))}
        cut = kmc.narrowest_cut(self.sites, metal, self.contacts)
        if cut.size:
            self._constrict(metal, cut.sites, first, second, strength, shares)
        return Bonds(first, second, strength, shares)

    def two_sides(self, metal: Mask, potential: Floats) -> tuple[Floats, Floats]:
        """(N,) what an ion would feel on each site, and the potential of the electrons that it could take there.

        ``potential`` (N,) has the metal's own value on sites of metal. An ion that an atom of its surface turns into
        stands on the electrolyte's side of the double layer: there it is the mean over the neighbouring sites without
        metal. Electrons beside metal have the mean potential of the metal around.
        """
        ion, electron = potential.copy(), potential.copy()
        two_sides(self.start, self.target, metal, potential, ion, electron)
        return ion, electron

    def channels(self, metal: Mask) -> int:
        """Atoms of the narrowest cross-section between the electrodes; 0 where metal does not join them."""
        return kmc.narrowest_cut(self.sites, metal, self.contacts).size

    def beside_joined(self, metal: Mask) -> Mask:
        """(N,) sites without metal beside metal that hangs together with the top electrode; none once it bridges."""
        first, second = self._pairs(metal)
        joined = self._beyond(metal, first, second)
        if np.any(joined & self.contacts["bottom"]):
            return np.zeros(len(metal), dtype=bool)
        owner = np.repeat(np.arange(len(metal)), np.diff(self.start))
        beside = np.zeros(len(metal), dtype=bool)
        beside[self.target[joined[owner]]] = True
        return beside & ~metal

    def _pairs(self, metal: Mask) -> tuple[Ints, Ints]:
        """Neighbouring atoms, each pair once."""
        members = np.flatnonzero(metal)
        degree = self.start[members + 1] - self.start[members]
        first = np.repeat(members, degree)
        edge = np.arange(degree.sum()) + np.repeat(self.start[members] - (np.cumsum(degree) - degree), degree)
        second = self.target[edge].astype(np.int64)
        once = metal[second] & (first < second)
        return first[once], second[once]

    def _constrict(
        self, metal: Mask, cut: Ints, first: Ints, second: Ints, strength: Floats, shares: dict[str, Floats]
    ) -> None:
        """Give each atom of the cut one conductance quantum toward what it is joined to on the top electrode's side."""
        in_cut = np.zeros(len(metal), dtype=bool)
        in_cut[cut] = True
        above = self._beyond(metal & ~in_cut, first, second)
        up = in_cut[first] & above[second]
        down = in_cut[second] & above[first]
        touching = in_cut & self.contacts["top"]
        paths = (
            np.bincount(first[up], minlength=len(metal)) + np.bincount(second[down], minlength=len(metal)) + touching
        )
        bulk = float(self.conductance_S[0])
        # Behind a bond of bulk metal stands the cluster, so the bond itself is the channel's share.
        strength[up] = np.minimum(G0_S / paths[first[up]], bulk)
        strength[down] = np.minimum(G0_S / paths[second[down]], bulk)
        shares["top"][touching] = np.minimum(G0_S / paths[touching] / bulk, 1.0)

    def _beyond(self, metal: Mask, first: Ints, second: Ints) -> Mask:
        """(N,) atoms that hang together with the top electrode."""
        kept = metal[first] & metal[second]
        count = len(metal)
        graph = coo_array((np.ones(int(kept.sum()), dtype=np.int8), (first[kept], second[kept])), shape=(count, count))
        labels = connected_components(graph, directed=False)[1]
        reached = np.unique(labels[metal & self.contacts["top"]])
        return np.asarray(metal & np.isin(labels, reached))
