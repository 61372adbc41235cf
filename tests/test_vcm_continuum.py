"""The continuum model of vacancies: potential, heat and vacancies in one step, and the device that runs it."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

from itertools import pairwise

import numpy as np
import pytest

import ionsim
from ionsim.analysis.switching import switching_voltage
from ionsim.devices.vcm_continuum import VcmContinuum
from ionsim.devices.vcm_continuum_cell import build_cell, conductivity, thermal_conductivity
from ionsim.drive import Circuit
from ionsim.errors import DeviceFileError
from ionsim.verification.vacancy_meshes import grid

COARSE = {
    "continuum.size_nm": 1.5, "continuum.height_nm": 0.5, "continuum.outer_radius_nm": 30.0,
    "continuum.density_step": 0.4, "continuum.temperature_step_K": 100.0, "continuum.voltage_step_V": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def device():
    return ionsim.load("hfo2_continuum").replace(COARSE)


def bar(order=2):
    """A bar of which one half has few vacancies, behind a resistor; heat leaves at its ends."""
    cell = grid([np.linspace(0.0, 10.0, 21)], {"oxide": [(0.0, 10.0)]})
    electrical = fem.Transient(
        cell, {"oxide": lambda n_per_m3: 1e3 + 9e4 * n_per_m3 / 1e27}, {"oxide": 1.0}, {"oxide": 2.5e6},
        {"bottom": 700.0, "top": 700.0}, states={"n_per_m3": 0.0},
    )  # fmt: skip
    law = fem.VacancyRegion(1e13 * 0.15e-9**2, 1.2, soret_eV=1.2)
    vacancies = fem.VacancyTransport(cell, {"oxide": law}, 1e26, 1.0, 1.2e27, 0.15, order=order, temperature_K=700.0)
    z = vacancies.space.tabulate_dof_coordinates()[:, 0]
    vacancies.set_density(1e26 * (1.0 + 6.0 / (1.0 + np.exp(-(z - 5.0)))))
    electrical.temperature_K = np.full(z.size, 700.0)
    return fem.VacancyCell(electrical, vacancies, 2e25, "n_per_m3", rtol=1e-9, max_rounds=40)


def test_nothing_lags_between_potential_and_vacancies():
    """Order 2 in time of the current, with a voltage that ramps while vacancies move."""
    found = []
    for steps in (10, 20, 40):
        cell = bar()
        dt_s = 2e-3 / steps
        for k in range(steps):
            done = cell.attempt(dt_s, 0.3 * (k + 1) / steps, series_ohm=1e-14)
            assert done.accepted, done.reason
        found.append(done.result.electrical.current_A)
    first, second = (abs(a - b) for a, b in pairwise(found))
    assert abs(found[0] / found[-1] - 1.0) > 1e-5
    assert np.log2(first / second) > 1.7


def test_a_step_that_fails_or_is_undone_leaves_no_trace():
    cell = bar()
    cell.attempt(1e-5, 0.1)
    before = cell.vacancies.density_per_m3, cell.electrical.temperature_K
    done = cell.attempt(1e-5, 0.2)
    assert done.accepted
    assert set(done.changes) == {"temperature_K", "potential_V", "density"}
    end = cell.vacancies.density_per_m3
    done.undo()
    np.testing.assert_array_equal(cell.vacancies.density_per_m3, before[0])
    cell.max_rounds = 1
    refused = cell.attempt(1e-3, 0.5)
    assert not refused.accepted
    assert "do not agree" in refused.reason
    np.testing.assert_array_equal(cell.electrical.temperature_K, before[1])
    cell.max_rounds = 40
    cell.attempt(1e-5, 0.2)
    np.testing.assert_allclose(cell.vacancies.density_per_m3, end, rtol=1e-12)


def test_laws_of_kim_choi_and_lu(device):
    keys, kT = device.continuum, 8.617333262e-5 * 500.0
    sigma, kappa = conductivity(keys), thermal_conductivity(keys)
    n = np.array([0.0, 2.5e26, 5e26, 1e27, 1.1e27])
    prefactor, barrier = [1e3, 2.425e4, 4.75e4, 9.4e4, 9.4e4], np.array([0.05, 0.022, -0.006, -0.006, -0.006])
    np.testing.assert_allclose(sigma(500.0, n), prefactor * np.exp(-barrier / kT), rtol=1e-6)
    np.testing.assert_allclose(kappa(500.0, n), [2.52, 16.265, 30.01, 57.5, 57.5], rtol=1e-12)


def test_the_cell_is_meshed_as_described(device):
    cell = build_cell(device)
    n = cell.vacancies.density_per_m3
    x = cell.vacancies.space.tabulate_dof_coordinates()
    assert set(cell.mesh.regions) == {"bottom", "oxide", "reservoir", "dielectric", "cap", "top"}
    inside = np.isin(np.arange(len(x)), cell.vacancies.nodes)
    assert np.all(n[~inside] == 0.0)
    assert np.all(x[inside, 0] < 15.0 + 1e-6)
    r, z = x[:, 0], x[:, 1]
    for where, wanted in (
        ((r < 4.5) & (z > 1.5) & (z < 4.5), 9e26), ((z > 5.5) & inside, 7e26), ((z < 0.6) & inside, 9.6e24),
        ((r > 5.5) & (z < 4.5) & inside, 9.6e24),
    ):  # fmt: skip
        assert where.any()
        np.testing.assert_allclose(n[where], wanted, rtol=1e-12)
    volume = cell.vacancies.volume_m3().sum()
    assert volume == pytest.approx(np.pi * 15e-9**2 * 20e-9, rel=1e-9)


def test_a_run_goes_on_from_a_checkpoint(device):
    circuit = Circuit(100.0, 1e-3)
    one = VcmContinuum(device)
    one.advance(0.4, 0.4, circuit)
    saved = one.checkpoint()
    one.advance(0.5, 0.5, circuit)
    other = VcmContinuum(device)
    other.restore(saved)
    other.advance(0.5, 0.5, circuit)
    assert other.n_steps == one.n_steps
    assert other.current_A == one.current_A
    for name, values in one.state().items():
        np.testing.assert_array_equal(other.state()[name], values)


def test_a_boundary_in_a_plane_is_one_half_of_the_cell(device):
    """Currents are those of both halves; the boundary holds more vacancies where it attracts them, and they conduct."""
    plane = {"continuum.geometry": "plane", "continuum.filament_radius_nm": 0.0}
    boundary = {
        "continuum.boundary_nm": 1.0, "continuum.boundary_barrier_eV": 0.8, "continuum.boundary_energy_eV": -0.1,
        "continuum.depth_nm": 60.0,
    }  # fmt: skip
    bare = VcmContinuum(device.replace(plane))
    fast = VcmContinuum(device.replace(plane | boundary))
    leaky = VcmContinuum(device.replace(plane | boundary | {"continuum.boundary_S_per_m": 2e4}))
    for one in (bare, fast, leaky):
        one.advance(1e-3, 1e-3, Circuit())
    height, kT = 5e-9, 0.025852
    resistance = height / (1e3 + 9.3e4 * 9.6e24 / 1e27) / np.exp(-(0.05 - 0.056 * 9.6e24 / 5e26) / kT) / (30e-9) ** 2
    assert bare.device_V / bare.current_A == pytest.approx(resistance, rel=0.15)  # the reservoir's edge is coarse
    odds = 9.6e24 / (1.2e27 - 9.6e24) * np.exp(0.1 / kT)
    held = 1.2e27 * odds / (1.0 + odds)
    inside = fast.cell.vacancies.density_in("boundary")
    low = fast.cell.vacancies.space.tabulate_dof_coordinates()[:, 1] < 4.0
    np.testing.assert_allclose(inside[low & ~np.isnan(inside)], held, rtol=1e-3)
    np.testing.assert_array_equal(fast.cell.electrical.save().states["boundary_per_m3"], np.nan_to_num(inside))
    assert fast.cell.electrical.volume_m3("boundary").sum() == pytest.approx(0.5e-9 * 5e-9, rel=1e-9)
    activation = np.exp(-(0.05 - 0.056 * held / 5e26) / kT)
    for one, insulating in ((fast, 1e3), (leaky, 2e4)):
        sigma = (insulating + (9.4e4 - insulating) * held / 1e27) * activation
        wanted = (59.0 / 30.0 + sigma * 60e-9 * 1e-9 / height * resistance) / resistance
        assert one.current_A / one.device_V == pytest.approx(wanted, rel=0.15)
    assert leaky.current_A > 1.2 * fast.current_A


def test_a_box_without_a_filament_is_a_plane(device):
    """The same boundary in a plane and in 3D; lumped volumes and means of triangles and tetrahedra differ a little."""
    keys = {
        "continuum.filament_radius_nm": 0.0, "continuum.boundary_nm": 2.0, "continuum.boundary_energy_eV": -0.1,
        "continuum.size_nm": 2.0, "continuum.height_nm": 1.0, "continuum.depth_nm": 8.0,
    }  # fmt: skip
    plane, box = (VcmContinuum(device.replace(keys | {"continuum.geometry": name})) for name in ("plane", "box"))
    for one in (plane, box):
        one.advance(0.2, 0.2, Circuit(100.0))
    assert box.current_A == pytest.approx(plane.current_A, rel=2e-3)
    shares = [one.cell.share * one.cell.vacancies.total for one in (plane, box)]
    assert shares[1] == pytest.approx(shares[0], rel=2e-3)
    found = []
    for one, height in ((plane, 1), (box, 2)):
        x = one.problem.space.tabulate_dof_coordinates()
        at = np.flatnonzero(x[:, 1] < 1e-9) if height == 2 else np.arange(len(x))
        order = at[np.lexsort(np.round(x[at][:, [0, height]].T, 6))]
        found.append([one.cell.vacancies.density_per_m3[order], one.problem.temperature_K[order]])
    np.testing.assert_allclose(found[1], found[0], rtol=5e-3)


def test_a_box_with_a_filament_is_a_quarter(device):
    cell = build_cell(device.replace({
        "continuum.geometry": "box", "continuum.size_nm": 1.5, "continuum.height_nm": 1.0, "continuum.depth_nm": 20.0,
    }))  # fmt: skip
    x, n = cell.vacancies.space.tabulate_dof_coordinates(), cell.vacancies.density_per_m3
    r, low = np.hypot(x[:, 0], x[:, 1]), (x[:, 2] > 1.5) & (x[:, 2] < 4.5) & (n > 0.0)
    np.testing.assert_allclose(n[low & (r < 4.5)], 9e26, rtol=1e-12)
    np.testing.assert_allclose(n[low & (r > 5.5)], 9.6e24, rtol=1e-12)
    volume = cell.share * cell.vacancies.volume_m3().sum()
    assert volume == pytest.approx(30e-9 * 20e-9 * 20e-9, rel=1e-9)


def test_a_boundary_starts_with_what_it_is_given(device):
    keys = {"continuum.boundary_nm": 2.0, "continuum.boundary_energy_eV": -0.1, "continuum.boundary_per_m3": 2e26,
            "continuum.filament_radius_nm": 0.0}  # fmt: skip
    cell = build_cell(device.replace(keys))
    x = cell.vacancies.space.tabulate_dof_coordinates()
    inside = cell.vacancies.density_in("boundary")
    np.testing.assert_allclose(inside[(x[:, 1] < 4.0) & ~np.isnan(inside)], 2e26, rtol=1e-6)
    outside = cell.vacancies.density_in("oxide")
    np.testing.assert_allclose(outside[(x[:, 1] < 4.0) & (x[:, 0] > 1.1) & ~np.isnan(outside)], 9.6e24, rtol=1e-12)


def test_a_cap_may_hold_the_reservoir(device):
    cell = build_cell(device.replace({"continuum.cap_per_m3": 9e26, "continuum.reservoir_barrier_eV": 0.6}))
    z = cell.vacancies.space.tabulate_dof_coordinates()[:, 1]
    top = np.isclose(z, 20.0) & (cell.vacancies.density_per_m3 > 0.0)
    np.testing.assert_allclose(cell.vacancies.density_per_m3[top], 9e26, rtol=1e-12)
    cell.vacancies.step(1.0, 0.0, 500.0)
    assert cell.vacancies.entered["reservoir/cap"] > 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"continuum.gap_nm": 5.0}, "below layers.oxide.thickness_nm"),
        ({"continuum.outer_radius_nm": 10.0}, "must exceed radius_nm"),
        ({"continuum.boundary_nm": 15.0, "continuum.radius_nm": 5.5}, "below twice radius_nm"),
        ({"continuum.filament_radius_nm": 20.0}, "below radius_nm"),
        ({"continuum.reservoir_per_m3": 2e27}, "below sites_per_m3"),
        ({"continuum.cap_per_m3": 2e27}, "below sites_per_m3"),
        ({"continuum.geometry": "box", "continuum.depth_nm": 8.0}, "below half of depth_nm"),
        ({"vacancy.initial_fraction": 0.0}, "has to start from some"),
        ({"continuum.shortest_s": 1.0}, "at least shortest_s"),
        ({"continuum.dielectric": "SiO"}, "unknown material"),
        ({"numerics.superbasin_states": 8}, "no lattice"),
    ],
)
def test_what_is_not_allowed(changes, message):
    with pytest.raises(DeviceFileError, match=message):
        ionsim.load("hfo2_continuum").replace(changes)


def test_any_vcm_file_can_be_run_as_a_continuum():
    other = ionsim.load("hfo2_ti_bipolar").replace({"model": "continuum"} | COARSE)
    assert isinstance(ionsim.devices.families.build(other, np.random.SeedSequence(1), None), VcmContinuum)


@pytest.mark.slow
def test_set_is_abrupt_reset_gradual_and_the_cycle_closes(tmp_path):
    """The example: in under two minutes on a core; vacancies conserved to 1e-10, energy to 1e-8."""
    run = ionsim.Simulation(ionsim.load("hfo2_continuum")).run(tmp_path / "run")
    series, summary = run.series, run.summary
    parts = [series["stage"] == k for k in range(3)]
    for k in (0, 2):
        part = {name: np.asarray(values)[parts[k]] for name, values in series.items()}
        assert 1.0 < switching_voltage(part) < 2.0
        before = int(np.flatnonzero(part["limited"])[0])
        assert part["current_A"][before] > 2.5 * part["current_A"][before - 3]  # in 30 mV
    down = np.asarray(series["current_A"])[parts[1]]
    volts = np.asarray(series["voltage_V"])[parts[1]]
    out = slice(int(np.argmax(np.abs(down))), int(np.argmin(volts)) + 1)
    ratio = np.abs(down[out])[:-1] / np.abs(down[out])[1:]
    assert np.ptp(volts[out]) > 0.5
    assert ratio.max() < 1.15  # in 10 mV
    assert np.abs(down[out])[0] > 2.0 * np.abs(down[out])[-1]
    assert summary["on_off_ratio"] > 10.0
    assert abs(summary["vacancy_share"] - 1.0) < 1e-10
    assert summary["E_residual_J"] < 1e-8 * summary["E_electrical_J"]
    assert summary["wall_time_s"] < 120.0


@pytest.mark.slow
def test_behind_a_load_alone_set_is_abrupt_and_reset_gradual(tmp_path):
    """The example without a compliance: forming and two cycles, V_SET below V_form."""
    device = ionsim.load("hfo2_continuum_load")
    run = ionsim.Simulation(device).run(tmp_path / "run")
    series = {name: np.asarray(values) for name, values in run.series.items()}
    turned_on, low, high = [], [], []
    for k, stage in enumerate(device.drive.stages):
        part = {name: values[series["stage"] == k] for name, values in series.items()}
        assert not np.any(part["limited"])
        turn = int(np.argmax(np.abs(part["voltage_V"])))
        out = np.flatnonzero(np.abs(part["voltage_V"][: turn + 1]) > 0.3)
        current, volts = np.abs(part["current_A"][out]), part["voltage_V"][out]
        growth = current[1:] / current[:-1]  # in 10 mV
        back = turn + int(np.argmin(np.abs(np.abs(part["voltage_V"][turn:]) - 0.1)))
        read_ohm = 1.0 / part["conductance_S"][back]
        if stage.stop_V > 0.0:
            assert growth.max() > 2.0
            turned_on.append(volts[1 + int(np.argmax(growth))])
            low.append(read_ohm)
        else:
            assert growth.min() > 1.0 / 1.35
            high.append(read_ohm)
    assert len(turned_on) == 3
    assert max(turned_on[1:]) < turned_on[0]
    for before, off, after in zip(low[:-1], high, low[1:], strict=True):
        assert off > 10.0 * max(before, after)


@pytest.mark.slow
def test_a_boundary_lowers_forming_where_the_film_is_not_leaky(tmp_path):
    """A film of 10 S/m with a boundary of 1 nm in a plane: 2.7 V, less where it attracts vacancies; none without."""
    base = ionsim.load("hfo2_continuum").replace({
        "continuum.geometry": "plane", "continuum.filament_radius_nm": 0.0, "continuum.insulating_S_per_m": 10.0,
        "vacancy.initial_fraction": 8e-5, "continuum.reservoir_barrier_eV": 0.5, "continuum.outer_radius_nm": 40.0,
        "continuum.size_nm": 0.5, "continuum.height_nm": 0.3, "continuum.density_step": 0.25,
        "drive.stages": [{"name": "forming", "stop_V": 4.0, "compliance_A": 1e-4, "turn_at_compliance": True}],
    })  # fmt: skip
    found = []
    for energy in (None, 0.0, -0.1):
        boundary = {"continuum.boundary_nm": 1.0, "continuum.boundary_barrier_eV": 0.7}
        keys = {} if energy is None else boundary | {"continuum.boundary_energy_eV": energy}
        run = ionsim.Simulation(base.replace(keys)).run(tmp_path / f"{energy}")
        limited = np.flatnonzero(run.series["limited"])
        found.append(np.asarray(run.series["voltage_V"])[limited[0]] if len(limited) else np.inf)
    assert found[0] == np.inf
    assert 2.0 < found[1] < 3.5
    assert found[2] < found[1] - 0.8


@pytest.mark.slow
def test_retention_goes_with_the_barrier_of_hops(tmp_path):
    """A RESET filament closes by itself: 1.5 times the conductance after a time that is Arrhenius with 1.2 eV.

    At equal D t the states differ only by the conductivity's own activation: 1.1757 eV between 400 and 600 K.
    """
    kT, times = 8.617333262e-5 * np.array([400.0, 600.0]), []
    for T_K, energy in zip((400.0, 600.0), kT, strict=True):
        unit_s = 0.2 * 1e-18 / (1e13 * 0.15e-9**2 * np.exp(-1.2 / energy))
        one = ionsim.load("hfo2_continuum").replace({
            "ambient_K": T_K, "continuum.first_s": 0.01 * unit_s, "continuum.size_nm": 0.5, "continuum.height_nm": 0.3,
            "drive": {"kind": "read", "voltage_V": 0.05, "repeats": 14, "interval_s": unit_s},
        })  # fmt: skip
        series = ionsim.Simulation(one).run(tmp_path / f"{T_K:g}").series
        volts, time_s = np.asarray(series["voltage_V"]), np.asarray(series["time_s"])
        read = np.abs(volts - 0.05) < 1e-9
        _, first = np.unique(np.floor(time_s[read] / unit_s), return_index=True)
        grown = (np.asarray(series["current_A"])[read] / 0.05)[first]
        assert np.all(np.diff(grown) > 0.0)
        times.append(np.interp(np.log(1.5), np.log(grown / grown[0]), time_s[read][first]))
    barrier = np.log(times[0] / times[1]) / (1.0 / kT[0] - 1.0 / kT[1])
    assert barrier == pytest.approx(1.2, abs=0.03)


def test_a_cut_has_vacancies_in_the_oxide_and_the_reservoir_only(device):
    """The cut's grid is finer than the elements, which must not smear the density over the borders of the oxide."""
    cut = VcmContinuum(device).state()
    r, z, density = (cut[f"cut/{name}"] for name in ("r_nm", "z_nm", "vacancies_per_m3"))
    keys = device.continuum
    height_nm = device.layers.oxide.thickness_nm + keys.reservoir_nm
    inside = ((z > 0.0) & (z < height_nm))[:, None] & (r < keys.radius_nm)
    np.testing.assert_array_equal(density > 0.0, inside)
    assert 0.2 < inside.mean() < 0.9
