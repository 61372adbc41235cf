"""The cell of a filamentary device: bottom electrode, oxide, cap and top electrode around a lattice box."""

import math
from dataclasses import replace

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from meshes.errors import MeshError, nearest
from meshes.grading import check_size, graded, outward
from meshes.labelled import LabelledMesh
from meshes.tensor import tensor_box
from meshes.tetrahedra import layered_tetrahedra

#: Cells of a filament mesh.
KINDS = ("hexahedra", "tetrahedra")


def filament_cell(
    oxide_nm: float = 5.0,
    width_nm: float = 30.0,
    size_nm: float = 0.25,
    core_nm: tuple[float, float] = (5.0, 5.0),
    bottom_nm: float = 20.0,
    cap_nm: float = 5.0,
    top_nm: float = 20.0,
    growth: float = 1.5,
    interface_nm: float = 0.1,
    kind: str = "hexahedra",
    comm: MPI.Comm | None = None,
) -> LabelledMesh:
    """A square film stack, ``width_nm`` wide, with a fine core where a lattice of sites can lie (all lengths in nm).

    The lattice box is 0..core_nm[0], 0..core_nm[1] in x, y and 0..oxide_nm in z; the domain is centred on it. In the
    core the mesh is uniform, no coarser than ``size_nm``, with nodes at multiples of core/n and oxide/n, so that
    sites can coincide with nodes; outside it the intervals grow by ``growth`` from one to the next.

    Regions, from below: "bottom" (thickness bottom_nm), "oxide", "cap" (cap_nm; absent if 0) and "top" (top_nm).
    Two thin regions, "bottom_interface" (the last ``interface_nm`` of the electrode below the oxide) and
    "top_interface" (the first ``interface_nm`` above the oxide), carry thermal boundary resistance: a layer of
    thickness t and conductivity kappa = h t (W/m2K times m) has exactly the conductance h of the boundary.
    ``interface_nm`` = 0 leaves them out. Surfaces: "bottom", "top", "side". A region without coefficients of its own
    takes those of ``within``: "top_interface" those of "cap", "cap" those of "top", "bottom_interface" of "bottom".

    ``kind`` is "hexahedra" (graded tensor mesh) or "tetrahedra" (gmsh, unstructured in the plane). Raises MeshError
    on a length that is not positive, a core wider than the domain, or an interface thicker than its electrode.
    """
    if kind not in KINDS:
        raise MeshError(f"kind {kind!r} is not known; allowed: {', '.join(KINDS)} (nearest: {nearest(kind, KINDS)!r})")
    lengths = {"oxide_nm": oxide_nm, "width_nm": width_nm, "size_nm": size_nm, "core_nm[0]": core_nm[0],
               "core_nm[1]": core_nm[1], "bottom_nm": bottom_nm, "top_nm": top_nm}  # fmt: skip
    for name, length in lengths.items():
        check_size(name, length)
    for name, length in {"cap_nm": cap_nm, "interface_nm": interface_nm}.items():
        if not 0.0 <= length < float("inf"):
            raise MeshError(f"{name} must be a length in nm, zero or more, got {length!r}")
    if max(core_nm) > width_nm:
        raise MeshError(f"core_nm {core_nm!r} is wider than the domain, width_nm = {width_nm!r}")
    for name, length in {"bottom_nm": bottom_nm, "cap_nm" if cap_nm else "top_nm": cap_nm or top_nm}.items():
        if interface_nm >= length:
            raise MeshError(f"interface_nm must be thinner than {name} = {length!r}, got {interface_nm!r}")

    layers, z_nm = _stack(oxide_nm, size_nm, bottom_nm, cap_nm, top_nm, interface_nm, growth)
    x_nm, y_nm = (graded(0.0, core, size_nm, (core - width_nm) / 2, (core + width_nm) / 2, growth) for core in core_nm)
    if kind == "tetrahedra":
        labelled = layered_tetrahedra(x_nm, y_nm, z_nm, core_nm, layers, comm)
    else:
        labelled = tensor_box(x_nm, y_nm, z_nm, layers, comm)
    names = list(layers)
    within: dict[str, str] = {name: names[names.index(name) + 1] for name in ("top_interface", "cap") if name in layers}
    if "bottom_interface" in layers:
        within["bottom_interface"] = "bottom"
    return replace(labelled, within=within)


def _stack(
    oxide: float, size: float, bottom: float, cap: float, top: float, interface: float, growth: float
) -> tuple[dict[str, tuple[float, float]], NDArray[np.float64]]:
    """The layers (name -> (z0, z1)) and the node heights (n,), both from below, in nm."""
    layers = {"bottom": (-bottom, -interface), "bottom_interface": (-interface, 0.0), "oxide": (0.0, oxide),
              "top_interface": (oxide, oxide + interface), "cap": (oxide + interface, oxide + cap),
              "top": (oxide + max(cap, interface), oxide + cap + top)}  # fmt: skip
    if interface == 0.0:
        del layers["bottom_interface"], layers["top_interface"]
    if cap == 0.0:
        del layers["cap"]
    core = graded(0.0, oxide, size, 0.0, oxide, growth)
    names = list(layers)
    middle = names.index("oxide")
    below = _grow(0.0, [layers[name][0] for name in reversed(names[:middle])], core[1] - core[0], growth, interface)
    above = _grow(oxide, [layers[name][1] for name in names[middle + 1 :]], core[1] - core[0], growth, interface)
    return layers, np.array([*reversed(below), *core, *above])


def _grow(start: float, planes: list[float], size: float, growth: float, interface: float) -> list[float]:
    """Node heights from ``start`` through every one of ``planes``; an interface is one interval of its own."""
    nodes: list[float] = []
    for number, plane in enumerate(planes):
        if interface > 0.0 and number == 0:
            nodes.append(plane)
        else:
            steps = outward(abs(plane - start), size, growth)
            nodes += [*(start + math.copysign(1.0, plane - start) * steps[:-1]), plane]
            size = steps[-1] - (steps[-2] if steps.size > 1 else 0.0)
        start = plane
    return nodes
