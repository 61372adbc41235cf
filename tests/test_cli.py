"""The command line: thin, one message for bad input, one voice under mpiexec."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ionsim
from ionsim import verification
from ionsim.cli.devices import about
from ionsim.config import example_files, example_times
from ionsim.errors import IonsimError
from ionsim.results import RUN_FILE, Recorder, Run, claim
from ionsim.verification import Record

EXAMPLE = "hfo2_ti_bipolar"


class FakeSimulation:
    """Stands in for the run loop: writes a small finished run at once."""

    def __init__(self, device, seed):
        self.device, self.seed = device, seed

    def run(self, out, force, progress, stop):
        record = Recorder(
            name=self.device.name, family="vcm", seed=self.seed, input_toml=self.device.to_toml(), stages=("forming",)
        )
        record.sample(time_s=0.0, voltage_V=0.0, device_V=0.0, current_A=0.0, stage=0)
        record.summary = {"V_form_V": 2.5, "V_set_V": None, "n_events": 12}
        record.status = "complete"
        record.write(claim(out, force=force))
        return Run.open(out)


@pytest.fixture
def fake_run(monkeypatch):
    monkeypatch.setattr(ionsim, "Simulation", FakeSimulation, raising=False)
    monkeypatch.setattr(Run, "plot", lambda self: [self.folder / "iv.png"])


def test_examples_are_listed(command):
    result = command("examples")
    assert result.code == 0
    assert re.search(rf"^{EXAMPLE} +\d+ (s|min) +5 nm HfO2", result.out, re.MULTILINE)


def test_every_example_has_a_time(command):
    times = example_times()
    assert set(times) == set(example_files()), "run python scripts/example_times.py --unknown"
    assert min(time.time_s for time in times.values()) > 0.0
    said = command("examples").out
    assert len(re.findall(r"^\w+ +(?:> )?\d+ (?:s|min) ", said, re.MULTILINE)) == len(times)


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(3.0, "10 s"), (24.0, "20 s"), (54.0, "50 s"), (70.0, "1 min"), (342.0, "6 min"), (2400.0, "40 min")],
)
def test_times_are_rough(time_s, text):
    assert about(time_s) == text


def test_an_example_is_copied_but_never_over_a_file(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("examples", "--copy", EXAMPLE).code == 0
    copy = tmp_path / f"{EXAMPLE}.toml"
    assert ionsim.load(copy) == ionsim.load(EXAMPLE)
    copy.write_text("mine")
    again = command("examples", "--copy", EXAMPLE)
    assert (again.code, copy.read_text()) == (2, "mine")
    assert "exists already" in again.err
    assert "did you mean" in command("examples", "--copy", "hfo2_ti_bipolr").err


def test_check_says_what_a_file_holds(command):
    result = command("check", EXAMPLE, "--set", "drive.stages=[{name='up', stop_V=2}]")
    assert result.code == 0
    assert "valid vcm device" in result.out
    assert "stages up, up to 4 s" in result.out
    assert "TiN, HfO2, Ti" in result.out


def test_a_bad_override_gives_exit_code_2(command):
    for override, fragment in [
        ("vacancy.charge=1", "did you mean 'charge_e'"),
        ("vacancy.charge_e=many", 'vacancy.charge_e = "many"'),
        ("vacancy", "must be KEY=VALUE"),
        ("drive.stages.9.stop_V=1", "an index from 0 to 2"),
    ]:
        result = command("check", EXAMPLE, "--set", override)
        assert result.code == 2
        assert fragment in result.err
        assert result.out == ""


def test_cite_leaves_no_source_blank(command):
    result = command("cite", EXAMPLE, "--set", "vacancy.charge_e=1")
    assert result.code == 0
    header, *lines = result.out.splitlines()
    start = header.index("source")
    sources = {line.split()[0]: line[start:].strip() for line in lines}
    assert all(sources.values())
    assert sources["vacancy.charge_e"] == "user input"
    assert sources["materials.HfO2.capacity_J_per_m3K"].startswith("CRC")


def test_run_takes_seed_and_overrides_and_prints_the_summary(command, tmp_path, fake_run):
    result = command("run", EXAMPLE, "--out", tmp_path / "o", "--seed", 7, "--set", "layers.oxide.thickness_nm=6.5")
    assert result.code == 0, result.err
    assert "V_form_V  2.5" in result.out
    assert "V_set_V   -" in result.out
    run = ionsim.open_run(tmp_path / "o")
    assert run.seed == 7
    assert "thickness_nm = 6.5" in run.input_toml
    again = command("run", EXAMPLE, "--out", tmp_path / "o")
    assert again.code == 2
    assert "--force replaces it" in again.err
    assert command("run", EXAMPLE, "--out", tmp_path / "o", "--force").code == 0
    assert ionsim.open_run(tmp_path / "o").seed == ionsim.load(EXAMPLE).seed


def test_a_bad_file_leaves_no_folder_behind(command, tmp_path, fake_run):
    result = command("run", EXAMPLE, "--out", tmp_path / "o", "--set", "ambient_K=-1")
    assert result.code == 2
    assert not (tmp_path / "o").exists()


def test_info_and_plot(command, tmp_path, fake_run):
    command("run", EXAMPLE, "--out", tmp_path)
    info = command("info", tmp_path)
    assert info.code == 0
    assert "complete" in info.out
    assert "n_events  12" in info.out
    assert command("plot", tmp_path).out.strip() == str(tmp_path / "iv.png")


@pytest.mark.parametrize("arguments", [["info"], ["plot"]])
def test_a_folder_without_a_run_gives_exit_code_2(arguments, command, tmp_path):
    result = command(*arguments, tmp_path)
    assert result.code == 2
    assert RUN_FILE in result.err


@pytest.mark.parametrize(
    "arguments", [["run", EXAMPLE], ["nonsense"], ["check"], ["run", EXAMPLE, "--out", "o", "--seed", "-1"]]
)
def test_usage_errors_give_exit_code_2(arguments, command):
    assert command(*arguments).code == 2


def failing() -> list[Record]:
    raise IonsimError("did not converge")


CASES = {
    "good": lambda: [Record.below("error", 1e-12, 1e-10, "V"), Record("cells", 64)],
    "bad": lambda: [Record.above("order", 1.1, 1.9)],
    "broken": failing,
}


@pytest.fixture
def fake_cases(monkeypatch):
    monkeypatch.setattr(verification, "cases", lambda: CASES)


def test_verify_prints_a_table_and_fails_when_a_case_does(command, fake_cases):
    good = command("verify", "--case", "good")
    assert good.code == 0
    assert [word in good.out for word in ("good", "error", "1e-12 V", "1e-10", "yes")] == [True] * 5
    bad = command("verify")
    assert bad.code == 1
    assert "NO" in bad.out
    assert "did not converge" in bad.out


def test_verify_prints_one_json_list(command, fake_cases):
    result = command("verify", "--json")
    assert result.code == 1
    records = json.loads(result.out)
    assert records[0] == {"name": "good: error", "value": 1e-12, "unit": "V", "limit": 1e-10, "passed": True}
    assert records[1]["passed"] is None
    assert records[1]["limit"] is None
    assert records[3]["value"] is None
    assert records[3]["passed"] is False


def test_an_unknown_case_gets_the_nearest_name(command, fake_cases):
    result = command("verify", "--case", "goood")
    assert result.code == 2
    assert "did you mean 'good'" in result.err


def test_all_modules_of_verification_are_registered():
    folder = Path(verification.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    verification.cases()
    assert {name.rpartition(".")[2] for name in sys.modules if name.startswith("ionsim.verification.")} >= modules


def test_only_rank_0_speaks_under_mpiexec():
    mpiexec = Path(sys.executable).with_name("mpiexec")
    if not mpiexec.exists():
        pytest.skip("no mpiexec next to this Python")
    for arguments, stream, code in [(["check", EXAMPLE], "stdout", 0), (["check", "nothing"], "stderr", 2)]:
        result = subprocess.run(
            [mpiexec, "-n", "2", sys.executable, "-m", "ionsim.cli", *arguments],
            capture_output=True, text=True, timeout=120, check=False, env=os.environ,
        )  # fmt: skip
        assert result.returncode == code
        needle = "valid vcm device" if code == 0 else "no such file"
        assert getattr(result, stream).count(needle) == 1
