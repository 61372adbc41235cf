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
    planes = [_distinct(positions_nm[:, axis]) for axis in range(3)]
    if not on_sites and len(planes[0]) * len(planes[1]) * len(planes[2]) != len(positions_nm):
        planes = [np.linspace(0.0, box_nm[a], max(2, round(box_nm[a] / size_nm) + 1)) for a in range(3)]
    x_nm, y_nm = (_widen(planes[a], box_nm[a], domain_width_nm, growth) for a in range(2))
    thickness = box_nm[2]
    inside = planes[2][(planes[2] > 1e-6) & (planes[2] < thickness - 1e-6)]
    step = float(np.median(np.diff(planes[2])))
    bottom, cap, top = electrodes_nm["bottom"], electrodes_nm["cap"], electrodes_nm["top"]
    below = -INTERFACE_NM - outward(bottom - INTERFACE_NM, step, growth)
    in_cap = thickness + INTERFACE_NM + outward(cap - INTERFACE_NM, step, growth)
    last = float(in_cap[-1] - (in_cap[-2] if len(in_cap) > 1 else thickness + INTERFACE_NM))
    in_top = thickness + cap + outward(top, last, growth)
    z_nm = np.concatenate(
        [below[::-1], [-INTERFACE_NM, 0.0], inside, [thickness, thickness + INTERFACE_NM], in_cap, in_top]
    )
    layers = {
        "bottom": (float(z_nm[0]), -INTERFACE_NM),
        "bottom_interface": (-INTERFACE_NM, 0.0),
        "oxide": (0.0, thickness),
        "top_interface": (thickness, thickness + INTERFACE_NM),
        "cap": (thickness + INTERFACE_NM, float(in_cap[-1])),
        "top": (float(in_cap[-1]), float(z_nm[-1])),
    }
    return meshes.tensor_box(x_nm, y_nm, z_nm, layers, comm)


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
