"""Parallel in space against exact answers and one serial engine: sectors on one rank, and two ranks."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.special import gammaln

import kmc
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.serial_parallel import launch
from kmc import lattice, textbook
from kmc.parallel import ParallelEngine

_SIZE, _KT = 48, 1.4
_HOPS_UNTIL = 40.0
_WINDOWS, _SAMPLES = 16, 10
_PLACES, _PARTICLES = 60, 60
_SIGMA = 4.0

Floats = NDArray[np.float64]


@case(
    "sublattice", "kmc engine",
    problem=(
        "The lattice divided into sectors on one rank, and among two MPI ranks: free hops, an Ising model, a lattice "
        "gas and a reservoir shared by sites."
    ),
    exact=(
        r"$12 N(1 - c)$ hops a unit of time of free particles; energies of one serial engine; the filling $P(n) "
        r"\propto \binom{C}{n}\binom{N}{M-n}$."
    ),
    sources=("Y. Shim, J. G. Amar, Phys. Rev. B 71, 125432 (2005)",),
)  # fmt: skip
def sublattice() -> list[Record]:
    """Sectors on one rank and two MPI ranks give hops, energies and fillings of theory and of the serial engine.

    Hops: 12 N (1 - c) of free particles. Energies: unlike neighbours of an Ising model and of a lattice gas at equal
    times, against a serial engine. Filling of a reservoir: of a lattice gas that shares its particles. All in steps of
    two events a site, long enough to show a bias of equilibrium if there were one. Limits are four standard deviations.
    """
    serial = {name: _unlike_serial(setup) for name, setup in _setups().items()}
    found = {"one rank": measure(MPI.COMM_SELF)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "two.json"
        launch(2, ["-m", "ionsim.verification.sublattice", str(path)], timeout_s=280.0)
        found["two ranks"] = json.loads(path.read_text())
    records = []
    for ranks, results in found.items():
        records.append(Record.below(f"{ranks}: particles lost or made", results["lost"], 0.0))
        deviation = (results["hops"] - results["exact hops"]) / np.sqrt(results["exact hops"])
        records.append(Record.below(f"{ranks}: hops of free particles, deviation", deviation, _SIGMA, "sigma"))
        for name, (mean, error) in serial.items():
            here, own = results[name]
            deviation = (here - mean) / np.hypot(error, own)
            records.append(Record(f"{ranks}: unlike neighbours, {name}, relative to serial", here / mean - 1.0))
            records.append(Record.below(f"{ranks}: {name}, deviation from serial", deviation, _SIGMA, "sigma"))
        mean, error = results["reservoir"]
        deviation = (mean - _reservoir_exact()) / error
        records.append(Record.below(f"{ranks}: filling of a reservoir, deviation", deviation, _SIGMA, "sigma"))
    _pictures(serial, found)
    return records


def _pictures(serial: dict[str, tuple[float, float]], found: dict[str, Any]) -> None:
    ways = np.arange(3.0)
    for name, (mean, error) in serial.items():
        values = [(mean, error), *(results[name] for results in found.values())]
        figure.draw(figure.Panel(f"unlike neighbours a site, {name}", "", "mean", [
            figure.exact("serial engine", [0.0, 2.0], [mean, mean]),
            figure.computed("mean and standard error", ways, *np.transpose(values)),
        ], categories=("serial", *found)))  # fmt: skip
    ranks, names = ways[:2], list(found)
    exact, held = _reservoir_exact(), [results["reservoir"] for results in found.values()]
    ratios = [results["hops"] / results["exact hops"] for results in found.values()]
    figure.draw(
        figure.Panel("filling of the reservoir", "", "particles", [
            figure.exact("exact", [0.0, 1.0], [exact, exact]), figure.computed("mean", ranks, *np.transpose(held)),
        ], categories=names),
        figure.Panel("hops of free particles over 12 N (1 - c) t", "", "ratio", [
            figure.exact("exact", [0.0, 1.0], [1.0, 1.0]),
            figure.computed("counted", ranks, ratios, [results["exact hops"] ** -0.5 for results in found.values()]),
        ], categories=names),
    )  # fmt: skip


def measure(comm: MPI.Comm) -> dict[str, Any]:
    """All figures on these ranks; one rank has sectors along two directions."""
    options: dict[str, Any] = {"comm": comm, "share": 2.0}
    if comm.size == 1:
        options["split"] = (True, True, False)
    setup = textbook.free_hops(12, 0.1)
    engine = ParallelEngine(setup.sites, setup.model, setup.occupation, seed=1, **options)
    number, count = engine.number("A"), len(setup.sites)
    engine.run(until_s=_HOPS_UNTIL)
    results: dict[str, Any] = {
        "hops": engine.n_events, "exact hops": 12.0 * number * (count - number) / (count - 1.0) * _HOPS_UNTIL,
    }  # fmt: skip
    lost = abs(engine.number("A") - number)
    for name, setup in _setups().items():
        engine = ParallelEngine(setup.sites, setup.model, setup.occupation, seed=2, **options)
        engine.set_fields(setup.potential_V, setup.temperature_K)
        up = engine.number("up")
        results[name] = _unlike(engine)
        lost += abs(engine.number("up") - up) if name == "lattice gas" else 0
    held, missing = _reservoir(options)
    return {**results, "reservoir": held, "lost": lost + missing}


def _setups() -> dict[str, textbook.Setup]:
    return {"Ising": textbook.ising(_SIZE, _KT), "lattice gas": textbook.kawasaki(_SIZE, 2.0)}


def _unlike_serial(setup: textbook.Setup) -> tuple[float, float]:
    return _unlike(setup.engine(seed=9))


def _unlike(engine: kmc.Engine | ParallelEngine) -> tuple[float, float]:
    """Mean and standard error of the number of unlike neighbours a site, at equal times."""
    engine.run(until_s=20.0)
    found = np.empty((_WINDOWS, _SAMPLES))
    for k in range(found.size):
        engine.run(until_s=engine.time_s + 2.0)
        spins = np.asarray(engine.occupation).reshape(_SIZE, _SIZE)
        found.flat[k] = np.mean(spins != np.roll(spins, 1, 0)) + np.mean(spins != np.roll(spins, 1, 1))
    return _mean(found)


def _mean(found: Floats) -> tuple[float, float]:
    means = found.mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def _reservoir(options: dict[str, Any]) -> tuple[tuple[float, float], int]:
    """Mean filling with its error, and how many particles are missing at most."""
    sites = lattice.square(24, 12, 0.3)
    model = kmc.Model(
        species=("empty", "ion"),
        processes=[
            kmc.hop("ion", "empty", 0.0, prefactor_Hz=1.0),
            kmc.exchange("in", "ion", "empty", "tank", 0.0, prefactor_Hz=2.0),
        ],
        reservoirs=[kmc.Reservoir("tank", _PLACES)],
    )
    engine = ParallelEngine(
        sites, model, np.zeros(len(sites), dtype=np.int8), seed=3, reservoir_counts={"tank": _PARTICLES},
        contacts={"tank": (np.arange(0, len(sites), 3), 0.1)}, **options,
    )  # fmt: skip
    engine.run(until_s=40.0)
    held, missing = np.empty((_WINDOWS, _SAMPLES)), 0
    for k in range(held.size):
        engine.run(until_s=engine.time_s + 4.0)
        held.flat[k] = engine.reservoir("tank")
        missing = max(missing, abs(engine.number("ion") + engine.reservoir("tank") - _PARTICLES))
    return _mean(held), missing


def _reservoir_exact() -> float:
    """Particles in one of two lattice gases of the same energy that share them."""
    sites, held = 24 * 12, np.arange(_PARTICLES + 1)
    free = _PARTICLES - held
    weight = -gammaln(held + 1) - gammaln(_PLACES - held + 1) - gammaln(free + 1) - gammaln(sites - free + 1)
    share = np.exp(weight - weight.max())
    return float((held * share).sum() / share.sum())


if __name__ == "__main__":
    results = measure(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        Path(sys.argv[1]).write_text(json.dumps(results))
