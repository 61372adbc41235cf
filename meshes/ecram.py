"""ECRAM: a channel between source and drain, an electrolyte on it, and the gate above or beside; 1D, 2D and 3D."""

from collections.abc import Mapping

import numpy as np
from mpi4py import MPI

from meshes.errors import MeshError
from meshes.grading import check_lengths, check_less
from meshes.grids import Painted, check_grading, graded_lines, mesh_grid
from meshes.labelled import LabelledMesh
from meshes.shapes import plane
from meshes.simplices import Chooser, Floats

_SAME_NM = 1e-6


def ecram_stack(
    electrolyte_nm: float = 10.0,
    channel_nm: float = 10.0,
    size_nm: float = 0.25,
    growth: float = 1.3,
    largest_nm: float = 2.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Channel, electrolyte and gate one above the other, in 1D along z: all is per m^2 of the gate. Intervals.

    Regions: "channel" (z from 0 to channel_nm) and "electrolyte" (electrolyte_nm thick, on it). Surfaces: "back" (z =
    0) and "gate" (the upper end of the electrolyte). The mesh is split at "electrolyte/channel". All lengths in nm; the
    defaults are chosen.

    Intervals are ``size_nm`` long at both ends of the electrolyte and at the channel's end there; they grow by
    ``growth`` from one to the next, up to largest_nm. Made on rank 0, distributed over ``comm`` (default COMM_WORLD).
    Raises MeshError naming the argument that is wrong.
    """
    check_lengths({"electrolyte_nm": electrolyte_nm, "channel_nm": channel_nm})
    _check_sizes(size_nm, growth, largest_nm)
    top = channel_nm + electrolyte_nm
    lines = graded_lines({0.0: largest_nm, channel_nm: size_nm, top: size_nm}, growth, largest_nm)
    painted: list[Painted] = [("electrolyte", [(channel_nm, top)]), ("channel", [(0.0, channel_nm)])]
    surfaces = {"gate": plane(0, top), "back": plane(0, 0.0)}
    return mesh_grid([lines], painted, surfaces, ["electrolyte/channel"], comm)


def ecram_vertical(
    channel_length_nm: float = 150.0,
    channel_nm: float = 10.0,
    electrolyte_nm: float = 10.0,
    gate_length_nm: float = 150.0,
    overlap_nm: float = 0.0,
    contact_length_nm: float = 20.0,
    contact_nm: float = 10.0,
    size_nm: float = 0.25,
    growth: float = 1.3,
    largest_nm: float = 2.0,
    lateral_nm: float = 5.0,
    edge_nm: float = 1.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """An ECRAM cell with its gate above the channel, in the plane (x, z). Triangles; all is per nm of width.

    x goes from source to drain, the middle of the channel is x = 0, z = 0 the upper side of the substrate, which is not
    meshed. Regions: "channel" (channel_length_nm long, channel_nm thick), "source" and "drain" (contacts at its ends,
    contact_length_nm long, contact_nm thick) and "electrolyte" (up to electrolyte_nm above the channel, over it and
    over overlap_nm of either contact). Surfaces: "gate" (the middle gate_length_nm of the electrolyte's top), "top"
    (what the gate leaves of it, if anything), "source" and "drain" (all outer faces of the contacts), "bottom" (z = 0,
    between the contacts), "side". The mesh is split wherever the electrolyte touches channel and contacts:
    "electrolyte/channel", and "electrolyte/source" and "electrolyte/drain" if they touch. All lengths in nm; the
    defaults are chosen.

    Rectangles cut in two, on grid lines ``size_nm`` apart across the interfaces of the electrolyte, farther by
    ``growth`` from one to the next up to largest_nm; along x the lines are ``edge_nm`` apart at ends of channel,
    electrolyte and gate, up to lateral_nm elsewhere. No weight of first-order elements is negative. Made on rank 0,
    distributed over ``comm`` (default COMM_WORLD). Raises MeshError naming the argument that is wrong.
    """
    shape = _Vertical(channel_length_nm, channel_nm, electrolyte_nm, gate_length_nm, overlap_nm, contact_length_nm,
                      contact_nm)  # fmt: skip
    _check_sizes(size_nm, growth, largest_nm, lateral_nm, edge_nm)
    lines = shape.lines(size_nm, growth, largest_nm, lateral_nm, edge_nm)
    return mesh_grid(lines, shape.painted(), shape.surfaces(), shape.split, comm)


def ecram_vertical_3d(
    channel_length_nm: float = 150.0,
    width_nm: float = 50.0,
    channel_nm: float = 10.0,
    electrolyte_nm: float = 10.0,
    electrolyte_width_nm: float = 50.0,
    gate_length_nm: float = 150.0,
    gate_width_nm: float = 50.0,
    overlap_nm: float = 0.0,
    contact_length_nm: float = 20.0,
    contact_nm: float = 10.0,
    size_nm: float = 0.5,
    growth: float = 1.6,
    largest_nm: float = 2.5,
    lateral_nm: float = 10.0,
    edge_nm: float = 3.0,
    half: bool = False,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """An ECRAM cell with its gate above the channel in 3D (x, y, z). Tetrahedra; as :func:`ecram_vertical`.

    y goes across the channel, whose middle is y = 0. Channel and contacts are width_nm wide, the gate gate_width_nm,
    the electrolyte electrolyte_width_nm; beside the channel it goes down to the substrate, and touches the channel's
    sides. Grid lines along y as along x. With ``half`` only y > 0: its mirror plane is the surface "symmetry". Bricks
    are cut in six: at the rims of regions volumes and weights are not those of the bricks.
    """
    shape = _Vertical(channel_length_nm, channel_nm, electrolyte_nm, gate_length_nm, overlap_nm, contact_length_nm,
                      contact_nm)  # fmt: skip
    check_lengths({"width_nm": width_nm, "electrolyte_width_nm": electrolyte_width_nm, "gate_width_nm": gate_width_nm})
    check_less("width_nm", width_nm, "electrolyte_width_nm", electrolyte_width_nm, equal=True)
    check_less("gate_width_nm", gate_width_nm, "electrolyte_width_nm", electrolyte_width_nm, equal=True)
    _check_sizes(size_nm, growth, largest_nm, lateral_nm, edge_nm)
    inner, outer, gate = (0.5 * width for width in (width_nm, electrolyte_width_nm, gate_width_nm))
    wider = outer > inner + _SAME_NM
    x, z = shape.lines(size_nm, growth, largest_nm, lateral_nm, edge_nm)
    at = {0.0: lateral_nm, outer: edge_nm, gate: edge_nm, inner: size_nm if wider else edge_nm}
    y = graded_lines(_apart(at), growth, lateral_nm)
    painted: list[Painted] = []
    for name, (along, up) in shape.painted():
        liquid = name == "electrolyte"
        reach = outer if liquid else inner
        painted.append((name, [along, (-reach, reach), (0.0 if liquid and wider else up[0], up[1])]))
    found = shape.surfaces()
    is_gate = found["gate"]
    surfaces: dict[str, Chooser] = {"symmetry": plane(1, 0.0)} if half else {}
    surfaces |= found
    surfaces["gate"] = lambda middle, region: is_gate(middle, region) & (np.abs(middle[:, 1]) < gate)
    if gate < outer - _SAME_NM:
        surfaces["top"] = plane(-1, shape.top)
    return mesh_grid([x, y if half else _mirrored(y), z], painted, surfaces, shape.split, comm)


def ecram_lateral(
    channel_length_nm: float = 150.0,
    channel_nm: float = 10.0,
    electrolyte_nm: float = 10.0,
    gap_nm: float = 50.0,
    gate_length_nm: float = 100.0,
    gate_nm: float = 10.0,
    contact_length_nm: float = 20.0,
    contact_nm: float = 10.0,
    size_nm: float = 0.25,
    growth: float = 1.4,
    largest_nm: float = 2.0,
    lateral_nm: float = 10.0,
    edge_nm: float = 1.5,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """An ECRAM cell with its gate beside the drain, in the plane (x, z). Triangles; all is per nm of width.

    As :func:`ecram_vertical`, but the gate (gate_length_nm long, gate_nm thick) lies on the substrate, gap_nm beyond
    the drain; it is left out of the mesh, and the surface "gate" is where the electrolyte touches it: its side and its
    top. The electrolyte fills the gap and covers everything, its flat "top" electrolyte_nm above the highest of
    channel, contacts and gate; it ends where the source begins and the gate ends. "drain" is the contact's underside.
    """
    check_lengths({"channel_length_nm": channel_length_nm, "channel_nm": channel_nm, "electrolyte_nm": electrolyte_nm,
                   "gap_nm": gap_nm, "gate_length_nm": gate_length_nm, "gate_nm": gate_nm,
                   "contact_length_nm": contact_length_nm, "contact_nm": contact_nm})  # fmt: skip
    _check_sizes(size_nm, growth, largest_nm, lateral_nm, edge_nm)
    half, top = 0.5 * channel_length_nm, max(channel_nm, contact_nm, gate_nm) + electrolyte_nm
    end = half + contact_length_nm
    begin, right = end + gap_nm, end + gap_nm + gate_length_nm
    step = edge_nm if contact_nm == channel_nm else size_nm
    x = {-end: lateral_nm, -half: step, half: step, end: size_nm, begin: size_nm, right: lateral_nm}
    z = {0.0: largest_nm, channel_nm: size_nm, contact_nm: size_nm, gate_nm: size_nm, top: largest_nm}
    lines = [graded_lines(x, growth, lateral_nm), graded_lines(z, growth, largest_nm)]
    painted: list[Painted] = [
        ("electrolyte", [(-end, right), (0.0, top)]),
        ("", [(begin, right), (0.0, gate_nm)]),
        ("channel", [(-half, half), (0.0, channel_nm)]),
        ("source", [(-end, -half), (0.0, contact_nm)]),
        ("drain", [(half, end), (0.0, contact_nm)]),
    ]
    above, beside = plane(1, gate_nm, "electrolyte"), plane(0, begin, "electrolyte")
    surfaces: dict[str, Chooser] = {
        "gate": lambda middle, region: beside(middle, region) | (above(middle, region) & (middle[:, 0] > begin)),
        "top": plane(1, top),
        "source": _all_of("source"),
        "drain": _all_of("drain"),
        "bottom": plane(1, 0.0),
    }
    return mesh_grid(lines, painted, surfaces, ["electrolyte/channel", "electrolyte/source", "electrolyte/drain"], comm)


class _Vertical:
    """The vertical cell's boxes, surfaces and grid lines. Raises MeshError for lengths that do not fit together."""

    def __init__(
        self, channel_length_nm: float, channel_nm: float, electrolyte_nm: float, gate_length_nm: float,
        overlap_nm: float, contact_length_nm: float, contact_nm: float,
    ) -> None:  # fmt: skip
        check_lengths({"channel_length_nm": channel_length_nm, "channel_nm": channel_nm,
                       "electrolyte_nm": electrolyte_nm, "gate_length_nm": gate_length_nm,
                       "contact_length_nm": contact_length_nm, "contact_nm": contact_nm})  # fmt: skip
        if not 0.0 <= overlap_nm < float("inf"):
            raise MeshError(f"overlap_nm must be a length in nm, zero or more, got {overlap_nm!r}")
        check_less("overlap_nm", overlap_nm, "contact_length_nm", contact_length_nm, equal=True)
        self.channel, self.contact, self.top = channel_nm, contact_nm, channel_nm + electrolyte_nm
        check_less("contact_nm", contact_nm, "channel_nm + electrolyte_nm", self.top)
        self.half = 0.5 * channel_length_nm
        self.reach, self.end, self.gate = self.half + overlap_nm, self.half + contact_length_nm, 0.5 * gate_length_nm
        check_less("gate_length_nm", gate_length_nm, "channel_length_nm + 2 overlap_nm", 2.0 * self.reach, equal=True)
        touching = overlap_nm > 0.0 or contact_nm > channel_nm
        self.split = ["electrolyte/channel"]
        self.split += ["electrolyte/source", "electrolyte/drain"] if touching else []

    def painted(self) -> list[Painted]:
        """Boxes in (x, z), in the order in which they count."""
        half, end, base = self.half, self.end, min(self.contact, self.channel)
        return [
            ("electrolyte", [(-self.reach, self.reach), (base, self.top)]),
            ("channel", [(-half, half), (0.0, self.channel)]),
            ("source", [(-end, -half), (0.0, self.contact)]),
            ("drain", [(half, end), (0.0, self.contact)]),
        ]

    def surfaces(self) -> dict[str, Chooser]:
        roof = plane(-1, self.top)
        found: dict[str, Chooser] = {
            "gate": lambda middle, region: roof(middle, region) & (np.abs(middle[:, 0]) < self.gate),
            "source": _all_of("source"),
            "drain": _all_of("drain"),
            "bottom": plane(-1, 0.0),
        }
        return found | ({"top": roof} if self.gate < self.reach - _SAME_NM else {})

    def lines(self, size: float, growth: float, largest: float, lateral: float, edge: float) -> list[Floats]:
        """Grid lines along x, the same on both sides of x = 0, and along z."""
        covered = self.reach > self.half
        # Where the electrolyte touches the side of a contact or of the channel, that is an interface of it too.
        faces = self.contact > self.channel or (covered and self.contact < self.channel)
        at = {self.end: lateral, self.reach: edge, self.gate: edge, 0.0: lateral, self.half: size if faces else edge}
        right = graded_lines(_apart(at), growth, lateral)
        z = {0.0: largest, self.contact: size if covered else largest, self.top: size, self.channel: size}
        return [_mirrored(right), graded_lines(z, growth, largest)]


def _mirrored(lines: Floats) -> Floats:
    """Grid lines from 0 on, and the same on the other side."""
    return np.concatenate([-lines[:0:-1], lines])


def _apart(sizes: Mapping[float, float]) -> dict[float, float]:
    """Bounds that rounding has set apart become one, with the finer size."""
    found: dict[float, float] = {}
    for bound in sorted(sizes):
        same = next((one for one in found if abs(one - bound) < _SAME_NM), bound)
        found[same] = min(sizes[bound], found.get(same, sizes[bound]))
    return found


def _all_of(name: str) -> Chooser:
    """All exterior facets of a region."""
    return lambda middle, region: region == name


def _check_sizes(
    size_nm: float, growth: float, largest_nm: float, lateral_nm: float = 1.0, edge_nm: float = 1.0
) -> None:
    check_grading(growth, size_nm=size_nm, largest_nm=largest_nm, lateral_nm=lateral_nm, edge_nm=edge_nm)
    check_less("size_nm", size_nm, "largest_nm", largest_nm, equal=True)
    check_less("edge_nm", edge_nm, "lateral_nm", lateral_nm, equal=True)
