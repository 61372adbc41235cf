"""The virtual experiments of a phase-change cell: pulses, ramps, drift, bakes of a mushroom cell with its own circuit.

Amplitudes and widths are those of ``gst_mushroom`` (1 kOhm in series, a heater of 15 nm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ionsim.compact.extraction.protocol import Experiment, Role
from ionsim.config.pcm import PcmDevice

Pulse = dict[str, float | str]

#: Amplitude of the RESET before every other pulse, V.
RESET_V = 1.9

#: First and last rest between reads in a bake, s, by temperature in K. The last row was planned after all others had
#: been seen: rests there go from a 20th of the time that the card predicted to 1.5 times it.
_BAKES = {550: (1e-7, 1e-4), 500: (1e-5, 3e-2), 450: (1e-2, 20.0),
          575: (3e-8, 1e-5), 525: (1e-6, 2e-3), 475: (1e-3, 1.0), 425: (0.1, 1e3),
          462: (3e-3, 0.1), 487: (1e-4, 3e-3), 512: (5e-6, 1.6e-4), 537: (2.3e-7, 7e-6)}  # fmt: skip

#: How many seeds a bake has, where that is more than one: nuclei scatter its time, by 0.4 decades at 475 K.
_SEEDS = {475: 3, 537: 2, 550: 3}

#: Factor from one rest of a bake to the next.
_GROWTH = 1.35

_DECADES_S = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4)


def pulse(
    name: str, volts: float, rise_s: float = 5e-9, width_s: float = 40e-9, fall_s: float = 5e-9, rest_s: float = 100e-9
) -> Pulse:
    """A pulse of a sequence; by default 50 ns with its edges, and 100 ns of rest."""
    return {"name": name, "amplitude_V": volts, "rise_s": rise_s, "width_s": width_s, "fall_s": fall_s,
            "rest_s": rest_s}  # fmt: skip


def plan(device: PcmDevice, quick: bool = False) -> list[Experiment]:
    """What is fitted and what is held out; ``quick``: four runs."""
    first = pulse("reset", RESET_V)
    found: list[Experiment] = []

    def add(
        name: str, role: Role, kind: str, what: str, pulses: Sequence[Pulse], ambient: float = 300.0,
        points: int = 20, read_V: float = 0.1, seeds: int = 1,
    ) -> None:  # fmt: skip
        ohm = device.drive.series_resistance_ohm or 1000.0
        drive: Mapping[str, Any] = {"kind": "sequence", "series_resistance_ohm": ohm, "read_V": read_V,
                                    "points": points, "pulses": list(pulses)}  # fmt: skip
        changed = device.replace({"drive": drive, "ambient_K": ambient})
        found.append(Experiment(name, role, changed, what, kind, tuple(range(1, seeds + 1))))

    def resets(role: Role, amplitudes: Sequence[float]) -> None:
        for volts in amplitudes:
            add(f"reset_{volts:g}", role, "reset", f"RESET of {volts:g} V, 50 ns", [pulse("reset", volts)])

    def sets(role: Role, amplitudes: Sequence[float]) -> None:
        for volts in amplitudes:
            add(f"set_{volts:g}", role, "set", f"RESET, then {volts:g} V for 200 ns",
                [first, pulse("set", volts, 10e-9, 200e-9, 100e-9)])  # fmt: skip

    def ramp(name: str, role: Role, rise_s: float, ambient: float = 300.0) -> None:
        add(name, role, "ramp", f"RESET, then a ramp to 1 V in {rise_s:g} s at {ambient:g} K",
            [first, pulse("ramp", 1.0, rise_s, 1e-8, 1e-8)], ambient, 100)  # fmt: skip

    def reads(rests: Sequence[float]) -> list[Pulse]:
        return [first, *(pulse(f"read{k}", 0.1, 1e-9, 1e-8, 1e-9, rest) for k, rest in enumerate(rests))]

    def bake(role: Role, kelvin: int) -> None:
        rest, last = _BAKES[kelvin]
        rests = []
        while rest < last:
            rests.append(rest)
            rest *= _GROWTH
        add(f"bake_{kelvin}", role, "bake", f"RESET and reads at {kelvin} K", reads(rests), float(kelvin), 1,
            seeds=_SEEDS.get(kelvin, 1))

    if quick:
        resets("fit", (1.2, 1.9))
        sets("fit", (0.9,))
        ramp("ramp_1e7", "fit", 1e-7)
        return found
    resets("fit", (0.8, 1.0, 1.2, 1.4, 1.6, 1.9, 2.4))
    resets("held_out", (1.3, 1.5, 1.7, 2.1))
    sets("fit", (0.7, 0.8, 0.85, 0.9))
    sets("held_out", (0.5, 0.6, 1.0, 1.2))
    role: Role
    for volts, width_ns, role in ((0.8, 5, "held_out"), (0.8, 20, "fit"), (0.8, 50, "fit"), (0.8, 1000, "held_out"),
                                  (0.9, 5, "fit"), (0.9, 20, "fit"), (0.9, 50, "held_out")):  # fmt: skip
        add(f"set_{volts:g}_w{width_ns}", role, "set", f"RESET, then {volts:g} V for {width_ns} ns",
            [first, pulse("set", volts, 5e-9, width_ns * 1e-9, 5e-9)])  # fmt: skip
    for width_ns, role in ((10, "fit"), (100, "held_out"), (400, "held_out")):
        add(f"reset_1.9_w{width_ns}", role, "reset", f"RESET of 1.9 V, {width_ns} ns",
            [pulse("reset", 1.9, width_s=width_ns * 1e-9)])  # fmt: skip
    for fall_ns, role in ((20, "fit"), (50, "fit"), (100, "held_out"), (200, "held_out")):
        add(f"reset_1.9_f{fall_ns}", role, "reset", f"RESET of 1.9 V with an edge of {fall_ns} ns",
            [pulse("reset", 1.9, fall_s=fall_ns * 1e-9)])  # fmt: skip
    ramp("ramp_1e6", "fit", 1e-6)
    ramp("ramp_1e7", "fit", 1e-7)
    ramp("ramp_1e6_360", "fit", 1e-6, 360.0)
    ramp("ramp_3e6", "held_out", 3.33e-7)
    ramp("ramp_1e6_330", "held_out", 1e-6, 330.0)
    ramp("ramp_1e6_345", "held_out", 1e-6, 345.0)
    for kelvin in (330, 360):
        add(f"cycle_{kelvin}", "held_out", "set", f"RESET, then 0.9 V for 200 ns at {kelvin} K",
            [first, pulse("set", 0.9, 10e-9, 200e-9, 100e-9)], float(kelvin))  # fmt: skip
    add("melt_2e7", "fit", "reset", "a ramp of 2e7 V/s to 1.6 V", [pulse("ramp", 1.6, 8e-8, 1e-9, 2e-8, 1e-7)],
        points=80)  # fmt: skip
    for role, kelvins in (("fit", 300), ("held_out", 350)):
        add(f"drift_{kelvins}", role, "drift", f"reads until 1e4 s at {kelvins} K", reads(_DECADES_S), float(kelvins),
            4)  # fmt: skip
    for kelvin in (425, 450, 462, 475, 487, 500, 512, 525, 537, 550, 575):
        bake("fit" if kelvin in (450, 500) else "held_out", kelvin)
    return found
