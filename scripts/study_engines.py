"""Run one study with each engine and compare the tables: equal to the byte but for wall times.

python scripts/study_engines.py STUDY.toml OUT [--engines local mpi slurm]

local on 2 processes, mpiexec -n 3, and a job array of Slurm (SLURM_CONF set, see hpc/slurm-on-one-machine.sh).
Exit code 1 when tables differ.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import typer

IONSIM = [sys.executable, "-m", "ionsim.cli"]


def launcher() -> str:
    """The mpiexec of the MPI that this Python uses."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec") or "mpiexec"


def command(engine: str, study: str, out: Path) -> list[str]:
    """What a person types."""
    run = [*IONSIM, "study", study, "--out", str(out), "--engine", engine]
    if engine == "mpi":
        return [launcher(), "-n", "3", *run]
    return [*run, "--workers", "2"] if engine == "local" else [*run, "--wait"]


def main() -> int:
    """Do it; 1 when tables differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study")
    parser.add_argument("out", type=Path)
    parser.add_argument("--engines", nargs="+", default=["local", "mpi", "slurm"])
    options = parser.parse_args()
    digests = {}
    for engine in options.engines:
        begin = time.monotonic()
        out = options.out / engine
        code = subprocess.run(command(engine, options.study, out), stdout=subprocess.DEVNULL, check=False).returncode
        lines = (out / "table.csv").read_text().splitlines()
        text = "\n".join(line.rpartition(",")[0] for line in lines)
        digests[engine] = hashlib.sha256(text.encode()).hexdigest()
        wall_s = time.monotonic() - begin
        typer.echo(f"{engine}: code {code}, {len(lines) - 1} rows, {wall_s:.0f} s, sha256 {digests[engine][:16]}")
    return 0 if len(set(digests.values())) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
