"""Grain boundaries in the lattice of a VCM device: what sites and edges get, and where vacancies go."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import gammaln
from small_device import FROZEN, small_device

import kmc
from ionsim.analysis.forming import (
    Formed,
    form,
    forming_only,
    forming_runs,
    proportion,
    read_runs,
    statistics,
    write_runs,
)
from ionsim.config.grains import CLASSES
from ionsim.coupling import Network
from ionsim.devices.vcm import Vcm
from ionsim.devices.vcm_crystal import HOP, crystal_lattice
from ionsim.devices.vcm_grains import annealed, boundaries, film_of, smooth_field
from ionsim.errors import DeviceFileError, ResultsError
from ionsim.materials import boundary_set
from ionsim.plots.boundaries import boundary_figure, forming_figure, positions_figure
from ionsim.structure import oxygen_sublattice

#: A plane boundary of four planes of sites in the middle of the small device, which is 8 planes wide.
ONE = {"kind": "boundary", "width_nm": 0.8}
PLAIN = {
    "hop_shift_eV": 0.0, "hop_spread_eV": 0.0, "site_energy_eV": 0.0, "site_spread_eV": 0.0, "patch_spread_eV": 0.0,
    "exchange_shift_eV": 0.0, "exchange_spread_eV": 0.0,
}  # fmt: skip


def device(grains=None, **changes):
    return small_device({"weak_spots": [], "grains": ONE if grains is None else grains, **changes})


def lattice(grains=None, seed=1, **changes):
    return crystal_lattice(device(grains, **changes), np.random.SeedSequence(seed))


def energies(built):
    return built.engine.table.site_energy[:, built.species.index("vacancy")]


def edge_shifts(built):
    table = built.engine.table
    return table.edge_barrier[table.edge_row[list(built.engine.counts).index(HOP)]]


def test_sites_get_the_offsets_of_their_class_and_edges_the_mean_of_their_ends():
    numbers = PLAIN | {"hop_shift_eV": -0.2, "site_energy_eV": -0.3, "exchange_shift_eV": -0.1}
    built = lattice(ONE | {"low_symmetry": numbers, "high_symmetry": PLAIN})
    inside = np.abs(built.positions_nm[:, 0] - 0.5 * built.box_nm[0]) < 0.4
    assert built.regions == ("grain", *CLASSES)
    np.testing.assert_array_equal(built.sites.region, inside.astype(int))
    np.testing.assert_array_equal(energies(built), np.where(inside, -0.3, 0.0))
    ends = np.stack([inside[built.sites.origin], inside[built.sites.target]])
    np.testing.assert_allclose(edge_shifts(built), -0.2 * ends.mean(axis=0), atol=1e-15)
    other = lattice(ONE | {"boundary_class": "high_symmetry", "low_symmetry": numbers, "high_symmetry": PLAIN})
    np.testing.assert_array_equal(other.sites.region, 2 * inside)
    assert not np.any(energies(other))


def test_numbers_come_from_the_class_unless_the_file_gives_them():
    given = device(ONE | {"low_symmetry": {"site_energy_eV": -0.7}})
    assert given.grains.value("low_symmetry", "site_energy_eV") == -0.7
    assert given.grains.value("low_symmetry", "hop_shift_eV") == boundary_set("low_symmetry")["hop_shift_eV"].value
    taken = given.taken_from_sets()
    assert "grains.low_symmetry.site_energy_eV" not in taken
    assert taken["grains.high_symmetry.site_energy_eV"].value == boundary_set("high_symmetry")["site_energy_eV"].value
    assert all(item.source for name in CLASSES for item in boundary_set(name).values())
    assert all(set(boundary_set(name)) == set(PLAIN) | {"patch_nm"} for name in CLASSES)


def test_draws_are_of_the_given_spread_the_same_for_both_directions_and_by_the_seed():
    sublattice = oxygen_sublattice("cubic", 8.0, 8.0, 5.0)
    numbers = PLAIN | {"hop_spread_eV": 0.1, "site_spread_eV": 0.05, "exchange_spread_eV": 0.2}
    grains = device(ONE | {"low_symmetry": numbers}).grains
    found = boundaries(grains, sublattice, "cubic", np.random.SeedSequence(3))
    inside = found.labels.region == 1
    assert not np.any(found.site_energy_eV[~inside])
    assert np.std(found.site_energy_eV[inside]) == pytest.approx(0.05, rel=0.05)
    assert np.std(found.exchange_shift_eV[inside]) == pytest.approx(0.2, rel=0.05)
    sites = kmc.SiteGraph.from_positions(sublattice.positions_nm, cutoff_nm=0.3)
    shift = found.edge_shifts_eV(sites)
    np.testing.assert_array_equal(shift, shift[sites.reverse])
    ends = inside[sites.origin].astype(int) + inside[sites.target]
    assert not np.any(shift[ends == 0])
    assert np.std(shift[ends == 2]) == pytest.approx(0.1, rel=0.05)
    assert np.std(shift[ends == 1]) == pytest.approx(0.1 / np.sqrt(2.0), rel=0.05)
    again = boundaries(grains, sublattice, "cubic", np.random.SeedSequence(3))
    np.testing.assert_array_equal(found.site_energy_eV, again.site_energy_eV)
    np.testing.assert_array_equal(shift, again.edge_shifts_eV(sites))
    other = boundaries(grains, sublattice, "cubic", np.random.SeedSequence(4))
    assert not np.array_equal(found.site_energy_eV, other.site_energy_eV)


def test_patches_vary_along_the_boundary_and_not_through_the_film():
    sublattice = oxygen_sublattice("cubic", 3.0, 30.0, 2.0)
    grains = device(ONE | {"low_symmetry": PLAIN | {"patch_spread_eV": 0.1, "patch_nm": 1.0}}).grains
    found = boundaries(grains, sublattice, "cubic", np.random.SeedSequence(1))
    inside = found.labels.region == 1
    positions, energy = sublattice.positions_nm[inside], found.site_energy_eV[inside]
    _, column = np.unique(positions[:, :2], axis=0, return_inverse=True)
    of_column = np.bincount(column, energy) / np.bincount(column)
    np.testing.assert_allclose(energy, of_column[column], atol=1e-12)
    assert not np.any(found.site_energy_eV[~inside])
    assert 0.05 < np.std(of_column) < 0.15


def test_a_smooth_field_has_its_variance_and_correlation():
    places = np.column_stack([np.linspace(0.0, 400.0, 4001), np.zeros(4001)])
    fields = [smooth_field(places, 2.0, np.random.default_rng(seed)) for seed in range(12)]
    assert np.mean([np.mean(field**2) for field in fields]) == pytest.approx(1.0, abs=0.1)
    for lag in (10, 20, 40):
        found = np.mean([np.mean(field[lag:] * field[:-lag]) for field in fields])
        assert found == pytest.approx(np.exp(-((0.1 * lag) ** 2) / 8.0), abs=0.08)


def in_boundary(number, outside, inside, gain_kT):
    """Mean and spread of how many of ``number`` vacancies stand in a boundary: the canonical ensemble, summed."""
    k = np.arange(number + 1)

    def ways(sites, held):
        return gammaln(sites + 1) - gammaln(held + 1) - gammaln(sites - held + 1)

    log = ways(inside, k) + ways(outside, number - k) + k * gain_kT
    weight = np.exp(log - log.max())
    mean = float((weight * k).sum() / weight.sum())
    return mean, np.sqrt(float((weight * (k - mean) ** 2).sum() / weight.sum()))


def test_annealed_vacancies_are_in_equilibrium():
    energy = np.repeat([0.0, -0.08], [900, 100])
    temperature_K, number = 700.0, 50
    generator = np.random.default_rng(1)
    draws = [annealed(number, energy, temperature_K, generator) for _ in range(300)]
    assert all(len(set(sites.tolist())) == number for sites in draws)
    inside = np.array([(sites >= 900).sum() for sites in draws])
    mean, spread = in_boundary(number, 900, 100, 0.08 / (kmc.KB_EV * temperature_K))
    assert inside.mean() == pytest.approx(mean, abs=4.0 * spread / np.sqrt(len(inside)))
    anywhere = annealed(number, energy, None, np.random.default_rng(1))
    np.testing.assert_array_equal(anywhere, np.random.default_rng(1).choice(1000, number, replace=False))


def test_a_single_crystal_is_as_it_was_and_grains_have_streams_of_their_own():
    alone = crystal_lattice(small_device({"weak_spots": []}), np.random.SeedSequence(1))
    beside = lattice(ONE | {"low_symmetry": PLAIN})
    np.testing.assert_array_equal(alone.engine.occupation, beside.engine.occupation)
    assert alone.film is None


def test_vacancies_segregate_to_the_boundary():
    """Hops alone, without a voltage: the mean number in the boundary is that of the canonical ensemble."""
    numbers = PLAIN | {"site_energy_eV": -0.08}
    built = lattice(
        ONE | {"low_symmetry": numbers}, exchange=None, ambient_K=600.0,
        vacancy={"initial_fraction": 0.02, "hop_barrier_eV": 0.5},
    )  # fmt: skip
    engine, inside = built.engine, built.sites.region == 1
    engine.set_fields(np.zeros(len(inside)), np.full(len(inside), 600.0))
    number = int((engine.occupation == 1).sum())
    held = []
    for step in range(1, 4001):
        engine.run(until_s=step * 1e-8)
        held.append((engine.occupation[inside] == 1).sum())
    outside = int((~inside).sum())
    mean, spread = in_boundary(number, outside, len(inside) - outside, 0.08 / (kmc.KB_EV * 600.0))
    # Of a chain that needs some 20 samples to forget: 100 blocks, whose own scatter is the error.
    blocks = np.mean(np.reshape(held[1000:], (100, 30)), axis=1)
    assert np.mean(blocks) == pytest.approx(mean, abs=4.0 * np.std(blocks, ddof=1) / 10.0)
    assert np.std(held) == pytest.approx(spread, rel=0.2)


def test_a_conducting_boundary_adds_its_share_to_the_virgin_film():
    def conductance_S(grains):
        cell = Vcm(device(grains, **FROZEN, vacancy={"initial_fraction": 0.0}), np.random.SeedSequence(1))
        cell.initialise()
        return cell.fields.conductance_S, cell.fields

    plain_S, fields = conductance_S(ONE | {"low_symmetry": PLAIN})
    better_S, _ = conductance_S(ONE | {"low_symmetry": PLAIN | {"background_S_per_m": 3.0}})
    x_nm = fields.conduction.space.tabulate_dof_coordinates()[:, 0]
    middles = np.unique(np.round(x_nm, 6))
    widths, middles = np.diff(middles), 0.5 * (middles[1:] + middles[:-1])
    box = oxygen_sublattice("cubic", 2.0, 2.0, 2.0).cell_nm[0]
    share = widths[np.abs(middles - 0.5 * box) <= 0.4].sum() / widths.sum()
    # Parallel paths, since the electrodes are far better conductors.
    assert better_S / plain_S == pytest.approx(1.0 + 9.0 * share, rel=1e-3)


def test_a_film_is_drawn_anew_with_every_seed_unless_it_has_its_own():
    drawn = {"kind": "voronoi", "grain_nm": 1.5, "film_nm": 6.0, "width_nm": 0.5}
    first, second = (film_of(device(drawn), seed) for seed in (1, 2))
    points = oxygen_sublattice("cubic", 2.0, 2.0, 2.0).positions_nm
    assert not np.array_equal(first.distance_nm(points), second.distance_nm(points))
    np.testing.assert_array_equal(lattice(drawn, seed=2).sites.region, second.region(second.locate(points)))
    fixed = drawn | {"seed": 5}
    kept = [film_of(device(fixed), seed).distance_nm(points) for seed in (1, 2)]
    np.testing.assert_array_equal(*kept)
    assert film_of(small_device(), 1) is None


@pytest.mark.parametrize("kind", ["image", "tall image", "neper"])
def test_imported_microstructures(kind, tmp_path):
    from test_polycrystal import squares

    labels = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 8, axis=0), 8, axis=1)
    if kind == "neper":
        (tmp_path / "film.tess").write_text(squares(), encoding="utf-8")
        grains = {"kind": "neper", "path": str(tmp_path / "film.tess"), "unit_nm": 4.0}
    else:
        block = labels if kind == "image" else np.repeat(labels[:, :, None], 10, axis=2)
        np.savez(tmp_path / "film.npz", labels=block)
        grains = {"kind": "image", "path": str(tmp_path / "film.npz"), "spacing_nm": 0.25}
    built = lattice(grains | {"width_nm": 0.5})
    x, y = built.positions_nm[:, 0], built.positions_nm[:, 1]
    near = np.minimum(np.minimum(np.abs(x - 2.0), np.abs(y - 2.0)), np.minimum(x, y)) <= 0.25
    assert np.mean((built.sites.region > 0) == near) > 0.97
    with pytest.raises(DeviceFileError, match=r"grains.path.*the lattice is"):
        lattice(grains | ({"unit_nm": 0.4} if kind == "neper" else {"spacing_nm": 0.05}))


@pytest.mark.parametrize(
    ("grains", "message"),
    [
        ({"kind": "voronoi"}, "grains.grains: give either grains"),
        ({"kind": "voronoi", "grain_nm": 2.0, "film_nm": 1.0}, "grains.film_nm = 1.0: must be at least"),
        ({"kind": "cubic"}, "grains.kind"),
        ({"kind": "boundary", "position_nm": 3.0}, "grains.position_nm = 3.0: must be at most lattice.width_nm"),
        ({"kind": "boundary", "low_symmetry": {"patch_spread_eV": -0.1}}, "grains.low_symmetry.patch_spread_eV"),
        ({"kind": "image", "path": "/nowhere.png", "spacing_nm": 0.1}, "grains.path = .*: there is no such file"),
    ],
)
def test_wrong_grains_are_named(grains, message):
    with pytest.raises(DeviceFileError, match=message):
        device(grains).check_files()


def test_grains_too_few_to_tile_the_film_are_refused():
    with pytest.raises(DeviceFileError, match=r"grains: 2 grains do not tile .* larger film_nm"):
        lattice({"kind": "voronoi", "grains": 2, "width_nm": 0.5})


def test_grains_belong_to_the_lattice():
    for changes in ({"model": "continuum"}, {"structure": {}, "frenkel": {}, "exchange": None}):
        with pytest.raises(DeviceFileError, match=r"grains: not with"):
            device(**changes)


@pytest.fixture(scope="module")
def formed():
    numbers = PLAIN | {"hop_shift_eV": -0.34, "site_energy_eV": -0.2, "exchange_shift_eV": -0.2}
    stages = [{"name": "forming", "stop_V": 6.0, "turn_at_compliance": True}]
    drive = small_device().model_dump(mode="json", exclude_none=True)["drive"] | {"stages": stages}
    return forming_only(device(ONE | {"low_symmetry": numbers}, drive=drive))


def test_the_filament_of_a_formed_film_is_found(formed, tmp_path):
    run = form(formed.to_toml(), "low symmetry", 1)
    assert run.formed
    assert 0.0 < run.V_form_V <= 6.0
    assert run.touches
    assert run.boundary_share > 0.8
    assert run.sites_share == pytest.approx(0.5)
    assert 0.3 < run.chance_share < 0.7
    assert abs(run.x_nm - 1.0) < 0.5
    write_runs(tmp_path / "runs.csv", [run])
    (again,) = read_runs(tmp_path / "runs.csv")
    assert again.V_form_V == run.V_form_V
    assert again.touches is True
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="no table of forming runs"):
        read_runs(tmp_path / "other.csv")


def test_current_through_each_site_of_a_chain_is_that_of_the_chain():
    height = 0.25
    positions = np.column_stack([np.zeros(6), np.zeros(6), (np.arange(6) + 0.5) * height])
    network = Network.build(
        positions, 6 * height, contact_conductance_S=2.0, metallic_nm=height, decay_nm=0.1, cutoff_nm=1.1 * height
    )
    rest = 7 / 2.0  # seven bonds of 2 S in series: five between sites, one to each electrode
    potential = (np.arange(6) + 1) / 7
    np.testing.assert_allclose(network.site_currents(np.ones(6, dtype=bool), potential, 1.0), 1.0 / rest)
    broken = np.array([1, 1, 0, 1, 1, 1], dtype=bool)
    assert network.site_currents(broken, np.where(np.arange(6) < 2, 0.0, 1.0), 1.0).max() == 0.0


def made(seed, volts, share=0.9, formed=True):
    where = (1.0, 1.0, share, share > 0.1, 0.4, 0.6, 0.5, 0.1)
    return Formed("low symmetry", seed, formed, volts, *where, 20, 310.0, 1.0, "")


def test_statistics_count_what_formed_and_where(formed):
    runs = [made(1, 2.0), made(2, 2.2), made(3, 2.1, 0.05), made(4, 6.0, formed=False)]
    found = statistics(runs)
    assert (found.n, found.n_formed, found.on_boundary, found.touching) == (4, 3, 2, 2)
    assert found.mean_V == pytest.approx(2.1)
    assert found.fit.n_censored == 1
    assert proportion(0, 10)[0] == 0.0
    assert proportion(5, 10)[0] == pytest.approx(0.187, abs=1e-3)  # Clopper and Pearson's table
    assert forming_figure(runs).axes[0].get_xlabel() == "forming voltage (V)"
    assert len(positions_figure(runs, {"low symmetry": formed}).axes) == 2


def test_vacancies_are_drawn_over_the_boundaries():
    film = film_of(device(), 1)
    figure = boundary_figure(film, (2.0, 2.0, 2.0), {"virgin": np.array([[1.0, 1.0, 1.0], [0.1, 1.0, 1.0]])})
    assert figure.axes[0].get_title() == "virgin: 1 of 2 in boundaries"


def test_forming_statistics_need_a_lattice(tmp_path):
    with pytest.raises(DeviceFileError, match="need a lattice"):
        forming_runs({"a": small_device({"model": "continuum"})}, {"a": 1}, tmp_path / "runs.csv")


def test_runs_of_a_table_are_not_repeated_unless_they_had_other_settings(formed, tmp_path):
    table = tmp_path / "runs.csv"
    text = formed.to_toml()
    known = replace(made(1, 2.0), input_sha256=hashlib.sha256(text.encode()).hexdigest()[:16])
    write_runs(table, [known])
    assert forming_runs({"low symmetry": formed}, {"low symmetry": 1}, table, workers=1) == [known]
    other = formed.replace({"ambient_K": 301.0})
    with pytest.raises(ResultsError, match="'low symmetry', seed 1, was run with other settings"):
        forming_runs({"low symmetry": other}, {"low symmetry": 1}, table, workers=1)
