"""One job in a process of its own: ``python -m ionsim.bench NAME ARGUMENT PIECES SECONDS`` prints JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ionsim.bench.timing import Effort
from ionsim.errors import IonsimError


class BenchError(IonsimError):
    """A benchmark job that did not finish."""


def run(name: str, argument: float, effort: Effort) -> dict[str, object]:
    """Run a job in a new process: what it returns, and its peak memory as ``peak_MB``.

    Raises:
        BenchError: when it fails, with the last lines of what it said.
    """
    call = [sys.executable, "-m", "ionsim.bench", name, str(argument), str(effort.pieces), str(effort.piece_s)]
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False)
    if done.returncode != 0:
        said = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise BenchError(f"benchmark {name} {argument:g} failed with exit code {done.returncode}: {said}")
    numbers: dict[str, object] = json.loads(done.stdout)
    return numbers


#: Where a job is that is not in :mod:`ionsim.bench.jobs`.
_MODULES = {
    "conduction": "jobs_fem", "multigrid": "jobs_fem", "conduction_answer": "jobs_fem",
    "linear_problem": "jobs_fem", "coupled": "jobs_coupled",
    "messages": "jobs_scale",
}  # fmt: skip


def main(arguments: list[str]) -> None:
    """What the new process does; with a fifth argument it is one of several ranks and writes to this file."""
    import importlib
    import resource

    name, argument, pieces, piece_s, *path = arguments
    jobs = importlib.import_module(f"ionsim.bench.{_MODULES.get(name, 'jobs')}").JOBS
    numbers = jobs[name](Effort(int(pieces), float(piece_s)), float(argument))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    numbers["peak_MB"] = peak * (1e-6 if sys.platform == "darwin" else 1.024e-3)
    if not path:
        sys.stdout.write(json.dumps(numbers))
        return
    from mpi4py import MPI

    numbers["peak_MB"] = MPI.COMM_WORLD.allreduce(numbers["peak_MB"])
    if MPI.COMM_WORLD.rank == 0:
        Path(path[0]).write_text(json.dumps(numbers))
