"""Meshes of polycrystals agree with their films everywhere, and so do the labels of sites."""

import meshes  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import math
import time

import dolfinx.mesh
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import kmc
from ionsim.errors import StructureError
from ionsim.plots import grains_figure
from ionsim.structure import oxygen_sublattice, site_grains
from meshes import Polycrystal
from meshes.polycrystal_cells import ConvexGrains

Floats = NDArray[np.float64]


def regions_at(cell: meshes.LabelledMesh, points: Floats) -> NDArray[np.str_]:
    """Names of the regions of the simplices that hold points (n, dim)."""
    whole = meshes.gather(cell)
    assert whole is not None
    corners = whole.points_nm[whole.cells]
    inverse = np.linalg.inv(np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2))
    _, near = cKDTree(corners.mean(axis=1)).query(points, k=min(40, len(corners)))

    def holding(points: Floats, near: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats]:
        """Of the cells near each point the one that it is deepest in, and how deep."""
        share = np.einsum("nkij,nkj->nki", inverse[near], points[:, None] - corners[near, 0])
        least = np.minimum(share.min(axis=2), 1.0 - share.sum(axis=2))
        best = np.argmax(least, axis=1)
        rows = np.arange(len(points))
        return near[rows, best], least[rows, best]

    cells, depth = holding(points, near)
    for lost in np.flatnonzero(depth < -1e-9).tolist():  # in a cell that is large among small ones
        cells[lost], depth[lost] = (part[0] for part in holding(points[[lost]], np.arange(len(corners))[None]))
    assert depth.min() > -1e-9
    names = {number: name for name, number in cell.regions.items()}
    return np.array([names[tag] for tag in whole.tags[cells].tolist()])


def names_of(film: Polycrystal, points: Floats, by_class: bool) -> NDArray[np.str_]:
    return np.array(film.regions(by_class))[film.region(film.locate(points), by_class=by_class)]


@pytest.mark.parametrize("by_class", [False, True])
def test_a_plan_view_agrees_with_its_film_at_every_point(by_class: bool) -> None:
    film = Polycrystal.voronoi((20.0, 16.0, 5.0), grain_nm=7.0, seed=3, spread=0.3, width_nm=0.8, high_fraction=0.4)
    cell = meshes.grain_mesh(film, size_nm=0.6, by_class=by_class)
    points = np.random.default_rng(4).random((20_000, 3)) * film.size_nm
    np.testing.assert_array_equal(regions_at(cell, points[:, :2]), names_of(film, points, by_class))
    report = meshes.quality(cell)
    assert sum(part.volume_nm3 for part in report.regions.values()) == pytest.approx(320.0)
    assert list(cell.regions) == list(film.regions(by_class))
    assert set(cell.surfaces) == {"left", "right", "front", "back", "side"}
    assert cell.within == dict.fromkeys(list(cell.regions)[1:], "grain")


def test_opposite_sides_have_the_same_nodes() -> None:
    film = Polycrystal.voronoi((20.0, 16.0, 5.0), grain_nm=7.0, seed=3, spread=0.3)
    for facets in (False, True):
        x = meshes.grain_mesh(film, size_nm=0.6, facets=facets).mesh.geometry.x
        for axis, length in ((0, 20.0), (1, 16.0)):
            low, high = (np.sort(x[np.abs(x[:, axis] - end) < 1e-9, 1 - axis]) for end in (0.0, length))
            assert len(low) > 10
            np.testing.assert_allclose(low, high, atol=1e-6)


def test_facets_are_the_boundaries() -> None:
    film = Polycrystal.voronoi((20.0, 16.0, 5.0), grain_nm=7.0, seed=3, spread=0.3)
    cell = meshes.grain_mesh(film, size_nm=0.6, facets=True, split=True)
    points = np.random.default_rng(4).random((10_000, 3)) * film.size_nm
    expected = np.array([f"grain_{number}" for number in film.label(points).tolist()])
    np.testing.assert_array_equal(regions_at(cell, points[:, :2]), expected)
    for name, region in meshes.quality(cell).regions.items():
        assert region.volume_nm3 == pytest.approx(film.tessellation.volume[int(name[6:])])
    assert isinstance(film.tessellation, ConvexGrains)
    length = np.zeros(len(film.pairs))
    for grain in film.tessellation.grains:
        for number, ends in zip(grain.boundary.tolist(), grain.corners, strict=True):
            length[number] += 0.5 * np.linalg.norm(ends[1] - ends[0])  # from both sides
    numbers = meshes.boundary_numbers(cell, film)
    assert sorted(k for some in numbers.values() for k in some.tolist()) == list(range(len(film.pairs)))
    for name, part in cell.interfaces.items():
        assert part.area_nm2.sum() == pytest.approx(length[numbers[name]].sum())


@pytest.mark.parametrize("boundaries", [1, 2])
@pytest.mark.parametrize("tilt", [0.0, 25.0, -65.0])
def test_a_bicrystal_agrees_with_its_film_at_every_point(tilt: float, boundaries: int) -> None:
    film = Polycrystal.boundary((16.0, 4.0, 5.0), position_nm=9.0, tilt_deg=tilt, boundaries=boundaries)
    points = np.random.default_rng(4).random((5000, 3)) * film.size_nm
    cell = meshes.grain_mesh(film, size_nm=0.5)
    np.testing.assert_array_equal(regions_at(cell, points[:, ::2]), names_of(film, points, False))
    width = 1.0 / math.cos(math.radians(tilt))
    assert meshes.quality(cell).regions["boundary"].volume_nm3 == pytest.approx(5.0 * width * boundaries)
    split = meshes.grain_mesh(film, size_nm=0.5, facets=True, split=True)
    (part,) = split.interfaces.values()
    assert part.area_nm2.sum() == pytest.approx(5.0 * width * boundaries)
    if boundaries == 2:
        expected = np.array([f"grain_{number}" for number in film.label(points).tolist()])
        np.testing.assert_array_equal(regions_at(split, points[:, ::2]), expected)
        assert meshes.boundary_numbers(split, film)["grain_0/grain_1"].tolist() == [0, 1]


def test_meshes_in_three_dimensions_agree_at_every_point() -> None:
    rng = np.random.default_rng(4)
    columns = Polycrystal.voronoi((10.0, 12.0, 3.0), grains=6, seed=3, spread=0.3)
    leaning = Polycrystal.boundary((8.0, 4.0, 3.0), tilt_deg=20.0)
    for film, lines in ((columns, [0.0, 1.0, 3.0]), (leaning, [0.0, 2.0, 4.0])):
        cell = meshes.grain_mesh(film, size_nm=0.8, depth_nm=lines)
        points = rng.random((3000, 3)) * film.size_nm
        np.testing.assert_array_equal(regions_at(cell, points), names_of(film, points, False))
        total = sum(part.volume_nm3 for part in meshes.quality(cell).regions.values())
        assert total == pytest.approx(float(np.prod(film.size_nm)))
        assert set(cell.surfaces) == {"left", "right", "front", "back", "bottom", "top", "side"}
        assert {number for name, number in cell.surfaces.items() if name != "side"} == set(cell.facets.values.tolist())
    split = meshes.grain_mesh(leaning, size_nm=0.8, facets=True, split=True, depth_nm=[0.0, 2.0, 4.0])
    area = 4.0 * 3.0 / math.cos(math.radians(20.0))
    assert split.interfaces["grain_0/grain_1"].area_nm2.sum() == pytest.approx(area)


def test_a_grid_agrees_on_every_site_of_a_lattice_of_its_cells() -> None:
    sites = oxygen_sublattice("cubic", 5.0, 6.0, 4.0)
    size = (*sites.cell_nm, sites.thickness_nm)
    film = Polycrystal.voronoi(size, grains=8, seed=1, columnar=False, width_nm=0.8)
    labels = site_grains(film, sites.positions_nm, by_class=True)
    names = np.array(labels.regions)[labels.region]
    whole = meshes.grain_grid(film, sites.spacing_nm, by_class=True, hexahedra=True)
    cells = meshes.grain_grid(film, sites.spacing_nm, by_class=True)
    assert whole.mesh.topology.index_map(3).size_local == len(sites.positions_nm)
    np.testing.assert_array_equal(regions_at(cells, sites.positions_nm + np.array([0.01, 0.02, 0.03])), names)
    middle = dolfinx.mesh.compute_midpoints(whole.mesh, 3, whole.cells.indices)
    distance, at = cKDTree(sites.positions_nm).query(middle)
    assert distance.max() < 1e-9
    numbers = {number: name for name, number in whole.regions.items()}
    np.testing.assert_array_equal([numbers[tag] for tag in whole.cells.values.tolist()], names[at])
    shares = {name: part.volume_nm3 / math.prod(size) for name, part in meshes.quality(cells).regions.items()}
    assert shares == pytest.approx({name: share for name, share in labels.share().items() if share})


def test_sections_and_plan_views_on_a_grid() -> None:
    film = Polycrystal.voronoi((6.0, 5.0, 4.0), grains=8, seed=1, columnar=False)
    for axes, at, used in (("xz", 1.3, [0, 2]), ("xy", 2.2, [0, 1])):
        cell = meshes.grain_grid(film, 0.25, axes, at)
        count = [round(film.size_nm[k] / 0.25) for k in used]
        middles = (np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), axis=-1).reshape(-1, 2) + 0.5) * 0.25
        points = np.full((len(middles), 3), at)
        points[:, used] = middles
        np.testing.assert_array_equal(regions_at(cell, middles + np.array([0.01, 0.02])), names_of(film, points, False))


def test_any_mesh_can_be_given_grains() -> None:
    film = Polycrystal.voronoi((5.0, 5.0, 3.0), grains=4, seed=2, width_nm=0.8, high_fraction=0.5)
    bare = meshes.filament_cell(oxide_nm=3.0, width_nm=9.0, size_nm=0.5, bottom_nm=5.0, cap_nm=2.0, top_nm=6.0)
    cell = meshes.label_grains(bare, film, "oxide", by_class=True)
    middle = dolfinx.mesh.compute_midpoints(cell.mesh, 3, cell.cells.indices)
    inside = (middle[:, 2] > 0.0) & (middle[:, 2] < 3.0)
    names = {number: name for name, number in cell.regions.items()}
    found = np.array([names[tag] for tag in cell.cells.values.tolist()])
    wanted = {"grain": "oxide", "low_symmetry": "oxide_low_symmetry", "high_symmetry": "oxide_high_symmetry"}
    expected = [wanted[name] for name in names_of(film, middle[inside], True).tolist()]
    np.testing.assert_array_equal(found[inside], expected)
    np.testing.assert_array_equal(cell.cells.values[~inside], bare.cells.values[~inside])
    assert cell.within["oxide_low_symmetry"] == "oxide"
    assert "oxide_low_symmetry" not in bare.regions
    with pytest.raises(meshes.MeshError, match="no region 'oxyde'"):
        meshes.label_grains(bare, film, "oxyde")


def test_meshes_refuse() -> None:
    columns = Polycrystal.voronoi((10.0, 10.0, 5.0), grains=6)
    round_ = Polycrystal.voronoi((10.0, 10.0, 10.0), grains=12, columnar=False)
    image = Polycrystal.from_labels(np.eye(4, dtype=int), 1.0, thickness_nm=1.0)
    for film, options, message in (
        (round_, {"size_nm": 0.5}, "no columns"), (image, {"size_nm": 0.5}, "label image"),
        (columns, {"size_nm": 0.5, "split": True}, "split needs facets"), (columns, {"size_nm": 5.0}, "largest_nm"),
        (columns, {"size_nm": 0.5, "depth_nm": [1.0, 2.0]}, "depth_nm"),
    ):  # fmt: skip
        with pytest.raises(meshes.MeshError, match=message):
            meshes.grain_mesh(film, **options)  # type: ignore[arg-type]
    with pytest.raises(meshes.MeshError, match="at most half of the boundaries' width"):
        meshes.grain_grid(columns, 0.6)
    with pytest.raises(meshes.MeshError, match="axes"):
        meshes.grain_grid(columns, 0.5, "yz")


@pytest.mark.parametrize("name", ["polycrystal", "polycrystal_3d", "equiaxed", "bicrystal", "bicrystal_3d"])
def test_the_catalogue_has_them(name: str) -> None:
    small = {"film_nm": [8.0, 4.0] if name == "bicrystal" else [8.0, 8.0], "size_nm": 0.5, "boundary_nm": 1.0}
    small |= {"position_nm": 4.0} if "bi" in name else {"grain_nm": 4.0}
    small |= {"thickness_nm": 2.0} if name not in ("polycrystal", "bicrystal") else {}
    cell = meshes.build(name, small)
    volume = 64.0 * (2.0 if "thickness_nm" in small else 1.0) * (0.5 if name == "bicrystal" else 1.0)
    parts = {region: part.volume_nm3 for region, part in meshes.quality(cell).regions.items()}
    assert list(parts) == ["grain", "boundary"]
    assert sum(parts.values()) == pytest.approx(volume)
    assert meshes.summary(name)


def test_sites_have_regions_for_the_graph() -> None:
    sites = oxygen_sublattice("monoclinic", 6.0, 6.0, 3.0)
    film = Polycrystal.voronoi((*sites.cell_nm, sites.thickness_nm), grains=4, seed=1)
    labels = site_grains(film, sites.positions_nm)
    graph = kmc.SiteGraph.from_positions(sites.positions_nm, cutoff_nm=0.3, region=labels.region)
    np.testing.assert_array_equal(graph.region, labels.region)
    assert labels.regions == ("grain", "low_symmetry", "high_symmetry")
    assert sum(labels.share().values()) == pytest.approx(1.0)
    np.testing.assert_array_equal(labels.boundary >= 0, labels.distance_nm <= 0.5)
    np.testing.assert_array_equal(labels.region == 2, film.high[labels.boundary] & (labels.boundary >= 0))
    assert np.all(labels.distance_nm[labels.triple] <= 0.5)
    assert np.any(labels.triple)
    figure = grains_figure(film, sites.positions_nm)
    assert len(figure.axes) == 2
    with pytest.raises(StructureError, match="outside the polycrystal"):
        site_grains(film, sites.positions_nm + np.array([1.0, 0.0, 0.0]))


@pytest.mark.slow
def test_a_million_sites_take_seconds() -> None:
    sites = oxygen_sublattice("cubic", 50.8, 50.8, 6.35)
    assert len(sites.positions_nm) == 1_000_000
    kmc.SiteGraph.from_positions(sites.positions_nm[:2000], cutoff_nm=0.3)  # compiles
    for columnar in (True, False):
        begin = time.perf_counter()
        film = Polycrystal.voronoi(
            (*sites.cell_nm, sites.thickness_nm), grain_nm=8.0, seed=1, spread=0.3, columnar=columnar
        )
        labels = site_grains(film, sites.positions_nm)
        middle = time.perf_counter()
        kmc.SiteGraph.from_positions(sites.positions_nm, cutoff_nm=0.3, region=labels.region)
        assert middle - begin < 10.0
        assert time.perf_counter() - begin < 30.0
