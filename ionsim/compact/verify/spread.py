"""Exported spreads against the physics: cells drawn from a card's statistics, swept as the ensemble was, read alike.

Switching voltages and conductances are read off a replayed cycle as off the runs of the ensemble
(``ionsim.compact.extraction.spread``). Means and standard deviations at both levels are compared on the latent scale
of the card's ``observed`` statistics with their 95 % bootstrap intervals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionsim.compact.card import Card
from ionsim.compact.cardparts import Marginal
from ionsim.compact.description import CompactError
from ionsim.compact.exports.circuits import within
from ionsim.compact.extraction.spread import OBSERVED
from ionsim.compact.statistics import estimate, sample
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: Cells, cycles of each, and the seed of the draw.
N_DEVICES, N_CYCLES, SEED = 100, 3, 1

#: Share of the cycles that must switch for the rest to be compared.
LEAST_SWITCHED = 0.9

#: A standard deviation below this share of the mean is rounding, not spread.
_NO_SPREAD = 1e-6


def spread_records(card: Card, n_devices: int = N_DEVICES, n_cycles: int = N_CYCLES, seed: int = SEED) -> list[Record]:
    """Records of the spreads; empty for a card without statistics, or whose device is not swept."""
    if card.statistics is None or card.observed is None or card.device is None:
        return []
    names = [name for name in card.observed.names if name in OBSERVED]
    if not names:
        return []
    rows = simulated(card, names, n_devices, n_cycles, seed)
    whole = np.isfinite(rows).all(axis=2)
    share = float(whole.mean())
    records = [Record.above(f"{card.name}: share of the drawn cycles that switch", share, LEAST_SWITCHED)]
    kept = [row[mask] for row, mask in zip(rows, whole, strict=True) if mask.any()]
    if share < LEAST_SWITCHED or len(kept) < 3:
        return records
    for k, name in enumerate(names):
        marginal, interval = card.observed.marginals[name], card.observed.intervals[name]
        latent = _latent(np.concatenate([row[:, k] for row in kept]), marginal)[:, None]
        found = estimate(latent, np.array([len(row) for row in kept]))
        for what, value, pair in (
            ("mean", float(found.mean[0]), interval.mean),
            ("between devices", float(np.sqrt(found.device[0, 0])), interval.device_sd),
            ("between cycles", float(np.sqrt(found.cycle[0, 0])), interval.cycle_sd),
        ):
            if pair is None or (what != "mean" and pair[1] < _NO_SPREAD * abs(interval.mean[1])):
                continue
            scale = {"lognormal": f"ln {name}", "normal": name, "empirical": f"score of {name}"}[marginal.kind]
            label = f"{card.name}: {scale}, {what}; physics {pair[0]:.4g} to {pair[1]:.4g}"
            records.append(Record(label, value, "", None, bool(pair[0] <= value <= pair[1])))
    return records


def simulated(card: Card, names: list[str], n_devices: int, n_cycles: int, seed: int) -> Floats:
    """Observed quantities (n_devices, n_cycles, names) of drawn cells; nan where a cycle did not switch."""
    from ionsim.compact.extraction.spread import CycleModel
    from ionsim.config import Device

    assert card.statistics is not None
    assert card.device is not None
    device = Device.from_toml(card.device.toml)
    if device.drive.kind != "sweep":
        raise CompactError(
            f"card {card.name}: its device is driven by {device.drive.kind!r}, and spreads are of sweeps"
        )
    model = card.compact_model()
    cycle = CycleModel(model, device, model.values())
    columns = [list(OBSERVED).index(name) for name in names]
    drawn = sample(card.statistics, n_devices, n_cycles, seed)
    out = np.full((n_devices, n_cycles, len(names)), np.nan)
    for place in np.ndindex(n_devices, n_cycles):
        values = zip(card.statistics.names, drawn[place].tolist(), strict=True)
        try:
            shown = cycle({name: within(model.parameter(name), value) for name, value in values})
        except CompactError:
            continue  # counted as a cycle that did not switch
        out[place] = shown[columns]
    return out


def _latent(x: Floats, marginal: Marginal) -> Floats:
    if marginal.kind == "lognormal":
        return np.log(x)
    if marginal.kind == "normal":
        return x
    # where a recorded voltage repeats, its quantiles have one score: the mean of theirs
    values, place = np.unique(marginal.values, return_inverse=True)
    scores = np.bincount(place, marginal.scores) / np.bincount(place)
    return np.interp(x, values, scores)
