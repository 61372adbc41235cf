"""How to make a run again, and where its numbers come from."""

from __future__ import annotations

import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ionsim.config import Device, cite, example_files, load
from ionsim.config.toml import value_text
from ionsim.errors import IonsimError
from ionsim.report.texts import number

#: More changes than this are better read in the device file.
_MOST_CHANGES = 12
#: Changes of an example that the head of a page names; keys that change no device.
_MOST_NAMED, _OWN = 6, ("description", "seed")


@dataclass(frozen=True)
class Parameter:
    """A number of the run; ``kind`` of its source: literature, calibrated, chosen, or user input."""

    key: str
    value: str
    unit: str
    source: str
    kind: str


def parameters(device: Device) -> dict[str, list[Parameter]]:
    """All numbers of a run with their sources (as ``ionsim cite`` prints them), by table of the device file."""
    found: dict[str, list[Parameter]] = {}
    for item in cite(device):
        table = item.key.split(".")[0]
        if "." not in item.key:
            table = "device"
        one = Parameter(item.key, number(item.value, 6), item.unit, item.source, _kind(item.source))
        found.setdefault(table, []).append(one)
    return found


def kinds(tables: Mapping[str, list[Parameter]]) -> dict[str, int]:
    """How many numbers have which kind of source."""
    count = Counter(one.kind for table in tables.values() for one in table)
    return {kind: count[kind] for kind in ("literature", "calibrated", "chosen", "user input") if count[kind]}


def _kind(source: str) -> str:
    for kind in ("calibrated", "chosen", "user input"):
        if source.startswith(kind):
            return kind
    return "literature"


def command(device: Device, text: str, seed: int) -> tuple[str, bool]:
    """The command that makes the run again, and whether it needs the device file that the page holds.

    A run of an example, or of one with a few changes, needs none.
    """
    for name, base in _examples_like(device):
        changes = _changes(base.to_toml(), text)
        if changes is None or len(changes) > _MOST_CHANGES:
            break
        options = [f"--set {shlex.quote(f'{key}={value}')}" for key, value in changes.items()]
        try:
            if base.overrides(f"{key}={value}" for key, value in changes.items()) != device:
                break
        except IonsimError:
            break
        return " ".join(["ionsim run", name, "--out DIR", f"--seed {seed}", *options]), False
    return f"ionsim run {file_name(device.name)} --out DIR --seed {seed}", True


def _examples_like(device: Device) -> Iterator[tuple[str, Device]]:
    """Shipped examples of a device's name and family."""
    for name in example_files():
        try:
            base = load(name)
        except IonsimError:
            continue
        if base.name == device.name and base.family == device.family:
            yield name, base


def changed(device: Device, text: str) -> str:
    """In what a run's device file differs from the shipped example of its name; empty where there is no difference."""
    for name, base in _examples_like(device):
        before, after = (dict(_paths(tomllib.loads(each))) for each in (base.to_toml(), text))
        keys = [key for key in (*before, *(key for key in after if key not in before)) if key not in _OWN]
        found = [f"{key} {_shown(before, key)} → {_shown(after, key)}" for key in keys
                 if before.get(key) != after.get(key)]  # fmt: skip
        more = f", and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        return f"changed from the example {name}: {', '.join(found[:_MOST_NAMED])}{more}" if found else ""
    return ""


def _paths(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its key path, tables within lists too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _paths(item, f"{prefix}.{index}")
    else:
        yield prefix, value


def _shown(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return "(none)" if key not in values else number(value, 6) if isinstance(value, float) else str(value)


def file_name(name: str) -> str:
    """A file name for a device."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) + ".toml"


def _changes(before: str, after: str) -> dict[str, str] | None:
    """Key path -> value of what differs; None where a key is gone, which ``--set`` cannot say."""
    first, second = (dict(_flat(tomllib.loads(text))) for text in (before, after))
    if set(first) - set(second):
        return None
    return {key: value_text(value) for key, value in second.items() if key not in first or first[key] != value}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
