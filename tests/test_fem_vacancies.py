"""Oxygen vacancies as a continuum: exact answers, fast layers, electrodes, failure and return."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import numpy as np
import pytest

from ionsim.verification import vacancy_mms
from ionsim.verification.vacancy_equilibrium import vacancy_equilibrium
from ionsim.verification.vacancy_fisher import vacancy_fisher
from ionsim.verification.vacancy_laminate import vacancy_laminate
from ionsim.verification.vacancy_meshes import grid

LAW = fem.VacancyRegion(1e-9, 0.3)


def failed(case):
    records = case()
    assert any(record.passed for record in records)
    return [(record.name, record.value) for record in records if record.passed is False]


def square(count=4, **arguments):
    lines = [np.linspace(0.0, 4.0, count + 1)] * 2
    cell = grid(lines, {"low": [(0.0, 4.0), (0.0, 2.0)], "high": [(0.0, 4.0), (2.0, 4.0)]})
    return fem.VacancyTransport(cell, {"low": LAW, "high": LAW}, 1e25, 2.0, **arguments)


@pytest.mark.parametrize("case", [vacancy_equilibrium, vacancy_laminate, vacancy_fisher])
def test_case_passes(case):
    assert failed(case) == []


@pytest.mark.slow
def test_manufactured_case_passes():
    assert failed(vacancy_mms.vacancy_mms) == []


def test_orders_of_the_axisymmetric_problem():
    order, _, least = vacancy_mms.order_in_space(2, (8, 16), True, 40)
    assert order > 1.9
    assert least > 0.04


def test_a_sharp_front_in_a_strong_field_stays_positive_and_below_the_sites():
    """232 kT from node to node: the body empties at one end and fills at the other, and nothing is lost."""
    body = square(sites_per_m3=1e27, order=1)
    body.set_density(4e26)
    z = body.space.tabulate_dof_coordinates()[:, 1]
    begin = body.total
    for k in range(14):
        body.step(1e-12 * 10.0**k, -12.0 * z / 4.0, 300.0)
    n = body.density_per_m3
    assert 0.0 < n.min() < 1e-19 * n.max()
    assert 0.99e27 < n.max() <= 1e27
    assert body.total == pytest.approx(begin, rel=1e-12)


@pytest.mark.parametrize("how", ["name", "function", "dofs"])
def test_a_layer_is_the_same_however_it_is_given(how):
    bare = square()
    x = bare.space.tabulate_dof_coordinates()
    on = np.flatnonzero(np.abs(x[:, 1] - 2.0) < 1e-9)
    on = on[np.argsort(x[on, 0])]
    facets = {"name": "low/high", "function": lambda points: np.abs(points[:, 1] - 2.0) < 1e-9,
              "dofs": np.stack([on[:-1], on[1:]], axis=1)}[how]  # fmt: skip
    body = square(layers={"boundary": fem.FastLayer(facets, 0.5, fem.VacancyRegion(1e-6, 0.3))})
    assert body.volume_m3().sum() - bare.volume_m3().sum() == pytest.approx(4.0e-9 * 0.5e-9, rel=1e-12)
    body.set_density(1e25 * (1.0 + x[:, 0]))
    body.step(1e-5, 0.0, 300.0)
    along = body.density_per_m3[on]
    assert np.ptp(along) < 0.1 * 4e25
    bare.set_density(1e25 * (1.0 + x[:, 0]))
    bare.step(1e-5, 0.0, 300.0)
    assert np.ptp(bare.density_per_m3[on]) > 0.5 * 4e25


def test_a_layer_of_triangles_conducts_as_a_sheet():
    """In 3D and in (r, z): the current through a body of layers alone follows delta D n."""
    lines = [np.array([0.0, 1.0, 2.5]), np.array([0.0, 0.7, 2.0]), np.linspace(0.0, 3.0, 4)]
    cell = grid(lines, {"body": [(0.0, 2.5), (0.0, 2.0), (0.0, 3.0)]})
    held = {"bottom": fem.VacancyElectrode(density_per_m3=1e25), "top": fem.VacancyElectrode(density_per_m3=0.0)}
    sheet = fem.FastLayer(lambda points: points[:, 0] < 1e-9, 0.5, fem.VacancyRegion(1e-6))
    flows = []
    for layers in ({}, {"sheet": sheet}):
        body = fem.VacancyTransport(cell, {"body": fem.VacancyRegion(1e-9)}, 1e25, 1.0, layers=layers, electrodes=held)
        flows.append(body.steady(0.0, 300.0).entering_per_s["bottom"])
    assert flows[0] == pytest.approx(1e-9 * 5e-18 * 1e25 / 3e-9, rel=1e-9)
    assert flows[1] - flows[0] == pytest.approx(1e-6 * 0.5e-9 * 2e-9 * 1e25 / 3e-9, rel=1e-9)


def test_electrodes_pass_on_what_enters():
    """Held below, exchange above: what enters at both is what the body gains; a steady flow leaves it as it is."""
    top = fem.VacancyElectrode(1e30, 0.8, 1e3, 0.8)
    body = square(sites_per_m3=1e27, electrodes={"bottom": fem.VacancyElectrode(density_per_m3=1e25), "top": top})
    begin, entered = body.total, 0.0
    for k in range(5):
        state = body.step(1e-7, 0.0, 500.0)
        if k == 0:  # of backward Euler
            entered = sum(state.entering_per_s.values()) * 1e-7
            assert entered == pytest.approx(body.total - begin, rel=1e-9)
    assert sum(body.entered.values()) == pytest.approx(body.total - begin, rel=1e-9)
    assert body.entered["bottom"] != pytest.approx(0.0)
    assert abs(body.total / begin - 1.0) > 0.1
    rates = body.steady(0.0, 500.0).entering_per_s
    assert rates["bottom"] == pytest.approx(-rates["top"], rel=1e-6)
    assert abs(rates["top"]) > 0.0


def test_generation_goes_with_the_field_at_the_electrode():
    """Twice exp(w/kT) for w = z e F a / 2; the field is that of the electrode's side, also beside another region."""
    rates = []
    for volts in (0.0, 0.4):
        body = square(electrodes={"top": fem.VacancyElectrode(1e20, 0.3, field_nm=0.4)})
        z = body.space.tabulate_dof_coordinates()[:, 1]
        rates.append(body.step(1e-15, volts * z / 4.0, 400.0).entering_per_s["top"])
    kT = 8.617333262e-5 * 400.0
    assert rates[0] == pytest.approx(1e20 * 4e-9 * np.exp(-0.3 / kT), rel=1e-6)
    assert rates[1] / rates[0] == pytest.approx(np.exp(2.0 * 0.4 / 4.0 * 0.4 / 2.0 / kT), rel=1e-6)


def test_diffusivity_as_a_function_of_temperature():
    arrhenius = fem.VacancyRegion(lambda kelvin: 1e-9 * np.exp(-0.3 / 8.617333262145179e-5 / kelvin))
    found = []
    for law in (LAW, arrhenius):
        cell = grid([np.linspace(0.0, 4.0, 5)], {"bar": [(0.0, 4.0)]})
        body = fem.VacancyTransport(cell, {"bar": law}, 1e25, 2.0)
        z = body.space.tabulate_dof_coordinates()[:, 0]
        body.step(1e-7, 0.1 * z, 400.0 + 20.0 * z)
        found.append(body.density_per_m3)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
    assert np.ptp(found[0]) > 1e24


def test_save_restore_and_a_failed_step_leave_no_trace():
    body = square(sites_per_m3=1e27)
    z = body.space.tabulate_dof_coordinates()[:, 1]
    for _ in range(2):
        body.step(1e-9, 0.1 * z, 400.0)
    saved = body.save()
    body.step(2e-9, 0.1 * z, 400.0)
    end = body.density_per_m3
    body.restore(saved)
    drain = np.full(z.size, -1e30)
    with pytest.raises(fem.FemError, match="did not converge"):
        body.step(1e-6, 0.1 * z, 400.0, drain)
    body.restore(saved)
    body.step(2e-9, 0.1 * z, 400.0)
    np.testing.assert_array_equal(body.density_per_m3, end)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocked_hops": True}, "needs sites_per_m3"),
        ({"sites_per_m3": 1e25}, "below sites_per_m3"),
        ({"hop_nm": 0.0}, "hop_nm must be positive"),
        ({"electrodes": {"roof": fem.VacancyElectrode()}}, "roof"),
        ({"electrodes": {"low/roof": fem.VacancyElectrode()}}, "roof"),
        ({"layers": {"edge": fem.FastLayer(lambda points: points[:, 0] > 9.0, 0.5, LAW)}}, "no facet"),
        ({"layers": {"low": fem.FastLayer("low/high", 0.5, LAW)}}, "name of a region"),
    ],
)
def test_what_is_not_allowed(arguments, message):
    with pytest.raises(fem.FemError, match=message):
        square(**arguments)


def test_numbers_out_of_range():
    for make in (
        lambda: fem.VacancyRegion(0.0), lambda: fem.VacancyRegion(1e-9, -1.0), lambda: fem.FastLayer("a/b", 0.0, LAW),
        lambda: fem.VacancyElectrode(1.0, density_per_m3=1.0), lambda: fem.VacancyElectrode(-1.0),
    ):  # fmt: skip
        with pytest.raises(fem.FemError):
            make()
    with pytest.raises(fem.FemError, match="no electrode lets vacancies out"):
        square().steady(0.0, 300.0)
    with pytest.raises(fem.FemError, match="temperature_K"):
        square().step(1.0, 0.0, 0.0)
