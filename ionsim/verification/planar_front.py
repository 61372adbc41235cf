"""A front of the phase model moves at u(T), whatever its width; curved ones as well when curvature is cancelled."""

from collections.abc import Callable

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.materials.crystallisation import GST_225
from ionsim.verification import figure
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
REGION = "film"


def box(sides_nm: tuple[float, ...], size_nm: float, jitter: float = 0.0) -> meshes.LabelledMesh:
    """An interval, rectangle or box of simplices of edge ``size_nm``, of one region, on this rank alone.

    ``jitter``: inner nodes are moved by up to this part of the edge, in each direction.
    """
    import dolfinx.mesh  # after fem, which makes the PyPI build's libraries known

    cells = [max(1, round(side / size_nm)) for side in sides_nm]
    low, high = np.zeros(len(sides_nm)), np.array(sides_nm)
    if len(sides_nm) == 1:
        mesh = dolfinx.mesh.create_interval(MPI.COMM_SELF, cells[0], [0.0, sides_nm[0]])
    elif len(sides_nm) == 2:
        mesh = dolfinx.mesh.create_rectangle(MPI.COMM_SELF, [low, high], cells)
    else:
        mesh = dolfinx.mesh.create_box(MPI.COMM_SELF, [low, high], cells)
    if jitter:
        x = mesh.geometry.x[:, : len(sides_nm)]
        inner = np.all((x > 1e-6) & (x < high - 1e-6), axis=1)
        away = np.random.default_rng(0).uniform(-jitter, jitter, (int(inner.sum()), len(sides_nm)))
        mesh.geometry.x[inner, : len(sides_nm)] += away * size_nm
    return meshes.label_layers(mesh, {REGION: (0.0, sides_nm[-1])})


def planar_speed(
    velocity_m_per_s: Callable[[Array], Array], temperature_K: float, width_nm: float, size_nm: float
) -> float:
    """Speed (m/s) of a plane front on an irregular mesh, from the crystal's volume while it goes 20 widths."""
    side_nm = 60.0 * width_nm
    front = fem.PhaseFront(box((side_nm, 12.0 * width_nm), size_nm, 0.2), REGION, velocity_m_per_s, width_nm)
    kelvin = np.full(front.halo.local, temperature_K)
    speed = float(velocity_m_per_s(kelvin[:1])[0])
    start = 0.3 * side_nm if speed > 0.0 else 0.7 * side_nm
    front.set_distance(lambda x: start - x[:, 0])
    step_s = 10.0 * width_nm * 1e-9 / abs(speed)
    front.advance(step_s, kelvin)
    before = front.crystalline_m3
    front.advance(2.0 * step_s, kelvin)
    return (front.crystalline_m3 - before) / (12.0 * width_nm * 1e-9) / (2.0 * step_s)


def radius_nm(front: fem.PhaseFront) -> float:
    """Where the front crosses the first axis, from the centre of a ball at the origin."""
    x = front.elements.x_nm
    axis = np.flatnonzero(np.all(np.abs(x[:, 1:]) < 1e-9, axis=1))
    axis = axis[np.argsort(x[axis, 0])]
    distance = front.distance_nm[axis]
    inner = int(np.flatnonzero(distance > 0.0)[-1])
    part = distance[inner] / (distance[inner] - distance[inner + 1])
    return float(x[axis[inner], 0] + part * (x[axis[inner + 1], 0] - x[axis[inner], 0]))


def ball_travel(
    dim: int, start_nm: float, travel_nm: float, growing: bool, curvature: float = 1.0, size_nm: float = 1.0
) -> float:
    """How far the front of a disc or ball (a quarter or an eighth of it) of width 1 nm goes at 1 m/s, in nm."""
    side = start_nm + (travel_nm if growing else 0.0) + 8.0
    front = fem.PhaseFront(box((side,) * dim, size_nm), REGION, lambda kelvin: np.full(kelvin.shape,
                           1.0 if growing else -1.0), 1.0, curvature=curvature)  # fmt: skip
    front.set_distance(lambda x: start_nm - np.linalg.norm(x, axis=1))
    begin = radius_nm(front)
    front.advance(travel_nm * 1e-9, np.full(front.halo.local, 300.0))
    return abs(radius_nm(front) - begin)


@case(
    "planar-front", "PCM",
    problem=(
        "A plane front of GST on an irregular mesh, at five temperatures from 450 to 950 K (it melts above 900 K), "
        "for widths of 1 and 2 nm with elements of 1.5 widths."
    ),
    exact="The velocity $u(T)$ of the material, whatever the width.",
    sources=("Velocity of GST-225: ionsim.materials.crystallisation (its sources are there)",),
)  # fmt: skip
def planar_front() -> list[Record]:
    """A plane front of GST moves at u(T) at 450 to 950 K, for two widths and elements of 1.5 widths."""
    records, errors = [], []
    for kelvin in (450.0, 600.0, 700.0, 800.0, 950.0):
        exact = float(GST_225.velocity_m_per_s(kelvin))
        for width in (1.0, 2.0):
            error = planar_speed(GST_225.velocity_m_per_s, kelvin, width, 1.5 * width) / exact - 1.0
            errors.append(error)
            records.append(Record.below(f"speed over u(T) less 1 at {kelvin:.0f} K, width {width} nm", error, 0.02))
    coarse = planar_speed(GST_225.velocity_m_per_s, 600.0, 1.0, 3.0) / float(GST_225.velocity_m_per_s(600.0)) - 1.0
    records.append(Record("the same at 600 K with elements of 3 widths", coarse))
    fine, at = np.linspace(430.0, 970.0, 400), np.array([450.0, 600.0, 700.0, 800.0, 950.0])
    off, law = np.reshape(errors, (5, 2)).T, np.abs(GST_225.velocity_m_per_s(at))
    figure.draw(
        figure.Panel("speed of a plane front of GST (melting above 900 K)", "temperature (K)", "|speed| (m/s)", [
            figure.exact("u(T)", fine, np.abs(GST_225.velocity_m_per_s(fine))),
            *(figure.computed(f"width {w} nm", at, law * (1.0 + e)) for w, e in zip((1, 2), off, strict=True)),
        ], y_log=True),
        figure.errors("speed over u(T) less 1", [f"{k:.0f} K, {w} nm" for k in at for w in (1, 2)], errors, 0.02),
    )  # fmt: skip
    return records


@case(
    "front-curvature", "PCM",
    problem=(
        "Discs and balls whose phase field has a width of 1 nm grow and melt at 1 m/s, from 4 to 10 and from 12 to 4 "
        "widths of radius, with curvature cancelled; one disc without."
    ),
    exact=(
        r"$dR/dt = u$ with curvature cancelled; without, $dR/dt = u - D\,(d - 1)/R$, so that $R + 1.5\,\ln(R - 1.5) = "
        r"t + \mathrm{const}$ here."
    ),
    sources=("R. Folch et al., Phys. Rev. E 60, 1724 (1999): cancelled curvature",),
)  # fmt: skip
def front_curvature() -> list[Record]:
    """Discs and balls grow and melt at u with curvature cancelled, and at u - D (dim - 1)/R without."""
    records, names, off = [], [], []
    curves: list[figure.Curve] = []
    for dim, name in ((2, "disc"), (3, "ball")):
        grown = ball_travel(dim, 4.0, 6.0, True, size_nm=1.5) / 6.0 - 1.0
        melted = ball_travel(dim, 12.0, 8.0, False, size_nm=1.5) / 8.0 - 1.0
        for begin, sign, nm, ratio in ((4.0, 1.0, 6.0, grown), (12.0, -1.0, 8.0, melted)):
            names.append(f"{name}, {'grown' if sign > 0 else 'melted'}")
            off.append(ratio)
            curves += [figure.exact("" if curves else "$R_0 \\pm u t$", [0.0, nm], [begin, begin + sign * nm]),
                       figure.computed(f"{name}, {'grown' if sign > 0 else 'melted'}", [nm],
                                       [begin + sign * nm * (1.0 + ratio)])]  # fmt: skip
        records += [
            Record.below(f"{name} from 4 to 10 widths, travel over u t less 1", grown, 0.02),
            Record.below(f"{name} from 12 to 4 widths, melting", melted, 0.02),
        ]
    # dR/dt = 1 - 1.5/R has R + 1.5 ln(R - 1.5) = t + const; D = 1.5 nm^2/ns
    end = 10.0 + ball_travel(2, 10.0, 8.0, True, curvature=0.0)
    time = end - 10.0 + 1.5 * np.log((end - 1.5) / (10.0 - 1.5))
    radii = np.linspace(10.0, end, 50)
    passed = radii - 10.0 + 1.5 * np.log((radii - 1.5) / 8.5)
    figure.draw(
        figure.Panel("curvature cancelled, at 1 nm/ns", "time (ns)", "radius (nm)", curves),
        figure.errors("travel over u t less 1", names, off, 0.02),
        figure.Panel("with curvature", "time (ns)", "radius (nm)", [
            figure.exact("$dR/dt = u - D/R$", passed, radii), figure.computed("disc", [8.0], [end]),
            figure.other("without", [0.0, 8.0], [10.0, 18.0]),
        ]),
    )  # fmt: skip
    records.append(Record.below("disc from 10 widths with curvature, time over exact less 1", time / 8.0 - 1.0, 0.02))
    return records
