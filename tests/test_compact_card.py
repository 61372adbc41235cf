"""Cards: what they hold, what they refuse, and that their text does not depend on how they were made."""

import json
from typing import Any

import numpy as np
import pytest

from ionsim.compact.card import device_text, json_schema, load_card, make_card, read_card
from ionsim.compact.description import CompactError


def data() -> dict[str, Any]:
    """A small card in plain data."""
    return {
        "name": "cell",
        "family": "vcm",
        "model": "ion_vcm",
        "device": device_text("cell", 'name = "cell"\n'),
        "parameters": {
            "rs": {"value": 900, "unit": "Ohm", "standard_error": 12.0, "source": "fitted"},
            "ea": {"value": 1.1, "unit": "eV", "source": "fixed: of the material set"},
        },
        "covariance": {"names": ["rs"], "scale": {"rs": "log"}, "matrix": [[1.7e-4]]},
        "validity": {"voltage_V": [-1.5, 1.5], "rate_V_per_s": [0.1, 1e5]},
        "pulses": [
            {"direction": "up", "amplitude": 1.0, "width_s": 1e-6, "read_V": 0.1, "conductances_S": [1e-6, 2e-6, 3e-6]}
        ],
    }


def test_round_trip_and_model() -> None:
    card = make_card(data())
    assert read_card(card.text()) == card
    assert read_card(card.text()).text() == card.text()
    assert card.compact_model().parameter("rs").default == 900
    assert card.compact_model().parameter("rs").source == "card cell"
    assert card.values()["g_on"] == 3.3e-4  # not in the card: the family's default


def test_text_does_not_depend_on_the_order_of_keys() -> None:
    other = data()
    other["parameters"] = dict(reversed(other["parameters"].items()))
    other["validity"] = {name: np.array(pair) for name, pair in reversed(other["validity"].items())}
    assert make_card(other).text() == make_card(data()).text()


def test_save_and_load(tmp_path: Any) -> None:
    card = make_card(data())
    assert load_card(card.save(tmp_path / "deep" / "card.json")) == card


def test_schema_is_json() -> None:
    assert "covariance" in json.loads(json.dumps(json_schema()))["properties"]


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("parameters", "rs", "value"), "high", r"parameters\.rs\.value = \"high\": must be a number"),
        (("parameters", "rs", "value"), -1.0, r"parameters\.rs\.value = -1\.0: allowed is \(0, inf\] Ohm"),
        (("parameters", "rs", "unit"), "kOhm", r"parameters\.rs\.unit = \"kOhm\": must be 'Ohm'"),
        (("parameters", "rss"), {"value": 1.0, "unit": "Ohm", "source": "fitted"}, r"did you mean 'rs'"),
        (("model",), "ion_vcn", r"model = \"ion_vcn\": no such model \(did you mean 'ion_vcm'"),
        (("family",), "pcm", "must be 'vcm'"),
        (("parametres",), {}, r"parametres.*unknown key \(did you mean 'parameters'"),
        (("covariance", "matrix"), [[-1.0]], "no negative eigenvalue"),
        (("covariance", "matrix"), [[1.0, 0.0]], "1 rows of 1 numbers"),
        (("covariance", "scale"), {"ea": "log"}, "must name rs"),
        (("validity", "voltage_V"), [1.0, -1.0], "low <= high"),
        (("device", "toml"), "changed", r"device\.sha256"),
        (("schema_version",), 2, "schema_version = 2: this ionsim reads 1"),
        (("pulses", 0, "width_s"), 0.0, r"pulses\.0\.width_s = 0\.0: must be a number > 0, in s"),
    ],
)
def test_what_is_wrong_is_said(keys: tuple[Any, ...], value: Any, message: str) -> None:
    changed = json.loads(json.dumps(data()))
    place = changed
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(CompactError, match=message):
        make_card(changed)
