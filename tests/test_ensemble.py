"""Many seeds of one device: the same runs as alone, one table, and what goes wrong has a name."""

import csv

import pytest
from small_device import small_device
from typer.testing import CliRunner

import ionsim
from ionsim.cli import app
from ionsim.errors import IonsimError
from ionsim.results import TIMING
from ionsim.simulation import statistics

#: A sweep that is over after two voltages.
SHORT = {"drive.stages": [{"name": "forming", "stop_V": 0.5, "return_to_zero": False}]}


def test_a_run_of_an_ensemble_is_the_run_alone(tmp_path):
    device = small_device(SHORT)
    done = []
    summaries = ionsim.ensemble(device, [3, 1], tmp_path, workers=2, on_done=lambda seed, summary: done.append(seed))
    assert list(summaries) == [3, 1]
    assert sorted(done) == [1, 3]
    alone = ionsim.Simulation(device, seed=3).run(tmp_path / "alone")
    assert (tmp_path / "seed_3" / "iv.csv").read_bytes() == (tmp_path / "alone" / "iv.csv").read_bytes()
    assert {k: v for k, v in summaries[3].items() if k not in TIMING} == {
        k: v for k, v in alone.summary.items() if k not in TIMING
    }


def test_what_is_finished_is_read_and_another_device_is_refused(tmp_path):
    device = small_device(SHORT)
    first = ionsim.ensemble(device, [1], tmp_path, workers=1)
    assert ionsim.ensemble(device, [1], tmp_path, workers=1) == first
    with pytest.raises(IonsimError, match=r"seed 1: .*another device file"):
        ionsim.ensemble(device.replace({"ambient_K": 310.0}), [1], tmp_path, workers=1)


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [1.5], [True]])
def test_seeds_are_different_numbers(tmp_path, seeds):
    with pytest.raises(IonsimError, match="seeds"):
        ionsim.ensemble(small_device(SHORT), seeds, tmp_path)


def test_statistics_leave_out_what_did_not_occur():
    table = statistics({1: {"V_set_V": 1.0, "seed": 1, "name": "a"}, 2: {"V_set_V": None, "seed": 2, "name": "a"}})
    assert list(table) == ["V_set_V"]
    assert table["V_set_V"][0] == 1.0
    assert table["V_set_V"][-1] == 1


def test_the_command_writes_a_table(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(small_device(SHORT).to_toml(), encoding="utf-8")
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["ensemble", str(file), "--out", str(out), "--seeds", "1,2", "--workers", "1"])
    assert result.exit_code == 0, result.output
    with open(out / "ensemble.csv", newline="", encoding="utf-8") as table:
        assert [row["seed"] for row in csv.DictReader(table)] == ["1", "2"]
    refused = CliRunner().invoke(app, ["ensemble", str(file), "--out", str(out), "--seeds", "5-2"])
    assert refused.exit_code == 2
    assert "5-2" in refused.output
