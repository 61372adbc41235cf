"""A lattice of vacancies beside its continuum: what passes between them, and how long both keep a state."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import json

import numpy as np
import pytest
from mpi4py import MPI
from small_device import small_device

import ionsim
from ionsim.analysis.vcm_compare import compare
from ionsim.analysis.vcm_mapping import (
    Around,
    ConductivityTable,
    around,
    block_conductivity,
    conductivity_table,
    heat_share,
    matched,
    positions_nm,
    sites_per_m3,
    spacing_nm,
    spot_neighbours,
)
from ionsim.analysis.vcm_report import write_report
from ionsim.analysis.vcm_retention import (
    Bake,
    LatticeState,
    activation,
    bake_continuum,
    bake_lattice,
    median_interval,
    read_S,
)
from ionsim.analysis.vcm_transfer import Transfer, draw
from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_continuum import VcmContinuum
from ionsim.devices.vcm_continuum_cell import build_cell, conductivity
from ionsim.errors import DeviceFileError, ResultsError
from ionsim.materials.constants import K_EV_PER_K
from ionsim.verification.vacancy_meshes import grid

TABLE = ConductivityTable(np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.3, 300.0, 9e4, 1.2e6]), np.zeros(4))


@pytest.fixture(scope="module")
def lattice():
    return small_device()


@pytest.fixture(scope="module")
def twin(lattice):
    return matched(lattice, TABLE, held=10.0, size_nm=0.2, height_nm=0.25)


@pytest.fixture(scope="module")
def transfer(lattice, twin):
    return Transfer(build_cell(twin), around(lattice), positions_nm(lattice), spacing_nm(lattice))


def column(device, radius_nm=0.65):
    """A lattice whose weak spot is vacant."""
    sites = positions_nm(device)
    return np.hypot(*(sites[:, :2] - around(device).axis_nm).T) <= radius_nm


# -- geometry and numbers -----------------------------------------------------------------------------------------


def test_the_box_becomes_a_disc_of_the_same_area_and_the_filament_stays_as_it_is():
    place = Around((1.1, 1.6), (2.5, 3.0, 4.0))
    random = np.random.default_rng(1)
    points = random.random((200_000, 3)) * place.box_nm
    folded = place(points)
    near = np.hypot(points[:, 0] - 1.1, points[:, 1] - 1.6) < 1.1
    assert np.allclose(folded[near, 0], np.hypot(points[near, 0] - 1.1, points[near, 1] - 1.6))
    assert np.array_equal(folded[:, 1], points[:, 2])
    # points even over the box are even over the disc: r^2 is, to four standard errors
    counts, _ = np.histogram(folded[:, 0] ** 2, bins=20, range=(0.0, place.radius_nm**2))
    assert np.abs(counts / 10_000.0 - 1.0).max() < 4.0 / np.sqrt(10_000.0)


def test_the_networks_conductivity_is_exact_where_all_sites_or_none_conduct(lattice):
    near = lattice.replace({"conduction.cutoff_nm": 0.27, "conduction.metallic_nm": 0.26})
    background, bond = near.conduction.background_S_per_m, near.conduction.contact_conductance_S
    seed = np.random.SeedSequence(1)
    assert block_conductivity(near, 0.0, seed, block=5) == pytest.approx(background, rel=1e-9)
    expected = background + bond / (spacing_nm(near) * 1e-9)
    assert block_conductivity(near, 1.0, seed, block=5) == pytest.approx(expected, rel=1e-9)
    # neighbours on a simple cubic lattice percolate from a share of 0.31 on
    assert block_conductivity(near, 0.2, seed, block=7) < 0.05 * expected


def test_the_continuum_has_the_lattices_numbers(lattice, twin):
    keys = twin.continuum
    assert keys.boundary_barrier_eV == pytest.approx(lattice.vacancy.hop_barrier_eV - 0.34)
    assert spot_neighbours(lattice) == pytest.approx(4.8, abs=0.3)
    assert keys.boundary_energy_eV == pytest.approx(-0.1 * spot_neighbours(lattice))
    assert keys.sites_per_m3 == pytest.approx(len(positions_nm(lattice)) / (np.prod(around(lattice).box_nm) * 1e-27))
    law = conductivity(keys)
    n = TABLE.fraction * keys.sites_per_m3
    assert np.allclose(law(n), TABLE.S_per_m)
    assert float(law(0.5 * (n[1] + n[2]))) == pytest.approx(np.sqrt(300.0 * 9e4))
    reach, depth = 10.0, lattice.layers.oxide.thickness_nm
    z = (np.arange(20_000) + 0.5) / 20_000 * depth
    assert heat_share(lattice) == pytest.approx(np.mean(1.0 - np.exp(-(depth - z) / reach)), rel=1e-6)
    # at no field release and return are in the lattice's ratio: exp(-dU/kT) (1 - n/C) / (n/C)
    kT = K_EV_PER_K * 300.0
    release = keys.cap_generation_per_m2s * np.exp(-keys.cap_generation_eV / kT)
    back = keys.cap_removal_m_per_s * sites_per_m3(lattice) * np.exp(-keys.cap_removal_eV / kT)
    filled = 10.0 / lattice.exchange.reservoir_sites
    assert release / back == pytest.approx(
        np.exp(-lattice.exchange.energy_eV / kT) * (1.0 - filled) / filled, rel=1e-9
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lattice.crystal": "monoclinic"}, "lattice.crystal"),
        ({"weak_spots": [{"centre_nm": [0.6, 0.6], "radius_nm": 0.3}, {"centre_nm": [1.4, 1.4], "radius_nm": 0.3}]},
         "weak_spots"),
        ({"model": "continuum"}, "model"),
        ({"drive": {"kind": "constant", "voltage_V": 0.1, "duration_s": 1.0}}, "drive.kind"),
    ],
)  # fmt: skip
def test_devices_without_such_a_continuum_are_refused(lattice, tmp_path, changes, message):
    with pytest.raises(DeviceFileError, match=message):
        compare(lattice.replace(changes), [1], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_another_family_with_exit_code_2(command, tmp_path):
    outcome = command("compare", "gst_mushroom", "--out", tmp_path / "x")
    assert outcome.code == 2
    assert "family: 'pcm'" in outcome.err
    assert not (tmp_path / "x").exists()


# -- vacancies and temperatures -----------------------------------------------------------------------------------


def test_vacancies_are_conserved_on_the_way_to_the_mesh(lattice, transfer):
    random = np.random.default_rng(3)
    lattices = [random.random(len(positions_nm(lattice))) < share for share in (0.02, 0.97)]
    for chosen in ([one] for one in lattices):
        amounts = transfer.amounts(chosen)
        assert amounts.sum() == pytest.approx(chosen[0].sum(), rel=1e-12)
        room = transfer.cell.vacancies.volume_m3() * sites_per_m3(lattice)
        assert np.all(amounts <= room * (1.0 + 1e-9))
    transfer.place_amounts(amounts)
    assert transfer.cell.vacancies.total == pytest.approx(lattices[-1].sum(), rel=1e-12)
    mean = transfer.amounts(lattices)
    assert mean.sum() == pytest.approx(np.mean([one.sum() for one in lattices]), rel=1e-12)


def test_a_full_lattice_is_a_full_continuum(lattice, transfer):
    full = transfer.amounts([np.ones(len(positions_nm(lattice)), dtype=bool)])
    nodes, volume = transfer.cell.vacancies.nodes, transfer.cell.vacancies.volume_m3()
    assert np.allclose(full[nodes] / (volume[nodes] * sites_per_m3(lattice)), 1.0, atol=1e-5)


def test_lattices_drawn_from_the_mesh_have_its_number_and_its_places(lattice, transfer):
    sites = positions_nm(lattice)
    spot = column(lattice)
    amounts = transfer.amounts([spot])
    share = transfer.shares_at_sites(amounts)
    assert share.sum() == pytest.approx(spot.sum(), rel=1e-9)
    assert np.all((share >= 0.0) & (share <= 1.0))
    drawn = np.array([transfer.occupation(amounts, seed) for seed in range(200)])
    assert np.all(np.abs(drawn.sum(axis=1) - spot.sum()) <= 1)
    error = (drawn.mean(axis=0) - share) / np.sqrt(np.maximum(share * (1.0 - share), 1e-3) / 200.0)
    assert np.abs(error).max() < 5.0
    far = np.hypot(*(sites[:, :2] - around(lattice).axis_nm).T) > 1.0
    assert share[far].max() < 0.02


def test_each_site_is_drawn_with_its_own_share_and_the_number_is_that_of_the_shares():
    share = np.array([0.0, 0.1, 0.35, 0.5, 0.95, 1.0, 0.4])
    random = np.random.default_rng(5)
    taken = np.array([draw(share, random) for _ in range(20_000)])
    assert set(taken.sum(axis=1)) <= {3, 4}
    assert np.abs(taken.mean(axis=0) - share).max() < 4.5 * 0.5 / np.sqrt(20_000.0)
    assert not taken[:, 0].any()
    assert taken[:, 5].all()


def test_temperatures_go_to_the_mesh_and_back(lattice, transfer):
    sites = positions_nm(lattice)
    even = transfer.field_at_sites(np.nan_to_num(transfer.field_at_nodes(np.full(len(sites), 450.0)), nan=-1e9))
    assert np.allclose(even, 450.0)
    r, z = transfer.place(sites).T
    rise = 100.0 * np.exp(-((r / 1.2) ** 2)) * np.sin(np.pi * z / around(lattice).box_nm[2])
    back = transfer.field_at_sites(transfer.field_at_nodes(rise))
    assert np.abs(back - rise).max() < 15.0  # a cube of 0.25 nm is averaged over
    assert np.abs(back - rise).mean() < 4.0


# -- models -------------------------------------------------------------------------------------------------------


def test_the_share_of_heat_that_stays_scales_the_rise_and_interfaces_add_to_it(twin):
    def rise(changes):
        cell = VcmContinuum(twin.replace(changes), MPI.COMM_SELF)
        state = cell.problem.steady(0.2)
        return float(cell.problem.temperature_K.max() - 300.0) / (state.current_A * 0.2)

    filled = {"continuum.filament_radius_nm": 0.6, "continuum.filament_per_m3": 5e28, "continuum.gap_nm": 0.0}
    sides = ("continuum.interface_bottom_W_per_m2K", "continuum.interface_top_W_per_m2K")
    perfect = rise(filled | {"continuum.heat_share": 1.0} | dict.fromkeys(sides))
    layers = (twin.layers.bottom, twin.layers.cap)  # of the metals' own conductivity the interfaces are not there
    metal = [twin.material(layer.material).value("thermal_W_per_mK") / 1e-10 for layer in layers]
    same = rise(filled | {"continuum.heat_share": 0.25} | dict(zip(sides, metal, strict=True)))
    assert same == pytest.approx(0.25 * perfect, rel=0.02)
    assert rise(filled | {"continuum.heat_share": 1.0}) > 1.1 * perfect


def test_polarisation_and_a_limit_of_an_electrode_are_exact():
    """A bar in a uniform field: the flux grows by exp(p F/kT); throttled rates keep their ratio."""
    cell = grid([np.linspace(0.0, 10.0, 21)], {"oxide": [(0.0, 10.0)]})
    kT, field = K_EV_PER_K * 600.0, 0.05  # V/nm
    law = fem.VacancyRegion(1e-7, 1.0)

    def flux(**more):
        held = {"bottom": fem.VacancyElectrode(density_per_m3=1e26), "top": fem.VacancyElectrode(density_per_m3=1e26)}
        bar = fem.VacancyTransport(cell, {"oxide": law}, 1e26, 1.0, electrodes=held, temperature_K=600.0, **more)
        z = bar.space.tabulate_dof_coordinates()[:, 0]
        return bar.steady(field * z, 600.0).entering_per_s["top"]

    assert flux(polarisation_nm=0.4) / flux() == pytest.approx(np.exp(0.4 * field / kT), rel=1e-9)
    assert flux(polarisation_nm=40.0) / flux() == pytest.approx(np.exp(1.0 / kT), rel=1e-9)  # no barrier is left

    def balance(most):
        ends = {"top": fem.VacancyElectrode(1e30, 1.0, 1e3, 1.1, most=most)}
        bar = fem.VacancyTransport(cell, {"oxide": law}, 1e26, 1.0, sites_per_m3=1e28, electrodes=ends)
        begin = bar.step(1e-12, 0.0, 600.0).entering_per_s["top"]
        bar.steady(0.0, 600.0)
        return begin, bar.density_per_m3[0]

    (free, level), (slowed, same) = balance(None), balance(1e-10)
    assert same == pytest.approx(level, rel=1e-9)
    assert slowed / free == pytest.approx(1e-10 / np.exp(-1.0 / kT), rel=1e-4)
    with pytest.raises(fem.FemError, match="most"):
        fem.VacancyElectrode(most=0.0)


def test_a_table_of_conductivities_is_checked(twin):
    with pytest.raises(DeviceFileError, match="table_S_per_m"):
        twin.replace({"continuum.table_S_per_m": [1.0, 2.0]})
    with pytest.raises(DeviceFileError, match="table_per_m3"):
        twin.replace({"continuum.table_per_m3": [0.0, 2e26, 1e26, 3e27]})
    with pytest.raises(DeviceFileError, match="reservoir_nm"):
        twin.replace({"continuum.reservoir_nm": 2.0})


def test_a_state_from_outside_is_a_state_of_the_lattice_and_lasts_where_nothing_moves(lattice):
    spot = column(lattice).astype(np.int8)
    cell = Vcm(lattice, np.random.SeedSequence(1), MPI.COMM_SELF)
    cell.place(spot, {"cap": 7})
    assert np.array_equal(cell.engine.occupation, spot)
    assert cell.engine.reservoir("cap") == 7
    cell.engine.check()
    bake = bake_lattice(lattice, LatticeState(spot, 7), 300.0, 1, until_s=1e-9, first_s=1e-10)
    assert bake.conductance_S[0] == cell.fields.conductance_S
    assert np.allclose(bake.relative, 1.0)
    assert bake.failure_s(0.2) == np.inf


def test_a_read_of_the_continuum_moves_nothing(lattice, twin, transfer):
    amounts = transfer.amounts([column(lattice)])
    cell = VcmContinuum(twin, MPI.COMM_SELF)
    cell.place(amounts)
    before = cell.cell.vacancies.density_per_m3
    assert read_S(cell) == pytest.approx(read_S(cell, 0.01), rel=1e-8)
    assert np.array_equal(cell.cell.vacancies.density_per_m3, before)
    assert cell.time_s == 0.0
    bake = bake_continuum(twin, amounts, 300.0, until_s=1e-8, first_s=1e-9)
    assert bake.conductance_S[0] == pytest.approx(read_S(cell), rel=1e-9)


# -- retention ----------------------------------------------------------------------------------------------------


def test_failures_and_their_activation():
    times = np.array([0.0, 1.0, 10.0, 100.0])
    bake = Bake(400.0, times, np.array([2.0, 1.9, 1.8, 1.0]), np.zeros(4))
    assert bake.failure_s(0.5) == pytest.approx(100.0)
    assert bake.failure_s(0.2) == pytest.approx(10.0 * 10.0 ** (0.2 / 0.8))
    assert bake.failure_s(0.6) == np.inf
    kelvins = np.repeat([300.0, 360.0, 400.0], 4)
    exact = 1e-12 * np.exp(1.1 / (K_EV_PER_K * kelvins))
    fit = activation(kelvins, exact)
    assert fit.energy_eV == pytest.approx(1.1)
    assert fit.half_eV < 1e-6
    assert fit.time_s(330.0) == pytest.approx(1e-12 * np.exp(1.1 / (K_EV_PER_K * 330.0)))
    random, inside = np.random.default_rng(2), 0
    for _ in range(400):
        noisy = activation(kelvins, exact * np.exp(random.normal(0.0, 0.5, kelvins.size)))
        inside += abs(noisy.energy_eV - 1.1) <= noisy.half_eV
    assert 0.91 < inside / 400 < 0.985  # 95 % within four standard errors
    with pytest.raises(ResultsError, match="three failures"):
        activation([300.0, 360.0, 400.0], [np.inf, 1.0, 2.0])
    assert median_interval([3.0, 1.0, np.inf]) == (3.0, 1.0, np.inf)


@pytest.mark.slow
def test_lattice_and_continuum_lose_a_filament_to_the_cap_in_the_same_time():
    """A filled weak spot under a cap that takes its vacancies: nothing is fitted."""
    device = ionsim.load("hfo2_ti_bipolar", ["exchange.energy_eV=0.8"])
    state = LatticeState(column(device).astype(np.int8), 500)
    continuum = matched(device, conductivity_table(device), held=500.0, size_nm=0.12)
    continuum = continuum.replace({"continuum.cap_max_rate_Hz": None})
    cell = build_cell(continuum)
    amounts = Transfer(cell, around(device), positions_nm(device), spacing_nm(device)).amounts([column(device)])
    density = bake_continuum(continuum, amounts, 400.0, until_s=1e12, first_s=1e3)
    lattices = [
        bake_lattice(device, state, 400.0, seed, until_s=1e12, first_s=1e5, hops_per_exchange=1e4) for seed in (1, 2, 3)
    ]
    times = [np.log(bake.failure_s(0.5)) for bake in lattices]
    assert np.mean(times) == pytest.approx(np.log(density.failure_s(0.5)), abs=np.log(1.5))


@pytest.mark.slow
def test_a_report_of_the_small_device(tmp_path):
    device = small_device({"drive.step_V": 0.1})
    report = compare(device, [1, 2], tmp_path, workers=1)
    paths = {path.name for path in write_report(report, tmp_path)}
    assert paths == {"iv.csv", "conductivity.csv", "axis.csv", "summary.json", "report.md", "continuum.toml", "iv.png",
                     "fields.png", "axis.png"}  # fmt: skip
    numbers = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    for state in numbers["states"].values():
        mean = np.mean(state["lattice"]["number"])
        assert state["continuum"]["number"] == pytest.approx(mean, rel=1e-9)
        assert np.all(np.abs(np.array(state["lattice_drawn_from_the_continuum"]["number"]) - mean) <= 1.0)
    assert ionsim.load(tmp_path / "continuum.toml").model == "continuum"
