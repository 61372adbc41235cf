"""What is kept up to date from event to event: neighbour counts, rates, and the weights that sites are drawn with."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import lists as composition
from kmc import tree as sumtree
from kmc.jit import inner, kernel
from kmc.lists import Lists
from kmc.rates import (
    Floats,
    Indices,
    Ints,
    State,
    Table,
    first_edge,
    kind_of,
    pair_rate,
    single_rate,
    weight_bound,
)

#: State.closed of a site: events start and end here; start here if they end at an open site; end here if they start at
#: an open site; neither. So a set of pairs can be open whose events both ways are in it (open sites and a rim).
OPEN, RIM, SHUT, BARRED = range(4)


class Selection(NamedTuple):
    """What events are drawn with: a sum tree (of length 0 when not in use) or lists."""

    tree: Floats
    lists: Lists


class Scratch(NamedTuple):
    """Work space of :func:`refresh_around`."""

    tick: Ints  # (1,) number of the last refresh
    lengths: Ints  # (2,) of the two lists
    touched: Indices  # (N,) tick at which a site was last touched
    touched_list: Indices  # (N,)
    changed: Indices  # (N,) tick at which a rate of it last changed
    changed_list: Indices  # (N,)


def new_scratch(count: int) -> Scratch:
    """Work space for ``count`` sites."""
    arrays = [np.zeros(count, dtype=np.int32) for _ in range(4)]
    return Scratch(np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64), *arrays)


@inner
def refresh_edge(table: Table, state: State, i: int, edge: int) -> bool:
    """All pair rates on one directed edge; True when one of them changed (or may have: they are not stored)."""
    if not len(state.pair_rate):
        return True
    j = np.int64(table.target[edge])
    a, b, kind = state.occupation[i], state.occupation[j], kind_of(table, edge)
    changed = False
    for slot in range(state.pair_rate.shape[1]):
        process, old = table.pair_match[kind, a, b, slot], state.pair_rate[edge, slot]
        rate = pair_rate(table, state, process, i, j, edge) if process >= 0 and table.exact[a] else 0.0
        if rate != old:
            state.pair_rate[edge, slot] = rate
            changed = True
    return changed


@inner
def refresh_singles(table: Table, state: State, i: int) -> bool:
    """All one-site rates of one site; True when one of them changed (or may have: they are not stored)."""
    if not len(state.single_rate):
        return True
    a = state.occupation[i]
    changed = False
    for slot in range(state.single_rate.shape[1]):
        process, old = table.single_match[a, slot], state.single_rate[i, slot]
        rate = single_rate(table, state, process, i) if process >= 0 and table.exact[a] else 0.0
        if rate != old:
            state.single_rate[i, slot] = rate
            changed = True
    return changed


@inner
def allowed(state: State, site: int, partner: int) -> bool:
    """Whether State.closed lets an event happen at a site and its partner (or -1)."""
    if not len(state.closed):
        return True
    gate = np.int64(state.closed[site])
    return bool(gate == OPEN if partner < 0 else np.int64(state.closed[partner]) <= SHUT - 2 * gate)


@inner
def kept_pair_rate(table: Table, state: State, i: int, edge: int, slot: int) -> float:
    """A pair rate of an exact species: as stored, or looked up where rates are quickly had; 0 where none may happen."""
    if len(state.closed) and not allowed(state, i, np.int64(table.target[edge])):
        return 0.0
    if len(state.pair_rate):
        return state.pair_rate[edge, slot]
    j = np.int64(table.target[edge])
    process = table.pair_match[kind_of(table, edge), state.occupation[i], state.occupation[j], slot]
    return pair_rate(table, state, process, i, j, edge) if process >= 0 else 0.0


@inner
def kept_single_rate(table: Table, state: State, i: int, slot: int) -> float:
    """A one-site rate of an exact species; 0 where none may happen."""
    if not allowed(state, i, -1):
        return 0.0
    if len(state.single_rate):
        return state.single_rate[i, slot]
    process = table.single_match[state.occupation[i], slot]
    return single_rate(table, state, process, i) if process >= 0 else 0.0


@inner
def weight_of(table: Table, state: State, i: int) -> float:
    """The sum of all rates that start at one site, or a bound of it where rates are not kept."""
    a = state.occupation[i]
    if len(state.closed) and state.closed[i] > RIM:
        return 0.0
    if not table.exact[a]:
        return weight_bound(table, state, i, a) if table.pair_slots[a] or table.single_slots[a] else 0.0
    total = 0.0
    if table.exact_from[a]:
        for edge in range(table.start[i], table.start[i + 1]):
            for slot in range(table.pair_match.shape[3]):
                total += kept_pair_rate(table, state, i, edge, slot)
    if table.exact_single[a]:
        for slot in range(table.single_match.shape[1]):
            total += kept_single_rate(table, state, i, slot)
    return total


@inner
def weigh(table: Table, state: State, select: Selection, i: int) -> bool:
    """Give the selection a site's weight; False when its lists need another scale."""
    weight = weight_of(table, state, i)
    if len(select.tree):
        sumtree.update(select.tree, i, weight)
        return True
    return composition.put(select.lists, i, weight)


@kernel
def count_neighbours(table: Table, state: State) -> None:
    """Every site's neighbours of the species that have pair energies."""
    state.neighbour_count[:] = 0
    for i in range(len(state.occupation)):
        for edge in range(table.start[i], table.start[i + 1]):
            shell, column = table.shell[kind_of(table, edge)], table.column[state.occupation[table.target[edge]]]
            if shell >= 0 and column >= 0:
                state.neighbour_count[i, shell * table.columns + column] += 1


@kernel
def refresh_all(table: Table, state: State, select: Selection) -> bool:
    """All that follows from occupation, neighbour counts, reservoirs and fields: rates, weights and their selection.

    Kept rates of sites whose species has no such process are taken to be 0 already. False when the lists need
    another scale.
    """
    state.bound[:] = -1.0
    width = len(select.tree) // 2
    fits = True
    for i in range(len(state.occupation)):
        a = state.occupation[i]
        if table.exact_from[a]:
            for edge in range(table.start[i], table.start[i + 1]):
                refresh_edge(table, state, i, edge)
        if table.exact_single[a]:
            refresh_singles(table, state, i)
        if width:
            select.tree[width + i] = weight_of(table, state, i)
        else:
            fits &= composition.put(select.lists, i, weight_of(table, state, i))
    if width:
        sumtree.rebuild(select.tree)
    else:
        composition.retotal(select.lists)
    return fits


@kernel
def largest_weight(table: Table, state: State) -> float:
    """The largest weight of a site; rates that are kept must be up to date."""
    largest = 0.0
    for i in range(len(state.occupation)):
        largest = max(largest, weight_of(table, state, i))
    return largest


@kernel
def total_rate(table: Table, state: State) -> float:
    """The sum of all rates, site by site, bounds replaced by what is possible now."""
    total = 0.0
    for i in range(len(state.occupation)):
        a = state.occupation[i]
        if len(state.closed) and state.closed[i] > RIM:
            continue
        if table.exact[a]:
            total += weight_of(table, state, i)
            continue
        for edge in range(table.start[i], table.start[i + 1]):
            j = np.int64(table.target[edge])
            for slot in range(table.pair_match.shape[3]):
                process = table.pair_match[kind_of(table, edge), a, state.occupation[j], slot]
                if process >= 0 and allowed(state, i, j):
                    total += pair_rate(table, state, process, i, j, edge)
        for slot in range(table.single_match.shape[1]):
            process = table.single_match[a, slot]
            if process >= 0 and allowed(state, i, -1):
                total += single_rate(table, state, process, i)
    return total


@inner
def place(table: Table, state: State, site: int, species: int) -> None:
    """Put a species on a site and tell the neighbours' counts; rates are refreshed by the caller."""
    old = state.occupation[site]
    state.occupation[site] = species
    if table.has_pair_energy and old != species:
        lost, gained = table.column[old], table.column[species]
        if lost < 0 and gained < 0:
            return
        for edge in range(table.start[site], table.start[site + 1]):
            shell = table.shell[kind_of(table, edge)]
            if shell >= 0:
                neighbour = np.int64(table.target[edge])
                if lost >= 0:
                    state.neighbour_count[neighbour, shell * table.columns + lost] -= 1
                if gained >= 0:
                    state.neighbour_count[neighbour, shell * table.columns + gained] += 1


@inner
def mark_changed(scratch: Scratch, site: int) -> None:
    """Put a site on the list of those whose rates changed, once a refresh."""
    if scratch.changed[site] != scratch.tick[0]:
        scratch.changed[site] = scratch.tick[0]
        scratch.changed_list[scratch.lengths[1]] = site
        scratch.lengths[1] += 1


@inner
def mark_touched(scratch: Scratch, site: int) -> None:
    """Put a site on the list of those whose species or pair energy the event changed, once a refresh."""
    if scratch.touched[site] != scratch.tick[0]:
        scratch.touched[site] = scratch.tick[0]
        scratch.touched_list[scratch.lengths[0]] = site
        scratch.lengths[0] += 1


@inner
def next_tick(scratch: Scratch) -> None:
    """Begin a refresh: both lists are empty."""
    scratch.tick[0] += 1
    if scratch.tick[0] == 2**31 - 1:
        scratch.touched[:] = 0
        scratch.changed[:] = 0
        scratch.tick[0] = 1
    scratch.lengths[:] = 0


@inner
def _refresh_singles_around(table: Table, state: State, select: Selection, site: int, partner: int) -> bool:
    """Kept rates, all of them of one site, that a change of species on a site can have changed."""
    fits = True
    if refresh_singles(table, state, site):
        fits &= weigh(table, state, select, site)
    for edge in range(first_edge(table, site), table.start[site + 1]):
        if table.shell[kind_of(table, edge)] >= 0:
            neighbour = np.int64(table.target[edge])
            if neighbour != partner and refresh_singles(table, state, neighbour):
                fits &= weigh(table, state, select, neighbour)
    return fits


@inner
def refresh_around(
    table: Table, state: State, select: Selection, i: int, j: int, was_i: int, was_j: int, scratch: Scratch
) -> bool:
    """Kept rates that an event at i (and j, or -1) can have changed: all that involve a site whose energies it touched.

    Edges whose two species have no kept process, and had none before the event, are passed over unread. False when
    the lists need another scale.
    """
    if not table.exact_pairs:
        fits = _refresh_singles_around(table, state, select, i, j)
        return fits and (j < 0 or _refresh_singles_around(table, state, select, j, i))
    next_tick(scratch)
    tick = scratch.tick[0]
    mark_touched(scratch, i)
    if j >= 0:
        mark_touched(scratch, j)
    placed = scratch.lengths[0]
    if table.has_pair_energy:
        for k in range(placed):
            site = np.int64(scratch.touched_list[k])
            for edge in range(table.start[site], table.start[site + 1]):
                if table.shell[kind_of(table, edge)] >= 0:
                    mark_touched(scratch, np.int64(table.target[edge]))
    for k in range(scratch.lengths[0]):
        site = np.int64(scratch.touched_list[k])
        a = np.int64(state.occupation[site])
        was = (was_i if site == i else was_j) if k < placed else a
        starts = table.exact_from[a] or table.exact_from[was]
        ends = table.exact_to[a] or table.exact_to[was]
        new = k < placed
        if table.exact_single[a] or table.exact_single[was]:
            new |= refresh_singles(table, state, site)
        if starts or ends:
            for edge in range(table.start[site], table.start[site + 1]):
                neighbour = np.int64(table.target[edge])
                kind = kind_of(table, edge)
                b = np.int64(state.occupation[neighbour])
                was_b = was_i if neighbour == i else (was_j if neighbour == j else b)
                if starts and (table.pair_match[kind, a, b, 0] >= 0 or table.pair_match[kind, was, was_b, 0] >= 0):
                    new |= refresh_edge(table, state, site, edge)
                if (
                    ends
                    and scratch.touched[neighbour] != tick  # otherwise its own turn comes
                    and (table.pair_match[kind, b, a, 0] >= 0 or table.pair_match[kind, b, was, 0] >= 0)
                    and refresh_edge(table, state, neighbour, np.int64(table.reverse[edge]))
                ):
                    mark_changed(scratch, neighbour)
        if new:
            mark_changed(scratch, site)
    fits = True
    for k in range(scratch.lengths[1]):
        fits &= weigh(table, state, select, np.int64(scratch.changed_list[k]))
    return fits


@inner
def refresh_beside(
    table: Table, state: State, select: Selection, site: int, was: int, partner: int, was_partner: int
) -> bool:
    """Kept rates that involve one site of an event, where no pair energies reach farther; see :func:`refresh_around`.

    The rates from the site itself are renewed; its weight is left to the caller.
    """
    a = np.int64(state.occupation[site])
    fits = True
    if table.exact_single[a] or table.exact_single[was]:
        refresh_singles(table, state, site)
    starts = len(state.pair_rate) and (table.exact_from[a] or table.exact_from[was])
    if starts or table.exact_to[a] or table.exact_to[was]:
        for edge in range(first_edge(table, site), table.start[site + 1]):
            neighbour = np.int64(table.target[edge])
            if starts:
                refresh_edge(table, state, site, edge)
            if neighbour != partner:  # else its own turn comes
                b = np.int64(state.occupation[neighbour])
                if (table.kept_pair[b, a] or table.kept_pair[b, was]) and refresh_edge(
                    table, state, neighbour, np.int64(table.reverse[edge])
                ):
                    fits &= weigh(table, state, select, neighbour)
    return fits


@inner
def refresh_contacts(table: Table, state: State, select: Selection, reservoir: int) -> bool:
    """One-site rates of all sites that touch a reservoir whose filling changed."""
    fits = True
    for k in range(table.contact_start[reservoir], table.contact_start[reservoir + 1]):
        site = np.int64(table.contact_site[k])
        if refresh_singles(table, state, site):
            fits &= weigh(table, state, select, site)
    return fits


@inner
def put_species(table: Table, state: State, select: Selection, scratch: Scratch, site: int, species: int) -> bool:
    """Put a species on a site from outside; the lists' total is due. False when they need another scale."""
    was = np.int64(state.occupation[site])
    if species == was:
        return True
    place(table, state, site, species)
    if table.any_exact:
        return refresh_around(table, state, select, site, -1, was, -1, scratch)
    return weigh(table, state, select, site)


@kernel
def assign(
    table: Table, state: State, select: Selection, scratch: Scratch, sites: Indices, species: NDArray[np.int8]
) -> bool:
    """Put species on sites from outside; False when the lists need another scale."""
    fits = True
    for k in range(len(sites)):
        fits &= put_species(table, state, select, scratch, np.int64(sites[k]), np.int64(species[k]))
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits


@kernel
def reweigh(table: Table, state: State, select: Selection, sites: Indices) -> bool:
    """Renew the weights of sites that were opened or closed; False when the lists need another scale."""
    fits = True
    for k in range(len(sites)):
        fits &= weigh(table, state, select, np.int64(sites[k]))
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits
