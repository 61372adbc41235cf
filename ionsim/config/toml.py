"""A TOML writer for plain data: what :mod:`tomllib` reads back to the same values."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dumps(data: Mapping[str, Any]) -> str:
    """Serialise nested mappings of str, bool, int, float, lists and mappings; None is left out (TOML has no null)."""
    lines: list[str] = []
    _table(data, (), lines)
    return "\n".join(lines).strip("\n") + "\n"


def value_text(value: Any) -> str:
    """The TOML text of one value, tables inline; anything that TOML has no form for as its Python text."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # JSON's escapes are a subset of those of a TOML basic string, except for DEL, which JSON leaves bare.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{" + ", ".join(f"{_key(k)} = {value_text(v)}" for k, v in value.items() if v is not None) + "}"
        case list() | tuple():
            return "[" + ", ".join(value_text(item) for item in value) + "]"
    return str(value)


def _table(data: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    """Append the lines of one table: its plain values first, since they may not follow a sub-table's header."""
    tables = {key: value for key, value in data.items() if isinstance(value, Mapping)}
    arrays = {key: value for key, value in data.items() if _is_array_of_tables(value)}
    for key, value in data.items():
        if value is not None and key not in tables and key not in arrays:
            lines.append(f"{_key(key)} = {value_text(value)}")
    for key, value in tables.items():
        header = ".".join(_key(part) for part in (*path, key))
        lines += ["", f"[{header}]"]
        _table(value, (*path, key), lines)
    for key, items in arrays.items():
        header = ".".join(_key(part) for part in (*path, key))
        for item in items:
            lines += ["", f"[[{header}]]"]
            _table(item, (*path, key), lines)


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else value_text(key)
