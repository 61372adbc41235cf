"""The summary of a run: one flat object whose keys carry units."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ionsim.results.atomic import write_text

Number = float | int | str | bool | None

#: What depends on the machine and its load, not on the device and the seed: wall time, and the share of it that went
#: into the fields.
TIMING = ("wall_time_s", "field_share")


def plain(summary: Mapping[str, Any]) -> dict[str, Number]:
    """The summary in types that JSON has: NumPy numbers as Python's, and None for nan and infinity."""
    return {key: _plain(key, value) for key, value in summary.items()}


def _plain(key: str, value: Any) -> Number:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, float | int | str | bool):
        return value
    raise ValueError(f"summary value {key} is a {type(value).__name__}; the summary is flat: numbers, texts or None")


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``; null where a quantity did not occur."""
    write_text(path, json.dumps(plain(summary), indent=2, allow_nan=False) + "\n")
