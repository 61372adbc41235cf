"""Textbook models have the rates that their docstrings state."""

import numpy as np
import pytest

from kmc import KB_EV, textbook


def test_a_hop_of_m2_costs_twice_the_change_in_the_hoppers_empty_neighbours():
    engine = textbook.bond_counting(4, 0.3).engine(seed=1)
    sites, occupied = engine.sites, np.asarray(engine.occupation) == 1
    found = engine.rates("hop")
    assert len(found) == np.sum(occupied[sites.origin] & ~occupied[sites.target])
    for i, j, rate, change in found:
        empty_before = np.sum(~occupied[sites.neighbours(i)])
        empty_after = np.sum(~occupied[sites.neighbours(j)]) + 1  # the site that it leaves is empty then
        assert change == pytest.approx(2.0 * (empty_after - empty_before))
        assert rate == pytest.approx(min(1.0, np.exp(-change / 10.0)))


def test_m1_hops_at_rate_one():
    engine = textbook.free_hops(4, 0.1).engine(seed=1)
    assert {rate for _, _, rate, _ in engine.rates("hop")} == {1.0}


def test_m1_in_fields_has_rates_of_order_one_from_300_to_400_K():
    setup = textbook.hops_in_fields(6, 0.1)
    temperature_K = np.asarray(setup.temperature_K)
    assert 300.0 <= temperature_K.min() < 320.0 < 380.0 < temperature_K.max() <= 400.0
    assert 0.02 < np.ptp(setup.potential_V) < 0.2
    rates = np.array([rate for _, _, rate, _ in setup.engine(seed=1).rates("hop")])
    assert 0.05 < rates.min() < rates.max() < 20.0
    assert len(np.unique(rates)) > 0.9 * len(rates)


def test_a_flip_of_the_ising_model_takes_metropolis_rates():
    engine = textbook.ising(8, kt=1.0, up=0.4).engine(seed=2)
    spins = np.asarray(engine.occupation)
    for name in ("flip", "flip back"):
        for site, _, rate, _ in engine.rates(name):
            unlike = np.sum(spins[engine.sites.neighbours(site)] != spins[site])
            assert rate == pytest.approx(min(1.0, np.exp(-(4.0 - 2.0 * unlike))))


def test_kawasaki_dynamics_keep_the_number_of_spins():
    engine = textbook.kawasaki(12).engine(seed=3)
    engine.run(until_s=np.inf, max_events=2000)
    assert (engine.number("up"), engine.counts) == (72, {"swap": 2000})


def test_co_comes_to_sites_and_oxygen_to_bonds():
    engine = textbook.co_oxidation(10, y=0.45).engine(seed=1)
    assert engine.total_rate_Hz == pytest.approx(100 * 0.45 + 200 * 0.275)


def test_two_species_move_and_stay():
    engine = textbook.two_species(16).engine(seed=1)
    engine.run(until_s=np.inf, max_events=2000)
    assert (engine.number("A"), engine.number("B")) == (51, 51)
    assert min(engine.counts.values()) > 0


@pytest.mark.parametrize(("kind", "count", "degree"), [("sc", 27, 6), ("bcc", 54, 8), ("fcc", 108, 12)])
def test_a_single_vacancy_moves_one_atom_a_hop(kind, count, degree):
    setup = textbook.single_vacancy(kind, 3)
    engine = setup.engine(seed=1, track="atom")
    assert (len(setup.sites), engine.total_rate_Hz) == (count, pytest.approx(degree))
    engine.run(until_s=np.inf, max_events=500)
    tracers = engine.tracers
    assert (len(tracers.hops), tracers.hops.sum()) == (count - 1, 500)
    assert sorted(tracers.site) == np.flatnonzero(engine.occupation == 0).tolist()


@pytest.mark.parametrize(("cells", "copies"), [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_oxygen_sites_of_monoclinic_hfo2(cells, copies):
    """Every edge has its opposite, no edge joins two copies, and each site has the paths of the table."""
    sites = textbook.hfo2_vacancies(cells, copies).sites
    assert len(sites) == 8 * cells**3 * copies
    np.testing.assert_array_equal(sites.origin[sites.reverse], sites.target)
    np.testing.assert_array_equal(sites.reverse[sites.reverse], np.arange(sites.n_edges))
    np.testing.assert_array_equal(sites.hop_nm[sites.reverse], -sites.hop_nm)
    per_copy = len(sites) // copies
    np.testing.assert_array_equal(sites.origin // per_copy, sites.target // per_copy)
    np.testing.assert_array_equal(np.diff(sites.start), np.where(sites.sublattice == 3, 9, 8))
    near = np.linalg.norm(sites.hop_nm, axis=1)
    expected = {round(length, 4) for _, length, _, _ in textbook.HFO2_PATHS}
    assert {round(float(length), 4) for length in near} == expected


@pytest.mark.parametrize("site", [0, 5])
def test_hops_of_a_vacancy_in_hfo2_take_the_barriers_of_the_table(site):
    """There and back, to the 0.01 eV by which the table's barriers and its site energy do not balance."""
    engine = textbook.hfo2_vacancies(temperature_K=1000.0).engine()
    engine.set_occupation(0, "O")
    engine.set_occupation(site, "V")
    kind = engine.sites.sublattice[site]
    there = [there_eV for (first, _), _, there_eV, _ in textbook.HFO2_PATHS if first == kind]
    back = [back_eV for (first, second), _, _, back_eV in textbook.HFO2_PATHS if second == kind != first]
    rates = np.array([rate for _, _, rate, _ in engine.rates("hop")])
    barriers_eV = np.unique(np.round(-KB_EV * 1000.0 * np.log(rates / 1e13), 6))
    np.testing.assert_allclose(barriers_eV, np.sort(there + back), atol=0.011)


def test_the_vacancy_device_has_four_processes_with_their_reverses():
    setup = textbook.vacancy_device((4, 4, 4))
    engine = setup.engine(seed=1)
    engine.run(until_s=np.inf, max_events=500)
    assert set(engine.counts) == {
        "generation", "recombination", "vacancy hop", "ion hop", "scavenging", "release",
    }  # fmt: skip
    assert sum(engine.counts.values()) == 500
