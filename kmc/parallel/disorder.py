"""Barriers drawn per pair or per site from the numbers of the sites, so that all ranks draw the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from kmc.engine import Engine
from kmc.parallel.sectors import Local
from kmc.process import PAIR

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

#: Hop vectors are told apart by this length (nm), where two sites are neighbours in several images.
_SAME_NM = 1e-6


def spread_barriers(
    engine: Engine, local: Local, shifts: Mapping[str, ArrayLike], seed: np.random.SeedSequence
) -> None:
    """Replace what the engine drew for ``spread_eV`` by numbers that do not hang on the ranks.

    ``shifts`` are the shifts at the local sites, or edges, that the engine was given.
    """
    table, sites, drawn = engine.table, local.sites, False
    for number, process in enumerate(engine.model.processes):
        if process.spread_eV == 0.0:
            continue
        drawn = True
        key = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number)).generate_state(1, np.uint64)[0]
        row = [name for name, _, _ in engine.model.directions()].index(process.name)
        shift = np.asarray(shifts.get(process.name, np.zeros(len(sites))), dtype=float)
        if process.kind == PAIR:
            a, b = local.index[sites.origin], local.index[sites.target]
            steps = np.rint(sites.vectors_nm / _SAME_NM).astype(np.int64)[sites.vector]
            steps *= np.where(a < b, 1, -1)[:, None]
            values = normal(key, np.minimum(a, b), np.maximum(a, b), *steps.T)
            by_edge = len(shift) == sites.n_edges
            mean = shift if by_edge else 0.5 * (shift[sites.origin] + shift[sites.target])
            table.edge_barrier[table.edge_row[row]] = mean + process.spread_eV * values
        else:
            table.site_barrier[table.site_row[row]] = shift + process.spread_eV * normal(key, local.index)
    if drawn:
        engine.refresh()


def normal(key: np.uint64, *numbers: NDArray[np.int64]) -> Floats:
    """Normally distributed numbers that are a function of some whole numbers and a key."""
    word: Words = np.full(len(numbers[0]), key, dtype=np.uint64)
    for values in numbers:
        word = _mix(word ^ _mix(values.astype(np.uint64)))
    result: Floats = ndtri(((word >> np.uint64(12)).astype(float) + 0.5) / 2.0**52)
    return result


def _mix(word: Words) -> Words:
    """The finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 10.1145/2660193.2660195)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
