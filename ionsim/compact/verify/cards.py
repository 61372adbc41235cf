"""Cards verified: the checks of their family with their values, held-out physics replayed, exports."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ionsim.compact.card import Card, load_card, shipped_cards
from ionsim.compact.description import CompactError
from ionsim.compact.verify import CHECKS, TRIALS, Trial
from ionsim.compact.verify.exports import export_records as library_records
from ionsim.compact.verify.spread import spread_records
from ionsim.errors import nearest
from ionsim.verification.record import Record


def card_folders(folder: Path | None = None) -> list[Path]:
    """The folder given, or those of the cards that ship; raises CompactError without a card."""
    found = [folder] if folder is not None else [path.parent for path in shipped_cards().values()]
    for place in found:
        if not (place / "card.json").is_file():
            raise CompactError(f"{place}: holds no card.json")
    if not found:
        raise CompactError("no card ships with this version")
    return found


def verify_card(folder: Path, checks: Sequence[str] | None = None) -> dict[str, list[Record]]:
    """Records by check of the card in a folder; raises CompactError for a check that does not exist."""
    card = load_card(folder / "card.json")
    known: dict[str, Callable[[], list[Record]]] = {
        "held out": lambda: held_out_records(card, folder / "heldout"),
        "exports": lambda: export_records(card),
        "spread": lambda: spread_records(card, folder),
    }
    trial = card_trial(card)
    if trial is not None:
        known |= {name: partial(check, trial) for name, check in CHECKS.items()}
    for name in checks or ():
        if name not in known:
            raise CompactError(f"check {name!r}: no such check{nearest(name, known)}; {', '.join(known)}")
    return {name: _recorded(card.family, name, run) for name, run in known.items() if not checks or name in checks}


def _recorded(family: str, name: str, run: Callable[[], list[Record]]) -> list[Record]:
    """The records of a check; one that a tool or a solver breaks off is one failed record, and the others go on."""
    try:
        return run()
    except CompactError as error:
        said = " ".join(str(error).split())[-120:]
        return [Record(f"{family}: {name} broke off ({said})", float("nan"), "", 0.0, False)]


def card_trial(card: Card) -> Trial | None:
    """How a card's cell is driven: as its family, or as its extraction says (``trial(card)``); None: not known."""
    from ionsim.compact.extraction.extract import extraction_of

    trial = TRIALS.get(card.family)
    if trial is None:
        return None
    try:
        own = getattr(extraction_of(card.family), "trial", None)
    except CompactError:
        own = None
    changed: Trial = replace(trial, model=card.compact_model()) if own is None else own(card, trial)
    return changed


def held_out_records(card: Card, folder: Path) -> list[Record]:
    """The held-out physics replayed with the card's values: the rows of its error table that were not fitted."""
    from ionsim.compact.extraction.extract import extraction_of
    from ionsim.compact.extraction.protocol import Fitted
    from ionsim.compact.extraction.traces import read_traces

    measured = read_traces(folder)
    if not measured:
        return []
    fitted = Fitted(card.values(), (), np.zeros((0, 0)), {}, 0.0, 0.0)
    found = []
    for row in extraction_of(card.family).errors(fitted, measured):
        if row.limit is not None:
            found.append(Record(f"{row.check}, {row.condition}", row.value, row.unit, row.limit, row.passed))
    return found


def export_records(card: Card) -> list[Record]:
    """Every format is written, twice with the same bytes; those that need pulse trains are left out without them.

    Then what ``verify.exports`` finds in the libraries that are there.
    """
    from ionsim.compact.exports import FORMATS, export_card

    found = []
    with tempfile.TemporaryDirectory(prefix="ionsim-export-") as name:
        for format in FORMATS:
            if not card.pulses and format in ("aihwkit", "crosssim", "neurosim"):
                continue
            first, second = (export_card(card, format, Path(name) / format / str(k)) for k in range(2))
            differing = sum(a.read_bytes() != b.read_bytes() for a, b in zip(first, second, strict=True))
            found.append(Record.below(f"{format}: files that differ when written again", differing, 0))
    return found + library_records(card)
