"""The page of a study: what is on it, what it says where something is missing; a browser shows it."""


import numpy as np
import pytest
from browser import browser, executable, is_drawn, opened
from test_report import data_of

from ionsim.config import load
from ionsim.report import report
from ionsim.report.spread import stochasticity
from ionsim.study import Plan, Record, StudyFolder
from ionsim.study.description import parse

pytest.importorskip("plotly")

needs_browser = pytest.mark.skipif(executable() is None, reason="no Chromium here")

STUDY = """name = "formed"
base = "hfo2_ti_bipolar"
observables = ["V_form_V", "R_LRS_ohm", "R_HRS_ohm"]
{more}
[[parameters]]
key = "mesh.domain_width_nm"
{values}
[[parameters]]
key = "ambient_K"
{others}
"""


def study_folder(path, more="", values="values = [10, 20, 40]", others="values = [300.0, 400.0]", left=0):
    """A study whose runs were never run: records as they would be, the first one failed, the last ``left`` missing."""
    text = STUDY.format(more=more, values=values, others=others)
    plan = Plan(parse(text, "study.toml"), load("hfo2_ti_bipolar"), text)
    folder = StudyFolder.create(plan, path)
    for task in plan.tasks[: len(plan.tasks) - left]:
        width, ambient = (float(value) for value in task.values)
        found = {"V_form_V": 2.0 + 1.0 / width + 0.001 * ambient, "R_LRS_ohm": 1e3 + task.index,
                 "R_HRS_ohm": 1e5 + width}  # fmt: skip
        failed = task is plan.tasks[0] and not more
        record = Record(task.index, task.point, task.seed, task.model, "failed" if failed else "complete",
                        plan.inputs(task.values), {} if failed else found, error="heat <ran> away" if failed else None,
                        versions={"ionsim": "0"}, wall_time_s=None if failed else 1.0)  # fmt: skip
        record.write(folder.of(task))
    return folder


def test_the_page_of_a_study(tmp_path):
    folder = study_folder(tmp_path / "study", left=1)
    page = report(folder.path)
    text, data = page.read_text(encoding="utf-8"), data_of(page)
    assert set(data) == {"device", "effects", "distributions", "explore"}
    assert "heat &lt;ran&gt; away" in text
    assert "1 of 6 runs have not been carried out" in text
    assert "1 of 6 runs failed" in text
    assert len(data["explore"]["columns"]["V_form_V"]) == 4
    assert page.stat().st_size < 15e6


def test_a_study_that_has_not_run_says_so(tmp_path):
    folder = study_folder(tmp_path / "study", left=6)
    text = report(folder.path).read_text(encoding="utf-8")
    assert "There is nothing to draw" in text
    assert "No run of the study has been carried out yet" in text


def test_a_mesh_study_and_a_sobol_study_have_their_tables(tmp_path):
    mesh = study_folder(tmp_path / "mesh", more='mesh = ["mesh.domain_width_nm"]')
    assert {"convergence"} <= set(data_of(report(mesh.path)))
    pytest.importorskip("SALib")
    ranges = {"values": "low = 10.0\nhigh = 40.0", "others": "low = 300.0\nhigh = 400.0"}
    sobol = study_folder(tmp_path / "sobol", more='design = "saltelli"\nsamples = 8', **ranges)
    assert {"sobol"} <= set(data_of(report(sobol.path)))
    assert "8 of 8" in (sobol.path / "report.html").read_text(encoding="utf-8")


def test_stochasticity_is_that_of_its_definition():
    from ionsim.plots.studies import Runs

    high, low = np.array([1e5, 3e5, 2e5]), np.array([1e3, 2e3, 1.5e3])
    runs = Runs({}, {"R_HRS_ohm": high, "R_LRS_ohm": low}, [""] * 3)
    off, on = np.log(high), np.log(low)
    assert stochasticity(runs) == pytest.approx(2 * (off.std(ddof=1) + on.std(ddof=1)) / (off.mean() - on.mean()))


@needs_browser
@pytest.mark.slow
def test_a_browser_shows_a_study(tmp_path):
    pytest.importorskip("playwright")
    folder = study_folder(tmp_path / "study")
    with browser() as chromium, opened(chromium, report(folder.path)) as page:
        assert page.errors == []
        select = page.page.locator("#figure-explore select")
        select.nth(1).select_option("R_HRS_ohm")
        title = page.page.evaluate("document.querySelector('[data-figure=explore]').layout.yaxis.title.text")
        assert title == "R_HRS_ohm"
        for name in ("effects", "distributions", "explore"):
            assert is_drawn(page.picture(f'[data-figure="{name}"]'))
        assert page.errors == []
