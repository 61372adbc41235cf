"""The mushroom cell of phase-change memory: a heater pillar under a layer, in (r, z) and in 3D."""

from collections.abc import Mapping, Sequence

from mpi4py import MPI

from meshes.grading import check_lengths, check_less
from meshes.labelled import LabelledMesh
from meshes.shapes import Block, Cylinder, FineBall, FineBlock, Size, mesh_shapes, plane
from meshes.simplices import Chooser


def mushroom(
    heater_radius_nm: float = 15.0,
    heater_nm: float = 60.0,
    phase_change_nm: float = 60.0,
    bottom_nm: float = 50.0,
    top_nm: float = 50.0,
    outer_radius_nm: float = 150.0,
    size_nm: float = 1.0,
    fine_radius_nm: float = 50.0,
    growth: float = 1.15,
    largest_nm: float = 10.0,
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A mushroom cell in (r, z), axisymmetric. Triangles. All lengths in nm; the defaults are chosen.

    Regions, from below: "bottom" (contact, bottom_nm thick), "heater" (a pillar of heater_radius_nm and height
    heater_nm) in "dielectric", "phase_change" (a layer, phase_change_nm) and "top" (contact, top_nm), all out to
    outer_radius_nm. z = 0 is the upper end of the heater. Surfaces: "bottom", "top", "axis" (r = 0), "side" (outside).

    Edges are ``size_nm`` long within fine_radius_nm of the centre of the heater's end, where the dome melts; outside
    they grow by ``growth`` from one to the next, up to largest_nm. ``split`` names surfaces between regions, such as
    "heater/phase_change", along which the mesh is split (:func:`meshes.split`). Made on rank 0, distributed over
    ``comm`` (default COMM_WORLD). Raises MeshError naming the argument that is wrong.
    """
    lengths = {"heater_radius_nm": heater_radius_nm, "heater_nm": heater_nm, "phase_change_nm": phase_change_nm,
               "bottom_nm": bottom_nm, "top_nm": top_nm, "outer_radius_nm": outer_radius_nm,
               "fine_radius_nm": fine_radius_nm}  # fmt: skip
    _check(lengths)
    size = Size(size_nm, growth, largest_nm, [FineBall((0.0, 0.0), fine_radius_nm)])
    outer, base, roof = outer_radius_nm, -heater_nm - bottom_nm, phase_change_nm + top_nm
    shapes = [
        ("bottom", Block((0.0, base), (outer, -heater_nm))),
        ("heater", Block((0.0, -heater_nm), (heater_radius_nm, 0.0))),
        ("dielectric", Block((heater_radius_nm, -heater_nm), (outer, 0.0))),
        ("phase_change", Block((0.0, 0.0), (outer, phase_change_nm))),
        ("top", Block((0.0, phase_change_nm), (outer, roof))),
    ]
    surfaces = {"bottom": plane(1, base), "top": plane(1, roof), "axis": plane(0, 0.0)}
    return mesh_shapes("mushroom", shapes, size, surfaces, split, axisymmetric=True, comm=comm)


def mushroom_3d(
    heater_radius_nm: float = 15.0,
    heater_nm: float = 60.0,
    phase_change_nm: float = 60.0,
    bottom_nm: float = 50.0,
    top_nm: float = 50.0,
    outer_radius_nm: float = 150.0,
    size_nm: float = 3.0,
    fine_radius_nm: float = 35.0,
    growth: float = 1.3,
    largest_nm: float = 25.0,
    quarter: bool = False,
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A mushroom cell in 3D (x, y, z). Tetrahedra; regions, surfaces and arguments of :func:`mushroom`, without "axis".

    Edges in the heater are about a third of its radius or shorter. With ``quarter`` only x > 0, y > 0: its two mirror
    planes are the surface "symmetry". Circles are polygons of at least 36 edges: volumes are up to 0.5 % too small.
    The defaults give 9,000 nodes; size_nm = 1.5 gives 44,000, 1.1 gives 100,000.
    """
    lengths = {"heater_radius_nm": heater_radius_nm, "heater_nm": heater_nm, "phase_change_nm": phase_change_nm,
               "bottom_nm": bottom_nm, "top_nm": top_nm, "outer_radius_nm": outer_radius_nm,
               "fine_radius_nm": fine_radius_nm}  # fmt: skip
    _check(lengths)
    radius = heater_radius_nm
    heater = FineBlock((-radius, -radius, -heater_nm), (radius, radius, 0.0), radius / 3.0)
    size = Size(size_nm, growth, largest_nm, [FineBall((0.0, 0.0, 0.0), fine_radius_nm), heater])
    outer, base, roof = outer_radius_nm, -heater_nm - bottom_nm, phase_change_nm + top_nm
    shapes = [
        ("bottom", Cylinder(outer, base, -heater_nm, quarter)),
        ("dielectric", Cylinder(outer, -heater_nm, 0.0, quarter)),
        ("heater", Cylinder(heater_radius_nm, -heater_nm, 0.0, quarter)),
        ("phase_change", Cylinder(outer, 0.0, phase_change_nm, quarter)),
        ("top", Cylinder(outer, phase_change_nm, roof, quarter)),
    ]
    surfaces: dict[str, Chooser] = {"bottom": plane(2, base), "top": plane(2, roof)}
    if quarter:
        mirrors = plane(0, 0.0), plane(1, 0.0)
        surfaces["symmetry"] = lambda middle, region: mirrors[0](middle, region) | mirrors[1](middle, region)
    return mesh_shapes("mushroom_3d", shapes, size, surfaces, split, comm=comm)


def _check(lengths: Mapping[str, float]) -> None:
    check_lengths(lengths)
    check_less("heater_radius_nm", lengths["heater_radius_nm"], "outer_radius_nm", lengths["outer_radius_nm"])
