"""An array of phase-change cells between word and bit lines, in 3D: for the heat that reaches the neighbour."""

from collections.abc import Sequence

from mpi4py import MPI

from meshes.errors import MeshError
from meshes.grading import check_lengths, check_less
from meshes.labelled import LabelledMesh
from meshes.shapes import Block, FineBall, FineBlock, Painted, Size, mesh_shapes, plane
from meshes.simplices import Chooser


def pcm_array(
    rows: int = 3,
    columns: int = 3,
    pitch_nm: float = 80.0,
    heater_width_nm: float = 20.0,
    heater_nm: float = 40.0,
    cell_width_nm: float = 40.0,
    phase_change_nm: float = 40.0,
    line_width_nm: float = 40.0,
    word_nm: float = 30.0,
    bit_nm: float = 30.0,
    margin_nm: float = 80.0,
    substrate_nm: float = 100.0,
    capping_nm: float = 60.0,
    size_nm: float = 5.0,
    growth: float = 1.35,
    largest_nm: float = 30.0,
    split: Sequence[str] = (),
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Phase-change cells at the crossings of word and bit lines, in 3D. Tetrahedra; lengths in nm, defaults are chosen.

    ``rows`` word lines go along x, ``columns`` bit lines along y, both line_width_nm wide and at ``pitch_nm``; the
    first ones cross at x = y = 0, the sides of the whole are margin_nm away from the outermost crossings. Regions, from
    below: "substrate" (substrate_nm thick), "word_i" (word_nm), at each crossing "heater_i_j" (a square pillar of
    heater_width_nm, heater_nm high) and "cell_i_j" (the phase change: a square of cell_width_nm, phase_change_nm high),
    "bit_j" (bit_nm); "dielectric" fills the rest, up to capping_nm above the bit lines. z = 0 is where heaters end.
    heater_width_nm = cell_width_nm makes confined cells, a narrower heater mushrooms. ``within`` gives all cells,
    heaters and lines the coefficients of the first of their kind.

    Surfaces: "word_i" and "bit_j" (both ends of a line), "bottom" (of the substrate), "top", "side". Edges are about
    ``size_nm`` long in the cells and the upper ends of the heaters, a third of the heater's width in the rest of it;
    outside they grow by ``growth`` from one to the next, up to largest_nm. ``split`` names surfaces between regions
    along which the mesh is split, such as "heater_*/cell_*" (:func:`meshes.split`). Made on rank 0, distributed over
    ``comm`` (default COMM_WORLD). Raises MeshError naming the argument that is wrong.
    """
    for name, count in {"rows": rows, "columns": columns}.items():
        if not 1 <= count <= 99:
            raise MeshError(f"{name} must be a number of lines from 1 to 99, got {count!r}")
    check_lengths({"pitch_nm": pitch_nm, "heater_width_nm": heater_width_nm, "heater_nm": heater_nm,
                   "cell_width_nm": cell_width_nm, "phase_change_nm": phase_change_nm, "line_width_nm": line_width_nm,
                   "word_nm": word_nm, "bit_nm": bit_nm, "margin_nm": margin_nm, "substrate_nm": substrate_nm,
                   "capping_nm": capping_nm})  # fmt: skip
    check_less("heater_width_nm", heater_width_nm, "cell_width_nm", cell_width_nm, equal=True)
    check_less("heater_width_nm", heater_width_nm, "line_width_nm", line_width_nm, equal=True)
    for name, width in {"cell_width_nm": cell_width_nm, "line_width_nm": line_width_nm}.items():
        check_less(name, width, "pitch_nm", pitch_nm)
        check_less(name, width, "2 * margin_nm", 2.0 * margin_nm)

    low, right, back = -margin_nm, (columns - 1) * pitch_nm + margin_nm, (rows - 1) * pitch_nm + margin_nm
    ground, base = -heater_nm - word_nm, -heater_nm - word_nm - substrate_nm
    ceiling = phase_change_nm + bit_nm
    roof = ceiling + capping_nm
    crossings = [(i, j) for i in range(rows) for j in range(columns)]

    def pillar(i: int, j: int, width: float, z0: float, z1: float) -> Block:
        x, y, half = j * pitch_nm, i * pitch_nm, 0.5 * width
        return Block((x - half, y - half, z0), (x + half, y + half, z1))

    half = 0.5 * line_width_nm
    shapes: list[Painted] = [
        ("substrate", Block((low, low, base), (right, back, ground))),
        ("dielectric", Block((low, low, ground), (right, back, roof))),
    ]
    for i in range(rows):
        y = i * pitch_nm
        shapes.append((f"word_{i}", Block((low, y - half, ground), (right, y + half, -heater_nm))))
    shapes += [(f"heater_{i}_{j}", pillar(i, j, heater_width_nm, -heater_nm, 0.0)) for i, j in crossings]
    shapes += [(f"cell_{i}_{j}", pillar(i, j, cell_width_nm, 0.0, phase_change_nm)) for i, j in crossings]
    for j in range(columns):
        x = j * pitch_nm
        shapes.append((f"bit_{j}", Block((x - half, low, phase_change_nm), (x + half, back, ceiling))))

    depth = min(heater_nm, 0.5 * heater_width_nm)
    fine: list[FineBlock | FineBall] = []
    for i, j in crossings:
        cell = pillar(i, j, cell_width_nm, -depth, phase_change_nm)
        heater = pillar(i, j, heater_width_nm, -heater_nm, 0.0)
        fine += [FineBlock(cell.low, cell.high), FineBlock(heater.low, heater.high, heater_width_nm / 3.0)]
    surfaces: dict[str, Chooser] = {f"word_{i}": _ends(0, low, right, f"word_{i}") for i in range(rows)}
    surfaces |= {f"bit_{j}": _ends(1, low, back, f"bit_{j}") for j in range(columns)}
    surfaces |= {"bottom": plane(2, base), "top": plane(2, roof)}
    within = {f"{kind}_{i}_{j}": f"{kind}_0_0" for kind in ("cell", "heater") for i, j in crossings[1:]}
    within |= {f"word_{i}": "word_0" for i in range(1, rows)} | {f"bit_{j}": "bit_0" for j in range(1, columns)}
    size = Size(size_nm, growth, largest_nm, fine)
    return mesh_shapes("pcm_array", shapes, size, surfaces, split, within=within, comm=comm)


def _ends(axis: int, low: float, high: float, region: str) -> Chooser:
    """Both ends of a line: its facets at two planes across ``axis``."""
    first, second = plane(axis, low, region), plane(axis, high, region)
    return lambda middle, regions: first(middle, regions) | second(middle, regions)
