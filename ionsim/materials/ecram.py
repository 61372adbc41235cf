"""Sets of numbers of ECRAM devices: reservoirs, electrolytes, channels, and the interfaces between them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ionsim.errors import nearest
from ionsim.materials.database import MaterialError, Quantity

Part = Literal["reservoir", "electrolyte", "channel", "interface"]

#: Unit by the ending of a key; the rest of a key says what the number is.
_UNITS = {
    "_m2_per_s": "m^2/s", "_S_per_m": "S/m", "_per_m3": "1/m^3", "_A_per_m2": "A/m^2", "_F_per_m2": "F/m^2",
    "_m2_per_Vs": "m^2/(V s)", "_eV": "eV", "_nm": "nm", "_V": "V",
}  # fmt: skip


@dataclass(frozen=True)
class PartSet:
    """The numbers of a part by key, and the words that choose its models (the ion, the law of its voltage)."""

    numbers: Mapping[str, Quantity]
    words: Mapping[str, str]


def ecram_sets(part: Part) -> list[str]:
    """Names of the sets of a part; those of interfaces are two names with a stroke between, from the gate on."""
    return list(_sets()[part])


def ecram_set(part: Part, name: str) -> PartSet:
    """A set by its name. Raises MaterialError with the nearest name for a typo."""
    sets = _sets()[part]
    if name not in sets:
        raise MaterialError(f"unknown {part} {name!r}{nearest(name, sets)}; known: {', '.join(sets)}")
    return sets[name]


def _unit(key: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), "")


@cache
def _sets() -> dict[Part, dict[str, PartSet]]:
    text = (files("ionsim.materials") / "ecram_sets.toml").read_text(encoding="utf-8")
    tables: dict[Part, dict[str, dict[str, Any]]] = tomllib.loads(text)  # type: ignore[assignment]
    return {
        part: {
            name: PartSet(
                {
                    key: Quantity(float(item["value"]), _unit(key), item["source"], item.get("note", ""))
                    for key, item in entry.items()
                    if isinstance(item, dict)
                },
                {key: item for key, item in entry.items() if isinstance(item, str)},
            )
            for name, entry in sets.items()
        }
        for part, sets in tables.items()
    }
