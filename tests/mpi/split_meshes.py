"""Run by test_meshes_parallel on one and on two ranks: argv[1] is where to put the results."""

import meshes  # isort: skip  (before dolfinx: it makes the PyPI build's libraries known)

import sys
from pathlib import Path

import numpy as np
from dolfinx.mesh import compute_midpoints, exterior_facet_indices
from mpi4py import MPI

CASES = {
    "mushroom": {"size_nm": 3.0, "fine_radius_nm": 20.0, "split": ["heater/phase_change", "dielectric/phase_change"]},
    "pcm_array": {"rows": 1, "size_nm": 12.0, "growth": 2.0, "largest_nm": 40.0, "split": ["heater_*/cell_*"]},
}


def region_at(middle: np.ndarray) -> np.ndarray:
    """Regions of the cells of the mushroom by the place of their midpoints."""
    r, z = middle[:, 0], middle[:, 1]
    below = np.where(z < -60.0, "bottom", np.where(r < 15.0, "heater", "dielectric"))
    return np.where(z < 0.0, below, np.where(z < 60.0, "phase_change", "top"))


def check_tags(cell: meshes.LabelledMesh) -> list[str]:
    """What is wrong with the tags of this rank, ghosts included, of the mushroom."""
    wrong = []
    mesh = cell.mesh
    names = {number: name for name, number in cell.regions.items()}
    indices = mesh.topology.index_map(2)
    everything = np.arange(indices.size_local + indices.num_ghosts, dtype=np.int32)
    if not np.array_equal(cell.cells.indices, everything):
        wrong.append("some cells have no tag")
    found = np.array([names[number] for number in cell.cells.values])
    if not np.array_equal(found, region_at(compute_midpoints(mesh, 2, everything))):
        wrong.append("a cell has the wrong region")
    at = compute_midpoints(mesh, 1, cell.facets.indices)
    place = {"bottom": at[:, 1] == -110.0, "top": at[:, 1] == 110.0, "axis": at[:, 0] == 0.0, "side": at[:, 0] == 150.0}
    for name, number in cell.surfaces.items():
        if not np.array_equal(cell.facets.values == number, place[name]):
            wrong.append(f"a facet has the wrong surface: {name}")
    outside = exterior_facet_indices(mesh.topology)
    bare = np.setdiff1d(outside, cell.facets.indices)
    if np.any(np.abs(compute_midpoints(mesh, 1, bare)[:, 1]) > 1e-9):
        wrong.append("an exterior facet away from the interface has no tag")
    return wrong


def main(path: Path) -> None:
    """Store what does not depend on the partition."""
    comm = MPI.COMM_WORLD
    results: dict[str, np.ndarray] = {"ranks": np.array(comm.size)}
    for name, parameters in CASES.items():
        cell = meshes.build(name, parameters)
        report = meshes.quality(cell)
        for region, found in report.regions.items():
            results[f"{name} {region}"] = np.array([found.cells, found.volume_nm3, *found.radius_ratio])
        for joint, interface in cell.interfaces.items():
            same = comm.allgather((interface.nodes.tobytes(), interface.area_nm2.tobytes()))
            results[f"{name} {joint} same on all ranks"] = np.array(len(set(same)) == 1)
            results[f"{name} {joint}"] = np.column_stack([interface.nodes, interface.area_nm2])
        whole = meshes.gather(cell)
        if whole is not None:
            results |= {f"{name} points": whole.points_nm, f"{name} cells": whole.cells, f"{name} tags": whole.tags}
            results |= {f"{name} facets": whole.facets, f"{name} facet tags": whole.facet_tags}
        again = meshes.gather(meshes.split(meshes.build(name, {**parameters, "split": ()}), parameters["split"]))
        if whole is not None and again is not None:
            results[f"{name} split afterwards is the same"] = np.array(
                np.array_equal(whole.points_nm, again.points_nm) and np.array_equal(whole.cells, again.cells)
                and np.array_equal(whole.facet_tags, again.facet_tags)
            )  # fmt: skip
        meshes.write_msh(cell, path.with_name(f"{name}_{comm.size}.msh"))
        if name == "mushroom":
            wrong = [text for part in comm.allgather(check_tags(cell)) for text in part]
            results["wrong"] = np.array("; ".join(wrong))
    try:
        meshes.mushroom(split=["heater/top"])
    except meshes.MeshError as error:
        results["message"] = np.array(comm.allgather(str(error))[-1])
    if comm.rank == 0:
        np.savez(path, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
