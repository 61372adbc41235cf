"""Virtual experiments on an ECRAM device: what they are driven by, and which of them the fit must not see.

- Reads at rest over states and temperatures: the conductance of the channel.
- Steps of the gate's voltage from rest: how long a given dose takes, from nanoseconds to minutes.
- Ladders of pulses of one width, up and down: doses against amplitude, energies.
- Sweeps at several rates, trains, and retention with the gate shorted or open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from ionsim.config.ecram import EcramDevice

Role = Literal["fit", "held_out", "pulses", "retention"]


class Planned(NamedTuple):
    """One experiment: its changes of the device file, and what it is for."""

    name: str
    role: Role
    kind: str
    changes: dict[str, Any]
    what: str


#: Amplitudes of steps in V and how long each is held in s: some times what a dose of 5e-4 of all sites takes.
STEPS_FIT = {
    9.0: 3e-8, 7.0: 2e-7, 5.0: 6e-7, 3.0: 2e-6, 1.5: 6e-6, 0.8: 2e-4, 0.4: 0.4, 0.1: 200.0,
    -9.0: 3e-8, -6.0: 4e-7, -3.0: 3e-6, -1.2: 2e-4, -0.8: 0.1,
}  # fmt: skip
STEPS_HELD = {
    8.0: 6e-8, 6.0: 3e-7, 4.0: 1e-6, 2.0: 4e-6, 1.1: 2e-5, 0.6: 8e-3, 0.2: 20.0,
    -7.5: 1e-7, -4.5: 1e-6, -2.0: 6e-6, -1.0: 3e-3, -0.6: 5.0,
}  # fmt: skip

#: State from which steps and ladders start, its open-circuit voltage, and that at which the gate rests.
MIDDLE, REST_V = 0.15, -0.21


def plan(device: EcramDevice, quick: bool = False) -> list[Planned]:
    """All experiments; ``quick``: those that identify the kinetics at one temperature, and two that are held out."""
    every = [*_reads(), *_steps(), *_ladders(), *_sweeps(), *_retention(), *_trains()]
    return [one for one in every if one.kind in ("read", "step")] if quick else every


def _stage(name: str, duration_s: float, voltage_V: float | None, **more: Any) -> dict[str, Any]:
    gate: dict[str, Any] = {"open": True} if voltage_V is None else {"voltage_V": voltage_V}
    return {"name": name, "duration_s": duration_s, **gate, **more}


def _gate(steps: list[dict[str, Any]], initial: float, kelvin: float = 300.0) -> dict[str, Any]:
    drive = {"kind": "gate_steps", "steps": steps}
    return {"drive": drive, "channel.initial": initial, "ambient_K": kelvin}


def _reads() -> Iterator[Planned]:
    for kelvin, role, states in (
        (300.0, "fit", (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)),
        (345.0, "fit", (0.05, 0.25)),
        (320.0, "held_out", (0.035, 0.125, 0.28)),
    ):
        for x in states:
            steps = [_stage("rest", 1e-6, None, points=2)]
            yield Planned(
                f"read_{x:g}_{kelvin:g}K", role, "read", _gate(steps, x, kelvin),  # type: ignore[arg-type]
                f"conductance at rest, x = {x:g}, {kelvin:g} K",
            )  # fmt: skip


def _steps() -> Iterator[Planned]:
    kinds: list[tuple[Role, dict[float, float], float, float]] = [
        ("fit", STEPS_FIT, 300.0, MIDDLE),
        ("held_out", STEPS_HELD, 300.0, MIDDLE),
        ("fit", {7.0: 4e-8, 3.0: 1e-6, 0.8: 1e-4, -6.0: 4e-7, -1.2: 2e-4}, 345.0, MIDDLE),
        ("held_out", {6.0: 8e-8, 2.0: 4e-6, 0.6: 8e-3, -4.5: 1e-6}, 320.0, MIDDLE),
        ("fit", {9.0: 3e-8, 0.8: 2e-4, -6.0: 4e-7}, 300.0, 0.05),
        ("held_out", {8.0: 6e-8, 0.6: 8e-3, -7.5: 1e-7}, 300.0, 0.22),
    ]
    for role, table, kelvin, x in kinds:
        for volts, duration in table.items():
            steps = [
                _stage("before", 1e-6, REST_V, rise_s=1e-9, points=2),
                _stage("step", duration, volts, rise_s=1e-9, points=60, spacing="log"),
            ]
            yield Planned(
                f"step_{volts:g}V_{x:g}_{kelvin:g}K", role, "step", _gate(steps, x, kelvin),
                f"gate from {REST_V:g} to {volts:g} V, x = {x:g}, {kelvin:g} K",
            )  # fmt: skip


#: Widths of ladders in s and their amplitudes in V, each up and then down.
LADDERS: tuple[tuple[Role, float, float, float, tuple[float, ...]], ...] = (
    ("fit", 5e-9, MIDDLE, 300.0, (4, -4, 6, -6, 7, -7.5, 8, -8.5, 9, -9.5, 10, -10)),
    ("held_out", 5e-9, MIDDLE, 300.0, (5, -5, 7.5, -8, 8.5, -9, 9.5, -9.75)),
    ("fit", 5e-8, MIDDLE, 300.0, (3, -3, 4, -4.5, 5, -5.5, 5.5, -6)),
    ("held_out", 2e-8, MIDDLE, 300.0, (4, -4, 6, -6.5, 7, -7.5, 7.5, -8)),
    ("fit", 1e-6, MIDDLE, 300.0, (1, -1, 1.5, -2, 2, -2.5)),
    ("held_out", 3e-7, MIDDLE, 300.0, (2, -2, 3, -3.5)),
    ("fit", 5e-9, 0.05, 300.0, (7, -7, 8, -8.5, 9, -9)),
    ("held_out", 5e-9, 0.22, 300.0, (7, -7, 8, -8.5, 9, -9)),
    ("fit", 5e-9, MIDDLE, 345.0, (6, -6, 7, -7.5, 8, -8.5)),
    ("held_out", 5e-9, MIDDLE, 320.0, (6, -6, 7, -7.5, 8.5, -9)),
)


def _ladders() -> Iterator[Planned]:
    for role, width, x, kelvin, volts in LADDERS:
        steps = [_stage("before", 1e-6, REST_V, rise_s=1e-9, points=2)]
        for index, height in enumerate(volts):
            steps.append(_stage(f"p{index}", 1e-9 + width, float(height), rise_s=1e-9, points=8))
            steps.append(_stage(f"r{index}", 1e-2, REST_V, rise_s=1e-9, points=24, spacing="log"))
        yield Planned(
            f"ladder_{width:g}s_{x:g}_{kelvin:g}K_{role}", role, "ladder", _gate(steps, x, kelvin),
            f"pulses of {width:g} s, x = {x:g}, {kelvin:g} K: " + ", ".join(f"{v:g}" for v in volts) + " V",
        )  # fmt: skip


def _sweeps() -> Iterator[Planned]:
    rates: list[tuple[Role, float, float, float]] = [
        ("fit", 1e2, 0.6, 300.0), ("fit", 1e5, 1.2, 300.0), ("fit", 1e8, 6.0, 300.0), ("fit", 1e5, 1.0, 345.0),
        ("held_out", 1.0, 0.45, 300.0), ("held_out", 1e4, 1.0, 300.0), ("held_out", 1e7, 3.0, 300.0),
        ("held_out", 1e4, 0.8, 320.0),
    ]  # fmt: skip
    for role, rate, top, kelvin in rates:
        stages = [{"name": "up", "stop_V": top}, {"name": "down", "stop_V": -top - 0.3}]
        drive = {"kind": "sweep", "ramp_rate_V_per_s": rate, "stages": stages, "step_V": top / 60}
        yield Planned(
            f"sweep_{rate:g}_{kelvin:g}K", role, "sweep",
            {"drive": drive, "channel.initial": MIDDLE, "ambient_K": kelvin},
            f"gate swept to {top:g} and {-top - 0.3:g} V at {rate:g} V/s, {kelvin:g} K",
        )  # fmt: skip


def _retention() -> Iterator[Planned]:
    for role, x, kelvin in (("fit", 0.05, 300.0), ("held_out", 0.05, 345.0), ("held_out", 0.2, 320.0)):
        steps = [_stage("shorted", 3e5, 0.0, rise_s=1e-6, points=80, spacing="log")]
        yield Planned(
            f"shorted_{x:g}_{kelvin:g}K", role, "retention", _gate(steps, x, kelvin),  # type: ignore[arg-type]
            f"gate at 0 V for 3e5 s from x = {x:g}, {kelvin:g} K",
        )  # fmt: skip
    for role, x, volts in (("fit", 0.25, 10.0), ("held_out", 0.25, 9.0)):
        steps = [
            _stage("before", 1e-6, REST_V, rise_s=1e-9, points=2),
            _stage("pulse", 6e-9, volts, rise_s=1e-9, points=8),
            _stage("settle", 1e-6, REST_V, rise_s=1e-9, points=10),
            _stage("open", 10.0, None, points=80, spacing="log"),
        ]
        yield Planned(
            f"open_{x:g}_{volts:g}V", role, "retention", _gate(steps, x),  # type: ignore[arg-type]
            f"gate open for 10 s after a pulse of {volts:g} V, x = {x:g}",
        )  # fmt: skip


def _trains() -> Iterator[Planned]:
    for role, up, down, count, x in (
        ("fit", 8.45, -9.0, 60, 0.05), ("held_out", 9.0, -9.4, 40, 0.1), ("pulses", 8.45, -9.0, 1000, 0.025),
    ):  # fmt: skip
        drive = {
            "kind": "gate_pulses", "amplitude_V": up, "second_amplitude_V": down, "width_s": 5e-9, "rise_s": 1e-9,
            "period_s": 1.0, "count": count, "between": "hold", "rest_V": REST_V,
        }  # fmt: skip
        yield Planned(
            f"train_{up:g}V_{x:g}", role, "train", {"drive": drive, "channel.initial": x},  # type: ignore[arg-type]
            f"{count} pulses of {up:g} V and {count} of {down:g} V, 5 ns, from x = {x:g}",
        )  # fmt: skip
