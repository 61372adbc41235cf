"""The confined cell of phase-change memory: a plug between two contacts, in (r, z)."""

from collections.abc import Sequence

from mpi4py import MPI

from meshes.errors import MeshError
from meshes.grading import check_lengths, check_less
from meshes.labelled import LabelledMesh
from meshes.shapes import Block, FineBlock, Size, mesh_shapes, plane


def pillar(
    radius_nm: float = 20.0,
    phase_change_nm: float = 60.0,
    heater_nm: float = 0.0,
    bottom_nm: float = 50.0,
    top_nm: float = 50.0,
    outer_radius_nm: float = 120.0,
    size_nm: float = 1.0,
    growth: float = 1.15,
    largest_nm: float = 10.0,
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A confined cell in (r, z), axisymmetric. Triangles. All lengths in nm; the defaults are chosen.

    Regions, from below: "bottom" (contact, bottom_nm thick), "heater" (heater_nm high; absent if 0), "phase_change"
    (phase_change_nm high) and "top" (contact, top_nm). Heater and phase change are a plug of radius_nm in "dielectric";
    the contacts go out to outer_radius_nm. z = 0 is the lower end of the phase change. Surfaces: "bottom", "top",
    "axis" (r = 0), "side" (outside).

    Edges are ``size_nm`` long in the phase change; outside they grow by ``growth`` from one to the next, up to
    largest_nm. ``split`` names surfaces between regions, such as "phase_change/dielectric", along which the mesh is
    split (:func:`meshes.split`). Made on rank 0, distributed over ``comm`` (default COMM_WORLD). Raises MeshError
    naming the argument that is wrong.
    """
    check_lengths({"radius_nm": radius_nm, "phase_change_nm": phase_change_nm, "bottom_nm": bottom_nm,
                   "top_nm": top_nm, "outer_radius_nm": outer_radius_nm})  # fmt: skip
    if not 0.0 <= heater_nm < float("inf"):
        raise MeshError(f"heater_nm must be a length in nm, zero or more, got {heater_nm!r}")
    check_less("radius_nm", radius_nm, "outer_radius_nm", outer_radius_nm)
    outer, base, roof = outer_radius_nm, -heater_nm - bottom_nm, phase_change_nm + top_nm
    shapes = [
        ("bottom", Block((0.0, base), (outer, -heater_nm))),
        ("dielectric", Block((radius_nm, -heater_nm), (outer, phase_change_nm))),
        ("phase_change", Block((0.0, 0.0), (radius_nm, phase_change_nm))),
        ("top", Block((0.0, phase_change_nm), (outer, roof))),
    ]
    if heater_nm:
        shapes.insert(2, ("heater", Block((0.0, -heater_nm), (radius_nm, 0.0))))
    size = Size(size_nm, growth, largest_nm, [FineBlock((0.0, 0.0), (radius_nm, phase_change_nm))])
    surfaces = {"bottom": plane(1, base), "top": plane(1, roof), "axis": plane(0, 0.0)}
    return mesh_shapes("pillar", shapes, size, surfaces, split, axisymmetric=True, comm=comm)
