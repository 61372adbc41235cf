"""What each kind of drive applies, as a list of straight legs in voltage and time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from ionsim.config.tables import read_waveform
from ionsim.config.waveforms import Constant, DriveConfig, Pulses, Read, Sequence, Sweep, Table

#: Recorded points on an edge, a plateau or a rest of a pulse or read, and on a whole constant or tabulated drive.
_POINTS_PER_LEG = 5
_POINTS_PER_RUN = 200


@dataclass(frozen=True)
class Leg:
    """A straight piece of the waveform in a stage; ``points`` recorded samples are spread over it.

    ``turns`` marks the outward ramp of a stage that turns as soon as the compliance limits the current.
    """

    stage: int
    start_V: float
    stop_V: float
    duration_s: float
    points: int
    turns: bool = False


def stage_names(config: DriveConfig) -> tuple[str, ...]:
    """The names of a drive's stages, in the order of their indices."""
    match config:
        case Sweep():
            return tuple(stage.name for stage in config.stages)
        case Pulses():
            return ("first",) if config.second_amplitude_V is None else ("first", "second")
        case Sequence():
            return tuple(pulse.name for pulse in config.pulses)
        case Constant():
            return ("constant",)
        case Read():
            return ("read",)
        case Table():
            return ("waveform",)
    assert_never(config)


def legs(config: DriveConfig, stops_V: dict[int, float] | None = None) -> list[Leg]:
    """The legs of a drive; ``stops_V`` replaces the turning voltage of stages of a sweep that turned at compliance."""
    match config:
        case Sweep():
            return list(_sweep(config, stops_V or {}))
        case Pulses():
            return list(_pulses(config))
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
    order = trains * config.count
    if config.order == "blocks":
        order.sort(key=lambda train: train[0])
    for stage, amplitude_V, width_s in order:
        yield from _pulse(stage, config.read_V, amplitude_V, config.rise_s, width_s)
        rest_s = config.period_s - width_s - 2 * config.rise_s
        yield Leg(stage, config.read_V, config.read_V, rest_s, _POINTS_PER_LEG)


def _pulse(stage: int, base_V: float, amplitude_V: float, rise_s: float, width_s: float) -> Iterator[Leg]:
    yield Leg(stage, base_V, amplitude_V, rise_s, _POINTS_PER_LEG)
    yield Leg(stage, amplitude_V, amplitude_V, width_s, _POINTS_PER_LEG)
    yield Leg(stage, amplitude_V, base_V, rise_s, _POINTS_PER_LEG)


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
