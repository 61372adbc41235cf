"""What a memristive model must do whatever its parameters: pinched, passive, bounded, forgetful, closed at speed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from ionsim.compact.circuits import Sine, Transient, Waveform, single, triangle
from ionsim.compact.description import Model
from ionsim.compact.frozen import frozen, square_wave_offset
from ionsim.compact.numeric import equations
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
    """Pinched and passive: no current at 0 V; no electrical flow gives power at any state and temperature."""
    model, code = trial.model, equations(trial.model)
    arguments = code.arguments(model.values(), 300.15)
    at_zero, least = 0.0, np.inf
    for point in draw(model, n, seed):
        known = dict(zip(code.unknowns, point, strict=True))
        resting = [0.0 if node.kind == "electrical" else known[node.name] for node in model.nodes]
        resting += list(point[len(model.nodes) :])
        flows = code.flows(*resting, *arguments)
        electrical = [k for k, flow in enumerate(model.flows) if _electrical(model, flow.plus)]
        at_zero = max(at_zero, *(abs(flows[k]) for k in electrical))
        values = code.flows(*point.tolist(), *arguments)
        for k in electrical:
            flow = model.flows[k]
            across = known[flow.plus] - (known[flow.minus] if flow.minus else 0.0)
            least = min(least, values[k] * across)
    return [
        Record.below(f"{model.family}: current at the origin", at_zero, 0.0, "A"),
        Record.above(f"{model.family}: least power of any flow", least, 0.0, "W"),
    ]


def bounds_records(trial: Trial) -> list[Record]:
    """The state over a sweep of 1.3 times the trial's: how far it leaves its bounds."""
    model = trial.model
    state = model.states[0]
    wave = triangle([1.3 * corner for corner in trial.sweep_V], trial.rate_V_per_s)
    found = Network(single(model, wave)).solve(np.linspace(0, wave.times_s[-1], 400), rtol=1e-6, atol=1e-9)
    series = found.states[f"cell.{state.name}"]
    outside = max(state.low - series.min(), series.max() - state.high, 0.0)
    return [Record.below(f"{model.family}: state outside its bounds", outside, 1e-6)]


def frequency_records(trial: Trial) -> list[Record]:
    """The lobe of the loop falls as 1/f once the state cannot follow; at ``fast_Hz`` the state stands still.

    What is left there is the loop of the heat, whose own area falls beyond its time constant.
    """
    family = trial.model.family
    slow, ten = (_lobe(trial, trial.wave_V, trial.slow_Hz * factor)[0] for factor in (1.0, 10.0))
    fast, moved = _lobe(trial, trial.fast_V, trial.fast_Hz)
    still, _ = _lobe(trial, trial.fast_V, trial.fast_Hz * 1e4)
    return [
        Record.below(f"{family}: exponent of the lobe against frequency, plus 1", np.log10(ten / slow) + 1, 0.1),
        Record.below(f"{family}: lobe at {trial.fast_V:g} V, {trial.fast_Hz:g} Hz over V I", fast, 0.02),
        Record.below(f"{family}: the state's swing there", moved, 1e-6),
        Record.below(f"{family}: lobe at ten thousand times that", still, 1e-4),
    ]


def _lobe(trial: Trial, amplitude_V: float, frequency_Hz: float) -> tuple[float, float]:
    """In the second period: area of the lobe at V > 0 over amplitude and largest current, and the state's swing."""
    wave = Sine(amplitude_V, frequency_Hz)
    network = Network(single(trial.model, wave, {trial.start: 0.5}))
    times = np.concatenate([[0.0], np.linspace(1.0, 2.0, 801) / frequency_Hz])
    found = network.solve(times, rtol=1e-9, atol=1e-12, largest_step_s=0.02 / frequency_Hz)
    half = slice(1, 402)
    volts, current = wave(times[half]), found.currents_A["te"][half]
    series = found.states[f"cell.{trial.model.states[0].name}"]
    return abs(float(np.trapezoid(current, volts))) / (amplitude_V * float(current.max())), float(np.ptp(series))


def programming_records(trial: Trial, targets: tuple[float, ...] = tuple(np.arange(1, 10) / 10)) -> list[Record]:
    """A fast square wave +-A with offset V0 from g+ + g- = 0 brings five starts to each target.

    The averaged equation dx/dt = (g+ + g-)/2 has the rates of the held model. The target attracts every state when the
    mean rate leads towards it everywhere.
    """
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


def _autonomous(rate: CubicSpline) -> Callable[[float, Floats], Floats]:
    return lambda time, state: np.asarray(rate(state))


def fading_memory_records(trial: Trial) -> list[Record]:
    """Five starts through two loops of the trial's sweep: how far apart their currents are in the second one."""
    once = triangle(trial.sweep_V, trial.rate_V_per_s)
    period = once.times_s[-1]
    wave = Waveform((*once.times_s, *(t + period for t in once.times_s[1:])), (*once.volts, *once.volts[1:]))
    times = period * np.linspace(1.05, 1.95, 19)
    runs = [
        Network(single(trial.model, wave, {trial.start: start})).solve(times, rtol=1e-7, atol=1e-10) for start in STARTS
    ]
    currents = np.array([run.currents_A["te"] for run in runs])
    spread = float(np.max(np.ptp(currents, axis=0) / np.abs(currents).max()))
    return [Record.below(f"{trial.model.family}: five starts, spread of the current in the second loop", spread, 1e-3)]


def square_wave_records(trial: Trial, target: float = 0.5, periods: int = 500) -> list[Record]:
    """The square wave of the programming law with every edge resolved, in a circuit simulator; none without one.

    Starts below 0.3 are left to the averaged equation: cold and nearly empty, they would take 1e5 periods.
    """
    model = trial.model
    offset = square_wave_offset(model, target, trial.wave_V, {trial.start: 0.5})
    half = 0.015 / abs(float(_mean_rate(trial, offset)(target, 1)))
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
        for start in (0.3, 0.4, 0.6, 0.8, 0.98):
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
