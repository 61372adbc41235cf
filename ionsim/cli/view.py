"""Commands that show a run: ``animate`` and ``view``."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import is_root, say
from ionsim.cli.folders import need_run
from ionsim.cli.runs import FolderArgument


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(animate)
    app.command()(view)


def animate(
    folder: FolderArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .mp4 or .gif; by default a film in DIR.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Stage to show, or all; by default the one that changes most."),
    ] = None,
    fps: Annotated[float, typer.Option(min=1.0, max=60.0, help="Frames a second.")] = 12.0,
    frames: Annotated[int, typer.Option(min=2, max=2000, help="Frames, at most.")] = 100,
) -> None:
    """Make a film of a switching event: the device, its temperature and its curve, moment by moment.

    Repeats the run up to the end of the stage, to see more of it than was kept.
    """
    from ionsim.results import Run

    need_run(folder, "animate")
    run = Run.open(folder)
    if not is_root():
        return
    from rich.progress import Progress

    from ionsim.simulation.replay import stages_of

    names = [run.stages[index] for index in stages_of(run, stage)]
    with Progress(transient=True) as bar:
        task = bar.add_task("repeating the run", total=2.0)

        def update(share: float) -> None:
            bar.update(task, completed=share, description="drawing" if share > 1.0 else "repeating the run")

        path = run.animate(out, stage=stage, fps=fps, frames=frames, progress=update)
    say(f"wrote {path}: {', '.join(names)} ({path.stat().st_size / 1e6:.1f} MB)")


def view(
    folder: FolderArgument,
    start: Annotated[bool, typer.Option("--start", help="Start ParaView, where it is on PATH.")] = False,
) -> None:
    """Write what ParaView needs to show a run (paraview/ in DIR) and print the command for it."""
    from ionsim.results import Run
    from ionsim.results.paraview import command, write_view

    need_run(folder, "view")
    run = Run.open(folder)
    if not is_root():
        return
    written = write_view(run)
    for path in written:
        say(f"wrote {path}")
    words = command(run)
    say(f"to look at it: {' '.join(words)}")
    if start:
        import shutil
        import subprocess

        if shutil.which(words[0]) is None:
            from ionsim.errors import ResultsError

            raise ResultsError(f"{words[0]} is not on PATH; without --start the files are written all the same")
        subprocess.Popen(words, start_new_session=True)
