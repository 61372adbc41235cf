"""Spread of cells from an ensemble: many seeds, many cycles each, and what it means for a model's parameters.

A run is a device, a RESET with the SET after it a cycle (``ionsim.compact.extraction.cycles``). The spread of what they
show, cycle within device, becomes a spread of the fitted parameters with which the model shows as much
(``ionsim.compact.extraction.matching``); the parameters are not those of single cycles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from ionsim.compact.card import Card, make_card
from ionsim.compact.cardparts import Intervals, Metric, Statistics
from ionsim.compact.description import CompactError
from ionsim.compact.exports.circuits import within
from ionsim.compact.extraction.cycles import KINDS, OBSERVED, CycleModel, Ensemble, latent, moved, observe
from ionsim.compact.extraction.matching import Matched, Wanted, correlation, matched
from ionsim.compact.extraction.protocol import Measurement
from ionsim.compact.extraction.universal import SCATTER, universal
from ionsim.compact.statistics import Effects, fit_statistics
from ionsim.config import Device

Floats = NDArray[np.float64]

#: Relative change of a parameter that counts as one, by its unit; chosen: what would not astonish between two cells of
#: one wafer. Of changes that do the same the smallest in these scales is taken.
SCALES, _SCALE = {"eV": 0.01, "K/W": 0.3, "1/s": 0.3}, 0.1

#: Fitted parameters that tell retention, and do not vary: what empties or fills a cell by heat alone also decides
#: whether its SET runs away at all (with less of it some cells of a card stop at 0.9 of their compliance).
HELD = ("ea_rest", "x_rest")

#: Difference of two correlations that is told.
_APART = 0.3

#: Cycles that must have been found for statistics.
ENOUGH = 3


def varying(card: Card) -> dict[str, float]:
    """Parameters that may vary from cell to cell and their scales: all fitted ones but starts and scales of states,
    capacitances and ``HELD``."""
    model = card.compact_model()
    fixed = [part for state in model.states for part in (state.start, state.scale)]
    fixed += [flow.capacitance for flow in model.flows]
    held = {symbol.name for part in fixed for symbol in sympy.sympify(part).free_symbols}
    return {
        name: SCALES.get(item.unit, _SCALE)
        for name, item in card.parameters.items()
        if item.source == "fitted" and item.value > 0 and name not in held | {*HELD}
    }


def spread_of(
    ensemble: Ensemble, model: CycleModel, scales: Mapping[str, float], about_own: bool = False
) -> tuple[Statistics | None, Statistics | None, tuple[str, ...]]:
    """Statistics of parameters and of what was observed, and notes.

    None for what there are too few cycles for. ``scales``: the parameters that may vary, as in :func:`varying`.
    ``about_own``: the ensemble is moved so that its means are what the model shows; its spread alone is taken over
    (that of a lattice for a model of the continuum, say).
    """
    count = int(ensemble.whole.sum())
    if count < ENOUGH:
        return None, None, (f"spread: {count} cycles that switched",)
    seeds = ensemble.seeds[ensemble.whole]
    said = f"{len(np.unique(seeds))} devices of {ensemble.device}, {count} of {len(ensemble.rows)} cycles"
    if about_own:
        ensemble = moved(ensemble, model({}))
        said += ", moved to the means that this model shows"
    shows = list(ensemble.names)
    observed = fit_statistics(shows, [OBSERVED[name] for name in shows], ensemble.used, seeds, kinds=KINDS)
    observed = observed.model_copy(update={"origin": said})
    names, units = list(scales), np.array(list(scales.values()))
    nominal = np.log([model.values[name] for name in names])

    def shown(x: Floats) -> Floats:
        values = np.exp(nominal + units * x).tolist()
        row = model({n: within(model.model.parameter(n), v) for n, v in zip(names, values, strict=True)})
        return latent(row, shows)

    wanted = Effects(np.array(observed.mean), np.array(observed.device_covariance), np.array(observed.cycle_covariance))
    try:
        found = matched(shown, len(names), Wanted(wanted, *_ends(observed)))
    except CompactError as error:
        return None, observed, (f"spread: {said}", f"spread: {error}")
    notes = [f"spread: {said}"]
    for number, (mean, deviation) in enumerate(found.errors):
        mark = " (taken)" if number == found.best else ""
        notes.append(f"spread: round {number + 1}: means off by {mean:.2f}, deviations by {deviation:.2f} of the way "
                     f"to the ends of their intervals{mark}")  # fmt: skip
    sizes = np.sqrt(np.diag(found.effects.device + found.effects.cycle)) * units[found.kept]
    notes.append("spread: deviations of parameters: " + ", ".join(
        f"{names[k]} {100 * size:.2g} %" for k, size in zip(found.kept, sizes, strict=True)))  # fmt: skip
    notes += _tied(found, wanted, shows)
    picked = [names[k] for k in found.kept]
    of_units = [model.model.parameter(name).unit for name in picked]
    at = nominal[found.kept], units[found.kept]
    statistics = _of_parameters(picked, of_units, found, *at, latent(ensemble.used, shows), seeds)
    return statistics.model_copy(update={"origin": said}), observed, tuple(notes)


def _ends(observed: Statistics) -> tuple[Floats, Floats, Floats]:
    """Intervals (k, 2) of means and of deviations of devices and cycles; without any, zeros."""
    every = [observed.intervals[name] for name in observed.names]
    none = (0.0, 0.0)
    return (
        np.array([item.mean for item in every]),
        np.array([item.device_sd or none for item in every]),
        np.array([item.cycle_sd or none for item in every]),
    )


def _tied(found: Matched, wanted: Effects, names: Sequence[str]) -> list[str]:
    """What is said of correlations that are the model's own, and not the ensemble's."""
    notes = []
    physics, model = (correlation(effects.device + effects.cycle) for effects in (wanted, found.shown))
    pairs = [(abs(physics[i, j] - model[i, j]), i, j) for i in range(len(names)) for j in range(i)]
    for apart, i, j in sorted(pairs, reverse=True):
        if apart > _APART:
            notes.append(f"spread: {names[j]} with {names[i]}: {physics[i, j]:.2f} in the physics, "
                         f"{model[i, j]:.2f} in the model")  # fmt: skip
    return notes


def _of_parameters(
    names: Sequence[str],
    of_units: Sequence[str],
    found: Matched,
    nominal: Floats,
    units: Floats,
    rows: Floats,
    seeds: NDArray[np.int64],
) -> Statistics:
    """The matched spread as statistics: lognormal parameters, and intervals of what the cycles ``rows`` (n, k) give to
    first order, moved and stretched to the matched means and deviations."""
    first = nominal + units * (found.effects.mean + (rows - rows.mean(axis=0)) @ found.back.T)
    plain = fit_statistics(names, of_units, np.exp(first), seeds, kinds=dict.fromkeys(names, "lognormal"))
    mean = nominal + units * found.effects.mean
    device, cycle = (np.outer(units, units) * part for part in (found.effects.device, found.effects.cycle))
    intervals = {}
    for k, name in enumerate(names):
        old, off = plain.intervals[name], float(mean[k] - plain.mean[k])
        pairs = {}
        levels = (("device_sd", device, plain.device_covariance), ("cycle_sd", cycle, plain.cycle_covariance))
        for key, now, before in levels:
            pair = getattr(old, key)
            factor = float(np.sqrt(now[k, k] / before[k][k])) if before[k][k] > 0 else 1.0
            pairs[key] = None if pair is None else (pair[0] * factor, pair[1] * factor)
        intervals[name] = Intervals(mean=(old.mean[0] + off, old.mean[1] + off), **pairs)
    return plain.model_copy(update={
        "mean": tuple(mean.tolist()), "device_covariance": _rows(device), "cycle_covariance": _rows(cycle),
        "intervals": intervals,
    })  # fmt: skip


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in ((matrix + matrix.T) / 2).tolist())


def driven_as(card: Card, toml: str) -> Device:
    """The device whose drive a card's cells see: the ensemble's (its text), or, where that is of another device, the
    card's own; raises CompactError without either."""
    if card.device is None:
        raise CompactError(f"card {card.name}: without a device there is no drive to compare under")
    own = Device.from_toml(card.device.toml)
    ensemble = Device.from_toml(toml) if toml else own
    return ensemble if ensemble.name == own.name else own


def with_spread(card: Card, ensemble: Ensemble, about_own: bool = True) -> tuple[Card, tuple[str, ...]]:
    """The card with statistics and metrics of an ensemble, and notes; raises CompactError without a device."""
    compact = card.compact_model()
    model = CycleModel(compact, driven_as(card, ensemble.toml), compact.values(), ensemble.names)
    statistics, observed, notes = spread_of(ensemble, model, varying(card), about_own)
    own = moved(ensemble, model({})) if about_own else ensemble
    found = universal(card, ensemble=own)
    benchmark = _filled(card.benchmark, found) | {name: found[name] for name in SCATTER if name in found}
    changes = {"statistics": statistics, "observed": observed, "benchmark": benchmark}
    return make_card(card.model_dump(mode="json") | changes), notes


def complete(card: Card, measured: Sequence[Measurement], times: Sequence[tuple[str, bool, float, float]] = ()) -> Card:
    """The card with what its extraction left open: universal metrics, and the spread of an ensemble among ``measured``.

    ``times``: switching times as an extraction has them: name, held out, of the physics and of the model, in s.
    """
    changes: dict[str, Any] = {}
    ensemble = observe(measured)
    if card.statistics is None and len(ensemble.rows):
        device = next(one.device for one in measured if one.role == "spread")
        model = CycleModel(card.compact_model(), device, card.values(), ensemble.names)
        changes["statistics"], changes["observed"], _ = spread_of(ensemble, model, varying(card))
    changes["benchmark"] = _filled(card.benchmark, universal(card, measured, times))
    return make_card(card.model_dump(mode="json") | changes, f"card {card.name}")


def _filled(known: Mapping[str, Metric], found: Mapping[str, Metric]) -> dict[str, Metric]:
    """What is known, and for the rest what was found, or why there is none; an activation energy whose interval holds
    zero is not known."""
    told = {
        name: item
        for name, item in known.items()
        if item.value is not None
        and not (name == "retention_ea_eV" and item.interval is not None and item.interval[0] < 0 < item.interval[1])
    }
    return {**known, **found, **told}
