"""A finite-element mesh around a lattice of sites: nodes on the sites where it can be, room for heat around."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import meshes
from meshes.grading import outward

Floats = NDArray[np.float64]

#: Thickness of the layers that stand for thermal boundary resistance, nm (conductivity = h x thickness).
INTERFACE_NM = 0.1


def lattice_mesh(
    positions_nm: Floats,
    box_nm: tuple[float, float, float],
    *,
    electrodes_nm: Mapping[str, float],
    domain_width_nm: float,
    size_nm: float,
    growth: float,
    comm: MPI.Comm | None = None,
    on_sites: bool = False,
) -> meshes.LabelledMesh:
    """Hexahedra with the lattice box (0..box_nm) in the middle of a domain ``domain_width_nm`` wide.

    Where the sites form a tensor lattice (as many sites as distinct x, y and z multiplied) every site is a node;
    elsewhere the box gets nodes no farther apart than ``size_nm``, unless ``on_sites`` asks for nodes on all planes of
    sites as well. Electrodes: keys "bottom", "cap", "top".
    Regions: "bottom", "bottom_interface", "oxide", "top_interface", "cap", "top"; surfaces "bottom", "top", "side".
    """
    x_nm, y_nm, z_nm = _planes(positions_nm, box_nm, size_nm, on_sites)
    x_nm, y_nm = (_widen(nodes, box_nm[a], domain_width_nm, growth) for a, nodes in enumerate((x_nm, y_nm)))
    z_nm, layers = _stack(z_nm, box_nm[2], electrodes_nm, growth)
    return meshes.tensor_box(x_nm, y_nm, z_nm, layers, comm)


def lateral_mesh(
    positions_nm: Floats,
    box_nm: tuple[float, float, float],
    *,
    electrodes_nm: Mapping[str, float],
    height_nm: float,
    substrate_nm: float,
    capping_nm: float,
    domain_width_nm: float,
    size_nm: float,
    growth: float,
    comm: MPI.Comm | None = None,
    on_sites: bool = False,
) -> meshes.LabelledMesh:
    """The same for electrodes side by side on a substrate: the current flows along z, the substrate lies below y = 0.

    The film fills 0 <= y <= box_nm[1] between the electrodes, which are ``height_nm`` high; above film and electrodes
    lies a capping layer, ``capping_nm`` thick above the electrodes (0, where all are equally high: the surface is
    bare). Only along x is the domain wider than the box. Regions as in :func:`lattice_mesh`, and "substrate",
    "substrate_interface" (:data:`INTERFACE_NM` below film and electrodes), "capping" where there is one; surfaces
    "bottom", "top" (ends of the electrodes along z), "substrate" (its lower face), "side".
    """
    x_nm, y_nm, z_nm = _planes(positions_nm, box_nm, size_nm, on_sites)
    x_nm = _widen(x_nm, box_nm[0], domain_width_nm, growth)
    depth, length, step = box_nm[1], box_nm[2], float(np.median(np.diff(y_nm)))
    z_nm, layers = _stack(z_nm, length, electrodes_nm, growth)
    below = -INTERFACE_NM - outward(substrate_nm - INTERFACE_NM, step, growth)
    beside = depth + outward(height_nm - depth, step, growth)
    steps = np.diff(beside, prepend=depth)
    above = height_nm + outward(capping_nm, float(steps[-1]) if len(steps) else step, growth)
    y_nm = np.concatenate([below[::-1], [-INTERFACE_NM], y_nm, beside, above])
    film, electrode = (0.0, depth), (0.0, height_nm)
    boxes: dict[str, list[meshes.Box]] = {
        name: [(None, electrode if name in electrodes_nm else film, bounds)] for name, bounds in layers.items()
    }
    boxes["substrate"] = [(None, (float(y_nm[0]), -INTERFACE_NM), None)]
    boxes["substrate_interface"] = [(None, (-INTERFACE_NM, 0.0), None)]
    if len(beside):
        # The film's edge must not touch the electrodes past the layers that stand for charge transfer.
        between = (layers["bottom_interface"][0], layers["top_interface"][1])
        boxes["capping"] = [(None, (depth, height_nm), between)]
    if len(above):
        boxes.setdefault("capping", []).append((None, (height_nm, float(y_nm[-1])), None))
    faces = {**meshes.ENDS, "substrate": (1, 0)}
    return meshes.tensor_boxes(x_nm, y_nm, z_nm, boxes, faces, comm)


def _planes(positions_nm: Floats, box_nm: tuple[float, float, float], size_nm: float, on_sites: bool) -> list[Floats]:
    """Node coordinates in the box along x, y and z: planes of sites, or no farther apart than ``size_nm``."""
    planes = [_distinct(positions_nm[:, axis]) for axis in range(3)]
    if on_sites or len(planes[0]) * len(planes[1]) * len(planes[2]) == len(positions_nm):
        return planes
    return [np.linspace(0.0, box_nm[a], max(2, round(box_nm[a] / size_nm) + 1)) for a in range(3)]


def _stack(
    planes: Floats, thickness: float, electrodes_nm: Mapping[str, float], growth: float
) -> tuple[Floats, dict[str, tuple[float, float]]]:
    """Node coordinates along z, and the bounds of every layer."""
    inside = planes[(planes > 1e-6) & (planes < thickness - 1e-6)]
    step = float(np.median(np.diff(planes)))
    bottom, cap, top = electrodes_nm["bottom"], electrodes_nm["cap"], electrodes_nm["top"]
    below = -INTERFACE_NM - outward(bottom - INTERFACE_NM, step, growth)
    in_cap = thickness + INTERFACE_NM + outward(cap - INTERFACE_NM, step, growth)
    last = float(in_cap[-1] - (in_cap[-2] if len(in_cap) > 1 else thickness + INTERFACE_NM))
    in_top = thickness + cap + outward(top, last, growth)
    z_nm = np.concatenate(
        [below[::-1], [-INTERFACE_NM, 0.0], inside, [thickness, thickness + INTERFACE_NM], in_cap, in_top]
    )
    return z_nm, {
        "bottom": (float(z_nm[0]), -INTERFACE_NM),
        "bottom_interface": (-INTERFACE_NM, 0.0),
        "oxide": (0.0, thickness),
        "top_interface": (thickness, thickness + INTERFACE_NM),
        "cap": (thickness + INTERFACE_NM, float(in_cap[-1])),
        "top": (float(in_cap[-1]), float(z_nm[-1])),
    }


def _distinct(values: Floats) -> Floats:
    ordered = np.unique(np.round(values, 6))
    return ordered


def _widen(planes: Floats, box: float, width: float, growth: float) -> Floats:
    """Node coordinates: the planes of the box, and growing intervals to both ends of the domain around its middle."""
    step = float(np.median(np.diff(planes)))
    room = 0.5 * (width - box)
    left = planes[0] - outward(room + planes[0], step, growth) if room + planes[0] > 1e-6 else np.empty(0)
    right = planes[-1] + outward(room + box - planes[-1], step, growth) if room > 1e-6 else np.empty(0)
    return np.concatenate([left[::-1], planes, right])
