"""How long each example takes on one core, measured, for ``ionsim examples``: ionsim/examples/times.csv.

python scripts/example_times.py gst_mushroom hfo2_ti_bipolar     # these anew; the others keep their times
python scripts/example_times.py --unknown --stop-after 3m        # those without a whole time, for 3 minutes at most

The processor's time is taken, of one process with one thread, start-up and pictures included: on a busy machine the
wall time says more about its other work. Of a run that the limit stopped the table says that it takes longer.
Not measured so: hfo2_continuum_load (docs/vcm-continuum.md) and psg_wo3_pulse_train (wall time of a run).
"""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ionsim.cli.stopping import STOPPED
from ionsim.config import example_files
from ionsim.config.files import TIMES_FILE, ExampleTime, example_times

#: One thread for numerical libraries.
_ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measured(name: str, stop_after: str | None) -> ExampleTime:
    """Processor time of a run of an example, or of its part until the limit stopped it."""
    with tempfile.TemporaryDirectory() as folder:
        options = [] if stop_after is None else ["--stop-after", stop_after]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "ionsim.cli", "run", name, "--out", str(Path(folder) / "out"), *options],
            check=False, env={**os.environ, **_ONE}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != STOPPED:
        done.check_returncode()
    time_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ExampleTime(time_s, done.returncode != STOPPED)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Examples; else all.")] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only those without the time of a whole run.")] = False,
    stop_after: Annotated[str | None, typer.Option(help="Longest run, such as 3m.")] = None,
) -> None:
    """Measure, and write the table after each run."""
    for name in names or list(example_files()):
        before = example_times().get(name)
        if unknown and before is not None and before.whole:
            continue
        found = measured(name, stop_after)
        typer.echo(f"{name}: {'' if found.whole else 'more than '}{found.time_s:.0f} s")
        if not found.whole and before is not None and before.time_s > found.time_s:
            continue  # what is known says more
        times = example_times() | {name: found}
        with open(TIMES_FILE, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["example", "time_s", "whole"])
            writer.writerows([key, f"{times[key].time_s:.0f}", int(times[key].whole)] for key in sorted(times))


if __name__ == "__main__":
    typer.run(main)
