"""Where ions are in a random energy landscape with a field: Boltzmann's law, the ions excluding each other."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

import kmc
from ionsim.verification import figure, lattice_statistics
from ionsim.verification.kmc_variants import VARIANTS
from ionsim.verification.record import Record, case

_SHAPE = (3, 3, 3)
_SITES = int(np.prod(_SHAPE))
_IONS = 2
_COPIES = 4000
_SAMPLES = 3
_TEMPERATURE_K = 500.0
_SPACING_NM = 0.3


@case(
    "kmc-boltzmann", "kmc engine",
    problem=(
        "Two ions in 4,000 boxes of 27 sites with random energies and barriers, in a field, at 500 K, by each "
        "selector of events."
    ),
    exact="Each of the 351 configurations has the chance $e^{-E/kT}/Z$. Barriers must not matter.",
    sources=("N. G. van Kampen, Stochastic Processes in Physics and Chemistry, North-Holland 1992, chapters 5 and 12",),
)  # fmt: skip
def kmc_boltzmann() -> list[Record]:
    """Two ions in a box of 27 sites of random energies in a field take the canonical distribution, within 4 sigma.

    All 351 configurations are counted, over many copies of the box and at times which are 10 decay times of the slowest
    mode of a single ion apart. Barriers are random, too: they must not matter.
    """
    generator = np.random.default_rng(4)
    site_eV = generator.normal(0.0, 0.06, _SITES)
    shift_eV = generator.normal(0.0, 0.05, _SITES)
    places = np.stack(np.unravel_index(np.arange(_SITES), _SHAPE), axis=1)
    potential_V = places @ [0.02, -0.015, 0.03]
    configurations = np.array(list(combinations(range(_SITES), _IONS)))
    energy_eV = (site_eV + potential_V)[configurations].sum(axis=1)
    chance = softmax(-energy_eV / (kmc.KB_EV * _TEMPERATURE_K))
    number = {tuple(sites): k for k, sites in enumerate(configurations.tolist())}

    cell = np.array([_SPACING_NM * n for n in _SHAPE])
    cell[0] += 1.0  # copies stand apart
    corner = np.arange(_COPIES)[:, None, None] * [cell[0], 0.0, 0.0]
    positions = (corner + _SPACING_NM * places[None]).reshape(-1, 3)
    sites = kmc.SiteGraph.from_positions(positions, cutoff_nm=1.2 * _SPACING_NM)
    model = kmc.Model(species=("empty", "ion"), processes=[kmc.hop("ion", "empty", 0.4, charge_e=1.0)])
    near = np.linalg.norm(places[:, None] - places[None], axis=-1) == 1.0
    pause_s = 10.0 / _slowest_decay_Hz(near, site_eV + potential_V, shift_eV)
    records, curves, sigma, ranked = [], [], [], np.argsort(energy_eV)
    for seed, (name, options) in enumerate(VARIANTS.items()):
        occupation = np.zeros(len(sites), dtype=np.int8)
        occupation[np.arange(_COPIES)[:, None] * _SITES + [0, _SITES - 1]] = 1
        engine = kmc.Engine(
            sites, model, occupation, seed=seed, site_energies_eV={"ion": np.tile(site_eV, _COPIES)},
            barrier_shifts_eV={"hop": np.tile(shift_eV, _COPIES)}, **options,
        )  # fmt: skip
        engine.set_fields(np.tile(potential_V, _COPIES), _TEMPERATURE_K)
        counts = np.zeros(len(configurations), dtype=np.int64)
        for _ in range(_SAMPLES):
            engine.run(until_s=engine.time_s + pause_s)
            there = np.flatnonzero(engine.occupation).reshape(_COPIES, _IONS) % _SITES
            counts += np.bincount([number[tuple(pair)] for pair in there.tolist()], minlength=len(counts))
        deviation = lattice_statistics.of_multinomial(counts, chance)
        curves.append(figure.computed(name, energy_eV, counts))
        expected = counts.sum() * chance
        sigma.append((name, energy_eV, (counts - expected) / np.sqrt(expected)))
        records.append(Record.below(f"{name}: configurations, chi-square", deviation, 4.0, "sigma"))
    ratio = float(chance.max() / chance.min())
    figure.draw(
        figure.Panel("351 configurations", "energy (eV)", "times seen", [
            figure.exact("Boltzmann", energy_eV[ranked], _COPIES * _SAMPLES * chance[ranked]), *curves,
        ], y_log=True),
        figure.deviations("deviation", "energy (eV)", sigma),
    )  # fmt: skip
    return [Record("most likely over least likely configuration, exact", ratio), *records]


def _slowest_decay_Hz(near: NDArray[np.bool_], energy_eV: NDArray[np.float64], shift_eV: NDArray[np.float64]) -> float:
    """The spectral gap of a single ion."""
    change_eV = energy_eV[:, None] - energy_eV[None]  # to row i from column j
    barrier_eV = 0.4 + 0.5 * (shift_eV[:, None] + shift_eV[None])
    height_eV = np.maximum(barrier_eV, 0.5 * np.abs(change_eV)) + 0.5 * change_eV
    generator = np.where(near, 1e13 * np.exp(-height_eV / (kmc.KB_EV * _TEMPERATURE_K)), 0.0)
    generator -= np.diag(generator.sum(axis=0))
    return float(-np.sort(np.linalg.eigvals(generator).real)[-2])
