"""The rate law, and the tables it reads.

Rate of a process over an energy change dU with symmetric barrier E0 at temperature T (of the two sites' mean)::

    E = max(E0 - b |F| + dU/2, dU, 0),      k = nu exp(-E / kT)

Written with M = max(E0 - b |F|, |dU|/2) this is E = M + dU/2, so forward and backward share M and
k_forward / k_backward = exp(-dU/kT) whatever the field, the clamp or the throttle (``max_rate_Hz`` scales both by the
factor that brings the faster one down to it). b|F| is the bond-polarisation (thermochemical) lowering, McPherson,
10.1063/1.1565180.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann, elementary_charge

from kmc.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Boltzmann's constant in eV/K.
KB_EV = Boltzmann / elementary_charge


class Table(NamedTuple):
    """What does not change during a run (P processes and their reverses, S species, N sites, E edges)."""

    start: Ints  # (N + 1,)
    target: Ints  # (E,)
    reverse: Ints  # (E,)
    length_nm: Floats  # (E,)
    shell: NDArray[np.int8]  # (E,) 1 where pair energies act
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
    contact: Ints  # (N,) reservoir that a site touches, or -1
    contact_nm: Floats  # (N,) distance to it
    capacity: Floats  # (R,)
    filling: Floats  # (R,)


class State(NamedTuple):
    """What changes: all arrays, so that kernels write in place and a checkpoint is a copy of them."""

    occupation: NDArray[np.int8]  # (N,)
    potential: Floats  # (N,) V
    temperature: Floats  # (N,) K
    neighbour_energy: Floats  # (N, S) pair energy that a species would have on this site
    pair_rate: Floats  # (E, A)
    single_rate: Floats  # (N, B)
    tree: Floats
    reservoir_count: Ints  # (R,)
    reservoir_potential: Floats  # (R,) V
    clock: Floats  # (1,) s
    events: Ints  # (1,)
    counts: Ints  # (P,)
    flicker: Ints  # (P,) events that undid the one before, with nothing in between
    last_event: Ints  # (N,) number of the last event at a site
    previous: NDArray[np.int8]  # (N,) species before it
    random: NDArray[np.uint64]  # (4,)


@kernel
def arrhenius(barrier: float, change: float, prefactor: float, max_rate: float, kt: float) -> float:
    """The rate law of this module's docstring for one direction; energies and kt in eV, rates in 1/s."""
    saddle = max(barrier, 0.5 * abs(change))
    rate = prefactor * np.exp(-(saddle + 0.5 * change) / kt)
    fastest = prefactor * np.exp(-(saddle - 0.5 * abs(change)) / kt)
    return rate * max_rate / fastest if fastest > max_rate else rate


@kernel
def pair_change(table: Table, state: State, process: int, i: int, j: int, edge: int) -> float:
    """Energy after minus before of a pair process on the directed edge i -> j, eV."""
    a, b = table.before[process, 0], table.before[process, 1]
    c, d = table.after[process, 0], table.after[process, 1]
    change = table.energy[process]
    change += table.site_energy[i, c] - table.site_energy[i, a] + table.site_energy[j, d] - table.site_energy[j, b]
    change += (table.charge[c] - table.charge[a]) * state.potential[i]
    change += (table.charge[d] - table.charge[b]) * state.potential[j]
    if table.has_pair_energy:
        change += state.neighbour_energy[i, c] - state.neighbour_energy[i, a]
        change += state.neighbour_energy[j, d] - state.neighbour_energy[j, b]
        if table.shell[edge]:
            pair = table.pair_energy
            change += pair[c, d] + pair[a, b] - pair[c, b] - pair[a, d]
    return change


@kernel
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


@kernel
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


@kernel
def single_rate(table: Table, state: State, process: int, i: int) -> float:
    """Rate of a process on one site, 1/s; zero where an exchange finds no contact."""
    r = table.reservoir[process]
    if r >= 0 and table.contact[i] != r:
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
            field = abs(state.potential[i] - state.reservoir_potential[r]) / table.contact_nm[i]
            barrier -= table.polarisation[process] * field
    kt = KB_EV * state.temperature[i]
    return weight * arrhenius(barrier, change, table.prefactor[process], table.max_rate[process], kt)
