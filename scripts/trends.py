"""Trends of forming over ensembles of seeds: tables on the screen and a CSV file.

python scripts/trends.py --trend thickness --seeds 3
python scripts/trends.py --seeds 5 --out trends.csv       # all of them; hours for the example
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from ionsim.analysis.trends import TRENDS, Point, Trend, follows, measure, values, write_csv
from ionsim.config import load
from ionsim.errors import expected_errors

console = Console()


def main(
    trend: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(TRENDS)}; repeatable, all by default.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 1 to this number.")] = 3,
    device: Annotated[str, typer.Option(help="A device file or an example's name.")] = "hfo2_ti_bipolar",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key first.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the runs.")] = 2,
    out: Annotated[Path, typer.Option(help="The CSV file.")] = Path("trends.csv"),
) -> None:
    """Run the trends one after the other; the exit code is 1 when one goes another way than expected."""
    chosen = [_named(name) for name in trend or TRENDS]
    base = load(device, changes or ())
    tables: list[tuple[Trend, list[Point]]] = []
    for entry in chosen:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task(entry.name, total=seeds * len(values(entry, base)))
            done = partial(_done, bar, task, entry)
            tables.append((entry, measure(entry, base, range(1, seeds + 1), workers, done)))
        _show(*tables[-1])
        write_csv(out, tables)  # after each: the next may take long
    console.print(f"wrote {out}")
    if not all(follows(*table) for table in tables):
        raise typer.Exit(1)


def _named(name: str) -> Trend:
    if name not in TRENDS:
        raise typer.BadParameter(f"no trend {name!r}; there are {', '.join(TRENDS)}", param_hint="--trend")
    return TRENDS[name]


def _done(bar: Progress, task: TaskID, trend: Trend, value: float, seed: int, result: float | None) -> None:
    found = "none" if result is None else f"{result:.4g}"
    bar.console.print(f"  {trend.variable} {value:g}, seed {seed}: {trend.quantity} {found}", style="dim")
    bar.advance(task)


def _show(trend: Trend, points: list[Point]) -> None:
    verdict = "as expected" if follows(trend, points) else "NOT as expected"
    way = "rises" if trend.direction > 0 else "falls"
    table = Table(trend.variable, f"mean {trend.quantity}", "std", "n", title=f"{trend.name}: {way}, {verdict}")
    for point in points:
        table.add_row(f"{point.value:g}", f"{point.mean:.4g}", f"{point.std:.2g}", f"{point.n} of {len(point.results)}")
    console.print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except expected_errors() as error:
        console.print(f"trends: error: {error}", style="red")
        raise SystemExit(2) from None
