"""The VCM family on a crystal: what its lattice holds, and what it keeps while it runs."""

import numpy as np
import pytest
from small_device import FROZEN, small_device

from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_crystal import crystal_lattice
from ionsim.drive import Circuit
from ionsim.structure import oxygen_sublattice

STEPS = [(0.05 * step, 0.25 * step) for step in range(1, 11)]
CIRCUIT = Circuit(0.0, 1e-6)


def family(changes=None, seed=1):
    built = Vcm(small_device(changes), np.random.SeedSequence(seed))
    built.initialise()
    return built


def rows(device, steps=STEPS):
    """The device taken through a staircase of (time in s, voltage in V); one row of the series for each step."""
    taken = []
    for until_s, applied_V in steps:
        device.advance(until_s, applied_V, CIRCUIT)
        taken.append(device.observe())
    return taken


@pytest.fixture(scope="module")
def ramp():
    return rows(family())


def test_the_lattice_is_the_oxygen_sublattice_with_vacancies_drawn_by_the_seed():
    device = small_device()
    lattice = crystal_lattice(device, np.random.SeedSequence(1))
    film = oxygen_sublattice("cubic", 2.0, 2.0, 2.0)
    np.testing.assert_array_equal(lattice.positions_nm, film.positions_nm)
    assert lattice.box_nm == (*film.cell_nm, film.thickness_nm)
    assert lattice.species == ("oxygen", "vacancy")
    assert lattice.conductors == ("vacancy",)
    assert lattice.carriers.all()
    assert lattice.alike == (("vacancy",), ("oxygen",))
    number = round(0.02 * len(film.positions_nm))
    assert lattice.counts() == {"n_vacancies": number, "n_reservoir": number}
    again, other = (crystal_lattice(device, np.random.SeedSequence(seed)).engine.occupation for seed in (1, 2))
    np.testing.assert_array_equal(lattice.engine.occupation, again)
    assert not np.array_equal(again, other)
    assert lattice.conducting(again).sum() == number


def test_weak_spots_shift_barriers_and_energies_of_their_sites():
    changes = {"weak_spots": [{"centre_nm": [1.0, 1.0], "radius_nm": 0.5, "hop_shift_eV": -0.3, "site_energy_eV": 0.2}]}
    lattice = crystal_lattice(small_device(changes), np.random.SeedSequence(1))
    inside = np.hypot(*(lattice.positions_nm[:, :2] - 1.0).T) <= 0.5
    energy = lattice.engine.table.site_energy[:, lattice.species.index("vacancy")]
    np.testing.assert_array_equal(energy, np.where(inside, 0.2, 0.0))
    sites = lattice.engine.sites
    shift = lattice.engine.table.edge_barrier[0]
    np.testing.assert_allclose(shift, -0.15 * (inside[sites.origin].astype(int) + inside[sites.target]))


def test_the_same_seed_takes_the_same_way(ramp):
    assert rows(family()) == ramp
    assert rows(family(seed=2)) != ramp


def test_oxygen_is_conserved(ramp):
    for row in ramp:
        made = row["events_oxygen_release"] - row["events_oxygen_return"]
        assert row["n_vacancies"] - 10.0 == row["n_reservoir"] - 10.0 == made
        assert row["n_events"] == sum(number for name, number in row.items() if name.startswith("events_"))
    assert ramp[-1]["n_events"] > 0.0


def test_current_is_conductance_times_voltage_and_never_above_the_compliance(ramp):
    for row in ramp:
        assert row["current_A"] == pytest.approx(row["conductance_S"] * row["device_V"], rel=1e-12)
        assert abs(row["current_A"]) <= 1.05 * 1e-6


def test_a_frozen_temperature_changes_the_way(ramp):
    cold = rows(family({"numerics.freeze_temperature": True}))
    assert {row["temperature_peak_K"] for row in cold} == {300.0}
    assert [row["n_events"] for row in cold] != [row["n_events"] for row in ramp]


def test_a_restored_device_goes_on_as_if_nothing_had_been(ramp):
    first = family()
    rows(first, STEPS[:6])
    second = family({"vacancy.initial_fraction": 0.02}, seed=1)
    second.restore(first.checkpoint())
    assert rows(second, STEPS[6:]) == ramp[6:]


def test_nothing_moves_when_rates_are_frozen():
    still = rows(family(FROZEN), STEPS[:3])
    assert [row["n_events"] for row in still] == [0.0] * 3
    assert still[-1]["n_refreshes"] == still[0]["n_refreshes"]


def test_flickering_sets_are_left_in_one_step_where_that_is_asked_for():
    device = family({"numerics.superbasin_states": 8})
    rows(device, STEPS[:2])
    summary = device.summary()
    assert device.engine.superbasin.max_states == 8
    assert summary["n_visits"] >= 0
    assert summary["n_events_inside"] >= 0.0
    assert "n_visits" not in family().summary()
