"""Heat of ions and of reactions in fem.Transport: the electrical energy that does not become free energy."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import numpy as np
import pytest
import scipy.constants

from ionsim.verification import insertion_electrode
from ionsim.verification.ion_line import line
from ionsim.verification.split_blocks import blocks

E_C = scipy.constants.elementary_charge
KT_EV = scipy.constants.k * 300.0 / E_C


@pytest.mark.parametrize(("hop_nm", "across"), [(None, []), (0.35, []), (None, [np.array([0.0, 2.0, 5.0])])])
def test_a_bar_in_a_steady_state_turns_the_power_of_its_wires_into_heat(hop_nm, across):
    """Everywhere alike: half of an edge's heat is at each of its ends."""
    cell = blocks(5.0, 5.0, (5, 5), across, split=False)
    baths = {name: fem.Terminal([name], densities_per_m3={"ion": 1e26}) for name in ("bottom", "top")}
    phase = fem.Phase(["lower", "upper"], 1e27, fem.lattice_gas, -1e26)
    species = {"ion": fem.Species("all", 1, 1e-14, 1e26, hop_nm=hop_nm)}
    problem = fem.Transport(cell, {"lower": 4.0, "upper": 4.0}, {"all": phase}, species, baths)
    state = problem.steady({"bottom": 2.0, "top": 0.0})
    heat = problem.dissipation_W()
    assert heat.sum() == pytest.approx(2.0 * state.currents_A["bottom"], rel=1e-10)
    z = problem.space.tabulate_dof_coordinates()[:, len(across)].round(9)
    each = [heat[z == height].sum() for height in np.unique(z)]
    np.testing.assert_allclose(each, heat.sum() * np.array([0.5, *[1.0] * 9, 0.5]) / 10.0, rtol=1e-8)


def test_a_reaction_at_an_electrode_heats_it():
    """The overvoltage of Butler and Volmer times the current is heat at the reaction; the bar has the rest."""
    cell = line(np.linspace(0.0, 10.0, 11), {"bar": (0.0, 10.0)})
    terminals = {
        "bottom": fem.Terminal(["bottom"], densities_per_m3={"ion": 1e26}),
        "top": fem.Terminal(["top"], reactions=[fem.ChargeTransfer("ion", 10.0)], capacitance_F_per_m2=0.0),
    }
    problem = fem.Transport(
        cell, {"bar": 0.0}, {"bar": fem.Phase(["bar"], 1e26, None, -1e26)},
        {"ion": fem.Species("bar", 1, 1e-14, 1e26)}, terminals,
    )  # fmt: skip
    current = problem.steady({"bottom": 0.2, "top": 0.0}).currents_A["bottom"]
    over = 2.0 * KT_EV * np.arcsinh(0.5 * current / 10.0)
    heat = problem.dissipation_W()
    top = np.argmax(problem.space.tabulate_dof_coordinates()[:, 0])
    assert heat.sum() == pytest.approx(0.2 * current, rel=1e-9)
    assert heat[top] == pytest.approx(current * (over + 0.05 * (0.2 - over)), rel=1e-9)
    assert 0.3 < over / 0.2 < 0.95


def free_energy(problem, mesh_m, sites, permittivity):
    """Of a line (J/m^2): lattice gas on lumped volumes, and the field."""
    order = np.argsort(problem.space.tabulate_dof_coordinates()[:, 0])
    x, phi = problem.fraction("ion")[order], problem.potential_V[order]
    lengths = np.diff(mesh_m)
    volume = 0.5 * (np.r_[0.0, lengths] + np.r_[lengths, 0.0])
    mixing = E_C * KT_EV * sites * float(volume @ (x * np.log(x) + (1.0 - x) * np.log1p(-x)))
    field = 0.5 * permittivity * scipy.constants.epsilon_0 * float(np.sum(np.diff(phi) ** 2 / lengths))
    return mixing + field


def test_what_the_wires_put_in_is_free_energy_and_heat():
    """A blocked layer charged at 0.3 V, with hops that the field makes faster: the balance closes with the step."""
    z = np.linspace(0.0, 10.0, 41)
    cell = line(z, {"film": (0.0, 10.0)})
    ends = {name: fem.Terminal([name]) for name in ("bottom", "top")}
    open_ends = []
    for count in (100, 200):
        problem = fem.Transport(
            cell, {"film": 10.0}, {"film": fem.Phase(["film"], 1e27, fem.lattice_gas, -1e26)},
            {"ion": fem.Species("film", 1, 1e-14, 1e26, hop_nm=1.0)}, ends, order=1,
        )  # fmt: skip
        problem.step(1e-15, {"bottom": 0.3, "top": 0.0})  # charges the plates; ions do not move in this time
        begin, charge, heat = free_energy(problem, z * 1e-9, 1e27, 10.0), problem.charge_C["bottom"], 0.0
        for _ in range(count):
            problem.step(1e-5 / count, {"bottom": 0.3, "top": 0.0})
            heat += problem.dissipation_W().sum() * 1e-5 / count
        work = 0.3 * (problem.charge_C["bottom"] - charge)
        gained = free_energy(problem, z * 1e-9, 1e27, 10.0) - begin
        assert heat > 0.3 * work
        open_ends.append((work - gained - heat) / work)
    assert abs(open_ends[1]) < 0.01
    assert open_ends[0] / open_ends[1] == pytest.approx(2.0, abs=0.2)


def test_no_heat_in_equilibrium():
    problem = insertion_electrode.stack()
    problem.steady({"film": 0.0}, {"gate": 0.0})
    rest = problem.dissipation_W()
    problem.step(1e-10, {"gate": 0.5, "film": 0.0})
    assert np.abs(rest).max() < 1e-12 * problem.dissipation_W().max()
