"""The command ``bench``: speed and memory of the lattice engine beside other programs, and of a cell."""

import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ionsim.cli.console import number_text, say, show

if TYPE_CHECKING:
    from ionsim.bench import Line


class Subject(StrEnum):
    """What can be timed."""

    KMC = "kmc"
    ECM = "ecm"
    PCM = "pcm"
    ECRAM = "ecram"
    FEM = "fem"
    COUPLED = "coupled"
    SCALE = "scale"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(bench)


def bench(
    subject: Annotated[
        Subject,
        typer.Argument(
            help="kmc: the lattice engine; ecm: forming of a 10 nm cell; pcm: a RESET and a SET; "
            "ecram: 1,000 gate pulses; fem: conduction on one and two ranks; coupled: a field refresh of a VCM device; "
            "scale: more ranks."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list of records.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter runs, no large lattices, a smaller cell.")] = False,
) -> None:
    """Events per second, memory and cost against size, or time of a run; the exit code is 1 when a limit is missed.

    Peers were timed on a machine with two cores, on one of them: compare on a quiet machine.
    """
    from ionsim import bench as benches

    subjects: dict[Subject, Callable[[bool], Iterator[Line]]] = {
        Subject.KMC: benches.kmc_lines, Subject.ECM: benches.ecm_lines, Subject.PCM: benches.pcm_lines,
        Subject.ECRAM: benches.ecram_lines, Subject.FEM: benches.fem_lines, Subject.COUPLED: benches.coupled_lines,
        Subject.SCALE: benches.scale_lines,
    }  # fmt: skip
    lines = list(subjects[subject](quick))
    if as_json:
        say(json.dumps([record.as_dict() for line in lines for record in line.records()], indent=2))
    else:
        _table(lines)
    if any(line.record.passed is False for line in lines):
        raise typer.Exit(1)


def _table(lines: Iterable["Line"]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("what", "value", "limit", "passed", "peer", "of the peer")
    verdicts = {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("-")}
    for line in lines:
        record, peer = line.record, line.peer
        table.add_row(
            Text(record.name), f"{_short(record.value)} {record.unit}".rstrip(),
            "-" if record.limit is None else _short(record.limit), verdicts[record.passed],
            Text("-" if peer is None else f"{peer.name}: {_short(peer.value)}"),
            "-" if peer is None else f"{record.value / peer.value:.3g}",
        )  # fmt: skip
    show(table)


def _short(value: float) -> str:
    """Three digits, thousands and millions written so."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{name}"
    return number_text(float(f"{value:.3g}"))
