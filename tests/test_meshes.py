"""Mesh builders: exact geometry, names, and errors that say what is wrong."""

import fem  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import dataclasses

import dolfinx.mesh
import numpy as np
import pytest
from mpi4py import MPI

import meshes

SMALL = {"oxide_nm": 3.0, "width_nm": 9.0, "size_nm": 0.75, "core_nm": (3.0, 3.0), "bottom_nm": 5.0, "top_nm": 6.0}


def volumes(cell: meshes.LabelledMesh) -> dict[str, float]:
    """Volume of every region in nm^3, from the nodal shares of its cells."""
    operator = fem.Conductance(dolfinx.fem.functionspace(cell.mesh, ("Lagrange", 1)))
    result = {}
    for name in cell.regions:
        mask = np.zeros(operator.cell_count)
        mask[fem.region_cells(cell, name)] = 1.0
        result[name] = float(operator.capacity(mask).sum() * 1e27)
    return result


def test_graded_is_uniform_inside_and_ends_exactly() -> None:
    nodes = meshes.graded(0.0, 5.0, 0.3, -12.5, 17.5, 1.5)
    core = nodes[(nodes >= 0.0) & (nodes <= 5.0)]
    np.testing.assert_array_equal(core, 5.0 * np.arange(18) / 17)
    assert (nodes[0], nodes[-1]) == (-12.5, 17.5)
    steps = np.diff(nodes[nodes >= 5.0])
    np.testing.assert_allclose(steps[1:] / steps[:-1], 1.5, rtol=1e-9)
    assert steps[0] <= 1.5 * 5.0 / 17 + 1e-12


def test_graded_without_outside_or_growth() -> None:
    np.testing.assert_array_equal(meshes.graded(0.0, 1.0, 0.5, 0.0, 1.0, 2.0), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(np.diff(meshes.graded(0.0, 1.0, 0.5, -1.0, 2.0, 1.0)), 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5.0, 0.0, 0.5, -1.0, 6.0, 1.5), "hi > lo"),
        ((0.0, 5.0, 0.5, 1.0, 6.0, 1.5), "enclose"),
        ((0.0, 5.0, 0.0, -1.0, 6.0, 1.5), "core_size"),
        ((0.0, 5.0, 0.5, -1.0, 6.0, 0.5), "growth"),
    ],
)
def test_graded_refuses(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.graded(*arguments)


@pytest.mark.parametrize("kind", meshes.KINDS)
def test_filament_cell_regions_have_exact_volumes(kind: str) -> None:
    cell = meshes.filament_cell(**SMALL, cap_nm=2.0, interface_nm=0.1, kind=kind)
    exact = {"bottom": 4.9, "bottom_interface": 0.1, "oxide": 3.0, "top_interface": 0.1, "cap": 1.9, "top": 6.0}
    assert list(cell.regions) == list(exact)
    found = volumes(cell)
    for name, thickness in exact.items():
        assert found[name] == pytest.approx(81.0 * thickness, rel=1e-9)
    assert cell.surfaces == {"bottom": 1, "top": 2, "side": 3}
    assert cell.within == {"top_interface": "cap", "cap": "top", "bottom_interface": "bottom"}
    box = cell.mesh.geometry.x
    np.testing.assert_allclose([box.min(axis=0), box.max(axis=0)], [[-3.0, -3.0, -5.0], [6.0, 6.0, 11.0]], atol=1e-9)


@pytest.mark.parametrize("kind", meshes.KINDS)
def test_core_nodes_lie_on_the_lattice(kind: str) -> None:
    cell = meshes.filament_cell(**SMALL, cap_nm=2.0, kind=kind)
    axis = np.arange(5) * 0.75
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    nodes = cell.mesh.geometry.x
    distance = np.linalg.norm(nodes[None] - lattice[:, None], axis=-1).min(axis=1)
    assert distance.max() < 1e-9


def test_filament_cell_without_cap_and_interface() -> None:
    cell = meshes.filament_cell(**SMALL, cap_nm=0.0, interface_nm=0.0)
    assert list(cell.regions) == ["bottom", "oxide", "top"]
    assert volumes(cell)["top"] == pytest.approx(81.0 * 6.0)
    cell = meshes.filament_cell(**SMALL, cap_nm=0.0, interface_nm=0.2)
    assert cell.within["top_interface"] == "top"
    assert volumes(cell)["top"] == pytest.approx(81.0 * 5.8)


def test_filament_cell_as_wide_as_its_core() -> None:
    for kind in meshes.KINDS:
        cell = meshes.filament_cell(**SMALL | {"width_nm": 3.0}, kind=kind)
        assert volumes(cell)["oxide"] == pytest.approx(27.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"oxide_nm": 0.0}, "oxide_nm"),
        ({"oxide_nm": float("nan")}, "oxide_nm"),
        ({"width_nm": 2.0}, "wider than the domain"),
        ({"bottom_nm": -1.0}, "bottom_nm"),
        ({"cap_nm": -1.0}, "cap_nm"),
        ({"interface_nm": 5.0}, "thinner than bottom_nm"),
        ({"kind": "hexaedra"}, "nearest: 'hexahedra'"),
        ({"growth": 0.9}, "growth"),
    ],
)
def test_filament_cell_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.filament_cell(**SMALL | change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "empty"),
        ({"film": (0.0, 1.5)}, "not a node"),
        ({"film": (1.0, 0.0)}, "z1 > z0"),
        ({"low": (0.0, 1.0)}, "highest node"),
        ({"low": (0.0, 1.0), "high": (0.0, 2.0)}, "gap or overlap"),
        ({"high": (1.0, 2.0)}, "gap or overlap"),
    ],
)
def test_tensor_box_refuses_layers(layers: dict[str, tuple[float, float]], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.tensor_box([0.0, 1.0], [0.0, 1.0], [0.0, 1.0, 2.0], layers)


def test_tensor_box_refuses_nodes_that_do_not_rise() -> None:
    with pytest.raises(meshes.MeshError, match="y_nm must rise"):
        meshes.tensor_box([0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0], {"film": (0.0, 1.0)})


def test_tensor_rectangle_has_two_dimensions() -> None:
    cell = meshes.tensor_rectangle([0.0, 1.0, 3.0], [0.0, 0.5, 2.0], {"film": (0.0, 2.0)})
    assert cell.mesh.geometry.dim == 2
    assert {name: int(np.sum(cell.facets.values == tag)) for name, tag in cell.surfaces.items()} == {
        "bottom": 2, "top": 2, "side": 4
    }  # fmt: skip


def test_label_layers_needs_a_full_stack() -> None:
    mesh = dolfinx.mesh.create_unit_cube(MPI.COMM_SELF, 2, 2, 2)
    with pytest.raises(meshes.MeshError, match="none of the regions low"):
        meshes.label_layers(mesh, {"low": (0.0, 0.5)})


def test_regions_may_be_made_of_several_boxes_and_faces_have_names() -> None:
    """A film (1 nm wide, 2 high) between two electrodes on a substrate."""
    walls = [(None, (0.0, 2.0), (0.0, 1.0)), (None, (0.0, 2.0), (2.0, 4.0))]
    boxes = {"wall": walls, "film": [(None, (0.0, 2.0), (1.0, 2.0))], "below": [(None, (-3.0, 0.0), None)]}
    faces = {"bottom": (2, 0), "top": (2, 1), "below": (1, 0)}
    cell = meshes.tensor_boxes([0.0, 1.0], [-3.0, 0.0, 2.0], [0.0, 1.0, 2.0, 4.0], boxes, faces)
    assert volumes(cell) == pytest.approx({"wall": 6.0, "film": 2.0, "below": 12.0})
    found = {name: int(np.sum(cell.facets.values == tag)) for name, tag in cell.surfaces.items()}
    assert found == {"bottom": 2, "top": 2, "below": 3, "side": 3 + 2 * 6}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"film": [(None, None, (0.0, 1.5))]}, "region 'film': its bound 1.5 nm is not a node of z_nm"),
        ({"film": [(None, (1.0, 0.0), None)]}, "y1 > y0"),
        ({"film": [(None, None, (0.0, 1.0))]}, "none of the regions film"),
        ({"film": [(None, None, None)], "other": [(None, None, (1.0, 2.0))]}, "'other' overlaps region 'film'"),
    ],
)
def test_tensor_boxes_refuses_regions(changes: dict[str, object], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.tensor_boxes([0.0, 1.0], [0.0, 1.0], [0.0, 1.0, 2.0], changes)  # type: ignore[arg-type]


def test_labelled_mesh_is_frozen() -> None:
    cell = meshes.tensor_box([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], {"film": (0.0, 1.0)})
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.regions = {}  # type: ignore[misc]
