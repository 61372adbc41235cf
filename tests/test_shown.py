"""What objects print in a terminal: a line or a few, whatever they hold."""

import pytest
from resume_devices import DEVICES

import ionsim
from ionsim.config import example_files


def short(shown):
    lines = str(shown).splitlines()
    return len(lines) <= 3 and max(map(len, lines)) <= 200


@pytest.mark.parametrize("name", example_files())
def test_a_device_is_two_lines(name):
    device = ionsim.load(name)
    shown = repr(device)
    assert str(device) == shown
    assert short(shown)
    for told in (repr(device.name), device.family, f"seed {device.seed}", device.drive.kind):
        assert told in shown
    assert all(material in shown for _, material in device.material_keys())


@pytest.mark.parametrize("name", ["vcm_crystal", "pcm_3d"])
def test_a_run_and_its_parts_are_short(tmp_path, name):
    run = ionsim.Simulation(DEVICES[name][0](), seed=7).run(tmp_path / "out")
    rows = len(run.series["time_s"])
    shown = repr(run)
    assert short(shown)
    for told in (repr(run.name), run.family, "seed 7", "complete", f"{rows} points", *run.stages, "virgin"):
        assert told in shown
    for table in (run.iv(), run.transient()):
        assert len(repr(table)) < 600
        assert f"{rows} rows: stage, " in repr(table)
    for label, snapshot in run.snapshots.items():
        assert len(repr(snapshot)) < 1000
        assert repr(label) in repr(snapshot)
    assert len(repr(run.cut("virgin"))) < 1000
    if run.sites is not None:
        assert short(run.sites)
        assert f"{len(run.sites.positions_nm)} sites" in shown
        assert short(run.filament("virgin"))


def test_the_version_is_printed(command):
    result = command("--version")
    assert (result.code, result.out) == (0, f"ionsim {ionsim.__version__}\n")
