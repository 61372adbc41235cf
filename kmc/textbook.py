"""Models that everybody knows, ready to run: for benchmarks, for verification, and as examples.

Each function returns a :class:`Setup`; ``setup.engine(seed=1)`` makes the engine. Models in reduced units take one
unit of energy as 1 eV and one unit of time as 1 s, so that kT = 1 is a temperature of 1/k_B = 11604.5 K.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import lattice
from kmc.engine import Engine
from kmc.model import Model, PairEnergy, Reservoir
from kmc.occupation import Filler, random
from kmc.process import adsorption, exchange, hop, reaction
from kmc.rates import KB_EV
from kmc.sites import SiteGraph

Floats = NDArray[np.float64]

#: Edge (nm) of the cubic cell where a model has no length of its own.
EDGE_NM = 0.4
#: The ``barrier_eV`` of Metropolis rates.
METROPOLIS = -np.inf

_LATTICES = {"sc": lattice.simple_cubic, "bcc": lattice.bcc, "fcc": lattice.fcc}


@dataclass(frozen=True, eq=False)
class Setup:
    """Sites, model, first occupation and fields of a simulation.

    Attributes:
        sites, model, occupation: as :class:`kmc.Engine` takes them.
        potential_V, temperature_K: (N,) or a number.
        options: further arguments of the engine.
    """

    sites: SiteGraph
    model: Model
    occupation: ArrayLike | Filler
    potential_V: ArrayLike = 0.0
    temperature_K: ArrayLike = 300.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def engine(self, seed: int | np.random.SeedSequence = 0, **options: Any) -> Engine:
        """An engine with these fields; ``options`` go to it, before those of the setup."""
        engine = Engine(self.sites, self.model, self.occupation, seed=seed, **{**self.options, **options})
        engine.set_fields(self.potential_V, self.temperature_K)
        return engine


# -- hops on the fcc lattice -----------------------------------------------------------------------------------------


def free_hops(cells: int, fraction: float) -> Setup:
    """M1: particles on a periodic fcc lattice of ``cells``^3 cells, hopping to each empty neighbour at rate 1.

    Exact in the stationary state: 12 N_A (N - N_A)/(N - 1) hops per unit of time.
    """
    model = Model(species=("empty", "A"), processes=[hop("A", "empty", 0.0, prefactor_Hz=1.0)])
    return Setup(lattice.fcc(cells, EDGE_NM), model, random(A=fraction))


def hops_in_fields(cells: int, fraction: float, seed: int = 7) -> Setup:
    """M1 made harder: charged particles, with a potential and a temperature that differ at every site.

    The potential is a wave along each axis with an amplitude of 20 mV, with 5 mV (standard deviation) of noise from
    site to site; the temperature goes from 300 to 400 K in waves, with 1 K of noise. The barrier is 0.3 eV, and the
    prefactor such that a hop at 350 K without a step of potential has rate 1.
    """
    sites = lattice.fcc(cells, EDGE_NM)
    barrier_eV = 0.3
    ion = hop("A", "empty", barrier_eV, prefactor_Hz=float(np.exp(barrier_eV / (KB_EV * 350.0))), charge_e=1.0)
    generator = np.random.default_rng(seed)
    phase = 2.0 * np.pi * sites.positions_nm / sites.cell_nm
    potential_V = 0.02 * np.cos(phase).sum(axis=1) + generator.normal(0.0, 0.005, len(sites))
    noise_K = np.clip(generator.normal(0.0, 1.0, len(sites)), -4.0, 4.0)
    temperature_K = 350.0 + 46.0 * np.sin(phase).prod(axis=1) + noise_K
    model = Model(species=("empty", "A"), processes=[ion])
    return Setup(sites, model, random(A=fraction), potential_V, temperature_K)


def bond_counting(cells: int, fraction: float) -> Setup:
    """M2: hops on the periodic fcc lattice at min(1, exp(-dE/10)), dE = 2 x change in the hopper's empty neighbours.

    Whatever empty neighbours a hopper wins, it loses as bonds, and each bond has two ends: an energy of -2 for each
    bond gives this dE.
    """
    model = Model(
        species=("empty", "A"),
        processes=[hop("A", "empty", METROPOLIS, prefactor_Hz=1.0)],
        pair_energies=[PairEnergy("A", "A", -2.0)],
    )
    return Setup(lattice.fcc(cells, EDGE_NM), model, random(A=fraction), temperature_K=10.0 / KB_EV)


# -- models of a square lattice --------------------------------------------------------------------------------------


def ising(size: int, kt: float = 1.0, up: float = 0.0) -> Setup:
    """Spin flips on a periodic square lattice at min(1, exp(-dE/kT)), E = number of unlike neighbours.

    ``up`` is the fraction of spins that are up at the start, anywhere. The critical point is kT = 1.1346
    (= 1/ln(1 + sqrt 2)).
    """
    flip = reaction("flip", ("down",), ("up",), METROPOLIS, prefactor_Hz=1.0, reverse_name="flip back")
    model = Model(species=("down", "up"), processes=[flip], pair_energies=[PairEnergy("down", "up", 1.0)])
    return Setup(lattice.square(size, size, EDGE_NM), model, random(up=up), temperature_K=kt / KB_EV)


def kawasaki(size: int, kt: float = 1.0, up: float = 0.5) -> Setup:
    """The same energy as in :func:`ising` with neighbours that change places, which keeps the numbers of spins."""
    swap = hop("up", "down", METROPOLIS, prefactor_Hz=1.0, name="swap")
    model = Model(species=("down", "up"), processes=[swap], pair_energies=[PairEnergy("down", "up", 1.0)])
    return Setup(lattice.square(size, size, EDGE_NM), model, random(up=up), temperature_K=kt / KB_EV)


def co_oxidation(size: int = 100, y: float = 0.45) -> Setup:
    """CO oxidation of Ziff, Gulari and Barshad (10.1103/PhysRevLett.56.2553) on a periodic square lattice.

    CO comes at rate ``y`` on each empty site, O2 at (1 - y)/2 on each pair of empty neighbours, both leave at 1e-13;
    neighbouring CO and O react at 1e10. In the stationary state the surface is reactive for 0.39 < y < 0.525.
    """
    model = Model(
        species=("empty", "CO", "O"),
        processes=[
            adsorption("CO comes", "empty", "CO", y, desorption_Hz=1e-13, reverse_name="CO leaves"),
            adsorption("O2 comes", ("empty", "empty"), ("O", "O"), 0.5 * (1.0 - y), desorption_Hz=1e-13,
                       reverse_name="O2 leaves"),
            reaction("CO2", ("CO", "O"), ("empty", "empty"), rate_Hz=1e10),
        ],
    )  # fmt: skip
    return Setup(lattice.square(size, size, EDGE_NM), model, random())


def two_species(size: int = 64, fraction_a: float = 0.2, fraction_b: float = 0.2) -> Setup:
    """Two kinds of particles on a square lattice: A attracts A, B attracts B, A and B repel; B hops more slowly."""
    model = Model(
        species=("empty", "A", "B"),
        processes=[hop("A", "empty", 0.3, name="A hops"), hop("B", "empty", 0.35, name="B hops")],
        pair_energies=[PairEnergy("A", "A", -0.05), PairEnergy("B", "B", -0.05), PairEnergy("A", "B", 0.02)],
    )
    filling = random(A=fraction_a, B=fraction_b)
    return Setup(lattice.square(size, size, EDGE_NM), model, filling, temperature_K=400.0)


# -- vacancies -------------------------------------------------------------------------------------------------------


def single_vacancy(kind: str, cells: int) -> Setup:
    """One vacancy in a periodic cubic crystal ("sc", "bcc" or "fcc"), exchanging with each neighbour at rate 1.

    Follow the atoms with ``engine(track="atom")``; their tracer correlation factor on a large bcc lattice is 0.7272.
    """
    sites = _LATTICES[kind](cells, EDGE_NM)
    model = Model(species=("atom", "vacancy"), processes=[hop("vacancy", "atom", 0.0, prefactor_Hz=1.0)])
    occupation = np.zeros(len(sites), dtype=np.int8)
    occupation[0] = 1
    return Setup(sites, model, occupation)


#: Monoclinic HfO2 relaxed with density functional theory, of the VacHopPy examples (10.1016/j.cpc.2025.110010):
#: cell (nm), and the fractional positions of an oxygen atom with 3 and of one with 4 hafnium neighbours (P 2_1/c).
_HFO2_CELL_NM = np.array([[0.513742, 0.0, 0.0], [0.0, 0.518843, 0.0], [-0.089481, 0.0, 0.524593]])
_HFO2_CN3 = (0.067510, 0.329396, 0.347628)
_HFO2_CN4 = (0.448856, 0.757294, 0.477580)

#: Energy of a vacancy on a four-fold minus that on a three-fold site, eV; same source.
HFO2_SITE_EV = 0.65

#: Vacancy hops: coordination of the two sites, distance in nm, barriers there and back in eV (nudged elastic band);
#: same source.
HFO2_PATHS = (
    ((3, 4), 0.2542, 0.74, 0.08), ((3, 3), 0.2574, 0.84, 0.84), ((3, 3), 0.2785, 0.85, 0.85),
    ((3, 3), 0.2837, 1.35, 1.35), ((3, 4), 0.2937, 1.91, 1.25), ((3, 4), 0.2965, 2.07, 1.42),
    ((3, 4), 0.2989, 2.01, 1.36), ((4, 4), 0.2576, 0.32, 0.32), ((4, 4), 0.2662, 0.86, 0.86),
    ((4, 4), 0.2724, 0.98, 0.98),
)  # fmt: skip


def hfo2_vacancies(cells: int = 1, copies: int = 1, temperature_K: float = 1200.0) -> Setup:
    """One oxygen vacancy in each of some periodic monoclinic HfO2 crystals of ``cells``^3 unit cells.

    Its hops take the paths of ``HFO2_PATHS``, each with the mean of its two barriers as the symmetric barrier, at
    an attempt frequency of 1e13/s (chosen; it only sets the unit of time). ``sites.sublattice`` is the coordination.
    """
    generators = np.array([[1, 1, 1], [-1, 1, -1], [-1, -1, -1], [1, -1, 1]])
    shifts = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    basis = np.concatenate([generators * _HFO2_CN3 + shifts, generators * _HFO2_CN4 + shifts])
    sites = _crystal(_HFO2_CELL_NM, basis, cells, cutoff_nm=0.31, copies=copies, sublattice=np.repeat([3, 4], 4))
    kinds = np.sort([sites.sublattice[sites.origin], sites.sublattice[sites.target]], axis=0)
    barrier_eV = np.full(sites.n_edges, np.nan)
    for coordinations, length_nm, there_eV, back_eV in HFO2_PATHS:
        path = np.all(coordinations == kinds.T, axis=1) & (np.abs(sites.length_nm - length_nm) < 3e-4)
        barrier_eV[path] = 0.5 * (there_eV + back_eV)
    if np.isnan(barrier_eV).any():
        raise ValueError("a pair of oxygen sites of monoclinic HfO2 has no path in the table")
    model = Model(species=("O", "V"), processes=[hop("V", "O", 0.0)])
    occupation = np.zeros(len(sites), dtype=np.int8)
    occupation[:: len(sites) // copies] = 1
    options = {
        "site_energies_eV": {"V": np.where(sites.sublattice == 4, HFO2_SITE_EV, 0.0)},
        "barrier_shifts_eV": {"hop": barrier_eV},
    }
    return Setup(sites, model, occupation, temperature_K=temperature_K, options=options)


def vacancy_device(cells: tuple[int, int, int] = (26, 26, 28), seed: int = 3) -> Setup:
    """An oxide film with vacancies and interstitial ions in a field and a hot spot: four kinds of processes.

    A simple-cubic oxygen sublattice with interstitial sites at the body centres (fluorite HfO2, edge 0.2565 nm, 37,856
    sites), periodic in the plane, with a scavenging metal on top. Generation and recombination of pairs, hops of
    vacancies and of ions, exchange with the metal; barriers as in the code DeviceKMC for TiN/HfO2/Ti, exchange and its
    energy chosen. 5 % of the oxygen sites are vacant, 5 % of the interstitial sites hold an ion. The potential falls
    by 2 V through the film, the middle of which is 300 K hotter than its edges, both with noise from site to site.
    """
    edge_nm = 0.2565
    sites = SiteGraph.from_lattice(
        (edge_nm,) * 3, [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]], cells, cutoff_nm=0.35,
        periodic=(True, True, False), sublattice=[0, 1],
    )  # fmt: skip
    model = Model(
        species=("O", "empty", "V", "ion"),
        processes=[
            reaction("generation", ("O", "empty"), ("V", "ion"), 0.5 * 3.93, energy_eV=3.93, prefactor_Hz=1e14,
                     reverse_name="recombination"),
            hop("V", "O", 1.09, prefactor_Hz=1e14, name="vacancy hop"),
            hop("ion", "empty", 0.76, prefactor_Hz=1e14, name="ion hop"),
            exchange("scavenging", "ion", "empty", "metal", 0.76, energy_eV=-0.5, prefactor_Hz=1e14,
                     reverse_name="release"),
        ],
        charges_e={"V": 2.0, "ion": -2.0},
        reservoirs=[Reservoir("metal", 1000)],
    )  # fmt: skip
    generator = np.random.default_rng(seed)
    oxygen = sites.sublattice == 0
    drawn = generator.random(len(sites)) < 0.05
    occupation = np.where(oxygen, np.where(drawn, 2, 0), np.where(drawn, 3, 1)).astype(np.int8)
    height = sites.positions_nm[:, 2] / sites.positions_nm[:, 2].max()
    middle_nm = sites.positions_nm[:, :2] - 0.5 * sites.cell_nm[:2]
    hot_K = 300.0 * np.exp(-np.sum(middle_nm**2, axis=1) / (0.25 * sites.cell_nm[0]) ** 2)
    potential_V = 2.0 * height + generator.normal(0.0, 0.01, len(sites))
    temperature_K = 300.0 + hot_K + generator.uniform(0.0, 1.0, len(sites))
    top = np.flatnonzero(~oxygen & (height > height.max() - 0.02))
    options = {"contacts": {"metal": (top, 0.2)}}
    return Setup(sites, model, occupation, potential_V, temperature_K, options)


def _crystal(
    cell_nm: Floats, basis: Floats, repeat: int, *, cutoff_nm: float, copies: int, sublattice: NDArray[np.int64]
) -> SiteGraph:
    """The periodic graph of ``repeat``^3 unit cells that need not be orthorhombic, in separate copies.

    Hop vectors are exact; ``graph.cell_nm`` holds the extent of the diagonal only, as a graph's own cell is
    orthorhombic. The sites of a copy stand together.

    Args:
        cell_nm: (3, 3) cell vectors as rows; none may be shorter than the cutoff.
        basis: (B, 3) sites in fractions of them.
        repeat: number of cells along each vector.
        cutoff_nm: neighbours are nearer than this.
        copies: number of crystals that know nothing of each other.
        sublattice: (B,) integer labels.
    """
    in_cell = len(basis)
    away = np.stack(np.meshgrid(*(np.arange(-2, 3),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = (away[:, None, None] + basis[None, None] - basis[None, :, None]) @ cell_nm  # (away, from, to, 3)
    length = np.linalg.norm(steps, axis=-1)
    shell, own, other = np.nonzero((length < cutoff_nm) & (length > 0.0))
    order = np.lexsort((shell, other, own))
    shell, own, other = shell[order], own[order], other[order]
    number = {key: k for k, key in enumerate(zip(own.tolist(), other.tolist(), *away[shell].T.tolist(), strict=True))}
    back = np.array([number[j, i, -x, -y, -z] for i, j, x, y, z in number], dtype=np.int64)
    hops = steps[shell, own, other]
    later = np.flatnonzero(back < np.arange(len(back)))
    hops[later] = -hops[back[later]]  # opposite to the last bit

    corners = np.stack(np.meshgrid(*(np.arange(repeat),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    there = (corners[:, None] + away[shell][None]) % repeat  # (cells, edges of a cell, 3)
    cell = np.ravel_multi_index(tuple(np.moveaxis(there, -1, 0)), (repeat,) * 3)
    row = np.searchsorted(own, np.arange(in_cell))
    start = (np.arange(len(corners))[:, None] * len(back) + row).ravel()
    count, edges, copy = len(corners) * in_cell, len(corners) * len(back), np.arange(copies)[:, None]
    diagonal = repeat * np.abs(cell_nm).sum(axis=0)
    positions = ((corners[:, None] + basis) @ cell_nm).reshape(-1, 3)
    return SiteGraph(
        positions_nm=(copy[..., None] * [2.0 * diagonal[0], 0.0, 0.0] + positions).reshape(-1, 3),
        cell_nm=diagonal,
        periodic=(True, True, True),
        sublattice=np.tile(sublattice, copies * len(corners)).astype(np.int16),
        region=np.zeros(copies * count, dtype=np.int16),
        start=np.append(copy * edges + start, copies * edges).astype(np.int64),
        target=(copy * count + (cell * in_cell + other).ravel()).ravel().astype(np.int32),
        reverse=(copy * edges + (cell * len(back) + back).ravel()).ravel().astype(np.int32),
        vector=np.tile(np.arange(len(back)), copies * len(corners)).astype(np.min_scalar_type(len(back))),
        vectors_nm=hops,
        vector_length_nm=np.linalg.norm(hops, axis=1),
        opposite=back.astype(np.min_scalar_type(len(back))),
    )
