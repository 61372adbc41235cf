"""What check and run remark on: other materials, limits that do not reach, devices that do not form."""

import re
from pathlib import Path

import numpy as np
import pytest
from resume_devices import DEVICES
from small_device import FROZEN, small_device

import ionsim
from ionsim.analysis.switching import what_failed
from ionsim.config import cite, example_files, load, remarks
from ionsim.report.origin import parameters

ROOT = Path(__file__).parents[1]
EXAMPLE = "hfo2_ti_bipolar"
TAOX = "layers.oxide.material=TaOx"


# -- other materials ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", example_files())
def test_examples_need_no_remark(name):
    assert remarks(load(name)) == []


def test_numbers_of_another_oxide_are_named():
    device = load(EXAMPLE, [TAOX])
    given, calibrated, general = remarks(device)
    assert given.startswith("layers.oxide is TaOx, but by their sources these were given for HfO2: vacancy.hop_b")
    sources = {row.key: row.source for row in cite(device)}
    listed = re.findall(r"[a-z_]+\.[\w.]+", given.partition(": ")[2])
    assert len(listed) == 6
    assert all("HfO" in sources[key] for key in listed), "a number is said to be of HfO2, which its source does not say"
    assert all("HfO" not in sources[key] for key in re.findall(r"[a-z_]+\.[\w.]+", calibrated.partition(": ")[2]))
    assert general.endswith("docs/own-material.md")
    assert (ROOT / "docs" / "own-material.md").is_file()


def test_a_number_of_ones_own_is_not_remarked_on():
    own = [TAOX, "vacancy.hop_barrier_eV=1.2", 'sources={vacancy.hop_barrier_eV="measured on our TaOx"}']
    assert "vacancy.hop_barrier_eV" not in " ".join(remarks(load(EXAMPLE, own)))
    assert "vacancy.hop_barrier_eV" in " ".join(remarks(load(EXAMPLE, [TAOX])))


def test_the_continuum_has_the_numbers_of_tantalum_oxide():
    (remark,) = remarks(load(EXAMPLE, ["model=continuum"]))
    assert "given for tantalum oxide: continuum." in remark
    assert remarks(load(EXAMPLE, ["model=continuum", "layers.oxide.material=Ta2O5"])) == []


def test_check_prints_them_and_succeeds(command):
    result = command("check", EXAMPLE, "--set", TAOX)
    assert result.code == 0
    assert result.out.count("\n  remark: ") == 3
    assert "remark" not in command("check", EXAMPLE).out


# -- limits of the current ----------------------------------------------------------------------------------------


def test_a_compliance_of_the_drive_says_which_stages_it_reaches():
    (remark,) = remarks(load(EXAMPLE, ["drive.compliance_A=5e-5"]))
    assert "drive.compliance_A = 5e-05 A limits reset only" in remark
    assert "drive.stages.forming.compliance_A = 8e-05" in remark
    own = ["drive.compliance_A=5e-5", "drive.stages.reset.compliance_A=1e-3"]
    assert "limits none of the stages" in remarks(load(EXAMPLE, own))[0]
    alone = ["drive.compliance_A=5e-5", "drive.stages.forming.compliance_A=none", "drive.stages.set.compliance_A=none"]
    assert remarks(load(EXAMPLE, alone)) == []


def test_the_change_in_the_readme_reaches_forming_and_set():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (call,) = re.findall(r"`(device\.replace\(.*?\))`", text, flags=re.DOTALL)
    changed = eval(call, {"device": load(EXAMPLE)})
    drive = ionsim.drive.Drive(changed.drive)
    limits = {stage.name: drive.circuit(0.5 * (begin_s + end_s)).compliance_A
              for stage, begin_s, end_s in zip(changed.drive.stages, [0.0, *drive.stage_ends_s], drive.stage_ends_s,
                                               strict=False)}  # fmt: skip
    assert limits == {"forming": 5e-5, "reset": None, "set": 5e-5}
    assert remarks(changed) == []


# -- devices that do not switch -----------------------------------------------------------------------------------


def series_of(*stages):
    """A series with these voltages in each stage, at a conductance of 1 uS."""
    voltage = np.concatenate(stages)
    number = np.repeat(np.arange(len(stages)), [len(part) for part in stages])
    return {"voltage_V": voltage, "stage": number.astype(float), "conductance_S": np.full(len(voltage), 1e-6)}


def test_a_device_that_does_not_form_says_so():
    device = load(EXAMPLE)
    series = series_of([1.0, 2.0, 4.0, 1.0], [-1.0, -2.0], [1.0, 1.5])
    nothing = {"V_form_V": None, "V_reset_V": None, "V_set_V": None}
    names = ("forming", "reset", "set")
    assert what_failed(device, series, names, nothing).startswith("did not form up to 4 V")
    assert what_failed(device, series, names, {**nothing, "V_form_V": 2.0}).startswith("did not reset up to -2 V")
    formed = {"V_form_V": 2.0, "V_reset_V": -1.0, "V_set_V": None}
    assert what_failed(device, series, names, formed).startswith("did not set up to 1.5 V")
    assert what_failed(device, series, names, {**formed, "V_set_V": 0.9}) is None
    assert what_failed(load("gst_mushroom"), series, names, nothing) is None
    assert what_failed(load(EXAMPLE, ['drive={kind="constant", voltage_V=1.0, duration_s=1.0}']), series, ("constant",),
                       nothing) is None  # fmt: skip


def test_a_run_ends_with_that_line(command, tmp_path):
    device = small_device({**FROZEN, "drive.stages": [{"name": "forming", "stop_V": 3.0, "turn_at_compliance": True}]})
    file = tmp_path / "frozen.toml"
    file.write_text(device.to_toml(), encoding="utf-8")
    result = command("run", file, "--out", tmp_path / "out")
    assert result.code == 0
    assert result.out.splitlines()[-1].startswith("did not form up to 3 V")
    assert "did not form up to 3 V" in command("info", tmp_path / "out").out


# -- tables that a model leaves aside -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", example_files())
def test_citations_and_report_leave_out_the_other_model(name):
    device = load(name)
    tables = {row.key.partition(".")[0] for row in cite(device)}
    assert tables - {"ambient_K", "seed"} == set(parameters(device)) - {"device"}
    assert not any(row.source.startswith("not used") for row in cite(device))
    if device.family == "vcm":
        assert ("continuum" in tables) == (device.model == "continuum")
        assert ("conduction" in tables) == (device.model == "lattice")


#: Other values for much of what a model leaves aside.
OTHER = {
    "vcm_crystal": {"continuum.size_nm": 0.9, "continuum.barrier_eV": 0.7, "continuum.radius_nm": 9.0},
    "vcm_continuum": {
        "lattice.width_nm": 7.0, "vacancy.hop_barrier_eV": 0.8, "vacancy.polarisation_eA": 9.0, "vacancy.charge_e": 1.0,
        "conduction.cutoff_nm": 0.7, "conduction.background_S_per_m": 9.0, "heat.relaxation_length_nm": 1.0,
        "heat.boundary_top_W_per_m2K": 1e8, "heat.vacancy_rich_W_per_mK": 50.0, "mesh.growth": 1.3,
        "exchange": {"reservoir_sites": 5, "barrier_eV": 0.6}, "numerics.potential_error_kT": 50.0,
        "weak_spots": [{"centre_nm": [1.0, 1.0], "radius_nm": 0.65, "hop_shift_eV": -0.5}],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_what_is_left_out_changes_nothing(name):
    one = DEVICES[name][0]()
    other = one.replace(OTHER[name])
    assert cite(one) == cite(other), "a number that is changed here is listed"
    first, second = ionsim.Simulation(one, seed=1), ionsim.Simulation(other, seed=1)
    for _, a, b in zip(range(4), first, second, strict=False):
        assert a.row == b.row
