"""What a memristive model must do whatever its parameters: pinched, passive, bounded, forgetful, closed at speed.

Programming by square waves and fading memory are checks of two-terminal models; they have no records of gated ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from ionsim.compact.circuits import Sine, Transient, Waveform, single, triangle
from ionsim.compact.description import Model
from ionsim.compact.frozen import frozen, square_wave_offset
from ionsim.compact.numeric import equations, stored_slopes
from ionsim.compact.reference import Network
from ionsim.compact.verify.equations import draw
from ionsim.compact.verify.simulators import runners
from ionsim.compact.verify.trial import Trial
from ionsim.verification.record import Record

Floats = NDArray[np.float64]

#: States from which memory must fade.
STARTS = (0.02, 0.25, 0.5, 0.75, 0.98)

_GRID = np.linspace(0.0, 1.0, 201)


def passivity_records(trial: Trial, n: int = 2000, seed: int = 1) -> list[Record]:
    """Pinched and passive: no current at 0 V; no electrical flow gives power at any state and temperature.

    A model that stores energy may give it back, so there it is the sum that counts: power of all electrical flows minus
    the rise of the stored energy, over the sum of both without signs; -1e-9 is what rounding leaves. Pinched is then
    what does not touch the terminal that stores (the first): no current of the channel without a voltage along it.
    """
    model, code = trial.model, equations(trial.model)
    arguments = code.arguments(model.values(), 300.15)
    electrical = [k for k, flow in enumerate(model.flows) if _electrical(model, flow.plus)]
    stores = model.ports[0].name if model.stored is not None else None
    pinched = [k for k in electrical if stores not in (model.flows[k].plus, model.flows[k].minus)]
    at_zero, least = 0.0, np.inf
    for index, point in enumerate(draw(model, n, seed)):
        if stores:
            point = _within_bounds(model, point, 0.1 if index % 2 else 1.0)
        known = dict(zip(code.unknowns, point, strict=True))
        resting = [0.0 if node.kind == "electrical" else known[node.name] for node in model.nodes]
        resting += list(point[len(model.nodes) :])
        flows = code.flows(*resting, *arguments)
        at_zero = max(at_zero, *(abs(flows[k]) for k in pinched))
        values = code.flows(*point.tolist(), *arguments)
        powers = []
        for k in electrical:
            flow = model.flows[k]
            across = known[flow.plus] - (known[flow.minus] if flow.minus else 0.0)
            powers.append(values[k] * across)
        if stores:
            slopes = stored_slopes(model)(*point.tolist(), *arguments)[len(model.nodes) :]
            powers += [-slope * rate for slope, rate in zip(slopes, values[len(model.flows) :], strict=True)]
            least = min(least, sum(powers) / sum(abs(power) for power in powers))
        else:
            least = min(least, *powers)
    if stores:
        return [
            Record.below(f"{model.family}: current of the channel without a voltage along it", at_zero, 0.0, "A"),
            Record.above(f"{model.family}: least power less rise of stored energy, over both", least, -1e-9),
        ]
    return [
        Record.below(f"{model.family}: current at the origin", at_zero, 0.0, "A"),
        Record.above(f"{model.family}: least power of any flow", least, 0.0, "W"),
    ]


def _within_bounds(model: Model, point: Floats, share: float) -> Floats:
    """A point with its states held just inside their bounds, beyond which there is no stored energy.

    Potentials and states without bounds at a ``share`` of theirs, those with bounds at its square of the way from the
    first one: near equilibrium little heat hides what is wrong.
    """
    found, values, first = point.copy(), model.values(), None
    for index, node in enumerate(model.nodes):
        if node.kind == "electrical":
            found[index] *= share
    for index, state in enumerate(model.states):
        if np.isfinite([state.low, state.high]).all():
            start, scale = model.start_and_scale(state.name, values)
            margin = 1e-3 * (state.high - state.low)
            column = len(model.nodes) + index
            value = np.clip(start + scale * point[column], state.low + margin, state.high - margin)
            first = value if first is None else first
            value = first + share**2 * (value - first)
            found[column] = (value - start) / scale
        else:
            found[len(model.nodes) + index] *= share
    return found


def bounds_records(trial: Trial) -> list[Record]:
    """The states over a sweep of 1.3 times the trial's: how far any leaves its bounds."""
    model = trial.model
    wave = triangle([1.3 * corner for corner in trial.sweep_V], trial.rate_V_per_s)
    stop = wave.times_s[-1]
    found = Network(trial.circuit(wave)).solve(
        np.linspace(0, stop, 400), rtol=1e-6, atol=1e-9, largest_step_s=stop / 600
    )
    outside = 0.0
    for state in model.states:
        series = found.states[f"cell.{state.name}"]
        outside = max(outside, state.low - series.min(), series.max() - state.high)
    return [Record.below(f"{model.family}: state outside its bounds", outside, 1e-6)]


def frequency_records(trial: Trial) -> list[Record]:
    """The lobe of the loop falls as 1/f once the state cannot follow; at ``fast_Hz`` the state stands still.

    What is left there is the loop of the heat, whose own area falls beyond its time constant. Of a gated cell the loop
    is that of the channel's current against the gate; at ``fast_Hz`` it is that of the field effect, which lags behind
    the gate until that has no time to charge anything.
    """
    family = trial.model.family
    records = []
    if not trial.gated:
        slow, ten = (_lobe(trial, trial.wave_V, trial.slow_Hz * factor)[0] for factor in (1.0, 10.0))
        records.append(
            Record.below(f"{family}: exponent of the lobe against frequency, plus 1", np.log10(ten / slow) + 1, 0.1)
        )
    fast, moved = _lobe(trial, trial.fast_V, trial.fast_Hz)
    still, _ = _lobe(trial, trial.fast_V, trial.fast_Hz * 1e4)
    return [
        *records,
        Record.below(f"{family}: lobe at {trial.fast_V:g} V, {trial.fast_Hz:g} Hz over V I", fast, 0.02),
        Record.below(f"{family}: the state's swing there", moved, 1e-6),
        Record.below(f"{family}: lobe at ten thousand times that", still, 1e-4),
    ]


def _lobe(trial: Trial, amplitude_V: float, frequency_Hz: float) -> tuple[float, float]:
    """In the second period: area of the lobe at V > 0 (of a gated cell: of the loop) over amplitude and largest
    current, and the state's swing."""
    wave = Sine(amplitude_V, frequency_Hz)
    network = Network(trial.circuit(wave, {trial.start: trial.states[1]}))
    times = np.concatenate([[0.0], np.linspace(1.0, 2.0, 801) / frequency_Hz])
    found = network.solve(times, rtol=1e-9, atol=1e-12, largest_step_s=0.02 / frequency_Hz)
    chosen = slice(1, 802 if trial.gated else 402)
    volts, current = wave(times[chosen]), trial.current(found)[chosen]
    series = found.states[f"cell.{trial.model.states[0].name}"]
    return abs(float(np.trapezoid(current, volts))) / (amplitude_V * float(current.max())), float(np.ptp(series))


def programming_records(trial: Trial, targets: tuple[float, ...] = tuple(np.arange(1, 10) / 10)) -> list[Record]:
    """A fast square wave +-A with offset V0 from g+ + g- = 0 brings five starts to each target.

    The averaged equation dx/dt = (g+ + g-)/2 has the rates of the held model. The target attracts every state when the
    mean rate leads towards it everywhere.
    """
    if trial.gated or not trial.programmed:
        return []
    model, worst, astray = trial.model, 0.0, 0
    for target in targets:
        offset = square_wave_offset(model, target, trial.wave_V, {trial.start: 0.5})
        mean = _mean_rate(trial, offset)
        away = _GRID[np.abs(_GRID - target) > 0.02]
        astray += int(np.sum(mean(away) * (target - away) <= 0)) + int(mean(target, 1) >= 0)
        # as long as the way from the farthest start takes, and 20 time constants at the target
        speeds = np.abs(np.array([float(mean(x)) for x in away]))
        duration = 2 * (_GRID[1] - _GRID[0]) * float(np.sum(1 / speeds)) + 20 / abs(float(mean(target, 1)))
        for start in STARTS:
            done = solve_ivp(_autonomous(mean), (0.0, float(duration)), [start], method="Radau", rtol=1e-8, atol=1e-10)
            worst = max(worst, abs(done.y[0, -1] - target))
    return [
        Record.below(f"{model.family}: square wave, states from which the target is left", astray, 0),
        Record.below(f"{model.family}: square wave, largest miss of 0.1..0.9", worst, 1e-3),
    ]


def _mean_rate(trial: Trial, offset_V: float) -> CubicSpline:
    rates = [
        sum(
            frozen(trial.model, offset_V + sign * trial.wave_V, x - 0.5, {trial.start: 0.5}).rates[0, 0]
            for sign in (1, -1)
        )
        for x in _GRID
    ]
    return CubicSpline(_GRID, 0.5 * np.array(rates))


def _way_s(rate: CubicSpline, start: float, target: float) -> float:
    """Time (s) from a start until the averaged equation is within 0.01 of the target."""
    if abs(start - target) <= 0.01:
        return 0.0
    way = np.linspace(start, target + np.copysign(0.01, start - target), 400)
    return float(np.trapezoid(1 / rate(way), way))


def _autonomous(rate: CubicSpline) -> Callable[[float, Floats], Floats]:
    return lambda time, state: np.asarray(rate(state))


def fading_memory_records(trial: Trial) -> list[Record]:
    """Five starts through two loops of the trial's sweep: how far apart their currents are in the second one."""
    if trial.gated or trial.unipolar:
        return []
    once = triangle(trial.sweep_V, trial.rate_V_per_s)
    period = once.times_s[-1]
    wave = Waveform((*once.times_s, *(t + period for t in once.times_s[1:])), (*once.volts, *once.volts[1:]))
    times = period * np.linspace(1.05, 1.95, 19)
    runs = [
        Network(single(trial.model, wave, {trial.start: start})).solve(times, 1e-7, 1e-10, period / 600)
        for start in STARTS
    ]
    currents = np.array([run.currents_A["te"] for run in runs])
    spread = float(np.max(np.ptp(currents, axis=0) / np.abs(currents).max()))
    return [Record.below(f"{trial.model.family}: five starts, spread of the current in the second loop", spread, 1e-3)]


def square_wave_records(trial: Trial, target: float = 0.5, least_periods: int = 500) -> list[Record]:
    """The square wave of the programming law with every edge resolved, in a circuit simulator; none without one.

    It lasts as long as the averaged equation takes from the farthest start, and half of that again. Starts below those
    of the trial are left to the averaged equation: cold and nearly empty, they take 1e5 periods.
    """
    if trial.gated or not trial.programmed:
        return []
    model = trial.model
    offset = square_wave_offset(model, target, trial.wave_V, {trial.start: 0.5})
    mean = _mean_rate(trial, offset)
    half = 0.015 / abs(float(mean(target, 1)))
    longest_s = max(_way_s(mean, start, target) for start in trial.wave_starts)
    periods = max(least_periods, int(1.5 * longest_s / (2 * half)))
    times, volts = [0.0], [0.0]
    for _ in range(periods):
        for sign in (1, -1):
            for duration in (half / 100, half * 0.99):
                times.append(times[-1] + duration)
                volts.append(offset + sign * trial.wave_V)
    wave = Waveform(tuple(times), tuple(volts))
    records = []
    for name, run in [item for item in runners() if item[0] != "B-source"]:
        ends = []
        for start in trial.wave_starts:
            found = run(
                single(model, wave, {trial.start: start}),
                Transient(times[-1], half / 10, half / 1000, 1e-5, corner_share=0.25),
            )
            last = found.at(np.linspace(times[-5], times[-1], 401))
            ends.append(np.mean(last.states[f"cell.{model.states[0].name}"]))
        records += [
            Record.below(f"{model.family}: {name}, square wave from five starts, spread", np.ptp(ends), 1e-3),
            Record.below(
                f"{model.family}: {name}, square wave, distance from the target", np.mean(ends) - target, 5e-3
            ),
        ]
    return records


def _electrical(model: Model, name: str) -> bool:
    return any(node.name == name and node.kind == "electrical" for node in model.nodes)
