"""The verification cases of the lattice engine pass, and their statistics can tell."""

import numpy as np
import pytest

from ionsim.verification import lattice_statistics
from ionsim.verification.field_balance import detailed_balance_field
from ionsim.verification.first_passage import first_passage
from ionsim.verification.kmc_boltzmann import kmc_boltzmann
from ionsim.verification.kmc_co_oxidation import kmc_co_oxidation
from ionsim.verification.kmc_decades import kmc_decades
from ionsim.verification.kmc_first_passage import kmc_first_passage
from ionsim.verification.kmc_hfo2_diffusion import diffusion_tensor, kmc_hfo2_diffusion, mean_square_nm2
from ionsim.verification.kmc_ising import kmc_ising
from ionsim.verification.kmc_nernst_einstein import kmc_nernst_einstein
from ionsim.verification.kmc_selection import kmc_selection, turns
from ionsim.verification.kmc_tracer_correlation import correlation_factor, kmc_tracer_correlation
from ionsim.verification.kmc_variants import VARIANTS
from ionsim.verification.lattice_gas import detailed_balance_lattice_gas
from ionsim.verification.reservoir_equilibrium import reservoir_equilibrium
from ionsim.verification.tilted_line import sinh_law, tilted_line_diffusion, tilted_line_drift
from ionsim.verification.tree_selection import tree_selection
from kmc import KB_EV, textbook

CASES = (
    detailed_balance_field,
    detailed_balance_lattice_gas,
    first_passage,
    kmc_boltzmann,
    kmc_co_oxidation,
    kmc_decades,
    kmc_first_passage,
    kmc_hfo2_diffusion,
    kmc_ising,
    kmc_nernst_einstein,
    kmc_selection,
    kmc_tracer_correlation,
    reservoir_equilibrium,
    sinh_law,
    tilted_line_diffusion,
    tilted_line_drift,
    tree_selection,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_case_passes(case):
    records = case()
    assert [record.name for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


def test_deviations_are_those_of_the_normal_distribution():
    """Of true samples the deviations are standard normal, of slightly false ones far out: by all three measures."""
    generator = np.random.default_rng(1)
    chance = np.array([0.5, 0.3, 0.15, 0.0499, 1e-4])
    false = np.array([0.48, 0.32, 0.15, 0.0499, 1e-4])

    def deviations(probabilities):
        rows = []
        for _ in range(400):
            counts = generator.multinomial(10_000, probabilities)
            rows.append((
                lattice_statistics.of_multinomial(counts, chance),
                lattice_statistics.of_binomial(counts[0], 10_000, chance[0]),
                lattice_statistics.of_mean(np.repeat(np.arange(5), counts), chance @ np.arange(5.0),
                                           chance @ np.arange(5.0) ** 2 - (chance @ np.arange(5.0)) ** 2),
            ))  # fmt: skip
        return np.array(rows)

    true = deviations(chance)
    assert np.all(np.abs(true.mean(axis=0)) < 4.0 / np.sqrt(400))
    assert np.all(np.abs(true.std(axis=0) - 1.0) < 4.0 / np.sqrt(800))
    assert np.all(np.abs(deviations(false).mean(axis=0)) > 1.0)


def test_rare_classes_are_joined_and_still_count():
    """Too rare for a class of its own, an event counts with the rarest that is not: an excess of it shows there."""
    chance = np.array([0.5, 0.5 - 1e-5, 1e-5])
    assert abs(lattice_statistics.of_multinomial([50_100, 49_899, 1], chance)) < 3.0
    assert lattice_statistics.of_multinomial([49_000, 50_000, 1000], chance) > 3.0


@pytest.mark.slow
def test_selection_of_ten_million_events():
    records = kmc_selection(draws=10_000_000, pair_draws=10_000_000)
    assert [record.name for record in records if record.passed is False] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_selection_that_is_off_by_two_percent_shows(variant):
    rates = np.array([1.0, 0.3, 0.05, 4.0])
    counts, _ = turns(rates, 1_000_000, seed=1, **VARIANTS[variant])
    assert abs(lattice_statistics.of_multinomial(counts, rates)) < 4.0
    assert lattice_statistics.of_multinomial(counts, rates * [1.0, 1.0, 1.0, 1.02]) > 4.0


@pytest.mark.parametrize(("kind", "factor"), [("sc", 0.6531), ("bcc", 0.7272), ("fcc", 0.7815)])
def test_exact_correlation_factors_tend_to_those_of_large_crystals(kind, factor):
    """The correction goes with about one over the number of sites, so two sizes give the limit."""
    small, large = (textbook.single_vacancy(kind, cells).sites for cells in (5, 8))
    near, nearer = correlation_factor(small), correlation_factor(large)
    assert abs(nearer - factor) < abs(near - factor)
    limit = (nearer * len(large) - near * len(small)) / (len(large) - len(small))
    assert limit == pytest.approx(factor, abs=6e-4)


def test_diffusion_tensor_is_that_of_the_slowest_way_out_where_one_path_rules():
    """At a low temperature, vacancies cross only by the paths of 0.84 and 0.85 eV and through the flickering ones."""
    sites = textbook.hfo2_vacancies().sites
    warm, cold = (np.trace(diffusion_tensor(sites, kelvin)) for kelvin in (420.0, 400.0))
    activation_eV = np.log(warm / cold) * KB_EV / (1.0 / 400.0 - 1.0 / 420.0)
    assert 0.8 < activation_eV < 1.0


def test_diffusion_tensor_of_a_crystal_does_not_depend_on_the_number_of_cells():
    one, two = (diffusion_tensor(textbook.hfo2_vacancies(cells).sites, 1000.0) for cells in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12 * np.trace(one))


def test_exact_mean_square_displacement_grows_as_the_diffusion_tensor_says():
    sites = textbook.hfo2_vacancies().sites
    diffusion = np.trace(diffusion_tensor(sites, 1000.0))
    times_s = np.array([20.0, 30.0]) * 0.28**2 / (2.0 * diffusion)
    early, late = (mean_square_nm2(sites, 1000.0, time_s) for time_s in times_s)
    assert late - early == pytest.approx(2.0 * diffusion * (times_s[1] - times_s[0]), rel=1e-6)
