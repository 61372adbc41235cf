"""Writes docs/material-data.md: every number of the database of materials, with its unit and source.

python scripts/material_reference.py            # write the page
python scripts/material_reference.py --check    # exit code 1 when the page is not up to date
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import typer

from ionsim import materials
from ionsim.config import schema
from ionsim.materials import Part, Quantity

PAGE = Path(__file__).parents[1] / "docs" / "material-data.md"

INTRODUCTION = """\
# Material data

<!-- Written by scripts/material_reference.py from the database; edit that in ionsim/materials, then run it. -->

What `ionsim` knows about materials. A device file may replace each number, or bring a material of its own:
[own-material.md](own-material.md) says how. `ionsim cite FILE` prints the numbers that one device uses.

A source that begins with "chosen" or "calibrated" is no measurement: it says what the number was chosen for, or what it
was fitted to. Unit 1 is a pure number.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Materials\n\nUsed by name in layers, electrodes and surroundings of all families.\n"]
    for name in sorted(materials.names(), key=str.lower):
        entry = materials.material(name)
        scavenger = " Takes up oxygen (`scavenger = true`)." if entry.scavenger else ""
        parts += _set(name, entry.quantities, f"{entry.description[:1].upper()}{entry.description[1:]}.{scavenger}")
    parts.append(
        "## Metals and their ions (`ecm`)\n\nA metal and its ions in an electrolyte, by key of the device file.\n"
    )
    for metal, electrolyte in materials.ion_sets():
        parts += _set(f"{metal} in {electrolyte}", materials.ion_set(metal, electrolyte))
    parts.append("## Grain boundaries (`vcm`)\n\nClasses of boundaries in HfO2, keys of `[grains.CLASS]`.\n")
    for name in ("low_symmetry", "high_symmetry"):
        parts += _set(name, materials.boundary_set(name))
    parts.append("## Phase-change materials (`pcm`)\n\nNames of `phase_change.material`, keys of `[phase_change]`.\n")
    for name in materials.phase_change_sets():
        parts += _set(name, materials.phase_change_set(name))
    parts.append("## Parts of ECRAM devices (`ecram`)\n\nPotentials are against the reversible electrode of the ion.\n")
    for part in get_args(Part):
        for name in materials.ecram_sets(part):
            chosen = materials.ecram_set(part, name)
            words = ", ".join(f"`{key}` {word}" for key, word in chosen.words.items() if key != "description")
            parts += _set(f"{part.capitalize()} {name}", chosen.numbers, f"{words}." if words else "")
    return "\n".join(parts)


def _set(heading: str, numbers: Mapping[str, Quantity], text: str = "") -> list[str]:
    lines = ["| key | value | unit | source |", "| --- | --- | --- | --- |"]
    for key, item in numbers.items():
        lines.append(
            f"| `{key}` | {schema.short(item.value)} | {item.unit or '1'} | {item.reference.replace('|', '/')} |"
        )
    return [f"### {heading}\n", *([f"{text}\n"] if text else []), "\n".join(lines) + "\n"]


def main(check: bool = False) -> None:
    """Write the page, or say whether it is up to date."""
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
        typer.echo(f"wrote {PAGE}")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        typer.echo(f"{PAGE} is not up to date; run python scripts/material_reference.py", err=True)
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
