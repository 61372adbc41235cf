"""Weak scaling, measured and modelled: ``mpiexec -n K python -m kmc.parallel.scaling`` prints one JSON object.

Particles on 5 % of the sites of an fcc crystal hop to each empty neighbour at rate 1; every rank has as many sites.
Times are those of the wall clock, medians over pieces of a run: on a machine that others use as well they say little.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import kmc
from kmc import textbook
from kmc.parallel.engine import ParallelEngine
from kmc.parallel.halo import wait
from kmc.parallel.part import grid_for, part_of_lattice

if TYPE_CHECKING:
    from mpi4py import MPI

_EDGE_NM = 0.4
_BASIS = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
_CUTOFF_NM = 0.85 * _EDGE_NM


def weak(
    comm: MPI.Comm,
    *,
    cells: int = 63,
    fraction: float = 0.05,
    share: float = 1.0,
    pieces: int = 7,
    cycles: int = 40,
    split: Sequence[bool] | None = None,
) -> dict[str, Any]:
    """Events per second and rank on ``cells``^3 unit cells (4 sites each) a rank, and where the time goes.

    Without ``split``, one rank has the two sectors along x that two ranks have.
    """
    grid = grid_for(comm.size, (1.0, 1.0, 1.0), (True, True, True))[::-1]
    part = part_of_lattice(comm, (_EDGE_NM,) * 3, _BASIS, [cells * n for n in grid], cutoff_nm=_CUTOFF_NM, grid=grid)
    model = kmc.Model(species=("empty", "A"), processes=[kmc.hop("A", "empty", 0.0, prefactor_Hz=1.0)])
    if split is None and comm.size == 1:
        split = (True, False, False)
    engine = ParallelEngine(part, model, kmc.random(A=fraction), comm=comm, seed=1, share=share, split=split)
    engine.run(until_s=10.5 * engine.step_s)
    speeds: list[float] = []
    spent: list[dict[str, float]] = []
    traffic = np.array(engine.traffic)
    before_all, begun_s = engine.n_events, engine.time_s
    for _ in range(pieces):
        before, old = engine.n_events, dict(engine.spent_s)
        comm.Barrier()
        begun = time.perf_counter()
        engine.run(until_s=engine.time_s + (cycles - 0.5) * engine.step_s)
        comm.Barrier()
        speeds.append((engine.n_events - before) / (time.perf_counter() - begun) / comm.size)
        spent.append({key: engine.spent_s[key] - old[key] for key in old})
    sectors = 2 ** sum(split if split is not None else [n > 1 for n in grid])
    steps = cycles * sectors
    messages, sent = (np.array(engine.traffic) - traffic) / (pieces * steps)
    events = engine.n_events - before_all
    number, count = engine.number("A"), part.count
    exact = 12.0 * number * (count - number) / (count - 1.0)
    medians = {key: float(np.median([part[key] for part in spent])) / steps for key in spent[0]}
    everywhere = comm.allgather(medians)
    return {
        "ranks": comm.size, "sites_per_rank": count // comm.size, "sectors": sectors, "share": share,
        "events_per_s_and_rank": float(np.median(speeds)), "slowest": min(speeds), "fastest": max(speeds),
        "events_per_step": events / (pieces * steps * comm.size),
        "step_us": {key: [1e6 * found[key] for found in everywhere] for key in medians},
        "messages_per_step": float(messages), "bytes_per_message": float(sent / max(messages, 1e-9)),
        "hops_over_exact": events / (engine.time_s - begun_s) / exact,
    }  # fmt: skip


def serial(*, cells: int = 63, fraction: float = 0.05, pieces: int = 7, events: int = 1_000_000) -> dict[str, Any]:
    """Events per second of :class:`kmc.Engine` on as many sites."""
    engine = textbook.free_hops(cells, fraction).engine(seed=1)
    engine.run(until_s=np.inf, max_events=2 * events)
    speeds = []
    for _ in range(pieces):
        begun = time.perf_counter()
        engine.run(until_s=np.inf, max_events=events)
        speeds.append(events / (time.perf_counter() - begun))
    return {"events_per_s": float(np.median(speeds)), "slowest": min(speeds), "fastest": max(speeds)}


def link(comm: MPI.Comm, sizes: Sequence[int] = (8, 1024, 4096, 16384, 65536), times: int = 400) -> dict[str, float]:
    """Seconds of a message between ranks 0 and 1, alpha + beta x bytes, as :func:`kmc.parallel.halo.wait` sees them."""
    if comm.size < 2:
        return {}
    from mpi4py import MPI

    taken = []
    for size in sizes:
        out, into = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
        laps = []
        comm.Barrier()
        for _ in range(times if comm.rank < 2 else 0):
            begun = time.perf_counter()
            other = 1 - comm.rank
            requests = [comm.Irecv(into, other), comm.Isend(out, other)]
            wait(requests, [MPI.Status(), MPI.Status()])
            laps.append(time.perf_counter() - begun)
        taken.append(float(np.median(laps)) if laps else 0.0)
    beta, alpha = np.polyfit(sizes, taken, 1)
    return {"alpha_us": 1e6 * float(alpha), "beta_ns_per_byte": 1e9 * float(max(beta, 0.0))}


def predicted(
    one: dict[str, Any],
    ranks: int,
    link_of: dict[str, float],
    *,
    messages: float,
    bytes_per_message: float,
    packing_us: float,
) -> dict[str, float]:
    """Time of a sector step on some ranks from that on one, and the speed per rank over that of one rank.

    t_step = t_kmc + t_pack + n_msg (alpha + beta bytes) + t_sync + t_agree: events and switch of sectors on one rank,
    finding and taking over what changed, the messages, the wait for the slowest rank, and the agreement on the step,
    once a cycle. The number of events of a step is Poisson distributed, so the slowest of R ranks takes
    sqrt(2 ln R / events) longer (of two: 1/sqrt(pi events)). Memory that ranks share is not in it.
    """
    spent = one["step_us"]
    alone = sum(part[0] for key, part in spent.items() if key != "agree") + spent["agree"][0] / one["sectors"]
    spread = spent["events"][0] / np.sqrt(one["events_per_step"])
    slowest = 0.0 if ranks == 1 else spread / np.sqrt(np.pi) if ranks == 2 else spread * np.sqrt(2.0 * np.log(ranks))
    alpha, beta = link_of["alpha_us"], 1e-3 * link_of["beta_ns_per_byte"]
    message = messages * (alpha + beta * bytes_per_message)
    agree = 2.0 * np.ceil(np.log2(max(ranks, 1))) * alpha / one["sectors"]
    step = alone + packing_us + message + slowest + agree
    return {
        "step_us": step, "alone_us": alone, "messages_us": message, "sync_us": slowest, "agree_us": agree,
        "efficiency": alone / step,
    }  # fmt: skip


def main() -> None:
    """Measure on the ranks that there are."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    parser = argparse.ArgumentParser(description="weak scaling of the parallel lattice engine")
    parser.add_argument("--cells", type=int, default=63, help="unit cells along each edge of a rank's domain")
    parser.add_argument("--share", type=float, default=1.0, help="events of a particle in a sector step")
    parser.add_argument("--pieces", type=int, default=7)
    parser.add_argument("--cycles", type=int, default=40)
    parser.add_argument("--eight", action="store_true", help="eight sectors on one rank, as in a 3-D grid")
    options = parser.parse_args()
    split = (True, True, True) if options.eight else None
    result = weak(
        comm, cells=options.cells, share=options.share, pieces=options.pieces, cycles=options.cycles, split=split
    )
    result["link"] = link(comm)
    if comm.size == 1:
        result["serial"] = serial(cells=options.cells, pieces=options.pieces)
    if comm.rank == 0:
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
