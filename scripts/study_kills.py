"""Kill a study in every way, go on with it each time, and count: nothing that had finished is run again.

python scripts/study_kills.py STUDY.toml OUT [--reference TABLE.csv]

In this order: kill -9 of a worker, of the process that hands out runs, of the whole study, then SIGTERM. The counts are
those of OUT/log.jsonl. With a reference the table must be equal to the byte but for its last column, the wall times.
Exit code 1 when anything is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import typer

IONSIM = [sys.executable, "-m", "ionsim.cli"]
PATIENCE_S = 3600.0


def events(out: Path) -> list[dict]:
    """The lines of the log so far."""
    path = out / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def under_way(out: Path) -> dict[str, int]:
    """Runs under way, and the processes that do them."""
    found: dict[str, int] = {}
    for event in events(out):
        if event["event"] in ("start", "resume"):
            found[event["run"]] = event["pid"]
        else:
            found.pop(event["run"], None)
    return found


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(what: str, condition, process: subprocess.Popen) -> None:
    """Wait for something while a study goes on."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if process.poll() is not None:
            sys.exit(f"the study ended with code {process.returncode} before {what}")
        if time.monotonic() > end:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.05)


def start(*arguments: str) -> subprocess.Popen:
    """A study in a session of its own, so that all of it can be killed."""
    typer.echo(f"$ ionsim {' '.join(arguments)}")
    return subprocess.Popen([*IONSIM, *arguments], start_new_session=True, stdout=subprocess.DEVNULL)


def without_wall(text: str) -> list[str]:
    """The lines of a table without their last column."""
    return [line.rpartition(",")[0] for line in text.splitlines()]


def main() -> int:
    """Do it; 1 when anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study")
    parser.add_argument("out", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--runs", type=int, default=60, help="runs of the study")
    options = parser.parse_args()
    out, runs = options.out, options.runs

    def complete() -> int:
        return sum(event["event"] == "complete" for event in events(out))

    def reached(share: float):
        """So many runs complete, and one in the middle."""
        return lambda: complete() >= share * runs and bool(under_way(out))

    study = start("study", options.study, "--out", str(out), "--workers", "2")
    until("a tenth was complete", reached(0.1), study)
    time.sleep(0.3)
    run, worker = next(iter(under_way(out).items()))
    os.kill(worker, signal.SIGKILL)
    typer.echo(f"kill -9 of the worker {worker} in {run}, {complete()} of {runs} complete")
    until("another worker took its run", lambda: any(event["event"] == "died" for event in events(out)), study)

    until("a third was complete", reached(0.35), study)
    workers = list(under_way(out).values())
    os.kill(study.pid, signal.SIGKILL)
    typer.echo(f"kill -9 of the process that hands out runs, {complete()} of {runs} complete")
    study.wait()
    while any(alive(pid) for pid in workers):
        time.sleep(0.05)
    last = {event["run"]: event["event"] for event in events(out)}
    stopped = list(last.values()).count("stopped")
    typer.echo(f"  its workers have ended; runs stopped with their state written: {stopped}")

    study = start("resume", str(out), "--workers", "2")
    until("six tenths were complete", reached(0.6), study)
    os.killpg(study.pid, signal.SIGKILL)
    typer.echo(f"kill -9 of the whole study, {complete()} of {runs} complete")
    study.wait()

    study = start("resume", str(out), "--workers", "2")
    until("eight tenths were complete", reached(0.8), study)
    study.send_signal(signal.SIGTERM)
    code = study.wait()
    typer.echo(f"SIGTERM: exit code {code}, {complete()} of {runs} complete")
    wrong = [] if code == 75 else [f"exit code {code} after SIGTERM, not 75"]

    code = start("resume", str(out), "--workers", "2").wait()
    wrong += [] if code == 0 else [f"exit code {code} at the end, not 0"]
    log = events(out)
    done: set[str] = set()
    for event in log:
        if event["run"] in done:
            wrong.append(f"{event['run']}: {event['event']} after it was complete")
        if event["event"] == "complete":
            done.add(event["run"])
    counts = Counter(event["event"] for event in log)
    typer.echo(f"events: {', '.join(f'{name} {number}' for name, number in sorted(counts.items()))}")
    wrong += [] if len(done) == counts["complete"] == runs else [f"{len(done)} of {runs} runs complete"]
    table = (out / "table.csv").read_text()
    wrong += [] if len(table.splitlines()) == runs + 1 else ["the table is not complete"]
    if options.reference is not None:
        same = without_wall(table) == without_wall(options.reference.read_text())
        typer.echo(f"table equal to the reference but for wall times: {same}")
        wrong += [] if same else ["the table differs from the reference"]
    for line in wrong:
        typer.echo(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
