"""Kinds of the ``[drive]`` table that only a gate knows: pulses of current, and times at which nothing is connected."""

from typing import Annotated, Literal

from pydantic import Field

from ionsim.config.base import Problem, Problems, Section, number, setting
from ionsim.config.drivesection import DriveSection


class GatePulses(DriveSection):
    """A train of trapezoidal gate pulses of voltage or current; in between the gate is held at ``rest_V``, or open.

    With a second amplitude: ``blocks`` puts all second pulses after all first ones (potentiation and depression),
    ``alternate`` one after the other. A pulse of voltage after an open gate rises from the voltage that it finds.
    """

    kind: Literal["gate_pulses"] = setting(..., "kind of drive")
    amplitude_V: float | None = number(None, "V", "voltage of a pulse's plateau, instead of a current", ge=-100, le=100)
    amplitude_A: float | None = number(None, "A", "current of a pulse's plateau, instead of a voltage", ge=-1, le=1)
    width_s: float = number(..., "s", "duration of the plateau", gt=0, le=1e6)
    rise_s: float = number(..., "s", "duration of each of the two edges", gt=0, le=1e6)
    period_s: float = number(..., "s", "time from the start of one pulse to the start of the next", gt=0, le=1e6)
    count: int = number(..., "", "number of pulses of each amplitude", ge=1, le=1_000_000)
    second_amplitude_V: float | None = number(
        None, "V", "plateau of the second pulses, else there are none", ge=-100, le=100
    )
    second_amplitude_A: float | None = number(None, "A", "the same as a current, instead of a voltage", ge=-1, le=1)
    second_width_s: float | None = number(None, "s", "their plateau's duration, else width_s", gt=0, le=1e6)
    order: Literal["alternate", "blocks"] = setting("blocks", "how first and second pulses follow each other")
    between: Literal["hold", "open"] = setting("hold", "gate between pulses: held at rest_V, or connected to nothing")
    rest_V: float = number(0.0, "V", "gate voltage between pulses, and to which a pulse of voltage falls",
                           ge=-10, le=10)  # fmt: skip
    points: int = number(2, "", "recorded points on each edge, plateau and rest", ge=1, le=10_000)

    def cross_checks(self) -> Problems:
        """One amplitude of each kind; a pulse with both its edges fits into the period."""
        yield from _one_of(self.amplitude_V, self.amplitude_A, "amplitude")
        if self.second_amplitude_V is not None or self.second_amplitude_A is not None:
            yield from _one_of(self.second_amplitude_V, self.second_amplitude_A, "second_amplitude")
        elif self.second_width_s is not None:
            message = "needs second_amplitude_V or second_amplitude_A"
            yield Problem("second_width_s", message, self.second_width_s)
        widths = {"width_s": self.width_s, "second_width_s": self.second_width_s}
        for key, width_s in widths.items():
            if width_s is not None and width_s + 2 * self.rise_s >= self.period_s:
                message = f"plateau and two edges take {width_s + 2 * self.rise_s:g} s; must be below period_s = "
                yield Problem(key, f"{message}{self.period_s:g} s", width_s)


class GateStep(Section):
    """The gate at one voltage, at one current, or open, for a while."""

    name: str = setting(..., "name of the stage, and of the snapshot at its end", pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    voltage_V: float | None = number(None, "V", "gate voltage, instead of a current", ge=-100, le=100)
    current_A: float | None = number(None, "A", "gate current, instead of a voltage", ge=-1, le=1)
    open: bool = setting(False, "nothing connected to the gate")
    rise_s: float | None = number(None, "s", "time to reach it, else a thousandth of duration_s", gt=0, le=1e12)
    duration_s: float = number(..., "s", "how long, the rise included", gt=0, le=1e12)
    points: int = number(20, "", "recorded points after the rise", ge=1, le=100_000)
    spacing: Literal["even", "log"] = setting("even", "whether their distances are equal, or grow by a factor")

    @property
    def edge_s(self) -> float:
        """Time to reach voltage or current; none when open."""
        return 0.0 if self.open else self.duration_s / 1000 if self.rise_s is None else self.rise_s


class GateSteps(DriveSection):
    """Steps of the gate one after the other, from 0 V on."""

    kind: Literal["gate_steps"] = setting(..., "kind of drive")
    steps: Annotated[tuple[GateStep, ...], Field(strict=False)] = setting(..., "steps in order; at least one")

    def cross_checks(self) -> Problems:
        """At least one step, unique names, one thing to do in each."""
        if not self.steps:
            yield Problem("steps", "must hold at least one step", [])
        names = [step.name for step in self.steps]
        for index, step in enumerate(self.steps):
            if step.name in names[:index]:
                yield Problem(f"steps.{index}.name", "names of steps must differ", step.name)
            if (step.voltage_V is not None) + (step.current_A is not None) + step.open != 1:
                message = "needs one of voltage_V, current_A and open = true, and no more than one"
                yield Problem(f"steps.{index}", message, step.name)
            if step.edge_s >= step.duration_s:
                message = f"must be below duration_s = {step.duration_s:g}"
                yield Problem(f"steps.{index}.rise_s", message, step.rise_s)


def _one_of(volts: float | None, amperes: float | None, key: str) -> Problems:
    if volts is None and amperes is None:
        yield Problem(f"{key}_V", f"missing; needs {key}_V or {key}_A")
    if volts is not None and amperes is not None:
        yield Problem(f"{key}_A", f"not together with {key}_V", amperes)
