"""Break-up of a metal wire by surface diffusion: how its lifetime goes with its diameter.

A cylinder of atoms along <100>, the film normal of a cell, on the metal's face-centred cubic lattice. It wraps along
its axis over the wavelength of the perturbation that grows fastest, sqrt(2) pi d, so that wires of all diameters are
similar, nothing holds their ends, and one wavelength alone can grow (half of it is shorter than pi d). Atoms hop with
the energies and barriers of the family ``ecm``; there are no ions.

Herring (J. Appl. Phys. 21, 301 (1950)): where surface diffusion alone moves matter and the surface is a continuum,
times go with the fourth power of lengths, for similar shapes. Nichols and Mullins (Trans. AIME 233, 1840 (1965)): the
perturbation of a cylinder of radius r that grows fastest has the wavelength 2 sqrt(2) pi r and the rate
w = B/(4 r^4). :func:`herring_times` adds what a wire of a few atoms needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

import kmc
from ionsim.config import EcmDevice
from ionsim.devices.ecm_lattice import ATOM, part_of_model
from ionsim.verification.gibbs_thomson import GAMMA
from kmc import lattice

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Length of a wire and width of its box in diameters: a bead that holds all of the wire is 1.9 d wide.
_LENGTH, _ROOM = np.sqrt(2.0) * np.pi, 2.4

#: Between two looks at the wire the clock goes on by this factor, so a lifetime is known within 2 %.
_GROWTH = 1.02

#: Events before the first look.
_FIRST_EVENTS = 200


@dataclass(frozen=True, eq=False)
class Wire:
    """A wire before anything moved.

    Attributes:
        engine: its atoms and their hops.
        diameter: that of the cylinder with as much metal, in nearest-neighbour distances.
        opened: the sites of one period and the first plane of the next, as a graph that does not wrap.
        sources: (M,) site of the engine on each site of ``opened``.
        ends: the first and the last plane of ``opened``, as masks (M,).
    """

    engine: kmc.Engine
    diameter: float
    opened: kmc.SiteGraph
    sources: NDArray[np.int64]
    ends: dict[str, Mask]

    @property
    def metal(self) -> Mask:
        """(N,) where the atoms are."""
        return self.engine.occupation == self.engine.model.index(ATOM)

    def narrowest(self) -> int:
        """Atoms of the narrowest cut through one period of the wire; 0 when it is broken."""
        return kmc.narrowest_cut(self.opened, self.metal[self.sources], self.ends).size

    def broken(self) -> bool:
        """Whether no path of atoms leads through a period (as :meth:`narrowest` == 0, and quicker)."""
        return not kmc.find_clusters(self.opened, self.metal[self.sources], electrodes=self.ends).percolates


@dataclass(frozen=True)
class Life:
    """One wire until it broke.

    Attributes:
        diameter: in nearest-neighbour distances.
        time_s: the first time without a path along the wire, within 2 %; nan when it did not break.
        events: hops that this took.
        loose: the share of atoms without a neighbour (in the gas), mean of all looks.
    """

    diameter: float
    time_s: float
    events: int
    loose: float


def wire(device: EcmDevice, width: float, temperature_K: float, seed: int, neck: float = 0.0) -> Wire:
    """A wire of about ``width`` nearest-neighbour distances across, its radius at first varied by a share ``neck``."""
    edge_nm = device.lattice_constant_nm
    near_nm = edge_nm / np.sqrt(2.0)
    across = int(np.ceil(_ROOM * width * near_nm / edge_nm)) + 2
    along = max(2, round(_LENGTH * width * near_nm / edge_nm))
    sites = lattice.fcc((across, across, along), edge_nm, periodic=(False, False, True))
    positions = sites.positions_nm
    axis_nm = edge_nm * (across // 2)
    offset = np.hypot(positions[:, 0] - axis_nm, positions[:, 1] - axis_nm)
    wave = 1.0 - neck * np.cos(2.0 * np.pi * positions[:, 2] / (along * edge_nm))
    metal = offset <= 0.5 * width * near_nm * wave / np.sqrt(1.0 + 0.5 * neck**2)  # as much metal as without a neck
    model = part_of_model(device, ("surface_hop",))
    engine = kmc.Engine(sites, model, np.where(metal, model.index(ATOM), 0), seed=seed)
    engine.set_fields(0.0, temperature_K)
    area_nm2 = np.count_nonzero(metal) * 0.25 * edge_nm**3 / (along * edge_nm)

    first = np.flatnonzero(positions[:, 2] < 0.25 * edge_nm)
    image = positions[first] + [0.0, 0.0, along * edge_nm]
    opened = kmc.SiteGraph.from_positions(np.concatenate((positions, image)), cutoff_nm=0.85 * edge_nm)
    sources = np.concatenate((np.arange(len(sites)), first))
    height = opened.positions_nm[:, 2]
    ends = {"first": height < 0.25 * edge_nm, "last": height > (along - 0.25) * edge_nm}
    return Wire(engine, float(np.sqrt(4.0 * area_nm2 / np.pi) / near_nm), opened, sources, ends)


def lifetime(
    device: EcmDevice, width: float, temperature_K: float, seed: int, max_events: int, neck: float = 0.0
) -> Life:
    """Let a :func:`wire` go until it breaks."""
    made = wire(device, width, temperature_K, seed, neck)
    engine = made.engine
    engine.run(until_s=np.inf, max_events=_FIRST_EVENTS)
    loose = [loose_share(engine.sites, made.metal)]
    while not made.broken():
        if engine.n_events >= max_events:
            return Life(made.diameter, float("nan"), engine.n_events, float(np.mean(loose)))
        engine.run(until_s=_GROWTH * engine.time_s, max_events=max_events - engine.n_events)
        loose.append(loose_share(engine.sites, made.metal))
    return Life(made.diameter, engine.time_s, engine.n_events, float(np.mean(loose)))


def loose_share(sites: kmc.SiteGraph, metal: Mask) -> float:
    """Share of the atoms that have no atom beside them."""
    beside = np.add.reduceat(metal[sites.target].astype(np.int64), sites.start[:-1])
    return float(np.mean(beside[metal] == 0))


def hop_time_s(device: EcmDevice, temperature_K: float) -> float:
    """The unit of reduced time: what a hop takes to one site where it neither gains nor loses a bond."""
    barrier_eV = device.kinetic("atom.surface_barrier_eV")
    return float(np.exp(barrier_eV / (kmc.KB_EV * temperature_K)) / device.ion.attempt_Hz)


#: Surface energy of nearest-neighbour bonds on the fcc lattice, bonds per squared distance of neighbours: that of a
#: sphere with the energy of Wulff's shape (:mod:`ionsim.verification.gibbs_thomson`).
_SURFACE = 0.5 * GAMMA


def herring_times(diameters: ArrayLike, kt_over_bond: float, neck: float = 0.0) -> Floats:
    """Lifetimes of wires (D,) up to a factor, by Herring's law with what a wire of a few atoms adds to it.

    The one wavelength that grows starts from the neck and is driven by thermal noise. With the energy -K e^2/2 of its
    amplitude e, K = sqrt(2) pi^2 gamma, and two phases, e^2 + 2 kT/K grows by exp(2 w t) in the mean (linear
    theory); the wire is broken where e = r. And w goes with the number of mobile atoms, which the pressure of a curved
    surface raises by exp(gamma Omega/(r kT)).

    Args:
        diameters: in nearest-neighbour distances.
        kt_over_bond: temperature in bonds.
        neck: the amplitude at first over the radius.
    """
    radius = 0.5 * np.asarray(diameters, dtype=float)
    noise = 2.0 * kt_over_bond / (np.sqrt(2.0) * np.pi**2 * _SURFACE) / radius**2
    pressure = _SURFACE * np.sqrt(0.5) / (radius * kt_over_bond)  # an atom fills 1/sqrt(2) of a cubed distance
    return np.asarray(radius**4 * np.log((1.0 + noise) / (neck**2 + noise)) * np.exp(-pressure))


def exponent(diameters: ArrayLike, times: Floats, generator: np.random.Generator, draws: int = 1000) -> Floats:
    """n of t = c d^n with its standard error (2,): least squares in logarithms, and a bootstrap over the seeds.

    Args:
        diameters: (D,) any unit.
        times: (D, S) lifetime of each seed, all finite.
        generator: draws the seeds of the bootstrap, for each diameter on its own.
        draws: resampled sets.
    """
    length, logs = np.log(np.asarray(diameters, dtype=float)), np.log(times)
    rows, seeds = times.shape
    picked = generator.integers(seeds, size=(draws, rows, seeds))
    means = logs[np.arange(rows)[:, None], picked].mean(axis=2)
    slopes = np.polyfit(length, np.concatenate((logs.mean(axis=1)[None], means)).T, 1)[0]
    return np.array([slopes[0], slopes[1:].std(ddof=1)])
