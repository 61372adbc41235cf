"""Reports of runs, looked at in a browser: size, times, and whether scenes turn and sliders move.

python scripts/example_reports.py --runs runs                  # runs every example that runs/ lacks; an hour
python scripts/example_reports.py --runs runs gst_mushroom     # one example
python scripts/example_reports.py --runs runs --present        # only what is there already
"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ionsim import Simulation
from ionsim.config import example_files, load
from ionsim.report import report
from ionsim.results import RUN_FILE

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import browser, executable, faults, opened

#: Largest page, MB.
LIMIT_MB = 15.0


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Examples; all by default.")] = None,
    runs: Annotated[Path, typer.Option(help="A folder with a folder for each example.")] = Path("runs"),
    present: Annotated[bool, typer.Option("--present", help="Leave out examples that have not run.")] = False,
) -> None:
    """Write and check the reports; exit code 1 when something is wrong with one."""
    if executable() is None:
        raise typer.BadParameter("no Chromium is installed here")
    bad = 0
    typer.echo("| example | status | snapshots | page (MB) | written (s) | drawn (s) | faults |")
    typer.echo("|---|---|---|---|---|---|---|")
    for name in names or sorted(example_files()):
        folder = runs / name
        if not (folder / RUN_FILE).is_file():
            if present:
                continue
            Simulation(load(name)).run(folder)
        line, wrong = look(name, folder)
        bad += wrong
        typer.echo(line)
    raise typer.Exit(min(bad, 1))


def look(name: str, folder: Path) -> tuple[str, int]:
    """A row of the table, and how many faults there are."""
    from ionsim.results import Run

    run = Run.open(folder)
    begin = time.monotonic()
    page = report(folder)
    written = time.monotonic()
    with browser() as chromium:
        start = time.monotonic()
        with opened(chromium, page, timeout_s=600.0) as shown:
            drawn = time.monotonic()
            found = faults(shown)
    size = page.stat().st_size / 1e6
    if size > LIMIT_MB:
        found.append(f"larger than {LIMIT_MB:g} MB")
    row = (name, run.status, str(len(run.snapshots)), f"{size:.1f}", f"{written - begin:.1f}", f"{drawn - start:.1f}",
           "; ".join(found) or "none")  # fmt: skip
    return f"| {' | '.join(row)} |", len(found)


if __name__ == "__main__":
    typer.run(main)
