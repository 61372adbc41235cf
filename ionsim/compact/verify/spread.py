"""Exported spreads against the physics: cells drawn from a card's statistics, driven as the ensemble was, read alike.

Switching voltages and conductances are read off a replayed cycle as off the runs of the ensemble
(``ionsim.compact.extraction.cycles``). Means and standard deviations at both levels are compared on the latent scale
of the card's ``observed`` statistics with their 95 % bootstrap intervals. Then the deck of cells that an export brings
runs in VACASK, where that is installed, and each cell's current is held against the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ionsim.compact import tools
from ionsim.compact.card import Card
from ionsim.compact.cardparts import Marginal
from ionsim.compact.circuits import Transient, Waveform, run_vacask
from ionsim.compact.description import CompactError
from ionsim.compact.exports.circuits import decks, drawn_cells
from ionsim.compact.extraction.cycles import OBSERVED, CycleModel
from ionsim.compact.extraction.spread import driven_as
from ionsim.compact.extraction.traces import read_traces
from ionsim.compact.reference import Network
from ionsim.compact.statistics import estimate
from ionsim.compact.verify.simulators import SWEEP_LIMITS
from ionsim.compact.verify.trial import LOWEST_V
from ionsim.config import Device
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: Cells, cycles of each, and the seed of the draw: another one than a match of moments takes.
N_DEVICES, N_CYCLES, SEED = 100, 3, 1

#: Share of the cycles that must switch for the rest to be compared.
LEAST_SWITCHED = 0.9

#: Cells that show the scatter of virgin cells.
N_SCATTER = 40

#: A standard deviation below this share of the mean is rounding, not spread.
_NO_SPREAD = 1e-6

#: Cells of the deck that run in VACASK.
_IN_VACASK = 3


def spread_records(
    card: Card,
    folder: Path | None = None,
    n_devices: int = N_DEVICES,
    n_cycles: int = N_CYCLES,
    seed: int = SEED,
) -> list[Record]:
    """Records of the spreads; empty for a card without statistics, or without what an ensemble showed.

    ``folder``: of the card, with the drive of its ensemble beside it.
    """
    if card.statistics is None or card.device is None:
        return []
    if card.observed is None:
        return [] if folder is None else scatter_records(card, folder / "heldout")
    names = [name for name in card.observed.names if name in OBSERVED]
    if not names:
        return []
    text = None if folder is None else folder / "ensemble.toml"
    toml = text.read_text(encoding="utf-8") if text is not None and text.is_file() else ""
    rows = simulated(card, driven_as(card, toml), names, n_devices, n_cycles, seed)
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
    return records + vacask_records(card)


def scatter_records(card: Card, folder: Path, n_cells: int = N_SCATTER) -> list[Record]:
    """Scatter of held-out seeds under the same drive against that of drawn cells: ln of SET times, voltages of SET.

    For a card whose spread is that of virgin cells: deviations of seeds from their own means, all drives together, with
    the interval of chi squared; the same of the cells, each drive weighted as in the physics.
    """
    from ionsim.compact.extraction.extract import extraction_of

    cells = [cell for _, cell in drawn_cells(card, n_cells, 1, SEED)]
    pooled: dict[str, list[tuple[int, float, float]]] = {}
    for target in extraction_of(card.family).targets(read_traces(folder)) if folder.is_dir() else []:
        read = _reader(target)
        if read is None:
            continue
        name, of_run, of_series = read
        seen = np.array([value for one in target.runs if (value := of_run(one)) is not None])
        if len(seen) < 2:
            continue
        shown = [of_series(target.replayed({**card.values(), **cell})) for cell in cells]
        drawn = np.array([value for value in shown if value is not None])
        if len(drawn) > LEAST_SWITCHED * n_cells:
            pooled.setdefault(name, []).append((len(seen) - 1, float(seen.var(ddof=1)), float(drawn.var(ddof=1))))
    records = []
    for name, parts in pooled.items():
        freedom = sum(part[0] for part in parts)
        seen, drawn = (np.sqrt(sum(part[0] * part[k] for part in parts) / freedom) for k in (1, 2))
        low, high = seen * np.sqrt(freedom / stats.chi2.ppf([0.975, 0.025], freedom))
        label = (f"{card.name}: {name}, between cells; physics {low:.4g} to {high:.4g} ({freedom + len(parts)} runs, "
                 f"{len(parts)} drives)")  # fmt: skip
        records.append(Record(label, float(drawn), "", None, bool(low <= drawn <= high)))
    return records


def _reader(target: Any) -> tuple[str, Callable[[Any], float | None], Callable[[Any], float | None]] | None:
    """What is read of a target's runs, and of a replay: its name, and both ways to read; None for other targets."""
    if hasattr(target, "times_s") and hasattr(target, "switched_s") and hasattr(target, "level_A"):
        from ionsim.compact.extraction.ecm_targets import crossing_s

        def log(time_s: float | None) -> float | None:
            return None if time_s is None else float(np.log(time_s))

        return (
            "ln of SET time",
            lambda one: log(crossing_s(one.series, target.level_A)),
            lambda series: log(target.switched_s(series)),
        )
    if hasattr(target, "voltages"):
        return (
            "V_set",
            lambda one: float(target.voltages(one.series)[0]),
            lambda series: float(target.voltages(series)[0]),
        )
    return None


def vacask_records(card: Card, n_cells: int = _IN_VACASK) -> list[Record]:
    """The first cells of the deck of cells, run in VACASK: rms log10 of each cell's current against the reference."""
    deck = next((deck for deck in decks(card) if deck.name == "montecarlo"), None)
    if deck is None or not (tools.have("vacask") and tools.have("openvaf")):
        return []
    chosen = deck.circuit.instances[:n_cells]
    used = {node for instance in chosen for node in instance.nodes}
    sources = {node: wave for node, wave in deck.circuit.sources.items() if node in used}
    circuit = replace(deck.circuit, instances=chosen, sources=sources)
    wave = sources["te"]
    assert isinstance(wave, Waveform)
    stop = wave.times_s[-1]
    times = np.linspace(0, stop, 3001)
    exact = Network(circuit).solve(times, rtol=1e-7, atol=1e-10, largest_step_s=stop / 600)
    found = run_vacask(circuit, Transient(stop, stop / 2400, relative_tolerance=1e-6)).at(times)
    away = np.abs(wave(times)) > LOWEST_V
    records = []
    for instance in chosen:
        node = instance.nodes[1]
        ratio = found.currents_A[node][away] / exact.currents_A[node][away]
        error = float(np.sqrt(np.mean(np.log10(np.where(ratio > 0, ratio, np.nan)) ** 2)))
        label = f"{card.name}: cell {instance.name} of the deck in VACASK, rms log10 I"
        records.append(Record.below(label, error, SWEEP_LIMITS["VACASK"]))
    return records


def simulated(card: Card, device: Device, names: Sequence[str], n_devices: int, n_cycles: int, seed: int) -> Floats:
    """Observed quantities (n_devices, n_cycles, names) of drawn cells; nan where a cycle did not switch."""
    model = card.compact_model()
    cycle = CycleModel(model, device, model.values(), names)
    out = np.full((n_devices, n_cycles, len(names)), np.nan)
    for place, cell in drawn_cells(card, n_devices, n_cycles, seed):
        with suppress(CompactError):  # counted as a cycle that did not switch
            out[place] = cycle(cell)
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
