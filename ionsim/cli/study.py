"""Commands for studies: ``study``, and what the jobs of an array call: ``study-point``, ``study-table``."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionsim.cli.console import complain, is_root, number_text, say

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


def seconds_of(text: str) -> float:
    """``90``, ``90s``, ``55m`` or ``1.5h`` in s."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text.strip())
    if found is None or float(found[1]) <= 0.0:
        raise typer.BadParameter(f"{text!r}: a time such as 90s, 55m or 1.5h is needed", param_hint="--stop-after")
    return float(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[found[2] or "s"]


StudyDir = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")]
EngineOption = Annotated[
    EngineName | None, typer.Option("--engine", help="What carries out the runs; else that of the study file.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of the engine local; by default one per usable core.")
]
RanksOption = Annotated[int | None, typer.Option("--ranks-per-run", min=1, help="MPI ranks that share one run.")]
StopOption = Annotated[
    str | None,
    typer.Option("--stop-after", metavar="TIME", help="Stop after 90s, 55m or 1.5h with all states written: code 75."),
]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="Run again what failed before, from its start.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="With the engine slurm: wait until the table is written.")]


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
    stop_after: StopOption = None,
    retry_failed: RetryOption = False,
    wait: WaitOption = False,
    max_runs: Annotated[int, typer.Option("--max-runs", min=1, help="Refuse a study with more runs.")] = 10_000,
) -> None:
    """Run a device with many settings and seeds; a study that is under way in DIR goes on.

    Exit code 0 when all runs are complete, 1 when some failed, 75 when it was stopped and can be resumed.
    """
    from ionsim.study import make_plan

    limit = None if stop_after is None else seconds_of(stop_after)
    plan = make_plan(file, max_runs)
    if dry_run:
        if is_root():
            _describe(plan, out, workers, probe)
        return
    _conduct(plan, out, engine, workers, ranks_per_run, limit, retry_failed, wait)


def resume_study(
    folder: Path, engine: EngineName | None = None, workers: int | None = None, ranks_per_run: int | None = None,
    stop_after_s: float | None = None, retry_failed: bool = False, wait: bool = False,
) -> None:  # fmt: skip
    """What ``ionsim resume`` does with the folder of a study."""
    from ionsim.study import StudyFolder

    _conduct(StudyFolder.open(folder), folder, engine, workers, ranks_per_run, stop_after_s, retry_failed, wait)


def _conduct(
    plan: Plan | StudyFolder, out: Path, engine: EngineName | None, workers: int | None, ranks_per_run: int | None,
    stop_after_s: float | None, retry_failed: bool, wait: bool,
) -> None:  # fmt: skip
    from ionsim.study import StudyFolder, conduct

    options: dict[str, Any] = {
        "kind": None if engine is None else str(engine), "workers": workers, "ranks_per_run": ranks_per_run,
        "stop_after_s": stop_after_s, "retry_failed": retry_failed,
    }  # fmt: skip
    target = None if isinstance(plan, StudyFolder) else out
    described = (plan.plan if isinstance(plan, StudyFolder) else plan).study
    if (engine or described.engine.kind) == EngineName.SLURM and conduct.single():
        del options["kind"]
        job, tally = conduct.submit(plan, target, wait=wait, **options)
        if job is not None:
            say(f"submitted array {job.array} ({job.jobs} jobs) and job {job.table} for the table; see {job.scripts}")
            if not wait:
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
    if tally.stopped or tally.waiting:
        say(f"stopped with {tally.stopped + tally.waiting} runs left; ionsim resume {folder.path} goes on")
    if tally.exit_code:
        raise typer.Exit(tally.exit_code)


def study_point(
    folder: StudyDir,
    runs: Annotated[list[int], typer.Argument(metavar="RUN...", help="Numbers of runs from 1, as a dry run has them.")],
    stop_after: StopOption = None,
    retry_failed: RetryOption = False,
) -> None:
    """Carry out single runs of a study: what a job of an array does; under mpiexec on all its ranks.

    Exit code 0 when all are complete, 1 when one failed, 75 when it was stopped and can go on.
    """
    from ionsim.study import StudyFolder, conduct

    limit = None if stop_after is None else seconds_of(stop_after)
    code = conduct.run_points(
        StudyFolder.open(folder), runs, stop_after_s=limit, retry_failed=retry_failed,
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
