"""Runs with and without interruptions, and whether they are the same to the last bit."""

from pathlib import Path

import numpy as np

import ionsim
from ionsim.config import Device
from ionsim.results import TIMING, Run


class After(ionsim.Stop):
    """Asks to stop after so many recorded points."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.left = points

    @property
    def asked(self) -> bool:
        self.left -= 1
        return self.left <= 0


def broken(device: Device, seed: int, out: Path, every: int, most: int = 100) -> tuple[Run, int]:
    """A run that stops after so many points again and again, at most so often; and how often it did."""
    run = ionsim.Simulation(device, seed=seed).run(out, stop=After(every))
    stops = 0
    while run.status != "complete":
        assert run.status == "stopped"
        stops += 1
        run = ionsim.resume(out, stop=After(every) if stops < most else None)
    return run, stops


def differences(one: Run, other: Run) -> list[str]:
    """What of two finished runs is not the same, bit for bit: times of the clock excepted."""
    found = []
    for name in ("iv.csv", "voltage_steps.csv", "sites.extxyz", "pulses.csv"):
        paths = one.folder / name, other.folder / name
        if any(path.exists() for path in paths) and len({p.read_bytes() if p.exists() else b"" for p in paths}) > 1:
            found.append(name)
    if list(one.snapshots) != list(other.snapshots):
        found.append(f"snapshots: {list(one.snapshots)} and {list(other.snapshots)}")
    groups = {"series": (one.series, other.series)}
    for label in one.snapshots.keys() & other.snapshots.keys():
        groups[label] = tuple(
            {name: np.asarray(getattr(s, name)) for name in ("time_s", "voltage_V", "occupation", "potential_V",
                                                             "temperature_K")} | dict(s.extra)
            for s in (one.snapshots[label], other.snapshots[label])
        )  # fmt: skip
    for label, (first, second) in groups.items():
        if first.keys() != second.keys():
            found.append(f"{label}: {sorted(first.keys() ^ second.keys())}")
        found += [f"{label}/{name}{_where(first[name], second[name])}" for name in first
                  if np.asarray(first[name]).tobytes() != np.asarray(second[name]).tobytes()]  # fmt: skip
    keys = one.summary.keys() | other.summary.keys()
    found += [f"summary {key}" for key in keys if key not in TIMING and one.summary.get(key) != other.summary.get(key)]
    return found


def _where(first: np.ndarray, second: np.ndarray) -> str:
    if np.shape(first) != np.shape(second):
        return f" {np.shape(first)} and {np.shape(second)}"
    wrong = np.flatnonzero(np.ravel(first) != np.ravel(second))
    return f" from {wrong[:1]} on" if len(wrong) else " (sign or dtype)"
