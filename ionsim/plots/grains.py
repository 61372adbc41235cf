"""A polycrystalline film: its grains, its boundaries by class, and the sites of a lattice in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from ionsim.plots.scene import Camera
from ionsim.plots.style import BLUE, INK, MUTED, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from meshes import Polycrystal

Floats = NDArray[np.float64]

_GRAINS = ("#F7E7B7", "#DCEBDD", "#D9E6F2", "#F3DDE6", "#EFEDE6", "#E4DDF0", "#FBE3D0", "#DDF0EF")
CLASS_COLOURS = {"low_symmetry": BLUE, "high_symmetry": VERMILLION}
#: Points along the longest edge of a picture.
_POINTS = 360


def grains_figure(
    crystal: Polycrystal, positions_nm: ArrayLike | None = None, z_nm: float | None = None, title: str = ""
) -> Figure:
    """Draw a film: on the left a plan view at ``z_nm`` (default half of the film), on the right its surface in 3D.

    Grains have pale colours, boundaries, as wide as they are, one for each class. ``positions_nm`` (N, 3) are sites;
    those of the layer nearest to z_nm are dots on the left: boundary sites filled, by class, those near a triple line
    ringed, others grey.
    """
    x, y, z = crystal.size_nm
    height = 0.5 * z if z_nm is None else z_nm
    with styled():
        figure = new_figure(9.0, 4.6)
        plan, block = figure.subplots(1, 2)
        corner, along = np.array([0.0, 0.0, height]), np.diag([x, y, 0.0])[:2]
        picture = painted(crystal, corner, along)
        plan.imshow(picture.swapaxes(0, 1), origin="lower", extent=(0.0, x, 0.0, y), interpolation="nearest")
        plan.set(xlabel="x (nm)", ylabel="y (nm)", title=f"z = {height:.3g} nm")
        handles: list[Patch | Line2D] = [Patch(facecolor=_GRAINS[0], edgecolor=MUTED, label="grain")]
        handles += [
            Patch(facecolor=pale(colour), edgecolor=MUTED, label=name.replace("_", "-") + " boundary")
            for name, colour in CLASS_COLOURS.items()
        ]
        if positions_nm is not None:
            handles += _sites(plan, crystal, np.asarray(positions_nm, dtype=float), height)
        _block(block, crystal)
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
        count = f"grains: {crystal.n_grains}, boundaries: {len(crystal.pairs)}"
        figure.suptitle(f"{title}: {count}" if title else count, fontsize=9)
    return figure


def painted(crystal: Polycrystal, corner: Floats, edges: Floats) -> Floats:
    """Colours (n, m, 3) of the points of a rectangle: a corner (3,) and two edges (2, 3) in nm."""
    lengths = np.linalg.norm(edges, axis=1)
    counts = np.maximum(2, np.rint(_POINTS * lengths / lengths.max()).astype(int))
    s, t = ((np.arange(count) + 0.5) / count for count in counts)
    points = corner + s[:, None, None] * edges[0] + t[None, :, None] * edges[1]
    found = crystal.locate(points.reshape(-1, 3))
    colours = np.array([to_rgb(colour) for colour in _GRAINS])[found.grain % len(_GRAINS)]
    region = crystal.region(found)
    for number, name in enumerate(crystal.regions()[1:], start=1):
        colours[region == number] = pale(CLASS_COLOURS[name])
    return colours.reshape(*counts, 3)


def pale(colour: str) -> tuple[float, float, float]:
    """The colour, half as strong: dots of the colour itself show on it."""
    r, g, b = (0.5 + 0.5 * part for part in to_rgb(colour))
    return r, g, b


def _sites(axes: Axes, crystal: Polycrystal, positions: Floats, height: float) -> list[Line2D]:
    """Dots at the sites of the layer nearest to a height; their entries for a legend."""
    nearest = positions[np.argmin(np.abs(positions[:, 2] - height)), 2]
    layer = positions[np.abs(positions[:, 2] - nearest) < 0.05]
    found = crystal.locate(layer)
    region, triple = crystal.region(found), np.isfinite(found.triple_nm)
    size = float(np.clip(3.0e4 / len(layer), 1.0, 25.0)) * 0.3
    x, y = layer[:, 0], layer[:, 1]
    axes.scatter(x[region == 0], y[region == 0], s=0.4 * size, color=MUTED, linewidths=0)
    for number, name in enumerate(crystal.regions()[1:], start=1):
        axes.scatter(x[region == number], y[region == number], s=size, color=CLASS_COLOURS[name], linewidths=0)
    axes.scatter(x[triple], y[triple], s=2.0 * size, facecolors="none", edgecolors=INK, linewidths=0.5)
    return [
        Line2D([], [], marker="o", ls="", ms=3.5, color=MUTED, label="site"),
        Line2D([], [], marker="o", ls="", ms=3.5, color=BLUE, label="boundary site"),
        Line2D([], [], marker="o", ls="", ms=5, mfc="none", color=INK, label="near a triple line"),
    ]


def _block(axes: Axes, crystal: Polycrystal) -> None:
    """The film as a block: faces -y, +x and +z."""
    camera = Camera(elevation=32.0)
    x, y, z = crystal.size_nm
    faces = [
        (np.array([0.0, 0.0, 0.0]), np.array([[x, 0.0, 0.0], [0.0, 0.0, z]]), 0.86),
        (np.array([x, 0.0, 0.0]), np.array([[0.0, y, 0.0], [0.0, 0.0, z]]), 0.74),
        (np.array([0.0, 0.0, z]), np.array([[x, 0.0, 0.0], [0.0, y, 0.0]]), 1.0),
    ]
    for corner, edges, light in faces:
        colours = painted(crystal, corner, edges)
        s, t = (np.linspace(0.0, 1.0, count + 1) for count in colours.shape[:2])
        nodes = corner + s[:, None, None] * edges[0] + t[None, :, None] * edges[1]
        flat = camera.project(nodes.reshape(-1, 3))[0].reshape(len(s), len(t), 2)
        axes.pcolormesh(flat[..., 0], flat[..., 1], colours * light, rasterized=True)
        ring = flat[[0, -1, -1, 0, 0], [0, 0, -1, -1, 0]]
        axes.add_collection(LineCollection([ring], colors=INK, linewidths=0.8))
    axes.set(aspect="equal", title=f"{x:.3g} x {y:.3g} x {z:.3g} nm")
    axes.autoscale_view()
    axes.set_axis_off()
