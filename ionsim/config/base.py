"""The base of every table in a device file, and the two helpers that describe its fields."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo


class Section(BaseModel):
    """One table of a device file: immutable, no unknown keys, no silent conversion of types, no inf or nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a device file: the key's dotted path, the value received and what is allowed."""

    key: str
    message: str
    value: Any = None


#: Problems found by comparing keys with each other; the type of :meth:`ionsim.config.device.Device.cross_checks`.
Problems = Iterator[Problem]


def number(default: Any, unit: str, description: str, **bounds: float) -> Any:
    """A numeric field: its default (``...`` when required), unit, meaning, and gt/ge/lt/le bounds in that unit."""
    limits: dict[str, Any] = dict(bounds)
    return Field(default, description=description, json_schema_extra={"unit": unit}, **limits)


def setting(default: Any, description: str, **constraints: Any) -> Any:
    """A field that is not a number: its default (``...`` when required) and meaning."""
    return Field(default, description=description, **constraints)


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(Path(folder) / os.path.expanduser(path)))


#: A path to a file, made absolute against the folder of the device file.
FilePath = Annotated[Path, Field(strict=False), AfterValidator(_absolute)]

#: A coordinate in nm; farther away than any film is wide.
Coordinate = Annotated[float, Field(ge=-1e5, le=1e5)]

#: Two coordinates, written as a TOML array; only the array may be converted, its numbers are as strict as any other.
Pair = Annotated[tuple[Coordinate, Coordinate], Field(strict=False)]
