"""What an engine starts from: its random streams, what stands on its sites, and all that changes in a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import drawing, nulls
from kmc.errors import KmcError
from kmc.model import Model
from kmc.occupation import Filler, Occupation
from kmc.rates import Floats, State, Table
from kmc.xoshiro import new_state


def streams(seed: int | np.random.SeedSequence) -> list[np.random.SeedSequence]:
    """Three streams of a seed; a sequence is left as it is, so that used twice it gives the same streams twice."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    key = (*sequence.spawn_key, 0x6B6D63)  # apart from children that the caller spawns
    return np.random.SeedSequence(sequence.entropy, spawn_key=key, pool_size=sequence.pool_size).spawn(3)


def occupation(model: Model, count: int, given: ArrayLike | Filler, seed: np.random.SeedSequence) -> Occupation:
    """(count,) species of the sites, given or filled in.

    Raises:
        KmcError: for another shape, numbers that are not whole, or species that the model does not have.
    """
    array = np.asarray(given(model, count, np.random.default_rng(seed)) if callable(given) else given)
    if array.shape != (count,) or array.dtype.kind not in "iub":
        raise KmcError(f"occupation must be ({count},) integers, not {array.shape} of {array.dtype}")
    if array.min() < 0 or array.max() >= len(model.species):
        last = len(model.species) - 1
        raise KmcError(f"occupation holds {array.min()}..{array.max()}; species are numbered 0..{last}")
    return array.astype(np.int8)


def state(
    table: Table, model: Model, filled: Occupation, seed: np.random.SeedSequence, *, followed: bool, flicker: bool
) -> State:
    """Clock and counters at zero, 0 V and 300 K; what is kept from event to event is still to be filled."""
    count, rows, species = len(filled), len(table.before), len(model.species)
    particle = np.full(count if followed else 0, -1, dtype=np.int32)
    tracer_site = np.flatnonzero(table.tracked[filled]) if followed else np.zeros(0, dtype=np.int64)
    particle[tracer_site] = np.arange(len(tracer_site))
    return State(
        occupation=filled,
        fields=np.array([[0.0, 300.0]]),
        own=np.zeros(0),
        neighbour_count=np.zeros((count, table.pair_energy.shape[1]), dtype=np.int16),
        pair_rate=np.zeros((0, 0)),
        single_rate=np.zeros((0, 0)),
        fixed_rate=np.full(rows, np.nan),
        memo=np.zeros(0),
        bound=np.zeros((1, species, 2)),
        reservoir_count=np.zeros(len(model.reservoirs), dtype=np.int64),
        reservoir_potential=np.zeros(len(model.reservoirs)),
        clock=np.zeros(2),
        events=np.zeros(1, dtype=np.int64),
        nulls=np.zeros(species, dtype=np.int64),
        window=nulls.first_window(species),
        counts=np.zeros(rows, dtype=np.int64),
        flicker=np.zeros(rows, dtype=np.int64),
        last_event=np.zeros(count if flicker else 0, dtype=np.int64),
        previous=filled.copy() if flicker else np.zeros(0, dtype=np.int8),
        particle=particle,
        tracer_site=tracer_site.astype(np.int64),
        displacement_nm=np.zeros((len(tracer_site), 3)),
        hops=np.zeros(len(tracer_site), dtype=np.int64),
        random=new_state(seed),
        ahead=np.zeros((drawing.AHEAD, 2)),
        guess=np.zeros((drawing.AHEAD, 2), dtype=np.int64),
        guess_share=np.zeros(drawing.AHEAD),
        turn=np.zeros(1, dtype=np.int64),
        closed=np.zeros(0, dtype=np.int8),
        halts=np.zeros(species, dtype=bool),
    )


def fields(
    old: Floats,
    count: int,
    potential_V: ArrayLike | None,
    temperature_K: ArrayLike | None,
    electron_V: ArrayLike | None,
) -> Floats:
    """The fields with what is given in place of the ``old``; one row where potential and temperature are uniform."""
    named = (("potential_V", potential_V), ("temperature_K", temperature_K), ("electron_V", electron_V))
    width = 3 if electron_V is not None else old.shape[1]
    columns: list[Floats] = []
    for column, (name, values) in enumerate(named[:width]):
        if values is None:
            columns.append(old[:, column])
            continue
        array = np.array(values, dtype=float)
        if array.shape not in ((), (count,)):
            raise KmcError(f"{name} has shape {array.shape}; a number or {(count,)} is needed")
        if not np.all(np.isfinite(array)) or (name == "temperature_K" and np.any(array <= 0.0)):
            raise KmcError(f"{name} holds a value that is not {'above 0 K' if name[0] == 't' else 'finite'}")
        columns.append(array)
    rows = 1 if width == 2 and all(np.ptp(column) == 0.0 for column in columns) else count
    new = np.empty((rows, width))
    for column, array in enumerate(columns):
        new[:, column] = array if rows > 1 else np.ravel(array)[0]
    return new


def groups(model: Model, alike: Sequence[Sequence[str]]) -> NDArray[np.int8]:
    """(S,) a number for each species, the same for those that are ``alike``; see :meth:`kmc.Engine.watch`."""
    number = np.arange(len(model.species), dtype=np.int8)
    for group in alike:
        members = [model.index(name, "watch: alike") for name in group]
        number[members] = members[0]
    return number


def own_potential(table: Table, given: ArrayLike) -> NDArray[np.float64]:
    """(E,) what particles make themselves, V; see :meth:`kmc.Engine.set_fields`.

    Raises:
        KmcError: for another shape, a value that is not finite, or species whose rates are not kept (a bound of a rate
            knows nothing of it).
    """
    array = np.array(given, dtype=float)
    if array.shape != table.target.shape or not np.all(np.isfinite(array)):
        raise KmcError(f"own_V has shape {array.shape}; {table.target.shape} finite numbers are needed")
    if not table.exact.all():
        raise KmcError("own_V needs all rates kept: build the engine with null_events=False")
    return array
