"""What is worth knowing of a valid device: numbers of another material, limits that do not reach every stage."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ionsim.config.citations import cite
from ionsim.config.device import Device
from ionsim.config.vcm import VcmDevice
from ionsim.config.waveforms import Sequence, Sweep

#: Tables whose numbers say how an oxide switches and conducts; what current and heat need comes with the material.
_KINETICS = ("vacancy", "exchange", "frenkel", "conduction", "weak_spots", "grains", "heat", "continuum")

#: Oxides that sources speak of, however they spell them; the last is a paper whose citation does not name its oxide.
_OXIDES = {"HfO2": re.compile(r"\bHfO[x\d]"), "tantalum oxide": re.compile(r"\bTa\d?O[x\d]|Kim, Choi & Lu")}

#: Sources of numbers that were measured on no material: what they say of an oxide is an aside.
_FREE = ("chosen", "convention", "user input")

#: Keys that a remark lists; of more it gives the count.
_LISTED = 6


def remarks(device: Device) -> list[str]:
    """Sentences about a valid device, without a full stop; none where there is nothing to say."""
    return [*_compliance(device), *_other_material(device)]


def _compliance(device: Device) -> Iterator[str]:
    """Which stages a compliance of the whole drive reaches, where some have their own."""
    drive = device.drive
    if drive.compliance_A is None or not isinstance(drive, Sweep | Sequence):
        return
    kind, parts = ("stages", drive.stages) if isinstance(drive, Sweep) else ("pulses", drive.pulses)
    own = [part for part in parts if part.compliance_A is not None]
    if not own:
        return
    reached = [part.name for part in parts if part.compliance_A is None]
    reach = f"limits {', '.join(reached)} only" if reached else f"limits none of the {kind}"
    others = ", ".join(f"drive.{kind}.{part.name}.compliance_A = {part.compliance_A:g}" for part in own)
    yield f"drive.compliance_A = {drive.compliance_A:g} A {reach}; a limit of its own goes before it: {others}"


def _other_material(device: Device) -> Iterator[str]:
    """Numbers of an oxide with vacancies that were given for another one, as far as their sources tell."""
    if not isinstance(device, VcmDevice):
        return
    oxide = device.layers.oxide.material
    found = [row for row in cite(device) if not row.source.startswith(_FREE)]
    rows = [row for table in _KINETICS for row in found if row.key.partition(".")[0] == table]
    here = _named(oxide)
    for name in _OXIDES:
        keys = [row.key for row in rows if name in _named(row.source) and not here & _named(row.source)]
        if name not in here and keys:
            yield f"layers.oxide is {oxide}, but by their sources these were given for {name}: {_listed(keys)}"
    if "HfO2" not in here and device.model == "lattice":
        keys = [row.key for row in rows if row.source.startswith("calibrated") and not _named(row.source)]
        if keys:
            yield f"layers.oxide is {oxide}; these were calibrated, and their sources name no oxide: {_listed(keys)}"
        yield f"the lattice and its defaults are those of HfO2; what {oxide} needs: docs/own-material.md"


def _named(text: str) -> set[str]:
    """The oxides that a source, or the name of a material, speaks of."""
    return {name for name, spelling in _OXIDES.items() if spelling.search(text)}


def _listed(keys: list[str]) -> str:
    more = len(keys) - _LISTED
    return ", ".join(keys[:_LISTED]) + (f" and {more} more (ionsim cite)" if more > 0 else "")
