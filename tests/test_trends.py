"""Trends of forming: the ensembles, and (slow) what they show for the example."""

import csv
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_device import small_device

import ionsim
from ionsim.analysis.trends import COLUMNS, TRENDS, Point, follows, forming_device, measure, values, write_csv
from ionsim.errors import DeviceFileError

SCRIPT = Path(__file__).parents[1] / "scripts" / "trends.py"
EXAMPLE = "hfo2_ti_bipolar"
SLOW_SEEDS = (1, 2, 3)

#: What the main job must show: the sign of the change of the ensemble mean.
DIRECTIONS = {"thickness": 1, "ramp-rate": 1, "temperature": -1, "vacancies": -1, "compliance": -1}


def test_the_trends_are_those_of_the_main_job():
    assert {name: trend.direction for name, trend in TRENDS.items()} == DIRECTIONS
    device = ionsim.load(EXAMPLE)
    assert values(TRENDS["thickness"], device) == [3.0, 5.0, 7.0]
    assert values(TRENDS["ramp-rate"], device) == [0.1, 1.0, 10.0]
    assert values(TRENDS["temperature"], device) == [300.0, 400.0]
    fraction = device.vacancy.initial_fraction
    assert values(TRENDS["vacancies"], device) == pytest.approx([fraction, 3 * fraction])
    assert len(values(TRENDS["compliance"], device)) == 3


@pytest.mark.parametrize("name", TRENDS)
def test_a_trend_runs_the_forming_stage_with_one_key_changed(name):
    trend, device = TRENDS[name], ionsim.load(EXAMPLE)
    for value in values(trend, device):
        changed = forming_device(trend, device, value)
        (stage,) = changed.drive.stages
        assert (stage.name, stage.turn_at_compliance) == ("forming", True)
        assert stage.return_to_zero == (trend.quantity == "R_LRS_ohm")
        found = {
            "thickness": changed.layers.oxide.thickness_nm,
            "ramp-rate": changed.drive.ramp_rate_V_per_s,
            "temperature": changed.ambient_K,
            "vacancies": changed.vacancy.initial_fraction,
            "compliance": stage.compliance_A,
        }
        unchanged = forming_device(trend, device, values(trend, device)[1])
        assert found[name] == value
        same = {"layers": changed.layers, "conduction": changed.conduction, "exchange": changed.exchange}
        if name != "thickness":
            assert all(getattr(unchanged, key) == part for key, part in same.items())


def test_the_throttle_of_hops_goes_with_the_ramp_rate():
    device = small_device({"vacancy.max_hop_rate_Hz": 50.0, "drive.ramp_rate_V_per_s": 2.0})
    assert forming_device(TRENDS["ramp-rate"], device, 10.0).vacancy.max_hop_rate_Hz == pytest.approx(250.0)
    free = small_device({"vacancy.max_hop_rate_Hz": None})
    assert forming_device(TRENDS["ramp-rate"], free, 10.0).vacancy.max_hop_rate_Hz is None


def test_a_device_that_cannot_form_is_refused():
    read = {"kind": "read", "voltage_V": 0.1, "repeats": 1, "interval_s": 1.0}
    with pytest.raises(DeviceFileError, match="needs a sweep"):
        measure(TRENDS["thickness"], small_device({"drive": read}), [1])
    sweep = {"kind": "sweep", "ramp_rate_V_per_s": 1.0, "stages": [{"name": "up", "stop_V": 1.0}]}
    with pytest.raises(DeviceFileError, match="needs a compliance"):
        measure(TRENDS["thickness"], small_device({"drive": sweep}), [1])


@pytest.mark.slow
def test_processes_give_what_one_process_gives():
    device = small_device({"drive.step_V": 0.5, "drive.ramp_rate_V_per_s": 50.0})
    trend, seen = replace(TRENDS["temperature"], quantity="E_total_J"), []
    several = measure(trend, device, [2, 1], workers=2, on_done=lambda *done: seen.append(done))
    alone = measure(trend, device, [2, 1], workers=1)
    assert several == alone
    assert [point.value for point in alone] == [300.0, 400.0]
    assert len({result for point in alone for result in point.results}) == 4
    expected = [(point.value, seed, point.results[index]) for point in alone for index, seed in enumerate((2, 1))]
    assert sorted(seen) == sorted(expected)


def test_statistics_leave_out_what_did_not_occur():
    point = Point(3.0, (2.0, None, 4.0))
    assert (point.n, point.mean, point.std) == (2, 3.0, pytest.approx(math.sqrt(2.0)))
    nothing = Point(3.0, (None,))
    assert nothing.n == 0
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.std)


def test_a_trend_follows_when_every_mean_goes_the_right_way():
    rising = [Point(5.0, (2.0, 2.2)), Point(3.0, (1.0, 1.4)), Point(7.0, (3.0, None))]
    assert follows(TRENDS["thickness"], rising)
    assert not follows(TRENDS["temperature"], rising)
    assert not follows(TRENDS["thickness"], [*rising, Point(9.0, (2.9,))])
    assert not follows(TRENDS["thickness"], [*rising, Point(9.0, (None,))])


def test_the_table_is_written(tmp_path):
    write_csv(tmp_path / "t.csv", [(TRENDS["thickness"], [Point(3.0, (1.5, None, 2.5))])])
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(COLUMNS)
    expected = ["thickness", "oxide thickness, nm", "3", "V_form_V", "2", "2", "0.707107", "1.5 - 2.5"]
    assert rows[1] == expected


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_the_script_runs_a_trend_and_writes_its_table(tmp_path):
    device = tmp_path / "small.toml"
    device.write_text(small_device().to_toml())
    settings = ["--device", str(device), "--set", "drive.step_V=0.5", "--set", "drive.ramp_rate_V_per_s=50.0"]
    result = run_script("--trend", "temperature", "--seeds", "1", *settings, "--out", str(tmp_path / "t.csv"))
    assert result.returncode in (0, 1), result.stderr  # whether a small device follows is another question
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trend"], row["value"]) for row in rows] == [("temperature", "300"), ("temperature", "400")]
    assert "mean V_form_V" in result.stdout


def test_the_script_names_the_trends_there_are():
    result = run_script("--trend", "nothing")
    assert result.returncode == 2
    assert "ramp-rate" in result.stderr
    missing = run_script("--device", "nothing.toml")
    assert missing.returncode == 2
    assert "no such file" in missing.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", DIRECTIONS)
def test_ensemble_means_go_the_expected_way(name):
    points = measure(TRENDS[name], ionsim.load(EXAMPLE), SLOW_SEEDS, workers=2)
    table = [(point.value, point.mean, point.std, point.results) for point in points]
    assert all(point.n == len(SLOW_SEEDS) for point in points), f"a device did not form: {table}"
    assert follows(TRENDS[name], points), table
