"""Fits: bad input is refused before anything runs, branches are compared along the sweep, intervals are right.

The fast tests fit a formula in the place of a simulation; ``test_fit_devices.py`` fits devices.
"""

import json
import re
import tomllib

import numpy as np
import pytest
from scipy.optimize import curve_fit

import ionsim
from ionsim.cli.console import number_text
from ionsim.fit import Options, Search, as_lines, is_fit, open_task, parse, prepare, run
from ionsim.fit.comparisons import switching_time_s
from ionsim.fit.evaluation import Outcome, Stopped
from ionsim.fit.intervals import intervals
from ionsim.fit.legs import cut, planned
from ionsim.fit.objective import Point
from ionsim.fit.scale import Scale, scale_of
from ionsim.fit.search import search
from ionsim.fit.steps import measure

#: A loop without turns at the compliance: what the formula below goes through.
DEVICE = ionsim.load("hfo2_continuum").replace(
    {
        "drive.step_V": 0.1, "drive.compliance_A": 1e-2,
        "drive.stages": [{"name": "forming", "stop_V": 1.0}, {"name": "reset", "stop_V": -1.0}],
    }
)  # fmt: skip
VARY = (
    "continuum.insulating_S_per_m=1e2:1e4:log", "continuum.barrier_eV=0.2:2.0",
    "continuum.conducting_S_per_m=2e4:2e6:log",
)  # fmt: skip
TRUTH = np.array([1.3e3, 0.6, 1.5e5])
#: Applied voltage of a run: both stages out and back.
VOLTS = np.concatenate([np.arange(1, 11), np.arange(9, -1, -1)]) / 10
VOLTS = np.concatenate([VOLTS, -VOLTS])


def log_current(volts, level, width, ratio):
    """ln |I| of a loop: sinh of the voltage, more by a factor on the way back (at positive voltages only)."""
    back = np.concatenate([np.arange(20) > 9, np.zeros(20, bool)])[: len(volts)]
    field = np.log(np.sinh(np.maximum(np.abs(volts), 1e-9) / width))
    return np.log(1e-9 * level) + field + np.where(back, np.log(ratio / 1e4), 0.0)


def formula(job, asked=lambda: False):
    """An outcome by the formula, for the numbers of the job's device file."""
    numbers = tomllib.loads(job.text)["continuum"]
    values = [numbers[key] for key in ("insulating_S_per_m", "barrier_eV", "conducting_S_per_m")]
    used = np.abs(VOLTS) > 0
    current = np.zeros(len(VOLTS))
    current[used] = np.exp(log_current(VOLTS, *values)[used])
    series = {
        "time_s": np.arange(1.0, 41.0), "voltage_V": VOLTS, "stage": np.repeat([0.0, 1.0], 20),
        "limited": np.zeros(40), "current_A": np.sign(VOLTS) * current,
    }  # fmt: skip
    return Outcome(series)


def table(seed=1, noise=0.05):
    """What is measured of the formula at the truth, with relative noise."""
    rng = np.random.default_rng(seed)
    used = np.abs(VOLTS) > 0
    log = log_current(VOLTS, *TRUTH)[used] + noise * rng.standard_normal(int(used.sum()))
    rows = zip(VOLTS[used], np.sign(VOLTS[used]) * np.exp(log), strict=True)
    return "voltage_V,current_A\n" + "".join(f"{volts:.6g},{current:.9g}\n" for volts, current in rows)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A fit of the formula and its folder."""
    folder = tmp_path_factory.mktemp("whole") / "fit"
    return run(prepare(DEVICE, parse(table(), "iv.csv"), VARY), folder, simulate=formula), folder


# -- a fit as a whole ---------------------------------------------------------------------------------------------


def test_values_and_intervals_are_those_of_an_independent_fit(whole):
    result, folder = whole
    used = np.abs(VOLTS) > 0
    volts, current = np.loadtxt((folder / "data.csv").read_text().splitlines()[1:], delimiter=",").T

    def law(_, log_level, width, log_ratio):
        return log_current(VOLTS, np.exp(log_level), width, np.exp(log_ratio))[used]

    start = [np.log(1e3), 1.0, np.log(1e5)]
    best, covariance = curve_fit(law, volts, np.log(np.abs(current)), start)
    t = 2.0281  # of Student, 36 degrees of freedom, two-sided 95 %
    for item, value, error, log in zip(
        result.parameters, best, np.sqrt(np.diag(covariance)), (True, False, True), strict=True
    ):
        scale = np.log if log else float
        assert scale(item.value) == pytest.approx(value, abs=0.05 * error)
        assert scale(item.low) == pytest.approx(value - t * error, abs=0.15 * t * error)
        assert scale(item.high) == pytest.approx(value + t * error, abs=0.15 * t * error)
        assert item.identified
        assert item.notes == ()
    correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.array(result.correlation) == pytest.approx(correlation, abs=0.03)
    assert (result.rows, result.silent_rows, result.noise_rms) == (38, 0, pytest.approx(0.0, abs=1e-6))
    assert result.rms_after == pytest.approx(0.05, rel=0.3)
    assert abs(result.autocorrelation) < 0.4


def test_the_folder_holds_a_loadable_device_and_what_was_found(whole):
    result, folder = whole
    device = ionsim.load(folder / "fitted.toml")
    assert device.continuum.barrier_eV == result.values["continuum.barrier_eV"]
    source = device.source_of("continuum.barrier_eV")
    assert source.startswith("calibrated: against iv.csv")
    assert device.source_of("vacancy.initial_fraction") == DEVICE.source_of("vacancy.initial_fraction")
    found = json.loads((folder / "fit.json").read_text())
    assert [item["key"] for item in found["parameters"]] == [text.split("=")[0] for text in VARY]
    assert found["data_sha256"][:12] in source
    history = (folder / "fit.csv").read_text().splitlines()
    assert history[0] == "point,purpose,continuum.insulating_S_per_m,continuum.barrier_eV," \
        "continuum.conducting_S_per_m,rms,run_wall_s,failed"  # fmt: skip
    assert len(history) == result.points + 1
    assert (folder / "fit.png").stat().st_size > 20_000
    assert is_fit(folder)
    assert open_task(folder).items == prepare(DEVICE, parse(table(), "iv.csv"), VARY).items
    assert any("continuum.barrier_eV" in line for line in as_lines(result))


def test_info_says_what_came_out(whole, command):
    result, folder = whole
    said = command("info", folder).out
    assert said.startswith(f"{folder}: fit of 3 parameters to iv.csv\n")
    for item in result.parameters:
        interval = f"95 % interval {number_text(item.low)} to {number_text(item.high)}"
        row = rf"^  {item.key} +{re.escape(number_text(item.value))}, {re.escape(interval)}"
        assert re.search(row, said, re.MULTILINE)
    assert f"{result.points} points, {result.runs} runs" in said
    refused = command("plot", folder)
    assert refused.code == 2
    assert "a fit, not a run" in refused.err


def test_a_stopped_fit_goes_on_and_ends_the_same(whole, tmp_path, command):
    calls = 0

    def interrupted(job, asked):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise Stopped
        return formula(job)

    task = prepare(DEVICE, parse(table(), "iv.csv"), VARY)
    assert run(task, tmp_path / "part", simulate=interrupted) is None
    assert not (tmp_path / "part" / "fit.json").exists()
    said = command("info", tmp_path / "part").out
    assert f"  {VARY[0]}\n" in said
    assert "not finished; points so far: 1, the best with an rms of " in said
    assert f"ionsim resume {tmp_path / 'part'} goes on" in said
    calls = 100
    result = run(open_task(tmp_path / "part"), tmp_path / "part", simulate=interrupted)
    assert result.values == whole[0].values
    assert calls == 100 + whole[0].runs - 7  # the seven runs that were over are not run again
    with pytest.raises(ionsim.IonsimError, match="holds another fit"):
        run(prepare(DEVICE, parse(table(2), "iv.csv"), VARY), tmp_path / "part", simulate=formula)


def test_what_the_data_do_not_tell_is_said(tmp_path):
    vary = (*VARY, "continuum.soret_eV=0:2")
    result = run(prepare(DEVICE, parse(table(), "iv.csv"), vary), tmp_path / "fit", simulate=formula)
    told, silent = result.parameters[:3], result.parameters[3]
    assert all(item.identified for item in told)
    assert not silent.identified
    assert silent.notes == ("not identifiable: nothing that was measured depends on it",)
    assert (silent.low, silent.high) == (0.0, 2.0)


def test_a_value_at_its_bound_is_said(tmp_path):
    vary = ("continuum.barrier_eV=0.8:1.5",)  # the truth is 0.6
    result = run(prepare(DEVICE, parse(table(), "iv.csv"), vary), tmp_path / "fit", simulate=formula)
    (item,) = result.parameters
    assert item.at_bound
    assert "at the end of its range" in item.notes
    assert any("misses the data systematically" in note for note in result.notes)


# -- comparing ----------------------------------------------------------------------------------------------------


def test_a_loop_is_cut_into_branches():
    found = cut(np.array([0.0, 0.5, 1.0, 1.0, 0.5, 0.0, -0.5, -1.0, -0.5]))
    assert [(str(branch), rows.tolist()) for branch, rows in found] == [
        ("+out", [1, 2, 3]), ("+back", [4]), ("-out", [6, 7]), ("-back", [8])
    ]  # fmt: skip
    jitter = 1e-4 * np.array([1, -1] * 20)
    assert [branch for branch, _ in cut(VOLTS + jitter)] == [branch for _, branch in planned(DEVICE.drive)]


def test_both_branches_of_a_loop_are_compared_with_their_own():
    """Halfway between its points and with a factor of 15 between the branches, the model gives back its own loop."""
    volts = np.concatenate([np.arange(0.25, 1.0, 0.1), np.arange(0.85, 0.2, -0.1)])
    task = prepare(DEVICE, parse(
        "stage,voltage_V,current_A\n" + "".join(f"forming,{v:.6g},1e-6\n" for v in volts), "iv.csv"
    ), VARY)  # fmt: skip
    (part,) = task.parts

    class Job:
        text = DEVICE.replace({"continuum.barrier_eV": 0.6}).to_toml()

    model, inert = part.comparison.model(formula(Job))
    current = part.comparison.scale.back(model)
    ratio = DEVICE.continuum.conducting_S_per_m / 1e4
    assert current[:8] == pytest.approx(1e-6 * np.sinh(volts[:8] / 0.6), rel=0.02)
    assert current[8:] == pytest.approx(ratio * 1e-6 * np.sinh(volts[8:] / 0.6), rel=0.02)
    assert not inert.any()


def test_rows_at_the_compliance_on_both_sides_say_nothing():
    device = DEVICE.replace({"drive.compliance_A": 1e-6})
    text = "voltage_V,current_A\n" + "".join(f"{v},{1e-8 if v < 0.9 else 1e-6}\n" for v in VOLTS[:10])
    (part,) = prepare(device, parse(text, "iv.csv"), VARY).parts
    outcome = formula(type("Job", (), {"text": device.to_toml()}))
    limited = (VOLTS >= 0.7).astype(float)
    series = {**outcome.series, "limited": limited}
    _, inert = part.comparison.model(Outcome(series))
    assert inert.tolist() == [False] * 8 + [True] * 2  # at 0.7 and 0.8 V the measured current was below


def test_the_scale_is_a_logarithm_above_the_floor_and_a_difference_below():
    scale = Scale("log", 1e-9)
    assert scale.of(1e-3) - scale.of(1e-4) == pytest.approx(np.log(10.0), abs=1e-6)
    assert scale.of(2e-12) - scale.of(-2e-12) == pytest.approx(2e-3, rel=1e-3)
    assert scale.back(scale.of([-3e-7, 0.0, 2e-10])) == pytest.approx([-3e-7, 0.0, 2e-10])
    assert scale_of("current_A", np.array([0.0, -1e-6, 1e-3])).size == pytest.approx(1e-7)
    assert scale_of("V_set_V", np.array([0.5, -2.0])) == Scale("linear", 2.0)


def test_a_switching_time_is_read_between_points():
    series = {
        "time_s": np.array([1e-6, 1e-5, 1e-4]), "current_A": np.array([1e-9, 1e-8, 1e-4]), "limited": np.zeros(3),
    }  # fmt: skip
    assert switching_time_s(Outcome(series), 1e-6) == pytest.approx(10**-4.5)
    assert switching_time_s(Outcome(series), 1e-2) is None
    assert switching_time_s(Outcome({**series, "limited": np.array([0.0, 0.0, 1.0])}), 0.0) == pytest.approx(1e-4)


def test_conditions_and_weights_of_rows():
    text = "ambient_K,voltage_V,current_A,relative_error\n300,0.5,1e-6,0.1\n300,0.6,1e-6,0.1\n350,0.5,1e-6,0.2\n"
    text += "350,0.6,2e-6,0.2\n"
    device = DEVICE.replace({"drive.stages": DEVICE.drive.stages[:1]})
    warm, hot = prepare(device, parse(text, "iv.csv"), VARY[:1]).parts
    assert (dict(warm.changes), dict(hot.changes)) == ({"ambient_K": 300.0}, {"ambient_K": 350.0})
    assert warm.weights / hot.weights == pytest.approx([2.0, 2.0])


def test_a_late_transition_is_off_by_its_volts_and_not_by_its_height():
    """One step of 0.1 V late, by a factor of 1000: the row at 0.6 V is off by what lies between it and the rise."""
    device = DEVICE.replace({"drive.stages": DEVICE.drive.stages[:1]})
    volts = np.arange(1, 11) / 10
    text = "voltage_V,current_A\n" + "".join(f"{v:.6g},{1e-6 if v < 0.55 else 1e-3}\n" for v in volts)
    late = np.where(np.abs(VOLTS[:20]) < 0.65, 1e-6, 1e-3)
    late[10:] = 1e-3
    outcome = Outcome({
        "voltage_V": VOLTS[:20], "current_A": late, "stage": np.zeros(20), "limited": np.zeros(20),
        "time_s": np.arange(20.0),
    })  # fmt: skip
    height = np.log(1e3) / 0.05
    for error_V, far in ((0.0, height), (0.05, 2.0 / np.hypot(2.0 / height, 1.0))):
        (part,) = prepare(device, parse(text, "iv.csv"), VARY[:1], options=Options(voltage_error_V=error_V)).parts
        off = (part.comparison.beside(outcome)[0] - part.comparison.measured) / 0.05
        assert off[volts != 0.6] == pytest.approx(0.0, abs=1e-9)
        assert off[volts == 0.6] == pytest.approx(-far, rel=3e-3)  # asinh is not quite a logarithm
    (part,) = prepare(device, parse(text, "iv.csv"), VARY[:1]).parts
    assert part.comparison.voltage_error_V == pytest.approx(0.1 / np.sqrt(12.0))
    smooth = prepare(device, parse(text.replace("0.001", "2e-6"), "iv.csv"), VARY[:1]).parts[0]
    assert smooth.comparison.voltage_error_V == 0.0


def test_a_survey_finds_the_deepest_of_many_valleys():
    """A sum of squares with four valleys; the trust region alone ends in the one where it begins."""

    def waves(shares):
        points = []
        for u in shares:
            r = np.concatenate([0.8 * np.sin(2.0 * np.pi * (u - 0.7)) + 0.3 * (u - 0.7), u - 0.7])
            points.append(Point(u, r, np.ones(4, bool), np.zeros((1, 4))))
        return points

    start = np.array([0.22, 0.22])
    alone = search(waves, start, Search(method="local")).point
    found = search(waves, start, Search()).point
    assert np.sum(alone.residuals**2) > 0.1
    assert found.u == pytest.approx([0.7, 0.7], abs=1e-3)


# -- noise, steps, intervals --------------------------------------------------------------------------------------


def test_steps_stand_out_of_the_noise():
    """A residual of slope 1 with noise of 0.003 in it: the noise is seen, and the step of 0.01 is not taken."""
    rng = np.random.default_rng(1)
    seen = {}

    def rough(shares):
        points = []
        for u in shares:
            jump = seen.setdefault(tuple(u), 3e-3 * rng.standard_normal(200))
            points.append(Point(u, u[0] + jump, np.ones(200, bool), np.zeros((1, 200))))
        return points

    steps = measure(rough, np.array([0.4]))
    assert steps.rms == pytest.approx(3e-3, rel=0.15)
    assert steps.sizes[0] == 0.03
    assert 5.0 < steps.clear[0] < 30.0


def test_profiles_follow_a_sum_of_squares_that_is_not_quadratic():
    """One row exp(4 u) - exp(2) and many of noise: the 95 % interval is where exp(4 u) is, which is not symmetric."""
    noise = 0.8 * np.tile([1.0, -1.0], 100)

    def curved(shares):
        return [
            Point(u, np.concatenate([np.full(25, np.exp(4.0 * u[0]) - np.exp(2.0)), noise]), np.ones(225, bool),
                  np.zeros((1, 225)))
            for u in shares
        ]  # fmt: skip

    best = curved([np.array([0.5])])[0]
    steps = measure(curved, best.u)
    found = intervals(curved, best, steps)
    reach = 1.9706 * np.sqrt(np.sum(noise**2) / 224 / 25)  # of Student, 224 degrees of freedom
    exact = [np.log(np.exp(2.0) - reach) / 4.0, np.log(np.exp(2.0) + reach) / 4.0]
    assert [found.low[0], found.high[0]] == pytest.approx(exact, abs=0.03 * (exact[1] - exact[0]))


def test_few_seeds_widen_an_interval():
    """Two seeds 0.2 apart shift a straight line's parameter by 0.1 each: the mean has a standard error of 0.1."""
    noise = 0.01 * np.tile([1.0, -1.0], 50)

    def line(shares):
        deviations = np.array([np.full(100, -0.1), np.full(100, 0.1)])
        return [Point(u, u[0] - 0.5 + noise, np.ones(100, bool), deviations) for u in shares]

    best = line([np.array([0.5])])[0]
    found = intervals(line, best, measure(line, best.u))
    assert np.sqrt(found.covariance_of_seeds[0, 0]) == pytest.approx(0.1, rel=1e-6)
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.984 * 0.1, rel=0.02)


def test_evolution_finds_the_better_of_two_valleys(tmp_path):
    """From the far end of a range in which ln I has a second minimum, the trust region alone stays there."""

    def wavy(job, asked=lambda: False):
        outcome = formula(job)
        barrier = tomllib.loads(job.text)["continuum"]["barrier_eV"]
        factor = np.exp(3.0 * np.sin(2.0 * np.pi * (barrier - 0.6) / 0.55) ** 2)
        series = {**outcome.series, "current_A": outcome.series["current_A"] * factor}
        return Outcome(series)

    device, text = DEVICE.replace({"continuum.barrier_eV": 1.8, "continuum.insulating_S_per_m": 1300.0,
                                   "continuum.conducting_S_per_m": 1.5e5}), VARY[1]  # fmt: skip
    data = parse(table(), "iv.csv")
    alone = run(prepare(device, data, [text]), tmp_path / "alone", simulate=wavy)
    how = Search("evolution", population=16, generations=3)
    both = run(prepare(device, data, [text], how=how), tmp_path / "both", simulate=wavy)
    assert alone.parameters[0].value > 1.0
    assert both.parameters[0].value == pytest.approx(0.6, abs=0.05)


# -- bad input ----------------------------------------------------------------------------------------------------

IV = "voltage_V,current_A\n0.5,1e-6\n1.0,2e-6\n0.5,1e-6\n"
GOOD = "continuum.barrier_eV=1.0:1.4"
BAD = {
    "an unknown key": (IV, ["continuum.barier_eV=1:2"], ["continuum.barier_eV", "did you mean 'continuum.barrier_eV'"]),
    "no number": (IV, ["continuum.dielectric=1:2"], ["continuum.dielectric", "no number"]),
    "a whole number": (IV, ["seed=1:9"], ["seed", "whole number"]),
    "lo above hi": (IV, ["continuum.barrier_eV=1.4:1.0"], ["lo = 1.4", "below hi = 1"]),
    "no range": (IV, ["continuum.barrier_eV=1.4"], ["KEY=LO:HI"]),
    "no numbers": (IV, ["continuum.barrier_eV=a:b"], ["'a'", "two numbers"]),
    "a log from zero": (IV, ["continuum.barrier_eV=0:1.4:log"], ["lo = 0", "scale log"]),
    "another scale": (IV, ["continuum.barrier_eV=1:1.4:sqrt"], ["'sqrt'", "log and linear"]),
    "outside of the schema": (IV, ["continuum.barrier_eV=1:11"], ["continuum.barrier_eV = 11.0", "<= 10"]),
    "a cross check": (IV, ["continuum.gap_nm=0.5:7"], ["continuum.gap_nm = 7.0", "layers.oxide.thickness_nm"]),
    "a start outside": (IV, ["continuum.barrier_eV=1.3:1.4"], ["continuum.barrier_eV = 1.2", "outside of 1.3 to 1.4"]),
    "twice": (IV, [GOOD, GOOD], ["comes twice"]),
    "an empty file": ("", [GOOD], ["is empty"]),
    "a header alone": ("voltage_V,current_A\n", [GOOD], ["no rows"]),
    "no header": ("0.1,1e-6\n0.2,2e-6\n", [GOOD], ["line 1", "header"]),
    "a text": (IV + "0.2,oops\n", [GOOD], ["line 5", "current_A = 'oops'", "finite number"]),
    "infinity": (IV + "0.2,inf\n", [GOOD], ["line 5", "finite number"]),
    "a short row": (IV + "0.2\n", [GOOD], ["line 5", "1 cells"]),
    "no quantity": ("voltage_V\n1\n", [GOOD], ["no quantity to compare"]),
    "no axis": ("current_A\n1e-6\n", [GOOD], ["current_A needs a column"]),
    "an unknown column": (IV.replace("current_A", "curent_A"), [GOOD], ["column curent_A", "'current_A'"]),
    "a voltage not reached": (IV.replace("1.0,", "3.0,"), [GOOD], ["voltage_V = 3", "'forming' reaches 2.5 V"]),
    "an ambiguous stage": ("voltage_V,current_A\n0.5,1e-6\n1.0,2e-6\n", [GOOD], ["fit in several places", "stage"]),
    "another order": ("voltage_V,current_A\n-1,-1e-6\n0.5,1e-6\n-0.5,1e-6\n", [GOOD], ["do not follow each other"]),
    "an unknown stage": ("stage,voltage_V,current_A\nform,0.5,1e-6\n", [GOOD], ["stage = 'form'", "forming"]),
    "times of a turning sweep": ("time_s,current_A\n1,1e-6\n", [GOOD], ["turns at its compliance"]),
    "pulses of a sweep": ("pulse,current_A\n1,1e-6\n", [GOOD], ["has no pulses"]),
    "too few rows": ("stage,voltage_V,current_A\nset,0.5,1e-6\n", [GOOD], ["1 rows", "more rows"]),
    "a time of zero": ("voltage_V,switching_time_s\n1,0\n", [GOOD, "--threshold=1e-4"], ["switching_time_s = 0"]),
    "no switching": ("voltage_V,switching_time_s\n1,1e-3\n", [GOOD], ["--threshold", "drive.compliance_A"]),
    "a wrong error": ("V_set_V,relative_error\n1,0\n", [GOOD], ["relative_error = 0", "above 0"]),
    "seeds of a continuum": ("V_set_V\n1\n1\n", [GOOD, "--seeds=1-3"], ["nothing is random"]),
    "a column that is not there": (IV, [GOOD, "--columns=voltage_V,curent_A"], ["--columns curent_A", "'current_A'"]),
    "a wrong floor": (IV, [GOOD, "--floor=-1"], ["--floor -1", "above 0"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_before_anything_runs(name, tmp_path, command):
    text, arguments, said = BAD[name]
    data = tmp_path / "iv.csv"
    data.write_text(text)
    options = [part for text in arguments for part in ([text] if text.startswith("--") else ["--vary", text])]
    if name in ("no axis", "a start outside"):
        options += ["--set", 'drive.stages=[{name="forming", stop_V=2.5}]']
    if "voltage not reached" in name:
        options += ["--set", 'drive.stages=[{name="forming", stop_V=2.5}]']
    found = command("fit", "hfo2_continuum", "--data", data, "--out", tmp_path / "out", *options)
    assert found.code == 2
    assert found.err.startswith("ionsim: error: ")
    for phrase in said:
        assert phrase in found.err
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_a_folder_that_holds_something_else(tmp_path, command):
    found = command("fit", "hfo2_continuum", "--data", tmp_path / "no.csv", "--vary", GOOD, "--out", tmp_path / "out")
    assert (found.code, "cannot be read" in found.err) == (2, True)
    (tmp_path / "thesis.txt").write_text("precious")
    task = prepare(DEVICE, parse(table(), "iv.csv"), VARY)
    with pytest.raises(ionsim.IonsimError, match="holds other files and no fit"):
        run(task, tmp_path, simulate=formula)
