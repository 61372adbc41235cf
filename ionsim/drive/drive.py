"""The applied voltage of a run as a function of time, re-planned where a stage turns at the compliance."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from ionsim.config.waveforms import AnyDrive, Sequence, Sweep
from ionsim.drive.circuit import Circuit
from ionsim.drive.legs import legs, samples, stage_names
from ionsim.drive.transistor import Transistor


class Waveform(Protocol):
    """A voltage against time, in named stages."""

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages."""
        ...

    @property
    def corners_s(self) -> np.ndarray:
        """Times of all corners in s, from 0 to the end: no time step may pass over one."""
        ...

    @property
    def duration_s(self) -> float:
        """Time of the end in s."""
        ...

    def voltage_V(self, time_s: float) -> float:
        """Applied voltage in V."""
        ...

    def stage(self, time_s: float) -> int:
        """Index of the stage; a time on a border belongs to the later stage."""
        ...


class Turn(NamedTuple):
    """Where a stage turned back: time in s and applied voltage in V."""

    time_s: float
    voltage_V: float


class Drive:
    """The waveform of a drive description, with its circuit; a :class:`Waveform`.

    A sweep's stage with ``turn_at_compliance`` ramps back as soon as the run reports that the current is limited
    (:meth:`on_compliance`). The plan depends on those reports alone, so a run repeats exactly; :attr:`turns` holds them
    for a checkpoint.
    """

    def __init__(self, config: AnyDrive) -> None:
        self.config = config
        self.stages: tuple[str, ...] = stage_names(config)
        self.start()

    def start(self) -> None:
        """Forget all turns: the plan that the description gives."""
        self.restore({})

    def restore(self, turns: Mapping[int, Turn]) -> None:
        """Take the plan of a run whose stages turned like this (stage index -> time and voltage)."""
        self.turns: dict[int, Turn] = dict(turns)
        self._plan()

    def _plan(self) -> None:
        stops_V = {stage: turn.voltage_V for stage, turn in self.turns.items()}
        self._legs = [leg for leg in legs(self.config, stops_V) if leg.duration_s > 0]
        times = [0.0]
        for leg in self._legs:
            # The time of a turn is taken as reported: a sum of durations could miss it by a rounding error, and leave
            # a step of 1e-16 s to the corner.
            turned = leg.turns and leg.stage in self.turns
            times.append(self.turns[leg.stage].time_s if turned else times[-1] + leg.duration_s)
        times_s = np.array(times)
        self.corners_s: np.ndarray = times_s
        self.duration_s: float = float(times_s[-1])
        pieces = [
            samples(leg, start_s, stop_s)
            for leg, start_s, stop_s in zip(self._legs, times_s[:-1], times_s[1:], strict=True)
        ]
        self.samples_s: np.ndarray = np.concatenate([*pieces, [self.duration_s]])

    @property
    def stage_ends_s(self) -> tuple[float, ...]:
        """Time in s at which each stage ends (for alternating pulses: for the last time)."""
        last = {leg.stage: float(end_s) for leg, end_s in zip(self._legs, self.corners_s[1:], strict=True)}
        return tuple(last[index] for index in range(len(self.stages)))

    @property
    def pulse_ends_s(self) -> dict[float, int]:
        """Time in s at which the plateau of a stage's last pulse ends -> the stage; empty without pulses."""
        last: dict[int, float] = {}
        for index in range(1, len(self._legs) - 1):
            before, here, after = self._legs[index - 1 : index + 2]
            if here.start_V == here.stop_V and abs(here.start_V) > max(abs(before.start_V), abs(after.stop_V)):
                last[here.stage] = float(self.corners_s[index + 1])
        return {end_s: stage for stage, end_s in last.items()}

    def _leg(self, time_s: float) -> int:
        index = int(np.searchsorted(self.corners_s, time_s, side="right")) - 1
        return min(max(index, 0), len(self._legs) - 1)

    def voltage_V(self, time_s: float) -> float:
        """Applied voltage in V; before the start and after the end the first and last value."""
        index = self._leg(time_s)
        leg = self._legs[index]
        start_s, stop_s = self.corners_s[index : index + 2].tolist()
        share = (time_s - start_s) / (stop_s - start_s)
        share = min(max(share, 0.0), 1.0)
        return leg.start_V * (1 - share) + leg.stop_V * share

    def stage(self, time_s: float) -> int:
        """Index of the stage; a time on a border belongs to the later stage, the end to the last."""
        return self._legs[self._leg(time_s)].stage

    def circuit(self, time_s: float, interval_s: tuple[float, float] | None = None) -> Circuit:
        """The circuit at this time; a stage of a sweep may have a compliance and a gate voltage of its own, a pulse of
        a sequence a compliance.

        A current that the source forces is that at both ends of ``interval_s`` (default: at ``time_s``).
        """
        config, compliance_A, gate_V = self.config, self.config.compliance_A, None
        if isinstance(config, Sweep):
            stage = config.stages[self.stage(time_s)]
            compliance_A = compliance_A if stage.compliance_A is None else stage.compliance_A
            gate_V = stage.gate_V
        elif isinstance(config, Sequence):
            own_A = config.pulses[self.stage(time_s)].compliance_A
            compliance_A = compliance_A if own_A is None else own_A
        transistor = None
        if config.transistor is not None:
            own = {} if gate_V is None else {"gate_V": gate_V}
            transistor = Transistor(**{**config.transistor.model_dump(), **own})
        begin, end = (self.forced_A(time_s, at) for at in interval_s or (time_s, time_s))
        forced_A = None if begin is None or end is None else (begin, end)
        return Circuit(config.series_resistance_ohm, compliance_A, transistor, forced_A)

    def forced_A(self, within_s: float, time_s: float) -> float | None:
        """Current in A that the leg around ``within_s`` forces at ``time_s``, 0 when open; None of a voltage."""
        index = self._leg(within_s)
        leg = self._legs[index]
        if leg.source == "voltage":
            return None
        start_s, stop_s = self.corners_s[index : index + 2].tolist()
        share = min(max((time_s - start_s) / (stop_s - start_s), 0.0), 1.0)
        return leg.start_A * (1 - share) + leg.stop_A * share

    def next_sample_s(self, time_s: float) -> float:
        """The first time after ``time_s`` at which a point is to be recorded (corners included); the end at the end."""
        index = int(np.searchsorted(self.samples_s, time_s, side="right"))
        return float(self.samples_s[min(index, len(self.samples_s) - 1)])

    def turns_at(self, time_s: float) -> bool:
        """Whether the leg around this time turns as soon as the current is limited."""
        leg = self._legs[self._leg(time_s)]
        return leg.turns and leg.stage not in self.turns

    def on_compliance(self, time_s: float) -> bool:
        """Report that the current is limited; True when the stage turns back here, in a changed plan."""
        index = self._leg(time_s)
        leg = self._legs[index]
        voltage_V = self.voltage_V(time_s)
        if not leg.turns or leg.stage in self.turns or voltage_V == leg.start_V:
            return False
        self.restore({**self.turns, leg.stage: Turn(time_s, voltage_V)})
        return True
