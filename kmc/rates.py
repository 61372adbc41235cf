"""The rate law, and the tables it reads.

Rate of a process over an energy change dU with symmetric barrier E0 at temperature T (the mean of the two sites')::

    E = max(E0 - b |F| + dU/2, dU, 0),      k = nu exp(-E / kT)

Written with M = max(E0 - b |F|, |dU|/2) this is E = M + dU/2, so forward and backward share M and
k_forward / k_backward = exp(-dU/kT) whatever the field, the clamp or the throttle (``max_rate_Hz`` scales both by the
factor that brings the faster one down to it). b|F| is the bond-polarisation (thermochemical) lowering, McPherson,
10.1063/1.1565180, with F the field along the edge (or from the site to its reservoir). E0 = -inf is Metropolis' rule,
k = nu min(1, exp(-dU/kT)).

dU holds site energies, pair energies and the work on moved charge. Only potential differences enter: charge that a
reaction makes or destroys comes from electrons at the local potential (of the site, or the mean of the pair's), charge
that an exchange makes comes from the reservoir's (an electrode reaction's from the electrode's), and where an ion is
reduced at a metal it comes from the metal's, the second site's. So a constant added to every potential changes nothing.
A metal's surface has two potentials: that of its electrons, and that which an ion would feel where an atom stands now,
on the other side of the double layer. Where the fields tell them apart (``electron_V``), redox takes the first from the
second site and the other from its own, so that oxidation and reduction see the same overpotential.

A particle does not feel the potential that it makes itself. Where potentials hold what particles make, a site's own
particle is left out of the potential there, and ``State.own`` is what the particle on an edge's first site makes at the
second: it is taken off while that particle moves (see :meth:`kmc.Engine.set_fields`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann, elementary_charge

from kmc.jit import inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Indices = NDArray[np.int32]  # half the memory traffic; widened where it is read, so that a kernel is compiled once

#: A bound is this much larger than what is computed, so that rounding cannot make it smaller than a rate.
_ROUNDED_UP = 1.0 + 1e-12

#: Boltzmann's constant in eV/K.
KB_EV = Boltzmann / elementary_charge


class Table(NamedTuple):
    """What does not change during a run (P one-way processes, S species, N sites, E edges, K kinds of edges).

    An edge's kind says which pair processes and which shell of pair energies act on it. Arrays that a model has no use
    for have length 0.
    """

    start: Ints  # (N + 1,)
    target: Indices  # (E,)
    reverse: Indices  # (E,)
    kind: NDArray[np.uint8]  # (E,), or (0,) where all edges are of kind 0
    length_nm: Floats  # (E,) where a pair process is polarisable
    shell: Ints  # (K,) which shell of pair energies, or -1
    own_pair: Floats  # (K, S, S) pair energy of the two sites of such an edge with each other
    column: Ints  # (S,) which column of State.neighbour_count (within a shell) counts this species, or -1
    columns: int  # of a shell
    pair_energy: Floats  # (S, shells x columns)
    has_pair_energy: bool
    charge: Floats  # (S,)
    site_energy: Floats  # (N, S)
    pair_match: Ints  # (K, S, S, A) rows of pair processes from these two species over such an edge, -1 behind the last
    single_match: Ints  # (S, B) likewise for one site
    before: Ints  # (P, 2)
    after: Ints  # (P, 2)
    swaps: NDArray[np.bool_]  # (P,) the two sites exchange what they hold
    moved: Floats  # (P,) charge that a pair process moves from its second to its first site
    from_metal: NDArray[np.bool_]  # (P,) ... as electrons of the second site, at their potential there
    barrier: Floats  # (P,)
    energy: Floats  # (P,)
    prefactor: Floats  # (P,)
    polarisation: Floats  # (P,)
    max_rate: Floats  # (P,)
    constant: Floats  # (P,) a rate that hangs on nothing, or nan
    mirrored: NDArray[np.bool_]  # (P,) both orders of the pair are one event: each carries half of its rate
    reservoir: Ints  # (P,) or -1
    step: Ints  # (P,) particles put into the reservoir
    edge_row: Ints  # (P,) row of edge_barrier, or -1
    edge_barrier: Floats  # (rows, E) added to the barrier
    site_row: Ints  # (P,) row of site_barrier, or -1
    site_barrier: Floats  # (rows, N)
    factor_row: Ints  # (P,) row of site_factor, or -1
    site_factor: Floats  # (rows, N) factor of the rate of a process on one site, at most 1
    contact_start: Ints  # (R + 1,)
    contact_site: Indices  # sites that touch reservoir r: contact_site[contact_start[r] : contact_start[r + 1]]
    contact_nm: Floats  # (N, R) distance to a reservoir, 0 where there is no contact
    capacity: Floats  # (R,)
    filling: Floats  # (R,)
    exact: NDArray[np.bool_]  # (S,) rates of processes that start from this species are kept; else a bound of them is
    exact_from: NDArray[np.bool_]  # (S,) exact, and first species of a pair process
    exact_to: NDArray[np.bool_]  # (S,) second species of a pair process with an exact first one
    exact_single: NDArray[np.bool_]  # (S,) exact, with a process of one site
    kept_pair: NDArray[np.bool_]  # (S, S) a pair process with an exact first species acts on the two
    any_exact: bool
    exact_pairs: bool  # of a pair process, some first species is exact
    degree: int  # most edges of a site
    regular: bool  # all sites have so many
    shell_degree: int  # most neighbours of a site in the shells of pair energies
    memo_base: int  # (shell_degree + 1) to the power of the columns of all shells: how many neighbour codes there are
    pair_slots: Ints  # (S,) most pair processes from a species over one edge
    single_slots: Ints  # (S,) processes of one site from a species
    slot_share: Floats  # (S,) one over the number of slots (edges times pair_slots, and single_slots)
    starts: Ints  # (S, C) rows of all processes that start from a species, -1 behind the last
    swing: Floats  # (P,) by how much pair energies can lower the change of energy at most
    tracked: NDArray[np.bool_]  # (S,) tracers are followed while they are of these species
    vector: NDArray[np.uint32]  # (E,) row of vectors_nm, where tracers are followed
    vectors_nm: Floats  # (V, 3)


class State(NamedTuple):
    """What changes: all arrays, so that kernels write in place and a checkpoint is a copy of them."""

    occupation: NDArray[np.int8]  # (N,)
    fields: Floats  # (N, 2) potential in V and temperature in K, or (1, 2) the same everywhere; (N, 3) electrons' in V
    own: Floats  # (E,) potential at an edge's second site that the particle on the first makes itself, V; or (0,)
    neighbour_count: NDArray[np.int16]  # (N, shells x columns) neighbours of each species that has pair energies
    pair_rate: Floats  # (E, A) of exact processes
    single_rate: Floats  # (N, B)
    fixed_rate: Floats  # (P,) the rate of a pair process where it is the same everywhere in these fields, or nan
    memo: Floats  # rates of processes that hang on neighbours only, by their numbers; -1 where not yet known; or (0,)
    bound: Floats  # (N or 1, S, 2) bound of the rate of a slot for a pair, for a site alone; -1 where not yet known
    reservoir_count: Ints  # (R,)
    reservoir_potential: Floats  # (R,) V
    clock: Floats  # (2,) s, and the rounding error in it (compensated summation)
    events: Ints  # (1,)
    nulls: Ints  # (S,) draws that came to nothing, by the species of their site
    window: Ints  # (3 + S,) draws left until a look at them, length of the window, events and nulls at its start
    counts: Ints  # (P,)
    flicker: Ints  # (P,) events that undid the one before, with nothing in between
    last_event: Ints  # (N,) number of the last event at a site, negative if it had no partner; or (0,)
    previous: NDArray[np.int8]  # (N,) species before it; or (0,)
    particle: Indices  # (N,) tracer on this site, or -1; or (0,)
    tracer_site: Ints  # (M,) where a tracer is, -1 when it is gone
    displacement_nm: Floats  # (M, 3) sum of its hops
    hops: Ints  # (M,)
    random: NDArray[np.uint64]  # (4,)
    ahead: Floats  # (AHEAD, 2) random numbers of the next draws, so that memory can be asked for in time
    guess: Ints  # (AHEAD, 2) the site and edge that they will fall on, as far as is known
    guess_share: Floats  # (AHEAD,)
    turn: Ints  # (1,) draws so far
    closed: NDArray[np.int8]  # (N,) where events may start and end, see keeping.allowed; or (0,)
    halts: NDArray[np.bool_]  # (S,) a run stops when a particle of these species came, went or moved


@inner
def first_edge(table: Table, site: int) -> int:
    """Where the edges of a site begin."""
    return site * table.degree if table.regular else table.start[site]


@inner
def kind_of(table: Table, edge: int) -> np.int64:
    """The kind of an edge."""
    return np.int64(table.kind[edge]) if len(table.kind) else np.int64(0)


@inner
def potential_at(state: State, site: int) -> float:
    """Potential, V."""
    return state.fields[site if len(state.fields) > 1 else 0, 0]


@inner
def temperature_at(state: State, site: int) -> float:
    """Temperature, K."""
    return state.fields[site if len(state.fields) > 1 else 0, 1]


@inner
def partner_potential(table: Table, state: State, process: int, j: int) -> float:
    """Potential at the second site of a pair process: of its electrons where it is a metal that gives them, V."""
    return state.fields[j, 2 if table.from_metal[process] and state.fields.shape[1] > 2 else 0]


@inner
def arrhenius(barrier: float, change: float, prefactor: float, max_rate: float, kt: float) -> float:
    """The rate law of this module's docstring for one direction; energies and kt in eV, rates in 1/s."""
    saddle = max(barrier, 0.5 * abs(change))
    height = saddle + 0.5 * change
    rate = prefactor * np.exp(-height / kt) if height > 0.0 else prefactor
    if prefactor > max_rate:
        fastest = prefactor * np.exp(-(saddle - 0.5 * abs(change)) / kt)
        if fastest > max_rate:
            rate *= max_rate / fastest
    return rate


@inner
def neighbour_energy(table: Table, state: State, site: int, species: int) -> float:
    """Pair energy that a species has on this site with what stands around it, eV."""
    energy = 0.0
    for c in range(table.pair_energy.shape[1]):
        energy += table.pair_energy[species, c] * state.neighbour_count[site, c]
    return energy


@inner
def neighbour_code(table: Table, state: State, site: int) -> int:
    """One number for all neighbour counts of a site."""
    code = 0
    for c in range(state.neighbour_count.shape[1]):
        code = code * (table.shell_degree + 1) + state.neighbour_count[site, c]
    return code


@inner
def pair_change(table: Table, state: State, process: int, i: int, j: int, edge: int) -> float:
    """Energy after minus before of a pair process on the directed edge i -> j, eV."""
    a, b = table.before[process, 0], table.before[process, 1]
    c, d = table.after[process, 0], table.after[process, 1]
    change = table.energy[process]
    if len(table.site_energy):
        change += table.site_energy[i, c] - table.site_energy[i, a] + table.site_energy[j, d] - table.site_energy[j, b]
    if len(state.fields) > 1:
        change += table.moved[process] * (state.fields[i, 0] - partner_potential(table, state, process, j))
    if len(state.own):
        change += table.moved[process] * state.own[edge]
    if table.has_pair_energy:
        change += neighbour_energy(table, state, i, c) - neighbour_energy(table, state, i, a)
        change += neighbour_energy(table, state, j, d) - neighbour_energy(table, state, j, b)
        # Each neighbour's energy still counts the old species of the other.
        pair, k = table.own_pair, kind_of(table, edge)
        change += pair[k, c, d] + pair[k, a, b] - pair[k, c, b] - pair[k, a, d]
    return change


@inner
def pair_rate(table: Table, state: State, process: int, i: int, j: int, edge: int) -> float:
    """Rate of a pair process on the directed edge i -> j, 1/s (half of it where the other order is the same event)."""
    if state.fixed_rate[process] >= 0.0:
        return state.fixed_rate[process]
    entry = -1
    if len(state.memo):
        entry = process * len(table.shell) + kind_of(table, edge)
        entry = (entry * table.memo_base + neighbour_code(table, state, i)) * table.memo_base
        entry += neighbour_code(table, state, j)
        if state.memo[entry] >= 0.0:
            return state.memo[entry]
    change = pair_change(table, state, process, i, j, edge)
    barrier = table.barrier[process]
    if table.edge_row[process] >= 0:
        barrier += table.edge_barrier[table.edge_row[process], edge]
    if table.polarisation[process] > 0.0:
        field = abs(potential_at(state, i) - potential_at(state, j)) / table.length_nm[edge]
        barrier -= table.polarisation[process] * field
    kt = 0.5 * KB_EV * (temperature_at(state, i) + temperature_at(state, j))
    rate = arrhenius(barrier, change, table.prefactor[process], table.max_rate[process], kt)
    rate = 0.5 * rate if table.mirrored[process] else rate
    if entry >= 0:
        state.memo[entry] = rate
    return rate


@inner
def single_change(table: Table, state: State, process: int, i: int) -> float:
    """Energy after minus before of a process on one site, the reservoir's part included, eV."""
    a, c = table.before[process, 0], table.after[process, 0]
    change = table.energy[process]
    if len(table.site_energy):
        change += table.site_energy[i, c] - table.site_energy[i, a]
    if table.has_pair_energy:
        change += neighbour_energy(table, state, i, c) - neighbour_energy(table, state, i, a)
    r = table.reservoir[process]
    if r >= 0:
        change += (table.charge[c] - table.charge[a]) * (potential_at(state, i) - state.reservoir_potential[r])
        step = table.step[process]
        change += step * table.filling[r] * (state.reservoir_count[r] + 0.5 * step) / table.capacity[r]
    return change


@inner
def single_rate(table: Table, state: State, process: int, i: int) -> float:
    """Rate of a process on one site, 1/s; zero where an exchange finds no contact."""
    if table.constant[process] >= 0.0:
        return table.constant[process]
    r = table.reservoir[process]
    if r >= 0 and table.contact_nm[i, r] == 0.0:
        return 0.0
    entry = -1
    if len(state.memo) and r < 0:
        entry = process * len(table.shell) * table.memo_base + neighbour_code(table, state, i)
        entry *= table.memo_base
        if state.memo[entry] >= 0.0:
            return state.memo[entry]
    change = single_change(table, state, process, i)
    barrier = table.barrier[process]
    if table.site_row[process] >= 0:
        barrier += table.site_barrier[table.site_row[process], i]
    weight = 1.0
    if r >= 0:
        filled = state.reservoir_count[r] / table.capacity[r]
        step = table.step[process]
        weight = 1.0 - filled if step > 0 else filled if step < 0 else 1.0
        if table.polarisation[process] > 0.0:
            field = abs(potential_at(state, i) - state.reservoir_potential[r]) / table.contact_nm[i, r]
            barrier -= table.polarisation[process] * field
    if table.factor_row[process] >= 0:
        weight *= table.site_factor[table.factor_row[process], i]
    kt = KB_EV * temperature_at(state, i)
    rate = weight * arrhenius(barrier, change, table.prefactor[process], table.max_rate[process], kt)
    if entry >= 0:
        state.memo[entry] = rate
    return rate


@inner
def process_bound(table: Table, state: State, process: int, i: int) -> float:
    """An upper limit of a process's rate at a site (pair process: over any of its edges), whatever stands around."""
    if state.fixed_rate[process] >= 0.0:
        return state.fixed_rate[process]
    if table.constant[process] >= 0.0:
        return table.constant[process]
    a, b = table.before[process, 0], table.before[process, 1]
    c, d = table.after[process, 0], table.after[process, 1]
    least, lowest, hottest = np.inf, np.inf, temperature_at(state, i)  # of energy change, barrier, temperature
    for edge in range(table.start[i], table.start[i + 1] if b >= 0 else table.start[i] + 1):
        change, barrier = table.energy[process] - table.swing[process], table.barrier[process]
        if len(table.site_energy):
            change += table.site_energy[i, c] - table.site_energy[i, a]
        if b >= 0:
            j = np.int64(table.target[edge])
            if len(table.site_energy):
                change += table.site_energy[j, d] - table.site_energy[j, b]
            if len(state.fields) > 1:
                change += table.moved[process] * (state.fields[i, 0] - partner_potential(table, state, process, j))
            if table.edge_row[process] >= 0:
                barrier += table.edge_barrier[table.edge_row[process], edge]
            if table.polarisation[process] > 0.0:
                field = abs(potential_at(state, i) - potential_at(state, j)) / table.length_nm[edge]
                barrier -= table.polarisation[process] * field
            hottest = max(hottest, temperature_at(state, j))
        elif table.site_row[process] >= 0:
            barrier += table.site_barrier[table.site_row[process], i]
        least, lowest = min(least, change), min(lowest, barrier)
    height = max(lowest + 0.5 * least, least, 0.0)
    limit = min(table.prefactor[process] * np.exp(-height / (KB_EV * hottest)), table.max_rate[process])
    return _ROUNDED_UP * (0.5 * limit if table.mirrored[process] else limit)


@inner
def bounds_known(table: Table, state: State, i: int, species: int) -> int:
    """The row of State.bound that holds for a species that is not exact on this site; filled on first use."""
    row = i if len(state.bound) > 1 else 0
    if state.bound[row, species, 0] < 0.0:
        pair, single = 0.0, 0.0
        for slot in range(table.starts.shape[1]):
            process = table.starts[species, slot]
            if process >= 0:
                bound = process_bound(table, state, process, i)
                if table.before[process, 1] >= 0:
                    pair = max(pair, bound)
                else:
                    single = max(single, bound)
        state.bound[row, species, 0], state.bound[row, species, 1] = pair, single
    return row


@inner
def weight_bound(table: Table, state: State, i: int, species: int) -> float:
    """A bound of the sum of all rates that start from a species on this site."""
    row = bounds_known(table, state, i, species)
    pairs = table.degree * table.pair_slots[species] * state.bound[row, species, 0]
    return pairs + table.single_slots[species] * state.bound[row, species, 1]
