"""A run once more, to look at more of its moments than it has kept.

A run keeps a snapshot of each state that a stage leaves; a film of an event needs a hundred. Its device file and its
seed are in the run file, and the same seed gives the same trajectory, so the run is repeated up to the end of a stage
and looked at on the way. That costs its wall time once more, but nothing in the run file, and works for runs of long
ago; as the curve is known beforehand, the moments lie densely where much happens, also between two recorded points.
What is recorded on the way is compared with the run, so the pictures are of that run and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from ionsim.config import Device
from ionsim.errors import ResultsError, nearest
from ionsim.results import Run, Snapshot, versions
from ionsim.simulation.loop import Simulation

Floats = NDArray[np.float64]

#: Columns that must be those of the run, within a relative tolerance: on another processor sums round otherwise, but a
#: lattice that draws another event is off by far more.
_COMPARED = ("time_s", "voltage_V", "device_V", "current_A", "conductance_S")
_RTOL = 1e-6
#: Columns that say how far a device has moved, in the order in which the first that a run has is taken.
_PROGRESS = ("crystalline_share", "state_S", "gap_per_m3")
#: A conductance below this share of the largest is no smaller (it is none at 0 V).
_FLOOR = 1e-12
#: Length that evenly spaced points of a stage have beside those of voltage, conductance, temperature and progress, each
#: of which is 1 from its least to its largest value: where nothing happens the film goes on as well. Chosen.
_IDLE = 0.3
#: A stage with fewer recorded points is shown with the stages beside it. Chosen.
_FEW = 50
#: Moments are kept this much closer than asked for, then thinned evenly.
_FINER = 1.5
#: A temperature that stays within this (K) is constant.
_WARM_K = 5.0


@dataclass(frozen=True)
class Moment:
    """One look at a device: the name of its stage, the row of the series (keys carry units), lattice and fields."""

    stage: str
    row: dict[str, float]
    snapshot: Snapshot


def stages_of(run: Run, stage: str | None = None) -> tuple[int, ...]:
    """Indices of the stages to look at: the named one, all of them ("all"), or that in which the conductance changes
    most, with its neighbours where it is short. ResultsError for an unknown name, and for a run without points."""
    if len(run.series.get("time_s", ())) < 2:
        raise ResultsError(f"{run.path}: the run has recorded no points")
    index = run.series["stage"].astype(int)
    recorded = np.unique(index).tolist()
    if stage == "all":
        return tuple(recorded)
    if stage is not None:
        names = [run.stages[one] for one in recorded]
        if stage not in names:
            hint = nearest(stage, names)
            raise ResultsError(f"{run.path}: no points of a stage {stage!r}{hint}; there are: {', '.join(names)}, all")
        return tuple(one for one in recorded if run.stages[one] == stage)
    level = _log_conductance(run.series)
    chosen = [max(recorded, key=lambda one: float(np.ptp(level[index == one])))]
    while int(np.isin(index, chosen).sum()) < _FEW and len(chosen) < len(recorded):
        after, before = chosen[-1] + 1, chosen[0] - 1
        chosen = [*chosen, after] if after in recorded else [before, *chosen]
    return tuple(chosen)


def replay(
    run: Run,
    stages: Sequence[int],
    *,
    frames: int = 100,
    progress: Callable[[float], None] | None = None,
) -> list[Moment]:
    """Repeat a run on this process and return about ``frames`` moments of its stages (indices), in the order of time.

    Moments are evenly spaced along the path of voltage, conductance (its logarithm), temperature and state, as far as
    the run has any there. ``progress`` is called with the share of the run's points that are done.

    Raises:
        ResultsError: when what is recorded on the way is not what the run has (another version, number of ranks).
    """
    series, index = run.series, run.series["stage"].astype(int)
    rows = np.flatnonzero(np.isin(index, list(stages)))
    ruler = _Ruler({name: values[rows] for name, values in series.items()})
    gap = ruler.total / (_FINER * frames)
    few = len(rows) <= 2 * frames  # then all points are kept until the moments are thinned
    simulation = Simulation(Device.from_toml(run.input_toml), seed=run.seed, comm=MPI.COMM_SELF)
    family = simulation.family
    found: list[tuple[float, Moment]] = []
    row, before = 0, None
    travelled = kept = 0.0

    def look(force: bool = False) -> None:
        """Keep this moment when the device has moved far enough since the last."""
        nonlocal before, travelled, kept
        if row >= len(index) or index[row] not in stages:
            return
        values = family.observe()
        here = ruler.place(values, row - rows[0])
        travelled += 0.0 if before is None else ruler.distance(before, here)
        before = here
        if force or not found or travelled - kept >= gap:
            kept = travelled
            state = family.state()
            named = {name: state.pop(name, np.empty(0)) for name in ("occupation", "potential_V", "temperature_K")}
            snapshot = Snapshot("", values["time_s"], values["voltage_V"], extra=state, **named)
            found.append((travelled, Moment(run.stages[index[row]], values, snapshot)))

    family.on_step = look
    for frame in simulation:
        _compare(run, row, frame.row)
        look(force=few or row in (rows[0], rows[-1]))
        row += 1
        if progress is not None:
            progress(row / (rows[-1] + 1))
        if row > rows[-1]:
            break
    return _thinned(found, frames)


class _Ruler:
    """How far a device has gone: voltage, logarithm of the conductance, temperature, state, each from 0 to 1."""

    def __init__(self, series: Mapping[str, Floats]) -> None:
        self._progress = next((name for name in _PROGRESS if name in series), None)
        self._largest_S = float(np.abs(series["conductance_S"]).max())
        count = len(series["time_s"])
        self._count = max(count - 1, 1)
        self._scale = np.ones(5)
        path = np.array([self.place({name: float(values[at]) for name, values in series.items()}, at)
                         for at in range(count)])  # fmt: skip
        span = np.ptp(path, axis=0)
        least = np.array([1e-9, 1e-3, _WARM_K, 0.0, 0.0])
        self._scale = np.where(span > least, np.where(span > 0.0, span, 1.0), np.inf)
        self._scale[-1] = 1.0
        self.total = float(sum(self.distance(path[at], path[at + 1]) for at in range(count - 1)))

    def place(self, row: Mapping[str, float], at: int) -> Floats:
        """Coordinates of a row, the ``at``-th of the stages."""
        floor = max(_FLOOR * self._largest_S, 1e-300)
        level = np.log10(max(abs(row["conductance_S"]), floor))
        state = 0.0 if self._progress is None else row[self._progress]
        return np.array([row["voltage_V"], level, row["temperature_peak_K"], state, _IDLE * at / self._count])

    def distance(self, one: Floats, other: Floats) -> float:
        """Length from one place to another."""
        return float(np.linalg.norm((other - one) / self._scale))


def _log_conductance(series: Mapping[str, Floats]) -> Floats:
    """log10 of the conductance; of ECRAM devices that of the channel's state, without the field effect."""
    values = np.abs(series["state_S"] if "state_S" in series else series["conductance_S"])
    largest = float(values.max(initial=0.0)) or 1.0
    return np.log10(np.maximum(values, _FLOOR * largest))


def _thinned(found: list[tuple[float, Moment]], frames: int) -> list[Moment]:
    """At most so many moments, evenly along the path, the first and the last among them; where the path jumps, the rest
    evenly among the others."""
    lengths = np.array([length for length, _ in found])
    wanted = np.linspace(lengths[0], lengths[-1], max(frames - 2, 2))
    chosen = {int(np.argmin(np.abs(lengths - length))) for length in wanted} | {0, len(found) - 1}
    others = [at for at in range(len(found)) if at not in chosen]
    spare = min(max(frames - len(chosen), 0), len(others))
    chosen |= {others[at] for at in np.linspace(0, len(others) - 1, spare).astype(int)} if spare else set()
    return [found[at][1] for at in sorted(chosen)]


def _compare(run: Run, row: int, values: Mapping[str, float]) -> None:
    """ResultsError where a row of the repetition is not that of the run."""
    for name in _COMPARED:
        had = float(run.series[name][row])
        if abs(values[name] - had) > _RTOL * max(abs(had), 1e-6 * float(np.abs(run.series[name]).max())):
            now = versions()
            keys = sorted(key for key in run.versions.keys() | now.keys() if run.versions.get(key) != now.get(key))
            changed = ", ".join(f"{key} {run.versions.get(key)} -> {now.get(key)}" for key in keys)
            why = f"versions: {changed}" if changed else "other code, another number of MPI ranks, or another processor"
            raise ResultsError(
                f"{run.path}: the run cannot be repeated here: in row {row} {name} is {values[name]:.6g}, the run has "
                f"{had:.6g} ({why}); run the device anew, here"
            )
