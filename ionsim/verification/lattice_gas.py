"""A lattice gas in equilibrium: occupation of two levels, and of every configuration of a small interacting gas."""

import itertools

import numpy as np
from scipy.special import gammaln, softmax

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.record import Record, case

_TEMPERATURE_K = 600.0
_THERMAL_EV = kmc.KB_EV * _TEMPERATURE_K
_HOP = kmc.hop("ion", into="empty", barrier_eV=0.4)
_HOP_HZ = 1e13 * np.exp(-0.4 / _THERMAL_EV)


@case(
    "detailed-balance-lattice-gas", "kmc engine",
    problem=(
        "Ions hop on a periodic fcc crystal whose sites lie on two levels 0.06 eV apart (64 ions on 256 sites), and "
        "three ions that attract each other on eight unequal sites, at 600 K. Ions exclude each other."
    ),
    exact=(
        r"$P(n) \propto \binom{U}{n}\binom{L}{M-n}\,e^{-n\epsilon/kT}$ for $n$ of $M$ ions on the upper sites; "
        r"Boltzmann's $e^{-E/kT}$ for each of the 56 configurations of the small gas, enumerated."
    ),
    sources=("T. L. Hill, An Introduction to Statistical Thermodynamics, Dover 1986, chapter 14",),
)  # fmt: skip
def detailed_balance_lattice_gas() -> list[Record]:
    """Occupations of two levels, and of all configurations of an interacting gas, are Boltzmann's, within 4 sigma."""
    return [*_two_levels(), *_configurations()]


def _fcc(cells: tuple[int, int, int]) -> kmc.SiteGraph:
    """A periodic fcc crystal with an edge of 0.4 nm."""
    basis = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
    corners = np.array(list(itertools.product(*map(range, cells))))
    positions = 0.4 * (corners[:, None] + basis[None]).reshape(-1, 3)
    return kmc.SiteGraph.from_positions(
        positions, cutoff_nm=0.3, cell_nm=0.4 * np.array(cells), periodic=(True, True, True)
    )


def _two_levels() -> list[Record]:
    """Ions on two kinds of sites: n of M are on the upper ones with probability C(U, n) C(L, M - n) exp(-n e/kT)."""
    sites = _fcc((4, 4, 4))
    upper = np.random.default_rng(1).permutation(len(sites)) < len(sites) // 2
    energy_eV, ions, samples = 0.06, 64, 3000
    occupation = kmc.random(ion=ions / len(sites))
    model = kmc.Model(species=("empty", "ion"), processes=[_HOP])
    engine = kmc.Engine(sites, model, occupation, seed=1, site_energies_eV={"ion": np.where(upper, energy_eV, 0.0)})
    engine.set_fields(temperature_K=_TEMPERATURE_K)
    n = np.arange(ions + 1)
    n_upper, n_lower = int(upper.sum()), int((~upper).sum())
    weight = -_log_factorials(n, n_upper) - _log_factorials(ions - n, n_lower) - n * energy_eV / _THERMAL_EV
    chance = softmax(weight)
    mean = float(chance @ n)
    variance = float(chance @ n**2) - mean**2
    seen = np.empty(samples)
    for k in range(samples):
        engine.run(until_s=engine.time_s + 1.0 / _HOP_HZ)  # about ten hops of each ion: no memory of its level
        seen[k] = np.count_nonzero(engine.occupation[upper])
    histogram = np.bincount(seen.astype(int), minlength=ions + 1)
    figure.draw(*figure.counted("ions on upper sites", "ions", histogram, chance))
    memory = float(np.corrcoef(seen[:-1], seen[1:])[0, 1])
    return [
        Record("ions on upper sites, mean over exact mean", float(seen.mean()) / mean),
        Record.below("ions on upper sites, deviation", lattice_statistics.of_mean(seen, mean, variance), 4.0, "sigma"),
        Record.below(
            "fluctuation of that number, deviation",
            lattice_statistics.of_mean((seen - mean) ** 2, variance, float(chance @ (n - mean) ** 4) - variance**2),
            4.0, "sigma",
        ),
        Record.below("memory between samples, deviation from none", memory * np.sqrt(samples), 4.0, "sigma"),
    ]  # fmt: skip


def _log_factorials(n: np.ndarray, places: int) -> np.ndarray:
    """ln of n! (places - n)!: minus ln of the binomial coefficient, but for a constant."""
    return np.asarray(gammaln(n + 1.0) + gammaln(places - n + 1.0))


def _configurations() -> list[Record]:
    """Three ions that attract each other on eight unequal sites, each a neighbour of others through several images."""
    sites = _fcc((2, 1, 1))
    pair_eV, ions, samples = -0.05, 3, 20_000
    site_eV = np.random.default_rng(2).normal(0.0, 0.05, len(sites))
    model = kmc.Model(species=("empty", "ion"), processes=[_HOP], pair_energies=[kmc.PairEnergy("ion", "ion", pair_eV)])
    occupation = np.array([1] * ions + [0] * (len(sites) - ions))
    engine = kmc.Engine(sites, model, occupation, seed=3, site_energies_eV={"ion": site_eV})
    engine.set_fields(temperature_K=_TEMPERATURE_K)
    bonds = np.zeros((len(sites), len(sites)))
    for i, j in itertools.permutations(range(len(sites)), 2):
        for shift in itertools.product((-1, 0, 1), repeat=3):
            vector = sites.positions_nm[j] + np.array(shift) * sites.cell_nm - sites.positions_nm[i]
            bonds[i, j] += np.linalg.norm(vector) < 0.3
    states = list(itertools.combinations(range(len(sites)), ions))
    energies = [site_eV[list(s)].sum() + 0.5 * pair_eV * bonds[np.ix_(s, s)].sum() for s in states]
    counts = dict.fromkeys(states, 0)
    for _ in range(samples):
        engine.run(until_s=engine.time_s + 3.0 / _HOP_HZ)
        counts[tuple(np.flatnonzero(engine.occupation).tolist())] += 1
    chance, ranked = softmax(-np.array(energies) / _THERMAL_EV), np.argsort(energies)
    deviation = lattice_statistics.of_multinomial(list(counts.values()), chance)
    found = np.array(list(counts.values()))[ranked]
    figure.draw(*figure.counted("56 configurations", "energy (eV)", found, chance[ranked], np.array(energies)[ranked]))
    return [Record.below("56 configurations, chi-square", deviation, 4.0, "sigma")]
