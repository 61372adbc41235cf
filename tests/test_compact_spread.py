"""Exported cells against an ensemble that was made of the same statistics, and against one that was not."""

import numpy as np
import pytest

from ionsim.compact.card import Card, device_text, make_card
from ionsim.compact.exports.circuits import card_model
from ionsim.compact.families import VCM
from ionsim.compact.statistics import fit_statistics
from ionsim.compact.verify.spread import OBSERVED, simulated, spread_records
from ionsim.config import load

NAMES = ("ea", "g_on", "x_start")
SPREAD = np.array([0.004, 0.08, 0.2])

#: The defaults of the model reach this limit, but not the 1 mA of the device file.
DEVICE = load("hfo2_continuum").replace({f"drive.stages.{number}.compliance_A": 1.5e-4 for number in (0, 2)})


def card(medians: tuple[float, float, float], observed: object = None) -> Card:
    """A VCM card with the drive of a device file and a made-up spread about ``medians``."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 5)
    latent = np.log(medians) + (0.7 * SPREAD * rng.standard_normal((400, 3)))[groups]
    latent += SPREAD * rng.standard_normal((2000, 3))
    units = [VCM.parameter(name).unit for name in NAMES]
    return make_card(
        {
            "name": "cell",
            "family": "vcm",
            "model": "ion_vcm",
            "parameters": {},
            "validity": {},
            "device": device_text(DEVICE.name, DEVICE.to_toml()),
            "statistics": fit_statistics(NAMES, units, np.exp(latent), groups, resamples=20),
            "observed": observed,
        }
    )


@pytest.mark.slow
def test_spreads_of_exported_cells_lie_in_the_intervals_of_their_ensemble() -> None:
    """Two ensembles of 15 devices, 6 cycles each; a barrier 0.02 eV higher lies outside."""
    truth, other = (1.35, 3.3e-4, 0.01), (1.37, 3.3e-4, 0.01)
    names = list(OBSERVED)
    groups = np.repeat(np.arange(15), 6)
    inside = []
    for seed in range(2):
        rows = simulated(card(truth), DEVICE, names, 15, 6, seed=200 + seed).reshape(-1, 4)
        observed = fit_statistics(names, ["V", "V", "S", "S"], rows, groups, resamples=200)
        inside += [record.passed for record in spread_records(card(truth, observed), None, 50, 3)]
    assert np.mean(inside) > 0.8
    wrong = {record.name.split(";")[0]: record.passed for record in spread_records(card(other, observed), None, 50, 3)}
    assert not next(passed for name, passed in wrong.items() if "v_set_V, mean" in name)


def test_without_statistics_there_is_nothing_to_compare() -> None:
    bare = make_card({"name": "bare", "family": "vcm", "model": "ion_vcm", "parameters": {}, "validity": {}})
    assert spread_records(bare) == []


def test_a_card_named_with_a_word_of_verilog_a_gets_another_module_name() -> None:
    content = {"family": "vcm", "model": "ion_vcm", "parameters": {}, "validity": {}}
    names = {name: card_model(make_card({"name": name, **content})).name for name in ("cell", "bare")}
    assert names == {"cell": "ion_cell", "bare": "bare"}
