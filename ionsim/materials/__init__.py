"""Material data with a source for every number."""

from ionsim.materials.database import (
    UNITS,
    Material,
    MaterialError,
    Quantity,
    boundary_set,
    default_source,
    default_source_keys,
    ion_set,
    ion_sets,
    material,
    names,
)
from ionsim.materials.ecram import Part, PartSet, ecram_set, ecram_sets
from ionsim.materials.phase_change import phase_change_set, phase_change_sets

__all__ = [
    "UNITS",
    "Material",
    "MaterialError",
    "Part",
    "PartSet",
    "Quantity",
    "boundary_set",
    "default_source",
    "default_source_keys",
    "ecram_set",
    "ecram_sets",
    "ion_set",
    "ion_sets",
    "material",
    "names",
    "phase_change_set",
    "phase_change_sets",
]
