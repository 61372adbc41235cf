"""Geometries of ECRAM: exact volumes and surfaces, split interfaces, grid lines, the command, and what is refused."""

import meshes  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

import fem
from fem.halo import Halo
from fem.scharfetter import region_network
from meshes.grids import graded_lines
from meshes.interfaces import _shares


def volumes(cell: meshes.LabelledMesh) -> dict[str, float]:
    return {name: region.volume_nm3 for name, region in meshes.quality(cell).regions.items()}


def areas(cell: meshes.LabelledMesh) -> dict[str, float]:
    """Size of every named surface: 1 a point, nm in the plane, nm^2 in 3D."""
    whole = meshes.gather(cell)
    assert whole is not None
    share = _shares(whole.points_nm[whole.facet_nodes(whole.facets)], False).sum(axis=1)
    return {name: float(share[whole.facet_tags == number].sum()) for name, number in cell.surfaces.items()}


def shared(cell: meshes.LabelledMesh) -> dict[str, float]:
    return {name: float(part.area_nm2.sum()) for name, part in cell.interfaces.items()}


def test_stack_is_exact_and_fine_where_the_electrolyte_ends() -> None:
    cell = meshes.ecram_stack(electrolyte_nm=7.0, channel_nm=12.0, size_nm=0.2)
    assert volumes(cell) == pytest.approx({"electrolyte": 7.0, "channel": 12.0})
    assert areas(cell) == {"gate": 1.0, "back": 1.0, "side": 0.0}
    assert shared(cell) == {"electrolyte/channel": 1.0}
    z = np.unique(cell.mesh.geometry.x[:, 0])
    steps = np.diff(z)
    assert steps[[np.argmin(np.abs(z - 12.0)), np.argmin(np.abs(z - 12.0)) - 1, -1]] == pytest.approx(0.2, rel=0.15)
    assert steps.max() < 2.0
    assert np.all(np.maximum(steps[1:] / steps[:-1], steps[:-1] / steps[1:]) < 1.3 + 1e-9)


def test_vertical_cell_is_exact() -> None:
    cell = meshes.ecram_vertical(gate_length_nm=100.0)
    assert volumes(cell) == pytest.approx({"electrolyte": 1500.0, "channel": 1500.0, "source": 200.0, "drain": 200.0})
    assert areas(cell) == pytest.approx(
        {"gate": 100.0, "source": 50.0, "drain": 50.0, "bottom": 150.0, "top": 50.0, "side": 20.0}
    )
    assert shared(cell) == pytest.approx({"electrolyte/channel": 150.0})
    x = cell.mesh.geometry.x
    np.testing.assert_allclose([x.min(axis=0), x.max(axis=0)], [[-95.0, 0.0, 0.0], [95.0, 20.0, 0.0]], atol=1e-9)
    lines = np.unique(np.round(x[:, 0], 12))
    np.testing.assert_array_equal(lines, -lines[::-1])


def test_vertical_cell_has_the_nodes_that_the_page_says_and_short_edges_at_the_interface() -> None:
    cell = meshes.ecram_vertical()
    assert 1200 < meshes.quality(cell).nodes < 1600
    assert "top" not in cell.surfaces
    z = np.unique(np.round(cell.mesh.geometry.x[:, 1], 9))
    at = int(np.argmin(np.abs(z - 10.0)))
    assert np.diff(z)[[at - 1, at, -1]] == pytest.approx(0.25, rel=0.15)


@pytest.mark.parametrize(
    ("shape", "electrolyte", "interfaces"),
    [
        ({"overlap_nm": 10.0}, 1700.0, {"channel": 150.0, "source": 10.0, "drain": 10.0}),
        ({"contact_nm": 14.0}, 1500.0, {"channel": 150.0, "source": 4.0, "drain": 4.0}),
        ({"contact_nm": 14.0, "overlap_nm": 5.0}, 1560.0, {"channel": 150.0, "source": 9.0, "drain": 9.0}),
        ({"contact_nm": 6.0, "overlap_nm": 20.0}, 2060.0, {"channel": 158.0, "source": 20.0, "drain": 20.0}),
    ],
)
def test_electrolyte_is_split_from_all_that_it_touches(
    shape: dict[str, float], electrolyte: float, interfaces: dict[str, float]
) -> None:
    cell = meshes.ecram_vertical(**shape)
    assert volumes(cell)["electrolyte"] == pytest.approx(electrolyte)
    assert shared(cell) == pytest.approx({f"electrolyte/{name}": length for name, length in interfaces.items()})
    whole = meshes.gather(cell)
    assert whole is not None
    numbers = cell.regions
    liquid = np.unique(whole.cells[whole.tags == numbers["electrolyte"]])
    solid = np.unique(whole.cells[whole.tags != numbers["electrolyte"]])
    assert not np.intersect1d(liquid, solid).size
    channel = np.unique(whole.cells[whole.tags == numbers["channel"]])
    for end in ("source", "drain"):
        assert np.intersect1d(channel, np.unique(whole.cells[whole.tags == numbers[end]])).size > 3


def test_lateral_cell_is_exact_and_its_gate_is_a_hole() -> None:
    cell = meshes.ecram_lateral(gap_nm=40.0, gate_length_nm=30.0, gate_nm=7.0, contact_nm=12.0, electrolyte_nm=9.0)
    whole = (190.0 + 70.0) * 21.0 - 30.0 * 7.0
    inside = {"channel": 1500.0, "source": 240.0, "drain": 240.0}
    assert volumes(cell) == pytest.approx({"electrolyte": whole - 1980.0, **inside})
    assert areas(cell) == pytest.approx(
        {"gate": 37.0, "top": 260.0, "source": 32.0, "drain": 20.0, "bottom": 190.0, "side": 9.0 + 14.0}
    )
    assert shared(cell) == pytest.approx(
        {"electrolyte/channel": 150.0, "electrolyte/source": 22.0, "electrolyte/drain": 34.0}
    )
    assert 1200 < meshes.quality(meshes.ecram_lateral()).nodes < 1700


def test_vertical_cell_in_3d_is_exact_with_electrolyte_beside_the_channel() -> None:
    shape = {"electrolyte_width_nm": 80.0, "gate_width_nm": 60.0, "overlap_nm": 10.0}
    for half in (True, False):
        cell = meshes.ecram_vertical_3d(**shape, half=half)
        part = 0.5 if half else 1.0
        beside = 30.0 * 170.0 * 10.0
        inside = {"channel": 75e3, "source": 1e4, "drain": 1e4}
        exact = {"electrolyte": 170.0 * 80.0 * 10.0 + beside, **inside}
        assert volumes(cell) == pytest.approx({name: part * value for name, value in exact.items()})
        exact = {"channel": 150.0 * 70.0, "source": 10.0 * 70.0, "drain": 10.0 * 70.0}
        assert shared(cell) == pytest.approx({f"electrolyte/{name}": part * value for name, value in exact.items()})
        found = areas(cell)
        assert found["gate"] == pytest.approx(part * 150.0 * 60.0)
        assert found["top"] == pytest.approx(part * (170.0 * 80.0 - 150.0 * 60.0))
        assert found.get("symmetry", 0.0) == pytest.approx(half * (190.0 * 10.0 + 170.0 * 10.0))
        assert found["bottom"] == pytest.approx(part * (150.0 * 50.0 + 170.0 * 30.0))


@pytest.mark.parametrize("build", [meshes.ecram_vertical, meshes.ecram_lateral])
def test_no_weight_is_negative_and_none_belongs_to_a_diagonal(build: Any) -> None:
    cell = build(comm=MPI.COMM_SELF)
    space = fem.scalar_space(cell)
    x = np.asarray(space.tabulate_dof_coordinates())
    for region in cell.regions:
        network = region_network(cell, region, space, Halo(space))
        assert np.all(network.weight > 0.0)
        along = np.abs(x[network.tail] - x[network.head])[:, :2]
        assert np.all(along.min(axis=1) < 1e-9)


def test_grid_lines_grow_by_the_factor_and_are_where_they_must_be() -> None:
    lines = graded_lines({0.0: 0.5, 40.0: 1.0, 41.0: 5.0}, 1.5, 4.0)
    steps = np.diff(lines)
    assert lines[[0, -2, -1]].tolist() == [0.0, 40.0, 41.0]
    assert 0.45 < steps[0] <= 0.5
    np.testing.assert_allclose(steps[1:4] / steps[:3], 1.5, rtol=0.02)
    assert steps.max() <= 4.0 + 1e-9
    np.testing.assert_allclose(np.diff(graded_lines({0.0: 1.0, 7.5: 1.0}, 1.2, 1.0)), 7.5 / 8)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("ecram_stack", {"channel_nm": 0.0}, "channel_nm must be a positive length"),
        ("ecram_stack", {"size_nm": 3.0}, "size_nm must be at most largest_nm = 2.0"),
        ("ecram_stack", {"growth": 1.0}, "growth must be a number above 1"),
        ("ecram_vertical", {"overlap_nm": -1.0}, "overlap_nm must be a length in nm, zero or more"),
        ("ecram_vertical", {"overlap_nm": 21.0}, "overlap_nm must be at most contact_length_nm = 20.0"),
        ("ecram_vertical", {"gate_length_nm": 151.0}, r"gate_length_nm must be at most channel_length_nm \+ 2 overlap"),
        ("ecram_vertical", {"contact_nm": 20.0}, r"contact_nm must be less than channel_nm \+ electrolyte_nm = 20.0"),
        ("ecram_vertical", {"edge_nm": 6.0}, "edge_nm must be at most lateral_nm = 5.0"),
        ("ecram_vertical_3d", {"width_nm": 60.0}, "width_nm must be at most electrolyte_width_nm = 50.0"),
        ("ecram_vertical_3d", {"gate_width_nm": 60.0}, "gate_width_nm must be at most electrolyte_width_nm = 50.0"),
        ("ecram_lateral", {"gap_nm": float("nan")}, "gap_nm must be a positive length"),
        ("ecram_lateral", {"gate_nm": "1"}, "ecram_lateral: gate_nm must be a number"),
        ("ecram_lateral", {"overlap_nm": 1.0}, "no parameter 'overlap_nm'"),
    ],
)
def test_bad_input_names_the_argument(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(meshes.MeshError, match=message):
        meshes.build(name, changes)


def test_command_draws_and_writes_a_stack(command: Any, tmp_path: Path) -> None:
    out = tmp_path / "cell.msh"
    made = command("mesh", "ecram_stack", "--set", "channel_nm=5", "--out", out, "--plot")
    assert made.code == 0, made.err
    assert "split at electrolyte/channel: 1 pairs" in made.out
    assert sorted(item.name for item in tmp_path.iterdir()) == ["cell.msh", "cell.png"]
