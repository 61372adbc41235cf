"""Ions that are oxidised and reduced at electrodes and pieces of metal: whose electrons, and what balance follows."""

import numpy as np
import pytest

import kmc

KT = kmc.KB_EV * 300.0
REDUCE = kmc.reaction(
    "reduce", ("ion", "atom"), ("atom", "atom"), 0.4, energy_eV=-0.7, reverse_name="oxidise", electrons="partner"
)


def pair_of_sites():
    return kmc.SiteGraph.from_positions(np.array([[0.0, 0, 0], [0.3, 0, 0]]), cutoff_nm=0.35)


def redox(charge=1.0, occupation=(1, 2), process=REDUCE):
    model = kmc.Model(species=("empty", "ion", "atom"), processes=[process], charges_e={"ion": charge})
    engine = kmc.Engine(pair_of_sites(), model, np.array(occupation), seed=1, selector="tree")
    engine.set_fields([0.3, -0.1], 300.0)
    return engine


@pytest.mark.parametrize("charge", [1.0, 2.0])
def test_an_ion_is_reduced_with_electrons_of_the_metal_that_it_touches(charge):
    ((site, partner, rate, change),) = redox(charge).rates("reduce")
    assert (site, partner) == (0, 1)
    assert change == pytest.approx(-0.7 + charge * (-0.1 - 0.3))  # z (metal - site)
    ((_, _, back, other),) = [event for event in redox(charge, (2, 2)).rates("oxidise") if event[0] == 0]
    assert other == pytest.approx(-change)
    assert np.log(rate / back) == pytest.approx(-change / KT)


def test_local_electrons_feel_half_of_that():
    local = kmc.reaction("reduce", ("ion", "atom"), ("atom", "atom"), 0.4, energy_eV=-0.7)
    ((_, _, _, change),) = redox(process=local).rates("reduce")
    assert change == pytest.approx(-0.7 + 0.5 * (-0.1 - 0.3))


def electrode_engine(potential_V, seed=1, **more):
    model = kmc.Model(
        species=("empty", "ion"),
        processes=[kmc.electrode("inject", "empty", "ion", "anode", 0.3, energy_eV=0.1, reverse_name="absorb")],
        charges_e={"ion": 1.0}, reservoirs=[kmc.Reservoir("anode", 1)],
    )  # fmt: skip
    sites = kmc.SiteGraph.from_positions(np.c_[np.arange(400.0), np.zeros((400, 2))], cutoff_nm=0.5)
    contacts = {"anode": (np.arange(400), 0.1)}
    engine = kmc.Engine(sites, model, np.zeros(400, dtype=int), seed=seed, contacts=contacts, **more)
    engine.set_fields(0.0, 300.0, {"anode": potential_V})
    return engine


@pytest.mark.parametrize("potential_V", [0.05, 0.15])
def test_an_electrode_gives_ions_by_its_potential_and_never_runs_dry(potential_V):
    """Sites are filled by Fermi's function of energy minus potential, whatever went in and out before."""
    engine = electrode_engine(potential_V)
    engine.run(until_s=1e-6)
    held = []
    for _ in range(400):
        engine.run(until_s=engine.time_s + 1e-7)
        held.append(engine.number("ion") / 400)
    wanted = 1.0 / (1.0 + np.exp((0.1 - potential_V) / KT))
    assert engine.counts["inject"] > 2000
    assert engine.reservoir("anode") == 0
    assert np.mean(held) == pytest.approx(wanted, abs=5 * np.sqrt(wanted * (1 - wanted) / 400 / 40))


def test_a_shift_of_all_potentials_changes_nothing():
    engine, shifted = electrode_engine(0.1), electrode_engine(0.1)
    shifted.set_fields(1.3, 300.0, {"anode": 1.4})
    assert shifted.total_rate_Hz == pytest.approx(engine.total_rate_Hz, rel=1e-12)


def test_electrodes_are_written_and_read_as_toml(tmp_path):
    model = kmc.Model(
        species=("empty", "ion", "atom"),
        processes=[REDUCE, kmc.electrode("plate", "ion", "atom", "anode", 0.4, energy_eV=-0.7)],
        charges_e={"ion": 1.0}, reservoirs=[kmc.Reservoir("anode", 1)],
    )  # fmt: skip
    path = tmp_path / "model.toml"
    path.write_text(model.to_toml(), encoding="utf-8")
    assert kmc.Model.from_toml(path) == model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kmc.reaction("r", "ion", "atom", 0.4, electrons="partner"), "electrons needs a pair of sites"),
        (lambda: kmc.reaction("r", ("ion", "atom"), ("atom", "atom"), 0.4, electrons="metal"), "known are local, part"),
        (lambda: kmc.Process("r", "exchange", ("a",), ("b",), 0.4, reservoir="c", particles=2), "0 or 1 is needed"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(kmc.KmcError, match=message):
        make()
