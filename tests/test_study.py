"""Studies: bad ones are refused before anything runs, points are those of the design, a run is recorded once."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ionsim.study.points as points_module
from ionsim.errors import IonsimError, ResultsError, StudyError
from ionsim.results import Recorder, Run, claim
from ionsim.study import StudyFolder, make_plan, write_table
from ionsim.study.conduct import Tally, collect, engine_of, left
from ionsim.study.locks import locked
from ionsim.study.points import record_failure, run_point
from ionsim.study.table import columns, csv_text

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "hpc" / "studies" / "hfo2_forming.toml"

HEAD = 'name = "s"\nbase = "hfo2_ti_bipolar"\n'
THICKNESS = '[[parameters]]\nkey = "layers.oxide.thickness_nm"\nvalues = [4, 5.5]\n'
RAMP = '[[parameters]]\nkey = "drive.ramp_rate_V_per_s"\nvalues = [0.1, 1.0, 10.0]\n'


def written(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def plan_of(tmp_path, text, **options):
    return make_plan(written(tmp_path, text), **options)


# -- designs ------------------------------------------------------------------------------------------------------


def test_the_example_has_sixty_runs():
    plan = make_plan(EXAMPLE)
    assert (len(plan.points), plan.n_runs, len(plan.tasks)) == (12, 60, 60)
    assert plan.points[:2] == [(3.0, 0.1), (3.0, 1.0)]
    device = plan.device(plan.points[-1])
    assert device.layers.oxide.thickness_nm == 5.0
    assert device.drive.ramp_rate_V_per_s == 100.0
    assert [stage.name for stage in device.drive.stages] == ["forming"]
    labels = [task.label for task in plan.tasks]
    assert labels[:2] == ["0001_seed_1", "0001_seed_2"]
    assert len(set(labels)) == 60


def test_a_list_goes_side_by_side_and_one_value_may_set_several_keys(tmp_path):
    side = '[[parameters]]\nkey = "lattice.width_nm"\nalso = ["lattice.depth_nm"]\nvalues = [4.0, 6.0]\n'
    plan = plan_of(tmp_path, HEAD + 'design = "list"\n' + THICKNESS + side)
    assert plan.points == [(4, 4.0), (5.5, 6.0)]
    assert plan.device(plan.points[1]).lattice.depth_nm == 6.0


def test_samples_fill_their_ranges_and_repeat(tmp_path):
    ranged = (
        '[[parameters]]\nkey = "layers.oxide.thickness_nm"\nlow = 4.0\nhigh = 8.0\n'
        '[[parameters]]\nkey = "drive.ramp_rate_V_per_s"\nlow = 0.01\nhigh = 100.0\nscale = "log"\n'
        '[[parameters]]\nkey = "exchange.reservoir_sites"\nlow = 100\nhigh = 103\n'
    )
    text = HEAD + 'design = "latin-hypercube"\npoints = 40\n' + ranged
    points = plan_of(tmp_path, text).points
    thickness, ramp, sites = (np.array(column) for column in zip(*points, strict=True))
    # one sample in each of 40 equal slices: what a Latin hypercube is
    assert sorted(np.floor((thickness - 4.0) / 0.1).astype(int)) == list(range(40))
    assert sorted(np.floor((np.log10(ramp) + 2.0) * 10.0).astype(int)) == list(range(40))
    assert set(sites) == {100, 101, 102, 103}
    assert all(isinstance(value, int) for _, _, value in points)
    assert plan_of(tmp_path, text).points == points
    assert plan_of(tmp_path, text.replace("points = 40", "points = 40\ndesign_seed = 2")).points != points
    sobol = plan_of(tmp_path, HEAD + 'design = "sobol"\npoints = 8\n' + ranged).points
    assert sorted(int((value - 4.0) / 0.5) for value, _, _ in sobol) == list(range(8))


def test_a_pair_of_models_runs_the_continuum_once_a_point(tmp_path):
    plan = plan_of(tmp_path, HEAD + 'seeds = [2, 1]\nmodels = ["lattice", "continuum"]\n' + THICKNESS)
    assert [task.label for task in plan.tasks[:3]] == ["0001_seed_1_lattice", "0001_seed_2_lattice", "0001_continuum"]
    assert plan.tasks[2].seed is None


# -- bad studies --------------------------------------------------------------------------------------------------

OVER = 'points = {}\n[[parameters]]\nkey = "ambient_K"\nlow = {}\nhigh = {}\n'
BAD = {
    "unknown key path": (HEAD + THICKNESS.replace("oxide", "oxid"),
                         r"layers.oxid.thickn.*did you mean 'layers.oxide.thick"),
    "unknown key of changes": (HEAD + '[changes]\n"drive.ramp_rate_V" = 1.0\n',
                               r"changes.drive.ramp_rate_V .*you mean"),
    "empty values": (HEAD + THICKNESS.replace("[4, 5.5]", "[]"),
                     r"parameters.0.values = \[\]: empty.*at least one value"),
    "no values": (HEAD + THICKNESS.replace("values = [4, 5.5]", ""), r"values: missing.*'grid'"),
    "empty seeds": (HEAD + "seeds = []\n" + THICKNESS, r"seeds = \[\]: empty"),
    "negative seed": (HEAD + "seeds = [-1]\n" + THICKNESS, r"seeds = -1: must be whole numbers from 0"),
    "seed twice": (HEAD + "seeds = [1, 1]\n" + THICKNESS, r"seeds: 1 comes twice"),
    "wrong type": (HEAD + THICKNESS.replace("4,", '"thin",'),
                   r'point 1: .*thickness_nm = "thin": must be a number > 0.2'),
    "out of bounds": (HEAD + THICKNESS.replace("4,", "-4,"), r"point 1: .*thickness_nm = -4: must be a number > 0.2"),
    "keys that contradict": (HEAD + '[[parameters]]\nkey = "mesh.domain_width_nm"\nvalues = [30.0, 3.0]\n',
                             r"point 2: mesh.domain_width_nm = 3.0: must be at least the lattice box"),
    "unknown key of the study": (HEAD + "seed = [1]\n", r"seed = \[1\]: unknown key.*'seeds'"),
    "unknown design": (HEAD + 'design = "gird"\n' + THICKNESS, r"design = \"gird\": must be one of 'grid'"),
    "unknown observable": (HEAD + 'observables = ["V_from_V"]\n' + THICKNESS, r"V_from_V.*did you mean 'V_form_V'"),
    "unknown base": (HEAD.replace("bipolar", "bipolr") + THICKNESS, r"base = .*did you mean 'hfo2_ti_bipolar'"),
    "two lengths": (HEAD + 'design = "list"\n' + THICKNESS + RAMP, r"as many values.*thickness_nm 2.*V_per_s 3"),
    "key twice": (HEAD + THICKNESS + THICKNESS, r"parameters.1.key = .*set already by parameters.0.key"),
    "range upside down": (HEAD + 'design = "sobol"\n' + OVER.format(4, 400, 300),
                          r"parameters.0.low = 400.*below high = 300"),
    "sobol of seven": (HEAD + 'design = "sobol"\n' + OVER.format(7, 300, 400), r"points = 7: .*only; take 4 or 8"),
    "no TOML": ("name = s\n", r"not valid TOML"),
    "pair of another family": (HEAD.replace("hfo2_ti_bipolar", "gst_mushroom") + 'models = ["lattice"]\n',
                               r"models: .*'vcm'"),
    "time of a job": (HEAD + '[engine.slurm]\ntime = "soon"\n', r"engine.slurm.time = \"soon\": must be a text"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_studies_are_refused_before_anything_is_written(name, tmp_path, command):
    text, message = BAD[name]
    out = tmp_path / "out"
    result = command("study", written(tmp_path, text), "--out", out)
    assert result.code == 2
    assert result.out == ""
    assert "Traceback" not in result.err
    assert "study.toml" in result.err
    assert re.search(message, result.err), result.err
    assert not out.exists()


def test_ten_million_points_are_refused_at_once(tmp_path):
    values = f"[{', '.join(str(4.0 + 0.001 * k) for k in range(216))}]"
    big = "".join(
        f'[[parameters]]\nkey = "{key}"\nvalues = {values}\n'
        for key in ("layers.oxide.thickness_nm", "layers.top.thickness_nm", "layers.cap.thickness_nm")
    )
    with pytest.raises(StudyError, match=r"10,077,696 runs .*at most 10,000 are allowed.*--max-runs"):
        plan_of(tmp_path, HEAD + big)
    with pytest.raises(StudyError, match=r"6 runs .*at most 5"):
        plan_of(tmp_path, HEAD + THICKNESS + RAMP, max_runs=5)


# -- running once -------------------------------------------------------------------------------------------------


class FakeSimulation:
    """Stands in for the run loop: a finished run at once; thick films break, seed 3 finds a full disk."""

    made = 0

    def __init__(self, device, seed, comm):
        self.device, self.seed = device, seed

    def run(self, out, force, stop):
        type(self).made += 1
        if self.device.layers.oxide.thickness_nm > 5.0:
            raise IonsimError(f"{Path(out).absolute()}: no\n filament")
        if self.seed == 3:
            raise ResultsError("cannot be written") from OSError(28, "No space left on device")
        record = Recorder(name="s", family="vcm", seed=self.seed, input_toml=self.device.to_toml(), stages=("forming",))
        record.sample(time_s=0.0, voltage_V=0.0, device_V=0.0, current_A=0.0, stage=0, temperature_peak_K=300.0)
        record.summary = {"V_form_V": 2.5, "V_set_V": None, "n_events": 12, "seed": self.seed, "wall_time_s": 1.0}
        record.status = "complete" if stop is None or not stop.asked else "stopped"
        record.write(claim(out, force=force))
        return Run.open(out)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A study of two thicknesses with two seeds each, of which the thick ones fail."""
    FakeSimulation.made = 0
    monkeypatch.setattr(points_module, "Simulation", FakeSimulation)
    plan = plan_of(tmp_path, HEAD + 'seeds = "1-2"\nobservables = ["V_form_V", "V_set_V", "n_events"]\n' + THICKNESS)
    return StudyFolder.create(plan, tmp_path / "out")


def test_a_run_is_made_once_and_a_failure_is_a_row(folder):
    tasks = folder.plan.tasks
    outcomes = [run_point(folder, task) for task in tasks]
    assert [outcome.status for outcome in outcomes] == ["complete", "complete", "failed", "failed"]
    assert FakeSimulation.made == 4
    assert [run_point(folder, task).ran for task in tasks] == [False] * 4
    assert FakeSimulation.made == 4
    assert left(folder) == []
    assert left(folder, retry_failed=True) == tasks[2:]
    assert collect(folder) == Tally(2, 2, 0, 0, parquet=collect(folder).parquet)
    assert collect(folder).exit_code == 1
    lines = (folder.path / "table.csv").read_text().splitlines()
    assert lines[0] == (
        "point,seed,model,layers.oxide.thickness_nm,V_form_V,V_set_V,n_events,status,error,versions,wall_time_s"
    )
    assert lines[1].startswith("1,1,,4.0,2.5,,12,complete,,python ")
    # one line, and the same wherever the study is
    assert lines[3].startswith("2,1,,5.5,,,,failed,IonsimError: ./points/0002_seed_1: no filament,python ")
    run_point(folder, tasks[2], retry_failed=True)
    assert FakeSimulation.made == 5
    events = [json.loads(line)["event"] for line in (folder.path / "log.jsonl").read_text().splitlines()]
    assert events.count("start") == 5


def test_a_finished_run_that_was_not_recorded_is_not_made_again(folder):
    task = folder.plan.tasks[0]
    run_point(folder, task)
    (folder.of(task) / "point.json").unlink()
    assert left(folder)[0] == task
    assert run_point(folder, task).status == "complete"
    assert FakeSimulation.made == 1


def test_a_run_that_another_process_has_is_left_alone(folder):
    task = folder.plan.tasks[0]
    with locked(folder.claim(task)):
        assert run_point(folder, task).status == "taken"
        assert record_failure(folder, task, "gone").status == "taken"
    assert FakeSimulation.made == 0
    assert run_point(folder, task).status == "complete"
    assert record_failure(folder, task, "gone").status == "complete"


def test_a_lock_goes_with_its_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from ionsim.study.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('mine', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "l")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    with locked(tmp_path / "l", wait=False) as got:
        assert not got
    process.kill()
    process.communicate()
    with locked(tmp_path / "l", wait=False) as got:
        assert got


def test_a_full_disk_is_no_fault_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(points_module, "Simulation", FakeSimulation)
    folder = StudyFolder.create(plan_of(tmp_path, HEAD + "seeds = [3]\n"), tmp_path / "out")
    with pytest.raises(StudyError, match="No space left"):
        run_point(folder, folder.plan.tasks[0])
    assert folder.record(folder.plan.tasks[0]) is None
    assert len(left(folder)) == 1


def test_a_table_keeps_what_it_had_where_it_cannot_be_written(folder, monkeypatch):
    run_point(folder, folder.plan.tasks[0])
    write_table(folder)
    before = (folder.path / "table.csv").read_bytes()
    run_point(folder, folder.plan.tasks[1])
    monkeypatch.setattr("ionsim.results.atomic.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(StudyError, match="full"):
        write_table(folder)
    assert (folder.path / "table.csv").read_bytes() == before


def test_parquet_holds_what_the_csv_has(folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    for task in folder.plan.tasks:
        run_point(folder, task)
    assert write_table(folder)
    table = parquet.read_table(folder.path / "table.parquet")
    assert csv_text(table.to_pydict()) == (folder.path / "table.csv").read_text()
    assert str(table.schema.field("layers.oxide.thickness_nm").type) == "double"
    assert str(table.schema.field("V_set_V").type) in ("null", "double")


def test_columns_have_one_type(folder):
    run_point(folder, folder.plan.tasks[0])
    (record,) = folder.records()
    other = type(record)(**{**vars(record), "inputs": {"a": 1.5}, "observables": {"x": True}})
    one = type(record)(**{**vars(record), "inputs": {"a": 1}, "observables": {"x": "text"}})
    table = columns([one, other], ["a"], [])
    assert table["a"] == [1.0, 1.5]
    assert table["x"] == ["text", "true"]


def test_a_folder_holds_one_study(folder, tmp_path):
    text = folder.plan.text
    assert StudyFolder.create(make_plan(written(tmp_path, text)), folder.path).plan.tasks == folder.plan.tasks
    engine = make_plan(written(tmp_path, text + "[engine]\nworkers = 7\n"))
    assert StudyFolder.create(engine, folder.path).path == folder.path
    with pytest.raises(StudyError, match=r"another study \(seeds differ\)"):
        StudyFolder.create(make_plan(written(tmp_path, text.replace("1-2", "1-3"))), folder.path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.h5").touch()
    with pytest.raises(StudyError, match="holds a run"):
        StudyFolder.create(folder.plan, tmp_path / "run")


def test_a_folder_does_without_the_file_of_its_base(tmp_path):
    base = tmp_path / "mine.toml"
    base.write_text(make_plan(EXAMPLE).base.to_toml())
    plan = plan_of(tmp_path, HEAD.replace("hfo2_ti_bipolar", "mine.toml") + THICKNESS)
    folder = StudyFolder.create(plan, tmp_path / "out")
    base.unlink()
    assert StudyFolder.open(folder.path).plan.base == plan.base


@pytest.mark.parametrize(
    ("tally", "code"), [((2, 0, 0, 0), 0), ((1, 1, 0, 0), 1), ((1, 0, 1, 0), 75), ((0, 1, 0, 1), 75)]
)
def test_exit_codes(tally, code):
    assert Tally(*tally).exit_code == code


def test_engines_that_cannot_do_it_say_so(tmp_path):
    from mpi4py import MPI

    plan = plan_of(tmp_path, HEAD + THICKNESS + "[engine]\nranks_per_run = 2\n")
    with pytest.raises(StudyError, match=r"ranks_per_run = 2: the engine local.*mpiexec -n 3"):
        engine_of(plan, {}, MPI.COMM_SELF)
    assert engine_of(plan, {"kind": "mpi"}, MPI.COMM_SELF).ranks_per_run == 2
    with pytest.raises(StudyError, match=r"kind = \"mpy\": must be one of 'local'"):
        engine_of(plan, {"kind": "mpy"}, MPI.COMM_SELF)


def test_a_dry_run_prints_points_and_writes_nothing(tmp_path, command):
    path = written(tmp_path, HEAD + 'seeds = "1-3"\n' + THICKNESS + RAMP)
    result = command("study", path, "--out", tmp_path / "out", "--dry-run", "--no-probe")
    assert result.code == 0
    assert "point 6: runs 16-18  thickness_nm = 5.5, ramp_rate_V_per_s = 10.0" in result.out
    assert "18 runs: seed 1, seed 2, seed 3 at each point" in result.out
    assert not (tmp_path / "out").exists()


def test_scripts_of_an_array_hold_what_is_left(folder):
    from ionsim.study.slurm import write_scripts

    run_point(folder, folder.plan.tasks[1])
    engine = folder.plan.study.engine.model_copy(
        update={"slurm": folder.plan.study.engine.slurm.model_copy(update={"runs_per_job": 2, "time": "01:00:00"})}
    )
    scripts, jobs = write_scripts(folder, left(folder), engine)
    assert jobs == 2
    assert (scripts / "runs.txt").read_text() == "1 3\n4\n"
    text = (scripts / "array.sh").read_text()
    assert "#SBATCH --array=1-2\n" in text
    assert "#SBATCH --time=01:00:00\n" in text
    for name in ("array.sh", "collect.sh"):
        subprocess.run(["bash", "-n", str(scripts / name)], check=True)
    assert write_scripts(folder, left(folder), engine)[0].name == "2"
