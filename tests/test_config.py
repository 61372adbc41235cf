"""Device files: what they mean, what they refuse, and how they say so."""

import pickle
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

import ionsim
from ionsim import materials
from ionsim.config import Device, VcmDevice, cite, example_files, schema, toml
from ionsim.config.citations import USER_INPUT
from ionsim.errors import DeviceFileError

EXAMPLE = "hfo2_ti_bipolar"
MINIMAL = """
name = "minimal"
family = "vcm"
[layers]
bottom = {material = "TiN", thickness_nm = 10.0}
oxide = {material = "HfO2", thickness_nm = 5.0}
cap = {material = "Ti", thickness_nm = 10.0}
top = {material = "TiN", thickness_nm = 10.0}
[vacancy]
initial_fraction = 0.01
[exchange]
reservoir_sites = 100
[drive]
kind = "sweep"
ramp_rate_V_per_s = 1.0
compliance_A = 1e-4
stages = [{name = "forming", stop_V = 3.0, turn_at_compliance = true}, {name = "reset", stop_V = -1.0}]
"""

EXCHANGE = "[exchange]\nreservoir_sites = 100"
ATOMS = MINIMAL.replace(EXCHANGE, "[frenkel]")

# Each broken file: what is changed in MINIMAL (old, new), the key that the message must name, and a further fragment.
BROKEN = {
    "misspelt key": (
        "initial_fraction",
        "inital_fraction",
        "vacancy.inital_fraction",
        "did you mean 'initial_fraction'",
    ),
    "misspelt table": ("[exchange]", "[exchnage]", "exchnage", "did you mean 'exchange'"),
    "key of another table": (
        'name = "minimal"',
        'name = "m"\ncompliance_A = 1',
        "compliance_A",
        "'drive.compliance_A'",
    ),
    "unknown key": ('name = "minimal"', 'name = "m"\nzzz = 1', "zzz", "unknown key; allowed here: name, family"),
    "missing key": ("initial_fraction = 0.01", "", "vacancy.initial_fraction", "missing; needs a number >= 0"),
    "missing table": ("[vacancy]\ninitial_fraction = 0.01", "", "vacancy", "missing; needs a table"),
    "missing family": ('family = "vcm"', "", "family", "missing; one of 'ecm', 'ecram', 'pcm', 'vcm'"),
    "unknown family": ('"vcm"', '"vmc"', "family", "did you mean 'vcm'"),
    "text for a number": ("initial_fraction = 0.01", 'initial_fraction = "0.01"', "vacancy.initial_fraction", '"0.01"'),
    "number for a text": ('name = "minimal"', "name = 5", "name = 5", "must be a text in quotes"),
    "boolean for a number": ("= 0.01", "= true", "vacancy.initial_fraction = true", "must be a number"),
    "fraction of a count": ("sites = 100", "sites = 100.5", "exchange.reservoir_sites = 100.5", "a whole number >= 1"),
    "below the range": (
        "thickness_nm = 5.0",
        "thickness_nm = -5.0",
        "layers.oxide.thickness_nm = -5.0",
        "> 0.2 and <= 1000",
    ),
    "above the range": ("= 0.01", "= 1.5", "vacancy.initial_fraction = 1.5", ">= 0 and <= 0.9"),
    "not finite": ("= 0.01", "= nan", "vacancy.initial_fraction = nan", "must be a number"),
    "infinite": ("rate_V_per_s = 1.0", "rate_V_per_s = inf", "drive.ramp_rate_V_per_s = inf", "in V/s"),
    "zero compliance": ("compliance_A = 1e-4", "compliance_A = 0", "drive.compliance_A = 0", "> 0"),
    "superbasins of a divided lattice": (
        "[exchange]",
        "[numerics]\ndistributed_lattice = true\nsuperbasin_states = 8\n[exchange]",
        "numerics.superbasin_states = 8",
        "not with numerics.distributed_lattice",
    ),
    "unknown material": ('"HfO2"', '"HfO"', "layers.oxide.material", "did you mean 'HfO2'"),
    "cap that holds no oxygen": ('"Ti"', '"Pt"', "layers.cap.material", "takes up oxygen: Ti, Hf, Ta"),
    "unknown kind": ('"sweep"', '"swep"', "drive.kind", "did you mean 'sweep'"),
    "no kind": ('kind = "sweep"', "", "drive.kind", "missing; one of 'sweep', 'pulses'"),
    "key of another kind": ('kind = "sweep"', 'kind = "sweep"\nduration_s = 1.0', "drive.duration_s", "unknown key"),
    "table that is no table": ("[exchange]\nreservoir_sites = 100", "", "exchange", "must be a table"),
    "no stages": ("stages = [{", "stages = []\n#", "drive.stages", "at least one stage"),
    "same stage twice": ('"reset"', '"forming"', "drive.stages.1.name", "must differ"),
    "nothing to ramp": ("stop_V = -1.0", "stop_V = 0.0", "drive.stages.1.stop_V", "nothing to ramp"),
    "turn without compliance": ("compliance_A = 1e-4", "", "drive.stages.0.turn_at_compliance", "needs compliance_A"),
    "gate without transistor": (
        "stop_V = -1.0",
        "stop_V = -1.0, gate_V = 2.0",
        "stages.1.gate_V = 2",
        "drive.transistor",
    ),
    "transistor without k": (
        "compliance_A = 1e-4",
        "transistor = {gate_V = 1.0, threshold_V = 0.5}",
        "drive.transistor.transconductance_A_per_V2",
        "missing; needs a number > 0",
    ),
    "misspelt key of a transistor": (
        "compliance_A = 1e-4",
        "transistor = {gate_v = 1.0, threshold_V = 0.5, transconductance_A_per_V2 = 1e-4}",
        "drive.transistor.gate_v",
        "did you mean 'gate_V'",
    ),
    "turn at a transistor that is off": (
        "compliance_A = 1e-4",
        "transistor = {gate_V = 0.5, threshold_V = 0.5, transconductance_A_per_V2 = 1e-4}",
        "drive.stages.0.turn_at_compliance",
        "the transistor is off, gate_V = 0.5 V; needs a gate_V above threshold_V = 0.5 V",
    ),
    "turn at a transistor in reverse": (
        'compliance_A = 1e-4\nstages = [{name = "forming", stop_V = 3.0',
        "transistor = {gate_V = 1.0, threshold_V = 0.5, transconductance_A_per_V2 = 1e-4}\n"
        'stages = [{name = "forming", stop_V = -3.0',
        "drive.stages.0.turn_at_compliance",
        "saturates at positive voltages only; needs compliance_A",
    ),
    "name of a stage": ('"reset"', '"re/set"', "drive.stages.1.name", "that matches"),
    "cutoff below neighbours": (
        "[vacancy]",
        "[conduction]\ncutoff_nm = 0.2\n[vacancy]",
        "conduction.cutoff_nm",
        "0.2542 nm",
    ),
    "cutoff beyond the box": ("[vacancy]", "[conduction]\ncutoff_nm = 3\n[vacancy]", "conduction.cutoff_nm", "2.5 nm"),
    "domain inside the box": ("[vacancy]", "[mesh]\ndomain_width_nm = 3\n[vacancy]", "mesh.domain_width_nm", "5 nm"),
    "reservoir overfull": (
        "sites = 100",
        "sites = 100\ninitial_reservoir = 101",
        "exchange.initial_reservoir",
        "at most",
    ),
    "reservoir by a wrong word": (
        "sites = 100",
        'sites = 100\ninitial_reservoir = "all"',
        "exchange.initial_reservoir",
        "'vacancies' or a whole number",
    ),
    "weak spot outside": (
        "[vacancy]",
        "[[weak_spots]]\ncentre_nm = [9, 1]\nradius_nm = 1\n[vacancy]",
        "weak_spots.0.centre_nm",
        "lattice box",
    ),
    "half a pair": (
        "[vacancy]",
        "[[weak_spots]]\ncentre_nm = [9]\nradius_nm = 1\n[vacancy]",
        "weak_spots.0.centre_nm",
        "a list of 2 numbers",
    ),
    "source of no key": (
        "[vacancy]",
        "[sources]\nvacancy.attempt = 'x'\n[vacancy]",
        "sources.vacancy.attempt",
        "did you mean",
    ),
    "empty source": ("[vacancy]", "[sources]\nvacancy.attempt_Hz = ''\n[vacancy]", "sources.vacancy.attempt_Hz", ""),
    "incomplete own material": (
        "[vacancy]",
        "[materials.HfO]\nscavenger = false\n[vacancy]",
        "layers.oxide.material",
        "[materials.HfO]",
    ),
    "missing atoms": (EXCHANGE, "[frenkel]\n[structure]\natoms = 'no.xyz'", "structure.atoms", "no such file"),
    "atoms without pairs": (EXCHANGE, "[structure]", "frenkel: missing", "pairs of vacancy and interstitial ion"),
    "pairs without atoms": (EXCHANGE, "[frenkel]", "frenkel", "needs [structure]"),
    "atoms with an exchange": ("[vacancy]", "[frenkel]\n[structure]\n[vacancy]", "exchange", "not with [structure]"),
    "atoms with weak spots": (
        EXCHANGE,
        "[frenkel]\n[structure]\n[[weak_spots]]\ncentre_nm = [1, 1]\nradius_nm = 1",
        "weak_spots",
        "not with [structure]",
    ),
    "interface without oxide": (
        EXCHANGE,
        "[frenkel]\n[structure]\ninterface_nm = [4, 5]",
        "structure.interface_nm",
        "needs structure.oxide_nm",
    ),
    "interstitials without atoms": (
        EXCHANGE,
        "[frenkel]\n[structure]\ninterstitials = 'no.xyz'",
        "structure.interstitials",
        "needs structure.atoms",
    ),
    "reversed range": ("[vacancy]", "[structure]\noxide_nm = [5, 0]\n[vacancy]", "structure.oxide_nm", "low < high"),
    "not TOML": ("[vacancy]", "[vacancy", "not valid TOML", "line"),
}


def broken_text(case: str) -> str:
    old, new, _, _ = BROKEN[case]
    assert old in MINIMAL
    text = MINIMAL.replace(old, new, 1)
    if case == "incomplete own material":
        return text.replace('"HfO2"', '"HfO"')
    return "exchange = 5\n" + text if case == "table that is no table" else text


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_names_the_key_and_gives_exit_code_2(case, tmp_path, command):
    path = tmp_path / "device.toml"
    path.write_text(broken_text(case))
    result = command("check", path)
    assert result.code == 2
    assert result.out == ""
    assert "Traceback" not in result.err
    *_, key, fragment = BROKEN[case]
    assert key in result.err
    assert fragment in result.err


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("voltage,time\n0,0\n1,1\n", "must be time_s,voltage_V"),
        ("time_s,voltage_V\n0,0\n2,1\n1,1\n", "line 4: time_s = 1; must increase"),
        ("time_s,voltage_V\n1,0\n2,1\n", "line 2: time_s = 1; must start at 0"),
        ("time_s,voltage_V\n0,0\n1,x\n", "line 3: ['1', 'x'] is not two numbers"),
        ("time_s,voltage_V\n0,0\n1,inf\n", "must be finite"),
        ("time_s,voltage_V\n0,0\n", "at least two points"),
        ("", "must be time_s,voltage_V"),
        (None, "there is no such file"),
    ],
)
def test_a_broken_waveform_file_gives_exit_code_2(content, fragment, tmp_path, command):
    if content is not None:
        (tmp_path / "wave.csv").write_text(content)
    path = tmp_path / "device.toml"
    path.write_text(MINIMAL.split("[drive]")[0] + "[drive]\nkind = 'csv'\npath = 'wave.csv'\n")
    result = command("check", path)
    assert result.code == 2
    assert "drive.path" in result.err
    assert fragment in result.err


def test_all_problems_come_at_once_one_line_each():
    text = MINIMAL.replace("0.01", "-1").replace("thickness_nm = 5.0", "thicknes_nm = 5.0").replace("3.0", "1e5")
    with pytest.raises(DeviceFileError) as error:
        Device.from_toml(text, origin="mine.toml")
    lines = str(error.value).splitlines()
    assert lines[0] == "mine.toml: 3 problems"
    assert len(lines) == 4


def test_a_misspelt_required_key_is_one_problem():
    with pytest.raises(DeviceFileError, match="1 problem"):
        Device.from_toml(MINIMAL.replace("initial_fraction", "inital_fraction"))


def test_binary_and_missing_files_are_refused(tmp_path, command):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name, fragment in (
        ("binary.toml", "cannot be read as text"),
        ("none.toml", "no such file"),
        (".", "is a folder"),
    ):
        result = command("check", tmp_path / name)
        assert result.code == 2
        assert fragment in result.err


def test_an_example_with_a_typo_gets_a_hint():
    with pytest.raises(DeviceFileError, match=f"did you mean '{EXAMPLE}'"):
        ionsim.load("hfo2_ti_bipolr")


@pytest.mark.parametrize("name", example_files())
def test_examples_are_valid_and_round_trip(name):
    device = ionsim.load(name)
    assert device.name == name
    again = Device.from_toml(device.to_toml())
    assert again == device
    assert again.to_toml() == device.to_toml()
    assert pickle.loads(pickle.dumps(device)) == device


def test_defaults_are_the_documented_ones():
    device = Device.from_toml(MINIMAL)
    assert isinstance(device, VcmDevice)
    assert device.ambient_K == 300.0
    assert device.vacancy.hop_barrier_eV == 1.09
    assert device.exchange is not None
    assert device.exchange.initial_reservoir == "vacancies"
    assert device.mesh.size_nm is None
    assert device.conduction.contact_conductance_S == pytest.approx(7.748e-5, rel=1e-4)


def test_devices_are_immutable():
    device = Device.from_toml(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        device.ambient_K = 400.0


def test_replace_changes_a_copy_and_checks_it():
    device = Device.from_toml(MINIMAL)
    thick = device.replace(
        {"layers.oxide.thickness_nm": 7, "drive.stages.reset.stop_V": -2.0, "drive.stages.0.stop_V": 4}
    )
    assert thick.layers.oxide.thickness_nm == 7.0
    assert [stage.stop_V for stage in thick.drive.stages] == [4.0, -2.0]
    assert device.layers.oxide.thickness_nm == 5.0
    assert thick.replace({"exchange": None}).exchange is None
    assert thick.replace({"vacancy": device.vacancy}) == thick
    with pytest.raises(DeviceFileError, match=r"layers\.oxide\.thickness_nm = -1"):
        device.replace({"layers.oxide.thickness_nm": -1})
    with pytest.raises(DeviceFileError, match=r"name is one value and not a table"):
        device.replace({"name.first": 1})
    with pytest.raises(DeviceFileError, match=r"did you mean 'reset'"):
        device.replace({"drive.stages.resett.stop_V": 1})


def test_overrides_are_toml_values_and_bare_words():
    device = Device.from_toml(MINIMAL)
    changed = device.overrides(
        ["layers.cap.material=Hf", "ambient_K=350", "drive.compliance_A = 5e-5", "numerics.transient_heat=false",
         'drive.stages=[{name="only", stop_V=2}]', "description=two words"]
    )  # fmt: skip
    assert changed.layers.cap.material == "Hf"
    assert changed.ambient_K == 350.0
    assert changed.drive.compliance_A == 5e-5
    assert changed.numerics.transient_heat is False
    assert changed.drive.stages[0].name == "only"
    assert changed.description == "two words"
    assert changed.overrides(["drive.compliance_A=none"]).drive.compliance_A is None
    with pytest.raises(DeviceFileError, match="must be KEY=VALUE"):
        device.overrides(["ambient_K"])
    with pytest.raises(DeviceFileError, match="ambient_K"):
        device.overrides(["ambient_K=warm"])


def test_paths_are_relative_to_the_file_and_overrides_to_the_working_directory(tmp_path, monkeypatch):
    for folder in ("files", "here"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "atoms.xyz").write_text("")
    device_file = tmp_path / "files" / "device.toml"
    device_file.write_text(ATOMS + "[structure]\natoms = 'atoms.xyz'\noxide_nm = [0.3, 4.8]\n")
    monkeypatch.chdir(tmp_path / "here")
    assert ionsim.load(device_file).structure.atoms == tmp_path / "files" / "atoms.xyz"
    assert ionsim.load(device_file, ["structure.atoms=atoms.xyz"]).structure.atoms == Path("atoms.xyz").absolute()


def test_an_override_is_applied_before_the_file_is_checked(tmp_path):
    (tmp_path / "atoms.xyz").write_text("")
    device_file = tmp_path / "device.toml"
    device_file.write_text(ATOMS + "[structure]\natoms = 'elsewhere.xyz'\n")
    device = ionsim.load(device_file, [f"structure.atoms={tmp_path / 'atoms.xyz'}"])
    assert device.structure.atoms == tmp_path / "atoms.xyz"


def test_own_materials_and_changes_of_known_ones():
    text = MINIMAL.replace('"HfO2"', '"ZrO2"') + (
        "[materials.ZrO2]\nelectrical_S_per_m = 1\nthermal_W_per_mK = 2\ncapacity_J_per_m3K = 2.6e6\n"
        "[materials.Ti]\nthermal_W_per_mK = 21.9\n[sources]\nmaterials.Ti.thermal_W_per_mK = 'bulk'\n"
    )
    device = Device.from_toml(text)
    assert device.material("ZrO2").value("thermal_W_per_mK") == 2.0
    assert device.material("Ti").quantity("thermal_W_per_mK") == materials.Quantity(21.9, "W/(m K)", "bulk")
    assert device.material("Ti").scavenger
    cited = {item.key: item.source for item in cite(device)}
    assert cited["materials.ZrO2.thermal_W_per_mK"] == USER_INPUT
    assert cited["materials.Ti.thermal_W_per_mK"] == "bulk"
    assert "CRC" in cited["materials.Ti.capacity_J_per_m3K"]


def test_sources_own_first_then_the_default_then_user_input():
    device = Device.from_toml(
        MINIMAL + "[sources]\nvacancy.initial_fraction = 'measured'\n\"drive.stages\" = 'chosen: three volts'\n"
    )
    cited = {item.key: item for item in cite(device)}
    assert cited["vacancy.initial_fraction"].source == "measured"
    assert cited["drive.stages.0.stop_V"].source == "chosen: three volts"
    assert cited["vacancy.hop_barrier_eV"].source == "DeviceKMC code (TiN/HfO2/Ti)"
    assert cited["vacancy.hop_barrier_eV"].unit == "eV"
    assert cited["exchange.reservoir_sites"].source == USER_INPUT
    changed = {item.key: item.source for item in cite(device.replace({"vacancy.hop_barrier_eV": 1.0}))}
    assert changed["vacancy.hop_barrier_eV"] == USER_INPUT
    assert all(item.source.strip() for item in cite(device))


@pytest.mark.parametrize("name", example_files())
def test_examples_have_a_source_for_every_number(name):
    assert [item.key for item in cite(ionsim.load(name)) if item.source == USER_INPUT] == []


def default_numbers() -> set[str]:
    return {
        key
        for model in Device.families.values()
        for key, field in schema.fields(model)
        if isinstance(field.default, int | float) and not isinstance(field.default, bool)
    }


def test_every_default_number_has_a_source_and_no_source_is_stale():
    assert default_numbers() == materials.default_source_keys(Device.families)


def test_optional_keys_default_to_none():
    # None removes a key in replace() and is left out by to_toml(); with another default that would change the device.
    for model in Device.families.values():
        for key, field in schema.fields(model):
            if type(None) in get_args(field.annotation):
                assert field.default is None, key


def test_the_toml_writer_round_trips_awkward_values():
    data = {
        "text": 'quote " backslash \\ tab \t newline \n del \x7f unicode µΩ',
        "numbers": [1, 2.0, 1e-300, -0.0, 1e22],
        "flag": True,
        "odd key.with dots": {"a b": 1},
        "empty": {},
        "tables": [{"x": 1, "inner": {"y": [[1.0, 2.0]]}}, {"x": 2}],
        "mixed": [{"x": 1}, 2],
    }
    assert tomllib.loads(toml.dumps(data)) == data
    assert "absent" not in toml.dumps({"absent": None})
