"""Diffusion from the paths of tracers: mean-square displacement, diffusion and correlation factors, Haven ratio.

With dr_i the displacement of particle i over a lag t, n_i its hops, N particles, hop length a, d dimensions and
averages over lags that start at different times:

    MSD(t) = <dr_i^2>                                      mean-square displacement
    D*     = <sum_i dr_i^2> / (2 d N t)                    tracer diffusion coefficient
    D_J    = <(sum_i dr_i)^2> / (2 d N t)                  collective (jump, centre-of-mass) diffusion coefficient
    f      = <sum_i dr_i^2> / (a^2 <sum_i n_i>)            tracer correlation factor
    f_I    = <(sum_i dr_i)^2> / (a^2 <sum_i n_i>)          collective correlation factor
    H_R    = D* / D_J = f / f_I                            Haven ratio

The formulas are those of the program lattice_mc (B. J. Morgan), which refers to G. E. Murch, Solid State Ionics 7, 177
(1982), 10.1016/0167-2738(82)90050-9, and A. Van der Ven and others, Acc. Chem. Res. 46, 1216 (2013), 10.1021/ar200329r.

They hold without a mean drift, in equilibrium, and for lags in which a particle has lost the memory of its hops. A run
is cut into equal blocks, each of which gives one value; the standard error is that of a ratio of means over blocks, and
is trustworthy when a block is longer than that memory. A block is the lag: with few blocks the bias of short lags is
small, with many the error is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc.errors import KmcError
from kmc.observers.cadence import Cadence
from kmc.observers.files import species_mask
from kmc.observers.observer import Observed, Observer, tracers_of
from kmc.sites import SiteGraph

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Estimate(NamedTuple):
    """A value and its standard error (NaN from a single block)."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Paths:
    """Unwrapped displacements of M tracers at T times.

    Attributes:
        time_s: (T,) rising times.
        displacement_nm: (T, M, 3) sum of hop vectors since a common start, NaN while a particle is not there.
        hops: (T, M) hops since the same start.
    """

    time_s: Floats
    displacement_nm: Floats
    hops: Ints

    def __post_init__(self) -> None:
        shape = np.shape(self.displacement_nm)
        if len(shape) != 3 or shape[2] != 3:
            raise KmcError(f"displacement_nm has shape {shape}; (T, M, 3) is needed")
        for name, wanted in (("time_s", shape[:1]), ("hops", shape[:2])):
            if np.shape(getattr(self, name)) != wanted:
                raise KmcError(f"{name} has shape {np.shape(getattr(self, name))}; {wanted} is needed")
        if np.any(np.diff(self.time_s) <= 0.0):
            raise KmcError("time_s must rise from sample to sample")


@dataclass(frozen=True, eq=False)
class Msd:
    """Mean-square displacement against lag.

    Attributes:
        lag_s: (L,) lags.
        msd_nm2: (L,) mean over particles and time origins, nm^2; NaN where no particle lasts so long.
        error_nm2: (L,) standard error from the spread between particles, which is that of independent ones; NaN with
            fewer than two.
    """

    lag_s: Floats
    msd_nm2: Floats
    error_nm2: Floats


class Displacements(Observer):
    """Record the tracers of an engine that was made with ``track=...``.

    Memory is 32 bytes a particle and look. A tracer's row belongs to one particle for good; rows that come later are
    taken as not there before.

    Args:
        cadence: when to look; equal times are needed for a mean-square displacement over several time origins.
        species: names of the tracers to follow; all by default.
    """

    def __init__(self, cadence: Cadence, species: str | tuple[str, ...] | None = None) -> None:
        super().__init__(cadence)
        self.species = species
        self._time: list[float] = []
        self._rows: list[tuple[Floats, Ints]] = []

    def look(self, engine: Observed) -> None:
        """Take one sample."""
        tracers = tracers_of(engine)
        if tracers is None:
            raise KmcError("Displacements: the engine follows no particles; give it track=<species>")
        if self._time and not engine.time_s > self._time[-1]:
            if engine.time_s == self._time[-1]:  # the same moment, reached again by an event cadence
                return
            raise KmcError(f"Displacements: the clock went back from {self._time[-1]} to {engine.time_s}")
        there = np.asarray(tracers.site) >= 0
        if self.species is not None:
            there = there & species_mask(engine.model, tracers.species, self.species, "Displacements")
        place = np.where(there[:, None], tracers.displacement_nm, np.nan)
        self._time.append(engine.time_s)
        self._rows.append((place, np.array(tracers.hops, dtype=np.int64)))

    def paths(self) -> Paths:
        """What was recorded so far: particles that were there at least once.

        Raises:
            KmcError: when nothing was recorded.
        """
        if not self._rows:
            raise KmcError("Displacements: nothing was recorded; pass it to observe(..., observers=[...])")
        most = max(len(place) for place, _ in self._rows)
        displacement = np.full((len(self._rows), most, 3), np.nan)
        hops = np.zeros((len(self._rows), most), dtype=np.int64)
        for k, (place, count) in enumerate(self._rows):
            displacement[k, : len(place)], hops[k, : len(place)] = place, count
        seen = np.any(np.isfinite(displacement[:, :, 0]), axis=0)
        return Paths(np.array(self._time), displacement[:, seen], hops[:, seen])


def mean_square_displacement(
    paths: Paths, *, origins: str = "all", lags: ArrayLike | None = None, axes: str = "xyz"
) -> Msd:
    """MSD(t), averaged over the particles that are there at both ends of a lag.

    Args:
        paths: T samples.
        origins: "first" takes lags from the first sample only; "all" averages over every sample as time origin, which
            needs samples at equal times.
        lags: lags in samples, whole numbers in 1..T-1; by default up to 50 from 1 to T/2 in about equal steps of the
            logarithm ("all"), or every one ("first").
        axes: the directions that count, such as "xyz", "xy" or "z".

    Raises:
        KmcError: for a bad key, or unequal times.
    """
    which, samples = _axes(axes), len(paths.time_s)
    if origins not in ("all", "first"):
        raise KmcError(f"origins is {origins!r}; allowed are 'all', 'first'")
    if samples < 2:
        raise KmcError(f"a mean-square displacement needs at least 2 samples, not {samples}")
    if lags is None:
        every = np.arange(1, samples)
        steps = np.geomspace(1, max(samples // 2, 1), 50).round().astype(int)
        steps = np.unique(steps) if origins == "all" else every
    else:
        steps = np.asarray(lags)
        if steps.ndim != 1 or steps.dtype.kind not in "iu" or np.any((steps < 1) | (steps >= samples)):
            raise KmcError(f"lags is {lags}; a list of whole numbers in 1..{samples - 1} is needed")
    gaps = np.diff(paths.time_s)
    if origins == "all" and not np.allclose(gaps, gaps.mean(), rtol=1e-6, atol=0.0):
        raise KmcError("origins is 'all', but the samples are not at equal times; take origins='first'")
    place = paths.displacement_nm[:, :, which]
    mean, error = np.full(len(steps), np.nan), np.full(len(steps), np.nan)
    for k, step in enumerate(steps):
        start = place[:-step] if origins == "all" else place[:1]
        end = place[step:] if origins == "all" else place[step : step + 1]
        square = np.sum((end - start) ** 2, axis=2)
        there = np.isfinite(square)
        number = there.sum(axis=0)
        total = np.where(there, square, 0.0).sum(axis=0)
        if number.sum():
            mean[k] = total.sum() / number.sum()
            residual = total - mean[k] * number
            error[k] = _error(residual[number > 0], float(number.sum()))
    return Msd(paths.time_s[steps] - paths.time_s[0], mean, error)


def tracer_diffusion(paths: Paths, *, axes: str = "xyz", blocks: int = 10) -> Estimate:
    """D* in nm^2/s, with d the number of ``axes``; see the module for formulas and blocks."""
    block = _Blocks.of(paths, axes, blocks)
    return _ratio(block.single_nm2, 2.0 * len(axes) * block.particle_s)


def collective_diffusion(paths: Paths, *, axes: str = "xyz", blocks: int = 10) -> Estimate:
    """D_J in nm^2/s, with d the number of ``axes``; for one species all of whose particles are followed.

    All particles together give one displacement a block: the relative error is about sqrt(2 / (d blocks)).
    """
    block = _Blocks.of(paths, axes, blocks)
    return _ratio(block.together_nm2, 2.0 * len(axes) * block.particle_s)


def tracer_correlation(paths: Paths, hop_nm: float | SiteGraph, *, blocks: int = 10) -> Estimate:
    """f = <R^2> / (n a^2).

    Args:
        paths: the samples.
        hop_nm: the hop length a, nm (of several, the root of the mean square over executed hops), or a site graph all
            of whose edges have one length.
        blocks: see the module.

    Raises:
        KmcError: for a bad key, a graph with several lengths, or when nothing hopped.
    """
    block = _Blocks.of(paths, "xyz", blocks)
    return _ratio(block.single_nm2, block.hops * hop_length_nm(hop_nm) ** 2)


def collective_correlation(paths: Paths, hop_nm: float | SiteGraph, *, blocks: int = 10) -> Estimate:
    """f_I; arguments and errors are those of :func:`tracer_correlation`."""
    block = _Blocks.of(paths, "xyz", blocks)
    return _ratio(block.together_nm2, block.hops * hop_length_nm(hop_nm) ** 2)


def haven_ratio(paths: Paths, *, axes: str = "xyz", blocks: int = 10) -> Estimate:
    """H_R = D* / D_J; biased by about 2 / (d blocks) of its value, as a ratio of noisy means is."""
    block = _Blocks.of(paths, axes, blocks)
    return _ratio(block.single_nm2, block.together_nm2)


def hop_length_nm(hop_nm: float | SiteGraph) -> float:
    """A hop length as given, or the one length of all edges of a graph, nm.

    Raises:
        KmcError: when it is not above 0, or the edges differ by more than 1e-6.
    """
    if isinstance(hop_nm, SiteGraph):
        lengths = hop_nm.length_nm
        if not len(lengths) or np.ptp(lengths) > 1e-6 * lengths.max():
            raise KmcError(
                f"hop_nm: the edges of the graph are {lengths.min() if len(lengths) else 0} to "
                f"{lengths.max() if len(lengths) else 0} nm long; give the root of the mean square over executed hops"
            )
        return float(lengths.mean())
    if not (np.isfinite(hop_nm) and hop_nm > 0.0):
        raise KmcError(f"hop_nm is {hop_nm}; a length above 0 is needed")
    return float(hop_nm)


class _Blocks(NamedTuple):
    """Sums over the particles that are there at both ends of each of B blocks."""

    single_nm2: Floats  # (B,) sum of squared displacements
    together_nm2: Floats  # (B,) square of the summed displacement
    hops: Floats  # (B,)
    particle_s: Floats  # (B,) particles x duration

    @classmethod
    def of(cls, paths: Paths, axes: str, blocks: int) -> _Blocks:
        """Cut at the samples nearest to equal durations."""
        which, samples = _axes(axes), len(paths.time_s)
        if isinstance(blocks, bool) or int(blocks) != blocks or not 1 <= blocks < samples:
            raise KmcError(f"blocks is {blocks}; a whole number in 1..{samples - 1} is needed for {samples} samples")
        wanted = np.linspace(paths.time_s[0], paths.time_s[-1], int(blocks) + 1)
        right = np.clip(np.searchsorted(paths.time_s, wanted), 1, samples - 1)
        nearer = wanted - paths.time_s[right - 1] < paths.time_s[right] - wanted
        edge = np.unique(np.where(nearer, right - 1, right))
        if len(edge) != blocks + 1:
            raise KmcError(f"blocks is {blocks}; the samples are too uneven in time for so many, take fewer")
        step = np.diff(paths.displacement_nm[edge][:, :, which], axis=0)
        there = np.isfinite(step[:, :, 0])
        step = np.where(there[:, :, None], step, 0.0)
        return cls(
            single_nm2=np.sum(step**2, axis=(1, 2)),
            together_nm2=np.sum(step.sum(axis=1) ** 2, axis=1),
            hops=np.where(there, np.diff(paths.hops[edge], axis=0), 0).sum(axis=1).astype(float),
            particle_s=there.sum(axis=1) * np.diff(paths.time_s[edge]),
        )


def _axes(axes: str) -> list[int]:
    if not axes or len(set(axes)) != len(axes) or not set(axes) <= set("xyz"):
        raise KmcError(f"axes is {axes!r}; one to three different letters of xyz are needed")
    return ["xyz".index(letter) for letter in axes]


def _ratio(above: Floats, below: Floats) -> Estimate:
    """Sum above / sum below and its standard error, by linearisation over blocks."""
    total = float(below.sum())
    if not total > 0.0:
        raise KmcError("nothing moved, or no particle lasts for a block: no ratio can be formed")
    value = float(above.sum()) / total
    return Estimate(value, _error(above - value * below, total))


def _error(residual: Floats, total: float) -> float:
    """Standard error of a ratio of sums from its residuals, one for each independent part."""
    parts = len(residual)
    return float(np.sqrt(parts / (parts - 1) * np.sum(residual**2)) / total) if parts > 1 else float("nan")
