"""Cards: a compact model with the values that stand for one device, their errors and spread, and where they are from.

A card is JSON in SI. ``Card.text`` is the same for equal cards: keys in order, floats with all their digits, no dates.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from ionsim.compact.cardparts import (
    Covariance,
    DeviceText,
    ErrorRow,
    Matrix,
    Metric,
    PulseTrain,
    Range,
    Retention,
    RunEntry,
    Statistics,
    Table,
    Value,
)
from ionsim.compact.description import CompactError, Model
from ionsim.config.base import Problem, Section, setting
from ionsim.config.problems import device_file_error, report
from ionsim.errors import nearest
from ionsim.results.atomic import write_text

SCHEMA_VERSION = 1

#: How far a covariance may be from symmetric and positive, over its largest entry: rounding.
_ROUNDING = 1e-9


class MissingDataError(CompactError):
    """A card does not have what an export is made of, and its model cannot make it."""


class Card(Section):
    """One device as a compact model; ``load_card``, ``read_card`` and ``make_card`` make checked ones."""

    schema_version: Literal[1] = setting(..., "version of this schema")
    name: str = setting(..., "name of the card, good for a module: lower case, digits, _", pattern="^[a-z][a-z0-9_]*$")
    family: str = setting(..., "family of the model")
    model: str = setting(..., "name of the model's equations in ionsim.compact.families")
    summary: str = setting("", "one line for people")
    device: DeviceText | None = setting(None, "the device behind it; null for measured data")
    parameters: Table[Value] = setting(..., "parameters of the model; those that are missing keep the family's default")
    covariance: Covariance | None = setting(None, "of the fitted parameters")
    validity: Table[Range] = setting(..., "quantity with its unit -> [low, high] of what was fitted")
    errors: tuple[ErrorRow, ...] = setting((), "comparisons with the physics")
    statistics: Statistics | None = setting(None, "spread of the model's parameters")
    observed: Statistics | None = setting(None, "spread of what the physics ensemble showed (V_set_V, g_on_S, ...)")
    pulses: tuple[PulseTrain, ...] = setting((), "conductance against pulse number")
    retention: tuple[Retention, ...] = setting((), "conductance against time")
    benchmark: Table[Metric] = setting({}, "metrics that every device reports")
    provenance: tuple[RunEntry, ...] = setting((), "runs behind the card")

    def compact_model(self) -> Model:
        """The family's equations with the card's values as defaults."""
        return find_model(self.model).with_defaults(
            {name: item.value for name, item in self.parameters.items()}, f"card {self.name}"
        )

    def values(self) -> dict[str, float]:
        """All parameters of the model by name."""
        return self.compact_model().values()

    def trains(self, direction: str) -> list[PulseTrain]:
        """The pulse trains ``up`` or ``down``."""
        return [train for train in self.pulses if train.direction == direction]

    def text(self) -> str:
        """The card as JSON; equal cards give equal text."""
        return _json(self.model_dump(mode="json")) + "\n"

    def sha256(self) -> str:
        """SHA-256 of the text: what exports quote as their origin."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def save(self, path: str | Path) -> Path:
        """Write the text to a file, whole or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, self.text())
        return target


def make_card(data: Mapping[str, Any], origin: str = "card") -> Card:
    """A checked card from plain data; raises CompactError with one line a problem: key, value, what is allowed."""
    try:
        text = json.dumps({"schema_version": SCHEMA_VERSION, **data}, default=_plain)
    except TypeError as error:
        raise CompactError(f"{origin}: {error}") from error
    return read_card(text, origin)


def load_card(path: str | Path) -> Card:
    """A checked card from a file; raises CompactError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CompactError(f"{path}: cannot be read as text ({error})") from error
    return read_card(text, str(path))


def shipped_cards() -> dict[str, Path]:
    """The cards that come with ionsim, one a family, by name of the family."""
    folder = Path(__file__).parent / "cards"
    return {path.parent.name: path for path in sorted(folder.glob("*/card.json"))}


def find_card(name_or_path: str | Path) -> Path:
    """The file that a path (of a card, or of a folder with one) or a shipped card's name means; raises CompactError."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    if (path / "card.json").is_file():
        return path / "card.json"
    known = shipped_cards()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    there = ", ".join(known) or "none"
    raise CompactError(f"{name_or_path}: no such file, and no shipped card{nearest(str(name_or_path), known)}; {there}")


def read_card(text: str, origin: str = "card") -> Card:
    """A checked card from JSON; raises CompactError."""
    try:
        version = json.loads(text)
    except ValueError as error:
        raise CompactError(f"{origin}: is no JSON ({error})") from error
    if isinstance(version, dict) and version.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise CompactError(f"{origin}: schema_version = {version['schema_version']!r}: this ionsim reads 1")
    try:
        card = Card.model_validate_json(text)
    except ValidationError as error:
        raise CompactError(str(device_file_error(error, Card, origin))) from error
    if problems := _problems(card):
        raise CompactError(str(report(problems, origin)))
    return card


def json_schema() -> dict[str, Any]:
    """The JSON schema of a card."""
    return Card.model_json_schema()


def device_text(name: str, toml: str) -> dict[str, str]:
    """The table ``device`` of a card."""
    return {"name": name, "toml": toml, "sha256": hashlib.sha256(toml.encode()).hexdigest()}


def find_model(name: str) -> Model:
    """The family's model of that name; raises CompactError with the nearest one."""
    from ionsim.compact import families

    known = {item.name: item for item in vars(families).values() if isinstance(item, Model)}
    if name not in known:
        raise CompactError(f"model = {name!r}: no such model{nearest(name, known)}; there are {', '.join(known)}")
    return known[name]


def _plain(value: Any) -> Any:
    """What json.dumps does not know: numbers and arrays of numpy, tables of a card."""
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a card")


def _problems(card: Card) -> list[Problem]:
    """What single fields cannot show: names and ranges of the model, shapes, order."""
    found: list[Problem] = []
    try:
        model = find_model(card.model)
    except CompactError as error:
        return [Problem("model", str(error).partition(": ")[2], card.model)]
    if card.family != model.family:
        found.append(Problem("family", f"must be {model.family!r}, the family of {card.model}", card.family))
    known = {parameter.name: parameter for parameter in model.parameters}
    for name, item in card.parameters.items():
        key = f"parameters.{name}"
        if name not in known:
            found.append(Problem(key, f"{card.model} has no such parameter{nearest(name, known)}", item.value))
            continue
        try:
            known[name].check(item.value)
        except CompactError as error:
            found.append(Problem(f"{key}.value", str(error).partition(": ")[2], item.value))
        if item.unit != known[name].unit:
            found.append(Problem(f"{key}.unit", f"must be {known[name].unit!r}", item.unit))
    for name, (low, high) in card.validity.items():
        if low > high:
            found.append(Problem(f"validity.{name}", "must be [low, high] with low <= high", [low, high]))
    if card.device is not None and card.device.sha256 != hashlib.sha256(card.device.toml.encode()).hexdigest():
        found.append(Problem("device.sha256", "is not that of device.toml", card.device.sha256))
    found += _covariance_problems(card)
    for key, statistics in (("statistics", card.statistics), ("observed", card.observed)):
        if statistics is not None:
            found += _statistics_problems(key, statistics, set(known) if key == "statistics" else None)
    for index, row in enumerate(card.retention):
        if len(row.times_s) != len(row.conductances_S) or row.times_s[0] <= 0 or np.any(np.diff(row.times_s) <= 0):
            found.append(Problem(f"retention.{index}.times_s", "must rise from > 0, one for each conductance"))
    return found


def _covariance_problems(card: Card) -> list[Problem]:
    if card.covariance is None:
        return []
    names = card.covariance.names
    found = [Problem("covariance.names", "is no parameter of this card", name) for name in names
             if name not in card.parameters]  # fmt: skip
    if set(card.covariance.scale) != set(names):
        found.append(Problem("covariance.scale", f"must name {', '.join(names)}", list(card.covariance.scale)))
    return found + _matrix_problems("covariance.matrix", card.covariance.matrix, len(names))


def _statistics_problems(key: str, statistics: Statistics, parameters: set[str] | None) -> list[Problem]:
    names = statistics.names
    found = []
    if parameters is not None:
        found += [
            Problem(f"{key}.names", f"is no parameter of the model{nearest(name, parameters)}", name)
            for name in names
            if name not in parameters
        ]
    for part, table in (("marginals", statistics.marginals), ("intervals", statistics.intervals)):
        if set(table) != set(names):
            found.append(Problem(f"{key}.{part}", f"must name {', '.join(names)}", list(table)))
    if len(statistics.mean) != len(names):
        found.append(Problem(f"{key}.mean", f"must be {len(names)} numbers", list(statistics.mean)))
    for name, item in statistics.marginals.items():
        rising = len(item.scores) == len(item.values) >= 2 and np.all(np.diff(item.scores) > 0)
        if item.kind == "empirical" and not (rising and np.all(np.diff(item.values) >= 0)):
            found.append(Problem(f"{key}.marginals.{name}.values", "must rise, one for each of two or more scores"))
    found += _matrix_problems(f"{key}.device_covariance", statistics.device_covariance, len(names))
    return found + _matrix_problems(f"{key}.cycle_covariance", statistics.cycle_covariance, len(names))


def _matrix_problems(key: str, matrix: Matrix, n: int) -> list[Problem]:
    if len(matrix) != n or any(len(row) != n for row in matrix):
        return [Problem(key, f"must be {n} rows of {n} numbers")]
    if n == 0:
        return []
    values = np.array(matrix)
    rounding = _ROUNDING * float(np.abs(values).max())
    if np.abs(values - values.T).max() > rounding or np.linalg.eigvalsh((values + values.T) / 2).min() < -rounding:
        return [Problem(key, "must be symmetric and have no negative eigenvalue")]
    return []


def _json(value: Any, indent: str = "") -> str:
    """JSON with tables on many lines and rows of numbers on one."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{json.dumps(str(key))}: {_json(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, list | dict) for v in value):
        return "[\n" + ",\n".join(inner + _json(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
