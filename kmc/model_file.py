"""A model as TOML: every constructor of :mod:`kmc.process` is a ``kind`` of process, its arguments are the keys.

::

    species = ["empty", "ion"]

    [charges_e]
    ion = 1.0

    [[process]]
    kind = "hop"               # hop, reaction, turn, adsorption, exchange or electrode
    species = "ion"
    into = "empty"
    barrier_eV = 0.5           # -inf for Metropolis rates

    [[pair_energy]]
    first = "ion"
    second = "ion"
    energy_eV = 0.03
    within_nm = 0.3

    [[reservoir]]
    name = "cathode"
    capacity = 500
"""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from kmc import process as kinds
from kmc.errors import KmcError
from kmc.model import Model, PairEnergy, Reservoir
from kmc.process import EXCHANGE, SINGLE, Process, hint

#: The kinds of a process. What :func:`adsorption` builds is written as a reaction or a turn at a constant rate.
KINDS: dict[str, Callable[..., Process]] = {
    make.__name__: make
    for make in (kinds.hop, kinds.reaction, kinds.turn, kinds.adsorption, kinds.exchange, kinds.electrode)
}

#: Keys that hold species.
_SPECIES_KEYS = {"species", "into", "before", "after", "first", "second"}

#: How a message names a type.
_TYPES = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
_TEXTS = "a list of texts"

_TABLES = ("species", "charges_e", "site_energies_eV", "process", "pair_energy", "reservoir")


def read(path_or_text: str | PathLike[str]) -> Model:
    """The model of a TOML file, or of a text (which has a line break or an equals sign in it).

    Raises:
        KmcError: naming the file, the key, its value, what is allowed and the nearest valid name.
    """
    if isinstance(path_or_text, str) and re.search(r"[\n=]", path_or_text):
        origin, text = "model", path_or_text
    else:
        origin = str(path_or_text)
        try:
            text = Path(path_or_text).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise KmcError(f"{origin}: cannot be read as a model file: {error}") from error
    try:
        return from_data(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KmcError) as error:
        what = "not valid TOML: " if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise KmcError(f"{origin}: {what}{error}") from error


def from_data(data: Mapping[str, Any]) -> Model:
    """The model of a table that has been read already, such as a part of a larger file."""
    for key, value in data.items():
        if key not in _TABLES:
            _refuse(key, value, f"unknown key; known are {hint(key, _TABLES)}")
    species = data.get("species")
    if species is None:
        raise KmcError("species: missing; a list of names is needed, above the first table")
    if not _fits(Sequence[str], species):
        _refuse("species", species, "a list of texts is needed")
    reservoirs = [
        _build(Reservoir, table, f"reservoir.{i}", species, "a reservoir")
        for i, table in enumerate(_tables(data, "reservoir"))
    ]
    names = [reservoir.name for reservoir in reservoirs]
    return Model(
        species=tuple(species),
        processes=[_process(table, f"process.{i}", species, names) for i, table in enumerate(_tables(data, "process"))],
        charges_e=_numbers(data, "charges_e", species),
        site_energies_eV=_numbers(data, "site_energies_eV", species),
        pair_energies=[
            _build(PairEnergy, table, f"pair_energy.{i}", species, "a pair energy")
            for i, table in enumerate(_tables(data, "pair_energy"))
        ],
        reservoirs=reservoirs,
    )


def write(what: Model) -> str:
    """The model as TOML, without what is at its default."""
    lines = [f"species = {_toml(what.species)}"]
    for name in ("charges_e", "site_energies_eV"):
        if numbers := getattr(what, name):
            lines += ["", f"[{name}]", *(f"{_key(key)} = {_toml(float(value))}" for key, value in numbers.items())]
    for process in what.processes:
        kind, given = _arguments(process)
        lines += ["", "[[process]]", f'kind = "{kind}"', *_given(KINDS[kind], given)]
    for name, items in (("pair_energy", what.pair_energies), ("reservoir", what.reservoirs)):
        for item in items:
            lines += ["", f"[[{name}]]", *_given(type(item), vars(item))]
    return "\n".join(lines) + "\n"


# -- reading --------------------------------------------------------------------------------------------------------


def _refuse(path: str, value: object, why: str) -> NoReturn:
    raise KmcError(f"{path} = {_shown(value)}: {why}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    tables = data.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        _refuse(key, tables, f"a list of tables, each under [[{key}]], is needed")
    return tables


def _numbers(data: Mapping[str, Any], key: str, species: Sequence[str]) -> dict[str, float]:
    """A table of one number for each species."""
    table = data.get(key, {})
    if not isinstance(table, dict):
        _refuse(key, table, f"a table of numbers, under [{key}], is needed")
    for name, value in table.items():
        if name not in species:
            _refuse(f"{key}.{name}", value, f"unknown species {name!r}; known are {hint(name, species)}")
        if not _fits(float, value):
            _refuse(f"{key}.{name}", value, "a number is needed")
    return table


def _process(table: Mapping[str, Any], path: str, species: Sequence[str], reservoirs: Sequence[str]) -> Process:
    kind = table.get("kind")
    if kind is None:
        raise KmcError(f"{path}.kind: missing; one of {', '.join(KINDS)} is needed")
    if not isinstance(kind, str) or kind not in KINDS:
        _refuse(f"{path}.kind", kind, f"unknown kind; known are {hint(str(kind), tuple(KINDS))}")
    if kind in ("exchange", "electrode") and isinstance(table.get("reservoir"), str):
        _known(f"{path}.reservoir", table["reservoir"], reservoirs, "reservoir")
    given = {key: value for key, value in table.items() if key != "kind"}
    process: Process = _build(KINDS[kind], given, path, species, f"a process of the kind {kind!r}")
    return process


def _build(make: Callable[..., Any], table: Mapping[str, Any], path: str, species: Sequence[str], what: str) -> Any:
    """Call a constructor with the keys of a table, each checked against its arguments."""
    arguments, types = inspect.signature(make).parameters, get_type_hints(make)
    for key, value in table.items():
        if key not in arguments:
            _refuse(f"{path}.{key}", value, f"unknown key; those of {what} are {hint(key, tuple(arguments))}")
        if not _fits(types[key], value):
            _refuse(f"{path}.{key}", value, f"{_needed(types[key])} is needed")
        if key in _SPECIES_KEYS:
            for name in [value] if isinstance(value, str) else value:
                _known(f"{path}.{key}", name, species, "species")
    for key, argument in arguments.items():
        if argument.default is argument.empty and key not in table:
            raise KmcError(f"{path}.{key}: missing; {what} needs it, {_needed(types[key])}")
    try:
        return make(**table)
    except KmcError as error:
        raise KmcError(f"{path}: {error}") from error


def _known(path: str, name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        _refuse(path, name, f"unknown {what}; known are {hint(name, known)}")


def _choices(kind: Any) -> tuple[Any, ...]:
    """The types of an annotation: those of a union, without None."""
    union = kind != Sequence[str] and get_args(kind)
    return tuple(choice for choice in union or (kind,) if choice is not type(None))


def _fits(kind: Any, value: object) -> bool:
    for choice in _choices(kind):
        if choice in _TYPES:
            wanted = (int, float) if choice is float else choice
            fits = isinstance(value, wanted) and (choice is bool or not isinstance(value, bool))
        else:
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if fits:
            return True
    return False


def _needed(kind: Any) -> str:
    return " or ".join(_TYPES.get(choice, _TEXTS) for choice in _choices(kind))


# -- writing --------------------------------------------------------------------------------------------------------


def _arguments(process: Process) -> tuple[str, dict[str, Any]]:
    """The kind that builds a process, and its arguments by their names."""
    values = dict(vars(process))
    if process.own_reverse:
        return "hop", {**values, "species": process.before[0], "into": process.before[1]}
    if process.kind not in (SINGLE, EXCHANGE):
        return "reaction", values
    kind = "turn" if process.kind == SINGLE else "exchange" if process.particles else "electrode"
    return kind, {**values, "before": process.before[0], "after": process.after[0]}


def _given(make: Callable[..., Any], values: Mapping[str, Any]) -> list[str]:
    """Lines of the arguments that are not at their defaults."""
    lines = []
    for key, argument in inspect.signature(make).parameters.items():
        follows = key in ("barrier_eV", "reversible") and values.get("rate_Hz") is not None
        if values[key] != argument.default and not follows:
            value = float(values[key]) if float in _choices(get_type_hints(make)[key]) else values[key]
            lines.append(f"{key} = {_toml(value)}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        short = short if float(short) == value else repr(value)
        return short if re.search(r"[.einf]", short) else f"{short}.0"
    if isinstance(value, Sequence):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(int(value))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
