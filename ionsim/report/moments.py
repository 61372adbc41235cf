"""Which snapshots of a run the page shows, in the order of time, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionsim.report.texts import quantity, seconds, words
from ionsim.results.model import Snapshot

#: Most moments of a slider and most states of the 3D picture; of more, ends of stages come first.
MOST_MOMENTS, MOST_STATES = 20, 12
#: Applied voltage and that across the cell are the same within this, V, and this share.
_SAME_V, _SAME = 1e-3, 5e-3


@dataclass(frozen=True)
class Moment:
    """A snapshot with its name."""

    label: str
    snapshot: Snapshot
    cell: str = ""

    @property
    def title(self) -> str:
        """Name, time and voltage, and what of it is left for the cell where the circuit takes a part."""
        time = "0 s" if self.snapshot.time_s == 0.0 else seconds(self.snapshot.time_s)
        return f"{self.label}: t = {time}, {quantity(self.snapshot.voltage_V, 'V')} applied{self.cell}"


def moments(
    snapshots: Mapping[str, Snapshot], most: int, wanted: Sequence[str] = (), series: Mapping[str, Any] | None = None
) -> list[Moment]:
    """Up to ``most`` snapshots in the order of time; those of one moment are one.

    ``wanted`` restricts them to some labels; ``series`` knows the voltage across the cell. Where there are more,
    moments of largest power are left out first, then ends of pulses.
    """
    order = sorted(wanted or snapshots, key=lambda label: snapshots[label].time_s)
    by_time: dict[float, list[str]] = {}
    for label in order:
        by_time.setdefault(snapshots[label].time_s, []).append(label)
    groups = list(by_time.values())
    for ending in ("_peak", "_pulse"):
        for group in [each for each in groups if all(label.endswith(ending) for label in each)]:
            if len(groups) > most:
                groups.remove(group)
    step = -(-len(groups) // most)
    kept = groups if step == 1 else sorted({*range(0, len(groups), step), len(groups) - 1})
    chosen = [group if step == 1 else groups[group] for group in kept]  # type: ignore[index]
    return [
        Moment(", ".join(words(label) for label in _named(group)), snapshots[group[-1]],
               _across(snapshots[group[-1]], series or {})) for group in chosen
    ]  # fmt: skip


def _across(snapshot: Snapshot, series: Mapping[str, Any]) -> str:
    """The voltage across the cell at a snapshot, where it is recorded and not the applied one."""
    row = row_of(snapshot, series)
    if row is None or "device_V" not in series:
        return ""
    device_V = float(series["device_V"][row])
    if abs(device_V - snapshot.voltage_V) <= max(_SAME_V, _SAME * abs(snapshot.voltage_V)):
        return ""
    return f", {quantity(device_V, 'V')} {'at the gate' if 'state_S' in series else 'across the cell'}"


def row_of(snapshot: Snapshot, series: Mapping[str, Any]) -> int | None:
    """Row of the series at the end of whose interval a snapshot was taken; None of the state at the start."""
    rows = np.flatnonzero(np.asarray(series.get("time_s", ())) == snapshot.time_s)
    return int(rows[-1]) if rows.size else None


def _named(group: list[str]) -> list[str]:
    """Of the names of one moment those that say more: the end of a stage is more than the end of its pulse."""
    plain = [label for label in group if not label.endswith(("_peak", "_pulse"))]
    return plain or group
