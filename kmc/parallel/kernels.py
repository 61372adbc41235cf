"""What happens between two sector steps: all loops over sites, compiled."""

import numpy as np
from numpy.typing import NDArray

from kmc import lists as composition
from kmc.jit import kernel
from kmc.keeping import BARRED, RIM, Scratch, Selection, put_species, refresh_singles, weigh
from kmc.rates import Floats, Indices, Ints, State, Table, kind_of, pair_rate, single_rate

Species = NDArray[np.int8]
Flags = NDArray[np.bool_]

#: A message is one word per changed site: its place in the list of shared sites, and its species in the low bits.
SPECIES_BITS = 7


# -- graphs ----------------------------------------------------------------------------------------------------------


@kernel
def dilate(start: Ints, target: Indices, vector: NDArray, reaches: Flags, inside: Flags, out: Flags) -> None:
    """Mark in ``out`` all neighbours of the sites ``inside`` over edges whose vector reaches."""
    for i in range(len(inside)):
        if inside[i]:
            for edge in range(start[i], start[i + 1]):
                if reaches[vector[edge]]:
                    out[target[edge]] = True


@kernel
def count_inside(start: Ints, target: Indices, number: Ints, chosen: Ints, new_start: Ints) -> None:
    """Where the edges of the chosen sites start in the graph of these sites alone (``number`` is -1 outside it)."""
    for k in range(len(chosen)):
        count = 0
        for edge in range(start[chosen[k]], start[chosen[k] + 1]):
            if number[target[edge]] >= 0:
                count += 1
        new_start[k + 1] = new_start[k] + count


@kernel
def fill_inside(
    start: Ints,
    target: Indices,
    number: Ints,
    chosen: Ints,
    new_start: Ints,
    old: Indices,
    new: Indices,
    new_target: Indices,
) -> None:
    """The edges of that graph: their old numbers, the new number of each old one, and their targets."""  # fmt: skip
    for k in range(len(chosen)):
        count = new_start[k]
        for edge in range(start[chosen[k]], start[chosen[k] + 1]):
            if number[target[edge]] >= 0:
                old[count], new[edge] = edge, count
                new_target[count] = number[target[edge]]
                count += 1


# -- sectors ---------------------------------------------------------------------------------------------------------


@kernel
def enter(
    table: Table,
    state: State,
    select: Selection,
    old_rim: Indices,
    begin: int,
    end: int,
    rim: Indices,
    again: Indices,
    anew: bool,
) -> bool:
    """Close the old rim, open the new one, and renew what is drawn from in the new sector: sites ``begin`` to ``end``.

    Either only the sites ``again`` can have changed since it was open last, or it is to be filled anew. False when the
    lists need another scale.
    """  # fmt: skip
    for k in range(len(old_rim)):
        if not begin <= old_rim[k] < end:
            state.closed[old_rim[k]] = BARRED
    for k in range(len(rim)):
        state.closed[rim[k]] = RIM
    fits = True
    if anew:
        if len(select.tree):
            select.tree[:] = 0.0
        composition.empty(select.lists)
        for i in range(begin, end):
            fits &= weigh(table, state, select, i)
        for k in range(len(rim)):
            fits &= weigh(table, state, select, np.int64(rim[k]))
    else:
        for k in range(len(again)):
            fits &= weigh(table, state, select, np.int64(again[k]))
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits


@kernel
def speeds(state: State, select: Selection, first: int, last: int, rim: Indices, out: Floats) -> None:
    """Of what is open: upper limit of the largest weight of a site (1/s), sum of weights, number of sites with any."""
    lists = select.lists
    out[:] = 0.0
    if len(select.tree):
        width = len(select.tree) // 2
        for k in range(last - first + len(rim)):
            i = first + k if k < last - first else np.int64(rim[k - last + first])
            weight = select.tree[width + i]
            out[0] = max(out[0], weight)
            out[2] += weight > 0.0
        out[1] = select.tree[1]
    elif lists.used[0]:
        out[0], out[1] = lists.limit[lists.used[1]], lists.total[0]
        for k in range(1, lists.used[0] + 1):
            out[2] += lists.length[lists.used[k]]


# -- exchange --------------------------------------------------------------------------------------------------------


@kernel
def pack(
    occupation: Species, known: Species, local: Indices, spot: Indices, row: Ints, out: Indices, count: Ints
) -> int:
    """One word for each shared site that changed, neighbour by neighbour; returns how many there are.

    ``local[row[m] : row[m + 1]]`` are the sites shared with neighbour m that can have changed, ``spot`` their places in
    the list shared with it; its words go to ``out[row[m]:]``, and ``count[m]`` is how many they are.
    """
    total = 0
    for m in range(len(row) - 1):
        words = row[m]
        for n in range(row[m], row[m + 1]):
            species = occupation[local[n]]
            if species != known[local[n]]:
                out[words] = (np.int64(spot[n]) << SPECIES_BITS) | species
                words += 1
        count[m] = words - row[m]
        total += count[m]
    return total


@kernel
def remember(
    occupation: Species, known: Species, shared: Indices, row: Ints, begin: Ints, words: Indices, count: Ints
) -> None:
    """Note as known what was packed: ``begin[m]`` is where the words for neighbour m begin."""
    for m in range(len(row) - 1):
        for n in range(begin[m], begin[m] + count[m]):
            site = shared[row[m] + (words[n] >> SPECIES_BITS)]
            known[site] = occupation[site]


@kernel
def absorb(
    table: Table,
    state: State,
    select: Selection,
    scratch: Scratch,
    known: Species,
    shared: Indices,
    row: Ints,
    words: Indices,
    count: Ints,
) -> bool:
    """Put what neighbours changed on the shared sites; False when the lists need another scale."""  # fmt: skip
    fits = True
    for m in range(len(row) - 1):
        for n in range(row[m], row[m] + count[m]):
            word = np.int64(words[n])
            site = np.int64(shared[row[m] + (word >> SPECIES_BITS)])
            species = word & ((1 << SPECIES_BITS) - 1)
            known[site] = species
            fits &= put_species(table, state, select, scratch, site, species)
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits


@kernel
def renew_contacts(table: Table, state: State, select: Selection) -> bool:
    """One-site rates of all sites that touch a reservoir; False when the lists need another scale."""
    fits = True
    for k in range(len(table.contact_site)):
        site = np.int64(table.contact_site[k])
        refresh_singles(table, state, site)
        fits &= weigh(table, state, select, site)
    if not len(select.tree):
        composition.retotal(select.lists)
    return fits


# -- sums over owned sites -------------------------------------------------------------------------------------------


@kernel
def total_rate(table: Table, state: State, owned: int) -> float:
    """The sum of all rates that start at the first ``owned`` sites, 1/s, whatever is open."""
    total = 0.0
    for i in range(owned):
        a = state.occupation[i]
        for edge in range(table.start[i], table.start[i + 1]):
            j = np.int64(table.target[edge])
            for slot in range(table.pair_match.shape[3]):
                process = table.pair_match[kind_of(table, edge), a, state.occupation[j], slot]
                if process >= 0:
                    total += pair_rate(table, state, process, i, j, edge)
        for slot in range(table.single_match.shape[1]):
            process = table.single_match[a, slot]
            if process >= 0:
                total += single_rate(table, state, process, i)
    return total


@kernel
def moved(occupation: Species, reference: Species, weight: Floats) -> float:
    """The sum of weight^2 over sites whose species differs from the reference (the arrays' common length)."""
    total = 0.0
    for i in range(len(reference)):
        if occupation[i] != reference[i]:
            total += weight[i] * weight[i]
    return total
