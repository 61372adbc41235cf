"""Which sites a rank shares with which other ranks, and how values and changes get there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcError
from kmc.parallel.kernels import SPECIES_BITS

if TYPE_CHECKING:
    from mpi4py import MPI

Ints = NDArray[np.int64]
Indices = NDArray[np.int32]

#: How often to look for messages before other processes are let in.
_EAGER = 200
_yield = getattr(os, "sched_yield", lambda: None)

_TAG_VALUES, _TAG_CHANGES = 71, 72


def together[R](comm: MPI.Comm, action: Callable[[], R]) -> R:
    """Do something on every rank that can fail on one of them: then all raise the error of the first that failed."""
    result: R | None = None
    problem: str | None = None
    error: Exception | None = None
    try:
        result = action()
    except KmcError as caught:
        problem, error = str(caught), caught
    except Exception as caught:
        problem, error = f"rank {comm.rank}: {type(caught).__name__}: {caught}", caught
    first = next((said for said in comm.allgather(problem) if said is not None), None)
    if first is not None:
        raise KmcError(first) from error
    return result  # type: ignore[return-value]


def wait(requests: list[MPI.Request], states: list[MPI.Status] | None = None) -> None:
    """Wait for all, and let others run: where cores are shared, the one that is waited for may be among them."""
    from mpi4py import MPI

    for _ in range(_EAGER):
        if MPI.Request.Testall(requests, states):
            return
    while not MPI.Request.Testall(requests, states):
        _yield()


class Halo:
    """The sites that this rank shares with others: its ghosts, and what are ghosts elsewhere.

    Args:
        comm: the communicator.
        index: (n,) global numbers of the local sites.
        owner: (n,) who owns them.

    Attributes:
        ranks: the M neighbours, in ascending order.
        shared: local sites shared with each neighbour, one list after the other, by global number: both have the
            same list. ``row`` (M + 1,): where each begins.
    """

    def __init__(self, comm: MPI.Comm, index: Ints, owner: Indices) -> None:
        self._comm = comm
        order = np.argsort(index)
        ghosts = np.flatnonzero(owner != comm.rank)
        wanted = [index[ghosts[owner[ghosts] == rank]] for rank in range(comm.size)]
        asked = comm.alltoall(wanted)
        number = np.concatenate(asked)
        holder = np.repeat(np.arange(comm.size), [len(part) for part in asked])
        mine = np.unique(number)
        number = np.concatenate([number, mine])
        holder = np.concatenate([holder, np.full(len(mine), comm.rank)])
        # Every holder of a site learns of all others.
        by_site = np.argsort(number, kind="stable")
        number, holder = number[by_site], holder[by_site]
        _, first, size = np.unique(number, return_index=True, return_counts=True)
        group = np.repeat(np.arange(len(first)), size)
        one = np.repeat(np.arange(len(number)), size[group])
        other = np.arange(len(one)) - np.repeat(np.cumsum(size[group]) - size[group], size[group])
        other += np.repeat(first[group], size[group])
        apart = one != other
        one, other = one[apart], other[apart]
        told = comm.alltoall(
            [(number[one[holder[one] == rank]], holder[other[holder[one] == rank]]) for rank in range(comm.size)]
        )
        sites, ranks = np.concatenate([part[0] for part in told]), np.concatenate([part[1] for part in told])
        self.ranks: list[int] = np.unique(ranks).tolist()
        lists = []
        for rank in self.ranks:
            common = np.sort(sites[ranks == rank])
            lists.append(order[np.searchsorted(index, common, sorter=order)].astype(np.int32))
        self.shared: Indices = np.concatenate([np.zeros(0, np.int32), *lists])
        self.row: Ints = np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int64)
        if len(self.shared) >= 1 << (31 - SPECIES_BITS):
            raise KmcError(f"a rank shares {len(self.shared)} sites; take more ranks")
        #: By neighbour: local sites that it owns, and those owned here that it knows.
        self.theirs = [part[owner[part] == rank] for part, rank in zip(lists, self.ranks, strict=True)]
        self.ours = [part[owner[part] == comm.rank] for part in lists]

    def fill(self, values: NDArray[Any]) -> None:
        """Give the ghosts of a local array (n, ...) what their owners have, in place."""
        self._swap([values[part] for part in self.ours], values, self.theirs)

    def reports(self, values: NDArray[Any]) -> list[tuple[Indices, NDArray[Any]]]:
        """What the neighbours have on their ghosts of sites owned here: (local sites, their values) of each."""
        received = [np.empty((len(part), *values.shape[1:]), values.dtype) for part in self.ours]
        self._send([values[part] for part in self.theirs], received)
        return list(zip(self.ours, received, strict=True))

    def _swap(self, out: list[NDArray[Any]], values: NDArray[Any], into: list[Indices]) -> None:
        received = [np.empty((len(part), *values.shape[1:]), values.dtype) for part in into]
        self._send(out, received)
        for part, got in zip(into, received, strict=True):
            values[part] = got

    def _send(self, out: list[NDArray[Any]], into: list[NDArray[Any]]) -> None:
        requests = [
            self._comm.Irecv(got.view(np.uint8), rank, _TAG_VALUES) for rank, got in zip(self.ranks, into, strict=True)
        ]
        packed = [np.ascontiguousarray(part) for part in out]
        requests += [
            self._comm.Isend(part.view(np.uint8), rank, _TAG_VALUES)
            for rank, part in zip(self.ranks, packed, strict=True)
        ]
        wait(requests)


class Post:
    """Buffers for the changes of one sector step.

    Args:
        comm, halo: see :class:`Halo`.
        changeable: by sector, which local sites (n,) an event in it can change.
    """

    def __init__(self, comm: MPI.Comm, halo: Halo, changeable: list[NDArray[np.bool_]]) -> None:
        self._comm, self._halo = comm, halo
        spots = np.arange(len(halo.shared)) - np.repeat(halo.row[:-1], np.diff(halo.row))
        #: By sector: local sites, their spots in the shared list, and where the neighbours' parts begin.
        self.local: list[Indices] = []
        self.spot: list[Indices] = []
        self.row: list[Ints] = []
        self._sends: list[list[int]] = []
        self._receives: list[list[int]] = []
        neighbour = np.repeat(np.arange(len(halo.ranks)), np.diff(halo.row))
        for flags in changeable:
            chosen = np.flatnonzero(flags[halo.shared])
            self.local.append(halo.shared[chosen])
            self.spot.append(spots[chosen].astype(np.int32))
            number = np.bincount(neighbour[chosen], minlength=len(halo.ranks))
            self.row.append(np.concatenate([[0], np.cumsum(number)]).astype(np.int64))
            self._sends.append([m for m in range(len(halo.ranks)) if number[m]])
        told = comm.alltoall(
            [
                [halo.ranks.index(rank) in sends if rank in halo.ranks else False for sends in self._sends]
                for rank in range(comm.size)
            ]
        )
        for sector in range(len(changeable)):
            self._receives.append([m for m, rank in enumerate(halo.ranks) if told[rank][sector]])
        self.out: Indices = np.zeros(max([len(part) for part in self.local], default=0), dtype=np.int32)
        self.sent: Ints = np.zeros(len(halo.ranks), dtype=np.int64)
        self.words: Indices = np.zeros(len(halo.shared), dtype=np.int32)
        self.received: Ints = np.zeros(len(halo.ranks), dtype=np.int64)
        #: Messages sent, and bytes in them.
        self.n_messages, self.n_bytes = 0, 0
        #: Seconds in messages: sending, and waiting for the neighbours.
        self.spent_s = 0.0

    def exchange(self, sector: int) -> None:
        """Send the packed words of a sector, and receive those of the neighbours."""
        from mpi4py import MPI

        begun = time.perf_counter()
        halo, row = self._halo, self.row[sector]
        receives, sends = self._receives[sector], self._sends[sector]
        requests = [
            self._comm.Irecv(self.words[halo.row[m] : halo.row[m + 1]], halo.ranks[m], _TAG_CHANGES) for m in receives
        ]
        for m in sends:
            words = self.out[row[m] : row[m] + self.sent[m]]
            requests.append(self._comm.Isend(words, halo.ranks[m], _TAG_CHANGES))
            self.n_messages += 1
            self.n_bytes += words.nbytes
        states = [MPI.Status() for _ in requests]
        wait(requests, states)
        self.received[:] = 0
        for m, state in zip(receives, states, strict=False):
            self.received[m] = state.Get_count(MPI.INT32_T)
        self.spent_s += time.perf_counter() - begun
