"""Writes the pages of all keys of device files in docs/ from their schema: unit, default, range and meaning.

python scripts/device_reference.py            # write the page
python scripts/device_reference.py --check    # exit code 1 when the page is not up to date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from ionsim import materials
from ionsim.config import Device, EcmDevice, EcramDevice, PcmDevice, VcmDevice, schema
from ionsim.config.base import Section
from ionsim.config.toml import value_text

#: How the page writes the unit of a pure number.
PURE = "1"

PAGE = Path(__file__).parents[1] / "docs" / "device-file.md"
ECM_PAGE, PCM_PAGE = PAGE.with_name("device-file-ecm.md"), PAGE.with_name("device-file-pcm.md")
ECRAM_PAGE = PAGE.with_name("device-file-ecram.md")
HEADER = ("key", "unit", "default", "allowed", "meaning", "where the default comes from")

INTRODUCTION = """\
# Device files of the family `vcm`

<!-- Written by scripts/device_reference.py from the schema; edit that, then run it. -->

A device file is TOML text that describes one device and what is done to it. A short one that forms (at about
2 V) and resets, in one to two minutes, names the stack, a weak spot where the filament grows, vacancies and drive:

```toml
name = "my_device"
family = "vcm"

[layers]
bottom = {material = "TiN", thickness_nm = 10.0}
oxide = {material = "HfO2", thickness_nm = 5.0}
cap = {material = "Ti", thickness_nm = 10.0}
top = {material = "TiN", thickness_nm = 10.0}

[[weak_spots]]
centre_nm = [2.5, 2.5]
radius_nm = 0.65
hop_shift_eV = -0.2
site_energy_eV = -0.3

[vacancy]
initial_fraction = 0.005
polarisation_eA = 3.0
max_hop_rate_Hz = 1e6

[exchange]
reservoir_sites = 20000
max_rate_Hz = 3e3

[numerics]
potential_error_kT = 2.0

[drive]
kind = "sweep"
ramp_rate_V_per_s = 1.0
compliance_A = 1e-4
stages = [{name = "forming", stop_V = 4.0, turn_at_compliance = true}, {name = "reset", stop_V = -1.5}]
```

- `ionsim examples --copy hfo2_ti_bipolar` gives a complete file to start from, and `ionsim check FILE` says what is
  wrong in a file: one line for each problem, with the key, the value, what is allowed and the nearest valid name.
- A key's name carries its unit. Numbers may not be written as text, and an unknown key is an error.
- `--set layers.oxide.thickness_nm=6.0` changes a key from the command line, `device.replace({...})` from Python.
  Entries of a list go by index or name: `drive.stages.set.stop_V`. `none` takes an optional key out.
- A path is relative to the folder of the device file (after `--set`: to the working directory).
- z is the film normal. The bottom electrode is grounded, and the voltage is that of the top electrode.
- `[sources]` says where your numbers come from; `ionsim cite FILE` prints the source of every number that a run uses.

The pages of the other families: [ecm](device-file-ecm.md), [pcm](device-file-pcm.md), [ecram](device-file-ecram.md).
What the database holds, and where its numbers come from, stands in [material-data.md](material-data.md).

Below, *required* keys have no default, and *none* means that an optional key is absent: the meaning says what holds
then. The unit 1 is that of a pure number or a count; texts, choices and switches have no unit.
"""


ECM_INTRODUCTION = """\
# Device files of the family `ecm`

<!-- Written by scripts/device_reference.py from the schema; edit that, then run it. -->

What holds for every device file stands in [device-file.md](device-file.md), what the numbers mean in
[ecm-model.md](ecm-model.md). `ionsim examples --copy ag_sio2_memory` gives a complete file to start from.
"""


PCM_INTRODUCTION = """\
# Device files of the family `pcm`

<!-- Written by scripts/device_reference.py from the schema; edit that, then run it. -->

What holds for every device file stands in [device-file.md](device-file.md), what the numbers mean in
[pcm-model.md](pcm-model.md). `ionsim examples --copy gst_mushroom` gives a complete file to start from.
"""

ECRAM_INTRODUCTION = """\
# Device files of the family `ecram`

<!-- Written by scripts/device_reference.py from the schema; edit that, then run it. -->

What holds for every device file stands in [device-file.md](device-file.md), what the numbers mean in
[ecram-model.md](ecram-model.md). `ionsim examples --copy psg_wo3_pulse_train` gives a complete file to start from.
The drive is that of the gate: its voltage against the channel, or its current. Sets: reservoirs PdHx and Li,
electrolytes PSG, Nafion and LiPON, channels WO3 and LiCoO2.
"""

INTRODUCTIONS = {
    VcmDevice: INTRODUCTION, EcmDevice: ECM_INTRODUCTION, PcmDevice: PCM_INTRODUCTION, EcramDevice: ECRAM_INTRODUCTION,
}  # fmt: skip


def page(family: type[Device] = VcmDevice) -> str:
    """The whole page of a family."""
    parts = [INTRODUCTIONS[family]]
    for heading, text, section, prefix in tables(family):
        rows = [row for key, field in section.model_fields.items() if (row := _row(prefix, key, field, family))]
        parts.append(f"## {heading}\n\n{text}\n")
        if rows:
            parts.append(_markdown([HEADER, *rows]))
    return "\n".join(parts)


def tables(family: type[Device] = VcmDevice) -> Iterator[tuple[str, str, type[Section], str]]:
    """Heading, sentence, section and key prefix of every table of the file: the family's own tables first."""
    yield "Top of the file", "Keys before the first table.", family, ""
    own = [name for name in family.model_fields if name not in Device.model_fields]
    seen: set[str] = set()
    for table in (*_below(family, "", own), *_below(family, "", Device.model_fields)):
        if table[0] not in seen:  # every kind of drive has the same transistor
            seen.add(table[0])
            yield table


def _below(
    section: type[Section], prefix: str, names: Iterable[str] | None = None
) -> Iterator[tuple[str, str, type[Section], str]]:
    for name in section.model_fields if names is None else names:
        field = section.model_fields[name]
        key = f"{prefix}{name}"
        members = schema.alternatives(field.annotation)
        for member in members:
            inner, bracket = member, f"`[{key}]`"
            if get_origin(member) is tuple:
                inner, bracket = schema.bare(get_args(member)[0]), f"`[[{key}]]`"
            elif get_origin(member) is dict:
                inner, bracket = schema.bare(get_args(member)[1]), f"`[{key}.NAME]`"
            if not schema.is_section(inner):
                continue
            if len(members) > 1:
                tag = schema.tag_of(inner, str(field.discriminator))
                bracket = f"`[{key}]` with `{field.discriminator} = {value_text(tag)}`"
            below = f"{key}.*" if get_origin(member) is dict else key
            alike = [other for other in section.model_fields.values() if other.annotation == field.annotation]
            yield bracket, _sentence(inner, field, len(alike) > 1), inner, f"{below}."
            yield from _below(inner, f"{below}.")


def _sentence(section: type[Section], field: FieldInfo, repeated: bool) -> str:
    """What a table is for: the first paragraph of its class, and whether it must be there."""
    text = " ".join((section.__doc__ or "").split("\n\n")[0].replace("``", "`").split())
    if repeated:
        text = f"{text.removesuffix('.')}: {field.description}."
    if field.is_required():
        return f"{text} Required."
    if field.default is None:
        said = text.lower().startswith((field.description or "").lower())
        return f"{text} Optional." if said else f"{text} Optional: {field.description}."
    return text


def _row(prefix: str, name: str, field: FieldInfo, family: type[Device] = VcmDevice) -> tuple[str, ...] | None:
    """The row of a key; None for a key that is a table of its own."""
    if any(schema.is_section(_inner(member)) for member in schema.alternatives(field.annotation)):
        return None
    unit = schema.unit_of(field)
    phrase = schema.allowed(field).removesuffix(f" ({field.description})").removesuffix(f", in {unit}")
    phrase = _in_short(phrase)
    if not unit and is_number(field):
        unit = PURE
    name_of_family = get_args(family.model_fields["family"].annotation)[0]
    source = materials.default_source(name_of_family, f"{prefix}{name}") or ""
    return f"`{name}`", unit, _default(field), phrase, field.description or "", source


def _in_short(phrase: str) -> str:
    """What is allowed, for a narrow column: ``a number > 0 and <= 10`` becomes ``above 0, to 10``."""
    phrase = re.sub(r"'([^']+)'", r'`"\1"`', phrase)
    phrase = re.sub(r"matches (\S+)$", r"matches `\1`", phrase)
    phrase = phrase.replace("a whole number ", "whole number, ").replace("a number ", "")
    for lower, low in ((">= ", ""), ("> ", "above ")):
        for upper, high in (("<= ", "to "), ("< ", "below ")):
            comma = " " if not low and high == "to " else ", "
            phrase = re.sub(rf"{lower}(\S+) and {upper}(\S+)", rf"{low}\1{comma}{high}\2", phrase)
    return phrase


def is_number(field: FieldInfo) -> bool:
    """Whether a key holds a number or a list of numbers; those have a unit, 1 for a pure number."""
    return any(
        schema.bare(get_args(member)[0] if get_origin(member) is tuple else member) in (int, float)
        for member in schema.alternatives(field.annotation)
    )


def _inner(member: Any) -> Any:
    if get_origin(member) in (tuple, dict):
        return schema.bare(get_args(member)[1 if get_origin(member) is dict else 0])
    return member


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    if field.default is None or field.default in ((), {}):
        return "*none*"
    if isinstance(field.default, float):
        return f"`{schema.short(float(f'{field.default:.4g}'))}`"
    return f"`{value_text(field.default)}`"


def _markdown(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines) + "\n"


def main(check: bool = False) -> None:
    """Write the page, or say whether it is up to date."""
    for path, family in ((PAGE, VcmDevice), (ECM_PAGE, EcmDevice), (PCM_PAGE, PcmDevice), (ECRAM_PAGE, EcramDevice)):
        text = page(family)
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
            typer.echo(f"wrote {path}")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            typer.echo(f"{path} is not up to date; run python scripts/device_reference.py", err=True)
            sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
