"""Models as TOML: what is written reads back equal; a broken file is refused with its key, value and nearest name."""

import numpy as np
import pytest

import kmc
from kmc.model import Model, PairEnergy, Reservoir
from kmc.model_file import KINDS
from kmc.process import METROPOLIS, adsorption, exchange, hop, reaction, turn

VACANCIES = Model(
    species=("O", "V", "V0", "empty", "Oi"),
    processes=[
        hop("V", "O", 1.09, charge_e=2.0, name="vacancy hop", spread_eV=0.05, prefactor_Hz=1e14, within_nm=0.32),
        hop("Oi", "empty", 0.76, name="ion hop", max_rate_Hz=1e9),
        reaction("generation", ("O", "empty"), ("V", "Oi"), 2.0, energy_eV=3.9, polarisation_e_nm=0.4,
                 reverse_name="recombination"),
        turn("reduction", "V", "V0", 0.4, energy_eV=-0.1, reverse_name="ionisation"),
        exchange("scavenge", "O", "V", "cap", 0.83, energy_eV=0.1 / 3.0),
        exchange("burn", "Oi", "empty", "cap", 0.5, reversible=False),
    ],
    charges_e={"Oi": -2.0},
    site_energies_eV={"V": 0.65, "Oi": -1e-20},
    pair_energies=[PairEnergy("V", "V", 0.1, 0.3), PairEnergy("V", "V", 0.02, within_nm=0.5, beyond_nm=0.3),
                   PairEnergy("V", "Oi", -0.3, beyond_nm=0.1)],
    reservoirs=[Reservoir("cap", 500, filling_eV=0.4), Reservoir("not used", 1)],
)  # fmt: skip
ISING = Model(
    species=("down", "up"),
    processes=[turn("flip", "down", "up", METROPOLIS, prefactor_Hz=1.0)],
    pair_energies=[PairEnergy("down", "up", 1)],
)
ZGB = Model(
    species=("empty", "CO", "O"),
    processes=[
        adsorption("CO adsorption", "empty", "CO", 0.45, desorption_Hz=1e-13),
        adsorption("O2 adsorption", ("empty", "empty"), ("O", "O"), 0.275, within_nm=0.3),
        reaction("CO2", ("CO", "O"), ("empty", "empty"), rate_Hz=1e10),
    ],
)
EXCLUSION = Model(
    species=(
        "A",
        "vacant \"é\"\t\\ \x7f 𝄞 'q'",
    ),
    processes=[hop("A", "vacant \"é\"\t\\ \x7f 𝄞 'q'", rate_Hz=np.float64(1.0))],
    charges_e={"vacant \"é\"\t\\ \x7f 𝄞 'q'": np.int64(1)},
)
KAWASAKI = Model(
    species=("A", "B", "C"),
    processes=[hop("A", "B", METROPOLIS), reaction("swap", ("B", "C"), ("C", "B"), 0.1, within_nm=0.4),
               reaction("melt", ("A", "A"), ("C", "C"), -0.5, reversible=False)],
)  # fmt: skip


@pytest.mark.parametrize("model", [VACANCIES, ISING, ZGB, EXCLUSION, KAWASAKI, Model(("A",), [])])
def test_what_is_written_reads_back_equal(model, tmp_path):
    text = model.to_toml()
    assert Model.from_toml(text) == model
    assert Model.from_toml(text).directions() == model.directions()
    path = tmp_path / "model.toml"
    path.write_text(text, encoding="utf-8")
    assert Model.from_toml(path) == Model.from_toml(str(path)) == model
    assert Model.from_toml(path).to_toml() == text


def test_the_text_is_what_a_user_would_write():
    assert ISING.to_toml() == (
        'species = ["down", "up"]\n\n[[process]]\nkind = "turn"\nname = "flip"\nbefore = "down"\nafter = "up"\n'
        'barrier_eV = -inf\nprefactor_Hz = 1.0\n\n[[pair_energy]]\nfirst = "down"\nsecond = "up"\nenergy_eV = 1.0\n'
    )


def test_every_constructor_is_a_kind():
    model = Model.from_toml("""
        species = ["empty", "CO", "O"]
        [[process]]
        kind = "adsorption"
        name = "CO adsorption"
        before = "empty"
        after = "CO"
        rate_Hz = 0.45
        desorption_Hz = 1e-13
        [[process]]
        kind = "adsorption"
        name = "O2 adsorption"
        before = ["empty", "empty"]
        after = ["O", "O"]
        rate_Hz = 0.275
        within_nm = 0.3
        [[process]]
        kind = "reaction"
        name = "CO2"
        before = ["CO", "O"]
        after = ["empty", "empty"]
        rate_Hz = 10_000_000_000
        """)
    assert model == ZGB
    assert set(KINDS) == {"hop", "reaction", "turn", "adsorption", "exchange", "electrode"}


HOP = '[[process]]\nkind = "hop"\nspecies = "ion"\ninto = "empty"\nbarrier_eV = 0.5\n'
TWO = 'species = ["empty", "ion"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TWO + "[[proces]]\nkind = 1", r"proces = .*: unknown key; known are species,.*did you mean 'process'"),
        (HOP, "species: missing; a list of names is needed"),
        ('species = "ion"', "species = 'ion': a list of texts is needed"),
        ("species = [1, 2]", r"species = \[1, 2\]: a list of texts is needed"),
        ('species = ["ion", "ion"]', "species must be 1 to 100 different names"),
        (TWO + '[process]\nkind = "hop"', r"process = .*: a list of tables, each under \[\[process\]\], is needed"),
        (TWO + HOP.replace('"hop"', '"hopp"'), r"process\.0\.kind = 'hopp': unknown kind; .*did you mean 'hop'"),
        (TWO + HOP.replace('kind = "hop"\n', ""), r"process\.0\.kind: missing; one of hop, reaction, turn, ads"),
        (TWO + HOP + HOP.replace("into", "int"), r"process\.1\.int = 'empty': unknown key; those of a process of "
         r"the kind 'hop' are species, into,.*did you mean 'into'"),
        (TWO + HOP.replace("barrier_eV", "barier_eV"), r"process\.0\.barier_eV = 0\.5: .*did you mean 'barrier_eV'"),
        (TWO + HOP.replace("0.5", '"high"'), r"process\.0\.barrier_eV = 'high': a number is needed"),
        (TWO + HOP.replace("0.5", "true"), r"process\.0\.barrier_eV = True: a number is needed"),
        (TWO + HOP.replace("0.5", "nan"), r"process\.0: process 'hop': barrier_eV is nan; a finite number, or -inf"),
        (TWO + HOP.replace('"ion"', '"iom"'), r"process\.0\.species = 'iom': unknown species; known are empty, ion; "
         "did you mean 'ion'"),
        (TWO + HOP.replace('species = "ion"\n', ""), r"process\.0\.species: missing; a process of the kind 'hop' "
         "needs it, a text"),
        (TWO + HOP + HOP, "two processes are called 'hop'"),
        (TWO + '[[process]]\nkind = "reaction"\nname = "x"\nbefore = ["ion", 2]', r"process\.0\.before = \['ion', 2\]: "
         "a text or a list of texts is needed"),
        (TWO + '[[process]]\nkind = "reaction"\nname = "x"\nbefore = ["ion"]\nafter = ["emty"]',
         r"process\.0\.after = 'emty': unknown species; .*did you mean 'empty'"),
        (TWO + '[[process]]\nkind = "turn"\nname = "x"\nbefore = "ion"\nafter = "empty"\nreversible = 1',
         r"process\.0\.reversible = 1: true or false is needed"),
        (TWO + '[[process]]\nkind = "exchange"\nname = "x"\nbefore = "ion"\nafter = "empty"\nreservoir = "cup"\n'
         'barrier_eV = 1\n[[reservoir]]\nname = "cap"\ncapacity = 5',
         r"process\.0\.reservoir = 'cup': unknown reservoir; known are cap; did you mean 'cap'"),
        (TWO + '[[reservoir]]\nname = "cap"\ncapacity = 5.5', r"reservoir\.0\.capacity = 5\.5: a whole number is"),
        (TWO + '[[reservoir]]\nname = "cap"\ncapacity = 0', r"reservoir\.0: reservoir 'cap': capacity is 0"),
        (TWO + '[[pair_energy]]\nfirst = "ion"\nsecond = "Ion"\nenergy_eV = 1', r"pair_energy\.0\.second = 'Ion': unk"),
        (TWO + '[[pair_energy]]\nfirst = "ion"\nsecond = "ion"\nenergy_eV = 1\nwithin_nm = 0.1\nbeyond_nm = 0.2',
         r"pair_energy\.0: pair energy of 'ion' and 'ion': within_nm is 0\.1; .* above beyond_nm = 0\.2"),
        (TWO + "[charges_e]\nionn = 1.0", r"charges_e\.ionn = 1\.0: unknown species 'ionn'; .*did you mean 'ion'"),
        (TWO + '[charges_e]\nion = "one"', r"charges_e\.ion = 'one': a number is needed"),
        (TWO + "site_energies_eV = 3", r"site_energies_eV = 3: a table of numbers, under \[site_energies_eV\]"),
        ("species = [", "model: not valid TOML"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_its_key(text, message):
    with pytest.raises(kmc.KmcError, match=message):
        Model.from_toml(text)


def test_a_message_names_the_file(tmp_path):
    with pytest.raises(kmc.KmcError, match=r"absent\.toml: cannot be read as a model file"):
        Model.from_toml("absent.toml")
    path = tmp_path / "broken.toml"
    path.write_text(TWO + HOP.replace("ion", "iron"))
    with pytest.raises(kmc.KmcError, match=r"broken\.toml: process\.0\.species = 'iron'"):
        Model.from_toml(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(kmc.KmcError, match=r"broken\.toml: cannot be read"):
        Model.from_toml(path)
