"""The cards that ship, one a family: they load, and what was held out of their fit is there to be replayed."""

import math

import pytest

from ionsim.compact import CompactError
from ionsim.compact.card import load_card
from ionsim.compact.extraction.traces import read_traces
from ionsim.compact.verify import cards

FOLDERS = cards.card_folders()

#: Held-out rows that each card must have, and how many of them may fail: those that its page names.
KNOWN = {"vcm": (21, 1), "ecm": (19, 4), "pcm": (52, 3), "ecram": (92, 0)}


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


#: Cards with a spread, least number of figures that are compared, and how many may fail: those that the page names.
SPREADS = {"vcm": (13, 3), "ecm": (2, 0)}


def test_cards_with_a_spread_say_what_it_is_of():
    card = load_card(FOLDERS[[folder.name for folder in FOLDERS].index("vcm")] / "card.json")
    assert card.statistics is not None
    assert "hfo2_ti_bipolar" in card.statistics.origin
    assert card.statistics.n_devices >= 10
    assert set(card.observed.names) == {"v_reset_V", "g_off_S", "v_set_V", "g_on_S"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_universal_metric_is_there_or_says_why_not(folder):
    metrics = load_card(folder / "card.json").benchmark
    assert set(metrics) >= {
        "E_action_J", "E_fire_J", "E_spike_J", "P_standby_W", "stochasticity", "nonlinearity_up", "nonlinearity_down",
        "asymmetry", "n_states", "cycle_sd_ln_g_on", "device_sd_ln_g_on", "retention_ea_eV", "switching_decades_per_V",
    }  # fmt: skip
    for name, metric in metrics.items():
        assert metric.value is not None or metric.note, name


@pytest.mark.slow
@pytest.mark.parametrize("folder", [item for item in FOLDERS if item.name in SPREADS], ids=lambda folder: folder.name)
def test_drawn_cells_scatter_as_the_physics_but_for_what_the_page_names(folder):
    (records,) = cards.verify_card(folder, ["spread"]).values()
    least, failing = SPREADS[folder.name]
    assert len(records) >= least
    failed = [record for record in records if record.passed is False]
    assert len(failed) <= failing, failed


def test_a_check_that_breaks_off_is_a_failed_record():
    def broken():
        raise CompactError("simulation(s) aborted")

    (record,) = cards._recorded("pcm", "transistor", broken)
    assert record.passed is False
    assert math.isnan(record.value)
    assert "transistor broke off (simulation(s) aborted)" in record.name
