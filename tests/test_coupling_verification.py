"""The verification cases of lattice and finite elements together pass, and can fail."""

import numpy as np
import pytest

from ionsim.coupling.heat_path import HeatPoints
from ionsim.verification.field_refresh_bound import field_refresh_bound
from ionsim.verification.heat_deposition import heat_deposition
from ionsim.verification.lattice_filament import lattice, lattice_fields, random_filament
from ionsim.verification.one_potential import one_potential, plane_currents_A
from ionsim.verification.voltage_scaling import voltage_scaling

ESTIMATE = pytest.mark.xfail(
    strict=True,
    reason="the weights of the watch are an estimate: bonds that are weak against a contact, but strong against the "
    "oxide, count too little, so the potential is off by up to several bounds before a refresh",
)
CASES = (field_refresh_bound, heat_deposition, one_potential, voltage_scaling)


@ESTIMATE
def test_the_refresh_setting_is_a_bound():
    errors = [record.value for record in field_refresh_bound() if record.name.startswith("largest error")]
    assert max(errors) <= 1.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_case_passes(case):
    records = case()
    assert [(record.name, record.value) for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


def test_a_filament_with_a_gap_conducts_less_and_leaves_part_of_the_sites_occupied():
    closed, open_ = random_filament(0.0), random_filament(0.8)
    assert len(closed) == len(lattice().positions_nm) == 1200
    assert 0.05 < open_.mean() < closed.mean() < 0.5
    conductances = []
    for vacant in (closed, open_):
        fields = lattice_fields(rtol=1e-8)
        fields.solve_potential(vacant)
        conductances.append(fields.conductance_S)
    assert conductances[0] > 100.0 * conductances[1]


def test_a_bond_that_is_left_out_of_the_sum_shows():
    fields = lattice_fields()
    fields.solve_potential(random_filament(0.0))
    cells, bonds = plane_currents_A(fields)
    assert np.abs((cells + bonds) / fields.conductance_S - 1.0).max() < 1e-8
    operator = fields.conduction.operator
    hottest = int(np.argmax(operator.bond_power(fields.conduction.potential_V)))
    operator.bond_g = np.delete(operator.bond_g, hottest)
    operator.bond_i, operator.bond_j = np.delete(operator.bond_i, hottest), np.delete(operator.bond_j, hottest)
    cells, bonds = plane_currents_A(fields)
    assert np.abs((cells + bonds) / fields.conductance_S - 1.0).max() > 1e-4


def test_heat_that_gets_lost_on_its_way_shows(monkeypatch):
    build = HeatPoints.__init__

    def forgetful(points, *given):
        build(points, *given)
        points._paths = {sign: [*paths[:-1], paths[0]] for sign, paths in points._paths.items()}

    monkeypatch.setattr(HeatPoints, "__init__", forgetful)
    moved = {record.name: record.passed for record in heat_deposition()}
    assert moved["heat on the mesh against V I, relative"]
    assert not moved["path against the relaxation length, relative"]
