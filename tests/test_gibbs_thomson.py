"""Ions in balance with metal clusters: exact sums, counted bonds, and (slow) Gibbs and Thomson."""

import numpy as np
import pytest

import ionsim
import kmc
from ionsim.verification import gibbs_thomson as gt
from kmc import lattice

DEVICE = ionsim.load("ag_sio2_memory")


def test_a_small_box_has_the_exact_shares_of_ions_and_atoms():
    """All places of up to 8 atoms in 16 sites are summed; the engine reaches them by hops and redox alone."""
    looks = 4000
    seen, exact = gt.small_box(1, looks)
    assert exact.sum() == pytest.approx(1.0)
    assert exact[:8].min() > 0.04  # all are frequent, so that an error of any energy shows
    assert exact[8] == seen[8] == 0.0  # the last atom cannot be oxidised: it has no metal beside it
    assert np.all(np.abs(seen - exact) <= 5.0 * np.sqrt(exact * (1.0 - exact) / looks))


def test_the_exact_sum_is_the_one_that_can_be_done_by_hand():
    """Two neighbouring sites and two particles: two atoms, or an atom and an ion on either site."""
    sites = kmc.SiteGraph.from_positions([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]], cutoff_nm=0.4)
    shares = gt.counted_ions(sites, 2, ion_eV=0.5, bond_eV=0.2, strain_eV=0.1, kt_eV=0.3)
    two = np.exp(-(2 * (0.1 + 6 * 0.2) - 0.2) / 0.3)
    mixed = 2.0 * np.exp(-(0.1 + 6 * 0.2 + 0.5) / 0.3)
    assert shares == pytest.approx(np.array([two, mixed, 0.0]) / (two + mixed))


def test_counted_bonds_of_crystals_give_the_surface_energy_of_the_continuum():
    assert gt.wulff_excess(1) == (19, 54)
    for half_edges, within in ((4, 0.003), (12, 0.0003)):
        atoms, missing = gt.wulff_excess(half_edges)
        assert missing == pytest.approx(3.0 * (256.0 * (atoms / 4.0) ** 2) ** (1 / 3), rel=within)
    low, high = gt.wulff_excess(11), gt.wulff_excess(12)
    slope = (high[1] - low[1]) / (high[0] - low[0])
    assert slope == pytest.approx(float(gt.continuum_excess((high[0] + low[0]) / 2, 1.0)), rel=0.003)


def test_coming_and_going_balance_class_by_class():
    """Two atoms on their own: the weights of Barker, counted by hand."""
    sites = lattice.fcc(4, 0.4)
    engine = gt.cluster_engine(gt.free_device(DEVICE, 0.5), sites, 2, 0, 300.0, 1)
    atoms, free = gt.classes(engine)
    assert atoms.tolist() == [0, 2] + [0] * 11  # the two nearest to the centre are neighbours
    assert free[:3].tolist() == [len(sites) - 2 - 18, 14, 4]
    coming, going = gt.coming_and_going(engine, 0.5)
    odds = [np.exp((k - 6) / 0.5) for k in range(3)]
    assert going == pytest.approx(2.0 / (1.0 + odds[1]))
    assert coming == pytest.approx(sum(n * w / (1.0 + w) for n, w in zip(free[:3], odds, strict=True)))


def test_boxes_are_stable_and_larger_than_their_clusters():
    for ratio in (0.4, 0.6, 0.8):
        for atoms in (80, 300, 1200):
            cells = gt.box_cells(atoms, ratio)
            excess = gt.continuum_excess(atoms, ratio)
            ions = (4 * cells**3 - atoms) / (1.0 + np.exp(gt.ION_KT - excess))
            assert 1.0 / ions > excess / (3.0 * atoms)  # what ions gain by one less outweighs what the cluster does
            assert cells > 2.2 * gt.radius(atoms)


@pytest.mark.slow
def test_ions_follow_gibbs_and_thomson():
    records = gt.gibbs_thomson()
    assert [(record.name, record.value) for record in records if record.passed is False] == []
    found = [gt.measure(DEVICE, atoms, 0.5, 2, looks=1000) for atoms in (150, 600)]
    for balance in found:
        assert balance.excess == pytest.approx(float(gt.continuum_excess(balance.atoms, 0.5)), rel=0.08)


@pytest.mark.slow
def test_another_bond_energy_gives_the_same_in_reduced_units():
    first, second = (gt.measure(device, 150, 0.5, 1, looks=1000) for device in
                     (DEVICE, DEVICE.replace({"atom.bond_eV": 0.17})))  # fmt: skip
    assert first.excess == pytest.approx(second.excess, abs=5.0 * np.hypot(first.error_excess, second.error_excess))
