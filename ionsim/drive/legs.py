"""What each kind of drive applies, as a list of straight legs in voltage and time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from ionsim.config.gate import GatePulses, GateSteps
from ionsim.config.tables import read_waveform
from ionsim.config.waveforms import AnyDrive, Constant, Pulses, Read, Sequence, Sweep, Table

#: Recorded points on an edge, a plateau or a rest of a pulse or read, and on a whole constant or tabulated drive.
_POINTS_PER_LEG = 5
_POINTS_PER_RUN = 200

#: What the source does: it applies a voltage, or a current, or is not connected.
Source = Literal["voltage", "current", "open"]

#: Log-spaced samples begin at this part of their leg, later where there are few: a factor of ten apart at most.
_FIRST_PART = 1e-9


@dataclass(frozen=True)
class Leg:
    """A straight piece of the waveform in a stage; ``points`` recorded samples are spread over it.

    ``turns`` marks the outward ramp of a stage that turns as soon as the compliance limits the current. Where
    ``source`` is not "voltage" the voltages say nothing: a current goes from ``start_A`` to ``stop_A``, or none flows.
    ``spacing``: how the samples are spread.
    """

    stage: int
    start_V: float
    stop_V: float
    duration_s: float
    points: int
    turns: bool = False
    source: Source = "voltage"
    start_A: float = 0.0
    stop_A: float = 0.0
    spacing: Literal["even", "log"] = "even"


def stage_names(config: AnyDrive) -> tuple[str, ...]:
    """The names of a drive's stages, in the order of their indices."""
    match config:
        case Sweep():
            return tuple(stage.name for stage in config.stages)
        case Pulses():
            return ("first",) if config.second_amplitude_V is None else ("first", "second")
        case GatePulses():
            one = config.second_amplitude_V is None and config.second_amplitude_A is None
            return ("first",) if one else ("first", "second")
        case GateSteps():
            return tuple(step.name for step in config.steps)
        case Sequence():
            return tuple(pulse.name for pulse in config.pulses)
        case Constant():
            return ("constant",)
        case Read():
            return ("read",)
        case Table():
            return ("waveform",)
    assert_never(config)


def legs(config: AnyDrive, stops_V: dict[int, float] | None = None) -> list[Leg]:
    """The legs of a drive; ``stops_V`` replaces the turning voltage of stages of a sweep that turned at compliance."""
    match config:
        case Sweep():
            return list(_sweep(config, stops_V or {}))
        case Pulses():
            return list(_pulses(config))
        case GatePulses():
            return list(_gate_pulses(config))
        case GateSteps():
            return list(_gate_steps(config))
        case Sequence():
            return list(_sequence(config))
        case Constant():
            return [Leg(0, config.voltage_V, config.voltage_V, config.duration_s, _POINTS_PER_RUN)]
        case Read():
            return list(_reads(config))
        case Table():
            return list(_table(config))
    assert_never(config)


def _sweep(config: Sweep, stops_V: dict[int, float]) -> Iterator[Leg]:
    here_V = 0.0
    for index, stage in enumerate(config.stages):
        stop_V = stops_V.get(index, stage.stop_V)
        yield _ramp(config, index, here_V, stop_V, stage.turn_at_compliance)
        here_V = stop_V
        if stage.return_to_zero:
            yield _ramp(config, index, here_V, 0.0, False)
            here_V = 0.0


def _ramp(config: Sweep, stage: int, start_V: float, stop_V: float, turns: bool) -> Leg:
    span_V = abs(stop_V - start_V)
    # A span of 0.30000000000000004 V in steps of 0.01 V is 30 steps, not 31.
    points = max(1, round(span_V / config.step_V))
    return Leg(stage, start_V, stop_V, span_V / config.ramp_rate_V_per_s, points, turns)


def _pulses(config: Pulses) -> Iterator[Leg]:
    trains = [(0, config.amplitude_V, config.width_s)]
    if config.second_amplitude_V is not None:
        trains.append((1, config.second_amplitude_V, config.second_width_s or config.width_s))
    for stage, amplitude_V, width_s in _in_order(trains, config):
        yield from _pulse(stage, config.read_V, amplitude_V, config.rise_s, width_s)
        rest_s = config.period_s - width_s - 2 * config.rise_s
        yield Leg(stage, config.read_V, config.read_V, rest_s, _POINTS_PER_LEG)


def _in_order[T](trains: list[T], config: Pulses | GatePulses) -> list[T]:
    """The pulses of one or two trains as they follow each other."""
    if config.order == "blocks":
        return [train for train in trains for _ in range(config.count)]
    return trains * config.count


def _pulse(stage: int, base_V: float, amplitude_V: float, rise_s: float, width_s: float) -> Iterator[Leg]:
    yield Leg(stage, base_V, amplitude_V, rise_s, _POINTS_PER_LEG)
    yield Leg(stage, amplitude_V, amplitude_V, width_s, _POINTS_PER_LEG)
    yield Leg(stage, amplitude_V, base_V, rise_s, _POINTS_PER_LEG)


def _gate_pulses(config: GatePulses) -> Iterator[Leg]:
    trains = [(0, config.amplitude_V, config.amplitude_A or 0.0, config.width_s)]
    if config.second_amplitude_V is not None or config.second_amplitude_A is not None:
        second_s = config.second_width_s or config.width_s
        trains.append((1, config.second_amplitude_V, config.second_amplitude_A or 0.0, second_s))
    rest_V, points, rise_s = config.rest_V, config.points, config.rise_s
    between: Source = "open" if config.between == "open" else "voltage"
    for stage, volts, amperes, width_s in _in_order(trains, config):
        source: Source = "current" if volts is None else "voltage"
        top_V = rest_V if volts is None else volts
        yield Leg(stage, rest_V, top_V, rise_s, points, source=source, start_A=0.0, stop_A=amperes)
        yield Leg(stage, top_V, top_V, width_s, points, source=source, start_A=amperes, stop_A=amperes)
        yield Leg(stage, top_V, rest_V, rise_s, points, source=source, start_A=amperes, stop_A=0.0)
        rest_s = config.period_s - width_s - 2 * rise_s
        yield Leg(stage, rest_V, rest_V, rest_s, points, source=between, spacing="log")


def _gate_steps(config: GateSteps) -> Iterator[Leg]:
    here_V, here_A = 0.0, 0.0
    for stage, step in enumerate(config.steps):
        rest_s = step.duration_s - step.edge_s
        if step.open:
            yield Leg(stage, here_V, here_V, rest_s, step.points, source="open", spacing=step.spacing)
            here_A = 0.0
        elif step.current_A is not None:
            there_A = step.current_A
            yield Leg(stage, here_V, here_V, step.edge_s, 1, source="current", start_A=here_A, stop_A=there_A)
            yield Leg(stage, here_V, here_V, rest_s, step.points, source="current", start_A=there_A, stop_A=there_A,
                      spacing=step.spacing)  # fmt: skip
            here_A = there_A
        elif step.voltage_V is not None:
            yield Leg(stage, here_V, step.voltage_V, step.edge_s, 1)
            yield Leg(stage, step.voltage_V, step.voltage_V, rest_s, step.points, spacing=step.spacing)
            here_V, here_A = step.voltage_V, 0.0


def samples(leg: Leg, start_s: float, stop_s: float) -> np.ndarray:
    """Times (points,) in s at which a leg is sampled, its start included and its end not."""
    if leg.spacing == "even":
        return np.linspace(start_s, stop_s, leg.points, endpoint=False)
    first = max(_FIRST_PART, 10.0 ** (1 - leg.points))
    parts = np.geomspace(first, 1.0, leg.points)[:-1] if leg.points > 1 else np.empty(0)
    return np.concatenate([[start_s], start_s + parts * (stop_s - start_s)])


def _sequence(config: Sequence) -> Iterator[Leg]:
    base_V, points = config.read_V, config.points
    for stage, pulse in enumerate(config.pulses):
        yield Leg(stage, base_V, pulse.amplitude_V, pulse.rise_s, points)
        yield Leg(stage, pulse.amplitude_V, pulse.amplitude_V, pulse.width_s, points)
        yield Leg(stage, pulse.amplitude_V, base_V, pulse.fall_s, points)
        yield Leg(stage, base_V, base_V, pulse.rest_s, points)


def _reads(config: Read) -> Iterator[Leg]:
    width_s = config.width_s or config.interval_s / 10
    edge_s = width_s / 10
    for _ in range(config.repeats):
        yield Leg(0, 0.0, 0.0, config.interval_s - width_s, _POINTS_PER_LEG)
        yield from _pulse(0, 0.0, config.voltage_V, edge_s, width_s - 2 * edge_s)


def _table(config: Table) -> Iterator[Leg]:
    times_s, voltages_V = read_waveform(config.path)
    for index in range(len(times_s) - 1):
        duration_s = float(times_s[index + 1] - times_s[index])
        points = max(1, round(_POINTS_PER_RUN * duration_s / times_s[-1]))
        yield Leg(0, float(voltages_V[index]), float(voltages_V[index + 1]), duration_s, points)
