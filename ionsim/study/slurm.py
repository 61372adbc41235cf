"""The engine slurm: a job array whose jobs do one run or a few each, and a job after it that writes the table."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ionsim.errors import ResultsError, StudyError
from ionsim.results.atomic import write_text
from ionsim.study.description import EngineKeys
from ionsim.study.folder import StudyFolder
from ionsim.study.locks import locked
from ionsim.study.plan import Task

FOLDER = "slurm"
_LOCK = ".lock"


@dataclass(frozen=True)
class Submission:
    """What was handed to Slurm: numbers of the array and of the job after it, how many jobs the array has."""

    array: int
    table: int
    jobs: int
    scripts: Path


def write_scripts(
    folder: StudyFolder, tasks: Sequence[Task], engine: EngineKeys, extra: str = ""
) -> tuple[Path, int]:
    """Write ``array.sh``, ``collect.sh`` and ``runs.txt`` into a new folder ``slurm/N`` of the study.

    ``extra``: further options of ``ionsim study-point``. Returns the folder and the number of jobs. StudyError where
    the disk refuses.
    """
    size = engine.slurm.runs_per_job
    chunks = [tasks[first : first + size] for first in range(0, len(tasks), size)]
    try:
        (folder.path / FOLDER).mkdir(exist_ok=True)
        with locked(folder.path / FOLDER / _LOCK):
            # A folder for each submission: an earlier array may still be in the queue with its own list of runs.
            scripts = folder.path.absolute() / FOLDER / str(1 + sum(1 for _ in (folder.path / FOLDER).glob("[0-9]*")))
            scripts.mkdir()
        lines = [" ".join(str(task.index) for task in chunk) for chunk in chunks]
        write_text(scripts / "runs.txt", "\n".join(lines) + "\n")
        for name in ("array.sh", "collect.sh"):
            write_text(scripts / name, _script(name, folder, scripts, len(chunks), engine, extra))
    except (OSError, ResultsError) as error:
        raise StudyError(f"{folder.path / FOLDER}: cannot be written ({error})") from error
    return scripts, len(chunks)


def submit(
    folder: StudyFolder, tasks: Sequence[Task], engine: EngineKeys, *, stop_after_s: float | None = None,
    wait: bool = False, retry_failed: bool = False,
) -> Submission:  # fmt: skip
    """Submit what is left of a study; returns at once, or with ``wait`` when the table is written.

    Raises:
        StudyError: where Slurm is not to be had, or refuses.
    """
    if shutil.which("sbatch") is None:
        raise StudyError("engine = slurm: there is no sbatch on PATH; submit from a login node, or take another engine")
    jobs = -(-len(tasks) // engine.slurm.runs_per_job)
    if (limit := _largest_array()) is not None and jobs >= limit:
        needed = -(-len(tasks) // (limit - 1))
        raise StudyError(
            f"{jobs:,} jobs; this cluster takes {limit - 1:,} in an array: set runs_per_job = {needed} in "
            "[engine.slurm]"
        )
    extra = "" if stop_after_s is None else f" --stop-after {stop_after_s:.3f}s"
    scripts, jobs = write_scripts(folder, tasks, engine, extra + (" --retry-failed" if retry_failed else ""))
    array = _sbatch(scripts / "array.sh")
    table = _sbatch(scripts / "collect.sh", f"--dependency=afterany:{array}", *(["--wait"] if wait else []))
    return Submission(array, table, jobs, scripts)


def _script(name: str, folder: StudyFolder, scripts: Path, jobs: int, engine: EngineKeys, extra: str) -> str:
    environment = Environment(
        loader=PackageLoader("ionsim.study"), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    keys, ranks = engine.slurm, engine.ranks_per_run
    command = f"{shlex.quote(sys.executable)} -m ionsim.cli"
    asked = {"partition": keys.partition, "account": keys.account, "time": keys.time, "mem": keys.memory}
    return environment.get_template(f"{name}.j2").render(
        name=re.sub(r"[^\w.-]", "_", folder.plan.study.name), jobs=jobs, ranks=ranks, slurm=keys, command=command,
        options=[*(f"--{key}={value}" for key, value in asked.items() if value is not None), *keys.options],
        folder=shlex.quote(str(folder.path.absolute())), logs=shlex.quote(str(scripts)),
        runs=shlex.quote(str(scripts / "runs.txt")),
        launch=command if ranks == 1 else f"{_launcher(keys.launcher, ranks)} {command}",
        extra=extra,
    )  # fmt: skip


def _launcher(text: str, ranks: int) -> str:
    """The launcher of a run; an ``mpiexec`` is that of the MPI beside this Python, where there is one."""
    beside = Path(sys.executable).with_name("mpiexec")
    if text.startswith("mpiexec ") and beside.exists():
        text = shlex.quote(str(beside)) + text.removeprefix("mpiexec")
    return text.replace("{ranks}", str(ranks))


def _sbatch(script: Path, *options: str) -> int:
    done = subprocess.run(
        ["sbatch", "--parsable", *options, str(script)], capture_output=True, text=True, check=False
    )  # fmt: skip
    found = re.match(r"(\d+)", done.stdout)
    if found is None:
        raise StudyError(f"sbatch {script}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return int(found[1])  # with --wait sbatch ends with the code of the job, which is no trouble of Slurm's


def _largest_array() -> int | None:
    """One more than the jobs that an array may have (``MaxArraySize``); None where Slurm does not say."""
    try:
        done = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", done.stdout, re.MULTILINE)
    return None if found is None else int(found[1])
