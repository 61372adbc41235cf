"""The mesh that every builder returns: a DOLFINx mesh in nm whose parts have names."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
from dolfinx.mesh import Mesh, MeshTags
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interface:
    """A surface between the regions ``first`` and ``second`` along which the mesh is split.

    ``nodes`` (n, 2) pairs of nodes at the same place, the one of ``first`` and the one of ``second``, as numbers in
    ``mesh.geometry.input_global_indices``. ``area_nm2`` (n,) is the share of the surface that belongs to each pair
    (the integral of its linear shape function): nm^2 in 3D and in an axisymmetric mesh (there with 2 pi r), nm in the
    plane (nm^2 per nm of depth), 1 in 1D. The same on every rank.
    """

    first: str
    second: str
    nodes: NDArray[np.int64]
    area_nm2: NDArray[np.float64]


@dataclass(frozen=True)
class LabelledMesh:
    """A mesh (coordinates in nm) with named regions (cells) and named surfaces (exterior facets).

    ``cells`` tags every local cell with the number that ``regions`` gives its name; ``facets`` tags the exterior
    facets likewise by ``surfaces``. ``within`` maps a region to the larger one that it is a part of (a thin interface
    layer of an electrode): a solver gives it that region's coefficient unless it is given its own.

    ``axisymmetric``: the coordinates are (r, z) with r >= 0, and every integral has the weight 2 pi r. ``interfaces``
    are the internal surfaces at which the nodes exist once on each side, so that a potential or a temperature may
    jump; their facets are exterior to DOLFINx and have no tag.
    """

    mesh: Mesh
    cells: MeshTags
    facets: MeshTags
    regions: dict[str, int]
    surfaces: dict[str, int]
    within: dict[str, str] = field(default_factory=dict)
    axisymmetric: bool = False
    interfaces: dict[str, Interface] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """Cells of the regions and facets of the surfaces, for a notebook; on this rank, where there are several."""
        mesh = self.mesh
        nodes = mesh.geometry.x
        axes = "rz" if self.axisymmetric else {1: "z", 2: "xz"}.get(mesh.geometry.dim, "xyz")
        ends = ", ".join(
            f"{name} {low:.4g} to {high:.4g} nm"
            for name, low, high in zip(axes, nodes.min(axis=0), nodes.max(axis=0), strict=False)
        )
        title = f"{len(self.cells.values)} {mesh.topology.cell_name()} cells, {len(nodes)} nodes"
        parts = (("region", self.regions, self.cells, "cells"), ("surface", self.surfaces, self.facets, "facets"))
        rows = [
            (kind, name, int((tags.values == tag).sum()), entities)
            for kind, names, tags, entities in parts
            for name, tag in names.items()
        ]
        body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<div><b>{title}</b> {ends}</div><table>{body}</table>"
