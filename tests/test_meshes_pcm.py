"""Geometries of phase-change memory: exact volumes and surfaces, split interfaces, files, and the command."""

import meshes  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import math
from pathlib import Path
from typing import Any

import dolfinx.mesh
import gmsh
import numpy as np
import pytest
from mpi4py import MPI

from fem.cell import CellCoefficient
from meshes.interfaces import _shares
from meshes.quality import _tetrahedra, _triangles

COARSE: dict[str, Any] = {"size_nm": 3.0, "growth": 1.6, "largest_nm": 30.0}
MUSHROOM: dict[str, Any] = {**COARSE, "fine_radius_nm": 20.0}
ARRAY: dict[str, Any] = {"rows": 1, "columns": 2, "size_nm": 12.0, "growth": 2.0, "largest_nm": 40.0}
AROUND_HEATER = ("heater/phase_change", "dielectric/phase_change", "heater/dielectric")


@pytest.fixture(scope="module")
def array() -> meshes.LabelledMesh:
    return meshes.pcm_array(**ARRAY)


def volumes(cell: meshes.LabelledMesh) -> dict[str, float]:
    return {name: region.volume_nm3 for name, region in meshes.quality(cell).regions.items()}


def areas(cell: meshes.LabelledMesh) -> dict[str, float]:
    """Area of every named surface, in nm^2 (nm in the plane)."""
    whole = meshes.gather(cell)
    assert whole is not None
    share = _shares(whole.points_nm[whole.facet_nodes(whole.facets)], cell.axisymmetric).sum(axis=1)
    return {name: float(share[whole.facet_tags == number].sum()) for name, number in cell.surfaces.items()}


def test_mushroom_is_exact() -> None:
    cell = meshes.mushroom(**MUSHROOM, heater_radius_nm=18.0, heater_nm=70.0, phase_change_nm=55.0, top_nm=40.0)
    disc, heater = math.pi * 150.0**2, math.pi * 18.0**2
    exact = {"bottom": disc * 50.0, "heater": heater * 70.0, "dielectric": (disc - heater) * 70.0,
             "phase_change": disc * 55.0, "top": disc * 40.0}  # fmt: skip
    assert volumes(cell) == pytest.approx(exact, rel=1e-11)
    side = 2 * math.pi * 150.0 * (50.0 + 70.0 + 55.0 + 40.0)
    assert areas(cell) == pytest.approx({"bottom": disc, "top": disc, "axis": 0.0, "side": side})
    assert cell.axisymmetric
    box = cell.mesh.geometry.x[:, :2]
    np.testing.assert_allclose([box.min(axis=0), box.max(axis=0)], [[0.0, -120.0], [150.0, 95.0]], atol=1e-9)


def test_mushroom_has_the_nodes_that_the_page_says_and_small_cells_where_it_melts() -> None:
    cell = meshes.mushroom()
    report = meshes.quality(cell)
    assert 4000 < report.nodes < 8000
    assert report.worst_radius_ratio > 0.5
    whole = meshes.gather(cell)
    assert whole is not None
    corners = whole.points_nm[whole.cells]
    inside = np.linalg.norm(corners.mean(axis=1), axis=1) < 48.0
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)
    assert edges[inside].max() < 1.5
    assert edges[inside].mean() == pytest.approx(1.0, abs=0.1)


def test_mushroom_in_3d_is_that_of_r_and_z_but_for_its_polygons() -> None:
    disc, heater = math.pi * 150.0**2, math.pi * 15.0**2
    exact = {"bottom": disc * 50.0, "dielectric": (disc - heater) * 60.0, "heater": heater * 60.0,
             "phase_change": disc * 60.0, "top": disc * 50.0}  # fmt: skip
    for quarter in (False, True):
        cell = meshes.mushroom_3d(**MUSHROOM | {"size_nm": 5.0}, quarter=quarter)
        part = 0.25 if quarter else 1.0
        for name, volume in volumes(cell).items():
            assert 0.9949 * part * exact[name] < volume < part * exact[name], name
        found = areas(cell)
        assert 0.9949 * part * disc < found["bottom"] < part * disc
        assert found["top"] == pytest.approx(found["bottom"], rel=1e-3)
        if quarter:
            assert found["symmetry"] == pytest.approx(2 * 150.0 * 220.0)


def test_pillar_with_and_without_heater() -> None:
    for heater_nm in (0.0, 15.0):
        cell = meshes.pillar(**COARSE, heater_nm=heater_nm)
        plug, disc = math.pi * 20.0**2, math.pi * 120.0**2
        exact = {"bottom": disc * 50.0, "heater": plug * heater_nm, "dielectric": (disc - plug) * (60.0 + heater_nm),
                 "phase_change": plug * 60.0, "top": disc * 50.0}  # fmt: skip
        assert volumes(cell) == pytest.approx({name: value for name, value in exact.items() if value}, rel=1e-11)


def test_line_cell_in_the_plane_and_in_3d() -> None:
    cell = meshes.line_cell(**COARSE, electrode_thickness_nm=30.0)
    exact = {"substrate": 220.0 * 150.0, "capping": 220.0 * 100.0 - 2000.0 - 3600.0, "left": 1800.0,
             "phase_change": 2000.0, "right": 1800.0}  # fmt: skip
    assert volumes(cell) == pytest.approx(exact, rel=1e-11)
    assert areas(cell) == pytest.approx({"left": 30.0, "right": 30.0, "bottom": 220.0, "top": 220.0, "side": 440.0})
    cell = meshes.line_cell_3d(size_nm=12.0, growth=2.0, half=True)
    exact = {"substrate": 220.0 * 150.0 * 150.0, "left": 60.0 * 60.0 * 20.0, "right": 60.0 * 60.0 * 20.0,
             "phase_change": 100.0 * 25.0 * 20.0}  # fmt: skip
    exact["capping"] = 220.0 * 150.0 * 100.0 - exact["left"] - exact["right"] - exact["phase_change"]
    assert volumes(cell) == pytest.approx(exact, rel=1e-9)
    found = areas(cell)
    assert [found[name] for name in ("left", "right", "symmetry")] == pytest.approx([1200.0, 1200.0, 220.0 * 250.0])


def test_array_names_cells_and_lines() -> None:
    cell = meshes.pcm_array(**ARRAY, split=["heater_*/cell_*", "dielectric/cell_*"])
    found = volumes(cell)
    each = {"word_0": 240.0 * 40.0 * 30.0, "bit_0": 160.0 * 40.0 * 30.0, "bit_1": 160.0 * 40.0 * 30.0,
            "substrate": 240.0 * 160.0 * 100.0}  # fmt: skip
    each |= {f"cell_0_{j}": 40.0**3 for j in range(2)} | {f"heater_0_{j}": 20.0 * 20.0 * 40.0 for j in range(2)}
    each["dielectric"] = 240.0 * 160.0 * 200.0 - sum(value for name, value in each.items() if name != "substrate")
    assert found == pytest.approx(each, rel=1e-9)
    surfaces = areas(cell)
    assert [surfaces[name] for name in ("word_0", "bit_0", "bit_1")] == pytest.approx([2 * 40.0 * 30.0] * 3)
    joints = {name: float(interface.area_nm2.sum()) for name, interface in cell.interfaces.items()}
    assert joints["heater_0_1/cell_0_1"] == pytest.approx(20.0 * 20.0)
    assert cell.within == {"cell_0_1": "cell_0_0", "heater_0_1": "heater_0_0", "bit_1": "bit_0"}
    values = {name: float(k) for k, name in enumerate(cell.regions, start=1) if name not in cell.within}
    CellCoefficient(cell, values, "conductivity")  # the rest comes through within


def by_region(whole: meshes.Simplices, regions: dict[str, int], name: str) -> set[int]:
    """The nodes of a region."""
    return set(whole.cells[whole.tags == regions[name]].ravel().tolist())


@pytest.mark.parametrize(
    ("geometry", "parameters", "exact"),
    [
        ("mushroom", {**MUSHROOM, "split": [*AROUND_HEATER, "heater/bottom"]},
         [225.0 * math.pi, 22275.0 * math.pi, 1800.0 * math.pi, 225.0 * math.pi]),
        ("line_cell", {**COARSE, "split": ["left/phase_change", "phase_change/right", "phase_change/capping",
                                           "phase_change/substrate"]}, [20.0, 20.0, 100.0, 100.0]),
        ("pcm_array", {**ARRAY, "columns": 1, "split": [f"cell_0_0/{name}" for name in
                                                        ("heater_0_0", "dielectric", "bit_0")]},
         [400.0, 4 * 1600.0 + 1200.0, 1600.0]),
    ],
)  # fmt: skip
def test_split_pairs_coincide_and_no_cell_joins_both(
    geometry: str, parameters: dict[str, Any], exact: list[float]
) -> None:
    cell = meshes.build(geometry, parameters)
    joined = meshes.gather(meshes.build(geometry, {**parameters, "split": ()}))
    whole = meshes.gather(cell)
    assert whole is not None
    assert joined is not None
    assert list(cell.interfaces) == list(parameters["split"])
    for (name, interface), area in zip(cell.interfaces.items(), exact, strict=True):
        assert name == f"{interface.first}/{interface.second}"
        first, second = interface.nodes.T
        np.testing.assert_array_equal(whole.points_nm[first], whole.points_nm[second])
        assert interface.area_nm2.sum() == pytest.approx(area, rel=1e-9)
        assert interface.area_nm2.min() > 0.0
        assert set(first.tolist()) <= by_region(whole, cell.regions, interface.first)
        assert set(second.tolist()) <= by_region(whole, cell.regions, interface.second)
        together = np.isin(whole.cells, first).any(axis=1) & np.isin(whole.cells, second).any(axis=1)
        for k in np.flatnonzero(together):
            nodes = set(whole.cells[k].tolist())
            assert not any({a, b} <= nodes for a, b in interface.nodes.tolist())
    # The same cells at the same places, and named surfaces as before.
    np.testing.assert_array_equal(whole.points_nm[whole.cells], joined.points_nm[joined.cells])
    np.testing.assert_array_equal(whole.facet_tags, joined.facet_tags)
    np.testing.assert_array_equal(whole.points_nm[whole.facet_nodes(whole.facets)],
                                  joined.points_nm[joined.facet_nodes(joined.facets)])  # fmt: skip


def test_where_three_regions_meet_there_are_three_nodes_or_two() -> None:
    def at_rim(*names: str) -> tuple[int, list[int]]:
        cell = meshes.mushroom(**MUSHROOM, split=names)
        whole = meshes.gather(cell)
        assert whole is not None
        there = np.flatnonzero(np.linalg.norm(whole.points_nm - [15.0, 0.0], axis=1) < 1e-9)
        pairs = [np.isin(interface.nodes, there).all(axis=1).sum() for interface in cell.interfaces.values()]
        return len(there), [int(count) for count in pairs]

    assert at_rim(*AROUND_HEATER) == (3, [1, 1, 1])
    assert at_rim(*AROUND_HEATER[:2]) == (2, [1, 1])
    assert at_rim("heater/phase_change") == (1, [0])


def test_a_surface_that_ends_inside_leaves_the_share_of_its_last_node_out() -> None:
    cell = meshes.mushroom(**MUSHROOM, split=["phase_change/heater"])
    interface = cell.interfaces["phase_change/heater"]
    assert (interface.first, interface.second) == ("phase_change", "heater")
    whole = meshes.gather(cell)
    assert whole is not None
    edge = 15.0 - whole.points_nm[interface.nodes[:, 0], 0].max()
    rim = 2.0 * math.pi * edge * (15.0 / 3.0 + (15.0 - edge) / 6.0)
    assert interface.area_nm2.sum() == pytest.approx(math.pi * 15.0**2 - rim, rel=1e-12)


def layers(dim: int) -> meshes.LabelledMesh:
    """Two layers of 2 nm, 3 nm wide (and deep)."""
    if dim == 1:
        mesh = dolfinx.mesh.create_interval(MPI.COMM_SELF, 8, [0.0, 4.0])
    elif dim == 2:
        mesh = dolfinx.mesh.create_rectangle(MPI.COMM_SELF, [[0.0, 0.0], [3.0, 4.0]], [3, 8])
    else:
        mesh = dolfinx.mesh.create_box(MPI.COMM_SELF, [[0.0] * 3, [3.0, 3.0, 4.0]], [3, 3, 8])
    return meshes.label_layers(mesh, {"low": (0.0, 2.0), "high": (2.0, 4.0)})


@pytest.mark.parametrize(("dim", "pairs"), [(1, 1), (2, 4), (3, 16)])
def test_any_labelled_mesh_of_simplices_can_be_split(dim: int, pairs: int) -> None:
    before = layers(dim)
    after = meshes.split(before, ["low/high"])
    interface = after.interfaces["low/high"]
    assert interface.nodes.shape == (pairs, 2)
    assert interface.area_nm2.sum() == pytest.approx(3.0 ** (dim - 1))
    assert after.mesh.geometry.x.shape[0] == before.mesh.geometry.x.shape[0] + pairs
    assert [len(after.facets.find(tag)) for tag in (1, 2, 3)] == [len(before.facets.find(tag)) for tag in (1, 2, 3)]
    with pytest.raises(meshes.MeshError, match="split already"):
        meshes.split(after, ["low/high"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["low/hihg"], r"'low/hihg' is no surface .* allowed: low/high \(nearest: 'low/high'\)"),
        (["low"], "no surface between two regions"),
        (["low/high", "high/low"], "named twice"),
    ],
)
def test_split_refuses(names: list[str], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.split(layers(2), names)


def test_split_and_quality_need_simplices() -> None:
    cell = meshes.tensor_rectangle([0.0, 1.0], [0.0, 1.0, 2.0], {"low": (0.0, 1.0), "high": (1.0, 2.0)})
    with pytest.raises(meshes.MeshError, match="simplices"):
        meshes.split(cell, ["low/high"])
    with pytest.raises(meshes.MeshError, match="intervals, triangles or tetrahedra"):
        meshes.quality(cell)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mushrom", {}, r"no geometry 'mushrom'; allowed: .*filament, .*nearest: 'mushroom'"),
        ("mushroom", {"heater_radius": 3.0}, r"no parameter 'heater_radius'; allowed: .*nearest: 'heater_radius_nm'"),
        ("mushroom", {"heater_nm": "thick"}, "heater_nm must be a number, got 'thick'"),
        ("mushroom", {"heater_nm": True}, "heater_nm must be a number"),
        ("mushroom", {"heater_nm": -1.0}, r"heater_nm must be a positive length in nm, got -1\.0"),
        ("mushroom", {"heater_radius_nm": 150}, r"must be less than outer_radius_nm = 150\.0, got 150\.0"),
        ("mushroom", {"growth": 1.0}, r"growth must be a number above 1, at most 3, got 1\.0"),
        ("mushroom", {"largest_nm": 0.5}, r"largest_nm must be at least size_nm = 1\.0, got 0\.5"),
        ("mushroom", {"split": [1]}, "split must be names"),
        ("mushroom_3d", {"quarter": 1}, "quarter must be true or false"),
        ("pillar", {"heater_nm": -2.0}, "heater_nm must be a length in nm, zero or more"),
        ("pillar", {"size_nm": float("nan")}, "size_nm must be a positive length"),
        ("line_cell", {"electrode_thickness_nm": 100.0}, r"less than thickness_nm \+ capping_nm = 100\.0"),
        ("line_cell_3d", {"width_nm": 300.0}, "width_nm must be less than outer_width_nm"),
        ("pcm_array", {"rows": 0}, "rows must be a number of lines from 1 to 99, got 0"),
        ("pcm_array", {"rows": 1.5}, "rows must be a whole number"),
        ("pcm_array", {"cell_width_nm": 90.0}, "cell_width_nm must be less than pitch_nm"),
        ("pcm_array", {"heater_width_nm": 41.0}, "heater_width_nm must be at most cell_width_nm"),
        ("filament", {"core_nm": [1.0]}, "core_nm must be two numbers"),
        ("filament", {"kind": "hexahedra"}, "no parameter 'kind'"),
    ],
)
def test_bad_input_names_key_value_and_what_is_allowed(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.build(name, changes)


def test_shape_measures_of_known_cells() -> None:
    regular = np.array([[[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]], [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    area, ratio, angle = _triangles(regular)
    assert area == pytest.approx([math.sqrt(3.0) / 4.0, 0.5])
    assert ratio == pytest.approx([1.0, 2.0 * (math.sqrt(2.0) - 1.0)])
    assert angle == pytest.approx([60.0, 45.0])
    tetrahedra = np.array([
        [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]],
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ])  # fmt: skip
    volume, ratio, angle = _tetrahedra(tetrahedra)
    assert volume == pytest.approx([8.0 / 3.0, 1.0 / 6.0])
    assert ratio == pytest.approx([1.0, 3.0 * ((3.0 - math.sqrt(3.0)) / 6.0) / (math.sqrt(3.0) / 2.0)])
    assert angle == pytest.approx([math.degrees(math.acos(1.0 / 3.0)), math.degrees(math.acos(1.0 / math.sqrt(3.0)))])


def test_msh_file_of_a_split_mesh_reads_back(tmp_path: Path) -> None:
    reads_back(meshes.mushroom(**MUSHROOM, split=["heater/phase_change", "dielectric/phase_change"]), tmp_path)


def test_msh_file_of_tetrahedra_reads_back(array: meshes.LabelledMesh, tmp_path: Path) -> None:
    reads_back(array, tmp_path)


def reads_back(cell: meshes.LabelledMesh, tmp_path: Path) -> None:
    """Write the mesh and hold what gmsh reads against it."""
    whole = meshes.gather(cell)
    assert whole is not None
    path = meshes.write_msh(cell, tmp_path / "cell.msh")
    assert [item.name for item in tmp_path.iterdir()] == ["cell.msh"]
    found: dict[str, tuple[int, float]] = {}
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.open(str(path))
        numbers, points, _ = gmsh.model.mesh.getNodes()
        where = dict(zip(numbers.tolist(), points.reshape(-1, 3), strict=True))
        for dim, tag in gmsh.model.getPhysicalGroups():
            name = gmsh.model.getPhysicalName(dim, tag)
            (entity,) = gmsh.model.getEntitiesForPhysicalGroup(dim, tag)
            _, _, (nodes,) = gmsh.model.mesh.getElements(dim, entity)
            corners = np.array([where[node] for node in nodes.tolist()]).reshape(-1, dim + 1, 3)
            if dim == whole.dim:
                edges = (corners[:, 1:] - corners[:, :1])[..., :dim]
                size = float(np.abs(np.linalg.det(edges)).sum()) / math.factorial(dim)
            else:
                size = float(_shares(corners[..., : whole.dim], cell.axisymmetric).sum())
            found[f"{dim} {name}"] = (len(corners), size)
    finally:
        gmsh.finalize()
    assert len(where) == len(whole.points_nm)
    surface, report = areas(cell), meshes.quality(cell)
    for name, number in cell.surfaces.items():
        count, size = found.pop(f"{whole.dim - 1} {name}")
        assert count == np.sum(whole.facet_tags == number)
        assert size == pytest.approx(surface[name])
    assert {key.split()[1]: count for key, (count, _) in found.items()} == {
        name: region.cells for name, region in report.regions.items()
    }
    if not cell.axisymmetric:
        assert {key.split()[1]: size for key, (_, size) in found.items()} == pytest.approx(volumes(cell))


@pytest.mark.parametrize(("name", "message"), [("cell.vtk", r"must end in \.msh"), ("no/cell.msh", "no folder")])
def test_msh_file_is_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.write_msh(layers(2), tmp_path / name)


def test_command_lists_builds_writes_and_draws(command: Any, tmp_path: Path) -> None:
    listed = command("mesh")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == list(meshes.GEOMETRIES)
    out = tmp_path / "cell.msh"
    settings = ["size_nm=4", "fine_radius_nm=20", "split=[\"heater/phase_change\"]"]
    made = command("mesh", "mushroom", *(part for text in settings for part in ("--set", text)), "--out", out, "--plot")
    assert made.code == 0, made.err
    assert "split at heater/phase_change" in made.out
    assert "worst cell: in " in made.out
    assert sorted(item.name for item in tmp_path.iterdir()) == ["cell.msh", "cell.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mushrom"], ["'mushrom'", "mushroom, mushroom_3d"]),
        (["mushroom", "--set", "heater_nm=-5"], ["heater_nm", "-5", "positive length in nm"]),
        (["mushroom", "--set", "heater=5"], ["'heater'", "heater_nm"]),
        (["mushroom", "--out", "cell.vtk"], ["cell.vtk", ".msh"]),
    ],
)
def test_command_refuses_bad_input(command: Any, arguments: list[str], words: list[str]) -> None:
    outcome = command("mesh", *arguments)
    assert outcome.code == 2
    assert all(word in outcome.err for word in words)


def test_picture_of_cuts_shows_all_of_the_cross_section(array: meshes.LabelledMesh) -> None:
    from matplotlib.collections import PolyCollection

    from ionsim.plots import mesh_figure

    figure = mesh_figure(array)
    assert figure is not None
    for axes, area in zip(figure.axes, (240.0 * 300.0, 240.0 * 160.0), strict=True):
        (collection,) = (item for item in axes.collections if isinstance(item, PolyCollection))
        total = 0.0
        for outline in collection.get_paths():
            x, y = outline.vertices.T
            total += 0.5 * abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])))
        assert total == pytest.approx(area, rel=1e-9)
