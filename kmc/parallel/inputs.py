"""From what a user gives to the arrays of one rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.model import Model
from kmc.occupation import Filler
from kmc.parallel.halo import Halo, together
from kmc.parallel.part import Part
from kmc.parallel.sectors import Local
from kmc.start import streams

if TYPE_CHECKING:
    from mpi4py import MPI

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def localised(comm: MPI.Comm, local: Local, count: int, halo: Halo, values: ArrayLike, what: str) -> Floats:
    """(n,) this rank's share of a number, of an array of all ``count`` sites or of owned ones; ghosts included."""
    array = np.asarray(values, dtype=float)
    shapes = comm.allgather(array.shape)
    if all(shape == () for shape in shapes):
        return np.full(len(local.index), float(array))
    if all(shape == (count,) for shape in shapes):
        return array[local.index]

    def spread() -> Floats:
        if array.shape != (local.owned,):
            raise KmcError(
                f"{what} has shape {array.shape}; a number, ({count},) for all sites or ({local.owned},) for those of "
                "this rank is needed"
            )
        out = np.zeros(len(local.index))
        out[: local.owned] = array[local.order]
        return out

    out = together(comm, spread)
    halo.fill(out)
    return out


def shifts_at(
    comm: MPI.Comm, local: Local, part: Part, halo: Halo, shifts: Mapping[str, ArrayLike] | None
) -> dict[str, Floats]:
    """Barrier shifts by process: of this rank's sites, or of its edges where they are given by edge of the part."""
    found = {}
    for name, values in (shifts or {}).items():
        array = np.asarray(values, dtype=float)
        by_edge = array.shape == (part.sites.n_edges,) and array.shape not in ((part.count,), (local.owned,))
        if all(comm.allgather(by_edge)):
            found[name] = np.where(local.edges >= 0, array[local.edges], 0.0)
        else:
            found[name] = localised(comm, local, part.count, halo, values, f"shift of {name!r}")
    return found


def places(local: Local, count: int, where: Ints, what: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Local numbers of those of the sites ``where`` (M,) of the whole graph that are here, and their species."""
    if where.shape != what.shape or where.ndim != 1:
        raise KmcError(f"assign: sites have shape {where.shape}, species {what.shape}; equal lists are needed")
    if len(where) and (where.min() < 0 or where.max() >= count):
        raise KmcError(f"assign: sites are numbered 0..{count - 1}")
    by_number = np.argsort(local.index)
    place = np.minimum(np.searchsorted(local.index, where, sorter=by_number), len(by_number) - 1)
    here = local.index[by_number[place]] == where
    return by_number[place[here]], what[here]


def child(root: np.random.SeedSequence, *key: int) -> np.random.SeedSequence:
    """A stream of the engine's own, whatever else is drawn from ``root``."""
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, 0x70617261, *key), pool_size=root.pool_size)


def species_at(
    comm: MPI.Comm,
    local: Local,
    count: int,
    halo: Halo,
    model: Model,
    occupation: ArrayLike | Filler,
    seed: np.random.SeedSequence,
) -> NDArray[np.int8]:
    """(n,) species of this rank's sites, ghosts included: given as for :func:`localised`, or filled in."""

    def fill() -> Any:
        if callable(occupation):
            return occupation(model, local.owned, np.random.default_rng(streams(seed)[2]))
        return np.asarray(occupation)

    filled = localised(comm, local, count, halo, together(comm, fill), "occupation")
    if np.any(filled != np.rint(filled)) or np.any(np.abs(filled) > 127):
        raise KmcError("occupation holds a value that is no species number")
    return filled.astype(np.int8)


def touching(local: Local, contacts: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> dict[str, tuple[Ints, Floats]]:
    """Contacts by local numbers: of this rank's sites."""
    number = local.index[: local.owned]
    by_number = np.argsort(number)
    found = {}
    for name, (members, lengths) in contacts.items():
        index = np.asarray(members, dtype=np.int64)
        length = np.broadcast_to(np.asarray(lengths, dtype=float), index.shape)
        place = np.minimum(np.searchsorted(number, index, sorter=by_number), len(number) - 1)
        here = number[by_number[place]] == index
        found[name] = by_number[place[here]], length[here]
    return found


def checked(share: float, step: str | float, order: str) -> tuple[float, str | float, bool]:
    """The settings of the sector step, as numbers; the last says whether sectors take turns at random."""
    if not 0.0 < share < np.inf:
        raise KmcError(f"share is {share}; a number of events above 0 is needed")
    if isinstance(step, str):
        if step not in ("fastest", "mean"):
            raise KmcError(f"step is {step!r}; known are fastest, mean, or a length in s")
    elif not 0.0 < step < np.inf:
        raise KmcError(f"step is {step}; a length above 0 s is needed")
    if order not in ("random", "cyclic"):
        raise KmcError(f"order is {order!r}; known are cyclic, random")
    return float(share), step if isinstance(step, str) else float(step), order == "random"
