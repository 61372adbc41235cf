"""From a Model and a SiteGraph to the arrays that the kernels read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.model import Model, PairEnergy
from kmc.process import PAIR, Process, hint
from kmc.rates import KB_EV, Floats, Table
from kmc.sites import SiteGraph

#: Most rates that are remembered by their neighbours, 8 bytes each.
_MOST_MEMO = 1 << 18

Events = list[tuple[str, Process, bool]]


def compile_table(
    sites: SiteGraph,
    model: Model,
    *,
    site_energies: Mapping[str, ArrayLike],
    barrier_shifts: Mapping[str, ArrayLike],
    rate_factors: Mapping[str, ArrayLike],
    contacts: Mapping[str, tuple[ArrayLike, ArrayLike]],
    tracked: Sequence[str],
    seed: np.random.SeedSequence,
) -> Table:
    """Build the table, with the rates of all species kept; see :class:`kmc.Engine` for the meaning of the mappings."""
    count, n_species = len(sites), len(model.species)
    events = model.directions()
    before = np.full((len(events), 2), -1, dtype=np.int64)
    after = np.full((len(events), 2), -1, dtype=np.int64)
    singles: dict[int, list[int]] = {}
    for row, (_, process, reverse) in enumerate(events):
        first, second = (process.after, process.before) if reverse else (process.before, process.after)
        before[row, : len(first)] = [model.index(s) for s in first]
        after[row, : len(second)] = [model.index(s) for s in second]
        if process.kind != PAIR:
            singles.setdefault(int(before[row, 0]), []).append(row)
    single_match = np.full((n_species, max([len(v) for v in singles.values()], default=0)), -1, dtype=np.int64)
    for a, rows in singles.items():
        single_match[a, : len(rows)] = rows

    shells, kind, kind_shell, kind_length, own_pair = _kinds(sites, model)
    columns = [model.index(s) for s in model.species if any(s in (p.first, p.second) for p in model.pair_energies)]
    column = np.full(n_species, -1, dtype=np.int64)
    column[columns] = np.arange(len(columns))
    pair_energy = np.concatenate([np.zeros((n_species, 0)), *(shell[:, columns] for shell in shells)], axis=1)
    site_energy, energy = _site_energies(model, events, before, after, site_energies, count)
    charge = model.charges()
    edge_row, edge_barrier, site_row, site_barrier = _barriers(sites, model, events, barrier_shifts, seed)
    factor_row, site_factor = _factors(model, events, rate_factors, count)
    names = [r.name for r in model.reservoirs]
    contact_start, contact_site, distance = _contacts(count, names, contacts)
    reservoir = np.array([names.index(p.reservoir) if p.reservoir else -1 for _, p, _ in events], dtype=np.int64)
    step = np.array([(-p.particles if rev else p.particles) for _, p, rev in events], dtype=np.int64)
    step[reservoir < 0] = 0
    paired = before[:, 1] >= 0
    pair_charge = charge[after] - charge[before]  # the second column means nothing for one-site processes
    polarisable = any(p.polarisation_e_nm > 0.0 and p.kind == PAIR for p in model.processes)
    degree = int(np.diff(sites.start).max(initial=0))
    shell_degree = _shell_degree(sites, kind, kind_shell) if shells else 0
    if len(kind_shell) == 1:
        kind = kind[:0]  # nothing to tell apart
    table = Table(
        start=sites.start, target=sites.target, reverse=sites.reverse, kind=kind,
        length_nm=sites.length_nm if polarisable else np.zeros(0),
        shell=kind_shell, own_pair=own_pair, column=column, columns=len(columns), pair_energy=pair_energy,
        has_pair_energy=bool(np.any(pair_energy)), charge=charge, site_energy=site_energy,
        pair_match=_pair_match(model, events, before, kind_length), single_match=single_match,
        before=before, after=after, swaps=paired & (before[:, 0] == after[:, 1]) & (before[:, 1] == after[:, 0]),
        moved=np.where(paired, _moved(events, pair_charge), 0.0),
        from_metal=np.array([p.electrons == "partner" for _, p, _ in events]),
        barrier=np.array([p.barrier_eV for _, p, _ in events]),
        energy=energy,
        prefactor=np.array([p.prefactor_Hz for _, p, _ in events]),
        polarisation=np.array([p.polarisation_e_nm for _, p, _ in events]),
        max_rate=np.array([p.max_rate_Hz for _, p, _ in events]),
        constant=np.array([_constant(p, rev) for _, p, rev in events]),
        mirrored=np.array([p.kind == PAIR and len({*p.before}) == len({*p.after}) == 1 for _, p, _ in events]),
        reservoir=reservoir, step=step, edge_row=edge_row, edge_barrier=edge_barrier, site_row=site_row,
        site_barrier=site_barrier, factor_row=factor_row, site_factor=site_factor, contact_start=contact_start,
        contact_site=contact_site, contact_nm=distance,
        capacity=np.array([float(r.capacity) for r in model.reservoirs]),
        filling=np.array([r.filling_eV for r in model.reservoirs]),
        exact=np.zeros(0, dtype=bool), exact_from=np.zeros(0, dtype=bool), exact_to=np.zeros(0, dtype=bool),
        exact_single=np.zeros(0, dtype=bool), kept_pair=np.zeros((0, 0), dtype=bool), any_exact=True,
        exact_pairs=True, degree=degree, regular=bool(np.all(np.diff(sites.start) == degree)),
        shell_degree=shell_degree, memo_base=(shell_degree + 1) ** pair_energy.shape[1],
        pair_slots=np.zeros(0, dtype=np.int64), single_slots=np.zeros(0, dtype=np.int64),
        slot_share=np.zeros(0),
        starts=_starts(before, n_species), swing=_swing(shells, before, after, degree),
        tracked=np.array([name in tracked for name in model.species]),
        vector=sites.vector.astype(np.uint32) if tracked else np.zeros(0, dtype=np.uint32),
        vectors_nm=sites.vectors_nm if tracked else np.zeros((0, 3)),
    )  # fmt: skip
    return with_exact(table, np.ones(n_species, dtype=bool))


def with_exact(table: Table, exact: NDArray[np.bool_]) -> Table:
    """The table with rates kept for these species (S,), and bounded by slots for the others."""
    pair = table.before[:, 1] >= 0
    first, second = table.before[:, 0], table.before[:, 1]
    kept = exact[first]
    flags = np.zeros((3, len(exact)), dtype=bool)
    flags[0, first[pair & kept]] = True
    flags[1, second[pair & kept]] = True
    flags[2, first[~pair & kept]] = True
    pair_slots = (table.pair_match >= 0).any(axis=(0, 2)).sum(axis=1)
    single_slots = (table.single_match >= 0).sum(axis=1)
    return table._replace(
        exact=exact, exact_from=flags[0], exact_to=flags[1], exact_single=flags[2],
        kept_pair=(table.pair_match[..., 0] >= 0).any(axis=0) & exact[:, None], any_exact=bool(flags.any()),
        exact_pairs=bool(flags[:2].any()),
        pair_slots=pair_slots.astype(np.int64), single_slots=single_slots.astype(np.int64),
        slot_share=1.0 / np.maximum(table.degree * pair_slots + single_slots, 1),
    )  # fmt: skip


def fixed_rates(table: Table, uniform_potential: bool, uniform_K: float | None) -> Floats:
    """(P,) rates of pair processes that are the same on every edge in these fields, nan for the others.

    Half the rate where both orders of a pair are the same event. ``uniform_K`` is None where temperature varies.
    """
    rates = table.constant.copy()
    alike = (table.swing == 0.0) & (table.edge_row < 0) & (len(table.site_energy) == 0)
    alike &= uniform_potential | ((table.moved == 0.0) & (table.polarisation == 0.0))
    if uniform_K is not None:
        kt = KB_EV * uniform_K
        with np.errstate(over="ignore", invalid="ignore"):
            saddle = np.maximum(table.barrier, 0.5 * np.abs(table.energy))
            rate = table.prefactor * np.exp(-(saddle + 0.5 * table.energy) / kt)
            fastest = table.prefactor * np.exp(-(saddle - 0.5 * np.abs(table.energy)) / kt)
            rate *= np.minimum(1.0, table.max_rate / fastest)
        rates = np.where(np.isnan(rates) & alike, rate, rates)
    rates[table.mirrored] *= 0.5
    rates[table.before[:, 1] < 0] = np.nan
    return rates


def varies(table: Table, uniform_potential: bool, uniform_temperature: bool) -> bool:
    """Whether bounds of rates differ from site to site in these fields."""
    moves = bool(np.any(table.moved) or np.any(table.polarisation))
    return not sites_alike(table) or not uniform_temperature or (moves and not uniform_potential)


def sites_alike(table: Table) -> bool:
    """Whether no energy or barrier of its own tells one site or edge from another."""
    return len(table.site_energy) == 0 and not np.any(
        (table.edge_row >= 0) | (table.site_row >= 0) | (table.factor_row >= 0)
    )


def memo_size(table: Table) -> int:
    """How many rates there are that hang on neighbours only, where fields are the same everywhere; 0: too many, or not.

    One by process, kind of edge, and the neighbours of either site.
    """
    size = len(table.before) * len(table.shell) * float(table.memo_base) ** 2
    return int(size) if sites_alike(table) and table.has_pair_energy and size <= _MOST_MEMO else 0


def _shell_degree(sites: SiteGraph, kind: NDArray[np.uint8], kind_shell: NDArray[np.int64]) -> int:
    """Most neighbours of a site over edges with pair energies."""
    acting = np.concatenate(([0], np.cumsum(kind_shell[kind] >= 0)))
    return int(np.diff(acting[sites.start]).max(initial=0))


def _moved(events: Events, gained: Floats) -> Floats:
    """(P,) charge that goes from the second to the first site; ``gained`` (P, 2) is what both sites gain.

    What they gain together comes half from either where electrons are local; all from the second where it is a metal.
    """
    partner = np.array([p.electrons == "partner" for _, p, _ in events])
    return np.where(partner, gained[:, 0], 0.5 * (gained[:, 0] - gained[:, 1]))


def _constant(process: Process, reverse: bool) -> float:
    rate = process.reverse_rate_Hz if reverse else process.rate_Hz
    return np.nan if rate is None else rate


def _starts(before: NDArray[np.int64], n_species: int) -> NDArray[np.int64]:
    """(S, C) the rows that start from each species, -1 behind the last."""
    rows = [np.flatnonzero(before[:, 0] == a) for a in range(n_species)]
    starts = np.full((n_species, max(len(found) for found in rows)), -1, dtype=np.int64)
    for a, found in enumerate(rows):
        starts[a, : len(found)] = found
    return starts


def _swing(shells: list[Floats], before: NDArray[np.int64], after: NDArray[np.int64], degree: int) -> Floats:
    """(P,) a bound of how far pair energies can lower a process's change of energy: every neighbour at its worst."""
    swing = np.zeros(len(before))
    for row, (old, new) in enumerate(zip(before, after, strict=True)):
        for a, c in zip(old, new, strict=True):
            if a >= 0 and shells:
                swing[row] += degree * max(float(np.abs(shell[c] - shell[a]).max()) for shell in shells)
    return swing


def _site_energies(
    model: Model,
    events: Events,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    given: Mapping[str, ArrayLike],
    count: int,
) -> tuple[Floats, Floats]:
    """Energies that differ from site to site (N, S), or (0, S) when none do; and (P,) energies of the processes."""
    energy = np.array([-p.energy_eV if rev else p.energy_eV for _, p, rev in events])
    uniform = np.zeros(len(model.species) + 1)  # the last stands for a missing second site
    for species, value in model.site_energies_eV.items():
        uniform[model.index(species)] += value
    if not given:
        return np.zeros((0, len(model.species))), energy + (uniform[after] - uniform[before]).sum(axis=1)
    per_site = np.zeros((count, len(model.species))) + uniform[:-1]
    for species, values in given.items():
        per_site[:, model.index(species, "site_energies_eV")] += _per_site(values, count, f"site energy of {species!r}")
    return per_site, energy


def _kinds(sites: SiteGraph, model: Model) -> tuple[list[Floats], NDArray[np.uint8], NDArray[np.int64], Floats, Floats]:
    """Pair energies (S, S) by shell; each edge's kind; and by kind its shell, a length in nm, the pair's own energy.

    A shell is a range of lengths on which the same pair energies act. Two sites that are joined by several edges
    (through a small periodic cell) have the sum of them with each other.
    """
    lengths = sites.vector_length_nm
    reaches = sorted({r for p in model.pair_energies for r in (p.within_nm, p.beyond_nm) if r})
    limits = sorted({p.within_nm for p in model.processes if p.kind == PAIR and p.within_nm is not None} | {*reaches})
    for reach_nm in limits:
        near = np.flatnonzero(np.abs(lengths - reach_nm) < 1e-12 * reach_nm)
        if len(near):
            edge = int(np.flatnonzero(sites.vector == near[0])[0])
            i, j = int(np.searchsorted(sites.start, edge, side="right")) - 1, sites.target[edge]
            what = "pair energies act" if reach_nm in reaches else "a process acts"
            raise KmcError(
                f"{what} within {reach_nm} nm, the distance of sites {i} and {j}: whether it does there would "
                "hang on rounding; choose a reach between two shells"
            )
    ranges, range_of = np.unique(np.searchsorted(limits, lengths), return_inverse=True)
    middle = np.array([float(lengths[np.flatnonzero(range_of == k)[0]]) for k in range(len(ranges))])
    acting = [tuple(p for p in model.pair_energies if _acts(p, length)) for length in middle]
    different = sorted({found for found in acting if found}, key=acting.index)
    shells = [_energies(model, found) for found in different]
    shell_of = np.array([different.index(found) if found else -1 for found in acting], dtype=np.int64)
    kind = range_of.astype(np.uint8)[sites.vector]
    own = np.array([shells[shell] if shell >= 0 else np.zeros((len(model.species),) * 2) for shell in shell_of])
    own = own.reshape(len(ranges), len(model.species), len(model.species))
    wraps = [length for length, wrapped in zip(sites.cell_nm, sites.periodic, strict=True) if wrapped]
    if not shells or not wraps or min(wraps) > 2.0 * lengths.max(initial=0.0):
        return shells, kind, shell_of, middle, own
    pairs, pair = np.unique(sites.origin * len(sites) + sites.target, return_inverse=True)
    joined = np.zeros((len(pairs), len(shells)), dtype=np.int64)
    edges = np.flatnonzero(shell_of[kind] >= 0)
    np.add.at(joined, (pair[edges], shell_of[kind[edges]]), 1)
    keys, fine = np.unique(np.column_stack([kind, joined[pair]]), axis=0, return_inverse=True)
    if len(keys) > np.iinfo(np.uint8).max:
        raise KmcError(f"the graph has {len(keys)} kinds of edges; at most {np.iinfo(np.uint8).max} can be told apart")
    own = np.einsum("kh,hst->kst", keys[:, 1:].astype(float), np.array(shells))
    return shells, fine.ravel().astype(np.uint8), shell_of[keys[:, 0]], middle[keys[:, 0]], own


def _acts(pair: PairEnergy, length_nm: float) -> bool:
    return length_nm > pair.beyond_nm and (pair.within_nm is None or length_nm < pair.within_nm)


def _energies(model: Model, entries: Sequence[PairEnergy]) -> Floats:
    """(S, S) the sum of pair energies."""
    energy = np.zeros((len(model.species),) * 2)
    for pair in entries:
        a, b = model.index(pair.first), model.index(pair.second)
        energy[a, b] += pair.energy_eV
        if a != b:
            energy[b, a] += pair.energy_eV
    return energy


def _pair_match(model: Model, events: Events, before: NDArray[np.int64], kind_length_nm: Floats) -> NDArray[np.int64]:
    """(K, S, S, A) rows of pair processes by kind of edge and the two species, -1 behind the last."""
    n_species = len(model.species)
    found: dict[tuple[int, int, int], list[int]] = {}
    for k, length_nm in enumerate(kind_length_nm):
        for row, (_, process, _) in enumerate(events):
            if process.kind == PAIR and (process.within_nm is None or length_nm < process.within_nm):
                found.setdefault((k, int(before[row, 0]), int(before[row, 1])), []).append(row)
    deepest = max([len(rows) for rows in found.values()], default=1)
    match = np.full((max(len(kind_length_nm), 1), n_species, n_species, deepest), -1, dtype=np.int64)
    for (k, a, b), rows in found.items():
        match[k, a, b, : len(rows)] = rows
    return match


def _contacts(
    count: int, names: list[str], contacts: Mapping[str, tuple[ArrayLike, ArrayLike]]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Which sites touch each reservoir (start, sites) and the distances (N, R), 0 where there is no contact."""
    distance = np.zeros((count, len(names)))
    for name, (members, lengths) in contacts.items():
        if name not in names:
            raise KmcError(f"contacts: no reservoir is called {name!r}; known are {hint(name, names)}")
        index, length = np.asarray(members), np.asarray(lengths, dtype=float)
        if index.ndim != 1 or (index.dtype.kind not in "iu" and len(index)) or np.any((index < 0) | (index >= count)):
            raise KmcError(f"contacts of {name!r}: a list of site numbers in 0..{count - 1} is needed")
        if length.shape not in ((), index.shape) or not np.all(np.isfinite(length)) or np.any(length <= 0.0):
            raise KmcError(f"contacts of {name!r}: a distance above 0 nm is needed for each of its {len(index)} sites")
        distance[index.astype(int), names.index(name)] = length
    touching = [np.flatnonzero(column) for column in distance.T]
    start = np.concatenate(([0], np.cumsum([len(found) for found in touching]))).astype(np.int64)
    return start, np.concatenate([np.zeros(0, int), *touching]).astype(np.int32), distance


def _per_site(values: ArrayLike, count: int, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=float)
    if array.shape not in ((), (count,)) or not np.all(np.isfinite(array)):
        raise KmcError(f"{what}: shape {array.shape}; a finite number or ({count},) is needed")
    return np.broadcast_to(array, (count,))


def _per_edge(values: Floats, sites: SiteGraph, what: str) -> Floats:
    if not np.all(np.isfinite(values)) or np.any(values != values[sites.reverse]):
        raise KmcError(f"{what}: finite numbers are needed, the same for both directions of an edge")
    return values


def _factors(
    model: Model, events: Events, given: Mapping[str, ArrayLike], count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Row of each one-way process, and factors (rows, N) of the rates of processes on one site."""
    names = [process.name for process in model.processes if process.kind != PAIR]
    for name, values in given.items():
        if name not in names:
            raise KmcError(f"rate_factors: no process on one site is called {name!r}; known are {hint(name, names)}")
        _factor(name, values, count)
    known = list(given)
    row = np.array([known.index(p.name) if p.name in known else -1 for _, p, _ in events], dtype=np.int64)
    return row, np.array([_per_site(values, count, "") for values in given.values()]).reshape(len(known), count)


def _factor(name: str, values: ArrayLike, count: int) -> Floats:
    array = _per_site(values, count, f"rate factor of {name!r}")
    if np.any((array < 0.0) | (array > 1.0)):
        raise KmcError(f"rate factor of {name!r}: {array.min()} to {array.max()}; 0 to 1 is needed")
    return array


def change_factors(table: Table, model: Model, factors: Mapping[str, ArrayLike]) -> None:
    """Give processes other rate factors (N,) than an engine was built with; its next ``set_fields`` renews the rates.

    A process and its reverse share the factor. They stay in balance if it follows from what they leave as it is.

    Args:
        table: ``engine.table``.
        model: ``engine.model``.
        factors: process that was given ``rate_factors`` -> (N,), 0 to 1.

    Raises:
        KmcError: for a process without factors, a wrong shape, or a factor outside.
    """
    names = [process.name for _, process, _ in model.directions()]
    rows = {name: int(row) for name, row in zip(names, table.factor_row, strict=True) if row >= 0}
    for name, values in factors.items():
        if name not in rows:
            raise KmcError(
                f"change_factors: {name!r} was built without rate factors; with them are {hint(name, list(rows))}"
            )
        table.site_factor[rows[name]] = _factor(name, values, table.site_factor.shape[1])


def _barriers(
    sites: SiteGraph,
    model: Model,
    events: list[tuple[str, Process, bool]],
    shifts: Mapping[str, ArrayLike],
    seed: np.random.SeedSequence,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Barrier shifts per edge (mean of both sites' shift, plus one Gaussian draw a pair) and per site."""
    names = [p.name for p in model.processes]
    for name in shifts:
        if name not in names:
            raise KmcError(f"barrier_shifts_eV: no process is called {name!r}; known are {hint(name, names)}")
    rows: dict[str, tuple[bool, int]] = {}
    edges: list[NDArray[np.float64]] = []
    singles: list[NDArray[np.float64]] = []
    for process, stream in zip(model.processes, seed.spawn(len(names)), strict=True):
        draw = np.random.default_rng(stream)
        given = np.asarray(shifts.get(process.name, 0.0), dtype=float)
        by_edge = process.kind == PAIR and given.shape == (sites.n_edges,)
        what = f"barrier shift of {process.name!r}"
        shift = _per_edge(given, sites, what) if by_edge else _per_site(given, len(sites), what)
        if process.spread_eV == 0.0 and not np.any(shift):
            continue
        if process.kind == PAIR:
            pair = sites.pair_edges()
            spread = sites.symmetric(draw.normal(0.0, 1.0, len(pair)) * process.spread_eV)
            edges.append((shift if by_edge else 0.5 * (shift[sites.origin] + shift[sites.target])) + spread)
            rows[process.name] = (True, len(edges) - 1)
        else:
            singles.append(shift + draw.normal(0.0, 1.0, len(sites)) * process.spread_eV)
            rows[process.name] = (False, len(singles) - 1)
    edge_row = np.array(
        [rows[p.name][1] if rows.get(p.name, (False,))[0] else -1 for _, p, _ in events], dtype=np.int64
    )
    site_row = np.array(
        [rows[p.name][1] if not rows.get(p.name, (True,))[0] else -1 for _, p, _ in events], dtype=np.int64
    )
    edge = np.array(edges) if edges else np.zeros((0, sites.n_edges))
    single = np.array(singles) if singles else np.zeros((0, len(sites)))
    return edge_row, edge, site_row, single
