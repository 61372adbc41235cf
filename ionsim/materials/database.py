"""The material database: numbers with units and sources, read from the TOML files of this folder."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from ionsim.errors import IonsimError, nearest

#: The unit of each property that a material may have; a property's name carries it as well.
UNITS = {
    "electrical_S_per_m": "S/m",
    "thermal_W_per_mK": "W/(m K)",
    "capacity_J_per_m3K": "J/(m^3 K)",
    "relative_permittivity": "",
    "melting_K": "K",
}
_FILES = ("electrodes.toml", "oxides.toml", "surroundings.toml")
_ION_SETS = "ion_sets.toml"
_BOUNDARY_SETS = "boundary_sets.toml"


class MaterialError(IonsimError):
    """A material that the database does not hold, or a property that a material does not have."""


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and the source that it was taken from."""

    value: float
    unit: str
    source: str
    note: str = ""

    @property
    def reference(self) -> str:
        """Source and, in brackets, the note."""
        return f"{self.source} ({self.note})" if self.note else self.source


@dataclass(frozen=True)
class Material:
    """A material's quantities by property name (see :data:`UNITS`)."""

    name: str
    description: str = ""
    scavenger: bool = False
    quantities: Mapping[str, Quantity] = field(default_factory=dict)

    def quantity(self, key: str) -> Quantity:
        """The quantity of a property; :class:`MaterialError` where the material has none."""
        if key not in self.quantities:
            known = ", ".join(self.quantities) or "nothing"
            raise MaterialError(
                f"material {self.name!r} has no {key}{nearest(key, self.quantities)}; it has {known}; "
                f"give it in the device file as materials.{self.name}.{key}"
            )
        return self.quantities[key]

    def value(self, key: str) -> float:
        """The number of a property, in the unit that its name carries."""
        return self.quantity(key).value

    def changed(self, quantities: Mapping[str, Quantity], scavenger: bool | None = None) -> "Material":
        """A copy in which some quantities (and, where given, the scavenging) are replaced."""
        takes_oxygen = self.scavenger if scavenger is None else scavenger
        return replace(self, quantities={**self.quantities, **quantities}, scavenger=takes_oxygen)


def material(name: str) -> Material:
    """The material of that name; :class:`MaterialError` with the nearest name for a typo."""
    database = _database()
    if name not in database:
        raise MaterialError(f"unknown material {name!r}{nearest(name, database)}; known: {', '.join(database)}")
    return database[name]


def names() -> list[str]:
    """The names of all materials."""
    return list(_database())


def default_source(family: str, key: str) -> str | None:
    """The source of a device file's default; ``key`` is its path without list indices. None for an unknown key."""
    tables = _default_sources()
    return tables.get(family, {}).get(key) or tables["common"].get(key)


def default_source_keys(families: Iterable[str]) -> set[str]:
    """All keys that have a default's source, for the given families and the ones common to all."""
    tables = _default_sources()
    return set().union(tables["common"], *(tables.get(family, {}) for family in families))


def ion_set(metal: str, electrolyte: str) -> dict[str, Quantity]:
    """Kinetic numbers of a metal and of its ions in an electrolyte by key path; what is not known is missing."""
    sets = _read_sets(_ION_SETS)
    return {**sets.get(metal, {}), **sets.get(f"{metal}-{electrolyte}", {})}


def ion_sets() -> list[tuple[str, str]]:
    """Metal and electrolyte of every set."""
    pairs = [name.split("-") for name in _read_sets(_ION_SETS) if "-" in name]
    return [(metal, electrolyte) for metal, electrolyte in pairs]


def boundary_set(name: str) -> dict[str, Quantity]:
    """Numbers of a class of grain boundaries of HfO2 (``low_symmetry``, ``high_symmetry``) by key."""
    return _read_sets(_BOUNDARY_SETS)[name]


@cache
def _read_sets(file: str) -> dict[str, dict[str, Quantity]]:
    """Sets of numbers whose keys end in their unit, by name."""
    return {
        name: {
            key: Quantity(float(item["value"]), key.rpartition("_")[2], item["source"]) for key, item in entry.items()
        }
        for name, entry in _read(file).items()
    }


@cache
def _default_sources() -> dict[str, dict[str, str]]:
    return _read("default_sources.toml")


@cache
def _database() -> dict[str, Material]:
    return {name: _parse(name, entry) for file in _FILES for name, entry in _read(file).items()}


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((files("ionsim.materials") / file).read_text(encoding="utf-8"))


def _parse(name: str, entry: Mapping[str, Any]) -> Material:
    quantities = {
        key: Quantity(float(item["value"]), UNITS[key], item["source"], item.get("note", ""))
        for key, item in entry.items()
        if key not in ("description", "scavenger")
    }
    return Material(name, entry["description"], entry.get("scavenger", False), quantities)
