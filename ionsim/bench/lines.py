"""From what the jobs measured to lines with limits, and the peers' figures beside them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ionsim.bench import child, limits
from ionsim.bench.timing import FULL, QUICK, Effort
from ionsim.verification.record import Record


@dataclass(frozen=True)
class Peer:
    """A figure of another program, measured on a machine with two cores, on one of them (median of three seeds)."""

    name: str
    value: float


@dataclass(frozen=True)
class Line:
    """A record and, where there is one, the figure of a peer in the same unit."""

    record: Record
    peer: Peer | None = None

    def records(self) -> list[Record]:
        """The record, and the peer's figure as a record without a limit."""
        if self.peer is None:
            return [self.record]
        peer = Record(f"{self.record.name}, peer: {self.peer.name}", self.peer.value, self.record.unit)
        return [self.record, peer]


#: M1 by particles per site: least events/s in fields (and without), the peer.
HOPS = {
    0.02: (3.0e6, Peer("SPPARKS, tree", 64e3)),
    0.05: (None, Peer("SPPARKS, composition-rejection", 88e3)),
    0.2: (1.5e6, Peer("SPPARKS, tree and composition-rejection", 34e3)),
}
#: M2 likewise, and hops per unit of time from a random filling on: SPPARKS, one filling, whose number of particles
#: scatters by 0.9 % (5 %) and 0.4 % (20 %).
BOND_COUNTING = {
    0.05: (1.5e6, Peer("SPPARKS, null events", 1.05e6), 135.5e3),
    0.2: (1.1e6, Peer("SPPARKS, null events", 0.99e6), 420.7e3),
}
REJECTION_FREE = {0.05: Peer("SPPARKS, tree", 45e3), 0.2: Peer("SPPARKS, composition-rejection", 27e3)}
ISING = Peer("SPPARKS, tree", 535e3)
#: kmcos, CO2 per site and unit of time (+- 0.00017), and coverages.
CO_OXIDATION = Peer("kmcos, local_smart", 735e3)
CO2_RATE, COVERAGES = 0.11761, {"empty": 0.2626, "CO": 0.0047, "O": 0.7326}
DEVICE = Peer("arrayKMC, a step of a device of 37,650 sites on a GPU", 11.5)

#: Longest wall time for the forming of a silver cell of 10 nm, on one core.
FORMING_S = 180.0
#: And for a RESET and a SET of the phase-change cell of the examples.
CYCLE_S = 90.0
#: Of a thousand gate pulses on an ECRAM device in a plane, on one core.
TRAIN_S = 180.0

#: Cells of the fcc lattices on which cost is compared: 1e4 to 4e6 sites.
SIZES, QUICK_SIZES = (14, 29, 63, 100), (14, 40)

Runner = Callable[[str, float, Effort], dict[str, Any]]


def kmc_lines(quick: bool = False, run: Runner = child.run) -> Iterator[Line]:
    """All lines, job by job; ``quick`` takes shorter runs and leaves the largest lattices out."""
    effort = QUICK if quick else FULL
    parts = run("parts", 256_000, effort)
    yield from _parts(parts, "256,000 sites")
    yield from _hops(run, effort, parts)
    yield from _bond_counting(run, effort)
    yield from _surface(run, effort)
    yield from _ising(run, effort, 100 if quick else 500)
    yield from _device(run, effort, 20 if quick else 100)
    yield from _sizes(run, effort, QUICK_SIZES if quick else SIZES)


def ecm_lines(quick: bool = False, run: Runner = child.run) -> Iterator[Line]:
    """Forming of a silver cell of 10 x 10 x 10 nm, building it included; ``quick``: of 4 x 4 x 4 nm, without a limit.

    A run that ends without having reached the compliance misses the limit.
    """
    size_nm = 4.0 if quick else 10.0
    numbers = run("ecm_forming", size_nm, QUICK if quick else FULL)
    name = f"forming of a silver cell of ({size_nm:g} nm)^3"
    wall_s = numbers["wall_s"] if numbers["limited"] else float("nan")
    yield _warm_up(name, numbers)
    yield Line(Record(name, wall_s, "s") if quick else Record.below(name, wall_s, FORMING_S, "s"))
    yield Line(Record(f"{name}, field refreshes", numbers["refreshes"]))
    yield Line(Record(f"{name}, share of the fields", numbers["field_share"]))
    yield Line(Record(f"{name}, wall time of a refresh", numbers["field_share"] * wall_s / numbers["refreshes"], "s"))
    yield Line(Record(f"{name}, events", numbers["events"]))
    yield Line(Record(f"{name}, voltage", numbers["V_form_V"], "V"))
    yield Line(Record(f"{name}, peak memory", numbers["peak_MB"], "MB"))


def pcm_lines(quick: bool = False, run: Runner = child.run) -> Iterator[Line]:
    """A RESET and a SET of the mushroom cell in (r, z), building it included; ``quick``: fewer recorded points.

    A run whose RESET does not raise the resistance tenfold, or whose SET does not bring it back, misses the limit.
    """
    numbers = run("pcm_cycle", 5 if quick else 20, QUICK if quick else FULL)
    name = "RESET and SET of a mushroom cell"
    switched = numbers["reset"] > 10.0 * numbers["set"]
    yield _warm_up(name, numbers)
    yield Line(Record.below(name, numbers["wall_s"] if switched else float("nan"), CYCLE_S, "s"))
    yield Line(Record(f"{name}, steps in time", numbers["steps"]))
    yield Line(Record(f"{name}, wall time of a step", numbers["wall_s"] / numbers["steps"], "s"))
    yield Line(Record(f"{name}, resistance after RESET", numbers["reset"], "ohm"))
    yield Line(Record(f"{name}, resistance after SET", numbers["set"], "ohm"))
    yield Line(Record(f"{name}, peak memory", numbers["peak_MB"], "MB"))


def ecram_lines(quick: bool = False, run: Runner = child.run) -> Iterator[Line]:
    """A train of 500 gate pulses up and 500 down in a plane, building the device included; ``quick``: of 20 and 20.

    A run in which a pulse moved no ion, because it was stepped over, misses the limit.
    """
    numbers = run("ecram_train", 20 if quick else 500, QUICK if quick else FULL)
    name = f"{numbers['pulses']:g} gate pulses"
    seen = numbers["least_up_C"] > 0.0 and numbers["least_down_C"] > 0.0
    wall_s = numbers["wall_s"] if seen else float("nan")
    yield _warm_up(name, numbers)
    yield Line(Record(name, wall_s, "s") if quick else Record.below(name, wall_s, TRAIN_S, "s"))
    yield Line(Record(f"{name}, wall time of a pulse", wall_s / numbers["pulses"], "s"))
    yield Line(Record(f"{name}, steps in time a pulse", numbers["steps"] / numbers["pulses"]))
    yield Line(Record(f"{name}, range of the conductance", numbers["on_off_ratio"]))
    yield Line(Record(f"{name}, peak memory", numbers["peak_MB"], "MB"))


def _at_least(name: str, value: float, limit: float | None) -> Record:
    return Record(name, value, "events/s") if limit is None else Record.above(name, value, limit, "events/s")


def _warm_up(name: str, numbers: dict[str, Any]) -> Line:
    return Line(Record(f"{name}, compiling or loading the kernels (not counted)", numbers["warm_up_s"], "s"))


def _parts(parts: dict[str, Any], what: str) -> Iterator[Line]:
    for key, name in (
        ("random_ns", "one random number"),
        ("log_ns", "one logarithm"),
        ("exp_ns", "one exponential"),
        ("read_ns", f"one cache line of {what}, several under way"),
        ("chained_read_ns", f"one cache line of {what}, one at a time"),
    ):
        yield Line(Record(name, parts[key], "ns"))


def _hops(run: Runner, effort: Effort, parts: dict[str, Any]) -> Iterator[Line]:
    for fraction, (least, peer) in HOPS.items():
        fields, free = run("hops_in_fields", fraction, effort), run("free_hops", fraction, effort)
        if fraction == min(HOPS):
            yield _warm_up("M1", fields)
        for name, numbers, exponentials in (
            (f"M1 in fields, {fraction:.0%}", fields, 1.0),
            (f"M1, {fraction:.0%}", free, 0.0),
        ):
            yield Line(_at_least(name, numbers["events_per_s"], least), peer)
            trials, taken_ns = numbers["trials_per_event"], 1e9 / numbers["events_per_s"]
            floor_ns = limits.floor_ns(parts, trials, exponentials)
            yield Line(Record(f"{name}, draws an event", trials))
            yield Line(Record(f"{name}, cost of a draw", taken_ns / trials, "ns"))
            yield Line(Record(f"{name}, cost of an event over its floor", taken_ns / floor_ns))
        first = fields["first_events_per_s"]
        yield Line(Record(f"M1 in fields, {fraction:.0%}, right after new fields", first, "events/s"))
        error = free["hops_per_time"] / free["exact_hops_per_time"] - 1.0
        yield Line(Record.below(f"M1, {fraction:.0%}, hops per unit of time against 12 N (1 - c)", error, 5e-3))


def _bond_counting(run: Runner, effort: Effort) -> Iterator[Line]:
    for fraction, (least, peer, hops) in BOND_COUNTING.items():
        numbers = run("bond_counting", fraction, effort)
        name = f"M2, {fraction:.0%}"
        if fraction == min(BOND_COUNTING):
            yield _warm_up("M2", numbers)
        yield Line(_at_least(name, numbers["auto"]["events_per_s"], least), peer)
        for key, how, beside in (
            ("null_events", "null events", peer),
            ("composition", "composition-rejection, rates kept", REJECTION_FREE[fraction]),
            ("rejection_free", "tree, rates kept", REJECTION_FREE[fraction]),
        ):
            yield Line(Record(f"{name}, {how}", numbers[key]["events_per_s"], "events/s"), beside)
        error = numbers["first_hops_per_time"] / hops - 1.0
        yield Line(Record.below(f"{name}, hops per unit of time against SPPARKS", error, 0.015))


def _surface(run: Runner, effort: Effort) -> Iterator[Line]:
    numbers = run("co_oxidation", 100, effort)
    name = "ZGB, 100 x 100"
    yield _warm_up("ZGB", numbers)
    yield Line(_at_least(name, numbers["events_per_s"], 5e6), CO_OXIDATION)
    yield Line(Record(f"{name}, draws an event", numbers["trials_per_event"]))
    # Four standard deviations; the largest part is the run's own.
    error = numbers["co2_rate"] / CO2_RATE - 1.0
    yield Line(Record.below(f"{name}, rate of CO2 against kmcos", error, 0.015 if effort == FULL else 0.03))
    for species, coverage in COVERAGES.items():
        error = numbers[species] - coverage
        yield Line(Record.below(f"{name}, coverage of {species} against kmcos", error, 0.01))


def _ising(run: Runner, effort: Effort, size: int) -> Iterator[Line]:
    numbers = run("ising", size, effort)
    yield _warm_up("Ising", numbers)
    least = 3e6 if size == 500 else None
    yield Line(_at_least(f"Ising, {size} x {size}", numbers["events_per_s"], least), ISING)
    yield Line(Record(f"Ising, {size} x {size}, draws an event", numbers["trials_per_event"]))


def _device(run: Runner, effort: Effort, repeats: int) -> Iterator[Line]:
    numbers = run("device", repeats, effort)
    yield _warm_up("device", numbers)
    name = f"device of {numbers['sites']:,} sites"
    yield Line(Record.below(f"{name}, all rates in new fields", 1e3 * numbers["refresh_s"], 5.0, "ms"), DEVICE)
    yield Line(_at_least(f"{name}, events", numbers["events_per_s"], None))


def _sizes(run: Runner, effort: Effort, sizes: tuple[int, ...]) -> Iterator[Line]:
    costs = []
    for cells in sizes:
        numbers = run("size", cells, effort)
        name = f"M1, 5%, {numbers['sites']:,} sites"
        costs.append(1e9 / numbers["events_per_s"])
        yield Line(Record(f"{name}, cost of an event", costs[-1], "ns"))
        yield Line(Record(f"{name}, building it", numbers["build_s"], "s"))
        memory = Record(f"{name}, peak memory", numbers["peak_MB"], "MB")
        large = numbers["sites"] >= 4_000_000
        yield Line(Record.below(memory.name, memory.value, 2000.0, "MB") if large else memory)
    full = sizes == SIZES
    name = "cost of an event, largest over smallest lattice"
    yield Line(Record.below(name, costs[-1] / costs[0], 1.5) if full else Record(name, costs[-1] / costs[0]))
