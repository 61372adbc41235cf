"""How much the observables of a study scatter: over all runs, and between seeds of one point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionsim.plots.studies import Runs
from ionsim.report.texts import DASH, number, quantity, unit_of


@dataclass(frozen=True)
class Spread:
    """An observable over the complete runs; texts."""

    name: str
    n: str
    mean: str
    deviation: str
    low: str
    median: str
    high: str


def spreads(runs: Runs) -> list[Spread]:
    """A row for each observable, and the stochasticity S where both resistances are known in several runs."""
    rows = []
    for name, values in runs.observables.items():
        good = values[np.isfinite(values)]
        if not good.size:
            rows.append(Spread(name, f"0 of {len(values)}", *(DASH,) * 5))
            continue
        unit = unit_of(name)
        deviation = float(good.std(ddof=1)) if good.size > 1 else None
        figures = (good.mean(), deviation, good.min(), np.median(good), good.max())
        rows.append(Spread(name, f"{good.size} of {len(values)}", *(
            _shown(each, unit)
            for each in figures
        )))  # fmt: skip
    value = stochasticity(runs)
    if value is not None:
        rows.append(Spread("S, stochasticity", "", number(value, 3), *(DASH,) * 4))
    return rows


def _shown(value: float | None, unit: str) -> str:
    own = None if value is None else float(value)
    return quantity(own, unit) if unit else number(own)


def stochasticity(runs: Runs) -> float | None:
    """S = 2 (sd[log R_HRS] + sd[log R_LRS]) / (<log R_HRS> - <log R_LRS>) over all complete runs; None without two."""
    high, low = (runs.observables.get(name) for name in ("R_HRS_ohm", "R_LRS_ohm"))
    if high is None or low is None:
        return None
    good = np.isfinite(high) & np.isfinite(low) & (np.nan_to_num(high) > 0.0) & (np.nan_to_num(low) > 0.0)
    if good.sum() < 2:
        return None
    off, on = np.log(high[good]), np.log(low[good])
    window = float(off.mean() - on.mean())
    return float(2.0 * (off.std(ddof=1) + on.std(ddof=1)) / window) if window else None
