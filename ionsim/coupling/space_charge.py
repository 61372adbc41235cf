"""The potential that ions make: between grounded electrodes, with every piece of metal an equipotential.

The energy of the charges is that of pairs of different ions, U = sum over k < l of q_k q_l G_kl, where G is the
potential at one site of a unit charge on another in the film as it is: with the electrodes
(:class:`ionsim.coupling.film_potential.FilmPotential`, exact) and with the charges that ions draw to the surface of
metal. No mesh is needed, and no ion feels itself.

Metal atoms carry Gaussian charges whose own potential is that of a sphere as large as an atom (fluctuating charges at
constant potential: J. I. Siepmann and M. Sprik, 10.1063/1.469429; S. K. Reed, P. A. Madden and A. Papadopoulos,
10.1063/1.2738478). They are such that each cluster is an equipotential: at 0 V where it touches an electrode, without
net charge where it floats. That is linear in the ions' charges,

    G = G0 - G0[:, M] C G0[M, :],

with C symmetric, so energies stay those of pairs, and an ion that leaves and comes back finds what it had left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import erfc

import kmc
from ionsim.coupling.film_potential import QUANTUM_V, FilmPotential

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class InducedCharge:
    """What metal does to potentials: the charges on its atoms that make each cluster an equipotential.

    Args:
        between: (M, M) potential at each atom of a unit charge on each, V: positive definite.
        cluster: (M,) a number from 0 for the cluster of each atom.
        grounded: (clusters,) which of them are held at 0 V; the others have no net charge.
    """

    def __init__(self, between: Floats, cluster: Ints, grounded: Mask) -> None:
        self._factor = cho_factor(between, lower=True)
        self._cluster = cluster
        self._floating = np.flatnonzero(~grounded)
        self._members = (cluster[:, None] == self._floating).astype(float)  # (M, F)
        self._each = cho_solve(self._factor, self._members)  # charges that raise one floating cluster by 1 V
        self._capacity = self._members.T @ self._each

    def respond(self, felt_V: Floats) -> tuple[Floats, Floats]:
        """Charges on the atoms (M, ...) and potentials of the atoms (M, ...) where others make ``felt_V`` (M, ...)."""
        charge = -cho_solve(self._factor, felt_V)
        if not len(self._floating):
            return charge, np.zeros_like(felt_V)
        level = np.linalg.solve(self._capacity, -self._members.T @ charge)
        return charge + self._each @ level, self._members @ level


class SpaceCharge:
    """Potential of the ions on a lattice in a film between grounded electrodes.

    Args:
        sites: the graph; its neighbours are those of a hop, and of metal atoms.
        film: potentials between its sites.
        charge_e: of an ion.
        touching: (N,) sites where an atom touches an electrode.
        atom_radius_nm: of a metal atom: the potential of a charge on it is that of a sphere of this radius.
        fixed_e: (N,) charges at sites that do not move, elementary charges; none by default.

    Attributes (after :meth:`update`):
        potential_V: (N,) what an ion on each site feels, or would feel: of all charges but the ion on that site.
        own_V: (E,) what the ion on the first site of an edge makes at the second, 0 where there is none.
        n_updates: how often it was computed.
    """

    def __init__(
        self,
        sites: kmc.SiteGraph,
        film: FilmPotential,
        *,
        charge_e: float,
        touching: Mask,
        atom_radius_nm: float,
        fixed_e: Floats | None = None,
    ) -> None:
        self.film, self.charge_e, self._touching = film, charge_e, touching
        self._start, self._target = sites.start, sites.target.astype(np.int64)
        self._width_nm = atom_radius_nm / np.sqrt(np.pi)  # of a Gaussian with 1/radius at its middle
        count = len(sites)
        self._beside = csr_array((np.ones(sites.n_edges, dtype=np.int8), sites.target, sites.start), (count, count))
        self._ions, self._metal = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        self._bare_V = np.zeros(count)  # without metal
        fixed = np.zeros(count) if fixed_e is None else np.asarray(fixed_e, dtype=float)
        for site in np.flatnonzero(fixed):
            self._bare_V += self._of_charge(int(site), float(fixed[site]))
        self._members: Ints = np.empty(0, dtype=np.int64)
        self._columns: dict[int, Floats] = {}
        self._to_metal: Floats = np.empty((0, count))
        self._induced: InducedCharge | None = None
        self.potential_V, self.own_V = self._bare_V.copy(), np.zeros(sites.n_edges)
        self.n_updates = 0

    def update(self, ions: Mask, metal: Mask) -> None:
        """Follow the ions (N,) and the metal (N,) to where they are now."""
        for site in np.flatnonzero(ions != self._ions):
            self._bare_V += self._of_charge(int(site), self.charge_e if ions[site] else -self.charge_e)
        self._ions = np.array(ions)
        if np.any(metal != self._metal):
            self._take_metal(metal)
        here = np.flatnonzero(ions)
        origin, edges = self._edges_of(here)
        target = self._target[edges]
        own_V = self.charge_e * self.film.between(target, here[origin])
        self.potential_V = self._bare_V.copy()
        if self._induced is not None:
            charge, level_V = self._induced.respond(self._bare_V[self._members])
            self.potential_V = self._bare_V + charge @ self._to_metal
            # What each ion draws to metal itself: it neither feels that nor takes it along.
            of_ions = self.charge_e * self._to_metal[:, here]
            image, level_of_V = self._induced.respond(of_ions)
            self.potential_V[here] -= np.einsum("mi,mi->i", image, self._to_metal[:, here])
            own_V += np.einsum("me,me->e", image[:, origin], self._to_metal[:, target])
            self.potential_V[self._members] = level_V
            place = np.full(len(metal), -1)
            place[self._members] = np.arange(len(self._members))
            at_metal = np.flatnonzero(metal[target])
            own_V[at_metal] = level_of_V[place[target[at_metal]], origin[at_metal]]
        self.own_V = np.zeros(len(self._target))
        self.own_V[edges] = own_V
        self.n_updates += 1

    def _of_charge(self, site: int, charge_e: float) -> Floats:
        """(N,) potential of a charge on a site without metal, V, in whole quanta; nothing at its own site."""
        potential = QUANTUM_V * np.round(charge_e * self.film.everywhere(site) / QUANTUM_V)
        potential[site] = 0.0
        return np.asarray(potential)

    def _edges_of(self, here: Ints) -> tuple[Ints, Ints]:
        """All edges from some sites: number of the site within ``here``, and the edge."""
        degree = self._start[here + 1] - self._start[here]
        origin = np.repeat(np.arange(len(here)), degree)
        edges = np.arange(degree.sum()) + np.repeat(self._start[here] - (np.cumsum(degree) - degree), degree)
        return origin, edges

    def _take_metal(self, metal: Mask) -> None:
        """Clusters of the metal as it is now, and what they do."""
        self._metal = np.array(metal)
        self._members = members = np.flatnonzero(metal)
        columns = {site: self._columns.get(site) for site in members.tolist()}
        self._columns = {site: self.film.everywhere(site) if old is None else old for site, old in columns.items()}
        self._induced = None
        if not len(members):
            return
        self._to_metal = np.array(list(self._columns.values()))
        count, cluster = connected_components(self._beside[members][:, members], directed=False)
        grounded = np.zeros(count, dtype=bool)
        grounded[cluster[self._touching[members]]] = True
        between = self._to_metal[:, members] + self._of_widths(self.film.positions_nm[members])
        self._induced = InducedCharge(between, cluster.astype(np.int64), grounded)

    def of_width(self, distance_nm: Floats) -> Floats:
        """What Gaussian charges on atoms at a distance (...) add to the potential of points, which is none at 0, V."""
        width, root = 2.0 * self._width_nm, 2.0 / np.sqrt(np.pi)
        safe = np.where(distance_nm > 0.0, distance_nm, 1.0)
        added = np.where(distance_nm > 0.0, -erfc(safe / width) / safe, root / width)
        return np.asarray(self.film.scale_V_nm * added)

    def _of_widths(self, positions_nm: Floats) -> Floats:
        """(M, M) what the widths of atoms and of their nearest images add to the potential of points, V."""
        flat = positions_nm[:, None, :2] - positions_nm[None, :, :2]
        rho, z = np.hypot(flat[..., 0], flat[..., 1]), positions_nm[:, 2]
        added = self.of_width(np.hypot(rho, z[:, None] - z))
        for mirror in (0.0, 2.0 * self.film.thickness_nm):
            added -= self.of_width(np.hypot(rho, z[:, None] + z - mirror))
        return added

    def checkpoint(self) -> dict[str, Any]:
        """What ions and metal were at the last update: all else follows from it."""
        return {"ions": self._ions.copy(), "metal": self._metal.copy(), "n_updates": np.array([self.n_updates])}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to a checkpoint."""
        self.update(np.array(saved["ions"]), np.array(saved["metal"]))
        self.n_updates = int(saved["n_updates"][0])
