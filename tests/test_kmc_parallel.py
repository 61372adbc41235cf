"""Parallel in space: sectors on one rank, and two ranks really launched."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.special import gammaln

import kmc
from kmc import lattice, textbook
from kmc.parallel import ParallelEngine, grid_for, part_of_graph, part_of_lattice
from kmc.parallel.disorder import normal
from kmc.parallel.part import cuts

SCRIPT = Path(__file__).parent / "mpi" / "kmc_sublattice.py"
beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(beside) if beside.exists() else shutil.which("mpiexec")
TIMEOUT_S = 280
SELF = MPI.COMM_SELF


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks found."""
    if MPIEXEC is None:
        pytest.skip("no mpiexec beside this Python nor on PATH")
    folder = tmp_path_factory.mktemp("ranks")
    paths = os.pathsep.join([str(Path(kmc.__file__).parents[1]), *(path for path in sys.path if path)])
    done = subprocess.run(
        [str(MPIEXEC), "-n", "2", sys.executable, "-m", "mpi4py", str(SCRIPT), str(folder)], capture_output=True,
        text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(2)]


def mean_error(samples: list[float], blocks: int = 10) -> tuple[float, float]:
    means = np.reshape(samples, (blocks, -1)).mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(blocks))


def serial_unlike(setup: textbook.Setup, size: int, seed: int) -> tuple[float, float]:
    engine = setup.engine(seed=seed)
    engine.run(until_s=10.0)
    found = []
    for _ in range(200):
        engine.run(until_s=engine.time_s + 2.0)
        spins = np.asarray(engine.occupation).reshape(size, size)
        found.append(float(np.mean(spins != np.roll(spins, 1, 0)) + np.mean(spins != np.roll(spins, 1, 1))))
    return mean_error(found)


def test_two_ranks_say_the_same(two):
    for name in ("ising tree", "kawasaki kept", "reservoir", "refusals"):
        assert two[0][name] == two[1][name], name


def test_a_part_built_alone_is_that_of_the_whole_graph(two):
    for rank in two:
        assert rank["free hops"]["parts"]
        assert rank["free hops"]["positions"]
        assert sorted(rank["free hops"]["grid"]) == [1, 1, 2]


def test_a_restart_on_two_ranks_gives_the_same_bytes(two):
    assert all(rank["free hops"]["restart"] for rank in two)
    assert [rank["stops"] for rank in two] == [[True] * 5] * 2


def test_hops_on_two_ranks_are_those_that_theory_asks_for(two):
    assert two[0]["free hops"]["conserved"]
    assert two[0]["free hops"]["time"] == 20.0
    assert abs(two[0]["free hops"]["hops"]) < 4.0
    assert two[0]["free hops"]["traffic"]


def test_ghosts_and_lists_stay_right(two):
    for rank in two:
        for name, found in rank.items():
            if isinstance(found, dict) and "clean" in found:
                assert found["clean"], name


@pytest.mark.parametrize("how", ["tree", "lists", "nulls"])
def test_ising_energy_on_two_ranks_is_that_of_one_engine(two, how):
    mean, error = mean_error(two[0][f"ising {how}"]["unlike"])
    serial, serial_error = serial_unlike(textbook.ising(32, 1.5), 32, seed=8)
    assert abs(mean - serial) < 4.5 * np.hypot(error, serial_error)


@pytest.mark.parametrize("how", ["kept", "nulls"])
def test_lattice_gas_energy_on_two_ranks_is_that_of_one_engine(two, how):
    mean, error = mean_error(two[0][f"kawasaki {how}"]["unlike"])
    serial, serial_error = serial_unlike(textbook.kawasaki(32, 2.0), 32, seed=8)
    assert abs(mean - serial) < 4.5 * np.hypot(error, serial_error)
    assert two[0][f"kawasaki {how}"]["conserved"]


def test_a_reservoir_of_two_ranks_conserves_particles_and_comes_to_equilibrium(two):
    found = two[0]["reservoir"]
    assert found["totals"] == {60}
    assert 0 <= min(found["held"]) <= max(found["held"]) <= 60
    places, sites, held = 60, 288, np.arange(61)
    free = 60 - held
    weight = gammaln(places + 1) - gammaln(held + 1) - gammaln(places - held + 1)
    weight += gammaln(sites + 1) - gammaln(free + 1) - gammaln(sites - free + 1)
    weight -= 0.05 * held**2 / (2 * places) / (kmc.KB_EV * 300.0)
    share = np.exp(weight - weight.max())
    mean, error = mean_error(found["held"])
    assert abs(mean - (held * share).sum() / share.sum()) < 4.5 * error


def test_fields_of_owned_sites_and_of_all_are_the_same(two):
    for rank in two:
        found = rank["fields"]
        assert found["same"]
        assert found["events"][0] == found["events"][1] > 50
        assert found["assigned"] == (0, 1, 0)


def test_ranks_draw_the_same_barriers(two):
    one, other = two[0]["fields"]["barriers"]
    common = one.keys() & other.keys()
    assert len(common) > 100
    assert all(one[pair] == other[pair] for pair in common)
    assert all(one[i, j] == one[j, i] for i, j in one)
    assert np.std(list(one.values())) == pytest.approx(0.05, rel=0.1)


def test_what_does_not_fit_is_refused_on_every_rank(two):
    said = two[0]["refusals"]
    assert "are too small" in said["small"]
    assert "grid is (3, 1, 1)" in said["grid"]
    assert "too few for 2 ranks" in said["cells"]
    assert "unknown species 'B'" in said["fill"]


# -- one rank --------------------------------------------------------------------------------------------------------


def test_eight_sectors_on_one_rank_hop_as_theory_asks_and_repeat():
    setup = textbook.free_hops(8, 0.1)
    engines = [
        ParallelEngine(setup.sites, setup.model, setup.occupation, comm=SELF, seed=3, split=(True,) * 3)
        for _ in range(2)
    ]
    assert [engine.run(until_s=20.0) for engine in engines] == ["time", "time"]
    np.testing.assert_array_equal(engines[0].occupation, engines[1].occupation)
    number, count = engines[0].number("A"), len(setup.sites)
    exact = 12.0 * number * (count - number) / (count - 1.0) * 20.0
    assert abs(engines[0].n_events - exact) < 4.0 * np.sqrt(exact)
    assert engines[0].n_events == sum(engines[0].counts.values())
    serial = setup.engine(seed=1)
    serial_rate = serial.total_rate_Hz / serial.number("A")
    assert engines[0].total_rate_Hz / number == pytest.approx(serial_rate, rel=0.02)


def test_a_profile_decays_as_the_operators_of_the_sectors_say():
    """The mean occupation of free hops obeys a linear equation, in each sector step as well."""
    planes, across, share = 12, 20, 2.0
    sites = lattice.simple_cubic((planes, across, across), 0.4)
    model = kmc.Model(species=("empty", "A"), processes=[kmc.hop("A", "empty", 0.0, prefactor_Hz=1.0)])
    plane = np.arange(len(sites)) // across**2
    wave = np.cos(2.0 * np.pi * (plane + 0.5) / planes)
    amplitudes = []
    for seed in range(12):
        drawn = np.random.default_rng(seed).random(len(sites))
        engine = ParallelEngine(
            sites, model, (drawn < 0.5 + 0.4 * wave).astype(int), comm=SELF, seed=seed, share=share, split=(True, 0, 0)
        )
        first = 2.0 * np.mean(engine.occupation * wave)
        engine.run(until_s=5.0)
        amplitudes.append(2.0 * np.mean(engine.occupation * wave) / first)
    expected = decay(planes, planes // 2, share / 6.0, 5.0)
    error = np.std(amplitudes, ddof=1) / np.sqrt(len(amplitudes))
    assert abs(np.mean(amplitudes) - expected) < 4.0 * error
    assert abs(expected / np.exp(-2.0 * (1.0 - np.cos(2.0 * np.pi / planes)) * 5.0) - 1.0) < 0.02


def decay(planes: int, width: int, step_s: float, until_s: float) -> float:
    """Amplitude of the slowest wave, from the operators of two kinds of sectors in random order."""
    from scipy.linalg import expm

    sector = np.arange(planes) // width % 2
    operators = np.zeros((2, planes, planes))
    for i in range(planes):
        j = (i + 1) % planes
        here = operators[min(sector[i], sector[j])]
        here[[i, j], [i, j]] -= 1.0
        here[[i, j], [j, i]] += 1.0
    wave = np.cos(2.0 * np.pi * (np.arange(planes) + 0.5) / planes)
    shape, left = wave.copy(), until_s
    while left > 1e-12:
        one, other = (expm(min(step_s, left) * operator) for operator in operators)
        shape = 0.5 * (one @ (other @ shape) + other @ (one @ shape))
        left -= min(step_s, left)
    return float(shape @ wave / (wave @ wave))


def test_rates_with_factors_electrons_and_shifts_by_edge_are_those_of_one_engine():
    sites, rng = lattice.simple_cubic((6, 4, 4), 0.4), np.random.default_rng(5)
    count = len(sites)
    shift = sites.symmetric(rng.normal(0.0, 0.1, sites.n_edges // 2))
    model = kmc.Model(
        species=("empty", "ion", "atom"),
        processes=[
            kmc.hop("ion", "empty", 0.3, name="hop", charge_e=1.0),
            kmc.electrode("injection", "empty", "ion", "metal", 0.4, reverse_name="absorption"),
            kmc.reaction("reduction", ("ion", "atom"), ("atom", "atom"), 0.4, reverse_name="oxidation",
                         electrons="partner"),
        ],
        reservoirs=[kmc.Reservoir("metal", 1)],
    )  # fmt: skip
    given: dict[str, Any] = {
        "barrier_shifts_eV": {"hop": shift}, "rate_factors": {"injection": rng.random(count)},
        "contacts": {"metal": (np.arange(count), 0.2)},
    }  # fmt: skip
    species = rng.choice(3, count, p=[0.5, 0.3, 0.2]).astype(np.int8)
    one = kmc.Engine(sites, model, species, **given)
    other = ParallelEngine(sites, model, species, comm=SELF, split=(True, False, False), **given)
    fields = [rng.normal(0.0, 0.1, count), 320.0 + rng.random(count), {"metal": 0.2}, rng.normal(0.0, 0.1, count)]
    totals = []
    for factors in (None, {"injection": rng.random(count)}):
        if factors is not None:
            kmc.change_factors(one.table, model, factors)
            other.change_factors(factors)
        one.set_fields(*fields)
        other.set_fields(*fields)
        assert other.total_rate_Hz == pytest.approx(one.total_rate_Hz, rel=1e-12)
        totals.append(one.total_rate_Hz)
    assert abs(totals[1] / totals[0] - 1.0) > 1e-4
    one.set_fields(electron_V=0.0)
    assert abs(one.total_rate_Hz / totals[1] - 1.0) > 1e-6


def test_nothing_can_happen():
    setup = textbook.free_hops(4, 0.0)
    engine = ParallelEngine(setup.sites, setup.model, setup.occupation, comm=SELF)
    assert engine.run(until_s=np.inf) == "frozen"
    assert engine.time_s == 0.0
    assert engine.run(until_s=2.0) == "frozen"
    assert engine.time_s == 2.0
    assert engine.run(until_s=2.0) == "time"


def test_events_and_watch_stop_after_a_cycle():
    setup = textbook.free_hops(8, 0.1)
    engine = ParallelEngine(setup.sites, setup.model, setup.occupation, comm=SELF, split=(True, False, False))
    assert engine.run(until_s=np.inf, max_events=1000) == "events"
    assert 1000 <= engine.n_events < 2000
    engine.watch(np.ones(len(setup.sites)), 5.0)
    assert engine.drift == 0.0
    assert engine.run(until_s=np.inf) == "watch"
    assert 5.0 < engine.drift < 40.0


def test_steps_follow_the_rates():
    setup = textbook.free_hops(8, 0.1)
    arguments: dict[str, Any] = {"comm": SELF, "split": (True, False, False), "share": 0.5}
    for step, least, most in (("fastest", 0.5 / 12.0, 0.5 / 12.0), ("mean", 0.5 / 12.0, 0.5 / 9.0), (0.01, 0.01, 0.01)):
        engine = ParallelEngine(setup.sites, setup.model, setup.occupation, step=step, **arguments)
        assert least - 1e-12 < engine.step_s < most + 1e-12
    for wrong in ({"step": "long"}, {"step": 0.0}, {"share": 0.0}, {"order": "any"}, {"split": (True,)}):
        with pytest.raises(kmc.KmcError, match=next(iter(wrong))):
            ParallelEngine(setup.sites, setup.model, setup.occupation, **{**arguments, **wrong})


def test_a_checkpoint_of_another_layout_is_refused():
    setup = textbook.free_hops(8, 0.1)
    one = ParallelEngine(setup.sites, setup.model, setup.occupation, comm=SELF)
    other = ParallelEngine(setup.sites, setup.model, setup.occupation, comm=SELF, split=(True, False, False))
    with pytest.raises(kmc.KmcError, match="sectors"):
        other.restore(one.checkpoint())


def test_grids_have_the_least_surface():
    assert grid_for(64, (1.0, 1.0, 1.0), (True,) * 3) == (4, 4, 4)
    assert grid_for(4, (9.0, 1.0, 1.0), (True,) * 3) == (4, 1, 1)
    assert grid_for(2, (5.0, 5.0, 2.0), (True, True, False)) == (1, 2, 1)
    assert grid_for(1, (5.0, 5.0, 2.0), (True, True, False)) == (1, 1, 1)


def test_cuts_go_between_layers():
    np.testing.assert_allclose(cuts(np.repeat([0.0, 1.0, 2.0, 3.0], 5), 2), [1.5])
    np.testing.assert_allclose(cuts(np.array([0.0, 0.0, 0.0, 1.0]), 2), [0.5])
    with pytest.raises(kmc.KmcError, match="2 layers"):
        cuts(np.array([0.0, 1.0, 0.0]), 3)


def test_parts_of_one_rank_are_the_whole():
    sites = lattice.bcc((4, 3, 3), 0.3)
    part = part_of_lattice(SELF, (0.3,) * 3, [[0, 0, 0], [0.5, 0.5, 0.5]], (4, 3, 3), cutoff_nm=0.93 * 0.3)
    np.testing.assert_array_equal(part.owned, np.arange(len(sites)))
    np.testing.assert_array_equal(part.sites.target, sites.target)
    np.testing.assert_array_equal(part_of_graph(SELF, sites).owned, part.owned)


def test_numbers_of_sites_give_normal_numbers():
    values = normal(np.uint64(7), np.arange(40_000), np.arange(40_000) + 1)
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1.0) < 0.02
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.02
