"""From pydantic's validation errors to messages a physicist can act on: key path, value, what is allowed."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from ionsim.config import schema
from ionsim.config.base import Problem, Section
from ionsim.config.toml import value_text
from ionsim.errors import DeviceFileError, nearest

_CROSS_CHECK = "cross_check"


def cross_check_error(problems: Sequence[Problem]) -> PydanticCustomError:
    """The error that a validator raises for problems that it found by comparing keys."""
    return PydanticCustomError(_CROSS_CHECK, "keys contradict each other", {"problems": list(problems)})


def device_file_error(error: ValidationError, model: type[Section], origin: str) -> DeviceFileError:
    """One exception with one line per problem; ``origin`` names the file or text that was read."""
    return report(_problems(error, model), origin)


def report(problems: Iterable[Problem], origin: str) -> DeviceFileError:
    """The exception for a list of problems, one line each, in the order given and without repeats."""
    lines = list(dict.fromkeys(_line(problem) for problem in problems))
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return DeviceFileError("\n  ".join([f"{origin}: {count}", *lines]))


def _line(problem: Problem) -> str:
    if problem.value is None:
        return f"{problem.key}: {problem.message}"
    text = value_text(problem.value)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f"{problem.key} = {shown}: {problem.message}"


def _problems(error: ValidationError, model: type[Section]) -> list[Problem]:
    found: dict[str, Problem] = {}
    suggested: set[str] = set()
    for item in error.errors(include_url=False):
        kind, location, received = item["type"], item["loc"], item["input"]
        if kind == _CROSS_CHECK:
            found |= {f"{problem.key} {problem.message}": problem for problem in item["ctx"]["problems"]}
            continue
        key, field, holder = schema.trace(model, location)
        if kind == "extra_forbidden":
            hint, target = _hint(key, holder, model)
            suggested.add(target)
            found[key] = Problem(key, f"unknown key{hint}", received)
        elif kind == "missing" and field is not None:
            found[key] = Problem(key, f"missing; needs {schema.allowed(field)}")
        elif kind in ("union_tag_invalid", "union_tag_not_found") and field is not None:
            found.setdefault(key, _wrong_tag(key, field, received))
        elif field is not None:
            # A union of plain types yields one error per member for the same key; one line says it all.
            found.setdefault(key, Problem(key, f"must be {schema.allowed(field)}", received))
        else:
            found.setdefault(key, Problem(key or "(whole file)", item["msg"], received))
    # A required key that is misspelt is one problem, not an unknown key and a missing one.
    return [p for key, p in found.items() if not (key in suggested and p.message.startswith("missing"))]


def _hint(key: str, holder: type[Section], model: type[Section]) -> tuple[str, str]:
    """The ending of an unknown key's message, and the full path of the key it suggests (empty without one)."""
    parent, _, name = key.rpartition(".")
    near = nearest(name, holder.model_fields)
    if near:
        target = next(field for field in holder.model_fields if repr(field) in near)
        return near, f"{parent}.{target}" if parent else target
    paths = schema.key_paths(model)
    elsewhere = [path for path in paths if path.rpartition(".")[2] == name]
    if elsewhere and schema.schema_path(key) not in paths:
        return f" (did you mean {elsewhere[0]!r}?)", ""
    # What is left has no like-sounding key, or belongs to another kind of the same table.
    return f"; allowed here: {', '.join(holder.model_fields)}", ""


def _wrong_tag(key: str, field: Any, received: Any) -> Problem:
    """A discriminated union whose ``kind`` is absent or unknown."""
    discriminator = field.discriminator
    tags = [schema.tag_of(member, discriminator) for member in schema.alternatives(field.annotation)]
    choices = ", ".join(repr(tag) for tag in tags)
    tag = received.get(discriminator) if isinstance(received, dict) else None
    message = f"missing; one of {choices}" if tag is None else f"must be one of {choices}{nearest(str(tag), tags)}"
    return Problem(f"{key}.{discriminator}", message, tag)
