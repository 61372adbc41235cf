"""NeuroSim: the numbers of a ``RealDevice`` (``Cell.cpp`` of MLP+NeuroSim 3.0), fitted, and the measured lists.

NeuroSim's law, n pulses of N from the lower end: G = Gmin + B (1 - exp(-n/A)), B = (Gmax - Gmin)/(1 - exp(-N/A));
LTD the same from the upper end with n counted down and its own A (below 0 where the first pulses do most). Its user
gives a label NL instead of A/N. The published table of labels is, to 2e-6, 10.10152 times the largest distance between
the law and a straight line, both over the range: that is what ``label`` computes, with the sign of A.

``sigmaCtoC`` is the spread of one pulse over the range (NeuroSim multiplies it by the root of the number of pulses),
``sigmaDtoD`` the spread of the labels between devices.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ionsim.compact.card import Card
from ionsim.compact.cardparts import PulseTrain
from ionsim.compact.exports.aihwkit import origin
from ionsim.compact.exports.drift import levels
from ionsim.compact.render import render
from ionsim.compact.updates import UpdateLaw, update_law

Floats = NDArray[np.float64]

#: Label over the largest distance from a straight line; the largest label that NeuroSim knows.
LABEL = 10.10152
MOST = 9.0

#: Curvatures N/A that are tried; beyond, the first pulse does all.
_STEEPEST = 60.0


def law(position: Floats, curvature: float) -> Floats:
    """Share of the range after ``position`` (0 to 1) of the pulses, for ``curvature`` N/A, 0 to 1."""
    if abs(curvature) < 1e-6:
        return np.asarray(position, dtype=float)
    return np.asarray(np.expm1(-curvature * position) / np.expm1(-curvature))


def distance(curvature: float) -> float:
    """Largest distance of the law from a straight line, with the sign of the curvature."""
    if abs(curvature) < 1e-6:
        return 0.0
    k = abs(curvature)
    share = -np.expm1(-k) / k
    top = -np.log(share) / k
    return float(np.copysign((1 - share) / (k * share) - top, curvature))


def label(curvature: float) -> float:
    """NeuroSim's label NL for a curvature N/A, between -9 and 9."""
    return float(np.clip(LABEL * distance(curvature), -MOST, MOST))


def fit(conductances_S: Sequence[float]) -> tuple[float, float]:
    """Curvature N/A of one train by least squares, and the rms that is left, over the range of the train."""
    g = np.asarray(conductances_S)
    share = (g - g[0]) / (g[-1] - g[0])
    position = np.linspace(0, 1, len(g))

    def left(curvature: float) -> float:
        return float(np.mean((law(position, curvature) - share) ** 2))

    grid = np.linspace(-_STEEPEST, _STEEPEST, 121)
    start = grid[np.argmin([left(k) for k in grid])]
    found = minimize_scalar(left, bounds=(start - 1.0, start + 1.0), method="bounded", options={"xatol": 1e-10})
    return float(found.x), float(np.sqrt(found.fun))


def parameters(card: Card, update: UpdateLaw) -> dict[str, float | bool | None]:
    """The fields of a RealDevice; raises CompactError for a card without pulse trains."""
    up, down = card.trains("up"), card.trains("down")
    fits = {"LTP": [fit(train.conductances_S) for train in up], "LTD": [fit(train.conductances_S) for train in down]}
    read_V = up[0].read_V
    voltages = {"LTP": up[0], "LTD": down[0]}
    out: dict[str, float | bool | None] = {
        "maxConductance": update.high_S,
        "minConductance": update.low_S,
        "readVoltage": abs(read_V),
    }
    for name, train in voltages.items():
        # pulses of a current have no voltage that NeuroSim could take
        out[f"writeVoltage{name}"] = abs(train.amplitude) if train.amplitude_unit == "V" else None
        out[f"writePulseWidth{name}"] = train.width_s
        out[f"maxNumLevel{name}"] = len(train.conductances_S) - 1
    for name, found in fits.items():
        sign = 1.0 if name == "LTP" else -1.0
        out[f"NL_{name}"] = sign * label(float(np.mean([curvature for curvature, _ in found])))
        out[f"rms_{name}"] = float(np.sqrt(np.mean([rms**2 for _, rms in found])))
    steps = np.abs(np.concatenate([update.step(np.linspace(-1, 1, 101), way) for way in ("up", "down")]))
    out["sigmaCtoC"] = update.noise * float(np.sqrt(np.mean(steps**2))) / 2
    out["sigmaDtoD"] = max(_spread(up, fits["LTP"]), _spread(down, fits["LTD"]))
    read_noise = levels(card, update).read_noise
    out["readNoise"], out["sigmaReadNoise"] = read_noise > 0, read_noise
    out["conductanceRangeVar"] = update.low_spread > 0 or update.high_spread > 0
    out["maxConductanceVar"] = update.high_spread * (update.high_S - update.low_S) / 2
    out["minConductanceVar"] = update.low_spread * (update.high_S - update.low_S) / 2
    return out


def export(card: Card, folder: Path) -> list[Path]:
    """Write ``NAME_neurosim.json`` (fields), ``.h`` (assignments for RealDevice's constructor), ``.csv`` (trains)."""
    update = update_law(card)
    fields = parameters(card, update)
    content = {"format": "ionsim NeuroSim export", "card": card.name, "card_sha256": card.sha256(), "fields": fields}
    content["trains"] = origin(card)
    files = [folder / f"{card.name}_neurosim{ending}" for ending in (".json", ".h", ".csv")]
    files[0].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    lists = {"LTP": _mean_list(card.trains("up")), "LTD": _mean_list(card.trains("down"))}
    text = render("neurosim.h.j2", card=card, fields=fields, sha256=card.sha256(), lists=lists, trains=origin(card))
    files[1].write_text(text, encoding="utf-8")
    rows = ["branch,device,cycle,pulse,conductance_S"]
    for name, trains in (("LTP", card.trains("up")), ("LTD", card.trains("down"))):
        for train in trains:
            rows += [f"{name},{train.device},{train.cycle},{n},{g!r}" for n, g in enumerate(train.conductances_S)]
    files[2].write_text("\n".join(rows) + "\n", encoding="utf-8")
    return files


def _mean_list(trains: Sequence[PulseTrain]) -> list[str]:
    """The mean of the trains that are as long as the first one, as numbers of C++."""
    length = len(trains[0].conductances_S)
    whole = [train.conductances_S for train in trains if len(train.conductances_S) == length]
    return [repr(g) for g in np.mean(whole, axis=0).tolist()]


def _spread(trains: Sequence[PulseTrain], fits: Sequence[tuple[float, float]]) -> float:
    """Standard deviation of the mean label between devices; 0 with one."""
    labels: dict[int, list[float]] = {}
    for train, (curvature, _) in zip(trains, fits, strict=True):
        labels.setdefault(train.device, []).append(label(curvature))
    means = [float(np.mean(values)) for values in labels.values()]
    return float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
