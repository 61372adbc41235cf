"""Cheap devices of which measurements are made up: three known numbers each, and noise from a seed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import ionsim
from ionsim.config import Device
from ionsim.drive import Drive
from ionsim.fit import Options
from ionsim.fit.evaluation import Job, simulate

_CONTINUUM = {
    "continuum.size_nm": 1.5, "continuum.height_nm": 0.5, "continuum.outer_radius_nm": 30.0,
    "continuum.density_step": 0.4, "continuum.temperature_step_K": 100.0, "continuum.voltage_step_V": 0.2,
    "drive.step_V": 0.02,
    "drive.stages": [{"name": "forming", "stop_V": 1.5, "compliance_A": 1e-3}, {"name": "reset", "stop_V": -1.0}],
}  # fmt: skip
_MUSHROOM = {
    "geometry": {
        "kind": "mushroom", "heater_radius_nm": 8.0, "size_nm": 2.0, "growth": 1.6, "largest_nm": 30.0,
        "fine_radius_nm": 20.0, "phase_change_nm": 30.0, "heater_nm": 30.0, "bottom_nm": 15.0, "top_nm": 15.0,
        "outer_radius_nm": 50.0,
    },
    "crystallisation": {"front_width_nm": 2.7, "nucleation": False},
    "steps": {"first_s": 5e-11, "temperature_K": 100.0, "crystalline": 0.5},
    "drive": {
        "kind": "sequence", "series_resistance_ohm": 1000.0, "read_V": 0.1, "points": 3,
        "pulses": [
            {"name": f"p{n}", "amplitude_V": volts, "rise_s": 2e-9, "width_s": 6e-9, "fall_s": 2e-9, "rest_s": 1e-8}
            for n, volts in enumerate((0.3, 0.5, 0.7, 1.6, 1.8, 2.0), start=1)
        ],
    },
    "sources": {},
}  # fmt: skip
_STACK = {
    "geometry": {"kind": "ecram_stack", "electrolyte_nm": 10.0, "channel_nm": 20.0},
    "drive": {
        "kind": "gate_steps",
        "steps": [
            step
            for n, (volts, last_s) in enumerate(((6.5, 1e-7), (8.5, 2e-8), (10.5, 5e-9), (-7.0, 5e-8), (-9.5, 1e-8)))
            for step in (
                {"name": f"p{n}", "voltage_V": volts, "rise_s": 1e-9, "duration_s": last_s, "points": 3},
                {"name": f"r{n}", "voltage_V": -0.21, "rise_s": 1e-9, "duration_s": 1e-6, "points": 3,
                 "spacing": "log"},
            )
        ],
    },
    "sources": {},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A device at the truth, what is varied, the measured columns, and the relative noise of each number."""

    device: Device
    vary: tuple[str, ...]
    truth: dict[str, float]
    noise: float
    options: Options = field(default_factory=Options)


def continuum() -> Case:
    """A vacancy continuum: SET from a gap, and the way back."""
    truth = {"continuum.barrier_eV": 1.2, "continuum.insulating_S_per_m": 1e3, "continuum.conducting_S_per_m": 9.4e4}
    vary = (
        "continuum.barrier_eV=1.05:1.35", "continuum.insulating_S_per_m=3e2:3e3:log",
        "continuum.conducting_S_per_m=3e4:2e5:log",
    )  # fmt: skip
    return Case(ionsim.load("hfo2_continuum").replace(_CONTINUUM), vary, truth, 0.05)


def mushroom() -> Case:
    """A phase-change cell: pulses of growing amplitude."""
    truth = {
        "phase_change.crystalline_S_per_m": 1e5, "phase_change.amorphous_S_per_m": 3.0,
        "phase_change.liquid_S_per_m": 4e5,
    }  # fmt: skip
    vary = (
        "phase_change.crystalline_S_per_m=3e4:3e5:log", "phase_change.amorphous_S_per_m=0.5:20:log",
        "phase_change.liquid_S_per_m=1e5:1.5e6:log",
    )  # fmt: skip
    return Case(ionsim.load("gst_mushroom").replace(_MUSHROOM).replace(truth), vary, truth, 0.03)


def stack() -> Case:
    """An ECRAM: potentiation and depression."""
    truth = {
        "electrolyte.conductivity_S_per_m": 1e-3, "electrolyte.hop_nm": 0.35, "channel.mobility_m2_per_Vs": 1.9e-6,
    }  # fmt: skip
    vary = (
        "electrolyte.conductivity_S_per_m=2e-4:5e-3:log", "electrolyte.hop_nm=0.25:0.45",
        "channel.mobility_m2_per_Vs=5e-7:8e-6:log",
    )  # fmt: skip
    return Case(ionsim.load("psg_wo3_pulse_train").replace(_STACK).replace(truth), vary, truth, 0.02)


def measured(case: Case, seed: int, path: Path) -> Path:
    """A table with what the device at the truth gives, each number times 1 + noise."""
    rng = np.random.default_rng(seed)
    device: Any = case.device
    if device.family == "vcm":
        outcome = simulate(Job(device.to_toml(), 1, ("current_A",)))
        series = outcome.series
        names = [stage.name for stage in device.drive.stages]
        keep = np.abs(series["voltage_V"]) > 1e-9
        noisy = np.where(series["limited"] > 0, 1.0, 1.0 + case.noise * rng.standard_normal(len(keep)))
        rows = [
            f"{names[int(stage)]},{volts:.6g},{current:.9g}"
            for stage, volts, current in zip(
                series["stage"][keep], series["voltage_V"][keep], (series["current_A"] * noisy)[keep], strict=True
            )
        ]
        text = "stage,voltage_V,current_A\n"
    else:
        from ionsim.fit import parse, prepare

        times = Drive(device.drive).samples_s[1:] if device.family == "ecram" else []
        blank = "pulse,plateau_current_A,resistance_ohm\n" + "".join(f"{n},1,1\n" for n in range(1, 7))
        if device.family == "ecram":
            blank = "time_s,read_A\n" + "".join(f"{time!r},1\n" for time in times.tolist())
        head, *lines = blank.splitlines()
        task = prepare(device, parse(blank, "blank"), case.vary)
        names = tuple(sorted({name for part in task.parts for name in part.comparison.columns}))
        outcome = simulate(Job(device.to_toml(), 1, names))
        exact = [part.comparison.scale.back(part.comparison.model(outcome)[0]) for part in task.parts]
        values = np.array(exact).T
        values = values * (1.0 + case.noise * rng.standard_normal(values.shape))
        rows = [
            ",".join([line.split(",")[0], *(f"{x:.9g}" for x in row)])
            for line, row in zip(lines, values.tolist(), strict=True)
        ]
        text = head + "\n"
    path.write_text(text + "\n".join(rows) + "\n", encoding="utf-8")
    return path
