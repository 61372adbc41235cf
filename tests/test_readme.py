"""The README says what is true: its script runs, its commands and links exist."""

import re
from pathlib import Path

import pytest
from small_device import small_device
from typer.main import get_command

import ionsim
from ionsim.cli import app

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
#: Drawn from a run of the main example, which takes longer than a test may.
PICTURE = "docs/pictures/hfo2_ti_bipolar.png"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_script_runs(tmp_path, monkeypatch, capsys):
    (script,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 10
    device = small_device()
    monkeypatch.setattr(ionsim, "load", lambda name: {"hfo2_ti_bipolar": device}[name])
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "README.md", "exec"), {})
    assert "vacancies in the formed state" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").glob("*.png")} >= {"iv.png", "transient.png", "filament.png"}


def test_the_table_has_every_command_with_options_that_exist():
    commands = get_command(app).commands
    rows = re.findall(r"^\| `ionsim (\w+)([^`]*)` \|", TEXT, flags=re.MULTILINE)
    assert {name for name, _ in rows} == set(commands)
    for name, rest in rows:
        command = commands[name]
        if group := getattr(command, "commands", None):
            command = group[rest.split()[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http", "mailto"))]
    missing = [link for link in local if not (page.parent / link).exists()]
    assert [link for link in missing if link != PICTURE] == []
