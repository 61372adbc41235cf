"""ECRAM devices: a channel under an electrolyte with the gate above or beside it, in the plane, and a stack in 1D."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from meshes.errors import MeshError
from meshes.grading import check_lengths, check_less, check_size, fitted
from meshes.interfaces import split_simplices
from meshes.labelled import Interface, LabelledMesh
from meshes.root import on_root
from meshes.simplices import Chooser, Floats, Integers, Simplices, distribute, name_surfaces

#: A region's name and the rectangle that belongs to it, (x0, x1, z0, z1) in nm; of overlapping ones the later counts.
_Painted = tuple[str, tuple[float, float, float, float]]


@dataclass(frozen=True)
class _Grid:
    """Sizes (nm): ``size`` at the electrolyte's interfaces, ``edge`` at ends along x, ``largest`` and ``lateral``."""

    size: float
    growth: float
    largest: float
    edge: float
    lateral: float

    def check(self) -> None:
        check_lengths({"size_nm": self.size, "largest_nm": self.largest, "edge_nm": self.edge,
                       "lateral_nm": self.lateral})  # fmt: skip
        check_less("size_nm", self.size, "largest_nm", self.largest, equal=True)
        check_less("edge_nm", self.edge, "lateral_nm", self.lateral, equal=True)
        if not 1.0 < self.growth <= 3.0:
            raise MeshError(f"growth must be a number above 1, at most 3, got {self.growth!r}")


def ecram_stack(
    electrolyte_nm: float = 10.0,
    channel_nm: float = 20.0,
    size_nm: float = 0.4,
    growth: float = 1.4,
    largest_nm: float = 2.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Channel and electrolyte one over the other, in 1D along z; all is per nm^2. Lengths in nm; defaults are chosen.

    Regions: "channel" (from z = 0 to channel_nm) and "electrolyte" above it. Surfaces: "back" (z = 0) and "gate" (the
    electrolyte's upper end). The mesh is split at "electrolyte/channel". Intervals are ``size_nm`` long at both ends of
    the electrolyte and at the channel's surface, and grow by ``growth`` from one to the next up to ``largest_nm``. Made
    on rank 0, distributed over ``comm`` (default COMM_WORLD). Raises MeshError naming the argument that is wrong.
    """
    check_lengths({"electrolyte_nm": electrolyte_nm, "channel_nm": channel_nm})
    _Grid(size_nm, growth, largest_nm, size_nm, size_nm).check()
    comm = MPI.COMM_WORLD if comm is None else comm
    z = _layers([0.0, channel_nm, channel_nm + electrolyte_nm], [largest_nm, size_nm, size_nm], growth, largest_nm)
    regions = {"channel": 1, "electrolyte": 2}
    ends = {"back": _at(0, 0.0), "gate": _at(0, channel_nm + electrolyte_nm)}

    def make() -> tuple[Simplices, dict[str, Interface]]:
        cells = np.stack([np.arange(z.size - 1), np.arange(1, z.size)], axis=1)
        tags = np.where(0.5 * (z[1:] + z[:-1]) < channel_nm, 1, 2).astype(np.int32)
        whole = name_surfaces(z[:, None], cells, tags, regions, ends)
        return split_simplices(whole, regions, ["electrolyte/channel"])

    return _made(comm, make, regions, ends)


def ecram_vertical(
    channel_length_nm: float = 150.0,
    channel_nm: float = 20.0,
    electrolyte_nm: float = 10.0,
    gate_length_nm: float = 150.0,
    overlap_nm: float = 0.0,
    contact_length_nm: float = 20.0,
    contact_nm: float = 20.0,
    size_nm: float = 0.4,
    growth: float = 1.4,
    largest_nm: float = 2.0,
    edge_nm: float = 1.5,
    lateral_nm: float = 10.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A channel between source and drain, electrolyte above it and the gate on top: the plane (x, z), per nm of depth.

    x = 0 is the middle of the channel, z = 0 its underside. Regions: "channel", "source" (left) and "drain" (contacts,
    contact_length_nm long and contact_nm thick, at its ends), "electrolyte" (from the channel's top electrolyte_nm up,
    over the channel and overlap_nm of either contact). Surfaces: "gate" (of the electrolyte's top the middle
    gate_length_nm), "source" and "drain" (outer ends of the contacts), "side" (the rest). The mesh is split where the
    electrolyte touches channel and contacts. All lengths in nm; the defaults are chosen.

    Rectangles cut in two: edges across the layers are ``size_nm`` long at the electrolyte's interfaces and grow by
    ``growth`` up to ``largest_nm``, along x from ``edge_nm`` at ends to ``lateral_nm``. No weight of first-order
    elements is negative. Made on rank 0, distributed over ``comm`` (default COMM_WORLD). Raises MeshError naming the
    argument that is wrong.
    """
    check_lengths({"channel_length_nm": channel_length_nm, "channel_nm": channel_nm, "electrolyte_nm": electrolyte_nm,
                   "gate_length_nm": gate_length_nm, "contact_length_nm": contact_length_nm,
                   "contact_nm": contact_nm})  # fmt: skip
    if overlap_nm != 0.0:
        check_size("overlap_nm", overlap_nm)
    check_less("overlap_nm", overlap_nm, "contact_length_nm", contact_length_nm, equal=True)
    top = channel_nm + electrolyte_nm
    check_less("contact_nm", contact_nm, "channel_nm + electrolyte_nm", top)
    half, reach = 0.5 * channel_length_nm, 0.5 * channel_length_nm + overlap_nm
    end, gate = half + contact_length_nm, 0.5 * gate_length_nm
    check_less("gate_length_nm", gate_length_nm, "channel_length_nm + 2 overlap_nm", 2.0 * reach, equal=True)
    painted: list[_Painted] = [
        ("electrolyte", (-reach, reach, min(contact_nm, channel_nm), top)),
        ("channel", (-half, half, 0.0, channel_nm)),
        ("source", (-end, -half, 0.0, contact_nm)),
        ("drain", (half, end, 0.0, contact_nm)),
    ]

    def is_gate(middle: Floats, region: np.ndarray) -> np.ndarray:
        return _at(1, top)(middle, region) & (np.abs(middle[:, 0]) < gate)

    surfaces = {"gate": is_gate, "source": _at(0, -end), "drain": _at(0, end)}
    grid = _Grid(size_nm, growth, largest_nm, edge_nm, lateral_nm)
    grid.check()
    x = _layers(sorted({-end, -reach, -half, -gate, gate, half, reach, end}), edge_nm, growth, lateral_nm)
    z = _heights({0.0: largest_nm, channel_nm: size_nm, contact_nm: size_nm, top: size_nm}, grid)
    touching = ["electrolyte/channel"]
    if overlap_nm > 0.0 or contact_nm > channel_nm:
        touching += ["electrolyte/source", "electrolyte/drain"]
    return _plane(comm, x, z, painted, surfaces, touching)


def ecram_lateral(
    channel_length_nm: float = 150.0,
    channel_nm: float = 20.0,
    electrolyte_nm: float = 10.0,
    gap_nm: float = 50.0,
    gate_length_nm: float = 100.0,
    contact_length_nm: float = 20.0,
    contact_nm: float = 20.0,
    size_nm: float = 0.4,
    growth: float = 1.4,
    largest_nm: float = 2.0,
    edge_nm: float = 1.5,
    lateral_nm: float = 10.0,
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """Source, channel, drain and, gap_nm beside it, the gate on one substrate, all under one electrolyte: (x, z).

    As :func:`ecram_vertical`, but the electrolyte lies electrolyte_nm thick over all of them and fills the gap, and the
    gate is a metal of contact_nm by gate_length_nm to the right: a hole in the mesh whose upper and left faces are the
    surface "gate".
    """
    check_lengths({"channel_length_nm": channel_length_nm, "channel_nm": channel_nm, "electrolyte_nm": electrolyte_nm,
                   "gap_nm": gap_nm, "gate_length_nm": gate_length_nm, "contact_length_nm": contact_length_nm,
                   "contact_nm": contact_nm})  # fmt: skip
    half, top = 0.5 * channel_length_nm, max(channel_nm, contact_nm) + electrolyte_nm
    end = half + contact_length_nm
    begin, right = end + gap_nm, end + gap_nm + gate_length_nm
    painted: list[_Painted] = [
        ("electrolyte", (-end, right, 0.0, top)),
        ("", (begin, right, 0.0, contact_nm)),
        ("channel", (-half, half, 0.0, channel_nm)),
        ("source", (-end, -half, 0.0, contact_nm)),
        ("drain", (half, end, 0.0, contact_nm)),
    ]

    def is_gate(middle: Floats, region: np.ndarray) -> np.ndarray:
        inside = (middle[:, 0] > begin - 1e-6) & (middle[:, 1] < contact_nm + 1e-6) & (middle[:, 1] > 1e-6)
        return inside & (np.abs(middle[:, 0] - right) > 1e-6)

    surfaces = {"gate": is_gate, "source": _at(0, -end, "source"), "drain": _at(0, end, "drain")}
    surfaces.pop("drain")  # the drain is under the electrolyte on all sides but below
    grid = _Grid(size_nm, growth, largest_nm, edge_nm, lateral_nm)
    grid.check()
    x = _layers([-end, -half, half, end, begin, right], edge_nm, growth, lateral_nm)
    z = _heights({0.0: largest_nm, channel_nm: size_nm, contact_nm: size_nm, top: largest_nm}, grid)
    touching = ["electrolyte/channel", "electrolyte/source", "electrolyte/drain"]
    return _plane(comm, x, z, painted, surfaces, touching)


def _layers(bounds: Sequence[float], sizes: float | Sequence[float], growth: float, largest: float) -> Floats:
    """Nodes from bound to bound; one size at all bounds, or one at each."""
    at = [sizes] * len(bounds) if isinstance(sizes, float) else list(sizes)
    parts = [
        fitted(low, high, first, last, growth, largest)[:-1]
        for low, high, first, last in zip(bounds[:-1], bounds[1:], at[:-1], at[1:], strict=True)
    ]
    return np.concatenate([*parts, [bounds[-1]]])


def _heights(sizes: Mapping[float, float], grid: _Grid) -> Floats:
    bounds = sorted(sizes)
    return _layers(bounds, [sizes[bound] for bound in bounds], grid.growth, grid.largest)


def _plane(
    comm: MPI.Comm | None,
    x: Floats,
    z: Floats,
    painted: Sequence[_Painted],
    surfaces: Mapping[str, Chooser],
    touching: Sequence[str],
) -> LabelledMesh:
    """Triangles on the grid lines, of the painted rectangles (name "" paints nothing), split where asked."""
    comm = MPI.COMM_WORLD if comm is None else comm
    names = [name for name in dict.fromkeys(name for name, _ in painted) if name]
    regions = {name: number for number, name in enumerate(names, start=1)}

    def make() -> tuple[Simplices, dict[str, Interface]]:
        middle_x, middle_z = 0.5 * (x[1:] + x[:-1])[:, None], 0.5 * (z[1:] + z[:-1])[None, :]
        tags = np.zeros((x.size - 1, z.size - 1), dtype=np.int32)
        for name, (x0, x1, z0, z1) in painted:
            inside = (middle_x > x0) & (middle_x < x1) & (middle_z > z0) & (middle_z < z1)
            tags[inside] = regions.get(name, 0)
        column, row = np.nonzero(tags)
        cells = _triangles(column, row, z.size)
        used, dense = np.unique(cells, return_inverse=True)
        points = np.stack([x[used // z.size], z[used % z.size]], axis=1)
        both = np.repeat(tags[column, row], 2)
        whole = name_surfaces(points, dense.reshape(-1, 3), both, regions, surfaces)
        return split_simplices(whole, regions, touching)

    return _made(comm, make, regions, surfaces)


def _triangles(column: Integers, row: Integers, height: int) -> Integers:
    """Two triangles (2 n, 3) of each rectangle, node numbers column * height + row.

    All diagonals rise: where they alternate, volumes of neighbouring nodes differ by a factor of two.
    """
    a, b = column * height + row, (column + 1) * height + row
    c, d = a + 1, b + 1
    return np.stack([a, b, d, a, d, c], axis=1).reshape(-1, 3)


def _made(comm: MPI.Comm, make, regions: Mapping[str, int], surfaces: Mapping[str, Chooser]) -> LabelledMesh:  # type: ignore[no-untyped-def]
    whole, interfaces = on_root(comm, make) or (None, {})
    interfaces = comm.bcast(interfaces, root=0)
    numbers = {surface: number for number, surface in enumerate((*surfaces, "side"), start=1)}
    return distribute(comm, whole, regions, numbers, interfaces)


def _at(axis: int, place: float, region_name: str = "") -> Chooser:
    """The facets where coordinate ``axis`` is ``place``."""

    def choose(middle: Floats, region: np.ndarray) -> np.ndarray:
        there = np.abs(middle[:, axis] - place) < 1e-6
        return there & (region == region_name) if region_name else there

    return choose
