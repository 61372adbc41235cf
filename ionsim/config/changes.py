"""Changing plain data by dotted key paths: what ``Device.replace`` and ``--set key=value`` have in common."""

import copy
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from ionsim.errors import DeviceFileError, nearest


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn ``key=value`` texts into ``{key: value}``.

    A value is read as TOML (``6.0``, ``true``, ``[1, 2]``, ``{kind = "read"}``); what is not TOML is a string, and the
    bare word ``none`` takes an optional key out.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise DeviceFileError(f"--set {assignment}: must be KEY=VALUE, such as layers.oxide.thickness_nm=6.0")
        changes[key.strip()] = _parse_value(text.strip())
    return changes


def _parse_value(text: str) -> Any:
    if text == "none":
        return None
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # Text with a line break in it could smuggle in a second key; then it is no value but a plain string.
    return table["value"] if len(table) == 1 else text


def apply(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of ``data`` with each ``{"a.b.0.c": value}`` set; None removes the key.

    Tables on the way are made where absent; entries of a list go by their index.
    """
    result = copy.deepcopy(dict(data))
    for key, value in changes.items():
        _set(result, key, _plain(value))
    return result


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else copy.deepcopy(value)


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    here: Any = data
    for depth, part in enumerate(parents):
        here = here.setdefault(part, {}) if isinstance(here, dict) else here[_index(here, part, key)]
        if not isinstance(here, dict | list):
            inner = ".".join(parents[: depth + 1])
            raise DeviceFileError(f"{key}: there is no such key, since {inner} is one value and not a table")
    if isinstance(here, list):
        here[_index(here, last, key)] = value
    elif value is None:
        here.pop(last, None)
    else:
        here[last] = value


def _index(items: list[Any], part: str, key: str) -> int:
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    names = [str(item["name"]) for item in items if isinstance(item, dict) and "name" in item]
    if part in names:
        return names.index(part)
    allowed = f"an index from 0 to {len(items) - 1}" if items else "nothing, since the list is empty"
    named = f" or a name ({', '.join(names)}){nearest(part, names)}" if names else ""
    raise DeviceFileError(f"{key}: {part!r} picks no entry of the list; allowed is {allowed}{named}")
