"""aihwkit: a ``PiecewiseStepDevice`` and a noise model for inference, as JSON and as a Python module.

The JSON needs nothing; the module imports torch and aihwkit. Fields are those of aihwkit 1.2 (its ``devices.py``).
A step is ``dw_min`` times the value between the nodes times (1 + ``dw_min_std`` times noise), so what differs between
up and down lies in the two lists, and ``up_down`` is 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ionsim.compact.card import Card
from ionsim.compact.exports.drift import Levels, levels
from ionsim.compact.render import render
from ionsim.compact.updates import UpdateLaw, update_law

#: Fields of aihwkit's PiecewiseStepDevice that are written.
FIELDS = (
    "dw_min", "dw_min_dtod", "dw_min_dtod_log_normal", "dw_min_std", "piecewise_down", "piecewise_up", "up_down",
    "up_down_dtod", "w_max", "w_max_dtod", "w_min", "w_min_dtod", "write_noise_std",
)  # fmt: skip


def piecewise_device(law: UpdateLaw) -> dict[str, Any]:
    """The fields of a PiecewiseStepDevice."""
    dw_min = float((law.up.mean() + law.down.mean()) / 2)
    return {
        "dw_min": dw_min,
        "dw_min_dtod": float(np.std(law.gains, ddof=1) / np.mean(law.gains)) if len(law.gains) > 1 else 0.0,
        "dw_min_dtod_log_normal": False,
        "dw_min_std": law.noise,
        "piecewise_down": (law.down / dw_min).tolist(),
        "piecewise_up": (law.up / dw_min).tolist(),
        "up_down": 0.0,
        "up_down_dtod": 0.0,
        "w_max": 1.0,
        "w_max_dtod": law.high_spread,
        "w_min": -1.0,
        "w_min_dtod": law.low_spread,
        "write_noise_std": 0.0,
    }


def replay(device: dict[str, Any], start: float, n_pulses: int, direction: str) -> list[float]:
    """Weights (n_pulses + 1,) of the fields above under equal pulses, without noise, by the law in aihwkit's docs."""
    out = [start]
    for _ in range(n_pulses):
        out.append(pulsed(device, out[-1], direction))
    return out


def pulsed(device: dict[str, Any], w: float, direction: str) -> float:
    """The weight after one pulse on a device of weight ``w``, without noise, by the law in aihwkit's docs."""
    sign, nodes = (1, device["piecewise_up"]) if direction == "up" else (-1, device["piecewise_down"])
    low, high, n = device["w_min"], device["w_max"], len(nodes) - 1
    place = max((w - low) / (high - low) * n, 0.0)
    left = min(int(place), n - 1)
    q = min(place - left, 1.0)
    after = w + sign * device["dw_min"] * ((1 - q) * nodes[left] + q * nodes[left + 1])
    return float(min(max(after, low), high))


def replay_error(card: Card, law: UpdateLaw, device: dict[str, Any]) -> float:
    """Rms difference of weights between the mean trains of a card and their replay through the exported fields."""
    apart = []
    for direction in ("up", "down"):
        trains = card.trains(direction)
        length = min(len(train.conductances_S) for train in trains)
        middle = law.weight(np.mean([train.conductances_S[:length] for train in trains], axis=0))
        apart.append(middle - np.array(replay(device, float(middle[0]), length - 1, direction)))
    return float(np.sqrt(np.mean(np.concatenate(apart) ** 2)))


def export(card: Card, folder: Path) -> list[Path]:
    """Write ``NAME_aihwkit.json`` and ``NAME_aihwkit.py``; raises CompactError for a card without pulse trains."""
    law = update_law(card)
    device, after = piecewise_device(law), levels(card, law)
    content = {
        "format": "ionsim aihwkit export",
        "card": card.name,
        "card_sha256": card.sha256(),
        "g_min_S": law.low_S,
        "g_max_S": law.high_S,
        "trains": origin(card),
        "replay_rms_dw": replay_error(card, law, device),
        "device_class": "PiecewiseStepDevice",
        "device": device,
        "inference": _inference(law, after),
    }
    table, module = folder / f"{card.name}_aihwkit.json", folder / f"{card.name}_aihwkit.py"
    table.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    text = render("aihwkit.py.j2", card=card, content=content, class_name=class_name(card.name), notes=after.notes)
    module.write_text(text, encoding="utf-8")
    return [table, module]


def _inference(law: UpdateLaw, after: Levels) -> dict[str, Any]:
    """Tables of the noise model in uS, as aihwkit counts conductance."""
    return {
        "g_min_uS": law.low_S * 1e6,
        "g_max_uS": law.high_S * 1e6,
        "g_uS": [g * 1e6 for g in after.g_S],
        "programming_uS": [g * 1e6 for g in after.programming_S],
        "nu": list(after.nu),
        "nu_sd": list(after.nu_sd),
        "t_0_s": after.first_s,
        "read_noise": after.read_noise,
    }


def origin(card: Card) -> str:
    """Where the trains are from."""
    return "compact model" if any(train.simulated for train in card.pulses) else "physics"


def class_name(name: str) -> str:
    """The name of a Python class for a card."""
    return "".join(part.capitalize() for part in name.split("_"))
