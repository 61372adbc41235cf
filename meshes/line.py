"""The line (bridge) cell of phase-change memory: a line between two electrodes on a substrate, in 2D and 3D."""

from collections.abc import Sequence

from mpi4py import MPI

from meshes.grading import check_lengths, check_less
from meshes.labelled import LabelledMesh
from meshes.shapes import Block, FineBlock, Size, mesh_shapes, plane
from meshes.simplices import Chooser


def line_cell(
    length_nm: float = 100.0,
    thickness_nm: float = 20.0,
    electrode_nm: float = 60.0,
    electrode_thickness_nm: float = 20.0,
    substrate_nm: float = 150.0,
    capping_nm: float = 80.0,
    size_nm: float = 1.0,
    growth: float = 1.15,
    largest_nm: float = 15.0,
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A line cell in the plane (x, z). Triangles; all is per nm of width. All lengths in nm; the defaults are chosen.

    x goes along the line, whose middle is x = 0; z is the film normal, z = 0 the upper side of the substrate. Regions:
    "substrate" (substrate_nm thick), "left" and "right" (electrodes, electrode_nm long, electrode_thickness_nm thick),
    "phase_change" (the line between them, length_nm long, thickness_nm thick) and "capping" (up to capping_nm above the
    line). Surfaces: "left" and "right" (outer ends of the electrodes), "bottom" (of the substrate), "top", "side".

    Edges are ``size_nm`` long in the line; outside they grow by ``growth`` from one to the next, up to largest_nm.
    ``split`` names surfaces between regions, such as "left/phase_change", along which the mesh is split
    (:func:`meshes.split`). Made on rank 0, distributed over ``comm`` (default COMM_WORLD). Raises MeshError naming the
    argument that is wrong.
    """
    check_lengths({"length_nm": length_nm, "thickness_nm": thickness_nm, "electrode_nm": electrode_nm,
                   "electrode_thickness_nm": electrode_thickness_nm, "substrate_nm": substrate_nm,
                   "capping_nm": capping_nm})  # fmt: skip
    half, end, roof = 0.5 * length_nm, 0.5 * length_nm + electrode_nm, thickness_nm + capping_nm
    check_less("electrode_thickness_nm", electrode_thickness_nm, "thickness_nm + capping_nm", roof)
    shapes = [
        ("substrate", Block((-end, -substrate_nm), (end, 0.0))),
        ("capping", Block((-end, 0.0), (end, roof))),
        ("left", Block((-end, 0.0), (-half, electrode_thickness_nm))),
        ("phase_change", Block((-half, 0.0), (half, thickness_nm))),
        ("right", Block((half, 0.0), (end, electrode_thickness_nm))),
    ]
    size = Size(size_nm, growth, largest_nm, [FineBlock((-half, 0.0), (half, thickness_nm))])
    surfaces = _surfaces(end, substrate_nm, roof)
    return mesh_shapes("line_cell", shapes, size, surfaces, split, comm=comm)


def line_cell_3d(
    length_nm: float = 100.0,
    width_nm: float = 50.0,
    thickness_nm: float = 20.0,
    electrode_nm: float = 60.0,
    electrode_width_nm: float = 120.0,
    electrode_thickness_nm: float = 20.0,
    outer_width_nm: float = 300.0,
    substrate_nm: float = 150.0,
    capping_nm: float = 80.0,
    size_nm: float = 4.0,
    growth: float = 1.3,
    largest_nm: float = 30.0,
    half: bool = False,
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A line cell in 3D (x, y, z). Tetrahedra; as :func:`line_cell`, with y across the line, whose middle is y = 0.

    The line is width_nm wide, the electrodes electrode_width_nm, all of it outer_width_nm; beside line and electrodes
    is "capping". With ``half`` only y > 0: its mirror plane is the surface "symmetry".
    """
    check_lengths({"length_nm": length_nm, "width_nm": width_nm, "thickness_nm": thickness_nm,
                   "electrode_nm": electrode_nm, "electrode_width_nm": electrode_width_nm,
                   "electrode_thickness_nm": electrode_thickness_nm, "outer_width_nm": outer_width_nm,
                   "substrate_nm": substrate_nm, "capping_nm": capping_nm})  # fmt: skip
    middle, end, roof = 0.5 * length_nm, 0.5 * length_nm + electrode_nm, thickness_nm + capping_nm
    check_less("electrode_thickness_nm", electrode_thickness_nm, "thickness_nm + capping_nm", roof)
    check_less("width_nm", width_nm, "outer_width_nm", outer_width_nm)
    check_less("electrode_width_nm", electrode_width_nm, "outer_width_nm", outer_width_nm)

    def block(x0: float, x1: float, width: float, z0: float, z1: float) -> Block:
        return Block((x0, 0.0 if half else -0.5 * width, z0), (x1, 0.5 * width, z1))

    shapes = [
        ("substrate", block(-end, end, outer_width_nm, -substrate_nm, 0.0)),
        ("capping", block(-end, end, outer_width_nm, 0.0, roof)),
        ("left", block(-end, -middle, electrode_width_nm, 0.0, electrode_thickness_nm)),
        ("phase_change", block(-middle, middle, width_nm, 0.0, thickness_nm)),
        ("right", block(middle, end, electrode_width_nm, 0.0, electrode_thickness_nm)),
    ]
    line = block(-middle, middle, width_nm, 0.0, thickness_nm)
    size = Size(size_nm, growth, largest_nm, [FineBlock(line.low, line.high)])
    surfaces = _surfaces(end, substrate_nm, roof)
    if half:
        surfaces["symmetry"] = plane(1, 0.0)
    return mesh_shapes("line_cell_3d", shapes, size, surfaces, split, comm=comm)


def _surfaces(end: float, substrate: float, roof: float) -> dict[str, Chooser]:
    return {"left": plane(0, -end, "left"), "right": plane(0, end, "right"),
            "bottom": plane(-1, -substrate), "top": plane(-1, roof)}  # fmt: skip
