"""The resistances that the drive of a phase-change cell has read.

A read is the last of consecutive recorded points of a stage at the read voltage: after a pulse the end of the rest,
where the cell has cooled; of ``kind = "read"`` the end of each read's plateau. Of a sweep it is the point nearest
``read_V`` on the way back of each stage. A rest at 0 V reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ionsim.config.waveforms import AnyDrive, Pulses, Read, Sweep
from ionsim.config.waveforms import Sequence as PulseSequence

Floats = NDArray[np.float64]

#: A voltage is the read voltage when it differs from it by less than this share.
_SAME = 1e-6


def read_resistances(drive: AnyDrive | None, series: Mapping[str, Floats]) -> tuple[NDArray[np.int64], Floats]:
    """Stage (n,) and resistance in ohm (n,) of every read, in the order of time.

    Without a read voltage in the drive (a constant voltage, a table, or None for an unknown drive) it is the smallest
    voltage recorded that is not 0.
    """
    if not len(series.get("voltage_V", ())) or "conductance_S" not in series:
        return np.empty(0, dtype=np.int64), np.empty(0)
    voltage_V, stage = np.abs(series["voltage_V"]), np.asarray(series["stage"]).astype(np.int64)
    if isinstance(drive, Sweep):
        rows = _on_the_way_back(voltage_V, stage, drive.read_V)
    else:
        at = np.abs(voltage_V - (read_V := _read_voltage(drive, voltage_V))) <= _SAME * read_V
        goes_on = np.append(at[1:] & (stage[1:] == stage[:-1]), False)
        rows = np.flatnonzero(at & ~goes_on & (read_V > 0.0))
    rows = rows[series["conductance_S"][rows] > 0.0]
    return stage[rows], 1.0 / series["conductance_S"][rows]


def read_figures(
    drive: AnyDrive | None, series: Mapping[str, Floats], stages: Sequence[str]
) -> dict[str, float | None]:
    """``R_<stage>_ohm``, the last read of each stage; ``R_LRS_ohm``, ``R_HRS_ohm``, ``on_off_ratio``: the least and the
    largest resistance read, and their ratio. These are None with fewer than two reads: one cannot be called low."""
    at, ohm = read_resistances(drive, series)
    found: dict[str, float | None] = {}
    for index, name in enumerate(stages):
        own = ohm[at == index]
        found[f"R_{name}_ohm"] = float(own[-1]) if len(own) else None
    low, high = (float(ohm.min()), float(ohm.max())) if len(ohm) > 1 else (None, None)
    return found | {"R_LRS_ohm": low, "R_HRS_ohm": high, "on_off_ratio": high / low if low and high else None}


def _read_voltage(drive: AnyDrive | None, voltage_V: Floats) -> float:
    """Size of the read voltage in V, of a drive other than a sweep; 0 where it reads nothing."""
    if isinstance(drive, Pulses | PulseSequence):
        return abs(drive.read_V)
    if isinstance(drive, Read):
        return abs(drive.voltage_V)
    return float(np.min(voltage_V[voltage_V > 0.0], initial=np.inf)) if voltage_V.any() else 0.0


def _on_the_way_back(voltage_V: Floats, stage: NDArray[np.int64], read_V: float) -> NDArray[np.int64]:
    """Rows nearest the read voltage after the turn of each stage of a sweep that comes back to it."""
    rows = []
    for index in np.unique(stage):
        part = np.flatnonzero(stage == index)
        back = part[int(np.argmax(voltage_V[part])) :]
        nearest = back[int(np.argmin(np.abs(voltage_V[back] - read_V)))]
        if nearest != back[0]:
            rows.append(nearest)
    return np.array(rows, dtype=np.int64)
