"""What ``info`` says of folders that are no single run, and what the commands for runs say there."""

import pytest
from small_device import FROZEN, small_device

import ionsim
from ionsim.simulation import ensemble
from ionsim.study import StudyFolder, make_plan
from ionsim.study.conduct import run as conduct

SHORT = {**FROZEN, "drive.stages": [{"name": "forming", "stop_V": 0.5}]}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """An ensemble of two seeds."""
    folder = tmp_path_factory.mktemp("ensemble") / "many"
    ensemble(small_device(SHORT), [3, 11], folder, workers=1)
    return folder


def test_info_on_an_ensemble(command, many):
    result = command("info", many)
    assert result.code == 0
    assert result.out.startswith(f"{many}: ensemble of 'small' (vcm), 2 seeds\n")
    assert "  seeds      3, 11\n" in result.out
    assert "2 complete" in result.out


@pytest.mark.parametrize("name", ["plot", "report", "animate", "view"])
def test_commands_for_a_run_name_one_of_the_ensemble(command, many, name):
    result = command(name, many)
    assert result.code == 2
    assert f"{many}: an ensemble of 2 seeds; try ionsim {name} {many / 'seed_3'}" in result.err
    assert ionsim.results.Run.open(many / "seed_3").status == "complete"


def test_a_folder_with_nothing_is_still_refused(command, tmp_path):
    for name in ("info", "plot", "report"):
        result = command(name, tmp_path)
        assert result.code == 2
        assert "run.h5" in result.err


def test_info_on_a_study(command, tmp_path):
    (tmp_path / "base.toml").write_text(small_device(SHORT).to_toml(), encoding="utf-8")
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "s"\nbase = "base.toml"\nseeds = [1, 2]\n'
        '[[parameters]]\nkey = "ambient_K"\nvalues = [300.0, 310.0]\n', encoding="utf-8",
    )  # fmt: skip
    folder = StudyFolder.create(make_plan(file), tmp_path / "out")
    said = command("info", folder.path).out
    assert said.startswith(f"{folder.path}: study of 'small' (vcm), design grid\n")
    assert "  runs         4: 4 to do\n" in said
    assert "  parameters   ambient_K\n" in said
    assert f"ionsim resume {folder.path} goes on" in said
    conduct(folder.plan, folder.path, workers=1)
    said = command("info", folder.path).out
    assert "  runs         4: 4 complete\n" in said
    assert "R_virgin_ohm" in said
    assert "resume" not in said
    refused = command("plot", folder.path)
    assert (refused.code, "try ionsim study-plot" in refused.err) == (2, True)
