"""Coupled conduction and heat in time: exact answers, interfaces, circuit, failure and return."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import ufl

import meshes
from ionsim.verification import transient_mms
from ionsim.verification.interface_resistance import interface_resistance
from ionsim.verification.split_blocks import Blocks, Interface, blocks
from ionsim.verification.thermal_runaway import thermal_runaway
from ionsim.verification.transient_mms import square

ACROSS = np.array([0.0, 2.0, 5.0])


def activated(T_K):
    return 1e4 * fem.exp(1000.0 / 300.0 - 1000.0 / T_K)


def hopping(T_K, F_V_per_m, c):
    return (1.0 + c) * activated(T_K) * fem.cosh(F_V_per_m / 1e8)


def warm(T_K):
    return 2e6 * (1.0 + (T_K - 300.0) / 1000.0)


def column(split=True, across=None, **arguments):
    """Lower block with constant, upper with variable coefficients."""
    cell = blocks(10.0, 20.0, (4, 8), across, split=split)
    return fem.Transient(
        cell, {"lower": 1e5, "upper": hopping}, {"lower": 10.0, "upper": 1.0}, {"lower": 2e6, "upper": warm},
        {"bottom": 300.0, "top": 300.0}, states={"c": 0.5}, **arguments,
    )  # fmt: skip


@pytest.mark.parametrize("case", [interface_resistance, thermal_runaway])
def test_case_passes(case):
    records = case()
    assert [(record.name, record.value) for record in records if record.passed is False] == []
    assert any(record.passed for record in records)


@pytest.mark.slow
def test_manufactured_case_passes():
    assert [(record.name, record.value) for record in transient_mms.transient_mms() if record.passed is False] == []


def test_orders_of_the_axisymmetric_problem():
    order_V, order_T, balance = transient_mms.orders(lambda n: square(2, n, True), (6, 12), 6)
    assert order_V > 1.9
    assert order_T > 1.85
    assert balance < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dim", "axisymmetric", "sizes"), [(2, False, (16, 32)), (2, True, (16, 32)), (3, False, (12, 16))]
)
def test_orders_on_finer_meshes(dim, axisymmetric, sizes):
    order_V, order_T, balance = transient_mms.orders(lambda n: square(dim, n, axisymmetric), sizes, 24)
    assert order_V > 1.97
    assert order_T > 1.91
    assert balance < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("unequal", [False, True])
def test_order_in_time_on_shorter_steps(unequal):
    assert transient_mms.order_in_time(unequal, 32) == pytest.approx(2.0, abs=0.05)


def test_backward_euler_alone_is_first_order():
    cell = square(2, 6)
    found = []
    for steps in (8, 16, 32):
        made = transient_mms.problem(cell)
        exact = transient_mms.Manufactured(transient_mms.nodes(made, cell), False)
        for step in range(steps):
            end = 4e-12 * (step + 1) / steps
            current, heat = (source * made.volume_m3() for source in exact.sources(end))
            made.restart()
            made.step(4e-12 / steps, exact.voltage(end), source_W=heat, source_A=current)
        found.append(made.temperature_K)
    first, second = (np.abs(a - b).max() for a, b in pairwise(found))
    assert 0.85 < np.log2(first / second) < 1.15


def test_decay_of_a_mode_in_time():
    """A sine between two cold ends decays by the mesh's own rate; a step costs the third power of its length."""
    n, length_nm, kappa, heat = 16, 30.0, 2.0, 2e6
    cell = blocks(15.0, 15.0, (n // 2, n // 2), split=False)
    h = length_nm / n * 1e-9
    rate = kappa / heat * (2.0 - 2.0 * np.cos(np.pi / n)) / h**2
    error = []
    for steps in (20, 40):
        problem = fem.Transient(
            cell, {"lower": 1.0, "upper": 1.0}, {"lower": kappa, "upper": kappa}, {"lower": heat, "upper": heat},
            {"bottom": 300.0, "top": 300.0},
        )  # fmt: skip
        mode = 100.0 * np.sin(np.pi * problem.space.tabulate_dof_coordinates()[:, 0] / length_nm)
        problem.temperature_K = 300.0 + mode
        for _ in range(steps):
            state = problem.step(1.0 / rate / steps, 0.0)
        error.append(np.abs(problem.temperature_K - 300.0 - np.exp(-1.0) * mode).max())
        assert state.balance.out_W == pytest.approx(-state.balance.stored_W, rel=1e-9)
    assert error[0] < 0.3
    assert error[0] / error[1] == pytest.approx(4.0, abs=0.4)


def test_current_times_voltage_is_the_heat_at_every_step():
    problem = column()
    source = np.where(problem.volume_m3("upper") > 0.0, 1e8, 0.0)
    for step, voltage in enumerate((0.2, 0.4, 0.4, 0.1)):
        state = problem.step(1e-12 * (1 + step), voltage, source_W=source)
        balance = state.balance
        assert abs(balance.residual_W) <= 1e-8 * balance.electrical_W
        assert balance.electrical_W == pytest.approx(state.current_A * voltage, rel=1e-12)
        assert balance.source_W == pytest.approx(source.sum(), rel=1e-12)
        assert state.currents_A["bottom"] == pytest.approx(-state.currents_A["top"], rel=1e-9)
    assert state.balance.stored_W < 0.0 < state.balance.out_W


def test_perfect_contact_is_the_unsplit_mesh():
    """In 2D, with the interface named and not."""
    values = []
    for split, arguments in ((False, {}), (True, {}), (True, {"interfaces": {"lower/upper": fem.Contact()}})):
        problem = column(split, [ACROSS], **arguments)
        states = [problem.step(1e-12, 0.4), problem.step(2e-12, 0.4), problem.steady(0.5)]
        values.append([state.current_A for state in states] + [problem.temperature_K.max(), problem.potential_V.sum()])
    np.testing.assert_allclose([row[:4] for row in values], [values[0][:4]] * 3, rtol=1e-10)
    cell = problem.cell
    assert isinstance(cell, Blocks)
    jump = np.abs(np.diff(problem.temperature_K[np.isclose(problem.space.tabulate_dof_coordinates()[:, 1], 10.0)]))
    assert len(jump) == 5


def test_an_interface_of_one_pair_list_each():
    """One value a pair; zero insulates."""
    g = np.array([1e12, 0.0, 2e12])
    cell = blocks(10.0, 20.0, (4, 8), [ACROSS])
    metal = {"lower": 1e9, "upper": 1e9}
    problem = fem.Transient(
        cell, metal, {"lower": 1.0, "upper": 1.0}, {"lower": 1e6, "upper": 1e6}, {"bottom": 300.0},
        interfaces={"lower/upper": fem.Contact(electrical_S_per_m2=g)},
    )  # fmt: skip
    contact = (1e12 * 1.0 + 2e12 * 1.5) * 1e-9
    assert problem.steady(1e-3).current_A == pytest.approx(1e-3 * contact, rel=1e-2)


def test_surfaces_joined_by_a_perfect_contact_are_refused():
    cell = blocks(10.0, 20.0, (4, 8), [ACROSS])
    node = {"bottom": 0, "top": 13}
    short = replace(cell, interfaces={"short": Interface(np.array([[node["bottom"], node["top"]]]), np.array([1.0]))})
    with pytest.raises(fem.FemError, match="'bottom' and 'top' are joined"):
        fem.Transient(
            short, {"lower": 1.0, "upper": 1.0}, {"lower": 1.0, "upper": 1.0}, {"lower": 1.0, "upper": 1.0},
            {"bottom": 300.0},
        )  # fmt: skip


def test_series_resistor_and_compliance():
    problem = column()
    free = problem.steady(0.4)
    series = problem.steady(0.4, series_ohm=2e-13)
    assert series.cell_V + 2e-13 * series.current_A == pytest.approx(0.4, rel=1e-10)
    assert problem.steady(series.cell_V).current_A == pytest.approx(series.current_A, rel=1e-9)
    limit = 0.5 * series.current_A
    for sign in (1.0, -1.0):
        held = problem.steady(sign * 0.4, series_ohm=2e-13, compliance_A=limit)
        assert held.limited
        assert held.current_A == pytest.approx(sign * limit, rel=1e-10)
        assert 0.0 < sign * held.cell_V < series.cell_V
        again = problem.steady(sign * 0.4, series_ohm=2e-13, compliance_A=2.0 * free.current_A)
        assert not again.limited
        assert again.current_A == pytest.approx(sign * series.current_A, rel=1e-8)


def test_the_compliance_is_left_when_the_drive_falls():
    problem = column()
    limit = 0.5 * problem.steady(0.4).current_A
    flags = [problem.step(1e-11, voltage, compliance_A=limit).limited for voltage in (0.1, 0.4, 0.4, 0.05, 0.0)]
    assert flags == [False, True, True, False, False]


def test_a_failed_step_leaves_everything_as_it_was():
    problem = column(settings=fem.TransientSettings(max_iterations=1))
    reference = column()
    saved = reference.save()
    for _ in range(2):
        with pytest.raises(fem.FemError, match="did not converge"):
            problem.step(1e-10, 0.8)
        now = problem.save()
        np.testing.assert_array_equal(now.values, saved.values)
        assert (now.cell_V, now.previous, now.limited) == (saved.cell_V, None, False)


def test_save_and_restore_go_on_as_without():
    problem = column()
    problem.step(1e-12, 0.3)
    problem.step(1e-12, 0.35)
    saved = problem.save()
    first = problem.step(2e-12, 0.4)
    temperature = problem.temperature_K
    problem.set_state("c", 0.0)
    problem.step(1e-12, 0.1)
    problem.restore(saved)
    assert problem.step(2e-12, 0.4).current_A == pytest.approx(first.current_A, rel=1e-10)
    np.testing.assert_allclose(problem.temperature_K, temperature, rtol=1e-11)


@pytest.mark.parametrize("method", ["coupled", "staggered"])
def test_a_loose_tolerance_does_not_freeze_the_solution(method):
    """A tiny change of the drive is followed although the old solution passes a loose tolerance at once."""
    problem = column(settings=fem.TransientSettings(method=method, rtol=0.5))
    for voltage in (0.2, 0.2 * (1.0 + 1e-7), 0.2 * (1.0 + 2e-7)):
        for _ in range(6):
            state = problem.step(1e-9, voltage)
            assert state.newton_iterations >= 1
        problem.restart()
    rise = problem.temperature_K.max() - 300.0
    tight = column()
    tight.steady(0.2 * (1.0 + 2e-7))
    # The drive's change moves the rise by 4e-7 of itself or more: a frozen solution is told from a true one.
    assert rise == pytest.approx(tight.temperature_K.max() - 300.0, rel=1e-8)


def test_staggered_equals_coupled():
    cell = blocks(6.0, 6.0, (3, 3), [ACROSS, ACROSS])
    contact = {"lower/upper": fem.Contact(thermal_W_per_m2K=1e8, electrical_S_per_m2=1e13)}
    results = []
    for method, contacts in (("coupled", contact), ("staggered", contact), ("coupled", {}), ("staggered", {})):
        problem = fem.Transient(
            cell, {"lower": 1e5, "upper": hopping}, {"lower": 10.0, "upper": 1.0}, {"lower": 2e6, "upper": warm},
            {"bottom": 300.0, "top": 300.0}, states={"c": 0.5}, interfaces=contacts,
            settings=fem.TransientSettings(method=method, rtol=1e-12),
        )  # fmt: skip
        states = [
            problem.step(1e-12, 0.2), problem.step(2e-12, 0.3, series_ohm=1e4),
            problem.step(2e-12, 0.3, compliance_A=1e-7), problem.steady(0.2),
        ]  # fmt: skip
        assert all(abs(state.balance.residual_W) < 1e-8 * state.balance.electrical_W for state in states)
        results.append((np.array([state.current_A for state in states]), problem.potential_V, problem.temperature_K))
    for one, two in (results[:2], results[2:]):
        np.testing.assert_allclose(one[0], two[0], rtol=1e-9)
        np.testing.assert_allclose(one[1], two[1], rtol=0.0, atol=1e-10)
        np.testing.assert_allclose(one[2] - 300.0, two[2] - 300.0, rtol=0.0, atol=1e-9 * np.ptp(one[2]))


def test_a_region_may_insulate():
    cell = blocks(10.0, 20.0, (4, 8), [ACROSS], split=False)
    sheath = {"lower": 0.0, "upper": 1e5}
    problem = fem.Transient(
        cell, sheath, {"lower": 1.0, "upper": 1.0}, {"lower": 1e6, "upper": 1e6}, {"bottom": 300.0}, grounded="side"
    )
    state = problem.steady(0.1)
    assert state.current_A > 0.0
    assert np.all(problem.potential_V[problem.space.tabulate_dof_coordinates()[:, 1] < 9.0] == 0.0)
    assert state.balance.out_W == pytest.approx(state.balance.electrical_W, rel=1e-9)


def test_volumes_with_axial_symmetry():
    problem_cell = blocks(10.0, 20.0, (4, 8), [ACROSS], True)
    problem = fem.Transient(
        problem_cell, {"lower": 1.0, "upper": 1.0}, {"lower": 1.0, "upper": 1.0}, {"lower": 1.0, "upper": 1.0},
        {"bottom": 300.0},
    )  # fmt: skip
    assert problem.volume_m3("lower").sum() == pytest.approx(np.pi * 25.0 * 10.0 * 1e-27, rel=1e-12)
    assert problem.volume_m3().sum() == pytest.approx(np.pi * 25.0 * 30.0 * 1e-27, rel=1e-12)
    assert problem.volume_m3()[problem.space.tabulate_dof_coordinates()[:, 0] < 1e-9].min() > 0.0


def test_functions_are_the_same_for_arrays_and_expressions():
    x = np.array([0.3, 1.7])
    mesh = blocks(1.0, 1.0, (1, 1), split=False).mesh
    for numeric, symbolic in (
        (fem.exp, ufl.exp), (fem.log, ufl.ln), (fem.sqrt, ufl.sqrt), (fem.sinh, ufl.sinh), (fem.cosh, ufl.cosh),
        (fem.tanh, ufl.tanh),
    ):  # fmt: skip
        np.testing.assert_allclose(numeric(x), [float(symbolic(ufl.as_ufl(value))) for value in x])
    point = ufl.SpatialCoordinate(mesh)[0]
    branch = fem.where(point > 1.0, fem.maximum(point, 3.0), fem.minimum(point, -1.0))
    assert [branch((value,)) for value in x] == [-1.0, 3.0]
    np.testing.assert_array_equal(fem.where(x > 1.0, fem.maximum(x, 3.0), fem.minimum(x, -1.0)), [-1.0, 3.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"electrical_S_per_m": {"lower": 1.0}}, "'upper' has no value"),
        ({"electrical_S_per_m": {"lower": 1.0, "uper": 1.0}}, "nearest: 'upper'"),
        ({"electrical_S_per_m": {"lower": -1.0, "upper": 1.0}}, "zero or positive"),
        ({"thermal_W_per_mK": {"lower": 0.0, "upper": 1.0}}, "positive"),
        ({"capacity_J_per_m3K": {"lower": lambda F_V_per_m: F_V_per_m, "upper": 1.0}}, "'F_V_per_m' is not known"),
        ({"electrical_S_per_m": {"lower": lambda t_K: t_K, "upper": 1.0}}, "nearest: 'T_K'"),
        ({"states": {"T_K": 1.0}}, "'T_K' cannot be the name of a state"),
        ({"fixed_K": {}}, "fixed_K is empty"),
        ({"fixed_K": {"bottom": 0.0}}, "positive temperature"),
        ({"fixed_K": {"botom": 300.0}}, "nearest: 'bottom'"),
        ({"driven": "bottom"}, "driven and grounded"),
        ({"grounded": []}, "grounded is empty"),
        ({"interfaces": {"lower-upper": fem.Contact()}}, "nearest: 'lower/upper'"),
        ({"interfaces": {"lower/upper": fem.Contact(-1.0)}}, "thermal_W_per_m2K must be finite and not negative"),
        ({"interfaces": {"lower/upper": fem.Contact([1.0, 1.0])}}, "each of 1 pairs"),
    ],
)
def test_names_and_numbers_refused(change, message):
    arguments = {
        "electrical_S_per_m": {"lower": 1.0, "upper": 1.0}, "thermal_W_per_mK": {"lower": 1.0, "upper": 1.0},
        "capacity_J_per_m3K": {"lower": 1.0, "upper": 1.0}, "fixed_K": {"bottom": 300.0},
    }  # fmt: skip
    with pytest.raises(fem.FemError, match=message):
        fem.Transient(blocks(10.0, 20.0, (2, 2)), **(arguments | change))


def test_calls_refused():
    problem = column()
    for call, message in (
        (lambda: problem.step(0.0, 1.0), "dt_s"),
        (lambda: problem.step(1e-9, np.nan), "applied_V"),
        (lambda: problem.step(1e-9, 1.0, series_ohm=-1.0), "series_ohm"),
        (lambda: problem.step(1e-9, 1.0, compliance_A=0.0), "compliance_A"),
        (lambda: problem.step(1e-9, 1.0, source_W=[1.0]), "source_W"),
        (lambda: problem.set_state("d", 1.0), "nearest: 'c'"),
        (lambda: problem.set_state("c", [1.0, 2.0]), "nodal array"),
        (lambda: problem.volume_m3("uper"), "nearest: 'upper'"),
        (lambda: setattr(problem, "temperature_K", np.zeros(14)), "above 0 K"),
        (lambda: fem.TransientSettings(method="coupld"), "nearest: 'coupled'"),
        (lambda: fem.TransientSettings(rtol=2.0), "rtol"),
    ):
        with pytest.raises(fem.FemError, match=message):
            call()
    with pytest.raises(fem.FemError, match="cells of type"):
        fem.Transient(
            meshes.tensor_rectangle([0.0, 1.0], [0.0, 1.0], {"a": (0.0, 1.0)}), {"a": 1.0}, {"a": 1.0}, {"a": 1.0},
            {"bottom": 300.0},
        )  # fmt: skip


def test_tanh_far_out_has_a_slope_of_zero():
    """UFL's own derivative is inf/inf there: a step that met such a temperature could not be solved."""

    def molten(T_K):
        return 1e5 * (1.5 + fem.tanh((T_K - 900.0) / 0.5))

    problem = fem.Transient(blocks(10.0, 20.0, (4, 8)), {"lower": 1e5, "upper": molten}, {"lower": 10.0, "upper": 1.0},
                            {"lower": 2e6, "upper": 2e6}, {"bottom": 300.0, "top": 300.0})  # fmt: skip
    assert problem.step(1e-9, 0.1).current_A > 0.0
    assert fem.tanh(np.array([-2.0, 30.0])) == pytest.approx(np.tanh([-2.0, 30.0]))


def test_a_jacobian_with_nans_leaves_a_solver_that_works():
    """The derivative of this conductivity is nan above 400 K; PETSc refuses to factor again after such a matrix."""

    def broken(T_K):
        much = fem.cosh(1e3 * fem.where(T_K > 400.0, 1.0, 0.0))
        return 1e5 + fem.where(T_K > 1e6, T_K, 0.0) + 1.0 / (much * (1.0 + 1e-3 * T_K))

    cell = blocks(10.0, 20.0, (4, 8))
    problem = fem.Transient(cell, {"lower": 1e5, "upper": broken}, {"lower": 10.0, "upper": 1.0},
                            {"lower": 2e6, "upper": 2e6}, {"bottom": 300.0, "top": 300.0})  # fmt: skip
    cold = problem.temperature_K
    assert problem.step(1e-9, 1e-3).current_A > 0.0
    problem.temperature_K = cold + 200.0
    with pytest.raises(fem.FemError, match="LINEAR_SOLVE"):
        problem.step(1e-10, 1e-3)
    problem.temperature_K = cold
    assert problem.step(1e-9, 1e-3).current_A > 0.0
