"""From a Model and a SiteGraph to the arrays that the kernels read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.model import EXCHANGE, PAIR, Model, Process, hint
from kmc.rates import Table
from kmc.sites import SiteGraph


def compile_table(
    sites: SiteGraph,
    model: Model,
    *,
    site_energies: Mapping[str, ArrayLike],
    barrier_shifts: Mapping[str, ArrayLike],
    contacts: Mapping[str, tuple[ArrayLike, ArrayLike]],
    seed: np.random.SeedSequence,
) -> Table:
    """Build the table; see :class:`kmc.Engine` for the meaning of the mappings."""
    count, n_species = len(sites), len(model.species)
    events = model.directions()
    before = np.full((len(events), 2), -1, dtype=np.int64)
    after = np.full((len(events), 2), -1, dtype=np.int64)
    pairs: dict[tuple[int, int], list[int]] = {}
    singles: dict[int, list[int]] = {}
    for row, (_, process, reverse) in enumerate(events):
        first, second = (process.after, process.before) if reverse else (process.before, process.after)
        left = [model.index(s) for s in first]
        right = [model.index(s) for s in second]
        before[row, : len(left)], after[row, : len(right)] = left, right
        if process.kind == PAIR:
            pairs.setdefault((left[0], left[1]), []).append(row)
        else:
            singles.setdefault(left[0], []).append(row)
    pair_match = np.full((n_species, n_species, max([len(v) for v in pairs.values()], default=1)), -1, dtype=np.int64)
    single_match = np.full((n_species, max([len(v) for v in singles.values()], default=0)), -1, dtype=np.int64)
    for (a, b), rows in pairs.items():
        pair_match[a, b, : len(rows)] = rows
    for a, rows in singles.items():
        single_match[a, : len(rows)] = rows

    site_energy = np.zeros((count, n_species))
    for species, energy in model.site_energies_eV.items():
        site_energy[:, model.index(species)] += energy
    for species, values in site_energies.items():
        site_energy[:, model.index(species, "site_energies_eV")] += _per_site(
            values, count, f"site energy of {species!r}"
        )

    pair_energy = np.zeros((n_species, n_species))
    reaches = {p.within_nm for p in model.pair_energies}
    if len(reaches) > 1:
        raise KmcError(f"pair energies act within {sorted(map(str, reaches))} nm; this version takes one reach for all")
    for pair in model.pair_energies:
        a, b = model.index(pair.first), model.index(pair.second)
        pair_energy[a, b] += pair.energy_eV
        if a != b:
            pair_energy[b, a] += pair.energy_eV
    shell = _shell(sites, next(iter(reaches), None))

    edge_row, edge_barrier, site_row, site_barrier = _barriers(sites, model, events, barrier_shifts, seed)
    names = [r.name for r in model.reservoirs]
    contact_start, contact_site, distance = _contacts(count, names, contacts)
    reservoir = np.array([names.index(p.reservoir) if p.reservoir else -1 for _, p, _ in events], dtype=np.int64)
    step = np.array([(-1 if rev else 1) if p.kind == EXCHANGE else 0 for _, p, rev in events], dtype=np.int64)
    return Table(
        start=sites.start, target=sites.target.astype(np.int32), reverse=sites.reverse.astype(np.int32),
        length_nm=sites.length_nm, shell=shell, bonds=_bonds(sites, shell), charge=model.charges(),
        site_energy=site_energy, pair_energy=pair_energy,
        has_pair_energy=bool(np.any(pair_energy)), pair_match=pair_match, single_match=single_match,
        before=before, after=after,
        barrier=np.array([p.barrier_eV for _, p, _ in events]),
        energy=np.array([-p.energy_eV if rev else p.energy_eV for _, p, rev in events]),
        prefactor=np.array([p.prefactor_Hz for _, p, _ in events]),
        polarisation=np.array([p.polarisation_e_nm for _, p, _ in events]),
        max_rate=np.array([p.max_rate_Hz for _, p, _ in events]),
        mirrored=np.array([p.kind == PAIR and len({*p.before}) == len({*p.after}) == 1 for _, p, _ in events]),
        reservoir=reservoir, step=step, edge_row=edge_row, edge_barrier=edge_barrier, site_row=site_row,
        site_barrier=site_barrier, contact_start=contact_start, contact_site=contact_site, contact_nm=distance,
        capacity=np.array([float(r.capacity) for r in model.reservoirs]),
        filling=np.array([r.filling_eV for r in model.reservoirs]),
    )  # fmt: skip


def _shell(sites: SiteGraph, reach_nm: float | None) -> NDArray[np.int8]:
    """1 for the edges over which pair energies act."""
    if reach_nm is None:
        return np.ones(sites.n_edges, dtype=np.int8)
    edge = np.flatnonzero(np.abs(sites.length_nm - reach_nm) < 1e-12 * reach_nm)
    if len(edge):
        i, j = sites.origin[edge[0]], sites.target[edge[0]]
        raise KmcError(
            f"pair energies act within {reach_nm} nm, the distance of sites {i} and {j}: whether they do there would "
            "hang on rounding; choose a reach between two shells"
        )
    return (sites.length_nm < reach_nm).astype(np.int8)


def _bonds(sites: SiteGraph, shell: NDArray[np.int8]) -> NDArray[np.int8]:
    """How many shell edges join the two sites of each edge, through whatever image."""
    _, pair = np.unique(sites.origin * len(sites) + sites.target, return_inverse=True)
    return np.bincount(pair, weights=shell, minlength=1)[pair].astype(np.int8)


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
        shift = _per_site(shifts.get(process.name, 0.0), len(sites), f"barrier shift of {process.name!r}")
        if process.spread_eV == 0.0 and not np.any(shift):
            continue
        if process.kind == PAIR:
            pair = sites.pair_edges()
            spread = sites.symmetric(draw.normal(0.0, 1.0, len(pair)) * process.spread_eV)
            edges.append(0.5 * (shift[sites.origin] + shift[sites.target]) + spread)
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
