"""A box with two electrodes and shaded spheres, drawn in order of depth on plain two-dimensional axes.

Off-screen OpenGL ends the process where neither EGL nor OSMesa is installed, and cannot be probed from within. Spheres
as stacked discs need nothing but matplotlib, look the same on every machine, and stay sharp at any resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from ionsim.plots.style import MUTED

Floats = NDArray[np.float64]

#: Discs of one sphere: radius and shift towards the light as shares of the sphere's radius, and brightness.
_DISCS = ((1.0, 0.0, -0.42), (0.90, 0.05, -0.16), (0.76, 0.12, 0.0), (0.56, 0.21, 0.18), (0.34, 0.31, 0.42),
          (0.15, 0.38, 0.78))  # fmt: skip
_LIGHT = np.array([-0.62, 0.78])
#: Share of white in the colour of the farthest sphere.
_HAZE = 0.45


@dataclass(frozen=True)
class Camera:
    """Orthographic view from an azimuth and elevation in degrees.

    The drawing functions here expect -90 < azimuth < 0 < elevation < 90, where the faces +x, -y and +z are seen.
    """

    azimuth: float = -58.0
    elevation: float = 14.0

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Screen coordinates (N, 2) and depth towards the viewer (N,) of points (N, 3), in their own unit."""
        a, e = np.deg2rad(self.azimuth), np.deg2rad(self.elevation)
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        up = np.array([-np.cos(a) * np.sin(e), -np.sin(a) * np.sin(e), np.cos(e)])
        towards = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        return points @ np.column_stack([right, up]), points @ towards


def box_corners(low: Floats, high: Floats) -> Floats:
    """Corners (2, 2, 2, 3) of a box, indexed by the low or high end in x, y and z."""
    ends = np.array([low, high], dtype=np.float64)
    i, j, k = np.indices((2, 2, 2))
    return np.stack([ends[i, 0], ends[j, 1], ends[k, 2]], axis=-1)


def draw_spheres(
    axes: Axes, camera: Camera, box: Floats, centres: Floats, radius: float | Floats, colours: Floats, zorder: float
) -> None:
    """Shaded spheres at centres (N, 3), the nearest last; ``radius`` is one or (N,), ``colours`` is (N, 3) in 0..1.

    Colours fade into the haze from the near to the far corner of the box (3,) that begins at the origin.
    """
    if not len(centres):
        return
    screen, depth = camera.project(centres)
    order = np.argsort(depth, kind="stable")
    _, corners = camera.project(box_corners(np.zeros(3), box))
    far = np.clip((corners.max() - depth[order]) / float(np.ptp(corners)), 0.0, 1.0)
    base = colours[order] + (1.0 - colours[order]) * _HAZE * far[:, None]
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(order))[order]
    size = np.outer(2.0 * radii, [share for share, _, _ in _DISCS]).ravel()
    shift = np.array([step * _LIGHT for _, step, _ in _DISCS])
    offsets = (screen[order][:, None, :] + radii[:, None, None] * shift).reshape(-1, 2)
    faces = np.stack([_brightened(base, light) for _, _, light in _DISCS], axis=1).reshape(-1, 3)
    axes.add_collection(
        EllipseCollection(
            size, size, np.zeros(len(size)), units="xy", offsets=offsets, offset_transform=axes.transData,
            facecolors=faces, edgecolors="none", linewidths=0, zorder=zorder,
        )
    )  # fmt: skip


def _brightened(colours: Floats, light: float) -> Floats:
    return colours * (1.0 + light) if light < 0 else colours + (1.0 - colours) * light


def draw_slab(axes: Axes, camera: Camera, low: Floats, high: Floats, colour: str, **style: Any) -> None:
    """The three faces of a block that the camera sees, each in its own shade."""
    c = box_corners(low, high)
    faces = (
        (-0.10, [c[0, 0, 0], c[1, 0, 0], c[1, 0, 1], c[0, 0, 1]]),
        (-0.22, [c[1, 0, 0], c[1, 1, 0], c[1, 1, 1], c[1, 0, 1]]),
        (0.12, [c[0, 0, 1], c[1, 0, 1], c[1, 1, 1], c[0, 1, 1]]),
    )
    rgb = np.array([to_rgb(colour)])
    axes.add_collection(
        PolyCollection(
            [camera.project(np.array(face))[0] for _, face in faces],
            facecolors=[(*_brightened(rgb, light)[0], style.get("alpha", 1.0)) for light, _ in faces],
            edgecolors="white", linewidths=0.5, zorder=style.get("zorder", 1.0),
        )
    )  # fmt: skip


def draw_edges(axes: Axes, camera: Camera, low: Floats, high: Floats, *, hidden: bool, zorder: float) -> None:
    """Edges of a box: those behind it, which meet in the far bottom corner (dashed), or all others."""
    corners = box_corners(low, high)
    lines = []
    for axis in range(3):
        for first in range(2):
            for second in range(2):
                ends = np.moveaxis(corners, axis, 0)[:, first, second]
                others = [index for index in range(3) if index != axis]
                place = dict(zip(others, (first, second), strict=True))
                # The far bottom corner is at low x, high y and low z for the azimuths that Camera allows.
                behind = all(place[index] == (1 if index == 1 else 0) for index in others)
                if behind == hidden:
                    lines.append(camera.project(ends)[0])
    style = {"linestyles": [(0, (3, 3))], "linewidths": 0.6} if hidden else {"linewidths": 0.8}
    axes.add_collection(LineCollection(lines, colors=MUTED, zorder=zorder, **style))
