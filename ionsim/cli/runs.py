"""Commands that make runs and look at them: ``run``, ``resume``, ``ensemble``, ``plot``, ``info``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionsim.cli.console import is_root, number_text, pairs, say, show
from ionsim.cli.devices import FileArgument, SetOption
from ionsim.cli.folders import describe, need_run
from ionsim.cli.stopping import STOPPED, StopAfterOption, seconds_of
from ionsim.cli.study import (
    EngineOption,
    RanksOption,
    RetryOption,
    StudyOptions,
    WaitOption,
    WorkersOption,
    resume_study,
)
from ionsim.cli.summaries import device_of, shown

if TYPE_CHECKING:
    from ionsim.results import Run

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)
    app.command()(resume)
    app.command()(ensemble)
    app.command()(plot)
    app.command()(info)


def run(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the random numbers; else that of the file.")] = None,
    changes: SetOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a finished or a stopped run in DIR.")
    ] = False,
    stop_after: StopAfterOption = None,
) -> None:
    """Simulate a device and draw its pictures."""
    from ionsim.config import load

    # The file is checked before the finite-element stack is imported, which takes seconds.
    device, limit_s = load(file, changes or ()), seconds_of(stop_after)
    from ionsim import Simulation, Stop

    with Stop(limit_s) as stop:
        simulation = Simulation(device, seed=device.seed if seed is None else seed)
        result = simulation.run(out, force=force, progress=True, stop=stop)
    _report(result, out)


def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run, a study or a fit.")],
    stop_after: StopAfterOption = None,
    other_versions: Annotated[
        bool, typer.Option("--other-versions", help="Go on although the run was begun with other versions.")
    ] = False,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    ranks_per_run: RanksOption = None,
    retry_failed: RetryOption = False,
    wait: WaitOption = False,
) -> None:
    """Go on with a run, a study or a fit that was stopped or killed, as if nothing had happened.

    Options from --engine on are for studies only, --workers for fits as well.
    """
    limit_s = seconds_of(stop_after)
    from ionsim.study import is_study

    if is_study(folder):
        resume_study(folder, limit_s, StudyOptions(engine, workers, ranks_per_run, retry_failed, wait))
        return
    from ionsim.fit import is_fit, open_task

    if is_fit(folder):
        from ionsim.cli.fit import carry_out

        carry_out(open_task(folder), folder, workers, limit_s)
        return
    from ionsim.simulation import Stop
    from ionsim.simulation import resume as go_on

    with Stop(limit_s) as stop:
        result = go_on(folder, progress=True, stop=stop, other_versions=other_versions)
    _report(result, folder)


def _report(result: "Run", folder: Path) -> None:
    """Say what a run has come to, and draw the pictures of a finished one; exit code 75 for one that was stopped."""
    if result.status == "stopped":
        say(f"stopped at {result.series['time_s'][-1]:.6g} s; ionsim resume {folder} goes on")
        raise typer.Exit(STOPPED)
    if is_root():
        pictures = result.plot()
        pairs(shown(result))
        say(f"wrote {folder} ({', '.join(path.name for path in pictures)})")
        _say_what_failed(result)


def _say_what_failed(result: "Run") -> None:
    """Say in a line that a device did not form, reset or set."""
    from ionsim.analysis.switching import what_failed

    device = device_of(result)
    if device is not None and (sentence := what_failed(device, result.series, result.stages, result.summary)):
        say(sentence)


def ensemble(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the runs and ensemble.csv.")],
    seeds: Annotated[str, typer.Option(metavar="LIST", help="Seeds such as 1-10 or 1,4,7-9.")] = "1-10",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one per usable core.")] = None,
    changes: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run again what is finished in DIR.")] = False,
) -> None:
    """Simulate a device with many seeds, on worker processes, or on the ranks of mpiexec."""
    from ionsim.config import load

    device, numbers = load(file, changes or ()), seeds_of(seeds)
    from mpi4py import MPI

    from ionsim.simulation import ensemble as run_ensemble
    from ionsim.simulation import statistics
    from ionsim.simulation.ensembles import write_table

    comm = MPI.COMM_WORLD if MPI.COMM_WORLD.size > 1 else None
    summaries = run_ensemble(
        device, numbers, out, workers=workers, comm=comm, force=force,
        on_done=lambda seed, summary: typer.echo(f"seed {seed}: {summary['wall_time_s']:.0f} s"),
    )  # fmt: skip
    if is_root():
        write_table(out / "ensemble.csv", summaries)
        from rich.table import Table

        table = Table("quantity", "mean", "std", "min", "max", "n", title=f"{device.name}: {len(summaries)} seeds")
        for key, (*figures, number) in statistics(summaries).items():
            table.add_row(key, *(number_text(figure) for figure in figures), str(number))
        show(table)
        say(f"wrote {out} (a folder for each seed, ensemble.csv)")


def seeds_of(text: str) -> list[int]:
    """The numbers of a list such as 1,4,7-9."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and (not last.isdigit() or int(last) < int(first))):
            raise typer.BadParameter(f"{text!r}: numbers and ranges such as 1,4,7-9 are needed", param_hint="--seeds")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def plot(folder: FolderArgument) -> None:
    """Draw the pictures of a run."""
    from ionsim.results import Run

    if is_root():
        need_run(folder, "plot")
        for path in Run.open(folder).plot():
            say(str(path))


def info(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Of a run, a study, an ensemble, a fit.")]) -> None:
    """Say what a folder holds: a run (device, status, versions, stages, summary), a study, an ensemble, a fit."""
    from ionsim.results import Run

    if describe(folder):
        return

    result = Run.open(folder)
    samples = len(next(iter(result.series.values()), []))
    say(f"{result.path}: run of {result.name!r} ({result.family}), seed {result.seed}, {result.status}")
    say(f"  stages     {', '.join(result.stages)}")
    say(f"  samples    {samples} of {', '.join(result.series) or 'nothing'}")
    say(f"  snapshots  {', '.join(result.snapshots) or 'none'}")
    say(f"  versions   {', '.join(f'{name} {version}' for name, version in result.versions.items())}")
    say("summary")
    pairs(shown(result))
    _say_what_failed(result)
