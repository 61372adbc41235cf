"""The rate law, and the tables it reads.

Rate of a process over an energy change dU with symmetric barrier E0 at temperature T (the mean of the two sites')::

    E = max(E0 - b |F| + dU/2, dU, 0),      k = nu exp(-E / kT)

Written with M = max(E0 - b |F|, |dU|/2) this is E = M + dU/2, so forward and backward share M and
k_forward / k_backward = exp(-dU/kT) whatever the field, the clamp or the throttle (``max_rate_Hz`` scales both by the
factor that brings the faster one down to it). b|F| is the bond-polarisation (thermochemical) lowering, McPherson,
10.1063/1.1565180, with F the field along the edge (or from the site to its reservoir).

dU holds site energies, pair energies and the work on moved charge. Only potential differences enter: charge that a
reaction makes or destroys comes from electrons at the local potential (of the site, or the mean of the pair's), charge
that an exchange makes comes from the reservoir's. So a constant added to every potential changes nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann, elementary_charge

from kmc.jit import inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Indices = NDArray[np.int32]  # half the memory traffic; widened where it is read, so that a kernel is compiled once

#: Boltzmann's constant in eV/K.
KB_EV = Boltzmann / elementary_charge


class Table(NamedTuple):
    """What does not change during a run (P processes and their reverses, S species, N sites, E edges)."""

    start: Ints  # (N + 1,)
    target: Indices  # (E,)
    reverse: Indices  # (E,)
    length_nm: Floats  # (E,)
    shell: NDArray[np.int8]  # (E,) 1 where pair energies act
    bonds: NDArray[np.int8]  # (E,) how many shell edges join these two sites (2 and more through a small periodic cell)
    charge: Floats  # (S,)
    site_energy: Floats  # (N, S)
    pair_energy: Floats  # (S, S)
    has_pair_energy: bool
    pair_match: Ints  # (S, S, A) rows of pair processes that start from these two species, -1 behind the last
    single_match: Ints  # (S, B) likewise for one site
    before: Ints  # (P, 2)
    after: Ints  # (P, 2)
    barrier: Floats  # (P,)
    energy: Floats  # (P,)
    prefactor: Floats  # (P,)
    polarisation: Floats  # (P,)
    max_rate: Floats  # (P,)
    mirrored: NDArray[np.bool_]  # (P,) both orders of the pair are one event
    reservoir: Ints  # (P,) or -1
    step: Ints  # (P,) particles put into the reservoir
    edge_row: Ints  # (P,) row of edge_barrier, or -1
    edge_barrier: Floats  # (rows, E) added to the barrier
    site_row: Ints  # (P,) row of site_barrier, or -1
    site_barrier: Floats  # (rows, N)
    contact_start: Ints  # (R + 1,)
    contact_site: Indices  # sites that touch reservoir r: contact_site[contact_start[r] : contact_start[r + 1]]
    contact_nm: Floats  # (N, R) distance to a reservoir, 0 where there is no contact
    capacity: Floats  # (R,)
    filling: Floats  # (R,)


class State(NamedTuple):
    """What changes: all arrays, so that kernels write in place and a checkpoint is a copy of them."""

    occupation: NDArray[np.int8]  # (N,)
    potential: Floats  # (N,) V
    temperature: Floats  # (N,) K
    neighbour_count: NDArray[np.int16]  # (N, S) neighbours of each species in the shell of pair energies
    neighbour_energy: Floats  # (N, S) pair energy that a species would have on this site: a function of those counts
    pair_rate: Floats  # (E, A)
    single_rate: Floats  # (N, B)
    tree: Floats
    reservoir_count: Ints  # (R,)
    reservoir_potential: Floats  # (R,) V
    clock: Floats  # (2,) s, and the rounding error in it (compensated summation)
    events: Ints  # (1,)
    counts: Ints  # (P,)
    flicker: Ints  # (P,) events that undid the one before, with nothing in between
    last_event: Ints  # (N,) number of the last event at a site, negative if it had no partner, 0 if there was none
    previous: NDArray[np.int8]  # (N,) species before it
    random: NDArray[np.uint64]  # (4,)


@inner
def arrhenius(barrier: float, change: float, prefactor: float, max_rate: float, kt: float) -> float:
    """The rate law of this module's docstring for one direction; energies and kt in eV, rates in 1/s."""
    saddle = max(barrier, 0.5 * abs(change))
    rate = prefactor * np.exp(-(saddle + 0.5 * change) / kt)
    if prefactor > max_rate:
        fastest = prefactor * np.exp(-(saddle - 0.5 * abs(change)) / kt)
        if fastest > max_rate:
            rate *= max_rate / fastest
    return rate


@inner
def pair_change(table: Table, state: State, process: int, i: int, j: int, edge: int) -> float:
    """Energy after minus before of a pair process on the directed edge i -> j, eV."""
    a, b = table.before[process, 0], table.before[process, 1]
    c, d = table.after[process, 0], table.after[process, 1]
    change = table.energy[process]
    change += table.site_energy[i, c] - table.site_energy[i, a] + table.site_energy[j, d] - table.site_energy[j, b]
    moved = 0.5 * (table.charge[c] - table.charge[a] - table.charge[d] + table.charge[b])  # from j to i
    change += moved * (state.potential[i] - state.potential[j])
    if table.has_pair_energy:
        change += state.neighbour_energy[i, c] - state.neighbour_energy[i, a]
        change += state.neighbour_energy[j, d] - state.neighbour_energy[j, b]
        if table.bonds[edge]:  # each neighbour's energy still counts the old species of the other
            pair = table.pair_energy
            change += table.bonds[edge] * (pair[c, d] + pair[a, b] - pair[c, b] - pair[a, d])
    return change


@inner
def pair_rate(table: Table, state: State, process: int, i: int, j: int, edge: int) -> float:
    """Rate of a pair process on the directed edge i -> j, 1/s."""
    if table.mirrored[process] and i > j:
        return 0.0
    change = pair_change(table, state, process, i, j, edge)
    barrier = table.barrier[process]
    if table.edge_row[process] >= 0:
        barrier += table.edge_barrier[table.edge_row[process], edge]
    if table.polarisation[process] > 0.0:
        field = abs(state.potential[i] - state.potential[j]) / table.length_nm[edge]
        barrier -= table.polarisation[process] * field
    kt = 0.5 * KB_EV * (state.temperature[i] + state.temperature[j])
    return arrhenius(barrier, change, table.prefactor[process], table.max_rate[process], kt)


@inner
def single_change(table: Table, state: State, process: int, i: int) -> float:
    """Energy after minus before of a process on one site, the reservoir's part included, eV."""
    a, c = table.before[process, 0], table.after[process, 0]
    change = table.energy[process] + table.site_energy[i, c] - table.site_energy[i, a]
    if table.has_pair_energy:
        change += state.neighbour_energy[i, c] - state.neighbour_energy[i, a]
    r = table.reservoir[process]
    if r >= 0:
        change += (table.charge[c] - table.charge[a]) * (state.potential[i] - state.reservoir_potential[r])
        step = table.step[process]
        change += step * table.filling[r] * (state.reservoir_count[r] + 0.5 * step) / table.capacity[r]
    return change


@inner
def single_rate(table: Table, state: State, process: int, i: int) -> float:
    """Rate of a process on one site, 1/s; zero where an exchange finds no contact."""
    r = table.reservoir[process]
    if r >= 0 and table.contact_nm[i, r] == 0.0:
        return 0.0
    change = single_change(table, state, process, i)
    barrier = table.barrier[process]
    if table.site_row[process] >= 0:
        barrier += table.site_barrier[table.site_row[process], i]
    weight = 1.0
    if r >= 0:
        filled = state.reservoir_count[r] / table.capacity[r]
        weight = 1.0 - filled if table.step[process] > 0 else filled
        if table.polarisation[process] > 0.0:
            field = abs(state.potential[i] - state.reservoir_potential[r]) / table.contact_nm[i, r]
            barrier -= table.polarisation[process] * field
    kt = KB_EV * state.temperature[i]
    return weight * arrhenius(barrier, change, table.prefactor[process], table.max_rate[process], kt)
