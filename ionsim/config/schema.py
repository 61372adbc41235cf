"""Looking into the schema of device files: key paths, the field behind each, and a phrase for what it allows."""

import types
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from ionsim.config.base import Section

_NONE = type(None)
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def bare(annotation: Any) -> Any:
    """An annotation without ``Annotated`` around it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def alternatives(annotation: Any) -> list[Any]:
    """The members of a union (None left out), or the annotation alone."""
    annotation = bare(annotation)
    if _is_union(annotation):
        return [part for member in get_args(annotation) for part in alternatives(member) if part is not _NONE]
    return [annotation]


def is_section(annotation: Any) -> bool:
    """Whether an annotation is one table of the device file."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def tag_of(section: type[Section], discriminator: str) -> str:
    """The value of the discriminator that selects ``section`` in a union (``kind = "sweep"``)."""
    return str(get_args(section.model_fields[discriminator].annotation)[0])


def fields(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Dotted key path and field of everything below ``section``, tables included.

    Entries of lists have no index, names that the file chooses are ``*``, and a key that several kinds of a table have
    comes once for each.
    """
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        yield key, field
        for inner in alternatives(field.annotation):
            below = key
            if get_origin(inner) is dict:
                inner, below = bare(get_args(inner)[1]), f"{key}.*"
                yield below, field
            elif get_origin(inner) is tuple:
                inner = bare(get_args(inner)[0])
            if is_section(inner):
                yield from fields(inner, f"{below}.")


def key_paths(section: type[Section]) -> list[str]:
    """All dotted key paths of :func:`fields`, without repeats."""
    return list(dict.fromkeys(key for key, _ in fields(section)))


def file_keys(section: type[Section]) -> set[str]:
    """The key paths whose value is the path of a file."""
    return {key for key, field in fields(section) if Path in alternatives(field.annotation)}


def schema_path(key: str) -> str:
    """A key path as :func:`fields` has it: ``stages.0.stop_V`` -> ``stages.stop_V``, a material's name ``*``."""
    parts = [part for part in key.split(".") if not part.isdecimal()]
    if parts[0] == "materials" and len(parts) > 1:
        parts[1] = "*"
    return ".".join(parts)


def trace(section: type[Section], location: Sequence[int | str]) -> tuple[str, FieldInfo | None, type[Section]]:
    """Follow one of pydantic's error locations into the schema.

    Returns the dotted key path as a person would write it (without the names of union members that pydantic puts in),
    the field (None for an unknown key), and the table that holds the field.
    """
    keys: list[str] = []
    field: FieldInfo | None = None
    holder = section
    here: Any = section
    discriminator: str | None = None
    for part in location:
        members = alternatives(here)
        if discriminator is not None:
            # A discriminated union puts the chosen tag into the location; it is no key of the file.
            here = next(member for member in members if tag_of(member, discriminator) == part)
            discriminator = None
        elif is_section(members[0]):
            holder = members[0]
            keys.append(str(part))
            field = holder.model_fields.get(str(part))
            if field is None:
                break
            here = field.annotation
            discriminator = field.discriminator if isinstance(field.discriminator, str) else None
        elif get_origin(members[0]) in (tuple, dict):
            keys.append(str(part))
            here = get_args(members[0])[-1 if get_origin(members[0]) is dict else 0]
        else:
            break
    return ".".join(keys), field, holder


def unit_of(field: FieldInfo) -> str:
    """The unit of a field, empty where it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def allowed(field: FieldInfo) -> str:
    """What a field allows, in words: ``a number > 0 and <= 1000, in nm (film thickness)``."""
    members = get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    kinds = [_kind(bare(item)) + _limits(getattr(item, "__metadata__", ())) for item in members if item is not _NONE]
    phrase = " or ".join(dict.fromkeys(kinds)) + _limits(field.metadata)
    patterns = [item.pattern for item in field.metadata if getattr(item, "pattern", None)]
    if patterns:
        phrase += f" that matches {patterns[0]}"
    if unit := unit_of(field):
        phrase += f", in {unit}"
    return f"{phrase} ({field.description})" if field.description else phrase


def short(number: float) -> str:
    """A number as a person writes it: ``1e9`` and not ``1e+09``."""
    mantissa, exponential, exponent = f"{number:g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponential else mantissa


def _limits(metadata: Iterable[Any]) -> str:
    """The bounds among a field's metadata, in words with a leading blank."""
    items = list(chain.from_iterable(getattr(item, "metadata", [item]) for item in metadata))
    bounds = [
        f"{symbol} {short(getattr(item, name))}"
        for item in items
        for name, symbol in _BOUNDS.items()
        if getattr(item, name, None) is not None
    ]
    return " " + " and ".join(bounds) if bounds else ""


def _kind(annotation: Any) -> str:
    """The name that a writer of TOML has for a type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(repr(value) for value in arguments)
    if origin is tuple:
        inner = bare(arguments[0])
        if is_section(inner):
            return "a list of tables"
        limits = _limits(getattr(arguments[0], "__metadata__", ()))
        counted = f"{len(arguments)} numbers" if arguments[-1] is not Ellipsis else "numbers"
        return f"a list of {counted}" + (f", each{limits}" if limits else "")
    if origin is dict or is_section(annotation):
        return "a table"
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text in quotes"}
    return "a path in quotes" if annotation is Path else names.get(annotation, str(annotation))
