"""The commands ``compact extract``, ``fit``, ``export`` and ``verify``: model cards out of the physics."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionsim.cli import compact_export, compact_plot
from ionsim.cli.console import is_root, number_text, say, show
from ionsim.cli.devices import FileArgument, SetOption

if TYPE_CHECKING:
    from ionsim.compact.extraction.extract import Result
    from ionsim.compact.extraction.protocol import ErrorRow, Experiment
    from ionsim.verification import Record

group = typer.Typer(help="Compact models: cards out of the physics, for circuit and system simulators.",
                    no_args_is_help=True)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group.command()(extract)
    group.command()(fit)
    compact_export.register(group)
    compact_plot.register(group)
    group.command()(verify)
    app.add_typer(group, name="compact")


OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for runs, card.json, exports, pictures.")]


def extract(
    file: FileArgument,
    out: OutOption,
    workers: Annotated[int, typer.Option(min=1, help="Processes for seeds of one experiment.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A smaller plan, for a first look.")] = False,
    changes: SetOption = None,
) -> None:
    """Plan and run the virtual experiments of a device, fit its compact model, write the card and every export.

    Finished runs in DIR are read, not run again.
    """
    from ionsim.compact.extraction.extract import extract as run_extraction
    from ionsim.compact.extraction.extract import extraction_of
    from ionsim.config import load

    device = load(file, changes or ())
    names = [item.name for item in extraction_of(device.family).plan(device, quick)]
    say(f"{device.name}: {len(names)} experiments")

    def done(experiment: "Experiment", seed: int, wall_s: float, before: bool) -> None:
        number = names.index(experiment.name) + 1
        took = "was there" if before else f"{wall_s:.0f} s"
        say(f"  {number:>3}/{len(names)}  {experiment.name}, seed {seed} ({experiment.role}): {took}")

    _report(run_extraction(device, out, workers=workers, quick=quick, on_run=done), out)


def fit(
    sources: Annotated[list[Path], typer.Argument(metavar="RUNS...", help="Folders of runs, or measured CSV files.")],
    out: OutOption,
    device: Annotated[
        Path | None,
        typer.Option("--device", metavar="FILE", help="Device file with drive and circuit, for measured CSV files."),
    ] = None,
) -> None:
    """Fit a compact model to existing runs or to measured CSV files (columns time_s, voltage_V, current_A)."""
    from ionsim.compact.extraction.extract import fit_measured, gather
    from ionsim.config import load

    given = None if device is None else load(device)
    _report(fit_measured(gather(sources, given), out, device=given), out)


def verify(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder with a card.json; else the cards that ship.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list of records.")] = False,
    check: Annotated[
        list[str] | None, typer.Option("--check", metavar="NAME", help="Only this check; repeatable.")
    ] = None,
) -> None:
    """Check cards: equations, simulators, held-out physics, behaviour, arrays, exports; exit code 1 when one fails."""
    from ionsim.compact.verify.cards import card_folders, verify_card

    found = {place.name: verify_card(place, check) for place in card_folders(folder)}
    records = [(name, kind, record) for name, kinds in found.items() for kind, each in kinds.items() for record in each]
    if as_json:
        say(json.dumps([{**record.as_dict(), "name": f"{name}: {kind}: {record.name}",
                         "value": record.value if math.isfinite(record.value) else None}
                        for name, kind, record in records], indent=2))  # fmt: skip
    else:
        _records(records)
    if any(record.passed is False for _, _, record in records):
        raise typer.Exit(1)


def _records(records: Sequence[tuple[str, str, "Record"]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("card", "check", "record", "value", "limit", "passed")
    verdicts = {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("-")}
    for name, kind, record in records:
        limit = "-" if record.limit is None else f"{record.limit:.4g}"
        value = f"{record.value:.4g} {record.unit}".rstrip()
        table.add_row(name, kind, Text(record.name), value, limit, verdicts[record.passed])
    show(table)


def _report(result: "Result", out: Path) -> None:
    """Parameters, then the error table, then what was written."""
    if not is_root():
        return
    from rich.table import Table

    fitted = result.fitted
    parameters = Table("parameter", "value", "standard error", "unit", title=f"{result.card.name}: fitted parameters")
    for name in fitted.names:
        unit = result.card.parameters[name].unit
        parameters.add_row(name, number_text(fitted.values[name]), number_text(fitted.standard_error(name)), unit)
    show(parameters)
    say(f"condition number {fitted.condition:.3g}, residual rms {fitted.residual_rms:.3g} of what is allowed")
    show(_errors(result.rows))
    failed = sum(row.passed is False for row in result.rows if row.held_out)
    judged = sum(row.passed is not None for row in result.rows if row.held_out)
    say(f"held out: {judged - failed} of {judged} within their limits")
    say(f"wrote {out} ({len(result.files)} files)")


def _errors(rows: "Sequence[ErrorRow]"):  # type: ignore[no-untyped-def]  # rich is imported where it is used
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "condition", "held out", "physics", "model", "error", "limit", "passed",
                  title="model against physics")  # fmt: skip
    verdicts = {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("-")}
    for row in rows:
        table.add_row(
            row.check, row.condition, "yes" if row.held_out else "", number_text(row.measured), number_text(row.model),
            f"{row.value:.3g} {row.unit}", "-" if row.limit is None else f"{row.limit:g}", verdicts[row.passed],
        )  # fmt: skip
    return table
