"""What a fit may change: ``key=lo:hi`` or ``key=lo:hi:log``, checked against the schema of the device file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ionsim.config import Device, schema
from ionsim.drive import Drive
from ionsim.errors import DeviceFileError, FitError, nearest

#: Significant digits of a value that is run: what is kept of an evaluation is found again by what is written.
DIGITS = 12


@dataclass(frozen=True)
class Parameter:
    """A number of the device file that is varied between ``low`` and ``high``; ``start`` is where the search begins.

    ``key`` has entries of lists by index. The search goes over shares u from 0 to 1 of the range, or of its logarithm.
    """

    key: str
    low: float
    high: float
    start: float
    scale: Literal["linear", "log"] = "linear"

    def value(self, share: float) -> float:
        """The value at a share of the range, in twelve digits and within the range."""
        if self.scale == "log":
            value = math.exp(math.log(self.low) + share * math.log(self.high / self.low))
        else:
            value = self.low + share * (self.high - self.low)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def share(self, value: float) -> float:
        """The share of the range at a value."""
        if self.scale == "log":
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def parameters(device: Device, texts: Iterable[str]) -> tuple[Parameter, ...]:
    """Read ``--vary`` texts for a device.

    Raises:
        FitError: with the key, the text and what is allowed: no key of the device file, no number, lo >= hi, a range
            that the schema or a cross check refuses, a key that comes twice.
    """
    found: dict[str, Parameter] = {}
    for text in texts:
        parameter = _one(device, text)
        if parameter.key in found:
            raise FitError(f"--vary {text}: {parameter.key} comes twice; each may come once")
        found[parameter.key] = parameter
    if not found:
        raise FitError("--vary: none; a fit needs at least one KEY=LO:HI, such as continuum.barrier_eV=0.8:1.2")
    return tuple(found.values())


def changes(items: Sequence[Parameter], shares: Iterable[float]) -> dict[str, float]:
    """Key path -> value at shares of the ranges."""
    return {item.key: item.value(float(share)) for item, share in zip(items, shares, strict=True)}


def _one(device: Device, text: str) -> Parameter:
    key, equals, given = (part.strip() for part in text.partition("="))
    parts = [part.strip() for part in given.split(":")]
    if not equals or not key or len(parts) not in (2, 3):
        raise FitError(f"--vary {text}: must be KEY=LO:HI or KEY=LO:HI:log, such as ion.hop_barrier_eV=0.4:0.6")
    if len(parts) == 3 and parts[2] not in ("log", "linear"):
        raise FitError(f"--vary {text}: {parts[2]!r} is no scale; allowed are log and linear")
    try:
        low, high = float(parts[0]), float(parts[1])
    except ValueError:
        raise FitError(f"--vary {text}: {parts[0]!r} and {parts[1]!r} must be two numbers, LO:HI") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise FitError(f"--vary {text}: lo = {low:g} must be below hi = {high:g}, both finite")
    log = len(parts) == 3 and parts[2] == "log"
    if log and low <= 0.0:
        raise FitError(f"--vary {text}: lo = {low:g} must be above 0 for the scale log")
    whole, start = _start(device, key, text)
    if whole:
        raise FitError(f"--vary {text}: {key} is a whole number; only numbers that change continuously can be fitted")
    for value in (low, high):
        _try(device, key, value, text)
    key = index_path(device, key)
    if start is None:
        start = math.sqrt(low * high) if log else 0.5 * (low + high)
    elif not low <= start <= high:
        raise FitError(
            f"--vary {text}: the device file has {key} = {start:g}, outside of {low:g} to {high:g}; widen the range, "
            f"or start elsewhere with --set {key}=VALUE"
        )
    return Parameter(key, low, high, start, "log" if log else "linear")


def _start(device: Device, key: str, text: str) -> tuple[bool, float | None]:
    """Whether a key is a whole number, and its value now (None where the file leaves it to a set, or out)."""
    paths: dict[str, list[Any]] = {}
    for path, field in schema.fields(type(device)):
        paths.setdefault(path, []).extend(schema.alternatives(field.annotation))
    kinds = next((paths[path] for path in without_names(key) if path in paths), None)
    if kinds is None:
        raise FitError(f"--vary {text}: the device file has no key path {key!r}{nearest(key, paths)}")
    if float not in kinds and int not in kinds:
        raise FitError(f"--vary {text}: {key} is no number; only numbers can be fitted")
    value = look_up(device.model_dump(mode="json"), key)
    if value is None:
        taken = device.taken_from_sets().get(key)
        value = None if taken is None else taken.value
    if value is None and key.startswith("materials.") and key.count(".") == 2:
        name, quantity = key.split(".")[1:]
        if device.has_material(name):
            there = device.material(name).quantities.get(quantity)
            value = None if there is None else there.value
    return float not in kinds, None if value is None else float(value)


def without_names(key: str) -> Iterable[str]:
    """A key path without its indices, and without each part that may be the name of a list's entry."""
    yield schema.schema_path(key)
    parts = key.split(".")
    for index in range(1, len(parts) - 1):
        yield schema.schema_path(".".join([*parts[:index], *parts[index + 1 :]]))


def look_up(data: Any, key: str) -> Any:
    """The value at a key path in plain data, entries of lists by index or name; None where there is none."""
    here = data
    for part in key.split("."):
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list | tuple):
            here = next((item for index, item in enumerate(here) if part in (str(index), _name(item))), None)
        else:
            return None
    return here


def _name(item: Any) -> str | None:
    return str(item["name"]) if isinstance(item, Mapping) and "name" in item else None


def index_path(device: Device, key: str) -> str:
    """The key path with entries of lists by index: the table ``[sources]`` knows no names."""
    here: Any = device.model_dump(mode="json")
    parts = []
    for part in key.split("."):
        if isinstance(here, list | tuple):
            part = next((str(i) for i, item in enumerate(here) if part in (str(i), _name(item))), part)
            here = here[int(part)] if part.isdecimal() and int(part) < len(here) else None
        else:
            here = here.get(part) if isinstance(here, Mapping) else None
        parts.append(part)
    return ".".join(parts)


def _try(device: Device, key: str, value: float, text: str) -> None:
    """The device at an end of a range is valid."""
    try:
        Drive(device.replace({key: value}).drive)
    except DeviceFileError as error:
        lines = [line.strip() for line in str(error).split("\n")]
        raise FitError(f"--vary {text}: {lines[1] if len(lines) > 1 else lines[0]}") from None
