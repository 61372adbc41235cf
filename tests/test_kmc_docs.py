"""The examples of the pages on kmc run and show what their text says."""

import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

PAGE = Path(__file__).parents[1] / "docs" / "kmc.md"


def test_the_example_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile(block, str(PAGE), "exec"), names)
    engine, sites = names["engine"], names["sites"]
    assert engine.time_s == 2e-5
    assert engine.number("ion") + engine.reservoir("cathode") == round(0.05 * len(sites))
    assert engine.reservoir("cathode") == engine.counts["reduce"] - engine.counts["oxidise"] > 0
    heights = sites.positions_nm[engine.occupation == 1, 2]
    assert heights.mean() < np.mean(sites.positions_nm[:, 2]) - 0.3  # they drifted down
    printed = capsys.readouterr().out
    assert f"{engine.n_events} events" in printed
    assert f"{engine.reservoir('cathode')} in the reservoir" in printed


def test_a_new_model_takes_25_lines(tmp_path, monkeypatch):
    """A and B order: their neighbours are unlike far more often than in a random mixture."""
    monkeypatch.chdir(tmp_path)
    page = PAGE.parent / "kmc-new-model.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 25
    names: dict = {}
    exec(compile(block, str(page), "exec"), names)
    assert names["bonds"][0] < 0.4
    assert names["bonds"][-1] > 0.6
    assert [names["engine"].number(species) for species in ("A", "B")] == [1440, 1440]
    assert (tmp_path / "two_species.png").stat().st_size > 10_000


def test_the_cases_that_the_page_names_exist():
    folder = PAGE.parents[1] / "ionsim" / "verification"
    registered = {
        name for path in folder.glob("*.py") for name in re.findall(r'@case\(\s*"([^"]+)"', path.read_text("utf-8"))
    }
    section = PAGE.read_text(encoding="utf-8").partition("## What is verified")[2].partition("## ")[0]
    named = set(re.findall(r"`([a-z][a-z0-9]*(?:-[a-z0-9]+)*)`", section))
    assert len(named) == 19
    assert named <= registered
