"""What the processes of a model do in the engine: rates one by one, against the law written down again here."""

import numpy as np
import pytest

import kmc
from kmc.model import Model, PairEnergy
from kmc.process import METROPOLIS, adsorption, hop, reaction, turn

KT = kmc.KB_EV * 300.0
EMPTY, A, B = range(3)
SPECIES = ("empty", "A", "B")
#: A line of six sites, 0.3 nm apart, whose edges reach the second neighbours.
LINE = kmc.SiteGraph.from_positions([[0.3 * k, 0.0, 0.0] for k in range(6)], cutoff_nm=0.7)
FIRST, FAR = 0.4, 0.65


def engine(occupation, processes, **more):
    return kmc.Engine(LINE, Model(SPECIES, processes, **more), occupation, seed=1)


def rates(tested, name):
    return {(i, j): pytest.approx(rate, rel=1e-12) for i, j, rate, _ in tested.rates(name)}


def test_metropolis_flips():
    tested = engine([A, A, B, B, A, B], [turn("flip", "A", "B", METROPOLIS, prefactor_Hz=2.0)],
                    pair_energies=[PairEnergy("A", "B", 0.01)])  # fmt: skip
    occupation = tested.occupation.copy()
    for name, before in (("flip", A), ("flip:reverse", B)):
        found = rates(tested, name)
        assert {i for i, _ in found} == set(np.flatnonzero(occupation == before))
        for (i, _), rate in found.items():
            around = occupation[LINE.neighbours(i)]
            change = 0.01 * (np.sum(around == occupation[i]) - np.sum(around != occupation[i]))
            assert 2.0 * min(1.0, np.exp(-change / KT)) == rate


def test_a_hop_within_a_reach_leaves_longer_edges_out():
    tested = engine([EMPTY, EMPTY, A, EMPTY, EMPTY, EMPTY], [hop("A", "empty", 0.0, within_nm=FIRST)])
    assert set(rates(tested, "hop")) == {(2, 1), (2, 3)}
    tested = engine([EMPTY, EMPTY, A, EMPTY, EMPTY, EMPTY], [hop("A", "empty", 0.0)])
    assert set(rates(tested, "hop")) == {(2, 0), (2, 1), (2, 3), (2, 4)}


def test_each_shell_has_its_own_energy():
    shells = [PairEnergy("A", "B", 0.02, FIRST), PairEnergy("A", "B", 0.005, FAR, beyond_nm=FIRST)]
    tested = engine([EMPTY, A, EMPTY, B, EMPTY, EMPTY], [hop("A", "empty", METROPOLIS, within_nm=FIRST)],
                    pair_energies=shells)  # fmt: skip
    changes = {(i, j): change for i, j, _, change in tested.rates("hop")}
    assert changes == {(1, 0): pytest.approx(-0.005), (1, 2): pytest.approx(0.015)}


def test_a_driven_process_never_goes_back():
    tested = engine([A, EMPTY, A, B, B, B], [turn("burn", "A", "B", 0.0, reversible=False)])
    assert tested.run(until_s=1.0) == "frozen"
    assert tested.counts == {"burn": 2}
    assert tested.occupation.tolist() == [B, EMPTY, B, B, B, B]


def test_constant_rates_know_no_energy_field_or_temperature():
    processes = [
        adsorption("gas", "empty", "A", 0.5, desorption_Hz=0.25),
        adsorption("pairs", ("empty", "empty"), ("B", "B"), 2.0, within_nm=FIRST),
        reaction("join", ("A", "B"), ("empty", "empty"), rate_Hz=1e10, within_nm=FIRST),
        hop("A", "empty", rate_Hz=3.0, within_nm=FIRST),
    ]
    tested = engine([EMPTY, EMPTY, EMPTY, A, B, A], processes, charges_e={"A": 1.0}, site_energies_eV={"B": 1.0},
                    pair_energies=[PairEnergy("A", "B", 0.3)])  # fmt: skip
    tested.set_fields(potential_V=np.arange(6.0), temperature_K=500.0)
    assert rates(tested, "gas") == {(k, -1): 0.5 for k in range(3)}
    assert rates(tested, "gas:reverse") == {(3, -1): 0.25, (5, -1): 0.25}
    assert rates(tested, "pairs") == {(0, 1): 2.0, (1, 2): 2.0}  # once a pair
    assert rates(tested, "join") == {(3, 4): 1e10, (5, 4): 1e10}
    assert rates(tested, "hop") == {(3, 2): 3.0}
    total = 3 * 0.5 + 2 * 0.25 + 2 * 2.0 + 2e10 + 3.0
    assert tested.total_rate_Hz == pytest.approx(total, rel=1e-12)
