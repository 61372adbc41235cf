"""Every number that a run uses, with its unit and source: what ``ionsim cite`` prints."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from ionsim import materials
from ionsim.config import schema
from ionsim.config.base import Section
from ionsim.config.device import Device

USER_INPUT = "user input"


@dataclass(frozen=True)
class Citation:
    """One number (or pair of numbers) of a run; ``source`` is never blank."""

    key: str
    value: float | tuple[float, ...]
    unit: str
    source: str


def cite(device: Device) -> list[Citation]:
    """Key, value, unit and source of every number of the device description and of the materials that a run uses.

    What the model of the device leaves aside (:meth:`Device.unused`: ``[continuum]`` of a lattice) is not listed.

    A source in the device file comes first; then, for a value that equals the default, the default's; a number without
    either is ``"user input"``.
    """
    citations = [
        Citation(key, value, schema.unit_of(field), _source(device, key, value, field))
        for key, value, field in _numbers(device, "")
        if not any(f"{key}.".startswith(f"{left_out}.") for left_out in device.unused())
    ]
    citations += [
        Citation(key, item.value, item.unit, item.reference) for key, item in device.taken_from_sets().items()
    ]
    for name in dict.fromkeys(name for _, name in device.material_keys()):
        changed = device.materials.get(name)
        citations += [
            Citation(f"materials.{name}.{key}", item.value, item.unit, item.reference)
            for key, item in device.material(name).quantities.items()
            if changed is None or getattr(changed, key) is None
        ]
    return citations


def _source(device: Device, key: str, value: Any, field: FieldInfo) -> str:
    own = device.source_of(key)
    if own is not None:
        return own
    if not field.is_required() and value == field.default:
        return materials.default_source(device.family, schema.schema_path(key)) or USER_INPUT
    return USER_INPUT


def _numbers(section: Section, prefix: str) -> Iterator[tuple[str, Any, FieldInfo]]:
    """Key path, value and field of every number below ``section``."""
    for name, field in type(section).model_fields.items():
        key, value = f"{prefix}{name}", getattr(section, name)
        if isinstance(value, Section):
            yield from _numbers(value, f"{key}.")
        elif isinstance(value, dict):
            for item, inner in value.items():
                if isinstance(inner, Section):
                    yield from _numbers(inner, f"{key}.{item}.")
        elif isinstance(value, tuple) and value and isinstance(value[0], Section):
            for index, inner in enumerate(value):
                yield from _numbers(inner, f"{key}.{index}.")
        elif _is_number(value) or (isinstance(value, tuple) and value and all(map(_is_number, value))):
            yield key, value, field


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
