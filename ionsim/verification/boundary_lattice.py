"""Lattice diffusion with grain-boundary sites, for the case ``lattice-boundaries``: rates, master equation, walkers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import eigsh, expm_multiply

import kmc
import meshes
from ionsim.structure import oxygen_sublattice, site_grains

Array = NDArray[np.float64]
#: Of the oxygen sublattice of cubic HfO2 (ionsim.structure.crystals): half of 0.508 nm.
SPACING_NM = 0.254
#: All chosen: hops of a vacancy in the crystal, and how much lower barriers are in a boundary (D 18 times as high).
KELVIN, ATTEMPT_HZ, BARRIER_EV, SHIFT_EV = 600.0, 1e13, 0.7, -0.15
THERMAL_EV = kmc.KB_EV * KELVIN
#: Of hops in the crystal, m^2/s: nu a^2 exp(-E/kT), since a hop goes to each of two neighbours along an axis.
CRYSTAL = ATTEMPT_HZ * (SPACING_NM * 1e-9) ** 2 * float(np.exp(-BARRIER_EV / THERMAL_EV))
HOP = "vacancy_hop"


@dataclass(frozen=True, eq=False)
class BoundaryLattice:
    """The cubic oxygen sublattice of a film with boundaries.

    ``inside`` (N,): sites in a boundary; ``energy_eV`` (N,) of a vacancy; ``shift_eV`` (E,) of the barrier of an edge;
    ``attempt_Hz`` of hops.
    """

    sites: kmc.SiteGraph
    inside: NDArray[np.bool_]
    energy_eV: Array
    shift_eV: Array
    attempt_Hz: float = ATTEMPT_HZ

    @classmethod
    def of(cls, film: meshes.Polycrystal, energy_eV: float, series: bool, parts: int = 1) -> BoundaryLattice:
        """The lattice in the box of ``film``, whose lengths are whole spacings, with vacancies at ``energy_eV`` in
        boundaries. ``parts`` > 1: of a film one site thick, each site divided into parts^2, with as many hops more a
        second as keep D: no lattice of the material, but closer to its continuum.

        Barriers between a site in a boundary and one outside are the mean of both, as ``kmc`` has it for shifts by
        site; or, ``series``, those at which an edge resists as half an edge in each of the two materials does.
        """
        oxygen = oxygen_sublattice("cubic", *film.size_nm)
        region = site_grains(film, oxygen.positions_nm, by_class=False).region
        positions = oxygen.positions_nm
        if parts > 1:
            offsets = (np.arange(parts) + 0.5) / parts - 0.5
            around = np.stack([*np.meshgrid(offsets, offsets, indexing="ij"), np.zeros((parts, parts))], axis=-1)
            positions = (positions[:, None] + SPACING_NM * around.reshape(1, -1, 3)).reshape(-1, 3)
            region = np.repeat(region, parts**2)
        sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=1.2 * SPACING_NM / parts, region=region)
        inside = region > 0
        energy, shift = np.where(inside, energy_eV, 0.0), np.where(inside, SHIFT_EV, 0.0)
        by_edge = 0.5 * (shift[sites.origin] + shift[sites.target])
        if series:
            # 1/D K in units of the crystal's, of both halves
            halves = np.exp((shift + energy) / THERMAL_EV)
            level = THERMAL_EV * np.log(0.5 * (halves[sites.origin] + halves[sites.target]))
            by_edge = level - 0.5 * (energy[sites.origin] + energy[sites.target])
        return cls(sites, inside, energy, by_edge, ATTEMPT_HZ * parts**2)

    def generator(self) -> csr_array:
        """Matrix (N, N) of the master equation of one vacancy, dp/dt = G p, in 1/s."""
        sites = self.sites
        rise = self.energy_eV[sites.target] - self.energy_eV[sites.origin]
        height = np.maximum(np.maximum(BARRIER_EV + self.shift_eV + 0.5 * rise, rise), 0.0)
        rate = self.attempt_Hz * np.exp(-height / THERMAL_EV)
        leaving = np.bincount(sites.origin, rate, len(sites))
        every = np.arange(len(sites))
        entries = np.concatenate([rate, -leaving])
        rows, columns = np.concatenate([sites.target, every]), np.concatenate([sites.origin, every])
        return csr_array((entries, (rows, columns)), shape=(len(sites),) * 2)

    def settled(self) -> Array:
        """exp(-energy/kT) (N,): how many vacancies a site holds in equilibrium, against one of the crystal."""
        return np.asarray(np.exp(-self.energy_eV / THERMAL_EV))

    def evolved(self, start: Array, time_s: float) -> Array:
        """Exact occupations (N,) after a time, of independent vacancies; without energies, of any number of them.

        (Hops into occupied sites that do not happen leave the mean of a symmetric exclusion process as it is.)
        """
        return np.asarray(expm_multiply(self.generator() * time_s, start))

    def slowest(self) -> tuple[float, Array]:
        """Rate (1/s) of the slowest mode, and the function f (N,) whose mean goes with exp(-rate t) from any start."""
        root = np.sqrt(self.settled())
        symmetric = diags_array(1.0 / root) @ self.generator() @ diags_array(root)
        shift = 1e-3 * float(np.abs(symmetric.diagonal()).max())  # above 0, the eigenvalue of equilibrium
        values, vectors = eigsh(symmetric.tocsc(), k=2, sigma=shift, v0=np.ones(len(root)))
        slow = int(np.argmin(values))
        return -float(values[slow]), vectors[:, slow] / root

    def engine(self, occupation: NDArray[np.int8], seed: int | np.random.SeedSequence) -> kmc.Engine:
        """The lattice engine with these vacancies."""
        hop = kmc.hop("vacancy", "oxygen", BARRIER_EV, prefactor_Hz=self.attempt_Hz, name=HOP)
        engine = kmc.Engine(
            self.sites, kmc.Model(species=("oxygen", "vacancy"), processes=[hop]), occupation, seed=seed,
            site_energies_eV={"vacancy": self.energy_eV}, barrier_shifts_eV={HOP: self.shift_eV},
        )  # fmt: skip
        engine.set_fields(temperature_K=KELVIN)
        return engine

    def walks(self, start: Array, time_s: float, number: int, seed: int) -> NDArray[np.int64]:
        """Sites (number,) where single vacancies are a time after their start at random sites of these chances (N,)."""
        first, events = np.random.SeedSequence(seed).spawn(2)
        begin = np.random.default_rng(first).choice(len(start), number, p=start / start.sum())
        occupation = np.zeros(len(start), dtype=np.int8)
        occupation[begin[0]] = 1
        engine = self.engine(occupation, events)
        found = np.empty(number, dtype=np.int64)
        at = begin[0]
        for k, where in enumerate(begin):
            if where != at:  # the clock goes on: a walk does not remember when it began
                engine.assign([at, where], [0, 1])
            engine.run(until_s=engine.time_s + time_s)
            found[k] = at = int(np.flatnonzero(engine.occupation)[0])
        return found

    def exclusion(self, start: Array, time_s: float, seeds: int, root: int) -> Array:
        """Occupations (seeds, N), 0 or 1, a time after every site of ``start`` (N,), 0 or 1, was as it says."""
        return np.array([self._run(start, time_s, seed) for seed in kmc.seeds(root, seeds)])

    def _run(self, start: Array, time_s: float, seed: np.random.SeedSequence) -> NDArray[np.int8]:
        engine = self.engine(start.astype(np.int8), seed)
        engine.run(until_s=time_s)
        return np.array(engine.occupation)


@dataclass(frozen=True)
class Strip:
    """A boundary as a continuum has it: width, diffusivity over the crystal's, vacancies held over the crystal's."""

    width_nm: float
    faster: float
    more: float


def sharp(planes: int, energy_eV: float) -> Strip:
    """What the sites say: so many planes of the boundary's material."""
    return Strip(planes * SPACING_NM, float(np.exp(-SHIFT_EV / THERMAL_EV)), float(np.exp(-energy_eV / THERMAL_EV)))


def matched(planes: int, energy_eV: float) -> Strip:
    """The strip that holds and conducts, along and across, as ``planes`` do whose outer edges have the mean barrier.

    Such an edge conducts as the geometric mean of D K of both materials; half an edge in each of them, in series,
    conducts as the harmonic mean, which is less. A strip that is wider by 2 d makes up for it: with r and k the
    materials' ratios of D K and of K, and w the planes' width, it has k' (w + 2 d) = k w + 2 d to hold as much,
    r' (w + 2 d) = r w + 2 d to conduct as much along it, and the d for which a - 2 d + (w + 2 d) / r' is the resistance
    of the edges, (planes - 1) a / r + 2 a / sqrt(r), from the last plane of one crystal to the first of the other.
    """
    a, bare = SPACING_NM, sharp(planes, energy_eV)
    ratio = bare.faster * bare.more
    edges = (planes - 1) * a / ratio + 2.0 * a / np.sqrt(ratio)

    def excess(wider: float) -> float:
        width = bare.width_nm + 2.0 * wider
        return a - 2.0 * wider + width**2 / (ratio * bare.width_nm + 2.0 * wider) - edges

    wider = brentq(excess, 0.0, 0.5 * a)
    width = bare.width_nm + 2.0 * wider
    more = (bare.more * bare.width_nm + 2.0 * wider) / width
    return Strip(width, (ratio * bare.width_nm + 2.0 * wider) / width / more, more)


def joined(classes: Sequence[NDArray[np.int64]] | NDArray[np.int64], values: Array) -> Array:
    """Sums (..., classes) of values (..., N) over sites of the same class (N,)."""
    index = np.asarray(classes)
    table = np.zeros((index.size, int(index.max()) + 1))
    table[np.arange(index.size), index] = 1.0
    return np.asarray(values @ table)
