"""Run by test_kmc_parallel on two ranks: argv[1] is a folder for what each rank found."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

import kmc
from kmc import lattice, textbook
from kmc.parallel import ParallelEngine, kernels, part_of_lattice

FCC = [[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]


def clean(engine: ParallelEngine) -> bool:
    """Ghosts are what their owners hold, and what is drawn from is what filling it anew gives."""
    ghosts = engine._engine.state.occupation.copy()
    engine._halo.fill(ghosts)
    same = np.array_equal(ghosts, engine._engine.state.occupation)
    for number in range(len(engine._sectors)):
        engine._switch(number)
        kept = engine._engine.select
        kernels.renew_contacts(engine._engine.table, engine._engine.state, kept)  # as after every deal of places
        listed, tree = kept.lists.where[:, 0].copy(), kept.tree.copy()
        engine._valid[number] = False
        engine._switch(number)
        anew = engine._engine.select
        same &= np.array_equal(listed, anew.lists.where[:, 0]) and np.allclose(tree, anew.tree, rtol=1e-12, atol=1e-300)
    engine._close()
    return bool(same)


def free_hops(comm: MPI.Comm) -> dict[str, Any]:
    """Hops, numbers, and a restart, on a part that was built alone and on one of the whole graph."""
    cells = (16, 8, 8)
    sites = lattice.fcc(cells, 0.4)
    model = textbook.free_hops(4, 0.1).model
    occupation = (np.random.default_rng(1).random(len(sites)) < 0.1).astype(np.int8)
    part = part_of_lattice(comm, (0.4,) * 3, FCC, cells, cutoff_nm=0.34)
    lists: dict[str, Any] = {"comm": comm, "selector": "composition"}
    built = ParallelEngine(part, model, occupation, seed=5, **lists)
    cut = ParallelEngine(sites, model, occupation, seed=5, **lists)
    alone = ParallelEngine(part, model, occupation[built.owned], seed=5, **lists)
    built.run(until_s=5.0)
    cut.run(until_s=5.0)
    alone.run(until_s=5.0)
    saved = built.checkpoint()
    built.run(until_s=20.0)
    other = ParallelEngine(part, model, 0 * occupation, seed=9, **lists)
    other.restore(saved)
    other.run(until_s=20.0)
    number, count = built.number("A"), len(sites)
    exact = 12.0 * number * (count - number) / (count - 1.0) * 20.0
    return {
        "parts": np.array_equal(cut.occupation, alone.occupation) and cut.counts == alone.counts,
        "restart": np.array_equal(built.occupation, other.occupation) and built.counts == other.counts,
        "positions": np.array_equal(built.owned_positions_nm, sites.positions_nm[built.owned]),
        "conserved": number == int(occupation.sum()),
        "hops": (built.n_events - exact) / np.sqrt(exact),
        "clean": clean(built),
        "traffic": built.traffic[0] > 0,
        "grid": built.grid,
        "time": built.time_s,
    }


def ising(comm: MPI.Comm, selector: str, null_events: bool) -> dict[str, Any]:
    """Unlike neighbours a site, in long steps."""
    setup = textbook.ising(32, 1.5)
    engine = ParallelEngine(
        setup.sites, setup.model, setup.occupation, comm=comm, seed=3, share=2.0, selector=selector,
        null_events=null_events,
    )  # fmt: skip
    engine.set_fields(setup.potential_V, setup.temperature_K)
    return {"unlike": _sampled(engine, 32), "clean": clean(engine)}


def kawasaki(comm: MPI.Comm, null_events: bool) -> dict[str, Any]:
    """The same where spins change places: pair energies reach across the ranks."""
    setup = textbook.kawasaki(32, 2.0)
    engine = ParallelEngine(
        setup.sites, setup.model, setup.occupation, comm=comm, seed=4, share=2.0, selector="composition",
        null_events=null_events,
    )  # fmt: skip
    engine.set_fields(setup.potential_V, setup.temperature_K)
    up = engine.number("up")
    return {"unlike": _sampled(engine, 32), "clean": clean(engine), "conserved": engine.number("up") == up}


def _sampled(engine: ParallelEngine, size: int) -> list[float]:
    engine.run(until_s=10.0)
    found = []
    for _ in range(100):
        engine.run(until_s=engine.time_s + 2.0)
        spins = engine.occupation.reshape(size, size)
        found.append(float(np.mean(spins != np.roll(spins, 1, 0)) + np.mean(spins != np.roll(spins, 1, 1))))
    return found


def reservoir(comm: MPI.Comm) -> dict[str, Any]:
    """A reservoir that both ranks touch: particles are conserved, and it holds what it should in equilibrium."""
    sites = lattice.square(24, 12, 0.3)
    model = kmc.Model(
        species=("empty", "ion"),
        processes=[
            kmc.hop("ion", "empty", 0.0, prefactor_Hz=1.0),
            kmc.exchange("in", "ion", "empty", "tank", 0.0, prefactor_Hz=2.0),
        ],
        reservoirs=[kmc.Reservoir("tank", 60, filling_eV=0.05)],
    )
    engine = ParallelEngine(
        sites, model, np.zeros(len(sites), dtype=int), comm=comm, seed=2, share=1.0,
        contacts={"tank": (np.arange(0, len(sites), 3), 0.1)}, reservoir_counts={"tank": 60},
    )  # fmt: skip
    held, totals = [], set()
    engine.run(until_s=40.0)
    for _ in range(200):
        engine.run(until_s=engine.time_s + 3.0)
        held.append(engine.reservoir("tank"))
        totals.add(engine.number("ion") + held[-1])
    return {"held": held, "totals": totals, "clean": clean(engine)}


def stops(comm: MPI.Comm) -> list[bool]:
    """Stopped at five places, gone on with in new engines: every array of the last checkpoint, byte by byte."""
    sites = lattice.simple_cubic((12, 6, 6), 0.3)
    model = kmc.Model(
        species=("empty", "A"),
        processes=[
            kmc.hop("A", "empty", 0.05, prefactor_Hz=10.0, charge_e=1.0, spread_eV=0.02),
            kmc.exchange("in", "A", "empty", "tank", 0.05, prefactor_Hz=2.0),
        ],
        pair_energies=[kmc.PairEnergy("A", "A", -0.03)],
        reservoirs=[kmc.Reservoir("tank", 60, filling_eV=0.05)],
    )
    potential_V = np.random.default_rng(3).normal(0.0, 0.03, len(sites))

    def start() -> ParallelEngine:
        engine = ParallelEngine(
            sites, model, kmc.random(A=0.2), comm=comm, seed=5,
            contacts={"tank": (np.arange(0, len(sites), 5), 0.1)}, reservoir_counts={"tank": 30},
        )  # fmt: skip
        engine.set_fields(potential_V, 400.0)
        return engine

    until_s, same = 40.0, []
    straight = start()
    straight.run(until_s=until_s)
    wanted = straight.checkpoint()
    for events in np.random.default_rng(8).integers(1, straight.n_events, 5).tolist():
        stopped = start()
        reason = stopped.run(until_s=until_s, max_events=events)
        resumed = start()
        resumed.restore(stopped.checkpoint())
        resumed.run(until_s=until_s)
        found = resumed.checkpoint()
        equal = [np.asarray(found[name]).tobytes() == np.asarray(wanted[name]).tobytes() for name in wanted]
        same.append(reason == "events" and found.keys() == wanted.keys() and all(equal))
    return same


def fields(comm: MPI.Comm) -> dict[str, Any]:
    """Fields of all sites or of owned ones, and barriers that do not hang on the ranks."""
    sites = lattice.simple_cubic((12, 6, 6), 0.3)
    model = kmc.Model(species=("empty", "A"), processes=[kmc.hop("A", "empty", 0.3, charge_e=1.0, spread_eV=0.05)])
    potential_V = np.random.default_rng(3).normal(0.0, 0.03, len(sites))
    engines = [ParallelEngine(sites, model, kmc.random(A=0.2), comm=comm, seed=5) for _ in range(2)]
    engines[0].set_fields(potential_V, 400.0)
    engines[1].set_fields(potential_V[engines[1].owned], np.full(len(engines[1].owned), 400.0))
    for engine in engines:
        engine.run(until_s=200 * engine.step_s)
    local, table = engines[0]._local, engines[0]._engine.table
    barriers = {}
    for edge, (i, j) in enumerate(zip(local.sites.origin, local.sites.target, strict=True)):
        if i != j:
            barriers[int(local.index[i]), int(local.index[j])] = float(table.edge_barrier[0, edge])
    same = np.array_equal(engines[0].occupation, engines[1].occupation)
    engines[0].assign([0, len(sites) - 1], [0, 0])
    engines[0].set_occupation(1, "A")
    occupation = engines[0].occupation
    return {
        "same": same,
        "events": [engine.n_events for engine in engines],
        "barriers": comm.allgather(barriers),
        "assigned": (int(occupation[0]), int(occupation[1]), int(occupation[-1])),
        "clean": clean(engines[0]),
    }


def refusals(comm: MPI.Comm) -> dict[str, str]:
    """What is said on every rank."""
    model = textbook.free_hops(4, 0.1).model
    found = {}
    for name, call in {
        "small": lambda: ParallelEngine(lattice.square(4, 2, 0.3), model, kmc.random(A=0.5), comm=comm),
        "grid": lambda: ParallelEngine(
            part_of_lattice(comm, (0.3,) * 3, [[0, 0, 0]], (9, 9, 9), cutoff_nm=0.35, grid=(3, 1, 1)), model,
            kmc.random(), comm=comm,
        ),
        "cells": lambda: part_of_lattice(comm, (0.3,) * 3, [[0, 0, 0]], (6, 3, 3), cutoff_nm=0.35, grid=(2, 1, 1)),
        "fill": lambda: ParallelEngine(lattice.square(24, 6, 0.3), model, kmc.random(B=0.5), comm=comm),
    }.items():  # fmt: skip
        try:
            call()
        except kmc.KmcError as error:
            found[name] = str(error)
    return found


def main(folder: Path) -> None:
    """All of it; every rank writes what it found."""
    comm = MPI.COMM_WORLD
    results = {
        "free hops": free_hops(comm),
        "ising tree": ising(comm, "tree", False),
        "ising lists": ising(comm, "composition", False),
        "ising nulls": ising(comm, "composition", True),
        "kawasaki kept": kawasaki(comm, False),
        "kawasaki nulls": kawasaki(comm, True),
        "reservoir": reservoir(comm),
        "stops": stops(comm),
        "fields": fields(comm),
        "refusals": refusals(comm),
    }
    (folder / f"{comm.rank}.pickle").write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
