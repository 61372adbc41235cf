"""Writing a mesh for gmsh and what reads its files: regions and surfaces are named physical groups."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import MeshError
from meshes.labelled import LabelledMesh
from meshes.root import gmsh_model, on_root
from meshes.simplices import Integers, Simplices, gather

#: gmsh's numbers of the elements with 1 to 4 nodes: point, line, triangle, tetrahedron.
_ELEMENT = {1: 15, 2: 1, 3: 2, 4: 4}


def msh_path(path: str | Path) -> Path:
    """The path, if a mesh can be written there. Raises MeshError otherwise."""
    path = Path(path)
    if path.suffix != ".msh":
        raise MeshError(f"{path}: the name of a mesh must end in .msh, got {path.suffix!r}")
    if not path.parent.is_dir():
        raise MeshError(f"{path}: there is no folder {path.parent}")
    return path


def write_msh(labelled: LabelledMesh, path: str | Path) -> Path:
    """Write a mesh of intervals, triangles or tetrahedra as a gmsh file (MSH 4.1, binary, nm). Collective.

    Rank 0 writes. A split mesh keeps its doubled nodes. The file appears whole or not at all. Raises MeshError where
    the cells are something else or the file cannot be written.
    """
    path = msh_path(path)
    whole = gather(labelled)

    def write() -> None:
        part = path.with_name(f".{path.stem}.{os.getpid()}.msh")
        try:
            with gmsh_model(path.stem) as gmsh:
                _fill(gmsh, whole, labelled)  # type: ignore[arg-type]
                gmsh.option.setNumber("Mesh.Binary", 1)
                gmsh.write(str(part))
            os.replace(part, path)
        except OSError as error:
            raise MeshError(f"{path}: cannot be written ({error})") from error
        finally:
            part.unlink(missing_ok=True)

    on_root(labelled.mesh.comm, write)
    return path


def _fill(gmsh: Any, whole: Simplices, labelled: LabelledMesh) -> None:
    """Give the model one discrete entity for each region and each surface."""
    dim = whole.dim
    points = np.zeros((len(whole.points_nm), 3))
    points[:, : whole.points_nm.shape[1]] = whole.points_nm
    left = np.ones(len(points), dtype=bool)
    last = 1
    groups: list[tuple[int, str, Integers]] = [
        (dim, name, whole.cells[whole.tags == number]) for name, number in labelled.regions.items()
    ]
    groups += [
        (dim - 1, name, whole.facet_nodes(whole.facets[whole.facet_tags == number]))
        for name, number in labelled.surfaces.items()
    ]
    for tag, (size, name, nodes) in enumerate(groups, start=1):
        if not len(nodes):
            continue
        gmsh.model.addDiscreteEntity(size, tag)
        new = np.unique(nodes)
        new = new[left[new]]  # a node belongs to the first entity that has it
        left[new] = False
        gmsh.model.mesh.addNodes(size, tag, new + 1, points[new].ravel())
        numbers = np.arange(last, last + len(nodes))
        last += len(nodes)
        gmsh.model.mesh.addElementsByType(tag, _ELEMENT[size + 1], numbers, (nodes + 1).ravel())
        gmsh.model.addPhysicalGroup(size, [tag], tag, name)
