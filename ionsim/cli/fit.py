"""The command that calibrates a device: ``fit``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ionsim.cli.console import is_root, number_text, say
from ionsim.cli.devices import FileArgument, SetOption
from ionsim.cli.stopping import STOPPED, StopAfterOption, seconds_of
from ionsim.cli.study import WorkersOption

if TYPE_CHECKING:
    from ionsim.fit import Task

#: Points for each parameter that measured fits took, survey and intervals included: about the fewest and the most.
POINTS = (20, 100)


class MethodName(StrEnum):
    """How to search."""

    LEAST_SQUARES = "least-squares"
    LOCAL = "local"
    EVOLUTION = "evolution"


class ScaleName(StrEnum):
    """How a quantity is compared."""

    LOG = "log"
    LINEAR = "linear"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(fit)


def fit(
    file: FileArgument,
    data: Annotated[Path, typer.Option("--data", metavar="CSV", help="What was measured; the header names quantities "
                                       "with units, such as voltage_V,current_A.")],
    vary: Annotated[list[str], typer.Option("--vary", metavar="KEY=LO:HI[:log]", help="A number to fit; repeatable.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the fit.")],
    changes: SetOption = None,
    columns: Annotated[str | None, typer.Option(metavar="LIST", help="Columns of the table that are used, such as "
                                                "voltage_V,current_A; else all.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="LIST", help="Seeds such as 1-5, over whose runs is averaged; "
                                              "else that of the file.")] = None,
    workers: WorkersOption = None,
    method: Annotated[MethodName, typer.Option(help="A survey of the range, then a trust region from the best "
                                               "point; that from the file's values; an evolution first."
                                               )] = MethodName.LEAST_SQUARES,
    rounds: Annotated[int, typer.Option(min=1, help="Most steps of the trust region.")] = 15,
    population: Annotated[int, typer.Option(min=2, help="Evolution: members for each parameter.")] = 8,
    generations: Annotated[int, typer.Option(min=1, help="Evolution: generations.")] = 12,
    floor: Annotated[float | None, typer.Option(help="Noise floor in the quantity's unit: logarithms above, "
                                                "differences below.")] = None,
    scale: Annotated[ScaleName | None, typer.Option(help="Compare so, whatever the unit says.")] = None,
    threshold: Annotated[float | None, typer.Option("--threshold", metavar="A", help="Current that tells switching; "
                                                    "else the compliance.")] = None,
    longest: Annotated[float, typer.Option(help="A run ends unswitched at so many times the measured time.")] = 30.0,
    voltage_error: Annotated[float | None, typer.Option(metavar="V", help="Standard error of a sweep's voltages; "
                                                        "else, beside an abrupt transition, the step over the root "
                                                        "of 12.")] = None,
    current_error: Annotated[float, typer.Option(help="Relative standard error of a current, beside that.")] = 0.05,
    profile: Annotated[bool, typer.Option(help="Check intervals along profiles of the sum of squares.")] = True,
    stop_after: StopAfterOption = None,
) -> None:  # fmt: skip
    """Fit numbers of a device file to a measured table, with 95 % intervals; called again it goes on where it stopped.

    Exit code 0 when it has come to its end, 2 for bad input, 75 when it was stopped and can go on.
    """
    from ionsim.cli.runs import seeds_of
    from ionsim.errors import FitError
    from ionsim.fit.plan import Options
    from ionsim.fit.search import Search

    limit_s = seconds_of(stop_after)
    for name, value in (("--floor", floor), ("--threshold", threshold), ("--longest", longest),
                        ("--current-error", current_error)):  # fmt: skip
        if value is not None and not value > 0.0:
            raise FitError(f"{name} {value:g}: must be above 0")
    if longest < 2.0:
        raise FitError(f"--longest {longest:g}: must be 2 or more: a run has to get past the measured time")
    if voltage_error is not None and voltage_error < 0.0:
        raise FitError(f"--voltage-error {voltage_error:g}: must be 0 or more")
    from ionsim.fit import prepare

    task = prepare(
        file, data, vary, overrides=changes or (), seeds=None if seeds is None else seeds_of(seeds), profile=profile,
        columns=() if columns is None else tuple(name.strip() for name in columns.split(",")),
        options=Options(
            floor, None if scale is None else scale.value, threshold, longest, voltage_error, current_error
        ),
        how=Search(method.value, rounds, population, generations),
    )  # fmt: skip
    carry_out(task, out, workers, limit_s)


def carry_out(task: Task, out: Path, workers: int | None, limit_s: float | None) -> None:
    """Run a fit, or go on with it, and say what has come out."""
    from mpi4py import MPI

    from ionsim.errors import FitError
    from ionsim.fit import as_lines, run
    from ionsim.fit.evaluation import Outcome
    from ionsim.fit.objective import Point
    from ionsim.fit.report import HISTORY_FILE
    from ionsim.simulation import Stop
    from ionsim.study.conduct import usable_cores
    from ionsim.study.forecast import duration_text

    if MPI.COMM_WORLD.size > 1:
        raise FitError("a fit runs in one process with --workers, not under mpiexec")

    n_workers = workers or usable_cores()
    names, best = [item.key.rpartition(".")[2] for item in task.items], [np.inf]
    each = max(1, len(task.parts) * len(task.seeds))

    def report(number: int, point: Point) -> None:
        values = ", ".join(
            f"{name} {number_text(item.value(u))}"
            for name, item, u in zip(names, task.items, point.u.tolist(), strict=True)
        )
        best[0] = min(best[0], point.rms)
        found = point.failed or f"rms {number_text(point.rms)}, best {number_text(best[0])}"
        say(f"point {number}: {values}: {found}")

    def on_run(number: int, outcome: Outcome) -> None:
        say(f"  run {number}: {outcome.wall_s:.1f} s")
        if number == 1:
            counts = [points * len(task.items) for points in POINTS]
            low, high = (duration_text(count * each * outcome.wall_s / n_workers) for count in counts)
            say(f"a fit takes some {counts[0]} to {counts[1]} points, here {low} to {high}")

    say(f"{task.device.name}: {len(task.items)} parameters, {task.rows} measured rows")
    if task.options.voltage_error_V is None:
        errors = {getattr(part.comparison, "voltage_error_V", 0.0) for part in task.parts}
        if max(errors) > 0.0:
            say(f"an abrupt transition: voltages count as known within {max(errors):.2g} V (--voltage-error)")
    with Stop(limit_s) as stop:
        result = run(task, out, workers=n_workers, stop=stop, report=report, on_run=on_run)
    if result is None:
        say(f"stopped; points so far are in {out / HISTORY_FILE}; the same command, or ionsim resume {out}, goes on")
        raise typer.Exit(STOPPED)
    if is_root():
        for line in as_lines(result):
            say(line)
        say(f"wrote {out} (fitted.toml, fit.json, fit.csv, fit.png)")
