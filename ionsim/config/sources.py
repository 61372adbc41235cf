"""Key paths of the ``[sources]`` table: nested or dotted, for one number, for a list or for a whole table."""

from collections.abc import Iterator
from typing import Any


def flatten(data: Any) -> Any:
    """Turn nested tables into dotted keys, so that ``vacancy.attempt_Hz = "..."`` needs no quotes around its key."""
    if not isinstance(data, dict):
        return data
    flat: dict[str, Any] = {}
    for key, value in data.items():
        inner = flatten(value)
        flat |= {f"{key}.{rest}": item for rest, item in inner.items()} if isinstance(inner, dict) else {key: inner}
    return flat


def source_keys(key: str) -> Iterator[str]:
    """The keys of ``[sources]`` that speak for a number, nearest first: its own, its list's, those of tables above."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        yield ".".join(parts[:length])
        yield ".".join(part for part in parts[:length] if not part.isdecimal())
