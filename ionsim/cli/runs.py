"""Commands that make runs and look at them: ``run``, ``plot``, ``info``."""

from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.console import is_root, pairs, say
from ionsim.cli.devices import FileArgument, SetOption

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)
    app.command()(plot)
    app.command()(info)


def run(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the random numbers; else that of the file.")] = None,
    changes: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a finished run in DIR.")] = False,
) -> None:
    """Simulate a device and draw its pictures."""
    from ionsim.config import load

    # The file is checked before the finite-element stack is imported, which takes seconds.
    device = load(file, changes or ())
    from ionsim import Simulation

    simulation = Simulation(device, seed=device.seed if seed is None else seed)
    result = simulation.run(out, force=force, progress=True)
    if is_root():
        pictures = result.plot()
        pairs(result.summary)
        say(f"wrote {out} ({', '.join(path.name for path in pictures)})")


def plot(folder: FolderArgument) -> None:
    """Draw the pictures of a run."""
    from ionsim.results import Run

    if is_root():
        for path in Run.open(folder).plot():
            say(str(path))


def info(folder: FolderArgument) -> None:
    """Say what a folder holds: device, status, versions, stages, snapshots, summary."""
    from ionsim.results import Run

    result = Run.open(folder)
    samples = len(next(iter(result.series.values()), []))
    say(f"{result.path}: run of {result.name!r} ({result.family}), seed {result.seed}, {result.status}")
    say(f"  stages     {', '.join(result.stages)}")
    say(f"  samples    {samples} of {', '.join(result.series) or 'nothing'}")
    say(f"  snapshots  {', '.join(result.snapshots) or 'none'}")
    say(f"  versions   {', '.join(f'{name} {version}' for name, version in result.versions.items())}")
    say("summary")
    pairs(result.summary)
