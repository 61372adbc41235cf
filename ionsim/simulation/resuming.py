"""Going on with a run that was stopped, killed or broken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpi4py import MPI

from ionsim.config import Device
from ionsim.errors import ResultsError
from ionsim.results import Run, versions
from ionsim.results.atomic import remove_leftovers
from ionsim.simulation.chief import on_chief
from ionsim.simulation.loop import Simulation
from ionsim.simulation.stopping import Stop


def resume(
    folder: str | Path,
    *,
    comm: MPI.Comm | None = None,
    progress: bool = False,
    stop: Stop | None = None,
    other_versions: bool = False,
) -> Run:
    """Go on with the run in a folder from its checkpoint to its end, or to the next stop; returns it as it reads back.

    What comes out is what the run would have written without the interruption, to the last bit. A finished run is
    returned as it is. Collective over ``comm``, which has as many ranks as the run had.

    Args:
        folder: that of a run that was stopped or killed, or that failed.
        comm: ranks of the run, all of the process's by default.
        progress: show a bar.
        stop: when to stop again.
        other_versions: go on although ionsim or a package that results depend on has another version than the one
            that the run was begun with; the result is then not that of either.

    Raises:
        ResultsError: when there is no checkpoint, or none of this number of ranks, or what the run was made of has
            changed since: versions, a table of the drive, atoms.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    parts: list[dict[str, Any]] = []
    run, saved = on_chief(comm, lambda: _read(Path(folder), comm.size, other_versions, parts))
    if run.status == "complete":
        return run
    simulation = Simulation(Device.from_toml(run.input_toml), seed=run.seed, comm=comm)
    simulation.restore(run, saved, comm.scatter(parts or None))
    return simulation.carry_out(run.path, progress=progress, stop=stop)


def can_resume(run: Run, ranks: int) -> bool:
    """Whether an unfinished run has a checkpoint of so many ranks, made with the versions of now."""
    return run.versions == versions() and run.checkpoint_ranks == ranks


def _read(folder: Path, ranks: int, other_versions: bool, parts: list[dict[str, Any]]) -> tuple[Run, dict[str, Any]]:
    """The run at its checkpoint and what all ranks need of that; ``parts`` is filled with what each needs."""
    run = Run.open(folder)
    if run.status == "complete":
        return run, {}
    now = versions()
    changed = sorted(name for name in run.versions.keys() | now.keys() if run.versions.get(name) != now.get(name))
    if changed and not other_versions:
        names = ", ".join(f"{name} {run.versions.get(name)} -> {now.get(name)}" for name in changed)
        raise ResultsError(
            f"{folder}: the run was begun with other versions ({names}), with which the rest would not be what it is "
            "without the interruption; --other-versions goes on all the same"
        )
    if not run.checkpoint_ranks:
        raise ResultsError(f"{folder}: has no checkpoint to go on from (the run is {run.status!r}); start it anew")
    if run.checkpoint_ranks != ranks:
        raise ResultsError(
            f"{folder}: the run was made on {run.checkpoint_ranks} ranks; resume it on as many, not on {ranks}"
        )
    remove_leftovers(run.path)
    run = run.at_checkpoint()
    saved = run.checkpoint()
    found = saved.pop("ranks")
    parts += [found[str(rank)] for rank in range(ranks)]
    return run, saved
