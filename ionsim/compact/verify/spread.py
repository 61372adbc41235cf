"""Exported spreads against the physics: cells drawn from a card's statistics, swept as the ensemble was, read alike.

Switching voltages and resistances follow from the replayed series by the definitions of ``ionsim.analysis.switching``,
which read the runs of the ensemble too. Means and standard deviations at both levels are compared on the latent scale
of the card's ``observed`` statistics with their 95 % bootstrap intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionsim.analysis.switching import summarise
from ionsim.compact.card import Card
from ionsim.compact.cardparts import Marginal
from ionsim.compact.description import CompactError
from ionsim.compact.exports.circuits import within
from ionsim.compact.statistics import estimate, sample
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: Cells, cycles of each, and the seed of the draw.
N_DEVICES, N_CYCLES, SEED = 200, 4, 1

#: Share of the cycles that must switch for the rest to be compared.
LEAST_SWITCHED = 0.9

#: A standard deviation below this share of the mean is rounding, not spread.
_NO_SPREAD = 1e-6

#: What can be observed, from a summary; conductances at the read voltage.
OBSERVED: dict[str, Callable[[Mapping[str, Any]], float | None]] = {
    "v_set_V": lambda s: s["V_set_V"],
    "v_reset_V": lambda s: s["V_reset_V"],
    "g_on_S": lambda s: None if not s["R_LRS_ohm"] else 1 / s["R_LRS_ohm"],
    "g_off_S": lambda s: None if not s["R_HRS_ohm"] else 1 / s["R_HRS_ohm"],
}


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
    from ionsim.compact.extraction.replay import Replay
    from ionsim.config import Device

    assert card.statistics is not None
    assert card.device is not None
    device = Device.from_toml(card.device.toml)
    if device.drive.kind != "sweep":
        raise CompactError(
            f"card {card.name}: its device is driven by {device.drive.kind!r}, and spreads are of sweeps"
        )
    model = card.compact_model()
    staircase = getattr(device, "model", "lattice") != "continuum"
    replay = Replay(model, device.drive, device.ambient_K, staircase=staircase)
    drawn = sample(card.statistics, n_devices, n_cycles, seed)
    out = np.full((n_devices, n_cycles, len(names)), np.nan)
    for place in np.ndindex(n_devices, n_cycles):
        cell = {
            name: within(model.parameter(name), value)
            for name, value in zip(card.statistics.names, drawn[place].tolist(), strict=True)
        }
        try:
            series = replay(cell)
        except CompactError:
            continue  # counted as a cycle that did not switch
        # a summary asks for temperatures as well (none of what is read here depends on them), and for a conductance at
        # every point, where a replay has none at 0 V
        g, time_s = series["conductance_S"], series["time_s"]
        known = np.isfinite(g)
        filled = {
            "conductance_S": np.interp(time_s, time_s[known], g[known]),
            "temperature_peak_K": np.full(len(time_s), device.ambient_K),
        }
        summary = summarise(device, series | filled, replay.drive.stages)
        values = [OBSERVED[name](summary) for name in names]
        out[place] = [np.nan if value is None else value for value in values]
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
