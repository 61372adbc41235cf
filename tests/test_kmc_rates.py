"""Rates and energy changes against a Hamiltonian that is written down again here, pair by pair and image by image.

One model holds everything at once: hops, an ordered reaction, mirrored pairs (A + A), a charge-state change, exchange
with two reservoirs, pair energies, charges, fields, different temperatures, polarisation, throttles and clamped
barriers; the cells are so small that two sites are neighbours through several images.
"""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from ase.build import bulk

import kmc

pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")

SPECIES = ("empty", "A", "B", "C", "D")
CHARGES = {"A": 1.0, "B": -2.0, "C": -1.0, "D": 0.5}
PAIRS = {("A", "A"): -0.11, ("A", "B"): 0.07, ("B", "C"): 0.13, ("D", "D"): -0.05, ("empty", "C"): 0.03}
PROCESSES = (
    kmc.hop("A", into="empty", barrier_eV=0.5, name="hop A", max_rate_Hz=3e5),
    kmc.hop("B", into="empty", barrier_eV=0.2, name="hop B", polarisation_e_nm=0.4, prefactor_Hz=2e12),
    kmc.hop("C", into="A", barrier_eV=0.3, name="exchange of places"),
    kmc.reaction("pair", ("A", "B"), ("C", "empty"), 0.6, energy_eV=0.2, polarisation_e_nm=0.2),
    kmc.reaction("second way", ("A", "B"), ("D", "D"), 0.1, energy_eV=-0.4, max_rate_Hz=1e6),
    kmc.reaction("mirrored", ("A", "A"), ("C", "C"), 0.4, energy_eV=-0.1),
    kmc.reaction("half mirrored", ("A", "A"), ("B", "C"), 0.05, energy_eV=0.3),
    kmc.reaction("catalysed", ("A", "C"), ("A", "D"), 0.7),
    kmc.reaction("charge state", ("C",), ("D",), 0.3, energy_eV=0.15),
    kmc.exchange("A out", "A", "empty", "cap", 0.4, energy_eV=0.1, polarisation_e_nm=0.3, max_rate_Hz=1e12),
    kmc.exchange("B out", "B", "D", "gas", -0.1, energy_eV=0.1, reverse_name="B in"),
)
RESERVOIRS = (kmc.Reservoir("cap", 7, filling_eV=0.8), kmc.Reservoir("gas", 3, filling_eV=-0.2))
MODEL = kmc.Model(
    species=SPECIES,
    processes=PROCESSES,
    charges_e=CHARGES,
    site_energies_eV={"A": 0.05, "D": -0.08},
    pair_energies=[kmc.PairEnergy(a, b, energy, within_nm=0.33) for (a, b), energy in PAIRS.items()],
    reservoirs=RESERVOIRS,
)
REACH_NM, CUTOFF_NM = 0.33, 0.45


class World:
    """A small periodic lattice with everything random, and the energy of a configuration from first principles."""

    def __init__(self, lattice: str, seed: int) -> None:
        generator = np.random.default_rng(seed)
        atoms = {
            "fcc": lambda: bulk("Ag", "fcc", a=4.62, cubic=True) * (2, 2, 1),
            "bcc": lambda: bulk("Fe", "bcc", a=3.1, cubic=True) * (2, 3, 2),
            "disordered": lambda: bulk("Po", "sc", a=2.4) * (3, 3, 4),
        }[lattice]()  # fmt: skip
        if lattice == "disordered":
            atoms.positions += generator.uniform(-0.5, 0.5, atoms.positions.shape)
            atoms.pbc = (True, True, False)
        self.sites = kmc.SiteGraph.from_atoms(atoms, cutoff_nm=CUTOFF_NM)
        count = len(self.sites)
        self.occupation = generator.integers(0, len(SPECIES), count)
        self.reservoir = {"cap": 3, "gas": 1}
        self.potential = generator.normal(0.0, 0.3, count)
        self.temperature = generator.uniform(300.0, 900.0, count)
        self.reservoir_V = {"cap": 0.4, "gas": -0.7}
        self.site_energies = {name: generator.normal(0.0, 0.2, count) for name in SPECIES}
        self.shifts = {process.name: generator.normal(0.0, 0.1, count) for process in PROCESSES}
        self.contacts = {
            "cap": (np.arange(0, count, 2), generator.uniform(0.1, 0.3, len(range(0, count, 2)))),
            "gas": (np.arange(0, count, 3), 0.2),
        }
        self.bonds, self.paths = self._bonds()

    def _bonds(self):
        """Bonds [(i, j)] within the reach of pair energies, and paths {(i, j): [length, ...]}, through all images."""
        positions, cell = self.sites.positions_nm, self.sites.cell_nm
        bonds, paths = [], defaultdict(list)
        for shift in itertools.product(*[(-2, -1, 0, 1, 2) if wraps else (0,) for wraps in self.sites.periodic]):
            vectors = positions[None, :] + np.array(shift) * cell - positions[:, None]
            for i, j in np.argwhere(np.linalg.norm(vectors, axis=2) < CUTOFF_NM).tolist():
                length = float(np.linalg.norm(vectors[i, j]))
                if i != j:
                    paths[i, j].append(length)
                if i < j and length < REACH_NM:
                    bonds.append((i, j))
        return bonds, paths

    def engine(self, occupation=None, reservoir=None, shift_V=0.0) -> kmc.Engine:
        engine = kmc.Engine(
            self.sites, MODEL, self.occupation if occupation is None else occupation, seed=5,
            site_energies_eV=self.site_energies, barrier_shifts_eV=self.shifts, contacts=self.contacts,
            reservoir_counts=self.reservoir if reservoir is None else reservoir,
        )  # fmt: skip
        engine.set_fields(
            self.potential + shift_V, self.temperature, {name: v + shift_V for name, v in self.reservoir_V.items()}
        )
        return engine

    def energy(self, occupation, reservoir) -> float:
        """Site, pair, electrostatic and filling energy; charge in a reservoir is charged by the caller."""
        names = [SPECIES[s] for s in occupation]
        energy = sum(
            MODEL.site_energies_eV.get(name, 0.0) + self.site_energies[name][i] for i, name in enumerate(names)
        )
        energy += sum(CHARGES.get(name, 0.0) * self.potential[i] for i, name in enumerate(names))
        for i, j in self.bonds:
            energy += PAIRS.get((names[i], names[j]), PAIRS.get((names[j], names[i]), 0.0))
        for kind in RESERVOIRS:
            energy += kind.filling_eV * reservoir[kind.name] ** 2 / (2.0 * kind.capacity)
        return float(energy)

    def events(self):
        """{(process, site, partner): [(rate, dU), ...]} of all that can happen, one entry a path."""
        expected = defaultdict(list)
        for name, process, reverse in MODEL.directions():
            before, after = (process.after, process.before) if reverse else (process.before, process.after)
            sign = -1 if reverse else 1
            if process.kind == "pair":
                for (i, j), lengths in self.paths.items():
                    if (SPECIES[self.occupation[i]], SPECIES[self.occupation[j]]) != before:
                        continue
                    if len(set(before)) == len(set(after)) == 1 and i > j:
                        continue  # A + A -> C + C: the same event from either end
                    changed = self.occupation.copy()
                    changed[i], changed[j] = SPECIES.index(after[0]), SPECIES.index(after[1])
                    made = sum(CHARGES.get(s, 0.0) for s in after) - sum(CHARGES.get(s, 0.0) for s in before)
                    change = self.energy(changed, self.reservoir) - self.energy(self.occupation, self.reservoir)
                    change += sign * process.energy_eV - made * 0.5 * (self.potential[i] + self.potential[j])
                    barrier = process.barrier_eV + 0.5 * (self.shifts[process.name][i] + self.shifts[process.name][j])
                    for length in lengths:
                        field = abs(self.potential[i] - self.potential[j]) / length
                        kt = kmc.KB_EV * 0.5 * (self.temperature[i] + self.temperature[j])
                        rate = law(process, barrier - process.polarisation_e_nm * field, change, kt)
                        expected[name, i, j].append((rate, change))
                continue
            for i in range(len(self.sites)):
                if SPECIES[self.occupation[i]] != before[0]:
                    continue
                changed, reservoir = self.occupation.copy(), dict(self.reservoir)
                changed[i] = SPECIES.index(after[0])
                made = CHARGES.get(after[0], 0.0) - CHARGES.get(before[0], 0.0)
                barrier, weight = process.barrier_eV + self.shifts[process.name][i], 1.0
                electrons_V = self.potential[i]
                if process.reservoir is not None:
                    members, distance = self.contacts[process.reservoir]
                    if i not in members:
                        continue
                    reservoir[process.reservoir] += sign
                    capacity = next(r.capacity for r in RESERVOIRS if r.name == process.reservoir)
                    filled = self.reservoir[process.reservoir] / capacity
                    weight = filled if reverse else 1.0 - filled
                    electrons_V = self.reservoir_V[process.reservoir]
                    length = np.broadcast_to(distance, members.shape)[members == i][0]
                    barrier -= process.polarisation_e_nm * abs(self.potential[i] - electrons_V) / length
                change = self.energy(changed, reservoir) - self.energy(self.occupation, self.reservoir)
                change += sign * process.energy_eV - made * electrons_V
                rate = weight * law(process, barrier, change, kmc.KB_EV * self.temperature[i])
                expected[name, i, -1].append((rate, change))
        return expected


def law(process: kmc.Process, barrier: float, change: float, kt: float) -> float:
    """PHYSICS: k = nu exp(-max(E0 - b|F| + dU/2, dU, 0)/kT), both directions slowed when one is above the limit."""
    forward, backward = (
        process.prefactor_Hz * math.exp(-max(barrier + 0.5 * du, du, 0.0) / kt) for du in (change, -change)
    )
    return forward * min(1.0, process.max_rate_Hz / max(forward, backward))


def listed(engine: kmc.Engine):
    """{(process, site, partner): [(rate, dU), ...]} of an engine."""
    found = defaultdict(list)
    for name, _, _ in MODEL.directions():
        for site, partner, rate, change in engine.rates(name):
            found[name, site, partner].append((rate, change))
    return found


WORLDS = [(lattice, seed) for lattice in ("fcc", "bcc", "disordered") for seed in (1, 2, 3)]


@pytest.mark.parametrize(("lattice", "seed"), WORLDS)
def test_every_event_has_the_rate_and_energy_of_the_hamiltonian(lattice, seed):
    world = World(lattice, seed)
    expected, found = world.events(), listed(world.engine())
    expected = {key: events for key, events in expected.items() if any(rate > 0.0 for rate, _ in events)}
    assert found.keys() == expected.keys()
    assert {name for name, _, _ in found} >= {"hop A", "hop B", "pair", "charge state", "A out", "A out:reverse"}
    assert any(len(events) > 1 for events in found.values())  # several images
    for key, events in expected.items():
        rates, changes = np.array(sorted(events)).T
        np.testing.assert_allclose(np.array(sorted(found[key])).T[1], changes, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(np.array(sorted(found[key])).T[0], rates, rtol=1e-10)


def test_the_worlds_hold_every_process_clamped_and_throttled():
    """That the comparison above is not empty anywhere."""
    seen, clamped, throttled = set(), 0, 0
    by_name = {name: process for name, process, _ in MODEL.directions()}
    for lattice, seed in WORLDS:
        for (name, _, _), events in World(lattice, seed).events().items():
            seen.add(name)
            process = by_name[name]
            clamped += sum(abs(change) > 2.0 * process.barrier_eV + 0.4 for _, change in events)
            throttled += sum(rate == pytest.approx(process.max_rate_Hz) for rate, _ in events)
    assert seen == set(by_name)
    assert clamped > 50
    assert throttled > 20


@pytest.mark.parametrize(("lattice", "seed"), WORLDS)
def test_every_event_balances_with_its_reverse(lattice, seed):
    """ln(k_forward/k_backward) = -dU/kT to 1e-12, with the reservoir's places counted, for every event there is."""
    world = World(lattice, seed)
    engine = world.engine()
    reverses = {}
    for process in PROCESSES:
        back = process.name if process.own_reverse else process.reverse_name or f"{process.name}:reverse"
        reverses[process.name], reverses[back] = back, process.name
    capacity = {r.name: r.capacity for r in RESERVOIRS}
    checked = 0
    for (name, i, j), events in listed(engine).items():
        process = next(p for n, p, _ in MODEL.directions() if n == name)
        after = process.before if name != process.name else process.after
        changed, reservoir, places = world.occupation.copy(), dict(world.reservoir), 0.0
        changed[i] = SPECIES.index(after[0])
        kt = kmc.KB_EV * world.temperature[i]
        if j >= 0:
            changed[j] = SPECIES.index(after[1])
            kt = kmc.KB_EV * 0.5 * (world.temperature[i] + world.temperature[j])
        if process.reservoir is not None:
            step = 1 if name == process.name else -1
            emptier = min(reservoir[process.reservoir], reservoir[process.reservoir] + step)
            reservoir[process.reservoir] += step
            # ways to hold n + 1 of n: (C - n)/(n + 1)
            places = step * math.log((capacity[process.reservoir] - emptier) / (emptier + 1))
        there = listed(world.engine(changed, reservoir))
        back = there[(reverses[name], j, i) if process.own_reverse else (reverses[name], i, j)]
        assert len(back) == len(events)
        for (rate, change), (back_rate, back_change) in zip(sorted(events), sorted(back), strict=True):
            assert change == pytest.approx(-back_change, abs=1e-14)
            assert math.log(rate / back_rate) == pytest.approx(places - change / kt, abs=1e-12, rel=1e-13)
            checked += 1
        if checked > 400:
            break
    assert checked > 50


def test_a_common_potential_changes_nothing():
    """Electrons that a reaction makes or takes come from the local level, not from a ground that does not exist."""
    world = World("fcc", 1)
    here, shifted = listed(world.engine()), listed(world.engine(shift_V=16.0))
    assert here.keys() == shifted.keys()
    for key, events in here.items():
        np.testing.assert_allclose(np.array(shifted[key]), np.array(events), rtol=1e-11, atol=1e-13)


def test_a_spread_is_one_draw_per_pair_and_balances():
    sites = kmc.SiteGraph.from_atoms(bulk("Ag", "fcc", a=4.09, cubic=True) * (6, 6, 6), cutoff_nm=0.30)
    hop = kmc.hop("ion", into="empty", barrier_eV=0.5, spread_eV=0.05)
    model = kmc.Model(species=("empty", "ion"), processes=[hop])
    kt = kmc.KB_EV * 300.0

    def barriers(ions, seed):
        """{(ion's site, empty site): barrier} from the rates."""
        engine = kmc.Engine(sites, model, ions.astype(int), seed=seed)
        return {(i, j): -kt * math.log(rate / 1e13) for i, j, rate, _ in engine.rates("hop")}

    ions = np.arange(len(sites)) % 2 == 0
    one_way, other_way, other_seed = barriers(ions, 1), barriers(~ions, 1), barriers(ions, 2)
    drawn = np.array(list(one_way.values()))
    for (i, j), barrier in one_way.items():
        assert other_way[j, i] == barrier
        assert other_seed[i, j] != barrier
    error = 0.05 / math.sqrt(len(drawn))
    assert drawn.mean() == pytest.approx(0.5, abs=4.0 * error)
    assert drawn.std() == pytest.approx(0.05, abs=4.0 * error / math.sqrt(2.0))
