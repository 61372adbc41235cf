"""What is made of a study's table: order of convergence, grid-convergence index, Sobol indices."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ionsim.config import load
from ionsim.errors import StudyError
from ionsim.plots.studies import Runs, distributions_figure, effects_figure
from ionsim.study import Plan, Record, StudyFolder, make_plan
from ionsim.study.answers import answers
from ionsim.study.convergence import DOUBTFUL_SAFETY, FORMAL_ORDER, SAFETY, converge, finest, mesh_rows
from ionsim.study.description import parse
from ionsim.study.pictures import drawn
from ionsim.study.sensitivity import lines, sensitivity
from ionsim.study.table import columns

ROOT = Path(__file__).parents[1]
HEAD = 'name = "s"\nbase = "hfo2_ti_bipolar"\nobservables = ["V_form_V"]\n'


def plan_of(text):
    return Plan(parse(text, "study.toml"), load("hfo2_ti_bipolar"), text)


def records_of(plan, value):
    """Complete runs of a plan, of which ``value(task)`` is the observable."""
    return [
        Record(task.index, task.point, task.seed, task.model, "complete", plan.inputs(task.values),
               {"V_form_V": value(task)}, wall_time_s=1.0)
        for task in plan.tasks
    ]  # fmt: skip


def table_of(plan, records):
    return columns(records, plan.study.columns, plan.study.observables)


# -- convergence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0.5, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("sizes", [(1.0, 2.0, 4.0), (1.0, 1.3, 3.1), (0.7, 1.9, 2.2), (1.0, 1.1, 4.0)])
@pytest.mark.parametrize("amplitude", [0.3, -0.02])
def test_order_limit_and_index_of_an_exact_power_law(order, sizes, amplitude):
    values = [5.0 + amplitude * h**order for h in sizes]
    found = converge(sizes, values)
    assert found.verdict == "monotonic"
    assert found.order == pytest.approx(order, rel=1e-9)
    assert found.extrapolated == pytest.approx(5.0, abs=1e-10)
    # what is left on the finest mesh is known here: the index is the factor of safety times it
    assert found.uncertainty == pytest.approx(SAFETY * abs(values[0] - 5.0), rel=1e-8)
    assert found.gci == pytest.approx(found.uncertainty / values[0], rel=1e-12)
    assert converge(sizes[::-1], values[::-1]) == found


def test_the_worked_examples_of_celik():
    """Table 1 of Celik et al. 2008, from the numbers of cells: order, limit and index as printed there."""
    one = converge([1.0 / math.sqrt(n) for n in (18000, 8000, 4500)], (6.063, 5.972, 5.863))
    assert (round(one.order, 2), round(one.extrapolated, 4), round(100 * one.gci, 1)) == (1.53, 6.1685, 2.2)
    cells = [1.0 / math.sqrt(n) for n in (18000, 4500, 980)]
    two = converge(cells, (10.7880, 10.7250, 10.6050))
    assert (round(two.order, 2), round(two.extrapolated, 4), round(100 * two.gci, 1)) == (0.75, 10.8801, 1.1)
    three = converge(cells, (6.0042, 5.9624, 6.0909))
    assert (three.verdict, round(three.order, 2), three.extrapolated) == ("oscillatory", 1.51, None)


def test_an_error_of_alternating_sign_is_oscillatory_and_has_no_limit():
    sizes = (1.0, 1.4, 2.5)
    found = converge(sizes, [2.0 + 0.1 * sign * h**1.5 for sign, h in zip((1, -1, 1), sizes, strict=True)])
    assert (found.verdict, found.extrapolated) == ("oscillatory", None)
    assert found.order == pytest.approx(1.5, rel=1e-9)
    assert found.uncertainty >= 0.5 * (0.1 * 2.5**1.5 + 0.1 * 1.4**1.5) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((1.0, 1.2, 1.3), "not converging"),
        ((1.0, 1.1, 1.2), "not converging"),
        ((1.0, 1.2, 1.1), "oscillating, not converging"),
        ((1.0, 1.0, 1.0), "no change"),
        ((1.0, 1.0, 1.2), "fine meshes agree"),
        ((0.0, 0.0, 0.0), "no change"),
    ],
)
def test_what_does_not_converge_is_said_and_gets_no_order(values, verdict):
    found = converge((1.0, 2.0, 4.0), values)
    assert (found.verdict, found.order, found.extrapolated) == (verdict, None, None)


def test_whether_differences_shrink_depends_on_the_ratios():
    """Differences that grow towards fine meshes may converge, when the coarse meshes are closer together."""
    sizes = (1.0, 3.0, 3.3)
    values = [1.0 + 0.1 * h for h in sizes]
    assert values[1] - values[0] > values[2] - values[1]
    assert converge(sizes, values).order == pytest.approx(1.0, rel=1e-9)


def test_an_order_above_that_of_the_elements_does_not_shrink_the_index():
    found = converge((1.0, 2.0, 4.0), [1.0 + 1e-3 * h**5 for h in (1.0, 2.0, 4.0)])
    assert found.order == pytest.approx(5.0)
    assert found.uncertainty == pytest.approx(DOUBTFUL_SAFETY * 31e-3 / (2.0**FORMAL_ORDER - 1.0))


MESH = '[[parameters]]\nkey = "mesh.domain_width_nm"\nvalues = [10, 20, 40, 80]\n'
OTHER = '[[parameters]]\nkey = "ambient_K"\nvalues = [300.0, 400.0]\n'


def _power(task):
    size, kelvin = task.values
    return kelvin + 2.0 * size**1.5


def test_a_mesh_study_has_a_row_for_each_three_meshes_and_other_input():
    plan = plan_of(HEAD + 'mesh = ["mesh.domain_width_nm"]\n' + MESH + OTHER)
    rows = mesh_rows(plan, table_of(plan, records_of(plan, _power)), ["V_form_V"])
    finest_sizes = [(row.inputs["ambient_K"], row.found.sizes[0]) for row in rows]
    assert finest_sizes == [(300, 20), (300, 10), (400, 20), (400, 10)]
    assert [round(row.found.order, 9) for row in rows] == [1.5] * 4
    assert [round(row.found.extrapolated, 6) for row in finest(rows)] == [300.0, 400.0]


def test_a_mesh_study_by_a_count_of_parts():
    parts = MESH.replace("mesh.domain_width_nm", "continuum.divide").replace("10, 20, 40, 80", "1, 2, 3")
    plan = plan_of(HEAD + 'mesh = ["continuum.divide"]\nmesh_counts = true\n' + parts)
    (row,) = mesh_rows(plan, table_of(plan, records_of(plan, lambda task: 5.0 + task.values[0] ** -2.0)), ["V_form_V"])
    assert row.found.sizes == (1 / 3, 1 / 2, 1)
    assert (row.found.order, row.found.extrapolated) == (pytest.approx(2.0), pytest.approx(5.0))


def test_a_mesh_that_failed_is_left_out_and_named():
    plan = plan_of(HEAD + 'mesh = ["mesh.domain_width_nm"]\n' + MESH + OTHER)
    records = records_of(plan, _power)
    records[0] = replace(records[0], status="failed", error="no convergence", observables={})
    cold, hot = finest(mesh_rows(plan, table_of(plan, records), ["V_form_V"]))
    assert (cold.found.sizes, hot.found.sizes) == ((20, 40, 80), (10, 20, 40))
    assert cold.note == "left out: mesh.domain_width_nm = 10 failed: no convergence"
    records[2] = replace(records[2], observables={"V_form_V": None})
    cold, hot = finest(mesh_rows(plan, table_of(plan, records), ["V_form_V"]))
    assert cold.verdict == "too few meshes"
    assert "20 is complete without V_form_V" in cold.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('mesh = ["mesh.domain_width"]\n' + MESH, "mesh.0 = .*no key of a parameter"),
        ("mesh_counts = true\n" + MESH, "mesh_counts .*needs mesh"),
        ('mesh = ["ambient_K"]\n' + MESH + OTHER, "mesh.0 .*three different values"),
        ('mesh = ["mesh.domain_width_nm", "ambient_K"]\n' + MESH + OTHER, "design .*'list'"),
        ('design = "saltelli"\nsamples = 7\n[[parameters]]\nkey = "ambient_K"\nlow = 300\nhigh = 400\n', "take 4 or 8"),
        ('design = "saltelli"\npoints = 8\n[[parameters]]\nkey = "ambient_K"\nlow = 300\nhigh = 400\n',
         "samples: missing"),
        ("samples = 8\n" + MESH, "samples = 8: not with the design 'grid'"),
    ],
)  # fmt: skip
def test_bad_mesh_and_sensitivity_studies_are_refused(text, message):
    with pytest.raises(StudyError, match=message):
        parse(HEAD + text, "study.toml")


# -- sensitivity --------------------------------------------------------------------------------------------------

SALTELLI = HEAD + 'design = "saltelli"\nsamples = {}\n' + "".join(
    f'[[parameters]]\nkey = "{key}"\nlow = 1.0\nhigh = 2.0\n'
    for key in ("layers.top.thickness_nm", "layers.cap.thickness_nm", "layers.oxide.thickness_nm")
)  # fmt: skip


def ishigami(task):
    """Ishigami and Homma 1990, on the ranges of the study: x from -pi to pi."""
    x1, x2, x3 = (math.pi * (2.0 * (value - 1.0) - 1.0) for value in task.values)
    return math.sin(x1) + 7.0 * math.sin(x2) ** 2 + 0.1 * x3**4 * math.sin(x1)


def exact_ishigami(a=7.0, b=0.1):
    """First-order and total indices, from the variance's exact decomposition."""
    v1 = 0.5 * (1.0 + b * math.pi**4 / 5.0) ** 2
    v2, v13 = a**2 / 8.0, b**2 * math.pi**8 * (1.0 / 18.0 - 1.0 / 50.0)
    whole = v1 + v2 + v13
    return np.array([v1, v2, 0.0]) / whole, np.array([v1 + v13, v2, v13]) / whole


def test_sobol_indices_of_the_ishigami_function():
    pytest.importorskip("SALib")
    plan = plan_of(SALTELLI.format(1024))
    assert len(plan.points) == plan.n_runs == 1024 * 5
    (found,) = sensitivity(plan, table_of(plan, records_of(plan, ishigami)), "V_form_V")
    first, total = exact_ishigami()
    assert np.array([index.first for index in found.indices]) == pytest.approx(first, abs=0.02)
    assert np.array([index.total for index in found.indices]) == pytest.approx(total, abs=0.02)
    for index, one, all_of_it in zip(found.indices, first, total, strict=True):
        assert index.first_interval[0] < one < index.first_interval[1]
        assert index.total_interval[0] <= all_of_it + 1e-3
        assert all_of_it < index.total_interval[1] + 1e-3
        assert 0.0 < index.first_interval[1] - index.first_interval[0] < 0.3
    assert (found.n_used, found.left_out, found.seed_share) == (1024, (), None)


def test_a_point_that_failed_takes_its_base_sample_out_and_is_named():
    pytest.importorskip("SALib")
    plan = plan_of(SALTELLI.format(64))
    records = records_of(plan, ishigami)
    records[7] = replace(records[7], status="failed", error="too hot", observables={})
    records[8] = replace(records[8], observables={"V_form_V": None})
    del records[-1]
    (found,) = sensitivity(plan, table_of(plan, records), "V_form_V")
    assert (found.n_used, found.n_samples, len(found.left_out)) == (62, 64, 3)
    said = "\n".join(lines(found))
    assert "2 base samples with 3 points" in said
    assert "point 8 failed: too hot; point 9 is complete without V_form_V; point 320 has not run" in said
    kept = [record for record in records_of(plan, ishigami) if record.point in {*range(1, 6), *range(11, 316)}]
    assert len(kept) == 310
    # the same as of a study that never had them
    values = np.array([record.observables["V_form_V"] for record in kept])
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    with pytest.raises(StudyError, match="1 of 64 base samples are complete"):
        sensitivity(plan, table_of(plan, records[:5]), "V_form_V")


def test_a_point_counts_when_all_its_seeds_have_a_value():
    pytest.importorskip("SALib")
    plan = plan_of(SALTELLI.format(8).replace("design =", "seeds = [3, 1]\ndesign ="))
    records = records_of(plan, lambda task: ishigami(task) + 0.1 * (task.seed - 2))
    there = answers(plan, table_of(plan, records), "V_form_V")
    assert there[0].mean == pytest.approx(ishigami(plan.tasks[0]))
    (found,) = sensitivity(plan, table_of(plan, records), "V_form_V")
    assert found.seed_share == pytest.approx(0.5 * 0.02 / found.deviation**2)
    records[1] = replace(records[1], observables={"V_form_V": None})
    first = answers(plan, table_of(plan, records), "V_form_V")[0]
    assert (first.mean, first.problem) == (None, "seed 3 is complete without V_form_V")


def test_sobol_indices_need_their_design_and_something_that_varies():
    plan = plan_of(HEAD + OTHER)
    with pytest.raises(StudyError, match="need the design 'saltelli'"):
        sensitivity(plan, table_of(plan, records_of(plan, lambda task: 1.0)), "V_form_V")
    pytest.importorskip("SALib")
    plan = plan_of(SALTELLI.format(8))
    with pytest.raises(StudyError, match="no variance"):
        sensitivity(plan, table_of(plan, records_of(plan, lambda task: 1.0)), "V_form_V")


# -- commands -----------------------------------------------------------------------------------------------------


def folder_of(tmp_path, text, value, failed=()):
    """The folder of a study whose runs have left ``value(task)``, as its engines leave it."""
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    folder = StudyFolder.create(make_plan(path), tmp_path / "out")
    for task, record in zip(folder.plan.tasks, records_of(folder.plan, value), strict=True):
        broken = replace(record, status="failed", error="too hot", observables={})
        (broken if task.index in failed else record).write(folder.of(task))
    return folder.path


def test_a_mesh_study_on_disk(tmp_path, command):
    text = HEAD + 'mesh = ["mesh.domain_width_nm"]\n' + MESH.replace("80", "80, 160") + OTHER
    out = folder_of(tmp_path, text, _power, failed=(1,))
    result = command("study-convergence", out)
    assert result.code == 0, result.err
    assert "left out: mesh.domain_width_nm = 10 failed: too hot" in result.out
    with open(out / "convergence.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["size_fine"]) for row in rows] == [40, 20, 40, 20, 10]
    assert [float(row["order"]) for row in rows] == pytest.approx([1.5] * 5, rel=1e-9)
    assert [float(row["extrapolated"]) for row in rows] == pytest.approx([300, 300, 400, 400, 400], rel=1e-9)
    drawn = command("study-plot", out)
    assert drawn.code == 0, drawn.err
    assert {path.name for path in out.glob("*.png")} == {
        "effects.png", "pairs.png", "distributions.png", "convergence.png",
    }  # fmt: skip
    wrong = command("study-convergence", out, "--observable", "V_from_V")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'V_form_V'" in wrong.err
    assert "need the design 'saltelli'" in command("study-sensitivity", out).err


def test_a_sensitivity_study_on_disk(tmp_path, command):
    pytest.importorskip("SALib")
    out = folder_of(tmp_path, SALTELLI.format(32), ishigami, failed=(3,))
    result = command("study-sensitivity", out, "--observable", "V_form_V")
    assert result.code == 0, result.err
    assert "31 of 32 base samples" in result.out
    assert "point 3 failed: too hot" in result.out
    with open(out / "sobol.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["parameter"].split(".")[1] for row in rows] == ["top", "cap", "oxide"]
    assert all(float(row["total_low"]) < float(row["total_high"]) for row in rows)
    assert command("study-plot", out).code == 0
    assert (out / "sobol.png").stat().st_size > 5000
    assert "mesh = " in command("study-convergence", out).err


def test_distributions_count_runs_in_which_nothing_occurred():
    volts = np.array([1.0, 2.0, np.nan, 3.0, 3.0, np.nan])
    runs = Runs({"ambient_K": [300.0, 300.0, 300.0, 400.0, 400.0, 400.0]}, {"V_form_V": volts}, [""] * 6, missing=2)
    figure = distributions_figure(runs, "ambient_K")
    cold, hot = figure.axes[0].get_lines()
    assert cold.get_label() == "300 (2 of 3)"
    assert cold.get_ydata()[-1] == hot.get_ydata()[-1] == pytest.approx(2.0 / 3.0)
    assert figure.get_suptitle() == "2 runs failed or not over, not shown"


def test_an_axis_of_small_or_close_numbers_has_no_text_beside_it():
    """An offset such as 1e-6+9.9999e-1 was printed over the name of the column."""
    values = {"I_max_A": np.array([4.5e-4, 5.6e-4, 6.7e-4]), "crystalline_share": 0.9999 + 1e-7 * np.arange(3.0)}
    figure = distributions_figure(Runs({"a": [1.0, 2.0, 3.0]}, values, [""] * 3), "a")
    figure.canvas.draw()
    assert [axes.get_xlabel() for axes in figure.axes] == ["I_max_A ($10^{-4}$)", "crystalline_share"]
    assert [axes.xaxis.get_offset_text().get_text() for axes in figure.axes] == ["", ""]
    assert figure.axes[0].get_lines()[0].get_xdata()[0] == pytest.approx(4.5)
    for axes in figure.axes:
        legend, lines = axes.get_legend().get_window_extent(), axes.get_window_extent()
        assert legend.y0 >= lines.y1 - 1.0


def test_main_effects_are_means_over_everything_else():
    inputs = {"a": [1.0, 1.0, 2.0, 2.0], "drive.kind": ["x", "y", "x", "y"]}
    figure = effects_figure(Runs(inputs, {"V": np.array([1.0, 3.0, 5.0, np.nan])}, [""] * 4))
    means = [axes.containers[0].lines[0].get_xydata().tolist() for axes in figure.axes]
    assert means == [[[1.0, 2.0], [2.0, 5.0]], [[0.0, 3.0], [1.0, 3.0]]]
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "n_runs"), [("pcm_mushroom_mesh", 3), ("hfo2_filament_mesh", 3), ("hfo2_forming_sobol", 1152)]
)
def test_the_example_studies_are_sound(name, n_runs):
    if "sobol" in name:
        pytest.importorskip("SALib")
    plan = make_plan(ROOT / "hpc" / "studies" / f"{name}.toml")
    assert plan.n_runs == n_runs


def test_the_meshes_of_the_examples_keep_their_shape():
    """All sizes go down by 2; the growth ratio is the root that halves sizes at the same place."""
    rows = np.array(make_plan(ROOT / "hpc" / "studies" / "pcm_mushroom_mesh.toml").points)
    assert rows[:-1, :2] / rows[1:, :2] == pytest.approx(2.0, rel=1e-5)
    assert rows[:, 2] == pytest.approx(1.15 ** (rows[:, 0] / 1.5), rel=1e-5)


# -- what is shown ------------------------------------------------------------------------------------------------


def test_counts_of_the_solvers_work_are_shown_only_when_asked_for():
    plan = plan_of(HEAD.replace('observables = ["V_form_V"]\n', "") + OTHER)
    told = ("n_steps", "n_newton", "V_form_V", "n_events")
    records = [
        Record(task.index, task.point, task.seed, task.model, "complete", plan.inputs(task.values),
               dict.fromkeys(told, task.index), wall_time_s=1.0)
        for task in plan.tasks
    ]  # fmt: skip
    table = table_of(plan, records)
    assert drawn(plan, table, ()) == ["V_form_V", "n_events"]
    assert drawn(plan, table, ["n_newton"]) == ["n_newton"]
    alone = [replace(record, observables={"n_steps": record.index}) for record in records]
    assert drawn(plan, table_of(plan, alone), ()) == ["n_steps"], "there is nothing else to show"
