"""Reservoirs that all ranks share: their places are dealt out for a sector step, and reshuffled after it.

A reservoir is a well-mixed lattice gas of C places with n particles. Before a sector step every rank that touches it in
this sector gets a fixed number of its places, and which of them are filled is drawn (multivariate hypergeometric, the
same on all ranks). During the step the rank exchanges with its own places. So no rank can take what another has taken,
the number stays within 0 and C, the mean rates are those of the whole reservoir, and each step obeys detailed balance;
only the energy of filling sees the particles of other ranks as they were at the start of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kmc.engine import Engine
from kmc.errors import KmcError
from kmc.parallel.halo import wait

if TYPE_CHECKING:
    from mpi4py import MPI

Ints = NDArray[np.int64]


class Reservoirs:
    """The reservoirs of one model on all ranks.

    Args:
        comm: the communicator.
        engine: this rank's engine, whose tables get the rank's share of places.
        bounds: (K + 1,) where the sites of each sector begin.

    Attributes:
        count: (R,) particles in each reservoir, the same on all ranks.
    """

    def __init__(self, comm: MPI.Comm, engine: Engine, bounds: Ints) -> None:
        self._comm, self._engine = comm, engine
        table = engine.table
        number = len(table.capacity)
        self.count: Ints = engine.state.reservoir_count.copy()
        self._capacity: Ints = table.capacity.astype(np.int64)
        self._filling = table.filling.copy()
        self._energy = table.energy.copy()
        sectors = len(bounds) - 1
        contacts = np.zeros((sectors, number), dtype=np.int64)
        for r in range(number):
            if not np.any(table.step[table.reservoir == r]):
                continue  # an electrode, which neither fills nor empties: its places need not be dealt
            touching = table.contact_site[table.contact_start[r] : table.contact_start[r + 1]]
            contacts[:, r] = np.histogram(touching, bins=bounds)[0]
        everywhere = np.array(comm.allgather(contacts)).reshape(comm.size, sectors, number)
        #: (K, R, ranks) places of each rank.
        self._places = np.zeros((sectors, number, comm.size), dtype=np.int64)
        for sector in range(sectors):
            for r in range(number):
                self._places[sector, r] = _deal(int(self._capacity[r]), everywhere[:, sector, r], engine, r)
        #: (K,) whether any rank touches a reservoir there that fills and empties.
        self.used = self._places.any(axis=(1, 2))

    def deal(self, sector: int, random: np.random.Generator) -> None:
        """Give this rank its places and particles for a step of a sector; rates at contacts have to be renewed."""
        table, state = self._engine.table, self._engine.state
        table.energy[:] = self._energy
        for r, whole in enumerate(self._capacity):
            places = self._places[sector, r]
            filled = np.zeros(len(places), dtype=np.int64)
            if places.any():
                filled = random.multivariate_hypergeometric(places, int(self.count[r]), method="marginals")
            mine, own = places[self._comm.rank], filled[self._comm.rank]
            state.reservoir_count[r] = own
            table.capacity[r] = max(mine, 1)
            # The energy of filling stays that of the whole reservoir: filling (n + 1/2)/C.
            table.filling[r] = self._filling[r] * table.capacity[r] / whole
            rows = table.reservoir == r
            table.energy[rows] += table.step[rows] * self._filling[r] * (self.count[r] - own) / whole
        self._start = state.reservoir_count.copy()

    def whole(self) -> None:
        """Show this rank the whole reservoirs again; rates at contacts have to be renewed."""
        table = self._engine.table
        table.energy[:], table.capacity[:], table.filling[:] = self._energy, self._capacity, self._filling
        self._engine.state.reservoir_count[:] = self.count

    def merge(self) -> None:
        """Add up what all ranks did in the step."""
        change = self._engine.state.reservoir_count - self._start
        total = np.empty_like(change)
        wait([self._comm.Iallreduce(change, total)])
        self.count += total


def _deal(capacity: int, contacts: Ints, engine: Engine, r: int) -> Ints:
    """(ranks,) places in proportion to contacts, at least one where there is any."""
    touching = np.flatnonzero(contacts)
    places = np.zeros(len(contacts), dtype=np.int64)
    if not len(touching):
        return places
    if capacity < len(touching):
        raise KmcError(
            f"reservoir {engine.model.reservoirs[r].name!r} has {capacity} places, and {len(touching)} ranks touch it "
            "in one sector: each needs one; take fewer ranks, or a grid that cuts along another direction"
        )
    wanted = contacts[touching] / contacts.sum() * (capacity - len(touching))
    given = np.floor(wanted).astype(np.int64)
    missing = capacity - len(touching) - int(given.sum())
    given[np.argsort(given - wanted, kind="stable")[:missing]] += 1
    places[touching] = 1 + given
    return places
