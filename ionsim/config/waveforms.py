"""The ``[drive]`` table of a device file: what is applied to the top electrode or the gate."""

from typing import Annotated, Literal

from pydantic import Field

from ionsim.config.base import FilePath, Problem, Problems, Section, number, setting
from ionsim.config.drivesection import DriveSection
from ionsim.config.gate import GatePulses, GateSteps


class Stage(Section):
    """One leg of a sweep: out to ``stop_V`` and, normally, back to zero."""

    name: str = setting(..., "name of the stage, and of the snapshot at its end", pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    stop_V: float = number(..., "V", "voltage at which the ramp turns or ends", ge=-100, le=100)
    compliance_A: float | None = number(None, "A", "compliance of this stage, else that of the drive", gt=0, le=1)
    gate_V: float | None = number(None, "V", "gate voltage of this stage, else that of the drive", ge=-100, le=100)
    turn_at_compliance: bool = setting(
        False, "ramp back as soon as the compliance or the saturated transistor limits the current"
    )
    return_to_zero: bool = setting(True, "ramp back to 0 V at the end of the stage")


class Sweep(DriveSection):
    """Voltage ramps at a constant rate, stage after stage."""

    kind: Literal["sweep"] = setting(..., "kind of drive")
    ramp_rate_V_per_s: float = number(..., "V/s", "rate of every ramp", gt=0, le=1e12)
    stages: Annotated[tuple[Stage, ...], Field(strict=False)] = setting(..., "stages in order; at least one")
    read_V: float = number(0.1, "V", "voltage at which resistances are read off the return ramps", gt=0, le=10)
    step_V: float = number(0.01, "V", "voltage step between recorded points", gt=0, le=10)

    def cross_checks(self) -> Problems:
        """At least one stage, unique names, no ramp of zero length, and a limit where a stage turns at it."""
        if not self.stages:
            yield Problem("stages", "must hold at least one stage", [])
        names = [stage.name for stage in self.stages]
        start_V = 0.0
        for index, stage in enumerate(self.stages):
            if stage.name in names[:index]:
                yield Problem(f"stages.{index}.name", "names of stages must differ", stage.name)
            if stage.stop_V == start_V:
                message = f"the stage starts at {start_V:g} V, so there is nothing to ramp; must differ from it"
                yield Problem(f"stages.{index}.stop_V", message, stage.stop_V)
            if stage.gate_V is not None and self.transistor is None:
                yield Problem(f"stages.{index}.gate_V", "needs a table [drive.transistor]", stage.gate_V)
            if stage.turn_at_compliance and stage.compliance_A is None and self.compliance_A is None:
                yield from self._turn_checks(index, stage)
            start_V = 0.0 if stage.return_to_zero else stage.stop_V

    def _turn_checks(self, index: int, stage: Stage) -> Problems:
        """A stage that turns without a compliance needs a transistor that can saturate."""
        transistor, needs = self.transistor, "needs compliance_A in the stage or in [drive]"
        message = f"{needs}, or [drive.transistor]"
        if transistor is not None:
            gate_V = transistor.gate_V if stage.gate_V is None else stage.gate_V
            if gate_V > transistor.threshold_V and stage.stop_V > 0:
                return
            message = f"the transistor saturates at positive voltages only; {needs}"
            if gate_V <= transistor.threshold_V:
                message = (
                    f"the transistor is off, gate_V = {gate_V:g} V; "
                    f"needs a gate_V above threshold_V = {transistor.threshold_V:g} V, or compliance_A"
                )
        yield Problem(f"stages.{index}.turn_at_compliance", message, True)


class Pulses(DriveSection):
    """A train of trapezoidal pulses; between pulses the voltage rests at ``read_V``.

    With a second amplitude each pulse has a partner of that amplitude: ``alternate`` puts it one period after every
    first pulse (endurance), ``blocks`` puts all second pulses after all first ones (potentiation and depression).
    """

    kind: Literal["pulses"] = setting(..., "kind of drive")
    amplitude_V: float = number(..., "V", "voltage of a pulse's plateau", ge=-100, le=100)
    width_s: float = number(..., "s", "duration of the plateau", gt=0, le=1e6)
    rise_s: float = number(..., "s", "duration of each of the two edges", gt=0, le=1e6)
    period_s: float = number(..., "s", "time from the start of one pulse to the start of the next", gt=0, le=1e6)
    count: int = number(..., "", "number of pulses of each amplitude", ge=1, le=100_000)
    second_amplitude_V: float | None = number(
        None, "V", "plateau of the pulses of second polarity, else there are none", ge=-100, le=100
    )
    second_width_s: float | None = number(None, "s", "their plateau's duration, else width_s", gt=0, le=1e6)
    order: Literal["alternate", "blocks"] = setting("alternate", "how first and second pulses follow each other")
    read_V: float = number(0.1, "V", "voltage between pulses", ge=-10, le=10)

    def cross_checks(self) -> Problems:
        """A pulse with both its edges fits into the period; a second width belongs to a second amplitude."""
        widths = {"width_s": self.width_s, "second_width_s": self.second_width_s}
        for key, width_s in widths.items():
            if width_s is not None and width_s + 2 * self.rise_s >= self.period_s:
                message = f"plateau and two edges take {width_s + 2 * self.rise_s:g} s; must be below period_s = "
                yield Problem(key, f"{message}{self.period_s:g} s", width_s)
        if self.second_width_s is not None and self.second_amplitude_V is None:
            yield Problem("second_width_s", "needs second_amplitude_V", self.second_width_s)


class Constant(DriveSection):
    """One voltage from the first moment to the last."""

    kind: Literal["constant"] = setting(..., "kind of drive")
    voltage_V: float = number(..., "V", "applied voltage", ge=-100, le=100)
    duration_s: float = number(..., "s", "how long", gt=0, le=1e12)

    def cross_checks(self) -> Problems:
        """Nothing to compare."""
        yield from ()


class Read(DriveSection):
    """Short reads at regular intervals, with the device at rest in between (retention)."""

    kind: Literal["read"] = setting(..., "kind of drive")
    voltage_V: float = number(..., "V", "voltage of a read", ge=-10, le=10)
    repeats: int = number(..., "", "number of reads", ge=1, le=1_000_000)
    interval_s: float = number(..., "s", "time from one read to the next", gt=0, le=1e12)
    width_s: float | None = number(None, "s", "duration of a read, edges included; else interval_s / 10", gt=0, le=1e12)

    def cross_checks(self) -> Problems:
        """A read ends before the next one starts."""
        if self.width_s is not None and self.width_s >= self.interval_s:
            yield Problem("width_s", f"must be below interval_s = {self.interval_s:g} s", self.width_s)


class Table(DriveSection):
    """A piecewise-linear voltage from a CSV file with the columns ``time_s,voltage_V``."""

    kind: Literal["csv"] = setting(..., "kind of drive")
    path: FilePath = setting(..., "file with the header time_s,voltage_V and increasing times from 0")

    def cross_checks(self) -> Problems:
        """Nothing to compare; the file itself is read when the device is loaded."""
        yield from ()


class Pulse(Section):
    """One trapezoidal pulse of a sequence, with the rest after it."""

    name: str = setting(..., "name of the stage, and of the snapshot at its end", pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    amplitude_V: float = number(..., "V", "voltage of the plateau", ge=-100, le=100)
    rise_s: float = number(..., "s", "duration of the leading edge", gt=0, le=1e6)
    width_s: float = number(..., "s", "duration of the plateau", gt=0, le=1e6)
    fall_s: float = number(..., "s", "duration of the trailing edge", gt=0, le=1e6)
    rest_s: float = number(..., "s", "time at read_V after it", gt=0, le=1e12)
    compliance_A: float | None = number(
        None, "A", "compliance of this pulse and its rest, else that of the drive", gt=0, le=1
    )


class Sequence(DriveSection):
    """Pulses one after the other, each with its own shape; between pulses the voltage rests at ``read_V``."""

    kind: Literal["sequence"] = setting(..., "kind of drive")
    pulses: Annotated[tuple[Pulse, ...], Field(strict=False)] = setting(..., "pulses in order; at least one")
    read_V: float = number(0.1, "V", "voltage between pulses", ge=-10, le=10)
    points: int = number(10, "", "recorded points on each edge, plateau and rest", ge=1, le=10_000)

    def cross_checks(self) -> Problems:
        """At least one pulse, and unique names."""
        if not self.pulses:
            yield Problem("pulses", "must hold at least one pulse", [])
        names = [pulse.name for pulse in self.pulses]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Problem(f"pulses.{index}.name", "names of pulses must differ", name)


#: What is applied to two terminals, and what to a gate.
DriveConfig = Sweep | Pulses | Sequence | Constant | Read | Table
GateConfig = GatePulses | GateSteps | Sweep | Pulses | Sequence | Constant | Table
AnyDrive = DriveConfig | GateConfig
