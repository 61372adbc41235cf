"""The page of all keys of a device file is up to date, and its example is a device."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import ionsim
from ionsim.config import Device, EcmDevice, EcramDevice, PcmDevice, VcmDevice, schema

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "device-file.md"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "device_reference.py"
    spec = importlib.util.spec_from_file_location("device_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script):
    written = PAGE.read_text(encoding="utf-8") == script.page()
    written &= script.ECM_PAGE.read_text(encoding="utf-8") == script.page(EcmDevice)
    written &= script.PCM_PAGE.read_text(encoding="utf-8") == script.page(PcmDevice)
    written &= script.ECRAM_PAGE.read_text(encoding="utf-8") == script.page(EcramDevice)
    assert written, "run python scripts/device_reference.py"


def test_every_key_has_a_row_with_its_unit(script):
    rows = {}
    for _, _, section, prefix in script.tables():
        for name, field in section.model_fields.items():
            rows.setdefault(f"{prefix}{name}", []).append(script._row(prefix, name, field))
    assert {key for key in schema.key_paths(VcmDevice) if not key.endswith(".*")} == set(rows)
    assert rows["vacancy.attempt_Hz"][0][:3] == ("`attempt_Hz`", "Hz", "`1e13`")
    assert rows["lattice.crystal"][0][3] == 'one of `"cubic"`, `"tetragonal"`, `"monoclinic"`'
    assert rows["layers.oxide.thickness_nm"][0][2:4] == ("*required*", "above 0.2, to 1000")
    assert rows["layers"] == [None]  # a table of its own


def first_device():
    """The device file at the top of the page."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return Device.from_toml(text)


def test_the_first_file_is_a_device():
    device = first_device()
    assert device.name == "my_device"
    assert [stage.name for stage in device.drive.stages] == ["forming", "reset"]


@pytest.mark.slow
def test_the_first_file_forms_and_resets_as_the_page_says(tmp_path):
    run = ionsim.Simulation(first_device(), seed=1).run(tmp_path / "out")
    assert run.summary["V_form_V"] == pytest.approx(2.0, abs=0.4)
    assert run.summary["V_reset_V"] < 0.0
    assert run.summary["on_off_ratio"] > 2.0


def test_the_check_says_when_the_page_is_old(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(script, "ECM_PAGE", tmp_path / "ecm.md")
    monkeypatch.setattr(script, "PCM_PAGE", tmp_path / "pcm.md")
    monkeypatch.setattr(script, "ECRAM_PAGE", tmp_path / "ecram.md")
    with pytest.raises(SystemExit) as stop:
        script.main(check=True)
    assert stop.value.code == 1
    assert "not up to date" in capsys.readouterr().err
    script.main()
    script.main(check=True)  # no SystemExit now
