"""Manufactured solutions: conduction and heat against fields that were chosen first."""

from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

import fem
import meshes
from ionsim.verification import figure
from ionsim.verification.record import Record, case

Array = NDArray[np.float64]
_SIDE_NM = 8.0
_AMPLITUDE = 0.3


@case(
    "conduction-mms", "finite elements",
    problem=(
        "Conduction in a square and a cube of 8 nm with a conductivity that varies in space, and current sources "
        "that make a field chosen beforehand the solution; cells of two kinds, halved."
    ),
    exact=(
        r"$u = z/H + 0.3\,\sin(kz)\,\prod \cos(kx)$ with $k = \pi/H$ and $\sigma = 1 + z/2H + \frac{1}{4}\prod "
        r"\cos(kx)$: linear elements converge with order 2 in the mean square."
    ),
    sources=("P. J. Roache, Code verification by the method of manufactured solutions, J. Fluids Eng. 124, 4 (2002)",),
)  # fmt: skip
def conduction() -> list[Record]:
    """Potential of a manufactured problem converges to second order in L2, in 2D and 3D."""

    def error(cell: meshes.LabelledMesh) -> float:
        exact, sigma, source = _problem(cell.mesh.geometry.dim)
        problem = fem.Conduction(cell, {"all": sigma(fem.midpoints_nm(cell))})
        state = problem.solve({"top": 1.0, "bottom": 0.0}, _nodal(problem.operator, source))
        return _l2(cell, problem.space, state.potential_V, exact)

    return _orders(error)


@case(
    "heat-mms", "finite elements",
    problem=(
        "Steady heat in a square and a cube of 8 nm with a conductivity that varies in space, and sources that make "
        "a field chosen beforehand the solution; cells of two kinds, halved."
    ),
    exact=(
        r"As in conduction-mms: $T - 300\,\mathrm{K} = z/H + 0.3\,\sin(kz)\,\prod \cos(kx)$; order 2 in the mean "
        r"square."
    ),
    sources=("P. J. Roache, Code verification by the method of manufactured solutions, J. Fluids Eng. 124, 4 (2002)",),
)  # fmt: skip
def heat() -> list[Record]:
    """Steady temperature of a manufactured problem converges to second order in L2, in 2D and 3D."""

    def error(cell: meshes.LabelledMesh) -> float:
        exact, kappa, source = _problem(cell.mesh.geometry.dim)
        problem = fem.Heat(cell, {"all": kappa(fem.midpoints_nm(cell))}, {"bottom": 300.0, "top": 301.0})
        temperature = problem.solve(_nodal(problem.operator, source))
        return _l2(cell, problem.space, temperature - 300.0, exact)

    return _orders(error)


@case(
    "heat-transient", "finite elements",
    problem="A mode of heat in a cube of 8 nm, insulated at its sides and at 300 K above and below, decays for 2 ps.",
    exact=(
        r"$T - 300\,\mathrm{K} \propto \cos kx\,\cos ky\,\sin kz\;e^{-3 k^2 \kappa t/C}$: order 1 in the step "
        r"(against the mesh's own rate of decay), order 2 in $h$ when the step goes as $h^2$."
    ),
    sources=("H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959",),
)  # fmt: skip
def transient() -> list[Record]:
    """Decay of a heat mode is first order in the time step, and second order in h when the step goes as h squared."""
    kappa, capacity, end_s = 1.5, 2e6, 2e-12
    rate = kappa / capacity * 3.0 * (np.pi / _SIDE_NM) ** 2 * 1e18  # 1/s: sine in z, cosines in x and y

    def error(n: int, steps: int, decay: float) -> float:
        cell = _mesh(3, "tensor", n)
        problem = fem.Heat(cell, {"all": kappa}, {"bottom": 300.0, "top": 300.0}, {"all": capacity})
        x = problem.space.tabulate_dof_coordinates() * (np.pi / _SIDE_NM)
        mode = 100.0 * np.cos(x[:, 0]) * np.cos(x[:, 1]) * np.sin(x[:, 2])
        problem.temperature_K = 300.0 + mode
        for _ in range(steps):
            problem.step(end_s / steps)
        return float(np.abs(problem.temperature_K - 300.0 - mode * np.exp(-decay * end_s)).max())

    size = np.pi / 8
    discrete = rate * (2.0 - 2.0 * np.cos(size)) / size**2  # the mesh's own rate: what is left is the error of the step
    steps = [error(8, count, discrete) for count in (8, 16, 32)]
    in_time = np.log2(steps[-2] / steps[-1])
    spaces = [error(n, n * n * 4 // 9, rate) for n in (3, 6, 12)]
    in_space = np.log2(spaces[-2] / spaces[-1])
    figure.draw(
        figure.convergence("in time (against the mesh's own rate)", "step (s)", "largest error (K)", [
            ("backward Euler", end_s / np.array([8.0, 16.0, 32.0]), steps)], 1.0),
        figure.convergence("in space, step as $h^2$", "h (nm)", "largest error (K)", [
            ("linear elements", _SIDE_NM / np.array([3.0, 6.0, 12.0]), spaces)], 2.0),
    )  # fmt: skip
    return [
        Record.above("order in time", float(in_time), 0.95),
        Record.above("order in space, step as h^2", float(in_space), 1.9),
    ]


def _problem(dim: int) -> tuple[Callable[[Array], Array], Callable[[Array], Array], Callable[[Array], Array]]:
    """Exact field of points (n, 3) in nm, coefficient, and source -div(c grad u) per nm^2; z is coordinate dim - 1.

    u = z/H + a sin(kz) X, c = 1 + z/(2H) + X/4 with X = product of cos(kx) over the other coordinates, k = pi/H: no
    flux leaves the sides, and both electrodes are equipotentials.
    """
    k, up = np.pi / _SIDE_NM, dim - 1

    def cosines(x: Array) -> Array:
        return np.asarray(np.prod(np.cos(k * x[:, :up]), axis=1))

    def exact(x: Array) -> Array:
        return x[:, up] / _SIDE_NM + _AMPLITUDE * np.sin(k * x[:, up]) * cosines(x)

    def coefficient(x: Array) -> Array:
        return 1.0 + x[:, up] / (2.0 * _SIDE_NM) + 0.25 * cosines(x)

    def source(x: Array) -> Array:
        wave, sine = cosines(x), np.sin(k * x[:, up])
        laplacian = -dim * k**2 * _AMPLITUDE * sine * wave
        slope_z = 1.0 / _SIDE_NM + _AMPLITUDE * k * np.cos(k * x[:, up]) * wave
        across = np.zeros(len(x))  # grad X . grad X
        for axis in range(up):
            others = [other for other in range(up) if other != axis]
            across += (k * np.sin(k * x[:, axis]) * np.prod(np.cos(k * x[:, others]), axis=1)) ** 2
        gradients = slope_z / (2.0 * _SIDE_NM) + 0.25 * _AMPLITUDE * sine * across
        return -(coefficient(x) * laplacian + gradients)

    return exact, coefficient, source


def _nodal(operator: fem.Conductance, source: Callable[[Array], Array]) -> Array:
    """The source times each node's volume, in A or W."""
    volume = operator.capacity(np.ones(operator.cell_count))
    return 1e18 * source(operator.space.tabulate_dof_coordinates()) * volume


def _l2(cell: meshes.LabelledMesh, space: Any, u: Array, exact: Callable[[Array], Array]) -> float:
    """Root mean square error at the centres of the (equal) cells."""
    points = fem.midpoints_nm(cell)
    values = fem.SiteOperator(space, points[:, : cell.mesh.geometry.dim], kind="linear").sample(u)
    return float(np.sqrt(np.mean((values - exact(points)) ** 2)))


def _orders(error: Callable[[meshes.LabelledMesh], float]) -> list[Record]:
    records, studies = [], []
    for dim, kind, n in ((2, "tensor", 16), (2, "simplex", 16), (3, "tensor", 10), (3, "simplex", 8)):
        counts = (n // 2, n, 2 * n)
        found = [error(_mesh(dim, kind, count)) for count in counts]
        order = np.log2(found[-2] / found[-1])
        studies.append((f"{dim}D, {kind}", _SIDE_NM / np.array(counts), found))
        records.append(Record.above(f"order in L2, {dim}D, {kind} cells", float(order), 1.9))
    figure.draw(figure.convergence("mean square error", "h (nm)", "error", studies, 2.0))
    return records


def _mesh(dim: int, kind: str, n: int) -> meshes.LabelledMesh:
    """A square or cube of one region, n cells a side (each cut into simplices for that kind), on this rank alone."""
    nodes = np.linspace(0.0, _SIDE_NM, n + 1)
    layers = {"all": (0.0, _SIDE_NM)}
    if kind == "simplex":
        import dolfinx.mesh  # after fem, which makes the PyPI build's libraries known

        corners = [np.zeros(dim), np.full(dim, _SIDE_NM)]
        if dim == 2:
            mesh = dolfinx.mesh.create_rectangle(MPI.COMM_SELF, corners, [n, n])
        else:
            mesh = dolfinx.mesh.create_box(MPI.COMM_SELF, corners, [n, n, n])
        return meshes.label_layers(mesh, layers)
    if dim == 2:
        return meshes.tensor_rectangle(nodes, nodes, layers, MPI.COMM_SELF)
    return meshes.tensor_box(nodes, nodes, nodes, layers, MPI.COMM_SELF)
