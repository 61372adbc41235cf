"""Polycrystals: grains against brute force, sizes, orientations, boundaries, images and files."""

import meshes  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from meshes import Polycrystal
from meshes.polycrystal_cells import ConvexGrains
from meshes.polycrystal_texture import high_symmetry, misorientation_deg, orientations, sigma
from meshes.polycrystal_voronoi import Laguerre, convex_grains

Floats = NDArray[np.float64]

PERIODIC = {2: (True, True), 3: (True, True, False)}


def tessellation(dim: int, count: int, weighted: bool) -> tuple[Laguerre, ConvexGrains]:
    rng = np.random.default_rng(5)
    size = np.array([20.0, 30.0, 12.0][:dim])
    weights = rng.uniform(0.0, 3.0, count) if weighted else np.zeros(count)
    cells = Laguerre(rng.random((count, dim)) * size, weights, size, PERIODIC[dim])
    return cells, convex_grains(cells)


def all_planes(cells: Laguerre, points: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Grain of each point, distance to the nearest plane between its seed and another one, and the foot on it."""
    shifts = ConvexGrains(cells.size, cells.periodic, (), np.empty((0, 2), dtype=np.int64), np.empty(0)).shifts()
    images = np.concatenate([cells.seeds + shift for shift in shifts])
    weights = np.tile(cells.weights, len(shifts))
    power = np.sum((points[:, None] - images) ** 2, axis=2) - weights
    own = np.argmin(power, axis=1)
    apart = images[None] - images[own][:, None]
    length = np.linalg.norm(apart, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (power - power[np.arange(len(points)), own, None]) / (2.0 * length)
    gap[length == 0.0] = np.inf
    other = np.argmin(gap, axis=1)
    rows = np.arange(len(points))
    least = gap[rows, other]
    foot = points + apart[rows, other] * (least / length[rows, other])[:, None]
    return own % len(cells.seeds), least, foot


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("dim", "count"), [(2, 12), (3, 25)])
def test_grains_and_distances_are_those_of_all_seeds_and_images(dim: int, count: int, weighted: bool) -> None:
    cells, grains = tessellation(dim, count, weighted)
    points = np.random.default_rng(1).random((2000, dim)) * cells.size
    found = grains.locate(points)
    grain, least, foot = all_planes(cells, points)
    np.testing.assert_array_equal(found.grain, grain)
    inside = np.ones(len(points), dtype=bool)
    if dim == 3:  # the nearest plane may lie beyond a surface of the film, where the film has no boundary
        inside = (foot[:, 2] >= 0.0) & (foot[:, 2] <= cells.size[2])
        assert inside.mean() > 0.9
    np.testing.assert_allclose(found.distance_nm[inside], least[inside], atol=1e-9)
    assert np.all(found.distance_nm >= least - 1e-9)
    # The boundary named has the point's grain on one side.
    assert np.all(np.any(grains.pairs[found.boundary] == grain[:, None], axis=1))
    # Images have the same answers.
    moved = grains.locate(points + np.array([-20.0, 60.0, 0.0][:dim]))
    np.testing.assert_array_equal(moved.grain, grain)
    np.testing.assert_allclose(moved.distance_nm, found.distance_nm, atol=1e-9)


@pytest.mark.parametrize(("dim", "count"), [(2, 12), (3, 25)])
def test_volumes_fill_the_film_and_are_those_of_the_points(dim: int, count: int) -> None:
    cells, grains = tessellation(dim, count, True)
    assert grains.volume.sum() == pytest.approx(float(np.prod(cells.size)), rel=1e-12)
    points = np.random.default_rng(2).random((100_000, dim)) * cells.size
    share = np.bincount(grains.locate(points).grain, minlength=count) / len(points)
    expected = grains.volume / grains.volume.sum()
    assert np.abs((share - expected) / np.sqrt(expected / len(points))).max() < 4.0
    if dim == 2:
        assert len(grains.pairs) <= 3 * count  # Euler: three for each grain on a torus, each pair once
        assert sum(len(grain.offset) for grain in grains.grains) == 6 * count


def test_triple_lines_are_where_three_grains_are_equally_near() -> None:
    cells, grains = tessellation(2, 12, False)
    points = np.random.default_rng(3).random((20_000, 2)) * cells.size
    found = grains.locate(points, 0.5)
    shifts = grains.shifts()
    corners = np.concatenate([grain.centre + grain.lines[:, 0] + s for grain in grains.grains for s in shifts])
    assert all(len(grain.lines) == len(grain.offset) for grain in grains.grains)
    distance = cKDTree(corners).query(points)[0]
    inner = corners[:200] % cells.size
    power = np.sort(np.min(np.sum((inner[:, None, None] - cells.seeds[None, :, None] - shifts) ** 2, axis=3), axis=2))
    np.testing.assert_allclose(power[:, 0], power[:, 2], atol=1e-8)  # corners are as far from three seeds
    near = np.isfinite(found.triple_nm)
    np.testing.assert_allclose(found.triple_nm[near], distance[near], atol=1e-9)
    # All but those nearest to a corner that their own grain does not have.
    assert np.mean(near == (distance <= 0.5)) > 0.999


def test_triple_lines_in_three_dimensions_touch_three_grains() -> None:
    cells, grains = tessellation(3, 25, False)
    lines = np.concatenate([grain.centre + grain.lines for grain in grains.grains])
    inner = np.all((lines.mean(axis=1)[:, 2:] > 0.0) & (lines.mean(axis=1)[:, 2:] < 12.0), axis=1)
    middle = lines[inner].mean(axis=1)
    shifts = grains.shifts()
    square = np.sum((middle[:, None, None] - cells.seeds[None, :, None] - shifts) ** 2, axis=3).reshape(len(middle), -1)
    square.sort(axis=1)
    np.testing.assert_allclose(square[:, 0], square[:, 2], rtol=1e-7)
    assert np.all(grains.locate(middle, 1e-3).triple_nm < 1e-6)


def test_random_seeds_give_the_known_spread_of_sizes() -> None:
    """Variance of area 0.280 and of volume 0.179 (Tanemura, Forma 18, 221 (2003)); 4 standard errors."""
    rng = np.random.default_rng(7)
    for dim, count, variance in ((2, 3000, 0.280), (3, 700, 0.179)):
        cells = Laguerre(rng.random((count, dim)), np.zeros(count), np.ones(dim), (True,) * dim)
        share = cells.volume * count
        error = math.sqrt((np.mean((share - 1.0) ** 4) - share.var() ** 2) / count)
        assert share.var() == pytest.approx(variance, abs=4.0 * error)


def test_mean_diameter_is_that_asked_for() -> None:
    for spread in (None, 0.35):
        film = Polycrystal.voronoi((200.0, 200.0, 5.0), grain_nm=8.0, seed=3, spread=spread, lloyd=0)
        d = film.diameters_nm
        assert d.mean() == pytest.approx(8.0, abs=4.0 * d.std() / math.sqrt(film.n_grains))
    assert np.log(d).std() == pytest.approx(0.35, abs=4.0 * 0.35 / math.sqrt(2 * film.n_grains))


def test_spread_sets_sizes_exactly_and_lloyd_keeps_them() -> None:
    films = [
        Polycrystal.voronoi((40.0, 40.0, 20.0), grains=30, seed=2, spread=0.4, columnar=False, lloyd=lloyd)
        for lloyd in (0, 2)
    ]
    drawn = np.random.default_rng(np.random.SeedSequence(2).spawn(2)[0])
    drawn.random((30, 3))
    sizes = np.exp(0.4 * drawn.standard_normal(30))
    for film in films:
        ratio = film.diameters_nm / sizes
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    equal = Polycrystal.voronoi((40.0, 40.0, 5.0), grains=30, seed=2, spread=0.0)
    assert np.ptp(equal.diameters_nm) < 1e-5 * equal.diameters_nm.mean()


def test_lloyd_steps_make_grains_alike() -> None:
    rough, smooth = (Polycrystal.voronoi((50.0, 50.0, 5.0), grains=60, seed=1, lloyd=lloyd) for lloyd in (0, 10))
    assert smooth.diameters_nm.std() < 0.4 * rough.diameters_nm.std()


def test_the_same_seed_gives_the_same_film_and_texture_leaves_the_grains() -> None:
    one, two = (Polycrystal.voronoi((30.0, 30.0, 5.0), grain_nm=8.0, seed=4) for _ in range(2))
    other = Polycrystal.voronoi((30.0, 30.0, 5.0), grain_nm=8.0, seed=4, texture=(1, 1, 1), texture_spread_deg=5.0)
    points = np.random.default_rng(0).random((100, 3)) * 30.0
    np.testing.assert_array_equal(one.distance_nm(points), two.distance_nm(points))
    np.testing.assert_array_equal(one.misorientation_deg, two.misorientation_deg)
    np.testing.assert_array_equal(one.distance_nm(points), other.distance_nm(points))
    assert not np.array_equal(one.misorientation_deg, other.misorientation_deg)


def test_few_grains_do_not_touch_their_own_image() -> None:
    for seed in range(8):
        film = Polycrystal.voronoi((10.0, 10.0, 5.0), grains=4, seed=seed)
        assert np.all(film.pairs[:, 0] != film.pairs[:, 1])
    with pytest.raises(meshes.MeshError, match="2 grains do not tile the film"):
        Polycrystal.voronoi((10.0, 10.0, 5.0), grains=2)
    alone = Polycrystal.voronoi((10.0, 10.0, 5.0), grains=1)
    assert np.all(np.isinf(alone.distance_nm([[1.0, 2.0, 3.0]])))
    assert alone.boundary_of([[1.0, 2.0, 3.0]]) == [-1]


def test_misorientations_of_random_cubic_grains_are_those_of_mackenzie() -> None:
    """Mean 40.74 and at most 62.80 degrees (Mackenzie, Biometrika 45, 229 (1958)); shares of coincidence lattices are
    24 n / (n of the lattice's symmetry) balls of Brandon's radius: 2.28 % for Sigma 1, 1.76 % for Sigma 3."""
    count = 20_000
    turned = orientations(2 * count, "random", 0.0, np.random.default_rng(1))
    pairs = np.arange(2 * count).reshape(-1, 2)
    angle = misorientation_deg(turned, pairs, "cubic")
    assert angle.mean() == pytest.approx(40.74, abs=4.0 * angle.std() / math.sqrt(count))
    assert 62.0 < angle.max() <= 62.81
    number = sigma(turned[: 2 * 8000], pairs[:8000])
    for value, equal in ((1, 24), (3, 96)):
        limit = math.radians(15.0) / math.sqrt(value)
        share = equal * (limit - math.sin(limit)) / math.pi
        assert np.mean(number == value) == pytest.approx(share, abs=4.0 * math.sqrt(share / 8000))
    assert not np.any((number == 1) & (angle[:8000] > 15.0))
    assert np.all(number[angle[:8000] <= 15.0] > 0)  # of low angle, or nearer still to another lattice


@pytest.mark.parametrize(
    ("axis", "degrees", "expected"),
    [((1, 1, 1), 60.0, 3), ((1, 0, 0), 36.87, 5), ((1, 1, 1), 38.21, 7), ((1, 1, 0), 38.94, 9), ((1, 1, 0), 50.48, 11),
     ((1, 0, 0), 22.62, 13), ((1, 1, 0), 90.0 - 19.47, 3), ((1, 2, 3), 35.0, 0)],
)  # fmt: skip
def test_sigma_of_known_rotations(axis: tuple[int, int, int], degrees: float, expected: int) -> None:
    first = Rotation.from_euler("xyz", [10.0, 50.0, 70.0], degrees=True)
    second = first * Rotation.from_rotvec(math.radians(degrees) * np.array(axis) / np.linalg.norm(axis))
    found = sigma(np.stack([first.as_quat(), second.as_quat()]), np.array([[0, 1]]))
    assert found == [expected]


def test_fibre_texture_stands_on_the_normal() -> None:
    turned = Rotation.from_quat(orientations(4000, (1.0, 1.0, 1.0), 0.0, np.random.default_rng(2)))
    axis = turned.apply(np.ones(3) / math.sqrt(3.0))
    np.testing.assert_allclose(axis, np.tile([0.0, 0.0, 1.0], (4000, 1)), atol=1e-9)
    edge = turned.apply([1.0, -1.0, 0.0]) / math.sqrt(2.0)
    assert np.abs(edge.mean(axis=0)).max() < 4.0 / math.sqrt(2 * 4000)
    spread = Rotation.from_quat(orientations(4000, (1.0, 1.0, 1.0), 6.0, np.random.default_rng(2)))
    tilt = spread.apply(np.ones(3) / math.sqrt(3.0))[:, :2]
    assert np.degrees(tilt.std(axis=0)) == pytest.approx([6.0, 6.0], rel=4.0 / math.sqrt(2 * 4000))
    film = Polycrystal.voronoi((60.0, 60.0, 5.0), grain_nm=6.0, seed=1, texture=(1, 1, 1))
    random = Polycrystal.voronoi((60.0, 60.0, 5.0), grain_nm=6.0, seed=1)
    assert film.high.mean() > 0.8 > 0.3 > random.high.mean()  # turns about one axis meet many coincidence lattices


def test_classes_of_other_crystals_and_by_share() -> None:
    turned = np.array([[0.0, 0.0, 0.0, 1.0], Rotation.from_euler("z", 90.0, degrees=True).as_quat()])
    pair = np.array([[0, 1]])
    assert misorientation_deg(turned, pair, "tetragonal") == pytest.approx(0.0, abs=1e-5)
    assert misorientation_deg(turned, pair, "orthorhombic") == pytest.approx(90.0)
    assert misorientation_deg(turned, pair, "monoclinic") == pytest.approx(90.0)
    assert high_symmetry(turned, pair, "tetragonal")
    assert not high_symmetry(turned, pair, "monoclinic")
    film = Polycrystal.voronoi((60.0, 60.0, 5.0), grains=40, seed=1, high_fraction=0.25)
    assert film.high.sum() == round(0.25 * len(film.pairs))


def test_one_boundary_is_a_plane_and_its_fault_is_none() -> None:
    film = Polycrystal.boundary((20.0, 8.0, 6.0), position_nm=7.0, tilt_deg=30.0, width_nm=1.5)
    points = np.random.default_rng(1).random((5000, 3)) * film.size_nm
    plane = (points[:, 0] - 7.0) * math.cos(math.radians(30.0)) - (points[:, 2] - 3.0) * math.sin(math.radians(30.0))
    period = 20.0 * math.cos(math.radians(30.0))
    apart = (plane + 0.5 * period) % period - 0.5 * period
    np.testing.assert_allclose(film.distance_nm(points), np.abs(apart), atol=1e-9)
    np.testing.assert_array_equal(film.label(points), (apart > 0.0).astype(int))
    np.testing.assert_array_equal(film.boundary_of(points) >= 0, np.abs(apart) <= 0.75)
    assert not np.any(film.triple(points))
    two = Polycrystal.boundary((20.0, 8.0, 6.0), position_nm=7.0, tilt_deg=30.0, boundaries=2)
    both = np.minimum(np.abs(apart), 0.5 * period - np.abs(apart))
    np.testing.assert_allclose(two.distance_nm(points), both, atol=1e-9)
    assert set(two.boundary_of(points, 2.0).tolist()) == {-1, 0, 1}
    closed = Polycrystal.boundary((20.0, 8.0, 6.0), position_nm=7.0, tilt_deg=30.0, periodic=False)
    np.testing.assert_allclose(closed.distance_nm(points), np.abs(plane), atol=1e-9)
    np.testing.assert_array_equal(closed.label(points), (plane > 0.0).astype(int))


@pytest.mark.parametrize("columnar", [True, False])
def test_an_image_of_a_film_says_what_the_film_says(columnar: bool) -> None:
    film = Polycrystal.voronoi((12.0, 16.0, 8.0), grains=9 if columnar else 20, seed=6, columnar=columnar)
    step = 0.2 if columnar else 0.4
    counts = [round(length / step) for length in film.size_nm][: 2 if columnar else 3]
    middles = np.stack(np.meshgrid(*((np.arange(n) + 0.5) * step for n in counts), indexing="ij"), axis=-1)
    labels = film.label(middles.reshape(-1, len(counts))).reshape(counts)
    image = Polycrystal.from_labels(labels, step, thickness_nm=8.0 if columnar else None)
    np.testing.assert_allclose(image.size_nm, film.size_nm)
    points = np.random.default_rng(8).random((20_000, 3)) * film.size_nm
    exact, found = film.locate(points, 3.0), image.locate(points, 1.0)
    assert np.all((exact.grain == found.grain) | (exact.distance_nm < 0.9 * step))
    same = exact.grain == found.grain
    if not columnar:  # beyond the surfaces a film's boundaries go on, an image's end
        same &= np.abs(points[:, 2] - 4.0) < 4.0 - exact.distance_nm
    error = np.abs(found.distance_nm - exact.distance_nm)[same] / step
    assert np.sqrt(np.mean(error**2)) < 0.3
    assert error.max() < 1.0
    near = same & (exact.distance_nm < 0.3) & (exact.triple_nm > 0.5)
    named = image.pairs[found.boundary[near]], film.pairs[exact.boundary[near]]
    assert np.mean(np.all(np.sort(named[0]) == np.sort(named[1]), axis=1)) > 0.98
    triple = np.isfinite(found.triple_nm)[same]
    assert np.mean(exact.triple_nm[same][triple] < 0.5 + 1.5 * step) > 0.999
    assert np.mean(triple[exact.triple_nm[same] < 0.5 - step]) > 0.999


def test_labels_from_files(tmp_path: Path) -> None:
    from matplotlib.image import imsave

    labels = np.zeros((30, 20), dtype=int)  # x, y
    labels[10:, :] = 1
    labels[10:, 12:] = 2
    np.savez(tmp_path / "grains.npz", labels=labels)
    colours = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [1.0, 0.0, 0.0]])
    imsave(tmp_path / "grains.png", colours[labels].transpose(1, 0, 2)[::-1])
    for name in ("grains.npz", "grains.png"):
        film = Polycrystal.from_image(tmp_path / name, 0.5, thickness_nm=5.0, periodic=False)
        assert film.size_nm == (15.0, 10.0, 5.0)
        points = np.array([[2.0, 3.0, 0.0], [9.0, 5.5, 0.0], [9.0, 9.0, 0.0], [5.05, 1.0, 0.0]])
        np.testing.assert_array_equal(film.label(points), [0, 1, 2, 1])
        np.testing.assert_allclose(film.distance_nm(points), [3.0, 0.5, 3.0, 0.05], atol=1e-9)
        np.testing.assert_array_equal(film.triple([[5.1, 6.1, 0.0], [5.1, 9.0, 0.0]]), [True, False])
    with pytest.raises(meshes.MeshError, match="no labels can be read"):
        Polycrystal.from_image(tmp_path / "none.png", 0.5, thickness_nm=5.0)
    with pytest.raises(meshes.MeshError, match="integers"):
        Polycrystal.from_labels(labels * 0.5, 0.5, thickness_nm=5.0)
    with pytest.raises(meshes.MeshError, match="thickness_nm"):
        Polycrystal.from_labels(labels, 0.5)


def tess(dim: int, sections: dict[str, list[str]]) -> str:
    """A file in Neper's layout."""
    lines = ["***tess", " **format", "   3.4", " **general", f"   {dim} standard"]
    for name, rows in sections.items():
        lines += [f" {name}", *(f"   {row}" for row in rows)]
    return "\n".join([*lines, "***end", ""])


def oblique() -> str:
    """A unit cube cut by the plane x = 0.4 + 0.2 z."""
    x = {0: (0.0, 0.0), 1: (0.4, 0.6), 2: (1.0, 1.0)}
    corner = {(i, j, k): 1 + i * 4 + j * 2 + k for i in range(3) for j in range(2) for k in range(2)}
    place = [f"{n} {x[i][k]:.12f} {j:.12f} {k:.12f} 0" for (i, j, k), n in corner.items()]
    faces: dict[int, list[tuple[int, int, int]]] = {}
    for i in range(3):
        faces[1 + i] = [(i, 0, 0), (i, 1, 0), (i, 1, 1), (i, 0, 1)]
    for cell in range(2):
        for end in range(2):
            faces[4 + 4 * cell + end] = [(cell, end, 0), (cell + 1, end, 0), (cell + 1, end, 1), (cell, end, 1)]
            faces[6 + 4 * cell + end] = [(cell, 0, end), (cell + 1, 0, end), (cell + 1, 1, end), (cell, 1, end)]
    rows = [str(len(faces))]
    for number, ring in sorted(faces.items()):
        rows += [f"{number} 4 " + " ".join(str(corner[c]) for c in ring), "4 1 2 3 4", "0 0 0 0", "0 0 0 0 0"]
    cells = ["2", "1 6 -1 2 4 5 6 7", "2 6 -2 3 8 9 10 11"]
    half = math.tan(math.radians(30.0)) / math.sqrt(3.0)  # 60 degrees about (1, 1, 1)
    orientation = ["rodrigues:active", "0 0 0", f"{half:.12f} {half:.12f} {half:.12f}"]
    return tess(3, {"**cell": ["2"], "*ori": orientation, "**vertex": [str(len(place)), *place], "**edge": ["0"],
                    "**face": rows, "**polyhedron": cells})  # fmt: skip


def squares() -> str:
    """Four squares in a unit square, periodic."""
    corner = {(i, j): 1 + 3 * i + j for i in range(3) for j in range(3)}
    vertices = [f"{n} {0.5 * i:.12f} {0.5 * j:.12f} 0.0 0" for (i, j), n in corner.items()]
    along_x = {(i, j): 1 + 3 * i + j for i in range(2) for j in range(3)}
    along_y = {(i, j): 7 + 2 * i + j for i in range(3) for j in range(2)}
    edges = [f"{n} {corner[i, j]} {corner[i + 1, j]} 0" for (i, j), n in along_x.items()]
    edges += [f"{n} {corner[i, j]} {corner[i, j + 1]} 0" for (i, j), n in along_y.items()]
    faces = []
    for number, (i, j) in enumerate(np.ndindex(2, 2), start=1):
        ring = [corner[i, j], corner[i + 1, j], corner[i + 1, j + 1], corner[i, j + 1]]
        sides = [along_x[i, j], along_y[i + 1, j], -along_x[i, j + 1], -along_y[i, j]]
        faces += [f"{number} 4 " + " ".join(map(str, ring)), "4 " + " ".join(map(str, sides)), "0 0 0 1", "0 0 0 0 0"]
    images = [f"{along_x[i, 2]} {along_x[i, 0]} 0 1 0 1" for i in range(2)]
    images += [f"{along_y[2, j]} {along_y[0, j]} 1 0 0 1" for j in range(2)]
    return tess(2, {"**cell": ["4"], "**vertex": ["9", *vertices], "**edge": ["12", *edges], "**face": ["4", *faces],
                    "**periodicity": [], "*general": ["1 1 0", "1.0 1.0 0.0"], "*edge": ["4", *images]})  # fmt: skip


def test_tessellation_files(tmp_path: Path) -> None:
    (tmp_path / "oblique.tess").write_text(oblique(), encoding="utf-8")
    film = Polycrystal.from_neper(tmp_path / "oblique.tess", 10.0)
    assert film.size_nm == (10.0, 10.0, 10.0)
    points = np.random.default_rng(0).random((3000, 3)) * 10.0
    plane = (points[:, 0] - 4.0 - 0.2 * points[:, 2]) / math.sqrt(1.04)
    np.testing.assert_array_equal(film.label(points), (plane > 0.0).astype(int))
    np.testing.assert_allclose(film.distance_nm(points), np.abs(plane), atol=1e-9)
    assert film.tessellation.volume == pytest.approx([500.0, 500.0])
    assert film.misorientation_deg == pytest.approx([60.0], abs=1e-6)
    assert film.high.tolist() == [True]

    (tmp_path / "squares.tess").write_text(squares(), encoding="utf-8")
    film = Polycrystal.from_neper(tmp_path / "squares.tess", 8.0, thickness_nm=3.0)
    assert film.size_nm == (8.0, 8.0, 3.0)
    assert film.columnar
    points = np.random.default_rng(0).uniform(-8.0, 16.0, (3000, 3))
    cell = np.floor(points[:, :2] / 4.0).astype(int) % 2
    np.testing.assert_array_equal(film.label(points), 2 * cell[:, 0] + cell[:, 1])
    rest = points[:, :2] % 4.0
    np.testing.assert_allclose(film.distance_nm(points), np.minimum(rest, 4.0 - rest).min(axis=1), atol=1e-9)
    assert np.all(np.isnan(film.misorientation_deg))
    assert not np.any(film.high)
    assert film.tessellation.volume == pytest.approx([16.0] * 4)

    (tmp_path / "no.tess").write_text("***tesr\n", encoding="utf-8")
    with pytest.raises(meshes.MeshError, match="no tessellation of Neper"):
        Polycrystal.from_neper(tmp_path / "no.tess", 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size_nm": (10.0, -1.0, 5.0)}, "size_nm"),
        ({"grains": 5}, "either grains"),
        ({"grain_nm": None}, "either grains"),
        ({"grain_nm": 0.0}, "grain_nm"),
        ({"spread": 2.0}, "spread"),
        ({"lloyd": -1}, "lloyd"),
        ({"width_nm": 0.0}, "width_nm"),
        ({"texture": "fibre"}, "texture"),
        ({"texture": (0, 0, 0)}, "texture"),
        ({"texture": (1, 1, 1), "texture_spread_deg": -1.0}, "texture_spread_deg"),
        ({"crystal": "monoclinc"}, "nearest: 'monoclinic'"),
        ({"high_fraction": 1.5}, "high_fraction"),
    ],
)
def test_voronoi_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        Polycrystal.voronoi(**{"size_nm": (20.0, 20.0, 5.0), "grain_nm": 6.0} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"position_nm": 30.0}, "position_nm"), ({"tilt_deg": 85.0}, "tilt_deg"), ({"boundaries": 3}, "boundaries"),
     ({"boundaries": 2, "periodic": False}, "boundaries"), ({"boundary_class": "high"}, "nearest: 'high_symmetry'")],
)  # fmt: skip
def test_boundary_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        Polycrystal.boundary(**{"size_nm": (20.0, 20.0, 5.0)} | change)
