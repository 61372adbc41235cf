"""Lattice diffusion with boundary sites against master equation and finite elements: small, and that it can fail."""

import numpy as np
import pytest

import meshes
from ionsim.verification import boundary_lattice, lattice_statistics
from ionsim.verification.boundary_lattice import SPACING_NM, BoundaryLattice, joined, matched, sharp
from ionsim.verification.lattice_boundaries import Bicrystal, filled_step, largest, polycrystal, segregated


def test_a_small_filled_step_spreads_as_the_master_equation_and_the_finite_elements_say():
    records = {record.name: record for record in filled_step(40, (16, 2, 24), 8)}
    assert [name for name, record in records.items() if record.passed is False] == []


def test_a_boundary_that_is_a_fifth_faster_shows(monkeypatch):
    body = Bicrystal(-0.08, series=False, planes=(8, 1, 18), filled=6, units=4.0)
    classes = body.classes()
    found = body.lattice.walks(body.start, body.time_s, 10_000, seed=1)
    counts = np.bincount(classes[found], minlength=classes.max() + 1)
    faster = boundary_lattice.SHIFT_EV - boundary_lattice.THERMAL_EV * np.log(1.2)
    monkeypatch.setattr(boundary_lattice, "SHIFT_EV", faster)
    other = Bicrystal(-0.08, series=False, planes=(8, 1, 18), filled=6, units=4.0)
    assert abs(lattice_statistics.of_multinomial(counts, joined(classes, body.exact))) < 2.576
    assert lattice_statistics.of_multinomial(counts, joined(classes, other.exact)) > 4.0


@pytest.mark.parametrize("energy_eV", [-0.08, 0.08])
def test_finite_elements_and_lattice_come_together_with_the_square_of_the_spacing(energy_eV):
    """All lengths twice as many sites: the time is in squares of a spacing."""
    errors = []
    for factor in (1, 2):
        body = Bicrystal(
            energy_eV, True, (8 * factor, 1, 18 * factor), 6 * factor, 4.0 * factor**2, planes_in=2 * factor
        )
        errors.append(largest(body.sharp(), joined(body.classes(), body.exact)))
    assert errors[1] < 0.3 * errors[0] < 0.01


@pytest.mark.parametrize("energy_eV", [0.0, -0.08, -0.4])
def test_the_matched_strip_holds_and_conducts_as_the_planes_do(energy_eV):
    """A film of 10 planes, two of them in the boundary: sums over sites and edges, and the same of the continuum."""
    a, bare, strip = SPACING_NM, sharp(2, energy_eV), matched(2, energy_eV)
    ratio, rest = bare.faster * bare.more, 10 * a - strip.width_nm
    assert strip.more * strip.width_nm + rest == pytest.approx((2 * bare.more + 8) * a)
    assert strip.more * strip.faster * strip.width_nm + rest == pytest.approx((2 * ratio + 8) * a)
    edges = 6 + 2 / np.sqrt(ratio) + 1 / ratio  # of the crystal, at both sides of the boundary, in it
    continuum = rest - a + strip.width_nm / (strip.more * strip.faster)
    assert continuum == pytest.approx(edges * a)


def test_edges_in_series_resist_as_halves_of_both_materials():
    a = SPACING_NM
    film = meshes.Polycrystal.boundary((6 * a, a, a), width_nm=2 * a, periodic=False)
    lattice = BoundaryLattice.of(film, -0.08, series=True)
    rates = (lattice.generator() * lattice.settled()).toarray()  # of the equilibrium, the same to and fro
    np.testing.assert_allclose(rates, rates.T, rtol=1e-12, atol=1e-9 * np.abs(rates).max())
    ratio = sharp(2, -0.08).faster * sharp(2, -0.08).more
    assert rates[2, 1] / rates[1, 0] == pytest.approx(2.0 / (1.0 + 1.0 / ratio))
    assert rates[3, 2] / rates[1, 0] == pytest.approx(ratio)


def test_hotelling_of_correlated_samples_is_a_standard_normal_deviate():
    generator = np.random.default_rng(1)
    mix = generator.normal(size=(4, 4))
    found = [lattice_statistics.of_profile(1.0 + generator.normal(size=(20, 4)) @ mix, np.ones(4)) for _ in range(400)]
    assert abs(np.mean(found)) < 4.0 / np.sqrt(400)
    assert abs(np.std(found) - 1.0) < 4.0 / np.sqrt(800)
    assert lattice_statistics.of_profile(1.0 + generator.normal(size=(20, 4)) @ mix, np.zeros(4)) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("part", [filled_step, lambda: segregated(True), lambda: segregated(False), polycrystal])
def test_part_passes(part):
    assert [(record.name, record.value) for record in part() if record.passed is False] == []
