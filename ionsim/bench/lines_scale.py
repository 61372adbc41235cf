"""Lines of ``ionsim bench scale``: strong and weak scaling, measured on two ranks and extrapolated by a model."""

from collections.abc import Iterator

from ionsim.bench import ranks, scaling
from ionsim.bench.lines import Line
from ionsim.bench.lines_fem import FULL, QUICK, RankRunner
from ionsim.verification.record import Record

#: Cells along the film's longer edges: strong scaling of the last; the first two are one rank's share and twice that.
SIZES, QUICK_SIZES = (64, 80, 100), (32, 40, 50)
#: Ranks to which the model extrapolates.
RANKS = (2, 4, 16, 64, 256, 1024)
_MESSAGES = 300.0


def scale_lines(quick: bool = False, run: RankRunner = ranks.run_ranks) -> Iterator[Line]:
    """The fitted numbers, two ranks against the model, and the model for more ranks; ``quick``: smaller problems."""
    effort, sizes = (QUICK, QUICK_SIZES) if quick else (FULL, SIZES)
    single = [run("multigrid", cells, effort, 1) for cells in sizes]
    double = [run("multigrid", cells, effort, 2) for cells in sizes[1:]]
    model = scaling.fit(single, run("messages", _MESSAGES, effort, 2))
    for name, value, unit in (
        ("fixed cost", 1e3 * model.fixed_s, "ms"),
        ("work per unknown", 1e9 * model.work_s, "ns"),
        ("work per unknown and iteration", 1e9 * model.iteration_s, "ns"),
        ("latency", 1e6 * model.latency_s, "us"),
        ("bandwidth", 1e-9 / model.byte_s if model.byte_s else float("inf"), "GB/s"),
        ("stage of a sum over ranks", 1e6 * model.stage_s, "us"),
    ):
        yield Line(Record(f"model, {name}", value, unit))
    for one, two in zip(single[1:], double, strict=True):
        name, gain = f"{two['dofs']:,} unknowns, two ranks", one["least_wall_s"] / two["least_wall_s"]
        yield Line(Record(f"{name}, strong scaling: gain", gain))
        expected = model.time_s(two["dofs"], 2, two["iterations"])
        yield Line(Record(f"{name}, measured over modelled time", two["least_wall_s"] / expected))
    weak = single[0]["least_wall_s"] / double[0]["least_wall_s"]
    ratio = double[0]["dofs"] / (2.0 * single[0]["dofs"])  # twice the unknowns on two ranks, nearly
    yield Line(Record(f"weak scaling, {single[0]['dofs']:,} unknowns a rank, two ranks: efficiency", weak * ratio))
    dofs, iterations, part = single[-1]["dofs"], single[-1]["iterations"], single[0]["dofs"]
    for count in RANKS:
        strong = f"model, {dofs:,} unknowns on {count} ranks"
        yield Line(Record(strong, 1e3 * model.time_s(dofs, count, iterations), "ms"))
        yield Line(Record(f"{strong}: efficiency", model.efficiency(dofs, count, iterations)))
        weak = model.weak_efficiency(part, count, iterations)
        yield Line(Record(f"model, {part:,} unknowns a rank on {count} ranks: efficiency", weak))
