"""Manufactured solutions of the coupled transient problem: potential and heat with coefficients of T, F and a state."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fem
from ionsim.verification import figure
from ionsim.verification.record import Record, case
from ionsim.verification.split_blocks import Blocks, blocks

Array = NDArray[np.float64]
_SIDE_NM = 8.0
_WAVE = np.pi / _SIDE_NM
_RISE_K = 60.0
_END_S = 4e-12
_TURN = 2.0e11  # 1/s: of the sine in time
SIGMA, KAPPA, CAPACITY = 3e3, 2.0, 2e6
_T0, _F0 = 900.0, 4e8


def sigma(T_K: Any, F_V_per_m: Any, ordered: Any) -> Any:
    """Grows with temperature and field, and with the state."""
    return SIGMA * fem.exp((T_K - 300.0) / _T0) * (1.0 + (F_V_per_m / _F0) ** 2) * (1.0 + 0.5 * ordered)


def kappa(T_K: Any, ordered: Any) -> Any:
    """Falls with temperature, grows with the state."""
    return KAPPA * (1.0 + ordered) / (1.0 + (T_K - 300.0) / _T0)


def capacity(T_K: Any) -> Any:
    """Grows with temperature."""
    return CAPACITY * (1.0 + (T_K - 300.0) / _T0)


@dataclass(frozen=True)
class Field:
    """A field at points: value (n,), gradient (n, dim) and Hessian (n, dim, dim); per nm."""

    value: Array
    gradient: Array
    hessian: Array


def product(factors: list[tuple[Array, Array, Array]]) -> Field:
    """The product of functions of one coordinate each, given with their first and second derivatives."""
    dim = len(factors)

    def times(orders: list[int]) -> Array:
        return np.asarray(np.prod([factor[order] for factor, order in zip(factors, orders, strict=True)], axis=0))

    unit = np.eye(dim, dtype=int)
    gradient = np.stack([times(list(unit[i])) for i in range(dim)], axis=1)
    hessian = np.stack(
        [np.stack([times(list(unit[i] + unit[j])) for j in range(dim)], axis=1) for i in range(dim)], axis=1
    )
    return Field(times([0] * dim), gradient, hessian)


@dataclass(frozen=True)
class Manufactured:
    """The exact solution on points (n, dim) in nm (the last coordinate is z) and the sources that make it one.

    V = U(t) z/H + 0.2 U sin(kz) X and T = 300 + 60 s(t) sin(kz) X with X the product of cos(kx), k = pi/H: no flux
    leaves the sides, the electrodes are equipotentials at 300 K. U = 1 + 0.3 sin(w t), s = 1 + 0.5 sin(w t).
    """

    points: Array
    axisymmetric: bool

    def _wave(self, x: Array) -> tuple[Array, Array, Array]:
        return np.cos(_WAVE * x), -_WAVE * np.sin(_WAVE * x), -(_WAVE**2) * np.cos(_WAVE * x)

    def _shape(self) -> Field:
        z = self.points[:, -1]
        sine = (np.sin(_WAVE * z), _WAVE * np.cos(_WAVE * z), -(_WAVE**2) * np.sin(_WAVE * z))
        return product([*(self._wave(x) for x in self.points[:, :-1].T), sine])

    def voltage(self, time_s: float) -> float:
        """Applied voltage."""
        return float(1.0 + 0.3 * np.sin(_TURN * time_s))

    def state(self) -> Array:
        """The state field, constant in time."""
        return 0.5 + 0.25 * self._wave(self.points[:, 0])[0]

    def potential(self, time_s: float) -> Field:
        """V."""
        shape, u = self._shape(), self.voltage(time_s)
        up = np.zeros(shape.gradient.shape)
        up[:, -1] = u / _SIDE_NM
        return Field(
            u * self.points[:, -1] / _SIDE_NM + 0.2 * u * shape.value,
            up + 0.2 * u * shape.gradient,
            0.2 * u * shape.hessian,
        )

    def temperature(self, time_s: float) -> Field:
        """T."""
        shape, s = self._shape(), _RISE_K * (1.0 + 0.5 * np.sin(_TURN * time_s))
        return Field(300.0 + s * shape.value, s * shape.gradient, s * shape.hessian)

    def sources(self, time_s: float) -> tuple[Array, Array]:
        """-div(sigma grad V) in A/m^3 and C dT/dt - div(kappa grad T) - sigma |grad V|^2 in W/m^3."""
        v, t, c = self.potential(time_s), self.temperature(time_s), self.state()
        slope_c = np.zeros(v.gradient.shape)
        slope_c[:, 0] = 0.25 * self._wave(self.points[:, 0])[1]
        field = np.sqrt((v.gradient**2).sum(axis=1)) * 1e9
        bent = np.einsum("nij,nj->ni", v.hessian, v.gradient) * 1e18  # grad of F^2 / 2
        s, k = sigma(t.value, field, c), kappa(t.value, c)
        per_field = 2.0 / (_F0**2 + field**2)  # d(ln sigma)/d(F^2/2)
        slope_s = s[:, None] * (t.gradient / _T0 + per_field[:, None] * bent + 0.5 * slope_c / (1.0 + 0.5 * c)[:, None])
        hot = 1.0 + (t.value - 300.0) / _T0
        slope_k = k[:, None] * (slope_c / (1.0 + c)[:, None] - t.gradient / _T0 / hot[:, None])
        current = s * self._laplacian(v) + (slope_s * v.gradient).sum(axis=1)
        conducted = k * self._laplacian(t) + (slope_k * t.gradient).sum(axis=1)
        rate = 0.5 * _RISE_K * _TURN * np.cos(_TURN * time_s) * self._shape().value
        return -1e18 * current, capacity(t.value) * rate - 1e18 * conducted - s * field**2

    def _laplacian(self, field: Field) -> Array:
        trace = np.einsum("nii->n", field.hessian)
        if self.axisymmetric:
            r = self.points[:, 0]
            on_axis = r < 1e-9
            trace = trace + np.where(on_axis, field.hessian[:, 0, 0], field.gradient[:, 0] / np.where(on_axis, 1.0, r))
        return trace


def problem(cell: Blocks, method: str = "auto") -> fem.Transient:
    """The problem on a cell, at the exact state of time 0."""
    made = fem.Transient(
        cell, dict.fromkeys(cell.regions, sigma), dict.fromkeys(cell.regions, kappa),
        dict.fromkeys(cell.regions, capacity), {"bottom": 300.0, "top": 300.0}, states={"ordered": 0.0},
        settings=fem.TransientSettings(method=method, rtol=1e-11),
    )  # fmt: skip
    exact = Manufactured(nodes(made, cell), cell.axisymmetric)
    made.set_state("ordered", exact.state())
    made.potential_V = exact.potential(0.0).value
    made.temperature_K = exact.temperature(0.0).value
    return made


def nodes(made: fem.Transient, cell: Blocks) -> Array:
    """Points (local dofs, dim) in nm."""
    return np.asarray(made.space.tabulate_dof_coordinates()[:, : cell.mesh.geometry.dim])


def advance(made: fem.Transient, cell: Blocks, steps: int, unequal: bool = False) -> fem.TransientState:
    """Go to the end in equal steps, or in steps of 2/3 and 4/3 of that in turn."""
    exact = Manufactured(nodes(made, cell), cell.axisymmetric)
    volume = made.volume_m3()
    time_s = 0.0
    for step in range(steps):
        dt_s = _END_S / steps * ((2.0 + 2.0 * (step % 2)) / 3.0 if unequal else 1.0)
        time_s += dt_s
        current, heat = (source * volume for source in exact.sources(time_s))
        state = made.step(dt_s, exact.voltage(time_s), source_W=heat, source_A=current)
    return state


def square(dim: int, n: int, axisymmetric: bool = False) -> Blocks:
    """A square or cube of n cells a side, in one piece."""
    across = [np.linspace(0.0, _SIDE_NM, n + 1)] * (dim - 1)
    return blocks(0.5 * _SIDE_NM, 0.5 * _SIDE_NM, (n // 2, n // 2), across, axisymmetric, split=False)


def errors(cell: Blocks, steps: int, method: str = "auto") -> tuple[float, float, float]:
    """RMS errors over the volume of V (V) and T (K) at the centres of the cells, and the worst energy balance."""
    made = problem(cell, method)
    state = advance(made, cell, steps)
    points = fem.midpoints_nm(cell)
    centre = Manufactured(points[:, : cell.mesh.geometry.dim], cell.axisymmetric)
    dofs = np.asarray(made.space.dofmap.list)[: len(points)]
    weight = points[:, 0] if cell.axisymmetric else np.ones(len(points))

    def rms(values: Array, wanted: Array) -> float:
        return float(np.sqrt(np.average((values[dofs].mean(axis=1) - wanted) ** 2, weights=weight)))

    balance = abs(state.balance.residual_W / state.balance.electrical_W)
    return (
        rms(made.potential_V, centre.potential(_END_S).value),
        rms(made.temperature_K, centre.temperature(_END_S).value),
        balance,
    )


def orders(
    make: Callable[[int], Blocks], sizes: tuple[int, ...], steps: int, title: str = ""
) -> tuple[float, float, float]:
    """Orders in space of V and T between the two finest meshes at the same (fine) time steps, and the worst balance."""
    found = [errors(make(n), steps) for n in sizes]
    *_, coarse, fine = found
    ratio = np.log(sizes[-1] / sizes[-2])
    order_V, order_T = (float(np.log(a / b) / ratio) for a, b in zip(coarse[:2], fine[:2], strict=True))
    size_nm, (off_V, off_T, _) = _SIDE_NM / np.array(sizes), np.transpose(found)
    figure.draw(figure.convergence(f"in space, {title}", "h (nm)", "mean square error over the largest", [
        ("potential", size_nm, off_V), ("temperature", size_nm, off_T / (1.5 * _RISE_K))], 2.0))  # fmt: skip
    return order_V, order_T, max(coarse[2], fine[2])


def order_in_time(unequal: bool, steps: int = 8) -> float:
    """Order of the temperature in the step, from the differences of three runs on one mesh."""
    cell = square(2, 6)
    found = []
    for factor in (1, 2, 4):
        made = problem(cell)
        advance(made, cell, factor * steps, unequal)
        found.append(made.temperature_K)
    first, second = (np.abs(a - b).max() for a, b in pairwise(found))
    step_s = _END_S / steps / np.array([1.0, 2.0])
    figure.draw(figure.convergence(f"in time, {'unequal' if unequal else 'equal'} steps", "step (s)",
                                   "change when it is halved (K)", [("temperature", step_s, [first, second])], 2.0))
    return float(np.log2(first / second))


@case(
    "transient-mms", "finite elements",
    problem=(
        "Potential and heat together in time, with coefficients of temperature, field and a state, in a plane, in "
        "(r, z) and in 3D; sources make fields chosen beforehand the solution."
    ),
    exact=(
        r"$V = U(t)\left[z/H + 0.2\,\sin(kz)\prod\cos(kx)\right]$, $T = 300 + 60\,s(t)\,\sin(kz)\prod\cos(kx)$: order "
        r"2 in space and in time; energy is balanced."
    ),
    sources=("P. J. Roache, Code verification by the method of manufactured solutions, J. Fluids Eng. 124, 4 (2002)",),
)  # fmt: skip
def transient_mms() -> list[Record]:
    """Coupled transient problem, all coefficients of T, F and state: order 2 in space and in time; energy balance."""
    records = []
    for name, make, sizes in (
        ("plane", lambda n: square(2, n), (4, 8, 16)),
        ("(r, z)", lambda n: square(2, n, True), (4, 8, 16)),
        ("3D", lambda n: square(3, n), (4, 8, 12)),
    ):
        order_V, order_T, balance = orders(make, sizes, 12, name)
        records += [
            Record.above(f"{name}: order of the potential", order_V, 1.85),
            Record.above(f"{name}: order of the temperature", order_T, 1.85),
            Record.below(f"{name}: energy balance, relative", balance, 1e-8),
        ]
    records.append(Record.above("order in time, equal steps", order_in_time(False), 1.9))
    records.append(Record.above("order in time, unequal steps", order_in_time(True), 1.9))
    return records
