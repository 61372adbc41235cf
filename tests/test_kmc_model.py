"""Models: what they refuse and how they say it; charges; directions; filling a lattice."""

import numpy as np
import pytest

import kmc
from kmc.process import METROPOLIS, Process, adsorption, exchange, reaction, turn

SPECIES = ("empty", "vacancy", "ion")


def model(*processes, **more):
    return kmc.Model(species=SPECIES, processes=processes, **more)


def hop(**more):
    return kmc.hop(**{"species": "ion", "into": "empty", "barrier_eV": 0.5, **more})


def pair(**more):
    return kmc.reaction(**{"name": "pair", "before": ("empty", "empty"), "after": ("vacancy", "ion"), "barrier_eV": 1.0,
                           **more})  # fmt: skip


def put(**more):
    return kmc.exchange(**{"name": "put", "before": "ion", "after": "empty", "reservoir": "cap", "barrier_eV": 1.0,
                           **more})  # fmt: skip


def oxidise(**more):
    return reaction("oxidise", ("vacancy", "ion"), ("empty", "empty"), **more)


CAP = kmc.Reservoir("cap", 10)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: hop(barrier_eV=np.nan), "process 'hop': barrier_eV is nan"),
        (lambda: hop(spread_eV=-0.1), "process 'hop': spread_eV is -0.1"),
        (lambda: hop(polarisation_e_nm=-1.0), "process 'hop': polarisation_e_nm is -1.0"),
        (lambda: hop(prefactor_Hz=0.0), "process 'hop': prefactor_Hz is 0.0"),
        (lambda: hop(prefactor_Hz=np.inf), "process 'hop': prefactor_Hz is inf"),
        (lambda: hop(prefactor_Hz=np.nan), "process 'hop': prefactor_Hz is nan"),
        (lambda: hop(max_rate_Hz=-1.0), "process 'hop': max_rate_Hz is -1.0"),
        (lambda: hop(into="ion"), "process 'hop' changes nothing"),
        (lambda: pair(energy_eV=np.inf), "process 'pair': energy_eV is inf"),
        (lambda: pair(after=("ion",)), "process 'pair': .* the same number on both sides"),
        (lambda: pair(before=(), after=()), "process 'pair': .* one or two sites"),
        (
            lambda: kmc.reaction("swap", ("ion", "empty"), ("empty", "ion"), 0.5, energy_eV=0.1),
            "process 'swap' is its own reverse, so its energy_eV must be 0, not 0.1",
        ),
        (
            lambda: kmc.reaction("charge", ("ion",), ("vacancy",), 0.5, polarisation_e_nm=1.0),
            "process 'charge': polarisation_e_nm needs two sites",
        ),
        (lambda: model(hop(species="iron")), "process 'hop': unknown species 'iron'.*did you mean 'ion'"),
        (lambda: model(hop(into="empt")), "process 'hop': unknown species 'empt'.*did you mean 'empty'"),
        (lambda: model(pair(after=("vacancyy", "ion"))), "process 'pair': .*did you mean 'vacancy'"),
        (lambda: model(hop(), hop(barrier_eV=0.7)), "two processes are called 'hop'"),
        (lambda: model(hop(), pair(reverse_name="hop")), "two processes are called 'hop'.*reverses"),
        (lambda: model(pair(reverse_name="pair")), "two processes are called 'pair'"),
        (lambda: model(put()), "process 'put': no reservoir is called 'cap'; known are none"),
        (lambda: model(put(reservoir="cup"), reservoirs=[CAP]), "called 'cup'.*did you mean 'cap'"),
        (lambda: model(put(), reservoirs=[CAP, CAP]), "two reservoirs are called 'cap'"),
        (lambda: model(hop(), charges_e={"io": 1.0}), "charges_e: unknown species 'io'.*did you mean 'ion'"),
        (lambda: model(hop(), charges_e={"ion": np.nan}), "charges_e of 'ion' is nan"),
        (lambda: model(hop(), site_energies_eV={"void": 1.0}), "site_energies_eV: unknown species 'void'"),
        (lambda: model(hop(), site_energies_eV={"ion": np.inf}), "site_energies_eV of 'ion' is inf"),
        (
            lambda: model(pair_energies=[kmc.PairEnergy("ion", "Ion", 0.1)]),
            "pair energy of 'ion' and 'Ion': unknown species 'Ion'",
        ),
        (lambda: kmc.PairEnergy("ion", "ion", np.nan), "pair energy of 'ion' and 'ion' is nan"),
        (lambda: kmc.PairEnergy("ion", "ion", 0.1, beyond_nm=-0.1), "'ion' and 'ion': beyond_nm is -0.1; .* >= 0"),
        (lambda: kmc.PairEnergy("ion", "ion", 0.1, 0.3, beyond_nm=0.3), "within_nm is 0.3; .* above beyond_nm = 0.3"),
        (lambda: kmc.PairEnergy("ion", "ion", 0.1, 0.0), "within_nm is 0.0"),
        (lambda: hop(within_nm=0.0), "process 'hop': within_nm is 0.0; a finite length above 0"),
        (lambda: hop(within_nm=np.inf), "process 'hop': within_nm is inf"),
        (lambda: Process("charge", "single", ("ion",), ("empty",), 0.5, within_nm=0.3), "within_nm needs a pair"),
        (
            lambda: Process("charge", "single", ("ion",), ("empty",), 0.5, reservoir="cap"),
            "reservoir needs an exchange",
        ),
        (lambda: Process("charge", "singel", ("ion",), ("empty",), 0.5), "kind is 'singel'.*did you mean 'single'"),
        (lambda: Process("charge", "single", ("ion", "ion"), ("empty",), 0.5), "kind 'single' has 1 site"),
        (lambda: Process("", "single", ("ion",), ("empty",), 0.5), "a process is called ''; its name must be"),
        (lambda: turn("charge", ("ion", "ion"), "empty", 0.5), "the same number on both sides"),
        (lambda: hop(barrier_eV="high"), "process 'hop': barrier_eV is 'high'; a finite number, or -inf"),
        (lambda: hop(barrier_eV=True), "process 'hop': barrier_eV is True"),
        (lambda: hop(barrier_eV=np.inf), "process 'hop': barrier_eV is inf"),
        (lambda: hop(barrier_eV=METROPOLIS, spread_eV=0.1), "Metropolis.*spread_eV and polarisation_e_nm must be 0"),
        (lambda: hop(barrier_eV=METROPOLIS, polarisation_e_nm=0.1), "process 'hop': .*polarisation_e_nm must be 0"),
        (
            lambda: Process("hop", "pair", ("ion", "empty"), ("empty", "ion"), 0.5, reversible=False),
            "process 'hop' is its own reverse, so reversible cannot be False",
        ),
        (
            lambda: reaction("hop", ("ion", "empty"), ("empty", "ion"), rate_Hz=1.0, reverse_rate_Hz=2.0),
            "process 'hop' is its own reverse, so it takes rate_Hz both ways",
        ),
        (
            lambda: Process("hop", "pair", ("ion", "empty"), ("empty", "ion"), 0.5, reverse_name="back"),
            "no reverse that could be called 'back'",
        ),
        (lambda: pair(reversible=False, reverse_name="back"), "process 'pair' has no reverse .* called 'back'"),
        (
            lambda: Process("pair", "pair", ("ion", "ion"), ("empty", "empty"), 0.5, charge_e=1.0),
            "process 'pair': charge_e belongs to a hop",
        ),
        (lambda: hop(barrier_eV=None), "process 'hop': .*either barrier_eV or rate_Hz"),
        (lambda: hop(rate_Hz=1.0), "process 'hop': barrier_eV is 0.5, rate_Hz is 1.0; either"),
        (lambda: pair(reverse_rate_Hz=1.0), "process 'pair': .*either barrier_eV or rate_Hz"),
        (lambda: oxidise(rate_Hz=-1.0), "process 'oxidise': rate_Hz is -1.0; a finite rate >= 0"),
        (lambda: oxidise(rate_Hz=np.inf), "process 'oxidise': rate_Hz is inf"),
        (lambda: oxidise(rate_Hz=1.0, energy_eV=0.1), r"constant rate \(rate_Hz\) takes no energy_eV, here 0.1"),
        (lambda: oxidise(rate_Hz=1.0, prefactor_Hz=1e12), "takes no prefactor_Hz, here 1000000000000.0"),
        (lambda: oxidise(rate_Hz=1.0, spread_eV=0.1), "takes no spread_eV"),
        (lambda: oxidise(rate_Hz=1.0, max_rate_Hz=5.0), "takes no max_rate_Hz"),
        (
            lambda: oxidise(rate_Hz=1.0, reverse_rate_Hz=2.0, reversible=False),
            "reversible is False and reverse_rate_Hz",
        ),
        (
            lambda: Process(
                "out", "exchange", ("ion",), ("empty",), 0.0, reservoir="cap", rate_Hz=1.0, reverse_rate_Hz=1.0
            ),
            "process 'out': an exchange with a reservoir takes barrier_eV",
        ),
        (lambda: adsorption("gas", "empty", "ion", None), "process 'gas': .*either barrier_eV or rate_Hz"),
        (lambda: adsorption("gas", "empty", "ion", 1.0, desorption_Hz=-1.0), "process 'gas': reverse_rate_Hz is -1.0"),
        (lambda: adsorption("gas", "empty", ("ion", "ion"), 1.0), "process 'gas': .* the same number on both sides"),
        (lambda: model(adsorption("gas", "empty", "iom", 1.0)), "process 'gas': unknown species 'iom'.*'ion'"),
        (lambda: model("hop"), "processes holds 'hop'; a Process is needed"),
        (lambda: model(hop(), pair_energies=[("ion", "ion", 0.1)]), "pair_energies holds .*; a PairEnergy is needed"),
        (lambda: kmc.Model(species="ion", processes=[]), "species must be 1 to 100 different names, not 'ion'"),
        (lambda: kmc.Model(species=("ion", 1), processes=[]), "species must be 1 to 100 different names"),
        (lambda: kmc.Reservoir("cap", 0), "reservoir 'cap': capacity is 0"),
        (lambda: kmc.Reservoir("cap", 5, filling_eV=np.nan), "reservoir 'cap': filling_eV is nan"),
        (lambda: kmc.Model(species=("a", "a"), processes=[]), "species must be 1 to 100 different names"),
        (lambda: kmc.Model(species=(), processes=[]), "species must be 1 to 100 different names"),
        (lambda: model(hop(charge_e=np.inf)).charges(), "process 'hop': charge_e is inf"),
        (lambda: model(hop(charge_e=2.0), charges_e={"ion": 1.0}).charges(), "charge_e 2.0 contradicts charge 1.0"),
    ],
)
def test_a_refusal_names_the_process_and_the_nearest_name(build, message):
    with pytest.raises(kmc.KmcError, match=message):
        build()


def test_a_hop_is_its_own_reverse_and_other_processes_have_one():
    names = [name for name, _, _ in model(hop(), pair(), put(reverse_name="take"), reservoirs=[CAP]).directions()]
    assert names == ["hop", "pair", "pair:reverse", "put", "take"]
    swap = kmc.reaction("swap", ("ion", "vacancy"), ("vacancy", "ion"), 0.5)
    assert [name for name, _, _ in model(swap).directions()] == ["swap"]


def test_the_charge_of_a_hop_is_that_of_its_species():
    assert model(hop(charge_e=1.0)).charges().tolist() == [0.0, 0.0, 1.0]
    moved = model(hop(species="vacancy", into="ion", charge_e=4.0), charges_e={"ion": -2.0})
    assert moved.charges().tolist() == [0.0, 2.0, -2.0]


def test_random_filling_has_exact_numbers():
    filled = kmc.random(ion=0.25, vacancy=0.1)(model(), 200, np.random.default_rng(1))
    assert np.bincount(filled).tolist() == [130, 20, 50]
    first, second = (kmc.random(ion=0.5)(model(), 200, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_a_driven_process_has_no_reverse():
    processes = [pair(reversible=False), put(reversible=False), turn("burn", "ion", "empty", 0.5, reversible=False)]
    tested = model(*processes, reservoirs=[CAP])
    assert [(name, reverse) for name, _, reverse in tested.directions()] == [
        ("pair", False), ("put", False), ("burn", False),
    ]  # fmt: skip


def test_constant_rates_have_the_reverse_that_is_given():
    processes = [
        oxidise(rate_Hz=1e10),
        adsorption("CO", "empty", "ion", 0.45),
        adsorption("O2", ("empty", "empty"), ("vacancy", "vacancy"), 0.3, desorption_Hz=1e-13, within_nm=0.3),
        turn("flip", "ion", "vacancy", rate_Hz=2.0, reverse_rate_Hz=0.0, reverse_name="flop"),
        kmc.hop("ion", "empty", rate_Hz=1.0),
    ]
    assert [p.kind for p in processes] == ["pair", "single", "pair", "single", "pair"]
    assert [(p.rate_Hz, p.reverse_rate_Hz) for p in processes] == [
        (1e10, None), (0.45, None), (0.3, 1e-13), (2.0, 0.0), (1.0, None),
    ]  # fmt: skip
    names = [name for name, _, _ in model(*processes).directions()]
    assert names == ["oxidise", "CO", "O2", "O2:reverse", "flip", "flop", "hop"]


def test_one_name_is_one_site():
    assert reaction("charge", "ion", "vacancy", 0.5) == reaction("charge", ("ion",), ("vacancy",), 0.5)
    assert turn("charge", "ion", "vacancy", 0.5) == reaction("charge", "ion", "vacancy", 0.5)
    assert exchange("out", "ion", "empty", "cap", 0.5).before == ("ion",)


def test_a_model_keeps_its_own_copy_of_what_it_is_given():
    processes, charges = [hop()], {"ion": 1.0}
    tested = kmc.Model(species=list(SPECIES), processes=processes, charges_e=charges)
    processes.clear()
    charges["ion"] = 2.0
    assert (tested.species, len(tested.processes), tested.charges()[2]) == (SPECIES, 1, 1.0)
    assert tested == kmc.Model(species=SPECIES, processes=(hop(),), charges_e={"ion": 1.0})


@pytest.mark.parametrize("fractions", [{"ion": -0.1}, {"ion": 1.1}, {"ion": 0.6, "vacancy": 0.6}])
def test_fractions_that_do_not_fit_are_refused(fractions):
    with pytest.raises(kmc.KmcError, match=r"0\.\.1"):
        kmc.random(**fractions)


def test_an_unknown_species_in_a_filling_gets_the_nearest_name():
    with pytest.raises(kmc.KmcError, match=r"random: unknown species 'vacancies'.*did you mean 'vacancy'"):
        kmc.random(vacancies=0.1)(model(), 10, np.random.default_rng(1))


SITES = kmc.SiteGraph.from_positions([[0.3 * k, 0.0, 0.0] for k in range(4)], cutoff_nm=0.35)


def engine(occupation=(0, 2, 0, 0), processes=None, **more):
    processes = [hop(), put()] if processes is None else processes
    pairs = more.pop("pair_energies", ())
    return kmc.Engine(SITES, model(*processes, reservoirs=[CAP], pair_energies=pairs), occupation, **more)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: engine([0, 2, 0]), r"occupation must be \(4,\) integers"),
        (lambda: engine([0.0, 2.0, 0.0, 0.7]), "occupation must be .* integers, not .* of float64"),
        (lambda: engine([0, 2, 0, 3]), r"occupation holds 0\.\.3; species are numbered 0\.\.2"),
        (lambda: engine([0, 2, 0, 256]), r"occupation holds 0\.\.256"),
        (lambda: engine([0, 2, 0, -1]), r"occupation holds -1\.\.2"),
        (lambda: engine(site_energies_eV={"io": 0.1}), "site_energies_eV: unknown species 'io'.*did you mean 'ion'"),
        (lambda: engine(site_energies_eV={"ion": [0.1, 0.2]}), r"site energy of 'ion': shape \(2,\)"),
        (lambda: engine(site_energies_eV={"ion": np.nan}), "site energy of 'ion': .* a finite number"),
        (lambda: engine(barrier_shifts_eV={"hopp": 0.1}), "no process is called 'hopp'.*did you mean 'hop'"),
        (lambda: engine(barrier_shifts_eV={"hop": [0.1] * 5}), r"barrier shift of 'hop': shape \(5,\)"),
        (lambda: engine(contacts={"cup": ([0], [0.1])}), "no reservoir is called 'cup'.*did you mean 'cap'"),
        (lambda: engine(contacts={"cap": ([4], [0.1])}), r"contacts of 'cap': .* site numbers in 0\.\.3"),
        (lambda: engine(contacts={"cap": ([-1], [0.1])}), r"contacts of 'cap': .* site numbers in 0\.\.3"),
        (lambda: engine(contacts={"cap": ([0.5], [0.1])}), "contacts of 'cap': a list of site numbers"),
        (lambda: engine(contacts={"cap": ([0, 1], [0.1])}), "contacts of 'cap': a distance above 0 nm"),
        (lambda: engine(contacts={"cap": ([0, 1], [0.1, 0.0])}), "contacts of 'cap': a distance above 0 nm"),
        (lambda: engine(reservoir_counts={"cap": 11}), r"reservoir 'cap': 11 particles; 0\.\.10 fit"),
        (lambda: engine(reservoir_counts={"can": 1}), "no reservoir is called 'can'.*did you mean 'cap'"),
        (
            lambda: engine(pair_energies=[kmc.PairEnergy("ion", "ion", 0.1, within_nm=0.3)]),
            "within 0.3 nm, the distance of sites 0 and 1",
        ),
        (lambda: engine().set_fields(potential_V=[0.0, 1.0]), r"potential_V has shape \(2,\)"),
        (lambda: engine().set_fields(potential_V=np.inf), "potential_V holds a value that is not finite"),
        (lambda: engine().set_fields(temperature_K=0.0), "temperature_K holds a value that is not above 0 K"),
        (lambda: engine().set_fields(temperature_K=np.nan), "temperature_K holds a value that is not above 0 K"),
        (lambda: engine().set_fields(reservoir_V={"cap": np.nan}), "reservoir_V of 'cap' is nan"),
        (lambda: engine().set_fields(reservoir_V={"cab": 1.0}), "no reservoir is called 'cab'.*did you mean 'cap'"),
        (lambda: engine().set_occupation(4, "ion"), r"site 4: sites are numbered 0\.\.3"),
        (lambda: engine().set_occupation(0, "iom"), "unknown species 'iom'.*did you mean 'ion'"),
        (lambda: engine().rates("hip"), "no process is called 'hip'.*did you mean 'hop'"),
        (lambda: engine().number("iron"), "unknown species 'iron'"),
        (lambda: engine().watch([1.0, 1.0], 1.0), r"watch: weight has shape \(2,\)"),
        (lambda: engine().watch([1.0, 1.0, 1.0, -1.0], 1.0), "watch: weight .* finite numbers >= 0"),
        (lambda: engine().watch([1.0, 1.0, 1.0, np.inf], 1.0), "watch: weight .* finite numbers >= 0"),
        (lambda: engine().watch(np.ones(4), np.nan), "watch: bound is nan"),
        (lambda: engine().watch(np.ones(4), 1.0, since=np.zeros(3)), r"watch: since has shape \(3,\)"),
        (lambda: engine().run(until_s=-1.0), "until_s is -1.0, before the clock at 0.0"),
        (lambda: engine().run(until_s=np.nan), "until_s is nan"),
        (lambda: engine().run(until_s=1.0, max_events=-1), "max_events is -1"),
    ],
)
def test_an_engine_refuses_what_does_not_fit(build, message):
    with pytest.raises(kmc.KmcError, match=message):
        build()


def test_fields_that_are_refused_change_nothing():
    tested = engine()
    before = tested.rates("hop")
    with pytest.raises(kmc.KmcError, match="temperature_K"):
        tested.set_fields(potential_V=[0.0, 0.1, 0.2, 0.3], temperature_K=-1.0)
    tested.refresh()
    assert tested.rates("hop") == before
