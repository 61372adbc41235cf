"""Commands for studies: ``study``, and what the jobs of an array call: ``study-point``, ``study-table``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionsim.cli.console import complain, is_root, number_text, say
from ionsim.cli.stopping import StopAfterOption, seconds_of

if TYPE_CHECKING:
    from ionsim.study import Plan, StudyFolder, Tally
    from ionsim.study.points import Outcome

#: Points that a dry run prints; of more than that the first and last ones.
_SHOWN = 100

#: How long a dry run tries out the first run, s.
_PROBE_S = 20.0


class EngineName(StrEnum):
    """What carries out the runs."""

    LOCAL = "local"
    MPI = "mpi"
    SLURM = "slurm"


StudyDir = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")]
EngineOption = Annotated[
    EngineName | None, typer.Option("--engine", help="What carries out the runs; else that of the study file.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of the engine local; by default one per usable core.")
]
RanksOption = Annotated[int | None, typer.Option("--ranks-per-run", min=1, help="MPI ranks that share one run.")]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="Run again what failed before, from its start.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="With the engine slurm: wait until the table is written.")]


@dataclass(frozen=True)
class StudyOptions:
    """Options that ``study`` and ``resume`` share; None leaves it to the study file."""

    engine: EngineName | None = None
    workers: int | None = None
    ranks_per_run: int | None = None
    retry_failed: bool = False
    wait: bool = False


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(study)
    app.command("study-point")(study_point)
    app.command("study-table")(study_table)


def study(
    file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="A study file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the study.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print points and an estimate; write nothing.")] = False,
    probe: Annotated[bool, typer.Option(help="Let a dry run try out the first run for the estimate.")] = True,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    ranks_per_run: RanksOption = None,
    stop_after: StopAfterOption = None,
    retry_failed: RetryOption = False,
    wait: WaitOption = False,
    max_runs: Annotated[int, typer.Option("--max-runs", min=1, help="Refuse a study with more runs.")] = 10_000,
) -> None:
    """Run a device with many settings and seeds; a study that is under way in DIR goes on.

    Exit code 0 when all runs are complete, 1 when some failed, 75 when it was stopped and can be resumed.
    """
    from ionsim.study import make_plan

    limit_s = seconds_of(stop_after)
    plan = make_plan(file, max_runs)
    if dry_run:
        if is_root():
            _describe(plan, out, workers, probe)
        return
    _conduct(plan, out, limit_s, StudyOptions(engine, workers, ranks_per_run, retry_failed, wait))


def resume_study(folder: Path, stop_after_s: float | None, options: StudyOptions) -> None:
    """What ``ionsim resume`` does with the folder of a study."""
    from ionsim.study import StudyFolder

    _conduct(StudyFolder.open(folder), folder, stop_after_s, options)


def _conduct(plan: Plan | StudyFolder, out: Path, stop_after_s: float | None, asked: StudyOptions) -> None:
    from ionsim.study import StudyFolder, conduct

    options: dict[str, Any] = {
        "kind": None if asked.engine is None else str(asked.engine), "workers": asked.workers,
        "ranks_per_run": asked.ranks_per_run, "stop_after_s": stop_after_s, "retry_failed": asked.retry_failed,
    }  # fmt: skip
    target = None if isinstance(plan, StudyFolder) else out
    described = (plan.plan if isinstance(plan, StudyFolder) else plan).study
    if (asked.engine or described.engine.kind) == EngineName.SLURM and conduct.single():
        del options["kind"]
        job, tally = conduct.submit(plan, target, wait=asked.wait, **options)
        if job is not None:
            say(f"submitted array {job.array} ({job.jobs} jobs) and job {job.table} for the table; see {job.scripts}")
            if not asked.wait:
                say("squeue shows them; the table comes when the last is over, ionsim study-table writes it before")
                return
    else:
        tally = conduct.run(plan, target, report=_report, **options)
    _finish(conduct.StudyFolder.open(out), tally)


def _report(over: int, total: int, outcome: Outcome) -> None:
    wall = "" if outcome.wall_time_s is None else f" {outcome.wall_time_s:.1f} s"
    problem = "" if outcome.error is None else f": {outcome.error}"
    say(f"{over:>{len(str(total))}}/{total} {outcome.label} {outcome.status}{wall}{problem}")


def _finish(folder: StudyFolder, tally: Tally) -> None:
    """Say what became of the study, and end with its exit code."""
    from ionsim.study.conduct import failures

    tables = "table.csv, table.parquet" if tally.parquet else "table.csv"
    say(f"{folder.path}: {tally.complete} of {tally.total} runs complete, {tally.failed} failed; {tables}")
    if not tally.parquet:
        say("table.parquet needs pyarrow: pip install pyarrow")
    if is_root():
        for line in failures(folder)[:10]:
            complain(line)
    if folder.plan.study.mesh and tally.complete:
        from ionsim.cli.study_results import report_convergence

        report_convergence(folder, ())
    if tally.stopped or tally.waiting:
        say(f"stopped with {tally.stopped + tally.waiting} runs left; ionsim resume {folder.path} goes on")
    if tally.exit_code:
        raise typer.Exit(tally.exit_code)


def study_point(
    folder: StudyDir,
    runs: Annotated[list[int], typer.Argument(metavar="RUN...", help="Numbers of runs from 1, as a dry run has them.")],
    stop_after: StopAfterOption = None,
    retry_failed: RetryOption = False,
) -> None:
    """Carry out single runs of a study: what a job of an array does; under mpiexec on all its ranks.

    Exit code 0 when all are complete, 1 when one failed, 75 when it was stopped and can go on.
    """
    from ionsim.study import StudyFolder, conduct

    limit_s = seconds_of(stop_after)
    code = conduct.run_points(
        StudyFolder.open(folder), runs, stop_after_s=limit_s, retry_failed=retry_failed,
        report=lambda outcome: _report(outcome.index, outcome.index, outcome),
    )  # fmt: skip
    if code:
        raise typer.Exit(code)


def study_table(folder: StudyDir) -> None:
    """Write the table of a study from what its runs have left so far."""
    from ionsim.study import StudyFolder, conduct

    if is_root():
        there = StudyFolder.open(folder)
        _finish(there, conduct.collect(there))


def _describe(plan: Plan, out: Path, workers: int | None, probe: bool) -> None:
    """A dry run: the points, how many runs, and how long they may take."""
    from ionsim.study import forecast
    from ionsim.study.plan import describe

    each = plan.models_and_seeds()
    names = [" ".join(filter(None, (model, None if seed is None else f"seed {seed}"))) for model, seed in each]
    say(f"{plan.study.name}: {len(plan.points)} points of {plan.base.name!r} ({plan.study.design})")
    count = len(plan.points)
    width = len(str(count * len(each)))
    for number, values in enumerate(plan.points, start=1):
        if count > _SHOWN and _SHOWN // 2 < number <= count - _SHOWN // 2:
            if number == _SHOWN // 2 + 1:
                say(f"  ... {count - _SHOWN} more ...")
            continue
        first = (number - 1) * len(each) + 1
        runs = f"run {first:>{width}}" if len(each) == 1 else f"runs {first:>{width}}-{first + len(each) - 1:<{width}}"
        say(f"  point {number}: {runs}  {describe(plan.study.parameters, values)}")
    say(f"{plan.n_runs} runs: {', '.join(name for name in names if name) or 'one'} at each point")
    found = forecast.from_records(plan, out)
    if found is None and probe:
        say(f"trying out the first run for up to {number_text(_PROBE_S)} s (--no-probe leaves this out)")
        found = forecast.from_probe(plan, _PROBE_S)
    if found is None:
        return
    from ionsim.study.conduct import usable_cores

    hands = workers or plan.study.engine.workers or usable_cores()
    say(
        f"estimate: {forecast.duration_text(found.run_s)} a run ({found.basis}); {found.n_left} runs left: "
        f"{forecast.duration_text(found.total_s)} of one core, {forecast.duration_text(found.total_s / hands)} on "
        f"{hands} workers"
    )
