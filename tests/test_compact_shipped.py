"""The cards that ship, one a family: they load, and what was held out of their fit is there to be replayed."""

import math

import pytest

from ionsim.compact import CompactError
from ionsim.compact.card import load_card
from ionsim.compact.extraction.traces import read_traces
from ionsim.compact.verify import cards

FOLDERS = cards.card_folders()

#: Held-out rows that each card must have, and how many of them may fail: those that its page names.
KNOWN = {"vcm": (21, 5), "ecm": (19, 4), "pcm": (49, 3), "ecram": (92, 1)}


def test_every_family_ships_a_card():
    assert {folder.name for folder in FOLDERS} == set(KNOWN)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_card_and_its_traces_can_be_read(folder):
    card = load_card(folder / "card.json")
    assert card.text() == (folder / "card.json").read_text(encoding="utf-8")
    measured = read_traces(folder / "heldout")
    assert measured
    assert all(one.device.family == card.family for one in measured)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_held_out_physics_is_met_but_for_what_the_page_names(folder):
    rows = cards.held_out_records(load_card(folder / "card.json"), folder / "heldout")
    least, failing = KNOWN[folder.name]
    assert len(rows) >= least
    failed = [row for row in rows if not row.passed]
    assert len(failed) <= failing, failed


def test_a_check_that_breaks_off_is_a_failed_record():
    def broken():
        raise CompactError("simulation(s) aborted")

    (record,) = cards._recorded("pcm", "transistor", broken)
    assert record.passed is False
    assert math.isnan(record.value)
    assert "transistor broke off (simulation(s) aborted)" in record.name
