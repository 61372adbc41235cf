"""Lines of ``ionsim bench fem`` and ``ionsim bench coupled``."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ionsim.bench import ranks
from ionsim.bench.lines import Line, Peer
from ionsim.bench.timing import Effort
from ionsim.verification.record import Record

Numbers = dict[str, Any]
RankRunner = Callable[[str, float, Effort, int], Numbers]

#: Refreshes that are timed, warm and cold each; :class:`Effort` asks for seconds as well, which nothing here uses.
FULL, QUICK = Effort(7, 0.0), Effort(3, 0.0)

#: Cells along the film's longer edges: 35,301, 269,001 and 1,032,256 unknowns.
SIZES, QUICK_SIZES = (40, 80, 126), (40,)

#: Refresh and solve at 35,000 unknowns on one core: longest, ms, and least gain on LinearProblem.
REFRESH_MS, GAIN = 20.0, 8.0
#: At 1,000,000 unknowns: largest peak memory of a process, MB.
MEMORY_MB = 3000.0
#: At 270,000 unknowns: least gain of two ranks, and how far their answers may differ.
SPEED_UP, SAME = 1.7, 1e-8
#: Longest refresh of the fields of a VCM device of about 37,650 sites, ms.
COUPLED_MS = 40.0
SUPERSTEP = Peer("arrayKMC, a step of a device of 37,650 sites on a GPU", 11.5)


def fem_lines(quick: bool = False, run: RankRunner = ranks.run_ranks) -> Iterator[Line]:
    """Refresh and solve at three sizes on one and two ranks, beside LinearProblem; ``quick``: the smallest only.

    One rank is timed in processor time, two by the wall clock (least of the repetitions): on a busy machine two ranks
    wait for each other, and their gain is a lower bound.
    """
    effort, sizes = (QUICK, QUICK_SIZES) if quick else (FULL, SIZES)
    for cells in sizes:
        one, two = (run("conduction", cells, effort, count) for count in (1, 2))
        name = f"{one['dofs']:,} unknowns"
        for numbers in (one, two):
            yield from _conduction(f"{name}, {numbers['ranks']} rank{'s' * (numbers['ranks'] > 1)}", numbers, cells)
        gain = one["least_wall_s"] / two["least_wall_s"]
        what = f"{name}, gain of two ranks (wall clock)"
        yield Line(Record.above(what, gain, SPEED_UP) if cells == 80 else Record(what, gain))
        if cells < 100:
            yield from _answers(name, cells, run, effort, one)


def _conduction(name: str, numbers: Numbers, cells: int) -> Iterator[Line]:
    refresh = f"{name}, refresh and solve"
    median_ms = 1e3 * numbers["median_s"]
    limited = cells == SIZES[0] and numbers["ranks"] == 1
    yield Line(Record.below(refresh, median_ms, REFRESH_MS, "ms") if limited else Record(refresh, median_ms, "ms"))
    for part, seconds in numbers["parts"].items():
        yield Line(Record(f"{refresh}: {part}", 1e3 * seconds, "ms"))
    yield Line(Record(f"{refresh}, iterations", numbers["iterations"]))
    yield Line(Record(f"{refresh}, from zero", 1e3 * numbers["cold_s"], "ms"))
    yield Line(Record(f"{name}, assembly once", 1e3 * numbers["build_s"], "ms"))
    yield Line(Record(f"{name}, first solve", 1e3 * numbers["first_s"], "ms"))
    what, peak = f"{name}, peak memory", numbers["peak_MB"]
    yield Line(Record.below(what, peak, MEMORY_MB, "MB") if cells == SIZES[-1] else Record(what, peak, "MB"))


def _answers(name: str, cells: int, run: RankRunner, effort: Effort, one: Numbers) -> Iterator[Line]:
    """LinearProblem's time, and how far the answers of one rank, two ranks and LinearProblem are apart."""
    peer = run("linear_problem", cells, effort, 1)
    method = min(("ssor", "icc", "gamg"), key=lambda key: float(peer[key]["median_s"]))
    beside = peer[method]["median_s"]
    what = f"{name}, LinearProblem with vertex quadrature and {method}"
    yield Line(Record(what, 1e3 * beside, "ms"))
    usual = peer["usual"]["median_s"]
    yield Line(Record(f"{name}, LinearProblem with its own quadrature and ssor", 1e3 * usual, "ms"))
    gain = beside / one["median_s"]
    record = f"{name}, LinearProblem's time over that of refresh and solve"
    yield Line(Record.above(record, gain, GAIN) if cells == SIZES[0] else Record(record, gain))
    yield Line(Record(f"{record}, its own quadrature", usual / one["median_s"]))
    single, double = (run("conduction_answer", cells, effort, count) for count in (1, 2))
    for whose, other in (("two ranks", double), ("LinearProblem", peer)):
        apart = np.abs(np.subtract(other["potential_V"], single["potential_V"])).max()
        yield Line(Record.below(f"{name}, potential of {whose} against one rank", apart, SAME, "V"))
    current = double["current_A"] / single["current_A"] - 1.0
    yield Line(Record.below(f"{name}, current of two ranks against one, relative", current, SAME))


def coupled_lines(quick: bool = False, run: RankRunner = ranks.run_ranks) -> Iterator[Line]:
    """A field refresh of a VCM device with 37,840 sites, and its parts; ``quick``: of 3,640 sites, without a limit."""
    numbers = run("coupled", 14 if quick else 44, QUICK if quick else FULL, 1)
    name = f"field refresh of {numbers['sites']:,} sites, {numbers['dofs']:,} unknowns"
    step_ms = 1e3 * numbers["step_s"]
    yield Line(Record(name, step_ms, "ms") if quick else Record.below(name, step_ms, COUPLED_MS, "ms"), SUPERSTEP)
    yield Line(Record(f"{name}, shortest", 1e3 * numbers["least_s"], "ms"))
    yield Line(Record(f"{name}, longest", 1e3 * numbers["longest_s"], "ms"))
    parts = sorted(numbers["parts"].items(), key=lambda item: -item[1])
    for part, seconds in parts:
        yield Line(Record(f"mean of {part}", 1e3 * seconds, "ms"))
    for field in ("potential", "heat"):
        yield Line(Record(f"{field}, iterations", numbers[f"{field}_iterations"]))
    yield Line(Record(f"{name}, building the device", numbers["build_s"], "s"))
    yield Line(Record(f"{name}, peak memory", numbers["peak_MB"], "MB"))
