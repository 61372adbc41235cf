"""Commands for what a study has found: ``study-plot``, ``study-convergence``, ``study-sensitivity``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ionsim.cli.console import is_root, say
from ionsim.cli.study import StudyDir

if TYPE_CHECKING:
    from ionsim.study import StudyFolder

ObservableOption = Annotated[
    list[str] | None, typer.Option("--observable", metavar="NAME", help="An observable of the table; may come again.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("study-plot")(study_plot)
    app.command("study-convergence")(study_convergence)
    app.command("study-sensitivity")(study_sensitivity)


def study_plot(
    folder: StudyDir,
    observable: ObservableOption = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="KEY", help="Parameter whose values are lines of the distributions.")
    ] = None,
) -> None:
    """Draw a study: main effects, pairs of columns, distributions; convergence and Sobol indices where it has them.

    Runs that failed or are not over are not drawn; the pictures say how many.
    """
    from ionsim.study import StudyFolder
    from ionsim.study.pictures import plot_study

    if is_root():
        pictures = plot_study(StudyFolder.open(folder), observable or (), by)
        say(f"wrote {folder} ({', '.join(path.name for path in pictures)})")


def study_convergence(folder: StudyDir, observable: ObservableOption = None) -> None:
    """Order of convergence, extrapolated value and grid-convergence index of a mesh study; writes convergence.csv."""
    from ionsim.study import StudyFolder

    if is_root():
        report_convergence(StudyFolder.open(folder), observable or ())


def report_convergence(folder: StudyFolder, observables: list[str] | tuple[str, ...]) -> None:
    """Print and write what a mesh study says."""
    from ionsim.study.answers import chosen
    from ionsim.study.convergence import lines, mesh_rows, write_convergence
    from ionsim.study.pictures import table_of

    table = table_of(folder)
    rows = mesh_rows(folder.plan, table, chosen(folder.plan, table, observables))
    for line in lines(rows):
        say(line)
    say(f"wrote {write_convergence(folder.path, rows)}")


def study_sensitivity(folder: StudyDir, observable: ObservableOption = None) -> None:
    """Sobol indices of observables with 95 % intervals, of a study with the design saltelli; writes sobol.csv."""
    from ionsim.study import StudyFolder
    from ionsim.study.pictures import drawn, table_of
    from ionsim.study.sensitivity import lines, sensitivity, write_sensitivity

    if not is_root():
        return
    there = StudyFolder.open(folder)
    table = table_of(there)
    names = drawn(there.plan, table, observable or ())
    found = [each for name in names for each in sensitivity(there.plan, table, name)]
    for each in found:
        for line in lines(each):
            say(line)
    say(f"wrote {write_sensitivity(there.path, found)}")
