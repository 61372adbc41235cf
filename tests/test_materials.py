"""The material database: every number with a unit and a source."""

import pytest

from ionsim import materials
from ionsim.config.device import NEEDED_PROPERTIES

ALL = [(name, key) for name in materials.names() for key in materials.material(name).quantities]


@pytest.mark.parametrize(("name", "key"), ALL)
def test_every_number_is_positive_and_has_a_source(name, key):
    quantity = materials.material(name).quantity(key)
    assert quantity.value > 0
    assert quantity.unit == materials.UNITS[key]
    assert quantity.source.strip()


@pytest.mark.parametrize("name", materials.names())
def test_every_material_has_what_a_stack_needs(name):
    assert set(NEEDED_PROPERTIES) <= set(materials.material(name).quantities)
    assert materials.material(name).description


def test_the_heat_capacity_of_hafnia_is_that_of_the_oxide():
    # Codes carry 0.72e6 and 1.2e6, which are those of Hf metal or unsourced; CRC bulk is 2.77e6.
    assert materials.material("HfO2").value("capacity_J_per_m3K") == 2.77e6


def test_metals_of_high_oxygen_affinity_scavenge():
    assert {name for name in materials.names() if materials.material(name).scavenger} == {"Ti", "Hf", "Ta"}


def test_unknown_names_get_the_nearest_one():
    with pytest.raises(materials.MaterialError, match="did you mean 'HfO2'"):
        materials.material("HfO")
    with pytest.raises(materials.MaterialError, match="did you mean 'thermal_W_per_mK'"):
        materials.material("Ti").quantity("thermal_W_mK")


def test_a_changed_material_leaves_the_database_alone():
    thin = materials.Quantity(5.0, "W/(m K)", "measured")
    changed = materials.material("Pt").changed({"thermal_W_per_mK": thin}, scavenger=True)
    assert changed.value("thermal_W_per_mK") == 5.0
    assert changed.scavenger
    assert materials.material("Pt").value("thermal_W_per_mK") == 35.0
    assert not materials.material("Pt").scavenger
