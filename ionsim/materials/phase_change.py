"""Sets of numbers of phase-change materials."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ionsim.errors import nearest
from ionsim.materials.database import MaterialError, Quantity

#: Unit by the ending of a key; the rest of a key says what the number is.
_UNITS = {
    "_J_per_m3K": "J/(m^3 K)", "_J_per_m3": "J/m^3", "_W_per_mK": "W/(m K)", "_S_per_m": "S/m", "_J_per_m2": "J/m^2",
    "_Pa_s": "Pa s", "_eV": "eV", "_Hz": "Hz", "_nm3": "nm^3", "_nm": "nm", "_deg": "degree", "_K": "K",
}  # fmt: skip


def phase_change_sets() -> list[str]:
    """Names of the sets."""
    return list(_sets())


def phase_change_set(name: str) -> Mapping[str, Quantity]:
    """The numbers of a phase-change material by key. Raises MaterialError with the nearest name for a typo."""
    sets = _sets()
    if name not in sets:
        raise MaterialError(f"unknown phase-change material {name!r}{nearest(name, sets)}; known: {', '.join(sets)}")
    return sets[name]


def _unit(key: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), "")


@cache
def _sets() -> dict[str, dict[str, Quantity]]:
    text = (files("ionsim.materials") / "phase_change_sets.toml").read_text(encoding="utf-8")
    return {
        name: {
            key: Quantity(float(item["value"]), _unit(key), item["source"], item.get("note", ""))
            for key, item in entry.items()
            if key != "description"
        }
        for name, entry in tomllib.loads(text).items()
    }
