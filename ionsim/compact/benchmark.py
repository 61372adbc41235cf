"""The metrics that every device reports, with 95 % intervals: energies, stochasticity, linearity, states, spread.

V is the height of a write pulse and tau its length, G_on and G_off conductances of the two states:

- ``E_action_J`` = V^2 (G_on + G_off)/2 tau, ``P_standby_W`` = V^2 G_off, ``E_spike_J`` = V^2 G_off tau, ``E_fire_J`` =
  V^2 G_on tau, with medians of G and the larger of both heights.
- ``stochasticity`` = 2 (sd[ln R_HRS] + sd[ln R_LRS])/(mean ln R_HRS - mean ln R_LRS), over devices and cycles together.
- ``nonlinearity_up``, ``_down``: largest distance of a train from the straight line between its ends, over its range,
  above 0 where the first pulses do most; 10.1 times it is the label NL of NeuroSim (Chen, Peng and Yu, IEEE TCAD 37,
  3067 (2018)).
- ``asymmetry``: largest distance between the way up and the way down reversed, over the range of both.
- ``n_states``: levels of the mean trains that lie three standard deviations apart, counted from the lowest up; the
  deviation is that of the level from train to train where there are three or more trains in a direction, else the
  thermal noise of a read, sqrt(4 k T G B)/V_read.
- ``cycle_sd_ln_g_on`` and its like: standard deviations of ln G between cycles of one device and between devices.
- ``retention_ea_eV``: activation energy of the time after which ln G has moved by a tenth of ln(G_on/G_off).
- ``switching_decades_per_V``: slope of log10 of the switching time against voltage.

Intervals: devices are resampled, then their cycles (of spreads: ``ionsim.compact.statistics``). A metric that cannot be
had is None, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import constants

from ionsim.analysis.ecram_pulses import asymmetry, distinguishable, linearity
from ionsim.compact.cardparts import Metric, PulseTrain, Retention
from ionsim.compact.description import CompactError
from ionsim.compact.statistics import fit_statistics

Floats = NDArray[np.float64]

#: Trains in a direction from which their scatter counts as the noise of a level.
_ENOUGH_TRAINS = 3

#: Devices from which their scatter is told.
_ENOUGH_DEVICES = 3

#: Share of ln(G_on/G_off) that ln G may move before a state counts as lost; chosen.
LOST = 0.1


def universal_metrics(
    g_on_S: ArrayLike,
    g_off_S: ArrayLike,
    devices: ArrayLike,
    write_V: float | None,
    width_s: float | None,
    trains: Sequence[PulseTrain] = (),
    retention: Sequence[Retention] = (),
    switching: Sequence[tuple[float, float]] = (),
    ambient_K: float = 300.0,
    read_Hz: float = 1e6,
    resamples: int = 400,
    seed: int = 0,
) -> dict[str, Metric]:
    """All metrics of conductances (n,), one a cycle, of ``devices`` (n,), and of what else there is.

    ``switching``: pairs of voltage and time. ``read_Hz`` is chosen where no read says otherwise. Raises CompactError
    for arrays of different lengths and conductances that are not positive.
    """
    on, off, groups = np.atleast_1d(g_on_S).astype(float), np.atleast_1d(g_off_S).astype(float), np.atleast_1d(devices)
    if not len(on) == len(off) == len(groups) or not ((on > 0).all() and (off > 0).all()):
        raise CompactError(f"{len(on)} g_on, {len(off)} g_off, {len(groups)} devices: must be as many, and positive")
    out = _energies(on, off, groups, write_V, width_s, resamples, seed)
    out["stochasticity"] = _stochasticity(on, off, groups, resamples, seed)
    out |= _spreads(on, off, groups, resamples, seed)
    out |= _updates(trains, ambient_K, read_Hz, resamples, seed)
    out["retention_ea_eV"] = _retention(retention, float(np.median(on)), float(np.median(off)))
    out["switching_decades_per_V"] = _switching(switching)
    return dict(sorted(out.items()))


def train_ends(trains: Sequence[PulseTrain]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Largest and smallest conductance (n,) of each cycle of each device, and the device: states where no others were
    read. The trains up and down of a cycle count together."""
    found: dict[tuple[int, int], list[float]] = {}
    for train in trains:
        found.setdefault((train.device, train.cycle), []).extend(train.conductances_S)
    return (
        np.array([max(values) for values in found.values()]),
        np.array([min(values) for values in found.values()]),
        np.array([device for device, _ in found]),
    )


def _resampled(groups: NDArray[np.generic], resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows of resampled devices and cycles."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(resamples):
        chosen = [members[i] for i in rng.integers(len(members), size=len(members))]
        yield np.concatenate([rows[rng.integers(len(rows), size=len(rows))] for rows in chosen])


def _interval(
    groups: NDArray[np.generic], value: Callable[[NDArray[np.int64]], float], resamples: int, seed: int
) -> tuple[float, float] | None:
    if len(groups) < 3:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.array([value(rows) for rows in _resampled(groups, resamples, seed)])
    found = found[np.isfinite(found)]
    if len(found) < resamples / 2:
        return None
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _energies(
    on: Floats,
    off: Floats,
    groups: NDArray[np.generic],
    write_V: float | None,
    width_s: float | None,
    resamples: int,
    seed: int,
) -> dict[str, Metric]:
    laws: dict[str, tuple[str, Callable[[float, float, float, float], float]]] = {
        "E_action_J": ("J", lambda v, tau, g1, g0: v**2 * (g1 + g0) / 2 * tau),
        "E_fire_J": ("J", lambda v, tau, g1, g0: v**2 * g1 * tau),
        "E_spike_J": ("J", lambda v, tau, g1, g0: v**2 * g0 * tau),
        "P_standby_W": ("W", lambda v, tau, g1, g0: v**2 * g0),
    }
    out = {}
    for name, (unit, law) in laws.items():
        if write_V is None or (width_s is None and unit == "J"):
            out[name] = Metric(value=None, unit=unit, note="no write voltage" if write_V is None else "no pulse width")
            continue
        v, tau = write_V, width_s or 0.0

        def value(rows: NDArray[np.int64], law: Callable[..., float] = law, v: float = v, tau: float = tau) -> float:
            return law(v, tau, float(np.median(on[rows])), float(np.median(off[rows])))

        note = f"V = {v:g} V" + (f", tau = {tau:g} s" if unit == "J" else "")
        out[name] = Metric(value=value(np.arange(len(on))), unit=unit, note=note,
                           interval=_interval(groups, value, resamples, seed))  # fmt: skip
    return out


def _stochasticity(on: Floats, off: Floats, groups: NDArray[np.generic], resamples: int, seed: int) -> Metric:
    def value(rows: NDArray[np.int64]) -> float:
        low, high = -np.log(on[rows]), -np.log(off[rows])
        return float(2 * (np.std(high, ddof=1) + np.std(low, ddof=1)) / (high.mean() - low.mean()))

    if len(on) < 3:
        return Metric(value=None, unit="1", note=f"{len(on)} cycles: no spread")
    if np.mean(np.log(on / off)) <= 0:
        return Metric(value=None, unit="1", note="the states do not differ")
    note = f"{len(np.unique(groups))} devices, {len(on)} cycles"
    return Metric(value=value(np.arange(len(on))), unit="1", note=note,
                  interval=_interval(groups, value, resamples, seed))  # fmt: skip


def _spreads(on: Floats, off: Floats, groups: NDArray[np.generic], resamples: int, seed: int) -> dict[str, Metric]:
    out = {}
    n_devices, several = len(np.unique(groups)), len(on) > len(np.unique(groups))
    fitted = None
    if len(on) > 1:
        fitted = fit_statistics(["ln_g_on", "ln_g_off"], ["1", "1"], np.log(np.column_stack([on, off])), groups,
                                resamples, seed)  # fmt: skip
    for index, name in enumerate(("ln_g_on", "ln_g_off")):
        for level, seen in (("cycle", several), ("device", n_devices >= _ENOUGH_DEVICES)):
            key = f"{level}_sd_{name}"
            if fitted is None or not seen or fitted.marginals[name].kind == "empirical":
                why = "one cycle a device" if level == "cycle" else f"{n_devices} devices; three are needed"
                if fitted is not None and seen:
                    why = "not normal even as ln G: see the statistics of the card"
                out[key] = Metric(value=None, unit="1", note=why)
                continue
            covariance = fitted.cycle_covariance if level == "cycle" else fitted.device_covariance
            interval = fitted.intervals[name].cycle_sd if level == "cycle" else fitted.intervals[name].device_sd
            out[key] = Metric(value=float(np.sqrt(covariance[index][index])), unit="1", interval=interval)
    return out


def _updates(
    trains: Sequence[PulseTrain], ambient_K: float, read_Hz: float, resamples: int, seed: int
) -> dict[str, Metric]:
    out, means, scatter = {}, {}, []
    for direction in ("up", "down"):
        chosen = [train for train in trains if train.direction == direction]
        key = f"nonlinearity_{direction}"
        if not chosen:
            out[key] = Metric(value=None, unit="1", note=f"no pulse train {direction}")
            continue
        length = min(len(train.conductances_S) for train in chosen)
        rows = np.array([train.conductances_S[:length] for train in chosen])
        means[direction] = rows.mean(axis=0)
        scatter.append(rows.std(axis=0, ddof=1) if len(rows) >= _ENOUGH_TRAINS else None)

        def value(which: NDArray[np.int64], rows: Floats = rows) -> float:
            return linearity(rows[which].mean(axis=0))[0]

        groups = np.array([train.device for train in chosen])
        note = f"{len(rows)} trains of {length - 1} pulses, {chosen[0].amplitude:g} {chosen[0].amplitude_unit}"
        out[key] = Metric(value=value(np.arange(len(rows))), unit="1", note=note,
                          interval=_interval(groups, value, resamples, seed))  # fmt: skip
    if len(means) < 2:
        why = "needs pulse trains up and down"
        return out | {name: Metric(value=None, unit="1", note=why) for name in ("asymmetry", "n_states")}
    if len(means["up"]) == len(means["down"]):
        out["asymmetry"] = Metric(value=asymmetry(means["up"], means["down"]), unit="1")
    else:
        out["asymmetry"] = Metric(value=None, unit="1", note="as many pulses up as down are needed")
    levels = np.concatenate([means["up"], means["down"]])
    if all(part is not None for part in scatter):
        noise, note = np.concatenate([part for part in scatter if part is not None]), "scatter from train to train"
    else:
        read_V = abs(trains[0].read_V)
        if read_V == 0:
            return out | {"n_states": Metric(value=None, unit="1", note="few trains, and read at 0 V")}
        noise = np.sqrt(4 * constants.k * ambient_K * np.abs(levels) * read_Hz) / read_V
        note = f"thermal noise of a read of {read_Hz:g} Hz at {read_V:g} V: an upper bound, fewer than 3 trains"
    out["n_states"] = Metric(value=float(distinguishable(levels, noise)), unit="1", note=note)
    return out


def _retention(traces: Sequence[Retention], on: float, off: float) -> Metric:
    """Activation energy from the times at which states of one temperature are lost, geometric means."""
    lost: dict[float, list[float]] = {}
    limit = LOST * abs(np.log(on / off))
    for trace in traces:
        moved = np.abs(np.log(np.array(trace.conductances_S) / trace.conductances_S[0]))
        if moved.max() >= limit > 0:
            at = int(np.argmax(moved >= limit))
            log_t = np.interp(limit, moved[at - 1 : at + 1], np.log(trace.times_s[at - 1 : at + 1]))
            lost.setdefault(trace.temperature_K, []).append(float(log_t))
    if len(lost) < 2:
        return Metric(value=None, unit="eV", note=f"states are lost at {len(lost)} temperatures; two are needed")
    kelvin = np.array(sorted(lost))
    log_t = np.array([np.mean(lost[t]) for t in kelvin])
    slope, error = _slope(constants.e / (constants.k * kelvin), log_t)
    if error is not None and error > abs(slope):
        return Metric(value=None, unit="eV", note=f"{slope:.2g} +- {error:.2g} eV: these traces do not tell")
    interval = None if error is None else (slope - error, slope + error)
    return Metric(value=slope, unit="eV", interval=interval, note=f"{kelvin[0]:g} to {kelvin[-1]:g} K")


def _switching(pairs: Sequence[tuple[float, float]]) -> Metric:
    if len(pairs) < 2:
        return Metric(value=None, unit="1/V", note=f"switching times at {len(pairs)} voltages; two are needed")
    volts, log_t = np.array([v for v, _ in pairs]), np.log10([t for _, t in pairs])
    slope, error = _slope(volts, log_t)
    note = f"{volts.min():g} to {volts.max():g} V, {np.ptp(log_t):.2g} decades"
    return Metric(
        value=slope, unit="1/V", interval=None if error is None else (slope - error, slope + error), note=note
    )


def _slope(x: Floats, y: Floats) -> tuple[float, float | None]:
    """Slope of a line, and half its 95 % interval from the residuals (Student's t); None with two points."""
    from scipy import stats

    fit = stats.linregress(x, y)
    if len(x) < 3:
        return float(fit.slope), None
    return float(fit.slope), float(stats.t.ppf(0.975, len(x) - 2) * fit.stderr)
