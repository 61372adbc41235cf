"""The mesh that every builder returns: a DOLFINx mesh in nm whose parts have names."""

from dataclasses import dataclass, field

from dolfinx.mesh import Mesh, MeshTags


@dataclass(frozen=True)
class LabelledMesh:
    """A mesh (coordinates in nm) with named regions (cells) and named surfaces (exterior facets).

    ``cells`` tags every local cell with the number that ``regions`` gives its name; ``facets`` tags the exterior
    facets likewise by ``surfaces``. ``within`` maps a region to the larger one that it is a part of (a thin interface
    layer of an electrode): a solver gives it that region's coefficient unless it is given its own.
    """

    mesh: Mesh
    cells: MeshTags
    facets: MeshTags
    regions: dict[str, int]
    surfaces: dict[str, int]
    within: dict[str, str] = field(default_factory=dict)
