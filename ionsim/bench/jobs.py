"""The jobs of ``ionsim bench``: each returns plain numbers and runs in a process of its own."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from mpi4py import MPI

from ionsim.bench import limits
from ionsim.bench.timing import Effort, speed
from ionsim.drive import Circuit
from kmc import textbook

Numbers = dict[str, Any]
Job = Callable[[Effort, float], Numbers]

#: Cubic cells along each edge of the fcc lattice: 256,000 sites.
CELLS = 40
#: Particles per site where cost is compared over sizes.
SIZE_FRACTION = 0.05


#: Events right after new fields that are timed apart: bounds of rates are computed where particles come first.
FIRST_EVENTS = 300_000


def _warm_up(setup: textbook.Setup, **options: Any) -> float:
    """Seconds until a small simulation of the same kind has made its first events: compiling, or loading what was.

    Small ones would be drawn with a tree: the kernels of the lists, which are timed, are asked for.
    """
    begun = time.perf_counter()
    setup.engine(**{"selector": "composition", **options}).run(until_s=np.inf, max_events=20_000)
    return time.perf_counter() - begun


def free_hops(effort: Effort, fraction: float) -> Numbers:
    """M1; the exact number of hops per unit of time beside it."""
    warm_up_s = _warm_up(textbook.free_hops(8, fraction))
    setup = textbook.free_hops(CELLS, fraction)
    engine = setup.engine(seed=1)
    measured = speed(engine, effort)
    number, count = engine.number("A"), len(setup.sites)
    exact = 12.0 * number * (count - number) / (count - 1.0)
    return {**asdict(measured), "exact_hops_per_time": exact, "warm_up_s": warm_up_s}


def hops_in_fields(effort: Effort, fraction: float) -> Numbers:
    """M1 with a potential and a temperature that differ at every site."""
    warm_up_s = _warm_up(textbook.hops_in_fields(8, fraction))
    engine = textbook.hops_in_fields(CELLS, fraction).engine(seed=1)
    begun = time.process_time()
    engine.run(until_s=np.inf, max_events=FIRST_EVENTS)
    first = FIRST_EVENTS / (time.process_time() - begun)
    engine.run(until_s=np.inf, max_events=8 * len(engine.sites))  # from now on bounds of rates are known at most sites
    return {**asdict(speed(engine, effort)), "first_events_per_s": first, "warm_up_s": warm_up_s}


#: Until when the hops of M2 are counted from a random filling, as for the reference answer, by particles per site.
BOND_COUNTING_UNTIL = {0.05: 3.5, 0.2: 1.0}


def bond_counting(effort: Effort, fraction: float) -> Numbers:
    """M2 as the engine chooses to run it, without null events, and with them."""
    warm_up_s = _warm_up(textbook.bond_counting(8, fraction))
    setup = textbook.bond_counting(CELLS, fraction)
    engine = setup.engine(seed=3)
    until = BOND_COUNTING_UNTIL[fraction]
    engine.run(until_s=until)
    numbers: Numbers = {"first_hops_per_time": engine.n_events / until, "warm_up_s": warm_up_s}
    numbers["auto"] = asdict(speed(engine, effort))
    for key, options in (
        ("rejection_free", {"selector": "tree", "null_events": False}),
        ("composition", {"selector": "composition", "null_events": False}),
        ("null_events", {"selector": "composition", "null_events": True}),
    ):
        numbers[key] = asdict(speed(setup.engine(seed=3, **options), effort))
    return numbers


def ising(effort: Effort, size: float) -> Numbers:
    """Spin flips from half the spins up, anywhere."""
    warm_up_s = _warm_up(textbook.ising(20, up=0.5))
    engine = textbook.ising(int(size), up=0.5).engine(seed=1)
    engine.run(until_s=2.0)
    return {**asdict(speed(engine, effort)), "warm_up_s": warm_up_s}


def co_oxidation(effort: Effort, size: float) -> Numbers:
    """ZGB in its stationary state, with the rate of CO2 and the coverages."""
    warm_up_s = _warm_up(textbook.co_oxidation(20))
    setup = textbook.co_oxidation(int(size))
    engine = setup.engine(seed=1)
    engine.run(until_s=60.0)
    measured = speed(engine, effort)
    made, begun_s = engine.counts["CO2"], engine.time_s
    coverages = []
    for _ in range(150 * effort.pieces):  # coverages fluctuate slowly
        engine.run(until_s=engine.time_s + 2.0)
        coverages.append(np.bincount(engine.occupation, minlength=3) / len(setup.sites))
    co2_rate = (engine.counts["CO2"] - made) / (engine.time_s - begun_s) / len(setup.sites)
    empty, co, o = np.mean(coverages, axis=0).tolist()
    return {**asdict(measured), "co2_rate": co2_rate, "empty": empty, "CO": co, "O": o, "warm_up_s": warm_up_s}


def size(effort: Effort, cells: float) -> Numbers:
    """M1 at one particle in twenty sites, on an fcc lattice of some size."""
    _warm_up(textbook.free_hops(8, SIZE_FRACTION))
    begun = time.perf_counter()
    setup = textbook.free_hops(int(cells), SIZE_FRACTION)
    engine = setup.engine(seed=1)
    build_s = time.perf_counter() - begun
    return {**asdict(speed(engine, effort)), "sites": len(setup.sites), "build_s": build_s}


def device(effort: Effort, repeats: float) -> Numbers:
    """Seconds to renew all rates and their selection of a vacancy device in new fields, and its events."""
    setup = textbook.vacancy_device()
    begun = time.perf_counter()
    engine = setup.engine(seed=1)
    engine.run(until_s=np.inf, max_events=100)
    warm_up_s = time.perf_counter() - begun
    generator = np.random.default_rng(5)
    taken = []
    for _ in range(int(repeats)):
        potential_V = np.asarray(setup.potential_V) + generator.normal(0.0, 0.001, len(setup.sites))
        temperature_K = np.asarray(setup.temperature_K) + generator.normal(0.0, 0.1, len(setup.sites))
        begun = time.process_time()
        engine.set_fields(potential_V, temperature_K, {"metal": float(generator.normal(2.0, 0.01))})
        taken.append(time.process_time() - begun)
    refresh_s = float(np.median(taken))
    measured = speed(engine, effort)
    return {**asdict(measured), "refresh_s": refresh_s, "sites": len(setup.sites), "warm_up_s": warm_up_s}


def parts(effort: Effort, sites: float) -> Numbers:
    """Nanoseconds of what an event is made of."""
    return limits.measure(int(sites))


def ecm_forming(effort: Effort, thickness_nm: float) -> Numbers:
    """Wall time of the forming of a silver cell as wide and deep as its film is thick, building it included.

    The compliance is reached at the least voltage of a staircase of 20 mV; kernels are compiled before.
    """
    from ionsim.config import load
    from ionsim.simulation import Simulation

    def formed(size_nm: float, **changes: Any) -> tuple[Simulation, float]:
        middle = 0.5 * size_nm
        device = load("ag_sio2_memory").replace({
            "layers.electrolyte.thickness_nm": size_nm, "lattice.width_nm": size_nm, "lattice.depth_nm": size_nm,
            "soft_spots": [{"centre_nm": [middle, middle], "radius_nm": 0.7, "hop_shift_eV": -0.12}],
            "drive.stages": [
                {"name": "forming", "stop_V": 5.0, "compliance_A": 1e-4, "turn_at_compliance": True, **changes}
            ],
        })  # fmt: skip
        begun = time.perf_counter()
        simulation = Simulation(device, seed=1)
        for frame in simulation:
            if frame.row["limited"]:
                break
        return simulation, time.perf_counter() - begun

    _, warm_up_s = formed(1.6, stop_V=0.1)
    simulation, wall_s = formed(thickness_nm)
    row = {name: float(values[-1]) for name, values in simulation.recorder.series().items()}
    return {
        "wall_s": wall_s, "warm_up_s": warm_up_s, "field_share": simulation.family.field_time_s / wall_s,
        "refreshes": row["n_refreshes"], "events": row["n_events"], "V_form_V": row["voltage_V"],
        "limited": row["limited"],
    }  # fmt: skip


def pcm_cycle(effort: Effort, points: float) -> Numbers:
    """Wall time of a RESET and a SET of the mushroom cell in (r, z), building it included; compiled before."""
    from ionsim.config import load
    from ionsim.devices import build
    from ionsim.simulation import Simulation

    device = load("gst_mushroom").replace({"drive.points": int(points)})
    begun = time.perf_counter()
    build(device, np.random.SeedSequence(1), MPI.COMM_SELF).advance(1e-12, 0.0, Circuit())
    warm_up_s = time.perf_counter() - begun
    begun = time.perf_counter()
    simulation = Simulation(device, seed=1)
    resistances = {}
    for frame in simulation:
        resistances[frame.stage] = 1.0 / frame.row["conductance_S"]
    wall_s = time.perf_counter() - begun
    row = {name: float(values[-1]) for name, values in simulation.recorder.series().items()}
    return {"wall_s": wall_s, "warm_up_s": warm_up_s, "steps": row["n_steps"], **resistances}


def ecram_train(effort: Effort, count: float) -> Numbers:
    """Wall time of so many gate pulses up and as many down in a plane, one a second, building the device included."""
    from ionsim.config import load
    from ionsim.devices import build
    from ionsim.simulation import Simulation

    device = load("psg_wo3_pulse_train", [f"drive.count={int(count)}"])
    begun = time.perf_counter()
    build(device, np.random.SeedSequence(1), MPI.COMM_SELF).initialise()
    warm_up_s = time.perf_counter() - begun
    begun = time.perf_counter()
    simulation = Simulation(device, seed=1)
    for _ in simulation:
        pass
    wall_s = time.perf_counter() - begun
    series = simulation.recorder.series()
    rests = np.searchsorted(series["time_s"], np.arange(1, 2 * int(count) + 1) - 1e-6)
    inserted_C = np.diff(-series["channel_faradaic_C"][rests], prepend=0.0)
    levels_S = series["conductance_S"][rests]
    return {
        "wall_s": wall_s, "warm_up_s": warm_up_s, "pulses": rests.size, "steps": float(series["n_steps"][-1]),
        "least_up_C": float(inserted_C[: int(count)].min()), "least_down_C": float(-inserted_C[int(count) :].max()),
        "on_off_ratio": float(levels_S.max() / levels_S.min()),
    }  # fmt: skip


JOBS: dict[str, Job] = {
    function.__name__: function
    for function in (
        free_hops,
        hops_in_fields,
        bond_counting,
        ising,
        co_oxidation,
        size,
        device,
        parts,
        ecm_forming,
        pcm_cycle,
        ecram_train,
    )
}
