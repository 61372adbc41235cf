"""Manufactured solution of fem.VacancyTransport: crowding, drift, hops in a strong field, thermodiffusion, D(T)."""

from itertools import pairwise
from typing import Any

import numpy as np
import scipy.constants
from numpy.typing import NDArray

import fem
from fem.faces import surface_areas
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.vacancy_meshes import grid

Array = NDArray[np.float64]
_K = scipy.constants.k / scipy.constants.elementary_charge
_SIDE_NM = 8.0
_WAVE = np.pi / 8e-9  # 1/m
_SITES = 1e27
_D0, _BARRIER_EV, _SORET_EV = 1e-6, 0.5, -0.6
_CHARGE, _HOP_NM, _FIELD = 2.0, 3.0, -1e7  # 3 kT over the side; sinh(w)/w is 1.06 at 600 K
_END_S = 5e-7  # D at 600 K is 6.3e-11 m^2/s: the side is crossed in 1e-6 s
_TURN = 1e7


def _temperature(x: Any, z: Any) -> tuple[Any, Any, Any]:
    """T and its derivatives along x and z (points in m)."""
    wave = np.cos(_WAVE * x)
    return (
        600.0 + 80.0 * wave * np.cos(0.5 * _WAVE * z),
        -80.0 * _WAVE * np.sin(_WAVE * x) * np.cos(0.5 * _WAVE * z),
        -40.0 * _WAVE * wave * np.sin(0.5 * _WAVE * z),
    )


def _density(x: Any, z: Any, time_s: float) -> tuple[Any, Any, Any]:
    """n and its derivatives: between 0.05 and 0.75 of the sites."""
    size = 0.35 * _SITES * (0.6 + 0.4 * np.sin(_TURN * time_s))
    shape, along = np.cos(_WAVE * x), np.sin(_WAVE * z + 0.3)
    return (
        0.4 * _SITES + size * shape * along,
        -_WAVE * size * np.sin(_WAVE * x) * along,
        _WAVE * size * shape * np.cos(_WAVE * z + 0.3),
    )


def _flux(x: Any, z: Any, time_s: float) -> tuple[Any, Any]:
    """Flux along x and z in 1/(m^2 s), as the model has it."""
    T, T_x, T_z = _temperature(x, z)
    n, n_x, n_z = _density(x, z, time_s)
    kT = _K * T
    w = 0.5 * _CHARGE * _HOP_NM * 1e-9 * _FIELD / kT
    D = _D0 * np.exp(-_BARRIER_EV / kT)
    soret = n * _SORET_EV / (kT * T)
    across = -D * (n_x / (1.0 - n / _SITES) + soret * T_x)
    along = -D * np.sinh(w) / w * (n_z / (1.0 - n / _SITES) - n * _CHARGE * _FIELD / kT + soret * T_z)
    return across, along


def _source(x: Array, z: Array, time_s: float, line: bool, axisymmetric: bool) -> Array:
    """dn/dt + div J; derivatives of the flux by the complex step, exact to rounding. On a line, only along it."""
    h = 1e-30
    rate = 0.14 * _SITES * _TURN * np.cos(_TURN * time_s) * np.cos(_WAVE * x) * np.sin(_WAVE * z + 0.3)
    across = np.zeros_like(x) if line else _flux(x + 1j * h, z, time_s)[0].imag / h
    along = _flux(x, z + 1j * h, time_s)[1].imag / h
    if axisymmetric:
        axis = x < 1e-15
        across = across + np.where(axis, across, _flux(x, z, time_s)[0] / np.where(axis, 1.0, x))
    return np.asarray(rate + across + along)


class Problem:
    """The model on a square (or cube) of n cells a side, at the exact state of time 0."""

    def __init__(self, dim: int, n: int, axisymmetric: bool = False, order: int = 2) -> None:
        lines = [np.linspace(0.0, _SIDE_NM, n + 1)] * dim
        self.cell = grid(lines, {"oxide": [(0.0, _SIDE_NM)] * dim}, axisymmetric)
        self.dim, self.axisymmetric = dim, axisymmetric
        region = fem.VacancyRegion(_D0, _BARRIER_EV, soret_eV=_SORET_EV)
        self.transport = fem.VacancyTransport(
            self.cell, {"oxide": region}, 0.4 * _SITES, _CHARGE, sites_per_m3=_SITES, hop_nm=_HOP_NM, order=order
        )
        points = self.transport.space.tabulate_dof_coordinates()
        self.x, self.z = points[:, 0] * 1e-9 * (dim > 1), points[:, dim - 1] * 1e-9
        self.kelvin = _temperature(self.x, self.z)[0]
        self.transport.set_density(_density(self.x, self.z, 0.0)[0], self.kelvin)
        self.ends = {name: surface_areas(self.cell, name, self.transport.space) for name in ("bottom", "top")}
        self.least = np.inf

    def run(self, steps: int, unequal: bool = False) -> None:
        """Go to the end in equal steps, or in steps of 2/3 and 4/3 of that in turn."""
        time_s, volume = 0.0, self.transport.volume_m3()
        for step in range(steps):
            dt_s = _END_S / steps * ((2.0 + 2.0 * (step % 2)) / 3.0 if unequal else 1.0)
            time_s += dt_s
            source = volume * _source(self.x, self.z, time_s, self.dim == 1, self.axisymmetric)
            flux = _flux(self.x, self.z, time_s)[1]
            for sign, name in ((1.0, "bottom"), (-1.0, "top")):
                nodes, area = self.ends[name]
                source[nodes] += sign * area * flux[nodes]
            self.transport.step(dt_s, -_FIELD * self.z, self.kelvin, source)
            self.least = min(self.least, float(self.transport.density_per_m3.min()))

    def error(self) -> float:
        """RMS over the volume of the error, over the sites."""
        off = self.transport.density_per_m3 - _density(self.x, self.z, _END_S)[0]
        return float(np.sqrt(np.average(off**2, weights=self.transport.volume_m3()))) / _SITES


def order_in_space(
    dim: int, sizes: tuple[int, ...], axisymmetric: bool, steps: int, name: str = ""
) -> tuple[float, float, float]:
    """Observed order of the two finest meshes, the error on the finest, and the least density over the sites."""
    errors, least = [], np.inf
    for n in sizes:
        made = Problem(dim, n, axisymmetric)
        made.run(steps)
        errors.append(made.error())
        least = min(least, made.least / _SITES)
    figure.draw(figure.convergence(f"in space, {name}", "h (nm)", "mean square error over the sites", [
        ("finite volumes", _SIDE_NM / np.array(sizes), errors)], 2.0))  # fmt: skip
    return float(np.log(errors[-2] / errors[-1]) / np.log(sizes[-1] / sizes[-2])), errors[-1], least


def order_in_time(order: int, unequal: bool, steps: int = 40) -> float:
    """From the differences of three runs on one mesh."""
    found = []
    for factor in (1, 2, 4):
        made = Problem(2, 6, order=order)
        made.run(factor * steps, unequal)
        found.append(made.transport.density_per_m3)
    first, second = (np.abs(a - b).max() for a, b in pairwise(found))
    title = f"in time, {'BDF2' if order == 2 else 'backward Euler'}{', unequal steps' if unequal else ''}"
    figure.draw(figure.convergence(title, "step (s)", "change when it is halved, of the sites", [
        ("density", _END_S / steps / np.array([1.0, 2.0]), [first / _SITES, second / _SITES])], float(order)))
    return float(np.log2(first / second))


@case(
    "vacancy-mms", "VCM",
    problem=(
        "The whole equation of vacancies (crowding, drift, fast hops, Soret's effect, D(T)) on a line, in a plane, "
        "in (r, z) and in 3D, with sources that make a density chosen beforehand the solution."
    ),
    exact=(
        r"$n = 0.4N + 0.35N\,(0.6 + 0.4\sin\omega t)\cos kx\,\sin(kz + 0.3)$: order 2 in space and in time (BDF2), 1 "
        r"with backward Euler; positive throughout."
    ),
    sources=("P. J. Roache, Code verification by the method of manufactured solutions, J. Fluids Eng. 124, 4 (2002)",),
)  # fmt: skip
def vacancy_mms() -> list[Record]:
    """Vacancies with crowding, fast hops, Soret effect and D(T): order 2 in space and in time, positive throughout."""
    records = []
    for name, dim, sizes, turned, steps in (
        ("line", 1, (16, 32), False, 400), ("plane", 2, (12, 24), False, 100),
        ("(r, z)", 2, (12, 24), True, 100), ("3D", 3, (6, 12), False, 50),
    ):  # fmt: skip
        order, error, least = order_in_space(dim, sizes, turned, steps, name)
        records += [
            Record.above(f"{name}: order in space", order, 1.9),
            Record(f"{name}: error on the finer mesh, of the sites", error),
            Record.above(f"{name}: least density, of the sites", least, 0.0),
        ]
    records.append(Record.above("BDF2: order in time, equal steps", order_in_time(2, False), 1.9))
    records.append(Record.above("BDF2: order in time, unequal steps", order_in_time(2, True), 1.9))
    records.append(Record.above("backward Euler: order in time", order_in_time(1, False, 80), 0.95))
    return records
