"""Ions in time: exact answers, the Jacobian, every kind of mesh, conservation, and what is refused."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

from dataclasses import replace

import numpy as np
import pytest
import scipy.constants

from fem.scharfetter import bernoulli, hopping, scharfetter_gummel
from fem.transportlayout import Layout
from fem.transportsystem import Conditions, Rates, System
from fem.transporttemperature import Temperature
from ionsim.verification import double_layer, insertion_electrode
from ionsim.verification.cell_peclet import cell_peclet
from ionsim.verification.cottrell import cottrell
from ionsim.verification.ion_line import line
from ionsim.verification.membrane_potential import goldman, nernst
from ionsim.verification.split_blocks import blocks

CASES = [
    double_layer.gouy_chapman, nernst, goldman, cottrell, cell_peclet, insertion_electrode.insertion_electrode,
    insertion_electrode.gate_pulse_train,
]  # fmt: skip
E_C = scipy.constants.elementary_charge
KT_EV = scipy.constants.k * 300.0 / E_C


@pytest.mark.parametrize("case", CASES)
def test_case_passes(case):
    records = case()
    assert [(record.name, record.value) for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


def bar(volts, baths=(1e26, 1e26), length=10.0, background=-1e26, phase=(1e27, fem.lattice_gas), **ion):
    """Steady current (A/m^2) of ions through a bar between two baths, and the problem; ``ion`` goes to fem.Species."""
    cell = line(np.concatenate([[0.0], np.geomspace(0.01, 1.0, 12)]) * length, {"bar": (0.0, length)})
    kelvin = ion.pop("temperature_K", 300.0)
    ends = {name: fem.Terminal([name], densities_per_m3={"ion": density})
            for name, density in zip(("bottom", "top"), baths, strict=True)}  # fmt: skip
    problem = fem.Transport(
        cell, {"bar": 4.0}, {"bar": fem.Phase(["bar"], *phase, background)},
        {"ion": fem.Species("bar", 1, 1e-14, min(baths), **ion)}, ends, temperature_K=kelvin,
    )  # fmt: skip
    return problem.steady({"bottom": volts, "top": 0.0}).currents_A["bottom"], problem


def narrow(x):
    return 1e-12 * (1.0 - x), -1e-12 * np.ones_like(x)


def parts(reorganisation_eV=None, hop_nm=None):
    """Everything at once: two species that share sites, D(x), a bath, two reactions, two compact layers, a metal."""
    phases = {
        "lower": fem.Phase(["lower"], 1e27, fem.lattice_gas, -1e26),
        "upper": fem.Phase(["upper"], 1.8e28, fem.regular_solution(0.03)),
    }
    species = {
        "H": fem.Species("lower", 1, narrow, 2e26, hop_nm=hop_nm), "X": fem.Species("lower", -1, 1e-12, 1e26),
        "inserted": fem.Species("upper", 1, 1e-13, 5e27),
    }  # fmt: skip
    terminals = {
        "gate": fem.Terminal(
            ["bottom"], reactions=[fem.ChargeTransfer("H", 10.0, reservoir_eV=-0.1, alpha=0.3)],
            densities_per_m3={"X": 1e26}, capacitance_F_per_m2=0.1,
        ),
        "film": fem.Terminal(["top"], ["upper"]),
    }  # fmt: skip
    law = fem.ChargeTransfer("H", fem.insertion_exchange(20.0), "inserted", reorganisation_eV=reorganisation_eV)
    return {"lower": 5.0}, phases, species, terminals, {"lower/upper": fem.Junction([law], 0.2)}


@pytest.mark.parametrize(("reorganisation_eV", "hop_nm", "warmer"), [
    (None, None, False), (0.4, None, False), (None, 1.0, False), (0.4, 1.0, True)
])  # fmt: skip
@pytest.mark.parametrize(("current", "ohms"), [([False, True], [0.0, 0.0]), ([True, False], [0.0, 3e-9])])
def test_newton_direction_is_exact(current, ohms, reorganisation_eV, hop_nm, warmer):
    permittivity, *rest = parts(reorganisation_eV, hop_nm)
    layout = Layout(blocks(5.0, 5.0, (5, 4)), permittivity, *rest)
    rng = np.random.default_rng(1)
    kelvin = 300.0 + rng.uniform(0.0, 60.0, layout.halo.local) if warmer else 300.0
    system = System(layout, permittivity, Temperature(kelvin, 300.0, layout.reach))
    u = rng.normal(0.0, 0.05, layout.size)
    for one, initial in zip(layout.populations, layout.initial, strict=True):
        u[one.unknown[one.nodes]] = initial * rng.uniform(0.7, 1.2, initial.size)
    moved = rng.normal(size=u.size) * 1e-3
    rates, conditions = Rates(1e7, moved * 3e6), Conditions(np.array(current), np.array([0.1, 0.3]), np.array(ohms))
    owed = system.poisson.gauss(u)

    def residual(change, jacobian=False):
        free = {name: 1.0 - x for name, x in system.fractions(u + change).items()}
        return system.evaluate(u + change, free, moved + change, rates, conditions, owed, jacobian).residual

    direction = system.direction(residual(np.zeros_like(u), jacobian=True))
    for wanted in (-residual(np.zeros_like(u)), rng.normal(size=u.size) * np.abs(residual(1e-3 * u))):
        wanted[system.held] = 0.0  # a bath's density does not move
        direction = system.correction(-wanted)
        h = 1e-5 / np.abs(direction / u).max()
        slope = (residual(h * direction) - residual(-h * direction)) / (2.0 * h)
        assert np.abs(slope - wanted).max() < 1e-6 * np.abs(wanted).max()
        for rows in (slice(0, layout.potentials), slice(layout.potentials, None)):
            assert np.abs((slope - wanted)[rows]).max() < 1e-6 * np.abs(wanted[rows]).max()


def test_bernoulli_near_and_far():
    u = np.array([-900.0, -30.0, -0.02, -0.0099, -1e-9, 0.0, 1e-9, 0.0099, 0.02, 30.0, 900.0])
    value, mirrored, slope = bernoulli(u)
    exact = [900.0, 30.0 / -np.expm1(-30.0)]
    np.testing.assert_allclose(value[:2], exact, rtol=1e-15)
    np.testing.assert_allclose(value[2:5], 1.0 - u[2:5] / 2.0 + u[2:5] ** 2 / 12.0, rtol=1e-9)
    np.testing.assert_allclose(value[::2], [900.0, 0.02 / -np.expm1(-0.02), 1.0 + 5e-10, 1.0 - 5e-10,
                                            0.02 / np.expm1(0.02), 0.0], rtol=1e-14, atol=1e-290)
    np.testing.assert_array_equal(mirrored, bernoulli(-u)[0])
    np.testing.assert_allclose(mirrored, value + u, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(slope[2:9], -0.5 + u[2:9] / 6.0, atol=1e-7)
    assert slope[0] == -1.0
    assert slope[-1] == pytest.approx(0.0, abs=1e-290)
    flux = scharfetter_gummel(np.array([2.0]), np.array([1.0]), np.array([np.exp(-3.0)]), np.array([3.0]))
    assert abs(flux.flow[0]) < 1e-15


def test_hopping_factor_near_and_far():
    w = np.array([-120.0, -50.0, -7.0, -0.0501, -0.0499, 0.0, 1e-9, 0.0499, 0.0501, 2.0, 49.0, 50.0, 1e6])
    value, slope = hopping(w)
    np.testing.assert_allclose(value[1:5], np.sinh(w[1:5]) / w[1:5], rtol=1e-15)
    assert value[5] == 1.0
    np.testing.assert_allclose(slope[3:9], w[3:9] / 3.0 * (1.0 + w[3:9] ** 2 / 10.0), rtol=1e-7)
    near = np.array([-7.0, -0.3, 0.04, 0.06, 2.0, 49.0])
    numeric = (hopping(near + 1e-5)[0] - hopping(near - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose(hopping(near)[1], numeric, rtol=1e-7)
    assert value[0] == pytest.approx(value[1] + 70.0 * slope[-1])
    assert np.isfinite(value[-1])


def test_hopping_in_a_strong_field_carries_the_sinh_law():
    """A bar between two baths on a background of their density: the field is uniform, so the current is exact."""
    currents = []
    for volts in (1e-6, 1.0, 10.0, -10.0):
        currents.append(bar(volts, hop_nm=0.35)[0])
        w = 0.5 * 0.35 / 10.0 * volts / KT_EV
        ohmic = E_C * 1e26 * 1e-14 / 10e-9 / KT_EV * volts
        assert currents[-1] == pytest.approx(ohmic * np.sinh(w) / w, rel=1e-10)
    assert currents[2] / currents[0] > 60.0 * 1e7
    assert currents[3] == pytest.approx(-currents[2], rel=1e-10)


def test_equilibrium_is_the_same_with_hops_in_a_field():
    """Blocked ions at 1 V: in the double layers' strong field the chemical potential is constant all the same."""
    cell = line(np.linspace(0.0, 10.0, 41), {"bar": (0.0, 10.0)})
    ends = {name: fem.Terminal([name]) for name in ("bottom", "top")}
    species = {"ion": fem.Species("bar", 1, 1e-14, 1e26, hop_nm=1.0)}
    phase = fem.Phase(["bar"], 1e27, fem.lattice_gas, -1e26)
    problem = fem.Transport(cell, {"bar": 4.0}, {"bar": phase}, species, ends)
    problem.steady({"bottom": 1.0, "top": 0.0})
    x, phi = problem.fraction("ion"), problem.potential_V
    assert 0.5 / KT_EV * np.abs(np.diff(phi)).max() / 0.25 > 10.0  # w
    assert np.ptp(KT_EV * np.log(x / (1.0 - x)) + phi) < 1e-9


@pytest.mark.parametrize("kelvin", [300.0, 350.0])
def test_a_bar_conducts_with_the_activation_of_its_ions(kelvin):
    current, problem = bar(0.1, activation_eV=0.4, hop_nm=0.5, temperature_K=kelvin)
    kT = KT_EV * kelvin / 300.0
    w = 0.5 * 0.5 / 10.0 * 0.1 / kT
    ohmic = E_C * 1e26 * 1e-14 / 10e-9 / kT * 0.1
    factor = np.exp(-0.4 / KT_EV * (300.0 / kelvin - 1.0))
    assert current == pytest.approx(ohmic * factor * np.sinh(w) / w, rel=1e-10)
    assert problem.thermal_voltage_V == pytest.approx(kT)
    problem.temperature_K = np.full(13, 300.0)  # an array that is uniform, set later
    again = problem.steady({"bottom": 0.1, "top": 0.0}).currents_A["bottom"]
    assert again == pytest.approx(bar(0.1, activation_eV=0.4, hop_nm=0.5)[0], rel=1e-10)
    np.testing.assert_array_equal(problem.temperature_K, 300.0)


def test_warmth_makes_ions_faster_and_moves_none_by_itself():
    """Few ions in a bar with a profile of temperature: edges in series; equal baths of a regular solution: at rest."""
    few = {"background": 0.0, "activation_eV": 0.3}
    baths = (2e10, 1e10)
    z = np.concatenate([[0.0], np.geomspace(0.01, 1.0, 12)]) * 10e-9
    kelvin = 300.0 + 40.0 * np.sin(3e8 * z)
    middle = 0.5 * (kelvin[1:] + kelvin[:-1])
    D = 1e-14 * np.exp(-0.3 / KT_EV * (300.0 / middle - 1.0))
    _, problem = bar(0.0, baths, **few)
    order = np.argsort(np.argsort(problem.space.tabulate_dof_coordinates()[:, 0]))
    problem.temperature_K = kelvin[order]
    current = problem.steady({"bottom": 0.0, "top": 0.0}).faradaic_A["bottom"]
    assert current == pytest.approx(E_C * 1e10 / np.sum(np.diff(z) / D), rel=1e-9)
    attracted = (1e27, fem.regular_solution(0.05))
    current, problem = bar(0.0, (3e26, 3e26), background=-3e26, phase=attracted, temperature_K=kelvin[order])
    assert abs(current) < 1e-12 * E_C * 3e26 * 1e-14 / 1e-9
    np.testing.assert_allclose(problem.density_per_m3("ion"), 3e26, rtol=1e-12)


def test_a_reaction_goes_with_its_activation():
    """A slow reaction at the same affinity over kT: the ratio of two currents is Arrhenius' factor."""
    cell = line(np.linspace(0.0, 10.0, 6), {"bar": (0.0, 10.0)})
    law = fem.ChargeTransfer("ion", 1e-6, activation_eV=0.55)
    terminals = {
        "bottom": fem.Terminal(["bottom"], densities_per_m3={"ion": 1e26}),
        "top": fem.Terminal(["top"], reactions=[law], capacitance_F_per_m2=0.0),
    }
    currents = []
    for kelvin in (310.0, 340.0):
        problem = fem.Transport(
            cell, {"bar": 0.0}, {"bar": fem.Phase(["bar"], 1e26, None, -1e26)},
            {"ion": fem.Species("bar", 1, 1e-10, 1e26)}, terminals, temperature_K=kelvin, reference_K=310.0,
        )  # fmt: skip
        volts = 3.0 * KT_EV * kelvin / 300.0
        currents.append(-problem.steady({"bottom": volts, "top": 0.0}).faradaic_A["top"])
    assert currents[0] == pytest.approx(2e-6 * np.sinh(1.5), rel=1e-7)
    factor = np.exp(-0.55 / KT_EV * (300.0 / 340.0 - 300.0 / 310.0))
    assert currents[1] / currents[0] == pytest.approx(factor, rel=1e-7)


MESHES = [(1, False, 9e-9), (1, True, np.pi * 81e-18), (2, False, 81e-18)]


@pytest.mark.parametrize(("across", "axisymmetric", "area"), MESHES)
def test_every_mesh_gives_the_steady_current_of_a_line(across, axisymmetric, area):
    """Through both reactions and both phases; without storage and layers' charges the line's solution is exact."""
    _, phases, species, terminals, junctions = parts()
    (gate,), (insertion,) = terminals["gate"].reactions, junctions["lower/upper"].reactions
    terminals = {
        "gate": fem.Terminal(["bottom"], (), [gate], {"X": 1e26}, 0.0),
        "film": fem.Terminal(["top"], ["upper"], densities_per_m3={"inserted": 4e27}),
    }
    found = []
    for axes in ([], [np.array([0.0, 2.0, 5.0, 9.0])] * across):
        cell = blocks(5.0, 5.0, (5, 4), axes, axisymmetric and bool(axes))
        problem = fem.Transport(
            cell, {"lower": 0.0}, phases, species, terminals, {"lower/upper": fem.Junction([insertion], 0.0)}
        )
        size = area if axes else 1.0
        assert problem.amount("H") == pytest.approx(2e26 * 5e-9 * size, rel=1e-12)
        state = problem.steady({"gate": 0.2, "film": 0.0})
        found.append([state.faradaic_A["gate"] / size, state.currents_A["film"] / size])
        floating = problem.steady({"film": 0.0}, {"gate": state.currents_A["gate"]})
        assert floating.voltages_V["gate"] == pytest.approx(0.2, rel=1e-9)
    assert found[0][0] > 1.0
    assert found[1] == pytest.approx(found[0], rel=1e-9)
    assert found[0][1] == pytest.approx(-found[0][0], rel=1e-9)


@pytest.mark.parametrize(("across", "axisymmetric", "area"), MESHES)
def test_every_mesh_gives_the_charge_of_a_capacitor(across, axisymmetric, area):
    cell = blocks(5.0, 5.0, (5, 4), [np.array([0.0, 2.0, 5.0, 9.0])] * across, axisymmetric)
    layers = {"capacitance_F_per_m2": 0.01}
    terminals = {"gate": fem.Terminal(["bottom"], **layers), "film": fem.Terminal((), ["upper"])}
    problem = fem.Transport(cell, {"lower": 4.0}, {}, {}, terminals, {"lower/upper": fem.Junction((), 0.03)})
    state = problem.step(1e-9, {"gate": 2.0, "film": 0.0})
    gap = 5e-9 / (4.0 * scipy.constants.epsilon_0)
    charge = 2.0 * area / (1.0 / 0.01 + 1.0 / 0.03 + gap)
    assert problem.charge_C["gate"] == pytest.approx(charge, rel=1e-12)
    assert problem.charge_C["film"] == pytest.approx(-charge, rel=1e-12)
    assert state.displacement_A["gate"] == pytest.approx(charge / 1e-9, rel=1e-12)
    assert state.faradaic_A["gate"] == 0.0


@pytest.mark.parametrize("capacitance", [None, 0.2])
def test_currents_at_nodes_of_metals_add_up_to_those_of_terminals(capacitance):
    """In a strip whose gate has a reaction and a bath, and whose film takes ions up: by node and by terminal alike."""
    across = np.array([0.0, 2.0, 5.0, 9.0])
    permittivity, phases, species, terminals, junctions = parts()
    gate, junction = terminals["gate"], junctions["lower/upper"]
    terminals = {"gate": replace(gate, capacitance_F_per_m2=capacitance), "film": terminals["film"]}
    cell = blocks(5.0, 5.0, (5, 4), [across])
    junctions = {"lower/upper": replace(junction, capacitance_F_per_m2=capacitance)}
    problem = fem.Transport(cell, permittivity, phases, species, terminals, junctions)
    x, z = problem.space.tabulate_dof_coordinates()[:, :2].T.round(9)
    film = np.zeros(x.size, dtype=bool)
    film[np.unique(problem.space.dofmap.list[cell.cells.find(cell.regions["upper"])])] = True
    assert film.sum() == 5 * across.size
    nodes = {"gate": z == 0.0, "film": film}
    begin = problem.metal_charge_C
    for dt_s in (1e-9, 1e-9, 3e-8, 1e-3):
        state = problem.step(dt_s, {"gate": 0.2, "film": 0.0})
        for name, at in nodes.items():
            size = abs(state.displacement_A[name]) + abs(state.faradaic_A[name])
            assert abs(state.metal_displacement_A[at].sum() - state.displacement_A[name]) < 1e-12 * size
            assert abs(state.metal_ions_A[at].sum() - state.faradaic_A[name]) < 1e-12 * size
            held = problem.charge_C[name] - problem.faradaic_C[name]
            assert (problem.metal_charge_C - begin)[at].sum() == pytest.approx(held, rel=1e-12, abs=1e-26)
        rest = ~(nodes["gate"] | nodes["film"])
        for part in (state.metal_displacement_A, state.metal_ions_A, problem.metal_charge_C):
            assert not np.any(part[rest])
    inside = film & (z > 5.0)
    assert not np.any(state.metal_displacement_A[inside] + problem.metal_charge_C[inside])
    assert np.all(state.metal_ions_A[inside])  # ions diffuse on, and electrons go with them
    assert problem.faradaic_C["film"] < 0.0
    empty = fem.Transport(cell, permittivity, {}, {}, {name: replace(one, reactions=(), densities_per_m3={})
                                                       for name, one in terminals.items()}, {})  # fmt: skip
    empty.step(1e-9, {"gate": 0.2, "film": 0.0})
    width = np.interp(x, across, [1.0, 2.5, 3.5, 2.0]) / 9.0  # each node's share
    for name, at in {"gate": nodes["gate"], "film": film & (z == 5.0)}.items():
        np.testing.assert_allclose(empty.metal_charge_C[at], empty.charge_C[name] * width[at], rtol=1e-12)


def film(order=2):
    """A blocked film whose ions are so few that only diffusion counts."""
    cell = line(np.linspace(0.0, 10.0, 21), {"film": (0.0, 10.0)})
    ends = {name: fem.Terminal([name]) for name in ("bottom", "top")}
    species = {"ion": fem.Species("film", 1, 1e-12, 1e10)}
    return fem.Transport(cell, {"film": 10.0}, {"film": fem.Phase(["film"])}, species, ends, order=order)


@pytest.mark.parametrize(("order", "expected"), [(1, 1.0), (2, 2.0)])
def test_order_in_time(order, expected):
    errors = []
    for count in (16, 32):
        problem = film(order)
        z = problem.space.tabulate_dof_coordinates()[:, 0]
        problem.set_density("ion", 1e10 * (1.0 + 0.5 * np.cos(np.pi * z / 10.0)))
        decay = 2e-12 / (0.5e-9) ** 2 * (1.0 - np.cos(np.pi / 20.0))  # of the mode on this mesh
        for _ in range(count):
            problem.step(1.0 / decay / count, {"bottom": 0.0, "top": 0.0})
        exact = 1e10 * (1.0 + 0.5 * np.exp(-1.0) * np.cos(np.pi * z / 10.0))
        errors.append(np.abs(problem.density_per_m3("ion") - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(expected, abs=0.2)
    assert problem.amount("ion") == pytest.approx(1e10 * 10e-9, rel=1e-12)


def test_a_resistor_charges_a_capacitor_exponentially():
    """Backward Euler: its own law to rounding; BDF2: the exponential, with an error of second order."""
    cell = line(np.linspace(0.0, 10.0, 5), {"film": (0.0, 10.0)})
    ends = {name: fem.Terminal([name]) for name in ("bottom", "top")}
    capacitance, ohms = 10.0 * scipy.constants.epsilon_0 / 10e-9, 3e-8
    unit_s, errors = ohms * capacitance, []
    for order, count in ((1, 10), (2, 40), (2, 80)):
        problem = fem.Transport(cell, {"film": 10.0}, {}, {}, ends, order=order)
        for _ in range(count):
            state = problem.step(unit_s / count, {"bottom": 0.0, "top": 2.0}, None, {"top": ohms})
        voltage = state.voltages_V["top"]
        assert state.currents_A["top"] == pytest.approx((2.0 - voltage) / ohms, rel=1e-12)
        assert problem.charge_C["top"] == pytest.approx(capacitance * voltage, rel=1e-12)
        errors.append(voltage - 2.0 * (1.0 - np.exp(-1.0)))
    assert errors[0] == pytest.approx(2.0 * (np.exp(-1.0) - 1.1**-10), rel=1e-9)
    assert abs(errors[2]) < 1e-4
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.2)
    assert problem.steady({"bottom": 0.0, "top": 2.0}, resistances_ohm={"top": ohms}).voltages_V["top"] == 2.0


def test_metal_that_floats_divides_the_voltage():
    layers = {"thin": (0.0, 4.0), "metal": (4.0, 6.0), "thick": (6.0, 14.0)}
    cell = line(np.linspace(0.0, 14.0, 15), layers)
    terminals = {"bottom": fem.Terminal(["bottom"]), "top": fem.Terminal(["top"]), "gate": fem.Terminal((), ["metal"])}
    problem = fem.Transport(cell, {"thin": 4.0, "thick": 12.0}, {}, {}, terminals)
    state = problem.steady({"bottom": 0.0, "top": 1.0}, {"gate": 0.0})
    assert state.voltages_V["gate"] == pytest.approx(0.6)  # capacitances as 4/4 to 12/8
    state = problem.step(1e-9, {"bottom": 0.0, "top": 2.0}, {"gate": 1e6})
    capacitance = scipy.constants.epsilon_0 * 1e9 * (4.0 / 4.0 + 12.0 / 8.0)
    assert state.voltages_V["gate"] == pytest.approx(1.2 + 1e-3 / capacitance, rel=1e-9)


def test_a_failed_step_changes_nothing_and_a_saved_state_goes_on_alike():
    permittivity, *rest = parts()
    problem = fem.Transport(blocks(5.0, 5.0, (5, 4)), permittivity, *rest, max_iterations=12)
    volts = {"gate": 0.2, "film": 0.0}
    for _ in range(2):
        problem.step(1e-8, volts)
    saved = problem.save()
    after = problem.step(2e-8, volts)
    density, charge = problem.density_per_m3("inserted"), problem.charge_C
    problem.restore(saved)
    attempt = problem.attempt(1.0, {"gate": 60.0, "film": 0.0})
    assert not attempt.accepted
    assert "converge" in attempt.reason or "finite" in attempt.reason
    attempt = problem.attempt(2e-8, volts)
    assert attempt.accepted
    assert attempt.result == after
    np.testing.assert_array_equal(problem.density_per_m3("inserted"), density)
    assert problem.charge_C == charge
    assert attempt.changes["inserted"] > 0.0
    attempt.undo()
    np.testing.assert_array_equal(problem.save().u, saved.u)


def changed(**changes):
    permittivity, phases, species, terminals, junctions = parts()
    given = {"permittivity": permittivity, "phases": phases, "species": species, "terminals": terminals,
             "junctions": junctions}  # fmt: skip
    for name, value in changes.items():
        given[name] = {**given[name], **value} if isinstance(value, dict) else value
    return lambda: fem.Transport(blocks(5.0, 5.0, (5, 4)), **given)


@pytest.mark.parametrize(("make", "message"), [
    (changed(permittivity={"lover": 5.0}), "nearest: 'lower'"),
    (changed(permittivity={"lower": -1.0}), "must be finite and not negative"),
    (changed(permittivity={"lower": 0.0}, junctions={"lower/upper": fem.Junction()}), "capacitance_F_per_m2"),
    (changed(phases={"lower": fem.Phase(["lover"])}), "nearest: 'lower'"),
    (changed(species={"H": fem.Species("lover", 1, 1e-12, 1e26)}), "nearest: 'lower'"),
    (changed(species={"H": fem.Species("lower", 1, 1e-12, 0.0)}), "above 0"),
    (changed(species={"H": fem.Species("lower", 1, 1e-12, 1.2e27)}), "must be below 1"),
    (changed(species={"H": fem.Species("lower", 1, {"upper": 1e-12}, 1e26)}), "'H': diffusivity_m2_per_s"),
    (changed(species={"H": fem.Species("lower", 2, 1e-12, 1e26)}), "need the same charge"),
    (changed(junctions={"lower/uper": fem.Junction()}), "nearest: 'lower/upper'"),
    (changed(terminals={"gate": fem.Terminal(["bottom"], densities_per_m3={"inserted": 1e27})}), "no surface of it"),
    (changed(terminals={"gate": fem.Terminal(["botom"])}), "nearest: 'bottom'"),
    (changed(terminals={"other": fem.Terminal(["top"])}), "touch each other"),
    (changed(temperature_K=0.0), "temperature_K"),
    (changed(temperature_K=[300.0, 310.0]), "temperature_K must be a nodal array"),
    (changed(reference_K=-1.0), "reference_K must be positive"),
    (lambda: fem.Species("lower", 1, 1e-12, 1e26, activation_eV=np.nan), "activation_eV"),
    (changed(order=3), "order must be 1 or 2"),
    (lambda: fem.Species("lower", 1, 1e-12, 1e26, hop_nm=-0.3), "hop_nm must be positive"),
    (lambda: fem.Phase("lower"), "list of at least one name"),
    (lambda: fem.Terminal(["top"], capacitance_F_per_m2=-1.0), "capacitance_F_per_m2"),
    (lambda: fem.Junction([fem.ChargeTransfer("H", 1.0)]), "needs into"),
    (lambda: changed()().step(0.0, {"gate": 0.0, "film": 0.0}), "dt_s must be"),
    (lambda: changed()().step(1.0, {"gate": 0.0}), "'film' needs either"),
    (lambda: changed()().step(1.0, {}, {"gate": 0.0, "film": 0.0}), "at least one terminal needs a voltage"),
    (lambda: changed()().step(1.0, {"gate": 0.0, "flim": 0.0}), "nearest: 'film'"),
    (lambda: changed()().step(1.0, {"gate": 0.0, "film": 0.0}, None, {"gate": -1.0}), "resistances_ohm must be"),
    (lambda: changed()().step(1.0, {"film": 0.0}, {"gate": 0.0}, {"gate": 1.0}), "needs a voltage behind"),
    (lambda: changed()().step(1.0, {"gate": 0.0, "film": 0.0}, None, {"flim": 1.0}), "nearest: 'film'"),
    (lambda: changed()().set_density("H", 1e27), "must be below 1"),
    (lambda: changed()().density_per_m3("inserte"), "nearest: 'inserted'"),
])  # fmt: skip
def test_what_is_wrong_is_named(make, message):
    with pytest.raises(fem.FemError, match=message):
        make()


def test_sites_fill_beyond_rounding_and_empty_again():
    """Volts across a layer of ions on a lattice: less is free than one minus x can tell, and it comes back."""
    problem = insertion_electrode.stack()
    rest = problem.steady({"film": 0.0}, {"gate": 0.0}).voltages_V["gate"]
    begin, fractions = problem.amount("ion"), []
    for gate in (rest + 6.0, rest):
        control = fem.TimeControl(0.0, 5e-9, 1e-11)
        problem.restart()
        while not control.finished:
            control.advance(lambda dt, volts=gate: problem.attempt(dt, {"gate": volts, "film": 0.0}))
        assert control.rejected == 0
        fractions.append(np.nanmax(problem.fraction("ion")))
    assert fractions[0] > 1.0 - 1e-12
    assert fractions[1] < 0.9
    problem.steady({"gate": rest, "film": 0.0})
    assert problem.amount("ion") == pytest.approx(begin, rel=1e-6)
